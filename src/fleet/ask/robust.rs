//! Middles and spreads that a few wild values do not move.

/// The middle value, or the lower one of the two in the middle; the order of `values` changes. `None` of none.
pub(super) fn middle<T: Copy + Ord>(values: &mut [T]) -> Option<T> {
    let at = values.len().checked_sub(1)? / 2;
    Some(*values.select_nth_unstable(at).1)
}

/// The value that a share of all does not exceed, by nearest rank.
pub(super) fn quantile<T: Copy + Ord>(values: &mut [T], share: f64) -> Option<T> {
    let last = values.len().checked_sub(1)?;
    let at = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1).min(last);
    Some(*values.select_nth_unstable(at).1)
}

/// How far values lie from their middle, as one standard deviation where they are a bell curve.
pub(super) fn spread(values: &[i64], middle_value: i64) -> f64 {
    let mut off: Vec<i64> = values.iter().map(|v| v.saturating_sub(middle_value).saturating_abs()).collect();
    1.4826 * middle(&mut off).unwrap_or(0) as f64
}

/// The stretch with the largest sum: its places, and the sum; `None` where nothing is above 0.
pub(super) fn heaviest(values: impl IntoIterator<Item = i64>) -> Option<(std::ops::Range<usize>, i64)> {
    let mut best: Option<(std::ops::Range<usize>, i64)> = None;
    let (mut from, mut sum) = (0, 0i64);
    for (at, value) in values.into_iter().enumerate() {
        if sum <= 0 {
            (from, sum) = (at, 0);
        }
        sum += value;
        if sum > 0 && best.as_ref().is_none_or(|b| sum > b.1) {
            best = Some((from..at + 1, sum));
        }
    }
    best
}

/// Where a series changes its level most: the first place of the later part, for parts of at least `least` values. Found by the
/// sum of distances from the middle of either part.
pub(super) fn change(values: &[i64], least: usize) -> Option<usize> {
    let cost = |part: &[i64]| -> i64 {
        let mut sorted = part.to_vec();
        let Some(m) = middle(&mut sorted) else { return 0 };
        part.iter().fold(0i64, |sum, v| sum.saturating_add(v.saturating_sub(m).saturating_abs()))
    };
    // Thousands of values would take too long one by one.
    let stride = (values.len() / 512).max(1);
    let places = (least..=values.len().checked_sub(least)?).step_by(stride);
    places.min_by_key(|&at| cost(&values[..at]).saturating_add(cost(&values[at..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_stretches_are_found() {
        assert_eq!(middle(&mut [5, 1, 9]), Some(5));
        assert_eq!(quantile(&mut [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.95), Some(10));
        assert_eq!(heaviest([-1, 1, 1, -1, 1, 1, -1, -1, 1]), Some((1..6, 3)));
        assert_eq!(heaviest([-1, -1]), None);
        assert_eq!(change(&[10, 11, 10, 9, 10, 20, 21, 19, 20], 3), Some(5));
        assert_eq!(change(&[1, 2], 3), None);
    }
}
