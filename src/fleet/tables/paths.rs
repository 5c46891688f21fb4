//! The call paths with the largest own cost, and all that lead to them.

use std::cmp::Reverse;

use super::Making;
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::tree_costs::TreeCosts;
use crate::fleet::frame::{Cell, Frame};
use crate::fleet::schema::PATHS;
use crate::fleet::stable::Stable;

/// So many paths of a run are kept.
const MOST: usize = 1_000;
/// A path that is longer is kept without what stands below.
const DEEPEST: u32 = 256;

/// Parents before their children, so that a reader needs one pass.
pub(super) fn frame(making: &Making<'_>, costs: &TreeCosts) -> Frame {
    let nodes = &costs.tree.nodes;
    let mut heavy: Vec<u32> = (0..nodes.len() as u32)
        .filter(|&n| nodes[n as usize].depth < DEEPEST && costs.own[n as usize] > 0)
        .collect();
    let size = |n: &u32| (Reverse(costs.own[*n as usize]), *n);
    if heavy.len() > MOST {
        heavy.select_nth_unstable_by_key(MOST, size);
        heavy.truncate(MOST);
    }
    let mut kept = vec![false; nodes.len()];
    for node in heavy {
        for node in costs.tree.ancestors(node) {
            if std::mem::replace(&mut kept[node as usize], true) {
                break;
            }
        }
    }
    let mut frame = Frame::new(&PATHS);
    let mut ids = vec![0u64; nodes.len()];
    for (at, node) in nodes.iter().enumerate().filter(|(at, _)| kept[*at]) {
        let function = making.ids[node.symbol.function().index()];
        let parent = (node.parent != NO_NODE).then(|| ids[node.parent as usize]);
        ids[at] = Stable::default().number(parent.unwrap_or(0)).number(function).value();
        frame.row(&[
            making.run_id.into(),
            making.rank.into(),
            ids[at].into(),
            parent.into(),
            node.depth.into(),
            function.into(),
            costs.count(at as u32).map_or(Cell::None, Cell::from),
            costs.own[at].into(),
            costs.total[at].into(),
        ]);
    }
    frame
}
