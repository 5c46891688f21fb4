//! The rows of the tree, top-down or bottom-up, as the table needs them.

use crate::model::Profile;
use std::sync::Arc;

use crate::analysis::TreeCosts;
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::columns::call_tree::TreeLine;
use crate::analysis::expansion::PathKey;
use crate::analysis::gaps::Gap;
use crate::analysis::inverted::InvertedRows;
use crate::analysis::path::Symbol;
use crate::analysis::tree_rows::TreeRows;
use crate::model::{Basis, FunctionId};
use crate::state::Item;

/// Rows of one of both trees.
#[derive(Clone)]
pub enum List {
    /// Callees under their callers.
    Down(Arc<TreeRows>),
    /// Callers under who spent the cost.
    Up(Arc<InvertedRows>, Arc<TreeCosts>),
}

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub says: TreeLine,
    /// Names the row.
    pub key: PathKey,
    /// Node of the call tree; `None` bottom-up, where a row stands for many.
    pub node: Option<u32>,
    /// True when it can be opened.
    pub has_children: bool,
    /// True when it is open.
    pub expanded: bool,
    /// True when the search finds it.
    pub matches: bool,
}

impl List {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Down(list) => list.rows.len(),
            Self::Up(list, _) => list.rows.len(),
        }
    }

    /// True when both are one answer.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Down(a), Self::Down(b)) => Arc::ptr_eq(a, b),
            (Self::Up(a, _), Self::Up(b, _)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The costs of the call tree behind it.
    pub fn costs(&self) -> &Arc<TreeCosts> {
        match self {
            Self::Down(list) => &list.costs,
            Self::Up(_, costs) => costs,
        }
    }

    /// What the numbers rest on.
    pub fn basis(&self) -> &Basis {
        &self.costs().tree.basis
    }

    /// How many matches there are, and what they cost.
    pub fn matched(&self) -> Option<(usize, i64)> {
        match self {
            Self::Down(list) => list.matched,
            Self::Up(list, _) => list.matched,
        }
    }

    /// True when there are more rows than are listed.
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Down(list) => list.cut,
            Self::Up(list, _) => list.cut,
        }
    }

    /// Row number `row`.
    pub fn line(&self, row: usize) -> Line {
        match self {
            Self::Down(list) => {
                let (r, costs) = (list.rows[row], &list.costs);
                if let Some(gap) = r.gap {
                    return gap_line(list, row, gap);
                }
                let i = r.node as usize;
                let node = costs.tree.nodes[i];
                let above = if node.parent == NO_NODE {
                    costs.whole.total
                } else {
                    costs.total[node.parent as usize]
                };
                let says = TreeLine {
                    symbol: node.symbol,
                    gap: None,
                    depth: node.depth,
                    total: costs.total[i],
                    above,
                    own: Some(costs.own[i]),
                    count: costs.count(r.node),
                    unfinished: costs.unfinished.get(i).copied().unwrap_or(0),
                };
                Line {
                    says,
                    key: costs.tree.keys[i],
                    node: Some(r.node),
                    has_children: r.has_children,
                    expanded: r.expanded,
                    matches: r.matches,
                }
            }
            Self::Up(list, costs) => {
                let r = list.rows[row];
                let above =
                    if r.parent == NO_NODE { costs.whole.own } else { list.rows[r.parent as usize].cost };
                let says = TreeLine {
                    symbol: r.symbol,
                    gap: None,
                    depth: r.depth,
                    total: r.cost,
                    above,
                    own: (r.depth == 0).then_some(r.cost),
                    count: r.count,
                    unfinished: r.unfinished,
                };
                Line {
                    says,
                    key: r.key,
                    node: None,
                    has_children: r.has_children,
                    expanded: r.expanded,
                    matches: r.matches,
                }
            }
        }
    }

    /// Functions of a row's path, outermost caller first.
    pub fn path(&self, row: usize) -> Vec<FunctionId> {
        match self {
            Self::Down(list) if list.rows[row].node == NO_NODE => Vec::new(),
            Self::Down(list) => list.costs.tree.path(list.rows[row].node),
            Self::Up(list, _) => list.path(row as u32),
        }
    }

    /// What a click on a row selects: its path, or bottom-up, where a row stands for many, its function.
    pub fn item(&self, row: usize, profile: &Profile) -> Item {
        match self {
            Self::Down(_) => Item::of_path(&self.path(row), profile),
            Self::Up(list, _) => Item::of_function(list.rows[row].symbol.function(), profile),
        }
    }

    /// The row above in the tree.
    pub fn parent(&self, row: usize) -> Option<usize> {
        match self {
            Self::Up(list, _) => Some(list.rows[row].parent).filter(|&p| p != NO_NODE).map(|p| p as usize),
            Self::Down(list) => (0..row).rev().find(|&r| list.depth(r) < list.depth(row)),
        }
    }

    /// The row with a name.
    pub fn find(&self, key: PathKey) -> Option<usize> {
        (0..self.len()).find(|&row| match self {
            Self::Down(list) => list.key(row) == key,
            Self::Up(list, _) => list.rows[row].key == key,
        })
    }

    /// Symbols of a bottom-up row from its root to it.
    pub fn symbols_up(&self, row: usize) -> Vec<Symbol> {
        let Self::Up(list, _) = self else { return Vec::new() };
        let above = |&r: &usize| Some(list.rows[r].parent as usize).filter(|&p| p != NO_NODE as usize);
        let mut symbols: Vec<_> =
            std::iter::successors(Some(row), above).map(|r| list.rows[r].symbol).collect();
        symbols.reverse();
        symbols
    }
}

/// The row of what is in no other row.
fn gap_line(list: &TreeRows, row: usize, gap: Gap) -> Line {
    let (costs, node) = (&list.costs, list.rows[row].node);
    let around = costs.tree.nodes.get(node as usize);
    let cost = costs.gaps.as_ref().map_or(0, |gaps| gaps.cost(around.map(|_| node), gap));
    let says = TreeLine {
        symbol: around.or(costs.tree.nodes.first()).map_or(Symbol::Function(FunctionId(0)), |n| n.symbol),
        gap: Some(gap),
        depth: list.depth(row),
        total: cost,
        above: costs.total.get(node as usize).copied().unwrap_or(costs.whole.total),
        own: None,
        count: None,
        unfinished: 0,
    };
    Line { says, key: list.key(row), node: None, has_children: false, expanded: false, matches: false }
}
