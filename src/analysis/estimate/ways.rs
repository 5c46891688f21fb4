//! Ways on for zones that cannot be filled by their own functions: by recursive calls, to functions that have not spent
//! all that is recorded.

use std::collections::BinaryHeap;

use super::lay::{Laying, NONE, Term};
use super::settle::Balance;

/// Zones that are led on at a time.
const MOST_ZONES: usize = 10_000;
/// A step to a function on the path above costs this much …
const RECURSION: f64 = 0.1;
/// … one to any other 1, to one whose recorded total is used up this much, and no way may cost more …
const FAR: f64 = 3.0;
/// … or this much, where it may go far.
const VERY_FAR: f64 = 12.0;

/// Adds ways from zones that are not filled to functions that have not spent all. False when there is none.
pub fn lead_on(laying: &mut Laying<'_>, balance: &Balance, far: bool) -> bool {
    let mut ways = Ways::new(laying.cycle.own.len(), if far { VERY_FAR } else { FAR });
    let mut any = false;
    for zone in balance.open(MOST_ZONES) {
        let rest = balance.rest[zone as usize];
        let found = ways.search(laying, laying.zones[zone as usize].top, rest, balance);
        any |= !found.is_empty();
        ways.lay(laying, zone, &found, &balance.lacking);
    }
    any
}

/// The cheapest ways from a node to functions of the cycle (Dijkstra).
struct Ways {
    /// Cost of the way and the link that it ends with, by function.
    reached: Vec<(f64, u32)>,
    /// Which functions were reached, and are settled or on the path above, in this search.
    touched: Vec<u32>,
    done: Vec<bool>,
    above: Vec<bool>,
    /// Most that a way may cost.
    most: f64,
}

#[derive(PartialEq)]
struct Step(f64, u32);

impl Eq for Step {}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
    }
}

impl Ways {
    fn new(functions: usize, most: f64) -> Self {
        Self {
            reached: vec![(f64::INFINITY, NONE); functions],
            touched: Vec::new(),
            done: vec![false; functions],
            above: vec![false; functions],
            most,
        }
    }

    /// Functions that lack cost, as many as fill the rest, with the costs of the ways.
    fn search(&mut self, laying: &Laying<'_>, top: u32, rest: f64, balance: &Balance) -> Vec<(u32, f64)> {
        let (cycle, lacking) = (laying.cycle, &balance.lacking);
        for f in self.touched.drain(..) {
            (self.reached[f as usize], self.done[f as usize]) = ((f64::INFINITY, NONE), false);
        }
        let path = |at: &u32| Some(laying.nodes[*at as usize].parent).filter(|&p| p != NONE);
        let above: Vec<u32> =
            std::iter::successors(Some(top), path).map(|n| laying.nodes[n as usize].function).collect();
        above.iter().for_each(|&f| self.above[f as usize] = true);
        let start = laying.nodes[top as usize].function;
        self.reached[start as usize].0 = 0.0;
        self.touched.push(start);
        let mut heap = BinaryHeap::from([Step(0.0, start)]);
        let (mut found, mut filled) = (Vec::new(), 0.0);
        while let Some(Step(way, function)) = heap.pop() {
            let f = function as usize;
            if std::mem::replace(&mut self.done[f], true) {
                continue;
            }
            if lacking[f] > 0.0 && way > 0.0 {
                found.push((function, way));
                filled += lacking[f];
            }
            if way > self.most || filled > 3.0 * rest && found.len() > 2 {
                break;
            }
            for l in cycle.links_of(f) {
                let link = &cycle.links[l];
                // A call that was made once stands somewhere already.
                if !link.is_inside() || link.once && !link.again {
                    continue;
                }
                let to = link.to as usize;
                let step = match (self.above[to], cycle.recursive[to]) {
                    (true, false) => continue,
                    (true, true) => RECURSION,
                    (false, _) if laying.allowed[to] < rest.min(100.0 * balance.least) => FAR,
                    (false, _) => 1.0,
                };
                if way + step < self.reached[to].0 {
                    self.reached[to] = (way + step, l as u32);
                    self.touched.push(link.to);
                    heap.push(Step(way + step, link.to));
                }
            }
        }
        above.iter().for_each(|&f| self.above[f as usize] = false);
        found
    }

    /// Adds the ways as nodes of the zone, with what their ends spend.
    fn lay(&self, laying: &mut Laying<'_>, zone: u32, found: &[(u32, f64)], lacking: &[f64]) {
        let cycle = laying.cycle;
        let top = laying.zones[zone as usize].top;
        let start = laying.nodes[top as usize].function;
        let mut node_of: Vec<(u32, u32)> = vec![(start, top)];
        for &(function, way) in found {
            let mut steps = Vec::new();
            let mut at = function;
            let mut node = loop {
                if let Some(known) = node_of.iter().find(|k| k.0 == at) {
                    break known.1;
                }
                let link = self.reached[at as usize].1;
                steps.push(link);
                at = cycle.links[link as usize].from;
            };
            for link in steps.into_iter().rev() {
                node = laying.add_expected(cycle.links[link as usize].to, link, node, zone);
                node_of.push((cycle.links[link as usize].to, node));
            }
            let f = function as usize;
            let share = RECURSION * lacking[f] * (-way).exp() / cycle.spread[f].max(1e-9);
            laying.terms.push(Term { node, link: NONE, weight: cycle.own[f] * share });
            for l in cycle.links_of(f).filter(|&l| !cycle.links[l].is_inside() && !cycle.links[l].once) {
                laying.terms.push(Term { node, link: l as u32, weight: cycle.links[l].cost * share });
            }
        }
    }
}
