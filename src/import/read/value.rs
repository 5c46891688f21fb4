//! One JSON value as a tree, for the small records of large files.

use serde_json::{Map, Number, Value};

use super::super::ImportError;
use super::json::Json;

/// Deepest nesting that is kept. What lies deeper is null.
const DEEPEST: u32 = 64;

/// Reads the value that stands here. Of keys that occur twice the last one counts; numbers that are none (NaN) are null.
///
/// # Errors
/// When the JSON is broken or the source cannot be read.
pub(in crate::import) fn value(json: &mut Json<'_>) -> Result<Value, ImportError> {
    nested(json, 0)
}

fn nested(json: &mut Json<'_>, depth: u32) -> Result<Value, ImportError> {
    let first = json.peek()?;
    if depth >= DEEPEST && matches!(first, b'{' | b'[') {
        json.skip()?;
        return Ok(Value::Null);
    }
    Ok(match first {
        b'{' => {
            let mut map = Map::new();
            json.enter_object()?;
            while json.next_key()? {
                let key = String::from_utf8_lossy(json.key()).into_owned();
                map.insert(key, nested(json, depth + 1)?);
            }
            Value::Object(map)
        }
        b'[' => {
            let mut items = Vec::new();
            json.enter_array()?;
            while json.next_item()? {
                items.push(nested(json, depth + 1)?);
            }
            Value::Array(items)
        }
        b'"' => {
            json.string()?;
            Value::String(json.text().to_owned())
        }
        _ => match json.text_or_number()?.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            text => number(text).map_or(Value::Null, Value::Number),
        },
    })
}

fn number(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    Number::from_f64(text.parse().ok()?)
}

/// The items of a list; none of anything else.
pub(in crate::import) fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// A number that counts something: whole and not below 0, as a number or as text. `None` for anything else, NaN too.
pub(in crate::import) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(n) => n.as_u64().or_else(|| whole(n.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        _ => None,
    }
}

fn whole(n: f64) -> Option<u64> {
    (n >= 0.0 && n.fract() == 0.0 && n < 9e15).then_some(n as u64)
}

/// A finite number, as a number or as text.
pub(in crate::import) fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|n| n.is_finite())
}

/// A length in seconds as ns; `None` when it is below 0 or no number.
pub(in crate::import) fn seconds(value: &Value) -> Option<i64> {
    scaled(value, 1e9)
}

/// A length in milliseconds as ns.
pub(in crate::import) fn milliseconds(value: &Value) -> Option<i64> {
    scaled(value, 1e6)
}

fn scaled(value: &Value, ns: f64) -> Option<i64> {
    real(value).filter(|v| *v >= 0.0 && v * ns < 9e18).map(|v| (v * ns).round() as i64)
}

/// What stands at a path of keys.
pub(in crate::import) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key)).filter(|v| !v.is_null())
}

/// A text at a path of keys; empty when there is none.
pub(in crate::import) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        value(&mut Json::of_bytes(text.as_bytes())).unwrap()
    }

    #[test]
    fn values_come_as_they_are_and_odd_numbers_as_null() {
        let expected = json!({"a": [1, -2, 0.5, u64::MAX, "x\"y", null, true], "b": {"n": null}});
        assert_eq!(
            read(r#"{"a": [1, -2, 0.5, 18446744073709551615, "x\"y", null, true], "b": {"n": NaN}}"#),
            expected
        );
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let mut depth = 0;
        let mut at = &read(&deep);
        while let Some(inner) = at.get(0) {
            (at, depth) = (inner, depth + 1);
        }
        assert_eq!((depth, at), (DEEPEST as usize, &Value::Null));
    }

    #[test]
    fn counts_are_whole_numbers_in_any_dress() {
        let counts = [json!(7), json!("7"), json!(7.0), json!("7.0"), json!(" 7 ")];
        assert!(counts.iter().all(|v| count(v) == Some(7)));
        let none = [json!(-1), json!("NaN"), json!(1.5), json!(null), json!({}), json!("many"), json!(1e300)];
        assert!(none.iter().all(|v| count(v).is_none()));
        assert_eq!(
            (seconds(&json!(0.6)), milliseconds(&json!("310"))),
            (Some(600_000_000), Some(310_000_000))
        );
        assert_eq!(seconds(&json!(-1)), None);
    }
}
