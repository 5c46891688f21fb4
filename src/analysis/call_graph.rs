//! All functions of a scope and the calls between them: what the graph draws, and where callers and
//! callees get their direct neighbours.
//!
//! A recorded call graph answers with its own edges, the numbers that pstats and callgrind_annotate
//! print. For spans and samples the numbers come from the call tree: the total of an edge counts its
//! outermost occurrence on each path only, as that of a function does, so recursion never counts twice;
//! the self cost along an edge is that of the callee, over all occurrences.
//!
//! `around` keeps only what runs while one function is on the stack (`focused`; for recorded edges
//! [`super::propagate`], which has to share out what the file does not say).

use rustc_hash::FxHashMap;

use super::call_tree::NO_NODE;
use super::formula::terms;
use super::functions::{FunctionRow, Functions, counted, graph_column, graph_of, tree_rows};
use super::path::Symbol;
use super::propagate;
use super::scope::Slice;
use super::tree_costs::{Costs, TreeCosts, summed_up};
use super::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::{Basis, CallGraph, Calls, FunctionId, Profile, SymbolKey};
use crate::query::{Context, Query};

/// A function, or several shown as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphNode {
    /// What it is; of several the first.
    pub symbol: Symbol,
    /// Calls, where counted.
    pub calls: Option<Calls>,
    /// Samples with it on the stack, where there are any.
    pub samples: Option<u64>,
    /// Own cost.
    pub own: i64,
    /// Own cost and that of all it called.
    pub total: i64,
    /// True when the costs are shared out by an assumption, not recorded.
    pub estimated: bool,
    /// False when the file has no costs of the function itself; they are 0 then, and mean nothing.
    pub measured: bool,
}

impl GraphNode {
    /// What a table of functions says of `symbol`.
    fn of(symbol: Symbol, row: &FunctionRow) -> Self {
        let FunctionRow { calls, samples_total: samples, own, total, measured, .. } = *row;
        Self { symbol, calls, samples, own, total, estimated: false, measured }
    }
}

/// Calls from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphEdge {
    /// Row of the caller in [`Graph::nodes`]; [`NOBODY`] when nothing recorded called.
    pub from: u32,
    /// Row of the callee.
    pub to: u32,
    /// Calls, where counted.
    pub calls: Option<Calls>,
    /// Samples through the edge, where there are any.
    pub samples: Option<u64>,
    /// Self cost of the callee; `None` when the tool does not say.
    pub own: Option<i64>,
    /// Total cost of the callee; `None` when the tool does not say.
    pub total: Option<i64>,
    /// True when the costs are shared out by an assumption, not recorded.
    pub estimated: bool,
}

/// Caller of what nothing recorded called.
pub const NOBODY: u32 = u32::MAX;

/// Nodes and edges.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<GraphNode>,
    /// The calls, each pair once.
    pub edges: Vec<GraphEdge>,
    /// What shares are of: of all, or the total of the function around which the graph is.
    pub whole: Whole,
    /// What the numbers rest on.
    pub basis: Basis,
}

impl Graph {
    /// Row of a function; `None` when it does not run in the scope.
    #[must_use]
    pub fn find(&self, function: FunctionId) -> Option<u32> {
        let is = |n: &GraphNode| n.symbol == Symbol::Function(function);
        self.nodes.iter().position(is).map(|i| i as u32)
    }

    /// For each node the rows of its edges: those to callers and those to callees, calls of itself left
    /// out.
    #[must_use]
    pub fn adjacency(&self) -> Adjacency {
        let mut adjacency =
            Adjacency { callers: vec![vec![]; self.nodes.len()], callees: vec![vec![]; self.nodes.len()] };
        for (i, e) in self.edges.iter().enumerate().filter(|(_, e)| e.from != NOBODY && e.from != e.to) {
            adjacency.callees[e.from as usize].push(i as u32);
            adjacency.callers[e.to as usize].push(i as u32);
        }
        adjacency
    }
}

/// Rows of edges by node.
#[derive(Clone, Debug, Default)]
pub struct Adjacency {
    /// Edges that end in the node.
    pub callers: Vec<Vec<u32>>,
    /// Edges that start in the node.
    pub callees: Vec<Vec<u32>>,
}

/// Computes the [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Calling {
    /// Which part, in which metric.
    pub slice: Slice,
    /// Only what runs while this function is on the stack.
    pub around: Option<SymbolKey>,
}

impl Query for Calling {
    type Output = Graph;

    fn run(&self, cx: &Context<'_>) -> Result<Graph, Cancelled> {
        match self.recorded(cx.profile()) {
            Some(graph) => {
                let whole = recorded(self, graph, cx)?;
                Ok(match self.around {
                    Some(function) => propagate::around(&whole, cx.profile().keys().function(function)),
                    None => whole,
                })
            }
            None => {
                let costs = self.costs(cx)?;
                cx.job().checkpoint(0, 0)?;
                let labels = Labels::of(&costs);
                let mut graph = tree_graph(&costs, &labels, cx)?;
                if let Some(row) = self.middle(cx.profile()).and_then(|f| graph.find(f)) {
                    graph.whole = Whole::both(graph.nodes[row as usize].total);
                }
                Ok(graph)
            }
        }
    }

    fn weight(graph: &Graph) -> usize {
        graph.nodes.len() * size_of::<GraphNode>() + graph.edges.len() * size_of::<GraphEdge>()
    }
}

impl Calling {
    /// The function that it is around, where the profile has it.
    #[must_use]
    pub fn middle(&self, profile: &Profile) -> Option<FunctionId> {
        self.around.and_then(|key| profile.keys().function(key))
    }

    /// The recorded call graph, when that is what answers.
    #[must_use]
    pub fn recorded<'a>(&self, profile: &'a Profile) -> Option<&'a CallGraph> {
        graph_of(profile).filter(|_| self.slice.scope.transforms.is_empty())
    }

    /// Costs of the call tree, cut down to what runs around the function.
    pub(super) fn costs(&self, cx: &Context<'_>) -> Result<std::sync::Arc<TreeCosts>, Cancelled> {
        let costs = cx.get(&Costs(self.slice.clone()))?;
        Ok(match self.around {
            Some(key) => {
                std::sync::Arc::new(focused(&costs, cx.profile().keys().function(key).map(Symbol::Function)))
            }
            None => costs,
        })
    }
}

fn recorded(query: &Calling, graph: &CallGraph, cx: &Context<'_>) -> Result<Graph, Cancelled> {
    let profile = cx.profile();
    let table = cx.get(&Functions(query.slice.clone()))?;
    let nodes: Vec<GraphNode> = table.rows.iter().map(|row| GraphNode::of(row.symbol(), row)).collect();
    let row_of: FxHashMap<FunctionId, u32> =
        (0..).zip(&nodes).map(|(i, n)| (n.symbol.function(), i)).collect();
    let count = graph.edges.len();
    let terms = terms(query.slice.metric, profile);
    let total = graph_column(graph, &terms, |c| &c.edge_total, count);
    let own = graph_column(graph, &terms, |c| &c.edge_self, count);
    // A derived metric is as well known as the least known part of it.
    let all = |known: fn(&crate::model::GraphCosts) -> bool| {
        !terms.is_empty() && terms.iter().all(|(_, m)| graph.costs.iter().any(|c| c.metric == *m && known(c)))
    };
    let (total_known, own_known) = (all(|c| c.edges_measured), all(|c| !c.edge_self.is_empty()));
    let measured = |node: crate::model::NodeId| graph.nodes.get(node.index()).is_some_and(|n| n.measured);
    let row = |node: crate::model::NodeId| row_of.get(&graph.nodes.get(node.index())?.function).copied();
    let edges = graph
        .edges
        .iter()
        .enumerate()
        .filter_map(|(i, edge)| {
            Some(GraphEdge {
                from: row(edge.caller)?,
                to: row(edge.callee)?,
                calls: edge.calls,
                samples: None,
                own: own.get(i).copied().filter(|_| own_known && measured(edge.callee)),
                total: total.get(i).copied().filter(|_| total_known && measured(edge.callee)),
                estimated: false,
            })
        })
        .collect();
    Ok(Graph { nodes, edges, whole: table.whole, basis: profile.meta.basis.clone() })
}

/// What the nodes of a call tree are counted as: dense numbers of functions, or of groups of them.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    /// One of the symbols of each label, the first met.
    pub symbols: Vec<Symbol>,
    /// Label of each node.
    pub of: Vec<u32>,
}

impl Labels {
    /// A label for each function.
    pub(super) fn of(costs: &TreeCosts) -> Self {
        let mut symbols = Vec::new();
        let mut index: FxHashMap<(bool, u32), u32> = FxHashMap::default();
        let label = |node: &super::call_tree::Node| {
            *index.entry(node.symbol.key()).or_insert_with(|| {
                symbols.push(node.symbol.uncounted());
                symbols.len() as u32 - 1
            })
        };
        let of = costs.tree.nodes.iter().map(label).collect();
        Self { symbols, of }
    }

    /// The label of a symbol.
    pub(super) fn find(&self, symbol: Symbol) -> Option<u32> {
        self.symbols.iter().position(|s| s.key() == symbol.key()).map(|i| i as u32)
    }
}

/// A node of a call tree on the way down, or on the way up again.
#[derive(Clone, Copy)]
pub(super) enum Visit {
    Enter(usize),
    Leave(usize),
}

impl Visit {
    pub(super) fn node(self) -> usize {
        match self {
            Self::Enter(node) | Self::Leave(node) => node,
        }
    }
}

/// Each node on the way down and on the way up again; ways up from the last path are left out.
pub(super) fn visits(costs: &TreeCosts) -> impl Iterator<Item = Visit> {
    let nodes = &costs.tree.nodes;
    let mut open: Vec<u32> = Vec::new();
    let mut next = 0;
    std::iter::from_fn(move || {
        let node = nodes.get(next)?;
        if let Some(&last) = open.last()
            && last != node.parent
        {
            open.pop();
            return Some(Visit::Leave(last as usize));
        }
        open.push(next as u32);
        next += 1;
        Some(Visit::Enter(next - 1))
    })
}

/// Nodes and edges of a call tree, counted by label. Nodes and edges without anything are left out.
pub(super) fn tree_graph(costs: &TreeCosts, labels: &Labels, cx: &Context<'_>) -> Result<Graph, Cancelled> {
    let rows = tree_rows(costs, labels, cx.job())?;
    let mut row_of = vec![NOBODY; labels.symbols.len()];
    let mut nodes = Vec::new();
    for (label, row) in rows.iter().enumerate() {
        let counts = row.calls.map_or(0, |c| c.all) + row.samples_total.unwrap_or(0);
        if row.own != 0 || row.total != 0 || counts != 0 {
            row_of[label] = nodes.len() as u32;
            nodes.push(GraphNode::of(labels.symbols[label], row));
        }
    }
    let mut edges = tree_edges(costs, labels, cx)?;
    edges.retain_mut(|edge| {
        (edge.calls, edge.samples) = counted(edge.calls, edge.samples);
        let counts = edge.calls.map_or(0, |c| c.all) + edge.samples.unwrap_or(0);
        let any = edge.own != Some(0) || edge.total != Some(0) || counts != 0;
        edge.from = row_of.get(edge.from as usize).copied().unwrap_or(NOBODY);
        edge.to = row_of[edge.to as usize];
        any && edge.to != NOBODY
    });
    Ok(Graph { nodes, edges, whole: costs.whole, basis: costs.tree.basis.clone() })
}

/// Edges between labels; `from` and `to` are labels.
fn tree_edges(costs: &TreeCosts, labels: &Labels, cx: &Context<'_>) -> Result<Vec<GraphEdge>, Cancelled> {
    let nodes = &costs.tree.nodes;
    let (called, sampled) = (!costs.calls.is_empty(), !costs.samples.is_empty());
    let mut index: FxHashMap<(u32, u32), u32> = FxHashMap::default();
    let mut edges: Vec<GraphEdge> = Vec::new();
    // How often each edge is open on the path, and the edge above each node.
    let mut open: Vec<u32> = Vec::new();
    let mut edge_of = vec![NO_NODE; nodes.len()];
    for visit in visits(costs) {
        let node = visit.node();
        if let Visit::Leave(_) = visit {
            open[edge_of[node] as usize] -= 1;
            continue;
        }
        if node % 65_536 == 0 {
            cx.job().checkpoint(node as u64, nodes.len() as u64)?;
        }
        let from = match nodes[node].parent {
            NO_NODE => NOBODY,
            parent => labels.of[parent as usize],
        };
        let to = labels.of[node];
        let at = *index.entry((from, to)).or_insert_with(|| {
            edges.push(GraphEdge {
                from,
                to,
                calls: called.then(Calls::default),
                samples: sampled.then_some(0),
                own: Some(0),
                total: Some(0),
                estimated: false,
            });
            open.push(0);
            edges.len() as u32 - 1
        });
        edge_of[node] = at;
        let (edge, outermost) = (&mut edges[at as usize], open[at as usize] == 0);
        open[at as usize] += 1;
        let add = |to: &mut Option<i64>, value: i64| *to = to.map(|t| t.saturating_add(value));
        add(&mut edge.own, costs.own[node]);
        let calls = costs.calls.get(node).copied().unwrap_or(0);
        if let Some(sum) = &mut edge.calls {
            sum.all += calls;
            sum.primitive += if outermost { calls } else { 0 };
        }
        if outermost {
            add(&mut edge.total, costs.total[node]);
            let samples = costs.samples_total.get(node).copied().unwrap_or(0);
            edge.samples = edge.samples.map(|s| s + samples);
        }
    }
    Ok(edges)
}

/// The costs of a tree that fall on stacks with `symbol`: what runs below it stays as it is, what is
/// above it keeps only the costs of the symbol, everything else becomes zero.
pub(super) fn focused(costs: &TreeCosts, symbol: Option<Symbol>) -> TreeCosts {
    let nodes = &costs.tree.nodes;
    let is = |node: usize| Some(nodes[node].symbol.key()) == symbol.map(Symbol::key);
    let mut inside = vec![false; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        inside[i] = is(i) || (node.parent != NO_NODE && inside[node.parent as usize]);
    }
    let mut above = vec![false; nodes.len()];
    for (i, node) in nodes.iter().enumerate().rev() {
        if node.parent != NO_NODE && (above[i] || inside[i]) {
            above[node.parent as usize] = true;
        }
    }
    let keep = |values: &[i64]| -> Vec<i64> {
        values.iter().zip(&inside).map(|(&v, &inside)| if inside { v } else { 0 }).collect()
    };
    let own = keep(&costs.own);
    // Totals of an estimated tree are not sums of what is below, so those inside stay as they are.
    let top: Vec<i64> = (0..nodes.len())
        .map(|i| {
            let topmost = inside[i] && (nodes[i].parent == NO_NODE || !inside[nodes[i].parent as usize]);
            if topmost { costs.total[i] } else { 0 }
        })
        .collect();
    let mut total = summed_up(&costs.tree, &top, i64::saturating_add);
    (0..nodes.len()).filter(|&i| inside[i]).for_each(|i| total[i] = costs.total[i]);
    let counts = |values: &[u64], seen: &dyn Fn(usize) -> bool| -> Vec<u64> {
        values.iter().enumerate().map(|(i, &v)| if seen(i) { v } else { 0 }).collect()
    };
    let calls = counts(&costs.calls, &|i| inside[i] || above[i]);
    let samples = counts(&costs.samples, &|i| inside[i]);
    let samples_total =
        if samples.is_empty() { Vec::new() } else { summed_up(&costs.tree, &samples, u64::saturating_add) };
    let unfinished = counts(&costs.unfinished, &|i| inside[i] || above[i]);
    let (tree, whole, at_once) = (costs.tree.clone(), costs.whole, costs.at_once);
    TreeCosts { tree, own, total, calls, unfinished, samples, samples_total, whole, at_once, gaps: None }
}
