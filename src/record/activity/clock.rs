//! The device's clock on the recorder's.

use std::collections::VecDeque;

/// Moments that are kept. What is asked for happened shortly before the last one.
const MOST: usize = 256;

/// Moments at which both clocks were read. Between two of them time is interpolated, so a difference in their rates
/// never adds up.
#[derive(Default)]
pub(super) struct Clock {
    /// (ns of the device, ticks of the recorder), both increasing.
    moments: VecDeque<(u64, u64)>,
}

impl Clock {
    /// Both clocks showed this at the same moment. A clock that went back is not believed.
    pub(super) fn tie(&mut self, ns: u64, ticks: u64) {
        if self.moments.back().is_some_and(|&(n, t)| ns <= n || ticks <= t) {
            return;
        }
        if self.moments.len() >= MOST {
            self.moments.pop_front();
        }
        self.moments.push_back((ns, ticks));
    }

    /// Ticks at `ns`; outside all moments at their mean rate.
    pub(super) fn ticks(&self, ns: u64) -> u64 {
        let (Some(&first), Some(&last)) = (self.moments.front(), self.moments.back()) else { return 0 };
        let after = self.moments.partition_point(|m| m.0 <= ns);
        let (a, b) = match after.checked_sub(1).map(|i| (self.moments.get(i), self.moments.get(after))) {
            Some((Some(&a), Some(&b))) => (a, b),
            _ => (first, last),
        };
        let from = if ns < first.0 { first } else { a };
        let (ns_between, ticks_between) =
            (i128::from(b.0) - i128::from(a.0), i128::from(b.1) - i128::from(a.1));
        let since = i128::from(ns) - i128::from(from.0);
        let ticks = i128::from(from.1) + since * ticks_between / ns_between.max(1);
        u64::try_from(ticks.max(0)).unwrap_or(u64::MAX)
    }
}
