//! Broken, odd and hostile files.

use super::super::super::ErrorKind;
use super::*;

const GOOD: &str = r#"{"ph":"X","name":"good","ts":0,"dur":100,"pid":1,"tid":1}"#;

/// Every container that was seen in the wild shows the same spans.
#[test]
fn containers() {
    let events = [
        r#"{"ph":"B","name":"a","ts":0,"pid":1,"tid":1}"#,
        r#"{"ph":"X","name":"b","ts":1,"dur":2,"pid":1,"tid":1}"#,
        r#"{"ph":"E","ts":10,"pid":1,"tid":1}"#,
    ];
    let list = events.join(",");
    let forms = [
        format!("[{list}]"),
        format!("[{list}"),
        format!("[\n{list},\n"),
        format!("[{list},]"),
        format!("[{{}},{list}]"),
        format!("[,,{list},,]"),
        events.join("\n"),
        format!(r#"{{"traceEvents":[{list}]}}"#),
        format!(r#"{{"traceEvents":[{list}],}}"#),
        format!(r#"{{"traceEvents":[{list}],"traceName":"x","displayTimeUnit":"ms"}}"#),
        format!(
            r#"{{"a":[1,"]}}",{{}}],"b":NaN,"c":-Infinity,"metadata":{{"x":"\""}},"traceEvents":[{list}],"z":"q"}}"#
        ),
        format!(r#"{{"traceEvents":[],"traceEvents":[{list}]}}"#),
        format!("\u{feff}  [{list}]"),
        format!("{}[{list}]", " ".repeat(200_000)),
    ];
    let wide = format!("\u{feff}[{list}]").encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in forms.iter().map(|f| f.clone().into_bytes()).chain([wide]) {
        let p = profile(&bytes);
        assert_eq!(spans(&p), ["a 0-10", "b 1-3 in a"], "{}", String::from_utf8_lossy(&bytes));
        for w in &p.warnings {
            assert!(w.kind.starts_with("entry in the list"), "{w:?}");
        }
    }
}

#[test]
fn what_is_cut_off_says_so() {
    let text = format!(r#"{{"traceEvents":[{GOOD},{GOOD}"#);
    for cut in [text.len(), text.len() - 5, text.len() - GOOD.len()] {
        let p = profile(&text[..cut]);
        assert_eq!(warnings(&p), [("the file ends in the middle", 1)], "cut at {cut}");
        assert_eq!(p.span_count(), if cut == text.len() { 2 } else { 1 });
    }
}

#[test]
fn a_broken_event_costs_only_itself() {
    for broken in [
        r#"{"ph":"X","name":"bad,"ts":0,"dur":1,"pid":1,"tid":1}"#,
        r#"{"ph":"X","name":"bad","ts":0,"dur":1,"args":{"a":1,"pid":1,"tid":1}"#,
        r#"{"ph":"X" "name":"bad"}"#,
        r#"{"ph":X","name":"bad","ts":1,"args":{}}"#,
        "}",
    ] {
        let p = profile(format!(r#"{{"traceEvents":[{GOOD},{broken},{GOOD},{GOOD}]}}"#));
        assert_eq!((p.span_count(), warnings(&p).len()), (3, 1), "{broken}: {:?}", warnings(&p));
    }
}

#[test]
fn unusable_numbers_cost_one_event() {
    let bad = "event whose time or duration is missing or not a usable number (skipped)";
    for number in
        ["1e400", "NaN", "-Infinity", "null", "true", "0x10", "18446744073709551616", "\"x\"", "[1]", "{}"]
    {
        for (ts, dur) in [(number, "5"), ("1", number)] {
            let p =
                profile(format!(r#"[{GOOD},{{"ph":"X","name":"n","ts":{ts},"dur":{dur},"pid":1,"tid":1}}]"#));
            assert_eq!(
                (spans(&p), warnings(&p)),
                (vec!["good 0-100".to_owned()], vec![(bad, 1)]),
                "{ts} {dur}"
            );
        }
    }
    let p = profile(format!(r#"[{GOOD},{{"ph":"X","name":"n","ts":50,"dur":-5,"pid":1,"tid":1}}]"#));
    assert_eq!((p.span_count(), p.warnings.len()), (2, 1));
    // Times at both ends of what is believed do not overflow.
    let p = profile(trace(&["X a -1152921504606846 1", "X b 4611686018427386 1", "B c 0", "i d 5"]));
    assert!(p.meta.duration.unwrap() > 0);
}

#[test]
fn odd_ids_name_tracks() {
    let lines = [
        r#""pid":"proc A","tid":"β""#,
        r#""pid":-1,"tid":-7"#,
        r#""pid":1.5,"tid":18446744073709551616"#,
        r#""pid":null,"tid":null"#,
    ];
    let lines: Vec<_> = lines.iter().map(|ids| format!("X n 0 1 {ids}")).collect();
    let p = profile(trace(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
    let expected =
        ["pid -1 › tid -7", "1.5 › 18446744073709551616", "proc A › β", "no process id › no thread id"];
    assert_eq!(labels(&p), expected);
}

#[test]
fn odd_texts_are_shown_and_counted() {
    let p = profile(
        br#"[{"ph":"X","name":"\ud800 x","ts":0,"dur":5},{"ph":"X","name":"a	b","ts":0,"dur":5,"cat":"l"}]"#,
    );
    assert_eq!(spans(&p), ["\u{fffd} x 0-5", "a\tb 0-5 in \u{fffd} x"]);
    let odd = [("text with invalid characters (shown as �)", 1), ("text with raw control characters", 1)];
    assert_eq!(warnings(&p), odd);
    let p = profile(b"[{\"ph\":\"X\",\"name\":\"a\xffb\",\"ts\":0,\"dur\":5}]");
    assert_eq!(spans(&p), ["a\u{fffd}b 0-5"]);
}

#[test]
fn depth_costs_no_stack() {
    let n = 200_000;
    let args = format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
    let text = format!(r#"[{{"ph":"X","name":"a","ts":1,"dur":2,"pid":1,"tid":1,"args":{args}}},{GOOD}]"#);
    let p = profile(&text);
    assert_eq!(p.span_count(), 2);
    assert!(details(&input(&text), &p.meta, offset(p.tracks[0].spans.rows[1].args)).is_ok());
    let deep = |open: &str, close: &str| format!(r#"{{"traceEvents":[{}{}"#, open.repeat(n), close.repeat(n));
    for text in [deep("[", "]"), deep("[", ""), deep(r#"{"a":"#, "}")] {
        assert_eq!(opened(text).unwrap_err().kind, ErrorKind::Malformed);
    }
    // A hundred thousand open spans, and ends that fit none of them.
    let mut lines = vec!["B a 0"; 100_000];
    lines.extend(vec!["E x 1"; 100_000]);
    assert_eq!(profile(trace(&lines)).span_count(), 100_000);
}

#[test]
fn stack_frames_may_be_cyclic_or_missing() {
    let frames = r#""stackFrames":{"1":{"name":"a","parent":"2"},"2":{"name":"b","parent":1},"3":{"name":"c","parent":99}}"#;
    let sample = |sf| format!(r#"{{"ts":{sf},"pid":1,"tid":1,"sf":{sf}}}"#);
    let list = [1, 2, 3, 4].map(sample).join(",");
    let p = profile(format!(r#"{{"traceEvents":[],"samples":[{list}],{frames}}}"#));
    assert_eq!(p.sample_count(), 4);
    let odd = [
        ("sample whose stack is missing (shown without stack)", 1),
        ("stack frame that is its own ancestor (cut)", 1),
    ];
    assert_eq!(warnings(&p), odd);
}

#[test]
fn files_without_events_are_errors() {
    for text in [r#"{"traceEvents":{"0":{}}}"#, r#"{"traceEvents":[]}"#, r#"{"traceEvents":[1,2]}"#] {
        assert_eq!(opened(text).unwrap_err().kind, ErrorKind::Malformed, "{text}");
    }
}

#[test]
fn files_of_other_tools_are_left_alone() {
    for text in [
        "{}",
        "[]",
        "null",
        "[1,2]",
        "[[",
        r#"{"name":"x","version":"1.0.0"}"#,
        r#"{"nodes":[],"samples":[],"timeDeltas":[]}"#,
        r#"[{"name":"x","cat":"y"}]"#,
        r#"{"resourceSpans":[{"ph":"X"}]}"#,
        r#"[{"ph":7.2,"name":"acid"}]"#,
        r#"{"$schema":"https://www.speedscope.app/file-format-schema.json","profiles":[]}"#,
    ] {
        let head = Head { bytes: text.as_bytes(), whole: true, name: "trace.json" };
        assert_eq!((IMPORTER.sniff)(&head), Confidence::No, "{text}");
    }
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles"));
    for folder in
        std::fs::read_dir(root).unwrap().map(|f| f.unwrap().path()).filter(|f| !f.ends_with("chrome-trace"))
    {
        for file in std::fs::read_dir(folder).into_iter().flatten().map(|f| f.unwrap().path()) {
            let Ok(source) = Source::open(&Input::Path(file.clone())) else { continue };
            let head = Head { bytes: source.head(), whole: false, name: "trace.json" };
            assert_eq!((IMPORTER.sniff)(&head), Confidence::No, "{}", file.display());
        }
    }
}

/// A small file with something of everything.
fn mixture() -> Vec<u8> {
    let lines = [
        r#"M process_name 0 "args":{"name":"app"}"#,
        r#"B outer 1 "cat":"c","args":{"x":[1,{"y":"}"}]}"#,
        r#"X inn\"er 2 3 "cat":"kernel","args":{"correlation":7}"#,
        r#"X cudaLaunchKernel 1 1 "tid":2,"cat":"cuda_runtime","args":{"correlation":7}"#,
        r#"b op 3 "cat":"async","id":"0x7""#,
        r#"s go 4 "cat":"flow","id":1"#,
        r#"C mem 5 "args":{"used_bytes":5,"free":7}"#,
        r#"f go 6 "cat":"flow","id":1,"bp":"e","tid":2"#,
        r#"e op 8 "cat":"async","id":"0x7""#,
        r#"i mark 9 "s":"g""#,
        "E outer 10",
        r#"P s 11 "sf":"f2""#,
    ];
    let frames = r#""stackFrames":{"f1":{"name":"main"},"f2":{"name":"work","parent":"f1"}}"#;
    format!(r#"{{"schemaVersion":1,"traceEvents":{},{frames},"traceName":"n\u00e9"}}"#, trace(&lines))
        .into_bytes()
}

fn outcome(bytes: &[u8], chunk: usize) -> String {
    chunked(bytes, chunk, &mut |_| {}).map_or_else(|e| e.to_string(), |p| dump(&p))
}

#[test]
fn the_size_of_chunks_does_not_matter() {
    let mut files =
        vec![mixture(), sample("speedscope-hermes-samples.json"), sample("catapult-nestable-async.json")];
    files.push(events_in_disorder());
    for bytes in &files {
        let whole = outcome(bytes, 1 << 20);
        assert!(whole.lines().count() > 5, "{whole}");
        for chunk in 1..=64 {
            assert_eq!(outcome(bytes, chunk), whole, "chunks of {chunk}");
        }
    }
}

fn events_in_disorder() -> Vec<u8> {
    trace(&["B b 1", "E b 9", "B a 0", "E a 10", "B c 2", "E c 8", "B d 4", "B e 3", "E d 5"]).into_bytes()
}

#[test]
fn damaged_files_neither_panic_nor_depend_on_chunks() {
    let good = mixture();
    let mut state = 0x9e37_79b9_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..1500 {
        let mut bytes = good.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = b"{}[]\",:\\0"[random(9)],
                2 => drop(bytes.drain(at..(at + random(30)).min(bytes.len()))),
                3 => bytes.truncate(at.max(1)),
                _ => {
                    let copy = bytes[at..(at + random(60)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
            }
            if bytes.is_empty() {
                bytes.push(b'[');
            }
        }
        let whole = outcome(&bytes, 1 << 20);
        for chunk in [1, 13, 64] {
            assert_eq!(outcome(&bytes, chunk), whole, "round {round}: {}", String::from_utf8_lossy(&bytes));
        }
        // A broken file may be anybody's: opening it must only come to an end.
        let _ = opened(&bytes);
    }
}
