//! Which requests a question is about, and by which prices what they cost is counted.

use super::billing::Bill;
use super::prices::Prices;
use super::request_facets::Filter;
use super::scope::TimeRange;
use super::search::Pattern;
use crate::jobs::Cancelled;
use crate::model::RequestId;
use crate::query::Context;

/// Which requests, and by which prices.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Asked {
    /// Only those that were in flight in it.
    pub range: TimeRange,
    /// Only those in whose texts (name, model, prompt, answer, error) it is found.
    pub search: String,
    /// Only those with what it names.
    pub filter: Filter,
    /// By which prices what they cost is counted.
    pub prices: Prices,
}

impl Asked {
    /// All requests.
    #[must_use]
    pub fn all(prices: &Prices) -> Self {
        Self { prices: prices.clone(), ..Self::default() }
    }

    /// The requests, by arrival.
    pub(super) fn ids(&self, cx: &Context<'_>) -> Result<Vec<RequestId>, Cancelled> {
        let profile = cx.profile();
        let pattern = Pattern::new(&self.search);
        let bill = match self.filter.is_empty() {
            true => None,
            false => Some(cx.get(&Bill { prices: self.prices.clone() })?),
        };
        let filter = self.filter.for_profile(profile);
        let mut rows = Vec::new();
        for (i, r) in profile.requests.rows.iter().enumerate() {
            if i % 1024 == 0 {
                cx.job().checkpoint(i as u64, profile.requests.rows.len() as u64)?;
            }
            let inside = self.range.is_none_or(|range| r.in_flight(range));
            let wanted = || bill.as_ref().is_none_or(|b| filter.takes(r, &b.charges[i]));
            let found = || {
                pattern.as_ref().is_none_or(|p| {
                    [r.name, r.model, r.prompt, r.completion, r.error]
                        .iter()
                        .any(|&t| p.matches(profile.text(t)))
                })
            };
            if inside && wanted() && found() {
                rows.push(RequestId::from_index(i));
            }
        }
        Ok(rows)
    }
}
