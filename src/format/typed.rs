//! Lengths of time and quantities as a person types them.

/// How many ns a unit has: ns, us or µs, ms, s, min.
#[must_use]
pub fn time_unit(name: &str) -> Option<f64> {
    match name {
        "ns" => Some(1.0),
        "us" | "µs" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        "min" => Some(60e9),
        _ => None,
    }
}

/// «1.2s», «350 ms», «-3s» in ns; `None` without a number or a unit.
#[must_use]
pub fn typed_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = text.find(|c: char| c.is_alphabetic() || c == 'µ')?;
    let (number, unit) = text.split_at(at);
    let size = time_unit(unit.trim())?;
    let value: f64 = number.trim().replace(',', ".").parse().ok()?;
    value.is_finite().then_some((value * size).round() as i64)
}

/// «1,235,814,400», «1.24G», «320 GB/s», «4714 MiB» as a whole number: prefixes of ten, and of 1024 with an «i». What follows the
/// prefix is a unit and counts nothing. `None` without a number, below 0 or beyond what a number holds.
#[must_use]
pub fn typed_quantity(text: &str) -> Option<u64> {
    let text: String =
        text.trim().chars().filter(|c| !matches!(c, ',' | '_' | ' ' | '\u{a0}' | '\u{202f}')).collect();
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let mut end = text.find(|c: char| !digits(c)).unwrap_or(text.len());
    // «1.2e9»
    if let Some(rest) = text[end..].strip_prefix(['e', 'E'])
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        end += 1 + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    }
    let (number, unit) = text.split_at(end);
    let base = if unit.get(1..2) == Some("i") { 1024f64 } else { 1000.0 };
    let power = match unit.chars().next() {
        Some('k' | 'K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        _ => 0,
    };
    let value = number.parse::<f64>().ok()? * base.powi(power);
    (value.is_finite() && (0.0..9.0e18).contains(&value)).then_some(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::typed_time as time;

    #[test]
    fn times_have_units() {
        assert_eq!(time("1.2s"), Some(1_200_000_000));
        assert_eq!(time(" 350 ms"), Some(350_000_000));
        assert_eq!(time("2 µs"), Some(2000));
        assert_eq!([time("12"), time("1 h"), time("s"), time("")], [None; 4]);
    }

    #[test]
    fn quantities_have_prefixes() {
        use super::typed_quantity as q;
        assert_eq!(q("1,235,814,400"), Some(1_235_814_400));
        assert_eq!(q("1.24G"), Some(1_240_000_000));
        assert_eq!((q("320 GB/s"), q("8.1 TFLOP/s")), (Some(320_000_000_000), Some(8_100_000_000_000)));
        assert_eq!((q("1 KiB"), q("2e3"), q("4 bytes")), (Some(1024), Some(2000), Some(4)));
        assert_eq!([q(""), q("x"), q("-1"), q("1e400"), q("9e30")], [None; 5]);
    }
}
