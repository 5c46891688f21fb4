//! `python -X importtime`: how long each import took.
//!
//! Reference: `import_find_and_load` of CPython's `Python/import.c`; Python 3.7 to 3.15. Kept: the tree of imports with each module's own
//! time. Lost: when an import happened. Other lines of the same output are left out and counted.

use super::super::Gives::Tree;
use super::super::read::Oddities;
use super::super::read::lines::for_each_text_line;
use super::super::read::outline::Outline;
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "importtime",
    title: "times of imports",
    written_by: "python -X importtime, PYTHONPROFILEIMPORTTIME",
    extensions: &["txt", "log"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

const PREFIX: &str = "import time:";

fn sniff(head: &Head<'_>) -> Confidence {
    if !head.says(PREFIX) {
        return Confidence::No;
    }
    let text = String::from_utf8_lossy(head.bytes);
    let rows = text.lines().filter(|line| row(line).is_some()).count();
    if rows > 0 && head.says("import time: self [us] | cumulative") || rows > 2 {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

/// `import time:       195 |        410 |     name`: own time in µs (`None` for a module that was there), depth and name.
fn row(line: &str) -> Option<(Option<i64>, usize, &str)> {
    let (own, rest) = line.strip_prefix(PREFIX)?.split_once('|')?;
    let (total, name) = rest.split_once('|')?;
    let own = match own.trim() {
        "cached" => None,
        own => Some(own.parse().ok().filter(|us| *us >= 0)?),
    };
    if own.is_some() && total.trim().parse::<i64>().is_err() {
        return None;
    }
    let bare = name.trim();
    (!bare.is_empty()).then(|| (own, (name.len() - name.trim_start().len()) / 2, bare))
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut rows, mut odd) = (Vec::new(), Oddities::default());
    for_each_text_line(source, cx, |_, line| {
        match row(line.text) {
            Some((Some(own), depth, name)) => rows.push((own, depth, name.to_owned())),
            Some((None, ..)) => {}
            None if line.text.starts_with(PREFIX) && line.text.contains("imported package") => {}
            None if line.text.trim().is_empty() => {}
            None => odd.add("line that is none of an import (left out)", || line.place()),
        }
        Ok(())
    })?;
    if rows.is_empty() {
        return Err(ImportError::malformed("holds no import"));
    }
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tool) = (Basis::Aggregated, "Python -X importtime".into());
    let time = b.metric(Metric::time());
    let track = b.track(TrackSpec { name: "Imports", process: "", kind: TrackKind::Profile, sort: 0 });
    // An import is printed when it has ended: after those that it caused.
    let mut outline = Outline::default();
    for (own, depth, name) in rows.iter().rev() {
        let function = b.function(FunctionSpec { name, module: name, ..FunctionSpec::default() });
        let frame = b.frame(function, 0);
        let stack = outline.at(*depth, frame, b);
        b.sample(track, Some(stack), &[(time, own.saturating_mul(1000))]);
    }
    let sum = rows.iter().fold(0i64, |sum, r| sum.saturating_add(r.0.saturating_mul(1000)));
    b.meta.result("All imports", (sum, Unit::Nanoseconds));
    odd.report(b);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    const TEXT: &str = "import time: self [us] | cumulative | imported package\n\
        import time:       100 |        100 |     json.scanner\n\
        hello from the program\n\
        import time:       250 |        350 |   json.decoder\n\
        import time: cached    | cached     |   re\n\
        import time:        50 |        400 | json\n\
        import time:         7 |          7 | zlib\n";

    #[test]
    fn imports_are_a_tree_with_the_sums_that_python_prints() {
        let p = open_bytes(TEXT.as_bytes()).unwrap();
        assert_eq!(p.meta.format, "importtime");
        let sums = totals(&p);
        assert_eq!((sums["json"], sums["json.decoder"]), ((50_000, 400_000), (250_000, 350_000)));
        assert_eq!((sums["json.scanner"], sums["zlib"]), ((100_000, 100_000), (7000, 7000)));
        assert_eq!(p.warnings[0].count, 1);
        damage(TEXT.as_bytes(), drop);
    }

    #[test]
    fn a_real_output_has_pythons_cumulative_times() {
        let text = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sample_profiles/python-logs/import-time-py313.txt"
        ));
        let sums = totals(&open_bytes(text.as_bytes()).unwrap());
        let mut checked = 0;
        for line in text.lines().filter_map(|l| l.strip_prefix("import time:")) {
            let mut cells = line.split('|').map(str::trim);
            let (Some(_), Some(total), Some(name)) = (cells.next(), cells.next(), cells.next()) else {
                continue;
            };
            let Ok(total) = total.parse::<i64>() else { continue };
            // Python rounds each number by itself.
            let ours = sums[name].1 / 1000;
            assert!((total - ours).abs() < 60, "{name}: {ours} of {total}");
            checked += 1;
        }
        assert!(checked > 50);
    }
}
