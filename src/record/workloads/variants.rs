//! One model in several weight formats, one after another, with the same questions: the table that says
//! what a format saves and what it costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::generate::{ModelSettings, Settings};
use super::{Context, WorkloadError};
use crate::format::{self, bytes, duration, percent};
use crate::model::{FactKind, ResultTable, WEIGHT_FORMATS};
use crate::phase;
use crate::record::context::PeakCell;
use crate::record::llm::matmul_threads;
use crate::record::llm::{Difference, Generator, LlmError, Model, Reading, VariantFile, WeightFormat};
use crate::record::{clock, request};

/// What was measured of a variant.
struct Row {
    name: &'static str,
    file: u64,
    load: Duration,
    weights: usize,
    kernel: &'static str,
    /// Tokens and the time they took.
    prefill: (usize, Duration),
    decode: (usize, Duration),
    reading: Reading,
    /// From the first variant.
    difference: Option<Difference>,
}

const PEAK: &str = "Own peak heap";
const COLUMNS: [&str; 11] = [
    "Format",
    "File",
    "Load",
    "Weights in memory",
    PEAK,
    "Kernel",
    "Prefill",
    "Decode",
    "Perplexity",
    "Same best token",
    "KL divergence",
];

/// What is said where not all formats are computed in the same way.
const DIFFERENT: &str =
    " The formats are not computed by the same kernels, so their speeds compare kernels as much as formats.";

impl Row {
    fn cells(&self) -> Vec<String> {
        let size = |n: u64| bytes(i64::try_from(n).unwrap_or(i64::MAX));
        let unknown = || format::UNKNOWN.to_owned();
        vec![
            self.name.to_owned(),
            size(self.file),
            duration(i64::try_from(self.load.as_nanos()).unwrap_or(i64::MAX)),
            size(self.weights as u64),
            // Known when the heap has been followed to the end, if it is counted.
            unknown(),
            self.kernel.to_owned(),
            rate(self.prefill),
            rate(self.decode),
            format!("{:.3}", self.reading.perplexity),
            self.difference.map_or_else(unknown, |d| percent(d.same_best)),
            self.difference.map_or_else(unknown, |d| format!("{:.5}", d.divergence)),
        ]
    }
}

fn rate((tokens, time): (usize, Duration)) -> String {
    if tokens == 0 || time.is_zero() {
        return format::UNKNOWN.to_owned();
    }
    format::rate(tokens as f64 / time.as_secs_f64(), "tok")
}

/// Measures all formats. What is done is in the table, whatever happens to the next one.
pub(super) fn run(
    formats: &[WeightFormat],
    settings: &Settings,
    of_model: &ModelSettings,
    cx: &Context,
) -> Result<(), WorkloadError> {
    let name = move |i: usize| format!("generation, thread {}", i + 1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(settings.threads).thread_name(name).build();
    let pool = pool.map_err(|e| WorkloadError::Failed(format!("no threads for the generation: {e}")))?;
    cx.fact(FactKind::Setting, "Threads per matrix product", matmul_threads());
    let mut rows: Vec<Row> = Vec::new();
    for (i, &weights) in formats.iter().enumerate() {
        let steps = Steps { settings, of_model, cx, done: i, all: formats.len() };
        let mut row = pool.install(|| steps.variant(weights))?;
        row.difference = rows.first().and_then(|first| row.reading.difference(&first.reading));
        rows.push(row);
        report(&rows, cx);
    }
    cx.advance(formats.len() as u64, formats.len() as u64)
}

fn report(rows: &[Row], cx: &Context) {
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    if let (Some(row), Some(first)) = (cells.last(), rows.first()) {
        let parts = COLUMNS.iter().zip(row).skip(1).filter(|(column, _)| **column != PEAK);
        let parts = parts.map(|(column, cell)| format!("{column} {cell}"));
        cx.fact(FactKind::Result, &format!("Variant {}", row[0]), parts.collect::<Vec<_>>().join(", "));
        let note = format!(
            "Perplexity over {} tokens of bundled answers, which the bundled model mostly knows from its training: it \
             compares formats. The last two columns compare the predictions for them with \
             those of {}. {PEAK}: the most that the variant held at once while it was loaded and ran, without what \
             was there before and without the recorder. f16 and bf16 save space on disk only: on the CPU they are widened \
             to f32.{}",
            first.reading.tokens,
            first.name,
            if rows.iter().all(|r| r.kernel == first.kernel) { "" } else { DIFFERENT }
        );
        let columns = COLUMNS.map(str::to_owned).to_vec();
        cx.table(ResultTable { title: WEIGHT_FORMATS.into(), columns, rows: cells, note, minor: false });
    }
}

/// The way through one variant.
struct Steps<'a> {
    settings: &'a Settings,
    of_model: &'a ModelSettings,
    cx: &'a Context,
    done: usize,
    all: usize,
}

impl Steps<'_> {
    /// Says what comes; `part` is the share of this variant that is done.
    fn step(&self, name: &str, what: &str, part: f64) -> Result<(), WorkloadError> {
        self.cx.stage(&format!("{name} ({} of {}): {what}", self.done + 1, self.all));
        let permille = (self.done as f64 + part) * 1000.0;
        self.cx.advance(permille as u64, self.all as u64 * 1000)
    }

    fn variant(&self, weights: WeightFormat) -> Result<Row, WorkloadError> {
        let (name, cx) = (weights.name(), self.cx);
        let go_on = || -> Result<(), LlmError> { Ok(cx.check()?) };
        let path = self.of_model.path();
        self.step(name, "converting the weights", 0.0)?;
        let converting = phase!("convert", variant = name);
        let file = VariantFile::make(path, weights, &go_on)?;
        drop(converting);
        let from = clock::ticks();
        self.step(name, "loading", 0.2)?;
        let loading = phase!("load", variant = name);
        let begin = Instant::now();
        let model = Arc::new(Model::load(
            Some(file.path()),
            self.of_model.load_options(self.settings.detail())?,
            &go_on,
        )?);
        let load = begin.elapsed();
        drop(loading);
        let (prefill, decode) = self.answers(name, &model)?;
        self.step(name, "reading answers", 0.9)?;
        let reading = {
            let _phase = phase!("read answers", variant = name);
            model.read_answers(&go_on)?
        };
        let place = (WEIGHT_FORMATS.to_owned(), name.to_owned(), PEAK.to_owned());
        cx.peak_cell(PeakCell { place, between: (from, clock::ticks()) });
        let kernel = model.kernel();
        let (file, weights) = (file.bytes, model.weight_bytes());
        Ok(Row { name, file, load, weights, kernel, prefill, decode, reading, difference: None })
    }

    /// Asks all questions; tokens and times of prefill and decode.
    #[expect(clippy::type_complexity, reason = "two pairs, named by their caller")]
    fn answers(
        &self,
        name: &str,
        model: &Arc<Model>,
    ) -> Result<((usize, Duration), (usize, Duration)), WorkloadError> {
        let cx = self.cx;
        let go_on = || -> Result<(), LlmError> { Ok(cx.check()?) };
        let _phase = phase!("generate", variant = name);
        let mut generator = Generator::new(model.clone())?;
        let (mut prefill, mut decode) = ((0, Duration::ZERO), (0, Duration::ZERO));
        let questions = self.settings.questions;
        for i in 0..questions {
            let part = 0.3 + 0.6 * i as f64 / questions as f64;
            self.step(name, &format!("question {} of {questions}", i + 1), part)?;
            let question = self.settings.question(i);
            let request = request(&format!("{name} #{} {question}", i + 1), name, question);
            request.scheduled();
            match generator.answer(question, self.of_model.sampling(i), &request, &go_on) {
                Ok(answer) => {
                    prefill = (prefill.0 + answer.prompt_tokens, prefill.1 + answer.prefill);
                    // The first token belongs to the prefill.
                    decode = (decode.0 + answer.tokens.len().saturating_sub(1), decode.1 + answer.decode);
                    request.finish(&answer.text, answer.kv_cache_bytes);
                }
                Err(LlmError::Stopped) => return Err(WorkloadError::Stopped),
                Err(error) => {
                    request.fail(&error.to_string());
                    return Err(error.into());
                }
            }
        }
        Ok((prefill, decode))
    }
}
