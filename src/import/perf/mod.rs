//! `perf script`: samples of the Linux profiler as text.
//!
//! Specification: perf-script's manual page; simpleperf (`report-sample`) of Android writes the same. A sample is a line
//! `command pid/tid [cpu] time: period event:` and below it its frames, innermost first: `address symbol+offset
//! (module)`; short ones stand on the line itself.
//!
//! Kept: every sample, at its time, on a track per thread; all events, with the number of samples and of what they
//! count; modules. Lost: addresses and offsets, CPUs, fields of tracepoints. Guessed: how long a sample lasts: at most
//! twice the usual distance of samples of a thread, after that the thread was not running; and where a command with
//! blanks ends.

mod header;
#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use super::Gives::{Time, Tree};
use super::read::Oddities;
use super::read::lines::{Line, for_each_text_line};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, FrameId, FunctionSpec, Metric, MetricId, ProfileBuilder, StackId, TrackId, TrackKind, TrackSpec,
    Unit,
};
use header::{Header, frame_line, header};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "perf",
    title: "perf script",
    written_by: "perf script, simpleperf",
    extensions: &["perf", "txt", "linux-perf.txt"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.contains(&0) {
        return Confidence::No;
    }
    let end = if head.whole { None } else { memchr::memrchr(b'\n', head.bytes) };
    let text = String::from_utf8_lossy(&head.bytes[..end.unwrap_or(head.bytes.len())]);
    let (mut headers, mut frames, mut others) = (0, 0, 0);
    for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')).take(100) {
        if header(line).is_some() {
            headers += 1;
        } else if frame_line(line).is_some() {
            frames += 1;
        } else {
            others += 1;
        }
    }
    match (headers, frames) {
        (1.., 1..) if others <= (headers + frames) / 4 => Confidence::Certain,
        (1.., _) if others == 0 => Confidence::Likely,
        _ => Confidence::No,
    }
}

/// One sample.
struct Sample {
    /// ns
    time: Option<i64>,
    stack: Option<StackId>,
    event: usize,
    period: i64,
}

struct Thread {
    track: TrackId,
    samples: Vec<Sample>,
}

struct Event {
    name: String,
    metric: MetricId,
    /// Its period is a number of nanoseconds.
    clock: bool,
}

/// The sample whose frames are being read.
struct Open {
    thread: usize,
    event: usize,
    time: Option<i64>,
    period: Option<i64>,
    frames: Vec<FrameId>,
}

#[derive(Default)]
struct Reader {
    threads: Vec<Thread>,
    by_name: FxHashMap<String, usize>,
    events: Vec<Event>,
    frames: FxHashMap<Box<str>, Vec<FrameId>>,
    open: Option<Open>,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    let samples = cx.builder.metric(Metric::new("samples", "Samples", Unit::Count));
    for_each_text_line(source, cx, |cx, line| {
        reader.line(line, &mut cx.builder);
        Ok(())
    })?;
    reader.close(&mut cx.builder);
    if reader.threads.is_empty() {
        return Err(ImportError::malformed("holds no samples"));
    }
    cx.builder.meta.basis = Basis::Sampled;
    cx.builder.rebase = true;
    reader.finish(samples, &mut cx.builder);
    Ok(())
}

impl Reader {
    fn line(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) {
        let text = line.text;
        if let Some(comment) = text.strip_prefix('#') {
            if let Some((key, value)) = comment.split_once(" : ") {
                fact(key.trim(), value.trim(), builder);
            }
        } else if text.trim().is_empty() {
            // An empty line between a sample and its frames is seen in the wild.
            if self.open.as_ref().is_some_and(|o| !o.frames.is_empty()) {
                self.close(builder);
            }
        } else if let Some(header) = header(text) {
            self.close(builder);
            self.begin(&header, builder);
            if let Some(frame) = frame_line(header.rest) {
                self.frame(frame, builder);
                self.close(builder);
            }
        } else if let (Some(frame), true) = (frame_line(text), self.open.is_some()) {
            self.frame(frame, builder);
        } else {
            self.odd.add("line that is neither a sample nor a frame (skipped)", || line.place());
        }
    }

    fn begin(&mut self, header: &Header<'_>, builder: &mut ProfileBuilder) {
        let key = format!("{}\0{}\0{}", header.command, header.pid, header.tid.unwrap_or(""));
        let next = self.threads.len();
        let thread = *self.by_name.entry(key).or_insert(next);
        if thread == next {
            let (name, process) = match header.tid {
                Some(tid) => (format!("{} {tid}", header.command), format!("Process {}", header.pid)),
                None => (format!("{} {}", header.command, header.pid), String::new()),
            };
            let spec =
                TrackSpec { name: &name, process: &process, kind: TrackKind::Thread, sort: next as i64 };
            self.threads.push(Thread { track: builder.track(spec), samples: Vec::new() });
        }
        let event = self.events.iter().position(|e| e.name == header.event).unwrap_or_else(|| {
            let clock = header.period.is_some() && matches!(header.event, "cpu-clock" | "task-clock");
            let unit = if clock { Unit::Nanoseconds } else { Unit::Count };
            let metric = builder.metric(Metric::new(header.event, header.event, unit));
            self.events.push(Event { name: header.event.into(), metric, clock });
            self.events.len() - 1
        });
        let (time, period) = (header.time, header.period);
        self.open = Some(Open { thread, event, time, period, frames: Vec::new() });
    }

    fn frame(&mut self, (symbol, module): (&str, &str), builder: &mut ProfileBuilder) {
        let Some(open) = &mut self.open else { return };
        let mut key = String::with_capacity(symbol.len() + module.len() + 1);
        key.push_str(symbol);
        key.push('\0');
        key.push_str(module);
        if let Some(known) = self.frames.get(&*key) {
            open.frames.extend(known);
            return;
        }
        let frames = frames(symbol, module, builder);
        open.frames.extend(&frames);
        self.frames.insert(key.into(), frames);
    }

    fn close(&mut self, builder: &mut ProfileBuilder) {
        let Some(open) = self.open.take() else { return };
        let stack = open.frames.iter().rev().fold(None, |stack, &frame| Some(builder.stack(stack, frame)));
        let sample = Sample { time: open.time, stack, event: open.event, period: open.period.unwrap_or(1) };
        self.threads[open.thread].samples.push(sample);
    }

    fn finish(self, samples: MetricId, builder: &mut ProfileBuilder) {
        let timed = self.threads.iter().flat_map(|t| &t.samples).all(|s| s.time.is_some());
        let usual = if timed { self.usual_distance() } else { None };
        for thread in &self.threads {
            let mut rest = thread.samples.iter().peekable();
            while let Some(sample) = rest.next() {
                let event = &self.events[sample.event];
                let weights = [(samples, 1), (event.metric, sample.period)];
                let (Some(start), true) = (sample.time, timed) else {
                    builder.sample(thread.track, sample.stack, &weights);
                    continue;
                };
                let own = event.clock.then_some(sample.period).filter(|&p| p > 1).or(usual).unwrap_or(0);
                let end = start.saturating_add(own);
                builder.timed_sample(thread.track, (start, end), sample.stack, &weights);
                let next = rest.peek().and_then(|s| s.time);
                if next.is_some_and(|next| own > 0 && next.saturating_sub(start) > own.saturating_mul(2)) {
                    builder.timed_sample(thread.track, (end, end), None, &[(samples, 0)]);
                }
            }
        }
        if let Some(usual) = usual {
            builder.meta.result("Usual distance of samples", (usual, Unit::Nanoseconds));
        }
        self.odd.report(builder);
    }

    /// The median of what lies between two samples of a thread, ns.
    fn usual_distance(&self) -> Option<i64> {
        let between = |t: &Thread| -> Vec<i64> {
            t.samples.windows(2).filter_map(|w| Some(w[1].time? - w[0].time?)).filter(|&d| d > 0).collect()
        };
        let mut all: Vec<i64> = self.threads.iter().flat_map(between).collect();
        let middle = all.len() / 2;
        (!all.is_empty()).then(|| *all.select_nth_unstable(middle).1)
    }
}

/// What perf's head says about the machine.
fn fact(key: &str, value: &str, builder: &mut ProfileBuilder) {
    let meta = &mut builder.meta;
    match key {
        "hostname" => meta.ran_on("Host", value),
        "os release" => meta.ran_on("Kernel", value),
        "cpudesc" => meta.ran_on("CPU", value),
        "perf version" => meta.tool = format!("perf {value}"),
        "cmdline" => meta.title = value.into(),
        _ => {}
    }
}

/// Frames of a symbol, innermost first: Java's `a->b` is a call of `b` that was inlined into `a`.
fn frames(symbol: &str, module: &str, builder: &mut ProfileBuilder) -> Vec<FrameId> {
    let jit = module.rsplit('/').next().is_some_and(|m| m.starts_with("perf-") && m.ends_with(".map"));
    let kernel = module.starts_with("[kernel") || module.ends_with(".ko") || module.contains("vmlinux");
    let category = if kernel {
        "kernel"
    } else if jit {
        "JIT"
    } else {
        ""
    };
    let short = module.rsplit('/').next().unwrap_or("");
    let short = if matches!(module, "[unknown]" | "") { "" } else { short };
    let mut one = |name: &str| {
        let spec = FunctionSpec { name, module: short, category, ..FunctionSpec::default() };
        let function = builder.function(spec);
        builder.frame(function, 0)
    };
    match symbol {
        "[unknown]" if !short.is_empty() => vec![one(&format!("[{}]", short.trim_matches(['[', ']'])))],
        _ if jit => symbol.rsplit("->").map(one).collect(),
        _ => vec![one(symbol)],
    }
}
