//! Calls that are made once and were laid where others now lack room, moved to zones that nothing else can fill.
//!
//! A function that spends nothing itself, such as Python's `exec`, must be filled by what it calls; a call that fits
//! there may have been laid deeper, where functions that could fill its place now have none.

use super::lay::{Laying, NONE};
use super::settle::Balance;

/// Zones that are filled.
const MOST_ZONES: usize = 200;
/// Calls that are moved to one zone.
const MOST_MOVES: usize = 50;
/// What is this much larger than the rest still fits.
const TOLERANCE: f64 = 0.01;

/// Moves calls. False when there is none to move.
pub fn relieve(laying: &mut Laying<'_>, balance: &Balance) -> bool {
    let cycle = laying.cycle;
    // Calls that are made once, by caller, largest first.
    let mut calls: Vec<Vec<u32>> = vec![Vec::new(); cycle.own.len()];
    for (i, node) in (0u32..).zip(&laying.nodes).filter(|(_, n)| n.link != NONE) {
        let link = &cycle.links[node.link as usize];
        if link.once && node.parent != NONE && balance.rest[zone_of(laying, node.parent)] < balance.least {
            calls[link.from as usize].push(i);
        }
    }
    for list in &mut calls {
        list.sort_by(|&a, &b| total(laying, b).total_cmp(&total(laying, a)).then(a.cmp(&b)));
    }
    // Zones whose functions could spend more than they have room for.
    let mut short = vec![false; laying.zones.len()];
    for term in &laying.terms {
        let function = laying.nodes[term.node as usize].function;
        short[zone_of(laying, term.node)] |= balance.lacking[function as usize] > 0.0;
    }
    let mut any = false;
    for zone in balance.open(MOST_ZONES) {
        let mut rest = balance.rest[zone as usize];
        for place in laying.zones[zone as usize].places.clone() {
            let from = laying.nodes[place as usize].function as usize;
            let mut moved = 0;
            for &call in &calls[from] {
                if rest < balance.least || moved == MOST_MOVES {
                    break;
                }
                let cost = total(laying, call);
                let donor = zone_of(laying, laying.nodes[call as usize].parent);
                if cost > rest * (1.0 + TOLERANCE) || !short[donor] || !laying.can_move(call, place) {
                    continue;
                }
                laying.relocate(call, place);
                (rest, moved, any) = (rest - cost, moved + 1, true);
            }
        }
    }
    any
}

fn total(laying: &Laying<'_>, node: u32) -> f64 {
    laying.nodes[node as usize].total
}

fn zone_of(laying: &Laying<'_>, node: u32) -> usize {
    laying.nodes[node as usize].zone as usize
}
