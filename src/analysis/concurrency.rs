//! Costs of spans whose callees ran on other lanes and tracks.
//!
//! Time: what such callees cover is not the caller's own time, and where they overlap each other, or go on
//! beside the caller's other callees, the total above them counts the moment once: a caller that waits two
//! seconds for branches of one and two seconds has a total of two seconds, not three.
//!
//! Other metrics are inclusive as far as the caller's value reaches (the caller of a branch polls it); what a
//! callee has beyond that adds up.

use std::collections::BTreeMap;

use super::call_tree::CallTree;
use super::intervals::{self, Intervals};
use super::tree_costs::{Adding, Column, cut};
use crate::jobs::{Cancelled, Job};
use crate::model::{Profile, Span, SpanTable, TrackId};

type Place = (TrackId, u32);

/// Callers with their callees on other lanes and tracks.
pub(super) struct Families<'a> {
    profile: &'a Profile,
    tree: &'a CallTree,
    families: BTreeMap<Place, Vec<Place>>,
}

impl<'a> Families<'a> {
    /// Finds those of a tree.
    pub fn new(profile: &'a Profile, tree: &'a CallTree) -> Self {
        let mut families: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for nodes in &tree.tracks {
            for c in &profile.track(nodes.track).spans.callers {
                families.entry((c.track, c.parent)).or_default().push((nodes.track, c.row));
            }
        }
        Self { profile, tree, families }
    }

    /// Takes what such callees have from the own costs of their callers on `track`. What the sums of own costs count
    /// more than once goes to `twice`, with the node of the caller.
    pub fn correct(
        &self,
        adding: &Adding<'_>,
        track: TrackId,
        own: &mut dyn FnMut(u32, i64),
        twice: &mut Vec<(u32, i64)>,
        job: &Job,
    ) -> Result<(), Cancelled> {
        let (profile, tree) = (self.profile, self.tree);
        for (&caller, callees) in self.families.range((track, 0)..=(track, u32::MAX)) {
            job.checkpoint(0, 0)?;
            let Some(node) = tree.node_of_span(caller.0, caller.1) else { continue };
            let family = Family { profile, tree, wanted: adding.column, caller, callees };
            let (taken, more) = if family.is_time() { family.time() } else { (family.other(), 0) };
            if !adding.scope.leaves_out(family.span(caller).status) {
                own(node, taken.saturating_neg());
            }
            twice.push((node, more));
        }
        Ok(())
    }

    /// When callees on other lanes and tracks ran, for each caller on `track` that has any: time that is not the
    /// caller's own. In order, without overlaps.
    pub fn covered(&self, track: TrackId) -> impl Iterator<Item = (u32, Vec<(i64, i64)>)> + '_ {
        self.families.range((track, 0)..=(track, u32::MAX)).map(|(&(_, row), callees)| {
            let span = |&(track, row): &Place| &self.profile.track(track).spans.rows[row as usize];
            let times: Intervals = callees.iter().map(span).map(|s| (s.start, s.end)).collect();
            (row, times.joined().into_iter().collect())
        })
    }
}

struct Family<'a> {
    profile: &'a Profile,
    tree: &'a CallTree,
    wanted: Column,
    caller: Place,
    callees: &'a [Place],
}

impl Family<'_> {
    fn spans(&self, track: TrackId) -> &SpanTable {
        &self.profile.track(track).spans
    }

    fn column(&self, track: TrackId) -> Option<&Vec<i64>> {
        self.wanted.of(&self.spans(track).costs)
    }

    fn is_time(&self) -> bool {
        self.wanted.is_time(self.profile)
    }

    /// Callees on the caller's own lane.
    fn nested(&self) -> impl Iterator<Item = Place> + '_ {
        let (track, caller) = self.caller;
        let rows = &self.spans(track).rows;
        let depth = rows[caller as usize].depth;
        (caller + 1..)
            .map_while(move |row| rows.get(row as usize).filter(|s| s.depth > depth).map(|s| (row, s)))
            .filter(move |(_, s)| s.parent == caller)
            .map(move |(row, _)| (track, row))
    }

    fn span(&self, (track, row): Place) -> &Span {
        &self.spans(track).rows[row as usize]
    }

    /// The part of a span in the range.
    fn interval(&self, place: Place) -> (i64, i64) {
        let span = self.span(place);
        let (from, to) = self.wanted.range.unwrap_or((i64::MIN, i64::MAX));
        let start = span.start.clamp(from, to);
        (start, span.end.clamp(start, to))
    }

    /// Own time that the callees cover, and time that is counted more than once.
    fn time(&self) -> (i64, i64) {
        let caller = self.interval(self.caller);
        let alive = |place: &Place| self.tree.node_of_span(place.0, place.1).is_some();
        let nested: Vec<Place> = self.nested().collect();
        let lengths = |places: &mut dyn Iterator<Item = Place>| {
            places.map(|p| self.interval(p)).fold(0i64, |sum, (a, b)| sum.saturating_add(b.saturating_sub(a)))
        };
        let all = || nested.iter().chain(self.callees).copied();
        let covered = intervals::covered(all().map(|p| self.interval(p)).collect(), Some(caller));
        let taken = covered.saturating_sub(lengths(&mut nested.iter().copied()));
        let once = intervals::covered(all().filter(alive).map(|p| self.interval(p)).collect(), None);
        let more = lengths(&mut all().filter(alive)).saturating_sub(once);
        // Lengths that are longer than what is between start and end, because an end was cut.
        let cut_off = |place: Place| {
            let value = self.column(place.0).map(|c| c[place.1 as usize]);
            let length = self.span(place).duration();
            value.map_or(0, |v| v.saturating_sub(length))
        };
        let more =
            self.callees.iter().filter(|p| alive(p)).fold(more, |sum, &p| sum.saturating_add(cut_off(p)));
        (taken, more)
    }

    /// What the callees have of the caller's own value.
    fn other(&self) -> i64 {
        let value = |place: Place| {
            let (start, end) = (self.span(place).start, self.span(place).end);
            let value = self.column(place.0).map_or(0, |c| c[place.1 as usize]);
            cut(value, start, end, self.wanted.range)
        };
        let sum = |places: &mut dyn Iterator<Item = Place>| places.map(value).fold(0i64, i64::saturating_add);
        let own = value(self.caller).saturating_sub(sum(&mut self.nested()));
        sum(&mut self.callees.iter().copied()).clamp(0, own.max(0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::analysis::callers::{Callers, Reach};
    use crate::analysis::flame_rows::{Merged, MergedOrder};
    use crate::analysis::span_facts::SpanFacts;
    use crate::analysis::testing::{ask, dump, subject, symbol};
    use crate::analysis::{Costs, Slice};
    use crate::model::*;
    use crate::query::Run;

    /// main 0..120 calls fetch 0..20, gather 20..40 with branches 20..30 and 20..40, and a task 50..110 that
    /// has a track of its own.
    fn gathered() -> Run {
        let mut b = ProfileBuilder::new("test");
        let busy = {
            b.metric(Metric::time());
            b.metric(Metric::new("busy", "Busy", Unit::Nanoseconds))
        };
        let spec = |name, sort| TrackSpec { name, process: "", kind: TrackKind::Task, sort };
        let (main, other) = (b.track(spec("main", 1)), b.track(spec("task", 0)));
        for (i, (track, name, start, end, parent, polled)) in [
            (main, "main", 0, 120, None, 20),
            (main, "fetch", 0, 20, Some(0), 2),
            (main, "gather", 20, 40, Some(0), 9),
            (main, "call", 20, 30, Some(2), 3),
            (main, "call", 20, 40, Some(2), 4),
            (main, "inner", 25, 35, Some(4), 1),
            (other, "task", 50, 110, Some(0), 15),
        ]
        .into_iter()
        .enumerate()
        {
            let f = b.function(FunctionSpec::named(name));
            let handle = b.span(track, start, end, f, ArgsRef::NONE);
            b.nest_span(track, handle, i as u64, parent);
            b.span_cost(track, handle, busy, polled);
        }
        Run::of(Arc::new(b.finish()))
    }

    fn tree(s: &Run, metric: u32, range: Option<(i64, i64)>) -> (String, (i64, i64)) {
        let costs = ask(s, &Costs(Slice { range, ..Slice::whole(s.profile.metric_key(MetricId(metric))) }));
        assert_eq!(costs.own.iter().sum::<i64>(), costs.whole.total);
        (dump(&s.profile, &costs), (costs.whole.total, costs.at_once))
    }

    #[test]
    fn branches_stand_under_their_caller_and_moments_count_once() {
        let s = gathered();
        let (text, sum) = tree(&s, 0, None);
        assert_eq!(text, "main 120/20 >fetch 20/20 >gather 20/0 >>call 30/20 >>>inner 10/10 >task 60/60");
        assert_eq!(sum, (130, 10), "self costs add up; 10 of them ran beside others");
        let (text, sum) = tree(&s, 0, Some((25, 60)));
        assert_eq!(text, "main 35/10 >fetch 0/0 >gather 15/0 >>call 20/10 >>>inner 10/10 >task 10/10");
        assert_eq!(sum, (40, 5));
    }

    #[test]
    fn other_costs_are_inclusive_as_far_as_the_caller_reaches() {
        let s = gathered();
        let (text, sum) = tree(&s, 1, None);
        assert_eq!(text, "main 26/0 >fetch 2/2 >gather 9/2 >>call 7/6 >>>inner 1/1 >task 15/15");
        assert_eq!(sum, (26, 0), "main polled 20, of which 9 may be its task's; the task polled 15");
    }

    #[test]
    fn callers_and_flame_chart_show_them_too() {
        let s = gathered();
        let query =
            Callers { slice: Slice::default(), function: symbol(&s.profile, "call"), reach: Reach::Direct };
        let callers = &ask(&s, &query).callers;
        assert_eq!(callers.len(), 1);
        assert_eq!(callers[0].symbol.map(|c| c.label(&s.profile)).as_deref(), Some("gather"));
        assert_eq!(callers[0].total, Some(30));
        let costs = Costs(Slice::default());
        let rows = ask(&s, &Merged { costs, order: MergedOrder::Name, by_track: false });
        let widths: Vec<Vec<(String, i64)>> = (0..rows.len() as u32)
            .map(|row| {
                let boxes = rows.touching(row, f64::MIN, f64::MAX);
                boxes.map(|(_, b)| (b.who.label(&s.profile).to_owned(), b.length())).collect()
            })
            .collect();
        let named =
            |row: usize| widths[row].iter().map(|(n, w)| format!("{n} {w}")).collect::<Vec<_>>().join(", ");
        assert_eq!(named(1), "fetch 20, gather 20, task 60");
        assert_eq!(named(2), "call 20", "as wide as its caller has room");
        assert_eq!(named(3), "inner 6");
    }

    #[test]
    fn spans_have_the_own_time_that_the_tree_has() {
        for s in [gathered(), subject(crate::analysis::testing::DEVTOOLS)] {
            let costs = ask(&s, &Costs(Slice::default()));
            let mut own = vec![0; costs.own.len()];
            for track in s.profile.track_ids() {
                for row in 0..s.profile.track(track).spans.rows.len() as u32 {
                    let node = costs.tree.node_of_span(track, row).unwrap();
                    own[node as usize] += ask(&s, &SpanFacts { track, row }).own;
                }
            }
            for (node, &own) in own.iter().enumerate().filter(|(node, _)| costs.calls[*node] > 0) {
                let name = costs.tree.nodes[node].symbol.label(&s.profile);
                assert_eq!(own, costs.own[node], "{name}");
            }
        }
    }
}
