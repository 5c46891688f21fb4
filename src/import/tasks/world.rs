//! From records to tasks with their calls, waits and wakers; to jobs of thread pools; to what held the loop.

use rustc_hash::FxHashMap;

use super::reasons::{self, Waker};
use super::records::{Kind, Process, Record};
use super::task::{Index, State, Suspended, Task, Wait, What, Woken};

/// How many steps back it is searched for what held the loop.
const LOOK_BACK: usize = 256;
/// A task that is ready for less than that, ns, has no bar for it: a loop's turn takes as long.
const LEAST_READY: i64 = 50_000;
/// Links that are kept.
pub(super) const MOST_LINKS: usize = 200_000;

/// The argument of an OFF of a task that has ended.
const ENDED: u64 = 4;

/// A function's code, or a short text; by number.
#[derive(Debug, Default)]
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) line: u32,
    /// Its calls wait and do nothing else.
    pub(super) waits: bool,
    /// It stands between the program's `async with` and what that waits for, and says nothing itself.
    pub(super) is_between: bool,
}

/// A step of a task on its loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) task: Index,
    /// What ran most of it.
    pub(super) symbol: u32,
    /// Tasks that were ready meanwhile, and the longest that one of them waited because of it.
    pub(super) delayed: u32,
    pub(super) delay: i64,
}

impl Thread {
    /// Whether it is the one that was sampled with these numbers of the system and of Python, 0 where they are not known.
    pub(super) fn is_sampled_as(&self, native: u64, ident: u64) -> bool {
        native > 0 && self.native == native || ident > 0 && self.ident == ident
    }
}

#[derive(Debug, Default)]
pub(super) struct Thread {
    pub(super) name: String,
    /// The system's number, and Python's where it is told.
    pub(super) native: u64,
    pub(super) ident: u64,
    pub(super) steps: Vec<Step>,
    on: Option<Index>,
    /// When the step began, up to when its time was given to calls, and the first event in it.
    began: i64,
    mark: i64,
    first: Option<i64>,
    own: Vec<(u32, i64)>,
    /// The task that ended last, and the same for as long as nothing else ran.
    last_ended: Option<Index>,
    told: Option<Index>,
    jobs: Vec<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) place: String,
    pub(super) creator: Option<(Index, Option<Index>)>,
    pub(super) submitted: Option<i64>,
    pub(super) ran: Option<(Index, i64, Option<i64>)>,
}

/// Where a link begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Task(Index),
    Thread(Index),
}

/// Something woke a task: from where and when, which task when.
pub(super) type Wake = ((Origin, i64), (Index, i64));

/// All that a process did.
#[derive(Default)]
pub(super) struct World {
    pub(super) program: String,
    pub(super) version: String,
    pub(super) symbols: FxHashMap<u32, Symbol>,
    pub(super) tasks: Vec<Task>,
    pub(super) threads: Vec<Thread>,
    pub(super) jobs: FxHashMap<u64, Job>,
    pub(super) wakes: Vec<Wake>,
    pub(super) wakes_left_out: u64,
    /// First and last record.
    pub(super) bounds: Option<(i64, i64)>,
    by_number: FxHashMap<u64, Index>,
    thread_of: FxHashMap<usize, Index>,
}

impl World {
    pub(super) fn of(process: &Process<'_>) -> Self {
        let mut world = Self::default();
        for (series, record) in process.records() {
            world.add(series, &record);
        }
        let last = world.bounds.map_or(0, |b| b.1);
        for thread in 0..world.threads.len() {
            world.end_step(thread, last);
        }
        for task in &mut world.tasks {
            let open = std::mem::take(&mut task.open);
            open.into_iter().rev().for_each(|call| {
                task.end_call(call, last);
                task.calls[call].end = None;
            });
        }
        world
    }

    /// Task and call that made a task, or the call around that which lasted as long.
    pub(super) fn caller(&self, task: &Task) -> Option<(Index, Index)> {
        self.lasting(task.creator, task.ended)
    }

    /// The same of a job.
    pub(super) fn caller_of_job(&self, job: &Job) -> Option<(Index, Index)> {
        self.lasting(job.creator, job.ran?.2)
    }

    fn lasting(&self, creator: Option<(Index, Option<Index>)>, until: Option<i64>) -> Option<(Index, Index)> {
        let (task, call) = creator?;
        Some((task, self.tasks[task].holder(call?, until)?))
    }

    fn thread(&mut self, series: usize) -> Index {
        *self.thread_of.entry(series).or_insert_with(|| {
            self.threads.push(Thread::default());
            self.threads.len() - 1
        })
    }

    fn task(&mut self, number: u64) -> Index {
        *self.by_number.entry(number).or_insert_with(|| {
            self.tasks.push(Task::new(number));
            self.tasks.len() - 1
        })
    }

    /// The task of a number, if there is one.
    pub(super) fn find(&self, number: u64) -> Option<&Task> {
        self.by_number.get(&number).map(|&i| &self.tasks[i])
    }

    fn add(&mut self, series: usize, record: &Record<'_>) {
        let (time, argument) = (record.time, record.argument);
        let symbol = (argument & 0xFF_FFFF) as u32;
        self.bounds =
            Some(self.bounds.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        let thread = self.thread(series);
        let on = self.threads[thread].on;
        match record.kind {
            Kind::Code | Kind::Text => self.symbol(record),
            Kind::Process => {
                let mut parts = record.parts();
                self.version = parts.next().unwrap_or_default().into_owned();
                self.program = parts.next().unwrap_or_default().into_owned();
            }
            Kind::Thread => {
                // One that has taken over what an ended one wrote to.
                let mut parts = record.parts();
                let name = parts.next().unwrap_or_default().into_owned();
                let ident = parts.next().and_then(|ident| u64::from_str_radix(&ident, 16).ok()).unwrap_or(0);
                self.threads.push(Thread { name, native: argument, ident, ..Thread::default() });
                self.thread_of.insert(series, self.threads.len() - 1);
            }
            Kind::Start | Kind::GeneratorIn => {
                self.pass(thread, time);
                on.into_iter().for_each(|task| self.tasks[task].open(symbol, time));
            }
            Kind::Return | Kind::GeneratorOut | Kind::Unwind => {
                self.pass(thread, time);
                let error = if record.kind == Kind::Unwind { (argument >> 32) as u32 & 0xFF_FFFF } else { 0 };
                on.into_iter().for_each(|task| self.tasks[task].leave(symbol, time, error));
            }
            Kind::Throw => {
                self.pass(thread, time);
                // Of a coroutine that is closed: its frame runs once more, inside of whoever closes it.
                if argument >> 32 & 1 == 1 {
                    on.into_iter().for_each(|task| self.tasks[task].open(symbol, time));
                }
            }
            Kind::Chain => {
                let edges = (self.threads[thread].first.unwrap_or(time), self.threads[thread].mark);
                self.pass(thread, time);
                if let Some(task) = on {
                    let waits = |symbol: u32| self.symbols.get(&symbol).is_some_and(|s| s.waits);
                    self.tasks[task].follow(record.bytes, edges, time, waits);
                }
            }
            Kind::On => self.on(thread, argument, time),
            Kind::Off => self.off(thread, argument, time),
            Kind::Link => {
                let member = self.task(argument);
                on.into_iter().for_each(|task| self.tasks[task].members.push(member));
            }
            Kind::New => self.new_task(on, record),
            Kind::End => self.end_task(thread, argument, time),
            Kind::Ready => self.ready(thread, argument, time),
            Kind::Late => {
                let task = self.task(argument & 0xFFFF_FFFF);
                self.late(thread, task, time - (argument >> 32).cast_signed() * 1000);
            }
            Kind::Submit => {
                let mut parts = record.parts();
                let creator = on.map(|task| (task, self.tasks[task].surely_open()));
                let job = self.jobs.entry(argument).or_default();
                job.name = parts.next().unwrap_or_default().into_owned();
                job.place = parts.next().unwrap_or_default().into_owned();
                (job.creator, job.submitted) = (creator, Some(time));
            }
            Kind::Job => {
                self.jobs.entry(argument).or_default().ran = Some((thread, time, None));
                self.threads[thread].jobs.push(argument);
            }
            Kind::JobEnd => {
                let job = self.threads[thread].jobs.pop();
                if let Some(Job { ran: Some(ran), .. }) = job.and_then(|job| self.jobs.get_mut(&job)) {
                    ran.2 = Some(time);
                }
            }
        }
    }

    fn symbol(&mut self, record: &Record<'_>) {
        let mut parts = record.parts().map(std::borrow::Cow::into_owned);
        let first = parts.next().unwrap_or_default();
        let symbol = match (parts.next(), parts.next()) {
            (Some(name), line) => {
                let line = line.and_then(|l| l.parse().ok()).unwrap_or(0);
                let (waits, is_between) = (reasons::waits(&first, &name), reasons::is_between(&first, &name));
                Symbol { waits, is_between, name, file: first, line }
            }
            (None, _) => Symbol { name: first, ..Symbol::default() },
        };
        self.symbols.insert(record.argument as u32, symbol);
    }

    /// Gives the time since the last event of a step to the innermost call.
    fn pass(&mut self, thread: Index, time: i64) {
        let Some(task) = self.threads[thread].on else { return };
        let symbol = self.tasks[task].innermost().map_or(0, |(_, symbol)| symbol);
        let thread = &mut self.threads[thread];
        let passed = (time - thread.mark).max(0);
        thread.mark = time;
        thread.first.get_or_insert(time);
        match thread.own.iter().position(|own| own.0 == symbol) {
            Some(at) => thread.own[at].1 += passed,
            None if thread.own.len() < LOOK_BACK => thread.own.push((symbol, passed)),
            None => {}
        }
    }

    fn end_step(&mut self, thread: Index, time: i64) {
        self.pass(thread, time);
        let thread = &mut self.threads[thread];
        let Some(task) = thread.on.take() else { return };
        let most = thread.own.iter().max_by_key(|own| own.1).map_or(0, |own| own.0);
        thread.own.clear();
        let step = Step { start: thread.began, end: time, task, symbol: most, delayed: 0, delay: 0 };
        thread.steps.push(step);
        let task = &mut self.tasks[task];
        task.busy = task.busy_at(time);
        task.since = None;
    }

    fn on(&mut self, thread: Index, number: u64, time: i64) {
        let index = self.task(number);
        // The first step of an eager task lies within one of its creator.
        self.end_step(thread, time);
        let world = &mut self.threads[thread];
        (world.on, world.began, world.mark, world.first, world.told) = (Some(index), time, time, None, None);
        let task = &mut self.tasks[index];
        let (off, woken) = (task.off.take(), task.woken.take());
        task.since = Some(time);
        task.steps += 1;
        let first = task.steps == 1;
        if first && task.creator.is_none() && task.is_of_the_end() {
            // `asyncio.run` makes it when the main task has ended.
            let before = world.last_ended.filter(|&ended| ended != index);
            let before = before.and_then(|ended| Some((ended, self.tasks[ended].ended?)));
            self.wakes.extend(before.map(|(ended, at)| ((Origin::Task(ended), at), (index, time))));
        }
        let task = &mut self.tasks[index];
        let since = if first { task.made } else { off.as_ref().map(|off| off.at) };
        // After an eager step nothing was waited for.
        let Some(since) = since else { return self.tasks[index].resume(time) };
        let ready_at = if first { since } else { woken.map_or(time, |w| w.at.clamp(since, time.max(since))) };
        let ready = (time - ready_at).max(0);
        let (held_by, of) = self.culprit(thread, ready_at, time);
        let task = &mut self.tasks[index];
        let known = task.innermost().is_some_and(|(_, s)| self.symbols.get(&s).is_some_and(|s| s.waits));
        let mut waiting = None;
        if let Some(off) = &off {
            let kind = match off.wait & 7 {
                1 if off.wait >> 3 > 0 => Wait::Job,
                1 => Wait::Future,
                2 => Wait::Task,
                3 => Wait::Members,
                _ => Wait::Turn,
            };
            if known && kind != Wait::Job {
                waiting = task.open.last().copied();
            } else {
                let call = task.push(What::Wait(kind), since);
                task.calls[call].of = Some(off.wait >> 3).filter(|n| *n > 0);
                waiting = Some(call);
            }
        }
        let by = woken.and_then(|w| w.by).filter(|by| *by != index);
        if let Some(call) = waiting {
            task.calls[call].woken_by = by;
        }
        let stretch = (ready >= LEAST_READY).then(|| task.push(What::Ready, ready_at));
        task.ready += ready;
        if let Some(call) = stretch {
            (task.calls[call].held_by, task.calls[call].of) = (held_by, of);
            task.end_call(call, time);
        }
        if let Some(call) = waiting.filter(|&call| matches!(task.calls[call].what, What::Wait(_))) {
            task.end_call(call, time);
        }
        task.resume(time);
        let job = off.filter(|off| off.wait & 7 == 1).and_then(|off| self.jobs.get(&(off.wait >> 3)));
        let from = match job.and_then(|job| job.ran) {
            Some((thread, _, Some(end))) => Some((Origin::Thread(thread), end)),
            _ => by.map(|by| {
                let told = woken.map_or(time, |w| w.at);
                (Origin::Task(by), self.tasks[by].ended.map_or(told, |end| end.min(told)))
            }),
        };
        if let Some(from) = from {
            if self.wakes.len() < MOST_LINKS {
                self.wakes.push((from, (index, time)));
            } else {
                self.wakes_left_out += 1;
            }
        }
    }

    /// What ran most of a stretch on a thread: its code, and its task by number. Notes the delay.
    fn culprit(&mut self, thread: Index, from: i64, to: i64) -> (u32, Option<u64>) {
        let steps = &mut self.threads[thread].steps;
        let mut most: Option<(i64, u32, Index)> = None;
        for step in steps.iter_mut().rev().take(LOOK_BACK).take_while(|step| step.end > from) {
            let common = step.end.min(to) - step.start.max(from);
            if common > 0 {
                step.delayed += 1;
                step.delay = step.delay.max(common);
            }
            if common > most.map_or(0, |m| m.0) {
                most = Some((common, step.symbol, step.task));
            }
        }
        most.map_or((0, None), |(_, symbol, task)| (symbol, Some(self.tasks[task].number)))
    }

    fn off(&mut self, thread: Index, wait: u64, time: i64) {
        let Some(index) = self.threads[thread].on else { return };
        self.end_step(thread, time);
        let task = &mut self.tasks[index];
        let members = std::mem::take(&mut task.members);
        task.woken = None;
        if wait & 7 != ENDED {
            task.off = Some(Suspended { at: time, wait, members });
        }
    }

    fn new_task(&mut self, on: Option<Index>, record: &Record<'_>) {
        let index = self.task(record.argument);
        let creator = on.filter(|&on| on != index);
        let creator = creator.map(|on| (on, self.tasks[on].surely_open()));
        let mut parts = record.parts();
        let task = &mut self.tasks[index];
        for field in [&mut task.name, &mut task.coroutine, &mut task.place] {
            if let Some(part) = parts.next().filter(|part| !part.is_empty()) {
                *field = part.into_owned();
            }
        }
        if task.made.is_none() {
            (task.made, task.creator) = (Some(record.time), creator);
        }
    }

    fn end_task(&mut self, thread: Index, argument: u64, time: i64) {
        let index = self.task(argument & 0xFFFF_FFFF);
        self.pass(thread, time);
        let task = &mut self.tasks[index];
        task.state = match argument >> 32 & 3 {
            0 => State::Returned,
            1 => State::Failed,
            _ => State::Cancelled,
        };
        task.error = (argument >> 34) as u32;
        task.close(0, time, 0);
        task.ended = Some(time);
        if let Some((creator, _)) = task.creator {
            self.tasks[creator].made_ended = Some(index);
        }
        let thread = &mut self.threads[thread];
        thread.told = Some(index);
        // What is not drawn leads nowhere.
        let task = &self.tasks[index];
        if task.is_shown() || !task.is_of_the_end() {
            thread.last_ended = Some(index);
        }
    }

    fn ready(&mut self, thread: Index, argument: u64, time: i64) {
        let index = self.task(argument & 0xFFFF_FFFF);
        let symbol = self.symbols.get(&((argument >> 32) as u32));
        let waker = symbol.map_or(Waker::Other, |s| reasons::waker(&s.file, &s.name));
        let state = &self.threads[thread];
        // Who just ended still stands as the one who is on, where its last step is not over yet.
        let by = match waker {
            Waker::Timer | Waker::Elsewhere => None,
            Waker::TimerOrMade => {
                let task = &self.tasks[index];
                let since = task.off.as_ref().map_or(i64::MAX, |off| off.at);
                task.made_ended.filter(|&made| self.tasks[made].ended.is_some_and(|end| end >= since))
            }
            Waker::Member => self.latest_member(index).or(state.last_ended),
            Waker::AnyTask => state.last_ended,
            Waker::Told | Waker::Other => state.on.or(state.told),
        };
        let task = &mut self.tasks[index];
        if task.woken.is_none() {
            task.woken = Some(Woken { at: time, by });
        }
    }

    /// The timer that woke a task was due at `due`: from when on the loop ran something since then, the task was ready.
    /// Before that the system was late.
    fn late(&mut self, thread: Index, task: Index, due: i64) {
        let steps = self.threads[thread].steps.iter().rev().take(LOOK_BACK);
        let since = steps.take_while(|step| step.end > due).last().map(|step| step.start.max(due));
        let task = &mut self.tasks[task];
        if let (Some(since), Some(woken), Some(off)) = (since, &mut task.woken, &task.off) {
            woken.at = since.clamp(off.at, woken.at.max(off.at));
        }
    }

    /// Of the tasks that a task waits for together, the one that ended last.
    fn latest_member(&self, task: Index) -> Option<Index> {
        let members = &self.tasks[task].off.as_ref()?.members;
        members
            .iter()
            .copied()
            .filter(|&m| self.tasks[m].ended.is_some())
            .max_by_key(|&m| self.tasks[m].ended)
    }
}
