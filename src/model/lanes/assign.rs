//! Which span goes into which lane.
//!
//! As long as everything nests there is one lane, looked at directly. The first span that does not fit brings the
//! others ([`Many`]), where each span costs the logarithm of what is open at its time.

use rustc_hash::{FxHashMap, FxHashSet};

use super::many::Many;
use super::{Known, NO_ROW, Nesting, QUEUED, Span};

/// What [`assign`] finds. Rows are those of the sorted order.
pub(in crate::model) struct Assigned {
    /// The lane of each row, or `None` when one lane holds all.
    pub(super) lane_of: Option<Vec<u32>>,
    /// Rows of outermost spans and of what called them on other lanes.
    pub(super) callers: Vec<(u32, u32)>,
    /// Rows whose end was cut, and by how much, ns. A row may be there twice.
    pub(super) cut: Vec<(u32, i64)>,
}

/// An open span of a lane.
#[derive(Clone, Copy)]
pub(super) struct Outer {
    pub(super) end: i64,
    /// Row in the sorted order.
    pub(super) row: u32,
    /// Place in the order of arrival.
    pub(super) arrival: u32,
    pub(super) chain: u32,
}

/// A span that looks for its place.
#[derive(Clone, Copy)]
pub(super) struct Seeker {
    pub(super) row: u32,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) chain: u32,
    /// The number of the parent that it must have.
    pub(super) parent: Option<u64>,
    /// True when nothing but time tells what it lies in.
    pub(super) by_time: bool,
    /// True when something that it called, as its maker says, began before it or holds it by its times: it lies in nothing.
    pub(super) alone: bool,
}

impl Seeker {
    /// True when an open span may be its parent, whatever their times.
    pub(super) fn may_lie_in(&self, outer: Outer, known: &Known<'_>) -> bool {
        let same = if self.chain == QUEUED { outer.chain == 0 } else { outer.chain == self.chain };
        same && !self.alone
            && self.parent.is_none_or(|p| known.names.get(outer.arrival).is_some_and(|n| n.own == p))
    }
}

/// Sets parent and depth of each span, both as rows in the sorted order.
pub(super) fn assign(rows: &mut [Span], known: &Known<'_>) -> Assigned {
    let named = known.names.iter().next().is_some();
    let mut found = Assigned { lane_of: None, callers: Vec::new(), cut: Vec::new() };
    let alone = if named { before_their_callers(rows, known) } else { FxHashSet::default() };
    let mut only: Vec<Outer> = Vec::new();
    let mut many: Option<Many> = None;
    for row in 0..rows.len() {
        let span = rows[row];
        let arrival = span.parent;
        let name: Option<&Nesting> = if named { known.names.get(arrival) } else { None };
        let seeker = Seeker {
            row: row as u32,
            start: span.start,
            end: span.end,
            chain: span.depth,
            parent: name.filter(|n| n.strict).and_then(|n| n.parent).filter(|p| known.numbers.contains(p)),
            by_time: name.is_none(),
            alone: alone.contains(&(row as u32)),
        };
        let mut outer = Outer { end: span.end, row: row as u32, arrival, chain: span.depth };
        if many.is_none() && !fits(&mut only, seeker, known, rows, &mut found.cut) {
            many = Some(Many::new(&only, row, known, rows));
            found.lane_of = Some(vec![0; row]);
        }
        let Some(many) = &mut many else {
            nest(&mut outer, (only.last().copied(), only.len()), rows, &mut found.cut);
            only.push(outer);
            continue;
        };
        let lane = many.place(seeker, known, rows, &mut found);
        nest(&mut outer, many.innermost(lane), rows, &mut found.cut);
        many.push(lane, outer, span.function, name.map(|n| n.own));
        if let Some(lane_of) = &mut found.lane_of {
            lane_of.push(lane);
        }
    }
    found
}

/// Outermost spans that, by clocks that differ or times that are rounded, begin after something that they called. What their
/// makers say of callers counts more than times.
fn before_their_callers(rows: &[Span], known: &Known<'_>) -> FxHashSet<u32> {
    let name = |row: usize| known.names.get(rows[row].parent);
    let row_of: FxHashMap<u64, u32> =
        (0..rows.len()).filter_map(|row| Some((name(row)?.own, row as u32))).collect();
    let caller = |row: u32| {
        let parent = name(row as usize).filter(|n| n.strict)?.parent?;
        row_of.get(&parent).copied().filter(|caller| *caller != row)
    };
    let all = 0..rows.len() as u32;
    if !all.clone().any(|row| caller(row).is_some_and(|caller| row < caller)) {
        return FxHashSet::default();
    }
    const ON_THE_WAY: u32 = NO_ROW - 1;
    // The outermost caller of each row.
    let mut tops: Vec<u32> = vec![NO_ROW; rows.len()];
    let mut found = FxHashSet::default();
    for row in all {
        let mut path: Vec<u32> = Vec::new();
        let mut at = row;
        let top = loop {
            match tops[at as usize] {
                NO_ROW => {}
                // Whoever names a callee as its caller has none.
                ON_THE_WAY => break path[path.len() - 1],
                known => break known,
            }
            tops[at as usize] = ON_THE_WAY;
            path.push(at);
            match caller(at) {
                Some(caller) => at = caller,
                None => break at,
            }
        };
        path.iter().for_each(|&at| tops[at as usize] = top);
        if row < top {
            found.insert(top);
        }
    }
    found
}

/// Puts a span into the innermost one that is open, of so many, and cuts what sticks out.
fn nest(
    outer: &mut Outer,
    (innermost, depth): (Option<Outer>, usize),
    rows: &mut [Span],
    cuts: &mut Vec<(u32, i64)>,
) {
    let span = &mut rows[outer.row as usize];
    span.depth = (depth as u32).min((1 << 24) - 1);
    span.parent = innermost.map_or(NO_ROW, |o| o.row);
    if let Some(around) = innermost.filter(|o| o.end < outer.end) {
        outer.end = around.end;
        cut(rows, outer.row, around.end, cuts);
    }
}

/// Cuts the end of a row.
pub(super) fn cut(rows: &mut [Span], row: u32, end: i64, cuts: &mut Vec<(u32, i64)>) {
    let span = &mut rows[row as usize];
    if end < span.end {
        cuts.push((row, span.end - end));
        span.end = end;
    }
}

/// True when a span fits into the only lane so far, from which then everything is gone that has ended.
#[inline]
fn fits(
    open: &mut Vec<Outer>,
    span: Seeker,
    known: &Known<'_>,
    rows: &mut [Span],
    cuts: &mut Vec<(u32, i64)>,
) -> bool {
    loop {
        let Some(&last) = open.last() else { return true };
        if last.end <= span.start {
            open.pop();
            continue;
        }
        let may_lie_in = span.may_lie_in(last, known);
        if may_lie_in && span.end <= last.end {
            return true;
        }
        let (over, beyond) = (last.end - span.start, span.end.saturating_sub(last.end));
        if may_lie_in && beyond <= known.resolution && (over > known.resolution || beyond <= over) {
            return true;
        }
        if over > known.resolution {
            return false;
        }
        // The one before ended a moment after this one began: it is over.
        open.pop();
        cut(rows, last.row, span.start, cuts);
    }
}

/// Lengths of all rows before their ends were cut, as far as those around have room: own costs stay above 0.
pub(super) fn lengths(rows: &[Span], cuts: &[(u32, i64)]) -> Vec<i64> {
    let mut lengths: Vec<i64> = rows.iter().map(Span::duration).collect();
    for &(row, by) in cuts {
        lengths[row as usize] = lengths[row as usize].saturating_add(by);
    }
    let mut room = lengths.clone();
    for (row, span) in rows.iter().enumerate() {
        if span.parent == NO_ROW {
            continue;
        }
        let left = &mut room[span.parent as usize];
        lengths[row] = lengths[row].min(*left);
        *left -= lengths[row];
        room[row] = lengths[row];
    }
    lengths
}
