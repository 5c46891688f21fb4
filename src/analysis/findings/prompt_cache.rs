//! What breaks a provider's prompt cache: it holds a prompt from its first token to the first one that differs, so a date or an id
//! in front makes all that follows new.

use std::hash::{BuildHasher, BuildHasherDefault};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::Noted;
use crate::analysis::levers::Lever;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Outcome, Profile, Request, RequestId, Severity, StringId};
use crate::query::Context;

/// Requests that a statement about them needs.
const ENOUGH: usize = 5;
/// Requests before and after a change.
const RUN: usize = 3;
/// Prompt tokens that providers cache, as most of them say.
const CACHEABLE: u64 = 1024;
/// Shorter lines repeat by chance, bytes.
const LINE: usize = 24;
/// Most lines that are kept of the prompts of a model.
const LINES: usize = 200_000;
/// Characters of a prompt's beginning that are shown.
const SHOWN: usize = 40;
const ADVICE: &str = "Put what changes (a date, an id, what was found) behind what stays the same";

/// Findings about the prompts of each model, in order of arrival.
pub(super) fn find(cx: &Context<'_>) -> Result<Vec<Noted>, Cancelled> {
    let profile = cx.profile();
    let mut models: FxHashMap<StringId, Vec<(RequestId, &Request)>> = FxHashMap::default();
    for (i, r) in profile.requests.rows.iter().enumerate() {
        let is_long = r.tokens.prompt().is_some_and(|n| n >= CACHEABLE);
        if r.outcome == Outcome::Ok && is_long && !profile.text(r.prompt).is_empty() {
            models.entry(r.model).or_default().push((RequestId::from_index(i), r));
        }
    }
    let mut models: Vec<_> = models.into_values().filter(|rows| rows.len() >= ENOUGH).collect();
    models.sort_by_key(|rows| rows[0].0);
    let mut out = Vec::new();
    for rows in models {
        cx.job().checkpoint(0, 0)?;
        out.extend(stopped(profile, &rows).or_else(|| broken(profile, &rows)));
    }
    Ok(out)
}

/// Share of the prompt that was read from a cache, where that is said.
fn read(r: &Request) -> Option<f64> {
    Some(r.tokens.cache_read? as f64 / r.tokens.prompt()?.max(1) as f64)
}

fn beginning(profile: &Profile, r: &Request) -> String {
    let text = profile.text(r.prompt).split_whitespace().collect::<Vec<_>>().join(" ");
    format::short(&text, SHOWN).into_owned()
}

/// Prompts were read from the cache, and from one request on none was.
fn stopped(profile: &Profile, rows: &[(RequestId, &Request)]) -> Option<Noted> {
    let shares: Vec<(RequestId, &Request, f64)> =
        rows.iter().filter_map(|(id, r)| Some((*id, *r, read(r)?))).collect();
    let since = shares.iter().rposition(|s| s.2 > 0.0)? + 1;
    let (before, after) = shares.split_at(since);
    let last = &before[before.len().saturating_sub(RUN)..];
    let mean = last.iter().map(|s| s.2).sum::<f64>() / RUN as f64;
    let (first, old) = (after.first()?, last.last()?);
    let (new, old) = (beginning(profile, first.1), beginning(profile, old.1));
    if last.len() < RUN || after.len() < RUN || mean < 0.5 || new == old {
        return None;
    }
    let text = format!(
        "{} of the prompts was read from the cache, and nothing in the last {}: they begin with «{new}», those before with «{old}».",
        format::percent(mean),
        format::counted(after.len() as i64, "request", "requests"),
    );
    let mut noted =
        Noted::new("The prompt cache is no longer hit", Severity::Warning, text, ADVICE).on(Lever::Caching);
    noted.request = Some(first.0);
    Some(noted)
}

/// Most of a prompt stands in an earlier one, but behind something that differs.
fn broken(profile: &Profile, rows: &[(RequestId, &Request)]) -> Option<Noted> {
    let mut lines: FxHashSet<u64> = FxHashSet::default();
    let (mut all, mut repeated, mut in_front) = (0usize, 0usize, 0usize);
    let mut latest: Option<&str> = None;
    for (_, r) in rows {
        let text = profile.text(r.prompt);
        if let Some(latest) = latest {
            all += text.len();
            in_front += text.bytes().zip(latest.bytes()).take_while(|(a, b)| a == b).count();
        }
        for line in text.lines().map(str::trim).filter(|line| line.len() >= LINE) {
            let mark = BuildHasherDefault::<FxHasher>::default().hash_one(line);
            if lines.contains(&mark) {
                repeated += line.len();
            } else if lines.len() < LINES {
                lines.insert(mark);
            }
        }
        latest = Some(text);
    }
    let share = |part: usize| part as f64 / all.max(1) as f64;
    let read = rows.iter().filter_map(|(_, r)| read(r)).fold(0.0, f64::max);
    if share(repeated) < 0.5 || share(in_front) > 0.2 || read > 0.2 {
        return None;
    }
    let [.., (_, before), (last, r)] = rows else { return None };
    let text = format!(
        "≈ {} of what the prompts say stands in an earlier one, but only {} at their beginning: one begins with «{}», the next with «{}».",
        format::percent(share(repeated).min(1.0)),
        format::percent(share(in_front)),
        beginning(profile, before),
        beginning(profile, r)
    );
    let mut noted =
        Noted::new("What changes stands in front of the prompts", Severity::Warning, text, ADVICE)
            .on(Lever::Caching);
    noted.request = Some(*last);
    Some(noted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::findings::Findings;
    use crate::analysis::prices::Prices;
    use crate::analysis::testing::{ask, built};
    use crate::model::TokenCounts;

    const RULES: &str =
        "You answer questions about the harbour.\nYou never guess, and say so when you do not know.\n";

    fn titles(prompts: impl Iterator<Item = (String, Option<u64>)>) -> Vec<String> {
        let run = built(|b| {
            let model = b.string("m");
            for (i, (text, cache_read)) in prompts.enumerate() {
                let (prompt, arrived) = (b.string(&text), i as i64);
                let input = 2000 - cache_read.unwrap_or(0);
                let tokens = TokenCounts { input: Some(input), cache_read, ..TokenCounts::default() };
                let finished = Some(arrived + 1);
                b.request(Request { model, prompt, arrived, finished, tokens, ..Request::default() });
            }
        });
        let found = ask(&run, &Findings { prices: Prices::default() });
        found.iter().map(|f| f.kind.to_string()).filter(|kind| kind.contains("prompt")).collect()
    }

    #[test]
    fn what_changes_in_front_breaks_the_cache() {
        let dated = |i: usize| (format!("Time 09:{i:02}\n{RULES}Question {i}"), Some(0));
        assert_eq!(titles((10..20).map(dated)), ["What changes stands in front of the prompts"]);
        let well = |i: usize| (format!("{RULES}Time 09:{i:02}\nQuestion {i}"), Some(1500));
        assert!(titles((10..20).map(well)).is_empty(), "what stays the same comes first");
        let then = |i: usize| if i < 15 { well(i) } else { dated(i) };
        assert_eq!(titles((10..20).map(then)), ["The prompt cache is no longer hit"]);
        let other = |i: usize| (format!("{i} {}", "another text each time ".repeat(i)), Some(0));
        assert!(titles((10..20).map(other)).is_empty(), "nothing repeats");
    }
}
