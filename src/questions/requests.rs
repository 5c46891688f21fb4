//! `requests`: calls of language models: tokens, times, money, failures.

use std::cmp::Reverse;

use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, RANGE, TOP};
use super::sheet::{Part, Row};
use super::{Asked, Question, Refusal, Sheet, words};
use crate::analysis::billing::Bill;
use crate::analysis::overview::{Distribution, RequestFigures, request_figures_of};
use crate::analysis::prices::Charge;
use crate::analysis::requests::reasons;
use crate::format::{self, UNKNOWN, short};
use crate::model::{Money, Outcome, Profile, Request};

const SORT: Argument = Argument::new(
    "sort",
    Kind::Choice(&["latency", "ttft", "tpot", "cost", "tokens", "arrived", "failed"]),
    "what leads",
);

pub(super) const QUESTION: Question = Question {
    name: "requests",
    about: "LLM calls: tokens, time to first token, cost, cache, errors, by model and one by one",
    files: &["file"],
    arguments: &[
        Argument::new("model", Kind::Text, "only models with this text in their name, or one request (r9)"),
        SORT,
        TOP,
        RANGE,
        BUDGET_OF,
    ],
    bare: "model",
    example: "inferscope requests run.inferscope --sort ttft",
    answer,
};

/// A request and what it costs.
type Charged<'a> = (&'a Request, Option<&'a Charge>);

/// What a request costs, where that is known.
fn cost((_, charge): Charged<'_>) -> Option<Money> {
    charge.and_then(|c| c.cost)
}

/// Longest name of a request, and of its error.
const LONGEST: usize = 60;

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let range = asked.range()?;
    if p.requests.rows.is_empty() {
        return Err("this file has no requests to language models".into());
    }
    let model = asked.values.text("model").map(str::to_lowercase);
    let one = asked.values.text("model").and_then(|text| asked.request_by_handle(text));
    let wanted = |(i, r): &(usize, &Request)| {
        let named = |m: &String| match one {
            Some(one) => one.index() == *i,
            None => p.text(r.model).to_lowercase().contains(m),
        };
        range.is_none_or(|range| r.in_flight(range)) && model.as_ref().is_none_or(named)
    };
    let bill = asked.get(&Bill { prices: asked.prices.clone() })?;
    let all = p.requests.rows.iter().enumerate().filter(|r| wanted(r));
    let mut rows: Vec<(usize, Charged<'_>)> = all.map(|(i, r)| (i, (r, bill.charges.get(i)))).collect();
    let of_all: Vec<Charged<'_>> = rows.iter().map(|r| r.1).collect();
    let Some(figures) = request_figures_of(&of_all) else {
        let known: std::collections::BTreeSet<_> = p.requests.rows.iter().map(|r| p.text(r.model)).collect();
        let known = known.into_iter().filter(|m| !m.is_empty()).take(12).map(|m| short(m, LONGEST));
        let known: Vec<_> = known.collect();
        return Err(
            format!("no request is of such a model in that time; models: {}", known.join(", ")).into()
        );
    };
    let mut sheet = Sheet::new(head(&figures) + &within(asked, &of_all)?, asked.budget());
    sheet.head.extend(distributions(&figures));
    sheet.part(Part::new(
        "models",
        "by model: requests, failed, tokens in, out, cost, TTFT p50, latency p50",
        models(p, &of_all),
    ));
    sort(&mut rows, asked.values.choice(&SORT));
    let (count, top) = (rows.len(), asked.top());
    // What is known of none of them is no column.
    let mut known = [false; COLUMNS.len()];
    for (_, r) in rows.iter().take(top) {
        columns(*r).iter().zip(&mut known).for_each(|(text, known)| *known |= text.is_some());
    }
    let titles = COLUMNS
        .into_iter()
        .zip(known)
        .filter(|c| c.1)
        .map(|c| c.0)
        .chain(["outcome", "name", "model", "handle"]);
    let title = format!("requests: {}", titles.collect::<Vec<_>>().join(", "));
    let lines = rows.iter().take(top).map(|(i, r)| line(p, *i, *r, &known, asked.texts)).collect();
    let (door, budget) = (asked.door, asked.more_budget());
    sheet.part(Part::new("requests", title, lines).rest(move |shown| {
        let more = if shown < top { budget.clone() } else { door.argument("top", shown.max(1) * 2) };
        match count - shown {
            0 => String::new(),
            n => format!("… {n} more ({} of all); {more}", words::share(n as i64, count as i64)),
        }
    }));
    Ok(sheet)
}

/// «; in flight in 1 s..2 s, counted whole, 3 arrived before»: what a time leaves of them.
fn within(asked: &Asked<'_>, rows: &[Charged<'_>]) -> Result<String, Refusal> {
    let Some(range) = asked.range()? else { return Ok(String::new()) };
    let before = rows.iter().filter(|r| r.0.arrived < range.0).count() as u64;
    let before = if before > 0 { format!(", {before} arrived before") } else { String::new() };
    let (from, to) = (format::duration_exact(range.0), format::duration_exact(range.1));
    Ok(format!("; those in flight in {from}..{to}, each counted whole{before}"))
}

fn unknown<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), text)
}

fn about(f: &RequestFigures) -> &'static str {
    if f.estimated { "≈" } else { "" }
}

fn head(f: &RequestFigures) -> String {
    let unpriced = match f.unpriced {
        0 => String::new(),
        n if n == f.count => String::new(),
        n => format!(" ({n} without a price)"),
    };
    format!(
        "{}, {}, {}{} tokens in, {}{} out, cost {}{unpriced}, at most {} at once",
        words::counted(f.count as u64, "request", "requests"),
        f.outcomes(),
        f.signs[0].trim(),
        unknown(f.prompt_tokens, words::count),
        f.signs[1].trim(),
        unknown(f.output_tokens, words::count),
        f.cost_text().map_or_else(|| "unknown".to_owned(), |cost| words::tight(&cost)),
        f.peak(),
    )
}

fn distributions(f: &RequestFigures) -> Vec<String> {
    let time = |v: f64| words::time(v.round() as i64);
    let one = |name: &str, d: &Option<Distribution>| {
        let d = d.as_ref()?;
        Some(format!(
            "{name} p50 {} p90 {} p99 {} max {} ({} known)",
            time(d.p50),
            time(d.p90),
            time(d.p99),
            time(d.max),
            d.n
        ))
    };
    let tpot = format!("{}TPOT", about(f));
    let mut said: Vec<String> =
        [("TTFT", &f.ttft), (&*tpot, &f.tpot), ("latency", &f.latency), ("queued", &f.queued)]
            .iter()
            .filter_map(|(name, d)| one(name, d))
            .collect();
    if f.retries > 0 {
        said.push(format!(
            "{} lost to {} failed attempts and the waits after them",
            words::time(f.lost),
            f.retries
        ));
    }
    said
}

/// All of it on one line, for the summary.
pub(super) fn one_line(f: &RequestFigures) -> Row {
    let time = |d: &Option<Distribution>| {
        d.as_ref().map_or_else(|| UNKNOWN.to_owned(), |d| words::time(d.p50.round() as i64))
    };
    let text = format!("{}; TTFT p50 {}, latency p50 {}", head(f), time(&f.ttft), time(&f.latency));
    let json = json!({
        "requests": f.count, "failed": f.failed, "cancelled": f.cancelled, "prompt_tokens": f.prompt_tokens, "output_tokens": f.output_tokens,
        "cost_usd": f.cost.map(|c| c.to_string()),
    });
    Row::new(text, json)
}

fn models(p: &Profile, rows: &[Charged<'_>]) -> Vec<Row> {
    let mut by: Vec<(crate::model::StringId, Vec<Charged<'_>>)> = Vec::new();
    for r in rows {
        match by.iter_mut().find(|m| m.0 == r.0.model) {
            Some(known) => known.1.push(*r),
            None => by.push((r.0.model, vec![*r])),
        }
    }
    by.sort_by_key(|m| Reverse(m.1.len()));
    let time = |d: &Option<Distribution>| {
        d.as_ref().map_or_else(|| UNKNOWN.to_owned(), |d| words::time(d.p50.round() as i64))
    };
    let row = |(model, rows): &(crate::model::StringId, Vec<Charged<'_>>)| {
        let f = request_figures_of(rows)?;
        let name = p.text(*model);
        let shown = if name.is_empty() { "(no model)".into() } else { short(name, LONGEST) };
        let text = format!(
            "{} {} {} {}{} {} {} {} {shown}",
            f.count,
            f.failed,
            unknown(f.prompt_tokens, words::count),
            about(&f),
            unknown(f.output_tokens, words::count),
            unknown(f.cost_text(), |cost| words::tight(&cost)),
            time(&f.ttft),
            time(&f.latency),
        );
        let json = json!({
            "model": name, "requests": f.count, "failed": f.failed, "cancelled": f.cancelled, "prompt_tokens": f.prompt_tokens,
            "output_tokens": f.output_tokens, "cost_usd": f.cost.map(|c| c.to_string()),
            "ttft_p50_ns": f.ttft.as_ref().map(|d| d.p50), "latency_p50_ns": f.latency.as_ref().map(|d| d.p50),
        });
        Some(Row::new(text, json))
    };
    by.iter().filter_map(row).collect()
}

fn sort(rows: &mut [(usize, Charged<'_>)], by: &str) {
    let failed = |r: &Request| matches!(r.outcome, Outcome::Error | Outcome::Cancelled);
    rows.sort_by(|(a_at, first), (b_at, second)| {
        let (a, b) = (first.0, second.0);
        let order = match by {
            "ttft" => b.ttft().cmp(&a.ttft()),
            "tpot" => b.tpot().unwrap_or(-1.0).total_cmp(&a.tpot().unwrap_or(-1.0)),
            "cost" => cost(*second).cmp(&cost(*first)),
            "tokens" => {
                let all = |r: &Request| r.tokens.prompt().unwrap_or(0) + r.output().map_or(0, |o| o.0);
                all(b).cmp(&all(a))
            }
            "arrived" => a.arrived.cmp(&b.arrived),
            "failed" => failed(b).cmp(&failed(a)),
            _ => b.latency().cmp(&a.latency()),
        };
        order.then(a_at.cmp(b_at))
    });
}

/// Columns of the list of requests.
const COLUMNS: [&str; 7] = ["latency", "TTFT", "TPOT", "queued", "tokens in (cached)", "out", "cost"];

/// What is known of a request, column by column.
fn columns(charged: Charged<'_>) -> [Option<String>; 7] {
    let r = charged.0;
    let cached = match r.tokens.cache_read {
        Some(n) if n > 0 => format!(" ({n})"),
        _ => String::new(),
    };
    [
        r.latency().map(words::time),
        r.ttft().map(words::time),
        r.tpot().map(|t| words::time(t.round() as i64)),
        r.queued().map(words::time),
        r.tokens.prompt().map(|n| format!("{n}{cached}")),
        r.output().map(|(n, estimated)| format!("{}{n}", if estimated { "≈" } else { "" })),
        cost(charged).map(format::money),
    ]
}

fn line(p: &Profile, at: usize, charged: Charged<'_>, known: &[bool; 7], texts: bool) -> Row {
    let r = charged.0;
    let outcome = words::outcome(r.outcome);
    let shown = columns(charged).into_iter().zip(known).filter(|(_, known)| **known);
    let shown: Vec<String> = shown.map(|(text, _)| text.unwrap_or_else(|| UNKNOWN.to_owned())).collect();
    let mut text = format!(
        "{} {outcome} {} {} r{at}",
        shown.join(" "),
        short(p.text(r.name), LONGEST),
        short(p.text(r.model), LONGEST),
    );
    if let Some(cache) = r.cache {
        text += &format!(", cache {}", cache.key());
    }
    if !r.retries.is_empty() {
        text += &format!(", {} lost to {}", words::time(r.lost()), short(&reasons(p, r), LONGEST));
    }
    let error = p.text(r.error);
    if !error.is_empty() {
        text += &format!(", error: {}", short(error, LONGEST));
    }
    let mut json = json!({
        "request": format!("r{at}"), "name": p.text(r.name), "model": p.text(r.model), "arrived_ns": r.arrived,
        "latency_ns": r.latency(), "ttft_ns": r.ttft(), "tpot_ns": r.tpot(), "queued_ns": r.queued(),
        "prompt_tokens": r.tokens.prompt(), "cache_read_tokens": r.tokens.cache_read,
        "output_tokens": r.output().map(|o| o.0), "cost_usd": cost(charged).map(|c| c.to_string()), "outcome": outcome,
    });
    if texts {
        for (key, id, label) in [("prompt", r.prompt, "prompt"), ("completion", r.completion, "answer")] {
            let said = p.text(id);
            if !said.is_empty() {
                text += &format!(", {label}: «{}»", short(said, 200));
                json[key] = said.into();
            }
        }
    }
    Row::new(text, json)
}
