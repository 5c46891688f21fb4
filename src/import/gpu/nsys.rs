//! Nsight Systems: `nsys export --type sqlite report.nsys-rep`.
//!
//! Reference: the schema in NVIDIA's «Nsight Systems Exporter» guide and the comments in each file; exports of 2020 to 2025. Kept: kernels, copies and
//! memsets by stream, with sizes and launch shapes; calls of CUDA and of the operating system's libraries and NVTX ranges by thread, with an arrow from
//! each call to what it started; CPU samples with their stacks; the GPU. Lost: tables of other kinds (network, graphics, GPU metrics, scheduling).
//! The report itself (`.nsys-rep`) has no published format.

use rustc_hash::FxHashMap;

use super::super::Gives::{Time, Tree};
use super::super::read::Oddities;
use super::super::read::sqlite::{Database, MAGIC, Row, Table};
use super::super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::jobs::Job;
use crate::model::{
    ArgsRef, Basis, FunctionSpec, Instant, Link, Metric, ProfileBuilder, Severity, StackId, TrackId,
    TrackKind, TrackSpec, Unit, Value,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "nsys",
    title: "Nsight Systems SQLite export",
    written_by: "nsys export --type sqlite, nsys profile --export=sqlite",
    extensions: &["sqlite", "db"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    match head.bytes.starts_with(MAGIC) {
        true if head.says("CUPTI_ACTIVITY") || head.says("StringIds") || head.says("TARGET_INFO") => {
            Confidence::Certain
        }
        // The list of tables may lie anywhere.
        true => Confidence::Possible,
        false => Confidence::No,
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let database = Database::open(&bytes, cx.job)?;
    let known = [
        "CUPTI_ACTIVITY_KIND_KERNEL",
        "CUPTI_ACTIVITY_KIND_RUNTIME",
        "NVTX_EVENTS",
        "OSRT_API",
        "COMPOSITE_EVENTS",
    ];
    if database.table("StringIds").is_none() || !known.iter().any(|name| database.table(name).is_some()) {
        let what = "is a SQLite database without tables of Nsight Systems";
        return Err(ImportError { kind: ErrorKind::Unrecognised, ..ImportError::malformed(what) }
            .remedy("of a report make one by `nsys export --type sqlite report.nsys-rep`"));
    }
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tool) = (Basis::Timed, "Nsight Systems".into());
    let mut reader = Reader {
        database: &database,
        job: cx.job,
        b,
        texts: FxHashMap::default(),
        threads: FxHashMap::default(),
        thread_names: FxHashMap::default(),
        processes: FxHashMap::default(),
        streams: FxHashMap::default(),
        gpus: FxHashMap::default(),
        calls: FxHashMap::default(),
        functions: FxHashMap::default(),
        odd: Oddities::default(),
    };
    reader.names()?;
    reader.cpu_calls()?;
    reader.nvtx()?;
    reader.gpu_work()?;
    reader.samples()?;
    let odd = std::mem::take(&mut reader.odd);
    odd.report(b);
    if b.is_empty() {
        return Err(ImportError::malformed("holds no event of a kind that is shown")
            .remedy("trace with `nsys profile -t cuda,nvtx,osrt`"));
    }
    Ok(())
}

struct Reader<'a> {
    database: &'a Database<'a>,
    job: &'a Job,
    b: &'a mut ProfileBuilder,
    texts: FxHashMap<i64, String>,
    /// By `globalTid`, which holds machine, process and thread.
    threads: FxHashMap<i64, TrackId>,
    thread_names: FxHashMap<i64, i64>,
    processes: FxHashMap<i64, String>,
    streams: FxHashMap<(i64, i64), TrackId>,
    gpus: FxHashMap<i64, String>,
    /// Place of each call of CUDA by process and correlation.
    calls: FxHashMap<(i64, i64), (TrackId, i64)>,
    functions: FxHashMap<(i64, &'static str), crate::model::FunctionId>,
    odd: Oddities,
}

/// The process in a `globalTid` or `globalPid`.
fn process_of(global: i64) -> i64 {
    global >> 24 & 0xff_ffff
}

/// An event without an end, or with one before its start, ends where it starts.
const NO_SPAN: &str = "event without usable times (left out)";

impl Reader<'_> {
    fn rows(&mut self, table: &Table, mut take: impl FnMut(&mut Self, &Row<'_>)) -> Result<(), ImportError> {
        let database = self.database;
        let job = self.job;
        let lost = database.rows(table, job, &mut |row| take(self, row))?;
        if lost > 0 {
            self.b.warn_many("row of the database that cannot be read (left out)", &table.name, lost);
        }
        Ok(())
    }

    fn table(&self, name: &str) -> Option<Table> {
        self.database.table(name).cloned()
    }

    fn names(&mut self) -> Result<(), ImportError> {
        if let Some(table) = self.table("StringIds") {
            let (id, value) = (table.column("id"), table.column("value"));
            self.rows(&table, |r, row| {
                if let Some(id) = row.int(id) {
                    r.texts.insert(id, row.text(value).into_owned());
                }
            })?;
        }
        if let Some(table) = self.table("ThreadNames") {
            let (name, thread) = (table.column("nameId"), table.column("globalTid"));
            self.rows(&table, |r, row| {
                if let (Some(thread), Some(name)) = (row.int(thread), row.int(name)) {
                    r.thread_names.insert(thread, name);
                }
            })?;
        }
        if let Some(table) = self.table("PROCESSES") {
            let (process, name) = (table.column("globalPid"), table.column("name"));
            self.rows(&table, |r, row| {
                if let Some(process) = row.int(process) {
                    r.processes.insert(process_of(process), row.text(name).into_owned());
                }
            })?;
        }
        if let Some(table) = self.table("TARGET_INFO_GPU") {
            let (id, name, memory) = (table.column("id"), table.column("name"), table.column("totalMemory"));
            self.rows(&table, |r, row| {
                let (id, name) = (row.int(id).unwrap_or(0), row.text(name).into_owned());
                r.b.meta.ran_on(format!("GPU {id}"), name.clone());
                if let Some(bytes) = row.int(memory).filter(|n| *n > 0) {
                    r.b.meta.ran_on(format!("GPU {id} memory"), (bytes, Unit::Bytes));
                }
                r.gpus.insert(id, name);
            })?;
        }
        if let Some(table) = self.table("TARGET_INFO_SESSION_START_TIME") {
            let start = table.column("utcEpochNs");
            self.rows(&table, |r, row| r.b.meta.origin_unix_ns = row.int(start))?;
        }
        if let Some(table) = self.table("META_DATA_EXPORT") {
            let (name, value) = (table.column("name"), table.column("value"));
            self.rows(&table, |r, row| {
                if row.text(name) == "EXPORT_PRODUCT_VERSION" {
                    r.b.meta.tool = format!("Nsight Systems {}", row.text(value));
                }
            })?;
        }
        Ok(())
    }

    fn thread(&mut self, global: i64) -> TrackId {
        if let Some(track) = self.threads.get(&global) {
            return *track;
        }
        let (pid, tid) = (process_of(global), global & 0xff_ffff);
        let name = self.thread_names.get(&global).and_then(|n| self.texts.get(n));
        let name = name.map_or_else(|| format!("thread {tid}"), |name| format!("{name} ({tid})"));
        let process = match self.processes.get(&pid) {
            Some(known) if !known.is_empty() => format!("{known} {pid}"),
            _ => format!("process {pid}"),
        };
        let track =
            self.b.track(TrackSpec { name: &name, process: &process, kind: TrackKind::Thread, sort: tid });
        self.threads.insert(global, track);
        track
    }

    fn stream(&mut self, device: i64, stream: i64) -> TrackId {
        let Self { b, streams, gpus, .. } = self;
        *streams.entry((device, stream)).or_insert_with(|| {
            let process = match gpus.get(&device) {
                Some(name) if !name.is_empty() => format!("GPU {device} ({name})"),
                _ => format!("GPU {device}"),
            };
            let sort = 1_000_000_000 + stream;
            b.track(TrackSpec {
                name: &format!("stream {stream}"),
                process: &process,
                kind: TrackKind::GpuStream,
                sort,
            })
        })
    }

    fn function(&mut self, text: i64, category: &'static str) -> crate::model::FunctionId {
        let Self { b, functions, texts, .. } = self;
        *functions.entry((text, category)).or_insert_with(|| {
            let name = texts.get(&text).map_or("(unnamed)", String::as_str);
            // `cudaLaunchKernel_v7000`: versions of the interface tell nothing.
            let plain =
                name.rsplit_once("_v").filter(|(_, v)| v.len() >= 4 && v.bytes().all(|b| b.is_ascii_digit()));
            let name = if category == "cuda_runtime" { plain.map_or(name, |p| p.0) } else { name };
            b.function(FunctionSpec { category, ..FunctionSpec::named(name) })
        })
    }

    fn span(
        &mut self,
        track: TrackId,
        (start, end): (Option<i64>, Option<i64>),
        function: crate::model::FunctionId,
        args: ArgsRef,
    ) -> Option<u32> {
        match (start, end) {
            (Some(start), Some(end)) if end >= start => Some(self.b.span(track, start, end, function, args)),
            (Some(start), None) => Some(self.b.open_span(track, start, function, args)),
            _ => {
                self.odd.add(NO_SPAN, String::new);
                None
            }
        }
    }

    /// Calls of CUDA and of the operating system's libraries.
    fn cpu_calls(&mut self) -> Result<(), ImportError> {
        for (name, category) in [
            ("CUPTI_ACTIVITY_KIND_RUNTIME", "cuda_runtime"),
            ("CUPTI_ACTIVITY_KIND_DRIVER", "cuda_runtime"),
            ("CUBLAS_EVENTS", "cublas"),
            ("CUDNN_EVENTS", "cudnn"),
            ("OSRT_API", "os"),
        ] {
            let Some(table) = self.table(name) else { continue };
            let [start, end, thread, correlation, name] =
                ["start", "end", "globalTid", "correlationId", "nameId"].map(|c| table.column(c));
            self.rows(&table, |r, row| {
                let Some(thread) = row.int(thread) else { return };
                let track = r.thread(thread);
                let function = r.function(row.int(name).unwrap_or(-1), category);
                r.span(track, (row.int(start), row.int(end)), function, ArgsRef::NONE);
                if let (Some(correlation), Some(start)) =
                    (row.int(correlation).filter(|c| *c > 0), row.int(start))
                {
                    r.calls.insert((process_of(thread), correlation), (track, start));
                }
            })?;
        }
        Ok(())
    }

    /// Ranges and marks of programs.
    fn nvtx(&mut self) -> Result<(), ImportError> {
        let Some(table) = self.table("NVTX_EVENTS") else { return Ok(()) };
        let [start, end, kind, text, text_id, thread] =
            ["start", "end", "eventType", "text", "textId", "globalTid"].map(|c| table.column(c));
        let mut ranges: FxHashMap<i64, TrackId> = FxHashMap::default();
        self.rows(&table, |r, row| {
            let (Some(thread), Some(at)) = (row.int(thread), row.int(start)) else { return };
            let own = row.text(text);
            let known = row.int(text_id).and_then(|n| r.texts.get(&n));
            let name = if own.is_empty() { known.map_or("(unnamed)", String::as_str) } else { &own };
            match row.int(kind) {
                // A mark.
                Some(34) => {
                    let name = r.b.string(name);
                    let track = Some(r.thread(thread));
                    r.b.instant(Instant {
                        time: at,
                        track,
                        name,
                        args: ArgsRef::NONE,
                        severity: Severity::Info,
                    });
                }
                // Pushed and popped ranges nest in their thread, started and ended ones do not.
                Some(kind @ (59 | 60 | 70 | 71)) => {
                    let function =
                        r.b.function(FunctionSpec { category: "nvtx", ..FunctionSpec::named(name) });
                    let own = r.thread(thread);
                    let track = if matches!(kind, 59 | 70) {
                        own
                    } else {
                        let b = &mut *r.b;
                        *ranges.entry(process_of(thread)).or_insert_with(|| {
                            b.track(TrackSpec {
                                name: "NVTX ranges",
                                process: &format!("process {}", process_of(thread)),
                                kind: TrackKind::Async,
                                sort: -1,
                            })
                        })
                    };
                    r.span(track, (Some(at), row.int(end)), function, ArgsRef::NONE);
                }
                // Names of domains and categories.
                _ => {}
            }
        })
    }

    fn gpu_work(&mut self) -> Result<(), ImportError> {
        let launched = self.b.string("launch");
        for (name, category) in [
            ("CUPTI_ACTIVITY_KIND_KERNEL", "kernel"),
            ("CUPTI_ACTIVITY_KIND_MEMCPY", "gpu_memcpy"),
            ("CUPTI_ACTIVITY_KIND_MEMSET", "gpu_memset"),
        ] {
            let Some(table) = self.table(name) else { continue };
            let column = |name: &str| table.column(name);
            let [start, end, device, stream, process, correlation] =
                ["start", "end", "deviceId", "streamId", "globalPid", "correlationId"].map(column);
            let (full, short) = (column("demangledName"), column("shortName"));
            let (bytes, copy) = (column("bytes"), column("copyKind"));
            let grid = ["gridX", "gridY", "gridZ"].map(column);
            let block = ["blockX", "blockY", "blockZ"].map(column);
            let (registers, shared) =
                (column("registersPerThread"), ["staticSharedMemory", "dynamicSharedMemory"].map(column));
            self.rows(&table, |r, row| {
                let track = r.stream(row.int(device).unwrap_or(0), row.int(stream).unwrap_or(0));
                let mut pairs = Vec::new();
                let mut copied = None;
                let function = match category {
                    "kernel" => {
                        for (name, of) in [("grid", grid), ("block", block)] {
                            let shape = of.map(|c| row.int(c).unwrap_or(1));
                            let text = r.b.string(&format!("{}×{}×{}", shape[0], shape[1], shape[2]));
                            pairs.push((r.b.string(name), Value::Text(text)));
                        }
                        if let Some(n) = row.int(registers) {
                            pairs.push((r.b.string("registers per thread"), Value::Int(n)));
                        }
                        let memory =
                            shared.iter().filter_map(|c| row.int(*c)).fold(0i64, i64::saturating_add);
                        pairs.push((r.b.string("shared memory"), Value::Int(memory)));
                        // The whole name tells instances of a template apart.
                        let name =
                            row.int(full).filter(|n| r.texts.contains_key(n)).or_else(|| row.int(short));
                        r.function(name.unwrap_or(-1), category)
                    }
                    _ => {
                        copied = row.int(bytes);
                        if let Some(n) = copied {
                            pairs.push((r.b.string("bytes"), Value::Int(n)));
                        }
                        let name = match (category, row.int(copy)) {
                            ("gpu_memset", _) => "Memset",
                            (_, Some(1)) => "Memcpy HtoD",
                            (_, Some(2)) => "Memcpy DtoH",
                            (_, Some(8)) => "Memcpy DtoD",
                            (_, Some(9)) => "Memcpy HtoH",
                            (_, Some(10)) => "Memcpy PtoP",
                            _ => "Memcpy",
                        };
                        r.b.function(FunctionSpec { category, ..FunctionSpec::named(name) })
                    }
                };
                let args = r.b.args(pairs);
                let times = (row.int(start), row.int(end));
                let span = r.span(track, times, function, args);
                if let Some((span, bytes)) = span.zip(copied) {
                    let metric = r.b.metric(Metric::copied());
                    r.b.span_cost(track, span, metric, bytes);
                }
                let key = row.int(process).map(process_of).zip(row.int(correlation));
                if let (Some(&from), Some(start)) = (key.and_then(|k| r.calls.get(&k)), times.0) {
                    r.b.link(Link { from, to: (track, start), name: launched });
                }
            })?;
        }
        Ok(())
    }

    /// Samples of CPUs, with their stacks.
    fn samples(&mut self) -> Result<(), ImportError> {
        let (Some(events), Some(chains)) =
            (self.table("COMPOSITE_EVENTS"), self.table("SAMPLING_CALLCHAINS"))
        else {
            return Ok(());
        };
        let [id, symbol, module, depth] = ["id", "symbol", "module", "stackDepth"].map(|c| chains.column(c));
        let mut frames: FxHashMap<i64, Vec<(i64, crate::model::FrameId)>> = FxHashMap::default();
        self.rows(&chains, |r, row| {
            let (Some(id), Some(symbol), Some(depth)) = (row.int(id), row.int(symbol), row.int(depth)) else {
                return;
            };
            let text = |n: Option<i64>| n.and_then(|n| r.texts.get(&n)).map_or("", String::as_str);
            let (name, module) = (text(Some(symbol)), text(row.int(module)));
            let module = module.rsplit(['/', '\\']).next().unwrap_or("");
            let name = if name.is_empty() { "(unknown)" } else { name };
            let function = r.b.function(FunctionSpec { name, module, ..FunctionSpec::default() });
            let frame = r.b.frame(function, 0);
            frames.entry(id).or_default().push((depth, frame));
        })?;
        let metric = self.b.metric(Metric::new("cpu_samples", "CPU samples", Unit::Count));
        let [id, start, thread] = ["id", "start", "globalTid"].map(|c| events.column(c));
        let mut samples: Vec<(i64, i64, Option<StackId>)> = Vec::new();
        self.rows(&events, |r, row| {
            let (Some(id), Some(start), Some(thread)) = (row.int(id), row.int(start), row.int(thread)) else {
                return;
            };
            let mut stack = None;
            if let Some(frames) = frames.get_mut(&id) {
                // Depth 0 is the innermost.
                frames.sort_by_key(|f| std::cmp::Reverse(f.0));
                for (_, frame) in frames.iter() {
                    stack = Some(r.b.stack(stack, *frame));
                }
            }
            samples.push((thread, start, stack));
        })?;
        samples.sort_by_key(|s| (s.0, s.1));
        for (n, &(thread, start, stack)) in samples.iter().enumerate() {
            let track = self.thread(thread);
            let next = samples.get(n + 1).filter(|s| s.0 == thread).map_or(start, |s| s.1);
            self.b.timed_sample(track, (start, next), stack, &[(metric, 1)]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes};
    use crate::model::TrackKind;

    const SAMPLE: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/gpu/vector-add.nsys.sqlite"));

    #[test]
    fn kernels_copies_calls_and_samples_are_where_they_ran() {
        let p = open_bytes(SAMPLE).unwrap();
        assert_eq!((p.meta.format.as_str(), p.meta.tool.as_str()), ("nsys", "Nsight Systems 2025.5.2.266"));
        let stream = p.tracks.iter().find(|t| t.kind == TrackKind::GpuStream).unwrap();
        let of = |t: &crate::model::Track| -> Vec<(String, i64)> {
            t.spans.rows.iter().map(|s| (p.function_name(s.function).to_owned(), s.duration())).collect()
        };
        let named = |name: &str, length: i64| (name.to_owned(), length);
        assert_eq!(
            of(stream),
            [
                named("Memcpy HtoD", 676_416),
                named("vector_add(float const*, float*, int)", 38_912),
                named("Memcpy DtoH", 576_464)
            ]
        );
        let thread = p.tracks.iter().find(|t| p.text(t.name).starts_with("main")).unwrap();
        let calls = of(thread);
        assert_eq!(calls[0], named("step", 9_000_000));
        assert!(
            calls.contains(&named("cudaLaunchKernel", 10_000)) && calls.contains(&named("poll", 1_000_000))
        );
        assert_eq!((thread.samples.len(), p.links.len()), (2, 3));
        assert_eq!(p.text(p.instants[0].name), "checkpoint");
        assert_eq!(p.meta.origin_unix_ns, Some(1_767_718_840_395_831_670));
        damage(SAMPLE, drop);
    }

    #[test]
    fn other_databases_are_named() {
        let other = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sqlite/rows.sqlite"));
        let e = open_bytes(other).unwrap_err();
        assert!(e.to_string().contains("without tables of Nsight Systems"), "{e}");
        assert_eq!(e.kind, crate::import::ErrorKind::Unrecognised);
    }
}
