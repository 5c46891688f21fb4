//! What each kind of event adds to the profile.

use rustc_hash::FxHashMap;

use super::counters::Counters;
use super::event::Event;
use super::facts::Facts;
use super::flows::{self, Flows};
use super::matching::Matching;
use super::names::{Name, Names, Role};
use super::number;
use super::oddities::{Odd, Oddities};
use super::samples::Samples;
use super::scan::{Kind, Members, Raw};
use super::tracks::{Id, Tracks};
use crate::model::{
    ArgsRef, Basis, FunctionId, Instant, ProfileBuilder, Severity, SpanStatus, TrackId, TrackKind,
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
}

impl Build {
    /// Starts anew. `collect`: the file is not in the order of time, see [`Matching`].
    pub fn new(collect: bool) -> Self {
        let mut build = Self::default();
        build.matching.collect = collect;
        build
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
    fn time(&mut self, e: &Event<'_>) -> Option<i64> {
        let time = number::nanoseconds(e.ts);
        match time {
            None => self.odd.count(Odd::BadTime),
            Some(_) if self.facts.first.is_none() => self.facts.first = time,
            Some(_) => {}
        }
        time
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
        let Some(start) = self.time(e) else { return };
        // Without either, or with a thread time of 0 alone, it had not ended when recording stopped.
        let by_thread = Raw { kind: if e.tdur.bytes == b"0" { Kind::Absent } else { e.tdur.kind }, ..e.tdur };
        let duration = if e.dur.kind == Kind::Absent { by_thread } else { e.dur };
        let end = match duration.kind {
            Kind::Absent => None,
            _ => match number::nanoseconds(duration).and_then(|d| number::end_of(start, d)) {
                None => return self.odd.count(Odd::BadTime),
                end => end,
            },
        };
        let name = self.name(b, e);
        let function = self.function(b, e, name);
        let mut lane = self.tracks.thread(e.pid, e.tid);
        if name.role == Role::Annotation && self.facts.with_stack {
            lane = self.tracks.annotations(lane);
        }
        let track = self.tracks.track(b, lane);
        self.spans = true;
        let handle = b.open_span(track, start, function, ArgsRef::offset(self.odd.offset));
        match end {
            Some(end) => b.close_span(track, handle, end, SpanStatus::Ok),
            None => self.odd.count(Odd::NoDuration),
        }
        self.called(b, e, (track, handle));
        match name.role {
            Role::Plain | Role::Memory | Role::Annotation => {}
            Role::Window => self.tracks.set_kind(lane, TrackKind::Phase),
            Role::GpuOther => self.tracks.set_kind(lane, TrackKind::GpuStream),
            Role::GpuWork => {
                self.facts.kineto = true;
                self.tracks.set_kind(lane, TrackKind::GpuStream);
                let id = self.correlation(e);
                self.flows.gpu_work(id, (track, start));
            }
            Role::Launch => {
                self.facts.kineto = true;
                let id = self.correlation(e);
                self.flows.launch(id, (track, start));
            }
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

    fn correlation(&mut self, e: &Event<'_>) -> Id {
        member(e.args, b"correlation").map_or(Id::Absent, |raw| self.tracks.ids.of(raw))
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
        self.flows.point(key, at, (name.text, ""), role);
    }

    /// The stack of a thread.
    fn stack(&mut self, b: &mut ProfileBuilder, e: &Event<'_>) -> (u32, TrackId) {
        let lane = self.tracks.thread(e.pid, e.tid);
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
        self.flows.point(key, (track, time), (name.text, b.text(name.cat)), role);
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
        let sampled = self.samples.finish(b, &mut self.odd, &mut self.tracks);
        self.flows.finish(b, &mut self.odd);
        self.facts.python_calls = self.names.has_category(b, &["fee", "FEE"]);
        if self.facts.python_calls {
            self.tracks.late_names_are_tasks();
        }
        self.tracks.label(b, &self.counters.processes());
        self.counters.label(b, &self.tracks);
        // py-spy begins and ends events where a sample differs from the one before.
        if (sampled && !self.spans) || (self.facts.py_spy && self.names.all_of(b, &["py-spy", ""])) {
            b.meta.basis = Basis::Sampled;
        }
        self.facts.kineto |= self.names.has_category(b, &["cpu_op", "python_function"]);
        self.odd.report(b);
        self.facts.apply(b, &self.tracks);
    }
}

/// A member of an object value.
fn member<'a>(object: Raw<'a>, key: &[u8]) -> Option<Raw<'a>> {
    Members::of(object).find(|(k, _)| k.bytes == key).map(|(_, v)| v)
}
