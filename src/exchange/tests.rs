use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::analysis::overview::Summary;
use crate::import::testing::{everything, open_bytes, totals};
use crate::model::*;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/", $name))
    };
}

fn ask<Q: Query>(profile: &Profile, query: &Q) -> Arc<Q::Output> {
    Asked::all(Arc::new(profile.clone())).ask(query).unwrap()
}

/// What is written, and what is said of it.
fn written(id: &str, profile: &Profile) -> Result<(Vec<u8>, Vec<String>), ExportError> {
    let mut bytes = Vec::new();
    write(format(id).unwrap(), &Asked::all(Arc::new(profile.clone())), &mut bytes).map(|said| (bytes, said))
}

#[test]
fn speedscope_keeps_the_totals_of_every_function() {
    let samples: [&[u8]; 5] = [
        sample!("speedscope/py-spy-threads.speedscope.json"),
        sample!("speedscope/pyinstrument-asyncio.speedscope.json"),
        sample!("speedscope/evented-threads.speedscope.json.gz"),
        sample!("pyinstrument/cpu-v4.6.1.pyisession"),
        sample!("pyinstrument/asyncio-enabled.json"),
    ];
    for bytes in samples {
        let p = open_bytes(bytes).unwrap();
        let q = open_bytes(&written("speedscope", &p).unwrap().0).unwrap();
        assert_eq!(q.meta.format, "speedscope");
        let (mut a, mut b) = (totals(&p), totals(&q));
        a.retain(|_, sums| *sums != (0, 0));
        b.retain(|_, sums| *sums != (0, 0));
        assert_eq!(a, b);
        assert_eq!((p.span_count(), &p.meta.title), (q.span_count(), &q.meta.title));
    }
    // Overlapping spans, several metrics and samples beside spans.
    let (bytes, said) = written("speedscope", &everything()).unwrap();
    let q = open_bytes(&bytes).unwrap();
    assert!(
        said.iter().any(|s| s == "calls of tasks that waited for calls on other lanes are in parts"),
        "{said:?}"
    );
    let name = |p: &Profile, metric: &str| p.metric_by_key(metric).is_some();
    assert!(name(&q, "time") && name(&q, "bytes") && q.warnings.is_empty());
}

#[test]
fn folded_stacks_add_up_for_each_metric() {
    let sum = |p: &Profile, metric: Option<MetricId>| -> (i64, String) {
        let mut bytes = Vec::new();
        let asked = Asked { metric: metric.map(|m| p.metric_key(m)), ..Asked::all(Arc::new(p.clone())) };
        write(format("folded").unwrap(), &asked, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        (text.lines().map(|l| l.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap()).sum(), text)
    };
    let p = open_bytes(sample!("speedscope/py-spy-threads.speedscope.json")).unwrap();
    assert_eq!(sum(&p, None).0, 6_360_000_000);
    let p = open_bytes(sample!("pyinstrument/asyncio-enabled.pyisession")).unwrap();
    assert_eq!(sum(&p, None).0, 1_208_179_035);
    let p = open_bytes(sample!("speedscope/0.0.1-simple.speedscope.json")).unwrap();
    assert_eq!(sum(&p, None).1, "a;b 5\na;b;c 5\na;b;d 4\n");
    let p = everything();
    let (bytes, text) = sum(&p, p.metric_by_key("bytes"));
    // A span's bytes include its children's, a sample's are its own; phases are no work; breaking characters are shown.
    assert_eq!(bytes, 4096 + 64);
    assert!(text.contains("python 12 › MainThread;main;work, of␊\"two\" 4096\n"), "{text}");
    let mix = ask(&p, &Summary::default()).totals[2].sum;
    assert_eq!(sum(&p, p.metric_by_key("mix")).0, mix, "a metric by a formula, too");
}

#[test]
fn stacks_too_deep_to_write_out_are_refused() {
    let mut b = ProfileBuilder::new("x");
    let time = b.metric(Metric::time());
    let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
    let function = b.function(FunctionSpec::named("recursive_function"));
    let frame = b.frame(function, 0);
    let mut stack = None;
    for depth in [12_000, 38_000] {
        for _ in 0..depth {
            stack = Some(b.stack(stack, frame));
            b.sample(track, stack, &[(time, 1)]);
        }
        let e = written("folded", &b.clone().finish()).unwrap_err();
        assert!(e.to_string().contains("too deep") && e.to_string().contains("iB"), "{e}");
    }
}

#[test]
fn a_chrome_trace_is_json_with_exact_times() {
    let p = everything();
    let json: serde_json::Value = serde_json::from_slice(&written("chrome", &p).unwrap().0).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let of = |phase: &str| events.iter().filter(|e| e["ph"] == phase).collect::<Vec<_>>();
    assert_eq!((of("X").len(), of("B").len()), (p.span_count(), 0), "all have an end");
    let main = of("X").into_iter().find(|e| e["name"] == "main").unwrap();
    assert_eq!((main["ts"].to_string(), main["dur"].to_string()), ("1000.001".into(), "7999.999".into()));
    assert_eq!((main["args"]["model"].as_bool(), main["args"]["gpt"].as_i64()), (Some(true), Some(-5)));
    let open: Vec<_> = of("X").into_iter().filter(|e| e[".open"] == true).collect();
    assert!(open.len() == 1 && open[0]["name"] == "work; of\n\"two\"", "one never ended");
    assert_eq!(open[0]["args"]["status"], "unfinished");
    assert_eq!((of("C").len(), of("i").len(), of("s").len(), of("f").len()), (3, 2, 1, 1));
    // Spans of one thread nest: kernels that overlap stand on threads of their own.
    let lanes: std::collections::HashSet<_> =
        of("X").iter().filter(|e| e["args"]["status"] == "error").map(|e| e["tid"].to_string()).collect();
    assert_eq!(lanes.len(), 3);
    let finish = of("f")[0];
    let start = of("s")[0];
    assert_eq!((&start["id"], start["ts"].to_string()), (&finish["id"], "2500.0".into()));
}

#[test]
fn unfinished_calls_keep_the_end_of_the_recording() {
    let text = br#"{"$schema":"https://www.speedscope.app/file-format-schema.json","shared":{"frames":[{"name":"a"},
        {"name":"b"},{"name":"c"}]},"profiles":[{"type":"evented","name":"t","unit":"milliseconds","startValue":0,
        "endValue":100,"events":[{"type":"O","frame":0,"at":0},{"type":"O","frame":1,"at":10},
        {"type":"C","frame":0,"at":50},{"type":"C","frame":1,"at":60},{"type":"O","frame":2,"at":70}]}]}"#;
    let p = open_bytes(text).unwrap();
    let total = |p: &Profile| ask(p, &Summary::default()).totals[0].sum;
    assert_eq!((total(&p), p.meta.duration), (130_000_000, Some(100_000_000)));
    let again = open_bytes(&written("chrome", &p).unwrap().0).unwrap();
    assert_eq!((total(&again), again.meta.duration), (130_000_000, Some(100_000_000)));
    let open = |p: &Profile| {
        let rows = p.tracks.iter().flat_map(|t| &t.spans.rows);
        rows.filter(|s| s.status == SpanStatus::Unfinished).map(|s| (s.start, s.end)).collect::<Vec<_>>()
    };
    assert_eq!((open(&p), open(&again)), (vec![(70_000_000, 100_000_000)], open(&p)));
    let (bytes, said) = written("speedscope", &p).unwrap();
    assert_eq!(total(&open_bytes(&bytes).unwrap()), 130_000_000);
    assert!(said.iter().any(|s| s.contains("unfinished")), "{said:?}");
}

#[test]
fn spans_made_of_samples_stay_samples_in_other_formats() {
    let text = br#"{"$schema":"https://www.speedscope.app/file-format-schema.json","exporter":"pyinstrument","shared":
        {"frames":[{"name":"main","file":"m.py"},{"name":"work","file":"m.py"}]},"profiles":[{"type":"evented","name":
        "t","unit":"seconds","startValue":0,"endValue":10,"events":[{"type":"O","frame":0,"at":0},{"type":"O",
        "frame":1,"at":5},{"type":"C","frame":1,"at":9},{"type":"C","frame":0,"at":10}]}]}"#;
    let p = open_bytes(text).unwrap();
    let is = |p: &Profile| (p.meta.basis.clone(), p.meta.tool.clone(), p.span_count());
    assert_eq!(is(&p), (Basis::Sampled, "pyinstrument".into(), 2));
    for format in ["chrome", "speedscope"] {
        assert_eq!(is(&open_bytes(&written(format, &p).unwrap().0).unwrap()), is(&p), "{format}");
    }
    // What was measured is, and is not taken for what another tool wrote.
    let again = open_bytes(&written("chrome", &everything()).unwrap().0).unwrap();
    assert_eq!((again.meta.basis, again.meta.tool), (everything().meta.basis, everything().meta.tool));
}

#[test]
fn a_chrome_trace_opens_with_the_same_totals() {
    let samples: [&[u8]; 7] = [
        sample!("speedscope/evented-threads.speedscope.json.gz"),
        sample!("chrome-trace/catapult-counters.json"),
        sample!("chrome-trace/catapult-flows.json"),
        sample!("chrome-trace/catapult-nestable-async.json"),
        sample!("chrome-trace/pytorch-alexnet-gpu.json.gz"),
        sample!("chrome-trace/viztracer-logging.json"),
        sample!("chrome-trace/tracing-chrome.json.gz"),
    ];
    let by_function = |p: &Profile| {
        let mut sums = std::collections::HashMap::new();
        for span in p.tracks.iter().flat_map(|t| &t.spans.rows) {
            let (count, time) = sums.entry(p.function_name(span.function).to_owned()).or_insert((0, 0));
            (*count, *time) = (*count + 1, *time + span.duration());
        }
        sums
    };
    for bytes in samples {
        let p = open_bytes(bytes).unwrap();
        let q = open_bytes(&written("chrome", &p).unwrap().0).unwrap();
        let open = ask(&p, &crate::analysis::unfinished::Unfinished);
        assert_eq!((q.meta.format.as_str(), q.warnings.len()), ("chrome", usize::from(*open > 0)));
        assert_eq!(by_function(&p), by_function(&q));
        let points = |p: &Profile| p.counters.iter().map(|c| c.times.len()).sum::<usize>();
        let rest = |p: &Profile| (points(p), p.instants.len(), p.links.len());
        assert_eq!(rest(&p), rest(&q));
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused_with_a_reason() {
    let mut b = ProfileBuilder::new("pstats");
    let main = b.function(FunctionSpec::named("main"));
    b.node(main);
    let graph = b.finish();
    for id in ["speedscope", "chrome", "folded"] {
        let e = written(id, &graph).unwrap_err().to_string();
        assert!(e.contains("call graph") && e.contains("inferscope session"), "{id}: {e}");
    }
    assert!(written("native", &graph).is_ok());
    let samples = open_bytes(sample!("speedscope/py-spy-threads.speedscope.json")).unwrap();
    assert!(written("chrome", &samples).is_ok());
    let untimed = open_bytes(sample!("pyinstrument/html-busy_wait.json")).unwrap();
    assert!(written("chrome", &untimed).unwrap_err().to_string().contains("speedscope"));
    assert!(written("speedscope", &ProfileBuilder::new("x").finish()).is_err());
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let p = Arc::new(everything());
    for f in FORMATS {
        let failed = write(f, &Asked::all(p.clone()), &mut Full);
        assert!(matches!(failed, Err(ExportError::Io(_))), "{}", f.id);
    }
}

/// Opened again, a format that holds paths has the same sum of self times and the same functions.
#[test]
fn a_chrome_trace_brings_back_threads_functions_samples_and_callers() {
    let p = everything();
    let (bytes, said) = written("chrome", &p).unwrap();
    let q = open_bytes(&bytes).unwrap();
    let time = |p: &Profile| ask(p, &Summary::default()).totals[0].clone();
    assert_eq!((time(&q).sum, time(&q).at_once), (time(&p).sum, time(&p).at_once));
    let kinds = |p: &Profile| {
        let mut kinds: Vec<_> = p.tracks.iter().map(|t| (p.text(t.name).to_owned(), t.kind)).collect();
        kinds.retain(|k| !k.0.contains("overlap") && k.0 != "sums");
        kinds
    };
    assert_eq!(kinds(&q), kinds(&p));
    let functions = |p: &Profile| {
        let text = |f: &Function| [f.name, f.module, f.file, f.category].map(|id| p.text(id).to_owned());
        let mut all: Vec<_> = p.functions.rows().iter().map(|f| (text(f), f.line)).collect();
        all.sort();
        all
    };
    assert_eq!(functions(&q), functions(&p));
    let sampled = |p: &Profile| p.tracks.iter().map(|t| t.samples.times.len()).sum::<usize>();
    assert_eq!(sampled(&q), sampled(&p));
    let said = said.join("\n");
    for part in [
        "1 sample of sums without times",
        "2 requests",
        "2 findings",
        "2 recorded calls",
        "stay in /tmp/trace.json",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn views_of_the_data_hold_what_is_shown_and_say_so() {
    let p = Arc::new(everything());
    let main = p.functions.ids().find(|&f| p.function_name(f) == "main").unwrap();
    let scope = Scope {
        transforms: vec![crate::analysis::Transform::FocusFunction(p.keys().symbol(main))],
        ..Scope::default()
    };
    let asked = Asked { scope: scope.clone(), range: Some((0, 2_500_000)), ..Asked::all(p.clone()) };
    let total = ask(&p, &Summary { scope, range: asked.range, ..Summary::default() }).totals[0].sum;
    assert!(total > 0 && total < ask(&p, &Summary::default()).totals[0].sum);
    for format in FORMATS {
        let mut bytes = Vec::new();
        let said = write(format, &asked, &mut bytes).unwrap().join("\n");
        let expected = if format.view { "not the whole run" } else { "the whole run, not only" };
        assert!(said.contains(expected) && said.contains("0 s – 2.50 ms, after 1 transform"), "{said}");
        if format.id == "speedscope" {
            let q = open_bytes(&bytes).unwrap();
            assert_eq!(ask(&q, &Summary::default()).totals[0].sum, total);
        } else if format.id == "folded" {
            let text = String::from_utf8(bytes).unwrap();
            let own = text.lines().map(|l| l.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap());
            assert_eq!(own.sum::<i64>(), total);
        }
    }
}

#[test]
fn a_table_is_safe_in_a_spreadsheet() {
    let mut b = ProfileBuilder::new("x");
    let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
    for (i, name) in ["=cmd|\" /C calc\"!A0", "a\"b,c\nd", "\u{1b}[2J"].into_iter().enumerate() {
        let f = b.function(FunctionSpec { file: "@x.py", ..FunctionSpec::named(name) });
        b.span(track, i as i64 * 10, i as i64 * 10 + 5 - i as i64, f, ArgsRef::NONE);
    }
    let text = String::from_utf8(written("csv", &b.finish()).unwrap().0).unwrap();
    assert_eq!(
        text,
        "function,file,line,module,category,calls,primitive calls,samples,unfinished,\
         self time (nanoseconds),total time (nanoseconds)\n\
         \"'=cmd|\"\" /C calc\"\"!A0\",'@x.py,,,,1,1,,0,5,5\n\
         \"a\"\"b,c␊d\",'@x.py,,,,1,1,,0,4,4\n\
         ␛[2J,'@x.py,,,,1,1,,0,3,3\n"
    );
}
