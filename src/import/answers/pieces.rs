//! What each kind of server says in an answer or a piece of one.

use serde_json::Value;

use super::super::llm::{Clock, Stated, Usage};
use super::super::read::time::unix_time;
use super::super::read::value::{self, at, count, items, milliseconds, text};
use super::fold::Open;
use super::usage;
use crate::model::{Outcome, ServerTimes};

/// Longest text of an answer that is kept, bytes.
const LONGEST: usize = 4 << 20;

impl Open {
    fn model(&mut self, name: &str) {
        if !name.is_empty() {
            name.clone_into(&mut self.call.model);
        }
    }

    fn tier(&mut self, value: &Value) {
        let tier = text(value, &["service_tier"]);
        if !tier.is_empty() {
            tier.clone_into(&mut self.call.tier);
        }
    }

    fn usage(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|u| u.is_object()) else { return };
        self.call.usage.update(&usage::of(usage));
        self.call.usage_of_provider = true;
        self.tier(usage);
        let searches = at(usage, &["server_tool_use", "web_search_requests"]).and_then(count);
        self.call.searches = searches.or(self.call.searches);
        // OpenRouter states what it bills.
        let currency = text(usage, &["cost_currency"]);
        let stated = at(usage, &["cost"]).filter(|c| c.is_number()).and_then(|c| Stated::read(c, currency));
        stated.into_iter().for_each(|stated| self.call.billed(stated));
    }

    /// Output of this piece: text of the answer (or calls of tools), and whether there is reasoning.
    fn output(&mut self, said: &str, other: bool, reasoning: bool) {
        let room = LONGEST.saturating_sub(self.call.completion.len());
        self.call.completion.push_str(&said[..said.floor_char_boundary(room)]);
        if said.is_empty() && !other && !reasoning {
            return;
        }
        self.chunks.with_output += 1;
        self.chunks.first_token.get_or_insert(self.pieces);
        if !said.is_empty() || other {
            self.chunks.first_output.get_or_insert(self.pieces);
        }
        if let Some(now) = self.now {
            if !said.is_empty() || other {
                self.call.first_output.get_or_insert(now);
            }
            self.call.first_token.get_or_insert(now);
            self.call.last_token = Some(now);
            self.call.token_times.push(now);
        }
    }

    /// The time at which an answer was begun, in unix seconds.
    fn began(&mut self, value: &Value, key: &str) {
        if let Some(ns) = seconds(value.get(key)) {
            (self.call.clock, self.call.start) = (Clock::Unix, ns);
        }
    }

    pub(super) fn chat(&mut self, value: &Value) -> bool {
        self.model(text(value, &["model"]));
        self.tier(value);
        self.began(value, "created");
        self.usage(at(value, &["usage"]).or(at(value, &["x_groq", "usage"])));
        // The chunk with the usage of the whole answer is the last one, and has no choices.
        self.finished |= self.streamed
            && self.pieces > 1
            && value.get("choices").and_then(Value::as_array).is_some_and(Vec::is_empty)
            && at(value, &["usage", "completion_tokens"]).is_some();
        for choice in items(at(value, &["choices"])) {
            self.finished |= at(choice, &["finish_reason"]).is_some();
            let said = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(choice);
            let texts = ["content", "text", "refusal"].map(|key| content(said.get(key)));
            let calls = ["tool_calls", "function_call", "audio"].iter().any(|key| is_filled(said.get(*key)));
            let thoughts = ["reasoning_content", "reasoning", "reasoning_details"];
            let reasoning = thoughts.iter().any(|key| is_filled(said.get(*key)));
            self.output(&texts.concat(), calls, reasoning);
        }
        if let Some(timings) = at(value, &["timings"]) {
            self.timings(timings);
        }
        // A chunk with usage may still follow.
        !self.streamed
    }

    fn timings(&mut self, timings: &Value) {
        "llama.cpp".clone_into(&mut self.call.provider);
        self.call.usage.update(&usage::llama_cpp(timings));
        let length = |key: &str| milliseconds(timings.get(key)?);
        self.call.times = ServerTimes {
            prefill: length("prompt_ms"),
            decode: length("predicted_ms"),
            decode_holds_first: true,
            ..ServerTimes::default()
        };
    }

    pub(super) fn response(&mut self, value: &Value) -> bool {
        self.model(text(value, &["model"]));
        self.tier(value);
        self.began(value, "created_at");
        self.call.end = seconds(value.get("completed_at")).or(self.call.end);
        self.usage(at(value, &["usage"]));
        self.searches(value);
        match text(value, &["status"]) {
            "in_progress" | "queued" => return false,
            "failed" => self.call.outcome = Outcome::Error,
            "cancelled" => self.call.outcome = Outcome::Cancelled,
            _ => {}
        }
        if self.call.completion.is_empty() {
            let items = items(at(value, &["output"]));
            let said: String = items.map(|item| content(item.get("content"))).collect();
            self.call.completion.push_str(&said[..said.floor_char_boundary(LONGEST)]);
        }
        self.finished = true;
        true
    }

    fn searches(&mut self, value: &Value) {
        let items = items(at(value, &["output"]));
        let searches = items.filter(|item| text(item, &["type"]) == "web_search_call").count() as u64;
        if searches > 0 {
            self.call.searches = Some(searches);
        }
    }

    pub(super) fn response_event(&mut self, value: &Value) -> bool {
        let kind = text(value, &["type"]);
        if let Some(response) = at(value, &["response"]) {
            if let Some(error) = at(response, &["error"]) {
                self.fail(error);
            }
            return self.response(response);
        }
        if kind.ends_with(".delta") {
            let delta = content(value.get("delta"));
            match kind.contains("reasoning") {
                true => self.output("", false, !delta.is_empty()),
                false if kind.contains("text") || kind.contains("refusal") => {
                    self.output(&delta, false, false)
                }
                false => self.output("", !delta.is_empty(), false),
            }
        }
        false
    }

    pub(super) fn message(&mut self, value: &Value) -> bool {
        self.model(text(value, &["model"]));
        self.usage(at(value, &["usage"]));
        let said = content(value.get("content"));
        self.call.completion.push_str(&said[..said.floor_char_boundary(LONGEST)]);
        self.finished = true;
        true
    }

    pub(super) fn message_event(&mut self, value: &Value) -> bool {
        match text(value, &["type"]) {
            "message_start" => {
                self.model(text(value, &["message", "model"]));
                self.usage(at(value, &["message", "usage"]));
            }
            "message_delta" => {
                self.finished |= at(value, &["delta", "stop_reason"]).is_some();
                self.usage(at(value, &["usage"]));
            }
            "content_block_delta" => {
                let said = text(value, &["delta", "text"]);
                let call = !text(value, &["delta", "partial_json"]).is_empty();
                let reasoning = !text(value, &["delta", "thinking"]).is_empty();
                self.output(said, call, reasoning);
            }
            "message_stop" => {
                self.finished = true;
                self.usage(at(value, &["amazon-bedrock-invocationMetrics"]));
                if let Some(ns) = at(value, &["amazon-bedrock-invocationMetrics", "invocationLatency"]) {
                    self.call.end = milliseconds(ns);
                }
                return true;
            }
            _ => {}
        }
        false
    }

    pub(super) fn gemini(&mut self, value: &Value) -> bool {
        self.model(text(value, &["modelVersion"]));
        self.model(text(value, &["model_version"]));
        if let Some(usage) = at(value, &["usageMetadata"]).or(at(value, &["usage_metadata"])) {
            self.call.usage.update(&usage::gemini(usage));
        }
        if let Some(ns) = unix_time(text(value, &["createTime"])) {
            (self.call.clock, self.call.start) = (Clock::Unix, ns);
        }
        let (mut said, mut call, mut reasoning, mut over) = (String::new(), false, false, false);
        for candidate in items(at(value, &["candidates"])) {
            over |= at(candidate, &["finishReason"]).or(at(candidate, &["finish_reason"])).is_some();
            for part in items(at(candidate, &["content", "parts"])) {
                let words = text(part, &["text"]);
                match part.get("thought") == Some(&Value::Bool(true)) {
                    true => reasoning |= !words.is_empty(),
                    false => said.push_str(words),
                }
                call |= part.get("functionCall").or(part.get("inlineData")).is_some();
            }
        }
        self.output(&said, call, reasoning);
        self.finished |= over;
        // Without a finish reason more must come.
        self.streamed |= !over;
        over && text(value, &["responseId"]).is_empty()
    }

    pub(super) fn converse(&mut self, value: &Value) -> bool {
        self.model(text(value, &["modelId"]));
        self.bedrock_tier(value);
        self.usage(at(value, &["usage"]));
        self.call.end = at(value, &["metrics", "latencyMs"]).and_then(milliseconds);
        let said = content(at(value, &["output", "message", "content"]));
        self.call.completion.push_str(&said[..said.floor_char_boundary(LONGEST)]);
        self.finished = true;
        true
    }

    fn bedrock_tier(&mut self, value: &Value) {
        let tier = text(value, &["serviceTier", "type"]);
        if !tier.is_empty() {
            tier.clone_into(&mut self.call.tier);
        }
    }

    pub(super) fn converse_event(&mut self, value: &Value) -> bool {
        self.model(text(value, &["modelId"]));
        if let Some(delta) = at(value, &["contentBlockDelta", "delta"]) {
            let call = !text(delta, &["toolUse", "input"]).is_empty();
            let reasoning = !text(delta, &["reasoningContent", "text"]).is_empty();
            self.output(text(delta, &["text"]), call, reasoning);
        }
        self.finished |= value.get("messageStop").is_some();
        let Some(metadata) = at(value, &["metadata"]) else { return false };
        self.usage(at(metadata, &["usage"]));
        self.bedrock_tier(metadata);
        self.call.end = at(metadata, &["metrics", "latencyMs"]).and_then(milliseconds);
        true
    }

    pub(super) fn ollama(&mut self, value: &Value) -> bool {
        self.model(text(value, &["model"]));
        let said = match text(value, &["message", "content"]) {
            "" => text(value, &["response"]),
            said => said,
        };
        let reasoning =
            !text(value, &["message", "thinking"]).is_empty() || !text(value, &["thinking"]).is_empty();
        let calls = is_filled(at(value, &["message", "tool_calls"]));
        self.output(said, calls, reasoning);
        let now = unix_time(text(value, &["created_at"]));
        let done = value.get("done") == Some(&Value::Bool(true));
        if !done {
            let has_output = !said.is_empty() || reasoning || calls;
            if self.now.is_none() {
                self.call.token_times.extend(now.filter(|_| has_output));
            }
            return false;
        }
        self.call.usage.update(&usage::ollama(value));
        let length = |key: &str| value.get(key).and_then(count).and_then(|ns| i64::try_from(ns).ok());
        self.call.times = ServerTimes {
            load: length("load_duration"),
            prefill: length("prompt_eval_duration"),
            decode: length("eval_duration"),
            queue: None,
            decode_holds_first: true,
        };
        match (now, length("total_duration")) {
            (Some(now), total) => {
                self.call.clock = Clock::Unix;
                self.call.end = Some(now);
                self.call.start = now - total.unwrap_or(0);
            }
            (None, Some(total)) => self.call.end = Some(total),
            (None, None) => {}
        }
        self.call.first_token = self.call.token_times.first().copied();
        self.call.last_token = self.call.token_times.last().copied();
        self.finished = true;
        true
    }

    pub(super) fn llama_cpp(&mut self, value: &Value) -> bool {
        self.model(text(value, &["model"]));
        self.output(text(value, &["content"]), false, false);
        let number = |key: &str| value.get(key).and_then(count);
        self.call.usage.update(&Usage {
            input: number("tokens_evaluated"),
            output: number("tokens_predicted"),
            ..Usage::default()
        });
        if let Some(timings) = at(value, &["timings"]) {
            self.timings(timings);
        }
        let over = value.get("stop") != Some(&Value::Bool(false));
        self.finished |= over;
        over
    }

    pub(super) fn plain(&mut self, value: &Value) -> bool {
        self.model(text(value, &["model"]));
        self.tier(value);
        self.began(value, "ts");
        self.began(value, "created");
        self.usage(at(value, &["usage"]));
        self.finished = true;
        true
    }
}

/// Unix seconds, whole or not, as ns.
fn seconds(value: Option<&Value>) -> Option<i64> {
    value::seconds(value?).filter(|ns| *ns > 0)
}

/// True for a text, a list or an object that is not empty.
fn is_filled(value: Option<&Value>) -> bool {
    match value {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(items)) => !items.is_empty(),
        _ => false,
    }
}

/// A text, or the texts of a list of parts.
fn content(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().map(|part| text(part, &["text"])).collect(),
        _ => String::new(),
    }
}
