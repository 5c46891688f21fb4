//! Rows of boxes for flame charts, in one structure for every way to order them.
//!
//! A row holds boxes that do not overlap, sorted by start. What a box is (a span, a node of a tree) is behind its
//! index. Rows over spans keep only the order of span rows, 4 bytes a box, because a trace may hold millions; rows of
//! samples keep no boxes at all (see `samples`); other rows hold their boxes.
//!
//! Long rows have coarser levels (see [`mips`]), so that a layout costs by the pixel, not by the box.

mod find;
mod level;
mod lift;
mod lows;
mod matched;
mod merged;
pub mod mips;
mod samples;
mod sandwich;
#[cfg(test)]
pub(crate) mod tests;
mod time;
mod who;

pub use level::{FlameBox, Level};
pub use matched::{Matched, MatchedShare};
pub use merged::{Merged, MergedOrder};
pub use sandwich::Sandwich;
pub(super) use sandwich::outermost;
pub use time::TimeOrder;
pub use who::Who;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::level::{Leaf, LeafSlice};
use self::lift::Lift;
use self::samples::{Cells, Runs, SampleRow};
use super::call_tree::CallTree;
use super::call_tree::NO_NODE;
use super::estimate::Pair;
use super::gaps::Gap;
use super::path::{Symbol, hidden_label};
use super::tree_costs::TreeCosts;
use super::whole::Whole;
use crate::model::{Basis, FunctionId, MetricKey, Profile, TrackId};

/// Where a row's boxes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Spans of the track of the group, by `order`.
    Spans,
    /// `leaves`; ids are span rows of the group's track.
    SpanLeaves,
    /// Runs of samples; the row shows the frames of this depth.
    Samples(u32),
    /// `leaves`; ids are nodes.
    Nodes,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// First place in `order` or `leaves`; for samples the place of their runs.
    at: u32,
    len: u32,
    group: u32,
    /// Index of its coarser levels, or `u32::MAX`.
    mips: u32,
    kind: Kind,
}

/// Rows that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What the rows show.
    pub of: GroupOf,
    /// Rows, top to bottom.
    pub rows: Range<u32>,
    /// Boxes in all of them.
    pub boxes: u64,
}

/// What a group shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupOf {
    /// A track in time order.
    Track(TrackId),
    /// The merged tree.
    Tree,
    /// Who calls the function of a sandwich.
    Callers,
    /// What it calls.
    Callees,
}

/// What the horizontal axis means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Time, ns since the profile's origin.
    Time,
    /// Cost in a metric; places mean nothing.
    Cost(MetricKey),
}

/// Costs of a sandwich's nodes.
#[derive(Clone, Debug, Default)]
struct NodeNumbers {
    own: Vec<i64>,
    total: Vec<i64>,
    /// Empty when not known, as in [`TreeCosts`].
    calls: Vec<u64>,
    samples: Vec<u64>,
    unfinished: Vec<u64>,
    /// What is in no node, by kind; empty for measured trees.
    gaps: Vec<[i64; 2]>,
}

#[derive(Clone, Debug)]
enum Numbers {
    /// Spans and samples tell it themselves.
    None,
    /// Ids are nodes of the tree of the group, by group.
    Trees(Vec<Arc<TreeCosts>>),
    /// Ids are rows of these columns.
    Own(NodeNumbers),
}

/// One box: its row and where in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoxAt {
    /// Row of the whole chart.
    pub row: u32,
    /// Names it within its row; grows from left to right.
    pub index: u32,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A span.
    Span(TrackId, u32),
    /// A node of the call tree: all of it, or in time order a time in which samples were in it.
    Node(u32),
    /// A node of a sandwich: paths from several places.
    Merged(u32),
    /// A part of a node that is in no box; `NO_NODE` beside the roots.
    Gap(u32),
}

/// The numbers of a merged box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxCosts {
    /// Own cost.
    pub own: i64,
    /// Own cost and that of all below.
    pub total: i64,
    /// Calls, where they were counted or recorded as spans.
    pub calls: Option<u64>,
    /// Samples at or below it, where there are samples.
    pub samples: Option<u64>,
    /// Calls that had not ended: the costs are at least what they say.
    pub unfinished: u64,
}

/// All rows of a flame chart.
#[derive(Clone, Debug)]
pub struct FlameRows {
    profile: Arc<Profile>,
    rows: Vec<Row>,
    order: Vec<u32>,
    leaves: Vec<Leaf>,
    mips: Vec<mips::Levels>,
    /// Samples of the tracks that have some, and the tree of their stacks.
    samples: Vec<Runs>,
    lift: Option<Lift>,
    numbers: Numbers,
    /// How many calls are behind boxes of hidden frames, by place in `leaves`.
    hidden: FxHashMap<u32, u32>,
    /// Groups, top to bottom; their row ranges cover all rows in order.
    pub groups: Vec<Group>,
    /// Where the chart starts, in units of the axis.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// What the axis means.
    pub axis: Axis,
    /// What shares are of: the whole time, or the sums of all costs.
    pub whole: Whole,
    /// Number of tracks that the sum is over; they may have run at the same time.
    pub tracks: usize,
    /// What the boxes rest on.
    pub basis: Basis,
    /// Functions whose places add up to something else than what is recorded.
    off: FxHashMap<FunctionId, Pair>,
    /// What is left out, in words; empty when nothing is.
    pub notices: Vec<String>,
}

/// The part of a chart that is looked at, with room for what is made for it.
#[derive(Clone, Debug, Default)]
pub struct Window {
    least: f64,
    cells: Cells,
    boxes: Vec<FlameBox>,
}

impl Window {
    /// From `seen.0` to `seen.1`; what is shorter than `least` units may be folded.
    #[must_use]
    pub fn new(rows: &FlameRows, seen: (i64, i64), least: f64) -> Self {
        Self { least, cells: Cells::new(seen, least, rows.start), boxes: Vec::new() }
    }
}

/// Number of tracks that sums of the scope are over.
fn track_count(profile: &Profile, scope: &super::Scope) -> usize {
    let holds = |id: &TrackId| {
        let track = profile.track(*id);
        !(track.spans.rows.is_empty() && track.samples.is_empty())
    };
    scope.work_tracks(profile).filter(holds).count()
}

impl FlameRows {
    fn new(profile: &Arc<Profile>, scope: &super::Scope, axis: Axis, basis: Basis) -> Self {
        Self {
            profile: profile.clone(),
            rows: Vec::new(),
            order: Vec::new(),
            leaves: Vec::new(),
            mips: Vec::new(),
            samples: Vec::new(),
            lift: None,
            numbers: Numbers::None,
            hidden: FxHashMap::default(),
            groups: Vec::new(),
            start: 0,
            end: 0,
            axis,
            whole: Whole::default(),
            tracks: track_count(profile, scope),
            basis,
            off: FxHashMap::default(),
            notices: Vec::new(),
        }
    }

    /// The profile that the rows are of.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of boxes.
    #[must_use]
    pub fn box_count(&self) -> u64 {
        self.groups.iter().map(|g| g.boxes).sum()
    }

    /// Length of the axis, at least 1.
    #[must_use]
    pub fn extent(&self) -> i64 {
        self.end.saturating_sub(self.start).max(1)
    }

    /// Units from the chart's start to `t`.
    #[must_use]
    pub fn since_start(&self, t: i64) -> f64 {
        t.saturating_sub(self.start) as f64
    }

    /// The group of a row.
    #[must_use]
    pub fn group_of(&self, row: u32) -> &Group {
        &self.groups[self.rows[row as usize].group as usize]
    }

    /// All boxes of a row that keeps some.
    fn finest(&self, row: u32) -> Level<'_> {
        let row = self.rows[row as usize];
        let range = row.at as usize..row.at as usize + row.len as usize;
        match (row.kind, self.groups[row.group as usize].of) {
            (Kind::Samples(_), _) => Level::Folded(&[]),
            (Kind::Spans, GroupOf::Track(track)) => {
                Level::Spans(&self.profile.track(track).spans.rows, &self.order[range])
            }
            _ => Level::Leaves(LeafSlice(&self.leaves[range])),
        }
    }

    /// The row, when it shows samples.
    fn samples(&self, row: u32) -> Option<SampleRow<'_>> {
        let Row { at, kind: Kind::Samples(depth), .. } = *self.rows.get(row as usize)? else { return None };
        let runs = &self.samples[at as usize];
        Some(SampleRow { runs, lift: self.lift.as_ref()?, depth })
    }

    /// Boxes of a row, at least those that touch the window, in which nothing is folded that is longer than its
    /// least length.
    pub fn seen<'a>(&'a self, row: u32, window: &'a mut Window) -> Level<'a> {
        if let Some(samples) = self.samples(row) {
            window.boxes.clear();
            samples.seen(&mut window.cells, &mut window.boxes);
            return Level::Folded(&window.boxes);
        }
        let mips = self.mips.get(self.rows[row as usize].mips as usize);
        match mips.and_then(|m| m.for_length(window.least)) {
            Some(boxes) => Level::Folded(boxes),
            None => self.finest(row),
        }
    }

    /// The box at `at`.
    #[must_use]
    pub fn get(&self, at: BoxAt) -> Option<FlameBox> {
        if let Some(samples) = self.samples(at.row) {
            return samples.get(at.index);
        }
        ((at.row as usize) < self.rows.len())
            .then(|| self.finest(at.row))
            .filter(|level| (at.index as usize) < level.len())
            .map(|level| level.get(at.index as usize))
    }

    /// What the box at `at` stands for.
    #[must_use]
    pub fn origin(&self, at: BoxAt) -> Option<Origin> {
        if let Some(samples) = self.samples(at.row) {
            return samples.node(at.index).map(Origin::Node);
        }
        let row = *self.rows.get(at.row as usize).filter(|row| at.index < row.len)?;
        let place = (row.at + at.index) as usize;
        let track = match self.groups[row.group as usize].of {
            GroupOf::Track(track) => track,
            _ => TrackId::default(),
        };
        if row.kind != Kind::Spans && self.leaves[place].who.as_gap().is_some() {
            return Some(Origin::Gap(self.leaves[place].id));
        }
        Some(match row.kind {
            Kind::Spans => Origin::Span(track, self.order[place]),
            Kind::SpanLeaves => Origin::Span(track, self.leaves[place].id),
            Kind::Nodes if matches!(self.numbers, Numbers::Own(_)) => Origin::Merged(self.leaves[place].id),
            Kind::Nodes | Kind::Samples(_) => Origin::Node(self.leaves[place].id),
        })
    }

    /// The costs of the tree that the boxes of a row are nodes of.
    fn costs_of(&self, row: u32) -> Option<&Arc<TreeCosts>> {
        let Numbers::Trees(trees) = &self.numbers else { return None };
        trees.get(self.rows.get(row as usize)?.group as usize)
    }

    /// The tree that the boxes of a row are nodes of.
    fn tree_of(&self, row: u32) -> Option<&CallTree> {
        match self.rows.get(row as usize)?.kind {
            Kind::Samples(_) => self.lift.as_ref().map(|lift| &*lift.tree),
            _ => self.costs_of(row).map(|costs| &*costs.tree),
        }
    }

    /// What stands on a box: a name, or how many frames are hidden behind it.
    #[must_use]
    pub fn label(&self, at: BoxAt, who: Who) -> Cow<'_, str> {
        if !who.is_hidden() {
            return Cow::Borrowed(who.label(&self.profile));
        }
        let counted = match (self.origin(at), self.tree_of(at.row)) {
            (Some(Origin::Node(node)), Some(tree)) => match tree.nodes[node as usize].symbol {
                Symbol::Hidden { frames, .. } => frames,
                _ => 0,
            },
            (Some(Origin::Span(..)), _) => {
                let place = self.rows[at.row as usize].at + at.index;
                self.hidden.get(&place).copied().unwrap_or(0)
            }
            _ => 0,
        };
        hidden_label(counted)
    }

    /// Own cost, total and count of a box of a merged chart; `None` in time order.
    #[must_use]
    pub fn costs(&self, at: BoxAt) -> Option<BoxCosts> {
        if let (Origin::Node(node), Some(costs)) = (self.origin(at)?, self.costs_of(at.row)) {
            let i = node as usize;
            let known = |column: &[u64]| column.get(i).copied().filter(|&n| n > 0);
            let (calls, samples) = (known(&costs.calls), known(&costs.samples_total));
            let unfinished = known(&costs.unfinished).unwrap_or(0);
            return Some(BoxCosts { own: costs.own[i], total: costs.total[i], calls, samples, unfinished });
        }
        match (self.origin(at)?, &self.numbers) {
            (Origin::Merged(node), Numbers::Own(costs)) => {
                let i = node as usize;
                let known = |column: &[u64]| column.get(i).copied().filter(|&n| n > 0);
                let (calls, samples) = (known(&costs.calls), known(&costs.samples));
                let unfinished = known(&costs.unfinished).unwrap_or(0);
                Some(BoxCosts { own: costs.own[i], total: costs.total[i], calls, samples, unfinished })
            }
            _ => None,
        }
    }

    /// Total of a box's function in the tree and as recorded, when they differ by more than 2 %.
    #[must_use]
    pub fn off(&self, at: BoxAt) -> Option<Pair> {
        let who = self.get(at)?.who;
        if self.off.is_empty() || who.as_gap().is_some() || who.is_module() || who.is_hidden() {
            return None;
        }
        self.off.get(&who.function()).copied()
    }

    /// What a gap is, and its cost; `None` for other boxes.
    #[must_use]
    pub fn gap(&self, at: BoxAt) -> Option<(Gap, i64)> {
        let Origin::Gap(node) = self.origin(at)? else { return None };
        let kind = self.get(at)?.who.as_gap()?;
        let cost = match (self.costs_of(at.row), &self.numbers) {
            (Some(costs), _) => costs.gaps.as_ref()?.cost(Some(node).filter(|&n| n != NO_NODE), kind),
            (None, Numbers::Own(numbers)) => *numbers.gaps.get(node as usize)?.get(kind as usize)?,
            _ => return None,
        };
        Some((kind, cost))
    }

    /// Functions from the root to the box; `None` where the box stands for several paths.
    #[must_use]
    pub fn path(&self, at: BoxAt) -> Option<Vec<FunctionId>> {
        match (self.origin(at)?, self.tree_of(at.row)) {
            (Origin::Span(track, row), _) => {
                let profile = &self.profile;
                let function = |(t, r): (TrackId, u32)| profile.track(t).spans.rows[r as usize].function;
                let mut path: Vec<_> = profile.span_ancestors(track, row).map(function).collect();
                path.reverse();
                Some(path)
            }
            (Origin::Node(node), Some(tree)) => Some(tree.path(node)),
            (Origin::Gap(node), Some(tree)) if node != NO_NODE => Some(tree.path(node)),
            _ => None,
        }
    }

    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let numbers = match &self.numbers {
            Numbers::Own(own) => own.own.len() * 32,
            Numbers::None | Numbers::Trees(_) => 0,
        };
        self.rows.len() * size_of::<Row>()
            + self.order.len() * 4
            + self.leaves.len() * size_of::<Leaf>()
            + self.mips.iter().map(mips::Levels::heap_bytes).sum::<usize>()
            + self.samples.iter().map(Runs::bytes).sum::<usize>()
            + self.lift.as_ref().map_or(0, Lift::bytes)
            + numbers
            + self.hidden.len() * 12
    }

    /// Appends rows (top to bottom) of boxes as one group.
    fn push_leaves(&mut self, of: GroupOf, kind: Kind, rows: Vec<Vec<Leaf>>) {
        let group = self.open_group(of);
        for leaves in rows {
            let (at, len) = (self.leaves.len() as u32, leaves.len() as u32);
            self.leaves.extend(leaves);
            self.rows.push(Row { at, len, group, mips: u32::MAX, kind });
        }
        self.close_group();
    }

    /// Appends rows of samples, one for each depth.
    fn push_samples(&mut self, runs: Runs) {
        let group = self.open_group(GroupOf::Track(runs.track));
        let at = self.samples.len() as u32;
        for (depth, &len) in (0..).zip(&runs.boxes) {
            self.rows.push(Row { at, len, group, mips: u32::MAX, kind: Kind::Samples(depth) });
        }
        self.samples.push(runs);
        self.close_group();
    }

    /// The group for the next rows: the last one when it is of the same.
    fn open_group(&mut self, of: GroupOf) -> u32 {
        if self.groups.last().is_none_or(|g| g.of != of) {
            let next = self.rows.len() as u32;
            self.groups.push(Group { of, rows: next..next, boxes: 0 });
        }
        self.groups.len() as u32 - 1
    }

    fn close_group(&mut self) {
        if let Some(group) = self.groups.last_mut() {
            group.rows.end = self.rows.len() as u32;
            let rows = &self.rows[group.rows.start as usize..];
            group.boxes = rows.iter().map(|r| u64::from(r.len)).sum();
        }
    }

    /// Computes the coarser levels of all long rows.
    fn fold(&mut self, job: &crate::jobs::Job) -> Result<(), crate::jobs::Cancelled> {
        for row in 0..self.rows.len() {
            if (self.rows[row].len as usize) < mips::WORTH_IT
                || matches!(self.rows[row].kind, Kind::Samples(_))
            {
                continue;
            }
            job.checkpoint(row as u64, self.rows.len() as u64)?;
            let levels = mips::Levels::build(self.finest(row as u32), self.start, job)?;
            self.rows[row].mips = self.mips.len() as u32;
            self.mips.push(levels);
        }
        Ok(())
    }
}
