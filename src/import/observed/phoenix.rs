//! Arize Phoenix: spans as its API answers (`/v1/projects/…/spans`), and a dataframe of them as JSON (`get_spans_dataframe().to_json`).
//!
//! Reference: Phoenix's OpenAPI schema, and OpenInference's conventions for the attributes, which are read as those of OpenTelemetry. Kept: all
//! of a span but its annotations. What Phoenix sends as OTLP is read as such.

use serde_json::{Map, Value};

use super::super::Gives::{Requests, Time, Tree};
use super::super::otlp::{Event, Reading, Row};
use super::super::read::value::items;
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{finish, for_each_span, span_id, stamp, text, trace_id};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "phoenix",
    title: "Phoenix spans",
    written_by: "Arize Phoenix: answers of its API, dataframes of spans as JSON",
    extensions: &["json", "jsonl"],
    gives: &[Tree, Time, Requests],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if !matches!(head.bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return Confidence::No;
    }
    if head.says("\"context.span_id\"") && head.says("\"context.trace_id\"") {
        return Confidence::Certain;
    }
    let kinds = head.says("\"span_kind\"") && head.says("\"status_code\"") && head.says("\"context\"");
    if kinds && head.says("\"trace_id\"") && head.says("\"start_time\"") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reading = Reading::default();
    for_each_span(source, cx, &["data"], &mut reading, &mut |span, _, at, reading| {
        if !span.keys().any(|key| key == "context" || key.starts_with("context.")) {
            return;
        }
        let (resource, scope) = (reading.resource_of(Vec::new()), reading.scope_of(String::new()));
        reading.add(row(&span), resource, scope, at);
    })?;
    finish(reading, "Phoenix", cx)
}

fn row(span: &Map<String, Value>) -> Result<Row, &'static str> {
    let context = |name: &str| match span.get("context") {
        Some(Value::Object(inner)) => text(inner, &[name]),
        _ => text(span, &[&format!("context.{name}")]),
    };
    let id = span_id(context("span_id"));
    let start = stamp(span.get("start_time")).ok_or("span without a start (left out)")?;
    if id == 0 {
        return Err("span without an id (left out)");
    }
    let mut attributes = Vec::new();
    let kind = text(span, &["span_kind"]);
    if !kind.is_empty() {
        attributes.push(("openinference.span.kind".to_owned(), Value::String(kind.to_owned())));
    }
    match span.get("attributes") {
        Some(Value::Object(inner)) => flatten("", inner, &mut attributes),
        _ => {
            for (key, value) in span {
                match (key.strip_prefix("attributes."), value) {
                    (Some(_), Value::Null) | (None, _) => {}
                    (Some(name), Value::Object(inner)) => {
                        flatten(&format!("{name}."), inner, &mut attributes)
                    }
                    (Some(name), value) => attributes.push((name.to_owned(), value.clone())),
                }
            }
        }
    }
    let events = items(span.get("events")).filter_map(|event| {
        let name = event.get("name")?.as_str()?.to_owned();
        let attributes = event.get("attributes").and_then(Value::as_object);
        let attributes = attributes.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        Some(Event { time: stamp(event.get("timestamp"))?, name, attributes })
    });
    Ok(Row {
        trace: trace_id(context("trace_id")),
        id,
        parent: span_id(text(span, &["parent_id"])),
        name: text(span, &["name"]).to_owned(),
        start,
        end: stamp(span.get("end_time")),
        events: events.collect(),
        attributes,
        failed: text(span, &["status_code"]) == "ERROR",
        message: text(span, &["status_message"]).to_owned(),
        ..Row::default()
    })
}

/// Attributes in objects within each other, under the names that they have in one. The depth of a value is bounded where it is read.
fn flatten(prefix: &str, map: &Map<String, Value>, to: &mut Vec<(String, Value)>) {
    for (key, value) in map {
        match value {
            Value::Null => {}
            Value::Object(inner) if !inner.is_empty() => flatten(&format!("{prefix}{key}."), inner, to),
            value => to.push((format!("{prefix}{key}"), value.clone())),
        }
    }
}
