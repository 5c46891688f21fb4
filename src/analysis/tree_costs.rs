//! Costs of a call tree's nodes for one metric and time range.
//!
//! self of a span = its duration − the time in which its children ran, both cut to the range. total = self
//! of the node and all below it, so totals add up exactly. A metric that is not time is shared out over
//! a span's length when the range cuts it.
//!
//! Children that ran at the same time (branches on other lanes and tracks) are the exception: each has its
//! own time, but the total above them counts each moment once (see `analysis::concurrency`).

use std::sync::Arc;

use super::call_tree::{CallTree, NO_NODE, Shape, TrackNodes};
use super::concurrency;
use super::estimate::Estimate;
use super::formula::terms;
use super::scope::{Slice, TimeRange};
use crate::jobs::Cancelled;
use crate::model::{MetricId, NO_ROW, Profile, SampleTable, SpanTable};
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
    /// Calls per node: spans that touch the range. Empty when the scope has no counted calls.
    pub calls: Vec<u64>,
    /// Samples that ended in exactly this node. Empty when the scope has no samples.
    pub samples: Vec<u64>,
    /// Samples at or below the node. Empty when the scope has no samples.
    pub samples_total: Vec<u64>,
    /// Cost of everything: the denominator of shares. The sum of all own costs, less what branches that ran at the
    /// same time as others count more than once. For an estimated tree the sum over all recorded
    /// functions, of which the tree may miss small parts.
    pub sum: i64,
}

impl TreeCosts {
    /// Calls of a node, or samples at or below it; `None` when neither was counted.
    #[must_use]
    pub fn count(&self, node: u32) -> Option<u64> {
        let column = if self.samples.is_empty() { &self.calls } else { &self.samples_total };
        column.get(node as usize).copied()
    }
}

/// Computes [`TreeCosts`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Costs(pub Slice);

impl Query for Costs {
    type Output = TreeCosts;

    fn run(&self, cx: &Context<'_>) -> Result<TreeCosts, Cancelled> {
        let metric = match terms(self.0.metric, cx.profile())[..] {
            [(1, metric)] => Some(metric),
            [] => None,
            ref terms => return self.derived(terms, cx),
        };
        let tree = cx.get(&Shape(self.0.scope.clone()))?;
        match &tree.estimate {
            Some(estimate) => Ok(estimated(&tree, estimate, metric, cx.profile())),
            None => self.measured(tree, metric, cx),
        }
    }

    fn weight(costs: &TreeCosts) -> usize {
        costs.own.len() * 40
    }
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
        let mut calls = vec![0u64; if tree.tracks.is_empty() { 0 } else { n }];
        for nodes in &tree.tracks {
            let spans = &profile.track(nodes.track).spans;
            add_spans(spans, nodes, &tree, column, profile, (&mut own, &mut calls));
            cx.job().checkpoint(0, 0)?;
        }
        let twice = concurrency::correct(profile, &tree, column, &mut own, cx.job())?;
        let mut samples = vec![0u64; if tree.stacks.is_empty() { 0 } else { n }];
        if !tree.stacks.is_empty() {
            for id in self.0.scope.work_tracks(profile) {
                add_samples(&profile.track(id).samples, &tree.stacks, column, (&mut own, &mut samples));
                cx.job().checkpoint(0, 0)?;
            }
        }
        let mut total = summed_up(&tree, &own, i64::saturating_add);
        let mut sum = own.iter().fold(0i64, |a, &b| a.saturating_add(b));
        if let Some(twice) = twice {
            let above = summed_up(&tree, &twice, i64::saturating_add);
            total.iter_mut().zip(&above).for_each(|(t, &v)| *t = t.saturating_sub(v));
            sum = twice.iter().fold(sum, |a, &b| a.saturating_sub(b));
        }
        let samples_total =
            if samples.is_empty() { Vec::new() } else { summed_up(&tree, &samples, u64::saturating_add) };
        Ok(TreeCosts { tree, own, total, calls, samples, samples_total, sum })
    }

    /// A derived metric: the linear formula over the columns of measured ones.
    fn derived(&self, terms: &[(i64, MetricId)], cx: &Context<'_>) -> Result<TreeCosts, Cancelled> {
        let mut result: Option<TreeCosts> = None;
        for &(factor, metric) in terms {
            let part = cx.get(&Self(Slice { metric: cx.profile().metric_key(metric), ..self.0.clone() }))?;
            let to = result.get_or_insert_with(|| {
                let zero = vec![0; part.own.len()];
                TreeCosts { own: zero.clone(), total: zero, sum: 0, ..(*part).clone() }
            });
            let add = |to: &mut i64, v: i64| *to = to.saturating_add(v.saturating_mul(factor));
            to.own.iter_mut().zip(&part.own).for_each(|(t, &v)| add(t, v));
            to.total.iter_mut().zip(&part.total).for_each(|(t, &v)| add(t, v));
            add(&mut to.sum, part.sum);
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

fn estimated(
    tree: &Arc<CallTree>,
    estimate: &Estimate,
    metric: Option<MetricId>,
    profile: &Profile,
) -> TreeCosts {
    let zero = || (vec![0; tree.nodes.len()], vec![0; tree.nodes.len()]);
    let (own, total) = estimate
        .costs
        .iter()
        .find(|c| Some(c.0) == metric)
        .map_or_else(zero, |(_, own, total)| (own.clone(), total.clone()));
    let graph = profile.call_graph.as_ref();
    TreeCosts {
        tree: tree.clone(),
        own,
        total,
        calls: estimate.calls.clone(),
        samples: Vec::new(),
        samples_total: Vec::new(),
        sum: graph.zip(metric).map_or(0, |(g, m)| super::functions::graph_sum(g, &[(1, m)])),
    }
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

fn add_spans(
    spans: &SpanTable,
    nodes: &TrackNodes,
    tree: &CallTree,
    wanted: Column,
    profile: &Profile,
    (own, calls): (&mut [i64], &mut [u64]),
) {
    let is_time = wanted.metric.is_some() && profile.time_metric() == wanted.metric;
    let column = wanted.of(&spans.costs);
    for (row, span) in spans.rows.iter().enumerate() {
        if !touches(span.start, span.end, wanted.range) {
            continue;
        }
        let node = nodes.spans[row];
        let above = if span.parent == NO_ROW { NO_NODE } else { nodes.spans[span.parent as usize] };
        let caller = if span.parent == NO_ROW { spans.caller(row as u32) } else { None };
        let caller = caller.and_then(|(track, row)| tree.node_of_span(track, row)).unwrap_or(above);
        // A span that a transform merged into its caller is no call of the caller.
        if node != NO_NODE && node != caller {
            calls[node as usize] += 1;
        }
        let value = match column {
            Some(column) => column[row],
            None if is_time => span.end.saturating_sub(span.start),
            None => continue,
        };
        let value = cut(value, span.start, span.end, wanted.range);
        if node != NO_NODE {
            own[node as usize] = own[node as usize].saturating_add(value);
        }
        if above != NO_NODE {
            own[above as usize] = own[above as usize].saturating_sub(value);
        }
    }
}

fn add_samples(
    samples: &SampleTable,
    stacks: &[u32],
    wanted: Column,
    (own, count): (&mut [i64], &mut [u64]),
) {
    let weights = wanted.of(&samples.weights);
    for (i, stack) in samples.stacks.iter().enumerate() {
        let node = stack.map_or(NO_NODE, |stack| stacks[stack.index()]);
        if node == NO_NODE {
            continue;
        }
        let (start, end) = samples.interval(i).unwrap_or_default();
        let range = if samples.is_timed() { wanted.range } else { None };
        if !touches(start, end, range) {
            continue;
        }
        count[node as usize] += 1;
        if let Some(weights) = weights {
            let weight = cut(weights[i], start, end, range);
            own[node as usize] = own[node as usize].saturating_add(weight);
        }
    }
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
        assert_eq!(costs.sum, 270);
    }

    #[test]
    fn tracks_that_are_left_out_leave_no_trace() {
        let subject = subject("main>a 3; [t2]; main>b 5");
        let key = |t| subject.profile.keys().track_key(crate::model::TrackId(t));
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
        assert_eq!((costs.total[0], costs.own[99_999], costs.sum), (1, 1, 1));
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
                prop_assert_eq!(costs.own.iter().sum::<i64>(), costs.sum);
                for (i, _) in costs.tree.nodes.iter().enumerate() {
                    let below: i64 = costs.tree.children(Some(i as u32)).map(|c| costs.total[c as usize]).sum();
                    prop_assert_eq!(costs.total[i], costs.own[i] + below);
                    prop_assert!(costs.own[i] >= 0);
                }
                let outermost: i64 = subject.profile.tracks.iter().flat_map(|t| &t.spans.rows)
                    .filter(|s| s.parent == NO_ROW)
                    .map(|s| range.map_or(s.duration(), |(a, b)| (s.end.min(b) - s.start.max(a)).max(0)))
                    .sum();
                prop_assert_eq!(costs.sum, outermost);
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
