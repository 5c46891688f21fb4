//! What the person looks at: shared by all views of a run.

use super::Item;
use crate::analysis::{Scope, TimeRange};
use crate::model::{MetricId, Profile};

/// Shared view state of one run. Changed by [`super::Command`]s only.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Interaction {
    /// The metric that costs are shown in.
    pub metric: MetricId,
    /// Tracks and transforms.
    pub scope: Scope,
    /// The committed time range: every view aggregates over it.
    pub range: TimeRange,
    /// What is selected.
    pub selection: Option<Item>,
    /// What is searched for, in every view.
    pub search: String,
}

impl Interaction {
    /// The same state for another revision of the profile; what is gone is dropped.
    #[must_use]
    pub fn rekey(&self, from: &Profile, to: &Profile) -> Self {
        let metric = from.metrics.get(self.metric.index()).and_then(|m| to.metric_by_key(&m.key));
        let tracks = self
            .scope
            .tracks
            .iter()
            .filter_map(|&t| match Item::Track(t).rekey(from, to) {
                Some(Item::Track(t)) => Some(t),
                _ => None,
            })
            .collect();
        let transforms = self.scope.transforms.iter().filter_map(|t| rekey_transform(t, from, to)).collect();
        Self {
            metric: metric.unwrap_or_default(),
            scope: Scope { tracks, transforms },
            range: self.range,
            selection: self.selection.as_ref().and_then(|s| s.rekey(from, to)),
            search: self.search.clone(),
        }
    }
}

fn rekey_transform(
    transform: &crate::analysis::Transform,
    from: &Profile,
    to: &Profile,
) -> Option<crate::analysis::Transform> {
    use crate::analysis::Transform as T;
    let function = |f: crate::model::FunctionId| super::item::rekey_function(f, from, to);
    Some(match transform {
        T::FocusFunction(f) => T::FocusFunction(function(*f)?),
        T::MergeFunction(f) => T::MergeFunction(function(*f)?),
        T::DropFunction(f) => T::DropFunction(function(*f)?),
        T::FocusSubtree(path) => T::FocusSubtree(path.iter().map(|&f| function(f)).collect::<Option<_>>()?),
        T::CollapseModule(m) => T::CollapseModule(to.strings.find(from.text(*m))?),
        T::CollapseRecursion => T::CollapseRecursion,
        T::HideLibraries => T::HideLibraries,
    })
}
