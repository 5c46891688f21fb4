//! stackprof: Ruby's sampling profiler, as JSON.
//!
//! Reference: `lib/stackprof/report.rb` of tmm1/stackprof. Kept: every stack with its number of samples, as time where the
//! mode is one of time; functions with file and line. Lost: times of samples, lines inside of functions. A file that was
//! recorded without `raw: true` has no stacks: of it the own samples of each function are shown.

use rustc_hash::FxHashMap;

use super::super::Gives::Tree;
use super::super::read::Oddities;
use super::super::read::json::{Json, top_keys};
use super::super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, Fact, FactKind, FrameId, FunctionSpec, Metric, ProfileBuilder, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "stackprof",
    title: "stackprof",
    written_by: "stackprof (Ruby) --json",
    extensions: &["json"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    if has("gc_samples") && has("mode") && has("interval") { Confidence::Certain } else { Confidence::No }
}

#[derive(Default)]
struct RawFrame {
    id: String,
    name: String,
    file: String,
    line: u32,
    own: i64,
}

#[derive(Default)]
struct File {
    mode: String,
    interval: i64,
    frames: Vec<RawFrame>,
    /// Length, frames, count, length, …; numbers as they are written, because they may have 20 digits.
    raw: Vec<String>,
    version: String,
    samples: String,
    missed: String,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut file, mut odd) = (File { interval: 1, ..File::default() }, Oddities::default());
    let mut json = Json::new(source, cx.job)?;
    match file.read(&mut json) {
        Err(e) if e.kind == ErrorKind::Malformed && !file.frames.is_empty() => {
            odd.add("file is broken off; what came before is shown", || e.to_string());
        }
        other => other?,
    }
    if file.frames.is_empty() {
        return Err(ImportError::malformed("holds no frames"));
    }
    file.build(&mut odd, &mut cx.builder);
    odd.report(&mut cx.builder);
    Ok(())
}

impl File {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            match json.key() {
                b"mode" => json.string_into(&mut self.mode)?,
                b"version" => self.version = json.text_or_number()?,
                b"samples" => self.samples = json.text_or_number()?,
                b"missed_samples" => self.missed = json.text_or_number()?,
                b"interval" => self.interval = json.integer()?.filter(|i| *i > 0).unwrap_or(1),
                b"frames" => {
                    if json.enter_object()? {
                        while json.next_key()? {
                            let id = String::from_utf8_lossy(json.key()).into_owned();
                            let frame = frame(id, json)?;
                            self.frames.push(frame);
                        }
                    }
                }
                b"raw" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            let number = json.text_or_number()?;
                            self.raw.push(number);
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        Ok(())
    }

    fn build(&self, odd: &mut Oddities, builder: &mut ProfileBuilder) {
        let meta = &mut builder.meta;
        (meta.tool, meta.basis) = (format!("stackprof {}", self.version), Basis::Sampled);
        let facts = [
            (FactKind::Setting, "Mode", &self.mode),
            (FactKind::Result, "Samples", &self.samples),
            (FactKind::Result, "Missed samples", &self.missed),
        ];
        let said = facts.into_iter().filter(|f| !f.2.is_empty());
        meta.facts.extend(said.map(|(kind, name, text)| Fact::new(kind, name, text.as_str())));
        let timed = matches!(self.mode.as_str(), "wall" | "cpu");
        let (metric, factor) = match self.mode.as_str() {
            "wall" => (Metric::time(), self.interval.saturating_mul(1000)),
            "cpu" => (Metric::new("cpu", "CPU time", Unit::Nanoseconds), self.interval.saturating_mul(1000)),
            "object" => (Metric::new("objects", "Objects", Unit::Count), self.interval),
            _ => (Metric::new("samples", "Samples", Unit::Count), 1),
        };
        let metric = builder.metric(metric);
        let samples = timed.then(|| builder.metric(Metric::new("samples", "Samples", Unit::Count)));
        let track =
            builder.track(TrackSpec { name: "Samples", process: "", kind: TrackKind::Profile, sort: 0 });
        let mut frames: FxHashMap<&str, FrameId> = FxHashMap::default();
        for f in &self.frames {
            let name = if f.name.is_empty() { "(unnamed)" } else { &f.name };
            let spec = FunctionSpec { name, file: &f.file, line: f.line, ..FunctionSpec::default() };
            let function = builder.function(spec);
            frames.insert(&f.id, builder.frame(function, 0));
        }
        let add = |stack, count: i64, builder: &mut ProfileBuilder| {
            let weights = [(metric, count.saturating_mul(factor))];
            let weights: Vec<_> = weights.into_iter().chain(samples.map(|m| (m, count))).collect();
            builder.sample(track, stack, &weights);
        };
        if self.raw.is_empty() {
            builder.warn("file without stacks (own samples of each function are shown)", "");
            for f in self.frames.iter().filter(|f| f.own > 0) {
                let stack = frames.get(f.id.as_str()).map(|&frame| builder.stack(None, frame));
                add(stack, f.own, builder);
            }
            return;
        }
        let mut rest = &self.raw[..];
        while let [length, tail @ ..] = rest {
            let length = length.parse().unwrap_or(usize::MAX);
            let (Some(path), Some(count)) = (tail.get(..length), tail.get(length)) else {
                odd.add("list of stacks that is broken off", || {
                    format!("{} numbers before the end", rest.len())
                });
                break;
            };
            let mut stack = None;
            for id in path {
                match frames.get(id.as_str()) {
                    Some(&frame) => stack = Some(builder.stack(stack, frame)),
                    None => odd.add("frame that the file does not hold (left out)", || format!("frame {id}")),
                }
            }
            add(stack, count.parse().unwrap_or(1), builder);
            rest = &tail[length + 1..];
        }
    }
}

fn frame(id: String, json: &mut Json<'_>) -> Result<RawFrame, ImportError> {
    let mut frame = RawFrame { id, ..RawFrame::default() };
    if json.enter_object()? {
        while json.next_key()? {
            match json.key() {
                b"name" => json.string_into(&mut frame.name)?,
                b"file" => json.string_into(&mut frame.file)?,
                b"line" => frame.line = json.index()?.unwrap_or(0),
                b"samples" => frame.own = json.integer()?.unwrap_or(0),
                _ => json.skip()?,
            }
        }
    }
    Ok(frame)
}
