//! Log records: lines of a program, with the span in which they were written.

use serde_json::Value;

use super::super::read::protobuf::Message;
use super::super::read::value::{count, text};
use super::proto;
use super::row::{any, attributes, field, id, time};
use crate::model::Severity;

/// A log record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::import) struct Log {
    /// Unix ns.
    pub time: i64,
    /// 1 to 24; 0 where nobody says.
    pub severity: u64,
    pub text: String,
    pub attributes: Vec<(String, Value)>,
    /// Its span; 0 for none.
    pub trace: u128,
    pub span: u64,
    /// Number of its resource and its scope.
    pub resource: u32,
    pub scope: u32,
}

const NO_TIME: &str = "log record without a time (left out)";

impl Log {
    /// Its level as views know them.
    pub(super) fn level(&self) -> Severity {
        match self.severity {
            17.. => Severity::Error,
            13..=16 => Severity::Warning,
            _ => Severity::Info,
        }
    }
}

/// A body in one text: that of an event that has none is its name.
fn shown(body: Value, event: &str) -> String {
    match body {
        Value::String(text) if !text.is_empty() => text,
        Value::Null | Value::String(_) => event.to_owned(),
        other if event.is_empty() => other.to_string(),
        other => format!("{event} {other}"),
    }
}

/// A record of OTLP's JSON; what is wrong with it otherwise.
pub(super) fn of_json(value: &Value) -> Result<Log, &'static str> {
    let Value::Object(map) = value else { return Err(NO_TIME) };
    let at = time(field(map, "timeUnixNano", "time_unix_nano"))
        .or_else(|| time(field(map, "observedTimeUnixNano", "observed_time_unix_nano")));
    let id_of = |camel, snake, digits| {
        let text = field(map, camel, snake).and_then(Value::as_str).unwrap_or("");
        id(text, digits).unwrap_or(0)
    };
    let event = field(map, "eventName", "event_name").and_then(Value::as_str).unwrap_or("");
    let body = map.get("body").map_or(Value::Null, any);
    Ok(Log {
        time: at.ok_or(NO_TIME)?,
        severity: level(field(map, "severityNumber", "severity_number"), text(value, &["severityText"])),
        text: shown(body, event),
        attributes: attributes(map.get("attributes")),
        trace: id_of("traceId", "trace_id", 32),
        span: id_of("spanId", "span_id", 16) as u64,
        ..Log::default()
    })
}

/// A level as a number, the name of one, or a word.
fn level(number: Option<&Value>, word: &str) -> u64 {
    if let Some(number) = number.and_then(count).filter(|n| *n > 0) {
        return number;
    }
    let name = number.and_then(Value::as_str).unwrap_or(word).to_ascii_uppercase();
    let levels = [("FATAL", 21), ("CRITICAL", 21), ("ERROR", 17), ("WARN", 13), ("INFO", 9), ("DEBUG", 5)];
    levels.iter().find(|(word, _)| name.contains(word)).map_or(0, |(_, number)| *number)
}

/// The same of protobuf.
pub(super) fn of_protobuf(bytes: &[u8]) -> Result<Log, &'static str> {
    let (mut log, mut observed) = (Log::default(), None);
    let (mut body, mut event, mut word) = (Value::Null, String::new(), String::new());
    let mut message = Message::new(bytes);
    while let Some((field, value)) = message.next().map_err(|_| "log record that is cut short (left out)")? {
        match field {
            1 => log.time = proto::time(value.number()).unwrap_or(0),
            2 => log.severity = value.number(),
            3 => word = String::from_utf8_lossy(value.bytes()).into_owned(),
            5 => body = proto::any(value.bytes(), 0),
            6 => log.attributes.extend(proto::pair(value.bytes(), 0)),
            9 if value.bytes().len() == 16 => log.trace = proto::id(value.bytes()),
            10 if value.bytes().len() == 8 => log.span = proto::id(value.bytes()) as u64,
            11 => observed = proto::time(value.number()),
            12 => event = String::from_utf8_lossy(value.bytes()).into_owned(),
            _ => {}
        }
    }
    log.attributes.retain(|(_, value)| !value.is_null());
    log.text = shown(body, &event);
    if log.severity == 0 {
        log.severity = level(None, &word);
    }
    if log.time == 0 {
        log.time = observed.ok_or(NO_TIME)?;
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn records_have_a_time_a_level_and_their_span() {
        let record = json!({"timeUnixNano": "7", "severityNumber": 17, "body": {"stringValue": "no"},
            "traceId": format!("{:032x}", 1), "spanId": format!("{:016x}", 2),
            "attributes": [{"key": "k", "value": {"intValue": "3"}}]});
        let log = of_json(&record).unwrap();
        assert_eq!(
            (log.time, log.level(), log.text.as_str(), log.trace, log.span),
            (7, Severity::Error, "no", 1, 2)
        );
        assert_eq!(log.attributes, [("k".to_owned(), json!(3))]);
        let late = of_json(
            &json!({"timeUnixNano": "0", "observedTimeUnixNano": 9, "severityText": "Warning",
            "eventName": "gen_ai.choice", "body": {"kvlistValue": {"values": [{"key": "n", "value": {"intValue": 1}}]}}}),
        );
        let late = late.unwrap();
        assert_eq!((late.time, late.level()), (9, Severity::Warning));
        assert_eq!(late.text, "gen_ai.choice {\"n\":1}");
        assert_eq!(of_json(&json!({"body": {"stringValue": "x"}})), Err(NO_TIME));
    }
}
