//! Money as exact decimals.
//!
//! Prices of one token are too fine for nano-dollars, and many are no whole pico-dollars; the finest known ones have 24
//! decimals. So an amount is a whole number of 1e-24 US dollar, and sums and products are exact in any order. The largest amount is 170 million
//! million dollars; beyond it sums saturate.

use std::fmt;
use std::iter::Sum;

/// An amount of US dollars, exact to 1e-24.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

/// Decimals that an amount has.
const DECIMALS: u32 = 24;
const ONE: i128 = 10i128.pow(DECIMALS);
const NANO: i128 = 10i128.pow(DECIMALS - 9);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads a decimal number of dollars, such as `0.25` or `6e-06`. `None` when it is no number, finer than 1e-24 or
    /// too large.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_part(text, 0)
    }

    /// Reads a decimal number of dollars for `10^power` things: the price of one of them. `None` as [`Self::parse`].
    #[must_use]
    pub fn parse_part(text: &str, power: u32) -> Option<Self> {
        let (mantissa, exponent) = match text.trim().split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text.trim(), 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let part = part.trim_end_matches('0');
        let mut value = 0i128;
        for byte in whole.bytes().chain(part.bytes()) {
            let digit = i128::from(byte.checked_sub(b'0').filter(|d| *d < 10)?);
            value = value.checked_mul(10)?.checked_add(digit)?;
        }
        if value == 0 {
            return Some(Self::ZERO);
        }
        let part = i32::try_from(part.len()).ok()?;
        let mut places =
            exponent.checked_sub(part)?.checked_sub(power as i32)?.checked_add(DECIMALS as i32)?;
        while places < 0 && value % 10 == 0 {
            (value, places) = (value / 10, places + 1);
        }
        let factor = 10i128.checked_pow(u32::try_from(places).ok()?)?;
        let value = value.checked_mul(factor)?;
        Some(Self(if negative { -value } else { value }))
    }

    /// An amount in 1e-9 dollar.
    #[must_use]
    pub fn from_nano(nano: i64) -> Self {
        Self(i128::from(nano) * NANO)
    }

    /// In 1e-9 dollar, rounded half away from 0: for columns and older files. Saturates.
    #[must_use]
    pub fn nano(self) -> i64 {
        let (whole, rest) = (self.0 / NANO, self.0 % NANO);
        let rounded = whole + if rest.abs() * 2 >= NANO { self.0.signum() } else { 0 };
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }

    /// The nearest float, for order and pictures.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// So many times the amount.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// True when it is more than can be counted, or less.
    #[must_use]
    pub fn is_saturated(self) -> bool {
        matches!(self.0, i128::MAX | i128::MIN)
    }

    /// The bytes of a session.
    pub(super) fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The way back.
    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(i128::from_le_bytes(bytes))
    }
}

impl std::ops::Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, |a, b| a + b)
    }
}

/// The exact amount in dollars, without an exponent and without zeros at its end: `0.0009`, `1.336`, `-2`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0.unsigned_abs() / ONE as u128, self.0.unsigned_abs() % ONE as u128);
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{whole}")?;
        if rest > 0 {
            let digits = format!("{rest:024}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_to_the_last_digit() {
        let text = |t: &str| Money::parse(t).unwrap().to_string();
        for (given, shown) in [
            ("0.25", "0.25"),
            ("6e-06", "0.000006"),
            ("2.9999900000000002e-06", "0.0000029999900000000002"),
            ("1.3200000000000002e-07", "0.00000013200000000000002"),
            ("12", "12"),
            ("-0.50", "-0.5"),
            ("1E3", "1000"),
            (".5", "0.5"),
            ("0e-99", "0"),
            ("10e-25", "0.000000000000000000000001"),
        ] {
            assert_eq!(text(given), shown, "{given}");
        }
        let bad = ["", "-", ".", "x", "1e", "1,5", "1e-25", "1e20", "NaN", "0x1", "1e99999999999", "1.2.3"];
        assert!(bad.iter().all(|t| Money::parse(t).is_none()));
        assert_eq!(Money::parse_part("0.0375", 6).unwrap().to_string(), "0.0000000375");
        let token = Money::parse_part("0.069444444", 6).unwrap();
        assert_eq!((0..1000).map(|_| token.times(3)).sum::<Money>(), token.times(3000));
    }

    #[test]
    fn amounts_round_only_for_display_and_never_wrap() {
        assert_eq!(Money::parse("0.0000000005").unwrap().nano(), 1);
        assert_eq!(Money::parse("-0.0000000004").unwrap().nano(), 0);
        assert_eq!(Money::from_nano(i64::MIN).nano(), i64::MIN);
        let most = Money::parse("100000000000000").unwrap();
        assert!(most.times(u64::MAX).is_saturated() && !most.is_saturated());
        assert_eq!(most.times(1000).nano(), i64::MAX);
        assert_eq!(Money::from_bytes(most.to_bytes()), most);
    }
}
