//! Work in the background that reports progress and can be cancelled.
//!
//! Long code calls [`Job::checkpoint`] now and then. That is the only obligation: the call returns an
//! error once somebody cancelled, and `?` carries it out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Jobs that need this one's result: they see its progress, and once all of them are cancelled, so is this one.
    wanted_by: Mutex<Vec<Job>>,
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

    /// A job whose result only `asker` needs: it is cancelled with it.
    #[must_use]
    pub fn wanted_by(asker: &Self) -> Self {
        let job = Self::new();
        job.wanted().push(asker.clone());
        job
    }

    /// Adds `asker` to those who need the result of a job made by [`Job::wanted_by`]. False when it is cancelled
    /// already: then it is too late.
    #[must_use]
    pub fn also_wanted_by(&self, asker: &Self) -> bool {
        // Under one lock, so that the job cannot be given up in between.
        let mut wanted = self.wanted();
        if self.given_up(&wanted) {
            return false;
        }
        wanted.retain(|other| !other.is_cancelled());
        wanted.push(asker.clone());
        true
    }

    fn wanted(&self) -> MutexGuard<'_, Vec<Self>> {
        self.state.wanted_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn given_up(&self, wanted: &[Self]) -> bool {
        if !wanted.is_empty() && wanted.iter().all(Self::is_cancelled) {
            self.cancel();
        }
        self.state.cancelled.load(Ordering::Relaxed)
    }

    /// Reports that `done` of `total` units are finished (`total` 0: unknown) and stops a cancelled job.
    ///
    /// # Errors
    /// [`Cancelled`] once [`Job::cancel`] was called.
    pub fn checkpoint(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.report(done, total);
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    fn report(&self, done: u64, total: u64) {
        self.state.done.store(done, Ordering::Relaxed);
        self.state.total.store(total, Ordering::Relaxed);
        for asker in self.wanted().iter() {
            asker.report(done, total);
        }
    }

    /// Asks the worker to stop at its next checkpoint.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Ordering::Relaxed);
    }

    /// True once somebody cancelled it, or everybody who wanted its result was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed) || self.given_up(&self.wanted())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_goes_on_while_anybody_wants_it() {
        let (one, other) = (Job::new(), Job::new());
        let shared = Job::wanted_by(&one);
        let below = Job::wanted_by(&shared);
        assert!(shared.also_wanted_by(&other));
        assert_eq!(below.checkpoint(3, 4), Ok(()));
        assert_eq!((one.progress(), other.progress()), (Some(0.75), Some(0.75)), "askers see the progress");
        one.cancel();
        assert!(!shared.is_cancelled() && !below.is_cancelled());
        other.cancel();
        assert!(shared.is_cancelled());
        assert_eq!(below.checkpoint(4, 4), Err(Cancelled));
        assert!(!shared.also_wanted_by(&Job::new()), "too late");
        assert!(!Job::new().is_cancelled());
    }
}
