//! What functions of a cycle spend themselves, spread over their places: so that each zone is filled and each
//! function spends what is recorded (iterative proportional fitting, Deming and Stephan 1940).

use super::cycle::{Cycle, OUTSIDE};
use super::lay::{Laid, Laying, NONE, Term};
use super::{moves, ways};
use crate::model::lists::Lists;

/// Most rounds of fitting …
const SWEEPS: usize = 30;
/// … fewer when zones are this close to what they should have, as a share of the whole …
const CLOSE: f64 = 1e-5;
/// … or a round leaves more than this of what was off before.
const GAIN: f64 = 0.995;
/// Times that zones are led on; the later half goes far, if it may.
const ROUNDS: usize = 6;
/// Zones and functions that lack less than this share of the whole are well enough.
const ENOUGH: f64 = 1e-6;

/// A node of a cycle's paths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// The function of the cycle, or [`OUTSIDE`].
    pub function: u32,
    /// The link to it, or [`NONE`] for an entry; entries come first, in their order.
    pub link: u32,
    /// The node above, or [`NONE`].
    pub parent: u32,
    /// Cost.
    pub total: f64,
    /// Own cost; of a call out of the cycle 0.
    pub own: f64,
}

/// Paths of a cycle.
#[derive(Clone, Debug, Default)]
pub struct Skeleton {
    /// The nodes. What a node's own cost and its children leave of its total has no place.
    pub nodes: Vec<Node>,
}

impl Skeleton {
    /// The paths that were laid out, with costs.
    pub fn of(mut laying: Laying<'_>) -> Self {
        let mut weights = fitted(&laying);
        let balance = Balance::of(&laying, &weights);
        if moves::relieve(&mut laying, &balance) {
            weights = fitted(&laying);
        }
        for round in 0..ROUNDS {
            let far = round >= ROUNDS / 2;
            let balance = Balance::of(&laying, &weights);
            if far && !laying.strategy.far || !ways::lead_on(&mut laying, &balance, far) {
                break;
            }
            weights = fitted(&laying);
        }
        let node = |n: &Laid| Node {
            function: n.function,
            link: n.link,
            parent: n.parent,
            total: if n.function == OUTSIDE { n.total } else { 0.0 },
            own: 0.0,
        };
        let mut nodes: Vec<Node> = laying.nodes.iter().map(node).collect();
        let mut filled = vec![0.0; laying.zones.len()];
        for (term, &cost) in laying.terms.iter().zip(&weights) {
            filled[laying.nodes[term.node as usize].zone as usize] += cost;
            if term.link == NONE {
                nodes[term.node as usize].own += cost;
            } else if cost > 0.0 {
                nodes.push(Node {
                    function: OUTSIDE,
                    link: term.link,
                    parent: term.node,
                    total: cost,
                    own: 0.0,
                });
            }
        }
        for (zone, filled) in laying.zones.iter().zip(filled) {
            nodes[zone.top as usize].total += (zone.left - filled).max(0.0);
        }
        let mut skeleton = Self { nodes };
        skeleton.add_up();
        skeleton
    }

    /// Adds own costs and totals up, from the ends of paths.
    fn add_up(&mut self) {
        let children = self.children();
        let mut order: Vec<u32> = children.of(self.nodes.len()).to_vec();
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            order.extend(children.of(node as usize));
            next += 1;
        }
        for &i in order.iter().rev() {
            let node = &mut self.nodes[i as usize];
            node.total += node.own;
            let (parent, total) = (node.parent, node.total);
            if parent != NONE {
                self.nodes[parent as usize].total += total;
            }
        }
    }

    /// Nodes by the node above; those of the entries come last.
    pub fn children(&self) -> Lists<u32> {
        let n = self.nodes.len() as u32;
        Lists::by(n as usize + 1, self.nodes.iter().map(|node| node.parent.min(n)))
    }

    /// Own costs and those of calls out of the cycle.
    pub fn placed(&self) -> f64 {
        self.nodes.iter().map(|n| if n.function == OUTSIDE { n.total } else { n.own }).sum()
    }

    /// Totals of the outermost nodes of each function.
    pub fn outermost(&self, functions: usize) -> Vec<f64> {
        let (children, n) = (self.children(), self.nodes.len());
        let (mut total, mut open) = (vec![0.0; functions], vec![0u32; functions]);
        // Nodes on the way down, and (marked) on the way up.
        let mut ways: Vec<(u32, bool)> = children.of(n).iter().map(|&c| (c, false)).collect();
        while let Some((node, done)) = ways.pop() {
            let Node { function, total: cost, .. } = self.nodes[node as usize];
            let Some(here) = open.get_mut(function as usize) else { continue };
            if done {
                *here -= 1;
                continue;
            }
            if *here == 0 {
                total[function as usize] += cost;
            }
            *here += 1;
            ways.push((node, true));
            ways.extend(children.of(node as usize).iter().map(|&c| (c, false)));
        }
        total
    }
}

/// The number of what a term spends: of functions first, of links after them.
fn column(laying: &Laying<'_>, term: &Term) -> usize {
    match term.link {
        NONE => laying.nodes[term.node as usize].function as usize,
        link => laying.cycle.own.len() + link as usize,
    }
}

fn target(cycle: &Cycle, column: usize) -> f64 {
    cycle.own.get(column).copied().unwrap_or_else(|| cycle.links[column - cycle.own.len()].cost)
}

/// Costs of the terms.
fn fitted(laying: &Laying<'_>) -> Vec<f64> {
    let cycle = laying.cycle;
    let columns: Vec<u32> = laying.terms.iter().map(|t| column(laying, t) as u32).collect();
    let rows: Vec<u32> = laying.terms.iter().map(|t| laying.nodes[t.node as usize].zone).collect();
    let mut weights: Vec<f64> = laying.terms.iter().map(|t| t.weight).collect();
    let targets: Vec<f64> = (0..cycle.own.len() + cycle.links.len()).map(|c| target(cycle, c)).collect();
    let left: Vec<f64> = laying.zones.iter().map(|z| z.left.max(0.0)).collect();
    let (mut by_column, mut by_row) = (vec![0.0; targets.len()], vec![0.0; left.len()]);
    columns.iter().zip(&weights).for_each(|(&c, w)| by_column[c as usize] += w);
    let factors = |sums: &mut [f64], wanted: &[f64], most: f64| {
        for (sum, wanted) in sums.iter_mut().zip(wanted) {
            *sum = if *sum > 0.0 { (wanted / *sum).min(most) } else { 1.0 };
        }
    };
    // Scales by one side and adds up by the other one.
    let scale = |weights: &mut [f64], places: &[u32], factors: &[f64], others: &[u32], sums: &mut [f64]| {
        sums.fill(0.0);
        for ((weight, &place), &other) in weights.iter_mut().zip(places).zip(others) {
            *weight *= factors[place as usize];
            sums[other as usize] += *weight;
        }
    };
    let (mut last, mut off_before) = (false, f64::INFINITY);
    for sweep in 0..SWEEPS {
        factors(&mut by_column, &targets, f64::INFINITY);
        scale(&mut weights, &columns, &by_column, &rows, &mut by_row);
        let off: f64 = by_row.iter().zip(&left).map(|(sum, left)| (sum - left).abs()).sum();
        // In the end neither a function nor a zone has more than it should.
        last |= sweep + 1 == SWEEPS;
        factors(&mut by_row, &left, if last { 1.0 } else { f64::INFINITY });
        scale(&mut weights, &rows, &by_row, &columns, &mut by_column);
        if last {
            break;
        }
        last = off < CLOSE * cycle.whole || off > GAIN * off_before;
        off_before = off;
    }
    weights
}

/// What is still to be done.
pub struct Balance {
    /// What each zone cannot fill, above the smallest.
    pub rest: Vec<f64>,
    /// What each function has not spent, above the smallest.
    pub lacking: Vec<f64>,
    /// What is worth a change.
    pub least: f64,
}

impl Balance {
    fn of(laying: &Laying<'_>, weights: &[f64]) -> Self {
        let cycle = laying.cycle;
        let functions = cycle.own.len();
        let mut spent = vec![0.0; functions + cycle.links.len()];
        let mut rest: Vec<f64> = laying.zones.iter().map(|z| z.left).collect();
        for (term, &cost) in laying.terms.iter().zip(weights) {
            spent[column(laying, term)] += cost;
            rest[laying.nodes[term.node as usize].zone as usize] -= cost;
        }
        let least = ENOUGH * cycle.whole;
        let lacks = |f: usize| {
            let leaving = cycle.links_of(f).filter(|&l| !cycle.links[l].is_inside() && !cycle.links[l].once);
            let leaving: f64 = leaving.map(|l| cycle.links[l].cost - spent[functions + l]).sum();
            let lack = cycle.own[f] - spent[f] + leaving;
            if lack > least { lack } else { 0.0 }
        };
        Self { lacking: (0..functions).map(lacks).collect(), rest, least }
    }

    /// Zones with a rest that is worth a change, largest first.
    pub fn open(&self, most: usize) -> Vec<u32> {
        let mut open: Vec<u32> =
            (0u32..).zip(&self.rest).filter(|r| *r.1 > 10.0 * self.least).map(|r| r.0).collect();
        let rest = |z: u32| self.rest[z as usize];
        open.sort_by(|&a, &b| rest(b).total_cmp(&rest(a)).then(a.cmp(&b)));
        open.truncate(most);
        open
    }
}
