//! What an answer says beside its numbers: what they cannot tell, and what happens only once.

use super::{Asked, Door, Refusal, words};
use crate::analysis::durations::DurationsOf;
use crate::analysis::event_loop::{EventLoopOf, loops};
use crate::analysis::functions::FunctionRow;
use crate::analysis::named::is_address;
use crate::analysis::scope::TimeRange;
use crate::analysis::waiting::{Waiting, Works};
use crate::analysis::{Functions, Slice};
use crate::format;
use crate::model::{Profile, Unit};

/// Share of costs in functions without names from which on it is worth a line.
const NAMELESS: f64 = 0.2;
/// Share of the run that waits from which on it waits rather than computes.
const WAITING: f64 = 0.5;
/// Share of the run that a single call must have.
const LARGE: f64 = 0.1;
/// A step for which a ready task waited so long, ns, held its loop.
const HELD: i64 = 5_000_000;
/// Share of its function that it must have.
const ALONE: f64 = 0.9;
/// Functions whose single calls are looked at.
const LOOKED_AT: usize = 5;

/// Says so where much of the cost is in functions that are known by their addresses only.
pub(super) fn nameless(asked: &Asked<'_>, slice: &Slice) -> Result<Option<String>, Refusal> {
    let p = asked.profile();
    let table = asked.get(&Functions(slice.clone()))?;
    let own: i64 = table.rows.iter().filter(|r| is_address(p.function_name(r.function))).map(|r| r.own).sum();
    let share = table.whole.own_share(own).filter(|s| *s >= NAMELESS);
    Ok(share.map(|s| {
        format!(
            "{} is in functions without a name: names that begin with 0x are addresses, the program has no symbols",
            format::percent(s)
        )
    }))
}

/// Whether the run waits or computes, and what its tool cannot say about that.
pub(super) fn waiting(asked: &Asked<'_>, slice: &Slice) -> Result<Vec<String>, Refusal> {
    let p = asked.profile();
    let (waits, table) = (asked.get(&Waiting)?, asked.get(&Functions(slice.clone()))?);
    let waiting = |r: &&FunctionRow| r.module.is_none() && waits[r.function.index()] && r.own > 0;
    let (mut waited, mut whole) =
        (table.rows.iter().filter(waiting).map(|r| r.own).sum::<i64>(), table.whole.own);
    let mut most = table.rows.iter().filter(waiting).max_by_key(|r| r.own).map(|r| (r.function, r.own));
    // Threads that do nothing else say nothing about the others.
    let threads = asked.get(&Works(slice.clone()))?;
    if let Some(first) = threads.iter().find(|t| !t.is_idle()) {
        let busy = threads.iter().filter(|t| !t.is_idle());
        (waited, whole) = busy.fold((0, 0), |(w, all), t| (w + t.waits, all + t.waits + t.works));
        most = first.most;
    }
    let Some(share) = format::share(waited, whole).filter(|s| *s >= WAITING) else { return Ok(Vec::new()) };
    let most = most.map_or_else(String::new, |(function, cost)| {
        let row = table.rows.iter().find(|r| r.function == function);
        let calls = row.and_then(|r| r.calls);
        let calls =
            calls.map_or_else(String::new, |c| format!(", {}", words::counted(c.all, "call", "calls")));
        let name = format::bare(p.function_name(function)).into_owned();
        format!(", most in {name} ({}{calls})", words::cost(Unit::Nanoseconds, cost))
    });
    let mut said = vec![format!(
        "It waits rather than computes: {} of {} are waits{most}",
        format::percent(share),
        words::cost(Unit::Nanoseconds, whole),
    )];
    if p.call_graph.is_some() {
        said.push(format!(
            "{} cannot say what was awaited: record again with an async-aware profiler such as pyinstrument",
            Some(p.meta.tool.as_str()).filter(|t| !t.is_empty()).unwrap_or("this tool")
        ));
    }
    Ok(said)
}

/// Functions of which one call took nearly all of their time, and a good part of the run: start-up, most likely.
pub(super) fn only_once(asked: &Asked<'_>, slice: &Slice) -> Result<Vec<String>, Refusal> {
    let p = asked.profile();
    let Some((from, to)) = slice.range.or_else(|| p.time_bounds()) else { return Ok(Vec::new()) };
    let (waits, table) = (asked.get(&Waiting)?, asked.get(&Functions(slice.clone()))?);
    let mut said = Vec::new();
    // Of one large call, who itself has most of it is named, not all around it; waits say nothing of a start.
    let repeated = |r: &&FunctionRow| {
        r.module.is_none()
            && !waits[r.function.index()]
            && r.own.saturating_mul(2) >= r.total
            && r.calls.is_some_and(|c| c.all >= 3)
    };
    for row in table.rows.iter().filter(repeated).take(LOOKED_AT) {
        let query = DurationsOf {
            function: p.keys().symbol(row.function),
            tracks: slice.scope.tracks.clone(),
            range: slice.range,
        };
        let durations = asked.get(&query)?;
        let Ok(d) = &*durations else { continue };
        let (all, run) = (d.mean.saturating_mul(d.n as i64), to - from);
        let large = d.max as f64 >= run as f64 * LARGE && d.max as f64 >= all as f64 * ALONE;
        if large && d.n >= 3 {
            said.push(format!(
                "{} of the run ({}) is one of {} calls of {}: what happens once, such as a start, an initialisation or a first compilation",
                words::share(d.max, run),
                words::time(d.max),
                d.n,
                format::bare(p.function_name(row.function)),
            ));
        }
    }
    Ok(said)
}

/// What held event loops while tasks were ready, where that is worth a line.
pub(super) fn held_loops(asked: &Asked<'_>, range: TimeRange) -> Result<Vec<String>, Refusal> {
    let p = asked.profile();
    let mut said = Vec::new();
    for id in loops(p) {
        let found = asked.get(&EventLoopOf { track: p.keys().track_key(id), range })?;
        let Some(held) = found.held.iter().find(|h| h.longest >= HELD) else { continue };
        let by = held.by.map_or_else(String::new, |f| format::bare(p.function_name(f)).into_owned());
        said.push(format!(
            "{by} held t{} {}: ready tasks waited {} for it; {}",
            id.0,
            super::names::track(p, id),
            words::time(held.waited),
            match asked.door {
                Door::Cli => format!("gaps --track t{} tells more", id.0),
                Door::Tool => format!("gaps with track=t{} tells more", id.0),
            }
        ));
    }
    Ok(said)
}

/// Says of a file without costs what else can be asked of it.
pub(super) fn no_costs(p: &Profile) -> &'static str {
    if p.requests.rows.is_empty() && !p.meta.tables.is_empty() {
        return "this file has no costs of functions, but results: ask summary";
    }
    match (p.requests.rows.is_empty(), p.counters.is_empty()) {
        (false, _) => "this file has no costs of functions, but requests: ask requests",
        (true, false) => "this file has no costs of functions, but counters: ask summary",
        (true, true) => "this file has no costs",
    }
}

/// Why times are no clock; empty when they are.
pub(super) fn no_clock(p: &Profile) -> Option<String> {
    (!p.meta.no_clock.is_empty()).then(|| format!("no common clock: {}", p.meta.no_clock))
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_are_no_names() {
        for name in ["0x0000000000009ad0", "0x0000000000009ad0'2", "[0x401a30]"] {
            assert!(is_address(name), "{name}");
        }
        for name in ["0xdeadbeef_handler", "main", "0x1", "f0x1234"] {
            assert!(!is_address(name), "{name}");
        }
    }
}
