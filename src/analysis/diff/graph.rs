//! The dependency graphs of two runs as one drawing: each function and each call of either has one place.

use rustc_hash::FxHashMap;

use super::functions::{DiffFunctions, FunctionDiff, RowKey};
use super::{Compared, State, Two};
use crate::analysis::call_graph::{Calling, Graph, GraphEdge, GraphNode, NOBODY};
use crate::analysis::drawn::{Drawn, EdgeKind, NodeSizes};
use crate::analysis::graph_layout::{Direction, Drawing};
use crate::analysis::path::Symbol;
use crate::analysis::prune::{Limits, prune};
use crate::analysis::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::{Basis, FunctionId, Profile};
use crate::query::{Context, Pair, Query};

/// Asks for the [`GraphDiff`] of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffGraph {
    /// Which functions.
    pub functions: DiffFunctions,
    /// What is drawn: a node or an edge that matters in either run.
    pub limits: Limits,
    /// Which way calls lead.
    pub direction: Direction,
    /// How large nodes are drawn.
    pub sizes: NodeSizes,
}

/// Calls of either run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallsDiff {
    /// What they cost; a run without them has none. `None` where the tool does not say.
    pub total: Two<i64>,
    /// Their number, where they were counted.
    pub calls: Two<i64>,
    /// In which runs they are.
    pub state: State,
}

/// Both graphs as one drawing.
#[derive(Clone, Debug, Default)]
pub struct GraphDiff {
    /// What is drawn; rows are those of the functions of the pair.
    pub drawn: Drawn,
    /// The calls that [`EdgeKind::Calls`] names.
    pub calls: Vec<CallsDiff>,
    /// Functions that are too small in both runs to be drawn.
    pub left_out: usize,
}

impl GraphDiff {
    /// The calls of an edge; `None` for paths through functions that are left out.
    #[must_use]
    pub fn calls(&self, kind: EdgeKind) -> Option<&CallsDiff> {
        match kind {
            EdgeKind::Calls(i) => self.calls.get(i as usize),
            EdgeKind::Elided(_) => None,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Between {
    total: Two<i64>,
    calls: Two<i64>,
    there: (bool, bool),
}

impl Query<Pair> for DiffGraph {
    type Output = GraphDiff;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<GraphDiff, Cancelled> {
        let all = cx.get(&self.functions)?;
        let (base, head) = (cx.base(), cx.head());
        let mut between: FxHashMap<(u32, u32), Between> = FxHashMap::default();
        // Under a transform calls are those of call trees, and those may be estimated.
        let mut estimated = false;
        for (side, is_base) in [(&base, true), (&head, false)] {
            let graph = side.get(&Calling { slice: self.functions.of(is_base, cx)?, around: None })?;
            estimated |= matches!(graph.basis, Basis::Estimated(_));
            add(&graph, side.profile(), &all, is_base, &mut between);
        }
        let known = match estimated && !self.functions.scope.transforms.is_empty() {
            true => Some(self.functions.known_calls(&all, cx)?),
            false => None,
        };
        cx.job().checkpoint(0, 0)?;
        let mut edges: Vec<((u32, u32), Between)> = between.into_iter().collect();
        edges.sort_unstable_by_key(|e| e.0);
        let graph = union(&all, &edges);
        let mut drawn = prune(&graph, None, self.limits);
        for node in &mut drawn.nodes {
            let row = &all.rows[node.row as usize];
            node.size = self.sizes.of(&super::list::name(row, base.profile(), head.profile()));
        }
        let wishes = Drawing { direction: self.direction, ..Drawing::default() };
        drawn.lay(wishes, |_| 1, &|| cx.job().checkpoint(0, 0))?;
        let calls = |&((from, to), b): &((u32, u32), Between)| {
            let is_known = |side: usize| known.as_ref().is_some_and(|known| known[side].has(from, to));
            let state = match b.there {
                (true, false) if is_known(1) => State::NotPlaced,
                (false, true) if is_known(0) => State::NotPlaced,
                (true, false) => State::Gone,
                (false, true) => State::New,
                _ => State::Both,
            };
            CallsDiff { total: b.total, calls: b.calls, state }
        };
        Ok(GraphDiff {
            left_out: all.rows.len() - drawn.nodes.len(),
            calls: edges.iter().map(calls).collect(),
            drawn,
        })
    }

    fn weight(diff: &GraphDiff) -> usize {
        diff.drawn.weight() + diff.calls.len() * size_of::<CallsDiff>()
    }
}

fn add(
    graph: &Graph,
    profile: &Profile,
    all: &FunctionDiff,
    is_base: bool,
    between: &mut FxHashMap<(u32, u32), Between>,
) {
    let rows: Vec<Option<u32>> =
        graph.nodes.iter().map(|n| all.row_of(RowKey::of(n.symbol, profile), is_base)).collect();
    for e in &graph.edges {
        let row = |node: u32| rows.get(node as usize).copied().flatten();
        let (Some(from), Some(to)) = (row(e.from), row(e.to)) else { continue };
        let b = between.entry((from, to)).or_default();
        let (total, calls) = match is_base {
            true => {
                b.there.0 = true;
                (&mut b.total.base, &mut b.calls.base)
            }
            false => {
                b.there.1 = true;
                (&mut b.total.head, &mut b.calls.head)
            }
        };
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        *total = sum(*total, e.total);
        *calls = sum(*calls, e.calls.map(|c| c.all as i64));
    }
}

/// A graph of the rows, in which each costs what it costs in the run where that is more: what matters in either is drawn.
fn union(all: &FunctionDiff, edges: &[((u32, u32), Between)]) -> Graph {
    let more = |two: Two<i64>| two.base.unwrap_or(0).max(two.head.unwrap_or(0));
    let node = |(i, row): (u32, &super::functions::Row)| GraphNode {
        // Rows are told apart by their numbers here; names come from the pair.
        symbol: Symbol::Function(FunctionId(i)),
        calls: None,
        samples: None,
        own: more(row.own()),
        total: more(row.total()),
        estimated: false,
        measured: true,
    };
    let edge = |&((from, to), b): &((u32, u32), Between)| GraphEdge {
        from: if from == u32::MAX { NOBODY } else { from },
        to,
        calls: None,
        samples: None,
        own: None,
        total: b.total.state().map(|_| more(b.total)),
        estimated: false,
    };
    Graph {
        nodes: (0u32..).zip(&all.rows).map(node).collect(),
        edges: edges.iter().map(edge).collect(),
        whole: Whole { own: more(all.whole.own), total: more(all.whole.total) },
        basis: Basis::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::name;
    use super::*;
    use crate::analysis::drawn::DrawnEdge;
    use crate::analysis::testing::{all_functions, pair};
    use crate::jobs::Job;
    use crate::query::Engine;

    #[test]
    fn each_function_and_call_of_either_run_has_one_place() {
        let pair = pair("app>emit 15; app>backoff 60; app>read>split 75", "app>emit 30; app>lookup>split 75");
        let functions = all_functions();
        let limits = Limits { nodes: 0, edges: 0, callers: None, callees: None };
        let engine = Engine::inline();
        let all = engine.now(&pair, &functions, &Job::new()).unwrap();
        let sizes = NodeSizes { height: 440, widths: (1380, 2280), character: 71, beside: 260 };
        let query = DiffGraph { functions, limits, direction: Direction::Down, sizes };
        let graph = engine.now(&pair, &query, &Job::new()).unwrap();
        let label = |at: u32| {
            let row = &all.rows[graph.drawn.nodes[at as usize].row as usize];
            name(row, &pair.base.profile, &pair.head.profile).into_owned()
        };
        let text = |e: &DrawnEdge| {
            let calls = graph.calls(e.kind).unwrap();
            let (change, state) = (calls.total.delta().unwrap(), calls.state.key());
            format!("{}>{} {change} {state}", label(e.from), label(e.to))
        };
        let mut edges: Vec<String> = graph.drawn.edges.iter().map(text).collect();
        edges.sort();
        let want = [
            "app>backoff -60 gone",
            "app>emit 15 both",
            "app>lookup 75 new",
            "app>read -75 gone",
            "lookup>split 75 new",
            "read>split -75 gone",
        ];
        assert_eq!(edges, want);
        assert_eq!((graph.drawn.nodes.len(), graph.left_out), (6, 0));
        let turned = Pair { base: pair.head.clone(), head: pair.base.clone(), ..pair.clone() };
        let back = engine.now(&turned, &query, &Job::new()).unwrap();
        assert_eq!(back.drawn.nodes.len(), graph.drawn.nodes.len(), "what is drawn is the same");
    }
}
