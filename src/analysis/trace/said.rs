//! What went into a step and came out of it: messages of a prompt, an answer, an error, arguments and results of tools.
//!
//! A conversation repeats itself: each prompt holds the ones before. What an earlier request of the trace said already is counted.

use super::places::span;
use super::tree::{Step, Tree};
use crate::model::messages::{self, Role};
use crate::model::{ArgsPlace, Profile, Request};

/// Earlier requests that a prompt is compared with: the nearest ones.
const EARLIER: usize = 64;

/// Who said something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A message of the prompt; `None` for a text that does not say by whom.
    Asked(Option<Role>),
    /// The answer.
    Answered,
    /// What went wrong.
    Failed,
    /// What a span says of itself under this name: an argument, a result.
    Field(String),
}

impl Who {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Asked(Some(role)) => role.name(),
            Self::Asked(None) => "prompt",
            Self::Answered => "answer",
            Self::Failed => "error",
            Self::Field(name) => name,
        }
    }

    /// Went in, rather than came out.
    #[must_use]
    pub fn goes_in(&self) -> bool {
        match self {
            Self::Asked(_) => true,
            Self::Answered | Self::Failed => false,
            Self::Field(name) => !comes_out(name),
        }
    }
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// By whom.
    pub who: Who,
    /// What, as it was kept.
    pub text: String,
}

/// What was said in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// All of it, in order.
    pub parts: Vec<Part>,
    /// So many of the first parts an earlier request of the trace said already.
    pub as_before: usize,
}

/// How many parts go in and come out, without a look at what they say.
#[must_use]
pub fn counts(profile: &Profile, step: &Step) -> (usize, usize) {
    match step.request.map(|id| &profile.requests.rows[id.index()]) {
        Some(r) if has_texts(profile, r) => {
            let out = [r.completion, r.error].iter().filter(|id| !profile.text(**id).is_empty()).count();
            (messages::split(profile.text(r.prompt)).len(), out)
        }
        _ => {
            let fields = fields(profile, step);
            let out = fields.iter().filter(|(name, _)| comes_out(name)).count();
            (fields.len() - out, out)
        }
    }
}

fn has_texts(profile: &Profile, r: &Request) -> bool {
    [r.prompt, r.completion, r.error].iter().any(|id| !profile.text(*id).is_empty())
}

/// What was said in step number `at`.
#[must_use]
pub fn said(profile: &Profile, tree: &Tree, at: usize) -> Said {
    let Some(step) = tree.steps.get(at) else { return Said::default() };
    let request = step.request.map(|id| &profile.requests.rows[id.index()]);
    let Some(r) = request.filter(|r| has_texts(profile, r)) else {
        let part = |(name, text)| Part { who: Who::Field(name), text };
        return Said { parts: fields(profile, step).into_iter().map(part).collect(), as_before: 0 };
    };
    let asked = turns(profile, r, false);
    let as_before = tree.steps[..at]
        .iter()
        .rev()
        .filter_map(|s| s.request)
        .take(EARLIER)
        .map(|id| {
            let earlier = turns(profile, &profile.requests.rows[id.index()], true);
            asked.iter().zip(&earlier).take_while(|(now, then)| is_same(now, then)).count()
        })
        .max()
        .unwrap_or(0);
    let mut parts: Vec<Part> =
        asked.into_iter().map(|(role, text)| Part { who: Who::Asked(role), text: text.to_owned() }).collect();
    for (who, text) in [(Who::Answered, r.completion), (Who::Failed, r.error)] {
        let text = profile.text(text);
        if !text.is_empty() {
            parts.push(Part { who, text: text.to_owned() });
        }
    }
    Said { parts, as_before }
}

/// One text of one role. A prompt of a single message does not say whose it is.
fn is_same(a: &(Option<Role>, &str), b: &(Option<Role>, &str)) -> bool {
    a.1 == b.1 && a.0.zip(b.0).is_none_or(|(a, b)| a == b)
}

/// The messages of a prompt, with the answer as the one that follows where it is asked for.
fn turns<'a>(profile: &'a Profile, r: &Request, answer: bool) -> Vec<(Option<Role>, &'a str)> {
    let mut turns: Vec<_> =
        messages::split(profile.text(r.prompt)).iter().map(|m| (m.role, m.text)).collect();
    let completion = profile.text(r.completion);
    if answer && !completion.is_empty() {
        turns.push((Some(Role::Assistant), completion));
    }
    turns
}

/// Fields of a span that hold what went in or came out.
fn fields(profile: &Profile, step: &Step) -> Vec<(String, String)> {
    let Some(place) = step.place else { return Vec::new() };
    let args = span(profile, place).args;
    match args.place() {
        ArgsPlace::Inline(_) => {
            let mut fields = profile.inline_args(args);
            fields.retain(|(name, text)| tells(name) && !text.is_empty());
            fields.sort_by_key(|(name, _)| comes_out(name));
            fields
        }
        ArgsPlace::None | ArgsPlace::Offset(_) => Vec::new(),
    }
}

/// Words in the names of fields that come out of a step.
const OUT: [&str; 10] = [
    "output",
    "result",
    "returned",
    "answer",
    "response",
    "error",
    "documents",
    "hit",
    "verdict",
    "exception",
];
/// Words in the names of fields that go into it.
const IN: [&str; 9] =
    ["input", "argument", "parameters", "query", "question", "prompt", "statement", "similarity", "key"];

fn has_word(name: &str, words: &[&str]) -> bool {
    let mut parts = name.split(['.', '_', '-', ' ']);
    parts.any(|part| words.iter().any(|word| part.strip_prefix(word).is_some_and(|rest| rest.len() < 2)))
}

fn comes_out(name: &str) -> bool {
    has_word(name, &OUT)
}

/// True for a field that tells what was said, and not how or how much.
fn tells(name: &str) -> bool {
    let counts = ["token", "tokens", "usage", "type", "mime", "id", "name", "model", "time", "cost"];
    !has_word(name, &counts) && (comes_out(name) || has_word(name, &IN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_goes_in_and_what_comes_out() {
        let of = |name: &str| tells(name).then(|| comes_out(name));
        for name in ["gen_ai.tool.call.arguments", "input.value", "question", "gen_ai.retrieval.query.text"] {
            assert_eq!(of(name), Some(false), "{name}");
        }
        for name in
            ["gen_ai.tool.call.result", "output.value", "returned", "hit", "gen_ai.retrieval.documents"]
        {
            assert_eq!(of(name), Some(true), "{name}");
        }
        for name in
            ["gen_ai.usage.input_tokens", "input.mime_type", "model", "ttl_s", "gen_ai.response.id", "number"]
        {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
