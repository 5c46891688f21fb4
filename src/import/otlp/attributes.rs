//! Attributes of a span that tell of a language model, under all the names that conventions gave them.
//!
//! Four generations of OpenTelemetry's GenAI conventions, OpenInference, OpenLLMetry, Vercel's AI SDK, Langfuse, Sentry, pydantic-ai
//! and vLLM. Which one a span follows is told by the attributes that it has; of several names for one thing the first
//! one counts, so nothing is counted twice.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::llm::words::{joined, of_text, said, words};
use super::super::llm::{Habit, Said, Stated, Usage};
use super::super::read::value::{at, count, milliseconds, real, seconds};
use super::row::{Row, opaque};
use crate::model::{self, ServerTimes};

/// How the name of an attribute begins that holds how good an answer was: its score by an evaluation of this name.
pub(in crate::import) const SCORE: &str = "evaluation.score.";
/// The same of the whole trace,
pub(in crate::import) const TRACE_SCORE: &str = "evaluation.trace_score.";
/// and which trace that is.
pub(in crate::import) const TRACE: &str = "evaluation.trace";
/// Most names within each other of a numbered attribute.
const DEEPEST: usize = 12;

/// What a call asks for beside its prompt, as a mark that is the same for the same: only where it names tools or a seed, without which
/// the same prompt asks for the same.
fn asked_with(row: &Row) -> Option<String> {
    const TOOLS: [&str; 5] = [
        "gen_ai.tool.definitions",
        "gen_ai.request.tools",
        "ai.prompt.tools",
        "llm.tools",
        "llm.request.functions",
    ];
    let is_one = |key: &str| {
        TOOLS
            .iter()
            .any(|front| key.strip_prefix(front).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
            || key == "gen_ai.request.seed"
            || key == "gen_ai.openai.request.seed"
    };
    let mut found: Vec<_> = row.attributes.iter().filter(|(key, _)| is_one(key)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    (!found.is_empty()).then(|| {
        let text: String = found.iter().map(|(key, value)| format!("{key}={value};")).collect();
        format!("#{:08x}", opaque(&text) as u32)
    })
}

/// The attributes of a span by name.
pub(super) struct Attributes<'a> {
    map: HashMap<&'a str, &'a Value>,
    /// Vercel's `providerMetadata`, which is JSON in a text.
    metadata: Value,
    /// Langfuse's usage by kind.
    langfuse: Value,
}

/// A JSON text as a value, or the value itself.
pub(super) fn parsed(value: Option<&&Value>) -> Value {
    match value {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(value) => (**value).clone(),
        None => Value::Null,
    }
}

impl<'a> Attributes<'a> {
    /// Those of a span.
    pub fn of(row: &'a Row) -> Self {
        let map: HashMap<&str, &Value> =
            row.attributes.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let metadata = parsed(map.get("ai.response.providerMetadata"));
        let langfuse = parsed(map.get("langfuse.observation.usage_details"));
        Self { map, metadata, langfuse }
    }

    /// True when a span may tell of a model at all: a quick look before a thorough one.
    pub fn may_tell(row: &Row) -> bool {
        let of_models =
            ["gen_ai.", "llm.", "ai.", "openinference.", "langfuse.", "traceloop.", "operation.name"];
        row.attributes.iter().any(|(key, _)| of_models.iter().any(|prefix| key.starts_with(prefix)))
    }

    /// True for an attribute that holds what a person or a model wrote.
    #[cfg(feature = "workloads")]
    pub fn is_text(key: &str) -> bool {
        const WORDS: [&str; 17] = [
            "prompt",
            "completion",
            "message",
            "content",
            "input.value",
            "output.value",
            "entity.input",
            "entity.output",
            "response.text",
            "response.object",
            "toolcall",
            "tool.call.arguments",
            "tool.call.result",
            "system_instructions",
            "document",
            "embedding.text",
            "query.text",
        ];
        let key = key.to_ascii_lowercase();
        WORDS.iter().any(|word| key.contains(word)) && !key.contains("token") && !key.ends_with(".role")
    }

    pub fn get(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| self.map.get(name).copied())
    }

    pub fn has_any(&self, names: &[&str]) -> bool {
        self.get(names).is_some()
    }

    /// The first text that is not empty.
    pub fn text(&self, names: &[&str]) -> &'a str {
        let texts = names.iter().filter_map(|name| self.map.get(name)?.as_str());
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or("")
    }

    fn count(&self, names: &[&str]) -> Option<u64> {
        names.iter().find_map(|name| count(self.map.get(name)?))
    }

    /// The first name that is a length in seconds.
    fn seconds(&self, names: &[&str]) -> Option<i64> {
        names.iter().find_map(|name| seconds(self.map.get(name)?))
    }

    /// Which example of a data set, or test case, the span is about: what evaluations of two versions have in common.
    /// Such attributes have one of these words at their ends («langsmith.reference_example_id», «test.case.name»,
    /// «langfuse.experiment.item.id»); empty when none has.
    pub fn example(row: &Row) -> String {
        const WORDS: [&str; 8] = [
            "example.id",
            "case.id",
            "case.name",
            "sample.id",
            "question.id",
            "dataset.item.id",
            "experiment.item.id",
            "example.name",
        ];
        let is = |key: &str| {
            let key = key.replace('_', ".");
            WORDS.iter().any(|end| {
                key.strip_suffix(end).is_some_and(|front| front.is_empty() || front.ends_with('.'))
            })
        };
        let value = row.attributes.iter().filter(|(key, _)| is(key)).find_map(|(_, value)| match value {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        value.unwrap_or_default()
    }

    /// What the program says of a span under names of its own, or of what is around it.
    pub fn say(row: &Row, said: &mut Said) {
        const SESSION: &[&str] = &[
            "session.id",
            "gen_ai.conversation.id",
            "langfuse.session.id",
            "langfuse.trace.session_id",
            "langsmith.trace.session_id",
        ];
        const USER: &[&str] = &["user.id", "enduser.id", "langfuse.user.id", "langfuse.trace.user_id"];
        const NAMED: &[(&str, &[&str])] = &[
            ("session", SESSION),
            ("user", USER),
            ("agent", &["gen_ai.agent.name", "agent.name"]),
            ("workflow", &["gen_ai.workflow.name", "traceloop.workflow.name"]),
            ("tags", &["tag.tags", "langfuse.trace.tags", "langsmith.span.tags"]),
            (model::TRACE, &[TRACE]),
            ("environment", &["langfuse.environment", "deployment.environment.name"]),
        ];
        /// Names after these are the program's own.
        const OWN: &[&str] = &[
            "traceloop.association.properties.",
            "ai.telemetry.metadata.",
            "langsmith.metadata.",
            "langfuse.trace.metadata.",
            "langfuse.observation.metadata.",
            "metadata.",
        ];
        const OBJECTS: &[&str] = &["metadata", "langfuse.observation.metadata", "langfuse.trace.metadata"];
        for (key, value) in &row.attributes {
            if let Some((name, _)) = NAMED.iter().find(|(_, keys)| keys.contains(&key.as_str())) {
                said.add_value(name, value);
            } else if OBJECTS.contains(&key.as_str()) {
                said.add_all(value);
            } else if let Some(name) = key.strip_prefix(SCORE) {
                said.add_value(&format!("score {name}"), value);
            } else if let Some(name) = key.strip_prefix(TRACE_SCORE) {
                said.add_value(&format!("{}{name}", model::TRACE_SCORE), value);
            } else if let Some(name) = OWN.iter().find_map(|front| key.strip_prefix(front)) {
                said.add_value(name, value);
            }
        }
        if let Some(with) = asked_with(row) {
            said.add(model::ASKED_WITH, &with);
        }
        // Evaluations are attributes of the span, or events of it.
        let own = std::iter::once(&row.attributes);
        let events = row.events.iter().filter(|e| e.name.starts_with("gen_ai.evaluation"));
        for attributes in own.chain(events.map(|e| &e.attributes)) {
            let of = |wanted: &str| attributes.iter().find(|(key, _)| key == wanted).map(|(_, value)| value);
            if let Some(score) = of("gen_ai.evaluation.score.value").filter(|v| real(v).is_some()) {
                let name = of("gen_ai.evaluation.name").and_then(Value::as_str).unwrap_or_default();
                said.add_value(format!("score {name}").trim_end(), score);
            }
        }
    }

    /// The model that answered; empty when nobody says.
    pub fn model(&self) -> &'a str {
        self.text(&[
            "gen_ai.response.model",
            "llm.response.model_name",
            "llm.response.model",
            "ai.response.model",
            "langfuse.observation.model.name",
        ])
    }

    /// The model that was asked for; empty when nobody says.
    pub fn requested_model(&self) -> &'a str {
        self.text(&[
            "gen_ai.request.model",
            "llm.request.model_name",
            "llm.request.model",
            "ai.model.id",
            "llm.model_name",
            "embedding.model_name",
            "model",
        ])
    }

    pub fn provider(&self) -> &'a str {
        self.text(&[
            "gen_ai.provider.name",
            "gen_ai.system",
            "llm.provider",
            "llm.system",
            "ai.model.provider",
        ])
    }

    /// The tier that served, and the one that was asked for.
    pub fn tiers(&self) -> (&'a str, &'a str) {
        let served = self.text(&[
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
            "gen_ai.response.service_tier",
            "gen_ai.usage.service_tier",
        ]);
        let asked = self.text(&[
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
            "gen_ai.request.service_tier",
        ]);
        (served, asked)
    }

    /// What the source says it cost.
    pub fn cost(&self) -> Option<Stated> {
        const PARTS: [[&str; 2]; 5] = [
            ["llm.cost.prompt", "llm.cost.completion"],
            ["gen_ai.usage.input_cost", "gen_ai.usage.output_cost"],
            ["gen_ai.usage.prompt_cost", "gen_ai.usage.completion_cost"],
            ["gen_ai.cost.input", "gen_ai.cost.output"],
            ["gen_ai.cost.input_tokens", "gen_ai.cost.output_tokens"],
        ];
        let currency = self.text(&[
            "llm.cost.currency",
            "gen_ai.usage.cost.currency",
            "gen_ai.usage.cost_currency",
            "gen_ai.cost.currency",
            "operation.cost.currency",
        ]);
        let total = self.get(&[
            "llm.cost.total",
            "gen_ai.usage.cost",
            "gen_ai.usage.total_cost",
            "gen_ai.cost.total",
            "gen_ai.cost.total_tokens",
            "operation.cost",
        ]);
        let total = total.and_then(|total| Stated::read(total, currency));
        let details =
            || Stated::of_details(&parsed(self.map.get("langfuse.observation.cost_details")), currency);
        // Of one part alone the rest is unknown, unless there is no output.
        let parts = || {
            PARTS.iter().find_map(|[input, output]| {
                let parts = [
                    self.map.get(input).copied()?,
                    match self.map.get(output).copied() {
                        Some(output) => output,
                        None if self.count(OUTPUT).unwrap_or(0) == 0 => &Value::Null,
                        None => return None,
                    },
                ];
                Stated::sum(parts.into_iter().filter(|part| !part.is_null()), currency)
            })
        };
        total.or_else(details).or_else(parts)
    }

    /// Token counts as the source states them.
    pub fn usage(&self) -> Usage {
        let metadata = |key: &str| {
            let paths =
                [&["anthropic", "usage", "cache_creation", key][..], &["anthropic", "cacheCreation", key]];
            paths.iter().find_map(|path| count(at(&self.metadata, path)?))
        };
        let langfuse = |keys: &[&str]| keys.iter().find_map(|key| count(self.langfuse.get(key)?));
        let [audio_input, image_input, audio_output] = [
            &["input_audio_tokens", "input_audio"],
            &["input_image_tokens", "input_image"],
            &["output_audio_tokens", "output_audio"],
        ]
        .map(|keys| langfuse(keys));
        // Langfuse counts each kind of token apart; only where its total says so a kind is a part of the plain count.
        let apart = self.langfuse_counts_apart();
        let with = |plain: Option<u64>, more: &[Option<u64>]| {
            let more = more.iter().flatten().filter(|_| apart).fold(0, |sum: u64, n| sum.saturating_add(*n));
            plain.map(|n| n.saturating_add(more))
        };
        let of_langfuse = (
            with(langfuse(&["input", "input_tokens", "prompt_tokens"]), &[audio_input, image_input]),
            with(langfuse(&["output", "output_tokens", "completion_tokens"]), &[audio_output]),
        );
        Usage {
            input: self.count(INPUT).or(of_langfuse.0),
            uncached: self.count(&["ai.usage.inputTokenDetails.noCacheTokens"]),
            output: self.count(OUTPUT).or(of_langfuse.1),
            total: self.count(TOTAL).or_else(|| langfuse(&["total", "total_tokens"])),
            cache_read: self.count(CACHE_READ).or_else(|| {
                langfuse(&[
                    "input_cached_tokens",
                    "cache_read_input_tokens",
                    "input_cache_read",
                    "prompt_details.cache_read",
                ])
            }),
            cache_write: self.count(CACHE_WRITE).or_else(|| {
                langfuse(&[
                    "cache_creation_input_tokens",
                    "input_cache_creation",
                    "prompt_details.cache_write",
                ])
            }),
            write_5m: self
                .count(WRITE_5M)
                .or_else(|| metadata("ephemeral_5m_input_tokens"))
                .or_else(|| langfuse(&["input_cache_creation_5m"])),
            write_1h: self
                .count(WRITE_1H)
                .or_else(|| metadata("ephemeral_1h_input_tokens"))
                .or_else(|| langfuse(&["input_cache_creation_1h"])),
            reasoning: self.count(REASONING).or_else(|| {
                langfuse(&[
                    "output_reasoning_tokens",
                    "output_reasoning",
                    "reasoning_tokens",
                    "completion_details.reasoning",
                ])
            }),
            audio_input: self
                .count(&["gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"])
                .or(audio_input),
            image_input: self.count(&["gen_ai.usage.image.input_tokens"]).or(image_input),
            tool_input: None,
            audio_output: self
                .count(&["gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"])
                .or(audio_output),
            habit: self.habit(),
        }
    }

    /// Whether the counts of Langfuse hold each token once: its total is the sum of all of them, or there is none.
    fn langfuse_counts_apart(&self) -> bool {
        let Some(counts) = self.langfuse.as_object() else { return false };
        let total = ["total", "total_tokens"].iter().find_map(|key| count(counts.get(*key)?));
        let parts = counts.iter().filter(|(key, _)| !key.starts_with("total")).filter_map(|(_, n)| count(n));
        let sum = parts.fold(0, u64::saturating_add);
        total.is_none_or(|total| total == sum)
    }

    /// Conventions since 1.37, and those that break down input, count cached tokens as input. Older names, and OpenInference,
    /// pass on what the provider says.
    fn habit(&self) -> Habit {
        let settled = ["gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens"];
        let since_137 = self.has_any(&settled)
            || self.has_any(&["gen_ai.usage.cache_creation.input_tokens", "gen_ai.provider.name"])
            || self
                .map
                .keys()
                .any(|key| key.starts_with("gen_ai.usage.details.") || key.starts_with("ai.usage."));
        let provider = self.provider().to_ascii_lowercase();
        let apart = ["anthropic", "bedrock", "aws", "amazon"].iter().any(|name| provider.contains(name));
        if apart && !since_137 { Habit::Exclusive } else { Habit::Inclusive }
    }

    /// Time from the start to the first chunk and to the first token, ns.
    pub fn first(&self) -> (Option<i64>, Option<i64>) {
        let chunk = self
            .seconds(&["gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk"]);
        let chunk = chunk
            .or_else(|| milliseconds(self.get(&["ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"])?));
        let token =
            self.seconds(&["gen_ai.latency.time_to_first_token", "gen_ai.server.time_to_first_token"]);
        // No answer begins at the moment of the question: 0 stands for what nobody measured.
        (chunk.filter(|length| *length > 0), token.filter(|length| *length > 0))
    }

    /// Phases of a server's own span (vLLM).
    pub fn phases(&self) -> ServerTimes {
        ServerTimes {
            queue: self.seconds(&["gen_ai.latency.time_in_queue"]),
            load: None,
            prefill: self.seconds(&["gen_ai.latency.time_in_model_prefill"]),
            decode: self.seconds(&["gen_ai.latency.time_in_model_decode"]),
            decode_holds_first: false,
        }
    }

    /// Answers that the span's output counts together: vLLM says how many sequences it generated.
    pub fn sequences(&self) -> u32 {
        let n = self.count(&[
            "gen_ai.usage.num_sequences",
            "gen_ai.request.choice.count",
            "gen_ai.openai.request.n",
        ]);
        n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    }

    /// True where a cache of answers answered, as LiteLLM says in metadata.
    pub fn is_from_cache(&self) -> bool {
        const NAMES: [&str; 5] = [
            "cache_hit",
            "litellm.cache_hit",
            "metadata.cache_hit",
            "langfuse.observation.metadata.cache_hit",
            "langfuse.trace.metadata.cache_hit",
        ];
        let is_yes = |value: &Value| match value {
            Value::Bool(yes) => *yes,
            Value::String(text) => text.eq_ignore_ascii_case("true"),
            _ => false,
        };
        let inside = |name: &str| {
            let object = parsed(self.map.get(name));
            let paths = [&["cache_hit"][..], &["attributes", "cache_hit"], &["hidden_params", "cache_hit"]];
            paths.iter().any(|path| at(&object, path).is_some_and(is_yes))
        };
        self.get(&NAMES).is_some_and(is_yes)
            || ["metadata", "langfuse.observation.metadata"].iter().any(|name| inside(name))
    }

    /// True when a number is stated that is none: a count was lost on the way.
    pub fn has_broken_usage(&self) -> bool {
        [INPUT, OUTPUT]
            .iter()
            .any(|names| self.get(names).is_some_and(|v| count(v).is_none() && real(v).is_none()))
    }

    /// What was asked and what was answered, where a span holds it.
    pub fn texts(&self) -> (String, String) {
        // Instructions may stand beside the messages.
        let instructions = words(Some(&parsed(self.map.get("gen_ai.system_instructions"))));
        let instructions = Some(instructions).filter(|text| !text.is_empty());
        let asked = self.messages(
            instructions,
            [
                &["gen_ai.input.messages", "ai.prompt.messages"],
                &["gen_ai.prompt", "llm.input_messages"],
                &["ai.prompt", "input.value", "traceloop.entity.input", "langfuse.observation.input"],
            ],
        );
        let answered = self.messages(
            None,
            [
                &["gen_ai.output.messages"],
                &["gen_ai.completion", "llm.output_messages"],
                &[
                    "ai.response.text",
                    "output.value",
                    "traceloop.entity.output",
                    "langfuse.observation.output",
                ],
            ],
        );
        (asked, answered)
    }

    /// Texts of structured messages, of numbered attributes, or of one attribute.
    fn messages(&self, system: Option<String>, [structured, numbered, plain]: [&[&str]; 3]) -> String {
        let lists = structured.iter().map(|name| parsed(self.map.get(name)));
        let lists = lists.chain(numbered.iter().map(|name| self.numbered(name)));
        for list in lists {
            let mut turns = said(&list);
            if turns.iter().any(|(_, text)| !text.is_empty()) {
                let before = system.filter(|_| turns.iter().all(|(role, _)| role != "system"));
                turns.splice(0..0, before.map(|text| ("system".to_owned(), text)));
                return joined(&turns);
            }
        }
        plain.iter().map(|name| of_text(self.text(&[name]))).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// Attributes under a name with numbers (`….0.role`) as one value; one that is a list is that.
    fn numbered(&self, name: &str) -> Value {
        if let Some(list) = self.map.get(name).filter(|list| list.is_array()) {
            return (**list).clone();
        }
        let mut tree = Map::new();
        'attributes: for (key, value) in &self.map {
            let Some(rest) = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) else { continue };
            let mut names: Vec<&str> = rest.split('.').take(DEEPEST + 1).collect();
            let Some(last) = names.pop().filter(|_| names.len() < DEEPEST) else { continue };
            if names.first().is_none_or(|first| first.parse::<usize>().is_err()) {
                continue;
            }
            let mut at = &mut tree;
            for name in names {
                let inner = at.entry(name).or_insert(Value::Null);
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                let Some(inner) = inner.as_object_mut() else { continue 'attributes };
                at = inner;
            }
            at.entry(last).or_insert_with(|| (**value).clone());
        }
        Value::Object(tree)
    }
}

const INPUT: &[&str] = &[
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.usage.input_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
];
const OUTPUT: &[&str] = &[
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.usage.output_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
];
const TOTAL: &[&str] =
    &["gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens"];
const CACHE_READ: &[&str] = &[
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.input_cached_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cached_tokens",
    "llm.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "ai.usage.cachedInputTokens",
];
const CACHE_WRITE: &[&str] = &[
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.cache_creation_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_write_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
];
const WRITE_5M: &[&str] = &[
    "gen_ai.usage.cache_write.ephemeral_5m.input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_5m.input_tokens",
    "gen_ai.usage.details.ephemeral_5m_input_tokens",
];
const WRITE_1H: &[&str] = &[
    "gen_ai.usage.cache_write.ephemeral_1h.input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_1h.input_tokens",
    "gen_ai.usage.details.ephemeral_1h_input_tokens",
];
const REASONING: &[&str] = &[
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "ai.usage.reasoningTokens",
];
