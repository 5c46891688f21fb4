//! What breaks a provider's prompt cache: it holds a prompt from its first token to the first one that differs, so a date or an id
//! in front makes all that follows new.

use std::hash::{BuildHasher, BuildHasherDefault};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::Noted;
use super::requests::read_instead;
use crate::analysis::billing::Billing;
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
/// The least share of prompts that is the same in most of them and stands behind what differs, for it to be worth a word.
const BEHIND: f64 = 0.3;
/// Bytes of a piece of a prompt: shorter ones repeat by chance.
const PIECE: usize = 32;
/// Bytes in which beginnings are compared.
const STEP: usize = 16;
/// Most bytes of the prompts of a model that are looked at.
const BYTES: usize = 16 << 20;
/// Bytes of a prompt that certainly have [`CACHEABLE`] tokens, where nobody counted them.
const LONG: usize = 8192;
/// Characters of a prompt's beginning that are shown.
const SHOWN: usize = 40;
const ADVICE: &str = "Put what changes (a date, an id, what was found) behind what stays the same";

/// Findings about the prompts of each model, in order of arrival.
pub(super) fn find(cx: &Context<'_>, bill: &Billing) -> Result<Vec<Noted>, Cancelled> {
    let profile = cx.profile();
    let mut models: FxHashMap<StringId, Vec<(RequestId, &Request)>> = FxHashMap::default();
    for (i, r) in profile.requests.rows.iter().enumerate() {
        let text = profile.text(r.prompt);
        let is_long = r.tokens.prompt().map_or(text.len() >= LONG, |n| n >= CACHEABLE);
        if r.outcome == Outcome::Ok && is_long && !text.is_empty() {
            models.entry(r.model).or_default().push((RequestId::from_index(i), r));
        }
    }
    let mut models: Vec<_> = models.into_values().filter(|rows| rows.len() >= ENOUGH).collect();
    models.sort_by_key(|rows| rows[0].0);
    let mut out = Vec::new();
    for rows in models {
        cx.job().checkpoint(0, 0)?;
        out.extend(stopped(profile, bill, &rows).or_else(|| broken(profile, bill, &rows)));
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
fn stopped(profile: &Profile, bill: &Billing, rows: &[(RequestId, &Request)]) -> Option<Noted> {
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
    noted.gain.money = read_instead(after.iter().map(|(id, r, _)| (*r, &bill.charges[id.index()])), mean);
    Some(noted)
}

/// Most of what prompts say is the same in most of them, but stands behind something that differs.
fn broken(profile: &Profile, bill: &Billing, rows: &[(RequestId, &Request)]) -> Option<Noted> {
    // As many as there is room for, spread over the run.
    let texts = || rows.iter().map(|(_, r)| profile.text(r.prompt));
    let bytes: usize = texts().map(str::len).sum();
    let every = bytes.div_ceil(BYTES).max(1);
    let texts: Vec<&str> = texts().step_by(every).collect();
    if texts.len() < ENOUGH {
        return None;
    }
    let mut found: FxHashMap<u64, u32> = FxHashMap::default();
    for text in &texts {
        let mut of_text: FxHashSet<u64> = FxHashSet::default();
        pieces(text, |_, mark| {
            of_text.insert(mark);
        });
        of_text.into_iter().for_each(|mark| *found.entry(mark).or_default() += 1);
    }
    let (mut all, mut same, mut in_front) = (0usize, 0.0, 0usize);
    let mut beginnings: FxHashSet<u64> = FxHashSet::default();
    for text in &texts {
        let front = known_beginning(text, &mut beginnings);
        let (mut behind, mut of_most) = (0usize, 0usize);
        pieces(text, |at, mark| {
            if at >= front {
                behind += 1;
                of_most += usize::from(2 * found[&mark] as usize > texts.len());
            }
        });
        all += text.len();
        in_front += front;
        same += (text.len() - front) as f64 * of_most as f64 / behind.max(1) as f64;
    }
    let (same, in_front) = (same / all.max(1) as f64, in_front as f64 / all.max(1) as f64);
    let read = rows.iter().filter_map(|(_, r)| read(r)).fold(0.0, f64::max);
    // What is read from the cache in spite of it speaks against it.
    if same < BEHIND || read > in_front + 0.2 {
        return None;
    }
    let [.., (_, before), (last, r)] = rows else { return None };
    let [first, second] = differ(profile.text(before.prompt), profile.text(r.prompt))?;
    let text = format!(
        "≈ {} of what the prompts say is the same in most of them, but stands behind what differs: only {} stands in front of it. One has «{first}» there, the next «{second}».",
        format::percent(same.min(1.0)),
        format::percent(in_front),
    );
    let mut noted =
        Noted::new("What changes stands in front of the prompts", Severity::Warning, text, ADVICE)
            .on(Lever::Caching);
    noted.request = Some(*last);
    let charged = rows.iter().map(|(id, r)| (*r, &bill.charges[id.index()]));
    noted.gain.money = read_instead(charged, (same + in_front).min(1.0));
    Some(noted)
}

/// Pieces of [`PIECE`] bytes, about one in 16, chosen by what they say: the same text has the same ones wherever it
/// stands. Where each begins, and a mark for what it says.
fn pieces(text: &str, mut each: impl FnMut(usize, u64)) {
    const FACTOR: u64 = 0x0100_0000_01b3;
    let bytes = text.as_bytes();
    let leaving = (0..PIECE).fold(1u64, |power, _| power.wrapping_mul(FACTOR));
    let mut hash = 0u64;
    for (i, byte) in bytes.iter().enumerate() {
        hash = hash.wrapping_mul(FACTOR).wrapping_add(u64::from(*byte) + 1);
        if i >= PIECE {
            hash = hash.wrapping_sub((u64::from(bytes[i - PIECE]) + 1).wrapping_mul(leaving));
        }
        let mark = (hash ^ hash >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if i + 1 >= PIECE && mark >> 60 == 0 {
            each(i + 1 - PIECE, mark);
        }
    }
}

/// Bytes at the beginning of a text that an earlier one begins with, in steps; notes its own beginnings.
fn known_beginning(text: &str, beginnings: &mut FxHashSet<u64>) -> usize {
    let (mut hash, mut known, mut is_known) = (0u64, 0, true);
    for (n, step) in text.as_bytes().chunks_exact(STEP).enumerate() {
        hash = BuildHasherDefault::<FxHasher>::default().hash_one((hash, step));
        is_known &= !beginnings.insert(hash);
        if is_known {
            known = (n + 1) * STEP;
        }
    }
    known
}

/// What two texts have where they begin to differ, with a little of what stands before it; `None` when they are the same.
fn differ(a: &str, b: &str) -> Option<[String; 2]> {
    let at = a.bytes().zip(b.bytes()).position(|(a, b)| a != b)?;
    Some([a, b].map(|text| {
        let from = text.floor_char_boundary(at.saturating_sub(SHOWN / 2));
        let cut = text[from..].split_whitespace().collect::<Vec<_>>().join(" ");
        let sign = if from > 0 { "…" } else { "" };
        format!("{sign}{}", format::short(&cut, SHOWN))
    }))
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
        let rules = RULES.repeat(3);
        let dated = |i: usize| (format!("Time 09:{i:02}\n{rules}Question {i}"), Some(0));
        assert_eq!(titles((10..20).map(dated)), ["What changes stands in front of the prompts"]);
        let well = |i: usize| (format!("{rules}Time 09:{i:02}\nQuestion {i}"), Some(1500));
        assert!(titles((10..20).map(well)).is_empty(), "what stays the same comes first");
        let then = |i: usize| if i < 15 { well(i) } else { dated(i) };
        assert_eq!(titles((10..20).map(then)), ["The prompt cache is no longer hit"]);
        let word = |i: usize, w: usize| format!("{:x} ", (i * 7919 + w) * 2_654_435_761);
        let other = |i: usize| (format!("{i} {}", (0..40).map(|w| word(i, w)).collect::<String>()), Some(0));
        assert!(titles((10..20).map(other)).is_empty(), "nothing repeats");
    }

    #[test]
    fn a_system_prompt_of_one_line_breaks_it_too_and_conversations_do_not() {
        let line: String =
            (0..60).map(|i| format!("Rule {i} is that nobody guesses what {} means. ", i * 7)).collect();
        // The date stands a third into the only line; nobody says what was read.
        let (start, rest) = line.split_at(line.len() / 3);
        let dated = |i: usize| (format!("{start}Now it is 09:{i:02}:{:02}. {rest}Q {i}", i * 7 % 60), None);
        assert_eq!(titles((10..20).map(dated)), ["What changes stands in front of the prompts"]);
        let found = differ(&dated(10).0, &dated(11).0).unwrap();
        assert!(found[0].ends_with("09:10:10. Rule") || found[0].contains("09:10"), "{found:?}");
        let last = |i: usize| (format!("{line}Now it is 09:{i:02}. Q {i}"), None);
        assert!(titles((10..20).map(last)).is_empty(), "the date stands at the end");
        // Two conversations by turns: each prompt begins as an earlier one of its own does.
        let said = |of: usize, turn: usize| {
            format!("Turn {turn} of {of}: {}\n", line[turn * 90..][..400].to_uppercase())
        };
        let turn = |i: usize| {
            let past: String = (0..=i / 2).map(|turn| said(i % 2, turn)).collect();
            (format!("Talk {}\n{past}", i % 2), None)
        };
        assert!(titles((0..20).map(turn)).is_empty());
    }
}
