//! The visible rows of a call tree: what is expanded, sorted, filtered.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::call_tree::{CallTree, NO_NODE};
use super::scope::{Scope, TimeRange};
use super::search::Pattern;
use super::tree_costs::{Costs, TreeCosts};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, MetricId};
use crate::query::{Context, Query};

/// How siblings are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Order {
    /// Largest total first.
    #[default]
    Total,
    /// Largest own cost first.
    Own,
    /// Most calls or samples first.
    Count,
    /// By name.
    Name,
    /// As they first happened.
    Appearance,
}

/// A path of functions, root first: names a row across revisions of its tree.
pub type Path = Vec<FunctionId>;

/// One visible row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// The node.
    pub node: u32,
    /// Indentation.
    pub depth: u32,
    /// True when it has children.
    pub has_children: bool,
    /// True when they are shown.
    pub expanded: bool,
    /// True when the row itself matches the search.
    pub matches: bool,
}

/// The visible rows, top to bottom.
#[derive(Clone, Debug)]
pub struct TreeRows {
    /// Costs that the rows show.
    pub costs: Arc<TreeCosts>,
    /// The rows.
    pub rows: Vec<TreeRow>,
    /// Sum of costs of outermost matching nodes; `None` without a search.
    pub matched: Option<i64>,
}

/// Computes the [`TreeRows`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rows {
    /// Which tree and costs.
    pub costs: Costs,
    /// Order of siblings.
    pub order: Order,
    /// Expanded paths.
    pub expanded: BTreeSet<Path>,
    /// Search text; rows without a match below or above are left out.
    pub search: String,
}

impl Rows {
    /// The rows with the heaviest path opened, as a first look.
    #[must_use]
    pub fn new(scope: Scope, metric: MetricId, range: TimeRange) -> Self {
        Self {
            costs: Costs { scope, metric, range },
            order: Order::default(),
            expanded: BTreeSet::new(),
            search: String::new(),
        }
    }
}

/// Nodes that have expanded children, found by walking the expanded paths.
fn expanded_nodes(tree: &CallTree, paths: &BTreeSet<Path>) -> Vec<bool> {
    let mut expanded = vec![false; tree.nodes.len()];
    for path in paths {
        if let Some(node) = tree.find(path) {
            expanded[node as usize] = true;
        }
    }
    expanded
}

/// The path from the heaviest root down, always into the heaviest child, while the child holds at
/// least half of its parent's total.
#[must_use]
pub fn heaviest_path(costs: &TreeCosts) -> Vec<u32> {
    let tree = &costs.tree;
    let mut path = Vec::new();
    let mut at = None;
    loop {
        let heaviest = tree.children(at).max_by_key(|&n| (costs.total[n as usize], std::cmp::Reverse(n)));
        let Some(next) = heaviest else { break };
        let floor = at.map_or(0, |a: u32| costs.total[a as usize] / 2);
        if at.is_some() && costs.total[next as usize] < floor.max(1) {
            break;
        }
        path.push(next);
        at = Some(next);
    }
    path
}

impl Query for Rows {
    type Output = TreeRows;

    fn run(&self, cx: &Context<'_>) -> Result<TreeRows, Cancelled> {
        let costs = cx.get(&self.costs)?;
        let tree = costs.tree.clone();
        let profile = cx.profile().clone();
        let pattern = Pattern::new(&self.search);
        let expanded = expanded_nodes(&tree, &self.expanded);
        let n = tree.nodes.len();
        let mut matches = Vec::new();
        let mut shown = Vec::new();
        let mut matched = None;
        if let Some(pattern) = &pattern {
            let by_function = pattern.functions(&profile);
            matches =
                (0..n).map(|i| by_function[tree.nodes[i].symbol.function().index()]).collect::<Vec<_>>();
            shown = matches.clone();
            for i in (0..n).rev() {
                let parent = tree.nodes[i].parent;
                if shown[i] && parent != NO_NODE {
                    shown[parent as usize] = true;
                }
            }
            matched = Some(outermost_sum(&costs, &matches));
        }
        let mut rows = Vec::new();
        let mut stack: Vec<u32> = Vec::new();
        let push_children = |node: Option<u32>, stack: &mut Vec<u32>| {
            let mut children: Vec<u32> =
                tree.children(node).filter(|&c| shown.is_empty() || shown[c as usize]).collect();
            let name = |c: u32| profile.function_name(tree.nodes[c as usize].symbol.function());
            match self.order {
                Order::Total => children.sort_by_key(|&c| std::cmp::Reverse(costs.total[c as usize])),
                Order::Own => children.sort_by_key(|&c| std::cmp::Reverse(costs.own[c as usize])),
                Order::Count => children.sort_by_key(|&c| std::cmp::Reverse(costs.count[c as usize])),
                Order::Name => children.sort_by(|&a, &b| name(a).cmp(name(b))),
                Order::Appearance => {}
            }
            stack.extend(children.into_iter().rev());
        };
        push_children(None, &mut stack);
        while let Some(node) = stack.pop() {
            if rows.len() % 4096 == 0 {
                cx.job().checkpoint(rows.len() as u64, 0)?;
            }
            let i = node as usize;
            // A search opens the way to each match.
            let open =
                expanded[i] || (!shown.is_empty() && tree.children(Some(node)).any(|c| shown[c as usize]));
            let has_children = tree.nodes[i].end > node + 1;
            rows.push(TreeRow {
                node,
                depth: tree.nodes[i].depth,
                has_children,
                expanded: open && has_children,
                matches: matches.get(i).copied().unwrap_or(false),
            });
            if open {
                push_children(Some(node), &mut stack);
            }
        }
        Ok(TreeRows { costs, rows, matched })
    }

    fn weight(rows: &TreeRows) -> usize {
        rows.rows.len() * size_of::<TreeRow>()
    }
}

/// Sum of totals of marked nodes that have no marked node above them.
#[must_use]
pub fn outermost_sum(costs: &TreeCosts, marked: &[bool]) -> i64 {
    let mut sum = 0i64;
    let mut i = 0;
    while i < marked.len() {
        if marked[i] {
            sum = sum.saturating_add(costs.total[i]);
            i = costs.tree.nodes[i].end as usize;
        } else {
            i += 1;
        }
    }
    sum
}
