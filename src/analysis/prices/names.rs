//! Which entry of the tables a model's name means.
//!
//! In steps, each said with the result: the name of the answer as a table lists it, the name that was asked for, then both
//! without provider, region and date. Where several entries of different price fit and the provider does not tell them apart, the request
//! has no price rather than a guessed one.

use std::hash::{Hash, Hasher};

use super::Prices;
use super::table::{PriceTable, Provider};

/// How a name led to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The name in the answer.
    Response,
    /// The name that was asked for.
    Request,
    /// The name in the answer, without provider, region or date.
    ResponseAlias,
    /// The name that was asked for, without these.
    RequestAlias,
}

impl Step {
    /// What was looked for, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Response => "the name in the answer",
            Self::Request => "the name that was asked for",
            Self::ResponseAlias => "the name in the answer without provider, region and date",
            Self::RequestAlias => "the name that was asked for without provider, region and date",
        }
    }
}

/// An entry, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Number of the table in [`Prices::tables`].
    pub table: usize,
    /// Number of the entry.
    pub entry: usize,
    /// By which name.
    pub step: Step,
    /// The price is that of another provider, because the one that served it lists none.
    pub instead: bool,
}

/// Programs that serve models on a person's own machine: list prices of others mean nothing there.
const LOCAL: [&str; 9] =
    ["ollama", "llama.cpp", "llama_cpp", "vllm", "sglang", "lmstudio", "lm_studio", "localai", "inferscope"];

/// True when a provider is a program on a person's own machine.
pub(in crate::analysis) fn is_local(provider: &str) -> bool {
    let provider = provider.to_lowercase();
    LOCAL.iter().any(|name| provider.contains(name))
}

/// Regions and vendors in front of names on Bedrock.
const DOTTED: [&str; 17] = [
    "us",
    "eu",
    "apac",
    "global",
    "jp",
    "au",
    "ca",
    "us-gov",
    "anthropic",
    "meta",
    "amazon",
    "mistral",
    "cohere",
    "deepseek",
    "openai",
    "ai21",
    "qwen",
];

/// The entry for the names of a request; else why there is none.
pub(in crate::analysis) fn resolve(
    prices: &Prices,
    provider: &str,
    response: &str,
    request: &str,
) -> Result<Resolved, String> {
    if response.is_empty() && request.is_empty() {
        return Err("no model is named".into());
    }
    let provider = provider.to_lowercase();
    let is_local = is_local(&provider);
    for (number, table) in prices.tables().iter().enumerate() {
        if table.carried && is_local {
            continue;
        }
        for (step, name) in [(Step::Response, response), (Step::Request, request)] {
            let found = table.listed(&name.to_lowercase(), &provider);
            if let Some(found) = table.choose(found, &provider, name)? {
                return Ok(Resolved { table: number, step, ..found });
            }
        }
        for (step, name) in [(Step::ResponseAlias, response), (Step::RequestAlias, request)] {
            for alias in aliases(&name.to_lowercase()) {
                let mut found = table.listed(&alias, &provider);
                if found.is_empty() {
                    found = table.by_alias.get(&alias).cloned().unwrap_or_default();
                }
                if let Some(found) = table.choose(found, &provider, name)? {
                    return Ok(Resolved { table: number, step, ..found });
                }
            }
        }
    }
    let name = if response.is_empty() { request } else { response };
    if is_local {
        return Err(format!(
            "{name} is served by {provider}, whose price only a table of one's own can tell"
        ));
    }
    Err(format!("no table lists {name}"))
}

impl PriceTable {
    /// The provider that is known under a name in lower case.
    fn known(&self, name: &str) -> Option<&Provider> {
        let fits = |p: &&Provider| p.known_as.iter().any(|pattern| pattern.fits(name));
        self.providers.iter().find(fits).filter(|_| !name.is_empty())
    }

    /// Entries that list a name in lower case: by itself, else by patterns, of one provider only the first. What the provider that
    /// served it lists by a pattern counts beside what others list by itself.
    fn listed(&self, name: &str, provider: &str) -> Vec<u32> {
        if name.is_empty() {
            return Vec::new();
        }
        let mut found = self.by_name.get(name).cloned().unwrap_or_default();
        let has = |found: &[u32], provider: &str| {
            found.iter().any(|f| self.entries[*f as usize].provider == provider)
        };
        let own = self.known(provider).map(|p| p.id.as_str()).filter(|own| !has(&found, own));
        if own.is_none() && !found.is_empty() {
            return found;
        }
        let by_itself = !found.is_empty();
        for (n, entry) in self.entries.iter().enumerate() {
            let wanted = !by_itself || Some(entry.provider.as_str()) == own;
            let fits = || entry.names.iter().any(|all| all.iter().all(|pattern| pattern.fits(name)));
            if wanted && !has(&found, &entry.provider) && fits() {
                found.push(n as u32);
            }
        }
        found
    }

    fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|p| p.id == id)
    }

    /// The entry that is meant of those that fit: that of the provider, of one that stands in for it, of a maker rather than a
    /// reseller, or any if they cost the same.
    fn choose(&self, found: Vec<u32>, provider: &str, name: &str) -> Result<Option<Resolved>, String> {
        let resolved = |entry: u32, instead| {
            Ok(Some(Resolved { table: 0, entry: entry as usize, step: Step::Response, instead }))
        };
        let of = |n: &u32| &self.entries[*n as usize];
        if found.is_empty() {
            return Ok(None);
        }
        let known = self.known(provider);
        if let Some(known) = known {
            if let Some(&own) = found.iter().find(|n| of(n).provider == known.id) {
                return resolved(own, false);
            }
            let stands_in = |n: &&u32| known.instead.contains(&of(n).provider);
            if let Some(&other) = found.iter().find(stands_in) {
                return resolved(other, true);
            }
        }
        let same_word = |n: &&u32| {
            let other = &of(n).provider;
            !provider.is_empty()
                && !other.is_empty()
                && (provider.contains(other.as_str()) || other.contains(provider))
        };
        let by_word: Vec<u32> = found.iter().filter(same_word).copied().collect();
        let makers = found.iter().filter(|n| self.provider(&of(n).provider).is_none_or(|p| !p.reseller));
        let makers: Vec<u32> = makers.copied().collect();
        let candidates = match (by_word.is_empty(), makers.is_empty()) {
            (false, _) => by_word,
            (true, false) => makers,
            (true, true) => found,
        };
        let first = of(&candidates[0]);
        let same = |n: &u32| (&of(n).prices, &of(n).tiers) == (&first.prices, &first.tiers);
        if candidates.iter().all(same) {
            // Of a provider whose list is known and does not hold it, that of another is a guess.
            return resolved(candidates[0], known.is_some());
        }
        let list = candidates.iter().take(4).map(|n| match of(n) {
            entry if entry.provider.is_empty() => entry.name.clone(),
            entry => format!("{} of {}", entry.name, entry.provider),
        });
        Err(format!("{name} may be {}: prices differ", list.collect::<Vec<_>>().join(" or ")))
    }
}

/// Names that a name in lower case may stand for, the closest one first: without provider and region, without version and
/// date, without both.
pub(super) fn aliases(name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |alias: &str| {
        if !alias.is_empty() && alias != name && !found.iter().any(|f| f == alias) {
            found.push(alias.to_owned());
        }
    };
    let short = without_prefix(name);
    add(short);
    add(without_date(name));
    add(without_date(short));
    found
}

fn without_prefix(name: &str) -> &str {
    let mut rest = name.rsplit('/').next().unwrap_or(name);
    while let Some((first, after)) = rest.split_once('.') {
        if !DOTTED.contains(&first) || after.is_empty() {
            break;
        }
        rest = after;
    }
    rest
}

fn without_date(name: &str) -> &str {
    let mut rest = name;
    loop {
        let before = rest;
        // Versions of Bedrock: «-v1:0», «:0».
        if let Some((front, digits)) = rest.rsplit_once(':')
            && !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
        {
            rest = front;
        }
        if let Some((front, version)) = rest.rsplit_once("-v")
            && before != rest
            && version.bytes().all(|b| b.is_ascii_digit())
        {
            rest = front;
        }
        rest = rest.strip_suffix("-latest").unwrap_or(rest);
        rest = dated(rest).unwrap_or(rest);
        if rest == before {
            return rest;
        }
    }
}

/// A name without the date at its end: `-2024-07-18`, `-20240718`, `@20240718`.
fn dated(name: &str) -> Option<&str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_date = |year: &str, month: &str, day: &str| {
        let in_range = |text: &str, most: u32| text.parse().is_ok_and(|n: u32| (1..=most).contains(&n));
        year.len() == 4 && year.starts_with("20") && digits(year) && in_range(month, 12) && in_range(day, 31)
    };
    let tail = |len: usize| {
        name.len().checked_sub(len).filter(|at| name.is_char_boundary(*at)).map(|at| name.split_at(at))
    };
    if let Some((front, end)) = tail(11).filter(|(_, end)| end.is_ascii())
        && let [separator, year, month, day] = [&end[..1], &end[1..5], &end[6..8], &end[9..]]
        && matches!(separator, "-" | "@")
        && &end[5..6] == "-"
        && &end[8..9] == "-"
        && is_date(year, month, day)
    {
        return Some(front);
    }
    let (front, end) = tail(9).filter(|(_, end)| end.is_ascii())?;
    let is_short = matches!(&end[..1], "-" | "@") && is_date(&end[1..5], &end[5..7], &end[7..]);
    is_short.then_some(front)
}

/// The same number for the same text.
pub(super) fn mark(text: &str) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}
