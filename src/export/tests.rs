use std::io::Write;

use super::{ExportError, FORMATS, Options, chrome, folded, format, native, speedscope};
use crate::import::testing::{damage, open_bytes, totals};
use crate::import::{self, Input};
use crate::jobs::Job;
use crate::model::wire::{self, MAGIC, Writer, checksum, tag};
use crate::model::*;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/", $name))
    };
}

/// A profile with something in every table.
fn everything() -> Profile {
    let mut b = ProfileBuilder::new("chrome");
    b.meta.tool = "a tool 1.2".into();
    b.meta.title = "title with \"quotes\" and 漢字".into();
    b.meta.origin_unix_ns = Some(1_700_000_000_123_456_789);
    b.meta.basis = Basis::Estimated("because".into());
    b.meta.facts.push(("Samples".into(), "8".into()));
    b.meta.machine.push(("CPU".into(), "x".into()));
    b.meta.source = Some(SourceFile { path: "/tmp/trace.json".into(), format: "chrome".into(), bytes: 77 });
    let time = b.metric(Metric::time());
    let bytes = b.metric(Metric { better: Better::Neutral, ..Metric::new("bytes", "Bytes", Unit::Bytes) });
    b.metric(Metric { formula: vec![(10, time), (-1, bytes)], ..Metric::new("mix", "Mix", Unit::None) });
    let [main, work] = ["main", "work; of\n\"two\""].map(|name| {
        b.function(FunctionSpec { name, module: "m", file: "/a/b.py", line: 7, category: "cpu_op" })
    });
    let idle = b.function(FunctionSpec::named("idle"));
    let spec = |name, process, kind, sort| TrackSpec { name, process, kind, sort };
    let gpu = b.track(spec("stream 7", "GPU 0", TrackKind::GpuStream, 2));
    let cpu = b.track(spec("MainThread", "python 12", TrackKind::Thread, 1));
    let sampled = b.track(spec("sampler", "", TrackKind::Profile, 3));
    let untimed = b.track(spec("sums", "", TrackKind::Phase, 4));
    let (key, text) = (b.string("model"), b.string("gpt"));
    let args = b.args([
        (key, Value::Text(text)),
        (text, Value::Int(-5)),
        (key, Value::Float(0.1)),
        (key, Value::Float(f64::NAN)),
        (key, Value::Bool(true)),
    ]);
    b.span(cpu, 1_000_001, 9_000_000, main, args);
    let inner = b.span(cpu, 2_000_000, 3_000_000, work, ArgsRef::offset(12_345));
    b.span_cost(cpu, inner, bytes, 4096);
    b.span(cpu, 2_000_000, 3_000_000, work, ArgsRef::offset(12_300));
    b.open_span(cpu, 8_000_000, work, ArgsRef::NONE);
    for i in 0..4 {
        let kernel = b.open_span(gpu, i * 1000, work, ArgsRef::NONE);
        b.close_span(gpu, kernel, i * 1000 + 2500, SpanStatus::Error);
    }
    // Two concurrent branches: by its times alone the last span would lie in the wrong one.
    let tasks = b.track(spec("tasks", "", TrackKind::Task, 5));
    for (start, end, own, parent) in
        [(0, 100, 7, 99), (0, 90, 8, 7), (5, 95, 9, 7), (20, 30, 10, 7), (40, 50, 11, 9)]
    {
        let branch = b.span(tasks, start, end, work, ArgsRef::NONE);
        b.nest_span(tasks, branch, own, Some(parent));
    }
    let frames = [b.frame(main, 1), b.frame(work, 22), b.frame(idle, 0)];
    let root = b.stack(None, frames[0]);
    let leaf = b.stack(Some(root), frames[1]);
    let other = b.stack(Some(root), frames[2]);
    b.timed_sample(sampled, (0, 10), Some(leaf), &[(time, 10), (bytes, 64)]);
    b.timed_sample(sampled, (10, 30), None, &[(time, 20)]);
    b.timed_sample(sampled, (30, 35), Some(other), &[(time, 5)]);
    b.sample(untimed, Some(leaf), &[(bytes, 100)]);
    let rss = b.counter("RSS", "python 12", Unit::Bytes);
    [(5, 1.5), (3, 2.0), (9, -0.25)].into_iter().for_each(|(t, v)| b.point(rss, t, v));
    b.instant(Instant { time: 44, track: Some(gpu), name: text, args, severity: Severity::Warning });
    b.instant(Instant { time: 4, track: None, name: key, args: ArgsRef::NONE, severity: Severity::Info });
    b.link(Link { from: (cpu, 2_500_000), to: (gpu, 1000), name: text });
    let nodes = [b.node(main), b.node(work)];
    b.node_calls(nodes[0], Calls { all: 3, primitive: 1 });
    b.node_cost(nodes[1], time, NodeCosts { own: 5, total: 9 });
    let edge = b.edge(nodes[0], nodes[1]);
    b.edge_calls(edge, Calls { all: 2, primitive: 2 });
    b.edge_cost(edge, time, 9);
    b.edge_self_cost(edge, time, 4);
    b.edge(nodes[1], nodes[1]);
    b.node_cost(nodes[0], bytes, NodeCosts { own: 1, total: 1 });
    b.line_cost(SourceLine { node: nodes[1], file: text, line: 3 }, &[5]);
    b.source(text, "fn main() {}\n");
    for (line, calls) in [(7, 2), (3, 9)] {
        let site = CallSite { caller: nodes[0], file: text, line, callee: nodes[1] };
        b.call_site(site, Some(calls), &[4, -1]);
    }
    b.request(Request {
        name: text,
        model: key,
        track: Some(cpu),
        arrived: 10,
        scheduled: Some(12),
        first_byte: Some(18),
        first_token: Some(20),
        finished: None,
        tokens: TokenCounts {
            input: Some(5),
            cache_read: None,
            cache_write: Some(0),
            output: Some(9),
            reasoning: None,
        },
        token_times: vec![20, 25, 31],
        cost_nano_dollars: Some(1234),
        kv_cache_bytes: Some(1 << 33),
        outcome: Outcome::Running,
        cache: Some(CacheOutcome::Semantic),
        batch: Some(7),
        prompt: key,
        completion: text,
        error: key,
        retries: vec![Retry { began: 12, failed: 14, again: 17, reason: key }],
        similarity: Some(0.75),
    });
    let early = b.request(Request { name: key, arrived: 3, ..Request::default() });
    let (kind, severity) = (key, Severity::Error);
    let request = Some(early);
    b.finding(Finding { kind, severity, text, request, track: Some(gpu), time: Some(44) });
    b.finding(Finding { kind, severity, text, request: None, track: None, time: None });
    b.attach(Attachment { name: "other.prof".into(), bytes: [1u8, 0, 255].into() });
    b.warn_many("oddity", "byte 7", 3);
    b.finish()
}

fn saved(profile: &Profile) -> Vec<u8> {
    let mut bytes = Vec::new();
    native::write(profile, &mut bytes).unwrap();
    bytes
}

fn written(id: &str, profile: &Profile) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    (format(id).unwrap().write)(profile, &Options::default(), &mut bytes).map(|()| bytes)
}

#[test]
fn a_saved_session_opens_as_an_equal_profile() {
    let samples: [&[u8]; 9] = [
        sample!("speedscope/py-spy-threads.speedscope.json"),
        sample!("speedscope/invalid-out-of-order-events.json"),
        sample!("speedscope/evented-threads.speedscope.json.gz"),
        sample!("pyinstrument/cpu-v4.6.1.pyisession"),
        sample!("pyinstrument/asyncio-enabled.json"),
        sample!("pyinstrument/html-busy_wait.json"),
        sample!("chrome-trace/catapult-nestable-async.json"),
        sample!("chrome-trace/pytorch-alexnet-gpu.json.gz"),
        sample!("chrome-trace/chrome141-cpu-profile.json"),
    ];
    let opened = samples.iter().map(|bytes| open_bytes(bytes).unwrap());
    for profile in opened.chain([everything(), ProfileBuilder::new("recorder").finish()]) {
        let bytes = saved(&profile);
        let again = open_bytes(&bytes).unwrap();
        assert_eq!(dump(&again), dump(&profile));
        assert_eq!(saved(&again), bytes, "saving is stable");
    }
}

#[test]
fn a_session_of_format_1_opens_as_it_did_when_it_was_written() {
    let profile = open_bytes(sample!("native/v1.inferscope")).unwrap();
    assert_eq!(
        dump(&profile),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/native/v1.dump.txt"))
    );
}

#[test]
fn a_newer_format_names_itself_and_the_remedy() {
    let mut bytes = saved(&everything());
    bytes[MAGIC.len()] = 2;
    let e = open_bytes(&bytes).unwrap_err().to_string();
    assert_eq!(
        e,
        "is written in session format 2, and this version reads up to 1: open it with a newer inferscope"
    );
}

/// A block with a right checksum, whatever its content.
fn block(tag: tag::Tag, flags: u8, raw_len: u64, stored: &[u8]) -> Vec<u8> {
    let mut header = tag.to_vec();
    header.push(flags);
    header.extend_from_slice(&raw_len.to_le_bytes());
    header.extend_from_slice(&(stored.len() as u64).to_le_bytes());
    let sum = checksum(&header, stored);
    header.extend_from_slice(&sum.to_le_bytes());
    header.extend_from_slice(stored);
    header
}

/// A session with `extra` in front of its end.
fn with_block(profile: &Profile, extra: &[u8]) -> Vec<u8> {
    let mut bytes = saved(profile);
    bytes.truncate(bytes.len() - wire::BLOCK_HEADER);
    bytes.extend_from_slice(extra);
    bytes.extend_from_slice(&block(tag::END, 0, 0, &[]));
    bytes
}

fn raw(tag: tag::Tag, stored: &[u8]) -> Vec<u8> {
    block(tag, 0, stored.len() as u64, stored)
}

#[test]
fn unknown_parts_are_skipped_and_named() {
    let p = open_bytes(&with_block(&everything(), &raw(*b"NEWS", b"anything"))).unwrap();
    let last = p.warnings.last().unwrap();
    assert_eq!(
        (last.kind.as_str(), last.first.as_str()),
        ("part that this version of inferscope does not know (skipped)", "NEWS")
    );
    assert_eq!(p.span_count(), everything().span_count());
}

#[test]
fn ids_out_of_range_and_claimed_lengths_leave_out_the_part() {
    let mut huge = Writer::default();
    huge.unsigned(1 << 60);
    let mut track = Writer::default();
    [9_999_999, 0, 0, 0].into_iter().for_each(|n| track.unsigned(n));
    // Two spans of which the second ends after its parent.
    let mut spans = Writer::default();
    [0, 0, 0, 0, 2, 1, 2, 0, 1, 0, 0, 5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        .into_iter()
        .for_each(|n| spans.byte(n));
    let mut link = Writer::default();
    [1, 0, 0, 99, 99, 0].into_iter().for_each(|n| link.unsigned(n));
    let stack_cycle = [1, 5, 0];
    let cases: [(tag::Tag, &[u8]); 9] = [
        (tag::TRACK, &spans.0),
        (tag::TRACK, &track.0),
        (tag::TRACK, &[]),
        (tag::LINKS, &link.0),
        (tag::INSTANTS, &huge.0),
        (tag::REQUESTS, &huge.0),
        (tag::GRAPH, &[1, 200, 1]),
        (tag::COUNTER, &[0, 0, 250]),
        (tag::WARNINGS, b"[1]"),
    ];
    for (tag, content) in cases {
        let p = open_bytes(&with_block(&everything(), &raw(tag, content))).unwrap();
        assert_eq!(p.warnings.last().unwrap().kind, "damaged part of the session (left out)", "{tag:?}");
    }
    let e = open_bytes(&with_block(&everything(), &raw(tag::STACKS, &stack_cycle))).unwrap_err();
    assert_eq!(e.to_string(), "is a damaged inferscope session (part STAK): copy it again");
}

#[test]
fn a_small_file_cannot_fill_the_memory() {
    let zeros = vec![0; 64 << 20];
    let packed = zstd::bulk::compress(&zeros, 3).unwrap();
    let bomb = block(tag::STRINGS, wire::COMPRESSED, zeros.len() as u64, &packed);
    assert!(packed.len() < 16 << 10);
    let p = open_bytes(&with_block(&everything(), &bomb)).unwrap();
    assert_eq!(p.warnings.last().unwrap().kind, "session is cut or damaged; what came before is shown");
    // What packs that well is stored as it is, so that it opens.
    let mut stored = Vec::new();
    native::block(&mut stored, tag::STRINGS, &zeros).unwrap();
    assert!(stored.len() > zeros.len());
}

#[test]
fn damage_is_noticed_and_never_panics() {
    let whole = everything();
    damage(&saved(&whole), |result| {
        if let Ok(p) = result {
            assert!(p.warnings.iter().any(|w| w.kind.contains("damaged")) || dump(&p) == dump(&whole));
        }
    });
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
        let q = open_bytes(&written("speedscope", &p).unwrap()).unwrap();
        assert_eq!(q.meta.format, "speedscope");
        let (mut a, mut b) = (totals(&p), totals(&q));
        a.retain(|_, sums| *sums != (0, 0));
        b.retain(|_, sums| *sums != (0, 0));
        assert_eq!(a, b);
        assert_eq!((p.span_count(), &p.meta.title), (q.span_count(), &q.meta.title));
    }
    // Overlapping spans, several metrics and samples beside spans.
    let (p, q) = (everything(), open_bytes(&written("speedscope", &everything()).unwrap()).unwrap());
    assert_eq!(p.span_count(), q.span_count());
    let name = |p: &Profile, metric: &str| p.metric_by_key(metric).is_some();
    assert!(name(&q, "time") && name(&q, "bytes") && q.warnings.is_empty());
}

#[test]
fn folded_stacks_add_up_for_each_metric() {
    let sum = |p: &Profile, metric: Option<MetricId>| -> (i64, String) {
        let mut bytes = Vec::new();
        folded::write(p, &Options { metric, ..Options::default() }, &mut bytes).unwrap();
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
    // A span's bytes include its children's, a sample's are its own; breaking characters are gone.
    assert_eq!(bytes, 4096 + 64 + 100);
    assert!(text.contains("python 12 › MainThread;main;work, of \"two\" 4096\n"), "{text}");
    let mix = Options { metric: p.metric_by_key("mix"), ..Options::default() };
    assert!(matches!(folded::write(&p, &mix, &mut Vec::new()), Err(ExportError::Unsupported(_))));
}

#[test]
fn stacks_too_deep_to_write_out_are_refused() {
    let mut b = ProfileBuilder::new("x");
    let time = b.metric(Metric::time());
    let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
    let function = b.function(FunctionSpec::named("recursive_function"));
    let frame = b.frame(function, 0);
    let mut stack = None;
    for _ in 0..50_000 {
        stack = Some(b.stack(stack, frame));
        b.sample(track, stack, &[(time, 1)]);
    }
    let e = written("folded", &b.finish()).unwrap_err();
    assert!(e.to_string().contains("too deep"), "{e}");
}

#[test]
fn a_chrome_trace_is_json_with_exact_times() {
    let p = everything();
    let json: serde_json::Value = serde_json::from_slice(&written("chrome", &p).unwrap()).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let of = |phase: &str| events.iter().filter(|e| e["ph"] == phase).collect::<Vec<_>>();
    assert_eq!(of("X").len(), p.span_count());
    let main = of("X").into_iter().find(|e| e["name"] == "main").unwrap();
    assert_eq!((main["ts"].to_string(), main["dur"].to_string()), ("1000.001".into(), "7999.999".into()));
    assert_eq!((main["args"]["model"].as_bool(), main["args"]["gpt"].as_i64()), (Some(true), Some(-5)));
    assert!(of("X").iter().any(|e| e["name"] == "work; of\n\"two\"" && e["args"]["status"] == "unfinished"));
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
        let q = open_bytes(&written("chrome", &p).unwrap()).unwrap();
        assert_eq!((q.meta.format.as_str(), q.warnings.len()), ("chrome", 0));
        assert_eq!(by_function(&p), by_function(&q));
        let points = |p: &Profile| p.counters.iter().map(|c| c.times.len()).sum::<usize>();
        let rest = |p: &Profile| (points(p), p.instants.len(), p.links.len());
        assert_eq!(rest(&p), rest(&q));
    }
}

#[test]
fn a_session_finds_the_details_in_the_trace_that_it_was_saved_from() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/chrome-trace/catapult-flows.json");
    let (trace, job) = (Input::Path(path.into()), Job::new());
    let p = import::open(&trace, &job, &mut |_| ()).unwrap();
    let session = Input::Bytes("saved.inferscope".into(), saved(&p).into());
    let q = import::open(&session, &job, &mut |_| ()).unwrap();
    let offset = |p: &Profile| {
        let mut args = p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.args.place());
        args.find_map(|a| if let ArgsPlace::Offset(offset) = a { Some(offset) } else { None }).unwrap()
    };
    let wanted = import::details(&trace, &p.meta, offset(&p)).unwrap();
    assert!(!wanted.is_empty());
    assert_eq!(import::details(&session, &q.meta, offset(&q)).unwrap(), wanted);
    let mut changed = q.meta.clone();
    changed.source.as_mut().unwrap().bytes += 1;
    let e = import::details(&session, &changed, offset(&q)).unwrap_err().to_string();
    assert!(e.contains("has changed since it was opened"), "{e}");
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
    assert!(chrome::write(&samples, &mut Vec::new()).unwrap_err().to_string().contains("speedscope"));
    assert!(speedscope::write(&ProfileBuilder::new("x").finish(), &mut Vec::new()).is_err());
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
    let p = everything();
    for f in FORMATS {
        assert!(matches!((f.write)(&p, &Options::default(), &mut Full), Err(ExportError::Io(_))), "{}", f.id);
    }
}
