//! Calls of a language model: stamps, tokens, money.
//!
//! Only stamps are stored; TTFT, TPOT and rates are derived from them, so that one definition holds
//! for recordings and imported logs. An unknown is `None`, never 0.

use super::ids::{RequestId, StringId, TrackId};
use super::money::Money;
use super::strings::Strings;
use super::tokens::{Accounting, TokenCounts};

/// How the name of an attribute begins that says what a request cost in a currency other than dollars: «cost in EUR».
pub const COST_IN: &str = "cost in ";

/// Attributes of a request that a cache of answers answered. What its answer had taken when it was generated: input tokens,
pub const SAVED_INPUT: &str = "cache.saved_input_tokens";
/// output tokens,
pub const SAVED_OUTPUT: &str = "cache.saved_output_tokens";
/// and dollars. Each is a decimal number.
pub const SAVED_COST: &str = "cache.saved_cost";
/// How long the answer had been in the cache, seconds.
pub const ENTRY_AGE: &str = "cache.entry_age_s";
/// How long looking into the caches of answers took, and putting an answer there, seconds.
pub const LOOKUP_TIME: &str = "cache.lookup_s";
/// See [`LOOKUP_TIME`].
pub const STORE_TIME: &str = "cache.store_s";
/// The prompt that the closest one in a semantic cache was, whether or not its answer was taken.
pub const MATCHED_PROMPT: &str = "cache.matched_prompt";

/// How the name of an attribute begins that is the score of the whole trace that a request was made in: «trace score helpful».
pub const TRACE_SCORE: &str = "trace score ";
/// Attribute that tells the trace of a [`TRACE_SCORE`] from others.
pub const TRACE: &str = "trace";

/// Attribute that stands for what a request asks for beside its prompt: tools, seed, sampling. Requests with the same prompt and
/// different ones ask for different things.
pub const ASKED_WITH: &str = "asked with";

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

impl Outcome {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "finished",
            Self::Error => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
        }
    }
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
    /// True when an answer was taken from the cache.
    #[must_use]
    pub fn is_hit(self) -> bool {
        matches!(self, Self::Exact | Self::Semantic)
    }

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

/// An attempt of a request that failed, and the wait before the next one. Stamps are ns since the profile's origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retry {
    /// The attempt began.
    pub began: i64,
    /// It failed, and the wait began.
    pub failed: i64,
    /// The next attempt began.
    pub again: i64,
    /// Why it failed («HTTP 429»).
    pub reason: StringId,
}

impl Retry {
    /// Time that the attempt and the wait took, ns.
    #[must_use]
    pub fn lost(&self) -> i64 {
        self.again.saturating_sub(self.began).max(0)
    }

    /// The wait alone, ns.
    #[must_use]
    pub fn back_off(&self) -> i64 {
        self.again.saturating_sub(self.failed).max(0)
    }
}

/// Lengths of phases as a server measured them itself, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerTimes {
    /// Waiting for the scheduler.
    pub queue: Option<i64>,
    /// Loading the model.
    pub load: Option<i64>,
    /// Reading the prompt.
    pub prefill: Option<i64>,
    /// Writing the answer.
    pub decode: Option<i64>,
    /// `decode` made all tokens of the answer, the first one too (Ollama, llama.cpp): no time per token after the first
    /// follows from it.
    pub decode_holds_first: bool,
}

impl ServerTimes {
    /// Sum of those that are known; `None` when none is.
    #[must_use]
    pub fn sum(&self) -> Option<i64> {
        [self.queue, self.load, self.prefill, self.decode].into_iter().flatten().reduce(i64::saturating_add)
    }
}

/// Pieces of a streamed answer, where their times are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunks {
    /// Pieces that brought output.
    pub with_output: u32,
    /// Number of the first of these among all pieces, from 1.
    pub first_token: Option<u32>,
    /// Number of the first one with text of the answer rather than reasoning, from 1.
    pub first_output: Option<u32>,
}

/// One request. Stamps are ns since the profile's origin.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Name or id that a person recognises.
    pub name: StringId,
    /// The model that answered, as the answer names it, otherwise the one that was asked for; empty when unknown.
    pub model: StringId,
    /// The model that was asked for; empty when unknown.
    pub requested_model: StringId,
    /// Who served it («openai»); empty when unknown.
    pub provider: StringId,
    /// The service tier that the answer states; empty when it does not.
    pub tier: StringId,
    /// The service tier that was asked for; empty when unknown.
    pub requested_tier: StringId,
    /// Where its spans are.
    pub track: Option<TrackId>,
    /// Issued or received.
    pub arrived: i64,
    /// Nobody says when: `arrived` is only a place in an order.
    pub undated: bool,
    /// The look into a cache of answers that took [`LOOKUP_TIME`] ended, and it began to wait for its turn. Worked out when a profile
    /// is built, in no file.
    pub looked_up: Option<i64>,
    /// Work on it began (left the queue).
    pub scheduled: Option<i64>,
    /// First byte of the response, for a request to a server.
    pub first_byte: Option<i64>,
    /// First piece of a streamed answer, which may hold no token.
    pub first_chunk: Option<i64>,
    /// First output token, reasoning included.
    pub first_token: Option<i64>,
    /// First token of the answer itself.
    pub first_output: Option<i64>,
    /// Last token.
    pub last_token: Option<i64>,
    /// The response was complete.
    pub finished: Option<i64>,
    /// What a server says about its phases.
    pub phases: ServerTimes,
    /// Tokens.
    pub tokens: TokenCounts,
    /// How they became known.
    pub accounting: Accounting,
    /// Why tokens are unknown or a lower bound, in one line; empty otherwise.
    pub tokens_why: StringId,
    /// Web searches and the like that are billed beside tokens.
    pub searches: Option<u64>,
    /// Arrival of each output token or chunk, ascending.
    pub token_times: Vec<i64>,
    /// Answers that were generated side by side and whose tokens are counted together; 0 and 1: one.
    pub sequences: u32,
    /// Pieces of the answer, where they have no times.
    pub chunks: Option<Chunks>,
    /// What it cost, as the source states it.
    pub cost: Option<Money>,
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
    /// Attempts that failed before the last one, in order.
    pub retries: Vec<Retry>,
    /// How alike the closest prompt in a semantic cache was, 0 to 1, whether or not its answer was taken; `None` when
    /// none was compared.
    pub similarity: Option<f64>,
    /// What its program says of it («session», «user», a tag), by name, each name once: requests are grouped and filtered by it.
    pub attributes: Vec<(StringId, StringId)>,
}

/// When a request was in flight, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// It arrived.
    pub from: i64,
    /// It ended, or the last moment that is known of it; [`i64::MAX`] while it runs.
    pub until: i64,
    /// False when it went on for a time that nobody says.
    pub is_all: bool,
}

impl Request {
    /// Bytes held, texts apart.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.token_times)
            + size_of_val(&*self.retries)
            + size_of_val(&*self.attributes)
    }

    /// True when it was in flight at some moment from `from` to before `to`, as far as its stamps tell; of one without times,
    /// when its place in the order is there.
    #[must_use]
    pub fn in_flight(&self, (from, to): (i64, i64)) -> bool {
        self.arrived < to && (self.arrived >= from || self.last_known().is_some_and(|end| end > from))
    }

    /// Its end, or the last moment that is known of it; `None` when nothing says more than its arrival, or not even that.
    #[must_use]
    pub fn last_known(&self) -> Option<i64> {
        let known = [self.began(), self.token_times.last().copied(), self.last_token, self.finished];
        known.into_iter().flatten().max().filter(|_| !self.undated)
    }

    /// From when to when it was in flight, as far as that is known, and whether it is: of one that ended at a time that nobody says
    /// only a part is. `None` where nobody says when it arrived, or anything later. One that still runs has no end.
    #[must_use]
    pub fn flight(&self) -> Option<Flight> {
        let ends = match self.outcome {
            Outcome::Running => Some(self.finished.unwrap_or(i64::MAX)),
            _ => self.finished,
        };
        let until = ends.map(|end| end.max(self.arrived));
        let until = until.or_else(|| self.last_known().filter(|last| *last > self.arrived))?;
        (!self.undated).then_some(Flight { from: self.arrived, until, is_all: ends.is_some() })
    }

    /// What its program says of it under a name; `None` when nothing.
    #[must_use]
    pub fn attribute(&self, name: StringId) -> Option<StringId> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// A length that its program says under a name, as decimal seconds, ns; `None` when it says none that can be.
    #[must_use]
    pub fn stated_length(&self, name: StringId, strings: &Strings) -> Option<i64> {
        let seconds = strings.get(self.attribute(name)?).parse::<f64>().ok();
        seconds.filter(|s| (0.0..9e9).contains(s)).map(|s| (s * 1e9).round() as i64)
    }

    /// True for one that a cache of answers answered: no model worked on it.
    #[must_use]
    pub fn answered_by_cache(&self) -> bool {
        self.cache.is_some_and(CacheOutcome::is_hit)
    }

    /// True for one that a cache of answers answered and of which nobody counted tokens: no model read or wrote any.
    #[must_use]
    pub fn needed_no_tokens(&self) -> bool {
        self.answered_by_cache() && self.tokens.is_unknown()
    }

    /// When the answer began: the first token, or the first chunk where no more is known.
    #[must_use]
    pub fn began(&self) -> Option<i64> {
        self.first_token.or(self.first_chunk)
    }

    /// Time to first token, ns: first token (or chunk) − arrival, queueing included, without what attempts that failed and the
    /// waits after them took.
    #[must_use]
    pub fn ttft(&self) -> Option<i64> {
        Some(self.waited()?.saturating_sub(self.lost()))
    }

    /// What its user waited for the first token, ns: first token (or chunk) − arrival.
    #[must_use]
    pub fn waited(&self) -> Option<i64> {
        Some(self.began()?.saturating_sub(self.arrived))
    }

    /// Time to the first token of the answer itself, ns: as [`Self::ttft`], after reasoning.
    #[must_use]
    pub fn ttfo(&self) -> Option<i64> {
        Some(self.first_output?.saturating_sub(self.arrived).saturating_sub(self.lost()))
    }

    /// Time that attempts that failed and the waits after them took, ns.
    #[must_use]
    pub fn lost(&self) -> i64 {
        self.retries.iter().map(Retry::lost).fold(0, i64::saturating_add)
    }

    /// Output tokens, and whether that is an estimate: where nobody counted them, chunks of the answer are.
    #[must_use]
    pub fn output(&self) -> Option<(u64, bool)> {
        let chunks = || (!self.token_times.is_empty()).then_some((self.token_times.len() as u64, true));
        self.tokens.output.map(|n| (n, false)).or_else(chunks)
    }

    /// True when rates and times per token rest on chunks, because nobody counted tokens.
    #[must_use]
    pub fn is_estimated(&self) -> bool {
        self.output().is_some_and(|(_, estimated)| estimated)
    }

    /// Whole latency, ns: finished − arrival.
    #[must_use]
    pub fn latency(&self) -> Option<i64> {
        Some(self.finished?.saturating_sub(self.arrived))
    }

    /// When it began to wait for its turn: its arrival, or the end of the look into a cache of answers.
    #[must_use]
    pub fn waits_from(&self) -> i64 {
        self.looked_up.unwrap_or(self.arrived)
    }

    /// Time in the queue, ns: as a server states it, otherwise from when it began to wait until it was scheduled.
    #[must_use]
    pub fn queued(&self) -> Option<i64> {
        self.phases.queue.or_else(|| Some(self.scheduled?.saturating_sub(self.waits_from())))
    }

    /// Time that looking into a cache of answers took before it waited for its turn, ns.
    #[must_use]
    pub fn lookup(&self) -> Option<i64> {
        Some(self.looked_up?.saturating_sub(self.arrived))
    }

    /// What of the latency no phase that a server states explains, ns; `None` when it states none.
    #[must_use]
    pub fn unaccounted(&self) -> Option<i64> {
        Some(self.latency()?.saturating_sub(self.phases.sum()?))
    }

    /// Uncached input tokens over the prefill that a server states, tokens/s.
    #[must_use]
    pub fn prefill_rate(&self) -> Option<f64> {
        let time = self.phases.prefill.filter(|&t| t > 0)?;
        Some(self.tokens.input? as f64 * 1e9 / time as f64)
    }

    /// Output tokens over the decode time that a server states, tokens/s, by its own definition: all N tokens where that time
    /// holds the first one, N − 1 otherwise.
    #[must_use]
    pub fn decode_rate(&self) -> Option<f64> {
        let time = self.phases.decode.filter(|&t| t > 0)?;
        let first = if self.phases.decode_holds_first { 0 } else { u64::from(self.sequences.max(1)) };
        let tokens = self.tokens.output?.saturating_sub(first);
        Some(tokens as f64 * 1e9 / time as f64)
    }

    /// Mean time per output token after the first, ns: decode time / (N − 1), where the decode is what a server states, or
    /// ends with the last token, or with the response where that has no stamp. `None` for N ≤ 1, because the first token
    /// belongs to the prefill (vLLM's definition). Of several answers side by side N is the mean. An estimate when
    /// [`Self::is_estimated`].
    #[must_use]
    pub fn tpot(&self) -> Option<f64> {
        let (n, _) = self.output()?;
        let last = self.token_times.last().copied().filter(|_| self.token_times.len() > 1);
        let measured = || Some(last.or(self.last_token).or(self.finished)?.saturating_sub(self.began()?));
        let stated = self.phases.decode.filter(|_| !self.phases.decode_holds_first);
        let decode = stated.or_else(measured)?;
        let n = n as f64 / f64::from(self.sequences.max(1));
        (n > 1.0).then(|| decode as f64 / (n - 1.0))
    }

    /// Output tokens over the whole latency, tokens/s.
    #[must_use]
    pub fn end_to_end_rate(&self) -> Option<f64> {
        let (n, _) = self.output()?;
        self.latency().filter(|&t| t > 0).map(|t| n as f64 * 1e9 / t as f64)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_retries_took_is_lost_and_no_part_of_the_time_to_the_first_token() {
        let r = Request {
            arrived: 100,
            scheduled: Some(110),
            first_token: Some(3000),
            finished: Some(5000),
            token_times: vec![3000, 3500, 4000],
            retries: vec![
                Retry { began: 110, failed: 150, again: 1150, reason: StringId::default() },
                Retry { began: 1150, failed: 1200, again: 2200, reason: StringId::default() },
            ],
            ..Request::default()
        };
        assert_eq!((r.waited(), r.lost(), r.ttft()), (Some(2900), 2090, Some(810)));
        assert_eq!(r.retries.iter().map(Retry::back_off).sum::<i64>(), 2000);
    }

    #[test]
    fn tokens_of_answers_side_by_side_are_shared_out() {
        let r = Request {
            phases: ServerTimes { decode: Some(99_000), ..ServerTimes::default() },
            tokens: TokenCounts { output: Some(200), ..TokenCounts::default() },
            sequences: 2,
            ..Request::default()
        };
        assert_eq!((r.tpot(), r.decode_rate()), (Some(1000.0), Some(2e6)), "each one has 99 after its first");
        assert_eq!(Request { sequences: 200, ..r }.tpot(), None, "one token each");
    }

    #[test]
    fn a_request_is_in_a_time_while_it_is_in_flight() {
        let r = Request { arrived: 100, first_token: Some(300), finished: Some(500), ..Request::default() };
        let within =
            |r: &Request| [(0, 100), (0, 101), (200, 250), (499, 600), (500, 600)].map(|t| r.in_flight(t));
        assert_eq!(within(&r), [false, true, true, true, false]);
        let lost = Request { finished: None, ..r.clone() };
        assert_eq!(within(&lost), [false, true, true, false, false], "to its last known moment");
        let undated = Request { undated: true, ..r };
        assert_eq!(within(&undated), [false, true, false, false, false]);
    }

    #[test]
    fn without_counts_chunks_stand_for_tokens_and_say_so() {
        let counted = |output, token_times: Vec<i64>| Request {
            first_token: Some(0),
            finished: Some(9000),
            tokens: TokenCounts { output, ..TokenCounts::default() },
            token_times,
            ..Request::default()
        };
        let chunks = counted(None, vec![0, 10, 20]);
        assert_eq!(
            (chunks.output(), chunks.tpot(), chunks.is_estimated()),
            (Some((3, true)), Some(10.0), true)
        );
        let both = counted(Some(5), vec![0, 10, 20]);
        assert_eq!((both.output(), both.tpot(), both.is_estimated()), (Some((5, false)), Some(5.0), false));
        let whole = counted(Some(4), vec![]);
        assert_eq!(whole.tpot(), Some(3000.0), "the end of the response is all that is known");
        assert_eq!(counted(None, vec![]).tpot(), None);
    }
}
