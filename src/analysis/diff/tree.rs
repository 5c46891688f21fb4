//! The visible rows of two call trees laid over each other: what is open, sorted, filtered.

use std::sync::Arc;

use super::Compared;
use super::functions::FunctionDiff;
use super::paths::{DiffPaths, PathDiff, PathHalf, PathNode};
use crate::analysis::expansion::{Expansion, PathKey};
use crate::analysis::search::Pattern;
use crate::analysis::tree_rows::MAX_ROWS;
use crate::format::SortBy;
use crate::jobs::Cancelled;
use crate::model::{Profile, SymbolKey};
use crate::query::{Context, Pair, Query, Run};

/// What siblings are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeKey {
    /// Size of the change of the total, whichever way.
    #[default]
    Change,
    /// Change of the total: what takes more first.
    Delta,
    /// Change of the own cost.
    OwnDelta,
    /// Total in the baseline.
    Base,
    /// Total in the new run.
    Head,
    /// Name.
    Name,
}

impl SortBy for TreeKey {
    fn ascends(self) -> bool {
        self == Self::Name
    }

    /// The size of the change is no column; the arrow stands at the change.
    fn shown(self) -> Self {
        if self == Self::Change { Self::Delta } else { self }
    }
}

/// A key, and whether its natural direction is reversed.
pub type TreeSort = (TreeKey, bool);

/// One visible row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathRow {
    /// Its node.
    pub node: u32,
    /// True when it has children to show.
    pub has_children: bool,
    /// True when they are shown.
    pub expanded: bool,
    /// True when the row itself matches the search.
    pub matches: bool,
}

/// Computes the [`PathRows`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffTree {
    /// Which trees.
    pub paths: DiffPaths,
    /// Order of siblings.
    pub sort: TreeSort,
    /// Open rows.
    pub expanded: Expansion,
    /// Rows that the person closed while a search holds them open.
    pub closed: Expansion,
    /// Rows that neither match nor have a match above or below are left out.
    pub search: String,
}

/// The visible rows, top to bottom.
#[derive(Clone, Debug)]
pub struct PathRows {
    /// Both trees.
    pub paths: Arc<PathDiff>,
    /// The functions of the pair.
    pub functions: Arc<FunctionDiff>,
    /// Names of the nodes.
    pub keys: Arc<Vec<PathKey>>,
    /// The rows.
    pub rows: Vec<PathRow>,
    /// Size of the largest change of a total.
    pub most: u64,
    /// True when calls or samples were counted on any path.
    pub counted: bool,
    /// Number of matching paths, visible or not; `None` without a search.
    pub matched: Option<usize>,
    /// True when there are more than [`MAX_ROWS`].
    pub cut: bool,
}

/// Asks for the names of all nodes of a [`PathDiff`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Names(DiffPaths);

impl Query<Pair> for Names {
    type Output = Arc<Vec<PathKey>>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Self::Output, Cancelled> {
        let paths = cx.get(&self.0)?;
        let known = self.0.head_keys(cx)?;
        let base = cx.base();
        let base = &**base.profile();
        let mut keys: Vec<PathKey> = Vec::with_capacity(paths.len());
        for (i, node) in paths.nodes().enumerate() {
            let above = paths.parent(i as u32).map_or(PathKey::ROOT, |parent| keys[parent as usize]);
            keys.push(match (node.halves.head, node.halves.base) {
                // What the new run takes is called there as it is here: so are all its callers.
                (Some(half), _) => known.keys[half.node as usize],
                (None, Some(half)) => above.child(half.symbol.name(base)),
                (None, None) => above,
            });
        }
        Ok(Arc::new(keys))
    }

    fn weight(keys: &Self::Output) -> usize {
        keys.len() * size_of::<PathKey>()
    }
}

impl PathDiff {
    /// Nodes right below `node`, or the roots.
    pub fn children(&self, node: Option<u32>) -> impl Iterator<Item = u32> + '_ {
        let (first, end) = match node {
            Some(n) => (n + 1, self.end(n)),
            None => (0, self.len() as u32),
        };
        let next = move |&n: &u32| Some(self.end(n)).filter(|&n| n < end);
        std::iter::successors((first < end).then_some(first), next)
    }

    /// The node of a path of functions of either run.
    #[must_use]
    pub fn find(&self, keys: &[SymbolKey], pair: &Pair) -> Option<u32> {
        let mut at = None;
        for key in keys {
            let is = |&n: &u32| {
                let halves = self.node(n).halves;
                let of = |half: Option<PathHalf>, run: &Run| {
                    half.is_some_and(|h| run.profile.keys().symbol(h.symbol.function()) == *key)
                };
                of(halves.head, &pair.head) || of(halves.base, &pair.base)
            };
            at = Some(self.children(at).find(is)?);
        }
        at
    }

    /// From the roots down, always to the child that changed most the way its caller did, while it explains at least half
    /// of that.
    #[must_use]
    pub fn changed_most(&self) -> Vec<u32> {
        let delta = |n: u32| self.node(n).total_change().unwrap_or(0);
        let mut path: Vec<u32> = Vec::new();
        loop {
            let above = path.last().copied();
            // The larger change, whichever way: what grew under a caller that shrank matters as much.
            let Some(next) = self.children(above).max_by_key(|&n| delta(n).unsigned_abs()) else { break };
            if delta(next) == 0
                || above.is_some_and(|a| delta(next).unsigned_abs() * 2 < delta(a).unsigned_abs())
            {
                break;
            }
            path.push(next);
        }
        path
    }
}

/// The name of a node: in the new run, else in the baseline.
#[must_use]
pub fn name<'a>(node: &PathNode, base: &'a Profile, head: &'a Profile) -> std::borrow::Cow<'a, str> {
    match (node.halves.head, node.halves.base) {
        (Some(half), _) => half.symbol.label(head),
        (None, Some(half)) => half.symbol.label(base),
        (None, None) => "".into(),
    }
}

struct Found {
    matches: Vec<bool>,
    leads: Vec<bool>,
    shown: Vec<bool>,
}

impl Found {
    fn of(pattern: &Pattern, paths: &PathDiff, base: &Profile, head: &Profile) -> Self {
        let (in_base, in_head) = (pattern.functions(base), pattern.functions(head));
        let is = |node: PathNode| {
            node.halves.base.is_some_and(|h| in_base[h.symbol.function().index()])
                || node.halves.head.is_some_and(|h| in_head[h.symbol.function().index()])
        };
        let matches: Vec<bool> = paths.nodes().map(is).collect();
        let n = matches.len();
        let (mut leads, mut below) = (vec![false; n], matches.clone());
        for i in (0..n).rev() {
            if (matches[i] || leads[i])
                && let Some(parent) = paths.parent(i as u32)
            {
                leads[parent as usize] = true;
            }
        }
        for i in 0..n {
            below[i] |= paths.parent(i as u32).is_some_and(|parent| below[parent as usize]);
        }
        let shown = leads.iter().zip(&below).map(|(a, b)| *a || *b).collect();
        Self { matches, leads, shown }
    }
}

impl Query<Pair> for DiffTree {
    type Output = PathRows;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<PathRows, Cancelled> {
        let paths = cx.get(&self.paths)?;
        let functions = cx.get(&self.paths.0)?;
        let keys = cx.get(&Names(self.paths.clone()))?;
        let (base, head) = (cx.base(), cx.head());
        let (base, head) = (&**base.profile(), &**head.profile());
        let found = Pattern::new(&self.search).map(|p| Found::of(&p, &paths, base, head));
        let (key, reverse) = self.sort;
        let below = |node: Option<u32>| {
            let shown = |&c: &u32| found.as_ref().is_none_or(|f| f.shown[c as usize]);
            let mut children: Vec<u32> = paths.children(node).filter(shown).collect();
            let of = |&c: &u32| paths.node(c);
            let largest = |change: Option<i64>| std::cmp::Reverse(change.unwrap_or(0));
            match key {
                TreeKey::Change => {}
                TreeKey::Delta => children.sort_by_key(|c| largest(of(c).total_change())),
                TreeKey::OwnDelta => children.sort_by_key(|c| largest(of(c).own_change())),
                TreeKey::Base => children.sort_by_key(|c| std::cmp::Reverse(of(c).total().base)),
                TreeKey::Head => children.sort_by_key(|c| std::cmp::Reverse(of(c).total().head)),
                TreeKey::Name => {
                    children.sort_by(|a, b| name(&of(a), base, head).cmp(&name(&of(b), base, head)))
                }
            }
            // As a stack wants them: last first.
            if !reverse {
                children.reverse();
            }
            children
        };
        let mut rows = Vec::new();
        let mut open = below(None);
        let mut cut = false;
        while let Some(node) = open.pop() {
            if rows.len() == MAX_ROWS {
                cut = true;
                break;
            }
            if rows.len() % 4096 == 0 {
                cx.job().checkpoint(0, 0)?;
            }
            let i = node as usize;
            let has_children = paths.end(node) > node + 1;
            let held = found.as_ref().is_some_and(|f| f.leads[i]);
            let is_open = if held { !self.closed.contains(keys[i]) } else { self.expanded.contains(keys[i]) };
            let expanded = is_open && has_children;
            let matches = found.as_ref().is_some_and(|f| f.matches[i]);
            rows.push(PathRow { node, has_children, expanded, matches });
            if expanded {
                open.extend(below(Some(node)));
            }
        }
        let most = paths.nodes().filter_map(|n| n.total_change()).map(i64::unsigned_abs).max().unwrap_or(0);
        let counted = paths.nodes().any(|n| {
            let count = n.halves.map(|h| h.count);
            count.base.flatten().or(count.head.flatten()).is_some()
        });
        let matched = found.map(|f| f.matches.iter().filter(|m| **m).count());
        Ok(PathRows { paths, functions, keys: Arc::clone(&keys), rows, most, counted, matched, cut })
    }

    fn weight(rows: &PathRows) -> usize {
        rows.rows.len() * size_of::<PathRow>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{all_functions, pair};
    use crate::jobs::Job;
    use crate::query::Engine;

    struct Two {
        pair: Pair,
        engine: Engine,
    }

    impl Two {
        fn rows(&self, change: impl Fn(&mut DiffTree)) -> (Arc<PathRows>, Vec<String>) {
            let functions = all_functions();
            let mut tree = DiffTree {
                paths: DiffPaths(functions),
                sort: TreeSort::default(),
                expanded: Expansion::default(),
                closed: Expansion::default(),
                search: String::new(),
            };
            change(&mut tree);
            let rows = self.engine.now(&self.pair, &tree, &Job::new()).unwrap();
            let (base, head) = (&self.pair.base.profile, &self.pair.head.profile);
            let line = |r: &PathRow| {
                let node = rows.paths.node(r.node);
                format!("{}{}", ">".repeat(rows.paths.depth(r.node) as usize), name(&node, base, head))
            };
            let lines = rows.rows.iter().map(line).collect();
            (rows, lines)
        }
    }

    fn two() -> Two {
        let pair = pair(
            "app>emit 15; app>backoff 60; app>read>split 75; idle 5",
            "app>emit 95; app>lookup 36; app>lookup>split 75; idle 5",
        );
        Two { pair, engine: Engine::inline() }
    }

    #[test]
    fn rows_open_by_path_and_sort_by_change() {
        let two = two();
        let (rows, lines) = two.rows(|_| ());
        assert_eq!(lines, ["app", "idle"]);
        let app = rows.keys[rows.rows[0].node as usize];
        let open = |key, reverse| {
            two.rows(|t| {
                t.expanded.set(app, true);
                t.sort = (key, reverse);
            })
            .1
        };
        assert_eq!(open(TreeKey::Change, false), ["app", ">lookup", ">emit", ">read", ">backoff", "idle"]);
        assert_eq!(open(TreeKey::Delta, true), ["idle", "app", ">read", ">backoff", ">emit", ">lookup"]);
        assert_eq!(open(TreeKey::Base, false), ["app", ">read", ">backoff", ">emit", ">lookup", "idle"]);
        assert_eq!(open(TreeKey::Name, false), ["app", ">backoff", ">emit", ">lookup", ">read", "idle"]);
    }

    #[test]
    fn a_search_holds_open_what_leads_to_a_match_on_either_side() {
        let (rows, lines) = two().rows(|t| t.search = "split".into());
        assert_eq!(lines, ["app", ">lookup", ">>split", ">read", ">>split"]);
        assert_eq!(rows.matched, Some(2));
        assert!(rows.rows[2].matches && !rows.rows[0].matches);
    }

    #[test]
    fn what_changed_most_is_followed_down() {
        let (rows, _) = two().rows(|_| ());
        let names: Vec<u32> = rows.paths.changed_most().iter().map(|&n| rows.paths.depth(n)).collect();
        assert_eq!(names, [0, 1, 2], "app, lookup, split");
    }
}
