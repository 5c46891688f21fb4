//! Spans with what they called, wherever that ran, and what of their time is their own.

use rustc_hash::{FxHashMap, FxHashSet};

use super::build::{DEEPEST, Place};
use crate::analysis::runs::runs;
use crate::analysis::scope::TimeRange;
use crate::analysis::waiting;
use crate::jobs::{Cancelled, Job};
use crate::model::{NO_ROW, Profile, Span, SpanTable, TrackId};

/// Spans with what they called, wherever that ran.
pub(super) struct Forest<'a> {
    pub(super) profile: &'a Profile,
    range: TimeRange,
    /// Shortest own time that is a stage, ns.
    least: i64,
    /// First row after each subtree, per track.
    ends: FxHashMap<TrackId, Vec<u32>>,
    callees: FxHashMap<Place, Vec<Place>>,
    called: FxHashSet<Place>,
    /// For each function whether its maker says that it does nothing.
    waits: Vec<bool>,
    /// For each function whether it only frames what it called.
    frames: Vec<bool>,
    /// Per track when links have their effects, in order.
    effects: FxHashMap<TrackId, Vec<i64>>,
}

/// Own time of this part of a span before or after its only callee is work.
const OWN_PART: i64 = 20;

/// True for marks that PyTorch's profiler puts around all that happens in a round of its schedule.
fn only_frames(name: &str) -> bool {
    name.strip_prefix("ProfilerStep#").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
        || name.starts_with("PyTorch Profiler (")
}

impl<'a> Forest<'a> {
    pub(super) fn new(profile: &'a Profile, tracks: &[TrackId], range: TimeRange, least: i64) -> Self {
        let mut callees: FxHashMap<Place, Vec<Place>> = FxHashMap::default();
        let mut called = FxHashSet::default();
        for run in runs(profile, tracks) {
            if let Some(caller) = run.caller {
                callees.entry(caller).or_default().push((run.track, run.rows.start));
                called.insert((run.track, run.rows.start));
            }
        }
        let ends = tracks.iter().map(|&id| (id, profile.track(id).spans.subtree_ends())).collect();
        let waits = profile.functions.ids().map(|f| waiting::said(profile, f).is_some()).collect();
        let frames = profile.functions.ids().map(|f| only_frames(profile.function_name(f))).collect();
        let mut effects: FxHashMap<TrackId, Vec<i64>> = FxHashMap::default();
        profile.links.iter().for_each(|l| effects.entry(l.to.0).or_default().push(l.to.1));
        effects.values_mut().for_each(|times| times.sort_unstable());
        Self { profile, range, least, ends, callees, called, waits, frames, effects }
    }

    pub(super) fn spans(&self, track: TrackId) -> &SpanTable {
        &self.profile.track(track).spans
    }

    pub(super) fn span(&self, (track, row): Place) -> &Span {
        &self.spans(track).rows[row as usize]
    }

    pub(super) fn end_of(&self, (track, row): Place) -> u32 {
        self.ends.get(&track).and_then(|e| e.get(row as usize)).copied().unwrap_or(row + 1)
    }

    pub(super) fn touches(&self, (start, end): (i64, i64)) -> bool {
        self.range.is_none_or(|(from, to)| start < to && (end > from || start >= from))
    }

    pub(super) fn is_seen(&self, place: Place) -> bool {
        let span = self.span(place);
        self.touches((span.start, span.end))
    }

    pub(super) fn has_children(&self, place: Place) -> bool {
        let nested = || !self.children(place).is_empty() || !self.blocked(place).is_empty();
        self.callees.contains_key(&place) || self.end_of(place) > place.1 + 1 && nested()
    }

    /// Rows that lie directly in a span.
    pub(super) fn nested(&self, place: Place) -> impl Iterator<Item = Place> + '_ {
        let end = self.end_of(place);
        let first = Some(place.1 + 1).filter(|&row| row < end);
        let rows = std::iter::successors(first, move |&row| {
            Some(self.end_of((place.0, row))).filter(|&next| next < end)
        });
        rows.map(move |row| (place.0, row))
    }

    /// True for a span that is said to do nothing.
    pub(super) fn does_nothing(&self, place: Place) -> bool {
        self.waits[self.span(place).function.index()]
    }

    /// All that a span called, seen or not. What is said to do nothing is its own time, in which it waited.
    pub(super) fn children(&self, place: Place) -> Vec<Place> {
        self.unframed(self.direct(place))
    }

    fn direct(&self, place: Place) -> Vec<Place> {
        let beside = self.callees.get(&place).into_iter().flatten().copied();
        self.nested(place).filter(|&c| !self.does_nothing(c)).chain(beside).collect()
    }

    /// True for a span that only frames what it called: a mark of a profiler, or a caller of one thing that takes all of its
    /// time.
    fn only_frames(&self, place: Place) -> bool {
        let span = self.span(place);
        let least = self.least.min(span.end.saturating_sub(span.start) / OWN_PART);
        let is_all = |callee: &Span| {
            callee.start.saturating_sub(span.start).abs() <= least
                && span.end.saturating_sub(callee.end).abs() <= least
        };
        self.frames[span.function.index()]
            || self.only_callee(place).is_some_and(|callee| is_all(self.span(callee)))
    }

    /// What a span called, if that is one thing.
    fn only_callee(&self, place: Place) -> Option<Place> {
        let beside = self.callees.get(&place).into_iter().flatten().copied();
        let mut all = self.nested(place).filter(|&c| !self.does_nothing(c)).chain(beside);
        let only = all.next()?;
        all.next().is_none().then_some(only)
    }

    /// What was called in place of what only frames it.
    fn unframed(&self, places: Vec<Place>) -> Vec<Place> {
        if !places.iter().any(|&place| self.only_frames(place)) {
            return places;
        }
        let (mut found, mut open) = (Vec::new(), places);
        open.reverse();
        while let Some(place) = open.pop() {
            let within = if self.only_frames(place) { self.direct(place) } else { Vec::new() };
            if within.is_empty() {
                found.push(place);
            } else {
                open.extend(within.into_iter().rev());
            }
        }
        found
    }

    /// When a span waited for something that a link tells of: that is no time of its own.
    pub(super) fn blocked(&self, place: Place) -> Vec<(i64, i64)> {
        let Some(effects) = self.effects.get(&place.0) else { return Vec::new() };
        let waits = self.nested(place).filter(|&c| self.does_nothing(c)).map(|c| self.span(c));
        let is_linked =
            |s: &&Span| effects.get(effects.partition_point(|t| *t <= s.start)).is_some_and(|t| *t <= s.end);
        waits.filter(is_linked).map(|s| (s.start, s.end)).collect()
    }

    pub(super) fn roots(&self, track: TrackId) -> Vec<Place> {
        let rows = (0u32..).zip(&self.spans(track).rows);
        let outermost = rows.filter(|(_, s)| s.parent == NO_ROW).map(|(row, _)| (track, row));
        let roots = self.unframed(outermost.filter(|place| !self.called.contains(place)).collect());
        roots.into_iter().filter(|&place| self.is_seen(place)).collect()
    }

    /// The level to show of what was called from a track, and the deepest one.
    pub(super) fn level(
        &self,
        track: TrackId,
        wanted: Option<u32>,
        budget: usize,
        job: &Job,
    ) -> Result<(u32, u32), Cancelled> {
        // Stages that a level adds, and those that all deeper levels keep.
        let (mut at, mut leaves) = ([0usize; DEEPEST as usize + 1], [0usize; DEEPEST as usize + 1]);
        let mut open: Vec<(Place, u32)> = self.roots(track).into_iter().map(|place| (place, 0)).collect();
        let mut seen = 0u64;
        while let Some((place, depth)) = open.pop() {
            seen += 1;
            if seen.is_multiple_of(65_536) {
                job.checkpoint(seen, self.profile.span_count() as u64)?;
            }
            at[depth as usize] += 1;
            if !self.has_children(place) {
                leaves[depth as usize] += 1;
            } else if depth < DEEPEST {
                let children = self.children(place).into_iter().filter(|&c| self.is_seen(c));
                open.extend(children.map(|c| (c, depth + 1)));
                // Stretches of its own around each wait.
                let blocked = self.blocked(place).into_iter().filter(|&wait| self.touches(wait)).count();
                at[depth as usize + 1] += blocked;
                leaves[depth as usize + 1] += blocked;
            }
        }
        let deepest = at.iter().rposition(|&n| n > 0).unwrap_or(0) as u32;
        if let Some(level) = wanted {
            return Ok((level.min(deepest), deepest));
        }
        let mut level = 0;
        let mut kept = 0;
        let mut fewer = 0;
        for depth in 0..=deepest {
            let stages = kept + at[depth as usize];
            // A single stage that holds everything says nothing.
            if stages <= budget || fewer < 2 {
                level = depth;
                fewer = stages;
            }
            kept += leaves[depth as usize];
        }
        Ok((level, deepest))
    }

    /// Polled time of a span, with all it called on its track.
    pub(super) fn busy(&self, (track, row): Place) -> Option<i64> {
        let metric = self.profile.metric_by_key("busy")?;
        let column = self.spans(track).costs.iter().find(|(m, _)| *m == metric)?;
        column.1.get(row as usize).copied()
    }

    /// Polled time of a span without what it called on its track.
    pub(super) fn own_busy(&self, place: Place, children: &[Place]) -> Option<i64> {
        let below: i64 = children.iter().filter(|c| c.0 == place.0).filter_map(|&c| self.busy(c)).sum();
        self.busy(place).map(|all| (all - below).max(0))
    }
}
