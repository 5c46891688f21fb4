//! What the person looks at: shared by all views of a run.

use super::{Arrangement, Item, Look};
use crate::analysis::folding::Folding;
use crate::analysis::source_file::SourceRule;
use crate::analysis::stages::{Change, StageId, WhatIf};
use crate::analysis::{Scope, TimeRange};
use crate::model::{MetricId, Profile};
use std::sync::Arc;

/// What percentages are a share of, in every view; each names its denominator beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relative {
    /// Costs as numbers only.
    Numbers,
    /// Of the sum of all self costs.
    #[default]
    Total,
    /// Of what is one level up: the caller, the function that is looked at, the box around.
    Parent,
}

impl Relative {
    /// All, with what a menu says.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Numbers, "Numbers only"), (Self::Total, "% of total"), (Self::Parent, "% of parent")];

    /// What a menu says.
    #[must_use]
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(r, _)| *r == self).map_or("", |(_, label)| label)
    }
}

/// Shared view state of one run. Changed by [`super::Command`]s only.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Interaction {
    /// The metric that costs are shown in.
    pub metric: MetricId,
    /// What percentages are a share of.
    pub relative: Relative,
    /// Tracks and transforms.
    pub scope: Scope,
    /// The committed time range: every view aggregates over it.
    pub range: TimeRange,
    /// How the lanes of the timeline are arranged; `None` until the person changes something.
    pub arrangement: Option<Arc<Arrangement>>,
    /// What the dependency graph shows as one node; `None` until the person changes something.
    pub folding: Option<Arc<Folding>>,
    /// What is selected.
    pub selection: Option<Item>,
    /// Changes of stages whose effect is estimated.
    pub what_if: WhatIf,
    /// What is searched for, in every view.
    pub search: String,
    /// Where source files are that the profile names otherwise.
    pub sources: Vec<SourceRule>,
}

impl Interaction {
    /// The same state for another revision of the profile; what is gone is dropped.
    #[must_use]
    pub fn rekey(&self, from: &Profile, to: &Profile) -> Self {
        Self {
            selection: self.selection.as_ref().and_then(|s| s.rekey(from, to)),
            what_if: rekey_what_if(&self.what_if, from, to),
            ..Look::of(self, from).applied_to(self, to)
        }
    }
}

fn rekey_what_if(what_if: &WhatIf, from: &Profile, to: &Profile) -> WhatIf {
    let stage = |id: StageId| match (Item::Span { track: id.track, row: id.row }).rekey(from, to) {
        Some(Item::Span { track, row }) => Some(StageId { track, row, ..id }),
        _ => None,
    };
    let change = |&(id, change): &(StageId, Change)| {
        let change = match change {
            Change::Beside(other) => Change::Beside(stage(other)?),
            change => change,
        };
        Some((stage(id)?, change))
    };
    WhatIf { changes: what_if.changes.iter().filter_map(change).collect() }
}
