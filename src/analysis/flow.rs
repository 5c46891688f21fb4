//! The way of requests through a service: looked up in a cache of answers, queued, put into a batch, computed, stored, answered or failed;
//! how many go each way, how long that takes and what it costs.

use super::asked::Asked;
use super::billing::{Bill, cost_sign};
use super::cached_answers::{CachedAnswer, cached_answer};
use crate::jobs::Cancelled;
use crate::model::{CacheOutcome, Money, Outcome, Profile, Request};
use crate::query::{Context, Query};

/// A place on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// All requests.
    Arrived,
    /// A cache of answers is asked.
    Check,
    /// It had the answer to the same request.
    Exact,
    /// It had the answer to a similar one.
    Similar,
    /// Waiting for a turn.
    Queue,
    /// Put together with others.
    Batch,
    /// The model.
    Model,
    /// The answer is put into the cache.
    Store,
    /// Answered.
    Answered,
    /// Failed or cancelled.
    Failed,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Arrived,
        Self::Check,
        Self::Exact,
        Self::Similar,
        Self::Queue,
        Self::Batch,
        Self::Model,
        Self::Store,
        Self::Answered,
        Self::Failed,
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrived => "requests",
            Self::Check => "cache check",
            Self::Exact => "exact hit",
            Self::Similar => "semantic hit",
            Self::Queue => "queue",
            Self::Batch => "batch",
            Self::Model => "model",
            Self::Store => "store",
            Self::Answered => "answered",
            Self::Failed => "failed",
        }
    }
}

/// What going from one place to the next is called.
#[must_use]
pub fn way(from: Stage, to: Stage) -> String {
    format!("{} → {}", from.name(), to.name())
}

/// True for a request that comes to a place or goes a [`way`], by its name.
#[must_use]
pub fn goes(profile: &Profile, r: &Request, name: &str) -> bool {
    let is_it = |from: Stage, to: Stage| match name.split_once(" → ") {
        Some((a, b)) => a == from.name() && b == to.name(),
        None => name == to.name(),
    };
    name == Stage::Arrived.name() || steps(profile, r).iter().any(|step| is_it(step.0, step.1))
}

/// Requests that go from one place to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// From here.
    pub from: Stage,
    /// To here.
    pub to: Stage,
    /// How many.
    pub requests: usize,
    /// Mean time from one to the other, ns, of those of which it is known.
    pub time: Option<i64>,
    /// What the requests cost that end this way, where known,
    pub cost: Option<Money>,
    /// with what stands before it: ≥ where some have no cost, ≈ where some is only about right.
    pub sign: &'static str,
}

/// The ways of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// All requests.
    pub requests: usize,
    /// Ways that some went, in order.
    pub edges: Vec<Edge>,
    /// Attempts that failed and were followed by another one.
    pub retries: usize,
    /// Time that they and the waits after them took, ns.
    pub lost: i64,
    /// Requests that were generated together with others, and in how many batches.
    pub batched: (usize, usize),
    /// Requests that still ran.
    pub running: usize,
}

/// Computes the [`Ways`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Flow {
    /// Which requests.
    pub asked: Asked,
}

/// What goes one way, while it is added up.
#[derive(Clone, Copy, Default)]
struct Sum {
    requests: usize,
    time: i64,
    timed: i64,
    cost: Option<Money>,
    unpriced: usize,
    about: bool,
}

/// The way of one request: each step with its time, and whether it is the last one.
fn steps(profile: &Profile, r: &Request) -> Vec<(Stage, Stage, Option<i64>, bool)> {
    use Stage::{Answered, Arrived, Batch, Check, Exact, Failed, Model, Queue, Similar, Store};
    let less =
        |time: Option<i64>, part: Option<i64>| time.map(|t| t.saturating_sub(part.unwrap_or(0)).max(0));
    let cached = if r.cache.is_some() { cached_answer(profile, r) } else { CachedAnswer::default() };
    let end = match r.outcome {
        Outcome::Ok => Some(Answered),
        Outcome::Error | Outcome::Cancelled => Some(Failed),
        Outcome::Running => None,
    };
    let mut way = Vec::new();
    let mut at = Arrived;
    if r.cache.is_some() {
        way.push((Arrived, Check, cached.lookup, false));
        at = Check;
    }
    let hit = match r.cache {
        Some(CacheOutcome::Exact) => Some(Exact),
        Some(CacheOutcome::Semantic) => Some(Similar),
        _ => None,
    };
    if let Some(hit) = hit {
        // Where nobody says how long the look-up took, it is all of it.
        let whole = r.latency().filter(|_| cached.lookup.is_none());
        way.push((at, hit, whole, false));
        let rest = less(r.latency(), cached.lookup).filter(|_| cached.lookup.is_some());
        way.extend(end.map(|end| (hit, end, rest, true)));
        return way;
    }
    let queued = r.queued();
    let mut waited = None;
    if queued.is_some() {
        way.push((at, Queue, None, false));
        (at, waited) = (Queue, queued);
    }
    if r.batch.is_some() {
        way.push((at, Batch, waited.take(), false));
        at = Batch;
    }
    way.push((at, Model, waited, false));
    if let Some(end) = end {
        let before = queued.unwrap_or(0).saturating_add(cached.lookup.unwrap_or(0));
        let computed = less(less(r.latency(), Some(before)), cached.store);
        match cached.store {
            Some(store) => {
                way.push((Model, Store, computed, false));
                way.push((Store, end, Some(store), true));
            }
            None => way.push((Model, end, computed, true)),
        }
    }
    way
}

impl Query for Flow {
    type Output = Ways;

    fn run(&self, cx: &Context<'_>) -> Result<Ways, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let ids = self.asked.ids(cx)?;
        let mut sums = [[Sum::default(); Stage::ALL.len()]; Stage::ALL.len()];
        let mut out = Ways { requests: ids.len(), ..Ways::default() };
        let mut batches = rustc_hash::FxHashSet::default();
        for (n, id) in ids.iter().enumerate() {
            if n % 1024 == 0 {
                cx.job().checkpoint(n as u64, ids.len() as u64)?;
            }
            let r = &profile.requests.rows[id.index()];
            let charge = &bill.charges[id.index()];
            for (from, to, time, ends) in steps(profile, r) {
                let sum = &mut sums[from as usize][to as usize];
                sum.requests += 1;
                if let Some(time) = time {
                    (sum.time, sum.timed) = (sum.time.saturating_add(time), sum.timed + 1);
                }
                if ends {
                    sum.cost = sum.cost.into_iter().chain(charge.cost).reduce(|a, b| a + b);
                    sum.unpriced += usize::from(charge.cost.is_none());
                    sum.about |= charge.is_about();
                }
            }
            out.retries += r.retries.len();
            out.lost = out.lost.saturating_add(r.lost());
            out.running += usize::from(r.outcome == Outcome::Running);
            if let Some(batch) = r.batch {
                batches.insert(batch);
                out.batched.0 += 1;
            }
        }
        out.batched.1 = batches.len();
        for from in Stage::ALL {
            for to in Stage::ALL {
                let sum = sums[from as usize][to as usize];
                if sum.requests > 0 {
                    let time = (sum.timed > 0).then(|| sum.time / sum.timed);
                    let sign = cost_sign(sum.cost, sum.unpriced, sum.about);
                    out.edges.push(Edge { from, to, requests: sum.requests, time, cost: sum.cost, sign });
                }
            }
        }
        Ok(out)
    }

    fn weight(ways: &Ways) -> usize {
        size_of_val(&*ways.edges)
    }
}

impl Ways {
    /// Requests that come to a place.
    #[must_use]
    pub fn at(&self, stage: Stage) -> usize {
        let into: usize = self.edges.iter().filter(|e| e.to == stage).map(|e| e.requests).sum();
        if stage == Stage::Arrived { self.requests } else { into }
    }

    /// The way between two places.
    #[must_use]
    pub fn edge(&self, from: Stage, to: Stage) -> Option<&Edge> {
        self.edges.iter().find(|e| (e.from, e.to) == (from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};

    #[test]
    fn what_comes_to_a_place_leaves_it_again() {
        let run = built(|b| {
            let request = |cache, outcome, queue: i64| Request {
                cache,
                outcome,
                scheduled: Some(queue),
                finished: Some(queue + 100),
                cost: Money::parse("0.5"),
                ..Request::default()
            };
            for r in [
                request(Some(CacheOutcome::Exact), Outcome::Ok, 1),
                request(Some(CacheOutcome::Semantic), Outcome::Ok, 1),
                request(Some(CacheOutcome::Miss), Outcome::Ok, 30),
                request(Some(CacheOutcome::Miss), Outcome::Error, 50),
                request(None, Outcome::Ok, 10),
            ] {
                b.request(r);
            }
        });
        let ways = ask(&run, &Flow::default());
        use Stage::{Answered, Arrived, Check, Exact, Failed, Model, Queue};
        let n = |from, to| ways.edge(from, to).map_or(0, |e| e.requests);
        assert_eq!((n(Arrived, Check), n(Arrived, Queue), n(Check, Queue), n(Check, Exact)), (4, 1, 2, 1));
        assert_eq!((n(Queue, Model), n(Model, Answered), n(Model, Failed)), (3, 2, 1));
        assert_eq!(ways.edge(Queue, Model).unwrap().time, Some(30), "the mean of 30, 50 and 10");
        let answered = ways.edge(Model, Answered).unwrap();
        assert_eq!(answered.sign, "");
        assert_eq!((answered.time, answered.cost.map(|m| m.to_string()).as_deref()), (Some(100), Some("1")));
        for stage in Stage::ALL {
            let out: usize = ways.edges.iter().filter(|e| e.from == stage).map(|e| e.requests).sum();
            let ends = matches!(stage, Answered | Failed);
            assert_eq!(if ends { 0 } else { ways.at(stage) }, out, "{}", stage.name());
        }
        assert_eq!(ways.at(Answered) + ways.at(Failed), 5);
    }

    #[test]
    fn a_batch_and_a_store_are_places_where_somebody_tells_of_them() {
        let run = built(|b| {
            let [lookup, store] = ["cache.lookup_s", "cache.store_s"].map(|name| b.string(name));
            let [short, long] = ["0.000000010", "0.000000005"].map(|text| b.string(text));
            b.request(Request {
                cache: Some(CacheOutcome::Miss),
                scheduled: Some(40),
                finished: Some(145),
                batch: Some(1),
                attributes: vec![(lookup, short), (store, long)],
                ..Request::default()
            });
            b.request(Request {
                cache: Some(CacheOutcome::Exact),
                finished: Some(30),
                attributes: vec![(lookup, short)],
                ..Request::default()
            });
        });
        let ways = ask(&run, &Flow::default());
        use Stage::{Answered, Arrived, Batch, Check, Exact, Model, Queue, Store};
        let time = |from, to| ways.edge(from, to).map(|e| e.time);
        assert_eq!(time(Arrived, Check), Some(Some(10)));
        assert_eq!((time(Check, Exact), time(Exact, Answered)), (Some(None), Some(Some(20))));
        assert_eq!((time(Queue, Batch), time(Batch, Model)), (Some(Some(30)), Some(None)));
        assert_eq!((time(Model, Store), time(Store, Answered)), (Some(Some(100)), Some(Some(5))));
    }
}
