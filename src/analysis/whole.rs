//! What shares are of: one rule for answers, reports and views.

use crate::format;

/// Sums that shares of costs are of. Totals of a call graph may hold more than all self costs together, such as built-in
/// functions that the tool left out, or calls that overlap. Tools print self costs as a share of the sum of self costs
/// (callgrind_annotate's «PROGRAM TOTALS», the seconds of pstats' first line), so each share is of its own sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// Sum of the self costs of all functions: what shares of self costs are of.
    pub own: i64,
    /// What shares of total costs are of: that sum, or what the outermost calls cost, if that is more.
    pub total: i64,
}

impl Whole {
    /// A sum that shares of both are of.
    #[must_use]
    pub fn both(sum: i64) -> Self {
        Self { own: sum, total: sum }
    }

    /// Both with what is `more`.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self { own: self.own.saturating_add(more.own), total: self.total.saturating_add(more.total) }
    }

    /// True when shares of self and of total costs are of one sum.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.own == self.total
    }

    /// The share of a self cost; `None` where it has none.
    #[must_use]
    pub fn own_share(self, cost: i64) -> Option<f64> {
        format::share(cost, self.own)
    }

    /// The share of a total cost; `None` where it has none.
    #[must_use]
    pub fn total_share(self, cost: i64) -> Option<f64> {
        format::share(cost, self.total)
    }
}
