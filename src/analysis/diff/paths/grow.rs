//! Lays the trees of two runs over each other, node by node, and puts the result in preorder.

use hashbrown::HashTable;
use rustc_hash::FxHashMap;

use super::super::functions::{FunctionDiff, RowKey};
use super::super::known_calls::KnownCalls;
use super::super::{Cost, Two};
use super::{Path, PathHalf, Sides, Tree};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::path::Symbol;
use crate::jobs::{Cancelled, Job};
use crate::model::row_hash;

/// A path while both trees are laid over each other.
pub(super) struct Grown {
    parent: u32,
    /// A row, or a number beyond all rows.
    name: u32,
    /// As in [`Path`].
    of: [u32; 2],
}

/// Both trees while one is laid over the other.
#[derive(Default)]
pub(super) struct Growing {
    nodes: Vec<Grown>,
    index: HashTable<u32>,
    /// Further nodes of the baseline, and of the new run, that are a path which is there.
    more: [Vec<(u32, u32)>; 2],
    /// Names of functions that are no rows.
    others_known: FxHashMap<RowKey, u32>,
    others: u32,
}

impl Growing {
    pub(super) fn with_room(nodes: usize, others: u32) -> Self {
        Self {
            nodes: Vec::with_capacity(nodes),
            index: HashTable::with_capacity(nodes),
            others,
            ..Self::default()
        }
    }

    pub(super) fn add(
        &mut self,
        tree: &Tree,
        functions: &FunctionDiff,
        base: bool,
        job: &Job,
    ) -> Result<(), Cancelled> {
        let (profile, costs) = (&*tree.profile, &*tree.costs);
        // Nearly all symbols are functions.
        let mut of_functions = vec![NO_NODE; profile.functions.len()];
        let mut names: FxHashMap<(bool, u32), u32> = FxHashMap::default();
        let mut at: Vec<u32> = Vec::with_capacity(costs.tree.nodes.len());
        let side = usize::from(!base);
        for (i, node) in costs.tree.nodes.iter().enumerate() {
            if i % 65_536 == 0 {
                job.checkpoint(i as u64, costs.tree.nodes.len() as u64)?;
            }
            let mut found_out = || self.name(RowKey::of(node.symbol, profile), functions, base);
            let name = match node.symbol {
                Symbol::Function(f) => {
                    let known = &mut of_functions[f.index()];
                    if *known == NO_NODE {
                        *known = found_out();
                    }
                    *known
                }
                other => *names.entry(other.key()).or_insert_with(found_out),
            };
            let parent = at.get(node.parent as usize).copied().unwrap_or(NO_NODE);
            let found = self.node(parent, name);
            match &mut self.nodes[found as usize].of[side] {
                first if *first == NO_NODE => *first = i as u32,
                _ => self.more[side].push((found, i as u32)),
            }
            at.push(found);
        }
        Ok(())
    }

    /// The number of a function: its row, or one beyond all rows.
    fn name(&mut self, key: RowKey, functions: &FunctionDiff, base: bool) -> u32 {
        if let Some(row) = functions.row_of(key, base) {
            return row;
        }
        let next = self.others;
        let name = *self.others_known.entry(key).or_insert(next);
        self.others += u32::from(name == next);
        name
    }

    /// Which nodes one tree has although the run of the other makes each of their calls.
    pub(super) fn unplaced(&mut self, trees: [&Tree; 2], functions: &FunctionDiff) -> Vec<bool> {
        let [base, head] = [0, 1].map(|side| {
            let profile = &*trees[side].profile;
            KnownCalls::of(&trees[side].calls, |s| self.name(RowKey::of(s, profile), functions, side == 0))
        });
        let mut unplaced = vec![false; self.nodes.len()];
        for i in 0..self.nodes.len() {
            let Grown { parent, name, of } = self.nodes[i];
            let (here, there) = match of {
                [_, NO_NODE] => (&base, &head),
                [NO_NODE, _] => (&head, &base),
                _ => continue,
            };
            unplaced[i] = match parent {
                // A root that something calls is what the estimate could not explain; one that nothing calls is recorded.
                NO_NODE => there.runs(name) && (here.is_called(name) || !there.is_called(name)),
                above => {
                    let above = above as usize;
                    let placed = !self.nodes[above].of.contains(&NO_NODE);
                    (placed || unplaced[above]) && there.has(self.nodes[above].name, name)
                }
            };
        }
        unplaced
    }

    fn node(&mut self, parent: u32, name: u32) -> u32 {
        let Self { nodes, index, .. } = self;
        let hash = |parent: u32, name: u32| row_hash(&(parent, name));
        let key = |nodes: &[Grown], n: u32| (nodes[n as usize].parent, nodes[n as usize].name);
        let is = |&n: &u32| key(nodes, n) == (parent, name);
        if let Some(&found) = index.find(hash(parent, name), is) {
            return found;
        }
        let id = nodes.len() as u32;
        nodes.push(Grown { parent, name, of: [NO_NODE; 2] });
        index.insert_unique(hash(parent, name), id, |&n| {
            let (parent, name) = key(nodes, n);
            hash(parent, name)
        });
        id
    }

    /// The nodes in preorder, what they cost, and which are not placed in one tree: `unplaced`, in their new order.
    pub(super) fn in_preorder(
        self,
        rows: u32,
        trees: [&Tree; 2],
        unplaced: &[bool],
    ) -> (Vec<Path>, Sides, Vec<bool>) {
        let n = self.nodes.len();
        let mut sides = Sides { trees: trees.map(|tree| tree.costs.clone()), several: Default::default() };
        for (side, more) in self.more.iter().enumerate() {
            for &(path, node) in more {
                let (first, more) = (self.nodes[path as usize].of[side], sides.half(side, node));
                let first = sides.half(side, first);
                let sum = sides.several[side].entry(path).or_insert(first);
                *sum = sum.with(more);
            }
        }
        let halves = |path: u32| sides.halves(path, self.nodes[path as usize].of);
        let change = |i: u32| {
            let halves = halves(i);
            let (total, own) = (halves.map(|h| h.cost.total), halves.map(|h| h.cost.own));
            let is_known = unplaced.get(i as usize) != Some(&true);
            let size = |two: Two<i64>| two.delta().filter(|_| is_known).unwrap_or(0).unsigned_abs();
            (size(total), size(own), total.base.unwrap_or(0).max(total.head.unwrap_or(0)))
        };
        // Children of each node (and the roots, last): counted out by their parents, then each few by their change, the smallest
        // first, as a stack wants them.
        let above = |node: &Grown| if node.parent == NO_NODE { n } else { node.parent as usize };
        let mut first = vec![0u32; n + 2];
        for node in &self.nodes {
            first[above(node) + 1] += 1;
        }
        for i in 1..first.len() {
            first[i] += first[i - 1];
        }
        let mut order = vec![0u32; n];
        let mut next = first.clone();
        for (i, node) in self.nodes.iter().enumerate().rev() {
            let place = &mut next[above(node)];
            order[*place as usize] = i as u32;
            *place += 1;
        }
        drop(next);
        for of in 0..=n {
            let siblings = &mut order[first[of] as usize..first[of + 1] as usize];
            match siblings {
                [] | [_] => {}
                // They stand by falling number already, so that alike ones stay so.
                _ => siblings.sort_by_cached_key(|&i| change(i)),
            }
        }
        let children = |of: usize| &order[first[of] as usize..first[of + 1] as usize];
        let mut out: Vec<Path> = Vec::with_capacity(n);
        let mut place = vec![NO_NODE; n];
        let mut open: Vec<u32> = children(n).to_vec();
        while let Some(i) = open.pop() {
            let Grown { parent, name, of } = self.nodes[i as usize];
            let parent = place.get(parent as usize).copied().unwrap_or(NO_NODE);
            let depth = out.get(parent as usize).map_or(0, |p| p.depth + 1);
            place[i as usize] = out.len() as u32;
            let row = if name < rows { name } else { NO_NODE };
            out.push(Path { parent, depth, end: 0, row, of });
            open.extend_from_slice(children(i as usize));
        }
        for i in (0..out.len()).rev() {
            out[i].end = out[i].end.max(i as u32 + 1);
            let (parent, end) = (out[i].parent, out[i].end);
            if let Some(parent) = out.get_mut(parent as usize) {
                parent.end = parent.end.max(end);
            }
        }
        sides.several = sides
            .several
            .map(|sums| sums.into_iter().map(|(path, sum)| (place[path as usize], sum)).collect());
        let mut moved = vec![false; unplaced.len()];
        for (&unplaced, &place) in unplaced.iter().zip(&place) {
            moved[place as usize] = unplaced;
        }
        (out, sides, moved)
    }
}

impl PathHalf {
    /// Two nodes of one tree that are one path here: functions that a rule made alike.
    fn with(self, other: Self) -> Self {
        Self {
            cost: Cost {
                own: self.cost.own.saturating_add(other.cost.own),
                total: self.cost.total.saturating_add(other.cost.total),
            },
            count: self.count.zip(other.count).map(|(a, b)| a + b),
            ..self
        }
    }
}
