//! Which kind of server gave an answer, by its shape alone.

use serde_json::Value;

use super::super::read::value::{at, text};

/// A way of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// OpenAI's chat completions, whole or a chunk, and the many servers that speak them; llama.cpp's `timings` included.
    Chat,
    /// OpenAI's responses.
    Response,
    /// An event of a stream of responses.
    ResponseEvent,
    /// A message of Anthropic's.
    Message,
    /// An event of a stream of one.
    MessageEvent,
    Gemini,
    /// Bedrock's Converse.
    Converse,
    /// An event of a stream of it.
    ConverseEvent,
    Ollama,
    /// llama.cpp's own completion.
    LlamaCpp,
    /// Usage and a model without more.
    Usage,
    /// Nothing but an error.
    Error,
}

/// Keys of events in a stream of Converse.
const CONVERSE: [&str; 5] =
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop"];

impl Shape {
    /// The shape of an answer or of a piece of one; `None` for anything else.
    pub fn of(value: &Value) -> Option<Self> {
        let has = |key: &str| value.get(key).is_some();
        let kind = text(value, &["type"]);
        let object = text(value, &["object"]);
        if at(value, &["choices"]).is_some_and(Value::is_array) && !has("candidates") {
            return Some(Self::Chat);
        }
        if object == "response" && has("status") {
            return Some(Self::Response);
        }
        if kind.starts_with("response.") {
            return Some(Self::ResponseEvent);
        }
        match kind {
            "message" if has("usage") || has("content") => return Some(Self::Message),
            "message_start"
            | "message_delta"
            | "message_stop"
            | "content_block_start"
            | "content_block_delta"
            | "content_block_stop"
            | "ping" => return Some(Self::MessageEvent),
            _ => {}
        }
        if at(value, &["usageMetadata"]).or(at(value, &["usage_metadata"])).is_some()
            || at(value, &["candidates"]).is_some_and(Value::is_array)
        {
            return Some(Self::Gemini);
        }
        if at(value, &["usage", "inputTokens"]).is_some() && (has("output") || has("stopReason")) {
            return Some(Self::Converse);
        }
        if let Some(Value::Object(_)) = CONVERSE.iter().find_map(|key| value.get(key)) {
            return Some(Self::ConverseEvent);
        }
        if at(value, &["metadata", "usage", "inputTokens"]).is_some() {
            return Some(Self::ConverseEvent);
        }
        if at(value, &["done"]).is_some_and(Value::is_boolean)
            && (has("message") || has("response") || has("eval_count"))
        {
            return Some(Self::Ollama);
        }
        if has("content")
            && (has("timings")
                || has("tokens_predicted")
                || at(value, &["stop"]).is_some_and(Value::is_boolean))
        {
            return Some(Self::LlamaCpp);
        }
        let usage = at(value, &["usage"]);
        let counted = ["prompt_tokens", "input_tokens", "inputTokens", "completion_tokens"];
        if usage.is_some_and(|u| counted.iter().any(|key| u.get(key).is_some())) {
            return Some(Self::Usage);
        }
        let is_error = at(value, &["error"]).is_some_and(|e| e.is_object() || e.is_string());
        // What a batch did not come to.
        let is_left =
            matches!(kind, "expired" | "canceled") && value.as_object().is_some_and(|o| o.len() == 1);
        (is_error || is_left).then_some(Self::Error)
    }

    /// A piece of a stream rather than a whole answer.
    pub fn is_piece(self, value: &Value) -> bool {
        match self {
            Self::ResponseEvent | Self::MessageEvent | Self::ConverseEvent => true,
            Self::Chat => {
                text(value, &["object"]).ends_with(".chunk")
                    || at(value, &["choices"])
                        .and_then(|c| c.get(0))
                        .is_some_and(|c| c.get("delta").is_some())
            }
            Self::Ollama => value.get("done") == Some(&Value::Bool(false)),
            Self::LlamaCpp => value.get("stop") == Some(&Value::Bool(false)),
            _ => false,
        }
    }

    /// Who serves this shape, where only one does.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Message | Self::MessageEvent => "anthropic",
            Self::Gemini => "google",
            Self::Converse | Self::ConverseEvent => "aws",
            Self::Ollama => "ollama",
            Self::LlamaCpp => "llama.cpp",
            Self::Response | Self::ResponseEvent | Self::Chat | Self::Usage | Self::Error => "",
        }
    }
}

/// True for an error that says of what kind it is, as those of model servers do.
pub(super) fn is_typed_error(value: &Value) -> bool {
    let says = |path: &[&str]| !text(value, path).is_empty();
    let kind =
        ["type", "code", "status"].iter().any(|key| at(value, &["error", key]).is_some_and(|v| !v.is_null()));
    says(&["error", "message"]) && kind
}

/// The answer inside of what logs and batches put around it.
pub(super) fn unwrapped(value: &Value) -> Option<(&Value, Shape)> {
    if let Some(shape) = Shape::of(value).filter(|s| *s != Shape::Error) {
        return Some((value, shape));
    }
    let inside = [
        &["response", "body"][..],
        &["response"],
        &["body"],
        &["result", "message"],
        &["result", "error"],
        &["result"],
        &["chunk"],
        &["data"],
        &["json"],
    ];
    let found = inside.iter().find_map(|path| {
        let inner = at(value, path)?;
        Some((inner, Shape::of(inner)?))
    });
    found.or_else(|| Shape::of(value).map(|shape| (value, shape)))
}
