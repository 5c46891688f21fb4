//! What never reaches a session or a journal: keys and passwords, and, when it is wanted so, the texts of
//! prompts and answers.
//!
//! Every text that the recorder keeps (fields, log lines, facts, output of commands, prompts) passes
//! [`mask`].

use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use regex::Regex;

use super::words;
pub use crate::import::secrets::mask;
use crate::import::secrets::{HIDDEN, hide};

/// Follows a private key that comes line by line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyBlock {
    /// Lines of it that may follow; 0 outside.
    left: u32,
}

/// Lines of the longest private key.
const KEY_LINES: u32 = 200;

impl KeyBlock {
    /// The line as it may be kept.
    pub(super) fn mask(&mut self, line: &str) -> String {
        if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
            // One that is whole in its line is no block.
            self.left = if line.contains("-----END ") { 0 } else { KEY_LINES };
            return mask(line).into_owned();
        }
        if self.left == 0 {
            return mask(line).into_owned();
        }
        let ends = line.contains("-----END ");
        let body = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        let belongs = ends || line.trim().chars().all(body) || line.contains(": ");
        self.left = if ends || !belongs { 0 } else { self.left - 1 };
        if belongs { HIDDEN.to_owned() } else { mask(line).into_owned() }
    }
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

/// Options of programs that hold what a person wrote.
static PROMPTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^--?(?:[a-z_-]*(?:prompt|question|query|message|instruction|input)s?|text|ask|content)(=|$)",
    )
    .ok()
});

/// A command line as it may be kept: without secrets, and where `texts` are not kept without what its options say to a
/// model.
#[must_use]
pub fn command(line: &str, texts: bool) -> String {
    let line = hide(line, true);
    match words::split(&line) {
        Ok(words) if !texts => words::join(without_prompts(&words).iter().map(String::as_str)),
        _ => line.into_owned(),
    }
}

/// Words of a command without what its options say to a model.
pub(super) fn without_prompts(words: &[String]) -> Vec<String> {
    let mut next_is_text = false;
    let word = |word: &String| {
        if std::mem::take(&mut next_is_text) {
            return left_out(word);
        }
        match PROMPTS.as_ref().and_then(|options| options.find(word)) {
            Some(option) if option.as_str().ends_with('=') => {
                format!("{}{}", option.as_str(), left_out(&word[option.end()..]))
            }
            option => {
                next_is_text = option.is_some();
                word.clone()
            }
        }
    };
    words.iter().map(word).collect()
}

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
            ("--api_key abc --n 3", "--api_key [hidden] --n 3"),
            ("mysqldump -u root -phunter db", "mysqldump -u root -p[hidden] db"),
            ("redis-cli -a hunter ping", "redis-cli -a [hidden] ping"),
            ("curl -u me:hunter https://x", "curl -u me:[hidden] https://x"),
            ("python app.py -p hunter2 --n 3", "python app.py -p [hidden] --n 3"),
            ("redis://:hunter@host/0", "redis://:[hidden]@host/0"),
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
            "uvicorn app:app -p 8000",
            "mkdir -p some_folder/x1",
            "docker run -p 8080:80 -u 1000:1000 image2",
            "usage: app [-h] -p PORT",
            "-----BEGIN CERTIFICATE-----",
            "if '-----BEGIN PRIVATE KEY-----' in text:",
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

    #[test]
    fn keys_of_all_vendors_are_known_by_their_form() {
        let random = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU";
        let hex = "0123456789abcdef0123456789abcdef";
        for key in [
            format!("gsk_{random}"),
            format!("xai-{random}"),
            format!("r8_{random}"),
            format!("pplx-{random}"),
            format!("nvapi-{random}"),
            format!("tvly-{random}"),
            format!("lsv2_pt_{hex}_{}", &hex[..10]),
            format!("pcsk_{random}_{random}"),
            format!("dapi{hex}"),
            format!("fw_{random}"),
            format!("glpat-{random}"),
            format!("sk-ant-api03-{random}"),
            format!("sk_live_{random}"),
            format!("ASIA{}", &hex[..16].to_ascii_uppercase()),
        ] {
            for text in [format!("key = \"{key}\""), format!("got {key}, twice"), key.clone()] {
                let masked = mask(&text);
                assert!(
                    masked.contains(HIDDEN) && !masked.contains(&key[..key.len() - 4]),
                    "{text} → {masked}"
                );
            }
        }
    }

    #[test]
    fn private_keys_are_hidden_line_by_line_and_as_a_whole() {
        let body = [
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7",
            "VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDu",
            "ictGeurT8jNbvJZHtCSuYEvu",
        ];
        let pem =
            format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", body.join("\n"));
        let source = format!("KEY = \"\"\"{pem}\n\"\"\"\nprint(1)\n");
        for text in [source.clone(), pem.replace('\n', "\\n"), pem[..pem.len() - 30].to_owned()] {
            let masked = mask(&text);
            assert!(body.iter().all(|line| !masked.contains(line)), "{masked}");
        }
        let masked = mask(&source);
        assert_eq!(masked.lines().count(), source.lines().count(), "lines keep their numbers: {masked}");
        assert!(masked.ends_with("print(1)\n"));
        let mut block = KeyBlock::default();
        let lines: Vec<String> = pem.lines().chain(["after it"]).map(|line| block.mask(line)).collect();
        assert!(body.iter().all(|line| !lines.iter().any(|l| l.contains(line))), "{lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some("after it"));
    }

    #[test]
    fn command_lines_lose_passwords_and_prompts() {
        assert_eq!(command("python app.py -p secret", true), "python app.py -p [hidden]");
        assert_eq!(
            command("python app.py --prompt 'Why me?' --n 3", true),
            "python app.py --prompt 'Why me?' --n 3"
        );
        assert_eq!(
            command("python app.py --prompt 'Why me?' --n 3", false),
            "python app.py --prompt '[left out, 7 characters]' --n 3"
        );
        let line = r#"ask --text="it's me" -q --system-prompt 'it'"'"'s a b' x"#;
        let kept = command(line, false);
        assert!(!kept.contains("me") && !kept.contains("a b") && kept.ends_with(" x"), "{kept}");
    }
}
