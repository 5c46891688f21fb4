//! What a span does in a run of agents and models, as conventions say, and as the built-in runs name their steps.

use crate::model::{FunctionId, Profile};

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A run of an agent, a chain, a workflow, a turn.
    Agent,
    /// A call of a model.
    Model,
    /// A tool, or an API that is called as one.
    Tool,
    /// Documents that were looked up.
    Retrieval,
    /// A text that was made a vector.
    Embedding,
    /// A cache that was asked or filled.
    Cache,
    /// Waiting for a turn, or between two attempts.
    Wait,
    /// One of several attempts.
    Attempt,
    /// Work on requests of one or several callers: a batch, a call that is served.
    Worker,
    /// An answer that is received.
    Stream,
    /// A stage that a built-in run names.
    Stage,
    /// Anything else.
    Ordinary,
}

impl Kind {
    /// All but the ordinary one.
    pub const STEPS: [Self; 11] = [
        Self::Agent,
        Self::Model,
        Self::Tool,
        Self::Retrieval,
        Self::Embedding,
        Self::Cache,
        Self::Wait,
        Self::Attempt,
        Self::Worker,
        Self::Stream,
        Self::Stage,
    ];

    /// The word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Retrieval => "retrieval",
            Self::Embedding => "embedding",
            Self::Cache => "cache",
            Self::Wait => "wait",
            Self::Attempt => "attempt",
            Self::Worker => "worker",
            Self::Stream => "receive",
            Self::Stage => "stage",
            Self::Ordinary => "span",
        }
    }

    /// True for all but ordinary spans.
    #[must_use]
    pub fn is_step(self) -> bool {
        self != Self::Ordinary
    }

    /// The kind of each function's spans.
    #[must_use]
    pub(in crate::analysis) fn all(profile: &Profile) -> Vec<Self> {
        profile.functions.ids().map(|f| Self::of(profile, f)).collect()
    }

    fn of(profile: &Profile, function: FunctionId) -> Self {
        let row = profile.functions.get(function);
        match profile.text(row.category) {
            "llm" => return Self::Model,
            "embedding" => return Self::Embedding,
            "agent" => return Self::Agent,
            "tool" => return Self::Tool,
            "retrieval" => return Self::Retrieval,
            _ => {}
        }
        let Some(run) = profile.text(row.module).strip_prefix("inferscope::") else { return Self::Ordinary };
        let name = profile.text(row.name);
        let known = BUILT_IN.iter().find(|(of, names, _)| *of == run && names.contains(&name));
        match known {
            Some((_, _, kind)) => *kind,
            // All that these two record are stages; the others record the operations of a model, too.
            None if matches!(run, "asyncio" | "default") => Self::Stage,
            None => Self::Ordinary,
        }
    }
}

/// What the built-in runs call their steps.
const BUILT_IN: &[(&str, &[&str], Kind)] = &[
    ("service", &["client", "request"], Kind::Stage),
    ("service", &["cache_get", "semantic_get", "cache_set"], Kind::Cache),
    ("service", &["embed"], Kind::Embedding),
    ("service", &["wait_in_queue", "wait_for_place", "wait_for_event_loop"], Kind::Wait),
    ("service", &["wait_for_first_token", "receive_tokens"], Kind::Stream),
    ("service", &["batch", "_process_batch", "__call__", "form_batch"], Kind::Worker),
    ("rag", &["profile_request"], Kind::Agent),
    ("rag", &["embedding_lookup", "cosine_search"], Kind::Retrieval),
    ("rag", &["llm_queue_wait"], Kind::Wait),
    ("rag", &["time_to_first_token", "token_generation"], Kind::Stream),
    ("rag", &["preprocessing", "postprocessing", "store", "index"], Kind::Stage),
    ("endpoint", &["client", "request"], Kind::Stage),
    ("endpoint", &["attempt"], Kind::Attempt),
    ("endpoint", &["back_off"], Kind::Wait),
    ("endpoint", &["wait_for_first_byte", "wait_for_first_token", "receive"], Kind::Stream),
    ("endpoint", &["connect"], Kind::Stage),
    ("llm", &["question", "ask_in_turn", "ask_at_once"], Kind::Stage),
    ("llm", &["serve"], Kind::Worker),
    ("asyncio", &["handle_user_request"], Kind::Agent),
    ("asyncio", &["api_call"], Kind::Tool),
];
