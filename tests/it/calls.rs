//! Callers, callees and the edges of the dependency graph, each compared with what Python's `pstats` and
//! `callgrind_annotate` print for the same file (`*.calls.txt` beside the samples).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use inferscope::analysis::Slice;
use inferscope::analysis::call_graph::{Calling, Graph, NOBODY};
use inferscope::analysis::callers::{Callers, Reach};
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use inferscope::model::{Calls, FunctionId, Profile};
use inferscope::query::{Engine, Run};

use crate::support;

/// Caller and callee → calls, calls not by recursion, self and total of the callee; sums where names repeat.
type Edges = BTreeMap<(String, String), (u64, u64, i64, i64)>;

/// A profile and its graph of all functions.
struct Opened {
    subject: Run,
    engine: Engine,
    graph: Arc<Graph>,
}

impl Opened {
    fn new(path: &Path) -> Self {
        let profile = import::open(&Input::Path(path.into()), &Job::new(), &mut |_| {})
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let subject = Run::of(Arc::new(profile));
        let engine = Engine::inline();
        let calling = Calling { slice: Slice::default(), around: None };
        let graph = engine.now(&subject, &calling, &Job::new()).expect("not cancelled");
        Self { subject, engine, graph }
    }

    fn add(edges: &mut Edges, key: (String, String), calls: Option<Calls>, own: i64, total: i64) {
        let calls = calls.unwrap_or_default();
        let sum = edges.entry(key).or_default();
        *sum = (sum.0 + calls.all, sum.1 + calls.primitive, sum.2 + own, sum.3 + total);
    }

    /// Edges of the drawing.
    fn drawn(&self, name: impl Fn(&Profile, FunctionId) -> String) -> Edges {
        let mut edges = Edges::new();
        let name = |row: u32| name(&self.subject.profile, self.graph.nodes[row as usize].symbol.function());
        for e in self.graph.edges.iter().filter(|e| e.from != NOBODY) {
            let (own, total) = (e.own.unwrap_or_default(), e.total.expect("a cost"));
            Self::add(&mut edges, (name(e.from), name(e.to)), e.calls, own, total);
        }
        edges
    }

    /// The same from the lists of callers, or of callees, of each function.
    fn listed(&self, name: impl Fn(&Profile, FunctionId) -> String, callers: bool) -> Edges {
        let mut edges = Edges::new();
        let profile = &self.subject.profile;
        for node in &self.graph.nodes {
            let function = node.symbol.function();
            let (slice, symbol) = (Slice::default(), profile.keys().symbol(function));
            let query = Callers { slice, function: symbol, reach: Reach::Direct };
            let list = self.engine.now(&self.subject, &query, &Job::new()).expect("not cancelled");
            for n in if callers { &list.callers } else { &list.callees } {
                let Some(symbol) = n.symbol else { continue };
                let (here, there) = (name(profile, function), name(profile, symbol.function()));
                let key = if callers { (there, here) } else { (here, there) };
                Self::add(&mut edges, key, n.calls, n.own.unwrap_or_default(), n.total.expect("a cost"));
            }
        }
        edges
    }
}

/// As `pstats.func_std_string` writes a function.
fn pstats_name(profile: &Profile, function: FunctionId) -> String {
    let row = profile.functions.get(function);
    let name = profile.text(row.name);
    match (profile.text(row.file), row.line) {
        ("~" | "", 0) => name.to_owned(),
        (file, line) => format!("{file}:{line}({name})"),
    }
}

/// Nanoseconds of seconds with nine digits.
fn ns(seconds: &str) -> i64 {
    seconds.replace('.', "").parse().expect("nine digits")
}

/// Reads `print_callers` (`<-`) or `print_callees` (`->`).
fn pstats_edges(text: &str, arrow: &str) -> Edges {
    let mut edges = Edges::new();
    let mut function = "";
    for line in text.lines() {
        let rest = match line.split_once(arrow) {
            Some((name, rest)) if !name.starts_with(' ') => {
                function = name.trim();
                rest
            }
            _ if line.starts_with("  ") && !function.is_empty() => line,
            _ => {
                function = "";
                continue;
            }
        };
        let mut words = rest.trim().splitn(4, char::is_whitespace).filter(|w| !w.is_empty());
        let Some(calls) = words.next() else { continue };
        let (own, rest) = (words.next().expect("tottime"), words.collect::<Vec<_>>().join(" "));
        let (total, other) = rest.trim().split_once(char::is_whitespace).expect("cumtime and a name");
        let (all, primitive) = calls.split_once('/').unwrap_or((calls, calls));
        let pair = (other.trim().to_owned(), function.to_owned());
        let key = if arrow == "<-" { pair } else { (pair.1, pair.0) };
        let numbers = (all.parse().expect("calls"), primitive.parse().expect("calls"), ns(own), ns(total));
        edges.insert(key, numbers);
    }
    edges
}

#[track_caller]
fn same(what: &str, ours: &Edges, theirs: &Edges, tolerance: i64) {
    assert!(!theirs.is_empty(), "{what}");
    let keys = |e: &Edges| e.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(ours), keys(theirs), "{what}");
    for (key, ours) in ours {
        let theirs = &theirs[key];
        assert_eq!((ours.0, ours.1), (theirs.0, theirs.1), "{what}: calls of {key:?}");
        let near = |a: i64, b: i64| (a - b).abs() <= tolerance;
        assert!(near(ours.2, theirs.2) && near(ours.3, theirs.3), "{what}: {key:?} {ours:?} {theirs:?}");
    }
}

fn pstats_agrees(profile: &Path, text: &str) {
    let opened = Opened::new(profile);
    let (callers, callees) = (pstats_edges(text, "<-"), pstats_edges(text, "->"));
    let name = profile.display();
    // Seconds are printed as decimals of a binary fraction: the last digit may differ.
    same(&format!("{name}: graph"), &opened.drawn(pstats_name), &callers, 1);
    same(&format!("{name}: callers"), &opened.listed(pstats_name, true), &callers, 1);
    same(&format!("{name}: callees"), &opened.listed(pstats_name, false), &callees, 1);
}

#[test]
fn edges_are_those_of_print_callers_and_print_callees() {
    for name in ["recursion-py311", "recursion-cycles-py311", "workload-py311", "workload-py313"] {
        let folder = support::file("sample_profiles/pstats");
        let text = std::fs::read_to_string(folder.join(format!("{name}.calls.txt"))).unwrap();
        pstats_agrees(&folder.join(format!("{name}.prof")), &text);
    }
}

/// callgrind_annotate splits a function by the files of code that is inlined into it and joins those of the same
/// file from different objects; names alone are the same there and here.
fn plain_name(profile: &Profile, function: FunctionId) -> String {
    profile.function_name(function).to_owned()
}

/// What callgrind_annotate prints: inclusive costs, and edges as its lists of callers and of callees say.
#[derive(Default)]
struct Annotated {
    /// With the number of files that its code is from.
    totals: BTreeMap<String, (i64, u32)>,
    callers: Edges,
    callees: Edges,
}

/// The function's name in «file:name (3x) [object]».
fn name_in(text: &str, names: &BTreeMap<String, i64>) -> String {
    let text = match text.rfind(" [") {
        Some(at) if text.ends_with(']') => &text[..at],
        _ => text,
    };
    // Files and names may both hold colons.
    let known = text.match_indices(':').map(|(at, _)| &text[at + 1..]).find(|name| names.contains_key(*name));
    known.unwrap_or_else(|| panic!("no function of {text}")).to_owned()
}

fn annotate(text: &str, names: &BTreeMap<String, i64>) -> Annotated {
    let mut found = Annotated::default();
    let (mut block, mut callers, mut callees) = (None, Vec::new(), Vec::new());
    for line in text.lines().skip(1).chain([""]) {
        let parts = line.trim().split_once("  ").and_then(|(cost, rest)| {
            let (sign, rest) = rest.trim_start().split_once(' ')?;
            Some((cost.replace(',', "").parse::<i64>().ok()?, sign, rest.trim()))
        });
        let Some((cost, sign, rest)) = parts else {
            let Some(name) = block.take() else { continue };
            for (edges, list) in [(&mut found.callers, &mut callers), (&mut found.callees, &mut callees)] {
                for (from, to, calls, cost) in list.drain(..) {
                    let or = |other: Option<String>| other.unwrap_or_else(|| String::clone(&name));
                    let calls = Some(Calls { all: calls, primitive: calls });
                    Opened::add(edges, (or(from), or(to)), calls, 0, cost);
                }
            }
            continue;
        };
        if sign == "*" {
            let name = name_in(rest, names);
            let sum = found.totals.entry(name.clone()).or_default();
            *sum = (sum.0 + cost, sum.1 + 1);
            block = Some(name);
            continue;
        }
        let at = rest.rfind("x)").expect("calls");
        let open = rest[..at].rfind(" (").expect("calls");
        let calls = rest[open + 2..at].replace(',', "").parse().expect("a number of calls");
        let other = Some(name_in(&rest[..open], names));
        match sign {
            "<" => callers.push((other, None, calls, cost)),
            _ => callees.push((None, other, calls, cost)),
        }
    }
    found
}

fn callgrind_agrees(profile: &Path, text: &str) {
    let opened = Opened::new(profile);
    let calls_and_cost =
        |edges: Edges| -> Edges { edges.into_iter().map(|(key, e)| (key, (e.0, e.0, 0, e.3))).collect() };
    let drawn = calls_and_cost(opened.drawn(plain_name));
    let mut totals: BTreeMap<String, i64> = BTreeMap::new();
    for node in &opened.graph.nodes {
        *totals.entry(plain_name(&opened.subject.profile, node.symbol.function())).or_default() += node.total;
    }
    let printed = annotate(text, &totals);
    let name = profile.display();
    same(&format!("{name}: graph"), &drawn, &printed.callers, 0);
    same(&format!("{name}: graph"), &drawn, &printed.callees, 0);
    for callers in [true, false] {
        same(&format!("{name}: lists"), &calls_and_cost(opened.listed(plain_name, callers)), &drawn, 0);
    }
    // Code from several files has parts that call each other there.
    let mut compared = 0;
    for (function, (total, _)) in printed.totals.into_iter().filter(|(_, t)| t.1 == 1) {
        let direct = drawn.get(&(function.clone(), function.clone())).map_or(0, |e| e.3);
        assert_eq!(totals[&function] + direct, total, "{name}: {function}; calls by itself count there, too");
        compared += 1;
    }
    assert!(compared > 20, "{name}: {compared}");
}

#[test]
fn edges_are_those_of_callgrind_annotate() {
    for name in ["gzip", "hot-lines"] {
        let folder = support::file("sample_profiles/callgrind");
        let text = std::fs::read_to_string(folder.join(format!("{name}.calls.txt"))).unwrap();
        callgrind_agrees(&folder.join(format!("{name}.callgrind.out")), &text);
    }
}
