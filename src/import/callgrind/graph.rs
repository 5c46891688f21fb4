//! Functions, calls and lines while they are added up, as flat columns, and their totals.
//!
//! The costs of row `i` are `costs[i * stride..][..stride]`: one allocation for millions of lines.
//! A function is (name, file, object), as in KCachegrind.

use rustc_hash::FxHashMap;

use super::super::python::module_of;
use crate::model::{
    Calls, Function, LineCost, MetricId, NodeCosts, NodeId, ProfileBuilder, StringId, Strings,
};

/// Most costs of lines that are kept; what comes after counts for its function only.
const MAX_LINE_COSTS: usize = 100_000_000;

/// What makes a function the same function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: StringId,
    pub(super) file: StringId,
    pub(super) object: StringId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Line {
    node: u32,
    file: StringId,
    line: u32,
}

#[derive(Default)]
pub(super) struct Graph {
    stride: usize,
    nodes: Vec<Key>,
    node_of: FxHashMap<Key, u32>,
    /// Whether a function has costs or calls of its own, or was called with its file named.
    known: Vec<bool>,
    lines: Vec<Line>,
    line_of: FxHashMap<Line, u32>,
    last_line: usize,
    line_costs: Vec<i64>,
    edges: Vec<(u32, u32)>,
    edge_of: FxHashMap<(u32, u32), u32>,
    edge_calls: Vec<u64>,
    edge_costs: Vec<i64>,
    lines_full: bool,
}

fn add(to: &mut [i64], costs: &[i64]) {
    for (to, &cost) in to.iter_mut().zip(costs) {
        *to = to.saturating_add(cost);
    }
}

impl Graph {
    /// Makes room for `stride` costs a row.
    pub(super) fn set_stride(&mut self, stride: usize) {
        if stride == self.stride || stride == 0 {
            return;
        }
        for (costs, rows) in
            [(&mut self.line_costs, self.lines.len()), (&mut self.edge_costs, self.edges.len())]
        {
            let mut wider = vec![0; rows * stride];
            if self.stride > 0 {
                for (wide, old) in wider.chunks_exact_mut(stride).zip(costs.chunks_exact(self.stride)) {
                    wide[..self.stride].copy_from_slice(old);
                }
            }
            *costs = wider;
        }
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

    /// Notes that a function has costs or calls of its own, if only of 0. Yappi lists all functions
    /// before their files are known; what is only listed is no function.
    pub(super) fn mark(&mut self, node: u32) {
        self.known[node as usize] = true;
    }

    /// Adds the self cost of a line.
    pub(super) fn self_cost(&mut self, node: u32, file: StringId, line: u32, costs: &[i64]) {
        let mut key = Line { node, file, line };
        if self.line_costs.len() >= MAX_LINE_COSTS {
            self.lines_full = true;
            key = Line { node, file: Strings::EMPTY, line: 0 };
        }
        // Lines come in runs, and a function that is listed again comes in the same order.
        let row =
            match [self.last_line, self.last_line + 1].into_iter().find(|&i| self.lines.get(i) == Some(&key))
            {
                Some(row) => row,
                None => *self.line_of.entry(key).or_insert_with(|| {
                    self.lines.push(key);
                    self.line_costs.resize(self.lines.len() * self.stride, 0);
                    self.lines.len() as u32 - 1
                }) as usize,
            };
        self.last_line = row;
        add(&mut self.line_costs[row * self.stride..][..self.stride], costs);
    }

    /// Adds calls and their inclusive cost.
    pub(super) fn call(&mut self, caller: u32, callee: u32, calls: u64, costs: &[i64]) {
        let edge = *self.edge_of.entry((caller, callee)).or_insert_with(|| {
            self.edges.push((caller, callee));
            self.edge_calls.push(0);
            self.edge_costs.resize(self.edges.len() * self.stride, 0);
            self.edges.len() as u32 - 1
        }) as usize;
        self.edge_calls[edge] = self.edge_calls[edge].saturating_add(calls);
        add(&mut self.edge_costs[edge * self.stride..][..self.stride], costs);
    }

    /// Number of functions.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Moves everything into the builder and returns the self costs in all. `python`: names are
    /// yappi's «name file:line».
    pub(super) fn finish(
        mut self,
        metrics: &[MetricId],
        stated: &[i64],
        python: bool,
        builder: &mut ProfileBuilder,
    ) -> Vec<i64> {
        self.merge_unplaced();
        if self.lines_full {
            builder.warn("more source lines than are kept (the rest counts for its function only)", "");
        }
        let (own, totals) = self.totals();
        let above = totals
            .chunks_exact(self.stride.max(1))
            .filter(|t| t.iter().zip(stated).any(|(t, s)| *s > 0 && t > s));
        builder.warn_many(
            "function whose total is larger than the whole run (recursion, or a damaged file)",
            "",
            above.count() as u64,
        );
        let (nodes, kept) = self.fill_nodes(python, builder);
        let stride = self.stride;
        for (i, &node) in nodes.iter().enumerate().filter(|(i, _)| kept[*i]) {
            for (m, &metric) in metrics.iter().enumerate() {
                let costs = NodeCosts { own: own[i * stride + m], total: totals[i * stride + m] };
                builder.node_cost(node, metric, costs);
            }
        }
        self.fill_edges(&nodes, metrics, builder);
        let mut sums = vec![0; stride];
        own.chunks_exact(stride.max(1)).for_each(|row| add(&mut sums, row));
        for (line, costs) in self.lines.iter().zip(self.line_costs.chunks_exact(stride.max(1))) {
            builder.line_cost(LineCost {
                node: nodes[line.node as usize],
                file: line.file,
                line: line.line,
                costs: costs.to_vec(),
            });
        }
        sums
    }

    /// A call without `cfi=` is of a function in the current file; but some writers leave the file out
    /// always, and valgrind at times means the file of the function where code of another is inlined.
    /// It shows in that such a function has no record, while one of its name elsewhere has.
    fn merge_unplaced(&mut self) {
        let mut unplaced = vec![false; self.nodes.len()];
        for &(_, callee) in &self.edges {
            unplaced[callee as usize] = !self.known[callee as usize];
        }
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
        if new_id.iter().enumerate().all(|(i, new)| *new == i as u32) {
            return;
        }
        let (edges, calls, costs) = (
            std::mem::take(&mut self.edges),
            std::mem::take(&mut self.edge_calls),
            std::mem::take(&mut self.edge_costs),
        );
        self.edge_of.clear();
        for (i, (caller, callee)) in edges.into_iter().enumerate() {
            let (caller, callee) = (new_id[caller as usize], new_id[callee as usize]);
            self.call(caller, callee, calls[i], &costs[i * self.stride..][..self.stride]);
        }
    }

    /// Self and total costs per function. The total is that of the calls on it, as recorded; a
    /// function that nothing calls has its own cost and that of its calls. A call of a function by
    /// itself is in the outer call already.
    fn totals(&self) -> (Vec<i64>, Vec<i64>) {
        let (n, stride) = (self.nodes.len(), self.stride);
        let mut own = vec![0; n * stride];
        for (line, costs) in self.lines.iter().zip(self.line_costs.chunks_exact(stride.max(1))) {
            add(&mut own[line.node as usize * stride..][..stride], costs);
        }
        let mut total = own.clone();
        let mut incoming = vec![0; n * stride];
        let mut called = vec![false; n];
        for (&(caller, callee), costs) in self.edges.iter().zip(self.edge_costs.chunks_exact(stride.max(1))) {
            if caller != callee {
                add(&mut total[caller as usize * stride..][..stride], costs);
                add(&mut incoming[callee as usize * stride..][..stride], costs);
                called[callee as usize] = true;
            }
        }
        for node in (0..n).filter(|i| called[*i]) {
            for i in node * stride..(node + 1) * stride {
                total[i] = incoming[i].max(own[i]);
            }
        }
        (own, total)
    }

    fn fill_nodes(&self, python: bool, builder: &mut ProfileBuilder) -> (Vec<NodeId>, Vec<bool>) {
        // Functions that were merged into another, or only listed, have no calls and no costs.
        let mut kept = self.known.clone();
        for &(caller, callee) in &self.edges {
            kept[caller as usize] = true;
            kept[callee as usize] = true;
        }
        let nodes = self.nodes.iter().enumerate().map(|(i, key)| {
            if !kept[i] {
                return NodeId(u32::MAX);
            }
            let function = if python { python_function(*key, builder) } else { None };
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

    fn fill_edges(&self, nodes: &[NodeId], metrics: &[MetricId], builder: &mut ProfileBuilder) {
        // Writers that know no call counts write 0 everywhere.
        let counted = self.edge_calls.iter().any(|c| *c > 0);
        for (i, &(caller, callee)) in self.edges.iter().enumerate() {
            let (caller, callee) = (nodes[caller as usize], nodes[callee as usize]);
            let edge = builder.edge(caller, callee);
            if counted {
                let all = self.edge_calls[i];
                let calls = Calls { all, primitive: if caller == callee { 0 } else { all } };
                builder.edge_calls(edge, calls);
                builder.node_calls(callee, calls);
            }
            for (m, &metric) in metrics.iter().enumerate() {
                builder.edge_cost(edge, metric, self.edge_costs[i * self.stride + m]);
            }
        }
    }
}

/// Yappi names a function «name file:line».
fn python_function(key: Key, builder: &mut ProfileBuilder) -> Option<Function> {
    let file = builder.text(key.file);
    let (head, line) = builder.text(key.name).rsplit_once(':')?;
    let line: u32 = line.parse().ok()?;
    let name = head.strip_suffix(file)?.strip_suffix(' ')?.to_owned();
    let builtin =
        line == 0 && !file.contains(['/', '\\']) && !file.ends_with(".py") && !file.starts_with('<');
    let module = if builtin { file.to_owned() } else { module_of(file).into_owned() };
    Some(Function {
        name: builder.string(&name),
        module: builder.string(&module),
        file: key.file,
        line,
        category: builder.string(if builtin { "builtin" } else { "" }),
    })
}
