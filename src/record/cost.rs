//! What recording costs: per event, measured before each recording, and the CPU time of the recorder's own threads, measured
//! while it runs.
//!
//! An event alone, a thousand times in a row, costs a third of what it costs in the middle of other work, whose data are in
//! the cache by then. So it is measured between stretches of work on as much memory as the first cache holds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::alloc;
use super::sampler::{cpu_time, thread_cpu_time};
use super::site::site;

/// CPU time that is used while the work runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    begun: Instant,
    process: Option<Duration>,
    /// Of the recorder's own thread.
    thread: Option<Duration>,
    /// Of all threads of the recorder.
    own: Duration,
    elapsed: Duration,
}

impl Used {
    pub(super) fn now() -> Self {
        let (process, thread) = (cpu_time(), thread_cpu_time());
        Self { begun: Instant::now(), process, thread, own: Duration::ZERO, elapsed: Duration::ZERO }
    }

    /// What was used since then; `others` by threads of the recorder beside the calling one.
    pub(super) fn until_now(self, others: Duration) -> Self {
        let since = |before: Option<Duration>, now: Option<Duration>| Some(now?.saturating_sub(before?));
        let thread = since(self.thread, thread_cpu_time());
        Self {
            process: since(self.process, cpu_time()),
            thread,
            own: thread.unwrap_or_default() + others,
            elapsed: self.begun.elapsed(),
            ..self
        }
    }

    /// CPU time of the work, in ns.
    fn work(&self) -> Option<f64> {
        let work = self.process?.saturating_sub(self.own);
        (!work.is_zero()).then_some(work.as_nanos() as f64)
    }

    /// «4.1 % of one core».
    pub(super) fn fact(&self) -> Option<String> {
        self.thread?;
        let share = self.own.as_secs_f64() / self.elapsed.as_secs_f64().max(1e-9) * 100.0;
        Some(format!("{share:.1} % of one core, beside the work"))
    }
}

/// What recording itself costs, measured before each recording.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// CPU time of one enter and exit of a span in ns.
    span: Option<f64>,
    /// The same of an operation.
    operation: f64,
    /// What counting adds to an allocation and its free, in ns; `None` when nothing is counted.
    pub(super) allocation: Option<f64>,
}

impl Cost {
    pub(super) fn measure(allocations: bool) -> Self {
        let (span, operation) = (measure_span(), measure_operation());
        let allocation = (allocations && alloc::begin()).then(measure_allocation);
        alloc::end();
        Self { span, operation, allocation }
    }

    /// «120 ns per span, 70 ns per operation, 15 ns per allocation: about 6.3 % of the work's CPU time».
    pub(super) fn fact(
        self,
        (spans, operations): (u64, u64),
        allocations: i64,
        used: &Used,
    ) -> Option<String> {
        let parts = [
            (self.span.filter(|_| spans > 0), spans as f64, "span"),
            (Some(self.operation).filter(|_| operations > 0), operations as f64, "operation"),
            (self.allocation, allocations as f64, "allocation"),
        ];
        let known = parts.iter().filter_map(|&(ns, n, what)| Some((ns?, n, what)));
        let texts: Vec<String> =
            known.clone().map(|(ns, _, what)| format!("{} per {what}", nanoseconds(ns))).collect();
        let sum: f64 = known.map(|(ns, n, _)| ns * n).sum();
        let share = used.work().map(|work| sum / work * 100.0);
        let share = match share {
            None => String::new(),
            Some(share) if share < 0.05 => ": under 0.1 % of the work's CPU time".to_owned(),
            Some(share) => format!(": about {share:.1} % of the work's CPU time"),
        };
        (!texts.is_empty()).then(|| format!("{}{share}", texts.join(", ")))
    }
}

/// Below what can be told apart from nothing, it is said to be little and not none.
fn nanoseconds(ns: f64) -> String {
    if ns < 1.0 { "under 1 ns".to_owned() } else { format!("{ns:.0} ns") }
}

/// CPU time of one enter and exit in ns. `None` when a filter of the program keeps the recorder's own spans away.
fn measure_span() -> Option<f64> {
    let span = tracing::trace_span!(target: "inferscope::record", parent: None, "calibration");
    if span.is_disabled() {
        return None;
    }
    Some(added(|| span.enter()))
}

/// CPU time of one call and return of an operation in ns.
fn measure_operation() -> f64 {
    let site = site!("inferscope::record", "calibration", None);
    added(|| site.enter())
}

/// CPU time that counting adds to an allocation and its free in ns.
fn measure_allocation() -> f64 {
    let block = || black_box(Box::new([0u8; 48]));
    (added(block) - alloc::without_counting(|| added(block))).max(0.0)
}

/// Bytes that the work between two events touches: as many as the first cache of a core holds.
const TOUCHED: usize = 48 << 10;

/// What making and dropping a value adds to the work between, in ns: the best of a few rounds with it and without.
fn added<T>(make: impl Fn() -> T) -> f64 {
    const ROUNDS: u32 = 8;
    const TIMES: u32 = 100;
    const LINE: usize = 64;
    let mut memory = vec![0u8; TOUCHED];
    let mut work = || {
        memory.iter_mut().step_by(LINE).for_each(|byte| *byte = byte.wrapping_add(1));
        black_box(&mut memory);
    };
    let mut round = |with: bool| {
        let start = Instant::now();
        for _ in 0..TIMES {
            let made = with.then(&make);
            work();
            drop(made);
            work();
        }
        start.elapsed().as_nanos() as f64 / f64::from(TIMES)
    };
    let mut best = |with| (0..ROUNDS).map(|_| round(with)).fold(f64::INFINITY, f64::min);
    (best(true) - best(false)).max(0.0)
}
