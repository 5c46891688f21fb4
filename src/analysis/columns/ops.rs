//! Operations with the columns of `key_averages().table()`, in torch's order and words.

use super::scale;
use crate::analysis::definitions as say;
use crate::analysis::ops::{Op, OpKind, OpTable};
use crate::format::{Column, Form, SortBy, Value};
use crate::model::{Profile, Unit};

/// What rows are sorted by, named as torch's `sort_by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpColumn {
    /// The name.
    Name,
    /// What it is.
    Kind,
    /// Own time on the CPU.
    #[default]
    SelfCpuTimeTotal,
    /// Time on the CPU with what it called.
    CpuTimeTotal,
    /// The same of one call.
    CpuTime,
    /// Own time on the device.
    SelfCudaTimeTotal,
    /// Time on the device with what it called.
    CudaTimeTotal,
    /// The same of one call.
    CudaTime,
    /// Bytes of the CPU with what it called.
    CpuMemoryUsage,
    /// Own bytes of the CPU.
    SelfCpuMemoryUsage,
    /// Bytes of the device with what it called.
    CudaMemoryUsage,
    /// Own bytes of the device.
    SelfCudaMemoryUsage,
    /// How often.
    Count,
    /// Floating-point operations.
    Flops,
}

impl SortBy for OpColumn {
    fn ascends(self) -> bool {
        matches!(self, Self::Name | Self::Kind)
    }
}

/// A column of operations.
pub type OpCells<'a> = Column<'a, Op, OpColumn>;

/// The columns in torch's order: those of which some row knows anything. `kind` is that of the rows that are shown, or all.
#[must_use]
pub fn ops<'a>(profile: &'a Profile, table: &OpTable, kind: Option<OpKind>) -> Vec<OpCells<'a>> {
    use OpColumn as C;
    let device = if table.device.is_empty() { "CUDA" } else { &table.device };
    let shown = || table.of(kind);
    let most = |of: fn(&Op) -> Option<i64>| shown().filter_map(of).max().unwrap_or(0);
    let time = |key, title: String, of: fn(&Op) -> Option<i64>| {
        let ns = Unit::Nanoseconds;
        Column::cost(key, title, (Form::Scaled(scale(ns, most(of))), ns), move |op: Op| Value::cost(of(&op)))
            .room(10.0)
    };
    let share = |key, title: String, of: fn(&Op) -> Option<i64>, whole: Option<i64>| {
        Column::share(key, title, move |op: Op| {
            let share = of(&op).zip(whole.filter(|w| *w > 0)).map(|(own, whole)| own as f64 / whole as f64);
            Value::number(share)
        })
        .room(11.0)
    };
    let each = |key, title: String, of: fn(&Op) -> Option<i64>| {
        let ns = Unit::Nanoseconds;
        Column::cost(key, title, (Form::Each(ns), ns), move |op: Op| {
            let mean = of(&op).filter(|_| op.calls > 0).map(|total| total as f64 / op.calls as f64);
            Value::cost(mean.map(|m| m.round() as i64))
        })
        .room(10.0)
    };
    let bytes = |key, title: String, of: fn(&Op) -> Option<i64>| {
        Column::cost(key, title, (Form::Each(Unit::Bytes), Unit::Bytes), move |op: Op| Value::cost(of(&op)))
            .room(10.0)
    };
    let (cpu, cuda) = (table.self_cpu_total, table.self_device_total);
    let all = vec![
        Column::name("name", "Name", |op: Op| Value::text(profile.function_name(op.function)))
            .room(36.0)
            .sorts(C::Name),
        Column::weak("kind", "Kind", |op: Op| Value::Word(op.kind.name()))
            .room(9.0)
            .rank(if kind.is_none() { 2 } else { 9 })
            .sorts(C::Kind),
        share("self cpu share", "Self CPU %".into(), |op| op.self_cpu, cpu)
            .rank(5)
            .sorts(C::SelfCpuTimeTotal)
            .hint("Of «Self CPU time total», the sum over all rows"),
        time("self cpu", "Self CPU".into(), |op| op.self_cpu)
            .rank(1)
            .sorts(C::SelfCpuTimeTotal)
            .hint("sort_by=\"self_cpu_time_total\": own time on the CPU, without the operations that it called"),
        share("cpu total share", "CPU total %".into(), |op| op.cpu_total, cpu)
            .rank(8)
            .sorts(C::CpuTimeTotal)
            .hint("Of «Self CPU time total»; rows nest, so these do not add up"),
        time("cpu total", "CPU total".into(), |op| op.cpu_total)
            .rank(3)
            .sorts(C::CpuTimeTotal)
            .hint("sort_by=\"cpu_time_total\": time on the CPU with the operations that it called"),
        each("cpu avg", "CPU time avg".into(), |op| op.cpu_total)
            .rank(6)
            .sorts(C::CpuTime)
            .hint("sort_by=\"cpu_time\": CPU total ÷ calls"),
        time("self cuda", format!("Self {device}"), |op| op.self_device)
            .rank(1)
            .sorts(C::SelfCudaTimeTotal)
            .hint(say::SELF_DEVICE),
        share("self cuda share", format!("Self {device} %"), |op| op.self_device, cuda)
            .rank(4)
            .sorts(C::SelfCudaTimeTotal)
            .hint("Of the time of all kernels and copies. Operators hold it again, so all rows together have more than 100 %"),
        time("cuda total", format!("{device} total"), |op| op.device_total)
            .rank(3)
            .sorts(C::CudaTimeTotal)
            .hint("sort_by=\"cuda_time_total\": time on the device of all that it and its callees launched"),
        each("cuda avg", format!("{device} time avg"), |op| op.device_total)
            .rank(6)
            .sorts(C::CudaTime)
            .hint("sort_by=\"cuda_time\": total ÷ calls"),
        bytes("cpu mem", "CPU Mem".into(), |op| op.cpu_mem).rank(7).sorts(C::CpuMemoryUsage),
        bytes("self cpu mem", "Self CPU Mem".into(), |op| op.self_cpu_mem).rank(7).sorts(C::SelfCpuMemoryUsage),
        bytes("cuda mem", format!("{device} Mem"), |op| op.device_mem).rank(7).sorts(C::CudaMemoryUsage),
        bytes("self cuda mem", format!("Self {device} Mem"), |op| op.self_device_mem)
            .rank(7)
            .sorts(C::SelfCudaMemoryUsage),
        Column::count("calls", "# of Calls", |op: Op| Value::Count(op.calls))
            .room(9.0)
            .rank(2)
            .sorts(C::Count)
            .hint("sort_by=\"count\""),
        Column::count("flops", "FLOPs", |op: Op| Value::count(op.flops.and_then(|f| u64::try_from(f).ok())))
            .rank(7)
            .sorts(C::Flops)
            .hint("Floating-point operations, as torch estimates them"),
    ];
    let filled = |c: &OpCells<'_>| {
        matches!(c.key, "name" | "kind" | "calls")
            || shown().any(|op| !matches!(c.value(*op), Value::Unknown))
    };
    let mut columns: Vec<_> = all.into_iter().filter(filled).collect();
    if kind.is_some() {
        columns.retain(|c| c.key != "kind");
    }
    columns
}
