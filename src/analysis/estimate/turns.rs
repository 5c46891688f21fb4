//! Small parts of small places, which stand at some of the places for all of them.
//!
//! A function at thousands of places does everything that it does at each of them only in sum. Each place gives what
//! its small parts cost together to those that lack most (as weighted round robin does), so that all have theirs in the end.

use super::flow::Flow;
use super::lay::NONE;

/// Parts below this share of what is shown take turns …
const SMALL: f64 = 1e-4;
/// … unless the place has this much of all that there is of them.
const MUCH: f64 = 0.1;

/// What a function does at a place: it spends something itself ([`NONE`]), or calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item {
    /// The call, or [`NONE`].
    pub call: u32,
    /// Node of the paths of a cycle; [`NONE`] outside of cycles.
    pub at: u32,
    /// Cost at this place.
    pub cost: f64,
    /// Cost at all places.
    pub all: f64,
}

/// What small parts should have had at the places so far, less what they had.
pub struct Turns {
    own: Vec<f64>,
    calls: Vec<f64>,
}

impl Turns {
    /// Nobody lacks anything.
    pub fn new(flow: &Flow) -> Self {
        Self { own: vec![0.0; flow.own.len()], calls: vec![0.0; flow.calls.len()] }
    }

    fn of(&mut self, node: usize, call: u32) -> &mut f64 {
        if call == NONE { &mut self.own[node] } else { &mut self.calls[call as usize] }
    }

    /// Gives what the small parts of a place cost together to those that lack most, in pieces that are not small.
    pub fn take(&mut self, node: usize, items: &mut Vec<Item>, whole: f64) {
        let small = SMALL * whole;
        let takes_turn = |i: &Item| i.cost >= 0.0 && i.cost < small && i.cost < MUCH * i.all;
        let mut waiting: Vec<usize> = (0..items.len()).filter(|&i| takes_turn(&items[i])).collect();
        let mut left = 0.0;
        for &i in &waiting {
            let cost = std::mem::take(&mut items[i].cost);
            *self.of(node, items[i].call) += cost;
            left += cost;
        }
        waiting.sort_by(|&a, &b| {
            let (a_lacks, b_lacks) = (*self.of(node, items[a].call), *self.of(node, items[b].call));
            b_lacks.total_cmp(&a_lacks).then(a.cmp(&b))
        });
        for i in waiting {
            let lacks = self.of(node, items[i].call);
            let cost = if left < 1.5 * small { left } else { lacks.max(small).min(left) };
            *lacks -= cost;
            left -= cost;
            items[i].cost = cost;
            if left <= 0.0 {
                break;
            }
        }
        items.retain(|i| i.cost != 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_theirs_in_the_end() {
        let mut turns = Turns { own: vec![0.0], calls: vec![0.0; 2] };
        let item = |call, cost| Item { call, at: NONE, cost, all: 1e9 };
        let mut had = [0.0; 3];
        for _ in 0..1000 {
            // Half, a third and the rest of a place of 30, where 100 is small.
            let mut items = vec![item(NONE, 15.0), item(0, 10.0), item(1, 5.0), item(7, 1e6)];
            turns.take(0, &mut items, 1e6);
            assert_eq!(items.len(), 2);
            for i in items.iter().filter(|i| i.call != 7) {
                had[if i.call == NONE { 0 } else { 1 + i.call as usize }] += i.cost;
            }
        }
        assert_eq!(had.iter().sum::<f64>(), 30_000.0);
        for (had, right) in had.iter().zip([15_000.0, 10_000.0, 5_000.0]) {
            assert!((had - right).abs() <= 60.0, "{had}, not {right}");
        }
        // What is all of its kind stays where it is.
        let mut items = vec![Item { call: 0, at: NONE, cost: 3.0, all: 3.0 }, item(1, 2.0)];
        turns.take(0, &mut items, 1e6);
        assert_eq!(items[0].cost, 3.0);
    }
}
