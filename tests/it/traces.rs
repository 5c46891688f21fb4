//! Awkward traces after public reports of other tools, with the right value of each (`tests/data/reports/traces`).

use std::fmt::Write;
use std::sync::Arc;

use inferscope::analysis::functions::Functions;
use inferscope::analysis::stages::{StageGraph, Stages, Step};
use inferscope::analysis::{Costs, Slice};
use inferscope::import::{self, ImportError, Input};
use inferscope::jobs::Job;
use inferscope::model::{Profile, Severity, SpanStatus, TrackKind};
use inferscope::query::{Engine, Run};

use crate::support;

fn input(name: &str) -> Input {
    Input::Path(support::file("tests/data/reports/traces").join(name))
}

fn opened(name: &str) -> Result<Profile, ImportError> {
    import::open_whole(&input(name), &Job::new())
}

struct Trace(Run);

impl Trace {
    fn of(profile: Profile) -> Self {
        Self(Run::of(Arc::new(profile)))
    }

    fn open(name: &str) -> Self {
        Self::of(opened(name).unwrap_or_else(|e| panic!("{name}: {e}")))
    }

    fn text(json: &str) -> Self {
        let input = Input::Bytes("trace.json".into(), json.as_bytes().into());
        Self::of(import::open_whole(&input, &Job::new()).unwrap_or_else(|e| panic!("{e}: {json}")))
    }

    fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// Calls, self and total of a function, ns.
    fn function(&self, name: &str) -> (u64, i64, i64) {
        let query = Functions(Slice::default());
        let table = Engine::inline().now(&self.0, &query, &Job::new()).expect("nobody cancels");
        let rows = || table.rows.iter().filter(|r| self.profile().function_name(r.function) == name);
        let sum = |of: fn(&inferscope::analysis::FunctionRow) -> i64| rows().map(of).sum::<i64>();
        let calls = rows().filter_map(|r| r.calls).map(|c| c.all).sum();
        (calls, sum(|r| r.own), sum(|r| r.total))
    }

    /// Totals of all that nothing called, ns.
    fn outermost(&self) -> i64 {
        let query = Costs(Slice::default());
        let costs = Engine::inline().now(&self.0, &query, &Job::new()).expect("nobody cancels");
        costs.tree.children(None).map(|n| costs.total[n as usize]).sum()
    }

    fn elapsed(&self) -> i64 {
        self.profile().meta.duration.expect("a timed profile")
    }

    fn stages(&self) -> Arc<StageGraph> {
        Engine::inline().now(&self.0, &Stages::default(), &Job::new()).expect("nobody cancels")
    }

    /// «caller > callee count» of all spans, `-` without a caller, sorted.
    fn calls(&self) -> Vec<String> {
        let p = self.profile();
        let mut all: Vec<String> = Vec::new();
        for id in p.track_ids() {
            for row in 0..p.track(id).spans.rows.len() as u32 {
                let mut names = p
                    .span_ancestors(id, row)
                    .map(|(track, row)| p.function_name(p.track(track).spans.rows[row as usize].function));
                let own = names.next().expect("itself");
                all.push(format!("{} > {own}", names.next().unwrap_or("-")));
            }
        }
        all.sort();
        let count = |part: &[String]| format!("{} {}", part[0], part.len());
        all.chunk_by(|a, b| a == b).map(count).collect()
    }

    /// Arrows as «cause time > effect time», µs.
    fn arrows(&self) -> Vec<String> {
        let p = self.profile();
        let end = |(track, time): (inferscope::model::TrackId, i64)| {
            let row = inferscope::analysis::span_facts::span_at(p, track, time).expect("a span");
            let name = p.function_name(p.track(track).spans.rows[row as usize].function);
            format!("{name} {}", time / 1000)
        };
        p.links.iter().map(|l| format!("{} > {}", end(l.from), end(l.to))).collect()
    }

    fn labels(&self) -> Vec<String> {
        self.profile().track_ids().map(|id| self.profile().track_label(id)).collect()
    }

    /// The warning that begins so: how often, and the first place.
    fn warning(&self, begin: &str) -> Option<(u64, &str)> {
        let found = self.profile().warnings.iter().find(|w| w.kind.starts_with(begin));
        found.map(|w| (w.count, w.first.as_str()))
    }

    fn warnings(&self) -> usize {
        self.profile().warnings.len()
    }
}

fn close(got: i64, expected: i64, by: i64) -> bool {
    (got - expected).abs() <= by
}

#[test]
fn stamps_that_are_doubles_nest() {
    let t = Trace::open("epoch-double.json");
    assert_eq!(t.calls(), ["- > request 20", "request > forward 60", "request > sample 40"]);
    let (request, forward, sample) = (t.function("request"), t.function("forward"), t.function("sample"));
    assert_eq!((request.2, request.1), (504_677, 2_035));
    assert!(close(forward.2, 310_600, 100) && close(sample.2, 192_000, 100), "{forward:?} {sample:?}");
    assert_eq!(t.outermost(), 504_677);
}

#[test]
fn picoseconds_and_exponents_nest() {
    let t = Trace::open("jax-picoseconds.json");
    let calls = [
        "$jit.py:20 call > PjitFunction(f) 1",
        "$train.py:8 step > $jit.py:20 call 2",
        "- > $train.py:8 step 2",
    ];
    assert_eq!(t.calls(), calls);
    for (name, own, total) in [
        ("$train.py:8 step", 10_001, 20_001),
        ("$jit.py:20 call", 6_000, 10_000),
        ("PjitFunction(f)", 4_000, 4_000),
    ] {
        let found = t.function(name);
        assert!(close(found.1, own, 3) && close(found.2, total, 3), "{name} {found:?}");
    }
    let t = Trace::open("sci-notation.json");
    assert_eq!(t.calls(), ["- > outer 2", "outer > inner 2"]);
    let starts: Vec<_> = t.profile().tracks[0].spans.rows.iter().map(|s| s.start).collect();
    assert_eq!((starts, t.elapsed()), (vec![0, 2_400, 6_850, 8_850], 11_350));
    assert_eq!((t.function("outer"), t.function("inner")), ((2, 4_500, 9_250), (2, 4_750, 4_750)));
}

#[test]
fn ranks_of_a_merged_trace_keep_their_arrows() {
    let t = Trace::open("merged-ranks.json");
    let expected = [(5, 40), (8, 33), (105, 140), (108, 133), (205, 240), (208, 233)];
    assert_eq!(t.arrows(), expected.map(|(a, b)| format!("cudaLaunchKernel {a} > gemm {b}")));
    for link in &t.profile().links {
        let rank = |track| t.profile().track_label(track).contains("TP01");
        assert_eq!(rank(link.from.0), rank(link.to.0));
    }
    assert_eq!(t.warnings(), 0);
}

/// A launch and its kernel per rank, of the same id, with pids and times; `sorted`: in the order of time.
fn ranks(pids: [(&str, &str); 2], sorted: bool, flows: bool) -> Trace {
    let mut events = Vec::new();
    for ((cpu, gpu), (from, to)) in pids.into_iter().zip([(5, 40), (8, 33)]) {
        let args = r#""args":{"correlation":7}"#;
        let more = [
            (
                from,
                format!(
                    r#"{{"ph":"X","cat":"cuda_runtime","name":"launch","pid":{cpu},"tid":1,"ts":{from},"dur":2,{args}}}"#
                ),
            ),
            (
                to,
                format!(
                    r#"{{"ph":"X","cat":"kernel","name":"k","pid":{gpu},"tid":{cpu},"ts":{to},"dur":5,{args}}}"#
                ),
            ),
        ];
        events.extend(more);
        if flows {
            let ends = [(from, "s", cpu, "1"), (to, "f", gpu, cpu)];
            events.extend(ends.map(|(ts, ph, pid, tid)| {
                (ts, format!(r#"{{"ph":"{ph}","bp":"e","id":7,"cat":"ac2g","name":"ac2g","pid":{pid},"tid":{tid},"ts":{ts}}}"#))
            }));
        }
    }
    if sorted {
        events.sort_by_key(|e| e.0);
    }
    let events: Vec<_> = events.into_iter().map(|e| e.1).collect();
    Trace::text(&format!(r#"{{"schemaVersion":1,"traceEvents":[{}]}}"#, events.join(",")))
}

#[test]
fn ids_of_several_processes_are_joined_by_rank_or_place_or_not_at_all() {
    let right = ["launch 0 > k 35", "launch 3 > k 28"];
    let named = [(r#""[TP00] 10""#, r#""[TP00] 0""#), (r#""[TP01] 10""#, r#""[TP01] 0""#)];
    let plain = [("1000", "0"), ("2000", "1")];
    for flows in [true, false] {
        for sorted in [true, false] {
            let t = ranks(named, sorted, flows);
            assert_eq!((t.arrows(), t.warnings()), (right.map(String::from).to_vec(), 0), "{sorted} {flows}");
        }
        let t = ranks(plain, false, flows);
        assert_eq!((t.arrows(), t.warnings()), (right.map(String::from).to_vec(), 0), "{flows}");
    }
    // In the order of time the file does not tell them apart, and no arrow is better than a wrong one.
    for flows in [true, false] {
        let t = ranks(plain, true, flows);
        assert!(
            t.arrows().is_empty() && t.warning("flow or correlation id used by several").is_some(),
            "{flows}"
        );
    }
}

#[test]
fn unfinished_spans_end_with_their_callers() {
    let t = Trace::open("lost-end.json");
    assert_eq!(t.calls(), ["- > request 10", "parse > lookup 1", "request > parse 10"]);
    assert_eq!((t.function("parse").2, t.function("request").2), (1_000_000, 3_000_000));
    assert_eq!((t.function("lookup"), t.outermost()), ((1, 50_000, 50_000), 3_000_000));
    let rows = t.profile().tracks.iter().flat_map(|t| &t.spans.rows);
    let lookup: Vec<_> =
        rows.filter(|s| s.status == SpanStatus::Unfinished).map(|s| (s.start, s.end)).collect();
    assert_eq!(lookup, [(150_000, 200_000)]);
    assert_eq!(t.warning("span without an end").unwrap().0, 1);
    let t = Trace::open("missing-dur-in-parent.json");
    assert_eq!(t.function("aten::mm").2, 80_000);
    assert!(t.calls().contains(&"ProfilerStep#1 > aten::mm 1".to_owned()), "{:?}", t.calls());
    assert_eq!((t.outermost(), t.function("aten::add")), (1_000_000, (1, 0, 0)));
    assert!(
        t.warning("span that ends before it starts").is_some()
            && t.warning("complete event without a d").is_some()
    );
}

#[test]
fn one_impossible_time_does_not_set_the_scale() {
    let t = Trace::open("outlier-zero.json");
    assert_eq!((t.elapsed(), t.warning("event with a time far from all others").unwrap().0), (100_000, 1));
    assert_eq!(t.function("sgemm"), (2, 40_000, 40_000));
    assert_eq!(
        (t.function("aten::mm"), t.function("cudaLaunchKernel")),
        ((1, 88_000, 100_000), (2, 12_000, 12_000))
    );
    let stages = t.stages();
    assert_eq!(stages.total(), 100_000);
    assert!(stages.stages.iter().all(|s| t.profile().track(s.id.track).kind != TrackKind::Untimed));
    assert_eq!(t.profile().links.len(), 1);
}

#[test]
fn work_of_a_stream_is_a_queue() {
    let t = Trace::open("pdl-contained.json");
    assert_eq!(t.calls(), ["- > reduce 3", "- > splitk_gemm 3"]);
    assert_eq!(
        (t.function("splitk_gemm"), t.function("reduce")),
        ((3, 150_000, 150_000), (3, 75_000, 75_000))
    );
    assert_eq!((t.outermost(), t.elapsed()), (225_000, 250_000));
    let report = support::report(&support::file("tests/data/reports/traces/pdl-contained.json"));
    let busy = &report["gpu_busy"][0];
    assert_eq!(
        (&busy["gpu"], &busy["busy_ns"], &busy["idle_ns"]),
        (&"GPU 0".into(), &150_000.into(), &100_000.into())
    );
    // What comes next on the stream waits for the start before it, and an overlap is no gap.
    let gaps: i64 =
        t.stages().path.iter().map(|s| if let Step::Gap { from, to, .. } = s { to - from } else { 0 }).sum();
    assert_eq!(gaps, 110_000, "two pauses of 55 us after the shorter one of each pair");
}

#[test]
fn gpu_work_of_an_impossible_length_is_a_finding() {
    let t = Trace::open("rocm-dur-overflow.json");
    assert_eq!(t.calls(), ["- > fmha_bwd 1", "- > gemm 20"]);
    assert_eq!((t.function("gemm"), t.function("fmha_bwd").2), ((20, 600_000, 600_000), 1_600_000_000));
    let [finding] = &t.profile().findings[..] else { panic!("one finding") };
    let text = t.profile().text(finding.text);
    assert_eq!((finding.severity, finding.time), (Severity::Warning, Some(0)));
    for part in
        ["fmha_bwd", "GPU 2 › stream 0", "1.60 s as recorded", "50.0 µs when cut", "busy 650 µs of 840 µs"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn threads_and_streams_of_the_same_numbers_are_apart() {
    let t = Trace::open("cpu-pid-zero.json");
    assert_eq!(t.labels(), ["python › tid 0", "GPU 0 › stream 0"]);
    let kinds: Vec<_> = t.profile().tracks.iter().map(|t| t.kind).collect();
    assert_eq!(kinds, [TrackKind::Thread, TrackKind::GpuStream]);
    assert_eq!(
        (t.function("aten::mm"), t.function("aten::relu")),
        ((1, 45_000, 50_000), (1, 30_000, 30_000))
    );
    assert_eq!(
        (t.function("hipLaunchKernel").2, t.function("gemm").2, t.function("relu_kernel").2),
        (5_000, 20_000, 40_000)
    );
    let calls = [
        "- > aten::mm 1",
        "- > aten::relu 1",
        "- > gemm 1",
        "- > relu_kernel 1",
        "aten::mm > hipLaunchKernel 1",
    ];
    assert_eq!(t.calls(), calls);
    assert_eq!(t.arrows(), ["hipLaunchKernel 5 > gemm 20"]);
}

#[test]
fn requests_that_overlap_keep_what_they_called() {
    let mut json = "[".to_owned();
    for i in 0..300 {
        let at = i * 10;
        for (name, start, length) in
            [("request", at, 5000), ("prefill", at + 1, 100), ("decode", at + 200, 4700)]
        {
            let comma = if json.len() > 1 { "," } else { "" };
            let place = format!(r#""ph":"X","pid":1,"tid":1,"ts":{start},"dur":{length}"#);
            write!(json, r#"{comma}{{"name":"{name}",{place}}}"#).unwrap();
        }
    }
    let t = Trace::text(&(json + "]"));
    assert_eq!(t.function("request"), (300, 60_000_000, 1_500_000_000));
    assert_eq!(t.function("prefill"), (300, 30_000_000, 30_000_000));
    assert_eq!(t.function("decode"), (300, 1_410_000_000, 1_410_000_000));
    assert_eq!(t.outermost(), 1_500_000_000);
}

#[test]
fn what_crosses_a_sibling_keeps_its_caller() {
    let t = Trace::open("async-crossing.json");
    assert_eq!((t.function("parent"), t.outermost()), ((1, 10_000, 50_000), 50_000));
    assert_eq!((t.function("first"), t.function("second")), ((1, 30_000, 30_000), (1, 30_000, 30_000)));
    assert_eq!(t.calls(), ["- > parent 1", "parent > first 1", "parent > second 1"]);
    let t = Trace::open("profiler-step-crossing-merged.json");
    assert_eq!(
        (t.function("main"), t.function("step"), t.outermost()),
        ((1, 101_000, 300_000), (2, 24_000, 24_000), 300_000)
    );
    assert!(t.calls().contains(&"main > step 2".to_owned()), "{:?}", t.calls());
}

#[test]
fn requests_that_overlap_by_hundreds_have_their_own_parts() {
    let mut events = String::new();
    for i in 0..300 {
        for (name, from, dur) in [("request", 0, 5000), ("prefill", 1, 100), ("decode", 200, 4700)] {
            let comma = if events.is_empty() { "" } else { "," };
            let ts = i * 10 + from;
            write!(events, r#"{comma}{{"ph":"X","name":"{name}","pid":1,"tid":1,"ts":{ts},"dur":{dur}}}"#)
                .unwrap();
        }
    }
    let t = Trace::text(&format!(r#"{{"traceEvents":[{events}]}}"#));
    assert_eq!(t.calls(), ["- > request 300", "request > decode 300", "request > prefill 300"]);
    assert_eq!((t.function("request"), t.outermost()), ((300, 60_000_000, 1_500_000_000), 1_500_000_000));
    assert_eq!((t.function("prefill").2, t.function("decode").2), (30_000_000, 1_410_000_000));
}

#[test]
fn backslashes_and_quotes_that_are_not_escaped() {
    let t = Trace::open("windows-backslash.json");
    assert_eq!(t.profile().meta.title, r"C:\Users\me\log\trace.json");
    let p = t.profile();
    let step = p.functions.ids().map(|id| p.functions.get(id)).find(|f| p.text(f.name) == "step").unwrap();
    assert_eq!((p.text(step.file), step.line), (r"C:\Users\me\train.py", 12));
    assert_eq!((t.function("step"), t.function("aten::conv2d")), ((1, 50_000, 100_000), (1, 50_000, 50_000)));
    assert_eq!(t.warning("text with raw backslashes").unwrap().0, 1);
    let t = Trace::open("quote-in-name.json");
    assert_eq!(t.profile().span_count(), 5);
    let p = t.profile();
    let run = p.functions.ids().map(|id| p.functions.get(id)).find(|f| p.text(f.name) == "run").unwrap();
    assert_eq!((p.text(run.file), run.line), (r#"{"device": "cpu", "dtype": "float32"}"#, 12));
    assert_eq!(
        (t.function("ProfilerStep#1"), t.function("run")),
        ((1, 25_000, 100_000), (1, 30_000, 60_000))
    );
    for (name, ns) in [("aten::addmm", 30_000), (r#""hello""#, 10_000), ("aten::relu", 5_000)] {
        assert_eq!(t.function(name), (1, ns, ns), "{name}");
    }
    assert_eq!(t.warning("event whose texts hold quotes").unwrap().0, 2);
}

#[test]
fn nanoseconds_since_1970_are_read_as_such() {
    let t = Trace::open("ns-epoch.json");
    assert_eq!(t.function("compile all"), (1, 0, 10_000_000_000));
    assert_eq!((t.function("a.cpp").2, t.function("b.cpp").2), (5_000_000_000, 5_000_000_000));
    assert_eq!(t.warning("times are nanoseconds").unwrap().0, 1);
    let bad = r#"[{"ph":"X","name":"a","pid":1,"tid":1,"ts":133736425612345678,"dur":5}]"#;
    let input = Input::Bytes("trace.json".into(), bad.as_bytes().into());
    let error = import::open_whole(&input, &Job::new()).unwrap_err().to_string();
    assert!(error.contains("133736425612345678 at byte 1: "), "{error}");
}

#[test]
fn work_that_is_listed_twice_counts_once() {
    let t = Trace::open("clang-time-trace.json");
    assert_eq!(
        (t.outermost(), t.function("ExecuteCompiler"), t.function("Frontend")),
        (1_000_000, (1, 0, 1_000_000), (1, 740_000, 800_000))
    );
    assert_eq!(
        (t.function("Backend").2, t.function("ParseClass").2, t.function("DebugType").0),
        (200_000, 50_000, 2)
    );
    for name in ["Total Frontend", "Total Source", "Source"] {
        assert_eq!(t.function(name), (0, 0, 0), "{name}");
    }
    assert_eq!(t.profile().span_count(), 12, "they are shown");
    assert!(t.stages().stages.iter().all(|s| t.profile().track(s.id.track).kind == TrackKind::Thread));
    let t = Trace::open("bazel-negative.json");
    let names = ["Critical Path", "Main Thread", "skyframe-evaluator-2", "skyframe-evaluator-12"];
    assert_eq!((t.labels(), t.outermost()), (names.map(String::from).to_vec(), 963_000_000));
    assert_eq!(
        (t.function("Launch Blaze"), t.function("Extracting Bazel binary").2),
        ((1, 6_000_000, 613_000_000), 607_000_000)
    );
    assert_eq!(t.profile().track(inferscope::model::TrackId(0)).kind, TrackKind::Summary);
    assert_eq!((t.function("action 'Linking a'"), t.profile().counters.len()), ((0, 0, 0), 5));
}

#[test]
fn order_names_steps_and_devices() {
    let order = ["Zeta › Apple", "Zeta › Banana", "Zeta › Cherry", "Alpha › tid 1"];
    assert_eq!(Trace::open("sort-index.json").labels(), order);
    let t = Trace::open("flow-steps.json");
    assert_eq!(
        (t.arrows(), t.warnings()),
        (["G1 10 > G5 20", "R1 205 > R2 221", "R2 221 > R3 241"].map(String::from).to_vec(), 0)
    );
    let t = Trace::open("devices-memory.json");
    let p = t.profile();
    let mut counters: Vec<_> = p.counters.iter().map(|c| (p.text(c.name), c.peak().unwrap().1)).collect();
    counters.sort_by_key(|c| c.0);
    let (allocated, reserved) = (1024.0, 4096.0);
    let expected = [
        ("CPU memory allocated", allocated),
        ("CPU memory reserved", reserved),
        ("MPS 0 memory allocated", allocated),
        ("MPS 0 memory reserved", reserved),
        ("PrivateUse1 (NPU) 1 memory allocated", allocated),
        ("PrivateUse1 (NPU) 1 memory reserved", reserved),
        ("XPU 0 memory allocated", allocated),
        ("XPU 0 memory reserved", reserved),
    ];
    assert_eq!(counters, expected);
    assert!(t.labels().contains(&"XPU 0 › tid 1".to_owned()), "{:?}", t.labels());
}

/// Self and total of each function in a metric, by name.
fn recorded(p: &Profile, metric: &str) -> Vec<(String, i64, i64)> {
    let graph = p.call_graph.as_ref().expect("a call graph");
    let metric = p.metric_by_key(metric).expect("a metric");
    let costs = graph.costs.iter().find(|c| c.metric == metric).expect("costs");
    let name = |i: usize| p.function_name(graph.nodes[i].function).to_owned();
    let mut all: Vec<_> =
        (0..graph.nodes.len()).map(|i| (name(i), costs.node_self[i], costs.node_total[i])).collect();
    all.sort();
    all
}

#[test]
fn graphs_without_entry_or_with_negative_costs_are_not_damaged() {
    let own = |p: &Profile, metric: &str| -> Vec<(String, i64)> {
        recorded(p, metric).into_iter().map(|(name, own, _)| (name, own)).collect()
    };
    let named = |all: &[(&str, i64)]| -> Vec<(String, i64)> {
        all.iter().map(|&(name, own)| (name.to_owned(), own)).collect()
    };
    let p = opened("cyclic-instr-line.callgrind").unwrap();
    assert_eq!(own(&p, "Ir"), named(&[("run", 100), ("step", 300)]));
    assert!(p.warnings.is_empty(), "{:?}", p.warnings);
    let p = opened("xdebug-negative-memory.cachegrind.out").unwrap();
    let time = [("fill", 3_000), ("php::unset_like", 1_000), ("{main}", 2_000)];
    assert_eq!(own(&p, "time"), named(&time));
    let memory = [("fill", 9000, 9000), ("php::unset_like", -5000, -5000), ("{main}", 1000, 5000)];
    assert_eq!(recorded(&p, "memory"), memory.map(|(n, own, total)| (n.to_owned(), own, total)));
    assert!(p.warnings.is_empty(), "{:?}", p.warnings);
    let p = opened("pprofile-hits-first.callgrind").unwrap();
    let time = [("<module>", 45_000), ("main", 155_000), ("work", 9_800_000)];
    assert_eq!(
        (own(&p, "time"), own(&p, "hits")),
        (named(&time), named(&[("<module>", 2), ("main", 4), ("work", 9000)]))
    );
}

#[test]
fn a_time_that_no_run_has_is_left_out() {
    let p = opened("xdebug-two-mains.cachegrind.out").unwrap();
    let functions = recorded(&p, "time");
    assert_eq!(functions[2..], [("{main}".into(), 830_000, 2_830_000), ("{main} (run 2)".into(), 0, 5_000)]);
    let warning = p.warnings.iter().find(|w| w.kind.starts_with("self cost of more than a year")).unwrap();
    assert_eq!((warning.count, warning.first.as_str()), (1, "line 33: 1488967759093186"));
    assert_eq!(p.meta.duration, Some(2_830_000));
}

#[test]
fn archives_and_pages_open_as_the_trace_in_them() {
    for (name, what) in
        [("nested.zip", "without any events"), ("trace.tar.gz", "tar archive"), ("trace.html", "web page")]
    {
        match opened(name) {
            Ok(p) => assert!(p.span_count() > 0, "{name}"),
            Err(e) => {
                let text = e.to_string();
                assert!(
                    text.contains(what) && !e.remedy.is_empty() && !text.contains('\n'),
                    "{name}: {text}"
                );
            }
        }
    }
}

#[test]
fn arguments_of_end_events_are_shown() {
    let json = r#"[{"ph":"B","name":"a","pid":1,"tid":1,"ts":0,"args":{"in":1,"state":"open"}},
        {"ph":"B","name":"a","pid":1,"tid":2,"ts":0},{"ph":"E","name":"a","pid":1,"tid":2,"ts":1,"args":{"other":2}},
        {"ph":"B","name":"b","pid":1,"tid":1,"ts":1},{"ph":"E","pid":1,"tid":1,"ts":2,"args":{"inner":3}},
        {"ph":"E","name":"a","pid":1,"tid":"1","ts":3,"args":{"out":"x","state":"done"}}]"#;
    let input = Input::Bytes("trace.json".into(), json.as_bytes().into());
    let p = import::open_whole(&input, &Job::new()).unwrap();
    let inferscope::model::ArgsPlace::Offset(offset) = p.tracks[0].spans.rows[0].args.place() else {
        panic!("an offset")
    };
    let rows = import::details(&input, &p.meta, offset).unwrap();
    let shown: Vec<_> = rows.iter().skip(5).map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(shown, ["in=1", "state=open", "out=x", "state (at its end)=done"]);
}
