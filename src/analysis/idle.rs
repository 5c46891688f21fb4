//! When a GPU, a thread or an event loop had nothing to do, and what everybody else did meanwhile.
//!
//! Busy is what covers a moment with work; of a GPU its kernels and copies, of a thread what is no wait
//! ([`super::waiting`]). Each idle moment has one cause, so causes add up to the idle time: what ran then on the other
//! track that ran most of it, at the first depth at which the runs differ (a loop's rounds count as one: see
//! [`super::steps`]). A track that waits itself is a cause only where nobody works, and the waits of the track that is looked at
//! only where nothing is known of others; of a task they come first, because what it awaits is known.

mod segments;

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::gpu::is_work;
use super::intervals::{Intervals, Sums};
use super::scope::TimeRange;
use super::steps::{Loop, Loops};
use super::waiting::Waiting;
use crate::jobs::{Cancelled, Job};
use crate::model::{FunctionId, Profile, TrackId, TrackKey, TrackKind};
use crate::query::{Context, Query};
use segments::{Segment, segments};

/// Gaps that are kept one by one.
pub const LARGEST: usize = 100_000;

/// What ran while a track was idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CauseOf {
    /// A function.
    Function(FunctionId),
    /// The rounds of the loop with this place in [`Idle::loops`].
    Loop(usize),
    /// Nothing that was recorded.
    Nothing,
}

/// A cause and what it has of the idle time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What ran.
    pub what: CauseOf,
    /// Where.
    pub track: Option<TrackId>,
    /// It only waited, too.
    pub waits: bool,
    /// Idle time that it has, ns.
    pub time: i64,
    /// Calls of it that reach into idle time; `None` for samples.
    pub calls: Option<u64>,
    /// The whole length of these calls, ns.
    pub length: i64,
    /// What it called that has most of the time, from the outside in; each has at least half of the one before.
    pub inside: Vec<(FunctionId, i64)>,
}

/// A stretch of time without work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Start, ns.
    pub start: i64,
    /// End, ns.
    pub end: i64,
    /// The cause that has most of it, by place in [`Idle::causes`].
    pub cause: usize,
}

/// Another track, and how much of the idle time it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meanwhile {
    /// Which.
    pub track: TrackId,
    /// Idle time in which it worked, ns.
    pub worked: i64,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Idle {
    /// All time that is looked at, ns.
    pub whole: i64,
    /// Time with work, ns.
    pub busy: i64,
    /// The rest, ns.
    pub idle: i64,
    /// Number of stretches without work.
    pub count: usize,
    /// The largest of them, longest first.
    pub gaps: Vec<Gap>,
    /// By time, longest first; they add up to the idle time.
    pub causes: Vec<Cause>,
    /// Other tracks that worked meanwhile, most first.
    pub meanwhile: Vec<Meanwhile>,
    /// The tracks that are looked at.
    pub own: Vec<TrackId>,
    /// Loops of the profile.
    pub loops: Arc<Vec<Loop>>,
    /// The loop whose rounds are the time that is looked at.
    pub within: Option<usize>,
}

/// Computes the [`Idle`] time of tracks, taken together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdleOf {
    /// The tracks, one of which is enough to be busy; `None` for [`usual_tracks`].
    pub tracks: Option<Vec<TrackKey>>,
    /// Which time; `None` for the rounds of the loop that has most of the run, or all of it where there is none.
    pub range: TimeRange,
}

/// Share of the run that the rounds of a loop have at least to stand for it.
const MOST_OF_IT: f64 = 0.5;

impl Query for IdleOf {
    type Output = Idle;

    fn run(&self, cx: &Context<'_>) -> Result<Idle, Cancelled> {
        let profile = cx.profile();
        let waits = cx.get(&Waiting)?;
        let loops = cx.get(&Loops(None))?;
        let Some(all) = self.range.or_else(|| profile.time_bounds()) else { return Ok(Idle::default()) };
        let own: Vec<TrackId> = match &self.tracks {
            Some(keys) => keys.iter().filter_map(|&key| profile.keys().track(key)).collect(),
            None => usual_tracks(profile),
        };
        let mut busy = Intervals::default();
        for &track in &own {
            cx.job().checkpoint(0, 0)?;
            busy.extend(work_of(profile, track, &waits));
            cx.job().checkpoint(0, 0)?;
        }
        let busy = busy.joined();
        let within = self.range.is_none().then(|| main_loop(&loops, &busy, all)).flatten();
        let windows = match within {
            Some(i) => loops[i].rounds.iter().map(|r| (r.start, r.end)).collect::<Intervals>().joined(),
            None => Intervals::from_iter([all]),
        };
        let idle = windows.without(&busy);
        let mut answer = Idle {
            whole: windows.length(),
            idle: idle.length(),
            count: idle.len(),
            within,
            loops,
            own: own.clone(),
            ..Idle::default()
        };
        answer.busy = answer.whole - answer.idle;
        let mut others = Vec::new();
        for track in profile.track_ids().filter(|id| !own.contains(id)) {
            cx.job().checkpoint(0, 0)?;
            let t = profile.track(track);
            if !t.kind.is_view() && t.kind != TrackKind::Untimed {
                others.extend(segments(profile, track, &idle, &waits, cx.job())?);
            }
        }
        let mut own_waits = Vec::new();
        for &track in own.iter().filter(|&&t| profile.track(t).kind != TrackKind::GpuStream) {
            own_waits.extend(segments(profile, track, &idle, &waits, cx.job())?);
        }
        explain((profile, cx.job()), &mut answer, &idle, others, &own_waits)?;
        Ok(answer)
    }

    fn weight(idle: &Idle) -> usize {
        idle.gaps.len() * size_of::<Gap>() + idle.causes.len() * size_of::<Cause>()
    }
}

/// The loop that has most of the time from the first work to the last; `None` when none has half of it.
fn main_loop(loops: &[Loop], busy: &Intervals, all: (i64, i64)) -> Option<usize> {
    let (first, last) = busy.bounds().unwrap_or(all);
    let extent = last.saturating_sub(first);
    let longest = loops.iter().enumerate().max_by_key(|(_, l)| l.total())?;
    (longest.1.total() as f64 >= extent as f64 * MOST_OF_IT).then_some(longest.0)
}

/// When a track worked.
pub(super) fn work_of(profile: &Profile, id: TrackId, waits: &[bool]) -> Intervals {
    let track = profile.track(id);
    let rows = &track.spans.rows;
    let mut work: Intervals = if track.kind == TrackKind::GpuStream {
        rows.iter().filter(|s| is_work(profile, s.function)).map(|s| (s.start, s.end)).collect()
    } else {
        let outer: Intervals = rows.iter().filter(|s| s.depth == 0).map(|s| (s.start, s.end)).collect();
        let waiting: Intervals =
            rows.iter().filter(|s| waits[s.function.index()]).map(|s| (s.start, s.end)).collect();
        outer.joined().without(&waiting.joined())
    };
    let leaf = |i: usize| {
        let stack = track.samples.stacks[i]?;
        Some(profile.frames.get(profile.stacks.get(stack).frame).function)
    };
    let working = |i: &usize| leaf(*i).is_some_and(|f| !waits[f.index()]);
    work.extend((0..track.samples.len()).filter(working).filter_map(|i| track.samples.interval(i)));
    work
}

/// What others did in the idle time, one track after the other.
fn explain(
    (profile, job): (&Profile, &Job),
    answer: &mut Idle,
    idle: &Intervals,
    mut others: Vec<segments::Other>,
    own: &[segments::Other],
) -> Result<(), Cancelled> {
    for other in &others {
        job.checkpoint(0, 0)?;
        let worked = other.segments.iter().filter(|s| !s.waits).map(|s| (s.start, s.end));
        let worked = worked.collect::<Intervals>().joined().common(idle).length();
        match answer.meanwhile.iter_mut().find(|m| m.track == other.track) {
            Some(known) => known.worked = known.worked.max(worked),
            None => answer.meanwhile.push(Meanwhile { track: other.track, worked }),
        }
    }
    answer.meanwhile.retain(|m| m.worked > 0);
    answer.meanwhile.sort_by_key(|m| (Reverse(m.worked), m.track));
    let worked =
        |o: &segments::Other| o.segments.iter().filter(|s| !s.waits).map(Segment::length).sum::<i64>();
    others.sort_by_cached_key(|o| (Reverse(worked(o)), o.track));
    let sums = Sums::of(idle);
    let mut rest = idle.clone();
    let mut pieces: Vec<(i64, i64, usize)> = Vec::new();
    let mut places = Places::default();
    // Of a task what it awaits is known, whatever others did meanwhile.
    if answer.own.iter().all(|&t| profile.track(t).kind == TrackKind::Task) {
        rest = own_waits(profile, answer, own, rest, &mut pieces, &mut places);
    }
    for waits in [false, true] {
        for other in &others {
            if rest.is_empty() {
                break;
            }
            let depth = other.depth(profile, &answer.loops, &sums, job)?;
            let mut taken = Intervals::default();
            let mut of_causes: FxHashMap<usize, Vec<&Segment>> = FxHashMap::default();
            for (i, s) in other.segments.iter().filter(|s| s.waits == waits).enumerate() {
                look_up(i, job)?;
                let what = other.key(profile, &answer.loops, s, depth);
                let place = place(&mut answer.causes, &mut places, (what, Some(other.track), waits));
                give(&mut answer.causes[place], place, rest.within(s.start, s.end), &mut pieces, &mut taken);
                of_causes.entry(place).or_default().push(s);
            }
            for (place, own) in of_causes {
                job.checkpoint(0, 0)?;
                other.describe(profile, &mut answer.causes[place], own, depth, &sums);
            }
            rest = rest.without(&taken.joined());
        }
    }
    // Where nobody is known to have worked or waited, the track's own wait says at least in what.
    rest = own_waits(profile, answer, own, rest, &mut pieces, &mut places);
    if rest.length() > 0 {
        let place = answer.causes.len();
        pieces.extend(rest.iter().map(|(start, end)| (start, end, place)));
        answer.causes.push(Cause { time: rest.length(), ..Cause::of((CauseOf::Nothing, None, false)) });
    }
    job.checkpoint(0, 0)?;
    pieces.sort_unstable();
    let mut order: Vec<usize> = (0..answer.causes.len()).collect();
    order.sort_by_key(|&i| (Reverse(answer.causes[i].time), i));
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
    answer.causes.sort_by_key(|c| Reverse(c.time));
    job.checkpoint(0, 0)?;
    answer.gaps = largest(idle, &pieces, &place);
    answer.causes.retain(|c| c.time > 0);
    Ok(())
}

/// Segments after which it is looked whether the answer is still wanted.
const LOOK_UP: usize = 1 << 14;

fn look_up(done: usize, job: &Job) -> Result<(), Cancelled> {
    if done.is_multiple_of(LOOK_UP) { job.checkpoint(0, 0) } else { Ok(()) }
}

/// What a cause is, on which track, and whether it waits.
type CauseKey = (CauseOf, Option<TrackId>, bool);

/// Places of causes in [`Idle::causes`].
type Places = FxHashMap<CauseKey, usize>;

impl Cause {
    /// One that has no time yet.
    fn of((what, track, waits): CauseKey) -> Self {
        Self { what, track, waits, time: 0, calls: None, length: 0, inside: Vec::new() }
    }
}

/// The place of a cause, which is added when it is new.
fn place(causes: &mut Vec<Cause>, places: &mut Places, key: CauseKey) -> usize {
    *places.entry(key).or_insert_with(|| {
        causes.push(Cause::of(key));
        causes.len() - 1
    })
}

/// Gives stretches of idle time to the cause at `place`.
fn give(
    cause: &mut Cause,
    place: usize,
    stretches: impl IntoIterator<Item = (i64, i64)>,
    pieces: &mut Vec<(i64, i64, usize)>,
    taken: &mut Intervals,
) {
    for (start, end) in stretches {
        cause.time += end - start;
        pieces.push((start, end, place));
        taken.push(start, end);
    }
}

/// Gives to the waits of a track itself what is left of its idle time; what is left then.
fn own_waits(
    profile: &Profile,
    answer: &mut Idle,
    own: &[segments::Other],
    mut rest: Intervals,
    pieces: &mut Vec<(i64, i64, usize)>,
    places: &mut Places,
) -> Intervals {
    for lane in own {
        let mut taken = Intervals::default();
        for s in lane.segments.iter().filter(|s| s.waits) {
            let what = CauseOf::Function(lane.innermost(profile, s));
            let place = place(&mut answer.causes, places, (what, Some(lane.track), true));
            give(&mut answer.causes[place], place, rest.within(s.start, s.end), pieces, &mut taken);
        }
        rest = rest.without(&taken.joined());
    }
    rest
}

/// The largest gaps, each with the cause that has most of it.
fn largest(idle: &Intervals, pieces: &[(i64, i64, usize)], place: &[usize]) -> Vec<Gap> {
    let mut gaps: Vec<(i64, i64)> = idle.iter().collect();
    gaps.sort_by_key(|g| (Reverse(g.1 - g.0), g.0));
    gaps.truncate(LARGEST);
    let gap = |(start, end): (i64, i64)| {
        let mut time: FxHashMap<usize, i64> = FxHashMap::default();
        let first = pieces.partition_point(|p| p.0 < start);
        for piece in pieces[first..].iter().take_while(|p| p.0 < end) {
            *time.entry(piece.2).or_default() += piece.1 - piece.0;
        }
        let cause = time.into_iter().max_by_key(|&(cause, time)| (time, Reverse(cause)));
        Gap { start, end, cause: cause.map_or(0, |c| place[c.0]) }
    };
    gaps.into_iter().map(gap).collect()
}

/// The tracks that a question about a run without a choice is about: the GPU with most work, else the thread that was there
/// longest. Empty when nothing has times.
#[must_use]
pub fn usual_tracks(profile: &Profile) -> Vec<TrackId> {
    let extent = |id: &TrackId| {
        let t = profile.track(*id);
        let outer = t.spans.rows.iter().filter(|s| s.depth == 0);
        let (first, last) = (outer.clone().map(|s| s.start).min(), outer.map(|s| s.end).max());
        let spans = first.zip(last).map_or(0, |(a, b)| b - a);
        spans.max(t.samples.times.first().map_or(0, |first| t.samples.end - first))
    };
    let gpus: Vec<TrackId> =
        profile.track_ids().filter(|&id| profile.track(id).kind == TrackKind::GpuStream).collect();
    let work = |id: &TrackId| -> i64 {
        let spans = profile.track(*id).spans.rows.iter().filter(|s| is_work(profile, s.function));
        spans.map(|s| s.duration()).sum()
    };
    if let Some(most) = gpus.iter().copied().filter(|id| work(id) > 0).max_by_key(work) {
        let device = profile.track(most).process;
        return gpus.into_iter().filter(|&id| profile.track(id).process == device).collect();
    }
    let threads = profile.track_ids().filter(|&id| {
        let kind = profile.track(id).kind;
        !kind.is_view() && kind != TrackKind::Untimed
    });
    threads.max_by_key(|id| (extent(id), Reverse(*id))).filter(|id| extent(id) > 0).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};
    use crate::query::Run;

    fn idle(s: &Run, track: u32) -> Idle {
        let tracks = Some(vec![s.profile.keys().track_key(TrackId(track))]);
        (*ask(s, &IdleOf { tracks, range: None })).clone()
    }

    fn causes(s: &Run, idle: &Idle) -> Vec<String> {
        let name = |c: &Cause| match c.what {
            CauseOf::Function(f) => s.profile.function_name(f).to_owned(),
            CauseOf::Loop(i) => idle.loops[i].label(),
            CauseOf::Nothing => "-".into(),
        };
        idle.causes.iter().map(|c| format!("{} {} {:?}", name(c), c.time, c.calls)).collect()
    }

    #[test]
    fn idle_time_has_one_cause_each_and_adds_up() {
        let s = subject("[gpu];k 10 20; k 60 70; [main]; run 0 80 / load 20 55; put 55 60; step 70 80");
        let found = idle(&s, 0);
        assert_eq!((found.whole, found.busy, found.idle, found.count), (80, 20, 60, 3));
        assert_eq!(
            causes(&s, &found),
            ["load 35 Some(1)", "run 10 Some(1)", "step 10 Some(1)", "put 5 Some(1)"]
        );
        assert_eq!(found.gaps.iter().map(|g| (g.start, g.end, g.cause)).collect::<Vec<_>>()[0], (20, 60, 0));
        assert_eq!(found.causes.iter().map(|c| c.time).sum::<i64>(), found.idle);
    }

    #[test]
    fn rounds_of_a_loop_are_the_time_that_counts() {
        let s = subject(
            "[gpu];k 10 20; k 30 40; k 50 60; [main]; warm 0 8; s_1 10 30 / load 20 29; s_2 30 50 / load 40 50; \
             s_3 50 65 / load 60 65; end 65 90",
        );
        let found = idle(&s, 0);
        assert_eq!((found.whole, found.idle), (55, 25));
        assert_eq!(causes(&s, &found), ["load 24 Some(3)", "s_* 1 Some(1)"]);
    }

    #[test]
    fn a_thread_alone_waits_in_what_it_called() {
        let s = subject("[main];run 0 100 / epoll_wait 20 70; futex 80 90");
        let found = idle(&s, 0);
        assert_eq!((found.busy, found.idle), (40, 60));
        assert_eq!(causes(&s, &found), ["epoll_wait 50 None", "futex 10 None"]);
        assert!(found.causes.iter().all(|c| c.waits && c.track == Some(TrackId(0))));
    }

    #[test]
    fn a_thread_that_waits_is_idle_and_no_cause_while_others_work() {
        let s =
            subject("[main];run 0 100 / cudaStreamSynchronize 20 90;[worker];work 30 60;[other];futex 0 100");
        let found = idle(&s, 0);
        assert_eq!((found.busy, found.idle), (30, 70));
        assert_eq!(causes(&s, &found), ["futex 40 Some(1)", "work 30 Some(1)"]);
        assert!(found.causes[0].waits);
    }
}
