use crate::import::testing::{damage, open_bytes, totals};
use crate::import::{ErrorKind, ImportError};
use crate::model::{Basis, Profile, SpanStatus, TrackKind, Unit, dump};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/speedscope/", $name))
    };
}

fn open(bytes: &[u8]) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, "speedscope");
    profile
}

const HEAD: &str = r#""$schema": "https://www.speedscope.app/file-format-schema.json""#;

/// A file of frames a, b, c and one profile with these fields.
fn file(profile: &str) -> String {
    format!(
        r#"{{{HEAD}, "shared": {{"frames": [{{"name": "a"}}, {{"name": "b"}}, {{"name": "c"}}]}}, "profiles": [{{{profile}}}]}}"#
    )
}

fn evented(unit: &str, events: &[(&str, u32, &str)]) -> String {
    let events: Vec<_> =
        events.iter().map(|(t, f, at)| format!(r#"{{"type": "{t}", "frame": {f}, "at": {at}}}"#)).collect();
    let events = events.join(", ");
    file(&format!(
        r#""type": "evented", "name": "p", "unit": "{unit}", "startValue": 0, "endValue": 10, "events": [{events}]"#
    ))
}

fn sampled(unit: &str, samples: &str, weights: &str) -> String {
    file(&format!(
        r#""type": "sampled", "name": "p", "unit": "{unit}", "startValue": 0, "samples": {samples}, "weights": {weights}"#
    ))
}

fn warnings(p: &Profile) -> Vec<(u64, &str)> {
    p.warnings.iter().map(|w| (w.count, w.kind.as_str())).collect()
}

fn sum(p: &Profile, name: &str) -> (i64, i64) {
    totals(p).get(name).copied().unwrap_or_default()
}

#[test]
fn files_of_2018_give_the_totals_of_speedscope() {
    let counts = open(sample!("0.0.1-simple.speedscope.json"));
    assert_eq!(
        [sum(&counts, "a"), sum(&counts, "b"), sum(&counts, "c"), sum(&counts, "d")],
        [(0, 14), (5, 14), (5, 5), (4, 4)]
    );
    assert_eq!(
        (counts.metrics[0].unit, counts.is_timed(), &counts.meta.basis),
        (Unit::Count, false, &Basis::Aggregated)
    );
    let seconds = open(sample!("0.1.2-simple-sampled.speedscope.json"));
    assert_eq!(
        [sum(&seconds, "b"), sum(&seconds, "d")],
        [(5_000_000_000, 14_000_000_000), (4_000_000_000, 4_000_000_000)]
    );
    assert_eq!(seconds.tracks[0].samples.times, [0, 1, 2, 6, 9].map(|s| s * 1_000_000_000));
    assert_eq!((seconds.meta.duration, &seconds.meta.basis), (Some(14_000_000_000), &Basis::Sampled));
}

#[test]
fn py_spy_threads_keep_names_times_and_running_lines() {
    let p = open(sample!("py-spy-threads.speedscope.json"));
    assert_eq!((p.meta.tool.as_str(), p.meta.title.as_str()), ("py-spy 0.4.3", "py-spy profile"));
    let tracks: Vec<_> =
        p.track_ids().map(|t| (p.track_label(t), p.track(t).samples.len(), p.track(t).samples.end)).collect();
    // The main thread first, the others by what they cost.
    assert_eq!(tracks[0], ("Thread 3059 \"MainThread\"".into(), 54, 270_000_000));
    assert_eq!(tracks[1], ("Thread 3065 \"cpu_loop\"".into(), 588, 2_940_000_000));
    assert!(p.meta.no_clock.contains("each thread starts at 0"));
    assert!(p.tracks.iter().all(|t| t.kind == TrackKind::Thread));
    assert_eq!(sum(&p, "cpu_loop"), (90_000_000, 2_940_000_000));
    assert_eq!(sum(&p, "json_work"), (10_000_000, 2_255_000_000));
    // One function, however many of its lines were seen running.
    let named = |name: &str| p.functions.ids().filter(|&f| p.function_name(f) == name).count();
    assert_eq!(named("json_work"), 1);
    assert!(p.frames.rows().iter().any(|f| f.line > 0));
}

#[test]
fn spans_of_pyinstrument_add_up() {
    let p = open(sample!("pyinstrument-asyncio.speedscope.json"));
    assert_eq!((p.meta.tool.as_str(), &p.meta.basis), ("pyinstrument", &Basis::Sampled));
    assert_eq!((p.span_count(), p.meta.duration), (38, Some(1_208_179_035)));
    assert!((1_110_703_000..1_110_706_000).contains(&sum(&p, "[await]").1));
}

#[test]
fn threads_of_an_evented_file_are_tracks() {
    let p = open(sample!("evented-threads.speedscope.json.gz"));
    let spans: Vec<_> = p.tracks.iter().map(|t| t.spans.rows.len()).collect();
    assert_eq!(spans, [2172 / 2, 9174 / 2, 9164 / 2]);
    assert_eq!((p.tracks[0].spans.lanes.len(), p.warnings.len()), (1, 0));
}

#[test]
fn every_unit_of_time_gives_the_same_nanoseconds() {
    for (unit, at) in
        [("seconds", "0.0015"), ("milliseconds", "1.5"), ("microseconds", "1500"), ("nanoseconds", "1.5e6")]
    {
        let p = open(evented(unit, &[("O", 0, "0"), ("C", 0, at)]).as_bytes());
        assert_eq!(sum(&p, "a"), (1_500_000, 1_500_000), "{unit}");
        let p = open(sampled(unit, "[[0, 1]]", &format!("[{at}]")).as_bytes());
        assert_eq!(sum(&p, "b"), (1_500_000, 1_500_000), "{unit}");
        assert!(p.is_timed());
    }
    let bytes = open(sampled("bytes", "[[0], [0, 1]]", "[100, 28]").as_bytes());
    assert_eq!((sum(&bytes, "a"), bytes.metrics[0].unit, bytes.is_timed()), ((100, 128), Unit::Bytes, false));
    let none =
        open(evented("none", &[("O", 0, "0"), ("O", 1, "2"), ("C", 1, "5"), ("C", 0, "6")]).as_bytes());
    assert_eq!((sum(&none, "a"), sum(&none, "b")), ((3, 6), (3, 3)));
}

#[test]
fn nanoseconds_since_1970_are_exact_and_start_at_zero() {
    let p = open(
        evented("nanoseconds", &[("O", 0, "1700000000123456789"), ("C", 0, "1700000000123456790")])
            .replace("\"startValue\": 0", "\"startValue\": 1700000000123456780")
            .as_bytes(),
    );
    assert_eq!(sum(&p, "a"), (1, 1));
    assert_eq!(p.tracks[0].spans.rows[0].start, 0);
}

#[test]
fn fractional_weights_keep_their_sum() {
    let p = open(sampled("none", "[[0], [0], [0], [1]]", "[0.4, 0.4, 0.4, 0.8]").as_bytes());
    assert_eq!((sum(&p, "a").1 + sum(&p, "b").1, sum(&p, "b").1), (2, 1));
}

#[test]
fn the_order_of_keys_does_not_matter() {
    let first = sampled("seconds", "[[0, 1], [2]]", "[1, 2]");
    let (shared, profiles) = (first.find("\"shared\"").unwrap(), first.find("\"profiles\"").unwrap());
    let last = format!(
        "{{{HEAD}, {}, {}}}",
        &first[profiles..first.len() - 1],
        first[shared..profiles].trim_end_matches([',', ' '])
    );
    assert_eq!(dump(&open(first.as_bytes())), dump(&open(last.as_bytes())));
}

#[test]
fn odd_encodings_and_wide_text_open() {
    let text = sampled("seconds", "[[0]]", "[1]").replace("\"a\"", "\"naïve 漢字 🚀\"");
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for bytes in [text.as_bytes(), format!("\u{feff}{text}").as_bytes(), &wide] {
        assert_eq!(sum(&open(bytes), "naïve 漢字 🚀"), (1_000_000_000, 1_000_000_000));
    }
}

#[test]
fn crossing_and_missing_closings_are_counted_and_shown() {
    let p = open(sample!("invalid-incomplete-trace.json"));
    assert_eq!(
        (sum(&p, "A"), warnings(&p)),
        ((100, 100), vec![(1, "frame that is never closed (runs to the end)")])
    );
    let p = open(sample!("invalid-out-of-order-events.json"));
    assert_eq!((sum(&p, "A"), sum(&p, "B")), ((3, 3), (0, 2)));
    assert_eq!(warnings(&p).len(), 2);
    // In time every frame keeps its own start and end: A 0–4 and B 2–6 overlap, C never closes.
    let p = open(
        evented(
            "seconds",
            &[("O", 0, "0"), ("O", 1, "2"), ("C", 0, "4"), ("C", 1, "6"), ("O", 2, "7"), ("C", 0, "8")],
        )
        .as_bytes(),
    );
    assert_eq!([sum(&p, "a").1, sum(&p, "b").1, sum(&p, "c").1], [4, 4, 3].map(|s| s * 1_000_000_000));
    assert_eq!(p.tracks[0].spans.lanes.len(), 2);
    assert!(p.tracks[0].spans.rows.iter().any(|s| s.status == SpanStatus::Unfinished));
    assert_eq!(warnings(&p).iter().map(|w| w.0).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn time_that_runs_backwards_is_counted() {
    let p =
        open(evented("seconds", &[("O", 0, "5"), ("O", 1, "3"), ("C", 1, "4"), ("C", 0, "6")]).as_bytes());
    assert_eq!([sum(&p, "a").1, sum(&p, "b").1], [1, 1].map(|s| s * 1_000_000_000));
    assert_eq!(warnings(&p), [(2, "event earlier than the one before it")]);
}

#[test]
fn odd_values_are_left_out_and_the_rest_is_shown() {
    for (weights, shown) in [
        ("[1]", 1),
        ("[1, -1]", 1),
        ("[1, NaN]", 1),
        ("[1, null]", 1),
        ("[1, 1e400]", 1),
        ("[1, \"2\"]", 1),
        ("[1, 2, 3]", 2),
        ("[1, 1e300]", 1),
    ] {
        let p = open(sampled("seconds", "[[0], [1]]", weights).as_bytes());
        assert_eq!((p.sample_count(), p.warnings.len()), (shown, 1), "{weights}");
    }
    let p = open(sampled("seconds", "[[0, 9], [9], [0, -1], [0, 1.5], [1]]", "[1, 1, 1, 1, 1]").as_bytes());
    assert_eq!((sum(&p, "a").1, sum(&p, "b").1, p.sample_count()), (3_000_000_000, 1_000_000_000, 5));
    assert_eq!(p.warnings[0].kind, "frame number out of range (left out)");
    let p = open(
        evented("seconds", &[("O", 0, "NaN"), ("O", 0, "1"), ("X", 0, "1"), ("O", 77, "1"), ("C", 0, "2")])
            .as_bytes(),
    );
    assert_eq!((p.span_count(), p.warnings.len()), (1, 3));
}

#[test]
fn files_without_anything_readable_say_why() {
    let error = |text: &str| -> ImportError { open_bytes(text.as_bytes()).unwrap_err() };
    let e = error(&evented("seconds", &[("O", 7, "0"), ("C", 7, "1")]));
    assert_eq!(
        e.to_string(),
        "holds nothing readable (frame number out of range (left out): frame 7, the file has 3 frames)"
    );
    assert_eq!(
        error(&format!(r#"{{{HEAD}, "shared": {{"frames": []}}, "profiles": []}}"#)).to_string(),
        "holds no profiles"
    );
    assert_eq!(
        error(&file(r#""type": "sampled", "unit": "none", "samples": [], "weights": []"#)).to_string(),
        "holds only empty profiles"
    );
    let deep = format!(r#"{{{HEAD}, "shared": {}"#, "[".repeat(1_000_000));
    assert_eq!(error(&deep).kind, ErrorKind::Malformed);
}

#[test]
fn weights_are_held_against_the_length_of_their_profile() {
    let with_end = |end: &str| {
        let samples = r#""samples": [[0], [1]], "weights": [1, 2]"#;
        let p = open(
            file(&format!(
                r#""type": "sampled", "unit": "seconds", "startValue": 1, "endValue": {end}, {samples}"#
            ))
            .as_bytes(),
        );
        p.warnings.iter().map(|w| w.kind.clone()).collect::<Vec<_>>()
    };
    assert_eq!(with_end("4"), [""; 0]);
    assert_eq!(with_end("4.02"), [""; 0]);
    assert_eq!(with_end("1.5"), ["weights that do not add up to the length of their profile"]);
}

#[test]
fn own_time_that_is_a_frame_is_its_callers() {
    let text = format!(
        r#"{{{HEAD}, "exporter": "x", "shared": {{"frames": [{{"name": "a"}}, {{"name": "[self]"}}, {{"name": "[self]", "file": "b.py"}}]}},
        "profiles": [
            {{"type": "evented", "unit": "seconds", "startValue": 0, "endValue": 9, "events": [
                {{"type": "O", "frame": 0, "at": 0}}, {{"type": "O", "frame": 1, "at": 0}}, {{"type": "C", "frame": 1, "at": 4}},
                {{"type": "O", "frame": 2, "at": 4}}, {{"type": "C", "frame": 2, "at": 5}}, {{"type": "C", "frame": 0, "at": 6}}]}},
            {{"type": "sampled", "unit": "seconds", "samples": [[0, 1], [1], [0, 2]], "weights": [10, 20, 40]}}]}}"#
    );
    let p = open(text.as_bytes());
    let own: Vec<_> =
        p.functions.ids().map(|f| (p.function_name(f), p.text(p.functions.get(f).file))).collect();
    // One without a caller, and a real function, stay.
    assert_eq!(own, [("a", ""), ("[self]", ""), ("[self]", "b.py")]);
    assert_eq!(p.span_count(), 2);
    assert_eq!(sum(&p, "a"), (15_000_000_000, 56_000_000_000));
}

#[test]
fn threads_that_begin_at_once_and_end_apart_have_no_clock() {
    let two = |a: &str, b: &str| {
        let one = |name: &str, start: &str, weights: &str| {
            format!(
                r#"{{"type": "sampled", "name": "{name}", "unit": "seconds", "startValue": {start}, "samples": [[0], [0]], "weights": {weights}}}"#
            )
        };
        let (a, b) = (a.split_once(' ').unwrap(), b.split_once(' ').unwrap());
        let profiles = [one("t1", a.0, a.1), one("t2", b.0, b.1)].join(", ");
        let p = open(
            format!(r#"{{{HEAD}, "shared": {{"frames": [{{"name": "a"}}]}}, "profiles": [{profiles}]}}"#)
                .as_bytes(),
        );
        !p.meta.no_clock.is_empty()
    };
    assert!(two("0 [1, 2]", "0 [1, 5]"));
    assert!(!two("0 [1, 2]", "0 [2, 1]") && !two("0 [1, 2]", "3 [1, 5]"));
}

#[test]
fn measures_of_a_thread_are_metrics_whatever_wrote_them() {
    let one = |name: &str, unit: &str, samples: &str, weights: &str| {
        format!(
            r#"{{"type": "sampled", "name": "{name}", "unit": "{unit}", "samples": {samples}, "weights": {weights}}}"#
        )
    };
    let profiles = [
        one("main (cpu)", "seconds", "[[0], [1]]", "[1, 2]"),
        one("main (wall)", "seconds", "[[0], [2], [1]]", "[3, 4, 5]"),
        one("worker", "seconds", "[[0]]", "[7]"),
        one("worker", "bytes", "[[0], [1]]", "[64, 128]"),
    ]
    .join(", ");
    let frames = r#"[{"name": "a"}, {"name": "b"}, {"name": "c"}]"#;
    let p =
        open(format!(r#"{{{HEAD}, "shared": {{"frames": {frames}}}, "profiles": [{profiles}]}}"#).as_bytes());
    let tracks: Vec<_> = p.track_ids().map(|t| (p.track_label(t), p.track(t).samples.len())).collect();
    assert_eq!(tracks, [("main".to_owned(), 3), ("worker".to_owned(), 2)]);
    let metrics: Vec<_> = p.metrics.iter().map(|m| m.key.as_str()).collect();
    assert_eq!(metrics, ["time", "cpu", "bytes"]);
    let weights = |track: usize, key: &str| {
        let metric = p.metric_by_key(key).unwrap();
        let column = p.tracks[track].samples.weights.iter().find(|w| w.0 == metric);
        column.map_or(0, |w| w.1.iter().sum::<i64>())
    };
    assert_eq!(
        (weights(0, "time"), weights(0, "cpu"), weights(1, "time")),
        (12_000_000_000, 3_000_000_000, 7_000_000_000)
    );
    assert_eq!((weights(0, "bytes"), weights(1, "bytes")), (0, 192));
}

#[test]
fn a_cut_file_shows_what_came_before() {
    let whole = sampled("seconds", "[[0], [1]]", "[1, 2]");
    let p = open(&whole.as_bytes()[..whole.len() - 4]);
    assert_eq!(
        (p.sample_count(), p.warnings[0].kind.as_str()),
        (1, "broken JSON; what came before is shown")
    );
}

#[test]
fn other_json_is_left_to_others() {
    for foreign in [
        r#"{"profiles": []}"#,
        r#"{"shared": 1, "x": 2}"#,
        r#"["profiles"]"#,
        r#"{"meta": {}, "shared": {"frames": []}}"#,
    ] {
        assert_eq!(open_bytes(foreign.as_bytes()).unwrap_err().kind, ErrorKind::Unrecognised, "{foreign}");
    }
}

#[test]
fn many_open_frames_end_in_time() {
    let events: Vec<_> =
        (0..60_000).map(|i| ("O", i % 3, "1")).chain((0..60_000).map(|i| ("C", i % 3, "2"))).collect();
    assert_eq!(open(evented("seconds", &events).as_bytes()).span_count(), 60_000);
    assert!(sum(&open(evented("none", &events).as_bytes()), "a").1 > 0);
}

#[test]
fn damage_never_panics() {
    damage(sample!("0.1.2-simple-sampled.speedscope.json"), |_| ());
    damage(sample!("0.0.1-simple.speedscope.json"), |_| ());
    damage(sample!("pyinstrument-asyncio.speedscope.json"), |_| ());
}

#[test]
fn calls_that_last_longer_than_the_recording_are_told() {
    let at = |end: f64, last: f64| {
        format!(
            r#"{{"shared":{{"frames":[{{"name":"a"}}]}},"profiles":[{{"type":"evented","name":"t","unit":"seconds","startValue":0,"endValue":{end},"events":[{{"type":"O","frame":0,"at":0}},{{"type":"C","frame":0,"at":{last}}}]}}],"exporter":"pyinstrument"}}"#
        )
    };
    let said = |end, last| {
        let p = open_bytes(at(end, last).as_bytes()).unwrap();
        p.warnings.iter().any(|w| w.kind.contains("longer than the file says") && w.first.contains("seconds"))
    };
    assert!(said(0.4436, 0.4952) && !said(0.4484, 0.4430) && !said(1.0, 1.005));
}
