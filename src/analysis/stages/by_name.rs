//! What changing all stages of a name would bring: seventeen steps of a loop are one thing to a person who thinks of
//! making them faster.

use super::what_if::{Change, WhatIf, solved};
use super::{StageGraph, Stages};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile};
use crate::query::{Context, Query};

/// What changing all stages of a name would bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameGain {
    /// The name.
    pub function: FunctionId,
    /// How many stages have it.
    pub stages: usize,
    /// Time saved without them, ns.
    pub dropped: i64,
    /// Time saved when they take half the time, ns.
    pub halved: i64,
}

/// Computes the [`NameGain`]s of the names that take most of the critical path, by gain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameGains {
    /// Of which graph.
    pub graph: Stages,
    /// Of how many names.
    pub most: usize,
}

impl Query for NameGains {
    type Output = Vec<NameGain>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<NameGain>, Cancelled> {
        let graph = cx.get(&self.graph)?;
        let mut gains = Vec::new();
        for share in &graph.path_names {
            if gains.len() >= self.most {
                break;
            }
            cx.job().checkpoint(0, 0)?;
            let stages: Vec<u32> = of_name(&graph, share.function).collect();
            if stages.iter().all(|&stage| graph.stages[stage as usize].is_rest_of_all(cx.profile())) {
                continue;
            }
            let saved = |change: Change<u32>| {
                let changes: Vec<_> = stages.iter().map(|&stage| (stage, change)).collect();
                solved(&graph, &changes).difference().saturating_neg()
            };
            let (dropped, halved) = (saved(Change::Drop), saved(Change::Scale(500)));
            gains.push(NameGain { function: share.function, stages: stages.len(), dropped, halved });
        }
        gains.sort_by_key(|g| (std::cmp::Reverse(g.dropped), g.function));
        Ok(gains)
    }
}

fn of_name(graph: &StageGraph, function: FunctionId) -> impl Iterator<Item = u32> + '_ {
    (0u32..).zip(&graph.stages).filter(move |(_, s)| s.function == function).map(|(i, _)| i)
}

impl WhatIf {
    /// The same change of all stages of a name.
    #[must_use]
    pub fn of_name(graph: &StageGraph, function: FunctionId, change: Change, profile: &Profile) -> Self {
        let key = |stage: u32| graph.stages[stage as usize].id.key(profile);
        Self { changes: of_name(graph, function).filter_map(key).map(|key| (key, change)).collect() }
    }
}
