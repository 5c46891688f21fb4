//! Finding boxes: at a place, by what they stand for, beside another one.

use std::cmp::Reverse;
use std::ops::Range;

use super::{Axis, BoxAt, FlameBox, FlameRows, GroupOf, Numbers, Origin};
use crate::model::{FunctionId, TrackId};

impl FlameRows {
    /// The box of `row` that covers `t`, or an empty one that stands there.
    #[must_use]
    pub fn at(&self, row: u32, t: f64) -> Option<u32> {
        if let Some(samples) = self.samples(row) {
            return samples.at(t);
        }
        let level = self.finest(row);
        let after = level.partition(0, |b| b.start as f64 <= t);
        let index = after.checked_sub(1)?;
        let found = level.get(index);
        (found.end as f64 > t || found.start as f64 == t && found.end == found.start).then_some(index as u32)
    }

    /// The boxes of `row` that touch `from..to`, left to right.
    pub fn touching(&self, row: u32, from: f64, to: f64) -> impl Iterator<Item = (BoxAt, FlameBox)> + '_ {
        let first = match self.samples(row) {
            Some(samples) => samples.first_touching(from, to),
            None => Some(self.places(row, from, to)).filter(|places| !places.is_empty()).map(|p| p.start),
        };
        let boxes =
            std::iter::successors(first.map(|index| BoxAt { row, index }), |at| self.neighbour(*at, true));
        let boxes = boxes.map_while(|at| Some((at, self.get(at)?)));
        boxes.take_while(move |(_, b)| (b.start as f64) < to)
    }

    /// How many boxes of `row` touch `from..to`.
    #[must_use]
    pub fn count_touching(&self, row: u32, from: f64, to: f64) -> usize {
        match self.samples(row) {
            Some(samples) => samples.count_touching(from, to),
            None => self.places(row, from, to).len(),
        }
    }

    /// Places of the boxes of a row that touch `from..to`, in a row that keeps boxes.
    fn places(&self, row: u32, from: f64, to: f64) -> Range<u32> {
        let level = self.finest(row);
        let first = level.partition(0, |b| (b.end as f64) < from || b.end as f64 == from && b.length() > 0);
        let last = level.partition(first, |b| (b.start as f64) < to);
        first as u32..last.max(first) as u32
    }

    /// The first box of `row` that starts after `t`, or else the last one.
    #[must_use]
    pub fn next_after(&self, row: u32, t: i64) -> Option<BoxAt> {
        let at = |index: u32| BoxAt { row, index };
        if let Some(samples) = self.samples(row) {
            return samples.after(t).or_else(|| samples.previous(u32::MAX)).map(at);
        }
        let level = self.finest(row);
        let place = level.partition(0, |b| b.start <= t).min(level.len().checked_sub(1)?);
        Some(at(place as u32))
    }

    /// The first box of a row.
    #[must_use]
    pub fn first(&self, row: u32) -> Option<BoxAt> {
        let index = match self.samples(row) {
            Some(samples) => samples.from(0)?,
            None => 0,
        };
        Some(BoxAt { row, index }).filter(|&at| self.get(at).is_some())
    }

    /// The place of a span: itself in time order, its path in the merged tree.
    #[must_use]
    pub fn find_span(&self, track: TrackId, row: u32) -> Option<BoxAt> {
        if let Numbers::Trees(trees) = &self.numbers {
            return (0..).zip(trees).find_map(|(group, costs)| {
                let nodes = costs.tree.tracks.iter().find(|t| t.track == track)?;
                self.find_node(group, *nodes.spans.get(row as usize)?)
            });
        }
        let span = *self.profile.tracks.get(track.index())?.spans.rows.get(row as usize)?;
        let group = self.groups.iter().find(|g| g.of == GroupOf::Track(track))?;
        group.rows.clone().find_map(|r| {
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
        let Numbers::Trees(trees) = &self.numbers else { return None };
        (0..)
            .zip(trees)
            .find_map(|(group, costs)| self.find_node(group, costs.tree.find(path, &self.profile.functions)?))
    }

    fn find_node(&self, group: u32, node: u32) -> Option<BoxAt> {
        let Numbers::Trees(trees) = &self.numbers else { return None };
        let depth = trees.get(group as usize)?.tree.nodes.get(node as usize)?.depth;
        let rows = &self.groups.get(group as usize)?.rows;
        let row = rows.start.checked_add(depth).filter(|row| rows.contains(row))?;
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
            for (i, leaf) in leaves.iter().enumerate().filter(|(_, leaf)| leaf.who.is_of(function)) {
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
        // The first thousands are enough to find a long one.
        self.longest_touching(row, here.start as f64, (here.end as f64).max(here.start as f64 + 0.5), 10_000)
    }

    /// The longest of the first `most` boxes of `row` that touch `from..to`; of equals the first.
    #[must_use]
    pub fn longest_touching(&self, row: u32, from: f64, to: f64, most: usize) -> Option<BoxAt> {
        let boxes = self.touching(row, from, to).take(most);
        boxes.max_by_key(|(at, b)| (b.length(), Reverse(at.index))).map(|(at, _)| at)
    }

    /// The next or previous box of the row.
    #[must_use]
    pub fn neighbour(&self, at: BoxAt, forward: bool) -> Option<BoxAt> {
        if let Some(samples) = self.samples(at.row) {
            let index = if forward { samples.next(at.index) } else { samples.previous(at.index) };
            return index.map(|index| BoxAt { index, ..at });
        }
        let index = if forward { at.index + 1 } else { at.index.checked_sub(1)? };
        (index < self.rows.get(at.row as usize)?.len).then_some(BoxAt { index, ..at })
    }
}
