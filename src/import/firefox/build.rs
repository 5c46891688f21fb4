//! Rows of the tables.

use super::super::ImportError;
use super::super::read::Oddities;
use super::{Counter, File, Meta, Tables, Thread};
use crate::model::{
    ArgsRef, Basis, FrameId, FunctionSpec, Instant, Metric, MetricId, ProfileBuilder, Severity, StackId,
    TrackKind, TrackSpec, Unit,
};

/// Milliseconds as nanoseconds.
fn nanos(ms: f64) -> i64 {
    (ms * 1e6).round() as i64
}

/// Where a thread's tables stand: its own, or the shared ones.
struct Names<'a> {
    strings: &'a [String],
    frames: &'a super::Table,
    functions: &'a super::Table,
    resources: &'a super::Table,
    sources: &'a super::Table,
    stacks: &'a super::Table,
    libs: &'a [String],
}

impl<'a> Names<'a> {
    fn of(thread: &'a Tables, shared: &'a Tables, libs: &'a [String]) -> Self {
        let table =
            |own: &'a super::Table, shared: &'a super::Table| if own.is_empty() { shared } else { own };
        Self {
            strings: if thread.strings.is_empty() { &shared.strings } else { &thread.strings },
            frames: table(&thread.frames, &shared.frames),
            functions: table(&thread.functions, &shared.functions),
            resources: table(&thread.resources, &shared.resources),
            sources: table(&thread.sources, &shared.sources),
            stacks: table(&thread.stacks, &shared.stacks),
            libs,
        }
    }

    fn text(&self, id: Option<usize>) -> &'a str {
        id.and_then(|id| self.strings.get(id)).map_or("", |t| t)
    }

    fn frame(&self, row: usize, builder: &mut ProfileBuilder) -> FrameId {
        let line = |table: &super::Table, name, row| table.index(name, row).unwrap_or(0) as u32;
        let own_line = line(self.frames, "line", row);
        let function = match self.frames.index("func", row) {
            Some(function) => {
                let source = self.functions.index("source", function);
                let file = match source {
                    Some(source) => self.text(self.sources.index("filename", source)),
                    None => self.text(self.functions.index("fileName", function)),
                };
                let resource = self.functions.index("resource", function);
                let lib =
                    resource.and_then(|r| self.resources.index("lib", r)).and_then(|l| self.libs.get(l));
                let name = self.text(self.functions.index("name", function));
                FunctionSpec {
                    name: if name.is_empty() { "(unnamed)" } else { name },
                    module: lib.map_or("", |l| l),
                    file,
                    line: line(self.functions, "lineNumber", function),
                    ..FunctionSpec::default()
                }
            }
            None => location(self.text(self.frames.index("location", row))),
        };
        let function = builder.function(function);
        builder.frame(function, own_line)
    }
}

/// Gecko's `name (file:line:column)`.
fn location(text: &str) -> FunctionSpec<'_> {
    let plain = FunctionSpec::named(if text.is_empty() { "(unnamed)" } else { text });
    let Some((name, place)) = text.strip_suffix(')').and_then(|t| t.rsplit_once(" (")) else { return plain };
    let mut numbers = place.rsplitn(3, ':');
    let (last, before, file) = (numbers.next(), numbers.next(), numbers.next());
    let number = |t: Option<&str>| t.and_then(|t| t.parse::<u32>().ok());
    match (number(last), number(before), file) {
        (Some(_), Some(line), Some(file)) => FunctionSpec { name, file, line, ..FunctionSpec::default() },
        (Some(line), None, _) => {
            let file = &place[..place.len() - last.map_or(0, |l| l.len() + 1)];
            FunctionSpec { name, file, line, ..FunctionSpec::default() }
        }
        _ => plain,
    }
}

/// What a sample counts.
struct Metrics {
    time: MetricId,
    samples: MetricId,
    bytes: Option<MetricId>,
    cpu: Option<(MetricId, f64)>,
    interval: i64,
}

impl File {
    pub(super) fn build(self, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        let Self { meta, libs, shared, threads, counters, mut odd } = self;
        let meta = meta.unwrap_or_else(|| Meta { interval: 1.0, ..Meta::default() });
        describe(&meta, builder);
        let cpu = |b: &mut ProfileBuilder| {
            let factor = match meta.cpu_unit.as_str() {
                "ns" => 1.0,
                "µs" | "μs" => 1e3,
                _ => return None,
            };
            let any = threads.iter().any(|t| t.samples.has("threadCPUDelta"));
            any.then(|| (b.metric(Metric::new("cpu", "CPU time", Unit::Nanoseconds)), factor))
        };
        let metrics = Metrics {
            time: builder.metric(Metric::time()),
            samples: builder.metric(Metric::new("samples", "Samples", Unit::Count)),
            bytes: threads
                .iter()
                .any(|t| t.weight_type == "bytes")
                .then(|| builder.metric(Metric::new("bytes", "Bytes", Unit::Bytes))),
            cpu: cpu(builder),
            interval: nanos(meta.interval),
        };
        for (sort, thread) in threads.iter().enumerate() {
            let names = Names::of(&thread.tables, &shared, &libs);
            thread.build(sort as i64, &names, &metrics, &mut odd, builder)?;
        }
        counters.iter().for_each(|c| c.build(builder));
        builder.rebase = true;
        odd.report(builder);
        Ok(())
    }
}

fn describe(meta: &Meta, builder: &mut ProfileBuilder) {
    builder.meta.basis = Basis::Sampled;
    builder.meta.title.clone_from(&meta.product);
    builder.meta.origin_unix_ns = (meta.start > 0.0).then(|| nanos(meta.start));
    builder.meta.setting("Sampling interval", ((meta.interval * 1e6).round() as i64, Unit::Nanoseconds));
    if let Some(version) = meta.version {
        builder.meta.setting("Format version", version.to_string());
    }
    let facts = meta.facts.iter().filter(|f| !f.1.is_empty());
    facts.for_each(|(name, value)| builder.meta.ran_on(*name, value.as_str()));
}

impl Thread {
    fn process(&self) -> String {
        match (self.process_name.as_str(), self.pid.as_str()) {
            ("", "") => String::new(),
            ("", pid) => format!("Process {pid}"),
            (name, "") => name.into(),
            (name, pid) => format!("{name} {pid}"),
        }
    }

    fn build(
        &self,
        sort: i64,
        names: &Names<'_>,
        metrics: &Metrics,
        odd: &mut Oddities,
        builder: &mut ProfileBuilder,
    ) -> Result<(), ImportError> {
        let name =
            if self.tid.is_empty() { self.name.clone() } else { format!("{} {}", self.name, self.tid) };
        let process = self.process();
        let spec = TrackSpec { name: &name, process: &process, kind: TrackKind::Thread, sort };
        let track = builder.track(spec);
        let stacks = stacks(names, odd, builder)?;
        let times = self.times(&self.samples);
        for (row, &time) in times.iter().enumerate() {
            let stack = match self.samples.index("stack", row) {
                Some(stack) => stacks.get(stack).copied().unwrap_or_else(|| {
                    odd.add("sample whose stack is missing (shown without stack)", || {
                        format!("sample {row}")
                    });
                    None
                }),
                None => None,
            };
            let weight = self.samples.real("weight", row).unwrap_or(1.0);
            let mut weights = Vec::with_capacity(3);
            match (self.weight_type.as_str(), metrics.bytes) {
                ("bytes", Some(bytes)) => weights.push((bytes, weight as i64)),
                ("tracing-ms", _) => weights.push((metrics.time, nanos(weight))),
                _ => {
                    weights.push((metrics.time, (weight * metrics.interval as f64).round() as i64));
                    weights.push((metrics.samples, weight as i64));
                }
            }
            if let (Some((cpu, factor)), Some(delta)) =
                (metrics.cpu, self.samples.real("threadCPUDelta", row))
            {
                weights.push((cpu, (delta * factor) as i64));
            }
            builder.timed_sample(track, (time, time.saturating_add(metrics.interval)), stack, &weights);
        }
        self.markers(sort, names, builder);
        Ok(())
    }

    /// Start of each row, ns.
    fn times(&self, table: &super::Table) -> Vec<i64> {
        let (mut at, mut last) = (self.shift, i64::MIN);
        let differences = table.has("timeDeltas");
        let rows = if differences || table.has("time") { table.len() } else { 0 };
        (0..rows)
            .map(|row| {
                if differences {
                    at += table.real("timeDeltas", row).unwrap_or(0.0);
                } else if let Some(time) = table.real("time", row) {
                    at = time + self.shift;
                }
                last = last.max(nanos(at));
                last
            })
            .collect()
    }

    fn markers(&self, sort: i64, names: &Names<'_>, builder: &mut ProfileBuilder) {
        let start_name = if self.markers.has("startTime") { "startTime" } else { "time" };
        let mut track = None;
        for row in 0..self.markers.len() {
            let name = names.text(self.markers.index("name", row));
            let start = self.markers.real(start_name, row).map(|t| nanos(t + self.shift));
            let end = self.markers.real("endTime", row).map(|t| nanos(t + self.shift));
            let phase = self.markers.index("phase", row);
            match (start, end) {
                (Some(start), Some(end)) if end > start && phase.is_none_or(|p| p == 1) => {
                    let track = *track.get_or_insert_with(|| {
                        let (name, process) = (format!("{} markers", self.name), self.process());
                        builder.track(TrackSpec {
                            name: &name,
                            process: &process,
                            kind: TrackKind::Async,
                            sort,
                        })
                    });
                    let function =
                        builder.function(FunctionSpec { category: "marker", ..FunctionSpec::named(name) });
                    builder.span(track, start, end, function, ArgsRef::NONE);
                }
                (Some(time), _) | (None, Some(time)) => {
                    let name = builder.string(name);
                    let severity = Severity::Info;
                    builder.instant(Instant { time, track: None, name, args: ArgsRef::NONE, severity });
                }
                (None, None) => {}
            }
        }
    }
}

/// The stack of each row of the stack table.
fn stacks(
    names: &Names<'_>,
    odd: &mut Oddities,
    builder: &mut ProfileBuilder,
) -> Result<Vec<Option<StackId>>, ImportError> {
    let rows = names.stacks.len();
    let mut frames: Vec<Option<FrameId>> = vec![None; names.frames.len()];
    let by_offset = names.stacks.has("prefixOffset");
    let parent = |row: usize| {
        if by_offset {
            names.stacks.index("prefixOffset", row).filter(|&k| k > 0).and_then(|k| row.checked_sub(k))
        } else {
            names.stacks.index("prefix", row)
        }
    };
    let mut known: Vec<Option<Option<StackId>>> = vec![None; rows];
    let mut path = Vec::new();
    for start in 0..rows {
        let (mut at, mut stack) = (Some(start), None);
        while let Some(row) = at {
            match known.get(row) {
                Some(Some(done)) => {
                    stack = *done;
                    break;
                }
                None => {
                    odd.add("stack that continues a missing one", || format!("stack {start}"));
                    break;
                }
                Some(None) if path.len() > rows => {
                    return Err(ImportError::malformed(format!(
                        "holds a stack that continues itself (stack {row})"
                    )));
                }
                Some(None) => path.push(row),
            }
            at = parent(row);
        }
        while let Some(row) = path.pop() {
            let frame = names.stacks.index("frame", row).filter(|&f| f < frames.len());
            match frame {
                Some(frame) => {
                    let id = *frames[frame].get_or_insert_with(|| names.frame(frame, builder));
                    stack = Some(builder.stack(stack, id));
                }
                None => odd.add("stack whose frame is missing (left out)", || format!("stack {row}")),
            }
            known[row] = Some(stack);
        }
    }
    Ok(known.into_iter().map(Option::flatten).collect())
}

impl Counter {
    fn build(&self, builder: &mut ProfileBuilder) {
        let process = if self.pid.is_empty() { String::new() } else { format!("Process {}", self.pid) };
        let memory =
            self.name.to_lowercase().contains("malloc") || self.name.to_lowercase().contains("memory");
        let unit = if memory { Unit::Bytes } else { Unit::None };
        let (mut at, mut level) = (0.0, 0.0);
        let counter = builder.counter(&self.name, &process, unit);
        for row in 0..self.samples.len() {
            match (self.samples.real("time", row), self.samples.real("timeDeltas", row)) {
                (Some(time), _) => at = time,
                (None, Some(delta)) => at += delta,
                (None, None) => continue,
            }
            // Rows hold changes.
            level += self.samples.real("count", row).unwrap_or(0.0);
            builder.point(counter, nanos(at), level);
        }
    }
}
