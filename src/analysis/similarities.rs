//! How alike requests were to what a semantic cache held, and what another threshold would have done.

use std::collections::BTreeSet;

use super::asked::Asked;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{CacheOutcome, FALSE_HIT, Profile, RequestId};
use crate::query::{Context, Query};

/// A request that was compared with what a semantic cache held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// Which.
    pub request: RequestId,
    /// How alike the closest prompt was, 0 to 1.
    pub similarity: f64,
    /// Its answer was taken.
    pub taken: bool,
    /// The maker of the profile says that it was the answer to another question.
    pub wrong: bool,
}

/// Requests that were compared, the most alike first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alike {
    /// The requests.
    pub rows: Vec<Compared>,
    /// Requests that the exact cache answered before, whatever the threshold is.
    pub exact: usize,
    /// Requests that asked the cache at all.
    pub asked: usize,
    /// The maker of the profile judged the answers that were taken.
    pub judged: bool,
    /// The threshold that the run states among its settings.
    pub stated: Option<f64>,
}

/// What a threshold does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtThreshold {
    /// Requests that would be answered by a similar one's answer.
    pub semantic: usize,
    /// Of these, known to be wrong.
    pub wrong: usize,
    /// Of these, never judged: they missed in the run.
    pub not_judged: usize,
    /// Hits of both caches ÷ requests that asked; `None` when none did.
    pub rate: Option<f64>,
}

impl Alike {
    /// What would have happened at a threshold. What an earlier hit leaves out of the cache is not counted.
    #[must_use]
    pub fn at(&self, threshold: f64) -> AtThreshold {
        let above = &self.rows[..self.rows.partition_point(|r| r.similarity >= threshold)];
        let hits = self.exact + above.len();
        AtThreshold {
            semantic: above.len(),
            wrong: above.iter().filter(|r| r.wrong).count(),
            not_judged: above.iter().filter(|r| !r.taken).count(),
            rate: (self.asked > 0).then(|| hits as f64 / self.asked as f64),
        }
    }

    /// The threshold that the run had: what it states, else the least similarity that was taken.
    #[must_use]
    pub fn threshold(&self) -> Option<f64> {
        let least = || self.rows.iter().filter(|r| r.taken).map(|r| r.similarity).reduce(f64::min);
        self.stated.or_else(least)
    }
}

/// Computes what was [`Alike`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Similarities {
    /// Which requests.
    pub asked: Asked,
}

impl Query for Similarities {
    type Output = Alike;

    fn run(&self, cx: &Context<'_>) -> Result<Alike, Cancelled> {
        let profile = cx.profile();
        let wrong = false_hits(profile);
        let stated = profile.meta.fact("threshold").and_then(|value| format::fact(value).parse().ok());
        let stated = stated.filter(|t| (0.0..=1.0).contains(t));
        let mut out = Alike { judged: profile.meta.format == "inferscope", stated, ..Alike::default() };
        for id in self.asked.ids(cx)? {
            let r = &profile.requests.rows[id.index()];
            out.asked += usize::from(r.cache.is_some());
            out.exact += usize::from(r.cache == Some(CacheOutcome::Exact));
            let Some(similarity) = r.similarity.filter(|s| s.is_finite()) else { continue };
            let taken = r.cache == Some(CacheOutcome::Semantic);
            out.rows.push(Compared { request: id, similarity, taken, wrong: wrong.contains(&id) });
        }
        out.judged |= !wrong.is_empty();
        out.rows.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        Ok(out)
    }

    fn weight(alike: &Alike) -> usize {
        size_of_val(&*alike.rows)
    }
}

/// Requests that got the answer to another question, as the maker of the profile says.
fn false_hits(profile: &Profile) -> BTreeSet<RequestId> {
    let of = profile.findings.iter().filter(|f| profile.text(f.kind) == FALSE_HIT);
    of.filter_map(|f| f.request).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::{Finding, Request, Severity};

    #[test]
    fn another_threshold_counts_what_it_takes_and_what_of_it_is_wrong() {
        let run = built(|b| {
            let of = |cache, similarity| Request { cache: Some(cache), similarity, ..Request::default() };
            b.request(of(CacheOutcome::Exact, None));
            b.request(of(CacheOutcome::Semantic, Some(0.97)));
            let wrong = b.request(of(CacheOutcome::Semantic, Some(0.91)));
            b.request(of(CacheOutcome::Miss, Some(0.89)));
            b.request(of(CacheOutcome::Miss, None));
            let (kind, text) = (b.string(FALSE_HIT), b.string("wrong"));
            let finding = Finding {
                kind,
                text,
                severity: Severity::Warning,
                request: Some(wrong),
                track: None,
                time: None,
            };
            b.finding(finding);
        });
        let alike = ask(&run, &Similarities { asked: Asked::default() });
        assert_eq!((alike.asked, alike.exact, alike.threshold(), alike.judged), (5, 1, Some(0.91), true));
        let at = |t| alike.at(t);
        assert_eq!(at(0.9), AtThreshold { semantic: 2, wrong: 1, not_judged: 0, rate: Some(0.6) });
        assert_eq!(at(0.95), AtThreshold { semantic: 1, wrong: 0, not_judged: 0, rate: Some(0.4) });
        assert_eq!(at(0.5), AtThreshold { semantic: 3, wrong: 1, not_judged: 1, rate: Some(0.8) });
        assert_eq!(at(1.01).semantic, 0);
    }
}
