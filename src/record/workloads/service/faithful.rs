//! The service as the well-known example prints it, mistakes included.
//!
//! One event loop, which each call of the model and of the cache blocks. A request that does not fill the
//! batch is generated alone, but stays in the queue; the one that fills it generates all of them again and
//! gets the first answer of the batch, which is somebody else's. A batch that fails is never cleared. Keys
//! are Python's `hash()`, salted for each process. Nothing is streamed.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tracing::field::Empty;
use tracing::{Instrument, Span, error, info, info_span};

use super::cache::Found;
use super::client::receive;
use super::shared::{Ask, Call, Event, Reply, Service, Tokens, Watch};
use crate::format;
use crate::model::{CacheOutcome, Severity};
use crate::record::llm::{Asked, Generator, LlmError, Step};
use crate::record::{Context, RequestHandle, finding, request};

/// Requests that the example lets in at once: fewer than fill its batch.
pub(super) const LIMIT: usize = 10;

/// The way in: a place among those in flight, then the event loop.
pub(super) struct Front {
    pub(super) places: Semaphore,
    pub(super) event_loop: Sender<Call>,
}

impl Front {
    pub(super) async fn call(
        &self,
        service: &Service,
        ask: &Ask,
        request: &Arc<RequestHandle>,
        watch: &mut Watch,
    ) -> Result<Reply, String> {
        let wait = info_span!(target: "inferscope::service", "wait_for_place");
        let _place = self.places.acquire().instrument(wait).await.map_err(|e| e.to_string())?;
        let (reply, mut events) = mpsc::unbounded_channel();
        let call = Call { ask: ask.clone(), request: request.clone(), span: Span::current(), reply };
        service.queued(1);
        self.event_loop.send(call).map_err(|_| "the service ended".to_owned())?;
        let wait = info_span!(target: "inferscope::service", "wait_for_event_loop");
        receive(&mut events, watch, wait).await
    }
}

/// The event loop: everything that the example's class holds.
pub(super) struct EventLoop<'a> {
    pub(super) service: &'a Service,
    pub(super) generator: Generator,
    pub(super) cx: &'a Context,
    salt: RandomState,
    /// What the example calls `request_queue`.
    queue: Vec<Ask>,
    longest: Duration,
    /// Requests that failed because of what an earlier batch left behind.
    poisoned: usize,
    failed_batch: bool,
}

impl<'a> EventLoop<'a> {
    pub(super) fn new(service: &'a Service, generator: Generator, cx: &'a Context) -> Self {
        Self {
            service,
            generator,
            cx,
            salt: RandomState::new(),
            queue: Vec::new(),
            longest: Duration::ZERO,
            poisoned: 0,
            failed_batch: false,
        }
    }

    /// Serves until nobody can call any more; then says what went wrong on the whole.
    pub(super) fn run(mut self, calls: &Receiver<Call>) {
        while let Ok(call) = calls.recv() {
            self.service.queued(-1);
            call.request.scheduled();
            let span = info_span!(target: "inferscope::service", parent: None, "__call__", id = call.ask.id,
                cache_hit = Empty, error = Empty);
            let link = span.clone();
            let _call = span.enter();
            link.follows_from(&call.span);
            // A client that was stopped no longer listens.
            let _ = call.reply.send(Event::Started);
            let result = self.call(&call);
            if let Err(why) = &result {
                link.record("error", why.as_str());
            }
            let _ = call.reply.send(Event::End(result));
        }
        self.conclude();
    }

    /// `hash(f"{prompt}:{max_tokens}:{temperature}")`
    fn key(&self, ask: &Ask, salt: &RandomState) -> String {
        let sampling = self.service.config.sampling;
        let fields = format!("{}:{}:{}", ask.prompt.text, sampling.max_new_tokens, sampling.temperature);
        format!("llm:{}", salt.hash_one(fields) as i64)
    }

    fn call(&mut self, call: &Call) -> Result<Reply, String> {
        let Call { ask, request, .. } = call;
        let key = self.key(ask, &self.salt);
        if ask.cached {
            request.cache_key(&key, &["prompt", "max_tokens", "temperature"]);
            let began = Instant::now();
            let found = {
                let span = info_span!(target: "inferscope::service", "cache_get", key, hit = Empty, ttl_left_s = Empty);
                let _get = span.entered();
                self.service.exact.get(&key).inspect(super::fixed::note)
            };
            let found = found.unwrap_or_else(|why| {
                self.service.cache_failed(&why, request);
                Found::default()
            });
            request.lookup_time(began.elapsed());
            Span::current().record("cache_hit", found.text.is_some());
            let said = if found.text.is_some() { CacheOutcome::Exact } else { CacheOutcome::Miss };
            self.service.looked_up(said, request);
            let age = found.age(self.service.config.ttl);
            if let Some(text) = found.text {
                age.into_iter().for_each(|age| request.entry_age(age));
                return Ok(Reply {
                    text,
                    tokens: 0,
                    prompt_tokens: None,
                    kv_cache_bytes: None,
                    cache: Some(said),
                });
            }
        }
        let cache = ask.cached.then_some(CacheOutcome::Miss);
        self.queue.push(ask.clone());
        if self.queue.len() < self.service.config.batch {
            let alone = self.process_batch(std::slice::from_ref(ask), request)?;
            return alone.into_iter().next().map(|r| Reply { cache, ..r }).ok_or_else(|| "no answer".into());
        }
        let batch = self.queue.clone();
        let answers = self.process_batch(&batch, request).inspect_err(|_| self.batch_failed(request))?;
        for (ask, answer) in batch.iter().zip(&answers) {
            let key = self.key(ask, &self.salt);
            let ttl_s = self.service.config.ttl.as_secs_f64();
            let prompt = answer.prompt_tokens.unwrap_or(0) as u64;
            self.service.took(&answer.text, Tokens { prompt, output: answer.tokens as u64 });
            let _set = info_span!(target: "inferscope::service", "cache_set", key, ttl_s).entered();
            if let Err(why) = self.service.exact.set(&key, &answer.text, self.service.config.ttl) {
                self.service.cache_failed(&why, request);
            }
        }
        self.queue.clear();
        let (Some(owner), Some(first)) = (batch.first(), answers.into_iter().next()) else {
            return Err("no answer".into());
        };
        if owner.id != ask.id {
            self.service.note(|c| c.wrong += 1);
            let text = format!(
                "Request #{} ({}) got the answer to request #{} ({}): the caller that fills the batch is \
                 its last one, but gets responses[0].",
                ask.id,
                ask.quoted(),
                owner.id,
                owner.quoted()
            );
            finding("Answer of another user", Severity::Error, &text, Some(request));
        }
        Ok(Reply { cache, ..first })
    }

    fn batch_failed(&mut self, request: &RequestHandle) {
        if self.failed_batch {
            self.poisoned += 1;
        }
        let text = format!(
            "The batch failed and its {} requests stay in the queue, so every later request that is not in the \
             cache fails with them.",
            self.queue.len()
        );
        finding("Poisoned queue", Severity::Error, &text, Some(request));
        self.failed_batch = true;
    }

    /// Generates all answers, or none. Blocks the event loop.
    fn process_batch(&mut self, asks: &[Ask], request: &RequestHandle) -> Result<Vec<Reply>, String> {
        let begin = Instant::now();
        let span = info_span!(target: "inferscope::service", "_process_batch", requests = asks.len());
        let _batch = span.enter();
        request.batch(self.service.counts().batches as u64 + 1);
        let result = self.generate(asks);
        let took = begin.elapsed();
        self.longest = self.longest.max(took);
        match &result {
            Ok(_) => {
                let ms = took.as_secs_f64() * 1000.0;
                info!(target: "inferscope::service", "Batch processed {} requests in {ms:.2}ms", asks.len());
            }
            Err(why) => {
                error!(target: "inferscope::service", error = why.as_str(), "Batch processing failed: {why}")
            }
        }
        result
    }

    fn generate(&mut self, asks: &[Ask]) -> Result<Vec<Reply>, String> {
        self.service.generating(asks.len());
        let config = &self.service.config;
        // The callers see nothing before the end, so tokens have no stamps of theirs.
        let unseen: Vec<RequestHandle> = asks.iter().map(|_| request::unseen()).collect();
        let mut answers = Vec::new();
        answers.resize_with(asks.len(), || Err(LlmError::Stopped));
        let mut steps: Vec<_> = answers
            .iter_mut()
            .map(|answer| {
                move |step: Step<'_>| {
                    if let Step::End(result) = step {
                        *answer = result;
                    }
                }
            })
            .collect();
        let mut asked: Vec<Asked<'_>> = (asks.iter().zip(&unseen).zip(&mut steps))
            .map(|((ask, request), on_step)| Asked {
                question: &ask.prompt.text,
                sampling: config.sampling(&ask.prompt.text),
                request,
                on_step,
            })
            .collect();
        let cx = self.cx;
        self.generator.answer_all(&mut asked, &|| Ok(cx.check()?)).map_err(|e| e.to_string())?;
        drop(asked);
        drop(steps);
        // One that fails fails all, as an exception of the example's model does.
        let reply = |answer: Result<crate::record::llm::Answer, LlmError>| {
            let answer = answer.map_err(|e| e.to_string())?;
            Ok(Reply {
                text: answer.text,
                tokens: answer.tokens.len(),
                prompt_tokens: Some(answer.prompt_tokens),
                kv_cache_bytes: Some(answer.kv_cache_bytes),
                cache: None,
            })
        };
        answers.into_iter().map(reply).collect()
    }

    fn conclude(&self) {
        if self.cx.check().is_err() {
            return;
        }
        let config = &self.service.config;
        let say = |kind: &str, severity, text: String| finding(kind, severity, &text, None);
        if self.poisoned > 0 {
            let text = format!("{} requests failed because of a request that was not theirs.", self.poisoned);
            say("Poisoned queue", Severity::Error, text);
        }
        if self.longest > Duration::ZERO {
            let longest = i64::try_from(self.longest.as_nanos()).unwrap_or(i64::MAX);
            let text = format!(
                "A call of the model held the event loop for {}; nobody else was served meanwhile.",
                format::duration(longest)
            );
            say("Event loop blocked", Severity::Warning, text);
        }
        if LIMIT < config.batch {
            let text = format!(
                "At most {LIMIT} requests are in flight, so a batch of {} can only fill because answered requests \
                 stay in the queue.",
                config.batch
            );
            say("Limit below the batch size", Severity::Warning, text);
        }
        let ask = Ask { id: 0, prompt: super::prompts::different(1).remove(0), cached: true };
        let (here, elsewhere) = (self.key(&ask, &self.salt), self.key(&ask, &RandomState::new()));
        if here != elsewhere {
            let text = format!(
                "{} has the key {here} here and {elsewhere} in another process: hash() is salted, so answers are \
                 lost at a restart and not shared between replicas.",
                ask.quoted()
            );
            say("Cache key that changes", Severity::Warning, text);
        }
        let text = "Answers arrive whole, so the wait for the first token is the wait for the last.";
        say("Nothing is streamed", Severity::Info, text.into());
    }
}
