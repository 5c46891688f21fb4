//! Sampled stacks of a process whose tasks are known: below the coroutine that ran, on the steps of the loop, and on the threads.
//!
//! A look at a loop's thread belongs to the step that it fell into, and stands for time of that step alone. It lies on the track of the
//! step's task, without the frames down to the innermost coroutine that is a span there; what fell between steps, shows none of
//! the step's coroutines, or fell on a task that shares its track, lies on the thread. Each look is in one place: sums count it once.

use rustc_hash::FxHashMap;

use super::draw::{Drawing, Tracks};
use super::task::{Index, Task, What};
use super::world::{Step, Symbol, World};
use crate::import::stacks::{self, Code, Metrics, Paths, Row, Stacks};
use crate::model::{ProfileBuilder, TrackId, TrackKind, TrackSpec};

/// Files of event loops: what they call at last is a step.
const PLUMBING: [&str; 4] =
    ["asyncio/events.py", "asyncio/base_events.py", "asyncio/runners.py", "uvloop/__init__.py"];

/// Which coroutines of a task are open while time goes on.
struct Open<'a> {
    task: &'a Task,
    /// Its coroutine calls by start, and those that have begun and not ended.
    calls: Vec<Index>,
    next: usize,
    open: Vec<Index>,
}

impl<'a> Open<'a> {
    fn new(task: &'a Task) -> Self {
        let is_call = |&n: &Index| matches!(task.calls[n].what, What::Code(_));
        let mut calls: Vec<Index> = (0..task.calls.len()).filter(is_call).collect();
        calls.sort_by_key(|&n| task.calls[n].start);
        Self { task, calls, next: 0, open: Vec::new() }
    }

    /// Symbols of those at `time`, innermost first. Times only grow.
    fn at(&mut self, time: i64) -> impl Iterator<Item = u32> + '_ {
        while let Some(&call) = self.calls.get(self.next).filter(|&&n| self.task.calls[n].start <= time) {
            self.open.push(call);
            self.next += 1;
        }
        self.open.retain(|&n| self.task.calls[n].end.is_none_or(|end| end > time));
        self.open.iter().rev().filter_map(|&n| match self.task.calls[n].what {
            What::Code(symbol) => Some(symbol),
            _ => None,
        })
    }
}

pub(super) fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Whether a path and one that may be a part of it name one file.
fn is_same_file(a: &str, b: &str) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '\\']))
    };
    ends(a, b.trim_start_matches("./")) || ends(b, a.trim_start_matches("./"))
}

fn is_call_of(code: &Code, symbol: &Symbol) -> bool {
    last_part(&code.name) == last_part(&symbol.name) && is_same_file(&symbol.file, &code.file)
}

/// Symbols by the last part of their names.
fn by_name(world: &World) -> FxHashMap<&str, Vec<&Symbol>> {
    let mut names: FxHashMap<&str, Vec<&Symbol>> = FxHashMap::default();
    for symbol in world.symbols.values().filter(|s| !s.file.is_empty()) {
        names.entry(last_part(&symbol.name)).or_default().push(symbol);
    }
    names
}

/// Rows of tracks, each in order of time.
#[derive(Default)]
struct Rows(FxHashMap<TrackId, Vec<Row>>);

impl Rows {
    fn push(&mut self, track: TrackId, row: Row) {
        let rows = self.0.entry(track).or_default();
        match rows.last_mut() {
            Some(last) if last.end == row.start && last.stack == row.stack && last.state == row.state => {
                (last.end, last.looks) = (row.end, last.looks + row.looks);
            }
            _ => rows.push(row),
        }
    }
}

impl Drawing<'_> {
    /// Adds the samples of the process.
    pub(super) fn samples(
        &self,
        stacks: &Stacks,
        tracks: &Tracks,
        metrics: &Metrics,
        b: &mut ProfileBuilder,
    ) {
        let names = by_name(self.world);
        let named = |code: &Code, b: &mut ProfileBuilder| {
            let alike = names.get(last_part(&code.name))?.iter().filter(|s| is_call_of(code, s));
            let mut alike = alike.filter(|s| code.line == 0 || code.line == s.line);
            let only = alike.next().filter(|_| alike.next().is_none())?;
            Some(self.symbol_function(b, only))
        };
        let mut paths = Paths::new(stacks, named, b);
        let mut rows = Rows::default();
        let mut open: FxHashMap<Index, Open<'_>> = FxHashMap::default();
        for (order, thread) in stacks::ordered(&stacks.threads).into_iter().enumerate() {
            let threads = &self.world.threads;
            let known = (0..threads.len()).filter(|&n| threads[n].is_sampled_as(thread.native, thread.ident));
            let known = known.max_by_key(|&n| (self.world.threads[n].steps.len(), std::cmp::Reverse(n)));
            let steps = known.map_or(&[][..], |n| &self.world.threads[n].steps);
            let own = known.and_then(|n| tracks.threads.get(&n).copied());
            let place = (own, order, stacks::name(thread, stacks.pid), !steps.is_empty());
            if steps.is_empty() {
                let plain = stacks::rows(stacks, thread, self.shift, &mut paths, b);
                if !plain.is_empty() {
                    let track = self.thread_track(place, b);
                    plain.into_iter().for_each(|row| rows.push(track, row));
                }
                continue;
            }
            let mut track = None;
            // Where the last stretch began, and up to when it is told.
            let mut last: Option<(i64, i64)> = None;
            for run in &thread.runs {
                for look in run.looks.0 as usize..run.looks.1 as usize {
                    let at = stacks.looks[look];
                    let (step, from, to) = segment(steps, at);
                    // The first look into a stretch stands for what was before it, too.
                    let before = last.filter(|l| l.0 == from).map_or(i64::MIN, |l| l.1);
                    let start = before.max(at.saturating_sub(stacks.interval)).max(from).min(at);
                    let end = stacks.until(look).min(to).max(at);
                    last = Some((from, end));
                    let task = step.map(|step| step.task);
                    let own = task.and_then(|task| tracks.tasks.get(&task)).filter(|t| t.1 == 0);
                    let cut = match (task, run.stack) {
                        (Some(task), Some(stack)) => {
                            let tasks = &self.world.tasks;
                            let open = open.entry(task).or_insert_with(|| Open::new(&tasks[task]));
                            self.cut(&paths, stack, open.at(at))
                        }
                        _ => Some(0),
                    };
                    let (start, end) = (self.at(start), self.at(end));
                    let row = |cut: u32, paths: &mut Paths<'_>, b: &mut ProfileBuilder| Row {
                        start,
                        end,
                        state: run.state,
                        stack: paths.stack(run.stack, cut, run.state, b),
                        looks: 1,
                    };
                    match own.zip(cut) {
                        Some((&(track, _), cut)) => rows.push(track, row(cut, &mut paths, b)),
                        None => {
                            let track = *track.get_or_insert_with(|| self.thread_track(place.clone(), b));
                            rows.push(track, row(0, &mut paths, b));
                        }
                    }
                }
            }
        }
        let mut rows: Vec<(TrackId, Vec<Row>)> = rows.0.into_iter().collect();
        rows.sort_by_key(|(track, _)| *track);
        rows.iter().for_each(|(track, rows)| metrics.add(*track, rows, b));
    }

    /// Frames of a stack down to the innermost of these coroutines that it has, or to the loop. `None` for a stack that cannot be
    /// of this step, because the loop calls something and none of them: it was read a moment earlier or later.
    fn cut(&self, paths: &Paths<'_>, stack: u32, open: impl Iterator<Item = u32>) -> Option<u32> {
        let mut is_known = false;
        for symbol in open.filter_map(|symbol| self.world.symbols.get(&symbol)) {
            if let Some((depth, _)) = paths.frames(stack).find(|(_, code)| is_call_of(code, symbol)) {
                return Some(depth + 1);
            }
            is_known |= !symbol.file.is_empty();
        }
        let is_loop = |code: &Code| PLUMBING.iter().any(|file| code.file.ends_with(file));
        let frames = paths.frames(stack).next().map_or(0, |(depth, _)| depth + 1);
        let of_loop = paths.frames(stack).find(|(_, code)| is_loop(code)).map_or(0, |(depth, _)| depth + 1);
        (!is_known || of_loop == 0 || of_loop == frames).then_some(of_loop)
    }

    fn thread_track(
        &self,
        (known, order, name, has_loop): (Option<TrackId>, usize, String, bool),
        b: &mut ProfileBuilder,
    ) -> TrackId {
        known.unwrap_or_else(|| {
            let name = if has_loop { format!("{name}, outside of tasks") } else { name };
            let (kind, sort) = (TrackKind::Thread, self.sort(2, 100_000 + order));
            b.track(TrackSpec { name: &name, process: &self.process, kind, sort })
        })
    }
}

/// The step at a time, and from when to when it was; or the time between two.
fn segment(steps: &[Step], at: i64) -> (Option<&Step>, i64, i64) {
    let next = steps.partition_point(|step| step.start <= at);
    let before = next.checked_sub(1).map(|n| &steps[n]);
    match before {
        Some(step) if at < step.end => (Some(step), step.start, step.end),
        before => {
            (None, before.map_or(i64::MIN, |b| b.end), steps.get(next).map_or(i64::MAX, |next| next.start))
        }
    }
}
