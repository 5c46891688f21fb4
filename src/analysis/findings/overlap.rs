//! Waits one after the other that could overlap, in programs of tasks.

use super::Noted;
use crate::analysis::stages::{Gains, StageGraph, StageId, Stages, has_stages};
use crate::analysis::waiting::Waiting;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{NO_ROW, Profile, Severity, TrackKind};
use crate::query::Context;

/// Larger runs are asked in Stages only.
const MOST_SPANS: usize = 200_000;
/// Stages whose change is computed.
const STAGES: usize = 24;
/// Share of the run that is worth a word.
const WORTH: f64 = 0.1;
/// A stage that worked for at most this share of its time waited.
const WAITED: f64 = 0.3;

pub(super) fn find(cx: &Context<'_>) -> Result<Option<Noted>, Cancelled> {
    let profile = cx.profile();
    let tasks = profile.tracks.iter().any(|t| t.kind == TrackKind::Task);
    if !tasks || !has_stages(profile) || profile.span_count() > MOST_SPANS {
        return Ok(None);
    }
    let asked = Stages::default();
    let graph = cx.get(&asked)?;
    let gains = cx.get(&Gains { graph: asked, most: STAGES })?;
    let waits = cx.get(&Waiting)?;
    let least = graph.total() as f64 * WORTH;
    let pairs = gains.iter().filter_map(|gain| {
        let (before, saved) = gain.beside.filter(|(_, saved)| *saved as f64 >= least)?;
        let both = [gain.stage, before].iter().all(|&s| waited(&graph, s, &waits));
        (both && of_one_piece(profile, &graph, gain.stage, before)).then_some((saved, before, gain.stage))
    });
    Ok(pairs.max().map(|found| noted(profile, &graph, found)))
}

/// A stage waits nearly all of its time: what computes gains nothing beside other work of one thread.
fn waited(graph: &StageGraph, stage: u32, waits: &[bool]) -> bool {
    let stage = &graph.stages[stage as usize];
    let idle = stage.busy.is_some_and(|busy| busy as f64 <= stage.duration() as f64 * WAITED);
    idle || waits[stage.function.index()]
}

/// The same caller made both: what several tasks wait for is of several requests, which come when they come.
fn of_one_piece(profile: &Profile, graph: &StageGraph, stage: u32, before: u32) -> bool {
    let [a, b] = [stage, before].map(|s| graph.stages[s as usize].id);
    let parent =
        |id: StageId| profile.track(id.track).spans.rows.get(id.row as usize).map(|span| span.parent);
    // A stretch of a caller's own time is of that caller.
    let of = |id: StageId| if id.part > 0 { Some(id.row) } else { parent(id) };
    a.track == b.track && of(a).is_some_and(|row| row != NO_ROW && Some(row) == of(b))
}

fn noted(profile: &Profile, graph: &StageGraph, (saved, before, stage): (i64, u32, u32)) -> Noted {
    let [first, second] = [before, stage].map(|s| graph.stages[s as usize]);
    let text = format!(
        "{} ({}) began when {} ({}) had ended, and both only wait: together they would end the run {} earlier, {} of it.",
        profile.function_name(second.function),
        format::duration(second.duration()),
        profile.function_name(first.function),
        format::duration(first.duration()),
        format::duration(saved),
        format::percent(saved as f64 / graph.total().max(1) as f64)
    );
    let advice =
        "asyncio.gather or join!, where the second needs nothing of the first; Stages has the other pairs";
    let mut noted = Noted::new("Waits could overlap", Severity::Info, text, advice);
    noted.gain.time = Some(saved);
    (noted.track, noted.time) = (Some(second.id.track), Some(second.start));
    noted
}

#[cfg(test)]
mod tests {
    use crate::analysis::findings::Findings;
    use crate::analysis::testing::{ask, built};
    use crate::model::{ArgsRef, FunctionSpec, Metric, TrackSpec, Unit};

    use super::*;

    #[test]
    fn two_waits_in_a_row_could_overlap_and_two_computations_could_not() {
        let of_callers = |busy: Option<i64>, callers: &[&str]| {
            let run = built(|b| {
                let kind = TrackKind::Task;
                let task = b.track(TrackSpec { name: "request", process: "", kind, sort: 0 });
                let [fetch, store] = ["fetch", "store"].map(|name| b.function(FunctionSpec::named(name)));
                for (n, caller) in callers.iter().enumerate() {
                    let length = 1000 / callers.len() as i64;
                    let caller = b.function(FunctionSpec::named(caller));
                    b.span(task, n as i64 * length, (n as i64 + 1) * length, caller, ArgsRef::NONE);
                }
                for (start, end, f) in [(0, 500, fetch), (500, 1000, store)] {
                    let span = b.span(task, start, end, f, ArgsRef::NONE);
                    if let Some(busy) = busy {
                        let metric = b.metric(Metric::new("busy", "Busy", Unit::Nanoseconds));
                        b.span_cost(task, span, metric, busy);
                    }
                }
            });
            let all = ask(&run, &Findings::default());
            all.iter().find(|n| n.kind == "Waits could overlap").cloned()
        };
        let found = |busy| of_callers(busy, &["handle"]);
        let noted = found(Some(10)).expect("both wait");
        assert_eq!(noted.gain.time, Some(500));
        assert!(noted.text.contains("store") && noted.text.contains("50.0 % of it"), "{}", noted.text);
        assert_eq!(found(Some(400)), None, "they compute");
        assert_eq!(found(None), None, "nobody says that they wait");
        assert_eq!(of_callers(Some(10), &["first user", "second user"]), None, "two requests of two users");
    }
}
