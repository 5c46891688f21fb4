//! Conditions under which a comparison counts as a regression.

use super::super::gate::{Gate, Judged, Kind, Limit, Outcome, condition};
use super::Comparison;
use crate::analysis::diff::evidence::{Evidence, Verdict};
use crate::analysis::diff::functions::Row;
use crate::analysis::diff::headline::of_elapsed;
use crate::analysis::diff::requests::RequestDiff;
use crate::analysis::diff::settings::ends_differ;
use crate::analysis::diff::{Compared, State, Two, story};
use crate::analysis::formula::Measure;
use crate::format;
use crate::model::{Money, Unit};

/// `total.time>+5%`, `fn:decode.self>+10ms`, `requests.ttft>+10%`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// As it was written.
    text: String,
    what: What,
    limit: Limit,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// Sum of a metric; of the shown one for its key or kind.
    Total(String),
    /// A figure of a function, by name.
    Function(String, Figure),
    /// How long the run took.
    Elapsed,
    /// Peak of the memory that the run held.
    PeakMemory,
    /// Requests that did not end well.
    Failed,
    /// What the pairs of requests that ended well cost together.
    Cost,
    /// A time of the pairs of requests that ended well.
    Time(Stamp, Rank),
}

/// Which time of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    Ttft,
    Latency,
}

/// Which of all requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    P50,
    P95,
    P99,
}

/// What can be compared beside totals and functions.
const FIGURES: &[(&str, What)] = &[
    ("elapsed", What::Elapsed),
    ("memory.peak", What::PeakMemory),
    ("requests.failed", What::Failed),
    ("requests.cost", What::Cost),
    ("requests.ttft", What::Time(Stamp::Ttft, Rank::P50)),
    ("requests.ttft.p50", What::Time(Stamp::Ttft, Rank::P50)),
    ("requests.ttft.p95", What::Time(Stamp::Ttft, Rank::P95)),
    ("requests.ttft.p99", What::Time(Stamp::Ttft, Rank::P99)),
    ("requests.latency", What::Time(Stamp::Latency, Rank::P50)),
    ("requests.latency.p50", What::Time(Stamp::Latency, Rank::P50)),
    ("requests.latency.p95", What::Time(Stamp::Latency, Rank::P95)),
    ("requests.latency.p99", What::Time(Stamp::Latency, Rank::P99)),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Own,
    Total,
    Calls,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// One line with what is expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            let figures: Vec<_> = FIGURES.iter().map(|(name, _)| *name).collect();
            format!(
                "{why}; expected WHAT>+AMOUNT, such as total.time>+5%, fn:decode.self>+10ms, fn:decode.calls>+0, or of {}",
                figures.join(", ")
            )
        };
        let (what, limit) = condition(text).map_err(|why| wrong(&why))?;
        let what = if let Some(metric) = what.strip_prefix("total.") {
            What::Total(metric.into())
        } else if what == "total" {
            What::Total(String::new())
        } else if let Some(function) = what.strip_prefix("fn:") {
            let (name, figure) =
                function.rsplit_once('.').ok_or_else(|| wrong("a function needs .self, .total or .calls"))?;
            let figure = match figure {
                "self" => Figure::Own,
                "total" => Figure::Total,
                "calls" => Figure::Calls,
                _ => return Err(wrong("a function has .self, .total and .calls")),
            };
            What::Function(name.into(), figure)
        } else if let Some((_, figure)) = FIGURES.iter().find(|(name, _)| *name == what) {
            figure.clone()
        } else {
            return Err(wrong(&format!("«{what}» is nothing that can be compared")));
        };
        Ok(Self { text: text.into(), what, limit })
    }
}

/// The figures that a condition is about.
struct Figures {
    values: Two<f64>,
    unit: Unit,
    evidence: Option<Evidence>,
}

/// Judges all conditions. With `evidence` a regression counts only when repeated runs show it.
pub(super) fn judge(conditions: &[Condition], evidence: bool, comparison: &Comparison) -> Gate {
    let cut = comparison.warnings().find(|(_, w)| w.is_cut());
    let failures = comparison.requests.as_ref().filter(|r| r.fails_more()).and_then(RequestDiff::failures);
    let [base, head] = [&comparison.base, &comparison.head].map(|side| side.iter().map(|o| &*o.run.profile));
    let ends = ends_differ(base, head);
    let one = |condition: &Condition| {
        let (outcome, why) = match figures(&condition.what, comparison) {
            Ok(figures) => decide(condition.limit, &figures, evidence),
            Err(why) => (Outcome::CannotTell, why),
        };
        // Less that was done costs less.
        let (outcome, why) = match (&cut, ends.as_ref().or(failures.as_ref())) {
            (Some((side, warning)), _) => (Outcome::CannotTell, format!("{why}; {side}: {}", warning.kind)),
            (_, Some(less)) if outcome == Outcome::Passed && condition.what.is_of_all_work() => {
                (Outcome::CannotTell, format!("{why}; {less}"))
            }
            _ => (outcome, why),
        };
        Judged { condition: condition.text.clone(), outcome, why }
    };
    Gate(conditions.iter().map(one).collect())
}

fn figures(what: &What, c: &Comparison) -> Result<Figures, String> {
    let comparable = || match &c.chosen.why_not {
        Some(why) => Err(why.clone()),
        None if c.is_other_program() => Err("these are different programs".into()),
        None => Ok(()),
    };
    match what {
        What::Total(name) => {
            let shown = c.metric(true);
            let is_shown = name.is_empty()
                || c.chosen.base.key == *name.as_str()
                || *name == shown.label
                || (name == "time" && shown.unit == Unit::Nanoseconds);
            if is_shown {
                comparable()?;
                return Ok(Figures {
                    values: c.related.factors.apply(c.functions.sum),
                    unit: shown.unit,
                    evidence: c.functions.evidence,
                });
            }
            let key = *c
                .metrics
                .common
                .iter()
                .find(|key| key.key == *name.as_str())
                .ok_or_else(|| format!("the runs have no metric «{name}» in common"))?;
            let total = |o: &super::Opened| {
                o.overview
                    .totals
                    .iter()
                    .find(|t| t.metric.key == key)
                    .and_then(|t| t.known())
                    .map(|sum| sum as f64)
            };
            let several = |side: &[super::Opened]| side.iter().filter_map(total).collect::<Vec<_>>();
            let (base, head) = (several(&c.base), several(&c.head));
            let evidence = Evidence::of(&base, &head, crate::analysis::diff::evidence::PRACTICAL);
            let values = Two { base: evidence.map(|e| e.median_base), head: evidence.map(|e| e.median_head) };
            Ok(Figures {
                values,
                unit: Measure::of(key, c.profile(true)).map_or(Unit::Count, |m| m.unit),
                evidence,
            })
        }
        What::Function(name, figure) => {
            comparable()?;
            let row = find(c, name)?;
            let values = match figure {
                Figure::Own => c.related.own(row),
                Figure::Total => c.related.total(row),
                Figure::Calls => {
                    let calls = row.halves.map(|h| h.calls.map(|c| c.all as f64));
                    let calls = Two { base: calls.base.flatten(), head: calls.head.flatten() };
                    calls.state().ok_or_else(|| format!("calls of {name} were not counted"))?;
                    calls
                }
            };
            let unit = if *figure == Figure::Calls { Unit::Count } else { c.metric(true).unit };
            Ok(Figures {
                values,
                unit,
                evidence: row.evidence.filter(|_| *figure == Figure::Own).map(Evidence::alone),
            })
        }
        What::Elapsed => {
            let values = known(c.elapsed().map(|ns| ns as f64), "the runs do not say how long they took")?;
            Ok(Figures { values, unit: Unit::Nanoseconds, evidence: of_elapsed(&c.times()) })
        }
        What::PeakMemory => {
            let [base, head] =
                [&c.base, &c.head].map(|side| side.iter().map(|o| o.overview.clone()).collect::<Vec<_>>());
            let values = story::peak_memory(&base, &head).map(|bytes| bytes as f64);
            let values = known(values, "memory was not counted in the same way in both runs")?;
            Ok(Figures { values, unit: Unit::Bytes, evidence: None })
        }
        What::Failed => {
            let values = requests(c)?.failed().map(|n| n as f64);
            Ok(Figures { values, unit: Unit::Count, evidence: None })
        }
        What::Cost => {
            let nano = |m: Money| m.nano() as f64;
            let values = requests(c)?.cost_like_for_like.map(nano);
            let values = known(values, "no pair of requests that ended well is priced in both runs")?;
            Ok(Figures { values, unit: Unit::NanoDollars, evidence: None })
        }
        What::Time(stamp, rank) => {
            let requests = requests(c)?;
            let times = match stamp {
                Stamp::Ttft => requests.ttft_like_for_like,
                Stamp::Latency => requests.latency_like_for_like,
            };
            let values = times.map(|t| match rank {
                Rank::P50 => t.p50,
                Rank::P95 => t.p95,
                Rank::P99 => t.p99,
            });
            let values = known(values, "no pair of requests that ended well has this time in both runs")?;
            Ok(Figures { values, unit: Unit::Nanoseconds, evidence: None })
        }
    }
}

impl What {
    /// True for what gets less when less is done.
    fn is_of_all_work(&self) -> bool {
        matches!(self, Self::Total(_) | Self::Elapsed | Self::PeakMemory)
    }
}

/// A figure that both runs have.
fn known(values: Two<f64>, why_not: &str) -> Result<Two<f64>, String> {
    if values.state() == Some(State::Both) { Ok(values) } else { Err(why_not.to_owned()) }
}

fn requests(c: &Comparison) -> Result<&RequestDiff, String> {
    c.requests.as_ref().ok_or_else(|| "the runs have no requests".to_owned())
}

/// The function of a name, or of the end of its file's path and its name: «decode», «json/decoder.py:decode». Of several in one
/// file (lambdas) the one that costs most.
fn find<'a>(c: &'a Comparison, name: &str) -> Result<&'a Row, String> {
    let rows = |is: &dyn Fn(&Row) -> bool| c.functions.rows.iter().filter(|r| is(r)).collect::<Vec<_>>();
    let mut found = rows(&|r| c.name(r) == name);
    if let (true, Some((path, name))) = (found.is_empty(), name.rsplit_once(':')) {
        let in_file = |r: &Row| c.place(r).0.is_some_and(|file| ends_with_path(&file, path));
        found = rows(&|r| c.name(r) == name && in_file(r));
    }
    let size = |r: &Row| r.total().base.unwrap_or(0).max(r.total().head.unwrap_or(0));
    found.sort_by_key(|r| std::cmp::Reverse(size(r)));
    let file = |r: &Row| c.place(r).0;
    match found[..] {
        [] => Err(format!("neither run has a function «{name}»")),
        [first, ref others @ ..] if others.iter().all(|r| file(r) == file(first)) => Ok(first),
        _ => {
            let place = |r: &&Row| format!("fn:{}:{name}", file(r).unwrap_or_default());
            let several = found.iter().take(3).map(place).collect::<Vec<_>>().join(", ");
            Err(format!("{} functions are called «{name}»: write {several}", found.len()))
        }
    }
}

fn ends_with_path(file: &str, end: &str) -> bool {
    file.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with(['/', '\\']))
}

fn decide(limit: Limit, figures: &Figures, evidence: bool) -> (Outcome, String) {
    let values = figures.values;
    let Some(delta) = values.change() else { return (Outcome::CannotTell, "unknown in both runs".into()) };
    let cost = |v: f64| format::signed_cost(figures.unit, v.round() as i64);
    let says = match values.relative_change() {
        Some(r) => format!("{}, {}", cost(delta), format::percent_change(r)),
        None => match values.state() {
            Some(State::New) => format!("{}, new", cost(delta)),
            Some(State::Gone) => format!("{}, gone", cost(delta)),
            _ => cost(delta),
        },
    };
    let holds = match limit {
        Limit::Amount(_, kind) if !fits(kind, figures.unit) => {
            let example = match figures.unit {
                Unit::Nanoseconds => "+10ms or +5%",
                Unit::Bytes => "+10MB or +5%",
                _ => "+10 or +5%",
            };
            let why = format!("the condition's unit is not that of the metric: write {example} ({says})");
            return (Outcome::CannotTell, why);
        }
        Limit::Amount(amount, _) => delta > amount,
        Limit::Share(share) => match values.relative_change() {
            Some(relative) => relative > share,
            // What was not there before has grown beyond any share.
            None => delta > 0.0,
        },
    };
    if !holds {
        return (Outcome::Passed, says);
    }
    match figures.evidence {
        _ if !evidence => (Outcome::Regression, says),
        Some(e) if e.verdict == Verdict::Slower => (Outcome::Regression, format!("{says}; {}", e.words())),
        Some(e) => (Outcome::CannotTell, format!("{says}; {}", e.words())),
        None => (Outcome::CannotTell, format!("{says}; one run each: cannot tell a change from noise")),
    }
}

fn fits(kind: Kind, unit: Unit) -> bool {
    match kind {
        Kind::Time => unit == Unit::Nanoseconds,
        Kind::Bytes => unit == Unit::Bytes,
        Kind::Plain => !matches!(unit, Unit::Nanoseconds | Unit::Bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_with_their_units() {
        let read = |text| Condition::parse(text).map(|c| (c.what, c.limit));
        assert_eq!(read("total.time>+5%").unwrap(), (What::Total("time".into()), Limit::Share(0.05)));
        let function = What::Function("decode".into(), Figure::Own);
        assert_eq!(read("fn:decode.self>+10ms").unwrap(), (function, Limit::Amount(1e7, Kind::Time)));
        assert_eq!(read("elapsed>+5%").unwrap(), (What::Elapsed, Limit::Share(0.05)));
        let tail = What::Time(Stamp::Latency, Rank::P95);
        assert_eq!(read("requests.latency.p95>+1s").unwrap(), (tail, Limit::Amount(1e9, Kind::Time)));
        let dotted = What::Function("app.core.run".into(), Figure::Calls);
        assert_eq!(read("fn:app.core.run.calls > 3").unwrap(), (dotted, Limit::Amount(3.0, Kind::Plain)));
        for wrong in ["total.time", "fn:a>+1s", "total>+x%", "total>+5 parsecs", "speed>+1%", "total>+-3%"] {
            assert!(read(wrong).unwrap_err().contains("such as total.time>+5%"), "{wrong}");
        }
    }

    #[test]
    fn a_gate_that_cannot_tell_does_not_pass() {
        let figures = |base, head, unit| Figures { values: Two { base, head }, unit, evidence: None };
        let share = Limit::Share(0.05);
        let time = figures(Some(100.0), Some(120.0), Unit::Nanoseconds);
        assert_eq!(decide(share, &time, false).0, Outcome::Regression);
        assert_eq!(decide(share, &time, true).0, Outcome::CannotTell, "one run each");
        assert_eq!(decide(Limit::Amount(30.0, Kind::Time), &time, true).0, Outcome::Passed);
        assert_eq!(decide(Limit::Amount(3.0, Kind::Bytes), &time, false).0, Outcome::CannotTell);
        assert_eq!(decide(share, &figures(None, Some(3.0), Unit::Count), false).0, Outcome::Regression);
        assert_eq!(decide(share, &figures(Some(3.0), None, Unit::Count), false).0, Outcome::Passed);
        let gate = Gate(vec![
            Judged { condition: "a".into(), outcome: Outcome::CannotTell, why: String::new() },
            Judged { condition: "b".into(), outcome: Outcome::Regression, why: String::new() },
        ]);
        assert_eq!((gate.code(), Gate(gate.0[..1].to_vec()).code(), Gate::default().code()), (1, 4, 0));
    }
}
