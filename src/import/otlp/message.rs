//! One message of an exporter, and the files in which those that came are kept while they are recorded.
//!
//! There is a file for each signal and encoding: protobuf behind its length (four bytes, big endian, as the collector writes it), JSON one
//! a line. Each is an ordinary file of OpenTelemetry.

use serde_json::Value;

use super::super::ImportError;
use super::super::read::json::Json;
use super::build::{Place, add};
use super::read::Reading;
use super::unique::Unique;
use super::{Encoding, Signal};
use crate::import::secrets::mask;
use crate::model::ProfileBuilder;

/// The text of an attribute as it may be kept.
pub(crate) type Keep = fn(&str, String) -> String;

/// The ending of the files.
pub(crate) const EXTENSION: &str = "otlp";

const FILES: [(&str, Signal, Encoding); 6] = [
    ("traces-protobuf", Signal::Traces, Encoding::Protobuf),
    ("traces-json", Signal::Traces, Encoding::Json),
    ("logs-protobuf", Signal::Logs, Encoding::Protobuf),
    ("logs-json", Signal::Logs, Encoding::Json),
    ("metrics-protobuf", Signal::Metrics, Encoding::Protobuf),
    ("metrics-json", Signal::Metrics, Encoding::Json),
];

/// What the file is called for messages of a kind.
#[cfg(feature = "workloads")]
pub(crate) fn file_name(signal: Signal, encoding: Encoding) -> String {
    let found = FILES.iter().find(|(_, s, e)| (*s, *e) == (signal, encoding));
    format!("{}.{EXTENSION}", found.map_or("", |(name, ..)| name))
}

/// A message as it stands in its file.
#[cfg(feature = "workloads")]
pub(crate) fn framed(message: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => {
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
            [&length.to_be_bytes(), message].concat()
        }
        // Line ends are white space there: in texts they are escaped.
        Encoding::Json => {
            let plain = |b: &u8| if matches!(*b, b'\n' | b'\r') { b' ' } else { *b };
            message.iter().map(plain).chain([b'\n']).collect()
        }
    }
}

/// Adds what files hold that a recorder left which was killed: names without folders, and contents.
pub(in crate::import) fn add_left(
    files: impl Iterator<Item = (String, Vec<u8>)>,
    (origin, is_summary): (i64, bool),
    b: &mut ProfileBuilder,
) {
    let mut reading = Reading::default();
    for (name, bytes) in files {
        let stem = name.strip_suffix(EXTENSION).unwrap_or(&name).trim_end_matches('.');
        let Some((_, signal, encoding)) = FILES.iter().find(|(known, ..)| *known == stem) else { continue };
        let read = match encoding {
            Encoding::Protobuf => reading.messages(&bytes, true, *signal, &mut |_| Ok(())),
            Encoding::Json => reading.json_lines(&bytes),
        };
        if let Err(e) = read {
            b.warn("what programs sent cannot be read", &format!("{name}: {e}"));
        }
    }
    if reading.is_empty() {
        return;
    }
    reading.keep(|_, text| mask(&text).into_owned());
    let unique = Unique::of(std::mem::take(&mut reading.rows));
    unique.report(b);
    let place = Place::in_recording(&unique.rows, origin, false, is_summary, b);
    add(&reading, &unique.rows, &place, b);
    reading.odd.tell(b);
}

impl Reading {
    /// Reads one message.
    #[cfg(feature = "workloads")]
    pub(super) fn message(
        &mut self,
        bytes: &[u8],
        encoding: Encoding,
        signal: Signal,
    ) -> Result<(), ImportError> {
        match encoding {
            Encoding::Protobuf => self.resources_of(bytes, signal).map_err(|broken| broken.error()),
            Encoding::Json if bytes.trim_ascii_start().first() != Some(&b'{') => {
                Err(ImportError::malformed("is no JSON object"))
            }
            Encoding::Json => self.values(&mut Json::of_bytes(bytes)),
        }
    }

    /// Reads messages one a line; a broken one costs no other.
    fn json_lines(&mut self, bytes: &[u8]) -> Result<(), ImportError> {
        for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            if self.values(&mut Json::of_bytes(line)).is_err() {
                self.odd.add("line that is no JSON (left out)", String::new);
            }
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.logs.is_empty() && self.series.is_empty()
    }

    /// Gives each text as it may be kept in its place.
    pub(super) fn keep(&mut self, keep: Keep) {
        for row in &mut self.rows {
            row.name = keep("", std::mem::take(&mut row.name));
            row.message = keep("", std::mem::take(&mut row.message));
            row.attributes.iter_mut().for_each(|(key, value)| kept(key, value, keep));
            row.events.iter_mut().flat_map(|e| &mut e.attributes).for_each(|(key, v)| kept(key, v, keep));
        }
        for log in &mut self.logs {
            log.text = keep("message", std::mem::take(&mut log.text));
            log.attributes.iter_mut().for_each(|(key, value)| kept(key, value, keep));
        }
        for resource in &mut self.resources {
            resource.iter_mut().for_each(|(key, value)| kept(key, value, keep));
        }
    }
}

/// A value as it may be kept. What stands in lists and objects is judged by the name of the whole.
fn kept(key: &str, value: &mut Value, keep: Keep) {
    match value {
        Value::String(text) => *text = keep(key, std::mem::take(text)),
        Value::Array(items) => items.iter_mut().for_each(|value| kept(key, value, keep)),
        Value::Object(map) => map.values_mut().for_each(|value| kept(key, value, keep)),
        _ => {}
    }
}

/// True for an attribute that holds what a person or a model wrote, by the names that conventions give such.
#[cfg(feature = "workloads")]
pub(crate) fn is_text(key: &str) -> bool {
    super::attributes::Attributes::is_text(key)
}
