//! Chrome trace events, for Perfetto, chrome://tracing and every tool that reads them.
//!
//! Kept: spans with their details, tracks grouped by process, counters, instants, links as flow arrows.
//! Times are microseconds with three decimals, so nanoseconds survive. Overlapping spans of a track go to
//! threads of their own, because the format demands that spans of a thread nest. Lost: samples, further
//! costs of spans, details that still stand in the file that was opened.

use std::io::Write;

use rustc_hash::FxHashMap;

use super::{ExportError, WRITER, no_stacks};
use crate::model::{ArgsRef, Profile, Severity, Span, SpanStatus, Strings, TrackId, Value};

/// Writes spans, counters, instants and links.
///
/// # Errors
/// When `out` cannot be written, or the profile has none of these.
pub fn write(profile: &Profile, out: &mut dyn Write) -> Result<(), ExportError> {
    let empty = profile.span_count() == 0 && profile.counters.is_empty() && profile.instants.is_empty();
    if empty && profile.sample_count() > 0 {
        return Err(ExportError::Unsupported(
            "this profile has samples but no spans, which a Chrome trace is made of; save it as speedscope instead"
                .into(),
        ));
    }
    if empty {
        return Err(no_stacks(profile, "a Chrome trace"));
    }
    let places = Places::new(profile);
    out.write_all(b"{\"displayTimeUnit\":\"ns\",\"otherData\":{\"writer\":")?;
    text(out, WRITER)?;
    out.write_all(b",\"title\":")?;
    text(out, &profile.meta.title)?;
    out.write_all(b"},\"traceEvents\":[\n")?;
    let mut events = Events { out, profile, places, first: true };
    events.metadata()?;
    events.spans()?;
    events.counters()?;
    events.instants()?;
    events.links()?;
    out.write_all(b"\n]}\n")?;
    Ok(())
}

fn text(out: &mut dyn Write, text: &str) -> Result<(), ExportError> {
    Ok(serde_json::to_writer(out, text)?)
}

/// Microseconds with three decimals, exact.
struct Micros(i64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ns = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03}", ns / 1000, ns % 1000)
    }
}

/// Process and thread numbers of tracks and lanes.
struct Places {
    pids: FxHashMap<crate::model::StringId, u32>,
    /// First thread number of each track; its lanes follow.
    tids: Vec<u32>,
}

impl Places {
    fn new(profile: &Profile) -> Self {
        let mut pids = FxHashMap::default();
        let processes =
            profile.tracks.iter().map(|t| t.process).chain(profile.counters.iter().map(|c| c.process));
        for process in processes {
            let next = pids.len() as u32 + 1;
            pids.entry(process).or_insert(next);
        }
        let mut next = 1;
        let tids = profile
            .tracks
            .iter()
            .map(|t| {
                let tid = next;
                next += t.spans.lanes.len().max(1) as u32;
                tid
            })
            .collect();
        Self { pids, tids }
    }

    fn pid(&self, process: crate::model::StringId) -> u32 {
        self.pids.get(&process).copied().unwrap_or(1)
    }
}

struct Events<'a> {
    out: &'a mut dyn Write,
    profile: &'a Profile,
    places: Places,
    first: bool,
}

impl Events<'_> {
    /// Begins an event with what all events have.
    fn event(&mut self, phase: char, name: &str, pid: u32, tid: u32) -> Result<(), ExportError> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(b",\n")?;
        }
        write!(self.out, "{{\"ph\":\"{phase}\",\"pid\":{pid},\"tid\":{tid},\"name\":")?;
        text(self.out, name)
    }

    fn place(&self, track: TrackId) -> (u32, u32) {
        (self.places.pid(self.profile.track(track).process), self.places.tids[track.index()])
    }

    fn metadata(&mut self) -> Result<(), ExportError> {
        let p = self.profile;
        let mut pids: Vec<_> = self.places.pids.iter().map(|(&name, &pid)| (pid, name)).collect();
        pids.sort_unstable();
        for (pid, name) in pids.into_iter().filter(|(_, name)| *name != Strings::EMPTY) {
            self.event('M', "process_name", pid, 0)?;
            self.out.write_all(b",\"args\":{\"name\":")?;
            text(self.out, p.text(name))?;
            self.out.write_all(b"}}")?;
        }
        for id in p.track_ids() {
            let (pid, tid) = self.place(id);
            let name = p.text(p.track(id).name);
            for lane in 0..p.track(id).spans.lanes.len().max(1) as u32 {
                self.event('M', "thread_name", pid, tid + lane)?;
                self.out.write_all(b",\"args\":{\"name\":")?;
                let numbered = format!("{name} (overlap {lane})");
                text(self.out, if lane == 0 { name } else { &numbered })?;
                self.out.write_all(b"}}")?;
                self.event('M', "thread_sort_index", pid, tid + lane)?;
                write!(self.out, ",\"args\":{{\"sort_index\":{}}}}}", tid + lane)?;
            }
        }
        Ok(())
    }

    fn spans(&mut self) -> Result<(), ExportError> {
        let p = self.profile;
        for id in p.track_ids() {
            let (pid, tid) = self.place(id);
            let spans = &p.track(id).spans;
            for (n, lane) in spans.lanes.iter().enumerate() {
                for span in &spans.rows[lane.rows.start as usize..lane.rows.end as usize] {
                    self.span(span, pid, tid + n as u32)?;
                }
            }
        }
        Ok(())
    }

    fn span(&mut self, span: &Span, pid: u32, tid: u32) -> Result<(), ExportError> {
        let p = self.profile;
        let function = p.functions.get(span.function);
        self.event('X', p.text(function.name), pid, tid)?;
        let category = match function.category {
            Strings::EMPTY => function.module,
            category => category,
        };
        if category != Strings::EMPTY {
            self.out.write_all(b",\"cat\":")?;
            text(self.out, p.text(category))?;
        }
        write!(self.out, ",\"ts\":{},\"dur\":{}", Micros(span.start), Micros(span.duration()))?;
        let status = match span.status {
            SpanStatus::Ok => None,
            SpanStatus::Error => Some("error"),
            SpanStatus::Unfinished => Some("unfinished"),
        };
        self.args(span.args, status.map(|s| ("status", s)))?;
        self.out.write_all(b"}")?;
        Ok(())
    }

    fn args(&mut self, args: ArgsRef, extra: Option<(&str, &str)>) -> Result<(), ExportError> {
        let p = self.profile;
        let pairs = match args.place() {
            crate::model::ArgsPlace::Inline(set) => p.attributes.get(set),
            _ => &[],
        };
        if pairs.is_empty() && extra.is_none() {
            return Ok(());
        }
        let mut before: &[u8] = b",\"args\":{";
        for &(key, value) in pairs {
            self.out.write_all(before)?;
            before = b",";
            text(self.out, p.text(key))?;
            self.out.write_all(b":")?;
            match value {
                Value::Text(id) => text(self.out, p.text(id))?,
                Value::Int(v) => write!(self.out, "{v}")?,
                Value::Float(v) if v.is_finite() => write!(self.out, "{v:?}")?,
                Value::Float(v) => write!(self.out, "\"{v}\"")?,
                Value::Bool(v) => write!(self.out, "{v}")?,
            }
        }
        if let Some((key, value)) = extra {
            self.out.write_all(before)?;
            text(self.out, key)?;
            self.out.write_all(b":")?;
            text(self.out, value)?;
        }
        self.out.write_all(b"}")?;
        Ok(())
    }

    fn counters(&mut self) -> Result<(), ExportError> {
        let p = self.profile;
        for counter in &p.counters {
            let pid = self.places.pid(counter.process);
            for (&time, &value) in counter.times.iter().zip(&counter.values) {
                self.event('C', p.text(counter.name), pid, 0)?;
                write!(self.out, ",\"ts\":{},\"args\":{{\"value\":{value:?}}}}}", Micros(time))?;
            }
        }
        Ok(())
    }

    fn instants(&mut self) -> Result<(), ExportError> {
        let p = self.profile;
        for instant in &p.instants {
            let ((pid, tid), scope) = match instant.track {
                Some(track) => (self.place(track), 't'),
                None => ((1, 0), 'g'),
            };
            self.event('i', p.text(instant.name), pid, tid)?;
            write!(self.out, ",\"ts\":{},\"s\":\"{scope}\"", Micros(instant.time))?;
            let severity = match instant.severity {
                Severity::Info => None,
                Severity::Debug => Some("debug"),
                Severity::Warning => Some("warning"),
                Severity::Error => Some("error"),
            };
            self.args(instant.args, severity.map(|s| ("severity", s)))?;
            self.out.write_all(b"}")?;
        }
        Ok(())
    }

    /// A flow start and end per link; `bp:e` binds the end to the span that encloses it.
    fn links(&mut self) -> Result<(), ExportError> {
        let p = self.profile;
        for (n, link) in p.links.iter().enumerate() {
            for (phase, (track, time), binding) in [('s', link.from, ""), ('f', link.to, ",\"bp\":\"e\"")] {
                let (pid, tid) = self.place(track);
                self.event(phase, p.text(link.name), pid, tid)?;
                write!(self.out, ",\"cat\":\"link\",\"id\":{},\"ts\":{}{binding}}}", n + 1, Micros(time))?;
            }
        }
        Ok(())
    }
}
