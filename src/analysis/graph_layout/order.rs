//! The order of nodes in each row, with as few crossings as can be had quickly: weighted medians and
//! exchanges of neighbours, from four starts (Gansner and others, 1993).

use super::Checkpoint;
use crate::jobs::Cancelled;
use crate::model::lists::Lists;

/// Rows of nodes; edges lead from each row to the next one only.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Nodes of each row from left to right.
    pub rows: Vec<Vec<u32>>,
    /// Neighbours in the row above, by node.
    pub up: Lists<u32>,
    /// Neighbours in the row below, by node.
    pub down: Lists<u32>,
    /// Row of each node.
    pub rank: Vec<u32>,
    /// Rows whose order is given (the ends of edges that leave a frame); empty for none.
    pub fixed: Vec<bool>,
}

impl Rows {
    fn is_fixed(&self, row: usize) -> bool {
        self.fixed.get(row).copied().unwrap_or(false)
    }
}

/// Rounds of medians without gain before the search ends.
const PATIENCE: usize = 6;
/// Most tries after the four starts.
const SHAKES: u64 = 24;
/// Most rounds from one start.
const ROUNDS: usize = 24;

/// Orders the rows. With `seed`, a place from left to right for nodes that were there before, the order
/// starts from it and is changed by exchanges of neighbours only, so that what stays does not jump.
pub(super) fn order(
    graph: &mut Rows,
    budget: u64,
    seed: Option<&[Option<f32>]>,
    checkpoint: Checkpoint<'_>,
) -> Result<u64, Cancelled> {
    let mut search = Search::new(graph, budget);
    if let Some(seed) = seed {
        search.start_from(seed);
        search.exchange(true);
        search.exchange(false);
        let crossings = search.crossings();
        graph.rows = search.rows;
        return Ok(crossings);
    }
    let mut best: Option<(u64, Vec<Vec<u32>>)> = None;
    let mut left = 0;
    for (from_top, deep) in [(true, false), (false, false), (true, true), (false, true)] {
        // A fifth for each start, the rest for sifting.
        search.budget = budget / 5;
        search.start(from_top, deep);
        let mut found = (search.crossings(), search.rows.clone());
        let mut wasted = 0;
        for round in 0..ROUNDS {
            checkpoint()?;
            if found.0 == 0 || wasted >= PATIENCE || search.budget == 0 {
                break;
            }
            search.medians(round % 2 == 0, round % 4 < 2);
            search.exchange(round % 4 < 2);
            let crossings = search.crossings();
            wasted = if (crossings as f64) < found.0 as f64 * 0.995 { 0 } else { wasted + 1 };
            if crossings < found.0 {
                found = (crossings, search.rows.clone());
            }
        }
        if best.as_ref().is_none_or(|b| found.0 < b.0) {
            best = Some(found);
        }
        left += search.budget;
    }
    let (_, rows) = best.unwrap_or_default();
    search.take(rows);
    search.budget = budget / 5;
    search.sift(checkpoint)?;
    let mut best = (search.crossings(), search.rows.clone());
    // Small graphs leave steps to spare for further tries, each from the best one, a little shaken.
    search.budget = (left + search.budget).min(budget / 3);
    for shake in 1..=SHAKES {
        if best.0 == 0 || search.budget == 0 {
            break;
        }
        search.take(best.1.clone());
        search.shake(shake);
        for round in 0..4 {
            search.medians(round % 2 == 0, round < 2);
            search.exchange(round % 2 == 0);
        }
        search.sift(checkpoint)?;
        let crossings = search.crossings();
        if crossings < best.0 {
            best = (crossings, search.rows.clone());
        }
    }
    graph.rows = best.1;
    Ok(best.0)
}

struct Search<'a> {
    graph: &'a Rows,
    rows: Vec<Vec<u32>>,
    /// Place of each node in its row.
    place: Vec<u32>,
    /// Steps that may still be made: a bound on time that does not depend on the machine.
    budget: u64,
    ends: Ends,
}

/// Places of the neighbours of one row's nodes, ascending: those above and those below.
#[derive(Default)]
struct Ends {
    places: Vec<u32>,
    /// By place in the row: start of those above, start of those below.
    start: Vec<[u32; 2]>,
    /// By node: its number in `start`.
    number: Vec<u32>,
}

impl Ends {
    /// Of a node: those above and those below.
    fn of(&self, v: u32) -> [&[u32]; 2] {
        let i = self.number[v as usize] as usize;
        let [up, down] = self.start[i].map(|s| s as usize);
        [&self.places[up..down], &self.places[down..self.start[i + 1][0] as usize]]
    }

    /// Crossings among the edges of two nodes as they stand, and when they change places.
    fn between(&self, left: u32, right: u32) -> (u64, u64) {
        let (mut now, mut then) = (0, 0);
        for (a, b) in self.of(left).into_iter().zip(self.of(right)) {
            if let ([x], [y]) = (a, b) {
                now += u64::from(x > y);
                then += u64::from(x < y);
                continue;
            }
            // How many of b lie before, and how many at or before, each of a.
            let (mut before, mut upto) = (0, 0);
            for x in a {
                while before < b.len() && b[before] < *x {
                    before += 1;
                }
                while upto < b.len() && b[upto] <= *x {
                    upto += 1;
                }
                now += before as u64;
                then += (b.len() - upto) as u64;
            }
        }
        (now, then)
    }
}

impl<'a> Search<'a> {
    fn new(graph: &'a Rows, budget: u64) -> Self {
        let place = vec![0; graph.rank.len()];
        let mut search = Self { graph, rows: Vec::new(), place, budget, ends: Ends::default() };
        search.take(graph.rows.clone());
        search
    }

    fn take(&mut self, rows: Vec<Vec<u32>>) {
        self.rows = rows;
        for r in 0..self.rows.len() {
            if self.graph.is_fixed(r) {
                self.rows[r].clone_from(&self.graph.rows[r]);
            }
            self.number(r);
        }
    }

    fn number(&mut self, row: usize) {
        (0..).zip(&self.rows[row]).for_each(|(i, &v)| self.place[v as usize] = i);
    }

    /// Row by row from the top or the bottom, or depth first, where whole branches come to stand side by side.
    fn start(&mut self, from_top: bool, deep: bool) {
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.rows.len()];
        let mut seen = vec![false; self.place.len()];
        let starts: Vec<u32> = if from_top {
            self.graph.rows.iter().flatten().copied().collect()
        } else {
            self.graph.rows.iter().rev().flatten().copied().collect()
        };
        let mut open = std::collections::VecDeque::new();
        for root in starts {
            if seen[root as usize] {
                continue;
            }
            seen[root as usize] = true;
            open.push_back(root);
            while let Some(v) = if deep { open.pop_back() } else { open.pop_front() } {
                rows[self.graph.rank[v as usize] as usize].push(v);
                // Only forward: what leads back is met from its own root.
                let ahead = if from_top { &self.graph.down } else { &self.graph.up };
                for &w in ahead.of(v as usize) {
                    if !std::mem::replace(&mut seen[w as usize], true) {
                        open.push_back(w);
                    }
                }
            }
        }
        self.take(rows);
    }

    /// Exchanges some neighbours, by numbers that only look random.
    fn shake(&mut self, seed: u64) {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        for r in (0..self.rows.len()).filter(|&r| !self.graph.is_fixed(r)) {
            for i in 1..self.rows[r].len() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let by = 1 + (state >> 40) as usize % 6;
                if (state >> 33).is_multiple_of(4) && i >= by {
                    self.rows[r].swap(i - by, i);
                }
            }
            self.number(r);
        }
    }

    fn start_from(&mut self, seed: &[Option<f32>]) {
        let mut x: Vec<Option<f32>> = (0..self.place.len()).map(|v| seed.get(v).copied().flatten()).collect();
        // What is new goes where its neighbours are, from the top and then from the bottom.
        for _ in 0..2 {
            for up in [true, false] {
                let rows: Vec<usize> =
                    if up { (0..self.rows.len()).collect() } else { (0..self.rows.len()).rev().collect() };
                for r in rows {
                    for &v in &self.rows[r] {
                        if x[v as usize].is_none() {
                            let near =
                                self.graph.up.of(v as usize).iter().chain(self.graph.down.of(v as usize));
                            let known: Vec<f32> = near.filter_map(|&w| x[w as usize]).collect();
                            if !known.is_empty() {
                                x[v as usize] = Some(known.iter().sum::<f32>() / known.len() as f32);
                            }
                        }
                    }
                }
            }
        }
        for r in (0..self.rows.len()).filter(|&r| !self.graph.is_fixed(r)) {
            self.rows[r].sort_by(|a, b| {
                let key = |v: u32| x[v as usize].unwrap_or(f32::MAX);
                key(*a).total_cmp(&key(*b)).then(a.cmp(b))
            });
            self.number(r);
        }
    }

    /// Sorts each row by the medians of neighbours above (or below); what has none keeps its place.
    fn medians(&mut self, downwards: bool, turn_ties: bool) {
        let count = self.rows.len();
        let rows: Vec<usize> =
            if downwards { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
        for r in rows.into_iter().filter(|&r| !self.graph.is_fixed(r)) {
            let near = if downwards { &self.graph.up } else { &self.graph.down };
            let steps = self.rows[r].len() * 6;
            let mut placed: Vec<(f32, u32)> = Vec::new();
            let mut free: Vec<usize> = Vec::new();
            for (i, &v) in self.rows[r].iter().enumerate() {
                match self.median(near.of(v as usize)) {
                    Some(m) => placed.push((m, v)),
                    None => free.push(i),
                }
            }
            if turn_ties {
                placed.reverse();
            }
            placed.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut placed = placed.into_iter();
            let mut free = free.into_iter().peekable();
            let old = std::mem::take(&mut self.rows[r]);
            self.rows[r] = (0..old.len())
                .map(|i| match free.next_if_eq(&i) {
                    Some(_) => old[i],
                    None => placed.next().map_or(old[i], |p| p.1),
                })
                .collect();
            self.number(r);
            self.spend(steps);
        }
    }

    fn median(&self, near: &[u32]) -> Option<f32> {
        let mut places: Vec<u32> = near.iter().map(|&w| self.place[w as usize]).collect();
        places.sort_unstable();
        let at = |i: usize| places[i] as f32;
        let (n, m) = (places.len(), places.len() / 2);
        match n {
            0 => None,
            1 => Some(at(0)),
            2 => Some((at(0) + at(1)) / 2.0),
            _ if n % 2 == 1 => Some(at(m)),
            _ => {
                let (left, right) = (at(m - 1) - at(0), at(n - 1) - at(m));
                Some(if left + right == 0.0 {
                    (at(m - 1) + at(m)) / 2.0
                } else {
                    (at(m - 1) * right + at(m) * left) / (left + right)
                })
            }
        }
    }

    /// Notes where the edges of a row end. The rows above and below must stay as they are meanwhile.
    fn note_ends(&mut self, r: usize) {
        let ends = &mut self.ends;
        ends.places.clear();
        ends.start.clear();
        ends.number.resize(self.place.len(), 0);
        for (i, &v) in (0..).zip(&self.rows[r]) {
            ends.number[v as usize] = i;
            let mut start = [0; 2];
            for (start, near) in start.iter_mut().zip([&self.graph.up, &self.graph.down]) {
                let first = ends.places.len();
                *start = first as u32;
                ends.places.extend(near.of(v as usize).iter().map(|&w| self.place[w as usize]));
                ends.places[first..].sort_unstable();
            }
            ends.start.push(start);
        }
        ends.start.push([ends.places.len() as u32; 2]);
        self.spend(self.rows[r].len() + 2 * self.ends.places.len());
    }

    fn spend(&mut self, steps: usize) {
        self.budget = self.budget.saturating_sub(steps as u64);
    }

    /// Exchanges neighbours while that removes crossings; `ties` also where it changes nothing, once.
    fn exchange(&mut self, ties: bool) {
        let mut dirty = vec![true; self.rows.len()];
        for pass in 0..40 {
            let mut gained = false;
            for r in 0..self.rows.len() {
                if self.budget == 0 || self.graph.is_fixed(r) || !std::mem::take(&mut dirty[r]) {
                    continue;
                }
                self.note_ends(r);
                let mut changed = false;
                for i in 1..self.rows[r].len() {
                    let (left, right) = (self.rows[r][i - 1], self.rows[r][i]);
                    let (now, then) = self.ends.between(left, right);
                    if then < now || (ties && pass == 0 && then == now && now > 0) {
                        self.rows[r].swap(i - 1, i);
                        self.place[left as usize] = i as u32;
                        self.place[right as usize] = i as u32 - 1;
                        changed |= then < now;
                    }
                }
                self.spend(self.rows[r].len() + self.ends.places.len());
                if changed {
                    gained = true;
                    for near in [r.saturating_sub(1), r, (r + 1).min(self.rows.len() - 1)] {
                        dirty[near] = true;
                    }
                }
            }
            if !gained {
                break;
            }
        }
    }

    /// Moves each node along its whole row to where it makes the fewest crossings.
    fn sift(&mut self, checkpoint: Checkpoint<'_>) -> Result<(), Cancelled> {
        for _ in 0..4 {
            let mut gained = false;
            for r in (0..self.rows.len()).filter(|&r| !self.graph.is_fixed(r)) {
                checkpoint()?;
                self.note_ends(r);
                for v in self.rows[r].clone() {
                    if self.budget == 0 {
                        return Ok(());
                    }
                    gained |= self.sift_one(r, v);
                }
            }
            if !gained {
                break;
            }
        }
        Ok(())
    }

    fn sift_one(&mut self, r: usize, v: u32) -> bool {
        let row = &self.rows[r];
        let at = self.place[v as usize] as usize;
        let (mut best, mut best_at, mut sum) = (0i64, at, 0i64);
        for (i, &other) in row.iter().enumerate().skip(at + 1) {
            let (now, then) = self.ends.between(v, other);
            sum += then as i64 - now as i64;
            if sum < best {
                (best, best_at) = (sum, i);
            }
        }
        sum = 0;
        for i in (0..at).rev() {
            let (now, then) = self.ends.between(row[i], v);
            sum += then as i64 - now as i64;
            if sum < best {
                (best, best_at) = (sum, i);
            }
        }
        self.spend(row.len() + self.ends.places.len() / 2);
        if best < 0 {
            let v = self.rows[r].remove(at);
            self.rows[r].insert(best_at, v);
            self.number(r);
        }
        best < 0
    }

    /// Number of crossings: inversions among the lower ends of edges sorted by their upper ends.
    fn crossings(&self) -> u64 {
        let mut sum = 0;
        let mut tree: Vec<u32> = Vec::new();
        let mut ends: Vec<u32> = Vec::new();
        for pair in self.rows.windows(2) {
            tree.clear();
            tree.resize(pair[1].len() + 1, 0);
            let mut seen = 0u64;
            for &v in &pair[0] {
                ends.clear();
                ends.extend(self.graph.down.of(v as usize).iter().map(|&w| self.place[w as usize]));
                ends.sort_unstable();
                for &end in &ends {
                    let mut before = 0u64;
                    let mut i = end as usize + 1;
                    while i > 0 {
                        before += u64::from(tree[i]);
                        i &= i - 1;
                    }
                    sum += seen - before;
                }
                for &end in &ends {
                    seen += 1;
                    let mut i = end as usize + 1;
                    while i < tree.len() {
                        tree[i] += 1;
                        i += i & i.wrapping_neg();
                    }
                }
            }
        }
        sum
    }
}
