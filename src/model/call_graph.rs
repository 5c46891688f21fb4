//! The call graph that cProfile and callgrind record: functions, and calls between them, without time
//! or paths.
//!
//! Totals (inclusive costs) are stored as the tool measured them, because they cannot be derived: a
//! recursive function's total counts only its outermost activations.

use super::ids::{FunctionId, MetricId, NodeId, StringId};

/// Calls of a function or along an edge, when the tool counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Calls {
    /// All calls.
    pub all: u64,
    /// Calls that were not made by a recursion of the same function.
    pub primitive: u64,
}

/// A function in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallNode {
    /// The function.
    pub function: FunctionId,
    /// How often it was called; `None` when the tool did not say.
    pub calls: Option<Calls>,
}

/// Calls from one function to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEdge {
    /// Who calls.
    pub caller: NodeId,
    /// Who is called.
    pub callee: NodeId,
    /// How often; `None` when the tool did not say.
    pub calls: Option<Calls>,
}

/// Costs of one metric over nodes and edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphCosts {
    /// The metric.
    pub metric: MetricId,
    /// Self cost per node.
    pub node_self: Vec<i64>,
    /// Total (inclusive) cost per node, as the tool measured it.
    pub node_total: Vec<i64>,
    /// True when the tool measured costs per edge. When false (Python's pure `profile` counts calls
    /// only) the edge columns hold nothing but zeros, and those zeros are unknowns.
    pub edges_measured: bool,
    /// Total cost of the calls along each edge.
    pub edge_total: Vec<i64>,
    /// Self cost of the callee in the calls along each edge; empty when the tool does not say.
    pub edge_self: Vec<i64>,
}

/// A source line of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceLine {
    /// The function.
    pub node: NodeId,
    /// The file of the line (differs from the function's for inlined code).
    pub file: StringId,
    /// 1-based line; 0 when unknown.
    pub line: u32,
}

/// Self costs of source lines, stored end to end: a large program has millions of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineCosts {
    /// The lines, ascending and each once, so that those of a function are a range.
    pub rows: Vec<SourceLine>,
    /// Costs per row, [`Self::metrics`] of them for each.
    pub costs: Vec<i64>,
    /// Number of metrics, in the order of [`CallGraph::costs`].
    pub metrics: usize,
}

/// Numbers of the rows in ascending order.
fn ascending<R: Copy + Ord>(rows: &[R]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&i| rows[i]);
    order
}

impl LineCosts {
    /// The rows of a function.
    #[must_use]
    pub fn of(&self, node: NodeId) -> std::ops::Range<usize> {
        let start = self.rows.partition_point(|r| r.node < node);
        start..start + self.rows[start..].partition_point(|r| r.node == node)
    }

    /// The same costs with ascending rows, each line once.
    #[must_use]
    pub(super) fn in_order(self) -> Self {
        if self.rows.is_sorted_by(|a, b| a < b) {
            return self;
        }
        let mut sorted = Self { metrics: self.metrics, ..Self::default() };
        for i in ascending(&self.rows) {
            if sorted.rows.last() == Some(&self.rows[i]) {
                let last = sorted.costs.len() - self.metrics;
                for (sum, cost) in sorted.costs[last..].iter_mut().zip(self.costs_of(i)) {
                    *sum = sum.saturating_add(*cost);
                }
            } else {
                sorted.rows.push(self.rows[i]);
                sorted.costs.extend_from_slice(self.costs_of(i));
            }
        }
        sorted
    }

    /// Costs of a row, per metric.
    #[must_use]
    pub fn costs_of(&self, row: usize) -> &[i64] {
        &self.costs[row * self.metrics..][..self.metrics]
    }
}

/// A place in a function from which it calls another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSite {
    /// Who calls.
    pub caller: NodeId,
    /// The file of the call (differs from the caller's for inlined code).
    pub file: StringId,
    /// 1-based line; 0 when unknown.
    pub line: u32,
    /// Who is called.
    pub callee: NodeId,
}

/// Calls by the place that they are made from, stored end to end. An edge is the sum of its places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSites {
    /// The places, ascending and each once, so that those of a function are a range.
    pub rows: Vec<CallSite>,
    /// Number of calls per row; empty when the tool did not count them.
    pub calls: Vec<u64>,
    /// Total costs of the calls per row, [`Self::metrics`] of them for each.
    pub costs: Vec<i64>,
    /// Number of metrics, in the order of [`CallGraph::costs`].
    pub metrics: usize,
}

impl CallSites {
    /// The rows of a calling function.
    #[must_use]
    pub fn of(&self, caller: NodeId) -> std::ops::Range<usize> {
        let start = self.rows.partition_point(|r| r.caller < caller);
        start..start + self.rows[start..].partition_point(|r| r.caller == caller)
    }

    /// Total costs of a row, per metric.
    #[must_use]
    pub fn costs_of(&self, row: usize) -> &[i64] {
        &self.costs[row * self.metrics..][..self.metrics]
    }

    /// Adds a row. All rows have as many costs as the first one, and counts if that has one.
    pub(super) fn push(&mut self, row: CallSite, calls: Option<u64>, costs: &[i64]) {
        let first = self.rows.is_empty();
        if first {
            self.metrics = costs.len();
        }
        if (first && calls.is_some()) || !self.calls.is_empty() {
            self.calls.push(calls.unwrap_or(0));
        }
        self.rows.push(row);
        self.costs.extend(costs.iter().copied().chain(std::iter::repeat(0)).take(self.metrics));
    }

    /// The same calls with ascending rows, each place once.
    #[must_use]
    pub(super) fn in_order(self) -> Self {
        if self.rows.is_sorted_by(|a, b| a < b) {
            return self;
        }
        let mut sorted = Self::default();
        for i in ascending(&self.rows) {
            let calls = self.calls.get(i).copied();
            if sorted.rows.last() != Some(&self.rows[i]) {
                sorted.push(self.rows[i], calls, self.costs_of(i));
                continue;
            }
            if let Some(sum) = sorted.calls.last_mut() {
                *sum = sum.saturating_add(calls.unwrap_or(0));
            }
            let last = sorted.costs.len() - self.metrics;
            for (sum, cost) in sorted.costs[last..].iter_mut().zip(self.costs_of(i)) {
                *sum = sum.saturating_add(*cost);
            }
        }
        sorted
    }
}

/// Functions and recorded calls.
#[derive(Clone, Debug, Default)]
pub struct CallGraph {
    /// The functions.
    pub nodes: Vec<CallNode>,
    /// The calls; at most one edge for each caller and callee.
    pub edges: Vec<CallEdge>,
    /// Costs per metric.
    pub costs: Vec<GraphCosts>,
    /// Costs per line, where the format has them.
    pub lines: LineCosts,
    /// Calls per line, where the format has them.
    pub sites: CallSites,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_order_and_once() {
        let line = |node, line| SourceLine { node: NodeId(node), file: StringId(0), line };
        let lines = LineCosts {
            rows: vec![line(1, 5), line(0, 9), line(1, 5), line(1, 2)],
            costs: vec![1, 10, 2, 20, 3, 30, 4, 40],
            metrics: 2,
        };
        let lines = lines.in_order();
        assert_eq!(lines.rows, [line(0, 9), line(1, 2), line(1, 5)]);
        assert_eq!(lines.costs, [2, 20, 4, 40, 4, 40]);
        assert_eq!(lines.of(NodeId(1)), 1..3);
        assert_eq!(lines.of(NodeId(7)), 3..3);
        assert_eq!(lines.costs_of(1), [4, 40]);
    }

    #[test]
    fn calls_from_one_place_are_added_up() {
        let site = |caller, line, callee| CallSite {
            caller: NodeId(caller),
            file: StringId(0),
            line,
            callee: NodeId(callee),
        };
        let mut sites = CallSites::default();
        for (row, calls, cost) in
            [(site(1, 5, 2), 3, 30), (site(0, 9, 1), 1, 5), (site(1, 5, 2), 4, 40), (site(1, 5, 0), 1, 1)]
        {
            sites.push(row, Some(calls), &[cost]);
        }
        let sites = sites.in_order();
        assert_eq!(sites.rows, [site(0, 9, 1), site(1, 5, 0), site(1, 5, 2)]);
        assert_eq!((&sites.calls[..], &sites.costs[..]), (&[1, 1, 7][..], &[5, 1, 70][..]));
        assert_eq!(sites.of(NodeId(1)), 1..3);
        let mut uncounted = CallSites::default();
        uncounted.push(site(0, 1, 1), None, &[1]);
        uncounted.push(site(0, 2, 1), Some(4), &[1]);
        assert!(uncounted.calls.is_empty(), "counts of some places only would be no counts");
    }
}
