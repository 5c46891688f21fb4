//! Samples as costs: what of each falls on which node.

use super::{Piece, is_nested, pieces};
use crate::analysis::call_tree::{CallTree, NO_NODE};
use crate::analysis::scope::TimeRange;
use crate::analysis::tree_costs::{cut, touches};
use crate::jobs::{Cancelled, Job};
use crate::model::{NO_ROW, Profile, TrackId};

/// A sample, or the part of one that falls on one span.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its track.
    pub track: TrackId,
    /// The sample.
    pub sample: u32,
    /// The node that it ended in; [`NO_NODE`] for a part that a transform removes from the span that it falls on.
    pub node: u32,
    /// The span that it falls on; [`NO_ROW`] for none.
    pub row: u32,
    /// True for the first part of a sample in the range.
    pub first: bool,
    /// The time that weights are shared out over: of the sample, and of the part in the range.
    interval: (i64, i64),
    within: (i64, i64),
}

impl Part {
    /// What falls on the part of a weight of the whole sample.
    #[must_use]
    pub fn of(&self, weight: i64) -> i64 {
        let (start, end) = self.interval;
        // From the start on, so that parts of one sample add up to it exactly.
        let until = |to: i64| cut(weight, start, end, Some((start, to)));
        if start == end { weight } else { until(self.within.1).saturating_sub(until(self.within.0)) }
    }

    /// The same of a weight that is time: no longer than the part is.
    #[must_use]
    pub fn time_of(&self, weight: i64) -> i64 {
        self.of(weight).min(self.length())
    }

    /// When, ns.
    #[must_use]
    pub fn within(&self) -> (i64, i64) {
        self.within
    }

    /// Length of the part, ns.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.within.1.saturating_sub(self.within.0)
    }
}

/// Time of a span that samples have which fall on it, ns.
#[must_use]
pub fn sampled_in(profile: &Profile, track: TrackId, row: u32) -> i64 {
    let of = profile.track(track);
    let weights = of.samples.weights.iter().find(|(m, _)| Some(*m) == profile.time_metric());
    let Some((_, weights)) = weights.filter(|_| is_nested(of)) else { return 0 };
    let pieces = pieces(profile, track).filter(|piece| piece.row == row);
    pieces.fold(0i64, |sum, Piece { sample, start, end, .. }| {
        let interval = of.samples.interval(sample as usize).unwrap_or_default();
        let part = Part { track, sample, node: NO_NODE, row, first: true, interval, within: (start, end) };
        sum.saturating_add(part.time_of(weights[sample as usize]))
    })
}

/// Every sample of a track as far as it falls on the range; samples that the tree has no node for are left out unless
/// they fall on a span.
///
/// # Errors
/// When cancelled.
pub fn parts(
    profile: &Profile,
    tree: &CallTree,
    track: TrackId,
    range: TimeRange,
    job: &Job,
    mut each: impl FnMut(Part),
) -> Result<(), Cancelled> {
    let samples = &profile.track(track).samples;
    let range = range.filter(|_| samples.is_timed());
    let within = |start: i64, end: i64| match range {
        Some((from, to)) => (start.clamp(from, to), end.clamp(from, to)),
        None => (start, end),
    };
    if let Some((_, nodes)) = tree.nested.iter().find(|n| n.0 == track) {
        let mut counted = None;
        for (i, (piece, &node)) in pieces(profile, track).zip(nodes).enumerate() {
            if i % 65_536 == 0 {
                job.checkpoint(i as u64, nodes.len() as u64)?;
            }
            if !touches(piece.start, piece.end, range) {
                continue;
            }
            let first = counted.replace(piece.sample) != Some(piece.sample);
            let interval = samples.interval(piece.sample as usize).unwrap_or_default();
            let within = within(piece.start, piece.end);
            each(Part { track, sample: piece.sample, node, row: piece.row, first, interval, within });
        }
        return Ok(());
    }
    for (i, stack) in samples.stacks.iter().enumerate() {
        if i % 65_536 == 0 {
            job.checkpoint(i as u64, samples.len() as u64)?;
        }
        let node = stack.and_then(|stack| tree.stacks.get(stack.index()).copied()).unwrap_or(NO_NODE);
        let interval = samples.interval(i).unwrap_or_default();
        if node != NO_NODE && touches(interval.0, interval.1, range) {
            let within = within(interval.0, interval.1);
            each(Part { track, sample: i as u32, node, row: NO_ROW, first: true, interval, within });
        }
    }
    Ok(())
}
