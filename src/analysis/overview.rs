//! The numbers at the top: totals per metric, memory peak, phases, and figures over all LLM requests.

use std::borrow::Cow;

use super::billing::{Bill, Billing, cost_text};
use super::energy::{Energy, Used};
use super::formula::Measure;
use super::functions::{graph_of, graph_sum};
use super::gpu::{GpuBusy, gpu_busy};
use super::phases::{Phases, phases};
use super::prices::{Charge, Prices};
use super::requests::in_flight;
use super::scope::{Scope, Slice, TimeRange};
use super::tree_costs::Costs;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::keys::names;
use crate::model::{
    CounterId, Flight, MetricKey, Money, Origin, Outcome, Profile, Request, TrackKind, Unit, heap,
};
use crate::query::{Context, Query};

/// Order statistics of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    /// Number of values.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 75th percentile.
    pub p75: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile, of a thousand values and more: of fewer it would be the largest.
    pub p999: Option<f64>,
    /// Largest.
    pub max: f64,
}

impl Distribution {
    /// Statistics of `values` (any order); `None` when there are none. Percentiles interpolate
    /// linearly between the closest ranks, as numpy does.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|v| v.is_finite());
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let at = |q: f64| {
            let place = q * (values.len() - 1) as f64;
            let (low, share) = (place.floor() as usize, place.fract());
            let high = (low + 1).min(values.len() - 1);
            values[low] + (values[high] - values[low]) * share
        };
        Some(Self {
            n: values.len(),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            min,
            p50: at(0.5),
            p75: at(0.75),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: (values.len() >= 1000).then(|| at(0.999)),
            max,
        })
    }

    /// The 50th, 75th, 90th, 95th or 99th percentile, where there are enough values for it: of fewer it would be little
    /// else than the largest.
    #[must_use]
    pub fn percentile(&self, of: u32) -> Option<f64> {
        let (value, least) = match of {
            50 => (self.p50, 1),
            75 => (self.p75, 4),
            90 => (self.p90, 10),
            95 => (self.p95, 20),
            99 => (self.p99, 100),
            _ => return None,
        };
        (self.n >= least).then_some(value)
    }
}

/// Figures over all requests of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestFigures {
    /// All requests.
    pub count: usize,
    /// Requests that failed; left out of the latency figures.
    pub failed: usize,
    /// Requests that were cancelled; left out, too.
    pub cancelled: usize,
    /// Input tokens, where known.
    pub prompt_tokens: Option<u64>,
    /// Output tokens, where known; chunks where nobody counted tokens.
    pub output_tokens: Option<u64>,
    /// Some requests have no count of output tokens: what rests on it is estimated by their chunks.
    pub estimated: bool,
    /// What stands before the counts of input and of output: ≥ where some are not known, ≈ where some are computed.
    pub signs: [&'static str; 2],
    /// Attempts that failed and were followed by another one.
    pub retries: usize,
    /// Time that these and the waits after them took, ns, over all requests.
    pub lost: i64,
    /// What users waited for the first token, ns: as `ttft`, with what retries took.
    pub waited: Option<Distribution>,
    /// What the priced requests cost; `None` when none is priced.
    pub cost: Option<Money>,
    /// Some of these costs are only about right.
    pub cost_is_about: bool,
    /// Requests without a price.
    pub unpriced: usize,
    /// Time to first token, ns.
    pub ttft: Option<Distribution>,
    /// Mean time per output token after the first, ns, one value per request.
    pub tpot: Option<Distribution>,
    /// Arrival to end, ns.
    pub latency: Option<Distribution>,
    /// Arrival to start of work, ns.
    pub queued: Option<Distribution>,
    /// Output tokens of finished requests over the time from first arrival to last end, of those that say when they were, tokens/s.
    pub system_tokens_per_second: Option<f64>,
    /// Most requests in flight at one time; `None` where nobody says how long any was.
    pub peak_concurrency: Option<usize>,
    /// There may have been more: of some it is not known when they arrived or ended.
    pub peak_is_least: bool,
}

/// The highest point of a memory counter.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// Which counter.
    pub counter: CounterId,
    /// Its name.
    pub name: String,
    /// When, ns.
    pub time: i64,
    /// How much, bytes.
    pub bytes: f64,
}

impl Peak {
    /// True for the memory that the recorded work allocated, which no recorder adds to.
    #[must_use]
    pub fn is_heap(&self) -> bool {
        self.name == heap::COUNTER
    }

    /// What its highest point is called: by what was counted.
    #[must_use]
    pub fn title(&self) -> Cow<'static, str> {
        match self.name.rsplit(" › ").next() {
            Some(heap::COUNTER) => "Peak heap".into(),
            Some(heap::RSS) => "Peak RSS".into(),
            _ => format!("Peak of {}", self.name).into(),
        }
    }

    /// True for a counter of another run that counts the same: a process has another number there.
    #[must_use]
    pub fn counts_as(&self, other: &Self) -> bool {
        names::track(&self.name) == names::track(&other.name)
    }
}

/// What everything costs in a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// The metric.
    pub metric: Measure,
    /// Sum of own costs; what it means is in [`Overview::sum_of`].
    pub sum: i64,
    /// Functions have parts of the sum more than once, so that it means nothing: see [`Metric::overlaps`].
    ///
    /// [`Metric::overlaps`]: crate::model::Metric::overlaps
    pub overlaps: bool,
    /// Of the sum, what calls that ran at the same time as others of their caller have.
    pub at_once: i64,
}

impl Total {
    /// The sum, where it means something.
    #[must_use]
    pub fn known(&self) -> Option<i64> {
        (!self.overlaps).then_some(self.sum)
    }

    /// True when more was counted than a number holds: the sum is the largest one.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        format::is_saturated(self.sum)
    }
}

/// Everything above.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What everything costs, per metric.
    pub totals: Vec<Total>,
    /// What totals of time are a sum of.
    pub sum_of: &'static str,
    /// Elapsed time from the first to the last thing, ns.
    pub elapsed: Option<i64>,
    /// Phases in order, and the rest of the elapsed time as «unaccounted».
    pub phases: Phases,
    /// Peaks of memory counters.
    pub peaks: Vec<Peak>,
    /// How long GPUs were busy.
    pub gpus: Vec<GpuBusy>,
    /// Energy of devices whose power was measured; `None` where none was.
    pub energy: Option<Used>,
    /// Figures over LLM requests; `None` when there are none.
    pub requests: Option<RequestFigures>,
}

impl Overview {
    /// The peak of the memory of the work: of its heap where that was counted, otherwise of the counter that went highest.
    /// What a recorder holds for itself is none of it.
    #[must_use]
    pub fn peak_memory(&self) -> Option<&Peak> {
        let recorded = self.peaks.iter().any(|p| p.name == heap::RECORDER);
        let work = self.peaks.iter().filter(|p| p.name != heap::RECORDER);
        let heap = self.peaks.iter().find(|p| recorded && p.is_heap());
        heap.or_else(|| work.max_by(|a, b| a.bytes.total_cmp(&b.bytes)))
    }

    /// Why a heap can be larger than the memory that the system gave the process, where it was at its peak.
    #[must_use]
    pub fn heap_above_rss(&self) -> Option<String> {
        let peak = |name| self.peaks.iter().find(|p| p.name == name).map(|p| p.bytes);
        let above = peak(heap::COUNTER)? - peak(heap::RSS)?;
        (above > 0.0).then(|| {
            let above = format::bytes(above as i64);
            format!("At its peak the heap is {above} above RSS: allocated but not touched, or freed before RSS was read.")
        })
    }
}

/// Computes the [`Overview`] of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Summary {
    /// Which part.
    pub scope: Scope,
    /// Which time.
    pub range: TimeRange,
    /// Metrics that a person defined, beside those of the profile.
    pub defined: Vec<MetricKey>,
    /// By which requests are priced.
    pub prices: Prices,
}

impl Query for Summary {
    type Output = Overview;

    fn run(&self, cx: &Context<'_>) -> Result<Overview, Cancelled> {
        let profile = cx.profile();
        let mut totals = Vec::new();
        // Where nothing was measured, a sum of nothing would look like one.
        let metrics = if is_measured(profile) { Measure::all(profile, &self.defined) } else { Vec::new() };
        for metric in metrics {
            let (sum, at_once) = match graph_of(profile) {
                // The estimate of a tree is not needed for what the tool has counted.
                Some(graph) => (graph_sum(graph, &metric.terms), 0),
                None => {
                    let slice = Slice { scope: self.scope.clone(), metric: metric.key, range: self.range };
                    let costs = cx.get(&Costs(slice))?;
                    (costs.whole.total, costs.at_once)
                }
            };
            let overlaps = metric.terms.iter().any(|(_, id)| profile.metric(*id).overlaps);
            totals.push(Total { metric, sum, overlaps, at_once });
        }
        Ok(Overview {
            totals,
            sum_of: match (profile.span_count() > 0, profile.sample_count() > 0) {
                (true, _) if profile.tracks.iter().any(|t| t.kind == TrackKind::Summary) => {
                    "all outermost spans of all tracks but phases and summaries"
                }
                (true, false) => "all outermost spans of all tracks but phases",
                (true, true) => "all outermost spans of all tracks but phases, and samples outside of them",
                (false, true) => "all samples",
                (false, false) => "the self costs of all functions",
            },
            elapsed: profile.elapsed(),
            phases: phases(profile, self.range),
            peaks: peaks(profile, self.range),
            gpus: gpu_busy(profile, self.range),
            energy: (*cx.get(&Energy(self.range))?).clone(),
            requests: request_figures(profile, self.range, &*cx.get(&Bill { prices: self.prices.clone() })?),
        })
    }
}

/// True when there is a function of which something was measured. Phases are none.
fn is_measured(profile: &Profile) -> bool {
    let tracks = profile.tracks.iter().filter(|t| t.kind != TrackKind::Phase);
    let on_tracks = tracks.map(|t| t.spans.rows.len() + t.samples.len()).sum::<usize>();
    profile.call_graph.is_some() || on_tracks > 0
}

fn peaks(profile: &Profile, range: TimeRange) -> Vec<Peak> {
    let inside = |t: i64| range.is_none_or(|(from, to)| (from..to).contains(&t));
    profile
        .counters
        .iter()
        .enumerate()
        .filter(|(_, c)| c.unit == Unit::Bytes)
        .filter_map(|(i, c)| {
            let (time, bytes) = c
                .times
                .iter()
                .zip(&c.values)
                .filter(|(t, _)| inside(**t))
                .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)))
                .map(|(&t, &v)| (t, v))?;
            let process = profile.text(c.process);
            let name = profile.text(c.name);
            let name = if process.is_empty() { name.to_owned() } else { format!("{process} › {name}") };
            Some(Peak { counter: CounterId::from_index(i), name, time, bytes })
        })
        .collect()
}

/// Figures over the requests that were in flight in the range.
#[must_use]
pub fn request_figures(profile: &Profile, range: TimeRange, bill: &Billing) -> Option<RequestFigures> {
    let inside = |r: &Request| range.is_none_or(|range| r.in_flight(range));
    let all = profile.requests.rows.iter().enumerate().filter(|(_, r)| inside(r));
    request_figures_of(&all.map(|(i, r)| (r, bill.charges.get(i))).collect::<Vec<_>>())
}

/// Figures over some requests with what each costs; `None` for none.
#[must_use]
pub fn request_figures_of(rows: &[(&Request, Option<&Charge>)]) -> Option<RequestFigures> {
    let charges: Vec<_> = rows.iter().filter_map(|r| r.1).collect();
    let rows: Vec<&Request> = rows.iter().map(|r| r.0).collect();
    if rows.is_empty() {
        return None;
    }
    let done: Vec<_> = rows.iter().filter(|r| r.outcome == Outcome::Ok).collect();
    let distribution = |value: &dyn Fn(&Request) -> Option<f64>| {
        Distribution::of(done.iter().filter_map(|r| value(r)).collect())
    };
    let dated = || rows.iter().filter(|r| !r.undated);
    let span = {
        let first = dated().map(|r| r.arrived).min();
        let last = dated().filter_map(|r| r.finished).max();
        first.zip(last).map(|(a, b)| b.saturating_sub(a)).filter(|&d| d > 0)
    };
    let of_time = done.iter().filter(|r| !r.undated);
    let done_output: Option<u64> = of_time.filter_map(|r| Some(r.output()?.0)).reduce(u64::saturating_add);
    let flights: Vec<Flight> = rows.iter().filter_map(|r| r.flight()).collect();
    let peak = in_flight(flights.iter().copied()).iter().map(|step| step.1).max();
    Some(RequestFigures {
        count: rows.len(),
        failed: rows.iter().filter(|r| r.outcome == Outcome::Error).count(),
        cancelled: rows.iter().filter(|r| r.outcome == Outcome::Cancelled).count(),
        prompt_tokens: rows.iter().filter_map(|r| r.tokens.prompt()).reduce(u64::saturating_add),
        output_tokens: rows.iter().filter_map(|r| Some(r.output()?.0)).reduce(u64::saturating_add),
        estimated: rows.iter().any(|r| r.is_estimated()),
        signs: [input_origin, output_origin]
            .map(|of| sign(rows.iter().filter(|r| !r.needed_no_tokens()).map(|r| of(r)))),
        retries: rows.iter().map(|r| r.retries.len()).sum(),
        lost: rows.iter().map(|r| r.lost()).fold(0, i64::saturating_add),
        waited: distribution(&|r| r.waited().map(|v| v as f64)),
        cost: charges.iter().filter_map(|c| c.cost).reduce(|a, b| a + b),
        cost_is_about: charges.iter().any(|c| c.is_about()),
        unpriced: charges.iter().filter(|c| c.cost.is_none()).count(),
        ttft: distribution(&|r| r.ttft().map(|v| v as f64)),
        tpot: distribution(&|r| r.tpot()),
        latency: distribution(&|r| r.latency().map(|v| v as f64)),
        queued: distribution(&|r| r.queued().map(|v| v as f64)),
        system_tokens_per_second: done_output.zip(span).map(|(n, d)| n as f64 * 1e9 / d as f64),
        peak_concurrency: peak.map(|peak| peak as usize),
        peak_is_least: flights.len() < rows.len() || flights.iter().any(|f| !f.is_all),
    })
}

impl RequestFigures {
    /// The most in flight at a time: «12», «≥ 12», «–».
    #[must_use]
    pub fn peak(&self) -> String {
        let sign = if self.peak_is_least { "≥ " } else { "" };
        let text = |n| format!("{sign}{}", format::count(n as i64));
        self.peak_concurrency.map_or_else(|| format::UNKNOWN.to_owned(), text)
    }

    /// The cost of those that have one: «$0.12», «≈ $0.12», «≥ $0.12» where others have none; `None` when none is priced.
    #[must_use]
    pub fn cost_text(&self) -> Option<String> {
        cost_text(self.cost, self.unpriced, self.cost_is_about)
    }

    /// Input and output tokens together, with what stands before them; `None` where nobody counted any.
    #[must_use]
    pub fn all_tokens(&self) -> Option<(u64, &'static str)> {
        let counts = [self.prompt_tokens, self.output_tokens];
        let sum = counts.into_iter().flatten().reduce(u64::saturating_add)?;
        let misses_some = counts.contains(&None);
        let least = Origin::LowerBound.sign();
        let sign = match self.signs {
            _ if misses_some => least,
            [input, output] if input == least || output == least => least,
            ["", output] => output,
            [input, _] => input,
        };
        Some((sum, sign))
    }

    /// «2 failed», «2 failed, 1 cancelled».
    #[must_use]
    pub fn outcomes(&self) -> String {
        let failed = format!("{} failed", format::count(self.failed as i64));
        match self.cancelled {
            0 => failed,
            n => format!("{failed}, {} cancelled", format::count(n as i64)),
        }
    }
}

/// What stands before the counts of input and output tokens of a request.
#[must_use]
pub fn token_signs(r: &Request) -> [&'static str; 2] {
    let sign = |of: Origin| if of == Origin::Unknown { "" } else { of.sign() };
    [sign(input_origin(r)), sign(output_origin(r))]
}

/// How the input of a request is known.
fn input_origin(r: &Request) -> Origin {
    if r.tokens.prompt().is_none() { Origin::Unknown } else { r.accounting.input }
}

/// How its output is known; chunks that stand for tokens are about right.
fn output_origin(r: &Request) -> Origin {
    match r.output() {
        None => Origin::Unknown,
        Some((_, true)) => Origin::Computed,
        Some((_, false)) => r.accounting.output,
    }
}

/// The sign before a sum of counts: what is missing makes it a lower bound, what is computed makes it about right.
pub(super) fn sign(origins: impl Iterator<Item = Origin>) -> &'static str {
    let (mut known, mut worst) = (false, Origin::Reported);
    for origin in origins {
        known |= origin != Origin::Unknown;
        worst = if origin as u8 > worst as u8 { origin } else { worst };
    }
    match worst {
        // Of nothing that is known there is no sum that would be one of some.
        _ if !known => "",
        Origin::Unknown => Origin::LowerBound.sign(),
        worst => worst.sign(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};
    use crate::model::{ProfileBuilder, TokenCounts};
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_those_of_numpy() {
        // numpy.percentile(v, [50, 90, 95, 99]) of these values.
        let d = Distribution::of(vec![15.0, 20.0, 35.0, 40.0, 50.0, f64::NAN]).unwrap();
        assert_eq!((d.n, d.mean, d.min, d.max, d.p50), (5, 32.0, 15.0, 50.0, 35.0));
        for (found, known) in [(d.p90, 46.0), (d.p95, 48.0), (d.p99, 49.6)] {
            assert!((found - known).abs() < 1e-9, "{found} {known}");
        }
        assert_eq!(Distribution::of(vec![f64::INFINITY]), None);
        let one = Distribution::of(vec![7.0]).unwrap();
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
    }

    #[test]
    fn totals_are_those_of_the_tree() {
        let s = subject("main 0 100 alloc=7 / a 10 20; [t2]; b 0 50");
        let o = ask(&s, &Summary::default());
        assert_eq!(
            o.totals.iter().map(|t| (&**t.metric.key.key.value(), t.sum)).collect::<Vec<_>>(),
            [("time", 150), ("alloc", 7)]
        );
        assert_eq!(o.elapsed, Some(100));
        let cut = ask(&s, &Summary { range: Some((0, 10)), ..Summary::default() });
        assert_eq!(cut.totals[0].sum, 20);
    }

    #[test]
    fn a_run_of_which_no_function_was_measured_has_no_totals() {
        let mut b = ProfileBuilder::new("test");
        b.metric(crate::model::Metric::time());
        let counter = b.counter("RSS", "", Unit::Bytes);
        b.point(counter, 0, 1.0);
        let s = crate::query::Run::of(b.finish().into());
        assert!(ask(&s, &Summary::default()).totals.is_empty());
    }

    #[test]
    fn a_heap_above_rss_says_why() {
        let why = |heap: f64, rss: f64| {
            let mut b = ProfileBuilder::new("test");
            for (name, bytes) in [("Heap", heap), ("RSS", rss)] {
                let counter = b.counter(name, "", Unit::Bytes);
                b.point(counter, 0, bytes);
            }
            let s = crate::query::Run::of(b.finish().into());
            ask(&s, &Summary::default()).heap_above_rss()
        };
        let text = why(80.0 * 1048576.0, 59.0 * 1048576.0).expect("a reason");
        assert!(text.contains("21.0 MiB above RSS: allocated but not touched"), "{text}");
        assert_eq!(why(30.0, 90.0), None);
    }

    #[test]
    fn the_peak_of_memory_is_that_of_the_work_and_not_of_its_recorder() {
        let peak = |counters: &[(&str, f64)]| {
            let mut b = ProfileBuilder::new("test");
            for &(name, bytes) in counters {
                let counter = b.counter(name, "", Unit::Bytes);
                b.point(counter, 0, bytes);
            }
            let s = crate::query::Run::of(b.finish().into());
            ask(&s, &Summary::default()).peak_memory().map(|p| (p.name.clone(), p.bytes))
        };
        let of = |name: &str, bytes| Some((name.to_owned(), bytes));
        assert_eq!(peak(&[("RSS", 90.0), ("Heap", 30.0), ("Recorder", 200.0)]), of("Heap", 30.0));
        assert_eq!(peak(&[("RSS", 90.0), ("Recorder", 200.0)]), of("RSS", 90.0));
        assert_eq!(peak(&[("RSS", 90.0), ("Heap", 30.0)]), of("RSS", 90.0), "of another tool");
        assert_eq!(peak(&[]), None);
    }

    #[test]
    fn rates_are_over_the_time_of_all_requests_and_unknown_without_one() {
        let figures = |undated| {
            let mut b = ProfileBuilder::new("test");
            let tokens = TokenCounts { output: Some(30), ..TokenCounts::default() };
            b.request(Request { finished: Some(2_000_000_000), undated, tokens, ..Request::default() });
            b.request(Request {
                arrived: 1_000_000_000,
                finished: Some(3_000_000_000),
                undated,
                outcome: Outcome::Error,
                ..Request::default()
            });
            let run = crate::query::Run::of(b.finish().into());
            let f = request_figures(&run.profile, None, &ask(&run, &Bill::default())).unwrap();
            (f.system_tokens_per_second, f.peak_concurrency)
        };
        assert_eq!(figures(false), (Some(10.0), Some(2)), "the server worked on what failed, too");
        assert_eq!(figures(true), (None, None), "nobody says which were at once");
    }

    #[test]
    fn figures_tell_failed_and_unpriced_requests_apart() {
        let mut b = ProfileBuilder::new("test");
        let name = b.string("chat");
        let request = |arrived, finished, outcome, cost| Request {
            name,
            arrived,
            finished,
            outcome,
            cost,
            tokens: TokenCounts { output: Some(10), ..TokenCounts::default() },
            ..Request::default()
        };
        b.request(request(0, Some(1_000_000_000), Outcome::Ok, Some(Money::from_nano(5))));
        b.request(request(500_000_000, Some(2_000_000_000), Outcome::Ok, None));
        b.request(request(600_000_000, None, Outcome::Error, None));
        b.request(request(3_000_000_000, None, Outcome::Cancelled, None));
        let p = b.finish();
        let s = crate::query::Run::of(p.into());
        let (p, bill) = (&*s.profile, ask(&s, &Bill::default()));
        let f = request_figures(p, None, &bill).unwrap();
        assert_eq!((f.count, f.failed, f.unpriced, f.cost), (4, 1, 3, Some(Money::from_nano(5))));
        assert_eq!(f.outcomes(), "1 failed, 1 cancelled");
        // When the third and the fourth ended nobody says.
        assert_eq!((f.peak(), f.output_tokens), ("≥ 2".into(), Some(40)));
        assert_eq!(f.system_tokens_per_second, Some(10.0));
        assert_eq!(f.latency.map(|d| (d.n, d.max)), Some((2, 1.5e9)));
        // What is in flight counts whole.
        let within = |range| request_figures(p, Some(range), &bill).map(|f| f.count);
        assert_eq!((within((5, 6)), within((5_000_000_000, 6_000_000_000))), (Some(1), None));
    }

    proptest! {
        #[test]
        fn percentiles_rise(values in proptest::collection::vec(-1e12f64..1e12, 1..50)) {
            let d = Distribution::of(values).unwrap();
            prop_assert!([d.min, d.p50, d.p90, d.p95, d.p99, d.max].is_sorted());
            prop_assert!(d.mean >= d.min - 1.0 && d.mean <= d.max + 1.0);
        }
    }
}
