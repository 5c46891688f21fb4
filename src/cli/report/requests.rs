//! Requests to language models in reports: tokens by class, cost, and what they rest on.

use serde_json::{Map, Value, json};

use super::Report;
use crate::analysis::billing::{Sums, model_name};
use crate::analysis::cache_keys::{KeyFacts, Oddity};
use crate::analysis::caches::{CacheFigures, CacheKind};
use crate::analysis::components::Components;
use crate::analysis::latency::{Latency, PhaseSums};
use crate::analysis::overview::Distribution;
use crate::analysis::prices::Charge;
use crate::analysis::spending::Group;
use crate::format::{self, Page, short};
use crate::model::{Money, Profile, Request, RequestId, TokenCounts};

/// Most models that the text names.
const MOST_MODELS: usize = 8;

fn usd(money: Option<Money>) -> Option<String> {
    money.map(|m| m.to_string())
}

fn seconds(ns: Option<i64>) -> Option<f64> {
    ns.map(|ns| ns as f64 / 1e9)
}

/// Classes of tokens; null when nothing is known.
fn tokens(t: &TokenCounts) -> Value {
    if t.is_unknown() {
        return Value::Null;
    }
    json!({
        "input": t.input, "cache_read": t.cache_read,
        "cache_write_5m": t.cache_write_5m, "cache_write_1h": t.cache_write_1h,
        "output": t.output, "reasoning": t.reasoning,
    })
}

/// Parts of classes that cost something else; null when none is stated.
fn parts(t: &TokenCounts) -> Value {
    let parts = [
        ("audio_input", t.audio_input),
        ("image_input", t.image_input),
        ("tool_input", t.tool_input),
        ("audio_output", t.audio_output),
    ];
    let known = parts.into_iter().filter_map(|(name, n)| Some((name.to_owned(), n?.into())));
    let known: Map<String, Value> = known.collect();
    if known.is_empty() { Value::Null } else { Value::Object(known) }
}

/// What the program says of a request, by name.
fn attributes(p: &Profile, r: &Request) -> Map<String, Value> {
    r.attributes.iter().map(|(name, value)| (p.text(*name).to_owned(), p.text(*value).into())).collect()
}

/// What requests have in common, with figures over each group. A percentile is null where a group has too few values.
pub(super) fn groups(report: &Report) -> impl Iterator<Item = Value> + '_ {
    let spread = |d: Option<Distribution>| {
        d.map(|d| {
            json!({
                "n": d.n, "mean": d.mean, "min": d.min, "p50": d.percentile(50), "p90": d.percentile(90),
                "p99": d.percentile(99), "max": d.max,
            })
        })
    };
    let group = move |g: &Group, score: &str| {
        let f = g.figures.as_ref();
        let quality = g.quality.map(|(mean, n)| json!({ "score": score, "mean": mean, "n": n }));
        json!({
            "value": Some(short(&g.name, 200)).filter(|n| !n.is_empty()),
            "requests": g.sums.requests,
            "failed": f.map(|f| f.failed),
            "cancelled": f.map(|f| f.cancelled),
            "prompt_tokens": f.and_then(|f| f.prompt_tokens),
            "output_tokens": f.and_then(|f| f.output_tokens),
            "cost_usd": usd(g.sums.cost),
            "unpriced": g.sums.unpriced,
            "looked_up": g.looked_up.0,
            "answered_by_cache": g.looked_up.1,
            "quality": quality,
            "latency_ns": spread(f.and_then(|f| f.latency)),
            "ttft_ns": spread(f.and_then(|f| f.ttft)),
            "tpot_ns": spread(f.and_then(|f| f.tpot)),
        })
    };
    report.groups.iter().map(move |(facet, spent)| {
        json!({ "by": facet.name(), "groups": spent.groups.iter().map(|g| group(g, &spent.score)).collect::<Vec<_>>() })
    })
}

/// One request.
pub(super) fn row(report: &Report, number: usize, r: &Request) -> Value {
    let p = &*report.profile;
    let text = |id| Some(p.text(id)).filter(|t| !t.is_empty());
    let charge = &report.billing.charges[number];
    let chunks =
        r.chunks.map(|c| u64::from(c.with_output)).or(Some(r.token_times.len() as u64).filter(|n| *n > 0));
    let mut row = json!({
        "name": p.text(r.name),
        "model": charge.priced_as(&report.prices).unwrap_or_else(|| model_name(p, r)),
        "response_model": text(r.model),
        "requested_model": text(r.requested_model),
        "provider": text(r.provider),
        "tier": text(r.tier),
        "requested_tier": text(r.requested_tier),
        "tokens": tokens(&r.tokens),
        "token_parts": parts(&r.tokens),
        "prompt_total": r.tokens.prompt(),
        "total": r.tokens.total(),
        "source_total": r.accounting.stated_total,
        "totals_agree": r.accounting.agrees(&r.tokens),
        "origin": { "input": r.accounting.input, "output": r.accounting.output },
        "input_count": r.accounting.input_count,
        "input_count_decided_by": r.accounting.decided_by,
        "why": Some(if charge.why.is_empty() { p.text(r.tokens_why) } else { &charge.why }).filter(|w| !w.is_empty()),
    });
    let money = cost(report, charge);
    let times = json!({
        "latency_s": seconds(r.latency()),
        "ttft_s": seconds(r.ttft()),
        "ttft_is": r.began().map(|_| if r.first_token.is_some() { "first token" } else { "first chunk" }),
        "ttfo_s": seconds(r.ttfo()),
        "tpot_s": r.tpot().map(|ns| ns / 1e9),
        "queue_s": seconds(r.queued()),
        "load_s": seconds(r.phases.load),
        "prefill_s": seconds(r.phases.prefill),
        "decode_s": seconds(r.phases.decode),
        "unaccounted_s": seconds(r.unaccounted()),
        "prefill_tokens_per_s": r.prefill_rate(),
        "decode_tokens_per_s": r.decode_rate(),
        "dated": !r.undated,
        "arrived_ns": r.arrived,
        "scheduled_ns": r.scheduled,
        "first_byte_ns": r.first_byte,
        "first_chunk_ns": r.first_chunk,
        "first_token_ns": r.first_token,
        "first_output_ns": r.first_output,
        "last_token_ns": r.last_token.or(r.token_times.last().copied()),
        "finished_ns": r.finished,
        "ttft_ns": r.ttft(),
        "waited_ns": r.waited(),
        "lost_ns": r.lost(),
        "tpot_ns": r.tpot(),
    });
    let rest = json!({
        "retries": r.retries.iter().map(|t| json!({
            "began_ns": t.began, "failed_ns": t.failed, "again_ns": t.again, "reason": p.text(t.reason),
        })).collect::<Vec<_>>(),
        "estimated_by_chunks": r.is_estimated(),
        "chunks": chunks,
        "first_token_chunk": r.chunks.and_then(|c| c.first_token),
        "first_output_chunk": r.chunks.and_then(|c| c.first_output),
        "web_searches": r.searches,
        "kv_cache_bytes": r.kv_cache_bytes,
        "outcome": r.outcome,
        "cache": r.cache,
        "similarity": r.similarity,
        "batch": r.batch,
        "attributes": attributes(p, r),
        "slow": report.slow.get(&RequestId::from_index(number)).map(|s| json!({
            "cause": s.cause.short(), "over_median_ns": s.over, "explained_ns": s.explained,
        })),
        "error": text(r.error),
        "prompt": text(r.prompt),
        "completion": text(r.completion),
    });
    if let Value::Object(row) = &mut row {
        for part in [money, times, rest] {
            row.extend(part.as_object().cloned().unwrap_or_default());
        }
    }
    row
}

fn cost(report: &Report, charge: &Charge) -> Value {
    let priced = charge.priced.as_ref();
    let price = charge.resolved.as_ref().filter(|_| priced.is_some()).map(|found| {
        let table = &report.prices.tables()[found.table];
        let entry = &table.entries()[found.entry];
        json!({
            "table": table.source, "as_of": table.as_of, "carried": table.carried, "model": entry.name, "provider": entry.provider,
            "step": found.step, "found_by": found.step.words(), "above": priced.and_then(|p| p.above),
            "tier": priced.map(|p| &p.tier).filter(|t| !t.is_empty()),
        })
    });
    json!({
        "cost_usd": usd(charge.cost),
        "cost_stated_by_source": charge.stated,
        "cost_in_another_currency": charge.elsewhere.as_ref().map(|(name, m)| json!({ "currency": name, "cost": m.to_string() })),
        "cost_is_about": priced.is_some_and(|p| !charge.stated && !p.about.is_empty()),
        "cost_about_because": priced.map(|p| &p.about),
        "cost_at_least_usd": usd(charge.at_least),
        "answered_locally": charge.answered_locally,
        "list_price_usd": usd(priced.map(|p| p.parts.sum())),
        "cost_parts_usd": priced.map(|p| json!({
            "input": p.parts.input.to_string(), "cache_read": p.parts.cache_read.to_string(),
            "cache_write": p.parts.cache_write.to_string(), "output": p.parts.output.to_string(),
            "other": p.parts.other.to_string(),
        })),
        "no_cache_usd": usd(priced.map(|p| p.no_cache)),
        "not_priced": priced.map(|p| &p.left_out),
        "price": price,
    })
}

/// Sums of tokens over all requests.
pub(super) fn token_sums(report: &Report) -> Value {
    let all = &report.billing.all;
    let mut sums = counts(all);
    if let Value::Object(sums) = &mut sums {
        sums.insert("requests".into(), all.requests.into());
        sums.insert("incomplete".into(), all.incomplete.into());
        sums.insert("components".into(), components(&report.components));
        sums.insert("source_totals_that_disagree".into(), report.billing.disagreeing.into());
    }
    sums
}

/// Parts of prompts: about right, but for the output.
fn components(c: &Components) -> Value {
    let sums: Map<String, Value> = c
        .sums
        .iter()
        .map(|s| {
            let value = json!({
                "tokens": s.tokens, "share": c.share(s), "same_as_before": s.fixed, "requests": s.requests,
                "cost_usd_about": s.cost,
            });
            (s.component.key().to_owned(), value)
        })
        .collect();
    json!({
        "sums": sums,
        "prompts_kept": c.kept,
        "prompts_without_a_count": c.guessed,
        "counted_by": "the count of each prompt, shared out by characters",
        "context_window": c.windows.map(|w| json!({
            "fullest_share": w.share.max, "median_share": w.share.p50, "fullest_request": w.fullest.index(),
            "tokens": w.tokens, "window": w.window, "above_80_percent": w.nearly_full,
        })),
    })
}

fn counts(s: &Sums) -> Value {
    json!({
        "input": s.input, "cache_read": s.cache_read,
        "cache_write_5m": s.cache_write_5m, "cache_write_1h": s.cache_write_1h,
        "prompt_total": s.prompt(), "output": s.output, "reasoning": s.reasoning,
    })
}

/// What everything cost, by model, and what if.
pub(super) fn cost_sums(report: &Report) -> Value {
    let all = &report.billing.all;
    let models = report.billing.models.iter().map(|m| {
        json!({
            "model": m.model, "requests": m.sums.requests, "unpriced": m.sums.unpriced,
            "cost_usd": usd(m.sums.cost), "is_about": m.sums.about, "tokens": counts(&m.sums),
        })
    });
    let tables = report.prices.tables().iter().map(|t| {
        let unread: Map<String, Value> = t.unread.iter().map(|(field, n)| (field.clone(), (*n).into())).collect();
        json!({ "source": t.source, "as_of": t.as_of, "carried": t.carried, "models": t.entries().len(), "fields_not_read": unread })
    });
    json!({
        "total_usd": usd(all.cost),
        "other_currencies": all.elsewhere.iter().map(|(name, m)| (name.clone(), m.to_string().into())).collect::<Map<_, Value>>(),
        "is_about": all.about,
        "priced": all.requests - all.unpriced,
        "unpriced": all.unpriced,
        "models": models.collect::<Vec<_>>(),
        "what_if": {
            "as_billed_usd": usd(all.as_billed),
            "no_cache_usd": usd(all.no_cache),
            "no_cache_is": "all input tokens at the input price",
            "best_cache_usd": usd(all.best_cache),
            "best_cache_is": "what was written to caches read from them instead, but for the first write of each model",
        },
        "tables": tables.collect::<Vec<_>>(),
    })
}

/// Where the time goes. Lengths are seconds, percentiles ns.
pub(super) fn latency(l: &Latency) -> Value {
    let s = |ns: i64| ns as f64 / 1e9;
    let phases = |sums: &PhaseSums| {
        let mut phases: Map<String, Value> =
            sums.phases.iter().map(|p| (p.name.clone(), s(p.time).into())).collect();
        phases.insert("total".into(), s(sums.total).into());
        phases
    };
    let bottleneck = |sums: &PhaseSums| {
        let found = sums.bottleneck();
        found.map(|(phase, share)| json!({ "phase": phase.name, "seconds": s(phase.time), "share": share }))
    };
    let first = &l.first_token;
    let spreads: Map<String, Value> = l
        .spreads
        .iter()
        .map(|spread| (format!("{}_ns", spread.name), super::json::distribution(spread.values.as_ref())))
        .collect();
    json!({
        "phases_s": phases(&l.of_requests),
        "phases_are_of": "the requests that ended well",
        "bottleneck": bottleneck(&l.of_requests),
        "run": l.of_run.as_ref().map(|sums| json!({
            "phases_s": phases(sums), "phases_overlap": sums.overlap, "bottleneck": bottleneck(sums),
            "phases_are_of": "the time of the run, as the recording names them",
        })),
        "ttft_s": (first.requests > 0).then(|| json!({
            "requests": first.requests, "total": s(first.total), "cache_lookup": first.lookup.map(s),
            "queue": first.queue.map(s), "load": first.load.map(s), "prefill": first.prefill.map(s), "rest": s(first.rest),
        })),
        "percentiles": spreads,
        "percentiles_are": "interpolated linearly between the closest ranks",
        "average_concurrency": l.average_concurrency,
        "activity_s": l.activity.parts().into_iter().map(|(name, ns)| (name.to_owned(), s(ns).into())).collect::<Map<_, Value>>(),
    })
}

/// What caches did, by kind.
pub(super) fn caches(all: &[CacheFigures], keys: &KeyFacts) -> Value {
    let kind = |c: &CacheFigures| {
        let s = |ns: Option<f64>| ns.map(|ns| ns / 1e9);
        let answers = c.kind == CacheKind::Answers;
        json!({
            "hits": c.hits, "misses": c.misses, "untold": c.untold, "hit_rate": c.hit_rate,
            "avg_hit_latency": s(c.hit_latency), "avg_miss_latency": s(c.miss_latency),
            "latency_improvement": c.latency_improvement(), "cost_saved": usd(c.saved_cost),
            "exact": answers.then_some(c.exact), "semantic": answers.then(|| c.hits - c.exact),
            "saved_latency": s(c.saved_latency()), "saved_tokens": c.saved_tokens,
            "latency_is": if answers { "of whole requests, s" } else { "to the first token, s" },
            "age_at_hit_ns": super::json::distribution(c.age.as_ref()),
            "definition": c.kind.definition(),
        })
    };
    let mut kinds: Map<String, Value> = all.iter().map(|c| (c.kind.key().to_owned(), kind(c))).collect();
    if keys.stated > 0 {
        let odd = |list: &[Oddity]| {
            list.iter()
                .map(|o| json!({ "requests": o.requests.map(|id| id.index()), "different": o.different }))
                .collect::<Vec<_>>()
        };
        let told = json!({
            "requests": keys.stated, "distinct": keys.distinct, "fields": keys.fields, "missing_fields": keys.missing(),
            "repeated_requests": keys.repeated, "unstable": odd(&keys.unstable), "collisions": odd(&keys.collisions),
        });
        kinds.insert("keys".into(), told);
    }
    Value::Object(kinds)
}

/// Lines on tokens and money, below the figures of requests.
pub(super) fn text(out: &mut Page, report: &Report) {
    let l = &report.latency;
    for (of, sums) in [("bottleneck", Some(&l.of_requests)), ("bottleneck of the run", l.of_run.as_ref())] {
        if let Some((sums, (phase, share))) = sums.and_then(|sums| Some((sums, sums.bottleneck()?))) {
            out.line(format_args!(
                "  {of}: {} {}, {} of {}",
                phase.name,
                format::duration(phase.time),
                format::percent(share),
                format::duration(sums.total)
            ));
        }
    }
    for c in report.caches.iter() {
        let rate = c.hit_rate.map_or_else(|| format::UNKNOWN.to_owned(), format::percent);
        let saved = c.saved_latency().map(|ns| format!(", {} saved", format::duration(ns.round() as i64)));
        let money = c.saved_cost.map(|m| format!(", {} saved", format::money(m)));
        out.line(format_args!(
            "  cache of {}: {}, {}, {rate}{}{}",
            match c.kind {
                CacheKind::Answers => "answers",
                CacheKind::Prompt => "prompts",
                CacheKind::Kv => "the server (KV)",
            },
            format::counted(c.hits as i64, "hit", "hits"),
            format::counted(c.misses as i64, "miss", "misses"),
            saved.unwrap_or_default(),
            money.unwrap_or_default()
        ));
    }
    let (bill, all) = (&report.billing, &report.billing.all);
    let count = |n: u64| format::count(n as i64);
    if all.prompt() > 0 {
        let mut classes = vec![format!("{} uncached", count(all.input))];
        let written = all.cache_write_5m.saturating_add(all.cache_write_1h);
        let more = [(all.cache_read, "read from a cache"), (written, "written to one")];
        classes.extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))));
        out.line(format_args!("  input {}", classes.join(", ")));
    }
    if all.incomplete > 0 {
        out.line(format_args!(
            "  {} without complete token counts, which are in no sum: {}",
            format::counted(all.incomplete as i64, "request", "requests"),
            first_reason(report)
        ));
    }
    if bill.disagreeing > 0 {
        let n = format::counted(bill.disagreeing as i64, "request", "requests");
        out.line(format_args!(
            "  source totals of {n} are not the sum of their parts (`report --json`: totals_agree)"
        ));
    }
    for (currency, money) in &all.elsewhere {
        out.line(format_args!("  cost {money} {currency}, in no sum of dollars"));
    }
    let Some(cost) = all.cost_text() else { return };
    let unpriced =
        if all.unpriced > 0 { format!(", {} unpriced", count(all.unpriced as u64)) } else { String::new() };
    out.line(format_args!("  cost {cost}{unpriced}"));
    if bill.models.len() > 1 {
        for m in bill.models.iter().take(MOST_MODELS) {
            let cost = m.sums.cost_text().unwrap_or_else(|| "unpriced".to_owned());
            out.line(format_args!(
                "    {:<32} {cost:>12}  {}",
                short(&m.model, 32),
                format::counted(m.sums.requests as i64, "request", "requests")
            ));
        }
    }
    if let (Some(billed), Some(without), Some(best)) = (all.as_billed, all.no_cache, all.best_cache)
        && billed != without
    {
        out.line(format_args!(
            "  by list prices{} {}; {} had nothing been cached; {} had all writes but the first been reads",
            all.listed_words(),
            format::money(billed),
            format::money(without),
            format::money(best)
        ));
    }
    let used = bill.charges.iter().filter(|c| c.priced.is_some()).filter_map(|c| c.resolved.as_ref());
    let mut tables: Vec<usize> = used.map(|found| found.table).collect();
    tables.sort_unstable();
    tables.dedup();
    for table in tables.iter().map(|t| &report.prices.tables()[*t]) {
        let as_of = if table.as_of.is_empty() { String::new() } else { format!(", as of {}", table.as_of) };
        out.line(format_args!("  prices: {}{as_of}", table.source));
    }
}

/// Why the first request without complete counts has none.
fn first_reason(report: &Report) -> &str {
    let p: &Profile = &report.profile;
    let reasons = p.requests.rows.iter().map(|r| p.text(r.tokens_why));
    reasons.into_iter().find(|why| !why.is_empty()).unwrap_or("nobody counted them")
}
