//! Questions with retrieval: preprocess, look up passages, wait for the model, stream its answer, check
//! it, store it.
//!
//! All parts are real: documents and embeddings are rows of an SQLite database, embeddings come from the
//! model itself (the mean of its last hidden states), the queue is that of a worker which other clients
//! keep busy, and the answer arrives token by token and then as a JSON body that is parsed and checked.
//! `mode=mock` sleeps the times of the well-known example instead.

mod documents;
mod latency;
mod mock;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::{Span, info, info_span, warn};

use super::asyncio::SCALE;
use super::generate::{ModelSettings, PARAMS as GENERATE, QUESTIONS};
use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::phase;
use crate::record::llm::{Asked, Detail, Generator, LlmError, Sampling, Step};
use crate::record::{RequestHandle, request, request_span, secrets};
use documents::DOCUMENTS;
use latency::{Latency, Stage};
use store::{Passage, Store};

/// The pipeline.
pub(super) struct Rag;

static PARAMS: [Param; 11] = [
    Param {
        key: "mode",
        label: "Mode",
        help: "real: database, embeddings and model. mock: sleeps of 10, 50, 20, 150, 20 × 10 and 10 ms, to compare clocks.",
        default: "real",
        kind: ParamKind::Choice(&["real", "mock"]),
    },
    Param {
        key: "questions",
        label: "Questions",
        help: "Questions that are asked one after another.",
        default: "8",
        kind: ParamKind::Int { min: 1, max: 10_000 },
    },
    Param {
        key: "passages",
        label: "Passages",
        help: "Documents that are put before the question.",
        default: "2",
        kind: ParamKind::Int { min: 0, max: 10 },
    },
    Param {
        key: "others",
        label: "Other clients",
        help: "Clients that keep the model busy, so that there is a queue to wait in.",
        default: "1",
        kind: ParamKind::Int { min: 0, max: 64 },
    },
    GENERATE[4],
    GENERATE[5],
    GENERATE[6],
    GENERATE[7],
    GENERATE[8],
    GENERATE[9],
    Param { help: "Factor for the sleeps of the mock: with 1 a question takes 440 ms.", ..SCALE },
];

impl Workload for Rag {
    fn id(&self) -> &'static str {
        "rag"
    }

    fn title(&self) -> &'static str {
        "Questions with retrieval (RAG)"
    }

    fn about(&self) -> &'static str {
        "Preprocess, embed and search documents in SQLite, wait for the model, stream the answer, check its \
         JSON, store it. Shows each stage as a phase, what none of them covers, and which is the bottleneck."
    }

    fn usual_params(&self) -> &'static [&'static str] {
        &["mode", "questions", "model"]
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn marks_requests(&self) -> bool {
        true
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let settings: Settings = params.read()?;
        if settings.mode == "mock" {
            cx.stage("Sleeping fixed times");
            let mut latency = Latency::new();
            let result = mock::run(settings.questions, settings.scale, &mut latency, cx);
            latency.report(cx);
            return result;
        }
        let of_model: ModelSettings = params.read()?;
        let model = of_model.load(Detail::default(), cx)?;
        let mut client = Client {
            store: Store::open()?,
            generator: Generator::new(model.clone())?,
            center: Vec::new(),
            passages: settings.passages,
            cx,
        };
        let pools = [pool("client")?, pool("llm worker")?];
        let sampling = of_model.sampling(0);
        let [client_pool, worker_pool] = pools;
        std::thread::scope(|scope| {
            let (queue, jobs) = channel();
            let worker = Generator::new(model.clone())?;
            scope.spawn(move || worker_pool.install(move || serve(worker, &jobs, cx)));
            let finished = Finished::default();
            client_pool.install(|| client.index())?;
            for other in 0..settings.others {
                let (queue, model, finished) = (queue.clone(), model.clone(), finished.0.clone());
                scope.spawn(move || keep_busy(other, &queue, model.name(), sampling, &finished));
            }
            let mut latency = Latency::new();
            let ask = || client.ask_all(settings.questions, &queue, model.name(), sampling, &mut latency);
            let result = client_pool.install(ask);
            latency.report(cx);
            result
        })
    }
}

#[derive(serde::Deserialize)]
struct Settings {
    mode: String,
    questions: usize,
    passages: usize,
    others: usize,
    scale: f64,
}

/// Tells the other clients to end, however the run ends.
#[derive(Default)]
struct Finished(Arc<AtomicBool>);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A thread of its own inside a pool of its own: an operation that candle splits would otherwise travel
/// to another thread and back.
fn pool(name: &'static str) -> Result<rayon::ThreadPool, WorkloadError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(move |_| name.to_owned())
        .build()
        .map_err(|e| WorkloadError::Failed(format!("no thread for the {name}: {e}")))
}

/// A prompt on its way to the model.
struct Job {
    prompt: String,
    sampling: Sampling,
    request: RequestHandle,
    /// The span of whoever asked; none for clients of whom only the load is of interest.
    asked: Span,
    reply: Sender<Event>,
}

/// What the model's side sends back.
enum Event {
    Started,
    Token,
    /// The body of the response, JSON.
    Body(String),
    Failed(LlmError),
}

/// Serves prompts in order of arrival until nobody can send any more.
fn serve(mut generator: Generator, jobs: &Receiver<Job>, cx: &Context) {
    while let Ok(Job { prompt, sampling, request, asked: by, reply }) = jobs.recv() {
        let serving = info_span!(target: "inferscope::rag", parent: &by, "serve").entered();
        request.scheduled();
        // A client that was stopped no longer listens.
        let _ = reply.send(Event::Started);
        let mut answer = Err(LlmError::Stopped);
        let mut on_step = |step: Step<'_>| match step {
            Step::Token(_) => {
                let _ = reply.send(Event::Token);
            }
            Step::End(result) => answer = result,
        };
        let mut asked = [Asked { question: &prompt, sampling, request: &request, on_step: &mut on_step }];
        let ran = generator.answer_all(&mut asked, &|| Ok(cx.check()?));
        let event = match ran.and(answer) {
            Ok(answer) => {
                request.finish(&answer.text, answer.kv_cache_bytes);
                let reason = if answer.tokens.len() == sampling.max_new_tokens { "length" } else { "stop" };
                let message = json!({ "role": "assistant", "content": answer.text });
                let body = json!({
                    "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
                    "usage": { "prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.tokens.len() },
                });
                Event::Body(body.to_string())
            }
            Err(LlmError::Stopped) => Event::Failed(LlmError::Stopped),
            Err(error) => {
                request.fail(&error.to_string());
                Event::Failed(error)
            }
        };
        // Whoever asked ends with its answer.
        drop((serving, by));
        let _ = reply.send(event);
    }
}

/// A client of whom only the load is of interest: asks again as soon as it has its answer.
fn keep_busy(other: usize, queue: &Sender<Job>, model: &str, sampling: Sampling, finished: &AtomicBool) {
    for i in 0.. {
        if finished.load(Ordering::Relaxed) {
            return;
        }
        let question = QUESTIONS[(7 * other + 5 * i) % QUESTIONS.len()];
        // Streams of its own, so that its texts do not depend on how often it came round.
        let stream = ((other as u64 + 1) << 32) + i as u64;
        let (reply, events) = channel();
        let request = request(&format!("other client {} #{}", other + 1, i + 1), model, question);
        let job = Job {
            prompt: question.to_owned(),
            sampling: Sampling { stream, ..sampling },
            request,
            asked: Span::none(),
            reply,
        };
        if queue.send(job).is_err() {
            return;
        }
        for event in events {
            match event {
                Event::Failed(LlmError::Stopped) => return,
                Event::Failed(_) | Event::Body(_) => break,
                Event::Started | Event::Token => {}
            }
        }
    }
}

struct Client<'a> {
    store: Store,
    generator: Generator,
    /// Mean of the documents' embeddings. All texts share much of their direction; without it the rest
    /// tells them apart better.
    center: Vec<f32>,
    passages: usize,
    cx: &'a Context,
}

impl Client<'_> {
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, WorkloadError> {
        let cx = self.cx;
        Ok(self.generator.embed(text, &|| Ok(cx.check()?))?)
    }

    /// Embeds all documents and stores them.
    fn index(&mut self) -> Result<(), WorkloadError> {
        self.cx.stage("Indexing the documents");
        let _phase = phase!("index", documents = DOCUMENTS.len());
        let _index = info_span!(target: "inferscope::rag", "index", documents = DOCUMENTS.len()).entered();
        // A document is found by the question that it answers: that is closer in form to what people ask.
        let keys = DOCUMENTS.iter().map(|(title, _)| format!("What is {}?", title.to_lowercase()));
        let vectors: Vec<Vec<f32>> = keys.map(|k| self.embed(&k)).collect::<Result<_, _>>()?;
        let width = vectors.first().map_or(0, Vec::len);
        let mean = |i: usize| vectors.iter().map(|v| v[i]).sum::<f32>() / vectors.len() as f32;
        self.center = (0..width).map(mean).collect();
        for ((title, text), vector) in DOCUMENTS.iter().zip(vectors) {
            self.store.add(title, text, &centered(vector, &self.center))?;
        }
        Ok(())
    }

    fn ask_all(
        &mut self,
        questions: usize,
        queue: &Sender<Job>,
        model: &str,
        sampling: Sampling,
        latency: &mut Latency,
    ) -> Result<(), WorkloadError> {
        for i in 0..questions {
            self.cx.advance(i as u64, questions as u64)?;
            self.cx.stage(&format!("Question {} of {questions}", i + 1));
            let question = QUESTIONS[i % QUESTIONS.len()];
            let span = request_span(
                || info_span!(target: "inferscope::rag", "profile_request", question, error = Empty),
            );
            let _request = span.enter();
            let begin = Instant::now();
            let sampling = Sampling { stream: i as u64, ..sampling };
            match self.ask(i, question, queue, model, sampling, latency) {
                Err(WorkloadError::Failed(why)) => {
                    // One question that fails is no reason to end the run.
                    span.record("error", &why);
                    warn!(target: "inferscope::rag", "question {} failed: {why}", i + 1);
                }
                other => other?,
            }
            latency.answered(begin);
        }
        self.cx.advance(questions as u64, questions as u64)
    }

    fn ask(
        &mut self,
        i: usize,
        question: &str,
        queue: &Sender<Job>,
        model: &str,
        sampling: Sampling,
        latency: &mut Latency,
    ) -> Result<(), WorkloadError> {
        let query = latency.during(Stage::Preprocessing, || {
            let _span = info_span!(target: "inferscope::rag", "preprocessing").entered();
            question.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        let (prompt, sources) = latency.during(Stage::EmbeddingLookup, || self.look_up(&query))?;
        let (reply, events) = channel();
        // The question is only a part of the prompt, so it must be left out of the name here.
        let shown = if secrets::texts() { question } else { "" };
        let request = request(format!("#{} {shown}", i + 1).trim(), model, &prompt);
        let job = Job { prompt, sampling, request, asked: Span::current(), reply };
        let running = latency.enter(Stage::QueueWait);
        let waiting = info_span!(target: "inferscope::rag", "llm_queue_wait").entered();
        queue.send(job).map_err(|_| WorkloadError::Stopped)?;
        expect(&events)?;
        drop(waiting);
        latency.leave(running);
        let (body, chunks) = stream(&events, latency)?;
        let answer = latency.during(Stage::Postprocessing, || {
            let _span = info_span!(target: "inferscope::rag", "postprocessing", bytes = body.len()).entered();
            checked(&body, chunks)
        })?;
        latency.during(Stage::Store, || {
            let _span = info_span!(target: "inferscope::rag", "store").entered();
            self.store.save(question, &answer, &sources.to_string())
        })?;
        info!(target: "inferscope::rag", "Answered question {} with {chunks} tokens", i + 1);
        Ok(())
    }

    /// The prompt with the passages that are closest to the question, and their titles.
    fn look_up(&mut self, query: &str) -> Result<(String, Value), WorkloadError> {
        let span =
            info_span!(target: "inferscope::rag", "embedding_lookup", found = Empty, similarity = Empty);
        let _span = span.enter();
        let vector = centered(self.embed(query)?, &self.center);
        let passages = self.store.nearest(&vector, self.passages)?;
        let titles: Vec<&str> = passages.iter().map(|p| p.title.as_str()).collect();
        span.record("found", titles.join(", "));
        if let Some(Passage { similarity, .. }) = passages.first() {
            span.record("similarity", similarity);
        }
        let texts = passages.iter().map(|p| p.text.as_str());
        Ok((texts.chain([query]).collect::<Vec<_>>().join(" "), json!(titles)))
    }
}

/// The direction from `center` to `vector`, with length 1.
fn centered(mut vector: Vec<f32>, center: &[f32]) -> Vec<f32> {
    vector.iter_mut().zip(center).for_each(|(v, c)| *v -= c);
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v /= length);
    }
    vector
}

/// The next event that is not a failure.
fn expect(events: &Receiver<Event>) -> Result<Event, WorkloadError> {
    match events.recv() {
        Ok(Event::Failed(error)) => Err(error.into()),
        Ok(event) => Ok(event),
        Err(_) => Err(WorkloadError::Stopped),
    }
}

/// Receives the answer: the body and the number of chunks before it.
fn stream(events: &Receiver<Event>, latency: &mut Latency) -> Result<(String, usize), WorkloadError> {
    let running = latency.enter(Stage::FirstToken);
    let waiting = info_span!(target: "inferscope::rag", "time_to_first_token").entered();
    let mut event = expect(events)?;
    drop(waiting);
    latency.leave(running);
    let running = latency.enter(Stage::Generation);
    let _receiving = info_span!(target: "inferscope::rag", "token_generation").entered();
    let mut chunks = 0;
    loop {
        if let Event::Body(body) = event {
            latency.leave(running);
            return Ok((body, chunks));
        }
        chunks += 1;
        event = expect(events)?;
    }
}

/// The text of a response, after checking that it has the form that it should have.
fn checked(body: &str, chunks: usize) -> Result<String, WorkloadError> {
    let failed = |why: &str| WorkloadError::Failed(format!("the response {why}"));
    let body: Value = serde_json::from_str(body).map_err(|e| failed(&format!("is no JSON: {e}")))?;
    let choice = &body["choices"][0];
    let Some(text) = choice["message"]["content"].as_str().filter(|t| !t.trim().is_empty()) else {
        return Err(failed("has no text"));
    };
    if !choice["finish_reason"].is_string() {
        return Err(failed("does not say why it ended"));
    }
    if body["usage"]["completion_tokens"].as_u64() != Some(chunks as u64) {
        return Err(failed("counts other tokens than were received"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_finds_the_document_about_its_subject() {
        let cx = Context::default();
        let model = Arc::new(
            crate::record::llm::Model::load(None, crate::record::llm::LoadOptions::default(), &|| Ok(()))
                .unwrap(),
        );
        let generator = Generator::new(model).unwrap();
        let store = Store::open().unwrap();
        let mut client = Client { store, generator, center: Vec::new(), passages: 3, cx: &cx };
        client.index().unwrap();
        let mut found = 0;
        for (question, title) in [
            ("What is a span?", "Span"),
            ("What is the KV cache?", "KV cache"),
            ("How do I measure the time to first token?", "Time to first token"),
            ("Why does the prefill matter?", "Prefill"),
            ("Tell me everything about batching.", "Batching"),
            ("Why is quantization important?", "Quantization"),
            ("What does self time mean?", "Self time"),
            ("How do I speed up the decode?", "Decode"),
            ("Explain a flame graph.", "Flame graph"),
            ("How can I remove unnecessary I/O?", "Unnecessary I/O"),
        ] {
            let (prompt, titles) = client.look_up(question).unwrap();
            assert!(prompt.ends_with(question) && prompt.len() > 100);
            let hit = titles.as_array().unwrap().iter().any(|t| t == title);
            found += usize::from(hit);
        }
        assert!(found >= 8, "{found} of 10");
    }

    #[test]
    fn a_response_is_checked() {
        let body = |text: &str, tokens: u64| {
            json!({ "choices": [{ "message": { "content": text }, "finish_reason": "stop" }],
                "usage": { "completion_tokens": tokens } })
            .to_string()
        };
        assert_eq!(checked(&body("Yes.", 2), 2).unwrap(), "Yes.");
        for (body, why) in [
            ("{".to_owned(), "no JSON"),
            (body(" ", 2), "no text"),
            (body("Yes.", 3), "other tokens"),
            ("{\"choices\":[{\"message\":{\"content\":\"a\"}}]}".to_owned(), "why it ended"),
        ] {
            assert!(checked(&body, 2).unwrap_err().to_string().contains(why), "{body}");
        }
    }
}
