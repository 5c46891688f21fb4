//! From the flow to paths: the largest are followed first, as many as are worth drawing.
//!
//! Outside of cycles a path has the share of its function's whole behaviour that its call has of all that enters the
//! function; in a cycle it follows the paths that were found for it. At each place what is spent, what goes on and what is not
//! followed add up to what came in.
//!
//! A function at thousands of small places would have each of its callees at all of them, and so on. Small parts
//! stand at some of the places for all of them ([`Turns`]): each call keeps its cost in sum, and paths go to their ends.

use std::collections::BinaryHeap;

use super::Solution;
use super::cycle::OUTSIDE;
use super::flow::Flow;
use super::lay::NONE;
use super::turns::{Item, Turns};
use crate::analysis::call_tree::{Growing, NO_NODE};
use crate::analysis::path::{PathMapper, PathState};
use crate::jobs::{Cancelled, Job};
use crate::model::CallGraph;
use crate::model::lists::Lists;

/// Most paths that are followed; as many again that only lead to what a focus shows.
const MOST: usize = 200_000;
/// Paths below this share of what is shown are not followed …
const LEAST: f64 = 1e-6;
/// … nor below this share of the whole on the way to it.
const LEAST_ON_THE_WAY: f64 = 1e-9;

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

/// A smaller share of a total is no difference.
const ROUNDING: f64 = 1e-6;

/// Where a path goes on from.
#[derive(Clone, Copy)]
enum At {
    /// A function outside of cycles, which has this share of its behaviour here.
    Plain(f64),
    /// A node of a cycle's paths, this many times as large.
    Cycle(u32, u32, f64),
}

struct Open {
    /// The whole of what is shown here.
    base: f64,
    part: u32,
    at: At,
    state: PathState,
}

/// The place of an [`Open`] path in the queue: small, because the queue is put in order again and again.
#[derive(Clone, Copy)]
struct Turn {
    size: f64,
    part: u32,
    /// Its number among [`Waiting::paths`].
    path: u32,
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.part == other.part
    }
}

impl Eq for Turn {}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.size.total_cmp(&other.size).then(other.part.cmp(&self.part))
    }
}

/// Paths that wait to be followed, the largest first.
#[derive(Default)]
struct Waiting {
    turns: BinaryHeap<Turn>,
    paths: Vec<Option<Open>>,
    free: Vec<u32>,
}

impl Waiting {
    fn push(&mut self, size: f64, open: Open) {
        let part = open.part;
        let path = match self.free.pop() {
            Some(path) => {
                self.paths[path as usize] = Some(open);
                path
            }
            None => {
                self.paths.push(Some(open));
                self.paths.len() as u32 - 1
            }
        };
        self.turns.push(Turn { size, part, path });
    }

    fn pop(&mut self) -> Option<Open> {
        let turn = self.turns.pop()?;
        self.free.push(turn.path);
        self.paths[turn.path as usize].take()
    }

    /// All that wait, in no order.
    fn take(&mut self) -> Vec<Open> {
        self.turns.clear();
        self.free.clear();
        std::mem::take(&mut self.paths).into_iter().flatten().collect()
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
    turns: Turns,
    solution: &'a Solution,
    graph: &'a CallGraph,
    mapper: &'a PathMapper<'a>,
    root: PathState,
    /// Children of the nodes of each cycle's paths.
    children: Vec<Option<Lists<u32>>>,
    grown: Growing,
    parts: Vec<Part>,
    waiting: Waiting,
    /// Paths to what a focus shows, and shown ones.
    count: [usize; 2],
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
        root: mapper.root(),
        children: solution.cycles.iter().map(|_| None).collect(),
        grown: Growing::default(),
        parts: Vec::new(),
        waiting: Waiting::default(),
        turns: Turns::new(&solution.flow),
        count: [0; 2],
    };
    if !solution.flow.has_paths() {
        return Ok(Unrolled { parts: walk.parts, grown: walk.grown });
    }
    for &(node, cost) in &solution.flow.roots {
        let calls = walk.root_calls(node);
        walk.follow(node, None, None, cost, calls);
    }
    while !walk.is_full() {
        let Some(open) = walk.waiting.pop() else { break };
        job.checkpoint(walk.parts.len() as u64, MOST as u64)?;
        walk.expand(&open);
    }
    // When there are enough paths, the rest still has its own costs.
    for open in walk.waiting.take() {
        job.checkpoint(walk.parts.len() as u64, MOST as u64)?;
        walk.expand(&open);
    }
    Ok(Unrolled { parts: walk.parts, grown: walk.grown })
}

impl Walk<'_> {
    /// True when no further path is followed.
    fn is_full(&self) -> bool {
        self.count[1] >= MOST && (self.count[0] == 0 || self.count[0] >= MOST)
    }

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
        let shown = above.map_or(self.root.alive, |o| o.state.alive);
        let base = above.map_or_else(|| self.solution.flow.whole, |o| o.base);
        let least = base * if shown { LEAST } else { LEAST_ON_THE_WAY };
        if self.count[usize::from(shown)] >= MOST || cost.abs() < least.max(0.5) {
            return;
        }
        let function = self.graph.nodes[node as usize].function;
        let parent = above.map_or(NONE, |o| o.part);
        let tree = above.map_or(NO_NODE, |o| self.parts[o.part as usize].tree);
        let (state, symbol) = self.mapper.step(above.map_or(&self.root, |o| &o.state), function);
        // What is dropped has its place, but nothing below it.
        let gone = self.mapper.is_gone(&state);
        let tree = symbol.map_or(tree, |symbol| self.grown.child(tree, symbol));
        self.grown.note(tree, &state, function);
        let part = self.parts.len() as u32;
        self.count[usize::from(state.alive)] += 1;
        // What a focus shows first is the whole of what is below it.
        let base = if state.alive && !shown { cost.abs() } else { base };
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
            self.waiting.push(cost.abs(), Open { base, part, at, state });
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
                let item = |call: u32, all: f64| Item { call, at: NONE, cost: all * share, all };
                let mut items = vec![item(NONE, flow.own[node])];
                items.extend(flow.out.of(node).iter().map(|&c| item(c, flow.calls[c as usize].cost)));
                let spent: f64 = items.iter().map(|i| i.cost).sum();
                // What is left by rounding is no gap.
                let unaccounted = total - spent;
                if unaccounted.abs() > ROUNDING * total.abs() {
                    self.parts[open.part as usize].unaccounted = unaccounted;
                }
                self.go_on(open, node, items, (NONE, 1.0));
            }
            At::Cycle(cycle, at, factor) => self.expand_in_cycle(open, (cycle, at, factor)),
        }
    }

    fn expand_in_cycle(&mut self, open: &Open, (cycle, at, factor): (u32, u32, f64)) {
        let solution = self.solution;
        let paths = &solution.cycles[cycle as usize];
        let nodes = &paths.skeleton.nodes;
        let children = self.children[cycle as usize].get_or_insert_with(|| paths.skeleton.children());
        let below = children.of(at as usize);
        let here = &nodes[at as usize];
        let passed: f64 = below.iter().map(|&b| nodes[b as usize].total).sum();
        let part = &mut self.parts[open.part as usize];
        let node = part.node as usize;
        part.unaccounted = (here.total - here.own - passed).max(0.0) * factor * paths.unaccounted;
        let mut items = vec![Item { call: NONE, at, cost: here.own * factor, all: solution.flow.own[node] }];
        items.extend(below.iter().map(|&b| {
            let child = &nodes[b as usize];
            let (call, cost) = (paths.calls[child.link as usize], child.total * factor);
            // Calls within the cycle have their places.
            let all = if child.function == OUTSIDE { solution.flow.calls[call as usize].cost } else { cost };
            Item { call, at: b, cost, all }
        }));
        self.go_on(open, node, items, (cycle, factor));
    }

    /// Spends what a place spends itself, and follows what it calls, the largest first.
    fn go_on(&mut self, open: &Open, node: usize, mut items: Vec<Item>, (cycle, factor): (u32, f64)) {
        let solution = self.solution;
        if self.count[usize::from(open.state.alive)] >= MOST {
            self.parts[open.part as usize].own =
                items.iter().find(|i| i.call == NONE).map_or(0.0, |i| i.cost);
            return;
        }
        self.turns.take(node, &mut items, open.base);
        items.sort_by(|a, b| b.cost.abs().total_cmp(&a.cost.abs()).then(a.call.cmp(&b.call)));
        for Item { call, at, cost, .. } in items {
            if call == NONE {
                self.parts[open.part as usize].own = cost;
                continue;
            }
            let counted = solution.flow.calls[call as usize];
            let child = solution.cycles.get(cycle as usize).map(|paths| paths.skeleton.nodes[at as usize]);
            let flow = child.map_or(counted.cost, |c| solution.cycles[cycle as usize].flows[c.link as usize]);
            let calls = if flow == 0.0 { 0.0 } else { counted.all * cost / flow };
            if child.is_some_and(|c| c.function != OUTSIDE) {
                self.enter(counted.to, At::Cycle(cycle, at, factor), Some(open), cost, calls);
            } else {
                self.follow(counted.to, Some(call), Some(open), cost, calls);
            }
        }
    }
}
