//! Arrows from a cause to its effect: flow events, `bind_id` of spans, and the correlation ids by which the
//! PyTorch profiler joins a call on the CPU with the work that it started on the GPU.
//!
//! The ends of an arrow stand anywhere in the file, so they are collected and joined at the end, in the
//! order of time. Where several processes use one id, as the ranks of a merged trace do, they are joined within
//! their rank first, then within their process, then by their places in the file or by the operations that they
//! belong to. Where nothing decides there is no arrow, and that is counted.

use std::cell::OnceCell;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::oddities::{Odd, Oddities};
use super::tracks::{Id, Owners, Tracks};
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
    /// Place in the file.
    place: u32,
    role: Role,
    launch: bool,
}

impl Point {
    fn starts(&self) -> bool {
        matches!(self.role, Role::Start | Role::Out)
    }
}

/// A call that started work on a GPU, or that work.
#[derive(Clone, Copy, Debug)]
struct Correlated {
    id: i64,
    time: i64,
    track: TrackId,
    /// Place in the file.
    place: u32,
    /// The operation that both belong to; [`NO_OPERATION`] when the file does not say.
    operation: i64,
}

const NO_OPERATION: i64 = i64::MIN;

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
    /// An end of an arrow, at a place of the file.
    pub fn point(
        &mut self,
        flow: u64,
        (track, time, place): (TrackId, i64, u32),
        (name, cat): (StringId, &str),
        role: Role,
    ) {
        self.points.push(Point { flow, time, track, name, place, role, launch: is_launch(cat) });
    }

    /// A call on the CPU with its correlation id and operation.
    pub fn launch(&mut self, id: Id, operation: Id, (track, time, place): (TrackId, i64, u32)) {
        self.launches.extend(correlated(id, operation, (track, time, place)));
    }

    /// Work on a GPU with its correlation id and operation.
    pub fn gpu_work(&mut self, id: Id, operation: Id, (track, time, place): (TrackId, i64, u32)) {
        self.work.extend(correlated(id, operation, (track, time, place)));
    }

    /// Joins the ends and adds the links.
    pub fn finish(mut self, b: &mut ProfileBuilder, odd: &mut Oddities, tracks: &Tracks) {
        let mut points = std::mem::take(&mut self.points);
        let twins = tracks.twins();
        if !twins.is_empty() {
            // What arrives from a launch arrives on the GPU.
            for point in points.iter_mut().filter(|p| p.launch && !p.starts()) {
                point.track = twins.get(&point.track).copied().unwrap_or(point.track);
            }
            let cpu: FxHashMap<_, _> = twins.iter().map(|(cpu, gpu)| (*gpu, *cpu)).collect();
            for point in points.iter_mut().filter(|p| !p.launch || p.starts()) {
                point.track = cpu.get(&point.track).copied().unwrap_or(point.track);
            }
        }
        points.sort_unstable_by_key(|p| (p.flow, p.time, p.role, p.place));
        let world = World {
            owners: tracks.owners(),
            flows: &self,
            operations: OnceCell::new(),
            in_blocks: OnceCell::new(),
        };
        let mut starts = Starts::default();
        let mut linked = FxHashSet::default();
        let mut link = |from: &Point, to: &Point| {
            let mut target = (to.track, to.time);
            if to.role == Role::ArriveNext {
                target.1 = starts.next(b, to.track, to.time);
            }
            linked.insert(target);
            b.link(Link { from: (from.track, from.time), to: target, name: to.name });
        };
        for flow in points.chunk_by(|a, b| a.flow == b.flow) {
            world.join(flow, odd, &mut link);
        }
        world.correlate(b, odd, &linked);
    }
}

fn correlated(id: Id, operation: Id, (track, time, place): (TrackId, i64, u32)) -> Option<Correlated> {
    let Id::Number(id) = id else { return None };
    let operation = if let Id::Number(n) = operation { n } else { NO_OPERATION };
    Some(Correlated { id, time, track, place, operation })
}

/// What tells the processes and ranks of a file apart.
struct World<'a> {
    owners: Owners,
    flows: &'a Flows,
    /// Operations of launches and work, by where they are; made when first needed.
    operations: OnceCell<FxHashMap<(TrackId, i64), i64>>,
    /// Whether processes come one after the other in the file; known when first needed.
    in_blocks: OnceCell<bool>,
}

/// From so many causes per process on their order in the file is no accident.
const MANY: u32 = 8;

impl World<'_> {
    fn process(&self, point: &Point) -> u32 {
        self.owners.of(point.track).0
    }

    /// True when each process has many causes and none of another one between them.
    fn is_in_blocks(&self) -> bool {
        *self.in_blocks.get_or_init(|| {
            let mut blocks: FxHashMap<u32, (u32, u32, u32)> = FxHashMap::default();
            for launch in &self.flows.launches {
                let block = blocks.entry(self.owners.of(launch.track).0).or_insert((u32::MAX, 0, 0));
                *block = (block.0.min(launch.place), block.1.max(launch.place), block.2 + 1);
            }
            let mut blocks: Vec<_> = blocks.into_values().collect();
            blocks.sort_unstable();
            blocks.iter().all(|b| b.2 >= MANY) && blocks.windows(2).all(|w| w[0].1 < w[1].0)
        })
    }

    /// Links GPU work to its launch where no flow event did.
    fn correlate(&self, b: &mut ProfileBuilder, odd: &mut Oddities, linked: &FxHashSet<(TrackId, i64)>) {
        let name = b.string("launch");
        let mut launches = self.flows.launches.clone();
        launches.sort_unstable_by_key(|l| (l.id, l.time, l.place));
        let alone = |work: &&Correlated| !linked.contains(&(work.track, work.time));
        let mut shared: Vec<Correlated> = Vec::new();
        let mut link = |launch: &Correlated, work: &Correlated| {
            b.link(Link { from: (launch.track, launch.time), to: (work.track, work.time), name });
        };
        for work in self.flows.work.iter().filter(alone) {
            match of_id(&launches, work.id) {
                [] => {}
                [first, rest @ ..]
                    if self.is_of_rank_of(work, first) && rest.iter().all(|l| self.is_beside(l, first)) =>
                {
                    link(first, work);
                }
                _ => shared.push(*work),
            }
        }
        shared.sort_unstable_by_key(|w| (w.id, self.owners.of(w.track).1, w.place));
        for work in
            shared.chunk_by(|a, b| a.id == b.id && self.owners.of(a.track).1 == self.owners.of(b.track).1)
        {
            match self.launches_of(work, of_id(&launches, work[0].id)) {
                Some(launches) => launches.iter().zip(work).for_each(|(launch, work)| link(launch, work)),
                None => odd.count(Odd::SharedFlow),
            }
        }
    }

    /// True when two are of the same rank.
    fn is_of_rank_of(&self, a: &Correlated, b: &Correlated) -> bool {
        self.owners.of(a.track).1 == self.owners.of(b.track).1
    }

    /// True when two are of the same process.
    fn is_beside(&self, a: &Correlated, b: &Correlated) -> bool {
        self.owners.of(a.track) == self.owners.of(b.track)
    }

    /// The launch of each piece of work of a rank, of those of several processes with their id. `None` when nothing
    /// tells which.
    fn launches_of(&self, work: &[Correlated], launches: &[Correlated]) -> Option<Vec<Correlated>> {
        let rank = self.owners.of(work.first()?.track).1;
        let near: Vec<&Correlated> = launches.iter().filter(|l| self.owners.of(l.track).1 == rank).collect();
        let first = near.first()?;
        if near.iter().all(|l| self.owners.of(l.track).0 == self.owners.of(first.track).0) {
            return Some(vec![**first; work.len()]);
        }
        let operation = |w: &Correlated| {
            let mut same = near.iter().filter(|l| l.operation != NO_OPERATION && l.operation == w.operation);
            same.next().filter(|_| same.next().is_none()).map(|l| **l)
        };
        if let Some(all) = work.iter().map(operation).collect() {
            return Some(all);
        }
        let nearest = |w: &Correlated| {
            let launch = near.iter().min_by_key(|l| l.place.abs_diff(w.place))?;
            (launch.time <= w.time).then_some(**launch)
        };
        let all: Vec<Correlated> = work.iter().map(nearest).collect::<Option<_>>()?;
        let used: FxHashSet<u32> = all.iter().map(|l| l.place).collect();
        (used.len() == near.len() || self.is_in_blocks()).then_some(all)
    }

    /// True when the flow starts in one process only.
    fn has_one_source(&self, flow: &[Point]) -> bool {
        let mut sources = flow.iter().filter(|p| p.starts()).map(|p| self.process(p));
        let first = sources.next();
        sources.all(|p| Some(p) == first)
    }

    /// Joins the points of one flow, which are in the order of time.
    fn join(&self, flow: &[Point], odd: &mut Oddities, link: &mut impl FnMut(&Point, &Point)) {
        if !self.owners.ranked && self.has_one_source(flow) {
            return join(flow, odd, link);
        }
        // Ranks count their flows alike, and none goes from one to another.
        for part in parts(flow, |p| self.owners.of(p.track).1) {
            if self.has_one_source(&part) || is_taking_turns(&part) {
                join(&part, odd, &mut *link);
                continue;
            }
            let within = parts(&part, |p| self.process(p));
            if within.iter().all(|flow| is_whole(flow)) {
                within.iter().for_each(|flow| join(flow, odd, &mut *link));
            } else if let Some(pairs) = self.by_place(&part).or_else(|| self.by_operation(&part)) {
                pairs.into_iter().for_each(|(from, to)| link(from, to));
            } else {
                odd.count(Odd::SharedFlow);
            }
        }
    }

    /// Each end with the start that is nearest in the file: programs that merge the traces of ranks write one after
    /// the other. `None` where that cannot be.
    fn by_place<'p>(&self, flow: &'p [Point]) -> Option<Vec<(&'p Point, &'p Point)>> {
        let mut starts: Vec<&Point> = flow.iter().filter(|p| p.starts()).collect();
        starts.sort_unstable_by_key(|s| s.place);
        let mut used = FxHashSet::default();
        let mut pairs = Vec::new();
        for end in flow.iter().filter(|p| !p.starts()) {
            let after = starts.partition_point(|s| s.place < end.place);
            let near =
                [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|i| starts.get(i));
            let from = near.min_by_key(|s| s.place.abs_diff(end.place))?;
            if from.time > end.time {
                return None;
            }
            used.insert(from.place);
            pairs.push((*from, end));
        }
        (used.len() == starts.len() || self.is_in_blocks()).then_some(pairs)
    }

    /// Each end with the start that belongs to the same operation.
    fn by_operation<'p>(&self, flow: &'p [Point]) -> Option<Vec<(&'p Point, &'p Point)>> {
        let operations = self.operations.get_or_init(|| {
            let all = self.flows.launches.iter().chain(&self.flows.work);
            let known = all.filter(|c| c.operation != NO_OPERATION);
            known.map(|c| ((c.track, c.time), c.operation)).collect()
        });
        let find = |point: &Point| operations.get(&(point.track, point.time)).copied();
        let mut starts: FxHashMap<i64, &Point> = FxHashMap::default();
        for point in flow.iter().filter(|p| p.starts()) {
            if starts.insert(find(point)?, point).is_some() {
                return None;
            }
        }
        let ends = flow.iter().filter(|p| !p.starts());
        ends.map(|end| Some((*starts.get(&find(end)?)?, end))).collect()
    }
}

/// Those of one id, of a list by id.
fn of_id(list: &[Correlated], id: i64) -> &[Correlated] {
    let from = list.partition_point(|l| l.id < id);
    let len = list[from..].partition_point(|l| l.id == id);
    &list[from..from + len]
}

/// The points of a flow by what they belong to, each part in the order of time.
fn parts(flow: &[Point], key: impl Fn(&Point) -> u32) -> Vec<Vec<Point>> {
    let mut place: FxHashMap<u32, usize> = FxHashMap::default();
    let mut parts: Vec<Vec<Point>> = Vec::new();
    for point in flow {
        let at = *place.entry(key(point)).or_insert(parts.len());
        if at == parts.len() {
            parts.push(Vec::new());
        }
        parts[at].push(*point);
    }
    parts
}

/// True when each start is followed by its one end before the next: an id that is used again.
fn is_taking_turns(flow: &[Point]) -> bool {
    flow.len().is_multiple_of(2) && flow.iter().enumerate().all(|(i, p)| p.starts() == (i % 2 == 0))
}

/// True when the flow starts, and all that starts arrives.
fn is_whole(flow: &[Point]) -> bool {
    let mut lost = Oddities::default();
    let plain: Vec<Point> = flow.iter().map(|p| Point { launch: false, ..*p }).collect();
    join(&plain, &mut lost, |_, _| {});
    flow.iter().any(Point::starts) && lost.of(Odd::FlowStart) + lost.of(Odd::FlowEnd) == 0
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
            // A flow may end with a step.
            Role::Step | Role::InOut => cause = Some((point, cause.is_some())),
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
