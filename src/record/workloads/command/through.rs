//! The command's calls of language models through our proxy, whatever language it is written in.
//!
//! Official SDKs read where their provider is from the environment. Each of these variables points to the proxy, which passes on to
//! where it pointed before, or to the provider.

use std::path::Path;

use crate::record::workloads::proxy::{Plan, Proxy};

/// A variable, the prefix of its requests, and where they go when it is not set; without that one it is only changed when it
/// is set.
const VARIABLES: [(&str, &str, Option<&str>); 8] = [
    ("OPENAI_BASE_URL", "/openai", Some("https://api.openai.com/v1")),
    ("OPENAI_API_BASE", "/openai-base", None),
    ("ANTHROPIC_BASE_URL", "/anthropic", Some("https://api.anthropic.com")),
    ("ANTHROPIC_API_BASE", "/anthropic-base", None),
    ("GOOGLE_GEMINI_BASE_URL", "/gemini", Some("https://generativelanguage.googleapis.com")),
    ("GROQ_BASE_URL", "/groq", None),
    ("OPENROUTER_API_BASE", "/openrouter", None),
    ("OLLAMA_API_BASE", "/ollama", None),
];
/// With one of these a client may look for 127.0.0.1 elsewhere.
const PROXIES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// What keeps clients from looking for 127.0.0.1 at a proxy of theirs.
pub(super) fn around_proxies(environment: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    if !PROXIES.iter().any(|name| environment(name).is_some_and(|value| !value.is_empty())) {
        return Vec::new();
    }
    let around = |name: &'static str| {
        let known = environment(name).filter(|known| !known.is_empty());
        (name, known.map_or_else(|| "127.0.0.1".into(), |known| format!("{known},127.0.0.1")))
    };
    ["no_proxy", "NO_PROXY"].map(around).to_vec()
}

/// The proxy, and what it sets in the command's environment.
pub(super) struct Through {
    pub(super) proxy: Proxy,
    pub(super) variables: Vec<(&'static str, String)>,
    /// What a person reads of it.
    pub(super) about: String,
}

/// A variable that is redirected.
#[derive(Debug, PartialEq, Eq)]
struct Redirect {
    variable: &'static str,
    prefix: &'static str,
    /// Scheme, host and port of where it points, and the path there.
    origin: String,
    path: String,
}

fn redirects(environment: impl Fn(&str) -> Option<String>) -> Vec<Redirect> {
    let one = |&(variable, prefix, usual): &(&'static str, &'static str, Option<&str>)| {
        let set = environment(variable).map(|url| url.trim().to_owned()).filter(|url| !url.is_empty());
        let url = set.or_else(|| usual.map(str::to_owned))?;
        let (scheme, rest) =
            url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let origin = format!("{scheme}://{host}");
        Some(Redirect { variable, prefix, origin, path: path.trim_end_matches('/').to_owned() })
    };
    VARIABLES.iter().filter_map(one).collect()
}

impl Through {
    /// Starts the proxy; `folder` is where what it sees is written.
    pub(super) fn start(folder: Option<&Path>) -> Result<Self, String> {
        let environment = |name: &str| std::env::var(name).ok();
        let found = redirects(environment);
        let routes: Vec<_> = found.iter().map(|r| (r.prefix.to_owned(), r.origin.clone())).collect();
        let proxy = Proxy::start(&Plan { port: 0, routes: &routes, roots: "", folder })?;
        let address = proxy.address();
        let names: Vec<&str> = found.iter().map(|r| r.variable).collect();
        let about = format!("{address} as {}", names.join(", "));
        let value = |r: &Redirect| (r.variable, format!("{address}{}{}", r.prefix, r.path));
        let mut variables: Vec<_> = found.iter().map(value).collect();
        variables.extend(around_proxies(environment));
        Ok(Self { proxy, variables, about })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_lead_through_the_proxy_to_where_they_led_before() {
        let of = |set: &[(&str, &str)]| {
            let found = redirects(|name| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            });
            found.into_iter().map(|r| (r.variable, r.origin, r.path)).collect::<Vec<_>>()
        };
        let usual = of(&[]);
        let names: Vec<&str> = usual.iter().map(|r| r.0).collect();
        assert_eq!(names, ["OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"]);
        assert_eq!((usual[0].1.as_str(), usual[0].2.as_str()), ("https://api.openai.com", "/v1"));
        let own =
            of(&[("OPENAI_BASE_URL", "http://localhost:8000/v1/"), ("OPENAI_API_BASE", "http://gpu:1/x")]);
        assert_eq!(own[0], ("OPENAI_BASE_URL", "http://localhost:8000".into(), "/v1".into()));
        assert_eq!(own[1], ("OPENAI_API_BASE", "http://gpu:1".into(), "/x".into()));
        let odd = of(&[("OPENAI_BASE_URL", "localhost:8000"), ("ANTHROPIC_BASE_URL", " ")]);
        assert_eq!((odd.len(), odd[0].0), (2, "ANTHROPIC_BASE_URL"), "what is no address is left alone");
    }
}
