//! Loading a model and generating text with it.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use candle_core::Device;
use tracing::field::Empty;
use tracing::{Span, debug_span, info_span, record_all};

use super::device::{self, DeviceChoice};
use super::file::{self, ModelFile, Shape};
use super::forward::{KvCache, Llama, Part};
use super::gguf::better_format;
use super::op::{Detail, Op, op};
use super::packed;
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
    sample: Op,
    /// Ends with the model.
    tracing: device::Tracing,
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

/// How a model is loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// What it is computed on.
    pub device: DeviceChoice,
    /// How much of it is recorded.
    pub detail: Detail,
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
    /// Time that reading the prompt took, together with those of its company.
    pub prefill: Duration,
    /// Time from the first token to the last one.
    pub decode: Duration,
    /// Bytes of the KV cache at the end.
    pub kv_cache_bytes: u64,
}

/// Positions computed at most: bounds the KV cache of a model that claims a huge context.
pub(super) const MOST_POSITIONS: usize = 4096;

impl Model {
    /// Loads the bundled model, or the one at `path`: a GGUF file, or a folder with config.json, tokenizer.json and
    /// safetensors files (or one of these files). `go_on` is asked between layers.
    ///
    /// # Errors
    /// [`LlmError::File`] with the reason in one line.
    pub fn load(
        path: Option<&Path>,
        options: LoadOptions,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<Self, LlmError> {
        let device = options.device.open()?;
        let Some(path) = path else {
            let mut source = Cursor::new(BUNDLED);
            return Self::read(
                "bundled tiny model",
                || file::open_gguf(&mut source),
                (&device, options),
                go_on,
            );
        };
        let name = path.file_stem().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        if let Some(folder) = file::folder_of(path) {
            let name = folder.file_name().map_or(name, |n| n.to_string_lossy().into_owned());
            return Self::read(&name, || file::open_folder(&folder), (&device, options), go_on);
        }
        let shown = path.display();
        let mut source =
            File::open(path).map_err(|e| LlmError::File(format!("{shown} cannot be opened: {e}")))?;
        Self::read(&name, || file::open_gguf(&mut source), (&device, options), go_on).map_err(file::at(path))
    }

    fn read<'a>(
        name: &str,
        open: impl FnOnce() -> Result<ModelFile<'a>, LlmError>,
        (device, options): (&Device, LoadOptions),
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<Self, LlmError> {
        let load = info_span!(target: "inferscope::llm", "load_model", model = name);
        let _load = load.enter();
        let step = |name: &str| debug_span!(target: "inferscope::llm", "load_step", step = name).entered();
        let header = step("header");
        let mut file = open()?;
        drop(header);
        let tokenizer = step("tokenizer");
        let tokens = Tokens::of(&file)?;
        drop(tokenizer);
        let tracing = device::Tracing::start(device);
        let weights = step("weights");
        let format = describe_format(&file, device);
        let positions = file.shape()?.context.min(MOST_POSITIONS);
        let llama = Llama::load(&mut file, positions, device, options, go_on)?;
        drop(weights);
        count("Model weights", Unit::Bytes, llama.weight_bytes as f64);
        let kv_held = AtomicI64::new(0);
        let sample = op!(options.detail, "sample", None);
        Ok(Self { llama, tokens, positions, name: name.to_owned(), format, kv_held, sample, tracing })
    }

    /// What it is computed on.
    #[must_use]
    pub fn device(&self) -> String {
        device::name(&self.llama.device)
    }

    /// How its own work on a GPU is seen, in words; `None` on the CPU.
    #[must_use]
    pub fn device_tracing(&self) -> Option<&str> {
        self.tracing.fact.as_deref()
    }

    /// How a question becomes a prompt, in words.
    #[must_use]
    pub fn prompt_form(&self) -> &'static str {
        self.tokens.form()
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

    /// What counts its tokens.
    #[must_use]
    pub fn tokenizer(&self) -> &str {
        &self.tokens.name
    }

    /// The format of its weights, in the file and in memory.
    #[must_use]
    pub fn format(&self) -> &str {
        &self.format
    }

    /// What computes its products: weights in different formats may have different kernels.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        self.llama.kernel()
    }

    /// Bytes of its weights in memory.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.llama.weight_bytes
    }

    /// Its sizes by name, as facts of a recording: what operations and bytes a token needs follows from them.
    #[must_use]
    pub fn sizes(&self) -> [(&'static str, usize, Unit); 7] {
        let shape = &self.llama.shape;
        [
            ("Parameters", self.llama.parameters, Unit::Count),
            ("Bytes of weights", self.llama.weight_bytes, Unit::Bytes),
            ("Layers", shape.layers, Unit::Count),
            ("Width", shape.width, Unit::Count),
            ("KV heads", shape.kv_heads, Unit::Count),
            ("Head width", shape.head_width, Unit::Count),
            ("Bytes of a KV element", Shape::KV_ELEMENT, Unit::Bytes),
        ]
    }

    /// One pass: chooses the next token of each sequence. A single one's is noted at `span`.
    fn step(
        &self,
        sequences: &mut [Sequence<'_, '_>],
        prefill: bool,
        span: &Span,
        held: &mut i64,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<(), LlmError> {
        let alone = sequences.len() == 1;
        let mut parts: Vec<Part<'_>> = sequences
            .iter_mut()
            .map(|s| {
                let ids = if prefill { &s.prompt[..] } else { std::slice::from_ref(&s.next) };
                Part { ids, cache: &mut s.cache }
            })
            .collect();
        let added: usize = parts.iter().map(|p| p.ids.len()).sum();
        let scores = self.llama.forward(&mut parts, go_on)?;
        let bytes = (added * self.llama.shape.kv_bytes_per_token()) as i64;
        *held += bytes;
        self.hold(bytes);
        for (sequence, scores) in sequences.iter_mut().zip(&scores) {
            let told = alone.then_some(span).filter(|s| !s.is_disabled());
            (sequence.next, sequence.piece) =
                self.pick(scores, sequence.asked.sampling, &mut sequence.rng, told)?;
        }
        Ok(())
    }

    /// Chooses a token and notes it at `step`, with its text.
    fn pick(
        &self,
        scores: &[f32],
        sampling: Sampling,
        rng: &mut Pcg32,
        step: Option<&Span>,
    ) -> Result<(u32, Option<String>), LlmError> {
        let _sample = self.sample.enter();
        let Sampling { temperature, top_k, top_p, .. } = sampling;
        let choice = choose(scores, temperature, top_k, top_p, rng).ok_or_else(|| {
            LlmError::Compute("the scores are not numbers; the weights must be damaged".into())
        })?;
        let piece = step.map(|_| self.tokens.decode(&[choice.id])).transpose()?;
        if let (Some(step), Some(text)) = (step, &piece) {
            record_all!(step, text = text.as_str(), probability = choice.probability);
        }
        Ok((choice.id, piece))
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

fn describe_format(file: &ModelFile<'_>, device: &Device) -> String {
    let (Some(format), Ok((rows, columns))) = (file.weight_format(), file.matrix_dims("blk.0.ffn_up.weight"))
    else {
        return "unknown".into();
    };
    if device.is_cpu() && packed::is_wanted(format, rows, columns) {
        return format!("{format:?}, eight rows side by side");
    }
    match better_format(format, columns).filter(|_| device.is_cpu()) {
        None => format!("{format:?}"),
        Some((better, _)) if better == format => format!("{format:?}, rows padded to a multiple of 256"),
        Some((better, _)) => format!("{format:?} in the file, {better:?} in memory (runs faster here)"),
    }
}

/// Generates text; has KV caches of its own.
pub struct Generator {
    model: Arc<Model>,
    /// Caches that no sequence uses, kept because allocating them takes long.
    caches: Vec<KvCache>,
}

/// A question, and who is told about its answer.
pub struct Asked<'a> {
    /// The question.
    pub question: &'a str,
    /// How its tokens are chosen.
    pub sampling: Sampling,
    /// Gets the stamp of each token.
    pub request: &'a RequestHandle,
    /// Told of each token and, once, of the end.
    pub on_step: &'a mut dyn FnMut(Step<'_>),
}

/// What happened to a question.
pub enum Step<'a> {
    /// Its next token, as text.
    Token(&'a str),
    /// The whole answer, or why there is none.
    End(Result<Answer, LlmError>),
}

/// A question that is being answered.
struct Sequence<'a, 'b> {
    asked: &'a mut Asked<'b>,
    prompt: Vec<u32>,
    cache: KvCache,
    rng: Pcg32,
    tokens: Vec<u32>,
    next: u32,
    /// Its text, if that is known already.
    piece: Option<String>,
    most: usize,
    prefill: Duration,
    /// When the prompt had been read.
    begun: Instant,
    decode: Duration,
}

impl Sequence<'_, '_> {
    /// Accepts the chosen token; true when it was the last one.
    fn accept(&mut self, model: &Model) -> Result<bool, LlmError> {
        if self.tokens.len() >= self.most || model.tokens.is_stop(self.next) {
            return Ok(true);
        }
        self.asked.request.token();
        self.decode = self.begun.elapsed();
        self.tokens.push(self.next);
        let piece = match self.piece.take() {
            Some(piece) => piece,
            None => model.tokens.decode(&[self.next])?,
        };
        (self.asked.on_step)(Step::Token(&piece));
        Ok(self.tokens.len() == self.most)
    }
}

impl Generator {
    /// A generator for `model`. Allocates a KV cache.
    ///
    /// # Errors
    /// [`LlmError::Compute`].
    pub fn new(model: Arc<Model>) -> Result<Self, LlmError> {
        let caches = vec![model.llama.cache(model.positions)?];
        Ok(Self { model, caches })
    }

    fn cache(&mut self) -> Result<KvCache, LlmError> {
        let mut cache = match self.caches.pop() {
            Some(cache) => cache,
            None => self.model.llama.cache(self.model.positions)?,
        };
        cache.reset();
        Ok(cache)
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
        let mut ended = None;
        let mut on_step = |step: Step<'_>| {
            if let Step::End(result) = step {
                ended = Some(result);
            }
        };
        self.run(&mut [Asked { question, sampling, request, on_step: &mut on_step }], go_on)?;
        let answer = ended.unwrap_or(Err(LlmError::Stopped))?;
        span.record("prompt_tokens", answer.prompt_tokens);
        span.record("output_tokens", answer.tokens.len());
        Ok(answer)
    }

    /// Answers all questions together: each pass through the weights gives one token to each of them. A
    /// question that cannot be answered is told so; the others go on. Texts do not depend on the company
    /// that a question is in.
    ///
    /// # Errors
    /// The error of `go_on`, or candle's; questions that had not ended then are not told.
    pub fn answer_all(
        &mut self,
        asked: &mut [Asked<'_>],
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<(), LlmError> {
        let span =
            info_span!(target: "inferscope::llm", "generate", requests = asked.len(), output_tokens = Empty);
        let _generate = span.enter();
        let tokens = self.run(asked, go_on)?;
        span.record("output_tokens", tokens);
        Ok(())
    }

    /// The mean hidden state of `text`, scaled to length 1. `go_on` is asked before each layer.
    ///
    /// # Errors
    /// [`LlmError::Compute`], or the error of `go_on`.
    pub fn embed(
        &mut self,
        text: &str,
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<Vec<f32>, LlmError> {
        let span = info_span!(target: "inferscope::llm", "embed_text", tokens = Empty);
        let _embed = span.enter();
        let mut ids = self.model.tokens.encode(text)?;
        ids.truncate(self.model.positions);
        span.record("tokens", ids.len());
        let mut cache = self.cache()?;
        let mut vector =
            if ids.is_empty() { Vec::new() } else { self.model.llama.embed(&ids, &mut cache, go_on)? };
        self.caches.push(cache);
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|v| *v /= length);
        }
        Ok(vector)
    }

    /// Tokens of the whole prompt for `question`.
    ///
    /// # Errors
    /// [`LlmError::Compute`] when the tokenizer fails.
    pub fn prompt_tokens(&self, question: &str) -> Result<usize, LlmError> {
        Ok(self.model.tokens.encode(&self.model.tokens.prompt(question))?.len())
    }

    fn run(
        &mut self,
        asked: &mut [Asked<'_>],
        go_on: &dyn Fn() -> Result<(), LlmError>,
    ) -> Result<usize, LlmError> {
        let mut sequences = self.tokenise(asked)?;
        let mut held = 0;
        let done = self.decode(&mut sequences, go_on, &mut held);
        self.model.hold(-held);
        done
    }

    /// The sequences of all questions that fit; the others are told.
    fn tokenise<'a, 'b>(&mut self, asked: &'a mut [Asked<'b>]) -> Result<Vec<Sequence<'a, 'b>>, LlmError> {
        let model = self.model.clone();
        let _span = debug_span!(target: "inferscope::llm", "tokenise").entered();
        let mut sequences = Vec::with_capacity(asked.len());
        for asked in asked {
            let prompt = model.tokens.encode(&model.tokens.prompt(asked.question))?;
            asked.request.prompt_tokens(prompt.len());
            if prompt.is_empty() || prompt.len() >= model.positions {
                let (n, most) = (prompt.len(), model.positions - 1);
                let why = format!("the prompt has {n} tokens; 1 to {most} fit");
                (asked.on_step)(Step::End(Err(LlmError::Compute(why))));
                continue;
            }
            let rng = Pcg32::new(asked.sampling.seed, asked.sampling.stream);
            let most = asked.sampling.max_new_tokens.min(model.positions - prompt.len());
            let cache = self.cache()?;
            sequences.push(Sequence {
                asked,
                prompt,
                cache,
                rng,
                tokens: Vec::new(),
                next: 0,
                piece: None,
                most,
                prefill: Duration::ZERO,
                begun: Instant::now(),
                decode: Duration::ZERO,
            });
        }
        Ok(sequences)
    }

    /// Prefill, then one pass for each further token until all sequences have ended. Gives the number of
    /// tokens.
    fn decode(
        &mut self,
        sequences: &mut Vec<Sequence<'_, '_>>,
        go_on: &dyn Fn() -> Result<(), LlmError>,
        held: &mut i64,
    ) -> Result<usize, LlmError> {
        if sequences.is_empty() {
            return Ok(0);
        }
        let model = self.model.clone();
        {
            let tokens = sequences.iter().map(|s| s.prompt.len()).sum::<usize>();
            let span = debug_span!(target: "inferscope::llm", "prefill", tokens, sequences = sequences.len(),
                text = Empty, probability = Empty);
            let _prefill = span.enter();
            let begin = Instant::now();
            model.step(sequences, true, &span, held, go_on)?;
            let end = Instant::now();
            sequences.iter_mut().for_each(|s| (s.prefill, s.begun) = (end - begin, end));
        }
        let _decode = debug_span!(target: "inferscope::llm", "decode").entered();
        let mut made = 0;
        loop {
            made += self.end_finished(sequences, held)?;
            let Some(first) = sequences.first() else { return Ok(made) };
            let span = debug_span!(target: "inferscope::llm", "token", index = first.tokens.len(),
                kv_tokens = first.cache.len() + 1, sequences = sequences.len(), text = Empty,
                probability = Empty);
            let _token = span.enter();
            model.step(sequences, false, &span, held, go_on)?;
        }
    }

    /// Accepts what was chosen, and takes out and reports the sequences that are complete. Gives the tokens
    /// of those.
    fn end_finished(
        &mut self,
        sequences: &mut Vec<Sequence<'_, '_>>,
        held: &mut i64,
    ) -> Result<usize, LlmError> {
        let model = self.model.clone();
        let (mut made, mut i) = (0, 0);
        while let Some(sequence) = sequences.get_mut(i) {
            if !sequence.accept(&model)? {
                i += 1;
                continue;
            }
            let Sequence { asked, prompt, cache, tokens, prefill, decode, .. } = sequences.remove(i);
            let text = {
                let _span =
                    debug_span!(target: "inferscope::llm", "detokenise", tokens = tokens.len()).entered();
                model.tokens.decode(&tokens)?
            };
            let bytes = cache.len() * model.llama.shape.kv_bytes_per_token();
            model.hold(-(bytes as i64));
            *held -= bytes as i64;
            self.caches.push(cache);
            made += tokens.len();
            let (prompt_tokens, kv_cache_bytes) = (prompt.len(), bytes as u64);
            let answer = Answer { text, tokens, prompt_tokens, prefill, decode, kv_cache_bytes };
            (asked.on_step)(Step::End(Ok(answer)));
        }
        Ok(made)
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Generator({:?})", self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::request;

    fn generator() -> Generator {
        Generator::new(Arc::new(Model::load(None, LoadOptions::default(), &|| Ok(())).unwrap())).unwrap()
    }

    fn sampling(stream: u64, max_new_tokens: usize) -> Sampling {
        Sampling { temperature: 0.7, top_k: 40, top_p: 0.95, seed: 42, stream, max_new_tokens }
    }

    #[test]
    fn an_answer_does_not_depend_on_the_company_of_its_question() {
        let questions = ["What is a span?", "Why is my app slow?", "Explain a flame graph.", "Hi"];
        let mut generator = generator();
        let alone: Vec<Answer> = questions
            .iter()
            .enumerate()
            .map(|(i, q)| {
                let handle = request("", "", "");
                generator.answer(q, sampling(i as u64, 40 + 7 * i), &handle, &|| Ok(())).unwrap()
            })
            .collect();
        let handles: Vec<_> = questions.iter().map(|_| request("", "", "")).collect();
        let mut got: Vec<(String, Option<Answer>)> = vec![Default::default(); questions.len()];
        let mut steps: Vec<_> = got
            .iter_mut()
            .map(|(text, answer)| {
                |step: Step<'_>| match step {
                    Step::Token(piece) => text.push_str(piece),
                    Step::End(result) => *answer = Some(result.unwrap()),
                }
            })
            .collect();
        let mut asked: Vec<Asked<'_>> = (questions.iter().zip(&handles).zip(&mut steps).enumerate())
            .map(|(i, ((question, request), on_step))| Asked {
                question,
                sampling: sampling(i as u64, 40 + 7 * i),
                request,
                on_step,
            })
            .collect();
        generator.answer_all(&mut asked, &|| Ok(())).unwrap();
        drop(asked);
        drop(steps);
        for (alone, (streamed, together)) in alone.iter().zip(&got) {
            let of = |a: &Answer| (a.text.clone(), a.tokens.clone(), a.prompt_tokens, a.kv_cache_bytes);
            assert_eq!(Some(of(alone)), together.as_ref().map(of));
            assert!(together.as_ref().is_some_and(|a| !a.prefill.is_zero() && !a.decode.is_zero()));
            assert_eq!(streamed, &alone.text, "the stream is the answer");
        }
    }

    #[test]
    fn a_question_that_is_too_long_fails_alone() {
        let mut generator = generator();
        let long = "word ".repeat(3000);
        let handles = [request("", "", ""), request("", "", "")];
        let (mut failed, mut fine) = (None, None);
        let mut first = |step: Step<'_>| {
            if let Step::End(r) = step {
                failed = Some(r);
            }
        };
        let mut second = |step: Step<'_>| {
            if let Step::End(r) = step {
                fine = Some(r);
            }
        };
        let mut asked = [
            Asked { question: &long, sampling: sampling(0, 5), request: &handles[0], on_step: &mut first },
            Asked { question: "Hi", sampling: sampling(1, 5), request: &handles[1], on_step: &mut second },
        ];
        generator.answer_all(&mut asked, &|| Ok(())).unwrap();
        assert!(failed.unwrap().unwrap_err().to_string().contains("1 to 1023 fit"));
        assert_eq!(fine.unwrap().unwrap().tokens.len(), 5);
    }

    #[test]
    fn embeddings_have_length_one_and_similar_questions_lie_close() {
        let mut generator = generator();
        let mut of = |text: &str| generator.embed(text, &|| Ok(())).unwrap();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let [span, span2, cache] =
            ["What is a span?", "Can you explain a span?", "Give me three tips for the cache."].map(&mut of);
        assert!((dot(&span, &span) - 1.0).abs() < 1e-5);
        assert!(dot(&span, &span2) > dot(&span, &cache));
        assert!(of("").is_empty());
        for pair in [
            ("What is a span?", "What is a trace?"),
            ("What is a span?", "what is a span"),
            ("How do I shrink the KV cache?", "How can I shrink the KV cache?"),
            ("How do I shrink the KV cache?", "How do I speed up the decode?"),
            ("How do I shrink the KV cache?", "How do I grow the KV cache?"),
        ] {
            println!("{pair:?} {}", dot(&of(pair.0), &of(pair.1)));
        }
    }
}
