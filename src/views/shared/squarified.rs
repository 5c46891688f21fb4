//! Where boxes stand: squarified, nested, and bounded by pixels however many boxes there are. Pure.
//!
//! Children are laid out in rows of nearly square boxes (Bruls, Huizing, van Wijk: «Squarified Treemaps»). What
//! would be smaller than `SMALLEST` is left out: its area stays in the colour of what it is in. A chain of
//! calls in which one does nearly all becomes one box with all their names, so that deep paths leave room.

use egui::{Rect, pos2, vec2};

use crate::analysis::treemap::BoxTree;

/// Boxes with less area (square points) are left out.
const SMALLEST: f32 = 12.0;
/// Most boxes of a picture.
const MOST: usize = 20_000;
/// Height of the line with the name of a box that holds others.
pub const HEADER: f32 = 17.0;
/// Between a box and those inside.
const PADDING: f32 = 2.0;
/// A callee with this share of its caller goes into one box with it.
const CHAIN: f64 = 0.98;

/// Boxes in boxes; 0 is the outermost one.
pub trait Nested {
    /// Boxes right inside `at`, largest first.
    fn children(&self, at: u32) -> impl Iterator<Item = u32>;
    /// What the area of a box is.
    fn total(&self, at: u32) -> f64;
    /// Its part that is in no box inside.
    fn own(&self, at: u32) -> f64;
}

impl Nested for BoxTree {
    fn children(&self, at: u32) -> impl Iterator<Item = u32> {
        self.children(at)
    }

    fn total(&self, at: u32) -> f64 {
        self.boxes[at as usize].total as f64
    }

    fn own(&self, at: u32) -> f64 {
        self.boxes[at as usize].own as f64
    }
}

/// A box on screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The box of the tree: the first one of a chain.
    pub first: u32,
    /// The last one of a chain; often the same.
    pub last: u32,
    /// Where.
    pub rect: Rect,
    /// Number of boxes around it.
    pub depth: u32,
    /// True when boxes are drawn inside.
    pub holds: bool,
    /// True for what a box costs itself, beside the boxes inside.
    pub own: bool,
}

/// Lays out what is inside `root`.
#[must_use]
pub fn layout(tree: &impl Nested, root: u32, area: Rect) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut open = vec![(root, area, 0)];
    while let Some((at, area, depth)) = open.pop() {
        for (child, rect) in squarified(tree, at, area) {
            if cells.len() >= MOST {
                return cells;
            }
            let Some(child) = child else {
                cells.push(Cell { first: at, last: at, rect, depth, holds: false, own: true });
                continue;
            };
            let last = end_of_chain(tree, child);
            let inner = inside(rect);
            let holds =
                tree.children(last).next().is_some() && inner.is_some_and(|r| r.area() > 4.0 * SMALLEST);
            if let (true, Some(inner)) = (holds, inner) {
                open.push((last, inner, depth + 1));
            }
            cells.push(Cell { first: child, last, rect, depth, holds, own: false });
        }
    }
    // Outer boxes first, so that the inner ones are painted over them and are found first from behind.
    cells.sort_by_key(|c| c.depth);
    cells
}

/// Only the boxes that stand for others: what a box costs itself stays empty.
#[must_use]
pub fn without_own(cells: Vec<Cell>) -> Vec<Cell> {
    cells.into_iter().filter(|cell| !cell.own).collect()
}

/// Room for the boxes in a box.
fn inside(rect: Rect) -> Option<Rect> {
    let header = if has_header(rect) { HEADER } else { PADDING };
    let inner = Rect::from_min_max(rect.min + vec2(PADDING, header), rect.max - vec2(PADDING, PADDING));
    (inner.width() > 3.0 && inner.height() > 3.0).then_some(inner)
}

/// True when a box that holds others has room for its name.
#[must_use]
pub fn has_header(rect: Rect) -> bool {
    rect.width() >= 36.0 && rect.height() >= 2.2 * HEADER
}

fn end_of_chain(tree: &impl Nested, first: u32) -> u32 {
    let mut last = first;
    while let Some(child) = tree.children(last).next()
        && tree.total(child) >= CHAIN * tree.total(first)
    {
        last = child;
    }
    last
}

/// Areas of the boxes right inside `at`; `None` is what `at` costs itself.
fn squarified(tree: &impl Nested, at: u32, area: Rect) -> Vec<(Option<u32>, Rect)> {
    let whole = tree.total(at);
    if whole <= 0.0 || !area.is_positive() {
        return Vec::new();
    }
    let scale = f64::from(area.area()) / whole;
    let size = |n: u32| (tree.total(n) * scale) as f32;
    let mut sizes: Vec<(Option<u32>, f32)> =
        tree.children(at).map(|n| (Some(n), size(n))).take_while(|(_, size)| *size >= SMALLEST).collect();
    let own = (tree.own(at) * scale) as f32;
    if own >= SMALLEST {
        let place = sizes.partition_point(|s| s.1 >= own);
        sizes.insert(place, (None, own));
    }
    let mut found = Vec::with_capacity(sizes.len());
    let (mut rest, mut from) = (area, 0);
    while from < sizes.len() && rest.is_positive() {
        let side = rest.width().min(rest.height());
        let (mut to, mut sum) = (from + 1, sizes[from].1);
        while let Some((_, next)) = sizes.get(to)
            && worst(sum + next, sizes[from].1, *next, side)
                <= worst(sum, sizes[from].1, sizes[to - 1].1, side)
        {
            sum += next;
            to += 1;
        }
        rest = place_row(&sizes[from..to], sum, rest, &mut found);
        from = to;
    }
    found
}

/// The worst ratio of sides in a row of boxes along `side`.
fn worst(sum: f32, largest: f32, smallest: f32, side: f32) -> f32 {
    let (sum2, side2) = (sum * sum, side * side);
    (side2 * largest / sum2).max(sum2 / (side2 * smallest))
}

/// Puts a row at the short side of `rest`; returns what is left.
fn place_row(row: &[(Option<u32>, f32)], sum: f32, rest: Rect, found: &mut Vec<(Option<u32>, Rect)>) -> Rect {
    let upright = rest.width() >= rest.height();
    let side = if upright { rest.height() } else { rest.width() };
    let thick = (sum / side).min(if upright { rest.width() } else { rest.height() });
    let mut along = 0.0;
    for &(node, size) in row {
        let length = (size / thick).min(side - along);
        let rect = if upright {
            Rect::from_min_size(pos2(rest.left(), rest.top() + along), vec2(thick, length))
        } else {
            Rect::from_min_size(pos2(rest.left() + along, rest.top()), vec2(length, thick))
        };
        along += length;
        if rect.width() >= 1.0 && rect.height() >= 1.0 {
            found.push((node, rect));
        }
    }
    let shift = if upright { vec2(thick, 0.0) } else { vec2(0.0, thick) };
    Rect::from_min_max(rest.min + shift, rest.max)
}

/// The innermost box at a position.
#[must_use]
pub fn hit(cells: &[Cell], at: egui::Pos2) -> Option<usize> {
    cells.iter().rposition(|c| c.rect.contains(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Slice;
    use crate::analysis::testing::{ask, subject};
    use crate::analysis::treemap::{Boxes, Nesting};
    use std::sync::Arc;

    fn tree(text: &str) -> Arc<BoxTree> {
        let query = Boxes { slice: Slice::default(), nesting: Nesting::Calls, around: None };
        ask(&subject(text), &query)
    }

    fn area(w: f32, h: f32) -> Rect {
        Rect::from_min_size(pos2(0.0, 0.0), vec2(w, h))
    }

    #[test]
    fn the_example_of_the_paper() {
        let tree = tree("a 6; b 6; c 4; d 3; e 2; f 2; g 1");
        let sizes: Vec<_> = layout(&*tree, 0, area(600.0, 400.0))
            .iter()
            .map(|c| (c.rect.width().round() as i32, c.rect.height().round() as i32))
            .collect();
        assert_eq!(sizes[..4], [(300, 200), (300, 200), (171, 233), (129, 233)]);
    }

    #[test]
    fn boxes_stay_inside_and_never_overlap() {
        let text: String = (0..300).map(|i| format!("m{}>f{} {};", i % 7, i, 1 + (i * 37) % 101)).collect();
        let tree = tree(&text);
        let cells = layout(&*tree, 0, area(900.0, 500.0));
        assert!(cells.len() > 200);
        for (i, c) in cells.iter().enumerate() {
            let parent = tree.boxes[c.first as usize].parent;
            let around = if parent == 0 {
                area(900.0, 500.0)
            } else {
                cells.iter().find(|o| o.last == parent).unwrap().rect
            };
            assert!(around.expand(0.01).contains_rect(c.rect), "{c:?}");
            for o in cells[..i].iter().filter(|o| o.depth == c.depth) {
                assert!(!o.rect.shrink(0.01).intersects(c.rect.shrink(0.01)), "{o:?} {c:?}");
            }
        }
        let at = cells.iter().position(|c| !c.holds).unwrap();
        assert_eq!(hit(&cells, cells[at].rect.center()), Some(at));
    }

    #[test]
    fn areas_are_costs() {
        let tree = tree("a 60; b 30; c 10");
        let cells = layout(&*tree, 0, area(1000.0, 100.0));
        let areas: Vec<i32> = cells.iter().map(|c| c.rect.area().round() as i32).collect();
        assert_eq!(areas, [60_000, 30_000, 10_000]);
    }

    #[test]
    fn a_million_boxes_cost_no_more_than_pixels_allow() {
        let text: String = (0..20_000).map(|i| format!("f{i} {};", 1 + i % 9)).collect();
        let cells = layout(&*tree(&text), 0, area(200.0, 100.0));
        assert!(cells.len() as f32 <= 200.0 * 100.0 / SMALLEST);
        let deep = vec!["f"; 50_000].join(">");
        let chain = layout(&*tree(&format!("{deep} 1")), 0, area(200.0, 100.0));
        assert_eq!(chain.len(), 1, "a chain is one box");
        assert_eq!((chain[0].first, chain[0].last), (1, 50_000));
    }
}
