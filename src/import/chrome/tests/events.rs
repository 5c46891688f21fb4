//! What each kind of event means.

use super::*;
use crate::model::{Fact, FactKind, SpanStatus, TrackKind, Unit};

fn shown(lines: &[&str]) -> (Vec<String>, Vec<(String, u64)>) {
    let p = profile(trace(lines));
    let warnings = warnings(&p).into_iter().map(|(kind, n)| (kind.split(" (").next().unwrap().to_owned(), n));
    (spans(&p), warnings.collect())
}

#[test]
fn begin_and_end_nest_by_name() {
    let (got, odd) = shown(&["B a 0", "B b 1", "E b 5", "B c 6", "E - 7", "E a 10"]);
    assert_eq!(got, ["a 0-10", "b 1-5 in a", "c 6-7 in a"]);
    assert!(odd.is_empty());
    // Recursion: the innermost of a name ends first.
    let (got, _) = shown(&["B a 0", "B a 1", "E a 2", "E a 3"]);
    assert_eq!(got, ["a 0-3", "a 1-2 in a"]);
}

#[test]
fn ends_that_do_not_fit_are_counted() {
    let (got, odd) = shown(&["B a 0", "E x 1", "E a 2", "E a 3", "E - 4"]);
    assert_eq!(got, ["a 0-2"]);
    assert_eq!(odd, [("end event without its begin event".into(), 3)]);
    let (got, odd) = shown(&["B a 0", "B b 1", "E a 2", "E b 3"]);
    assert_eq!(got, ["a 0-2", "b 1-3"]);
    assert_eq!(odd, [("span that ends after the span around it".into(), 1)]);
    // At the same moment the order does not matter.
    let (got, odd) = shown(&["B a 0", "B b 1", "E a 3", "E b 3"]);
    assert_eq!(got, ["a 0-3", "b 1-3 in a"]);
    assert!(odd.is_empty());
}

#[test]
fn unclosed_spans_last_until_the_end_of_the_trace() {
    let p = profile(trace(&["B a 0", "B b 2", "X c 5 3"]));
    assert_eq!(spans(&p), ["a 0-8", "b 2-8 in a", "c 5-8 in b"]);
    assert_eq!(p.tracks[0].spans.rows[0].status, SpanStatus::Unfinished);
    assert_eq!(
        warnings(&p),
        [("span without an end (shown as unfinished, until the span around it or the trace ends)", 2)]
    );
    let (got, odd) = shown(&[r#"Z x 0"#, r#"B a 0 "ph":"X""#, "X c 5 3"]);
    assert_eq!(got, ["a 0-8", "c 5-8 in a"]);
    assert!(odd.contains(&("complete event without a duration".into(), 1)));
}

#[test]
fn the_order_of_the_file_need_not_be_that_of_time() {
    let (got, odd) = shown(&["B b 1", "E b 9", "B a 0", "E a 10", "B c 2", "E c 8"]);
    assert_eq!(got, ["a 0-10", "b 1-9 in a", "c 2-8 in b"]);
    assert!(odd.is_empty());
    // An end may even come before its begin.
    let (got, odd) = shown(&["E a 10", "B b 5", "B a 0", "E b 6"]);
    assert_eq!(got, ["a 0-10", "b 5-6 in a"]);
    assert!(odd.is_empty());
    // At one moment, also without a difference in time.
    let (got, odd) = shown(&["B a 0", "B b 1", "E b 1", "E c 2", "B c 2", "X d 3 0", "E a 10"]);
    assert_eq!(got, ["a 0-10", "b 1-1 in a", "c 2-2 in a", "d 3-3 in a"]);
    assert!(odd.is_empty());
}

#[test]
fn overlapping_complete_events_are_all_kept() {
    let p = profile(trace(&["X a 0 10", "X b 5 100", "X c 6 1"]));
    assert_eq!(p.tracks[0].spans.lanes.len(), 2);
    assert_eq!(p.span_count(), 3);
    assert_eq!(warnings(&p), []);
}

#[test]
fn async_operations_nest_in_themselves_only() {
    let id = |n: u32| format!(r#""cat":"net","id":"{n}""#);
    let line = |text: &str, n| format!("{text} {}", id(n));
    let lines = [
        line("b get 0", 1),
        line("b get 10", 2),
        line("b dns 20", 2),
        line("e dns 30", 2),
        line("n hit 32", 2),
    ];
    let more = [line("e get 40", 2), line("b dns 50", 1), line("e dns 60", 1), line("e get 100", 1)];
    let all: Vec<_> = lines.iter().chain(&more).map(String::as_str).collect();
    let p = profile(trace(&all));
    assert_eq!(spans(&p), ["get 0-100", "dns 50-60 in get", "get 10-40", "dns 20-30 in get"]);
    assert_eq!(
        (labels(&p), p.tracks[0].kind, p.instants.len()),
        (vec!["net".to_owned()], TrackKind::Async, 1)
    );
    // The end may stand before the begin, as threads write on their own.
    let mut mixed = all.clone();
    mixed.reverse();
    assert_eq!(spans(&profile(trace(&mixed))), spans(&p));
}

#[test]
fn ids_of_async_operations_may_be_local_to_a_process() {
    let (got, odd) = shown(&[
        r#"b a 0 "cat":"c","id2":{"local":"0x1"}"#,
        r#"b a 1 "cat":"c","id2":{"local":"0x1"},"pid":2"#,
        r#"e a 5 "cat":"c","id2":{"local":"0x1"}"#,
        r#"e a 7 "cat":"c","id2":{"local":"0x1"},"pid":2"#,
        r#"b g 0 "cat":"c","id":"0x1","pid":3"#,
        r#"e g 9 "cat":"c","id":1,"pid":4"#,
    ]);
    assert_eq!(got, ["a 0-5", "a 1-7", "g 0-9"]);
    assert!(odd.is_empty());
}

#[test]
fn older_async_operations_are_told_apart_by_name() {
    let (got, odd) = shown(&[
        r#"S a 0 "cat":"c","id":1"#,
        r#"S b 1 "cat":"c","id":1"#,
        r#"T a 2 "cat":"c","id":1"#,
        r#"F a 5 "cat":"c","id":1"#,
        r#"F b 7 "cat":"c","id":1"#,
    ]);
    assert_eq!(got, ["a 0-5", "b 1-7"]);
    assert!(odd.is_empty());
}

fn links(p: &Profile) -> Vec<(i64, i64)> {
    p.links.iter().map(|l| (l.from.1 / 1000, l.to.1 / 1000)).collect()
}

#[test]
fn flows_become_links() {
    let p = profile(trace(&[
        "X a 0 10",
        r#"X b 20 10 "tid":2"#,
        r#"s go 5 "id":7"#,
        r#"f go 15 "id":7,"tid":2"#,
        r#"s go 6 "id":8"#,
        r#"t go 21 "id":8,"tid":2"#,
        r#"f go 22 "id":8,"tid":2,"bp":"e""#,
    ]));
    // Without «bp» a flow arrives at the next span.
    assert_eq!(links(&p), [(5, 20), (6, 21), (21, 22)]);
    let p = profile(trace(&["X a 0 10", r#"s go 5 "id":7"#, r#"f go 6 "id":8,"bp":"e""#]));
    assert!(p.links.is_empty());
    let odd = [("flow that starts and never arrives", 1), ("flow that arrives and never started", 1)];
    assert_eq!(warnings(&p), odd);
}

#[test]
fn spans_may_be_bound_to_flows_themselves() {
    let p = profile(trace(&[
        r#"X a 0 10 "bind_id":"0x1","flow_out":true"#,
        r#"X b 20 10 "bind_id":"0x1","flow_in":true,"flow_out":true"#,
        r#"X c 40 10 "bind_id":"0x1","flow_in":true,"flow_out":false"#,
    ]));
    assert_eq!(links(&p), [(0, 20), (20, 40)]);
}

#[test]
fn counters_have_one_series_per_argument() {
    let p = profile(trace(&[
        r#"C load 0 "args":{"value":1}"#,
        r#"C load 5 "args":{"value":"2.5"}"#,
        r#"C mem 0 "args":{"rss_bytes":10,"shared":1}"#,
        r#"C mem 1 "args":{"rss_bytes":null}"#,
        r#"C q 1 "id":"0xa","args":{"n":3}"#,
        r#"C q 2 "id":"0xb","args":{"n":4}"#,
    ]));
    let got: Vec<_> = p.counters.iter().map(|c| (p.text(c.name), c.unit, c.values.clone())).collect();
    assert_eq!(
        got,
        [
            ("load", Unit::None, vec![1.0, 2.5]),
            ("mem · rss_bytes", Unit::Bytes, vec![10.0]),
            ("mem · shared", Unit::None, vec![1.0]),
            ("q [0xa]", Unit::None, vec![3.0]),
            ("q [0xb]", Unit::None, vec![4.0]),
        ]
    );
    assert_eq!(warnings(&p), [("counter value that is not a number (skipped)", 1)]);
}

#[test]
fn tracks_are_named_and_ordered_by_metadata_wherever_it_stands() {
    let p = profile(trace(&[
        "X a 0 1",
        r#"X a 0 1 "tid":2"#,
        r#"X a 0 1 "tid":3"#,
        r#"X a 0 1 "pid":2,"tid":"stream 7""#,
        r#"X a 0 1 "pid":3"#,
        r#"X a 0 1 "pid":4"#,
        r#"M process_name 0 "args":{"name":"worker"}"#,
        r#"M process_name 0 "pid":3,"args":{"name":"worker"}"#,
        r#"M process_name 0 "pid":4,"args":{"name":"first"}"#,
        r#"M process_sort_index 0 "pid":4,"args":{"sort_index":-1}"#,
        r#"M process_labels 0 "pid":2,"args":{"labels":"GPU 0"}"#,
        r#"M thread_name 0 "args":{"name":"main"}"#,
        r#"M thread_sort_index 0 "args":{"sort_index":5}"#,
        r#"M thread_name 0 "tid":2,"args":{"name":"pool"}"#,
        r#"M thread_name 0 "tid":3,"args":{"name":"pool"}"#,
    ]));
    assert_eq!(
        labels(&p),
        [
            "first › tid 1",
            "GPU 0 › stream 7",
            "worker (pid 1) › pool (tid 2)",
            "worker (pid 1) › pool (tid 3)",
            "worker (pid 1) › main",
            "worker (pid 3) › tid 1",
        ]
    );
    let p = profile(trace(&["X a 0 1", r#"M process_name 0 "args":{"name":"app"}"#]));
    assert_eq!(labels(&p), ["tid 1"]);
    assert_eq!(p.meta.facts, [Fact::new(FactKind::Result, "Process", "app (pid 1)")]);
}

#[test]
fn tasks_of_asyncio_are_no_threads() {
    let p = profile(trace(&[
        r#"X a 0 1 "cat":"fee""#,
        r#"X b 0 1 "tid":99"#,
        r#"M thread_name 0 "tid":99,"args":{"name":"Task-12"}"#,
    ]));
    assert_eq!(p.tracks.iter().map(|t| t.kind).collect::<Vec<_>>(), [TrackKind::Task, TrackKind::Thread]);
    assert_eq!(p.meta.tool, "viztracer");
}

#[test]
fn tasks_that_the_program_has_named_are_known_by_where_viztracer_names_them() {
    let lines = [
        r#"M thread_name 0 "tid":1,"args":{"name":"MainThread"}"#,
        r#"M thread_name 0 "tid":2,"args":{"name":"worker"}"#,
        r#"X a 0 1 "tid":1,"cat":"fee""#,
        r#"X b 0 1 "tid":2,"cat":"fee""#,
        r#"X c 0 1 "tid":13072176,"cat":"fee""#,
        r#"M thread_name 0 "tid":13072176,"args":{"name":"user-3"}"#,
    ];
    let kinds = |lines: &[&str]| -> Vec<(String, TrackKind)> {
        let p = profile(trace(lines));
        p.tracks.iter().map(|t| (p.text(t.name).to_owned(), t.kind)).collect()
    };
    let (thread, task) = (TrackKind::Thread, TrackKind::Task);
    let known =
        [("MainThread".to_owned(), thread), ("user-3".to_owned(), task), ("worker".to_owned(), thread)];
    assert_eq!(kinds(&lines), known);
    // Other tools name threads where they like.
    let others = lines.map(|l| l.replace("fee", "call"));
    let others = kinds(&others.each_ref().map(|l| l.as_str()));
    assert!(others.iter().all(|(_, kind)| *kind == thread), "{others:?}");
}

#[test]
fn numbers_in_strings_are_numbers() {
    let p = profile(trace(&[
        r#"B x 0 "ph":"X","ts":"1.5","dur":"2","pid":"7","tid":"8""#,
        r#"X y 9 1 "pid":7,"tid":8"#,
    ]));
    assert_eq!(p.tracks.len(), 1);
    assert_eq!(
        p.tracks[0].spans.rows.iter().map(|s| (s.start, s.end)).collect::<Vec<_>>(),
        [(0, 2000), (7500, 8500)]
    );
}

#[test]
fn an_event_tells_its_details_from_the_file() {
    let mut text =
        trace(&["B a 0", r#"X näme\n 1 2 "args":{"k": [1, "x\" y"], "s":"\u00e9","n":null}"#, "E a 9"]);
    for bytes in [text.clone().into_bytes(), {
        text.insert(0, '\u{feff}');
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }] {
        let p = profile(&bytes);
        let at = offset(p.tracks[0].spans.rows[1].args);
        let got = details(&input(&bytes), &p.meta, at).unwrap();
        let expected = [
            ("ph", "X"),
            ("ts", "1"),
            ("name", "näme\n"),
            ("dur", "2"),
            ("pid", "1"),
            ("tid", "1"),
            ("k", r#"[1,"x\" y"]"#),
            ("s", "é"),
            ("n", "null"),
        ];
        assert_eq!(got, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert!(details(&input(&bytes), &p.meta, 1 << 20).is_err());
    }
}

#[test]
fn a_partial_picture_has_names_and_order() {
    let mut lines =
        vec![r#"M thread_name 0 "args":{"name":"main"}"#.to_owned(), "X b 0 1 \"tid\":2".to_owned()];
    lines.push(r#"M thread_sort_index 0 "args":{"sort_index":-1}"#.to_owned());
    lines.extend((0..500).map(|i| format!("X a {i} 1")));
    lines.push(r#"M thread_name 0 "tid":2,"args":{"name":"late"}"#.to_owned());
    let text = trace(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let mut partial = None;
    let whole = chunked(text.as_bytes(), 4096, &mut |p| partial = Some(p)).unwrap();
    let partial = partial.unwrap();
    assert_eq!(
        (labels(&partial), labels(&whole)),
        (vec!["main".into(), "tid 2".into()], vec!["main".into(), "late".into()])
    );
    assert!(partial.span_count() > 1 && partial.span_count() < whole.span_count());
}
