//! Numbers of trace events: microseconds with decimals as exact nanoseconds.

use super::scan::{Kind, Raw};

/// Largest time or duration that is believed, ns (146 years). Start plus duration stays below `i64::MAX`,
/// and so does the distance of any two times.
const MAX_NS: i64 = 1 << 62;
const MIN_NS: i64 = -(1 << 60);

/// Nanoseconds from a number of microseconds, written as a number or as a string. `None` for anything
/// else, and for numbers that no clock shows.
pub(super) fn nanoseconds(raw: Raw<'_>) -> Option<i64> {
    if !matches!(raw.kind, Kind::Plain | Kind::Literal) {
        return None;
    }
    let (negative, digits) = match raw.bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let mut value: i64 = 0;
    let mut i = 0;
    while let Some(d) = digits.get(i).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
        if i >= 17 {
            return None;
        }
        value = value * 10 + i64::from(d);
        i += 1;
    }
    if i == 0 {
        return None;
    }
    let mut ns = value.checked_mul(1000).filter(|&ns| ns < MAX_NS)?;
    if let [b'.', fraction @ ..] = &digits[i..] {
        let mut scale = 1000;
        let mut n = 0;
        while let Some(d) = fraction.get(n).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
            if n < 3 {
                scale /= 10;
                ns += i64::from(d) * scale;
            } else if n == 3 && d >= 5 {
                ns += 1;
            }
            n += 1;
        }
        i += 1 + n;
    }
    if i < digits.len() {
        return float_ns(raw.bytes);
    }
    in_range(if negative { -ns } else { ns })
}

fn in_range(ns: i64) -> Option<i64> {
    (MIN_NS < ns && ns < MAX_NS).then_some(ns)
}

/// The rare numbers with an exponent.
#[cold]
fn float_ns(bytes: &[u8]) -> Option<i64> {
    let ns = float(bytes)? * 1000.0;
    // Beyond this, the conversion would saturate.
    (ns.abs() < MAX_NS as f64).then(|| ns.round() as i64).and_then(in_range)
}

/// A finite number.
pub(super) fn float(bytes: &[u8]) -> Option<f64> {
    // Rust also reads «inf» and «nan».
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse::<f64>().ok().filter(|v| v.is_finite())
}

/// The end of a span; `None` when it cannot be.
pub(super) fn end_of(start: i64, duration: i64) -> Option<i64> {
    start.checked_add(duration).filter(|&end| end < MAX_NS)
}

/// A whole number, written as a number or as a string.
pub(super) fn integer(raw: Raw<'_>) -> Option<i64> {
    if !matches!(raw.kind, Kind::Plain | Kind::Literal) {
        return None;
    }
    let (negative, digits) = match raw.bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    // A leading zero would make «007» and «7» the same thread.
    if digits.is_empty() || digits.len() > 19 || (digits[0] == b'0' && digits.len() > 1) {
        return None;
    }
    let mut value: i64 = 0;
    for b in digits {
        let d = b.wrapping_sub(b'0');
        if d >= 10 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(d))?;
    }
    Some(if negative { -value } else { value })
}

/// An id: a whole number or a hexadecimal string such as «0x1f».
pub(super) fn hex_or_integer(raw: Raw<'_>) -> Option<i64> {
    match raw.bytes {
        [b'0', b'x' | b'X', rest @ ..] if raw.kind == Kind::Plain && (1..=16).contains(&rest.len()) => {
            let text = std::str::from_utf8(rest).ok()?;
            u64::from_str_radix(text, 16).ok().map(u64::cast_signed)
        }
        _ => integer(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(text: &str) -> Option<i64> {
        nanoseconds(Raw { bytes: text.as_bytes(), kind: Kind::Literal })
    }

    #[test]
    fn microseconds_become_exact_nanoseconds() {
        for (text, expected) in [
            ("0", 0),
            ("1623142623460016", 1_623_142_623_460_016_000),
            ("1623142623460016.000", 1_623_142_623_460_016_000),
            ("4452002762196.857", 4_452_002_762_196_857),
            ("81995849579.459", 81_995_849_579_459),
            ("0.5744784873156823", 574),
            ("1.5538106615389125", 1554),
            ("0.9999", 1000),
            ("1.1", 1100),
            ("-2.5", -2500),
            ("1e3", 1_000_000),
            ("1.5E-3", 2),
            ("1e-400", 0),
            ("+5", 5000),
            ("7.", 7000),
        ] {
            assert_eq!(ns(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "-",
            "x",
            "0x10",
            "NaN",
            "Infinity",
            "-Infinity",
            "inf",
            "nan",
            "true",
            "null",
            "1e400",
            "1.2.3",
            "5a",
            "18446744073709551616",
            "5000000000000000000",
            "9999999999999999",
            "-99999999999999999999",
            "1_000",
        ] {
            assert_eq!(ns(text), None, "{text}");
        }
        assert_eq!(ns(&"9".repeat(400)), None);
        assert_eq!(nanoseconds(Raw { bytes: b"11552125241", kind: Kind::Plain }), Some(11_552_125_241_000));
    }

    #[test]
    fn ids_are_whole_numbers_or_texts() {
        let id = |text: &str| hex_or_integer(Raw { bytes: text.as_bytes(), kind: Kind::Plain });
        assert_eq!(id("-7"), Some(-7));
        assert_eq!(id("9223372036854775807"), Some(i64::MAX));
        assert_eq!(id("9223372036854775808"), None);
        assert_eq!(id("0xffffffffffffffff"), Some(-1));
        assert_eq!(id("1.5"), None);
        assert_eq!(id("007"), None);
        assert_eq!(id("stream 7"), None);
    }
}
