//! What was asked and answered, where a span holds it in events: OpenTelemetry's GenAI conventions up to 1.36 (`gen_ai.user.message`,
//! `gen_ai.choice`), older ones (`gen_ai.content.prompt`), and newer ones that keep it apart (`….operation.details`).

use std::collections::HashMap;

use serde_json::Value;

use super::super::llm::words::{Turn, joined, of_text, said};
use super::attributes::{Attributes, parsed};
use super::logs::Log;
use super::read::Reading;
use super::row::{Event, Row};

/// Prompt and answer; empty where no event tells.
pub(super) fn texts(row: &Row) -> (String, String) {
    let (mut asked, mut answered): (Vec<Turn>, Vec<Turn>) = (Vec::new(), Vec::new());
    for event in &row.events {
        match event.name.as_str() {
            "gen_ai.client.inference.operation.details" => {
                let alone = Row { attributes: event.attributes.clone(), ..Row::default() };
                let (prompt, completion) = Attributes::of(&alone).texts();
                asked.push((String::new(), prompt));
                answered.push((String::new(), completion));
            }
            "gen_ai.content.prompt" => asked.extend(listed(event, "gen_ai.prompt")),
            "gen_ai.content.completion" => answered.extend(listed(event, "gen_ai.completion")),
            "gen_ai.choice" => answered.extend(message(event, "assistant")),
            name => {
                let role = name.strip_prefix("gen_ai.").and_then(|rest| rest.strip_suffix(".message"));
                if let Some(role @ ("system" | "user" | "assistant" | "tool")) = role {
                    asked.extend(message(event, role));
                }
            }
        }
    }
    (joined(&asked), joined(&answered))
}

/// Name of the attribute that holds the body of a log record.
const BODY: &str = "body";

/// Gives spans what log records of theirs tell: SDKs send these events as logs, too.
pub(super) fn of_logs(reading: &mut Reading) {
    let said = |log: &&Log| log.span != 0 && log.text.starts_with("gen_ai.");
    if !reading.logs.iter().any(|log| said(&log)) {
        return;
    }
    let places: HashMap<(u128, u64), usize> =
        reading.rows.iter().enumerate().map(|(at, row)| ((row.trace, row.id), at)).collect();
    // As a mark of its span it is there once.
    let rows = &mut reading.rows;
    reading.logs.retain(|log| {
        let place = places.get(&(log.trace, log.span)).filter(|_| said(&log));
        if let Some(&at) = place {
            let (name, body) = log.text.split_once(' ').unwrap_or((&log.text, ""));
            let mut attributes = log.attributes.clone();
            attributes.push((BODY.to_owned(), Value::from(body)));
            rows[at].events.push(Event { time: log.time, name: name.to_owned(), attributes });
        }
        place.is_none()
    });
}

fn value<'a>(event: &'a Event, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| event.attributes.iter().find(|(key, _)| key == name)).map(|(_, value)| value)
}

/// An attribute with a list of messages, or a text.
fn listed(event: &Event, name: &str) -> Vec<Turn> {
    let Some(found) = value(event, &[name]) else { return Vec::new() };
    let list = said(&parsed(Some(&found)));
    match list.is_empty() {
        true => found.as_str().map(|text| (String::new(), text.to_owned())).into_iter().collect(),
        false => list,
    }
}

/// One message: in attributes of its own, in one that holds all of it, or in a body as JSON.
fn message(event: &Event, role: &str) -> Option<Turn> {
    let own = |names: &[&str]| value(event, names).map(parsed_or);
    let mut message = serde_json::Map::new();
    for (key, names) in [
        ("content", &["content", "gen_ai.message.content"][..]),
        ("tool_calls", &["tool_calls", "gen_ai.tool_calls"]),
    ] {
        message.extend(own(names).map(|value| (key.to_owned(), value)));
    }
    let whole = value(event, &["message"]).map(|m| parsed(Some(&m)));
    let body = parsed(value(event, &["gen_ai.event.content", "event.body", BODY]).as_ref());
    let places = [Some(Value::Object(message)).filter(|m| m.get("content").is_some()), whole, Some(body)];
    let turn = |place: Value| match place {
        Value::String(text) => Some((String::new(), text)),
        place => said(&place).into_iter().find(|(_, text)| !text.is_empty()),
    };
    let (said_by, text) = places.into_iter().flatten().find_map(turn)?;
    // What a tool gave may stand in a message of the user.
    let role = if said_by == "tool" { said_by } else { role.to_owned() };
    Some((role, of_text(&text)))
}

/// Parts as JSON in a text, or the text.
fn parsed_or(found: &Value) -> Value {
    match parsed(Some(&found)) {
        list @ (Value::Array(_) | Value::Object(_)) => list,
        _ => found.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str, attributes: &[(&str, Value)]) -> Event {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        Event { time: 0, name: name.to_owned(), attributes }
    }

    #[test]
    fn messages_of_all_conventions_are_found() {
        let of = |events: Vec<Event>| texts(&Row { events, ..Row::default() });
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let user = [("content", json!("Why?"))];
        let choice = [("message", json!(r#"{"role": "assistant", "content": "So."}"#))];
        assert_eq!(
            of(vec![
                event("gen_ai.system.message", &[("content", json!("Be short."))]),
                event("gen_ai.user.message", &user),
                event("gen_ai.choice", &choice)
            ]),
            pair("system: Be short.\n\nuser: Why?", "So.")
        );
        let body = json!(r#"{"index": 0, "message": {"content": "So."}}"#);
        assert_eq!(of(vec![event("gen_ai.choice", &[("gen_ai.event.content", body)])]), pair("", "So."));
        let list = json!(r#"[{"role": "user", "content": "Why?"}]"#);
        assert_eq!(
            of(vec![
                event("gen_ai.content.prompt", &[("gen_ai.prompt", list)]),
                event("gen_ai.content.completion", &[("gen_ai.completion", json!("So."))])
            ]),
            pair("Why?", "So.")
        );
        let details = [
            (
                "gen_ai.input.messages",
                json!(r#"[{"role": "user", "parts": [{"type": "text", "content": "Why?"}]}]"#),
            ),
            (
                "gen_ai.output.messages",
                json!(r#"[{"role": "assistant", "parts": [{"type": "text", "content": "So."}]}]"#),
            ),
        ];
        assert_eq!(
            of(vec![event("gen_ai.client.inference.operation.details", &details)]),
            pair("Why?", "So.")
        );
        assert_eq!(of(vec![event("exception", &user), event("gen_ai.odd.message", &user)]), pair("", ""));
    }

    #[test]
    fn log_records_of_a_span_tell_the_same() {
        let mut reading = Reading::default();
        reading.rows.push(Row { trace: 7, id: 9, ..Row::default() });
        let log = |span, text: &str| Log { trace: 7, span, text: text.to_owned(), ..Log::default() };
        reading.logs = vec![
            log(9, r#"gen_ai.user.message {"content":"Why?"}"#),
            log(9, r#"gen_ai.choice {"index":0,"message":{"content":"So."}}"#),
            log(8, r#"gen_ai.user.message {"content":"elsewhere"}"#),
            log(9, "a line"),
        ];
        of_logs(&mut reading);
        assert_eq!(texts(&reading.rows[0]), ("Why?".to_owned(), "So.".to_owned()));
        assert_eq!((reading.rows[0].events.len(), reading.logs.len()), (2, 2));
    }
}
