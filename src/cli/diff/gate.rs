//! Conditions under which a comparison counts as a regression.

use super::super::gate::{Gate, Judged, Kind, Limit, Outcome, condition};
use super::Comparison;
use crate::analysis::diff::evidence::{Evidence, Verdict};
use crate::analysis::diff::functions::Row;
use crate::analysis::diff::{Compared, State, Two};
use crate::analysis::formula::Measure;
use crate::format;
use crate::model::Unit;

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
    /// Median time to first token of paired requests.
    Ttft,
}

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
        let expected = "expected WHAT>+AMOUNT, such as total.time>+5%, fn:decode.self>+10ms, fn:decode.calls>+0 or \
                        requests.ttft>+10%";
        let wrong = |why: &str| format!("{why}; {expected}");
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
        } else if matches!(what, "requests.ttft" | "requests.ttft.p50") {
            What::Ttft
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
    let one = |condition: &Condition| {
        let (outcome, why) = match figures(&condition.what, comparison) {
            Ok(figures) => decide(condition.limit, &figures, evidence),
            Err(why) => (Outcome::CannotTell, why),
        };
        Judged { condition: condition.text.clone(), outcome, why }
    };
    Gate(conditions.iter().map(one).collect())
}

fn figures(what: &What, c: &Comparison) -> Result<Figures, String> {
    let comparable = || match &c.chosen.why_not {
        Some(why) => Err(why.clone()),
        None if c.functions.matched.is_other_program() => Err("these are different programs".into()),
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
            Ok(Figures { values, unit, evidence: row.evidence.filter(|_| *figure == Figure::Own) })
        }
        What::Ttft => {
            let requests = c.requests.as_ref().ok_or("the runs have no requests")?;
            let values = requests.ttft_like_for_like.map(|t| t.p50);
            values.state().ok_or("no request with a time to first token is in both runs")?;
            Ok(Figures { values, unit: Unit::Nanoseconds, evidence: None })
        }
    }
}

/// The function of a name; of several the one that costs most.
fn find<'a>(c: &'a Comparison, name: &str) -> Result<&'a Row, String> {
    let size = |r: &Row| r.total().base.unwrap_or(0).max(r.total().head.unwrap_or(0));
    c.functions
        .rows
        .iter()
        .filter(|r| c.name(r) == name)
        .max_by_key(|r| size(r))
        .ok_or_else(|| format!("neither run has a function «{name}»"))
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
            return (Outcome::CannotTell, format!("the condition's unit is not that of the metric ({says})"));
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
