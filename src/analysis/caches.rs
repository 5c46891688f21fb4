//! What caches did for requests: hits, what they saved, and what a hit is.
//!
//! Three kinds, never mixed: caches of whole answers (a hit is an answer), prompt caches of providers and the KV caches of one's own
//! servers (a hit is a token). The latency of a miss is that of the whole request, generation included, because that is what a hit saves.

use std::collections::BTreeMap;

use super::asked::Asked;
use super::billing::{Bill, Billing};
use super::cached_answers::{CachedAnswer, cached_answer};
use super::overview::Distribution;
use super::prices::is_local;
use crate::jobs::Cancelled;
use crate::model::{CacheOutcome, Money, Outcome, Profile, Request, RequestId, StringId};
use crate::query::{Context, Query};

/// A kind of cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheKind {
    /// Answers to the same or to similar requests.
    Answers,
    /// The prompt cache of a provider.
    Prompt,
    /// The KV cache of a server of one's own.
    Kv,
}

impl CacheKind {
    /// The name in reports.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Prompt => "prompt",
            Self::Kv => "kv_prefix",
        }
    }

    /// What a hit is.
    #[must_use]
    pub fn definition(self) -> &'static str {
        match self {
            Self::Answers => "a hit is a request that was answered from the cache; rate = hits / look-ups",
            Self::Prompt => {
                "hits and misses are requests with and without tokens read from the provider's cache; rate = tokens read / all input tokens"
            }
            Self::Kv => {
                "hits and misses are requests with and without tokens found in the server's KV cache; rate = tokens found / all input tokens"
            }
        }
    }
}

/// What one kind of cache did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheFigures {
    /// Which kind.
    pub kind: CacheKind,
    /// Requests that hit.
    pub hits: usize,
    /// Of these, answers to the very same request (caches of answers only).
    pub exact: usize,
    /// Requests that missed.
    pub misses: usize,
    /// Requests to the same servers that say nothing of the cache: they are in no figure.
    pub untold: usize,
    /// By the kind's definition, 0 to 1; `None` when nothing is known.
    pub hit_rate: Option<f64>,
    /// How long answers that hits got had been in the cache, ns, where that is said.
    pub age: Option<Distribution>,
    /// Mean latency of a hit, ns: of the whole request, or of its first token where only a part was cached.
    pub hit_latency: Option<f64>,
    /// The same of a miss.
    pub miss_latency: Option<f64>,
    /// What hits took, and what as many misses of the same models take, ns: means of different models are not compared. `None` where no
    /// model has both.
    pub compared: Option<(f64, f64)>,
    /// Tokens that hits saved: of whole requests, or input tokens read; `None` when no hit says how many.
    pub saved_tokens: Option<u64>,
    /// Money that hits saved by list prices, less what writing cost; may be below 0. `None` when nothing is priced.
    pub saved_cost: Option<Money>,
}

impl CacheFigures {
    /// How much less time a hit takes than a miss of the same model, 0 to 1; below 0 when it takes more.
    #[must_use]
    pub fn latency_improvement(&self) -> Option<f64> {
        let (hits, misses) = self.compared.filter(|(_, misses)| *misses > 0.0)?;
        Some((misses - hits) / misses)
    }

    /// Time that all hits together saved, ns, of models that missed, too; may be below 0.
    #[must_use]
    pub fn saved_latency(&self) -> Option<f64> {
        self.compared.map(|(hits, misses)| misses - hits)
    }
}

/// Computes the [`CacheFigures`] of each kind of cache that the requests tell of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Caches {
    /// Which requests.
    pub asked: Asked,
}

impl Query for Caches {
    type Output = Vec<CacheFigures>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<CacheFigures>, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let kinds = [CacheKind::Answers, CacheKind::Prompt, CacheKind::Kv];
        let ids = self.asked.ids(cx)?;
        Ok(kinds.into_iter().filter_map(|kind| figures(profile, &bill, &ids, kind)).collect())
    }

    fn weight(all: &Vec<CacheFigures>) -> usize {
        size_of_val(&**all)
    }
}

/// Whether a request went to a server with this kind of cache of prompts.
fn is_of(profile: &Profile, r: &Request, kind: CacheKind) -> bool {
    (kind == CacheKind::Kv) == is_local(profile.text(r.provider))
}

/// Whether a request hit a kind of cache; `None` when it says nothing of it.
pub(super) fn is_hit(profile: &Profile, r: &Request, kind: CacheKind) -> Option<bool> {
    if kind == CacheKind::Answers {
        return r.cache.map(CacheOutcome::is_hit);
    }
    let told = r.tokens.cache_read.is_some() || r.tokens.cache_write().is_some();
    (is_of(profile, r, kind) && told).then(|| r.tokens.cache_read.unwrap_or(0) > 0)
}

fn figures(profile: &Profile, bill: &Billing, ids: &[RequestId], kind: CacheKind) -> Option<CacheFigures> {
    let mut out = CacheFigures {
        kind,
        hits: 0,
        exact: 0,
        misses: 0,
        untold: 0,
        hit_rate: None,
        age: None,
        hit_latency: None,
        miss_latency: None,
        compared: None,
        saved_tokens: None,
        saved_cost: None,
    };
    let (mut read, mut prompt) = (0u64, 0u64);
    // Of hits and of misses, by model.
    let mut times: BTreeMap<StringId, [Vec<f64>; 2]> = BTreeMap::new();
    let mut ages = Vec::new();
    for (r, charge) in ids.iter().map(|id| (&profile.requests.rows[id.index()], &bill.charges[id.index()])) {
        let Some(hit) = is_hit(profile, r, kind) else {
            let answered = r.outcome == Outcome::Ok && r.tokens.output.is_some_and(|n| n > 0);
            out.untold += usize::from(kind != CacheKind::Answers && is_of(profile, r, kind) && answered);
            continue;
        };
        let answers = kind == CacheKind::Answers;
        *(if hit { &mut out.hits } else { &mut out.misses }) += 1;
        out.exact += usize::from(answers && r.cache == Some(CacheOutcome::Exact));
        // Of a prompt only the reading is saved.
        let time = if answers { r.latency() } else { r.ttft() };
        let time = time.filter(|_| r.outcome == Outcome::Ok).map(|t| t as f64);
        times.entry(r.model).or_default()[usize::from(!hit)].extend(time);
        read = read.saturating_add(r.tokens.cache_read.unwrap_or(0));
        prompt = prompt.saturating_add(r.tokens.prompt().unwrap_or(0));
        let cached = if answers { cached_answer(profile, r) } else { CachedAnswer::default() };
        ages.extend(cached.age.map(|ns| ns as f64));
        let saved = match answers {
            true => cached.saved.total().filter(|_| hit),
            false => r.tokens.cache_read,
        };
        if let Some(saved) = saved {
            out.saved_tokens = Some(out.saved_tokens.unwrap_or(0).saturating_add(saved));
        }
        let list = charge.priced.as_ref();
        let money = match answers {
            // What a source says that its hits saved comes first, as what it says that requests cost.
            // Nothing is what nobody has a price for.
            true => cached.cost.or_else(|| list.map(|p| p.parts.sum())).filter(|m| hit && *m != Money::ZERO),
            false => list.map(|p| p.no_cache - p.parts.sum()),
        };
        if let Some(money) = money {
            out.saved_cost = Some(out.saved_cost.unwrap_or_default() + money);
        }
    }
    let all = out.hits + out.misses;
    if all == 0 {
        return None;
    }
    out.hit_rate = match kind {
        CacheKind::Answers => Some(out.hits as f64 / all as f64),
        _ => (prompt > 0).then(|| read as f64 / prompt as f64),
    };
    let mean = |times: &[f64]| (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64);
    let of_all =
        |which: usize| mean(&times.values().flat_map(|both| &both[which]).copied().collect::<Vec<_>>());
    out.age = Distribution::of(ages);
    (out.hit_latency, out.miss_latency) = (of_all(0), of_all(1));
    let compared = times.values().filter_map(|[hits, misses]| {
        Some((hits.iter().sum::<f64>(), mean(misses)? * mean(hits).map_or(0.0, |_| hits.len() as f64)))
    });
    out.compared =
        compared.filter(|(_, misses)| *misses > 0.0).reduce(|(hits, misses), (h, m)| (hits + h, misses + m));
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::prices::{Prices, read_table};
    use crate::analysis::testing::ask;
    use crate::model::{ProfileBuilder, TokenCounts};
    use crate::query::Run;

    fn caches(rows: Vec<(&str, Request)>) -> Vec<CacheFigures> {
        let mut b = ProfileBuilder::new("test");
        for (provider, request) in rows {
            let (model, provider) = (b.string("m"), b.string(provider));
            b.request(Request { model, provider, ..request });
        }
        let table = r#"{"models": [{"name": "m", "prices": [{"input": "1", "cache_read": "0.1", "cache_write": "1.25", "output": "2"}]}]}"#;
        let prices = Prices::with(read_table(table).unwrap());
        let run = Run::of(b.finish().into());
        (*ask(&run, &Caches { asked: Asked::all(&prices) })).clone()
    }

    #[test]
    fn a_cache_of_answers_saves_whole_requests() {
        let request = |cache, latency, input| Request {
            cache: Some(cache),
            finished: Some(latency),
            tokens: TokenCounts { input: Some(input), output: Some(10), ..TokenCounts::default() },
            ..Request::default()
        };
        let rows = vec![
            ("", request(CacheOutcome::Miss, 1000, 100)),
            ("", request(CacheOutcome::Exact, 10, 100)),
            ("", request(CacheOutcome::Semantic, 30, 200)),
            ("", Request::default()),
        ];
        let [found] = caches(rows)[..] else { panic!("one kind") };
        assert_eq!((found.kind.key(), found.hits, found.exact, found.misses), ("answers", 2, 1, 1));
        assert_eq!(
            (found.hit_rate, found.hit_latency, found.miss_latency),
            (Some(2.0 / 3.0), Some(20.0), Some(1000.0))
        );
        assert_eq!((found.latency_improvement(), found.saved_latency()), (Some(0.98), Some(1960.0)));
        assert_eq!(
            (found.saved_tokens, found.saved_cost.map(|m| m.to_string())),
            (Some(320), Some("0.00034".into()))
        );
    }

    #[test]
    fn a_prompt_cache_counts_tokens_and_may_cost_more_than_it_saves() {
        let request = |read, write, ttft| Request {
            first_token: Some(ttft),
            finished: Some(ttft * 2),
            tokens: TokenCounts {
                input: Some(100),
                cache_read: Some(read),
                cache_write_5m: Some(write),
                output: Some(1),
                ..TokenCounts::default()
            },
            ..Request::default()
        };
        let written = caches(vec![("openai", request(0, 900, 500)), ("llama.cpp", request(300, 0, 50))]);
        let [prompt, kv] = written[..] else { panic!("two kinds") };
        assert_eq!((prompt.kind.key(), prompt.hit_rate, prompt.saved_tokens), ("prompt", Some(0.0), Some(0)));
        // 900 tokens at 0.25 above the input price.
        assert_eq!(prompt.saved_cost.map(|m| m.to_string()), Some("-0.000225".into()));
        assert_eq!(
            (kv.kind.key(), kv.hits, kv.hit_rate, kv.hit_latency),
            ("kv_prefix", 1, Some(0.75), Some(50.0))
        );
        let both = caches(vec![("openai", request(0, 900, 500)), ("openai", request(900, 0, 100))]);
        assert_eq!((both[0].hits, both[0].misses, both[0].saved_latency()), (1, 1, Some(400.0)));
        assert_eq!(both[0].saved_cost.map(|m| m.to_string()), Some("0.000585".into()));
    }
}
