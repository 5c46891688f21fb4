//! From the flow to paths: the largest are followed first, as many as are worth drawing.
//!
//! Outside of cycles a path has the share of its function's whole behaviour that its call has of all that enters the
//! function; in a cycle it follows the paths that were found for it. At each place what is spent, what goes on and what is not
//! followed add up to what came in.

use std::collections::BinaryHeap;

use super::Solution;
use super::cycle::OUTSIDE;
use super::flow::{Flow, Lists};
use super::lay::NONE;
use crate::analysis::call_tree::{Growing, NO_NODE};
use crate::analysis::path::{PathMapper, PathState};
use crate::jobs::{Cancelled, Job};
use crate::model::CallGraph;

/// Most paths that are followed, visible or not.
const MOST: usize = 200_000;
/// Paths below this share of the whole are not followed.
const LEAST: f64 = 1e-6;

/// A followed path. Parents come first.
#[derive(Clone, Debug)]
pub struct Part {
    /// The node of the graph at its end.
    pub node: u32,
    /// The path before; [`NONE`] for a root.
    pub parent: u32,
    /// The tree's node (in order of growth) that its costs go to, or [`NO_NODE`].
    pub tree: u32,
    /// False when a transform merged the function into its caller.
    pub entered: bool,
    /// Cost.
    pub total: f64,
    /// Own cost.
    pub own: f64,
    /// Cost that no function has as its own.
    pub unaccounted: f64,
    /// Calls along its last step.
    pub calls: f64,
}

/// Where a path goes on from.
#[derive(Clone, Copy)]
enum At {
    /// A function outside of cycles, which has this share of its behaviour here.
    Plain(f64),
    /// A node of a cycle's paths, this many times as large.
    Cycle(u32, u32, f64),
}

struct Open {
    size: f64,
    part: u32,
    at: At,
    state: PathState,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.part == other.part
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.size.total_cmp(&other.size).then(other.part.cmp(&self.part))
    }
}

/// Paths, and the nodes they grow.
pub struct Unrolled {
    /// The paths.
    pub parts: Vec<Part>,
    /// Nodes in order of growth.
    pub grown: Growing,
}

struct Walk<'a> {
    solution: &'a Solution,
    graph: &'a CallGraph,
    mapper: &'a PathMapper<'a>,
    /// Children of the nodes of each cycle's paths.
    children: Vec<Option<Lists>>,
    grown: Growing,
    parts: Vec<Part>,
    heap: BinaryHeap<Open>,
    least: f64,
}

/// Follows the paths of a solution.
pub fn unroll(
    solution: &Solution,
    graph: &CallGraph,
    mapper: &PathMapper<'_>,
    job: &Job,
) -> Result<Unrolled, Cancelled> {
    let mut walk = Walk {
        solution,
        graph,
        mapper,
        children: solution.cycles.iter().map(|_| None).collect(),
        grown: Growing::default(),
        parts: Vec::new(),
        heap: BinaryHeap::new(),
        least: solution.flow.whole() * LEAST,
    };
    if !solution.flow.has_paths() {
        return Ok(Unrolled { parts: walk.parts, grown: walk.grown });
    }
    for &(node, cost) in &solution.flow.roots {
        let calls = walk.root_calls(node);
        walk.follow(node, None, None, cost, calls);
    }
    // When there are enough paths, the rest still has its own costs.
    while let Some(open) = walk.heap.pop() {
        job.checkpoint(walk.parts.len() as u64, MOST as u64)?;
        walk.expand(&open);
    }
    Ok(Unrolled { parts: walk.parts, grown: walk.grown })
}

impl Walk<'_> {
    fn flow(&self) -> &Flow {
        &self.solution.flow
    }

    /// Calls of a root that no recorded caller made.
    fn root_calls(&self, node: u32) -> f64 {
        let flow = self.flow();
        let made: f64 = flow.into.of(node as usize).iter().map(|&c| flow.calls[c as usize].all).sum();
        flow.counts[node as usize].map_or(0.0, |c| (c.all as f64 - made).max(1.0))
    }

    /// Follows a call to `node`, or a root.
    fn follow(&mut self, node: u32, call: Option<u32>, above: Option<&Open>, cost: f64, calls: f64) {
        let solution = self.solution;
        let cycle = solution.cycle_of[solution.flow.component[node as usize] as usize];
        let at = match cycle {
            NONE => {
                let inflow = solution.flow.inflow[node as usize];
                At::Plain(if inflow == 0.0 { 0.0 } else { (cost / inflow).clamp(0.0, 1.0) })
            }
            cycle => {
                let paths = &solution.cycles[cycle as usize];
                let Some(&entry) = paths.entries.get(&call.unwrap_or(NONE)) else { return };
                let total = paths.skeleton.nodes[entry as usize].total;
                At::Cycle(cycle, entry, if total > 0.0 { cost / total } else { 0.0 })
            }
        };
        self.enter(node, at, above, cost, calls);
    }

    fn enter(&mut self, node: u32, at: At, above: Option<&Open>, cost: f64, calls: f64) {
        if self.parts.len() >= MOST || cost.abs() < self.least.max(0.5) {
            return;
        }
        let root = self.mapper.root();
        let function = self.graph.nodes[node as usize].function;
        let parent = above.map_or(NONE, |o| o.part);
        let tree = above.map_or(NO_NODE, |o| self.parts[o.part as usize].tree);
        let (state, symbol) = self.mapper.step(above.map_or(&root, |o| &o.state), function);
        // What is dropped has its place, but nothing below it.
        let gone = self.mapper.is_gone(&state);
        let tree = symbol.map_or(tree, |symbol| self.grown.child(tree, symbol));
        self.grown.note(tree, &state, function);
        let part = self.parts.len() as u32;
        self.parts.push(Part {
            node,
            parent,
            tree: if state.alive { tree } else { NO_NODE },
            entered: symbol.is_some(),
            total: cost,
            own: 0.0,
            unaccounted: 0.0,
            calls,
        });
        if !gone {
            self.heap.push(Open { size: cost.abs(), part, at, state });
        }
    }

    fn expand(&mut self, open: &Open) {
        let solution = self.solution;
        let flow = &solution.flow;
        let (node, total) = {
            let part = &self.parts[open.part as usize];
            (part.node as usize, part.total)
        };
        match open.at {
            At::Plain(share) => {
                let leaving = flow.out.of(node).iter().map(|&c| (c, flow.calls[c as usize]));
                let spent = flow.own[node] + leaving.clone().map(|(_, call)| call.cost).sum::<f64>();
                let part = &mut self.parts[open.part as usize];
                part.own = flow.own[node] * share;
                part.unaccounted = total - spent * share;
                let mut calls: Vec<_> = leaving.collect();
                calls.sort_by(|a, b| b.1.cost.abs().total_cmp(&a.1.cost.abs()).then(a.0.cmp(&b.0)));
                for (c, call) in calls {
                    self.follow(call.to, Some(c), Some(open), call.cost * share, call.all * share);
                }
            }
            At::Cycle(cycle, at, factor) => self.expand_in_cycle(open, (cycle, at, factor)),
        }
    }

    fn expand_in_cycle(&mut self, open: &Open, (cycle, at, factor): (u32, u32, f64)) {
        let solution = self.solution;
        let paths = &solution.cycles[cycle as usize];
        let nodes = &paths.skeleton.nodes;
        let children = self.children[cycle as usize].get_or_insert_with(|| paths.skeleton.children());
        let mut below: Vec<u32> = children.of(at as usize).to_vec();
        below.sort_by(|&a, &b| nodes[b as usize].total.total_cmp(&nodes[a as usize].total).then(a.cmp(&b)));
        let here = &nodes[at as usize];
        let passed: f64 = below.iter().map(|&b| nodes[b as usize].total).sum();
        let part = &mut self.parts[open.part as usize];
        part.own = here.own * factor;
        part.unaccounted = (here.total - here.own - passed).max(0.0) * factor * paths.unaccounted;
        for b in below {
            let child = &nodes[b as usize];
            let call = paths.calls[child.link as usize];
            let (cost, counted) = (child.total * factor, solution.flow.calls[call as usize]);
            let calls = counted.all * factor * child.total / paths.flows[child.link as usize].max(1e-9);
            if child.function == OUTSIDE {
                self.follow(counted.to, Some(call), Some(open), cost, calls);
            } else {
                self.enter(counted.to, At::Cycle(cycle, b, factor), Some(open), cost, calls);
            }
        }
    }
}
