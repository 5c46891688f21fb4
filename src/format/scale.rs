//! A scale: one unit and one number of decimals for a whole column, so that its numbers line up and compare at a
//! glance, and a live value does not jump.

use super::{GROUP, LARGE, MINUS, SIZE, TIME, UNKNOWN, bounded, decimal, grouped, round_div};
use crate::model::Unit;

/// How a column writes its costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    size: u128,
    places: u32,
    prefix: &'static str,
    suffix: &'static str,
}

impl Scale {
    /// The format in which the value of largest magnitude, `max`, has about four significant digits.
    #[must_use]
    pub fn for_max(unit: Unit, max: i64) -> Self {
        let abs = u128::from(max.unsigned_abs());
        let plain = Self { size: 1, places: 0, prefix: "", suffix: "" };
        match unit {
            Unit::Nanoseconds => Self::laddered(TIME, abs),
            Unit::Bytes => Self::laddered(SIZE, abs),
            Unit::Count | Unit::Tokens | Unit::None if abs < 10_000_000 => plain,
            Unit::Count | Unit::Tokens | Unit::None => Self::laddered(LARGE, abs),
            Unit::NanoDollars => {
                let places = if abs >= 1_000_000_000 { 2 } else { 9 - abs.max(1_000).ilog10() + 2 };
                Self { size: 1_000_000_000, places: places.min(9), prefix: "$", suffix: "" }
            }
            Unit::MilliPercent => Self { size: 1000, places: 1, prefix: "", suffix: "%" },
        }
    }

    fn laddered(ladder: &[(u128, &'static str)], max: u128) -> Self {
        let (size, suffix) = *ladder.iter().rev().find(|(size, _)| max >= *size).unwrap_or(&ladder[0]);
        let whole_digits = (max / size).max(1).ilog10() + 1;
        let places = if size == 1 { 0 } else { 4u32.saturating_sub(whole_digits) };
        Self { size, places, prefix: "", suffix }
    }

    /// The unit to name in the header: `ms`, `MiB`; empty for plain numbers.
    #[must_use]
    pub fn suffix(&self) -> &'static str {
        self.suffix
    }

    /// The number alone. What is not 0 but too small to show is `<0.01`.
    #[must_use]
    pub fn number(&self, value: Option<i64>) -> String {
        let Some(value) = value else { return UNKNOWN.to_owned() };
        let abs = u128::from(value.unsigned_abs());
        let scaled = round_div(abs * 10u128.pow(self.places), self.size);
        let (less, scaled) = if scaled == 0 && abs > 0 { ("<", 1) } else { ("", scaled) };
        let text = if abs == 0 { grouped(0) } else { decimal(scaled, self.places) };
        let sign = if value < 0 { String::from(MINUS) } else { String::new() };
        bounded(value, format!("{sign}{less}{}{text}", self.prefix))
    }

    /// The number with its unit.
    #[must_use]
    pub fn text(&self, value: Option<i64>) -> String {
        let number = self.number(value);
        if self.suffix.is_empty() || value.is_none() { number } else { format!("{number} {}", self.suffix) }
    }

    /// The number with a sign even when it is positive.
    #[must_use]
    pub fn signed(&self, value: Option<i64>) -> String {
        let number = self.number(value);
        if value.is_some_and(|v| v > 0) { format!("+{number}") } else { number }
    }

    /// The number, filled from the left with spaces as wide as a digit, so that a live value of at most
    /// `max` keeps its width.
    #[must_use]
    pub fn padded(&self, value: Option<i64>, max: i64) -> String {
        const FIGURE_SPACE: &str = "\u{2007}";
        let digits = |s: &str| s.chars().filter(|&c| c != GROUP).count();
        let number = self.number(value);
        let missing = digits(&self.number(Some(max))).saturating_sub(digits(&number));
        FIGURE_SPACE.repeat(missing) + &number
    }
}
