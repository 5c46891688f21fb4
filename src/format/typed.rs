//! Lengths of time as a person types them.

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
}
