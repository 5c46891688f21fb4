//! Work in the background that reports progress and can be cancelled.
//!
//! Long code calls [`Job::checkpoint`] now and then. That is the only obligation: the call returns an
//! error once somebody cancelled, and `?` carries it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Somebody cancelled the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cancelled")
    }
}

impl std::error::Error for Cancelled {}

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

/// A handle on a piece of work: its worker reports progress, anybody may cancel it.
#[derive(Clone, Debug, Default)]
pub struct Job {
    state: Arc<State>,
}

impl Job {
    /// A fresh job.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports that `done` of `total` units are finished (`total` 0: unknown) and stops a cancelled job.
    ///
    /// # Errors
    /// [`Cancelled`] once [`Job::cancel`] was called.
    pub fn checkpoint(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.state.done.store(done, Ordering::Relaxed);
        self.state.total.store(total, Ordering::Relaxed);
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// Asks the worker to stop at its next checkpoint.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
    }

    /// True once somebody cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }

    /// Finished share from 0 to 1; `None` while the total is unknown.
    #[must_use]
    pub fn progress(&self) -> Option<f32> {
        let total = self.state.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.state.done.load(Ordering::Relaxed) as f32 / total as f32).min(1.0))
    }

    /// Finished units.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.state.done.load(Ordering::Relaxed)
    }
}

/// Runs `work` on a thread of its own called `name`.
///
/// # Panics
/// When the system cannot start a thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    #[expect(clippy::expect_used, reason = "no thread, no program")]
    std::thread::Builder::new().name(name.into()).spawn(work).expect("the system starts a thread")
}
