//! Lanes of a track whose spans do not all nest.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use rustc_hash::FxHashMap;

use super::super::ids::FunctionId;
use super::assign::{Assigned, Outer, Seeker, cut};
use super::{Known, QUEUED, Span};

/// Callers that are compared before the first one that fits is taken.
const COMPARED: usize = 512;
/// Functions that a call remembers to have called, and callers of a function that are remembered.
const REMEMBERED: usize = 4;

/// An open span.
struct Open {
    outer: Outer,
    function: FunctionId,
    /// The last functions that it called.
    called: Recent,
}

/// The last few of something, each once.
#[derive(Default)]
struct Recent(Vec<FunctionId>);

impl Recent {
    fn note(&mut self, function: FunctionId) {
        if !self.0.contains(&function) {
            if self.0.len() >= REMEMBERED {
                self.0.remove(0);
            }
            self.0.push(function);
        }
    }
}

/// Where a span belongs.
#[derive(Clone, Copy)]
enum Place {
    /// On a lane, below its innermost span.
    On(u32),
    /// On a lane with nothing open, called from the span in this row.
    Beside(u32),
}

/// All lanes with what is open in them.
#[derive(Default)]
pub(super) struct Many {
    open: Vec<Vec<Open>>,
    /// When the innermost open spans end that belong to no chain …
    tops: Tops,
    /// Innermost open spans of no chain by function: ends and lanes.
    running: FxHashMap<FunctionId, BTreeSet<(i64, u32)>>,
    /// All open spans of no chain by function: ends and rows.
    around: FxHashMap<FunctionId, BTreeSet<(i64, u32)>>,
    /// What called the outermost open span of each lane, if it is on another lane …
    base: Vec<Option<u32>>,
    /// … and by that the ends of the innermost spans of those lanes, with the lanes.
    beside: FxHashMap<u32, BTreeSet<(i64, u32)>>,
    /// What called a function so far.
    callers: FxHashMap<FunctionId, Recent>,
    /// Ends of all open spans with their lanes.
    ending: BinaryHeap<Reverse<(i64, u32)>>,
    /// Lanes with nothing open.
    idle: BinaryHeap<Reverse<u32>>,
    /// Spans of no chain that may enclose later ones.
    plain: Enclosing,
    /// The same for chains that have open spans, and how many of these there are.
    chains: FxHashMap<u32, (Enclosing, usize)>,
    /// Where named spans are.
    named: FxHashMap<u64, (u32, u32)>,
}

impl Many {
    /// What is open in the only lane so far, when `row` is to be placed, and what it has called.
    pub(super) fn new(only: &[Outer], row: usize, known: &Known<'_>, rows: &[Span]) -> Self {
        let mut many = Self::default();
        let lane = many.free_lane();
        for &outer in only {
            let own = known.names.get(outer.arrival).map(|name| name.own);
            many.push(lane, outer, rows[outer.row as usize].function, own);
        }
        let from = only.first().map_or(row, |o| o.row as usize);
        for span in &rows[from..row] {
            let depth = (span.depth as usize).wrapping_sub(1);
            if only.get(depth).is_some_and(|outer| outer.row == span.parent) {
                let caller = &mut many.open[lane as usize][depth];
                caller.called.note(span.function);
                many.callers.entry(span.function).or_default().note(caller.function);
            }
        }
        many
    }

    /// The innermost open span of a lane, and how many are open.
    pub(super) fn innermost(&self, lane: u32) -> (Option<Outer>, usize) {
        (self.top(lane).map(|o| o.outer), self.open[lane as usize].len())
    }

    /// The lane for a span, from which everything is gone that has ended. Where that leaves it without a parent, an
    /// open span that encloses it is its caller.
    pub(super) fn place(
        &mut self,
        span: Seeker,
        known: &Known<'_>,
        rows: &mut [Span],
        found: &mut Assigned,
    ) -> u32 {
        self.close(span.start);
        let nested = match span.parent {
            Some(parent) => self.below_named(parent, span, known).map(Place::On),
            None if span.alone => None,
            None if matches!(span.chain, 0 | QUEUED) => {
                let function = rows[span.row as usize].function;
                let inside = self.below_plain(function, span.end, span.by_time);
                let lane = match inside {
                    Some(Place::On(lane)) => Some(lane),
                    _ => self.behind(span, known, rows, &mut found.cut),
                };
                let about = span.end.saturating_sub(known.resolution);
                let inside = lane.map(Place::On).or(inside);
                inside.or_else(|| self.below_plain(function, about, span.by_time))
            }
            None => self.below_chain(span, known).map(Place::On),
        };
        let caller = match nested {
            Some(Place::On(lane)) => return lane,
            Some(Place::Beside(caller)) => Some(caller),
            None => self.enclosing(span, known).map(|caller| caller.row),
        };
        let caller = caller.filter(|_| span.by_time && span.parent.is_none());
        found.callers.extend(caller.map(|caller| (span.row, caller)));
        let lane = self.free_lane();
        self.base[lane as usize] = caller;
        lane
    }

    /// Puts a span on a lane.
    pub(super) fn push(&mut self, lane: u32, outer: Outer, function: FunctionId, own: Option<u64>) {
        self.hide_top(lane);
        if let Some(caller) = self.open[lane as usize].last_mut() {
            caller.called.note(function);
            self.callers.entry(function).or_default().note(caller.function);
        }
        self.open[lane as usize].push(Open { outer, function, called: Recent::default() });
        if outer.chain == 0 {
            self.around.entry(function).or_default().insert((outer.end, outer.row));
        }
        self.show_top(lane);
        self.ending.push(Reverse((outer.end, lane)));
        match outer.chain {
            0 => self.plain.push(outer, lane),
            QUEUED => {}
            chain => {
                let (enclosing, open) = self.chains.entry(chain).or_default();
                enclosing.push(outer, lane);
                *open += 1;
            }
        }
        if let Some(own) = own {
            self.named.insert(own, (lane, outer.row));
        }
    }

    /// Takes away what has ended.
    fn close(&mut self, start: i64) {
        while let Some(&Reverse((end, lane))) = self.ending.peek() {
            if end > start {
                break;
            }
            self.ending.pop();
            while self.top(lane).is_some_and(|last| last.outer.end <= start) {
                self.pop(lane);
            }
        }
    }

    /// Takes the innermost span from a lane.
    fn pop(&mut self, lane: u32) -> Option<Outer> {
        self.hide_top(lane);
        let Open { outer, function, .. } = self.open[lane as usize].pop()?;
        if outer.chain == 0 {
            self.beside.remove(&outer.row);
            if let Some(spans) = self.around.get_mut(&function) {
                spans.remove(&(outer.end, outer.row));
            }
        }
        if let Some((_, open)) = self.chains.get_mut(&outer.chain) {
            *open -= 1;
            if *open == 0 {
                self.chains.remove(&outer.chain);
            }
        }
        self.show_top(lane);
        if self.open[lane as usize].is_empty() {
            self.idle.push(Reverse(lane));
        }
        Some(outer)
    }

    /// The innermost span of a lane will be another one.
    fn hide_top(&mut self, lane: u32) {
        if let Some((function, end)) = self.plain_top(lane) {
            if let Some(lanes) = self.running.get_mut(&function) {
                lanes.remove(&(end, lane));
            }
            if let Some(caller) = self.base[lane as usize]
                && let Some(lanes) = self.beside.get_mut(&caller)
            {
                lanes.remove(&(end, lane));
                if lanes.is_empty() {
                    self.beside.remove(&caller);
                }
            }
        }
        self.tops.set(lane, i64::MIN);
    }

    /// The innermost span of a lane is another one.
    fn show_top(&mut self, lane: u32) {
        let Some((function, end)) = self.plain_top(lane) else { return };
        self.running.entry(function).or_default().insert((end, lane));
        if let Some(caller) = self.base[lane as usize] {
            self.beside.entry(caller).or_default().insert((end, lane));
        }
        self.tops.set(lane, end);
    }

    /// Function and end of the innermost span of a lane when it belongs to no chain.
    fn plain_top(&self, lane: u32) -> Option<(FunctionId, i64)> {
        self.top(lane).filter(|o| o.outer.chain == 0).map(|o| (o.function, o.outer.end))
    }

    fn free_lane(&mut self) -> u32 {
        if let Some(Reverse(lane)) = self.idle.pop() {
            return lane;
        }
        self.open.push(Vec::new());
        self.base.push(None);
        (self.open.len() - 1) as u32
    }

    fn top(&self, lane: u32) -> Option<&Open> {
        self.open.get(lane as usize)?.last()
    }

    fn below_named(&self, parent: u64, span: Seeker, known: &Known<'_>) -> Option<u32> {
        let &(lane, row) = self.named.get(&parent)?;
        let fits =
            |o: &&Open| o.outer.row == row && span.end <= o.outer.end && span.may_lie_in(o.outer, known);
        self.top(lane).filter(fits).map(|_| lane)
    }

    fn below_chain(&self, span: Seeker, known: &Known<'_>) -> Option<u32> {
        let caller = self.enclosing(span, known)?;
        self.top(caller.lane).filter(|o| o.outer.row == caller.row).map(|_| caller.lane)
    }

    /// The place for a call of a function below a span that ends at `least` or later.
    fn below_plain(&self, function: FunctionId, least: i64, by_time: bool) -> Option<Place> {
        let least = least.max(i64::MIN + 1);
        let first = self.tops.first(0, least);
        let row = |lane: u32| self.top(lane).map_or(0, |o| o.outer.row);
        if let Some(first) = first.filter(|_| self.open.len() - self.idle.len() == 2) {
            // The other lane is mostly a mark that crosses calls: what fits into both belongs to what began last.
            let second = self.tops.first(first + 1, least);
            return Some(Place::On(second.filter(|&second| row(second) > row(first)).unwrap_or(first)));
        }
        let usual = self.usual_caller(function, least);
        let usual = usual.filter(|place| by_time || matches!(place, Place::On(_)));
        usual.or_else(|| first.map(|first| Place::On(self.called_from(first, least))))
    }

    /// Where much runs at the same time: a caller of a function that has called this one before, best one that has not
    /// done so in this call, and of these the one that ends first.
    fn usual_caller(&self, function: FunctionId, least: i64) -> Option<Place> {
        let callers = &self.callers.get(&function)?.0;
        let running = |caller: &FunctionId| {
            let lanes = self.running.get(caller).into_iter().flat_map(|lanes| lanes.range((least, 0)..));
            lanes.map(|&(_, lane)| lane).take(COMPARED)
        };
        let is_new = |open: &Open| !open.called.0.contains(&function);
        let new = |lane: &u32| self.top(*lane).is_some_and(is_new);
        let recent = || {
            let inner = self.plain.innermost(least)?;
            let open = self.top(inner.lane).filter(|o| o.outer.row == inner.row)?;
            (callers.contains(&open.function) && is_new(open)).then_some(inner.lane)
        };
        let lane = callers.iter().find_map(|caller| running(caller).find(new)).or_else(recent);
        let lane = lane.or_else(|| callers.iter().find_map(|caller| running(caller).next()));
        // One that has something else on top is still what called it.
        let beside = || {
            let spans = callers.iter().filter_map(|caller| self.around.get(caller));
            spans.filter_map(|spans| spans.range((least, 0)..).next()).next().map(|&(_, row)| row)
        };
        lane.map(Place::On).or_else(|| beside().map(Place::Beside))
    }

    /// The lane, or one of those called from there, from those, and so on, whose innermost spans have room: best one that
    /// has called something, and of these the one that ends first.
    fn called_from(&self, mut lane: u32, least: i64) -> u32 {
        for _ in 0..COMPARED {
            let Some(lanes) = self.top(lane).and_then(|o| self.beside.get(&o.outer.row)) else { break };
            let room = || lanes.range((least, 0)..).map(|&(_, lane)| lane);
            let calls = |lane: &u32| self.top(*lane).is_some_and(|o| !o.called.0.is_empty());
            let Some(next) = room().take(COMPARED).find(calls).or_else(|| room().next()) else { break };
            lane = next;
        }
        lane
    }

    /// A lane whose innermost span ended a moment after this one began, in one in which it fits.
    fn behind(
        &mut self,
        span: Seeker,
        known: &Known<'_>,
        rows: &mut [Span],
        cuts: &mut Vec<(u32, i64)>,
    ) -> Option<u32> {
        let &Reverse((end, lane)) = self.ending.peek()?;
        let [.., below, last] = &self.open[lane as usize][..] else { return None };
        let over = end - span.start;
        let fits = over <= known.resolution
            && last.outer.end == end
            && span.end.saturating_sub(end) > over
            && below.outer.chain == 0
            && span.end <= below.outer.end.saturating_add(known.resolution);
        if !fits {
            return None;
        }
        let last = self.pop(lane)?;
        cut(rows, last.row, span.start, cuts);
        Some(lane)
    }

    /// The innermost open span that encloses another one, wherever it is.
    fn enclosing(&self, span: Seeker, known: &Known<'_>) -> Option<Enclosed> {
        let all = match span.chain {
            0 | QUEUED => &self.plain,
            chain => &self.chains.get(&chain)?.0,
        };
        all.innermost(span.end.saturating_sub(known.resolution)).filter(|o| o.end > span.start)
    }
}

/// A span that may enclose others, and its lane.
#[derive(Clone, Copy)]
struct Enclosed {
    end: i64,
    row: u32,
    lane: u32,
}

/// Spans by start. One that ends before a later one can enclose nothing that the later one does not, so it is left out,
/// and ends descend.
#[derive(Default)]
struct Enclosing(Vec<Enclosed>);

impl Enclosing {
    fn push(&mut self, outer: Outer, lane: u32) {
        while self.0.pop_if(|o| o.end <= outer.end).is_some() {}
        self.0.push(Enclosed { end: outer.end, row: outer.row, lane });
    }

    /// The last one that ends at `least` or later.
    fn innermost(&self, least: i64) -> Option<Enclosed> {
        let after = self.0.partition_point(|o| o.end >= least);
        after.checked_sub(1).map(|i| self.0[i])
    }
}

/// A number per lane, and the first lane with a large one in logarithmic time: a tree of maxima.
#[derive(Default)]
struct Tops {
    /// Number of leaves: a power of two, or 0.
    leaves: usize,
    max: Vec<i64>,
}

impl Tops {
    fn set(&mut self, lane: u32, value: i64) {
        let lane = lane as usize;
        if lane >= self.leaves {
            let leaves = (lane + 1).next_power_of_two();
            let mut max = vec![i64::MIN; 2 * leaves];
            max[leaves..leaves + self.leaves].copy_from_slice(&self.max[self.leaves..]);
            for i in (1..leaves).rev() {
                max[i] = max[2 * i].max(max[2 * i + 1]);
            }
            (self.leaves, self.max) = (leaves, max);
        }
        let mut i = self.leaves + lane;
        self.max[i] = value;
        while i > 1 {
            i /= 2;
            self.max[i] = self.max[2 * i].max(self.max[2 * i + 1]);
        }
    }

    /// The first lane from `from` on with `least` or more.
    fn first(&self, from: u32, least: i64) -> Option<u32> {
        if from as usize >= self.leaves {
            return None;
        }
        let mut i = self.leaves + from as usize;
        while self.max[i] < least {
            // Up to the next subtree on the right.
            while i % 2 == 1 {
                i /= 2;
            }
            if i == 0 {
                return None;
            }
            i += 1;
        }
        while i < self.leaves {
            i = if self.max[2 * i] >= least { 2 * i } else { 2 * i + 1 };
        }
        Some((i - self.leaves) as u32)
    }
}
