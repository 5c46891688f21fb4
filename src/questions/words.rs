//! Numbers and bases in answers: the words of reports, without what costs tokens and tells nothing.

use crate::format::{self, GROUP};
use crate::model::{Basis, Outcome, Profile, Unit};

/// What somebody wrote as an argument, as a part of a message: short, and on its line.
pub(super) fn said(text: &str) -> std::borrow::Cow<'_, str> {
    format::short(text, 80)
}

fn lean(text: String) -> String {
    if text.contains(GROUP) { text.replace(GROUP, "") } else { text }
}

/// A cost in its unit; digits are not parted.
pub(super) fn cost(unit: Unit, value: i64) -> String {
    lean(format::cost(unit, value))
}

/// The same of what may be unknown.
pub(super) fn known(unit: Unit, value: Option<i64>) -> String {
    lean(format::cost_or_unknown(unit, value))
}

/// An amount that stands beside others: ≈ and ≥ close before it.
pub(super) fn tight(amount: &str) -> String {
    lean(amount.replace("≈ ", "≈").replace("≥ ", "≥"))
}

/// A difference with its sign.
pub(super) fn signed(unit: Unit, value: i64) -> String {
    lean(format::signed_cost(unit, value))
}

/// A time, ns.
pub(super) fn time(ns: i64) -> String {
    lean(format::duration(ns))
}

/// A count, with all its digits.
pub(super) fn count(n: u64) -> String {
    n.to_string()
}

/// How many of some lengths, longest first, are at least a share of a whole.
pub(super) fn worth(lengths: &[i64], whole: i64, share: f64) -> usize {
    lengths.iter().take_while(|l| **l as f64 >= whole as f64 * share).count()
}

/// A count with its noun.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A share of the whole.
pub(super) fn share(cost: i64, whole: i64) -> String {
    format::share_text(format::share(cost, whole))
}

/// A change as a share of what was before.
pub(super) fn change(relative: Option<f64>) -> String {
    relative.map_or_else(String::new, |r| lean(format::percent_change(r)))
}

/// All calls, and those that no recursion made where these are fewer.
pub(super) fn calls(calls: crate::model::Calls) -> String {
    match calls.all == calls.primitive {
        true => calls.all.to_string(),
        false => format!("{}/{}", calls.all, calls.primitive),
    }
}

/// How a request ended.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    if outcome == Outcome::Ok { "ok" } else { outcome.name() }
}

/// What numbers rest on.
pub(super) fn basis(profile: &Profile, basis: &Basis) -> String {
    let tool = Some(profile.meta.tool.as_str()).filter(|t| !t.is_empty());
    let by = tool.map_or_else(String::new, |t| format!(" by {}", format::short(t, 40)));
    match basis {
        Basis::Timed => format!("measured{by}"),
        Basis::Sampled => match profile.samples_taken() {
            Some(n) => format!("{}{by}", counted(n, "sample", "samples")),
            None => format!("sampled{by}"),
        },
        Basis::Aggregated => format!("measured and summed{by}"),
        Basis::Estimated(why) => format!("estimated: {why}"),
    }
}
