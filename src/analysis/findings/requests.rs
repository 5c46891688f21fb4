//! What the calls of a language model say.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{Noted, prompt_cache};
use crate::analysis::asked::Asked;
use crate::analysis::billing::{Bill, Billing, NOT_CONVERTED, PRICED_IN};
use crate::analysis::caches::{CacheKind, Caches};
use crate::analysis::intervals::covered;
use crate::analysis::latency::{Latency, RequestLatency};
use crate::analysis::levers::Lever;
use crate::analysis::overview::Distribution;
use crate::analysis::prices::{Charge, Prices};
use crate::analysis::repeats::{RepeatedPrompts, Repeats};
use crate::analysis::requests::reasons;
use crate::analysis::slo::{SlowRequests, Slowest};
use crate::analysis::spending::{Spending, Spent};
use crate::analysis::token_facts::{Facts, TokenFacts};
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Money, Outcome, Profile, Request, RequestId, Severity, Span};
use crate::query::Context;

/// Requests that a statement about most of them needs.
const ENOUGH: usize = 5;
/// Tokens that a prompt needs for a provider to cache it, as most of them say.
const CACHEABLE: f64 = 1024.0;

pub(super) fn find(cx: &Context<'_>, prices: &Prices) -> Result<Vec<Noted>, Cancelled> {
    let profile = cx.profile();
    let asked = Asked::all(prices);
    let latency = cx.get(&RequestLatency { asked: asked.clone() })?;
    let bill = cx.get(&Bill { prices: prices.clone() })?;
    let spent = cx.get(&Spending { asked: asked.clone(), ..Spending::default() })?;
    let repeats = cx.get(&RepeatedPrompts { asked: asked.clone() })?;
    let facts = cx.get(&TokenFacts { asked: asked.clone() })?;
    let caches = cx.get(&Caches { asked: asked.clone() })?;
    let slow = cx.get(&SlowRequests { asked })?;
    let mut out = Vec::new();
    out.extend(queue(profile, &latency));
    out.extend(retries(profile));
    out.extend(throttled(profile));
    out.extend(failures(profile, &bill));
    out.extend(again(profile, &repeats));
    out.extend(common_beginning(profile, &bill, &repeats, &facts));
    out.extend(prompt_cache::find(cx, &bill)?);
    for c in caches.iter().filter(|c| c.kind == CacheKind::Prompt) {
        out.extend(writes_for_nothing(profile, c.saved_cost, &spent));
    }
    out.extend(reasoning(profile, &bill, &spent));
    out.extend(price_step(profile, &bill));
    out.extend(unpriced(profile, &spent));
    out.extend(totals(&facts));
    out.extend(outliers(profile, &slow));
    out.extend(one_after_the_other(profile));
    Ok(out)
}

/// A few answers of a model take several times as long as the others.
fn outliers(profile: &Profile, slow: &Slowest) -> Option<Noted> {
    // Each model once, in the order of their slowest requests.
    let mut looked_at = Vec::new();
    let (first, d) = slow.rows.iter().find_map(|slow| {
        let model = profile.requests.get(slow.request)?.model;
        if looked_at.contains(&model) {
            return None;
        }
        looked_at.push(model);
        let done = profile.requests.rows.iter().filter(|r| r.model == model && r.outcome == Outcome::Ok);
        let d = Distribution::of(done.filter_map(|r| r.latency().map(|ns| ns as f64)).collect())?;
        // Where a quarter takes that long they are of two kinds rather than a few.
        let few = d.n >= 20 && d.p50 > 0.0 && d.p99 > 4.0 * d.p50 && d.p75 <= 2.0 * d.p50;
        few.then_some((slow, d))
    })?;
    let time = |ns: f64| format::duration(ns.round() as i64);
    let model = profile.text(profile.requests.get(first.request)?.model);
    let of = match slow.medians.len() {
        1 => String::new(),
        _ => format!(" of {}", if model.is_empty() { "requests without a model" } else { model }),
    };
    let text = format!(
        "p99 of the latency{of} is {}, {} the median, {}. The slowest: {}.",
        time(d.p99),
        format::factor(d.p99 / d.p50),
        time(d.p50),
        first.cause.words()
    );
    let advice = "Latency lists the slowest with what made them slow";
    let mut noted = Noted::new("A few requests take much longer", Severity::Info, text, advice);
    noted.request = Some(first.request);
    Some(noted)
}

/// The first token waits in a queue for longer than for all else.
fn queue(profile: &Profile, latency: &Latency) -> Option<Noted> {
    let first = &latency.first_token;
    let queue = first.queue.filter(|queue| queue.saturating_mul(2) > first.total)?;
    if first.requests < ENOUGH {
        return None;
    }
    let mean = |ns: i64| format::duration((ns as f64 / first.requests as f64).round() as i64);
    let text = format!(
        "{} of the time to first token is waiting: {} of {} on average.",
        format::percent(queue as f64 / first.total as f64),
        mean(queue),
        mean(first.total)
    );
    let advice = "More workers, a larger batch, or fewer requests at once";
    let mut noted =
        Noted::new("Requests wait in the queue", Severity::Warning, text, advice).on(Lever::Batching);
    // Requests wait at the same time.
    let waits = profile.requests.rows.iter().filter_map(|r| {
        let queued = r.queued().filter(|_| !r.undated)?;
        Some((r.waits_from(), r.waits_from().saturating_add(queued)))
    });
    let most = covered(waits.collect(), None).min(queue);
    noted.gain.time = Some(sooner(profile, most, |_, r| r.queued().unwrap_or(0))).filter(|t| *t > 0);
    Some(noted)
}

/// How much sooner the last request could end at most, ns, if each took less by what `saves` says: no more than `most`, the time in
/// which any of it was spent. Where requests come when others ended, they would come earlier; where they come by themselves, the last
/// ones come no earlier.
fn sooner(profile: &Profile, most: i64, saves: impl Fn(RequestId, &Request) -> i64) -> i64 {
    let rows = &profile.requests.rows;
    let dated = || rows.iter().enumerate().filter(|(_, r)| !r.undated && r.finished.is_some());
    let mut ends: Vec<i64> = dated().filter_map(|(_, r)| r.finished).collect();
    ends.sort_unstable();
    let (Some(first), Some(last)) = (ends.first().copied(), ends.last().copied()) else { return most };
    let follows = |r: &Request| {
        let end = ends[..ends.partition_point(|end| *end <= r.arrived)].last();
        end.is_some_and(|end| (r.arrived - end) * 50 <= r.latency().unwrap_or(0))
    };
    let later = dated().filter(|(_, r)| r.arrived >= first);
    let (after, all) =
        later.fold((0usize, 0usize), |(after, all), (_, r)| (after + usize::from(follows(r)), all + 1));
    if after * 2 > all {
        return most;
    }
    let ends = dated().map(|(i, r)| {
        let saved = saves(RequestId::from_index(i), r).clamp(0, r.latency().unwrap_or(0).max(0));
        r.finished.unwrap_or(r.arrived).saturating_sub(saved)
    });
    most.min(last.saturating_sub(ends.max().unwrap_or(last)))
}

/// Attempts that failed and were repeated.
fn retries(profile: &Profile) -> Option<Noted> {
    let rows = || profile.requests.rows.iter().enumerate().filter(|(_, r)| !r.retries.is_empty());
    let (first, example) = rows().max_by_key(|(_, r)| r.lost())?;
    let attempts: usize = rows().map(|(_, r)| r.retries.len()).sum();
    let lost = rows().fold(0i64, |sum, (_, r)| sum.saturating_add(r.lost()));
    let reasons = reasons(profile, example);
    let took = match lost {
        0 => format!("How long they took is not known. One request: {reasons}."),
        _ => format!(
            "They and the waits took {}; most in one request, {} ({reasons}).",
            format::duration(lost),
            format::duration(example.lost()),
        ),
    };
    let text = format!(
        "{} of {} failed and {} repeated. {took}",
        format::counted(attempts as i64, "attempt", "attempts"),
        format::counted(rows().count() as i64, "request", "requests"),
        if attempts == 1 { "was" } else { "were" },
    );
    let advice = "Fewer requests at once, or a higher limit; wait as long as the server says";
    let mut noted =
        Noted::new("Attempts failed and were repeated", Severity::Warning, text, advice).on(Lever::Requests);
    let waits = rows().flat_map(|(_, r)| r.retries.iter().map(|t| (t.began, t.again)));
    let most = covered(waits.collect(), None).min(lost);
    noted.gain.time = Some(sooner(profile, most, |_, r| r.lost())).filter(|t| *t > 0);
    noted.request = Some(RequestId::from_index(first));
    Some(noted)
}

/// Refused because there were too many, as its status, type or words tell. Numbers and names that only look so («8429 tokens»,
/// `req_4290ab`, `rate_limiter`) are none.
fn is_throttled(profile: &Profile, r: &Request) -> bool {
    static SIGNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let status =
            r"\b(?:https?(?:/[\d.]+)?|status|code|error)[\W_]{0,3}(?:(?:status|code)[\W_]{0,3}){0,2}429\b";
        let first = r"^\s*429\s*(?:$|[^\w\s]|too\b|rate\b|client\b|resource\b|quota\b)";
        let words = r"too[ _-]?many[ _-]?requests|\brate[ _-]?limit(?:ed|s)?\b|rate_?limit_?(?:error|exceeded|reached)";
        let types = r"\bthrottl(?:ed|ing)|resource[ _-]?exhausted";
        // A pattern of ours that cannot be read finds nothing.
        Regex::new(&format!("(?i){status}|{first}|{words}|{types}")).ok()
    });
    let error = profile.text(r.error);
    r.outcome == Outcome::Error && SIGNS.as_ref().is_some_and(|signs| signs.is_match(error))
}

/// Requests that were refused because there were too many, and that nothing repeated within them.
fn throttled(profile: &Profile) -> Option<Noted> {
    let rows = &profile.requests.rows;
    let refused: Vec<usize> = (0..rows.len()).filter(|&i| is_throttled(profile, &rows[i])).collect();
    let (count, first) = (refused.len(), *refused.first()?);
    let text = format!(
        "{} of {} refused for being too many: {}.",
        format::count(count as i64),
        format::counted(rows.len() as i64, "request was", "requests were"),
        format::short(profile.text(rows[first].error), 160)
    );
    let advice = "Fewer requests at once, or a higher limit; wait as long as the server says";
    let mut noted = Noted::new("The provider throttles", Severity::Warning, text, advice).on(Lever::Requests);
    noted.request = Some(RequestId::from_index(first));
    Some(noted)
}

/// Requests that ended badly, those apart that were too many.
fn failures(profile: &Profile, bill: &Billing) -> Option<Noted> {
    let rows = &profile.requests.rows;
    let is_failure = |r: &Request| r.outcome == Outcome::Error && !is_throttled(profile, r);
    let failed = || rows.iter().enumerate().filter(|(_, r)| is_failure(r));
    let (first, request) = failed().next()?;
    let paid: Option<Money> =
        failed().filter_map(|(i, _)| bill.charges[i].cost.filter(|c| *c > Money::ZERO)).reduce(|a, b| a + b);
    let mut text = format!(
        "{} of {} failed",
        format::count(failed().count() as i64),
        format::counted(rows.len() as i64, "request", "requests")
    );
    let why = profile.text(request.error);
    if !why.is_empty() && why != "failed" {
        text += &format!(", the first one so: {}", format::short(why, 160));
    }
    if let Some(paid) = paid {
        text += &format!("; {} were paid for them", format::money(paid));
    }
    text.push('.');
    let advice = "Requests, sorted by outcome, lists them";
    let mut noted = Noted::new("Requests failed", Severity::Warning, text, advice);
    noted.gain.money = paid;
    noted.request = Some(RequestId::from_index(first));
    Some(noted)
}

/// The same was asked again and again.
fn again(profile: &Profile, r: &Repeats) -> Option<Noted> {
    if r.again < 3 || r.again * 20 < r.kept {
        return None;
    }
    let asked = profile.requests.rows.iter().any(|r| r.cache.is_some());
    let cost = r.again_cost.filter(|c| *c > Money::ZERO).map(|c| format!(", {}", format::money(c)));
    let text = format!(
        "{} of {} prompts had been asked word for word before{}: {}{}.",
        format::count(r.again as i64),
        format::count(r.kept as i64),
        match r.at_once {
            0 if asked => " and missed the cache".to_owned(),
            0 => String::new(),
            n => format!(" ({} while the first was still being answered)", format::count(n as i64)),
        },
        format::duration(r.again_time),
        cost.unwrap_or_default()
    );
    let advice = if r.at_once * 2 > r.again {
        "Let what asks the same at the same time wait for the first answer"
    } else if asked {
        "Look at the key: what is in it that differs each time?"
    } else {
        "A cache of answers, where the same question may get the same answer"
    };
    let mut noted = Noted::new("The same is asked again", Severity::Info, text, advice).on(Lever::Caching);
    (noted.gain.time, noted.gain.money) = (Some(r.again_alone).filter(|t| *t > 0), r.again_cost);
    Some(noted)
}

/// What requests would have cost less with this share of each prompt but the first one read from the provider's cache; `None`
/// where no list price tells.
pub(super) fn read_instead<'a>(
    rows: impl Iterator<Item = (&'a Request, &'a Charge)>,
    share: f64,
) -> Option<Money> {
    let saved = rows.skip(1).filter_map(|(r, charge)| {
        let priced = charge.priced.as_ref().filter(|_| !charge.answered_locally)?;
        let prompt = r.tokens.prompt().filter(|n| *n > 0)?;
        let more = (share - r.tokens.cache_read.unwrap_or(0) as f64 / prompt as f64).max(0.0);
        Some((priced.no_cache - priced.from_cache).to_f64() * more)
    });
    let saved: f64 = saved.sum();
    (saved > 0.0).then(|| Money::from_nano((saved * 1e9).round() as i64))
}

/// Prompts begin alike and are not read from a cache.
fn common_beginning(profile: &Profile, bill: &Billing, r: &Repeats, facts: &Facts) -> Option<Noted> {
    let (same, read) = (r.beginning()?, r.read_share?);
    let mean = facts.prompt?.mean;
    if r.kept < ENOUGH || same < 0.5 || mean * same < CACHEABLE || read >= 0.5 * same {
        return None;
    }
    let text = format!(
        "≈ {} of the prompts begins as an earlier one, {} of the input tokens was read from a cache. A prompt has {} tokens on average.",
        format::percent(same),
        format::percent(read),
        format::count(mean.round() as i64)
    );
    let advice = "Keep what stays the same first and unchanged (no date, no id in it), and ask the provider to cache it";
    let mut noted =
        Noted::new("A common beginning is not cached", Severity::Warning, text, advice).on(Lever::Caching);
    noted.gain.money = read_instead(profile.requests.rows.iter().zip(&bill.charges), same);
    Some(noted)
}

/// Writing to the prompt cache costs more than reading saves.
fn writes_for_nothing(profile: &Profile, saved: Option<Money>, spent: &Spent) -> Option<Noted> {
    let lost = Money::ZERO - saved.filter(|saved| *saved < Money::ZERO)?;
    let sums = &spent.all.sums;
    // The first one of each prompt has to write: whether that pays shows when others follow.
    let uses =
        |r: &&Request| [r.tokens.cache_read, r.tokens.cache_write()].into_iter().flatten().any(|n| n > 0);
    if profile.requests.rows.iter().filter(uses).count() < ENOUGH {
        return None;
    }
    let text = format!(
        "{} tokens were written to the prompt cache and {} read from it: {} more than without it.",
        format::count(sums.cache_write_5m.saturating_add(sums.cache_write_1h) as i64),
        format::count(sums.cache_read as i64),
        format::money(lost)
    );
    let advice = "What changes before the cached part breaks it; entries live for minutes; cache only what is asked again soon";
    let mut noted = Noted::new("The prompt cache costs more than it saves", Severity::Warning, text, advice)
        .on(Lever::Caching);
    noted.gain.money = Some(lost);
    Some(noted)
}

/// Most output is reasoning.
fn reasoning(profile: &Profile, bill: &Billing, spent: &Spent) -> Option<Noted> {
    let sums = &spent.all.sums;
    if sums.requests < ENOUGH || sums.output == 0 || sums.reasoning.saturating_mul(2) <= sums.output {
        return None;
    }
    let share = sums.reasoning as f64 / sums.output as f64;
    // Each at the price of its own model.
    let (mut output, mut reasoning) = (Money::ZERO, 0.0);
    for (r, charge) in profile.requests.rows.iter().zip(&bill.charges) {
        let Some(priced) = charge.priced.as_ref().filter(|_| !charge.answered_locally) else { continue };
        output = output + priced.parts.output;
        if let (Some(part), Some(all)) = (r.tokens.reasoning, r.tokens.output.filter(|n| *n > 0)) {
            reasoning += priced.parts.output.to_f64() * part.min(all) as f64 / all as f64;
        }
    }
    let cost = (output > Money::ZERO).then(|| {
        let list = if bill.charges.iter().any(|c| c.stated) { " by list prices" } else { "" };
        format!(", ≈ {} of {}{list}", format::dollars((reasoning * 1e9) as i64), format::money(output))
    });
    let text = format!(
        "{} of {} output tokens are reasoning{}.",
        format::percent(share),
        format::count(sums.output as i64),
        cost.unwrap_or_default()
    );
    let advice = "A lower effort of reasoning where answers stay good enough";
    let mut noted = Noted::new("Most output is reasoning", Severity::Info, text, advice).on(Lever::Requests);
    noted.gain.money = Some(Money::from_nano((reasoning * 1e9).round() as i64));
    Some(noted)
}

/// Prompts for which a higher price holds.
fn price_step(profile: &Profile, bill: &Billing) -> Option<Noted> {
    let above = |i: usize| bill.charges[i].priced.as_ref().and_then(|p| p.above);
    let over: Vec<usize> = (0..profile.requests.rows.len()).filter(|&i| above(i).is_some()).collect();
    let first = *over.first()?;
    let cost: Money = over.iter().filter_map(|&i| bill.charges[i].cost).sum();
    // Models have different steps.
    let mut steps: BTreeMap<u64, i64> = BTreeMap::new();
    over.iter().filter_map(|&i| above(i)).for_each(|step| *steps.entry(step).or_default() += 1);
    let text = steps
        .iter()
        .map(|(step, n)| {
            let have = format::counted(*n, "request has", "requests have");
            format!("{have} more than {} tokens of prompt", format::count(*step as i64))
        })
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!("{text}: a higher price holds for all tokens. Together {}.", format::money(cost));
    let advice = "Shorter prompts, or two requests below the step";
    let mut noted =
        Noted::new("Prompts above a step of the price", Severity::Info, text, advice).on(Lever::Requests);
    let more = over.iter().filter_map(|&i| bill.charges[i].priced.as_ref());
    noted.gain.money = Some(more.map(|p| p.parts.sum() - p.below_steps).sum());
    noted.request = Some(RequestId::from_index(first));
    Some(noted)
}

/// Some requests have a price and others have none.
fn unpriced(profile: &Profile, spent: &Spent) -> Option<Noted> {
    // What failed or was given up has no price to look for.
    let mut answered: Vec<_> = spent.unpriced.iter().filter_map(|u| Some((u, u.answered?))).collect();
    answered.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
    let &(first, (_, example)) = answered.first().filter(|_| spent.all.sums.cost.is_some())?;
    let reasons: Vec<String> = answered
        .iter()
        .take(MOST_REASONS)
        .map(|(u, (n, _))| format!("{}: {}", format::count(*n as i64), u.why))
        .collect();
    let more = if answered.len() > MOST_REASONS { "; and others" } else { "" };
    let text = format!(
        "{} in no sum of costs. {}{more}.",
        format::counted(
            answered.iter().map(|u| u.1.0 as i64).sum(),
            "answered request is",
            "answered requests are"
        ),
        reasons.join("; ")
    );
    let uncounted = profile.requests.get(example).is_some_and(|r| r.tokens.is_unknown());
    let advice = match &first.why {
        why if why.starts_with(NOT_CONVERTED) || why.starts_with(PRICED_IN) => "Cost has them by currency",
        why if why.contains("usage") => {
            "Have usage sent: with OpenAI's streams `stream_options: {\"include_usage\": true}`"
        }
        _ if uncounted => "Have the usage logged, too: without tokens there is no price",
        _ => "Give their prices: «Prices…» in the window, --prices on the command line",
    };
    let mut noted = Noted::new("Requests without a price", Severity::Info, text, advice);
    noted.request = Some(example);
    Some(noted)
}

/// Most reasons for which requests have no price that are listed.
const MOST_REASONS: usize = 3;

/// What the source states does not add up.
fn totals(facts: &Facts) -> Option<Noted> {
    let (n, first) = facts.disagreeing;
    let text = format!(
        "In {} the total that the source, or another span of the same call, states is not the sum of the parts.",
        format::counted((n > 0).then_some(n as i64)?, "request", "requests")
    );
    let advice = "Details shows both; do not trust costs of these before it is clear what was counted";
    let mut noted = Noted::new("Totals of tokens do not add up", Severity::Warning, text, advice);
    noted.request = first;
    Some(noted)
}

/// Share of the run that requests one after the other have at least.
const MOST: f64 = 0.5;
/// Characters of an answer that tell it in a later prompt.
const MARK: usize = 40;

/// Labels that tell whose requests they are.
const WHOSE: [&str; 6] = ["session", "user", "client", "conversation", "tenant", "customer"];

/// True where one piece of work made all requests: one span is around all of them, and nothing says that they are of several people.
/// What several people ask comes when they ask it.
fn of_one_piece(profile: &Profile) -> bool {
    let rows = &profile.requests.rows;
    let labels = WHOSE.iter().filter_map(|name| profile.strings.find(name));
    let are_one = |name| rows.windows(2).all(|w| w[0].attribute(name) == w[1].attribute(name));
    let (Some(first), Some(last)) = (rows.first(), rows.iter().filter_map(|r| r.finished).max()) else {
        return false;
    };
    let Some(track) = first.track.filter(|_| rows.iter().all(|r| r.track == first.track)) else {
        return false;
    };
    // A call is around itself only.
    let around =
        |s: &Span| s.start <= first.arrived && s.end >= last && first.finished.is_some_and(|end| s.end > end);
    labels.into_iter().all(are_one) && profile.track(track).spans.rows.iter().any(around)
}

/// Requests that need nothing of each other ran one after the other. Only where prompts and answers tell that.
fn one_after_the_other(profile: &Profile) -> Option<Noted> {
    let rows = &profile.requests.rows;
    let texts =
        rows.iter().all(|r| !profile.text(r.prompt).is_empty() && !profile.text(r.completion).is_empty());
    let dated = rows.iter().all(|r| !r.undated && r.outcome == Outcome::Ok && r.finished.is_some());
    if rows.len() < ENOUGH || rows.len() > 2000 || !texts || !dated {
        return None;
    }
    let apart = rows.windows(2).all(|w| w[0].finished.is_some_and(|end| end <= w[1].arrived));
    let wall = rows.last()?.finished?.saturating_sub(rows.first()?.arrived);
    let lengths = || rows.iter().filter_map(Request::latency);
    let (busy, longest) = (lengths().fold(0i64, i64::saturating_add), lengths().max().unwrap_or(0));
    if !apart || (busy as f64) < MOST * wall as f64 || !of_one_piece(profile) {
        return None;
    }
    // A prompt that holds an earlier answer had to wait for it.
    let needs = |i: usize| {
        let prompt = profile.text(rows[i].prompt);
        rows[..i].iter().rev().take(50).any(|r| {
            let answer = profile.text(r.completion).trim();
            let end = answer.char_indices().nth(MARK).map_or(answer.len(), |(at, _)| at);
            !answer.is_empty() && prompt.contains(&answer[..end])
        })
    };
    if (1..rows.len()).any(needs) {
        return None;
    }
    let text = format!(
        "{} requests ran one after the other, {} in all, and no prompt holds an earlier answer.",
        format::count(rows.len() as i64),
        format::duration(busy)
    );
    let advice = "Where none needs another: asyncio.gather, threads, or a batch API";
    let mut noted =
        Noted::new("Requests could run at the same time", Severity::Info, text, advice).on(Lever::Requests);
    noted.gain.time = Some(busy - longest);
    noted.request = Some(RequestId::from_index(0));
    Some(noted)
}
