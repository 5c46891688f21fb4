//! Change or chance: repeated runs, medians, and the exact test of Mann and Whitney.
//!
//! The test asks how often chance alone would order the values of two sides as they are, or further from the middle. It
//! needs no bell curve, an outlier counts as one value, and values that are all alike on one side are a clear result.
//! Ties get their mean rank; the distribution is that of the ranks at hand, counted out, not approximated, up to
//! [`MOST_EXACT`] values. Repetitions are never paired by their number.

use crate::format;

/// Values of both sides together up to which the distribution is counted out.
pub const MOST_EXACT: usize = 64;

/// Chance below which a change is taken as one.
pub const ALPHA: f64 = 0.05;

/// Runs a side from which on the test can reach [`ALPHA`].
pub const RUNS_NEEDED: usize = 4;

/// Change in shares of the base below which nobody cares, even when it is no chance.
pub const PRACTICAL: f64 = 0.01;

/// What repeated runs say about a figure for which less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes more.
    Slower,
    /// It takes less.
    Faster,
    /// Enough runs, and no difference beyond chance or beyond what matters.
    NoEvidence,
    /// Too few runs to tell anything.
    TooFewRuns,
}

impl Verdict {
    /// The word of tables and JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::NoEvidence => "no evidence",
            Self::TooFewRuns => "too few runs",
        }
    }
}

/// The test of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Runs of the base.
    pub n_base: usize,
    /// Runs of the head.
    pub n_head: usize,
    /// Median of the base.
    pub median_base: f64,
    /// Median of the head.
    pub median_head: f64,
    /// Whether the change is large enough for anybody to care.
    pub matters: bool,
    /// Two-sided p of the test, corrected for [`Self::rows`]; `None` with one run a side.
    pub p: Option<f64>,
    /// The same of this figure alone.
    pub p_alone: Option<f64>,
    /// How many figures were tested at once; 1 for one that was named beforehand.
    pub rows: usize,
    /// The smallest p that so many runs can reach.
    pub smallest_p: f64,
    /// What follows.
    pub verdict: Verdict,
}

impl Evidence {
    /// Tests the values of two sides; `None` when one has none. `practical` is the share of the base below which a
    /// change does not matter.
    #[must_use]
    pub fn of(base: &[f64], head: &[f64], practical: f64) -> Option<Self> {
        let (median_base, median_head) = (median(base)?, median(head)?);
        let (n_base, n_head) = (base.len(), head.len());
        let smallest_p = smallest_p(n_base, n_head);
        let p = (n_base > 1 || n_head > 1).then(|| mann_whitney(base, head));
        let verdict = Verdict::NoEvidence;
        let matters = (median_head - median_base).abs() > practical * median_base.abs();
        let (p_alone, rows) = (p, 1);
        Some(
            Self { n_base, n_head, median_base, median_head, matters, p, p_alone, rows, smallest_p, verdict }
                .judged(),
        )
    }

    /// The same as one of several figures that are tested at once, with p corrected for that.
    #[must_use]
    pub fn among(self, rows: usize, p: f64) -> Self {
        Self { p: Some(p), rows, ..self }.judged()
    }

    /// The same of a figure that somebody named beforehand: one test, nothing to correct.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { p: self.p_alone, rows: 1, ..self }.judged()
    }

    fn judged(self) -> Self {
        let verdict = match self.p {
            _ if self.smallest_p > ALPHA => Verdict::TooFewRuns,
            Some(p) if p < ALPHA && self.matters && self.median_head > self.median_base => Verdict::Slower,
            Some(p) if p < ALPHA && self.matters => Verdict::Faster,
            _ => Verdict::NoEvidence,
        };
        Self { verdict, ..self }
    }

    /// One line: what the runs say and how sure that is.
    #[must_use]
    pub fn words(&self) -> String {
        let (n, m) = (self.n_base, self.n_head);
        match (self.verdict, self.p) {
            (Verdict::TooFewRuns, _) if n == 1 && m == 1 => {
                "one run each: cannot tell a change from noise".to_owned()
            }
            (Verdict::TooFewRuns, _) => format!(
                "{n} + {m} runs: cannot tell, the smallest p they can reach is {}; at least {RUNS_NEEDED} runs a side \
                 are needed",
                p_text(self.smallest_p)
            ),
            (verdict, Some(p)) if self.rows > 1 => format!(
                "{n} + {m} runs: {} (p = {}, corrected for {} functions{})",
                verdict.key(),
                p_text(p),
                format::count(self.rows as i64),
                self.more_runs()
            ),
            (verdict, Some(p)) => format!("{n} + {m} runs: {} (p = {})", verdict.key(), p_text(p)),
            (verdict, None) => format!("{n} + {m} runs: {}", verdict.key()),
        }
    }
}

impl Evidence {
    /// What alone would be a change and is none among so many: «; 0.0079 alone, 7 runs a side can show it».
    fn more_runs(&self) -> String {
        let Some(p) =
            self.p_alone.filter(|p| *p < ALPHA && self.matters && self.verdict == Verdict::NoEvidence)
        else {
            return String::new();
        };
        let enough = (RUNS_NEEDED..100).find(|n| smallest_p(*n, *n) * (self.rows as f64) < ALPHA);
        let runs = enough.map_or_else(String::new, |n| format!(", {n} runs a side can show it"));
        format!("; {} alone{runs}", p_text(p))
    }
}

/// A probability as people write it.
#[must_use]
pub fn p_text(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".into() } else { format!("{p:.4}") }
}

/// The middle value, or the mean of the two in the middle; `None` of none.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    Some(match sorted.len() {
        0 => return None,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    })
}

/// How long so many runs of one thing took: «5 runs: elapsed 1.20 s (median; 1.18 s – 1.25 s)». Times in ns; those that are not known
/// are left out.
#[must_use]
pub fn elapsed_of(runs: usize, elapsed: &[f64]) -> String {
    let runs = format::counted(runs as i64, "run", "runs");
    let time = |ns: f64| format::duration(ns.round() as i64);
    let (least, most) =
        elapsed.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| (a.min(v), b.max(v)));
    match median(elapsed) {
        Some(middle) => {
            format!("{runs}: elapsed {} (median; {} – {})", time(middle), time(least), time(most))
        }
        None => runs,
    }
}

/// 2 of all ways to choose `n` of `n + m`: everything of one side below everything of the other.
#[must_use]
pub fn smallest_p(n: usize, m: usize) -> f64 {
    let ways = (1..=n).fold(1.0, |ways, i| ways * (m + i) as f64 / i as f64);
    (2.0 / ways).min(1.0)
}

/// Twice the rank of each value among all, ties sharing theirs.
fn doubled_ranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut at = 0;
    while at < order.len() {
        let alike = order[at..].iter().take_while(|&&i| values[i] == values[order[at]]).count();
        for &i in &order[at..at + alike] {
            ranks[i] = 2 * at + alike + 1;
        }
        at += alike;
    }
    ranks
}

/// Two-sided p: how often the ranks of the base would by chance sum up to as far from the middle as they do.
#[must_use]
pub fn mann_whitney(base: &[f64], head: &[f64]) -> f64 {
    let all: Vec<f64> = base.iter().chain(head).copied().collect();
    let ranks = doubled_ranks(&all);
    let (n, total) = (base.len(), all.len());
    let sum: usize = ranks[..n].iter().sum();
    // Both sides times `total`, so that the middle is a whole number.
    let whole: usize = ranks.iter().sum();
    let distance = |sum: usize| (sum * total).abs_diff(whole * n);
    let observed = distance(sum);
    if total > MOST_EXACT {
        return approximate(&ranks, n, observed as f64 / total as f64);
    }
    // ways[k][s]: ways to choose k ranks with the sum s.
    let mut ways = vec![vec![0.0f64; whole + 1]; n + 1];
    ways[0][0] = 1.0;
    for (seen, &rank) in ranks.iter().enumerate() {
        for k in (1..=n.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(k);
            for s in rank..=whole {
                more[0][s] += fewer[k - 1][s - rank];
            }
        }
    }
    let far: f64 = ways[n].iter().enumerate().filter(|&(s, _)| distance(s) >= observed).map(|(_, w)| w).sum();
    far / ways[n].iter().sum::<f64>()
}

/// The same by the normal distribution, with ties accounted for by the ranks' own variance.
fn approximate(ranks: &[usize], n: usize, doubled_distance: f64) -> f64 {
    let total = ranks.len() as f64;
    let mean = ranks.iter().sum::<usize>() as f64 / total;
    let squares: f64 = ranks.iter().map(|&r| (r as f64 - mean).powi(2)).sum();
    let variance = n as f64 * (total - n as f64) / (total * (total - 1.0)) * squares;
    if variance <= 0.0 { 1.0 } else { two_sided_normal(doubled_distance / variance.sqrt()) }
}

/// Share of a bell curve further out than `z`; error below 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn two_sided_normal(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    series.iter().fold(0.0, |sum, c| (sum + c) * t) * (-x * x).exp()
}

/// p values for many figures at once, so that at most the share `p` of those below it are chance (Benjamini and
/// Hochberg): of 800 functions 40 differ by chance alone.
#[must_use]
pub fn corrected(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut least = 1.0f64;
    let mut out = vec![1.0; p.len()];
    for (from_last, &i) in order.iter().enumerate() {
        let rank = (p.len() - from_last) as f64;
        least = least.min(p[i] * p.len() as f64 / rank);
        out[i] = least;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(base: &[f64], head: &[f64]) -> Evidence {
        Evidence::of(base, head, PRACTICAL).unwrap()
    }

    /// All ways one by one.
    fn by_enumeration(base: &[f64], head: &[f64]) -> f64 {
        let all: Vec<f64> = base.iter().chain(head).copied().collect();
        let ranks = doubled_ranks(&all);
        let middle = ranks.iter().sum::<usize>() as f64 * base.len() as f64 / all.len() as f64;
        let sum: usize = ranks[..base.len()].iter().sum();
        let (mut far, mut ways) = (0, 0);
        for set in 0u32..1 << all.len() {
            if set.count_ones() as usize == base.len() {
                let s: usize = (0..all.len()).filter(|i| set >> i & 1 == 1).map(|i| ranks[i]).sum();
                ways += 1;
                far += usize::from((s as f64 - middle).abs() >= (sum as f64 - middle).abs() - 1e-9);
            }
        }
        far as f64 / f64::from(ways)
    }

    #[test]
    fn five_clearly_apart_are_evidence_and_three_can_never_be() {
        let five = of(&[3451.0, 3440.0, 3460.0, 3455.0, 3449.0], &[2364.0, 2360.0, 2370.0, 2361.0, 2368.0]);
        assert_eq!(five.verdict, Verdict::Faster);
        assert!((five.p.unwrap() - 0.00794).abs() < 1e-5, "{five:?}");
        let three = of(&[3450.0, 3440.0, 3460.0], &[2364.0, 2360.0, 2370.0]);
        assert_eq!((three.verdict, three.p), (Verdict::TooFewRuns, Some(0.1)));
        assert!(
            three.words().contains("0.1000") && three.words().contains("at least 4"),
            "{}",
            three.words()
        );
        assert!((smallest_p(4, 4) - 0.0286).abs() < 1e-4 && (smallest_p(5, 5) - 0.0079).abs() < 1e-4);
    }

    #[test]
    fn a_side_that_never_varies_is_a_clear_result() {
        let e = of(&[3452.0, 3440.0, 3460.0, 3455.0, 3449.0], &[2364.0; 5]);
        assert_eq!(e.verdict, Verdict::Faster);
        assert!((e.p.unwrap() - 0.00794).abs() < 1e-5);
        assert_eq!(of(&[5.0; 5], &[5.0; 5]).p, Some(1.0));
    }

    #[test]
    fn one_run_each_says_nothing_and_a_small_change_is_none() {
        let one = of(&[100.0], &[150.0]);
        assert_eq!((one.verdict, one.p), (Verdict::TooFewRuns, None));
        assert!(one.words().starts_with("one run each"));
        let small = of(&[1000.0, 1001.0, 1002.0, 1003.0, 1004.0], &[1005.0, 1006.0, 1007.0, 1008.0, 1009.0]);
        assert_eq!(small.verdict, Verdict::NoEvidence, "half a percent, if surely");
    }

    #[test]
    fn many_values_are_approximated_closely() {
        let base: Vec<f64> = (0..32).map(|i| f64::from(i * 37 % 100)).collect();
        let head: Vec<f64> = (0..32).map(|i| f64::from(i * 53 % 100) + 15.0).collect();
        let all: Vec<f64> = base.iter().chain(&head).copied().collect();
        let ranks = doubled_ranks(&all);
        let sum: usize = ranks[..32].iter().sum();
        let distance = (sum as f64 - ranks.iter().sum::<usize>() as f64 / 2.0).abs();
        assert!((mann_whitney(&base, &head) - approximate(&ranks, 32, distance)).abs() < 0.005);
    }

    #[test]
    fn the_middle_run_stands_for_all() {
        assert_eq!(elapsed_of(3, &[3e9, 1e9, 2e9]), "3 runs: elapsed 2.00 s (median; 1.00 s – 3.00 s)");
        assert_eq!(elapsed_of(2, &[]), "2 runs");
    }

    #[test]
    fn of_many_figures_the_chance_ones_are_put_aside() {
        let p = corrected(&[0.001, 0.04, 0.5, 0.03]);
        assert!((p[0] - 0.004).abs() < 1e-12 && p[1] > ALPHA && p[3] > ALPHA, "{p:?}");
    }

    proptest! {
        #[test]
        fn r15_counting_equals_enumerating(
            base in proptest::collection::vec(0u8..6, 1..6),
            head in proptest::collection::vec(0u8..6, 1..6),
        ) {
            let f = |v: &[u8]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let (base, head) = (f(&base), f(&head));
            let p = mann_whitney(&base, &head);
            prop_assert!((p - by_enumeration(&base, &head)).abs() < 1e-9);
            prop_assert!((p - mann_whitney(&head, &base)).abs() < 1e-9);
        }
    }
}
