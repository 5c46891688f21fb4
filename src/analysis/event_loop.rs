//! An event loop whose steps were recorded: when it had nothing to do and what ended that, and what held it while tasks were
//! ready to go on.
//!
//! A step is one turn of one task ([`EVENT_LOOP`]). Between two steps every task waits; the wait that ends with the later step
//! is what the loop was idle for, so each idle moment has one cause and causes add up. A task that could go on and did not is a
//! span «ready» on its track, which ends where its step begins; what the loop ran during it held it up. Of several tasks
//! that are ready together each counts.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::idle::Meanwhile;
use super::intervals::Intervals;
use super::libraries;
use super::scope::TimeRange;
use super::waiting::{Doing, Waiting, said};
use crate::jobs::Cancelled;
use crate::model::{
    ArgsPlace, EVENT_LOOP, FunctionId, Profile, Span, StringId, TrackId, TrackKey, TrackKind, Value,
};
use crate::query::{Context, Query};

/// Gaps and waits that are kept one by one.
const LARGEST: usize = super::idle::LARGEST;

/// The tracks of a profile on which steps of event loops stand.
pub fn loops(profile: &Profile) -> impl Iterator<Item = TrackId> + '_ {
    profile.track_ids().filter(|&id| is_loop(profile, id))
}

/// True for a track with the steps of an event loop.
#[must_use]
pub fn is_loop(profile: &Profile, track: TrackId) -> bool {
    let t = profile.track(track);
    t.kind == TrackKind::Summary && profile.text(t.name).starts_with(EVENT_LOOP)
}

/// The loop that ran most, if there is one.
#[must_use]
pub fn busiest(profile: &Profile) -> Option<TrackId> {
    let busy = |id: &TrackId| profile.track(*id).spans.rows.iter().map(Span::duration).sum::<i64>();
    loops(profile).max_by_key(|id| (busy(id), Reverse(*id)))
}

/// What a task waited for before it went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Awaited {
    /// A coroutine waited in a function that does nothing else.
    Wait {
        /// Who: of the person's own code, where that is known.
        who: Option<FunctionId>,
        /// Where: a sleep, a queue, a lock, a future.
        what: FunctionId,
    },
    /// Nothing: it began, and somebody outside of the loop made it.
    Began(FunctionId),
    /// What is not known.
    Unknown,
}

/// Idle time with one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleFor {
    /// What was waited for.
    pub cause: Awaited,
    /// Idle time, ns.
    pub time: i64,
    /// Gaps that ended with it.
    pub gaps: usize,
}

/// What held the loop while tasks were ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What ran most of the step; `None` for what is no step, such as callbacks.
    pub by: Option<FunctionId>,
    /// Steps of it during which a task was ready.
    pub steps: usize,
    /// The longest of these steps, ns, and its start.
    pub longest_step: (i64, i64),
    /// What tasks waited for it, all together, ns.
    pub waited: i64,
    /// Longest wait of one task for one step, ns.
    pub longest: i64,
}

/// A task that was ready and did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// Start, ns.
    pub start: i64,
    /// End, ns.
    pub end: i64,
    /// Its track.
    pub task: TrackId,
    /// What ran most of that time.
    pub by: Option<FunctionId>,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct EventLoop {
    /// From the first step to the last, ns.
    pub whole: i64,
    /// Time in steps, ns.
    pub busy: i64,
    /// Number of steps.
    pub steps: usize,
    /// Time without one, ns.
    pub idle: i64,
    /// Stretches without one.
    pub gaps: usize,
    /// The largest of these: start, end and cause, longest first.
    pub largest: Vec<(i64, i64, Awaited)>,
    /// By time, longest first; they add up to the idle time.
    pub causes: Vec<IdleFor>,
    /// By what tasks waited, longest first.
    pub held: Vec<Held>,
    /// Waits of ready tasks, the longest first.
    pub late: Vec<Late>,
    /// All of these waits: how many, and how long together, ns.
    pub all_late: (usize, i64),
    /// Threads that worked while the loop was idle, most first.
    pub meanwhile: Vec<Meanwhile>,
}

/// Asks about one loop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventLoopOf {
    /// Its track.
    pub track: TrackKey,
    /// Which time.
    pub range: TimeRange,
}

impl Query for EventLoopOf {
    type Output = EventLoop;

    fn run(&self, cx: &Context<'_>) -> Result<EventLoop, Cancelled> {
        let profile = cx.profile();
        let waits = cx.get(&Waiting)?;
        let Some(track) = profile.keys().track(self.track) else { return Ok(EventLoop::default()) };
        let steps = Steps::of(profile, track, self.range);
        let (Some(first), Some(last)) = (steps.rows.first(), steps.rows.last()) else {
            return Ok(EventLoop::default());
        };
        let whole = (first.start, last.end);
        let busy: Intervals = steps.rows.iter().map(|s| (s.start, s.end)).collect();
        let busy = busy.joined();
        let idle = Intervals::from_iter([whole]).without(&busy);
        let mut answer = EventLoop {
            whole: whole.1 - whole.0,
            idle: idle.length(),
            steps: steps.rows.len(),
            gaps: idle.len(),
            ..EventLoop::default()
        };
        answer.busy = answer.whole - answer.idle;
        let tasks = Tasks::of(profile, track);
        cx.job().checkpoint(0, 0)?;
        let awaited = steps.awaited(profile, &tasks, &waits);
        answer.explain(&steps, &idle, &awaited);
        cx.job().checkpoint(0, 0)?;
        answer.hold(profile, &steps, &tasks);
        for other in profile.track_ids().filter(|&id| profile.track(id).kind == TrackKind::Thread) {
            cx.job().checkpoint(0, 0)?;
            let worked = super::idle::work_of(profile, other, &waits).joined().common(&idle).length();
            if worked > 0 {
                answer.meanwhile.push(Meanwhile { track: other, worked });
            }
        }
        answer.meanwhile.sort_by_key(|m| (Reverse(m.worked), m.track));
        Ok(answer)
    }

    fn weight(answer: &EventLoop) -> usize {
        answer.causes.len() * size_of::<IdleFor>()
            + answer.held.len() * size_of::<Held>()
            + answer.late.len() * size_of::<Late>()
    }
}

/// The text of a detail of a span that is kept inline.
pub(super) fn detail(profile: &Profile, span: &Span, key: &str) -> Option<StringId> {
    let ArgsPlace::Inline(set) = span.args.place() else { return None };
    let found = profile.attributes.get(set).iter().find(|(k, _)| profile.text(*k) == key);
    found.and_then(|(_, value)| if let Value::Text(text) = value { Some(*text) } else { None })
}

/// Tracks of the tasks of a loop's process.
struct Tasks {
    /// By what steps call the task; those that share a track are not there.
    own: FxHashMap<StringId, TrackId>,
    all: Vec<TrackId>,
}

impl Tasks {
    fn of(profile: &Profile, event_loop: TrackId) -> Self {
        let process = profile.track(event_loop).process;
        let is_task = |&id: &TrackId| {
            let t = profile.track(id);
            t.kind == TrackKind::Task && t.process == process
        };
        let all: Vec<TrackId> = profile.track_ids().filter(is_task).collect();
        Self { own: all.iter().map(|&id| (profile.track(id).name, id)).collect(), all }
    }
}

/// Steps of a loop in order.
struct Steps {
    rows: Vec<Span>,
    /// What the task of each step is called.
    names: Vec<Option<StringId>>,
}

impl Steps {
    fn of(profile: &Profile, track: TrackId, range: TimeRange) -> Self {
        let inside = |s: &&Span| range.is_none_or(|(from, to)| s.end > from && s.start < to);
        let mut rows: Vec<Span> = profile.track(track).spans.rows.iter().filter(inside).copied().collect();
        if let Some((from, to)) = range {
            rows.iter_mut().for_each(|s| (s.start, s.end) = (s.start.max(from), s.end.min(to)));
        }
        rows.sort_by_key(|s| (s.start, s.end));
        let names = rows.iter().map(|s| detail(profile, s, "task")).collect();
        Self { rows, names }
    }

    /// The step that begins at a moment.
    fn at(&self, start: i64) -> Option<usize> {
        self.rows.binary_search_by_key(&start, |s| s.start).ok()
    }

    /// The step within which a moment lies, its start excepted.
    fn around(&self, time: i64) -> Option<usize> {
        let after = self.rows.partition_point(|s| s.start < time);
        after.checked_sub(1).filter(|&i| self.rows[i].end >= time)
    }

    /// For each step what its task waited for before it.
    fn awaited(&self, profile: &Profile, tasks: &Tasks, waits: &[bool]) -> Vec<Awaited> {
        let library = libraries::of(profile);
        let mut awaited = vec![Awaited::Unknown; self.rows.len()];
        for (i, step) in self.rows.iter().enumerate() {
            let Some(&track) = self.names[i].and_then(|name| tasks.own.get(&name)) else { continue };
            let spans = &profile.track(track).spans;
            let before = step.start.checked_sub(1).and_then(|t| spans.innermost_at(t));
            awaited[i] = match before {
                Some(row) => wait_at(profile, track, row, waits, &library),
                None => spans
                    .innermost_at(step.start)
                    .and_then(|row| spans.ancestors(row).last())
                    .map_or(Awaited::Unknown, |row| Awaited::Began(spans.rows[row as usize].function)),
            };
        }
        // Tasks that share a track: a wait ends in the step that it leads to.
        let named = |i: usize| self.names[i].is_some_and(|name| tasks.own.contains_key(&name));
        for &track in tasks.all.iter().filter(|&&id| profile.track(id).spans.lanes.len() > 1) {
            let spans = &profile.track(track).spans;
            for (row, span) in (0u32..).zip(&spans.rows).filter(|(_, s)| waits[s.function.index()]) {
                let step = self.at(span.end).or_else(|| self.around(span.end));
                let step = step.filter(|&i| span.start < self.rows[i].start && !named(i));
                if let Some(i) = step.filter(|&i| awaited[i] == Awaited::Unknown) {
                    awaited[i] = wait_at(profile, track, row, waits, &library);
                }
            }
        }
        awaited
    }
}

/// The wait that a span is a part of, and who waits.
fn wait_at(profile: &Profile, track: TrackId, row: u32, waits: &[bool], library: &[bool]) -> Awaited {
    let spans = &profile.track(track).spans;
    let function = |row: u32| spans.rows[row as usize].function;
    let ready = |f: FunctionId| said(profile, f) == Some(Doing::Ready);
    let mut path = spans.ancestors(row).map(function).skip_while(|&f| ready(f)).peekable();
    let mut what = None;
    while let Some(f) = path.next_if(|f| waits[f.index()]) {
        what = Some(f);
    }
    let Some(what) = what else { return Awaited::Unknown };
    let is_library = |f: &FunctionId| library.get(f.index()).copied().unwrap_or(false);
    let above: Vec<FunctionId> = path.collect();
    let who = above.iter().find(|f| !is_library(f)).or(above.first()).copied();
    Awaited::Wait { who, what }
}

impl EventLoop {
    /// What each gap was for.
    fn explain(&mut self, steps: &Steps, idle: &Intervals, awaited: &[Awaited]) {
        let mut by: FxHashMap<Awaited, (i64, usize)> = FxHashMap::default();
        for (start, end) in idle.iter() {
            let cause = steps.at(end).map_or(Awaited::Unknown, |i| awaited[i]);
            let sum = by.entry(cause).or_default();
            (sum.0, sum.1) = (sum.0 + end - start, sum.1 + 1);
            self.largest.push((start, end, cause));
        }
        self.largest.sort_by_key(|&(start, end, _)| (Reverse(end - start), start));
        self.largest.truncate(LARGEST);
        self.causes = by.into_iter().map(|(cause, (time, gaps))| IdleFor { cause, time, gaps }).collect();
        self.causes.sort_by_key(|c| (Reverse(c.time), c.cause));
    }

    /// Who was late, and because of what.
    fn hold(&mut self, profile: &Profile, steps: &Steps, tasks: &Tasks) {
        // How many tasks waited through the whole of each step: differences between a step and the one before it.
        let mut through = vec![0i64; steps.rows.len() + 1];
        let mut by: FxHashMap<Option<FunctionId>, Held> = FxHashMap::default();
        let mut partly: FxHashMap<usize, i64> = FxHashMap::default();
        let held =
            |by: Option<FunctionId>| Held { by, steps: 0, longest_step: (0, 0), waited: 0, longest: 0 };
        for &track in &tasks.all {
            let rows = &profile.track(track).spans.rows;
            for span in rows.iter().filter(|s| said(profile, s.function) == Some(Doing::Ready)) {
                let Some(step) = steps.at(span.end) else { continue };
                let own = steps.names[step].and_then(|name| tasks.own.get(&name));
                if own.is_some_and(|&own| own != track) || span.end <= span.start {
                    continue;
                }
                let first = steps.rows[..step].partition_point(|s| s.end <= span.start);
                let length = span.end - span.start;
                self.all_late = (self.all_late.0 + 1, self.all_late.1 + length);
                let most = (first..step)
                    .max_by_key(|&i| (steps.rows[i].end - steps.rows[i].start.max(span.start), Reverse(i)));
                let most = most.map(|i| steps.rows[i].function);
                self.late.push(Late { start: span.start, end: span.end, task: track, by: most });
                if first < step {
                    let cut = span.start.max(steps.rows[first].start);
                    let part = steps.rows[first].end - cut;
                    let of = by.entry(Some(steps.rows[first].function));
                    let of = of.or_insert_with_key(|&by| held(by));
                    of.waited += part;
                    of.longest = of.longest.max(part);
                    *partly.entry(first).or_default() += 1;
                    through[first + 1] += 1;
                    through[step] -= 1;
                }
            }
        }
        let mut tasks_now = 0;
        for (i, step) in steps.rows.iter().enumerate() {
            tasks_now += through[i];
            if tasks_now == 0 && !partly.contains_key(&i) {
                continue;
            }
            let of = by.entry(Some(step.function)).or_insert_with_key(|&by| held(by));
            of.steps += 1;
            of.longest_step = of.longest_step.max((step.duration(), step.start));
            if tasks_now > 0 {
                of.waited += tasks_now * step.duration();
                of.longest = of.longest.max(step.duration());
            }
        }
        let between = self.all_late.1 - by.values().map(|h| h.waited).sum::<i64>();
        if between > 0 {
            by.insert(None, Held { waited: between, ..held(None) });
        }
        self.held = by.into_values().collect();
        self.held.sort_by_key(|h| (Reverse((h.longest, h.waited)), h.by));
        self.late.sort_by_key(|l| (Reverse(l.end - l.start), l.start, l.task));
        self.late.truncate(LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::{ArgsRef, FunctionSpec, Metric, ProfileBuilder, SpanStatus, TrackSpec};
    use crate::query::Run;

    /// Two tasks: `slow` computes 40 ms while `tick`, which slept, has been ready for 35.
    fn run() -> Run {
        built(|b| {
            b.metric(Metric::time());
            let ms = |t: i64| t * 1_000_000;
            let track =
                |b: &mut ProfileBuilder, name, kind| b.track(TrackSpec { name, process: "", kind, sort: 0 });
            let event_loop = track(b, "Event loop of MainThread", TrackKind::Summary);
            let tick = track(b, "tick (Task-2)", TrackKind::Task);
            let slow = track(b, "slow (Task-1)", TrackKind::Task);
            let function = |b: &mut ProfileBuilder, name, file, category| {
                b.function(FunctionSpec { name, file, category, ..FunctionSpec::default() })
            };
            let [f_tick, f_slow] = ["tick", "slow"].map(|n| function(b, n, "/home/me/app.py", ""));
            let sleep = function(b, "sleep", "/usr/lib/python3.12/asyncio/tasks.py", "idle");
            let ready = function(b, "ready, the loop was busy", "", "ready");
            let step = |b: &mut ProfileBuilder, task: &str, f, from, to| {
                let (key, task) = (b.string("task"), b.string(task));
                let args = b.args([(key, Value::Text(task))]);
                b.span(event_loop, ms(from), ms(to), f, args);
            };
            step(b, "slow (Task-1)", f_slow, 0, 1);
            step(b, "tick (Task-2)", f_tick, 1, 2);
            step(b, "slow (Task-1)", f_slow, 10, 50);
            step(b, "tick (Task-2)", f_tick, 50, 51);
            step(b, "tick (Task-2)", f_tick, 71, 72);
            let span = |b: &mut ProfileBuilder, track, from, to, f| {
                let handle = b.open_span(track, ms(from), f, ArgsRef::NONE);
                (handle, track, ms(to))
            };
            let close =
                |b: &mut ProfileBuilder, (handle, track, to)| b.close_span(track, handle, to, SpanStatus::Ok);
            let root = span(b, slow, 0, 50, f_slow);
            let inner = span(b, slow, 1, 10, sleep);
            close(b, inner);
            close(b, root);
            let root = span(b, tick, 1, 72, f_tick);
            let inner = span(b, tick, 2, 51, sleep);
            let wait = span(b, tick, 15, 50, ready);
            close(b, wait);
            close(b, inner);
            let inner = span(b, tick, 51, 72, sleep);
            close(b, inner);
            close(b, root);
        })
    }

    #[test]
    fn a_loop_is_idle_for_what_its_next_step_waited_for_and_held_by_what_ran_meanwhile() {
        let s = run();
        let id = busiest(&s.profile).unwrap();
        let query = EventLoopOf { track: s.profile.keys().track_key(id), range: None };
        let found = ask(&s, &query);
        let name = |f: FunctionId| s.profile.function_name(f);
        assert_eq!((found.whole, found.busy, found.idle), (72_000_000, 44_000_000, 28_000_000));
        let causes: Vec<_> = found
            .causes
            .iter()
            .map(|c| match c.cause {
                Awaited::Wait { who, what } => (who.map(name), name(what), c.time / 1_000_000, c.gaps),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(causes, [(Some("tick"), "sleep", 20, 1), (Some("slow"), "sleep", 8, 1)]);
        assert_eq!(found.all_late, (1, 35_000_000));
        let held: Vec<_> =
            found.held.iter().map(|h| (h.by.map(name), h.steps, h.longest, h.waited)).collect();
        assert_eq!(held, [(Some("slow"), 1, 35_000_000, 35_000_000)]);
        assert_eq!(found.held[0].longest_step, (40_000_000, 10_000_000));
        assert_eq!(found.late[0].by.map(name), Some("slow"));
        let early = ask(&s, &EventLoopOf { range: Some((0, 10_000_000)), ..query });
        assert_eq!((early.whole, early.all_late), (2_000_000, (0, 0)));
    }
}
