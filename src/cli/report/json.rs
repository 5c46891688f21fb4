//! The report as one JSON object. Costs are integers in the metric's unit.

use serde_json::{Map, Value, json};

use super::{Report, Row};
use crate::analysis::overview::{Distribution, RequestFigures};
use crate::model::{Basis, Finding, Profile, Request};

pub(super) fn render(report: &Report) -> String {
    let value = object(report);
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// Values per metric key.
fn per_metric(profile: &Profile, value: impl Fn(usize) -> Value) -> Value {
    Value::Object(profile.metrics.iter().enumerate().map(|(i, m)| (m.key.clone(), value(i))).collect())
}

fn object(report: &Report) -> Value {
    let p = &*report.profile;
    let meta = &p.meta;
    let pairs = |pairs: &[(String, String)]| -> Value {
        Value::Object(pairs.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect::<Map<_, _>>())
    };
    let totals = report.overview.totals.iter().map(|(id, value)| {
        let m = p.metric(*id);
        (m.key.clone(), json!({ "value": value, "unit": m.unit.key(), "label": m.label }))
    });
    json!({
        "format": meta.format,
        "tool": meta.tool,
        "title": meta.title,
        "basis": meta.basis.key(),
        "basis_reason": match &meta.basis { Basis::Estimated(why) => Some(why), _ => None },
        "origin_unix_ns": meta.origin_unix_ns,
        "duration_ns": report.overview.elapsed,
        "totals": Value::Object(totals.collect()),
        "totals_are_sums_of": report.overview.sum_of,
        "facts": pairs(&meta.facts),
        "machine": pairs(&meta.machine),
        "tables": meta.tables,
        "spans": p.span_count(),
        "samples": p.sample_count(),
        "counters": p.counters.len(),
        "events": p.instants.len(),
        "links": p.links.len(),
        "requests": p.requests.rows.len(),
        "findings": p.findings.iter().map(|f| finding(p, f)).collect::<Vec<_>>(),
        "warnings": p.warnings.iter().map(|w| json!({
            "kind": w.kind, "count": w.count, "first": (!w.first.is_empty()).then_some(&w.first),
        })).collect::<Vec<_>>(),
        "tracks": p.track_ids().map(|id| {
            let t = p.track(id);
            json!({
                "name": p.text(t.name),
                "process": p.text(t.process),
                "kind": t.kind.key(),
                "spans": t.spans.rows.len(),
                "samples": t.samples.len(),
                "lanes": t.spans.lanes.len(),
            })
        }).collect::<Vec<_>>(),
        "counter_series": p.counters.iter().map(|c| json!({
            "name": p.text(c.name),
            "process": p.text(c.process),
            "unit": c.unit.key(),
            "points": c.times.len(),
            "peak": c.peak().map(|(t, v)| json!({ "time_ns": t, "value": v })),
        })).collect::<Vec<_>>(),
        "phases": report.overview.phases.iter().map(|x| json!({
            "name": x.name, "start_ns": x.start, "total_ns": x.total, "count": x.count,
        })).collect::<Vec<_>>(),
        "request_figures": report.overview.requests.as_ref().map(figures),
        "request_rows": p.requests.rows.iter().map(|r| request(p, r)).collect::<Vec<_>>(),
        "critical_path": super::critical::json(report),
        "function_count": report.functions,
        "functions": report.rows.iter().map(|r| function(p, r)).collect::<Vec<_>>(),
    })
}

fn function(p: &Profile, row: &Row) -> Value {
    let f = p.functions.get(row.function);
    let text = |id| Some(p.text(id)).filter(|t| !t.is_empty());
    json!({
        "name": p.text(f.name),
        "file": text(f.file),
        "line": (f.line > 0).then_some(f.line),
        "module": text(f.module),
        "category": text(f.category),
        "calls": row.calls.map(|c| c.all),
        "primitive_calls": row.calls.map(|c| c.primitive),
        "samples": row.samples,
        "self": per_metric(p, |i| row.costs[i].0.into()),
        "total": per_metric(p, |i| row.costs[i].1.into()),
    })
}

fn distribution(d: Option<&Distribution>) -> Value {
    let Some(d) = d else { return Value::Null };
    json!({ "n": d.n, "mean": d.mean, "min": d.min, "p50": d.p50, "p90": d.p90, "p95": d.p95, "p99": d.p99, "max": d.max })
}

fn figures(f: &RequestFigures) -> Value {
    json!({
        "count": f.count,
        "failed": f.failed,
        "prompt_tokens": f.prompt_tokens,
        "output_tokens": f.output_tokens,
        "cost_nano_dollars": f.cost_nano_dollars,
        "unpriced": f.unpriced,
        "ttft_ns": distribution(f.ttft.as_ref()),
        "tpot_ns": distribution(f.tpot.as_ref()),
        "latency_ns": distribution(f.latency.as_ref()),
        "queued_ns": distribution(f.queued.as_ref()),
        "system_tokens_per_second": f.system_tokens_per_second,
        "peak_concurrency": f.peak_concurrency,
    })
}

fn finding(p: &Profile, f: &Finding) -> Value {
    let span = f.span(p).map(|(track, row)| {
        let span = p.track(track).spans.rows[row as usize];
        json!({ "name": p.function_name(span.function), "start_ns": span.start, "end_ns": span.end })
    });
    json!({
        "kind": p.text(f.kind),
        "severity": f.severity,
        "text": p.text(f.text),
        "request": f.request.and_then(|id| p.requests.get(id)).map(|r| p.text(r.name)),
        "track": f.track.map(|t| p.track_label(t)),
        "span": span,
        "time_ns": f.time,
    })
}

fn request(p: &Profile, r: &Request) -> Value {
    let t = &r.tokens;
    let text = |id| Some(p.text(id)).filter(|t| !t.is_empty());
    json!({
        "name": p.text(r.name),
        "model": p.text(r.model),
        "arrived_ns": r.arrived,
        "scheduled_ns": r.scheduled,
        "first_byte_ns": r.first_byte,
        "first_token_ns": r.first_token,
        "finished_ns": r.finished,
        "ttft_ns": r.ttft(),
        "tpot_ns": r.tpot(),
        "tokens": {
            "input": t.input, "cache_read": t.cache_read, "cache_write": t.cache_write,
            "output": t.output, "reasoning": t.reasoning,
        },
        "cost_nano_dollars": r.cost_nano_dollars,
        "kv_cache_bytes": r.kv_cache_bytes,
        "outcome": r.outcome,
        "cache": r.cache,
        "batch": r.batch,
        "error": (!p.text(r.error).is_empty()).then(|| p.text(r.error)),
        "prompt": text(r.prompt),
        "completion": text(r.completion),
    })
}
