//! What messages say, in the forms of all providers and conventions: one way for what is recorded, sent and exported.
//!
//! Two prompts are the same when all of their messages are, so nothing is left out that a model gets: calls of tools and their
//! results are kept as short texts, pictures and files as their address, or as size and hash of what they hold. Ids of calls are left out: they
//! differ from run to run.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::otlp::opaque;
use super::super::read::value::{at, text};
use crate::model::messages;

/// Deepest nesting of parts that is looked into.
const DEEPEST: u32 = 12;
/// Longest address of a picture or file that is kept whole, bytes.
const ADDRESS: usize = 300;
/// Before what a tool gave, where its role does not say so.
const RESULT: &str = "tool result: ";

/// Who said what.
pub(in crate::import) type Turn = (String, String);

/// Messages as one text.
pub(in crate::import) fn joined(said: &[Turn]) -> String {
    messages::join(said.iter().map(|(role, text)| (&**role, &**text)))
}

/// What was asked or answered: the body of a request, a list of messages, one message, an answer with choices. `None` for
/// anything else.
pub(in crate::import) fn turns(value: &Value) -> Option<Vec<Turn>> {
    let said = read(value, 0);
    said.iter().any(|(_, text)| !text.is_empty()).then_some(said)
}

/// True for the body of a request to a model: it holds messages, or nothing beside what was said. Of other input a part would stand for
/// the whole.
fn is_body(map: &Map<String, Value>) -> bool {
    let has_list = |key: &str| map.get(key).is_some_and(Value::is_array);
    let said = ["system", "instructions", "messages", "input", "prompt", "model"];
    ["messages", "contents"].iter().any(|key| has_list(key))
        || has_list("input") && map.contains_key("model")
        || map.keys().all(|key| said.contains(&key.as_str()))
}

/// The same of a text that may hold JSON: what that says, nothing where it is empty, otherwise the text as it is.
pub(in crate::import) fn of_text(text: &str) -> String {
    let start = text.trim();
    if !start.starts_with(['{', '[']) && !matches!(start, "null" | "\"\"") {
        return text.to_owned();
    }
    match serde_json::from_str::<Value>(start) {
        Ok(value) if is_empty(&value) => String::new(),
        Ok(value) => turns(&value).map_or_else(|| text.to_owned(), |said| joined(&said)),
        Err(_) => text.to_owned(),
    }
}

/// True for a value that holds no word, number or truth value. The depth of values is bounded where they are read.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn read(value: &Value, depth: u32) -> Vec<Turn> {
    if depth > DEEPEST {
        return Vec::new();
    }
    match value {
        Value::Object(map) if is_message(value) || map.contains_key("choices") => said(value),
        // LangChain's answers: by prompt the generations.
        Value::Object(map) if map.contains_key("generations") => read(&map["generations"], depth + 1),
        Value::Object(map) if is_body(map) => body(value),
        // Prompts of a batch.
        Value::Array(items) if items.iter().any(Value::is_array) => {
            items.iter().flat_map(|item| read(item, depth + 1)).collect()
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(is_message) => said(value),
        _ => Vec::new(),
    }
}

/// The prompt of a request of any of the known kinds.
pub(in crate::import) fn body(value: &Value) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for key in ["system", "instructions", "systemInstruction", "system_instruction"] {
        turns.push(("system".into(), words(value.get(key))));
    }
    for key in ["messages", "contents", "input"] {
        match value.get(key) {
            Some(Value::Array(parts)) if parts.iter().all(Value::is_string) => {
                turns.extend(parts.iter().map(|part| (String::new(), words(Some(part)))));
            }
            Some(list @ Value::Array(items)) if items.iter().any(Value::is_array) => {
                turns.extend(read(list, 0))
            }
            Some(list @ Value::Array(_)) => turns.extend(said(list)),
            Some(Value::String(text)) => turns.push((String::new(), text.clone())),
            _ => {}
        }
    }
    for key in ["prompt", "inputText", "query", "content", "texts", "documents"] {
        turns.push((String::new(), words(value.get(key))));
    }
    turns.retain(|(_, text)| !text.is_empty());
    turns
}

/// True for an object that is one message of a list.
fn is_message(value: &Value) -> bool {
    let Value::Object(map) = value else { return false };
    let has = |key: &str| map.contains_key(key);
    let wraps = |key: &str| map.get(key).is_some_and(Value::is_object);
    wraps("message") || wraps("kwargs") || has("role") && !has("messages") || {
        let known =
            ["human", "ai", "system", "tool", "function", "message", "function_call", "function_call_output"];
        known.contains(&text(value, &["type"]))
    }
}

/// Who said what in a list of messages, or in one. Numbered attributes are a list, too.
pub(in crate::import) fn said(list: &Value) -> Vec<Turn> {
    match list {
        Value::Array(items) => items.iter().filter_map(turn).collect(),
        Value::Object(map) => match (numbered(map), map.get("choices")) {
            (Some(items), _) => items.into_iter().filter_map(turn).collect(),
            (None, Some(choices)) => said(choices),
            _ => turn(list).into_iter().collect(),
        },
        _ => Vec::new(),
    }
}

/// The values of an object whose keys are numbers, in their order.
fn numbered(map: &Map<String, Value>) -> Option<Vec<&Value>> {
    let mut all: Vec<(usize, &Value)> =
        map.iter().map(|(key, value)| Some((key.parse().ok()?, value))).collect::<Option<_>>()?;
    all.sort_by_key(|(n, _)| *n);
    (!all.is_empty()).then(|| all.into_iter().map(|(_, value)| value).collect())
}

fn turn(message: &Value) -> Option<Turn> {
    if let Value::String(text) = message {
        return Some((String::new(), text.clone()));
    }
    // What conventions, answers and LangChain put around a message.
    let wraps = [&["message"][..], &["kwargs"], &["data"]];
    let inner = wraps.iter().find_map(|path| at(message, path).filter(|inner| inner.is_object()));
    if let Some(inner) = inner.filter(|_| message.get("content").is_none()) {
        let (role, text) = turn(inner)?;
        return Some((if role.is_empty() { role_of(message).to_owned() } else { role }, text));
    }
    let message = message.as_object()?;
    let value = |key: &str| message.get(key).filter(|v| !v.is_null());
    let mut role = role_of_map(message).to_owned();
    let kind = message.get("type").and_then(Value::as_str).unwrap_or("");
    // Steps of a conversation that are no messages: calls and their results beside them.
    if role.is_empty() && is_call(kind) {
        role = "assistant".into();
    } else if role.is_empty() && is_result(kind) {
        role = "tool".into();
    }
    let parts: Vec<&Value> = match ["parts", "contents", "content"].iter().find_map(|key| value(key)) {
        Some(Value::Array(parts)) => parts.iter().collect(),
        Some(one) => one.as_object().and_then(numbered).unwrap_or_else(|| vec![one]),
        None => Vec::new(),
    };
    // What a user's message brings of tools alone comes from these.
    if !parts.is_empty() && parts.iter().all(|part| Part::of(part).is_result()) {
        role = "tool".into();
    }
    let is_tool = messages::Role::of(&role) == Some(messages::Role::Tool);
    let mut said: Vec<String> = parts.into_iter().map(|part| Part::of(part).words(is_tool, 0)).collect();
    if said.is_empty() && (is_call(kind) || is_result(kind)) {
        said.push(Part(Cow::Owned(Value::Object(message.clone()))).words(is_tool, 0));
    }
    if said.is_empty() {
        said.extend(["refusal", "reasoning_content", "text"].map(|key| words(value(key))));
    }
    let calls = match value("tool_calls") {
        Some(Value::Array(calls)) => calls.iter().collect(),
        Some(Value::Object(calls)) => numbered(calls).unwrap_or_default(),
        _ => Vec::new(),
    };
    said.extend(calls.into_iter().chain(value("function_call")).filter_map(call));
    if let Some(name) = value("function_call_name").and_then(Value::as_str) {
        said.push(called(name, value("function_call_arguments_json")));
    }
    said.extend(value("audio").map(|audio| thing("audio", audio)));
    // LangChain repeats calls that its parts hold, too.
    let mut known = std::collections::HashSet::new();
    said.retain(|text| !text.is_empty() && (!text.starts_with("tool call ") || known.insert(text.clone())));
    let all = said.join("\n");
    Some((role, if all.is_empty() && is_tool { "[empty]".to_owned() } else { all }))
}

fn role_of(message: &Value) -> &str {
    message.as_object().map_or("", role_of_map)
}

/// The role of a message: as it says, or by its kind or class in LangChain («human», «HumanMessage»).
fn role_of_map(message: &Map<String, Value>) -> &str {
    let of = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or("");
    let class = message.get("id").and_then(|id| id.as_array()?.last()?.as_str()).unwrap_or("");
    let kind = match of("type") {
        "human" | "ai" | "system" | "tool" | "function" => of("type"),
        _ => match class.trim_end_matches("Chunk") {
            "HumanMessage" => "human",
            "AIMessage" => "ai",
            "SystemMessage" => "system",
            "ToolMessage" | "FunctionMessage" => "tool",
            _ => "",
        },
    };
    match (of("role"), kind) {
        ("", "human") => "user",
        ("", "ai") => "assistant",
        ("", kind) => kind,
        (role, _) => role,
    }
}

/// The texts in a content of any form: a text, one part, several.
pub(in crate::import) fn words(content: Option<&Value>) -> String {
    content.map_or_else(String::new, |content| Part::of(content).words(false, 0))
}

fn is_call(kind: &str) -> bool {
    matches!(kind, "tool_call" | "tool-call" | "tool_use" | "function_call" | "server_tool_use" | "toolUse")
}

fn is_result(kind: &str) -> bool {
    let known = ["tool_call_response", "tool-result", "function_call_output", "toolResult"];
    known.contains(&kind) || kind.ends_with("tool_result")
}

/// A call of a tool in any form.
fn call(call: &Value) -> Option<String> {
    let call = at(call, &["tool_call"]).unwrap_or(call);
    let inner = at(call, &["function"]).filter(|f| f.is_object()).unwrap_or(call);
    let name = [text(inner, &["name"]), text(inner, &["toolName"])];
    let name = name.into_iter().find(|name| !name.is_empty())?;
    let arguments = ["arguments", "input", "args"].iter().find_map(|key| inner.get(*key));
    Some(called(name, arguments))
}

fn called(name: &str, arguments: Option<&Value>) -> String {
    let arguments = match arguments {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    format!("tool call {name} {arguments}").trim_end().to_owned()
}

/// A part of a message.
struct Part<'a>(Cow<'a, Value>);

impl<'a> Part<'a> {
    /// Without what OpenInference puts around it.
    fn of(value: &'a Value) -> Self {
        Self(Cow::Borrowed(at(value, &["message_content"]).unwrap_or(value)))
    }

    /// It is what a tool gave, and what that is.
    fn result(&self) -> Option<&Value> {
        let inner = ["functionResponse", "toolResult"].iter().find_map(|key| at(&self.0, &[key]));
        let part = match inner {
            Some(inner) => inner,
            None if is_result(text(&self.0, &["type"])) => &*self.0,
            None => return None,
        };
        let keys = ["response", "result", "output", "content"];
        Some(keys.iter().find_map(|key| at(part, &[key])).unwrap_or(&Value::Null))
    }

    fn is_result(&self) -> bool {
        self.result().is_some()
    }

    /// What it says; `of_tool` where the role says that a tool said it.
    fn words(&self, of_tool: bool, depth: u32) -> String {
        if depth > DEEPEST {
            return String::new();
        }
        let value = &*self.0;
        if let Some(result) = self.result() {
            let said = match result {
                Value::String(_) | Value::Array(_) => Part::of(result).words(false, depth + 1),
                Value::Null => String::new(),
                // Vercel's and Gemini's results say what they are.
                Value::Object(map) if map.len() == 2 && map.contains_key("type") => match map.get("value") {
                    Some(Value::String(text)) => text.clone(),
                    Some(value) => value.to_string(),
                    None => result.to_string(),
                },
                other => other.to_string(),
            };
            let said = if said.is_empty() { "[empty]".to_owned() } else { said };
            return if of_tool { said } else { format!("{RESULT}{said}") };
        }
        match value {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let parts = parts.iter().map(|part| Part::of(part).words(of_tool, depth + 1));
                parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
            }
            Value::Object(map) => self.object(map, of_tool, depth),
            _ => String::new(),
        }
    }

    fn object(&self, map: &Map<String, Value>, of_tool: bool, depth: u32) -> String {
        let value = &*self.0;
        let kind = text(value, &["type"]);
        let inner = ["functionCall", "toolUse"].iter().find_map(|key| map.get(*key));
        if is_call(kind) || inner.is_some() {
            return call(inner.unwrap_or(value)).unwrap_or_else(|| thing("tool call", value));
        }
        let is_text = matches!(
            kind,
            "" | "text"
                | "input_text"
                | "output_text"
                | "thinking"
                | "reasoning"
                | "refusal"
                | "summary_text"
        );
        let reasoning = ["reasoningText", "text"];
        let keys = [
            "text",
            "content",
            "parts",
            "input_text",
            "output",
            "thinking",
            "reasoning",
            "refusal",
            "summary",
        ];
        if is_text {
            if let Some(inner) = keys.iter().find_map(|key| map.get(*key)) {
                return Part::of(inner).words(of_tool, depth + 1);
            }
            if let Some(Value::Object(inner)) = map.get("reasoningContent") {
                let said = reasoning.iter().find_map(|key| inner.get(*key));
                return said.map_or_else(String::new, |said| Part::of(said).words(of_tool, depth + 1));
            }
            if let Some(json) = map.get("json") {
                return json.to_string();
            }
        }
        if let Some(items) = numbered(map) {
            let parts = items.into_iter().map(|part| Part::of(part).words(of_tool, depth + 1));
            return parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        }
        // Marks of the prompt cache are no content.
        let named = map.keys().find(|key| !matches!(key.as_str(), "type" | "cache_control" | "cachePoint"));
        match (kind, named) {
            ("", None) | ("text", _) => String::new(),
            ("", Some(key)) => thing(key, value),
            (kind, _) => thing(kind, value),
        }
    }
}

/// A picture, a file, a sound, or something else that is no text: by its address, or by size and hash.
fn thing(kind: &str, value: &Value) -> String {
    let mut held = Held::default();
    held.look(value, 0);
    let Held { mime, address, length, hash } = held;
    let kind = if mime.is_empty() { kind } else { mime };
    match address {
        Some(address) => format!("[{kind} {address}]"),
        None => format!("[{kind}, {length} bytes, {:08x}]", hash as u32),
    }
}

/// What a part that is no text holds.
#[derive(Default)]
struct Held<'a> {
    mime: &'a str,
    address: Option<&'a str>,
    /// Of all texts and numbers.
    length: usize,
    hash: u64,
}

impl<'a> Held<'a> {
    fn look(&mut self, value: &'a Value, depth: u32) {
        match value {
            Value::Object(map) if depth <= DEEPEST => {
                for (key, value) in map.iter().filter(|(key, _)| !matches!(key.as_str(), "id" | "type")) {
                    match (key.as_str(), value) {
                        ("mime_type" | "mimeType" | "media_type" | "mediaType", Value::String(mime)) => {
                            self.mime = mime
                        }
                        ("cache_control", _) => {}
                        ("file_id" | "fileId", Value::String(id)) => self.address = Some(id),
                        _ => self.look(value, depth + 1),
                    }
                }
            }
            Value::Array(items) if depth <= DEEPEST => items.iter().for_each(|v| self.look(v, depth + 1)),
            Value::String(text) => {
                let is_address = ["http://", "https://", "gs://", "s3://", "file:"];
                if text.len() <= ADDRESS && is_address.iter().any(|start| text.starts_with(start)) {
                    self.address = self.address.or(Some(text));
                }
                self.add(text);
            }
            Value::Number(n) => self.add(&n.to_string()),
            _ => {}
        }
    }

    fn add(&mut self, text: &str) {
        self.length += text.len();
        self.hash = self.hash.rotate_left(5) ^ opaque(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: &Value) -> String {
        turns(value).map_or_else(String::new, |said| joined(&said))
    }

    #[test]
    fn calls_of_tools_and_their_results_are_kept_however_they_are_written() {
        let wanted = "user: Rain?\n\nassistant: tool call weather {\"city\":\"Bonn\"}\n\ntool: wet";
        let all = [
            // OpenTelemetry.
            json!([{"role": "user", "parts": [{"type": "text", "content": "Rain?"}]},
                {"role": "assistant", "parts": [{"type": "tool_call", "id": "a", "name": "weather", "arguments": {"city": "Bonn"}}]},
                {"role": "tool", "parts": [{"type": "tool_call_response", "id": "a", "response": "wet"}]}]),
            // Vercel.
            json!([{"role": "user", "content": [{"type": "text", "text": "Rain?"}]},
                {"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "b", "toolName": "weather", "input": {"city": "Bonn"}}]},
                {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "b", "toolName": "weather", "output": {"type": "text", "value": "wet"}}]}]),
            // OpenAI's chat and responses.
            json!({"messages": [{"role": "user", "content": "Rain?"},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "wet"}]}),
            json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Rain?"}]},
                {"type": "function_call", "call_id": "d", "name": "weather", "arguments": "{\"city\":\"Bonn\"}"},
                {"type": "function_call_output", "call_id": "d", "output": "wet"}]}),
            // Anthropic.
            json!({"messages": [{"role": "user", "content": "Rain?"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "e", "name": "weather", "input": {"city": "Bonn"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "e", "content": [{"type": "text", "text": "wet"}]}]}]}),
            // Bedrock.
            json!({"messages": [{"role": "user", "content": [{"text": "Rain?"}]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "f", "name": "weather", "input": {"city": "Bonn"}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "f", "content": [{"text": "wet"}]}}]}]}),
            // LangChain.
            json!({"messages": [[
                {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"], "kwargs": {"content": "Rain?"}},
                {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"],
                    "kwargs": {"content": "", "type": "ai", "tool_calls": [{"name": "weather", "args": {"city": "Bonn"}, "id": "g"}]}},
                {"type": "tool", "data": {"content": "wet"}}]]}),
            // Numbered attributes of OpenInference.
            json!({"0": {"message": {"role": "user", "contents": {"0": {"message_content": {"type": "text", "text": "Rain?"}}}}},
                "1": {"message": {"role": "assistant", "tool_calls": {"0": {"tool_call": {"id": "h", "function": {"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}}}}}},
                "2": {"message": {"role": "tool", "tool_call_id": "h", "content": "wet"}}}),
        ];
        for value in all {
            let said = turns(&value).filter(|_| value.get("0").is_none()).unwrap_or_else(|| said(&value));
            assert_eq!(joined(&said), wanted, "{value}");
        }
        let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Rain?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "Bonn"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "wet"}}}]}]});
        assert_eq!(
            of(&gemini),
            "user: Rain?\n\nmodel: tool call weather {\"city\":\"Bonn\"}\n\ntool: {\"sky\":\"wet\"}"
        );
    }

    #[test]
    fn prompts_that_differ_in_a_picture_are_not_the_same() {
        let picture = |part: Value| {
            of(&json!([{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}]))
        };
        let data = |data: &str| picture(json!({"type": "blob", "mime_type": "image/png", "content": data}));
        assert_ne!(data("AAAA3"), data("AAAA4"));
        assert_eq!(data("AAAA3"), data("AAAA3"));
        assert!(data("AAAA3").starts_with("What?\n[image/png, 5 bytes, "), "{}", data("AAAA3"));
        for part in [
            json!({"type": "image_url", "image_url": {"url": "http://x/3.png"}}),
            json!({"type": "image_url", "id": "7", "image_url": {"url": "http://x/3.png", "detail": "low"}}),
        ] {
            assert_eq!(picture(part), "What?\n[image_url http://x/3.png]");
        }
        let source = |data: &str| {
            picture(
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": data}}),
            )
        };
        assert_ne!(source("AAAA"), source("AAAB"));
        assert_ne!(
            picture(json!({"inlineData": {"data": "A"}})),
            picture(json!({"inlineData": {"data": "B"}}))
        );
    }

    #[test]
    fn what_says_nothing_is_no_prompt_and_other_texts_stay() {
        for empty in ["{}", "[]", " [[]] ", "null", "{\"messages\": []}", "{\"input\": \"\", \"x\": null}"] {
            assert_eq!(of_text(empty), "", "{empty}");
        }
        for text in ["{\"a\": 1}", "hi", "[1, 2]", "{ no JSON", "", "{\"question\": \"why\"}"] {
            assert_eq!(of_text(text), text);
        }
        assert_eq!(of_text("{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}"), "hi");
        assert_eq!(of_text("{\"role\": \"assistant\", \"content\": \"so\"}"), "so");
        assert_eq!(of_text("{\"choices\": [{\"message\": {\"content\": \"so\"}}]}"), "so");
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(of_text(&deep), "");
    }
}
