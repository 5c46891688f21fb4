//! What the requests of a profile cost: each one, by model, in all, and what if it had been otherwise.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::cached_answers::cached_answer;
use super::prices::{self, Charge, Prices, Resolved};
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Accounting, COST_IN, Money, Origin, Outcome, Profile, Request, RequestId, StringId};
use crate::query::{Context, Query};

/// What stands before a sum of costs: ≥ where some are not known, ≈ where some are only about right.
#[must_use]
pub fn cost_sign(cost: Option<Money>, unpriced: usize, about: bool) -> &'static str {
    match (cost, unpriced, about) {
        (None, ..) => "",
        (_, 0, true) => "≈ ",
        (_, 0, false) => "",
        _ => "≥ ",
    }
}

/// A sum of costs with its sign: «$0.12», «≈ $0.12», «≥ $0.12»; `None` when none has a cost.
#[must_use]
pub fn cost_text(cost: Option<Money>, unpriced: usize, about: bool) -> Option<String> {
    cost.map(|money| format!("{}{}", cost_sign(cost, unpriced, about), format::money(money)))
}

/// Sums over requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Requests.
    pub requests: usize,
    /// Those without a cost.
    pub unpriced: usize,
    /// Those of which a count is a lower bound or unknown.
    pub incomplete: usize,
    /// What the others cost; `None` when none of them has a cost.
    pub cost: Option<Money>,
    /// Costs that sources state in other currencies, by their names.
    pub elsewhere: BTreeMap<String, Money>,
    /// Some cost is only about right.
    pub about: bool,
    /// Uncached input tokens, where known.
    pub input: u64,
    /// Input tokens read from caches.
    pub cache_read: u64,
    /// Input tokens written to caches for 5 minutes, or for a time that nobody stated.
    pub cache_write_5m: u64,
    /// For an hour.
    pub cache_write_1h: u64,
    /// Output tokens.
    pub output: u64,
    /// Of these, reasoning.
    pub reasoning: u64,
    /// Requests that have list prices.
    pub listed: usize,
    /// As billed by list prices, over the requests that have them.
    pub as_billed: Option<Money>,
    /// The same if nothing had been cached.
    pub no_cache: Option<Money>,
    /// The same if, but for the first request with cached tokens of each model, all that was written had been read.
    pub best_cache: Option<Money>,
}

impl Sums {
    /// What stands before the cost: ≥ where some are not known, ≈ where some are only about right.
    #[must_use]
    pub fn sign(&self) -> &'static str {
        cost_sign(self.cost, self.unpriced, self.about)
    }

    /// What they cost: «$0.12», «≈ $0.12», «≥ $0.12»; `None` when none has a cost.
    #[must_use]
    pub fn cost_text(&self) -> Option<String> {
        cost_text(self.cost, self.unpriced, self.about)
    }

    /// What the sums by list prices are of, where that is not all: « (3 of 5 requests)».
    #[must_use]
    pub fn listed_words(&self) -> String {
        if self.listed == self.requests {
            return String::new();
        }
        format!(
            " ({} of {} requests)",
            format::count(self.listed as i64),
            format::count(self.requests as i64)
        )
    }

    /// All input tokens.
    #[must_use]
    pub fn prompt(&self) -> u64 {
        [self.cache_read, self.cache_write_5m, self.cache_write_1h]
            .into_iter()
            .fold(self.input, u64::saturating_add)
    }

    /// Adds one. `best` is what it would have cost as [`Self::best_cache`] says.
    pub(super) fn add(&mut self, r: &Request, charge: &Charge, best: Option<Money>) {
        let plus = |sum: &mut u64, n: Option<u64>| *sum = sum.saturating_add(n.unwrap_or(0));
        let more = |sum: &mut Option<Money>, money: Option<Money>| {
            if let Some(money) = money {
                *sum = Some(sum.unwrap_or_default() + money);
            }
        };
        self.requests += 1;
        self.unpriced += usize::from(charge.cost.is_none());
        let unknown =
            matches!(r.accounting.origin(), Origin::LowerBound | Origin::Unknown) || r.tokens.is_unknown();
        self.incomplete += usize::from(unknown && !r.needed_no_tokens());
        plus(&mut self.input, r.tokens.input);
        plus(&mut self.cache_read, r.tokens.cache_read);
        plus(&mut self.cache_write_5m, r.tokens.cache_write_5m);
        plus(&mut self.cache_write_1h, r.tokens.cache_write_1h);
        plus(&mut self.output, r.tokens.output);
        plus(&mut self.reasoning, r.tokens.reasoning);
        more(&mut self.cost, charge.cost);
        if let Some((currency, money)) = &charge.elsewhere {
            let sum = self.elsewhere.entry(currency.clone()).or_default();
            *sum = *sum + *money;
        }
        if let Some(priced) = charge.priced.as_ref().filter(|_| !charge.answered_locally) {
            self.about |= charge.is_about();
            self.listed += 1;
            more(&mut self.as_billed, Some(priced.parts.sum()));
            more(&mut self.no_cache, Some(priced.no_cache));
        }
        more(&mut self.best_cache, best);
    }
}

/// Requests of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelSums {
    /// The name it is priced by, else that of the answer, else that was asked for.
    pub model: String,
    /// Their sums.
    pub sums: Sums,
}

/// What all requests cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Billing {
    /// One per request, in their order.
    pub charges: Vec<Charge>,
    /// The same as [`Sums::best_cache`] says, where priced.
    pub best: Vec<Option<Money>>,
    /// By model, the dearest first.
    pub models: Vec<ModelSums>,
    /// Over all.
    pub all: Sums,
    /// Requests whose stated total is not the sum of their parts.
    pub disagreeing: usize,
}

/// Computes the [`Billing`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Bill {
    /// By which prices.
    pub prices: Prices,
}

impl Query for Bill {
    type Output = Billing;

    fn run(&self, cx: &Context<'_>) -> Result<Billing, Cancelled> {
        let profile = cx.profile();
        let rows = &profile.requests.rows;
        let mut out = Billing::default();
        let mut known: FxHashMap<[StringId; 3], Result<Resolved, String>> = FxHashMap::default();
        let mut models: FxHashMap<String, usize> = FxHashMap::default();
        let mut cached_before: FxHashMap<String, ()> = FxHashMap::default();
        for (n, r) in rows.iter().enumerate() {
            if n % 1024 == 0 {
                cx.job().checkpoint(n as u64, rows.len() as u64)?;
            }
            let resolved = known.entry([r.provider, r.model, r.requested_model]).or_insert_with(|| {
                prices::resolve(
                    &self.prices,
                    profile.text(r.provider),
                    profile.text(r.model),
                    profile.text(r.requested_model),
                )
            });
            let charge = charge(&self.prices, profile, r, resolved);
            let model = model_name(profile, r).to_owned();
            let writes_first = r.tokens.cache_write().unwrap_or(0) > 0 && !cached_before.contains_key(&model);
            if r.tokens.cache_write().unwrap_or(0) + r.tokens.cache_read.unwrap_or(0) > 0 {
                cached_before.insert(model.clone(), ());
            }
            let billed = charge.priced.as_ref().filter(|_| !charge.answered_locally);
            let best = billed.map(|p| if writes_first { p.parts.sum() } else { p.all_read });
            let place = *models.entry(model.clone()).or_insert_with(|| {
                out.models.push(ModelSums { model, ..ModelSums::default() });
                out.models.len() - 1
            });
            out.models[place].sums.add(r, &charge, best);
            out.all.add(r, &charge, best);
            out.disagreeing += usize::from(r.accounting.agrees(&r.tokens) == Some(false));
            out.charges.push(charge);
            out.best.push(best);
        }
        out.models.sort_by(|a, b| b.sums.cost.cmp(&a.sums.cost).then_with(|| a.model.cmp(&b.model)));
        Ok(out)
    }

    fn weight(billing: &Billing) -> usize {
        billing.charges.len() * size_of::<Charge>()
    }
}

impl Billing {
    /// What a request costs; `None` when unpriced.
    #[must_use]
    pub fn cost(&self, id: RequestId) -> Option<Money> {
        self.charges.get(id.index())?.cost
    }
}

/// The model of a request as its file names it: that of the answer, else the one that was asked for; empty when nobody names one.
/// How a table of prices calls it is no name of it: groups stay the same whatever prices are taken.
#[must_use]
pub fn model_name<'a>(profile: &'a Profile, r: &Request) -> &'a str {
    profile.text(r.model)
}

/// How the reason begins for which a cost of another currency is in no sum.
pub(super) const NOT_CONVERTED: &str = "its source states a cost in";
/// The same where the table has prices of another currency.
pub(super) const PRICED_IN: &str = "its table has prices in";

/// What its source says a request cost in a currency other than dollars.
fn stated_elsewhere(profile: &Profile, r: &Request) -> Option<(String, Money)> {
    r.attributes.iter().find_map(|(name, value)| {
        let currency = profile.text(*name).strip_prefix(COST_IN)?;
        Some((currency.to_owned(), Money::parse(profile.text(*value))?))
    })
}

/// The cost of one request.
fn charge(prices: &Prices, profile: &Profile, r: &Request, resolved: &Result<Resolved, String>) -> Charge {
    let mut out = Charge { resolved: resolved.as_ref().ok().cloned(), ..Charge::default() };
    let served = profile.text(r.tier);
    let tier = if served.is_empty() { profile.text(r.requested_tier) } else { served };
    // An answer from a cache would have taken what it took when it was generated.
    let (mut tokens, mut accounting) = (r.tokens, r.accounting);
    let answered = r.answered_by_cache();
    if answered && tokens.is_unknown() {
        tokens = cached_answer(profile, r).saved;
        accounting = Accounting::of_counted(&tokens);
    }
    let call = prices::Call {
        tokens,
        accounting,
        at: profile.meta.origin_unix_ns.filter(|_| !r.undated).map(|origin| origin.saturating_add(r.arrived)),
        tier,
        searches: r.searches.unwrap_or(0),
    };
    let mut priced_elsewhere = None;
    match resolved {
        Ok(found) => {
            let table = &prices.tables()[found.table];
            match prices::charge(&table.entries()[found.entry], table.newest, &call) {
                Ok(mut priced) => {
                    if found.instead {
                        let provider = &table.entries()[found.entry].provider;
                        priced
                            .about
                            .push(format!("the price of {provider}: the table lists none of the provider"));
                    }
                    match table.currency.as_str() {
                        "" => out.priced = Some(priced),
                        // Money of another currency is in no sum of dollars.
                        currency => priced_elsewhere = Some((currency.to_owned(), priced.parts.sum())),
                    }
                }
                Err((least, why)) => {
                    out.at_least = Some(least).filter(|m| *m > Money::ZERO && table.currency.is_empty());
                    out.why = why;
                }
            }
        }
        Err(why) => out.why.clone_from(why),
    }
    let said = profile.text(r.tokens_why);
    if r.outcome == Outcome::Running {
        out.why = "it still runs".into();
    } else if out.priced.is_none() && !said.is_empty() {
        said.clone_into(&mut out.why);
    }
    out.cost = out.priced.as_ref().map(|p| p.parts.sum());
    // As dollars are: what the source states comes first.
    out.elsewhere = stated_elsewhere(profile, r);
    let is_stated = out.elsewhere.is_some();
    if out.elsewhere.is_none() && r.cost.is_none() {
        out.elsewhere =
            priced_elsewhere.map(|(name, money)| (name, if answered { Money::ZERO } else { money }));
    }
    out.answered_locally = answered;
    if let Some(stated) = r.cost {
        (out.cost, out.stated) = (Some(stated), true);
        // A source that prices what a cache answered says what was paid all the same.
        out.answered_locally &= stated == Money::ZERO;
    } else if let Some((currency, _)) = &out.elsewhere {
        // A list price beside what was paid in another currency would count the request twice.
        let by = if is_stated { NOT_CONVERTED } else { PRICED_IN };
        out.why = format!("{by} {currency}, which is not converted to dollars");
        out.cost = None;
    } else if answered {
        // Without a price nobody knows what was saved: a sum of 0 would look like one of all.
        out.cost = out.cost.map(|_| Money::ZERO);
    }
    if out.cost.is_some() {
        out.why.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::prices::read_table;
    use crate::analysis::testing::{ask, built};
    use crate::model::TokenCounts;

    #[test]
    fn currencies_are_never_added_up() {
        let run = built(|b| {
            let (model, euros) = (b.string("m"), b.string("cost in EUR"));
            let [first, second] = ["0.25", "0.5"].map(|text| b.string(text));
            let tokens = TokenCounts { input: Some(1000), output: Some(0), ..TokenCounts::default() };
            for attributes in [vec![], vec![(euros, first)], vec![(euros, second)]] {
                b.request(Request { model, tokens, attributes, ..Request::default() });
            }
        });
        let table = r#"{"models": [{"name": "m", "prices": [{"input": "1", "output": "2"}]}]}"#;
        let bill = ask(&run, &Bill { prices: Prices::with(read_table(table).unwrap()) });
        let all = &bill.all;
        assert_eq!(all.cost.map(|m| m.to_string()).as_deref(), Some("0.001"), "that of the list price alone");
        assert_eq!(
            (all.elsewhere.len(), all.elsewhere["EUR"].to_string(), all.unpriced),
            (1, "0.75".into(), 2)
        );
        assert!(bill.charges[1].why.contains("a cost in EUR"), "{}", bill.charges[1].why);
        // The same where one's own table has its prices in euros.
        let table =
            r#"{"currency": "eur", "models": [{"name": "m", "prices": [{"input": "1", "output": "2"}]}]}"#;
        let bill = ask(&run, &Bill { prices: Prices::with(read_table(table).unwrap()) });
        let all = &bill.all;
        assert_eq!((all.cost, all.as_billed, all.elsewhere["EUR"].to_string()), (None, None, "0.751".into()));
        assert!(bill.charges[0].why.contains("prices in EUR"), "{}", bill.charges[0].why);
        let why = read_table(&table.replace("eur", "euros")).unwrap_err();
        assert!(why.contains("three letters"), "{why}");
    }
}
