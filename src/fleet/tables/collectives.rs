//! Collective operations of GPUs: by the details of their kernels, else by the kernels' names.

use std::sync::LazyLock;

use regex::Regex;
use rustc_hash::FxHashMap;

use super::Making;
use crate::analysis::kernels::WorkClass;
use crate::fleet::frame::{Frame, known};
use crate::fleet::schema::COLLECTIVES;
use crate::import::{self, Details, ImportError, Input};
use crate::model::{ArgsPlace, FunctionId, Span, TrackId, TrackKind};

/// A collective operation of one rank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stated {
    kind: String,
    group: String,
    ranks: String,
    size: Option<i64>,
    seq: Option<i64>,
    dtype: String,
    bytes: Option<i64>,
}

/// One row a kernel that talks to other GPUs, by start.
pub(super) fn frame(making: &Making<'_>, input: &Input) -> Result<Frame, ImportError> {
    let profile = making.profile;
    let classes = making.classes();
    let mut kernels: Vec<(TrackId, Span)> = Vec::new();
    for id in profile.track_ids().filter(|id| profile.track(*id).kind == TrackKind::GpuStream) {
        let talks = |s: &&Span| classes[s.function.index()] == Some(WorkClass::Communication);
        kernels.extend(profile.track(id).spans.rows.iter().filter(talks).map(|s| (id, *s)));
    }
    kernels.sort_by_key(|(track, s)| (s.start, s.end, *track));
    let stated = stated(making, input, &kernels)?;
    let mut names: FxHashMap<FunctionId, &'static str> = FxHashMap::default();
    let mut order: FxHashMap<(Option<i64>, String, String, &str), i64> = FxHashMap::default();
    let mut frame = Frame::new(&COLLECTIVES);
    for ((track, span), stated) in kernels.iter().zip(&stated) {
        let by_name =
            *names.entry(span.function).or_insert_with(|| of_name(profile.function_name(span.function)));
        let kind = if stated.kind.is_empty() { by_name } else { of_argument(&stated.kind) };
        let step = making.steps.at(span.start);
        let nth = order.entry((step, stated.group.clone(), stated.ranks.clone(), kind)).or_default();
        frame.row(&[
            making.run_id.into(),
            making.rank.into(),
            step.into(),
            known(&stated.group).into(),
            known(&stated.ranks).into(),
            stated.size.into(),
            stated.seq.into(),
            (*nth).into(),
            kind.into(),
            known(&stated.dtype).into(),
            stated.bytes.into(),
            profile.text(profile.track(*track).name).into(),
            span.start.into(),
            span.duration().into(),
            making.ids[span.function.index()].into(),
        ]);
        *nth += 1;
    }
    Ok(frame)
}

/// What the kernels' details state, in their order. Those of a trace stay in its file, which is read once more for them.
fn stated(
    making: &Making<'_>,
    input: &Input,
    kernels: &[(TrackId, Span)],
) -> Result<Vec<Stated>, ImportError> {
    let mut all = vec![Stated::default(); kernels.len()];
    let mut in_file: Vec<(u64, usize)> = Vec::new();
    for (i, (_, span)) in kernels.iter().enumerate() {
        match span.args.place() {
            ArgsPlace::Offset(offset) => in_file.push((offset, i)),
            _ => all[i] = of_details(making.profile.inline_args(span.args)),
        }
    }
    in_file.sort_unstable();
    let offsets: Vec<u64> = in_file.iter().map(|(offset, _)| *offset).collect();
    if !offsets.is_empty() {
        let mut places = in_file.iter().map(|(_, i)| *i);
        import::details_of(input, &making.profile.meta, &offsets, &mut |_, details| {
            if let Some(place) = places.next() {
                all[place] = of_details(details);
            }
        })?;
    }
    Ok(all)
}

/// What PyTorch writes into the arguments of a kernel of NCCL or RCCL.
fn of_details(details: Details) -> Stated {
    let mut stated = Stated::default();
    let (mut sent, mut received) = (None::<i64>, None::<i64>);
    for (key, value) in details {
        match key.as_str() {
            "Collective name" => stated.kind = value,
            "Process Group Name" => stated.group = value,
            // A list, or the text of one.
            "Process Group Ranks" => stated.ranks = value.split(['"', ' ']).collect(),
            "Group size" => stated.size = value.parse().ok(),
            "Seq" => stated.seq = value.parse().ok(),
            "dtype" => stated.dtype = value,
            "In msg nelems" => sent = value.parse().ok(),
            "Out msg nelems" => received = value.parse().ok(),
            _ => {}
        }
    }
    let elements = sent.max(received);
    stated.bytes = elements.zip(size_of(&stated.dtype)).and_then(|(n, size)| n.checked_mul(size));
    stated
}

/// Bytes of an element, by PyTorch's name of its type.
fn size_of(dtype: &str) -> Option<i64> {
    Some(match dtype.to_ascii_lowercase().as_str() {
        "byte" | "char" | "bool" | "int8" | "uint8" | "float8_e4m3fn" | "float8_e5m2" | "float8_e4m3fnuz"
        | "float8_e5m2fnuz" => 1,
        "half" | "bfloat16" | "short" | "int16" | "float16" | "uint16" => 2,
        "float" | "int" | "int32" | "float32" | "uint32" => 4,
        "double" | "long" | "int64" | "float64" | "complexfloat" | "uint64" => 8,
        _ => return None,
    })
}

/// Words in names, with the kind that they stand for. The longer ones first.
const KINDS: &[(&str, &str)] = &[
    ("reducescatter", "reduce_scatter"),
    ("allreduce", "all_reduce"),
    ("allgather", "all_gather"),
    ("alltoall", "all_to_all"),
    ("sendrecv", "send_recv"),
    ("broadcast", "broadcast"),
    ("barrier", "barrier"),
    ("gather", "gather"),
    ("scatter", "scatter"),
    ("reduce", "reduce"),
    ("send", "send_recv"),
    ("recv", "send_recv"),
    ("receive", "send_recv"),
];

/// A kernel whose name does not say what it does.
pub(in crate::fleet) const UNKNOWN_KIND: &str = "unknown";

/// The kind by «Collective name», such as `allreduce`, `_reduce_scatter_base` or `all_to_allv`.
fn of_argument(name: &str) -> &'static str {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    KINDS.iter().find(|(word, _)| plain.contains(word)).map_or(UNKNOWN_KIND, |(_, kind)| kind)
}

static KERNEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b[nr]ccl(?:dev)?(?:kernel)?_?(AllReduce|ReduceScatter|AllGather|AllToAll|SendRecv|Broadcast|Reduce)").ok()
});

/// The kind by a kernel's name: `ncclDevKernel_AllReduce_Sum_bf16_RING_LL`, `ncclKernel_AllReduce_RING_LL_Sum_float`,
/// `ncclAllReduceRingLLKernel_sum_f32`.
fn of_name(name: &str) -> &'static str {
    let word = KERNEL.as_ref().and_then(|r| r.captures(name)).and_then(|c| c.get(1));
    word.map_or_else(|| unnamed(name), |word| of_argument(word.as_str()))
}

/// Other libraries name kernels as they like; RCCL has one generic kernel for all, which says nothing.
fn unnamed(name: &str) -> &'static str {
    if name.to_lowercase().contains("generic") { UNKNOWN_KIND } else { of_argument(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_of_all_ages_say_their_kind() {
        for (name, kind) in [
            ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "all_reduce"),
            ("ncclKernel_AllReduce_RING_LL_Sum_float(ncclWorkElem)", "all_reduce"),
            ("ncclAllReduceRingLLKernel_sum_f32(ncclColl)", "all_reduce"),
            ("ncclReduceScatterRingLLKernel_sum_f32", "reduce_scatter"),
            ("ncclDevKernel_ReduceScatter_Sum_f32_RING_LL", "reduce_scatter"),
            ("ncclDevKernel_AllGather_RING_LL", "all_gather"),
            ("ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t(ncclWorkElem)", "send_recv"),
            ("ncclDevKernel_Broadcast_RING_LL", "broadcast"),
            ("ncclDevKernel_Reduce_Sum_f32_RING_LL", "reduce"),
            ("ncclDevKernel_Generic_4(ncclDevKernelArgsStorage<4096ul>)", UNKNOWN_KIND),
            ("rcclGenericKernel<2, false>(ncclDevKernelArgsStorage<4096ul>)", UNKNOWN_KIND),
            ("void vllm::cross_device_reduce_1stage_allreduce<half>", "all_reduce"),
        ] {
            assert_eq!(of_name(name), kind, "{name}");
        }
        for (name, kind) in [
            ("allreduce", "all_reduce"),
            ("_allgather_base", "all_gather"),
            ("_reduce_scatter_base", "reduce_scatter"),
            ("all_to_allv", "all_to_all"),
            ("broadcast", "broadcast"),
            ("barrier", "barrier"),
            ("recv", "send_recv"),
        ] {
            assert_eq!(of_argument(name), kind, "{name}");
        }
    }

    #[test]
    fn details_say_who_sends_how_much() {
        let details = [
            ("Collective name", "allreduce"),
            ("In msg nelems", "1024"),
            ("Out msg nelems", "1024"),
            ("dtype", "BFloat16"),
            ("Group size", "4"),
            ("Process Group Name", "0"),
            ("Process Group Ranks", "\"[0, 1, 2, 3]\""),
            ("Seq", "17"),
        ];
        let stated = of_details(details.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(
            (stated.bytes, stated.seq, &*stated.ranks, stated.size),
            (Some(2048), Some(17), "[0,1,2,3]", Some(4))
        );
    }
}
