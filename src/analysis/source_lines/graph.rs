//! Lines of a recorded call graph.

use super::adding::{Adding, add_counts};
use super::{Asked, LineCall};
use crate::model::{CallGraph, MetricId, NodeId, Place, PlaceRow, PlaceTable};

/// Factors and columns of a graph's line costs that a metric is the sum of.
pub(in crate::analysis) fn columns(
    terms: &[(i64, MetricId)],
    graph: &CallGraph,
    known: usize,
) -> Vec<(i64, usize)> {
    let column = |m: MetricId| graph.costs.iter().position(|c| c.metric == m).filter(|&i| i < known);
    terms.iter().filter_map(|&(factor, m)| Some((factor, column(m)?))).collect()
}

/// The cost of a row in these columns.
pub(in crate::analysis) fn sum(terms: &[(i64, usize)], costs: &[i64]) -> i64 {
    terms.iter().fold(0, |sum, &(factor, c)| sum.saturating_add(costs[c].saturating_mul(factor)))
}

impl Asked<'_> {
    pub(super) fn of_graph(&self, graph: &CallGraph, adding: &mut Adding) {
        let terms = columns(&self.terms, graph, graph.lines.metrics());
        self.places(graph, &graph.lines, |row| {
            if self.whole_file.is_some_and(|file| file != row.place.file) {
                return;
            }
            let cost = sum(&terms, row.costs);
            let line = adding.at(row.place.file, row.place.line);
            line.own = line.own.saturating_add(cost);
        });
    }

    /// What of a table is wanted: all of it, or what is of the function.
    fn places<P: Place>(&self, graph: &CallGraph, table: &PlaceTable<P>, take: impl FnMut(PlaceRow<'_, P>)) {
        if self.whole_file.is_some() {
            return table.for_each(take);
        }
        if let Some(node) = graph.nodes.iter().position(|n| n.function == self.function) {
            table.of(NodeId::from_index(node)).iter().for_each(take);
        }
    }

    /// Calls by their lines; the total of a line is its own cost and that of its calls.
    pub(super) fn calls_of_graph(&self, graph: &CallGraph, adding: &mut Adding) {
        let sites = &graph.sites;
        let terms = columns(&self.terms, graph, sites.metrics());
        self.places(graph, sites, |row| {
            let site = row.place;
            if self.whole_file.is_some_and(|file| file != site.file) {
                return;
            }
            let (cost, count) = (sum(&terms, row.costs), row.calls);
            let recursive = site.caller == site.callee;
            let callee = graph.nodes[site.callee.index()].function;
            adding.call(site.file, LineCall { line: site.line, callee, count, cost, recursive });
            let line = adding.at(site.file, site.line);
            line.count = add_counts(line.count, count);
            if !recursive {
                line.total = Some(line.total.unwrap_or(0).saturating_add(cost));
            }
        });
        if sites.is_empty() {
            return;
        }
        for row in adding.rows.values_mut() {
            row.total = Some(row.total.unwrap_or(0).saturating_add(row.own));
            if sites.is_counted() {
                row.count.get_or_insert(0);
            }
        }
    }
}
