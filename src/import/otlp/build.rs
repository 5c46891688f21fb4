//! Spans become tracks, requests and links.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::calls::{self, Judged};
use super::read::Reading;
use super::row::Row;
use crate::model::{
    ArgsRef, Basis, FunctionSpec, Instant, Link, ProfileBuilder, Severity, SpanStatus, StringId, TrackId,
    TrackKind, TrackSpec, Value as Detail,
};

/// With more traces than this there is one track per service rather than one per trace.
const MOST_TRACKS: usize = 64;

/// Fills the builder.
pub(in crate::import) fn build(mut reading: Reading, b: &mut ProfileBuilder) {
    let rows = unique(std::mem::take(&mut reading.rows), b);
    let parents = calls::parents(&rows);
    let judged = calls::judge(&rows, &parents);
    let origin = rows.iter().map(|row| row.start).min().unwrap_or(0);
    (b.meta.basis, b.meta.origin_unix_ns) = (Basis::Timed, Some(origin));
    b.meta.tool = "OpenTelemetry".into();
    b.meta.title = title(&rows, &reading);
    let tracks = tracks(&rows, &reading, b);
    let time = |ns: i64| ns.saturating_sub(origin);
    let roots = calls::roots(&parents);
    let mut missing = HashSet::new();
    for (row, _) in rows.iter().zip(&parents).filter(|(row, up)| row.parent != 0 && up.is_none()) {
        if missing.insert((row.trace, row.parent)) {
            b.warn("parent missing", &row.name);
        }
    }
    for (n, row) in rows.iter().enumerate() {
        let Judged { kind, is_request } = judged[n];
        let scope = reading.scopes.get(row.scope as usize).map_or("", String::as_str);
        let spec =
            FunctionSpec { module: scope, category: kind.category(), ..FunctionSpec::named(&row.name) };
        let function = b.function(spec);
        let args = details(&row.attributes, b);
        let handle = b.open_span(tracks[n], time(row.start), function, args);
        match row.end {
            Some(end) => {
                let status = if row.failed { SpanStatus::Error } else { SpanStatus::Ok };
                b.close_span(tracks[n], handle, time(end), status);
            }
            None => b.warn("span without end", &row.name),
        }
        b.nest_span(tracks[n], handle, n as u64 + 1, parents[n].map(|up| u64::from(up) + 1));
        // What has no parent is called by nothing that happens to run at the same time.
        b.chain_span(tracks[n], handle, roots[n] + 1);
        if row.dropped > 0 {
            b.warn("span of which the SDK dropped attributes (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT)", &row.name);
        }
        for event in &row.events {
            let severity = if event.name == "exception" { Severity::Error } else { Severity::Info };
            let (name, args) = (b.string(&event.name), details(&event.attributes, b));
            b.instant(Instant { time: time(event.time), track: Some(tracks[n]), name, args, severity });
        }
        if is_request {
            let request = calls::call(&rows, &parents, n, kind).request(b, origin, Some(tracks[n]));
            b.request(request);
        }
    }
    links(&rows, &tracks, origin, b);
    reading.odd.report(b);
}

/// Each span once: a batch that was sent again holds the same spans, and of one that is sent while it runs the last counts.
fn unique(rows: Vec<Row>, b: &mut ProfileBuilder) -> Vec<Row> {
    let mut known: HashMap<(u128, u64), usize> = HashMap::with_capacity(rows.len());
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match known.get(&(row.trace, row.id)) {
            Some(&at) => {
                b.warn("duplicate span (same trace and span id, a retried batch)", &row.name);
                if kept[at].end.is_none() || row.end > kept[at].end {
                    kept[at] = row;
                }
            }
            None => {
                known.insert((row.trace, row.id), kept.len());
                kept.push(row);
            }
        }
    }
    kept.sort_by_key(|row| (row.start, row.trace));
    kept
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
fn tracks(rows: &[Row], reading: &Reading, b: &mut ProfileBuilder) -> Vec<TrackId> {
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
                kind: TrackKind::Async,
                sort: next,
            })
        })
    };
    rows.iter().map(&mut of).collect()
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

fn links(rows: &[Row], tracks: &[TrackId], origin: i64, b: &mut ProfileBuilder) {
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
