//! Every change that a view can ask for.

use super::{Arrangement, Interaction, Item, Relative};
use crate::analysis::align::AlignAt;
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::folding::Folding;
use crate::analysis::request_facets::Filter;
use crate::analysis::stages::WhatIf;
use crate::analysis::{TimeRange, Transform};
use crate::model::{MetricKey, TrackKey};
use std::sync::Arc;

/// A change of the shared view state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Select something, or nothing.
    Select(Option<Item>),
    /// Show costs in another metric.
    SetMetric(MetricKey),
    /// Say what percentages are a share of.
    SetRelative(Relative),
    /// Relate the costs of two compared runs to something.
    SetNormalise(Normalise),
    /// Lay two compared runs over each other on this moment.
    SetAlign(AlignAt),
    /// Look at a part of the time, or at all of it.
    SetRange(TimeRange),
    /// Order, pin, hide, fold or size the lanes of the timeline.
    Arrange(Arc<Arrangement>),
    /// Say what the dependency graph shows as one node.
    Fold(Arc<Folding>),
    /// Look at some tracks only; empty for all.
    SetTracks(Vec<TrackKey>),
    /// Apply one more transform.
    Push(Transform),
    /// Keep the first `n` transforms (a click on a breadcrumb).
    KeepTransforms(usize),
    /// Change stages and see what total would come of it.
    WhatIf(WhatIf),
    /// Look at some requests only, in every view about requests.
    FilterRequests(Filter),
    /// Search in every view.
    Search(String),
    /// Look at it as before.
    Become(Box<Interaction>),
}

impl Command {
    /// Applies the change.
    pub fn apply(self, to: &mut Interaction) {
        match self {
            Self::Select(item) => to.selection = item,
            Self::SetMetric(metric) => to.metric = metric,
            Self::SetRelative(relative) => to.relative = relative,
            Self::SetNormalise(normalise) => to.normalise = normalise,
            Self::SetAlign(align) => to.align = align,
            Self::SetRange(range) => to.range = range.filter(|(from, to)| from < to),
            Self::Arrange(arrangement) => to.arrangement = Some(arrangement),
            Self::Fold(folding) => to.folding = Some(folding),
            Self::SetTracks(tracks) => to.scope.tracks = tracks,
            Self::Push(transform) => to.scope.transforms.push(transform),
            Self::KeepTransforms(n) => to.scope.transforms.truncate(n),
            Self::WhatIf(what_if) => to.what_if = what_if,
            Self::FilterRequests(filter) => to.requests = filter,
            Self::Search(text) => to.search = text,
            Self::Become(state) => *to = *state,
        }
    }

    /// True when several in a row are one step of undo (typing, dragging).
    #[must_use]
    pub fn merges_with(&self, before: &Self) -> bool {
        matches!(
            (self, before),
            (Self::Search(_), Self::Search(_))
                | (Self::Select(_), Self::Select(_))
                | (Self::SetAlign(AlignAt::By(_)), Self::SetAlign(AlignAt::By(_)))
        )
    }
}
