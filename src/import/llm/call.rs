//! A call of a model as readers find it, before it is a request of a profile.

use super::{Said, Stated, Usage};
use crate::model::{
    COST_IN, CacheOutcome, Chunks, Money, Origin, Outcome, ProfileBuilder, Request, ServerTimes, TrackId,
};

/// Why tokens are unknown where a source counts none.
const NO_USAGE: &str = "no usage was received: unknown, not 0";
/// The same where it counts none although there is an answer, or none was made.
const ZERO_USAGE: &str = "the source reports 0 tokens, which are not those of this answer: unknown, not 0";

/// What stamps of a call count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::import) enum Clock {
    /// Unix time, ns.
    Unix,
    /// Its own beginning: nobody says when that was.
    #[default]
    Own,
}

/// One call. Stamps are ns of its clock.
#[derive(Clone, Debug, Default)]
pub(in crate::import) struct Call {
    pub clock: Clock,
    pub name: String,
    /// The id under which its program asks, whatever becomes of an attempt; empty when it states none.
    pub id: String,
    /// Of the answer.
    pub model: String,
    pub requested_model: String,
    pub provider: String,
    pub tier: String,
    pub requested_tier: String,
    pub usage: Usage,
    /// The usage stands in the provider's own answer: what it counts as 0 is 0, unless there is output. Programs that pass usage on write 0
    /// where they got none.
    pub usage_of_provider: bool,
    /// It ended before its usage was complete: its output is at least what had come.
    pub broken_off: bool,
    /// Why its tokens are not known, where the reader knows.
    pub why: String,
    pub start: i64,
    pub scheduled: Option<i64>,
    pub first_byte: Option<i64>,
    pub first_chunk: Option<i64>,
    pub first_token: Option<i64>,
    pub first_output: Option<i64>,
    pub last_token: Option<i64>,
    pub end: Option<i64>,
    pub times: ServerTimes,
    pub token_times: Vec<i64>,
    /// Answers whose tokens are counted together; 0 and 1: one.
    pub sequences: u32,
    /// A cache of answers answered it.
    pub from_cache: bool,
    pub chunks: Option<Chunks>,
    pub searches: Option<u64>,
    pub cost: Option<Money>,
    pub outcome: Outcome,
    pub error: String,
    pub prompt: String,
    pub completion: String,
    pub said: Said,
}

impl Call {
    /// Takes over what its source says it cost.
    pub fn billed(&mut self, stated: Stated) {
        match stated {
            Stated::Dollars(money) => self.cost = Some(money),
            Stated::Other(currency, money) => {
                self.said.add(&format!("{COST_IN}{currency}"), &money.to_string());
            }
        }
    }

    /// Its source counts nothing, and nothing speaks against that.
    fn is_of_none(&self) -> bool {
        self.usage_of_provider
            && self.outcome == Outcome::Ok
            && !self.broken_off
            && self.completion.is_empty()
            && self.why.is_empty()
    }

    /// The request of a profile whose time 0 is `origin`, unix ns.
    pub fn request(mut self, b: &mut ProfileBuilder, origin: i64, track: Option<TrackId>) -> Request {
        let (mut tokens, mut accounting) = self.usage.settle();
        if tokens.is_unknown() && self.usage.states_zero() {
            if self.is_of_none() {
                (tokens, accounting) = self.usage.of_none();
            } else if self.why.is_empty() && self.outcome != Outcome::Running {
                ZERO_USAGE.clone_into(&mut self.why);
            }
        }
        if self.broken_off && accounting.output != Origin::Unknown {
            accounting.output = Origin::LowerBound;
        }
        if tokens.is_unknown() && self.why.is_empty() && self.outcome != Outcome::Running {
            NO_USAGE.clone_into(&mut self.why);
        }
        // An answer of several tokens whose first one comes with its end was not streamed, or nobody noted when it began.
        if tokens.output.is_some_and(|n| n > 1) && self.token_times.len() < 2 {
            for stamp in [&mut self.first_chunk, &mut self.first_token, &mut self.first_output] {
                *stamp = stamp.filter(|t| self.end.is_none_or(|end| *t < end));
            }
        }
        let undated = self.clock == Clock::Own;
        let at = |t: i64| if undated { t } else { t.saturating_sub(origin) };
        let model = if self.model.is_empty() { &self.requested_model } else { &self.model };
        Request {
            name: b.string(&self.name),
            model: b.string(model),
            requested_model: b.string(&self.requested_model),
            provider: b.string(&self.provider),
            tier: b.string(&self.tier),
            requested_tier: b.string(&self.requested_tier),
            track,
            arrived: at(self.start),
            undated,
            scheduled: self.scheduled.map(at),
            first_byte: self.first_byte.map(at),
            first_chunk: self.first_chunk.map(at),
            first_token: self.first_token.map(at),
            first_output: self.first_output.map(at),
            last_token: self.last_token.map(at),
            finished: self.end.map(at),
            phases: self.times,
            tokens,
            accounting,
            tokens_why: b.string(&self.why),
            searches: self.searches,
            token_times: self.token_times.into_iter().map(at).collect(),
            sequences: self.sequences,
            chunks: self.chunks,
            cache: self.from_cache.then_some(CacheOutcome::Exact),
            cost: self.cost,
            outcome: self.outcome,
            prompt: b.string(&self.prompt),
            completion: b.string(&self.completion),
            error: b.string(&self.error),
            attributes: self.said.0.iter().map(|(name, value)| (b.string(name), b.string(value))).collect(),
            ..Request::default()
        }
    }
}
