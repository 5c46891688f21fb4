//! What changed between two runs, at a glance: a headline, what else differs, the figures that matter most, findings.

use std::borrow::Cow;
use std::sync::Arc;

use super::functions::{DiffFunctions, FunctionDiff, Measured, Row, median_of};
use super::headline;
use super::heap::{DiffHeap, HeapDiff};
use super::metrics::Metrics;
use super::requests::RequestDiff;
use super::settings::{self, Setting};
use super::tables::{self, TwoResults};
use super::{Compared, State, Two, headline::Words};
use crate::analysis::billing::Bill;
use crate::analysis::findings::{Findings, Noted};
use crate::analysis::overview::{Distribution, Overview, Peak, Summary};
use crate::analysis::prices::Prices;
use crate::jobs::Cancelled;
use crate::model::{Better, Money, Severity, Unit};
use crate::query::{Context, Pair, Query};

/// Asks for the [`Story`] of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffStory {
    /// Costs of functions.
    pub functions: DiffFunctions,
    /// By which requests are priced.
    pub prices: Prices,
}

/// A figure of both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: Cow<'static, str>,
    /// Its unit.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Its values; `None` where it is not known.
    pub values: Two<i64>,
    /// What stands before the values of base and head: ≥, ≈ or nothing.
    pub signs: [&'static str; 2],
}

/// Findings of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What is the matter.
    pub kind: String,
    /// The worst of both runs.
    pub severity: Severity,
    /// How many there are in each run.
    pub count: Two<usize>,
}

impl Found {
    /// «new», «fixed» or «same».
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.count.base.unwrap_or(0), self.count.head.unwrap_or(0)) {
            (0, _) => "new",
            (_, 0) => "fixed",
            (b, h) if b == h => "same",
            (b, h) if h > b => "more",
            _ => "fewer",
        }
    }
}

/// Functions of one kind of change: the first ones by its size, and the others together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Movers {
    /// Rows of [`Story::functions`].
    pub first: Vec<u32>,
    /// How many more there are.
    pub more: usize,
    /// The change of their own costs.
    pub rest: i64,
}

impl Movers {
    /// Names at most `most` of those that `takes` tells.
    fn of(functions: &FunctionDiff, most: usize, takes: impl Fn(&Row) -> bool) -> Self {
        let mut out = Self::default();
        for (i, row) in (0u32..).zip(&functions.rows).filter(|(_, row)| takes(row)) {
            if out.first.len() < most {
                out.first.push(i);
            } else {
                out.more += 1;
                out.rest = out.rest.saturating_add(row.own().delta().unwrap_or(0));
            }
        }
        out
    }
}

/// Functions that each list of a story names.
const NAMED: usize = 6;
/// Functions without a partner that are named.
const UNMATCHED: usize = 3;

/// What changed.
#[derive(Clone, Debug)]
pub struct Story {
    /// In words.
    pub words: Words,
    /// What differs in settings, input and machine.
    pub settings: Vec<Setting>,
    /// Figures that a side knows.
    pub figures: Vec<Figure>,
    /// Requests, where there are any.
    pub requests: Option<RequestDiff>,
    /// Findings by kind, those of the new run alone first.
    pub findings: Vec<Found>,
    /// Tables of results that both have.
    pub results: Vec<TwoResults>,
    /// Who held the heap at its peak, where both counted allocations.
    pub heap: Arc<Option<HeapDiff>>,
    /// All functions.
    pub functions: Arc<FunctionDiff>,
    /// Those whose own cost grew.
    pub more: Movers,
    /// Those whose own cost shrank.
    pub less: Movers,
    /// Those that only one run has.
    pub alone: Movers,
}

impl Query<Pair> for DiffStory {
    type Output = Story;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Story, Cancelled> {
        let functions = cx.get(&self.functions)?;
        let (base, head) = (cx.base(), cx.head());
        let side = |is_base| -> Result<(Vec<Measured>, Vec<Arc<Overview>>), Cancelled> {
            let DiffFunctions { scope, range, .. } = &self.functions;
            let prices = self.prices.clone();
            let summary = Summary { scope: scope.clone(), range: *range, prices, ..Summary::default() };
            let overviews = cx.runs(is_base).map(|run| run.get(&summary)).collect::<Result<_, _>>()?;
            Ok((self.functions.measured(is_base, cx)?, overviews))
        };
        let metric = &self.functions.metric;
        let bill = Bill { prices: self.prices.clone() };
        let noted = Findings { prices: self.prices.clone() };
        let (b, in_base) = side(true)?;
        let (h, in_head) = side(false)?;
        let profiles = (base.profile(), head.profile());
        let one_clock = settings::one_clock(profiles.0, profiles.1);
        let times =
            [&in_base, &in_head].map(|side| side.iter().map(|o| o.elapsed.filter(|_| one_clock)).collect());
        let [_, measure] = metric.measures(profiles.0, profiles.1);
        let requests = RequestDiff::of((profiles.0, &*base.get(&bill)?), (profiles.1, &*head.get(&bill)?));
        let words = headline::words(&functions, metric, &times, (&b, &h), &measure, requests.as_ref());
        let sum = Figure {
            name: "Total self".into(),
            unit: measure.unit,
            better: Better::Lower,
            values: functions.sum,
            signs: [""; 2],
        };
        let mut figures = figures(&in_base, &in_head);
        requests.iter().for_each(|requests| of_those_in_both(&mut figures, requests));
        if metric.why_not.is_none() {
            figures.insert(figures.len().min(1), sum);
        }
        Ok(Story {
            words,
            settings: settings::differing(profiles.0, profiles.1, &Metrics::of(profiles.0, profiles.1)),
            figures,
            requests,
            findings: findings(&base.get(&noted)?, &head.get(&noted)?),
            results: tables::results(profiles.0, profiles.1),
            heap: cx.get(&DiffHeap)?,
            more: Movers::of(&functions, NAMED, |r| r.own().delta().unwrap_or(0) > 0),
            less: Movers::of(&functions, NAMED, |r| r.own().delta().unwrap_or(0) < 0),
            alone: Movers::of(&functions, UNMATCHED, |r| {
                r.state() != State::Both && r.own().delta() != Some(0)
            }),
            functions,
        })
    }

    fn weight(story: &Story) -> usize {
        story.settings.len() * 200 + story.findings.len() * 80 + 1000
    }
}

/// What memory is compared by: that which counts of both runs, or of each what counts there. What was counted in another way is
/// another figure.
fn peaks<'a>(base: &'a [Arc<Overview>], head: &'a [Arc<Overview>]) -> Vec<(Cow<'static, str>, &'a Peak)> {
    let mut found: Vec<(Cow<'static, str>, &Peak)> = Vec::new();
    for peak in [base, head].into_iter().filter_map(|side| side.first()?.peak_memory()) {
        if !found.iter().any(|(_, other)| other.counts_as(peak)) {
            found.push((peak.title(), peak));
        }
    }
    found
}

/// The peak of the memory of both sides, where it was counted alike.
#[must_use]
pub fn peak_memory(base: &[Arc<Overview>], head: &[Arc<Overview>]) -> Two<i64> {
    let all = figures(base, head).into_iter();
    let mut peaks = all.filter(|f| f.unit == Unit::Bytes && f.name.starts_with("Peak "));
    peaks.find(|f| f.values.state() == Some(State::Both)).map(|f| f.values).unwrap_or_default()
}

/// Takes figures over the requests that ended well in both runs where each has others: what one did not do made it no faster and no
/// cheaper.
pub(in crate::analysis) fn of_those_in_both(figures: &mut [Figure], requests: &RequestDiff) {
    if !requests.only_some_compare() {
        return;
    }
    let round = |v: f64| v.round() as i64;
    for figure in figures {
        let [ttft, latency, tpot] =
            [requests.ttft_like_for_like, requests.latency_like_for_like, requests.tpot_like_for_like];
        let values = match &*figure.name {
            "TTFT p50" => ttft.map(|t| round(t.p50)),
            "TTFT p99" => ttft.map(|t| round(t.p99)),
            "TPOT p50" => tpot.map(|t| round(t.p50)),
            "Latency p50" => latency.map(|t| round(t.p50)),
            "Latency p99" => latency.map(|t| round(t.p99)),
            "Cost" => requests.cost_like_for_like.map(Money::nano),
            _ => continue,
        };
        figure.name = format!("{} of those in both", figure.name).into();
        (figure.values, figure.signs) = (values, [""; 2]);
    }
}

/// Of several runs of a side the median of each figure.
pub(in crate::analysis) fn figures(base: &[Arc<Overview>], head: &[Arc<Overview>]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |name: &str, unit, better, of: &dyn Fn(&Overview) -> Option<i64>| {
        let middle = |runs: &[Arc<Overview>]| median_of(runs.iter().map(|run| of(run)));
        let values = Two { base: middle(base), head: middle(head) };
        if values.state().is_some() {
            let name = name.to_owned().into();
            figures.push(Figure { name, unit, better, values, signs: [""; 2] });
        }
    };
    let (less, more) = (Better::Lower, Better::Higher);
    add("Elapsed", Unit::Nanoseconds, less, &|o| o.elapsed);
    for (name, peak) in peaks(base, head) {
        add(&name, Unit::Bytes, less, &|o| {
            let same = o.peaks.iter().find(|other| other.counts_as(peak));
            same.map(|p| p.bytes.round() as i64)
        });
    }
    add("Requests", Unit::Count, Better::Neutral, &|o| o.requests.as_ref().map(|r| r.count as i64));
    add("Failed", Unit::Count, less, &|o| o.requests.as_ref().map(|r| r.failed as i64));
    add("Cancelled", Unit::Count, less, &|o| o.requests.as_ref().map(|r| r.cancelled as i64));
    let p = |of: Option<Distribution>, q: fn(&Distribution) -> f64| of.map(|d| q(&d).round() as i64);
    let time = Unit::Nanoseconds;
    add("TTFT p50", time, less, &|o| p(o.requests.as_ref()?.ttft, |d| d.p50));
    add("TTFT p99", time, less, &|o| p(o.requests.as_ref()?.ttft, |d| d.p99));
    add("TPOT p50", time, less, &|o| p(o.requests.as_ref()?.tpot, |d| d.p50));
    add("Latency p50", time, less, &|o| p(o.requests.as_ref()?.latency, |d| d.p50));
    add("Latency p99", time, less, &|o| p(o.requests.as_ref()?.latency, |d| d.p99));
    let tokens = |n: Option<u64>| n.map(|n| n as i64);
    add("Input tokens", Unit::Count, Better::Neutral, &|o| tokens(o.requests.as_ref()?.prompt_tokens));
    add("Output tokens", Unit::Count, Better::Neutral, &|o| tokens(o.requests.as_ref()?.output_tokens));
    add("Tokens/s", Unit::Count, more, &|o| {
        o.requests.as_ref()?.system_tokens_per_second.map(|r| r.round() as i64)
    });
    add("Cost", Unit::NanoDollars, less, &|o| o.requests.as_ref()?.cost.map(Money::nano));
    for (i, name) in ["Input tokens", "Output tokens"].into_iter().enumerate() {
        let of = |runs: &[Arc<Overview>]| {
            let signs = runs.iter().filter_map(|o| Some(o.requests.as_ref()?.signs[i]));
            signs.max_by_key(|sign| ["", "≈ ", "≥ "].iter().position(|s| s == sign)).unwrap_or("")
        };
        if let Some(figure) = figures.iter_mut().find(|f| f.name == name) {
            figure.signs = [of(base), of(head)];
        }
    }
    figures
}

fn findings(base: &[Noted], head: &[Noted]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (all, is_base) in [(base, true), (head, false)] {
        for finding in all {
            let at = found.iter().position(|f| f.kind == finding.kind).unwrap_or_else(|| {
                let count = Two::both(0, 0);
                let kind = finding.kind.clone().into_owned();
                found.push(Found { kind, severity: finding.severity, count });
                found.len() - 1
            });
            let f = &mut found[at];
            f.severity = f.severity.max(finding.severity);
            let side = if is_base { &mut f.count.base } else { &mut f.count.head };
            *side = side.map(|n| n + 1);
        }
    }
    let rank = |f: &Found| ["new", "more", "same", "fewer", "fixed"].iter().position(|s| *s == f.state());
    found.sort_by_key(|f| (rank(f), std::cmp::Reverse(f.severity)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{all_functions, built, pair};
    use crate::jobs::Job;
    use crate::model::{ArgsRef, FunctionSpec, Metric, SpanStatus, TrackKind, TrackSpec};
    use crate::query::{Engine, Run, RunId};

    fn story(base: &str, head: &str) -> Arc<Story> {
        Engine::inline()
            .now(
                &pair(base, head),
                &DiffStory { functions: all_functions(), prices: Prices::default() },
                &Job::new(),
            )
            .unwrap()
    }

    #[test]
    fn a_story_says_what_took_more_and_how_sure_that_is() {
        let s = story("main 0 100 / decode 10 40", "main 0 160 / decode 10 100");
        assert!(
            s.words.headline.starts_with("The new run takes 60 ns more (+60.0 %): decode +60 ns"),
            "{:?}",
            s.words
        );
        assert!(s.words.certainty.starts_with("One run each"), "{:?}", s.words);
        let named: Vec<_> = s.figures.iter().map(|f| (&*f.name, f.values.delta())).collect();
        assert_eq!(named, [("Elapsed", Some(60)), ("Total self", Some(60))]);
        assert!(s.settings.is_empty() && s.findings.is_empty() && s.requests.is_none());
    }

    #[test]
    fn r06_memory_that_was_counted_in_different_ways_is_not_subtracted() {
        let overview = |counters: &[(&str, &str, f64)]| {
            let run = built(|b| {
                for &(process, name, peak) in counters {
                    let counter = b.counter(name, process, Unit::Bytes);
                    b.point(counter, 0, peak);
                }
            });
            [Engine::inline().now(&run, &Summary::default(), &Job::new()).unwrap()]
        };
        let told = |base: &[(&str, &str, f64)], head: &[(&str, &str, f64)]| -> Vec<(String, Two<i64>)> {
            let figures = figures(&overview(base), &overview(head)).into_iter();
            figures.filter(|f| f.unit == Unit::Bytes).map(|f| (f.name.into_owned(), f.values)).collect()
        };
        let (heap, rss) = (("", "Heap", 5e6), ("", "RSS", 9e6));
        let only = |base, head| Two { base, head };
        assert_eq!(
            told(&[heap, ("", "Recorder", 1e6)], &[rss]),
            [
                ("Peak heap".into(), only(Some(5_000_000), None)),
                ("Peak RSS".into(), only(None, Some(9_000_000)))
            ]
        );
        assert_eq!(told(&[rss], &[("", "RSS", 8e6)]), [("Peak RSS".into(), Two::both(9_000_000, 8_000_000))]);
        let process = |pid: &'static str, peak| [(pid, "RSS", peak)];
        assert_eq!(
            told(&process("python (4711)", 9e6), &process("python (4712)", 8e6)),
            [("Peak RSS".into(), Two::both(9_000_000, 8_000_000))],
            "a process has another number in each run"
        );
        assert_eq!(peak_memory(&overview(&[heap]), &overview(&[rss])), Two::default());
    }

    #[test]
    fn the_same_work_in_less_time_is_told_as_such() {
        let s = story("a 0 100 / b 10 90; c 100 200", "a 0 100 / b 10 90; [t2] / c 0 100");
        assert!(s.words.headline.starts_with("The work is the same, and the new run ends"), "{:?}", s.words);
        assert!(s.words.headline.ends_with("; c moved from thread «main» to «t2»."), "{:?}", s.words);
    }

    #[test]
    fn a_caller_that_waits_for_what_it_started_works_no_more_than_before() {
        let run = |id: u32, serial: bool| {
            let run = built(|b| {
                b.metric(Metric::time());
                let main = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Task, sort: 0 });
                let [all, a, c] = ["all", "a", "c"].map(|name| b.function(FunctionSpec::named(name)));
                let wait = FunctionSpec { category: "idle", ..FunctionSpec::named("await of several") };
                let wait = b.function(wait);
                let [first, second] = ["one", "two"]
                    .map(|name| b.track(TrackSpec { name, process: "", kind: TrackKind::Task, sort: 1 }));
                let spans = match serial {
                    true => vec![(main, 0, 200, all), (main, 0, 100, a), (main, 100, 200, c)],
                    false => {
                        vec![
                            (main, 0, 100, all),
                            (main, 0, 100, wait),
                            (first, 0, 100, a),
                            (second, 0, 100, c),
                        ]
                    }
                };
                for (track, from, to, f) in spans {
                    let span = b.open_span(track, from, f, ArgsRef::NONE);
                    b.close_span(track, span, to, SpanStatus::Ok);
                }
            });
            Run { id: RunId(id), ..run }
        };
        let question = DiffStory { functions: all_functions(), prices: Prices::default() };
        let pair = Pair::of(run(1, true), run(2, false));
        let story = Engine::inline().now(&pair, &question, &Job::new()).unwrap();
        let said = &story.words.headline;
        assert!(said.starts_with("The work is the same, and the new run ends 100 ns earlier"), "{said}");
    }
}
