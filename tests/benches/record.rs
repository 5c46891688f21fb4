//! What recording costs: nanoseconds for a span, an operation and an allocation, and what it adds to the time of a token. CPU time of
//! the thread throughout, so that a busy machine disturbs little.
//!
//! `INFERSCOPE_BENCH_MODEL=FILE.gguf cargo bench --bench record` measures decoding of that model, too.
//!
//! Its rows in `assets/guide/speed.md`:
//!
//! - a recorded span
//! - `scope!` while nothing records
//! - a plain `tracing` span while nothing records
//! - counting an allocation and its free
//! - what recording every operation adds to the CPU time of decoding
//! - the same for the bundled model, whose token takes 0.18 ms

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inferscope::record::llm::{Detail, DeviceChoice, Generator, LoadOptions, Model, Sampling};
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

#[global_allocator]
static ALLOCATOR: record::CountingAllocator = record::CountingAllocator;

/// An allocation and its free, with and without counting, among few blocks and among a million.
fn allocations(c: &mut Criterion) {
    record::install();
    let mut group = c.benchmark_group("allocation and free");
    group.sample_size(20).measurement_time(Duration::from_secs(1));
    let pair = || drop(black_box(Box::new([0u8; 48])));
    group.bench_function("not recorded", |b| b.iter_custom(|n| timed(n, pair)));
    group.bench_function("recorded", |b| b.iter_custom(|n| recorded(n, pair)));
    let mut blocks: Vec<Box<[u8; 48]>> = (0..1_000_000).map(|_| Box::new([0u8; 48])).collect();
    let mut seed = 1u64;
    let mut replace = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let i = (seed >> 33) as usize % blocks.len();
        blocks[i] = black_box(Box::new([0u8; 48]));
    };
    group.bench_function("among a million, not recorded", |b| b.iter_custom(|n| timed(n, &mut replace)));
    group.bench_function("among a million, recorded", |b| b.iter_custom(|n| recorded(n, &mut replace)));
    group.finish();
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
    group.bench_function("scope! off", |b| {
        b.iter_custom(|n| {
            timed(n, || {
                let _scope = inferscope::scope!("off", n = black_box(1));
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

/// One answer, always the same. Gives its tokens, the CPU time of the thread, and that of the process.
fn answer(generator: &mut Generator) -> (usize, Duration, Duration) {
    let sampling =
        Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 1, stream: 0, max_new_tokens: 60 };
    let request = record::request("bench", "model", "");
    let (thread, process) = (cpu(), process_cpu());
    let answer = generator.answer("Tell me everything about batching.", sampling, &request, &|| Ok(()));
    let took = (cpu().saturating_sub(thread), process_cpu().saturating_sub(process));
    (answer.map_or(0, |a| a.tokens.len()), took.0, took.1)
}

fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn generator(path: Option<&Path>, detail: Detail) -> Option<Generator> {
    let options = LoadOptions { device: DeviceChoice::Cpu, detail };
    Generator::new(Arc::new(Model::load(path, options, &|| Ok(())).ok()?)).ok()
}

/// Some answers: µs a token of the best one, and what other threads took beside them, as a share.
fn best(generator: &mut Generator, answers: usize) -> (f64, f64) {
    answer(generator);
    let (mut best, mut thread, mut process) = (f64::MAX, 0.0, 0.0);
    for _ in 0..answers {
        let (tokens, own, all) = answer(generator);
        best = best.min(own.as_secs_f64() * 1e6 / tokens.max(1) as f64);
        thread += own.as_secs_f64();
        process += all.as_secs_f64();
    }
    (best, process / thread - 1.0)
}

/// The value below which a share of all lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

/// What recording takes of the time of an answer. Answers with and without take turns, because a shared machine
/// changes its speed from second to second, and by the same generator, because weights at another place in memory are
/// not read equally fast. Of each side of a pair the best answer counts, of the pairs' ratios the median.
fn decode(_: &mut Criterion) {
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else { return };
    let own = std::env::var_os("INFERSCOPE_BENCH_MODEL");
    let own = own.as_deref().map(Path::new);
    let models = [("bundled model", None, 12, 40), ("INFERSCOPE_BENCH_MODEL", own, 2, 12)];
    for (name, path, answers, pairs) in models.into_iter().filter(|m| m.1.is_some() || m.2 > 2) {
        for (level, detail) in
            [("operations", Detail::Operations), ("layers", Detail::Layers), ("tokens", Detail::Tokens)]
        {
            let Some(mut generator) = generator(path, detail) else { return };
            let (mut micros, mut ratios, mut others) = ([f64::MAX; 2], Vec::new(), Vec::new());
            for _ in 0..pairs {
                let without = pool.install(|| best(&mut generator, answers));
                let recording = recording();
                let with = pool.install(|| best(&mut generator, answers));
                recording.cancel();
                let _ = recording.join();
                micros = [micros[0].min(without.0), micros[1].min(with.0)];
                ratios.push((with.0 / without.0 - 1.0) * 100.0);
                others.push(with.1 * 100.0);
            }
            println!(
                "{name}, spans of {level}: {:.1} µs a token, recorded {:.1} (best); recording adds {:+.1} % to the thread's \
                 CPU time (median of {pairs} pairs of the best of {answers} answers each; half of the pairs between \
                 {:+.1} and {:+.1} %), and {:.1} % in other threads",
                micros[0],
                micros[1],
                quantile(&mut ratios, 0.5),
                quantile(&mut ratios, 0.25),
                quantile(&mut ratios, 0.75),
                quantile(&mut others, 0.5)
            );
        }
    }
}

/// What a recording says about its own cost: enter and exit of a span and of a model's operation, and an allocation.
fn own_figures(_: &mut Criterion) {
    let told = (0..20).filter_map(|_| {
        let work = Work::new("bench", |_| {
            let model = Model::load(None, LoadOptions::default(), &|| Ok(()));
            let mut generator = Generator::new(Arc::new(model?))?;
            answer(&mut generator);
            Ok(())
        });
        let profile = record::record(work, Options::default(), Box::new(|_| ())).ok()?.join().ok()?;
        profile.meta.fact("Recorder cost").map(|value| inferscope::format::fact(value).into_owned())
    });
    // «43 ns per span …»: the least of the first number.
    let ns = |text: &String| text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX);
    if let Some(least) = told.min_by_key(ns) {
        println!("A recording says of itself (the best of 20): {least}");
    }
}

/// How soon workloads end that would go on for long: the median of 9.
fn endings(_: &mut Criterion) {
    let workloads: [(&str, &[&str]); 3] = [
        ("asyncio", &["scale=10", "users=5"]),
        ("generate", &["questions=10000", "workers=2"]),
        ("rag", &["questions=10000", "others=3"]),
    ];
    for (id, params) in workloads {
        let params: Vec<String> = params.iter().map(ToString::to_string).collect();
        for how in ["cancelled", "stopped"] {
            let took = (0..9).filter_map(|_| {
                let recording = record::start(id, &params, Options::default(), Box::new(|_| ())).ok()?;
                std::thread::sleep(Duration::from_millis(150));
                let begun = Instant::now();
                if how == "stopped" {
                    recording.stop()
                } else {
                    recording.cancel()
                }
                let _ = recording.join();
                Some(begun.elapsed())
            });
            let mut took: Vec<Duration> = took.collect();
            took.sort_unstable();
            println!("{id}: {how} within {:?}", took[took.len() / 2]);
        }
    }
}

criterion_group!(benches, allocations, spans, own_figures, endings, decode);
criterion_main!(benches);
