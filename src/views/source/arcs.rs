//! Jumps as arrows in a column left of the instructions. Each has a lane: the shorter it is, the nearer to the instructions,
//! so that inner loops lie within outer ones. Jumps for which there is no lane have their ends only, and a line when pointed at.

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, pos2, vec2};

use crate::analysis::assembly::AssemblyTable;
use crate::analysis::assembly::listing::Listing;
use crate::ui::theme::{Palette, mix};

/// Most lanes.
const LANES: usize = 8;
/// Points between two lanes.
const LANE: f32 = 8.0;
/// Points between the first lane and the instructions, where arrow heads are.
const HEAD: f32 = 12.0;
/// How near to a line the pointer must be, points.
const NEAR: f32 = 4.0;

/// A jump as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arc {
    /// Its place among the table's jumps.
    pub(super) jump: usize,
    /// The rows that it is between, the upper one first.
    top: usize,
    bottom: usize,
    /// It leads down.
    down: bool,
    /// `None` where there was none left.
    lane: Option<usize>,
}

impl Arc {
    fn is_end(&self, row: usize) -> bool {
        self.top == row || self.bottom == row
    }

    fn target(&self) -> usize {
        if self.down { self.bottom } else { self.top }
    }
}

/// All that are drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Arcs {
    arcs: Vec<Arc>,
    /// Arcs of each lane, top to bottom; they do not touch.
    lanes: Vec<Vec<usize>>,
    /// Rows with an end of an arc, ascending.
    ends: Vec<(usize, usize)>,
    /// How often the most followed one is.
    most: u64,
}

impl Arcs {
    /// Gives lanes to the jumps between rows of a listing.
    pub(super) fn new(table: &AssemblyTable, listing: &Listing) -> Self {
        let row = |address: u64| listing.row(table.place(address)?);
        let arc = |(jump, from, to): (usize, u64, u64)| {
            let (from, to) = (row(from)?, row(to)?);
            Some(Arc { jump, top: from.min(to), bottom: from.max(to), down: from <= to, lane: None })
        };
        let jumps = table.jumps.iter().enumerate().filter(|(_, j)| j.inside);
        let mut arcs: Vec<Arc> = jumps.filter_map(|(i, j)| arc((i, j.from, j.to))).collect();
        arcs.sort_by_key(|a| (a.bottom - a.top, a.top, a.jump));
        let mut all =
            Self { most: table.jumps.iter().map(|j| j.followed).max().unwrap_or(0), ..Self::default() };
        for (i, arc) in arcs.iter_mut().enumerate() {
            all.ends.push((arc.top, i));
            if arc.bottom != arc.top {
                all.ends.push((arc.bottom, i));
            }
        }
        for i in 0..arcs.len() {
            let (top, bottom) = (arcs[i].top, arcs[i].bottom);
            let free = |lane: &[usize]| {
                let place = lane.partition_point(|&a| arcs[a].bottom < top);
                lane.get(place).is_none_or(|&a| arcs[a].top > bottom).then_some(place)
            };
            let found = all.lanes.iter().enumerate().find_map(|(n, lane)| Some((n, free(lane)?)));
            let (lane, place) = match found {
                Some(found) => found,
                None if all.lanes.len() < LANES => {
                    all.lanes.push(Vec::new());
                    (all.lanes.len() - 1, 0)
                }
                None => continue,
            };
            all.lanes[lane].insert(place, i);
            arcs[i].lane = Some(lane);
        }
        all.ends.sort_unstable();
        all.arcs = arcs;
        all
    }

    /// Width of the lanes, points.
    fn width(&self) -> f32 {
        HEAD + self.lanes.len() as f32 * LANE + NEAR
    }

    /// Room for the column, as characters; `None` without jumps.
    pub(super) fn room(&self) -> Option<f32> {
        // A column of a table has so much beside its characters.
        const AROUND: f32 = 16.0;
        const CHARACTER: f32 = 7.0;
        // The heading is read whole.
        const LEAST: f32 = 6.0;
        (!self.arcs.is_empty()).then(|| ((self.width() - AROUND) / CHARACTER).max(LEAST))
    }

    /// The arc in a lane at a row.
    fn at(&self, lane: usize, row: usize) -> Option<&Arc> {
        let of = self.lanes.get(lane)?;
        let place = of.partition_point(|&a| self.arcs[a].bottom < row);
        of.get(place).map(|&a| &self.arcs[a]).filter(|a| a.top <= row)
    }

    /// Arcs that start or end at a row.
    fn ends(&self, row: usize) -> impl Iterator<Item = &Arc> {
        let first = self.ends.partition_point(|e| e.0 < row);
        self.ends[first..].iter().take_while(move |e| e.0 == row).map(|e| &self.arcs[e.1])
    }

    /// Where the line of a lane is in a cell. What has no lane is left of all.
    fn x(&self, lane: Option<usize>, cell: Rect) -> f32 {
        let lane = lane.unwrap_or(self.lanes.len()) as f32;
        (cell.right() - HEAD - lane * LANE).max(cell.left() + 1.0).round() + 0.5
    }

    /// The arc below the pointer, in the cell of a row: of several lines the nearest, else the innermost that ends here.
    pub(super) fn pointed(&self, row: usize, cell: Rect, pointer: Pos2) -> Option<&Arc> {
        let away = |arc: &&Arc| (self.x(arc.lane, cell) - pointer.x).abs();
        let lines = (0..self.lanes.len()).filter_map(|lane| self.at(lane, row)).filter(|a| away(a) <= NEAR);
        let line = lines.min_by(|a, b| away(a).total_cmp(&away(b)));
        let right_of = |arc: &&Arc| self.x(arc.lane, cell) <= pointer.x;
        line.or_else(|| {
            self.ends(row)
                .filter(right_of)
                .max_by(|a, b| self.x(a.lane, cell).total_cmp(&self.x(b.lane, cell)))
        })
    }

    /// The row at the other end of an arc.
    pub(super) fn other_end(arc: &Arc, row: usize) -> usize {
        let target = arc.target();
        if target != row { target } else { arc.top + arc.bottom - target }
    }

    /// Draws what of the arcs is in the cell of a row. `lit` says which stand out.
    pub(super) fn paint(
        &self,
        painter: &Painter,
        row: usize,
        cell: Rect,
        table: &AssemblyTable,
        palette: &Palette,
        lit: &dyn Fn(usize) -> bool,
    ) {
        let stroke = |arc: &Arc| {
            if lit(arc.jump) {
                return Stroke::new(2.0, palette.accent);
            }
            let often = table.jumps[arc.jump].followed as f64 / self.most.max(1) as f64;
            let strength = 0.35 + 0.4 * often.sqrt() as f32;
            Stroke::new(1.0, mix(palette.canvas, palette.text, strength))
        };
        let covering = (0..self.lanes.len()).filter_map(|lane| self.at(lane, row));
        // What has no lane is drawn when it stands out.
        let loose =
            self.arcs.iter().filter(|a| a.lane.is_none() && a.top <= row && row <= a.bottom && lit(a.jump));
        let mut all: Vec<&Arc> = covering.chain(loose).collect();
        all.sort_by_key(|a| lit(a.jump));
        for arc in all {
            self.line(painter, row, cell, arc, stroke(arc));
        }
        let stubs = self.ends(row).filter(|a| a.lane.is_none() && !lit(a.jump));
        for arc in stubs {
            let middle = cell.center().y.round() + 0.5;
            let from = cell.right() - HEAD + 2.0;
            painter.hline(from..=cell.right() - 3.0, middle, stroke(arc));
            if arc.target() == row {
                head(painter, pos2(cell.right() - 2.0, middle), stroke(arc).color);
            }
        }
    }

    fn line(&self, painter: &Painter, row: usize, cell: Rect, arc: &Arc, stroke: Stroke) {
        let (x, middle, right) = (self.x(arc.lane, cell), cell.center().y.round() + 0.5, cell.right() - 2.0);
        if arc.top == arc.bottom {
            // To itself: a repeated instruction.
            painter.circle_stroke(pos2(x + 4.0, middle), 3.5, stroke);
            return;
        }
        let from = if row == arc.top { middle } else { cell.top() };
        let to = if row == arc.bottom { middle } else { cell.bottom() };
        painter.vline(x, from..=to, stroke);
        if arc.is_end(row) {
            let is_target = arc.target() == row;
            painter.hline(x..=(if is_target { right - 4.0 } else { right }), middle, stroke);
            if is_target {
                head(painter, pos2(right, middle), stroke.color);
            }
        }
    }
}

fn head(painter: &Painter, tip: Pos2, color: Color32) {
    let points = vec![tip, tip + vec2(-5.0, -3.5), tip + vec2(-5.0, 3.5)];
    painter.add(Shape::convex_polygon(points, color, Stroke::NONE));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::assembly::{InstructionRow, JumpRow};
    use crate::model::Strings;

    fn arcs(rows: u64, jumps: &[(u64, u64)]) -> (AssemblyTable, Arcs) {
        let row = |address| InstructionRow {
            address,
            file: Strings::EMPTY,
            line: 1,
            own: 1,
            total: None,
            count: None,
        };
        let jump = |&(from, to): &(u64, u64)| JumpRow {
            from,
            to,
            conditional: true,
            executed: 2,
            followed: 1,
            inside: from < rows && to < rows,
        };
        let table = AssemblyTable {
            rows: (0..rows).map(row).collect(),
            jumps: jumps.iter().map(jump).collect(),
            ..AssemblyTable::default()
        };
        let listing = Listing::new(&table, None, true, false);
        let arcs = Arcs::new(&table, &listing);
        (table, arcs)
    }

    fn lane(arcs: &Arcs, jump: usize) -> Option<usize> {
        arcs.arcs.iter().find(|a| a.jump == jump).and_then(|a| a.lane)
    }

    #[test]
    fn inner_jumps_lie_within_outer_ones() {
        // A loop around two, one of which holds another; and a jump out of the function.
        let (_, arcs) = arcs(20, &[(18, 1), (8, 2), (6, 4), (15, 10), (3, 400)]);
        assert_eq!([0, 1, 2, 3, 4].map(|i| lane(&arcs, i)), [Some(2), Some(1), Some(0), Some(0), None]);
        assert_eq!(arcs.arcs.len(), 4, "what leads out has no line");
        let at = |lane, row| arcs.at(lane, row).map(|a| a.jump);
        assert_eq!(
            (at(0, 5), at(0, 9), at(0, 10), at(1, 5), at(2, 16)),
            (Some(2), None, Some(3), Some(1), Some(0))
        );
    }

    #[test]
    fn lanes_are_bounded_and_lines_of_one_never_touch() {
        let mut seed = 3u64;
        let mut random = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % n
        };
        for _ in 0..50 {
            let jumps: Vec<(u64, u64)> = (0..random(120)).map(|_| (random(60), random(60))).collect();
            let (_, arcs) = arcs(60, &jumps);
            assert_eq!(arcs.arcs.len(), jumps.len());
            assert!(arcs.lanes.len() <= LANES);
            for lane in &arcs.lanes {
                assert!(lane.windows(2).all(|w| arcs.arcs[w[0]].bottom < arcs.arcs[w[1]].top));
            }
            // A line is found where it is drawn.
            let cell = Rect::from_min_size(pos2(0.0, 0.0), vec2(arcs.width(), 20.0));
            for arc in arcs.arcs.iter().filter(|a| a.lane.is_some()) {
                let at = pos2(arcs.x(arc.lane, cell), 10.0);
                assert_eq!(arcs.pointed(arc.top, cell, at), Some(arc));
            }
        }
    }
}
