//! A service in front of a language model: many clients, caches, a queue, batches, workers.
//!
//! `mode=faithful` is the service as a well-known example prints it: 63 generations for 32 requests, an
//! answer that goes to the wrong caller, a queue that an error poisons; each is a finding. `mode=fixed` is
//! the same service without them. First come as many different requests as fill a batch, with caches that
//! are empty, then popular ones, then (`sweep`) a row of loads that no cache may answer.
//!
//! A prompt gets the same answer in both modes, whoever asks and whatever shares its batch.

mod cache;
mod client;
mod faithful;
mod fixed;
mod prompts;
mod results;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::generate::{ModelSettings, PARAMS as GENERATE};
use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::model::FactKind;
use crate::phase;
use crate::record::llm::{Detail, Generator, Model};
use cache::{Exact, Similarity};
use client::Front;
use prompts::Prompt;
use results::{Results, Slo};
use shared::{Ask, Config, Price, Service};

/// The service.
pub(super) struct ServiceWorkload;

const fn int(
    key: &'static str,
    label: &'static str,
    help: &'static str,
    default: &'static str,
    (min, max): (i64, i64),
) -> Param {
    Param { key, label, help, default, kind: ParamKind::Int { min, max } }
}

const fn float(
    key: &'static str,
    label: &'static str,
    help: &'static str,
    default: &'static str,
    (min, max): (f64, f64),
) -> Param {
    Param { key, label, help, default, kind: ParamKind::Float { min, max } }
}

static PARAMS: [Param; 26] = [
    Param {
        key: "mode",
        label: "Mode",
        help: "faithful: as tutorials show such a service, mistakes included. fixed: without them.",
        default: "fixed",
        kind: ParamKind::Choice(&["fixed", "faithful"]),
    },
    int(
        "clients",
        "Clients",
        "Clients that ask at the same time, each one request after another.",
        "16",
        (1, 256),
    ),
    int(
        "batch",
        "Batch size",
        "Most requests in a batch; also the number of different requests at the start.",
        "32",
        (1, 256),
    ),
    float(
        "max_wait",
        "Longest wait (ms)",
        "Milliseconds that a batch waits for more requests; fixed mode only.",
        "10",
        (0.0, 60_000.0),
    ),
    int("workers", "Workers", "Batches that are generated at the same time; fixed mode only.", "1", (1, 16)),
    int(
        "requests",
        "Popular requests",
        "Requests that follow, of which few are popular.",
        "64",
        (0, 100_000),
    ),
    float(
        "skew",
        "Skew",
        "How much more often the popular ones are asked: weight 1 / rank^skew.",
        "1",
        (0.0, 5.0),
    ),
    float("ttl", "Time to live (s)", "Seconds that the caches keep an answer.", "3600", (0.001, 1e9)),
    int(
        "entries",
        "Cache entries",
        "Most answers that each cache in memory keeps: one more takes the place of the one that was used longest ago \
         (semantic: the oldest). 0: any number.",
        "0",
        (0, 1_000_000),
    ),
    Param {
        key: "similarity",
        label: "Similarity",
        help: "How the semantic cache compares prompts: embedding, jaccard (shared words) or off; fixed mode only.",
        default: "embedding",
        kind: ParamKind::Choice(&["embedding", "jaccard", "off"]),
    },
    float(
        "threshold",
        "Threshold",
        "Similarity from which an answer is taken for another prompt.",
        "0.97",
        (0.0, 1.0),
    ),
    Param {
        key: "redis",
        label: "Redis",
        help: "Address of a Redis server for the exact cache, such as redis://localhost/; empty for memory.",
        default: "",
        kind: ParamKind::Text,
    },
    Param {
        key: "fault",
        label: "Fault",
        help: "Makes the prompt of one request too long for the model.",
        default: "false",
        kind: ParamKind::Bool,
    },
    Param {
        key: "sweep",
        label: "Load sweep",
        help: "Numbers of clients to measure one after another, such as 1,2,4,8; empty for none.",
        default: "",
        kind: ParamKind::Numbers { min: 1, max: 256 },
    },
    int("sweep_requests", "Requests per load", "Requests for each client at each load.", "4", (1, 1000)),
    float(
        "slo_ttft",
        "SLO for TTFT (ms)",
        "A request is good when its first token comes within so many milliseconds.",
        "200",
        (0.0, 1e9),
    ),
    float(
        "slo_tpot",
        "SLO for TPOT (ms)",
        "A request is good when each further token takes at most so many milliseconds.",
        "50",
        (0.0, 1e9),
    ),
    float(
        "price_prompt",
        "Price of prompts ($)",
        "Dollars for a million tokens of prompts, to say what hits of the caches save; 0 when it is not known.",
        "0",
        (0.0, 1e9),
    ),
    float(
        "price_answer",
        "Price of answers ($)",
        "Dollars for a million tokens of answers; 0 when it is not known.",
        "0",
        (0.0, 1e9),
    ),
    Param { default: "100", ..GENERATE[4] },
    GENERATE[5],
    GENERATE[6],
    GENERATE[7],
    GENERATE[8],
    GENERATE[9],
    GENERATE[3],
];

impl Workload for ServiceWorkload {
    fn id(&self) -> &'static str {
        "service"
    }

    fn title(&self) -> &'static str {
        "Service with caches, queue and batches"
    }

    fn about(&self) -> &'static str {
        "Many clients, an exact and a semantic cache, a queue, a batcher and workers in front of the model; as \
         tutorials show such a service, with its mistakes as findings, or without them. Shows hit rates, \
         waits, batch sizes, and throughput, TTFT and goodput under load."
    }

    fn usual_params(&self) -> &'static [&'static str] {
        &["mode", "clients", "requests", "sweep"]
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let (settings, of_model) = (params.read::<Settings>()?, params.read::<ModelSettings>()?);
        let model = of_model.load(Detail::default(), cx)?;
        let exact = Exact::open(&settings.redis, settings.entries)?;
        cx.fact(FactKind::Setting, "Answer cache", if exact.is_remote() { "Redis" } else { "in memory" });
        let service = Arc::new(Service::new(settings.config(&of_model, model.name()), exact));
        let load = Load { settings, seed: of_model.seed };
        if load.settings.mode == "faithful" {
            faithful(&load, cx, &service, &model)
        } else {
            fixed(&load, cx, &service, &model)
        }
    }
}

#[derive(serde::Deserialize)]
struct Settings {
    mode: String,
    clients: usize,
    batch: usize,
    /// ms.
    max_wait: f64,
    workers: usize,
    requests: usize,
    skew: f64,
    /// s.
    ttl: f64,
    entries: usize,
    similarity: String,
    threshold: f64,
    redis: String,
    fault: bool,
    sweep: Vec<usize>,
    sweep_requests: usize,
    slo_ttft: f64,
    slo_tpot: f64,
    price_prompt: f64,
    price_answer: f64,
    threads: usize,
}

impl Settings {
    fn config(&self, of_model: &ModelSettings, model: &str) -> Config {
        Config {
            batch: self.batch,
            max_wait: Duration::from_secs_f64(self.max_wait / 1000.0),
            ttl: Duration::from_secs_f64(self.ttl),
            entries: self.entries,
            similarity: Similarity::of(&self.similarity),
            threshold: self.threshold,
            sampling: of_model.sampling(0),
            model: model.to_owned(),
            price: Price::of_millions(self.price_prompt, self.price_answer),
        }
    }
}

/// What the clients ask.
struct Load {
    settings: Settings,
    seed: u64,
}

/// A pool of its own for a thread that computes: an operation that candle splits would otherwise travel
/// to another thread and back.
fn pool(name: &str, threads: usize) -> Result<rayon::ThreadPool, WorkloadError> {
    let own = name.to_owned();
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |_| own.clone())
        .build()
        .map_err(|e| WorkloadError::Failed(format!("no thread for the {name}: {e}")))
}

fn faithful(
    load: &Load,
    cx: &Context,
    service: &Arc<Service>,
    model: &Arc<Model>,
) -> Result<(), WorkloadError> {
    let pool = pool("event loop", load.settings.threads)?;
    let generator = Generator::new(model.clone())?;
    std::thread::scope(|scope| {
        let (calls, incoming) = channel();
        cx.fact(FactKind::Setting, "Limit of requests in flight", faithful::LIMIT);
        let server = scope.spawn(move || {
            pool.install(move || faithful::EventLoop::new(service, generator, cx).run(&incoming));
        });
        let places = Semaphore::new(faithful::LIMIT);
        let front = faithful::Front { places, event_loop: calls };
        let result = drive(load, cx, service, |_| Front::Faithful(Arc::new(front)));
        // The end of the last sender ended it; what it found is in time only when it has said it.
        server.join().map_err(|_| WorkloadError::Failed("the event loop ended unexpectedly".into()))?;
        result
    })
}

fn fixed(load: &Load, cx: &Context, service: &Arc<Service>, model: &Arc<Model>) -> Result<(), WorkloadError> {
    let Settings { workers, threads, .. } = load.settings;
    std::thread::scope(|scope| {
        let (batches, incoming) = channel();
        let incoming = Arc::new(Mutex::new(incoming));
        for worker in 1..=workers {
            let (pool, generator) =
                (pool(&format!("worker {worker}"), threads)?, Generator::new(model.clone())?);
            let incoming = incoming.clone();
            scope.spawn(move || pool.install(move || fixed::work(generator, &incoming, service, cx)));
        }
        let (embedder, texts) = channel();
        let (pool, generator) = (pool("embedder", 1)?, Generator::new(model.clone())?);
        scope.spawn(move || pool.install(move || fixed::embed(generator, &texts, cx)));
        let result = drive(load, cx, service, |runtime| {
            let (queue, calls) = mpsc::unbounded_channel();
            let free = Arc::new(Semaphore::new(workers));
            runtime.spawn(fixed::form_batches(service.clone(), calls, free, batches));
            Front::Fixed(Arc::new(fixed::Front { queue, embedder }))
        });
        if result.is_ok() {
            fixed::conclude(service);
        }
        result
    })
}

/// Runs the clients on an event loop of their own, until all is asked or somebody says stop.
fn drive(
    load: &Load,
    cx: &Context,
    service: &Arc<Service>,
    front: impl FnOnce(&tokio::runtime::Runtime) -> Front,
) -> Result<(), WorkloadError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("clients")
        .enable_time()
        .build()
        .map_err(|e| WorkloadError::Failed(format!("tokio does not start: {e}")))?;
    let front = front(&runtime);
    let slo = Slo { ttft_ms: load.settings.slo_ttft, tpot_ms: load.settings.slo_tpot };
    let mut results = Results::new(slo);
    let result = runtime.block_on(async {
        let watch = async {
            while cx.check().is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            done = all_loads(load, cx, service, &front, &mut results) => done,
            () = watch => Err(WorkloadError::Stopped),
        }
    });
    // A stopped run leaves clients that wait; a call to a cache server may take a moment to end.
    drop(front);
    runtime.shutdown_timeout(Duration::from_millis(50));
    results.report(service, cx, result.is_ok());
    result
}

/// More words than any model here takes.
const TOO_LONG: usize = 5000;
/// Which of the different requests the fault strikes.
const FAULTY: usize = 5;

async fn all_loads(
    load: &Load,
    cx: &Context,
    service: &Arc<Service>,
    front: &Front,
    results: &mut Results,
) -> Result<(), WorkloadError> {
    let Load { settings, seed } = load;
    let &Settings { clients, batch: first, requests: popular, ref sweep, .. } = settings;
    let steps = 2 + sweep.len() as u64;
    let mut id = 0;
    let mut numbered = |prompts: Vec<Prompt>, cached: bool| -> Vec<Ask> {
        let ask = |prompt| {
            id += 1;
            Ask { id, prompt, cached }
        };
        prompts.into_iter().map(ask).collect()
    };
    cx.advance(0, steps)?;
    cx.stage(&format!("{first} different requests"));
    let mut prompts = prompts::different(first);
    if settings.fault
        && let Some(prompt) = prompts.get_mut(FAULTY - 1)
    {
        prompt.text = "word ".repeat(TOO_LONG);
    }
    let phase = phase!("different requests", requests = first, clients);
    results.begin(service);
    let measured = client::ask_all(service, front, numbered(prompts, true), clients).await;
    drop(phase);
    results.end("different requests", service, measured, cx);
    cx.advance(1, steps)?;
    if popular > 0 {
        cx.stage(&format!("{popular} requests of which few are popular"));
        let mix = prompts::popular(popular, settings.skew, *seed);
        let phase = phase!("popular requests", requests = popular, clients);
        results.begin(service);
        let measured = client::ask_all(service, front, numbered(mix, true), clients).await;
        drop(phase);
        results.end("popular requests", service, measured, cx);
    }
    for (i, &load) in sweep.iter().enumerate() {
        cx.advance(2 + i as u64, steps)?;
        cx.stage(&format!("Load of {load} clients"));
        let count = load * settings.sweep_requests;
        let phase = phase!("load level", clients = load, requests = count);
        crate::record::count("Load (clients)", crate::model::Unit::Count, load as f64);
        results.begin(service);
        let asks = numbered(prompts::different(count), false);
        let measured = client::ask_all(service, front, asks, load).await;
        drop(phase);
        results.load(load, &measured, cx);
    }
    cx.advance(steps, steps)
}
