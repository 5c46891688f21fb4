//! Our layout of price tables.
//!
//! ```json
//! {"source": "my contract", "as_of": "2026-11-01", "currency": "USD", "per": 1000000, "models": [
//!   {"name": "my-model", "provider": "openai", "match": ["my-model-*"], "prices": [
//!     {"input": "2.5", "cache_read": "0.25", "cache_write": "3.125", "cache_write_1h": "5", "output": "10"},
//!     {"from": "2026-09-01", "input": {"base": "2", "above": {"272000": "4"}}, "output": "8"},
//!     {"hours": ["01:00", "04:00"], "input": "3", "output": "12"}],
//!    "tiers": [{"tier": "priority", "input": "5", "output": "20"}]}]}
//! ```
//! Rates are in the currency, dollars if none is named (costs in another one are never added to dollars), for `per` tokens, and for 1,000 requests and searches; texts keep them exact. Of `prices` the last one that
//! is active counts, `tiers` stand above it. A field that is none of these is an error, unless it is a remark (`_…`, `comment`). `match` takes names, `begin*`, `*end`, `*part*`, `/regex/`, and lists of which all must fit.

use serde_json::{Map, Value};

use super::table::{Class, Entry, Pattern, PriceTable, Provider, Rate, Rule};
use crate::format::distance;
use crate::import::unix_time;
use crate::model::Money;

/// Reads a table.
pub(super) fn read(value: &Value) -> Result<PriceTable, String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or("");
    let currency = text("currency").trim().to_uppercase();
    if !currency.chars().all(|c| c.is_ascii_alphabetic()) || !matches!(currency.len(), 0 | 3) {
        return Err(format!(
            ".currency is «{currency}»: write its three letters, such as \"USD\" or \"EUR\""
        ));
    }
    if value.get("version").and_then(Value::as_u64).is_some_and(|v| v > 1) {
        return Err("is of a newer layout: use a newer inferscope".into());
    }
    only(value, &FIELDS)?;
    let per = match value.get("per").map_or(Some(1_000_000), Value::as_u64) {
        Some(per) if per > 0 && 10u64.checked_pow(per.ilog10()) == Some(per) => per.ilog10(),
        _ => return Err("«per» is no power of ten: give prices for 1, 1000 or 1000000 tokens".into()),
    };
    let mut table = PriceTable {
        source: text("source").to_owned(),
        as_of: text("as_of").to_owned(),
        currency: if currency == "USD" { String::new() } else { currency },
        ..PriceTable::default()
    };
    for (n, provider) in list(value, "providers").iter().enumerate() {
        let strings = |key: &str| list(provider, key).iter().filter_map(Value::as_str);
        table.providers.push(Provider {
            id: provider.get("id").and_then(Value::as_str).unwrap_or("").to_lowercase(),
            known_as: strings("known_as")
                .map(Pattern::read)
                .collect::<Result<_, _>>()
                .map_err(|e| format!("providers[{n}]: {e}"))?,
            reseller: provider.get("reseller") == Some(&Value::Bool(true)),
            instead: strings("instead").map(str::to_owned).collect(),
        });
    }
    for (n, model) in list(value, "models").iter().enumerate() {
        let entry = entry(model, per).map_err(|e| format!("models[{n}]{e}"))?;
        table.entries.push(entry);
    }
    if table.entries.is_empty() {
        return Err("holds no models: see «A table of prices» in `inferscope report --help`".into());
    }
    Ok(table.finished(&value.to_string()))
}

/// Fields of a table, of a model and of a price that holds for prompts of several sizes.
const FIELDS: [&str; 9] =
    ["layout", "version", "source", "as_of", "taken_over", "currency", "per", "providers", "models"];
const OF_MODEL: [&str; 6] = ["name", "provider", "match", "prices", "tiers", "context"];
const OF_RATE: [&str; 2] = ["base", "above"];
/// What else a price has beside rates.
const OF_RULE: [&str; 4] = ["from", "until", "hours", "tier"];

/// A field that is not known is a slip: what it is about would be unpriced, or priced wrongly, without a word. Remarks have names
/// that say so.
fn only(value: &Value, known: &[&str]) -> Result<(), String> {
    let is_remark =
        |key: &str| key.starts_with(['_', '$', '/']) || key.contains("comment") || key.contains("note");
    let keys = value.as_object().into_iter().flat_map(Map::keys);
    match keys.map(String::as_str).find(|key| !known.contains(key) && !is_remark(key)) {
        Some(key) => Err(format!(".{key} is no field here: {}", instead(key, known))),
        None => Ok(()),
    }
}

/// What to write instead of an unknown name.
fn instead(key: &str, known: &[&str]) -> String {
    let key = key.to_lowercase();
    let nearest = known.iter().map(|name| (distance(&key, name), name)).min();
    match nearest.filter(|(far, name)| *far <= 2.max(name.len() / 3)) {
        Some((_, name)) => format!("write «{name}», or begin a remark with _"),
        None => format!("it takes {}; a remark begins with _", known.join(", ")),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], |list| list)
}

fn entry(model: &Value, per: u32) -> Result<Entry, String> {
    let text = |key: &str| model.get(key).and_then(Value::as_str).unwrap_or("");
    if text("name").is_empty() {
        return Err(" has no name: every model needs one".into());
    }
    only(model, &OF_MODEL)?;
    let mut names = Vec::new();
    for alternative in list(model, "match") {
        let all: Vec<&str> = match alternative {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => return Err(".match holds something that is no text".into()),
        };
        let all: Vec<Pattern> = all
            .into_iter()
            .map(Pattern::read)
            .collect::<Result<_, _>>()
            .map_err(|e| format!(".match: {e}"))?;
        if !all.is_empty() {
            names.push(all);
        }
    }
    let rules = |key: &str| -> Result<Vec<Rule>, String> {
        let rules = list(model, key).iter().enumerate();
        rules.map(|(n, rule)| self::rule(rule, per).map_err(|e| format!(".{key}[{n}]{e}"))).collect()
    };
    let (prices, tiers) = (rules("prices")?, rules("tiers")?);
    if prices.is_empty() {
        return Err(".prices is missing: give at least one, with «input» and «output»".into());
    }
    if let Some(n) = tiers.iter().position(|t| t.tier.is_empty()) {
        return Err(format!(".tiers[{n}] has no «tier»: say which one it is"));
    }
    Ok(Entry {
        provider: text("provider").to_lowercase(),
        name: text("name").to_owned(),
        names,
        prices,
        tiers,
        context: model.get("context").and_then(Value::as_u64).filter(|n| *n > 0),
    })
}

fn rule(value: &Value, per: u32) -> Result<Rule, String> {
    let mut rule = Rule::default();
    let rates = Class::ALL.iter().map(|(_, name)| *name);
    only(value, &rates.chain(OF_RULE).collect::<Vec<_>>())?;
    for (key, value) in value.as_object().ok_or(" is no object")? {
        let date = || {
            let time = value.as_str().and_then(unix_time);
            time.map(Some).ok_or_else(|| format!(".{key} is no date: write it as 2026-09-01"))
        };
        match key.as_str() {
            "from" => rule.from = date()?,
            "until" => rule.until = date()?,
            "tier" => rule.tier = value.as_str().unwrap_or("").to_lowercase(),
            "hours" => {
                rule.hours =
                    Some(hours(value).ok_or(".hours are no two times: write [\"01:00\", \"04:00\"]")?)
            }
            key => {
                if let Some(&(class, _)) = Class::ALL.iter().find(|(_, name)| *name == key) {
                    only(value, &OF_RATE).map_err(|e| format!(".{key}{e}"))?;
                    let per = if matches!(class, Class::Request | Class::Search) { 3 } else { per };
                    *rule.rate_mut(class) = rate(value, per).ok_or_else(|| {
                        format!(".{key} is no price: write \"2.5\", or {{\"base\": \"2\", \"above\": {{\"272000\": \"4\"}}}}")
                    })?;
                }
            }
        }
    }
    Ok(rule)
}

fn hours(value: &Value) -> Option<(i64, i64)> {
    let minute = |value: &Value| {
        let (hour, minute) = value.as_str()?.split_once(':')?;
        let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.get(..2)?.parse().ok()?);
        ((0..=24).contains(&hour) && (0..60).contains(&minute)).then_some(hour * 60 + minute)
    };
    match value.as_array()?.as_slice() {
        [from, to] => Some((minute(from)?, minute(to)?)),
        _ => None,
    }
}

fn rate(value: &Value, per: u32) -> Option<Rate> {
    let Some(map) = value.as_object() else {
        return Some(Rate { base: Some(price(value, per)?), above: Vec::new() });
    };
    let mut above = Vec::new();
    for (least, value) in map.get("above").and_then(Value::as_object).into_iter().flatten() {
        above.push((least.parse().ok()?, price(value, per)?));
    }
    above.sort_unstable_by_key(|(least, _)| *least);
    Some(Rate { base: Some(price(map.get("base")?, per)?), above })
}

/// A price that is not below 0.
pub(super) fn price(value: &Value, per: u32) -> Option<Money> {
    let money = match value {
        Value::String(text) => Money::parse_part(text, per),
        Value::Number(n) => Money::parse_part(&n.to_string(), per),
        _ => None,
    };
    money.filter(|m| *m >= Money::ZERO)
}
