//! Profiles written as text, for tests.
//!
//! Entries are parted by `;`, ` / ` or a new line; white space around them does not matter:
//!
//! ```text
//! [worker]                following spans and samples belong to this track («main» at first)
//! load 0 100              a span, ns; spans of a track nest by their times
//! load 0 100 alloc=64     … with a further inclusive cost
//! load! 0 100             … that ended with an error; `load~ 0 100` never ended
//! main>load 10            samples without time: a stack, root first, and their weight
//! main>load @0..10        a sample that covers a time; its weight is the length; `>` alone has no stack
//! main:7>load 10          the same at line 7 of main
//! fn load 5/2 10 30       a call-graph node: calls/primitive calls, self, total (`-` for unknown calls)
//! main -> load 5/2 10 30  an edge: calls/primitive calls, self of the callee, total
//! ```
//!
//! A function is `name` or `name@module`. Times are the metric `time`; `alloc` and other keys are bytes.

use std::sync::Arc;

use super::diff::functions::DiffFunctions;
use super::diff::metrics::Chosen;
use super::{CallTree, Scope, TreeCosts};
use crate::jobs::Job;
use crate::model::{
    ArgsRef, Calls, FunctionId, FunctionSpec, Metric, MetricId, MetricKey, NodeCosts, Profile,
    ProfileBuilder, SpanStatus, StackId, SymbolKey, TrackId, TrackKind, TrackSpec, Unit,
};
use crate::query::{Engine, Pair, Query, Run, RunId};

/// What DevTools records: tasks as spans, JavaScript as samples of the same thread.
pub const DEVTOOLS: &str = "RunTask 0 40 / Layout 30 35; main>handler @0..25; main @25..45; (idle) @45..60";

/// Builds the profile that `text` describes.
pub fn profile(text: &str) -> Arc<Profile> {
    let mut dsl = Dsl::new();
    for entry in text.split([';', '\n']).flat_map(|line| line.split(" / ")) {
        dsl.entry(entry.trim());
    }
    Arc::new(dsl.builder.finish())
}

/// The profile that `text` describes, ready for queries.
pub fn subject(text: &str) -> Run {
    Run::of(profile(text))
}

/// A profile that `fill` makes, ready for queries.
pub fn built(fill: impl FnOnce(&mut ProfileBuilder)) -> Run {
    let mut b = ProfileBuilder::new("test");
    fill(&mut b);
    Run::of(b.finish().into())
}

/// Two such profiles, to be compared.
pub fn pair(base: &str, head: &str) -> Pair {
    let run = |text, id| Run { id: RunId(id), ..subject(text) };
    Pair::of(run(base, 1), run(head, 2))
}

/// The question about all functions of a pair, in the time of both.
pub fn all_functions() -> DiffFunctions {
    let metric = Chosen::common(MetricKey::default());
    DiffFunctions { scope: Scope::default(), metric, range: None }
}

/// The answer to `query`.
pub fn ask<Q: Query>(subject: &Run, query: &Q) -> Arc<Q::Output> {
    Engine::inline().now(subject, query, &Job::new()).expect("nobody cancels")
}

/// The function called `name`.
pub fn function(profile: &Profile, name: &str) -> FunctionId {
    let (name, module) = name.split_once('@').unwrap_or((name, ""));
    let is = |f: &FunctionId| {
        let row = profile.functions.get(*f);
        profile.text(row.name) == name && (module.is_empty() || profile.text(row.module) == module)
    };
    profile.functions.ids().find(is).unwrap_or_else(|| panic!("no function {name}"))
}

/// The key of the function called `name`.
pub fn symbol(profile: &Profile, name: &str) -> SymbolKey {
    profile.keys().symbol(function(profile, name))
}

/// The path `main>a>b` in keys.
pub fn symbols(profile: &Profile, path: &str) -> Vec<SymbolKey> {
    path.split('>').map(|name| symbol(profile, name)).collect()
}

/// The path `main>a>b`.
pub fn path(profile: &Profile, path: &str) -> Vec<FunctionId> {
    path.split('>').map(|name| function(profile, name)).collect()
}

/// The tree with its costs, siblings by name: `main 100/15 >a 85/85`: total/self and one `>` per level.
pub fn dump(profile: &Profile, costs: &TreeCosts) -> String {
    dump_tree(profile, &costs.tree, |n| format!(" {}/{}", costs.total[n], costs.own[n]))
}

/// The names of a tree, siblings by name, each with what `more` says about the node.
pub fn dump_tree(profile: &Profile, tree: &CallTree, more: impl Fn(usize) -> String) -> String {
    let children = |at| {
        let mut nodes: Vec<_> = tree.children(at).collect();
        nodes.sort_by_key(|&n| std::cmp::Reverse(tree.nodes[n as usize].symbol.label(profile).into_owned()));
        nodes
    };
    let mut open = children(None);
    let mut lines = Vec::new();
    while let Some(n) = open.pop() {
        let node = tree.nodes[n as usize];
        let indent = ">".repeat(node.depth as usize);
        lines.push(format!("{indent}{}{}", node.symbol.label(profile), more(n as usize)));
        open.extend(children(Some(n)));
    }
    lines.join(" ")
}

struct Dsl {
    builder: ProfileBuilder,
    time: MetricId,
    track: TrackId,
}

impl Dsl {
    fn new() -> Self {
        let mut builder = ProfileBuilder::new("test");
        let time = builder.metric(Metric::time());
        let track = Self::track(&mut builder, "main");
        Self { builder, time, track }
    }

    fn track(builder: &mut ProfileBuilder, name: &str) -> TrackId {
        builder.track(TrackSpec { name, process: "", kind: TrackKind::Thread, sort: 0 })
    }

    fn function(&mut self, text: &str) -> FunctionId {
        let (name, module) = text.split_once('@').unwrap_or((text, ""));
        self.builder.function(FunctionSpec { name, module, ..FunctionSpec::default() })
    }

    fn stack(&mut self, path: &str) -> Option<StackId> {
        path.split('>').filter(|name| !name.is_empty()).fold(None, |parent, name| {
            let (name, line) = name.split_once(':').unwrap_or((name, "0"));
            let function = self.function(name);
            let frame = self.builder.frame(function, int(line) as u32);
            Some(self.builder.stack(parent, frame))
        })
    }

    fn entry(&mut self, entry: &str) {
        let words: Vec<&str> = entry.split_whitespace().collect();
        match words[..] {
            [] => {}
            [track] if track.starts_with('[') => {
                self.track = Self::track(&mut self.builder, track.trim_matches(['[', ']']));
            }
            ["fn", name, calls, own, total] => {
                let function = self.function(name);
                let node = self.builder.node(function);
                if let Some(calls) = calls_of(calls) {
                    self.builder.node_calls(node, calls);
                }
                self.builder.node_cost(node, self.time, NodeCosts { own: int(own), total: int(total) });
            }
            [caller, "->", callee, calls, own, total] => {
                let (caller, callee) = (self.function(caller), self.function(callee));
                let (caller, callee) = (self.builder.node(caller), self.builder.node(callee));
                let edge = self.builder.edge(caller, callee);
                if let Some(calls) = calls_of(calls) {
                    self.builder.edge_calls(edge, calls);
                }
                self.builder.edge_cost(edge, self.time, int(total));
                self.builder.edge_self_cost(edge, self.time, int(own));
            }
            [path, time] if time.starts_with('@') => {
                let (start, end) = time[1..].split_once("..").expect("@start..end");
                let (start, end) = (int(start), int(end));
                let stack = self.stack(path);
                self.builder.timed_sample(self.track, (start, end), stack, &[(self.time, end - start)]);
            }
            [path, weight] => {
                let stack = self.stack(path);
                self.builder.sample(self.track, stack, &[(self.time, int(weight))]);
            }
            [name, start, end, ref costs @ ..] => {
                let function = self.function(name.trim_end_matches(['!', '~']));
                let span = self.builder.open_span(self.track, int(start), function, ArgsRef::NONE);
                let status = if name.ends_with('!') { SpanStatus::Error } else { SpanStatus::Ok };
                if !name.ends_with('~') {
                    self.builder.close_span(self.track, span, int(end), status);
                }
                for cost in costs {
                    let (key, value) = cost.split_once('=').expect("key=cost");
                    let metric = self.builder.metric(Metric::new(key, key, Unit::Bytes));
                    self.builder.span_cost(self.track, span, metric, int(value));
                }
            }
            [_] => panic!("cannot read {entry}"),
        }
    }
}

fn int(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn calls_of(text: &str) -> Option<Calls> {
    let (all, primitive) = text.split_once('/').unwrap_or((text, text));
    Some(Calls { all: all.parse().ok()?, primitive: primitive.parse().ok()? })
}

#[test]
fn the_text_says_what_the_profile_holds() {
    let p = profile(
        "main 0 100 / a@lib 10 40; [gpu]; k 5 9 alloc=64\nmain>a 10; [t3]; f>g @0..5; fn x 3/1 2 9; x -> y - 1 4",
    );
    assert_eq!((p.tracks.len(), p.span_count(), p.sample_count()), (3, 3, 2));
    let graph = p.call_graph.as_ref().unwrap();
    assert_eq!((graph.nodes.len(), graph.edges.len(), graph.edges[0].calls), (2, 1, None));
    assert_eq!((graph.costs[0].edge_total[0], graph.costs[0].edge_self[0]), (4, 1));
    assert_eq!(graph.nodes[0].calls, Some(Calls { all: 3, primitive: 1 }));
    assert_eq!(p.text(p.functions.get(function(&p, "a@lib")).module), "lib");
}
