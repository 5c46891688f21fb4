//! LangSmith: runs as its SDKs send them (`post` and `patch`), as its API answers, and as `Client.list_runs` gives them, one a line.
//!
//! Reference: the schema of a run in `langsmith/schemas.py`. Kept: runs with their kind, times, model, usage, cost, the time of the first
//! token and of each token that an event tells of, inputs, outputs, errors and means of feedback. Lost: attachments, manifests.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::Gives::{Requests, Time, Tree};
use super::super::otlp::{Event, Reading, Row, SCORE, TRACE, TRACE_SCORE};
use super::super::read::json::top_keys;
use super::super::read::value::{at, items};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{Attributes, finish, for_each_span, merge, said, say_of_traces, span_id, stamp, text, trace_id};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "langsmith",
    title: "LangSmith runs",
    written_by: "LangSmith: runs of its SDKs, its API and its exports as JSON",
    extensions: &["json", "jsonl"],
    gives: &[Tree, Time, Requests],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let start = head.bytes.trim_ascii_start();
    if !matches!(start.first(), Some(b'{' | b'[')) {
        return Confidence::No;
    }
    let keys = top_keys(start);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let is_run = head.says("\"run_type\"") && head.says("\"start_time\"");
    let signs =
        ["\"dotted_order\"", "\"session_name\"", "\"parent_run_id\"", "\"langsmith", "\"ls_provider\""];
    let signs = signs.iter().filter(|sign| head.says(sign)).count();
    match (is_run, signs) {
        (true, 1..) => Confidence::Certain,
        (true, 0) => Confidence::Possible,
        _ if has("post") && has("patch") && signs > 0 => Confidence::Certain,
        _ => Confidence::No,
    }
}

const LISTS: [&str; 4] = ["post", "patch", "runs", "child_runs"];

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reading = Reading::default();
    let (mut runs, mut order) = (HashMap::new(), Vec::new());
    for_each_span(source, cx, &LISTS, &mut reading, &mut |run, _, _, reading| {
        let mut left = vec![run];
        while let Some(mut run) = left.pop() {
            if let Some(Value::Array(children)) = run.remove("child_runs") {
                left.extend(
                    children
                        .into_iter()
                        .filter_map(|c| if let Value::Object(c) = c { Some(c) } else { None }),
                );
            }
            let id = id_of(&run).to_owned();
            match id.is_empty() {
                false => merge(&mut runs, &mut order, id, run),
                true if run.contains_key("run_type") => {
                    reading.odd.add("run without an id (left out)", String::new)
                }
                true => {}
            }
        }
    })?;
    let (resource, scope) = (reading.resource_of(Vec::new()), reading.scope_of(String::new()));
    let mut traces = HashMap::new();
    for id in order {
        if let Some(run) = runs.remove(&id) {
            // Whoever judges the outermost run judges the trace.
            let judged: Vec<_> = feedback(&run, TRACE_SCORE);
            if text(&run, &["parent_run_id"]).is_empty() && !judged.is_empty() {
                let of = (TRACE.to_owned(), Value::String(id.clone()));
                traces.insert(trace_of(&run), judged.into_iter().chain([of]).collect());
            }
            reading.add(row(&run), resource, scope, 0);
        }
    }
    say_of_traces(&mut reading, &traces);
    finish(reading, "LangSmith", cx)
}

/// The id of a run; of a patch without one it is the end of its path, `…20241013T070535809001Z33c08c32-…`.
fn id_of(run: &Map<String, Value>) -> &str {
    match text(run, &["id"]) {
        "" => text(run, &["dotted_order"]).rsplit('Z').next().unwrap_or(""),
        id => id,
    }
}

/// The trace of a run: its own where none is named.
fn trace_of(run: &Map<String, Value>) -> u128 {
    let trace = match text(run, &["trace_id"]) {
        "" => id_of(run),
        trace => trace,
    };
    trace_id(trace).max(1)
}

/// Means of the scores that a run got, by name.
fn feedback(run: &Map<String, Value>, front: &str) -> Vec<(String, Value)> {
    let stats = run.get("feedback_stats").and_then(Value::as_object);
    let mean = |(name, stat): (&String, &Value)| {
        let mean = stat.get("avg").filter(|v| v.is_number())?;
        Some((format!("{front}{name}"), mean.clone()))
    };
    stats.into_iter().flatten().filter_map(mean).collect()
}

fn row(run: &Map<String, Value>) -> Result<Row, &'static str> {
    let get = |name: &str| run.get(name).filter(|v| !v.is_null());
    let start = stamp(get("start_time")).ok_or("run without a start (left out)")?;
    let id = id_of(run);
    let kind = text(run, &["run_type"]);
    let metadata = |key: &str| at(get("extra")?, &["metadata", key]).cloned();
    let asked = |key: &str| {
        at(get("extra")?, &["invocation_params", key]).or_else(|| get("inputs")?.get(key)).cloned()
    };
    let mut a = Attributes::default();
    // Kinds have OpenInference's names.
    a.add("openinference.span.kind", Some(Value::String(kind.to_owned())));
    a.add(
        "gen_ai.request.model",
        metadata("ls_model_name").or_else(|| asked("model")).or_else(|| asked("model_name")),
    );
    let outputs = get("outputs");
    let answered = outputs.and_then(|o| o.get("model").or_else(|| at(o, &["llm_output", "model_name"])));
    a.add("gen_ai.response.model", answered.cloned());
    a.add("gen_ai.provider.name", metadata("ls_provider"));
    // Names that begin so are LangSmith's own.
    let own = at(get("extra").unwrap_or(&Value::Null), &["metadata"]).and_then(Value::as_object);
    let own = own.into_iter().flatten().filter(|(name, _)| !name.starts_with("ls_"));
    let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    a.add("metadata", (!own.is_empty()).then_some(Value::Object(own)));
    a.add("tag.tags", get("tags").filter(|t| t.as_array().is_some_and(|t| !t.is_empty())).cloned());
    a.add("input.value", said(get("inputs")));
    a.add("output.value", said(outputs.map(|o| answer(o).unwrap_or(o))));
    if kind == "llm" || kind == "embedding" {
        usage(run, &mut a);
        let stated = outputs.and_then(|o| o.get("usage_metadata"));
        let cost = |own: &str, of_usage: &str| get(own).or_else(|| stated?.get(of_usage)).cloned();
        a.add("gen_ai.usage.cost", cost("total_cost", "total_cost"));
        a.add("gen_ai.usage.prompt_cost", cost("prompt_cost", "input_cost"));
        a.add("gen_ai.usage.completion_cost", cost("completion_cost", "output_cost"));
    }
    let mut events: Vec<Event> = Vec::new();
    let first = stamp(get("first_token_time"));
    for event in items(get("events")) {
        if event.get("name").and_then(Value::as_str) == Some("new_token")
            && let Some(time) = stamp(event.get("time"))
        {
            events.push(Event {
                time,
                name: "gen_ai.content.completion.chunk".into(),
                attributes: Vec::new(),
            });
        }
    }
    if let Some(time) = first.filter(|_| events.is_empty()) {
        events.push(Event { time, name: "first token".into(), attributes: Vec::new() });
    }
    let error = text(run, &["error"]);
    if !text(run, &["parent_run_id"]).is_empty() {
        a.0.extend(feedback(run, SCORE));
    }
    Ok(Row {
        trace: trace_of(run),
        id: span_id(id),
        parent: span_id(text(run, &["parent_run_id"])),
        name: text(run, &["name", "run_type"]).to_owned(),
        start,
        end: stamp(get("end_time")),
        attributes: a.0,
        events,
        failed: !error.is_empty() || text(run, &["status"]) == "error",
        message: error.to_owned(),
        ..Row::default()
    })
}

/// The text of an answer in an OpenAI response, or in LangChain's.
fn answer(outputs: &Value) -> Option<&Value> {
    let choice = outputs.get("choices").and_then(|c| c.get(0));
    let generation = outputs.get("generations").and_then(|g| g.get(0)?.get(0));
    choice
        .and_then(|c| at(c, &["message", "content"]))
        .or_else(|| generation?.get("text"))
        .filter(|text| text.is_string())
}

/// Usage wherever a run may have it: its own fields, LangSmith's `usage_metadata`, what the provider answered.
fn usage(run: &Map<String, Value>, a: &mut Attributes) {
    let outputs = run.get("outputs").unwrap_or(&Value::Null);
    let message = outputs.get("generations").and_then(|g| g.get(0)?.get(0)?.get("message"));
    let message = message.map(|m| m.get("kwargs").unwrap_or(m));
    let places = [
        outputs.get("usage_metadata"),
        run.get("extra").and_then(|e| at(e, &["metadata", "usage_metadata"])),
        message.and_then(|m| m.get("usage_metadata")),
        outputs.get("usage"),
        at(outputs, &["llm_output", "token_usage"]),
        Some(&Value::Null).filter(|_| run.contains_key("total_tokens")),
    ];
    let Some(found) = places.into_iter().flatten().next() else { return };
    let own = |name: &str| run.get(name).filter(|_| found.is_null()).cloned();
    // A run has details of its own, whoever counted.
    let of_run = |paths: &[&[&str]]| {
        let in_run = |path: &&[&str]| at(run.get(*path.first()?)?, &path[1..]);
        paths.iter().filter(|path| path.len() > 1).find_map(in_run).filter(|v| !v.is_null())
    };
    let get =
        |paths: &[&[&str]]| paths.iter().find_map(|path| at(found, path)).or_else(|| of_run(paths)).cloned();
    a.add(
        "gen_ai.usage.input_tokens",
        get(&[&["input_tokens"], &["prompt_tokens"]]).or_else(|| own("prompt_tokens")),
    );
    a.add(
        "gen_ai.usage.output_tokens",
        get(&[&["output_tokens"], &["completion_tokens"]]).or_else(|| own("completion_tokens")),
    );
    a.add("gen_ai.usage.total_tokens", get(&[&["total_tokens"]]).or_else(|| own("total_tokens")));
    a.add(
        "gen_ai.usage.cache_read.input_tokens",
        get(&[
            &["input_token_details", "cache_read"],
            &["prompt_token_details", "cache_read"],
            &["prompt_tokens_details", "cached_tokens"],
            &["input_tokens_details", "cached_tokens"],
            &["cache_read_input_tokens"],
        ]),
    );
    // LangChain leaves the sum at 0 where it knows for how long they are kept.
    let kept = |name: &str| get(&[&["input_token_details", name], &["prompt_token_details", name]]);
    let kept = [kept("ephemeral_5m_input_tokens"), kept("ephemeral_1h_input_tokens")];
    let sum = get(&[
        &["input_token_details", "cache_creation"],
        &["prompt_token_details", "cache_creation"],
        &["cache_creation_input_tokens"],
    ]);
    let apart = kept.iter().flatten().any(|n| n.as_u64().is_some_and(|n| n > 0));
    a.add("gen_ai.usage.cache_creation.input_tokens", sum.filter(|n| !apart || n.as_u64() != Some(0)));
    let [short, long] = kept;
    a.add("gen_ai.usage.cache_creation.ephemeral_5m.input_tokens", short);
    a.add("gen_ai.usage.cache_creation.ephemeral_1h.input_tokens", long);
    a.add(
        "gen_ai.usage.reasoning.output_tokens",
        get(&[
            &["output_token_details", "reasoning"],
            &["completion_token_details", "reasoning"],
            &["completion_tokens_details", "reasoning_tokens"],
            &["output_tokens_details", "reasoning_tokens"],
        ]),
    );
    for (name, paths) in [
        ("gen_ai.usage.audio.input_tokens", INPUT_DETAILS.map(|(details, kinds)| [details, kinds[0]])),
        ("gen_ai.usage.image.input_tokens", INPUT_DETAILS.map(|(details, kinds)| [details, kinds[1]])),
        ("gen_ai.usage.audio.output_tokens", OUTPUT_DETAILS.map(|(details, kinds)| [details, kinds[0]])),
    ] {
        a.add(name, get(&paths.each_ref().map(|path| &path[..])));
    }
}

/// Where parts of the input by kind may stand, with the names of sound and pictures there.
const INPUT_DETAILS: [(&str, [&str; 2]); 4] = [
    ("input_token_details", ["audio", "image"]),
    ("prompt_token_details", ["audio", "image"]),
    ("prompt_tokens_details", ["audio_tokens", "image_tokens"]),
    ("input_tokens_details", ["audio_tokens", "image_tokens"]),
];
/// The same of the output.
const OUTPUT_DETAILS: [(&str, [&str; 2]); 4] = [
    ("output_token_details", ["audio", "image"]),
    ("completion_token_details", ["audio", "image"]),
    ("completion_tokens_details", ["audio_tokens", "image_tokens"]),
    ("output_tokens_details", ["audio_tokens", "image_tokens"]),
];
