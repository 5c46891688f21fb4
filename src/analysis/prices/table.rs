//! What a table of prices holds.

use std::collections::HashMap;

use regex::Regex;

use crate::model::Money;

/// What is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Uncached input tokens.
    Input,
    /// Input tokens read from a cache.
    CacheRead,
    /// Input tokens written to a cache for 5 minutes.
    CacheWrite,
    /// Input tokens written to a cache for an hour.
    CacheWrite1h,
    /// Output tokens.
    Output,
    /// Output tokens spent on reasoning, where they cost something else.
    Reasoning,
    /// Input tokens of sound.
    AudioInput,
    /// Input tokens of pictures.
    ImageInput,
    /// Output tokens of sound.
    AudioOutput,
    /// Requests.
    Request,
    /// Web searches.
    Search,
}

impl Class {
    /// All of them, with their names in tables.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Input, "input"),
        (Self::CacheRead, "cache_read"),
        (Self::CacheWrite, "cache_write"),
        (Self::CacheWrite1h, "cache_write_1h"),
        (Self::Output, "output"),
        (Self::Reasoning, "reasoning"),
        (Self::AudioInput, "audio_input"),
        (Self::ImageInput, "image_input"),
        (Self::AudioOutput, "audio_output"),
        (Self::Request, "requests"),
        (Self::Search, "searches"),
    ];
}

/// Price of one token (or request): a base, and others for requests whose whole prompt has more than so many tokens. A higher one
/// holds for the whole request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rate {
    pub base: Option<Money>,
    /// Ascending.
    pub above: Vec<(u64, Money)>,
}

impl Rate {
    /// The price for a prompt of `prompt` tokens, and the threshold that it is above.
    pub fn of(&self, prompt: u64) -> Option<(Money, Option<u64>)> {
        let above = self.above.iter().rev().find(|(least, _)| prompt > *least);
        above.map(|&(least, money)| (money, Some(least))).or_else(|| Some((self.base?, None)))
    }

    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.above.is_empty()
    }
}

/// Prices that hold under a condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// From this time on, unix ns.
    pub from: Option<i64>,
    /// Before this time, unix ns.
    pub until: Option<i64>,
    /// From this minute of the day (UTC) to before that one; may pass midnight.
    pub hours: Option<(i64, i64)>,
    /// Service tier, in lower case.
    pub tier: String,
    pub rates: [Rate; Class::ALL.len()],
}

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

impl Rule {
    /// Whether it holds at a time; without one, rules with hours do not, and dated ones do when they held at `newest`.
    pub fn is_active(&self, at: Option<i64>, newest: i64) -> bool {
        let time = at.unwrap_or(newest);
        let hours = self.hours.is_none_or(|(from, to)| {
            let minute = at.map(|t| t.rem_euclid(DAY) / 60_000_000_000);
            minute.is_some_and(|m| if to < from { m >= from || m < to } else { (from..to).contains(&m) })
        });
        hours && self.from.is_none_or(|from| time >= from) && self.until.is_none_or(|until| time < until)
    }

    pub fn rate(&self, class: Class) -> &Rate {
        &self.rates[class as usize]
    }

    pub fn rate_mut(&mut self, class: Class) -> &mut Rate {
        &mut self.rates[class as usize]
    }
}

/// A condition on a name, all in lower case.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Exact(String),
    Starts(String),
    Ends(String),
    Contains(String),
    Fits(Regex),
    Not(Regex),
}

impl Pattern {
    /// Reads `name`, `begin*`, `*end`, `*part*`, `/regex/` and `!/regex/`.
    pub fn read(text: &str) -> Result<Self, String> {
        let regex = |text: &str| {
            let inner = text.strip_suffix('/').ok_or_else(|| format!("«{text}» has no / at its end"))?;
            Regex::new(&format!("(?i){inner}")).map_err(|_| format!("«{inner}» is no regular expression"))
        };
        if let Some(rest) = text.strip_prefix("!/") {
            return regex(rest).map(Self::Not);
        }
        if let Some(rest) = text.strip_prefix('/') {
            return regex(rest).map(Self::Fits);
        }
        let lower = text.to_lowercase();
        Ok(match (lower.strip_prefix('*'), lower.strip_suffix('*')) {
            (Some(_), Some(_)) => Self::Contains(lower.trim_matches('*').to_owned()),
            (Some(end), None) => Self::Ends(end.to_owned()),
            (None, Some(start)) => Self::Starts(start.to_owned()),
            (None, None) => Self::Exact(lower),
        })
    }

    /// Whether a name in lower case fits.
    pub fn fits(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => name == text,
            Self::Starts(text) => name.starts_with(text.as_str()),
            Self::Ends(text) => name.ends_with(text.as_str()),
            Self::Contains(text) => name.contains(text.as_str()),
            Self::Fits(regex) => regex.is_match(name),
            Self::Not(regex) => !regex.is_match(name),
        }
    }
}

/// Who serves models.
#[derive(Clone, Debug, Default)]
pub(super) struct Provider {
    pub id: String,
    /// What traces call it.
    pub known_as: Vec<Pattern>,
    /// It sells models of others.
    pub reseller: bool,
    /// Whose prices stand in where it lists none.
    pub instead: Vec<String>,
}

/// One model of one provider.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Who serves it; empty when the table does not say.
    pub provider: String,
    /// Its name in the table.
    pub name: String,
    /// Further names; of each all patterns must fit.
    pub(super) names: Vec<Vec<Pattern>>,
    /// The last one that is active counts.
    pub(super) prices: Vec<Rule>,
    /// Prices of service tiers, which stand above those: the first active one that has a class counts.
    pub(super) tiers: Vec<Rule>,
    /// Tokens that it takes at most, input and output together where the table does not say otherwise.
    pub context: Option<u64>,
}

impl Entry {
    /// Sizes of the prompt above which other prices hold, ascending.
    #[must_use]
    pub fn thresholds(&self) -> Vec<u64> {
        let rates = self.prices.iter().chain(&self.tiers).flat_map(|rule| &rule.rates);
        let mut all: Vec<u64> = rates.flat_map(|rate| rate.above.iter().map(|a| a.0)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// A table of prices.
#[derive(Clone, Debug, Default)]
pub struct PriceTable {
    /// Who made it.
    pub source: String,
    /// How new it is, as a date; empty when it does not say.
    pub as_of: String,
    /// The currency of its prices, where that is not dollars («EUR»); otherwise empty.
    pub currency: String,
    /// It came with the program.
    pub carried: bool,
    /// Fields that mean nothing here, and in how many models: prices may be missing for what they are about.
    pub unread: Vec<(String, usize)>,
    pub(super) providers: Vec<Provider>,
    pub(super) entries: Vec<Entry>,
    /// Entries by their exact names, in lower case.
    pub(super) by_name: HashMap<String, Vec<u32>>,
    /// The same by their names without provider, region and date.
    pub(super) by_alias: HashMap<String, Vec<u32>>,
    /// The same for the same text.
    pub(super) mark: u64,
    /// Unix ns of `as_of`; prices that begin later are no current ones.
    pub(in crate::analysis) newest: i64,
}

impl PriceTable {
    /// Its models.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What of it is not read, in a line; `None` when everything is.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        const MOST: usize = 4;
        let named = self.unread.iter().take(MOST).map(|(field, n)| match n {
            1 => format!("«{field}»"),
            n => format!("«{field}» ({n} models)"),
        });
        let fields = named.collect::<Vec<_>>().join(", ");
        let more = match self.unread.len().saturating_sub(MOST) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let (what, pronoun) = match self.unread.len() {
            0 => return None,
            1 => ("1 field is no price that is read here".to_owned(), "it is"),
            n => (format!("{n} fields are no prices that are read here"), "they are"),
        };
        Some(format!(
            "{what}: {fields}{more}; what {pronoun} about has no price (a slip? then correct the name)"
        ))
    }

    /// Fills the indexes.
    pub(super) fn finished(mut self, text: &str) -> Self {
        for (n, entry) in self.entries.iter().enumerate() {
            let exact = entry.names.iter().filter_map(|all| match &all[..] {
                [Pattern::Exact(name)] => Some(name.clone()),
                _ => None,
            });
            let names: Vec<String> = std::iter::once(entry.name.to_lowercase()).chain(exact).collect();
            for name in names {
                for alias in super::names::aliases(&name) {
                    push(&mut self.by_alias, alias, n as u32);
                }
                push(&mut self.by_name, name, n as u32);
            }
        }
        self.mark = super::names::mark(text);
        self.newest = crate::import::unix_time(&self.as_of).unwrap_or(i64::MAX);
        self
    }

    /// Counts a field that is not read.
    pub(super) fn leave_out(&mut self, field: &str) {
        match self.unread.iter_mut().find(|(known, _)| known == field) {
            Some(known) => known.1 += 1,
            None => self.unread.push((field.to_owned(), 1)),
        }
    }
}

fn push(index: &mut HashMap<String, Vec<u32>>, name: String, entry: u32) {
    let list = index.entry(name).or_default();
    if list.last() != Some(&entry) {
        list.push(entry);
    }
}
