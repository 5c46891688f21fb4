//! What a source says a call cost: dollars, or money of another currency, which is never added to dollars.

use serde_json::Value;

use crate::model::Money;

/// Ways to write dollars of the United States.
const DOLLARS: [&str; 5] = ["", "$", "usd", "us$", "dollar"];
/// Signs of other currencies and their names.
const SIGNS: [(&str, &str); 4] = [("€", "EUR"), ("£", "GBP"), ("¥", "JPY"), ("₹", "INR")];
/// Longest name of a currency.
const LONGEST: usize = 12;

/// A cost as a source states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::import) enum Stated {
    /// In dollars.
    Dollars(Money),
    /// In the currency of this name.
    Other(String, Money),
}

impl Stated {
    /// What parts of a cost add up to; `None` where one is unknown, or of another currency.
    pub fn sum<'v>(parts: impl IntoIterator<Item = &'v Value>, currency: &str) -> Option<Self> {
        let mut parts = parts.into_iter().map(|part| Self::read(part, currency));
        let first = parts.next()??;
        parts.try_fold(first, |sum, part| match (sum, part?) {
            (Self::Dollars(a), Self::Dollars(b)) => Some(Self::Dollars(a + b)),
            (Self::Other(name, a), Self::Other(other, b)) if name == other => Some(Self::Other(name, a + b)),
            _ => None,
        })
    }

    /// A total, or what disjoint parts by name add up to where none is stated.
    pub fn of_details(details: &Value, currency: &str) -> Option<Self> {
        let map = details.as_object()?;
        match map.get("total").filter(|total| !total.is_null()) {
            Some(total) => Self::read(total, currency),
            None => Self::sum(map.values().filter(|part| !part.is_null()), currency),
        }
    }

    /// Reads a number, or a text such as «0.02», «$0.02», «0.02 EUR», beside which the source may name a currency.
    pub fn read(value: &Value, currency: &str) -> Option<Self> {
        let text = match value {
            Value::Number(n) => n.to_string(),
            Value::String(text) => text.trim().to_owned(),
            _ => return None,
        };
        let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
        let from = text.find(is_of_number)?;
        let end = |c: char| !is_of_number(c) && !matches!(c, 'e' | 'E');
        let to = text[from..].find(end).map_or(text.len(), |at| from + at);
        let money = Money::parse(&text[from..to])?;
        let beside = format!("{}{}", text[..from].trim(), text[to..].trim());
        let name = if beside.is_empty() { currency.trim() } else { &beside };
        if DOLLARS.contains(&name.to_lowercase().trim_end_matches('s')) {
            return Some(Self::Dollars(money));
        }
        let known = SIGNS.iter().find(|(sign, _)| *sign == name).map(|(_, name)| (*name).to_owned());
        let is_name = name.len() <= LONGEST && name.chars().all(char::is_alphabetic);
        known.or_else(|| is_name.then(|| name.to_uppercase())).map(|name| Self::Other(name, money))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parts_add_up_where_no_total_is_stated() {
        let money = |text: &str| Some(Stated::Dollars(Money::parse(text).unwrap()));
        let of = |details: Value| Stated::of_details(&details, "");
        assert_eq!(of(json!({"input": 0.001, "output": 0.002})), money("0.003"));
        assert_eq!(of(json!({"input": 0.001, "total": 0.005})), money("0.005"), "a total counts");
        assert_eq!(of(json!({"input": 0.001, "output": null, "total": null})), money("0.001"));
        assert_eq!(of(json!({"input": 0.001, "output": "?"})), None, "a part is not the whole");
        assert_eq!(of(json!({})), None);
        assert_eq!(of(json!({"input": "1 EUR", "output": "1 USD"})), None);
    }

    #[test]
    fn dollars_are_a_cost_and_other_currencies_keep_their_name() {
        let money = |text: &str| Money::parse(text).unwrap();
        for (value, beside, stated) in [
            (json!(0.02), "", Some(Stated::Dollars(money("0.02")))),
            (json!("0.02"), "USD", Some(Stated::Dollars(money("0.02")))),
            (json!("$0.02"), "", Some(Stated::Dollars(money("0.02")))),
            (json!(2e-5), "", Some(Stated::Dollars(money("0.00002")))),
            (json!(0.02), "EUR", Some(Stated::Other("EUR".into(), money("0.02")))),
            (json!("€0.02"), "", Some(Stated::Other("EUR".into(), money("0.02")))),
            (json!("0.02 eur"), "", Some(Stated::Other("EUR".into(), money("0.02")))),
            (json!("a lot"), "", None),
            (json!(null), "EUR", None),
        ] {
            assert_eq!(Stated::read(&value, beside), stated, "{value} {beside}");
        }
    }
}
