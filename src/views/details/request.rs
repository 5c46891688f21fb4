//! What is known about a request.

use super::build::{clock, time};
use super::sheet::{Amount, Block, Fact, Sheet};
use crate::analysis::billing::Bill;
use crate::analysis::definitions as say;
use crate::analysis::prices::Charge;
use crate::format;
use crate::model::{Outcome, RequestId, Unit};
use crate::state::Item;
use crate::ui::theme::Tone;
use crate::views::ViewCx;

/// What a request costs, and what that rests on.
fn cost(charge: Option<&Charge>) -> Fact {
    let Some(charge) = charge else { return Fact::new("Cost", format::UNKNOWN) };
    let about = charge.priced.as_ref().filter(|_| !charge.stated).map_or(&[][..], |p| &p.about);
    let text = match charge.cost {
        Some(cost) if about.is_empty() => format::money(cost),
        Some(cost) => format!("≈ {} ({})", format::money(cost), about.join("; ")),
        None if charge.why.is_empty() => "unpriced".to_owned(),
        None => format!("unpriced: {}", charge.why),
    };
    let amount = charge.cost.map(|cost| Amount::Cost(Unit::NanoDollars, cost.nano()));
    Fact::new("Cost", text).hint(say::COST).is(amount)
}

/// The sheet of a request.
pub(super) fn sheet(cx: &ViewCx<'_>, id: RequestId) -> Option<Sheet> {
    let profile = cx.profile();
    let r = profile.requests.get(id)?;
    let name = profile.text(r.name);
    let mut sheet =
        Sheet::new("Request", if name.is_empty() { format!("request {}", id.0) } else { name.into() });
    let (tone, outcome) = match r.outcome {
        Outcome::Ok => (Tone::Good, "finished"),
        Outcome::Error => (Tone::Bad, "failed"),
        Outcome::Cancelled => (Tone::Warning, "cancelled"),
        Outcome::Running => (Tone::Info, "still running"),
    };
    sheet.badge = Some((tone, outcome.into()));
    let count = |v: Option<u64>| v.map_or_else(|| format::UNKNOWN.to_owned(), |v| format::count(v as i64));
    let length = |name: &str, v: Option<i64>| match v {
        Some(v) => Fact::cost(name, Unit::Nanoseconds, v),
        None => Fact::new(name, format::UNKNOWN),
    };
    let tokens_of = |name: &str, v: Option<u64>| {
        Fact::new(name, count(v)).is(v.map(|v| Amount::Cost(Unit::Count, v as i64)))
    };
    let about = |fact: Fact| match r.is_estimated() && fact.value != format::UNKNOWN {
        true => Fact { value: format!("≈ {}", fact.value), ..fact },
        false => fact,
    };
    let per_token = r.tpot().map(|t| t.round() as i64);
    let rate = |name: &str, rate: Option<f64>| {
        let text = rate.map_or_else(|| format::UNKNOWN.to_owned(), |v| format::rate(v, "tok"));
        Fact::new(name, text).is(rate.map(Amount::Number))
    };
    let mut figures = vec![length("TTFT", r.ttft()).hint(say::TTFT)];
    if !r.retries.is_empty() {
        let why = crate::analysis::requests::reasons(profile, r);
        figures.extend([
            length("Waited", r.waited()).hint(say::WAITED),
            length("Lost", Some(r.lost()).filter(|ns| *ns > 0)).hint(say::LOST),
            Fact::new("Failed attempts", format!("{} ({why})", r.retries.len()))
                .is(Amount::Cost(Unit::Count, r.retries.len() as i64))
                .hint(say::RETRIES),
        ]);
    }
    figures.extend([
        about(length("TPOT", per_token)).hint(say::TPOT),
        length("Latency", r.latency()).hint(say::LATENCY),
        length("Queued", r.queued()).hint(say::QUEUED),
        about(rate("Rate", r.tokens_per_second())).hint(say::RATE),
        about(rate("Rate, end to end", r.end_to_end_rate())).hint(say::END_TO_END_RATE),
    ]);
    sheet.facts("", figures);
    sheet.blocks.push(Block::Tokens(id));
    let mut tokens = vec![
        tokens_of("Prompt", r.tokens.prompt()).hint(say::PROMPT),
        tokens_of("Cache read", r.tokens.cache_read).hint(say::CACHE_READ),
        tokens_of("Cache write", r.tokens.cache_write()).hint("Input tokens written to a prompt cache"),
        about(tokens_of("Output", r.output().map(|o| o.0))).hint(say::OUTPUT),
        tokens_of("Reasoning", r.tokens.reasoning).hint("Output tokens spent on reasoning"),
    ];
    if let Some(stated) = r.accounting.stated_total {
        let agrees = match r.accounting.agrees(&r.tokens) {
            Some(true) => "the same here".to_owned(),
            Some(false) => format!("here {}: they disagree", count(r.tokens.total())),
            None => "here unknown".to_owned(),
        };
        tokens.push(Fact::new("Source says total", format!("{}, {agrees}", count(Some(stated)))));
    }
    let why = profile.text(r.tokens_why);
    if !why.is_empty() {
        tokens.push(Fact::new("Tokens", why.to_owned()));
    }
    let bill = cx.ask(&Bill { prices: cx.prices.clone() }, 1).beside();
    tokens.push(cost(bill.as_ref().and_then(|bill| bill.charges.get(id.index()))));
    if let Some(bytes) = r.kv_cache_bytes {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        tokens.push(
            Fact::cost("KV cache", Unit::Bytes, bytes).hint("Size of the KV cache when the request ended"),
        );
    }
    sheet.facts("Tokens", tokens);
    let stamp = |name, stamp: Option<i64>| match stamp {
        Some(t) => time(cx, name, t),
        None => Fact::new(name, format::UNKNOWN),
    };
    let mut stamps = vec![time(cx, "Arrived", r.arrived), stamp("Scheduled", r.scheduled)];
    stamps.extend(r.first_byte.map(|t| time(cx, "First byte", t)));
    stamps.extend([stamp("First token", r.first_token), stamp("Finished", r.finished)]);
    stamps.extend(clock(cx, r.arrived).map(|f| Fact { name: "Arrived on".into(), ..f }));
    sheet.facts("Times", stamps);
    let mut place = Vec::new();
    let model = profile.text(r.model);
    if !model.is_empty() {
        place.push(Fact::new("Model", model));
    }
    if let Some(track) = r.track {
        place.push(Fact::new("Track", profile.track_label(track)).go(Item::of_track(track, profile)));
    }
    if let Some(cache) = r.cache {
        let hint = "Whether a cache of whole answers had it";
        place.push(Fact::new("Answer cache", cache.key()).hint(hint));
    }
    if let Some(similarity) = r.similarity {
        let fact = Fact::new("Similarity", format!("{similarity:.3}")).hint(say::SIMILARITY);
        place.push(fact.is(Amount::Number(similarity)));
    }
    if let Some(batch) = r.batch {
        place.push(Fact::new("Batch", batch.to_string()));
    }
    for finding in profile.findings.iter().filter(|f| f.request == Some(id)) {
        place.push(Fact::new(profile.text(finding.kind), profile.text(finding.text)));
    }
    sheet.facts("Where", place);
    sheet.text("Error", profile.text(r.error));
    sheet.text("Prompt", profile.text(r.prompt));
    sheet.text("Answer", profile.text(r.completion));
    Some(sheet)
}
