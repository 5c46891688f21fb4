//! Who calls a function, and whom it calls.
//!
//! Direct neighbours are edges of the [`super::call_graph`]: recorded ones, the numbers that pstats'
//! `print_callers` and `print_callees` and callgrind_annotate print, or those of the call tree.
//!
//! [`Reach::All`] lists every function that is on the stack somewhere above or below, with the least
//! number of calls between. A caller's costs are then those of the function while the caller is on the
//! stack; a callee's are its own while the function is on the stack. A call graph does not know paths:
//! distances come from its edges, costs from the estimated tree, and what that leaves out is unknown.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::call_graph::{Calling, Labels, Visit, visits};
use super::call_tree::NO_NODE;
use super::functions::{FunctionRow, Functions, graph_of};
use super::path::Symbol;
use super::scope::Slice;
use super::tree_costs::{Costs, TreeCosts};
use super::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::{Basis, CallGraph, Calls, FunctionId, NodeId, SymbolKey};
use crate::query::{Context, Query};

/// How far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Direct callers and callees.
    #[default]
    Direct,
    /// All functions above and below on any stack.
    All,
}

/// A caller or a callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The function; `None` stands for calls that nothing recorded made.
    pub symbol: Option<Symbol>,
    /// Least number of calls between, 1 for a direct one.
    pub distance: u32,
    /// Calls, where counted.
    pub calls: Option<Calls>,
    /// Samples, where there are any.
    pub samples: Option<u64>,
    /// Self cost of the callee; `None` when the tool does not say.
    pub own: Option<i64>,
    /// Total cost of the callee; `None` when the tool does not say.
    pub total: Option<i64>,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    /// The function itself; `None` when it does not occur in the scope.
    pub row: Option<FunctionRow>,
    /// Callers, largest total first.
    pub callers: Vec<Neighbour>,
    /// Callees, largest total first.
    pub callees: Vec<Neighbour>,
    /// What shares of the function's costs are of.
    pub whole: Whole,
    /// What the numbers of callers and callees rest on.
    pub basis: Basis,
}

/// Computes the [`Neighbours`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Callers {
    /// Which part, in which metric.
    pub slice: Slice,
    /// Whose callers and callees.
    pub function: SymbolKey,
    /// How far to look.
    pub reach: Reach,
}

impl Query for Callers {
    type Output = Neighbours;

    fn run(&self, cx: &Context<'_>) -> Result<Neighbours, Cancelled> {
        let profile = cx.profile();
        let table = cx.get(&Functions(self.slice.clone()))?;
        let Some(function) = profile.keys().function(self.function) else {
            let basis = table.basis.clone();
            return Ok(Neighbours { whole: table.whole, basis, ..Neighbours::default() });
        };
        let row = table.rows.iter().find(|r| r.function == function && r.module.is_none()).copied();
        let graph = graph_of(profile).filter(|_| self.slice.scope.transforms.is_empty());
        let mut answer = match (graph, self.reach) {
            (_, Reach::Direct) => self.direct(function, cx)?,
            (Some(graph), Reach::All) => {
                let mut answer = self.in_tree(function, cx)?;
                take_distances(graph, function, &mut answer);
                answer
            }
            (None, Reach::All) => self.in_tree(function, cx)?,
        };
        for side in [&mut answer.callers, &mut answer.callees] {
            side.sort_by_key(|n| (Reverse((n.total, n.own)), n.distance, n.symbol.map(Symbol::key)));
        }
        (answer.row, answer.whole) = (row, table.whole);
        Ok(answer)
    }

    fn weight(answer: &Neighbours) -> usize {
        (answer.callers.len() + answer.callees.len()) * size_of::<Neighbour>()
    }
}

impl Callers {
    fn in_tree(&self, function: FunctionId, cx: &Context<'_>) -> Result<Neighbours, Cancelled> {
        let costs = cx.get(&Costs(self.slice.clone()))?;
        cx.job().checkpoint(0, 0)?;
        let tree = TreeSide::new(&costs, Symbol::Function(function));
        let (callers, callees) = (tree.all_callers(), tree.all_callees());
        Ok(Neighbours { callers, callees, basis: costs.tree.basis.clone(), ..Neighbours::default() })
    }

    fn direct(&self, function: FunctionId, cx: &Context<'_>) -> Result<Neighbours, Cancelled> {
        let graph = cx.get(&Calling { slice: self.slice.clone(), around: None })?;
        let mut answer = Neighbours { basis: graph.basis.clone(), ..Neighbours::default() };
        let Some(target) = graph.find(function) else { return Ok(answer) };
        for edge in &graph.edges {
            let neighbour = |row: u32| Neighbour {
                symbol: graph.nodes.get(row as usize).map(|n| n.symbol),
                distance: 1,
                calls: edge.calls,
                samples: edge.samples,
                own: edge.own,
                total: edge.total,
            };
            if edge.to == target {
                answer.callers.push(neighbour(edge.from));
            }
            if edge.from == target {
                answer.callees.push(neighbour(edge.to));
            }
        }
        Ok(answer)
    }
}

/// Distances along recorded edges; functions that the tree misses come in without costs.
fn take_distances(graph: &CallGraph, function: FunctionId, answer: &mut Neighbours) {
    let Some(start) = graph.nodes.iter().position(|n| n.function == function) else { return };
    let start = NodeId::from_index(start);
    for callers in [true, false] {
        let mut next = vec![Vec::new(); graph.nodes.len()];
        for edge in &graph.edges {
            let (from, to) = if callers { (edge.callee, edge.caller) } else { (edge.caller, edge.callee) };
            next[from.index()].push(to);
        }
        let mut distance = vec![0u32; graph.nodes.len()];
        let mut queue = std::collections::VecDeque::from([(start, 0)]);
        while let Some((node, steps)) = queue.pop_front() {
            for &to in &next[node.index()] {
                if distance[to.index()] == 0 {
                    distance[to.index()] = steps + 1;
                    queue.push_back((to, steps + 1));
                }
            }
        }
        let side = if callers { &mut answer.callers } else { &mut answer.callees };
        let known: FxHashMap<_, _> = side.iter().filter_map(|n| Some((n.symbol?, *n))).collect();
        let outside = side.iter().filter(|n| n.symbol.is_none()).copied();
        let reached = graph.nodes.iter().zip(distance).filter(|(_, distance)| *distance > 0);
        *side = outside
            .chain(reached.map(|(node, distance)| {
                let symbol = Symbol::Function(node.function);
                let unknown = Neighbour {
                    symbol: Some(symbol),
                    distance,
                    calls: None,
                    samples: None,
                    own: None,
                    total: None,
                };
                known.get(&symbol).map_or(unknown, |n| Neighbour { distance, ..*n })
            }))
            .collect();
    }
}

/// Passes over a tree for one function.
struct TreeSide<'a> {
    costs: &'a TreeCosts,
    labels: Labels,
    /// Label of the function; `None` when the tree does not have it.
    target: Option<u32>,
}

/// Sums of one neighbour.
#[derive(Clone, Copy, Default)]
struct Sums {
    seen: bool,
    distance: u32,
    calls: Calls,
    samples: u64,
    own: i64,
    total: i64,
    /// How often the edge, or the function, is open on the path.
    open: u32,
}

impl<'a> TreeSide<'a> {
    fn new(costs: &'a TreeCosts, target: Symbol) -> Self {
        let labels = Labels::of(costs);
        let target = labels.find(target);
        Self { costs, labels, target }
    }

    fn add(&self, sums: &mut Sums, node: usize, distance: u32) {
        let c = self.costs;
        let calls = c.calls.get(node).copied().unwrap_or(0);
        sums.distance = if sums.seen { sums.distance.min(distance) } else { distance };
        sums.seen = true;
        sums.own = sums.own.saturating_add(c.own[node]);
        sums.calls.all += calls;
        if sums.open == 0 {
            sums.total = sums.total.saturating_add(c.total[node]);
            sums.calls.primitive += calls;
            sums.samples += c.samples_total.get(node).copied().unwrap_or(0);
        }
    }

    fn neighbours(&self, sums: &[Sums]) -> Vec<Neighbour> {
        let (counted, sampled) = (!self.costs.calls.is_empty(), !self.costs.samples.is_empty());
        let seen = sums.iter().enumerate().filter(|(_, s)| s.seen);
        seen.map(|(i, s)| Neighbour {
            symbol: self.labels.symbols.get(i).copied(),
            distance: s.distance,
            calls: counted.then_some(s.calls),
            samples: sampled.then_some(s.samples),
            own: Some(s.own),
            total: Some(s.total),
        })
        .collect()
    }

    fn blank(&self) -> Vec<Sums> {
        vec![Sums::default(); self.labels.symbols.len()]
    }

    fn all_callees(&self) -> Vec<Neighbour> {
        let Some(target) = self.target else { return Vec::new() };
        let mut callees = self.blank();
        // Depths of the open occurrences of the function.
        let mut under: Vec<u32> = Vec::new();
        for visit in visits(self.costs) {
            let node = visit.node();
            let symbol = self.labels.of[node];
            let depth = self.costs.tree.nodes[node].depth;
            let sums = &mut callees[symbol as usize];
            match visit {
                Visit::Enter(_) => {
                    if let Some(top) = under.last() {
                        self.add(sums, node, depth - top);
                        sums.open += 1;
                    }
                    if symbol == target {
                        under.push(depth);
                    }
                }
                Visit::Leave(_) => {
                    if symbol == target {
                        under.pop();
                    }
                    sums.open -= u32::from(!under.is_empty());
                }
            }
        }
        self.neighbours(&callees)
    }

    /// What the function costs below each node: all its own costs, and the totals of its topmost
    /// occurrences.
    fn below(&self, target: u32) -> Vec<Sums> {
        let nodes = &self.costs.tree.nodes;
        let mut below = vec![Sums::default(); nodes.len()];
        for i in (0..nodes.len()).rev() {
            if nodes[i].parent == NO_NODE {
                continue;
            }
            let here = below[i];
            let sums = &mut below[nodes[i].parent as usize];
            if self.labels.of[i] == target {
                self.add(sums, i, 1);
                sums.own = sums.own.saturating_add(here.own);
                sums.calls.all += here.calls.all;
            } else if here.seen {
                sums.join(&here, here.distance + 1);
            }
        }
        below
    }

    fn all_callers(&self) -> Vec<Neighbour> {
        let Some(target) = self.target else { return Vec::new() };
        let below = self.below(target);
        let mut callers = self.blank();
        for visit in visits(self.costs) {
            let node = visit.node();
            let sums = &mut callers[self.labels.of[node] as usize];
            match visit {
                Visit::Enter(_) => {
                    if below[node].seen {
                        if sums.open == 0 {
                            sums.join(&below[node], below[node].distance);
                        } else {
                            sums.distance = sums.distance.min(below[node].distance);
                        }
                    }
                    sums.open += 1;
                }
                Visit::Leave(_) => sums.open -= 1,
            }
        }
        self.neighbours(&callers)
    }
}

impl Sums {
    fn join(&mut self, other: &Self, distance: u32) {
        self.distance = if self.seen { self.distance.min(distance) } else { distance };
        self.seen = true;
        self.calls.all += other.calls.all;
        self.calls.primitive += other.calls.primitive;
        self.samples += other.samples;
        self.own = self.own.saturating_add(other.own);
        self.total = self.total.saturating_add(other.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject, symbol};
    use crate::query::Run;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn neighbours(subject: &Run, name: &str, reach: Reach) -> Arc<Neighbours> {
        let function = symbol(&subject.profile, name);
        ask(subject, &Callers { slice: Slice::default(), function, reach })
    }

    /// `name own/total calls/primitive @distance`, by total.
    fn text(subject: &Run, side: &[Neighbour]) -> Vec<String> {
        let number = |n: Option<i64>| n.map_or("-".into(), |n| n.to_string());
        side.iter()
            .map(|n| {
                let name = n.symbol.map_or("(nobody)".into(), |s| s.label(&subject.profile));
                let mut line = format!("{name} {}/{}", number(n.own), number(n.total));
                if let Some(c) = n.calls {
                    line += &format!(" {}/{}", c.all, c.primitive);
                }
                if n.distance != 1 {
                    line += &format!(" @{}", n.distance);
                }
                line
            })
            .collect()
    }

    /// The golden sample of pstats: `a(4)` and `b` call each other, `fib(10)` itself.
    const PSTATS: &str = "fn main 1 1 40; fn fib 177/1 9 9; fn a 3/1 6 16; fn b 2/1 4 14; fn leaf 6 6 6
        main -> fib 1 0 9; fib -> fib 176/2 9 7; main -> a 1 2 16; a -> b 2/1 4 14; b -> a 2/1 4 10
        a -> leaf 3 3 3; b -> leaf 2 2 2; main -> leaf 1 1 1";

    #[test]
    fn recorded_edges_are_shown_as_recorded() {
        let s = subject(PSTATS);
        let a = neighbours(&s, "a", Reach::Direct);
        assert_eq!(text(&s, &a.callers), ["main 2/16 1/1", "b 4/10 2/1"]);
        assert_eq!(text(&s, &a.callees), ["b 4/14 2/1", "leaf 3/3 3/3"]);
        assert_eq!(a.row.unwrap().total, 16);
        let fib = neighbours(&s, "fib", Reach::Direct);
        assert_eq!(text(&s, &fib.callers), ["main 0/9 1/1", "fib 9/7 176/2"]);
        assert_eq!(a.basis, Basis::Timed);
    }

    #[test]
    fn what_a_graph_reaches_has_distances_from_edges_and_estimated_costs() {
        let s = subject(PSTATS);
        let leaf = neighbours(&s, "leaf", Reach::All);
        let distance = |n: &Neighbour| (n.symbol.unwrap().label(&s.profile).into_owned(), n.distance);
        let mut callers: Vec<_> = leaf.callers.iter().map(distance).collect();
        callers.sort();
        assert_eq!(callers, [("a".into(), 1), ("b".into(), 1), ("main".into(), 1)]);
        assert!(leaf.callees.is_empty() && matches!(leaf.basis, Basis::Estimated(_)));
        let a = neighbours(&s, "a", Reach::All);
        // The call of a by b lies within one of b by a.
        let b = text(&s, &a.callers).into_iter().find(|t| t.starts_with("b ")).expect("b");
        assert!(!b.starts_with("b -"), "{b}");
    }

    #[test]
    fn unmeasured_edges_have_calls_and_no_costs() {
        let mut p = (*subject("fn a 1 1 9; fn b 2 8 8; a -> b 2 0 0").profile).clone();
        let costs = &mut p.call_graph.as_mut().unwrap().costs[0];
        costs.edges_measured = false;
        costs.edge_self.clear();
        let s = Run::of(Arc::new(p));
        assert_eq!(text(&s, &neighbours(&s, "b", Reach::Direct).callers), ["a -/- 2/2"]);
    }

    #[test]
    fn spans_have_callers_and_callees_by_their_nesting() {
        let s = subject("main 0 100 / f 10 60 / f 20 50 / g 30 40; f 100 105");
        let f = neighbours(&s, "f", Reach::Direct);
        assert_eq!(text(&s, &f.callers), ["main 20/50 1/1", "f 20/30 1/1", "(nobody) 5/5 1/1"]);
        assert_eq!(text(&s, &f.callees), ["f 20/30 1/1", "g 10/10 1/1"]);
        let g = neighbours(&s, "g", Reach::All);
        assert_eq!(text(&s, &g.callers), ["f 10/10 1/1", "main 10/10 1/1 @3"]);
        let main = neighbours(&s, "main", Reach::All);
        assert_eq!(text(&s, &main.callees), ["f 40/50 2/1", "g 10/10 1/1 @3"]);
    }

    /// Stacks of up to five functions.
    fn some_stacks() -> impl Strategy<Value = Vec<(Vec<u8>, i64)>> {
        proptest::collection::vec((proptest::collection::vec(0u8..5, 1..7), 1i64..50), 1..20)
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_the_stacks(stacks in some_stacks()) {
            let line = |(stack, w): &(Vec<u8>, i64)| {
                let names: Vec<String> = stack.iter().map(|f| format!("f{f}")).collect();
                format!("{} {w}", names.join(">"))
            };
            let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
            let target = stacks[0].0[0];
            let sum = |is: &dyn Fn(&[u8]) -> bool| -> i64 {
                stacks.iter().filter(|(stack, _)| is(stack)).map(|(_, w)| w).sum()
            };
            let id = |n: &Neighbour| n.symbol.map(|s_| s_.label(&s.profile)[1..].parse::<u8>().unwrap());
            let direct = neighbours(&s, &format!("f{target}"), Reach::Direct);
            prop_assert_eq!(
                direct.callers.iter().filter_map(|n| n.own).sum::<i64>(),
                direct.row.unwrap().own
            );
            for n in &direct.callers {
                let total = match id(n) {
                    Some(x) => sum(&|st| st.windows(2).any(|w| w == [x, target])),
                    None => sum(&|st| st[0] == target),
                };
                prop_assert_eq!(n.total, Some(total));
            }
            for n in &direct.callees {
                let y = id(n).unwrap();
                prop_assert_eq!(n.total, Some(sum(&|st| st.windows(2).any(|w| w == [target, y]))));
            }
            let all = neighbours(&s, &format!("f{target}"), Reach::All);
            let after = |st: &[u8], a: u8, b: u8| {
                st.iter().position(|f| *f == a).is_some_and(|i| st[i + 1..].contains(&b))
            };
            for n in &all.callers {
                let x = id(n).unwrap();
                prop_assert_eq!(n.total, Some(sum(&|st| after(st, x, target))));
                let own = sum(&|st| st.last() == Some(&target) && after(st, x, target));
                prop_assert_eq!(n.own, Some(own));
            }
            for n in &all.callees {
                let y = id(n).unwrap();
                prop_assert_eq!(n.total, Some(sum(&|st| after(st, target, y))));
                let least = stacks.iter().flat_map(|(st, _)| {
                    let pairs = (0..st.len()).flat_map(move |i| (i + 1..st.len()).map(move |j| (i, j)));
                    pairs.filter(|&(i, j)| st[i] == target && st[j] == y).map(|(i, j)| j - i).collect::<Vec<_>>()
                }).min();
                prop_assert_eq!(Some(n.distance as usize), least);
            }
        }
    }
}
