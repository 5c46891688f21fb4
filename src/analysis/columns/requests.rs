//! Calls of a language model.

use crate::analysis::definitions as say;
use crate::analysis::requests::{Listed, RequestColumn, RequestList};
use crate::format::{Column, Form, Look, Scale, SortBy, Value};
use crate::model::{CacheOutcome, Profile, Unit};

impl SortBy for RequestColumn {
    fn ascends(self) -> bool {
        matches!(self, Self::Name | Self::Model | Self::Matched | Self::Outcome | Self::Cache | Self::Arrived)
    }
}

/// A column of requests.
pub type RequestCells<'a> = Column<'a, Listed<'a>, RequestColumn>;

/// The columns for a list, in order: those of which the profile knows anything.
#[must_use]
pub fn requests<'a>(profile: &'a Profile, list: &RequestList) -> Vec<RequestCells<'a>> {
    let largest = |i: usize| list.largest.get(i).map_or(0, |v| *v as i64);
    let made = RequestColumn::ALL.into_iter().enumerate();
    let made = made.filter(|(_, column)| column.is_filled(profile, list));
    made.map(|(i, column)| one(profile, column, largest(i)).sorts(column)).collect()
}

fn one(profile: &Profile, by: RequestColumn, largest: i64) -> RequestCells<'_> {
    use RequestColumn as C;
    let number = move |row: Listed<'_>| Value::number(by.number(&row));
    // What rests on chunks, because nobody counted tokens, says so.
    let known = move |row: Listed<'_>| match number(row) {
        Value::Unknown => Value::Unknown,
        value if by.is_estimated(row.request) => Value::About(Box::new(value)),
        value if by == C::Cost && row.cost_is_about => Value::About(Box::new(value)),
        value => value,
    };
    let time = |key, title| {
        let unit = Unit::Nanoseconds;
        Column::cost(key, title, (Form::Scaled(Scale::for_max(unit, largest)), unit), known)
    };
    let tokens =
        |key, title| Column::number(key, title, Form::Scaled(Scale::for_max(Unit::Count, largest)), known);
    fn or_unknown(text: &str) -> Value<'_> {
        if text.is_empty() { Value::Unknown } else { Value::text(text) }
    }
    match by {
        C::Name => {
            Column::text("name", "Request", |row: Listed<'_>| Value::text(profile.text(row.request.name)))
                .look(Look::Text)
                .room(14.0)
                .growing(1.0)
                .hint("Name or id of the request")
        }
        C::Model => {
            Column::weak("model", "Model", |row: Listed<'_>| or_unknown(profile.text(row.request.model)))
                .room(14.0)
                .rank(7)
                .hint("The model that answered")
        }
        C::Arrived => time("arrived", "Arrived")
            .room(11.0)
            .rank(4)
            .hint("When it was issued, since the start of the profile"),
        C::Queued => time("queued", "Queued").room(11.0).rank(5).hint(say::QUEUED),
        C::Ttft => time("ttft", "TTFT").rank(1).hint(say::TTFT),
        C::Lost => time("lost", "Lost").rank(2).hint(say::LOST),
        C::Tpot => time("tpot", "TPOT").rank(1).hint(say::TPOT),
        C::Rate => Column::number("rate", "tok/s", Form::Rate, known).room(7.0).rank(3).hint(say::RATE),
        C::Latency => time("latency", "Latency").room(11.0).rank(1).hint(say::LATENCY),
        C::Why => Column::text("why", "Why slow", |row: Listed<'_>| {
            row.slow.map_or(Value::Empty, |slow| Value::Written(slow.cause.short().to_owned(), slow.over))
        })
        .room(13.0)
        .rank(2)
        .hint(say::WHY_SLOW),
        C::Load => time("load", "Load").room(10.0).rank(6).hint(say::LOAD),
        C::Prompt => tokens("prompt", "Prompt").room(8.0).rank(4).hint(say::PROMPT),
        C::Output => tokens("output", "Output").room(8.0).rank(2).hint("Output tokens, reasoning included"),
        C::CacheRead => tokens("cache", "Cached").room(8.0).rank(6).hint(say::CACHE_READ),
        C::Cost => {
            let unit = Unit::NanoDollars;
            Column::cost("cost", "Cost", (Form::Scaled(Scale::for_max(unit, largest)), unit), known)
                .room(12.0)
                .rank(5)
                .hint(say::COST)
        }
        C::Cache => Column::text("answer", "Answer", |row: Listed<'_>| {
            row.request.cache.map_or(Value::Unknown, |cache| Value::Word(CacheOutcome::key(cache)))
        })
        .room(10.0)
        .rank(3)
        .hint("Whether a cache of whole answers had it: exact, semantic or miss"),
        C::Similarity => Column::number("similarity", "Similarity", Form::Decimals(3), known)
            .room(10.0)
            .rank(4)
            .hint(say::SIMILARITY),
        C::Matched => Column::text("matched", "Closest prompt", |row: Listed<'_>| {
            or_unknown(profile.text(row.cached.prompt))
        })
        .room(14.0)
        .rank(5)
        .hint("The prompt in the semantic cache that was most like its own, whether or not its answer was taken"),
        C::Age => time("age", "Age").room(10.0).rank(5).hint("How long the answer that it got had been in the cache"),
        C::Batch => Column::number("batch", "Batch", Form::Decimals(0), known)
            .room(7.0)
            .rank(4)
            .hint("The batch that it was generated in"),
        C::Outcome => {
            Column::text("outcome", "Outcome", |row: Listed<'_>| Value::Word(row.request.outcome.name()))
                .room(11.0)
                .rank(2)
                .hint("How it ended")
        }
    }
}
