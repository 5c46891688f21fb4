//! Boxes of samples in time order, found when they are looked at. A million samples that are 25 deep would make 25
//! million boxes; kept is only what tells where boxes begin: for each run of samples how many frames at the root it
//! shares with the run before. In the row of depth `d` a box begins where that is `d` or less.
//!
//! Samples that fall on spans have rows of their own below these, with the frames that their stacks have: the spans above are boxes already.
//!
//! Minima of blocks, and minima of those, find the next such place in a few steps, however far it is. A box is named by
//! its first run.

use super::lift::Lift;
use super::lows::Lows;
use super::{FlameBox, Who};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::nested_samples::pieces;
use crate::jobs::{Cancelled, Job};
use crate::model::{NO_ROW, Profile, TrackId};

/// Runs in a block of counts.
const COUNTED: usize = 1024;
/// Rows whose boxes are counted by block; in deeper ones they are counted one by one.
const COUNTED_ROWS: usize = 256;
/// Boxes of a cell that are all looked at for the longest; of more the one in the middle is shown.
const LOOKED_AT: usize = 8;

/// Runs of equal samples of one track.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    pub track: TrackId,
    /// Start of each run, ns, and the end of the last one.
    starts: Vec<i64>,
    end: i64,
    /// Its node, or [`NO_NODE`].
    node: Vec<u32>,
    /// Of samples on spans how many frames of its path are spans; else empty.
    base: Vec<u32>,
    /// Frames that it shares with the run before.
    shared: Vec<u32>,
    lows: Lows,
    /// Minima of [`lacking`] frames: where something is deep enough.
    lacks: Lows,
    /// Boxes that begin in each row.
    pub boxes: Vec<u32>,
    /// The same for blocks of runs: block by block, for the first rows.
    counts: Vec<u16>,
}

/// The fewer, the deeper a path is.
fn lacking(frames: u32) -> u32 {
    u32::MAX - frames
}

impl Runs {
    pub fn new(profile: &Profile, track: TrackId, lift: &Lift, job: &Job) -> Result<Self, Cancelled> {
        let mut runs = Self {
            track,
            starts: Vec::new(),
            end: i64::MIN,
            node: Vec::new(),
            base: Vec::new(),
            shared: Vec::new(),
            lows: Lows::default(),
            lacks: Lows::default(),
            boxes: Vec::new(),
            counts: Vec::new(),
        };
        match lift.tree.nested.iter().find(|nested| nested.0 == track) {
            Some((_, nodes)) => runs.add_pieces(profile, nodes, lift, job)?,
            None => runs.add_samples(profile, lift, job)?,
        }
        runs.lows = Lows::new(runs.shared.iter().copied());
        runs.lacks = Lows::new((0..runs.node.len()).map(|run| lacking(runs.frames(run, lift))));
        runs.count(lift);
        Ok(runs)
    }

    fn add_samples(&mut self, profile: &Profile, lift: &Lift, job: &Job) -> Result<(), Cancelled> {
        let samples = &profile.track(self.track).samples;
        for (i, stack) in samples.stacks.iter().enumerate() {
            if i % 65_536 == 0 {
                job.checkpoint(i as u64, samples.len() as u64)?;
            }
            let Some((start, end)) = samples.interval(i) else { continue };
            let here = stack.and_then(|s| lift.tree.stacks.get(s.index())).copied().unwrap_or(NO_NODE);
            if start == end || self.node.last() == Some(&here) {
                continue;
            }
            self.shared.push(self.node.last().map_or(0, |&before| lift.shared(before, here)));
            self.starts.push(start);
            self.node.push(here);
        }
        self.end = samples.end.max(samples.times.last().copied().unwrap_or(0));
        Ok(())
    }

    /// The same of samples that fall on spans, which part them.
    fn add_pieces(
        &mut self,
        profile: &Profile,
        nodes: &[u32],
        lift: &Lift,
        job: &Job,
    ) -> Result<(), Cancelled> {
        for (i, (piece, &node)) in pieces(profile, self.track).zip(nodes).enumerate() {
            if i % 65_536 == 0 {
                job.checkpoint(i as u64, nodes.len() as u64)?;
            }
            if piece.start == piece.end {
                continue;
            }
            if piece.start > self.end && !self.node.is_empty() {
                self.push_piece(self.end, (NO_NODE, 0), lift);
            }
            let on = Some(piece.row).filter(|row| *row != NO_ROW);
            let span = on.and_then(|row| lift.tree.node_of_span(self.track, row)).unwrap_or(NO_NODE);
            self.push_piece(piece.start, (node, lift.frames(span).min(lift.frames(node))), lift);
            self.end = piece.end;
        }
        self.end = self.end.max(self.starts.last().copied().unwrap_or(0));
        Ok(())
    }

    fn push_piece(&mut self, start: i64, (node, base): (u32, u32), lift: &Lift) {
        let last = self.node.last().copied().zip(self.base.last().copied());
        if last == Some((node, base)) {
            return;
        }
        let shared = last.filter(|last| last.1 == base).map_or(0, |last| lift.shared(last.0, node));
        self.shared.push(shared.saturating_sub(base));
        self.starts.push(start);
        self.node.push(node);
        self.base.push(base);
    }

    fn base(&self, run: usize) -> u32 {
        self.base.get(run).copied().unwrap_or(0)
    }

    /// Frames of a run that have boxes.
    fn frames(&self, run: usize, lift: &Lift) -> u32 {
        lift.frames(self.node[run]).saturating_sub(self.base(run))
    }

    /// Counts the boxes of each row: those of a run are in the rows from what it shares to its depth.
    fn count(&mut self, lift: &Lift) {
        let frames: Vec<u32> = (0..self.node.len()).map(|run| self.frames(run, lift)).collect();
        let deepest = frames.iter().copied().max().unwrap_or(0) as usize;
        let rows = deepest.min(COUNTED_ROWS);
        let mut all = vec![0i64; deepest + 1];
        self.counts.reserve(self.node.len().div_ceil(COUNTED) * rows);
        for (frames, shared) in frames.chunks(COUNTED).zip(self.shared.chunks(COUNTED)) {
            let mut changes = vec![0i32; rows + 1];
            for (&frames, &shared) in frames.iter().zip(shared) {
                let (from, to) = (shared as usize, frames as usize);
                all[from] += 1;
                all[to] -= 1;
                changes[from.min(rows)] += 1;
                changes[to.min(rows)] -= 1;
            }
            let mut here = 0;
            self.counts.extend(changes[..rows].iter().map(|change| {
                here += change;
                here as u16
            }));
        }
        let mut here = 0;
        self.boxes = all[..deepest]
            .iter()
            .map(|change| {
                here += change;
                here as u32
            })
            .collect();
    }

    pub fn bytes(&self) -> usize {
        self.node.len() * 16
            + self.base.len() * 4
            + self.lows.bytes()
            + self.lacks.bytes()
            + self.boxes.len() * 4
            + self.counts.len() * 2
    }
}

/// The row of depth `depth` of runs.
#[derive(Clone, Copy)]
pub(super) struct SampleRow<'a> {
    pub runs: &'a Runs,
    pub lift: &'a Lift,
    pub depth: u32,
}

impl SampleRow<'_> {
    /// Start of a run; that behind the last one is the end.
    fn time(&self, run: usize) -> i64 {
        self.runs.starts.get(run).copied().unwrap_or(self.runs.end)
    }

    fn len(&self) -> usize {
        self.runs.node.len()
    }

    /// The first run from `from` on that starts at `t` or later.
    fn run_at(&self, from: usize, t: i64) -> usize {
        from + self.runs.starts[from..].partition_point(|&start| start < t)
    }

    /// True when the run is deep enough to have a box in the row.
    fn reaches(&self, run: usize) -> bool {
        self.runs.frames(run, self.lift) > self.depth
    }

    /// Where the box or the gap begins that holds the run.
    fn begin(&self, run: usize) -> usize {
        self.runs.lows.last(|i| self.runs.shared[i], run + 1, self.depth).unwrap_or(0)
    }

    /// Where the next box or gap begins.
    fn end(&self, run: usize) -> usize {
        self.runs.lows.next(|i| self.runs.shared[i], run + 1, self.depth)
    }

    /// The first run from `from` on that has a box in the row.
    fn deep(&self, from: usize) -> usize {
        let lacks = |run: usize| lacking(self.runs.frames(run, self.lift));
        self.runs.lacks.next(lacks, from, lacking(self.depth + 1))
    }

    fn last_deep(&self, end: usize) -> Option<usize> {
        let lacks = |run: usize| lacking(self.runs.frames(run, self.lift));
        self.runs.lacks.last(lacks, end, lacking(self.depth + 1))
    }

    /// The node that a box stands for.
    pub fn node(&self, index: u32) -> Option<u32> {
        let run = index as usize;
        let begins = self.runs.shared.get(run).is_some_and(|&shared| shared <= self.depth);
        (begins && self.reaches(run)).then(|| self.ancestor(run))
    }

    fn ancestor(&self, run: usize) -> u32 {
        self.lift.ancestor(self.runs.node[run], self.runs.base(run) + self.depth)
    }

    fn who(&self, run: usize) -> Who {
        let node = self.ancestor(run);
        Who::symbol(self.lift.tree.nodes[node as usize].symbol)
    }

    /// The box that begins with a run which reaches the row.
    fn make(&self, run: usize) -> FlameBox {
        let (start, end) = (self.time(run), self.time(self.end(run)));
        FlameBox { start, end, who: self.who(run), first: run as u32 }
    }

    /// The box with this index.
    pub fn get(&self, index: u32) -> Option<FlameBox> {
        self.node(index).map(|_| self.make(index as usize))
    }

    /// The box that covers `t`.
    pub fn at(&self, t: f64) -> Option<u32> {
        let run = self.runs.starts.partition_point(|&start| start as f64 <= t).checked_sub(1)?;
        (self.reaches(run) && t < self.time(self.len()) as f64).then(|| self.begin(run) as u32)
    }

    /// The first box that begins with run `run` or later.
    pub fn from(&self, run: usize) -> Option<u32> {
        let next = self.runs.lows.next(|i| self.runs.shared[i], run, self.depth);
        Some(self.deep(next)).filter(|&run| run < self.len()).map(|run| run as u32)
    }

    /// The first box that starts after `t`.
    pub fn after(&self, t: i64) -> Option<u32> {
        self.from(self.run_at(0, t.saturating_add(1)))
    }

    /// The box after the one with this index.
    pub fn next(&self, index: u32) -> Option<u32> {
        self.from(self.end(index as usize))
    }

    /// The box before.
    pub fn previous(&self, index: u32) -> Option<u32> {
        self.last_deep(index as usize).map(|run| self.begin(run) as u32)
    }

    /// Runs that touch `from..to`.
    fn touching(&self, from: f64, to: f64) -> std::ops::Range<usize> {
        let starts = |limit: f64| self.runs.starts.partition_point(|&start| (start as f64) < limit);
        // A run ends where the next one starts.
        let first = self.runs.starts.partition_point(|&start| start as f64 <= from);
        let first = if from >= self.time(self.len()) as f64 { self.len() } else { first.saturating_sub(1) };
        first..starts(to).max(first)
    }

    /// The first box that touches `from..to`, if any does.
    pub fn first_touching(&self, from: f64, to: f64) -> Option<u32> {
        let runs = self.touching(from, to);
        let first = self.deep(runs.start);
        (first < runs.end).then(|| self.begin(first) as u32)
    }

    /// How many boxes touch `from..to`.
    pub fn count_touching(&self, from: f64, to: f64) -> usize {
        let runs = self.touching(from, to);
        if runs.is_empty() {
            return 0;
        }
        let before = usize::from(self.reaches(runs.start) && self.runs.shared[runs.start] > self.depth);
        before + self.begin_in(runs)
    }

    /// How many boxes begin in a range of runs.
    fn begin_in(&self, runs: std::ops::Range<usize>) -> usize {
        let begins = |run: &usize| self.runs.shared[*run] <= self.depth && self.reaches(*run);
        let one_by_one = |runs: std::ops::Range<usize>| runs.filter(begins).count();
        let rows = self.runs.boxes.len().min(COUNTED_ROWS);
        let (first, last) = (runs.start.div_ceil(COUNTED), runs.end / COUNTED);
        if self.depth as usize >= rows || first >= last {
            return one_by_one(runs);
        }
        let counted =
            (first..last).map(|block| self.runs.counts[block * rows + self.depth as usize] as usize);
        counted.sum::<usize>()
            + one_by_one(runs.start..first * COUNTED)
            + one_by_one(last * COUNTED..runs.end)
    }

    /// Boxes that touch `from..=to` into `out`, exact where they are `cells.width` long or there are few; what is
    /// shorter is one box for each cell in which it begins.
    pub fn seen(&self, cells: &mut Cells, out: &mut Vec<FlameBox>) {
        cells.find(self);
        let Some(&first) = cells.first.first().filter(|&&run| run < self.len()) else { return };
        if cells.is_fine() {
            return self.all_seen(first, cells, out);
        }
        let mut open = self.begin(first);
        let mut start = first + 1;
        for (cell, &end) in cells.first[1..].iter().enumerate() {
            if cells.lows[cell] > self.depth || start >= end {
                start = start.max(end);
                continue;
            }
            let cut = self.runs.lows.next(|i| self.runs.shared[i], start, self.depth);
            if cut < end {
                self.push(open, cut, out);
                open = self.begin(end - 1);
                self.push_folded(cut, open, out);
            }
            start = end;
        }
        let end = self.end(open.max(start.saturating_sub(1)));
        self.push(open, end, out);
    }

    fn all_seen(&self, first: usize, cells: &Cells, out: &mut Vec<FlameBox>) {
        let last = cells.first.last().copied().unwrap_or(first);
        let mut run = self.begin(first);
        while run < last {
            let end = self.end(run);
            self.push(run, end, out);
            run = end;
        }
    }

    /// The box from one run to another, if it is one.
    fn push(&self, run: usize, end: usize, out: &mut Vec<FlameBox>) {
        if run < self.len() && self.reaches(run) {
            let (start, end) = (self.time(run), self.time(end));
            out.push(FlameBox { start, end, who: self.who(run), first: run as u32 });
        }
    }

    /// One box for all from one run to another.
    fn push_folded(&self, from: usize, to: usize, out: &mut Vec<FlameBox>) {
        let shown = if to - from <= LOOKED_AT {
            let mut longest: Option<FlameBox> = None;
            let mut run = self.deep(from);
            while run < to {
                let next = self.make(run);
                if longest.is_none_or(|l| next.length() > l.length()) {
                    longest = Some(next);
                }
                run = self.deep(self.end(run));
            }
            longest
        } else {
            let middle = self.deep(from.midpoint(to));
            let found = if middle < to { middle } else { self.deep(from) };
            (found < to).then(|| self.make(self.begin(found)))
        };
        if let Some(shown) = shown {
            out.push(FlameBox { start: self.time(from), end: self.time(to), ..shown });
        }
    }
}

/// The cells of a window, for the rows of a track: where they begin among its runs, and what cuts them.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    /// First and last unit that is seen, and the width of a cell; the grid of cells starts at `origin`.
    seen: (i64, i64),
    width: i64,
    origin: i64,
    of: Option<TrackId>,
    /// First run of each cell, that which is running when the window begins as the first; then the end.
    first: Vec<usize>,
    /// The least that a run of each cell shares.
    lows: Vec<u32>,
    fine: bool,
}

impl Cells {
    /// For boxes that touch `seen`, where what is shorter than `least` is folded.
    pub fn new(seen: (i64, i64), least: f64, origin: i64) -> Self {
        let width = (least.ceil() as i64).max(1);
        Self { seen, width, origin, ..Self::default() }
    }

    /// True when there are hardly more runs than cells: then nothing needs to be folded.
    fn is_fine(&self) -> bool {
        self.fine
    }

    fn find(&mut self, row: &SampleRow<'_>) {
        if self.of.replace(row.runs.track) == Some(row.runs.track) {
            return;
        }
        let (from, to) = self.seen;
        self.first.clear();
        self.lows.clear();
        let start = row.run_at(0, from.saturating_add(1)).saturating_sub(1);
        if from > row.time(row.len()) || row.time(0) > to {
            return;
        }
        let end = row.run_at(start, to.saturating_add(1));
        let cells = (to.saturating_sub(from) / self.width).max(0) as usize + 2;
        self.fine = end - start <= cells;
        self.first.push(start);
        if !self.fine {
            let offset = from.saturating_sub(self.origin).div_euclid(self.width);
            let mut edge = self.origin.saturating_add(offset.saturating_mul(self.width));
            let mut run = start;
            while run < end {
                edge = edge.saturating_add(self.width);
                let next = near(row, run, edge).min(end);
                self.lows.push(row.runs.lows.least(&row.runs.shared, run.max(start + 1), next));
                self.first.push(next);
                run = next;
                if run < end {
                    // Over cells without a start.
                    let skipped = row.time(run).saturating_sub(edge).max(0) / self.width;
                    edge = edge.saturating_add(skipped.saturating_mul(self.width));
                }
            }
        } else {
            self.first.push(end);
        }
    }
}

/// As [`SampleRow::run_at`], fast when it is near.
fn near(row: &SampleRow<'_>, from: usize, t: i64) -> usize {
    let mut step = 1;
    let mut low = from;
    while low + step < row.len() && row.time(low + step) < t {
        low += step;
        step *= 2;
    }
    let high = (low + step + 1).min(row.len());
    low + row.runs.starts[low..high].partition_point(|&start| start < t)
}
