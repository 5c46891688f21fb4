//! What is said to an OpenAI-compatible server, and what it answers.
//!
//! Servers differ: fields are missing, null or of another kind. A field that is not as expected counts as
//! absent; only what is no JSON object at all is malformed.

use serde_json::{Map, Value, json};

use crate::format::one_line;
use crate::import;
use crate::model::TokenCounts;

/// The body of a request.
pub(super) fn body(model: &str, messages: &Value, limits: &Limits) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("messages".into(), messages.clone());
    body.insert("max_tokens".into(), limits.max_tokens.into());
    body.insert("stream".into(), limits.stream.into());
    if limits.stream {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    for (key, value) in &limits.extra {
        if value.is_null() {
            body.shift_remove(key);
        } else {
            body.insert(key.clone(), value.clone());
        }
    }
    Value::Object(body).to_string().into_bytes()
}

/// What each request asks for beside its prompt.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) max_tokens: u64,
    pub(super) stream: bool,
    /// Merged into the body; null takes a key away.
    pub(super) extra: Map<String, Value>,
}

/// A part of an answer: a chunk of a stream, or all of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Piece {
    /// Text of the answer.
    pub(super) text: String,
    /// Reasoning or tool calls: output that is no text of the answer.
    pub(super) other_output: bool,
    pub(super) finish: Option<String>,
    pub(super) usage: Option<TokenCounts>,
    /// The server says that it failed.
    pub(super) error: Option<String>,
    pub(super) model: Option<String>,
}

impl Piece {
    /// True if it brings output tokens.
    pub(super) fn has_output(&self) -> bool {
        self.other_output || !self.text.is_empty()
    }

    /// Reads a chunk; `None` when it is malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let object = value.as_object()?;
        let mut piece = Self {
            usage: object.get("usage").filter(|u| u.is_object()).map(import::counted),
            error: object.get("error").filter(|e| !e.is_null()).map(error_text),
            model: object.get("model").and_then(Value::as_str).map(str::to_owned),
            ..Self::default()
        };
        // Only one answer is asked for.
        let Some(choice) = object.get("choices").and_then(|c| c.get(0)) else { return Some(piece) };
        piece.finish = choice.get("finish_reason").and_then(Value::as_str).map(str::to_owned);
        let said = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(choice);
        for key in ["content", "text", "refusal"] {
            piece.text.push_str(&content(said.get(key)));
        }
        let other = ["reasoning_content", "reasoning", "tool_calls", "function_call"];
        piece.other_output = other.iter().any(|key| match said.get(*key) {
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(items)) => !items.is_empty(),
            _ => false,
        });
        Some(piece)
    }
}

/// Text, or a list of parts with texts.
fn content(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|p| p.get("text").and_then(Value::as_str)).collect()
        }
        _ => String::new(),
    }
}

/// The message of an error object, in one line.
fn error_text(error: &Value) -> String {
    let text = match error {
        Value::String(text) => text.clone(),
        other => {
            other.get("message").and_then(Value::as_str).map_or_else(|| other.to_string(), str::to_owned)
        }
    };
    one_line(&text)
}

/// The reason in the body of an error response, in one line; empty when it has none.
pub(super) fn error_of_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => {
            let error = ["error", "detail", "message"].iter().find_map(|k| value.get(*k));
            error_text(error.unwrap_or(&value))
        }
        Err(_) => one_line(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_several_servers() {
        let text = |json: &str| Piece::parse(json).unwrap().text;
        assert_eq!(text(r#"{"choices":[{"delta":{"content":"Hi"}}]}"#), "Hi");
        assert_eq!(text(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"Hi"}]}}]}"#), "Hi");
        assert_eq!(text(r#"{"choices":[{"text":"Hi","finish_reason":null}]}"#), "Hi");
        assert_eq!(text(r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#), "Hi");
        let role = Piece::parse(r#"{"choices":[{"delta":{"role":"assistant","content":""}}],"usage":null}"#);
        assert!(!role.clone().unwrap().has_output() && role.unwrap().usage.is_none());
        let thought =
            Piece::parse(r#"{"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}]}"#).unwrap();
        assert!(thought.has_output() && thought.text.is_empty());
        let failed = Piece::parse(r#"{"error":{"message":"out of\nmemory","code":500}}"#).unwrap();
        assert_eq!(failed.error.as_deref(), Some("out of memory"));
        for odd in ["{\"choices\":7}", "{\"choices\":[]}", "{\"choices\":[null]}", "{}"] {
            assert_eq!(Piece::parse(odd), Some(Piece::default()), "{odd}");
        }
        for bad in ["", "nonsense", "[1]", "{\"choices\":[{\"del", "null", &"[".repeat(100_000)] {
            assert_eq!(Piece::parse(bad), None);
        }
    }

    #[test]
    fn cached_tokens_are_counted_once() {
        let usage = |json: &str| {
            Piece::parse(&format!("{{\"choices\":[],\"usage\":{json}}}")).unwrap().usage.unwrap()
        };
        let u = usage(
            r#"{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":64},
                "completion_tokens_details":{"reasoning_tokens":5}}"#,
        );
        assert_eq!((u.input, u.cache_read, u.output, u.reasoning), (Some(36), Some(64), Some(20), Some(5)));
        assert_eq!(u.prompt(), Some(100));
        let none = usage(r#"{"prompt_tokens":"many","prompt_tokens_details":null}"#);
        assert_eq!(none, TokenCounts::default());
        let lying = usage(r#"{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":9}}"#);
        assert_eq!((lying.input, lying.cache_read), (Some(3), Some(9)), "it cannot hold what was cached");
    }

    #[test]
    fn extra_fields_change_and_remove_keys() {
        let extra = json!({"temperature": 0, "max_tokens": null, "max_completion_tokens": 9});
        let limits = Limits { max_tokens: 5, stream: true, extra: extra.as_object().unwrap().clone() };
        let text = String::from_utf8(body("m", &json!([]), &limits)).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            json!({"model": "m", "messages": [], "stream": true, "stream_options": {"include_usage": true},
                "temperature": 0, "max_completion_tokens": 9})
        );
    }

    #[test]
    fn reasons_of_errors_are_one_short_line() {
        assert_eq!(error_of_body(br#"{"error":{"message":"Rate limit"}}"#), "Rate limit");
        assert_eq!(error_of_body(br#"{"detail":"Not Found"}"#), "Not Found");
        assert_eq!(error_of_body(b"<html>\n502 Bad\x1b Gateway"), "<html> 502 Bad Gateway");
        assert!(error_of_body(&b"x y".repeat(50_000)).chars().count() < 700);
        assert_eq!(error_of_body(b""), "");
    }
}
