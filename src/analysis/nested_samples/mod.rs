//! Samples of a track that has spans, too.
//!
//! Both measure the same time, so they are never added: a sample is a closer look at the span that was open. It stands
//! below that span, and its time is no longer the span's own. What no span covers stands for itself. A sample that
//! lasts while spans open and close is parted by them. DevTools shows the samples of V8 so.

mod below;
mod parts;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub(super) use below::Below;
pub use parts::{Part, parts, sampled_in};

use rustc_hash::FxHashMap;

use super::lane_walk::{LaneWalk, Step};
use super::scope::Scope;
use crate::model::{NO_ROW, Profile, SampleTable, Span, SpanTable, Track, TrackId};

/// The part of a sample that falls on the own time of one span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The sample.
    pub sample: u32,
    /// Start, ns.
    pub start: i64,
    /// End, ns.
    pub end: i64,
    /// The innermost span at that time; [`NO_ROW`] outside of all.
    pub row: u32,
}

/// True when samples of the track stand below its spans.
#[must_use]
pub fn is_nested(track: &Track) -> bool {
    !track.spans.rows.is_empty() && track.samples.is_timed()
}

/// The samples with a stack in pieces, in order of time. Always the same order, so that what is known of each need not
/// be kept beside it.
#[must_use]
pub fn pieces(profile: &Profile, id: TrackId) -> Pieces<'_> {
    let track = profile.track(id);
    let owners: Box<dyn Iterator<Item = (i64, i64, u32)>> = match track.spans.lanes.len() {
        0 | 1 => Box::new(own_times(&track.spans, 0)),
        _ => Box::new(deepest(&track.spans, id).into_iter()),
    };
    Pieces { samples: &track.samples, next: 0, at: i64::MIN, owners, owner: None }
}

/// Own times of the spans of a lane: start, end, row.
fn own_times(spans: &SpanTable, lane: usize) -> impl Iterator<Item = (i64, i64, u32)> {
    LaneWalk::new(spans, lane).filter_map(|step| match step {
        Step::Own(row, start, end) if start < end => Some((start, end, row)),
        _ => None,
    })
}

/// The deepest span at each time, over all lanes; of equally deep ones the first lane's.
fn deepest(spans: &SpanTable, id: TrackId) -> Vec<(i64, i64, u32)> {
    let depths = depths(spans, id);
    let own: Vec<_> = (0..spans.lanes.len()).flat_map(|lane| own_times(spans, lane)).collect();
    let mut edges: Vec<(i64, bool, u32)> =
        own.iter().flat_map(|&(start, end, row)| [(start, true, row), (end, false, row)]).collect();
    // At one time ends come before starts.
    edges.sort_unstable();
    let rank = |row: u32| (u32::MAX - depths[row as usize], row);
    let mut open: BTreeSet<(u32, u32)> = BTreeSet::new();
    let mut found: Vec<(i64, i64, u32)> = Vec::new();
    let mut at = i64::MIN;
    for (time, starts, row) in edges {
        if let Some(&(_, innermost)) = open.first().filter(|_| at < time) {
            match found.last_mut() {
                Some(last) if last.1 == at && last.2 == innermost => last.1 = time,
                _ => found.push((at, time, innermost)),
            }
        }
        at = time;
        if starts {
            open.insert(rank(row));
        } else {
            open.remove(&rank(row));
        }
    }
    found
}

/// How deep spans are, with what called the outermost ones of their lanes on other lanes of the track.
fn depths(spans: &SpanTable, id: TrackId) -> Vec<u32> {
    let mut outermost: Vec<u32> = Vec::with_capacity(spans.rows.len());
    for (row, span) in (0..).zip(&spans.rows) {
        outermost.push(outermost.get(span.parent as usize).copied().unwrap_or(row));
    }
    let caller = |row: u32| spans.caller(row).filter(|c| c.0 == id).map(|c| c.1);
    let mut above: FxHashMap<u32, u32> = FxHashMap::default();
    for called in &spans.callers {
        let (mut path, mut at) = (Vec::new(), called.row);
        // Callers in a circle end when all have been seen.
        while let Some(by) =
            caller(at).filter(|_| !above.contains_key(&at) && path.len() <= spans.callers.len())
        {
            path.push((at, by));
            at = outermost[by as usize];
        }
        for (row, by) in path.into_iter().rev() {
            let depth = above.get(&outermost[by as usize]).copied().unwrap_or(0);
            above.insert(row, depth.saturating_add(spans.rows[by as usize].depth + 1));
        }
    }
    let of = |(span, outermost): (&Span, u32)| {
        span.depth.saturating_add(above.get(&outermost).copied().unwrap_or(0))
    };
    spans.rows.iter().zip(outermost).map(of).collect()
}

/// See [`pieces`].
pub struct Pieces<'a> {
    samples: &'a SampleTable,
    next: usize,
    /// Up to here the sample was parted.
    at: i64,
    owners: Box<dyn Iterator<Item = (i64, i64, u32)> + 'a>,
    owner: Option<(i64, i64, u32)>,
}

impl Pieces<'_> {
    /// The first own time that ends after `time`.
    fn owner_after(&mut self, time: i64) -> Option<(i64, i64, u32)> {
        while self.owner.is_none_or(|o| o.1 <= time) {
            self.owner = Some(self.owners.next()?);
        }
        self.owner
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            let (start, end) = self.samples.interval(self.next)?;
            let from = self.at.max(start);
            if self.samples.stacks[self.next].is_none() || (from >= end && start < end) {
                self.next += 1;
                continue;
            }
            let (to, row) = match self.owner_after(from) {
                Some((open, close, row)) if open <= from => (close, row),
                Some((open, ..)) => (open, NO_ROW),
                None => (i64::MAX, NO_ROW),
            };
            let piece = Piece { sample: self.next as u32, start: from, end: to.min(end), row };
            self.at = piece.end;
            if self.at >= end {
                self.next += 1;
            }
            return Some(piece);
        }
    }
}

/// The tracks of a scope whose samples stand below their spans.
pub fn nested_tracks<'a>(profile: &'a Profile, scope: &'a Scope) -> impl Iterator<Item = TrackId> + 'a {
    scope.work_tracks(profile).filter(|&id| is_nested(profile.track(id)))
}
