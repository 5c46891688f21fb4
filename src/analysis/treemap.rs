//! Nested boxes whose areas are costs: a call tree, or functions in their files and modules.
//!
//! Boxes stand in preorder, siblings by cost, so that whoever draws them can stop at the first one that is
//! too small to see. A box's total is its own cost and its children's; what is not positive has no area and
//! is left out.

use std::borrow::Cow;

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::call_tree::NO_NODE;
use super::flame_rows::outermost;
use super::formula::Measure;
use super::functions::{FunctionRow, Functions};
use super::gaps::Gap;
use super::path::{Symbol, SymbolName};
use super::scope::{Slice, Transform};
use super::tree_costs::Costs;
use super::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::keys::names;
use crate::model::{Basis, FunctionId, NameKey, Profile, StringId, Strings, SymbolKey, Unit};
use crate::query::{Context, Query};

/// Most boxes of a map of callers: what would need more is hostile.
const MOST_CALLERS: usize = 500_000;

/// How boxes nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nesting {
    /// Callees in their callers.
    #[default]
    Calls,
    /// Functions in files in modules.
    Files,
    /// What one function calls, wherever it runs, and what that calls.
    Callees,
    /// Who calls one function, and who calls those: areas are what the function costs under them.
    Callers,
}

impl Nesting {
    /// True for a map of one function.
    #[must_use]
    pub fn is_around_a_function(self) -> bool {
        matches!(self, Self::Callees | Self::Callers)
    }
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Everything.
    All,
    /// A module; the empty text for functions without one.
    Module(StringId),
    /// A file; the empty text for functions without one.
    File(StringId),
    /// A function, or a run of functions of a collapsed module.
    Symbol(Symbol),
    /// A part of the box around that is in no box.
    Gap(Gap),
}

impl What {
    /// What a person reads.
    #[must_use]
    pub fn label(self, profile: &Profile) -> Cow<'_, str> {
        let or = |id: StringId, unknown| if id == Strings::EMPTY { unknown } else { profile.text(id) }.into();
        match self {
            Self::All => "Everything".into(),
            Self::Module(id) => or(id, "(no module)"),
            Self::File(id) => or(id, "(no file)"),
            Self::Symbol(symbol) => symbol.label(profile),
            Self::Gap(gap) => gap.label().into(),
        }
    }

    /// What it is in all profiles.
    #[must_use]
    pub fn name(self, profile: &Profile) -> BoxName {
        match self {
            Self::All => BoxName::All,
            Self::Module(id) => BoxName::Module(NameKey::from(&*names::module(profile.text(id)))),
            Self::File(id) => BoxName::File(NameKey::from(&*names::file(profile.text(id)))),
            Self::Symbol(symbol) => BoxName::Symbol(symbol.name(profile)),
            Self::Gap(gap) => BoxName::Gap(gap),
        }
    }

    /// The function, if it is one.
    #[must_use]
    pub fn function(self) -> Option<FunctionId> {
        match self {
            Self::Symbol(symbol) => Some(symbol.function()),
            _ => None,
        }
    }
}

/// What a box stands for, in all profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BoxName {
    /// Everything.
    All,
    /// A module.
    Module(NameKey),
    /// A file.
    File(NameKey),
    /// A function or a run of them.
    Symbol(SymbolName),
    /// A part of the box around that is in no box.
    Gap(Gap),
}

/// A box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeBox {
    /// What it stands for.
    pub what: What,
    /// The box around it; of the outermost one itself.
    pub parent: u32,
    /// First box after those inside.
    pub end: u32,
    /// Own cost.
    pub own: i64,
    /// Its area: own cost and that of the boxes inside.
    pub total: i64,
}

/// The boxes, the outermost one first.
#[derive(Clone, Debug)]
pub struct BoxTree {
    /// In preorder, siblings by total.
    pub boxes: Vec<TreeBox>,
    /// What shares are of.
    pub whole: Whole,
    /// Sum of the own costs below 0, which have no area.
    pub below_zero: i64,
    /// What the numbers rest on.
    pub basis: Basis,
    /// What has no place in the tree, in words; empty when everything has.
    pub lost: Vec<String>,
    /// The function whose cost all areas are; `None` where each box has its own.
    pub cost_of: Option<FunctionId>,
}

impl BoxTree {
    /// Boxes right inside `at`, largest first.
    pub fn children(&self, at: u32) -> impl Iterator<Item = u32> + '_ {
        let end = self.boxes[at as usize].end;
        let first = (at + 1 < end).then_some(at + 1);
        std::iter::successors(first, move |&n| Some(self.boxes[n as usize].end).filter(|&next| next < end))
    }

    /// `at` and the boxes around it, outermost first, without the outermost of all.
    #[must_use]
    pub fn path(&self, at: u32) -> Vec<u32> {
        let mut path: Vec<u32> = std::iter::successors(Some(at), |&n| Some(self.boxes[n as usize].parent))
            .take_while(|&n| n != 0)
            .collect();
        path.reverse();
        path
    }

    /// The box with this path of contents, or the last one of them that is there.
    #[must_use]
    pub fn find(&self, path: &[BoxName], profile: &Profile) -> u32 {
        let mut at = 0;
        for name in path {
            let is = |&n: &u32| self.boxes[n as usize].what.name(profile) == *name;
            let Some(next) = self.children(at).find(is) else { break };
            at = next;
        }
        at
    }
}

/// Computes the [`BoxTree`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Boxes {
    /// Which part, in which metric.
    pub slice: Slice,
    /// How boxes nest.
    pub nesting: Nesting,
    /// The function of a map of callees or callers.
    pub around: Option<SymbolKey>,
}

impl Query for Boxes {
    type Output = BoxTree;

    fn run(&self, cx: &Context<'_>) -> Result<BoxTree, Cancelled> {
        match self.nesting {
            Nesting::Calls => calls(&self.slice, cx),
            Nesting::Files => self.files(cx),
            Nesting::Callees => {
                let mut slice = self.slice.clone();
                slice.scope.transforms.extend(self.around.map(Transform::FocusFunction));
                calls(&slice, cx)
            }
            Nesting::Callers => self.callers(cx),
        }
    }

    fn weight(tree: &BoxTree) -> usize {
        tree.boxes.len() * size_of::<TreeBox>()
    }
}

fn calls(slice: &Slice, cx: &Context<'_>) -> Result<BoxTree, Cancelled> {
    let costs = cx.get(&Costs(slice.clone()))?;
    let tree = &costs.tree;
    // Areas hold what is positive only, so a parent may have less cost than its children.
    let gaps =
        |node: Option<u32>| -> Vec<(Gap, i64)> { costs.gaps.iter().flat_map(|gaps| gaps.of(node)).collect() };
    let sum = |gaps: Vec<(Gap, i64)>| gaps.iter().fold(0i64, |sum, g| sum.saturating_add(g.1));
    let mut area: Vec<i64> =
        (0u32..).zip(&costs.own).map(|(n, &c)| c.max(0).saturating_add(sum(gaps(Some(n))))).collect();
    for (i, node) in tree.nodes.iter().enumerate().rev() {
        if node.parent != NO_NODE {
            area[node.parent as usize] = area[node.parent as usize].saturating_add(area[i]);
        }
    }
    let all = tree.children(None).fold(sum(gaps(None)), |sum, n| sum.saturating_add(area[n as usize]));
    let mut boxes = vec![TreeBox { what: What::All, parent: 0, end: 1, own: 0, total: all }];
    // The smallest first: boxes are taken from the end.
    let sorted = |at: Option<u32>| {
        let nodes = tree.children(at).map(|n| (area[n as usize], Part::Node(n)));
        let gaps = gaps(at).into_iter().map(|(gap, cost)| (cost, Part::Gap(gap)));
        let mut children: Vec<(i64, Part)> = nodes.chain(gaps).filter(|c| c.0 > 0).collect();
        children.sort_by_key(|&(cost, part)| (cost, Reverse(part)));
        children
    };
    let mut open: Vec<(i64, Part, u32)> = sorted(None).into_iter().map(|(c, p)| (c, p, 0)).collect();
    while let Some((cost, part, parent)) = open.pop() {
        let node = match part {
            Part::Node(node) => node,
            Part::Gap(gap) => {
                let end = boxes.len() as u32 + 1;
                boxes.push(TreeBox { what: What::Gap(gap), parent, end, own: cost, total: cost });
                continue;
            }
        };
        let i = node as usize;
        if boxes.len() % 65_536 == 0 {
            cx.job().checkpoint(boxes.len() as u64, tree.nodes.len() as u64)?;
        }
        let at = boxes.len() as u32;
        let (own, total) = (costs.own[i].max(0), area[i]);
        boxes.push(TreeBox { what: What::Symbol(tree.nodes[i].symbol), parent, end: at + 1, own, total });
        open.extend(sorted(Some(node)).into_iter().map(|(c, p)| (c, p, at)));
    }
    close(&mut boxes);
    let unit = Measure::of(slice.metric, cx.profile()).map_or(Unit::None, |m| m.unit);
    let lost = costs.gaps.iter().flat_map(|gaps| gaps.words(unit, costs.whole.total)).collect();
    let below_zero = below_zero(costs.own.iter().copied());
    Ok(BoxTree { boxes, whole: costs.whole, below_zero, basis: tree.basis.clone(), lost, cost_of: None })
}

impl Boxes {
    /// The paths from each outermost call of the function to its root, turned round and merged.
    fn callers(&self, cx: &Context<'_>) -> Result<BoxTree, Cancelled> {
        let costs = cx.get(&Costs(self.slice.clone()))?;
        let tree = &costs.tree;
        let function = self.around.and_then(|f| cx.profile().keys().function(f));
        let places = function.map_or_else(Vec::new, |f| outermost(&costs, f));
        // What a box stands for, the box around it, what ends there, all of it.
        let mut found: Vec<(Symbol, u32, i64, i64)> = Vec::new();
        let mut index: FxHashMap<(u32, (bool, u32)), u32> = FxHashMap::default();
        let mut all = 0i64;
        for place in places {
            let cost = costs.total[place as usize];
            if cost <= 0 {
                continue;
            }
            cx.job().checkpoint(0, 0)?;
            all = all.saturating_add(cost);
            let mut above = NO_NODE;
            for node in tree.ancestors(place) {
                if found.len() >= MOST_CALLERS {
                    break;
                }
                let symbol = tree.nodes[node as usize].symbol;
                let at = *index.entry((above, symbol.key())).or_insert_with(|| {
                    found.push((symbol, above, 0, 0));
                    found.len() as u32 - 1
                });
                found[at as usize].3 = found[at as usize].3.saturating_add(cost);
                above = at;
            }
            if let Some(last) = found.get_mut(above as usize) {
                last.2 = last.2.saturating_add(cost);
            }
        }
        let mut inside: Vec<Vec<u32>> = vec![Vec::new(); found.len()];
        let mut open: Vec<(u32, u32)> = Vec::new();
        for (at, &(_, above, ..)) in (0u32..).zip(&found) {
            match inside.get_mut(above as usize) {
                Some(list) => list.push(at),
                None => open.push((at, 0)),
            }
        }
        // The smallest first: boxes are taken from the end.
        inside.iter_mut().for_each(|list| list.sort_by_key(|&at| (found[at as usize].3, Reverse(at))));
        let mut boxes = vec![TreeBox { what: What::All, parent: 0, end: 1, own: 0, total: all }];
        while let Some((at, parent)) = open.pop() {
            let (symbol, _, own, total) = found[at as usize];
            let place = boxes.len() as u32;
            boxes.push(TreeBox { what: What::Symbol(symbol), parent, end: place + 1, own, total });
            open.extend(inside[at as usize].iter().map(|&n| (n, place)));
        }
        close(&mut boxes);
        let basis = tree.basis.clone();
        Ok(BoxTree { boxes, whole: costs.whole, below_zero: 0, basis, lost: Vec::new(), cost_of: function })
    }

    fn files(&self, cx: &Context<'_>) -> Result<BoxTree, Cancelled> {
        let profile = cx.profile();
        let table = cx.get(&Functions(self.slice.clone()))?;
        let rows: Vec<&FunctionRow> = table.rows.iter().filter(|r| r.own > 0).collect();
        let module = |r: &FunctionRow| r.module.unwrap_or(profile.functions.get(r.function).module);
        let file = |r: &FunctionRow| profile.functions.get(r.function).file;
        let modules = rows.iter().any(|r| module(r) != Strings::EMPTY);
        let files = rows.iter().any(|r| file(r) != Strings::EMPTY);
        let add = |sum: &mut i64, r: &FunctionRow| *sum = sum.saturating_add(r.own);
        let (mut of_module, mut of_file) = (FxHashMap::default(), FxHashMap::default());
        let mut all = 0;
        for row in &rows {
            add(of_module.entry(module(row)).or_insert(0i64), row);
            add(of_file.entry((module(row), file(row))).or_insert(0i64), row);
            add(&mut all, row);
        }
        cx.job().checkpoint(0, 0)?;
        let mut order = rows;
        order.sort_by_key(|r| {
            let (m, f) = (module(r), file(r));
            let module_key = modules.then(|| (Reverse(of_module[&m]), m));
            let file_key = files.then(|| (Reverse(of_file[&(m, f)]), f));
            (module_key, file_key, Reverse(r.own), r.function)
        });
        let mut boxes = vec![TreeBox { what: What::All, parent: 0, end: 1, own: 0, total: all }];
        let (mut in_module, mut in_file) = (None, None);
        for row in order {
            let (m, f) = (module(row), file(row));
            let mut parent = 0;
            let enter = |what, total, parent, boxes: &mut Vec<TreeBox>| {
                let at = boxes.len() as u32;
                boxes.push(TreeBox { what, parent, end: at + 1, own: 0, total });
                at
            };
            if modules {
                if in_module.is_none_or(|(old, _)| old != m) {
                    in_module = Some((m, enter(What::Module(m), of_module[&m], 0, &mut boxes)));
                    in_file = None;
                }
                parent = in_module.map_or(0, |x| x.1);
            }
            if files {
                if in_file.is_none_or(|(old, _)| old != f) {
                    in_file = Some((f, enter(What::File(f), of_file[&(m, f)], parent, &mut boxes)));
                }
                parent = in_file.map_or(0, |x| x.1);
            }
            let at = boxes.len() as u32;
            let what = What::Symbol(row.symbol());
            boxes.push(TreeBox { what, parent, end: at + 1, own: row.own, total: row.own });
        }
        close(&mut boxes);
        let below_zero = below_zero(table.rows.iter().map(|r| r.own));
        let basis = table.basis.clone();
        // Areas are self costs, of files and modules, too.
        let whole = Whole::both(table.whole.own);
        Ok(BoxTree { boxes, whole, below_zero, basis, lost: Vec::new(), cost_of: None })
    }
}

fn below_zero(own: impl Iterator<Item = i64>) -> i64 {
    own.filter(|own| *own < 0).fold(0, i64::saturating_add)
}

/// What becomes a box: a node of the call tree, or what is beside its children.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Node(u32),
    Gap(Gap),
}

/// Sets the ends of boxes that hold others.
fn close(boxes: &mut [TreeBox]) {
    for i in (1..boxes.len()).rev() {
        let end = boxes[i].end;
        let parent = &mut boxes[boxes[i].parent as usize];
        parent.end = parent.end.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};
    use crate::model::{FunctionSpec, Metric, NodeCosts, ProfileBuilder};
    use crate::query::Run;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn boxes(subject: &Run, nesting: Nesting) -> Arc<BoxTree> {
        ask(subject, &Boxes { slice: Slice::default(), nesting, around: None })
    }

    #[test]
    fn one_function_has_a_map_of_callees_and_one_of_callers() {
        let s = subject("main>a>hot>x 10; main>b>hot 30; main>b>hot>hot 5; main 2");
        let around = |nesting| {
            let hot = crate::analysis::testing::symbol(&s.profile, "hot");
            let tree = ask(&s, &Boxes { slice: Slice::default(), nesting, around: Some(hot) });
            text(&s, &tree)
        };
        assert_eq!(around(Nesting::Callees), "Everything 45/0 >hot 45/30 >>x 10/10 >>hot 5/5");
        assert_eq!(
            around(Nesting::Callers),
            "Everything 45/0 >hot 45/0 >>b 35/0 >>>main 35/35 >>a 10/0 >>>main 10/10",
            "recursion counts once"
        );
    }

    fn text(subject: &Run, tree: &BoxTree) -> String {
        let line = |(i, b): (usize, &TreeBox)| {
            let depth = tree.path(i as u32).len();
            format!("{}{} {}/{}", ">".repeat(depth), b.what.label(&subject.profile), b.total, b.own)
        };
        tree.boxes.iter().enumerate().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn calls_nest_by_cost() {
        let s = subject("main>a>x 10; main>b 30; main>b>x 5; main 2; other 1; zero 0; bad -4");
        let tree = boxes(&s, Nesting::Calls);
        assert_eq!(
            text(&s, &tree),
            "Everything 48/0 >main 47/2 >>b 35/30 >>>x 5/5 >>a 10/0 >>>x 10/10 >other 1/1"
        );
        let find = |path: &[usize]| {
            let names: Vec<BoxName> = path.iter().map(|&at| tree.boxes[at].what.name(&s.profile)).collect();
            tree.find(&names, &s.profile)
        };
        assert_eq!((find(&[1, 4]), find(&[6])), (4, 6));
        assert_eq!(find(&[4]), 0, "not at this place");
    }

    #[test]
    fn functions_nest_in_files_and_modules() {
        let mut b = ProfileBuilder::new("test");
        let time = b.metric(Metric::time());
        for (name, module, file, own) in
            [("f", "m", "a.py", 5), ("g", "m", "b.py", 9), ("h", "m", "a.py", 7), ("k", "", "", 30)]
        {
            let f = b.function(FunctionSpec { name, module, file, ..FunctionSpec::default() });
            let node = b.node(f);
            b.node_cost(node, time, NodeCosts { own, total: own });
        }
        let s = Run::of(Arc::new(b.finish()));
        assert_eq!(
            text(&s, &boxes(&s, Nesting::Files)),
            "Everything 51/0 >(no module) 30/0 >>(no file) 30/0 >>>k 30/30 >m 21/0 >>a.py 12/0 >>>h 7/7 >>>f 5/5 \
             >>b.py 9/0 >>>g 9/9"
        );
        let plain = subject("main>f 3; main 4");
        assert_eq!(text(&plain, &boxes(&plain, Nesting::Files)), "Everything 7/0 >main 4/4 >f 3/3");
    }

    #[test]
    fn nothing_has_one_empty_box() {
        let s = subject("main 0");
        assert_eq!(text(&s, &boxes(&s, Nesting::Calls)), "Everything 0/0");
        assert_eq!(text(&s, &boxes(&s, Nesting::Files)), "Everything 0/0");
    }

    proptest! {
        #[test]
        fn totals_are_own_plus_children(
            stacks in proptest::collection::vec((proptest::collection::vec(0u8..4, 1..7), -5i64..50), 1..20),
        ) {
            let line = |(stack, w): &(Vec<u8>, i64)| {
                let names: Vec<String> = stack.iter().map(|f| format!("f{f}@m{}", f % 2)).collect();
                format!("{} {w}", names.join(">"))
            };
            let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
            for nesting in [Nesting::Calls, Nesting::Files] {
                let tree = boxes(&s, nesting);
                for (i, b) in tree.boxes.iter().enumerate() {
                    let children: Vec<u32> = tree.children(i as u32).collect();
                    let below: i64 = children.iter().map(|&c| tree.boxes[c as usize].total).sum();
                    prop_assert_eq!(b.total, b.own + below);
                    prop_assert!(children.is_sorted_by_key(|&c| Reverse(tree.boxes[c as usize].total)));
                    prop_assert!(children.iter().all(|&c| tree.boxes[c as usize].parent == i as u32));
                }
            }
        }
    }
}
