//! What the person looks at: shared by all views.

use super::{Arrangement, Item};
use crate::analysis::align::AlignAt;
use crate::analysis::columns::Relative;
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::folding::Folding;
use crate::analysis::request_facets::Filter;
use crate::analysis::stages::WhatIf;
use crate::analysis::{Scope, TimeRange};
use crate::model::MetricKey;
use std::sync::Arc;

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
    /// Which requests are looked at, in every view about requests.
    pub requests: Filter,
    /// What is searched for, in every view.
    pub search: String,
}
