//! Fractional costs as whole ones.

use super::json::Decimal;
use crate::model::ProfileBuilder;

const MILLION: i64 = 1_000_000;

/// Rounds fractional weights so that their sum stays right.
#[derive(Default)]
pub(in crate::import) struct Rounding {
    /// Part of the sum that was not given out yet, in millionths.
    rest: i64,
    /// How many were not whole.
    rounded: u64,
    /// The most that one was changed by, in millionths.
    largest: i64,
}

impl Rounding {
    /// The next weight, rounded; −1 for a negative one, `None` when it is too large.
    pub fn next(&mut self, weight: Decimal) -> Option<i64> {
        if weight.mantissa < 0 {
            return Some(-1);
        }
        let Some(fine) = weight.scaled(6) else { return weight.scaled(0) };
        self.rest = self.rest.checked_add(fine)?;
        let whole = (self.rest + MILLION / 2).div_euclid(MILLION);
        self.rest -= whole * MILLION;
        if fine % MILLION != 0 {
            self.rounded += 1;
            self.largest = self.largest.max((whole * MILLION - fine).abs());
        }
        Some(whole)
    }

    /// Says what was rounded.
    pub fn report(&self, builder: &mut ProfileBuilder) {
        let largest = self.largest as f64 / MILLION as f64;
        let what = format!(
            "weight that is no whole number (rounded by at most {largest}, so that the sum of all stays right)"
        );
        builder.warn_many(&what, "", self.rounded);
    }
}
