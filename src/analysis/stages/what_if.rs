//! What-ifs: stages dropped, shortened or run beside others, and the total that would come of it.

use super::net::{Arrow, Lengths, NONE, Net};
use super::{StageGraph, StageKey, Stages, Step, build};
use crate::jobs::Cancelled;
use crate::model::Profile;
use crate::query::{Context, Query};

/// What becomes of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change<S = StageKey> {
    /// It is left out.
    Drop,
    /// It takes so many thousandths of its time.
    Scale(u32),
    /// It starts together with another one that it waited for.
    Beside(S),
}

/// Changes of stages, in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct WhatIf {
    /// The changes. A stage has at most one length and one other stage that it runs beside.
    pub changes: Vec<(StageKey, Change)>,
}

impl WhatIf {
    /// True when nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes of a stage.
    pub fn of(&self, id: StageKey) -> impl Iterator<Item = Change> + '_ {
        self.changes.iter().filter(move |c| c.0 == id).map(|c| c.1)
    }

    /// The same with one change more, or without it if it was there. Another length takes the place of the
    /// one before.
    #[must_use]
    pub fn toggled(&self, id: StageKey, change: Change) -> Self {
        let mut next = self.clone();
        let had = next.of(id).any(|c| c == change);
        let is_beside = |c: Change| matches!(c, Change::Beside(_));
        next.changes.retain(|&(i, c)| i != id || is_beside(c) != is_beside(change));
        if !had {
            next.changes.push((id, change));
        }
        next
    }
}

/// What would come of changes: an estimate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// From the first start to the last end as measured, ns.
    pub before: i64,
    /// The same with the changes, ns.
    pub total: i64,
    /// Start and end of each stage with the changes.
    pub stages: Vec<(i64, i64)>,
    /// How much of each stage is then on the critical path, ns.
    pub on_path: Vec<i64>,
    /// Changes of stages that the graph does not have (another level, other tracks, another range).
    pub elsewhere: usize,
}

impl Outcome {
    /// Difference of the totals, negative for a gain, ns.
    #[must_use]
    pub fn difference(&self) -> i64 {
        self.total.saturating_sub(self.before)
    }
}

/// Computes the [`Outcome`] of changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Estimate {
    /// Of which graph.
    pub graph: Stages,
    /// Which changes.
    pub what_if: WhatIf,
}

impl Query for Estimate {
    type Output = Outcome;

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, Cancelled> {
        let graph = cx.get(&self.graph)?;
        cx.job().checkpoint(0, 0)?;
        Ok(outcome(&graph, &self.what_if, cx.profile()))
    }

    fn weight(outcome: &Outcome) -> usize {
        outcome.stages.len() * 24
    }
}

struct Changed(Vec<u32>);

impl Lengths for Changed {
    fn permille(&self, stage: u32) -> u32 {
        self.0.get(stage as usize).copied().unwrap_or(1000)
    }
}

/// What would come of `what_if` in a profile's graph.
#[must_use]
pub fn outcome(graph: &StageGraph, what_if: &WhatIf, profile: &Profile) -> Outcome {
    let stage = |key: StageKey| key.id(profile).and_then(|id| graph.find(id));
    let change = |change: Change| {
        Some(match change {
            Change::Drop => Change::Drop,
            Change::Scale(permille) => Change::Scale(permille),
            Change::Beside(other) => Change::Beside(stage(other)?),
        })
    };
    let here = |&(of, what): &(StageKey, Change)| Some((stage(of)?, change(what)?));
    let changes: Vec<(u32, Change<u32>)> = what_if.changes.iter().filter_map(here).collect();
    let elsewhere = what_if.changes.len() - changes.len();
    Outcome { elsewhere, ..solved(graph, &changes) }
}

/// What would come of changes of stages of the graph.
pub(super) fn solved(graph: &StageGraph, changes: &[(u32, Change<u32>)]) -> Outcome {
    let mut lengths = Changed(vec![1000; graph.stages.len()]);
    let mut beside = Vec::new();
    for &(stage, change) in changes {
        match change {
            Change::Drop => lengths.0[stage as usize] = 0,
            Change::Scale(permille) => lengths.0[stage as usize] = permille,
            Change::Beside(other) => beside.push((stage, other)),
        }
    }
    let moved = (!beside.is_empty()).then(|| {
        let mut net = graph.net.clone();
        beside.iter().for_each(|&(stage, other)| net.start_together(stage, other));
        net.sort();
        net
    });
    let net = moved.as_ref().unwrap_or(&graph.net);
    let times = net.solve(&lengths);
    let end = times.iter().copied().max().unwrap_or(graph.end);
    let mut on_path = vec![0i64; graph.stages.len()];
    for step in build::path(net, &times, graph.start, &lengths) {
        if let Step::Stage { stage, length } = step {
            on_path[stage as usize] = on_path[stage as usize].saturating_add(length);
        }
    }
    let at = |&(start, end): &(u32, u32)| (times[start as usize], times[end as usize]);
    Outcome {
        before: graph.total(),
        total: end.saturating_sub(graph.start),
        stages: net.of_stage.iter().map(at).collect(),
        on_path,
        elsewhere: 0,
    }
}

impl Net {
    /// Which of two stages starts first.
    pub(super) fn in_order(&self, a: u32, b: u32) -> (u32, u32) {
        let start = |stage: u32| self.events[self.of_stage[stage as usize].0 as usize].time;
        if start(a) <= start(b) { (a, b) } else { (b, a) }
    }

    /// Lets the later of two stages start with the earlier one. What it waited for it no longer waits for, but
    /// what comes after it still does: so that moves to its end.
    fn start_together(&mut self, a: u32, b: u32) {
        let (earlier, later) = self.in_order(a, b);
        let (from, (to, end)) = (self.of_stage[earlier as usize].0, self.of_stage[later as usize]);
        if earlier == later {
            return;
        }
        self.arrows.iter_mut().filter(|arrow| arrow.to == to).for_each(|arrow| arrow.to = end);
        self.arrows.push(Arrow { from, to, delay: 0, of: NONE, link: false });
        self.events[to as usize].gap = 0;
    }
}
