//! Rows of boxes for flame charts, in one structure for every way to order them.
//!
//! A row holds boxes that do not overlap, sorted by start. What a box is (a span, a prefix of samples, a
//! node of a tree) is behind its id. Rows over spans keep only the order of span rows, 4 bytes a box,
//! because a trace may hold millions; other rows hold their boxes.
//!
//! Long rows have coarser levels (see [`mips`]), so that a layout costs by the pixel, not by the box.

mod matched;
mod merged;
pub mod mips;
mod sandwich;
#[cfg(test)]
pub(crate) mod tests;
mod time;

pub use matched::{Matched, MatchedShare};
pub use merged::{Merged, MergedOrder};
pub use sandwich::Sandwich;
pub use time::TimeOrder;

use std::ops::Range;
use std::sync::Arc;

use super::path::Symbol;
use super::tree_costs::TreeCosts;
use crate::model::{Basis, FunctionId, MetricId, Profile, Span, SpanStatus, StackId, TrackId};

/// The function of a box, and marks: 4 bytes, because there are millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Who(u32);

impl Who {
    const MODULE: u32 = 1 << 31;
    const ERROR: u32 = 1 << 30;
    const UNFINISHED: u32 = 1 << 29;
    const FUNCTION: u32 = Self::UNFINISHED - 1;

    /// A box of `function`.
    #[must_use]
    pub fn new(function: FunctionId) -> Self {
        Self(function.0 & Self::FUNCTION)
    }

    /// A box of a node.
    #[must_use]
    pub fn symbol(symbol: Symbol) -> Self {
        let who = Self::new(symbol.function());
        if matches!(symbol, Symbol::Module(..)) { Self(who.0 | Self::MODULE) } else { who }
    }

    /// The same with the mark for `status`.
    #[must_use]
    pub fn with_status(self, status: SpanStatus) -> Self {
        Self(
            self.0
                | match status {
                    SpanStatus::Ok => 0,
                    SpanStatus::Error => Self::ERROR,
                    SpanStatus::Unfinished => Self::UNFINISHED,
                },
        )
    }

    /// The same with the error mark if `other` has it.
    #[must_use]
    pub fn with_error_of(self, other: Self) -> Self {
        Self(self.0 | other.0 & Self::ERROR)
    }

    /// The function; of a box for a module its first one.
    #[must_use]
    pub fn function(self) -> FunctionId {
        FunctionId(self.0 & Self::FUNCTION)
    }

    /// True for a run of functions of one module.
    #[must_use]
    pub fn is_module(self) -> bool {
        self.0 & Self::MODULE != 0
    }

    /// True when it (or one of the boxes folded into it) ended with an error.
    #[must_use]
    pub fn is_error(self) -> bool {
        self.0 & Self::ERROR != 0
    }

    /// True when it never ended.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        self.0 & Self::UNFINISHED != 0
    }

    /// What stands on the box.
    #[must_use]
    pub fn label(self, profile: &Profile) -> &str {
        let function = profile.functions.get(self.function());
        profile.text(if self.is_module() { function.module } else { function.name })
    }
}

/// A box of any level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlameBox {
    /// Start, in units of the axis.
    pub start: i64,
    /// End, not before the start.
    pub end: i64,
    /// The function, of the longest one when boxes are folded.
    pub who: Who,
    /// Position in the row of its first box. The next box of the level tells how many are folded.
    pub first: u32,
}

impl FlameBox {
    /// Length in units of the axis.
    #[must_use]
    pub fn length(&self) -> i64 {
        self.end.saturating_sub(self.start)
    }
}

/// A box of rows that hold their boxes.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    start: i64,
    end: i64,
    who: Who,
    id: u32,
}

/// Where a row's boxes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Spans of the track of the group, by `order`.
    Spans,
    /// `leaves`; ids are span rows of the group's track.
    SpanLeaves,
    /// `leaves`; ids are stacks.
    Stacks,
    /// `leaves`; ids are nodes.
    Nodes,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// First place in `order` or `leaves`.
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
    Cost(MetricId),
}

/// Costs of a sandwich's nodes.
#[derive(Clone, Debug, Default)]
struct NodeNumbers {
    own: Vec<i64>,
    total: Vec<i64>,
    /// Empty when not known, as in [`TreeCosts`].
    calls: Vec<u64>,
    samples: Vec<u64>,
}

#[derive(Clone, Debug)]
enum Numbers {
    /// Spans and samples tell it themselves.
    None,
    /// Ids are nodes of the tree.
    Tree(Arc<TreeCosts>),
    /// Ids are rows of these columns.
    Own(NodeNumbers),
}

/// One box: its row and position in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoxAt {
    /// Row of the whole chart.
    pub row: u32,
    /// Position in the row.
    pub index: u32,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A span.
    Span(TrackId, u32),
    /// A run of samples that share this stack or its beginning.
    Stack(StackId),
    /// A node of the call tree.
    Node(u32),
    /// A node of a sandwich: paths from several places.
    Merged(u32),
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
}

/// All rows of a flame chart.
#[derive(Clone, Debug)]
pub struct FlameRows {
    profile: Arc<Profile>,
    rows: Vec<Row>,
    order: Vec<u32>,
    leaves: Vec<Leaf>,
    mips: Vec<mips::Levels>,
    numbers: Numbers,
    /// Groups, top to bottom; their row ranges cover all rows in order.
    pub groups: Vec<Group>,
    /// Where the chart starts, in units of the axis.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// What the axis means.
    pub axis: Axis,
    /// The denominator of shares: the whole time, or the sum of all own costs.
    pub sum: i64,
    /// Number of tracks that the sum is over; they may have run at the same time.
    pub tracks: usize,
    /// What the boxes rest on.
    pub basis: Basis,
    /// What is left out, in words; empty when nothing is.
    pub notices: Vec<String>,
}

/// Number of tracks of the scope that hold spans or samples.
fn track_count(profile: &Profile, scope: &super::Scope) -> usize {
    let holds = |id: &TrackId| {
        let track = profile.track(*id);
        !(track.spans.rows.is_empty() && track.samples.is_empty())
    };
    profile.track_ids().filter(|&id| scope.has_track(id)).filter(holds).count()
}

/// One level of a row, finest or folded.
#[derive(Clone, Copy)]
pub enum Level<'a> {
    /// Folded boxes.
    Folded(&'a [FlameBox]),
    /// Spans in the order of `.1`.
    Spans(&'a [Span], &'a [u32]),
    /// Boxes of their own.
    Leaves(LeafSlice<'a>),
}

/// Boxes of a row that holds its boxes.
#[derive(Clone, Copy)]
pub struct LeafSlice<'a>(&'a [Leaf]);

impl Level<'_> {
    /// Number of boxes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Folded(boxes) => boxes.len(),
            Self::Spans(_, order) => order.len(),
            Self::Leaves(leaves) => leaves.0.len(),
        }
    }

    /// True when there are no boxes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Box number `i`.
    #[must_use]
    pub fn get(&self, i: usize) -> FlameBox {
        match self {
            Self::Folded(boxes) => boxes[i],
            Self::Spans(spans, order) => {
                let span = &spans[order[i] as usize];
                let who = Who::new(span.function).with_status(span.status);
                FlameBox { start: span.start, end: span.end, who, first: i as u32 }
            }
            Self::Leaves(leaves) => {
                let leaf = &leaves.0[i];
                FlameBox { start: leaf.start, end: leaf.end, who: leaf.who, first: i as u32 }
            }
        }
    }

    /// Start of box `i`, without reading the rest of it.
    #[must_use]
    pub fn start(&self, i: usize) -> i64 {
        match self {
            Self::Folded(boxes) => boxes[i].start,
            Self::Spans(spans, order) => spans[order[i] as usize].start,
            Self::Leaves(leaves) => leaves.0[i].start,
        }
    }

    /// First box from `from` on for which `before` is false; the boxes are parted by it.
    #[must_use]
    pub fn partition(&self, from: usize, before: impl Fn(&FlameBox) -> bool) -> usize {
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(&self.get(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl FlameRows {
    fn new(profile: &Arc<Profile>, scope: &super::Scope, axis: Axis, basis: Basis) -> Self {
        Self {
            profile: profile.clone(),
            rows: Vec::new(),
            order: Vec::new(),
            leaves: Vec::new(),
            mips: Vec::new(),
            numbers: Numbers::None,
            groups: Vec::new(),
            start: 0,
            end: 0,
            axis,
            sum: 0,
            tracks: track_count(profile, scope),
            basis,
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

    /// The group of a row.
    #[must_use]
    pub fn group_of(&self, row: u32) -> &Group {
        &self.groups[self.rows[row as usize].group as usize]
    }

    /// All boxes of a row.
    #[must_use]
    pub fn finest(&self, row: u32) -> Level<'_> {
        let row = self.rows[row as usize];
        let range = row.at as usize..row.at as usize + row.len as usize;
        match (row.kind, self.groups[row.group as usize].of) {
            (Kind::Spans, GroupOf::Track(track)) => {
                Level::Spans(&self.profile.track(track).spans.rows, &self.order[range])
            }
            _ => Level::Leaves(LeafSlice(&self.leaves[range])),
        }
    }

    /// The coarsest level of a row in which nothing is folded that is longer than `least` units.
    #[must_use]
    pub fn level(&self, row: u32, least: f64) -> Level<'_> {
        match self.mips.get(self.rows[row as usize].mips as usize).and_then(|m| m.for_length(least)) {
            Some(boxes) => Level::Folded(boxes),
            None => self.finest(row),
        }
    }

    /// The box at `at`.
    #[must_use]
    pub fn get(&self, at: BoxAt) -> Option<FlameBox> {
        ((at.row as usize) < self.rows.len())
            .then(|| self.finest(at.row))
            .filter(|level| (at.index as usize) < level.len())
            .map(|level| level.get(at.index as usize))
    }

    /// What the box at `at` stands for.
    #[must_use]
    pub fn origin(&self, at: BoxAt) -> Option<Origin> {
        let row = *self.rows.get(at.row as usize).filter(|row| at.index < row.len)?;
        let place = (row.at + at.index) as usize;
        let track = match self.groups[row.group as usize].of {
            GroupOf::Track(track) => track,
            _ => TrackId::default(),
        };
        Some(match row.kind {
            Kind::Spans => Origin::Span(track, self.order[place]),
            Kind::SpanLeaves => Origin::Span(track, self.leaves[place].id),
            Kind::Stacks => Origin::Stack(StackId(self.leaves[place].id)),
            Kind::Nodes if matches!(self.numbers, Numbers::Own(_)) => Origin::Merged(self.leaves[place].id),
            Kind::Nodes => Origin::Node(self.leaves[place].id),
        })
    }

    /// Own cost, total and count of a box of a merged chart; `None` in time order.
    #[must_use]
    pub fn costs(&self, at: BoxAt) -> Option<BoxCosts> {
        match (self.origin(at)?, &self.numbers) {
            (Origin::Node(node), Numbers::Tree(costs)) => {
                let i = node as usize;
                let known = |column: &[u64]| column.get(i).copied();
                let (calls, samples) = (known(&costs.calls), known(&costs.samples_total));
                Some(BoxCosts { own: costs.own[i], total: costs.total[i], calls, samples })
            }
            (Origin::Merged(node), Numbers::Own(costs)) => {
                let i = node as usize;
                let known = |column: &[u64]| column.get(i).copied();
                let (calls, samples) = (known(&costs.calls), known(&costs.samples));
                Some(BoxCosts { own: costs.own[i], total: costs.total[i], calls, samples })
            }
            _ => None,
        }
    }

    /// Functions from the root to the box; `None` where the box stands for several paths.
    #[must_use]
    pub fn path(&self, at: BoxAt) -> Option<Vec<FunctionId>> {
        match (self.origin(at)?, &self.numbers) {
            (Origin::Span(track, row), _) => {
                let profile = &self.profile;
                let function = |(t, r): (TrackId, u32)| profile.track(t).spans.rows[r as usize].function;
                let mut path: Vec<_> = profile.span_ancestors(track, row).map(function).collect();
                path.reverse();
                Some(path)
            }
            (Origin::Stack(stack), _) => Some(self.profile.stack_functions(stack)),
            (Origin::Node(node), Numbers::Tree(costs)) => Some(costs.tree.path(node)),
            _ => None,
        }
    }

    /// The box of `row` that covers `t`, or an empty one that stands there.
    #[must_use]
    pub fn at(&self, row: u32, t: f64) -> Option<u32> {
        let level = self.finest(row);
        let after = level.partition(0, |b| b.start as f64 <= t);
        let index = after.checked_sub(1)?;
        let found = level.get(index);
        (found.end as f64 > t || found.start as f64 == t && found.end == found.start).then_some(index as u32)
    }

    /// Positions of the boxes of `row` that touch `from..to`.
    #[must_use]
    pub fn touching(&self, row: u32, from: f64, to: f64) -> Range<u32> {
        let level = self.finest(row);
        let first = level.partition(0, |b| (b.end as f64) < from || b.end as f64 == from && b.length() > 0);
        let last = level.partition(first, |b| (b.start as f64) < to);
        first as u32..last.max(first) as u32
    }

    /// The place of a span: itself in time order, its path in the merged tree.
    #[must_use]
    pub fn find_span(&self, track: TrackId, row: u32) -> Option<BoxAt> {
        if let Numbers::Tree(costs) = &self.numbers {
            let nodes = costs.tree.tracks.iter().find(|t| t.track == track)?;
            return self.find_node(*nodes.spans.get(row as usize)?);
        }
        let span = *self.profile.tracks.get(track.index())?.spans.rows.get(row as usize)?;
        let group = self.groups.iter().find(|g| g.of == GroupOf::Track(track))?;
        group.rows.clone().filter(|&r| self.rows[r as usize].kind != Kind::Stacks).find_map(|r| {
            let level = self.finest(r);
            let first = level.partition(0, |b| b.start < span.start);
            (first..level.len())
                .take_while(|&i| level.start(i) == span.start)
                .map(|i| BoxAt { row: r, index: i as u32 })
                .find(|&at| self.origin(at) == Some(Origin::Span(track, row)))
        })
    }

    /// The place of a call path in the merged tree.
    #[must_use]
    pub fn find_path(&self, path: &[FunctionId]) -> Option<BoxAt> {
        let Numbers::Tree(costs) = &self.numbers else { return None };
        self.find_node(costs.tree.find(path, &self.profile.functions)?)
    }

    fn find_node(&self, node: u32) -> Option<BoxAt> {
        let Numbers::Tree(costs) = &self.numbers else { return None };
        let row = costs.tree.nodes.get(node as usize)?.depth;
        let here = *self.rows.get(row as usize)?;
        let leaves = &self.leaves[here.at as usize..(here.at + here.len) as usize];
        let index = leaves.iter().position(|leaf| leaf.id == node)?;
        Some(BoxAt { row, index: index as u32 })
    }

    /// The widest box of a function in a merged chart.
    #[must_use]
    pub fn find_function(&self, function: FunctionId) -> Option<BoxAt> {
        if matches!(self.axis, Axis::Time) {
            return None;
        }
        let mut best: Option<(i64, BoxAt)> = None;
        for (r, row) in self.rows.iter().enumerate() {
            let leaves = &self.leaves[row.at as usize..(row.at + row.len) as usize];
            for (i, leaf) in leaves.iter().enumerate().filter(|(_, leaf)| leaf.who.function() == function) {
                if best.is_none_or(|(length, _)| leaf.end - leaf.start > length) {
                    best = Some((leaf.end - leaf.start, BoxAt { row: r as u32, index: i as u32 }));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// The box above or below, as one sees it: the one that covers the box, or the longest that it
    /// covers.
    #[must_use]
    pub fn neighbour_row(&self, at: BoxAt, down: bool) -> Option<BoxAt> {
        let here = self.get(at)?;
        let group = self.group_of(at.row);
        let row = if down { at.row + 1 } else { at.row.checked_sub(1)? };
        if !group.rows.contains(&row) {
            return None;
        }
        let touching = self.touching(row, here.start as f64, (here.end as f64).max(here.start as f64 + 0.5));
        let level = self.finest(row);
        // The first thousands are enough to find a long one.
        let longest =
            touching.take(10_000).max_by_key(|&i| (level.get(i as usize).length(), std::cmp::Reverse(i)))?;
        Some(BoxAt { row, index: longest })
    }

    /// The next or previous box of the row.
    #[must_use]
    pub fn neighbour(&self, at: BoxAt, forward: bool) -> Option<BoxAt> {
        let index = if forward { at.index + 1 } else { at.index.checked_sub(1)? };
        (index < self.rows.get(at.row as usize)?.len).then_some(BoxAt { index, ..at })
    }

    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let numbers = match &self.numbers {
            Numbers::Own(own) => own.own.len() * 32,
            Numbers::None | Numbers::Tree(_) => 0,
        };
        self.rows.len() * size_of::<Row>()
            + self.order.len() * 4
            + self.leaves.len() * size_of::<Leaf>()
            + self.mips.iter().map(mips::Levels::heap_bytes).sum::<usize>()
            + numbers
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
            if (self.rows[row].len as usize) < mips::WORTH_IT {
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
