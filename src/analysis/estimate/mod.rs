//! A call tree made from a call graph, which knows callers and callees but no paths.
//!
//! Four steps, each its own file: the recorded numbers as a flow of cost (`flow`); paths through functions that call
//! each other in circles, laid out so that they contradict the file least (`cycle`, `lay`, `settle`, `moves`, `ways`, `search`); the
//! largest paths of it all (`unroll`); whole numbers by node of the tree (`shares`).
//!
//! Assumption: a function behaves the same whoever calls it, unless the file says more: one call is at one place, and in a
//! cycle totals and costs of calls must be met at all places together.
//!
//! Invariants: at each node own cost, children, what is not placed and what is not accounted for add up to its total, and
//! those of all roots with the rest to the whole. Where each function has one caller the tree has the recorded numbers.

mod check;
mod cycle;
mod flow;
mod lay;
mod moves;
mod search;
mod settle;
mod shares;
#[cfg(test)]
mod tests;
mod turns;
mod unroll;
mod ways;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::cycle::Cycle;
use self::flow::Flow;
use self::lay::NONE;
use self::settle::Skeleton;
use super::call_tree::{CallTree, NO_NODE, keys, preorder};
use super::formula::{shown, terms};
use super::functions::graph_of;
use super::path::PathMapper;
use super::scope::Slice;
use super::tree_costs::TreeCosts;
use super::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::{Basis, MetricKey};
use crate::query::{Context, Query};

pub use self::check::{Check, Compared, Errors, Pair};

/// Why the tree is an estimate, in the words that views show.
pub const WHY: &str = "this file records who called whom, but not whole call paths; \
    costs are shared out by the calls between each pair of functions";

/// Computes the flow of a metric; `None` for a profile that has more than a call graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Flows(MetricKey);

impl Query for Flows {
    type Output = Option<Arc<Flow>>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let profile = cx.profile();
        Ok(graph_of(profile).map(|graph| Arc::new(Flow::of(graph, &terms(self.0, profile)))))
    }

    fn weight(flow: &Self::Output) -> usize {
        flow.as_ref().map_or(0, |f| f.own.len() * 64 + f.calls.len() * 56)
    }
}

/// What shares of a call graph's costs are of. `None` for a profile that has better than a call graph.
pub(super) fn whole(metric: MetricKey, cx: &Context<'_>) -> Result<Option<Whole>, Cancelled> {
    let is_shown = metric.is_first() || shown(MetricKey::default(), cx.profile()) == metric;
    if is_shown {
        // Its tree is asked for next.
        return Ok(cx.get(&Flows(metric))?.as_ref().as_ref().map(|flow| flow.whole()));
    }
    Ok(*cx.get(&WholeOf(metric))?)
}

/// The whole of a metric whose tree nobody may ask for: a file that counts nine events has nine flows, each as large as the
/// graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct WholeOf(MetricKey);

impl Query for WholeOf {
    type Output = Option<Whole>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let profile = cx.profile();
        Ok(graph_of(profile).map(|graph| Flow::of(graph, &terms(self.0, profile)).whole()))
    }

    fn weight(_: &Self::Output) -> usize {
        16
    }
}

/// Paths through a cycle.
#[derive(Debug)]
struct Paths {
    skeleton: Skeleton,
    /// Number of the entry by its call; that of a root is [`NONE`].
    entries: FxHashMap<u32, u32>,
    /// Call of each link.
    calls: Vec<u32>,
    /// Cost along each link over all nodes.
    flows: Vec<f64>,
    /// The part of what has no place that no function has as its own.
    unaccounted: f64,
}

/// A flow, and paths through its cycles.
#[derive(Debug)]
struct Solution {
    flow: Arc<Flow>,
    /// Number of the paths of each component; [`NONE`] outside of cycles.
    cycle_of: Vec<u32>,
    cycles: Vec<Paths>,
}

/// Computes what all trees of a call graph and metric rest on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Solve(MetricKey);

impl Query for Solve {
    type Output = Option<Solution>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let Some(flow) = cx.get(&Flows(self.0))?.as_ref().clone() else { return Ok(None) };
        let mut cycle_of = vec![NONE; flow.components];
        let mut cycles = Vec::new();
        let mut local = vec![0; flow.own.len()];
        for (component, number) in cycle_of.iter_mut().enumerate() {
            cx.job().checkpoint(component as u64, flow.components as u64)?;
            if flow.members.of(component).first().is_some_and(|&n| flow.in_cycle(n as usize)) {
                *number = cycles.len() as u32;
                cycles.push(paths(&flow, component, &mut local, cx)?);
            }
        }
        Ok(Some(Solution { flow, cycle_of, cycles }))
    }

    fn weight(solution: &Self::Output) -> usize {
        let of = |paths: &Paths| paths.skeleton.nodes.len() * 32 + paths.calls.len() * 12;
        solution.as_ref().map_or(0, |s| s.cycles.iter().map(of).sum())
    }
}

fn paths(flow: &Flow, component: usize, local: &mut [u32], cx: &Context<'_>) -> Result<Paths, Cancelled> {
    let cycle = Cycle::of(flow, component, local);
    let skeleton = search::best(&cycle, cx.job())?;
    let mut flows = vec![0.0; cycle.links.len()];
    for node in skeleton.nodes.iter().filter(|n| n.link != NONE) {
        flows[node.link as usize] += node.total;
    }
    let entered: f64 = cycle.entries.iter().map(|e| e.cost).sum();
    let (rest, lacking) = (entered - skeleton.placed(), entered - cycle.spent);
    Ok(Paths {
        skeleton,
        entries: cycle.entries.iter().map(|e| e.call.unwrap_or(NONE)).zip(0..).collect(),
        calls: cycle.links.iter().map(|l| l.call).collect(),
        flows,
        unaccounted: if rest > 0.0 { (lacking / rest).clamp(0.0, 1.0) } else { 0.0 },
    })
}

/// The costs of the tree made from the call graph; `None` for a profile that has better.
pub(super) fn costs(slice: &Slice, cx: &Context<'_>) -> Result<Option<TreeCosts>, Cancelled> {
    let profile = cx.profile();
    let solution = cx.get(&Solve(slice.metric))?;
    let (Some(graph), Some(solution)) = (graph_of(profile), solution.as_ref()) else { return Ok(None) };
    let mapper = PathMapper::new(&slice.scope.transforms, profile);
    let mut unrolled = unroll::unroll(solution, graph, &mapper, cx.job())?;
    let (nodes, new_of) = preorder(&unrolled.grown.nodes);
    for part in unrolled.parts.iter_mut().filter(|p| p.tree != NO_NODE) {
        part.tree = new_of[part.tree as usize];
    }
    let whole = solution.flow.whole();
    // What has no place among the roots is no part of what a focus shows.
    let shown = mapper.root().alive;
    let columns = shares::Columns::of(&nodes, &unrolled.parts, shown.then_some(whole.total));
    let counted = graph.nodes.iter().any(|n| n.calls.is_some());
    let tree = CallTree {
        keys: keys(&nodes, profile),
        nodes,
        tracks: Vec::new(),
        stacks: Vec::new(),
        nested: Vec::new(),
        basis: Basis::Estimated(WHY.into()),
    };
    Ok(Some(TreeCosts {
        tree: Arc::new(tree),
        own: columns.own,
        total: columns.total,
        calls: if counted { columns.calls } else { Vec::new() },
        unfinished: Vec::new(),
        samples: Vec::new(),
        samples_total: Vec::new(),
        whole,
        at_once: 0,
        gaps: Some(columns.gaps),
    }))
}
