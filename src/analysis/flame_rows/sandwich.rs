//! One function in the middle: who calls it above, what it calls below, all its places merged.
//!
//! As in speedscope: only the outermost occurrence on each path counts, so that recursion is not counted
//! twice. Callers are the paths from there to the root, turned round; callees are the subtrees of these
//! occurrences, merged. Both halves are as wide as the function's total.

use rustc_hash::FxHashMap;

use super::merged::{Forest, MergedOrder, finish, place};
use super::{Axis, FlameRows, GroupOf, NodeNumbers, Numbers};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::gaps::Gap;
use crate::analysis::path::Symbol;
use crate::analysis::tree_costs::{Costs, TreeCosts};
use crate::jobs::{Cancelled, Job};
use crate::model::{FunctionId, SymbolKey};
use crate::query::{Context, Query};

/// Most boxes of one half. What would need more is hostile, and unreadable anyway.
const MAX_NODES: usize = 2_000_000;

/// Rows of a sandwich.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sandwich {
    /// Which tree and costs.
    pub costs: Costs,
    /// The function in the middle.
    pub function: SymbolKey,
}

impl Query for Sandwich {
    type Output = FlameRows;
    const KEEPS_PROFILE: bool = true;

    fn run(&self, cx: &Context<'_>) -> Result<FlameRows, Cancelled> {
        let costs = cx.get(&self.costs)?;
        let profile = cx.profile();
        let outermost =
            profile.keys().function(self.function).map_or_else(Vec::new, |f| outermost(&costs, f));
        let axis = Axis::Cost(self.costs.0.metric);
        let mut out = FlameRows::new(profile, &self.costs.0.scope, axis, costs.tree.basis.clone());
        let mut halves =
            Trie { counted: (!costs.calls.is_empty(), !costs.samples_total.is_empty()), ..Trie::default() };
        callers(&costs, &outermost, &mut halves, cx.job())?;
        let split = halves.parents.len();
        let upper = halves.place(0..split, profile, cx.job())?;
        callees(&costs, &outermost, &mut halves, cx.job())?;
        let end = halves.parents.len();
        let lower = halves.place(split..end, profile, cx.job())?;
        finish(&mut out, GroupOf::Callers, upper.into_iter().rev().collect());
        finish(&mut out, GroupOf::Callees, lower);
        out.whole = costs.whole;
        if halves.full {
            out.notices.push("too many different paths: the smallest are not drawn".into());
        }
        out.numbers = Numbers::Own(halves.numbers);
        out.fold(cx.job())?;
        Ok(out)
    }

    fn weight(rows: &FlameRows) -> usize {
        rows.heap_bytes()
    }
}

/// Nodes of the function that have no node of it above them, largest first.
pub(in crate::analysis) fn outermost(costs: &TreeCosts, function: FunctionId) -> Vec<u32> {
    let nodes = &costs.tree.nodes;
    let mut found = Vec::new();
    let mut i = 0;
    while i < nodes.len() {
        if nodes[i].symbol.function() == function {
            found.push(i as u32);
            i = nodes[i].end as usize;
        } else {
            i += 1;
        }
    }
    found.sort_by_key(|&n| (std::cmp::Reverse(costs.total[n as usize]), n));
    found
}

/// Merged paths; a parent precedes its children. Both halves lie in one, so that ids differ.
#[derive(Default)]
struct Trie {
    parents: Vec<u32>,
    symbols: Vec<Symbol>,
    numbers: NodeNumbers,
    index: FxHashMap<(u32, (bool, u32)), u32>,
    full: bool,
    /// Whether calls and samples are known.
    counted: (bool, bool),
}

impl Trie {
    fn child(&mut self, parent: u32, symbol: Symbol) -> Option<u32> {
        if let Some(&found) = self.index.get(&(parent, symbol.key())) {
            return Some(found);
        }
        if self.parents.len() >= 2 * MAX_NODES {
            self.full = true;
            return None;
        }
        let new = self.parents.len() as u32;
        self.parents.push(parent);
        self.symbols.push(symbol.uncounted());
        self.numbers.own.push(0);
        self.numbers.total.push(0);
        self.numbers.calls.extend(self.counted.0.then_some(0));
        self.numbers.samples.extend(self.counted.1.then_some(0));
        self.numbers.unfinished.push(0);
        self.numbers.gaps.push([0; 2]);
        self.index.insert((parent, symbol.key()), new);
        Some(new)
    }

    /// Adds the costs of the tree's `node` to `to`; its own cost only when `own`.
    fn add(&mut self, to: u32, costs: &TreeCosts, node: u32, (own, below): (bool, bool)) {
        let (to, node, numbers) = (to as usize, node as usize, &mut self.numbers);
        if own {
            numbers.own[to] = numbers.own[to].saturating_add(costs.own[node]);
        }
        // Only the lower half has children to which something is beside.
        if let (Some(gaps), Some(sums)) = (&costs.gaps, numbers.gaps.get_mut(to).filter(|_| below)) {
            for (sum, gap) in sums.iter_mut().zip(Gap::ALL) {
                *sum = sum.saturating_add(gaps.cost(Some(node as u32), gap));
            }
        }
        numbers.total[to] = numbers.total[to].saturating_add(costs.total[node]);
        for (column, more) in [
            (&mut numbers.calls, &costs.calls),
            (&mut numbers.samples, &costs.samples_total),
            (&mut numbers.unfinished, &costs.unfinished),
        ] {
            if let (Some(sum), Some(more)) = (column.get_mut(to), more.get(node)) {
                *sum = sum.saturating_add(*more);
            }
        }
    }

    fn place(
        &self,
        half: std::ops::Range<usize>,
        profile: &std::sync::Arc<crate::model::Profile>,
        job: &Job,
    ) -> Result<Vec<Vec<super::Leaf>>, Cancelled> {
        let base = half.start as u32;
        let parents: Vec<u32> =
            self.parents[half.clone()].iter().map(|&p| if p == NO_NODE { p } else { p - base }).collect();
        let (symbols, total) = (&self.symbols[half.clone()], &self.numbers.total[half]);
        let gaps = |node: Option<u32>| -> Vec<(Gap, i64)> {
            let of =
                node.and_then(|n| self.numbers.gaps.get((base + n) as usize)).copied().unwrap_or_default();
            Gap::ALL.into_iter().zip(of).filter(|g| g.1 > 0).collect()
        };
        let forest = Forest { parents: &parents, symbols, total, gaps: &gaps };
        let mut rows = place(&forest, MergedOrder::Heaviest, profile, job)?;
        rows.iter_mut().flatten().for_each(|leaf| leaf.id += base);
        Ok(rows)
    }
}

fn callers(costs: &TreeCosts, outermost: &[u32], trie: &mut Trie, job: &Job) -> Result<(), Cancelled> {
    for (i, &node) in outermost.iter().enumerate() {
        job.checkpoint(i as u64, outermost.len() as u64)?;
        let mut at = NO_NODE;
        for step in costs.tree.ancestors(node) {
            let symbol = costs.tree.nodes[step as usize].symbol;
            let Some(next) = trie.child(at, symbol).filter(|_| trie.parents.len() <= MAX_NODES) else {
                trie.full = true;
                break;
            };
            // The own cost of the function itself; its callers' own cost is not part of this chart.
            trie.add(next, costs, node, (at == NO_NODE, false));
            at = next;
        }
    }
    Ok(())
}

fn callees(costs: &TreeCosts, outermost: &[u32], trie: &mut Trie, job: &Job) -> Result<(), Cancelled> {
    // The upper half's root has the same key.
    trie.index.clear();
    for (i, &root) in outermost.iter().enumerate() {
        job.checkpoint(i as u64, outermost.len() as u64)?;
        let end = costs.tree.nodes[root as usize].end;
        let mut at: Vec<u32> = Vec::with_capacity((end - root) as usize);
        for node in root..end {
            let (symbol, parent) =
                (costs.tree.nodes[node as usize].symbol, costs.tree.nodes[node as usize].parent);
            let above = if node == root { NO_NODE } else { at[(parent - root) as usize] };
            let lost = node != root && above == NO_NODE;
            let merged = if lost { None } else { trie.child(above, symbol) };
            if let Some(merged) = merged {
                trie.add(merged, costs, node, (true, true));
            }
            at.push(merged.unwrap_or(NO_NODE));
        }
    }
    Ok(())
}
