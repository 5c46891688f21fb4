//! The requests of both runs as rows: those that fail in one of them first, then by how much their latency changed.

use super::Comparison;
use crate::analysis::diff::Two;
use crate::analysis::diff::requests::Partners;
use crate::format;
use crate::model::{Outcome, Profile, Request, Unit};

/// Rows of the list, unless told otherwise.
const TOP: usize = 10;

/// Headings of the columns.
pub(super) const HEADINGS: [&str; 7] =
    ["Latency, base → head", "Δ", "TTFT, base → head", "Output tokens", "Cost", "Outcome", "Request"];

/// What there is to read of requests.
pub(super) struct Listed {
    /// A cell for each of [`HEADINGS`].
    pub(super) rows: Vec<[String; 7]>,
    /// What was left out, in words; empty when nothing.
    pub(super) rest: String,
}

/// The rows; `None` where no run has requests.
pub(super) fn list(c: &Comparison) -> Option<Listed> {
    let diff = c.requests.as_ref()?;
    let [base, head] = [c.profile(true), c.profile(false)];
    let get = |p: &'_ Profile, id| -> Option<Request> { p.requests.get(id).cloned() };
    let of = |row: &Partners| {
        (row.ids.base.and_then(|id| get(base, id)), row.ids.head.and_then(|id| get(head, id)))
    };
    let mut order: Vec<(bool, u64, usize)> = diff
        .rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let (b, h) = of(row);
            let ended = |r: &Option<Request>| r.as_ref().map(|r| r.outcome == Outcome::Ok);
            let latency = |r: &Option<Request>| r.as_ref().and_then(Request::latency);
            let change = Two { base: latency(&b), head: latency(&h) }.delta().unwrap_or(0);
            (ended(&b) == ended(&h), u64::MAX - change.unsigned_abs(), i)
        })
        .collect();
    order.sort_unstable();
    let top = c.top.unwrap_or(TOP);
    let left = order.len().saturating_sub(top);
    let rows = order.iter().take(top).map(|&(.., i)| {
        let row = &diff.rows[i];
        let (b, h) = of(row);
        cells(c, row, b.as_ref(), h.as_ref())
    });
    let rest =
        if left > 0 { format!("+{} more requests", format::count(left as i64)) } else { String::new() };
    Some(Listed { rows: rows.collect(), rest })
}

fn cells(c: &Comparison, row: &Partners, b: Option<&Request>, h: Option<&Request>) -> [String; 7] {
    let arrow = |base: String, head: String| if base == head { base } else { format!("{base} → {head}") };
    let time = |of: fn(&Request) -> Option<i64>| {
        let one = |r: Option<&Request>| format::cost_or_unknown(Unit::Nanoseconds, r.and_then(of));
        arrow(one(b), one(h))
    };
    let ended_well = |r: Option<&Request>| r.filter(|r| r.outcome == Outcome::Ok).and_then(Request::latency);
    let delta = ended_well(b).zip(ended_well(h)).map(|(b, h)| h.saturating_sub(b));
    let tokens = |r: Option<&Request>| {
        r.and_then(|r| r.tokens.output)
            .map_or_else(|| format::UNKNOWN.to_owned(), |n| format::count(n as i64))
    };
    let outcome = |r: Option<&Request>| r.map_or("not there", |r| r.outcome.name()).to_owned();
    let [before, after] = [(row.ids.base, &c.bills[0]), (row.ids.head, &c.bills[1])]
        .map(|(id, bill)| format::money_or_unknown(id.and_then(|id| bill.cost(id))));
    let name = h.map(|h| c.profile(false).text(h.name)).or_else(|| b.map(|b| c.profile(true).text(b.name)));
    [
        time(Request::latency),
        delta.map_or_else(|| format::UNKNOWN.to_owned(), |d| format::signed_cost(Unit::Nanoseconds, d)),
        time(Request::ttft),
        arrow(tokens(b), tokens(h)),
        arrow(before, after),
        arrow(outcome(b), outcome(h)),
        name.unwrap_or_default().to_owned(),
    ]
}
