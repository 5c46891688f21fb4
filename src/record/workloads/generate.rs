//! Real text generation: several users ask a small model about profiling.
//!
//! First each question waits for the answer to the one before, then many arrive at once and queue for
//! a few workers. The same work, so the difference between the two halves is queueing.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tracing::{Span, info_span};

use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::model::FactKind;
use crate::phase;
use crate::record::llm::{
    Detail, DeviceChoice, Generator, LlmError, LoadOptions, Model, Sampling, WeightFormat, matmul_threads,
};
use crate::record::{RequestHandle, request, request_span};

/// The generation.
pub(super) struct Generate;

pub(super) const PARAMS: [Param; 13] = [
    Param {
        key: "questions",
        label: "Questions",
        help: "Questions that are asked one after another.",
        default: "24",
        kind: ParamKind::Int { min: 0, max: 10_000 },
    },
    Param {
        key: "concurrency",
        label: "Questions at once",
        help: "Questions that then arrive at the same moment and queue for the workers.",
        default: "24",
        kind: ParamKind::Int { min: 0, max: 10_000 },
    },
    Param {
        key: "workers",
        label: "Workers",
        help: "Answers that are generated at the same time.",
        default: "2",
        kind: ParamKind::Int { min: 1, max: 64 },
    },
    Param {
        key: "threads",
        label: "Threads per worker",
        help: "Threads for the elementwise operations of one answer. Matrix products take CANDLE_NUM_THREADS, 1 unless set.",
        default: "1",
        kind: ParamKind::Int { min: 1, max: 256 },
    },
    Param {
        key: "max_new_tokens",
        label: "Max new tokens",
        help: "Longest answer, in tokens.",
        default: "80",
        kind: ParamKind::Int { min: 1, max: 4096 },
    },
    Param {
        key: "temperature",
        label: "Temperature",
        help: "0 always takes the most probable token.",
        default: "0.7",
        kind: ParamKind::Float { min: 0.0, max: 10.0 },
    },
    Param {
        key: "top_p",
        label: "Top p",
        help: "Samples only from the most probable tokens whose probabilities add up to this.",
        default: "0.95",
        kind: ParamKind::Float { min: 0.01, max: 1.0 },
    },
    Param {
        key: "seed",
        label: "Seed",
        help: "The same seed gives the same answers on the same machine.",
        default: "42",
        kind: ParamKind::Int { min: 0, max: i64::MAX },
    },
    Param {
        key: "model",
        label: "Model",
        help: "A GGUF file of the Llama family, or a folder with config.json, tokenizer.json and safetensors; empty for the bundled one.",
        default: "",
        kind: ParamKind::Model,
    },
    Param {
        key: "device",
        label: "Device",
        help: "cpu, cuda or cuda:N (an NVIDIA GPU; needs a build with the feature cuda), or auto: a GPU if there is one.",
        default: "auto",
        kind: ParamKind::Device,
    },
    Param {
        key: "detail",
        label: "Detail",
        help: "Spans of operations, only of layers, or only of tokens: one costs some 25 ns, and as much again where memory is counted; a pass has 20 a layer.",
        default: "operations",
        kind: ParamKind::Choice(&["operations", "layers", "tokens"]),
    },
    Param {
        key: "prompt",
        label: "Question",
        help: "A question of your own, asked again and again; empty for a built-in set.",
        default: "",
        kind: ParamKind::Prompt,
    },
    Param {
        key: "variants",
        label: "Weight formats",
        help: "Compares the model in these formats, such as f32,f16,q8_0,q4_0: size, speed, memory, answers. None: as it is.",
        default: "",
        kind: ParamKind::Choices(&WeightFormat::NAMES),
    },
];

/// Considered at each token; more would not change the text, only the time to sort.
const TOP_K: usize = 40;

/// The model that answers, and how it samples: in every workload that has one.
#[derive(serde::Deserialize)]
pub(super) struct ModelSettings {
    max_new_tokens: usize,
    temperature: f64,
    top_p: f64,
    pub(super) seed: u64,
    model: String,
    device: String,
}

impl ModelSettings {
    /// `None` for the bundled model.
    pub(super) fn path(&self) -> Option<&Path> {
        (!self.model.is_empty()).then(|| Path::new(&self.model))
    }

    /// How the answer number `i` is sampled.
    pub(super) fn sampling(&self, i: usize) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_k: TOP_K,
            top_p: self.top_p,
            seed: self.seed,
            stream: i as u64,
            max_new_tokens: self.max_new_tokens,
        }
    }

    pub(super) fn load_options(&self, detail: Detail) -> Result<LoadOptions, WorkloadError> {
        let device = DeviceChoice::parse(&self.device);
        let device = device.map_err(|why| WorkloadError::Failed(format!("device {why}")))?;
        Ok(LoadOptions { device, detail })
    }

    /// Loads the model, as a phase, and notes what it is.
    pub(super) fn load(&self, detail: Detail, cx: &Context) -> Result<Arc<Model>, WorkloadError> {
        cx.stage("Loading the model");
        let _loading = phase!("load");
        let model = Model::load(self.path(), self.load_options(detail)?, &|| Ok(cx.check()?))?;
        note(&model, cx);
        Ok(Arc::new(model))
    }
}

/// What is asked, and by how many at once.
#[derive(serde::Deserialize)]
pub(super) struct Settings {
    pub(super) questions: usize,
    concurrency: usize,
    workers: usize,
    pub(super) threads: usize,
    detail: String,
    prompt: String,
    variants: String,
}

impl Settings {
    /// The question number `i`.
    pub(super) fn question(&self, i: usize) -> &str {
        if self.prompt.is_empty() { QUESTIONS[i % QUESTIONS.len()] } else { &self.prompt }
    }

    pub(super) fn detail(&self) -> Detail {
        Detail::parse(&self.detail)
    }
}

fn note(model: &Model, cx: &Context) {
    cx.fact(FactKind::Input, "Model", model.name());
    cx.fact(
        FactKind::Input,
        "Weights",
        format!("{}, {:.1} MB", model.format(), model.weight_bytes() as f64 / 1e6),
    );
    cx.fact(FactKind::Input, "Tokenizer", model.tokenizer());
    for (name, size, unit) in model.sizes() {
        cx.fact(FactKind::Input, name, (size as i64, unit));
    }
    cx.fact(FactKind::Setting, "Computed on", model.device());
    if let Some(how) = model.device_tracing() {
        cx.fact(FactKind::Setting, "GPU work", how);
    }
    cx.fact(FactKind::Input, "Prompt", model.prompt_form());
}

/// What the bundled model answers well.
pub(super) const QUESTIONS: &[&str] = &[
    "Why is my app slow?",
    "What is a span?",
    "How does a language model work?",
    "What is the KV cache?",
    "How do I measure the time to first token?",
    "What should I optimise first?",
    "How can I make my chatbot answer faster?",
    "Why does the prefill matter?",
    "What is the difference between waiting and working?",
    "Tell me everything about batching.",
    "How do I compare two runs?",
    "Why is quantization important?",
    "What does self time mean?",
    "How do I speed up the decode?",
    "What happens inside a layer?",
    "Give me three tips for the cache.",
    "Should I use the CPU or the GPU?",
    "Explain a flame graph.",
    "My app is slow. Is it the queue?",
    "How can I remove unnecessary I/O?",
    "Why should I care about latency?",
    "How many tokens per second is good?",
    "Describe a retry and how to limit it.",
    "What is a baseline?",
];

impl Workload for Generate {
    fn id(&self) -> &'static str {
        "generate"
    }

    fn title(&self) -> &'static str {
        "Text generation"
    }

    fn about(&self) -> &'static str {
        "A language model answers questions in this process: one after another, then many at once through \
         a queue. Shows prefill and decode, every operation of every layer, tokens, time to first token, \
         queueing and the KV cache."
    }

    fn usual_params(&self) -> &'static [&'static str] {
        &["questions", "max_new_tokens", "model", "device"]
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn marks_requests(&self) -> bool {
        true
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let (settings, of_model) = (params.read::<Settings>()?, params.read::<ModelSettings>()?);
        let formats = WeightFormat::list(&settings.variants).map_err(WorkloadError::Failed)?;
        if !formats.is_empty() {
            return super::variants::run(&formats, &settings, &of_model, cx);
        }
        let model = of_model.load(settings.detail(), cx)?;
        cx.fact(FactKind::Setting, "Threads per matrix product", matmul_threads());
        let Settings { workers, threads, .. } = settings;
        let queue = Queue::default();
        let here = Span::current();
        std::thread::scope(|scope| {
            let (ready, started) = channel::<Result<(), WorkloadError>>();
            for worker in 1..=workers {
                let (model, queue, ready, here) = (model.clone(), &queue, ready.clone(), &here);
                scope.spawn(move || serve(worker, threads, model, here, queue, cx, &ready));
            }
            drop(ready);
            // Ends the workers whichever way this is left.
            let _closing = Closing(&queue);
            for problem in started.iter().take(workers) {
                problem?;
            }
            ask_all(&settings, &of_model, model.name(), &queue, cx)
        })
    }
}

/// Asks everything and waits for the answers.
fn ask_all(
    settings: &Settings,
    of_model: &ModelSettings,
    model: &str,
    queue: &Queue,
    cx: &Context,
) -> Result<(), WorkloadError> {
    let (sequential, concurrent) = (settings.questions, settings.concurrency);
    let total = (sequential + concurrent) as u64;
    let (done, answers) = channel();
    let asked_by = |caller: &Span, i: usize| {
        request_span(|| info_span!(target: "inferscope::llm", parent: caller, "question", number = i + 1))
    };
    // The request is one of its question's span: recorded with it or not.
    let job = |i: usize, asked: Span| {
        let question = settings.question(i).to_owned();
        let sampling = of_model.sampling(i);
        let request = asked.in_scope(|| request(&format!("#{} {question}", i + 1), model, &question));
        Job { question, sampling, request, asked, reply: Reply(Some(done.clone())) }
    };
    if sequential > 0 {
        let _phase = phase!("one after another", questions = sequential);
        let turns = info_span!(target: "inferscope::llm", "ask_in_turn", questions = sequential).entered();
        for i in 0..sequential {
            cx.advance(i as u64, total)?;
            cx.stage(&format!("Question {} of {total}, one after another", i + 1));
            let asked = asked_by(&turns, i);
            queue.push(job(i, asked.clone()));
            let _waiting = asked.entered();
            wait(&answers)?;
        }
    }
    if concurrent > 0 {
        let _phase = phase!("all at once", questions = concurrent);
        let asked = info_span!(target: "inferscope::llm", "ask_at_once", questions = concurrent).entered();
        for i in sequential..sequential + concurrent {
            queue.push(job(i, asked_by(&asked, i)));
        }
        for i in sequential..sequential + concurrent {
            cx.advance(i as u64, total)?;
            cx.stage(&format!("{concurrent} questions at once, {} answered", i - sequential));
            wait(&answers)?;
        }
    }
    cx.advance(total, total)
}

/// The next answer, or why there is none.
fn wait(answers: &Receiver<Result<(), WorkloadError>>) -> Result<(), WorkloadError> {
    answers.recv().unwrap_or(Err(WorkloadError::Stopped))
}

/// A question on its way to a worker.
struct Job {
    question: String,
    sampling: Sampling,
    request: RequestHandle,
    /// The span that waits for the answer.
    asked: Span,
    reply: Reply,
}

/// Tells the asker how it went, also when the worker panics.
struct Reply(Option<Sender<Result<(), WorkloadError>>>);

impl Reply {
    fn send(mut self, result: Result<(), WorkloadError>) {
        if let Some(asker) = self.0.take() {
            // An asker that was stopped no longer listens.
            let _ = asker.send(result);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(asker) = self.0.take() {
            let _ = asker.send(Err(WorkloadError::Failed("a worker ended unexpectedly".into())));
        }
    }
}

/// Requests in order of arrival.
#[derive(Default)]
struct Queue {
    jobs: Mutex<(VecDeque<Job>, bool)>,
    changed: Condvar,
}

impl Queue {
    fn push(&self, job: Job) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).0.push_back(job);
        self.changed.notify_one();
    }

    /// Waits for a job; `None` once the queue is closed.
    fn pop(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if jobs.1 {
                return None;
            }
            match jobs.0.pop_front() {
                Some(job) => return Some(job),
                None => jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Throws away what waits, and ends the workers.
    fn close(&self) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.1 = true;
        let waiting = std::mem::take(&mut jobs.0);
        drop(jobs);
        drop(waiting);
        self.changed.notify_all();
    }
}

struct Closing<'a>(&'a Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Serves the queue until it is closed. The whole worker runs inside a pool of its own: an operation
/// that candle splits would otherwise travel to another thread and back, which costs more than it does.
fn serve(
    worker: usize,
    threads: usize,
    model: Arc<Model>,
    caller: &Span,
    queue: &Queue,
    cx: &Context,
    ready: &Sender<Result<(), WorkloadError>>,
) {
    let name = move |i: usize| match i {
        0 => format!("worker {worker}"),
        i => format!("worker {worker}, thread {}", i + 1),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
    let start = || -> Result<_, WorkloadError> {
        let pool = pool.map_err(|e| WorkloadError::Failed(format!("no threads for worker {worker}: {e}")))?;
        let generator = pool.install(|| {
            let _starting =
                info_span!(target: "inferscope::llm", parent: caller, "start_worker", worker).entered();
            Generator::new(model)
        })?;
        Ok((pool, generator))
    };
    let (pool, mut generator) = match start() {
        Ok(started) => started,
        Err(error) => {
            // Nobody listens only when another worker has failed already.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    pool.install(|| {
        while let Some(Job { question, sampling, request, asked, reply }) = queue.pop() {
            let serving = info_span!(target: "inferscope::llm", parent: &asked, "serve", worker).entered();
            request.scheduled();
            let go_on = || -> Result<(), LlmError> { Ok(cx.check()?) };
            let result = match generator.answer(&question, sampling, &request, &go_on) {
                Ok(answer) => {
                    request.finish(&answer.text, answer.kv_cache_bytes);
                    Ok(())
                }
                Err(LlmError::Stopped) => Err(WorkloadError::Stopped),
                Err(error) => {
                    request.fail(&error.to_string());
                    Err(error.into())
                }
            };
            drop((serving, asked));
            reply.send(result);
        }
    });
}
