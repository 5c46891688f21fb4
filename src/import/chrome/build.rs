//! What each kind of event adds to the profile.

use rustc_hash::FxHashMap;

use super::counters::Counters;
use super::event::Event;
use super::facts::Facts;
use super::flows::{self, Flows};
use super::matching::Matching;
use super::names::{Name, Names, Role};
use super::number::{self, Scale, Stamp};
use super::oddities::{Odd, Oddities};
use super::samples::Samples;
use super::scan::{Kind, Members, Raw};
use super::streams;
use super::tracks::{Id, Side, Tracks};
use crate::model::{
    ArgsPlace, ArgsRef, Basis, FunctionId, Instant, Metric, ProfileBuilder, Severity, SpanStatus, TrackId,
    TrackKind, TrackSpec,
};

/// Everything that is known while events come in, besides the profile itself.
#[derive(Debug, Default)]
pub(super) struct Build {
    names: Names,
    pub tracks: Tracks,
    matching: Matching,
    flows: Flows,
    counters: Counters,
    pub samples: Samples,
    pub odd: Oddities,
    pub facts: Facts,
    /// Stacks of the async operations that are open, by a hash of what identifies them.
    operations: FxHashMap<u64, u32>,
    /// Number of events, whatever became of them.
    pub events: u64,
    /// How many of them only say something about others.
    pub metadata: u64,
    spans: bool,
    /// Number of spans with a caller on another thread.
    named: u64,
    /// What the numbers of the file count.
    scale: Scale,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct How {
    /// It is not in the order of time, see [`Matching`].
    pub collect: bool,
    /// What its numbers count.
    pub scale: Scale,
}

impl Build {
    /// Starts anew.
    pub fn new(how: How) -> Self {
        let mut build = Self { scale: how.scale, ..Self::default() };
        build.matching.collect = how.collect;
        build
    }

    /// How to read the file once more, when what was seen of it demands that.
    pub fn again(&self) -> Option<How> {
        let how = How { collect: self.matching.collect, scale: self.scale };
        let next = How {
            collect: how.collect || self.matching.disordered,
            scale: if self.facts.times.only_nanoseconds() { Scale::Nanos } else { how.scale },
        };
        (next != how).then_some(next)
    }

    /// True when the file must be read again with `collect`.
    pub fn is_disordered(&self) -> bool {
        self.matching.disordered && !self.matching.collect
    }

    /// Takes in the event that stands at `offset` in the file.
    pub fn event(&mut self, b: &mut ProfileBuilder, e: &Event<'_>, offset: u64) {
        self.odd.offset = offset;
        self.events += 1;
        if e.repeated {
            self.odd.count(Odd::Repeated);
        }
        match e.phase {
            b'X' => self.complete(b, e),
            b'B' => self.begin(b, e),
            b'E' => self.end(b, e),
            b'i' | b'I' | b'R' => self.instant(b, e),
            b'C' => self.counter(b, e),
            b's' | b't' | b'f' => self.flow(b, e),
            b'b' | b'e' | b'n' | b'S' | b'F' | b'T' | b'p' => self.operation(b, e),
            b'M' => {
                self.metadata += 1;
                self.tracks.metadata(&mut self.odd, e.name.bytes, (e.pid, e.tid), e.args);
            }
            b'P' => self.sample(b, e),
            b'N' | b'O' | b'D' => self.odd.count(Odd::Objects),
            0 => self.odd.count(Odd::NotAnEvent),
            _ => self.odd.count(Odd::UnknownPhase),
        }
    }

    /// The time of an event; a bad one is counted.
    fn stamp(&mut self, e: &Event<'_>) -> Option<Stamp> {
        let stamp = number::stamp(e.ts, self.scale);
        match stamp {
            None => {
                self.odd.count(Odd::BadTime);
                self.facts.times.unusable(e.ts, self.odd.offset);
            }
            Some(stamp) => self.facts.times.note(stamp.ns()),
        }
        stamp
    }

    fn time(&mut self, e: &Event<'_>) -> Option<i64> {
        self.stamp(e).map(Stamp::ns)
    }

    fn name(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) -> Name {
        self.names.resolve(b, &mut self.odd, e.name, e.cat)
    }

    fn function(&mut self, b: &mut ProfileBuilder, e: &Event<'_>, name: Name) -> FunctionId {
        if !(e.file.is_none() && e.line.is_none() && e.module.is_none()) {
            self.facts.tracing_chrome |= e.module.is_none();
            let line = number::integer(e.line).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
            return self.names.located(b, &mut self.odd, name, (e.module, e.file, line));
        }
        if e.cat.bytes == b"py-spy" {
            self.facts.py_spy = true;
            // The line is the one being run: part of the frame, not of the function.
            if let Some(file) = member(e.args, b"filename").filter(Raw::is_string) {
                return self.names.located(b, &mut self.odd, name, (Raw::default(), file, 0));
            }
        }
        self.names.function(b, name)
    }

    fn complete(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        let Some(stamp) = self.stamp(e) else { return };
        let start = stamp.ns();
        // Without either, or with a thread time of 0 alone, it had not ended when recording stopped.
        let by_thread = Raw { kind: if e.tdur.bytes == b"0" { Kind::Absent } else { e.tdur.kind }, ..e.tdur };
        let duration = if e.dur.kind == Kind::Absent { by_thread } else { e.dur };
        let end = match duration.kind {
            Kind::Absent => None,
            _ => match number::stamp(duration, self.scale).and_then(|d| stamp.plus(d)) {
                None => return self.odd.count(Odd::BadTime),
                end => end,
            },
        };
        let name = self.name(b, e);
        let function = self.function(b, e, name);
        let side = if name.role.is_on_gpu() { Side::Gpu } else { Side::Cpu };
        let thread = self.tracks.thread(e.pid, e.tid);
        let mut lane = self.tracks.side(thread, side);
        if name.role == Role::Annotation && self.facts.with_stack {
            lane = self.tracks.annotations(lane);
        }
        let track = self.tracks.track(b, lane);
        self.tracks.lane(lane).grain |= stamp.grain;
        self.spans = true;
        let handle = b.open_span(track, start, function, ArgsRef::offset(self.odd.offset));
        match end {
            Some(end) => {
                self.facts.times.note_end(end);
                let open = e.open.is_true();
                self.odd.count_many(Odd::Unfinished, u64::from(open));
                b.close_span(track, handle, end, if open { SpanStatus::Unfinished } else { SpanStatus::Ok });
            }
            None => self.odd.count(Odd::NoDuration),
        }
        self.called(b, e, (track, handle));
        if !matches!(name.role, Role::Plain | Role::Memory | Role::Annotation) {
            self.by_role(b, e, name.role, (lane, track, start), handle);
        }
        if !e.bind_id.is_none() {
            self.bound(e, name, (track, start));
        }
    }

    /// Who called a span on another thread, where inferscope wrote the file.
    fn called(&mut self, b: &mut ProfileBuilder, e: &Event<'_>, (track, handle): (TrackId, u32)) {
        if e.span.is_none() && e.caller.is_none() {
            return;
        }
        let of = |raw| number::integer(raw).and_then(|n| u64::try_from(n).ok());
        self.named += 1;
        // Spans that called nothing elsewhere have no number of their own in the file.
        let own = of(e.span).unwrap_or(u64::MAX - self.named);
        b.name_span(track, handle, own, of(e.caller));
    }

    /// What only some kinds of spans take part in.
    fn by_role(
        &mut self,
        b: &mut ProfileBuilder,
        e: &Event<'_>,
        role: Role,
        (lane, track, start): (u32, TrackId, i64),
        handle: u32,
    ) {
        match role {
            Role::Plain | Role::Memory | Role::Annotation => {}
            Role::Window => self.tracks.set_kind(lane, TrackKind::Phase),
            Role::Repeated => self.tracks.set_kind(lane, TrackKind::Summary),
            Role::Total => self.tracks.lane(lane).totals += u64::from(member(e.args, b"avg ms").is_some()),
            Role::GpuRange => self.tracks.set_kind(lane, TrackKind::GpuStream),
            Role::GpuOther => {
                self.tracks.set_kind(lane, TrackKind::GpuStream);
                b.queue_span(track, handle);
            }
            Role::GpuWork => {
                self.facts.kineto = true;
                self.tracks.set_kind(lane, TrackKind::GpuStream);
                b.queue_span(track, handle);
                let (id, operation) = self.correlation(e);
                let copies = [&b"gpu_mem"[..], b"Mem"].iter().any(|cat| e.cat.bytes.starts_with(cat));
                let bytes = copies.then(|| member(e.args, b"bytes")).flatten().and_then(number::integer);
                if let Some(bytes) = bytes.filter(|n| *n >= 0) {
                    let metric = b.metric(Metric::copied());
                    b.span_cost(track, handle, metric, bytes);
                }
                self.flows.gpu_work(id, operation, (track, start, self.place()));
            }
            Role::Launch => {
                self.facts.kineto = true;
                let (id, operation) = self.correlation(e);
                self.flows.launch(id, operation, (track, start, self.place()));
            }
        }
    }

    /// Place of the event in the file.
    fn place(&self) -> u32 {
        u32::try_from(self.events).unwrap_or(u32::MAX)
    }

    /// Correlation id and operation of a launch or of GPU work.
    fn correlation(&mut self, e: &Event<'_>) -> (Id, Id) {
        let (mut correlation, mut operation) = (Raw::default(), Raw::default());
        for (key, value) in Members::of(e.args) {
            match key.bytes {
                b"correlation" => correlation = value,
                b"External id" | b"external id" => operation = value,
                _ => {}
            }
        }
        (self.tracks.ids.of(correlation), self.tracks.ids.of(operation))
    }

    /// Flows that spans take part in by themselves.
    fn bound(&mut self, e: &Event<'_>, name: Name, at: (TrackId, i64)) {
        let role = match (e.flow_in.is_true(), e.flow_out.is_true()) {
            (true, true) => flows::Role::InOut,
            (true, false) => flows::Role::In,
            (false, true) => flows::Role::Out,
            (false, false) => return,
        };
        let key = flows::flow_key(("bind_id", self.tracks.ids.of_event(e.bind_id)));
        self.flows.point(key, (at.0, at.1, self.place()), (name.text, ""), role);
    }

    /// The stack of a thread.
    fn stack(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) -> (u32, TrackId) {
        let thread = self.tracks.thread(e.pid, e.tid);
        let lane = self.tracks.side(thread, Side::Cpu);
        let track = self.tracks.track(b, lane);
        let stack = self.tracks.lane(lane).stack;
        let stack = stack.unwrap_or_else(|| {
            let new = self.matching.stack(track, false);
            self.tracks.lane(lane).stack = Some(new);
            new
        });
        (stack, track)
    }

    fn begin(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        let Some(start) = self.time(e) else { return };
        let name = self.name(b, e);
        let function = self.function(b, e, name);
        let (stack, track) = self.stack(b, e);
        self.spans = true;
        self.matching.begin(b, &mut self.odd, stack, start, (name.text, function));
        if !e.bind_id.is_none() {
            self.bound(e, name, (track, start));
        }
    }

    fn end(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        let Some(end) = self.time(e) else { return };
        let name = self.names.end_name(b, &mut self.odd, e.name);
        let (stack, _) = self.stack(b, e);
        self.matching.end(b, &mut self.odd, stack, end, name);
    }

    fn instant(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        let Some(time) = self.time(e) else { return };
        if e.name.bytes == b"CpuProfile" {
            return self.v8(b, e, None);
        }
        let name = self.name(b, e);
        if name.role == Role::Memory && member(e.args, b"Bytes").is_some() {
            self.facts.kineto = true;
            return self.counters.memory(b, time, e.args);
        }
        let track = match e.s.bytes {
            b"g" => None,
            _ => {
                let lane = self.tracks.thread(e.pid, e.tid);
                Some(self.tracks.track(b, lane))
            }
        };
        self.add_instant(b, time, track, name);
        if let (Some(track), false) = (track, e.bind_id.is_none()) {
            self.bound(e, name, (track, time));
        }
    }

    fn add_instant(&mut self, b: &mut ProfileBuilder, time: i64, track: Option<TrackId>, name: Name) {
        let args = ArgsRef::offset(self.odd.offset);
        b.instant(Instant { time, track, name: name.text, args, severity: Severity::Info });
    }

    fn counter(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        let Some(time) = self.time(e) else { return };
        let name = self.name(b, e);
        let pid = self.tracks.ids.of(e.pid);
        let process = self.tracks.process(pid);
        let instance = self.tracks.ids.of(e.id);
        self.counters.event(b, &mut self.odd, (process, name, instance), time, e.args);
    }

    /// The id of an event and, when it only counts within its process, that process.
    fn event_id(&mut self, e: &Event<'_>) -> (Id, Id) {
        if let Some(local) = member(e.id2, b"local") {
            return (self.tracks.ids.of_event(local), self.tracks.ids.of(e.pid));
        }
        let id = member(e.id2, b"global").unwrap_or(e.id);
        (self.tracks.ids.of_event(id), Id::Absent)
    }

    fn flow(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        let Some(time) = self.time(e) else { return };
        let name = self.name(b, e);
        let lane = self.tracks.thread(e.pid, e.tid);
        let track = self.tracks.track(b, lane);
        let key = flows::flow_key((name.text, name.cat, self.event_id(e)));
        let role = match e.phase {
            b's' => flows::Role::Start,
            b't' => flows::Role::Step,
            _ if e.bp.bytes == b"e" => flows::Role::Arrive,
            _ => flows::Role::ArriveNext,
        };
        self.flows.point(key, (track, time, self.place()), (name.text, b.text(name.cat)), role);
    }

    /// Async operations. Those of the older kind (S, T, p, F) are told apart by their name too.
    fn operation(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        let Some(time) = self.time(e) else { return };
        let name = self.name(b, e);
        let nestable = matches!(e.phase, b'b' | b'e' | b'n');
        let group = if nestable && !b.text(name.cat).is_empty() { name.cat } else { name.text };
        let pid = self.tracks.ids.of(e.pid);
        let process = self.tracks.process(pid);
        let lane = self.tracks.async_group(process, group, b.text(group));
        let track = self.tracks.track(b, lane);
        if matches!(e.phase, b'n' | b'T' | b'p') {
            return self.add_instant(b, time, Some(track), name);
        }
        let legacy = (!nestable).then_some(name.text);
        let key = flows::flow_key((legacy, name.cat, e.scope.bytes, self.event_id(e)));
        let stack = *self.operations.entry(key).or_insert_with(|| self.matching.stack(track, true));
        if matches!(e.phase, b'b' | b'S') {
            let function = self.function(b, e, name);
            self.spans = true;
            self.matching.begin(b, &mut self.odd, stack, time, (name.text, function));
        } else {
            self.matching.end(b, &mut self.odd, stack, time, Some(name.text));
            if self.matching.release(stack) {
                self.operations.remove(&key);
            }
        }
    }

    fn sample(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) {
        match e.name.bytes {
            b"Profile" | b"ProfileChunk" => {
                let (id, _) = self.event_id(e);
                self.v8(b, e, Some(id));
            }
            _ if e.sf.is_none() => self.odd.count(Odd::UnknownPhase),
            _ => self.framed_sample(e),
        }
    }

    fn v8(&mut self, b: &mut ProfileBuilder, e: &Event<'_>, id: Option<Id>) {
        let lane = self.tracks.thread(e.pid, e.tid);
        let process = self.tracks.process_of_lane(lane);
        let time = number::nanoseconds(e.ts);
        self.samples.v8(b, &mut self.odd, (process, lane, id), time, e.args);
    }

    /// A sample of which the stack is a frame of `stackFrames`.
    fn framed_sample(&mut self, e: &Event<'_>) {
        let Some(time) = self.time(e) else { return };
        let (pid, tid) = (self.tracks.ids.of(e.pid), self.tracks.ids.of(e.tid));
        // Lists of samples may leave out the process when there is one only.
        let pid = if pid == Id::Absent { self.tracks.single_pid() } else { pid };
        let lane = self.tracks.thread_by_id(pid, tid);
        let frame = self.tracks.ids.of(e.sf);
        self.samples.sample(lane, time, frame);
    }

    /// An entry of the list `samples` beside the events.
    pub fn listed_sample(&mut self, e: &Event<'_>, offset: u64) {
        self.odd.offset = offset;
        self.events += 1;
        self.framed_sample(e);
    }

    /// A member of `stackFrames`.
    pub fn stack_frame(&mut self, b: &mut ProfileBuilder, key: Raw<'_>, value: Raw<'_>) {
        self.samples.frame(b, &mut self.odd, &mut self.tracks.ids, key, value);
    }

    /// Names all tracks and counters by what is known so far.
    pub fn label(&mut self, b: &mut ProfileBuilder) {
        self.tracks.label(b, &self.counters.processes());
        self.counters.label(b, &self.tracks);
    }

    /// Joins what had to wait for the end of the file.
    pub fn finish(mut self, b: &mut ProfileBuilder) {
        self.matching.finish(b, &mut self.odd);
        self.counters.finish(b);
        let sampled = std::mem::take(&mut self.samples).finish(b, &mut self.odd, &mut self.tracks);
        std::mem::take(&mut self.flows).finish(b, &mut self.odd, &self.tracks);
        self.facts.python_calls = self.names.has_category(b, &["fee", "FEE"]);
        if self.facts.python_calls {
            self.tracks.late_names_are_tasks();
        }
        self.tracks.sum_up(b);
        self.tracks.label(b, &self.counters.processes());
        self.counters.label(b, &self.tracks);
        self.tracks.resolution(b);
        if self.facts.times.are_far_apart() {
            self.set_far_times_aside(b);
        }
        streams::long_work(b, &self.tracks);
        // py-spy begins and ends events where a sample differs from the one before.
        if let Some(basis) = self.facts.basis() {
            b.meta.basis = basis;
        } else if (sampled && !self.spans) || (self.facts.py_spy && self.names.all_of(b, &["py-spy", ""])) {
            b.meta.basis = Basis::Sampled;
        }
        if self.scale == Scale::Nanos {
            b.warn("times are nanoseconds since 1970 rather than microseconds (read as nanoseconds)", "");
        }
        self.facts.kineto |= self.names.has_category(b, &["cpu_op", "python_function"]);
        self.odd.report(b);
        self.facts.apply(b, &self.tracks);
    }

    fn set_far_times_aside(&mut self, b: &mut ProfileBuilder) {
        let name = "no usable time";
        let spec = TrackSpec { name, process: "", kind: TrackKind::Untimed, sort: i64::MAX };
        let far = b.set_far_times_aside(spec);
        if let Some(ArgsPlace::Offset(offset)) = far.first.map(ArgsRef::place) {
            self.odd.count_at(Odd::FarTime, far.count, offset);
        } else {
            self.odd.count_many(Odd::FarTime, far.count);
        }
    }
}

/// A member of an object value.
fn member<'a>(object: Raw<'a>, key: &[u8]) -> Option<Raw<'a>> {
    Members::of(object).find(|(k, _)| k.bytes == key).map(|(_, v)| v)
}
