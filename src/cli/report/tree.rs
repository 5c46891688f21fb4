//! `report --tree`: the call tree path by path, and how far it is from what the file records.
//!
//! Own costs of the printed paths and what is not placed add up to the sum of own costs, so that anybody can check it.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::analysis::call_tree::NO_NODE;
use crate::analysis::estimate::{Check, Errors};
use crate::analysis::gaps::Gap;
use crate::analysis::scope::Slice;
use crate::analysis::{Costs, Functions, TreeCosts};
use crate::jobs::{Cancelled, Job};
use crate::model::{MetricKey, Profile};
use crate::query::{Engine, Run};

/// Most paths that are printed without a least share.
const MOST: usize = 20_000;

/// The paths to print.
pub(super) struct Tree {
    pub costs: Arc<TreeCosts>,
    pub errors: Arc<Errors>,
    /// Nodes in preorder; callers of a printed node are printed.
    pub shown: Vec<u32>,
    /// For each node that is printed its place in `shown`.
    place: Vec<u32>,
    /// Totals of printed children.
    below: Vec<i64>,
    /// Own costs of all functions.
    own: i64,
    metric: MetricKey,
}

impl Tree {
    /// Paths with at least `least` of the whole; the largest ones for `None`.
    pub fn of(engine: &Engine, run: &Run, slice: &Slice, least: Option<f64>) -> Result<Self, Cancelled> {
        let job = Job::new();
        let query = Costs(slice.clone());
        let costs = engine.now(run, &query, &job)?;
        let errors = engine.now(run, &Check(query), &job)?;
        let table = engine.now(run, &Functions(slice.clone()), &job)?;
        let own = table.rows.iter().fold(0i64, |sum, r| sum.saturating_add(r.own));
        let shown = chosen(&costs, least);
        let nodes = &costs.tree.nodes;
        let mut place = vec![NO_NODE; nodes.len()];
        let mut below = vec![0i64; nodes.len()];
        for (i, &node) in (0u32..).zip(&shown) {
            place[node as usize] = i;
            let parent = nodes[node as usize].parent;
            if parent != NO_NODE {
                below[parent as usize] = below[parent as usize].saturating_add(costs.total[node as usize]);
            }
        }
        Ok(Self { costs, errors, shown, place, below, own, metric: slice.metric })
    }

    /// The paths, one object each.
    pub fn paths<'a>(&'a self, profile: &'a Profile) -> impl Serialize + 'a {
        Paths(self, profile)
    }

    fn path(&self, profile: &Profile, node: u32) -> Value {
        let (tree, costs, i) = (&self.costs.tree, &self.costs, node as usize);
        let symbol = tree.nodes[i].symbol;
        let mut path: Vec<_> =
            tree.ancestors(node).map(|n| tree.nodes[n as usize].symbol.label(profile)).collect();
        path.reverse();
        let function = profile.functions.get(symbol.function());
        let file = Some(profile.text(function.file)).filter(|f| !f.is_empty());
        let parent = tree.nodes[i].parent;
        let unaccounted = costs.gaps.as_ref().map_or(0, |g| g.cost(Some(node), Gap::Unaccounted));
        // Of a measured tree branches at the same time may cost more than the node.
        let placed = costs.own[i].saturating_add(self.below[i]).saturating_add(unaccounted);
        json!({
            "path": path,
            "file": file,
            "line": (function.line > 0).then_some(function.line),
            "parent": (parent != NO_NODE).then(|| self.place[parent as usize]),
            "calls": costs.count(node),
            "self": costs.own[i],
            "total": costs.total[i],
            "not_placed": costs.total[i].saturating_sub(placed),
            "not_accounted_for": unaccounted,
        })
    }

    /// How much of the cost the printed paths have, and how far totals of the tree are from recorded ones.
    pub fn estimate(&self) -> Value {
        let costs = &self.costs;
        let placed = self.shown.iter().fold(0i64, |sum, &n| sum.saturating_add(costs.own[n as usize]));
        let error = |errors: Option<(f64, f64)>| errors.map_or((None, None), |e| (Some(e.0), Some(e.1)));
        let (total, own) = (error(self.errors.total), error(self.errors.own));
        json!({
            "estimated": costs.gaps.is_some(),
            "placed": placed,
            "not_placed": self.own.saturating_sub(placed),
            "total": self.own,
            "not_accounted_for": costs.whole.total.saturating_sub(self.own).max(0),
            "whole": costs.whole.total,
            "median_error": total.0,
            "p90_error": total.1,
            "self_median_error": own.0,
            "self_p90_error": own.1,
            "compared": self.errors.functions.len(),
            "paths": costs.tree.nodes.len(),
            "paths_printed": self.shown.len(),
            "metric": &*self.metric.key,
        })
    }
}

/// Nodes to print, in preorder: never one without its caller.
fn chosen(costs: &TreeCosts, least: Option<f64>) -> Vec<u32> {
    let nodes = &costs.tree.nodes;
    let size = |i: usize| costs.total[i].unsigned_abs();
    let least = match least {
        Some(share) => (share * costs.whole.total.unsigned_abs() as f64).ceil() as u64,
        None if nodes.len() <= MOST => 0,
        None => {
            let mut sizes: Vec<u64> = (0..nodes.len()).map(size).collect();
            let (_, least, _) = sizes.select_nth_unstable_by(MOST, |a, b| b.cmp(a));
            *least + 1
        }
    };
    let mut keep = vec![false; nodes.len()];
    for (i, node) in nodes.iter().enumerate() {
        keep[i] = size(i) >= least && (node.parent == NO_NODE || keep[node.parent as usize]);
    }
    (0u32..).zip(keep).filter(|(_, keep)| *keep).map(|(n, _)| n).collect()
}

struct Paths<'a>(&'a Tree, &'a Profile);

impl Serialize for Paths<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.shown.iter().map(|&node| self.0.path(self.1, node)))
    }
}
