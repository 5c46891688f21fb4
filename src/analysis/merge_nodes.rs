//! The numbers of several functions that are shown as one.
//!
//! From a call tree they are exact: the group is counted as one function is, by its outermost occurrence on
//! each path. A recorded graph knows no paths, but for a cycle, and for every group that nothing leads back
//! into, the cost of entering it is the self cost of its functions and the cost of all calls that leave it
//! (KCachegrind counts cycles so). Where calls come back from outside (a callback), what comes back is shared out
//! in proportion and the total is marked as estimated.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::call_graph::{Calling, Graph, GraphEdge, GraphNode, Labels, NOBODY, tree_graph};
use super::path::Symbol;
use crate::jobs::Cancelled;
use crate::model::Calls;
use crate::model::cycles::components;
use crate::query::Context;

/// A graph whose nodes are functions and groups.
pub(super) struct Merged {
    pub graph: Arc<Graph>,
    /// Row in `graph` of each row of the graph of functions; [`NOBODY`] for what was left out.
    pub row_of: Vec<u32>,
    /// Group that each node is.
    pub group: Vec<Option<u32>>,
}

/// Merges the nodes of `base` that have the same group.
pub(super) fn merge(
    calling: &Calling,
    base: &Arc<Graph>,
    groups: &[Option<u32>],
    cx: &Context<'_>,
) -> Result<Merged, Cancelled> {
    if groups.iter().all(Option::is_none) {
        let row_of = (0..base.nodes.len() as u32).collect();
        return Ok(Merged { graph: base.clone(), row_of, group: vec![None; base.nodes.len()] });
    }
    let parts = Parts::new(base, groups);
    let mut graph = match calling.recorded(cx.profile()) {
        Some(_) => recorded(base, &parts, cx)?,
        None => from_tree(calling, base, &parts, cx)?,
    };
    (graph.whole, graph.basis) = (base.whole, base.basis.clone());
    let key = |s: Symbol| s.key();
    let part_of: FxHashMap<(bool, u32), u32> = parts.symbols.iter().map(|s| key(*s)).zip(0..).collect();
    let mut row_of_part = vec![NOBODY; parts.symbols.len()];
    let mut group = vec![None; graph.nodes.len()];
    for (row, node) in graph.nodes.iter().enumerate() {
        if let Some(&part) = part_of.get(&node.symbol.key()) {
            row_of_part[part as usize] = row as u32;
            group[row] = parts.group[part as usize];
        }
    }
    take_out_inner(&mut graph, &group);
    let row_of = parts.of.iter().map(|&p| row_of_part[p as usize]).collect();
    Ok(Merged { graph: Arc::new(graph), row_of, group })
}

/// Which rows of a graph become one node.
struct Parts {
    /// Part of each row.
    of: Vec<u32>,
    /// Group of each part; `None` for a function alone.
    group: Vec<Option<u32>>,
    /// What stands for each part: its function with the most self cost.
    symbols: Vec<Symbol>,
}

impl Parts {
    fn new(base: &Graph, groups: &[Option<u32>]) -> Self {
        let mut parts = Self { of: Vec::with_capacity(groups.len()), group: Vec::new(), symbols: Vec::new() };
        let mut index: FxHashMap<u32, u32> = FxHashMap::default();
        let mut most: Vec<(i64, i64)> = Vec::new();
        for (node, &group) in base.nodes.iter().zip(groups) {
            let next = parts.group.len() as u32;
            let part = group.map_or(next, |g| *index.entry(g).or_insert(next));
            let cost = (node.own, node.total);
            if part == next {
                parts.group.push(group);
                parts.symbols.push(node.symbol);
                most.push(cost);
            } else if cost > most[part as usize] {
                most[part as usize] = cost;
                parts.symbols[part as usize] = node.symbol;
            }
            parts.of.push(part);
        }
        parts
    }
}

/// Calls among a group's own functions are no edge, and its calls are those from outside.
fn take_out_inner(graph: &mut Graph, group: &[Option<u32>]) {
    let mut inner = vec![0u64; graph.nodes.len()];
    graph.edges.retain(|e| {
        let is_inner = e.from == e.to && group[e.to as usize].is_some();
        if is_inner {
            inner[e.to as usize] += e.calls.map_or(0, |c| c.all);
        }
        !is_inner
    });
    for ((node, inner), _) in graph.nodes.iter_mut().zip(inner).zip(group).filter(|(_, g)| g.is_some()) {
        node.calls = node.calls.map(|c| {
            let all = c.all.saturating_sub(inner);
            Calls { all, primitive: all }
        });
    }
}

fn from_tree(calling: &Calling, base: &Graph, parts: &Parts, cx: &Context<'_>) -> Result<Graph, Cancelled> {
    let costs = calling.costs(cx)?;
    let plain = Labels::of(&costs);
    let rows: FxHashMap<(bool, u32), u32> = base.nodes.iter().map(|n| n.symbol.key()).zip(0..).collect();
    let mut symbols = parts.symbols.clone();
    let part_of: Vec<u32> = plain
        .symbols
        .iter()
        .map(|s| match rows.get(&s.key()) {
            Some(&row) => parts.of[row as usize],
            None => {
                symbols.push(*s);
                symbols.len() as u32 - 1
            }
        })
        .collect();
    let of = plain.of.iter().map(|&label| part_of[label as usize]).collect();
    tree_graph(&costs, &Labels { symbols, of }, cx)
}

fn sum<T>(a: Option<T>, b: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    Some(add(a?, b?))
}

fn both(a: Calls, b: Calls) -> Calls {
    Calls { all: a.all.saturating_add(b.all), primitive: a.primitive.saturating_add(b.primitive) }
}

fn recorded(base: &Graph, parts: &Parts, cx: &Context<'_>) -> Result<Graph, Cancelled> {
    let mut nodes: Vec<GraphNode> = Vec::with_capacity(parts.group.len());
    for (node, &part) in base.nodes.iter().zip(&parts.of) {
        let symbol = parts.symbols[part as usize];
        match nodes.get_mut(part as usize) {
            None => nodes.push(GraphNode { symbol, ..*node }),
            Some(all) => {
                all.own = all.own.saturating_add(node.own);
                all.total = all.total.max(node.total);
                all.calls = sum(all.calls, node.calls, both);
                all.estimated |= node.estimated;
                all.measured |= node.measured;
            }
        }
    }
    let mut edges: Vec<GraphEdge> = Vec::new();
    let mut index: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    for edge in &base.edges {
        let part = |row: u32| parts.of.get(row as usize).copied().unwrap_or(NOBODY);
        let (from, to) = (part(edge.from), part(edge.to));
        let at = *index.entry((from, to)).or_insert(edges.len() as u32) as usize;
        match edges.get_mut(at) {
            None => edges.push(GraphEdge { from, to, ..*edge }),
            Some(all) => {
                all.own = sum(all.own, edge.own, i64::saturating_add);
                all.total = sum(all.total, edge.total, i64::saturating_add);
                all.calls = sum(all.calls, edge.calls, both);
                all.samples = sum(all.samples, edge.samples, |a, b| a + b);
                all.estimated |= edge.estimated;
            }
        }
    }
    let mut graph = Graph { nodes, edges, whole: base.whole, basis: base.basis.clone() };
    cx.job().checkpoint(0, 0)?;
    totals(&mut graph, &parts.group, cx)?;
    Ok(graph)
}

/// Rounds in which shares settle where calls go round in a circle.
const ROUNDS: usize = 8;

/// Totals of groups, from the calls that leave them.
fn totals(graph: &mut Graph, group: &[Option<u32>], cx: &Context<'_>) -> Result<(), Cancelled> {
    let count = graph.nodes.len();
    let calls = graph.edges.iter().filter(|e| e.from != e.to && e.from != NOBODY);
    let circles = components(count, calls.map(|e| (e.from, e.to)));
    let members = circles.members();
    // Edges within each circle of nodes, and the cost of all calls into each node.
    let mut within: Vec<Vec<u32>> = vec![Vec::new(); circles.count];
    let mut inflow = vec![0i64; count];
    let mut leaving = vec![Some(0i64); count];
    for (i, e) in (0u32..).zip(&graph.edges).filter(|(_, e)| e.from != e.to && e.from != NOBODY) {
        inflow[e.to as usize] = inflow[e.to as usize].saturating_add(e.total.unwrap_or(0));
        let out = &mut leaving[e.from as usize];
        *out = sum(*out, e.total, i64::saturating_add);
        if circles.of[e.from as usize] == circles.of[e.to as usize] {
            within[circles.of[e.to as usize] as usize].push(i);
        }
    }
    // What nothing recorded called comes in from nowhere.
    inflow.iter_mut().zip(&graph.nodes).for_each(|(inflow, node)| *inflow = node.total.max(*inflow));
    let limit = graph.whole.total;
    let mut found = Vec::new();
    for node in (0..count).filter(|&n| group[n].is_some()) {
        cx.job().checkpoint(node as u64, count as u64)?;
        let circle = circles.of[node] as usize;
        let Some(out) = leaving[node] else {
            // Without costs of calls at least the largest total of its functions is known.
            found.push((node, graph.nodes[node].total.max(graph.nodes[node].own), true));
            continue;
        };
        let all = graph.nodes[node].own.saturating_add(out);
        let comes_back = members.of(circle).len() > 1;
        let back = if comes_back { coming_back(graph, &within[circle], &inflow, node as u32) } else { 0 };
        // An estimate is no less than what the most expensive function of the group costs.
        let most = if comes_back { graph.nodes[node].total.min(limit) } else { 0 };
        let least = graph.nodes[node].own.max(most);
        found.push((node, all.saturating_sub(back).clamp(least, limit.max(least)), comes_back));
    }
    for (node, total, estimated) in found {
        graph.nodes[node].total = total;
        graph.nodes[node].estimated |= estimated;
    }
    // A call that may be open twice on a path counts twice in the sum.
    for e in &mut graph.edges {
        let ends = [e.from, e.to].map(|v| group.get(v as usize).is_some_and(Option::is_some));
        let circle = |v: u32| circles.of.get(v as usize);
        if ends.contains(&true) && e.from != e.to && circle(e.from) == circle(e.to) {
            let most = [e.from, e.to].map(|v| graph.nodes[v as usize].total).into_iter().min();
            e.total = e.total.map(|t| t.min(most.unwrap_or(t)));
            e.estimated = true;
        }
    }
    Ok(())
}

/// What the calls back into a node cost that happen while it runs: each caller's calls count by the part of
/// the caller that runs under the node.
fn coming_back(graph: &Graph, within: &[u32], inflow: &[i64], node: u32) -> i64 {
    let mut under: FxHashMap<u32, f64> = FxHashMap::default();
    under.insert(node, 1.0);
    for _ in 0..ROUNDS {
        let mut next: FxHashMap<u32, f64> = FxHashMap::default();
        for e in within.iter().map(|&e| &graph.edges[e as usize]).filter(|e| e.to != node) {
            let share = e.total.unwrap_or(0) as f64 / inflow[e.to as usize].max(1) as f64;
            *next.entry(e.to).or_default() += share * under.get(&e.from).copied().unwrap_or(0.0);
        }
        next.insert(node, 1.0);
        if next == under {
            break;
        }
        under = next;
    }
    let back = within.iter().map(|&e| &graph.edges[e as usize]).filter(|e| e.to == node);
    let cost: f64 =
        back.map(|e| e.total.unwrap_or(0) as f64 * under.get(&e.from).copied().unwrap_or(0.0).min(1.0)).sum();
    cost as i64
}
