//! What benchmarks of model servers and of models write.

pub(super) mod aiperf;
pub(super) mod llama;
pub(super) mod serve;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::read::value::real;
use crate::model::{FactValue, Unit};

/// What stands in a cell of a table: a number with at most `digits` behind the point, or «–».
fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"))
}

/// A value of JSON as a fact: a whole number counts something, another one is text.
fn fact(value: &Value) -> Option<FactValue> {
    match value {
        Value::Number(n) => Some(match n.as_i64() {
            Some(n) => FactValue::Number(n, Unit::Count),
            None => FactValue::Text(n.to_string()),
        }),
        Value::String(text) if !text.is_empty() => Some(text.as_str().into()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.into()),
        _ => None,
    }
}

/// Seconds as ns; `None` when it is no length.
fn ns(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && (0.0..9e9).contains(&seconds)).then(|| (seconds * 1e9).round() as i64)
}

/// A number at a key.
fn number(value: &Value, key: &str) -> Option<f64> {
    real(value.get(key)?)
}
