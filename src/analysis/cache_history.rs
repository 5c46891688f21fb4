//! Caches over time, what another threshold of a semantic cache would have done, and what repeats among prompts.

use std::collections::BTreeSet;
use std::ops::Bound;

use rustc_hash::FxHashMap;

use super::billing::Bill;
use super::caches::{CacheKind, is_hit};
use super::prices::Prices;
use super::requests::chosen;
use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{CacheOutcome, FALSE_HIT, Money, Outcome, Profile, RequestId, StringId};
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
    /// Only requests that arrived in it.
    pub range: TimeRange,
    /// Only requests in whose texts it is found.
    pub search: String,
}

impl Query for CacheHistory {
    type Output = History;

    fn run(&self, cx: &Context<'_>) -> Result<History, Cancelled> {
        let profile = cx.profile();
        let told: Vec<_> = chosen(cx, self.range, &self.search)?
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

    /// The threshold that the run had, as far as its outcomes tell: the least similarity that was taken.
    #[must_use]
    pub fn least_taken(&self) -> Option<f64> {
        self.rows.iter().filter(|r| r.taken).map(|r| r.similarity).reduce(f64::min)
    }
}

/// Computes what was [`Alike`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Similarities {
    /// Only requests that arrived in it.
    pub range: TimeRange,
    /// Only requests in whose texts it is found.
    pub search: String,
}

impl Query for Similarities {
    type Output = Alike;

    fn run(&self, cx: &Context<'_>) -> Result<Alike, Cancelled> {
        let profile = cx.profile();
        let wrong = false_hits(profile);
        let mut out = Alike { judged: profile.meta.format == "inferscope", ..Alike::default() };
        for id in chosen(cx, self.range, &self.search)? {
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

/// What repeats among the prompts that were kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Repeats {
    /// Requests whose prompt was kept.
    pub kept: usize,
    /// Of these, requests whose model was asked the very same before and that no cache of answers had an answer for.
    pub again: usize,
    /// Time that those took, ns.
    pub again_time: i64,
    /// What those cost; `None` when none is priced.
    pub again_cost: Option<Money>,
    /// Characters of all prompts.
    pub characters: u64,
    /// Of these, at the beginning and the same as in an earlier prompt to the same model.
    pub same_beginning: u64,
    /// Input tokens read from prompt caches over all input tokens of these requests; `None` where nobody says.
    pub read_share: Option<f64>,
}

impl Repeats {
    /// Share of the prompts that begins as an earlier one.
    #[must_use]
    pub fn beginning(&self) -> Option<f64> {
        (self.characters > 0).then(|| self.same_beginning as f64 / self.characters as f64)
    }
}

/// Computes the [`Repeats`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepeatedPrompts {
    /// By which what was asked again is priced.
    pub prices: Prices,
    /// Only requests that arrived in it.
    pub range: TimeRange,
    /// Only requests in whose texts it is found.
    pub search: String,
}

impl Query for RepeatedPrompts {
    type Output = Repeats;

    fn run(&self, cx: &Context<'_>) -> Result<Repeats, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.prices.clone() })?;
        let mut out = Repeats::default();
        let mut seen: FxHashMap<StringId, BTreeSet<&str>> = FxHashMap::default();
        let (mut read, mut prompt) = (None, 0u64);
        let ids = chosen(cx, self.range, &self.search)?;
        for (n, id) in ids.iter().enumerate() {
            cx.job().checkpoint(n as u64, ids.len() as u64)?;
            let r = &profile.requests.rows[id.index()];
            let text = profile.text(r.prompt);
            if text.is_empty() {
                continue;
            }
            out.kept += 1;
            let earlier = seen.entry(r.model).or_default();
            let length = text.chars().count() as u64;
            out.characters += length;
            if earlier.contains(text) {
                out.same_beginning += length;
                if !matches!(r.cache, Some(CacheOutcome::Exact | CacheOutcome::Semantic))
                    && r.outcome == Outcome::Ok
                {
                    out.again += 1;
                    out.again_time = out.again_time.saturating_add(r.latency().unwrap_or(0));
                    if let Some(cost) = bill.cost(*id) {
                        out.again_cost = Some(out.again_cost.unwrap_or_default() + cost);
                    }
                }
            } else {
                // Of sorted texts, the neighbours have the longest beginning in common.
                let before = earlier.range::<str, _>((Bound::Unbounded, Bound::Excluded(text))).next_back();
                let after = earlier.range::<str, _>((Bound::Included(text), Bound::Unbounded)).next();
                out.same_beginning +=
                    before.into_iter().chain(after).map(|e| common(e, text)).max().unwrap_or(0);
                earlier.insert(text);
            }
            if let Some(tokens) = r.tokens.cache_read {
                read = Some(read.unwrap_or(0u64).saturating_add(tokens));
            }
            prompt = prompt.saturating_add(r.tokens.prompt().unwrap_or(0));
        }
        out.read_share = read.filter(|_| prompt > 0).map(|read| read as f64 / prompt as f64);
        Ok(out)
    }
}

/// Characters that two texts begin with alike.
fn common(a: &str, b: &str) -> u64 {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};
    use crate::model::{Finding, ProfileBuilder, Request, Severity, TokenCounts};
    use crate::query::Run;

    fn run(fill: impl FnOnce(&mut ProfileBuilder)) -> Run {
        let mut b = ProfileBuilder::new("test");
        fill(&mut b);
        Run { profile: b.finish().into(), ..subject("a 0 1") }
    }

    #[test]
    fn bins_hold_every_request_once() {
        let run = run(|b| {
            for i in 0..1000 {
                let cache = [CacheOutcome::Miss, CacheOutcome::Exact, CacheOutcome::Semantic][i as usize % 3];
                b.request(Request { arrived: i * i, cache: Some(cache), ..Request::default() });
            }
            b.request(Request { arrived: 5, ..Request::default() });
        });
        let asked = CacheHistory { kind: CacheKind::Answers, range: None, search: String::new() };
        let history = ask(&run, &asked);
        let sum = |of: fn(&Bin) -> u64| history.bins.iter().map(of).sum::<u64>();
        assert_eq!((sum(|b| b.hits), sum(|b| b.semantic), sum(|b| b.misses)), (333, 333, 334));
        assert!(history.bins.len() <= BINS as usize + 1);
        let none = CacheHistory { kind: CacheKind::Prompt, ..asked };
        assert_eq!(*ask(&run, &none), History::default());
    }

    #[test]
    fn another_threshold_counts_what_it_takes_and_what_of_it_is_wrong() {
        let run = run(|b| {
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
        let alike = ask(&run, &Similarities { range: None, search: String::new() });
        assert_eq!((alike.asked, alike.exact, alike.least_taken(), alike.judged), (5, 1, Some(0.91), true));
        let at = |t| alike.at(t);
        assert_eq!(at(0.9), AtThreshold { semantic: 2, wrong: 1, not_judged: 0, rate: Some(0.6) });
        assert_eq!(at(0.95), AtThreshold { semantic: 1, wrong: 0, not_judged: 0, rate: Some(0.4) });
        assert_eq!(at(0.5), AtThreshold { semantic: 3, wrong: 1, not_judged: 1, rate: Some(0.8) });
        assert_eq!(at(1.01).semantic, 0);
    }

    #[test]
    fn prompts_that_repeat_and_beginnings_that_do_are_counted() {
        let run = run(|b| {
            let model = b.string("m");
            for (text, cache) in [
                ("You are kind. What is 1+1?", None),
                ("You are kind. What is 2+2?", None),
                ("You are kind. What is 1+1?", None),
                ("You are kind. What is 1+1?", Some(CacheOutcome::Exact)),
                ("", None),
            ] {
                let prompt = b.string(text);
                let tokens = TokenCounts { input: Some(10), cache_read: Some(0), ..TokenCounts::default() };
                b.request(Request { model, prompt, cache, tokens, finished: Some(7), ..Request::default() });
            }
        });
        let asked = RepeatedPrompts { prices: Prices::default(), range: None, search: String::new() };
        let found = *ask(&run, &asked);
        assert_eq!((found.kept, found.again, found.again_time), (4, 1, 7));
        assert_eq!(
            (found.characters, found.same_beginning),
            (4 * 26, "You are kind. What is ".len() as u64 + 26 * 2)
        );
        assert_eq!(found.read_share, Some(0.0));
    }
}
