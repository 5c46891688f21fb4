//! What repeats among prompts: what caches of answers and of prompts could do with them.

use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::billing::Bill;
use super::components::Beginnings;
use super::intervals::covered;
use crate::jobs::Cancelled;
use crate::model::{ASKED_WITH, Money, Outcome, StringId};
use crate::query::{Context, Query};

/// What repeats among the prompts that were kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Repeats {
    /// Requests whose prompt was kept.
    pub kept: usize,
    /// Of these, requests whose model had answered the very same before and that no cache of answers had an answer for.
    pub again: usize,
    /// Of these, such that arrived while the first was still being answered: a cache cannot have had it, waiting for it can.
    pub at_once: usize,
    /// Time that those that were asked again took, ns.
    pub again_time: i64,
    /// Time in which nothing but these ran, ns: without them the requests would have been done so much sooner.
    pub again_alone: i64,
    /// What those cost; `None` when none is priced.
    pub again_cost: Option<Money>,
    /// Characters of all prompts.
    pub characters: u64,
    /// Of these, at the beginning and the same as in an earlier prompt to the same model.
    pub same_beginning: u64,
    /// Input tokens read from prompt caches over all input tokens of these requests; `None` where nobody says.
    pub read_share: Option<f64>,
}

impl Repeats {
    /// Share of the prompts that begins as an earlier one.
    #[must_use]
    pub fn beginning(&self) -> Option<f64> {
        (self.characters > 0).then(|| self.same_beginning as f64 / self.characters as f64)
    }
}

/// Computes the [`Repeats`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepeatedPrompts {
    /// Which requests.
    pub asked: Asked,
}

impl Query for RepeatedPrompts {
    type Output = Repeats;

    fn run(&self, cx: &Context<'_>) -> Result<Repeats, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let mut out = Repeats::default();
        let mut beginnings = Beginnings::default();
        // When the very same was answered first; never where nobody says.
        let mut answered: FxHashMap<(StringId, StringId, Option<StringId>), i64> = FxHashMap::default();
        let asked_with = profile.strings.find(ASKED_WITH);
        let (mut all, mut others) = (Vec::new(), Vec::new());
        let (mut read, mut prompt) = (None, 0u64);
        let ids = self.asked.ids(cx)?;
        for (n, id) in ids.iter().enumerate() {
            cx.job().checkpoint(n as u64, ids.len() as u64)?;
            let r = &profile.requests.rows[id.index()];
            let text = profile.text(r.prompt);
            let flight = r.flight().map(|flight| (flight.from, flight.until));
            all.extend(flight);
            if text.is_empty() {
                others.extend(flight);
                continue;
            }
            out.kept += 1;
            let length = text.chars().count() as u64;
            out.characters += length;
            let same = beginnings.longest(r.model, text);
            // Only what was answered could have been answered from a cache.
            let asked = (r.model, r.prompt, asked_with.and_then(|name| r.attribute(name)));
            let first = answered.get(&asked).copied();
            if r.outcome == Outcome::Ok {
                let end = r.finished.unwrap_or(i64::MAX);
                answered.entry(asked).and_modify(|known| *known = end.min(*known)).or_insert(end);
            }
            out.same_beginning += text[..same].chars().count() as u64;
            if let Some(first) = first.filter(|_| !r.answered_by_cache() && r.outcome == Outcome::Ok) {
                out.again += 1;
                out.at_once += usize::from(!r.undated && first > r.arrived);
                out.again_time = out.again_time.saturating_add(r.latency().unwrap_or(0));
                if let Some(cost) = bill.cost(*id) {
                    out.again_cost = Some(out.again_cost.unwrap_or_default() + cost);
                }
            } else {
                others.extend(flight);
            }
            if let Some(tokens) = r.tokens.cache_read {
                read = Some(read.unwrap_or(0u64).saturating_add(tokens));
            }
            prompt = prompt.saturating_add(r.tokens.prompt().unwrap_or(0));
        }
        out.again_alone = covered(all, None).saturating_sub(covered(others, None));
        out.read_share = read.filter(|_| prompt > 0).map(|read| read as f64 / prompt as f64);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::{CacheOutcome, Request, TokenCounts};

    #[test]
    fn what_failed_before_is_not_asked_again() {
        let run = built(|b| {
            let (model, prompt) = (b.string("m"), b.string("What is 1+1?"));
            for outcome in [Outcome::Error, Outcome::Ok, Outcome::Ok] {
                b.request(Request { model, prompt, outcome, finished: Some(7), ..Request::default() });
            }
        });
        assert_eq!(
            ask(&run, &RepeatedPrompts { asked: Asked::default() }).again,
            1,
            "no cache could have had it"
        );
    }

    #[test]
    fn other_tools_or_another_seed_ask_for_something_else() {
        let run = built(|b| {
            let [model, prompt, name] = ["m", "What is 1+1?", ASKED_WITH].map(|text| b.string(text));
            for with in ["#1", "#2", "#1", ""] {
                let with = b.string(with);
                let attributes = if b.text(with).is_empty() { Vec::new() } else { vec![(name, with)] };
                b.request(Request { model, prompt, attributes, finished: Some(7), ..Request::default() });
            }
        });
        assert_eq!(ask(&run, &RepeatedPrompts { asked: Asked::default() }).again, 1);
    }

    #[test]
    fn prompts_that_repeat_and_beginnings_that_do_are_counted() {
        let run = built(|b| {
            let model = b.string("m");
            for (text, cache) in [
                ("You are kind. What is 1+1?", None),
                ("You are kind. What is 2+2?", None),
                ("You are kind. What is 1+1?", None),
                ("You are kind. What is 1+1?", Some(CacheOutcome::Exact)),
                ("", None),
            ] {
                let prompt = b.string(text);
                let tokens = TokenCounts { input: Some(10), cache_read: Some(0), ..TokenCounts::default() };
                b.request(Request { model, prompt, cache, tokens, finished: Some(7), ..Request::default() });
            }
        });
        let asked = RepeatedPrompts { asked: Asked::default() };
        let found = *ask(&run, &asked);
        assert_eq!((found.kept, found.again, found.again_time), (4, 1, 7));
        assert_eq!(
            (found.characters, found.same_beginning),
            (4 * 26, "You are kind. What is ".len() as u64 + 26 * 2)
        );
        assert_eq!(found.read_share, Some(0.0));
    }
}
