//! A layered drawing of a graph: nodes in rows, calls downwards, edges routed between and around nodes.
//!
//! Rows by network simplex, order by medians and exchanges, places by isotonic regression, edges as cubic
//! curves that change their place only in the gaps between rows, where no node stands. Nothing is random,
//! so the same graph gives the same picture. Parts that do not hang together stand side by side.

pub mod frames;
mod order;
mod place;
mod rank;
mod route;
#[cfg(test)]
mod tests;

use crate::jobs::Cancelled;
use crate::model::lists::Lists;

use self::order::Rows;
use self::place::{Breadth, Pull};

/// Called now and then; an error ends the work.
pub type Checkpoint<'a> = &'a dyn Fn() -> Result<(), Cancelled>;

/// Which way calls lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Callers above callees.
    #[default]
    Down,
    /// Callers left of callees.
    Right,
}

/// A point, in points of the screen at zoom 1.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Point {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
}

/// What is to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawing {
    /// Width and height of each node. Nodes that come first stay on top where a cycle has to be cut.
    pub nodes: Vec<(f32, f32)>,
    /// Caller, callee, and how much straighter than others the edge should be, from 1.
    pub edges: Vec<(u32, u32, u8)>,
    /// Where each node was before across the direction of calls, if it was there.
    pub seed: Option<Vec<Option<f32>>>,
    /// Which way calls lead.
    pub direction: Direction,
    /// The frame that each node stands in; empty for none at all.
    pub inside: Vec<Option<u32>>,
    /// Least width of each frame, for its title.
    pub titles: Vec<f32>,
}

/// A rectangle around the nodes of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Its number in [`Drawing::inside`].
    pub of: u32,
    /// Upper left corner.
    pub min: Point,
    /// Lower right corner.
    pub max: Point,
}

/// Where everything is. The upper left corner is at (0, 0).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placed {
    /// Centres of the nodes.
    pub nodes: Vec<Point>,
    /// Each edge as cubic curves end to end: 3 n + 1 points, from caller to callee.
    pub edges: Vec<Vec<Point>>,
    /// Extent.
    pub width: f32,
    /// Extent.
    pub height: f32,
    /// Crossings that were counted between rows.
    pub crossings: u64,
    /// Frames; nothing but the nodes of their group and their calls is within.
    pub frames: Vec<Frame>,
}

/// Steps that ordering may take for each node.
const STEPS: u64 = 60_000;
/// Points that edges may pass through in all; the longest edges beyond go straight to their end.
const MOST_BENDS: u64 = 150_000;
/// Between parts that do not hang together.
const PART_GAP: f32 = 36.0;
/// How far a loop of a node that calls itself sticks out.
pub const LOOP: f32 = 20.0;

/// Draws the graph.
///
/// # Errors
/// When `checkpoint` says so.
pub fn draw(drawing: &Drawing, checkpoint: Checkpoint<'_>) -> Result<Placed, Cancelled> {
    let turned = drawing.direction == Direction::Right;
    let size = |(w, h): (f32, f32)| if turned { (h, w) } else { (w, h) };
    let sizes: Vec<(f32, f32)> = drawing.nodes.iter().copied().map(size).collect();
    let mut placed = Placed {
        nodes: vec![Point::default(); sizes.len()],
        edges: vec![Vec::new(); drawing.edges.len()],
        ..Placed::default()
    };
    let mut shelf = Shelf::default();
    if drawing.inside.iter().any(Option::is_some) {
        placed = frames::draw(drawing, &sizes, &mut shelf, checkpoint)?;
    } else {
        flat(drawing, &sizes, &mut placed, &mut shelf, checkpoint)?;
    }
    (placed.width, placed.height) = (shelf.width, shelf.height);
    if turned {
        let turn = |p: &mut Point| (p.x, p.y) = (p.y, p.x);
        placed.nodes.iter_mut().chain(placed.edges.iter_mut().flatten()).for_each(turn);
        placed.frames.iter_mut().flat_map(|f| [&mut f.min, &mut f.max]).for_each(turn);
        (placed.width, placed.height) = (placed.height, placed.width);
    }
    Ok(placed)
}

/// Draws without frames.
fn flat(
    drawing: &Drawing,
    sizes: &[(f32, f32)],
    placed: &mut Placed,
    shelf: &mut Shelf,
    checkpoint: Checkpoint<'_>,
) -> Result<(), Cancelled> {
    let turned = drawing.direction == Direction::Right;
    for part in parts(sizes.len(), &drawing.edges) {
        checkpoint()?;
        let drawn = Part::new(drawing, sizes, &part).draw(turned, checkpoint)?;
        let (dx, dy) = shelf.put(drawn.width, drawn.height);
        let moved = |p: Point| Point { x: p.x + dx, y: p.y + dy };
        for (&node, at) in part.nodes.iter().zip(drawn.nodes) {
            placed.nodes[node as usize] = moved(at);
        }
        for (&edge, curve) in part.edges.iter().zip(drawn.edges) {
            placed.edges[edge as usize] = curve.into_iter().map(moved).collect();
        }
        placed.crossings += drawn.crossings;
    }
    Ok(())
}

/// Places parts from left to right; small ones share columns below each other.
#[derive(Default)]
struct Shelf {
    width: f32,
    height: f32,
    /// Left end, breadth and filled height of the last column.
    column: Option<(f32, f32, f32)>,
}

impl Shelf {
    fn put(&mut self, width: f32, height: f32) -> (f32, f32) {
        if let Some((left, breadth, filled)) = self.column
            && filled + PART_GAP + height <= self.height
        {
            let at = (left, filled + PART_GAP);
            self.column = Some((left, breadth.max(width), at.1 + height));
            self.width = self.width.max(left + width);
            return at;
        }
        let left = self.column.map_or(0.0, |(left, breadth, _)| left + breadth + PART_GAP);
        self.column = Some((left, width, height));
        self.width = self.width.max(left + width);
        self.height = self.height.max(height);
        (left, 0.0)
    }
}

/// Nodes that hang together, and their edges.
struct Together {
    nodes: Vec<u32>,
    edges: Vec<u32>,
}

/// Parts of the graph, those with most nodes first.
fn parts(nodes: usize, edges: &[(u32, u32, u8)]) -> Vec<Together> {
    let mut leader: Vec<u32> = (0..nodes as u32).collect();
    fn find(leader: &mut [u32], mut v: u32) -> u32 {
        while leader[v as usize] != v {
            leader[v as usize] = leader[leader[v as usize] as usize];
            v = leader[v as usize];
        }
        v
    }
    for &(a, b, _) in edges {
        let (a, b) = (find(&mut leader, a), find(&mut leader, b));
        leader[a.max(b) as usize] = a.min(b);
    }
    let mut index = vec![u32::MAX; nodes];
    let mut parts: Vec<Together> = Vec::new();
    for v in 0..nodes as u32 {
        let root = find(&mut leader, v) as usize;
        if index[root] == u32::MAX {
            index[root] = parts.len() as u32;
            parts.push(Together { nodes: Vec::new(), edges: Vec::new() });
        }
        parts[index[root] as usize].nodes.push(v);
    }
    for (i, &(a, ..)) in edges.iter().enumerate() {
        let root = find(&mut leader, a) as usize;
        parts[index[root] as usize].edges.push(i as u32);
    }
    parts.sort_by_key(|p| std::cmp::Reverse(p.nodes.len()));
    parts
}

/// An edge as it is laid: from the upper to the lower node, through a point in each row between.
struct Chain {
    /// Nodes and bends, from top to bottom.
    through: Vec<u32>,
    /// True when the call leads upwards.
    turned: bool,
    /// True when it is too long to be led around nodes.
    free: bool,
}

/// Where an edge ends at its upper and its lower node, from the middle of the node.
type Ends = (Option<f32>, Option<f32>);

/// One part while it is drawn. Nodes are numbered within the part; bends of long edges follow them.
#[derive(Default)]
struct Part {
    /// Breadth and height of each node.
    sizes: Vec<(f32, f32)>,
    edges: Vec<(u32, u32, u8)>,
    seed: Option<Vec<Option<f32>>>,
    /// The last nodes may be points on a frame, where edges leave it: how many.
    points: usize,
}

/// A part whose nodes have their rows and order.
struct Arranged {
    rows: Rows,
    chains: Vec<Chain>,
    crossings: u64,
}

impl Part {
    fn new(drawing: &Drawing, sizes: &[(f32, f32)], part: &Together) -> Self {
        let local = |v: u32| part.nodes.binary_search(&v).unwrap_or(0) as u32;
        let edges = part.edges.iter().map(|&e| {
            let (a, b, weight) = drawing.edges[e as usize];
            (local(a), local(b), weight)
        });
        let seed = drawing
            .seed
            .as_ref()
            .map(|seed| part.nodes.iter().map(|&v| seed.get(v as usize).copied().flatten()).collect());
        let sizes = part.nodes.iter().map(|&v| sizes[v as usize]).collect();
        Self { sizes, edges: edges.collect(), seed, points: 0 }
    }

    fn draw(&self, turned: bool, checkpoint: Checkpoint<'_>) -> Result<Placed, Cancelled> {
        let (ranks, closing) = self.ranks(checkpoint)?;
        let arranged = self.arrange(ranks, &closing, &[], checkpoint)?;
        Ok(self.place(&arranged, turned, &[]))
    }

    /// The row of each node, and which edges lead upwards. The part must hang together.
    fn ranks(&self, checkpoint: Checkpoint<'_>) -> Result<(Vec<u32>, Vec<bool>), Cancelled> {
        let count = self.sizes.len();
        let pairs: Vec<(u32, u32)> = self.edges.iter().map(|e| (e.0, e.1)).collect();
        let closing = rank::closing(count, &pairs);
        let downs: Vec<rank::Down> = self
            .edges
            .iter()
            .zip(&closing)
            .filter(|(e, _)| e.0 != e.1)
            .map(|(&(a, b, weight), &closing)| {
                let (from, to) = if closing { (b, a) } else { (a, b) };
                rank::Down { from, to, weight: i32::from(weight) }
            })
            .collect();
        let ranks = rank::ranks(count, &downs, checkpoint)?.into_iter().map(|r| r as u32).collect();
        Ok((ranks, closing))
    }

    /// Puts the nodes in order. Rows in `fixed` stay as nodes are numbered.
    fn arrange(
        &self,
        mut ranks: Vec<u32>,
        closing: &[bool],
        fixed: &[u32],
        checkpoint: Checkpoint<'_>,
    ) -> Result<Arranged, Cancelled> {
        let (mut rows, chains) = self.rows(&mut ranks, closing);
        rows.fixed = (0..rows.rows.len() as u32).map(|r| fixed.contains(&r)).collect();
        let budget = STEPS * self.sizes.len() as u64;
        let crossings = order::order(&mut rows, budget, self.seed.as_deref(), checkpoint)?;
        checkpoint()?;
        Ok(Arranged { rows, chains, crossings })
    }

    /// Places what is in order and leads the edges. `ends` says where edges end, for those that know.
    fn place(&self, arranged: &Arranged, turned: bool, ends: &[Ends]) -> Placed {
        let Arranged { rows, chains, crossings } = arranged;
        let (count, solid) = (rows.rank.len(), self.sizes.len() - self.points);
        let mut looping = vec![false; count];
        self.edges.iter().filter(|e| e.0 == e.1).for_each(|e| looping[e.0 as usize] = true);
        let breadth: Vec<Breadth> = (0..count)
            .map(|v| match self.sizes.get(v).filter(|_| v < solid) {
                Some(&(w, _)) => {
                    let more = if looping[v] && !turned { LOOP } else { 0.0 };
                    let below = if looping[v] && turned { LOOP } else { 0.0 };
                    Breadth { left: w / 2.0, right: w / 2.0 + more + below, bend: false }
                }
                None => Breadth { left: 2.0, right: 2.0, bend: true },
            })
            .collect();
        let x = place::place(rows, &breadth, &self.pulls(count, chains, ends));
        let laid = route::Laid { part: self.view(), rows, chains, x: &x, breadth: &breadth, ends };
        route::route(&laid, *crossings)
    }

    fn view(&self) -> route::PartView<'_> {
        route::PartView { sizes: &self.sizes, edges: &self.edges }
    }

    /// Rows with bends where an edge passes through; one chain for each edge, empty for loops.
    fn rows(&self, ranks: &mut Vec<u32>, closing: &[bool]) -> (Rows, Vec<Chain>) {
        let count = ranks.iter().max().map_or(0, |r| *r as usize + 1);
        let mut rows = Rows { rows: vec![Vec::new(); count], ..Rows::default() };
        for (v, &r) in ranks.iter().enumerate() {
            rows.rows[r as usize].push(v as u32);
        }
        let longest = self.longest_with_bends(ranks);
        let mut chains = Vec::with_capacity(self.edges.len());
        for (&(a, b, _), &turned) in self.edges.iter().zip(closing) {
            let mut through = Vec::new();
            let mut free = false;
            if a != b {
                let (from, to) = if turned { (b, a) } else { (a, b) };
                through.push(from);
                let (first, last) = (ranks[from as usize] + 1, ranks[to as usize]);
                free = last - first > longest;
                for r in if free { last..last } else { first..last } {
                    let bend = ranks.len() as u32;
                    ranks.push(r);
                    rows.rows[r as usize].push(bend);
                    through.push(bend);
                }
                through.push(to);
            }
            chains.push(Chain { through, turned, free });
        }
        let pairs = || chains.iter().filter(|c| !c.free).flat_map(|c: &Chain| c.through.windows(2));
        rows.down = Lists::new(ranks.len(), pairs().map(|p| (p[0], p[1])));
        rows.up = Lists::new(ranks.len(), pairs().map(|p| (p[1], p[0])));
        rows.rank.clone_from(ranks);
        (rows, chains)
    }

    /// The most bends that an edge may have so that all together stay within bounds.
    fn longest_with_bends(&self, ranks: &[u32]) -> u32 {
        let rank = |v: u32| ranks[v as usize];
        let mut bends: Vec<u32> =
            self.edges.iter().map(|e| rank(e.0).abs_diff(rank(e.1)).saturating_sub(1)).collect();
        bends.sort_unstable();
        let mut sum = 0;
        for n in bends {
            sum += u64::from(n);
            if sum > MOST_BENDS {
                return n.saturating_sub(1);
            }
        }
        u32::MAX
    }

    /// Neighbours above and below of each node, and how hard they pull.
    fn pulls(&self, count: usize, chains: &[Chain], ends: &[Ends]) -> [Lists<Pull>; 2] {
        let solid = self.sizes.len() - self.points;
        let real = |v: u32| (v as usize) < solid;
        let pairs = chains.iter().zip(&self.edges).enumerate().flat_map(|(i, (chain, &(.., weight)))| {
            let (upper, lower) = ends.get(i).copied().unwrap_or_default();
            let last = chain.through.len().saturating_sub(2);
            chain.through.windows(2).enumerate().map(move |(k, pair)| {
                let (a, b) = (pair[0], pair[1]);
                let from = upper.filter(|_| k == 0).unwrap_or(0.0);
                let offset = from - lower.filter(|_| k == last).unwrap_or(0.0);
                let stiff = match (real(a), real(b)) {
                    (true, true) => 1.0,
                    (false, false) => 8.0,
                    _ => 2.0,
                };
                (a, b, stiff * f32::from(weight), offset)
            })
        });
        let above = pairs.clone().map(|(node, b, weight, offset)| (b, Pull { node, weight, offset }));
        let below = pairs.map(|(a, node, weight, offset)| (a, Pull { node, weight, offset: -offset }));
        [Lists::new(count, above), Lists::new(count, below)]
    }
}
