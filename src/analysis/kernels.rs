//! What GPUs did: busy and idle time of each, kernels and copies by name and by class.

use rustc_hash::FxHashMap;

use super::gpu::{GpuWork, gpu_busy_by, is_work};
use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{COPIED, FunctionId, Profile, TrackKind};
use crate::query::{Context, Query};

/// What kind of work it is, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkClass {
    /// Products of matrices.
    Matrix,
    /// Attention in one kernel.
    Attention,
    /// Element by element, reductions, normalisation.
    Elementwise,
    /// Between devices.
    Communication,
    /// Copies and sets of memory.
    Memory,
    /// Other kernels.
    Other,
}

impl WorkClass {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Matrix, Self::Attention, Self::Elementwise, Self::Communication, Self::Memory, Self::Other];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Matrix => "matrix products",
            Self::Attention => "attention",
            Self::Elementwise => "element by element",
            Self::Communication => "communication",
            Self::Memory => "copies and sets",
            Self::Other => "other kernels",
        }
    }

    /// The class of work of a category and name.
    #[must_use]
    pub fn of(category: &str, name: &str) -> Self {
        let (category, name) = (category.to_lowercase(), name.to_lowercase());
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if category.contains("mem") || category.contains("copy") || has(&["memcpy", "memset"]) {
            Self::Memory
        } else if has(&["nccl", "rccl", "allreduce", "all_reduce", "allgather", "reducescatter"]) {
            Self::Communication
        } else if has(&["flash", "fmha", "attention", "attn"]) {
            Self::Attention
        } else if has(&[
            "gemm", "gemv", "matmul", "cutlass", "cublas", "conv", "mmvq", "mul_mat", "wgrad", "dgrad",
        ]) {
            Self::Matrix
        } else if has(&[
            "elementwise",
            "vectorized",
            "reduce",
            "softmax",
            "norm",
            "rope",
            "silu",
            "gelu",
            "unary",
            "binary",
            "copy",
            "cast",
            "fill",
            "index",
            "catarray",
            "triton_poi",
            "triton_red",
            "triton_per",
        ]) {
            Self::Elementwise
        } else {
            Self::Other
        }
    }
}

/// All work of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Its name.
    pub function: FunctionId,
    /// Its class.
    pub class: WorkClass,
    /// How often.
    pub count: u64,
    /// All of it, ns.
    pub total: i64,
    /// Shortest, ns.
    pub min: i64,
    /// Longest, ns.
    pub max: i64,
    /// Bytes that it copied, where its source says so.
    pub bytes: Option<i64>,
}

impl Work {
    /// Bytes per second that it copied; `None` where that is not known.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let bytes = self.bytes.filter(|b| *b > 0)?;
        (self.total > 0).then(|| bytes as f64 * 1e9 / self.total as f64)
    }
}

/// Work by name, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkTable {
    /// The rows.
    pub rows: Vec<Work>,
    /// Sum of all of it, ns; more than the time that passed where streams work at the same time.
    pub total: i64,
    /// Busy and idle time of each GPU.
    pub gpus: Vec<GpuWork>,
}

impl WorkTable {
    /// Sum and count of a class.
    #[must_use]
    pub fn of(&self, class: WorkClass) -> (i64, u64) {
        let rows = self.rows.iter().filter(|r| r.class == class);
        rows.fold((0, 0), |(time, n), r| (r.total.saturating_add(time), n + r.count))
    }
}

/// Computes the [`WorkTable`] of all GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GpuWorkTable(pub TimeRange);

impl Query for GpuWorkTable {
    type Output = WorkTable;

    fn run(&self, cx: &Context<'_>) -> Result<WorkTable, Cancelled> {
        let profile = cx.profile();
        let mut rows: FxHashMap<FunctionId, Work> = FxHashMap::default();
        let copied = profile.metric_ids().find(|&m| profile.metric(m).key == COPIED);
        for track in profile.tracks.iter().filter(|t| t.kind == TrackKind::GpuStream) {
            cx.job().checkpoint(0, 0)?;
            let copied = copied.and_then(|m| track.spans.costs.iter().find(|(metric, _)| *metric == m));
            for (i, span) in track.spans.rows.iter().enumerate().filter(|(_, s)| is_work(profile, s.function))
            {
                // Cut to the range: a part of a kernel is a part of its time.
                let (from, to) = self.0.unwrap_or((i64::MIN, i64::MAX));
                if span.end <= from || span.start >= to {
                    continue;
                }
                let length = span.end.min(to).saturating_sub(span.start.max(from));
                let new = || Work {
                    function: span.function,
                    class: class(profile, span.function),
                    count: 0,
                    total: 0,
                    min: i64::MAX,
                    max: 0,
                    bytes: None,
                };
                let row = rows.entry(span.function).or_insert_with(new);
                row.count += 1;
                // A part of a copy is a part of its bytes.
                if let Some(&bytes) = copied.and_then(|(_, values)| values.get(i)).filter(|b| **b > 0) {
                    let part = bytes as f64 * length as f64 / span.duration().max(1) as f64;
                    row.bytes = Some(row.bytes.unwrap_or(0).saturating_add(part.round() as i64));
                }
                row.total = row.total.saturating_add(length);
                (row.min, row.max) = (row.min.min(length), row.max.max(length));
            }
        }
        let mut rows: Vec<Work> = rows.into_values().collect();
        rows.sort_by_key(|r| (std::cmp::Reverse(r.total), r.function));
        let total = rows.iter().fold(0i64, |sum, r| sum.saturating_add(r.total));
        cx.job().checkpoint(0, 0)?;
        Ok(WorkTable { rows, total, gpus: gpu_busy_by(profile, self.0) })
    }

    fn weight(table: &WorkTable) -> usize {
        size_of_val(&*table.rows)
    }
}

fn class(profile: &Profile, function: FunctionId) -> WorkClass {
    let category = profile.text(profile.functions.get(function).category);
    WorkClass::of(category, profile.function_name(function))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackSpec};
    use crate::query::Run;

    #[test]
    fn names_tell_classes() {
        use WorkClass::{Attention, Communication, Elementwise, Matrix, Memory, Other};
        for (category, name, class) in [
            ("kernel", "ampere_fp16_s16816gemm_fp16_64x64_ldg8_f2f_stages_64x5_tn", Matrix),
            ("kernel", "void gemv2T_kernel_val<int, int, float>", Matrix),
            ("kernel", "void flash_fwd_splitkv_kernel", Attention),
            ("kernel", "void at::native::vectorized_elementwise_kernel<4>", Elementwise),
            ("kernel", "ncclDevKernel_AllReduce_Sum_f32_RING_LL", Communication),
            ("gpu_memcpy", "Memcpy HtoD (Pageable -> Device)", Memory),
            ("kernel", "sampling_kernel", Other),
        ] {
            assert_eq!(WorkClass::of(category, name), class, "{name}");
        }
    }

    #[test]
    fn work_adds_up_and_is_cut_to_the_range() {
        let mut b = ProfileBuilder::new("test");
        let track =
            b.track(TrackSpec { name: "stream 7", process: "GPU 0", kind: TrackKind::GpuStream, sort: 0 });
        let spec = |name| FunctionSpec { category: "kernel", ..FunctionSpec::named(name) };
        let (gemm, add) = (b.function(spec("gemm")), b.function(spec("elementwise_add")));
        for (start, end, f) in [(0, 100, gemm), (100, 130, add), (200, 260, gemm)] {
            b.span(track, start, end, f, ArgsRef::NONE);
        }
        let run = Run::of(b.finish().into());
        let all = ask(&run, &GpuWorkTable(None));
        let rows: Vec<_> = all.rows.iter().map(|r| (r.count, r.total, r.min, r.max)).collect();
        assert_eq!((rows, all.total), (vec![(2, 160, 60, 100), (1, 30, 30, 30)], 190));
        assert_eq!(all.of(WorkClass::Matrix), (160, 2));
        let part = ask(&run, &GpuWorkTable(Some((50, 210))));
        assert_eq!(part.rows.iter().map(|r| r.total).collect::<Vec<_>>(), [60, 30]);
    }
}
