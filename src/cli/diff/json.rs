//! The comparison as one JSON object. Costs are numbers in the metric's unit (ns, bytes, …), as recorded; where costs are
//! related to something (`normalise`), `delta` and `relative` are of the related costs, which stand beside. Rows are made
//! while they are written: two traces may have hundreds of thousands of call paths.

use std::io::{self, Write};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use super::super::gate::Gate;
use super::super::out::List;
use super::Comparison;
use crate::analysis::TreeCosts;
use crate::analysis::diff::evidence::Evidence;
use crate::analysis::diff::functions::{FunctionDiff, Row};
use crate::analysis::diff::headline::of_elapsed;
use crate::analysis::diff::metrics::Chosen;
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::diff::paths::{PathHalf, PathNode};
use crate::analysis::diff::requests::{By, Counts, RequestDiff, Times};
use crate::analysis::diff::{Compared, State, Two};
use crate::model::{Calls, MetricKey, Money, Profile, Request, Warning};

pub(super) fn write(c: &Comparison, gate: &Gate, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document { c, gate })?;
    out.write_all(b"\n")
}

struct Document<'a> {
    c: &'a Comparison,
    gate: &'a Gate,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let c = self.c;
        let mut map = to.serialize_map(None)?;
        for (key, value) in facts(c, self.gate).as_object().into_iter().flatten() {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("requests", &c.requests.as_ref().map(|diff| Requests { c, diff }))?;
        map.serialize_entry("rows", &List(|| rows(c)))?;
        let found = paths(c);
        map.serialize_entry("paths", &List(|| found.iter().map(|&i| path(c, i))))?;
        map.end()
    }
}

/// What there is one of.
fn facts(c: &Comparison, gate: &Gate) -> Value {
    let unit = c.metric(true).unit.key();
    let side = |side: &[super::Opened]| -> Value {
        let one = |o: &super::Opened| {
            let meta = &o.run.profile.meta;
            json!({
                "file": o.path.display().to_string(), "format": meta.format, "tool": meta.tool, "title": meta.title,
                "basis": meta.basis.key(), "duration_ns": o.overview.elapsed, "warnings": warnings(&o.run.profile),
            })
        };
        side.iter().map(one).collect()
    };
    let (m, words) = (&c.functions.matched, c.words());
    let keys = |keys: &[MetricKey]| keys.iter().map(|key| key.key.to_string()).collect::<Vec<_>>();
    json!({
        "base": side(&c.base),
        "head": side(&c.head),
        "same_bytes": c.same.iter().map(|same| json!({
            "file": same.file.display().to_string(), "same_as": same.other.display().to_string(),
            "counted_once": same.is_copy,
        })).collect::<Vec<_>>(),
        "headline": words.headline,
        "certainty": words.certainty,
        "comparable": c.chosen.why_not.is_none() && !c.is_other_program(),
        "why_not_comparable": c.chosen.why_not,
        "basis": c.profile(false).meta.basis.key(),
        "paths_estimated": c.paths.estimated,
        "metric": c.chosen.base.key,
        "unit": unit,
        "unit_base": unit,
        "unit_head": c.metric(false).unit.key(),
        "align": { "at": c.align.label(), "base_ns": c.moments.base, "head_ns": c.moments.head },
        "normalise": c.related.to.key(),
        "factor_base": c.related.factors.base,
        "factor_head": c.related.factors.head,
        "legend": c.related.factors.legend,
        "metrics": {
            "common": keys(&c.metrics.common),
            "only_base": keys(&c.metrics.only_base),
            "only_head": keys(&c.metrics.only_head),
        },
        "matched": { "rows": m.rows, "share_base": m.share_base, "share_head": m.share_head },
        "total": totals(c),
        "elapsed_ns": figure(c.elapsed(), None),
        "calls": two_counts(c.functions.calls),
        "settings": c.settings.iter().map(|s| json!({
            "kind": s.kind, "name": s.what, "base": s.values.base, "head": s.values.head, "note": s.note,
        })).collect::<Vec<_>>(),
        "results": c.results.iter().map(|t| json!({
            "title": t.title, "columns": t.columns,
            "rows": t.rows.iter().map(|(name, cells)| json!({
                "name": name,
                "cells": cells.iter().map(|c| json!({ "base": c.base, "head": c.head })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "optimisations": c.optimisations.steps.iter().map(|s| json!({
            "optimisation": s.lever.key(), "changed": s.changed, "also_changed": s.besides,
            "figures": c.optimisations.figures.iter().map(|f| json!({
                "name": f.name, "unit": f.unit.key(), "base": f.values.base, "head": f.values.head,
                "relative": f.values.relative(),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "heap_at_peak": c.heap.as_ref().as_ref().map(|heap| json!({
            "bytes": figure(heap.bytes, None), "time_ns": figure(heap.time, None),
            "outside_of_spans": figure(heap.outside, None), "other_paths": figure(heap.others, None),
            "paths": heap.holders.iter().map(|&node| json!({
                "path": heap.name(node, c.profile(true), c.profile(false)), "held": figure(heap.held(node), None),
            })).collect::<Vec<_>>(),
        })),
        "evidence": c.functions.evidence.as_ref().map(evidence),
        "evidence_of_elapsed": of_elapsed(&c.times()).as_ref().map(evidence),
        "gate": gate.0.iter().map(|j| json!({
            "condition": j.condition, "outcome": j.outcome.key(), "why": j.why,
        })).collect::<Vec<_>>(),
    })
}

fn warnings(profile: &Profile) -> Vec<Value> {
    let one = |w: &Warning| json!({ "kind": w.kind, "count": w.count, "first": w.first });
    profile.warnings.iter().map(one).collect()
}

/// base, head, delta and relative; of related costs where they are given.
fn figure(raw: Two<i64>, related: Option<Two<f64>>) -> Value {
    match related {
        None => {
            json!({ "base": raw.base, "head": raw.head, "delta": raw.delta(), "relative": raw.relative() })
        }
        Some(r) => json!({
            "base": raw.base, "head": raw.head, "delta": r.change(), "relative": r.relative_change(),
            "related_base": r.base, "related_head": r.head,
        }),
    }
}

fn two_counts(counts: Two<u64>) -> Value {
    figure(counts.map(|n| i64::try_from(n).unwrap_or(i64::MAX)), None)
}

fn evidence(e: &Evidence) -> Value {
    json!({
        "n_base": e.n_base, "n_head": e.n_head, "median_base": e.median_base, "median_head": e.median_head,
        "p": e.p, "p_alone": e.p_alone, "rows": e.rows, "smallest_p": e.smallest_p, "verdict": e.verdict.key(), "words": e.words(),
    })
}

/// The shown metric, then the others that both have.
fn all(c: &Comparison) -> impl Iterator<Item = (&Chosen, &FunctionDiff)> {
    std::iter::once((&c.chosen, &*c.functions)).chain(c.others.iter().map(|(chosen, diff)| (chosen, diff)))
}

fn related(c: &Comparison, costs: Two<f64>) -> Option<Two<f64>> {
    (c.related.to != Normalise::Nothing).then_some(costs)
}

fn totals(c: &Comparison) -> Value {
    let one = |(chosen, diff): (&Chosen, &FunctionDiff)| {
        let related = (c.related.to != Normalise::Nothing && c.related.to != Normalise::Call)
            .then(|| c.related.factors.apply(diff.sum));
        let mut value = figure(diff.sum, related);
        if chosen.why_not.is_some() {
            (value["delta"], value["relative"]) = (Value::Null, Value::Null);
        }
        value["evidence"] = diff.evidence.as_ref().map(evidence).into();
        (chosen.base.key.to_string(), value)
    };
    Value::Object(all(c).map(one).collect())
}

fn rows(c: &Comparison) -> impl Iterator<Item = Value> {
    let shown = c.functions.rows.iter().enumerate().map(|(i, r)| row(c, r, Some(i)));
    // Functions that cost nothing in the shown metric.
    let missing = c.others.iter().flat_map(|(_, other)| &other.rows);
    let missing = missing.filter(|r| c.functions.same_row(r).is_none()).map(|r| row(c, r, None));
    shown.chain(missing).take(c.top.unwrap_or(usize::MAX))
}

fn share(part: Option<i64>, whole: Option<i64>) -> Option<f64> {
    let whole = whole.filter(|&w| w != 0)?;
    Some(part? as f64 / whole as f64)
}

fn row(c: &Comparison, r: &Row, at: Option<usize>) -> Value {
    let (file, line) = c.place(r);
    let mut columns: [Map<String, Value>; 4] = Default::default();
    for (chosen, diff) in all(c) {
        let same = diff.same_row(r).and_then(|at| diff.rows.get(at as usize));
        let (own, total) = same.map_or_else(Default::default, |r| (r.own(), r.total()));
        let own = figure(own, same.and_then(|row| related(c, c.related.own(row))));
        let total = figure(total, same.and_then(|row| related(c, c.related.total(row))));
        for (column, name) in columns.iter_mut().zip(["base", "head", "delta", "relative"]) {
            let never = chosen.why_not.is_some() && matches!(name, "delta" | "relative");
            let value = |figure: &Value| if never { Value::Null } else { figure[name].clone() };
            column
                .insert(chosen.base.key.to_string(), json!({ "self": value(&own), "total": value(&total) }));
        }
    }
    let [base, head, delta, relative] = columns.map(Value::Object);
    let shares = Two {
        base: share(r.own().base, c.functions.whole.own.base),
        head: share(r.own().head, c.functions.whole.own.head),
    };
    let points = at.and_then(|_| {
        shares.state().map(|_| (shares.head.unwrap_or(0.0) - shares.base.unwrap_or(0.0)) * 100.0)
    });
    // Of a function in both runs that one of them does not count, the change is unknown.
    let counts = |of: fn(Calls) -> u64| {
        let counts = r.halves.and_then(|h| h.calls.map(of));
        let mut figure = two_counts(counts);
        if r.state() == State::Both && counts.state() != Some(State::Both) {
            figure["delta"] = Value::Null;
        }
        figure
    };
    json!({
        "name": c.name(r),
        "base_name": c.other_name(r),
        "file": file,
        "line": line,
        "state": r.state().key(),
        "moved": at.is_some_and(|at| c.moved[at]),
        "step": r.step.map(crate::query::Step::key),
        "base": base, "head": head, "delta": delta, "relative": relative,
        "share_base": at.and(shares.base), "share_head": at.and(shares.head), "points": points,
        "calls": counts(|c| c.all),
        "primitive_calls": counts(|c| c.primitive),
        "delta_by_calls": r.split().map(|s| s.0),
        "delta_by_time_per_call": r.split().map(|s| s.1),
        "evidence": r.evidence.as_ref().map(evidence),
    })
}

/// Paths that cost something by themselves, the most changed one first.
fn paths(c: &Comparison) -> Vec<u32> {
    let costs = |n: &PathNode| n.own().base.unwrap_or(0) != 0 || n.own().head.unwrap_or(0) != 0;
    let mut found: Vec<(u64, u32)> = (0u32..)
        .zip(c.paths.nodes())
        .filter(|(_, n)| costs(n))
        .map(|(i, n)| (n.own_change().unwrap_or(0).unsigned_abs(), i))
        .collect();
    found.sort_by_key(|&(size, i)| (std::cmp::Reverse(size), i));
    found.truncate(c.top.unwrap_or(usize::MAX));
    found.into_iter().map(|(_, i)| i).collect()
}

fn path(c: &Comparison, i: u32) -> Value {
    let node = c.paths.node(i);
    let mut names: Vec<String> = c.paths.ancestors(i).map(|n| frame(c, &c.paths.node(n))).collect();
    names.reverse();
    // A path that one side lacks has no cost there, and one that it takes without spending has 0.
    let state = node.state();
    let subtracts = c.chosen.why_not.is_none() && state.has_change();
    let shown = (&**c.chosen.base.key, node.own(), node.total(), subtracts);
    let others = c.path_costs.iter().map(|(key, costs)| {
        let at = |of: fn(&TreeCosts) -> &Vec<i64>| {
            let side =
                |half: Option<PathHalf>, costs: &TreeCosts| of(costs).get(half?.node as usize).copied();
            Two { base: side(node.halves.base, &costs[0]), head: side(node.halves.head, &costs[1]) }
        };
        (&**key.key, at(|c| &c.own), at(|c| &c.total), true)
    });
    let metrics: Vec<_> = std::iter::once(shown).chain(others).collect();
    let of = |is_change: bool, pick: &dyn Fn(Two<i64>) -> Value| -> Value {
        let metrics = metrics.iter().filter(|m| !is_change || m.3);
        metrics
            .map(|&(key, own, total, _)| (key.to_owned(), json!({ "self": pick(own), "total": pick(total) })))
            .collect()
    };
    let related = |two: Two<i64>| match c.related.to {
        Normalise::Nothing | Normalise::Call => (two.delta().into(), two.relative().into()),
        _ => {
            let r = c.related.factors.apply(two);
            (Value::from(r.change()), Value::from(r.relative_change()))
        }
    };
    json!({
        "path": names,
        "state": state.key(),
        "base": if node.halves.base.is_none() { Value::Null } else { of(false, &|two| two.base.into()) },
        "head": if node.halves.head.is_none() { Value::Null } else { of(false, &|two| two.head.into()) },
        "delta": if subtracts { of(true, &|two| related(two).0) } else { Value::Null },
        "relative": if subtracts { of(true, &|two| related(two).1) } else { Value::Null },
    })
}

fn frame(c: &Comparison, node: &PathNode) -> String {
    let half = node.halves.head.map(|h| (h, false)).or(node.halves.base.map(|h| (h, true)));
    half.map(|(half, base)| half.symbol.label(c.profile(base)).into_owned()).unwrap_or_default()
}

fn counts(counts: &Counts) -> Value {
    json!({
        "improved": counts.improved, "regressed": counts.regressed, "equal": counts.equal,
        "not_comparable": counts.not_comparable, "only_base": counts.only_base, "only_head": counts.only_head,
    })
}

struct Requests<'a> {
    c: &'a Comparison,
    diff: &'a RequestDiff,
}

impl Serialize for Requests<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (key, value) in requests(self.diff).as_object().into_iter().flatten() {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("rows", &List(|| request_rows(self.c, self.diff)))?;
        map.end()
    }
}

fn request_rows<'a>(c: &'a Comparison, r: &'a RequestDiff) -> impl Iterator<Item = Value> + 'a {
    let (base, head) = (c.profile(true), c.profile(false));
    r.rows.iter().map(move |row| {
        let both = row.of(base, head);
        let Two { base: b, head: h } = both;
        let name = h.map(|h| head.text(h.name)).or_else(|| b.map(|b| base.text(b.name)));
        let compares = both.ended_well().is_some();
        // What a failed request did not do is no change, and neither is what only one run has.
        let of = |f: &dyn Fn(&Request) -> Option<i64>| {
            let two = Two { base: b.and_then(f), head: h.and_then(f) };
            let known = compares && two.base.is_some() && two.head.is_some();
            json!({
                "base": two.base, "head": two.head,
                "delta": two.delta().filter(|_| known), "relative": two.relative().filter(|_| known),
            })
        };
        let [before, after] = c.costs_of(row);
        let mut cost = money(before, after);
        if !compares {
            cost["delta"] = Value::Null;
        }
        json!({
            "name": name,
            "paired_by": row.by.map(By::key),
            "outcome": { "base": b.map(|r| r.outcome), "head": h.map(|r| r.outcome) },
            "ttft_ns": of(&Request::ttft),
            "latency_ns": of(&Request::latency),
            "output_tokens": of(&|r| r.tokens.output.map(|n| n as i64)),
            "output_tokens_are": { "base": b.map(|r| r.accounting.output), "head": h.map(|r| r.accounting.output) },
            "cost_usd": cost,
        })
    })
}

/// Exact amounts of both sides.
fn money(base: Option<Money>, head: Option<Money>) -> Value {
    let text = |amount: Option<Money>| amount.map(|a| a.to_string());
    json!({ "base": text(base), "head": text(head), "delta": text(base.zip(head).map(|(b, h)| h - b)) })
}

fn requests(r: &RequestDiff) -> Value {
    let n = |two: Two<usize>| json!({ "base": two.base, "head": two.head });
    let at =
        |two: Two<Times>, of: fn(Times) -> f64| json!({ "base": two.base.map(of), "head": two.head.map(of) });
    json!({
        "count": n(r.count), "ok": n(r.ok), "failed": n(r.failed()), "priced": n(r.priced),
        "paired_by_order": r.by_order(),
        "cost_usd": money(r.cost.base, r.cost.head),
        "like_for_like": {
            "pairs": r.like_for_like,
            "priced_pairs": r.priced_like_for_like,
            "cost_usd": money(r.cost_like_for_like.base, r.cost_like_for_like.head),
            "ttft_p50_ns": at(r.ttft_like_for_like, |t| t.p50),
            "ttft_p95_ns": at(r.ttft_like_for_like, |t| t.p95),
            "latency_p50_ns": at(r.latency_like_for_like, |t| t.p50),
            "latency_p95_ns": at(r.latency_like_for_like, |t| t.p95),
        },
        "ttft": counts(&r.ttft),
        "latency": counts(&r.latency),
    })
}
