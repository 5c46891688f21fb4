//! Totals of functions that call each other in circles.
//!
//! The costs of calls around a circle hold each other, so their sum counts the same cost several times: `even` that calls
//! `odd` that calls `even`. What is spent after entering the circle from outside is the most that any of its functions
//! can have, and what pstats records for one that is entered from there only.

use crate::model::cycles::components;
use crate::model::place_table::add;

/// Cuts the totals of functions in circles to what enters the circle from outside, or, where nothing does, to what the
/// circle and all that it calls cost. `totals` and `own` are rows of `stride` costs per function; `each` gives all calls
/// with their costs to its argument, as often as it is called. Returns which functions are in a circle.
pub(super) fn cut_to_entry(
    stride: usize,
    (totals, own): (&mut [i64], &[i64]),
    each: impl Fn(&mut dyn FnMut(u32, u32, &[i64])),
) -> Vec<bool> {
    let nodes = totals.len() / stride.max(1);
    let mut calls = Vec::new();
    each(&mut |caller, callee, _| calls.extend((caller != callee).then_some((caller, callee))));
    let found = components(nodes, calls.iter().copied());
    drop(calls);
    if found.count == nodes {
        return vec![false; nodes];
    }
    let mut members = vec![0u32; found.count];
    found.of.iter().for_each(|&c| members[c as usize] += 1);
    let circle = |node: u32| Some(found.of[node as usize] as usize).filter(|&c| members[c] > 1);
    let (mut entering, mut inside) = (vec![0i64; found.count * stride], vec![0i64; found.count * stride]);
    let mut entered = vec![false; found.count];
    each(&mut |caller, callee, costs| {
        let (from, to) = (found.of[caller as usize], found.of[callee as usize]);
        if from == to {
            return;
        }
        if let Some(c) = circle(callee) {
            entered[c] = true;
            add(&mut entering[c * stride..][..stride], costs);
        }
        if let Some(c) = circle(caller) {
            add(&mut inside[c * stride..][..stride], costs);
        }
    });
    for node in 0..nodes as u32 {
        if let Some(c) = circle(node) {
            add(&mut inside[c * stride..][..stride], &own[node as usize * stride..][..stride]);
        }
    }
    for node in 0..nodes as u32 {
        let Some(c) = circle(node) else { continue };
        let most = if entered[c] { &entering } else { &inside };
        for m in 0..stride {
            let at = node as usize * stride + m;
            totals[at] = totals[at].min(most[c * stride + m]).max(own[at]);
        }
    }
    (0..nodes as u32).map(|node| circle(node).is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(totals: &[i64], own: &[i64], calls: &[(u32, u32, i64)]) -> Vec<i64> {
        let mut totals = totals.to_vec();
        cut_to_entry(1, (&mut totals, own), |each| {
            calls.iter().for_each(|&(a, b, cost)| each(a, b, &[cost]));
        });
        totals
    }

    #[test]
    fn a_circle_costs_what_enters_it() {
        // main > even > odd > even.
        let calls = [(0, 1, 434), (1, 2, 431), (2, 1, 430)];
        assert_eq!(cut(&[440, 864, 431], &[6, 292, 142], &calls), [440, 434, 431]);
        // Entered at both ends: no more than both together.
        let calls = [(0, 1, 90), (0, 2, 10), (1, 2, 80), (2, 1, 70)];
        assert_eq!(cut(&[100, 160, 90], &[0, 50, 50], &calls), [100, 100, 90]);
        // Nobody enters it: its own costs and those of what it calls.
        let calls = [(0, 1, 500), (1, 0, 490), (1, 2, 30)];
        assert_eq!(cut(&[490, 500, 30], &[10, 20, 30], &calls), [60, 60, 30]);
        // A call of a function by itself is no circle here.
        assert_eq!(cut(&[9, 5], &[1, 1], &[(0, 0, 7), (0, 1, 5)]), [9, 5]);
    }
}
