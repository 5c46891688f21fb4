//! What a coroutine did in its tasks, where a recording tells: on the loop, ready and not run, awaiting what, woken by whom.
//!
//! Times are those of outermost calls, so a coroutine that awaits itself counts once. Busy and ready are metrics of the
//! recording (`busy`, `ready`); the rest is awaited.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::event_loop::detail;
use super::waiting::{Doing, Waiting, said};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, MetricId, SpanStatus, StringId, SymbolKey, TrackId, TrackKind};
use crate::query::{Context, Query};

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskTimes {
    /// Tasks that it ran in.
    pub tasks: usize,
    /// How tasks ended whose outermost coroutine it is, most first.
    pub states: Vec<(StringId, usize)>,
    /// From start to end, ns.
    pub wall: i64,
    /// On the loop, ns.
    pub busy: i64,
    /// Ready to go on and not run, ns.
    pub ready: i64,
    /// Calls that ended with an error.
    pub failed: usize,
    /// What it awaited, all together, ns; longest first.
    pub awaited: Vec<(FunctionId, i64)>,
    /// Who ended these waits, by name of the task, most often first.
    pub woken_by: Vec<(StringId, usize)>,
}

/// Asks about one function; `None` when it is no coroutine of a recording that knows tasks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskTimesOf(pub SymbolKey);

impl Query for TaskTimesOf {
    type Output = Option<TaskTimes>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let profile = cx.profile();
        let Some(busy) = profile.metric_by_key("busy") else { return Ok(None) };
        let Some(function) = profile.keys().function(self.0) else { return Ok(None) };
        let ready = profile.metric_by_key("ready");
        let waits = cx.get(&Waiting)?;
        let mut found = TaskTimes::default();
        let mut awaited: FxHashMap<FunctionId, i64> = FxHashMap::default();
        let mut woken: FxHashMap<StringId, usize> = FxHashMap::default();
        let mut states: FxHashMap<StringId, usize> = FxHashMap::default();
        for track in profile.track_ids().filter(|&t| profile.track(t).kind == TrackKind::Task) {
            cx.job().checkpoint(0, 0)?;
            let spans = &profile.track(track).spans;
            let cost = |metric: Option<MetricId>, row: usize| {
                let of = spans.costs.iter().find(|c| Some(c.0) == metric);
                of.and_then(|c| c.1.get(row)).copied().unwrap_or(0)
            };
            let mut tasks: Vec<(TrackId, u32)> = Vec::new();
            let mut row = 0;
            while row < spans.rows.len() {
                let span = &spans.rows[row];
                if span.function != function {
                    row += 1;
                    continue;
                }
                let end = spans.subtree_end(row);
                found.wall = found.wall.saturating_add(span.duration());
                found.busy = found.busy.saturating_add(cost(Some(busy), row));
                found.ready = found.ready.saturating_add(cost(ready, row));
                found.failed += usize::from(span.status == SpanStatus::Error);
                let root = spans.ancestors(row as u32).last().unwrap_or(row as u32);
                tasks.push((track, root));
                if root as usize == row
                    && let Some(state) = detail(profile, span, "state")
                {
                    *states.entry(state).or_default() += 1;
                }
                // Waits, without those within waits.
                let mut inner = row + 1;
                while inner < end {
                    let wait = &spans.rows[inner];
                    if !waits[wait.function.index()] || said(profile, wait.function) == Some(Doing::Ready) {
                        inner += 1;
                        continue;
                    }
                    let after = spans.subtree_end(inner);
                    let late: i64 = (inner + 1..after)
                        .filter(|&r| said(profile, spans.rows[r].function) == Some(Doing::Ready))
                        .map(|r| spans.rows[r].duration())
                        .sum();
                    *awaited.entry(wait.function).or_default() += wait.duration() - late;
                    if let Some(by) = (inner..after).find_map(|r| detail(profile, &spans.rows[r], "woken by"))
                    {
                        *woken.entry(by).or_default() += 1;
                    }
                    inner = after;
                }
                row = end;
            }
            tasks.dedup();
            found.tasks += tasks.len();
        }
        if found.tasks == 0 {
            return Ok(None);
        }
        found.awaited = awaited.into_iter().collect();
        found.awaited.sort_by_key(|a| (Reverse(a.1), a.0));
        found.woken_by = woken.into_iter().collect();
        found.woken_by.sort_by_key(|w| (Reverse(w.1), w.0));
        found.states = states.into_iter().collect();
        found.states.sort_by_key(|s| (Reverse(s.1), s.0));
        Ok(Some(found))
    }

    fn weight(found: &Self::Output) -> usize {
        found.as_ref().map_or(0, |f| f.awaited.len() * 16 + f.woken_by.len() * 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built, function};
    use crate::model::{ArgsRef, FunctionSpec, Metric, ProfileBuilder, TrackSpec, Unit, Value};

    #[test]
    fn a_coroutine_is_busy_ready_or_awaits_and_knows_who_woke_it() {
        let s = built(|b: &mut ProfileBuilder| {
            b.metric(Metric::time());
            let busy = b.metric(Metric::new("busy", "Busy", Unit::Nanoseconds));
            let ready = b.metric(Metric::new("ready", "Ready", Unit::Nanoseconds));
            let track =
                b.track(TrackSpec { name: "work (Task-1)", process: "", kind: TrackKind::Task, sort: 0 });
            let work = b.function(FunctionSpec::named("work"));
            let get =
                b.function(FunctionSpec { name: "Queue.get", category: "idle", ..FunctionSpec::default() });
            let late =
                b.function(FunctionSpec { name: "ready", category: "ready", ..FunctionSpec::default() });
            let pairs = [("state", "returned")].map(|(k, v)| (b.string(k), Value::Text(b.string(v))));
            let args = b.args(pairs);
            let root = b.open_span(track, 0, work, args);
            let pairs = [("woken by", "put (Task-2)")].map(|(k, v)| (b.string(k), Value::Text(b.string(v))));
            let args = b.args(pairs);
            let wait = b.open_span(track, 10, get, args);
            let held = b.open_span(track, 40, late, ArgsRef::NONE);
            b.close_span(track, held, 50, SpanStatus::Ok);
            b.close_span(track, wait, 50, SpanStatus::Ok);
            b.close_span(track, root, 60, SpanStatus::Ok);
            b.span_cost(track, root, busy, 20);
            b.span_cost(track, root, ready, 10);
        });
        let p = &s.profile;
        let of = |name| ask(&s, &TaskTimesOf(p.keys().symbol(function(p, name))));
        let found = of("work").as_ref().clone().unwrap();
        assert_eq!((found.tasks, found.wall, found.busy, found.ready), (1, 60, 20, 10));
        assert_eq!(found.awaited, [(function(p, "Queue.get"), 30)]);
        let text =
            |pairs: &[(StringId, usize)]| pairs.iter().map(|x| p.text(x.0).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (text(&found.woken_by), text(&found.states)),
            (vec!["put (Task-2)".into()], vec!["returned".into()])
        );
    }
}
