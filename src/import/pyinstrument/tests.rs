use super::utc;
use crate::import::testing::{damage, open_bytes, totals};
use crate::model::{Basis, FactValue, Profile, TrackKind, Unit};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/pyinstrument/", $name))
    };
}

fn open(bytes: &[u8]) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, "pyinstrument");
    profile
}

/// Total per function in ms, as the text renderer prints it.
fn ms(p: &Profile, name: &str) -> i64 {
    (totals(p).get(name).copied().unwrap_or_default().1 + 500_000) / 1_000_000
}

/// What pyinstrument 5.1.3 prints for the session, in ms.
const PRINTED: [(&str, i64); 14] = [
    ("_UnixSelectorEventLoop._run_once", 1208),
    ("Handle._run", 1111),
    ("go", 1007),
    ("main", 1007),
    ("handle_user_request", 1007),
    ("process_request_with_llm", 301),
    ("postprocess_output", 201),
    ("unnecesary_io_operation", 100),
    ("store_results", 201),
    ("fetch_user_data", 200),
    ("preprocess_input", 104),
    ("[await]", 1111),
    ("EpollSelector.select", 97),
    ("epoll.poll", 97),
];

#[test]
fn a_session_and_its_json_give_the_times_that_pyinstrument_prints() {
    for (p, basis) in [
        (open(sample!("asyncio-enabled.pyisession")), Basis::Sampled),
        (open(sample!("asyncio-enabled.json")), Basis::Aggregated),
    ] {
        for (name, printed) in PRINTED {
            assert_eq!(ms(&p, name), printed, "{name} {basis:?}");
        }
        assert_eq!(p.meta.basis, basis);
        assert_eq!(p.meta.title, "Profile at /home/bench/gen/pyi_yappi.py:10");
        let facts = p.meta.facts.iter().map(|f| match f.value {
            // Printed in seconds with three places; the files have more.
            FactValue::Number(ns, Unit::Nanoseconds) => {
                (f.name.as_str(), format!("{:.3} s", ns as f64 / 1e9))
            }
            ref value => (f.name.as_str(), crate::format::fact(value).into_owned()),
        });
        let printed = [
            ("Recorded", "2026-11-22 00:49:37 UTC"),
            ("Samples", "8"),
            ("Duration", "1.209 s"),
            ("CPU time", "0.004 s"),
            ("CPU/wall", "0.3 %"),
        ];
        assert_eq!(facts.collect::<Vec<_>>(), printed.map(|(name, text)| (name, text.to_owned())));
        assert!((p.meta.origin_unix_ns.unwrap() - 1_795_308_577_328_932_500).abs() < 1000);
    }
}

#[test]
fn a_session_is_samples_in_time_on_the_track_of_its_thread() {
    let p = open(sample!("asyncio-enabled.pyisession"));
    let track = &p.tracks[0];
    assert_eq!((p.text(track.name), track.kind, p.tracks.len()), ("MainThread", TrackKind::Thread, 1));
    assert_eq!((track.samples.len(), track.samples.times[0], track.samples.end), (8, 0, 1_208_179_035));
    // The thread's own frame is the track, not a frame of the stacks.
    assert!(p.functions.ids().all(|f| p.function_name(f) != "MainThread"));
    let of =
        |name: &str| p.functions.ids().map(|f| p.functions.get(f)).find(|f| p.text(f.name) == name).unwrap();
    assert_eq!(p.text(of("[await]").category), "await");
    let run = of("Handle._run");
    assert_eq!((p.text(run.module), run.line), ("asyncio.events", 78));
    assert_eq!(
        (p.text(of("epoll.poll").module), p.text(of("epoll.poll").category)),
        ("<built-in>", "builtin")
    );
    assert_eq!(p.text(of("go").module), "pyi_yappi");
}

#[test]
fn a_method_is_named_after_the_class_that_used_most_time() {
    // Its first record says `NoneType._run`, all others `Handle._run`.
    let p = open(sample!("asyncio-v4.6.1.pyisession"));
    assert_eq!((ms(&p, "Handle._run"), ms(&p, "NoneType._run")), (1131, 0));
    assert_eq!((ms(&p, "[await]"), ms(&p, "preprocess_input")), (1131, 119));
    assert_eq!(p.meta.title, "pyi_old.py /home/bench/pyinstrument");
}

#[test]
fn recursion_counts_once_and_self_time_is_kept() {
    let session = open(sample!("cpu-v4.6.1.pyisession"));
    let tree = open(sample!("cpu-v4.6.1.json"));
    for (name, printed) in
        [("<module>", 378), ("json_work", 203), ("fib", 86), ("sort_work", 76), ("Random.random", 15)]
    {
        assert_eq!((ms(&session, name), ms(&tree, name)), (printed, printed), "{name}");
    }
    assert_eq!(session.sample_count(), 368);
    // The tree names self time, which is the function's own as in the session.
    assert!(!totals(&tree).contains_key("[self]"));
    for name in ["fib", "json_work", "sort_work"] {
        let difference = totals(&session)[name].0 - totals(&tree)[name].0;
        assert!(difference.abs() < 3000, "{name}: {difference} ns");
    }
}

#[test]
fn the_data_of_the_html_page_and_version_3_open() {
    let p = open(sample!("html-busy_wait.json"));
    assert_eq!((ms(&p, "main"), ms(&p, "[self]"), ms(&p, "function_2")), (250, 0, 34));
    assert_eq!(totals(&p).values().map(|t| t.0).sum::<i64>() / 1_000_000, 250);
    assert_eq!(
        (p.text(p.tracks[0].name), p.meta.title.as_str()),
        ("MainThread", "Program: examples/busy_wait.py")
    );
    let p = open(sample!("v3-word_count.json"));
    assert_eq!(p.meta.duration, Some(1_107_295_275));
    assert!(totals(&p)["<module>"].1 >= 1_105_900_000);
}

fn session(records: &str) -> String {
    format!(
        r#"{{"start_time": 1.5, "duration": 1, "sample_count": 2, "cpu_time": 0.5, "frame_records": {records}}}"#
    )
}

#[test]
fn hidden_frames_give_their_time_to_the_caller() {
    let text = r#"[[["T\u0000<thread>\u00001", "a\u0000a.py\u00001\u0001l2", "b\u0000b.py\u00001\u0001h1"], 0.25], [["T\u0000<thread>\u00001", "b\u0000b.py\u00001\u0001h1", "c\u0000c.py\u00001"], 0.5]]"#;
    let p = open(session(text).as_bytes());
    assert_eq!((totals(&p)["a"], totals(&p)["c"]), ((250_000_000, 250_000_000), (500_000_000, 500_000_000)));
    assert!(!totals(&p).contains_key("b"));
}

#[test]
fn out_of_context_time_is_synthetic_under_both_names() {
    for name in ["[out-of-context]", "<out-of-context>"] {
        let p = open(session(&format!(r#"[[["T\u0000<thread>\u00001", "{name}"], 0.5]]"#)).as_bytes());
        let function = p.functions.rows()[0];
        assert_eq!((p.text(function.name), p.text(function.category)), (name, "synthetic"));
    }
}

#[test]
fn odd_records_are_counted_and_left_out() {
    let good = r#"[["T\u0000<thread>\u00001", "a\u0000a.py\u00001"], 0.5]"#;
    for bad in [
        r#"[["a"], -1]"#,
        r#"[["a"], null]"#,
        r#"[["a"], NaN]"#,
        r#"[["a"]]"#,
        "7",
        "{}",
        r#"["a"]"#,
        r#"[[1, {}], "x"]"#,
    ] {
        let p = open(session(&format!("[{bad}, {good}]")).as_bytes());
        assert_eq!((p.sample_count(), totals(&p)["a"].0), (1, 500_000_000), "{bad}");
        assert!(!p.warnings.is_empty(), "{bad}");
    }
    assert!(open_bytes(session("[]").as_bytes()).unwrap_err().to_string().starts_with("holds no samples"));
    assert!(open_bytes(br#"{"root_frame": null, "sample_count": 0}"#).is_err());
}

#[test]
fn a_tree_of_any_depth_opens() {
    let depth = 100_000;
    let mut text = String::from(r#"{"sample_count": 1, "root_frame": "#);
    for i in 0..depth {
        text +=
            &format!(r#"{{"function": "f{}", "file_path_short": "a.py", "time": 1.0, "children": ["#, i % 10);
    }
    text += &"]}".repeat(depth);
    text.push('}');
    let p = open(text.as_bytes());
    assert_eq!((p.stacks.len(), p.sample_count()), (depth, 1));
}

#[test]
fn dates_are_right() {
    assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
    assert_eq!(utc(951_782_400_000_000_000), "2000-02-29 00:00:00 UTC");
    assert_eq!(utc(-1), "1969-12-31 23:59:59 UTC");
    assert_eq!(utc(1_795_308_577_328_932_500), "2026-11-22 00:49:37 UTC");
}

#[test]
fn damage_never_panics() {
    damage(sample!("asyncio-enabled.pyisession"), |_| ());
    damage(sample!("asyncio-enabled.json"), |_| ());
}
