//! Costs of source lines and of calls while they are read, fast: a file of 50 MB has 5 million lines.
//!
//! Rows are appended as they come and put in order at the end, not found by hashing: a table of millions of
//! entries misses the cache with every row, while the rows of one function stand together and are
//! nearly in order already. Files that list a function again and again (one record per call or part)
//! do so in the same order; a row is looked for among the next few of the function's earlier record
//! first, and so costs no new row. What slips through is added up when the rows have doubled.

use crate::model::{Place, PlaceTable};

/// Rows that are looked at before a row is appended.
const WINDOW: usize = 4;
/// Fewest rows that are worth adding up before the end.
const FIRST_MERGE: usize = 1 << 22;
/// Most numbers that are kept; what comes after counts for its function only.
const MAX_NUMBERS: usize = 100_000_000;
const NONE: u32 = u32::MAX;

/// Rows of functions, which have the numbers of [`super::graph::Graph`] until the end.
pub(super) struct Rows<P> {
    pub(super) table: PlaceTable<P>,
    stride: usize,
    /// Where the current function's earlier record goes on.
    at: usize,
    /// The first row of each function.
    first: Vec<u32>,
    merge_at: usize,
    full: bool,
}

impl<P: Place> Rows<P> {
    pub(super) fn new(table: PlaceTable<P>) -> Self {
        Self { table, stride: 0, at: 0, first: Vec::new(), merge_at: FIRST_MERGE, full: false }
    }

    /// Makes room for `stride` numbers a row; never fewer than before.
    pub(super) fn set_stride(&mut self, stride: usize) {
        self.table.set_stride(stride);
        self.stride = stride;
    }

    /// True when there were more rows than are kept.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// All rows as they came, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&P, &[i64])> {
        self.table.places().iter().enumerate().map(|(i, place)| (place, self.table.numbers(i)))
    }

    /// A record of a function starts.
    pub(super) fn start(&mut self, node: u32) {
        self.at = self.first.get(node as usize).map_or(usize::MAX, |first| *first as usize);
    }

    /// Adds numbers of the current function. False when there is no room for them.
    pub(super) fn add(&mut self, place: P, numbers: &[i64]) -> bool {
        let places = self.table.places();
        let window = self.at..self.at.saturating_add(WINDOW).min(places.len());
        let row = window.into_iter().find(|&i| places[i] == place);
        if let Some(row) = row {
            self.at = row;
            self.table.add(row, numbers);
            return true;
        }
        if places.last() == Some(&place) {
            self.table.add(places.len() - 1, numbers);
            return true;
        }
        if places.len() >= self.merge_at {
            self.merge();
        }
        if self.full {
            return false;
        }
        let node = place.node().index();
        if self.first.len() <= node {
            self.first.resize(node + 1, NONE);
        }
        if self.first[node] == NONE {
            self.first[node] = self.table.places().len() as u32;
        }
        self.table.push_numbers(place, numbers);
        true
    }

    /// Makes the rows of one place one row.
    fn merge(&mut self) {
        self.table.put_in_order();
        self.table.close_gaps();
        let places = self.table.places();
        self.first.fill(NONE);
        for (i, place) in places.iter().enumerate().rev() {
            self.first[place.node().index()] = i as u32;
        }
        self.full = places.len() * self.stride > MAX_NUMBERS;
        self.merge_at = (places.len() * 2).max(FIRST_MERGE);
        self.at = usize::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NodeId, SourceLine, StringId};
    use std::collections::BTreeMap;

    fn line(node: u32, file: u32, line: u32) -> SourceLine {
        SourceLine { node: NodeId(node), file: StringId(file), line }
    }

    #[test]
    fn any_order_gives_the_sums_of_a_map() {
        let mut lines = Rows { merge_at: 50, ..Rows::new(PlaceTable::default()) };
        lines.set_stride(2);
        let mut want: BTreeMap<SourceLine, [i64; 2]> = BTreeMap::new();
        let mut seed = 7u32;
        let mut random = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % n
        };
        for _ in 0..300 {
            let node = random(9);
            lines.start(node);
            for _ in 0..random(12) {
                let (place, cost) = (line(node, random(2), random(6)), i64::from(random(100)));
                assert!(lines.add(place, &[cost, 1]));
                let sum = want.entry(place).or_default();
                *sum = [sum[0] + cost, sum[1] + 1];
            }
        }
        lines.table.put_in_order();
        let got: Vec<_> = lines.table.iter().map(|r| (r.place, [r.costs[0], r.costs[1]])).collect();
        assert_eq!(got, want.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_repeated_record_adds_no_rows() {
        let mut lines = Rows::new(PlaceTable::default());
        lines.set_stride(1);
        for _ in 0..10 {
            for node in [3, 1] {
                lines.start(node);
                for number in [5, 6, 6, 9, 5, 20] {
                    lines.add(line(node, 1, number), &[1]);
                }
            }
        }
        assert_eq!(lines.table.places().len(), 10);
        lines.table.put_in_order();
        assert_eq!(lines.table.len(), 8);
        let costs: Vec<i64> = lines.table.iter().map(|r| r.costs[0]).collect();
        assert_eq!(costs, [20, 20, 10, 10, 20, 20, 10, 10]);
    }
}
