//! Spans out of JSON: one object, several, a list of them, or one a line.

use serde_json::{Map, Value};

use super::super::read::Oddities;
use super::super::read::json::Json;
use super::super::read::value::{text, value};
use super::super::{Context, ErrorKind, ImportError, Source};
use super::row::{Row, attributes, field};
use crate::import::read::lines::for_each_text_line;

/// What files hold so far.
#[derive(Default)]
pub(in crate::import) struct Reading {
    pub rows: Vec<Row>,
    /// Attributes of resources.
    pub resources: Vec<Vec<(String, Value)>>,
    /// Names of scopes, with versions.
    pub scopes: Vec<String>,
    pub odd: Oddities,
    /// Kinds of data beside spans.
    pub others: bool,
}

/// Lists of resources with their spans, under their names in different places.
const RESOURCES: [&[u8]; 3] = [b"resourceSpans", b"resource_spans", b"batches"];
const SCOPES: [&[u8]; 4] =
    [b"scopeSpans", b"scope_spans", b"instrumentationLibrarySpans", b"instrumentation_library_spans"];
const OTHERS: [&[u8]; 4] = [b"resourceMetrics", b"resource_metrics", b"resourceLogs", b"resource_logs"];

impl Reading {
    /// Reads a file whose JSON is not laid out in lines.
    pub fn whole(&mut self, source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
        let mut json = Json::new(source, cx.job)?;
        match self.values(&mut json) {
            Err(e) if e.kind == ErrorKind::Malformed && !self.rows.is_empty() => {
                self.odd.add("file is broken off; what came before is shown", || e.to_string());
                Ok(())
            }
            other => other,
        }
    }

    /// Reads a file with one value a line: a broken line costs no other.
    pub fn lines(&mut self, source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
        for_each_text_line(source, cx, |_, line| {
            if line.text.trim().is_empty() {
                return Ok(());
            }
            match self.values(&mut Json::of_bytes(line.text.as_bytes())) {
                Err(e) if e.kind == ErrorKind::Malformed => {
                    self.odd.add("line that is no JSON (left out)", || line.place());
                    Ok(())
                }
                other => other,
            }
        })
    }

    fn values(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        while !json.at_end()? {
            if json.peek()? == b'[' {
                json.enter_array()?;
                while json.next_item()? {
                    self.object(json)?;
                }
            } else {
                self.object(json)?;
            }
        }
        Ok(())
    }

    /// An object with lists of resources, or a span as a console exporter prints it.
    fn object(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        let at = json.offset();
        if !json.enter_object()? {
            return Ok(());
        }
        let mut plain = Map::new();
        while json.next_key()? {
            let key = json.key();
            if RESOURCES.contains(&key) {
                if json.enter_array()? {
                    while json.next_item()? {
                        self.resource(json)?;
                    }
                }
            } else if OTHERS.contains(&key) {
                self.others = true;
                json.skip()?;
            } else {
                let key = String::from_utf8_lossy(key).into_owned();
                plain.insert(key, value(json)?);
            }
        }
        if plain.get("context").is_some_and(Value::is_object) {
            let resource = plain.get("resource").and_then(|r| r.get("attributes"));
            let (resource, scope) = (self.resource_of(attributes(resource)), self.scope_of(String::new()));
            self.add(Row::read_console(&plain), resource, scope, at);
        }
        Ok(())
    }

    /// Resources and scopes repeat from batch to batch: each is kept once.
    pub fn resource_of(&mut self, attributes: Vec<(String, Value)>) -> u32 {
        let known = self.resources.iter().position(|r| *r == attributes);
        known.unwrap_or_else(|| {
            self.resources.push(attributes);
            self.resources.len() - 1
        }) as u32
    }

    pub fn scope_of(&mut self, name: String) -> u32 {
        let known = self.scopes.iter().position(|s| *s == name);
        known.unwrap_or_else(|| {
            self.scopes.push(name);
            self.scopes.len() - 1
        }) as u32
    }

    pub fn add(&mut self, row: Result<Row, &'static str>, resource: u32, scope: u32, at: u64) {
        match row {
            Ok(row) => {
                if row.odd_id {
                    self.odd.add("id that is no hex number of its length (taken as a text)", || {
                        format!("byte {at}")
                    });
                }
                self.rows.push(Row { resource, scope, ..row });
            }
            Err(why) => self.odd.add(why, || format!("byte {at}")),
        }
    }

    fn resource(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        let (first, mut found) = (self.rows.len(), Vec::new());
        while json.next_key()? {
            let key = json.key();
            if key == b"resource" {
                found = attributes(value(json)?.get("attributes"));
            } else if SCOPES.contains(&key) {
                if json.enter_array()? {
                    while json.next_item()? {
                        self.scope(json)?;
                    }
                }
            } else {
                json.skip()?;
            }
        }
        // It may stand behind its spans.
        let resource = self.resource_of(found);
        self.rows[first..].iter_mut().for_each(|row| row.resource = resource);
        Ok(())
    }

    fn scope(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        let (first, mut name) = (self.rows.len(), String::new());
        while json.next_key()? {
            match json.key() {
                b"scope" | b"instrumentationLibrary" | b"instrumentation_library" => {
                    text(&value(json)?, &["name"]).clone_into(&mut name);
                }
                b"spans" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            let at = json.offset();
                            if let Value::Object(map) = value(json)? {
                                self.add(Row::read(&map), 0, 0, at);
                            }
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        let scope = self.scope_of(name);
        self.rows[first..].iter_mut().for_each(|row| row.scope = scope);
        Ok(())
    }

    /// What a resource is called: its service, or nothing.
    pub fn service(&self, row: &Row) -> &str {
        let attributes = self.resources.get(row.resource as usize);
        let name = attributes.and_then(|a| a.iter().find(|(key, _)| key == "service.name"));
        name.and_then(|(_, value)| value.as_str()).unwrap_or("")
    }
}

/// True when an object is a span of a console exporter.
pub(super) fn is_console(map: &Map<String, Value>) -> bool {
    let context = map.get("context");
    let has_ids = context.is_some_and(|c| c.get("trace_id").is_some() && c.get("span_id").is_some());
    has_ids && field(map, "start_time", "startTime").is_some()
}
