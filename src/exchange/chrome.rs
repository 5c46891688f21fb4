//! Chrome trace events, for Perfetto, DevTools, chrome://tracing and every tool that reads them.
//!
//! Kept: spans with their details, tracks grouped by process, timed samples as V8 writes them, counters, instants, links
//! as flow arrows. Times are microseconds with three decimals, so nanoseconds survive. Overlapping spans of a track go to
//! threads of their own, because the format demands that spans of a thread nest. A call that has not ended lasts to the
//! end that is known, with a mark: a begin without an end would lose the end of the recording.
//!
//! Fields that other programs skip bring back what the format has no word for: `.file` and `.line` (as tracing-chrome
//! writes them) and `.module` of a function, `.span` and `.caller` where a call on another thread is meant, and metadata
//! `inferscope_kind` of a thread, without which phases would be taken for work; `.open` of a call that has not ended; and in
//! `otherData` who made the profile and how (`basis`), because spans may be made of samples.

use std::io::Write;

use rustc_hash::FxHashMap;

use super::{Asked, chrome_samples, no_stacks};
use crate::export::{ExportError, WRITER};
use crate::model::{
    ArgsRef, FunctionId, Profile, Severity, Span, SpanStatus, StringId, Strings, TrackId, Value,
};

/// Writes spans, samples, counters, instants and links.
///
/// # Errors
/// When `out` cannot be written, or the profile has none of these.
pub(super) fn write(asked: &Asked, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let profile = &*asked.profile;
    let timed = profile.tracks.iter().any(|t| t.samples.is_timed());
    let empty =
        profile.span_count() == 0 && !timed && profile.counters.is_empty() && profile.instants.is_empty();
    if empty && profile.sample_count() > 0 {
        return Err(ExportError::Unsupported(
            "this profile has samples without times, and a Chrome trace is made of times; save it as speedscope \
             instead"
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
    out.write_all(b",\"tool\":")?;
    text(out, &profile.meta.tool)?;
    write!(out, ",\"basis\":\"{}\",\"why\":", profile.meta.basis.key())?;
    text(out, profile.meta.basis.why())?;
    out.write_all(b"},\"traceEvents\":[\n")?;
    let mut events = Events { out, profile, places, first: true };
    events.metadata()?;
    events.spans()?;
    let said = chrome_samples::write(&mut events)?;
    events.counters()?;
    events.instants()?;
    events.links()?;
    out.write_all(b"\n]}\n")?;
    Ok(said)
}

/// Writes a text in quotes.
pub(super) fn text(out: &mut dyn Write, text: &str) -> Result<(), ExportError> {
    Ok(serde_json::to_writer(out, text)?)
}

/// Microseconds with three decimals, exact.
pub(super) struct Micros(pub i64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ns = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03}", ns / 1000, ns % 1000)
    }
}

/// Process and thread numbers of tracks and lanes.
struct Places {
    pids: FxHashMap<StringId, u32>,
    /// First thread number of each track; its lanes follow.
    tids: Vec<u32>,
    /// Numbers of spans that called something on another lane or track.
    callers: FxHashMap<(TrackId, u32), usize>,
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
        let mut callers = FxHashMap::default();
        for caller in profile.tracks.iter().flat_map(|t| &t.spans.callers) {
            let next = callers.len() + 1;
            callers.entry((caller.track, caller.parent)).or_insert(next);
        }
        Self { pids, tids, callers }
    }

    fn pid(&self, process: StringId) -> u32 {
        self.pids.get(&process).copied().unwrap_or(1)
    }
}

/// The list of events.
pub(super) struct Events<'a> {
    /// Where they go.
    pub out: &'a mut dyn Write,
    /// What they are of.
    pub profile: &'a Profile,
    places: Places,
    first: bool,
}

impl Events<'_> {
    /// Begins an event with what all events have.
    pub(super) fn event(&mut self, phase: char, name: &str, pid: u32, tid: u32) -> Result<(), ExportError> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(b",\n")?;
        }
        write!(self.out, "{{\"ph\":\"{phase}\",\"pid\":{pid},\"tid\":{tid},\"name\":")?;
        text(self.out, name)
    }

    /// Process and thread number of a track.
    pub(super) fn place(&self, track: TrackId) -> (u32, u32) {
        (self.places.pid(self.profile.track(track).process), self.places.tids[track.index()])
    }

    fn metadata(&mut self) -> Result<(), ExportError> {
        let p = self.profile;
        let mut pids: Vec<_> = self.places.pids.iter().map(|(&name, &pid)| (pid, name)).collect();
        pids.sort_unstable();
        for (pid, name) in pids {
            if name != Strings::EMPTY {
                self.event('M', "process_name", pid, 0)?;
                self.out.write_all(b",\"args\":{\"name\":")?;
                text(self.out, p.text(name))?;
                self.out.write_all(b"}}")?;
            }
            // Processes without a place are displayed by name.
            self.event('M', "process_sort_index", pid, 0)?;
            write!(self.out, ",\"args\":{{\"sort_index\":{pid}}}}}")?;
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
                self.event('M', "inferscope_kind", pid, tid + lane)?;
                write!(self.out, ",\"args\":{{\"kind\":\"{}\"}}}}", p.track(id).kind.key())?;
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
                for row in lane.rows.clone() {
                    self.span(&spans.rows[row as usize], pid, tid + n as u32)?;
                    self.calls(id, row)?;
                    self.out.write_all(b"}")?;
                }
            }
        }
        Ok(())
    }

    /// Number of a span that called something elsewhere, and that of what called it from elsewhere.
    fn calls(&mut self, track: TrackId, row: u32) -> Result<(), ExportError> {
        if self.places.callers.is_empty() {
            return Ok(());
        }
        if let Some(number) = self.places.callers.get(&(track, row)) {
            write!(self.out, ",\".span\":{number}")?;
        }
        let caller = self.profile.track(track).spans.caller(row);
        if let Some(number) = caller.and_then(|place| self.places.callers.get(&place)) {
            write!(self.out, ",\".caller\":{number}")?;
        }
        Ok(())
    }

    /// File, line and module of a function.
    fn origin(&mut self, function: FunctionId) -> Result<(), ExportError> {
        let p = self.profile;
        let function = p.functions.get(function);
        if function.file != Strings::EMPTY {
            self.out.write_all(b",\".file\":")?;
            text(self.out, p.text(function.file))?;
        }
        if function.line > 0 {
            write!(self.out, ",\".line\":{}", function.line)?;
        }
        if function.module != Strings::EMPTY && function.category != Strings::EMPTY {
            self.out.write_all(b",\".module\":")?;
            text(self.out, p.text(function.module))?;
        }
        Ok(())
    }

    /// A span up to its last field.
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
        if span.status == SpanStatus::Unfinished {
            self.out.write_all(b",\".open\":true")?;
        }
        self.origin(span.function)?;
        let status = match span.status {
            SpanStatus::Ok => None,
            SpanStatus::Error => Some("error"),
            SpanStatus::Unfinished => Some("unfinished"),
        };
        self.args(span.args, status.map(|s| ("status", s)))
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
