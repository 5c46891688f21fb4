//! The spans, samples or requests that a filter picks.

use std::cmp::Reverse;

use super::Filter;
use crate::analysis::billing::Bill;
use crate::analysis::overview::Distribution;
use crate::analysis::prices::Prices;
use crate::analysis::scope::{Scope, TimeRange};
use crate::jobs::Cancelled;
use crate::model::{Profile, RequestId, SpanStatus, TrackId};
use crate::query::{Context, Query};

/// Most rows that are listed: the longest.
const MOST: usize = 20_000;

/// What is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Calls with start and end.
    #[default]
    Spans,
    /// Samples of stacks.
    Samples,
    /// Requests to a language model.
    Requests,
}

impl Kind {
    /// All, with what they are called.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Spans, "Spans"), (Self::Samples, "Samples"), (Self::Requests, "Requests")];

    /// True when a profile has any.
    #[must_use]
    pub fn is_in(self, profile: &Profile) -> bool {
        match self {
            Self::Spans => profile.span_count() > 0,
            Self::Samples => profile.sample_count() > 0,
            Self::Requests => !profile.requests.rows.is_empty(),
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A row of a track's spans.
    Span(TrackId, u32),
    /// A sample of a track.
    Sample(TrackId, u32),
    /// A request.
    Request(RequestId),
}

/// What a filter picks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The longest, longest first; those without a length last.
    pub rows: Vec<Row>,
    /// How many there are, listed or not.
    pub count: u64,
    /// How many were looked through.
    pub of: u64,
    /// Lengths of those that have one, ns, as all other views tell them; `None` without any.
    pub lengths: Option<Distribution>,
    /// These lengths together, ns.
    pub sum: i64,
    /// From the first start to the last end, ns.
    pub time: Option<(i64, i64)>,
}

/// Computes the [`Found`]. A filter that is not understood is answered with what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FilterRows {
    /// The filter.
    pub filter: String,
    /// What it is asked of.
    pub kind: Kind,
    /// Which tracks.
    pub scope: Scope,
    /// What begins in this time.
    pub range: TimeRange,
    /// By which prices what requests cost is counted.
    pub prices: Prices,
}

impl Query for FilterRows {
    type Output = Result<Found, String>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let filter = match Filter::read(&self.filter) {
            Ok(filter) => filter,
            Err(why) => return Ok(Err(why)),
        };
        let profile = cx.profile();
        if let Some(why) = filter.as_ref().and_then(|filter| filter.unknown(profile)) {
            return Ok(Err(why));
        }
        let bound = filter.as_ref().map(|filter| filter.of(profile));
        let inside = |time: i64| self.range.is_none_or(|(from, to)| (from..to).contains(&time));
        let mut rows: Vec<(Option<i64>, Row)> = Vec::new();
        let mut found = Found::default();
        let mut add = |row: Row, length: Option<i64>, time: Option<(i64, i64)>| {
            rows.push((length, row));
            if let Some((from, to)) = time {
                found.time =
                    Some(found.time.map_or((from, to), |(a, b): (i64, i64)| (a.min(from), b.max(to))));
            }
        };
        let mut of = 0u64;
        match self.kind {
            Kind::Spans => {
                for track in self.scope.tracks_of(profile) {
                    for (row, span) in (0u32..).zip(&profile.track(track).spans.rows) {
                        if row % 65_536 == 0 {
                            cx.job().checkpoint(0, 0)?;
                        }
                        if !inside(span.start) {
                            continue;
                        }
                        of += 1;
                        if bound.as_ref().is_none_or(|b| b.span(track, row)) {
                            let ended = span.status != SpanStatus::Unfinished;
                            add(
                                Row::Span(track, row),
                                ended.then(|| span.duration()),
                                Some((span.start, span.end)),
                            );
                        }
                    }
                }
            }
            Kind::Samples => {
                for track in self.scope.tracks_of(profile) {
                    let samples = &profile.track(track).samples;
                    for at in 0..samples.len() {
                        if at % 65_536 == 0 {
                            cx.job().checkpoint(0, 0)?;
                        }
                        let time = samples.times.get(at).copied();
                        if !time.map_or(self.range.is_none(), inside) {
                            continue;
                        }
                        of += 1;
                        if bound.as_ref().is_none_or(|b| b.sample(track, at)) {
                            add(Row::Sample(track, at as u32), None, time.map(|t| (t, t.saturating_add(1))));
                        }
                    }
                }
            }
            Kind::Requests => {
                let bill = cx.get(&Bill { prices: self.prices.clone() })?;
                for (at, request) in profile.requests.rows.iter().enumerate() {
                    if !inside(request.arrived) {
                        continue;
                    }
                    of += 1;
                    let id = RequestId(at as u32);
                    let cost = bill.cost(id).map(|cost| cost.to_f64());
                    if bound.as_ref().is_none_or(|b| b.request(request, cost)) {
                        let end = request.finished.unwrap_or(request.arrived);
                        let time = (!request.undated).then_some((request.arrived, end.max(request.arrived)));
                        add(Row::Request(id), request.latency(), time);
                    }
                }
            }
        }
        cx.job().checkpoint(0, 0)?;
        let lengths = || rows.iter().filter_map(|r| r.0);
        found.sum = lengths().fold(0, i64::saturating_add);
        found.lengths = Distribution::of(lengths().map(|ns| ns as f64).collect());
        (found.count, found.of) = (rows.len() as u64, of);
        // Stable: equal lengths stay in the order of tracks and time.
        rows.sort_by_key(|r| Reverse(r.0));
        found.rows = rows.into_iter().take(MOST).map(|r| r.1).collect();
        Ok(Ok(found))
    }

    fn weight(found: &Self::Output) -> usize {
        found.as_ref().map_or(64, |f| f.rows.len() * 12)
    }
}
