//! LLM requests as a table and over time: derived figures per request, order, concurrency, gaps
//! between tokens.

use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::billing::{Bill, Billing};
use super::cached_answers::{CachedAnswer, cached_answer};
use super::overview::{Distribution, RequestFigures, request_figures_of};
use super::prices::Charge;
use super::slo::{Slow, SlowRequests};
use crate::jobs::Cancelled;
use crate::model::{
    ENTRY_AGE, Flight, MATCHED_PROMPT, Money, Outcome, Profile, Request, RequestId, StringId,
};
use crate::query::{Context, Query};
use std::cmp::Ordering;
use std::sync::Arc;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestColumn {
    /// Name or id.
    Name,
    /// The model.
    Model,
    /// When it was issued.
    #[default]
    Arrived,
    /// Arrival to start of work.
    Queued,
    /// Arrival to first token, without what retries took.
    Ttft,
    /// Time that attempts that failed and the waits after them took.
    Lost,
    /// Mean time per output token after the first.
    Tpot,
    /// Decode rate.
    Rate,
    /// Arrival to end.
    Latency,
    /// All input tokens.
    Prompt,
    /// Output tokens.
    Output,
    /// Input tokens read from a cache.
    CacheRead,
    /// Price.
    Cost,
    /// What made it slow, where it took much longer than the others.
    Why,
    /// Loading the model, as the server states it.
    Load,
    /// How it ended.
    Outcome,
    /// What the cache of answers said.
    Cache,
    /// How alike the closest prompt in a cache of answers was.
    Similarity,
    /// How long the answer that it got had been in a cache.
    Age,
    /// The closest prompt in a semantic cache.
    Matched,
    /// The batch that it was generated in.
    Batch,
}

impl RequestColumn {
    /// All columns, left to right.
    pub const ALL: [Self; 21] = [
        Self::Name,
        Self::Model,
        Self::Arrived,
        Self::Queued,
        Self::Ttft,
        Self::Lost,
        Self::Tpot,
        Self::Rate,
        Self::Latency,
        Self::Why,
        Self::Load,
        Self::Prompt,
        Self::Output,
        Self::CacheRead,
        Self::Cost,
        Self::Outcome,
        Self::Cache,
        Self::Similarity,
        Self::Matched,
        Self::Age,
        Self::Batch,
    ];

    /// True when something is known for this column: of any request of the profile, and what a list of them works out.
    #[must_use]
    pub fn is_filled(self, profile: &Profile, list: &RequestList) -> bool {
        let rows = &profile.requests.rows;
        match self {
            Self::Model => rows.iter().any(|r| r.model != StringId::default()),
            Self::Arrived => rows.iter().any(|r| !r.undated),
            Self::Queued => rows.iter().any(|r| r.queued().is_some()),
            Self::Ttft => rows.iter().any(|r| r.ttft().is_some()),
            Self::Tpot | Self::Rate => rows.iter().any(|r| r.tpot().is_some()),
            Self::Latency => rows.iter().any(|r| r.latency().is_some()),
            Self::Prompt => rows.iter().any(|r| r.tokens.prompt().is_some()),
            Self::Output => rows.iter().any(|r| r.output().is_some()),
            Self::CacheRead => rows.iter().any(|r| r.tokens.cache_read.is_some()),
            Self::Lost => rows.iter().any(|r| !r.retries.is_empty()),
            Self::Cache => rows.iter().any(|r| r.cache.is_some()),
            Self::Similarity => rows.iter().any(|r| r.similarity.is_some()),
            Self::Matched => profile.strings.find(MATCHED_PROMPT).is_some(),
            Self::Age => profile.strings.find(ENTRY_AGE).is_some(),
            Self::Batch => rows.iter().any(|r| r.batch.is_some()),
            Self::Load => rows.iter().any(|r| r.phases.load.is_some()),
            Self::Cost => list.bill.all.cost.is_some(),
            Self::Why => !list.slow.is_empty(),
            Self::Name | Self::Outcome => true,
        }
    }

    /// True when what the column says of a request rests on chunks, because nobody counted its tokens.
    #[must_use]
    pub fn is_estimated(self, r: &Request) -> bool {
        matches!(self, Self::Tpot | Self::Rate | Self::Output) && r.is_estimated()
    }

    /// The number that the column sorts by; `None` when unknown or a text. Costs are in 1e-9 dollar.
    #[must_use]
    pub fn number(self, row: &Listed<'_>) -> Option<f64> {
        let (r, cost) = (row.request, row.cost);
        match self {
            Self::Name | Self::Model | Self::Matched => None,
            Self::Age => row.cached.age.map(|v| v as f64),
            Self::Arrived => Some(r.arrived as f64),
            Self::Queued => r.queued().map(|v| v as f64),
            Self::Ttft => r.ttft().map(|v| v as f64),
            Self::Lost => Some(r.lost() as f64),
            Self::Tpot => r.tpot(),
            Self::Rate => r.tokens_per_second(),
            Self::Latency => r.latency().map(|v| v as f64),
            Self::Why => row.slow.map(|slow| slow.over),
            Self::Load => r.phases.load.map(|v| v as f64),
            Self::Prompt => r.tokens.prompt().map(|v| v as f64),
            Self::Output => r.output().map(|(v, _)| v as f64),
            Self::CacheRead => r.tokens.cache_read.map(|v| v as f64),
            Self::Cost => cost.map(|v| v.to_f64() * 1e9),
            Self::Cache => r.cache.map(|c| f64::from(c as u8)),
            Self::Similarity => r.similarity,
            Self::Batch => r.batch.map(|b| b as f64),
            Self::Outcome => Some(f64::from(match r.outcome {
                Outcome::Ok => 0,
                Outcome::Running => 1,
                Outcome::Cancelled => 2,
                Outcome::Error => 3,
            })),
        }
    }
}

/// A request with what is known about it beside its stamps and counts.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The request.
    pub request: &'a Request,
    /// What it costs.
    pub cost: Option<Money>,
    /// That is only about right.
    pub cost_is_about: bool,
    /// Why it was slow, where it took much longer than the others.
    pub slow: Option<Slow>,
    /// What is known of the answer that a cache gave.
    pub cached: CachedAnswer,
}

impl<'a> Listed<'a> {
    /// One of which only this is known.
    #[must_use]
    pub fn new(request: &'a Request, cost: Option<Money>) -> Self {
        Self { request, cost, cost_is_about: false, slow: None, cached: CachedAnswer::default() }
    }

    fn of(profile: &'a Profile, bill: &Billing, slow: &FxHashMap<RequestId, Slow>, id: RequestId) -> Self {
        let request = &profile.requests.rows[id.index()];
        let cached =
            if request.cache.is_some() { cached_answer(profile, request) } else { CachedAnswer::default() };
        let cost_is_about = bill.charges.get(id.index()).is_some_and(Charge::is_about);
        Self { request, cost: bill.cost(id), cost_is_about, slow: slow.get(&id).copied(), cached }
    }
}

impl RequestList {
    /// A row with what is known about it.
    #[must_use]
    pub fn listed<'a>(&self, profile: &'a Profile, id: RequestId) -> Listed<'a> {
        Listed::of(profile, &self.bill, &self.slow, id)
    }
}

/// What a request was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestPart {
    /// Looking into a cache of answers, before it waited for its turn.
    Lookup,
    /// Waiting for its turn.
    Queued,
    /// An attempt that failed and was followed by another one.
    Attempt,
    /// Waiting for the next attempt.
    BackOff,
    /// Reading the prompt.
    Prefill,
    /// Writing the answer.
    Decode,
    /// An answer that came in one piece: nobody knows when its first token was made.
    Answer,
    /// Something; no stamp tells what.
    Unknown,
}

impl RequestPart {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 8] = [
        Self::Lookup,
        Self::Queued,
        Self::Attempt,
        Self::BackOff,
        Self::Prefill,
        Self::Decode,
        Self::Answer,
        Self::Unknown,
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lookup => "cache lookup",
            Self::Queued => "queued",
            Self::Attempt => "failed attempt",
            Self::BackOff => "back-off",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Answer => "whole answer",
            Self::Unknown => "running",
        }
    }

    /// Nothing is done for the request meanwhile.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::BackOff)
    }
}

/// The parts of a request (from, to, which; ns) up to its end, or up to `end` while it runs. They cover
/// it without gaps, whatever stamps are known and however odd they are.
#[must_use]
pub fn parts(r: &Request, end: i64) -> Vec<(i64, i64, RequestPart)> {
    let known = || r.last_token.or(r.began()).or(r.scheduled).unwrap_or(r.arrived);
    // One that ended at a time that nobody says is shown as far as it is known.
    let end = r.finished.unwrap_or_else(|| if r.outcome == Outcome::Running { end } else { known() });
    let end = end.max(r.arrived);
    let clip = |t: i64| t.clamp(r.arrived, end);
    let mut parts = Vec::with_capacity(3);
    let mut at = r.arrived;
    let mut add = |to: i64, part| {
        if to > at {
            parts.push((at, to, part));
        }
        at = at.max(to);
    };
    if let Some(t) = r.looked_up {
        add(clip(t), RequestPart::Lookup);
    }
    if let Some(t) = r.scheduled {
        add(clip(t), RequestPart::Queued);
    }
    for retry in &r.retries {
        add(clip(retry.failed), RequestPart::Attempt);
        add(clip(retry.again), RequestPart::BackOff);
    }
    match r.began() {
        Some(t) => {
            add(clip(t), RequestPart::Prefill);
            add(end, RequestPart::Decode);
        }
        // Without a first token it was not streamed, or failed before; while it runs nobody knows.
        None if r.outcome == Outcome::Ok && r.scheduled.is_some() => add(end, RequestPart::Answer),
        None => add(end, RequestPart::Unknown),
    }
    parts
}

/// Why attempts of a request failed: «HTTP 429 × 2, no connection».
#[must_use]
pub fn reasons(profile: &Profile, r: &Request) -> String {
    let mut counted: Vec<(&str, u32)> = Vec::new();
    for retry in &r.retries {
        let reason = profile.text(retry.reason);
        match counted.iter_mut().find(|c| c.0 == reason) {
            Some(known) => known.1 += 1,
            None => counted.push((reason, 1)),
        }
    }
    let texts = counted.iter().map(|(reason, n)| match n {
        1 => (*reason).to_owned(),
        n => format!("{reason} × {n}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// Rows in which requests do not overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packing {
    /// The requests of each row, by arrival.
    pub rows: Vec<Vec<u32>>,
}

/// Computes the [`Packing`]: each request goes to the first row that is free when it arrives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestRows;

impl Query for RequestRows {
    type Output = Packing;

    fn run(&self, cx: &Context<'_>) -> Result<Packing, Cancelled> {
        use std::cmp::Reverse;
        use std::collections::{BTreeSet, BinaryHeap};
        let requests = &cx.profile().requests.rows;
        let mut out = Packing::default();
        let mut busy: BinaryHeap<Reverse<(i64, u32)>> = BinaryHeap::new();
        let mut free: BTreeSet<u32> = BTreeSet::new();
        for (i, r) in requests.iter().enumerate() {
            if i % 4096 == 0 {
                cx.job().checkpoint(i as u64, requests.len() as u64)?;
            }
            while let Some(&Reverse((end, row))) = busy.peek().filter(|b| b.0.0 <= r.arrived) {
                debug_assert!(end <= r.arrived);
                free.insert(row);
                busy.pop();
            }
            let row = free.pop_first().unwrap_or_else(|| {
                out.rows.push(Vec::new());
                out.rows.len() as u32 - 1
            });
            out.rows[row as usize].push(i as u32);
            busy.push(Reverse((r.finished.unwrap_or(i64::MAX).max(r.arrived), row)));
        }
        Ok(out)
    }

    fn weight(packing: &Packing) -> usize {
        packing.rows.iter().map(|row| row.len() * 4 + 24).sum()
    }
}

/// Requests of the shown part, in the asked order.
#[derive(Clone, Debug, Default)]
pub struct RequestList {
    /// The rows, in order.
    pub rows: Vec<RequestId>,
    /// The same by arrival.
    pub by_arrival: Vec<RequestId>,
    /// Largest value of each column of [`RequestColumn::ALL`] among the rows; 0 where none is known.
    pub largest: Vec<f64>,
    /// Requests of the profile before search and range.
    pub all: usize,
    /// Number of requests in flight from each time on, until the next; ascending.
    pub concurrency: Vec<(i64, u32)>,
    /// Figures over the rows.
    pub figures: Option<RequestFigures>,
    /// Gaps between tokens (or chunks) of all finished requests pooled, ns.
    pub gaps: Option<Distribution>,
    /// True when each gap is between two single tokens; false when a chunk may hold several.
    pub single_tokens: bool,
    /// What all requests of the profile cost.
    pub bill: Arc<Billing>,
    /// The rows that took much longer than the others, with why.
    pub slow: FxHashMap<RequestId, Slow>,
    /// Parts that the bars of these requests have, in the order of [`RequestPart::ALL`].
    pub parts: Vec<RequestPart>,
}

/// Computes the [`RequestList`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestTable {
    /// Which requests.
    pub asked: Asked,
    /// Order.
    pub sort: RequestColumn,
    /// Largest first. Unknown ones come last either way.
    pub descending: bool,
}

impl RequestTable {
    /// The requests by arrival.
    #[must_use]
    pub fn of(asked: Asked) -> Self {
        Self { asked, sort: RequestColumn::Arrived, descending: false }
    }
}

impl Query for RequestTable {
    type Output = RequestList;

    fn run(&self, cx: &Context<'_>) -> Result<RequestList, Cancelled> {
        let profile = cx.profile();
        let requests = &profile.requests.rows;
        let mut rows = self.asked.ids(cx)?;
        let by_arrival = rows.clone();
        let bill = cx.get(&Bill { prices: self.asked.prices.clone() })?;
        let slowest = cx.get(&SlowRequests { asked: self.asked.clone() })?;
        let slow: FxHashMap<RequestId, Slow> = slowest.rows.iter().map(|row| (row.request, *row)).collect();
        let listed = |id: RequestId| Listed::of(profile, &bill, &slow, id);
        sort(profile, listed, &mut rows, self.sort, self.descending);
        let largest = |column: &RequestColumn| {
            rows.iter().filter_map(|id| column.number(&listed(*id))).fold(0.0, f64::max)
        };
        let largest = RequestColumn::ALL.iter().map(largest).collect();
        cx.job().checkpoint(0, 0)?;
        let mut seen = [false; RequestPart::ALL.len()];
        let end = profile.time_bounds().map_or(0, |b| b.1);
        for id in &by_arrival {
            parts(&requests[id.index()], end).iter().for_each(|p| seen[p.2 as usize] = true);
        }
        let chosen = || by_arrival.iter().map(|id| &requests[id.index()]);
        let (mut gap, mut single_tokens) = (Vec::new(), true);
        for request in chosen().filter(|r| r.outcome == Outcome::Ok) {
            gap.extend(gaps(request).map(|(_, g)| g as f64));
            single_tokens &= request.token_times.is_empty()
                || request.tokens.output == Some(request.token_times.len() as u64);
        }
        let priced = |id: &RequestId| (&requests[id.index()], bill.charges.get(id.index()));
        let figures = request_figures_of(&by_arrival.iter().map(priced).collect::<Vec<_>>());
        Ok(RequestList {
            rows,
            by_arrival,
            largest,
            all: requests.len(),
            concurrency: concurrency(profile),
            figures,
            bill,
            slow,
            gaps: Distribution::of(gap),
            single_tokens,
            parts: RequestPart::ALL.into_iter().filter(|part| seen[*part as usize]).collect(),
        })
    }

    fn weight(list: &RequestList) -> usize {
        list.rows.len() * 8 + list.concurrency.len() * 16 + list.slow.len() * size_of::<Slow>()
    }
}

fn sort<'a>(
    profile: &'a Profile,
    listed: impl Fn(RequestId) -> Listed<'a>,
    rows: &mut [RequestId],
    column: RequestColumn,
    descending: bool,
) {
    let turned = |o: Ordering| if descending { o.reverse() } else { o };
    let text = |id: RequestId| match column {
        RequestColumn::Name => Some(profile.text(listed(id).request.name)),
        RequestColumn::Model => Some(profile.text(listed(id).request.model)),
        _ => None,
    };
    rows.sort_by(|&i, &j| match (text(i), text(j)) {
        (Some(a), Some(b)) => turned(a.cmp(b)),
        _ => match (column.number(&listed(i)), column.number(&listed(j))) {
            (Some(a), Some(b)) => turned(a.total_cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
    });
}

/// Requests in flight over time, of those that have a place in it.
#[must_use]
pub fn concurrency(profile: &Profile) -> Vec<(i64, u32)> {
    in_flight(profile.requests.rows.iter().filter_map(Request::flight))
}

/// How many are in flight from each time on, until the next; ascending. At the same time, departures come before arrivals.
pub(super) fn in_flight(flights: impl Iterator<Item = Flight>) -> Vec<(i64, u32)> {
    let mut edges: Vec<(i64, i32)> = Vec::new();
    for flight in flights {
        edges.push((flight.from, 1));
        edges.extend((flight.until < i64::MAX).then_some((flight.until, -1)));
    }
    edges.sort_unstable();
    let mut steps: Vec<(i64, u32)> = Vec::new();
    let mut now = 0i32;
    for (time, step) in edges {
        now += step;
        // A request without length leaves before it arrives; it never counts.
        let level = now.max(0) as u32;
        match steps.last_mut() {
            Some(last) if last.0 == time => last.1 = level,
            _ => steps.push((time, level)),
        }
    }
    steps
}

/// Time and length of each gap between two output tokens of a request, ns. The wait for the first
/// token is not a gap.
pub fn gaps(request: &Request) -> impl Iterator<Item = (i64, i64)> + '_ {
    request.token_times.windows(2).map(|w| (w[1], w[1].saturating_sub(w[0])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ProfileBuilder, Retry, TokenCounts};
    use crate::query::{Engine, Run};
    use std::sync::Arc;

    fn subject() -> Run {
        let mut b = ProfileBuilder::new("test");
        for (name, arrived, first, finished, output) in [
            ("a", 0, Some(40), Some(100), Some(4)),
            ("b", 10, Some(20), Some(50), Some(1)),
            ("c", 50, None, None, None),
            ("d", 60, Some(90), Some(200), Some(12)),
        ] {
            let name = b.string(name);
            b.request(Request {
                name,
                arrived,
                first_token: first,
                finished,
                tokens: TokenCounts { output, ..TokenCounts::default() },
                token_times: first.into_iter().chain(finished).collect(),
                outcome: if finished.is_some() { Outcome::Ok } else { Outcome::Running },
                ..Request::default()
            });
        }
        Run::of(Arc::new(b.finish()))
    }

    fn ask(
        sort: RequestColumn,
        descending: bool,
        search: &str,
        range: Option<(i64, i64)>,
    ) -> (String, RequestList) {
        let subject = subject();
        let asked = Asked { range, search: search.into(), ..Asked::default() };
        let query = RequestTable { asked, sort, descending };
        let list = Engine::inline().now(&subject, &query, &crate::jobs::Job::new()).unwrap();
        let p = &subject.profile;
        let names = list.rows.iter().map(|id| p.text(p.requests.get(*id).unwrap().name)).collect();
        (names, (*list).clone())
    }

    #[test]
    fn unknown_values_come_last_in_either_direction() {
        use RequestColumn::{Arrived, Name, Tpot, Ttft};
        assert_eq!(ask(Arrived, false, "", None).0, "abcd");
        assert_eq!(ask(Ttft, false, "", None).0, "bdac");
        assert_eq!(ask(Ttft, true, "", None).0, "adbc");
        assert_eq!(ask(Tpot, true, "", None).0, "adbc", "one token has no time per further token");
        assert_eq!(ask(Name, true, "", None).0, "dcba");
    }

    #[test]
    fn search_and_range_narrow_the_rows_but_not_the_concurrency() {
        let (names, list) = ask(RequestColumn::Arrived, false, "b,d", Some((0, 60)));
        assert_eq!(names, "b");
        assert_eq!(list.all, 4);
        assert_eq!(list.figures.unwrap().count, 1, "figures are those of the rows");
        assert_eq!(list.concurrency, [(0, 1), (10, 2), (50, 2), (60, 3), (100, 2), (200, 1)]);
    }

    #[test]
    fn gaps_are_between_tokens_only() {
        let (_, list) = ask(RequestColumn::Arrived, false, "", None);
        let gaps = list.gaps.unwrap();
        assert_eq!((gaps.n, gaps.min, gaps.max), (3, 30.0, 110.0));
        assert!(!list.single_tokens, "two stamps for four tokens are chunks");
    }

    #[test]
    fn parts_cover_the_request_whatever_is_known() {
        use RequestPart::{Answer, Attempt, BackOff, Decode, Prefill, Queued, Unknown};
        let r = |scheduled, first_token, finished| Request {
            arrived: 10,
            scheduled,
            first_token,
            finished,
            ..Request::default()
        };
        assert_eq!(
            parts(&r(Some(20), Some(30), Some(90)), 500),
            [(10, 20, Queued), (20, 30, Prefill), (30, 90, Decode)]
        );
        assert_eq!(parts(&r(None, None, Some(90)), 500), [(10, 90, Unknown)]);
        let running = Request { outcome: Outcome::Running, ..r(None, Some(40), None) };
        assert_eq!(parts(&running, 500), [(10, 40, Prefill), (40, 500, Decode)]);
        assert_eq!(parts(&r(None, Some(40), None), 500), [(10, 40, Prefill)], "it ended, nobody knows when");
        assert_eq!(parts(&r(Some(5), Some(700), Some(90)), 500), [(10, 90, Prefill)], "stamps in odd order");
        assert_eq!(parts(&r(None, None, None), 0), []);
        assert_eq!(
            parts(&r(Some(20), None, Some(90)), 500),
            [(10, 20, Queued), (20, 90, Answer)],
            "what came in one piece is no prefill"
        );
        let failed = Request { outcome: Outcome::Error, ..r(Some(20), None, Some(90)) };
        assert_eq!(parts(&failed, 500), [(10, 20, Queued), (20, 90, Unknown)]);
        let retry = |began, failed, again| Retry { began, failed, again, ..Retry::default() };
        let retried = Request {
            retries: vec![retry(20, 25, 45), retry(45, 50, 60)],
            ..r(Some(20), Some(70), Some(90))
        };
        assert_eq!(
            parts(&retried, 500),
            [
                (10, 20, Queued),
                (20, 25, Attempt),
                (25, 45, BackOff),
                (45, 50, Attempt),
                (50, 60, BackOff),
                (60, 70, Prefill),
                (70, 90, Decode)
            ]
        );
    }

    #[test]
    fn requests_in_a_row_do_not_overlap() {
        let subject = subject();
        let packing = Engine::inline().now(&subject, &RequestRows, &crate::jobs::Job::new()).unwrap();
        assert_eq!(*packing, Packing { rows: vec![vec![0], vec![1, 2], vec![3]] });
    }
}
