//! The flat profile: one row per function.
//!
//! For a call graph the numbers are the tool's own. For spans and samples self is summed over all
//! nodes of the tree, and total counts the outermost occurrence on each path only, so recursion never
//! counts twice.

use super::call_tree::NO_NODE;
use super::scope::{Scope, TimeRange};
use super::tree_costs::{Costs, formula};
use crate::jobs::Cancelled;
use crate::model::{CallGraph, Calls, FunctionId, MetricId, Profile};
use crate::query::{Context, Query};

/// One function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// The function.
    pub function: FunctionId,
    /// Calls, where calls were counted or recorded as spans.
    pub calls: Option<Calls>,
    /// Samples in which it was the innermost frame; `None` when there are no samples.
    pub samples: Option<u64>,
    /// Own cost.
    pub own: i64,
    /// Own cost and that of all it called.
    pub total: i64,
}

/// All functions, by own cost, largest first; ties by id.
#[derive(Clone, Debug, Default)]
pub struct FunctionTable {
    /// The rows.
    pub rows: Vec<FunctionRow>,
    /// Sum of own costs: the denominator of shares.
    pub sum: i64,
    /// All calls, where counted.
    pub calls: Option<Calls>,
}

/// Computes the [`FunctionTable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Functions {
    /// Which part.
    pub scope: Scope,
    /// Which metric.
    pub metric: MetricId,
    /// Which time.
    pub range: TimeRange,
}

impl Query for Functions {
    type Output = FunctionTable;

    fn run(&self, cx: &Context<'_>) -> Result<FunctionTable, Cancelled> {
        let profile = cx.profile();
        let mut table = match &profile.call_graph {
            Some(graph)
                if self.scope.transforms.is_empty() && profile.span_count() + profile.sample_count() == 0 =>
            {
                from_graph(profile, graph, self.metric)
            }
            _ => from_tree(self, cx)?,
        };
        table.rows.sort_by_key(|r| (std::cmp::Reverse(r.own), std::cmp::Reverse(r.total), r.function));
        table.calls = table.rows.iter().filter_map(|r| r.calls).reduce(|a, b| Calls {
            all: a.all.saturating_add(b.all),
            primitive: a.primitive.saturating_add(b.primitive),
        });
        Ok(table)
    }

    fn weight(table: &FunctionTable) -> usize {
        table.rows.len() * size_of::<FunctionRow>()
    }
}

/// Sum of self costs of a graph.
pub(super) fn graph_sum(profile: &Profile, graph: &CallGraph, metric: MetricId) -> i64 {
    let (own, _) = graph_columns(profile, graph, metric);
    own.iter().fold(0i64, |a, &b| a.saturating_add(b))
}

/// Self and total per node for a measured or derived metric.
#[must_use]
pub fn graph_columns(profile: &Profile, graph: &CallGraph, metric: MetricId) -> (Vec<i64>, Vec<i64>) {
    let find = |m: MetricId| graph.costs.iter().find(|c| c.metric == m);
    match find(metric) {
        Some(costs) => (costs.node_self.clone(), costs.node_total.clone()),
        None => (
            formula(profile, metric, graph.nodes.len(), |m| find(m).map(|c| &c.node_self)),
            formula(profile, metric, graph.nodes.len(), |m| find(m).map(|c| &c.node_total)),
        ),
    }
}

fn from_graph(profile: &Profile, graph: &CallGraph, metric: MetricId) -> FunctionTable {
    let (own, total) = graph_columns(profile, graph, metric);
    let rows = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(i, node)| FunctionRow {
            function: node.function,
            calls: node.calls,
            samples: None,
            own: own[i],
            total: total[i],
        })
        .collect();
    FunctionTable { rows, sum: own.iter().fold(0, |a, &b| a.saturating_add(b)), calls: None }
}

fn from_tree(query: &Functions, cx: &Context<'_>) -> Result<FunctionTable, Cancelled> {
    let costs = cx.get(&Costs { scope: query.scope.clone(), metric: query.metric, range: query.range })?;
    let profile = cx.profile();
    let tree = &costs.tree;
    let has_samples = !tree.stacks.is_empty();
    let counted = !tree.tracks.is_empty() || tree.estimate.is_some();
    let n = profile.functions.len();
    let mut rows = vec![(0i64, 0i64, Calls::default(), 0u64, false); n];
    // How often each function is open on the path, and the open nodes.
    let mut on_path = vec![0u32; n];
    let mut open: Vec<u32> = Vec::new();
    for (i, node) in tree.nodes.iter().enumerate() {
        if i % 65_536 == 0 {
            cx.job().checkpoint(i as u64, tree.nodes.len() as u64)?;
        }
        while open.last().copied().unwrap_or(NO_NODE) != node.parent {
            let Some(left) = open.pop() else { break };
            on_path[tree.nodes[left as usize].symbol.function().index()] -= 1;
        }
        let f = node.symbol.function().index();
        let row = &mut rows[f];
        row.0 = row.0.saturating_add(costs.own[i]);
        let own_count = costs.own_count[i];
        if on_path[f] == 0 {
            row.1 = row.1.saturating_add(costs.total[i]);
            row.2.primitive += own_count;
        }
        row.2.all += own_count;
        row.3 += own_count;
        row.4 = true;
        on_path[f] += 1;
        open.push(i as u32);
    }
    let rows = rows
        .into_iter()
        .enumerate()
        .filter(|(_, r)| r.4 && (r.0 != 0 || r.1 != 0 || r.3 != 0))
        .map(|(i, (own, total, calls, samples, _))| FunctionRow {
            function: FunctionId::from_index(i),
            calls: (counted && !has_samples).then_some(calls),
            samples: has_samples.then_some(samples),
            own,
            total,
        })
        .collect();
    Ok(FunctionTable { rows, sum: costs.sum, calls: None })
}
