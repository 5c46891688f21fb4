//! The call tree as boxes: width is cost, children stand left to right by cost or by name.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Axis, FlameRows, GroupOf, Kind, Leaf, Numbers, Who};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::estimate::{Check, Errors, Pair};
use crate::analysis::formula::Measure;
use crate::analysis::gaps::{Gap, Gaps};
use crate::analysis::path::Symbol;
use crate::analysis::scope::{Scope, Slice};
use crate::analysis::tree_costs::{Costs, TreeCosts};
use crate::format;
use crate::jobs::{Cancelled, Job};
use crate::model::{FunctionId, Profile, SpanStatus, TrackId, Unit};
use crate::query::{Context, Query};

/// How siblings stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MergedOrder {
    /// The most expensive one first.
    Heaviest,
    /// By name: the same place in every range and every run.
    Name,
}

/// Rows of the call tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Merged {
    /// Which tree and costs.
    pub costs: Costs,
    /// How siblings stand.
    pub order: MergedOrder,
    /// A tree for each track, instead of one for all.
    pub by_track: bool,
}

/// Totals that are off by more are marked.
const OFF: f64 = 0.02;
/// Most trees of a chart by track: those of the tracks with the most in them.
const MOST_TRACKS: usize = 64;

impl Query for Merged {
    type Output = FlameRows;
    const KEEPS_PROFILE: bool = true;

    fn run(&self, cx: &Context<'_>) -> Result<FlameRows, Cancelled> {
        let profile = cx.profile();
        let scope = &self.costs.0.scope;
        let tracks = if self.by_track { filled(scope, profile) } else { Vec::new() };
        if tracks.len() < 2 {
            let costs = cx.get(&self.costs)?;
            return self.chart(cx, vec![(GroupOf::Tree, costs)], 0);
        }
        let mut most = tracks.clone();
        most.sort_by_key(|&id| std::cmp::Reverse(rows_of(profile, id)));
        most.truncate(MOST_TRACKS);
        let mut parts = Vec::new();
        for &id in tracks.iter().filter(|id| most.contains(id)) {
            let scope = Scope { tracks: vec![profile.keys().track_key(id)], ..scope.clone() };
            parts.push((GroupOf::Track(id), cx.get(&Costs(Slice { scope, ..self.costs.0.clone() }))?));
        }
        self.chart(cx, parts, tracks.len() - most.len())
    }

    fn weight(rows: &FlameRows) -> usize {
        rows.heap_bytes()
    }
}

impl Merged {
    /// Trees below each other, as groups.
    fn chart(
        &self,
        cx: &Context<'_>,
        parts: Vec<(GroupOf, Arc<TreeCosts>)>,
        left_out: usize,
    ) -> Result<FlameRows, Cancelled> {
        let profile = cx.profile();
        let basis = parts.first().map_or_else(|| profile.meta.basis.clone(), |(_, c)| c.tree.basis.clone());
        let mut out = FlameRows::new(profile, &self.costs.0.scope, Axis::Cost(self.costs.0.metric), basis);
        let (mut negative, mut trees) = (0, Vec::new());
        for (of, costs) in parts {
            let tree = &costs.tree;
            let parents: Vec<u32> = tree.nodes.iter().map(|n| n.parent).collect();
            let symbols: Vec<Symbol> = tree.nodes.iter().map(|n| n.symbol).collect();
            let none = |_: Option<u32>| Vec::new();
            let some = |gaps: &Gaps, node| gaps.of(node).collect();
            let gaps = |node| costs.gaps.as_ref().map_or_else(|| none(node), |gaps| some(gaps, node));
            let forest = Forest { parents: &parents, symbols: &symbols, total: &costs.total, gaps: &gaps };
            let mut rows = place(&forest, self.order, profile, cx.job())?;
            if !costs.unfinished.is_empty() {
                let open = |leaf: &&mut Leaf| costs.unfinished[leaf.id as usize] > 0;
                for leaf in rows.iter_mut().flatten().filter(open) {
                    leaf.who = leaf.who.with_status(SpanStatus::Unfinished);
                }
            }
            let unit = Measure::of(self.costs.0.metric, profile).map_or(Unit::None, |m| m.unit);
            out.notices.extend(costs.gaps.iter().flat_map(|gaps| gaps.words(unit, costs.whole.total)));
            out.whole = out.whole.plus(costs.whole);
            negative += costs.total.iter().filter(|&&t| t < 0).count() as u64;
            // A track without cost in this metric or range has no rows, and would be a header only.
            if !rows.is_empty() {
                finish(&mut out, of, rows);
                trees.push(costs);
            }
        }
        let paths = |n: u64| format::counted(n as i64, "path", "paths");
        if negative > 0 {
            // They have no width.
            out.notices.push(format!("{} with a total below 0 not drawn", paths(negative)));
        }
        if left_out > 0 {
            out.notices.push(format!("{left_out} tracks with the fewest spans and samples not drawn"));
        }
        if trees.iter().any(|t| t.gaps.is_some()) && self.costs.0.scope.transforms.is_empty() {
            out.off = off(&*cx.get(&Check(self.costs.clone()))?);
        }
        out.numbers = Numbers::Trees(trees);
        out.fold(cx.job())?;
        Ok(out)
    }
}

/// Functions whose totals are off by more than [`OFF`].
fn off(errors: &Errors) -> FxHashMap<FunctionId, Pair> {
    let far = errors.functions.iter().filter(|f| f.total.error().is_some_and(|e| e > OFF));
    far.map(|f| (f.symbol.function(), f.total)).collect()
}

fn rows_of(profile: &Profile, id: TrackId) -> usize {
    let track = profile.track(id);
    track.spans.rows.len() + track.samples.len()
}

/// Tracks of work that hold anything.
fn filled(scope: &Scope, profile: &Profile) -> Vec<TrackId> {
    scope.work_tracks(profile).filter(|&id| rows_of(profile, id) > 0).collect()
}

/// Adds the rows as a group, and makes the chart as wide as its outermost boxes.
pub(super) fn finish(out: &mut FlameRows, of: GroupOf, rows: Vec<Vec<Leaf>>) {
    let ends = rows.iter().filter_map(|row| row.last()).map(|leaf| leaf.end);
    out.end = out.end.max(ends.max().unwrap_or(0));
    out.push_leaves(of, Kind::Nodes, rows);
}

/// Widths of children within the box of their parent.
struct Scale {
    room: i64,
    /// The cost that fills the room.
    whole: i64,
}

impl Scale {
    /// Children that ran at the same time can cost more than their parent: then all of them, and what is below,
    /// are drawn narrower. `parent` is `None` above the roots.
    fn new(children: &[u32], total: &[i64], parent: Option<i64>, room: i64) -> Self {
        let Some(parent) = parent else { return Self { room: 1, whole: 1 } };
        let sum = children.iter().fold(0i64, |sum, &c| sum.saturating_add(total[c as usize].max(0)));
        Self { room, whole: parent.max(sum).max(1) }
    }

    fn width(&self, cost: i64) -> i64 {
        if self.room == self.whole {
            return cost;
        }
        (i128::from(cost) * i128::from(self.room) / i128::from(self.whole)) as i64
    }
}

/// What is placed: nodes, parents before children.
pub(super) struct Forest<'a> {
    pub parents: &'a [u32],
    pub symbols: &'a [Symbol],
    pub total: &'a [i64],
    /// What a node, or all beside the roots, has in no node.
    pub gaps: &'a dyn Fn(Option<u32>) -> Vec<(Gap, i64)>,
}

/// Places the nodes of a forest by level. A child stands within its parent, what is in no child after the children.
pub(super) fn place(
    forest: &Forest<'_>,
    order: MergedOrder,
    profile: &Arc<Profile>,
    job: &Job,
) -> Result<Vec<Vec<Leaf>>, Cancelled> {
    let Forest { parents, symbols, total, gaps } = *forest;
    let n = parents.len();
    // Children of each node as runs of one list; roots are the children of `n`.
    let mut first = vec![0u32; n + 2];
    let slot = |p: u32| if p == NO_NODE { n } else { p as usize };
    for &p in parents {
        first[slot(p) + 1] += 1;
    }
    for i in 0..=n {
        first[i + 1] += first[i];
    }
    let mut next = first.clone();
    let mut children = vec![0u32; n];
    for (node, &p) in (0u32..).zip(parents) {
        children[next[slot(p)] as usize] = node;
        next[slot(p)] += 1;
    }
    drop(next);
    let rank = match order {
        MergedOrder::Heaviest => Vec::new(),
        MergedOrder::Name => ranks(symbols, profile),
    };
    let mut rows: Vec<Vec<Leaf>> = Vec::new();
    // The level being filled: (node, start, end) of the parents.
    let mut above: Vec<(usize, i64, i64)> = vec![(n, 0, i64::MAX)];
    loop {
        job.checkpoint(rows.len() as u64, 0)?;
        let mut row = Vec::new();
        for &(parent, start, end) in &above {
            let range = first[parent] as usize..first[parent + 1] as usize;
            let children = &mut children[range];
            match order {
                MergedOrder::Heaviest => {
                    children.sort_by_key(|&c| (std::cmp::Reverse(total[c as usize]), c));
                }
                MergedOrder::Name => children.sort_by_key(|&c| (rank[c as usize], c)),
            }
            let mut at = start;
            let scale = Scale::new(children, total, total.get(parent).copied(), end.saturating_sub(start));
            for &child in children.iter() {
                let stop = at.saturating_add(scale.width(total[child as usize].max(0))).min(end);
                if stop > at {
                    row.push(Leaf {
                        start: at,
                        end: stop,
                        who: Who::symbol(symbols[child as usize]),
                        id: child,
                    });
                }
                at = stop;
            }
            let node = (parent < n).then_some(parent as u32);
            for (gap, cost) in gaps(node) {
                let stop = at.saturating_add(scale.width(cost)).min(end);
                if stop > at {
                    let function =
                        symbols.get(parent).or(symbols.first()).map_or(FunctionId(0), |s| s.function());
                    let who = Who::gap(function, gap);
                    row.push(Leaf { start: at, end: stop, who, id: node.unwrap_or(NO_NODE) });
                }
                at = stop;
            }
        }
        if row.is_empty() {
            return Ok(rows);
        }
        let nodes = row.iter().filter(|leaf| leaf.who.as_gap().is_none());
        above = nodes.map(|leaf| (leaf.id as usize, leaf.start, leaf.end)).collect();
        rows.push(row);
    }
}

/// For each node the place of its label in alphabetical order.
fn ranks(symbols: &[Symbol], profile: &Profile) -> Vec<u32> {
    let mut labels: FxHashMap<(bool, u32), &str> = FxHashMap::default();
    for &symbol in symbols {
        labels.entry(symbol.key()).or_insert_with(|| Who::symbol(symbol).label(profile));
    }
    let mut sorted: Vec<_> = labels.into_iter().collect();
    sorted.sort_by_cached_key(|&(key, label)| (label.to_lowercase(), label, key));
    let rank: FxHashMap<(bool, u32), u32> = sorted.iter().map(|(key, _)| *key).zip(0u32..).collect();
    symbols.iter().map(|s| rank.get(&s.key()).copied().unwrap_or(0)).collect()
}
