//! Costs of source lines and of calls while they are read, fast: a file of 50 MB has 5 million lines.
//!
//! Rows are appended as they come and merged by sorting, not by hashing: a table of millions of
//! entries misses the cache with every row, while the rows of one function stand together and are
//! nearly sorted already. Files that list a function again and again (one record per call or part)
//! do so in the same order; a row is looked for among the next few of the function's earlier record
//! first, and so costs no new row. What slips through is merged when the rows have doubled.

/// Rows that are looked at before a row is appended.
const WINDOW: usize = 4;
/// Fewest rows that are worth merging before the end.
const FIRST_MERGE: usize = 1 << 22;
/// Most costs that are kept; what comes after counts for its function only.
const MAX_COSTS: usize = 100_000_000;

/// What a row is of: a function, and a part of it (file and line, or what it calls).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) node: u32,
    pub(super) part: (u32, u32),
}

pub(super) struct Rows {
    stride: usize,
    pub(super) keys: Vec<Key>,
    /// `stride` for each row.
    pub(super) costs: Vec<i64>,
    /// Where the current function's earlier record goes on.
    at: usize,
    /// The first row of each function.
    first: Vec<u32>,
    merge_at: usize,
    full: bool,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            stride: 0,
            keys: Vec::new(),
            costs: Vec::new(),
            at: 0,
            first: Vec::new(),
            merge_at: FIRST_MERGE,
            full: false,
        }
    }
}

const NONE: u32 = u32::MAX;

pub(super) fn add(to: &mut [i64], costs: &[i64]) {
    for (to, &cost) in to.iter_mut().zip(costs) {
        *to = to.saturating_add(cost);
    }
}

/// The same rows with room for more costs each.
pub(super) fn widen(costs: &[i64], from: usize, to: usize) -> Vec<i64> {
    if from == 0 {
        return Vec::new();
    }
    let mut wider = vec![0; costs.len() / from * to];
    for (wide, old) in wider.chunks_exact_mut(to).zip(costs.chunks_exact(from)) {
        wide[..from].copy_from_slice(old);
    }
    wider
}

impl Rows {
    /// Makes room for `stride` costs a row; never fewer than before.
    pub(super) fn set_stride(&mut self, stride: usize) {
        self.costs = widen(&self.costs, self.stride, stride);
        self.stride = stride;
    }

    /// True when there were more rows than are kept.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// A record of a function starts.
    pub(super) fn start(&mut self, node: u32) {
        self.at = self.first.get(node as usize).map_or(usize::MAX, |first| *first as usize);
    }

    /// Adds costs of the current function. False when there is no room for them.
    pub(super) fn add(&mut self, key: Key, costs: &[i64]) -> bool {
        let stride = self.stride;
        let last = self.keys.len().saturating_sub(1);
        let window = self.at..self.at.saturating_add(WINDOW).min(self.keys.len());
        let row = window.into_iter().find(|&i| self.keys[i] == key);
        if let Some(row) = row {
            self.at = row;
            add(&mut self.costs[row * stride..][..stride], costs);
            return true;
        }
        if self.keys.last() == Some(&key) {
            add(&mut self.costs[last * stride..][..stride], costs);
            return true;
        }
        if self.keys.len() >= self.merge_at {
            self.merge();
            self.full = self.costs.len() > MAX_COSTS;
            self.merge_at = (self.keys.len() * 2).max(FIRST_MERGE);
        }
        if self.full {
            return false;
        }
        let node = key.node as usize;
        if self.first.len() <= node {
            self.first.resize(node + 1, NONE);
        }
        if self.first[node] == NONE {
            self.first[node] = self.keys.len() as u32;
        }
        self.keys.push(key);
        self.costs.extend_from_slice(&costs[..stride]);
        true
    }

    /// Sorts the rows and makes those of one key one row.
    pub(super) fn merge(&mut self) {
        if self.keys.is_sorted_by(|a, b| a < b) {
            return;
        }
        let stride = self.stride;
        let order = self.order();
        let mut keys: Vec<Key> = Vec::with_capacity(order.len());
        let mut costs: Vec<i64> = Vec::with_capacity(self.costs.len());
        for i in order {
            let (key, cost) = (self.keys[i as usize], &self.costs[i as usize * stride..][..stride]);
            if keys.last() == Some(&key) {
                let last = costs.len() - stride;
                add(&mut costs[last..], cost);
            } else {
                keys.push(key);
                costs.extend_from_slice(cost);
            }
        }
        self.first.fill(NONE);
        for (i, key) in keys.iter().enumerate().rev() {
            self.first[key.node as usize] = i as u32;
        }
        (self.keys, self.costs, self.at) = (keys, costs, usize::MAX);
    }

    /// Row numbers by key: counted into functions, then sorted within each.
    fn order(&self) -> Vec<u32> {
        let mut starts = vec![0u32; self.first.len() + 1];
        for key in &self.keys {
            starts[key.node as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut order = vec![0u32; self.keys.len()];
        for (i, key) in self.keys.iter().enumerate() {
            let place = &mut next[key.node as usize];
            order[*place as usize] = i as u32;
            *place += 1;
        }
        // Numbers next to what they are sorted by: looking that up for each comparison costs more than copying it.
        let mut sorted: Vec<((u32, u32), u32)> = Vec::new();
        for node in starts.windows(2) {
            let rows = &mut order[node[0] as usize..node[1] as usize];
            if !rows.is_sorted_by_key(|i| self.keys[*i as usize].part) {
                sorted.clear();
                sorted.extend(rows.iter().map(|&i| (self.keys[i as usize].part, i)));
                sorted.sort_unstable();
                rows.iter_mut().zip(&sorted).for_each(|(row, s)| *row = s.1);
            }
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn any_order_gives_the_sums_of_a_map() {
        let mut lines = Rows { merge_at: 50, ..Rows::default() };
        lines.set_stride(2);
        let mut want: BTreeMap<(u32, u32, u32), [i64; 2]> = BTreeMap::new();
        let mut seed = 7u32;
        let mut random = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % n
        };
        for _ in 0..300 {
            let node = random(9);
            lines.start(node);
            for _ in 0..random(12) {
                let (file, line, cost) = (random(2), random(6), i64::from(random(100)));
                assert!(lines.add(Key { node, part: (file, line) }, &[cost, 1]));
                let sum = want.entry((node, file, line)).or_default();
                *sum = [sum[0] + cost, sum[1] + 1];
            }
        }
        lines.merge();
        let got: Vec<_> = lines.keys.iter().map(|r| (r.node, r.part.0, r.part.1)).collect();
        assert_eq!(got, want.keys().copied().collect::<Vec<_>>());
        assert_eq!(lines.costs, want.values().flatten().copied().collect::<Vec<_>>());
    }

    #[test]
    fn a_repeated_record_adds_no_rows() {
        let mut lines = Rows::default();
        lines.set_stride(1);
        for _ in 0..10 {
            for node in [3, 1] {
                lines.start(node);
                for line in [5, 6, 6, 9, 5, 20] {
                    lines.add(Key { node, part: (1, line) }, &[1]);
                }
            }
        }
        assert_eq!(lines.keys.len(), 10);
        lines.merge();
        assert_eq!(lines.keys.len(), 8);
        assert_eq!(lines.costs, [20, 20, 10, 10, 20, 20, 10, 10]);
    }
}
