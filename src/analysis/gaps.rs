//! Cost that is in totals of an estimated tree, but in no node's own cost.

use crate::format;
use crate::model::Unit;

/// Why a part of a node's total is in nothing below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gap {
    /// Small paths and recursion that were not followed.
    NotPlaced,
    /// The file has it in a total, but in no function's own cost.
    Unaccounted,
}

impl Gap {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::NotPlaced, Self::Unaccounted];

    /// What stands on its box.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NotPlaced => "[not placed]",
            Self::Unaccounted => "[not accounted for]",
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::NotPlaced => {
                "Small paths and recursion that were not followed; focus on the caller to see more of them"
            }
            Self::Unaccounted => {
                "Part of the caller's recorded total, but of no function's self cost: what the tool left out, \
                 such as built-in functions"
            }
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::NotPlaced => "in small or recursive paths",
            Self::Unaccounted => "not accounted for by any function",
        }
    }
}

/// Gaps by node. With them, a node's own cost and its children's totals add up to its total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Small paths and recursion that were not followed, by the node that they start from.
    pub not_placed: Vec<i64>,
    /// Cost that the file has in no function's own cost, by node.
    pub unaccounted: Vec<i64>,
    /// What the totals of all roots leave of the whole.
    pub above: i64,
}

impl Gaps {
    /// A gap of a node, or beside the roots.
    #[must_use]
    pub fn cost(&self, node: Option<u32>, gap: Gap) -> i64 {
        match (node, gap) {
            (None, Gap::NotPlaced) => self.above,
            (None, Gap::Unaccounted) => 0,
            (Some(node), Gap::NotPlaced) => self.not_placed.get(node as usize).copied().unwrap_or(0),
            (Some(node), Gap::Unaccounted) => self.unaccounted.get(node as usize).copied().unwrap_or(0),
        }
    }

    /// Gaps of a node, or beside the roots, that are more than nothing.
    pub fn of(&self, node: Option<u32>) -> impl Iterator<Item = (Gap, i64)> {
        let costs = Gap::ALL.map(|gap| (gap, self.cost(node, gap)));
        costs.into_iter().filter(|g| g.1 > 0)
    }

    /// Sum of a kind over all nodes.
    #[must_use]
    pub fn sum(&self, gap: Gap) -> i64 {
        match gap {
            Gap::NotPlaced => self.not_placed.iter().fold(self.above, |a, &b| a.saturating_add(b)),
            Gap::Unaccounted => self.unaccounted.iter().fold(0, |a, &b| a.saturating_add(b)),
        }
    }

    /// «27.9 s, 54 %, in small or recursive paths», for each kind that is worth it. `sum` is the whole.
    #[must_use]
    pub fn words(&self, unit: Unit, sum: i64) -> Vec<String> {
        let share = |cost: i64| cost as f64 / sum.max(1) as f64;
        let sums = Gap::ALL.map(|gap| (gap, self.sum(gap)));
        let worth = sums.into_iter().filter(|&(_, cost)| share(cost) >= 0.0005);
        worth
            .map(|(gap, cost)| {
                format!("{}, {}, {}", format::cost(unit, cost), format::percent(share(cost)), gap.place())
            })
            .collect()
    }
}
