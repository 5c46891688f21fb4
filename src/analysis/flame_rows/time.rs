//! Boxes where they happened: spans lane by lane and depth by depth, samples as runs of equal beginnings.
//!
//! The committed time range does not matter here: the chart shows all time and shades the range.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Axis, FlameRows, GroupOf, Kind, Leaf, Row, Who};
use crate::analysis::call_tree::{Growing, NO_NODE};
use crate::analysis::path::{PathMapper, PathState, Symbol};
use crate::analysis::scope::Scope;
use crate::jobs::{Cancelled, Job};
use crate::model::{NO_ROW, Profile, SampleTable, SpanTable, StackId, TrackId};
use crate::query::{Context, Query};

/// Most boxes that samples of one track may make: 10 000 s of samples at 1 kHz, hardly more than two
/// frames apart. The deepest rows are left out beyond.
const MAX_SAMPLE_BOXES: usize = 24_000_000;

/// Rows of the tracks of a scope in time order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TimeOrder(pub Scope);

impl Query for TimeOrder {
    type Output = FlameRows;
    const KEEPS_PROFILE: bool = true;

    fn run(&self, cx: &Context<'_>) -> Result<FlameRows, Cancelled> {
        let profile = cx.profile();
        let mut out = FlameRows::new(profile, &self.0, Axis::Time, profile.meta.basis.clone());
        let stacks = StackMap::new(profile, &self.0, cx.job())?;
        for id in profile.track_ids().filter(|&id| self.0.has_track(id)) {
            let track = profile.track(id);
            if !track.spans.rows.is_empty() {
                if self.0.transforms.is_empty() {
                    add_spans(&mut out, id, &track.spans);
                } else {
                    add_mapped_spans(&mut out, id, profile, &self.0, cx.job())?;
                }
            }
            if track.samples.is_timed() {
                let (rows, cut) = sample_rows(&track.samples, &stacks, cx.job())?;
                let first = out.leaves.len();
                out.push_leaves(GroupOf::Track(id), Kind::Stacks, rows);
                let hidden = (first..).zip(&out.leaves[first..]).filter(|(_, leaf)| leaf.who.is_hidden());
                let frames = hidden.map(|(place, leaf)| (place as u32, stacks.frames(leaf.id)));
                out.hidden.extend(frames);
                if let Some(depth) = cut {
                    let name = profile.track_label(id);
                    out.notices.push(format!("{name}: frames deeper than {depth} are not drawn"));
                }
            }
        }
        bounds(&mut out, profile);
        out.fold(cx.job())?;
        Ok(out)
    }

    fn weight(rows: &FlameRows) -> usize {
        rows.heap_bytes()
    }
}

/// The chart spans all that is timed on the tracks shown, so that its place does not jump when a
/// transform hides the first or last box.
fn bounds(out: &mut FlameRows, profile: &Arc<Profile>) {
    let mut bounds: Option<(i64, i64)> = None;
    for group in &out.groups {
        let GroupOf::Track(id) = group.of else { continue };
        let track = profile.track(id);
        let spans = track.spans.rows.iter().filter(|s| s.depth == 0).map(|s| (s.start, s.end));
        let samples = track.samples.times.first().map(|&first| (first, track.samples.end));
        for (start, end) in spans.chain(samples) {
            bounds = Some(bounds.map_or((start, end), |(a, b)| (a.min(start), b.max(end))));
        }
    }
    (out.start, out.end) = bounds.unwrap_or((0, 1));
    out.sum = out.extent();
}

/// Rows of spans as they are: only their order is kept.
fn add_spans(out: &mut FlameRows, id: TrackId, spans: &SpanTable) {
    let group = out.open_group(GroupOf::Track(id));
    for lane in &spans.lanes {
        let first = out.rows.len();
        let rows = &spans.rows[lane.rows.start as usize..lane.rows.end as usize];
        let mut len = vec![0u32; lane.depth as usize];
        for span in rows {
            len[span.depth as usize] += 1;
        }
        let mut at = out.order.len() as u32;
        for &len in &len {
            out.rows.push(Row { at, len, group, mips: u32::MAX, kind: Kind::Spans });
            at += len;
        }
        out.order.resize(at as usize, 0);
        let mut next: Vec<u32> = out.rows[first..].iter().map(|r| r.at).collect();
        for (row, span) in (lane.rows.start..).zip(rows) {
            let place = &mut next[span.depth as usize];
            out.order[*place as usize] = row;
            *place += 1;
        }
    }
    out.close_group();
}

/// Rows of spans after transforms: a removed span leaves no gap in depth.
fn add_mapped_spans(
    out: &mut FlameRows,
    id: TrackId,
    profile: &Profile,
    scope: &Scope,
    job: &Job,
) -> Result<(), Cancelled> {
    let mapper = PathMapper::new(&scope.transforms, profile);
    let spans = &profile.track(id).spans;
    let root = mapper.root();
    for lane in &spans.lanes {
        let mut rows: Vec<Vec<Leaf>> = Vec::new();
        // Open spans: (depth in the lane, state, boxes at or above).
        let mut open: Vec<(u32, PathState, usize)> = Vec::new();
        let mut hidden: FxHashMap<(usize, usize), u32> = FxHashMap::default();
        for row in lane.rows.clone() {
            if row % 65_536 == 0 {
                job.checkpoint(u64::from(row), spans.rows.len() as u64)?;
            }
            let span = &spans.rows[row as usize];
            if span.parent == NO_ROW {
                open.clear();
            }
            while open.last().is_some_and(|o| o.0 >= span.depth) {
                open.pop();
            }
            let (state, above) = open.last().map_or((&root, 0), |o| (&o.1, o.2));
            let (state, symbol) = mapper.step(state, span.function);
            let mut level = above;
            if let Some(symbol) = symbol {
                if rows.len() == level {
                    rows.push(Vec::new());
                }
                let who = Who::symbol(symbol).with_status(span.status);
                rows[level].push(Leaf { start: span.start, end: span.end, who, id: row });
                level += 1;
            }
            if state.hidden && level > 0 {
                *hidden.entry((level - 1, rows[level - 1].len() - 1)).or_default() += 1;
            }
            open.push((span.depth, state, level));
        }
        if !rows.is_empty() {
            let first = out.rows.len();
            out.push_leaves(GroupOf::Track(id), Kind::SpanLeaves, rows);
            let place = |(level, index): (usize, usize)| out.rows[first + level].at + index as u32;
            let counted: Vec<_> = hidden.into_iter().map(|(at, calls)| (place(at), calls)).collect();
            out.hidden.extend(counted);
        }
    }
    Ok(())
}

/// What each stack is after the transforms.
struct StackMap {
    /// Nearest stack at or above that makes a box; `u32::MAX` for none.
    top: Vec<u32>,
    /// For a stack that makes a box: the box below it.
    below: Vec<u32>,
    /// For a stack that makes a box: its level, 0 for outermost.
    level: Vec<u32>,
    symbol: Vec<Symbol>,
    /// False for samples that a transform removes.
    alive: Vec<bool>,
    /// How many functions are behind stacks of hidden frames.
    hidden: FxHashMap<u32, u32>,
}

const NONE: u32 = u32::MAX;

impl StackMap {
    fn new(profile: &Profile, scope: &Scope, job: &Job) -> Result<Self, Cancelled> {
        let timed = profile.track_ids().any(|id| scope.has_track(id) && profile.track(id).samples.is_timed());
        let rows = if timed { profile.stacks.rows() } else { &[] };
        let n = rows.len();
        let mut map = Self {
            top: Vec::with_capacity(n),
            below: Vec::with_capacity(n),
            level: Vec::with_capacity(n),
            symbol: Vec::with_capacity(n),
            alive: Vec::with_capacity(n),
            hidden: FxHashMap::default(),
        };
        let mapper = PathMapper::new(&scope.transforms, profile);
        let root = mapper.root();
        let mapped = !scope.transforms.is_empty();
        let mut states: Vec<(PathState, u32)> = Vec::with_capacity(if mapped { n } else { 0 });
        let mut paths = Growing::default();
        for (i, stack) in rows.iter().enumerate() {
            if i % 65_536 == 0 {
                job.checkpoint(i as u64, n as u64)?;
            }
            let function = profile.frames.get(stack.frame).function;
            let below = stack.parent.map_or(NONE, |p| map.top[p.index()]);
            let mut symbol = Some(Symbol::Function(function));
            let mut alive = true;
            if mapped {
                let (above, path) =
                    stack.parent.map_or((&root, NO_NODE), |p| (&states[p.index()].0, states[p.index()].1));
                let (state, made) = mapper.step(above, function);
                (symbol, alive) = (made, state.alive);
                let path = made.map_or(path, |symbol| paths.child(path, symbol));
                paths.note(path, &state, function);
                states.push((state, path));
            }
            map.top.push(if symbol.is_some() { i as u32 } else { below });
            map.below.push(below);
            map.level.push(if below == NONE { 0 } else { map.level[below as usize] + 1 });
            map.symbol.push(symbol.unwrap_or(Symbol::Function(function)));
            map.alive.push(alive);
        }
        for (i, &(_, path)) in (0u32..).zip(&states) {
            if let Some((Symbol::Hidden { frames, .. }, _)) = paths.nodes.get(path as usize) {
                map.hidden.insert(i, *frames);
            }
        }
        Ok(map)
    }

    fn frames(&self, stack: u32) -> u32 {
        self.hidden.get(&stack).copied().unwrap_or(0)
    }

    /// Makes `path` the boxes of `stack`, outermost first, and returns how many at its beginning are
    /// the same boxes as before. Costs by the change, not by the depth, when stacks share their roots.
    fn change(&self, path: &mut Vec<u32>, stack: Option<StackId>, scratch: &mut Vec<u32>) -> usize {
        let mut at = stack.filter(|s| self.alive[s.index()]).map_or(NONE, |s| self.top[s.index()]);
        scratch.clear();
        while at != NONE && path.get(self.level[at as usize] as usize) != Some(&at) {
            scratch.push(at);
            at = self.below[at as usize];
        }
        let base = if at == NONE { 0 } else { self.level[at as usize] as usize + 1 };
        let mut same = base;
        for (i, &new) in scratch.iter().rev().enumerate() {
            let still = same == base + i
                && path
                    .get(base + i)
                    .is_some_and(|&old| self.symbol[old as usize].key() == self.symbol[new as usize].key());
            if still {
                same += 1;
            }
        }
        path.truncate(base);
        path.extend(scratch.iter().rev());
        same
    }
}

/// Rows of a track's samples, and the depth from which they are left out, if they are.
fn sample_rows(
    samples: &SampleTable,
    stacks: &StackMap,
    job: &Job,
) -> Result<(Vec<Vec<Leaf>>, Option<usize>), Cancelled> {
    let mut rows: Vec<Vec<Leaf>> = Vec::new();
    let (mut path, mut scratch) = (Vec::new(), Vec::new());
    // Starts of the open boxes.
    let mut open: Vec<(i64, u32)> = Vec::new();
    let mut limit = usize::MAX;
    let mut boxes = 0;
    let close = |rows: &mut Vec<Vec<Leaf>>, open: &mut Vec<(i64, u32)>, keep: usize, end: i64| {
        let closed = open.len().saturating_sub(keep);
        while open.len() > keep {
            let Some((start, id)) = open.pop() else { break };
            let level = open.len();
            if rows.len() <= level {
                rows.resize_with(level + 1, Vec::new);
            }
            let who = Who::symbol(stacks.symbol[id as usize]);
            rows[level].push(Leaf { start, end, who, id });
        }
        closed
    };
    for (i, &stack) in samples.stacks.iter().enumerate() {
        if i % 4096 == 0 {
            job.checkpoint(i as u64, samples.len() as u64)?;
        }
        let Some((start, end)) = samples.interval(i) else { continue };
        if start == end {
            continue;
        }
        let same = stacks.change(&mut path, stack, &mut scratch).min(limit);
        boxes += close(&mut rows, &mut open, same, start);
        open.extend(path.iter().take(limit).skip(same).map(|&id| (start, id)));
        while boxes > MAX_SAMPLE_BOXES {
            // Deepest rows first: what is left out is under something that is shown.
            let Some(dropped) = rows.pop() else { break };
            boxes -= dropped.len();
            limit = rows.len();
            open.truncate(limit);
        }
    }
    close(&mut rows, &mut open, 0, samples.end);
    Ok((rows, (limit < usize::MAX).then_some(limit)))
}
