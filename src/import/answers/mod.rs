//! Answers of model servers as programs log them: JSON, JSON lines and streams of server-sent events.
//!
//! Read are OpenAI's chat completions and responses and the many servers that speak them, Anthropic's messages, Gemini,
//! Bedrock's Converse, Ollama and llama.cpp, whole or as chunks; and the same inside of what batches and logs put around it
//! (`response`, `body`). Kept: tokens by class, models, tiers, stamps, phases, texts, errors. Lost: what was asked, calls of tools in detail. An
//! answer that ends before its server says so counts as cancelled.

mod fold;
mod live;
mod pieces;
mod shape;
#[cfg(test)]
mod tests;
mod usage;

use serde_json::Value;

use super::Gives::Requests;
use super::llm::Clock;
use super::llm::attempts::{self, Tried};
use super::read::Oddities;
use super::read::json::Json;
use super::read::lines::for_each_text_line;
use super::read::sse::{Event, Parser};
use super::read::value::value;
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::Basis;
use fold::Fold;
pub(super) use live::Answer;
use shape::{Shape, is_typed_error, unwrapped};
#[cfg(feature = "workloads")]
pub(crate) use usage::counted;

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "answers",
    title: "answers of model servers",
    written_by: "OpenAI, Anthropic, Gemini, Bedrock, Ollama, llama.cpp and what speaks like them",
    extensions: &["json", "jsonl", "ndjson", "sse", "txt"],
    gives: &[Requests],
    sniff,
    import,
    details: no_details,
};

/// How answers follow each other in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Server-sent events.
    Events,
    /// One JSON value a line.
    Lines,
    /// JSON values, or a list of them.
    Values,
}

/// The layout, and the first value as far as the head holds it.
fn layout(head: &[u8]) -> Option<(Layout, Value)> {
    let start = head.trim_ascii_start();
    match start.first()? {
        b'{' => {
            let line = start.split(|b| *b == b'\n').next().unwrap_or(start);
            let alone = first_value(line).filter(|(_, rest)| *rest);
            let more = start[line.len()..].trim_ascii_start().starts_with(b"{");
            match alone {
                Some((value, _)) if more => Some((Layout::Lines, value)),
                Some((value, _)) => Some((Layout::Values, value)),
                None => Some((Layout::Values, first_value(start)?.0)),
            }
        }
        b'[' => Some((Layout::Values, first_value(&start[1..])?.0)),
        b':' | b'd' | b'e' | b'i' | b'r' => {
            let known = [&b"data:"[..], b"event:", b"id:", b"retry:", b":"];
            let is_field = |line: &[u8]| line.is_empty() || known.iter().any(|field| line.starts_with(field));
            let lines = start.split(|b| matches!(b, b'\n' | b'\r'));
            // The last line may be cut.
            if !lines.take(6).enumerate().all(|(n, line)| is_field(line) || n > 0 && line.len() < 6) {
                return None;
            }
            let (mut parser, mut events) = (Parser::default(), Vec::new());
            parser.push(start, &mut events);
            parser.finish(&mut events);
            let mut values = events.iter().filter_map(|event| match event {
                Event::Data(data) => Some(first_value(data.as_bytes())?.0),
                Event::TooLong => None,
            });
            Some((Layout::Events, values.find(|v| unwrapped(v).is_some())?))
        }
        _ => None,
    }
}

/// The value at the start of `bytes`, as much as is there, and whether it is whole and nothing follows.
fn first_value(bytes: &[u8]) -> Option<(Value, bool)> {
    let mut json = Json::of_bytes(bytes);
    if let Ok(value) = value(&mut json) {
        let alone = json.at_end().unwrap_or(false);
        return Some((value, alone));
    }
    // Cut: the keys that are whole.
    let mut json = Json::of_bytes(bytes);
    let mut map = serde_json::Map::new();
    if !json.enter_object().ok()? {
        return None;
    }
    while let Ok(true) = json.next_key() {
        let key = String::from_utf8_lossy(json.key()).into_owned();
        let whole = value(&mut json);
        let stop = whole.is_err();
        map.insert(key, whole.unwrap_or(Value::Array(Vec::new())));
        if stop {
            break;
        }
    }
    Some((Value::Object(map), false))
}

fn sniff(head: &Head<'_>) -> Confidence {
    let Some((layout, value)) = layout(head.bytes) else { return Confidence::No };
    let mut shape = unwrapped(&value).map(|(_, shape)| shape);
    // A log may begin with what failed.
    if shape == Some(Shape::Error) && layout == Layout::Lines {
        let lines = head.bytes.split(|b| *b == b'\n').filter_map(first_value);
        let shapes = lines.filter_map(|(value, whole)| unwrapped(&value).map(|u| u.1).filter(|_| whole));
        shape = { shapes }.find(|s| *s != Shape::Error);
    }
    match shape {
        // The body of a request that failed.
        Some(Shape::Error) if head.whole && is_typed_error(&value) => Confidence::Possible,
        Some(Shape::Error) | None => Confidence::No,
        Some(Shape::Usage | Shape::LlamaCpp) if layout == Layout::Values => Confidence::Possible,
        Some(_) => Confidence::Likely,
    }
}

/// Answers so far, and what was odd.
#[derive(Default)]
struct Reading {
    fold: Fold,
    odd: Oddities,
}

impl Reading {
    fn add(&mut self, value: &Value, place: impl FnOnce() -> String) {
        if !self.fold.add(value) {
            self.odd.add("JSON that is no answer of a model (left out)", place);
        }
    }

    fn text(&mut self, text: &str, place: &dyn Fn() -> String) {
        match value(&mut Json::of_bytes(text.as_bytes())) {
            Ok(value) => self.add(&value, place),
            Err(_) => self.odd.add("line that is no JSON (left out)", place),
        }
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let Some((layout, _)) = layout(source.head()) else {
        return Err(ImportError::malformed("holds no answer of a model"));
    };
    let mut reading = Reading::default();
    match layout {
        Layout::Events => events(source, cx, &mut reading)?,
        Layout::Lines => for_each_text_line(source, cx, |_, line| {
            if !line.text.trim().is_empty() {
                reading.text(line.text, &|| line.place());
            }
            Ok(())
        })?,
        Layout::Values => values(source, cx, &mut reading)?,
    }
    reading.fold.close();
    let calls = std::mem::take(&mut reading.fold.calls);
    if calls.is_empty() {
        let what = reading.odd.first().unwrap_or_else(|| "holds no answer of a model".into());
        return Err(ImportError::malformed(what).remedy("see `inferscope formats`"));
    }
    let b = &mut cx.builder;
    let origin = calls.iter().filter(|c| c.clock == Clock::Unix).map(|c| c.start).min();
    (b.meta.basis, b.meta.origin_unix_ns) = (Basis::Timed, origin);
    let undated = calls.iter().filter(|c| c.clock == Clock::Own).count();
    b.warn_many("answer without a time: its place in time is unknown", "", undated as u64);
    let tried = calls.into_iter().map(|mut call| {
        let id = std::mem::take(&mut call.id);
        Tried { request: call.request(b, origin.unwrap_or(0), None), trace: 0, id, resent: 0 }
    });
    let tried: Vec<Tried> = tried.collect();
    for request in attempts::link(tried, b) {
        b.request(request);
    }
    reading.odd.report(b);
    Ok(())
}

fn events(source: &mut Source, cx: &mut Context<'_>, reading: &mut Reading) -> Result<(), ImportError> {
    use std::io::Read;
    let (mut parser, mut found) = (Parser::default(), Vec::new());
    let (mut buffer, mut number) = (vec![0; 1 << 18], 0u64);
    loop {
        let got = source.read(&mut buffer)?;
        cx.checkpoint(source)?;
        match got {
            0 => parser.finish(&mut found),
            got => parser.push(&buffer[..got], &mut found),
        }
        for event in found.drain(..) {
            number += 1;
            match event {
                Event::Data(data) if data.trim() == "[DONE]" => reading.fold.over(),
                Event::Data(data) if data.trim().is_empty() => {}
                Event::Data(data) => reading.text(&data, &|| format!("event {number}")),
                Event::TooLong => {
                    reading.odd.add("event longer than 1 MiB (left out)", || format!("event {number}"))
                }
            }
        }
        if got == 0 {
            return Ok(());
        }
    }
}

fn values(source: &mut Source, cx: &mut Context<'_>, reading: &mut Reading) -> Result<(), ImportError> {
    let mut json = Json::new(source, cx.job)?;
    let mut number = 0u64;
    let mut read = |json: &mut Json<'_>, reading: &mut Reading| -> Result<(), ImportError> {
        number += 1;
        let found = value(json)?;
        reading.add(&found, || format!("value {number}"));
        Ok(())
    };
    let mut all = |json: &mut Json<'_>, reading: &mut Reading| -> Result<(), ImportError> {
        while !json.at_end()? {
            if json.peek()? == b'[' {
                json.enter_array()?;
                while json.next_item()? {
                    read(json, reading)?;
                }
            } else {
                read(json, reading)?;
            }
        }
        Ok(())
    };
    match all(&mut json, reading) {
        Err(e) if e.kind == ErrorKind::Malformed && reading.fold.has_any() => {
            reading.odd.add("file is broken off; what came before is shown", || e.to_string());
            Ok(())
        }
        other => other,
    }
}
