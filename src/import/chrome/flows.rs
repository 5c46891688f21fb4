//! Arrows from a cause to its effect: flow events, `bind_id` of spans, and the correlation ids by which the
//! PyTorch profiler joins a call on the CPU with the work that it started on the GPU.
//!
//! The ends of an arrow stand anywhere in the file, so they are collected and joined at the end, in the
//! order of time.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::oddities::{Odd, Oddities};
use super::tracks::Id;
use crate::model::{Link, ProfileBuilder, StringId, TrackId};

/// What an event does to a flow, in the order in which events of one moment count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Start,
    Step,
    /// Arrives at the span that encloses the moment.
    Arrive,
    /// Arrives at the next span of the thread.
    ArriveNext,
    /// A span that others continue (`flow_out`).
    Out,
    /// A span that continues another one (`flow_in`).
    In,
    /// Both.
    InOut,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    flow: u64,
    time: i64,
    track: TrackId,
    name: StringId,
    role: Role,
    launch: bool,
}

/// A call that started work on a GPU, or that work.
#[derive(Clone, Copy, Debug)]
struct Correlated {
    id: i64,
    time: i64,
    track: TrackId,
}

/// Collected ends of arrows.
#[derive(Debug, Default)]
pub(super) struct Flows {
    points: Vec<Point>,
    launches: Vec<Correlated>,
    work: Vec<Correlated>,
}

/// Identifies a flow by whatever makes it the same flow.
pub(super) fn flow_key(parts: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Categories of the arrows from a launch to GPU work. One launch may start several kernels, and calls that
/// start none have ends of arrows too.
fn is_launch(cat: &str) -> bool {
    matches!(cat, "ac2g" | "async_cpu_to_gpu" | "async_gpu" | "async")
}

impl Flows {
    /// An end of an arrow.
    pub fn point(&mut self, flow: u64, at: (TrackId, i64), (name, cat): (StringId, &str), role: Role) {
        self.points.push(Point { flow, time: at.1, track: at.0, name, role, launch: is_launch(cat) });
    }

    /// A call on the CPU with its correlation id.
    pub fn launch(&mut self, id: Id, (track, time): (TrackId, i64)) {
        if let Id::Number(id) = id {
            self.launches.push(Correlated { id, time, track });
        }
    }

    /// Work on a GPU with its correlation id.
    pub fn gpu_work(&mut self, id: Id, (track, time): (TrackId, i64)) {
        if let Id::Number(id) = id {
            self.work.push(Correlated { id, time, track });
        }
    }

    /// Joins the ends and adds the links.
    pub fn finish(mut self, b: &mut ProfileBuilder, odd: &mut Oddities) {
        let mut points = std::mem::take(&mut self.points);
        points.sort_unstable_by_key(|p| (p.flow, p.time, p.role, p.track));
        let mut starts = Starts::default();
        let mut linked = FxHashSet::default();
        for flow in points.chunk_by(|a, b| a.flow == b.flow) {
            join(flow, odd, |from, to| {
                let mut target = (to.track, to.time);
                if to.role == Role::ArriveNext {
                    target.1 = starts.next(b, to.track, to.time);
                }
                linked.insert(target);
                b.link(Link { from: (from.track, from.time), to: target, name: to.name });
            });
        }
        self.correlate(b, &linked);
    }

    /// Links GPU work to its launch where no flow event did.
    fn correlate(mut self, b: &mut ProfileBuilder, linked: &FxHashSet<(TrackId, i64)>) {
        let name = b.string("launch");
        self.launches.sort_unstable_by_key(|l| (l.id, l.time));
        for work in &self.work {
            if linked.contains(&(work.track, work.time)) {
                continue;
            }
            let at = self.launches.partition_point(|l| l.id < work.id);
            if let Some(launch) = self.launches.get(at).filter(|l| l.id == work.id) {
                b.link(Link { from: (launch.track, launch.time), to: (work.track, work.time), name });
            }
        }
    }
}

/// Joins the points of one flow, which are in the order of time.
fn join(flow: &[Point], odd: &mut Oddities, mut link: impl FnMut(&Point, &Point)) {
    let launch = flow.first().is_some_and(|p| p.launch);
    // The latest cause, and whether anything came of it.
    let mut cause: Option<(&Point, bool)> = None;
    let mut lost_ends = 0;
    let mut lost_starts = 0;
    for point in flow {
        let arrives = !matches!(point.role, Role::Start | Role::Out);
        if arrives {
            match &mut cause {
                Some((from, used)) => {
                    link(from, point);
                    *used = true;
                }
                None => lost_ends += 1,
            }
        }
        match point.role {
            Role::Start | Role::Out => {
                lost_starts += u64::from(cause.is_some_and(|(_, used)| !used));
                cause = Some((point, false));
            }
            Role::Step | Role::InOut => cause = Some((point, false)),
            Role::Arrive | Role::ArriveNext if !launch => cause = None,
            _ => {}
        }
    }
    lost_starts += u64::from(cause.is_some_and(|(_, used)| !used));
    if !launch {
        odd.count_many(Odd::FlowStart, lost_starts);
        odd.count_many(Odd::FlowEnd, lost_ends);
    }
}

/// Starts of the spans of a track, sorted, for tracks that flows arrive at.
#[derive(Default)]
struct Starts {
    of: FxHashMap<TrackId, Vec<i64>>,
}

impl Starts {
    /// The start of the first span at or after `time`; `time` when there is none.
    fn next(&mut self, b: &ProfileBuilder, track: TrackId, time: i64) -> i64 {
        let starts = self.of.entry(track).or_insert_with(|| {
            let mut starts: Vec<_> = b.spans(track).iter().map(|s| s.start).collect();
            starts.sort_unstable();
            starts
        });
        starts.get(starts.partition_point(|&s| s < time)).copied().unwrap_or(time)
    }
}
