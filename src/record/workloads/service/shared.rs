//! What both forms of the service share: settings, caches, counts, and what travels between their parts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tracing::Span;

use super::cache::{Exact, Semantic, Similarity};
use super::prompts::{Prompt, stream};
use crate::model::{CacheOutcome, Money, Severity, Unit};
use crate::record::llm::Sampling;
use crate::record::{RequestHandle, count, finding, secrets};

/// A request on its way.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Its number in the run, from 1.
    pub(super) id: usize,
    pub(super) prompt: Prompt,
    /// May be answered from a cache and kept there.
    pub(super) cached: bool,
}

/// A request for the model.
pub(super) struct Call {
    pub(super) ask: Ask,
    pub(super) request: Arc<RequestHandle>,
    /// The client's span.
    pub(super) span: Span,
    pub(super) reply: UnboundedSender<Event>,
}

impl Ask {
    /// The prompt for a sentence, unless texts are not to be kept.
    pub(super) fn quoted(&self) -> String {
        quoted(&self.prompt)
    }
}

/// A prompt for a sentence, unless texts are not to be kept.
pub(super) fn quoted(prompt: &Prompt) -> String {
    if secrets::texts() { format!("«{}»", prompt.text) } else { "«…»".to_owned() }
}

/// What comes back.
pub(super) enum Event {
    Started,
    Token,
    End(Result<Reply, String>),
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) tokens: usize,
    /// Tokens of the prompt, where its request was not told of them.
    pub(super) prompt_tokens: Option<usize>,
    pub(super) kv_cache_bytes: Option<u64>,
    /// What the cache said; `None` when it was not asked.
    pub(super) cache: Option<CacheOutcome>,
}

/// Settings of a run.
pub(super) struct Config {
    pub(super) batch: usize,
    pub(super) max_wait: Duration,
    pub(super) ttl: Duration,
    /// Most entries of each cache in memory; 0 for any number.
    pub(super) entries: usize,
    pub(super) similarity: Similarity,
    pub(super) threshold: f64,
    pub(super) sampling: Sampling,
    pub(super) model: String,
    /// `None` while nobody says.
    pub(super) price: Option<Price>,
}

impl Config {
    /// How the tokens of a prompt are chosen: the same prompt gets the same answer.
    pub(super) fn sampling(&self, prompt: &str) -> Sampling {
        Sampling { stream: stream(prompt), ..self.sampling }
    }
}

/// Tokens of a generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    pub(super) output: u64,
}

impl Tokens {
    fn add(&mut self, other: Self) {
        self.prompt += other.prompt;
        self.output += other.output;
    }

    pub(super) fn sum(self) -> u64 {
        self.prompt + self.output
    }
}

/// Price of a token in dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Price {
    prompt: Money,
    output: Money,
}

impl Price {
    /// Of dollars for a million tokens; `None` where both are 0: nobody says a price.
    pub(super) fn of_millions(prompt: f64, output: f64) -> Option<Self> {
        let each = |dollars: f64| Money::parse_part(&dollars.to_string(), 6).unwrap_or_default();
        (prompt > 0.0 || output > 0.0).then(|| Self { prompt: each(prompt), output: each(output) })
    }

    pub(super) fn of(self, tokens: Tokens) -> Money {
        self.prompt.times(tokens.prompt) + self.output.times(tokens.output)
    }
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) generations: usize,
    pub(super) batches: usize,
    pub(super) batched: usize,
    pub(super) exact: usize,
    pub(super) semantic: usize,
    pub(super) misses: usize,
    pub(super) wrong: usize,
    pub(super) false_hits: usize,
    pub(super) failed: usize,
}

impl Counts {
    pub(super) fn asked(&self) -> usize {
        self.exact + self.semantic + self.misses
    }

    /// Share of look-ups that had an answer.
    pub(super) fn hit_rate(&self) -> Option<f64> {
        let asked = self.asked();
        (asked > 0).then(|| (self.exact + self.semantic) as f64 / asked as f64)
    }
}

/// The shared part.
pub(super) struct Service {
    pub(super) config: Config,
    pub(super) exact: Exact,
    pub(super) semantic: Semantic,
    counts: Mutex<Counts>,
    /// What answers took, by their texts.
    taken: Mutex<HashMap<String, Tokens>>,
    /// What the model was given and gave, and what hits saved.
    spent_and_saved: Mutex<(Tokens, Tokens)>,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
    working: AtomicUsize,
}

impl Service {
    pub(super) fn new(config: Config, exact: Exact) -> Self {
        Self {
            semantic: Semantic::new(config.entries),
            config,
            exact,
            counts: Mutex::default(),
            taken: Mutex::default(),
            spent_and_saved: Mutex::default(),
            waiting: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Prompts go to the model.
    pub(super) fn generating(&self, prompts: usize) {
        self.note(|c| {
            c.generations += prompts;
            c.batches += 1;
            c.batched += prompts;
        });
        count("Generations", Unit::Count, self.counts().generations as f64);
        count("Batch size", Unit::Count, prompts as f64);
    }

    /// The cache answered, or not.
    pub(super) fn looked_up(&self, said: CacheOutcome, request: &RequestHandle) {
        request.cache(said);
        tracing::debug!(target: "inferscope::service", "cache: {}", said.key());
        self.note(|c| match said {
            CacheOutcome::Exact => c.exact += 1,
            CacheOutcome::Semantic => c.semantic += 1,
            CacheOutcome::Miss => c.misses += 1,
        });
        if let Some(rate) = self.counts().hit_rate() {
            count("Cache hit rate", Unit::MilliPercent, (rate * 1e5).round());
        }
    }

    /// Notes what an answer took. Before a cache has it, so that a hit can be told.
    pub(super) fn took(&self, text: &str, tokens: Tokens) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).entry(text.to_owned()).or_insert(tokens);
    }

    /// Books what a request took, or what a cache saved it: on the request and in the sums.
    pub(super) fn book(&self, reply: &Reply, request: &RequestHandle) {
        let price = |tokens| self.config.price.map(|price| price.of(tokens));
        let mut sums = self.spent_and_saved.lock().unwrap_or_else(PoisonError::into_inner);
        if reply.cache.is_some_and(CacheOutcome::is_hit) {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).get(&reply.text).copied();
            if let Some(tokens) = taken {
                sums.1.add(tokens);
                request.saved(tokens.prompt, tokens.output, price(tokens));
            }
            price(Tokens::default()).into_iter().for_each(|nothing| request.cost(nothing));
        } else {
            let prompt = request.known_prompt_tokens().unwrap_or(0);
            let tokens = Tokens { prompt, output: reply.tokens as u64 };
            self.took(&reply.text, tokens);
            sums.0.add(tokens);
            price(tokens).into_iter().for_each(|cost| request.cost(cost));
        }
    }

    /// Tokens that the model was given and gave, and those that hits saved: what their answers took when they were
    /// generated.
    pub(super) fn tokens(&self) -> (Tokens, Tokens) {
        *self.spent_and_saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queued(&self, change: isize) {
        gauge(&self.waiting, "Queue length", change);
    }

    pub(super) fn flying(&self, change: isize) {
        gauge(&self.in_flight, "Requests in flight", change);
    }

    pub(super) fn working(&self, change: isize) {
        gauge(&self.working, "Busy workers", change);
    }

    /// A cache that does not answer is a miss, and worth a word.
    pub(super) fn cache_failed(&self, why: &str, request: &RequestHandle) {
        let text = format!("The cache did not answer, so the request went to the model: {why}");
        finding("Cache unavailable", Severity::Warning, &text, Some(request));
    }
}

fn gauge(level: &AtomicUsize, name: &str, change: isize) {
    let now = match change {
        up if up >= 0 => level.fetch_add(up.unsigned_abs(), Ordering::Relaxed) + up.unsigned_abs(),
        down => level.fetch_sub(down.unsigned_abs(), Ordering::Relaxed).saturating_sub(down.unsigned_abs()),
    };
    count(name, Unit::Count, now as f64);
}

/// What a client measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// To the first token, or to the whole answer where nothing was streamed.
    pub(super) ttft: Duration,
    pub(super) latency: Duration,
    /// Time for each further token; `None` where nothing was streamed.
    pub(super) tpot: Option<Duration>,
    pub(super) tokens: usize,
    pub(super) hit: bool,
    pub(super) ok: bool,
}

/// Stamps of one request as its client sees them.
pub(super) struct Watch {
    began: Instant,
    first: Option<Instant>,
    last: Instant,
    tokens: u32,
}

impl Watch {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, first: None, last: now, tokens: 0 }
    }

    pub(super) fn token(&mut self) {
        self.last = Instant::now();
        self.first.get_or_insert(self.last);
        self.tokens += 1;
    }

    pub(super) fn end(&self, result: &Result<Reply, String>) -> Measured {
        let latency = self.began.elapsed();
        let reply = result.as_ref().ok();
        let tpot = self.first.filter(|_| self.tokens > 1).map(|f| (self.last - f) / (self.tokens - 1));
        Measured {
            ttft: self.first.map_or(latency, |f| f - self.began),
            latency,
            tpot,
            tokens: reply.map_or(0, |r| r.tokens),
            hit: reply.and_then(|r| r.cache).is_some_and(CacheOutcome::is_hit),
            ok: reply.is_some(),
        }
    }
}
