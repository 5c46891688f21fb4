//! Recording of running Rust code: spans, log lines, requests, memory, CPU and GPU.
//!
//! Anything that emits `tracing` spans can be recorded. inferscope brings [`WORKLOADS`] of its own; a
//! program of yours marks what it wants to see with [`scope!`](crate::scope), [`profiled!`](crate::profiled)
//! and [`phase!`](crate::phase), and records itself:
//!
//! ```no_run
//! use inferscope::export;
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
//! export::write_session(&*recording.finish()?, "run.inferscope".as_ref())?;
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
//! The recorder alone, for a program that records itself, is `inferscope = { version = "0.1", default-features = false }`:
//! no window, no model, no async runtime. The feature `workloads` adds the built-in recordings, `window` the viewer.
//!
//! Only this module names tokio and candle, and only its workloads and models do.

#![cfg_attr(
    not(feature = "workloads"),
    allow(dead_code, reason = "parts that only the built-in workloads call")
)]

#[cfg(any(all(test, feature = "workloads"), feature = "cuda"))]
mod activity;
mod alloc;
mod assemble;
#[cfg(feature = "workloads")]
mod calls;
mod clock;
mod context;
mod cost;
mod device;
pub mod echo;
mod freezer;
mod gpu;
pub mod journal;
mod layer;
#[cfg(feature = "workloads")]
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
#[cfg(feature = "workloads")]
mod stacks;
#[cfg(test)]
#[cfg(feature = "workloads")]
mod testing;
#[cfg(test)]
#[cfg(feature = "workloads")]
mod tests;
mod words;
#[cfg(feature = "workloads")]
pub mod workloads;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::layer::SubscriberExt;

pub use alloc::{CountingAllocator, leave_out_this_thread};
pub use context::{Context, StopSignal, WorkloadError};
pub use device::device_span;
pub use layer::RecordLayer;
pub use request::{RequestHandle, request};
pub use roots::request_span;
pub use scope::{Ongoing, ScopeGuard, begin, is_on};
pub use session::{OnRevision, Options, RecordError, Recording, Status, Work, count, finding, record};
#[doc(hidden)]
pub use tracing as __tracing; // for the macros, so that a program needs no tracing of its own
pub use words::split as split_words;
#[cfg(feature = "workloads")]
pub use workloads::{Param, ParamKind, Params, WORKLOADS, Workload, run_title, runs_in_recorder, start};

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
    #[cfg(feature = "workloads")]
    llm::set_matmul_threads();
    ensure_subscriber();
}

/// A command with the environment as the user had it: [`install`] may have changed that of this process. Every program that we start
/// is started so.
#[must_use]
#[cfg(feature = "workloads")]
pub fn program(program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    llm::forget_matmul_threads(&mut command);
    command
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
