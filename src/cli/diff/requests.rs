//! The requests of both runs as rows: those that fail in one of them first, then by how much their latency changed.

use super::Comparison;
use crate::analysis::diff::Two;
use crate::analysis::diff::requests::{Partners, called};
use crate::format;
use crate::model::{Outcome, Request, Unit};

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
    let mut order: Vec<(bool, u64, usize)> = diff
        .rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let both = row.of(base, head);
            let ended = both.map(|r| r.outcome == Outcome::Ok);
            let change = both.and_then(Request::latency).delta().unwrap_or(0);
            (ended.base == ended.head, u64::MAX - change.unsigned_abs(), i)
        })
        .collect();
    order.sort_unstable();
    let top = c.top.unwrap_or(TOP);
    let left = order.len().saturating_sub(top);
    let rows = order.iter().take(top).map(|&(.., i)| cells(c, &diff.rows[i]));
    let rest =
        if left > 0 { format!("+{} more requests", format::count(left as i64)) } else { String::new() };
    Some(Listed { rows: rows.collect(), rest })
}

fn cells(c: &Comparison, row: &Partners) -> [String; 7] {
    let both = row.of(c.profile(true), c.profile(false));
    let Two { base: b, head: h } = both;
    let arrow = |base: String, head: String| if base == head { base } else { format!("{base} → {head}") };
    let time = |of: fn(&Request) -> Option<i64>| {
        let one = |r: Option<&Request>| format::cost_or_unknown(Unit::Nanoseconds, r.and_then(of));
        arrow(one(b), one(h))
    };
    let delta = both.ended_well().and_then(|(b, h)| Some(h.latency()?.saturating_sub(b.latency()?)));
    let tokens = |r: Option<&Request>| {
        r.and_then(|r| r.tokens.output)
            .map_or_else(|| format::UNKNOWN.to_owned(), |n| format::count(n as i64))
    };
    let outcome = |r: Option<&Request>| r.map_or("not there", |r| r.outcome.name()).to_owned();
    let [before, after] = c.costs_of(row).map(format::money_or_unknown);
    let name = h.map(|h| called(c.profile(false), h)).or_else(|| b.map(|b| called(c.profile(true), b)));
    [
        time(Request::latency),
        delta.map_or_else(|| format::UNKNOWN.to_owned(), |d| format::signed_cost(Unit::Nanoseconds, d)),
        time(Request::ttft),
        arrow(tokens(b), tokens(h)),
        arrow(before, after),
        arrow(outcome(b), outcome(h)),
        name.unwrap_or_default(),
    ]
}
