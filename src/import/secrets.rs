//! Keys and passwords in texts, as far as they can be known: by the name before them (`Authorization:`, `api_key=`,
//! `OPENAI_API_KEY=`) or by their own form (`sk-…`, `hf_…`, `ghp_…`, JSON web tokens, PEM blocks). A secret that looks like nothing
//! in particular and has no name cannot be known.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// Stands where a secret stood.
pub(crate) const HIDDEN: &str = "[hidden]";

/// Cheap sign that a text may hold a secret at all.
static SIGNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)key|token|secret|pass|pwd|credential|bearer|authori|cookie|://|-p\s*\S|-u\s|-a\s|eyj|",
        r"[sprc]k[-_]|hf_|gh[pousr]_|github_pat|xox|akia|asia|aiza|ya29|gsk_|xai-|r8_|pplx-|nvapi-|tvly-|lsv2_|",
        r"pcsk_|dapi|fw_|glpat-|sg\.|npm_|pypi-|dckr_|jina_|tgp_|ntn_|lin_api|pmak-|glc_|glsa_|sbp_|shp[a-z]{2}_",
    ))
    .ok()
});

/// Secrets that begin with letters that only their vendor uses, and what follows.
const FORMS: &[&str] = &[
    // OpenAI, Anthropic, OpenRouter, DeepSeek, Langfuse, Stripe, Cerebras.
    r"(?:sk|pk|rk|csk)-[A-Za-z0-9_-]{16,}",
    r"(?:sk|pk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,}",
    r"hf_[A-Za-z0-9]{16,}",                                      // Hugging Face
    r"gsk_[A-Za-z0-9]{16,}",                                     // Groq
    r"xai-[A-Za-z0-9]{16,}",                                     // xAI
    r"r8_[A-Za-z0-9]{16,}",                                      // Replicate
    r"pplx-[A-Za-z0-9]{16,}",                                    // Perplexity
    r"nvapi-[A-Za-z0-9_-]{16,}",                                 // NVIDIA
    r"tvly-[A-Za-z0-9-]{12,}",                                   // Tavily
    r"lsv2_[A-Za-z0-9_]{16,}",                                   // LangSmith
    r"pcsk_[A-Za-z0-9_]{16,}",                                   // Pinecone
    r"dapi[a-f0-9]{24,}(?:-[0-9]+)?",                            // Databricks
    r"fw_[A-Za-z0-9]{16,}",                                      // Fireworks
    r"tgp_v1_[A-Za-z0-9_-]{16,}",                                // Together
    r"jina_[A-Za-z0-9]{16,}",                                    // Jina
    r"glpat-[A-Za-z0-9_-]{16,}",                                 // GitLab
    r"gh[pousr]_[A-Za-z0-9]{20,}",                               // GitHub
    r"github_pat_[A-Za-z0-9_]{20,}",                             // GitHub
    r"xox[abeprs]-[A-Za-z0-9-]{10,}",                            // Slack
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",                                // AWS
    r"AIza[0-9A-Za-z_-]{30,}",                                   // Google
    r"ya29\.[0-9A-Za-z_-]{20,}",                                 // Google
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",               // SendGrid
    r"npm_[A-Za-z0-9]{30,}",                                     // npm
    r"pypi-[A-Za-z0-9_-]{30,}",                                  // PyPI
    r"dckr_pat_[A-Za-z0-9_-]{16,}",                              // Docker
    r"ntn_[A-Za-z0-9]{30,}",                                     // Notion
    r"lin_api_[A-Za-z0-9]{30,}",                                 // Linear
    r"PMAK-[A-Za-z0-9-]{30,}",                                   // Postman
    r"(?:glc_|glsa_)[A-Za-z0-9_=]{20,}",                         // Grafana
    r"sbp_[a-f0-9]{30,}",                                        // Supabase
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{30,}",                      // Shopify
    r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+", // JSON web token
];

/// A private key as PEM writes it: also with written line ends, as JSON and source texts hold it, and without its last line.
const PEM: &str = concat!(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
    r"(?:(?:\\[nr]|\s)*[A-Za-z][A-Za-z-]*: [^\n\\]*)*",
    r#"(?:(?:\\[nr]|["'\s+,])*[A-Za-z0-9+/=]{16,})+"#,
    r#"(?:(?:\\[nr]|["'\s+,])*[A-Za-z0-9+/=]{1,15})?"#,
    r#"(?:(?:\\[nr]|["'\s+,])*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?"#,
);

/// Secrets, each with what of the match stays before `[hidden]` (group 1, when there is one).
static SECRETS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let forms = format!(r"\b(?:{})", FORMS.join("|"));
    [
        PEM,
        // Headers.
        r#"(?i)(\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|apikey)\s+)?)[^\s"',;]+"#,
        r"(?i)(\bbearer\s+)[a-z0-9._~+/=-]{8,}",
        r#"(?i)(\b(?:set-)?cookie["']?\s*[:=]\s*["']?)[^"'\r\n]+"#,
        // Names with values: JSON, URLs, keyword arguments, options.
        r#"(?i)((?:api[-_ ]?key|secret(?:[-_ ]?(?:access[-_ ]?)?key)?|(?:access|auth|refresh|id)[-_ ]?token|passw(?:or)?d|passphrase)["']?\s*[:=]\s*["']?)[^\s"',;&]+"#,
        r#"(?i)(--?[a-z_-]*(?:api[-_]?key|token|secret|passw(?:or)?d|passphrase|pwd|credentials?)[= ]["']?)[^\s"']+"#,
        r#"(?i)(\s--?pass[= ]["']?)[^\s"']+"#,
        // Keys in the query of a URL.
        r#"(?i)([?&](?:[a-z0-9_.-]*[_.-])?(?:api[-_]?key|access[-_]?key|key|token|secret|signature|sig|passw(?:or)?d|pwd|credential|auth)=)[^\s"'&#;,<>]{6,}"#,
        // Passwords of programs that take them after a single letter.
        r#"(?i)(\b(?:mysql|mariadb|mongo|sshpass|ldap|smbclient|7z|zip|unzip)[a-z0-9_-]*\b[^\n|;&]*?\s-p[ =]?["']?)[^\s"'-][^\s"']*"#,
        r#"(?i)(\bredis-cli\b[^\n|;&]*?\s-a[ =]?["']?)[^\s"']+"#,
        r#"(?i)(\s(?:-u|--user|--proxy-user)[ =]["']?[A-Za-z_][^\s:"'/]*:)[^\s"']+"#,
        // Environment variables.
        r"(\b[A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)=)[^\s]+",
        // Passwords in URLs.
        r"(://[^\s/@:]*:)[^\s/@]+(?:@)",
        // Secrets that are known by their form.
        &forms,
    ]
    .iter()
    .filter_map(|pattern| Regex::new(pattern).ok())
    .collect()
});

/// Programs whose `-p` is no password: a port, a folder, a plugin …
const OTHER_P: &[&str] = &[
    "mkdir",
    "cp",
    "install",
    "pytest",
    "docker",
    "podman",
    "nc",
    "ssh",
    "scp",
    "ps",
    "kill",
    "tar",
    "rsync",
    "git",
    "patch",
    "perf",
    "lsof",
    "psql",
    "pg_dump",
    "http.server",
    "uvicorn",
    "cargo",
    "npm",
    "flask",
    "dotnet",
    "ping",
    "read",
];

/// `-p VALUE` of any other program.
static SHORT_P: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"((?:^|\s)-p[ =]["']?)([^\s"'-][^\s"']*)"#).ok());

/// Hides such a value where it looks like neither number, port, path nor option; in a text that is no command line
/// only one that is no word either.
fn short_p(text: &str, is_command: bool) -> Cow<'_, str> {
    let Some(option) = SHORT_P.as_ref().filter(|_| text.contains("-p")) else { return Cow::Borrowed(text) };
    option.replace_all(text, |found: &regex::Captures<'_>| {
        let (whole, value) = (&found[0], &found[2]);
        let before = &text[..found.get(0).map_or(0, |m| m.start())];
        let before = before.rsplit('\n').next().unwrap_or(before);
        let is_word = !is_command && value.chars().all(char::is_alphabetic);
        let is_port = value.chars().all(|c| c.is_ascii_digit() || ":./-tcpud".contains(c));
        let is_other =
            value.contains('/') || value.starts_with('.') || value.contains("no:") || value == HIDDEN;
        let known = |word: &str| OTHER_P.contains(&word.rsplit('/').next().unwrap_or(word));
        // Without a program before it, it is prose.
        if before.trim().is_empty() || is_port || is_other || is_word || before.split_whitespace().any(known)
        {
            whole.to_owned()
        } else {
            format!("{}{HIDDEN}", &found[1])
        }
    })
}

/// `text` with `[hidden]` in the place of secrets.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    hide(text, false)
}

/// The same; `is_command`: what follows `-p` is more likely a password than a word.
pub(crate) fn hide(text: &str, is_command: bool) -> Cow<'_, str> {
    if !SIGNS.as_ref().is_some_and(|signs| signs.is_match(text)) {
        return Cow::Borrowed(text);
    }
    let mut masked = Cow::Borrowed(text);
    for secret in SECRETS.iter() {
        let hide = |found: &regex::Captures<'_>| {
            let end = if found[0].ends_with('@') { "@" } else { "" };
            // A text keeps its lines: sources are looked at by line.
            let lines = "\n".repeat(found[0].matches('\n').count());
            format!("{}{HIDDEN}{end}{lines}", found.get(1).map_or("", |kept| kept.as_str()))
        };
        if let Cow::Owned(changed) = secret.replace_all(&masked, hide) {
            masked = Cow::Owned(changed);
        }
    }
    if let Cow::Owned(changed) = short_p(&masked, is_command) {
        masked = Cow::Owned(changed);
    }
    masked
}
