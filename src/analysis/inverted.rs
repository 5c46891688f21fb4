//! The bottom-up tree: roots are functions with own cost, children are their callers.
//!
//! It can be much larger than the call tree, so only expanded rows are computed. The cost of a row is
//! the own cost of the root function over all paths that the row stands for.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::call_tree::NO_NODE;
use super::search::Pattern;
use super::tree_costs::Costs;
use super::tree_rows::Path;
use crate::jobs::Cancelled;
use crate::model::FunctionId;
use crate::query::{Context, Query};

/// One visible row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvertedRow {
    /// Functions from the root (who spent it) to this caller.
    pub path: Path,
    /// Own cost of the root function on all paths of this row.
    pub cost: i64,
    /// Spans or samples behind it.
    pub count: u64,
    /// True when it has callers.
    pub has_children: bool,
    /// True when they are shown.
    pub expanded: bool,
}

/// The visible rows, top to bottom.
#[derive(Clone, Debug)]
pub struct InvertedRows {
    /// The rows.
    pub rows: Vec<InvertedRow>,
    /// Sum of all own costs.
    pub sum: i64,
}

/// Computes the [`InvertedRows`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inverted {
    /// Which tree and costs.
    pub costs: Costs,
    /// Expanded paths, root first.
    pub expanded: BTreeSet<Path>,
    /// Search text over the roots.
    pub search: String,
}

/// Paths behind a row: (leaf node, node of the row's function).
type Behind = Vec<(u32, u32)>;

impl Query for Inverted {
    type Output = InvertedRows;

    fn run(&self, cx: &Context<'_>) -> Result<InvertedRows, Cancelled> {
        let costs = cx.get(&self.costs)?;
        let tree = &costs.tree;
        let function = |node: u32| tree.nodes[node as usize].symbol.function();
        let pattern = Pattern::new(&self.search).map(|p| p.functions(cx.profile()));
        let mut roots: FxHashMap<FunctionId, Behind> = FxHashMap::default();
        for node in 0..tree.nodes.len() as u32 {
            let f = function(node);
            let wanted = pattern.as_ref().is_none_or(|p| p[f.index()]);
            if wanted && (costs.own[node as usize] != 0 || costs.own_count[node as usize] != 0) {
                roots.entry(f).or_default().push((node, node));
            }
        }
        let mut rows = Vec::new();
        let mut stack: Vec<(Path, Behind)> = sorted(roots, &costs.own, &[]);
        while let Some((path, behind)) = stack.pop() {
            cx.job().checkpoint(rows.len() as u64, 0)?;
            let sum = |column: &[i64]| {
                behind.iter().fold(0i64, |s, &(leaf, _)| s.saturating_add(column[leaf as usize]))
            };
            let mut callers: FxHashMap<FunctionId, Behind> = FxHashMap::default();
            for &(leaf, at) in &behind {
                let parent = tree.nodes[at as usize].parent;
                if parent != NO_NODE {
                    callers.entry(function(parent)).or_default().push((leaf, parent));
                }
            }
            let expanded = self.expanded.contains(&path);
            rows.push(InvertedRow {
                cost: sum(&costs.own),
                count: behind.iter().map(|&(leaf, _)| costs.own_count[leaf as usize]).sum(),
                has_children: !callers.is_empty(),
                expanded: expanded && !callers.is_empty(),
                path: path.clone(),
            });
            if expanded {
                stack.extend(sorted(callers, &costs.own, &path));
            }
        }
        Ok(InvertedRows { rows, sum: costs.sum })
    }

    fn weight(rows: &InvertedRows) -> usize {
        rows.rows.iter().map(|r| 64 + r.path.len() * 4).sum()
    }
}

/// Groups as rows to push on the stack: the largest last.
fn sorted(groups: FxHashMap<FunctionId, Behind>, own: &[i64], above: &[FunctionId]) -> Vec<(Path, Behind)> {
    let mut groups: Vec<_> = groups
        .into_iter()
        .map(|(f, behind)| {
            let cost = behind.iter().fold(0i64, |s, &(leaf, _)| s.saturating_add(own[leaf as usize]));
            (cost, f, behind)
        })
        .collect();
    groups.sort_by_key(|(cost, f, _)| (*cost, std::cmp::Reverse(*f)));
    groups
        .into_iter()
        .map(|(_, f, behind)| {
            let mut path = above.to_vec();
            path.push(f);
            (path, behind)
        })
        .collect()
}
