//! What the way in which requests are served says: batches, keys of caches, context windows, streams.

use rustc_hash::FxHashMap;

use super::Noted;
use crate::analysis::asked::Asked;
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::cache_keys::{CacheKeys, KeyFacts};
use crate::analysis::components::{Components, PromptComponents};
use crate::analysis::levers::Lever;
use crate::analysis::overview::Distribution;
use crate::analysis::prices::Prices;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{BATCHES_ARE_EMPTY, FactValue, Outcome, Profile, Request, RequestId, Severity};
use crate::query::Context;

/// Requests, or batches, that a statement about most of them needs.
const ENOUGH: usize = 5;
/// Share of a batch that is used.
const FULL: f64 = 0.5;
/// An answer that came in one piece and took as long made its user wait, ns.
const LONG: f64 = 2e9;
/// Tokens of a chunk from which on gaps between chunks are no times per token.
const SEVERAL: f64 = 1.5;

pub(super) fn find(cx: &Context<'_>, prices: &Prices) -> Result<Vec<Noted>, Cancelled> {
    let profile = cx.profile();
    let asked = Asked::all(prices);
    let keys = cx.get(&CacheKeys { asked: asked.clone() })?;
    let components = cx.get(&PromptComponents { asked })?;
    let mut out = Vec::new();
    out.extend(empty_batches(profile));
    out.extend(changing_keys(profile, &keys, &*cx.get(&Bill { prices: prices.clone() })?));
    out.extend(shared_keys(&keys));
    out.extend(full_windows(&components));
    out.extend(in_one_piece(profile));
    out.extend(chunks_of_several(profile));
    Ok(out)
}

/// Batches hold far fewer requests than they could.
fn empty_batches(profile: &Profile) -> Option<Noted> {
    let most = match profile.meta.fact("Batch size")? {
        FactValue::Number(n, _) => usize::try_from(*n).ok(),
        FactValue::Text(text) => text.trim().parse().ok(),
    };
    let most = most.filter(|most: &usize| *most > 1)?;
    let mut sizes: FxHashMap<u64, usize> = FxHashMap::default();
    let batches = profile.requests.rows.iter().filter_map(|r| r.batch);
    batches.for_each(|batch| *sizes.entry(batch).or_default() += 1);
    let all: usize = sizes.values().sum();
    let fill = all as f64 / (sizes.len() * most).max(1) as f64;
    if sizes.len() < ENOUGH || fill >= FULL {
        return None;
    }
    let text = format!(
        "{} hold {} of at most {most} requests on average ({}).",
        format::counted(sizes.len() as i64, "batch", "batches"),
        format::number(all as f64 / sizes.len() as f64),
        format::percent(fill)
    );
    let advice = "More requests at once, a smaller batch, or a longer wait, which latency pays for";
    Some(Noted::new(BATCHES_ARE_EMPTY, Severity::Info, text, advice).on(Lever::Batching))
}

/// The same was asked with several keys.
fn changing_keys(profile: &Profile, keys: &KeyFacts, bill: &Billing) -> Option<Noted> {
    let first = keys.unstable.first()?;
    let asked = profile.requests.get(first.requests[0]).map_or("", |r| profile.text(r.prompt));
    let text = format!(
        "{} with several keys each: the cache cannot find what it has. «{}» has {} keys.",
        format::counted(keys.unstable.len() as i64, "question was asked", "questions were asked"),
        format::short(asked, 60),
        format::count(first.different as i64)
    );
    let advice = "Make the key of all that the answer depends on and nothing else, by a hash that is the same in each process (SHA-256)";
    let mut noted =
        Noted::new("Equal requests have different keys", Severity::Warning, text, advice).on(Lever::Caching);
    noted.request = Some(first.requests[1]);
    let again = keys.again.iter();
    let again: Vec<_> = again.filter_map(|id| Some((profile.requests.get(*id)?, bill.cost(*id)))).collect();
    let missed = || again.iter().filter(|(r, _)| !r.answered_by_cache());
    noted.gain.time = missed().filter_map(|(r, _)| r.latency()).reduce(i64::saturating_add);
    noted.gain.money = missed().filter_map(|(_, cost)| *cost).reduce(|a, b| a + b);
    Some(noted)
}

/// Different questions have one key.
fn shared_keys(keys: &KeyFacts) -> Option<Noted> {
    let first = keys.collisions.first()?;
    let text = format!(
        "{} for several questions: a hit gives somebody the answer to another one.",
        format::counted(keys.collisions.len() as i64, "key stands", "keys stand")
    );
    let advice = "Put what differs into the key: Caches lists the fields that it lacks";
    let mut noted =
        Noted::new("Different requests have the same key", Severity::Error, text, advice).on(Lever::Caching);
    noted.request = Some(first.requests[1]);
    Some(noted)
}

/// Prompts come near to what their model takes.
fn full_windows(components: &Components) -> Option<Noted> {
    let windows = components.windows.filter(|w| w.nearly_full > 0)?;
    let text = format!(
        "{} more than 80 % of the context window; the fullest {} of {} tokens ({}).",
        format::counted(windows.nearly_full as i64, "request fills", "requests fill"),
        format::count(windows.tokens as i64),
        format::count(windows.window as i64),
        format::percent(windows.share.max)
    );
    let advice = "Shorter histories, summaries, fewer passages: beyond the window providers refuse, or cut";
    let mut noted =
        Noted::new("Context windows are nearly full", Severity::Warning, text, advice).on(Lever::Requests);
    noted.request = Some(windows.fullest);
    Some(noted)
}

/// Long answers that came whole. Only where the answer was watched as it came: its first byte has a stamp.
fn in_one_piece(profile: &Profile) -> Option<Noted> {
    let rows = profile.requests.rows.iter().enumerate();
    let whole = |r: &Request| {
        r.outcome == Outcome::Ok && r.first_byte.is_some() && r.began().is_none() && r.chunks.is_none()
    };
    let lengths = rows.filter(|(_, r)| whole(r)).filter_map(|(i, r)| Some((i, r.latency()?)));
    let long: Vec<(usize, i64)> = lengths.filter(|(_, ns)| *ns as f64 >= LONG).collect();
    let slowest = *long.iter().max_by_key(|(_, ns)| *ns).filter(|_| long.len() >= ENOUGH)?;
    let d = Distribution::of(long.iter().map(|(_, ns)| *ns as f64).collect())?;
    let text = format!(
        "{} came in one piece: their users saw nothing for {} (median).",
        format::counted(long.len() as i64, "long answer", "long answers"),
        format::duration(d.p50.round() as i64)
    );
    let advice =
        "Streaming (`stream: true`) where somebody reads the answer: it takes as long and begins at once";
    let mut noted =
        Noted::new("Long answers come in one piece", Severity::Info, text, advice).on(Lever::Streaming);
    noted.request = Some(RequestId::from_index(slowest.0));
    Some(noted)
}

/// Chunks hold several tokens.
fn chunks_of_several(profile: &Profile) -> Option<Noted> {
    let rows = profile.requests.rows.iter().filter(|r| r.token_times.len() > 1);
    let (mut requests, mut tokens, mut chunks) = (0usize, 0u64, 0u64);
    for (r, output) in rows.filter_map(|r| Some((r, r.tokens.output?))) {
        (requests, tokens) = (requests + 1, tokens.saturating_add(output));
        chunks += r.token_times.len() as u64;
    }
    let each = tokens as f64 / chunks.max(1) as f64;
    if requests < ENOUGH || each < SEVERAL {
        return None;
    }
    let text = format!(
        "A chunk holds {} tokens on average, so gaps between chunks are no times per token.",
        format::number(each)
    );
    let advice = "Compare TPOT, not the gaps; speculative decoding and buffers on the way do this";
    Some(Noted::new("Chunks hold several tokens", Severity::Info, text, advice))
}
