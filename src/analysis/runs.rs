//! Span rows in an order in which every caller comes before what it called, over lanes and tracks.
//!
//! A track whose spans were all called on their own lane is one run. Otherwise each outermost span with a
//! caller elsewhere begins a run of its own, which stands after the run of its caller.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{NO_ROW, Profile, TrackId};

/// Consecutive rows of a track. Their parents are in the run, or there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The track.
    pub track: TrackId,
    /// The rows.
    pub rows: Range<u32>,
    /// What called the first row, which then is the only outermost one.
    pub caller: Option<(TrackId, u32)>,
}

/// The runs of `tracks`. A caller on any other track is none.
#[must_use]
pub fn runs(profile: &Profile, tracks: &[TrackId]) -> Vec<Run> {
    let mut runs = Vec::new();
    let shown: FxHashSet<TrackId> = tracks.iter().copied().collect();
    for &track in tracks {
        split(profile, track, &shown, &mut runs);
    }
    in_order(runs)
}

/// Rows that runs of `runs` were called from.
#[must_use]
pub fn callers(runs: &[Run]) -> FxHashSet<(TrackId, u32)> {
    runs.iter().filter_map(|r| r.caller).collect()
}

fn split(profile: &Profile, track: TrackId, shown: &FxHashSet<TrackId>, runs: &mut Vec<Run>) {
    let spans = &profile.track(track).spans;
    let end = spans.rows.len() as u32;
    let mut from = 0;
    let push = |runs: &mut Vec<Run>, rows: Range<u32>, caller| {
        if !rows.is_empty() {
            runs.push(Run { track, rows, caller });
        }
    };
    for caller in spans.callers.iter().filter(|c| shown.contains(&c.track)) {
        push(runs, from..caller.row, None);
        let rest = caller.row as usize + 1;
        let next = spans.rows[rest..].iter().position(|s| s.parent == NO_ROW);
        from = next.map_or(end, |n| (rest + n) as u32);
        push(runs, caller.row..from, Some((caller.track, caller.parent)));
    }
    push(runs, from..end, None);
}

/// Sorts runs so that callers come first. Callers never form a circle.
fn in_order(runs: Vec<Run>) -> Vec<Run> {
    if runs.iter().all(|r| r.caller.is_none()) {
        return runs;
    }
    let mut first_of: FxHashMap<TrackId, usize> = FxHashMap::default();
    for (i, run) in runs.iter().enumerate() {
        first_of.entry(run.track).or_insert(i);
    }
    let of = |(track, row): (TrackId, u32)| {
        // Runs of a track stand together, in the order of their rows.
        let first = *first_of.get(&track)?;
        let same = runs[first..].partition_point(|r| r.track == track && r.rows.start <= row);
        (first + same).checked_sub(1)
    };
    let before: Vec<Option<usize>> = runs.iter().map(|r| r.caller.and_then(of)).collect();
    let mut placed = vec![false; runs.len()];
    let mut order = Vec::with_capacity(runs.len());
    let mut way = Vec::new();
    for first in 0..runs.len() {
        let mut at = Some(first);
        while let Some(i) = at.filter(|&i| !placed[i] && way.len() <= runs.len()) {
            way.push(i);
            at = before[i];
        }
        while let Some(i) = way.pop() {
            placed[i] = true;
            order.push(i);
        }
    }
    let mut runs: Vec<Option<Run>> = runs.into_iter().map(Some).collect();
    order.into_iter().filter_map(|i| runs[i].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};

    #[test]
    fn callers_come_first_whatever_the_order_of_tracks() {
        let mut b = ProfileBuilder::new("test");
        let f = b.function(FunctionSpec::named("f"));
        let tracks = [0, 1, 2]
            .map(|sort| b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Task, sort: -sort }));
        // Called: 2 by 1, 1 by 0; displayed the other way round.
        for (i, track) in tracks.into_iter().enumerate() {
            let i = i as u64;
            let first = b.span(track, 0, 10, f, ArgsRef::NONE);
            b.nest_span(track, first, i, i.checked_sub(1));
            b.span(track, 20, 30, f, ArgsRef::NONE);
        }
        let p = b.finish();
        let all: Vec<_> = p.track_ids().collect();
        let found = runs(&p, &all);
        let short: Vec<_> =
            found.iter().map(|r| (r.track.0, r.rows.clone(), r.caller.map(|c| c.0.0))).collect();
        assert_eq!(
            short,
            [(2, 0..2, None), (1, 0..1, Some(2)), (0, 0..1, Some(1)), (0, 1..2, None), (1, 1..2, None),]
        );
        assert_eq!(runs(&p, &all[..1]).iter().filter(|r| r.caller.is_some()).count(), 0);
    }
}
