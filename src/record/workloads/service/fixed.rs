//! The service without the mistakes: caches in front, one queue, batches by size and waiting time, workers
//! that generate a batch together, and tokens that reach their own caller as they are made.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span, info, info_span};

use super::cache::{Found, Similarity};
use super::client::receive;
use super::shared::{Ask, Call, Event, Reply, Service, Tokens, Watch, quoted};
use crate::format;
use crate::model::{BATCHES_ARE_EMPTY, CacheOutcome, FALSE_HIT, Severity};
use crate::record::llm::{Asked, Generator, LlmError, Step};
use crate::record::{Context, RequestHandle, finding};

/// A text to embed, and who wants to know.
pub(super) type ToEmbed = (String, oneshot::Sender<Result<Vec<f32>, String>>);

/// The way in.
pub(super) struct Front {
    pub(super) queue: mpsc::UnboundedSender<Call>,
    pub(super) embedder: Sender<ToEmbed>,
}

/// Requests that are generated together.
pub(super) struct Batch {
    number: u64,
    calls: Vec<Call>,
    /// Of the worker: given back when it is free again.
    _worker: OwnedSemaphorePermit,
}

/// What [`key`] is made of.
const KEY_FIELDS: [&str; 6] = ["model", "prompt", "max_tokens", "temperature", "top_p", "seed"];

/// All that the answer depends on, written so that different requests never look alike.
fn key(service: &Service, ask: &Ask) -> String {
    let s = service.config.sampling;
    serde_json::json!({
        "model": service.config.model, "prompt": ask.prompt.text, "max_tokens": s.max_new_tokens,
        "temperature": s.temperature, "top_p": s.top_p, "seed": s.seed,
    })
    .to_string()
}

impl Front {
    pub(super) async fn call(
        &self,
        service: &Arc<Service>,
        ask: &Ask,
        request: &Arc<RequestHandle>,
        watch: &mut Watch,
    ) -> Result<Reply, String> {
        let mut vector = Vec::new();
        let began = std::time::Instant::now();
        if ask.cached {
            let mut found = exact(service, ask, request).await;
            if found.is_none() {
                found = self.similar(service, ask, request, &mut vector).await?;
            }
            request.lookup_time(began.elapsed());
            if let Some(reply) = found {
                return Ok(reply);
            }
            service.looked_up(CacheOutcome::Miss, request);
        }
        let (reply, mut events) = mpsc::unbounded_channel();
        let call = Call { ask: ask.clone(), request: request.clone(), span: Span::current(), reply };
        service.queued(1);
        self.queue.send(call).map_err(|_| "the service ended".to_owned())?;
        let wait = info_span!(target: "inferscope::service", "wait_in_queue");
        let answer = receive(&mut events, watch, wait).await?;
        if ask.cached {
            let prompt = request.known_prompt_tokens().unwrap_or(0);
            service.took(&answer.text, Tokens { prompt, output: answer.tokens as u64 });
            let began = std::time::Instant::now();
            store(service, ask, request, vector, &answer.text).await;
            request.store_time(began.elapsed());
        }
        Ok(Reply { cache: ask.cached.then_some(CacheOutcome::Miss), ..answer })
    }

    /// The answer to a prompt that is similar enough. Leaves the embedding in `vector`.
    async fn similar(
        &self,
        service: &Service,
        ask: &Ask,
        request: &RequestHandle,
        vector: &mut Vec<f32>,
    ) -> Result<Option<Reply>, String> {
        let how = service.config.similarity;
        if how == Similarity::Off {
            return Ok(None);
        }
        if how == Similarity::Embedding {
            let (to, from) = oneshot::channel();
            let span = info_span!(target: "inferscope::service", "embed");
            let text = ask.prompt.text.clone();
            self.embedder.send((text, to)).map_err(|_| "the service ended".to_owned())?;
            let embedded = from.instrument(span).await.map_err(|_| "the service ended".to_owned())?;
            *vector = embedded?;
        }
        let span = info_span!(target: "inferscope::service", "semantic_get", question = ask.prompt.text,
            prompt = Empty, similarity = Empty, verdict = Empty);
        let _search = span.enter();
        let Some(found) = service.semantic.closest(&ask.prompt, vector, how) else { return Ok(None) };
        let hit = found.similarity >= service.config.threshold;
        request.similarity(found.similarity);
        request.matched_prompt(&found.prompt.text);
        span.record("prompt", found.prompt.text.as_str());
        span.record("similarity", found.similarity);
        span.record("verdict", if hit { "semantic" } else { "miss" });
        if !hit {
            return Ok(None);
        }
        service.looked_up(CacheOutcome::Semantic, request);
        request.entry_age(found.age);
        if found.prompt.intent != ask.prompt.intent {
            service.note(|c| c.false_hits += 1);
            let text = format!(
                "{} was answered with the answer to {}: similarity {:.3}, threshold {}. They are different \
                 questions.",
                ask.quoted(),
                quoted(&found.prompt),
                found.similarity,
                service.config.threshold
            );
            finding(FALSE_HIT, Severity::Warning, &text, Some(request));
        }
        let cache = Some(CacheOutcome::Semantic);
        Ok(Some(Reply { text: found.text, tokens: 0, prompt_tokens: None, kv_cache_bytes: None, cache }))
    }
}

/// Talks to the cache: away from the event loop when it is a server.
async fn with_cache<T: Send + 'static>(
    service: &Arc<Service>,
    work: impl FnOnce(&Service) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    if !service.exact.is_remote() {
        return work(service);
    }
    let service = service.clone();
    let span = Span::current();
    let there = move || {
        let _inside = debug_span!(target: "inferscope::service", parent: &span, "redis").entered();
        work(&service)
    };
    tokio::task::spawn_blocking(there).await.map_err(|e| e.to_string())?
}

/// Notes on the current span what a look-up found.
pub(super) fn note(found: &Found) {
    let span = Span::current();
    span.record("hit", found.text.is_some());
    if let Some(left) = found.left {
        span.record("ttl_left_s", left.as_secs_f64());
    }
}

async fn exact(service: &Arc<Service>, ask: &Ask, request: &RequestHandle) -> Option<Reply> {
    let key = key(service, ask);
    request.cache_key(&key, &KEY_FIELDS);
    let span = info_span!(target: "inferscope::service", "cache_get", hit = Empty, ttl_left_s = Empty);
    let found = async {
        let found = with_cache(service, move |s| s.exact.get(&key)).await;
        if let Ok(found) = &found {
            note(found);
        }
        found
    };
    match found.instrument(span).await {
        Ok(found) => {
            let age = found.age(service.config.ttl);
            let text = found.text?;
            service.looked_up(CacheOutcome::Exact, request);
            age.into_iter().for_each(|age| request.entry_age(age));
            Some(Reply {
                text,
                tokens: 0,
                prompt_tokens: None,
                kv_cache_bytes: None,
                cache: Some(CacheOutcome::Exact),
            })
        }
        Err(why) => {
            service.cache_failed(&why, request);
            None
        }
    }
}

async fn store(service: &Arc<Service>, ask: &Ask, request: &RequestHandle, vector: Vec<f32>, text: &str) {
    let ttl = service.config.ttl;
    let span = info_span!(target: "inferscope::service", "cache_set", ttl_s = ttl.as_secs_f64());
    let (key, answer) = (key(service, ask), text.to_owned());
    let stored = with_cache(service, move |s| s.exact.set(&key, &answer, ttl)).instrument(span).await;
    if let Err(why) = stored {
        service.cache_failed(&why, request);
    }
    if service.config.similarity != Similarity::Off {
        service.semantic.add(&ask.prompt, vector, text, ttl);
    }
}

/// Forms batches: as many as fit, or as many as came within the longest wait since the first, and only
/// while a worker is free.
pub(super) async fn form_batches(
    service: Arc<Service>,
    mut queue: mpsc::UnboundedReceiver<Call>,
    workers: Arc<Semaphore>,
    batches: Sender<Batch>,
) {
    for number in 1.. {
        let Ok(worker) = workers.clone().acquire_owned().await else { return };
        let Some(first) = queue.recv().await else { return };
        let span =
            info_span!(target: "inferscope::service", parent: None, "form_batch", number, size = Empty);
        let calls = async {
            let deadline = Instant::now() + service.config.max_wait;
            let mut calls = vec![first];
            while calls.len() < service.config.batch {
                match timeout_at(deadline, queue.recv()).await {
                    Ok(Some(call)) => calls.push(call),
                    Ok(None) | Err(_) => break,
                }
            }
            Span::current().record("size", calls.len());
            calls
        };
        let calls = calls.instrument(span).await;
        service.queued(-(calls.len() as isize));
        if batches.send(Batch { number, calls, _worker: worker }).is_err() {
            return;
        }
    }
}

/// A worker: generates batch after batch.
pub(super) fn work(
    mut generator: Generator,
    batches: &Mutex<Receiver<Batch>>,
    service: &Service,
    cx: &Context,
) {
    loop {
        let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Batch { number, calls, _worker }) = next else { return };
        let span = info_span!(target: "inferscope::service", parent: None, "batch", number, size = calls.len(),
            error = Empty);
        let _batch = span.enter();
        for call in &calls {
            span.follows_from(&call.span);
            call.request.scheduled();
            call.request.batch(number);
            // A client that was stopped no longer listens.
            let _ = call.reply.send(Event::Started);
        }
        service.generating(calls.len());
        service.working(1);
        let begin = std::time::Instant::now();
        match generate(&mut generator, &calls, service, cx) {
            Ok(()) => {
                let ms = begin.elapsed().as_secs_f64() * 1000.0;
                info!(target: "inferscope::service", "Batch processed {} requests in {ms:.2}ms", calls.len());
            }
            Err(error) => {
                span.record("error", error.to_string());
                for call in &calls {
                    // One that has its answer no longer listens.
                    let _ = call.reply.send(Event::End(Err(error.to_string())));
                }
            }
        }
        service.working(-1);
    }
}

fn generate(
    generator: &mut Generator,
    calls: &[Call],
    service: &Service,
    cx: &Context,
) -> Result<(), LlmError> {
    let mut steps: Vec<_> = calls
        .iter()
        .map(|call| {
            move |step: Step<'_>| {
                let event = match step {
                    Step::Token(_) => Event::Token,
                    Step::End(Ok(answer)) => Event::End(Ok(Reply {
                        text: answer.text,
                        tokens: answer.tokens.len(),
                        prompt_tokens: None,
                        kv_cache_bytes: Some(answer.kv_cache_bytes),
                        cache: None,
                    })),
                    Step::End(Err(error)) => Event::End(Err(error.to_string())),
                };
                let _ = call.reply.send(event);
            }
        })
        .collect();
    let mut asked: Vec<Asked<'_>> = (calls.iter().zip(&mut steps))
        .map(|(call, on_step)| Asked {
            question: &call.ask.prompt.text,
            sampling: service.config.sampling(&call.ask.prompt.text),
            request: &call.request,
            on_step,
        })
        .collect();
    generator.answer_all(&mut asked, &|| Ok(cx.check()?))
}

/// The thread that makes embeddings.
pub(super) fn embed(mut generator: Generator, texts: &Receiver<ToEmbed>, cx: &Context) {
    while let Ok((text, reply)) = texts.recv() {
        let vector = generator.embed(&text, &|| Ok(cx.check()?)).map_err(|e| e.to_string());
        // A client that was stopped no longer listens.
        let _ = reply.send(vector);
    }
}

/// What is worth knowing about the whole run.
pub(super) fn conclude(service: &Service) {
    let counts = service.counts();
    if counts.batches > 0 {
        let fill = counts.batched as f64 / (counts.batches * service.config.batch) as f64;
        if fill < 0.5 {
            let text = format!(
                "{} batches were filled to {} on average ({} of {} places). More clients, or a smaller batch, or a \
                 longer wait would change that; latency pays for the last.",
                counts.batches,
                format::percent(fill),
                counts.batched,
                counts.batches * service.config.batch
            );
            finding(BATCHES_ARE_EMPTY, Severity::Info, &text, None);
        }
    }
}
