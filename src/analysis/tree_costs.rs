//! Costs of a call tree's nodes for one metric and time range.
//!
//! self of a span = its duration − the durations of its children, both cut to the range. total = self
//! of the node and all below it, so totals add up exactly. A metric that is not time is shared out over
//! a span's length when the range cuts it.

use std::sync::Arc;

use super::call_tree::{CallTree, NO_NODE, Shape, TrackNodes};
use super::scope::{Scope, TimeRange};
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
    /// Spans or samples that ended in exactly this node.
    pub own_count: Vec<u64>,
    /// Spans or samples at or below the node (samples), or spans of the node (spans).
    pub count: Vec<u64>,
    /// Sum of all own costs: the denominator of shares.
    pub sum: i64,
}

/// Computes [`TreeCosts`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Costs {
    /// Which tree.
    pub scope: Scope,
    /// Which metric.
    pub metric: MetricId,
    /// Which time.
    pub range: TimeRange,
}

impl Query for Costs {
    type Output = TreeCosts;

    fn run(&self, cx: &Context<'_>) -> Result<TreeCosts, Cancelled> {
        let tree = cx.get(&Shape(self.scope.clone()))?;
        let profile = cx.profile();
        if let Some(estimate) = &tree.estimate {
            return Ok(estimated(&tree, estimate, self.metric, profile));
        }
        let n = tree.nodes.len();
        let mut own = vec![0i64; n];
        let mut own_count = vec![0u64; n];
        for nodes in &tree.tracks {
            let spans = &profile.track(nodes.track).spans;
            add_spans(spans, nodes, self, profile, (&mut own, &mut own_count));
            cx.job().checkpoint(0, 0)?;
        }
        let mut sample_count = vec![0u64; n];
        for id in profile.track_ids().filter(|&id| self.scope.has_track(id)) {
            add_samples(&profile.track(id).samples, &tree.stacks, self, (&mut own, &mut sample_count));
            cx.job().checkpoint(0, 0)?;
        }
        let mut total = own.clone();
        let mut below = sample_count.clone();
        for i in (0..n).rev() {
            let parent = tree.nodes[i].parent;
            if parent != NO_NODE {
                total[parent as usize] = total[parent as usize].saturating_add(total[i]);
                below[parent as usize] += below[i];
            }
        }
        let count = own_count.iter().zip(&below).map(|(a, b)| a + b).collect();
        own_count.iter_mut().zip(&sample_count).for_each(|(a, b)| *a += b);
        let sum = own.iter().fold(0i64, |a, &b| a.saturating_add(b));
        Ok(TreeCosts { tree, own, total, own_count, count, sum })
    }

    fn weight(costs: &TreeCosts) -> usize {
        costs.own.len() * 32
    }
}

fn estimated(
    tree: &Arc<CallTree>,
    estimate: &super::estimate::Estimate,
    metric: MetricId,
    profile: &Profile,
) -> TreeCosts {
    let column = |pick: fn(&(MetricId, Vec<i64>, Vec<i64>)) -> &Vec<i64>| match estimate
        .costs
        .iter()
        .find(|c| c.0 == metric)
    {
        Some(costs) => pick(costs).clone(),
        None => {
            formula(profile, metric, tree.nodes.len(), |m| estimate.costs.iter().find(|c| c.0 == m).map(pick))
        }
    };
    let graph = profile.call_graph.as_ref();
    let sum = graph.map_or(0, |g| super::functions::graph_sum(profile, g, metric));
    TreeCosts {
        tree: tree.clone(),
        own: column(|c| &c.1),
        total: column(|c| &c.2),
        own_count: estimate.calls.clone(),
        count: estimate.calls.clone(),
        sum,
    }
}

/// A derived column: the linear formula over measured columns.
pub(super) fn formula<'a>(
    profile: &Profile,
    metric: MetricId,
    len: usize,
    column: impl Fn(MetricId) -> Option<&'a Vec<i64>>,
) -> Vec<i64> {
    let mut sum = vec![0i64; len];
    for &(factor, m) in &profile.metric(metric).formula {
        if let Some(values) = column(m) {
            sum.iter_mut().zip(values).for_each(|(s, v)| *s = s.saturating_add(v.saturating_mul(factor)));
        }
    }
    sum
}

/// The part of `value` that falls on the overlap of `[start, end]` with the range.
fn cut(value: i64, start: i64, end: i64, range: TimeRange) -> i64 {
    let Some((from, to)) = range else { return value };
    let overlap = (end.min(to) - start.max(from)).max(0);
    match end - start {
        0 => {
            if (from..to).contains(&start) {
                value
            } else {
                0
            }
        }
        length => (i128::from(value) * i128::from(overlap) / i128::from(length)) as i64,
    }
}

fn add_spans(
    spans: &SpanTable,
    nodes: &TrackNodes,
    query: &Costs,
    profile: &Profile,
    (own, count): (&mut [i64], &mut [u64]),
) {
    let is_time = profile.time_metric() == Some(query.metric);
    let column = spans.costs.iter().find(|(m, _)| *m == query.metric).map(|(_, c)| c);
    if !is_time && column.is_none() {
        return;
    }
    for (row, span) in spans.rows.iter().enumerate() {
        if let Some((from, to)) = query.range
            && (span.end < from || span.start >= to)
        {
            continue;
        }
        let value = column.map_or(span.duration(), |c| c[row]);
        let value = cut(value, span.start, span.end, query.range);
        let node = nodes.spans[row];
        if node != NO_NODE {
            own[node as usize] = own[node as usize].saturating_add(value);
            count[node as usize] += 1;
        }
        if span.parent != NO_ROW {
            let parent = nodes.spans[span.parent as usize];
            if parent != NO_NODE {
                own[parent as usize] = own[parent as usize].saturating_sub(value);
            }
        }
    }
}

fn add_samples(samples: &SampleTable, stacks: &[u32], query: &Costs, (own, count): (&mut [i64], &mut [u64])) {
    let Some((_, weights)) = samples.weights.iter().find(|(m, _)| *m == query.metric) else { return };
    for (i, stack) in samples.stacks.iter().enumerate() {
        let Some(stack) = stack else { continue };
        let node = stacks[stack.index()];
        if node == NO_NODE {
            continue;
        }
        let weight = match samples.interval(i) {
            Some((start, end)) => {
                let inside = query
                    .range
                    .is_none_or(|(from, to)| end > from && start < to || (from..to).contains(&start));
                if !inside {
                    continue;
                }
                cut(weights[i], start, end, query.range)
            }
            None => weights[i],
        };
        own[node as usize] = own[node as usize].saturating_add(weight);
        count[node as usize] += 1;
    }
}
