<<<<<<< HEAD
//! What kinds of functions a table holds: categories of the format (operators, kernels, runtime), and packages. A list is
//! filtered by one of them with a click.

use std::borrow::Cow;
use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::functions::Functions;
use super::groups::GroupBy;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile};
use crate::query::{Context, Query};

/// Most parts that are told apart; smaller ones can be searched for.
const MOST: usize = 40;
/// The part of a row that is in none of them.
const NONE: u32 = u32::MAX;

/// What parts are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Facet {
    /// The format's own category.
    Category,
    /// What one installs, or a folder of own code.
    Package,
}

impl Facet {
    fn of(self, profile: &Profile, function: FunctionId) -> Cow<'_, str> {
        match self {
            Self::Category => Cow::Borrowed(profile.text(profile.functions.get(function).category)),
            Self::Package => GroupBy::Package.group(profile, function),
=======
//! What requests have in common: what they are grouped and filtered by.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::billing::{Bill, model_name};
use super::prices::{Charge, Prices};
use crate::jobs::Cancelled;
use crate::model::{CacheOutcome, NameKey, Profile, Request, StringId};
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
        }
    }

    /// What controls and headings call it.
    #[must_use]
    pub fn title(self) -> Cow<'static, str> {
        let name = self.name();
        let mut letters = name.chars();
        match letters.next() {
            Some(first) if first.is_lowercase() => {
                Cow::Owned(first.to_uppercase().chain(letters).collect::<String>())
            }
            _ => Cow::Borrowed(name),
        }
    }

    /// What a request has; empty where nobody says.
    #[must_use]
    pub fn of<'a>(self, profile: &'a Profile, prices: &'a Prices, r: &Request, charge: &'a Charge) -> &'a str {
        match self {
            Self::Model => model_name(prices, profile, r, charge),
            Self::Provider => profile.text(r.provider),
            Self::Name => profile.text(r.name),
            Self::Prompt => profile.text(r.prompt),
            Self::Outcome => r.outcome.name(),
            Self::Cache => r.cache.map_or("", CacheOutcome::key),
            Self::Attribute(name) => {
                let said = profile.strings.find(name.value()).and_then(|name| r.attribute(name));
                said.map_or("", |value| profile.text(value))
            }
>>>>>>> panels
        }
    }
}

<<<<<<< HEAD
/// A part of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its category or package.
    pub name: String,
    /// Sum of the own costs of its functions.
    pub own: i64,
    /// How many they are.
    pub functions: usize,
}

/// The parts of a table by one facet, those with most own cost first.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The parts; empty where all functions are in one.
    pub all: Vec<Part>,
    of: Vec<u32>,
}

impl Parts {
    /// The rows of the table that belong to a part; `None` when there is no such part.
    #[must_use]
    pub fn rows(&self, name: &str) -> Option<impl Fn(u32) -> bool + '_> {
        let at = self.all.iter().position(|part| part.name == name)? as u32;
        Some(move |row: u32| self.of.get(row as usize) == Some(&at))
    }
}

/// The parts of a table.
#[derive(Clone, Debug, Default)]
pub struct Faceted {
    /// By category.
    pub categories: Parts,
    /// By package.
    pub packages: Parts,
}

impl Faceted {
    /// Those by one facet.
    #[must_use]
    pub fn by(&self, facet: Facet) -> &Parts {
        match facet {
            Facet::Category => &self.categories,
            Facet::Package => &self.packages,
        }
    }
}

/// Computes the [`Faceted`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facets(pub Functions);

impl Query for Facets {
    type Output = Faceted;

    fn run(&self, cx: &Context<'_>) -> Result<Faceted, Cancelled> {
        let table = cx.get(&self.0)?;
        let profile = cx.profile();
        let parts = |facet: Facet| {
            let mut index: FxHashMap<Cow<'_, str>, u32> = FxHashMap::default();
            let mut all: Vec<Part> = Vec::new();
            let mut of = Vec::with_capacity(table.rows.len());
            for row in &table.rows {
                let name = facet.of(profile, row.function);
                if name.is_empty() {
                    of.push(NONE);
                    continue;
                }
                let at = *index.entry(name).or_insert_with_key(|name| {
                    all.push(Part { name: name.to_string(), own: 0, functions: 0 });
                    all.len() as u32 - 1
                });
                let part = &mut all[at as usize];
                part.own = part.own.saturating_add(row.own);
                part.functions += 1;
                of.push(at);
            }
            let mut order: Vec<u32> = (0..all.len() as u32).collect();
            order.sort_by_key(|&i| (Reverse(all[i as usize].own), Reverse(all[i as usize].functions), i));
            order.truncate(MOST);
            let mut place = vec![NONE; all.len()];
            (0u32..).zip(&order).for_each(|(new, &old)| place[old as usize] = new);
            let single = all.len() < 2 && !of.contains(&NONE);
            let all =
                if single { Vec::new() } else { order.iter().map(|&i| all[i as usize].clone()).collect() };
            let of = of.into_iter().map(|at| place.get(at as usize).copied().unwrap_or(NONE)).collect();
            Parts { all, of }
        };
        Ok(Faceted { categories: parts(Facet::Category), packages: parts(Facet::Package) })
    }

    fn weight(faceted: &Faceted) -> usize {
        [&faceted.categories, &faceted.packages].iter().map(|p| p.of.len() * 4 + p.all.len() * 64).sum()
=======
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

    /// True for a request that is looked at.
    #[must_use]
    pub fn takes(&self, profile: &Profile, prices: &Prices, r: &Request, charge: &Charge) -> bool {
        self.iter().all(|(facet, values)| {
            let said = facet.of(profile, prices, r, charge);
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
        let bill = cx.get(&Bill { prices: asked.prices.clone() })?;
        let ids = asked.ids(cx)?;
        let rows = || ids.iter().map(|id| (&profile.requests.rows[id.index()], &bill.charges[id.index()]));
        let mut names: FxHashMap<StringId, usize> = FxHashMap::default();
        for (name, _) in rows().flat_map(|(r, _)| &r.attributes) {
            *names.entry(*name).or_default() += 1;
        }
        let mut names: Vec<(usize, &str)> = names.into_iter().map(|(id, n)| (n, profile.text(id))).collect();
        names.sort_by_key(|&(n, name)| (std::cmp::Reverse(n), name));
        let attributes = names.into_iter().take(ATTRIBUTES).map(|(_, name)| Facet::Attribute(name.into()));
        let mut out = Vec::new();
        for facet in Facet::FIXED.into_iter().chain(attributes) {
            cx.job().checkpoint(0, 0)?;
            let mut counts: FxHashMap<&str, usize> = FxHashMap::default();
            for (r, charge) in rows() {
                *counts.entry(facet.of(profile, &asked.prices, r, charge)).or_default() += 1;
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
>>>>>>> panels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
<<<<<<< HEAD
    use crate::analysis::Slice;
    use crate::analysis::testing::{ask, subject};

    #[test]
    fn parts_are_told_by_own_cost_and_know_their_rows() {
        let s = subject("main@app>load@io.file 30; main@app>run@app>parse@json 60; main@app 5; free 5");
        let functions = Functions(Slice::default());
        let (table, faceted) = (ask(&s, &functions), ask(&s, &Facets(functions)));
        let told: Vec<_> = faceted.packages.all.iter().map(|p| (&*p.name, p.own, p.functions)).collect();
        assert_eq!(told, [("json", 60, 1), ("io", 30, 1), ("app", 5, 2)]);
        assert!(faceted.categories.all.is_empty());
        let app = faceted.packages.rows("app").expect("a part");
        let names: Vec<_> = (0..table.rows.len() as u32)
            .filter(|&row| app(row))
            .map(|row| s.profile.function_name(table.rows[row as usize].function))
            .collect();
        assert_eq!(names, ["main", "run"]);
        assert!(faceted.packages.rows("none").is_none());
=======
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
>>>>>>> panels
    }
}
