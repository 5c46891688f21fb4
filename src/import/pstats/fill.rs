//! Entries of a dump into the builder, in the order of the file, one by one as they are read.
//!
//! Functions get their numbers as keys of entries, in the order of the file, which is how pstats itself breaks ties.
//! Callers are met before their own entries, so edges name them by the number of their key until the end.
//!
//! A time that is no number is unknown, and so are the costs of a function that is only named as a caller: such nodes
//! have no costs of their own.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::super::entry::cut_to_entry;
use super::super::python::module_of;
use super::super::read::marshal::{Dump, Span, Value};
use super::parts::{CallOrder, Name, Parts, count, four, is_builtin_place, is_own_time};
use super::sampled::Lines;
use super::signs::{CPROFILE, Found, Signs};
use crate::model::{
    CallEdge, Calls, Function, Metric, MetricId, NodeCosts, NodeId, ProfileBuilder, StringId, Strings,
};

/// What is known of a key (file, line, name).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Unknown,
    /// It names a function that had no entry so far.
    Function,
    Node(NodeId),
}

#[derive(Clone, Copy)]
struct File {
    name: StringId,
    module: StringId,
    may_be_builtin: bool,
    is_tilde: bool,
}

pub(super) struct Filler<'b> {
    builder: &'b mut ProfileBuilder,
    time: MetricId,
    /// By the number of the triple: callers refer to the same objects.
    keys: Vec<Key>,
    files: FxHashMap<u32, File>,
    /// A function and its two counts, in the order of the file, and its costs; `None` when they are unknown.
    counts: Vec<(NodeId, (i64, i64))>,
    costs: Vec<Option<NodeCosts>>,
    own: i64,
    /// Own time of callers that stands beside their callees.
    beside: Vec<(u32, i64)>,
    lacks_callers: bool,
    /// True in a file of Python's sampling profiler, which has lines instead of functions …
    by_lines: bool,
    /// … which are kept here until the end.
    lines: Option<Lines>,
    pub(super) skipped: u64,
    signs: Signs,
    /// No function had two entries; false only for damaged files.
    each_entry_once: bool,
    /// Callers are numbers of triples until the end.
    edges: Vec<CallEdge>,
    /// Total and self cost of each edge, and whether the file has any.
    totals: Vec<i64>,
    owns: Vec<i64>,
    measured: bool,
}

impl<'b> Filler<'b> {
    /// `sampled`: the file is one of Python's sampling profiler.
    pub(super) fn new(builder: &'b mut ProfileBuilder, sampled: bool) -> Self {
        let time = builder.metric(Metric::time());
        Self {
            builder,
            time,
            keys: Vec::new(),
            files: FxHashMap::default(),
            counts: Vec::new(),
            costs: Vec::new(),
            own: 0,
            beside: Vec::new(),
            lacks_callers: false,
            by_lines: sampled,
            lines: sampled.then(Lines::default),
            skipped: 0,
            signs: Signs { uncounted: true, ..Signs::default() },
            each_entry_once: true,
            edges: Vec::new(),
            totals: Vec::new(),
            owns: Vec::new(),
            measured: false,
        }
    }

    /// Entries so far that are functions.
    pub(super) fn functions(&self) -> usize {
        self.counts.len() + self.lines.as_ref().map_or(0, Lines::len)
    }

    /// Reads an entry.
    pub(super) fn entry(&mut self, dump: &Dump<'_>, key: Value, value: Value) {
        let parts = dump.children(value);
        let callers = parts.get(4).copied().unwrap_or(Value::None);
        if self.lines.is_some() && is_marker(dump, key) {
            return;
        }
        let Some((counts, own, total)) = four(dump, parts) else {
            self.skipped += 1;
            return;
        };
        if counts == (-1, -1) && is_own_time(dump, key) {
            return self.own_times(dump, callers);
        }
        let Some(node) = self.node(dump, key) else {
            self.skipped += 1;
            return;
        };
        if self.lines.is_some() {
            return self.line(dump, (key, node), (counts, own, total), callers);
        }
        // Until the end only entries make nodes.
        self.each_entry_once &= node.index() == self.counts.len();
        self.signs.uncounted &= counts == (-1, -1);
        self.look_for_signs(dump, key);
        self.counts.push((node, counts));
        let costs =
            self.nanoseconds(own).zip(self.nanoseconds(total)).map(|(own, total)| NodeCosts { own, total });
        // Without an outermost call that ended («1/0») no total was recorded.
        let ended = counts.0 != 0 && counts.1 != 0;
        if ended && costs.is_some_and(|c| c.own > c.total.saturating_add(1000)) {
            self.builder.warn("function whose self time is larger than its total", "");
        }
        self.own = self.own.saturating_add(costs.map_or(0, |c| c.own));
        self.costs.push(costs);
        for pair in dump.children(callers).chunks_exact(2) {
            match self.caller(dump, pair[0]) {
                Some(caller) => self.calls_by(dump, (caller, node), pair[1]),
                None => self.builder.warn("caller that is not a function (skipped)", ""),
            }
        }
    }

    /// Reads an entry of the sampling profiler: a line of a function.
    fn line(
        &mut self,
        dump: &Dump<'_>,
        (key, node): (Value, NodeId),
        ((direct, all), own, total): ((i64, i64), f64, f64),
        callers: Value,
    ) {
        let Some(parts) = Parts::of(dump, key) else { return };
        let file = self.file(dump, parts.file).name;
        let times = (self.nanoseconds(own).unwrap_or(0), self.nanoseconds(total).unwrap_or(0));
        let row = self.lines.as_mut().map(|l| l.add(node, (file, parts.line), (direct, all), times));
        for pair in dump.children(callers).chunks_exact(2) {
            match self.caller(dump, pair[0]).zip(count(pair[1])) {
                Some((caller, samples)) => {
                    if let (Some(lines), Some(row)) = (&mut self.lines, row) {
                        lines.call(caller, row, samples);
                    }
                }
                None => self.builder.warn("caller that is not a function (skipped)", ""),
            }
        }
    }

    /// Notes the callers' own times that a function of its own repeats.
    fn own_times(&mut self, dump: &Dump<'_>, callers: Value) {
        for pair in dump.children(callers).chunks_exact(2) {
            if let Some((caller, (_, own, _))) =
                self.caller(dump, pair[0]).zip(four(dump, dump.children(pair[1])))
            {
                let own = self.nanoseconds(own).unwrap_or(0);
                self.beside.push((caller, own));
            }
        }
    }

    fn look_for_signs(&mut self, dump: &Dump<'_>, key: Value) {
        let Some(Parts { file, name, .. }) = Parts::of(dump, key) else { return };
        let place = dump.raw_text(file);
        if self.signs.builtin.is_none() {
            self.signs.builtin = match place {
                b"~" => Some(CPROFILE),
                b"" | b"profile" => Some("profile (pstats)"),
                _ => None,
            };
        }
        let Name::Text(name) = name else { return };
        let name = dump.raw_text(name);
        self.signs.yappi = self.signs.yappi
            || name.contains(&b'.') && !name.starts_with(b"<")
            || !place.contains(&b'/')
                && !matches!(place, b"" | b"~" | b"profile")
                && is_builtin_place(&dump.text(file).0);
    }

    /// The number of a caller's key, if it is a function's.
    fn caller(&mut self, dump: &Dump<'_>, key: Value) -> Option<u32> {
        let Value::Triple(number) = key else { return None };
        if *self.known(number) == Key::Unknown {
            Parts::of(dump, key)?;
            *self.known(number) = Key::Function;
        }
        Some(number)
    }

    fn known(&mut self, number: u32) -> &mut Key {
        let number = number as usize;
        if self.keys.len() <= number {
            self.keys.resize((number + 1).max(self.keys.len() * 2), Key::Unknown);
        }
        &mut self.keys[number]
    }

    /// Calls of a function by another, as the file has them: a count, costs, or a list of costs.
    fn calls_by(&mut self, dump: &Dump<'_>, (caller, callee): (u32, NodeId), value: Value) {
        if let Some(n) = count(value) {
            // Pure `profile`: calls only.
            let calls = self.calls((n, n));
            self.edge(caller, callee, calls, (0, 0));
            return;
        }
        let parts = dump.children(value);
        let nested = matches!(parts.first(), Some(Value::Seq(_)));
        let all = if nested { parts } else { std::slice::from_ref(&value) };
        for &value in all {
            let Some((counts, own, total)) = four(dump, dump.children(value)) else {
                self.builder.warn("costs of a caller that cannot be read (skipped)", "");
                continue;
            };
            let calls = self.calls(counts);
            let (own, total) = (self.nanoseconds(own).unwrap_or(0), self.nanoseconds(total).unwrap_or(0));
            self.measured = true;
            self.edge(caller, callee, calls, (own, total));
        }
    }

    fn edge(&mut self, caller: u32, callee: NodeId, calls: Option<Calls>, (own, total): (i64, i64)) {
        self.edges.push(CallEdge { caller: NodeId(caller), callee, calls });
        self.owns.push(own);
        self.totals.push(total);
    }

    /// Calls from (all, primitive); `None` for −1, by which a sampling tool says that it counts none.
    fn calls(&mut self, (all, primitive): (i64, i64)) -> Option<Calls> {
        let (Ok(all), Ok(primitive)) = (u64::try_from(all), u64::try_from(primitive)) else {
            if (all, primitive) != (-1, -1) {
                self.builder.warn("negative number of calls (shown as unknown)", "");
            }
            return None;
        };
        if primitive > all {
            self.builder.warn("more primitive calls than calls (the larger number is taken for both)", "");
        }
        Some(Calls { all: all.max(primitive), primitive })
    }

    fn nanoseconds(&mut self, seconds: f64) -> Option<i64> {
        if !seconds.is_finite() {
            self.builder.warn("time that is not a number (shown as unknown)", "");
            return None;
        }
        if seconds < 0.0 {
            self.builder.warn("negative time", "");
        }
        Some((seconds * 1e9).round() as i64)
    }

    /// The node of a key (file, line, name).
    fn node(&mut self, dump: &Dump<'_>, key: Value) -> Option<NodeId> {
        let Value::Triple(number) = key else { return None };
        if let Key::Node(node) = *self.known(number) {
            return Some(node);
        }
        let Parts { file, line, name } = Parts::of(dump, key)?;
        let file = self.file(dump, file);
        let name = match name {
            Name::Text(name) => self.text(dump, name),
            // As Python prints it, without the address.
            Name::Code(name, file, line) => {
                let (name, file) = (self.text(dump, name), self.text(dump, file));
                Cow::Owned(format!("<code object {name}, file \"{file}\", line {line}>"))
            }
        };
        let builtin = line == 0 && file.may_be_builtin;
        // As pstats prints builtins: {built-in method builtins.exec}.
        let inner = name.strip_prefix('<').and_then(|n| n.strip_suffix('>'));
        let name = match inner {
            Some(inner) if builtin && file.is_tilde => self.builder.string(&format!("{{{inner}}}")),
            _ => self.builder.string(&name),
        };
        let category = if builtin { self.builder.string("builtin") } else { Strings::EMPTY };
        // Lines of the sampling profiler are those that ran.
        let first = if self.by_lines { 0 } else { line };
        let function = Function { name, module: file.module, file: file.name, line: first, category };
        let function = self.builder.function_row(function);
        let node = self.builder.node(function);
        *self.known(number) = Key::Node(node);
        Some(node)
    }

    fn file(&mut self, dump: &Dump<'_>, span: Span) -> File {
        if let Some(&file) = self.files.get(&span.start) {
            return file;
        }
        let text = self.text(dump, span);
        // cProfile marks builtins with «~», `profile` with an empty file; yappi has their module there.
        let may_be_builtin = is_builtin_place(&text);
        let module = match &*text {
            "~" => Cow::Borrowed(""),
            module if may_be_builtin => Cow::Borrowed(module),
            path => module_of(path),
        };
        let file = File {
            name: self.builder.string(&text),
            module: self.builder.string(&module),
            may_be_builtin,
            is_tilde: text == "~",
        };
        // Of an empty text the place says nothing: another text may start there.
        if !text.is_empty() {
            self.files.insert(span.start, file);
        }
        file
    }

    fn text<'d>(&mut self, dump: &'d Dump<'_>, span: Span) -> Cow<'d, str> {
        let (text, bad) = dump.text(span);
        if bad {
            self.builder.warn("text that is not UTF-8 (shown with �)", &format!("byte {}", span.start));
        }
        text
    }

    /// Gives what is left to the builder.
    pub(super) fn finish(mut self, dump: &Dump<'_>) -> Found {
        if let Some(lines) = self.lines.take() {
            return self.finish_lines(lines, dump);
        }
        let counts = std::mem::take(&mut self.counts);
        let order = CallOrder::of(counts.iter().map(|c| c.1));
        let mut counted = None;
        for &(node, (a, b)) in &counts {
            let counts = if order == CallOrder::AllFirst { (a, b) } else { (b, a) };
            if let Some(calls) = self.calls(counts) {
                self.builder.node_calls(node, calls);
                counted = Some(sum(counted.unwrap_or_default(), calls));
            }
        }
        let (functions, skipped, signs) = (counts.len(), self.skipped, self.signs);
        self.name_callers(dump);
        if signs.uncounted {
            self.settle_samples(&counts, dump);
        }
        let mut largest = 0;
        for (&(node, _), costs) in counts.iter().zip(&self.costs) {
            match costs {
                Some(costs) => {
                    largest = largest.max(costs.total);
                    self.builder.node_cost(node, self.time, *costs);
                }
                None => self.builder.unmeasured(node),
            }
        }
        let half_called = self.half_called(&counts, order);
        drop(counts);
        let Self { builder, time, own, lacks_callers, edges, mut totals, mut owns, measured, .. } = self;
        if !measured {
            totals.clear();
            owns.clear();
        }
        if self.each_entry_once {
            builder.new_edges(edges, time, totals, owns);
        } else {
            for (i, edge) in edges.iter().enumerate() {
                let id = builder.edge(edge.caller, edge.callee);
                if let Some(calls) = edge.calls {
                    builder.edge_calls(id, calls);
                }
                if measured {
                    builder.edge_cost(id, time, totals[i]);
                    builder.edge_self_cost(id, time, owns[i]);
                }
            }
        }
        Found { order, signs, functions, skipped, calls: counted, lacks_callers, half_called, own, largest }
    }

    /// How many functions that have callers were called more often than these say.
    fn half_called(&self, counts: &[(NodeId, (i64, i64))], order: CallOrder) -> usize {
        let mut calls: FxHashMap<NodeId, u64> = FxHashMap::default();
        for edge in &self.edges {
            let sum = calls.entry(edge.callee).or_default();
            *sum = sum.saturating_add(edge.calls.map_or(u64::MAX, |c| c.all));
        }
        let more = |&&(node, (a, b)): &&(NodeId, (i64, i64))| {
            let all = if order == CallOrder::AllFirst { a } else { b };
            calls.get(&node).is_some_and(|&sum| u64::try_from(all).is_ok_and(|all| all > sum))
        };
        counts.iter().filter(more).count()
    }

    fn finish_lines(mut self, lines: Lines, dump: &Dump<'_>) -> Found {
        let place = |number: u32| {
            let key = Value::Triple(number);
            let (node, parts) = (self.node(dump, key)?, Parts::of(dump, key)?);
            Some((node, (self.file(dump, parts.file).name, parts.line)))
        };
        let callers: Vec<_> = lines.callers().map(place).collect();
        let (functions, skipped, signs) = (lines.len(), self.skipped, Signs { sampled: true, ..self.signs });
        let own = lines.fill(&callers, self.time, self.builder);
        Found {
            order: CallOrder::PrimitiveFirst,
            signs,
            functions,
            skipped,
            calls: None,
            lacks_callers: false,
            half_called: 0,
            own,
            largest: 0,
        }
    }

    /// What a sampling tool sums up: own times that stand beside the callees go to the callers unless they are there
    /// already, and what recursion counts once for each call counts once.
    fn settle_samples(&mut self, counts: &[(NodeId, (i64, i64))], dump: &Dump<'_>) {
        let mut row_of = vec![usize::MAX; self.builder.call_graph().map_or(0, |g| g.nodes.len())];
        for (row, (node, _)) in counts.iter().enumerate() {
            row_of[node.index()] = row;
        }
        let beside: i64 = self.beside.iter().fold(0, |sum, b| sum.saturating_add(b.1));
        let whole = self.costs.iter().flatten().map(|c| c.total).max().unwrap_or(0);
        if self.own.saturating_add(beside) <= whole.saturating_add(whole / 100) {
            for (caller, own) in std::mem::take(&mut self.beside) {
                let Some(node) = self.node(dump, Value::Triple(caller)) else { continue };
                let row = row_of.get(node.index()).copied().unwrap_or(usize::MAX);
                if let Some(costs) = self.costs.get_mut(row).and_then(Option::as_mut) {
                    costs.own = costs.own.saturating_add(own);
                    self.own = self.own.saturating_add(own);
                }
            }
        }
        if !self.measured {
            return;
        }
        let mut entering = vec![None; counts.len()];
        for (edge, &total) in self.edges.iter().zip(&self.totals).filter(|(e, _)| e.caller != e.callee) {
            if let Some(sum) = entering.get_mut(row_of[edge.callee.index()]) {
                *sum = Some(sum.unwrap_or(0i64).saturating_add(total));
            }
        }
        let own: Vec<i64> = self.costs.iter().map(|c| c.map_or(0, |c| c.own)).collect();
        let known = self.costs.iter().zip(&entering).map(|(c, &entering)| {
            let recorded = c.map_or(0, |c| c.total);
            entering.map_or(recorded, |e| recorded.min(e))
        });
        let mut totals: Vec<i64> = known.collect();
        cut_to_entry(1, (&mut totals, &own), |each| {
            for (edge, total) in self.edges.iter().zip(&self.totals) {
                let (caller, callee) = (row_of[edge.caller.index()], row_of[edge.callee.index()]);
                if caller.max(callee) < own.len() {
                    each(caller as u32, callee as u32, std::slice::from_ref(total));
                }
            }
        });
        for (costs, total) in self.costs.iter_mut().zip(totals) {
            if let Some(costs) = costs {
                costs.total = total.max(costs.own);
            }
        }
    }

    /// Replaces numbers of triples by nodes, and adds up the edges of one entry that have the same caller.
    fn name_callers(&mut self, dump: &Dump<'_>) {
        let mut edges = std::mem::take(&mut self.edges);
        let entered = self.builder.call_graph().map_or(0, |g| g.nodes.len());
        // Per caller its latest edge: those of an entry stand together.
        let mut latest: Vec<u32> = Vec::new();
        let mut kept = 0;
        for i in 0..edges.len() {
            let CallEdge { caller, callee, mut calls } = edges[i];
            let caller = match self.keys[caller.index()] {
                Key::Node(node) => node,
                // A caller without an entry, or the key of one as another object; that it is one was seen before.
                _ => self.node(dump, Value::Triple(caller.0)).unwrap_or(callee),
            };
            // Pure `profile` does not say which calls were primitive; those of a function by itself cannot be.
            if let Some(calls) = calls.as_mut().filter(|_| !self.measured && caller == callee) {
                calls.primitive = 0;
            }
            if latest.len() <= caller.index() {
                latest.resize((caller.index() + 1).max(latest.len() * 2), u32::MAX);
            }
            let before = std::mem::replace(&mut latest[caller.index()], kept as u32) as usize;
            if before < kept && edges[before].callee == callee {
                latest[caller.index()] = before as u32;
                if let Some(more) = calls {
                    edges[before].calls = Some(sum(edges[before].calls.unwrap_or_default(), more));
                }
                self.totals[before] = self.totals[before].saturating_add(self.totals[i]);
                self.owns[before] = self.owns[before].saturating_add(self.owns[i]);
                continue;
            }
            edges[kept] = CallEdge { caller, callee, calls };
            (self.totals[kept], self.owns[kept]) = (self.totals[i], self.owns[i]);
            kept += 1;
        }
        let nodes = self.builder.call_graph().map_or(0, |g| g.nodes.len());
        (entered..nodes).for_each(|node| self.builder.unmeasured(NodeId::from_index(node)));
        self.lacks_callers = nodes > entered;
        let what = "function that is only named as a caller (its costs are unknown)";
        self.builder.warn_many(what, "", (nodes - entered) as u64);
        edges.truncate(kept);
        self.totals.truncate(kept);
        self.owns.truncate(kept);
        self.edges = edges;
    }
}

/// True for the key by which Python's sampling profiler marks its files.
fn is_marker(dump: &Dump<'_>, key: Value) -> bool {
    matches!(*dump.children(key), [Value::Text(text)] if dump.raw_text(text) == super::MARKER)
}

fn sum(a: Calls, b: Calls) -> Calls {
    Calls { all: a.all.saturating_add(b.all), primitive: a.primitive.saturating_add(b.primitive) }
}
