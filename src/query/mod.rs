//! Questions about a profile, answered in the background and kept.
//!
//! A [`Query`] is a value that holds everything that matters to its answer: scope, metric, options.
//! The answer is kept under (run, revision, whole query), so the same question is computed once,
//! whoever asks, also for two who ask at the same time. A view asks every frame ([`Engine::ask`]) and paints what it
//! gets: the answer, or the last one while a new one is being computed. The window never waits.

mod engine;
mod flight;
mod store;
#[cfg(test)]
mod tests;

pub use engine::{Answer, Engine, Memory, Mode};
pub use flight::Context;
pub use store::KeptAnswer;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use crate::jobs::Cancelled;
use crate::model::Profile;

/// One revision of one run: what queries are asked about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Number of the run, unique in the process.
    pub run: u32,
    /// Counts up each time the run's profile is replaced (live recordings, partial pictures).
    pub revision: u64,
    /// The profile.
    pub profile: Arc<Profile>,
}

/// A question about one profile.
pub trait Query: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// The answer.
    type Output: Send + Sync + 'static;

    /// True when the answer keeps the profile alive. It is counted then, once for all answers about a revision.
    const KEEPS_PROFILE: bool = false;

    /// Computes the answer. Calls `cx.job().checkpoint` now and then; asks other queries with
    /// [`Context::get`].
    ///
    /// # Errors
    /// [`Cancelled`] when nobody wants the answer any more.
    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled>;

    /// Bytes that the answer holds, roughly, for the cache's budget.
    fn weight(output: &Self::Output) -> usize {
        size_of_val(output)
    }
}
