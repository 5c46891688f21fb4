//! What tests of importers and exports share: opening bytes, totals per function, damage, and a profile that has everything.

use std::collections::{HashMap, HashSet};

use super::{ErrorKind, ImportError, Input, open};
use crate::jobs::Job;
use crate::model::*;

/// Opens bytes under a name that says nothing about them.
pub(crate) fn open_bytes(bytes: &[u8]) -> Result<Profile, ImportError> {
    open(&Input::Bytes("unknown".into(), bytes.into()), &Job::new(), &mut |_| ())
}

/// Self and total cost per function name by the first metric: of samples and of spans, each function once
/// per stack.
pub(crate) fn totals(p: &Profile) -> HashMap<String, (i64, i64)> {
    let mut sums: HashMap<String, (i64, i64)> = HashMap::new();
    let add = |sum: &mut i64, weight: i64| *sum = sum.saturating_add(weight);
    for track in &p.tracks {
        let weights = track.samples.weights.first().map_or(&[][..], |w| &w.1);
        for (stack, &weight) in track.samples.stacks.iter().zip(weights) {
            let path = stack.map(|s| p.stack_functions(s)).unwrap_or_default();
            if let Some(leaf) = path.last() {
                add(&mut sums.entry(p.function_name(*leaf).into()).or_default().0, weight);
            }
            for name in path.iter().map(|f| p.function_name(*f)).collect::<HashSet<_>>() {
                add(&mut sums.entry(name.into()).or_default().1, weight);
            }
        }
        let spans = &track.spans;
        let name = |row: u32| p.function_name(spans.rows[row as usize].function);
        for (row, span) in spans.rows.iter().enumerate() {
            let (row, length) = (row as u32, span.duration());
            sums.entry(name(row).into()).or_default().0 += length;
            if span.parent != NO_ROW {
                sums.entry(name(span.parent).into()).or_default().0 -= length;
            }
            if spans.ancestors(row).skip(1).all(|r| name(r) != name(row)) {
                sums.entry(name(row).into()).or_default().1 += length;
            }
        }
    }
    sums
}

/// Cuts `bytes` everywhere and flips bits in it: opening must end, with a profile or with an error that
/// says something, and must never panic.
pub(crate) fn damage(bytes: &[u8], mut check: impl FnMut(Result<Profile, ImportError>)) {
    let mut open_damaged = |bytes: &[u8]| {
        let result = open_bytes(bytes);
        if let Err(e) = &result {
            assert!(
                !e.what.is_empty()
                    && matches!(e.kind, ErrorKind::Malformed | ErrorKind::Unrecognised | ErrorKind::Several),
                "{e}"
            );
        }
        check(result);
    };
    let step = (bytes.len() / 300).max(1);
    (0..bytes.len()).step_by(step).for_each(|len| open_damaged(&bytes[..len]));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..600 {
        let mut damaged = bytes.to_vec();
        for _ in 0..=random % 4 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (random >> 20) as usize % damaged.len();
            match random >> 61 {
                0 => {
                    damaged.remove(at);
                }
                1 => damaged.insert(at, b"0[]{}\",-:9"[(random >> 50) as usize % 10]),
                bit => damaged[at] ^= 1 << bit,
            }
        }
        open_damaged(&damaged);
    }
}

/// A profile with something in every table.
pub(crate) fn everything() -> Profile {
    let mut b = ProfileBuilder::new("chrome");
    b.meta.tool = "a tool 1.2".into();
    b.meta.title = "title with \"quotes\" and 漢字".into();
    b.meta.origin_unix_ns = Some(1_700_000_000_123_456_789);
    b.meta.basis = Basis::Estimated("because".into());
    b.meta.result("Samples", 8u64);
    b.meta.ran_on("CPU", "x");
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
    for (address, own) in [(0xffff_ffff_8100_0010, 3), (0x1174, -2), (0x1180, 7)] {
        let place = Instruction { node: nodes[1], address, file: text, line: 3 };
        b.instructions().costs.push(place, None, &[own, 1]);
    }
    let call = InstructionCall { caller: nodes[0], address: 0x1190, callee: nodes[1] };
    b.instructions().calls.push(call, Some(4), &[9, 0]);
    let jump = |from, to, conditional| Jump { node: nodes[1], from, to, conditional };
    b.instructions().jump(jump(0x1180, 0x1174, true), 9, 4);
    b.instructions().jump(jump(0x1174, 0x4000, false), 2, 2);
    b.request(Request {
        name: text,
        model: key,
        track: Some(cpu),
        arrived: 10,
        looked_up: None,
        scheduled: Some(12),
        first_byte: Some(18),
        first_token: Some(20),
        finished: None,
        tokens: TokenCounts {
            input: Some(5),
            cache_read: None,
            cache_write_5m: Some(0),
            cache_write_1h: Some(1),
            output: Some(9),
            reasoning: None,
            audio_input: Some(2),
            image_input: None,
            tool_input: Some(3),
            audio_output: Some(4),
        },
        accounting: Accounting {
            input: Origin::Computed,
            output: Origin::LowerBound,
            input_count: InputCount::Exclusive,
            decided_by: DecidedBy::Identity,
            stated_total: Some(15),
            write_time_stated: true,
        },
        requested_model: text,
        provider: key,
        tier: text,
        requested_tier: key,
        tokens_why: text,
        undated: true,
        first_chunk: Some(19),
        first_output: Some(25),
        last_token: Some(31),
        phases: ServerTimes {
            queue: Some(2),
            load: None,
            prefill: Some(8),
            decode: Some(11),
            decode_holds_first: true,
        },
        sequences: 2,
        chunks: Some(Chunks { with_output: 3, first_token: Some(2), first_output: None }),
        attributes: vec![(key, text), (text, key)],
        searches: Some(3),
        token_times: vec![20, 25, 31],
        cost: Money::parse("0.000000000000000000001234"),
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
