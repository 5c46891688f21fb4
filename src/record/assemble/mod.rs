//! Turns events into a profile while they are still being written.
//!
//! [`Assembler::feed`] reads what is new, once. [`Assembler::snapshot`] gives a copy in which spans
//! that still run are drawn to the present. [`Assembler::finish`] ends the recording.
//!
//! `tracing` does not say whether a span is a function call, an async task or an operation that is
//! entered a thousand times; what happens to it does:
//! - A span without parent that is first entered inside another one is a *call site of its own*: each
//!   enter–exit is a span on the thread's track. A model's operations are made so.
//! - A span that is entered once is a *call*: a span on the thread's track.
//! - A span that is entered several times is *asynchronous*: one span from its creation to its last
//!   exit on the track of its task, with the time between enters and exits as «busy». The difference
//!   is waiting.
//! - A span with the target [`super::PHASE`] goes to the phase track.
//!
//! Operations ([`super::site`]) are calls from the start.
//!
//! A task begins where a span is entered while none of its ancestors is on the thread's stack: it was
//! spawned. Its parent is then linked to it.
//!
//! A span's end is its last exit, not its close: `tracing` keeps a parent open as long as any child.

mod bound;
#[cfg(feature = "workloads")]
mod calls;
mod device;
mod memory;
mod places;
mod processes;
mod spans;

use rustc_hash::FxHashMap;
use tracing_core::Metadata;

use super::alloc;
use super::clock::{self, Scale};
use super::context::PeakCell;
use super::request::RequestRow;
use super::scope::SCOPE;
use super::sink::{self, Cold, Field, Fields};
use super::site;
use crate::format;
use crate::model::increments::{self, Cursor};
use crate::model::wire::journal;
use crate::model::{
    ArgsRef, Attachment, CounterId, FunctionId, FunctionSpec, LeftOut, Meta, Metric, MetricId, Profile,
    ProfileBuilder, RequestId, ResultTable, TrackId, TrackKind, TrackSpec, Unit, Value,
};
use memory::{HolderId, Memory, OUTSIDE};
use places::{Pending, Place};
use spans::Live;

/// Target of spans that are phases of the run.
pub(super) const PHASE: &str = "inferscope::phase";

/// More tasks than this share one track: nobody scrolls through thousands.
const MOST_TASK_TRACKS: usize = 1000;

/// A thread as its events tell.
struct Thread {
    track: TrackId,
    /// What is entered, outermost first.
    stack: Vec<Entered>,
    /// Time of the last event. Events of a thread get strictly increasing times, so that nesting
    /// survives a coarse clock.
    last: i64,
}

struct Entered {
    what: What,
    at: i64,
    /// For an operation or a call site of its own: what to draw at the exit.
    call: Option<(FunctionId, ArgsRef)>,
    /// The same: as what it holds memory; [`OUTSIDE`] while it does not.
    holder: HolderId,
}

/// What a thread is in.
#[derive(Clone, Copy)]
enum What {
    /// A span: its registry id, and which of those that had it.
    Span(u64, u32),
    /// An operation, by its number.
    Site(u32),
}

impl Entered {
    fn uid(&self) -> Option<u32> {
        match self.what {
            What::Span(_, uid) => Some(uid),
            What::Site(_) => None,
        }
    }
}

/// A piece of work between spawn boundaries.
#[derive(Clone, Copy)]
struct Task {
    name: &'static str,
    track: Option<TrackId>,
}

/// Registry ids are reused: the instances that had one, the latest apart.
struct Instances {
    latest: u32,
    older: Vec<u32>,
}

pub(super) struct Assembler {
    builder: ProfileBuilder,
    scale: Scale,
    busy: MetricId,
    /// The latest event, ns.
    latest: i64,
    threads: FxHashMap<u32, Thread>,
    spans: FxHashMap<u32, Live>,
    ids: FxHashMap<u64, Instances>,
    functions: FxHashMap<tracing_core::callsite::Identifier, FunctionId>,
    /// Operations, by their numbers.
    sites: Vec<Option<(FunctionId, ArgsRef)>>,
    tasks: FxHashMap<u32, Task>,
    next_task: u32,
    task_names: FxHashMap<&'static str, u32>,
    task_tracks: usize,
    /// Where tasks go when there are too many.
    shared_track: Option<TrackId>,
    phase_track: Option<TrackId>,
    counters: FxHashMap<String, CounterId>,
    devices: device::Devices,
    places: FxHashMap<u32, Place>,
    pending: Vec<Pending>,
    closing: Vec<u32>,
    requests: Vec<RequestRow>,
    /// Rows of requests in the builder, by their numbers.
    request_ids: FxHashMap<u64, RequestId>,
    findings: Vec<places::Found>,
    /// `None` when allocations are not counted.
    memory: Option<Memory>,
    next_uid: u32,
    /// Enters so far, of spans and of operations.
    entered: (u64, u64),
    strangers: u64,
    bound: bound::Bound,
}

impl Assembler {
    /// `spans`: whether spans will come, of which it is known how long they were busy.
    pub(super) fn new(scale: Scale, spans: bool) -> Self {
        let mut builder = ProfileBuilder::new("inferscope");
        let time = builder.metric(Metric::time());
        let busy = Metric::new("busy", "Busy (polled)", Unit::Nanoseconds);
        let busy = if spans { builder.metric(busy) } else { time };
        Self {
            builder,
            scale,
            busy,
            latest: 0,
            threads: FxHashMap::default(),
            spans: FxHashMap::default(),
            ids: FxHashMap::default(),
            functions: FxHashMap::default(),
            sites: Vec::new(),
            tasks: FxHashMap::default(),
            next_task: 0,
            task_names: FxHashMap::default(),
            task_tracks: 0,
            shared_track: None,
            phase_track: None,
            counters: FxHashMap::default(),
            devices: device::Devices::default(),
            places: FxHashMap::default(),
            pending: Vec::new(),
            closing: Vec::new(),
            requests: Vec::new(),
            request_ids: FxHashMap::default(),
            findings: Vec::new(),
            memory: None,
            next_uid: 0,
            entered: (0, 0),
            strangers: 0,
            bound: bound::Bound::default(),
        }
    }

    /// Allocations are counted: what they tell becomes part of the profile.
    pub(super) fn count_memory(&mut self) {
        self.memory = Some(Memory::new(&mut self.builder));
    }

    /// How often spans, and operations, were entered so far.
    pub(super) fn entered(&self) -> (u64, u64) {
        self.entered
    }

    pub(super) fn warn(&mut self, kind: &str, place: &str) {
        self.builder.warn(kind, place);
    }

    pub(super) fn warn_many(&mut self, kind: &str, place: &str, count: u64) {
        self.builder.warn_many(kind, place, count);
    }

    /// Reads everything new. Two passes: a close that the first one saw is only acted upon when all
    /// that happened before it on other threads has been read too, which the second makes sure of.
    pub(super) fn feed(&mut self) {
        self.pass();
        let closing = std::mem::take(&mut self.closing);
        // Before the second pass, so that what happened to their spans before they ended is known.
        let (done, running) = super::request::take();
        self.pass();
        self.requests = running;
        self.add_requests(done);
        for uid in closing {
            self.retire(uid);
        }
        self.settle();
    }

    fn add_requests(&mut self, rows: Vec<RequestRow>) {
        for row in rows {
            if self.bound.is_full() {
                self.builder.warn("requests not kept because the recording reached its memory limit", "");
                continue;
            }
            let track = self.request_track(&row);
            let request = row.to_model(&mut self.builder, &self.scale, track);
            self.request_ids.insert(row.number, self.builder.request(request));
        }
    }

    fn pass(&mut self) {
        let until = clock::ticks();
        let mut batch = sink::take();
        self.take_memory(false);
        for cold in std::mem::take(&mut batch.cold) {
            self.describe(cold);
        }
        batch.for_each(|thread, ticks, id, kind| self.event(thread, ticks, id, kind));
        self.follow_memory(until);
    }

    /// Reads what the allocator counted. After the events: then nothing is missing that came before one of them.
    fn take_memory(&mut self, last: bool) {
        if let Some(memory) = &mut self.memory {
            memory.lost = alloc::take(last).for_each(|thread, entry| memory.add(thread, entry));
        }
    }

    /// Follows the heap up to a moment before which all is known.
    fn follow_memory(&mut self, until: u64) {
        let threads = self.memory.as_ref().map(Memory::threads).unwrap_or_default();
        threads.into_iter().for_each(|thread| self.settle_memory(thread, until));
        if let Some(memory) = &mut self.memory {
            memory.apply(until, &self.scale, &mut self.builder);
        }
    }

    /// Gives what a thread allocated up to `until` to the span that it was in since its last event.
    fn settle_memory(&mut self, thread: u32, until: u64) {
        while let Some(entry) = self.memory.as_mut().and_then(|m| m.next(thread, until)) {
            let holder = if entry.allocations > 0 { self.holder(thread) } else { OUTSIDE };
            self.memory.iter_mut().for_each(|m| m.settle(entry, holder));
        }
    }

    /// Counting has ended: everything is known. Gives the figures for the header and a table.
    pub(super) fn end_memory(&mut self) -> Option<(memory::Figures, Option<ResultTable>)> {
        self.take_memory(true);
        self.follow_memory(u64::MAX);
        let memory = self.memory.as_mut()?;
        memory.end(&mut self.builder);
        let lost = memory.lost;
        self.builder.warn_many("entries of allocations lost (memory by span is not exact)", "", lost);
        Some((memory.figures(), memory.table(&self.builder)))
    }

    /// Fills in the cells that hold a peak of the heap.
    pub(super) fn fill_peaks(&self, cells: &[PeakCell], tables: &mut [ResultTable]) {
        let Some(memory) = &self.memory else { return };
        for PeakCell { place: (title, name, heading), between: (from, to) } in cells {
            let between = (self.scale.ns(*from), self.scale.ns(*to));
            let Some(peak) = memory.peak_between(&self.builder, between) else { continue };
            let table = tables.iter_mut().find(|t| t.title == *title);
            let Some(table) = table else { continue };
            let column = table.columns.iter().position(|c| c == heading);
            let row = table.rows.iter_mut().find(|r| r.first() == Some(name));
            if let Some(cell) = column.zip(row).and_then(|(at, row)| row.get_mut(at)) {
                *cell = format::bytes(peak);
            }
        }
    }

    fn describe(&mut self, cold: Cold) {
        match cold {
            Cold::New { id, parent, ticks, metadata, fields } => {
                self.open(id, parent, self.scale.ns(ticks), metadata, fields);
            }
            Cold::Record { id, fields } => self.record(id, fields),
            Cold::Follows { id, cause, ticks } => self.follows(id, cause, self.scale.ns(ticks)),
            Cold::Log { span, thread, ticks, origin, message, fields } => {
                self.log((span, thread), self.scale.ns(ticks), origin, &message, fields);
            }
            Cold::Finding { kind, severity, text, request, span, thread, ticks } => {
                self.found((span, thread), self.scale.ns(ticks), (&kind, severity, &text), request);
            }
            Cold::Count { name, unit, ticks, value } => self.count(name, unit, self.scale.ns(ticks), value),
            Cold::Device(work) => self.device(&work),
        }
    }

    fn count(&mut self, name: String, unit: Unit, time: i64, value: f64) {
        let builder = &mut self.builder;
        let counter = match self.counters.get(&name) {
            Some(&counter) => counter,
            None => {
                let counter = builder.counter(&name, "", unit);
                self.counters.insert(name, counter);
                counter
            }
        };
        builder.point(counter, time, value);
    }

    /// The time up to which what still runs is drawn. The counters of two cores may be a little apart: what runs has lasted at
    /// least as long as what ended in it.
    fn now(&self) -> i64 {
        self.scale.now().max(self.latest)
    }

    /// A copy of what came last, to be frozen: short enough that this takes no time that anybody notices.
    pub(super) fn snapshot(&mut self, mut meta: Meta) -> ProfileBuilder {
        let now = self.now();
        let running = self.running(Some(now));
        meta.duration = Some(now);
        let requests = self.open_requests();
        let (mut builder, left_out) = self.latest_spans();
        builder.meta = meta;
        self.draw_open(&mut builder, &running, &requests, now, Some(&left_out));
        builder
    }

    /// Adds what still runs to `builder`, up to `now`: spans, what waits for their tracks, requests. `levels`: and
    /// what spans that ended before hold still, of which rows were left out.
    fn draw_open(
        &self,
        builder: &mut ProfileBuilder,
        running: &[spans::Drawn],
        requests: &[(Option<TrackId>, RequestRow)],
        now: i64,
        levels: Option<&LeftOut>,
    ) {
        let mut holders = Vec::new();
        for span in running {
            let row = spans::draw(builder, self.busy, span, now);
            if let Some(memory) = self.memory.as_ref().filter(|_| span.holder != OUTSIDE) {
                memory.charge(builder, span.holder, row);
                holders.push((span.holder, row));
            }
        }
        if let Some((memory, left_out)) = self.memory.as_ref().zip(levels) {
            memory.charge_levels(builder, &holders, left_out);
        }
        let placed: FxHashMap<u32, Place> = running.iter().filter_map(|r| Some((r.uid?, r.place))).collect();
        for pending in &self.pending {
            self.point(builder, pending, &placed);
        }
        let mut ids = FxHashMap::default();
        for (track, row) in requests {
            let request = row.to_model(builder, &self.scale, *track);
            ids.insert(row.number, builder.request(request));
        }
        self.add_findings(builder, &ids, &placed);
    }

    /// Adds what another profiler measured of the work. `shift`: ns from our origin to its own, by the clock on
    /// the wall; where that cannot be, it began at `since`, in ticks.
    pub(super) fn merge(&mut self, profile: &Profile, shift: i64) {
        self.builder.merge(profile, shift);
    }

    /// Where time 0 of what was measured beside the recording lies: where it says (`shift`), when that can be, or where the
    /// work began (`since`, ticks).
    pub(super) fn place_of(&self, shift: Option<i64>, since: Option<u64>) -> i64 {
        let started = since.map_or(0, |ticks| self.scale.ns(ticks));
        shift.filter(|s| (started..=self.scale.now()).contains(s)).unwrap_or(started)
    }

    /// Adds a file of another profiler.
    pub(super) fn attach(&mut self, file: Attachment) {
        self.builder.attach(file);
    }

    /// What is new since `cursor`, and what still runs, as frames of a journal.
    pub(super) fn journal(&mut self, cursor: &mut Cursor, mut meta: Meta, out: &mut Vec<u8>) {
        let now = self.now();
        let running = self.running(Some(now));
        let requests = self.open_requests();
        meta.duration.get_or_insert(now);
        let head = journal::Head { meta, warnings: self.builder.warnings().to_vec() };
        // Texts and numbers only: this cannot fail.
        journal::frame(out, journal::HEAD, &serde_json::to_vec(&head).unwrap_or_default());
        journal::frame(out, journal::DONE, &increments::encode(&self.builder, cursor));
        let mut builder = std::mem::take(&mut self.builder);
        self.draw_open(&mut builder, &running, &requests, now, None);
        journal::frame(out, journal::OPEN, &increments::encode(&builder, &mut cursor.clone()));
        builder.truncate(cursor);
        self.builder = builder;
    }

    /// The finished profile. Nothing writes any more.
    pub(super) fn finish(mut self, mut meta: Meta, duration: i64) -> Profile {
        self.feed();
        let running = self.running(None);
        let requests = self.open_requests();
        let mut builder = std::mem::take(&mut self.builder);
        self.draw_open(&mut builder, &running, &requests, duration, Some(&LeftOut::default()));
        self.tell_left_out(&mut builder);
        self.builder = builder;
        let lost = sink::lost();
        self.builder.warn_many(
            "events lost: more came than was read, or the memory limit was reached",
            "",
            lost,
        );
        let strangers = self.strangers;
        self.builder.warn_many("events of spans created before the recording (not shown)", "", strangers);
        meta.duration = Some(duration);
        self.builder.meta = meta;
        self.builder.finish()
    }

    /// Requests that still run, with their tracks.
    fn open_requests(&mut self) -> Vec<(Option<TrackId>, RequestRow)> {
        let rows = self.requests.clone();
        rows.into_iter().map(|row| (self.request_track(&row), row)).collect()
    }

    /// Where the spans of a request are, as far as that is known.
    fn request_track(&mut self, row: &RequestRow) -> Option<TrackId> {
        match row.span {
            None => row.thread.and_then(|t| self.threads.get(&t)).map(|t| t.track),
            Some((id, ticks)) => self.track_of_task(id, self.scale.ns(ticks)),
        }
    }

    fn thread(&mut self, thread: u32) -> &mut Thread {
        self.threads.entry(thread).or_insert_with(|| {
            let name = sink::thread_name(thread);
            let sort = 1_000_000 + i64::from(thread);
            let spec = TrackSpec { name: &name, process: "", kind: TrackKind::Thread, sort };
            Thread { track: self.builder.track(spec), stack: Vec::new(), last: i64::MIN }
        })
    }

    /// The track of a task, made when its first span is drawn.
    fn task_track(&mut self, task: u32) -> TrackId {
        let Task { name, track } = self.tasks.get(&task).copied().unwrap_or(Task { name: "", track: None });
        let known = track.or(self.shared_track);
        let track = known.unwrap_or_else(|| self.new_task_track(name));
        self.tasks.insert(task, Task { name, track: Some(track) });
        track
    }

    fn new_task(&mut self, name: &'static str) -> u32 {
        let task = self.next_task;
        self.next_task += 1;
        self.tasks.insert(task, Task { name, track: None });
        task
    }

    fn new_task_track(&mut self, name: &'static str) -> TrackId {
        self.task_tracks += 1;
        let full = self.task_tracks > MOST_TASK_TRACKS;
        let nth = self.task_names.entry(name).or_insert(0);
        *nth += 1;
        let (label, kind) = match *nth {
            _ if full => ("further tasks".to_owned(), TrackKind::Async),
            1 => (name.to_owned(), TrackKind::Task),
            nth => (format!("{name} #{nth}"), TrackKind::Task),
        };
        let sort = 1000 + self.task_tracks as i64;
        let track = self.builder.track(TrackSpec { name: &label, process: "", kind, sort });
        self.shared_track = full.then_some(track);
        track
    }

    fn phase_track(&mut self) -> TrackId {
        *self.phase_track.get_or_insert_with(|| {
            let spec = TrackSpec { name: "Phases", process: "", kind: TrackKind::Phase, sort: 0 };
            self.builder.track(spec)
        })
    }

    /// What is drawn for an operation.
    fn site(&mut self, number: u32) -> Option<(FunctionId, ArgsRef)> {
        let known = self.sites.get(number as usize).copied().flatten();
        if known.is_some() {
            return known;
        }
        let described = site::describe(number)?;
        let site::Place { name, target: module, file, line } = *described.place;
        let function = self.builder.function(FunctionSpec { name, module, file, line, category: "" });
        let site = (function, args(&mut self.builder, &described.fields()));
        if self.sites.len() <= number as usize {
            self.sites.resize(number as usize + 1, None);
        }
        self.sites[number as usize] = Some(site);
        Some(site)
    }

    fn function(&mut self, metadata: &'static Metadata<'static>) -> FunctionId {
        *self.functions.entry(metadata.callsite()).or_insert_with(|| {
            let module = match metadata.target() {
                SCOPE => metadata.module_path().unwrap_or(SCOPE),
                target => target,
            };
            self.builder.function(FunctionSpec {
                name: metadata.name(),
                module,
                file: metadata.file().unwrap_or_default(),
                line: metadata.line().unwrap_or(0),
                category: "",
            })
        })
    }
}

/// Stores fields as details.
fn args(builder: &mut ProfileBuilder, fields: &Fields) -> ArgsRef {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(key, value)| {
            let value = match value {
                Field::Int(v) => Value::Int(*v),
                Field::Float(v) => Value::Float(*v),
                Field::Bool(v) => Value::Bool(*v),
                Field::Text(v) => Value::Text(builder.string(v)),
            };
            (builder.string(key), value)
        })
        .collect();
    builder.args(pairs)
}
