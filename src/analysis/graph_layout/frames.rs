//! Groups as frames around their nodes: each frame is drawn by itself and stands in the whole as one large
//! node, so nothing foreign gets into it.
//!
//! First the frames and free nodes get rows and order, which says from where the edges of a frame come. Then the
//! inside of each frame is drawn, with those edges ending in points on its upper and lower side in that order.
//! At last the frames, whose sizes are known now, are placed, and the pieces of each edge are joined.

use rustc_hash::FxHashMap;

use super::{
    Arranged, Checkpoint, Direction, Drawing, Frame, Part, Placed, Point, Shelf, parts, rank, route,
};
use crate::jobs::Cancelled;

/// Room for the title of a frame.
pub const TITLE: f32 = 24.0;
/// Between a frame and its nodes.
const PAD: f32 = 12.0;
/// How much broader than high the rows of unconnected nodes in a frame may become.
const SPREAD: f32 = 1.8;

/// A free node, or a frame with its nodes.
struct Unit {
    frame: Option<u32>,
    nodes: Vec<u32>,
}

/// The inside of a frame.
struct Block {
    width: f32,
    height: f32,
    /// Of the nodes of the unit, from the upper left corner.
    nodes: Vec<Point>,
    /// Edges within: number and curve.
    inner: Vec<(u32, Vec<Point>)>,
    /// Pieces of edges that leave, from the upper end to the lower, by number.
    pieces: FxHashMap<u32, Vec<Point>>,
    crossings: u64,
}

/// Edges that leave a frame, in order from left to right.
#[derive(Default)]
struct Leaving {
    /// Through the upper side: number of the edge and its node within.
    top: Vec<(u32, u32)>,
    /// Through the lower side.
    bottom: Vec<(u32, u32)>,
}

/// Draws a graph with frames, upright; parts are put on the shelf.
pub(super) fn draw(
    drawing: &Drawing,
    sizes: &[(f32, f32)],
    shelf: &mut Shelf,
    checkpoint: Checkpoint<'_>,
) -> Result<Placed, Cancelled> {
    let (units, unit_of) = units(drawing);
    let outer = |e: &(u32, u32, u8)| {
        let (a, b) = (unit_of[e.0 as usize], unit_of[e.1 as usize]);
        (a != b || units[a as usize].frame.is_none()).then_some((a, b, e.2))
    };
    let (numbers, edges): (Vec<u32>, Vec<_>) =
        (0..).zip(&drawing.edges).filter_map(|(i, e)| Some((i, outer(e)?))).unzip();
    let mut placed = Placed {
        nodes: vec![Point::default(); sizes.len()],
        edges: vec![Vec::new(); drawing.edges.len()],
        ..Placed::default()
    };
    let whole = Whole { drawing, sizes, units: &units, unit_of: &unit_of };
    for part in parts(units.len(), &edges) {
        checkpoint()?;
        let edges: Vec<_> = part.edges.iter().map(|&e| (numbers[e as usize], edges[e as usize])).collect();
        whole.part(&part.nodes, &edges, &mut placed, shelf, checkpoint)?;
    }
    Ok(placed)
}

/// Frames and free nodes, in the order of their first nodes, and the unit of each node.
fn units(drawing: &Drawing) -> (Vec<Unit>, Vec<u32>) {
    let mut units: Vec<Unit> = Vec::new();
    let mut unit_of = Vec::with_capacity(drawing.nodes.len());
    let mut index: FxHashMap<u32, u32> = FxHashMap::default();
    for node in 0..drawing.nodes.len() as u32 {
        let frame = drawing.inside.get(node as usize).copied().flatten();
        let next = units.len() as u32;
        let unit = frame.map_or(next, |f| *index.entry(f).or_insert(next));
        if unit == next {
            units.push(Unit { frame, nodes: Vec::new() });
        }
        units[unit as usize].nodes.push(node);
        unit_of.push(unit);
    }
    (units, unit_of)
}

struct Whole<'a> {
    drawing: &'a Drawing,
    sizes: &'a [(f32, f32)],
    units: &'a [Unit],
    unit_of: &'a [u32],
}

impl Whole<'_> {
    fn turned(&self) -> bool {
        self.drawing.direction == Direction::Right
    }

    fn seed(&self, node: u32) -> Option<f32> {
        self.drawing.seed.as_ref()?.get(node as usize).copied().flatten()
    }

    /// Draws units that hang together. `edges` are those between them, with their numbers.
    fn part(
        &self,
        units: &[u32],
        edges: &[(u32, (u32, u32, u8))],
        placed: &mut Placed,
        shelf: &mut Shelf,
        checkpoint: Checkpoint<'_>,
    ) -> Result<(), Cancelled> {
        let local = |unit: u32| units.binary_search(&unit).unwrap_or(0) as u32;
        let mean = |unit: &u32| {
            let seeds: Vec<f32> =
                self.units[*unit as usize].nodes.iter().filter_map(|&n| self.seed(n)).collect();
            (!seeds.is_empty()).then(|| seeds.iter().sum::<f32>() / seeds.len() as f32)
        };
        let mut part = Part {
            sizes: units.iter().map(|&u| self.sizes[self.units[u as usize].nodes[0] as usize]).collect(),
            edges: edges.iter().map(|&(_, (a, b, w))| (local(a), local(b), w)).collect(),
            seed: self.drawing.seed.as_ref().map(|_| units.iter().map(mean).collect()),
            points: 0,
        };
        let (ranks, closing) = part.ranks(checkpoint)?;
        let arranged = part.arrange(ranks, &closing, &[], checkpoint)?;
        let leaving = self.leaving(units.len(), edges, &arranged);
        let mut blocks: Vec<Option<Block>> = Vec::with_capacity(units.len());
        for ((&unit, leaving), size) in units.iter().zip(&leaving).zip(&mut part.sizes) {
            let block = match self.units[unit as usize].frame {
                Some(frame) => Some(self.block(frame, unit, leaving, checkpoint)?),
                None => None,
            };
            if let Some(block) = &block {
                *size = (block.width, block.height);
            }
            blocks.push(block);
        }
        let ends: Vec<super::Ends> = edges
            .iter()
            .zip(&arranged.chains)
            .map(|((number, _), chain)| {
                let end = |v: Option<&u32>, upper: bool| {
                    let block = blocks[*v? as usize].as_ref()?;
                    let piece = block.pieces.get(number)?;
                    let at = if upper { piece.last()? } else { piece.first()? };
                    Some(at.x - block.width / 2.0)
                };
                (end(chain.through.first(), true), end(chain.through.last(), false))
            })
            .collect();
        let drawn = part.place(&arranged, self.turned(), &ends);
        let (dx, dy) = shelf.put(drawn.width, drawn.height);
        let corners: Vec<Point> = drawn
            .nodes
            .iter()
            .zip(&part.sizes)
            .map(|(at, (w, h))| Point { x: at.x - w / 2.0 + dx, y: at.y - h / 2.0 + dy })
            .collect();
        placed.crossings += drawn.crossings;
        for (((&unit, block), corner), (w, h)) in units.iter().zip(&blocks).zip(&corners).zip(&part.sizes) {
            let unit = &self.units[unit as usize];
            let Some(block) = block else {
                placed.nodes[unit.nodes[0] as usize] = Point { x: corner.x + w / 2.0, y: corner.y + h / 2.0 };
                continue;
            };
            let moved = |p: &Point| Point { x: p.x + corner.x, y: p.y + corner.y };
            unit.nodes.iter().zip(&block.nodes).for_each(|(&n, p)| placed.nodes[n as usize] = moved(p));
            for (edge, curve) in &block.inner {
                placed.edges[*edge as usize] = curve.iter().map(moved).collect();
            }
            placed.crossings += block.crossings;
            let max = Point { x: corner.x + w, y: corner.y + h };
            placed.frames.extend(unit.frame.map(|of| Frame { of, min: *corner, max }));
        }
        for (((number, _), chain), curve) in edges.iter().zip(&arranged.chains).zip(drawn.edges) {
            placed.edges[*number as usize] = joined(*number, chain, curve, (dx, dy), &blocks, &corners);
        }
        Ok(())
    }

    /// The edges that leave each frame, in the order in which they come from other rows.
    fn leaving(&self, units: usize, edges: &[(u32, (u32, u32, u8))], arranged: &Arranged) -> Vec<Leaving> {
        let mut place = vec![0u32; arranged.rows.rank.len()];
        for row in &arranged.rows.rows {
            (0..).zip(row).for_each(|(i, &v)| place[v as usize] = i);
        }
        let mut sides: Vec<[Vec<(u32, u32, u32)>; 2]> = vec![[Vec::new(), Vec::new()]; units];
        for ((number, _), chain) in edges.iter().zip(&arranged.chains) {
            let [upper, second, ..] = chain.through[..] else { continue };
            let (lower, before) =
                (chain.through[chain.through.len() - 1], chain.through[chain.through.len() - 2]);
            let (from, to, _) = self.drawing.edges[*number as usize];
            let (up, down) = if chain.turned { (to, from) } else { (from, to) };
            sides[upper as usize][1].push((place[second as usize], *number, up));
            sides[lower as usize][0].push((place[before as usize], *number, down));
        }
        sides
            .into_iter()
            .map(|mut sides| {
                sides.iter_mut().for_each(|s| s.sort_unstable());
                let [top, bottom] =
                    sides.map(|s| s.into_iter().map(|(_, edge, node)| (edge, node)).collect());
                Leaving { top, bottom }
            })
            .collect()
    }

    /// Draws the inside of a frame.
    fn block(
        &self,
        frame: u32,
        unit: u32,
        leaving: &Leaving,
        checkpoint: Checkpoint<'_>,
    ) -> Result<Block, Cancelled> {
        let nodes = &self.units[unit as usize].nodes;
        let local = |v: u32| nodes.binary_search(&v).unwrap_or(0) as u32;
        let of = |v: u32| self.unit_of[v as usize] == unit;
        let inner: Vec<u32> = (0..self.drawing.edges.len() as u32)
            .filter(|&e| {
                let (a, b, _) = self.drawing.edges[e as usize];
                of(a) && of(b)
            })
            .collect();
        let (count, points) = (nodes.len(), leaving.top.len() + leaving.bottom.len());
        let mut part = Part {
            sizes: nodes.iter().map(|&v| self.sizes[v as usize]).collect(),
            edges: inner
                .iter()
                .map(|&e| self.drawing.edges[e as usize])
                .map(|(a, b, w)| (local(a), local(b), w))
                .collect(),
            seed: self.drawing.seed.as_ref().map(|_| nodes.iter().map(|&v| self.seed(v)).collect()),
            points,
        };
        let (mut ranks, mut closing) = stacked(&part, checkpoint)?;
        let below = u32::from(!leaving.top.is_empty());
        ranks.iter_mut().for_each(|r| *r += below);
        let last = ranks.iter().max().map_or(0, |r| r + 1);
        let mut fixed = Vec::new();
        for (side, row, above) in [(&leaving.top, 0, true), (&leaving.bottom, last, false)] {
            for &(edge, node) in side {
                let point = part.sizes.len() as u32;
                part.sizes.push((0.0, 0.0));
                ranks.push(row);
                let weight = self.drawing.edges[edge as usize].2;
                let (from, to) = if above { (point, local(node)) } else { (local(node), point) };
                part.edges.push((from, to, weight));
                closing.push(false);
            }
            fixed.extend((!side.is_empty()).then_some(row));
        }
        let arranged = part.arrange(ranks, &closing, &fixed, checkpoint)?;
        let drawn = part.place(&arranged, self.turned(), &[]);
        Ok(self.boxed(frame, count, &inner, leaving, &drawn))
    }

    /// Puts room around the inside of a frame and leads its edges to the sides.
    fn boxed(&self, frame: u32, count: usize, inner: &[u32], leaving: &Leaving, drawn: &Placed) -> Block {
        let title = self.drawing.titles.get(frame as usize).copied().unwrap_or(0.0);
        // The title stands at the upper side of the screen, which is the left one while the graph is turned.
        let (mut left, mut right) = if self.turned() { (TITLE, PAD) } else { (PAD, PAD) };
        let (mut top, mut bottom) = if self.turned() { (PAD, PAD) } else { (TITLE, PAD) };
        if !leaving.top.is_empty() {
            top = 0.0;
        }
        if !leaving.bottom.is_empty() {
            bottom = 0.0;
        }
        if self.turned() {
            bottom += (title - drawn.height - top - bottom).max(0.0);
        } else {
            let more = (title - drawn.width - left - right).max(0.0) / 2.0;
            (left, right) = (left + more, right + more);
        }
        let (width, height) = (drawn.width + left + right, drawn.height + top + bottom);
        let moved = |p: &Point| Point { x: p.x + left, y: p.y + top };
        let mut curves = drawn.edges.iter().map(|c| c.iter().map(moved).collect::<Vec<_>>());
        let inner = inner.iter().copied().zip(curves.by_ref()).collect();
        let numbers = leaving.top.iter().chain(&leaving.bottom).map(|l| l.0);
        let mut pieces: FxHashMap<u32, Vec<Point>> = numbers.zip(curves).collect();
        for (edge, _) in &leaving.bottom {
            if let Some(piece) = pieces.get_mut(edge)
                && let Some(&end) = piece.last()
            {
                route::line(piece, Point { x: end.x, y: height });
            }
        }
        let nodes = drawn.nodes[..count].iter().map(moved).collect();
        Block { width, height, nodes, inner, pieces, crossings: drawn.crossings }
    }
}

/// Rows for nodes that may not hang together: those that do are ranked, and they stand side by side in as many
/// layers as keep the frame from becoming very broad.
fn stacked(part: &Part, checkpoint: Checkpoint<'_>) -> Result<(Vec<u32>, Vec<bool>), Cancelled> {
    const ROW: f32 = 90.0;
    let count = part.sizes.len();
    let pairs: Vec<(u32, u32)> = part.edges.iter().map(|e| (e.0, e.1)).collect();
    let closing = rank::closing(count, &pairs);
    let mut ranks = vec![0u32; count];
    // Of each piece: its nodes, breadth of its broadest row, number of its rows.
    let mut pieces: Vec<(Vec<u32>, f32, u32)> = Vec::new();
    for together in parts(count, &part.edges) {
        checkpoint()?;
        let local = |v: u32| together.nodes.binary_search(&v).unwrap_or(0) as u32;
        let downs: Vec<rank::Down> = together
            .edges
            .iter()
            .map(|&e| (part.edges[e as usize], closing[e as usize]))
            .filter(|((a, b, _), _)| a != b)
            .map(|((a, b, weight), closing)| {
                let (from, to) = if closing { (b, a) } else { (a, b) };
                rank::Down { from: local(from), to: local(to), weight: i32::from(weight) }
            })
            .collect();
        let found = rank::ranks(together.nodes.len(), &downs, checkpoint)?;
        let rows = found.iter().max().map_or(0, |r| *r as u32 + 1);
        let mut breadth = vec![0.0f32; rows as usize];
        for (&v, &r) in together.nodes.iter().zip(&found) {
            ranks[v as usize] = r as u32;
            breadth[r as usize] += part.sizes[v as usize].0 + 18.0;
        }
        pieces.push((together.nodes, breadth.into_iter().fold(0.0, f32::max), rows));
    }
    let area: f32 = pieces.iter().map(|p| p.1 * p.2 as f32 * ROW).sum();
    let most = pieces.iter().map(|p| p.1).fold((area * SPREAD).sqrt(), f32::max);
    let (mut first, mut filled, mut deepest) = (0, 0.0, 0);
    for (nodes, breadth, rows) in pieces {
        if filled > 0.0 && filled + breadth > most * 1.01 {
            (first, filled, deepest) = (first + deepest, 0.0, 0);
        }
        nodes.iter().for_each(|&v| ranks[v as usize] += first);
        filled += breadth;
        deepest = deepest.max(rows);
    }
    Ok((ranks, closing))
}

/// An edge from node to node: its piece in the upper frame, the way between, its piece in the lower one.
fn joined(
    number: u32,
    chain: &super::Chain,
    mut between: Vec<Point>,
    (dx, dy): (f32, f32),
    blocks: &[Option<Block>],
    corners: &[Point],
) -> Vec<Point> {
    between.iter_mut().for_each(|p| (p.x, p.y) = (p.x + dx, p.y + dy));
    let (Some(&upper), Some(&lower)) = (chain.through.first(), chain.through.last()) else { return between };
    let piece = |unit: u32| -> Vec<Point> {
        let corner = corners[unit as usize];
        let piece = blocks[unit as usize].as_ref().and_then(|b| b.pieces.get(&number));
        let moved = |p: &Point| Point { x: p.x + corner.x, y: p.y + corner.y };
        piece.map_or_else(Vec::new, |p| p.iter().map(moved).collect())
    };
    if chain.turned {
        between.reverse();
    }
    let mut curve = piece(upper);
    for next in [between, piece(lower)] {
        let skip = usize::from(!curve.is_empty());
        curve.extend(next.into_iter().skip(skip));
    }
    if chain.turned {
        curve.reverse();
    }
    curve
}
