//! Spans out of JSON: one object, several, a list of them, or one a line.

use serde_json::{Map, Value};

use super::super::read::Oddities;
use super::super::read::json::Json;
use super::super::read::value::{text, value};
use super::super::{Context, ErrorKind, ImportError, Source};
use super::logs::{self, Log};
use super::metrics::{self, Found, SeriesSet};
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
    /// There are kinds of data beside spans, be they empty.
    pub others: bool,
    pub logs: Vec<Log>,
    /// Values of metrics over time.
    pub series: SeriesSet,
    /// What metrics tell whose resource is not known yet.
    pending: Found,
    /// Spans, log records and points that could not be read, and why the first of them.
    pub rejected: u64,
    pub why: &'static str,
}

/// How much there was.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    rows: usize,
    logs: usize,
}

/// Lists of resources with their spans, under their names in different places.
const RESOURCES: [&[u8]; 3] = [b"resourceSpans", b"resource_spans", b"batches"];
const SCOPES: [&[u8]; 4] =
    [b"scopeSpans", b"scope_spans", b"instrumentationLibrarySpans", b"instrumentation_library_spans"];
const OTHERS: [&[u8]; 4] = [b"resourceMetrics", b"resource_metrics", b"resourceLogs", b"resource_logs"];
const OTHER_SCOPES: [&[u8]; 4] = [b"scopeMetrics", b"scope_metrics", b"scopeLogs", b"scope_logs"];

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

    pub(super) fn values(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
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
            self.others |= OTHERS.contains(&key);
            if RESOURCES.contains(&key) || OTHERS.contains(&key) {
                if json.enter_array()? {
                    while json.next_item()? {
                        self.resource(json)?;
                    }
                }
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
            Err(why) => self.reject(why, at),
        }
    }

    fn reject(&mut self, why: &'static str, at: u64) {
        if self.rejected == 0 {
            self.why = why;
        }
        self.rejected += 1;
        self.odd.add(why, || format!("byte {at}"));
    }

    pub(super) fn add_log(&mut self, log: Result<Log, &'static str>, at: u64) {
        match log {
            Ok(log) => self.logs.push(log),
            Err(why) => self.reject(why, at),
        }
    }

    pub(super) fn add_metric(&mut self, found: Result<Found, &'static str>, at: u64) {
        match found {
            Ok(found) => self.pending.extend(found),
            Err(why) => self.reject(why, at),
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { rows: self.rows.len(), logs: self.logs.len() }
    }

    /// What came since is of a resource with these attributes.
    pub(super) fn of_resource(&mut self, attributes: Vec<(String, Value)>, since: Mark) {
        let resource = self.resource_of(attributes);
        self.rows[since.rows..].iter_mut().for_each(|row| row.resource = resource);
        self.logs[since.logs..].iter_mut().for_each(|log| log.resource = resource);
        self.series.take(resource, &mut self.pending);
    }

    /// What came since is of a scope of this name.
    pub(super) fn of_scope(&mut self, name: String, since: Mark) {
        let scope = self.scope_of(name);
        self.rows[since.rows..].iter_mut().for_each(|row| row.scope = scope);
        self.logs[since.logs..].iter_mut().for_each(|log| log.scope = scope);
    }

    fn resource(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        let (first, mut found) = (self.mark(), Vec::new());
        while json.next_key()? {
            let key = json.key();
            if key == b"resource" {
                found = attributes(value(json)?.get("attributes"));
            } else if SCOPES.contains(&key) || OTHER_SCOPES.contains(&key) {
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
        self.of_resource(found, first);
        Ok(())
    }

    fn scope(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        let (first, mut name) = (self.mark(), String::new());
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
                b"logRecords" | b"log_records" | b"logs" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            let at = json.offset();
                            let record = value(json)?;
                            self.add_log(logs::of_json(&record), at);
                        }
                    }
                }
                b"metrics" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            let at = json.offset();
                            let metric = value(json)?;
                            self.add_metric(metrics::of_json(&metric), at);
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        self.of_scope(name, first);
        Ok(())
    }

    /// What a span's resource is called: its service, or nothing.
    pub fn service(&self, row: &Row) -> &str {
        self.service_of(row.resource)
    }

    /// What a resource is called.
    pub(super) fn service_of(&self, resource: u32) -> &str {
        let attributes = self.resources.get(resource as usize);
        let name = attributes.and_then(|a| a.iter().find(|(key, _)| key == "service.name"));
        name.and_then(|(_, value)| value.as_str()).unwrap_or("")
    }
}

/// True when an object is a span of a console exporter. Phoenix's have a kind under a name of their own.
pub(super) fn is_console(map: &Map<String, Value>) -> bool {
    let context = map.get("context");
    let has_ids = context.is_some_and(|c| c.get("trace_id").is_some() && c.get("span_id").is_some());
    has_ids && field(map, "start_time", "startTime").is_some() && !map.contains_key("span_kind")
}
