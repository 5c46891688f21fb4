//! Costs of paths as whole numbers by node of the tree, which add up at each node.

use super::lay::NONE;
use super::unroll::Part;
use crate::analysis::call_tree::{NO_NODE, Node};
use crate::analysis::gaps::Gaps;

/// Columns by node.
pub struct Columns {
    pub own: Vec<i64>,
    pub total: Vec<i64>,
    pub calls: Vec<u64>,
    pub gaps: Gaps,
}

/// What a node has besides its children, before rounding.
#[derive(Clone, Copy, Default)]
struct Parts {
    own: f64,
    unaccounted: f64,
    not_placed: f64,
    total: f64,
}

impl Columns {
    /// The columns of `nodes`. `whole` is what all roots and what is beside them add up to; `None` when the roots
    /// are not all of it.
    pub fn of(nodes: &[Node], parts: &[Part], whole: Option<i64>) -> Self {
        let mut below = vec![0.0; parts.len()];
        for part in parts.iter().filter(|p| p.parent != NONE) {
            below[part.parent as usize] += part.total;
        }
        let mut sums = vec![Parts::default(); nodes.len()];
        let mut calls = vec![0.0; nodes.len()];
        for (part, below) in parts.iter().zip(below).filter(|(p, _)| p.tree != NO_NODE) {
            let sum = &mut sums[part.tree as usize];
            let rest = part.total - part.own - part.unaccounted - below;
            // What is left by rounding has no row of its own.
            let left = rest.abs() > f64::max(0.5, 1e-9 * part.total.abs());
            sum.own += if left { part.own } else { part.own + rest };
            sum.unaccounted += part.unaccounted;
            sum.not_placed += if left { rest } else { 0.0 };
            calls[part.tree as usize] += if part.entered { part.calls } else { 0.0 };
        }
        for i in (0..nodes.len()).rev() {
            sums[i].total += sums[i].own + sums[i].unaccounted + sums[i].not_placed;
            if nodes[i].parent != NO_NODE {
                let total = sums[i].total;
                sums[nodes[i].parent as usize].total += total;
            }
        }
        let mut columns = Self::rounded(nodes, &sums);
        let roots = nodes.iter().zip(&columns.total).filter(|(n, _)| n.parent == NO_NODE).map(|(_, &t)| t);
        columns.gaps.above = whole.map_or(0, |whole| whole - roots.sum::<i64>());
        columns.calls = calls.into_iter().map(|c: f64| c.round() as u64).collect();
        columns
    }

    /// Rounds so that the parts of each node add up to its total: each is the difference of rounded sums, of which the
    /// last one is the total.
    fn rounded(nodes: &[Node], sums: &[Parts]) -> Self {
        let n = nodes.len();
        let (mut own, mut total) = (vec![0; n], vec![0; n]);
        let mut gaps = Gaps { not_placed: vec![0; n], unaccounted: vec![0; n], above: 0 };
        let mut open = vec![Rest::default(); n];
        let mut roots = Rest { scale: 1.0, ..Rest::default() };
        for (i, (node, sum)) in nodes.iter().zip(sums).enumerate() {
            let from = if node.parent == NO_NODE { &mut roots } else { &mut open[node.parent as usize] };
            total[i] = from.take(sum.total);
            let scale = total[i] as f64 / sum.total;
            open[i].scale = if (0.0..2.0).contains(&scale) { scale } else { 1.0 };
            own[i] = open[i].take(sum.own);
            gaps.unaccounted[i] = open[i].take(sum.unaccounted);
            gaps.not_placed[i] = open[i].take(sum.not_placed);
        }
        // Where costs are below 0, too, it may be one too much or too little.
        let mut given = vec![0i64; n];
        for (i, node) in nodes.iter().enumerate().filter(|(_, n)| n.parent != NO_NODE) {
            given[node.parent as usize] += total[i];
        }
        for i in 0..n {
            own[i] += total[i] - own[i] - gaps.unaccounted[i] - gaps.not_placed[i] - given[i];
        }
        Self { own, total, calls: Vec::new(), gaps }
    }
}

/// How much of a node was given to its parts: before rounding, and after.
#[derive(Clone, Copy, Default)]
struct Rest {
    before: f64,
    given: i64,
    /// By how much rounding changed the node itself.
    scale: f64,
}

impl Rest {
    fn take(&mut self, cost: f64) -> i64 {
        self.before += cost;
        let given = (self.before * self.scale).round() as i64;
        given - std::mem::replace(&mut self.given, given)
    }
}
