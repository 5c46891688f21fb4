//! Where the time of a question goes: the six stages of the well-known example and its total, in the
//! recording as phases and in the header as sums.
//!
//! A stage that is entered twice adds up. What no stage covers is named: `unaccounted`.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};
use tracing::Span;

use crate::format;
use crate::model::FactKind;
use crate::phase;
use crate::record::{Context, sampler};

/// Stages of a question, in order. The names are the example's; `store` is an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Preprocessing,
    EmbeddingLookup,
    QueueWait,
    FirstToken,
    Generation,
    Postprocessing,
    Store,
}

impl Stage {
    const ALL: [Self; 7] = [
        Self::Preprocessing,
        Self::EmbeddingLookup,
        Self::QueueWait,
        Self::FirstToken,
        Self::Generation,
        Self::Postprocessing,
        Self::Store,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Preprocessing => "preprocessing",
            Self::EmbeddingLookup => "embedding_lookup",
            Self::QueueWait => "llm_queue_wait",
            Self::FirstToken => "time_to_first_token",
            Self::Generation => "token_generation",
            Self::Postprocessing => "postprocessing",
            Self::Store => "store",
        }
    }

    /// A phase of the recording. Names must be literals, so each stage has a line.
    fn span(self) -> Span {
        match self {
            Self::Preprocessing => phase!("preprocessing"),
            Self::EmbeddingLookup => phase!("embedding_lookup"),
            Self::QueueWait => phase!("llm_queue_wait"),
            Self::FirstToken => phase!("time_to_first_token"),
            Self::Generation => phase!("token_generation"),
            Self::Postprocessing => phase!("postprocessing"),
            Self::Store => phase!("store"),
        }
    }
}

/// A stage that runs, until it is dropped.
pub(super) struct Running {
    stage: Stage,
    since: Instant,
    _span: Span,
}

/// Sums over all questions so far.
pub(super) struct Latency {
    stages: [Duration; 7],
    total: Duration,
    questions: u32,
    /// Three clocks at the start, to compare: monotonic, time of day, CPU of the process.
    began: (Instant, SystemTime, Option<Duration>),
}

impl Latency {
    pub(super) fn new() -> Self {
        Self {
            stages: [Duration::ZERO; 7],
            total: Duration::ZERO,
            questions: 0,
            began: (Instant::now(), SystemTime::now(), sampler::cpu_time()),
        }
    }

    pub(super) fn enter(&self, stage: Stage) -> Running {
        Running { stage, since: Instant::now(), _span: stage.span() }
    }

    pub(super) fn leave(&mut self, running: Running) {
        let Running { stage, since, _span } = running;
        self.stages[stage as usize] += since.elapsed();
    }

    /// Runs `work` as a stage.
    pub(super) fn during<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let running = self.enter(stage);
        let result = work();
        self.leave(running);
        result
    }

    /// A question that began at `since` is done.
    pub(super) fn answered(&mut self, since: Instant) {
        self.total += since.elapsed();
        self.questions += 1;
    }

    fn each(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        Stage::ALL.into_iter().map(|s| (s.name(), self.stages[s as usize]))
    }

    fn unaccounted(&self) -> Duration {
        self.total.saturating_sub(self.stages.iter().sum())
    }

    /// Means per question as facts of the recording: a line per stage, the largest, and all of it as JSON
    /// in seconds with the example's keys.
    pub(super) fn report(&self, cx: &Context) {
        if self.questions == 0 || self.total.is_zero() {
            return;
        }
        let mean = |d: Duration| d / self.questions;
        let share = |d: Duration| d.as_secs_f64() / self.total.as_secs_f64();
        let text = |d: Duration| {
            let ns = i64::try_from(mean(d).as_nanos()).unwrap_or(i64::MAX);
            format!("{}, {}", format::duration(ns), format::percent(share(d)))
        };
        cx.fact(FactKind::Result, "Questions answered", u64::from(self.questions));
        let mut keys = Map::new();
        let rows = self.each().chain([("total", self.total), ("unaccounted", self.unaccounted())]);
        for (name, sum) in rows.filter(|(name, sum)| *name != "store" || !sum.is_zero()) {
            cx.fact(FactKind::Result, name, text(sum));
            keys.insert(name.into(), json!((mean(sum).as_secs_f64() * 1e6).round() / 1e6));
        }
        cx.fact(FactKind::Result, "Latency profile (mean, s)", Value::Object(keys).to_string());
        if let Some((name, sum)) = self.each().max_by_key(|(_, sum)| *sum) {
            let seconds = mean(sum).as_secs_f64();
            cx.fact(
                FactKind::Result,
                "Bottleneck",
                format!("{name} {seconds:.3} s, {}", format::percent(share(sum))),
            );
        }
        let (instant, system, cpu) = self.began;
        let ns = |d: Duration| format::duration(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
        let day = system.elapsed().map_or_else(|_| "went back".to_owned(), ns);
        let cpu = cpu.zip(sampler::cpu_time()).map(|(a, b)| ns(b.saturating_sub(a)));
        let cpu = cpu.unwrap_or_else(|| format::UNKNOWN.to_owned());
        cx.fact(
            FactKind::Result,
            "Clocks",
            format!("monotonic {}, time of day {day}, CPU of the process {cpu}", ns(instant.elapsed())),
        );
    }
}
