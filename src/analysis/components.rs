//! What prompts are made of: instructions, examples, earlier turns, context, the user's query; and what of it stays the same.
//!
//! Sources count tokens of whole prompts only. So the count of a prompt is shared out over its parts by their characters, which makes each
//! part about right and their sum exact; without any count four characters stand for a token. A part is told by the role of its
//! message, and within the last message of the user by headings such as «Context:» and «Question:».

use std::collections::BTreeSet;
use std::ops::{Bound, Range};

use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::billing::{Bill, Billing};
use super::overview::Distribution;
use super::prices::Charge;
use crate::jobs::Cancelled;
use crate::model::messages::{self, Message, Role};
use crate::model::{Money, Profile, Request, RequestId, StringId};
use crate::query::{Context, Query};

/// A part of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// How to answer.
    System,
    /// Turns that several requests with other queries have: examples of answers.
    Examples,
    /// Earlier turns of this conversation.
    History,
    /// What was looked up: results of tools, passages of documents.
    Context,
    /// What the user asks.
    Query,
    /// A prompt that does not tell its parts.
    Undivided,
    /// The answer.
    Output,
}

impl Component {
    /// All of them, in the order in which a prompt has them.
    pub const ALL: [Self; 7] = [
        Self::System,
        Self::Examples,
        Self::History,
        Self::Context,
        Self::Query,
        Self::Undivided,
        Self::Output,
    ];

    /// The name in reports.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::System => "system_prompt",
            Self::Examples => "few_shot_examples",
            Self::History => "history",
            Self::Context => "context",
            Self::Query => "user_query",
            Self::Undivided => "undivided",
            Self::Output => "output",
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system prompt",
            Self::Examples => "few-shot examples",
            Self::History => "earlier turns",
            Self::Context => "context",
            Self::Query => "user query",
            Self::Undivided => "undivided prompt",
            Self::Output => "output",
        }
    }
}

/// Sums of one component over requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComponentSum {
    /// Which.
    pub component: Component,
    /// Tokens; about right but for the output and for an undivided prompt.
    pub tokens: f64,
    /// Of these, at the beginning of the prompt and the same as in an earlier one: what a prompt cache could hold.
    pub fixed: f64,
    /// What it cost, dollars: about right, as its tokens are. `None` where no request with it has a price.
    pub cost: Option<f64>,
    /// Requests that have it.
    pub requests: usize,
    /// The request with most of it.
    pub largest: RequestId,
}

impl ComponentSum {
    /// How much of it repeats, of what could: the first prompt has none before it. `None` for a single one.
    #[must_use]
    pub fn repeats(&self) -> Option<f64> {
        let after_the_first = self.tokens * (self.requests as f64 - 1.0) / self.requests.max(1) as f64;
        (after_the_first > 0.0).then(|| (self.fixed / after_the_first).min(1.0))
    }
}

/// How full context windows are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Input and output tokens ÷ what the model takes.
    pub share: Distribution,
    /// The fullest.
    pub fullest: RequestId,
    /// Its input and output tokens.
    pub tokens: u64,
    /// What its model takes.
    pub window: u64,
    /// Requests above [`NEARLY_FULL`].
    pub nearly_full: usize,
}

/// From this share on a context window is nearly full.
pub const NEARLY_FULL: f64 = 0.8;

/// What prompts are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Components {
    /// Those that occur, in the order of [`Component::ALL`].
    pub sums: Vec<ComponentSum>,
    /// Requests whose prompt was kept: the sums are over these.
    pub kept: usize,
    /// Requests that are looked at.
    pub all: usize,
    /// Of the kept ones, those whose tokens nobody counted: four characters stand for one.
    pub guessed: usize,
    /// Context windows, where the tables of prices know the models.
    pub windows: Option<Windows>,
    /// Requests without a known window.
    pub no_window: usize,
}

impl Components {
    /// All tokens.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.sums.iter().map(|s| s.tokens).sum()
    }

    /// A component's share of all tokens.
    #[must_use]
    pub fn share(&self, of: &ComponentSum) -> f64 {
        let total = self.total();
        if total > 0.0 { of.tokens / total } else { 0.0 }
    }

    /// Components of prompts with more than `limit` of all tokens. With up to three components one of them always has more than 30 %,
    /// and nobody can ask without a query: those are no news.
    #[must_use]
    pub fn above(&self, limit: f64) -> Vec<(ComponentSum, bool)> {
        let inputs = self.sums.iter().filter(|s| s.component != Component::Output);
        let few = self.sums.len() <= 3;
        let news = |s: &ComponentSum| !few && !matches!(s.component, Component::Query | Component::Undivided);
        inputs.filter(|s| self.share(s) > limit).map(|s| (*s, news(s))).collect()
    }
}

/// Computes the [`Components`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PromptComponents {
    /// Which requests.
    pub asked: Asked,
}

impl Query for PromptComponents {
    type Output = Components;

    fn run(&self, cx: &Context<'_>) -> Result<Components, Cancelled> {
        let profile = cx.profile();
        let ids = self.asked.ids(cx)?;
        let mut out = Components { all: ids.len(), ..Components::default() };
        let kept: Vec<(RequestId, &Request)> = ids
            .iter()
            .map(|id| (*id, &profile.requests.rows[id.index()]))
            // What a cache of answers answered was read by no model.
            .filter(|(_, r)| !profile.text(r.prompt).is_empty() && !r.needed_no_tokens())
            .collect();
        out.kept = kept.len();
        out.guessed = kept.iter().filter(|(_, r)| r.tokens.prompt().is_none()).count();
        let mut sums = Vec::new();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        for (id, own) in shares(cx, &bill, &kept)? {
            own.into_iter().for_each(|part| add(&mut sums, id, part));
        }
        out.sums = sums.into_iter().map(|(sum, _)| sum).collect();
        out.sums.sort_by_key(|s| Component::ALL.iter().position(|c| *c == s.component));
        self.windows(cx, &ids, &mut out)?;
        Ok(out)
    }
}

/// What a request has of a component.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub component: Component,
    pub tokens: f64,
    /// Of these, how many an earlier prompt begins with, too.
    pub fixed: f64,
    /// Dollars.
    pub cost: Option<f64>,
}

/// What a request has of each component.
pub(super) type Shares = Vec<Part>;

/// What a request's tokens cost by their place in it: caches hold beginnings of prompts, so what was read comes first and what was
/// written next.
struct Rates {
    /// Ends of classes of input, tokens from the beginning, with the price of one token.
    classes: [(f64, f64); 3],
    output: f64,
}

impl Rates {
    fn of(r: &Request, charge: &Charge) -> Option<Self> {
        let priced = charge.priced.as_ref().filter(|_| !charge.answered_locally)?;
        let sum = priced.parts.sum().to_f64();
        // What was paid, where that is known, shared out as the list would.
        let factor = charge.cost.filter(|_| sum > 0.0).map_or(1.0, |cost| cost.to_f64() / sum);
        let t = &r.tokens;
        let each = |money: Money, n: u64| if n == 0 { 0.0 } else { money.to_f64() * factor / n as f64 };
        let (read, written) = (t.cache_read.unwrap_or(0), t.cache_write().unwrap_or(0));
        let (input, p) = (t.input.unwrap_or(0), &priced.parts);
        let ends = [read as f64, (read + written) as f64, f64::INFINITY];
        let prices = [each(p.cache_read, read), each(p.cache_write, written), each(p.input, input)];
        Some(Self {
            classes: [0, 1, 2].map(|i| (ends[i], prices[i])),
            output: each(p.output, t.output.unwrap_or(0)),
        })
    }

    /// Of the input tokens between two places.
    fn between(&self, from: f64, to: f64) -> f64 {
        let (mut cost, mut at) = (0.0, from);
        for (end, price) in self.classes {
            let until = to.min(end);
            if until > at {
                cost += (until - at) * price;
                at = until;
            }
        }
        cost
    }
}

/// The [`Shares`] of each request.
pub(super) fn shares(
    cx: &Context<'_>,
    bill: &Billing,
    kept: &[(RequestId, &Request)],
) -> Result<Vec<(RequestId, Shares)>, Cancelled> {
    let profile = cx.profile();
    let examples = examples(profile, kept);
    let mut beginnings = Beginnings::default();
    let mut all = Vec::with_capacity(kept.len());
    for (n, &(id, r)) in kept.iter().enumerate() {
        if n % 64 == 0 {
            cx.job().checkpoint(n as u64, kept.len() as u64)?;
        }
        let prompt = profile.text(r.prompt);
        let same = beginnings.longest(r.model, prompt);
        let parts = parts(prompt, &examples);
        let characters = |range: Range<usize>| prompt[range].chars().count() as f64;
        let whole = characters(0..prompt.len()).max(1.0);
        let tokens = r.tokens.prompt().map_or(whole / 4.0, |n| n as f64);
        let rates = bill.charges.get(id.index()).and_then(|charge| Rates::of(r, charge));
        let mut own: Shares = Vec::new();
        let mut at = 0.0;
        for (component, range) in parts {
            let fixed = characters(range.start..range.end.min(same).max(range.start));
            let (tokens, fixed) = (tokens * characters(range) / whole, tokens * fixed / whole);
            let cost = rates.as_ref().map(|rates| rates.between(at, at + tokens));
            at += tokens;
            match own.iter_mut().find(|part| part.component == component) {
                Some(part) => {
                    (part.tokens, part.fixed) = (part.tokens + tokens, part.fixed + fixed);
                    part.cost = part.cost.zip(cost).map(|(a, b)| a + b);
                }
                None => own.push(Part { component, tokens, fixed, cost }),
            }
        }
        own.extend(r.tokens.output.map(|output| {
            let cost = rates.as_ref().map(|rates| rates.output * output as f64);
            Part { component: Component::Output, tokens: output as f64, fixed: 0.0, cost }
        }));
        all.push((id, own));
    }
    Ok(all)
}

/// Adds what a request has of a component.
pub(super) fn add(
    sums: &mut Vec<(ComponentSum, f64)>,
    id: RequestId,
    Part { component, tokens, fixed, cost }: Part,
) {
    let at = sums.iter().position(|(s, _)| s.component == component).unwrap_or_else(|| {
        let none = ComponentSum { component, tokens: 0.0, fixed: 0.0, cost: None, requests: 0, largest: id };
        sums.push((none, 0.0));
        sums.len() - 1
    });
    let (sum, most) = &mut sums[at];
    (sum.tokens, sum.fixed) = (sum.tokens + tokens, sum.fixed + fixed);
    sum.cost = cost.map_or(sum.cost, |cost| Some(sum.cost.unwrap_or(0.0) + cost));
    sum.requests += 1;
    if tokens > *most {
        (*most, sum.largest) = (tokens, id);
    }
}

impl PromptComponents {
    fn windows(&self, cx: &Context<'_>, ids: &[RequestId], out: &mut Components) -> Result<(), Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let tables = self.asked.prices.tables();
        let mut shares = Vec::new();
        let mut fullest: Option<(f64, RequestId, u64, u64)> = None;
        for &id in ids {
            let r = &profile.requests.rows[id.index()];
            let found = bill.charges[id.index()].resolved.as_ref();
            let window = found.and_then(|found| tables.get(found.table)?.entries().get(found.entry)?.context);
            let tokens = r.tokens.prompt().map(|p| p.saturating_add(r.tokens.output.unwrap_or(0)));
            let Some((tokens, window)) = tokens.zip(window) else {
                out.no_window += 1;
                continue;
            };
            let share = tokens as f64 / window as f64;
            shares.push(share);
            if fullest.is_none_or(|f| share > f.0) {
                fullest = Some((share, id, tokens, window));
            }
        }
        let nearly_full = shares.iter().filter(|s| **s > NEARLY_FULL).count();
        out.windows = fullest.zip(Distribution::of(shares)).map(|((_, fullest, tokens, window), share)| {
            Windows { share, fullest, tokens, window, nearly_full }
        });
        Ok(())
    }
}

/// Prompts so far by model: how much of a new one is the same as the beginning of an earlier one.
#[derive(Default)]
pub(super) struct Beginnings<'a> {
    seen: FxHashMap<StringId, BTreeSet<&'a str>>,
}

impl<'a> Beginnings<'a> {
    /// Bytes at the beginning of a prompt that an earlier one to the same model has, too.
    pub(super) fn longest(&mut self, model: StringId, prompt: &'a str) -> usize {
        let earlier = self.seen.entry(model).or_default();
        if earlier.contains(prompt) {
            return prompt.len();
        }
        // Of sorted texts, the neighbours have the longest beginning in common.
        let before = earlier.range::<str, _>((Bound::Unbounded, Bound::Excluded(prompt))).next_back();
        let after = earlier.range::<str, _>((Bound::Included(prompt), Bound::Unbounded)).next();
        let longest = before.into_iter().chain(after).map(|e| common(e, prompt)).max().unwrap_or(0);
        earlier.insert(prompt);
        longest
    }
}

/// Bytes that two texts begin with alike, up to a character's end.
fn common(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    b.floor_char_boundary(same)
}

/// Which message asks: the last one of the user.
fn query_of(messages: &[Message<'_>]) -> Option<usize> {
    messages.iter().rposition(|m| m.role == Some(Role::User))
}

/// What stands before the query in several prompts with different queries.
fn examples<'a>(profile: &'a Profile, kept: &[(RequestId, &Request)]) -> FxHashMap<&'a str, bool> {
    // Beginnings with the query that follows, and whether another one was seen.
    let mut queries: FxHashMap<&str, (&str, bool)> = FxHashMap::default();
    for (_, r) in kept {
        let prompt = profile.text(r.prompt);
        let messages = messages::split(prompt);
        let Some(query) = query_of(&messages).map(|at| &messages[at]) else { continue };
        let known = queries.entry(&prompt[..query.at]).or_insert((query.text, false));
        known.1 |= known.0 != query.text;
    }
    queries.into_iter().map(|(beginning, (_, several))| (beginning, several)).collect()
}

/// The parts of a prompt, in order; together they are all of it.
fn parts(prompt: &str, examples: &FxHashMap<&str, bool>) -> Vec<(Component, Range<usize>)> {
    let messages = messages::split(prompt);
    let Some(query) = query_of(&messages) else {
        // Nobody says who speaks.
        let all = |m: &Message<'_>| sections(prompt, m, Component::Undivided);
        return messages.iter().flat_map(all).collect();
    };
    let fixed = examples.get(&prompt[..messages[query].at]).copied().unwrap_or(false);
    let mut parts = Vec::new();
    for (n, m) in messages.iter().enumerate() {
        let component = match m.role {
            Some(Role::System) => Component::System,
            Some(Role::Tool) => Component::Context,
            _ if n == query => {
                parts.extend(sections(prompt, m, Component::Query));
                continue;
            }
            _ if n < query && fixed => Component::Examples,
            _ => Component::History,
        };
        parts.push((component, m.at..m.end));
    }
    parts
}

/// Headings of parts of one message, in lower case, without the colon.
const HEADINGS: [(Component, &[&str]); 4] = [
    (Component::System, &["instruction", "instructions", "task", "rules"]),
    (Component::Examples, &["example", "examples", "few-shot examples"]),
    (
        Component::Context,
        &[
            "context",
            "documents",
            "document",
            "sources",
            "source",
            "passages",
            "background",
            "reference",
            "retrieved documents",
            "search results",
        ],
    ),
    (Component::Query, &["question", "query", "user question", "user query", "user input", "input"]),
];

/// The component that a line begins by its heading: «Context:», «## Question», «Example 2:».
fn heading(line: &str) -> Option<Component> {
    let line = line.trim_start_matches(['#', '*', ' ']);
    let marked = line.len();
    let (words, _) = line.split_once([':', '\n']).unwrap_or((line, ""));
    let words = words.trim_end_matches(['*', ' ']).trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    if words.len() > 24 || marked == 0 {
        return None;
    }
    let words = words.to_lowercase();
    HEADINGS.iter().find(|(_, all)| all.contains(&words.as_str())).map(|(component, _)| *component)
}

/// The parts of one message by headings; `otherwise` is what is before the first one, and all of it where there is none.
fn sections(prompt: &str, m: &Message<'_>, otherwise: Component) -> Vec<(Component, Range<usize>)> {
    let mut parts: Vec<(Component, Range<usize>)> = Vec::new();
    let text = &prompt[m.at..m.end];
    let start = m.text.as_ptr() as usize - prompt.as_ptr() as usize;
    let (mut from, mut component) = (m.at, otherwise);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let here = m.at + at;
        // The role is none of the text.
        let shown = if here < start { &prompt[start..m.end] } else { line };
        let is_heading = shown.contains(':') || line.starts_with('#');
        if let Some(next) = heading(shown.lines().next().unwrap_or("")).filter(|_| is_heading)
            && next != component
        {
            if here > from {
                parts.push((component, from..here));
            }
            (from, component) = (here, next);
        }
        at += line.len();
    }
    parts.push((component, from..m.end));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::prices::{Prices, read_table};
    use crate::analysis::testing::{ask, built};
    use crate::model::TokenCounts;
    use crate::model::messages::join;
    use crate::query::Run;

    fn run(prompts: &[(String, Option<u64>, u64)]) -> Run {
        built(|b| {
            let model = b.string("m");
            for (prompt, input, output) in prompts {
                let prompt = b.string(prompt);
                let tokens = TokenCounts { input: *input, output: Some(*output), ..TokenCounts::default() };
                b.request(Request { model, prompt, tokens, ..Request::default() });
            }
        })
    }

    fn sums(run: &Run) -> Vec<(&'static str, i64, i64, usize)> {
        let found = ask(run, &PromptComponents::default());
        let row = |s: &ComponentSum| {
            (s.component.key(), s.tokens.round() as i64, s.fixed.round() as i64, s.requests)
        };
        found.sums.iter().map(row).collect()
    }

    #[test]
    fn roles_tell_parts_and_their_tokens_add_up_to_the_counts() {
        // Of 100 characters each: 50 of the system, 50 of the query.
        let of = |query: &str| {
            join([("system", "s".repeat(40).as_str()), ("user", format!("{query:q<44}").as_str())])
        };
        let run = run(&[(of("a"), Some(100), 30), (of("b"), Some(100), 20)]);
        let found = ask(&run, &PromptComponents::default());
        assert_eq!((found.kept, found.all, found.guessed), (2, 2, 0));
        assert!((found.total() - 250.0).abs() < 1e-9, "the parts add up to the counts");
        let rows = sums(&run);
        assert_eq!(
            rows.iter().map(|r| (r.0, r.3)).collect::<Vec<_>>(),
            [("system_prompt", 2), ("user_query", 2), ("output", 2)]
        );
        assert_eq!(rows[0].1 + rows[1].1, 200);
        assert!(
            rows[0].2 > 0 && rows[0].2 <= rows[0].1 / 2 + 1,
            "the second one repeats the system prompt: {rows:?}"
        );
        let repeats: Vec<Option<f64>> = found.sums.iter().map(ComponentSum::repeats).collect();
        assert!(repeats[0].unwrap() > 0.95 && repeats[1].unwrap() < 0.5, "{repeats:?}");
        let one = ask(&self::run(&[(of("a"), Some(100), 30)]), &PromptComponents::default());
        assert!(one.sums.iter().all(|s| s.repeats().is_none()), "one prompt does not tell");
    }

    #[test]
    fn turns_before_different_queries_are_examples_and_others_are_history() {
        let shots = |query: &str| {
            join([("system", "Be kind."), ("user", "1+1?"), ("assistant", "2"), ("user", query)])
        };
        let chat = join([("user", "hello"), ("assistant", "hi"), ("user", "and now?")]);
        let run = run(&[(shots("2+2?"), Some(40), 1), (shots("3+3?"), Some(40), 1), (chat, Some(30), 1)]);
        let found = sums(&run);
        let of = |key: &str| found.iter().find(|r| r.0 == key).map(|r| r.3);
        assert_eq!((of("few_shot_examples"), of("history"), of("user_query")), (Some(2), Some(1), Some(3)));
    }

    #[test]
    fn headings_tell_context_from_question_and_without_any_a_prompt_is_undivided() {
        let rag = "Context:\nSome passage.\nAnother.\n\nQuestion: why?".to_owned();
        let found = sums(&run(&[(rag, None, 1)]));
        assert_eq!(found.iter().map(|r| r.0).collect::<Vec<_>>(), ["context", "user_query", "output"]);
        let found =
            ask(&run(&[("just text: of some kind".to_owned(), None, 1)]), &PromptComponents::default());
        assert_eq!((found.sums[0].component, found.guessed), (Component::Undivided, 1));
        assert_eq!(found.sums[0].tokens, 23.0 / 4.0, "four characters for a token");
    }

    #[test]
    fn what_is_above_the_limit_is_news_only_where_it_can_be_otherwise() {
        let few = join([("system", "s".repeat(90).as_str()), ("user", "q")]);
        let found = ask(&run(&[(few, Some(100), 10)]), &PromptComponents::default());
        assert_eq!(
            found.above(0.3).iter().map(|(s, news)| (s.component, *news)).collect::<Vec<_>>(),
            [(Component::System, false)]
        );
        let many = join([
            ("system", "s".repeat(900).as_str()),
            ("user", "Context: x\n\nQuestion: y"),
            ("tool", "t"),
        ]);
        let found = ask(&run(&[(many, Some(100), 10)]), &PromptComponents::default());
        let above = found.above(0.3);
        assert_eq!(
            above.iter().map(|(s, news)| (s.component, *news)).collect::<Vec<_>>(),
            [(Component::System, true)]
        );
        assert!(found.above(0.99).is_empty());
    }

    #[test]
    fn what_caches_read_is_cheap_where_it_stands() {
        let system = "s".repeat(92);
        let prompt = join([("system", system.as_str()), ("user", &"q".repeat(94))]);
        // 100 tokens of instructions and 100 of the question, of which 80 came from the cache.
        let run = built(|b| {
            let (model, text) = (b.string("m"), b.string(&prompt));
            let tokens = TokenCounts {
                input: Some(120),
                cache_read: Some(80),
                output: Some(10),
                ..TokenCounts::default()
            };
            b.request(Request { model, prompt: text, tokens, ..Request::default() });
        });
        let table = r#"{"per": 1, "models": [{"name": "m", "prices": [{"input": "1", "cache_read": "0.1", "output": "5"}]}]}"#;
        let prices = Prices::with(read_table(table).unwrap());
        let found = ask(&run, &PromptComponents { asked: Asked::all(&prices) });
        let cost = |c| found.sums.iter().find(|s| s.component == c).and_then(|s| s.cost).unwrap();
        let tokens = found.sums.iter().find(|s| s.component == Component::System).unwrap().tokens;
        // The first 80 at a tenth, the rest whole.
        assert!((cost(Component::System) - (8.0 + tokens - 80.0)).abs() < 1e-6, "{found:?}");
        let all: f64 = found.sums.iter().filter_map(|s| s.cost).sum();
        assert!((all - (8.0 + 120.0 + 50.0)).abs() < 1e-6, "the parts are the whole: {all}");
    }
}
