//! What the person looks at: shared by all views.

use super::{Arrangement, Item};
use crate::analysis::align::AlignAt;
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::folding::Folding;
use crate::analysis::stages::WhatIf;
use crate::analysis::{Scope, TimeRange};
use crate::model::MetricKey;
use std::sync::Arc;

/// What percentages are a share of, in every view; each names its denominator beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relative {
    /// Costs as numbers only.
    Numbers,
    /// Of the whole.
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

/// Shared view state of what is shown. Everything in it is named by keys, so it outlives a revision and holds for both of
/// two compared runs. Changed by [`super::Command`]s only.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Interaction {
    /// The metric that costs are shown in.
    pub metric: MetricKey,
    /// What percentages are a share of.
    pub relative: Relative,
    /// In relation to what the costs of two compared runs are shown.
    pub normalise: Normalise,
    /// The moment on which two compared runs are laid over each other in time.
    pub align: AlignAt,
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
}
