//! What a filter can ask for.

use super::Test;
use crate::model::{Function, NameKey, Outcome, Profile, Request, Span, SpanStatus};

/// What a filter can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Name, file or module; of a request its name, model and provider.
    Any,
    Name,
    File,
    Module,
    Category,
    /// A function, or anything that called it.
    Stack,
    Track,
    Duration,
    Start,
    End,
    Depth,
    Status,
    Model,
    Provider,
    Cache,
    Error,
    Ttft,
    Tpot,
    Queued,
    Input,
    Output,
    Cached,
    Cost,
    /// What a program says of its requests under this name: «session», «user», a tag.
    Label(NameKey),
}

/// How values of a field are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Time,
    Count,
    Money,
}

/// A field as a person learns of it.
#[derive(Clone, Copy, Debug)]
pub struct FieldAbout {
    /// Its name, and shorter ones.
    pub names: &'static [&'static str],
    /// What it is.
    pub about: &'static str,
    /// One use of it.
    pub example: &'static str,
    pub(super) field: Field,
    pub(super) form: Form,
}

const fn field(
    names: &'static [&'static str],
    (field, form): (Field, Form),
    about: &'static str,
    example: &'static str,
) -> FieldAbout {
    FieldAbout { names, about, example, field, form }
}

/// All fields.
pub const FIELDS: [FieldAbout; 22] = [
    field(&["name"], (Field::Name, Form::Text), "function, or request", "name:decode"),
    field(&["file"], (Field::File, Form::Text), "source file", "file:model.py"),
    field(&["module"], (Field::Module, Form::Text), "module or library", "module=torch"),
    field(&["category", "cat"], (Field::Category, Form::Text), "the format's category", "category:kernel"),
    field(&["stack"], (Field::Stack, Form::Text), "the function or anything that called it", "stack:forward"),
    field(&["track", "thread"], (Field::Track, Form::Text), "thread, task or stream", "track:worker"),
    field(&["dur", "duration", "latency"], (Field::Duration, Form::Time), "from start to end", "dur>10ms"),
    field(&["start"], (Field::Start, Form::Time), "start, since the run began", "start>=1.5s"),
    field(&["end"], (Field::End, Form::Time), "end, since the run began", "end<2s"),
    field(&["depth"], (Field::Depth, Form::Count), "callers on its lane", "depth=0"),
    field(
        &["status", "outcome"],
        (Field::Status, Form::Text),
        "ok, error, unfinished, cancelled",
        "status=error",
    ),
    field(&["model"], (Field::Model, Form::Text), "model of a request", "model=gpt-4o"),
    field(&["provider"], (Field::Provider, Form::Text), "who served a request", "provider:openai"),
    field(&["cache"], (Field::Cache, Form::Text), "exact, semantic, miss", "cache=miss"),
    field(&["error"], (Field::Error, Form::Text), "why a request failed", "error:429"),
    field(&["ttft"], (Field::Ttft, Form::Time), "time to first token", "ttft>500ms"),
    field(&["tpot"], (Field::Tpot, Form::Time), "time per output token", "tpot<20ms"),
    field(&["queued"], (Field::Queued, Form::Time), "time before work began", "queued>100ms"),
    field(&["input", "prompt"], (Field::Input, Form::Count), "input tokens", "input>1000"),
    field(&["output"], (Field::Output, Form::Count), "output tokens", "output>200"),
    field(&["cached"], (Field::Cached, Form::Count), "input tokens read from a cache", "cached>0"),
    field(
        &["cost"],
        (Field::Cost, Form::Money),
        "cost in dollars, by its source or by list prices",
        "cost>0.01",
    ),
];

/// All names of fields, for an error.
pub(super) fn list() -> String {
    FIELDS.iter().map(|f| f.names[0]).collect::<Vec<_>>().join(", ")
}

impl Field {
    /// True for what only requests have.
    pub fn is_of_requests(self) -> bool {
        matches!(
            self,
            Self::Model
                | Self::Provider
                | Self::Cache
                | Self::Error
                | Self::Ttft
                | Self::Tpot
                | Self::Queued
                | Self::Input
                | Self::Output
                | Self::Cached
                | Self::Cost
                | Self::Label(_)
        )
    }

    /// For each function whether a test holds; `None` for a field that functions do not have.
    pub fn functions(self, profile: &Profile, test: &Test) -> Option<Vec<bool>> {
        let any = |ids: &dyn Fn(&Function) -> Vec<crate::model::StringId>| {
            let is = |f: &Function| ids(f).into_iter().any(|id| test.text(profile.text(id)));
            profile.functions.rows().iter().map(is).collect::<Vec<bool>>()
        };
        Some(match self {
            Self::Any => any(&|f| vec![f.name, f.file, f.module]),
            Self::Name | Self::Stack => any(&|f| vec![f.name]),
            Self::File => any(&|f| vec![f.file]),
            Self::Module => any(&|f| vec![f.module]),
            Self::Category => any(&|f| vec![f.category]),
            _ => return None,
        })
    }

    /// For each track whether a test holds.
    pub fn tracks(self, profile: &Profile, test: &Test) -> Option<Vec<bool>> {
        let is = |id| test.text(&profile.track_label(id));
        (self == Self::Track).then(|| profile.track_ids().map(is).collect())
    }

    /// A number of a span, ns or a count.
    pub fn of_span(self, span: &Span) -> Option<f64> {
        match self {
            // What had not ended is at least so long; nobody knows how long.
            Self::Duration if span.status == SpanStatus::Unfinished => None,
            Self::Duration => Some(span.duration() as f64),
            Self::Start => Some(span.start as f64),
            Self::End => Some(span.end as f64),
            Self::Depth => Some(f64::from(span.depth)),
            _ => None,
        }
    }

    /// What a span ended as, in the words of this field.
    pub fn status_of(self, span: &Span) -> Option<&'static str> {
        (self == Self::Status).then_some(match span.status {
            SpanStatus::Ok => "ok",
            SpanStatus::Error => "error",
            SpanStatus::Unfinished => "unfinished",
        })
    }

    /// A number of a sample that was taken at a time.
    pub fn of_moment(self, time: i64) -> Option<f64> {
        matches!(self, Self::Start | Self::End).then_some(time as f64)
    }

    /// A number of a request that costs so much, dollars.
    pub fn of_request(self, r: &Request, cost: Option<f64>) -> Option<f64> {
        let dated = |time: i64| (!r.undated).then_some(time as f64);
        match self {
            Self::Duration => r.latency().map(|ns| ns as f64),
            Self::Start => dated(r.arrived),
            Self::End => r.finished.and_then(dated),
            Self::Ttft => r.ttft().map(|ns| ns as f64),
            Self::Tpot => r.tpot(),
            Self::Queued => r.queued().map(|ns| ns as f64),
            Self::Input => r.tokens.prompt().map(|n| n as f64),
            Self::Output => r.output().map(|(n, _)| n as f64),
            Self::Cached => r.tokens.cache_read.map(|n| n as f64),
            Self::Cost => cost,
            _ => None,
        }
    }

    /// Texts of a request; none where it has none of this field.
    pub fn texts_of<'p>(self, r: &'p Request, profile: &'p Profile) -> Vec<std::borrow::Cow<'p, str>> {
        let text = |id| std::borrow::Cow::Borrowed(profile.text(id));
        let mut texts = match self {
            Self::Any => vec![text(r.name), text(r.model), text(r.provider)],
            Self::Name => vec![text(r.name)],
            Self::Model => vec![text(r.model), text(r.requested_model)],
            Self::Provider => vec![text(r.provider)],
            Self::Error => vec![text(r.error)],
            Self::Label(name) => {
                let said = profile.strings.find(name.value()).and_then(|name| r.attribute(name));
                said.map(text).into_iter().collect()
            }
            Self::Cache => r.cache.map(|c| c.key().into()).into_iter().collect(),
            Self::Track => r.track.map(|id| profile.track_label(id).into()).into_iter().collect(),
            Self::Status => {
                // Both the words of tables and those of spans.
                let other = match r.outcome {
                    Outcome::Ok => "ok",
                    Outcome::Error => "error",
                    Outcome::Cancelled => "canceled",
                    Outcome::Running => "unfinished",
                };
                vec![r.outcome.name().into(), other.into()]
            }
            _ => Vec::new(),
        };
        texts.retain(|text| !text.is_empty());
        texts
    }
}
