//! Recording of running Rust code: spans, log lines, requests, memory, CPU and GPU.
//!
//! Anything that emits `tracing` spans can be recorded. inferscope brings [`WORKLOADS`] of its own; a
//! program of yours marks what it wants to see with [`scope!`](crate::scope), [`profiled!`](crate::profiled)
//! and [`phase!`](crate::phase), and records itself:
//!
//! ```no_run
//! use inferscope::export::{self, FORMATS};
//! use inferscope::record::{self, Options};
//!
//! inferscope::profiled! { // nests, returns the value, ends on panic; sync and async alike
//!     fn answer(question: &str) -> String {
//!         let _scope = inferscope::scope!("shout", bytes = question.len());
//!         question.to_uppercase()
//!     }
//! }
//!
//! let recording = record::begin("my app", Options::default())?;
//! answer("why?");
//! export::write_file(&FORMATS[0], &*recording.finish()?, "run.inferscope".as_ref())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that has a `tracing` subscriber already adds [`layer`] to it before anything creates spans, and names
//! the targets that it wants to see: `registry().with(record::layer().targets(["my_app"]))`. Its
//! `#[tracing::instrument]` functions are recorded then too. There is an example in `tests/examples`.
//!
//! Conventions: a field `error` marks a span as failed; a span made by [`phase!`](crate::phase) is a
//! phase of the run; `follows_from` becomes an arrow; [`request`] reports a call of a language model.
//!
//! Cost, on a 3 GHz server core: 32 bytes and 38 to 56 ns of CPU for an enter and its exit while recording (half of it
//! reading the clock), 24 to 39 ns for an operation of a model, 260 ns for a span that is also created and closed. While
//! not recording, 3 ns to enter a span that exists and 12 ns to create one: `tracing`'s own price with the `log` feature
//! that a library of the window turns on. Each recording measures anew and says so in its facts.
//!
//! Only this module names tokio and candle.

#[cfg(any(test, feature = "cuda"))]
mod activity;
mod alloc;
mod assemble;
mod clock;
mod context;
mod device;
mod gpu;
pub mod journal;
mod layer;
pub mod llm;
mod machine;
mod processes;
mod request;
mod roots;
mod sampler;
mod scope;
pub mod secrets;
mod session;
mod sink;
mod site;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod workloads;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::layer::SubscriberExt;

pub use alloc::{CountingAllocator, leave_out_this_thread};
pub use context::{Context, WorkloadError};
pub use device::device_span;
pub use layer::RecordLayer;
pub use request::{RequestHandle, request};
pub use scope::{Ongoing, ScopeGuard, begin, is_on};
pub use session::{OnRevision, Options, RecordError, Recording, Status, Work, count, finding, record};
#[doc(hidden)]
pub use tracing as __tracing; // for the macros, so that a program needs no tracing of its own
pub use workloads::{Param, ParamKind, Params, WORKLOADS, Workload};

/// True once our layer is part of the global subscriber (or of one that will be).
static INSTALLED: AtomicBool = AtomicBool::new(false);
static INSTALLING: Mutex<()> = Mutex::new(());

/// The layer that records. It decides for its whole subscriber what is on (nothing but its targets,
/// and nothing at all between recordings); beside other layers use [`RecordLayer::beside_others`].
#[must_use]
pub fn layer() -> RecordLayer {
    RecordLayer::default()
}

/// True while a recording runs.
#[must_use]
pub fn is_recording() -> bool {
    sink::is_on()
}

/// Prepares the process for recording. Call it first thing in `main`: it sets the number of threads of
/// the matrix products, which can only be done while there is no second thread.
pub fn install() {
    llm::set_matmul_threads();
    ensure_subscriber();
}

/// Makes our subscriber the global one, unless ours is there; false when somebody else's is.
fn ensure_subscriber() -> bool {
    let _guard = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if INSTALLED.load(Ordering::Relaxed) {
        return true;
    }
    let ours = tracing_subscriber::registry().with(layer());
    let set = tracing::subscriber::set_global_default(ours).is_ok();
    INSTALLED.store(set, Ordering::Relaxed);
    set
}

/// What a run of a workload is called, without secrets. Wrong parameters give the workload's own title.
#[must_use]
pub fn run_title(workload: &str, params: &[String]) -> String {
    let Some(&found) = WORKLOADS.iter().find(|w| w.id() == workload) else { return workload.into() };
    let title = Params::parse(found.params(), params).map(|p| found.run_title(&p));
    let title = title.unwrap_or_default();
    if title.is_empty() { found.title().into() } else { secrets::mask(&title).into_owned() }
}

/// Starts the recording of a workload of [`WORKLOADS`]. `params` are texts of the form `key=value`.
/// `on_revision` is called on a thread of the recorder with each frozen state on the way.
///
/// # Errors
/// [`RecordError::UnknownWorkload`], [`RecordError::Parameter`] with the reason, or
/// [`RecordError::ForeignSubscriber`].
pub fn start(
    workload: &str,
    params: &[String],
    options: Options,
    on_revision: OnRevision,
) -> Result<Recording, RecordError> {
    let Some(&workload) = WORKLOADS.iter().find(|w| w.id() == workload) else {
        return Err(RecordError::UnknownWorkload(workload.into()));
    };
    let params = Params::parse(workload.params(), params).map_err(RecordError::Parameter)?;
    let mut facts = vec![("Workload".to_owned(), workload.id().to_owned())];
    facts.extend(params.changed().map(|(param, value)| (param.label.to_owned(), value.to_owned())));
    let (title, other_process) = (workload.run_title(&params), workload.other_process());
    let run = Box::new(move |cx: &Context| workload.run(&params, cx));
    let work = Work { title, facts, run, other_process };
    record(work, options, on_revision)
}

/// A phase of the run (load, prefill …), from here until the value is dropped.
///
/// ```
/// let loading = inferscope::phase!("load");
/// // …
/// drop(loading);
/// ```
#[macro_export]
macro_rules! phase {
    ($name:literal $(, $($fields:tt)*)?) => {
        $crate::record::__tracing::info_span!(target: "inferscope::phase", parent: None, $name $(, $($fields)*)?)
    };
}
