//! The report as one JSON object. Costs are integers in the metric's unit.
//!
//! It is written while lists are walked, one row at a time: a profile may have hundreds of thousands of tracks, counters
//! and functions, and a text of all would need more memory than the profile.

use std::io::Write;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use super::super::out::List;
use super::{Report, compute, requests};
use crate::analysis::every_metric::MetricRow;
use crate::analysis::findings::Noted;
use crate::analysis::formula::Measure;
use crate::analysis::heap_peak::HeapPeak;
use crate::analysis::levers::Lever;
use crate::analysis::optimisations::Entry;
use crate::analysis::overview::{Distribution, RequestFigures};
use crate::format;
use crate::model::{Basis, Counter, Fact, FunctionId, Profile, TrackId};

/// Writes the object.
pub(super) fn write(report: &Report, mut out: impl Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut out, &Document(report))?;
    out.write_all(b"\n")
}

/// The same without a line end inside.
pub(super) fn write_line(report: &Report, mut out: impl Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut out, &Document(report))?;
    out.write_all(b"\n")
}

struct Document<'a>(&'a Report);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let p = &*report.profile;
        let phases = &report.overview.phases;
        let mut map = to.serialize_map(None)?;
        for (key, value) in &facts(report) {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("findings", &List(|| report.findings.iter().map(|f| finding(p, f))))?;
        map.serialize_entry("optimisations", &List(|| report.optimisations.iter().map(optimisation)))?;
        map.serialize_entry(
            "warnings",
            &List(|| {
                p.warnings.iter().map(|w| {
                    json!({
                        "kind": w.kind, "count": w.count, "first": (!w.first.is_empty()).then_some(&w.first),
                    })
                })
            }),
        )?;
        map.serialize_entry("tracks", &List(|| p.track_ids().map(|id| track(p, id))))?;
        map.serialize_entry("counter_series", &List(|| p.counters.iter().map(|c| counter(p, c))))?;
        map.serialize_entry(
            "phases",
            &List(|| {
                phases.shares.iter().map(|x| {
                    json!({
                        "name": p.function_name(x.function),
                        "start_ns": phases.spans[x.first].start,
                        "total_ns": x.total,
                        "count": x.count,
                    })
                })
            }),
        )?;
        map.serialize_entry("request_figures", &report.overview.requests.as_ref().map(figures))?;
        let rows = || p.requests.rows.iter().enumerate().map(|(n, r)| requests::row(report, n, r));
        map.serialize_entry("requests", &List(rows))?;
        map.serialize_entry("request_groups", &List(|| requests::groups(report)))?;
        map.serialize_entry("latency", &requests::latency(&report.latency))?;
        map.serialize_entry("caches", &requests::caches(&report.caches, &report.keys))?;
        map.serialize_entry("tokens", &requests::token_sums(report))?;
        map.serialize_entry("cost", &requests::cost_sums(report))?;
        map.serialize_entry("compute", &compute::object(report))?;
        map.serialize_entry("gpu_launches", &compute::launches(p, &report.launches))?;
        map.serialize_entry("critical_path", &super::critical::CriticalPath(report))?;
        map.serialize_entry("function_count", &report.functions)?;
        map.serialize_entry(
            "functions",
            &List(|| report.rows.iter().map(|row| function(p, &report.metrics, row))),
        )?;
        if let Some(tree) = &report.tree {
            map.serialize_entry("estimate", &tree.estimate())?;
            map.serialize_entry("tree", &tree.paths(p))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    category: Option<&'a str>,
    calls: Option<u64>,
    primitive_calls: Option<u64>,
    samples: Option<u64>,
    unfinished: u64,
    #[serde(rename = "self")]
    own: PerMetric<'a>,
    total: PerMetric<'a>,
}

/// Values per metric key.
struct PerMetric<'a> {
    metrics: &'a [Measure],
    row: &'a MetricRow,
    value: fn((i64, i64)) -> i64,
}

impl Serialize for PerMetric<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let values = self.row.costs.iter().map(|&costs| self.row.measured.then(|| (self.value)(costs)));
        to.collect_map(self.metrics.iter().map(|m| &m.key.value().key).zip(values))
    }
}

/// What there is one of.
fn facts(report: &Report) -> Map<String, Value> {
    let p = &*report.profile;
    let meta = &p.meta;
    let pairs = |facts: &[Fact]| -> Value {
        let pair = |fact: &Fact| (fact.name.clone(), format::fact(&fact.value).into());
        Value::Object(facts.iter().map(pair).collect::<Map<_, _>>())
    };
    let totals = report.overview.totals.iter().map(|t| {
        let total = json!({
            "value": t.known(),
            "unit": t.metric.unit.key(),
            "label": t.metric.label,
            "at_once": t.at_once,
            "saturated": t.is_saturated(),
        });
        (t.metric.key.key.to_string(), total)
    });
    let facts = json!({
        "format": meta.format,
        "tool": meta.tool,
        "title": meta.title,
        "basis": meta.basis.key(),
        "basis_reason": match &meta.basis { Basis::Estimated(why) => Some(why), _ => None },
        "origin_unix_ns": meta.origin_unix_ns,
        "duration_ns": report.overview.elapsed,
        "times_are_no_clock": (!meta.no_clock.is_empty()).then_some(&meta.no_clock),
        "totals": Value::Object(totals.collect()),
        "totals_are_sums_of": report.overview.sum_of,
        "facts": pairs(&meta.facts),
        "machine": pairs(&meta.machine),
        "tables": meta.tables,
        "attached": p.attached.iter().map(|a| &a.name).collect::<Vec<_>>(),
        "spans": p.span_count(),
        "samples": p.samples_taken(),
        "counters": p.counters.len(),
        "events": p.instants.len(),
        "links": p.links.len(),
        "gpu_busy": report.overview.gpus.iter().map(|g| json!({
            "gpu": g.name, "busy_ns": g.busy, "idle_ns": g.idle,
        })).collect::<Vec<_>>(),
        "energy": report.overview.energy.as_ref().map(|used| json!({
            "joules": used.joules, "devices": used.counters.len(), "known_ns": used.known,
        })),
        "heap_peak": (*report.heap).as_ref().map(|h| heap_peak(p, h)),
    });
    match facts {
        Value::Object(facts) => facts,
        _ => Map::new(),
    }
}

fn track(p: &Profile, id: TrackId) -> Value {
    let t = p.track(id);
    json!({
        "name": p.text(t.name),
        "process": p.text(t.process),
        "kind": t.kind.key(),
        "spans": t.spans.rows.len(),
        "samples": t.samples.len(),
        "lanes": t.spans.lanes.len(),
    })
}

fn counter(p: &Profile, c: &Counter) -> Value {
    json!({
        "name": p.text(c.name),
        "process": p.text(c.process),
        "unit": c.unit.key(),
        "points": c.times.len(),
        "peak": c.peak().map(|(t, v)| json!({ "time_ns": t, "value": v })),
    })
}

fn function<'a>(p: &'a Profile, metrics: &'a [Measure], row: &'a MetricRow) -> Function<'a> {
    let f = p.functions.get(row.symbol.function());
    let text = |id| Some(p.text(id)).filter(|t| !t.is_empty());
    let per_metric = |value| PerMetric { metrics, row, value };
    Function {
        name: p.text(f.name),
        file: text(f.file),
        line: (f.line > 0).then_some(f.line),
        module: text(f.module),
        category: text(f.category),
        calls: row.calls.map(|c| c.all),
        primitive_calls: row.calls.map(|c| c.primitive),
        samples: row.samples,
        unfinished: row.unfinished,
        own: per_metric(|c| c.0),
        total: per_metric(|c| c.1),
    }
}

pub(super) fn distribution(d: Option<&Distribution>) -> Value {
    let Some(d) = d else { return Value::Null };
    json!({ "n": d.n, "mean": d.mean, "min": d.min, "p50": d.p50, "p75": d.p75, "p90": d.p90, "p95": d.p95, "p99": d.p99, "p99.9": d.p999, "max": d.max })
}

fn figures(f: &RequestFigures) -> Value {
    json!({
        "count": f.count,
        "failed": f.failed,
        "cancelled": f.cancelled,
        "prompt_tokens": f.prompt_tokens,
        "output_tokens": f.output_tokens,
        "estimated_by_chunks": f.estimated,
        "retries": f.retries,
        "lost_ns": f.lost,
        "waited_ns": distribution(f.waited.as_ref()),
        "cost_usd": f.cost.map(|c| c.to_string()),
        "unpriced": f.unpriced,
        "ttft_ns": distribution(f.ttft.as_ref()),
        "tpot_ns": distribution(f.tpot.as_ref()),
        "latency_ns": distribution(f.latency.as_ref()),
        "queued_ns": distribution(f.queued.as_ref()),
        "system_tokens_per_second": f.system_tokens_per_second,
        "peak_concurrency": f.peak_concurrency,
        "peak_concurrency_is_at_least": f.peak_is_least,
    })
}

fn heap_peak(p: &Profile, heap: &HeapPeak) -> Value {
    let names = |path: &[FunctionId]| path.iter().map(|&f| p.function_name(f)).collect::<Vec<_>>();
    json!({
        "bytes": heap.bytes,
        "time_ns": heap.time,
        "paths": heap.holders.iter().map(|(path, bytes)| json!({ "path": names(path), "bytes": bytes })).collect::<Vec<_>>(),
        "other_paths": heap.others,
        "outside_of_spans": heap.outside,
    })
}

fn optimisation(e: &Entry) -> Value {
    json!({
        "group": e.lever.group().name(), "optimisation": e.lever.key(), "status": e.status.name(), "why": e.why,
        "findings": e.findings.iter().map(|f| &f.kind).collect::<Vec<_>>(),
    })
}

fn finding(p: &Profile, f: &Noted) -> Value {
    let span = f.span(p).map(|(track, row)| {
        let span = p.track(track).spans.rows[row as usize];
        json!({ "name": p.function_name(span.function), "start_ns": span.start, "end_ns": span.end })
    });
    json!({
        "kind": f.kind,
        "severity": f.severity,
        "text": f.text,
        "concluded": f.concluded,
        "advice": (!f.advice.is_empty()).then_some(f.advice),
        "optimisation": f.lever.map(Lever::key),
        "gain_ns": f.gain.time,
        "gain_usd": f.gain.money.map(|m| m.to_string()),
        "function": f.function.map(|f| p.function_name(f)),
        "request": f.request.and_then(|id| p.requests.get(id)).map(|r| p.text(r.name)),
        "track": f.track.map(|t| p.track_label(t)),
        "span": span,
        "time_ns": f.time,
    })
}
