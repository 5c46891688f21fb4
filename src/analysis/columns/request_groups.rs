//! Requests that have something in common.

use crate::analysis::definitions as say;
use crate::analysis::overview::{Distribution, RequestFigures};
use crate::analysis::request_facets::Facet;
use crate::analysis::spending::{Group, Spent};
use crate::format::{Column, Form, Look, Scale, SortBy, Value};
use crate::model::Unit;

/// What groups are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupColumn {
    /// What they have in common.
    Name,
    /// Requests.
    #[default]
    Requests,
    /// Failed and cancelled ones.
    Failed,
    /// Median time to first token.
    Ttft,
    /// 90th percentile of it.
    TtftP90,
    /// Median time per output token.
    Tpot,
    /// Median latency.
    Latency,
    /// 90th percentile of it.
    LatencyP90,
    /// 99th percentile of it.
    LatencyP99,
    /// The fastest.
    Fastest,
    /// The slowest.
    Slowest,
    /// How often the fastest fits into the slowest.
    Spread,
    /// Input tokens.
    Prompt,
    /// Output tokens.
    Output,
    /// Answered by a cache.
    Hits,
    /// Cost of all.
    Cost,
    /// Cost of one.
    Each,
}

impl SortBy for GroupColumn {
    fn ascends(self) -> bool {
        self == Self::Name
    }
}

/// A column of groups.
pub type GroupCells<'a> = Column<'a, &'a Group, GroupColumn>;

/// The columns in order: those of which some group knows anything.
#[must_use]
pub fn groups<'a>(spent: &'a Spent, by: Facet) -> Vec<GroupCells<'a>> {
    use GroupColumn as C;
    let ns = Unit::Nanoseconds;
    let time = |key, title, of: fn(&Group) -> Option<f64>| {
        let most = spent.groups.iter().filter_map(of).fold(0.0, f64::max);
        Column::cost(key, title, (Form::Scaled(Scale::for_max(ns, most as i64)), ns), move |g| {
            Value::cost(of(g).map(|v| v.round() as i64))
        })
        .room(9.0)
    };
    let count = |key, title, of: fn(&Group) -> Option<u64>| {
        Column::count(key, title, move |g| Value::count(of(g))).room(8.0)
    };
    let money = |key, title, of: fn(&Group) -> Option<f64>| {
        let most = spent.groups.iter().filter_map(of).fold(0.0, f64::max);
        let unit = Unit::NanoDollars;
        Column::cost(key, title, (Form::Scaled(Scale::for_max(unit, most as i64)), unit), move |g: &Group| {
            match of(g) {
                Some(cost) if g.sums.about => Value::About(Box::new(Value::Cost(cost.round() as i64))),
                cost => Value::cost(cost.map(|c| c.round() as i64)),
            }
        })
        .room(11.0)
    };
    let columns = vec![
        Column::text("name", by.title(), |g: &Group| match g.name.as_str() {
            "" => Value::Empty,
            name => Value::text(name.lines().find(|l| !l.trim().is_empty()).unwrap_or(name)),
        })
        .look(Look::Text)
        .room(16.0)
        .growing(1.0)
        .sorts(C::Name)
        .hint("What they have in common"),
        count("requests", "n", |g| Some(g.sums.requests as u64))
            .room(6.0)
            .sorts(C::Requests)
            .hint("Requests"),
        count("failed", "Failed", |g| figures(g).map(|f| f.failed as u64))
            .rank(3)
            .sorts(C::Failed)
            .hint("No figure of times holds them"),
        time("ttft", "TTFT p50", |g| figures(g)?.ttft.map(|d| d.p50)).rank(4).sorts(C::Ttft).hint(say::TTFT),
        time("ttft p90", "TTFT p90", |g| enough(figures(g)?.ttft, 90)).rank(8).sorts(C::TtftP90).hint(ENOUGH),
        time("tpot", "TPOT p50", |g| figures(g)?.tpot.map(|d| d.p50)).rank(6).sorts(C::Tpot).hint(say::TPOT),
        time("latency", "Latency p50", |g| figures(g)?.latency.map(|d| d.p50))
            .rank(1)
            .sorts(C::Latency)
            .hint(say::LATENCY),
        time("latency p90", "p90", |g| enough(figures(g)?.latency, 90))
            .rank(2)
            .sorts(C::LatencyP90)
            .hint(ENOUGH),
        time("latency p99", "p99", |g| enough(figures(g)?.latency, 99))
            .rank(7)
            .sorts(C::LatencyP99)
            .hint(ENOUGH),
        time("fastest", "Fastest", |g| figures(g)?.latency.map(|d| d.min))
            .rank(9)
            .sorts(C::Fastest)
            .hint("Least latency"),
        time("slowest", "Slowest", |g| figures(g)?.latency.map(|d| d.max))
            .rank(5)
            .sorts(C::Slowest)
            .hint("Largest latency"),
        Column::number("spread", "Spread", Form::Decimals(1), |g: &Group| {
            let spread = figures(g).and_then(|f| f.latency).filter(|d| d.n > 1 && d.min > 0.0);
            Value::number(spread.map(|d| d.max / d.min))
        })
        .room(8.0)
        .rank(4)
        .sorts(C::Spread)
        .hint(say::SPREAD),
        count("prompt", "Prompt", |g| figures(g)?.prompt_tokens).rank(8).sorts(C::Prompt).hint(say::PROMPT),
        count("output", "Output", |g| figures(g)?.output_tokens).rank(6).sorts(C::Output).hint(say::OUTPUT),
        Column::number("hits", "Cached", Form::Percent, |g: &Group| {
            let (looked_up, hits) = g.looked_up;
            Value::number((looked_up > 0).then(|| hits as f64 / looked_up as f64))
        })
        .room(8.0)
        .rank(5)
        .sorts(C::Hits)
        .hint("Answered by a cache of answers, of those that were looked up in one"),
        money("cost", "Cost", |g| g.sums.cost.map(|m| m.to_f64() * 1e9))
            .rank(3)
            .sorts(C::Cost)
            .hint(say::COST),
        money("each", "Each", |g| g.per_request().map(|d| d * 1e9))
            .rank(9)
            .sorts(C::Each)
            .hint("Mean cost of a request that has one"),
    ];
    let filled = |c: &GroupCells<'a>| {
        c.rank == 0 || spent.groups.iter().any(|g| !matches!(c.value(g), Value::Unknown | Value::Count(0)))
    };
    columns.into_iter().filter(filled).collect()
}

const ENOUGH: &str =
    "Of as many values as it needs: ten for p90, a hundred for p99. Of fewer it would be the largest.";

fn figures(group: &Group) -> Option<&RequestFigures> {
    group.figures.as_ref()
}

fn enough(of: Option<Distribution>, percentile: u32) -> Option<f64> {
    of?.percentile(percentile)
}
