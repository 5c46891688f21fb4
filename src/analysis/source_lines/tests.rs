//! Lines of graphs, samples and what has none.

use super::*;
use crate::analysis::TimeRange;
use crate::analysis::testing::{ask, subject, symbol};
use crate::model::{FunctionSpec, Metric, NodeCosts, ProfileBuilder, SourceLine, Unit};
use crate::query::Run;
use proptest::prelude::*;
use std::sync::Arc;

fn lines(subject: &Run, name: &str, range: TimeRange) -> Arc<LineTable> {
    let function = symbol(&subject.profile, name);
    ask(subject, &Lines { slice: Slice { range, ..Slice::default() }, function, whole_file: None })
}

fn text(table: &LineTable) -> String {
    let row = |r: &LineRow| {
        let total = r.total.map_or("-".into(), |t| t.to_string());
        format!("{}:{}/{total}/{}", r.line, r.own, r.count.map_or("-".into(), |c| c.to_string()))
    };
    let file = |f: &FileLines| f.rows.iter().map(row).collect::<Vec<_>>().join(" ");
    table.files.iter().map(file).collect::<Vec<_>>().join(" | ")
}

#[test]
fn samples_count_for_each_line_once() {
    let s =
        subject("main:7>load:3 10; main:8>load:3>load:3>load:4 5; main:8 1; main>load:9 2; main:7>load 4");
    assert_eq!(text(&lines(&s, "main", None)), "7:0/14/2 8:1/6/2");
    let load = lines(&s, "load", None);
    assert_eq!(text(&load), "3:10/15/2 4:5/5/1 9:2/2/1");
    assert_eq!((load.unplaced, load.own, load.total, load.whole.total), (4, 21, 21, 22));
    assert_eq!((load.grain, load.sampled), (Grain::Lines, true));
    let s = subject("f:1 @0..10; f:2 @10..20");
    assert_eq!(text(&lines(&s, "f", Some((5, 12)))), "1:5/5/1 2:2/2/1");
}

#[test]
fn what_has_no_lines_stands_at_the_definition() {
    let mut b = ProfileBuilder::new("test");
    let time = b.metric(Metric::time());
    let spec = |name, line| FunctionSpec { name, file: "a.py", line, ..FunctionSpec::default() };
    for (name, line, own) in [("f", 3, 10), ("g", 9, 20)] {
        let f = b.function(spec(name, line));
        let node = b.node(f);
        b.node_cost(node, time, NodeCosts { own, total: own + 5 });
    }
    let s = Run::of(Arc::new(b.finish()));
    let f = lines(&s, "f", None);
    assert_eq!((text(&f).as_str(), f.grain), ("3:10/15/-", Grain::Definition));
    let function = symbol(&s.profile, "f");
    let query = Lines { slice: Slice::default(), function, whole_file: Some("a.py".into()) };
    assert_eq!(text(&ask(&s, &query)), "3:10/15/- 9:20/25/-");
}

#[test]
fn lines_of_a_call_graph_follow_formulas_and_files() {
    let mut b = ProfileBuilder::new("test");
    let (ir, bm) =
        (b.metric(Metric::new("Ir", "", Unit::Count)), b.metric(Metric::new("Bm", "", Unit::Count)));
    let sum = Metric { formula: vec![(1, ir), (10, bm)], ..Metric::new("CEst", "", Unit::Count) };
    let sum = b.metric(sum);
    let (c, h) = (b.string("a.c"), b.string("b.h"));
    for name in ["main", "other"] {
        let f = b.function(FunctionSpec { name, file: "a.c", ..FunctionSpec::default() });
        let node = b.node(f);
        b.node_cost(node, ir, NodeCosts { own: 9, total: 9 });
        b.node_cost(node, bm, NodeCosts { own: 3, total: 3 });
        b.line_cost(SourceLine { node, file: c, line: 4 }, &[5, 1]);
        b.line_cost(SourceLine { node, file: h, line: 2 }, &[3, 2]);
        b.line_cost(SourceLine { node, file: c, line: 0 }, &[1, 0]);
    }
    let s = Run::of(Arc::new(b.finish()));
    let function = symbol(&s.profile, "main");
    let slice = Slice::whole(s.profile.metric_key(sum));
    let query = Lines { slice, function, whole_file: None };
    let main = ask(&s, &query);
    assert_eq!((text(&main).as_str(), main.unplaced), ("4:15/-/- | 2:23/-/-", 1));
    assert_eq!(main.files[0].file, c);
    assert_eq!(text(&ask(&s, &Lines { whole_file: Some("b.h".into()), ..query })), "2:46/-/-");
}

/// «line:callee cost/count» of all files.
fn calls(subject: &Run, table: &LineTable) -> String {
    let call = |c: &LineCall| {
        let own = if c.recursive { "!" } else { "" };
        let count = c.count.map_or("-".into(), |n| n.to_string());
        format!("{}:{}{own} {}/{count}", c.line, subject.profile.function_name(c.callee), c.cost)
    };
    table.files.iter().flat_map(|f| &f.calls).map(call).collect::<Vec<_>>().join(" ")
}

#[test]
fn calls_of_a_line_are_told_by_samples() {
    let s = subject("main:7>load:3>load:3>read:1 10; main:7>save 4; main:8>load:4 5; other:7>load 1");
    assert_eq!(calls(&s, &lines(&s, "main", None)), "7:load 10/1 7:save 4/1 8:load 5/1");
    let load = lines(&s, "load", None);
    assert_eq!(calls(&s, &load), "3:load! 10/1 3:read 10/1");
    assert!(load.has_calls);
}

#[test]
fn calls_of_a_line_are_those_of_the_graph() {
    let mut b = ProfileBuilder::new("test");
    let time = b.metric(Metric::time());
    let file = b.string("a.c");
    let nodes = ["main", "work"].map(|name| {
        let f = b.function(FunctionSpec { name, file: "a.c", ..FunctionSpec::default() });
        let node = b.node(f);
        b.node_cost(node, time, NodeCosts { own: 6, total: 60 });
        node
    });
    b.line_cost(SourceLine { node: nodes[0], file, line: 3 }, &[6]);
    let mut call = |caller: usize, callee: usize, line, calls, cost| {
        let site = crate::model::CallSite { caller: nodes[caller], file, line, callee: nodes[callee] };
        b.call_site(site, Some(calls), &[cost]);
    };
    call(0, 1, 3, 2, 40);
    call(0, 0, 3, 1, 30);
    call(0, 1, 4, 5, 20);
    call(1, 1, 9, 8, 10);
    let s = Run::of(Arc::new(b.finish()));
    let main = lines(&s, "main", None);
    assert_eq!(text(&main), "3:6/46/3 4:0/20/5", "a call of itself is in the outer call already");
    assert_eq!(calls(&s, &main), "3:work 40/2 3:main! 30/1 4:work 20/5");
    let function = symbol(&s.profile, "main");
    let query = Lines { slice: Slice::default(), function, whole_file: Some("a.c".into()) };
    assert!(calls(&s, &ask(&s, &query)).ends_with("9:work! 10/8"));
}

#[test]
fn a_deep_recursion_is_no_trouble() {
    let s = subject(&format!("{} 1", vec!["f:5"; 100_000].join(">")));
    assert_eq!(text(&lines(&s, "f", None)), "5:1/1/1");
}

proptest! {
    #[test]
    fn lines_add_up_to_the_function(
        stacks in proptest::collection::vec((proptest::collection::vec((0u8..3, 0u8..3), 1..6), 0i64..50), 1..20),
    ) {
        let line = |(stack, w): &(Vec<(u8, u8)>, i64)| {
            let names: Vec<String> = stack.iter().map(|(f, l)| format!("f{f}:{l}")).collect();
            format!("{} {w}", names.join(">"))
        };
        let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
        for f in 0..3u8 {
            if s.profile.functions.ids().all(|i| s.profile.function_name(i) != format!("f{f}")) {
                continue;
            }
            let table = lines(&s, &format!("f{f}"), None);
            if table.grain != Grain::Lines {
                continue;
            }
            let own: i64 = table.files.iter().flat_map(|x| &x.rows).map(|r| r.own).sum();
            prop_assert_eq!(own + table.unplaced, table.own);
            for row in table.files.iter().flat_map(|x| &x.rows) {
                let has = |st: &[(u8, u8)]| st.contains(&(f, row.line as u8));
                let total: i64 = stacks.iter().filter(|(st, _)| has(st)).map(|(_, w)| w).sum();
                prop_assert_eq!(row.total, Some(total));
            }
        }
    }
}
