//! What an address says: who serves it, which route it is, which model.

/// Hosts of providers: how they end, or what they hold, and the provider's name as tables of prices have it.
const HOSTS: &[(&str, &str)] = &[
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".services.ai.azure.com", "azure"),
    (".inference.ai.azure.com", "azure"),
    ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "google"),
    ("aiplatform.googleapis.com", "google"),
    ("api.mistral.ai", "mistral"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x-ai"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.moonshot.ai", "moonshotai"),
    ("api.moonshot.cn", "moonshotai"),
    ("api.perplexity.ai", "perplexity"),
    ("openrouter.ai", "openrouter"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.cerebras.ai", "cerebras"),
    ("huggingface.co", "huggingface"),
    ("integrate.api.nvidia.com", "nvidia"),
];

/// The host with its port, and the path.
fn parts(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
}

/// The host without its port.
pub(super) fn host(url: &str) -> &str {
    let host = parts(url).0;
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Who serves this address; empty when nobody known does.
pub(super) fn provider(url: &str) -> &'static str {
    let host = host(url).to_ascii_lowercase();
    if host.starts_with("bedrock-runtime") && host.contains("amazonaws.com") {
        return "aws";
    }
    let is = |known: &str| {
        let rest = host.strip_suffix(known);
        rest.is_some_and(|rest| rest.is_empty() || known.starts_with('.') || rest.ends_with(['.', '-']))
    };
    HOSTS.iter().find(|(known, _)| is(known)).map_or("", |(_, name)| name)
}

/// Ends of paths that are calls of models, and what a person calls them.
const ROUTES: [(&str, &str); 17] = [
    ("/chat/completions", "chat completions"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
    ("/api/embed", "embeddings"),
    (":embedContent", "embeddings"),
    (":batchEmbedContents", "embeddings"),
    ("/messages", "messages"),
    (":generateContent", "generate content"),
    (":streamGenerateContent", "generate content"),
    ("/converse", "converse"),
    ("/converse-stream", "converse"),
    ("/invoke", "invoke"),
    ("/invoke-with-response-stream", "invoke"),
    ("/api/chat", "chat"),
    ("/api/generate", "generate"),
    ("/rerank", "rerank"),
];

/// What a person calls the route.
pub(super) fn route(url: &str) -> &str {
    let path = parts(url).1.trim_end_matches('/');
    let found = ROUTES.iter().find(|(end, _)| path.ends_with(end));
    found.map_or_else(|| path.rsplit('/').next().unwrap_or(""), |(_, name)| name)
}

/// Whether bodies of a request are to be kept: it is a call of a model, as far as its address says.
#[cfg(feature = "workloads")]
pub(crate) fn is_known(method: &str, url: &str) -> bool {
    let path = parts(url).1;
    method == "POST" && ROUTES.iter().any(|(end, _)| path.ends_with(end))
}

/// The model that a path names, as Gemini's, Bedrock's and Azure's do; empty when it names none.
pub(super) fn model(url: &str) -> String {
    let path = parts(url).1;
    let before = ["/models/", "/model/", "/deployments/"];
    let Some(after) = before.iter().find_map(|key| path.split_once(key)) else { return String::new() };
    let name = after.1.split('/').next().unwrap_or("");
    let verbs = [":generateContent", ":streamGenerateContent", ":embedContent", ":batchEmbedContents"];
    let name = verbs.iter().find_map(|verb| name.strip_suffix(verb)).unwrap_or(name);
    name.replace("%3A", ":").replace("%3a", ":").replace("%2F", "/").replace("%2f", "/")
}

/// The address as a person may see it: parts of a path that look like made by chance are often keys.
pub(super) fn shown(url: &str) -> String {
    let (host, path) = parts(url);
    let scheme = url.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    let part = |part: &str| match looks_secret(part) {
        true => "[hidden]".to_owned(),
        false => part.to_owned(),
    };
    let path: Vec<String> = path.split('/').map(part).collect();
    format!("{scheme}{host}{}", path.join("/"))
}

fn looks_secret(part: &str) -> bool {
    let (mut digits, mut upper, mut lower) = (0, 0, 0);
    for b in part.bytes() {
        match b {
            b'0'..=b'9' => digits += 1,
            b'A'..=b'Z' => upper += 1,
            b'a'..=b'z' => lower += 1,
            _ => {}
        }
    }
    let long = part.len() >= 20 && digits >= 3 && upper >= 3 && lower >= 3;
    // Telegram's bots carry their key so.
    let bot = part.strip_prefix("bot").is_some_and(|rest| rest.len() > 20 && rest.contains(':'));
    let hex = part.len() >= 32 && part.bytes().all(|b| b.is_ascii_hexdigit());
    long || bot || hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_who_serves_what() {
        for (url, served, named, said) in [
            ("https://api.openai.com/v1/chat/completions", "openai", "chat completions", ""),
            (
                "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions",
                "azure",
                "chat completions",
                "gpt-4o",
            ),
            (
                "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent",
                "google",
                "generate content",
                "gemini-2.5-pro",
            ),
            (
                "https://us-central1-aiplatform.googleapis.com/v1/projects/p/publishers/anthropic/models/c:generateContent",
                "google",
                "generate content",
                "c",
            ),
            (
                "https://bedrock-runtime.eu-west-1.amazonaws.com/model/anthropic.claude-3%3A0/converse-stream",
                "aws",
                "converse",
                "anthropic.claude-3:0",
            ),
            ("http://127.0.0.1:11434/api/chat", "", "chat", ""),
            ("http://[::1]:8000/v1/messages", "", "messages", ""),
            ("https://notapi.openai.com.example/v1/responses", "", "responses", ""),
            ("https://myapi.openai.com/v1/embeddings", "", "embeddings", ""),
            ("https://example.com", "", "", ""),
        ] {
            assert_eq!((provider(url), route(url), model(url).as_str()), (served, named, said), "{url}");
        }
        assert_eq!((host("http://[::1]:8000/x"), host("https://a.b/x"), host("a:80")), ("[::1]", "a.b", "a"));
    }

    /// What runs in the program decides by the same routes.
    #[test]
    fn the_program_keeps_bodies_of_the_same_routes() {
        let ours = include_str!("../../../assets/python/inferscope_inject/_http.py");
        let (_, list) = ours.split_once("\nROUTES = (").unwrap();
        let (list, _) = list.split_once("\n)").unwrap();
        let known: Vec<&str> =
            list.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\",")).collect();
        let mut own: Vec<&str> = ROUTES.iter().map(|(end, _)| *end).collect();
        assert!(known.iter().all(|end| own.contains(end)), "{known:?}");
        own.retain(|end| !known.contains(end));
        assert_eq!(own, [""; 0]);
    }

    #[test]
    fn parts_of_paths_that_look_like_keys_are_hidden() {
        let hidden = [
            "https://hooks.slack.com/services/T00000000/B00000000/XXXXaaaa1111bbbbCCCC2222",
            "https://api.telegram.org/bot123456789:AAbbccddeeffgghhiijjkkllmmnn/sendMessage",
            "https://x.example/0123456789abcdef0123456789abcdef/y",
        ];
        assert!(hidden.iter().all(|url| shown(url).contains("[hidden]")), "{:?}", hidden.map(shown));
        for url in [
            "https://api.openai.com/v1/chat/completions",
            "http://127.0.0.1:8000/v1/models/meta-llama-3.1-8b-instruct:generateContent",
            "https://example.com/articles/2026/a-long-title-of-some-article",
        ] {
            assert_eq!(shown(url), url);
        }
    }
}
