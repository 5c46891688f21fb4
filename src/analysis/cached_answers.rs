//! What is known of an answer that a cache gave: what it had taken when it was generated, how old it was, to which prompt.

use crate::model::{
    ENTRY_AGE, LOOKUP_TIME, MATCHED_PROMPT, Money, Profile, Request, SAVED_COST, SAVED_INPUT, SAVED_OUTPUT,
    STORE_TIME, StringId, TokenCounts,
};

/// Of one request, as its source states it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CachedAnswer {
    /// Tokens that its answer took when it was generated.
    pub saved: TokenCounts,
    /// What that cost.
    pub cost: Option<Money>,
    /// How long it had been in the cache, ns.
    pub age: Option<i64>,
    /// How long looking into the caches took, ns; also of one that missed.
    pub lookup: Option<i64>,
    /// How long putting its own answer there took, ns.
    pub store: Option<i64>,
    /// The closest prompt in a semantic cache, also where its answer was not taken; empty when unknown.
    pub prompt: StringId,
}

/// What is known of the answer that a cache gave, or could have given, to a request.
#[must_use]
pub fn cached_answer(profile: &Profile, r: &Request) -> CachedAnswer {
    let said = |name: &str| profile.strings.find(name).and_then(|name| r.attribute(name));
    let text = |name: &str| said(name).map(|id| profile.text(id));
    let count = |name: &str| text(name).and_then(|text| text.parse().ok());
    let hit = r.answered_by_cache();
    let time = |name: &str| r.stated_length(profile.strings.find(name)?, &profile.strings);
    let saved = match r.tokens.is_unknown() {
        true => {
            TokenCounts { input: count(SAVED_INPUT), output: count(SAVED_OUTPUT), ..TokenCounts::default() }
        }
        false => r.tokens,
    };
    CachedAnswer {
        saved: if hit { saved } else { TokenCounts::default() },
        cost: text(SAVED_COST).and_then(Money::parse).filter(|_| hit),
        age: time(ENTRY_AGE).filter(|_| hit),
        lookup: time(LOOKUP_TIME),
        store: time(STORE_TIME),
        prompt: said(MATCHED_PROMPT).unwrap_or_default(),
    }
}
