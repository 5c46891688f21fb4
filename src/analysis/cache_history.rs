//! Caches over time.

use super::asked::Asked;
use super::caches::{CacheKind, is_hit};
use crate::jobs::Cancelled;
use crate::model::CacheOutcome;
use crate::query::{Context, Query};

/// A stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// Its start, ns.
    pub start: i64,
    /// Requests that were answered from the cache as they were, or tokens that were read from it.
    pub hits: u64,
    /// Requests that were answered with the answer to a similar one; caches of answers only.
    pub semantic: u64,
    /// Requests that missed, or input tokens that were not read from it.
    pub misses: u64,
}

/// One kind of cache over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Length of each bin, ns.
    pub length: i64,
    /// Bins without gaps, from the first request on.
    pub bins: Vec<Bin>,
}

/// Bins at most.
const BINS: i64 = 48;

/// Computes the [`History`] of a kind of cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheHistory {
    /// Which kind.
    pub kind: CacheKind,
    /// Which requests.
    pub asked: Asked,
}

impl Query for CacheHistory {
    type Output = History;

    fn run(&self, cx: &Context<'_>) -> Result<History, Cancelled> {
        let profile = cx.profile();
        let told: Vec<_> = self
            .asked
            .ids(cx)?
            .into_iter()
            .map(|id| &profile.requests.rows[id.index()])
            .filter(|r| !r.undated)
            .filter_map(|r| Some((r, is_hit(profile, r, self.kind)?)))
            .collect();
        let times = told.iter().map(|(r, _)| r.arrived);
        let Some((first, last)) = times.clone().min().zip(times.max()) else { return Ok(History::default()) };
        let length = (last.saturating_sub(first) / BINS + 1).max(1);
        let count = (last.saturating_sub(first) / length + 1) as usize;
        let mut bins: Vec<Bin> =
            (0..count).map(|i| Bin { start: first + i as i64 * length, ..Bin::default() }).collect();
        for (r, hit) in told {
            let bin = &mut bins[(r.arrived.saturating_sub(first) / length) as usize];
            let plus = |to: &mut u64, n: u64| *to = to.saturating_add(n);
            if self.kind != CacheKind::Answers {
                let read = r.tokens.cache_read.unwrap_or(0);
                plus(&mut bin.hits, read);
                plus(&mut bin.misses, r.tokens.prompt().unwrap_or(0).saturating_sub(read));
            } else if r.cache == Some(CacheOutcome::Semantic) {
                plus(&mut bin.semantic, 1);
            } else {
                plus(if hit { &mut bin.hits } else { &mut bin.misses }, 1);
            }
        }
        Ok(History { length, bins })
    }

    fn weight(history: &History) -> usize {
        size_of_val(&*history.bins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::Request;

    #[test]
    fn bins_hold_every_request_once() {
        let run = built(|b| {
            for i in 0..1000 {
                let cache = [CacheOutcome::Miss, CacheOutcome::Exact, CacheOutcome::Semantic][i as usize % 3];
                b.request(Request { arrived: i * i, cache: Some(cache), ..Request::default() });
            }
            b.request(Request { arrived: 5, ..Request::default() });
        });
        let asked = CacheHistory { kind: CacheKind::Answers, asked: Asked::default() };
        let history = ask(&run, &asked);
        let sum = |of: fn(&Bin) -> u64| history.bins.iter().map(of).sum::<u64>();
        assert_eq!((sum(|b| b.hits), sum(|b| b.semantic), sum(|b| b.misses)), (333, 333, 334));
        assert!(history.bins.len() <= BINS as usize + 1);
        let none = CacheHistory { kind: CacheKind::Prompt, ..asked };
        assert_eq!(*ask(&run, &none), History::default());
    }
}
