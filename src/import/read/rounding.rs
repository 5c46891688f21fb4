//! Fractional costs as whole ones.

use super::json::Decimal;

/// Rounds fractional weights so that their sum stays right.
#[derive(Default)]
pub(in crate::import) struct Rounding {
    /// Part of the sum that was not given out yet, in millionths.
    rest: i64,
}

impl Rounding {
    /// The next weight, rounded; −1 for a negative one, `None` when it is too large.
    pub fn next(&mut self, weight: Decimal) -> Option<i64> {
        const MILLION: i64 = 1_000_000;
        if weight.mantissa < 0 {
            return Some(-1);
        }
        let Some(fine) = weight.scaled(6) else { return weight.scaled(0) };
        self.rest = self.rest.checked_add(fine)?;
        let whole = (self.rest + MILLION / 2).div_euclid(MILLION);
        self.rest -= whole * MILLION;
        Some(whole)
    }
}
