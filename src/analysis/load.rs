//! How many requests were in flight and waited over time, and how latency and throughput went with that.

use super::asked::Asked;
use super::counters::figures;
use super::limits::counts_requests;
use crate::jobs::Cancelled;
use crate::model::{Outcome, Profile, Request};
use crate::query::{Context, Query};

/// Requests in flight from a time on, until the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// ns.
    pub time: i64,
    /// All that had arrived and not ended.
    pub in_flight: u32,
    /// Of these, waiting for their turn.
    pub waiting: u32,
}

/// Requests that arrived while so many others were in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// In flight, the request itself included.
    pub in_flight: u32,
    /// Requests that ended well, without those that a cache answered.
    pub requests: usize,
    /// Their mean latency, ns.
    pub latency: f64,
    /// Their mean time to first token, ns; `None` where nobody says.
    pub ttft: Option<f64>,
    /// Requests per second at that level by Little's law: in flight ÷ mean latency.
    pub throughput: f64,
}

/// Requests of several levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The least and the most in flight of its levels.
    pub in_flight: (u32, u32),
    /// Mean latency of its requests, ns.
    pub latency: f64,
}

/// Little's law: what is in flight on average is the rate at which requests come times how long they stay. Where it does not hold
/// requests are missing, or the counter counts something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Little {
    /// Requests per second, λ.
    pub rate: f64,
    /// Their mean latency, ns, W.
    pub latency: f64,
    /// λ · W.
    pub expected: f64,
    /// In flight on average, as it was counted, L.
    pub measured: f64,
    /// What counted it: the name of a counter, or empty for the requests themselves, those that ran on too.
    pub counter: String,
}

impl Little {
    /// How far what was measured is from what is expected, as a share of that.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.measured / self.expected - 1.0
    }
}

/// Load and what it did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// In flight over time, at most [`STEPS`] and then the highest of each stretch.
    pub steps: Vec<Step>,
    /// Time-weighted mean of requests in flight.
    pub average: Option<f64>,
    /// Little's law, where it can be checked.
    pub little: Option<Little>,
    /// Most requests in flight.
    pub peak: u32,
    /// Most requests that waited.
    pub peak_waiting: u32,
    /// Somebody says when requests left the queue.
    pub knows_queue: bool,
    /// By load, ascending; levels that no request arrived at are left out.
    pub levels: Vec<Level>,
    /// The quarter of the requests that met the least load and the one that met the most, where these loads differ.
    pub ends: Option<[Part; 2]>,
    /// The level with most throughput for its latency (Kleinrock's power), by place in `levels`, where at least three levels have
    /// three requests each.
    pub knee: Option<usize>,
}

/// Most [`Load::steps`].
pub const STEPS: usize = 1200;
/// Requests that a level needs to say something.
pub const ENOUGH: usize = 3;
/// Latency at the highest load over that at the knee, from which on load is what makes the difference.
const RISES: f64 = 1.3;

/// Computes the [`Load`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestLoad {
    /// Which requests.
    pub asked: Asked,
}

impl Query for RequestLoad {
    type Output = Load;

    fn run(&self, cx: &Context<'_>) -> Result<Load, Cancelled> {
        let rows = &cx.profile().requests.rows;
        let ids = self.asked.ids(cx)?;
        let dated: Vec<&Request> = ids.iter().map(|id| &rows[id.index()]).filter(|r| !r.undated).collect();
        let mut out = Load { knows_queue: dated.iter().any(|r| r.scheduled.is_some()), ..Load::default() };
        let steps = steps(&dated);
        cx.job().checkpoint(0, 0)?;
        out.peak = steps.iter().map(|s| s.in_flight).max().unwrap_or(0);
        out.peak_waiting = steps.iter().map(|s| s.waiting).max().unwrap_or(0);
        out.average = average(&steps);
        out.little = little(cx.profile(), &dated, out.average);
        out.levels = levels(&dated, &steps);
        out.ends = ends(&out.levels);
        out.knee = knee(&out.levels);
        out.steps = thinned(steps);
        Ok(out)
    }

    fn weight(load: &Load) -> usize {
        size_of_val(&*load.steps) + size_of_val(&*load.levels)
    }
}

/// All changes. At the same time departures come before arrivals.
fn steps(rows: &[&Request]) -> Vec<Step> {
    let mut edges: Vec<(i64, i32, i32)> = Vec::with_capacity(rows.len() * 3);
    for (r, flight) in rows.iter().filter_map(|r| Some((r, r.flight()?))) {
        edges.push((flight.from, 1, 0));
        if let Some(at) = r.scheduled {
            edges.push((r.waits_from().clamp(flight.from, flight.until), 0, 1));
            edges.push((at.clamp(flight.from, flight.until), 0, -1));
        }
        edges.extend((flight.until < i64::MAX).then_some((flight.until, -1, 0)));
    }
    edges.sort_unstable();
    let mut steps: Vec<Step> = Vec::new();
    let (mut flying, mut waiting) = (0i32, 0i32);
    for (time, flies, waits) in edges {
        (flying, waiting) = (flying + flies, waiting + waits);
        let step = Step { time, in_flight: flying.max(0) as u32, waiting: waiting.max(0) as u32 };
        match steps.last_mut() {
            Some(last) if last.time == time => *last = step,
            _ => steps.push(step),
        }
    }
    steps
}

fn average(steps: &[Step]) -> Option<f64> {
    let (first, last) = (steps.first()?, steps.last()?);
    let length = last.time.checked_sub(first.time).filter(|&l| l > 0)?;
    let area: f64 = steps
        .windows(2)
        .map(|w| f64::from(w[0].in_flight) * w[1].time.saturating_sub(w[0].time) as f64)
        .sum();
    Some(area / length as f64)
}

fn little(profile: &Profile, rows: &[&Request], average: Option<f64>) -> Option<Little> {
    let first = rows.iter().map(|r| r.arrived).min()?;
    let last = rows.iter().filter_map(|r| r.finished).max()?;
    let length = last.checked_sub(first).filter(|l| *l > 0)? as f64;
    let lengths: Vec<f64> = rows.iter().filter_map(|r| Some(r.latency()? as f64)).collect();
    let latency = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
    let rate = lengths.len() as f64 * 1e9 / length;
    let counted = profile.counters.iter().find_map(|c| {
        let is_it = counts_requests(profile, c);
        let found = is_it.then(|| figures(c, Some((first, last)))).flatten()?;
        Some((found.mean, profile.text(c.name).to_owned()))
    });
    let (measured, counter) = counted.or_else(|| Some((average?, String::new())))?;
    let expected = rate * latency / 1e9;
    (expected > 0.0).then_some(Little { rate, latency, expected, measured, counter })
}

/// Requests by how many were in flight right after they arrived.
fn levels(rows: &[&Request], steps: &[Step]) -> Vec<Level> {
    let mut sums: std::collections::BTreeMap<u32, (usize, f64, usize, f64)> =
        std::collections::BTreeMap::new();
    // What a cache answered put no load on the model.
    for r in rows.iter().filter(|r| r.outcome == Outcome::Ok && !r.answered_by_cache()) {
        let Some(latency) = r.latency().filter(|&l| l > 0) else { continue };
        let at = steps.partition_point(|s| s.time <= r.arrived);
        let Some(step) = at.checked_sub(1).map(|i| steps[i]) else { continue };
        let sum = sums.entry(step.in_flight.max(1)).or_default();
        (sum.0, sum.1) = (sum.0 + 1, sum.1 + latency as f64);
        if let Some(ttft) = r.ttft() {
            (sum.2, sum.3) = (sum.2 + 1, sum.3 + ttft as f64);
        }
    }
    let level = |(in_flight, (n, latency, known, ttft)): (u32, (usize, f64, usize, f64))| {
        let latency = latency / n as f64;
        Level {
            in_flight,
            requests: n,
            latency,
            ttft: (known > 0).then(|| ttft / known as f64),
            throughput: f64::from(in_flight) * 1e9 / latency,
        }
    };
    sums.into_iter().map(level).collect()
}

/// The quarter of the requests with the least load, and that with the most: one level of a few requests says little.
fn ends(levels: &[Level]) -> Option<[Part; 2]> {
    fn quarter<'a>(levels: impl Iterator<Item = &'a Level>, enough: usize) -> Option<Part> {
        let (mut n, mut sum, mut in_flight) = (0usize, 0.0, (u32::MAX, 0));
        for level in levels {
            if n >= enough {
                break;
            }
            (n, sum) = (n + level.requests, sum + level.latency * level.requests as f64);
            in_flight = (in_flight.0.min(level.in_flight), in_flight.1.max(level.in_flight));
        }
        (n > 0).then(|| Part { in_flight, latency: sum / n as f64 })
    }
    let all: usize = levels.iter().map(|level| level.requests).sum();
    let enough = (all / 4).max(ENOUGH);
    let (low, high) = (quarter(levels.iter(), enough)?, quarter(levels.iter().rev(), enough)?);
    (low.in_flight.1 < high.in_flight.0).then_some([low, high])
}

/// Where more load begins to cost more latency than it brings throughput; `None` where latency does not rise with load: then the
/// levels differ by chance or by what was asked.
fn knee(levels: &[Level]) -> Option<usize> {
    let sound: Vec<(usize, &Level)> =
        levels.iter().enumerate().filter(|(_, l)| l.requests >= ENOUGH).collect();
    let power = |l: &Level| l.throughput / l.latency;
    let (best, knee) = sound.iter().max_by(|a, b| power(a.1).total_cmp(&power(b.1)))?;
    let (_, last) = sound.last()?;
    // All further levels, so that one dip decides nothing.
    let above = sound.iter().filter(|(i, _)| i > best);
    let rises = above.clone().all(|(_, l)| l.latency > knee.latency) && last.latency > RISES * knee.latency;
    (sound.len() >= 3 && rises).then_some(*best)
}

/// Of many steps the highest of each stretch.
fn thinned(steps: Vec<Step>) -> Vec<Step> {
    let every = steps.len().div_ceil(STEPS).max(1);
    if every == 1 {
        return steps;
    }
    let highest = |part: &[Step]| Step {
        time: part[0].time,
        in_flight: part.iter().map(|s| s.in_flight).max().unwrap_or(0),
        waiting: part.iter().map(|s| s.waiting).max().unwrap_or(0),
    };
    steps.chunks(every).map(highest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::model::{ProfileBuilder, Unit};
    use crate::query::Run;

    fn load(rows: impl IntoIterator<Item = (i64, i64, i64)>) -> Load {
        let mut b = ProfileBuilder::new("test");
        for (arrived, scheduled, finished) in rows {
            let (scheduled, finished) = (Some(scheduled), Some(finished));
            b.request(Request { arrived, scheduled, finished, ..Request::default() });
        }
        let run = Run::of(b.finish().into());
        (*ask(&run, &RequestLoad { asked: Asked::default() })).clone()
    }

    #[test]
    fn requests_in_flight_and_waiting_are_counted_from_edge_to_edge() {
        let found = load([(0, 0, 100), (10, 100, 150), (20, 150, 200)]);
        let steps: Vec<_> = found.steps.iter().map(|s| (s.time, s.in_flight, s.waiting)).collect();
        let expected = [(0, 1, 0), (10, 2, 1), (20, 3, 2), (100, 2, 1), (150, 1, 0), (200, 0, 0)];
        assert_eq!(steps, expected);
        assert_eq!((found.peak, found.peak_waiting), (3, 2));
        // 1×10 + 2×10 + 3×80 + 2×50 + 1×50, which is the sum of all latencies: Little's law.
        assert_eq!(found.average, Some((100 + 140 + 180) as f64 / 200.0));
        let little = found.little.unwrap();
        assert!((little.expected - 2.1).abs() < 1e-9 && little.difference().abs() < 1e-9, "{little:?}");
    }

    #[test]
    fn a_counter_is_measured_while_it_is_known() {
        let little = |points: &[(i64, f64)]| {
            let mut b = ProfileBuilder::new("test");
            b.request(Request { arrived: 0, finished: Some(200), ..Request::default() });
            let counter = b.counter("server:num_requests_running", "", Unit::Count);
            points.iter().for_each(|&(time, value)| b.point(counter, time, value));
            let run = Run::of(b.finish().into());
            let little = ask(&run, &RequestLoad { asked: Asked::default() }).little.clone().unwrap();
            (little.measured, little.counter)
        };
        // It keeps its value: 2 from 10 to 110 of 10 to 200.
        let (measured, name) = little(&[(10, 2.0), (110, 0.0), (300, 9.0)]);
        assert!((measured - 200.0 / 190.0).abs() < 1e-9, "{measured}");
        assert_eq!(name, "server:num_requests_running");
        assert_eq!(little(&[(300, 9.0)]), (1.0, String::new()), "it begins later: the requests themselves");
    }

    #[test]
    fn the_knee_is_where_more_load_only_makes_requests_wait() {
        // One server that does two at once: from three on they wait.
        let mut rows = Vec::new();
        for (n, latency) in [(1, 100), (2, 100), (4, 200), (8, 400)] {
            for round in 0..3 {
                let start = n * 100_000 + round * 10_000;
                rows.extend((0..n).map(|_| (start, start, start + latency)));
            }
        }
        let found = load(rows);
        let levels: Vec<_> = found.levels.iter().map(|l| (l.in_flight, l.requests, l.latency)).collect();
        assert_eq!(levels, [(1, 3, 100.0), (2, 6, 100.0), (4, 12, 200.0), (8, 24, 400.0)]);
        let rate = |i: usize| found.levels[i].throughput;
        assert!(rate(1) > rate(0) && (rate(3) - rate(1)).abs() < 1e-6, "no more than two at once");
        assert_eq!(found.knee, Some(1));
        // 45 requests: 11 of them at least, in whole levels.
        let [low, high] = found.ends.unwrap();
        assert_eq!((low.in_flight, high.in_flight), ((1, 4), (8, 8)));
        assert!((low.latency - (3.0 * 100.0 + 6.0 * 100.0 + 12.0 * 200.0) / 21.0).abs() < 1e-9);
    }

    #[test]
    fn where_latency_does_not_rise_with_load_there_is_no_knee() {
        let level = |in_flight: u32, latency: f64| Level {
            in_flight,
            requests: 9,
            latency,
            ttft: None,
            throughput: f64::from(in_flight) * 1e9 / latency,
        };
        let levels = |latencies: &[f64]| -> Vec<Level> {
            (1..).zip(latencies).map(|(n, latency)| level(n, *latency)).collect()
        };
        assert_eq!(knee(&levels(&[100.0, 100.0, 200.0, 300.0])), Some(1));
        assert_eq!(knee(&levels(&[100.0, 90.0, 110.0, 95.0])), None, "only chance");
        assert_eq!(knee(&levels(&[100.0, 60.0, 200.0, 50.0])), None, "faster again with more");
    }

    #[test]
    fn of_many_steps_the_highest_stay() {
        let found = load((0..10_000).map(|i| (i * 10, i * 10, i * 10 + if i == 5000 { 1000 } else { 5 })));
        assert!(found.steps.len() <= STEPS);
        assert_eq!(found.steps.iter().map(|s| s.in_flight).max(), Some(found.peak));
        assert_eq!(load([]), Load::default());
    }
}
