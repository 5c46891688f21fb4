//! Spans out of protobuf: what exporters send over HTTP and gRPC, and what the collector's file exporter writes with `format: proto`.
//!
//! Fields of `opentelemetry/proto/trace/v1/trace.proto` and of `common/v1/common.proto`. A span that cannot be read costs no other.

use serde_json::{Map, Number, Value};

use super::super::read::protobuf::{Broken, Message, Value as Field};
use super::super::{Context, ImportError, Source};
use super::read::Reading;
use super::row::{BAD_ID, Event, NO_START, Row, remote};
use super::{Signal, logs, metrics};

/// Lists of values inside of values that are followed: deeper ones are damage.
const DEEPEST: u32 = 16;

/// Whether bytes begin as resources with spans do, framed or not.
pub(super) fn is_one(head: &[u8]) -> bool {
    [unframed(head), Some(head)].into_iter().flatten().any(begins)
}

/// What stands behind a length of four bytes, as the collector writes it.
fn unframed(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    (length > 0 && rest.first() == Some(&0x0a)).then(|| &rest[..length.min(rest.len())])
}

/// True for resource spans: a resource with attributes of text keys, or a scope with spans that have ids of 16 and 8 bytes.
fn begins(bytes: &[u8]) -> bool {
    let Some(inner) = first(bytes, 1) else { return false };
    let resource = || {
        let attribute = first(first(inner, 1)?, 1)?;
        let key = first(attribute, 1)?;
        let named = key.len() > 3 && key.iter().all(|b| b.is_ascii_graphic()) && key.contains(&b'.');
        (named && first_of(attribute, 2)).then_some(())
    };
    let span = || {
        let scope = first(inner, 2)?;
        let span = first(scope, 2)?;
        (first(span, 1)?.len() == 16 && first(span, 2)?.len() == 8).then_some(())
    };
    resource().or_else(span).is_some()
}

/// The bytes of the first field of a number. A head may be cut, so a length may reach beyond it.
fn first(bytes: &[u8], wanted: u32) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let (key, after) = varint(rest)?;
        let (field, kind) = ((key >> 3) as u32, key & 7);
        let (value, next) = match kind {
            0 => (&[][..], varint(after)?.1),
            1 => (&[][..], after.get(8..)?),
            5 => (&[][..], after.get(4..)?),
            2 => {
                let (length, after) = varint(after)?;
                let length = (length as usize).min(after.len());
                after.split_at(length)
            }
            _ => return None,
        };
        if field == wanted {
            return (kind == 2).then_some(value);
        }
        rest = next;
    }
}

fn first_of(bytes: &[u8], wanted: u32) -> bool {
    first(bytes, wanted).is_some()
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (n, &byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte < 0x80 {
            return Some((value, &bytes[n + 1..]));
        }
    }
    None
}

impl Reading {
    /// Reads a file of protobuf messages.
    pub fn protobuf(&mut self, source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
        let bytes = source.read_all(cx.job)?;
        let framed = unframed(&bytes).is_some_and(begins) && !begins(&bytes);
        let all = bytes.len() as u64;
        let job = cx.job;
        self.messages(&bytes, framed, Signal::Traces, &mut |at| Ok(job.checkpoint(at as u64, all)?))
    }

    /// Reads messages that stand behind their lengths, or one. `checkpoint` is told how far it is.
    pub(super) fn messages(
        &mut self,
        bytes: &[u8],
        framed: bool,
        signal: Signal,
        checkpoint: &mut dyn FnMut(usize) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let mut at = 0;
        while at < bytes.len() {
            checkpoint(at)?;
            let rest = &bytes[at..];
            let message = if framed {
                let Some((length, after)) = rest.split_first_chunk::<4>() else { break };
                let length = u32::from_be_bytes(*length) as usize;
                at += 4 + length;
                if length > after.len() {
                    self.odd.add("file is broken off; what came before is shown", || format!("byte {at}"));
                }
                &after[..length.min(after.len())]
            } else {
                at = bytes.len();
                rest
            };
            if let Err(broken) = self.resources_of(message, signal) {
                if self.is_empty() {
                    return Err(broken.error());
                }
                self.odd.add("file is broken off; what came before is shown", || broken.what.to_owned());
            }
        }
        Ok(())
    }

    /// Resources with what they tell by one signal; all three are laid out alike.
    pub(super) fn resources_of(&mut self, bytes: &[u8], signal: Signal) -> Result<(), Broken> {
        let mut message = Message::new(bytes);
        while let Some((field, value)) = message.next()? {
            if field == 1 {
                self.resource_part(value.bytes(), signal)?;
            }
        }
        Ok(())
    }

    fn resource_part(&mut self, bytes: &[u8], signal: Signal) -> Result<(), Broken> {
        let (first, mut found, mut within) = (self.mark(), Vec::new(), Ok(()));
        let read = each(bytes, |field, value, _| match field {
            1 => found = attributes(value.bytes(), 1),
            // 1000 is what it was called before 2022.
            2 | 1000 => within = self.scope_part(value.bytes(), signal).and(within),
            _ => {}
        });
        // It may stand behind its spans.
        self.of_resource(found, first);
        read.and(within)
    }

    fn scope_part(&mut self, bytes: &[u8], signal: Signal) -> Result<(), Broken> {
        let (first, mut name) = (self.mark(), String::new());
        let read = each(bytes, |field, value, at| match (field, signal) {
            (1, _) => name = text(value.bytes(), 1),
            (2, Signal::Traces) => self.add(row(value.bytes()), 0, 0, at),
            (2, Signal::Logs) => self.add_log(logs::of_protobuf(value.bytes()), at),
            (2, Signal::Metrics) => self.add_metric(metrics::of_protobuf(value.bytes()), at),
            _ => {}
        });
        self.of_scope(name, first);
        read
    }
}

/// Calls `take` with every field of a message and the place behind it. What came before damage has been taken.
pub(super) fn each<'a>(bytes: &'a [u8], mut take: impl FnMut(u32, Field<'a>, u64)) -> Result<(), Broken> {
    let mut message = Message::new(bytes);
    while let Some((field, value)) = message.next()? {
        take(field, value, message.offset() as u64);
    }
    Ok(())
}

/// The fields of a message up to damage.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = (u32, Field<'_>)> {
    let mut message = Message::new(bytes);
    std::iter::from_fn(move || message.next().ok().flatten())
}

/// A number of up to 16 bytes.
pub(super) fn id(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte))
}

/// The last text of a field.
pub(super) fn text(bytes: &[u8], wanted: u32) -> String {
    let mut found = String::new();
    for (field, value) in fields(bytes) {
        if field == wanted {
            found = String::from_utf8_lossy(value.bytes()).into_owned();
        }
    }
    found
}

pub(super) fn time(ns: u64) -> Option<i64> {
    i64::try_from(ns).ok().filter(|ns| *ns > 0)
}

/// A span; what is wrong with it otherwise.
fn row(bytes: &[u8]) -> Result<Row, &'static str> {
    let mut row = Row::default();
    let (mut trace, mut own, mut start) = (0, 0, None);
    let mut message = Message::new(bytes);
    while let Some((field, value)) = message.next().map_err(|_| "span that is cut short (left out)")? {
        match field {
            1 if value.bytes().len() == 16 => trace = id(value.bytes()),
            2 if value.bytes().len() == 8 => own = id(value.bytes()) as u64,
            4 => row.parent = if value.bytes().len() == 8 { id(value.bytes()) as u64 } else { 0 },
            5 => row.name = String::from_utf8_lossy(value.bytes()).into_owned(),
            7 => start = time(value.number()),
            8 => row.end = time(value.number()),
            9 => row.attributes.extend(pair(value.bytes(), 0)),
            10 => row.dropped = value.number(),
            11 => row.events.extend(event(value.bytes())),
            13 => row.links.extend(link(value.bytes())),
            16 => row.remote = remote(value.number()),
            15 => {
                row.message = text(value.bytes(), 2);
                for (field, value) in fields(value.bytes()) {
                    row.failed = (field == 3 && value.number() == 2) || (field != 3 && row.failed);
                }
            }
            _ => {}
        }
    }
    if trace == 0 || own == 0 {
        return Err(BAD_ID);
    }
    row.attributes.retain(|(_, value)| !value.is_null());
    Ok(Row { trace, id: own, start: start.ok_or(NO_START)?, ..row })
}

fn event(bytes: &[u8]) -> Option<Event> {
    let mut out = Event { name: text(bytes, 2), attributes: attributes(bytes, 3), ..Event::default() };
    for (field, value) in fields(bytes) {
        if field == 1 {
            out.time = time(value.number())?;
        }
    }
    (out.time > 0).then_some(out)
}

fn link(bytes: &[u8]) -> Option<(u128, u64)> {
    let (mut trace, mut span) = (0, 0);
    for (field, value) in fields(bytes) {
        match field {
            1 => trace = id(value.bytes()),
            2 => span = id(value.bytes()) as u64,
            _ => {}
        }
    }
    (trace != 0 && span != 0).then_some((trace, span))
}

/// Keys and values in a repeated field of a message. Null values are left out.
pub(super) fn attributes(bytes: &[u8], wanted: u32) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (field, value) in fields(bytes) {
        if field == wanted {
            found.extend(pair(value.bytes(), 0).filter(|(_, value)| !value.is_null()));
        }
    }
    found
}

/// A key with its value.
pub(super) fn pair(bytes: &[u8], depth: u32) -> Option<(String, Value)> {
    let (mut key, mut found) = (None, Value::Null);
    for (field, value) in fields(bytes) {
        match field {
            1 => key = Some(String::from_utf8_lossy(value.bytes()).into_owned()),
            2 => found = any(value.bytes(), depth),
            _ => {}
        }
    }
    Some((key?, found))
}

/// The value of an attribute. What is empty, or of a kind that is not known, is null.
pub(super) fn any(bytes: &[u8], depth: u32) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    let mut found = Value::Null;
    for (field, value) in fields(bytes) {
        found = match field {
            1 => String::from_utf8_lossy(value.bytes()).into_owned().into(),
            2 => (value.number() != 0).into(),
            3 => value.signed().into(),
            4 => Number::from_f64(f64::from_bits(value.number())).map_or(Value::Null, Value::Number),
            5 => Value::Array(values(value.bytes()).map(|v| any(v, depth + 1)).collect()),
            6 => {
                Value::Object(values(value.bytes()).filter_map(|v| pair(v, depth + 1)).collect::<Map<_, _>>())
            }
            7 => format!("{} bytes", value.bytes().len()).into(),
            _ => found,
        };
    }
    found
}

/// The messages in field 1.
pub(super) fn values(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields(bytes).filter(|(field, _)| *field == 1).map(|(_, value)| value.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend(bytes);
        out
    }

    fn fixed(number: u8, value: u64) -> Vec<u8> {
        let mut out = vec![number << 3 | 1];
        out.extend(value.to_le_bytes());
        out
    }

    fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
        [field(1, key.as_bytes()), field(2, value)].concat()
    }

    fn span(own: u8, more: Vec<u8>) -> Vec<u8> {
        let ids = [field(1, &[7; 16]), field(2, &[own; 8])].concat();
        let times = [fixed(7, 1_764_000_000_000_000_000), fixed(8, 1_764_000_001_000_000_000)].concat();
        field(2, &[ids, field(5, b"chat"), times, more].concat())
    }

    fn file(spans: Vec<u8>) -> Vec<u8> {
        let resource = field(1, &field(1, &attribute("service.name", &field(1, b"shop"))));
        let scope = field(2, &[field(1, &field(1, b"openai")), spans].concat());
        field(1, &[resource, scope].concat())
    }

    #[test]
    fn spans_with_values_of_every_kind_are_read() {
        let list = field(5, &field(1, &field(1, b"x")));
        let map = field(6, &field(1, &attribute("k", &[3 << 3, 9])));
        let more = [
            field(9, &attribute("text", &field(1, b"hi"))),
            field(9, &attribute("yes", &[2 << 3, 1])),
            field(9, &attribute("n", &[3 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])),
            field(9, &attribute("f", &fixed(4, 0.5f64.to_bits()))),
            field(9, &attribute("list", &list)),
            field(9, &attribute("map", &map)),
            field(9, &attribute("none", &[])),
            field(11, &[fixed(1, 1_764_000_000_500_000_000), field(2, b"first")].concat()),
            field(13, &[field(1, &[1; 16]), field(2, &[2; 8])].concat()),
            field(15, &[field(2, b"too long"), vec![3 << 3, 2]].concat()),
        ]
        .concat();
        let bytes = file(span(1, more));
        assert!(is_one(&bytes) && is_one(&bytes[..60]));
        let mut reading = Reading::default();
        reading.resources_of(&bytes, Signal::Traces).unwrap();
        let row = &reading.rows[0];
        let map: Map<String, Value> = row.attributes.iter().cloned().collect();
        let expected =
            serde_json::json!({"text": "hi", "yes": true, "n": -1, "f": 0.5, "list": ["x"], "map": {"k": 9}});
        assert_eq!(Value::Object(map), expected);
        assert_eq!(
            (row.failed, row.message.as_str(), row.events.len(), row.links.len()),
            (true, "too long", 1, 1)
        );
        assert_eq!((reading.service(row), reading.scopes[row.scope as usize].as_str()), ("shop", "openai"));
    }

    #[test]
    fn damage_costs_what_it_hits_and_deep_values_end() {
        let mut deep = field(1, b"x");
        for _ in 0..100 {
            deep = field(5, &field(1, &deep));
        }
        let bytes = file([span(1, field(9, &attribute("deep", &deep))), span(2, Vec::new())].concat());
        let mut reading = Reading::default();
        reading.resources_of(&bytes, Signal::Traces).unwrap();
        assert_eq!(reading.rows.len(), 2);
        for end in 0..bytes.len() {
            let mut cut = Reading::default();
            let _ = cut.resources_of(&bytes[..end], Signal::Traces);
            assert!(cut.rows.len() <= 2);
            is_one(&bytes[..end]);
        }
        assert!(
            !is_one(b"\x0a\x03abc")
                && !is_one(b"")
                && !is_one(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
        );
    }
}
