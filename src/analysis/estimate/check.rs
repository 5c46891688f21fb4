//! How far a call tree is from the numbers of the function table.

use rustc_hash::FxHashMap;

use crate::analysis::call_graph::Labels;
use crate::analysis::functions::{Functions, tree_rows};
use crate::analysis::overview::Distribution;
use crate::analysis::path::Symbol;
use crate::analysis::tree_costs::Costs;
use crate::jobs::Cancelled;
use crate::query::{Context, Query};

/// Functions with less than this share of the whole are not compared.
const COMPARED: f64 = 0.01;

/// A number of the tree, and the recorded one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// Sum over the tree.
    pub tree: i64,
    /// As recorded.
    pub recorded: i64,
}

impl Pair {
    /// Their difference as a share of what is recorded; `None` when nothing is recorded.
    #[must_use]
    pub fn error(self) -> Option<f64> {
        let off = self.tree.saturating_sub(self.recorded).unsigned_abs();
        (self.recorded != 0).then(|| off as f64 / self.recorded.unsigned_abs() as f64)
    }
}

/// A function in the tree and in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// The function.
    pub symbol: Symbol,
    /// Own cost.
    pub own: Pair,
    /// Total: of the outermost places of the function.
    pub total: Pair,
}

/// A tree's sums beside the function table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors {
    /// Functions whose own cost or total is more than 1 % of the whole.
    pub functions: Vec<Compared>,
    /// Median and 90th percentile of relative errors of totals above 1 % of the whole; `None` without any.
    pub total: Option<(f64, f64)>,
    /// The same of own costs.
    pub own: Option<(f64, f64)>,
}

/// Computes the [`Errors`] of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check(pub Costs);

impl Query for Check {
    type Output = Errors;

    fn run(&self, cx: &Context<'_>) -> Result<Errors, Cancelled> {
        let costs = cx.get(&self.0)?;
        let table = cx.get(&Functions(self.0.0.clone()))?;
        let rows = tree_rows(&costs, &Labels::of(&costs), cx.job())?;
        let found: FxHashMap<(bool, u32), (i64, i64)> =
            rows.iter().map(|r| (r.symbol().key(), (r.own, r.total))).collect();
        let least = COMPARED * table.whole.total.unsigned_abs() as f64;
        let large = |cost: i64| cost.unsigned_abs() as f64 > least;
        let compared = table.rows.iter().filter(|r| large(r.own) || large(r.total)).map(|row| {
            let (own, total) = found.get(&row.symbol().key()).copied().unwrap_or_default();
            Compared {
                symbol: row.symbol(),
                own: Pair { tree: own, recorded: row.own },
                total: Pair { tree: total, recorded: row.total },
            }
        });
        let functions: Vec<Compared> = compared.collect();
        let of = |pair: fn(&Compared) -> Pair| {
            let errors = functions.iter().map(pair).filter(|p| large(p.recorded)).filter_map(Pair::error);
            Distribution::of(errors.collect()).map(|d| (d.p50, d.p90))
        };
        let (total, own) = (of(|f| f.total), of(|f| f.own));
        Ok(Errors { functions, total, own })
    }
}
