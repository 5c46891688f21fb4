//! The call graph with groups of functions, cycles and chains of calls folded into one node each.
//!
//! A folded node stands for its functions as for one merged function: self is the sum of theirs, total is
//! what is spent after entering from outside, calls between its own functions are inner calls and not drawn.
//! How the numbers come about: `merge_nodes.rs`. A cycle is a strongly connected component of more than
//! one function (Tarjan), among the functions that no folded group takes in.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::call_graph::{Calling, Graph, GraphNode, NOBODY};
use super::chains::{chain_name, chains};
use super::groups::{GroupBy, group_label};
use super::merge_nodes::{Merged, merge};
use super::path::SymbolName;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::cycles::components;
use crate::model::keys::names;
use crate::model::{FunctionId, NameKey, Profile, SymbolKey};
use crate::query::{Context, Query};

/// What is folded. Everything is named by keys, so it outlives the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Folding {
    /// What functions are grouped by, if at all.
    pub by: Option<GroupBy>,
    /// True when groups are folded unless `turned` says otherwise, false when they are open.
    pub folded: bool,
    /// The groups that are the other way.
    pub turned: BTreeSet<NameKey>,
    /// True when cycles are folded.
    pub cycles: bool,
    /// Cycles that are open all the same: each by one of its functions.
    pub open_cycles: BTreeSet<SymbolKey>,
    /// True when functions that do little but call the next one stay nodes of their own. They are one node otherwise, as
    /// long as there are no named groups.
    pub chains_open: bool,
    /// Chains that are the other way: each by one of its functions.
    pub turned_chains: BTreeSet<SymbolKey>,
}

impl Folding {
    /// True when the group is one node.
    #[must_use]
    pub fn is_folded(&self, group: NameKey) -> bool {
        self.folded != self.turned.contains(&group)
    }

    /// Folds all groups, or opens all.
    pub fn fold_all(&mut self, folded: bool) {
        self.folded = folded;
        self.turned.clear();
    }

    /// Folds an open group or opens a folded one.
    pub fn turn_group(&mut self, group: NameKey) {
        if !self.turned.remove(&group) {
            self.turned.insert(group);
        }
    }

    /// Folds an open cycle or opens a folded one.
    pub fn turn_cycle(&mut self, profile: &Profile, members: &[FunctionId]) {
        turn(&mut self.open_cycles, profile, members);
    }

    /// Folds an open chain or opens a folded one.
    pub fn turn_chain(&mut self, profile: &Profile, members: &[FunctionId]) {
        turn(&mut self.turned_chains, profile, members);
    }
}

/// Takes what names these functions out of a set, or puts a name of them into it.
fn turn(set: &mut BTreeSet<SymbolKey>, profile: &Profile, members: &[FunctionId]) {
    let keys: Vec<SymbolKey> = members.iter().map(|&f| profile.keys().symbol(f)).collect();
    let before = set.len();
    set.retain(|k| !keys.contains(k));
    if set.len() == before {
        set.extend(keys.into_iter().next());
    }
}

/// The key of a group of this name.
#[must_use]
pub fn group_key(name: &str) -> NameKey {
    NameKey::from(&*names::file(name))
}

/// Functions that are shown as one, or in one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What makes it one.
    pub kind: GroupKind,
    /// The functions that run in the scope, by total cost; those of a chain in the order of its calls.
    pub members: Vec<FunctionId>,
    /// Sum of their self costs.
    pub own: i64,
    /// Cost of entering it from outside.
    pub total: i64,
    /// True when `total` is shared out by an assumption.
    pub estimated: bool,
    /// True when it is one node.
    pub folded: bool,
}

/// What makes several functions one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// The same file, module or package: its name.
    Named(String),
    /// They call each other in a circle; numbers from 1 by cost.
    Cycle(u32),
    /// Each does little but call the next one: its name.
    Chain(String),
}

impl Group {
    /// Its name as a person reads it.
    #[must_use]
    pub fn label(&self) -> Cow<'_, str> {
        match &self.kind {
            GroupKind::Named(name) => group_label(name),
            GroupKind::Chain(name) => Cow::Borrowed(name),
            GroupKind::Cycle(n) => {
                let functions = format::counted(self.members.len() as i64, "function", "functions");
                Cow::Owned(format!("cycle {n} ({functions})"))
            }
        }
    }

    /// What makes it the same in another picture; `None` without functions.
    #[must_use]
    pub fn key(&self, profile: &Profile) -> Option<NodeKey> {
        match &self.kind {
            GroupKind::Named(name) => Some(NodeKey::Group(group_key(name))),
            GroupKind::Cycle(_) | GroupKind::Chain(_) => {
                let functions = self.members.iter().map(|&f| profile.keys().symbol(f));
                functions.min().map(NodeKey::Cycle)
            }
        }
    }

    /// «12 functions».
    #[must_use]
    pub fn size(&self) -> String {
        format::counted(self.members.len() as i64, "function", "functions")
    }
}

/// What makes a node of two pictures the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKey {
    /// A function, a module, hidden frames.
    Symbol(SymbolName),
    /// A folded group.
    Group(NameKey),
    /// A folded cycle or chain, by the least of its functions.
    Cycle(SymbolKey),
}

/// The graph that is drawn.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// Nodes are functions and folded groups. The symbol of a group is its function with most self cost.
    pub graph: Arc<Graph>,
    /// The graph of functions.
    pub functions: Arc<Graph>,
    /// Row in `graph` of each row of `functions`; [`NOBODY`] for what does not count in the scope.
    pub row_of: Vec<u32>,
    /// All groups that `folding` asks for, folded or open.
    pub groups: Vec<Group>,
    /// The group that each node of `graph` is.
    pub group: Vec<Option<u32>>,
    /// The open group that each node of `graph` belongs to.
    pub inside: Vec<Option<u32>>,
}

impl Folded {
    /// The folded group that a node is.
    #[must_use]
    pub fn group(&self, row: u32) -> Option<&Group> {
        self.groups.get((*self.group.get(row as usize)?)? as usize)
    }

    /// The open group around a node.
    #[must_use]
    pub fn around(&self, row: u32) -> Option<&Group> {
        self.groups.get((*self.inside.get(row as usize)?)? as usize)
    }

    /// The cycle or chain that a function is part of, where it is open.
    #[must_use]
    pub fn open_calls(&self, function: FunctionId) -> Option<&Group> {
        let is = |g: &&Group| !g.folded && !matches!(g.kind, GroupKind::Named(_));
        self.groups.iter().filter(is).find(|g| g.members.contains(&function))
    }

    /// Name of a node.
    #[must_use]
    pub fn label<'a>(&'a self, row: u32, profile: &'a Profile) -> Cow<'a, str> {
        match self.group(row) {
            Some(group) => group.label(),
            None => self.graph.nodes[row as usize].symbol.label(profile),
        }
    }

    /// What makes the node the same in another picture.
    #[must_use]
    pub fn key(&self, row: u32, profile: &Profile) -> NodeKey {
        let group = self.group(row).and_then(|group| group.key(profile));
        group.unwrap_or_else(|| NodeKey::Symbol(self.graph.nodes[row as usize].symbol.name(profile)))
    }

    /// The node that a function is, or is part of.
    #[must_use]
    pub fn find(&self, function: FunctionId, profile: &Profile) -> Option<u32> {
        let stands = |n: &GraphNode| n.symbol.stands_for(function, &profile.functions);
        let at = self.functions.nodes.iter().position(stands)?;
        Some(self.row_of[at]).filter(|&row| row != NOBODY)
    }

    /// The recorded calls behind an edge between two nodes that cost most: caller and callee.
    #[must_use]
    pub fn heaviest(&self, from: u32, to: u32) -> Option<(FunctionId, FunctionId)> {
        if self.group(from).is_none() && self.group(to).is_none() {
            let function = |row: u32| self.graph.nodes[row as usize].symbol.function();
            return Some((function(from), function(to)));
        }
        let row = |at: u32| self.row_of.get(at as usize).copied();
        let among =
            self.functions.edges.iter().filter(|e| (row(e.from), row(e.to)) == (Some(from), Some(to)));
        let edge = among.max_by_key(|e| e.total)?;
        let function = |at: u32| self.functions.nodes[at as usize].symbol.function();
        Some((function(edge.from), function(edge.to)))
    }
}

/// Computes the [`Folded`] graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Folds {
    /// Which calls.
    pub calling: Calling,
    /// What is folded.
    pub folding: Folding,
}

impl Query for Folds {
    type Output = Folded;

    fn run(&self, cx: &Context<'_>) -> Result<Folded, Cancelled> {
        let functions = cx.get(&self.calling)?;
        let count = functions.nodes.len();
        let mut drafts = self.named(cx.profile(), &functions);
        let folded = |drafts: &[Draft]| rows(drafts, count, |d| d.folded);
        if self.folding.cycles {
            let taken = folded(&drafts);
            drafts.extend(self.cycles(cx.profile(), &functions, &taken));
        }
        if self.folding.by.is_none() {
            drafts.extend(self.chains(cx.profile(), &functions, &rows(&drafts, count, |_| true)));
        }
        cx.job().checkpoint(0, 0)?;
        let numbers = |which: &[Option<u32>]| merge(&self.calling, &functions, which, cx);
        let drawn = numbers(&folded(&drafts))?;
        let named = rows(&drafts, count, |d| !d.folded && d.is_named());
        let open = [numbers(&named)?, numbers(&rows(&drafts, count, |d| !d.folded && !d.is_named()))?];
        let groups: Vec<Group> = drafts
            .into_iter()
            .map(|draft| {
                let from = if draft.folded { &drawn } else { &open[usize::from(!draft.is_named())] };
                let row = draft.rows.first().map_or(NOBODY, |&r| from.row_of[r as usize]);
                draft.finish(&functions, from.graph.nodes.get(row as usize))
            })
            .collect();
        let inside = inside(&functions, &groups, &drawn, &named);
        let Merged { graph, row_of, group } = drawn;
        Ok(Folded { graph, functions, row_of, groups, group, inside })
    }

    fn weight(folded: &Folded) -> usize {
        folded.graph.nodes.len() * 96 + folded.graph.edges.len() * 96 + folded.row_of.len() * 8
    }
}

/// A group before its numbers are known.
struct Draft {
    kind: GroupKind,
    /// Rows in the graph of functions, by total cost.
    rows: Vec<u32>,
    folded: bool,
}

impl Draft {
    fn is_named(&self) -> bool {
        matches!(self.kind, GroupKind::Named(_))
    }

    fn finish(self, functions: &Graph, node: Option<&GraphNode>) -> Group {
        Group {
            kind: self.kind,
            members: self.rows.iter().map(|&r| functions.nodes[r as usize].symbol.function()).collect(),
            own: node.map_or(0, |n| n.own),
            total: node.map_or(0, |n| n.total),
            estimated: node.is_some_and(|n| n.estimated),
            folded: self.folded,
        }
    }
}

/// The group of each row, among those that `which` takes.
fn rows(drafts: &[Draft], count: usize, which: impl Fn(&Draft) -> bool) -> Vec<Option<u32>> {
    let mut of = vec![None; count];
    for (i, draft) in (0..).zip(drafts).filter(|(_, d)| which(d)) {
        draft.rows.iter().for_each(|&r| of[r as usize] = Some(i));
    }
    of
}

/// The frame around each drawn node: its named group, or its cycle or chain where there are no named groups. A folded
/// cycle stands in the group that all its functions share.
fn inside(functions: &Graph, groups: &[Group], drawn: &Merged, named: &[Option<u32>]) -> Vec<Option<u32>> {
    let mut inside: Vec<Option<Option<u32>>> = vec![None; drawn.graph.nodes.len()];
    for (at, &row) in drawn.row_of.iter().enumerate() {
        if let Some(place) = inside.get_mut(row as usize) {
            *place = match *place {
                Some(before) if before != named[at] => Some(None),
                _ => Some(named[at]),
            };
        }
    }
    let mut inside: Vec<Option<u32>> = inside.into_iter().map(Option::flatten).collect();
    if groups.iter().all(|g| !matches!(g.kind, GroupKind::Named(_))) {
        let row_of: FxHashMap<FunctionId, u32> =
            functions.nodes.iter().map(|n| n.symbol.function()).zip(drawn.row_of.iter().copied()).collect();
        for (i, group) in (0..).zip(groups).filter(|(_, g)| !g.folded) {
            for row in group.members.iter().filter_map(|f| row_of.get(f)) {
                if let Some(place) = inside.get_mut(*row as usize) {
                    *place = Some(i);
                }
            }
        }
    }
    inside
}

impl Folds {
    /// Files, modules or packages; what has none stays alone.
    fn named(&self, profile: &Profile, functions: &Graph) -> Vec<Draft> {
        let Some(by) = self.folding.by else { return Vec::new() };
        let mut index: FxHashMap<Cow<'_, str>, usize> = FxHashMap::default();
        let mut drafts: Vec<Draft> = Vec::new();
        for row in by_cost(functions, 0..functions.nodes.len() as u32) {
            let name = by.group(profile, functions.nodes[row as usize].symbol.function());
            if name.is_empty() {
                continue;
            }
            let at = *index.entry(name.clone()).or_insert_with(|| {
                let folded = self.folding.is_folded(group_key(&name));
                drafts.push(Draft { kind: GroupKind::Named(name.into_owned()), rows: Vec::new(), folded });
                drafts.len() - 1
            });
            drafts[at].rows.push(row);
        }
        drafts
    }

    /// Cycles among the functions that no folded group takes in.
    fn cycles(&self, profile: &Profile, functions: &Graph, taken: &[Option<u32>]) -> Vec<Draft> {
        let free = |row: u32| taken.get(row as usize).is_some_and(Option::is_none);
        let calls = functions.edges.iter().filter(|e| e.from != e.to && free(e.from) && free(e.to));
        let members = components(functions.nodes.len(), calls.map(|e| (e.from, e.to))).members();
        let mut found: Vec<Vec<u32>> = members
            .iter()
            .filter(|rows| rows.len() > 1)
            .map(|rows| by_cost(functions, rows.iter().copied()))
            .collect();
        let cost = |rows: &Vec<u32>| {
            let first = &functions.nodes[rows[0] as usize];
            (std::cmp::Reverse((first.total, first.own)), first.symbol.key())
        };
        found.sort_by_key(cost);
        let open = |rows: &[u32]| {
            let function = |r: &u32| functions.nodes[*r as usize].symbol.function();
            let open = &self.folding.open_cycles;
            !open.is_empty() && rows.iter().any(|r| open.contains(&profile.keys().symbol(function(r))))
        };
        (1..)
            .zip(found)
            .map(|(n, rows)| Draft { kind: GroupKind::Cycle(n), folded: !open(&rows), rows })
            .collect()
    }

    /// Chains of single calls among the functions that no cycle takes in. The function in the middle is none of any.
    fn chains(&self, profile: &Profile, functions: &Graph, taken: &[Option<u32>]) -> Vec<Draft> {
        let middle = self.calling.middle(profile).and_then(|f| functions.find(f));
        let free = |row: u32| Some(row) != middle && taken.get(row as usize).is_some_and(Option::is_none);
        let function = |r: u32| functions.nodes[r as usize].symbol.function();
        let draft = |rows: Vec<u32>| {
            let turned = &self.folding.turned_chains;
            let other = !turned.is_empty()
                && rows.iter().any(|&r| turned.contains(&profile.keys().symbol(function(r))));
            let kind = GroupKind::Chain(chain_name(profile, functions, &rows));
            Draft { kind, folded: other == self.folding.chains_open, rows }
        };
        chains(functions, free).into_iter().map(draft).collect()
    }
}

fn by_cost(functions: &Graph, rows: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut rows: Vec<u32> = rows.collect();
    rows.sort_by_key(|&r| {
        let node = &functions.nodes[r as usize];
        (std::cmp::Reverse((node.total, node.own)), node.symbol.key())
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::scope::Slice;
    use crate::analysis::testing::{ask, subject, symbol};
    use crate::query::Run;
    use proptest::prelude::*;

    fn folded(s: &Run, around: Option<&str>, folding: Folding) -> Arc<Folded> {
        let around = around.map(|name| symbol(&s.profile, name));
        let calling = Calling { slice: Slice::default(), around };
        ask(s, &Folds { calling, folding })
    }

    fn modules() -> Folding {
        Folding { by: Some(GroupBy::Module), folded: true, ..Folding::default() }
    }

    /// `name self/total calls` and `a -> b total calls`, `~` for estimates.
    fn text(s: &Run, folded: &Folded) -> Vec<String> {
        let mark = |estimated: bool| if estimated { "~" } else { "" };
        let calls = |c: Option<crate::model::Calls>| c.map_or(String::new(), |c| format!(" {}", c.all));
        let name = |row: u32| match folded.graph.nodes.get(row as usize) {
            Some(_) => folded.label(row, &s.profile).into_owned(),
            None => "-".into(),
        };
        let node = |(i, n): (u32, &GraphNode)| {
            format!("{} {}/{}{}{}", name(i), n.own, mark(n.estimated), n.total, calls(n.calls))
        };
        let mut lines: Vec<String> = (0..).zip(&folded.graph.nodes).map(node).collect();
        lines.extend(folded.graph.edges.iter().filter(|e| e.from != NOBODY).map(|e| {
            let total = e.total.map_or("-".into(), |t| t.to_string());
            format!("{} -> {} {}{total}{}", name(e.from), name(e.to), mark(e.estimated), calls(e.calls))
        }));
        lines.sort();
        lines
    }

    #[test]
    fn a_module_counts_as_one_function_and_callbacks_once() {
        let s = subject("main>f@lib>g@lib>cb>h@lib 5; main>g@lib 2; main>cb 1; main 3");
        let found = folded(&s, None, modules());
        assert_eq!(
            text(&s, &found),
            ["cb -> lib 5", "cb 1/6", "lib -> cb 5", "lib 7/7", "main -> cb 1", "main -> lib 7", "main 3/11"]
        );
        assert_eq!((found.groups[0].members.len(), found.groups[0].total), (3, 7));
        let lib = crate::analysis::testing::function(&s.profile, "g@lib");
        assert_eq!(found.find(lib, &s.profile).map(|r| found.label(r, &s.profile)), Some("lib".into()));
        let spans = subject("main 0 100 / f@lib 10 90 / g@lib 20 60 / cb 30 50 / h@lib 35 45");
        let calls = text(&spans, &folded(&spans, None, modules()));
        assert!(calls.contains(&"lib 70/80 2".to_owned()), "entered twice, inner call left out: {calls:?}");
    }

    #[test]
    fn open_groups_keep_their_functions_and_have_the_same_numbers() {
        let s = subject("main>f@lib>g@lib>cb>h@lib 5; main>g@lib 2; main>k@other 1");
        let mut folding = modules();
        folding.turn_group("lib".into());
        let found = folded(&s, None, folding.clone());
        let lib = found.groups.iter().find(|g| g.label() == "lib").expect("the group");
        assert_eq!((lib.folded, lib.own, lib.total), (false, 7, 7));
        let inside: Vec<u32> =
            (0..found.inside.len() as u32).filter(|&r| found.around(r).is_some()).collect();
        assert_eq!(inside.len(), 3, "f, g and h");
        folding.turn_group("lib".into());
        assert_eq!(folding, modules());
        folding.fold_all(false);
        assert!(folded(&s, None, folding).group.iter().all(Option::is_none));
    }

    #[test]
    fn a_cycle_is_entered_from_outside() {
        // Numbers of the golden sample of pstats; leaf 1 is called by main.
        let graph = "fn main 1 1 40; fn a 3/1 6 15; fn b 2/1 4 14; fn leaf 6 6 6; fn fib 9/1 9 9
            main -> a 1 2 15; a -> b 2/1 4 14; b -> a 2/1 4 10; a -> leaf 3 3 3; b -> leaf 2 2 2
            main -> leaf 1 1 1; main -> fib 1 1 9; fib -> fib 8/1 8 8";
        let s = subject(graph);
        let cycles = Folding { cycles: true, ..Folding::default() };
        let found = folded(&s, None, cycles.clone());
        assert_eq!(
            text(&s, &found),
            [
                "cycle 1 (2 functions) -> leaf 5 5",
                "cycle 1 (2 functions) 10/15 1",
                "fib -> fib 8 8",
                "fib 9/9 9",
                "leaf 6/6 6",
                "main -> cycle 1 (2 functions) 15 1",
                "main -> fib 9 1",
                "main -> leaf 1 1",
                "main 1/40 1"
            ]
        );
        let members = &found.groups[0].members;
        let mut open = cycles.clone();
        open.turn_cycle(&s.profile, members);
        let opened = folded(&s, None, open.clone());
        assert_eq!((opened.graph.nodes.len(), opened.groups[0].total), (5, 15));
        assert_eq!(opened.inside.iter().flatten().count(), 2);
        open.turn_cycle(&s.profile, &[members[1], members[0]]);
        assert_eq!(open, cycles, "any of its functions names it");
        let around = folded(&s, Some("leaf"), cycles);
        assert!(around.graph.nodes.iter().all(|n| n.total <= around.graph.whole.total));
    }

    #[test]
    fn cycles_and_groups_go_together() {
        let s = subject("main@app>a@x>b@y>a@x 4; main@app>c@x>d@x>c@x 2; main@app 1");
        let both = Folding { cycles: true, ..modules() };
        let all = folded(&s, None, both.clone());
        assert_eq!(all.graph.nodes.len(), 3, "in folded groups there are no cycles to see");
        let mut open = both;
        open.turn_group("x".into());
        let found = text(&s, &folded(&s, None, open));
        assert!(found.contains(&"cycle 1 (2 functions) 2/2".to_owned()), "{found:?}");
        assert!(found.contains(&"a -> y 4".to_owned()), "{found:?}");
    }

    #[test]
    fn a_recorded_group_that_is_called_back_is_an_estimate() {
        let graph = "fn main 1 0 12; fn f@lib 1 2 12; fn cb 2 3 10; fn g@lib 2 7 7
            main -> f@lib 1 2 12; f@lib -> cb 2 3 10; cb -> g@lib 2 7 7";
        let s = subject(graph);
        let found = text(&s, &folded(&s, None, modules()));
        assert!(found.contains(&"lib 9/~12 3".to_owned()), "2 + 10 from f, and nothing twice: {found:?}");
    }

    proptest! {
        /// Stacks of functions in modules: a module's total is the weight of the stacks with any of its
        /// functions; self costs add up; nothing is more than all.
        #[test]
        fn groups_count_each_stack_once(
            stacks in proptest::collection::vec((proptest::collection::vec(0u8..6, 1..7), 0i64..50), 1..20),
            of in proptest::collection::vec(0u8..3, 6),
            cycles in proptest::bool::ANY,
        ) {
            let name = |f: &u8| match of[usize::from(*f)] {
                0 => format!("f{f}"),
                m => format!("f{f}@m{m}"),
            };
            let line = |(stack, w): &(Vec<u8>, i64)| {
                format!("{} {w}", stack.iter().map(name).collect::<Vec<_>>().join(">"))
            };
            let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
            let found = folded(&s, None, Folding { cycles, ..modules() });
            prop_assert_eq!(found.graph.nodes.iter().map(|n| n.own).sum::<i64>(), found.graph.whole.total);
            for row in 0..found.graph.nodes.len() as u32 {
                let node = &found.graph.nodes[row as usize];
                let functions = match found.group(row) {
                    Some(group) => group.members.clone(),
                    None => vec![node.symbol.function()],
                };
                let names: Vec<&str> = functions.iter().map(|f| s.profile.function_name(*f)).collect();
                let has = |stack: &[u8]| stack.iter().any(|f| names.contains(&format!("f{f}").as_str()));
                let total: i64 = stacks.iter().filter(|(s, _)| has(s)).map(|(_, w)| w).sum();
                prop_assert_eq!(node.total, total);
                prop_assert!(node.total <= found.graph.whole.total);
            }
            for e in &found.graph.edges {
                prop_assert!(e.total.is_some_and(|t| t <= found.graph.nodes[e.to as usize].total));
            }
        }

        /// The same from a recorded graph made of the stacks: exact where nothing is called back, never more
        /// than all.
        #[test]
        fn recorded_groups_are_exact_or_marked(
            stacks in proptest::collection::vec((proptest::collection::vec(0u8..6, 1..6), 1i64..50), 1..15),
            of in proptest::collection::vec(0u8..3, 6),
            cycles in proptest::bool::ANY,
        ) {
            use std::collections::{BTreeMap, BTreeSet};
            let name = |f: u8| match of[usize::from(f)] {
                0 => format!("f{f}"),
                m => format!("f{f}@m{m}"),
            };
            let (mut nodes, mut edges) = (BTreeMap::<u8, (i64, i64)>::new(), BTreeMap::<(u8, u8), i64>::new());
            for (stack, w) in &stacks {
                nodes.entry(stack[stack.len() - 1]).or_default().0 += w;
                stack.iter().collect::<BTreeSet<_>>().into_iter().for_each(|f| nodes.entry(*f).or_default().1 += w);
                let pairs: BTreeSet<(u8, u8)> = stack.windows(2).map(|p| (p[0], p[1])).collect();
                pairs.into_iter().for_each(|p| *edges.entry(p).or_default() += w);
            }
            let mut graph: Vec<String> =
                nodes.iter().map(|(f, (own, total))| format!("fn {} - {own} {total}", name(*f))).collect();
            graph.extend(edges.iter().map(|((a, b), t)| format!("{} -> {} - 0 {t}", name(*a), name(*b))));
            let s = subject(&graph.join(";"));
            let found = folded(&s, None, Folding { cycles, ..modules() });
            prop_assert_eq!(found.graph.nodes.iter().map(|n| n.own).sum::<i64>(), found.graph.whole.total);
            for row in 0..found.graph.nodes.len() as u32 {
                let node = &found.graph.nodes[row as usize];
                prop_assert!(node.total <= found.graph.whole.total && node.total >= node.own);
                if let Some(group) = found.group(row).filter(|_| !node.estimated) {
                    let names: Vec<&str> = group.members.iter().map(|f| s.profile.function_name(*f)).collect();
                    let has = |stack: &[u8]| stack.iter().any(|f| names.contains(&format!("f{f}").as_str()));
                    let total: i64 = stacks.iter().filter(|(s, _)| has(s)).map(|(_, w)| w).sum();
                    prop_assert_eq!(node.total, total, "{:?}", names);
                }
            }
        }
    }
}
