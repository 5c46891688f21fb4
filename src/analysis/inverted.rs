//! The bottom-up tree: roots are functions with own cost, children are their callers.
//!
//! It can be much larger than the call tree, so only expanded rows are computed. The cost of a row is
//! the own cost of the root function over all paths that the row stands for, so the costs of the roots
//! add up to the whole, and the callers of a row to the row (less what had no caller).

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::call_tree::NO_NODE;
use super::expansion::{Expansion, PathKey};
use super::path::Symbol;
use super::search::Pattern;
use super::tree_costs::{Costs, TreeCosts};
use super::tree_rows::{MAX_ROWS, Order, Path, Sort};
use crate::jobs::Cancelled;
use crate::model::{Basis, Profile};
use crate::query::{Context, Query};

/// One visible row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvertedRow {
    /// The caller, or for a root who spent the cost.
    pub symbol: Symbol,
    /// Row of the called function, or [`NO_NODE`] for a root.
    pub parent: u32,
    /// 0 for a root.
    pub depth: u32,
    /// Names the row.
    pub key: PathKey,
    /// Own cost of the root function on all paths of this row.
    pub cost: i64,
    /// Samples behind it, or calls; `None` when neither was counted.
    pub count: Option<u64>,
    /// Calls of the root function behind it that had not ended.
    pub unfinished: u64,
    /// True when it has callers.
    pub has_children: bool,
    /// True when they are shown.
    pub expanded: bool,
    /// True when the row itself matches the search.
    pub matches: bool,
}

/// The visible rows, top to bottom.
#[derive(Clone, Debug)]
pub struct InvertedRows {
    /// The rows.
    pub rows: Vec<InvertedRow>,
    /// Sum of all own costs.
    pub sum: i64,
    /// Number of matching roots and the sum of their costs; `None` without a search.
    pub matched: Option<(usize, i64)>,
    /// What the numbers rest on.
    pub basis: Basis,
    /// True when there are more than [`MAX_ROWS`].
    pub cut: bool,
}

impl InvertedRows {
    /// Functions of a row's path, outermost caller first, as in the call tree.
    #[must_use]
    pub fn path(&self, row: u32) -> Path {
        let above = |&r: &u32| Some(self.rows[r as usize].parent).filter(|&p| p != NO_NODE);
        std::iter::successors(Some(row), above).map(|r| self.rows[r as usize].symbol.function()).collect()
    }
}

/// Computes the [`InvertedRows`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inverted {
    /// Which tree and costs.
    pub costs: Costs,
    /// Order of siblings.
    pub sort: Sort,
    /// Expanded rows.
    pub expanded: Expansion,
    /// Search text: roots that do not match are left out.
    pub search: String,
}

/// Rows to come that share a parent row.
struct Group {
    symbol: Symbol,
    cost: i64,
    count: Option<u64>,
    unfinished: u64,
    /// Paths behind it: (leaf node, node of the row's function).
    behind: Vec<(u32, u32)>,
}

/// Groups nodes by symbol, in reverse of the order in which they are listed: they are taken from the end.
fn grouped(
    nodes: impl Iterator<Item = (u32, u32)>,
    costs: &TreeCosts,
    sort: Sort,
    profile: &Profile,
) -> Vec<Group> {
    let tree = &costs.tree;
    let counted = !costs.calls.is_empty() || !costs.samples.is_empty();
    let of = |column: &[u64], node: u32| column.get(node as usize).copied().unwrap_or(0);
    let mut groups: Vec<Group> = Vec::new();
    let mut index: FxHashMap<(bool, u32), usize> = FxHashMap::default();
    for (leaf, at) in nodes {
        let symbol = tree.nodes[at as usize].symbol.uncounted();
        let group = *index.entry(symbol.key()).or_insert_with(|| {
            let count = counted.then_some(0);
            groups.push(Group { symbol, cost: 0, count, unfinished: 0, behind: Vec::new() });
            groups.len() - 1
        });
        let group = &mut groups[group];
        group.cost = group.cost.saturating_add(costs.own[leaf as usize]);
        // What was seen as a call is counted in calls, all else in samples.
        let (calls, samples) = (of(&costs.calls, leaf), of(&costs.samples, leaf));
        group.count = group.count.map(|c| c + if calls > 0 { calls } else { samples });
        group.unfinished += of(&costs.unfinished, leaf);
        group.behind.push((leaf, at));
    }
    match sort.by {
        Order::Total | Order::Own => groups.sort_by_key(|g| Reverse(g.cost)),
        Order::Count => groups.sort_by_key(|g| Reverse(g.count)),
        Order::Name => groups.sort_by(|a, b| a.symbol.label(profile).cmp(&b.symbol.label(profile))),
        Order::Appearance => {}
    }
    if !sort.reverse {
        groups.reverse();
    }
    groups
}

/// The heaviest root and its callers, always the heaviest one, while it holds at least half of the cost.
#[must_use]
pub fn heaviest_callers(costs: &TreeCosts, profile: &Profile) -> Vec<Symbol> {
    let tree = &costs.tree;
    let roots = (0..tree.nodes.len() as u32).map(|i| (i, i));
    let mut groups = grouped(roots, costs, Sort::default(), profile);
    let mut path = Vec::new();
    let mut least = i64::MIN;
    while let Some(group) = groups.pop().filter(|g| g.cost >= least) {
        path.push(group.symbol);
        least = (group.cost / 2).max(1);
        let callers = group.behind.iter().map(|&(leaf, at)| (leaf, tree.nodes[at as usize].parent));
        groups = grouped(callers.filter(|&(_, at)| at != NO_NODE), costs, Sort::default(), profile);
    }
    path
}

/// Names of the rows at and below the row whose path from its root is `path`, at most `limit`.
#[must_use]
pub fn keys_below(costs: &TreeCosts, path: &[Symbol], profile: &Profile, limit: usize) -> Vec<PathKey> {
    let tree = &costs.tree;
    let mut keys = rustc_hash::FxHashSet::default();
    let leaves = (0..tree.nodes.len() as u32).filter(|&n| path.first().is_some_and(|s| is(tree, n, *s)));
    for leaf in leaves {
        let begins = tree.ancestors(leaf).zip(path).filter(|&(n, s)| is(tree, n, *s)).count() == path.len();
        let mut key = PathKey::ROOT;
        for (i, node) in tree.ancestors(leaf).enumerate().take_while(|_| begins) {
            key = key.child(tree.nodes[node as usize].symbol.name(profile));
            if keys.len() >= limit {
                return keys.into_iter().collect();
            }
            if i + 1 >= path.len() {
                keys.insert(key);
            }
        }
    }
    keys.into_iter().collect()
}

fn is(tree: &super::CallTree, node: u32, symbol: Symbol) -> bool {
    tree.nodes[node as usize].symbol.key() == symbol.key()
}

impl Query for Inverted {
    type Output = InvertedRows;

    fn run(&self, cx: &Context<'_>) -> Result<InvertedRows, Cancelled> {
        let costs = cx.get(&self.costs)?;
        let (tree, profile) = (&costs.tree, cx.profile());
        let pattern = Pattern::new(&self.search).map(|p| p.functions(profile));
        let matches = |s: Symbol| pattern.as_ref().is_some_and(|p| p[s.function().index()]);
        let spent = |i: usize| {
            let counted = |column: &[u64]| column.get(i).is_some_and(|&c| c != 0);
            costs.own[i] != 0 || counted(&costs.calls) || counted(&costs.samples)
        };
        let roots = (0..tree.nodes.len())
            .filter(|&i| spent(i) && (pattern.is_none() || matches(tree.nodes[i].symbol)))
            .map(|i| (i as u32, i as u32));
        let roots = grouped(roots, &costs, self.sort, profile);
        let matched = pattern
            .as_ref()
            .map(|_| (roots.len(), roots.iter().fold(0i64, |sum, g| sum.saturating_add(g.cost))));
        let mut rows: Vec<InvertedRow> = Vec::new();
        let mut open: Vec<(u32, Group)> = roots.into_iter().map(|g| (NO_NODE, g)).collect();
        while let Some((parent, group)) = open.pop() {
            cx.job().checkpoint(rows.len() as u64, 0)?;
            let above = rows.get(parent as usize).map_or(PathKey::ROOT, |r| r.key);
            let depth = rows.get(parent as usize).map_or(0, |r| r.depth + 1);
            let caller = |&(leaf, at): &(u32, u32)| {
                let parent = tree.nodes[at as usize].parent;
                (parent != NO_NODE).then_some((leaf, parent))
            };
            let key = above.child(group.symbol.name(profile));
            let has_children = group.behind.iter().any(|b| caller(b).is_some());
            let expanded = has_children && self.expanded.contains(key);
            rows.push(InvertedRow {
                symbol: group.symbol,
                parent,
                depth,
                key,
                cost: group.cost,
                count: group.count,
                unfinished: group.unfinished,
                has_children,
                expanded,
                matches: matches(group.symbol),
            });
            if expanded && rows.len() + open.len() < MAX_ROWS {
                let row = rows.len() as u32 - 1;
                let callers = grouped(group.behind.iter().filter_map(caller), &costs, self.sort, profile);
                open.extend(callers.into_iter().map(|g| (row, g)));
            }
        }
        let cut = rows.len() >= MAX_ROWS;
        Ok(InvertedRows { rows, sum: costs.whole.own, matched, basis: tree.basis.clone(), cut })
    }

    fn weight(rows: &InvertedRows) -> usize {
        rows.rows.len() * size_of::<InvertedRow>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Slice;
    use crate::analysis::path::SymbolName;
    use crate::analysis::testing::{ask, path, subject, symbols};
    use crate::query::Run;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn inverted(subject: &Run, open: &[&str], search: &str) -> Arc<InvertedRows> {
        let mut expanded = Expansion::default();
        for text in open {
            let step = |key: PathKey, f| key.child(SymbolName::Function(f));
            let key = symbols(&subject.profile, text).into_iter().fold(PathKey::ROOT, step);
            expanded.set(key, true);
        }
        let costs = Costs(Slice::default());
        ask(subject, &Inverted { costs, sort: Sort::default(), expanded, search: search.into() })
    }

    fn text(subject: &Run, rows: &InvertedRows) -> String {
        let line = |r: &InvertedRow| {
            format!("{}{} {}", ">".repeat(r.depth as usize), r.symbol.label(&subject.profile), r.cost)
        };
        rows.rows.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn callers_share_the_own_cost_of_the_root() {
        let s = subject("main>a>x 10; main>b>x 5; main>b 2; x 1");
        assert_eq!(text(&s, &inverted(&s, &[], "")), "x 16 b 2");
        let rows = inverted(&s, &["x", "x>b"], "");
        assert_eq!(text(&s, &rows), "x 16 >a 10 >b 5 >>main 5 b 2");
        assert_eq!(rows.path(3), path(&s.profile, "main>b>x"));
        assert_eq!(rows.rows.iter().map(|r| r.count).collect::<Vec<_>>(), [3, 1, 1, 1, 1].map(Some));
        let found = inverted(&s, &[], "b");
        assert_eq!((text(&s, &found).as_str(), found.matched), ("b 2", Some((1, 2))));
    }

    #[test]
    fn all_callers_of_a_row_can_be_opened_and_the_heaviest_be_found() {
        let s = subject("main>a>x 10; main>b>x 5; q>b>x 1; main>b 2; y 3");
        let costs = ask(&s, &Costs(Slice::default()));
        let label = |s_: &Symbol| s_.label(&s.profile).into_owned();
        let heaviest: Vec<_> = heaviest_callers(&costs, &s.profile).iter().map(label).collect();
        assert_eq!(heaviest, ["x", "a", "main"]);
        let symbol = |name| Symbol::Function(crate::analysis::testing::function(&s.profile, name));
        let keys = |path: &[Symbol], limit| keys_below(&costs, path, &s.profile, limit).len();
        assert_eq!(keys(&[symbol("x")], 99), 6, "x, x<a, x<a<main, x<b, x<b<main, x<b<q");
        assert_eq!((keys(&[symbol("x"), symbol("b")], 99), keys(&[symbol("x")], 2)), (3, 2));
    }

    #[test]
    fn recursion_counts_each_own_cost_once() {
        let s = subject("f>f>f 3; f>f 2; f 1");
        assert_eq!(text(&s, &inverted(&s, &["f", "f>f"], "")), "f 6 >f 5 >>f 3");
    }

    proptest! {
        #[test]
        fn roots_add_up_to_the_whole(
            stacks in proptest::collection::vec((proptest::collection::vec(0u8..4, 1..7), 0i64..50), 1..20),
        ) {
            let line = |(stack, w): &(Vec<u8>, i64)| {
                let names: Vec<String> = stack.iter().map(|f| format!("f{f}")).collect();
                format!("{} {w}", names.join(">"))
            };
            let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
            let whole: i64 = stacks.iter().map(|(_, w)| w).sum();
            let rows = inverted(&s, &[], "");
            prop_assert_eq!(rows.rows.iter().map(|r| r.cost).sum::<i64>(), whole);
            prop_assert_eq!(rows.sum, whole);
        }
    }
}
