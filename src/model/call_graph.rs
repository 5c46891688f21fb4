//! The call graph that cProfile and callgrind record: functions, and calls between them, without time
//! or paths.
//!
//! Totals (inclusive costs) are stored as the tool measured them, because they cannot be derived: a
//! recursive function's total counts only its outermost activations.

use super::ids::{FunctionId, MetricId, NodeId, StringId};
use super::instructions::Instructions;
use super::place_table::{PARTS, Place, PlaceTable};

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
    /// False when the file has no costs of the function itself: it is only named as a caller, or its times are no
    /// numbers. Its costs are 0 then, and mean nothing.
    pub measured: bool,
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

impl Place for SourceLine {
    fn node(&self) -> NodeId {
        self.node
    }

    fn parts(&self) -> [u64; PARTS] {
        [self.file.0.into(), self.line.into(), 0]
    }

    fn new(node: NodeId, [file, line, _]: [u64; PARTS]) -> Self {
        Self { node, file: StringId(file as u32), line: line as u32 }
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

impl Place for CallSite {
    fn node(&self) -> NodeId {
        self.caller
    }

    fn parts(&self) -> [u64; PARTS] {
        [self.file.0.into(), self.line.into(), self.callee.0.into()]
    }

    fn new(caller: NodeId, [file, line, callee]: [u64; PARTS]) -> Self {
        Self { caller, file: StringId(file as u32), line: line as u32, callee: NodeId(callee as u32) }
    }
}

/// Self costs of source lines.
pub type LineCosts = PlaceTable<SourceLine>;
/// Calls by the place that they are made from, with their total costs. An edge is the sum of its places.
pub type CallSites = PlaceTable<CallSite>;

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
    /// Costs, calls and jumps per machine instruction, where the file has addresses.
    pub instructions: Option<Box<Instructions>>,
}

impl CallGraph {
    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let column = |c: &GraphCosts| {
            (c.node_self.len() + c.node_total.len() + c.edge_total.len() + c.edge_self.len()) * 8
        };
        self.nodes.len() * size_of::<CallNode>()
            + self.edges.len() * size_of::<CallEdge>()
            + self.costs.iter().map(column).sum::<usize>()
            + self.lines.heap_bytes()
            + self.sites.heap_bytes()
            + self.instructions.as_ref().map_or(0, |i| size_of::<Instructions>() + i.heap_bytes())
    }
}
