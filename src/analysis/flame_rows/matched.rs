//! How much of the cost a search finds: each path counts once, at its outermost match.

use crate::analysis::search::Pattern;
use crate::analysis::tree_costs::Costs;
use crate::analysis::tree_rows::outermost_sum;
use crate::jobs::Cancelled;
use crate::query::{Context, Query};

/// Asks for the [`MatchedShare`] of a search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matched {
    /// Which tree and costs.
    pub costs: Costs,
    /// The search text.
    pub search: String,
}

/// What a search finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchedShare {
    /// Cost at and below matching frames.
    pub matched: i64,
    /// All cost: the denominator.
    pub sum: i64,
    /// Functions that match.
    pub functions: usize,
    /// Number of tracks that the sum is over.
    pub tracks: usize,
}

impl Query for Matched {
    /// `None` when nothing is searched for.
    type Output = Option<MatchedShare>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let Some(pattern) = Pattern::new(&self.search) else { return Ok(None) };
        let costs = cx.get(&self.costs)?;
        let found = pattern.functions(cx.profile());
        let nodes = &costs.tree.nodes;
        let marked: Vec<bool> = nodes.iter().map(|n| found[n.symbol.function().index()]).collect();
        let mut functions: Vec<_> =
            nodes.iter().map(|n| n.symbol.function()).filter(|f| found[f.index()]).collect();
        functions.sort_unstable();
        functions.dedup();
        Ok(Some(MatchedShare {
            matched: outermost_sum(&costs, &marked),
            sum: costs.whole.total,
            functions: functions.len(),
            tracks: super::track_count(cx.profile(), &self.costs.0.scope),
        }))
    }
}
