//! `findings`: what the maker of a profile or its importer found wrong, and what its numbers say.

use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, TOP};
use super::names::track;
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, notes, words};
use crate::analysis::findings::{Findings, Noted};
use crate::analysis::scope::TimeRange;
use crate::format::short;
use crate::model::Severity;

const SEVERITY: Argument =
    Argument::new("severity", Kind::Choice(&["debug", "info", "warning", "error"]), "at least so serious");

pub(super) const QUESTION: Question = Question {
    name: "findings",
    about: "What was found wrong, with its place, and what numbers cannot tell",
    files: &["file"],
    arguments: &[SEVERITY, TOP, BUDGET_OF],
    bare: "",
    example: "inferscope findings run.inferscope",
    answer,
};

/// Longest text of a finding, characters.
const LONGEST: usize = 300;

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let least = match asked.values.choice(&SEVERITY) {
        "info" => Severity::Info,
        "warning" => Severity::Warning,
        "error" => Severity::Error,
        _ => Severity::Debug,
    };
    let (all, _) = rows(asked, Some(least), None)?;
    let others = if all.is_empty() { rows(asked, None, None)?.0.len() } else { 0 };
    let head = match all.len() {
        0 if others > 0 => format!(
            "no finding is so serious; there are {others} others, with {}",
            asked.door.argument("severity", "debug")
        ),
        0 => "no findings in this file".to_owned(),
        n => format!("{}: severity, kind, text, place", words::counted(n as u64, "finding", "findings")),
    };
    let mut sheet = Sheet::new(head, asked.budget());
    let (door, budget, given) = (asked.door, asked.more_budget(), asked.top());
    let count = all.len();
    sheet.part(Part::new("findings", "", all.into_iter().take(given).collect()).rest(move |shown| {
        let more = if shown < given { budget.clone() } else { door.argument("top", shown.max(1) * 2) };
        match count - shown {
            0 => String::new(),
            n => format!("… {n} more; {more}"),
        }
    }));
    let slice = asked.slice()?;
    for note in [notes::waiting(asked, &slice)?, notes::only_once(asked, &slice)?] {
        sheet.notes.extend(note);
    }
    sheet.notes.extend(notes::nameless(asked, &slice)?);
    let warnings = p.warnings.iter().map(|w| {
        let text = format!("warning of the importer: {}", w.words());
        Row::new(text, json!({ "kind": w.kind, "count": w.count, "first": w.first }))
    });
    let warnings: Vec<Row> = warnings.collect();
    sheet.part(Part::new("warnings", "", warnings));
    Ok(sheet)
}

/// The findings of a file, the most serious first, and how many of them have a time outside of `range`.
pub(super) fn rows(
    asked: &Asked<'_>,
    least: Option<Severity>,
    range: TimeRange,
) -> Result<(Vec<Row>, usize), Refusal> {
    let p = asked.profile();
    let all = asked.get(&Findings { prices: asked.prices.clone() })?;
    let row = |f: &Noted| {
        let severity = format!("{:?}", f.severity).to_lowercase();
        let mut at = Vec::new();
        at.extend(f.request.map(|r| format!("r{}", r.0)));
        at.extend(f.function.map(|f| format!("f{}", f.0)));
        at.extend(f.track.map(|t| format!("t{} {}", t.0, track(p, t))));
        at.extend(f.time.map(|t| format!("at {}", words::time(t))));
        let at_text = if at.is_empty() { String::new() } else { format!(" [{}]", at.join(", ")) };
        let advice = if f.advice.is_empty() { String::new() } else { format!(" Try: {}.", f.advice) };
        let text = format!("{severity} {}: {}{advice}{at_text}", f.kind, short(&f.text, LONGEST));
        let json = json!({
            "severity": severity, "kind": f.kind, "text": f.text, "advice": f.advice, "concluded": f.concluded,
            "gain_ns": f.gain.time, "gain_usd": f.gain.money.map(|m| m.to_string()), "time_ns": f.time,
            "track": f.track.map(|t| format!("t{}", t.0)), "request": f.request.map(|r| format!("r{}", r.0)),
            "function": f.function.map(|f| format!("f{}", f.0)),
        });
        Row::new(text, json)
    };
    let inside = |f: &&Noted| range.zip(f.time).is_none_or(|((from, to), time)| (from..to).contains(&time));
    let (found, others): (Vec<&Noted>, Vec<&Noted>) =
        all.iter().filter(|f| least.is_none_or(|l| f.severity >= l)).partition(inside);
    Ok((found.into_iter().map(row).collect(), others.len()))
}
