//! From tasks to tracks, spans, links and findings of a profile.

use rustc_hash::{FxHashMap, FxHashSet};

use super::task::{Call, Index, State, Task, Wait, What};
use super::world::{Job, MOST_LINKS, Origin, Step, Symbol, World};
use crate::format;
use crate::import::python::module_of;
use crate::model::{
    ArgsRef, EVENT_LOOP, FunctionId, FunctionSpec, Link, Metric, MetricId, ProfileBuilder, SpanStatus,
    TrackId, TrackKind, TrackSpec, Unit, Value,
};

/// Tasks that have a track each. Where there are more, those of one coroutine share a track, one beside the other.
const OWN_TRACKS: usize = 64;
/// A wait of this length, ns, says what it was for.
const TOLD: i64 = 20_000;

/// A process, and what it adds to times of its clock.
pub(super) struct Drawing<'a> {
    pub(super) world: &'a World,
    pub(super) shift: i64,
    /// The name of the process; empty when there is one.
    pub(super) process: String,
    /// Its place among the processes.
    pub(super) place: u64,
}

/// Where a process lies.
pub(super) struct Tracks {
    /// The track of each task, and 0, or its number where it shares that.
    pub(super) tasks: FxHashMap<Index, (TrackId, u32)>,
    /// Of threads that ran jobs.
    pub(super) threads: FxHashMap<Index, TrackId>,
}

struct Metrics {
    busy: MetricId,
    ready: MetricId,
}

/// Names of spans, each its own in the profile.
fn uid(place: u64, task: Index, call: Index) -> u64 {
    place << 56 | (task as u64 & 0xFFF_FFFF) << 28 | call as u64 & 0xFFF_FFFF
}

impl Drawing<'_> {
    pub(super) fn draw(&self, b: &mut ProfileBuilder) -> Tracks {
        b.metric(Metric::time());
        let metrics = Metrics {
            busy: b.metric(Metric::new("busy", "Busy (on the loop)", Unit::Nanoseconds)),
            ready: b.metric(Metric::new("ready", "Ready (the loop was busy)", Unit::Nanoseconds)),
        };
        let tracks = self.tracks(b);
        let creators: FxHashSet<(Index, Index)> = {
            let tasks = self.world.tasks.iter().filter_map(|t| self.world.caller(t));
            let jobs = self.world.jobs.values().filter_map(|j| self.world.caller_of_job(j));
            tasks.chain(jobs).collect()
        };
        for (index, task) in self.world.tasks.iter().enumerate() {
            if let Some(&(track, chain)) = tracks.get(&index) {
                self.task(b, &metrics, (track, chain), index, task, &creators);
            }
        }
        let threads = self.jobs(b);
        self.loops(b);
        let name = b.string("wakes");
        for &((from, told), (to, time)) in &self.world.wakes {
            let from = match from {
                Origin::Task(task) => tracks.get(&task).map(|t| t.0),
                Origin::Thread(thread) => threads.get(&thread).copied(),
            };
            if let (Some(from), Some((to, _))) = (from, tracks.get(&to)) {
                b.link(Link { from: (from, self.at(told)), to: (*to, self.at(time)), name });
            }
        }
        self.starts(b, &tracks, &threads);
        if self.world.wakes_left_out > 0 {
            let place = format!("the first {MOST_LINKS} are kept");
            b.warn_many(
                "links from who woke a task to that task (left out)",
                &place,
                self.world.wakes_left_out,
            );
        }
        Tracks { tasks: tracks, threads }
    }

    /// From where a task or a job was made to its start, where it outlived what made it.
    fn starts(
        &self,
        b: &mut ProfileBuilder,
        tracks: &FxHashMap<Index, (TrackId, u32)>,
        threads: &FxHashMap<Index, TrackId>,
    ) {
        let world = self.world;
        let tasks = world.tasks.iter().enumerate().filter(|(_, task)| world.caller(task).is_none());
        let tasks = tasks.filter_map(|(n, task)| {
            let (by, made, track) = (task.creator?.0, task.made?, tracks.get(&n)?.0);
            Some((by, made, track, task.calls.first()?.start))
        });
        let jobs = world.jobs.values().filter(|job| world.caller_of_job(job).is_none());
        let jobs = jobs.filter_map(|job| {
            let (thread, start, _) = job.ran?;
            Some((job.creator?.0, job.submitted?, *threads.get(&thread)?, start))
        });
        let mut all: Vec<_> = tasks.chain(jobs).collect();
        all.sort_unstable();
        all.truncate(MOST_LINKS);
        let name = b.string("starts");
        for (by, made, to, start) in all {
            if let Some((from, _)) = tracks.get(&by) {
                b.link(Link { from: (*from, self.at(made)), to: (to, self.at(start)), name });
            }
        }
    }

    pub(super) fn at(&self, time: i64) -> i64 {
        time.saturating_add(self.shift)
    }

    pub(super) fn symbol(&self, number: u32) -> Option<&Symbol> {
        self.world.symbols.get(&number).filter(|s| !s.name.is_empty())
    }

    /// The track of each task that did anything, and a number of its own where it shares that.
    fn tracks(&self, b: &mut ProfileBuilder) -> FxHashMap<Index, (TrackId, u32)> {
        let tasks = &self.world.tasks;
        let seen: Vec<Index> = (0..tasks.len()).filter(|&i| tasks[i].is_shown()).collect();
        let mut alike: FxHashMap<&str, usize> = FxHashMap::default();
        seen.iter().for_each(|&i| *alike.entry(&tasks[i].coroutine).or_default() += 1);
        // The fewest of a kind come first.
        let mut kinds: Vec<(usize, &str)> = alike.iter().map(|(name, count)| (*count, *name)).collect();
        kinds.sort_unstable();
        let mut left = OWN_TRACKS;
        let mut own: FxHashSet<&str> = FxHashSet::default();
        for (count, name) in kinds {
            if count <= left {
                left -= count;
                own.insert(name);
            }
        }
        let mut shared: FxHashMap<&str, TrackId> = FxHashMap::default();
        let mut found = FxHashMap::default();
        for (order, &i) in seen.iter().enumerate() {
            let task = &tasks[i];
            let mut add = |name: &str| {
                let sort = self.sort(1, order);
                b.track(TrackSpec { name, process: &self.process, kind: TrackKind::Task, sort })
            };
            let coroutine = task.coroutine.as_str();
            let place = if own.contains(coroutine) {
                (add(&label(task)), 0)
            } else {
                let title = || format!("{coroutine} ({} tasks)", alike.get(coroutine).copied().unwrap_or(0));
                (*shared.entry(coroutine).or_insert_with(|| add(&title())), order as u32 + 1)
            };
            found.insert(i, place);
        }
        found
    }

    /// Loops, tasks, threads; of one process after the other.
    pub(super) fn sort(&self, part: i64, order: usize) -> i64 {
        let order = i64::try_from(order).unwrap_or(i64::MAX).min(999_999);
        (self.place.cast_signed() * 4 + part * 2) * 1_000_000 + order
    }

    fn task(
        &self,
        b: &mut ProfileBuilder,
        metrics: &Metrics,
        (track, chain): (TrackId, u32),
        index: Index,
        task: &Task,
        creators: &FxHashSet<(Index, Index)>,
    ) {
        let mut outermost = true;
        for (n, call) in task.calls.iter().enumerate() {
            if matches!(call.what, What::Code(symbol) if self.symbol(symbol).is_some_and(|s| s.is_between)) {
                continue;
            }
            let is_root = outermost && matches!(call.what, What::Code(_));
            outermost &= !is_root;
            let function = self.function(b, call.what);
            let args = self.args(b, task, call, is_root);
            let handle = b.open_span(track, self.at(call.start), function, args);
            let failed = match self.symbol(call.error) {
                Some(error) => !["CancelledError", "GeneratorExit", "StopAsyncIteration", "StopIteration"]
                    .contains(&error.name.as_str()),
                None => is_root && task.state == State::Failed,
            };
            let status = match call.end {
                None => SpanStatus::Unfinished,
                Some(_) if failed => SpanStatus::Error,
                Some(_) => SpanStatus::Ok,
            };
            let last = self.world.bounds.map_or(call.start, |bounds| bounds.1);
            b.close_span(track, handle, self.at(call.end.unwrap_or(last)), status);
            b.span_cost(track, handle, metrics.busy, call.busy);
            b.span_cost(track, handle, metrics.ready, call.ready);
            if chain > 0 {
                b.chain_span(track, handle, chain);
            }
            let caller = self.world.caller(task).filter(|_| is_root);
            let parent = caller.map(|(task, call)| uid(self.place, task, call));
            if parent.is_some() || creators.contains(&(index, n)) {
                b.name_span(track, handle, uid(self.place, index, n), parent);
            }
        }
    }

    fn function(&self, b: &mut ProfileBuilder, what: What) -> FunctionId {
        let named = |name, category| FunctionSpec { name, category, ..FunctionSpec::default() };
        let spec = match what {
            What::Code(number) => match self.symbol(number) {
                Some(symbol) => return self.symbol_function(b, symbol),
                None => named("(unknown coroutine)", ""),
            },
            What::Ready => named("ready, the loop was busy", "ready"),
            What::Wait(wait) => {
                let name = match wait {
                    Wait::Turn => "await of the next turn",
                    Wait::Future => "await of a future",
                    Wait::Task => "await of a task",
                    Wait::Members => "await of several",
                    Wait::Job => "await of a thread's job",
                };
                named(name, IDLE)
            }
        };
        b.function(spec)
    }

    pub(super) fn symbol_function(&self, b: &mut ProfileBuilder, s: &Symbol) -> FunctionId {
        b.function(FunctionSpec {
            name: &s.name,
            file: &s.file,
            line: s.line,
            category: if s.waits { IDLE } else { "" },
            ..FunctionSpec::default()
        })
    }

    /// What is known of a bar beside its times.
    fn args(&self, b: &mut ProfileBuilder, task: &Task, call: &Call, is_root: bool) -> ArgsRef {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        let world = self.world;
        let name = |number: u64| world.find(number).map(label);
        if is_root {
            pairs.push(("task", task.name.clone()));
            pairs.push(("state", task.state.name().into()));
            pairs.push(("made at", task.place.clone()));
            let parent = task.creator.map(|(parent, _)| label(&world.tasks[parent]));
            pairs.push(("made by", parent.unwrap_or_default()));
        }
        let error = if is_root && call.error == 0 { task.error } else { call.error };
        pairs.extend(self.symbol(error).map(|error| ("error", error.name.clone())));
        let length = call.end.map_or(0, |end| end - call.start);
        if length >= TOLD {
            match (call.what, call.of) {
                (What::Wait(Wait::Task), Some(of)) => pairs.extend(name(of).map(|of| ("for", of))),
                (What::Wait(Wait::Members), Some(of)) => {
                    pairs.push(("for", format!("{of} tasks or futures")))
                }
                (What::Wait(Wait::Job), Some(of)) => {
                    pairs.extend(world.jobs.get(&of).map(|job| ("for", job.name.clone())));
                }
                (What::Ready, of) => {
                    pairs.extend(self.symbol(call.held_by).map(|s| ("held by", s.name.clone())));
                    pairs.extend(of.and_then(name).map(|of| ("in task", of)));
                }
                _ => {}
            }
            pairs.extend(call.woken_by.map(|by| ("woken by", label(&world.tasks[by]))));
        }
        let pairs: Vec<_> = pairs
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (b.string(key), Value::Text(b.string(&text))))
            .collect();
        b.args(pairs)
    }

    /// Jobs of thread pools, on tracks of their threads.
    fn jobs(&self, b: &mut ProfileBuilder) -> FxHashMap<Index, TrackId> {
        let ran = |(number, job): (&u64, &'_ Job)| Some((job.ran?.1, *number));
        let mut jobs: Vec<(i64, u64)> = self.world.jobs.iter().filter_map(ran).collect();
        jobs.sort_unstable();
        let mut tracks: FxHashMap<Index, TrackId> = FxHashMap::default();
        for (_, number) in jobs {
            let job = &self.world.jobs[&number];
            let Some((thread, start, end)) = job.ran else { continue };
            let track = *tracks.entry(thread).or_insert_with(|| {
                let name = match self.world.threads[thread].name.as_str() {
                    "" => "thread",
                    name => name,
                };
                let (kind, sort) = (TrackKind::Thread, self.sort(2, thread));
                b.track(TrackSpec { name, process: &self.process, kind, sort })
            });
            let (file, line) = job.place.rsplit_once(':').unwrap_or((&job.place, ""));
            let name = if job.name.is_empty() { "(job)" } else { &job.name };
            let line = line.parse().unwrap_or(0);
            let module = module_of(file);
            let function = b.function(FunctionSpec { name, module: &module, file, line, category: "" });
            let queued = job.submitted.map(|at| (start - at).max(0));
            let key = b.string("waited for a thread");
            let queued = queued.map(|ns| (key, Value::Text(b.string(&format::duration(ns)))));
            let args = b.args(queued);
            let last = self.world.bounds.map_or(start, |bounds| bounds.1);
            let handle = b.open_span(track, self.at(start), function, args);
            let status = if end.is_some() { SpanStatus::Ok } else { SpanStatus::Unfinished };
            b.close_span(track, handle, self.at(end.unwrap_or(last)), status);
            let parent = self.world.caller_of_job(job).map(|(task, call)| uid(self.place, task, call));
            b.name_span(track, handle, 1 << 63 | self.place << 56 | number & 0xFF_FFFF_FFFF_FFFF, parent);
        }
        tracks
    }

    /// What each loop ran, step by step.
    fn loops(&self, b: &mut ProfileBuilder) {
        for (n, thread) in self.world.threads.iter().enumerate().filter(|(_, t)| !t.steps.is_empty()) {
            let name =
                format!("{EVENT_LOOP}{}", if thread.name.is_empty() { "a thread" } else { &thread.name });
            let sort = self.sort(0, n);
            let track =
                b.track(TrackSpec { name: &name, process: &self.process, kind: TrackKind::Summary, sort });
            for step in &thread.steps {
                let function = self.step_function(b, step);
                let key = b.string("task");
                let task = b.string(&label(&self.world.tasks[step.task]));
                let args = b.args([(key, Value::Text(task))]);
                b.span(track, self.at(step.start), self.at(step.end), function, args);
            }
        }
    }

    fn step_function(&self, b: &mut ProfileBuilder, step: &Step) -> FunctionId {
        match self.symbol(step.symbol) {
            Some(_) => self.function(b, What::Code(step.symbol)),
            None => b.function(FunctionSpec::named(&self.world.tasks[step.task].coroutine)),
        }
    }
}

/// The category of what waits, which every view knows.
const IDLE: &str = "idle";

/// What a task is called: its name where somebody gave it one, else its coroutine.
fn label(task: &Task) -> String {
    let made_up = task.name.strip_prefix("Task-").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    match (task.coroutine.as_str(), task.name.as_str()) {
        ("", "") => format!("task {}", task.number),
        ("", name) => name.to_owned(),
        (coroutine, "") => coroutine.to_owned(),
        (coroutine, name) if made_up => format!("{coroutine} ({name})"),
        (coroutine, name) if coroutine == name => name.to_owned(),
        (coroutine, name) => format!("{name} ({coroutine})"),
    }
}
