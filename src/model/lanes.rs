//! Sorting spans into preorder and splitting those that overlap into lanes.
//!
//! Input: spans of one track in any order. Output: lanes in which spans only nest, each in preorder.
//! A span goes into the first lane where it fits inside the innermost open span, or where nothing is
//! open. Spans of one chain (an async operation) nest only in spans of that chain, however well they would
//! fit elsewhere. The usual case (everything nests) is sorted in place, without a second copy of a table that
//! may hold millions of rows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashSet;

use super::tracks::{Lane, NO_ROW, Span, SpanTable};

/// How many lanes are searched for a nesting place before only a lane with nothing open is taken.
/// Bounds the work for hostile input in which everything overlaps.
const SEARCHED_LANES: usize = 64;

/// An open span of a lane.
#[derive(Clone, Copy)]
struct Outer {
    end: i64,
    /// Row in the sorted order.
    row: u32,
    /// Place in the order of arrival.
    arrival: u32,
    chain: u32,
}

type Open = Vec<Outer>;

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

/// Which spans may lie in which: any, unless a span names a parent that is in the profile.
struct Parents<'a> {
    names: &'a Names,
    known: &'a FxHashSet<u64>,
}

impl Parents<'_> {
    /// The parent that a span must have, if any.
    fn of(&self, inner: u32) -> Option<u64> {
        let name = self.names.get(inner).filter(|n| n.strict)?;
        name.parent.filter(|parent| self.known.contains(parent))
    }

    fn is(&self, outer: u32, number: u64) -> bool {
        self.names.get(outer).is_some_and(|n| n.own == number)
    }
}

/// A frozen table, and the order of arrival of its rows where names were known.
pub(super) struct Frozen {
    pub(super) table: SpanTable,
    pub(super) arrivals: Vec<u32>,
}

/// Freezes `rows` (whose `parent` holds the order of arrival and whose `depth` holds the chain) and the
/// costs that go with them. `known` holds the numbers of all named spans of the profile.
pub(super) fn freeze(
    mut rows: Vec<Span>,
    mut costs: Vec<(super::MetricId, Vec<i64>)>,
    names: &Names,
    known: &FxHashSet<u64>,
) -> Frozen {
    let key = |s: &Span| (s.start, Reverse(s.end), s.parent);
    if !rows.is_sorted_by_key(key) {
        rows.sort_unstable_by_key(key);
    }
    permute_costs(&rows, &mut costs);
    let named = names.iter().next().is_some();
    let mut arrivals: Vec<u32> = if named { rows.iter().map(|s| s.parent).collect() } else { Vec::new() };
    let lane_of = assign(&mut rows, &Parents { names, known });
    let lanes = match lane_of {
        None => vec![0],
        Some(lane_of) => {
            let (sorted, order) = gather(&rows, &lane_of);
            rows = sorted;
            for (_, column) in &mut costs {
                *column = order.iter().map(|&i| column[i as usize]).collect();
            }
            if named {
                arrivals = order.iter().map(|&i| arrivals[i as usize]).collect();
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
    Frozen { table: SpanTable { rows, lanes, costs, callers: Vec::new() }, arrivals }
}

fn permute_costs(rows: &[Span], costs: &mut [(super::MetricId, Vec<i64>)]) {
    for (_, column) in costs {
        *column = rows.iter().map(|s| column.get(s.parent as usize).copied().unwrap_or(0)).collect();
    }
}

/// Sets parent (as row in the sorted order) and depth of each span, and returns the lane of each row,
/// or `None` when one lane holds all.
#[expect(clippy::needless_range_loop, reason = "rows are read and written")]
fn assign(rows: &mut [Span], parents: &Parents<'_>) -> Option<Vec<u32>> {
    let mut lanes: Vec<Open> = vec![Vec::new()];
    let mut lane_of: Option<Vec<u32>> = None;
    // Lanes past the searched ones, by the end of their outermost span.
    let mut idle: BinaryHeap<Reverse<(i64, u32)>> = BinaryHeap::new();
    for row in 0..rows.len() {
        let span = rows[row];
        let arrival = span.parent;
        let chain = span.depth;
        let innermost = |open: &mut Open| {
            while open.last().is_some_and(|o| o.end <= span.start) {
                open.pop();
            }
            open.last().copied()
        };
        let named = parents.of(arrival);
        let encloses = |o: Outer| {
            span.end <= o.end && chain == o.chain && named.is_none_or(|p| parents.is(o.arrival, p))
        };
        // A lane with nothing open would do for a span of a chain or one with a known parent too, but inside of
        // these is better.
        let mut searched = lanes.iter_mut().take(SEARCHED_LANES);
        let nested = if chain == 0 && named.is_none() {
            None
        } else {
            searched.position(|l| innermost(l).is_some_and(encloses))
        };
        let fitting = nested.or_else(|| {
            lanes.iter_mut().take(SEARCHED_LANES).position(|l| innermost(l).is_none_or(encloses))
        });
        let lane = fitting.unwrap_or_else(|| {
            if lanes.len() < SEARCHED_LANES {
                lanes.push(Vec::new());
                return lanes.len() - 1;
            }
            let lane = match idle.peek() {
                Some(&Reverse((end, lane))) if end <= span.start => {
                    idle.pop();
                    lanes[lane as usize].clear();
                    lane as usize
                }
                _ => {
                    lanes.push(Vec::new());
                    lanes.len() - 1
                }
            };
            idle.push(Reverse((span.end, lane as u32)));
            lane
        });
        let open = &mut lanes[lane];
        rows[row].parent = open.last().map_or(NO_ROW, |o| o.row);
        rows[row].depth = (open.len() as u32).min((1 << 24) - 1);
        open.push(Outer { end: span.end, row: row as u32, arrival, chain });
        if lane > 0 || lane_of.is_some() {
            let lane_of = lane_of.get_or_insert_with(|| vec![0; row]);
            lane_of.push(lane as u32);
        }
    }
    lane_of
}

/// Rows reordered lane by lane, with parents renumbered, and the old row of each new one.
fn gather(rows: &[Span], lane_of: &[u32]) -> (Vec<Span>, Vec<u32>) {
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
    (sorted, order)
}

fn lane_starts(rows: &[Span], order: &[u32], lane_of: &[u32]) -> Vec<u32> {
    (0..rows.len())
        .filter(|&i| i == 0 || lane_of[order[i] as usize] != lane_of[order[i - 1] as usize])
        .map(|i| i as u32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{ArgsRef, FunctionId, SpanStatus};
    use super::*;

    fn table(spans: &[(i64, i64)]) -> SpanTable {
        let rows = spans
            .iter()
            .enumerate()
            .map(|(i, &(start, end))| Span {
                start,
                end,
                args: ArgsRef::NONE,
                function: FunctionId(i as u32),
                parent: i as u32,
                depth: 0,
                status: SpanStatus::Ok,
            })
            .collect();
        let costs = vec![(super::super::MetricId(0), (0..spans.len() as i64).collect())];
        freeze(rows, costs, &Names::default(), &FxHashSet::default()).table
    }

    #[test]
    fn nested_spans_stay_in_one_lane_in_preorder() {
        let t = table(&[(5, 6), (0, 10), (1, 4), (2, 3), (7, 10), (10, 10)]);
        assert_eq!(t.lanes.len(), 1);
        let shape: Vec<_> = t.rows.iter().map(|s| (s.function.0, s.depth, s.parent)).collect();
        assert_eq!(shape, [(1, 0, NO_ROW), (2, 1, 0), (3, 2, 1), (0, 1, 0), (4, 1, 0), (5, 0, NO_ROW)]);
        assert_eq!(t.subtree_end(0), 5);
        assert_eq!(t.subtree_end(1), 3);
        assert_eq!(t.costs[0].1, [1, 2, 3, 0, 4, 5]);
        assert_eq!(t.innermost_at(2), Some(2));
        assert_eq!(t.innermost_at(4), Some(0));
        assert_eq!(t.innermost_at(11), None);
    }

    #[test]
    fn overlap_goes_to_another_lane_and_nothing_is_lost() {
        let t = table(&[(0, 10), (5, 15), (6, 8), (12, 14), (16, 20)]);
        assert_eq!(t.rows.len(), 5);
        assert_eq!(t.lanes.len(), 2);
        for lane in &t.lanes {
            let rows = &t.rows[lane.rows.start as usize..lane.rows.end as usize];
            for s in rows {
                if s.parent != NO_ROW {
                    let p = &t.rows[s.parent as usize];
                    assert!(p.start <= s.start && s.end <= p.end);
                }
            }
        }
        let mut costs = t.costs[0].1.clone();
        costs.sort_unstable();
        assert_eq!(costs, [0, 1, 2, 3, 4]);
        assert!(t.rows.iter().zip(&t.costs[0].1).all(|(s, &c)| i64::from(s.function.0) == c));
    }

    #[test]
    fn a_named_parent_beats_a_better_fit() {
        // Two branches at the same time; the last span fits into both and belongs to the second.
        let span = |start, end, arrival| Span {
            start,
            end,
            args: ArgsRef::NONE,
            function: FunctionId(arrival),
            parent: arrival,
            depth: 0,
            status: SpanStatus::Ok,
        };
        let rows = vec![span(0, 100, 0), span(0, 90, 1), span(5, 95, 2), span(20, 30, 3)];
        let mut names = Names::default();
        for (handle, own, parent) in [(3, 10, 9), (2, 9, 7), (1, 8, 7), (0, 7, 99)] {
            names.push(Nesting { handle, own, parent: Some(parent), strict: true });
        }
        let t = freeze(rows, vec![], &names, &FxHashSet::from_iter([7, 8, 9, 10])).table;
        let last = t.rows.iter().find(|s| s.function.0 == 3).unwrap();
        assert_eq!(t.rows[last.parent as usize].function.0, 2);
        let first = t.rows.iter().find(|s| s.function.0 == 1).unwrap();
        assert_eq!(t.rows[first.parent as usize].function.0, 0);
        assert_eq!(t.rows[t.lanes[0].rows.start as usize].parent, NO_ROW, "an unknown parent is no parent");
    }

    #[test]
    fn spans_of_other_chains_are_no_parents() {
        let spans =
            [(0, 100, 1), (10, 50, 2), (20, 30, 2), (20, 40, 1), (60, 70, 2), (200, 300, 3), (210, 220, 2)];
        let rows = spans.iter().zip(0..).map(|(&(start, end, chain), i)| Span {
            start,
            end,
            args: ArgsRef::NONE,
            function: FunctionId(chain),
            parent: i,
            depth: chain,
            status: SpanStatus::Ok,
        });
        let t = freeze(rows.collect(), Vec::new(), &Names::default(), &FxHashSet::default()).table;
        let parents = t.rows.iter().filter(|s| s.parent != NO_ROW).map(|s| (s, &t.rows[s.parent as usize]));
        let nested: Vec<_> =
            parents.map(|(s, p)| (s.start, s.end, p.start, s.function == p.function)).collect();
        assert_eq!(nested, [(20, 40, 0, true), (20, 30, 10, true)]);
    }

    #[test]
    fn a_hundred_thousand_overlapping_spans_end_in_time() {
        let spans: Vec<_> = (0..100_000).map(|i| (i, i + 100_000)).collect();
        let t = table(&spans);
        assert_eq!(t.rows.len(), 100_000);
    }
}
