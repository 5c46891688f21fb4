//! What programs send while they are recorded: each message is read as it comes, and the spans of all are put together when somebody
//! looks and in the end, by the same code as those of a file.
//!
//! A message waits in the inbox until the rows are free: whoever sends is never held up by somebody who looks. Both are bounded: a
//! full inbox refuses what comes, and of too many rows the oldest traces go, whole; both are counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use serde_json::Value;

use super::build::{Place, add};
use super::message::Keep;
use super::read::Reading;
use super::row::Row;
use super::unique::Unique;
use super::{Encoding, Signal};
use crate::format;
use crate::model::ProfileBuilder;

/// Bytes that wait to be put in place.
const INBOX: usize = 64 << 20;
/// Resources and scopes that are told apart.
const MOST_NAMES: usize = 1000;
/// Log records and values of metrics have this share of the room each at most.
const SHARE: usize = 4;

/// How much came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) exports: u64,
    pub(crate) spans: u64,
    pub(crate) logs: u64,
    pub(crate) points: u64,
    pub(crate) rejected: u64,
}

/// What a message held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Spans, log records or metrics that could not be read; the others were taken.
    pub(crate) rejected: u64,
    /// What was wrong with the first of these.
    pub(crate) why: &'static str,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It makes no sense; one line says why.
    Broken(String),
    /// There is no room now.
    Full,
}

#[derive(Default)]
struct Inbox {
    messages: Vec<Reading>,
    bytes: usize,
}

/// All that came.
pub(crate) struct Received {
    inbox: Mutex<Inbox>,
    rows: Mutex<Rows>,
    exports: AtomicU64,
    spans: AtomicU64,
    logs: AtomicU64,
    points: AtomicU64,
    rejected: AtomicU64,
    keep: Keep,
    most: usize,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.figures())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Received {
    /// At most about `most` bytes are held; `keep` gives each text as it may be kept.
    pub(crate) fn new(most: usize, keep: Keep) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            inbox: Mutex::default(),
            rows: Mutex::default(),
            exports: zero(),
            spans: zero(),
            logs: zero(),
            points: zero(),
            rejected: zero(),
            keep,
            most,
        }
    }

    /// Reads a message and takes what it holds. `before` is called when it is known to make sense.
    pub(crate) fn take(
        &self,
        bytes: &[u8],
        encoding: Encoding,
        signal: Signal,
        before: impl FnOnce(),
    ) -> Result<Told, Refusal> {
        if lock(&self.inbox).bytes > INBOX {
            return Err(Refusal::Full);
        }
        let mut reading = Reading::default();
        reading.message(bytes, encoding, signal).map_err(|e| Refusal::Broken(e.to_string()))?;
        before();
        reading.keep(self.keep);
        let told = Told { rejected: reading.rejected, why: reading.why };
        let points = reading.series.list.iter().map(|s| s.points.len()).sum::<usize>();
        for (counter, n) in [
            (&self.exports, 1),
            (&self.spans, reading.rows.len() as u64),
            (&self.logs, reading.logs.len() as u64),
            (&self.points, points as u64),
            (&self.rejected, reading.rejected),
        ] {
            counter.fetch_add(n, Ordering::Relaxed);
        }
        let bytes = reading.bytes();
        let mut inbox = lock(&self.inbox);
        inbox.bytes += bytes;
        inbox.messages.push(reading);
        Ok(told)
    }

    /// Puts what waits in place, unless somebody looks at the rows just now.
    pub(crate) fn settle(&self) {
        match self.rows.try_lock() {
            Ok(mut rows) => rows.take(std::mem::take(&mut *lock(&self.inbox)), self.most),
            Err(TryLockError::Poisoned(rows)) => {
                rows.into_inner().take(std::mem::take(&mut *lock(&self.inbox)), self.most);
            }
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// How much came.
    pub(crate) fn figures(&self) -> Figures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            exports: of(&self.exports),
            spans: of(&self.spans),
            logs: of(&self.logs),
            points: of(&self.points),
            rejected: of(&self.rejected),
        }
    }

    /// True when spans came.
    pub(crate) fn has_spans(&self) -> bool {
        self.spans.load(Ordering::Relaxed) > 0
    }

    /// Adds all to a profile whose time 0 is `origin`. `runs`: more may come. `is_summary`: other tracks tell of the same time.
    /// Gives the figures for its header.
    pub(crate) fn add_to(
        &self,
        b: &mut ProfileBuilder,
        origin: i64,
        runs: bool,
        is_summary: bool,
    ) -> (&'static str, String) {
        let mut rows = lock(&self.rows);
        rows.take(std::mem::take(&mut *lock(&self.inbox)), self.most);
        let place = Place::in_recording(&rows.unique.rows, origin, runs, is_summary, b);
        let missing = rows.add_to(b, &place);
        let figures = self.figures();
        let count = |n: u64| format::count(i64::try_from(n).unwrap_or(i64::MAX));
        let mut text =
            format!("{} in {}", spans(figures.spans), traces(rows.traces.len() as u64 + rows.gone.traces));
        for (n, one, many) in [
            (figures.logs, "log record", "log records"),
            (figures.points, "value of a metric", "values of metrics"),
        ] {
            if n > 0 {
                text += &format!(", {}", format::counted(i64::try_from(n).unwrap_or(i64::MAX), one, many));
            }
        }
        for (n, what) in [
            (rows.unique.duplicates(), "sent twice"),
            (figures.rejected, "rejected"),
            (rows.gone.spans, "left out"),
            (missing as u64, "not received, though parts of them were"),
        ] {
            if n > 0 {
                text += &format!(", {} {what}", count(n));
            }
        }
        let senders = rows.reading.senders();
        if !senders.is_empty() {
            text += &format!(" ({senders})");
        }
        ("OpenTelemetry", text)
    }
}

fn spans(n: u64) -> String {
    format::counted(i64::try_from(n).unwrap_or(i64::MAX), "span", "spans")
}

fn traces(n: u64) -> String {
    format::counted(i64::try_from(n).unwrap_or(i64::MAX), "trace", "traces")
}

/// What was left out.
#[derive(Default)]
struct Gone {
    spans: u64,
    traces: u64,
    logs: u64,
    points: u64,
}

/// What is known of a trace.
#[derive(Default)]
struct Trace {
    /// The message that it was in last.
    last: u64,
    bytes: usize,
}

/// Rows in place.
#[derive(Default)]
struct Rows {
    /// All but the spans.
    reading: Reading,
    unique: Unique,
    traces: HashMap<u128, Trace>,
    bytes: usize,
    messages: u64,
    gone: Gone,
}

impl Rows {
    fn take(&mut self, inbox: Inbox, most: usize) {
        for message in inbox.messages {
            self.messages += 1;
            self.absorb(message);
            self.bound(most);
        }
    }

    fn absorb(&mut self, mut message: Reading) {
        let own = &mut self.reading;
        let resources: Vec<u32> = std::mem::take(&mut message.resources)
            .into_iter()
            .map(|resource| {
                if own.resources.len() < MOST_NAMES {
                    own.resource_of(resource)
                } else {
                    own.resource_of(Vec::new())
                }
            })
            .collect();
        let scopes: Vec<u32> = std::mem::take(&mut message.scopes)
            .into_iter()
            .map(|scope| {
                if own.scopes.len() < MOST_NAMES { own.scope_of(scope) } else { own.scope_of(String::new()) }
            })
            .collect();
        let of = |ids: &[u32], at: u32| ids.get(at as usize).copied().unwrap_or(0);
        for mut row in message.rows {
            (row.resource, row.scope) = (of(&resources, row.resource), of(&scopes, row.scope));
            let bytes = bytes_of(&row);
            let trace = self.traces.entry(row.trace).or_default();
            (trace.last, trace.bytes) = (self.messages, trace.bytes + bytes);
            self.bytes += bytes;
            if let Some(old) = self.unique.add(row) {
                let bytes = bytes_of(&old);
                trace.bytes = trace.bytes.saturating_sub(bytes);
                self.bytes = self.bytes.saturating_sub(bytes);
            }
        }
        for mut log in message.logs {
            (log.resource, log.scope) = (of(&resources, log.resource), of(&scopes, log.scope));
            own.logs.push(log);
        }
        own.series.absorb(message.series, |at| of(&resources, at));
        own.odd.absorb(message.odd);
    }

    /// Leaves out the oldest when there is too much, so that there is room again for a while.
    fn bound(&mut self, most: usize) {
        if self.bytes > most {
            let goal = most / 4 * 3;
            let mut by_age: BTreeMap<u64, Vec<u128>> = BTreeMap::new();
            self.traces.iter().for_each(|(id, trace)| by_age.entry(trace.last).or_default().push(*id));
            let newest = by_age.last_key_value().and_then(|(_, traces)| traces.first().copied());
            for id in by_age.into_values().flatten().filter(|id| Some(*id) != newest) {
                if self.bytes <= goal {
                    break;
                }
                let trace = self.traces.remove(&id).unwrap_or_default();
                self.bytes = self.bytes.saturating_sub(trace.bytes);
                self.gone.traces += 1;
            }
            let before = self.unique.rows.len();
            let traces = &self.traces;
            self.unique.retain(|row| traces.contains_key(&row.trace));
            // One trace alone is too much: what ended first goes.
            if self.bytes > goal {
                let mut starts: Vec<i64> = self.unique.rows.iter().map(|row| row.start).collect();
                let keep = (starts.len() as f64 * (goal as f64 / self.bytes.max(1) as f64)) as usize;
                let at = starts.len().saturating_sub(keep.max(1));
                let at = at.min(starts.len().saturating_sub(1));
                let (_, from, _) = starts.select_nth_unstable(at);
                let from = *from;
                self.unique.retain(|row| row.start >= from);
                self.weigh();
            }
            self.gone.spans += (before - self.unique.rows.len()) as u64;
        }
        let logs = &mut self.reading.logs;
        if logs.len() * LOG > most / SHARE {
            let half = logs.len() / 2;
            self.gone.logs += half as u64;
            logs.drain(..half);
        }
        if self.reading.series.bytes() > most / SHARE {
            self.gone.points += self.reading.series.halve();
        }
    }

    /// Weighs all rows anew.
    fn weigh(&mut self) {
        self.bytes = 0;
        self.traces.values_mut().for_each(|trace| trace.bytes = 0);
        for row in &self.unique.rows {
            let bytes = bytes_of(row);
            self.bytes += bytes;
            self.traces.entry(row.trace).or_default().bytes += bytes;
        }
    }

    fn add_to(&self, b: &mut ProfileBuilder, place: &Place) -> usize {
        let missing = add(&self.reading, &self.unique.rows, place, b);
        self.unique.report(b);
        self.reading.odd.tell(b);
        for (kind, n) in [
            (
                "spans of the oldest traces left out: the memory limit of the recording was reached",
                self.gone.spans,
            ),
            ("older log records left out: the memory limit of the recording was reached", self.gone.logs),
            (
                "older values of metrics left out: the memory limit of the recording was reached",
                self.gone.points,
            ),
        ] {
            b.warn_many(kind, "", n);
        }
        missing
    }
}

/// About what a log record takes.
const LOG: usize = 600;

/// About what a span takes.
fn bytes_of(row: &Row) -> usize {
    let events = row.events.iter().map(|e| 64 + e.name.len() + pairs(&e.attributes));
    size_of::<Row>()
        + row.name.len()
        + row.message.len()
        + pairs(&row.attributes)
        + events.sum::<usize>()
        + row.links.len() * 32
}

fn pairs(attributes: &[(String, Value)]) -> usize {
    attributes.iter().map(|(key, value)| size_of::<(String, Value)>() + key.len() + heap_of(value)).sum()
}

/// Values are at most as deep as their readers let them be.
fn heap_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|v| size_of::<Value>() + heap_of(v)).sum(),
        Value::Object(map) => {
            map.iter().map(|(key, v)| size_of::<Value>() + key.len() + 48 + heap_of(v)).sum()
        }
        _ => 0,
    }
}

impl Reading {
    fn bytes(&self) -> usize {
        self.rows.iter().map(bytes_of).sum::<usize>() + self.logs.len() * LOG + self.series.bytes()
    }

    /// Which SDKs sent: language and version.
    fn senders(&self) -> String {
        let of = |attributes: &[(String, Value)], wanted: &str| {
            let found =
                attributes.iter().find(|(key, _)| key == wanted).and_then(|(_, value)| value.as_str());
            found.unwrap_or_default().to_owned()
        };
        let sender = |attributes: &Vec<(String, Value)>| {
            let [language, version] =
                ["telemetry.sdk.language", "telemetry.sdk.version"].map(|key| of(attributes, key));
            format!("{language} {version}").trim().to_owned()
        };
        let mut all: Vec<String> = self.resources.iter().map(sender).filter(|s| !s.is_empty()).collect();
        all.sort_unstable();
        all.dedup();
        all.truncate(5);
        all.join(", ")
    }
}
