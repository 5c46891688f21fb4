//! What caches hold over time, and what became of it.

use crate::jobs::Cancelled;
use crate::model::{Profile, Unit};
use crate::query::{Context, Query};

/// Entries of one cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What its source calls the counter.
    pub name: String,
    /// Time (ns) and number of entries from then on: at most [`POINTS`], every nth and the last.
    pub points: Vec<[f64; 2]>,
}

/// What caches hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// One line for each cache.
    pub lines: Vec<Line>,
    /// Entries that were older than their time to live.
    pub expired: usize,
    /// Entries that had to make room.
    pub evicted: usize,
}

/// Points at most, of each line; and the last.
pub const POINTS: usize = 1500;

/// Computes what caches [`Held`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheEntries;

impl Query for CacheEntries {
    type Output = Held;

    fn run(&self, cx: &Context<'_>) -> Result<Held, Cancelled> {
        let profile = cx.profile();
        let mut held = Held::default();
        for counter in &profile.counters {
            cx.job().checkpoint(0, 0)?;
            let name = profile.text(counter.name);
            let lower = name.to_lowercase();
            let counts = counter.unit == Unit::Count && !counter.times.is_empty();
            if counts && lower.contains("cache") && lower.contains("entries") {
                held.lines
                    .push(Line { name: name.to_owned(), points: points(&counter.times, &counter.values) });
            }
        }
        cx.job().checkpoint(0, 0)?;
        held.expired = happened(profile, "cache entry expired");
        held.evicted = happened(profile, "cache entry evicted");
        Ok(held)
    }

    fn weight(held: &Held) -> usize {
        held.lines.iter().map(|l| size_of_val(&*l.points) + l.name.len()).sum()
    }
}

fn happened(profile: &Profile, what: &str) -> usize {
    profile.instants.iter().filter(|i| profile.text(i.name).starts_with(what)).count()
}

/// Every nth point of a counter, and the last.
fn points(times: &[i64], values: &[f64]) -> Vec<[f64; 2]> {
    let every = times.len().div_ceil(POINTS).max(1);
    let last = times.len().saturating_sub(1);
    let all = times.iter().zip(values).enumerate();
    all.filter(|(i, _)| i % every == 0 || *i == last).map(|(_, (t, v))| [*t as f64, *v]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_its_ends() {
        let times: Vec<i64> = (0..10_000).collect();
        let values: Vec<f64> = times.iter().map(|t| *t as f64 * 2.0).collect();
        let kept = points(&times, &values);
        assert!(kept.len() <= POINTS + 1, "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), ([0.0, 0.0], [9999.0, 19998.0]));
        assert_eq!(points(&[], &[]), Vec::<[f64; 2]>::new());
    }
}
