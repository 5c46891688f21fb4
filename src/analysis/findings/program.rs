//! What functions, the GPU and the heap say.

use super::Noted;
use crate::analysis::callers::{Callers, Reach};
use crate::analysis::formula::{Measure, shown};
use crate::analysis::functions::Functions;
use crate::analysis::gpu::{gpu_busy, is_work};
use crate::analysis::heap_peak::AtHeapPeak;
use crate::analysis::kernels::GpuWorkTable;
use crate::analysis::launches::{Launches, LaunchesIn};
use crate::analysis::levers::Lever;
use crate::analysis::named::is_address;
use crate::analysis::ops::{OpKind, Ops};
use crate::analysis::scope::Slice;
use crate::analysis::waiting::Waiting;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, MetricKey, Profile, Severity, Span, TrackKind, Unit};
use crate::query::Context;

/// Share of all own time in an event loop's poll from which on a profile is blind.
const BLIND: f64 = 0.5;
/// Share of all own costs that one function has.
const DOMINANT: f64 = 0.4;
/// Share of its cost that comes from one caller.
const ONE_CALLER: f64 = 0.9;
/// Functions that a profile needs for one of them to stand out.
const FUNCTIONS: usize = 5;
/// Kernels that a statement about all of them needs, and how short they are on average, ns.
const KERNELS: (usize, i64) = (500, 10_000);
/// Share of the time between its first and last work in which a GPU has nothing to do that is worth to know, which share of the run
/// that is, and how long at least, ns.
const IDLE: (f64, f64, i64) = (0.3, 0.05, 1_000_000);

pub(super) fn find(cx: &Context<'_>) -> Result<Vec<Noted>, Cancelled> {
    let profile = cx.profile();
    let mut out = Vec::new();
    out.extend(functions(cx)?);
    out.extend(gpus(profile, &*cx.get(&LaunchesIn(None))?));
    out.extend(tiny_kernels(profile));
    let work = cx.get(&GpuWorkTable(None))?;
    out.extend(pageable(profile, work.rows.iter().map(|r| (r.function, r.count, r.total, r.bytes))));
    if work.rows.is_empty() {
        // A table that torch printed has rows of copies, too.
        let ops = cx.get(&Ops(None))?;
        let copies = ops.of(Some(OpKind::Copy)).filter(|_| ops.is_printed);
        out.extend(pageable(
            profile,
            copies.map(|op| (op.function, op.calls, op.self_device.unwrap_or(0), None)),
        ));
    }
    out.extend(heap(cx)?);
    Ok(out)
}

/// A profile that is blind for what coroutines wait for, or one function that has most of it.
fn functions(cx: &Context<'_>) -> Result<Option<Noted>, Cancelled> {
    let profile = cx.profile();
    // Spans of a run have waits and phases of their own; this is about tables of functions and samples.
    if profile.functions.is_empty() || profile.span_count() > 0 {
        return Ok(None);
    }
    let metric = shown(MetricKey::default(), profile);
    let Some(unit) = Measure::of(metric, profile).map(|m| m.unit) else { return Ok(None) };
    let slice = Slice::whole(metric);
    let table = cx.get(&Functions(slice.clone()))?;
    let waits = cx.get(&Waiting)?;
    let Some(first) = table.rows.iter().find(|r| r.measured && r.own > 0).copied() else { return Ok(None) };
    let (own, sum) = (first.own as f64, table.whole.own.max(1) as f64);
    let name = profile.function_name(first.function);
    if unit == Unit::Nanoseconds && waits[first.function.index()] && polls(name) && own >= BLIND * sum {
        let text = format!(
            "{} of the time is {name}: the event loop waited, and this profile cannot say what for.",
            format::percent(own / sum)
        );
        let advice = "Record tasks and what they wait for: inferscope record command -- python app.py";
        let mut noted =
            Noted::new("What coroutines wait for is not in this profile", Severity::Warning, text, advice);
        noted.function = Some(first.function);
        return Ok(Some(noted));
    }
    // What was allocated is not what takes the time, and nobody can change what has no name.
    let named = |f: FunctionId| !is_placeholder(profile.function_name(f));
    let works = table.rows.iter().find(|r| r.measured && r.own > 0 && !waits[r.function.index()]).copied();
    let works = works.filter(|r| unit != Unit::Bytes && named(r.function));
    let Some(row) = works.filter(|r| r.own as f64 >= DOMINANT * sum && table.rows.len() >= FUNCTIONS) else {
        return Ok(None);
    };
    let asked = Callers { slice, function: profile.keys().symbol(row.function), reach: Reach::Direct };
    let callers = cx.get(&asked)?;
    let one = callers.callers.first().filter(|c| {
        c.total.is_some_and(|total| row.total > 0 && total as f64 >= ONE_CALLER * row.total as f64)
    });
    let caller = one.and_then(|c| c.symbol).map(|s| s.function());
    let caller = caller.filter(|f| *f != row.function && named(*f));
    let place = match caller {
        Some(caller) => format!(", nearly all of it called from {}", profile.function_name(caller)),
        None => String::new(),
    };
    let text = format!(
        "{} of the {} is in {} itself{place}.",
        format::percent(row.own as f64 / sum),
        if unit == Unit::Nanoseconds { "time" } else { "cost" },
        profile.function_name(row.function)
    );
    let advice = "Call it less often, or make it faster: nothing else matters as much";
    let mut noted = Noted::new("One function stands out", Severity::Info, text, advice);
    noted.function = Some(row.function);
    Ok(Some(noted))
}

/// Names that stand for no function: addresses, roots, what a tool could not tell.
fn is_placeholder(name: &str) -> bool {
    let bracketed = [('(', ')'), ('[', ']')].iter().any(|(a, b)| name.starts_with(*a) && name.ends_with(*b));
    bracketed || name.trim_matches('?').is_empty() || is_address(name) || name == "(below main)"
}

/// Names under which event loops wait.
fn polls(name: &str) -> bool {
    ["poll", "select", "kevent", "kqueue", "run_once", "GetQueuedCompletionStatus"]
        .iter()
        .any(|part| name.contains(part))
}

/// GPUs that had nothing to do.
fn gpus(profile: &Profile, launches: &Launches) -> Vec<Noted> {
    // What comes before the first work and after the last says nothing of the GPU.
    let spans = gpu_spans(profile).map(|s| (s.start, s.end));
    let bounds = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let Some(bounds) = bounds else { return Vec::new() };
    let run = profile.elapsed().unwrap_or_else(|| bounds.1.saturating_sub(bounds.0));
    let least = IDLE.2.max((run as f64 * IDLE.1) as i64);
    let idle: Vec<_> = gpu_busy(profile, Some(bounds))
        .into_iter()
        .filter(|g| {
            let whole = g.busy.saturating_add(g.idle);
            g.busy > 0 && g.idle >= least && g.idle as f64 >= IDLE.0 * whole as f64
        })
        .collect();
    // Gaps are summed over GPUs: of several nobody knows whose they are.
    let one = gpu_busy(profile, Some(bounds)).len() == 1;
    let host = match launches.gaps.not_launched {
        time @ 1.. if one => {
            format!(
                " In {} of it the next work had not been launched: it waited for the host.",
                format::duration(time)
            )
        }
        _ => String::new(),
    };
    let noted = |g: crate::analysis::gpu::GpuBusy| {
        let whole = g.busy.saturating_add(g.idle);
        let text = format!(
            "{} had nothing to do for {} of {} ({}) between the first and the last work of GPUs.{host}",
            g.name,
            format::duration(g.idle),
            format::duration(whole),
            format::percent(g.idle as f64 / whole as f64)
        );
        let advice =
            "GPU (and `inferscope gaps`) says what ran meanwhile: launches, copies, the input, Python";
        let mut noted =
            Noted::new("A GPU has nothing to do", Severity::Warning, text, advice).on(Lever::Hardware);
        noted.gain.time = Some(g.idle);
        noted
    };
    idle.into_iter().map(noted).collect()
}

/// Work of GPU streams.
fn gpu_spans(profile: &Profile) -> impl Iterator<Item = &Span> + '_ {
    let streams = profile.tracks.iter().filter(|t| t.kind == TrackKind::GpuStream);
    streams.flat_map(|t| &t.spans.rows).filter(|s| is_work(profile, s.function))
}

/// Its functions and lengths.
fn gpu_work(profile: &Profile) -> impl Iterator<Item = (FunctionId, i64)> + '_ {
    gpu_spans(profile).map(|s| (s.function, s.end.saturating_sub(s.start)))
}

/// Many kernels that are so short that starting them takes longer.
fn tiny_kernels(profile: &Profile) -> Option<Noted> {
    let is_kernel = |f: FunctionId| {
        let category = profile.text(profile.functions.get(f).category);
        category.contains("kernel")
    };
    let (mut n, mut time) = (0usize, 0i64);
    for (_, length) in gpu_work(profile).filter(|(f, _)| is_kernel(*f)) {
        (n, time) = (n + 1, time.saturating_add(length));
    }
    if n < KERNELS.0 || time / n as i64 >= KERNELS.1 {
        return None;
    }
    let text = format!(
        "{} kernels take {} on average: starting one takes 5 to 10 µs of the processor.",
        format::count(n as i64),
        format::duration(time / n as i64)
    );
    let advice = "CUDA graphs, torch.compile or fused operations; a larger batch";
    Some(Noted::new("Kernels are tiny", Severity::Info, text, advice).on(Lever::Batching))
}

/// Copies from memory that may be swapped out: of work on devices by name, how often, how long, ns, and how many bytes.
fn pageable(
    profile: &Profile,
    work: impl Iterator<Item = (FunctionId, u64, i64, Option<i64>)>,
) -> Option<Noted> {
    let copies: Vec<_> = work.filter(|w| profile.function_name(w.0).contains("Pageable")).collect();
    let (count, time) = copies.iter().fold((0u64, 0i64), |(n, time), c| (n + c.1, time.saturating_add(c.2)));
    let first = copies.first()?.0;
    let bytes = copies.iter().filter_map(|c| c.3).reduce(i64::saturating_add);
    let rate = match bytes.filter(|b| *b > 0 && time > 0) {
        Some(bytes) => {
            let rate = bytes as f64 * 1e9 / time as f64;
            format!(", {} at {}", format::bytes(bytes), format::per_second(rate, "B"))
        }
        None => String::new(),
    };
    let text = format!(
        "{} from or to pageable memory, {} in all{rate}: the processor waits for each.",
        format::counted(count as i64, "copy", "copies"),
        format::duration(time)
    );
    let advice = "Pinned memory (pin_memory=True) and non_blocking=True";
    let mut noted = Noted::new("Copies of pageable memory", Severity::Info, text, advice).on(Lever::Memory);
    noted.gain.time = Some(time);
    noted.function = Some(first);
    Some(noted)
}

/// One call path holds most of the heap at its peak.
fn heap(cx: &Context<'_>) -> Result<Option<Noted>, Cancelled> {
    let profile = cx.profile();
    let heap = cx.get(&AtHeapPeak)?;
    let Some(heap) = heap.as_ref() else { return Ok(None) };
    let Some((path, bytes)) = heap.holders.first().filter(|(_, b)| heap.share(*b) >= 0.5) else {
        return Ok(None);
    };
    let Some(&last) = path.last() else { return Ok(None) };
    if is_placeholder(profile.function_name(last)) {
        return Ok(None);
    }
    let text = format!(
        "{} of the {} at the peak are held by {}.",
        format::percent(heap.share(*bytes)),
        format::bytes(heap.bytes),
        profile.function_name(last)
    );
    let advice = "Memory shows the whole path and the moment";
    let mut noted =
        Noted::new("One place holds most of the memory", Severity::Info, text, advice).on(Lever::Memory);
    (noted.function, noted.time) = (Some(last), Some(heap.time));
    Ok(Some(noted))
}
