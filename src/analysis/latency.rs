//! Where the time of requests goes: phases and the longest of them, the parts of the time to first token, percentiles.
//!
//! Phases of requests are sums over those that ended well, by what their server states or by their stamps. A recording may name phases of
//! its own, which are parts of the time that passed: they stand beside those of the requests and are never mixed with them. What no
//! phase covers is a part of its own: `unaccounted`.

use super::asked::Asked;
use super::overview::Distribution;
use super::phases::phases;
use super::requests::{RequestPart, parts};
use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{Outcome, Profile, Request};
use crate::query::{Context, Query};

/// The part that no phase covers.
pub const UNACCOUNTED: &str = "unaccounted";

/// Time of one phase over all requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseTime {
    /// Its name.
    pub name: String,
    /// ns.
    pub time: i64,
}

/// What the time to first token is made of, ns, over the requests that have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstToken {
    /// Requests with a time to first token.
    pub requests: usize,
    /// Sum of these times.
    pub total: i64,
    /// Looking into a cache of answers; here and below `None` where no request says.
    pub lookup: Option<i64>,
    /// Waiting in a queue.
    pub queue: Option<i64>,
    /// Loading the model.
    pub load: Option<i64>,
    /// Reading the prompt.
    pub prefill: Option<i64>,
    /// The rest: reading the prompt where nobody states it, and the way to and from the server.
    pub rest: i64,
}

/// A figure with its statistics, ns.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Its name.
    pub name: &'static str,
    /// `None` when no request has it.
    pub values: Option<Distribution>,
}

/// What requests did: waited for their turn, were worked on, or waited for something else. Sums over those that ended well, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Waiting in a queue.
    pub queued: i64,
    /// Worked on: as their server states it, or from when they left the queue on.
    pub busy: i64,
    /// The rest: looks into caches of answers, attempts that failed and the waits after them, the network, and servers that do not
    /// say what they did.
    pub awaited: i64,
}

impl Activity {
    /// The parts with their names.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, i64); 3] {
        [("queued", self.queued), ("busy", self.busy), ("awaited", self.awaited)]
    }

    fn of(done: &[&Request]) -> Self {
        let mut out = Self::default();
        for r in done {
            let Some(latency) = r.latency() else { continue };
            let (t, queued) = (&r.phases, r.queued().unwrap_or(0));
            let stated = [t.load, t.prefill, t.decode].into_iter().flatten().reduce(i64::saturating_add);
            let stamped = || {
                let end = r.token_times.last().copied().or(r.last_token).or(r.finished)?;
                Some(end.saturating_sub(r.scheduled?).saturating_sub(r.lost()))
            };
            let busy = stated.or_else(stamped).unwrap_or(0).clamp(0, latency.saturating_sub(queued).max(0));
            out.queued = out.queued.saturating_add(queued);
            out.busy = out.busy.saturating_add(busy);
            out.awaited =
                out.awaited.saturating_add(latency.saturating_sub(queued).saturating_sub(busy).max(0));
        }
        out
    }
}

/// Phases and the time that they share out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseSums {
    /// Phases in order, with what they leave over at the end.
    pub phases: Vec<PhaseTime>,
    /// The time of all requests, or of the run.
    pub total: i64,
    /// Phases of the run overlap, so that they may be more than the total.
    pub overlap: bool,
}

/// Where the time goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    /// Phases of the requests.
    pub of_requests: PhaseSums,
    /// Phases that the recording names; `None` where it names none.
    pub of_run: Option<PhaseSums>,
    /// Requests that say what they spent time on, of those that have a latency.
    pub told: (usize, usize),
    /// What requests did with their time.
    pub activity: Activity,
    /// Parts of the time to first token.
    pub first_token: FirstToken,
    /// Percentiles.
    pub spreads: Vec<Spread>,
    /// Requests in flight on average: their latencies over the time of all of them (Little's law).
    pub average_concurrency: Option<f64>,
}

impl PhaseSums {
    /// The longest phase, and its share of the total; `None` without phases, and where more time than that is in none of them.
    #[must_use]
    pub fn bottleneck(&self) -> Option<(&PhaseTime, f64)> {
        let (undivided, phases): (Vec<&PhaseTime>, Vec<&PhaseTime>) =
            self.phases.iter().filter(|p| p.time > 0).partition(|p| p.name == UNACCOUNTED);
        // Of equal ones the first.
        let longest = phases.into_iter().rev().max_by_key(|p| p.time)?;
        if undivided.iter().any(|rest| rest.time > longest.time) {
            return None;
        }
        (self.total > 0).then(|| (longest, longest.time as f64 / self.total as f64))
    }
}

/// Computes the [`Latency`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct RequestLatency {
    /// Which requests.
    pub asked: Asked,
}

impl Query for RequestLatency {
    type Output = Latency;

    fn run(&self, cx: &Context<'_>) -> Result<Latency, Cancelled> {
        let profile = cx.profile();
        let ids = self.asked.ids(cx)?;
        let rows = ids.iter().map(|id| &profile.requests.rows[id.index()]);
        let done: Vec<&Request> = rows.filter(|r| r.outcome == Outcome::Ok).collect();
        let (of_requests, told) = of_requests(&done);
        let mut out = Latency {
            of_requests,
            told,
            of_run: recorded(profile, self.asked.range),
            activity: Activity::of(&done),
            first_token: first_token(&done),
            ..Latency::default()
        };
        let spread = |name, of: &dyn Fn(&Request) -> Option<f64>| Spread {
            name,
            values: Distribution::of(done.iter().filter_map(|r| of(r)).collect()),
        };
        out.spreads = vec![
            spread("latency", &|r| r.latency().map(|ns| ns as f64)),
            spread("ttft", &|r| r.ttft().map(|ns| ns as f64)),
            spread("ttfo", &|r| r.ttfo().map(|ns| ns as f64)),
            spread("tpot", &Request::tpot),
            spread("queue", &|r| r.queued().map(|ns| ns as f64)),
            Spread { name: "chunk_gap", values: Distribution::of(chunk_gaps(done.iter().copied())) },
        ];
        let dated: Vec<&&Request> = done.iter().filter(|r| !r.undated && r.finished.is_some()).collect();
        let first = dated.iter().map(|r| r.arrived).min();
        let last = dated.iter().filter_map(|r| r.finished).max();
        let busy: i64 = dated.iter().filter_map(|r| r.latency()).fold(0, i64::saturating_add);
        let wall = first.zip(last).map(|(a, b)| b.saturating_sub(a)).filter(|&wall| wall > 0);
        out.average_concurrency = wall.map(|wall| busy as f64 / wall as f64);
        Ok(out)
    }

    fn weight(latency: &Latency) -> usize {
        let run = latency.of_run.as_ref().map_or(0, |sums| sums.phases.len());
        (latency.of_requests.phases.len() + run) * 64 + 1000
    }
}

/// Times between one chunk of an answer and the next, ns, of all of them.
pub(super) fn chunk_gaps<'a>(rows: impl Iterator<Item = &'a Request>) -> Vec<f64> {
    rows.flat_map(|r| r.token_times.windows(2).map(|w| w[1].saturating_sub(w[0]) as f64)).collect()
}

/// The phases of a recording.
fn recorded(profile: &Profile, range: TimeRange) -> Option<PhaseSums> {
    let found = phases(profile, range);
    if found.shares.is_empty() {
        return None;
    }
    let mut out = PhaseSums { phases: Vec::new(), total: found.elapsed, overlap: found.overlap };
    for share in &found.shares {
        add(&mut out.phases, profile.function_name(share.function), share.total);
    }
    add(&mut out.phases, UNACCOUNTED, found.unaccounted);
    Some(out)
}

fn add(phases: &mut Vec<PhaseTime>, name: &str, time: i64) {
    match phases.iter_mut().find(|p| p.name == name) {
        Some(known) => known.time = known.time.saturating_add(time),
        None => phases.push(PhaseTime { name: name.to_owned(), time }),
    }
}

/// Sums over requests, under the names of the well-known example where there is one; how many say what they spent time on, of those
/// that have a latency.
fn of_requests(done: &[&Request]) -> (PhaseSums, (usize, usize)) {
    let (mut out, mut told) = (PhaseSums::default(), (0, 0));
    for r in done {
        let Some(latency) = r.latency() else { continue };
        out.total = out.total.saturating_add(latency);
        told.1 += 1;
        let t = &r.phases;
        if t.sum().is_some() {
            told.0 += 1;
            let stated = [
                ("llm_queue_wait", t.queue),
                ("model_load", t.load),
                ("prefill", t.prefill),
                ("token_generation", t.decode),
            ];
            for (name, time) in stated.into_iter().filter_map(|(name, time)| Some((name, time?))) {
                add(&mut out.phases, name, time);
            }
            add(&mut out.phases, UNACCOUNTED, r.unaccounted().unwrap_or(0));
            continue;
        }
        let parts = parts(r, r.arrived);
        told.0 += usize::from(parts.iter().any(|p| p.2 != RequestPart::Unknown));
        for (from, to, part) in parts {
            let name = match part {
                RequestPart::Lookup => "cache_lookup",
                RequestPart::Queued => "llm_queue_wait",
                RequestPart::Attempt => "failed_attempts",
                RequestPart::BackOff => "back_off",
                RequestPart::Prefill => "time_to_first_token",
                RequestPart::Decode => "token_generation",
                RequestPart::Answer => "whole_answer",
                RequestPart::Unknown => UNACCOUNTED,
            };
            add(&mut out.phases, name, to.saturating_sub(from));
        }
    }
    // The rest stands last.
    out.phases.sort_by_key(|p| p.name == UNACCOUNTED);
    (out, told)
}

fn first_token(done: &[&Request]) -> FirstToken {
    let mut out = FirstToken::default();
    for r in done {
        let Some(ttft) = r.ttft() else { continue };
        out.requests += 1;
        out.total = out.total.saturating_add(ttft);
        let mut rest = ttft;
        for (sum, part) in [
            (&mut out.lookup, r.lookup()),
            (&mut out.queue, r.queued()),
            (&mut out.load, r.phases.load),
            (&mut out.prefill, r.phases.prefill),
        ] {
            let Some(part) = part else { continue };
            *sum = Some(sum.unwrap_or(0).saturating_add(part));
            rest = rest.saturating_sub(part);
        }
        out.rest = out.rest.saturating_add(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::model::{FunctionSpec, ProfileBuilder, ServerTimes, TokenCounts, TrackKind, TrackSpec};
    use crate::query::Run;

    const MS: i64 = 1_000_000;

    fn latency(b: ProfileBuilder) -> std::sync::Arc<Latency> {
        ask(&Run::of(b.finish().into()), &RequestLatency::default())
    }

    #[test]
    fn the_example_spends_most_on_token_generation() {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "Phases", process: "", kind: TrackKind::Phase, sort: 0 });
        let mut at = 0;
        for (name, ms) in [
            ("preprocessing", 10),
            ("embedding_lookup", 50),
            ("llm_queue_wait", 20),
            ("time_to_first_token", 150),
            ("token_generation", 200),
            ("postprocessing", 10),
        ] {
            let function = b.function(FunctionSpec::named(name));
            b.span(track, at, at + ms * MS, function, crate::model::ArgsRef::NONE);
            at += ms * MS;
        }
        let found = latency(b);
        let found = found.of_run.as_ref().unwrap();
        let (phase, share) = found.bottleneck().unwrap();
        assert_eq!((phase.name.as_str(), phase.time, found.total), ("token_generation", 200 * MS, 440 * MS));
        assert!((share - 0.4545).abs() < 0.0001);
        assert!(found.phases.last().is_some_and(|p| p.name == UNACCOUNTED && p.time == 0));
    }

    #[test]
    fn phases_of_requests_and_what_they_leave_over_are_the_latency() {
        let mut b = ProfileBuilder::new("test");
        // As vLLM states them.
        b.request(Request {
            finished: Some(4000),
            first_token: Some(1500),
            phases: ServerTimes {
                queue: Some(1000),
                prefill: Some(450),
                decode: Some(2500),
                ..ServerTimes::default()
            },
            tokens: TokenCounts { output: Some(101), ..TokenCounts::default() },
            ..Request::default()
        });
        // By stamps.
        b.request(Request {
            arrived: 4000,
            scheduled: Some(4100),
            first_token: Some(4300),
            finished: Some(5000),
            ..Request::default()
        });
        b.request(Request { finished: Some(9000), outcome: Outcome::Error, ..Request::default() });
        let found = latency(b);
        assert_eq!(found.of_run, None, "nothing names phases of the run");
        let named: Vec<_> = found.of_requests.phases.iter().map(|p| (p.name.as_str(), p.time)).collect();
        let expected = [
            ("llm_queue_wait", 1100),
            ("prefill", 450),
            ("token_generation", 3200),
            ("time_to_first_token", 200),
            ("unaccounted", 50),
        ];
        assert_eq!(named, expected);
        assert_eq!((found.of_requests.total, expected.iter().map(|p| p.1).sum::<i64>()), (5000, 5000));
        let first = FirstToken {
            requests: 2,
            total: 1800,
            queue: Some(1100),
            prefill: Some(450),
            rest: 250,
            ..FirstToken::default()
        };
        assert_eq!((found.first_token, found.average_concurrency), (first, Some(1.0)));
        let told = Activity { queued: 1100, busy: 2950 + 900, awaited: 50 };
        assert_eq!(found.activity, told);
        assert_eq!(told.parts().iter().map(|p| p.1).sum::<i64>(), found.of_requests.total);
        let ttft = found.spreads.iter().find(|s| s.name == "ttft").unwrap().values.unwrap();
        assert_eq!((ttft.n, ttft.max, ttft.p999), (2, 1500.0, None));
    }
}
