//! Python's pstats files: what cProfile, the pure Python `profile` and yappi dump.
//!
//! Written by `Lib/cProfile.py`, `Lib/profile.py`, `Lib/pstats.py` of Python 2.5 to 3.14, yappi's
//! `convert2pstats` and pyinstrument's pstats renderer. There is no specification; `Lib/pstats.py` is
//! the reference. The file is one marshalled dict:
//!
//! ```text
//! {(file, line, name): (primitive calls, calls, self s, total s, {caller: (calls, primitive, self s, total s)})}
//! ```
//!
//! Kept: everything. Calls on a function stand in the other order than on a caller; yappi does not
//! follow that, and since a function cannot have more primitive calls than calls, one such function
//! shows the order of the whole file. `profile` stores only a call count per caller, so its edges have
//! no costs. Totals are taken as measured: a recursive function's total counts its outermost
//! activations only and cannot be derived from its callers.
//!
//! Lost: nothing. Guessed: the tool (by the keys that only one of them writes) and the modules (from
//! file names). Time order and call paths are not in the file at all.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::marshal::{self, Dump, Value};
use super::python::module_of;
use super::{Confidence, Context, Head, ImportError, Importer, Source};
use crate::model::{
    Basis, Calls, EdgeId, Function, Metric, MetricId, NodeCosts, NodeId, ProfileBuilder, StringId, Strings,
};

/// Python pstats.
pub struct Pstats;

impl Importer for Pstats {
    fn id(&self) -> &'static str {
        "pstats"
    }
    fn title(&self) -> &'static str {
        "Python pstats"
    }
    fn written_by(&self) -> &'static str {
        "cProfile, profile, yappi, pytest-profiling"
    }
    fn extensions(&self) -> &'static [&'static str] {
        &["prof", "pstat", "pstats", "cprof"]
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        if marshal::looks_like_dict_of_tuples(head.bytes) {
            return Confidence::Certain;
        }
        // Marshalled data of another shape under a profile's name: the importer says what is wrong.
        let named = self.extensions().iter().any(|e| head.name.ends_with(&format!(".{e}")));
        match head.bytes.first() {
            Some(b'{' | b'(' | b')' | b'[' | b'c' | 0xfb | 0xe3 | 0xa8 | 0xa9 | 0xdb)
                if named && head.bytes.contains(&0) =>
            {
                Confidence::Possible
            }
            _ => Confidence::No,
        }
    }
    fn import(&self, source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
        let bytes = source.read_all(cx.job)?;
        let dump = marshal::read_dict(&bytes, cx.job)?;
        let (rows, skipped) = read_rows(&dump);
        if rows.is_empty() && !dump.pairs.is_empty() {
            return Err(ImportError::malformed(
                "is no Python profile: no entry has the form (file, line, name): (calls, …, callers)",
            ));
        }
        let builder = &mut cx.builder;
        builder.warn_many("entry that is not a function with its costs (skipped)", "", skipped);
        if let Some(broken) = &dump.broken {
            builder.warn(&format!("file {}; what came before is shown", broken.what), &place_of(broken));
        }
        let order = CallOrder::of(&rows);
        let edges = rows.iter().map(|r| dump.children(r.callers).len() / 2).sum();
        builder.reserve_graph(rows.len(), edges);
        let time = builder.metric(Metric::time());
        let mut filler = Filler {
            dump: &dump,
            builder,
            time,
            order,
            nodes: vec![None; dump.triples()],
            files: FxHashMap::default(),
            calls_of: Vec::new(),
            latest_call: Vec::new(),
        };
        let mut sums = Sums::default();
        for row in &rows {
            filler.row(row, &mut sums);
        }
        for (i, row) in rows.iter().enumerate() {
            if i % 4096 == 0 {
                cx.job.checkpoint(i as u64, rows.len() as u64)?;
            }
            filler.callers(row);
        }
        let tool = tool(&dump, &rows, order);
        if order == CallOrder::AllFirst && !signed_by_yappi(&dump, &rows) {
            builder.warn("more primitive calls than calls (read in yappi's order, all calls first)", "");
        }
        describe(builder, tool, &sums, rows.len());
        Ok(())
    }
}

fn place_of(error: &ImportError) -> String {
    error.place.map(|p| p.to_string()).unwrap_or_default()
}

/// A function's entry, numbers as they stand in the file.
struct Row {
    key: Value,
    counts: (i64, i64),
    own: f64,
    total: f64,
    callers: Value,
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

/// The entries that have the right form, and how many have not.
fn read_rows(dump: &Dump<'_>) -> (Vec<Row>, u64) {
    let mut rows = Vec::with_capacity(dump.pairs.len());
    for &(key, value) in &dump.pairs {
        let parts = dump.children(value);
        if let (Value::Triple { .. }, Some((counts, own, total))) = (key, four(parts)) {
            rows.push(Row { key, counts, own, total, callers: parts.get(4).copied().unwrap_or(Value::None) });
        }
    }
    let skipped = dump.pairs.len() - rows.len();
    (rows, skipped as u64)
}

/// Which of a function's two counts comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallOrder {
    PrimitiveFirst,
    AllFirst,
}

impl CallOrder {
    fn of(rows: &[Row]) -> Self {
        let (mut rising, mut falling) = (0, 0);
        for &Row { counts: (a, b), .. } in rows.iter().filter(|r| r.counts.0 >= 0 && r.counts.1 >= 0) {
            rising += usize::from(a < b);
            falling += usize::from(a > b);
        }
        if falling > rising { Self::AllFirst } else { Self::PrimitiveFirst }
    }
}

#[derive(Default)]
struct Sums {
    calls: Calls,
    counted: bool,
    own: i64,
}

struct Filler<'a, 'b> {
    dump: &'a Dump<'b>,
    builder: &'a mut ProfileBuilder,
    time: MetricId,
    order: CallOrder,
    /// Keys that were met before, by their number: callers refer to the same objects.
    nodes: Vec<Option<NodeId>>,
    files: FxHashMap<u32, File>,
    /// Functions whose callers were read; one comes twice only in damaged files.
    calls_of: Vec<bool>,
    /// Per caller the function that it was last found to call, and the edge.
    latest_call: Vec<Option<(NodeId, EdgeId)>>,
}

impl<'a> Filler<'a, '_> {
    fn row(&mut self, row: &Row, sums: &mut Sums) {
        let Some(node) = self.node(row.key) else { return };
        let (a, b) = row.counts;
        let counts = if self.order == CallOrder::AllFirst { (a, b) } else { (b, a) };
        if let Some(calls) = self.calls(counts) {
            self.builder.node_calls(node, calls);
            sums.counted = true;
            sums.calls.all = sums.calls.all.saturating_add(calls.all);
            sums.calls.primitive = sums.calls.primitive.saturating_add(calls.primitive);
        }
        let (own, total) = (self.nanoseconds(row.own), self.nanoseconds(row.total));
        if own > total.saturating_add(1000) {
            self.builder.warn("function whose self time is larger than its total", "");
        }
        sums.own = sums.own.saturating_add(own);
        self.builder.node_cost(node, self.time, NodeCosts { own, total });
    }

    fn callers(&mut self, row: &Row) {
        let Some(callee) = self.node(row.key) else { return };
        let dump = self.dump;
        let again = std::mem::replace(at(&mut self.calls_of, callee), true);
        for pair in dump.children(row.callers).chunks_exact(2) {
            match self.node(pair[0]) {
                Some(caller) => self.edge(caller, (callee, again), pair[1]),
                None => self.builder.warn("caller that is not a function (skipped)", ""),
            }
        }
    }

    /// The edge between two functions. Callers stand together, so looking for it among all edges is needed only when
    /// the callee was there before.
    fn edge_of(&mut self, caller: NodeId, (callee, again): (NodeId, bool)) -> EdgeId {
        if again {
            return self.builder.edge(caller, callee);
        }
        match at(&mut self.latest_call, caller) {
            Some((of, edge)) if *of == callee => *edge,
            latest => {
                let edge = self.builder.new_edge(caller, callee);
                *latest = Some((callee, edge));
                edge
            }
        }
    }

    fn edge(&mut self, caller: NodeId, (callee, again): (NodeId, bool), value: Value) {
        let dump = self.dump;
        if let Some(n) = count(value) {
            // Pure `profile`: calls only. Which of them were primitive it does not say; those of a
            // function by itself cannot be.
            let edge = self.edge_of(caller, (callee, again));
            let primitive = if caller == callee { 0 } else { n };
            if let Some(calls) = self.calls((n, primitive)) {
                self.builder.edge_calls(edge, calls);
            }
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
            let edge = self.edge_of(caller, (callee, again));
            if let Some(calls) = self.calls(counts) {
                self.builder.edge_calls(edge, calls);
            }
            let (own, total) = (self.nanoseconds(own), self.nanoseconds(total));
            self.builder.edge_cost(edge, self.time, total);
            self.builder.edge_self_cost(edge, self.time, own);
        }
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
    fn node(&mut self, key: Value) -> Option<NodeId> {
        let Value::Triple { number, .. } = key else { return None };
        if let Some(node) = self.nodes[number as usize] {
            return Some(node);
        }
        let &[file, line, name] = self.dump.children(key) else { return None };
        let line = u32::try_from(count(line)?.max(0)).unwrap_or(0);
        let file = self.file(file)?;
        let name = match name {
            Value::Code(id) => self.code_name(id)?,
            name => self.text(name)?,
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
        self.nodes[number as usize] = Some(node);
        Some(node)
    }

    fn file(&mut self, value: Value) -> Option<File> {
        let Value::Text(span) = value else { return None };
        if let Some(&file) = self.files.get(&span.start) {
            return Some(file);
        }
        let text = self.text(value)?;
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
        Some(file)
    }

    /// `profile` names the profiled program by its code object; shown as Python prints it, without
    /// the address.
    fn code_name(&mut self, id: u32) -> Option<Cow<'a, str>> {
        let code = self.dump.code(id);
        let (name, file) = (self.text(code.name)?, self.text(code.file)?);
        Some(Cow::Owned(format!("<code object {name}, file \"{file}\", line {}>", code.line)))
    }

    fn text(&mut self, value: Value) -> Option<Cow<'a, str>> {
        let Value::Text(span) = value else { return None };
        let dump: &'a Dump<'_> = self.dump;
        let (text, bad) = dump.text(span);
        if bad {
            self.builder.warn("text that is not UTF-8 (shown with �)", &format!("byte {}", span.start));
        }
        Some(text)
    }
}

/// The place of a node in a table that grows with the nodes.
fn at<T: Default + Clone>(table: &mut Vec<T>, node: NodeId) -> &mut T {
    if table.len() <= node.index() {
        table.resize((node.index() + 1).max(table.len() * 2), T::default());
    }
    &mut table[node.index()]
}

#[derive(Clone, Copy)]
struct File {
    name: StringId,
    module: StringId,
    may_be_builtin: bool,
    is_tilde: bool,
}

fn is_builtin_place(file: &str) -> bool {
    !file.contains(['/', '\\']) && !file.ends_with(".py") && !file.starts_with('<')
}

/// The tool, by the keys that only one of them writes.
fn tool(dump: &Dump<'_>, rows: &[Row], order: CallOrder) -> &'static str {
    if order == CallOrder::AllFirst {
        return "yappi (pstats)";
    }
    if !rows.is_empty() && rows.iter().all(|r| r.counts == (-1, -1)) {
        return "pyinstrument (pstats)";
    }
    for row in rows {
        let &[Value::Text(file), ..] = dump.children(row.key) else { continue };
        match dump.raw_text(file) {
            b"~" => return "cProfile (pstats)",
            b"" | b"profile" => return "profile (pstats)",
            _ => {}
        }
    }
    if signed_by_yappi(dump, rows) { "yappi (pstats)" } else { "cProfile (pstats)" }
}

/// True when a function is named Class.method or lies in a module without a file, as only yappi writes them.
fn signed_by_yappi(dump: &Dump<'_>, rows: &[Row]) -> bool {
    rows.iter().any(|row| {
        let &[Value::Text(file), _, Value::Text(name)] = dump.children(row.key) else { return false };
        let (place, name) = (dump.raw_text(file), dump.raw_text(name));
        name.contains(&b'.') && !name.starts_with(b"<")
            || !place.contains(&b'/')
                && !matches!(place, b"" | b"~" | b"profile")
                && is_builtin_place(&dump.text(file).0)
    })
}

fn describe(builder: &mut ProfileBuilder, tool: &str, sums: &Sums, functions: usize) {
    let meta = &mut builder.meta;
    meta.basis = Basis::Aggregated;
    meta.tool = tool.into();
    // Yappi adds up what ran at the same time, so there the sum is no length.
    meta.duration = (!tool.starts_with("yappi") && functions > 0).then_some(sums.own);
    meta.facts.push(("Functions".into(), functions.to_string()));
    if sums.counted {
        let Calls { all, primitive } = sums.calls;
        let calls = if all == primitive { all.to_string() } else { format!("{all} ({primitive} primitive)") };
        meta.facts.push(("Calls".into(), calls));
    }
    meta.facts.push(("Self time of all functions".into(), format!("{:.6} s", sums.own as f64 / 1e9)));
}
