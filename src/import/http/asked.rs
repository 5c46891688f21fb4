//! What a program asked a model for: the body of its request.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::super::llm::{Said, words};
use super::super::read::value::text;

/// Longest prompt that is kept, bytes.
const LONGEST: usize = 1 << 20;

/// What was asked for, as far as it is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) tier: String,
    /// What was said to the model, one part a paragraph, with who said it where several did.
    pub(super) prompt: String,
    /// What the program says of it.
    pub(super) said: Said,
    /// Tells equal bodies.
    pub(super) hash: u64,
}

impl Asked {
    pub(super) fn of(body: &[u8], texts: bool) -> Self {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let hash = hasher.finish();
        // One that was cut is none.
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Self { hash, ..Self::default() };
        };
        let model = ["model", "modelId"].iter().map(|key| text(&value, &[key])).find(|name| !name.is_empty());
        Self {
            model: model.unwrap_or("").to_owned(),
            tier: text(&value, &["service_tier"]).to_owned(),
            prompt: if texts { prompt(&value) } else { String::new() },
            said: if texts { said(&value) } else { Said::default() },
            hash,
        }
    }
}

/// Labels that a program gives its requests.
fn said(value: &Value) -> Said {
    let mut said = Said::default();
    for key in ["user", "safety_identifier"] {
        said.add("user", text(value, &[key]));
    }
    said.add_value("session", value.get("conversation").unwrap_or(&Value::Null));
    said.add_all(value.get("metadata").unwrap_or(&Value::Null));
    said
}

/// The prompt of a request of any of the known kinds.
fn prompt(value: &Value) -> String {
    let all = words::joined(&words::body(value));
    all[..all.floor_char_boundary(LONGEST)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prompts_of_all_kinds_are_found() {
        let said = |value: Value| Asked::of(value.to_string().as_bytes(), true).prompt;
        assert_eq!(said(json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]})), "hi");
        assert_eq!(
            said(
                json!({"system": [{"type": "text", "text": "be kind"}], "messages": [{"role": "user", "content": [
                {"type": "text", "text": "what is"}, {"type": "image", "source": {"data": "AAAA"}}, {"type": "text", "text": "this"}]}]})
            ),
            "system: be kind\n\nuser: what is\n[image, 4 bytes, 9f33b719]\nthis"
        );
        assert_eq!(
            said(
                json!({"systemInstruction": {"parts": [{"text": "s"}]}, "contents": [{"role": "user", "parts": [{"text": "u"}]}]})
            ),
            "system: s\n\nuser: u"
        );
        assert_eq!(said(json!({"model": "m", "input": ["a", "b"]})), "a\n\nb");
        assert_eq!(said(json!({"model": "m", "input": "a"})), "a");
        assert_eq!(
            said(
                json!({"instructions": "i", "input": [{"role": "user", "content": [{"type": "input_text", "text": "q"}]}]})
            ),
            "system: i\n\nuser: q"
        );
        assert_eq!(
            said(json!({"messages": [{"role": "user", "content": [{"text": "bedrock"}]}]})),
            "bedrock"
        );
        assert_eq!(said(json!({"query": "q", "documents": ["a", {"text": "b"}]})), "q\n\na\nb");
    }

    #[test]
    fn odd_bodies_say_nothing_and_equal_ones_are_known() {
        let odd = [
            &b""[..],
            b"{",
            b"[1]",
            b"null",
            b"\xff",
            b"{\"model\": 3, \"messages\": {\"a\": [[[[[[[[[[]]]]]]]]]]}}",
        ];
        assert!(odd.iter().all(|body| Asked::of(body, true).prompt.is_empty()));
        let body = br#"{"model": "m", "service_tier": "flex", "prompt": "secret"}"#;
        let (with, without) = (Asked::of(body, true), Asked::of(body, false));
        assert_eq!((with.model.as_str(), with.tier.as_str(), with.prompt.as_str()), ("m", "flex", "secret"));
        assert_eq!((without.prompt.as_str(), without.hash), ("", with.hash));
    }
}
