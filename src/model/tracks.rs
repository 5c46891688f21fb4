//! Tracks and what lies on them in time: spans, samples, instants, counters, links.
//!
//! Times are `i64` nanoseconds since the profile's origin (see [`crate::model::Meta::origin_unix_ns`]).
//!
//! Spans of a track are stored in preorder within each lane, so a subtree is a contiguous run of rows
//! and a parent precedes its children. Spans that overlap without nesting (async work, GPU kernels)
//! are split into lanes when the profile is built; none is dropped. Ends that stick out by no more than times are
//! rounded are cut, and then the lengths are a column of [`SpanTable::costs`].

use super::attributes::ArgsRef;
use super::ids::{FunctionId, MetricId, StackId, StringId, TrackId};

/// What a track stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// An operating-system thread.
    Thread,
    /// An async task or coroutine.
    Task,
    /// A GPU stream or queue.
    GpuStream,
    /// Overlapping async operations of one kind.
    Async,
    /// Phases of a run (load, prefill, decode …).
    Phase,
    /// One profile of a file that has no threads.
    Profile,
    /// Work of other tracks once more: sums of it, or a choice. It belongs to no sum and no path.
    Summary,
    /// Spans whose times are not known: only their lengths mean something.
    Untimed,
}

impl TrackKind {
    /// The name used in reports and session files.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Task => "task",
            Self::GpuStream => "gpu_stream",
            Self::Async => "async",
            Self::Phase => "phase",
            Self::Profile => "profile",
            Self::Summary => "summary",
            Self::Untimed => "untimed",
        }
    }

    /// True for tracks that lie over the work of others: their time is no further work.
    #[must_use]
    pub fn is_view(self) -> bool {
        matches!(self, Self::Phase | Self::Summary)
    }
}

/// How the name of a [`TrackKind::Summary`] begins on which the steps of an event loop stand: each is one turn of a task, whose
/// name is its detail `task`.
pub const EVENT_LOOP: &str = "Event loop of ";

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
#[repr(u8)]
pub enum SpanStatus {
    /// Ended normally.
    #[default]
    Ok,
    /// Ended with an error.
    Error,
    /// Never ended in the file; drawn to the end of what encloses it, or of the trace.
    Unfinished,
}

/// No parent row.
pub const NO_ROW: u32 = u32::MAX;

/// One span. Rows of a track are in preorder within each lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Start, ns.
    pub start: i64,
    /// End, ns; never before `start`.
    pub end: i64,
    /// Details.
    pub args: ArgsRef,
    /// What ran.
    pub function: FunctionId,
    /// Row of the enclosing span of the same lane, or [`NO_ROW`].
    pub parent: u32,
    /// Nesting depth in the lane, 0 for an outermost span. Capped at 2^24 - 1.
    pub depth: u32,
    /// How it ended.
    pub status: SpanStatus,
}

impl Span {
    /// Length in ns.
    #[must_use]
    pub fn duration(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// A run of rows in which spans nest and never overlap otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Rows of the lane.
    pub rows: std::ops::Range<u32>,
    /// Depth of its deepest span + 1.
    pub depth: u32,
}

/// What called an outermost span of a lane, where that is a span of another lane or track: a branch of work
/// that runs beside its caller's other callees, a spawned task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Row of the called span.
    pub row: u32,
    /// Track of its caller.
    pub track: TrackId,
    /// Row of its caller.
    pub parent: u32,
}

/// The spans of one track.
#[derive(Clone, Debug, Default)]
pub struct SpanTable {
    /// All spans, lane by lane, each lane in preorder.
    pub rows: Vec<Span>,
    /// The lanes; their row ranges cover `rows` in order.
    pub lanes: Vec<Lane>,
    /// Further inclusive costs per row (busy time, bytes …) beside the duration.
    pub costs: Vec<(MetricId, Vec<i64>)>,
    /// Callers outside of their callee's lane, by row. Going from callee to caller never leads back.
    pub callers: Vec<Caller>,
}

impl SpanTable {
    /// First row after the subtree of `row`.
    #[must_use]
    pub fn subtree_end(&self, row: usize) -> usize {
        let depth = self.rows[row].depth;
        let lane_end = self.lanes.partition_point(|lane| lane.rows.end as usize <= row);
        let end = self.lanes.get(lane_end).map_or(self.rows.len(), |lane| lane.rows.end as usize);
        (row + 1..end).find(|&r| self.rows[r].depth <= depth).unwrap_or(end)
    }

    /// The span that called an outermost span of a lane, on another lane or track.
    #[must_use]
    pub fn caller(&self, row: u32) -> Option<(TrackId, u32)> {
        let at = self.callers.binary_search_by_key(&row, |c| c.row).ok()?;
        self.callers.get(at).map(|c| (c.track, c.parent))
    }

    /// First row after the subtree of each row, in one pass.
    #[must_use]
    pub fn subtree_ends(&self) -> Vec<u32> {
        let mut ends = vec![0u32; self.rows.len()];
        let mut open: Vec<u32> = Vec::new();
        for (row, span) in (0u32..).zip(&self.rows) {
            while let Some(ended) = open.pop_if(|o| *o != span.parent) {
                ends[ended as usize] = row;
            }
            open.push(row);
        }
        open.iter().for_each(|&o| ends[o as usize] = self.rows.len() as u32);
        ends
    }

    /// The rows of its lane that enclose `row`, innermost first, `row` itself included.
    pub fn ancestors(&self, row: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(row), |&r| {
            let parent = self.rows[r as usize].parent;
            (parent != NO_ROW).then_some(parent)
        })
    }

    /// The deepest span that covers time `t`, in the lane where that is deepest.
    #[must_use]
    pub fn innermost_at(&self, t: i64) -> Option<u32> {
        let mut best: Option<u32> = None;
        for lane in &self.lanes {
            let rows = &self.rows[lane.rows.start as usize..lane.rows.end as usize];
            let after = rows.partition_point(|s| s.start <= t);
            // Rows are sorted by start, so the covering span is the last starter or one of its ancestors.
            let found = (after > 0)
                .then(|| lane.rows.start + after as u32 - 1)
                .and_then(|last| self.ancestors(last).find(|&r| self.rows[r as usize].end > t));
            if let Some(row) = found
                && best.is_none_or(|b| self.rows[row as usize].depth > self.rows[b as usize].depth)
            {
                best = Some(row);
            }
        }
        best
    }

    /// Bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Span>()
            + self.costs.iter().map(|(_, c)| c.capacity() * 8).sum::<usize>()
            + self.callers.capacity() * size_of::<Caller>()
    }
}

/// The samples of one track, in time order when timed.
#[derive(Clone, Debug, Default)]
pub struct SampleTable {
    /// The stack of each sample; `None` when the tool had no stack.
    pub stacks: Vec<Option<StackId>>,
    /// Start of each sample, ns; empty when the samples have no time. Sample `i` lasts until
    /// `times[i + 1]`, the last one until `end`.
    pub times: Vec<i64>,
    /// End of the last sample, ns.
    pub end: i64,
    /// Weights per metric, one row per sample.
    pub weights: Vec<(MetricId, Vec<i64>)>,
}

/// How many samples each row of a [`SampleTable`] stands for: tools that sum equal stacks say it in a metric of its own.
#[derive(Clone, Copy, Debug)]
pub struct RowSamples<'a>(pub(super) Option<&'a [i64]>);

impl RowSamples<'_> {
    /// Those of a row.
    #[must_use]
    pub fn row(self, row: usize) -> u64 {
        match self.0 {
            Some(counts) => counts.get(row).map_or(0, |&n| n.max(0) as u64),
            None => 1,
        }
    }
}

impl SampleTable {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stacks.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty()
    }

    /// True when each sample has a time.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        !self.times.is_empty()
    }

    /// The time covered by sample `i`, when timed.
    #[must_use]
    pub fn interval(&self, i: usize) -> Option<(i64, i64)> {
        let start = *self.times.get(i)?;
        Some((start, self.times.get(i + 1).copied().unwrap_or(self.end).max(start)))
    }
}

/// A lane of time: a thread, a task, a GPU stream.
#[derive(Clone, Debug)]
pub struct Track {
    /// Name within the process.
    pub name: StringId,
    /// The process, device or group it belongs to; empty when there is only one.
    pub process: StringId,
    /// What it stands for.
    pub kind: TrackKind,
    /// Place among the tracks, ascending; ties keep the file's order.
    pub sort: i64,
    /// Its spans.
    pub spans: SpanTable,
    /// Its samples.
    pub samples: SampleTable,
}

/// How serious an event is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Detail.
    Debug,
    /// Ordinary.
    #[default]
    Info,
    /// Something odd.
    Warning,
    /// A failure.
    Error,
}

/// A thing that happened at one moment: an instant, a log line, a marker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instant {
    /// When, ns.
    pub time: i64,
    /// Where; `None` for the whole profile.
    pub track: Option<TrackId>,
    /// Its text.
    pub name: StringId,
    /// Details.
    pub args: ArgsRef,
    /// How serious.
    pub severity: Severity,
}

/// A cause that points to its effect: a flow arrow, a follows-from, a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Track and time of the cause.
    pub from: (TrackId, i64),
    /// Track and time of the effect.
    pub to: (TrackId, i64),
    /// Its name or category.
    pub name: StringId,
}

/// A level over time (memory, queue depth, busy percent): the value holds until the next point.
#[derive(Clone, Debug)]
pub struct Counter {
    /// Name («RSS»).
    pub name: StringId,
    /// The process or device; empty when there is only one.
    pub process: StringId,
    /// Unit of the values. `f64` because tools count in fractions; exact for integers to 2^53.
    pub unit: super::Unit,
    /// Times, ascending, ns.
    pub times: Vec<i64>,
    /// Values, as many as times.
    pub values: Vec<f64>,
}

impl Counter {
    /// Time and value of the highest point.
    #[must_use]
    pub fn peak(&self) -> Option<(i64, f64)> {
        self.values
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))
            .map(|(i, &v)| (self.times[i], v))
    }

    /// The value that holds at time `t`.
    #[must_use]
    pub fn at(&self, t: i64) -> Option<f64> {
        let after = self.times.partition_point(|&x| x <= t);
        after.checked_sub(1).map(|i| self.values[i])
    }
}
