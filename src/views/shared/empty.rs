//! Why a tree has nothing to show. Filters are blamed only where there are any.

use crate::analysis::functions::graph_of;
use crate::model::Profile;
use crate::state::Interaction;

/// The reason, in a sentence.
#[must_use]
pub fn why_no_tree(profile: &Profile, now: &Interaction) -> &'static str {
    if !now.scope.transforms.is_empty() || !now.scope.tracks.is_empty() || now.range.is_some() {
        return "The tracks, range and focus chosen leave no calls.";
    }
    let Some(graph) = graph_of(profile) else {
        return "Nothing here has a cost in this metric. Choose another one.";
    };
    let costs = graph.costs.iter().find(|c| c.metric == now.metric);
    let zero = costs.is_some_and(|c| c.node_self.iter().chain(&c.node_total).all(|&cost| cost == 0));
    if zero {
        "All costs of this metric in this file are 0. Functions and callers show how often each was called."
    } else if graph.edges.is_empty() {
        "This file names no callers, so there are no call paths. Functions show what each cost."
    } else {
        "Nothing here has a cost in this metric. Choose another one."
    }
}
