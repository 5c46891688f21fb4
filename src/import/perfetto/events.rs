//! Packets become spans, instants, counters, samples and links.

use rustc_hash::FxHashMap;

use super::super::read::Oddities;
use super::super::read::protobuf::{Message, Value};
use super::clock::{BOOT, Clocks};
use super::descriptors::Descriptors;
use super::interned::Interned;
use super::{left_out, packet};
use crate::model::{
    ArgsRef, CounterId, FunctionSpec, Instant, Link, Metric, ProfileBuilder, Severity, SpanStatus, StackId,
    StringId, TrackId, TrackKind, TrackSpec, Unit, Value as Detail,
};

/// What a sequence of packets has said.
#[derive(Default)]
struct Sequence {
    interned: Interned,
    clock: Option<u64>,
    track: Option<u64>,
}

/// A track of events.
struct Slices {
    track: TrackId,
    open: Vec<u32>,
}

/// Reads packets.
#[derive(Default)]
pub(super) struct Reader {
    clocks: Clocks,
    sequences: FxHashMap<u64, Sequence>,
    descriptors: Descriptors,
    slices: FxHashMap<u64, Slices>,
    /// Tracks of threads that the kernel names, by thread, with their process.
    marked: FxHashMap<i64, (Slices, Option<i64>)>,
    counters: FxHashMap<u64, (CounterId, i64)>,
    marked_counters: FxHashMap<(i64, String), CounterId>,
    samples: Vec<(i64, i64, Option<StackId>)>,
    /// Where the last event of a flow was.
    flows: FxHashMap<u64, (TrackId, i64)>,
    flow_name: Option<StringId>,
    odd: Oddities,
}

/// A track event, as far as it is read.
#[derive(Default)]
struct Event<'a> {
    kind: u64,
    name: Option<&'a [u8]>,
    name_id: u64,
    category: Option<&'a [u8]>,
    category_id: u64,
    track: Option<u64>,
    value: Option<f64>,
    flows: Vec<u64>,
    last_flows: Vec<u64>,
    annotations: Vec<Message<'a>>,
    legacy: Option<Message<'a>>,
}

impl Reader {
    /// Reads a packet.
    pub fn packet(&mut self, bytes: &[u8], b: &mut ProfileBuilder) {
        let (mut sequence_id, mut stamp, mut clock) = (0, None, None);
        let mut parts: Vec<(u32, Message<'_>)> = Vec::new();
        let mut message = Message::new(bytes);
        let mut cleared = false;
        loop {
            match message.next() {
                Ok(Some((packet::SEQUENCE, value))) => sequence_id = value.number(),
                Ok(Some((packet::TIMESTAMP, value))) => stamp = Some(value.signed()),
                Ok(Some((packet::CLOCK, value))) => clock = Some(value.number()),
                Ok(Some((packet::FLAGS, value))) => cleared |= value.number() & 1 != 0,
                Ok(Some((packet::CLEARED, value))) => cleared |= value.number() != 0,
                Ok(Some((field, Value::Bytes(bytes)))) => parts.push((field, Message::new(bytes))),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(broken) => {
                    self.odd.add("packet that is broken (read as far as it goes)", || broken.what.to_owned());
                    break;
                }
            }
        }
        let sequence = self.sequences.entry(sequence_id).or_default();
        if cleared {
            *sequence = Sequence::default();
        }
        // Names and clocks count for the packet that brings them.
        for (field, part) in &parts {
            match *field {
                packet::INTERNED => sequence.interned.read(part.clone()),
                packet::DEFAULTS => sequence.defaults(part.clone()),
                packet::CLOCKS => self.clocks.snapshot(part.clone(), sequence_id),
                _ => {}
            }
        }
        let clock = clock.or(sequence.clock).unwrap_or(BOOT);
        let time = stamp.map(|stamp| self.clocks.time(clock, sequence_id, stamp));
        for (field, part) in parts {
            match (field, time) {
                (packet::TRACK, _) => {
                    let id = self.descriptors.track(part);
                    self.rename(id, b);
                }
                (packet::PROCESS, _) => _ = self.descriptors.process(part),
                (packet::THREAD, _) => _ = self.descriptors.thread(part),
                (packet::PROCESS_TREE, _) => self.descriptors.process_tree(part),
                (packet::FTRACE, _) => self.kernel(part, b),
                (packet::EVENT | packet::SAMPLE | packet::STREAMED, Some(None)) => {
                    self.odd.add("event of a clock that no snapshot explains (left out)", || {
                        format!("clock {clock}")
                    });
                }
                (packet::EVENT | packet::SAMPLE | packet::STREAMED, None) => {
                    self.odd.add("event without a time (left out)", || format!("sequence {sequence_id}"));
                }
                (packet::EVENT, Some(Some(time))) => self.event(part, sequence_id, time, b),
                (packet::SAMPLE, Some(Some(time))) => self.sample(part, sequence_id, time, b),
                (packet::STREAMED, Some(Some(time))) => self.streamed(part, sequence_id, time, b),
                (field, _) => left_out(field, &mut self.odd),
            }
        }
    }

    fn event(&mut self, message: Message<'_>, sequence_id: u64, time: i64, b: &mut ProfileBuilder) {
        let event = self.read(message);
        let default = self.sequences.get(&sequence_id).and_then(|s| s.track);
        let uuid = event.track.or(default).unwrap_or(0);
        match (event.kind, &event.legacy) {
            (1, _) => {
                let function = self.function(&event, sequence_id, b);
                let args = self.args(&event, sequence_id, b);
                let slices = self.slices(uuid, b);
                let handle = b.open_span(slices.track, time, function, args);
                slices.open.push(handle);
                let track = slices.track;
                self.flow(&event, (track, time), b);
            }
            (2, _) => {
                let args = self.args(&event, sequence_id, b);
                let slices = self.slices(uuid, b);
                let track = slices.track;
                match slices.open.pop() {
                    Some(handle) => {
                        b.close_span(track, handle, time, SpanStatus::Ok);
                        if args != ArgsRef::NONE {
                            b.set_span_args(track, handle, args);
                        }
                    }
                    None => self.odd.add("end without a begin (left out)", String::new),
                }
                self.flow(&event, (track, time), b);
            }
            (3, _) => {
                let name = self.name(&event, sequence_id).unwrap_or_else(|| "(unnamed)".into());
                let (name, args) = (b.string(&name), self.args(&event, sequence_id, b));
                let track = self.slices(uuid, b).track;
                b.instant(Instant { time, track: Some(track), name, args, severity: Severity::Info });
                self.flow(&event, (track, time), b);
            }
            (4, _) => self.count(uuid, event.value, time, b),
            (_, Some(legacy)) => self.legacy(legacy.clone(), &event, (uuid, sequence_id, time), b),
            _ => self.odd.add("track event of an unknown kind (left out)", || format!("kind {}", event.kind)),
        }
    }

    fn read<'a>(&mut self, mut message: Message<'a>) -> Event<'a> {
        let mut event = Event::default();
        while let Ok(Some((field, value))) = message.next() {
            match field {
                9 => event.kind = value.number(),
                23 => event.name = Some(value.bytes()),
                10 => event.name_id = value.number(),
                22 if event.category.is_none() => event.category = Some(value.bytes()),
                3 if event.category_id == 0 => {
                    let mut ids = Vec::new();
                    if value.numbers(&mut ids).is_ok() {
                        event.category_id = ids.first().copied().unwrap_or(0);
                    }
                }
                11 => event.track = Some(value.number()),
                30 => event.value = Some(value.signed() as f64),
                44 => event.value = Some(f64::from_bits(value.number())),
                36 | 47 => _ = numbers(value, &mut event.flows),
                42 | 48 => _ = numbers(value, &mut event.last_flows),
                4 => event.annotations.push(value.message()),
                6 => event.legacy = Some(value.message()),
                _ => {}
            }
        }
        event
    }

    /// The name of an event; `None` when it has none.
    fn name(&self, event: &Event<'_>, sequence: u64) -> Option<String> {
        let interned = || self.sequences.get(&sequence)?.interned.events.get(&event.name_id).cloned();
        event
            .name
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .or_else(interned)
            .filter(|n| !n.is_empty())
    }

    fn function(
        &mut self,
        event: &Event<'_>,
        sequence: u64,
        b: &mut ProfileBuilder,
    ) -> crate::model::FunctionId {
        let name = self.name(event, sequence).unwrap_or_else(|| "(unnamed)".into());
        let interned = || self.sequences.get(&sequence)?.interned.categories.get(&event.category_id).cloned();
        let category = event.category.map(|c| String::from_utf8_lossy(c).into_owned()).or_else(interned);
        b.function(FunctionSpec { category: category.as_deref().unwrap_or(""), ..FunctionSpec::named(&name) })
    }

    fn slices(&mut self, uuid: u64, b: &mut ProfileBuilder) -> &mut Slices {
        let descriptors = &self.descriptors;
        self.slices.entry(uuid).or_insert_with(|| {
            let (name, process, kind, sort) = descriptors.of(uuid);
            let track = b.track(TrackSpec { name: &name, process: &process, kind, sort });
            Slices { track, open: Vec::new() }
        })
    }

    /// A descriptor may come after the first events of its track.
    fn rename(&mut self, uuid: u64, b: &mut ProfileBuilder) {
        let (name, process, kind, sort) = self.descriptors.of(uuid);
        if let Some(slices) = self.slices.get(&uuid) {
            b.set_track(slices.track, TrackSpec { name: &name, process: &process, kind, sort });
        }
        if let Some((counter, _)) = self.counters.get(&uuid) {
            let unit = self
                .descriptors
                .tracks
                .get(&uuid)
                .and_then(|d| d.counter.as_ref())
                .map_or(Unit::None, |c| c.unit().0);
            b.set_counter(*counter, &name, &process, unit);
        }
    }

    fn count(&mut self, uuid: u64, value: Option<f64>, time: i64, b: &mut ProfileBuilder) {
        let Some(value) = value else {
            self.odd.add("counter event without a value (left out)", String::new);
            return;
        };
        let described = self.descriptors.tracks.get(&uuid).and_then(|d| d.counter.as_ref());
        let (unit, factor) = described.map_or((Unit::None, 1.0), super::descriptors::Counter::unit);
        let counts_on = described.is_some_and(|c| c.counts_on);
        let descriptors = &self.descriptors;
        let (counter, sum) = self.counters.entry(uuid).or_insert_with(|| {
            let (name, process, ..) = descriptors.of(uuid);
            (b.counter(&name, &process, unit), 0)
        });
        let value = if counts_on {
            *sum = sum.saturating_add(value as i64);
            *sum as f64
        } else {
            value
        };
        b.point(*counter, time, value * factor);
    }

    fn flow(&mut self, event: &Event<'_>, at: (TrackId, i64), b: &mut ProfileBuilder) {
        for (flows, last) in [(&event.flows, false), (&event.last_flows, true)] {
            for flow in flows {
                if let Some(&from) = self.flows.get(flow) {
                    let name = *self.flow_name.get_or_insert_with(|| b.string("flow"));
                    b.link(Link { from, to: at, name });
                }
                if last {
                    self.flows.remove(flow);
                } else {
                    self.flows.insert(*flow, at);
                }
            }
        }
    }

    fn args(&self, event: &Event<'_>, sequence: u64, b: &mut ProfileBuilder) -> ArgsRef {
        if event.annotations.is_empty() {
            return ArgsRef::NONE;
        }
        let none = Interned::default();
        let interned = self.sequences.get(&sequence).map_or(&none, |s| &s.interned);
        let mut pairs = Vec::new();
        for annotation in &event.annotations {
            let (mut name, mut detail) = (String::new(), None);
            let mut fields = annotation.clone();
            while let Ok(Some((field, value))) = fields.next() {
                let text = |b: &mut ProfileBuilder| {
                    Some(Detail::Text(b.string(&String::from_utf8_lossy(value.bytes()))))
                };
                match field {
                    1 => name = interned.annotations.get(&value.number()).cloned().unwrap_or_default(),
                    10 => name = String::from_utf8_lossy(value.bytes()).into_owned(),
                    2 => detail = Some(Detail::Bool(value.number() != 0)),
                    3 | 4 | 7 => detail = Some(Detail::Int(value.signed())),
                    5 => detail = Some(Detail::Float(f64::from_bits(value.number()))),
                    6 | 9 => detail = text(b),
                    17 => detail = interned.values.get(&value.number()).map(|t| Detail::Text(b.string(t))),
                    8 | 11 | 12 if detail.is_none() => detail = Some(Detail::Text(b.string("(nested)"))),
                    _ => {}
                }
            }
            if let Some(detail) = detail {
                pairs.push((b.string(&name), detail));
            }
        }
        b.args(pairs)
    }

    /// Events that Chrome writes in the form of its JSON.
    fn legacy(
        &mut self,
        mut message: Message<'_>,
        event: &Event<'_>,
        (uuid, sequence, time): (u64, u64, i64),
        b: &mut ProfileBuilder,
    ) {
        let (mut phase, mut length, mut name) = (0, None, 0);
        while let Ok(Some((field, value))) = message.next() {
            match field {
                1 => name = value.number(),
                2 => phase = value.number(),
                3 => length = value.signed().checked_mul(1000),
                _ => {}
            }
        }
        let named = Event {
            name_id: if event.name_id == 0 { name } else { event.name_id },
            name: event.name,
            category: event.category,
            category_id: event.category_id,
            ..Event::default()
        };
        match u8::try_from(phase) {
            Ok(b'X') => {
                let (function, args) = (self.function(&named, sequence, b), self.args(event, sequence, b));
                let track = self.slices(uuid, b).track;
                match length {
                    Some(length @ 0..) => {
                        _ = b.span(track, time, time.saturating_add(length), function, args)
                    }
                    _ => _ = b.open_span(track, time, function, args),
                }
            }
            Ok(b'B') => {
                let (function, args) = (self.function(&named, sequence, b), self.args(event, sequence, b));
                let slices = self.slices(uuid, b);
                let handle = b.open_span(slices.track, time, function, args);
                slices.open.push(handle);
            }
            Ok(b'E') => {
                let slices = self.slices(uuid, b);
                match slices.open.pop() {
                    Some(handle) => b.close_span(slices.track, handle, time, SpanStatus::Ok),
                    None => self.odd.add("end without a begin (left out)", String::new),
                }
            }
            _ => self
                .odd
                .add("event of Chrome's older form of a kind that is not shown", || format!("phase {phase}")),
        }
    }

    /// The stack of an interned number.
    fn stack(&mut self, sequence: u64, id: u64, b: &mut ProfileBuilder) -> Option<StackId> {
        let interned = &mut self.sequences.get_mut(&sequence)?.interned;
        if let Some(stack) = interned.built.get(&id) {
            return *stack;
        }
        let mut stack = None;
        for frame in interned.stacks.get(&id)? {
            let Some(frame) = interned.frames.get(frame) else {
                self.odd.add("frame that is not described (left out)", || format!("frame {frame}"));
                continue;
            };
            let text = |map: &FxHashMap<u64, String>, id: u64| map.get(&id).cloned().unwrap_or_default();
            let (name, file) = (text(&interned.functions, frame.function), text(&interned.files, frame.file));
            let name = if name.is_empty() { format!("{:#x}", frame.address) } else { name };
            let function = b.function(FunctionSpec { name: &name, file: &file, ..FunctionSpec::default() });
            let frame = b.frame(function, frame.line);
            stack = Some(b.stack(stack, frame));
        }
        interned.built.insert(id, stack);
        stack
    }

    fn sample(&mut self, mut message: Message<'_>, sequence: u64, time: i64, b: &mut ProfileBuilder) {
        let (mut thread, mut stack) = (0, None);
        while let Ok(Some((field, value))) = message.next() {
            match field {
                3 => thread = i64::from(value.number() as i32),
                4 => stack = self.stack(sequence, value.number(), b),
                _ => {}
            }
        }
        self.samples.push((thread, time, stack));
    }

    /// Samples that Chrome took, each some µs after the one before.
    fn streamed(&mut self, mut message: Message<'_>, sequence: u64, start: i64, b: &mut ProfileBuilder) {
        let (mut stacks, mut deltas) = (Vec::new(), Vec::new());
        while let Ok(Some((field, value))) = message.next() {
            match field {
                1 => _ = value.numbers(&mut stacks),
                2 => _ = value.numbers(&mut deltas),
                _ => {}
            }
        }
        let mut time = start;
        for (n, id) in stacks.into_iter().enumerate() {
            let delta = deltas.get(n).map_or(0, |d| *d as i64);
            time = time.saturating_add(delta.saturating_mul(1000));
            let stack = self.stack(sequence, id, b);
            self.samples.push((0, time, stack));
        }
    }

    /// What programs write into the kernel's buffer: `B|pid|name`, `E|pid`, `C|pid|name|value`.
    fn kernel(&mut self, mut bundle: Message<'_>, b: &mut ProfileBuilder) {
        while let Ok(Some((field, value))) = bundle.next() {
            if field != 2 {
                continue;
            }
            let (mut time, mut thread, mut text, mut event) = (None, 0, None, value.message());
            while let Ok(Some((field, value))) = event.next() {
                match field {
                    1 => time = Some(value.signed()),
                    2 => thread = i64::from(value.number() as i32),
                    3 => {
                        let mut print = value.message();
                        while let Ok(Some((field, value))) = print.next() {
                            if field == 2 {
                                text = Some(String::from_utf8_lossy(value.bytes()).trim_end().to_owned());
                            }
                        }
                    }
                    _ => {}
                }
            }
            match (time, text) {
                (Some(time), Some(text)) => self.mark(thread, time, &text, b),
                _ => self.odd.add("event of the kernel (not shown)", String::new),
            }
        }
    }

    fn mark(&mut self, thread: i64, time: i64, text: &str, b: &mut ProfileBuilder) {
        let mut parts = text.splitn(4, '|');
        let (kind, pid) = (parts.next().unwrap_or(""), parts.next().and_then(|p| p.parse::<i64>().ok()));
        let (name, value) = (parts.next().unwrap_or(""), parts.next());
        match kind {
            "B" => {
                let name = value.map_or_else(|| name.to_owned(), |rest| format!("{name}|{rest}"));
                let function = b.function(FunctionSpec { category: "atrace", ..FunctionSpec::named(&name) });
                let descriptors = &self.descriptors;
                let (slices, _) = self.marked.entry(thread).or_insert_with(|| {
                    let (name, process) = descriptors.of_thread(thread, pid);
                    let spec =
                        TrackSpec { name: &name, process: &process, kind: TrackKind::Thread, sort: thread };
                    (Slices { track: b.track(spec), open: Vec::new() }, pid)
                });
                slices.open.push(b.open_span(slices.track, time, function, ArgsRef::NONE));
            }
            "E" => match self.marked.get_mut(&thread).and_then(|(s, _)| Some((s.track, s.open.pop()?))) {
                Some((track, handle)) => b.close_span(track, handle, time, SpanStatus::Ok),
                None => self.odd.add("end without a begin (left out)", String::new),
            },
            "C" => {
                let Some(value) = value.and_then(|v| v.trim().parse::<f64>().ok()) else { return };
                let key = (pid.unwrap_or(0), name.to_owned());
                let process = format!("process {}", key.0);
                let counter =
                    self.marked_counters.entry(key).or_insert_with(|| b.counter(name, &process, Unit::None));
                b.point(*counter, time, value);
            }
            _ => self.odd.add("mark of a kind that is not shown", || text.chars().take(40).collect()),
        }
    }

    /// Names what was read before its names, and gives what was found odd.
    pub fn finish(mut self, b: &mut ProfileBuilder) {
        let ids: Vec<u64> = self.slices.keys().chain(self.counters.keys()).copied().collect();
        ids.into_iter().for_each(|id| self.rename(id, b));
        for (thread, (slices, pid)) in &self.marked {
            let (name, process) = self.descriptors.of_thread(*thread, *pid);
            let spec = TrackSpec { name: &name, process: &process, kind: TrackKind::Thread, sort: *thread };
            b.set_track(slices.track, spec);
        }
        if !self.samples.is_empty() {
            let metric = b.metric(Metric::new("samples", "Samples", Unit::Count));
            self.samples.sort_by_key(|s| (s.0, s.1));
            let mut tracks: FxHashMap<i64, TrackId> = FxHashMap::default();
            for (n, &(thread, time, stack)) in self.samples.iter().enumerate() {
                let track = *tracks.entry(thread).or_insert_with(|| {
                    let known = self.descriptors.threads.get(&thread);
                    let name = known.map_or_else(
                        || format!("samples of thread {thread}"),
                        |n| format!("samples of {n} ({thread})"),
                    );
                    b.track(TrackSpec { name: &name, process: "", kind: TrackKind::Profile, sort: thread })
                });
                let next = self.samples.get(n + 1).filter(|s| s.0 == thread).map_or(time, |s| s.1);
                b.timed_sample(track, (time, next), stack, &[(metric, 1)]);
            }
        }
        b.meta.origin_unix_ns = self.clocks.unix;
        self.odd.report(b);
    }
}

/// Numbers of 64 bits, packed or single: they are written at full width.
fn numbers(value: Value<'_>, to: &mut Vec<u64>) -> Option<()> {
    match value {
        Value::Bytes(packed) => {
            to.extend(packed.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().unwrap_or_default())));
            Some(())
        }
        single => {
            to.push(single.number());
            Some(())
        }
    }
}

impl Sequence {
    /// What holds for packets that say nothing of their own.
    fn defaults(&mut self, mut message: Message<'_>) {
        while let Ok(Some((field, value))) = message.next() {
            match field {
                58 => self.clock = Some(value.number()),
                11 => {
                    let mut event = value.message();
                    while let Ok(Some((field, value))) = event.next() {
                        if field == 11 {
                            self.track = Some(value.number());
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
