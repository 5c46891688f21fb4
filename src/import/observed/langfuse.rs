//! Langfuse: a trace as its page downloads it, and what its API answers.
//!
//! Reference: `GET /api/public/traces/{id}` and `/observations` (api.reference.langfuse.com). Kept: observations with their kind, times,
//! model, usage, cost, input, output and error, scores of observations and traces; other fields of the trace are lost. Langfuse counts some usage and every cost
//! itself where a program sends none; it does not say which, so its numbers count as stated.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::Gives::{Requests, Time, Tree};
use super::super::otlp::{Reading, Row, SCORE, TRACE, TRACE_SCORE};
use super::super::read::json::top_keys;
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{Attributes, finish, for_each_span, said, say_of_traces, span_id, stamp, text, trace_id};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "langfuse",
    title: "Langfuse traces",
    written_by: "Langfuse: download of a trace, exports and API answers as JSON",
    extensions: &["json", "jsonl"],
    gives: &[Tree, Time, Requests],
    sniff,
    import,
    details: no_details,
};

/// Fields that only its observations and traces have.
const SIGNS: [&str; 6] = [
    "\"parentObservationId\"",
    "\"completionStartTime\"",
    "\"usageDetails\"",
    "\"costDetails\"",
    "\"parent_observation_id\"",
    "\"promptVersion\"",
];

fn sniff(head: &Head<'_>) -> Confidence {
    let start = head.bytes.trim_ascii_start();
    if !matches!(start.first(), Some(b'{' | b'[')) {
        return Confidence::No;
    }
    let keys = top_keys(start);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let signs = SIGNS.iter().filter(|sign| head.says(sign)).count();
    // The input of a trace may be longer than the head.
    let is_trace = has("trace") && head.says("\"projectId\"") && head.says("\"timestamp\"");
    match signs {
        2.. => Confidence::Certain,
        _ if has("observations") && is_trace => Confidence::Certain,
        _ if is_trace && keys.len() == 1 => Confidence::Likely,
        _ => Confidence::No,
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reading = Reading::default();
    // What the trace itself says stands around its observations, before or after them; scores of observations are there, too.
    let mut traces: HashMap<u128, Vec<(String, Value)>> = HashMap::new();
    let mut scores: HashMap<u64, Vec<(String, Value)>> = HashMap::new();
    for_each_span(source, cx, &["observations", "data"], &mut reading, &mut |span, list, at, reading| {
        if !span.contains_key("traceId") && !span.contains_key("trace_id") {
            let said = of_trace(&span);
            if !said.is_empty() {
                traces.insert(trace_id(text(&span, &["id"])), said);
            }
            of_observations(&span, &mut scores);
        }
        // A list of traces with their observations.
        if let Some(Value::Array(inner)) = span.get("observations") {
            inner.iter().filter_map(Value::as_object).for_each(|span| add(span, at, reading));
            return;
        }
        // Around the list stand the fields of the trace itself.
        if list.is_empty() && !(span.contains_key("traceId") || span.contains_key("trace_id")) {
            return;
        }
        add(&span, at, reading);
    })?;
    say_of_traces(&mut reading, &traces);
    for row in &mut reading.rows {
        row.attributes.extend(scores.remove(&row.id).unwrap_or_default());
    }
    finish(reading, "Langfuse", cx)
}

/// What a trace says of all its observations.
fn of_trace(trace: &Map<String, Value>) -> Vec<(String, Value)> {
    let inner = trace.get("trace").and_then(Value::as_object).unwrap_or(trace);
    let mut a = Attributes::default();
    let get = |names: &[&str]| names.iter().find_map(|name| inner.get(*name)).cloned();
    a.add("session.id", get(&["sessionId", "session_id"]));
    a.add("user.id", get(&["userId", "user_id"]));
    a.add("langfuse.trace.tags", get(&["tags"]).filter(|t| t.as_array().is_some_and(|t| !t.is_empty())));
    a.add("langfuse.trace.metadata", get(&["metadata"]));
    let own = scores(trace).filter(|score| text(score, &OBSERVATION).is_empty());
    let own: Vec<_> = own.filter_map(score).collect();
    if !own.is_empty() {
        a.add(TRACE, get(&["id"]));
    }
    a.0.extend(own.into_iter().map(|(name, value)| (format!("{TRACE_SCORE}{name}"), value)));
    a.0
}

/// Where a score says which observation it is of.
const OBSERVATION: [&str; 2] = ["observationId", "observation_id"];

/// Adds the scores of a trace that are of one of its observations.
fn of_observations(trace: &Map<String, Value>, known: &mut HashMap<u64, Vec<(String, Value)>>) {
    for of_one in scores(trace) {
        let id = span_id(text(of_one, &OBSERVATION));
        if let Some((name, value)) = score(of_one).filter(|_| id != 0) {
            known.entry(id).or_default().push((format!("{SCORE}{name}"), value));
        }
    }
}

/// Scores that a trace lists; where it only names them by their ids, none.
fn scores(trace: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let inner = trace.get("trace").and_then(|inner| inner.get("scores"));
    let list = inner.or_else(|| trace.get("scores")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

/// The name of a score, and its value: a number, or the word of a category, whose number only counts the categories.
fn score(score: &Map<String, Value>) -> Option<(&str, Value)> {
    let is_word = text(score, &["dataType", "data_type"]).eq_ignore_ascii_case("categorical");
    let word =
        || ["stringValue", "string_value"].iter().find_map(|key| score.get(*key)).filter(|v| v.is_string());
    let number = score.get("value").filter(|v| v.is_number());
    let value = if is_word { word() } else { number.or_else(word) };
    Some((text(score, &["name"]), value?.clone())).filter(|(name, _)| !name.is_empty())
}

fn add(span: &Map<String, Value>, at: u64, reading: &mut Reading) {
    let (resource, scope) = (reading.resource_of(Vec::new()), reading.scope_of(String::new()));
    reading.add(row(span), resource, scope, at);
}

fn row(span: &Map<String, Value>) -> Result<Row, &'static str> {
    let get = |names: &[&str]| names.iter().find_map(|name| span.get(*name)).filter(|v| !v.is_null());
    let id = span_id(text(span, &["id"]));
    let start = stamp(get(&["startTime", "start_time"])).ok_or("observation without a start (left out)")?;
    if id == 0 {
        return Err("observation without an id (left out)");
    }
    let kind = text(span, &["type"]).to_lowercase();
    let mut a = Attributes::default();
    a.add("langfuse.observation.type", Some(Value::String(kind.clone())));
    a.add("gen_ai.response.model", get(&["model", "providedModelName", "provided_model_name"]).cloned());
    a.add(
        "langfuse.observation.completion_start_time",
        get(&["completionStartTime", "completion_start_time"]).cloned(),
    );
    a.add("langfuse.observation.input", said(get(&["input"])));
    a.add("langfuse.observation.output", said(get(&["output"])));
    a.add("langfuse.observation.model.parameters", get(&["modelParameters", "model_parameters"]).cloned());
    a.add("langfuse.observation.metadata", said(get(&["metadata"])));
    a.add("session.id", get(&["sessionId", "session_id"]).cloned());
    a.add("user.id", get(&["userId", "user_id"]).cloned());
    a.add("langfuse.environment", get(&["environment"]).cloned());
    let usage = get(&["usageDetails", "usage_details", "usage"])
        .filter(|u| u.as_object().is_some_and(|u| !u.is_empty()));
    a.add("langfuse.observation.usage_details", usage.cloned());
    let cost = get(&["totalCost", "total_cost", "calculatedTotalCost"]);
    if usage.is_some() {
        a.add("gen_ai.usage.cost", cost.cloned());
        a.add("langfuse.observation.cost_details", get(&["costDetails", "cost_details"]).cloned());
    }
    // An event is a moment.
    let end = stamp(get(&["endTime", "end_time"])).or_else(|| (kind == "event").then_some(start));
    Ok(Row {
        trace: trace_id(text(span, &["traceId", "trace_id"])),
        id,
        parent: span_id(text(span, &["parentObservationId", "parent_observation_id"])),
        name: match text(span, &["name"]) {
            "" => kind,
            name => name.to_owned(),
        },
        start,
        end,
        attributes: a.0,
        failed: text(span, &["level"]).eq_ignore_ascii_case("error"),
        message: text(span, &["statusMessage", "status_message"]).to_owned(),
        ..Row::default()
    })
}
