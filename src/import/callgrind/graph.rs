//! Functions, calls and lines while they are added up, as flat columns, and their totals.
//!
//! The costs of function `i` are `costs[i * stride..][..stride]`. A function is (name, file, object), as in KCachegrind.
//! Lines and calls name it by its number here, until the builder has one for it.

use rustc_hash::FxHashMap;

use super::super::entry::cut_to_entry;
use super::address::JumpTo;
use super::python::Python;
use crate::model::place_table::add;
use crate::model::{
    CallSite, Calls, Function, Instruction, InstructionCall, Instructions, Jump, MetricId, NodeCosts, NodeId,
    PlaceTable, ProfileBuilder, SourceLine, StringId, Strings,
};

/// Bytes of lines that are kept; what comes after counts for its function only.
const MAX_BYTES: usize = 2 << 30;

/// What makes a function the same function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: StringId,
    pub(super) file: StringId,
    pub(super) object: StringId,
}

pub(super) struct Graph {
    stride: usize,
    nodes: Vec<Key>,
    node_of: FxHashMap<Key, u32>,
    /// Whether a function has costs or calls of its own, or was called with its file named.
    known: Vec<bool>,
    /// Self costs per function.
    own: Vec<i64>,
    lines: PlaceTable<SourceLine>,
    /// True when there were more lines than are kept.
    full: bool,
    sites: PlaceTable<CallSite>,
    /// A row of `sites` while it is made: the number of calls before the costs.
    call_row: Vec<i64>,
    /// What is known of machine instructions, where the file has addresses.
    code: Option<Box<Instructions>>,
    /// True when there were more of them than are kept.
    code_is_full: bool,
    /// The line of the last instructions, and what they cost together: one line has several.
    open: Option<SourceLine>,
    open_costs: Vec<i64>,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            stride: 0,
            nodes: Vec::new(),
            node_of: FxHashMap::default(),
            known: Vec::new(),
            own: Vec::new(),
            lines: PlaceTable::default(),
            full: false,
            sites: PlaceTable::with_calls(),
            call_row: Vec::new(),
            code: None,
            code_is_full: false,
            open: None,
            open_costs: Vec::new(),
        }
    }
}

/// Calls between two functions: the sum of their sites.
struct Edge {
    caller: u32,
    callee: u32,
    calls: i64,
    /// Place of its costs.
    row: usize,
}

/// All calls by caller and callee.
struct Edges {
    edges: Vec<Edge>,
    costs: Vec<i64>,
    stride: usize,
}

impl Edges {
    fn of(sites: &PlaceTable<CallSite>, stride: usize) -> Self {
        let mut all = Self { edges: Vec::new(), costs: Vec::new(), stride };
        let mut edge_of: FxHashMap<(u32, u32), usize> = FxHashMap::default();
        sites.for_each_put(|site, numbers| {
            let Some((calls, costs)) = numbers.split_first() else { return };
            let (caller, callee) = (site.caller.0, site.callee.0);
            let row = *edge_of.entry((caller, callee)).or_insert_with(|| {
                let row = all.edges.len();
                all.edges.push(Edge { caller, callee, calls: 0, row });
                all.costs.resize((row + 1) * stride, 0);
                row
            });
            all.edges[row].calls = all.edges[row].calls.saturating_add(*calls);
            add(&mut all.costs[row * stride..][..stride], costs);
        });
        all.edges.sort_unstable_by_key(|e| (e.caller, e.callee));
        all
    }

    fn iter(&self) -> impl Iterator<Item = (&Edge, &[i64])> {
        self.edges.iter().map(|e| (e, &self.costs[e.row * self.stride..][..self.stride]))
    }
}

/// The same columns with room for more costs each.
fn widen(costs: &[i64], from: usize, to: usize) -> Vec<i64> {
    if from == 0 {
        return Vec::new();
    }
    let mut wider = vec![0; costs.len() / from * to];
    for (wide, old) in wider.chunks_exact_mut(to).zip(costs.chunks_exact(from)) {
        wide[..from].copy_from_slice(old);
    }
    wider
}

impl Graph {
    /// Makes room for `stride` costs a row.
    pub(super) fn set_stride(&mut self, stride: usize) {
        if stride == self.stride || stride == 0 {
            return;
        }
        self.close_line();
        self.lines.set_stride(stride);
        if let Some(code) = &mut self.code {
            code.costs.set_stride(stride);
            code.calls.set_stride(stride + 1);
        }
        self.own = widen(&self.own, self.stride, stride);
        self.sites.set_stride(stride + 1);
        self.call_row = vec![0; stride + 1];
        self.stride = stride;
    }

    /// The number of a function. `known`: its file was named.
    pub(super) fn node(&mut self, key: Key, known: bool) -> u32 {
        let id = *self.node_of.entry(key).or_insert_with(|| {
            self.nodes.push(key);
            self.known.push(false);
            self.nodes.len() as u32 - 1
        });
        self.known[id as usize] |= known;
        id
    }

    /// What makes a function the same function.
    pub(super) fn key(&self, node: u32) -> Key {
        self.nodes[node as usize]
    }

    /// Notes that a function has costs or calls of its own, if only of 0. Yappi lists all functions
    /// before their files are known; what is only listed is no function.
    pub(super) fn mark(&mut self, node: u32) {
        self.known[node as usize] = true;
    }

    /// Adds the self cost of a line, or of an instruction of it. Nodes are numbers of ours.
    pub(super) fn self_cost(&mut self, line: SourceLine, address: Option<u64>, costs: &[i64]) {
        let at = line.node.index() * self.stride;
        if self.own.len() < at + self.stride {
            self.own.resize(self.nodes.len() * self.stride, 0);
        }
        add(&mut self.own[at..][..self.stride], costs);
        let Some(address) = address else { return self.line_cost(line, costs) };
        let SourceLine { node, file, line: number } = line;
        if let Some(code) = self.code() {
            code.costs.push_numbers(Instruction { node, address, file, line: number }, costs);
        }
        if self.open == Some(line) {
            return add(&mut self.open_costs, costs);
        }
        self.close_line();
        self.open = Some(line);
        self.open_costs.clear();
        self.open_costs.extend_from_slice(costs);
    }

    fn line_cost(&mut self, line: SourceLine, costs: &[i64]) {
        self.full |= self.lines.heap_bytes() > MAX_BYTES;
        if !self.full {
            self.lines.push_numbers(line, costs);
        }
    }

    /// Writes down what the last instructions of one line cost together.
    fn close_line(&mut self) {
        if let Some(line) = self.open.take() {
            let costs = std::mem::take(&mut self.open_costs);
            self.line_cost(line, &costs);
            self.open_costs = costs;
        }
    }

    /// Where instructions go; `None` when there are too many.
    fn code(&mut self) -> Option<&mut Instructions> {
        let stride = self.stride;
        let code = self.code.get_or_insert_with(|| {
            let mut code = Instructions::default();
            code.costs.set_stride(stride);
            code.calls.set_stride(stride + 1);
            Box::new(code)
        });
        self.code_is_full |= code.heap_bytes() > MAX_BYTES;
        (!self.code_is_full).then_some(&mut **code)
    }

    /// Adds calls and their inclusive cost, made from a line of a file, and from an instruction. Nodes are numbers of ours.
    pub(super) fn call(&mut self, site: CallSite, address: Option<u64>, calls: u64, costs: &[i64]) {
        let Some((count, row)) = self.call_row.split_first_mut() else { return };
        *count = i64::try_from(calls).unwrap_or(i64::MAX);
        row.copy_from_slice(costs);
        self.sites.push_numbers(site, &self.call_row);
        if let Some(address) = address {
            let row = std::mem::take(&mut self.call_row);
            if let Some(code) = self.code() {
                let CallSite { caller, callee, .. } = site;
                code.calls.push_numbers(InstructionCall { caller, address, callee }, &row);
            }
            self.call_row = row;
        }
    }

    /// Adds a jump of a function.
    pub(super) fn jump(&mut self, node: u32, from: u64, jump: JumpTo) {
        let JumpTo { to, conditional, executed, followed } = jump;
        if let Some(code) = self.code() {
            code.jump(Jump { node: NodeId(node), from, to, conditional }, executed, followed);
        }
    }

    /// Number of functions.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Moves everything into the builder and returns the self costs in all.
    pub(super) fn finish(
        mut self,
        metrics: &[MetricId],
        stated: &[i64],
        builder: &mut ProfileBuilder,
    ) -> Vec<i64> {
        self.close_line();
        self.merge_unplaced();
        let edges = Edges::of(&self.sites, self.stride);
        if self.full {
            builder.warn("more source lines than are kept (the rest counts for its function only)", "");
        }
        if self.code_is_full {
            builder
                .warn("more instructions than are kept (the rest counts for its line and function only)", "");
        }
        let (own, totals) = self.totals(&edges);
        let above = self.larger_than_all(&edges, &own, &totals, stated);
        builder.warn_many(
            "function whose total is larger than the whole run (recursion, or a damaged file)",
            "",
            above,
        );
        builder.reserve_graph(self.nodes.len(), edges.edges.len());
        let (nodes, kept) = self.fill_nodes(&edges, builder);
        let stride = self.stride;
        for (i, &node) in nodes.iter().enumerate().filter(|(i, _)| kept[*i]) {
            for (m, &metric) in metrics.iter().enumerate() {
                let costs = NodeCosts { own: own[i * stride + m], total: totals[i * stride + m] };
                builder.node_cost(node, metric, costs);
            }
        }
        fill_edges(&edges, &nodes, metrics, builder);
        let mut sums = vec![0; stride];
        own.chunks_exact(stride.max(1)).for_each(|row| add(&mut sums, row));
        self.fill_places(&nodes, builder);
        sums
    }

    /// How many functions cost more than the whole run. That is no sign of anything where costs can be negative, or where
    /// functions call each other in a circle that nothing enters.
    fn larger_than_all(&self, edges: &Edges, own: &[i64], totals: &[i64], stated: &[i64]) -> u64 {
        let stride = self.stride.max(1);
        let can_be_negative: Vec<bool> =
            (0..stride).map(|m| own.iter().skip(m).step_by(stride).any(|&cost| cost < 0)).collect();
        let is_above = |total: &[i64]| {
            let mut costs = total.iter().zip(stated).zip(&can_be_negative);
            costs.any(|((total, all), negative)| !negative && *all > 0 && total > all)
        };
        let above: Vec<usize> =
            totals.chunks_exact(stride).enumerate().filter(|(_, t)| is_above(t)).map(|t| t.0).collect();
        if above.is_empty() {
            return 0;
        }
        let entered = self.entered(edges);
        above.into_iter().filter(|&node| entered[node]).count() as u64
    }

    /// Which functions can be reached from one that nothing else calls.
    fn entered(&self, edges: &Edges) -> Vec<bool> {
        let mut callees: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        let mut entered = vec![true; self.nodes.len()];
        for edge in edges.edges.iter().filter(|e| e.caller != e.callee) {
            callees[edge.caller as usize].push(edge.callee);
            entered[edge.callee as usize] = false;
        }
        let mut open: Vec<u32> = (0..self.nodes.len() as u32).filter(|&i| entered[i as usize]).collect();
        while let Some(node) = open.pop() {
            for &callee in &callees[node as usize] {
                if !std::mem::replace(&mut entered[callee as usize], true) {
                    open.push(callee);
                }
            }
        }
        entered
    }

    /// A call without `cfi=` is of a function in the current file; but some writers leave the file out
    /// always, and valgrind at times means the file of the function where code of another is inlined.
    /// It shows in that such a function has no record, while one of its name elsewhere has.
    fn merge_unplaced(&mut self) {
        let mut unplaced = vec![false; self.nodes.len()];
        self.sites.for_each_put(|site, _| {
            unplaced[site.callee.index()] = !self.known[site.callee.index()];
        });
        if !unplaced.contains(&true) {
            return;
        }
        let mut placed: FxHashMap<(StringId, StringId), Option<u32>> = FxHashMap::default();
        for (i, key) in self.nodes.iter().enumerate().filter(|(i, _)| self.known[*i]) {
            placed.entry((key.name, key.object)).and_modify(|only| *only = None).or_insert(Some(i as u32));
        }
        let new_id: Vec<u32> = (0..self.nodes.len() as u32)
            .map(|i| {
                let key = self.nodes[i as usize];
                let other = placed.get(&(key.name, key.object)).copied().flatten();
                other.filter(|_| unplaced[i as usize]).unwrap_or(i)
            })
            .collect();
        // Who calls has calls of its own, so only callees change.
        self.sites = std::mem::take(&mut self.sites)
            .mapped(|s| Some(CallSite { callee: NodeId(new_id[s.callee.index()]), ..s }));
        if let Some(code) = &mut self.code {
            code.calls = std::mem::take(&mut code.calls)
                .mapped(|c| Some(InstructionCall { callee: NodeId(new_id[c.callee.index()]), ..c }));
        }
    }

    /// Self and total costs per function. The total is its own cost and that of its calls, and no less than that of the
    /// calls on it, as recorded: not all callers need be in the file, nor all callees. A call of a function by itself is
    /// in the outer call already, and so are calls around a circle of functions: there the calls on it count.
    fn totals(&self, edges: &Edges) -> (Vec<i64>, Vec<i64>) {
        let (n, stride) = (self.nodes.len(), self.stride);
        let mut own = self.own.clone();
        own.resize(n * stride, 0);
        let mut total = own.clone();
        let mut incoming = vec![0; n * stride];
        let mut called = vec![false; n];
        for (&Edge { caller, callee, .. }, costs) in edges.iter() {
            if caller != callee {
                add(&mut total[caller as usize * stride..][..stride], costs);
                add(&mut incoming[callee as usize * stride..][..stride], costs);
                called[callee as usize] = true;
            }
        }
        let negative: Vec<bool> =
            (0..stride).map(|m| own.iter().skip(m).step_by(stride).any(|&cost| cost < 0)).collect();
        let below = total.clone();
        for node in (0..n).filter(|i| called[*i]) {
            for (m, i) in (node * stride..(node + 1) * stride).enumerate() {
                // What frees memory costs less than nothing, and so can what is below.
                total[i] = if negative[m] { incoming[i] } else { incoming[i].max(own[i]) };
            }
        }
        let in_circle = cut_to_entry(stride, (&mut total, &own), |each| {
            edges.iter().for_each(|(e, costs)| each(e.caller, e.callee, costs));
        });
        for node in (0..n).filter(|i| !in_circle[*i]) {
            for (m, i) in (node * stride..(node + 1) * stride).enumerate() {
                total[i] = if negative[m] { below[i] } else { total[i].max(below[i]) };
            }
        }
        (own, total)
    }

    fn fill_nodes(&self, edges: &Edges, builder: &mut ProfileBuilder) -> (Vec<NodeId>, Vec<bool>) {
        // Functions that were merged into another, or only listed, have no calls and no costs.
        let mut kept = self.known.clone();
        for edge in &edges.edges {
            kept[edge.caller as usize] = true;
            kept[edge.callee as usize] = true;
        }
        let mut python = Python::of(&self.nodes, builder);
        if python.wants_lines() {
            self.lines.for_each_put(|l, _| python.line(l.node.0, &self.nodes, l.file, l.line));
        }
        let nodes = self.nodes.iter().enumerate().map(|(i, key)| {
            if !kept[i] {
                return NodeId(u32::MAX);
            }
            let function = python.function(i, *key, builder);
            let function = function.unwrap_or(Function {
                name: key.name,
                module: key.object,
                file: key.file,
                line: 0,
                category: Strings::EMPTY,
            });
            let function = builder.function_row(function);
            builder.node(function)
        });
        let nodes = nodes.collect();
        (nodes, kept)
    }

    fn fill_places(self, nodes: &[NodeId], builder: &mut ProfileBuilder) {
        let (mut lines, mut counted) = (self.lines, false);
        lines.renumber(|node| nodes[node.index()]);
        // A place without a line tells nothing that the edge does not.
        self.sites.for_each_put(|_, numbers| counted |= numbers[0] > 0);
        let mut sites = self.sites.mapped(|site| {
            let (caller, callee) = (nodes[site.caller.index()], nodes[site.callee.index()]);
            (site.line > 0).then_some(CallSite { caller, callee, ..site })
        });
        sites.set_counted(counted);
        builder.places(lines, sites);
        let Some(code) = self.code else { return };
        let Instructions { mut costs, calls, mut jumps } = *code;
        costs.renumber(|node| nodes[node.index()]);
        jumps.renumber(|node| nodes[node.index()]);
        let mut calls = calls.mapped(|call| {
            let (caller, callee) = (nodes[call.caller.index()], nodes[call.callee.index()]);
            Some(InstructionCall { caller, callee, ..call })
        });
        calls.set_counted(counted);
        *builder.instructions() = Instructions { costs, calls, jumps };
    }
}

fn fill_edges(edges: &Edges, nodes: &[NodeId], metrics: &[MetricId], builder: &mut ProfileBuilder) {
    // Writers that know no call counts write 0 everywhere.
    let counted = edges.edges.iter().any(|e| e.calls > 0);
    for (&Edge { caller, callee, calls, .. }, costs) in edges.iter() {
        let (from, to) = (nodes[caller as usize], nodes[callee as usize]);
        let edge = builder.edge(from, to);
        if counted {
            let all = calls.unsigned_abs();
            let calls = Calls { all, primitive: if from == to { 0 } else { all } };
            builder.edge_calls(edge, calls);
            builder.node_calls(to, calls);
        }
        for (&metric, &cost) in metrics.iter().zip(costs) {
            builder.edge_cost(edge, metric, cost);
        }
    }
}
