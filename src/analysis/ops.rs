//! Operations as PyTorch's profiler sums them in `key_averages().table()`: of a trace, or of a table that it printed.
//!
//! Times on the device stand in two kinds of rows: with the operation that launched the work, and with the kernels and copies
//! themselves. So the time of the device is the sum of the latter alone, as torch counts it; the former add up to it again.

use rustc_hash::FxHashMap;

use super::gpu::is_work;
use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, NO_ROW, Profile, SpanTable, TrackId, TrackKind, Unit};
use crate::query::{Context, Query};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    /// An operation of the framework, or a range that the program marked.
    #[default]
    Operator,
    /// Work of a device.
    Kernel,
    /// A call of the device's driver or runtime.
    Runtime,
    /// A copy or a fill of a device's memory.
    Copy,
}

impl OpKind {
    /// All of them, with what controls call them.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Operator, "Operators"),
        (Self::Kernel, "Kernels"),
        (Self::Runtime, "Runtime"),
        (Self::Copy, "Copies"),
    ];

    /// What one row of it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Kernel => "kernel",
            Self::Runtime => "runtime",
            Self::Copy => "copy",
        }
    }

    /// True for what runs on the device itself.
    #[must_use]
    pub fn is_on_device(self) -> bool {
        matches!(self, Self::Kernel | Self::Copy)
    }

    /// What a function is; `None` for one that torch's table does not have.
    #[must_use]
    pub fn of(profile: &Profile, function: FunctionId) -> Option<Self> {
        let f = profile.functions.get(function);
        match profile.text(f.category) {
            "cpu_op" | "user_annotation" | "Operator" => Some(Self::Operator),
            "kernel" | "Kernel" => Some(Self::Kernel),
            "gpu_memcpy" | "gpu_memset" | "Memcpy" | "Memset" => Some(Self::Copy),
            "cuda_runtime" | "cuda_driver" | "Runtime" | "xpu_runtime" | "xpu_driver" | "hpu_runtime" => {
                Some(Self::Runtime)
            }
            _ => None,
        }
    }
}

/// All calls of one operation, or all work of one name. What is unknown is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// Its name.
    pub function: FunctionId,
    /// What it is.
    pub kind: OpKind,
    /// How often.
    pub calls: u64,
    /// Its own time on the CPU, ns.
    pub self_cpu: Option<i64>,
    /// The same with what it called.
    pub cpu_total: Option<i64>,
    /// Time on the device of what it launched itself, ns.
    pub self_device: Option<i64>,
    /// The same with what its callees launched.
    pub device_total: Option<i64>,
    /// Bytes of the CPU that it took itself, less what it gave back.
    pub self_cpu_mem: Option<i64>,
    /// The same with what it called.
    pub cpu_mem: Option<i64>,
    /// Bytes of the device that it took itself.
    pub self_device_mem: Option<i64>,
    /// The same with what it called.
    pub device_mem: Option<i64>,
    /// Floating-point operations, as torch estimates them.
    pub flops: Option<i64>,
}

impl Op {
    fn new(function: FunctionId, kind: OpKind) -> Self {
        Self {
            function,
            kind,
            calls: 0,
            self_cpu: None,
            cpu_total: None,
            self_device: None,
            device_total: None,
            self_cpu_mem: None,
            cpu_mem: None,
            self_device_mem: None,
            device_mem: None,
            flops: None,
        }
    }
}

/// Operations by name, most time on the CPU first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpTable {
    /// The rows.
    pub rows: Vec<Op>,
    /// What torch calls the device: «CUDA»; empty where nothing tells of one.
    pub device: String,
    /// Own time of all rows on the CPU, ns.
    pub self_cpu_total: Option<i64>,
    /// Time of all kernels and copies, ns.
    pub self_device_total: Option<i64>,
    /// Sums as the table itself prints them, which hold rows that it left out.
    pub is_printed: bool,
}

impl OpTable {
    /// Rows of a kind, or all.
    pub fn of(&self, kind: Option<OpKind>) -> impl Iterator<Item = &Op> {
        self.rows.iter().filter(move |op| kind.is_none_or(|k| op.kind == k))
    }

    /// The row of a name.
    #[must_use]
    pub fn find(&self, profile: &Profile, name: &str) -> Option<&Op> {
        self.rows.iter().find(|op| profile.function_name(op.function) == name)
    }
}

/// True for a profile that torch's table can be made of.
#[must_use]
pub fn has_ops(profile: &Profile) -> bool {
    profile.functions.ids().any(|f| OpKind::of(profile, f).is_some())
}

/// Computes the [`OpTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ops(pub TimeRange);

impl Query for Ops {
    type Output = OpTable;

    fn run(&self, cx: &Context<'_>) -> Result<OpTable, Cancelled> {
        let profile = cx.profile();
        let mut table =
            if profile.meta.format == "torch-table" { printed(profile) } else { self.traced(cx)? };
        table.rows.sort_by_key(|op| {
            let time = op.self_cpu.unwrap_or(0).max(op.self_device.unwrap_or(0));
            (std::cmp::Reverse(time), op.function)
        });
        Ok(table)
    }

    fn weight(table: &OpTable) -> usize {
        size_of_val(&*table.rows)
    }
}

/// More of a sum.
fn add(sum: &mut Option<i64>, more: i64) {
    *sum = Some(sum.unwrap_or(0).saturating_add(more));
}

/// The rows of a printed table.
fn printed(profile: &Profile) -> OpTable {
    let mut out = OpTable { is_printed: true, ..OpTable::default() };
    let key = |i: usize| profile.metrics[i].key.as_str();
    // «self_cuda» names the device.
    let device = (0..profile.metrics.len()).find_map(|i| {
        let name = key(i).strip_prefix("self_")?;
        let plain = !name.contains('_') && name != "cpu" && profile.metrics[i].unit == Unit::Nanoseconds;
        plain.then(|| name.to_owned())
    });
    let device = device.unwrap_or_default();
    for samples in profile.tracks.iter().map(|t| &t.samples) {
        for (i, stack) in samples.stacks.iter().enumerate() {
            let Some(function) = stack.and_then(|s| profile.stack_functions(s).last().copied()) else {
                continue;
            };
            let kind = OpKind::of(profile, function).unwrap_or_default();
            let mut op = Op::new(function, kind);
            for (metric, weights) in &samples.weights {
                let Some(&value) = weights.get(i) else { continue };
                let on_device = |prefix: &str, suffix: &str, key: &str| {
                    key.strip_prefix(prefix).and_then(|k| k.strip_suffix(suffix)) == Some(device.as_str())
                };
                match key(metric.index()) {
                    "calls" => op.calls = u64::try_from(value).unwrap_or(0),
                    "time" => op.self_cpu = Some(value),
                    "cpu_total" => op.cpu_total = Some(value),
                    "self_cpu_mem" => op.self_cpu_mem = Some(value),
                    "cpu_mem" => op.cpu_mem = Some(value),
                    "flops" => op.flops = Some(value).filter(|v| *v > 0),
                    _ if device.is_empty() => {}
                    key if on_device("self_", "_mem", key) => op.self_device_mem = Some(value),
                    key if on_device("self_", "", key) => op.self_device = Some(value),
                    key if on_device("", "_total", key) => op.device_total = Some(value),
                    key if on_device("", "_mem", key) => op.device_mem = Some(value),
                    _ => {}
                }
            }
            out.rows.push(op);
        }
    }
    out.device = device.to_uppercase();
    let total = |name: &str| match profile.meta.fact(&format!("Self {name} time total")) {
        Some(crate::model::FactValue::Number(ns, Unit::Nanoseconds)) => Some(*ns),
        _ => None,
    };
    out.self_cpu_total = total("CPU");
    out.self_device_total = total(&out.device);
    out
}

/// Rows by name while they are added up.
#[derive(Default)]
struct Sums {
    places: FxHashMap<FunctionId, usize>,
    rows: Vec<Op>,
}

impl Sums {
    fn of(&mut self, function: FunctionId, kind: OpKind) -> &mut Op {
        let place = *self.places.entry(function).or_insert_with(|| {
            self.rows.push(Op::new(function, kind));
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }
}

/// For each span of a track the nearest one around it that is a row of the table.
fn callers(spans: &SpanTable, kinds: &[Option<OpKind>]) -> Vec<u32> {
    let mut callers: Vec<u32> = vec![NO_ROW; spans.rows.len()];
    for (i, span) in spans.rows.iter().enumerate() {
        // A parent stands before its callees.
        callers[i] = match spans.rows.get(span.parent as usize) {
            None => NO_ROW,
            Some(parent) if kinds[parent.function.index()].is_some() => span.parent,
            Some(_) => callers[span.parent as usize],
        };
    }
    callers
}

impl Ops {
    fn traced(&self, cx: &Context<'_>) -> Result<OpTable, Cancelled> {
        let profile = cx.profile();
        let kinds: Vec<Option<OpKind>> = profile.functions.ids().map(|f| OpKind::of(profile, f)).collect();
        let (from, to) = self.0.unwrap_or((i64::MIN, i64::MAX));
        let length = |start: i64, end: i64| end.min(to).saturating_sub(start.max(from));
        let inside = |start: i64, end: i64| start < to && (end > from || (end == start && start >= from));
        let mut sums = Sums::default();
        // Where work of a device begins, and how long it takes there.
        let mut work: FxHashMap<(TrackId, i64), i64> = FxHashMap::default();
        let mut around: FxHashMap<TrackId, Vec<u32>> = FxHashMap::default();
        // Innermost rows by where they begin.
        let mut begins: FxHashMap<(TrackId, i64), u32> = FxHashMap::default();
        let (mut cpu, mut device) = (None, None);
        for (id, track) in profile.track_ids().zip(&profile.tracks) {
            cx.job().checkpoint(0, 0)?;
            if matches!(track.kind, TrackKind::Phase | TrackKind::Summary) {
                continue;
            }
            let is_gpu = track.kind == TrackKind::GpuStream;
            let callers = if is_gpu { Vec::new() } else { callers(&track.spans, &kinds) };
            // Ranges that stand on a track of their own: what ran in them is nested nowhere.
            let apart = !track.spans.rows.iter().any(|s| {
                kinds[s.function.index()].is_some()
                    && profile.text(profile.functions.get(s.function).category) != "user_annotation"
            });
            for (row, span) in track.spans.rows.iter().enumerate() {
                let Some(kind) = kinds[span.function.index()] else { continue };
                if !inside(span.start, span.end) {
                    continue;
                }
                let time = length(span.start, span.end);
                if is_gpu {
                    if kind.is_on_device() && is_work(profile, span.function) {
                        work.insert((id, span.start), time);
                        let op = sums.of(span.function, kind);
                        op.calls += 1;
                        (op.self_cpu, op.cpu_total) = (Some(0), Some(0));
                        add(&mut op.self_device, time);
                        add(&mut op.device_total, time);
                        add(&mut device, time);
                    }
                    continue;
                }
                begins.insert((id, span.start), row as u32);
                let op = sums.of(span.function, kind);
                op.calls += 1;
                add(&mut op.cpu_total, time);
                if !apart {
                    add(&mut op.self_cpu, time);
                    add(&mut cpu, time);
                }
                let caller = callers[row];
                if let Some(outer) = track.spans.rows.get(caller as usize)
                    && let Some(kind) = kinds[outer.function.index()]
                {
                    add(&mut sums.of(outer.function, kind).self_cpu, -time);
                    add(&mut cpu, -time);
                }
            }
            if !is_gpu {
                around.insert(id, callers);
            }
        }
        let mut launched = false;
        for (n, link) in profile.links.iter().enumerate() {
            if n % 4096 == 0 {
                cx.job().checkpoint(n as u64, profile.links.len() as u64)?;
            }
            let (Some(&time), Some(&row)) = (work.get(&link.to), begins.get(&link.from)) else { continue };
            let (Some(callers), Some(track)) =
                (around.get(&link.from.0), profile.tracks.get(link.from.0.index()))
            else {
                continue;
            };
            launched = true;
            let kind = |row: u32| {
                let function = track.spans.rows.get(row as usize)?.function;
                Some((function, kinds[function.index()]?))
            };
            // A call of the runtime launches for the operation around it.
            let mut at = row;
            if kind(at).is_some_and(|(_, kind)| kind == OpKind::Runtime) {
                at = callers[at as usize];
            }
            if let Some((function, kind)) = kind(at) {
                add(&mut sums.of(function, kind).self_device, time);
            }
            while let Some((function, kind)) = kind(at) {
                add(&mut sums.of(function, kind).device_total, time);
                at = callers[at as usize];
            }
        }
        if launched {
            for op in sums.rows.iter_mut().filter(|op| !op.kind.is_on_device()) {
                op.self_device.get_or_insert(0);
                op.device_total.get_or_insert(0);
            }
        }
        let has_device = sums.rows.iter().any(|op| op.kind.is_on_device());
        Ok(OpTable {
            rows: sums.rows,
            device: if has_device { "CUDA".into() } else { String::new() },
            self_cpu_total: cpu,
            self_device_total: device,
            is_printed: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::import::testing::open_bytes;
    use crate::query::Run;

    fn table(file: &str) -> (Run, std::sync::Arc<OpTable>) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles").join(file);
        let run = Run::of(open_bytes(&std::fs::read(path).unwrap()).unwrap().into());
        let table = ask(&run, &Ops(None));
        (run, table)
    }

    #[test]
    fn a_trace_gives_what_torch_prints_of_the_same_run() {
        let (run, table) = table("chrome-trace/pytorch-decode.pt.trace.json.gz");
        let us = |ns: Option<i64>| ns.map(|ns| (ns as f64 / 1e3).round() as i64);
        // Self CPU, CPU total in µs, and calls, as `key_averages().table()` of that run prints them.
        for (name, own, total, calls) in [
            ("aten::addmm", 388_679, 389_077, 60),
            ("aten::mm", 347_401, 347_414, 24),
            ("aten::native_layer_norm", 338_072, 338_599, 48),
            ("aten::_transformer_encoder_layer_fwd", 21_545, 1_712_000, 24),
            ("aten::linear", 301, 83_005, 12),
            ("lm_head", 1_180, 84_185, 12),
            ("prefill", 534, 400_285, 1),
        ] {
            let op = table.find(&run.profile, name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((op.kind, op.calls), (OpKind::Operator, calls), "{name}");
            let near = |found: Option<i64>, printed: i64| {
                let found = us(found).unwrap();
                assert!((found - printed).abs() <= 2 + printed / 1000, "{name}: {found} is not {printed}");
            };
            near(op.self_cpu, own);
            near(op.cpu_total, total);
            assert_eq!(op.self_device, None, "nothing ran on a device");
        }
        let sum: i64 = table.rows.iter().filter_map(|op| op.self_cpu).sum();
        assert_eq!(table.self_cpu_total, Some(sum));
    }

    #[test]
    fn time_of_the_device_is_with_operations_and_with_kernels_and_is_summed_once() {
        let (run, table) = table("chrome-trace/pytorch-alexnet-gpu.json.gz");
        let sum = |kinds: &[OpKind], of: fn(&Op) -> Option<i64>| -> i64 {
            table.rows.iter().filter(|op| kinds.contains(&op.kind)).filter_map(of).sum()
        };
        let device = sum(&[OpKind::Kernel, OpKind::Copy], |op| op.self_device);
        assert_eq!((table.self_device_total, table.device.as_str()), (Some(device), "CUDA"));
        assert!(device > 0);
        let launched = sum(&[OpKind::Operator], |op| op.self_device);
        assert!(launched > 0 && launched <= device, "{launched} of {device}");
        assert_eq!(sum(&[OpKind::Runtime], |op| op.self_device), 0, "the operation around it has it");
        for op in &table.rows {
            assert!(
                op.self_device.unwrap_or(0) <= op.device_total.unwrap_or(0),
                "{:?}",
                run.profile.function_name(op.function)
            );
            assert!(op.self_cpu.unwrap_or(0) >= 0, "{:?}", run.profile.function_name(op.function));
        }
    }

    #[test]
    fn a_printed_table_keeps_its_columns() {
        let (run, table) = table("torch-table/cpu-train.key_averages.txt");
        let mm = table.find(&run.profile, "aten::mm").unwrap();
        assert_eq!(
            (mm.calls, mm.self_cpu, mm.cpu_total, mm.cpu_mem, mm.flops),
            (20, Some(791_316_000), Some(791_343_000), Some(864 << 10), Some(48_234_496))
        );
        assert_eq!((mm.self_device, table.device.as_str()), (None, ""));
        assert_eq!((table.self_cpu_total, table.is_printed), (Some(1_740_000_000), true));
    }
}
