//! speedscope files (`*.speedscope.json`), all versions since 2018.
//!
//! Written by speedscope itself, py-spy, pyinstrument, rbspy, austin and many converters. Format:
//! `src/lib/file-format-spec.ts` of jlfwong/speedscope.
//!
//! Kept: every profile as a track; evented profiles in a time unit as spans, sampled ones as samples
//! placed in time by their running weight; the exporter, the title, files and lines. Evented profiles in
//! bytes or counts have no time: they become untimed samples, one for each stretch between two events.
//! Lost: columns, `activeProfileIndex`. Guessed: py-spy, austin and rbspy write the line that runs, all
//! others the line where the function starts.
//!
//! Everything that decides what an event means (`unit`, `type`, the frames, the exporter) may stand
//! after the events. So profiles are kept in a compact form, 16 bytes an event, until the file's end.

mod quick;

use hashbrown::HashTable;

use super::Gives::{Time, Tree};
use super::read::json::{Decimal, Json, top_keys};
use super::read::{Oddities, Rounding};
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    ArgsRef, Basis, FrameId, FunctionId, FunctionSpec, Metric, NO_ROW, ProfileBuilder, SpanStatus, StackId,
    StringId, TrackId, TrackKind, TrackSpec, Unit, row_hash,
};

/// Exporters whose `line` is the line that runs, not the first line of the function.
const RUNNING_LINES: [&str; 3] = ["py-spy", "austin", "rbspy"];

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "speedscope",
    title: "speedscope",
    written_by: "speedscope, py-spy, pyinstrument, rbspy, austin, …",
    extensions: &["speedscope.json", "json"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let says = |sign| head.says(sign);
    let types = says("\"sampled\"") || says("\"evented\"");
    match (has("profiles"), has("shared")) {
        (false, false) => Confidence::No,
        _ if has("$schema") && says("speedscope.app/file-format-schema") => Confidence::Certain,
        (true, true) => Confidence::Likely,
        (true, false) if types => Confidence::Likely,
        (false, true) if keys.len() == 1 && says("\"frames\"") => Confidence::Possible,
        _ => Confidence::No,
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut file = File::default();
    let mut json = Json::new(source, cx.job)?;
    if let Err(e) = file.read(&mut json, &mut cx.builder) {
        if e.kind != ErrorKind::Malformed || !file.is_readable() {
            return Err(e);
        }
        let place = e.place.map_or(String::new(), |p| p.to_string());
        cx.builder.warn("broken JSON; what came before is shown", &place);
    }
    cx.builder.warn_many("characters that are not valid (shown as �)", "", json.bad_text());
    file.emit(&mut cx.builder)
}

/// An event of an evented profile: 16 bytes, because there are millions.
#[derive(Clone, Copy)]
struct Event {
    mantissa: i64,
    /// The frame, and in the lowest bit whether it opens.
    frame: u32,
    exponent: i16,
}

impl Event {
    fn new(at: Decimal, frame: u32) -> Self {
        Self { mantissa: at.mantissa, exponent: at.exponent, frame }
    }

    /// When.
    fn at(self) -> Decimal {
        Decimal { mantissa: self.mantissa, exponent: self.exponent }
    }
}

#[derive(Default)]
struct RawFrame {
    name: StringId,
    file: StringId,
    line: u32,
}

/// One profile of the file, before units and frames are known.
#[derive(Default)]
struct RawProfile {
    name: String,
    evented: bool,
    unit: String,
    /// Key and label of a metric other than time, as inferscope writes them.
    metric: [String; 2],
    start: Option<Decimal>,
    end: Option<Decimal>,
    events: Vec<Event>,
    samples: Vec<u32>,
    weights: Vec<Option<Decimal>>,
}

/// No frame at all.
const EMPTY: u32 = u32::MAX;

#[derive(Default)]
struct File {
    frames: Vec<RawFrame>,
    profiles: Vec<RawProfile>,
    exporter: String,
    title: String,
    stacks: Stacks,
    odd: Oddities,
}

/// Stacks of sampled profiles as (caller, frame number), each once.
#[derive(Default)]
struct Stacks {
    rows: Vec<(u32, u32)>,
    /// Numbers only: there may be tens of millions.
    index: HashTable<u32>,
    /// What was last found on top, per stack.
    latest: Vec<u32>,
}

impl Stacks {
    fn child(&mut self, stack: u32, frame: u32) -> u32 {
        let Self { rows, index, latest } = self;
        if let Some(&child) = latest.get(stack as usize)
            && child != EMPTY
            && rows[child as usize].1 == frame
        {
            return child;
        }
        let hashed = row_hash(&(stack, frame));
        let child = match index.find(hashed, |&id| rows[id as usize] == (stack, frame)) {
            Some(&child) => child,
            None => {
                let new = rows.len() as u32;
                rows.push((stack, frame));
                latest.push(EMPTY);
                index.insert_unique(hashed, new, |&id| row_hash(&rows[id as usize]));
                new
            }
        };
        if let Some(latest) = latest.get_mut(stack as usize) {
            *latest = child;
        }
        child
    }
}

impl File {
    fn is_readable(&self) -> bool {
        !self.frames.is_empty() && self.profiles.iter().any(|p| !p.events.is_empty() || !p.samples.is_empty())
    }

    fn read(&mut self, json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Err(ImportError::malformed("is not a speedscope file: no object at the top"));
        }
        while json.next_key()? {
            match json.key() {
                b"shared" => {
                    if json.enter_object()? {
                        while json.next_key()? {
                            if json.key() == b"frames" {
                                self.read_frames(json, builder)?
                            } else {
                                json.skip()?
                            }
                        }
                    }
                }
                b"profiles" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            self.profiles.push(RawProfile::default());
                            self.read_profile(json)?;
                        }
                    }
                }
                b"name" => json.string_into(&mut self.title)?,
                b"exporter" => json.string_into(&mut self.exporter)?,
                _ => json.skip()?,
            }
        }
        if !json.at_end()? {
            let place = json.offset();
            self.odd.add("text after the end of the profile (ignored)", || format!("byte {place}"));
        }
        Ok(())
    }

    fn read_frames(&mut self, json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if !json.enter_array()? {
            return Ok(());
        }
        while json.next_item()? {
            let mut frame = RawFrame::default();
            if json.enter_object()? {
                while json.next_key()? {
                    match json.key() {
                        b"name" => {
                            if json.string()? {
                                frame.name = builder.string(json.text());
                            }
                        }
                        b"file" => {
                            if json.string()? {
                                frame.file = builder.string(json.text());
                            }
                        }
                        b"line" => frame.line = json.index()?.unwrap_or(0),
                        _ => json.skip()?,
                    }
                }
            }
            self.frames.push(frame);
        }
        Ok(())
    }

    fn read_profile(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        let Some(profile) = self.profiles.last_mut() else { return Ok(()) };
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            match json.key() {
                b"name" => json.string_into(&mut profile.name)?,
                b"unit" => json.string_into(&mut profile.unit)?,
                b"metric" => json.string_into(&mut profile.metric[0])?,
                b"label" => json.string_into(&mut profile.metric[1])?,
                b"type" => profile.evented = json.string()? && json.text() == "evented",
                b"startValue" => profile.start = json.number()?,
                b"endValue" => profile.end = json.number()?,
                b"events" => read_events(json, &mut profile.events, &mut self.odd)?,
                b"samples" => read_samples(json, &mut profile.samples, &mut self.stacks)?,
                b"weights" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            profile.weights.push(json.number()?);
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        Ok(())
    }

    /// Hands everything to the builder.
    fn emit(mut self, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if self.profiles.is_empty() {
            return Err(ImportError::malformed("holds no profiles"));
        }
        builder.meta.tool = self.exporter.replace('@', " ");
        builder.meta.title = std::mem::take(&mut self.title);
        if let ([only], true) = (&self.profiles[..], builder.meta.title.is_empty()) {
            builder.meta.title.clone_from(&only.name);
        }
        builder.meta.basis = Basis::Sampled;
        let running = RUNNING_LINES.iter().any(|tool| self.exporter.to_lowercase().starts_with(tool));
        let mut emitter = Emitter { running, ..Emitter::default() };
        for frame in &self.frames {
            emitter.add_frame(frame, builder);
        }
        let profiles = std::mem::take(&mut self.profiles);
        let stacks = std::mem::take(&mut self.stacks).rows;
        let nanos =
            |p: &RawProfile| p.start.zip(power_of(&p.unit)).and_then(|(start, power)| start.scaled(power));
        builder.rebase = profiles.iter().filter_map(nanos).min().is_some_and(|first| first != 0);
        for (sort, profile) in profiles.iter().enumerate() {
            let (process, name) = split_name(&profile.name);
            let kind = if name.starts_with("Thread") { TrackKind::Thread } else { TrackKind::Profile };
            let track = builder.track(TrackSpec { name, process, kind, sort: sort as i64 });
            match (profile.evented, power_of(&profile.unit)) {
                (true, Some(power)) => emitter.spans(profile, track, power, &mut self.odd, builder),
                (true, None) => emitter.stretches(profile, track, &mut self.odd, builder),
                (false, power) => {
                    emitter.resolve_stacks(&stacks, &mut self.odd, builder);
                    emitter.samples(profile, track, power, &mut self.odd, builder);
                }
            }
        }
        let nothing = builder.is_empty() || emitter.kept == 0;
        if nothing && let Some(first) = self.odd.first() {
            return Err(ImportError::malformed(format!("holds nothing readable ({first})")));
        }
        if nothing && profiles.iter().all(|p| p.events.is_empty() && p.samples.is_empty()) {
            return Err(ImportError::malformed("holds only empty profiles"));
        }
        self.odd.report(builder);
        Ok(())
    }
}

fn read_events(json: &mut Json<'_>, events: &mut Vec<Event>, odd: &mut Oddities) -> Result<(), ImportError> {
    if !json.enter_array()? {
        return Ok(());
    }
    while json.next_item()? {
        if let Some((event, len)) = quick::event(json.here()) {
            events.push(event);
            json.take(len);
            continue;
        }
        let place = json.offset();
        let (mut at, mut frame, mut opens) = (None, None, None);
        if json.enter_object()? {
            while json.next_key()? {
                match json.key() {
                    b"type" => {
                        opens = match json.letter()? {
                            Some(b'O') => Some(1),
                            Some(b'C') => Some(0),
                            _ => None,
                        }
                    }
                    b"frame" => frame = json.index()?.filter(|&f| f < u32::MAX / 2),
                    b"at" => at = json.number()?,
                    _ => json.skip()?,
                }
            }
        }
        match (at, frame, opens) {
            (Some(at), Some(frame), Some(opens)) => events.push(Event::new(at, frame << 1 | opens)),
            (None, Some(_), Some(_)) => {
                odd.add("event without a usable time (skipped)", || format!("byte {place}"))
            }
            _ => odd.add("event without a frame or a type (skipped)", || format!("byte {place}")),
        }
    }
    Ok(())
}

/// Reads stacks, outermost frame first.
fn read_samples(json: &mut Json<'_>, samples: &mut Vec<u32>, stacks: &mut Stacks) -> Result<(), ImportError> {
    if !json.enter_array()? {
        return Ok(());
    }
    let mut quick = quick::Stacks::default();
    while json.next_item()? {
        if let Some(len) = json.flat_array()?
            && let Some(stack) = quick.read(&json.here()[..len], |stack, frame| stacks.child(stack, frame))
        {
            json.take(len);
            samples.push(stack);
            continue;
        }
        let mut stack = EMPTY;
        if json.enter_array()? {
            while json.next_item()? {
                stack = stacks.child(stack, json.index()?.unwrap_or(EMPTY));
            }
        }
        samples.push(stack);
    }
    Ok(())
}

/// Power of ten from a time unit to nanoseconds; `None` for what is not a time.
fn power_of(unit: &str) -> Option<i16> {
    Some(match unit {
        "seconds" => 9,
        "milliseconds" => 6,
        "microseconds" => 3,
        "nanoseconds" => 0,
        _ => return None,
    })
}

/// py-spy's «Process 12 Thread 34 "name"» as process and thread.
fn split_name(name: &str) -> (&str, &str) {
    match name.split_once(" Thread ") {
        Some((process, rest)) if process.starts_with("Process ") => {
            (process, &name[name.len() - rest.len() - 7..])
        }
        _ => ("", name),
    }
}

fn plain_metric(unit: &str) -> Metric {
    match unit {
        "bytes" => Metric::new("bytes", "Bytes", Unit::Bytes),
        _ => Metric::new("count", "Count", Unit::Count),
    }
}

/// Turns raw profiles into rows, once the frames are known.
#[derive(Default)]
struct Emitter {
    running: bool,
    frames: Vec<(FunctionId, FrameId)>,
    stacks: Vec<Option<StackId>>,
    /// Spans and samples with a known frame, to tell a file of which nothing could be read.
    kept: usize,
}

impl Emitter {
    fn add_frame(&mut self, frame: &RawFrame, builder: &mut ProfileBuilder) {
        let (first, line) = if self.running { (0, frame.line) } else { (frame.line, 0) };
        let (name, file) = (builder.text(frame.name).to_owned(), builder.text(frame.file).to_owned());
        let name = if name.is_empty() { "(unnamed)" } else { &name };
        let function =
            builder.function(FunctionSpec { name, file: &file, line: first, ..FunctionSpec::default() });
        self.frames.push((function, builder.frame(function, line)));
    }

    fn known(&self, frame: u32, odd: &mut Oddities) -> bool {
        let known = (frame as usize) < self.frames.len();
        if !known {
            odd.add("frame number out of range (left out)", || {
                let shown = if frame == EMPTY { "not a number".into() } else { format!("frame {frame}") };
                format!("{shown}, the file has {} frames", self.frames.len())
            });
        }
        known
    }

    /// An evented profile in time: each opening and its closing are a span. A closing belongs to the
    /// innermost open span of the same frame; where closings cross, each span keeps its own times.
    fn spans(
        &mut self,
        profile: &RawProfile,
        track: TrackId,
        power: i16,
        odd: &mut Oddities,
        b: &mut ProfileBuilder,
    ) {
        b.meta.basis = Basis::Timed;
        // Innermost open span per frame; the one before it per span.
        let mut innermost = vec![NO_ROW; self.frames.len()];
        let mut outer: Vec<(u32, bool)> = Vec::new();
        let mut open: Vec<u32> = Vec::new();
        let mut last = profile.start.and_then(|d| d.scaled(power)).unwrap_or(i64::MIN);
        for (n, event) in profile.events.iter().enumerate() {
            let (frame, opens) = (event.frame >> 1, event.frame & 1 == 1);
            let place = || format!("event {n}");
            let Some(time) = event.at().scaled(power) else {
                odd.add("event without a usable time (skipped)", place);
                continue;
            };
            if time < last {
                odd.add("event earlier than the one before it", place);
            }
            last = last.max(time);
            if !self.known(frame, odd) {
                continue;
            }
            let innermost = &mut innermost[frame as usize];
            if opens {
                let handle = b.open_span(track, time, self.frames[frame as usize].0, ArgsRef::NONE);
                outer.push((*innermost, false));
                *innermost = handle;
                open.push(handle);
                continue;
            }
            let handle = *innermost;
            if handle == NO_ROW {
                odd.add("closing of a frame that is not open (skipped)", place);
                continue;
            }
            while open.last().is_some_and(|&h| outer[h as usize].1) {
                open.pop();
            }
            if open.last() != Some(&handle) {
                odd.add("frames closed out of order (each keeps its own times)", place);
            }
            *innermost = outer[handle as usize].0;
            outer[handle as usize].1 = true;
            b.close_span(track, handle, time, SpanStatus::Ok);
        }
        let end = profile.end.and_then(|d| d.scaled(power)).unwrap_or(last).max(last);
        for (handle, _) in outer.iter().enumerate().filter(|(_, span)| !span.1) {
            odd.add("frame that is never closed (drawn to the end)", || format!("span {handle}"));
            b.close_span(track, handle as u32, end, SpanStatus::Unfinished);
        }
        self.kept += outer.len();
    }

    /// An evented profile in bytes or counts: what lies between two events weighs on the open stack.
    fn stretches(
        &mut self,
        profile: &RawProfile,
        track: TrackId,
        odd: &mut Oddities,
        b: &mut ProfileBuilder,
    ) {
        if b.meta.basis == Basis::Sampled {
            b.meta.basis = Basis::Aggregated;
        }
        let metric = b.metric(plain_metric(&profile.unit));
        let mut open: Vec<(u32, StackId)> = Vec::new();
        let mut opened = vec![0u32; self.frames.len()];
        let mut last = profile.start.and_then(|d| d.scaled(0));
        let mut weigh = |b: &mut ProfileBuilder, open: &[(u32, StackId)], value: i64| {
            let before = last.replace(last.map_or(value, |l| l.max(value)));
            if let (Some(before), Some(&(_, stack))) = (before, open.last())
                && value > before
            {
                b.sample(track, Some(stack), &[(metric, value.saturating_sub(before))]);
            }
            before.is_some_and(|before| value < before)
        };
        for (n, event) in profile.events.iter().enumerate() {
            let (frame, opens) = (event.frame >> 1, event.frame & 1 == 1);
            let place = || format!("event {n}");
            let Some(value) = event.at().scaled(0) else {
                odd.add("event without a usable value (skipped)", place);
                continue;
            };
            if weigh(b, &open, value) {
                odd.add("event earlier than the one before it", place);
            }
            if !self.known(frame, odd) {
                continue;
            }
            if opens {
                let stack = b.stack(open.last().map(|o| o.1), self.frames[frame as usize].1);
                open.push((frame, stack));
                opened[frame as usize] += 1;
                self.kept += 1;
            } else if opened[frame as usize] == 0 {
                odd.add("closing of a frame that is not open (skipped)", place);
            } else {
                while let Some((closed, _)) = open.pop() {
                    opened[closed as usize] -= 1;
                    if closed == frame {
                        break;
                    }
                    odd.add("frames closed out of order (the inner ones end with the outer)", place);
                }
            }
        }
        if !open.is_empty() {
            odd.add("frame that is never closed (runs to the end)", || {
                format!("{} open at the end", open.len())
            });
            if let Some(end) = profile.end.and_then(|d| d.scaled(0)) {
                weigh(b, &open, end);
            }
        }
    }

    /// Makes the file's stacks known to the builder; frames out of range are left out.
    fn resolve_stacks(&mut self, stacks: &[(u32, u32)], odd: &mut Oddities, b: &mut ProfileBuilder) {
        for &(parent, frame) in &stacks[self.stacks.len()..] {
            let parent = self.stacks.get(parent as usize).copied().flatten();
            let stack = if self.known(frame, odd) {
                Some(b.stack(parent, self.frames[frame as usize].1))
            } else {
                parent
            };
            self.stacks.push(stack);
        }
    }

    fn samples(
        &mut self,
        profile: &RawProfile,
        track: TrackId,
        power: Option<i16>,
        odd: &mut Oddities,
        b: &mut ProfileBuilder,
    ) {
        let known = if power.is_some() { Metric::time() } else { plain_metric(&profile.unit) };
        // Weights in another metric say nothing about when, even if they are a time.
        let (metric, timed) = match &profile.metric {
            [key, _] if key.is_empty() => (b.metric(known), power.is_some()),
            [key, label] => (b.metric(Metric::new(key, label, known.unit)), false),
        };
        let extra = profile.weights.len().saturating_sub(profile.samples.len());
        if extra > 0 {
            odd.add("weights without samples (ignored)", || format!("{extra} weights"));
        }
        let mut time = profile.start.and_then(|d| d.scaled(power?)).unwrap_or(0);
        let mut rounding = Rounding::default();
        for (n, &stack) in profile.samples.iter().enumerate() {
            let place = || format!("sample {n}");
            let Some(written) = profile.weights.get(n) else {
                odd.add("sample without a weight (skipped)", place);
                continue;
            };
            let weight = match power {
                Some(power) => written.and_then(|d| d.scaled(power)),
                None => written.and_then(|d| rounding.next(d)),
            };
            let Some(weight) = weight else {
                odd.add("weight that is not a usable number (sample skipped)", place);
                continue;
            };
            if weight < 0 {
                odd.add("negative weight (sample skipped)", place);
                continue;
            }
            let stack = self.stacks.get(stack as usize).copied().flatten();
            self.kept += usize::from(stack.is_some());
            if timed {
                let end = time.saturating_add(weight);
                b.timed_sample(track, (time, end), stack, &[(metric, weight)]);
                time = end;
            } else {
                b.sample(track, stack, &[(metric, weight)]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
