//! What a filter picks: spans, samples, requests.

use super::Shown;
use crate::analysis::definitions as say;
use crate::analysis::filter::{Found, Kind, Row};
use crate::format::{Column, Form, Scale, SortBy, Value};
use crate::model::{MetricKey, Profile, Request, SpanStatus, Unit};

/// What rows sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundKey {
    /// Longest first.
    #[default]
    Length,
    /// Earliest first.
    Start,
    /// By name.
    Name,
    /// By thread, task or stream.
    Track,
    /// By what it ended as.
    Status,
    /// By model.
    Model,
    /// Latest first token first.
    Ttft,
    /// Most output first.
    Output,
    /// Largest weight first.
    Weight,
}

impl SortBy for FoundKey {
    fn ascends(self) -> bool {
        matches!(self, Self::Start | Self::Name | Self::Track | Self::Status | Self::Model)
    }
}

/// A column of them.
pub type FoundColumn<'a> = Column<'a, Row, FoundKey>;

/// The columns for what is looked through, in order.
#[must_use]
pub fn found<'a>(profile: &'a Profile, kind: Kind, found: &Found, metric: MetricKey) -> Vec<FoundColumn<'a>> {
    let ns = Unit::Nanoseconds;
    let longest = found.lengths.map_or(0, |d| d.max as i64);
    let time = |max: i64| (Form::Scaled(Scale::for_max(ns, max)), ns);
    let begin = move |row: Row| start(profile, row);
    let (_, end) = found.time.unwrap_or_default();
    let mut columns: Vec<FoundColumn<'a>> = vec![
        Column::cost("start", "Start", time(end), move |row| Value::cost(begin(row)))
            .sorts(FoundKey::Start)
            .rank(3)
            .room(10.0)
            .hint("Since the run began"),
    ];
    if kind == Kind::Samples {
        let shown = Shown::of(metric, Default::default(), profile);
        let weight = move |row: Row| Value::cost(weight(profile, row, metric));
        columns.push(
            Column::cost("weight", "Weight", (Form::Each(shown.unit), shown.unit), weight)
                .sorts(FoundKey::Weight)
                .room(10.0)
                .hint(format!("What the sample stands for: {}", shown.what)),
        );
    } else {
        columns.push(
            Column::cost("length", "Duration", (Form::Each(ns), ns), move |row| length(profile, row))
                .sorts(FoundKey::Length)
                .room(10.0)
                .hint("From start to end; ≥ where it had not ended"),
        );
        let whole = longest as f64;
        let share =
            move |row| Value::number(length(profile, row).size().filter(|_| whole > 0.0).map(|n| n / whole));
        columns.push(
            Column::share("share", "Of longest", share)
                .sorts(FoundKey::Length)
                .rank(4)
                .hint("Duration as a share of the longest one that the filter picks"),
        );
    }
    let name = |row| Value::text(name(profile, row));
    columns.push(Column::name("name", "Name", name).sorts(FoundKey::Name).room(22.0));
    if kind == Kind::Requests {
        let request = move |row: Row| request(profile, row);
        let or_unknown = |text: &'a str| if text.is_empty() { Value::Unknown } else { Value::text(text) };
        columns.extend([
            Column::weak("model", "Model", move |row| {
                request(row).map_or(Value::Unknown, |r| or_unknown(profile.text(r.model)))
            })
            .sorts(FoundKey::Model)
            .rank(2)
            .room(14.0),
            Column::cost("ttft", "TTFT", (Form::Each(ns), ns), move |row| {
                Value::cost(request(row).and_then(Request::ttft))
            })
            .sorts(FoundKey::Ttft)
            .rank(3)
            .hint(say::TTFT),
            Column::count("input", "Input", move |row| {
                Value::count(request(row).and_then(|r| r.tokens.prompt()))
            })
            .rank(5)
            .hint("Input tokens"),
            Column::count("cached", "Cached", move |row| {
                Value::count(request(row).and_then(|r| r.tokens.cache_read))
            })
            .rank(7)
            .hint("Input tokens read from a cache"),
            Column::cost("queued", "Queued", (Form::Each(ns), ns), move |row| {
                Value::cost(request(row).and_then(Request::queued))
            })
            .rank(7)
            .hint("Time before work began"),
            Column::count("output", "Output", move |row| {
                Value::count(request(row).and_then(Request::output).map(|o| o.0))
            })
            .sorts(FoundKey::Output)
            .rank(4)
            .hint("Output tokens"),
        ]);
    }
    if kind != Kind::Samples {
        columns.push(
            Column::weak("status", "Status", move |row| Value::Word(status(profile, row)))
                .sorts(FoundKey::Status)
                .rank(5)
                .room(9.0)
                .hint("How it ended"),
        );
    }
    columns.push(
        Column::weak("track", "Thread or task", move |row| {
            track(profile, row).map_or(Value::Unknown, Value::text)
        })
        .sorts(FoundKey::Track)
        .rank(6)
        .room(20.0),
    );
    columns
}

fn request(profile: &Profile, row: Row) -> Option<&Request> {
    match row {
        Row::Request(id) => profile.requests.rows.get(id.index()),
        Row::Span(..) | Row::Sample(..) => None,
    }
}

/// What a row is called.
#[must_use]
pub fn name(profile: &Profile, row: Row) -> &str {
    match row {
        Row::Span(track, at) => profile.function_name(profile.track(track).spans.rows[at as usize].function),
        Row::Sample(track, at) => {
            let stack = profile.track(track).samples.stacks[at as usize];
            let frame = stack.map(|stack| profile.stacks.rows()[stack.index()].frame);
            frame.map_or("", |frame| profile.function_name(profile.frames.get(frame).function))
        }
        Row::Request(_) => request(profile, row).map_or("", |r| profile.text(r.name)),
    }
}

fn start(profile: &Profile, row: Row) -> Option<i64> {
    match row {
        Row::Span(track, at) => Some(profile.track(track).spans.rows[at as usize].start),
        Row::Sample(track, at) => profile.track(track).samples.times.get(at as usize).copied(),
        Row::Request(_) => request(profile, row).filter(|r| !r.undated).map(|r| r.arrived),
    }
}

fn length(profile: &Profile, row: Row) -> Value<'_> {
    match row {
        Row::Span(track, at) => {
            let span = &profile.track(track).spans.rows[at as usize];
            Value::unfinished(Some(span.duration()), u64::from(span.status == SpanStatus::Unfinished))
        }
        Row::Sample(..) => Value::Unknown,
        Row::Request(_) => Value::cost(request(profile, row).and_then(Request::latency)),
    }
}

fn weight(profile: &Profile, row: Row, metric: MetricKey) -> Option<i64> {
    let Row::Sample(track, at) = row else { return None };
    let metric = profile.find_metric(metric)?;
    let (_, weights) = profile.track(track).samples.weights.iter().find(|(m, _)| *m == metric)?;
    weights.get(at as usize).copied()
}

fn status(profile: &Profile, row: Row) -> &'static str {
    match row {
        Row::Span(track, at) => match profile.track(track).spans.rows[at as usize].status {
            SpanStatus::Ok => "ok",
            SpanStatus::Error => "error",
            SpanStatus::Unfinished => "unfinished",
        },
        Row::Sample(..) => "",
        Row::Request(_) => request(profile, row).map_or("", |r| r.outcome.name()),
    }
}

fn track(profile: &Profile, row: Row) -> Option<String> {
    let id = match row {
        Row::Span(track, _) | Row::Sample(track, _) => Some(track),
        Row::Request(_) => request(profile, row)?.track,
    };
    id.map(|id| profile.track_label(id))
}
