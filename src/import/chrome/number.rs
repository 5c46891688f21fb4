//! Numbers of trace events: microseconds with decimals as exact nanoseconds.

use super::scan::{Kind, Raw};

/// Largest time or duration that is believed, ns (146 years). Start plus duration stays below `i64::MAX`,
/// and so does the distance of any two times.
const MAX_NS: i64 = 1 << 62;
const MIN_NS: i64 = -(1 << 60);

/// From so many microseconds on (2005 as a time since 1970) the doubles of most programs only hold quarters.
const QUARTERS_FROM: i64 = 1 << 50;

/// Parts of a nanosecond that are kept.
const PARTS: u32 = 1_000_000;

/// How finely a time is known, as far as its digits show.
pub(super) mod grain {
    /// A large time in one or two decimals or in quarters, as a double holds it.
    pub const QUARTER: u8 = 1;
    /// A large time with finer digits.
    pub const FINE: u8 = 2;
}

/// What the numbers of a file count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scale {
    /// Microseconds, as the format wants it.
    #[default]
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// A time or duration with what it has below a nanosecond: start and end are rounded, not the length between, so
/// that what ends together still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Nanoseconds, rounded down.
    floor: i64,
    /// The rest, in [`PARTS`] of a nanosecond.
    rest: u32,
    /// See [`grain`]; 0 when the digits show nothing.
    pub grain: u8,
}

impl Stamp {
    /// The closest nanosecond.
    pub fn ns(self) -> i64 {
        self.floor + i64::from(self.rest >= PARTS / 2)
    }

    /// The end of what starts here and lasts `length`; `None` when it cannot be.
    pub fn plus(self, length: Self) -> Option<i64> {
        let parts = self.rest + length.rest + PARTS / 2;
        let end = self.floor.checked_add(length.floor)?.checked_add(i64::from(parts / PARTS))?;
        (end < MAX_NS).then_some(end)
    }
}

/// Nanoseconds from a number of microseconds, see [`stamp`].
pub(super) fn nanoseconds(raw: Raw<'_>) -> Option<i64> {
    stamp(raw, Scale::Micros).map(Stamp::ns)
}

/// A time or duration, written as a number or as a string. `None` for anything else, and for numbers that no
/// clock shows.
pub(super) fn stamp(raw: Raw<'_>, scale: Scale) -> Option<Stamp> {
    if !matches!(raw.kind, Kind::Plain | Kind::Literal) {
        return None;
    }
    if scale == Scale::Nanos {
        return exact(raw.bytes, 0);
    }
    let (negative, digits) = match raw.bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let mut value: i64 = 0;
    let mut i = 0;
    while let Some(d) = digits.get(i).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
        if i >= 17 {
            return exact(raw.bytes, 3);
        }
        value = value * 10 + i64::from(d);
        i += 1;
    }
    if i == 0 {
        return None;
    }
    let Some(mut ns) = value.checked_mul(1000).filter(|&ns| ns < MAX_NS) else { return exact(raw.bytes, 3) };
    let (mut rest, mut grain) = (0, 0);
    if let [b'.', fraction @ ..] = &digits[i..] {
        let (mut scale, mut part) = (1000, PARTS);
        let mut n = 0;
        while let Some(d) = fraction.get(n).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
            if n < 3 {
                scale /= 10;
                ns += i64::from(d) * scale;
            } else if n < 9 {
                part /= 10;
                rest += u32::from(d) * part;
            }
            n += 1;
        }
        i += 1 + n;
        if value >= QUARTERS_FROM && n > 0 {
            grain = grain_of(n as i32, ns, rest);
        }
    }
    if i < digits.len() {
        return exact(raw.bytes, 3);
    }
    if negative {
        (ns, rest) = if rest == 0 { (-ns, 0) } else { (-ns - 1, PARTS - rest) };
    }
    in_range(Stamp { floor: ns, rest, grain })
}

fn in_range(stamp: Stamp) -> Option<Stamp> {
    (MIN_NS < stamp.floor && stamp.floor < MAX_NS).then_some(stamp)
}

/// What `decimals` digits of microseconds show.
fn grain_of(decimals: i32, ns: i64, rest: u32) -> u8 {
    match decimals {
        ..=0 => 0,
        1 | 2 => grain::QUARTER,
        _ if ns % 250 == 0 && rest == 0 => grain::QUARTER,
        _ => grain::FINE,
    }
}

/// Most digits of a number that count.
const MOST_DIGITS: usize = 30;

/// The rare numbers with an exponent or very many digits: `shift` digits less than nanoseconds. By their digits,
/// because a double of a time since 1970 is only good to a quarter of a microsecond.
#[cold]
fn exact(bytes: &[u8], shift: i32) -> Option<Stamp> {
    let (negative, text) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let (mut digits, mut kept, mut left_out, mut decimals): (i128, usize, i32, i32) = (0, 0, 0, 0);
    let (mut at, mut point) = (0, false);
    while let Some(&b) = text.get(at) {
        match b {
            b'0'..=b'9' if kept < MOST_DIGITS => {
                digits = digits * 10 + i128::from(b - b'0');
                kept += usize::from(digits != 0);
            }
            b'0'..=b'9' => left_out = left_out.saturating_add(1),
            b'.' if !point && at > 0 => point = true,
            _ => break,
        }
        decimals = decimals.saturating_add(i32::from(point && b != b'.'));
        at += 1;
    }
    if at == 0 {
        return None;
    }
    let exponent = match text.get(at..) {
        Some([]) => 0,
        Some([b'e' | b'E', rest @ ..]) => exponent(rest)?,
        _ => return None,
    };
    // The value is `digits` with so many zeros behind, in parts of a nanosecond.
    let zeros = exponent.saturating_sub(decimals).saturating_add(left_out).saturating_add(shift + 6);
    let parts = match zeros {
        _ if digits == 0 => 0,
        0..=60 => digits.checked_mul(10i128.checked_pow(zeros as u32)?)?,
        -36..0 => digits / 10i128.pow(zeros.unsigned_abs()),
        ..-36 => 0,
        _ => return None,
    };
    let parts = if negative { -parts } else { parts };
    let floor = i64::try_from(parts.div_euclid(PARTS.into())).ok()?;
    let rest = parts.rem_euclid(PARTS.into()) as u32;
    let large = shift == 3 && floor >= QUARTERS_FROM.saturating_mul(1000);
    let grain = if large { grain_of(decimals.saturating_sub(exponent), floor, rest) } else { 0 };
    in_range(Stamp { floor, rest, grain })
}

/// Digits with a sign; huge ones are cut, which changes nothing.
fn exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i32, |v, &b| (v * 10 + i32::from(b - b'0')).min(100_000));
    Some(if negative { -value } else { value })
}

/// True for a number that is a time since 1970 in nanoseconds (2001 to 2116), and in microseconds would be one that
/// no clock shows.
pub(super) fn looks_like_nanoseconds(raw: Raw<'_>) -> bool {
    stamp(raw, Scale::Nanos).is_some_and(|s| s.floor >= 1_000_000_000_000_000_000)
}

/// A finite number.
pub(super) fn float(bytes: &[u8]) -> Option<f64> {
    // Rust also reads «inf» and «nan».
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse::<f64>().ok().filter(|v| v.is_finite())
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
        for (text, expected) in [
            ("1.7012345678901234e+15", 1_701_234_567_890_123_400),
            ("1701234567890123.4", 1_701_234_567_890_123_400),
            ("17012345678901234E-1", 1_701_234_567_890_123_400),
            ("-1.5e+0", -1500),
            ("0.0000000000001e15", 100_000),
            ("0e99999999", 0),
        ] {
            assert_eq!(ns(text), Some(expected), "{text}");
        }
        for text in ["1e", "1e+", "1e1.5", "1e99999999999", "1e5x"] {
            assert_eq!(ns(text), None, "{text}");
        }
        assert_eq!(nanoseconds(Raw { bytes: b"11552125241", kind: Kind::Plain }), Some(11_552_125_241_000));
    }

    #[test]
    fn ends_are_rounded_rather_than_lengths() {
        let stamp =
            |text: &str| stamp(Raw { bytes: text.as_bytes(), kind: Kind::Literal }, Scale::Micros).unwrap();
        // A step and the call in it end together, though their lengths are rounded apart.
        let ends = [("0.000000", "10.000400"), ("5.000600", "4.999800"), ("6.000600", "3.999800")]
            .map(|(start, length)| stamp(start).plus(stamp(length)));
        assert_eq!(ends, [Some(10_000); 3]);
        assert_eq!(stamp("-0.0015").plus(stamp("0.0010")), Some(0));
        assert_eq!(stamp("0.0004").plus(stamp("0.0004")), Some(1));
        assert_eq!(stamp("4611686018427386").plus(stamp("4611686018427386")), None);
    }

    #[test]
    fn digits_show_how_fine_a_time_is() {
        let of = |text: &str| {
            stamp(Raw { bytes: text.as_bytes(), kind: Kind::Literal }, Scale::Micros).unwrap().grain
        };
        for text in
            ["1712345678901234.5", "1712345678901234.25", "1712345678901234.750", "1.7012345678901234e+15"]
        {
            assert_eq!(of(text), grain::QUARTER, "{text}");
        }
        assert_eq!(of("1712345678901234.123"), grain::FINE);
        for text in ["1712345678901234", "4452002762196.8", "1.5", "1.7012345678901e+15"] {
            assert_eq!(of(text), 0, "{text}");
        }
    }

    #[test]
    fn nanoseconds_since_1970_are_known_by_their_size() {
        let of = |text: &str| looks_like_nanoseconds(Raw { bytes: text.as_bytes(), kind: Kind::Literal });
        assert!(of("1736425612345678901") && of("1.736425612345678901e18") && of("1736425612345678901.5"));
        assert!(
            !of("1736425612345678") && !of("173642561234567890") && !of("18446744073709551615") && !of("x")
        );
        let raw = Raw { bytes: b"1736425612345678901", kind: Kind::Literal };
        assert_eq!(stamp(raw, Scale::Nanos).map(Stamp::ns), Some(1_736_425_612_345_678_901));
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
