//! What a request costs by an entry of a table.

use super::Prices;
use super::names::Resolved;
use super::table::{Class, Entry, Rule};
use crate::format;
use crate::model::{Accounting, Money, Origin, TokenCounts};

/// What of a request its price depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::analysis) struct Call<'a> {
    pub tokens: TokenCounts,
    pub accounting: Accounting,
    /// When, unix ns.
    pub at: Option<i64>,
    /// The tier that served it, else the one that was asked for.
    pub tier: &'a str,
    pub searches: u64,
}

/// Parts of a price. They add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Uncached input.
    pub input: Money,
    /// Read from caches.
    pub cache_read: Money,
    /// Written to caches.
    pub cache_write: Money,
    /// Output, reasoning included.
    pub output: Money,
    /// Requests and searches.
    pub other: Money,
}

impl Parts {
    /// The price.
    #[must_use]
    pub fn sum(&self) -> Money {
        [self.input, self.cache_read, self.cache_write, self.output, self.other].into_iter().sum()
    }
}

impl std::ops::Add for Parts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            cache_read: self.cache_read + other.cache_read,
            cache_write: self.cache_write + other.cache_write,
            output: self.output + other.output,
            other: self.other + other.other,
        }
    }
}

/// A price, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Priced {
    /// Its parts.
    pub parts: Parts,
    /// The same if nothing had been cached: all input at the input rate.
    pub no_cache: Money,
    /// The same if everything that was written to a cache had been read from it.
    pub all_read: Money,
    /// The same if all input had been read from a cache.
    pub from_cache: Money,
    /// The same by the prices of small prompts.
    pub below_steps: Money,
    /// The prompt size above which these prices hold.
    pub above: Option<u64>,
    /// The tier by whose prices it is; empty for the ordinary ones.
    pub tier: String,
    /// Why it is only about right: ≈.
    pub about: Vec<String>,
    /// What it does not hold («3 web searches»).
    pub left_out: Vec<String>,
}

/// What a request costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// The cost: as the source states it, else as priced. `None` when unpriced.
    pub cost: Option<Money>,
    /// The source states it.
    pub stated: bool,
    /// The source states a cost in another currency: its name, and how much. It is in no sum of dollars.
    pub elsewhere: Option<(String, Money)>,
    /// Answered from a cache of answers: nothing was paid.
    pub answered_locally: bool,
    /// Why there is no cost; empty otherwise.
    pub why: String,
    /// What is known to be paid at least, where the whole is not known.
    pub at_least: Option<Money>,
    /// By list prices, even where the source states a cost.
    pub priced: Option<Priced>,
    /// Which entry.
    pub resolved: Option<Resolved>,
}

impl Charge {
    /// The name of the model that it is priced by; `None` where no table has it.
    #[must_use]
    pub fn priced_as<'a>(&self, prices: &'a Prices) -> Option<&'a str> {
        let found = self.resolved.as_ref()?;
        Some(&prices.tables()[found.table].entries()[found.entry].name)
    }

    /// The cost for reading: «$0.12», «≈ $0.12», «–».
    #[must_use]
    pub fn cost_text(&self) -> String {
        let sign = if self.cost.is_some() && self.is_about() { "≈ " } else { "" };
        format!("{sign}{}", format::money_or_unknown(self.cost))
    }

    /// True when the cost is only about right: the source does not state it, and the price is not quite that of the call.
    #[must_use]
    pub fn is_about(&self) -> bool {
        !self.stated && !self.answered_locally && self.priced.as_ref().is_some_and(|p| !p.about.is_empty())
    }
}

/// Names of the ordinary tier.
const ORDINARY: [&str; 7] = ["", "default", "standard", "standard_only", "auto", "on_demand", "on-demand"];

/// The rates that hold for a call.
struct Rates<'a> {
    standard: &'a Rule,
    tiers: Vec<&'a Rule>,
    prompt: u64,
}

impl Rates<'_> {
    /// Price of one of `class`, and the threshold that it is above.
    fn of(&self, class: Class) -> Option<(Money, Option<u64>)> {
        let rules = self.tiers.iter().copied().chain([self.standard]);
        rules.map(|rule| rule.rate(class)).find(|rate| !rate.is_empty())?.of(self.prompt)
    }
}

/// Prices a call by an entry; what is known at least, where not all is, and why.
pub(in crate::analysis) fn charge(
    entry: &Entry,
    newest: i64,
    call: &Call<'_>,
) -> Result<Priced, (Money, String)> {
    let mut priced = Priced::default();
    let active = entry.prices.iter().rev().find(|rule| rule.is_active(call.at, newest));
    let standard = active.or_else(|| {
        priced.about.push("the call is older than the oldest price".into());
        entry.prices.first()
    });
    let Some(standard) = standard else { return Err((Money::ZERO, format!("{} has no prices", entry.name))) };
    let dated = entry.prices.len() > 1 && entry.prices.iter().any(|p| p.from.is_some() || p.hours.is_some());
    if call.at.is_none() && dated {
        priced.about.push("the time of the call is unknown: the newest price".into());
    }
    let tier = call.tier.to_lowercase();
    let fits = |rule: &&Rule| rule.tier == tier && rule.is_active(call.at, newest);
    let tiers: Vec<&Rule> = entry.tiers.iter().filter(fits).collect();
    if !tiers.is_empty() {
        priced.tier.clone_from(&tier);
    } else if !ORDINARY.contains(&tier.as_str()) {
        priced.about.push(format!("the tier «{tier}» has no price of its own: the ordinary one"));
    }
    let t = &call.tokens;
    let rates = Rates { standard, tiers, prompt: t.prompt().unwrap_or(0) };
    let sum = sum(&rates, call, &mut priced);
    priced.parts = sum?;
    priced.above = rates.of(Class::Input).and_then(|r| r.1).or(rates.of(Class::Output).and_then(|r| r.1));
    // What if: the same request, other classes. Whatever is missing was missing above.
    let by = |rates: &Rates<'_>, tokens: TokenCounts| {
        let mut aside = Priced::default();
        self::sum(rates, &Call { tokens, ..*call }, &mut aside).map_or(Money::ZERO, |parts| parts.sum())
    };
    let what_if = |tokens| by(&rates, tokens);
    let uncached =
        TokenCounts { input: t.prompt(), cache_read: None, cache_write_5m: None, cache_write_1h: None, ..*t };
    priced.no_cache = what_if(uncached);
    let cached = [t.cache_read, t.cache_write()].into_iter().flatten().reduce(u64::saturating_add);
    priced.all_read =
        what_if(TokenCounts { cache_read: cached, cache_write_5m: None, cache_write_1h: None, ..*t });
    priced.from_cache = what_if(TokenCounts { input: Some(0), cache_read: t.prompt(), ..uncached });
    priced.below_steps = by(&Rates { prompt: 0, tiers: rates.tiers.clone(), ..rates }, *t);
    Ok(priced)
}

fn sum(rates: &Rates<'_>, call: &Call<'_>, priced: &mut Priced) -> Result<Parts, (Money, String)> {
    let t = &call.tokens;
    let mut parts = Parts::default();
    let mut missing: Vec<&str> = Vec::new();
    // A class that has no rate takes that of the next one in the list.
    let mut price = |count: u64, classes: &[(Class, &'static str)], about: &mut Vec<String>| {
        if count == 0 {
            return Money::ZERO;
        }
        let found = classes.iter().enumerate().find_map(|(n, (class, _))| Some((n, rates.of(*class)?.0)));
        match found {
            Some((0, money)) => money.times(count),
            Some((n, money)) => {
                about.push(format!("no price for {}: that of {}", classes[0].1, classes[n].1));
                money.times(count)
            }
            None => {
                missing.push(classes[0].1);
                Money::ZERO
            }
        }
    };
    const INPUT: (Class, &str) = (Class::Input, "input");
    const WRITE: (Class, &str) = (Class::CacheWrite, "cache writes");
    let apart = |class: Class, part: Option<u64>| part.filter(|_| rates.of(class).is_some()).unwrap_or(0);
    // Sound costs several times what text does: without a rate of its own the price is a guess, which is said. Pictures and
    // reasoning are billed as text where nothing else is listed.
    let (audio, image) = (t.audio_input.unwrap_or(0), apart(Class::ImageInput, t.image_input));
    let plain = t.input.unwrap_or(0).saturating_sub(audio).saturating_sub(image);
    let about = &mut priced.about;
    parts.input = price(plain, &[INPUT], about)
        + price(audio, &[(Class::AudioInput, "sound"), INPUT], about)
        + price(image, &[(Class::ImageInput, "pictures")], about);
    parts.cache_read = price(t.cache_read.unwrap_or(0), &[(Class::CacheRead, "cache reads"), INPUT], about);
    parts.cache_write = price(t.cache_write_5m.unwrap_or(0), &[WRITE, INPUT], about)
        + price(
            t.cache_write_1h.unwrap_or(0),
            &[(Class::CacheWrite1h, "cache writes of an hour"), WRITE, INPUT],
            about,
        );
    let (reasoning, sound) = (apart(Class::Reasoning, t.reasoning), t.audio_output.unwrap_or(0));
    let output = t.output.unwrap_or(0).saturating_sub(reasoning).saturating_sub(sound);
    parts.output = price(output, &[(Class::Output, "output")], about)
        + price(reasoning, &[(Class::Reasoning, "reasoning")], about)
        + price(sound, &[(Class::AudioOutput, "spoken output"), (Class::Output, "output")], about);
    let written = t.cache_write_5m.unwrap_or(0) > 0 && !call.accounting.write_time_stated;
    let differs =
        rates.of(Class::CacheWrite1h).is_some_and(|r| Some(r.0) != rates.of(Class::CacheWrite).map(|r| r.0));
    if written && differs {
        about.push("how long the cache keeps what was written is unknown: priced at 5 minutes".into());
    }
    parts.other = rates.of(Class::Request).map_or(Money::ZERO, |r| r.0);
    match rates.of(Class::Search) {
        _ if call.searches == 0 => {}
        Some((money, _)) => parts.other = parts.other + money.times(call.searches),
        None => priced.left_out.push(match call.searches {
            1 => "1 web search".into(),
            n => format!("{n} web searches"),
        }),
    }
    if let [first, ..] = missing[..] {
        return Err((parts.sum(), format!("the table has no price for {first}")));
    }
    if t.input.is_none() || t.output.is_none() {
        let what = if t.input.is_none() { "input" } else { "output" };
        return Err((parts.sum(), format!("{what} tokens are unknown")));
    }
    for (origin, what) in [(call.accounting.input, "input"), (call.accounting.output, "output")] {
        match origin {
            Origin::Unknown => return Err((parts.sum(), format!("{what} tokens are unknown"))),
            Origin::LowerBound => return Err((parts.sum(), format!("{what} tokens are known in part only"))),
            Origin::Computed if t.output != Some(0) => about.push(format!("{what} tokens are computed")),
            Origin::Computed | Origin::Reported => {}
        }
    }
    Ok(parts)
}
