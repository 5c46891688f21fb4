//! Questions about one run or two, answered in the background and kept.
//!
//! A [`Query`] is a value that holds everything that matters to its answer: scope, metric, options.
//! The answer is kept under (run, revision, whole query), so the same question is computed once,
//! whoever asks, also for two who ask at the same time. A view asks every frame ([`Engine::ask`]) and paints what it
//! gets: the answer, or the last one while a new one is being computed. The window never waits.
//!
//! A question about two runs is a `Query<Pair>`. It asks questions about either of them, so every answer that exists for
//! one run is half of its difference:
//!
//! ```
//! use inferscope::jobs::Cancelled;
//! use inferscope::query::{Context, Pair, Query};
//!
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! struct Spans;
//!
//! impl Query for Spans {
//!     type Output = i64;
//!     fn run(&self, cx: &Context<'_>) -> Result<i64, Cancelled> {
//!         Ok(cx.profile().span_count() as i64)
//!     }
//! }
//!
//! /// How many more spans the later run has.
//! impl Query<Pair> for Spans {
//!     type Output = i64;
//!     fn run(&self, cx: &Context<'_, Pair>) -> Result<i64, Cancelled> {
//!         Ok(*cx.head().get(self)? - *cx.base().get(self)?)
//!     }
//! }
//! ```

mod engine;
mod flight;
mod store;
mod subject;
#[cfg(test)]
mod tests;

pub use engine::{Answer, Engine, Memory, Mode};
pub use flight::Context;
pub use store::KeptAnswer;
pub use subject::{About, Alignment, MatchRule, Pair, Revision, Run, RunId, Step, Subject, SubjectId, Topic};

use std::fmt::Debug;
use std::hash::Hash;

use crate::jobs::Cancelled;

/// A question about one run, or about two ([`Pair`]). It names things by keys, so that it can be asked of any run.
pub trait Query<T: Topic = Run>: Clone + Debug + Eq + Hash + Send + Sync + 'static {
    /// The answer.
    type Output: Send + Sync + 'static;

    /// True when the answer keeps the profile (of a pair: both) alive. It is counted then, once for all answers about
    /// a revision.
    const KEEPS_PROFILE: bool = false;

    /// Computes the answer. Calls `cx.job().checkpoint` now and then; asks other queries with
    /// [`Context::get`].
    ///
    /// # Errors
    /// [`Cancelled`] when nobody wants the answer any more.
    fn run(&self, cx: &Context<'_, T>) -> Result<Self::Output, Cancelled>;

    /// Bytes that the answer holds, roughly, for the cache's budget.
    fn weight(output: &Self::Output) -> usize {
        size_of_val(output)
    }
}
