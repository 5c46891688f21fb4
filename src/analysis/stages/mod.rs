//! The stage graph: what waited for what, which chain of stages decided the end, and what a change would bring.
//!
//! A stage is a span without callees, a span at the chosen level, or a stretch of a caller's own time between
//! its callees. Marks of a profiler around other work (`ProfilerStep#5`) are none, nor are callers of one thing that takes all
//! of their time: what they called stands in their place. Stages wait for those that ended before them in the same caller or track, for their
//! spawner, and for the causes of links. What lies between two of them and has no stage of its own is a gap.
//!
//! All dependencies are between events (start and end of a stage or a caller): an event is at the latest of
//! what it waits for, plus the measured gap. So the measured times are a solution, the critical path is found by
//! walking back, slack by a pass from the end, and a what-if by solving again with other lengths. What single
//! changes would bring is read off the paths that cross them ([`Gains`]). What-ifs are
//! estimates: a wait that no caller, order or link tells of stays where it was.

mod build;
mod by_name;
mod forest;
mod gains;
mod net;
mod rows;
#[cfg(test)]
pub(crate) mod tests;
mod what_if;

pub use by_name::{NameGain, NameGains};
pub use gains::{Gain, Gains};
pub use rows::{Row, Rows, StageRows};
pub use what_if::{Change, Estimate, Outcome, WhatIf};

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::jobs::Cancelled;
use crate::model::{FunctionId, NO_ROW, Profile, SpanKey, SpanStatus, TrackId};
use crate::query::{Context, Query};

use super::scope::{Scope, TimeRange};
use net::Net;

/// Names a stage within a revision of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageId {
    /// Track of its span.
    pub track: TrackId,
    /// Row of its span.
    pub row: u32,
    /// 0 for the whole span, otherwise which stretch of its own time.
    pub part: u32,
}

/// Names a stage in all revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageKey {
    /// Its span.
    pub span: SpanKey,
    /// 0 for the whole span, otherwise which stretch of its own time.
    pub part: u32,
}

impl StageId {
    /// What it is in all revisions; `None` when the profile has no such span.
    #[must_use]
    pub fn key(self, profile: &Profile) -> Option<StageKey> {
        Some(StageKey { span: profile.span_key(self.track, self.row)?, part: self.part })
    }
}

impl StageKey {
    /// The stage in one revision; `None` when the profile has no such span.
    #[must_use]
    pub fn id(self, profile: &Profile) -> Option<StageId> {
        let (track, row) = profile.find_span(self.span)?;
        Some(StageId { track, row, part: self.part })
    }
}

/// A stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Which.
    pub id: StageId,
    /// What ran.
    pub function: FunctionId,
    /// Start, ns.
    pub start: i64,
    /// End, ns.
    pub end: i64,
    /// How its span ended.
    pub status: SpanStatus,
    /// Time in which it was polled, where the recorder knows; the rest it waited.
    pub busy: Option<i64>,
    /// Row within its track: stages of a row do not overlap.
    pub lane: u32,
    /// How much later it could end without a later end of the whole, ns.
    pub slack: i64,
    /// How much of it is on the critical path, ns.
    pub on_path: i64,
    /// True when it is on the critical path, be it for a moment only.
    pub critical: bool,
}

impl Stage {
    /// True for what is left of a call that nobody called without what it called: the main function of a program, which nobody can
    /// leave out.
    pub(super) fn is_rest_of_all(&self, profile: &Profile) -> bool {
        let spans = &profile.track(self.id.track).spans;
        let is_root = spans.rows.get(self.id.row as usize).is_some_and(|span| span.parent == NO_ROW);
        self.id.part > 0 && is_root && !spans.callers.iter().any(|caller| caller.row == self.id.row)
    }

    /// Length, ns.
    #[must_use]
    pub fn duration(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// One stage waits for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageEdge {
    /// The stage that is waited for.
    pub from: u32,
    /// The stage that waits.
    pub to: u32,
    /// True for a link of the profile (a flow, a launch).
    pub link: bool,
    /// True when the critical path goes along it.
    pub critical: bool,
}

/// A stretch of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A stage, or the part of it up to what it started.
    Stage {
        /// Which.
        stage: u32,
        /// Length on the path, ns.
        length: i64,
    },
    /// No stage of the path ran.
    Gap {
        /// Start, ns.
        from: i64,
        /// End, ns.
        to: i64,
        /// False when nothing is known that ran before it: a missing link, or the start of another track.
        explained: bool,
    },
}

/// A track with stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageTrack {
    /// Which.
    pub track: TrackId,
    /// Number of its rows.
    pub lanes: u32,
}

/// What stages of one name take of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathShare {
    /// Their name.
    pub function: FunctionId,
    /// How many they are.
    pub stages: usize,
    /// Their length there, ns.
    pub length: i64,
    /// The one that is longest there.
    pub longest: u32,
}

/// The graph.
#[derive(Clone, Debug, Default)]
pub struct StageGraph {
    /// Stages by start.
    pub stages: Vec<Stage>,
    /// Who waited for whom, by the waiting stage. Of many that one stage waited for only some are listed.
    pub edges: Vec<StageEdge>,
    /// Tracks with stages, in display order.
    pub tracks: Vec<StageTrack>,
    /// The critical path from the start to the end; its lengths add up to the total.
    pub path: Vec<Step>,
    /// Stages on it summed up by name, longest first.
    pub path_names: Vec<PathShare>,
    /// Time on the critical path outside of stages, ns: that which a known wait explains, and the rest.
    pub path_gaps: (i64, i64),
    /// Start of the first stage, ns.
    pub start: i64,
    /// End of the last one, ns.
    pub end: i64,
    /// The deepest level that is shown: spans with so many callers are stages as a whole. Unless it was chosen,
    /// each track has its own.
    pub level: u32,
    /// Deepest level there is.
    pub deepest: u32,
    /// Spans that are not considered because there are too many.
    pub left_out: usize,
    net: Net,
}

impl StageGraph {
    /// From the first start to the last end, ns.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    /// What part of the total stages of the critical path take; the rest are gaps. `None` without length.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let on_path = self.path_names.iter().map(|s| s.length).fold(0, i64::saturating_add);
        (self.total() > 0).then(|| on_path as f64 / self.total() as f64)
    }

    /// The stage with an id.
    #[must_use]
    pub fn find(&self, id: StageId) -> Option<u32> {
        self.stages.iter().position(|s| s.id == id).map(|i| i as u32)
    }

    /// Stages on the critical path, in order, with their lengths there.
    pub fn path_stages(&self) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.path.iter().filter_map(|step| match *step {
            Step::Stage { stage, length } => Some((stage, length)),
            Step::Gap { .. } => None,
        })
    }

    fn sum_path_by_name(&self) -> Vec<PathShare> {
        let mut by_name: FxHashMap<FunctionId, (PathShare, i64)> = FxHashMap::default();
        for (stage, length) in self.path_stages().filter(|s| s.1 > 0) {
            let function = self.stages[stage as usize].function;
            let first = PathShare { function, stages: 0, length: 0, longest: stage };
            let (sum, longest) = by_name.entry(function).or_insert((first, length));
            sum.stages += 1;
            sum.length = sum.length.saturating_add(length);
            if length > *longest {
                (sum.longest, *longest) = (stage, length);
            }
        }
        let mut sums: Vec<PathShare> = by_name.into_values().map(|s| s.0).collect();
        sums.sort_by_key(|s| (Reverse(s.length), s.function));
        sums
    }

    /// [`Self::path_gaps`] of the path.
    fn sum_gaps(&self) -> (i64, i64) {
        self.path.iter().fold((0, 0), |(known, unknown), step| match *step {
            Step::Gap { from, to, explained: true } => (known + (to - from), unknown),
            Step::Gap { from, to, explained: false } => (known, unknown + (to - from)),
            Step::Stage { .. } => (known, unknown),
        })
    }

    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.stages.len() * size_of::<Stage>()
            + self.edges.len() * size_of::<StageEdge>()
            + self.path.len() * size_of::<Step>()
            + self.path_names.len() * size_of::<PathShare>()
            + self.net.heap_bytes()
    }
}

/// Computes the [`StageGraph`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Stages {
    /// Which tracks; changes of call paths do not matter here.
    pub scope: Scope,
    /// Only what touches this time.
    pub range: TimeRange,
    /// Spans with so many callers are stages as a whole; `None` for the deepest level of each track
    /// that still can be overlooked.
    pub level: Option<u32>,
}

impl Query for Stages {
    type Output = StageGraph;

    fn run(&self, cx: &Context<'_>) -> Result<StageGraph, Cancelled> {
        build::build(cx.profile(), self, cx.job())
    }

    fn weight(graph: &StageGraph) -> usize {
        graph.heap_bytes()
    }
}

/// True when a profile has work that ran in tasks, on streams or along links, so that a critical path says more
/// than the order of calls.
#[must_use]
pub fn has_stages(profile: &Profile) -> bool {
    use crate::model::TrackKind::{Async, GpuStream, Task};
    profile.span_count() > 1
        && (!profile.links.is_empty()
            || profile
                .tracks
                .iter()
                .any(|t| !t.spans.rows.is_empty() && matches!(t.kind, Task | Async | GpuStream)))
}
