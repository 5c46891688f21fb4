//! Numbers as they are written, until their unit is known: nanoseconds since 1970 do not fit into an `f64`, and `0.1` s
//! is exactly 100,000,000 ns.

/// A decimal number: `mantissa * 10^exponent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::import) struct Decimal {
    /// Digits with sign, as many as fit.
    pub mantissa: i64,
    /// Power of ten.
    pub exponent: i16,
}

const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut i = 1;
    while i < 19 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

impl Decimal {
    /// Reads a JSON number; `None` for anything else, and for what is too large to be a measurement.
    pub fn parse(token: &[u8]) -> Option<Self> {
        let (negative, mut rest) = match token {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (mut mantissa, mut exponent) = (0i64, 0i32);
        let mut point = false;
        let (mut any, mut full) = (false, false);
        while let [byte, tail @ ..] = rest {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    let digit = i64::from(byte - b'0');
                    match mantissa.checked_mul(10).and_then(|m| m.checked_add(digit)) {
                        Some(longer) if !full => {
                            mantissa = longer;
                            exponent -= i32::from(point);
                        }
                        _ => {
                            full = true;
                            exponent += i32::from(!point);
                        }
                    }
                }
                b'.' if !point => point = true,
                b'e' | b'E' => {
                    let written: i32 = std::str::from_utf8(tail).ok()?.parse().ok()?;
                    exponent = exponent.checked_add(written)?;
                    rest = &[];
                    break;
                }
                _ => return None,
            }
            rest = tail;
        }
        if !any || !rest.is_empty() {
            return None;
        }
        if mantissa == 0 || exponent < -400 {
            return Some(Self::default());
        }
        let exponent = i16::try_from(exponent).ok().filter(|&e| e < 400)?;
        Some(Self { mantissa: if negative { -mantissa } else { mantissa }, exponent })
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        let (mantissa, exponent) = (self.mantissa as f64, i32::from(self.exponent));
        // Powers of ten up to 10^22 are exact, and so is the quotient's rounding.
        if exponent < 0 { mantissa / 10f64.powi(-exponent) } else { mantissa * 10f64.powi(exponent) }
    }

    /// `self * 10^power` as an integer, rounded half away from 0; `None` when it does not fit.
    pub fn scaled(self, power: i16) -> Option<i64> {
        let power = self.exponent + power;
        if self.mantissa == 0 {
            return Some(0);
        }
        if power >= 0 {
            return self.mantissa.checked_mul(*POWERS.get(power as usize)?);
        }
        let Some(&divisor) = POWERS.get(-power as usize) else { return Some(0) };
        let (whole, rest) = (self.mantissa / divisor, self.mantissa % divisor);
        Some(whole + if rest.abs() * 2 >= divisor { self.mantissa.signum() } else { 0 })
    }
}

/// The number at the start of `bytes` and its length, if it is of the usual kind: few digits, no exponent, and what ends it
/// is in view.
#[inline]
pub(in crate::import) fn short_number(bytes: &[u8]) -> Option<(Decimal, usize)> {
    let bytes = &bytes[..bytes.len().min(20)];
    let negative = bytes.first() == Some(&b'-');
    let (mut mantissa, mut digits, mut point) = (0i64, 0, None);
    for (i, &byte) in bytes.iter().enumerate().skip(usize::from(negative)) {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + i64::from(byte - b'0');
                digits += 1;
                if digits > 17 {
                    return None;
                }
            }
            b'.' if point.is_none() => point = Some(digits),
            b',' | b']' | b'}' | b'\n' if digits > 0 => {
                let exponent = -(point.map_or(0, |p| digits - p) as i16);
                let mantissa = if negative { -mantissa } else { mantissa };
                return Some((Decimal { mantissa, exponent }, i));
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<Decimal> {
        Decimal::parse(text.as_bytes())
    }

    #[test]
    fn numbers_are_exact_in_any_unit() {
        assert_eq!(number("0.1").unwrap().scaled(9), Some(100_000_000));
        assert_eq!(number("1795308577.3289325").unwrap().scaled(9), Some(1_795_308_577_328_932_500));
        assert_eq!(number("1700000000123456789").unwrap().scaled(0), Some(1_700_000_000_123_456_789));
        assert_eq!(number("0.33333333333333333333333333").unwrap().scaled(3), Some(333));
        assert_eq!(number("-2.5e-3").unwrap().scaled(3), Some(-3));
        assert_eq!(number("2.4999").unwrap().scaled(0), Some(2));
        assert_eq!(number("1e-400").unwrap().scaled(9), Some(0));
        assert_eq!(number("9e18").unwrap().scaled(9), None);
        for bad in ["", "-", "+5", "0x10", "NaN", "Infinity", "1e400", "1e99999999999", "1.2.3", "true", "."]
        {
            assert_eq!(number(bad), None, "{bad}");
        }
        assert!(number(&"1".repeat(400)).is_none_or(|d| d.scaled(0).is_none()));
    }
}
