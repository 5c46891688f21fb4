//! The call graph of a profile that is being made: functions, calls between them, and costs by line.

use rustc_hash::FxHashMap;

use super::super::*;
use super::grown;

/// Self and total cost of a call-graph node or edge for one metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCosts {
    /// Own cost.
    pub own: i64,
    /// Own cost and that of all it called.
    pub total: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct GraphBuilder {
    graph: CallGraph,
    /// Nodes by function.
    node_of: Vec<Option<NodeId>>,
    /// Edges by their ends, as far as somebody asked.
    edge_of: FxHashMap<(NodeId, NodeId), EdgeId>,
    /// How many edges are in `edge_of`.
    indexed: usize,
}

impl GraphBuilder {
    /// The graph with columns of full length and its lines in order.
    pub(super) fn finish(self) -> CallGraph {
        let mut graph = self.graph;
        let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
        for costs in &mut graph.costs {
            costs.node_self.resize(nodes, 0);
            costs.node_total.resize(nodes, 0);
            costs.edge_total.resize(edges, 0);
            if !costs.edge_self.is_empty() {
                costs.edge_self.resize(edges, 0);
            }
        }
        graph.costs.sort_by_key(|c| c.metric);
        graph.lines.put_in_order();
        graph.sites.put_in_order();
        graph.instructions.iter_mut().for_each(|i| i.put_in_order());
        graph
    }
}

impl ProfileBuilder {
    /// Makes room in the call graph for what the caller has counted.
    pub fn reserve_graph(&mut self, nodes: usize, edges: usize) {
        let graph = self.graph.get_or_insert_default();
        graph.graph.nodes.reserve(nodes);
        graph.graph.edges.reserve(edges);
    }

    /// The call-graph node of a function.
    pub fn node(&mut self, function: FunctionId) -> NodeId {
        let graph = self.graph.get_or_insert_default();
        if graph.node_of.len() <= function.index() {
            graph.node_of.resize(function.index() + 1, None);
        }
        *graph.node_of[function.index()].get_or_insert_with(|| {
            graph.graph.nodes.push(CallNode { function, calls: None, measured: true });
            NodeId::from_index(graph.graph.nodes.len() - 1)
        })
    }

    /// Adds calls to a node.
    pub fn node_calls(&mut self, node: NodeId, calls: Calls) {
        let graph = self.graph.get_or_insert_default();
        add_calls(&mut graph.graph.nodes[node.index()].calls, calls);
    }

    /// Says that the file has no costs of a node itself.
    pub fn unmeasured(&mut self, node: NodeId) {
        self.graph.get_or_insert_default().graph.nodes[node.index()].measured = false;
    }

    /// Adds costs to a node.
    pub fn node_cost(&mut self, node: NodeId, metric: MetricId, cost: NodeCosts) {
        let costs = self.graph_costs(metric);
        let own = grown(&mut costs.node_self, node.index());
        *own = own.saturating_add(cost.own);
        let total = grown(&mut costs.node_total, node.index());
        *total = total.saturating_add(cost.total);
    }

    /// The edge from `caller` to `callee`.
    pub fn edge(&mut self, caller: NodeId, callee: NodeId) -> EdgeId {
        let graph = self.graph.get_or_insert_default();
        let GraphBuilder { graph, edge_of, indexed, .. } = graph;
        if edge_of.is_empty() {
            edge_of.reserve(graph.edges.capacity());
        }
        for (i, edge) in graph.edges.iter().enumerate().skip(*indexed) {
            edge_of.insert((edge.caller, edge.callee), EdgeId::from_index(i));
        }
        let edge = *edge_of.entry((caller, callee)).or_insert_with(|| {
            graph.edges.push(CallEdge { caller, callee, calls: None });
            EdgeId::from_index(graph.edges.len() - 1)
        });
        *indexed = graph.edges.len();
        edge
    }

    /// Sets all edges of the call graph, with the total and self cost of each where the tool measured them (else the
    /// columns are empty). No two have the same ends, and there were none before.
    pub fn new_edges(&mut self, edges: Vec<CallEdge>, metric: MetricId, totals: Vec<i64>, owns: Vec<i64>) {
        let costs = self.graph_costs(metric);
        costs.edges_measured |= !totals.is_empty();
        (costs.edge_total, costs.edge_self) = (totals, owns);
        let graph = self.graph.get_or_insert_default();
        (graph.graph.edges, graph.indexed) = (edges, 0);
        graph.edge_of.clear();
    }

    /// Adds calls to an edge.
    pub fn edge_calls(&mut self, edge: EdgeId, calls: Calls) {
        let graph = self.graph.get_or_insert_default();
        add_calls(&mut graph.graph.edges[edge.index()].calls, calls);
    }

    /// Adds the total cost of calls along an edge.
    pub fn edge_cost(&mut self, edge: EdgeId, metric: MetricId, total: i64) {
        let costs = self.graph_costs(metric);
        costs.edges_measured = true;
        let cost = grown(&mut costs.edge_total, edge.index());
        *cost = cost.saturating_add(total);
    }

    /// Adds the self cost that the callee had in the calls along an edge.
    pub fn edge_self_cost(&mut self, edge: EdgeId, metric: MetricId, own: i64) {
        let cost = grown(&mut self.graph_costs(metric).edge_self, edge.index());
        *cost = cost.saturating_add(own);
    }

    /// Adds the self cost of a source line, per metric in their order.
    pub fn line_cost(&mut self, line: SourceLine, costs: &[i64]) {
        self.graph.get_or_insert_default().graph.lines.push(line, None, costs);
    }

    /// Sets the self costs of all source lines, and the calls by their lines.
    pub fn places(&mut self, lines: LineCosts, sites: CallSites) {
        let graph = &mut self.graph.get_or_insert_default().graph;
        (graph.lines, graph.sites) = (lines, sites);
    }

    /// Adds calls by the place they are made from, with their total costs per metric in their order. The edge
    /// is added by itself.
    pub fn call_site(&mut self, site: CallSite, calls: Option<u64>, costs: &[i64]) {
        self.graph.get_or_insert_default().graph.sites.push(site, calls, costs);
    }

    /// Costs, calls and jumps per machine instruction, to add to.
    pub fn instructions(&mut self) -> &mut Instructions {
        self.graph.get_or_insert_default().graph.instructions.get_or_insert_default()
    }

    /// The graph built so far, for importers that derive totals from it.
    #[must_use]
    pub fn call_graph(&self) -> Option<&CallGraph> {
        self.graph.as_ref().map(|g| &g.graph)
    }

    fn graph_costs(&mut self, metric: MetricId) -> &mut GraphCosts {
        let costs = &mut self.graph.get_or_insert_default().graph.costs;
        let i = costs.iter().position(|c| c.metric == metric).unwrap_or_else(|| {
            costs.push(GraphCosts {
                metric,
                node_self: vec![],
                node_total: vec![],
                edges_measured: false,
                edge_total: vec![],
                edge_self: vec![],
            });
            costs.len() - 1
        });
        &mut costs[i]
    }
}

fn add_calls(to: &mut Option<Calls>, calls: Calls) {
    let old = to.unwrap_or_default();
    *to = Some(Calls {
        all: old.all.saturating_add(calls.all),
        primitive: old.primitive.saturating_add(calls.primitive),
    });
}
