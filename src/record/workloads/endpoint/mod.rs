//! Requests to any OpenAI-compatible server, as a client sees them.
//!
//! Every wait is a span (connection, back-off, first byte, first token, the rest of the answer), every
//! request a row with its stamps, its token counts as the server reports them, and its outcome.
//!
//! The key comes from an environment variable only. It is not stored, no header is, and should a server
//! repeat it in an error it is masked.

mod call;
pub(super) mod http;
mod load;
mod prompts;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use self::call::{Counts, Failure};
use self::http::{Access, Connector, Target};
use self::load::Load;
use self::wire::Limits;
use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::format;
use crate::model::{FactKind, Severity};
use crate::record::finding;

/// The client.
pub(super) struct Endpoint;

const fn param(
    key: &'static str,
    label: &'static str,
    default: &'static str,
    kind: ParamKind,
    help: &'static str,
) -> Param {
    Param { key, label, help, default, kind }
}

static PARAMS: [Param; 16] = [
    param(
        "url",
        "Server",
        "http://127.0.0.1:8000/v1",
        ParamKind::Url,
        "Base URL of an OpenAI-compatible server.",
    ),
    param("model", "Model", "", ParamKind::Text, "Name of the model, as the server knows it."),
    param(
        "key_env",
        "API key variable",
        "OPENAI_API_KEY",
        ParamKind::Variable,
        "Environment variable that holds the key. The key itself is never typed here, stored or shown.",
    ),
    param(
        "prompts",
        "Prompts",
        "",
        ParamKind::Path,
        "A file with one prompt a line (text, or JSON with prompt or messages); empty for a built-in set.",
    ),
    param("requests", "Requests", "16", ParamKind::Int { min: 1, max: 1_000_000 }, "Requests in all."),
    param(
        "concurrency",
        "At a time",
        "4",
        ParamKind::Int { min: 1, max: 4096 },
        "Most requests in flight, each on a connection of its own.",
    ),
    param(
        "rate",
        "Requests per second",
        "0",
        ParamKind::Float { min: 0.0, max: 100_000.0 },
        "Requests a second, whatever the server does (open loop). 0: the next one when one has ended (closed loop).",
    ),
    param(
        "poisson",
        "Random arrivals",
        "true",
        ParamKind::Bool,
        "With a rate: arrivals at random (Poisson) or regular.",
    ),
    param(
        "max_tokens",
        "Max new tokens",
        "128",
        ParamKind::Int { min: 1, max: 1_000_000 },
        "Longest answer, in tokens.",
    ),
    param("stream", "Stream", "true", ParamKind::Bool, "Answers token by token; false: each in one piece."),
    param(
        "extra",
        "Extra JSON fields",
        "",
        ParamKind::Prompt,
        "A JSON object that goes into each request, such as {\"temperature\": 0}; null takes a field away.",
    ),
    param(
        "retries",
        "Retries",
        "3",
        ParamKind::Int { min: 0, max: 20 },
        "Further attempts after HTTP 429, 5xx or a failed connection.",
    ),
    param(
        "timeout",
        "Timeout (s)",
        "60",
        ParamKind::Float { min: 0.05, max: 3600.0 },
        "Longest silence of the server, in seconds.",
    ),
    param(
        "proxy",
        "Proxy",
        "",
        ParamKind::Url,
        "An http:// proxy; none for a direct way; empty for what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.",
    ),
    param(
        "ca",
        "Root certificates",
        "",
        ParamKind::Path,
        "A PEM file with roots that are trusted beside the system's.",
    ),
    param(
        "seed",
        "Seed",
        "42",
        ParamKind::Int { min: 0, max: i64::MAX },
        "Seed of random arrivals and back-off.",
    ),
];

/// What all requests share.
struct Shared {
    connector: Connector,
    model: String,
    limits: Limits,
    retries: u32,
    patience: Duration,
    seed: u64,
    /// Only for masking it.
    key: Option<String>,
    tally: Mutex<Tally>,
}

/// How the requests went.
#[derive(Debug, Default)]
struct Tally {
    ok: u64,
    failed: BTreeMap<String, u64>,
    first_error: Option<String>,
    retries: u64,
    /// Time that failed attempts and the waits after them took, and the waits alone.
    lost: Duration,
    back_off: Duration,
    /// Why attempts failed, and how often.
    reasons: BTreeMap<String, u64>,
    chunks: u64,
    malformed: u64,
    /// Answers with counts of the server.
    counted: u64,
    prompt: Option<u64>,
    cached: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

impl Shared {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text without the key.
    fn mask(&self, text: &str) -> String {
        match &self.key {
            Some(key) if key.len() >= 4 => text.replace(key.as_str(), "[key]"),
            _ => text.to_owned(),
        }
    }

    /// An attempt failed, and the next one begins: both took `lost`, the wait `back_off` of it.
    fn retried(&self, failure: &Failure, lost: Duration, back_off: Duration) {
        let mut tally = self.tally();
        tally.retries += 1;
        tally.lost += lost;
        tally.back_off += back_off;
        *tally.reasons.entry(failure.kind()).or_default() += 1;
    }

    /// Counts a request that has ended; `failure` is its kind and reason.
    fn ended(&self, counts: &Counts, failure: Option<&(String, String)>) {
        let mut tally = self.tally();
        match failure {
            None => tally.ok += 1,
            Some((kind, why)) => {
                *tally.failed.entry(kind.clone()).or_default() += 1;
                tally.first_error.get_or_insert_with(|| why.clone());
            }
        }
        tally.chunks += counts.chunks;
        tally.malformed += counts.malformed;
        if let Some(usage) = counts.usage {
            let known =
                |to: Option<u64>, more: Option<u64>| more.map(|m| m.saturating_add(to.unwrap_or(0))).or(to);
            tally.counted += 1;
            tally.prompt = known(tally.prompt, usage.prompt());
            tally.output = known(tally.output, usage.output);
            tally.cached = known(tally.cached, usage.cache_read);
            tally.reasoning = known(tally.reasoning, usage.reasoning);
        }
    }
}

impl Tally {
    fn facts(&self, cx: &Context) {
        let failed: u64 = self.failed.values().sum();
        let kinds: String = self.failed.iter().map(|(kind, n)| format!(", {n} × {kind}")).collect();
        cx.fact(FactKind::Result, "Requests ended", format!("{}: {} ok{kinds}", self.ok + failed, self.ok));
        cx.fact(FactKind::Result, "Retries", self.retries);
        if self.retries > 0 {
            let time = |d: Duration| format::duration(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
            let reasons: Vec<_> = self.reasons.iter().map(|(kind, n)| format!("{n} × {kind}")).collect();
            let attempts = format::counted(self.retries as i64, "failed attempt", "failed attempts");
            let (lost, back_off) = (time(self.lost), time(self.back_off));
            let text = format!(
                "{lost} in {attempts} ({}), {back_off} of it waiting for the next one",
                reasons.join(", ")
            );
            cx.fact(FactKind::Result, "Lost to retries", text.clone());
            finding("Time lost to retries", Severity::Warning, &text, None);
        }
        if self.malformed > 0 {
            cx.fact(FactKind::Result, "Malformed chunks", self.malformed);
        }
        if self.counted > 0 {
            let part = |n: Option<u64>, what: &str| n.map_or(String::new(), |n| format!(" ({n} {what})"));
            let (cached, reasoning) = (part(self.cached, "cached"), part(self.reasoning, "reasoning"));
            let number = |n: Option<u64>| n.map_or_else(|| format::UNKNOWN.to_owned(), |n| n.to_string());
            let (prompt, output) = (number(self.prompt), number(self.output));
            let text =
                format!("{prompt} prompt{cached}, {output} output{reasoning}, in {} answers", self.counted);
            cx.fact(FactKind::Result, "Tokens, as the server counts", text);
        }
        if self.chunks > 0 {
            cx.fact(FactKind::Result, "Chunks", self.chunks);
        }
    }
}

impl Workload for Endpoint {
    fn id(&self) -> &'static str {
        "endpoint"
    }

    fn title(&self) -> &'static str {
        "Requests to a model server"
    }

    fn about(&self) -> &'static str {
        "Asks any OpenAI-compatible server (vLLM, llama.cpp, Ollama, a provider) through its streaming API. \
         Shows connecting, waiting, back-off, time to first byte and token, each chunk, and what failed."
    }

    fn usual_params(&self) -> &'static [&'static str] {
        &["url", "key_env", "prompts", "concurrency", "max_tokens"]
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn marks_requests(&self) -> bool {
        true
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let settings: Settings = params.read()?;
        let shared = Arc::new(prepare(&settings, cx).map_err(WorkloadError::Failed)?);
        let prompts = prompts::load(&settings.prompts).map_err(WorkloadError::Failed)?;
        let from = if settings.prompts.is_empty() { "built-in set" } else { "file" };
        cx.fact(FactKind::Input, "Prompts in use", format!("{} ({from})", prompts.len()));
        let Settings { requests, concurrency, rate, poisson, .. } = settings;
        let load = Load { requests, concurrency, rate: (rate > 0.0).then_some(rate), poisson };
        cx.fact(FactKind::Setting, "Load", load.describe());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| WorkloadError::Failed(format!("tokio does not start: {e}")))?;
        let result = runtime.block_on(async {
            let watch = async {
                while cx.check().is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                result = load::run(shared.clone(), &load, &prompts, cx) => result,
                () = watch => Err(WorkloadError::Stopped),
            }
        });
        // A name that is still being looked up must not hold up the end.
        runtime.shutdown_background();
        let tally = shared.tally();
        tally.facts(cx);
        match (&result, &tally.first_error) {
            (Ok(()), Some(why)) if tally.ok == 0 => {
                Err(WorkloadError::Failed(format!("no request succeeded; the first one: {why}")))
            }
            _ => result,
        }
    }
}

#[derive(serde::Deserialize)]
struct Settings {
    url: String,
    model: String,
    key_env: String,
    prompts: String,
    requests: usize,
    concurrency: usize,
    rate: f64,
    poisson: bool,
    max_tokens: u64,
    stream: bool,
    extra: String,
    /// s.
    timeout: f64,
    retries: u32,
    seed: u64,
    proxy: String,
    ca: String,
}

/// Checks the settings and says in facts what is going to happen.
fn prepare(settings: &Settings, cx: &Context) -> Result<Shared, String> {
    let target = Target::parse(&settings.url)?;
    let model = settings.model.clone();
    if model.is_empty() {
        return Err("the model has no name; set model to one that the server knows".into());
    }
    let extra = match &*settings.extra {
        "" => Map::new(),
        text => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(extra)) => extra,
            _ => return Err("the further fields are no JSON object such as {\"temperature\": 0}".into()),
        },
    };
    let variable = &*settings.key_env;
    let key = std::env::var(variable).ok().map(|k| k.trim().to_owned()).filter(|k| !k.is_empty());
    let patience = Duration::try_from_secs_f64(settings.timeout).unwrap_or(Duration::from_secs(60));
    let access = Access { proxy: &settings.proxy, roots: &settings.ca, key: key.as_deref(), patience };
    cx.fact(FactKind::Input, "Endpoint", target.shown());
    let connector = Connector::new(target, &access)?;
    if let Some(via) = connector.via() {
        cx.fact(FactKind::Setting, "Through the proxy", via);
    }
    cx.fact(
        FactKind::Setting,
        "Key",
        match key {
            Some(_) => format!("from ${variable}"),
            None => format!("none (${variable} is not set)"),
        },
    );
    let limits = Limits { max_tokens: settings.max_tokens, stream: settings.stream, extra };
    Ok(Shared {
        connector,
        model,
        limits,
        retries: settings.retries,
        patience,
        seed: settings.seed,
        key,
        tally: Mutex::default(),
    })
}
