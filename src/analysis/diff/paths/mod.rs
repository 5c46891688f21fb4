//! The call trees of two runs laid over each other: each call path with what it costs on both sides.
//!
//! Two paths are one where their functions are pairs ([`super::functions`]). Nodes stand in preorder, a parent before what
//! it calls, siblings by the size of their change. Own costs of all nodes add up to the totals of the trees, so a
//! node's Δ is its own Δ and that of all below.
//!
//! Where a tree is estimated, what only one tree has may be a choice of the estimate: a path each of whose calls the other run makes
//! too is neither new nor gone ([`State::NotPlaced`]).

mod grow;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use self::grow::Growing;

use super::functions::{DiffFunctions, FunctionDiff, Wholes};
use super::{Compared, Cost, State, Two};
use crate::analysis::call_graph::Graph;
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::path::Symbol;
use crate::analysis::{CallTree, Costs, TreeCosts};
use crate::jobs::{Cancelled, Job};
use crate::model::{Basis, FunctionId, Profile};
use crate::query::{Context, Pair, Query};

/// Asks for the [`PathDiff`] of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffPaths(pub DiffFunctions);

impl Query<Pair> for DiffPaths {
    type Output = PathDiff;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<PathDiff, Cancelled> {
        let question = &self.0;
        let functions = cx.get(question)?;
        let tree = |base: bool| {
            let side = if base { cx.base() } else { cx.head() };
            let costs = side.get(&Costs(question.of(base, cx)?))?;
            Ok(Tree { profile: side.profile().clone(), costs, calls: Vec::new() })
        };
        let (mut base, mut head) = (tree(true)?, tree(false)?);
        if base.estimated().or(head.estimated()).is_some() {
            (base.calls, head.calls) = (question.calls(true, cx)?, question.calls(false, cx)?);
        }
        PathDiff::of(&base, &head, &functions, cx.job())
    }

    fn weight(diff: &PathDiff) -> usize {
        diff.heap_bytes()
    }
}

impl DiffPaths {
    /// The tree of the new run, with the names of its paths.
    pub(super) fn head_keys(&self, cx: &Context<'_, Pair>) -> Result<Arc<CallTree>, Cancelled> {
        let costs = cx.head().get(&Costs(self.0.of(false, cx)?))?;
        Ok(costs.tree.clone())
    }
}

/// Asks which functions of a pair are called from elsewhere now, by row ([`PathDiff::moved`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffMoved(pub DiffPaths);

impl Query<Pair> for DiffMoved {
    type Output = Vec<bool>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Vec<bool>, Cancelled> {
        let paths = cx.get(&self.0)?;
        let functions = cx.get(&self.0.0)?;
        Ok(paths.moved(&functions))
    }

    fn weight(moved: &Vec<bool>) -> usize {
        moved.len()
    }
}

/// The call tree of one run.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The profile.
    pub profile: Arc<Profile>,
    /// Its tree with costs in the metric that is compared.
    pub costs: Arc<TreeCosts>,
    /// Where either tree is estimated, the calls that the run makes.
    pub calls: Vec<Arc<Graph>>,
}

impl Tree {
    /// Why its paths are estimated; `None` where they were recorded.
    fn estimated(&self) -> Option<&str> {
        match &self.costs.tree.basis {
            Basis::Estimated(why) => Some(why),
            _ => None,
        }
    }
}

/// What a path costs on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathHalf {
    /// The node in the side's own tree.
    pub node: u32,
    /// What runs, by the ids of that side.
    pub symbol: Symbol,
    /// What it costs.
    pub cost: Cost,
    /// Calls, or samples at or below, where either was counted.
    pub count: Option<u64>,
}

/// A call path on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathNode {
    /// Row of the function in the [`FunctionDiff`]; `None` for one that costs nothing anywhere.
    pub row: Option<u32>,
    /// Its costs; a side without it never took this path, or could not place it.
    pub halves: Two<PathHalf>,
    /// In both trees, in one, or not placed in the other.
    pub state: State,
}

impl Compared for PathNode {
    fn costs(&self) -> Two<Cost> {
        self.halves.map(|h| h.cost)
    }

    fn state(&self) -> State {
        self.state
    }
}

/// Where a path is in both trees. There may be millions of paths: what they cost stays there.
#[derive(Clone, Copy, Debug)]
struct Path {
    /// The caller's node; [`NO_NODE`] for a root.
    parent: u32,
    /// 0 for a root.
    depth: u32,
    /// First node after the subtree.
    end: u32,
    /// [`NO_NODE`] for a function that costs nothing anywhere.
    row: u32,
    /// The node in either tree, the first one where a rule made several alike; [`NO_NODE`] for none.
    of: [u32; 2],
}

/// What paths cost: in the baseline's tree, and in the new run's.
#[derive(Clone, Debug)]
struct Sides {
    trees: [Arc<TreeCosts>; 2],
    /// Few paths are made of several nodes of one tree: their sums, by path.
    several: [FxHashMap<u32, PathHalf>; 2],
}

impl Sides {
    fn half(&self, side: usize, node: u32) -> PathHalf {
        let costs = &self.trees[side];
        let i = node as usize;
        PathHalf {
            node,
            symbol: costs.tree.nodes[i].symbol,
            cost: Cost { own: costs.own[i], total: costs.total[i] },
            count: costs.count(node),
        }
    }

    fn halves(&self, path: u32, of: [u32; 2]) -> Two<PathHalf> {
        let side = |side: usize| {
            let sum = || self.several[side].get(&path).copied();
            let several = if self.several[side].is_empty() { None } else { sum() };
            (of[side] != NO_NODE).then(|| several.unwrap_or_else(|| self.half(side, of[side])))
        };
        Two { base: side(0), head: side(1) }
    }
}

/// Both trees as one. Nodes are numbered in preorder.
#[derive(Clone, Debug)]
pub struct PathDiff {
    paths: Vec<Path>,
    sides: Sides,
    /// Both together.
    pub sum: Two<i64>,
    /// What shares are of.
    pub whole: Wholes,
    /// Which nodes are in one tree, but not placed in the other; empty where no tree is estimated.
    unplaced: Vec<bool>,
    /// How many nodes only that run has, those aside that the other could not place.
    pub alone: Two<usize>,
    /// What of them is in no node: a recorded call graph has no paths for it.
    pub not_placed: Two<i64>,
    /// Why the paths of a side are estimated; `None` where they were recorded.
    pub estimated: Option<String>,
}

impl PathDiff {
    /// Lays the trees of two runs over each other.
    ///
    /// # Errors
    /// [`Cancelled`] when nobody wants it any more.
    pub fn of(base: &Tree, head: &Tree, functions: &FunctionDiff, job: &Job) -> Result<Self, Cancelled> {
        let most = base.costs.tree.nodes.len().max(head.costs.tree.nodes.len());
        let mut growing = Growing::with_room(most + most / 2, functions.rows.len() as u32);
        growing.add(base, functions, true, job)?;
        growing.add(head, functions, false, job)?;
        let sum = Two::both(base.costs.whole.total, head.costs.whole.total);
        let own = |tree: &Tree| tree.costs.own.iter().fold(0i64, |sum, &v| sum.saturating_add(v));
        let rest =
            |tree: &Tree| tree.costs.gaps.as_ref().map(|_| tree.costs.whole.total.saturating_sub(own(tree)));
        let estimated = base.estimated().or(head.estimated()).map(str::to_owned);
        let unplaced = match estimated {
            Some(_) => growing.unplaced([base, head], functions),
            None => Vec::new(),
        };
        let (paths, sides, unplaced) =
            growing.in_preorder(functions.rows.len() as u32, [base, head], &unplaced);
        let is_placed = |i: usize| !unplaced.get(i).copied().unwrap_or(false);
        let missing = |side: usize| {
            paths.iter().enumerate().filter(|(i, p)| p.of[side] == NO_NODE && is_placed(*i)).count()
        };
        let alone = Two::both(missing(1), missing(0));
        let not_placed = Two { base: rest(base), head: rest(head) };
        let own = Two::both(base.costs.whole.own, head.costs.whole.own);
        let whole = Wholes { own, total: sum };
        Ok(Self { paths, sides, unplaced, alone, sum, whole, not_placed, estimated })
    }

    /// Number of nodes that one tree has and the other could not place.
    #[must_use]
    pub fn unplaced(&self) -> usize {
        self.unplaced.iter().filter(|u| **u).count()
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// True when neither run took any path.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// A node.
    ///
    /// # Panics
    /// Beyond the last one, as all that is asked of a node.
    #[must_use]
    pub fn node(&self, node: u32) -> PathNode {
        let path = &self.paths[node as usize];
        let row = (path.row != NO_NODE).then_some(path.row);
        PathNode { row, halves: self.sides.halves(node, path.of), state: self.state(node) }
    }

    fn state(&self, node: u32) -> State {
        match self.paths[node as usize].of {
            _ if self.unplaced.get(node as usize) == Some(&true) => State::NotPlaced,
            [NO_NODE, _] => State::New,
            [_, NO_NODE] => State::Gone,
            _ => State::Both,
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = PathNode> + '_ {
        (0..self.len() as u32).map(|node| self.node(node))
    }

    /// The caller's node; `None` for a root.
    #[must_use]
    pub fn parent(&self, node: u32) -> Option<u32> {
        Some(self.paths[node as usize].parent).filter(|&parent| parent != NO_NODE)
    }

    /// Number of callers above; 0 for a root.
    #[must_use]
    pub fn depth(&self, node: u32) -> u32 {
        self.paths[node as usize].depth
    }

    /// First node after the subtree.
    #[must_use]
    pub fn end(&self, node: u32) -> u32 {
        self.paths[node as usize].end
    }

    /// Nodes from `node` up to its root, itself included.
    pub fn ancestors(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(node), |&n| self.parent(n))
    }

    /// Functions of the path that ends at `node`, root first, by the ids of the new run if it takes the path, else of the
    /// baseline (`true`).
    #[must_use]
    pub fn functions(&self, node: u32) -> (Vec<FunctionId>, bool) {
        let base = self.node(node).halves.head.is_none();
        let function = |n: u32| {
            let halves = self.node(n).halves;
            if base { halves.base } else { halves.head }.map(|h| h.symbol.function())
        };
        let mut path: Vec<FunctionId> = self.ancestors(node).filter_map(function).collect();
        path.reverse();
        (path, base)
    }

    /// Functions that are on both sides, but have no caller in common: they are called from elsewhere now.
    #[must_use]
    pub fn moved(&self, functions: &FunctionDiff) -> Vec<bool> {
        let mut common = vec![false; functions.rows.len()];
        let mut seen = vec![false; functions.rows.len()];
        // In which runs a function is called by another one.
        let mut calls: FxHashMap<(u32, u32), [bool; 2]> = FxHashMap::default();
        for (node, path) in (0u32..).zip(&self.paths).filter(|(_, path)| path.row != NO_NODE) {
            let there = match self.state(node) {
                State::Both | State::NotPlaced => [true; 2],
                State::New => [false, true],
                State::Gone => [true, false],
            };
            seen[path.row as usize] = true;
            let caller = self.parent(node).map_or(NO_NODE, |above| self.paths[above as usize].row);
            let known = calls.entry((caller, path.row)).or_default();
            *known = [known[0] | there[0], known[1] | there[1]];
            common[path.row as usize] |= *known == [true; 2];
        }
        let both = |row: usize| functions.rows[row].state() == State::Both;
        (0..common.len()).map(|row| seen[row] && !common[row] && both(row)).collect()
    }

    /// Bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let several = self.sides.several.iter().map(|s| s.len() * size_of::<(u32, PathHalf)>());
        self.paths.len() * size_of::<Path>() + self.unplaced.len() + several.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::RowKey;
    use super::*;
    use crate::analysis::testing::{all_functions, pair};
    use crate::query::Engine;
    use proptest::prelude::*;

    fn diff(base: &str, head: &str) -> (Arc<FunctionDiff>, Arc<PathDiff>, [Arc<Profile>; 2]) {
        let (pair, question) = (pair(base, head), all_functions());
        let engine = Engine::inline();
        let functions = engine.now(&pair, &question, &Job::new()).unwrap();
        let paths = engine.now(&pair, &DiffPaths(question), &Job::new()).unwrap();
        (functions, paths, [pair.base.profile, pair.head.profile])
    }

    fn text(base: &str, head: &str) -> String {
        let (_, paths, [b, h]) = diff(base, head);
        let line = |i: u32| {
            let n = paths.node(i);
            let name = match (n.halves.head, n.halves.base) {
                (Some(half), _) => half.symbol.label(&h).into_owned(),
                (None, Some(half)) => half.symbol.label(&b).into_owned(),
                _ => String::new(),
            };
            let side = |v: Option<i64>| v.map_or("–".into(), |v| v.to_string());
            format!(
                "{}{name} {}>{}",
                ">".repeat(paths.depth(i) as usize),
                side(n.own().base),
                side(n.own().head)
            )
        };
        (0..paths.len() as u32).map(line).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn paths_are_common_new_or_gone_and_a_moved_function_is_known() {
        let base = "app>emit 15; app>backoff 60; app>read>split 75";
        let head = "app>emit 15; app>lookup 36; app>lookup>split 75";
        assert_eq!(
            text(base, head),
            "app 0>0, >lookup –>36, >>split –>75, >read 0>–, >>split 75>–, >backoff 60>–, >emit 15>15"
        );
        let (functions, paths, [b, _]) = diff(base, head);
        let moved = paths.moved(&functions);
        let names: Vec<_> = (0..moved.len())
            .filter(|&i| moved[i])
            .map(|i| functions.rows[i].halves.base.unwrap().symbol.label(&b).into_owned())
            .collect();
        assert_eq!(names, ["split"]);
    }

    /// Paths that are in one tree only, with their states.
    fn alone(base: &str, head: &str) -> Vec<String> {
        let (_, paths, [b, h]) = diff(base, head);
        let name = |i: u32| {
            let halves = paths.node(i).halves;
            let label = |half: PathHalf, p: &Profile| half.symbol.label(p).into_owned();
            halves.head.map_or_else(|| label(halves.base.unwrap(), &b), |half| label(half, &h))
        };
        let line = |i: u32| {
            let mut names: Vec<String> = paths.ancestors(i).map(name).collect();
            names.reverse();
            format!("{} {}", names.join(">"), paths.node(i).state().key())
        };
        let mut found: Vec<String> =
            (0..paths.len() as u32).filter(|&i| paths.node(i).state() != State::Both).map(line).collect();
        found.sort();
        found
    }

    #[test]
    fn what_moved_with_its_caller_is_called_from_where_it_was() {
        let (functions, paths, [b, _]) =
            diff("app>old>work>leaf 5; app>emit 1", "start>app>new>work>leaf 5; start>app>emit 1");
        let moved = paths.moved(&functions);
        let names: Vec<_> = (0..moved.len())
            .filter(|&i| moved[i])
            .map(|i| functions.rows[i].halves.base.unwrap().symbol.label(&b).into_owned())
            .collect();
        assert_eq!(names.iter().filter(|n| *n != "app").collect::<Vec<_>>(), ["work"]);
    }

    #[test]
    fn r01_what_an_estimate_does_not_place_is_neither_new_nor_gone() {
        // Who calls `c` for how much says the file; which of that goes to `d` and which to `e`, it does not.
        let graph = |by_a: i64, by_b: i64, d: i64, e: i64, more: &str| {
            let (a, b) = (10 + by_a, 10 + by_b);
            format!(
                "fn main 1 5 {}; fn a 1 10 {a}; fn b 1 10 {b}; fn c 2 {} {}; fn d 1 {d} {d}; fn e 1 {e} {e}; \
                 main -> a 1 10 {a}; main -> b 1 10 {b}; a -> c 1 0 {by_a}; b -> c 1 0 {by_b}; c -> d 1 {d} {d}; c -> e 1 {e} {e}{more}",
                5 + a + b,
                by_a + by_b - d - e,
                by_a + by_b,
            )
        };
        let base = graph(100, 0, 60, 40, "");
        let head = graph(50, 50, 60, 40, "");
        let found = alone(&base, &head);
        assert!(!found.is_empty() && found.iter().all(|p| p.ends_with(" not placed")), "{found:?}");
        assert!(found.contains(&"main>b>c>d not placed".to_owned()), "{found:?}");
        let (functions, paths, _) = diff(&base, &head);
        assert_eq!(paths.alone, Two::both(0, 0), "and counted among neither");
        assert_eq!(paths.unplaced(), found.len());
        assert!(paths.moved(&functions).iter().all(|moved| !moved));
        let unplaced = paths.nodes().find(|n| n.state() == State::NotPlaced).unwrap();
        assert_eq!((unplaced.total_change(), unplaced.halves.base), (None, None));
        // A call that one run does not make is new, and so is all below it.
        let called = graph(50, 50, 60, 40, "; b -> e 1 10 10");
        let found = alone(&base, &called);
        assert!(found.contains(&"main>b>e new".to_owned()), "{found:?}");
    }

    #[test]
    fn r01_in_estimated_trees_of_real_files_only_calls_that_differ_are_new_or_gone() {
        let open = |name: &str, id| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles").join(name);
            let input = crate::import::Input::Path(path);
            let profile = crate::import::open_whole(&input, &Job::new()).unwrap();
            crate::query::Run { id: crate::query::RunId(id), ..crate::query::Run::of(Arc::new(profile)) }
        };
        let pair = Pair::of(open("pstats/workload-py27.prof", 1), open("pstats/workload-py311.prof", 2));
        let question = all_functions();
        let engine = Engine::inline();
        let functions = engine.now(&pair, &question, &Job::new()).unwrap();
        let paths = engine.now(&pair, &DiffPaths(question), &Job::new()).unwrap();
        let calls = [true, false].map(|base| {
            let profile = &pair.run(base).profile;
            let graph = profile.call_graph.as_ref().unwrap();
            let row = |node: crate::model::NodeId| {
                let function = graph.nodes[node.index()].function;
                functions.row_of(RowKey::of(Symbol::Function(function), profile), base)
            };
            graph.edges.iter().map(|e| (row(e.caller), row(e.callee))).collect::<rustc_hash::FxHashSet<_>>()
        });
        for i in 0..paths.len() as u32 {
            let node = paths.node(i);
            let lacks = match node.state() {
                State::Both => continue,
                State::New => &calls[0],
                State::Gone => &calls[1],
                State::NotPlaced if node.halves.base.is_none() => &calls[0],
                State::NotPlaced => &calls[1],
            };
            let rows: Vec<Option<u32>> = paths.ancestors(i).map(|n| paths.node(n).row).collect();
            let known = rows.windows(2).all(|two| lacks.contains(&(two[1], two[0])));
            assert_eq!(known, node.state() == State::NotPlaced, "{rows:?}");
        }
        assert!(paths.unplaced() > 0);
    }

    proptest! {
        #[test]
        fn r12_a_node_changes_by_itself_and_by_what_it_calls(
            base in proptest::collection::vec((proptest::collection::vec(0u8..4, 1..6), 0i64..50), 1..12),
            head in proptest::collection::vec((proptest::collection::vec(0u8..4, 1..6), 0i64..50), 1..12),
        ) {
            let write = |stacks: &[(Vec<u8>, i64)]| {
                let line = |(stack, w): &(Vec<u8>, i64)| {
                    let names: Vec<String> = stack.iter().map(|f| format!("f{f}")).collect();
                    format!("{} {w}", names.join(">"))
                };
                stacks.iter().map(line).collect::<Vec<_>>().join(";")
            };
            let (_, paths, _) = diff(&write(&base), &write(&head));
            let mut below = vec![0i64; paths.len()];
            for i in (0..paths.len() as u32).rev() {
                let node = paths.node(i);
                let own = node.own().delta().unwrap();
                prop_assert_eq!(node.total().delta().unwrap(), own + below[i as usize]);
                prop_assert!(paths.end(i) > i);
                if let Some(parent) = paths.parent(i) {
                    prop_assert!(paths.end(i) <= paths.end(parent));
                    below[parent as usize] += node.total().delta().unwrap();
                }
            }
            let sum: i64 = paths.nodes().map(|n| n.own().delta().unwrap()).sum();
            prop_assert_eq!(Some(sum), paths.sum.delta());
        }
    }
}
