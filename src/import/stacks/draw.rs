//! From looks to samples of tracks.

use rustc_hash::FxHashMap;

use super::read::{Code, Run, Stacks, State, Thread};
use crate::format;
use crate::import::python::module_of;
use crate::model::{
    FrameId, FunctionId, FunctionSpec, Metric, MetricId, ProfileBuilder, StackId, TrackId, TrackKind,
    TrackSpec, Unit,
};

/// What stands on a thread that waits: a function of a category that every view knows.
const WAITS: FunctionSpec<'_> =
    FunctionSpec { name: "(waits)", module: "", file: "", line: 0, category: "idle" };
/// The script that may run around the program is none of it …
const AROUND: &str = "/profile_run.py";
/// … and neither is what records it from inside.
pub(in crate::import) const INSIDE: &str = "<inferscope ";

/// Metrics of samples.
#[derive(Clone, Copy)]
pub(in crate::import) struct Metrics {
    time: MetricId,
    samples: MetricId,
    running: MetricId,
    gil: MetricId,
}

impl Metrics {
    pub(in crate::import) fn new(b: &mut ProfileBuilder) -> Self {
        Self {
            time: b.metric(Metric::time()),
            samples: b.metric(Metric::new("samples", "Samples", Unit::Count)),
            running: b.metric(Metric::new("running", "Running (sampled)", Unit::Nanoseconds)),
            gil: b.metric(Metric::new("gil", "With the GIL (sampled)", Unit::Nanoseconds)),
        }
    }
}

/// What one or more looks saw, over the time that they stand for.
#[derive(Clone, Copy, Debug)]
pub(in crate::import) struct Row {
    pub(in crate::import) start: i64,
    pub(in crate::import) end: i64,
    pub(in crate::import) state: State,
    pub(in crate::import) stack: Option<StackId>,
    pub(in crate::import) looks: i64,
}

impl Metrics {
    /// Adds rows that follow each other to a track. Where nothing was seen in between there is no work.
    pub(in crate::import) fn add(&self, track: TrackId, rows: &[Row], b: &mut ProfileBuilder) {
        for (n, row) in rows.iter().enumerate() {
            let length = row.end.saturating_sub(row.start);
            let part = |yes: bool| if yes { length } else { 0 };
            let mut weights = vec![(self.time, length), (self.samples, row.looks)];
            if row.state != State::Unknown {
                weights.push((self.running, part(matches!(row.state, State::HasGil | State::Runs))));
                weights.push((self.gil, part(row.state == State::HasGil)));
            }
            b.timed_sample(track, (row.start, row.end), row.stack, &weights);
            if rows.get(n + 1).is_some_and(|next| next.start > row.end) {
                b.timed_sample(track, (row.end, row.end), None, &[(self.time, 0)]);
            }
        }
    }
}

/// Stacks of a process in the profile.
pub(in crate::import) struct Paths<'a> {
    stacks: &'a Stacks,
    /// By code; `None` for what is none of the program.
    functions: Vec<Option<FunctionId>>,
    waits: FrameId,
    /// Frames of the script around the program that each stack has outside.
    around: Vec<u32>,
    /// By stack and frames that are cut off outside.
    known: FxHashMap<(u32, u32), Option<StackId>>,
}

impl<'a> Paths<'a> {
    /// `named`: what somebody knows better of a function.
    pub(in crate::import) fn new(
        stacks: &'a Stacks,
        named: impl Fn(&Code, &mut ProfileBuilder) -> Option<FunctionId>,
        b: &mut ProfileBuilder,
    ) -> Self {
        let mut function = |code: &Code| {
            named(code, b).unwrap_or_else(|| {
                let (name, file, module) = (&code.name, &code.file, module_of(&code.file));
                b.function(FunctionSpec { name, module: &module, file, line: code.line, category: "" })
            })
        };
        let mut is_seen = vec![false; stacks.codes.len()];
        let mut around: Vec<u32> = Vec::with_capacity(stacks.stacks.len());
        for stack in &stacks.stacks {
            let below = stack.below.and_then(|n| around.get(n as usize)).copied().unwrap_or(0);
            let is_around = below == stack.depth && stacks.codes[stack.code as usize].file.ends_with(AROUND);
            around.push(below + u32::from(is_around));
            is_seen[stack.code as usize] |= !is_around;
        }
        let codes = stacks.codes.iter().zip(is_seen);
        let functions =
            codes.map(|(code, seen)| (seen && !code.file.starts_with(INSIDE)).then(|| function(code)));
        let functions = functions.collect();
        let waits = b.function(WAITS);
        let waits = b.frame(waits, 0);
        Self { stacks, functions, waits, around, known: FxHashMap::default() }
    }

    /// The frames of a stack, innermost first: how many are below each, and what it is a call of.
    pub(in crate::import) fn frames(&self, stack: u32) -> impl Iterator<Item = (u32, &'a Code)> + use<'a> {
        let stacks = self.stacks;
        let frame = |n: u32| stacks.stacks.get(n as usize).copied();
        std::iter::successors(frame(stack), move |s| s.below.and_then(frame))
            .filter_map(|s| Some((s.depth, stacks.codes.get(s.code as usize)?)))
    }

    /// A stack without its `cut` outermost frames; with what stands for waiting where the thread did not run.
    pub(in crate::import) fn stack(
        &mut self,
        stack: Option<u32>,
        cut: u32,
        state: State,
        b: &mut ProfileBuilder,
    ) -> Option<StackId> {
        let found = stack.and_then(|stack| self.frame(stack, cut.max(self.around[stack as usize]), b));
        if state == State::Idle { Some(b.stack(found, self.waits)) } else { found }
    }

    fn frame(&mut self, stack: u32, cut: u32, b: &mut ProfileBuilder) -> Option<StackId> {
        let mut new = Vec::new();
        let (mut at, mut found) = (Some(stack), None);
        while let Some(n) = at {
            let row = self.stacks.stacks[n as usize];
            if row.depth < cut {
                break;
            }
            if let Some(known) = self.known.get(&(n, cut)) {
                found = *known;
                break;
            }
            new.push((n, row));
            at = row.below;
        }
        for (n, row) in new.into_iter().rev() {
            if let Some(function) = self.functions[row.code as usize] {
                let frame = b.frame(function, row.line);
                found = Some(b.stack(found, frame));
            }
            self.known.insert((n, cut), found);
        }
        found
    }
}

/// Threads of a process, each on a track.
pub(in crate::import) struct Plain<'a> {
    pub(in crate::import) stacks: &'a Stacks,
    /// What is added to a time.
    pub(in crate::import) shift: i64,
    /// The name of the process; empty when there is one.
    pub(in crate::import) process: &'a str,
    /// The place of the first track.
    pub(in crate::import) sort: i64,
}

impl Plain<'_> {
    pub(in crate::import) fn draw(&self, metrics: &Metrics, b: &mut ProfileBuilder) {
        let mut paths = Paths::new(self.stacks, |_, _| None, b);
        for (n, thread) in ordered(&self.stacks.threads).into_iter().enumerate() {
            let sort = self.sort.saturating_add(n as i64);
            let name = name(thread, self.stacks.pid);
            let spec = TrackSpec { name: &name, process: self.process, kind: TrackKind::Thread, sort };
            let rows = rows(self.stacks, thread, self.shift, &mut paths, b);
            if !rows.is_empty() {
                let track = b.track(spec);
                metrics.add(track, &rows, b);
            }
        }
    }
}

/// A thread that was looked at while it was being started has neither number nor name: nobody knows which one it is.
fn is_nobody(thread: &Thread) -> bool {
    thread.name.is_empty() && (thread.native, thread.ident) == (0, 0)
}

/// Threads as they are shown: the main one first.
pub(in crate::import) fn ordered(threads: &[Thread]) -> Vec<&Thread> {
    let mut ordered: Vec<&Thread> = threads.iter().filter(|thread| !is_nobody(thread)).collect();
    ordered.sort_by_key(|thread| thread.name != MAIN);
    ordered
}

/// What Python calls its first thread.
const MAIN: &str = "MainThread";

/// What a thread is called.
pub(in crate::import) fn name(thread: &Thread, process: u64) -> String {
    match (thread.name.as_str(), thread.native) {
        // Before its module of threads is loaded Python has no names. The system's number of the first is the process's.
        ("", native) if native == process && native != 0 => MAIN.to_owned(),
        ("", 0) => format!("thread {:#x}", thread.ident),
        ("", native) => format!("thread {native}"),
        (name, _) => name.to_owned(),
    }
}

/// The samples of a thread, equal ones as one.
pub(in crate::import) fn rows(
    stacks: &Stacks,
    thread: &Thread,
    shift: i64,
    paths: &mut Paths<'_>,
    b: &mut ProfileBuilder,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for &Run { looks: (first, end), state, stack } in &thread.runs {
        let stack = paths.stack(stack, 0, state, b);
        let mut from = first as usize;
        while from < end as usize {
            // To where something was missed.
            let last = (from..end as usize - 1).find(|&n| !stacks.is_followed(n)).unwrap_or(end as usize - 1);
            let start = stacks.looks[from].saturating_add(shift);
            let until = stacks.until(last).saturating_add(shift);
            rows.push(Row { start, end: until, state, stack, looks: (last - from + 1) as i64 });
            from = last + 1;
        }
    }
    rows
}

/// What a person reads of the sampling.
pub(in crate::import) fn tell(all: &[&Stacks], b: &mut ProfileBuilder) {
    let mut samplers: Vec<String> = Vec::new();
    let (mut looks, mut lost) = (0i64, 0i64);
    for stacks in all {
        let place = format!("process {}", stacks.pid);
        b.warn_many("lines of sampled stacks that cannot be read (left out)", &place, stacks.damaged);
        if stacks.is_full {
            b.warn("stacks were sampled until the room for them was used up", &place);
        }
        let nobodys =
            stacks.threads.iter().filter(|thread| is_nobody(thread)).flat_map(|thread| &thread.runs);
        let nobodys = nobodys.map(|run| u64::from(run.looks.1.saturating_sub(run.looks.0))).sum();
        b.warn_many("looks at threads that were being started (left out)", &place, nobodys);
        looks += stacks.looks.len() as i64;
        lost = lost.saturating_add(i64::try_from(stacks.lost).unwrap_or(i64::MAX));
        let text = format!("{}, every {}", stacks.sampler, format::duration(stacks.interval));
        if !samplers.contains(&text) {
            samplers.push(text);
        }
    }
    let missed = if lost > 0 { format!(", {} missed", format::count(lost)) } else { String::new() };
    let text = format!("{} looks at the threads{missed}; {}", format::count(looks), samplers.join("; "));
    b.meta.result("Stacks", text);
    let mut versions: Vec<&str> = all.iter().map(|s| s.python.as_str()).filter(|v| !v.is_empty()).collect();
    versions.sort_unstable();
    versions.dedup();
    if !versions.is_empty() && b.meta.fact("Python").is_none() {
        b.meta.setting("Python", versions.join(", "));
    }
}
