//! Stretches of time, as sets.

/// Stretches from start to end, ns; sorted and without overlaps after [`Self::joined`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intervals(Vec<(i64, i64)>);

impl FromIterator<(i64, i64)> for Intervals {
    fn from_iter<I: IntoIterator<Item = (i64, i64)>>(iter: I) -> Self {
        Self(iter.into_iter().filter(|i| i.0 < i.1).collect())
    }
}

impl Extend<(i64, i64)> for Intervals {
    fn extend<I: IntoIterator<Item = (i64, i64)>>(&mut self, iter: I) {
        self.0.extend(iter.into_iter().filter(|i| i.0 < i.1));
    }
}

impl IntoIterator for Intervals {
    type Item = (i64, i64);
    type IntoIter = std::vec::IntoIter<(i64, i64)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Intervals {
    pub fn push(&mut self, start: i64, end: i64) {
        if start < end {
            self.0.push((start, end));
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sum of their lengths.
    pub fn length(&self) -> i64 {
        self.0.iter().fold(0, |sum, &(a, b)| sum.saturating_add(b.saturating_sub(a)))
    }

    /// From the first start to the last end.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        Some((self.0.first()?.0, self.0.last()?.1))
    }

    /// The same moments, each once and in order.
    pub fn joined(mut self) -> Self {
        self.0.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(self.0.len());
        for (start, end) in self.0 {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        Self(joined)
    }

    /// The parts that lie in `start..end`.
    pub fn within(&self, start: i64, end: i64) -> impl Iterator<Item = (i64, i64)> + '_ {
        let first = self.0.partition_point(|i| i.1 <= start);
        let parts = self.0[first..].iter().take_while(move |i| i.0 < end);
        parts.map(move |i| (i.0.max(start), i.1.min(end)))
    }

    /// What both have.
    pub fn common(&self, other: &Self) -> Self {
        Self(self.0.iter().flat_map(|&(start, end)| other.within(start, end)).collect())
    }

    /// What the other one does not have.
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for &(start, end) in &self.0 {
            let mut at = start;
            for (from, to) in other.within(start, end) {
                left.push(at, from);
                at = to;
            }
            left.push(at, end);
        }
        left
    }
}

/// Length of the union of intervals, cut to `within`.
pub(crate) fn covered(mut intervals: Vec<(i64, i64)>, within: Option<(i64, i64)>) -> i64 {
    intervals.sort_unstable();
    let (from, to) = within.unwrap_or((i64::MIN, i64::MAX));
    let (mut sum, mut reached) = (0i64, from);
    for (start, end) in intervals {
        let (start, end) = (start.max(reached), end.min(to));
        if end > start {
            sum = sum.saturating_add(end.saturating_sub(start));
            reached = end;
        }
    }
    sum
}

/// How much of a set lies before any moment.
pub(super) struct Sums {
    parts: Vec<(i64, i64)>,
    before: Vec<i64>,
}

impl Sums {
    pub fn of(set: &Intervals) -> Self {
        let mut sum = 0i64;
        let before = set.iter().map(|(start, end)| {
            let before = sum;
            sum += end - start;
            before
        });
        let before = before.collect();
        Self { parts: set.0.clone(), before }
    }

    fn until(&self, t: i64) -> i64 {
        let after = self.parts.partition_point(|p| p.0 < t);
        let Some(last) = after.checked_sub(1) else { return 0 };
        let (start, end) = self.parts[last];
        self.before[last] + (t.min(end) - start)
    }

    /// How much of it lies in `start..end`.
    pub fn between(&self, start: i64, end: i64) -> i64 {
        (self.until(end) - self.until(start)).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(bits: u64) -> Intervals {
        (0..60).filter(|i| bits >> i & 1 == 1).map(|i| (i, i + 1)).collect::<Intervals>().joined()
    }

    proptest! {
        #[test]
        fn sets_behave_as_their_moments(a in 0u64..1 << 60, b in 0u64..1 << 60, from in 0i64..60, len in 0i64..60) {
            let (x, y) = (set(a), set(b));
            prop_assert_eq!(x.length() as u32, a.count_ones());
            prop_assert_eq!(x.without(&y), set(a & !b));
            prop_assert_eq!(x.common(&y).joined(), set(a & b));
            let to = (from + len).min(60);
            let mask = (0..60u64).filter(|i| (from..to).contains(&(*i as i64))).fold(0u64, |m, i| m | 1 << i);
            prop_assert_eq!(Sums::of(&x).between(from, to) as u32, (a & mask).count_ones());
        }
    }
}
