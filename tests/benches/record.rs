//! What recording costs: nanoseconds for a span, and tokens per second with and without. CPU time of the thread throughout, so that a busy machine disturbs little.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inferscope::record::llm::{DeviceChoice, Generator, Model, Sampling};
use inferscope::record::{self, Options, Recording, Work, WorkloadError};

/// CPU time of the calling thread.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of `n` rounds.
fn timed(n: u64, mut round: impl FnMut()) -> Duration {
    let start = cpu();
    for _ in 0..n {
        round();
    }
    cpu().saturating_sub(start)
}

/// A recording that runs until it is dropped.
fn recording() -> Recording {
    let work = Work::new("bench", |cx| {
        while cx.check().is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(WorkloadError::Stopped)
    });
    let options = Options { revision_every: Duration::from_secs(3600), ..Options::default() };
    let Ok(recording) = record::record(work, options, Box::new(|_| ())) else { std::process::exit(1) };
    while recording.status().elapsed == Duration::ZERO {
        std::thread::sleep(Duration::from_millis(1));
    }
    recording
}

/// CPU time of `n` rounds while a recording runs.
fn recorded(n: u64, round: impl FnMut()) -> Duration {
    let recording = recording();
    let took = timed(n, round);
    recording.cancel();
    let _ = recording.join();
    took
}

fn spans(c: &mut Criterion) {
    record::install();
    let mut group = c.benchmark_group("span");
    group.throughput(Throughput::Elements(1));
    group.sample_size(20).measurement_time(Duration::from_secs(1));
    group.bench_function("off", |b| {
        b.iter_custom(|n| {
            timed(n, || {
                let _span =
                    tracing::trace_span!(target: "inferscope::bench", "off", n = black_box(1)).entered();
            })
        });
    });
    group.bench_function("enter and exit", |b| {
        b.iter_custom(|n| {
            let mut span = None;
            recorded(n, || {
                let span = span.get_or_insert_with(
                    || tracing::trace_span!(target: "inferscope::bench", parent: None, "op"),
                );
                let _inside = span.enter();
            })
        });
    });
    group.bench_function("create, enter, exit, close", |b| {
        b.iter_custom(|n| {
            recorded(n, || {
                let _span =
                    tracing::trace_span!(target: "inferscope::bench", "new", n = black_box(1)).entered();
            })
        });
    });
    group.finish();
}

/// One answer of the bundled model, always the same. Returns its tokens and the CPU time.
fn answer(generator: &mut Generator) -> (usize, Duration) {
    let sampling =
        Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 1, stream: 0, max_new_tokens: 60 };
    let request = record::request("bench", "tiny", "");
    let start = cpu();
    let answer = generator.answer("Tell me everything about batching.", sampling, &request, &|| Ok(()));
    let took = cpu().saturating_sub(start);
    (answer.map_or(0, |a| a.tokens.len()), took)
}

fn generator() -> Option<Generator> {
    let path = std::env::var_os("INFERSCOPE_BENCH_MODEL");
    let model = Model::load(path.as_deref().map(std::path::Path::new), DeviceChoice::Cpu, &|| Ok(())).ok()?;
    Generator::new(Arc::new(model)).ok()
}

fn decode(c: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let (Ok(pool), Some(mut off)) = (pool, generator()) else { return };
    let tokens = pool.install(|| answer(&mut off)).0;
    let mut group = c.benchmark_group("answer of the bundled model");
    group.throughput(Throughput::Elements(tokens as u64));
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    let time = |generator: &mut Generator, n: u64| {
        pool.install(|| (0..n).map(|_| answer(generator).1).sum::<Duration>())
    };
    group.bench_function("not recorded", |b| b.iter_custom(|n| time(&mut off, n)));
    group.bench_function("recorded", |b| {
        b.iter_custom(|n| {
            let recording = recording();
            let took = generator().map_or(Duration::ZERO, |mut on| time(&mut on, n));
            recording.cancel();
            let _ = recording.join();
            took
        });
    });
    group.finish();
}

criterion_group!(benches, spans, decode);
criterion_main!(benches);
