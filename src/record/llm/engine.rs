//! Loading a model and generating text with it.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tracing::field::Empty;
use tracing::{Span, debug_span, info_span, trace_span};

use super::forward::{KvCache, Llama};
use super::gguf::{Gguf, Source, better_format};
use super::sampling::{Pcg32, choose};
use super::tokens::Tokens;
use super::{BUNDLED, LlmError};
use crate::model::Unit;
use crate::record::{RequestHandle, count};

/// A loaded model, shared by all generators.
pub struct Model {
    llama: Llama,
    tokens: Tokens,
    /// Longest prompt and answer together, in tokens.
    positions: usize,
    name: String,
    format: String,
    /// Bytes that all generators' caches hold at present.
    kv_held: AtomicI64,
    sample: Span,
}

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the best token.
    pub temperature: f64,
    /// Only the best so many; 0 for all.
    pub top_k: usize,
    /// Only the best that have this probability together.
    pub top_p: f64,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Which of the seed's streams: one for each request, so that order does not matter.
    pub stream: u64,
    /// Longest answer.
    pub max_new_tokens: usize,
}

/// A generated answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Time that reading the prompt took.
    pub prefill: Duration,
    /// Time from the first token to the last one.
    pub decode: Duration,
    /// Bytes of the KV cache at the end.
    pub kv_cache_bytes: u64,
}

/// Positions computed at most: bounds the KV cache of a model that claims a huge context.
const MOST_POSITIONS: usize = 4096;

impl Model {
    /// Loads the bundled model, or the GGUF file at `path`. `go_on` is asked between layers.
    ///
    /// # Errors
    /// [`LlmError::File`] with the reason in one line.
    pub fn load(path: Option<&Path>, go_on: &dyn Fn() -> Result<(), LlmError>) -> Result<Self, LlmError> {
        match path {
            None => Self::read("bundled tiny model", &mut Cursor::new(BUNDLED), go_on),
            Some(path) => {
                let shown = path.display();
                let name = path.file_stem().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
                let mut file =
                    File::open(path).map_err(|e| LlmError::File(format!("{shown} cannot be opened: {e}")))?;
                Self::read(&name, &mut file, go_on).map_err(|e| match e {
                    LlmError::File(why) => LlmError::File(format!("{shown}: {why}")),
                    other => other,
                })
            }
        }
    }

    fn read(
        name: &str,
        source: &mut dyn Source,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<Self, LlmError> {
        let load = info_span!(target: "inferscope::llm", "load_model", model = name);
        let _load = load.enter();
        let step = |name: &str| debug_span!(target: "inferscope::llm", "load_step", step = name).entered();
        let header = step("header");
        let mut gguf = Gguf::open(source)?;
        drop(header);
        let tokenizer = step("tokenizer");
        let tokens = Tokens::from_gguf(&gguf)?;
        drop(tokenizer);
        let weights = step("weights");
        let format = describe_format(&gguf);
        let positions = gguf.shape()?.context.min(MOST_POSITIONS);
        let llama = Llama::load(&mut gguf, positions, go_on)?;
        drop(weights);
        count("Model weights", Unit::Bytes, llama.weight_bytes as f64);
        let kv_held = AtomicI64::new(0);
        let sample = trace_span!(target: "inferscope::llm", parent: None, "sample");
        Ok(Self { llama, tokens, positions, name: name.to_owned(), format, kv_held, sample })
    }

    pub(super) fn llama(&self) -> &Llama {
        &self.llama
    }

    pub(super) fn positions(&self) -> usize {
        self.positions
    }

    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, LlmError> {
        self.tokens.encode(text)
    }

    pub(super) fn prompt(&self, question: &str) -> String {
        self.tokens.prompt(question)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format of its weights, in the file and in memory.
    #[must_use]
    pub fn format(&self) -> &str {
        &self.format
    }

    /// Bytes of its weights in memory.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.llama.weight_bytes
    }

    /// Chooses a token and notes it at `step`.
    fn pick(
        &self,
        scores: &[f32],
        sampling: Sampling,
        rng: &mut Pcg32,
        step: &Span,
    ) -> Result<u32, LlmError> {
        let _sample = self.sample.enter();
        let Sampling { temperature, top_k, top_p, .. } = sampling;
        let choice = choose(scores, temperature, top_k, top_p, rng).ok_or_else(|| {
            LlmError::Compute("the scores are not numbers; the weights must be damaged".into())
        })?;
        if !step.is_disabled() {
            step.record("text", self.tokens.decode(&[choice.id])?.as_str());
            step.record("probability", choice.probability);
        }
        Ok(choice.id)
    }

    fn hold(&self, bytes: i64) {
        let held = self.kv_held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        count("KV cache", Unit::Bytes, held as f64);
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({}, {})", self.name, self.format)
    }
}

fn describe_format(gguf: &Gguf<'_>) -> String {
    let (Some(format), Ok((_, columns))) = (gguf.weight_format(), gguf.matrix_dims("blk.0.ffn_up.weight"))
    else {
        return "unknown".into();
    };
    match better_format(format, columns) {
        None => format!("{format:?}"),
        Some((better, _)) if better == format => format!("{format:?}, rows padded to a multiple of 256"),
        Some((better, _)) => format!("{format:?} in the file, {better:?} in memory (runs faster here)"),
    }
}

/// Generates text; has a KV cache of its own.
pub struct Generator {
    model: Arc<Model>,
    cache: KvCache,
}

impl Generator {
    /// A generator for `model`. Allocates its KV cache.
    ///
    /// # Errors
    /// [`LlmError::Compute`].
    pub fn new(model: Arc<Model>) -> Result<Self, LlmError> {
        let cache = KvCache::new(&model.llama.shape, model.positions)?;
        Ok(Self { model, cache })
    }

    /// Answers `question` and reports each token to `request`. `go_on` is asked before each layer.
    ///
    /// # Errors
    /// [`LlmError::Compute`] for a prompt that is too long, or the error of `go_on`.
    pub fn answer(
        &mut self,
        question: &str,
        sampling: Sampling,
        request: &RequestHandle,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<Answer, LlmError> {
        let span = info_span!(target: "inferscope::llm", "generate", question, prompt_tokens = Empty,
            output_tokens = Empty);
        let _generate = span.enter();
        let model = self.model.clone();
        let ids = {
            let _span = debug_span!(target: "inferscope::llm", "tokenise").entered();
            model.tokens.encode(&model.tokens.prompt(question))?
        };
        span.record("prompt_tokens", ids.len());
        request.prompt_tokens(ids.len());
        if ids.is_empty() || ids.len() >= model.positions {
            let (n, most) = (ids.len(), model.positions);
            return Err(LlmError::Compute(format!("the prompt has {n} tokens; 1 to {} fit", most - 1)));
        }
        let mut held = 0;
        let tokens = self.decode(&ids, sampling, request, go_on, &mut held);
        model.hold(-held);
        let Written { tokens, prefill, decode } = tokens?;
        span.record("output_tokens", tokens.len());
        let text = {
            let _span = debug_span!(target: "inferscope::llm", "detokenise", tokens = tokens.len()).entered();
            model.tokens.decode(&tokens)?
        };
        let kv_cache_bytes = (self.cache.len() * model.llama.shape.kv_bytes_per_token()) as u64;
        Ok(Answer { text, tokens, prompt_tokens: ids.len(), prefill, decode, kv_cache_bytes })
    }

    fn decode(
        &mut self,
        ids: &[u32],
        sampling: Sampling,
        request: &RequestHandle,
        go_on: &dyn Fn() -> Result<(), LlmError>,
        held: &mut i64,
    ) -> Result<Written, LlmError> {
        let model = self.model.clone();
        let per_token = model.llama.shape.kv_bytes_per_token() as i64;
        let mut hold = |tokens: usize| {
            let bytes = tokens as i64 * per_token;
            *held += bytes;
            model.hold(bytes);
        };
        let mut rng = Pcg32::new(sampling.seed, sampling.stream);
        let mut tokens = Vec::new();
        self.cache.reset();
        let most = sampling.max_new_tokens.min(model.positions - ids.len());
        let begin = Instant::now();
        let mut next = {
            let span = debug_span!(target: "inferscope::llm", "prefill", tokens = ids.len(), text = Empty,
                probability = Empty);
            let _prefill = span.enter();
            let scores = model.llama.forward(ids, &mut self.cache, go_on)?;
            hold(ids.len());
            model.pick(&scores, sampling, &mut rng, &span)?
        };
        let prefill = begin.elapsed();
        let begin = Instant::now();
        let mut decode = Duration::ZERO;
        let _decode = debug_span!(target: "inferscope::llm", "decode").entered();
        while tokens.len() < most && !model.tokens.is_stop(next) {
            request.token();
            decode = begin.elapsed();
            tokens.push(next);
            if tokens.len() == most {
                break;
            }
            let span = debug_span!(target: "inferscope::llm", "token", index = tokens.len(),
                kv_tokens = self.cache.len() + 1, text = Empty, probability = Empty);
            let _token = span.enter();
            let scores = model.llama.forward(&[next], &mut self.cache, go_on)?;
            hold(1);
            next = model.pick(&scores, sampling, &mut rng, &span)?;
        }
        Ok(Written { tokens, prefill, decode })
    }
}

/// What a decode gave.
struct Written {
    tokens: Vec<u32>,
    prefill: Duration,
    decode: Duration,
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Generator({:?})", self.model)
    }
}
