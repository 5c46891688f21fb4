//! `tracy-csvexport`: zones of a Tracy trace as CSV, added up or one by one (`-u`).
//!
//! Reference: `csvexport/src/csvexport.cpp` of Tracy 0.8 to 0.12. Kept: zones with file and line, own or total times, calls; with `-u` each zone's time and thread.
//! Lost: smallest and largest times of sums, messages, plots, which the tool leaves out, too. A file of sums holds no tree: what a zone
//! called is part of its time unless `-e` was given, so its sum counts nested zones more than once, which is said.

use rustc_hash::FxHashMap;

use super::Gives::{Time, Tree};
use super::read::lines::for_each_text_line;
use super::read::{Oddities, csv};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{ArgsRef, Basis, FunctionSpec, Metric, TrackId, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "tracy-csv",
    title: "Tracy CSV export",
    written_by: "tracy-csvexport",
    extensions: &["csv", "txt"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn columns(line: &str, delimiter: char) -> Option<Vec<String>> {
    let fields: Vec<String> = csv::fields(line, delimiter).iter().map(|f| f.trim().to_owned()).collect();
    let has = |name: &str| fields.iter().any(|f| f == name);
    (has("name") && has("src_file") && has("src_line") && (has("total_ns") || has("ns_since_start")))
        .then_some(fields)
}

/// The delimiter can be chosen (`-s`).
fn heading(line: &str) -> Option<(Vec<String>, char)> {
    [',', ';', '\t', '|'].into_iter().find_map(|d| Some((columns(line, d)?, d)))
}

fn sniff(head: &Head<'_>) -> Confidence {
    let first = String::from_utf8_lossy(head.bytes.split(|b| *b == b'\n').next().unwrap_or_default());
    if heading(first.trim_end()).is_some() { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut shape, mut odd, mut one_by_one) = (None, Oddities::default(), false);
    let mut tracks: FxHashMap<String, TrackId> = FxHashMap::default();
    for_each_text_line(source, cx, |cx, line| {
        let b = &mut cx.builder;
        let Some((columns, delimiter)) = &shape else {
            shape = heading(line.text.trim_end());
            return Ok(());
        };
        if line.text.trim().is_empty() {
            return Ok(());
        }
        let fields = csv::fields(line.text, *delimiter);
        let get = |name: &str| {
            columns.iter().position(|c| c == name).and_then(|at| fields.get(at)).map_or("", |f| f.trim())
        };
        let number = |name: &str| get(name).parse::<i64>().ok();
        let zone = get("zone_name");
        let name = if zone.is_empty() { get("name") } else { zone };
        let name = if name.is_empty() { "(unnamed)" } else { name };
        let line_number = number("src_line").and_then(|l| u32::try_from(l).ok()).unwrap_or(0);
        let function = b.function(FunctionSpec {
            name,
            file: get("src_file"),
            line: line_number,
            ..FunctionSpec::default()
        });
        let times = (number("ns_since_start"), number("exec_time_ns"), number("total_ns"));
        match times {
            (Some(start), Some(length @ 0..), _) => {
                let thread = get("thread");
                let track = *tracks.entry(thread.to_owned()).or_insert_with(|| {
                    let shown =
                        if thread.is_empty() { "Zones".to_owned() } else { format!("Thread {thread}") };
                    b.track(TrackSpec { name: &shown, process: "", kind: TrackKind::Thread, sort: 0 })
                });
                one_by_one = true;
                b.span(track, start, start.saturating_add(length), function, ArgsRef::NONE);
            }
            (None, _, Some(total @ 0..)) => {
                let metrics =
                    [Metric::time(), Metric::new("calls", "Calls", Unit::Count)].map(|m| b.metric(m));
                let track = *tracks.entry(String::new()).or_insert_with(|| {
                    b.track(TrackSpec { name: "Zones", process: "", kind: TrackKind::Profile, sort: 0 })
                });
                let frame = b.frame(function, line_number);
                let stack = b.stack(None, frame);
                let calls = number("counts").unwrap_or(0).max(0);
                b.sample(track, Some(stack), &[(metrics[0], total), (metrics[1], calls)]);
            }
            _ => odd.add("row without usable times (left out)", || line.place()),
        }
        Ok(())
    })?;
    let b = &mut cx.builder;
    if b.is_empty() {
        return Err(ImportError::malformed(
            odd.first().unwrap_or_else(|| "holds headings and no zones".into()),
        ));
    }
    b.meta.tool = "Tracy".into();
    if one_by_one {
        b.meta.basis = Basis::Timed;
    } else {
        b.meta.basis = Basis::Aggregated;
        b.meta.setting(
            "Times",
            "with nested zones, unless exported by -e: their sum counts those more than once",
        );
    }
    odd.report(b);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    #[test]
    fn zones_are_read_added_up_and_one_by_one() {
        let sums = "name,src_file,src_line,total_ns,total_perc,counts,mean_ns,min_ns,max_ns,std_ns\nDraw,a.cpp,12,5000,50.0,5,1000,900,1100,50\n\"Load, again\",b.cpp,3,700,7,1,700,700,700,0\n";
        let p = open_bytes(sums.as_bytes()).unwrap();
        assert_eq!(p.meta.format, "tracy-csv");
        assert_eq!((totals(&p)["Draw"].0, totals(&p)["Load, again"].0), (5000, 700));
        let each = "name;src_file;src_line;zone_name;ns_since_start;exec_time_ns;thread\nFrame;a.cpp;1;;100;900;7\nDraw;a.cpp;2;;200;300;7\nDraw;a.cpp;2;;0;50;8\n";
        let p = open_bytes(each.as_bytes()).unwrap();
        assert_eq!((p.tracks.len(), totals(&p)["Frame"], totals(&p)["Draw"]), (2, (600, 900), (350, 350)));
        damage(sums.as_bytes(), drop);
        damage(each.as_bytes(), drop);
    }
}
