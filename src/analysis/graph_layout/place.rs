//! Where nodes stand in their rows: as near to their neighbours as the order and the gaps allow.
//!
//! Each row is placed exactly for given wishes (isotonic regression: wishes that collide are pooled at
//! their mean), and wishes and rows take turns, as long edges pull harder on their own straightness.

use super::order::Rows;
use crate::model::lists::Lists;

/// A neighbour: where on it the edge ends, and how hard it pulls.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pull {
    pub node: u32,
    pub weight: f32,
    /// Where the node should stand from there.
    pub offset: f32,
}

/// What placing needs to know about a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breadth {
    pub left: f32,
    pub right: f32,
    /// True for a point of a long edge.
    pub bend: bool,
}

const GAP: f32 = 18.0;
const GAP_BEND: f32 = 10.0;

/// Places all nodes from left to right: their centres.
pub(super) fn place(rows: &Rows, breadth: &[Breadth], pulls: &[Lists<Pull>; 2]) -> Vec<f32> {
    let mut x = vec![0.0f32; breadth.len()];
    for row in &rows.rows {
        let mut at = 0.0;
        for (i, &v) in row.iter().enumerate() {
            if i > 0 {
                at += distance(breadth, row[i - 1], v);
            }
            x[v as usize] = at;
        }
        row.iter().for_each(|&v| x[v as usize] -= at / 2.0);
    }
    let count = rows.rows.len();
    let mut fit = Fit::default();
    let rounds = if breadth.len() < MANY { ROUNDS } else { ROUNDS / 2 };
    for round in 0..rounds {
        let last = round + 4 >= rounds;
        let sides: &[usize] = match (last, round % 2) {
            (true, _) => &[0, 1],
            (_, 0) => &[0],
            _ => &[1],
        };
        for i in 0..count {
            let r = if round % 2 == 0 { i } else { count - 1 - i };
            fit.row(&rows.rows[r], breadth, &mut x, |v, x| {
                let (mut sum, mut weight) = (0.0, 0.0);
                for &side in sides {
                    for pull in pulls[side].of(v as usize) {
                        sum += (x[pull.node as usize] + pull.offset) * pull.weight;
                        weight += pull.weight;
                    }
                }
                if weight > 0.0 { (sum / weight, weight) } else { (x[v as usize], 0.05) }
            });
        }
    }
    x
}

const ROUNDS: usize = 24;
/// From this many nodes and bends on half as many have to do.
const MANY: usize = 12_000;

fn distance(breadth: &[Breadth], a: u32, b: u32) -> f32 {
    let (a, b) = (breadth[a as usize], breadth[b as usize]);
    a.right + b.left + if a.bend || b.bend { GAP_BEND } else { GAP }
}

/// Buffers of one row's placement.
#[derive(Default)]
struct Fit {
    /// Pooled runs: sum of weighted wishes, weight, nodes.
    pools: Vec<(f64, f64, usize)>,
    shift: Vec<f32>,
}

impl Fit {
    fn row(
        &mut self,
        row: &[u32],
        breadth: &[Breadth],
        x: &mut [f32],
        wish: impl Fn(u32, &[f32]) -> (f32, f32),
    ) {
        self.pools.clear();
        self.shift.clear();
        let mut shift = 0.0;
        for (i, &v) in row.iter().enumerate() {
            if i > 0 {
                shift += distance(breadth, row[i - 1], v);
            }
            self.shift.push(shift);
            let (at, weight) = wish(v, x);
            let mut pool = (f64::from(at - shift) * f64::from(weight), f64::from(weight), 1);
            while let Some(&(sum, weight, nodes)) = self.pools.last() {
                if sum / weight <= pool.0 / pool.1 {
                    break;
                }
                self.pools.pop();
                pool = (sum + pool.0, weight + pool.1, nodes + pool.2);
            }
            self.pools.push(pool);
        }
        let mut i = 0;
        for &(sum, weight, nodes) in &self.pools {
            for _ in 0..nodes {
                x[row[i] as usize] = (sum / weight) as f32 + self.shift[i];
                i += 1;
            }
        }
    }
}
