//! Entries of a dump into the builder, in the order of the file, one by one as they are read.
//!
//! Functions get their numbers as keys of entries, in the order of the file, which is how pstats itself breaks ties.
//! Callers are met before their own entries, so edges name them by the number of their key until the end.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::super::python::module_of;
use super::super::read::marshal::{Code, Dump, Span, Value};
use crate::model::{
    CallEdge, Calls, Function, Metric, MetricId, NodeCosts, NodeId, ProfileBuilder, StringId, Strings,
};

/// Which of a function's two counts comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallOrder {
    PrimitiveFirst,
    AllFirst,
}

/// What only one tool writes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    /// A function named Class.method, or in a module without a file.
    pub(super) yappi: bool,
    /// The file of the first function that is no ordinary one: cProfile's «~», or `profile`'s empty one.
    builtin: Option<&'static str>,
    /// All functions have −1 calls.
    uncounted: bool,
}

/// What a file said in sum.
pub(super) struct Found {
    pub(super) order: CallOrder,
    pub(super) signs: Signs,
    pub(super) functions: usize,
    /// Entries that are no functions.
    pub(super) skipped: u64,
    /// Calls of all functions; `None` when none were counted.
    pub(super) calls: Option<Calls>,
    /// Self time of all functions, ns.
    pub(super) own: i64,
}

impl Found {
    /// The tool, by the signs that only one of them leaves.
    pub(super) fn tool(&self) -> &'static str {
        match self.signs {
            _ if self.order == CallOrder::AllFirst => "yappi (pstats)",
            Signs { uncounted: true, .. } if self.functions > 0 => "pyinstrument (pstats)",
            Signs { builtin: Some(tool), .. } => tool,
            Signs { yappi: true, .. } => "yappi (pstats)",
            _ => "cProfile (pstats)",
        }
    }
}

/// What is known of a key (file, line, name).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Unknown,
    /// It names a function that had no entry so far.
    Function,
    Node(NodeId),
}

/// A key in parts.
struct Parts {
    file: Span,
    line: u32,
    name: Name,
}

enum Name {
    Text(Span),
    /// `profile` names the profiled program by its code object: its name, file and line.
    Code(Span, Span, i32),
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
    /// A function and its two counts, in the order of the file.
    counts: Vec<(NodeId, (i64, i64))>,
    own: i64,
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
    pub(super) fn new(builder: &'b mut ProfileBuilder) -> Self {
        let time = builder.metric(Metric::time());
        Self {
            builder,
            time,
            keys: Vec::new(),
            files: FxHashMap::default(),
            counts: Vec::new(),
            own: 0,
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
        self.counts.len()
    }

    /// Reads an entry.
    pub(super) fn entry(&mut self, dump: &Dump<'_>, key: Value, value: Value) {
        let parts = dump.children(value);
        let entry = four(parts).and_then(|four| Some((four, self.node(dump, key)?)));
        let Some(((counts, own, total), node)) = entry else {
            self.skipped += 1;
            return;
        };
        // Until the end only entries make nodes.
        self.each_entry_once &= node.index() == self.counts.len();
        let callers = parts.get(4).copied().unwrap_or(Value::None);
        self.signs.uncounted &= counts == (-1, -1);
        self.look_for_signs(dump, key);
        self.counts.push((node, counts));
        let (own, total) = (self.nanoseconds(own), self.nanoseconds(total));
        if own > total.saturating_add(1000) {
            self.builder.warn("function whose self time is larger than its total", "");
        }
        self.own = self.own.saturating_add(own);
        self.builder.node_cost(node, self.time, NodeCosts { own, total });
        for pair in dump.children(callers).chunks_exact(2) {
            match self.caller(dump, pair[0]) {
                Some(caller) => self.calls_by(dump, (caller, node), pair[1]),
                None => self.builder.warn("caller that is not a function (skipped)", ""),
            }
        }
    }

    fn look_for_signs(&mut self, dump: &Dump<'_>, key: Value) {
        let Some(Parts { file, name, .. }) = Parts::of(dump, key) else { return };
        let place = dump.raw_text(file);
        if self.signs.builtin.is_none() {
            self.signs.builtin = match place {
                b"~" => Some("cProfile (pstats)"),
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
            let Some((counts, own, total)) = four(dump.children(value)) else {
                self.builder.warn("costs of a caller that cannot be read (skipped)", "");
                continue;
            };
            let calls = self.calls(counts);
            let (own, total) = (self.nanoseconds(own), self.nanoseconds(total));
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

    fn nanoseconds(&mut self, seconds: f64) -> i64 {
        if !seconds.is_finite() {
            self.builder.warn("time that is not a number (taken as 0)", "");
            return 0;
        }
        if seconds < 0.0 {
            self.builder.warn("negative time", "");
        }
        (seconds * 1e9).round() as i64
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
        let function = Function { name, module: file.module, file: file.name, line, category };
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
        let (functions, skipped, signs, own) = (counts.len(), self.skipped, self.signs, self.own);
        drop(counts);
        self.name_callers(dump);
        let Self { builder, time, edges, mut totals, mut owns, measured, .. } = self;
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
        Found { order, signs, functions, skipped, calls: counted, own }
    }

    /// Replaces numbers of triples by nodes, and adds up the edges of one entry that have the same caller.
    fn name_callers(&mut self, dump: &Dump<'_>) {
        let mut edges = std::mem::take(&mut self.edges);
        // Per caller its latest edge: those of an entry stand together.
        let mut latest: Vec<u32> = Vec::new();
        let mut kept = 0;
        for i in 0..edges.len() {
            let CallEdge { caller, callee, mut calls } = edges[i];
            let caller = match self.keys[caller.index()] {
                Key::Node(node) => node,
                // A caller without an entry; that its key is one was seen before.
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
        edges.truncate(kept);
        self.totals.truncate(kept);
        self.owns.truncate(kept);
        self.edges = edges;
    }
}

fn sum(a: Calls, b: Calls) -> Calls {
    Calls { all: a.all.saturating_add(b.all), primitive: a.primitive.saturating_add(b.primitive) }
}

impl CallOrder {
    fn of(counts: impl Iterator<Item = (i64, i64)>) -> Self {
        let (mut rising, mut falling) = (0, 0);
        for (a, b) in counts.filter(|&(a, b)| a >= 0 && b >= 0) {
            rising += usize::from(a < b);
            falling += usize::from(a > b);
        }
        if falling > rising { Self::AllFirst } else { Self::PrimitiveFirst }
    }
}

impl Parts {
    /// Of a key that has the right form.
    fn of(dump: &Dump<'_>, key: Value) -> Option<Self> {
        let &[Value::Text(file), line, name] = dump.children(key) else { return None };
        let line = u32::try_from(count(line)?.max(0)).unwrap_or(0);
        let name = match name {
            Value::Text(name) => Name::Text(name),
            Value::Code(id) => {
                let Code { name: Value::Text(name), file: Value::Text(file), line } = dump.code(id) else {
                    return None;
                };
                Name::Code(name, file, line)
            }
            _ => return None,
        };
        Some(Self { file, line, name })
    }
}

fn is_builtin_place(file: &str) -> bool {
    !file.contains(['/', '\\']) && !file.ends_with(".py") && !file.starts_with('<')
}

fn number(value: Value) -> Option<f64> {
    match value {
        Value::Int(v) => Some(v as f64),
        Value::Float(v) => Some(v),
        _ => None,
    }
}

fn count(value: Value) -> Option<i64> {
    match value {
        Value::Int(v) => Some(v),
        Value::Float(v) if v.is_finite() => Some(v as i64),
        _ => None,
    }
}

/// Two counts and two times.
fn four(values: &[Value]) -> Option<((i64, i64), f64, f64)> {
    let &[a, b, own, total, ..] = values else { return None };
    Some(((count(a)?, count(b)?), number(own)?, number(total)?))
}
