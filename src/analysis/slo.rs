//! Whether requests keep what was promised (service level objectives), and why the slowest were slow.

use std::collections::BTreeMap;

use super::asked::Asked;
use crate::jobs::Cancelled;
use crate::model::{CacheOutcome, Outcome, Request, RequestId, StringId};
use crate::query::{Context, Query};

/// What is promised, ns; `None` for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Slo {
    /// Time to first token is at most this.
    pub ttft: Option<i64>,
    /// Time per output token is at most this.
    pub tpot: Option<i64>,
    /// Latency is at most this.
    pub latency: Option<i64>,
}

impl Slo {
    /// True when something is promised.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.ttft.is_some() || self.tpot.is_some() || self.latency.is_some()
    }

    /// Whether a request keeps it; `None` when a figure that is needed to say so is not known. One that failed does not.
    #[must_use]
    pub fn keeps(&self, r: &Request) -> Option<bool> {
        match r.outcome {
            Outcome::Running => return None,
            Outcome::Error | Outcome::Cancelled => return Some(false),
            Outcome::Ok => {}
        }
        let figures = self.figures(r);
        let known = figures.iter().filter_map(|(limit, value)| Some((limit.as_ref()?, value)));
        let mut unknown = false;
        for (limit, value) in known {
            match value {
                Some(value) if *value > *limit as f64 => return Some(false),
                Some(_) => {}
                None => unknown = true,
            }
        }
        (!unknown).then_some(true)
    }

    /// Limits and values.
    fn figures(&self, r: &Request) -> [(Option<i64>, Option<f64>); 3] {
        // One token has no time per token after the first, so it cannot be late.
        let single = r.output().is_some_and(|(n, _)| n <= 1);
        let tpot = r.tpot().or(single.then_some(0.0));
        [
            (self.ttft, r.ttft().map(|v| v as f64)),
            (self.tpot, tpot),
            (self.latency, r.latency().map(|v| v as f64)),
        ]
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Requests that keep it.
    pub kept: usize,
    /// Requests that do not.
    pub broken: usize,
    /// Of these, that failed or were cancelled.
    pub failed: usize,
    /// Of these, with a later first token, slower tokens, longer latency than promised; one may have several.
    pub by: [usize; 3],
    /// Requests of which nobody knows.
    pub unknown: usize,
    /// The first request that does not keep it.
    pub first_broken: Option<RequestId>,
    /// Requests per second that keep it (goodput), over the time from first arrival to last end.
    pub goodput: Option<f64>,
    /// All that ended well, per second.
    pub throughput: Option<f64>,
}

impl Kept {
    /// Share that keeps it of those that are known.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let known = self.kept + self.broken;
        (known > 0).then(|| self.kept as f64 / known as f64)
    }
}

/// Computes what [`Kept`] an SLO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SloCheck {
    /// What is promised.
    pub slo: Slo,
    /// Which requests.
    pub asked: Asked,
}

impl Query for SloCheck {
    type Output = Kept;

    fn run(&self, cx: &Context<'_>) -> Result<Kept, Cancelled> {
        let rows = &cx.profile().requests.rows;
        let mut out = Kept::default();
        let (mut first, mut last, mut ended) = (None, None, 0usize);
        for id in self.asked.ids(cx)? {
            let r = &rows[id.index()];
            if let Some(end) = r.finished.filter(|_| !r.undated) {
                first = Some(first.map_or(r.arrived, |f: i64| f.min(r.arrived)));
                last = Some(last.map_or(end, |l: i64| l.max(end)));
            }
            ended += usize::from(r.outcome == Outcome::Ok);
            match self.slo.keeps(r) {
                Some(true) => out.kept += 1,
                Some(false) => {
                    out.broken += 1;
                    out.first_broken.get_or_insert(id);
                    out.failed += usize::from(r.outcome != Outcome::Ok);
                    for (count, (limit, value)) in out.by.iter_mut().zip(self.slo.figures(r)) {
                        let late = limit.zip(value).is_some_and(|(limit, value)| value > limit as f64);
                        *count += usize::from(late && r.outcome == Outcome::Ok);
                    }
                }
                None => out.unknown += 1,
            }
        }
        let seconds = first.zip(last).map(|(a, b)| b.saturating_sub(a) as f64 / 1e9).filter(|s| *s > 0.0);
        out.goodput = seconds.map(|s| out.kept as f64 / s);
        out.throughput = seconds.map(|s| ended as f64 / s);
        Ok(out)
    }
}

/// Why a request took longer than the typical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It waited in the queue.
    Queue,
    /// Attempts failed, and it waited for the next ones.
    Retries,
    /// Its prompt is longer.
    Prompt,
    /// Its answer is longer.
    Answer,
    /// It missed a cache that others hit.
    Miss,
    /// Its first token came late, for no reason that is known.
    FirstToken,
    /// Its tokens came slowly.
    Tokens,
    /// Nothing that is known.
    Unknown,
}

impl Cause {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Queue => "waited in the queue",
            Self::Retries => "failed attempts and back-off",
            Self::Prompt => "longer prompt",
            Self::Answer => "longer answer",
            Self::Miss => "missed the cache",
            Self::FirstToken => "late first token",
            Self::Tokens => "slow tokens",
            Self::Unknown => "no cause is known",
        }
    }

    /// In a word or two.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Retries => "retries",
            Self::Prompt => "prompt length",
            Self::Answer => "answer length",
            Self::Miss => "cache miss",
            Self::FirstToken => "first token",
            Self::Tokens => "slow tokens",
            Self::Unknown => "not known",
        }
    }
}

/// One of the slowest requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slow {
    /// Which.
    pub request: RequestId,
    /// Its latency, ns.
    pub latency: i64,
    /// What explains most of what it took over the median.
    pub cause: Cause,
    /// How much of it, ns.
    pub explained: f64,
    /// Median latency of the requests of its model, ns.
    pub median: f64,
    /// What it took over the median, ns.
    pub over: f64,
}

/// The slowest requests. Each is held against those of its model: an embedding takes a fraction of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slowest {
    /// Median latency of each model that answered, ns.
    pub medians: Vec<(StringId, f64)>,
    /// The slowest first; those that took at most half as much again as the median are none.
    pub rows: Vec<Slow>,
}

/// So many of the slowest are listed where there is room for some.
pub const LISTED: usize = 8;

/// Computes the [`Slowest`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlowRequests {
    /// Which requests.
    pub asked: Asked,
}

impl Query for SlowRequests {
    type Output = Slowest;

    fn weight(slowest: &Slowest) -> usize {
        size_of_val(&*slowest.rows) + size_of_val(&*slowest.medians)
    }

    fn run(&self, cx: &Context<'_>) -> Result<Slowest, Cancelled> {
        let rows = &cx.profile().requests.rows;
        let ids = self.asked.ids(cx)?;
        let done: Vec<(RequestId, &Request)> = ids
            .into_iter()
            .map(|id| (id, &rows[id.index()]))
            .filter(|(_, r)| r.outcome == Outcome::Ok)
            .collect();
        let mut of_models: BTreeMap<StringId, Vec<(RequestId, &Request)>> = BTreeMap::new();
        for (id, r) in done {
            of_models.entry(r.model).or_default().push((id, r));
        }
        let mut out = Slowest::default();
        for (model, done) in of_models {
            let typical = Typical::of(&done);
            let Some(median) = typical.latency else { continue };
            out.medians.push((model, median));
            let timed = done.iter().filter_map(|(id, r)| Some((*id, *r, r.latency()?)));
            let slow = timed.filter(|(_, _, latency)| *latency as f64 > 1.5 * median);
            out.rows.extend(slow.map(|(request, r, latency)| {
                let over = latency as f64 - median;
                let (cause, explained) = typical.cause(r, over);
                Slow { request, latency, cause, explained, median, over }
            }));
        }
        out.rows.sort_by_key(|slow| std::cmp::Reverse(slow.latency));
        Ok(out)
    }
}

/// Medians of what a latency is made of.
struct Typical {
    latency: Option<f64>,
    queue: Option<f64>,
    prefill: Option<f64>,
    prompt: Option<f64>,
    tpot: Option<f64>,
    output: Option<f64>,
    /// Most requests were answered by a cache.
    hits: bool,
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    super::overview::Distribution::of(values.collect()).map(|d| d.p50)
}

/// First token − start of work, without retries, ns.
fn prefill(r: &Request) -> Option<f64> {
    Some(r.ttft()?.saturating_sub(r.queued().unwrap_or(0)) as f64)
}

impl Typical {
    fn of(done: &[(RequestId, &Request)]) -> Self {
        let of = |value: &dyn Fn(&Request) -> Option<f64>| median(done.iter().filter_map(|(_, r)| value(r)));
        Self {
            latency: of(&|r| r.latency().map(|v| v as f64)),
            queue: of(&|r| r.queued().map(|v| v as f64)),
            prefill: of(&prefill),
            prompt: of(&|r| r.tokens.prompt().map(|v| v as f64)),
            tpot: of(&Request::tpot),
            output: of(&|r| r.output().map(|v| v.0 as f64)),
            hits: done.iter().filter(|(_, r)| r.answered_by_cache()).count() * 2 > done.len(),
        }
    }

    /// What explains most of `excess`, and how much of it, ns.
    fn cause(&self, r: &Request, excess: f64) -> (Cause, f64) {
        let over = |value: Option<f64>, typical: Option<f64>| {
            (value.zip(typical)).map_or(0.0, |(v, t)| (v - t).max(0.0))
        };
        let queue = over(r.queued().map(|v| v as f64), self.queue);
        let late = over(prefill(r), self.prefill);
        // A prompt that is longer explains a first token that is later in the same proportion, at most all of it.
        let longer = match (r.tokens.prompt(), self.prompt) {
            (Some(n), Some(typical)) if typical > 0.0 && n as f64 > 1.2 * typical => {
                late.min(self.prefill.unwrap_or(0.0) * (n as f64 / typical - 1.0))
            }
            _ => 0.0,
        };
        let tokens = r.output().map_or(0.0, |(n, _)| n as f64);
        let answer = (tokens - self.output.unwrap_or(tokens)).max(0.0) * self.tpot.unwrap_or(0.0);
        let slower = over(r.tpot(), self.tpot) * tokens;
        let causes = [
            (Cause::Retries, r.lost() as f64),
            (Cause::Queue, queue),
            (Cause::Prompt, longer),
            (Cause::FirstToken, late - longer),
            (Cause::Answer, answer),
            (Cause::Tokens, slower),
        ];
        // Of equal ones the first.
        let best = causes.into_iter().rev().max_by(|a, b| a.1.total_cmp(&b.1));
        match best.filter(|(_, time)| *time > 0.25 * excess) {
            Some((cause, time)) => (cause, time.min(excess)),
            None if self.hits && r.cache == Some(CacheOutcome::Miss) => (Cause::Miss, excess),
            None => (Cause::Unknown, 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::model::{ProfileBuilder, Retry, TokenCounts};
    use crate::query::Run;

    fn run(rows: Vec<Request>) -> Run {
        let mut b = ProfileBuilder::new("test");
        for r in rows {
            b.request(r);
        }
        Run::of(b.finish().into())
    }

    fn request(queue: i64, prefill: i64, tokens: u64, tpot: i64) -> Request {
        let first = queue + prefill;
        let finished = first + (tokens as i64 - 1) * tpot;
        Request {
            scheduled: Some(queue),
            first_token: Some(first),
            last_token: Some(finished),
            finished: Some(finished),
            tokens: TokenCounts { input: Some(100), output: Some(tokens), ..TokenCounts::default() },
            ..Request::default()
        }
    }

    #[test]
    fn a_promise_is_kept_broken_or_unknown() {
        let slo = Slo { ttft: Some(100), tpot: Some(10), latency: None };
        let mut rows = vec![request(0, 100, 11, 10), request(50, 100, 11, 10), request(0, 90, 11, 12)];
        rows.push(Request { outcome: Outcome::Error, ..request(0, 1, 2, 1) });
        rows.push(Request { outcome: Outcome::Running, ..request(0, 1, 2, 1) });
        // Nobody knows its first token.
        rows.push(Request { finished: Some(1000), ..Request::default() });
        // One token has no time per token.
        rows.push(request(0, 50, 1, 0));
        let asked = SloCheck { slo, asked: Asked::default() };
        let kept = ask(&run(rows), &asked);
        assert_eq!((kept.kept, kept.broken, kept.failed, kept.unknown), (2, 3, 1, 2));
        assert_eq!((kept.by, kept.share()), ([1, 1, 0], Some(0.4)));
        assert_eq!(kept.goodput, Some(2.0 / 1000.0 * 1e9));
    }

    #[test]
    fn the_slowest_say_what_made_them_slow() {
        let mut rows: Vec<Request> = (0..9).map(|_| request(0, 100, 11, 10)).collect();
        rows.push(request(900, 100, 11, 10));
        rows.push(Request {
            tokens: TokenCounts { input: Some(1000), output: Some(11), ..TokenCounts::default() },
            ..request(0, 1000, 11, 10)
        });
        rows.push(request(0, 100, 111, 10));
        rows.push(request(0, 100, 11, 60));
        let retry = Retry { began: 0, failed: 100, again: 2000, reason: StringId::default() };
        rows.push(Request {
            retries: vec![retry],
            first_token: Some(2100),
            last_token: Some(2200),
            finished: Some(2200),
            ..request(0, 100, 11, 10)
        });
        rows.push(request(0, 3000, 11, 10));
        let found = ask(&run(rows), &SlowRequests { asked: Asked::default() });
        assert_eq!(found.medians, [(StringId::default(), 200.0)]);
        let causes: Vec<Cause> = found.rows.iter().map(|r| r.cause).collect();
        use Cause::{Answer, FirstToken, Prompt, Queue, Retries, Tokens};
        let mut sorted = causes.clone();
        sorted.sort_by_key(|c| c.words());
        let mut expected = [FirstToken, Retries, Answer, Queue, Prompt, Tokens];
        expected.sort_by_key(|c| c.words());
        assert_eq!(sorted, expected, "{causes:?}");
        assert_eq!(causes[0], FirstToken, "the slowest comes first");
    }

    #[test]
    fn a_request_is_held_against_those_of_its_model() {
        let of = |model, latency| Request { model, finished: Some(latency), ..Request::default() };
        let mut b = ProfileBuilder::new("test");
        let (chat, embedding) = (b.string("chat"), b.string("embedding"));
        for (model, latency) in
            [(embedding, 50), (embedding, 50), (embedding, 90), (chat, 1000), (chat, 1010)]
        {
            b.request(of(model, latency));
        }
        let found = ask(&Run::of(b.finish().into()), &SlowRequests { asked: Asked::default() });
        let rows: Vec<_> = found.rows.iter().map(|r| (r.latency, r.median)).collect();
        assert_eq!(rows, [(90, 50.0)], "answers take longer than embeddings");
    }
}
