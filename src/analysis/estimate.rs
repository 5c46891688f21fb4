//! A call tree made from a call graph, which knows callers and callees but no paths.
//!
//! Assumption: a function behaves the same whoever calls it. The cost of a path is the cost of its
//! parent path times the share of the function's total that goes along the edge. Recursive calls are
//! skipped, and paths below 1/10 000 of the whole are not followed. This is the rule of speedscope's
//! callgrind importer and, without its squared pruning, of snakeviz.
//!
//! Invariant: a node's own cost and its children's totals never exceed its total. Recursion makes them do
//! so in the recorded numbers (a call of `b` by `a` holds the `a` that `b` calls); then the children are
//! scaled down together with all below them.

use super::call_tree::{CallTree, Growing, NO_NODE, Node, keys, preorder};
use super::path::{PathMapper, PathState};
use crate::jobs::{Cancelled, Job};
use crate::model::{Basis, CallGraph, GraphCosts, MetricId, NodeId, Profile};

/// Paths below this share of the whole are not followed.
const MIN_SHARE: f64 = 1e-4;
/// Most paths that are followed, visible or not.
const MAX_PATHS: usize = 200_000;
/// Deepest path that is followed.
const MAX_DEPTH: usize = 512;

/// Why the tree is an estimate, in the words that views show.
pub const WHY: &str = "this file records who called whom, but not whole call paths; \
    costs are shared out by the calls between each pair of functions";

/// Costs of an estimated tree.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// Self and total per node, for each measured metric.
    pub costs: Vec<(MetricId, Vec<i64>, Vec<i64>)>,
    /// Calls per node, shared out like the costs and rounded; empty when the tool counted no calls.
    pub calls: Vec<u64>,
    /// Number of paths that were not followed because they are too small, too deep or too many.
    pub pruned: u64,
}

/// Where paths begin: functions that nobody calls, and of those that cannot be reached from there (they
/// call each other in a circle) the most expensive one, as often as needed. Most expensive first.
#[must_use]
pub fn roots(graph: &CallGraph) -> Vec<NodeId> {
    roots_of(graph, &Callees::of(graph))
}

fn roots_of(graph: &CallGraph, out: &Callees) -> Vec<NodeId> {
    let n = graph.nodes.len();
    let total = |i: usize| graph.costs.first().map_or(0, |c| c.node_total[i]);
    let mut called = vec![false; n];
    for edge in graph.edges.iter().filter(|e| e.caller != e.callee) {
        called[edge.callee.index()] = true;
    }
    let mut reached = vec![false; n];
    let mut roots = Vec::new();
    // Those that are in circles only are mostly few: they are put in order when it is known which.
    for in_circles in [false, true] {
        let mut starts: Vec<usize> = (0..n).filter(|&i| !reached[i] && called[i] == in_circles).collect();
        starts.sort_by_key(|&i| std::cmp::Reverse(total(i)));
        for start in starts {
            if reached[start] {
                continue;
            }
            roots.push(NodeId::from_index(start));
            reached[start] = true;
            let mut open = vec![start];
            while let Some(node) = open.pop() {
                for &edge in out.of_node(node) {
                    let callee = graph.edges[edge as usize].callee.index();
                    if !std::mem::replace(&mut reached[callee], true) {
                        open.push(callee);
                    }
                }
            }
        }
    }
    roots.sort_by_key(|r| std::cmp::Reverse(total(r.index())));
    roots
}

/// Edges that leave each node, recursion aside, in one list.
struct Callees {
    starts: Vec<u32>,
    edges: Vec<u32>,
}

impl Callees {
    fn of(graph: &CallGraph) -> Self {
        let calls = || graph.edges.iter().enumerate().filter(|(_, e)| e.caller != e.callee);
        let mut starts = vec![0u32; graph.nodes.len() + 1];
        for (_, edge) in calls() {
            starts[edge.caller.index() + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut edges = vec![0; starts.last().map_or(0, |&n| n as usize)];
        for (i, edge) in calls() {
            let place = &mut next[edge.caller.index()];
            edges[*place as usize] = i as u32;
            *place += 1;
        }
        Self { starts, edges }
    }

    fn range(&self, node: usize) -> std::ops::Range<usize> {
        self.starts[node] as usize..self.starts[node + 1] as usize
    }

    fn of_node(&self, node: usize) -> &[u32] {
        &self.edges[self.range(node)]
    }
}

/// The total that goes along each edge. A tool that measured none is helped out by shares of calls.
fn edge_totals(graph: &CallGraph, costs: &GraphCosts) -> Vec<i64> {
    if costs.edges_measured || costs.edge_total.iter().any(|&c| c != 0) {
        return costs.edge_total.clone();
    }
    let calls = |e: &crate::model::CallEdge| e.calls.map_or(0, |c| c.all) as f64;
    let mut incoming = vec![0.0; graph.nodes.len()];
    for edge in graph.edges.iter().filter(|e| e.caller != e.callee) {
        incoming[edge.callee.index()] += calls(edge);
    }
    let share = |e: &crate::model::CallEdge| calls(e) / f64::max(incoming[e.callee.index()], 1.0);
    graph.edges.iter().map(|e| (costs.node_total[e.callee.index()] as f64 * share(e)) as i64).collect()
}

/// A followed path. Parents come first.
struct Part {
    /// The function at its end.
    node: NodeId,
    /// The edge to it and the path before; `None` for a root.
    from: Option<(u32, u32)>,
    /// The tree's node (in order of growth) that its own cost goes to, or [`NO_NODE`].
    tree: u32,
    /// False when a transform merged the function into its caller.
    entered: bool,
}

struct Walk<'a> {
    graph: &'a CallGraph,
    mapper: &'a PathMapper<'a>,
    out: Callees,
    /// Which functions are on the path that is being followed.
    on_path: Vec<bool>,
    edge_total: Vec<i64>,
    /// Cost of a path that is followed at least.
    least: f64,
    grown: Growing,
    parts: Vec<Part>,
    pruned: u64,
}

/// The end of the path that is being followed.
struct Open {
    part: u32,
    node: NodeId,
    /// Share of the function's whole cost that this path has.
    factor: f64,
    state: PathState,
    tree: u32,
    next_edge: usize,
}

impl Walk<'_> {
    fn enter(&mut self, node: NodeId, factor: f64, from: Option<u32>, above: Option<&Open>) -> Open {
        let root = self.mapper.root();
        let (state, tree) = above.map_or((&root, NO_NODE), |o| (&o.state, o.tree));
        let function = self.graph.nodes[node.index()].function;
        let (state, symbol) = self.mapper.step(state, function);
        let tree = symbol.map_or(tree, |symbol| self.grown.child(tree, symbol));
        self.grown.note(tree, &state, function);
        let part = self.parts.len() as u32;
        self.parts.push(Part {
            node,
            from: from.zip(above.map(|o| o.part)),
            tree: if state.alive { tree } else { NO_NODE },
            entered: symbol.is_some(),
        });
        Open { part, node, factor, state, tree, next_edge: 0 }
    }

    fn follow(&mut self, root: NodeId, totals: &[i64], job: &Job) -> Result<(), Cancelled> {
        self.on_path[root.index()] = true;
        let mut open = vec![self.enter(root, 1.0, None, None)];
        while let Some(top) = open.last_mut() {
            let Some(&edge) = self.out.of_node(top.node.index()).get(top.next_edge) else {
                self.on_path[top.node.index()] = false;
                open.pop();
                continue;
            };
            top.next_edge += 1;
            let callee = self.graph.edges[edge as usize].callee;
            if self.on_path[callee.index()] {
                continue;
            }
            let cost = self.edge_total[edge as usize] as f64 * top.factor;
            if cost < self.least || self.parts.len() >= MAX_PATHS || open.len() >= MAX_DEPTH {
                self.pruned += 1;
                continue;
            }
            let factor = (cost / totals[callee.index()].max(1) as f64).min(1.0);
            let next = self.enter(callee, factor, Some(edge), open.last());
            self.on_path[callee.index()] = true;
            open.push(next);
            job.checkpoint(self.parts.len() as u64, 0)?;
        }
        Ok(())
    }
}

pub(super) fn tree(
    profile: &Profile,
    graph: &CallGraph,
    mapper: &PathMapper<'_>,
    job: &Job,
) -> Result<CallTree, Cancelled> {
    let mut out = Callees::of(graph);
    let roots = roots_of(graph, &out);
    let (mut edge_total, mut totals, mut whole) = (vec![0; graph.edges.len()], Vec::new(), 0i64);
    if let Some(main) = graph.costs.first() {
        edge_total = edge_totals(graph, main);
        totals.clone_from(&main.node_total);
        whole = main.node_self.iter().fold(0, |a, &b| a.saturating_add(b));
    }
    totals.resize(graph.nodes.len(), 0);
    for node in 0..graph.nodes.len() {
        let range = out.range(node);
        out.edges[range].sort_by_key(|&i| std::cmp::Reverse(edge_total[i as usize]));
    }
    let mut walk = Walk {
        graph,
        mapper,
        out,
        on_path: vec![false; graph.nodes.len()],
        edge_total,
        least: whole as f64 * MIN_SHARE,
        grown: Growing::default(),
        parts: Vec::new(),
        pruned: 0,
    };
    for root in roots {
        walk.follow(root, &totals, job)?;
    }
    let (nodes, new_of) = preorder(&walk.grown.nodes);
    for part in walk.parts.iter_mut().filter(|p| p.tree != NO_NODE) {
        part.tree = new_of[part.tree as usize];
    }
    let costs = graph.costs.iter().map(|c| share_out(graph, c, &nodes, &walk.parts)).collect();
    let estimate = Estimate { costs, calls: calls(graph, nodes.len(), &walk.parts), pruned: walk.pruned };
    Ok(CallTree {
        keys: keys(&nodes, profile),
        nodes,
        tracks: Vec::new(),
        stacks: Vec::new(),
        nested: Vec::new(),
        basis: Basis::Estimated(WHY.into()),
        estimate: Some(estimate),
    })
}

/// For each path the share of its function's whole cost.
fn factors(graph: &CallGraph, costs: &GraphCosts, parts: &[Part]) -> Vec<f64> {
    let edge_total = edge_totals(graph, costs);
    let mut factors: Vec<f64> = Vec::with_capacity(parts.len());
    for part in parts {
        factors.push(part.from.map_or(1.0, |(edge, above)| {
            let total = costs.node_total[part.node.index()].max(1) as f64;
            (factors[above as usize] * edge_total[edge as usize] as f64 / total).clamp(0.0, 1.0)
        }));
    }
    factors
}

fn share_out(
    graph: &CallGraph,
    costs: &GraphCosts,
    nodes: &[Node],
    parts: &[Part],
) -> (MetricId, Vec<i64>, Vec<i64>) {
    let factors = factors(graph, costs, parts);
    let cost = |column: &[i64], i: usize| column[parts[i].node.index()].max(0) as f64 * factors[i];
    // What dropped functions cost is no part of their callers' totals.
    let mut dropped = vec![0.0; parts.len()];
    for i in (0..parts.len()).rev() {
        let Some((_, above)) = parts[i].from else { continue };
        let above = above as usize;
        if parts[above].tree != NO_NODE {
            dropped[above] += if parts[i].tree == NO_NODE { cost(&costs.node_total, i) } else { dropped[i] };
        }
    }
    let (mut own, mut total) = (vec![0.0; nodes.len()], vec![0.0; nodes.len()]);
    for (i, part) in parts.iter().enumerate().filter(|(_, p)| p.tree != NO_NODE) {
        own[part.tree as usize] += cost(&costs.node_self, i);
        if part.entered {
            total[part.tree as usize] += (cost(&costs.node_total, i) - dropped[i]).max(0.0);
        }
    }
    let (own, total) = fitted(nodes, &own, &total);
    (costs.metric, own, total)
}

/// Whole numbers, scaled down where children would not fit into their parent.
fn fitted(nodes: &[Node], own: &[f64], total: &[f64]) -> (Vec<i64>, Vec<i64>) {
    let mut below = vec![0.0; nodes.len()];
    for (i, node) in nodes.iter().enumerate().filter(|(_, n)| n.parent != NO_NODE) {
        below[node.parent as usize] += total[i];
    }
    let (mut out_own, mut out_total) = (vec![0i64; nodes.len()], vec![0i64; nodes.len()]);
    // Scale of a node's children, and what is left for those that come later.
    let mut scale = vec![1.0; nodes.len()];
    let mut left = vec![i64::MAX; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        let (outer, room) = match node.parent {
            NO_NODE => (1.0, i64::MAX),
            parent => (scale[parent as usize], left[parent as usize]),
        };
        out_total[i] = ((total[i] * outer).round() as i64).min(room);
        out_own[i] = ((own[i] * outer).round() as i64).min(out_total[i]);
        left[i] = out_total[i] - out_own[i];
        let wanted = below[i] * outer;
        scale[i] = if wanted > left[i] as f64 { outer * left[i] as f64 / wanted } else { outer };
        if node.parent != NO_NODE {
            left[node.parent as usize] -= out_total[i];
        }
    }
    (out_own, out_total)
}

/// Calls along each path: those along its last edge times the share of the path before.
fn calls(graph: &CallGraph, nodes: usize, parts: &[Part]) -> Vec<u64> {
    let Some(costs) = graph.costs.first().filter(|_| graph.nodes.iter().any(|n| n.calls.is_some())) else {
        return Vec::new();
    };
    let factors = factors(graph, costs, parts);
    let mut calls = vec![0.0; nodes];
    for part in parts.iter().filter(|p| p.tree != NO_NODE && p.entered) {
        let counted = |calls: Option<crate::model::Calls>| calls.map_or(0.0, |c| c.all as f64);
        calls[part.tree as usize] += match part.from {
            Some((edge, above)) => counted(graph.edges[edge as usize].calls) * factors[above as usize],
            None => counted(graph.nodes[part.node.index()].calls),
        };
    }
    calls.into_iter().map(|c: f64| c.round() as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, dump, path, subject};
    use crate::analysis::{Costs, Scope, Slice, Transform, TreeCosts};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn costs(subject: &crate::query::Run, transforms: Vec<Transform>) -> Arc<TreeCosts> {
        let scope = Scope { tracks: Vec::new(), transforms };
        ask(subject, &Costs(Slice { scope, ..Slice::default() }))
    }

    /// `leaf` is called by two functions, three times as long by `b`.
    const SHARED: &str = "fn main 1 10 100; fn a 4 20 40; fn b 1 20 50; fn leaf 6 50 50
        main -> a 4 20 40; main -> b 1 20 50; a -> leaf 2 20 20; b -> leaf 4 30 30";

    #[test]
    fn costs_follow_the_edges() {
        let s = subject(SHARED);
        let c = costs(&s, vec![]);
        assert_eq!(dump(&s.profile, &c), "main 100/10 >a 40/20 >>leaf 20/20 >b 50/20 >>leaf 30/30");
        let leaf = c.tree.find(&path(&s.profile, "main>b>leaf"), &s.profile.functions).unwrap();
        assert_eq!((c.calls[leaf as usize], c.sum), (4, 100));
        assert!(matches!(c.tree.basis, Basis::Estimated(_)));
    }

    #[test]
    fn transforms_act_on_estimated_trees_as_on_measured_ones() {
        let s = subject(SHARED);
        let f = |name| crate::analysis::testing::symbol(&s.profile, name);
        let after = |t| dump(&s.profile, &costs(&s, vec![t]));
        assert_eq!(after(Transform::FocusFunction(f("leaf"))), "leaf 50/50");
        assert_eq!(after(Transform::MergeFunction(f("a"))), "main 100/30 >b 50/20 >>leaf 30/30 >leaf 20/20");
        assert_eq!(after(Transform::DropFunction(f("b"))), "main 50/10 >a 40/20 >>leaf 20/20");
        assert_eq!(after(Transform::DropFunction(f("leaf"))), "main 50/10 >a 20/20 >b 20/20");
    }

    #[test]
    fn recursion_is_not_followed_and_never_widens() {
        // The golden sample of pstats: a calls b, b calls a.
        let s = subject(
            "fn main 1 1 20; fn a 3/1 6 16; fn b 2/1 4 14; fn leaf 6 6 6; main -> a 1 2 16; a -> b 2/1 4 14
             b -> a 2/1 4 10; a -> leaf 3 3 3; b -> leaf 2 2 2; main -> leaf 1 1 1; leaf -> leaf 9 0 6",
        );
        let c = costs(&s, vec![]);
        assert_eq!(dump(&s.profile, &c), "main 20/1 >a 16/6 >>b 8/2 >>>leaf 1/1 >>leaf 2/2 >leaf 1/1");
    }

    #[test]
    fn circles_without_an_entry_are_entered_at_the_most_expensive_function() {
        let s = subject(
            "fn a 1 2 9; fn b 1 7 7; a -> b 1 7 7; b -> a 1 0 0; fn main 1 3 3; fn x 1 1 2; x -> x 1 0 1",
        );
        assert_eq!(dump(&s.profile, &costs(&s, vec![])), "a 9/2 >b 7/7 main 3/3 x 2/1");
    }

    #[test]
    fn without_costs_of_edges_calls_share_out() {
        let mut p =
            (*subject("fn m 1 0 30; fn n 1 0 10; fn f 4 40 40; m -> f 3 0 0; n -> f 1 0 0").profile).clone();
        p.call_graph.as_mut().unwrap().costs[0].edges_measured = false;
        let s = crate::query::Run::of(Arc::new(p));
        assert_eq!(dump(&s.profile, &costs(&s, vec![])), "m 30/0 >f 30/30 n 10/0 >f 10/10");
    }

    proptest! {
        /// Any graph, however contradictory its numbers.
        #[test]
        fn nothing_is_wider_than_its_parent(
            nodes in proptest::collection::vec((0u64..9, -5i64..100, -5i64..1000), 1..9),
            edges in proptest::collection::vec((0usize..9, 0usize..9, 0u64..9, -5i64..1000), 0..30),
        ) {
            let n = nodes.len();
            let mut text: Vec<String> =
                nodes.iter().enumerate().map(|(i, (c, own, total))| format!("fn f{i} {c} {own} {total}")).collect();
            text.extend(edges.iter().map(|(a, b, c, t)| format!("f{} -> f{} {c} 0 {t}", a % n, b % n)));
            let s = subject(&text.join(";"));
            let drop = Transform::DropFunction(s.profile.keys().symbol(crate::model::FunctionId(0)));
            for transforms in [vec![], vec![drop]] {
                let c = costs(&s, transforms);
                for i in 0..c.tree.nodes.len() {
                    let below: i64 = c.tree.children(Some(i as u32)).map(|k| c.total[k as usize]).sum();
                    prop_assert!(c.own[i] >= 0 && c.own[i] + below <= c.total[i]);
                }
            }
        }
    }
}
