//! Costs that were given without those of callees, made inclusive: each span's callees are added, on its lane and on
//! others, so that the sum over the outermost spans that nothing called is the sum of all.
//!
//! The unit is an outermost span of a lane with all below it. Calls between such subtrees hold no circle
//! ([`super::callers`]), so each is summed up once all that it called on other lanes is: linear in the spans.

use super::Profile;
use super::ids::{MetricId, TrackId};
use super::tracks::{Caller, NO_ROW};

/// An outermost span and the rows below it.
struct Subtree {
    track: usize,
    rows: std::ops::Range<usize>,
    /// The subtree that called it, and the row of the caller.
    caller: Option<(usize, usize)>,
    /// How many called subtrees are not summed up yet.
    open: usize,
}

/// Makes the costs of all metrics that are marked so inclusive.
pub(super) fn make(profile: &mut Profile) {
    let metrics: Vec<MetricId> = profile.metric_ids().filter(|&m| profile.metric(m).own).collect();
    if metrics.is_empty() {
        return;
    }
    let order = in_order(profile);
    for metric in metrics {
        profile.metrics[metric.index()].own = false;
        if profile.tracks.iter().any(|t| t.spans.costs.iter().any(|(m, _)| *m == metric)) {
            for subtree in &order {
                sum_up(profile, subtree, metric);
            }
        }
    }
}

/// All subtrees, what is called before what calls it.
fn in_order(profile: &Profile) -> Vec<Subtree> {
    let mut all: Vec<Subtree> = Vec::new();
    // Of each track: the rows of its outermost spans, and the place of the first in `all`.
    let mut tops: Vec<(Vec<u32>, usize)> = Vec::new();
    for (track, t) in profile.tracks.iter().enumerate() {
        let rows = (0u32..).zip(&t.spans.rows);
        let starts: Vec<u32> = rows.filter(|(_, s)| s.parent == NO_ROW).map(|(row, _)| row).collect();
        let first = all.len();
        for (i, &start) in starts.iter().enumerate() {
            let end = starts.get(i + 1).map_or(t.spans.rows.len(), |&next| next as usize);
            all.push(Subtree { track, rows: start as usize..end, caller: None, open: 0 });
        }
        tops.push((starts, first));
    }
    let place = |track: usize, row: u32| {
        let (starts, first) = tops.get(track)?;
        Some(first + starts.partition_point(|&s| s <= row).checked_sub(1)?)
    };
    for (track, t) in profile.tracks.iter().enumerate() {
        for &Caller { row, track: TrackId(by), parent } in &t.spans.callers {
            if let (Some(callee), Some(caller)) = (place(track, row), place(by as usize, parent)) {
                all[callee].caller = Some((caller, parent as usize));
                all[caller].open += 1;
            }
        }
    }
    let mut ready: Vec<usize> = (0..all.len()).filter(|&i| all[i].open == 0).collect();
    let mut order = Vec::with_capacity(all.len());
    while let Some(i) = ready.pop() {
        order.push(i);
        if let Some((caller, _)) = all[i].caller {
            all[caller].open -= 1;
            if all[caller].open == 0 {
                ready.push(caller);
            }
        }
    }
    // From places to what stands there; the caller's track is all that is needed of it.
    let tracks: Vec<usize> = all.iter().map(|s| s.track).collect();
    let mut all: Vec<Option<Subtree>> = all.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|i| {
            let mut subtree = all[i].take()?;
            subtree.caller = subtree.caller.map(|(caller, row)| (tracks[caller], row));
            Some(subtree)
        })
        .collect()
}

/// The column of a metric on a track, made when it is not there.
fn column(profile: &mut Profile, track: usize, metric: MetricId) -> &mut Vec<i64> {
    let spans = &mut profile.tracks[track].spans;
    let at = match spans.costs.iter().position(|(m, _)| *m == metric) {
        Some(at) => at,
        None => {
            spans.costs.push((metric, vec![0; spans.rows.len()]));
            spans.costs.len() - 1
        }
    };
    &mut spans.costs[at].1
}

fn sum_up(profile: &mut Profile, subtree: &Subtree, metric: MetricId) {
    let spans = &mut profile.tracks[subtree.track].spans;
    let Some((_, costs)) = spans.costs.iter_mut().find(|(m, _)| *m == metric) else { return };
    // Preorder: backwards, everything below a row comes before it.
    for row in subtree.rows.clone().rev() {
        let parent = spans.rows[row].parent;
        if parent != NO_ROW && row != subtree.rows.start {
            costs[parent as usize] = costs[parent as usize].saturating_add(costs[row]);
        }
    }
    let sum = costs[subtree.rows.start];
    if let Some((track, row)) = subtree.caller.filter(|_| sum != 0) {
        let above = &mut column(profile, track, metric)[row];
        *above = above.saturating_add(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ArgsRef, FunctionSpec, Metric, ProfileBuilder, TrackKind, TrackSpec, Unit};

    #[test]
    fn own_costs_reach_callers_on_their_lane_on_others_and_on_other_tracks() {
        let mut b = ProfileBuilder::new("x");
        b.metric(Metric::time());
        let bytes = b.metric(Metric { own: true, ..Metric::new("bytes", "Bytes", Unit::Bytes) });
        let spec = |name| TrackSpec { name, process: "", kind: TrackKind::Task, sort: 0 };
        let (main, task) = (b.track(spec("main")), b.track(spec("task")));
        let f = b.function(FunctionSpec::named("f"));
        // main 0..100 { gather 10..60 { branch 1, branch 2 at the same time } }, and a task that gather spawned.
        let mut add = |track, start, end, own: u64, parent: Option<u64>, cost| {
            let handle = b.span(track, start, end, f, ArgsRef::NONE);
            b.nest_span(track, handle, own, parent);
            b.span_cost(track, handle, bytes, cost);
        };
        add(main, 0, 100, 1, None, 1);
        add(main, 10, 60, 2, Some(1), 10);
        add(main, 10, 50, 3, Some(2), 100);
        add(main, 11, 55, 4, Some(2), 1000);
        add(task, 20, 300, 5, Some(4), 10_000);
        add(task, 30, 40, 6, Some(5), 100_000);
        let p = b.finish();
        assert!(!p.metric(bytes).own);
        let value = |start: i64| {
            let found =
                p.tracks.iter().flat_map(|t| t.spans.rows.iter().enumerate().map(move |(i, s)| (t, i, s)));
            let (t, row, _) = found.clone().find(|(_, _, s)| s.start == start && s.depth == 0).unwrap();
            t.spans.costs.iter().find(|(m, _)| *m == bytes).unwrap().1[row]
        };
        assert_eq!(value(0), 111_111, "all of it");
        assert_eq!(value(11), 111_000);
        assert_eq!(value(20), 110_000);
        let sum: i64 = p
            .tracks
            .iter()
            .flat_map(|t| &t.spans.costs)
            .filter(|(m, _)| *m == bytes)
            .flat_map(|(_, c)| c)
            .sum();
        // Each cost counts once for each span on the way to the top.
        assert_eq!(sum, 1 + 10 * 2 + 100 * 3 + 1000 * 3 + 10_000 * 4 + 100_000 * 5);
    }

    #[test]
    fn a_long_chain_of_tasks_is_summed_up_without_recursion() {
        let mut b = ProfileBuilder::new("x");
        b.metric(Metric::time());
        let bytes = b.metric(Metric { own: true, ..Metric::new("bytes", "Bytes", Unit::Bytes) });
        let f = b.function(FunctionSpec::named("f"));
        let spec = TrackSpec { name: "t", process: "", kind: TrackKind::Task, sort: 0 };
        let tracks = [b.track(spec), b.track(spec)];
        for n in 0..100_000u64 {
            let track = tracks[(n % 2) as usize];
            let handle = b.span(track, n as i64 * 10, n as i64 * 10 + 5, f, ArgsRef::NONE);
            b.nest_span(track, handle, n, n.checked_sub(1));
            b.span_cost(track, handle, bytes, 1);
        }
        let p = b.finish();
        assert_eq!(p.tracks[0].spans.costs[0].1[0], 100_000);
    }
}
