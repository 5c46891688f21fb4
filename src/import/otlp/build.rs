//! Spans become tracks, requests and links.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::calls;
use super::distributions;
use super::read::Reading;
use super::requests::Spans;
use super::row::Row;
use super::twins::Twins;
use super::unique::{Unique, provisional};
use crate::model::{
    ArgsRef, Basis, Fact, FactKind, FunctionSpec, Instant, Link, ProfileBuilder, Severity, SpanStatus,
    StringId, TrackId, TrackKind, TrackSpec, Value as Detail,
};

/// With more traces than this there is one track per service rather than one per trace.
const MOST_TRACKS: usize = 64;

/// Numbers of spans, apart from those that other parts of a recording use.
const NUMBERS: u64 = 0x4f54_4c50 << 32;

/// Fills the builder with what a file holds.
pub(in crate::import) fn build(mut reading: Reading, b: &mut ProfileBuilder) {
    let unique = Unique::of(std::mem::take(&mut reading.rows));
    unique.report(b);
    reading.rows = unique.rows;
    super::events::of_logs(&mut reading);
    let usual = Usual::of(&reading.rows);
    let starts = reading.rows.iter().map(|row| row.start).filter(|start| !usual.is_far(*start));
    let points = reading.series.list.iter().flat_map(|series| &series.points).map(|(time, _)| *time);
    let beside = points.chain(reading.logs.iter().map(|log| log.time));
    let origin = starts.min().or_else(|| beside.min()).unwrap_or(0);
    (b.meta.basis, b.meta.origin_unix_ns) = (Basis::Timed, Some(origin));
    b.meta.tool = "OpenTelemetry".into();
    add(&reading, &reading.rows, &Place { origin, runs: false, is_summary: false }, b);
    facts(&reading, b);
    b.meta.title = title(&reading.rows, &reading);
    std::mem::take(&mut reading.odd).report(b);
}

/// Where spans are put.
pub(super) struct Place {
    /// Unix time of the profile's 0, ns.
    pub(super) origin: i64,
    /// The program still runs.
    pub(super) runs: bool,
    /// Other tracks tell of the same time.
    pub(super) is_summary: bool,
}

/// Spans that are further from a recording in time are of another one, sent again, or of a clock that is wrong.
const NEAR: i64 = 3_600_000_000_000;

impl Place {
    /// For spans that were sent to a recording which began at `origin`. Where all of them are of another time their own begin counts.
    pub(super) fn in_recording(
        all: &[Row],
        origin: i64,
        runs: bool,
        is_summary: bool,
        b: &mut ProfileBuilder,
    ) -> Self {
        let starts = || all.iter().map(|row| row.start);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(origin, |d| d.as_nanos() as i64);
        let origin = match (starts().min(), starts().max()) {
            (Some(first), Some(last))
                if last < origin.saturating_sub(NEAR) || first > now.saturating_add(NEAR) =>
            {
                b.warn(
                    "spans are of another time than the recording: their times count from the first of them",
                    "",
                );
                first
            }
            _ => origin,
        };
        Self { origin, runs, is_summary }
    }
}

/// A time further than that from the middle one is a mistake, ns: it would set the scale of all others.
const FAR: i64 = 366 * 86_400_000_000_000;

/// The start in the middle of all.
struct Usual(i64);

impl Usual {
    fn of(rows: &[Row]) -> Self {
        let mut starts: Vec<i64> = rows.iter().map(|row| row.start).collect();
        let middle = starts.len() / 2;
        if starts.is_empty() { Self(0) } else { Self(*starts.select_nth_unstable(middle).1) }
    }

    fn is_far(&self, time: i64) -> bool {
        time.saturating_sub(self.0).saturating_abs() > FAR
    }

    /// The end of a span, where it makes sense.
    fn end(&self, row: &Row) -> Option<i64> {
        row.end.filter(|end| !self.is_far(*end))
    }

    /// Puts a span that has no usable time on a track that holds no place in time. It keeps its length, where that makes sense.
    fn lay_aside(&self, row: &Row, module: &str, b: &mut ProfileBuilder) {
        let spec =
            TrackSpec { name: "no usable time", process: "", kind: TrackKind::Untimed, sort: i64::MAX };
        let track = b.track(spec);
        let function = b.function(FunctionSpec { module, ..FunctionSpec::named(&row.name) });
        let args = details(&row.attributes, b);
        let length = row.end.map_or(0, |end| end.saturating_sub(row.start));
        let length = if (0..FAR).contains(&length) { length } else { 0 };
        let handle = b.open_span(track, 0, function, args);
        b.close_span(track, handle, length, status(row));
        b.warn("span with a time that is far from all others (it has no place in time)", &row.name);
    }
}

/// Adds spans, each once, with requests, links, log records and metrics. Gives how many spans are known by their parts alone.
pub(super) fn add(reading: &Reading, all: &[Row], place: &Place, b: &mut ProfileBuilder) -> usize {
    let missing = provisional(all, place.runs);
    // Of spans that begin together the one around the others comes first.
    let mut rows: Vec<&Row> = missing.iter().chain(all).collect();
    rows.sort_by_key(|row| (row.start, row.trace, Reverse(row.end.unwrap_or(i64::MAX))));
    let usual = Usual::of(all);
    let module = |row: &Row| reading.scopes.get(row.scope as usize).map_or("", String::as_str);
    rows.iter().filter(|row| usual.is_far(row.start)).for_each(|row| usual.lay_aside(row, module(row), b));
    rows.retain(|row| !usual.is_far(row.start));
    let parents = calls::parents(&rows);
    let judged = calls::judge(&rows, &parents);
    let origin = place.origin;
    let tracks = tracks(&rows, reading, place, b);
    let mut twins = Twins::of(b);
    let time = |ns: i64| ns.saturating_sub(origin);
    let roots = calls::roots(&parents);
    let mut absent = HashSet::new();
    for (row, _) in rows.iter().zip(&parents).filter(|(row, up)| row.parent != 0 && up.is_none()) {
        if absent.insert((row.trace, row.parent)) {
            b.warn("parent missing", &row.name);
        }
    }
    for (n, row) in rows.iter().enumerate() {
        let kind = judged[n].kind;
        let spec =
            FunctionSpec { module: module(row), category: kind.category(), ..FunctionSpec::named(&row.name) };
        let function = b.function(spec);
        let args = details(&row.attributes, b);
        let handle = b.open_span(tracks[n], time(row.start), function, args);
        match usual.end(row) {
            Some(end) => b.close_span(tracks[n], handle, time(end), status(row)),
            None if row.provisional => {}
            None => b.warn("span without end", &row.name),
        }
        let number = |n: u64| NUMBERS + n;
        b.nest_span(tracks[n], handle, number(n as u64), parents[n].map(|up| number(u64::from(up))));
        // What has no parent is called by nothing that happens to run at the same time.
        b.chain_span(tracks[n], handle, roots[n] + 1);
        if row.provisional && !place.runs {
            let part = parts(&rows, row);
            b.warn(
                "span not received, though spans inside it were: its program was cut off, or did not send it",
                part,
            );
        }
        if row.dropped > 0 {
            b.warn("span of which the SDK dropped attributes (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT)", &row.name);
        }
        for event in &row.events {
            let severity = if event.name == "exception" { Severity::Error } else { Severity::Info };
            let (name, args) = (b.string(&event.name), details(&event.attributes, b));
            b.instant(Instant { time: time(event.time), track: Some(tracks[n]), name, args, severity });
        }
    }
    let spans = Spans { rows: &rows, parents: &parents, judged: &judged, tracks: &tracks, origin };
    for request in spans.requests(b) {
        if let Err(alone) = twins.join(request, b) {
            b.request(*alone);
        }
    }
    links(&rows, &tracks, origin, b);
    log_lines(reading, (&rows, &tracks), origin, b);
    counters(reading, origin, b);
    missing.len()
}

fn status(row: &Row) -> SpanStatus {
    match (row.provisional, row.failed) {
        (true, _) => SpanStatus::Unfinished,
        (false, true) => SpanStatus::Error,
        (false, false) => SpanStatus::Ok,
    }
}

/// The name of the first part of a span that did not come.
fn parts<'a>(rows: &[&'a Row], whole: &Row) -> &'a str {
    let part = rows.iter().find(|row| row.trace == whole.trace && row.parent == whole.id);
    part.map_or("", |row| &row.name)
}

/// Log records become marks, on the track of their span where that is there.
fn log_lines(reading: &Reading, (rows, tracks): (&[&Row], &[TrackId]), origin: i64, b: &mut ProfileBuilder) {
    if reading.logs.is_empty() {
        return;
    }
    let place: HashMap<_, _> =
        rows.iter().zip(tracks).map(|(row, track)| ((row.trace, row.id), *track)).collect();
    for log in &reading.logs {
        let scope = reading.scopes.get(log.scope as usize).map_or("", String::as_str);
        let mut attributes = log.attributes.clone();
        for (key, text) in [("logger", scope), ("service", reading.service_of(log.resource))] {
            if !text.is_empty() {
                attributes.push((key.to_owned(), Value::from(text)));
            }
        }
        let track = place.get(&(log.trace, log.span)).copied();
        let (name, args) = (b.string(&log.text), details(&attributes, b));
        let time = log.time.saturating_sub(origin);
        b.instant(Instant { time, track, name, args, severity: log.level() });
    }
}

/// What resources say of the programs and where they ran: each value once.
fn facts(reading: &Reading, b: &mut ProfileBuilder) {
    const KNOWN: [(&str, &str, bool); 7] = [
        ("service.version", "Service version", false),
        ("deployment.environment.name", "Environment", false),
        ("deployment.environment", "Environment", false),
        ("host.name", "Host", true),
        ("host.arch", "Architecture", true),
        ("os.description", "OS", true),
        ("process.runtime.version", "Runtime version", false),
    ];
    for (key, name, of_machine) in KNOWN {
        let values = reading.resources.iter().flatten().filter(|(k, _)| k == key);
        let mut texts: Vec<&str> = values.filter_map(|(_, v)| v.as_str()).filter(|v| !v.is_empty()).collect();
        texts.sort_unstable();
        texts.dedup();
        if texts.is_empty() || b.meta.fact(name).is_some() {
            continue;
        }
        let text = crate::format::short(&texts.join(", "), 200).into_owned();
        match of_machine {
            true => b.meta.machine.push(Fact::new(FactKind::Machine, name, text)),
            false => b.meta.setting(name, text),
        }
    }
}

/// Metrics become counters.
fn counters(reading: &Reading, origin: i64, b: &mut ProfileBuilder) {
    for series in &reading.series.list {
        let (unit, scale) = series.unit();
        let counter = b.counter(&series.name, reading.service_of(series.resource), unit);
        for &(time, value) in &series.points {
            b.point(counter, time.saturating_sub(origin), value * scale);
        }
    }
    b.warn_many("values of metrics left out: there are more than 2,000 series", "", reading.series.left_out);
    distributions::tell(reading, b);
}

/// The service, or the root of the only trace.
fn title(rows: &[Row], reading: &Reading) -> String {
    let services: Vec<&str> = rows.iter().map(|row| reading.service(row)).collect();
    match services.first() {
        Some(first) if !first.is_empty() && services.iter().all(|s| s == first) => (*first).to_owned(),
        _ => String::new(),
    }
}

/// The track of each row.
fn tracks(rows: &[&Row], reading: &Reading, place: &Place, b: &mut ProfileBuilder) -> Vec<TrackId> {
    let traces: HashSet<u128> = rows.iter().map(|row| row.trace).collect();
    let each = traces.len() <= MOST_TRACKS;
    let mut known: HashMap<(u32, u128), TrackId> = HashMap::new();
    let mut of = |row: &Row| {
        let trace = if each { row.trace } else { 0 };
        let next = known.len() as i64;
        *known.entry((row.resource, trace)).or_insert_with(|| {
            let name = match (each, traces.len()) {
                (true, 2..) => format!("trace {:08x}", row.trace >> 96 ^ row.trace & 0xffff_ffff),
                (true, _) => "trace".to_owned(),
                (false, _) => "traces".to_owned(),
            };
            b.track(TrackSpec {
                name: &name,
                process: reading.service(row),
                kind: if place.is_summary { TrackKind::Summary } else { TrackKind::Async },
                sort: next,
            })
        })
    };
    rows.iter().map(|row| of(row)).collect()
}

fn details(attributes: &[(String, Value)], b: &mut ProfileBuilder) -> ArgsRef {
    let pairs: Vec<(StringId, Detail)> = attributes
        .iter()
        .map(|(key, value)| {
            let detail = match value {
                Value::Bool(v) => Detail::Bool(*v),
                Value::Number(n) => match n.as_i64() {
                    Some(n) => Detail::Int(n),
                    None => Detail::Float(n.as_f64().unwrap_or(f64::NAN)),
                },
                Value::String(text) => Detail::Text(b.string(text)),
                other => Detail::Text(b.string(&other.to_string())),
            };
            (b.string(key), detail)
        })
        .collect();
    b.args(pairs)
}

fn links(rows: &[&Row], tracks: &[TrackId], origin: i64, b: &mut ProfileBuilder) {
    if rows.iter().all(|row| row.links.is_empty()) {
        return;
    }
    let place: HashMap<_, _> = rows.iter().enumerate().map(|(n, row)| ((row.trace, row.id), n)).collect();
    let name = b.string("link");
    for (n, row) in rows.iter().enumerate() {
        for from in row.links.iter().filter_map(|link| place.get(link)) {
            let start = |n: usize| (tracks[n], rows[n].start.saturating_sub(origin));
            b.link(Link { from: start(*from), to: start(n), name });
        }
    }
}
