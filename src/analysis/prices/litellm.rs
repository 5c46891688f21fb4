//! LiteLLM's `model_prices_and_context_window.json`: an object of models, with a field per class, tier and threshold.
//!
//! `input_cost_per_token_above_272k_tokens_priority` is the price of one input token in the tier «priority» when the prompt has more than
//! 272,000 tokens. Fields of prices that are not read are counted ([`PriceTable::unread`]).

use serde_json::{Map, Value};

use super::own::price;
use super::table::{Class, Entry, PriceTable, Rate, Rule};

const FIELDS: [(&str, Class); 11] = [
    ("input_cost_per_token", Class::Input),
    ("output_cost_per_token", Class::Output),
    ("cache_read_input_token_cost", Class::CacheRead),
    ("cache_creation_input_token_cost", Class::CacheWrite),
    ("cache_creation_input_token_cost_above_1hr", Class::CacheWrite1h),
    ("output_cost_per_reasoning_token", Class::Reasoning),
    ("input_cost_per_audio_token", Class::AudioInput),
    ("input_cost_per_image_token", Class::ImageInput),
    ("output_cost_per_audio_token", Class::AudioOutput),
    ("input_cost_per_request", Class::Request),
    ("input_cost_per_token_cache_hit", Class::CacheRead),
];

/// Reads a table.
pub(super) fn read(value: &Value) -> Result<PriceTable, String> {
    let models = value.as_object().ok_or("is no table of prices: it has to be an object of models")?;
    let mut table = PriceTable { source: "LiteLLM's table".into(), ..PriceTable::default() };
    for (name, model) in models {
        let Some(model) = model.as_object().filter(|_| name != "sample_spec") else { continue };
        let entry = entry(name, model, &mut table).map_err(|field| {
            format!("«{name}»: {field} is no price: write the dollars for one token, such as 2.5e-06")
        })?;
        table.entries.extend(entry);
    }
    if table.entries.is_empty() {
        let what = "is no table of prices: it needs «models» (inferscope's layout) or models with «input_cost_per_token»";
        return Err(format!("{what} (LiteLLM's)"));
    }
    Ok(table.finished(&value.to_string()))
}

/// The class, tier and threshold of a field.
fn meaning(field: &str) -> Option<(Class, &str, Option<u64>)> {
    let known = |name: &str| FIELDS.iter().find(|f| f.0 == name).map(|f| f.1);
    let (mut rest, mut tier, mut above) = (field, "", None);
    loop {
        if let Some(class) = known(rest) {
            return Some((class, tier, above));
        }
        if let Some((front, size)) = rest.strip_suffix("k_tokens").and_then(|r| r.rsplit_once("_above_"))
            && above.is_none()
        {
            (rest, above) = (front, Some(size.parse::<u64>().ok()?.checked_mul(1000)?));
        } else if let Some((front, word)) = rest.rsplit_once('_')
            && tier.is_empty()
            && (known(front).is_some() || front.ends_with("k_tokens"))
        {
            (rest, tier) = (front, if word == "batches" { "batch" } else { word });
        } else {
            return None;
        }
    }
}

fn add(rate: &mut Rate, above: Option<u64>, value: &Value) -> Option<()> {
    let money = price(value, 0)?;
    match above {
        Some(least) => {
            rate.above.push((least, money));
            rate.above.sort_unstable_by_key(|(least, _)| *least);
        }
        None => rate.base = Some(money),
    }
    Some(())
}

fn entry(name: &str, model: &Map<String, Value>, table: &mut PriceTable) -> Result<Option<Entry>, String> {
    let (mut standard, mut tiers) = (Rule::default(), Vec::<Rule>::new());
    for (field, value) in model {
        if value.is_null() || !["cost", "price", "pricing"].iter().any(|word| field.contains(word)) {
            continue;
        }
        if field == "tiered_pricing" {
            ranges(value, &mut standard, table)?;
            continue;
        }
        match meaning(field) {
            Some((class, tier, above)) => {
                let rule = if tier.is_empty() {
                    &mut standard
                } else {
                    let at = tiers.iter().position(|t| t.tier == tier).unwrap_or_else(|| {
                        tiers.push(Rule { tier: tier.into(), ..Rule::default() });
                        tiers.len() - 1
                    });
                    &mut tiers[at]
                };
                add(rule.rate_mut(class), above, value).ok_or_else(|| field.clone())?;
            }
            None => table.leave_out(field),
        }
    }
    if standard.rates.iter().all(Rate::is_empty) {
        return Ok(None);
    }
    let provider = model.get("litellm_provider").and_then(Value::as_str).unwrap_or("").to_lowercase();
    let context = model.get("max_input_tokens").and_then(Value::as_u64).filter(|n| *n > 0);
    let (name, prices) = (name.to_owned(), vec![standard]);
    Ok(Some(Entry { provider, name, names: Vec::new(), prices, tiers, context }))
}

/// Prices by ranges of the prompt's size.
fn ranges(value: &Value, rule: &mut Rule, table: &mut PriceTable) -> Result<(), String> {
    for tier in value.as_array().into_iter().flatten() {
        let start = tier.get("range").and_then(|r| r.get(0)).and_then(Value::as_f64).unwrap_or(0.0);
        for (field, value) in tier.as_object().into_iter().flatten().filter(|(key, _)| key.contains("cost")) {
            match meaning(field) {
                Some((class, "", None)) => {
                    let above = (start > 0.0).then_some(start as u64);
                    add(rule.rate_mut(class), above, value)
                        .ok_or_else(|| format!("tiered_pricing.{field}"))?;
                }
                _ => table.leave_out(field),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_say_class_tier_and_threshold() {
        for (field, expected) in [
            ("input_cost_per_token", Some((Class::Input, "", None))),
            ("output_cost_per_token_above_272k_tokens", Some((Class::Output, "", Some(272_000)))),
            (
                "input_cost_per_token_above_200k_tokens_priority",
                Some((Class::Input, "priority", Some(200_000))),
            ),
            ("input_cost_per_token_batches", Some((Class::Input, "batch", None))),
            ("cache_read_input_token_cost_ultrafast", Some((Class::CacheRead, "ultrafast", None))),
            ("cache_creation_input_token_cost_above_1hr", Some((Class::CacheWrite1h, "", None))),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                Some((Class::CacheWrite1h, "", Some(200_000))),
            ),
            ("cache_creation_input_token_cost_above_12hr", None),
            ("cache_creation_input_token_cost_above_12hr_above_272k_tokens", None),
            ("output_cost_per_image", None),
            ("input_cost_per_token_above_xk_tokens", None),
        ] {
            assert_eq!(meaning(field), expected, "{field}");
        }
    }
}
