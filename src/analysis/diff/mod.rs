//! Two runs compared: what each row costs in the baseline («base») and in the new run («head»).
//!
//! Δ is head − base everywhere. A relative change is a share of the base of the same row and exists only where that is
//! positive; beside it stand the points by which the row's share of the whole changed. A row that one run lacks has no
//! value there (it is «new» or «gone»), which is neither 0 nor −100 %. Self costs of all rows add up to the totals, so
//! the Δ of the rows add up to the Δ of the totals.
//!
//! Rows are paired by what functions are called, in graded steps ([`super::matches`]); each pair keeps the step that found it.
//! A side is one run or several repetitions of it; of several the median counts ([`evidence`]).

#[cfg(feature = "window")]
pub mod assembly;
pub mod callers;
pub mod elsewhere;
pub mod evidence;
pub mod functions;
pub mod graph;
pub mod headline;
pub mod heap;
mod known_calls;
pub mod list;
pub mod metrics;
pub mod normalise;
pub mod paths;
pub mod requests;
pub mod settings;
pub mod shifts;
pub mod source;
pub mod story;
pub mod tables;
pub mod traces;
pub mod tree;

/// What a row is: in both runs, or in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// In both runs.
    Both,
    /// Only in the new run.
    New,
    /// Only in the baseline.
    Gone,
    /// A call path that only one run has: the other makes each of its calls, but its paths are estimated, and this one is not among
    /// them. What it costs there is not known.
    NotPlaced,
}

impl State {
    /// The word of tables and JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::New => "new",
            Self::Gone => "gone",
            Self::NotPlaced => "not placed",
        }
    }

    /// False where the cost of one side is not known, so that there is no change.
    #[must_use]
    pub fn has_change(self) -> bool {
        self != Self::NotPlaced
    }
}

/// A figure of both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Two<T> {
    /// In the baseline; `None` where it is unknown or the row is not there.
    pub base: Option<T>,
    /// In the new run.
    pub head: Option<T>,
}

impl<T> Default for Two<T> {
    fn default() -> Self {
        Self { base: None, head: None }
    }
}

impl<T> Two<T> {
    /// A figure that both runs have.
    #[must_use]
    pub fn both(base: T, head: T) -> Self {
        Self { base: Some(base), head: Some(head) }
    }

    /// The same of a part of the figure.
    #[must_use]
    pub fn map<U>(self, f: impl Fn(T) -> U) -> Two<U> {
        Two { base: self.base.map(&f), head: self.head.map(&f) }
    }

    /// A part that the figure may not have.
    #[must_use]
    pub fn and_then<U>(self, f: impl Fn(T) -> Option<U>) -> Two<U> {
        Two { base: self.base.and_then(&f), head: self.head.and_then(&f) }
    }

    /// Where it is known; `None` when nowhere.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        match (self.base.is_some(), self.head.is_some()) {
            (true, true) => Some(State::Both),
            (true, false) => Some(State::Gone),
            (false, true) => Some(State::New),
            (false, false) => None,
        }
    }
}

impl Two<i64> {
    /// head − base. A side that lacks the row costs nothing there; `None` when neither has it.
    #[must_use]
    pub fn delta(self) -> Option<i64> {
        self.state()?;
        Some(self.head.unwrap_or(0).saturating_sub(self.base.unwrap_or(0)))
    }

    /// Δ as a share of base; `None` unless both sides have the row and base is positive.
    #[must_use]
    pub fn relative(self) -> Option<f64> {
        let (base, head) = (self.base?, self.head?);
        (base > 0).then(|| (head as f64 - base as f64) / base as f64)
    }
}

/// Costs of a function or a path on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Its own.
    pub own: i64,
    /// Its own and those of all that it called.
    pub total: i64,
}

/// A function or a path on both sides.
pub trait Compared {
    /// Its costs; a side that does not have it has none.
    fn costs(&self) -> Two<Cost>;

    /// Own costs.
    fn own(&self) -> Two<i64> {
        self.costs().map(|c| c.own)
    }

    /// Total costs.
    fn total(&self) -> Two<i64> {
        self.costs().map(|c| c.total)
    }

    /// True where the run without costs has it, too, but its estimated call paths do not lead to it.
    fn unplaced(&self) -> bool {
        false
    }

    /// In both runs, or in which.
    fn state(&self) -> State {
        if self.unplaced() { State::NotPlaced } else { self.costs().state().unwrap_or(State::Both) }
    }

    /// Δ of the own costs; `None` where a side's are not known.
    fn own_change(&self) -> Option<i64> {
        self.own().delta().filter(|_| self.state().has_change())
    }

    /// Δ of the total costs.
    fn total_change(&self) -> Option<i64> {
        self.total().delta().filter(|_| self.state().has_change())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_lacks_is_new_or_gone_and_has_no_percentage() {
        let new = Two { base: None, head: Some(36) };
        assert_eq!((new.delta(), new.relative(), new.state()), (Some(36), None, Some(State::New)));
        let gone = Two { base: Some(60), head: None };
        assert_eq!((gone.delta(), gone.relative(), gone.state()), (Some(-60), None, Some(State::Gone)));
        assert_eq!((Two::<i64>::default().delta(), Two::<i64>::default().state()), (None, None));
        assert_eq!(Two::both(100, 150).relative(), Some(0.5));
        assert_eq!((Two::both(0, 5).relative(), Two::both(-4, 5).relative()), (None, None));
    }
}
