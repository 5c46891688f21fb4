//! Sorting spans into preorder and splitting those that overlap into lanes.
//!
//! Input: spans of one track in any order. Output: lanes in which spans only nest, each in preorder.
//!
//! A span goes into a lane whose innermost open span encloses it: of two such lanes into the one that began last, of more
//! into one whose function has called its own before (of those that have not done so in this call, the one that ends
//! first), otherwise into the first, or a lane called from there. Failing that, it goes into a lane with
//! nothing open. There it has no parent; but when an open span encloses it, though not the innermost one of its
//! lane, the innermost of those is its caller, kept beside the rows; one whose function has called its own before is
//! the better one. Spans of one chain (an async operation) nest only in
//! spans of that chain, however well they would fit elsewhere, and work of a queue (a GPU stream) encloses nothing.
//!
//! Stamps are only as good as their resolution: what sticks out by no more than that lies inside, and what overlaps by
//! no more comes one after the other. Such ends are cut, so that lanes hold strictly nested spans; the lengths stay in
//! a column of costs.
//!
//! The usual case (everything nests) is sorted in place, without a second copy of a table that may hold millions of
//! rows.

mod assign;
mod many;
#[cfg(test)]
mod tests;
mod unfinished;

use std::cmp::Reverse;

use rustc_hash::FxHashSet;

use super::tracks::{Lane, NO_ROW, Span, SpanTable};
use super::{MetricId, SpanStatus};
use assign::Assigned;

/// The chain of work in a queue, see [`super::ProfileBuilder::queue_span`].
pub(super) const QUEUED: u32 = u32::MAX;

/// What the maker of a span knows about its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nesting {
    /// Place in the order of arrival.
    pub handle: u32,
    /// The span's own number.
    pub own: u64,
    /// The number of the span that encloses it.
    pub parent: Option<u64>,
    /// True when it may lie in no other span; false when a span that encloses it in time is as good.
    pub strict: bool,
}

/// What is known about the spans of a track, by order of arrival; most may be missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<Nesting>);

impl Names {
    /// Keeps them in order, which costs nothing when spans are named as they come.
    pub(super) fn push(&mut self, name: Nesting) {
        if self.0.last().is_none_or(|last| last.handle < name.handle) {
            return self.0.push(name);
        }
        match self.0.binary_search_by_key(&name.handle, |n| n.handle) {
            Ok(at) => self.0[at] = name,
            Err(at) => self.0.insert(at, name),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Nesting> {
        self.0.iter()
    }

    /// Forgets all but those of the first `rows` spans.
    pub(super) fn truncate(&mut self, rows: usize) {
        // They are in order of arrival.
        self.0.truncate(self.0.partition_point(|n| (n.handle as usize) < rows));
    }

    /// Forgets all but those of the spans in `stayed`, which are numbered anew in that order.
    pub(super) fn keep(&mut self, stayed: &[u32]) {
        self.0.retain_mut(|name| {
            let new = stayed.binary_search(&name.handle);
            new.into_iter().for_each(|new| name.handle = new as u32);
            new.is_ok()
        });
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    pub(super) fn get(&self, handle: u32) -> Option<&Nesting> {
        match self.0.get(handle as usize) {
            Some(name) if name.handle == handle => Some(name),
            _ => self.0.binary_search_by_key(&handle, |n| n.handle).ok().and_then(|i| self.0.get(i)),
        }
    }
}

/// A frozen table, and the order of arrival of its rows where names were known.
pub(super) struct Frozen {
    pub(super) table: SpanTable,
    pub(super) arrivals: Vec<u32>,
    /// Rows of outermost spans and of what called them on other lanes.
    pub(super) callers: Vec<(u32, u32)>,
}

/// What else is known about the spans of a track.
pub(super) struct Known<'a> {
    pub(super) names: &'a Names,
    /// Numbers of all named spans of the profile.
    pub(super) numbers: &'a FxHashSet<u64>,
    /// How far ends may be off, ns.
    pub(super) resolution: i64,
    /// Until when spans last that never ended and lie in nothing.
    pub(super) last: i64,
    /// The metric that lengths are costs of.
    pub(super) time: Option<MetricId>,
}

/// Freezes `rows` (whose `parent` holds the order of arrival and whose `depth` holds the chain) and the
/// costs that go with them.
pub(super) fn freeze(mut rows: Vec<Span>, mut costs: Vec<(MetricId, Vec<i64>)>, known: &Known<'_>) -> Frozen {
    unfinished::end(&mut rows, known);
    // What is in no queue comes first: it may hold work of one that takes just as long.
    let key = |s: &Span| (s.start, Reverse(s.end), s.depth == QUEUED, s.parent);
    if !rows.is_sorted_by_key(key) {
        rows.sort_unstable_by_key(key);
    }
    permute_costs(&rows, &mut costs);
    let named = known.names.iter().next().is_some();
    let mut arrivals: Vec<u32> = if named { rows.iter().map(|s| s.parent).collect() } else { Vec::new() };
    let Assigned { lane_of, mut callers, cut } = assign::assign(&mut rows, known);
    if let Some(time) = known.time.filter(|t| !cut.is_empty() && costs.iter().all(|(m, _)| m != t)) {
        costs.push((time, assign::lengths(&rows, &cut)));
    }
    let lanes = match lane_of {
        None => vec![0],
        Some(lane_of) => {
            let (sorted, order, new_row) = gather(&rows, &lane_of);
            rows = sorted;
            for (_, column) in &mut costs {
                *column = order.iter().map(|&i| column[i as usize]).collect();
            }
            if named {
                arrivals = order.iter().map(|&i| arrivals[i as usize]).collect();
            }
            for (callee, caller) in &mut callers {
                (*callee, *caller) = (new_row[*callee as usize], new_row[*caller as usize]);
            }
            lane_starts(&rows, &order, &lane_of)
        }
    };
    let lanes = lanes
        .iter()
        .enumerate()
        .map(|(i, &start)| {
            let end = lanes.get(i + 1).copied().unwrap_or(rows.len() as u32);
            let depth = rows[start as usize..end as usize].iter().map(|s| s.depth + 1).max().unwrap_or(0);
            Lane { rows: start..end, depth }
        })
        .filter(|lane| !lane.rows.is_empty())
        .collect();
    Frozen { table: SpanTable { rows, lanes, costs, callers: Vec::new() }, arrivals, callers }
}

fn permute_costs(rows: &[Span], costs: &mut [(MetricId, Vec<i64>)]) {
    for (_, column) in costs {
        *column = rows.iter().map(|s| column.get(s.parent as usize).copied().unwrap_or(0)).collect();
    }
}

/// Rows reordered lane by lane, with parents renumbered, the old row of each new one, and the new of each old one.
fn gather(rows: &[Span], lane_of: &[u32]) -> (Vec<Span>, Vec<u32>, Vec<u32>) {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_by_key(|&row| lane_of[row as usize]);
    let mut new_row = vec![0u32; rows.len()];
    for (new, &old) in order.iter().enumerate() {
        new_row[old as usize] = new as u32;
    }
    let sorted = order
        .iter()
        .map(|&old| {
            let mut span = rows[old as usize];
            if span.parent != NO_ROW {
                span.parent = new_row[span.parent as usize];
            }
            span
        })
        .collect();
    (sorted, order, new_row)
}

fn lane_starts(rows: &[Span], order: &[u32], lane_of: &[u32]) -> Vec<u32> {
    (0..rows.len())
        .filter(|&i| i == 0 || lane_of[order[i] as usize] != lane_of[order[i - 1] as usize])
        .map(|i| i as u32)
        .collect()
}
