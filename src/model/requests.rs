//! Calls of a language model: stamps, tokens, money.
//!
//! Only stamps are stored; TTFT, TPOT and rates are derived from them, so that one definition holds
//! for recordings and imported logs. An unknown is `None`, never 0.

use super::ids::{RequestId, StringId, TrackId};

/// Tokens of one request by billing class. The three input classes are disjoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TokenCounts {
    /// Input tokens that were not cached.
    pub input: Option<u64>,
    /// Input tokens read from a cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to a cache.
    pub cache_write: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// Output tokens spent on reasoning.
    pub reasoning: Option<u64>,
}

impl TokenCounts {
    /// All input tokens; `None` when none of the classes is known.
    #[must_use]
    pub fn prompt(&self) -> Option<u64> {
        [self.input, self.cache_read, self.cache_write].into_iter().flatten().reduce(|a, b| a + b)
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It finished.
    #[default]
    Ok,
    /// It failed.
    Error,
    /// It was cancelled.
    Cancelled,
    /// It was still running when the profile ended.
    Running,
}

/// What a cache of whole answers said to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheOutcome {
    /// The answer to the same request was there.
    Exact,
    /// The answer to a similar request was taken.
    Semantic,
    /// Neither: the model had to answer.
    Miss,
}

impl CacheOutcome {
    /// The word in reports and tables.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Semantic => "semantic",
            Self::Miss => "miss",
        }
    }
}

/// One request. Stamps are ns since the profile's origin.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Name or id that a person recognises.
    pub name: StringId,
    /// The model; empty when unknown.
    pub model: StringId,
    /// Where its spans are.
    pub track: Option<TrackId>,
    /// Issued or received.
    pub arrived: i64,
    /// Work on it began (left the queue).
    pub scheduled: Option<i64>,
    /// First byte of the response, for a request to a server.
    pub first_byte: Option<i64>,
    /// First output token.
    pub first_token: Option<i64>,
    /// Last token or response end.
    pub finished: Option<i64>,
    /// Tokens.
    pub tokens: TokenCounts,
    /// Arrival of each output token or chunk, ascending.
    pub token_times: Vec<i64>,
    /// Price in 1e-9 US dollar; `None` when unpriced.
    pub cost_nano_dollars: Option<i64>,
    /// Bytes of the KV cache at the end.
    pub kv_cache_bytes: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// What the cache of answers said; `None` when it was not asked.
    pub cache: Option<CacheOutcome>,
    /// The batch that it was generated in, where known.
    pub batch: Option<u64>,
    /// Prompt and answer, when kept.
    pub prompt: StringId,
    /// The generated text, when kept.
    pub completion: StringId,
    /// Why it failed, in one line; empty otherwise.
    pub error: StringId,
}

impl Request {
    /// Time to first token, ns: first token − arrival (queueing included).
    #[must_use]
    pub fn ttft(&self) -> Option<i64> {
        Some(self.first_token? - self.arrived)
    }

    /// Whole latency, ns: finished − arrival.
    #[must_use]
    pub fn latency(&self) -> Option<i64> {
        Some(self.finished? - self.arrived)
    }

    /// Time in the queue, ns: scheduled − arrival.
    #[must_use]
    pub fn queued(&self) -> Option<i64> {
        Some(self.scheduled? - self.arrived)
    }

    /// Mean time per output token after the first, ns: decode time / (N − 1). `None` for N ≤ 1,
    /// because the first token belongs to the prefill (vLLM's definition).
    #[must_use]
    pub fn tpot(&self) -> Option<f64> {
        let n = self.tokens.output?;
        let decode = self.finished? - self.first_token?;
        (n > 1).then(|| decode as f64 / (n - 1) as f64)
    }

    /// Decode rate of this request, tokens/s: 1 / TPOT.
    #[must_use]
    pub fn tokens_per_second(&self) -> Option<f64> {
        self.tpot().filter(|&t| t > 0.0).map(|t| 1e9 / t)
    }
}

/// All requests, by arrival.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// The rows.
    pub rows: Vec<Request>,
}

impl Requests {
    /// The request with id `id`.
    #[must_use]
    pub fn get(&self, id: RequestId) -> Option<&Request> {
        self.rows.get(id.index())
    }
}
