//! What kind of work a span is, as far as conventions of language model programs say.

use super::attributes::Attributes;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One call of a model.
    Model,
    /// One call that makes embeddings.
    Embedding,
    /// A run of an agent, a chain, a turn, or the outer span of a library: its usage repeats that of what it called.
    Around,
    Tool,
    Retrieval,
    Other,
}

impl Kind {
    /// The word that views colour spans by; empty for ordinary work.
    pub fn category(self) -> &'static str {
        match self {
            Self::Model => "llm",
            Self::Embedding => "embedding",
            Self::Around => "agent",
            Self::Tool => "tool",
            Self::Retrieval => "retrieval",
            Self::Other => "",
        }
    }

    /// True for a call of a model, of whatever sort.
    pub fn is_call(self) -> bool {
        matches!(self, Self::Model | Self::Embedding)
    }

    /// The kind of a span: by the most telling attribute that it has.
    pub fn of(a: &Attributes<'_>) -> Self {
        let of_type = |word: &str| match word.to_ascii_lowercase().as_str() {
            "llm" | "generation" => Self::Model,
            "embedding" | "embeddings" => Self::Embedding,
            "tool" => Self::Tool,
            "retriever" | "retrieval" | "reranker" => Self::Retrieval,
            "agent" | "chain" | "workflow" | "task" | "prompt" => Self::Around,
            _ => Self::Other,
        };
        let named = a.text(&["langfuse.observation.type", "openinference.span.kind"]);
        if !named.is_empty() {
            return of_type(named);
        }
        match a.text(&["gen_ai.operation.name"]) {
            "" => {}
            "chat" | "text_completion" | "completion" | "generate_content" | "responses" => {
                return Self::Model;
            }
            "embeddings" | "embedding" => return Self::Embedding,
            "execute_tool" => return Self::Tool,
            "retrieval" | "search_memory" => return Self::Retrieval,
            _ => return Self::Around,
        }
        let operation = a.text(&["ai.operationId", "operation.name"]);
        if let Some(rest) = operation.strip_prefix("ai.") {
            return match rest.rsplit('.').next().unwrap_or("") {
                "doEmbed" => Self::Embedding,
                inner if inner.starts_with("do") => Self::Model,
                "toolCall" => Self::Tool,
                _ => Self::Around,
            };
        }
        match a.text(&["llm.request.type"]) {
            "chat" | "completion" => return Self::Model,
            "embedding" | "embeddings" => return Self::Embedding,
            _ => {}
        }
        if a.has_any(&["gen_ai.latency.e2e", "gen_ai.latency.time_to_first_token"]) {
            return Self::Model;
        }
        let named = a.text(&["traceloop.span.kind"]);
        if !named.is_empty() {
            return of_type(named);
        }
        if a.usage().says_nothing() {
            return Self::Other;
        }
        if a.model().is_empty() && a.requested_model().is_empty() { Self::Around } else { Self::Model }
    }
}
