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

    /// True when both sums are one to a reader: they differ by less than what three digits show.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.own.abs_diff(self.total) <= self.total.unsigned_abs() / 1000
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::columns::{Relative, Shown, functions};
    use crate::analysis::function_list::FunctionList;
    use crate::analysis::testing::{ask, subject, symbol};
    use crate::analysis::{Costs, Functions, Slice};
    use crate::format::Value;

    #[test]
    fn a_share_of_a_self_cost_is_the_same_wherever_it_is_shown() {
        // The outermost call has 100, all self costs together 25: the tool left the rest out.
        let s = subject("fn main 1 5 100; fn f 2 20 60; main -> f 2 20 60");
        let list = ask(&s, &FunctionList::new(Functions(Slice::default()), Vec::new(), ""));
        let whole = list.table.whole;
        assert_eq!((whole, whole.is_one()), (Whole { own: 25, total: 100 }, false));
        let shown = Shown::of(Slice::default().metric, Relative::Total, &s.profile);
        let columns = functions::functions(&s.profile, &list.table, (&list.max, list.known), &[], &shown);
        let share = |key: &str| {
            let column = columns.iter().find(|c| c.key == key).unwrap();
            (column.value(&list.table.rows[0]), column.hint.clone())
        };
        let (own, hint) = share("self share");
        assert!(matches!(own, Value::Number(n) if n == 0.8), "{own:?}");
        assert!(hint.contains("the sum of all self"), "{hint}");
        let (total, hint) = share("total share");
        assert!(matches!(total, Value::Number(n) if n == 0.6), "{total:?}");
        assert!(hint.contains("the whole"), "{hint}");
        // Trees, callers and lines have the same sums.
        assert_eq!(ask(&s, &Costs(Slice::default())).whole, whole);
        let f = symbol(&s.profile, "f");
        let reach = crate::analysis::callers::Reach::Direct;
        let callers = crate::analysis::callers::Callers { slice: Slice::default(), function: f, reach };
        assert_eq!(ask(&s, &callers).whole, whole);
        let lines =
            crate::analysis::source_lines::Lines { slice: Slice::default(), function: f, whole_file: None };
        assert_eq!(ask(&s, &lines).whole, whole);
    }

    #[test]
    fn sums_that_look_alike_are_one() {
        assert!(Whole { own: 915_750, total: 915_752 }.is_one() && Whole::both(0).is_one());
        assert!(!Whole { own: 990, total: 1000 }.is_one() && !Whole { own: 0, total: 5 }.is_one());
    }
}
