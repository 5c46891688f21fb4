//! Real files: the numbers that other tools and plain scripts find in them.

use std::collections::BTreeMap;

use super::*;
use crate::model::{Basis, Fact, FactKind, TrackKind};

/// Calls and summed ns of a function.
fn sum(p: &Profile, name: &str) -> (usize, i64) {
    let spans = p.tracks.iter().flat_map(|t| &t.spans.rows).filter(|s| p.function_name(s.function) == name);
    spans.fold((0, 0), |(n, ns), s| (n + 1, ns + s.duration()))
}

/// Calls and summed µs per category on tracks of a kind, by track label.
fn by_category(p: &Profile, kind: TrackKind) -> BTreeMap<(String, String), (usize, i64)> {
    let mut sums = BTreeMap::new();
    for id in p.track_ids().filter(|id| p.track(*id).kind == kind) {
        for s in &p.track(id).spans.rows {
            let cat = p.text(p.functions.get(s.function).category).to_owned();
            let entry: &mut (usize, i64) = sums.entry((p.track_label(id), cat)).or_default();
            *entry = (entry.0 + 1, entry.1 + s.duration() / 1000);
        }
    }
    sums
}

#[test]
fn pytorch_on_a_gpu() {
    let p = profile(sample("pytorch-alexnet-gpu.json.gz"));
    assert_eq!((p.span_count(), p.instants.len()), (868, 2));
    assert_eq!(sum(&p, "aten::to"), (20, 30_012_242_000));
    assert_eq!(sum(&p, "cudaDeviceGetStreamPriorityRange"), (11, 29_927_381_000));
    assert_eq!(sum(&p, "ampere_sgemm_32x32_sliced1x4_tn"), (6, 2_621_000));
    let gpu = by_category(&p, TrackKind::GpuStream);
    let of = |stream: &str, cat: &str| gpu[&(format!("GPU 0 › {stream}"), cat.to_owned())];
    assert_eq!(of("stream 7", "gpu_memcpy"), (16, 55_503));
    assert_eq!(of("stream 7", "gpu_memset"), (2, 4));
    assert_eq!(of("stream 7", "kernel"), (73, 9_626));
    assert_eq!(of("stream 20", "gpu_memset"), (1, 4));
    assert_eq!(of("stream 20", "kernel"), (6, 1_066));
    // Each kernel, copy and fill has one arrow from the call that started it, at or before its start.
    for id in p.track_ids().filter(|id| p.track(*id).kind == TrackKind::GpuStream) {
        for s in &p.track(id).spans.rows {
            if p.text(p.functions.get(s.function).category) != "cuda_sync" {
                let causes: Vec<_> = p.links.iter().filter(|l| l.to == (id, s.start)).collect();
                assert!(
                    causes.iter().any(|l| l.from.1 <= s.start && p.track(l.from.0).kind == TrackKind::Thread)
                );
            }
        }
    }
    assert_eq!(p.meta.tool, "PyTorch Kineto");
    assert_eq!(
        p.meta.machine[0],
        Fact::new(FactKind::Machine, "GPU 0", "NVIDIA A100-PG509-200, 42.3 GB, compute capability 8.0")
    );
    assert_eq!(p.meta.origin_unix_ns, Some(1_695_835_542_481_129_000));
    assert_eq!(p.warnings, []);
}

#[test]
fn pytorch_with_python_stacks_and_memory() {
    let p = profile(sample("pytorch-train-stack.pt.trace.json.gz"));
    assert_eq!((p.span_count(), p.instants.len(), p.links.len()), (3318, 2, 96));
    assert_eq!(sum(&p, "_call_impl"), (22, 1_534_010_050));
    assert_eq!(sum(&p, "train_step"), (1, 1_751_242_217));
    // What the program marked crosses Python's frames. It lies beside them, and the time of the thread counts once.
    let lanes: Vec<_> =
        p.tracks.iter().map(|t| (p.text(t.name), t.kind, t.spans.rows.len(), t.spans.lanes.len())).collect();
    assert!(lanes.contains(&("thread 7113 (python)", TrackKind::Thread, 3311, 1)), "{lanes:?}");
    assert!(lanes.contains(&("annotations", TrackKind::Phase, 6, 1)), "{lanes:?}");
    let call =
        p.functions.ids().map(|id| p.functions.get(id)).find(|f| p.text(f.name) == "_call_impl").unwrap();
    assert_eq!((p.text(call.file), call.line), ("torch/nn/modules/module.py", 1791));
    let memory = &p.counters[0];
    assert_eq!((p.text(memory.name), memory.times.len()), ("CPU memory allocated", 869));
    assert!(memory.times.is_sorted());
    assert_eq!(p.meta.origin_unix_ns, Some(1_790_857_026_000_000_000 + 4_452_002_762_196_857));
}

#[test]
fn pytorch_decoding() {
    let p = profile(sample("pytorch-decode.pt.trace.json.gz"));
    assert_eq!(p.span_count(), 2824);
    assert_eq!(sum(&p, "layers"), (12, 1_716_947_320));
    assert_eq!(sum(&p, "decode_step_2"), (1, 436_034_020));
    assert_eq!(sum(&p, "prefill"), (1, 400_284_740));
    let event = p.tracks[0].spans.rows.iter().find(|s| p.function_name(s.function) == "prefill").unwrap();
    let rows =
        details(&input(sample("pytorch-decode.pt.trace.json.gz")), &p.meta, offset(event.args)).unwrap();
    assert!(
        rows.contains(&("name".into(), "prefill".into()))
            && rows.contains(&("External id".into(), "2052".into()))
    );
}

#[test]
fn viztracer_threads() {
    let p = profile(sample("viztracer-multithread.json.gz"));
    assert_eq!((p.span_count(), p.tracks.len()), (582, 5));
    assert_eq!(sum(&p, "fib").0, 164);
    assert_eq!((sum(&p, "fib").1 + 500) / 1000, 24_357);
    assert_eq!(sum(&p, "time.sleep").0, 80);
    let fib = p.functions.ids().map(|id| p.functions.get(id)).find(|f| p.text(f.name) == "fib").unwrap();
    let file = "/home/gaogaotiantian/programs/viztracer/example/src/multithread.py";
    assert_eq!((p.text(fib.file), fib.line), (file, 8));
    assert_eq!(p.meta.tool, "viztracer 1.1.1");
    // Children are written before their parents, and still become children.
    assert!(p.tracks.iter().all(|t| t.spans.lanes.len() == 1));
    let p = profile(sample("viztracer-logging.json"));
    assert_eq!((p.span_count(), p.instants.len()), (43, 41));
}

#[test]
fn rust_tracing() {
    let p = profile(sample("tracing-chrome.json.gz"));
    assert_eq!(labels(&p), ["worker-0", "worker-1", "worker-2"]);
    assert_eq!(sum(&p, "job"), (3, 10_540_501));
    assert_eq!(sum(&p, "fib"), (353, 8_037_760));
    assert_eq!(sum(&p, "sort"), (3, 3_321_273));
    let fib = p.functions.ids().map(|id| p.functions.get(id)).find(|f| p.text(f.name) == "fib").unwrap();
    assert_eq!((p.text(fib.file), fib.line), ("src/main.rs", 3));
    assert_eq!((p.instants.len(), p.meta.tool.as_str()), (3, "tracing-chrome"));
}

/// Self and total µs per frame of a sampled track.
fn weights(p: &Profile) -> BTreeMap<&str, (i64, i64)> {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    let samples = &p.tracks[0].samples;
    for i in 0..samples.len() {
        let (start, end) = samples.interval(i).unwrap();
        let Some(stack) = samples.stacks[i] else { continue };
        let stack = p.stack_functions(stack);
        for f in &stack {
            sums.entry(p.function_name(*f)).or_default().1 += (end - start) / 1000;
        }
        sums.entry(p.function_name(*stack.last().unwrap())).or_default().0 += (end - start) / 1000;
    }
    sums
}

#[test]
fn hermes_samples_weigh_as_in_speedscope() {
    let p = profile(sample("speedscope-hermes-samples.json"));
    let got: Vec<_> = weights(&p).into_iter().map(|(name, w)| (name.split('(').next().unwrap(), w)).collect();
    let expected = [
        ("[GC Young Gen]", (10_000, 10_000)),
        ("[root]", (30_779, 64_710)),
        ("function1", (13_326, 13_326)),
        ("function2", (0, 10_605)),
        ("function3", (10_605, 10_605)),
    ];
    assert_eq!(got, expected);
    assert_eq!((labels(&p), &p.meta.basis), (vec!["mqt_js".to_owned()], &Basis::Sampled));
}

#[test]
fn a_cpu_profile_in_chunks() {
    let p = profile(sample("chrome141-cpu-profile.json"));
    assert_eq!(labels(&p), ["CrRendererMain"]);
    assert_eq!(p.tracks[0].samples.len(), 421);
    assert_eq!(warnings(&p), [("sample whose stack is missing (shown without stack)", 5)]);
    let lines = [
        r#"P Profile 100 "id":1,"args":{"data":{"startTime":100}}"#,
        concat!(
            r#"P ProfileChunk 300 "id":1,"tid":9,"args":{"data":{"cpuProfile":{"nodes":[{"id":1,"callFrame":"#,
            r#"{"functionName":"(root)"}},{"id":2,"parent":1,"callFrame":{"functionName":"f","url":"a.js","#,
            r#""lineNumber":4}}],"samples":[2,2]},"timeDeltas":[10,20]}}"#
        ),
        concat!(
            r#"P ProfileChunk 400 "id":1,"tid":9,"args":{"data":{"cpuProfile":{"nodes":[{"id":3,"parent":2,"#,
            r#""callFrame":{"functionName":""}}],"samples":[3,1]},"timeDeltas":[5,5],"endTime":160}}"#
        ),
    ];
    let p = profile(trace(&lines));
    let s = &p.tracks[0].samples;
    let got: Vec<_> = (0..s.len())
        .map(|i| {
            let stack = s.stacks[i].map(|s| p.stack_functions(s)).unwrap_or_default();
            let names: Vec<_> = stack.iter().map(|f| p.function_name(*f)).collect();
            (names.join(";"), s.interval(i).unwrap())
        })
        .collect();
    let expected = [
        ("f", (0, 20_000)),
        ("f", (20_000, 25_000)),
        ("f;(anonymous)", (25_000, 30_000)),
        ("", (30_000, 50_000)),
    ];
    assert_eq!(got[..4], expected.map(|(name, at)| (name.to_owned(), at)));
    let f = p.functions.get(p.functions.ids().next().unwrap());
    assert_eq!((p.text(f.file), f.line), ("a.js", 5));
}

#[test]
fn small_files_by_hand() {
    let p = profile(sample("speedscope-cut-off.json"));
    assert_eq!(spans(&p), ["alpha 0-14", "beta 1-13 in alpha", "gamma 2-7 in beta", "epsilon 7-11 in beta"]);
    assert_eq!(p.warnings, []);
    let p = profile(sample("speedscope-multiprocess.json"));
    let expected = [
        "p0 › p0t0",
        "p0 › p0t1",
        "p1 › p1t0",
        "p1 › p1t1",
        "p3 › tid 0",
        "p3 › tid 1",
        "pid 2 › p2t0",
        "pid 2 › p2t1",
    ];
    assert_eq!(labels(&p), expected);
    let p = profile(sample("speedscope-x-events.json"));
    assert_eq!([sum(&p, "alpha"), sum(&p, "beta"), sum(&p, "gamma")], [(1, 20_000), (4, 6_000), (4, 6_000)]);
    let p = profile(sample("catapult-flows.json"));
    let links: Vec<_> = p.links.iter().map(|l| (l.from.1 / 1000, l.to.1 / 1000)).collect();
    assert_eq!(links, [(1, 1001), (3002, 3220), (3220, 3331)]);
    let p = profile(sample("perfetto-flows.json"));
    assert_eq!(p.links.len(), 7);
    let p = profile(sample("catapult-counters.json"));
    let counters: Vec<_> = p.counters.iter().map(|c| (p.text(c.name), c.values.len())).collect();
    assert_eq!(counters, [("counter [123]", 6), ("counter [b]", 2)]);
    let p = profile(sample("catapult-legacy-async.json"));
    assert_eq!((p.span_count(), p.instants.len()), (15, 7));
    let p = profile(sample("catapult-nestable-async.json"));
    assert_eq!((sum(&p, "REQUEST_BAR"), sum(&p, "URL_REQUEST_INNER")), ((1, 90_000), (2, 20_000)));
}
