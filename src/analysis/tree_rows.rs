//! The visible rows of a call tree: what is expanded, sorted, filtered.

use std::cmp::Reverse;
use std::sync::Arc;

use super::call_tree::{CallTree, NO_NODE};
use super::expansion::{Expansion, PathKey};
use super::gaps::Gap;
use super::scope::Slice;
use super::search::Pattern;
use super::tree_costs::{Costs, TreeCosts};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile};
use crate::query::{Context, Query};

/// Most rows that are listed. Whoever opens more than that is looking for a search.
pub const MAX_ROWS: usize = 500_000;

/// What siblings are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// An order or its reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Sort {
    /// What siblings are ordered by.
    pub by: Order,
    /// True for the reverse.
    pub reverse: bool,
}

/// A path of functions, root first.
pub type Path = Vec<FunctionId>;

/// One visible row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// The node, or for a gap the one that it is of; [`NO_NODE`] for what is beside the roots.
    pub node: u32,
    /// Why a part of the node is in no row below it, when the row stands for that.
    pub gap: Option<Gap>,
    /// True when it has children to show.
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
    /// Number of matching nodes, visible or not, and the sum of totals of the outermost ones; `None`
    /// without a search.
    pub matched: Option<(usize, i64)>,
    /// True when there are more than [`MAX_ROWS`].
    pub cut: bool,
}

impl TreeRows {
    /// Names a row.
    #[must_use]
    pub fn key(&self, row: usize) -> PathKey {
        let TreeRow { node, gap, .. } = self.rows[row];
        let key = self.costs.tree.keys.get(node as usize).copied().unwrap_or(PathKey::ROOT);
        gap.map_or(key, |gap| key.gap(gap))
    }

    /// 0 for a root.
    #[must_use]
    pub fn depth(&self, row: usize) -> u32 {
        let TreeRow { node, gap, .. } = self.rows[row];
        let depth = self.costs.tree.nodes.get(node as usize).map(|n| n.depth);
        depth.map_or(0, |depth| depth + u32::from(gap.is_some()))
    }
}

/// Computes the [`TreeRows`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rows {
    /// Which tree and costs.
    pub costs: Costs,
    /// Order of siblings.
    pub sort: Sort,
    /// Expanded rows.
    pub expanded: Expansion,
    /// Rows that the person closed while a search holds them open.
    pub closed: Expansion,
    /// Search text. Rows that neither match nor have a match above or below are left out; rows above
    /// a match are open.
    pub search: String,
}

impl Rows {
    /// The roots, largest first.
    #[must_use]
    pub fn new(slice: Slice) -> Self {
        Self {
            costs: Costs(slice),
            sort: Sort::default(),
            expanded: Expansion::default(),
            closed: Expansion::default(),
            search: String::new(),
        }
    }
}

/// The path from the heaviest root down, always into the heaviest child, while the child holds at
/// least half of its parent's total.
#[must_use]
pub fn heaviest_path(costs: &TreeCosts) -> Vec<u32> {
    let tree = &costs.tree;
    let mut path = Vec::new();
    let mut at = None;
    loop {
        let heaviest = tree.children(at).max_by_key(|&n| (costs.total[n as usize], Reverse(n)));
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

/// What of the heaviest path a tree opens with: it goes on where the cost is split, as long as a part matters, and leads below
/// the root in any case.
#[must_use]
pub fn opening_path(costs: &TreeCosts) -> Vec<u32> {
    let tree = &costs.tree;
    let mut path = heaviest_path(costs);
    let Some(&root) = path.first() else { return path };
    while let Some(&last) = path.last() {
        let heaviest = tree.children(Some(last)).max_by_key(|&n| (costs.total[n as usize], Reverse(n)));
        let Some(next) = heaviest else { break };
        // Who spends more itself than in any callee is the end of the path.
        let least = (costs.total[root as usize] / 10).max(costs.own[last as usize]).max(1);
        if path.len() > 1 && costs.total[next as usize] < least {
            break;
        }
        path.push(next);
    }
    path
}

/// Names of the rows at and below `node`, at most `limit`: to open them all.
pub fn keys_below(tree: &CallTree, node: u32, limit: usize) -> impl Iterator<Item = PathKey> {
    tree.keys[node as usize..tree.nodes[node as usize].end as usize].iter().copied().take(limit)
}

/// What a search found in a tree.
struct Found {
    matches: Vec<bool>,
    /// A match is further down.
    leads: Vec<bool>,
    /// The node, or one above or below it, matches.
    shown: Vec<bool>,
}

impl Found {
    fn new(pattern: &Pattern, tree: &CallTree, profile: &Profile) -> Self {
        let by_function = pattern.functions(profile);
        let n = tree.nodes.len();
        let matches: Vec<bool> =
            tree.nodes.iter().map(|node| by_function[node.symbol.function().index()]).collect();
        let mut leads = vec![false; n];
        for i in (0..n).rev() {
            let parent = tree.nodes[i].parent;
            if (matches[i] || leads[i]) && parent != NO_NODE {
                leads[parent as usize] = true;
            }
        }
        let mut below = matches.clone();
        for i in 0..n {
            let parent = tree.nodes[i].parent;
            below[i] |= parent != NO_NODE && below[parent as usize];
        }
        let shown = leads.iter().zip(&below).map(|(a, b)| *a || *b).collect();
        Self { matches, leads, shown }
    }
}

struct Listing<'a> {
    query: &'a Rows,
    costs: &'a TreeCosts,
    profile: &'a Profile,
    found: Option<Found>,
}

impl Listing<'_> {
    fn sorted_children(&self, node: Option<u32>) -> Vec<u32> {
        let (tree, costs) = (&self.costs.tree, self.costs);
        let shown = |&c: &u32| self.found.as_ref().is_none_or(|f| f.shown[c as usize]);
        let mut children: Vec<u32> = tree.children(node).filter(shown).collect();
        let name = |c: u32| tree.nodes[c as usize].symbol.label(self.profile);
        match self.query.sort.by {
            Order::Total => children.sort_by_key(|&c| Reverse(costs.total[c as usize])),
            Order::Own => children.sort_by_key(|&c| Reverse(costs.own[c as usize])),
            Order::Count => children.sort_by_key(|&c| Reverse(costs.count(c))),
            Order::Name => children.sort_by(|&a, &b| name(a).cmp(&name(b))),
            Order::Appearance => {}
        }
        if self.query.sort.reverse {
            children.reverse();
        }
        children
    }

    /// Children of a node, and what is in none of them, last first.
    fn below(&self, node: Option<u32>) -> Vec<(u32, Option<Gap>)> {
        let gaps = self.costs.gaps.iter().filter(|_| self.found.is_none()).flat_map(|gaps| gaps.of(node));
        let gaps = gaps.map(|(gap, _)| (node.unwrap_or(NO_NODE), Some(gap)));
        let children = self.sorted_children(node).into_iter().map(|child| (child, None));
        let mut below: Vec<_> = children.chain(gaps).collect();
        below.reverse();
        below
    }

    fn row(&self, node: u32) -> TreeRow {
        let i = node as usize;
        let tree = &self.costs.tree;
        let gaps = self.costs.gaps.as_ref().filter(|_| self.found.is_none());
        let has_children =
            tree.nodes[i].end > node + 1 || gaps.is_some_and(|gaps| gaps.of(Some(node)).next().is_some());
        let key = tree.keys[i];
        let held_open = self.found.as_ref().is_some_and(|f| f.leads[i]);
        let open =
            if held_open { !self.query.closed.contains(key) } else { self.query.expanded.contains(key) };
        TreeRow {
            node,
            gap: None,
            has_children,
            expanded: open && has_children,
            matches: self.found.as_ref().is_some_and(|f| f.matches[i]),
        }
    }
}

impl Query for Rows {
    type Output = TreeRows;

    fn run(&self, cx: &Context<'_>) -> Result<TreeRows, Cancelled> {
        let costs = cx.get(&self.costs)?;
        let profile = cx.profile();
        let found = Pattern::new(&self.search).map(|p| Found::new(&p, &costs.tree, profile));
        let matched = found
            .as_ref()
            .map(|f| (f.matches.iter().filter(|m| **m).count(), outermost_sum(&costs, &f.matches)));
        let listing = Listing { query: self, costs: &costs, profile, found };
        let mut rows = Vec::new();
        let mut open = listing.below(None);
        while let Some((node, gap)) = open.pop() {
            if rows.len() % 4096 == 0 {
                cx.job().checkpoint(rows.len() as u64, 0)?;
            }
            if rows.len() == MAX_ROWS {
                return Ok(TreeRows { costs, rows, matched, cut: true });
            }
            if gap.is_some() {
                rows.push(TreeRow { node, gap, has_children: false, expanded: false, matches: false });
                continue;
            }
            let row = listing.row(node);
            rows.push(row);
            if row.expanded {
                open.extend(listing.below(Some(node)));
            }
        }
        Ok(TreeRows { costs, rows, matched, cut: false })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, path, subject};
    use crate::query::Run;

    const TEXT: &str = "main>a>x 10; main>b 30; main>b>x 5; main>c>d 20; other 1";

    fn rows(subject: &Run, change: impl FnOnce(&mut Rows)) -> (Arc<TreeRows>, String) {
        let mut query = Rows::new(Slice::default());
        change(&mut query);
        let rows = ask(subject, &query);
        let line = |r: &TreeRow| {
            let node = rows.costs.tree.nodes[r.node as usize];
            let mark = if !r.has_children {
                ""
            } else if r.expanded {
                "-"
            } else {
                "+"
            };
            let hit = if r.matches { "!" } else { "" };
            format!("{}{}{mark}{hit}", ">".repeat(node.depth as usize), node.symbol.label(&subject.profile))
        };
        let text = rows.rows.iter().map(line).collect::<Vec<_>>().join(" ");
        (rows, text)
    }

    fn key(subject: &Run, text: &str) -> PathKey {
        let tree = ask(subject, &crate::analysis::Shape::default());
        let node = tree.find(&path(&subject.profile, text), &subject.profile.functions).unwrap();
        tree.keys[node as usize]
    }

    #[test]
    fn rows_open_and_sort() {
        let s = subject(TEXT);
        assert_eq!(rows(&s, |_| ()).1, "main+ other");
        let open = |q: &mut Rows| q.expanded.set(key(&s, "main"), true);
        assert_eq!(rows(&s, open).1, "main- >b+ >c+ >a+ other");
        let by = |by, reverse| {
            rows(&s, |q| {
                open(q);
                q.sort = Sort { by, reverse };
            })
            .1
        };
        assert_eq!(by(Order::Name, false), "main- >a+ >b+ >c+ other");
        assert_eq!(by(Order::Name, true), "other main- >c+ >b+ >a+");
        assert_eq!(by(Order::Own, false), "other main- >b+ >a+ >c+");
        assert_eq!(by(Order::Count, false), "main- >b+ >a+ >c+ other");
        assert_eq!(by(Order::Appearance, false), "main- >a+ >b+ >c+ other");
    }

    #[test]
    fn a_search_opens_the_way_to_matches_and_shows_what_is_below() {
        let s = subject(TEXT);
        let (found, text) = rows(&s, |q| q.search = "x, c".into());
        assert_eq!(text, "main- >b- >>x! >c+! >a- >>x!");
        assert_eq!(found.matched, Some((3, 35)));
        let closed = rows(&s, |q| {
            q.search = "x,c".into();
            q.closed.set(key(&s, "main>b"), true);
            q.expanded.set(key(&s, "main>c"), true);
        });
        assert_eq!(closed.1, "main- >b+ >c-! >>d >a- >>x!");
        assert_eq!(rows(&s, |q| q.search = "nothing".into()).1, "");
    }

    #[test]
    fn the_heaviest_path_ends_where_the_cost_is_split() {
        let s = subject(TEXT);
        let (found, _) = rows(&s, |_| ());
        let names: Vec<_> = heaviest_path(&found.costs)
            .iter()
            .map(|&n| found.costs.tree.nodes[n as usize].symbol.label(&s.profile))
            .collect();
        assert_eq!(names, ["main", "b"]);
    }

    #[test]
    fn a_tree_opens_below_its_root_where_no_callee_has_half() {
        let opening = |text: &str| {
            let s = subject(text);
            let (found, _) = rows(&s, |_| ());
            let name = |&n: &u32| found.costs.tree.nodes[n as usize].symbol.label(&s.profile).into_owned();
            opening_path(&found.costs).iter().map(name).collect::<Vec<_>>().join(">")
        };
        assert_eq!(opening("main>a>x 4; main>a>y 3; main>b 5; main>c 5; main>d 5"), "main>a>x");
        let many: Vec<String> = (10..60).map(|i| format!("main>f{i}>g 1")).collect();
        assert_eq!(opening(&many.join(";")), "main>f10", "a fiftieth is opened no further");
        assert_eq!(opening("main 3"), "main");
    }

    #[test]
    fn a_deep_recursion_opens_in_a_moment() {
        let s = subject(&format!("{} 1", vec!["f"; 100_000].join(">")));
        let tree = ask(&s, &crate::analysis::Shape::default());
        let start = std::time::Instant::now();
        let mut query = Rows::new(Slice::default());
        tree.keys.iter().for_each(|&k| query.expanded.set(k, true));
        let found = ask(&s, &query);
        assert_eq!(found.rows.len(), 100_000);
        assert!(start.elapsed().as_secs() < 5);
    }
}
