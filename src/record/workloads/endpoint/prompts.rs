//! Prompts for an endpoint: a built-in set, or a file of the user's.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

/// A prompt as it is sent, and as a person reads it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prompt {
    pub(super) messages: Value,
    pub(super) text: String,
}

/// Largest prompt file.
const LARGEST: u64 = 64 << 20;

/// Short and long ones, so that prefill and decode both show.
const BUILT_IN: &[&str] = &[
    "Explain in two sentences what the time to first token is.",
    "Name three ways to make a chatbot answer faster.",
    "What is a KV cache, and why does it grow with the length of the prompt?",
    "Write a short note to a colleague who says that averages are enough to judge latency.",
    "A service answers in 200 ms most of the time and in two seconds sometimes. List what to look at first, in order.",
    "Summarise: A request passes the load balancer, waits in the queue of the model server until the scheduler \
     takes it into a batch, is read by the model in one prefill step, and then written token by token. Long prompts \
     make the prefill longer, full batches make each step longer, and a full queue makes everything longer. The person \
     sees only two numbers: when the first word appears and how quickly the others follow.",
    "Translate to French: The second request was fast because its prompt was in the cache.",
    "Give a Python function that computes the 95th percentile of a list of latencies.",
];

impl Prompt {
    fn plain(text: &str) -> Self {
        Self { messages: json!([{"role": "user", "content": text}]), text: text.to_owned() }
    }

    /// A line of a file: a text, or a JSON object with `prompt` or `messages`.
    fn line(line: &str) -> Self {
        let object = line.starts_with('{').then(|| serde_json::from_str::<Value>(line).ok()).flatten();
        if let Some(text) = object.as_ref().and_then(|o| o.get("prompt")).and_then(Value::as_str) {
            return Self::plain(text);
        }
        let messages = object.as_ref().and_then(|o| o.get("messages")).filter(|m| m.is_array());
        let Some(messages) = messages else { return Self::plain(line) };
        let last = messages.as_array().and_then(|m| m.last()).and_then(|m| m.get("content"));
        let text = last.and_then(Value::as_str).map_or_else(|| messages.to_string(), str::to_owned);
        Self { messages: messages.clone(), text }
    }
}

/// The prompts of a file, one a line; the built-in ones without a file.
///
/// # Errors
/// One line that says what is wrong with the file.
pub(super) fn load(path: &str) -> Result<Vec<Prompt>, String> {
    if path.is_empty() {
        return Ok(BUILT_IN.iter().map(|t| Prompt::plain(t)).collect());
    }
    let file = std::fs::File::open(Path::new(path)).map_err(|e| format!("{path} cannot be opened: {e}"))?;
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    let size = read.map_err(|e| format!("{path} cannot be read as text: {e}"))?;
    if size as u64 > LARGEST {
        return Err(format!("{path} is larger than 64 MiB; pass a file with fewer prompts"));
    }
    let prompts: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(Prompt::line).collect();
    if prompts.is_empty() {
        return Err(format!("{path} holds no prompt; write one a line"));
    }
    Ok(prompts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_texts_or_json() {
        assert_eq!(Prompt::line("Why?"), Prompt::plain("Why?"));
        assert_eq!(Prompt::line(r#"{"prompt": "Why?"}"#), Prompt::plain("Why?"));
        assert_eq!(Prompt::line("{not json}"), Prompt::plain("{not json}"));
        let chat = r#"{"messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Why?"}]}"#;
        let chat = Prompt::line(chat);
        assert_eq!((chat.text.as_str(), chat.messages.as_array().unwrap().len()), ("Why?", 2));
        assert!(load("").unwrap().len() >= 8);
        assert!(load("/no/such/file").unwrap_err().contains("cannot be opened"));
    }
}
