//! Edges as curves. An edge changes its place only in the gap between two rows; through a row it goes
//! straight down where the order of the row has left room for it. So no edge touches a node that it does
//! not belong to.

use super::order::Rows;
use super::place::Breadth;
use super::{Chain, Ends, LOOP, Placed, Point};

/// Least height of the gap between two rows.
const GAP: f32 = 42.0;
/// The same between a row and the side of a frame.
const GAP_AT_FRAME: f32 = 30.0;
/// Most that a gap grows where edges go far to the side.
const MORE: f32 = 70.0;
/// Between the ends of edges at one side of a node.
const PORT: f32 = 12.0;

/// What is drawn.
pub(super) struct PartView<'a> {
    pub sizes: &'a [(f32, f32)],
    pub edges: &'a [(u32, u32, u8)],
}

/// A part with everything but its curves.
pub(super) struct Laid<'a> {
    pub part: PartView<'a>,
    pub rows: &'a Rows,
    pub chains: &'a [Chain],
    pub x: &'a [f32],
    pub breadth: &'a [Breadth],
    /// Where edges end at their upper and lower node, from its centre, where that is given.
    pub ends: &'a [Ends],
}

/// The finished drawing of the part.
pub(super) fn route(laid: &Laid<'_>, crossings: u64) -> Placed {
    let nodes = laid.part.sizes.len();
    let left = (0..laid.x.len()).map(|v| laid.x[v] - laid.breadth[v].left).fold(f32::MAX, f32::min);
    let right = (0..laid.x.len()).map(|v| laid.x[v] + laid.breadth[v].right).fold(f32::MIN, f32::max);
    let x = |v: u32| laid.x[v as usize] - left;
    let bands = bands(laid);
    let ports = ports(laid);
    let height = bands.last().map_or(0.0, |b| b.1);
    let middle = |v: usize| {
        let (top, bottom) = bands[laid.rows.rank[v] as usize];
        (top + bottom) / 2.0
    };
    let centres: Vec<Point> = (0..nodes).map(|v| Point { x: x(v as u32), y: middle(v) }).collect();
    let mut edges = Vec::with_capacity(laid.chains.len());
    for (i, (chain, &(from, ..))) in laid.chains.iter().zip(laid.part.edges).enumerate() {
        if chain.through.is_empty() {
            edges.push(own_call(centres[from as usize], laid.part.sizes[from as usize]));
            continue;
        }
        let mut curve: Vec<Point> = Vec::new();
        let last = chain.through.len() - 1;
        for (k, &v) in chain.through.iter().enumerate() {
            let (top, bottom) = bands[laid.rows.rank[v as usize] as usize];
            let half = laid.part.sizes.get(v as usize).map_or(0.0, |s| s.1 / 2.0);
            if k == 0 {
                let at = Point { x: x(v) + ports[i].0, y: middle(v as usize) + half };
                curve.push(at);
                line(&mut curve, Point { x: at.x, y: bottom });
            } else if k == last {
                let at = Point { x: x(v) + ports[i].1, y: middle(v as usize) - half };
                bend(&mut curve, Point { x: at.x, y: top });
                line(&mut curve, at);
            } else {
                bend(&mut curve, Point { x: x(v), y: top });
                line(&mut curve, Point { x: x(v), y: bottom });
            }
        }
        if chain.turned {
            curve.reverse();
        }
        edges.push(curve);
    }
    Placed { nodes: centres, edges, width: (right - left).max(0.0), height, crossings, ..Placed::default() }
}

/// Goes straight to a point.
pub(super) fn line(curve: &mut Vec<Point>, to: Point) {
    let Some(&from) = curve.last() else { return };
    if (to.y - from.y).abs() < 0.01 && (to.x - from.x).abs() < 0.01 {
        return;
    }
    let at = |t: f32| Point { x: from.x + (to.x - from.x) * t, y: from.y + (to.y - from.y) * t };
    curve.extend([at(1.0 / 3.0), at(2.0 / 3.0), to]);
}

/// Swings through a gap: upright at both ends.
fn bend(curve: &mut Vec<Point>, to: Point) {
    let Some(&from) = curve.last() else { return };
    let reach = (to.y - from.y) * 0.55;
    curve.extend([Point { x: from.x, y: from.y + reach }, Point { x: to.x, y: to.y - reach }, to]);
}

/// A loop at the right of a node.
fn own_call(at: Point, (w, h): (f32, f32)) -> Vec<Point> {
    let (x, dy) = (at.x + w / 2.0, h * 0.26);
    vec![
        Point { x, y: at.y - dy },
        Point { x: x + LOOP * 1.25, y: at.y - dy * 1.6 },
        Point { x: x + LOOP * 1.25, y: at.y + dy * 1.6 },
        Point { x, y: at.y + dy },
    ]
}

/// Upper and lower edge of each row.
fn bands(laid: &Laid<'_>) -> Vec<(f32, f32)> {
    let count = laid.rows.rows.len();
    let mut heights = vec![0.0f32; count];
    for (v, &(_, h)) in laid.part.sizes.iter().enumerate() {
        let height = &mut heights[laid.rows.rank[v] as usize];
        *height = height.max(h);
    }
    let mut aside = vec![0.0f32; count];
    for chain in laid.chains {
        for pair in chain.through.windows(2) {
            let by = (laid.x[pair[0] as usize] - laid.x[pair[1] as usize]).abs();
            let most = &mut aside[laid.rows.rank[pair[0] as usize] as usize];
            *most = most.max(by);
        }
    }
    let mut y = 0.0;
    (0..count)
        .map(|r| {
            let band = (y, y + heights[r]);
            // Points on a frame stand in rows without height.
            let at_frame = heights[r] == 0.0 || heights.get(r + 1) == Some(&0.0);
            let gap = if at_frame { GAP_AT_FRAME } else { GAP };
            y = band.1 + gap + (aside[r] * 0.06).min(MORE);
            band
        })
        .collect()
}

/// Where each edge leaves its upper node and enters its lower one, from their centres: in the order of
/// where they lead to, so that edges of one node do not cross.
fn ports(laid: &Laid<'_>) -> Vec<(f32, f32)> {
    let nodes = laid.part.sizes.len();
    let mut ports = vec![(0.0, 0.0); laid.chains.len()];
    // Edge and where it leads to, for the lower and the upper side of each node.
    let mut sides: Vec<[Vec<(f32, usize)>; 2]> = vec![[Vec::new(), Vec::new()]; nodes];
    for (i, chain) in laid.chains.iter().enumerate() {
        if let [first, second, ..] = chain.through[..] {
            let before = chain.through[chain.through.len() - 2];
            let last = chain.through[chain.through.len() - 1];
            sides[first as usize][0].push((laid.x[second as usize], i));
            sides[last as usize][1].push((laid.x[before as usize], i));
        }
    }
    for (v, sides) in sides.iter_mut().enumerate() {
        for (side, ends) in sides.iter_mut().enumerate() {
            ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let room = laid.part.sizes[v].0 * 0.8;
            let step = PORT.min(room / ends.len().max(1) as f32);
            let first = -step * (ends.len() as f32 - 1.0) / 2.0;
            for (k, &(_, i)) in ends.iter().enumerate() {
                let at = first + step * k as f32;
                if side == 0 { ports[i].0 = at } else { ports[i].1 = at }
            }
        }
    }
    for (port, given) in ports.iter_mut().zip(laid.ends) {
        *port = (given.0.unwrap_or(port.0), given.1.unwrap_or(port.1));
    }
    ports
}
