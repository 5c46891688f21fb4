//! What never reaches a session or a journal: keys and passwords, and, when it is wanted so, the texts of
//! prompts and answers.
//!
//! Every text that the recorder keeps (fields, log lines, facts, output of commands, prompts) passes
//! [`mask`]. Secrets are known by the name before them (`Authorization:`, `api_key=`, `OPENAI_API_KEY=`) or
//! by their own form (`sk-…`, `hf_…`, `ghp_…`, JSON web tokens). A secret that looks like nothing in particular
//! and has no name cannot be known.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use regex::Regex;

/// Stands where a secret stood.
const HIDDEN: &str = "[hidden]";

/// Cheap sign that a text may hold a secret at all.
static SIGNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)key|token|secret|passw|bearer|authori|cookie|://|[sp]k-|rk-|hf_|gh[pousr]_|github_pat|xox|akia|aiza|eyj",
    )
    .ok()
});

/// Secrets, each with what of the match stays before `[hidden]` (group 1, when there is one).
static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // Headers.
        r#"(?i)(\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|apikey)\s+)?)[^\s"',;]+"#,
        r"(?i)(\bbearer\s+)[a-z0-9._~+/=-]{8,}",
        r#"(?i)(\b(?:set-)?cookie["']?\s*[:=]\s*["']?)[^"'\r\n]+"#,
        // Names with values: JSON, URLs, keyword arguments, options.
        r#"(?i)((?:api[-_ ]?key|secret(?:[-_ ]?(?:access[-_ ]?)?key)?|(?:access|auth|refresh|id)[-_ ]?token|passw(?:or)?d|passphrase)["']?\s*[:=]\s*["']?)[^\s"',;&]+"#,
        r"(?i)(--?[a-z-]*(?:api-?key|token|secret|password)[= ])[^\s]+",
        // Environment variables.
        r"(\b[A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)=)[^\s]+",
        // Passwords in URLs.
        r"(://[^\s/@:]+:)[^\s/@]+(?:@)",
        // Secrets that are known by their form.
        r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}",
        r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|xox[abprs]-[A-Za-z0-9-]{10,})",
        r"\b(?:AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+)",
    ]
    .iter()
    .filter_map(|pattern| Regex::new(pattern).ok())
    .collect()
});

/// `text` with `[hidden]` in the place of secrets.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    if !SIGNS.as_ref().is_some_and(|signs| signs.is_match(text)) {
        return Cow::Borrowed(text);
    }
    let mut masked = Cow::Borrowed(text);
    for secret in SECRETS.iter() {
        let hide = |found: &regex::Captures<'_>| {
            let end = if found[0].ends_with('@') { "@" } else { "" };
            format!("{}{HIDDEN}{end}", found.get(1).map_or("", |kept| kept.as_str()))
        };
        if let Cow::Owned(changed) = secret.replace_all(&masked, hide) {
            masked = Cow::Owned(changed);
        }
    }
    masked
}

/// Names of fields whose values are secrets.
const SECRET_NAMES: &[&str] = &[
    "access_token",
    "api_key",
    "apikey",
    "auth_token",
    "authorization",
    "cookie",
    "credentials",
    "passwd",
    "password",
    "refresh_token",
    "secret",
    "set_cookie",
    "x_api_key",
];

/// Names of fields that hold what a person or a model wrote.
const TEXT_NAMES: &[&str] = &[
    "answer",
    "completion",
    "content",
    "input",
    "messages",
    "output",
    "prompt",
    "query",
    "question",
    "response",
    "text",
];

/// Whether prompts and answers are kept.
static TEXTS: AtomicBool = AtomicBool::new(true);

/// Decides for the next recording whether prompts and answers are kept.
pub(super) fn set_texts(keep: bool) {
    TEXTS.store(keep, Ordering::Relaxed);
}

/// Whether prompts and answers are kept.
pub(super) fn texts() -> bool {
    TEXTS.load(Ordering::Relaxed)
}

/// The value of a field as it may be kept.
pub(super) fn field(name: &str, text: String) -> String {
    // OpenTelemetry's names end like ours: gen_ai.prompt.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is = |names: &[&str]| names.iter().any(|n| last.eq_ignore_ascii_case(n));
    if is(SECRET_NAMES) {
        HIDDEN.to_owned()
    } else if is(TEXT_NAMES) && !texts() {
        left_out(&text)
    } else {
        match mask(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(masked) => masked,
        }
    }
}

/// What stands in the place of a text that is not kept.
pub(super) fn left_out(text: &str) -> String {
    format!("[left out, {} characters]", text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_what_names_them_stays() {
        let key = "sk-proj-abcdefghijklmnop1234";
        for (text, masked) in [
            ("Authorization: Bearer abc.def-123", "Authorization: Bearer [hidden]"),
            ("{\"authorization\": \"Basic dXNlcjpwYXNz\"}", "{\"authorization\": \"Basic [hidden]\"}"),
            ("got bearer abcdefgh12345 back", "got bearer [hidden] back"),
            (&format!("key {key} is wrong"), "key [hidden] is wrong"),
            (&format!("Incorrect API key provided: {key}."), "Incorrect API key provided: [hidden]."),
            ("api_key='12345', model='m'", "api_key='[hidden]', model='m'"),
            ("GET /v1?api-key=123&x=1", "GET /v1?api-key=[hidden]&x=1"),
            ("python app.py --hf-token abc --n 3", "python app.py --hf-token [hidden] --n 3"),
            ("OPENAI_API_KEY=abc python app.py", "OPENAI_API_KEY=[hidden] python app.py"),
            ("redis://user:pass@host/0", "redis://user:[hidden]@host/0"),
            ("Cookie: a=b; c=d", "Cookie: [hidden]"),
            ("hf_abcdefghijklmnopqrstu", "[hidden]"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "max_tokens=200, 12 tokens in 3 ms",
            "the token is the busy time of a word",
            "sk-learn and a task-oriented keyboard",
            "http://localhost:8000/v1/models",
            "--max-tokens 100",
            "",
        ] {
            assert!(matches!(mask(text), Cow::Borrowed(_)) || mask(text) == text, "{text} → {}", mask(text));
        }
    }

    #[test]
    fn fields_with_telling_names_are_hidden_whole() {
        assert_eq!(field("http.authorization", "whatever".into()), HIDDEN);
        assert_eq!(field("user", "me".into()), "me");
    }
}
