//! Traces of OpenTelemetry: OTLP as JSON and as protobuf, and what console exporters print.
//!
//! Specification: opentelemetry-proto `docs/specification.md`, and its file exporter for JSON lines. Accepted beside it: snake_case, ids
//! as base64, numbers as texts and the reverse, names of enumerations, `instrumentationLibrarySpans`, several objects
//! or a list of them, spans in any order with missing parents. Kept: spans with attributes, events, links and status; requests of
//! spans that follow a convention for language models; beside spans, log records and metrics (those of JSON: in protobuf nothing tells them
//! apart). Lost: trace state, schema addresses, attributes of scopes.
//!
//! What programs send to `inferscope listen` is read by the same code, as it comes (`received`).

mod attributes;
mod build;
mod calls;
mod distributions;
mod events;
mod kind;
mod logs;
mod message;
mod metrics;
mod proto;
mod read;
#[cfg(feature = "workloads")]
mod received;
mod requests;
mod row;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod texts_tests;
mod twins;
mod unique;

pub(super) use attributes::{SCORE, TRACE, TRACE_SCORE};
pub(super) use build::build;
pub(super) use read::Reading;
pub(super) use row::{Event, Row, id, opaque};

use serde_json::Value;

pub(crate) use message::EXTENSION;
pub(super) use message::add_left;
#[cfg(feature = "workloads")]
pub(crate) use message::{file_name, framed, is_text};
#[cfg(feature = "workloads")]
pub(crate) use received::{Received, Refusal, Told};

use super::Gives::{Counters, Requests, Time, Tree};
use super::read::json::{Json, top_keys};
use super::read::value::value;
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use read::is_console;

/// What a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Protocol buffers.
    Protobuf,
    /// JSON.
    Json,
}

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "otlp",
    title: "OpenTelemetry",
    written_by: "OpenTelemetry SDKs and collectors (traces, metrics, logs; OTLP as JSON, traces as protobuf), Phoenix, Tempo, console exporters",
    extensions: &["json", "jsonl", "pb", "binpb"],
    gives: &[Tree, Time, Requests, Counters],
    sniff,
    import,
    details: no_details,
};

/// Keys that only these files have.
const CERTAIN: [&str; 2] = ["resourceSpans", "resource_spans"];
const OTHERS: [&str; 4] = ["resourceMetrics", "resource_metrics", "resourceLogs", "resource_logs"];

fn sniff(head: &Head<'_>) -> Confidence {
    if proto::is_one(head.bytes) {
        return Confidence::Certain;
    }
    let start = head.bytes.trim_ascii_start();
    let start = start.strip_prefix(b"[").unwrap_or(start);
    if start.trim_ascii_start().first() != Some(&b'{') {
        return Confidence::No;
    }
    let keys = top_keys(start);
    let has = |names: &[&str]| keys.iter().any(|key| names.contains(&key.as_str()));
    if has(&CERTAIN) || has(&OTHERS) {
        return Confidence::Certain;
    }
    if has(&["batches"]) && (head.says("\"scopeSpans\"") || head.says("\"instrumentationLibrarySpans\"")) {
        return Confidence::Certain;
    }
    match value(&mut Json::of_bytes(start)) {
        Ok(Value::Object(map)) if is_console(&map) => Confidence::Certain,
        _ => Confidence::No,
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reading = Reading::default();
    let packed = proto::is_one(source.head());
    if packed {
        reading.protobuf(source, cx)?;
    } else if is_lines(source.head()) {
        reading.lines(source, cx)?;
    } else {
        reading.whole(source, cx)?;
    }
    if reading.is_empty() {
        return Err(match (reading.odd.first(), reading.others) {
            _ if packed => ImportError::malformed("holds no span that can be read")
                .remedy("export traces: metrics and logs look alike in protobuf and are not read"),
            (Some(odd), _) => ImportError::malformed(odd),
            (None, true) => ImportError::malformed("holds lists of metrics or logs, and nothing in them")
                .remedy("check that the program ran while they were exported"),
            (None, false) => ImportError::malformed("holds no spans")
                .remedy("check that the exporter of traces was switched on"),
        });
    }
    build(reading, &mut cx.builder);
    Ok(())
}

/// True when each line is a value of its own.
fn is_lines(head: &[u8]) -> bool {
    let start = head.trim_ascii_start();
    let line = start.split(|b| *b == b'\n').next().unwrap_or(start);
    let mut json = Json::of_bytes(line);
    let alone = json.skip().is_ok() && json.at_end().unwrap_or(false);
    alone && start[line.len()..].trim_ascii_start().starts_with(b"{")
}
