//! What the times of a file have in common.

use super::number;
use super::scan::Raw;

/// Earliest and latest time, and times that cannot be used.
#[derive(Debug)]
pub(super) struct Times {
    earliest: i64,
    latest: i64,
    /// Times that cannot be used, and those of them that would be good as nanoseconds since 1970.
    unusable: u64,
    nanoseconds: u64,
    /// The first of them, as it is written, and where.
    first: Option<(String, u64)>,
}

impl Default for Times {
    fn default() -> Self {
        Self { earliest: i64::MAX, latest: i64::MIN, unusable: 0, nanoseconds: 0, first: None }
    }
}

/// Longest part of an unusable time that is shown.
const SHOWN: usize = 40;

/// From here on it is worth a look whether single times are far from all others, ns.
const FAR_APART: i64 = 3_600_000_000_000;

impl Times {
    /// A time.
    #[inline]
    pub fn note(&mut self, ns: i64) {
        self.earliest = self.earliest.min(ns);
        self.latest = self.latest.max(ns);
    }

    /// An end.
    #[inline]
    pub fn note_end(&mut self, ns: i64) {
        self.latest = self.latest.max(ns);
    }

    /// A time that cannot be used.
    #[cold]
    pub fn unusable(&mut self, raw: Raw<'_>, offset: u64) {
        self.unusable += 1;
        self.nanoseconds += u64::from(number::looks_like_nanoseconds(raw));
        if self.first.is_none() && !raw.is_none() {
            let text = super::decode::text(raw).0;
            self.first = Some((text.chars().take(SHOWN).collect(), offset));
        }
    }

    /// The first time that cannot be used and the byte of its event, when there is no other time.
    pub fn first_unusable(&self) -> Option<(String, u64)> {
        self.first.clone().filter(|_| self.latest().is_none())
    }

    /// True when all times are good as nanoseconds since 1970 only.
    pub fn only_nanoseconds(&self) -> bool {
        self.latest().is_none() && self.nanoseconds > 0 && self.nanoseconds == self.unusable
    }

    /// The latest time.
    pub fn latest(&self) -> Option<i64> {
        (self.earliest <= self.latest).then_some(self.latest)
    }

    /// True when the times do not lie within an hour.
    pub fn are_far_apart(&self) -> bool {
        self.latest().is_some_and(|latest| latest.saturating_sub(self.earliest) > FAR_APART)
    }
}
