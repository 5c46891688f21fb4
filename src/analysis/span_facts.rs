//! Facts about one span that take a look at its neighbours: own time, children, links.

use super::intervals::covered;
use super::nested_samples::sampled_in;
use crate::jobs::{Cancelled, Job};
use crate::model::{Caller, Profile, StringId, TrackId};
use crate::query::{Context, Query};

/// The other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEnd {
    /// True when the span is the cause.
    pub outgoing: bool,
    /// Track of the other end.
    pub track: TrackId,
    /// Time of the other end, ns.
    pub time: i64,
    /// Span at the other end, when there is one.
    pub row: Option<u32>,
    /// Time of this end, ns.
    pub here: i64,
    /// Name or category of the link.
    pub name: StringId,
}

/// What [`SpanFacts`] finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Duration without the time in which anything that it called ran, on whatever lane or in samples, ns.
    pub own: i64,
    /// Number of direct children, on other lanes and tracks too.
    pub children: u64,
    /// The longest of them, at most [`MAX_CALLED`].
    pub called: Vec<(TrackId, u32)>,
    /// Number of spans below it on its lane.
    pub below: u64,
    /// Links, at most [`MAX_LINKS`].
    pub links: Vec<LinkEnd>,
    /// Number of all links.
    pub link_count: usize,
}

/// Most children that are listed.
pub const MAX_CALLED: usize = 12;
/// Most links that are listed.
pub const MAX_LINKS: usize = 100;

/// Computes the [`Facts`] of a span.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpanFacts {
    /// Its track.
    pub track: TrackId,
    /// Its row.
    pub row: u32,
}

impl Query for SpanFacts {
    type Output = Facts;

    fn run(&self, cx: &Context<'_>) -> Result<Facts, Cancelled> {
        let profile = cx.profile();
        let Some(track) = profile.tracks.get(self.track.index()) else { return Ok(Facts::default()) };
        let row = self.row as usize;
        let Some(span) = track.spans.rows.get(row) else { return Ok(Facts::default()) };
        let end = track.spans.subtree_end(row);
        let mut facts = Facts { below: (end - row - 1) as u64, ..Facts::default() };
        let rows = (row + 1..end).map(|at| (self.track, at as u32));
        let nested = rows.filter(|&(_, at)| track.spans.rows[at as usize].parent == self.row);
        let beside = profile.track_ids().flat_map(|id| {
            let called = |c: &&Caller| (c.track, c.parent) == (self.track, self.row);
            profile.track(id).spans.callers.iter().filter(called).map(move |c| (id, c.row))
        });
        let mut places: Vec<(TrackId, u32)> = nested.chain(beside).collect();
        let span_of = |(id, at): (TrackId, u32)| &profile.track(id).spans.rows[at as usize];
        let called: Vec<_> = places.iter().map(|&place| span_of(place)).map(|s| (s.start, s.end)).collect();
        places.sort_by_key(|&place| std::cmp::Reverse(span_of(place).duration()));
        places.truncate(MAX_CALLED);
        facts.called = places;
        facts.children = called.len() as u64;
        facts.own = (span.duration())
            .saturating_sub(covered(called, Some((span.start, span.end))))
            .saturating_sub(sampled_in(profile, self.track, self.row));
        links(profile, self, &mut facts, cx.job())?;
        Ok(facts)
    }
}

/// True when a link's end at `time` on a track is inside the span and in none of its children. An end
/// at the very end of a span belongs to it when nothing else runs then.
fn ends_in(profile: &Profile, span: &SpanFacts, (track, time): (TrackId, i64)) -> bool {
    let spans = &profile.track(span.track).spans;
    let own = &spans.rows[span.row as usize];
    if track != span.track || !(own.start..=own.end).contains(&time) {
        return false;
    }
    span_at(profile, track, time) == Some(span.row)
}

/// The span that an end of a link at `time` belongs to.
#[must_use]
pub fn span_at(profile: &Profile, track: TrackId, time: i64) -> Option<u32> {
    let spans = &profile.tracks.get(track.index())?.spans;
    spans.innermost_at(time).or_else(|| {
        spans.innermost_at(time.checked_sub(1)?).and_then(|row| {
            // The outermost span that ends exactly here.
            spans.ancestors(row).filter(|&r| spans.rows[r as usize].end == time).last()
        })
    })
}

fn links(profile: &Profile, span: &SpanFacts, facts: &mut Facts, job: &Job) -> Result<(), Cancelled> {
    for (i, link) in profile.links.iter().enumerate() {
        if i % 4096 == 0 {
            job.checkpoint(i as u64, profile.links.len() as u64)?;
        }
        for (outgoing, here, other) in [(true, link.from, link.to), (false, link.to, link.from)] {
            if !ends_in(profile, span, here) {
                continue;
            }
            facts.link_count += 1;
            if facts.links.len() < MAX_LINKS {
                facts.links.push(LinkEnd {
                    outgoing,
                    track: other.0,
                    time: other.1,
                    row: span_at(profile, other.0, other.1),
                    here: here.1,
                    name: link.name,
                });
            }
        }
    }
    Ok(())
}

/// Track and row of each span from the outermost caller down to the span itself, at most `limit` of the
/// innermost.
#[must_use]
pub fn path(profile: &Profile, track: TrackId, row: u32, limit: usize) -> Vec<(TrackId, u32)> {
    let mut rows: Vec<_> = profile.span_ancestors(track, row).take(limit).collect();
    rows.reverse();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, Link, ProfileBuilder, Strings, TrackKind, TrackSpec};
    use crate::query::{Engine, Run};
    use std::sync::Arc;

    #[test]
    fn own_time_children_and_links_of_a_span() {
        let mut b = ProfileBuilder::new("test");
        let spec = |name| TrackSpec { name, process: "", kind: TrackKind::Thread, sort: 0 };
        let (cpu, gpu) = (b.track(spec("cpu")), b.track(spec("gpu")));
        let f = b.function(FunctionSpec::named("f"));
        for (from, to) in [(0, 100), (10, 30), (12, 20), (40, 50)] {
            b.span(cpu, from, to, f, ArgsRef::NONE);
        }
        b.span(gpu, 60, 70, f, ArgsRef::NONE);
        b.link(Link { from: (cpu, 15), to: (gpu, 60), name: Strings::EMPTY });
        b.link(Link { from: (cpu, 100), to: (gpu, 99), name: Strings::EMPTY });
        let subject = Run::of(Arc::new(b.finish()));
        let facts = |track, row| {
            let query = SpanFacts { track, row };
            (*Engine::inline().now(&subject, &query, &Job::new()).unwrap()).clone()
        };
        let outer = facts(cpu, 0);
        assert_eq!((outer.own, outer.children, outer.below), (70, 2, 3));
        assert_eq!(outer.links.len(), 1, "a link at the very end belongs to the span that ends there");
        assert_eq!(outer.links[0].row, None);
        let inner = facts(cpu, 2);
        assert_eq!((inner.own, inner.children), (8, 0));
        assert_eq!(inner.links[0].row, Some(0));
        assert!(inner.links[0].outgoing && !facts(gpu, 0).links[0].outgoing);
        assert_eq!(facts(gpu, 0).links[0].row, Some(2));
        assert_eq!(path(&subject.profile, cpu, 2, 10), [0, 1, 2].map(|row| (cpu, row)));
        assert_eq!(path(&subject.profile, cpu, 2, 2), [1, 2].map(|row| (cpu, row)));
        assert_eq!(facts(gpu, 99), Facts::default());
    }
}
