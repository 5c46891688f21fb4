//! What prompts are made of ([`super::components`]) by what requests have in common: a model, a session.

use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::billing::Bill;
use super::components::{Component, ComponentSum, Part, add, shares};
use super::request_facets::Facet;
use crate::jobs::Cancelled;
use crate::query::{Context, Query};

/// Components of the requests that have something in common.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentGroup {
    /// What they have in common; empty where nobody says.
    pub name: String,
    /// Their components, in the order of [`Component::ALL`].
    pub sums: Vec<ComponentSum>,
}

impl ComponentGroup {
    /// All tokens.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.sums.iter().map(|s| s.tokens).sum()
    }
}

/// Most groups; the others are one.
const GROUPS: usize = 24;

/// Computes the components of prompts by what requests have in common, those with the most tokens first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct ComponentGroups {
    /// Which requests.
    pub asked: Asked,
    /// By what.
    pub by: Facet,
}

impl Query for ComponentGroups {
    type Output = Vec<ComponentGroup>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<ComponentGroup>, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let ids = self.asked.ids(cx)?;
        let rows = ids.iter().map(|id| (*id, &profile.requests.rows[id.index()]));
        let kept: Vec<_> =
            rows.filter(|(_, r)| !profile.text(r.prompt).is_empty() && !r.needed_no_tokens()).collect();
        let mut places: FxHashMap<&str, usize> = FxHashMap::default();
        // Sums, each with the most that a request has of it.
        let mut groups: Vec<(String, Vec<(ComponentSum, f64)>)> = Vec::new();
        let shares = shares(cx, &bill, &kept)?;
        for ((id, own), (_, r)) in shares.into_iter().zip(&kept) {
            let name = self.by.of(profile, r);
            let at = *places.entry(name).or_insert_with(|| {
                groups.push((name.to_owned(), Vec::new()));
                groups.len() - 1
            });
            own.into_iter().for_each(|part| add(&mut groups[at].1, id, part));
        }
        let total = |g: &(String, Vec<(ComponentSum, f64)>)| g.1.iter().map(|s| s.0.tokens).sum::<f64>();
        groups.sort_by(|a, b| total(b).total_cmp(&total(a)));
        let rest = groups.split_off(groups.len().min(GROUPS));
        if !rest.is_empty() {
            let mut all = Vec::new();
            for (sum, most) in rest.into_iter().flat_map(|g| g.1) {
                let ComponentSum { component, tokens, fixed, cost, .. } = sum;
                let part = Part { component, tokens, fixed, cost };
                add(&mut all, sum.largest, part);
                if let Some((known, of)) = all.iter_mut().find(|(s, _)| s.component == sum.component) {
                    known.requests += sum.requests - 1;
                    *of = of.max(most);
                }
            }
            groups.push(("others".to_owned(), all));
        }
        let place = |c: Component| Component::ALL.iter().position(|k| *k == c);
        Ok(groups
            .into_iter()
            .map(|(name, sums)| {
                let mut sums: Vec<ComponentSum> = sums.into_iter().map(|(sum, _)| sum).collect();
                sums.sort_by_key(|s| place(s.component));
                ComponentGroup { name, sums }
            })
            .collect())
    }

    fn weight(groups: &Vec<ComponentGroup>) -> usize {
        groups.iter().map(|g| g.name.len() + g.sums.len() * size_of::<ComponentSum>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::messages::join;
    use crate::model::{Request, TokenCounts};

    #[test]
    fn groups_hold_all_that_the_whole_holds() {
        let run = built(|b| {
            for (model, query, input) in [("a", "one", 100), ("b", "two", 60), ("a", "three", 100)] {
                let prompt = join([("system", "s".repeat(40).as_str()), ("user", query)]);
                let (model, prompt) = (b.string(model), b.string(&prompt));
                let tokens = TokenCounts { input: Some(input), output: Some(10), ..TokenCounts::default() };
                b.request(Request { model, prompt, tokens, ..Request::default() });
            }
        });
        let groups = ask(&run, &ComponentGroups::default());
        let names: Vec<_> = groups.iter().map(|g| (g.name.as_str(), g.total().round() as i64)).collect();
        assert_eq!(names, [("a", 220), ("b", 70)]);
        assert!((groups.iter().map(ComponentGroup::total).sum::<f64>() - 290.0).abs() < 1e-9);
        let system = groups[0].sums[0];
        assert_eq!((system.component, system.requests), (Component::System, 2));
        assert!(system.fixed > 0.4 * system.tokens, "the second one repeats it");
        assert_eq!(groups[1].sums[0].fixed, 0.0, "another model has another cache");
    }
}
