//! Which span is which request, what spans called on other lanes and tracks, and what they caused there.
//!
//! A request knows its track and its times. Imported calls have a span of exactly these times. In a recording the span around the
//! request is looked for: where a link led to the work on it, on its own track, and for one that nobody worked on (a hit of a
//! cache) anywhere; of the spans around it the innermost one counts.

use rustc_hash::{FxHashMap, FxHashSet};

use super::kind::Kind;
use crate::jobs::Cancelled;
use crate::model::{EVENT_LOOP, NO_ROW, Profile, Request, RequestId, Span, SpanTable, TrackId, TrackKind};
use crate::query::{Context, Query};

/// A span: its track and its row.
pub type Place = (TrackId, u32);

/// Tracks with more lanes are not looked through for what lies around a request.
const MOST_LANES: usize = 256;
/// Links that are followed at most.
const MOST_LINKS: usize = 200_000;
/// Links into the time of one request that are looked at.
const NEAR_LINKS: usize = 64;

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its span, or the one that it was made in.
    pub place: Place,
    /// The span is the request and nothing else.
    pub is_it: bool,
}

/// Spans of requests, and ways between spans.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The kind of each function's spans.
    pub(super) kinds: Vec<Kind>,
    /// By request; `None` for one that no span tells of.
    pub(super) homes: Vec<Option<Home>>,
    /// Requests by the span that they are or were made in.
    pub(super) requests: FxHashMap<Place, Vec<RequestId>>,
    /// What a span called on other lanes and tracks.
    pub(super) callees: FxHashMap<Place, Vec<Place>>,
    /// Outermost spans of other tracks that links lead to.
    pub(super) follows: FxHashMap<Place, Vec<Place>>,
}

/// Computes the [`Places`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FindPlaces;

impl Query for FindPlaces {
    type Output = Places;

    fn run(&self, cx: &Context<'_>) -> Result<Places, Cancelled> {
        let profile = cx.profile();
        let mut out = Places { kinds: Kind::all(profile), ..Places::default() };
        for id in profile.track_ids().filter(|&id| holds_work(profile, id)) {
            for c in &profile.track(id).spans.callers {
                out.callees.entry((c.track, c.parent)).or_default().push((id, c.row));
            }
        }
        let exact = exact(profile, &out.kinds);
        let links = links_into(profile);
        let anywhere = anywhere(profile);
        for (n, r) in profile.requests.rows.iter().enumerate() {
            if n % 256 == 0 {
                cx.job().checkpoint(n as u64, profile.requests.rows.len() as u64)?;
            }
            let id = RequestId::from_index(n);
            let found = match exact.get(&id) {
                Some(place) => Some(*place),
                None if r.undated => None,
                None => around(profile, r, &links, &anywhere),
            };
            if let Some(place) = found {
                out.requests.entry(place).or_default().push(id);
            }
            out.homes.push(found.map(|place| Home { place, is_it: false }));
        }
        for (place, ids) in &out.requests {
            let [only] = ids[..] else { continue };
            let r = &profile.requests.rows[only.index()];
            let is_it = exact.contains_key(&only) || is_tight(r, span(profile, *place));
            out.homes[only.index()] = Some(Home { place: *place, is_it });
        }
        out.follow(profile);
        Ok(out)
    }

    fn weight(places: &Places) -> usize {
        places.homes.len() * 16
            + (places.requests.len() + places.callees.len() + places.follows.len()) * 48
            + places.kinds.len()
    }
}

impl Places {
    /// The kind of a span; one that is a request is a call of a model, unless it makes embeddings.
    pub(in crate::analysis) fn kind(&self, profile: &Profile, place: Place) -> Kind {
        let of_span = self.kinds[span(profile, place).function.index()];
        match self.request(place) {
            Some(_) if of_span != Kind::Embedding => Kind::Model,
            _ => of_span,
        }
    }

    /// The request that a span is.
    #[must_use]
    pub fn request(&self, place: Place) -> Option<RequestId> {
        let [only] = self.requests.get(&place)?[..] else { return None };
        self.homes[only.index()].filter(|home| home.is_it).map(|_| only)
    }

    /// Requests that were made in a span without one of their own.
    pub(in crate::analysis) fn made_in(&self, place: Place) -> impl Iterator<Item = RequestId> + '_ {
        let ids = self.requests.get(&place).map_or(&[][..], Vec::as_slice);
        ids.iter().copied().filter(|id| self.homes[id.index()].is_some_and(|home| !home.is_it))
    }

    /// Notes which outermost spans links lead to, below the request or the span that the link comes from.
    fn follow(&mut self, profile: &Profile) {
        for link in profile.links.iter().take(MOST_LINKS) {
            let (to, from) = (profile.track(link.to.0), profile.track(link.from.0));
            if matches!(to.kind, TrackKind::GpuStream) || to.spans.lanes.len() > MOST_LANES {
                continue;
            }
            let target = to.spans.innermost_at(link.to.1).filter(|&row| is_root(&to.spans, row));
            let source = from.spans.innermost_at(link.from.1);
            let (Some(target), Some(source)) = (target, source) else { continue };
            let above = profile.span_ancestors(link.from.0, source).find(|p| self.request(*p).is_some());
            let source = above.unwrap_or((link.from.0, source));
            let target = (link.to.0, target);
            let known = self.follows.entry(source).or_default();
            if source != target && !known.contains(&target) {
                known.push(target);
            }
        }
    }
}

pub(super) fn span(profile: &Profile, (track, row): Place) -> &Span {
    &profile.track(track).spans.rows[row as usize]
}

/// True for a span that nothing called.
pub(super) fn is_root(spans: &SpanTable, row: u32) -> bool {
    spans.rows[row as usize].parent == NO_ROW && spans.caller(row).is_none()
}

/// True for tracks that tell of work: not of phases, of the turns of an event loop, or of a GPU.
#[must_use]
pub fn holds_work(profile: &Profile, track: TrackId) -> bool {
    let track = profile.track(track);
    match track.kind {
        TrackKind::Phase | TrackKind::GpuStream | TrackKind::Untimed => false,
        TrackKind::Summary => !profile.text(track.name).starts_with(EVENT_LOOP),
        _ => true,
    }
}

/// Requests whose span has exactly their times, on their track.
fn exact(profile: &Profile, kinds: &[Kind]) -> FxHashMap<RequestId, Place> {
    let mut wanted: FxHashMap<(TrackId, i64), Vec<RequestId>> = FxHashMap::default();
    for (n, r) in profile.requests.rows.iter().enumerate().filter(|(_, r)| !r.undated) {
        if let Some(track) = r.track {
            wanted.entry((track, r.arrived)).or_default().push(RequestId::from_index(n));
        }
    }
    let tracks: FxHashSet<TrackId> = wanted.keys().map(|key| key.0).collect();
    // How well a span fits: its kind, its name, its depth.
    let mut best: FxHashMap<RequestId, ((bool, bool, u32), Place)> = FxHashMap::default();
    for track in tracks {
        for (row, span) in (0u32..).zip(&profile.track(track).spans.rows) {
            for id in wanted.get(&(track, span.start)).into_iter().flatten() {
                let r = &profile.requests.rows[id.index()];
                let is_call = matches!(kinds[span.function.index()], Kind::Model | Kind::Embedding);
                if r.finished.is_some_and(|end| end != span.end) || r.finished.is_none() && !is_call {
                    continue;
                }
                let named = profile.function_name(span.function) == profile.text(r.name);
                let fit = (is_call, named, span.depth);
                let known = best.entry(*id).or_insert((fit, (track, row)));
                if fit > known.0 {
                    *known = (fit, (track, row));
                }
            }
        }
    }
    best.into_iter().map(|(id, (_, place))| (id, place)).collect()
}

/// Per track the links into it: when, and the span that they come from.
fn links_into(profile: &Profile) -> FxHashMap<TrackId, Vec<(i64, TrackId, i64)>> {
    let tracks: FxHashSet<TrackId> = profile.requests.rows.iter().filter_map(|r| r.track).collect();
    let mut links: FxHashMap<TrackId, Vec<(i64, TrackId, i64)>> = FxHashMap::default();
    for link in profile.links.iter().take(MOST_LINKS).filter(|l| tracks.contains(&l.to.0)) {
        links.entry(link.to.0).or_default().push((link.to.1, link.from.0, link.from.1));
    }
    links.values_mut().for_each(|of| of.sort_unstable());
    links
}

/// Tracks that are looked through for a request that knows none; none where that would be too many lanes.
fn anywhere(profile: &Profile) -> Vec<TrackId> {
    let tracks: Vec<TrackId> = profile.track_ids().filter(|&id| holds_work(profile, id)).collect();
    let lanes: usize = tracks.iter().map(|&id| profile.track(id).spans.lanes.len()).sum();
    if lanes > MOST_LANES { Vec::new() } else { tracks }
}

/// The innermost span around a request.
fn around(
    profile: &Profile,
    r: &Request,
    links: &FxHashMap<TrackId, Vec<(i64, TrackId, i64)>>,
    anywhere: &[TrackId],
) -> Option<Place> {
    let end = r.finished.unwrap_or(r.arrived);
    let covers =
        |place: &Place, from: i64| span(profile, *place).start <= from && span(profile, *place).end >= end;
    let mut found: Vec<Place> = Vec::new();
    if let Some(track) = r.track {
        let links = links.get(&track).map_or(&[][..], Vec::as_slice);
        let worked = r.scheduled.unwrap_or(r.arrived);
        let near = links.partition_point(|l| l.0 <= worked);
        let near = &links[near.saturating_sub(NEAR_LINKS)..(near + NEAR_LINKS).min(links.len())];
        for &(time, from, at) in near.iter().filter(|l| l.0 >= r.arrived && l.0 <= end) {
            let source = profile.track(from).spans.innermost_at(at.min(time));
            let above =
                source.and_then(|row| profile.span_ancestors(from, row).find(|p| covers(p, r.arrived)));
            found.extend(above);
        }
        // What links led to is work for somebody, who is known by the link.
        let tight = found.iter().copied().filter(|p| is_tight(r, span(profile, *p)));
        if let Some(caller) = tight.max_by_key(|p| span(profile, *p).start) {
            return Some(caller);
        }
        let spans = &profile.track(track).spans;
        if spans.lanes.len() <= MOST_LANES {
            found.extend(innermost(spans, worked, end).map(|row| (track, row)));
        }
    } else {
        let of = |&id: &TrackId| Some((id, innermost(&profile.track(id).spans, r.arrived, end)?));
        // A span that holds more than the request may be anybody's.
        found.extend(anywhere.iter().filter_map(of).filter(|p| is_tight(r, span(profile, *p))));
    }
    found.into_iter().max_by_key(|p| (is_tight(r, span(profile, *p)), span(profile, *p).start))
}

/// The innermost span that covers a stretch, in the lane where that began last.
fn innermost(spans: &SpanTable, from: i64, to: i64) -> Option<u32> {
    let of_lane = |lane: &crate::model::Lane| {
        let rows = &spans.rows[lane.rows.start as usize..lane.rows.end as usize];
        let last = rows.partition_point(|s| s.start <= from).checked_sub(1)?;
        spans.ancestors(lane.rows.start + last as u32).find(|&r| spans.rows[r as usize].end >= to)
    };
    spans.lanes.iter().filter_map(of_lane).max_by_key(|&row| spans.rows[row as usize].start)
}

/// True when a span holds little else than a request, or the work on it.
fn is_tight(r: &Request, span: &Span) -> bool {
    let end = r.finished.unwrap_or(span.end);
    let within = |from: i64| {
        let length = end.saturating_sub(from).max(0);
        span.duration() <= length.saturating_add(length / 4).saturating_add(1_000_000)
    };
    span.end >= end && (within(r.arrived) || r.scheduled.is_some_and(within))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::{ArgsRef, FunctionSpec, Link, ProfileBuilder, TrackSpec};

    fn track(b: &mut ProfileBuilder, name: &str) -> TrackId {
        b.track(TrackSpec { name, process: "", kind: TrackKind::Task, sort: 0 })
    }

    fn spans(b: &mut ProfileBuilder, track: TrackId, list: &[(&str, i64, i64)]) {
        for &(name, start, end) in list {
            let category = if name == "chat" { "llm" } else { "" };
            let f = b.function(FunctionSpec { category, ..FunctionSpec::named(name) });
            b.span(track, start, end, f, ArgsRef::NONE);
        }
    }

    fn homes(run: &crate::query::Run) -> Vec<Option<(String, bool)>> {
        let found = ask(run, &FindPlaces);
        let name = |h: &Home| {
            let f = span(&run.profile, h.place).function;
            (run.profile.function_name(f).to_owned(), h.is_it)
        };
        found.homes.iter().map(|h| h.as_ref().map(name)).collect()
    }

    const MS: i64 = 1_000_000;

    #[test]
    fn an_imported_call_is_the_span_of_its_times_and_not_the_one_around_it() {
        let run = built(|b| {
            let t = track(b, "trace");
            spans(
                b,
                t,
                &[("agent", 0, 90 * MS), ("turn", 0, 50 * MS), ("chat", 0, 50 * MS), ("http", 0, 50 * MS)],
            );
            b.request(Request { track: Some(t), arrived: 0, finished: Some(50 * MS), ..Request::default() });
            b.request(Request { arrived: 95 * MS, finished: Some(96 * MS), ..Request::default() });
        });
        assert_eq!(homes(&run), [Some(("chat".into(), true)), None]);
    }

    #[test]
    fn requests_that_are_generated_together_are_those_of_their_clients() {
        let run = built(|b| {
            let clients = [track(b, "client 1"), track(b, "client 2")];
            let worker = track(b, "worker");
            spans(b, clients[0], &[("client", 0, 400 * MS), ("request", 10 * MS, 110 * MS)]);
            spans(b, clients[1], &[("client", 0, 400 * MS), ("request", 12 * MS, 112 * MS)]);
            spans(b, worker, &[("batch", 50 * MS, 111 * MS)]);
            for (i, client) in clients.into_iter().enumerate() {
                let i = i as i64;
                let at = 50 * MS + 1 + i;
                let name = b.string("follows from");
                b.link(Link { from: (client, at), to: (worker, at), name });
                b.request(Request {
                    track: Some(worker),
                    arrived: (10 + 2 * i) * MS + 5,
                    scheduled: Some(at + 1),
                    finished: Some((110 + 2 * i) * MS - 5),
                    ..Request::default()
                });
            }
            // A hit of a cache: nobody worked on it.
            spans(b, clients[1], &[("request", 200 * MS, 201 * MS)]);
            b.request(Request { arrived: 200 * MS + 9, finished: Some(201 * MS - 9), ..Request::default() });
        });
        let request = || Some(("request".to_owned(), true));
        assert_eq!(homes(&run), [request(), request(), request()]);
        let found = ask(&run, &FindPlaces);
        let tracks: Vec<u32> = found.homes.iter().map(|h| h.unwrap().place.0.0).collect();
        assert_eq!(tracks, [0, 1, 1]);
        let batch = (TrackId(2), 0);
        assert_eq!(
            found.follows[&found.homes[0].unwrap().place],
            [batch],
            "below the request, not below its wait"
        );
    }

    #[test]
    fn several_requests_in_one_span_are_parts_of_it() {
        let run = built(|b| {
            let t = track(b, "main");
            spans(b, t, &[("ask", 0, 100 * MS)]);
            for (from, to) in [(1, 40), (50, 90)] {
                b.request(Request {
                    track: Some(t),
                    arrived: from * MS,
                    finished: Some(to * MS),
                    ..Request::default()
                });
            }
        });
        assert_eq!(homes(&run), [Some(("ask".into(), false)), Some(("ask".into(), false))]);
        let found = ask(&run, &FindPlaces);
        assert_eq!(found.made_in((TrackId(0), 0)).count(), 2);
        assert_eq!(found.request((TrackId(0), 0)), None);
    }
}
