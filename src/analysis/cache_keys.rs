//! Keys of a cache of answers: which fields they hold, whether equal requests have equal keys, and whether different ones have not.

use rustc_hash::{FxHashMap, FxHashSet};

use super::asked::Asked;
use crate::jobs::Cancelled;
use crate::model::{RequestId, StringId};
use crate::query::{Context, Query};

/// The attribute with a request's key, or what stands for it.
pub const KEY: &str = "cache.key";
/// The attribute with the fields that the key is made of, with commas between them.
pub const FIELDS: &str = "cache.key_fields";
/// What an answer depends on: a key without one of these gives somebody the answer to another request.
pub const NEEDED: [&str; 7] = ["model", "system", "prompt", "max_tokens", "temperature", "top_p", "seed"];

/// Requests whose keys are not as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Two of them.
    pub requests: [RequestId; 2],
    /// How many keys, or prompts, there are instead of one.
    pub different: usize,
}

/// What keys of a cache are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFacts {
    /// Requests that state a key.
    pub stated: usize,
    /// Requests that were looked up in a cache of answers.
    pub looked_up: usize,
    /// Distinct keys.
    pub distinct: usize,
    /// Fields of the key, as stated.
    pub fields: Vec<String>,
    /// Requests that ask for what another one asked for (same model and prompt).
    pub repeated: usize,
    /// Same model and prompt, several keys: the cache misses what it has.
    pub unstable: Vec<Oddity>,
    /// The first request with each further key of what had one already: with one key it would have been a hit.
    pub again: Vec<RequestId>,
    /// Same key, several prompts: the cache gives the answer to another request.
    pub collisions: Vec<Oddity>,
}

impl KeyFacts {
    /// Fields that an answer depends on and that are not in the key; none where nobody states the fields.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        if self.fields.is_empty() {
            return Vec::new();
        }
        NEEDED.into_iter().filter(|need| !self.fields.iter().any(|f| f == need)).collect()
    }
}

/// Computes the [`KeyFacts`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct CacheKeys {
    /// Which requests.
    pub asked: Asked,
}

impl Query for CacheKeys {
    type Output = KeyFacts;

    fn run(&self, cx: &Context<'_>) -> Result<KeyFacts, Cancelled> {
        let profile = cx.profile();
        let ids = self.asked.ids(cx)?;
        let mut out = KeyFacts::default();
        let rows = || ids.iter().map(|id| (*id, &profile.requests.rows[id.index()]));
        out.looked_up = rows().filter(|(_, r)| r.cache.is_some()).count();
        let Some(key) = profile.strings.find(KEY) else { return Ok(out) };
        let fields = profile.strings.find(FIELDS);
        // Requests by what they ask for, and by their keys: the first with each different one.
        let mut asked: FxHashMap<(StringId, StringId), Vec<(StringId, RequestId)>> = FxHashMap::default();
        let mut keyed: FxHashMap<StringId, Vec<(StringId, RequestId)>> = FxHashMap::default();
        let mut known: FxHashSet<&str> = FxHashSet::default();
        for (id, r) in rows() {
            let Some(key) = r.attribute(key) else { continue };
            out.stated += 1;
            if let Some(stated) = fields.and_then(|name| r.attribute(name)) {
                known.extend(profile.text(stated).split(", "));
            }
            let prompts = keyed.entry(key).or_default();
            if prompts.iter().all(|(prompt, _)| *prompt != r.prompt) {
                prompts.push((r.prompt, id));
            }
            // Without its text nobody knows whether a prompt is the same.
            if r.prompt == StringId::default() {
                continue;
            }
            let keys = asked.entry((r.model, r.prompt)).or_default();
            out.repeated += usize::from(!keys.is_empty());
            if keys.iter().all(|(k, _)| *k != key) {
                keys.push((key, id));
            }
        }
        out.distinct = keyed.len();
        let odd = |seen: &[(StringId, RequestId)]| match seen {
            [first, second, ..] => Some(Oddity { requests: [first.1, second.1], different: seen.len() }),
            _ => None,
        };
        out.again = asked.values().flat_map(|keys| keys.iter().skip(1).map(|(_, id)| *id)).collect();
        out.again.sort_unstable();
        out.unstable = asked.values().filter_map(|keys| odd(keys)).collect();
        out.collisions = keyed.values().filter_map(|prompts| odd(prompts)).collect();
        for list in [&mut out.unstable, &mut out.collisions] {
            list.sort_by_key(|o| (std::cmp::Reverse(o.different), o.requests[0]));
        }
        out.fields = known.into_iter().map(str::to_owned).collect();
        let place = |field: &String| NEEDED.iter().position(|n| n == field).unwrap_or(NEEDED.len());
        out.fields.sort_by_key(|f| (place(f), f.clone()));
        Ok(out)
    }

    fn weight(keys: &KeyFacts) -> usize {
        size_of_val(&*keys.unstable) + size_of_val(&*keys.collisions) + size_of_val(&*keys.again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::{CacheOutcome, Request};

    fn keys(rows: &[(&str, &str)]) -> KeyFacts {
        let run = built(|b| {
            let (name, fields, all) = (b.string(KEY), b.string(FIELDS), b.string("prompt, max_tokens"));
            let model = b.string("m");
            for (prompt, key) in rows {
                let (prompt, key) = (b.string(prompt), b.string(key));
                let attributes = vec![(name, key), (fields, all)];
                let cache = Some(CacheOutcome::Miss);
                b.request(Request { model, prompt, attributes, cache, ..Request::default() });
            }
        });
        (*ask(&run, &CacheKeys::default())).clone()
    }

    #[test]
    fn equal_requests_have_equal_keys_and_different_ones_different_keys() {
        let sound = keys(&[("a", "1"), ("b", "2"), ("a", "1")]);
        assert_eq!((sound.stated, sound.distinct, sound.repeated), (3, 2, 1));
        assert!(sound.unstable.is_empty() && sound.collisions.is_empty());
        assert_eq!(sound.fields, ["prompt", "max_tokens"]);
        assert_eq!(sound.missing(), ["model", "system", "temperature", "top_p", "seed"]);
        let salted = keys(&[("a", "1"), ("a", "2"), ("a", "3")]);
        assert_eq!((salted.unstable.len(), salted.unstable[0].different), (1, 3));
        assert_eq!(salted.again, [RequestId(1), RequestId(2)]);
        let short = keys(&[("a", "1"), ("b", "1")]);
        assert_eq!(short.collisions, [Oddity { requests: [RequestId(0), RequestId(1)], different: 2 }]);
        let untold = keys(&[("", "1"), ("", "2")]);
        assert!(untold.unstable.is_empty(), "prompts that were not kept may differ");
        assert_eq!(keys(&[]), KeyFacts::default());
    }
}
