//! The critical path of a run, and what would shorten it.

use rustc_hash::FxHashMap;
use serde_json::json;

use super::super::names::Names;
use super::super::sheet::{Part, Row};
use super::super::{Asked, Refusal, Sheet, words};
use super::wanted;
use crate::analysis::scope::Scope;
use crate::analysis::stages::{Gains, StageGraph, Stages, has_stages};
use crate::analysis::steps::Loops;
use crate::format;
use crate::model::{FunctionId, Profile};

/// Stages whose gain is computed.
const MOST_GAINS: usize = 24;
/// What-ifs below this share of the total are not worth a line.
const LEAST_GAIN: f64 = 0.01;

/// The critical path, and what would shorten it.
pub(super) fn path(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    if !has_stages(p) {
        let threads = p.track_ids().filter(|&t| !p.track(t).kind.is_view()).count();
        return Err(match threads {
            0 | 1 => "this file has one thread and no links: its critical path is that thread; tree shows it".into(),
            n => format!(
                "this file has {n} threads, but no links that say who waited for whom, so that it has no critical path; \
                 tree and gaps show each thread"
            )
            .into(),
        });
    }
    let range = asked.range()?;
    let tracks = match asked.values.text("track") {
        Some(_) => wanted(asked)?.0.iter().map(|&t| p.keys().track_key(t)).collect(),
        None => Vec::new(),
    };
    let stages = Stages { scope: Scope { tracks, ..Scope::default() }, range, level: None };
    let graph = asked.get(&stages)?;
    let gains = asked.get(&Gains { graph: stages, most: MOST_GAINS })?;
    let names = Names::of(asked)?;
    let total = graph.total();
    let mut sheet = Sheet::new(
        format!(
            "critical path: {} from the first start to the last end, {} stages on {} tracks; what-ifs are estimates; {}",
            words::time(total),
            graph.stages.len(),
            graph.tracks.len(),
            words::basis(p, &p.meta.basis)
        ),
        asked.budget(),
    );
    sheet.value("total_ns", total);
    let (between, unknown) = graph.path_gaps;
    // Rounds of a loop are one line.
    let loops = asked.get(&Loops(range))?;
    let mut stages: Vec<(String, usize, i64)> = Vec::new();
    for s in &graph.path_names {
        let of = loops.iter().find(|l| l.rounds.iter().any(|r| r.function == s.function));
        let name = of.map_or_else(|| names.full(s.function), |l| format::short(&l.label(), 60).into_owned());
        match stages.iter_mut().find(|known| known.0 == name) {
            Some(known) => (known.1, known.2) = (known.1 + s.stages, known.2.saturating_add(s.length)),
            None => stages.push((name, s.stages, s.length)),
        }
    }
    stages.sort_by_key(|s| std::cmp::Reverse(s.2));
    let row = |(name, count, length): &(String, usize, i64)| {
        let times = if *count > 1 { format!("{count} × ") } else { String::new() };
        let text = format!("{} {} {times}{name}", words::time(*length), words::share(*length, total));
        Row::new(text, json!({ "name": name, "stages": count, "on_path_ns": length }))
    };
    let mut rows: Vec<Row> = stages.iter().map(row).collect();
    for (length, what) in [(between, "between stages"), (unknown, "nothing known to wait for")] {
        if length > 0 {
            let text = format!("{} {} ({what})", words::time(length), words::share(length, total));
            rows.push(Row::new(text, json!({ "name": what, "on_path_ns": length })));
        }
    }
    let gaps = [between, unknown].into_iter().filter(|gap| *gap > 0);
    let lengths: Vec<i64> = stages.iter().map(|s| s.2).chain(gaps).collect();
    let budget = asked.more_budget();
    sheet.part(Part::new("path", "on the path: time, %, stage", rows).least(6).rest(move |shown| {
        let left: i64 = lengths.iter().skip(shown).sum();
        match lengths.len() - shown {
            0 => String::new(),
            n => format!("… {n} more with {}; {budget}", words::share(left, total)),
        }
    }));
    sheet.part(
        Part::new("what_if", "the total would be about:", what_ifs(&graph, &gains, p, &names))
            .rest(|_| String::new()),
    );
    Ok(sheet)
}

fn what_ifs(
    graph: &StageGraph,
    gains: &[crate::analysis::stages::Gain],
    p: &Profile,
    names: &Names<'_>,
) -> Vec<Row> {
    let total = graph.total();
    let stage = |stage: u32| &graph.stages[stage as usize];
    let worth: Vec<_> = gains.iter().filter(|g| g.dropped as f64 >= total as f64 * LEAST_GAIN).collect();
    // Of several stages with one name each says which it is.
    let mut named: FxHashMap<FunctionId, Vec<u32>> = FxHashMap::default();
    for at in worth.iter().flat_map(|g| [Some(g.stage), g.beside.map(|b| b.0)]).flatten() {
        let stages = named.entry(stage(at).function).or_default();
        if !stages.contains(&at) {
            stages.push(at);
        }
    }
    let name = |at: u32| {
        let s = stage(at);
        let several = named.get(&s.function).is_some_and(|stages| stages.len() > 1);
        let when = if several { format!(" at {}", words::time(s.start)) } else { String::new() };
        names.full(s.function) + &when
    };
    worth
        .into_iter()
        .map(|g| {
            let change = format::percent_change(-(g.dropped as f64) / total.max(1) as f64);
            let mut text =
                format!("≈{} ({change}) without {}", words::time(total - g.dropped), name(g.stage));
            if let Some((other, saved)) = g.beside.filter(|b| b.1 as f64 >= total as f64 * LEAST_GAIN) {
                text += &format!("; ≈{} with it beside {}", words::time(total - saved), name(other));
            }
            let json = json!({
                "without": p.function_name(stage(g.stage).function), "start_ns": stage(g.stage).start,
                "track": format!("t{}", stage(g.stage).id.track.0), "estimated_total_ns": total - g.dropped,
            });
            Row::new(text, json)
        })
        .collect()
}
