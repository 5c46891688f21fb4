//! The requests of two runs: which improved, and what they cost like for like.
//!
//! Requests pair by their prompt where both runs kept it and no other request of the run has it, else by a name that is
//! theirs alone; of several of one name in their order, where both runs have as many of it, which is said ([`By`]). One that
//! failed or was cut off on a side is not comparable: it neither improved nor cost nothing. What is counted adds up to all
//! requests of both sides.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{State, Two};
use crate::analysis::asked::Asked;
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::overview::Distribution;
use crate::analysis::requests::{Listed, RequestColumn};
use crate::format::{self, count};
use crate::jobs::Cancelled;
use crate::model::{Better, Money, Outcome, Profile, Request, RequestId, Unit};
use crate::query::{Context, Pair, Query};

/// A change of a figure below this share is none.
pub const EQUAL: f64 = 0.01;

/// How a figure of a request changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is better.
    Improved,
    /// It is worse.
    Regressed,
    /// It is another, and neither is better: tokens.
    Changed,
    /// The difference is below [`EQUAL`].
    Equal,
    /// Unknown or failed on a side.
    NotComparable,
    /// The baseline alone has it.
    OnlyBase,
    /// The new run alone has it.
    OnlyHead,
}

/// How many requests changed how. They add up to all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`Change::Improved`].
    pub improved: usize,
    /// [`Change::Regressed`].
    pub regressed: usize,
    /// [`Change::Changed`].
    pub changed: usize,
    /// [`Change::Equal`].
    pub equal: usize,
    /// [`Change::NotComparable`].
    pub not_comparable: usize,
    /// [`Change::OnlyBase`].
    pub only_base: usize,
    /// [`Change::OnlyHead`].
    pub only_head: usize,
}

/// How a request found its partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// By its prompt.
    Prompt,
    /// By a prompt that is nearly the same: a date or a number in it changed.
    Alike,
    /// By a name that no other request of its run has.
    Name,
    /// By its number among those of its name: a guess, where they are not asked in a fixed order.
    Order,
}

impl By {
    /// The word of JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Alike => "similar prompt",
            Self::Name => "name",
            Self::Order => "order",
        }
    }
}

/// A request of each run, or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partners {
    /// Which they are.
    pub ids: Two<RequestId>,
    /// How they found each other.
    pub by: Option<By>,
}

impl Partners {
    /// The requests themselves.
    #[must_use]
    pub fn of<'a>(&self, base: &'a Profile, head: &'a Profile) -> Two<&'a Request> {
        Two {
            base: self.ids.base.and_then(|id| base.requests.get(id)),
            head: self.ids.head.and_then(|id| head.requests.get(id)),
        }
    }
}

/// Characters of a prompt that tell a request from others of its name.
const TOLD: usize = 60;

/// What a request is called beside others: its name, and how its prompt begins where the name does not say it.
#[must_use]
pub fn called(profile: &Profile, r: &Request) -> String {
    let (name, prompt) = (profile.text(r.name), profile.text(r.prompt));
    // Of a conversation what was said last is new.
    let last = prompt.rsplit("\n\n").next().unwrap_or(prompt);
    let told = last.split_whitespace().collect::<Vec<_>>().join(" ");
    match told.is_empty() || name.contains(&told) || told.contains(name) && !name.is_empty() {
        true => name.to_owned(),
        false => format!("{name} · {}", format::short(&told, TOLD)),
    }
}

impl<'a> Two<&'a Request> {
    /// Both, where both ended well: what one that failed did not do is no change.
    #[must_use]
    pub fn ended_well(self) -> Option<(&'a Request, &'a Request)> {
        let ok = |r: &Request| r.outcome == Outcome::Ok;
        self.base.zip(self.head).filter(|(base, head)| ok(base) && ok(head))
    }
}

/// The requests of two runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestDiff {
    /// All requests, those of the baseline first, in their order.
    pub rows: Vec<Partners>,
    /// Changes of the time to first token.
    pub ttft: Counts,
    /// Changes of the latency.
    pub latency: Counts,
    /// All requests of each side.
    pub count: Two<usize>,
    /// Those that ended well.
    pub ok: Two<usize>,
    /// Those with a price.
    pub priced: Two<usize>,
    /// Price of the priced ones, 1e-9 US dollar; `None` when none is priced.
    pub cost: Two<Money>,
    /// Price of the pairs that ended well and are priced on both sides: like for like.
    pub cost_like_for_like: Two<Money>,
    /// Number of pairs that ended well.
    pub like_for_like: usize,
    /// Number of those that are priced on both sides.
    pub priced_like_for_like: usize,
    /// Distribution of the time to first token over pairs that ended well and have one on both sides, ns.
    pub ttft_like_for_like: Two<Times>,
    /// The same of the latency.
    pub latency_like_for_like: Two<Times>,
    /// The same of the time per output token.
    pub tpot_like_for_like: Two<Times>,
}

/// Middle and tail of a time, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// What a figure did between two requests.
fn change(
    base: Option<&Request>,
    head: Option<&Request>,
    better: Better,
    figure: impl Fn(&Request) -> Option<f64>,
) -> Change {
    change_of(base, head, better, Two { base: base.and_then(&figure), head: head.and_then(&figure) })
}

/// The same of a figure whose values are known.
fn change_of(base: Option<&Request>, head: Option<&Request>, better: Better, values: Two<f64>) -> Change {
    let (base, head) = match (base, head) {
        (Some(base), Some(head)) => (base, head),
        (None, Some(_)) => return Change::OnlyHead,
        _ => return Change::OnlyBase,
    };
    let known = |r: &Request, value: Option<f64>| value.filter(|_| r.outcome == Outcome::Ok);
    let (Some(before), Some(after)) = (known(base, values.base), known(head, values.head)) else {
        return Change::NotComparable;
    };
    let delta = after - before;
    match (better, delta) {
        (_, d) if d.abs() <= EQUAL * before.abs() => Change::Equal,
        (Better::Neutral, _) => Change::Changed,
        (Better::Lower, d) if d < 0.0 => Change::Improved,
        (Better::Higher, d) if d > 0.0 => Change::Improved,
        _ => Change::Regressed,
    }
}

impl Counts {
    fn add(&mut self, change: Change) {
        *match change {
            Change::Improved => &mut self.improved,
            Change::Regressed => &mut self.regressed,
            Change::Changed => &mut self.changed,
            Change::Equal => &mut self.equal,
            Change::NotComparable => &mut self.not_comparable,
            Change::OnlyBase => &mut self.only_base,
            Change::OnlyHead => &mut self.only_head,
        } += 1;
    }

    /// The figures that are not zero, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let all = [
            (self.improved, "improved"),
            (self.regressed, "regressed"),
            (self.changed, "changed"),
            (self.equal, "equal"),
            (self.not_comparable, "not comparable"),
            (self.only_base, "only in the baseline"),
            (self.only_head, "only in the new run"),
        ];
        let said: Vec<_> =
            all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        said.join(", ")
    }
}

/// All requests with their partners.
pub(super) fn pairs(base: &Profile, head: &Profile) -> Vec<Partners> {
    let (b, h) = (&base.requests.rows, &head.requests.rows);
    let mut partner: Vec<Option<(usize, By)>> = vec![None; b.len()];
    let mut taken = vec![false; h.len()];
    let unique = |p: &Profile| -> FxHashMap<String, Option<usize>> {
        let mut of: FxHashMap<String, Option<usize>> = FxHashMap::default();
        for (i, r) in p.requests.rows.iter().enumerate() {
            let prompt = p.text(r.prompt);
            if !prompt.is_empty() {
                of.entry(prompt.to_owned()).and_modify(|at| *at = None).or_insert(Some(i));
            }
        }
        of
    };
    let (in_base, in_head) = (unique(base), unique(head));
    for (prompt, at) in &in_base {
        if let (Some(i), Some(Some(j))) = (at, in_head.get(prompt)) {
            partner[*i] = Some((*j, By::Prompt));
            taken[*j] = true;
        }
    }
    // What is asked several times, in its order.
    let free = |partner: &[Option<(usize, By)>], taken: &[bool]| {
        let of_base: Vec<usize> = (0..b.len()).filter(|&i| partner[i].is_none()).collect();
        let of_head: Vec<usize> = (0..h.len()).filter(|&j| !taken[j]).collect();
        [of_base, of_head]
    };
    let [of_base, of_head] = free(&partner, &taken);
    let mut left = FxHashMap::<(&str, &str), [Vec<usize>; 2]>::default();
    for i in of_base.into_iter().filter(|&i| !base.text(b[i].prompt).is_empty()) {
        left.entry((base.text(b[i].name), base.text(b[i].prompt))).or_default()[0].push(i);
    }
    for j in of_head.into_iter().filter(|&j| !head.text(h[j].prompt).is_empty()) {
        left.entry((head.text(h[j].name), head.text(h[j].prompt))).or_default()[1].push(j);
    }
    let mut pair = |i: usize, j: usize, by: By| {
        partner[i] = Some((j, by));
        taken[j] = true;
    };
    for [of_base, of_head] in left.into_values().filter(|[b, h]| b.len() == h.len()) {
        of_base.into_iter().zip(of_head).for_each(|(i, j)| pair(i, j, By::Order));
    }
    // Of the rest those of one name: by what they ask where both say it, else in their order.
    let [of_base, of_head] = free(&partner, &taken);
    let mut left = FxHashMap::<&str, [Vec<usize>; 2]>::default();
    of_base.into_iter().for_each(|i| left.entry(base.text(b[i].name)).or_default()[0].push(i));
    of_head.into_iter().for_each(|j| left.entry(head.text(h[j].name)).or_default()[1].push(j));
    for [of_base, of_head] in left.into_values() {
        let says = |p: &Profile, rows: &[Request], of: &[usize]| {
            of.iter().all(|&i| !p.text(rows[i].prompt).is_empty())
        };
        let found: Vec<(usize, usize, By)> = match says(base, b, &of_base) && says(head, h, &of_head) {
            true => alike((base, &of_base), (head, &of_head)),
            false => {
                let by = if of_base.len() == 1 { By::Name } else { By::Order };
                // Which of them is missing where there are fewer, nobody knows.
                let same = of_base.len() == of_head.len();
                of_base.into_iter().zip(of_head).filter(|_| same).map(|(i, j)| (i, j, by)).collect()
            }
        };
        for (i, j, by) in found {
            partner[i] = Some((j, by));
            taken[j] = true;
        }
    }
    let id = RequestId::from_index;
    let of_base = partner.iter().enumerate().map(|(i, found)| Partners {
        ids: Two { base: Some(id(i)), head: found.map(|(j, _)| id(j)) },
        by: found.map(|(_, by)| by),
    });
    let rest = (0..h.len())
        .filter(|&j| !taken[j])
        .map(|j| Partners { ids: Two { base: None, head: Some(id(j)) }, by: None });
    of_base.chain(rest).collect()
}

/// Share of two prompts that is the same at their beginnings and ends, from which on they are one that changed a little: a date, a number.
const ALIKE: f64 = 0.6;
/// Pairs of prompts that are held against each other.
const MOST_PAIRS: usize = 40_000;

/// Requests of one name whose prompts are nearly the same, the most alike first; each has one partner.
fn alike(
    (base, of_base): (&Profile, &[usize]),
    (head, of_head): (&Profile, &[usize]),
) -> Vec<(usize, usize, By)> {
    if of_base.len().saturating_mul(of_head.len()) > MOST_PAIRS {
        return Vec::new();
    }
    let mut all: Vec<(f64, usize, usize)> = Vec::new();
    for &i in of_base {
        let before = base.text(base.requests.rows[i].prompt).as_bytes();
        for &j in of_head {
            let after = head.text(head.requests.rows[j].prompt).as_bytes();
            let front = before.iter().zip(after).take_while(|(x, y)| x == y).count();
            let rest = before.len().min(after.len()) - front;
            let end =
                before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
            let share = (front + end) as f64 / before.len().max(after.len()).max(1) as f64;
            all.extend((share >= ALIKE).then_some((share, i, j)));
        }
    }
    all.sort_by(|x, y| y.0.total_cmp(&x.0).then_with(|| (x.1, x.2).cmp(&(y.1, y.2))));
    let mut seen = [FxHashSet::default(), FxHashSet::default()];
    let mut found = Vec::new();
    for (_, i, j) in all {
        if !seen[0].contains(&i) && !seen[1].contains(&j) {
            seen[0].insert(i);
            seen[1].insert(j);
            found.push((i, j, By::Alike));
        }
    }
    found
}

impl RequestDiff {
    /// True when most requests of both runs have a partner: the runs did the same.
    #[must_use]
    pub fn pairs_most(&self) -> bool {
        let pairs = self.rows.iter().filter(|row| row.by.is_some()).count();
        let most = self.count.base.unwrap_or(0).max(self.count.head.unwrap_or(0));
        pairs > 0 && 2 * pairs >= most
    }

    /// Compares the requests of two runs; `None` when neither has any.
    #[must_use]
    pub fn of(base: (&Profile, &Billing), head: (&Profile, &Billing)) -> Option<Self> {
        let ((base, base_bill), (head, head_bill)) = (base, head);
        if base.requests.rows.is_empty() && head.requests.rows.is_empty() {
            return None;
        }
        let rows = pairs(base, head);
        let mut diff = Self { rows, ..Self::default() };
        let sides = [&base.requests.rows, &head.requests.rows];
        let bills = [base_bill, head_bill];
        let count = |of: &dyn Fn(&Request) -> bool| {
            Two::both(sides[0].iter().filter(|r| of(r)).count(), sides[1].iter().filter(|r| of(r)).count())
        };
        let ok = |r: &Request| r.outcome == Outcome::Ok;
        (diff.count, diff.ok) = (count(&|_| true), count(&ok));
        let priced = |bill: &Billing| bill.charges.iter().filter(|c| c.cost.is_some()).count();
        diff.priced = Two::both(priced(bills[0]), priced(bills[1]));
        diff.cost = Two { base: bills[0].all.cost, head: bills[1].all.cost };
        let (mut ttft, mut latency, mut tpot) =
            ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for row in &diff.rows {
            let both = row.of(base, head);
            let Two { base: b, head: h } = both;
            diff.ttft.add(change(b, h, Better::Lower, |r| r.ttft().map(|v| v as f64)));
            diff.latency.add(change(b, h, Better::Lower, |r| r.latency().map(|v| v as f64)));
            let Some((b, h)) = both.ended_well() else { continue };
            let cost = |bill: &Billing, id: Option<RequestId>| bill.cost(id?);
            diff.like_for_like += 1;
            if let Some((b, h)) = cost(bills[0], row.ids.base).zip(cost(bills[1], row.ids.head)) {
                let sum = diff.cost_like_for_like;
                diff.cost_like_for_like =
                    Two::both(sum.base.unwrap_or_default() + b, sum.head.unwrap_or_default() + h);
                diff.priced_like_for_like += 1;
            }
            let real = |pair: Option<(i64, i64)>| pair.map(|(b, h)| (b as f64, h as f64));
            for (times, pair) in [
                (&mut ttft, real(b.ttft().zip(h.ttft()))),
                (&mut latency, real(b.latency().zip(h.latency()))),
                (&mut tpot, b.tpot().zip(h.tpot())),
            ] {
                if let Some((b, h)) = pair {
                    times[0].push(b);
                    times[1].push(h);
                }
            }
        }
        let of = |values| Distribution::of(values).map(|d| Times { p50: d.p50, p95: d.p95, p99: d.p99 });
        let both = |[base, head]: [Vec<f64>; 2]| Two { base: of(base), head: of(head) };
        (diff.ttft_like_for_like, diff.latency_like_for_like) = (both(ttft), both(latency));
        diff.tpot_like_for_like = both(tpot);
        Some(diff)
    }

    /// What the requests that ended well in both runs did, in a sentence; `None` where none has a time in both.
    #[must_use]
    pub fn headline(&self) -> Option<String> {
        let (before, after) = self.latency_like_for_like.base.zip(self.latency_like_for_like.head)?;
        let told = |name: &str, before: f64, after: f64| {
            let time = |ns: f64| format::duration(ns.round() as i64);
            let change =
                (before > 0.0).then(|| format!(" ({})", format::percent_change((after - before) / before)));
            format!("{name} {} → {}{}", time(before), time(after), change.unwrap_or_default())
        };
        let ttft = self.ttft_like_for_like;
        let ttft = ttft.base.zip(ttft.head).map(|(b, h)| format!(", {}", told("TTFT p50", b.p50, h.p50)));
        Some(format!(
            "{} in both: {}{}.",
            format::counted(self.like_for_like as i64, "request", "requests"),
            told("latency p50", before.p50, after.p50),
            ttft.unwrap_or_default()
        ))
    }

    /// True when other requests ended well in one run than in the other, and some did in both: figures over all of each are then
    /// those of different work, and only those in both compare.
    #[must_use]
    pub fn only_some_compare(&self) -> bool {
        let of = |ok: Option<usize>| ok.unwrap_or(0) != self.like_for_like;
        self.like_for_like > 0 && (of(self.ok.base) || of(self.ok.head))
    }

    /// Requests that failed or were cut off.
    #[must_use]
    pub fn failed(&self) -> Two<usize> {
        let of = |count: Option<usize>, ok: Option<usize>| Some(count?.saturating_sub(ok?));
        Two { base: of(self.count.base, self.ok.base), head: of(self.count.head, self.ok.head) }
    }

    /// True when a larger share of the new run's requests did not end well: its times and costs are then those of less work.
    #[must_use]
    pub fn fails_more(&self) -> bool {
        let share = |failed: Option<usize>, all: Option<usize>| {
            failed.unwrap_or(0) as f64 / all.filter(|&n| n > 0).unwrap_or(1) as f64
        };
        let failed = self.failed();
        share(failed.head, self.count.head) > share(failed.base, self.count.base)
    }

    /// How many pairs are guessed by their order.
    #[must_use]
    pub fn by_order(&self) -> usize {
        self.rows.iter().filter(|row| row.by == Some(By::Order)).count()
    }

    /// «3 of 6 requests did not end well in the new run, none of 6 in the baseline»; `None` where all did.
    #[must_use]
    pub fn failures(&self) -> Option<String> {
        let failed = self.failed();
        let (before, after) = (failed.base.unwrap_or(0), failed.head.unwrap_or(0));
        let of = |failed: usize, all: Option<usize>| match (failed, all.unwrap_or(0)) {
            (0, all) => format!("none of {}", count(all as i64)),
            (failed, all) => format!("{} of {}", count(failed as i64), count(all as i64)),
        };
        (before + after > 0).then(|| {
            format!(
                "{} requests did not end well in the new run, {} in the baseline",
                of(after, self.count.head),
                of(before, self.count.base)
            )
        })
    }
}

impl RequestDiff {
    /// What became of the requests, a sentence each: times, failures that the headline does not tell, how they were
    /// paired, what they cost like for like.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut said = vec![format!(
            "Requests, time to first token: {}; latency: {}.",
            self.ttft.words(),
            self.latency.words()
        )];
        // The headline says it where it got worse.
        said.extend(self.failures().filter(|_| !self.fails_more()).map(|f| format!("{f}.")));
        if self.by_order() > 0 {
            let pairs = format::counted(self.by_order() as i64, "pair", "pairs");
            said.push(format!(
                "{pairs} by order: requests of one name without a prompt of their own are taken as they come."
            ));
        }
        if let (Some(base), Some(head)) = (self.cost_like_for_like.base, self.cost_like_for_like.head) {
            said.push(format!(
                "Price of the {} priced pairs that ended well: {} → {}; of all priced ones {} → {}.",
                self.priced_like_for_like,
                format::money(base),
                format::money(head),
                format::money_or_unknown(self.cost.base),
                format::money_or_unknown(self.cost.head),
            ));
        }
        said
    }
}

/// Asks what a figure of the requests did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffRequests {
    /// Which figure.
    pub figure: RequestColumn,
    /// Which requests of either run.
    pub asked: Asked,
}

/// A request of both runs, or of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestRow {
    /// Which it is in each run.
    pub ids: Two<RequestId>,
    /// Its figure.
    pub values: Two<f64>,
    /// What that did.
    pub change: Change,
    /// How the two found each other.
    pub by: Option<By>,
}

/// What a figure of the requests did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FigureDiff {
    /// Requests, those of the baseline first.
    pub rows: Vec<RequestRow>,
    /// How many changed how.
    pub counts: Counts,
    /// The figure of all requests that ended well, ascending, for each run.
    pub sorted: Two<Vec<f64>>,
}

/// Unit of a figure, and which way it is better.
#[must_use]
pub fn meaning(figure: RequestColumn) -> (Unit, Better) {
    match figure {
        RequestColumn::Queued
        | RequestColumn::Ttft
        | RequestColumn::Lost
        | RequestColumn::Tpot
        | RequestColumn::Latency => (Unit::Nanoseconds, Better::Lower),
        RequestColumn::Cost => (Unit::NanoDollars, Better::Lower),
        RequestColumn::Rate => (Unit::Count, Better::Higher),
        _ => (Unit::Count, Better::Neutral),
    }
}

impl Query<Pair> for DiffRequests {
    type Output = FigureDiff;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<FigureDiff, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let bill = Bill { prices: self.asked.prices.clone() };
        let bills = [base.get(&bill)?, head.get(&bill)?];
        let ids = |side: &Context<'_>| Ok(self.asked.ids(side)?.into_iter().collect::<FxHashSet<_>>());
        let taken = [ids(&base)?, ids(&head)?];
        let (base, head) = (&**base.profile(), &**head.profile());
        let better = meaning(self.figure).1;
        let in_base = |id: Option<RequestId>| base.requests.get(id.filter(|id| taken[0].contains(id))?);
        let in_head = |id: Option<RequestId>| head.requests.get(id.filter(|id| taken[1].contains(id))?);
        let mut out = FigureDiff::default();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (i, Partners { ids, by }) in pairs(base, head).into_iter().enumerate() {
            if i % 4096 == 0 {
                cx.job().checkpoint(i as u64, 0)?;
            }
            let (b, h) = (in_base(ids.base), in_head(ids.head));
            if b.is_none() && h.is_none() {
                continue;
            }
            let number = |side: usize, id: Option<RequestId>, r: Option<&Request>| {
                self.figure.number(&Listed::new(r?, bills[side].cost(id?)))
            };
            let values = Two { base: number(0, ids.base, b), head: number(1, ids.head, h) };
            let change = change_of(b, h, better, values);
            out.counts.add(change);
            for (side, request, value) in [(&mut before, b, values.base), (&mut after, h, values.head)] {
                let value = value.filter(|_| request.is_some_and(|r| r.outcome == Outcome::Ok));
                side.extend(value.filter(|v| v.is_finite()));
            }
            let ids = Two { base: ids.base.filter(|_| b.is_some()), head: ids.head.filter(|_| h.is_some()) };
            let by = by.filter(|_| ids.state() == Some(State::Both));
            out.rows.push(RequestRow { ids, values, change, by });
        }
        for side in [&mut before, &mut after] {
            side.sort_by(f64::total_cmp);
        }
        out.sorted = Two::both(before, after);
        Ok(out)
    }

    fn weight(diff: &FigureDiff) -> usize {
        diff.rows.len() * (size_of::<RequestRow>() + 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProfileBuilder;

    fn requests(list: &[(&str, Option<i64>, Option<i64>)]) -> Profile {
        let mut b = ProfileBuilder::new("otlp");
        for (i, &(name, ttft, cost)) in list.iter().enumerate() {
            let (name, arrived) = (b.string(name), i as i64 * 1000);
            b.request(Request {
                name,
                arrived,
                first_token: ttft.map(|t| arrived + t),
                finished: ttft.map(|t| arrived + 2 * t),
                cost: cost.map(Money::from_nano),
                outcome: if ttft.is_some() { Outcome::Ok } else { Outcome::Error },
                ..Request::default()
            });
        }
        b.finish()
    }

    fn diff(base: Profile, head: Profile) -> Option<RequestDiff> {
        let run = |p: Profile| crate::query::Run {
            profile: p.into(),
            ..crate::analysis::testing::subject("a 0 1")
        };
        let (base, head) = (run(base), run(head));
        let bill = |run: &crate::query::Run| crate::analysis::testing::ask(run, &Bill::default());
        RequestDiff::of((&base.profile, &*bill(&base)), (&head.profile, &*bill(&head)))
    }

    #[test]
    fn other_questions_under_one_name_are_no_pair() {
        let of = |prompts: &[&str]| {
            let mut b = ProfileBuilder::new("test");
            let name = b.string("chat");
            for (i, prompt) in prompts.iter().enumerate() {
                let prompt = b.string(prompt);
                let arrived = i as i64 * 10;
                b.request(Request {
                    name,
                    prompt,
                    arrived,
                    finished: Some(arrived + 5),
                    ..Request::default()
                });
            }
            b.finish()
        };
        let paired = |base: &[&str], head: &[&str]| {
            let (base, head) = (of(base), of(head));
            let mut found: Vec<_> = pairs(&base, &head)
                .iter()
                .map(|p| (p.ids.base.map(|i| i.0), p.ids.head.map(|i| i.0), p.by))
                .collect();
            found.sort_by_key(|f| (f.0, f.1));
            found
        };
        let lone = paired(&["Translate this to French"], &["Write a long poem on the sea"]);
        assert_eq!(lone, [(None, Some(0), None), (Some(0), None, None)]);
        let dated = paired(&["Today is Monday. What is a span?"], &["Today is Friday. What is a span?"]);
        assert_eq!(dated, [(Some(0), Some(0), Some(By::Alike))]);
        let twice = paired(&["a b c", "a b c", "x"], &["a b c", "a b c", "y"]);
        assert_eq!(twice[..2], [(None, Some(2), None), (Some(0), Some(0), Some(By::Order))]);
        assert_eq!(
            paired(&["", ""], &["", ""])[1],
            (Some(1), Some(1), Some(By::Order)),
            "nobody says what was asked"
        );
    }

    #[test]
    fn a_failed_request_neither_improved_nor_cost_nothing() {
        let base = requests(&[
            ("q1", Some(200), Some(1050)),
            ("q2", Some(300), Some(1050)),
            ("q3", Some(200), Some(1050)),
            ("q4", Some(100), Some(3200)),
        ]);
        let head = requests(&[
            ("q3", Some(200), Some(1050)),
            ("q4", None, None),
            ("q1", Some(100), Some(1050)),
            ("q5", Some(90), Some(720)),
            ("q2", Some(250), Some(1050)),
        ]);
        let d = diff(base, head).unwrap();
        let want = Counts { improved: 2, equal: 1, not_comparable: 1, only_head: 1, ..Counts::default() };
        assert_eq!((d.ttft, d.latency), (want, want));
        assert_eq!(
            (d.cost, d.cost_like_for_like),
            (Two::both(6350, 3870).map(Money::from_nano), Two::both(3150, 3150).map(Money::from_nano))
        );
        assert_eq!((d.count, d.ok, d.priced), (Two::both(4, 5), Two::both(4, 4), Two::both(4, 4)));
        assert_eq!((d.like_for_like, d.priced_like_for_like), (3, 3));
        assert!(d.fails_more());
        assert_eq!(
            d.failures().unwrap(),
            "1 of 5 requests did not end well in the new run, none of 4 in the baseline"
        );
        let p50 = d.latency_like_for_like.map(|t| t.p50);
        assert_eq!(p50, Two::both(400.0, 400.0), "of q1, q2 and q3");
    }

    #[test]
    fn requests_of_one_name_pair_in_their_order_only_where_none_is_missing_and_say_so() {
        let named =
            |names: &[&str]| requests(&names.iter().map(|&n| (n, Some(10), None)).collect::<Vec<_>>());
        let d = diff(named(&["a", "chat", "chat"]), named(&["chat", "chat", "a"])).unwrap();
        assert_eq!((d.by_order(), d.like_for_like), (2, 3));
        assert_eq!(d.rows[0].by, Some(By::Name));
        let d = diff(named(&["chat", "chat"]), named(&["chat", "chat", "chat"])).unwrap();
        assert_eq!((d.by_order(), d.like_for_like, d.ttft.only_base, d.ttft.only_head), (0, 0, 2, 3));
        assert_eq!(d.failures(), None);
    }

    #[test]
    fn a_run_compared_with_itself_is_equal() {
        let p = requests(&[("a", Some(10), None), ("a", Some(20), None)]);
        let d = diff(p.clone(), p).unwrap();
        assert_eq!(d.ttft, Counts { equal: 2, ..Counts::default() });
        assert_eq!(diff(requests(&[]), requests(&[])), None);
    }
}
