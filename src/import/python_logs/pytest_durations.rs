//! `pytest --durations=N`: the slowest tests.
//!
//! Reference: `pytest_terminal_summary` of `_pytest/runner.py`. Kept: each line as its file, class, test and phase. Lost: what pytest hides (the
//! number of such lines is said). The rest of pytest's output may stand around the list.

use super::super::Gives::Tree;
use super::super::read::Oddities;
use super::super::read::lines::for_each_text_line;
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, ProfileBuilder, StackId, TrackKind, TrackSpec};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "pytest-durations",
    title: "pytest durations",
    written_by: "pytest --durations",
    extensions: &["txt", "log"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if !head.says(" slowest ") {
        return Confidence::No;
    }
    let text = String::from_utf8_lossy(head.bytes);
    let mut titled = false;
    for line in text.lines() {
        titled |= is_title(line);
        if titled && row(line).is_some() {
            return Confidence::Certain;
        }
    }
    Confidence::No
}

/// `===== slowest 10 durations =====`, before pytest 6 «slowest 10 test durations».
fn is_title(line: &str) -> bool {
    line.starts_with("==") && line.contains(" slowest ") && line.contains("durations ")
}

/// `0.50s call     tests/test_a.py::TestB::test_c[1]`: ns, phase, test.
fn row(line: &str) -> Option<(i64, &str, &str)> {
    let mut words = line.trim().splitn(2, char::is_whitespace);
    let seconds: f64 = words.next()?.strip_suffix('s')?.parse().ok()?;
    let (phase, test) = words.next()?.trim_start().split_once(char::is_whitespace)?;
    let fits = matches!(phase, "call" | "setup" | "teardown") && (0.0..9e9).contains(&seconds);
    fits.then(|| ((seconds * 1e9).round() as i64, phase, test.trim()))
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut titled, mut odd) = (false, Oddities::default());
    let time = cx.builder.metric(Metric::time());
    let track = cx.builder.track(TrackSpec { name: "Tests", process: "", kind: TrackKind::Profile, sort: 0 });
    for_each_text_line(source, cx, |cx, line| {
        if line.text.starts_with("==") {
            titled = is_title(line.text);
        } else if titled {
            match row(line.text) {
                Some((ns, phase, test)) => {
                    let stack = stack(test, phase, &mut cx.builder);
                    cx.builder.sample(track, stack, &[(time, ns)]);
                }
                None if line.text.contains("hidden.") => {
                    let said = line.text.trim().trim_matches(['(', ')']);
                    cx.builder.meta.setting("Hidden by pytest", said);
                }
                None if line.text.trim().is_empty() => {}
                None => odd.add("line that is none of a test (left out)", || line.place()),
            }
        }
        Ok(())
    })?;
    if cx.builder.is_empty() {
        return Err(
            ImportError::malformed("holds no duration of a test").remedy("run `pytest --durations=0 -vv`")
        );
    }
    (cx.builder.meta.basis, cx.builder.meta.tool) = (Basis::Aggregated, "pytest".into());
    odd.report(&mut cx.builder);
    Ok(())
}

/// File, class, test and phase as frames. Parameters may hold colons.
fn stack(test: &str, phase: &str, b: &mut ProfileBuilder) -> Option<StackId> {
    let (plain, parameters) = test.find('[').map_or((test, ""), |at| test.split_at(at));
    let parts: Vec<&str> = plain.split("::").collect();
    let file = parts[0];
    let mut stack = None;
    for (n, part) in parts.iter().enumerate() {
        let name = if n + 1 == parts.len() { format!("{part}{parameters}") } else { (*part).to_owned() };
        let function =
            b.function(FunctionSpec { name: &name, file, category: "test", ..FunctionSpec::default() });
        let frame = b.frame(function, 0);
        stack = Some(b.stack(stack, frame));
    }
    let function =
        b.function(FunctionSpec { name: phase, category: "phase of a test", ..FunctionSpec::default() });
    let frame = b.frame(function, 0);
    Some(b.stack(stack, frame))
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    #[test]
    fn the_slowest_tests_are_a_tree_of_files_classes_and_phases() {
        let text = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sample_profiles/python-logs/pytest-durations.txt"
        ));
        let p = open_bytes(text.as_bytes()).unwrap();
        assert_eq!((p.meta.format.as_str(), p.meta.tool.as_str()), ("pytest-durations", "pytest"));
        let sums = totals(&p);
        let stated: f64 = text.lines().filter_map(|l| super::row(l)).map(|r| r.0 as f64).sum();
        assert_eq!(sums["test_slow.py"].1 as f64, stated);
        let both = sums["test_sleep[0.1::a]"].1 + sums["test_sleep[0.2::b]"].1;
        assert_eq!(sums["TestTimes"].1, both);
        assert!(sums["setup"].0 > 0);
        damage(text.as_bytes(), drop);
    }
}
