//! Which traces and sessions a profile has.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};

use super::places::{FindPlaces, Place, Places, holds_work, is_root, span};
use super::{SESSION, Which};
use crate::analysis::asked::Asked;
use crate::jobs::Cancelled;
use crate::model::{NO_ROW, Outcome, Profile, RequestId, SpanStatus};
use crate::query::{Context, Query};

/// Most traces that are listed: those with the most calls.
const MOST: usize = 2_000;
/// Of a profile without any call or step, the longest spans.
const WITHOUT_STEPS: usize = 200;

/// A trace or a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which.
    pub which: Which,
    /// What it is called.
    pub name: String,
    /// From its first to its last moment, ns; `None` where nobody says when its requests were.
    pub time: Option<(i64, i64)>,
    /// Requests.
    pub calls: usize,
    /// Of these, failed; of a trace without any, whether it failed itself.
    pub failed: usize,
    /// Spans that are steps, requests not counted.
    pub steps: usize,
}

impl Head {
    /// From its first to its last moment, ns.
    #[must_use]
    pub fn length(&self) -> Option<i64> {
        self.time.map(|(from, to)| to.saturating_sub(from))
    }
}

/// Traces and sessions.
#[derive(Clone, Debug, Default)]
pub struct TraceList {
    /// Sessions by their first request, then traces by their start.
    pub heads: Vec<Head>,
    /// Traces that are not listed.
    pub left_out: usize,
    /// What each request belongs to: where it is alone in its trace, its conversation.
    of_requests: Vec<Which>,
}

/// Computes the [`TraceList`]: of the traces with requests those with one that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Traces {
    /// Which requests.
    pub asked: Asked,
}

/// What is added up for a trace.
#[derive(Clone, Copy, Default)]
struct Sum {
    calls: usize,
    asked: usize,
    failed: usize,
    steps: usize,
}

impl TraceList {
    /// The trace or conversation of a request.
    #[must_use]
    pub fn of_request(&self, id: RequestId) -> Option<&Which> {
        self.of_requests.get(id.index())
    }

    /// What is shown before somebody chooses: the one with the most calls and steps, of these the longest.
    #[must_use]
    pub fn first(&self) -> Option<&Head> {
        self.heads.iter().max_by_key(|h| (h.calls, h.steps, h.length().unwrap_or(0)))
    }

    /// The one that is shown as `which`.
    #[must_use]
    pub fn find(&self, which: &Which) -> Option<&Head> {
        self.heads.iter().find(|h| h.which == *which)
    }
}

/// The trace of a span.
#[must_use]
pub fn of_span(profile: &Profile, place: Place) -> Option<Which> {
    let (track, row) = profile.span_ancestors(place.0, place.1).last()?;
    profile.span_key(track, row).map(Which::Span)
}

/// The session of a request; empty for none.
pub(super) fn session(profile: &Profile, id: RequestId) -> &str {
    let name = profile.strings.find(SESSION);
    let said = name.and_then(|name| profile.requests.rows[id.index()].attribute(name));
    said.map_or("", |value| profile.text(value))
}

/// The outermost caller of a span.
pub(in crate::analysis) fn root(profile: &Profile, place: Place) -> Place {
    profile.span_ancestors(place.0, place.1).last().unwrap_or(place)
}

impl Query for Traces {
    type Output = TraceList;

    fn run(&self, cx: &Context<'_>) -> Result<TraceList, Cancelled> {
        let profile = cx.profile();
        let places = cx.get(&FindPlaces)?;
        let asked = self.asked.ids(cx)?;
        let narrowed = asked.len() < profile.requests.rows.len();
        let asked: FxHashSet<RequestId> = asked.into_iter().collect();
        let mut roots: FxHashMap<Place, Sum> = FxHashMap::default();
        let homes = || places.homes.iter().enumerate().map(|(n, home)| (RequestId::from_index(n), home));
        let of_request: Vec<Option<Place>> =
            homes().map(|(_, home)| home.map(|h| root(profile, h.place))).collect();
        for (n, place) in of_request.iter().enumerate() {
            let Some(place) = place else { continue };
            let sum = roots.entry(*place).or_default();
            sum.calls += 1;
            sum.asked += usize::from(asked.contains(&RequestId::from_index(n)));
            sum.failed += usize::from(profile.requests.rows[n].outcome == Outcome::Error);
        }
        steps(cx, &places, &mut roots)?;
        if roots.is_empty() {
            longest(profile, &mut roots);
        }
        let mut out = TraceList::default();
        let mut traces: Vec<(Place, Sum)> =
            roots.iter().filter(|(_, sum)| !narrowed || sum.asked > 0).map(|(p, s)| (*p, *s)).collect();
        traces.sort_by_key(|(p, s)| (Reverse((s.calls, s.steps)), span(profile, *p).start, *p));
        out.left_out = traces.len().saturating_sub(MOST);
        traces.truncate(MOST);
        traces.sort_by_key(|(p, _)| (span(profile, *p).start, *p));
        let alone = |place: &Option<Place>| place.is_none_or(|p| roots[&p].calls == 1);
        sessions(profile, &asked, &of_request, &alone, &mut out);
        out.heads.extend(traces.into_iter().filter_map(|(place, sum)| head(profile, &places, place, sum)));
        Ok(out)
    }

    fn weight(list: &TraceList) -> usize {
        list.heads.len() * (size_of::<Head>() + 48) + list.of_requests.len() * size_of::<Which>()
    }
}

fn head(profile: &Profile, places: &Places, place: Place, sum: Sum) -> Option<Head> {
    let span = span(profile, place);
    let failed = if sum.calls == 0 { usize::from(span.status == SpanStatus::Error) } else { sum.failed };
    let name = match places.request(place) {
        Some(id) => profile.text(profile.requests.rows[id.index()].name),
        None => profile.function_name(span.function),
    };
    Some(Head {
        which: Which::Span(profile.span_key(place.0, place.1)?),
        name: name.to_owned(),
        time: Some((span.start, span.end)),
        calls: sum.calls,
        failed,
        steps: sum.steps,
    })
}

/// Counts the steps of all traces.
fn steps(cx: &Context<'_>, places: &Places, roots: &mut FxHashMap<Place, Sum>) -> Result<(), Cancelled> {
    let profile = cx.profile();
    if places.kinds.iter().all(|kind| !kind.is_step()) {
        return Ok(());
    }
    for track in profile.track_ids().filter(|&id| holds_work(profile, id)) {
        let rows = &profile.track(track).spans.rows;
        // The trace of the steps under the outermost span of the lane.
        let mut lane: Option<Place> = None;
        for (row, span) in (0u32..).zip(rows) {
            if row % 65_536 == 0 {
                cx.job().checkpoint(u64::from(row), rows.len() as u64)?;
            }
            if span.parent == NO_ROW {
                lane = None;
            }
            let is_step = places.kinds[span.function.index()].is_step();
            if is_step && lane.is_none() {
                lane = Some(root(profile, (track, row)));
            }
            if let Some(place) = lane.filter(|_| is_step && places.request((track, row)).is_none()) {
                roots.entry(place).or_default().steps += 1;
            }
        }
    }
    Ok(())
}

/// The longest spans of a profile without calls and steps.
fn longest(profile: &Profile, roots: &mut FxHashMap<Place, Sum>) {
    let mut found: Vec<(i64, Place)> = Vec::new();
    for track in profile.track_ids().filter(|&id| holds_work(profile, id)) {
        let spans = &profile.track(track).spans;
        let of = (0u32..).zip(&spans.rows).filter(|(row, _)| is_root(spans, *row));
        found.extend(of.map(|(row, span)| (span.duration(), (track, row))));
    }
    found.sort_by_key(|&(length, place)| (Reverse(length), place));
    roots.extend(found.into_iter().take(WITHOUT_STEPS).map(|(_, place)| (place, Sum::default())));
}

/// Conversations of several requests, and those requests of which nobody says where they belong.
fn sessions(
    profile: &Profile,
    asked: &FxHashSet<RequestId>,
    of_request: &[Option<Place>],
    alone: &dyn Fn(&Option<Place>) -> bool,
    out: &mut TraceList,
) {
    let mut known: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    let mut order: Vec<&str> = Vec::new();
    let mut loose: Vec<usize> = Vec::new();
    for (n, place) in of_request.iter().enumerate() {
        match session(profile, RequestId::from_index(n)) {
            "" if place.is_none() => loose.push(n),
            "" => {}
            name => {
                let of = known.entry(name).or_default();
                if of.is_empty() {
                    order.push(name);
                }
                of.push(n);
            }
        }
    }
    out.of_requests = of_request
        .iter()
        .enumerate()
        .map(|(n, place)| {
            let name = session(profile, RequestId::from_index(n));
            let talks = known.get(name).is_some_and(|all| all.len() > 1);
            let spans = || place.and_then(|p| of_span(profile, p));
            match (name, spans()) {
                ("", Some(trace)) => trace,
                ("", None) => Which::Loose,
                (_, Some(trace)) if !(talks && alone(place)) => trace,
                (name, _) => Which::Session(name.to_owned()),
            }
        })
        .collect();
    let head = |which: Which, name: String, all: &[usize]| {
        let rows = || all.iter().map(|&n| &profile.requests.rows[n]);
        let from = rows().map(|r| r.arrived).min();
        let to = rows().map(|r| r.finished.unwrap_or(r.arrived)).max();
        Head {
            which,
            name,
            time: from.zip(to).filter(|_| rows().all(|r| !r.undated)),
            calls: all.len(),
            failed: rows().filter(|r| r.outcome == Outcome::Error).count(),
            steps: 0,
        }
    };
    let wanted = |all: &[usize]| all.iter().any(|&n| asked.contains(&RequestId::from_index(n)));
    for name in order {
        let all = &known[name];
        let spanless = all.iter().any(|&n| of_request[n].is_none());
        if wanted(all) && (all.len() > 1 || spanless) {
            out.heads.push(head(Which::Session(name.to_owned()), name.to_owned(), all));
        }
    }
    if wanted(&loose) {
        let name = if loose.len() == of_request.len() { "All requests" } else { "Other requests" };
        out.heads.push(head(Which::Loose, name.to_owned(), &loose));
    }
}
