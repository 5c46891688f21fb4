//! What requests have in common: what they are grouped and filtered by.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::billing::model_name;
use super::filter as text_filter;
use super::flow::goes;
use super::prices::Charge;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{COST_IN, CacheOutcome, NameKey, Profile, Request, StringId};
use crate::query::{Context, Query};

/// Something that requests have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facet {
    /// The model.
    #[default]
    Model,
    /// Who served them.
    Provider,
    /// Their name.
    Name,
    /// The very same prompt.
    Prompt,
    /// How they ended.
    Outcome,
    /// What a cache of answers said.
    Cache,
    /// What their program says of them under this name: «session», «user», a tag.
    Attribute(NameKey),
    /// What a filter of the Find view picks.
    Found,
    /// The places of the Flow view that they come to, and the ways that they go.
    Way,
}

impl Facet {
    /// Those that need no attribute.
    pub const FIXED: [Self; 6] =
        [Self::Model, Self::Provider, Self::Name, Self::Prompt, Self::Outcome, Self::Cache];

    /// What it is called within a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Name => "name",
            Self::Prompt => "prompt",
            Self::Outcome => "outcome",
            Self::Cache => "answer cache",
            Self::Attribute(name) => name.value(),
            Self::Found => "filter",
            Self::Way => "way",
        }
    }

    /// What controls and headings call it.
    #[must_use]
    pub fn title(self) -> Cow<'static, str> {
        let name = self.name();
        match name.starts_with(char::is_lowercase) {
            true => Cow::Owned(format::capitalised(name)),
            false => Cow::Borrowed(name),
        }
    }

    /// What a request has; empty where nobody says.
    #[must_use]
    pub fn of<'a>(self, profile: &'a Profile, r: &Request) -> &'a str {
        match self {
            Self::Model => model_name(profile, r),
            Self::Provider => profile.text(r.provider),
            Self::Name => profile.text(r.name),
            Self::Prompt => profile.text(r.prompt),
            Self::Outcome => r.outcome.name(),
            Self::Cache => r.cache.map_or("", CacheOutcome::key),
            Self::Attribute(name) => {
                let said = profile.strings.find(name.value()).and_then(|name| r.attribute(name));
                said.map_or("", |value| profile.text(value))
            }
            Self::Found | Self::Way => "",
        }
    }
}

/// The requests that are looked at: of each facet that is named those with one of its values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Filter {
    wanted: Vec<(Facet, Vec<String>)>,
}

impl Filter {
    /// True when all requests are looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Each facet that narrows, with its values.
    pub fn iter(&self) -> impl Iterator<Item = (Facet, &[String])> {
        self.wanted.iter().map(|(facet, values)| (*facet, &values[..]))
    }

    /// The values that are wanted of a facet; none for all.
    #[must_use]
    pub fn of(&self, facet: Facet) -> &[String] {
        self.wanted.iter().find(|(f, _)| *f == facet).map_or(&[], |(_, values)| values)
    }

    /// The same, with or without a value.
    #[must_use]
    pub fn toggled(&self, facet: Facet, value: &str) -> Self {
        let mut values = self.of(facet).to_vec();
        match values.iter().position(|v| v == value) {
            Some(at) => drop(values.remove(at)),
            None => values.push(value.to_owned()),
        }
        self.set(facet, values)
    }

    /// The same, with only one value of a facet.
    #[must_use]
    pub fn only(&self, facet: Facet, value: &str) -> Self {
        self.set(facet, vec![value.to_owned()])
    }

    /// The same for all values of a facet.
    #[must_use]
    pub fn without(&self, facet: Facet) -> Self {
        self.set(facet, Vec::new())
    }

    fn set(&self, facet: Facet, mut values: Vec<String>) -> Self {
        // Whichever was clicked first: the same question.
        values.sort();
        let mut wanted = self.wanted.clone();
        match wanted.iter_mut().find(|(f, _)| *f == facet) {
            Some(known) => known.1 = values,
            None => wanted.push((facet, values)),
        }
        wanted.retain(|(_, values)| !values.is_empty());
        wanted.sort_by_cached_key(|(facet, _)| (Facet::FIXED.iter().position(|f| f == facet), facet.name()));
        Self { wanted }
    }

    /// The filter for one profile, with what is looked up once.
    #[must_use]
    pub fn for_profile<'a>(&'a self, profile: &'a Profile) -> Bound<'a> {
        let read = |text: &String| text_filter::Filter::read(text).ok().flatten();
        let found = self.of(Facet::Found).iter().filter_map(read).map(|f| f.of(profile)).collect();
        Bound { filter: self, profile, found }
    }
}

/// A [`Filter`] for one profile.
pub struct Bound<'a> {
    filter: &'a Filter,
    profile: &'a Profile,
    found: Vec<text_filter::Bound<'a>>,
}

impl Bound<'_> {
    /// True for a request that is looked at.
    #[must_use]
    pub fn takes(&self, r: &Request, charge: &Charge) -> bool {
        self.filter.iter().all(|(facet, values)| {
            if facet == Facet::Found {
                let cost = charge.cost.map(|cost| cost.to_f64());
                return self.found.iter().any(|f| f.request(r, cost));
            }
            if facet == Facet::Way {
                return values.iter().any(|way| goes(self.profile, r, way));
            }
            let said = facet.of(self.profile, r);
            values.iter().any(|v| v == said)
        })
    }
}

/// The values of a facet among requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetValues {
    /// Of which one.
    pub facet: Facet,
    /// The most frequent ones, with how many requests have each; an empty one stands for requests of which nobody says. At
    /// most [`LISTED`].
    pub values: Vec<(String, usize)>,
    /// Further values.
    pub more: usize,
}

/// Most values of a facet that are listed.
pub const LISTED: usize = 24;
/// Most attributes that are facets: those of the most requests.
const ATTRIBUTES: usize = 8;

/// Computes the [`FacetValues`] of all facets of which something is known, without regard to the filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Facets {
    /// Which requests.
    pub asked: Asked,
}

impl Query for Facets {
    type Output = Vec<FacetValues>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<FacetValues>, Cancelled> {
        let profile = cx.profile();
        let asked = Asked { filter: Filter::default(), ..self.asked.clone() };
        let ids = asked.ids(cx)?;
        let rows = || ids.iter().map(|id| &profile.requests.rows[id.index()]);
        let mut names: FxHashMap<StringId, usize> = FxHashMap::default();
        for (name, _) in rows().flat_map(|r| &r.attributes) {
            *names.entry(*name).or_default() += 1;
        }
        let named = names.into_iter().map(|(id, n)| (n, profile.text(id)));
        // Keys of caches are looked at by the cache, and nearly all differ.
        let mut names: Vec<(usize, &str)> =
            named.filter(|(_, name)| !name.starts_with("cache.") && !name.starts_with(COST_IN)).collect();
        names.sort_by_key(|&(n, name)| (std::cmp::Reverse(n), name));
        let attributes = names.into_iter().take(ATTRIBUTES).map(|(_, name)| Facet::Attribute(name.into()));
        let mut out = Vec::new();
        for facet in Facet::FIXED.into_iter().chain(attributes) {
            cx.job().checkpoint(0, 0)?;
            let mut counts: FxHashMap<&str, usize> = FxHashMap::default();
            for r in rows() {
                *counts.entry(facet.of(profile, r)).or_default() += 1;
            }
            if counts.keys().all(|value| value.is_empty()) {
                continue;
            }
            let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
            counts.sort_by_key(|&(value, n)| (std::cmp::Reverse(n), value));
            let values = counts.iter().take(LISTED).map(|&(value, n)| (value.to_owned(), n)).collect();
            out.push(FacetValues { facet, values, more: counts.len().saturating_sub(LISTED) });
        }
        Ok(out)
    }

    fn weight(all: &Vec<FacetValues>) -> usize {
        all.iter().flat_map(|f| &f.values).map(|(value, _)| value.len() + 32).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::Outcome;
    use crate::query::Run;

    fn run() -> Run {
        built(|b| {
            let session = b.string("session");
            for (model, outcome, said, cache) in [
                ("a", Outcome::Ok, "s1", Some(CacheOutcome::Exact)),
                ("a", Outcome::Error, "s2", None),
                ("b", Outcome::Ok, "s1", Some(CacheOutcome::Miss)),
                ("b", Outcome::Ok, "", None),
            ] {
                let (model, value) = (b.string(model), b.string(said));
                let attributes = if said.is_empty() { Vec::new() } else { vec![(session, value)] };
                b.request(Request { model, outcome, cache, attributes, ..Request::default() });
            }
        })
    }

    fn session() -> Facet {
        Facet::Attribute("session".into())
    }

    #[test]
    fn a_filter_takes_one_of_the_values_of_each_facet() {
        let run = run();
        let ids = |filter: &Filter| {
            let asked = Asked { filter: filter.clone(), ..Asked::default() };
            let list = crate::analysis::requests::RequestTable::of(asked);
            ask(&run, &list).rows.iter().map(|id| id.0).collect::<Vec<_>>()
        };
        let none = Filter::default();
        assert_eq!(ids(&none), [0, 1, 2, 3]);
        let a = none.toggled(Facet::Model, "a");
        assert_eq!(ids(&a), [0, 1]);
        assert_eq!(ids(&a.toggled(Facet::Model, "b")), [0, 1, 2, 3]);
        assert_eq!(ids(&a.toggled(session(), "s1")), [0]);
        assert_eq!(ids(&none.only(session(), "")), [3], "those of which nobody says");
        assert_eq!(ids(&none.only(Facet::Cache, "miss").toggled(Facet::Outcome, "finished")), [2]);
        assert_eq!(ids(&none.only(session(), "no such one")), [0u32; 0]);
        assert_eq!(a.toggled(Facet::Model, "a"), none, "twice is never");
        assert_eq!(a.toggled(session(), "s1").without(session()), a);
        let one_way = none.toggled(session(), "s1").toggled(Facet::Model, "b").toggled(Facet::Model, "a");
        assert_eq!(one_way, a.toggled(Facet::Model, "b").toggled(session(), "s1"), "order is no difference");
    }

    #[test]
    fn facets_of_which_nothing_is_known_are_none_and_counts_hold_for_all() {
        let filter = Filter::default().only(Facet::Model, "a");
        let found = ask(&run(), &Facets { asked: Asked { filter, ..Asked::default() } });
        let names: Vec<_> = found.iter().map(|f| f.facet.title()).collect();
        assert_eq!(names, ["Model", "Outcome", "Answer cache", "Session"]);
        let of = |facet| &found.iter().find(|f: &&FacetValues| f.facet == facet).unwrap().values;
        assert_eq!(*of(Facet::Model), [("a".to_owned(), 2), ("b".to_owned(), 2)]);
        assert_eq!(*of(session()), [("s1".to_owned(), 2), (String::new(), 1), ("s2".to_owned(), 1)]);
    }
}
