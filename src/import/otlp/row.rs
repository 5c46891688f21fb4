//! A span as it is read, whichever way it was written.

use serde_json::{Map, Value};

use super::super::read::base64;
use super::super::read::time::unix_time;
use super::super::read::value::{count, items, text};

/// A span.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::import) struct Row {
    pub trace: u128,
    pub id: u64,
    /// 0 for none.
    pub parent: u64,
    pub name: String,
    /// Unix ns.
    pub start: i64,
    /// `None` while it runs.
    pub end: Option<i64>,
    pub attributes: Vec<(String, Value)>,
    pub events: Vec<Event>,
    /// Spans that it points to.
    pub links: Vec<(u128, u64)>,
    pub failed: bool,
    /// Of the status.
    pub message: String,
    /// Its parent is in another process; `None` where nobody says.
    pub remote: Option<bool>,
    /// It stands for a span of which only parts came.
    pub provisional: bool,
    /// Attributes that the SDK dropped at its limit.
    pub dropped: u64,
    /// Number of its resource and its scope.
    pub resource: u32,
    pub scope: u32,
    /// One of its ids is none of the format's.
    pub odd_id: bool,
}

/// Bits of a span's flags: whether they tell where its parent is, and that it is in another process.
const TELLS_PLACE: u64 = 0x100;
const IS_REMOTE: u64 = 0x200;

/// Where the parent of a span is, by its flags.
pub(super) fn remote(flags: u64) -> Option<bool> {
    (flags & TELLS_PLACE != 0).then_some(flags & IS_REMOTE != 0)
}

/// Something that happened during a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::import) struct Event {
    pub time: i64,
    pub name: String,
    pub attributes: Vec<(String, Value)>,
}

/// A value under its key in camelCase or snake_case.
pub(super) fn field<'a>(map: &'a Map<String, Value>, camel: &str, snake: &str) -> Option<&'a Value> {
    map.get(camel).or_else(|| map.get(snake)).filter(|v| !v.is_null())
}

/// A number that is hex of `digits` digits in any case, with or without `0x`, or base64 of half as many bytes. `None` for anything else;
/// 0 stands for none.
pub(in crate::import) fn id(text: &str, digits: usize) -> Option<u128> {
    let hex = text.strip_prefix("0x").unwrap_or(text);
    if hex.len() == digits && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return u128::from_str_radix(hex, 16).ok();
    }
    let bytes = digits / 2;
    if text.trim_end_matches('=').len() != (bytes * 8).div_ceil(6) {
        return None;
    }
    Some(base64::decode(text)?.into_iter().fold(0, |id, byte| id << 8 | u128::from(byte)))
}

/// The id of a text that is no number of the right length: still the same for the same text, in every version of this program (FNV-1a).
pub(in crate::import) fn opaque(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Unix ns of a number, a text of digits or a date; `None` for 0 and for none.
pub(super) fn time(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    let ns = count(value).and_then(|n| i64::try_from(n).ok()).or_else(|| unix_time(value.as_str()?));
    ns.filter(|ns| *ns > 0)
}

/// The value of an attribute. What is empty, or of a kind that is not known, is null.
pub(super) fn any(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|map| map.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "stringValue" | "string_value" | "boolValue" | "bool_value" | "bytesValue" | "bytes_value" => {
            inner.clone()
        }
        "intValue" | "int_value" => match inner.as_str() {
            Some(text) => text.parse::<i64>().map_or(Value::Null, Value::from),
            None => inner.clone(),
        },
        // NaN and infinities are texts.
        "doubleValue" | "double_value" => match inner.as_str() {
            Some(text) => text.parse::<f64>().ok().filter(|n| n.is_finite()).map_or(Value::Null, Value::from),
            None => inner.clone(),
        },
        "arrayValue" | "array_value" => Value::Array(items(inner.get("values")).map(any).collect()),
        "kvlistValue" | "kvlist_value" => {
            Value::Object(attributes(inner.get("values")).into_iter().collect())
        }
        _ => Value::Null,
    }
}

/// A list of keys and values, or an object of plain ones. Null values are left out.
pub(super) fn attributes(value: Option<&Value>) -> Vec<(String, Value)> {
    let pairs: Vec<(String, Value)> = match value {
        Some(Value::Array(items)) => {
            let pair = |item: &Value| Some((item.get("key")?.as_str()?.to_owned(), any(item.get("value")?)));
            items.iter().filter_map(pair).collect()
        }
        Some(Value::Object(map)) => map.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        _ => Vec::new(),
    };
    pairs.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

impl Row {
    /// A span of OTLP's JSON; what is wrong with it otherwise.
    pub fn read(map: &Map<String, Value>) -> Result<Self, &'static str> {
        let text_of = |camel, snake| field(map, camel, snake).and_then(Value::as_str).unwrap_or("");
        let mut odd_id = false;
        let mut id_of = |text: &str, digits| {
            id(text, digits).or_else(|| {
                odd_id |= !text.is_empty();
                (!text.is_empty()).then(|| u128::from(opaque(text)))
            })
        };
        let trace = id_of(text_of("traceId", "trace_id"), 32);
        let own = id_of(text_of("spanId", "span_id"), 16);
        let parent = id_of(text_of("parentSpanId", "parent_span_id"), 16).unwrap_or(0);
        let (Some(trace @ 1..), Some(own @ 1..)) = (trace, own) else { return Err(BAD_ID) };
        let start = time(field(map, "startTimeUnixNano", "start_time_unix_nano")).ok_or(NO_START)?;
        let status = map.get("status").unwrap_or(&Value::Null);
        let code =
            status.get("code").map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned));
        Ok(Self {
            trace,
            id: own as u64,
            parent: parent as u64,
            name: text_of("name", "name").to_owned(),
            start,
            end: time(field(map, "endTimeUnixNano", "end_time_unix_nano")),
            attributes: attributes(map.get("attributes")),
            events: items(map.get("events")).filter_map(event).collect(),
            links: items(map.get("links")).filter_map(link).collect(),
            failed: code.is_some_and(|code| code == "2" || code.ends_with("ERROR")),
            message: text(status, &["message"]).to_owned(),
            dropped: field(map, "droppedAttributesCount", "dropped_attributes_count")
                .and_then(count)
                .unwrap_or(0),
            remote: map.get("flags").and_then(count).and_then(remote),
            odd_id,
            ..Self::default()
        })
    }

    /// A span as the console exporters of Python and others print it.
    pub fn read_console(map: &Map<String, Value>) -> Result<Self, &'static str> {
        let context = map.get("context").unwrap_or(&Value::Null);
        let id_of = |text: &str, digits| id(text, digits).filter(|id| *id > 0);
        let trace = id_of(text(context, &["trace_id"]), 32).ok_or(BAD_ID)?;
        let own = id_of(text(context, &["span_id"]), 16).ok_or(BAD_ID)?;
        let parent = map.get("parent_id").and_then(Value::as_str).and_then(|p| id(p, 16)).unwrap_or(0);
        let status = map.get("status").unwrap_or(&Value::Null);
        let message = match text(status, &["description"]) {
            "" => text(status, &["message"]),
            text => text,
        };
        let event = |item: &Value| {
            Some(Event {
                time: time(item.get("timestamp"))?,
                name: text(item, &["name"]).to_owned(),
                attributes: attributes(item.get("attributes")),
            })
        };
        Ok(Self {
            trace,
            id: own as u64,
            parent: parent as u64,
            name: map.get("name").and_then(Value::as_str).unwrap_or("").to_owned(),
            start: time(map.get("start_time")).ok_or(NO_START)?,
            end: time(map.get("end_time")),
            attributes: attributes(map.get("attributes")),
            events: items(map.get("events")).filter_map(event).collect(),
            failed: text(status, &["status_code"]).ends_with("ERROR"),
            message: message.to_owned(),
            ..Self::default()
        })
    }
}

/// Why a span is left out.
pub(super) const BAD_ID: &str = "span whose trace or span id is none (left out)";
pub(super) const NO_START: &str = "span without a start (left out)";

fn event(value: &Value) -> Option<Event> {
    let map = value.as_object()?;
    Some(Event {
        time: time(field(map, "timeUnixNano", "time_unix_nano"))?,
        name: map.get("name").and_then(Value::as_str).unwrap_or("").to_owned(),
        attributes: attributes(map.get("attributes")),
    })
}

fn link(value: &Value) -> Option<(u128, u64)> {
    let map = value.as_object()?;
    let text_of = |camel, snake| field(map, camel, snake).and_then(Value::as_str).unwrap_or("");
    Some((id(text_of("traceId", "trace_id"), 32)?, id(text_of("spanId", "span_id"), 16)? as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_hex_in_any_case_or_base64() {
        let trace = 0x5b8e_fff7_9803_8103_d269_b633_813f_c60c;
        for text in [
            "5B8EFFF798038103D269B633813FC60C",
            "5b8efff798038103d269b633813fc60c",
            "0x5b8efff798038103d269b633813fc60c",
            "W47/95gDgQPSabYzgT/GDA==",
            "W47_95gDgQPSabYzgT_GDA",
        ] {
            assert_eq!(id(text, 32), Some(trace), "{text}");
        }
        assert_eq!((id("AAAAAAAAAKE=", 16), id("00000000000000a1", 16)), (Some(0xa1), Some(0xa1)));
        let bad = ["", "xyz", "5b8e", "5b8efff798038103d269b633813fc60", "é8efff798038103d269b633813fc60c"];
        assert!(bad.iter().all(|t| id(t, 32).is_none()));
    }

    #[test]
    fn values_of_any_kind_become_plain_ones() {
        let list = json!([
            {"key": "a", "value": {"intValue": "7"}}, {"key": "b", "value": {"int_value": 7}},
            {"key": "c", "value": {"doubleValue": "NaN"}}, {"key": "d", "value": {}},
            {"key": "e", "value": {"futureValue": 1}}, {"key": "f", "value": {"boolValue": true}},
            {"key": "g", "value": {"arrayValue": {"values": [{"stringValue": "x"}]}}},
            {"key": "h", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"doubleValue": 0.5}}]}}},
        ]);
        let expected = json!({"a": 7, "b": 7, "f": true, "g": ["x"], "h": {"k": 0.5}});
        assert_eq!(Value::Object(attributes(Some(&list)).into_iter().collect()), expected);
    }
}
