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
        }
    }
}

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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    }
}
