//! What runs while one function runs, from recorded edges, which know no paths.
//!
//! Direct callers and callees are as recorded. Further away the cost of a function that is called from
//! several places is shared out in proportion to what its callers spend in it, as KCachegrind does: if f
//! spends 3 of the 4 ms of g, three quarters of what g calls count for f. Members of a cycle share one
//! proportion. What had to be shared out so is marked as estimated.

use super::call_graph::{Adjacency, Graph, GraphEdge, GraphNode, NOBODY};
use super::whole::Whole;
use crate::model::FunctionId;
use crate::model::cycles::{Components, components};

/// The part of a recorded graph that is above and below `function`, with the costs that fall on it.
#[must_use]
pub fn around(whole: &Graph, function: Option<FunctionId>) -> Graph {
    let Some(target) = function.and_then(|f| whole.find(f)) else {
        return Graph { basis: whole.basis.clone(), ..Graph::default() };
    };
    let flow = Flow { whole, adjacency: whole.adjacency(), target: target as usize };
    let (below, above) = (flow.below(), flow.above());
    let limit = whole.nodes[target as usize].total;
    let mut row_of = vec![NOBODY; whole.nodes.len()];
    let mut nodes = Vec::new();
    for (i, node) in whole.nodes.iter().enumerate() {
        let Some(share) = Share::larger(below.nodes[i], above.nodes[i]) else { continue };
        row_of[i] = nodes.len() as u32;
        let own = below.factor[i].map_or(0, |factor| scaled(node.own, factor));
        nodes.push(if i == flow.target {
            *node
        } else {
            GraphNode {
                total: share.cost.min(limit),
                own,
                calls: node.calls.filter(|_| below.factor[i] == Some(1.0)),
                estimated: share.estimated,
                ..*node
            }
        });
    }
    let mut edges = Vec::new();
    for (i, edge) in whole.edges.iter().enumerate() {
        let own_call = edge.from == target && edge.to == target;
        let share = Share::larger(below.edges[i], above.edges[i]);
        if share.is_none() && !own_call {
            continue;
        }
        let (from, to) = (row_of[edge.from as usize], row_of[edge.to as usize]);
        if from == NOBODY || to == NOBODY {
            continue;
        }
        let estimated = share.is_some_and(|s| s.estimated) && !own_call;
        edges.push(GraphEdge {
            from,
            to,
            total: edge.total.map(|t| share.map_or(t, |s| s.cost).min(limit)),
            own: edge.own.filter(|_| !estimated),
            calls: edge.calls.filter(|_| !estimated),
            estimated,
            ..*edge
        });
    }
    Graph { nodes, edges, whole: Whole::both(limit), basis: whole.basis.clone() }
}

fn scaled(value: i64, factor: f64) -> i64 {
    if factor >= 1.0 { value } else { (value as f64 * factor) as i64 }
}

/// A part of the function's cost.
#[derive(Clone, Copy, Debug)]
struct Share {
    cost: i64,
    estimated: bool,
}

impl Share {
    fn larger(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.cost > a.cost { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

/// What one direction gives.
struct Side {
    nodes: Vec<Option<Share>>,
    edges: Vec<Option<Share>>,
    /// Which part of a node's own cost falls on the function.
    factor: Vec<Option<f64>>,
}

struct Flow<'a> {
    whole: &'a Graph,
    adjacency: Adjacency,
    target: usize,
}

impl Flow<'_> {
    fn side(&self) -> Side {
        let (nodes, edges) = (self.whole.nodes.len(), self.whole.edges.len());
        Side { nodes: vec![None; nodes], edges: vec![None; edges], factor: vec![None; nodes] }
    }

    /// Strong components without the calls into the function (`below`), or without those out of it.
    fn components(&self, below: bool) -> Components {
        let kept =
            |e: &&GraphEdge| e.from != NOBODY && if below { e.to } else { e.from } as usize != self.target;
        let calls = self.whole.edges.iter().filter(kept);
        components(self.whole.nodes.len(), calls.map(|e| (e.from, e.to)))
    }

    /// Cost of all calls into each component from outside; for a single function at least its total.
    fn inflow(&self, groups: &Components) -> Vec<i64> {
        let mut inflow = vec![0i64; groups.count];
        let mut size = vec![0u32; groups.count];
        groups.of.iter().for_each(|&c| size[c as usize] += 1);
        for edge in self.whole.edges.iter().filter(|e| e.from != NOBODY) {
            let (from, to) = (groups.of[edge.from as usize], groups.of[edge.to as usize]);
            if from != to {
                let sum = &mut inflow[to as usize];
                *sum = sum.saturating_add(edge.total.unwrap_or(0));
            }
        }
        for (node, &c) in self.whole.nodes.iter().zip(&groups.of) {
            if size[c as usize] == 1 {
                inflow[c as usize] = inflow[c as usize].max(node.total);
            }
        }
        inflow
    }

    /// Everything that the function calls, callers first.
    fn below(&self) -> Side {
        let groups = self.components(true);
        let (inflow, members) = (self.inflow(&groups), groups.members());
        let mut side = self.side();
        let edge = |e: u32| &self.whole.edges[e as usize];
        for c in (0..groups.count).rev() {
            let members = members.of(c);
            let is_target = members.contains(&(self.target as u32));
            let (mut under, mut reached, mut estimated) = (0i64, is_target, false);
            let external = members.iter().flat_map(|&m| &self.adjacency.callers[m as usize]);
            for &e in external.filter(|&&e| groups.of[edge(e).from as usize] as usize != c && !is_target) {
                if let Some(share) = side.edges[e as usize] {
                    under = under.saturating_add(share.cost);
                    (reached, estimated) = (true, estimated | share.estimated);
                }
            }
            if !reached {
                continue;
            }
            let factor = match inflow[c] {
                _ if is_target => 1.0,
                all if all > 0 => (under as f64 / all as f64).min(1.0),
                _ => 0.0,
            };
            let partly = factor < 1.0;
            for &m in members {
                let node = &self.whole.nodes[m as usize];
                let cost = if members.len() == 1 { under } else { scaled(node.total, factor) };
                let cost = if is_target { node.total } else { cost };
                side.nodes[m as usize] =
                    Some(Share { cost, estimated: estimated || (partly && members.len() > 1) });
                side.factor[m as usize] = Some(factor);
                for &e in &self.adjacency.callees[m as usize] {
                    if edge(e).to as usize != self.target {
                        let cost = scaled(edge(e).total.unwrap_or(0), factor);
                        side.edges[e as usize] = Some(Share { cost, estimated: partly });
                    }
                }
            }
        }
        side
    }

    /// Everything that leads to the function, callees first: the function's cost under each.
    fn above(&self) -> Side {
        let groups = self.components(false);
        let (inflow, members) = (self.inflow(&groups), groups.members());
        let mut side = self.side();
        let edge = |e: u32| &self.whole.edges[e as usize];
        let limit = self.whole.nodes[self.target].total;
        for (c, members) in members.iter().enumerate() {
            let is_target = members.contains(&(self.target as u32));
            let (mut up, mut reached, mut estimated) = (0i64, is_target, members.len() > 1);
            for &e in members.iter().flat_map(|&m| &self.adjacency.callees[m as usize]) {
                if let Some(share) = side.edges[e as usize].filter(|_| !is_target) {
                    up = up.saturating_add(share.cost);
                    (reached, estimated) = (true, estimated | share.estimated);
                }
            }
            if !reached {
                continue;
            }
            let up = if is_target { limit } else { up.min(limit) };
            let factor = match inflow[c] {
                _ if is_target => 1.0,
                all if all > 0 => (up as f64 / all as f64).min(1.0),
                _ => 0.0,
            };
            let callers: usize = members.iter().map(|&m| self.adjacency.callers[m as usize].len()).sum();
            let shared_out = !is_target && (estimated || (factor < 1.0 && callers > 1));
            for &m in members {
                let cost = up.min(self.whole.nodes[m as usize].total);
                side.nodes[m as usize] = Some(Share { cost, estimated });
                for &e in &self.adjacency.callers[m as usize] {
                    if edge(e).from as usize != self.target {
                        let cost = scaled(edge(e).total.unwrap_or(0), factor);
                        side.edges[e as usize] = Some(Share { cost, estimated: shared_out });
                    }
                }
            }
        }
        side
    }
}

#[cfg(test)]
mod tests {
    use super::super::call_graph::Calling;
    use super::super::scope::Slice;
    use crate::analysis::testing::{ask, subject, symbol};

    /// `caller -> callee total` with `~` before what is estimated, and `name own/total`.
    fn text(profile: &str, around: &str) -> Vec<String> {
        let s = subject(profile);
        let around = Some(symbol(&s.profile, around));
        let graph = ask(&s, &Calling { slice: Slice::default(), around });
        let name = |row: u32| graph.nodes[row as usize].symbol.label(&s.profile).into_owned();
        let mark = |estimated: bool| if estimated { "~" } else { "" };
        let mut lines: Vec<String> = graph
            .nodes
            .iter()
            .zip(0..)
            .map(|(n, i)| format!("{} {}{}/{}", name(i), mark(n.estimated), n.own, n.total))
            .collect();
        lines.extend(graph.edges.iter().map(|e| {
            let total = e.total.map_or("-".into(), |t| t.to_string());
            format!("{} -> {} {}{total}", name(e.from), name(e.to), mark(e.estimated))
        }));
        lines.sort();
        lines
    }

    #[test]
    fn direct_calls_are_as_recorded_and_the_rest_is_shared_out() {
        let graph = "fn main 1 1 100; fn f 1 1 31; fn other 1 1 11; fn g 2 4 40; fn h 8 36 36
            main -> f 1 1 31; main -> other 1 1 11; f -> g 1 3 30; other -> g 1 1 10; g -> h 8 36 36";
        assert_eq!(
            text(graph, "f"),
            ["f -> g 30", "f 1/31", "g -> h ~27", "g 3/30", "h ~27/27", "main -> f 31", "main 0/31"]
        );
        assert_eq!(
            text(graph, "h"),
            [
                "f -> g ~27",
                "f ~0/27",
                "g -> h 36",
                "g 0/36",
                "h 36/36",
                "main -> f ~27",
                "main -> other ~9",
                "main ~0/36",
                "other -> g ~9",
                "other ~0/9"
            ]
        );
    }

    #[test]
    fn a_sole_caller_needs_no_estimate() {
        let graph = "fn main 1 1 9; fn f 1 2 8; fn g 1 6 6; main -> f 1 2 8; f -> g 1 6 6";
        assert_eq!(text(graph, "main"), ["f -> g 6", "f 2/8", "g 6/6", "main -> f 8", "main 1/9"]);
        assert_eq!(text(graph, "g"), ["f -> g 6", "f 0/6", "g 6/6", "main -> f 6", "main 0/6"]);
    }

    /// The golden sample of pstats.
    #[test]
    fn recursion_through_others_keeps_the_recorded_neighbours() {
        let graph = "fn main 1 1 40; fn fib 177/1 9 9; fn a 3/1 6 16; fn b 2/1 4 14; fn leaf 6 6 6
            main -> fib 1 0 9; fib -> fib 176/2 9 7; main -> a 1 2 16; a -> b 2/1 4 14; b -> a 2/1 4 10
            a -> leaf 3 3 3; b -> leaf 2 2 2; main -> leaf 1 1 1";
        let a = text(graph, "a");
        for edge in ["main -> a 16", "b -> a 10", "a -> b 14", "a -> leaf 3"] {
            assert!(a.contains(&edge.to_owned()), "{edge} in {a:?}");
        }
        assert!(!a.iter().any(|l| l.contains("fib")), "{a:?}");
        assert!(text(graph, "fib").contains(&"fib -> fib 7".to_owned()));
    }
}
