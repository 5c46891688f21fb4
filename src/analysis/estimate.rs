//! A call tree made from a call graph, which knows callers and callees but no paths.
//!
//! Assumption: a function behaves the same whoever calls it. The cost of a path is the cost of its
//! parent path times the share of the parent's total that goes along the edge. Recursive edges are
//! skipped, and paths below 1/10 000 of the whole are not followed. This is the rule of speedscope's
//! callgrind importer and, without its squared pruning, of snakeviz. Widths never exceed the parent's.

use super::call_tree::{CallTree, NO_NODE, preorder};
use super::path::{PathMapper, PathState, Symbol};
use crate::jobs::{Cancelled, Job};
use crate::model::{Basis, CallGraph, MetricId, NodeId, Profile};

/// Paths below this share of the whole are not followed.
const MIN_SHARE: f64 = 1e-4;
/// Most nodes that an estimated tree may have.
const MAX_NODES: usize = 200_000;
/// Deepest path that is followed.
const MAX_DEPTH: usize = 512;

/// Why the tree is an estimate, in the words that views show.
pub const WHY: &str = "this file records who called whom, but not whole call paths; \
    costs are shared out by the calls between each pair of functions";

/// Costs of an estimated tree.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Self and total per node, for each metric.
    pub costs: Vec<(MetricId, Vec<i64>, Vec<i64>)>,
    /// Calls per node, shared out like the costs and rounded.
    pub calls: Vec<u64>,
    /// Number of paths that were not followed because they are too small.
    pub pruned: u64,
}

struct Open {
    node: NodeId,
    /// Share of the function's whole cost that this path has.
    factor: f64,
    state: PathState,
    tree: u32,
    next_edge: usize,
}

/// Functions that nobody calls, or the most expensive one when everybody is called.
#[must_use]
pub fn roots(graph: &CallGraph) -> Vec<NodeId> {
    let mut called = vec![false; graph.nodes.len()];
    for edge in &graph.edges {
        if edge.caller != edge.callee {
            called[edge.callee.index()] = true;
        }
    }
    let mut roots: Vec<_> = (0..graph.nodes.len()).filter(|&i| !called[i]).map(NodeId::from_index).collect();
    if let Some(costs) = graph.costs.first() {
        let covered: i64 = roots.iter().fold(0, |sum, r| sum.saturating_add(costs.node_total[r.index()]));
        let largest = (0..graph.nodes.len()).max_by_key(|&i| costs.node_total[i]).map(NodeId::from_index);
        if let Some(largest) = largest.filter(|l| costs.node_total[l.index()] > covered) {
            roots.push(largest);
        }
        roots.sort_by_key(|r| std::cmp::Reverse(costs.node_total[r.index()]));
    }
    roots
}

pub(super) fn tree(
    profile: &Profile,
    graph: &CallGraph,
    mapper: &PathMapper<'_>,
    job: &Job,
) -> Result<CallTree, Cancelled> {
    let basis = Basis::Estimated(WHY.into());
    let mut grown: Vec<(Symbol, u32)> = Vec::new();
    let mut weight: Vec<Vec<(NodeId, f64)>> = Vec::new();
    let mut pruned = 0;
    if let Some(main) = graph.costs.first() {
        let mut out: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
        for (i, edge) in graph.edges.iter().enumerate() {
            if edge.caller != edge.callee {
                out[edge.caller.index()].push(i);
            }
        }
        for edges in &mut out {
            edges.sort_by_key(|&i| std::cmp::Reverse(main.edge_total[i]));
        }
        let whole = main.node_self.iter().fold(0i64, |a, &b| a.saturating_add(b)).max(1) as f64;
        let mut index = rustc_hash::FxHashMap::default();
        let mut enter = |grown: &mut Vec<(Symbol, u32)>,
                         weight: &mut Vec<Vec<(NodeId, f64)>>,
                         above: u32,
                         symbol: Symbol| {
            *index.entry((above, symbol.key())).or_insert_with(|| {
                grown.push((symbol, above));
                weight.push(Vec::new());
                (grown.len() - 1) as u32
            })
        };
        let root_state = mapper.root();
        let mut on_path = vec![false; graph.nodes.len()];
        for root in roots(graph) {
            let mut open: Vec<Open> = Vec::new();
            let mut next = Some((root, 1.0));
            loop {
                if let Some((node, factor)) = next.take() {
                    let (above_state, above) =
                        open.last().map_or((&root_state, NO_NODE), |o| (&o.state, o.tree));
                    let (state, symbol) = mapper.step(above_state, graph.nodes[node.index()].function);
                    let tree = symbol.map_or(above, |s| enter(&mut grown, &mut weight, above, s));
                    if state.alive && tree != NO_NODE {
                        weight[tree as usize].push((node, factor));
                    }
                    on_path[node.index()] = true;
                    open.push(Open { node, factor, state, tree, next_edge: 0 });
                    job.checkpoint(grown.len() as u64, 0)?;
                }
                let depth = open.len();
                let Some(top) = open.last_mut() else { break };
                let Some(&i) = out[top.node.index()].get(top.next_edge) else {
                    on_path[top.node.index()] = false;
                    open.pop();
                    continue;
                };
                top.next_edge += 1;
                let callee = graph.edges[i].callee;
                let callee_total = main.node_total[callee.index()] as f64;
                let cost = main.edge_total[i] as f64 * top.factor;
                if on_path[callee.index()] {
                    continue;
                }
                if cost < whole * MIN_SHARE || grown.len() >= MAX_NODES || depth >= MAX_DEPTH {
                    pruned += 1;
                    continue;
                }
                next = Some((callee, if callee_total > 0.0 { (cost / callee_total).min(1.0) } else { 0.0 }));
            }
        }
    }
    let (nodes, new_of) = preorder(&grown);
    let estimate = share_out(graph, &nodes, &new_of, &weight, pruned);
    let _ = profile;
    Ok(CallTree { nodes, tracks: Vec::new(), stacks: Vec::new(), basis, estimate: Some(estimate) })
}

fn share_out(
    graph: &CallGraph,
    nodes: &[super::call_tree::Node],
    new_of: &[u32],
    weight: &[Vec<(NodeId, f64)>],
    pruned: u64,
) -> Estimate {
    let scaled = |value: i64, factor: f64| (value as f64 * factor).round() as i64;
    let costs = graph
        .costs
        .iter()
        .map(|c| {
            let (mut own, mut total) = (vec![0i64; nodes.len()], vec![0i64; nodes.len()]);
            for (old, parts) in weight.iter().enumerate() {
                let new = new_of[old] as usize;
                for &(node, factor) in parts {
                    own[new] = own[new].saturating_add(scaled(c.node_self[node.index()], factor));
                }
                // Several functions in one node (a collapsed module) call each other: the first one counts.
                if let Some(&(node, factor)) = parts.first() {
                    total[new] = scaled(c.node_total[node.index()], factor);
                }
            }
            // A child is never wider than its parent, and a parent holds at least its own cost.
            for i in 0..nodes.len() {
                if nodes[i].parent != NO_NODE {
                    total[i] = total[i].min(total[nodes[i].parent as usize]);
                }
                own[i] = own[i].min(total[i].max(0));
            }
            (c.metric, own, total)
        })
        .collect();
    let mut calls = vec![0u64; nodes.len()];
    for (old, parts) in weight.iter().enumerate() {
        let sum: f64 = parts
            .iter()
            .filter_map(|&(node, factor)| Some(graph.nodes[node.index()].calls?.all as f64 * factor))
            .sum();
        calls[new_of[old] as usize] = sum.round() as u64;
    }
    Estimate { costs, calls, pruned }
}
