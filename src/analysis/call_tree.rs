//! The call tree of a profile: paths merged by function, without costs.
//!
//! Nodes stand in preorder, so a subtree is a run of nodes and sums need no recursion. The shape does
//! not depend on the time range or the metric, so rows, expansion and scroll survive when those change;
//! costs are a query of their own ([`super::TreeCosts`]).
//!
//! Spans and samples make a measured tree. Samples of a thread that has spans, too, stand below these
//! ([`super::nested_samples`]). A span that was called from another lane or track (a concurrent
//! branch, a spawned task) stands under its caller. A profile that has only a call graph makes an estimated one
//! (see [`super::estimate`]), whose shape depends on the metric.

use rustc_hash::{FxHashMap, FxHashSet};

use super::expansion::PathKey;
use super::nested_samples::{Below, is_nested, nested_tracks, pieces};
use super::path::{PathMapper, PathState, Symbol};
use super::runs::{Run, callers, runs};
use super::scope::Scope;
use crate::jobs::{Cancelled, Job};
use crate::model::{Basis, ChildIndex, FunctionId, Functions, NO_ROW, Profile, SpanTable, TrackId, row_hash};
use crate::query::{Context, Query};

/// No node: the frame was removed by a transform.
pub const NO_NODE: u32 = u32::MAX;

/// A call path that ends in `symbol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What runs.
    pub symbol: Symbol,
    /// The caller's node, or [`NO_NODE`] for a root.
    pub parent: u32,
    /// 0 for a root.
    pub depth: u32,
    /// First node after the subtree.
    pub end: u32,
}

/// Where the rows of one track went.
#[derive(Clone, Debug)]
pub struct TrackNodes {
    /// The track.
    pub track: TrackId,
    /// Node of each span row; [`NO_NODE`] for a removed one.
    pub spans: Vec<u32>,
}

/// The tree.
#[derive(Clone, Debug)]
pub struct CallTree {
    /// Nodes in preorder.
    pub nodes: Vec<Node>,
    /// Names of the nodes' paths.
    pub keys: Vec<PathKey>,
    /// Nodes of span rows, for the tracks of the scope that have spans.
    pub tracks: Vec<TrackNodes>,
    /// Node of each stack that samples of the scope have which stand for themselves; empty when there are none.
    pub stacks: Vec<u32>,
    /// For tracks whose samples stand below spans the node of each [piece](super::nested_samples::pieces).
    pub nested: Vec<(TrackId, Vec<u32>)>,
    /// What the tree rests on.
    pub basis: Basis,
}

impl CallTree {
    /// True when samples are in it.
    #[must_use]
    pub fn has_samples(&self) -> bool {
        !self.stacks.is_empty() || !self.nested.is_empty()
    }

    /// Nodes from `node` up to its root, itself included.
    pub fn ancestors(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(node), |&n| {
            let parent = self.nodes[n as usize].parent;
            (parent != NO_NODE).then_some(parent)
        })
    }

    /// Functions of a node's path, root first.
    #[must_use]
    pub fn path(&self, node: u32) -> Vec<FunctionId> {
        let mut path: Vec<_> =
            self.ancestors(node).map(|n| self.nodes[n as usize].symbol.function()).collect();
        path.reverse();
        path
    }

    /// Direct children of a node, or the roots for `None`, in preorder.
    pub fn children(&self, node: Option<u32>) -> impl Iterator<Item = u32> + '_ {
        let (start, end) = node.map_or((0, self.nodes.len() as u32), |n| (n + 1, self.nodes[n as usize].end));
        let first = (start < end).then_some(start);
        std::iter::successors(first, move |&n| Some(self.nodes[n as usize].end).filter(|&next| next < end))
    }

    /// The node with exactly this path of functions.
    #[must_use]
    pub fn find(&self, path: &[FunctionId], functions: &Functions) -> Option<u32> {
        let mut at = None;
        for &function in path {
            let is = |&n: &u32| self.nodes[n as usize].symbol.stands_for(function, functions);
            at = Some(self.children(at).find(is)?);
        }
        at
    }

    /// Node of a span row; `None` when the row is not in the tree.
    #[must_use]
    pub fn node_of_span(&self, track: TrackId, row: u32) -> Option<u32> {
        let nodes = self.tracks.iter().find(|t| t.track == track)?;
        nodes.spans.get(row as usize).copied().filter(|&n| n != NO_NODE)
    }
}

/// Builds the call tree of the spans and samples of a scope. A profile that has only a call graph has another tree for
/// each metric, which comes with [`super::Costs`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Shape(pub Scope);

impl Query for Shape {
    type Output = CallTree;

    fn run(&self, cx: &Context<'_>) -> Result<CallTree, Cancelled> {
        build(cx.profile(), &self.0, cx.job())
    }

    fn weight(tree: &CallTree) -> usize {
        tree.nodes.len() * (size_of::<Node>() + 8)
            + tree.stacks.len() * 4
            + tree.nested.iter().map(|(_, nodes)| nodes.len() * 4).sum::<usize>()
            + tree.tracks.iter().map(|t| t.spans.len() * 4).sum::<usize>()
    }
}

/// Nodes in order of first appearance; a parent precedes its children.
#[derive(Default)]
pub(in crate::analysis) struct Growing {
    pub nodes: Vec<(Symbol, u32)>,
    index: ChildIndex,
    /// The child that was last asked for, per node: calls repeat.
    latest: Vec<u32>,
    /// Functions behind nodes of hidden frames.
    hidden: FxHashSet<(u32, FunctionId)>,
}

fn hash(parent: u32, symbol: Symbol) -> u64 {
    row_hash(&(parent, symbol.key()))
}

impl Growing {
    /// Counts `function`, which a step has put behind `node`.
    pub fn note(&mut self, node: u32, state: &PathState, function: FunctionId) {
        if !state.hidden || !self.hidden.insert((node, function)) {
            return;
        }
        if let Some((Symbol::Hidden { frames, .. }, _)) = self.nodes.get_mut(node as usize) {
            *frames += 1;
        }
    }

    pub fn child(&mut self, parent: u32, symbol: Symbol) -> u32 {
        let Self { nodes, index, latest, .. } = self;
        let key = symbol.key();
        if let Some(&child) = latest.get(parent as usize)
            && child != NO_NODE
            && nodes[child as usize].0.key() == key
        {
            return child;
        }
        let same = |n: u32| {
            nodes.get(n as usize).is_some_and(|(symbol, above)| *above == parent && symbol.key() == key)
        };
        let above = (parent != NO_NODE).then_some(parent);
        let hash_of = |n: u32| hash(nodes[n as usize].1, nodes[n as usize].0);
        let found = index.find_or_note(above, nodes.len(), same, hash(parent, symbol), hash_of);
        let child = found.unwrap_or_else(|| {
            nodes.push((symbol, parent));
            latest.push(NO_NODE);
            nodes.len() as u32 - 1
        });
        if let Some(latest) = latest.get_mut(parent as usize) {
            *latest = child;
        }
        child
    }
}

fn build(profile: &Profile, scope: &Scope, job: &Job) -> Result<CallTree, Cancelled> {
    let mapper = PathMapper::new(&scope.transforms, profile);
    let mut growing = Growing::default();
    let mut tracks = Vec::new();
    let mut has_samples = false;
    let mut spanned = Vec::new();
    for id in scope.work_tracks(profile) {
        let track = profile.track(id);
        has_samples |= !track.samples.is_empty() && !is_nested(track);
        if !track.spans.rows.is_empty() {
            tracks.push(TrackNodes { track: id, spans: vec![NO_NODE; track.spans.rows.len()] });
            spanned.push(id);
        }
    }
    let runs = runs(profile, &spanned);
    let mut wanted = callers(&runs);
    if !mapper.is_plain() {
        // Samples go on from the state that the transforms have at their span.
        for id in nested_tracks(profile, scope) {
            wanted.extend(pieces(profile, id).map(|p| (id, p.row)).filter(|p| p.1 != NO_ROW));
        }
    }
    let mut reached: FxHashMap<(TrackId, u32), (PathState, u32)> = FxHashMap::default();
    let place: FxHashMap<TrackId, usize> = spanned.iter().copied().zip(0..).collect();
    for run in &runs {
        let above = run.caller.and_then(|c| reached.get(&c)).cloned();
        let Some(nodes) = place.get(&run.track).map(|&i| &mut tracks[i].spans) else { continue };
        let mut walk =
            Walk { mapper: &mapper, growing: &mut growing, wanted: &wanted, reached: &mut reached };
        walk.map_spans(&profile.track(run.track).spans, run, above, nodes, job)?;
    }
    let mut nested = Vec::new();
    for id in nested_tracks(profile, scope) {
        let spans = place.get(&id).map_or(&[][..], |&i| &tracks[i].spans);
        let mut below = Below::new(profile, &mapper, &mut growing);
        nested.push((id, below.map(id, spans, &reached, job)?));
    }
    let mut stacks =
        if has_samples { map_stacks(profile, scope, &mapper, &mut growing, job)? } else { Vec::new() };
    let (nodes, new_of) = preorder(&growing.nodes);
    let renumber = |node: &mut u32| {
        if *node != NO_NODE {
            *node = new_of[*node as usize];
        }
    };
    tracks.iter_mut().flat_map(|t| &mut t.spans).for_each(renumber);
    stacks.iter_mut().for_each(renumber);
    nested.iter_mut().flat_map(|(_, nodes)| nodes).for_each(renumber);
    let keys = keys(&nodes, profile);
    Ok(CallTree { nodes, keys, tracks, stacks, nested, basis: profile.meta.basis.clone() })
}

/// Names of the paths of all nodes.
pub(super) fn keys(nodes: &[Node], profile: &Profile) -> Vec<PathKey> {
    let mut keys: Vec<PathKey> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let above = if node.parent == NO_NODE { PathKey::ROOT } else { keys[node.parent as usize] };
        keys.push(above.child(node.symbol.name(profile)));
    }
    keys
}

/// Puts runs of spans into the tree.
struct Walk<'a> {
    mapper: &'a PathMapper<'a>,
    growing: &'a mut Growing,
    /// Spans that called something on another lane or track …
    wanted: &'a FxHashSet<(TrackId, u32)>,
    /// … and where they are.
    reached: &'a mut FxHashMap<(TrackId, u32), (PathState, u32)>,
}

impl Walk<'_> {
    fn map_spans(
        &mut self,
        spans: &SpanTable,
        run: &Run,
        above: Option<(PathState, u32)>,
        node_of: &mut [u32],
        job: &Job,
    ) -> Result<(), Cancelled> {
        let (root, root_node) = above.unwrap_or_else(|| (self.mapper.root(), NO_NODE));
        if self.mapper.is_plain() && self.wanted.is_empty() {
            return self.map_plain(spans, run, root_node, node_of, job);
        }
        // Open frames: (row, state, nearest node at or above).
        let mut open: Vec<(u32, PathState, u32)> = Vec::new();
        for row in run.rows.clone() {
            if row % 65_536 == 0 {
                job.checkpoint(row.into(), spans.rows.len() as u64)?;
            }
            let span = &spans.rows[row as usize];
            while open.last().is_some_and(|o| o.0 != span.parent) {
                open.pop();
            }
            let (state, above) = open.last().map_or((&root, root_node), |o| (&o.1, o.2));
            let (state, symbol) = self.mapper.step_span(state, run.track, (row, span));
            let node = symbol.map_or(above, |symbol| self.growing.child(above, symbol));
            self.growing.note(node, &state, span.function);
            if state.alive {
                node_of[row as usize] = node;
            }
            if !self.wanted.is_empty() && self.wanted.contains(&(run.track, row)) {
                self.reached.insert((run.track, row), (state.clone(), node));
            }
            open.push((row, state, node));
        }
        Ok(())
    }

    /// The same without transforms: every span is a node below that of its parent.
    fn map_plain(
        &mut self,
        spans: &SpanTable,
        run: &Run,
        root: u32,
        node_of: &mut [u32],
        job: &Job,
    ) -> Result<(), Cancelled> {
        for row in run.rows.clone() {
            if row % 65_536 == 0 {
                job.checkpoint(row.into(), spans.rows.len() as u64)?;
            }
            let span = &spans.rows[row as usize];
            let above = if run.rows.contains(&span.parent) { node_of[span.parent as usize] } else { root };
            node_of[row as usize] = self.growing.child(above, Symbol::Function(span.function));
        }
        Ok(())
    }
}

/// Which stacks samples of the scope have, with all stacks below them.
fn used_stacks(profile: &Profile, scope: &Scope) -> Vec<bool> {
    let rows = profile.stacks.rows();
    let mut used = vec![false; rows.len()];
    for id in scope.work_tracks(profile).filter(|&id| !is_nested(profile.track(id))) {
        for stack in profile.track(id).samples.stacks.iter().flatten() {
            used[stack.index()] = true;
        }
    }
    for i in (0..rows.len()).rev() {
        if let (true, Some(parent)) = (used[i], rows[i].parent) {
            used[parent.index()] = true;
        }
    }
    used
}

fn map_stacks(
    profile: &Profile,
    scope: &Scope,
    mapper: &PathMapper<'_>,
    growing: &mut Growing,
    job: &Job,
) -> Result<Vec<u32>, Cancelled> {
    let rows = profile.stacks.rows();
    let used = used_stacks(profile, scope);
    let mut node_of = Vec::with_capacity(rows.len());
    if mapper.is_plain() {
        for (i, stack) in rows.iter().enumerate() {
            if i % 65_536 == 0 {
                job.checkpoint(i as u64, rows.len() as u64)?;
            }
            let above = stack.parent.map_or(NO_NODE, |p| node_of[p.index()]);
            let function = Symbol::Function(profile.frames.get(stack.frame).function);
            node_of.push(if used[i] { growing.child(above, function) } else { NO_NODE });
        }
        return Ok(node_of);
    }
    let mut states: Vec<(PathState, u32)> = Vec::with_capacity(rows.len());
    let root = mapper.root();
    for (i, stack) in rows.iter().enumerate() {
        if i % 65_536 == 0 {
            job.checkpoint(i as u64, rows.len() as u64)?;
        }
        if !used[i] {
            node_of.push(NO_NODE);
            states.push((PathState::default(), NO_NODE));
            continue;
        }
        let (state, above) =
            stack.parent.map_or((&root, NO_NODE), |p| (&states[p.index()].0, states[p.index()].1));
        let function = profile.frames.get(stack.frame).function;
        let (state, symbol) = mapper.step(state, function);
        let node = symbol.map_or(above, |symbol| growing.child(above, symbol));
        growing.note(node, &state, function);
        node_of.push(if state.alive { node } else { NO_NODE });
        states.push((state, node));
    }
    Ok(node_of)
}

/// Renumbers nodes so that each subtree is a run; children keep their order of appearance.
pub(super) fn preorder(grown: &[(Symbol, u32)]) -> (Vec<Node>, Vec<u32>) {
    let n = grown.len();
    let mut size = vec![1u32; n];
    for i in (0..n).rev() {
        if grown[i].1 != NO_NODE {
            size[grown[i].1 as usize] += size[i];
        }
    }
    // Next free place within each parent's run.
    let mut next = vec![0u32; n];
    let mut next_root = 0;
    let mut new_of = vec![0u32; n];
    for i in 0..n {
        let place = if grown[i].1 == NO_NODE { &mut next_root } else { &mut next[grown[i].1 as usize] };
        new_of[i] = *place;
        *place += size[i];
        next[i] = new_of[i] + 1;
    }
    let blank = Node { symbol: Symbol::Function(FunctionId(0)), parent: NO_NODE, depth: 0, end: 0 };
    let mut nodes = vec![blank; n];
    for (i, &(symbol, parent)) in grown.iter().enumerate() {
        let new = new_of[i];
        let (parent, depth) = if parent == NO_NODE {
            (NO_NODE, 0)
        } else {
            (new_of[parent as usize], nodes[new_of[parent as usize] as usize].depth + 1)
        };
        nodes[new as usize] = Node { symbol, parent, depth, end: new + size[i] };
    }
    (nodes, new_of)
}
