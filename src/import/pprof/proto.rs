//! The protobuf form.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::super::read::Oddities;
use super::super::read::protobuf::{Broken, Message, Value};
use super::super::{Confidence, Context, Head, ImportError};
use super::{metric, unit_of};
use crate::model::{
    Basis, FrameId, FunctionSpec, MetricId, ProfileBuilder, StackId, TrackId, TrackKind, TrackSpec, Unit,
};

/// Labels whose value names the thread.
const THREAD_LABELS: [&str; 5] = ["thread", "thread_name", "thread name", "thread id", "thread_id"];

/// True when `bytes` are a `ValueType`, as far as they are there.
fn is_value_type(bytes: &[u8]) -> bool {
    let mut message = Message::new(bytes);
    loop {
        match message.next() {
            Ok(Some((1 | 2, Value::Varint(_)))) => {}
            Ok(None) => return !bytes.is_empty(),
            _ => return false,
        }
    }
}

pub(super) fn sniff(head: &Head<'_>) -> Confidence {
    let mut message = Message::new(head.bytes);
    let (mut types, mut samples, mut texts) = (0, 0, 0);
    loop {
        match message.next() {
            Ok(Some((1 | 11, Value::Bytes(bytes)))) if is_value_type(bytes) => types += 1,
            Ok(Some((2, Value::Bytes(_)))) => samples += 1,
            Ok(Some((6, Value::Bytes(bytes)))) if std::str::from_utf8(bytes).is_ok() => texts += 1,
            // A text that is no UTF-8 is repaired; a field of another kind is no profile.
            Ok(Some(
                (6, Value::Bytes(_)) | (7..=10 | 12..=15, Value::Varint(_)) | (3..=5 | 13, Value::Bytes(_)),
            )) => {}
            Ok(Some(_)) => return Confidence::No,
            Ok(None) => break,
            Err(broken) if broken.what == "is cut short" => break,
            Err(_) => return Confidence::No,
        }
    }
    match (types, samples + texts) {
        (1.., 1..) => Confidence::Likely,
        (1.., 0) => Confidence::Possible,
        (0, 2..) if samples > 0 && texts > 0 => Confidence::Possible,
        _ => Confidence::No,
    }
}

/// A function of the file; texts by their number.
#[derive(Clone, Copy, Default)]
struct Function {
    name: u64,
    system_name: u64,
    file: u64,
    line: u32,
}

#[derive(Clone, Copy, Default)]
struct Mapping {
    file: u64,
}

/// What the file holds, before texts are known.
#[derive(Default)]
struct Tables<'a> {
    texts: Vec<&'a [u8]>,
    types: Vec<(u64, u64)>,
    samples: Vec<&'a [u8]>,
    functions: FxHashMap<u64, Function>,
    mappings: FxHashMap<u64, Mapping>,
    first_mapping: Option<u64>,
    locations: FxHashMap<u64, &'a [u8]>,
    time: i64,
    duration: i64,
    period_type: Option<(u64, u64)>,
    period: i64,
    comments: Vec<u64>,
    default_type: u64,
    odd: Oddities,
}

pub(super) fn read(bytes: &[u8], cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut tables = Tables::default();
    let mut message = Message::new(bytes);
    let broken = loop {
        match message.next() {
            Ok(Some((field, value))) => {
                let place = message.offset();
                if let Err(broken) = tables.field(field, value) {
                    tables.odd.add("part that cannot be read (skipped)", || {
                        format!("byte {place}: {}", broken.what)
                    });
                }
            }
            Ok(None) => break None,
            Err(broken) => break Some(broken),
        }
    };
    if tables.types.is_empty() {
        return Err(broken
            .map_or_else(|| ImportError::malformed("does not say what its samples count"), Broken::error));
    }
    if let (Some(broken), true) = (broken, tables.samples.is_empty()) {
        return Err(broken.error());
    }
    if let Some(broken) = broken {
        tables.odd.add("file is broken off; what came before is shown", || format!("byte {}", broken.at));
    }
    let mut build = Build::new(tables, &mut cx.builder);
    for (n, sample) in std::mem::take(&mut build.tables.samples).into_iter().enumerate() {
        if n % 4096 == 0 {
            cx.job.checkpoint(n as u64, n as u64)?;
        }
        build.sample(n, sample, &mut cx.builder);
    }
    build.finish(&mut cx.builder);
    Ok(())
}

/// Reads the two numbers of a `ValueType`.
fn pair(value: Value<'_>) -> Result<(u64, u64), Broken> {
    let (mut first, mut second) = (0, 0);
    let mut message = value.message();
    while let Some((field, value)) = message.next()? {
        match field {
            1 => first = value.number(),
            2 => second = value.number(),
            _ => {}
        }
    }
    Ok((first, second))
}

impl<'a> Tables<'a> {
    fn field(&mut self, field: u32, value: Value<'a>) -> Result<(), Broken> {
        match field {
            1 => self.types.push(pair(value)?),
            2 => self.samples.push(value.bytes()),
            3 => {
                let (mut id, mut mapping, mut message) = (0, Mapping::default(), value.message());
                while let Some((field, value)) = message.next()? {
                    match field {
                        1 => id = value.number(),
                        5 => mapping.file = value.number(),
                        _ => {}
                    }
                }
                self.first_mapping.get_or_insert(id);
                self.mappings.insert(id, mapping);
            }
            4 => {
                let (mut id, mut message) = (0, value.message());
                while let Some((field, value)) = message.next()? {
                    if field == 1 {
                        id = value.number();
                    }
                }
                if self.locations.insert(id, value.bytes()).is_some() {
                    self.odd.add("two locations with one number (the last one counts)", || {
                        format!("location {id}")
                    });
                }
            }
            5 => self.function(value)?,
            6 => self.texts.push(value.bytes()),
            9 => self.time = value.signed(),
            10 => self.duration = value.signed(),
            11 => self.period_type = Some(pair(value)?),
            12 => self.period = value.signed(),
            13 => value.numbers(&mut self.comments)?,
            14 => self.default_type = value.number(),
            _ => {}
        }
        Ok(())
    }

    fn function(&mut self, value: Value<'a>) -> Result<(), Broken> {
        let (mut id, mut function, mut message) = (0, Function::default(), value.message());
        while let Some((field, value)) = message.next()? {
            match field {
                1 => id = value.number(),
                2 => function.name = value.number(),
                3 => function.system_name = value.number(),
                4 => function.file = value.number(),
                5 => function.line = u32::try_from(value.signed()).unwrap_or(0),
                _ => {}
            }
        }
        if self.functions.insert(id, function).is_some() {
            self.odd.add("two functions with one number (the last one counts)", || format!("function {id}"));
        }
        Ok(())
    }

    /// A text; what is missing is empty, and counted.
    fn text(&mut self, id: u64) -> Cow<'a, str> {
        if id == 0 {
            return "".into();
        }
        let Some(&bytes) = usize::try_from(id).ok().and_then(|id| self.texts.get(id)) else {
            self.odd.add("text that the file does not hold", || format!("text {id}"));
            return "".into();
        };
        let text = String::from_utf8_lossy(bytes);
        if matches!(text, Cow::Owned(_)) {
            self.odd.add("text with invalid characters (shown as �)", || format!("text {id}"));
        }
        text
    }
}

/// Makes rows of the tables.
struct Build<'a> {
    tables: Tables<'a>,
    /// Metric and factor of each value of a sample.
    metrics: Vec<(MetricId, i64)>,
    /// Frames of each location that was met, outermost first.
    frames: FxHashMap<u64, Vec<FrameId>>,
    functions: FxHashMap<u64, crate::model::FunctionId>,
    tracks: FxHashMap<String, TrackId>,
    labels: Vec<String>,
}

impl<'a> Build<'a> {
    fn new(mut tables: Tables<'a>, builder: &mut ProfileBuilder) -> Self {
        let types = tables.types.clone();
        let named: Vec<_> = types
            .iter()
            .map(|&(kind, unit)| (tables.text(kind).into_owned(), tables.text(unit).into_owned()))
            .collect();
        let default = tables.text(tables.default_type).into_owned();
        let first = named.iter().position(|t| t.0 == default).unwrap_or(named.len() - 1);
        let mut metrics = vec![None; named.len()];
        for n in std::iter::once(first).chain((0..named.len()).filter(|&n| n != first)) {
            let (kind, unit) = &named[n];
            let (mut metric, factor) = metric(kind, unit);
            if named[..n].iter().chain(&named[n + 1..]).any(|other| other.0 == *kind) {
                metric.key = format!("{kind} {n}");
            }
            metrics[n] = Some((builder.metric(metric), factor));
        }
        let metrics = metrics.into_iter().flatten().collect();
        let (frames, functions, tracks) = (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
        Self { tables, metrics, frames, functions, tracks, labels: Vec::new() }
    }

    fn sample(&mut self, n: usize, bytes: &[u8], builder: &mut ProfileBuilder) {
        let (mut locations, mut values, mut thread) = (Vec::new(), Vec::new(), None);
        let mut message = Message::new(bytes);
        let read = loop {
            match message.next() {
                Ok(Some((1, value))) => drop(value.numbers(&mut locations)),
                Ok(Some((2, value))) => drop(value.numbers(&mut values)),
                Ok(Some((3, value))) => thread = self.label(value).or(thread),
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let place = || format!("sample {n}");
        if !read || values.is_empty() {
            self.tables.odd.add("sample without values (skipped)", place);
            return;
        }
        if values.len() != self.metrics.len() {
            self.tables
                .odd
                .add("sample with too many or too few values (what is missing counts as 0)", place);
        }
        let mut stack: Option<StackId> = None;
        for &location in locations.iter().rev() {
            if !self.frames.contains_key(&location) {
                let frames = self.location(location, builder);
                self.frames.insert(location, frames);
            }
            for &frame in &self.frames[&location] {
                stack = Some(builder.stack(stack, frame));
            }
        }
        let weights = self.metrics.iter().zip(&values);
        let mut weights: Vec<_> = weights
            .map(|(&(metric, factor), &value)| (metric, (value as i64).saturating_mul(factor)))
            .collect();
        weights.sort_unstable_by_key(|w| w.0.index());
        let track = self.track(thread.as_deref(), builder);
        builder.sample(track, stack, &weights);
    }

    /// The thread that a label names; other labels are noted.
    fn label(&mut self, value: Value<'_>) -> Option<String> {
        let (mut key, mut text, mut number) = (0, 0, None);
        let mut message = value.message();
        while let Ok(Some((field, value))) = message.next() {
            match field {
                1 => key = value.number(),
                2 => text = value.number(),
                3 => number = Some(value.signed()),
                _ => {}
            }
        }
        let key = self.tables.text(key);
        if THREAD_LABELS.contains(&&*key) {
            let text = self.tables.text(text);
            let name = if text.is_empty() { number.map(|n| n.to_string()) } else { Some(text.into_owned()) };
            return name.filter(|n| !n.is_empty());
        }
        if !self.labels.iter().any(|l| *l == key) && self.labels.len() < 20 {
            self.labels.push(key.into_owned());
        }
        None
    }

    fn track(&mut self, thread: Option<&str>, builder: &mut ProfileBuilder) -> TrackId {
        let key = thread.unwrap_or("");
        if let Some(&track) = self.tracks.get(key) {
            return track;
        }
        let kind = if thread.is_some() { TrackKind::Thread } else { TrackKind::Profile };
        let name = thread.unwrap_or("Samples");
        let track = builder.track(TrackSpec { name, process: "", kind, sort: self.tracks.len() as i64 });
        self.tracks.insert(key.into(), track);
        track
    }

    /// Frames of a location, outermost first.
    fn location(&mut self, id: u64, builder: &mut ProfileBuilder) -> Vec<FrameId> {
        let Some(&bytes) = self.tables.locations.get(&id) else {
            self.tables.odd.add("location that the file does not hold", || format!("location {id}"));
            let function = builder.function(FunctionSpec::named(&format!("(unknown location {id})")));
            return vec![builder.frame(function, 0)];
        };
        let (mut mapping, mut address, mut lines) = (0, 0, Vec::new());
        let mut message = Message::new(bytes);
        while let Ok(Some((field, value))) = message.next() {
            match field {
                2 => mapping = value.number(),
                3 => address = value.number(),
                4 => lines.extend(pair(value)),
                _ => {}
            }
        }
        let file = self.tables.mappings.get(&mapping).map_or(0, |m| m.file);
        let module = self.tables.text(file).into_owned();
        let module = module.rsplit(['/', '\\']).next().unwrap_or("");
        if lines.is_empty() {
            let spec = FunctionSpec { module, ..FunctionSpec::default() };
            let name = format!("0x{address:x}");
            let function = builder.function(FunctionSpec { name: &name, ..spec });
            return vec![builder.frame(function, 0)];
        }
        // The file puts inlined calls first.
        let frame = |&(function, line): &(u64, u64)| {
            let function = self.function(function, module, builder);
            builder.frame(function, u32::try_from(line).unwrap_or(0))
        };
        lines.iter().rev().map(frame).collect()
    }

    fn function(&mut self, id: u64, module: &str, builder: &mut ProfileBuilder) -> crate::model::FunctionId {
        if let Some(&function) = self.functions.get(&id) {
            return function;
        }
        let row = self.tables.functions.get(&id).copied().unwrap_or_else(|| {
            self.tables.odd.add("function that the file does not hold", || format!("function {id}"));
            Function::default()
        });
        let name = match self.tables.text(row.name) {
            name if name.is_empty() => self.tables.text(row.system_name),
            name => name,
        };
        let name = if name.is_empty() { format!("(unknown function {id})").into() } else { name };
        let file = self.tables.text(row.file);
        let spec =
            FunctionSpec { name: &name, module, file: &file, line: row.line, ..FunctionSpec::default() };
        let function = builder.function(spec);
        self.functions.insert(id, function);
        function
    }

    fn finish(mut self, builder: &mut ProfileBuilder) {
        let tables = &mut self.tables;
        builder.meta.basis = Basis::Sampled;
        builder.meta.duration = (tables.duration > 0).then_some(tables.duration);
        builder.meta.origin_unix_ns = (tables.time > 0).then_some(tables.time);
        let main = tables.first_mapping.and_then(|id| tables.mappings.get(&id)).map_or(0, |m| m.file);
        builder.meta.title = tables.text(main).rsplit(['/', '\\']).next().unwrap_or("").into();
        if let (Some((kind, unit)), true) = (tables.period_type, tables.period > 0) {
            let (kind, unit) = (tables.text(kind), tables.text(unit));
            let ns = match unit_of(&unit) {
                (Unit::Nanoseconds, factor) => tables.period.checked_mul(factor),
                _ => None,
            };
            let period =
                ns.map_or_else(|| format!("{} {unit}", tables.period), crate::format::duration_exact);
            builder.meta.setting("Sampling period", format!("{period} of {kind}"));
        }
        for comment in std::mem::take(&mut tables.comments) {
            let text = tables.text(comment).into_owned();
            builder.meta.setting("Comment", text);
        }
        if !self.labels.is_empty() {
            builder.meta.result("Labels that are not shown", self.labels.join(", "));
        }
        if self.tracks.is_empty() {
            self.track(None, builder);
        }
        if self.tables.texts.first().is_some_and(|t| !t.is_empty()) {
            self.tables.odd.add("first text of the file is not empty", || "text 0".into());
        }
        self.tables.odd.report(builder);
    }
}
