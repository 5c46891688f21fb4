//! What platforms that watch LLM programs export: Langfuse, LangSmith, Phoenix.
//!
//! They keep spans with usage, as OpenTelemetry does, under names of their own. Each reader here turns one span of theirs into
//! one of OpenTelemetry's with the attributes of its conventions; everything after that is the same for all.

pub(super) mod langfuse;
pub(super) mod langsmith;
pub(super) mod phoenix;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::otlp::{Reading, build, id, opaque};
use super::read::json::Json;
use super::read::lines::for_each_text_line;
use super::read::time::unix_time;
use super::read::value::{real, value};
use super::{Context, ErrorKind, ImportError, Source};

/// Takes a span: its fields, the list that it stands in, its byte.
type Take<'a> = dyn FnMut(Map<String, Value>, &str, u64, &mut Reading) + 'a;

/// Spans that a file holds, whichever way it lists them: an object that has them under one of `lists`, a list, or one a line.
/// What else the outermost objects hold comes first.
fn for_each_span(
    source: &mut Source,
    cx: &mut Context<'_>,
    lists: &[&str],
    reading: &mut Reading,
    take: &mut Take<'_>,
) -> Result<(), ImportError> {
    if is_lines(source.head()) {
        return for_each_text_line(source, cx, |_, line| {
            if line.text.trim().is_empty() {
                return Ok(());
            }
            match values(&mut Json::of_bytes(line.text.as_bytes()), lists, reading, take) {
                Err(e) if e.kind == ErrorKind::Malformed => {
                    reading.odd.add("line that is no JSON (left out)", || line.place());
                    Ok(())
                }
                other => other,
            }
        });
    }
    let mut json = Json::new(source, cx.job)?;
    match values(&mut json, lists, reading, take) {
        Err(e) if e.kind == ErrorKind::Malformed && !reading.rows.is_empty() => {
            reading.odd.add("file is broken off; what came before is shown", || e.to_string());
            Ok(())
        }
        other => other,
    }
}

/// True when each line is an object of its own.
fn is_lines(head: &[u8]) -> bool {
    let start = head.trim_ascii_start();
    let line = start.split(|b| *b == b'\n').next().unwrap_or(start);
    let mut json = Json::of_bytes(line);
    let alone = json.skip().is_ok() && json.at_end().unwrap_or(false);
    alone && start[line.len()..].trim_ascii_start().starts_with(b"{")
}

fn values(
    json: &mut Json<'_>,
    lists: &[&str],
    reading: &mut Reading,
    take: &mut Take<'_>,
) -> Result<(), ImportError> {
    while !json.at_end()? {
        if json.peek()? == b'[' {
            spans(json, "", reading, take)?;
            continue;
        }
        let at = json.offset();
        if !json.enter_object()? {
            continue;
        }
        let mut plain = Map::new();
        while json.next_key()? {
            let key = String::from_utf8_lossy(json.key()).into_owned();
            if lists.contains(&key.as_str()) && json.peek()? == b'[' {
                spans(json, &key, reading, take)?;
            } else {
                plain.insert(key, value(json)?);
            }
        }
        take(plain, "", at, reading);
    }
    Ok(())
}

fn spans(
    json: &mut Json<'_>,
    list: &str,
    reading: &mut Reading,
    take: &mut Take<'_>,
) -> Result<(), ImportError> {
    json.enter_array()?;
    while json.next_item()? {
        let at = json.offset();
        if let Value::Object(map) = value(json)? {
            take(map, list, at, reading);
        }
    }
    Ok(())
}

/// Gives all spans of a trace what is said of the trace.
fn say_of_traces(reading: &mut Reading, traces: &HashMap<u128, Vec<(String, Value)>>) {
    for row in &mut reading.rows {
        if let Some(said) = traces.get(&row.trace) {
            row.attributes.extend(said.iter().cloned());
        }
    }
}

/// Builds what was read.
fn finish(reading: Reading, tool: &str, cx: &mut Context<'_>) -> Result<(), ImportError> {
    if reading.rows.is_empty() {
        let what = reading.odd.first().unwrap_or_else(|| "holds no spans".into());
        return Err(ImportError::malformed(what));
    }
    build(reading, &mut cx.builder);
    cx.builder.meta.tool = tool.into();
    Ok(())
}

/// The first text of a span that is not empty.
fn text<'a>(span: &'a Map<String, Value>, keys: &[&str]) -> &'a str {
    let texts = keys.iter().filter_map(|key| span.get(*key)?.as_str());
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or("")
}

/// An id of a trace as a number: hex and UUIDs as they are, other texts by their hash. 0 for none.
fn trace_id(text: &str) -> u128 {
    let plain = text.replace('-', "");
    match id(&plain, 32) {
        Some(id) if plain.len() == 32 => id,
        _ if text.is_empty() => 0,
        _ => u128::from(opaque(text)),
    }
}

/// The same of a span.
fn span_id(text: &str) -> u64 {
    match id(text, 16) {
        Some(id) if text.len() == 16 => id as u64,
        _ if text.is_empty() => 0,
        _ => opaque(text),
    }
}

/// Unix ns of a date, or of a number of seconds, ms or ns since 1970.
fn stamp(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    if let Some(text) = value.as_str() {
        return unix_time(text);
    }
    let number = real(value).filter(|n| *n > 0.0)?;
    let factor = match number {
        n if n < 1e11 => 1e9,
        n if n < 1e14 => 1e6,
        n if n < 1e17 => 1e3,
        _ => 1.0,
    };
    // Whole numbers of ms and ns are exact in 64 bits, though not as floats.
    match value.as_i64() {
        Some(n) => n.checked_mul(factor as i64),
        None => Some((number * factor) as i64).filter(|ns| *ns < i64::MAX),
    }
}

/// What a span was given or gave, as text.
fn said(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(Value::String(text.clone())),
        other => Some(Value::String(other.to_string())),
    }
}

/// Attributes of a span, none of which is null.
#[derive(Default)]
struct Attributes(Vec<(String, Value)>);

impl Attributes {
    fn add(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value.filter(|v| !v.is_null() && v.as_str() != Some("")) {
            self.0.push((name.to_owned(), value));
        }
    }
}

/// Later parts of spans that were sent in pieces, by id: what is there replaces what was.
fn merge(
    known: &mut HashMap<String, Map<String, Value>>,
    order: &mut Vec<String>,
    id: String,
    part: Map<String, Value>,
) {
    match known.get_mut(&id) {
        Some(span) => {
            for (key, value) in part.into_iter().filter(|(_, value)| !value.is_null()) {
                match (span.get_mut(&key), value) {
                    (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
                    (_, value) => drop(span.insert(key, value)),
                }
            }
        }
        None => {
            order.push(id.clone());
            known.insert(id, part);
        }
    }
}
