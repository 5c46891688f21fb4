//! Numbers by places in functions (costs of lines, calls from lines), stored end to end: a large program has millions.
//!
//! Rows stay where they were put, and a list of runs says in which order to read them: a profiler writes what it knows
//! of a function in one go and mostly in the order of lines, so a large table is put in order by sorting its runs, without
//! a second copy of it. Where rows of one function are out of order, or a place comes twice, they are sorted and added up
//! within the room that they have; what they leave free belongs to no run.

use std::ops::Range;

use super::ids::NodeId;

/// What a row is of: a place in a function.
pub trait Place: Copy + Ord {
    /// The function. It decides first in the order of places.
    fn node(&self) -> NodeId;
}

/// Rows that are read one after another, all of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: u32,
    len: u32,
}

impl Run {
    fn rows(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// A row of a [`PlaceTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceRow<'a, P> {
    /// Where.
    pub place: P,
    /// Number of calls; `None` when the tool did not count them.
    pub calls: Option<u64>,
    /// Costs, one for each metric.
    pub costs: &'a [i64],
}

/// Calls and costs per place, ascending and each place once as soon as the profile is frozen.
#[derive(Clone, Debug)]
pub struct PlaceTable<P> {
    places: Vec<P>,
    /// [`Self::stride`] for each row.
    numbers: Vec<i64>,
    stride: usize,
    /// True when the first number of a row is that of its calls.
    has_calls: bool,
    /// False when those numbers mean nothing.
    counted: bool,
    /// The rows in order; empty before they were put in order.
    runs: Vec<Run>,
}

impl<P> Default for PlaceTable<P> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            numbers: Vec::new(),
            stride: 0,
            has_calls: false,
            counted: false,
            runs: Vec::new(),
        }
    }
}

impl<P: Place> PartialEq for PlaceTable<P> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Adds numbers, which saturate.
pub(crate) fn add(to: &mut [i64], numbers: &[i64]) {
    for (to, &number) in to.iter_mut().zip(numbers) {
        *to = to.saturating_add(number);
    }
}

impl<P: Place> PlaceTable<P> {
    /// A table whose rows start with a number of calls.
    pub(crate) fn with_calls() -> Self {
        Self { has_calls: true, counted: true, ..Self::default() }
    }

    /// True when there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs().map(|r| r.len as usize).sum()
    }

    /// Number of costs per row, in the order of [`super::CallGraph::costs`].
    #[must_use]
    pub fn metrics(&self) -> usize {
        self.stride.saturating_sub(usize::from(self.has_calls))
    }

    /// True when rows have numbers of calls.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.counted
    }

    fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        let whole = Run { start: 0, len: self.places.len() as u32 };
        self.runs.iter().copied().chain(self.runs.is_empty().then_some(whole))
    }

    fn row(&self, i: usize) -> PlaceRow<'_, P> {
        let numbers = self.numbers(i);
        let (calls, costs) = numbers.split_at(usize::from(self.has_calls).min(numbers.len()));
        let calls = calls.first().filter(|_| self.counted).map(|c| c.unsigned_abs());
        PlaceRow { place: self.places[i], calls, costs }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = PlaceRow<'_, P>> + '_ {
        self.runs().flat_map(|run| run.rows()).map(|i| self.row(i))
    }

    /// The rows of a function in order, once the profile is frozen.
    pub fn of(&self, node: NodeId) -> impl Iterator<Item = PlaceRow<'_, P>> + '_ {
        let first = |run: &Run| self.places[run.start as usize].node();
        let start = self.runs.partition_point(|r| first(r) < node);
        let of = &self.runs[start..][..self.runs[start..].partition_point(|r| first(r) == node)];
        of.iter().flat_map(|run| run.rows()).map(|i| self.row(i))
    }

    /// Adds a row. All rows have as many costs as the first one, and counts if that has one.
    pub fn push(&mut self, place: P, calls: Option<u64>, costs: &[i64]) {
        if self.places.is_empty() {
            (self.has_calls, self.counted) = (calls.is_some(), calls.is_some());
            self.stride = costs.len() + usize::from(self.has_calls);
        }
        let calls = self.has_calls.then(|| i64::try_from(calls.unwrap_or(0)).unwrap_or(i64::MAX));
        self.push_place(place);
        let numbers = calls.into_iter().chain(costs.iter().copied()).chain(std::iter::repeat(0));
        self.numbers.extend(numbers.take(self.stride));
    }

    fn push_place(&mut self, place: P) {
        if !self.runs.is_empty() {
            self.close_gaps();
        }
        self.places.push(place);
    }

    /// Adds a row as it is stored: the number of calls first, if the table has them.
    pub(crate) fn push_numbers(&mut self, place: P, numbers: &[i64]) {
        self.push_place(place);
        self.numbers.extend_from_slice(&numbers[..self.stride]);
    }

    /// Makes room for more numbers a row; never fewer than before.
    pub(crate) fn set_stride(&mut self, stride: usize) {
        if self.stride > 0 && stride != self.stride {
            let mut wider = vec![0; self.places.len() * stride];
            for (wide, old) in wider.chunks_exact_mut(stride).zip(self.numbers.chunks_exact(self.stride)) {
                wide[..self.stride].copy_from_slice(old);
            }
            self.numbers = wider;
        }
        self.stride = stride;
    }

    /// The places as they were put, while they are not in order.
    pub(crate) fn places(&self) -> &[P] {
        &self.places
    }

    /// The same to be changed, for a builder whose functions have other numbers.
    pub(crate) fn places_mut(&mut self) -> &mut [P] {
        &mut self.places
    }

    /// The numbers of a row as they are stored.
    pub(crate) fn numbers(&self, row: usize) -> &[i64] {
        &self.numbers[row * self.stride..][..self.stride]
    }

    /// Adds to the numbers of a row.
    pub(crate) fn add(&mut self, row: usize, numbers: &[i64]) {
        add(&mut self.numbers[row * self.stride..][..self.stride], numbers);
    }

    /// Says whether the numbers of calls mean anything.
    pub(crate) fn set_counted(&mut self, counted: bool) {
        self.counted = counted;
    }

    /// Leaves out rows while they are not in order.
    pub(crate) fn retain(&mut self, keep: impl Fn(&P) -> bool) {
        if self.places.iter().all(&keep) {
            return;
        }
        let kept = (0..self.places.len()).filter(|&i| keep(&self.places[i]));
        self.runs = kept.map(|i| Run { start: i as u32, len: 1 }).collect();
        self.close_gaps();
    }

    /// Puts the rows in order and makes those of one place one row.
    pub(crate) fn put_in_order(&mut self) {
        if !self.runs.is_empty() {
            return;
        }
        let mut runs = Vec::new();
        let mut start = 0;
        for of_one in self.places.chunk_by(|a, b| a.node() == b.node()) {
            runs.push(Run { start, len: of_one.len() as u32 });
            start += of_one.len() as u32;
        }
        let mut sorter = Sorter { rows: Vec::new(), places: Vec::new(), numbers: Vec::new() };
        for run in &mut runs {
            if !self.places[run.rows()].is_sorted_by(|a, b| a < b) {
                sorter.sort(self, std::slice::from_mut(run));
            }
        }
        let first = |run: &Run| self.places[run.start as usize];
        if !runs.is_sorted_by_key(first) {
            let mut keyed: Vec<(P, Run)> = runs.iter().map(|run| (first(run), *run)).collect();
            keyed.sort_unstable_by_key(|k| (k.0, k.1.start));
            runs.iter_mut().zip(keyed).for_each(|(run, k)| *run = k.1);
        }
        let mut rest = &mut runs[..];
        while let Some(run) = rest.first() {
            let node = self.places[run.start as usize].node();
            let of_one = rest.iter().take_while(|r| self.places[r.start as usize].node() == node).count();
            let (of_one, after) = rest.split_at_mut(of_one);
            let last = |run: &Run| self.places[run.start as usize + run.len as usize - 1];
            if of_one.windows(2).any(|pair| last(&pair[0]) >= self.places[pair[1].start as usize]) {
                sorter.sort(self, of_one);
            }
            rest = after;
        }
        runs.retain(|run| run.len > 0);
        self.runs = runs;
    }

    /// Forgets the order and what belongs to no run.
    pub(crate) fn close_gaps(&mut self) {
        let mut runs = std::mem::take(&mut self.runs);
        runs.sort_unstable_by_key(|run| run.start);
        let mut end = 0;
        for run in &runs {
            let rows = run.rows();
            let len = rows.len();
            self.numbers.copy_within(rows.start * self.stride..rows.end * self.stride, end * self.stride);
            self.places.copy_within(rows, end);
            end += len;
        }
        self.places.truncate(end);
        self.numbers.truncate(end * self.stride);
    }
}

/// Sorts the rows of a function in their places.
struct Sorter<P> {
    /// What to sort, with the number of the row.
    rows: Vec<(P, u32)>,
    places: Vec<P>,
    numbers: Vec<i64>,
}

impl<P: Place> Sorter<P> {
    /// Makes the runs ascending one after another, each place once. They become shorter where places were there twice.
    fn sort(&mut self, table: &mut PlaceTable<P>, runs: &mut [Run]) {
        let stride = table.stride;
        self.rows.clear();
        self.rows.extend(runs.iter().flat_map(|run| run.rows()).map(|i| (table.places[i], i as u32)));
        self.rows.sort_unstable();
        self.places.clear();
        self.numbers.clear();
        for &(place, row) in &self.rows {
            let numbers = &table.numbers[row as usize * stride..][..stride];
            if self.places.last() == Some(&place) {
                let last = self.numbers.len() - stride;
                add(&mut self.numbers[last..], numbers);
            } else {
                self.places.push(place);
                self.numbers.extend_from_slice(numbers);
            }
        }
        let mut done = 0;
        for run in runs {
            let len = (run.len as usize).min(self.places.len() - done);
            let start = run.start as usize;
            table.places[start..][..len].copy_from_slice(&self.places[done..][..len]);
            table.numbers[start * stride..][..len * stride]
                .copy_from_slice(&self.numbers[done * stride..][..len * stride]);
            run.len = len as u32;
            done += len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallSite, SourceLine, StringId};
    use std::collections::BTreeMap;

    fn line(node: u32, line: u32) -> SourceLine {
        SourceLine { node: NodeId(node), file: StringId(0), line }
    }

    fn rows<P: Place>(table: &PlaceTable<P>) -> Vec<(P, Option<u64>, Vec<i64>)> {
        table.iter().map(|r| (r.place, r.calls, r.costs.to_vec())).collect()
    }

    #[test]
    fn lines_come_in_order_and_once() {
        let mut lines = PlaceTable::default();
        for (place, costs) in
            [(line(1, 5), [1, 10]), (line(0, 9), [2, 20]), (line(1, 5), [3, 30]), (line(1, 2), [4, 40])]
        {
            lines.push(place, None, &costs);
        }
        lines.put_in_order();
        let want = [
            (line(0, 9), None, vec![2, 20]),
            (line(1, 2), None, vec![4, 40]),
            (line(1, 5), None, vec![4, 40]),
        ];
        assert_eq!((rows(&lines), lines.len(), lines.metrics()), (want.to_vec(), 3, 2));
        assert_eq!(lines.of(NodeId(1)).map(|r| r.place.line).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(lines.of(NodeId(7)).count(), 0);
        lines.push(line(0, 1), None, &[7, 7]);
        lines.put_in_order();
        assert_eq!((lines.len(), rows(&lines)[0].clone()), (4, (line(0, 1), None, vec![7, 7])));
    }

    #[test]
    fn calls_from_one_place_are_added_up() {
        let site = |caller, line, callee| CallSite {
            caller: NodeId(caller),
            file: StringId(0),
            line,
            callee: NodeId(callee),
        };
        let mut sites = PlaceTable::default();
        for (row, calls, cost) in
            [(site(1, 5, 2), 3, 30), (site(0, 9, 1), 1, 5), (site(1, 5, 2), 4, 40), (site(1, 5, 0), 1, 1)]
        {
            sites.push(row, Some(calls), &[cost]);
        }
        sites.put_in_order();
        let want = [
            (site(0, 9, 1), Some(1), vec![5]),
            (site(1, 5, 0), Some(1), vec![1]),
            (site(1, 5, 2), Some(7), vec![70]),
        ];
        assert_eq!(rows(&sites), want);
        let mut uncounted = PlaceTable::default();
        uncounted.push(site(0, 1, 1), None, &[1]);
        uncounted.push(site(0, 2, 1), Some(4), &[1]);
        assert!(!uncounted.is_counted(), "counts of some places only would be no counts");
        assert_eq!(rows(&uncounted)[1], (site(0, 2, 1), None, vec![1]));
    }

    #[test]
    fn any_order_gives_the_sums_of_a_map() {
        let mut seed = 7u32;
        let mut random = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % n
        };
        for round in 0..200 {
            let mut table = PlaceTable::default();
            let mut want: BTreeMap<SourceLine, [i64; 2]> = BTreeMap::new();
            // Records of functions, some in order and some not, some of functions that were there before.
            for _ in 0..random(30) {
                let (node, first, ordered) = (random(6), random(40), random(3) > 0);
                for step in 0..random(9) {
                    let place = line(node, if ordered { first + step } else { random(50) });
                    let cost = i64::from(random(100));
                    table.push(place, None, &[cost, 1]);
                    let sum = want.entry(place).or_default();
                    *sum = [sum[0] + cost, sum[1] + 1];
                }
                if random(8) == 0 {
                    table.put_in_order();
                }
            }
            table.put_in_order();
            let got: Vec<_> = table.iter().map(|r| (r.place, [r.costs[0], r.costs[1]])).collect();
            assert_eq!(got, want.iter().map(|(p, c)| (*p, *c)).collect::<Vec<_>>(), "round {round}");
            assert_eq!(table.len(), want.len());
            for node in 0..7 {
                let of: Vec<_> = table.of(NodeId(node)).map(|r| r.place).collect();
                assert!(of.iter().eq(want.keys().filter(|p| p.node == NodeId(node))), "round {round}");
            }
        }
    }
}
