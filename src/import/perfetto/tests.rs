use crate::import::testing::{damage, open_bytes, totals};
use crate::model::{TrackKind, Unit};

/// Made with the messages of Perfetto's own Python package.
const SAMPLE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/perfetto/track-events.pftrace"));

#[test]
fn track_events_have_names_tracks_flows_and_annotations() {
    let p = open_bytes(SAMPLE).unwrap();
    assert_eq!((p.meta.format.as_str(), p.meta.tool.as_str()), ("perfetto", "Perfetto"));
    let sums = totals(&p);
    assert_eq!(sums["handle request"], (4_000_000, 10_000_000));
    assert_eq!((sums["prefill"], sums["decode"]), ((2_000_000, 2_000_000), (4_000_000, 4_000_000)));
    let main = p.tracks.iter().find(|t| p.text(t.name) == "main (12)").unwrap();
    assert_eq!((main.kind, p.text(main.process)), (TrackKind::Thread, "server 12"));
    let gpu = p.tracks.iter().find(|t| p.text(t.name) == "GPU queue").unwrap();
    assert_eq!((gpu.kind, p.text(gpu.process)), (TrackKind::Async, "server 12"));
    assert_eq!(p.function_name(gpu.spans.rows[0].function), "gemm");
    let prefill = main.spans.rows.iter().find(|s| p.function_name(s.function) == "prefill").unwrap();
    let args = p.inline_args(prefill.args);
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(args, [pair("tokens", "128"), pair("model", "llama")]);
    assert_eq!(p.links.len(), 1);
    assert_eq!((p.links[0].to.1 - p.links[0].from.1, p.text(p.instants[0].name)), (1_000_000, "first token"));
}

#[test]
fn counters_have_units_and_clocks_of_sequences_are_explained() {
    let p = open_bytes(SAMPLE).unwrap();
    let counter = |name: &str| p.counters.iter().find(|c| p.text(c.name) == name).unwrap();
    let cache = counter("KV cache");
    assert_eq!((cache.unit, &cache.values), (Unit::Bytes, &vec![1024.0 * 1024.0, 3.0 * 1024.0 * 1024.0]));
    // Stamps that count on from each other, in µs.
    assert_eq!(totals(&p)["worker step"], (750_000, 750_000));
    assert!(p.warnings.iter().any(|w| w.kind.contains("no snapshot explains") && w.count == 1));
    // The first event of the trace began at this time of day.
    assert_eq!(p.meta.origin_unix_ns.map(|ns| ns / 1_000_000_000), Some(1_770_112_800));
}

#[test]
fn samples_and_marks_of_the_kernel_are_shown() {
    let p = open_bytes(SAMPLE).unwrap();
    let samples = p.tracks.iter().find(|t| p.text(t.name).starts_with("samples of")).unwrap();
    let stack = p.stack_functions(samples.samples.stacks[0].unwrap());
    let names: Vec<&str> = stack.into_iter().map(|f| p.function_name(f)).collect();
    assert_eq!((names, samples.samples.len()), (vec!["main", "matmul"], 2));
    assert_eq!(totals(&p)["marked"].1, 500_000);
    damage(SAMPLE, drop);
}

#[test]
fn other_messages_are_no_packets() {
    for other in ["pprof/speedscope-simple.prof", "otlp/openai-v2.otlp.pb"] {
        let bytes = std::fs::read(format!("{}/sample_profiles/{other}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_ne!(open_bytes(&bytes).unwrap().meta.format, "perfetto", "{other}");
    }
}
