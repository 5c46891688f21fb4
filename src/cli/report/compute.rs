//! Operations and what limits the model in reports.

use serde_json::{Map, Value, json};

use super::Report;
use crate::analysis::compute::{Explained, Given, Known, Peak, Work};
use crate::analysis::launches::{Launched, Launches};
use crate::analysis::ops::{Op, OpTable};
use crate::analysis::overview::Distribution;
use crate::format::{self, Page};
use crate::model::Profile;

/// The number, or why there is none.
fn known<T: Into<Value>>(value: Known<T>) -> Value {
    match value {
        Ok(value) => value.into(),
        Err(why) => json!({ "unknown": why }),
    }
}

/// One operation; names as torch's `sort_by` has them.
fn op(p: &Profile, op: &Op) -> Value {
    json!({
        "name": p.function_name(op.function),
        "kind": op.kind.name(),
        "count": op.calls,
        "self_cpu_time_total_ns": op.self_cpu,
        "cpu_time_total_ns": op.cpu_total,
        "self_cuda_time_total_ns": op.self_device,
        "cuda_time_total_ns": op.device_total,
        "self_cpu_memory_usage": op.self_cpu_mem,
        "cpu_memory_usage": op.cpu_mem,
        "self_cuda_memory_usage": op.self_device_mem,
        "cuda_memory_usage": op.device_mem,
        "flops": op.flops,
    })
}

/// A share of a peak; one that cannot be is no number alone.
fn share(share: Known<f64>, doubt: Option<String>) -> Value {
    match (share, doubt) {
        (Ok(share), Some(why)) => json!({ "computed": share, "doubt": why }),
        (share, _) => known(share),
    }
}

fn work(work: &Work, given: &Given) -> Value {
    json!({
        "of": work.of,
        "tokens": work.tokens,
        "time_ns": work.time,
        "flops": known(work.flops),
        "bytes": known(work.bytes),
        "flops_per_s": known(work.flops_rate()),
        "bytes_per_s": known(work.bytes_rate()),
        "flops_per_byte": known(work.intensity()),
        "mfu": share(work.mfu(given), work.doubt(Peak::Operations, given)),
        "mbu": share(work.mbu(given), work.doubt(Peak::Bytes, given)),
        "memory_bound": known(work.is_memory_bound(given)),
        "least_time_ns": known(work.floor(given)),
    })
}

/// All of it; null for a profile that neither names operations nor tells of a model.
pub(super) fn object(report: &Report) -> Value {
    let Some((table, found)) = &report.compute else { return Value::Null };
    let p = &*report.profile;
    let works: Map<String, Value> =
        found.work.iter().map(|w| (w.name.replace(' ', "_"), work(w, &found.given))).collect();
    json!({
        "operations": table.rows.iter().map(|row| op(p, row)).collect::<Vec<_>>(),
        "self_cpu_time_total_ns": table.self_cpu_total,
        "self_device_time_total_ns": table.self_device_total,
        "device_time_is": "the sum of kernels and copies; operators hold the same time again",
        "given": found.given,
        "bytes_per_parameter": known(found.bytes_per_parameter),
        "stored_as": known(found.stored_as()),
        "passes": known(found.passes),
        "products_per_pass": known(found.products_per_pass),
        "kv_bytes_per_token": known(found.kv_per_token),
        "largest_kv_cache_bytes": known(found.kv_most),
        "device_busy_ns": known(found.busy.map(|b| b.0)),
        "device_busy_of_ns": known(found.busy.map(|b| b.1)),
        "work": works,
        "no_work": Some(found.no_work).filter(|why| !why.is_empty()),
        "to_the_device": found.upload.map(|u| json!({
            "time_ns": u.time, "copies": u.copies, "pageable": u.pageable, "bytes_per_s_if_weights": known(u.rate),
        })),
    })
}

/// The same in a line; empty where none is known.
pub(super) fn launches_in_words(found: &Launches) -> String {
    let Some(d) = &found.latency else { return String::new() };
    let time = |ns: f64| format::duration(ns.round() as i64);
    format!(
        "start {} after their call (median; p95 {}, longest {}); {} idle before the next call, {} while starting",
        time(d.p50),
        time(d.p95),
        time(d.max),
        format::duration(found.gaps.not_launched),
        format::duration(found.gaps.starting)
    )
}

/// From launches of work of GPUs to its start; null where none is known.
pub(super) fn launches(p: &Profile, found: &Launches) -> Value {
    if found.latency.is_none() {
        return Value::Null;
    }
    let spread = |d: Option<&Distribution>| super::json::distribution(d);
    let row = |row: &Launched| {
        json!({
            "name": p.function_name(row.function), "launch_to_start_ns": spread(Some(&row.latency)),
            "idle_before_ns": row.idle,
        })
    };
    json!({
        "launch_to_start_ns": spread(found.latency.as_ref()),
        "on_a_free_stream_ns": spread(found.free.as_ref()),
        "idle_ns": {
            "nothing_launched": found.gaps.not_launched, "launched_not_started": found.gaps.starting,
            "launched_before": found.gaps.queued, "launch_unknown": found.gaps.unknown,
        },
        "idle_is": "between the first and the last work of each GPU",
        "without_a_launch": found.unlinked,
        "before_their_launch": found.early,
        "by_name": found.by_name.iter().map(row).collect::<Vec<_>>(),
    })
}

/// A line for people: what takes the time is in the functions.
pub(super) fn text(out: &mut Page, (_, found): &(std::sync::Arc<OpTable>, std::sync::Arc<Explained>)) {
    let mut parts = Vec::new();
    if let (Ok(name), Ok(bytes)) = (found.stored_as(), found.bytes_per_parameter) {
        parts.push(format!("stored as {name} ({} bytes per parameter)", format::number(bytes)));
    }
    for work in &found.work {
        let given = &found.given;
        let told = |peak: Peak| {
            let share = format::percent(work.share(peak, given).ok()?);
            let doubt = work.doubt(peak, given).map(|why| format!(" ({why})")).unwrap_or_default();
            Some(format!("{} {share}{doubt}", peak.share_name()))
        };
        let shares: Vec<String> = Peak::ALL.into_iter().filter_map(told).collect();
        if !shares.is_empty() {
            parts.push(format!("{} {}", work.name, shares.join(", ")));
        }
    }
    if !parts.is_empty() {
        out.line(format_args!("model: {}", parts.join("; ")));
    }
}
