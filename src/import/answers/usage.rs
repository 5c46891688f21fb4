//! The usage of an answer, as each kind of server writes it.

use serde_json::Value;

use super::super::llm::{Habit, Usage};
use super::super::read::value::{at, count, text};

/// Tokens of an answer of an OpenAI-compatible server, by class.
#[cfg(feature = "workloads")]
#[must_use]
pub(crate) fn counted(usage: &Value) -> crate::model::TokenCounts {
    of(usage).settle().0
}

/// What an object of usage states, whoever wrote it: names tell.
pub(super) fn of(usage: &Value) -> Usage {
    let number = |paths: &[&[&str]]| paths.iter().find_map(|path| count(at(usage, path)?));
    if at(usage, &["inputTokens"]).or(at(usage, &["outputTokens"])).is_some() {
        return bedrock(usage);
    }
    if at(usage, &["inputTokenCount"]).is_some() {
        return invocation(usage);
    }
    let inclusive = ["prompt_tokens", "input_tokens_details", "prompt_tokens_details"];
    let apart = ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"];
    let habit = match (
        inclusive.iter().any(|key| usage.get(key).is_some()),
        apart.iter().any(|key| usage.get(key).is_some()),
    ) {
        (false, true) => Habit::Exclusive,
        _ => Habit::Inclusive,
    };
    // What was cached of a kind is no part of what was not.
    let part = |kind: &str| {
        let of = |details: &str| {
            let cached = number(&[&[details, "cached_tokens_details", kind]]).unwrap_or(0);
            Some(number(&[&[details, kind]])?.saturating_sub(cached))
        };
        of("prompt_tokens_details").or_else(|| of("input_tokens_details"))
    };
    Usage {
        input: number(&[&["prompt_tokens"], &["input_tokens"]]),
        uncached: None,
        output: number(&[&["completion_tokens"], &["output_tokens"]]),
        total: number(&[&["total_tokens"]]),
        cache_read: number(&[
            &["prompt_tokens_details", "cached_tokens"],
            &["input_tokens_details", "cached_tokens"],
            &["cache_read_input_tokens"],
            &["prompt_cache_hit_tokens"],
            &["cached_tokens"],
        ]),
        cache_write: number(&[
            &["prompt_tokens_details", "cache_write_tokens"],
            &["input_tokens_details", "cache_write_tokens"],
            &["prompt_tokens_details", "cache_creation_tokens"],
            &["cache_creation_input_tokens"],
        ]),
        write_5m: number(&[
            &["cache_creation", "ephemeral_5m_input_tokens"],
            &["prompt_tokens_details", "cache_creation_token_details", "ephemeral_5m_input_tokens"],
        ]),
        write_1h: number(&[
            &["cache_creation", "ephemeral_1h_input_tokens"],
            &["prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"],
        ]),
        reasoning: number(&[
            &["completion_tokens_details", "reasoning_tokens"],
            &["output_tokens_details", "reasoning_tokens"],
            &["output_tokens_details", "thinking_tokens"],
        ]),
        audio_input: part("audio_tokens"),
        image_input: part("image_tokens"),
        tool_input: None,
        audio_output: number(&[
            &["completion_tokens_details", "audio_tokens"],
            &["output_tokens_details", "audio_tokens"],
        ]),
        habit,
    }
}

/// Bedrock's Converse: input without the cache, the total with it.
fn bedrock(usage: &Value) -> Usage {
    let number = |keys: &[&str]| keys.iter().find_map(|key| count(usage.get(key)?));
    let details = at(usage, &["cacheDetails"]).and_then(Value::as_array).map_or(&[][..], |d| d);
    let written = |ttl: &str| {
        let of_ttl = details.iter().filter(|d| text(d, &["ttl"]).eq_ignore_ascii_case(ttl));
        of_ttl.filter_map(|d| count(d.get("inputTokens")?)).reduce(u64::saturating_add)
    };
    Usage {
        input: number(&["inputTokens"]),
        output: number(&["outputTokens"]),
        total: number(&["totalTokens"]),
        cache_read: number(&["cacheReadInputTokens", "cacheReadInputTokenCount"]),
        cache_write: number(&["cacheWriteInputTokens", "cacheWriteInputTokenCount"]),
        write_5m: written("5m"),
        write_1h: written("1h"),
        habit: Habit::Exclusive,
        ..Usage::default()
    }
}

/// What Bedrock adds to the last event of a stream in a model's own format.
fn invocation(usage: &Value) -> Usage {
    let number = |key: &str| count(usage.get(key)?);
    Usage {
        input: number("inputTokenCount"),
        output: number("outputTokenCount"),
        cache_read: number("cacheReadInputTokenCount"),
        cache_write: number("cacheWriteInputTokenCount"),
        habit: Habit::Exclusive,
        ..Usage::default()
    }
}

/// Gemini's `usageMetadata`: prompt and tool use are input, candidates and thoughts output; what was cached lies inside the prompt.
pub(super) fn gemini(usage: &Value) -> Usage {
    let number = |camel: &str, snake: &str| count(usage.get(camel).or_else(|| usage.get(snake))?);
    let sum = |a: Option<u64>, b: Option<u64>| [a, b].into_iter().flatten().reduce(u64::saturating_add);
    let modality = |camel: &str, snake: &str, of: &str| {
        let details = usage.get(camel).or_else(|| usage.get(snake)).and_then(Value::as_array)?;
        let of_kind = details.iter().filter(|d| text(d, &["modality"]).eq_ignore_ascii_case(of));
        of_kind
            .filter_map(|d| count(d.get("tokenCount").or_else(|| d.get("token_count"))?))
            .reduce(u64::saturating_add)
    };
    let prompt = number("promptTokenCount", "prompt_token_count");
    let tool = number("toolUsePromptTokenCount", "tool_use_prompt_token_count");
    let thoughts = number("thoughtsTokenCount", "thoughts_token_count");
    // What was cached of a kind is no part of what was not.
    let input = |of| {
        let all = modality("promptTokensDetails", "prompt_tokens_details", of)?;
        Some(all.saturating_sub(modality("cacheTokensDetails", "cache_tokens_details", of).unwrap_or(0)))
    };
    Usage {
        input: sum(prompt, tool),
        output: sum(number("candidatesTokenCount", "candidates_token_count"), thoughts),
        total: number("totalTokenCount", "total_token_count"),
        cache_read: number("cachedContentTokenCount", "cached_content_token_count"),
        reasoning: thoughts,
        audio_input: input("AUDIO"),
        image_input: input("IMAGE"),
        tool_input: tool,
        audio_output: modality("candidatesTokensDetails", "candidates_tokens_details", "AUDIO"),
        habit: Habit::Inclusive,
        ..Usage::default()
    }
}

/// Ollama's counts: the prompt holds what was cached, and is missing in versions that left it out when all of it was.
pub(super) fn ollama(answer: &Value) -> Usage {
    let number = |key: &str| count(answer.get(key)?);
    Usage {
        input: number("prompt_eval_count"),
        output: number("eval_count"),
        cache_read: number("prompt_eval_cached_count"),
        habit: Habit::Inclusive,
        ..Usage::default()
    }
}

/// llama.cpp's `timings`: what was read from the cache and what was not, apart.
pub(super) fn llama_cpp(timings: &Value) -> Usage {
    let number = |key: &str| count(timings.get(key)?);
    Usage {
        uncached: number("prompt_n"),
        output: number("predicted_n"),
        cache_read: number("cache_n"),
        ..Usage::default()
    }
}
