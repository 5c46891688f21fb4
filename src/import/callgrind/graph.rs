//! Functions, calls and lines while they are added up, as flat columns, and their totals.
//!
//! The costs of row `i` are `costs[i * stride..][..stride]`: one allocation for millions of lines.
//! A function is (name, file, object), as in KCachegrind.

use rustc_hash::FxHashMap;

use super::super::python::module_of;
use super::rows::{self, Rows, add, widen};
use crate::model::{
    CallSite, Calls, Function, LineCosts, MetricId, NodeCosts, NodeId, ProfileBuilder, SourceLine, StringId,
    Strings,
};

/// What makes a function the same function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: StringId,
    pub(super) file: StringId,
    pub(super) object: StringId,
}

#[derive(Default)]
pub(super) struct Graph {
    stride: usize,
    nodes: Vec<Key>,
    node_of: FxHashMap<Key, u32>,
    /// Whether a function has costs or calls of its own, or was called with its file named.
    known: Vec<bool>,
    /// Per function, file and line.
    lines: Rows,
    /// Self costs of lines that were too many to keep, per function; empty when there were none.
    unplaced_own: Vec<i64>,
    /// Per caller, target and line: the number of calls before the costs.
    sites: Rows,
    /// Called functions with the files of the code that calls them.
    targets: Vec<(u32, StringId)>,
    target_of: FxHashMap<(u32, StringId), u32>,
    call_row: Vec<i64>,
    /// Per caller and callee, the sums of their sites; filled at the end.
    calls: Rows,
}

impl Graph {
    /// Makes room for `stride` costs a row.
    pub(super) fn set_stride(&mut self, stride: usize) {
        if stride == self.stride || stride == 0 {
            return;
        }
        self.lines.set_stride(stride);
        self.unplaced_own = widen(&self.unplaced_own, self.stride, stride);
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

    /// Notes that a function has costs or calls of its own, if only of 0. Yappi lists all functions
    /// before their files are known; what is only listed is no function.
    pub(super) fn mark(&mut self, node: u32) {
        self.known[node as usize] = true;
    }

    /// A record of a function starts.
    pub(super) fn start(&mut self, node: u32) {
        self.lines.start(node);
        self.sites.start(node);
    }

    /// Adds the self cost of a line.
    pub(super) fn self_cost(&mut self, node: u32, file: StringId, line: u32, costs: &[i64]) {
        if !self.lines.add(rows::Key { node, part: (file.0, line) }, costs) {
            self.unplaced_own.resize((self.nodes.len() * self.stride).max(self.unplaced_own.len()), 0);
            add(&mut self.unplaced_own[node as usize * self.stride..][..self.stride], costs);
        }
    }

    /// Adds calls and their inclusive cost, made from a line of a file.
    pub(super) fn call(
        &mut self,
        caller: u32,
        callee: u32,
        (file, line): (StringId, u32),
        calls: u64,
        costs: &[i64],
    ) {
        let Some((count, row)) = self.call_row.split_first_mut() else { return };
        *count = i64::try_from(calls).unwrap_or(i64::MAX);
        row.copy_from_slice(costs);
        let target = *self.target_of.entry((callee, file)).or_insert_with(|| {
            self.targets.push((callee, file));
            self.targets.len() as u32 - 1
        });
        self.sites.add(rows::Key { node: caller, part: (target, line) }, &self.call_row);
    }

    /// Adds sites up to calls between functions.
    fn add_up_calls(&mut self) {
        self.calls.set_stride(self.stride + 1);
        for (key, row) in self.sites.keys.iter().zip(self.sites.costs.chunks_exact(self.stride + 1)) {
            let callee = self.targets[key.part.0 as usize].0;
            self.calls.add(rows::Key { node: key.node, part: (callee, 0) }, row);
        }
        self.calls.merge();
    }

    /// Caller, callee, number of calls and their costs.
    fn edges(&self) -> impl Iterator<Item = (u32, u32, i64, &[i64])> {
        let rows = self.calls.costs.chunks_exact(self.stride + 1);
        self.calls.keys.iter().zip(rows).map(|(key, row)| (key.node, key.part.0, row[0], &row[1..]))
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
        self.lines.merge();
        self.sites.merge();
        self.merge_unplaced();
        self.add_up_calls();
        if self.sites.is_full() {
            builder.warn("more calls than are kept (the rest is left out)", "");
        }
        if self.lines.is_full() {
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
        builder.reserve_graph(self.nodes.len(), self.calls.keys.len());
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
        self.fill_sites(&nodes, builder);
        self.fill_lines(&nodes, builder);
        sums
    }

    /// A call without `cfi=` is of a function in the current file; but some writers leave the file out
    /// always, and valgrind at times means the file of the function where code of another is inlined.
    /// It shows in that such a function has no record, while one of its name elsewhere has.
    fn merge_unplaced(&mut self) {
        let mut unplaced = vec![false; self.nodes.len()];
        for &(callee, _) in &self.targets {
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
        // Who calls has calls of its own, so only callees change.
        self.targets.iter_mut().for_each(|(callee, _)| *callee = new_id[*callee as usize]);
    }

    /// Self and total costs per function. The total is that of the calls on it, as recorded; a
    /// function that nothing calls has its own cost and that of its calls. A call of a function by
    /// itself is in the outer call already.
    fn totals(&self) -> (Vec<i64>, Vec<i64>) {
        let (n, stride) = (self.nodes.len(), self.stride);
        let mut own = self.unplaced_own.clone();
        own.resize(n * stride, 0);
        for (key, costs) in self.lines.keys.iter().zip(self.lines.costs.chunks_exact(stride.max(1))) {
            add(&mut own[key.node as usize * stride..][..stride], costs);
        }
        let mut total = own.clone();
        let mut incoming = vec![0; n * stride];
        let mut called = vec![false; n];
        for (caller, callee, _, costs) in self.edges() {
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
        for key in &self.calls.keys {
            kept[key.node as usize] = true;
            kept[key.part.0 as usize] = true;
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

    fn fill_sites(&self, nodes: &[NodeId], builder: &mut ProfileBuilder) {
        let rows = || self.sites.keys.iter().zip(self.sites.costs.chunks_exact(self.stride + 1));
        let counted = rows().any(|(_, row)| row[0] > 0);
        // A place without a line tells nothing that the edge does not.
        for (key, row) in rows().filter(|(key, _)| key.part.1 > 0) {
            let (callee, file) = self.targets[key.part.0 as usize];
            let (caller, callee) = (nodes[key.node as usize], nodes[callee as usize]);
            let site = CallSite { caller, file, line: key.part.1, callee };
            builder.call_site(site, counted.then_some(row[0].unsigned_abs()), &row[1..]);
        }
    }

    fn fill_lines(self, nodes: &[NodeId], builder: &mut ProfileBuilder) {
        let line = |key: &rows::Key| SourceLine {
            node: nodes[key.node as usize],
            file: StringId(key.part.0),
            line: key.part.1,
        };
        let rows = self.lines.keys.iter().map(line).collect();
        builder.line_costs(LineCosts { rows, costs: self.lines.costs, metrics: self.stride });
    }

    fn fill_edges(&self, nodes: &[NodeId], metrics: &[MetricId], builder: &mut ProfileBuilder) {
        // Writers that know no call counts write 0 everywhere.
        let counted = self.edges().any(|(_, _, calls, _)| calls > 0);
        for (caller, callee, calls, costs) in self.edges() {
            let (caller, callee) = (nodes[caller as usize], nodes[callee as usize]);
            let edge = builder.edge(caller, callee);
            if counted {
                let all = calls.unsigned_abs();
                let calls = Calls { all, primitive: if caller == callee { 0 } else { all } };
                builder.edge_calls(edge, calls);
                builder.node_calls(callee, calls);
            }
            for (&metric, &cost) in metrics.iter().zip(costs) {
                builder.edge_cost(edge, metric, cost);
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
