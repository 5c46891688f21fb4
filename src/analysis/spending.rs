//! What the requests of a part cost, by what they have in common, how that goes with their latency, and what they would have cost with
//! another model.

use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::billing::{Bill, Billing, Sums, model_name};
use super::overview::{RequestFigures, request_figures_of};
use super::prices::{self, Call, Charge, Parts, Prices};
use super::request_facets::Facet;
use super::scores::{Mean, Score};
use crate::jobs::Cancelled;
use crate::model::{Money, Outcome, Profile, Request, RequestId, TokenCounts};
use crate::query::{Context, Query};

/// Requests that have something in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What; empty where nobody says.
    pub name: String,
    /// Their sums.
    pub sums: Sums,
    /// What list prices say of the parts of their cost.
    pub parts: Parts,
    /// Costs that their source states, of which no parts are known.
    pub stated: Money,
    /// Requests that ended well.
    pub answered: usize,
    /// Mean latency of those, ns.
    pub latency: Option<f64>,
    /// Requests that ended well and have a cost.
    pub priced_answers: usize,
    /// Output tokens of requests that have a cost.
    pub priced_output: u64,
    /// The first of them.
    pub first: Option<RequestId>,
    /// Those of which a cache of answers was asked, and of these those that it had an answer for.
    pub looked_up: (usize, usize),
    /// Figures over them.
    pub figures: Option<RequestFigures>,
    /// Mean of the scores called [`Spent::score`] that evaluations gave them, and of how many scores: one of a trace counts once.
    /// `None` where quality is not measured.
    pub quality: Option<(f64, usize)>,
    /// No other group is faster and cheaper per request, and as good where that is measured of both.
    pub best: bool,
}

impl Group {
    /// Mean cost of a request that has one, dollars.
    #[must_use]
    pub fn per_request(&self) -> Option<f64> {
        let priced = self.sums.requests - self.sums.unpriced;
        self.sums.cost.filter(|_| priced > 0).map(|cost| cost.to_f64() / priced as f64)
    }

    /// Cost of all that have one over those of them that ended well, dollars: what failed was paid for, too.
    #[must_use]
    pub fn per_answer(&self) -> Option<f64> {
        self.sums
            .cost
            .filter(|_| self.priced_answers > 0)
            .map(|cost| cost.to_f64() / self.priced_answers as f64)
    }

    /// Cost of 1,000 output tokens, dollars, over requests that have a cost.
    #[must_use]
    pub fn per_thousand_output(&self) -> Option<f64> {
        let cost = self.sums.cost.filter(|_| self.priced_output > 0)?;
        Some(cost.to_f64() * 1000.0 / self.priced_output as f64)
    }

    fn add(&mut self, id: RequestId, r: &Request, charge: &Charge, best: Option<Money>) {
        self.first.get_or_insert(id);
        self.sums.add(r, charge, best);
        match (&charge.priced, charge.cost) {
            (_, Some(cost)) if charge.stated => self.stated = self.stated + cost,
            (Some(priced), Some(_)) if !charge.answered_locally => self.parts = self.parts + priced.parts,
            _ => {}
        }
        if r.outcome == Outcome::Ok {
            self.answered += 1;
            self.priced_answers += usize::from(charge.cost.is_some());
        }
        if charge.cost.is_some() {
            self.priced_output = self.priced_output.saturating_add(r.tokens.output.unwrap_or(0));
        }
        let (looked_up, hits) = &mut self.looked_up;
        *looked_up += usize::from(r.cache.is_some());
        *hits += usize::from(r.answered_by_cache());
    }

    /// Fills in what follows from all its requests.
    fn close(&mut self, rows: &[(&Request, Option<&Charge>)]) {
        self.figures = request_figures_of(rows);
        self.latency = self.figures.as_ref().and_then(|f| f.latency).map(|d| d.mean);
    }
}

/// A request with a cost and a latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Which.
    pub request: RequestId,
    /// Its group.
    pub group: u32,
    /// ns.
    pub latency: i64,
    /// Dollars.
    pub cost: f64,
}

/// Requests without a cost, by why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpriced {
    /// Why.
    pub why: String,
    /// How many.
    pub requests: usize,
    /// The first of them.
    pub first: RequestId,
    /// Those that ended well and the first of these: what failed or was given up needs no price.
    pub answered: Option<(usize, RequestId)>,
}

/// What requests cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// Over all.
    pub all: Group,
    /// By what they have in common, the dearest first.
    pub groups: Vec<Group>,
    /// The score that qualities are means of; empty where there is none.
    pub score: String,
    /// Requests with a cost and a latency, at most [`POINTS`]: of more every nth.
    pub points: Vec<Point>,
    /// How many requests a point stands for.
    pub every: usize,
    /// Requests without a cost, the most frequent reason first.
    pub unpriced: Vec<Unpriced>,
    /// Why costs are only about right, and of how many requests.
    pub about: Vec<(String, usize)>,
    /// What costs do not hold, and of how many requests.
    pub left_out: Vec<(String, usize)>,
    /// Tables that prices are from, by number, and for how many requests.
    pub tables: Vec<(usize, usize)>,
}

/// Most [`Spent::points`].
pub const POINTS: usize = 2000;

/// Computes [`Spent`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Spending {
    /// Which requests.
    pub asked: Asked,
    /// What groups have in common.
    pub by: Facet,
}

impl Spent {
    /// Over all, where there are requests: of none nothing is known, which is not 0.
    #[must_use]
    pub fn known(&self) -> Option<&Group> {
        Some(&self.all).filter(|all| all.sums.requests > 0)
    }
}

impl Query for Spending {
    type Output = Spent;

    fn run(&self, cx: &Context<'_>) -> Result<Spent, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let ids = self.asked.ids(cx)?;
        let mut out = Spent { every: ids.len().div_ceil(POINTS).max(1), ..Spent::default() };
        let mut known: FxHashMap<&str, u32> = FxHashMap::default();
        let (mut rows, mut all): (Vec<Vec<_>>, Vec<_>) = (Vec::new(), Vec::with_capacity(ids.len()));
        let score = Score::of_most(profile, &ids);
        let (mut means, mut mean_of_all) = (Vec::new(), Mean::default());
        for (n, &id) in ids.iter().enumerate() {
            let (r, charge) = (&profile.requests.rows[id.index()], &bill.charges[id.index()]);
            let name = self.by.of(profile, r);
            let group = *known.entry(name).or_insert_with(|| {
                out.groups.push(Group { name: name.to_owned(), ..Group::default() });
                rows.push(Vec::new());
                out.groups.len() as u32 - 1
            });
            out.groups[group as usize].add(id, r, charge, bill.best[id.index()]);
            out.all.add(id, r, charge, bill.best[id.index()]);
            if let Some(score) = &score {
                means.resize_with(out.groups.len(), Mean::default);
                for mean in [&mut means[group as usize], &mut mean_of_all] {
                    score.add(profile, r, mean);
                }
            }
            rows[group as usize].push((r, Some(charge)));
            all.push((r, Some(charge)));
            if let Some((cost, latency)) = charge.cost.zip(r.latency()).filter(|_| n % out.every == 0) {
                out.points.push(Point { request: id, group, latency, cost: cost.to_f64() });
            }
            reasons(&mut out, id, r, charge);
        }
        for (n, (group, rows)) in out.groups.iter_mut().zip(&rows).enumerate() {
            if n % 256 == 0 {
                cx.job().checkpoint(n as u64, rows.len() as u64)?;
            }
            group.close(rows);
        }
        out.all.close(&all);
        for (group, mean) in out.groups.iter_mut().zip(&means) {
            group.quality = mean.get();
        }
        out.all.quality = mean_of_all.get();
        out.score = score.map(|score| score.name).unwrap_or_default();
        mark_best(&mut out.groups);
        in_order(&mut out);
        Ok(out)
    }

    fn weight(spent: &Spent) -> usize {
        let names: usize = spent.groups.iter().map(|g| g.name.len()).sum();
        names + spent.groups.len() * size_of::<Group>() + spent.points.len() * size_of::<Point>()
    }
}

/// Notes what a cost rests on, or why there is none.
fn reasons(out: &mut Spent, id: RequestId, r: &Request, charge: &Charge) {
    if charge.cost.is_none() {
        let answered = (r.outcome == Outcome::Ok).then_some((1, id));
        match out.unpriced.iter_mut().find(|u| u.why == charge.why) {
            Some(known) => {
                known.requests += 1;
                known.answered = match known.answered {
                    Some((n, first)) => Some((n + usize::from(r.outcome == Outcome::Ok), first)),
                    None => answered,
                };
            }
            None => {
                out.unpriced.push(Unpriced { why: charge.why.clone(), requests: 1, first: id, answered });
            }
        }
    }
    let Some(priced) = charge.priced.as_ref().filter(|_| !charge.stated && !charge.answered_locally) else {
        return;
    };
    let count = |list: &mut Vec<(String, usize)>, text: &String| match list.iter_mut().find(|l| l.0 == *text)
    {
        Some(known) => known.1 += 1,
        None => list.push((text.clone(), 1)),
    };
    priced.about.iter().for_each(|text| count(&mut out.about, text));
    priced.left_out.iter().for_each(|text| count(&mut out.left_out, text));
    if let Some(found) = &charge.resolved {
        match out.tables.iter_mut().find(|t| t.0 == found.table) {
            Some(known) => known.1 += 1,
            None => out.tables.push((found.table, 1)),
        }
    }
}

/// Marks groups that none beats in cost per request and latency, and in quality where it is measured of both.
fn mark_best(groups: &mut [Group]) {
    let of = |g: &Group| Some((g.per_request()?, g.latency?, g.quality.map(|q| q.0)));
    let known: Vec<Option<(f64, f64, Option<f64>)>> = groups.iter().map(of).collect();
    for (group, own) in groups.iter_mut().zip(&known) {
        let Some((cost, latency, quality)) = *own else { continue };
        let better = |&(c, l, q): &(f64, f64, Option<f64>)| {
            let as_good = q.zip(quality).is_none_or(|(other, own)| other >= own);
            c <= cost && l <= latency && as_good && (c < cost || l < latency)
        };
        group.best = !known.iter().flatten().any(better);
    }
}

/// The dearest group first, the most frequent reason first.
fn in_order(out: &mut Spent) {
    let mut order: Vec<u32> = (0..out.groups.len() as u32).collect();
    let key = |i: &u32| &out.groups[*i as usize];
    order.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        b.sums.cost.cmp(&a.sums.cost).then(b.sums.requests.cmp(&a.sums.requests)).then(a.name.cmp(&b.name))
    });
    let mut place = vec![0u32; order.len()];
    order.iter().enumerate().for_each(|(new, old)| place[*old as usize] = new as u32);
    out.points.iter_mut().for_each(|p| p.group = place[p.group as usize]);
    out.groups = order.iter().map(|&i| std::mem::take(&mut out.groups[i as usize])).collect();
    out.unpriced.sort_by_key(|u| std::cmp::Reverse(u.requests));
    out.tables.sort_by_key(|t| std::cmp::Reverse(t.1));
}

/// What a model costs by the size of the prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceCurve {
    /// The model.
    pub model: String,
    /// Output tokens of each request on the curve: the median of the run.
    pub output: u64,
    /// Prompt tokens and dollars, ascending. Where a higher price begins, two points have one size.
    pub points: Vec<[f64; 2]>,
    /// The largest prompt of the run.
    pub largest: u64,
}

/// Points of a curve, ends of prices apart.
const STEPS: u64 = 60;
/// The largest prompt of a curve: no model takes more.
const LONGEST: u64 = 100_000_000;
/// Models that have a curve.
const CURVES: usize = 6;

/// Computes the [`PriceCurve`]s of the models that most was spent on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PriceCurves {
    /// By which prices.
    pub prices: Prices,
}

impl Query for PriceCurves {
    type Output = Vec<PriceCurve>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<PriceCurve>, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.prices.clone() })?;
        let mut out = Vec::new();
        for model in bill.models.iter().take(CURVES) {
            cx.job().checkpoint(0, 0)?;
            out.extend(self.curve(profile, &bill, &model.model));
        }
        // All of one length, so that they can be compared.
        let end = out.iter().filter_map(|c| c.points.last()).map(|p| p[0]).fold(0.0, f64::max);
        for curve in &mut out {
            self.draw_on(profile, &bill, curve, end as u64);
        }
        Ok(out)
    }

    fn weight(curves: &Vec<PriceCurve>) -> usize {
        curves.iter().map(|c| c.points.len() * 16 + 64).sum()
    }
}

impl PriceCurves {
    fn of_model<'a>(
        &'a self,
        profile: &'a Profile,
        bill: &'a Billing,
        model: &'a str,
    ) -> impl Iterator<Item = (&'a Request, &'a Charge)> {
        let all = profile.requests.rows.iter().zip(&bill.charges);
        all.filter(move |(r, c)| c.priced.is_some() && model_name(profile, r) == model)
    }

    fn curve(&self, profile: &Profile, bill: &Billing, model: &str) -> Option<PriceCurve> {
        let mut outputs: Vec<u64> =
            self.of_model(profile, bill, model).filter_map(|(r, _)| r.tokens.output).collect();
        outputs.sort_unstable();
        let prompts = self.of_model(profile, bill, model).filter_map(|(r, _)| r.tokens.prompt());
        let mut curve = PriceCurve {
            model: model.to_owned(),
            output: outputs.get(outputs.len() / 2).copied().unwrap_or(0),
            points: Vec::new(),
            largest: prompts.max()?,
        };
        let (_, charge) = self.of_model(profile, bill, model).next()?;
        let found = charge.resolved.as_ref()?;
        let beyond = self.prices.tables()[found.table].entries()[found.entry].thresholds().last().copied();
        let end = curve.largest.saturating_mul(2).max(beyond.map_or(0, |t| t.saturating_add(t / 4)));
        let end = end.clamp(8_000, LONGEST);
        self.draw_on(profile, bill, &mut curve, end);
        Some(curve)
    }

    /// Fills in the points up to `end` tokens.
    fn draw_on(&self, profile: &Profile, bill: &Billing, curve: &mut PriceCurve, end: u64) {
        let Some((r, charge)) = self.of_model(profile, bill, &curve.model).next() else { return };
        let Some(found) = &charge.resolved else { return };
        let table = &self.prices.tables()[found.table];
        let entry = &table.entries()[found.entry];
        let mut sizes: Vec<u64> = (0..=STEPS).map(|i| end * i / STEPS).collect();
        // A higher price holds for what is above: both sides of the step.
        sizes.extend(entry.thresholds().iter().filter(|t| **t < end).flat_map(|t| [*t, t + 1]));
        sizes.sort_unstable();
        sizes.dedup();
        let cost = |prompt: u64| {
            let tokens =
                TokenCounts { input: Some(prompt), output: Some(curve.output), ..TokenCounts::default() };
            let at = profile.meta.origin_unix_ns.filter(|_| !r.undated).map(|o| o.saturating_add(r.arrived));
            let call = Call { tokens, at, ..Call::default() };
            prices::charge(entry, table.newest, &call).ok().map(|p| p.parts.sum().to_f64())
        };
        curve.points = sizes.into_iter().filter_map(|s| Some([s as f64, cost(s)?])).collect();
    }
}

/// What the same tokens would have cost with another model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repriced {
    /// The model's name in the table, and who serves it; or why there is no price.
    pub model: Result<(String, String), String>,
    /// What the requests would have cost, over those that have a price as they are and with it.
    pub cost: Option<Money>,
    /// What these cost as they are, by list prices.
    pub now: Option<Money>,
    /// Requests that are in neither sum.
    pub left_out: usize,
}

/// Computes the [`Repriced`] of a model by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reprice {
    /// Its name.
    pub model: String,
    /// Which requests.
    pub asked: Asked,
}

impl Query for Reprice {
    type Output = Repriced;

    fn run(&self, cx: &Context<'_>) -> Result<Repriced, Cancelled> {
        let profile = cx.profile();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let found = match prices::resolve(&self.asked.prices, "", &self.model, "") {
            Ok(found) => found,
            Err(why) => return Ok(Repriced { model: Err(why), cost: None, now: None, left_out: 0 }),
        };
        let table = &self.asked.prices.tables()[found.table];
        let entry = &table.entries()[found.entry];
        if !table.currency.is_empty() {
            let why = format!("its prices are in {}, which is not converted to dollars", table.currency);
            return Ok(Repriced { model: Err(why), cost: None, now: None, left_out: 0 });
        }
        let mut out = Repriced {
            model: Ok((entry.name.clone(), entry.provider.clone())),
            cost: None,
            now: None,
            left_out: 0,
        };
        for id in self.asked.ids(cx)? {
            let (r, charge) = (&profile.requests.rows[id.index()], &bill.charges[id.index()]);
            let now = charge.priced.as_ref().map(|p| p.parts.sum());
            let call = Call {
                tokens: r.tokens,
                accounting: r.accounting,
                at: None,
                tier: "",
                searches: r.searches.unwrap_or(0),
            };
            let then = prices::charge(entry, table.newest, &call).ok().map(|p| p.parts.sum());
            match (now, then, charge.answered_locally) {
                (Some(_), Some(_), true) => {}
                (Some(now), Some(then), _) => {
                    out.now = Some(out.now.unwrap_or_default() + now);
                    out.cost = Some(out.cost.unwrap_or_default() + then);
                }
                _ => out.left_out += 1,
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::prices::read_table;
    use crate::analysis::testing::ask;
    use crate::model::ProfileBuilder;
    use crate::query::Run;

    fn run(rows: Vec<(&str, Request)>) -> Run {
        let mut b = ProfileBuilder::new("test");
        for (model, request) in rows {
            let model = b.string(model);
            b.request(Request { model, ..request });
        }
        Run::of(b.finish().into())
    }

    fn prices() -> Prices {
        let table = r#"{"models": [
            {"name": "dear", "prices": [{"input": {"base": "10", "above": {"1000": "20"}}, "output": "50"}]},
            {"name": "cheap", "prices": [{"input": "1", "output": "5"}]}]}"#;
        Prices::with(read_table(table).unwrap())
    }

    fn request(input: u64, output: u64, latency: i64, outcome: Outcome) -> Request {
        let tokens = TokenCounts { input: Some(input), output: Some(output), ..TokenCounts::default() };
        Request { tokens, finished: Some(latency), outcome, ..Request::default() }
    }

    #[test]
    fn groups_add_up_and_failures_are_paid_by_the_answers() {
        let run = run(vec![
            ("cheap", request(1000, 100, 40, Outcome::Ok)),
            ("dear", request(1000, 100, 100, Outcome::Ok)),
            ("dear", request(1000, 100, 300, Outcome::Error)),
            ("nobody knows", request(5, 5, 10, Outcome::Ok)),
        ]);
        let spent = ask(&run, &Spending { asked: Asked::all(&prices()), ..Spending::default() });
        let found: Vec<_> =
            spent.groups.iter().map(|g| (g.name.as_str(), g.sums.cost.map(|m| m.to_string()))).collect();
        assert_eq!(
            found,
            [("dear", Some("0.03".into())), ("cheap", Some("0.0015".into())), ("nobody knows", None)]
        );
        let sum: Money = spent.groups.iter().filter_map(|g| g.sums.cost).sum();
        assert_eq!(spent.all.sums.cost, Some(sum));
        assert_eq!(spent.all.parts.sum() + spent.all.stated, sum, "parts add up to the cost");
        let dear = &spent.groups[0];
        assert_eq!((dear.per_request(), dear.per_answer()), (Some(0.015), Some(0.03)));
        assert_eq!((dear.latency, dear.best), (Some(100.0), false));
        assert!(spent.groups[1].best, "cheap is faster and cheaper");
        assert_eq!((spent.unpriced.len(), spent.unpriced[0].requests), (1, 1));
        assert_eq!(spent.points.len(), 3);
        assert!(spent.points.iter().all(|p| spent.groups[p.group as usize].name != "nobody knows"));
        let range = Some((0, 1));
        let by = Spending { by: Facet::Outcome, asked: Asked { range, ..Asked::default() } };
        assert_eq!(
            ask(&run, &by).groups.iter().map(|g| g.name.clone()).collect::<Vec<_>>(),
            ["finished", "failed"]
        );
    }

    #[test]
    fn a_curve_has_a_step_where_a_higher_price_holds_for_the_whole_prompt() {
        let run = run(vec![("dear", request(500, 100, 1, Outcome::Ok))]);
        let curves = ask(&run, &PriceCurves { prices: prices() });
        let points = &curves[0].points;
        let at = |size: f64| points.iter().find(|p| p[0] == size).map(|p| p[1]);
        assert_eq!((curves[0].largest, curves[0].output), (500, 100));
        assert!((at(1000.0).unwrap() - 0.015).abs() < 1e-12);
        assert!((at(1001.0).unwrap() - (0.02002 + 0.005)).abs() < 1e-12);
        assert!(points.is_sorted_by(|a, b| a[0] < b[0] && a[1] <= b[1]));
    }

    #[test]
    fn impossible_counts_and_times_are_no_panic() {
        let most = TokenCounts {
            input: Some(u64::MAX),
            cache_read: Some(u64::MAX),
            output: Some(u64::MAX),
            reasoning: Some(u64::MAX),
            ..TokenCounts::default()
        };
        let row = || Request {
            tokens: most,
            arrived: i64::MIN,
            scheduled: Some(i64::MAX),
            first_token: Some(i64::MAX),
            finished: Some(i64::MAX),
            ..Request::default()
        };
        let run = run((0..30).map(|i| (if i % 2 == 0 { "dear" } else { "cheap" }, row())).collect());
        ask(&run, &Spending { asked: Asked::all(&prices()), ..Spending::default() });
        ask(&run, &PriceCurves { prices: prices() });
        ask(&run, &crate::analysis::findings::Findings { prices: prices() });
        ask(&run, &crate::analysis::load::RequestLoad { asked: Asked::default() });
        ask(&run, &crate::analysis::caches::Caches::default());
        let kind = crate::analysis::caches::CacheKind::Prompt;
        ask(&run, &crate::analysis::cache_history::CacheHistory { kind, asked: Asked::default() });
    }

    #[test]
    fn another_model_prices_the_same_tokens_and_says_what_it_leaves_out() {
        let run = run(vec![
            ("dear", request(1000, 100, 1, Outcome::Ok)),
            ("nobody knows", request(5, 5, 10, Outcome::Ok)),
        ]);
        let reprice = |model: &str| {
            let model = model.into();
            (*ask(&run, &Reprice { model, asked: Asked::all(&prices()) })).clone()
        };
        let cheap = reprice("cheap");
        assert_eq!(cheap.cost.map(|m| m.to_string()).as_deref(), Some("0.0015"));
        assert_eq!(cheap.now.map(|m| m.to_string()).as_deref(), Some("0.015"));
        assert_eq!(cheap.left_out, 1);
        assert!(reprice("no such model").model.is_err());
    }

    #[test]
    fn scores_of_evaluations_are_the_quality_of_a_group_and_keep_it_on_the_front() {
        let found = |scores: [&str; 2]| {
            let mut b = ProfileBuilder::new("test");
            let name = b.string("score faithful");
            for (model, latency, score) in [("dear", 900, scores[0]), ("cheap", 500, scores[1])] {
                let (model, score) = (b.string(model), b.string(score));
                let tokens = TokenCounts { input: Some(100), output: Some(10), ..TokenCounts::default() };
                let attributes = if profile_has(score) { vec![(name, score)] } else { vec![] };
                b.request(Request {
                    model,
                    tokens,
                    finished: Some(latency),
                    attributes,
                    ..Request::default()
                });
            }
            let asked = Asked::all(&prices());
            let spent = ask(&Run::of(b.finish().into()), &Spending { asked, ..Spending::default() });
            spent.groups.iter().map(|g| (g.name.clone(), g.quality, g.best)).collect::<Vec<_>>()
        };
        fn profile_has(id: crate::model::StringId) -> bool {
            id != crate::model::StringId::default()
        }
        let better = found(["0.9", "0.5"]);
        assert_eq!(better, [("dear".into(), Some((0.9, 1)), true), ("cheap".into(), Some((0.5, 1)), true)]);
        let unknown = found(["", ""]);
        assert_eq!(unknown, [("dear".into(), None, false), ("cheap".into(), None, true)]);
    }
}
