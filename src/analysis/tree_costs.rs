//! Costs of a call tree's nodes for one metric and time range.
//!
//! self of a span = its duration − the time in which its children ran, both cut to the range. total = self
//! of the node and all below it, so totals add up exactly. A metric that is not time is shared out over
//! a span's length when the range cuts it.
//!
//! Children that ran at the same time (branches on other lanes and tracks) are the exception: each has its
//! own time, but the total above them counts each moment once (see `analysis::concurrency`). Own costs always
//! add up to the sum.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::call_tree::{CallTree, NO_NODE, Shape, TrackNodes};
use super::concurrency::Families;
use super::estimate;
use super::formula::terms;
use super::gaps::Gaps;
use super::nested_samples::parts;
use super::scope::{Scope, Slice, TimeRange};
use super::whole::Whole;
use crate::jobs::{Cancelled, Job};
use crate::model::{Basis, MetricId, NO_ROW, Profile, SpanStatus, TrackId};
use crate::query::{Context, Query};

/// Costs by node of a [`CallTree`].
#[derive(Clone, Debug)]
pub struct TreeCosts {
    /// The tree that the columns belong to.
    pub tree: Arc<CallTree>,
    /// Own cost per node.
    pub own: Vec<i64>,
    /// Own cost and that of all below.
    pub total: Vec<i64>,
    /// Calls per node: spans that touch the range. Empty when the scope has no counted calls, such as spans of a
    /// sampling tool.
    pub calls: Vec<u64>,
    /// Calls of the node that had not ended when the recording did: their time is at least what is shown. Empty when
    /// all have ended.
    pub unfinished: Vec<u64>,
    /// Samples that ended in exactly this node. Empty when the scope has no samples, or only sums of them.
    pub samples: Vec<u64>,
    /// Samples at or below the node. Empty when the scope has no samples, or only sums of them.
    pub samples_total: Vec<u64>,
    /// What shares are of: the sum of all own costs; for an estimated tree the whole of the recorded call graph.
    pub whole: Whole,
    /// Of the sum, what calls that ran at the same time as others of their caller have: totals count each moment once.
    pub at_once: i64,
    /// What the nodes of an estimated tree leave out; `None` for a measured one.
    pub gaps: Option<Gaps>,
}

impl TreeCosts {
    /// Calls of a node, or samples at or below it where it was not seen as a call; `None` when neither was counted.
    #[must_use]
    pub fn count(&self, node: u32) -> Option<u64> {
        let of = |column: &[u64]| column.get(node as usize).copied();
        of(&self.calls).filter(|&calls| calls > 0 || self.samples.is_empty()).or(of(&self.samples_total))
    }
}

/// Computes [`TreeCosts`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Costs(pub Slice);

impl Query for Costs {
    type Output = TreeCosts;

    fn run(&self, cx: &Context<'_>) -> Result<TreeCosts, Cancelled> {
        if let Some(costs) = estimate::costs(&self.0, cx)? {
            return Ok(costs);
        }
        let metric = match terms(self.0.metric, cx.profile())[..] {
            [(1, metric)] => Some(metric),
            [] => None,
            ref terms => return self.derived(terms, cx),
        };
        self.measured(cx.get(&Shape(self.0.scope.clone()))?, metric, cx)
    }

    fn weight(costs: &TreeCosts) -> usize {
        costs.own.len() * 40
    }
}

/// Own costs of the nodes of a tree that one track has: nodes in order, without those that cost nothing.
pub type TrackCosts = (TrackId, Vec<(u32, i64)>);

/// Computes own costs by track: what [`TreeCosts::own`] is the sum of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnByTrack(pub Slice);

impl Query for OwnByTrack {
    type Output = Vec<TrackCosts>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<TrackCosts>, Cancelled> {
        let Self(Slice { scope, metric, range }) = self;
        let profile = cx.profile();
        let tree = cx.get(&Shape(scope.clone()))?;
        let terms = terms(*metric, profile);
        let families = Families::new(profile, &tree);
        let mut tracks = Vec::new();
        for id in scope.work_tracks(profile) {
            let mut own: FxHashMap<u32, i64> = FxHashMap::default();
            for &(factor, metric) in &terms {
                let column = Column { metric: Some(metric), range: *range };
                let adding = Adding { profile, tree: &tree, scope, column };
                let mut add = |node: u32, value: i64| {
                    let own = own.entry(node).or_default();
                    *own = own.saturating_add(value.saturating_mul(factor));
                };
                adding.add_track(id, (&mut add, &mut Counts::default()), cx.job())?;
                families.correct(&adding, id, &mut add, &mut Vec::new(), cx.job())?;
            }
            let mut own: Vec<(u32, i64)> = own.into_iter().filter(|&(_, own)| own != 0).collect();
            own.sort_unstable();
            tracks.push((id, own));
        }
        Ok(tracks)
    }

    fn weight(tracks: &Vec<TrackCosts>) -> usize {
        tracks.iter().map(|t| t.1.len() * 16).sum()
    }
}

/// Times in which spans of a track have no time of their own, because what they called runs on other lanes and tracks
/// of the tree: row, and start and end in order, without overlaps.
#[must_use]
pub fn own_covered(profile: &Profile, tree: &CallTree, track: TrackId) -> Vec<(u32, Vec<(i64, i64)>)> {
    Families::new(profile, tree).covered(track).collect()
}

impl Costs {
    /// Costs in one measured metric; none without.
    fn measured(
        &self,
        tree: Arc<CallTree>,
        metric: Option<MetricId>,
        cx: &Context<'_>,
    ) -> Result<TreeCosts, Cancelled> {
        let (profile, column) = (cx.profile(), Column { metric, range: self.0.range });
        let n = tree.nodes.len();
        let mut own = vec![0i64; n];
        let adding = Adding { profile, tree: &tree, scope: &self.0.scope, column };
        let mut add = |node: u32, value: i64| {
            let own = &mut own[node as usize];
            *own = own.saturating_add(value);
        };
        let families = Families::new(profile, &tree);
        let mut counts = Counts::new(profile, &tree);
        let mut twice = Vec::new();
        for id in self.0.scope.work_tracks(profile) {
            adding.add_track(id, (&mut add, &mut counts), cx.job())?;
            families.correct(&adding, id, &mut add, &mut twice, cx.job())?;
        }
        let mut total = summed_up(&tree, &own, i64::saturating_add);
        let sum = own.iter().fold(0i64, |a, &b| a.saturating_add(b));
        let at_once = twice.iter().fold(0i64, |a, &(_, more)| a.saturating_add(more));
        if at_once != 0 {
            let mut above = vec![0i64; n];
            for &(node, more) in &twice {
                let above = &mut above[node as usize];
                *above = above.saturating_add(more);
            }
            let above = summed_up(&tree, &above, i64::saturating_add);
            total.iter_mut().zip(&above).for_each(|(t, &v)| *t = t.saturating_sub(v));
        }
        let Counts { calls, samples, unfinished } = counts;
        let samples_total =
            if samples.is_empty() { Vec::new() } else { summed_up(&tree, &samples, u64::saturating_add) };
        let unfinished = if unfinished.iter().all(|&n| n == 0) { Vec::new() } else { unfinished };
        Ok(TreeCosts {
            tree,
            own,
            total,
            calls,
            unfinished,
            samples,
            samples_total,
            whole: Whole::both(sum),
            at_once,
            gaps: None,
        })
    }

    /// A derived metric: the linear formula over the columns of measured ones.
    fn derived(&self, terms: &[(i64, MetricId)], cx: &Context<'_>) -> Result<TreeCosts, Cancelled> {
        let mut result: Option<TreeCosts> = None;
        for &(factor, metric) in terms {
            let part = cx.get(&Self(Slice { metric: cx.profile().metric_key(metric), ..self.0.clone() }))?;
            let to = result.get_or_insert_with(|| {
                let zero = vec![0; part.own.len()];
                TreeCosts {
                    own: zero.clone(),
                    total: zero,
                    whole: Whole::default(),
                    at_once: 0,
                    ..(*part).clone()
                }
            });
            let add = |to: &mut i64, v: i64| *to = to.saturating_add(v.saturating_mul(factor));
            to.own.iter_mut().zip(&part.own).for_each(|(t, &v)| add(t, v));
            to.total.iter_mut().zip(&part.total).for_each(|(t, &v)| add(t, v));
            add(&mut to.whole.own, part.whole.own);
            add(&mut to.whole.total, part.whole.total);
            add(&mut to.at_once, part.at_once);
        }
        match result {
            Some(costs) => Ok(costs),
            None => self.measured(cx.get(&Shape(self.0.scope.clone()))?, None, cx),
        }
    }
}

/// What is added up: a measured metric within a time.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// `None` for nothing.
    pub metric: Option<MetricId>,
    pub range: TimeRange,
}

impl Column {
    /// The values of one of several columns.
    pub fn of(self, columns: &[(MetricId, Vec<i64>)]) -> Option<&Vec<i64>> {
        columns.iter().find(|(m, _)| Some(*m) == self.metric).map(|(_, c)| c)
    }

    /// True for the time that spans themselves are.
    pub fn is_time(self, profile: &Profile) -> bool {
        self.metric.is_some() && profile.time_metric() == self.metric
    }
}

/// A metric of the tracks of a tree, within a time.
#[derive(Clone, Copy)]
pub(super) struct Adding<'a> {
    profile: &'a Profile,
    tree: &'a CallTree,
    pub scope: &'a Scope,
    pub column: Column,
}

impl Adding<'_> {
    /// Adds what the spans and samples of a track cost.
    fn add_track(
        &self,
        id: TrackId,
        (own, counts): (&mut dyn FnMut(u32, i64), &mut Counts),
        job: &Job,
    ) -> Result<(), Cancelled> {
        let &Self { profile, tree, scope, column } = self;
        let nodes = tree.tracks.iter().find(|t| t.track == id);
        if let Some(nodes) = nodes {
            self.add_spans(nodes, own, counts);
        }
        job.checkpoint(0, 0)?;
        let (spans, samples) = (&profile.track(id).spans, &profile.track(id).samples);
        let (weights, each) = (column.of(&samples.weights), profile.samples_of(profile.track(id)));
        let is_time = column.is_time(profile);
        let in_spans = is_time || column.of(&spans.costs).is_some();
        parts(profile, tree, id, column.range, job, |part| {
            if part.node != NO_NODE && part.first {
                Counts::add(&mut counts.samples, part.node, each.row(part.sample as usize));
            }
            let Some(weights) = weights else { return };
            let mut weight = part.of(weights[part.sample as usize]);
            if let Some(nodes) = nodes.filter(|_| in_spans && part.row != NO_ROW) {
                // It cannot have been longer than the span lets it be.
                weight = if is_time { part.time_of(weights[part.sample as usize]) } else { weight };
                let span = nodes.spans[part.row as usize];
                if span != NO_NODE && !scope.leaves_out(spans.rows[part.row as usize].status) {
                    own(span, weight.saturating_neg());
                }
            }
            if part.node != NO_NODE {
                own(part.node, weight);
            }
        })
    }

    fn add_spans(&self, nodes: &TrackNodes, own: &mut dyn FnMut(u32, i64), counts: &mut Counts) {
        let &Self { profile, tree, scope, column } = self;
        let spans = &profile.track(nodes.track).spans;
        let is_time = column.is_time(profile);
        let values = column.of(&spans.costs);
        for (row, span) in spans.rows.iter().enumerate() {
            if !touches(span.start, span.end, column.range) {
                continue;
            }
            let node = nodes.spans[row];
            let above = if span.parent == NO_ROW { NO_NODE } else { nodes.spans[span.parent as usize] };
            let caller = if span.parent == NO_ROW { spans.caller(row as u32) } else { None };
            let caller = caller.and_then(|(track, row)| tree.node_of_span(track, row)).unwrap_or(above);
            let left_out = scope.leaves_out(span.status);
            // A span that a transform merged into its caller is no call of the caller.
            if node != NO_NODE && node != caller && !left_out {
                Counts::add(&mut counts.calls, node, 1);
                if span.status == SpanStatus::Unfinished {
                    Counts::add(&mut counts.unfinished, node, 1);
                }
            }
            let value = match values {
                Some(values) => values[row],
                None if is_time => span.end.saturating_sub(span.start),
                None => continue,
            };
            let value = cut(value, span.start, span.end, column.range);
            if node != NO_NODE && !left_out {
                own(node, value);
            }
            // What has no cost of its own here has none to give to its callees.
            if above != NO_NODE && !scope.leaves_out(spans.rows[span.parent as usize].status) {
                own(above, value.saturating_neg());
            }
        }
    }
}

/// What is counted per node; a column is empty where nothing can be counted.
#[derive(Default)]
struct Counts {
    calls: Vec<u64>,
    unfinished: Vec<u64>,
    samples: Vec<u64>,
}

impl Counts {
    fn new(profile: &Profile, tree: &CallTree) -> Self {
        let column = |any: bool| vec![0; if any { tree.nodes.len() } else { 0 }];
        // Spans that were drawn from samples are no calls.
        let calls = !tree.tracks.is_empty() && profile.meta.basis != Basis::Sampled;
        let samples = tree.has_samples() && profile.counts_samples();
        Self { calls: column(calls), unfinished: column(calls), samples: column(samples) }
    }

    fn add(column: &mut [u64], node: u32, more: u64) {
        if let Some(count) = column.get_mut(node as usize) {
            *count = count.saturating_add(more);
        }
    }
}

/// Adds each node's value to all nodes above it.
pub(super) fn summed_up<T: Copy>(tree: &CallTree, own: &[T], add: impl Fn(T, T) -> T) -> Vec<T> {
    let mut total = own.to_vec();
    for (i, node) in tree.nodes.iter().enumerate().rev() {
        if node.parent != NO_NODE {
            total[node.parent as usize] = add(total[node.parent as usize], total[i]);
        }
    }
    total
}

/// The part of `value` that falls on the overlap of `[start, end]` with the range.
pub(super) fn cut(value: i64, start: i64, end: i64, range: TimeRange) -> i64 {
    let Some((from, to)) = range else { return value };
    let overlap = end.min(to).saturating_sub(start.max(from)).max(0);
    match end.saturating_sub(start) {
        0 => value,
        length => (i128::from(value) * i128::from(overlap) / i128::from(length)) as i64,
    }
}

/// True when `[start, end)`, or the moment `start` when that is empty, has a part in the range.
pub(super) fn touches(start: i64, end: i64, range: TimeRange) -> bool {
    range.is_none_or(|(from, to)| start < to && (end > from || start >= from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Scope;
    use crate::analysis::testing::{ask, dump, profile, subject};
    use crate::query::Run;
    use proptest::prelude::*;

    fn costs(subject: &Run, range: TimeRange) -> Arc<TreeCosts> {
        ask(subject, &Costs(Slice { range, ..Slice::default() }))
    }

    fn tree(text: &str, range: TimeRange) -> String {
        let subject = subject(text);
        dump(&subject.profile, &costs(&subject, range))
    }

    #[test]
    fn self_is_what_children_leave() {
        assert_eq!(
            tree("main 0 100 / a 10 40 / b 20 30 / a 50 60; main 100 130", None),
            "main 130/90 >a 40/30 >>b 10/10"
        );
        assert_eq!(tree("main>a>b 10; main>a 5; x 1; x -2", None), "main 15/0 >a 15/5 >>b 10/10 x -1/-1");
    }

    #[test]
    fn a_range_cuts_what_it_crosses() {
        let text = "main 0 100 / a 10 40 / b 20 30; x 100 100";
        assert_eq!(tree(text, Some((25, 50))), "main 25/10 >a 15/10 >>b 5/5 x 0/0");
        assert_eq!(
            tree("f>g @0..10; f @10..20; [t2]; g>f @7..7", Some((5, 12))),
            "f 7/2 >g 5/5 g 0/0 >f 0/0"
        );
        let subject = subject("main 0 10; main 10 20; main 20 20; main 30 40");
        let calls = |range| costs(&subject, range).calls[0];
        assert_eq!(calls(None), 4);
        assert_eq!((calls(Some((10, 20))), calls(Some((20, 25))), calls(Some((0, 10)))), (1, 1, 1));
    }

    #[test]
    fn other_costs_are_inclusive_too_and_shared_out_by_the_range() {
        let subject = subject("main 0 100 alloc=1000 / a 0 50 alloc=400");
        let ask = |range| {
            let costs = ask(
                &subject,
                &Costs(Slice { range, ..Slice::whole(subject.profile.metric_key(MetricId(1))) }),
            );
            dump(&subject.profile, &costs)
        };
        assert_eq!(ask(None), "main 1000/600 >a 400/400");
        assert_eq!(ask(Some((25, 75))), "main 500/300 >a 200/200");
    }

    #[test]
    fn a_derived_metric_follows_its_formula() {
        let mut p = (*profile("main 0 100 alloc=7 / a 0 40 alloc=2")).clone();
        let mut cost = crate::model::Metric { key: "cost".into(), ..crate::model::Metric::time() };
        cost.formula = vec![(2, MetricId(0)), (10, MetricId(1)), (5, MetricId(2)), (1, MetricId(9))];
        p.metrics.push(cost);
        let subject = Run::of(Arc::new(p));
        let costs = ask(&subject, &Costs(Slice::whole(subject.profile.metric_key(MetricId(2)))));
        assert_eq!(dump(&subject.profile, &costs), "main 270/170 >a 100/100");
        assert_eq!(costs.whole.total, 270);
    }

    #[test]
    fn tracks_that_are_left_out_leave_no_trace() {
        let subject = subject("main>a 3; [t2]; main>b 5");
        let key = |t| subject.profile.keys().track_key(TrackId(t));
        let only = |t| Scope { tracks: vec![key(t)], ..Scope::default() };
        let costs = |t| ask(&subject, &Costs(Slice { scope: only(t), ..Slice::default() }));
        assert_eq!(dump(&subject.profile, &costs(0)), "main 3/0 >a 3/3");
        assert_eq!(dump(&subject.profile, &costs(1)), "main 5/0 >b 5/5");
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        let text = format!("main {} {} / a {} 5", i64::MIN / 2, i64::MAX / 2 - 1, i64::MIN / 2);
        assert!(!tree(&text, Some((i64::MIN, i64::MAX))).is_empty());
    }

    #[test]
    fn a_stack_of_a_hundred_thousand_frames_is_a_tree() {
        let deep = vec!["f"; 100_000].join(">");
        let subject = subject(&format!("{deep} 1"));
        let costs = costs(&subject, None);
        assert_eq!(costs.tree.nodes.len(), 100_000);
        assert_eq!((costs.total[0], costs.own[99_999], costs.whole.total), (1, 1, 1));
    }

    /// Spans as (track, start, length, function), and cuts of the time line.
    fn some_spans() -> impl Strategy<Value = String> {
        proptest::collection::vec((0u8..2, 0i64..60, 0i64..30, 0u8..4), 1..25).prop_map(|spans| {
            let line = |(track, start, length, f)| format!("[t{track}]; f{f} {start} {}", start + length);
            spans.into_iter().map(line).collect::<Vec<_>>().join(";")
        })
    }

    proptest! {
        #[test]
        fn totals_are_own_plus_children_and_own_adds_up(text in some_spans(), from in 0i64..90, length in 0i64..50) {
            let subject = subject(&text);
            for range in [None, Some((from, from + length))] {
                let costs = costs(&subject, range);
                prop_assert_eq!(costs.own.iter().sum::<i64>(), costs.whole.total);
                for (i, _) in costs.tree.nodes.iter().enumerate() {
                    let below: i64 = costs.tree.children(Some(i as u32)).map(|c| costs.total[c as usize]).sum();
                    prop_assert_eq!(costs.total[i], costs.own[i] + below);
                    prop_assert!(costs.own[i] >= 0);
                }
                let outermost: i64 = subject.profile.tracks.iter().flat_map(|t| &t.spans.rows)
                    .filter(|s| s.parent == NO_ROW)
                    .map(|s| range.map_or(s.duration(), |(a, b)| (s.end.min(b) - s.start.max(a)).max(0)))
                    .sum();
                prop_assert_eq!(costs.whole.total, outermost);
            }
        }

        #[test]
        fn ranges_side_by_side_add_up(text in some_spans(), cut in -5i64..100) {
            let subject = subject(&text);
            let whole = costs(&subject, Some((-10, 200)));
            let (left, right) = (costs(&subject, Some((-10, cut))), costs(&subject, Some((cut, 200))));
            prop_assert_eq!(&whole.own, &costs(&subject, None).own);
            for i in 0..whole.own.len() {
                prop_assert_eq!(whole.own[i], left.own[i] + right.own[i]);
                prop_assert_eq!(whole.total[i], left.total[i] + right.total[i]);
            }
        }
    }
}
