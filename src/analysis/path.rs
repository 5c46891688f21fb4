//! Applying transforms to call paths, one frame at a time.
//!
//! A path is walked from its root. Each transform keeps one number of state per open frame, so a span
//! table or a stack table is mapped in one pass without building paths, and without recursion.

use std::borrow::Cow;

use super::filter::{Bound, Filter};
use super::libraries;
use super::scope::Transform;
use crate::model::{FunctionId, Functions, Keys, NameKey, Profile, Span, StringId, SymbolKey, TrackId};

/// What a frame becomes in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// A function.
    Function(FunctionId),
    /// A run of functions of one module; the function is the first of them.
    Module(StringId, FunctionId),
    /// Library frames that are not shown one by one; the function is the first of them.
    Hidden {
        /// The first one.
        first: FunctionId,
        /// How many different functions are behind it; 0 where nobody has counted.
        frames: u32,
    },
}

impl Symbol {
    /// What makes two symbols one node under the same parent.
    #[must_use]
    pub fn key(self) -> (bool, u32) {
        match self {
            Self::Function(f) => (false, f.0),
            Self::Module(m, _) => (true, m.0),
            Self::Hidden { .. } => (true, u32::MAX),
        }
    }

    /// The same for places of several paths, where a number of frames would be that of one path only.
    #[must_use]
    pub fn uncounted(self) -> Self {
        match self {
            Self::Hidden { first, .. } => Self::Hidden { first, frames: 0 },
            other => other,
        }
    }

    /// The function, or the first one of a run.
    #[must_use]
    pub fn function(self) -> FunctionId {
        match self {
            Self::Function(f) | Self::Module(_, f) | Self::Hidden { first: f, .. } => f,
        }
    }

    /// What a person reads: the function's name, the module's for a run of its functions, or how many
    /// frames are hidden.
    #[must_use]
    pub fn label(self, profile: &Profile) -> Cow<'_, str> {
        match self {
            Self::Function(f) => Cow::Borrowed(profile.function_name(f)),
            Self::Module(m, _) => Cow::Borrowed(profile.text(m)),
            Self::Hidden { frames, .. } => hidden_label(frames),
        }
    }

    /// What it is in all profiles.
    #[must_use]
    pub fn name(self, profile: &Profile) -> SymbolName {
        let key = |f| profile.keys().symbol(f);
        match self {
            Self::Function(f) => SymbolName::Function(key(f)),
            Self::Module(_, f) => SymbolName::Module(key(f).module),
            Self::Hidden { .. } => SymbolName::Hidden,
        }
    }

    /// True when `function` is the function, or one of the module of a run. A path of functions finds
    /// its node by this.
    #[must_use]
    pub fn stands_for(self, function: FunctionId, functions: &Functions) -> bool {
        match self {
            Self::Function(f) | Self::Hidden { first: f, .. } => f == function,
            Self::Module(m, f) => f == function || functions.get(function).module == m,
        }
    }
}

/// A [`Symbol`] in all profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SymbolName {
    /// A function.
    Function(SymbolKey),
    /// A run of functions of one module.
    Module(NameKey),
    /// Library frames that are not shown one by one.
    Hidden,
}

/// State of the transforms at one open frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathState {
    states: Vec<u32>,
    /// False when everything at and below this frame is removed, or a focus is not reached yet.
    pub alive: bool,
    /// True for a library frame that is one of a hidden group.
    pub hidden: bool,
}

/// «[12 frames hidden]»; without a number for 0.
#[must_use]
pub fn hidden_label(frames: u32) -> Cow<'static, str> {
    match frames {
        0 => Cow::Borrowed("[frames hidden]"),
        1 => Cow::Borrowed("[1 frame hidden]"),
        n => Cow::Owned(format!("[{n} frames hidden]")),
    }
}

const DEAD: u32 = u32::MAX;
const INSIDE: u32 = u32::MAX - 1;
/// The frame is the first of a run of library frames.
const ENTRY: u32 = 1;
/// It is a later one.
const HIDDEN: u32 = 2;

/// A transform in the ids of one profile; `None` for what the profile does not have.
enum Change<'a> {
    FocusFunction(Option<FunctionId>),
    FocusSubtree(Vec<Option<FunctionId>>),
    FocusCategory(Option<StringId>),
    FocusMatches(Option<Bound<'a>>),
    MergeFunction(Option<FunctionId>),
    DropFunction(Option<FunctionId>),
    /// The module, how its nodes name it, and what modules functions are of.
    CollapseModule(NameKey, StringId, Keys<'a>),
    CollapseRecursion,
    HideLibraries,
}

impl<'a> Change<'a> {
    /// `None` for one that changes what calls cost, not their paths.
    fn of(transform: &Transform, profile: &'a Profile) -> Option<Self> {
        // Only where they are asked for: making the keys of a million functions takes longer than their table.
        let keys = || profile.keys();
        Some(match transform {
            Transform::FocusFunction(f) => Self::FocusFunction(keys().function(*f)),
            Transform::FocusSubtree(path) => {
                Self::FocusSubtree(path.iter().map(|&f| keys().function(f)).collect())
            }
            Transform::FocusCategory(category) => Self::FocusCategory(profile.strings.find(category)),
            Transform::FocusMatches(filter) => {
                let filter = Filter::read(filter).ok().flatten();
                Self::FocusMatches(filter.map(|filter| filter.of(profile)))
            }
            Transform::MergeFunction(f) => Self::MergeFunction(keys().function(*f)),
            Transform::DropFunction(f) => Self::DropFunction(keys().function(*f)),
            Transform::CollapseModule(module) => {
                let of_it = keys().symbols().iter().position(|s| s.module == *module);
                let first = of_it.map(|at| profile.functions.rows()[at].module);
                Self::CollapseModule(*module, first.unwrap_or_default(), keys())
            }
            Transform::CollapseRecursion => Self::CollapseRecursion,
            Transform::HideLibraries => Self::HideLibraries,
            Transform::FinishedOnly => return None,
        })
    }

    fn is_focus(&self) -> bool {
        matches!(
            self,
            Self::FocusFunction(_) | Self::FocusSubtree(_) | Self::FocusCategory(_) | Self::FocusMatches(_)
        )
    }
}

/// Maps paths by a list of transforms.
pub struct PathMapper<'a> {
    changes: Vec<Change<'a>>,
    functions: &'a Functions,
    /// Which functions are library code; empty unless a transform asks.
    library: Vec<bool>,
}

impl<'a> PathMapper<'a> {
    /// A mapper for functions of one profile.
    #[must_use]
    pub fn new(transforms: &[Transform], profile: &'a Profile) -> Self {
        let asked = transforms.contains(&Transform::HideLibraries);
        let library = if asked { libraries::of(profile) } else { Vec::new() };
        let changes = transforms.iter().filter_map(|t| Change::of(t, profile)).collect();
        Self { changes, functions: &profile.functions, library }
    }

    /// True without transforms: then every frame is a node.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.changes.is_empty()
    }

    fn is_library(&self, function: FunctionId) -> bool {
        self.library.get(function.index()).is_some_and(|library| *library)
    }

    /// The state of a path that was removed above.
    #[must_use]
    pub fn dead(&self) -> PathState {
        let states = self.changes.iter().map(|_| DEAD).collect();
        PathState { states, alive: false, hidden: false }
    }

    /// The state above a root.
    #[must_use]
    pub fn root(&self) -> PathState {
        let states = self.changes.iter().map(|_| 0).collect();
        PathState { states, alive: !self.changes.iter().any(Change::is_focus), hidden: false }
    }

    /// True when nothing below can be shown.
    #[must_use]
    pub fn is_gone(&self, state: &PathState) -> bool {
        state.states.contains(&DEAD)
    }

    /// Steps into a frame of `function` below `parent`: the new state, and the node to enter, if the
    /// frame makes one.
    #[must_use]
    pub fn step(&self, parent: &PathState, function: FunctionId) -> (PathState, Option<Symbol>) {
        self.step_into(parent, function, None)
    }

    /// The same into a call that is known: its track and row.
    #[must_use]
    pub fn step_span(
        &self,
        parent: &PathState,
        track: TrackId,
        (row, span): (u32, &Span),
    ) -> (PathState, Option<Symbol>) {
        self.step_into(parent, span.function, Some((track, row)))
    }

    fn step_into(
        &self,
        parent: &PathState,
        function: FunctionId,
        call: Option<(TrackId, u32)>,
    ) -> (PathState, Option<Symbol>) {
        let mut state = parent.clone();
        let mut symbol = Some(Symbol::Function(function));
        state.hidden = false;
        for (change, slot) in self.changes.iter().zip(&mut state.states) {
            let before = symbol;
            (*slot, symbol) = self.apply(change, *slot, symbol, call);
            state.hidden |= matches!(change, Change::HideLibraries) && before.is_some() && *slot == HIDDEN;
        }
        state.alive = self
            .changes
            .iter()
            .zip(&state.states)
            .all(|(change, &slot)| if change.is_focus() { slot == INSIDE } else { slot != DEAD });
        let symbol = symbol.filter(|_| state.alive);
        (state, symbol)
    }

    /// As [`Symbol::stands_for`]; a group of hidden frames may begin with any library function.
    fn stands_for(&self, symbol: Symbol, function: FunctionId) -> bool {
        match symbol {
            Symbol::Hidden { .. } => self.is_library(function),
            _ => symbol.stands_for(function, self.functions),
        }
    }

    fn apply(
        &self,
        change: &Change<'_>,
        state: u32,
        symbol: Option<Symbol>,
        call: Option<(TrackId, u32)>,
    ) -> (u32, Option<Symbol>) {
        let Some(symbol) = symbol else { return (state, None) };
        let function = symbol.function();
        // A run of a module's functions is none of them.
        let is = |f: &Option<FunctionId>| f.is_some_and(|f| symbol == Symbol::Function(f));
        match change {
            Change::FocusFunction(f) => {
                let inside = state == INSIDE || is(f);
                (if inside { INSIDE } else { 0 }, inside.then_some(symbol))
            }
            Change::FocusSubtree(path) => match state {
                INSIDE => (INSIDE, Some(symbol)),
                DEAD => (DEAD, None),
                matched
                    if path
                        .get(matched as usize)
                        .is_some_and(|f| f.is_some_and(|f| self.stands_for(symbol, f))) =>
                {
                    let all = matched as usize + 1 == path.len();
                    (if all { INSIDE } else { matched + 1 }, all.then_some(symbol))
                }
                _ => (DEAD, None),
            },
            Change::FocusCategory(category) => {
                let of_it = Some(self.functions.get(function).category) == *category;
                (if of_it { INSIDE } else { state }, of_it.then_some(symbol))
            }
            Change::FocusMatches(bound) => {
                let picked = |bound: &Bound<'_>| match call {
                    Some((track, row)) => bound.span(track, row),
                    None => bound.function(function),
                };
                let inside = state == INSIDE || bound.as_ref().is_some_and(picked);
                (if inside { INSIDE } else { 0 }, inside.then_some(symbol))
            }
            Change::MergeFunction(f) => (state, (!is(f)).then_some(symbol)),
            Change::DropFunction(f) if state == DEAD || is(f) => (DEAD, None),
            Change::DropFunction(_) => (state, Some(symbol)),
            // A group of hidden frames stays what it is.
            Change::CollapseModule(..) | Change::CollapseRecursion
                if matches!(symbol, Symbol::Hidden { .. }) =>
            {
                (0, Some(symbol))
            }
            Change::CollapseModule(module, name, keys) => {
                if keys.symbol(function).module != *module {
                    (0, Some(symbol))
                } else if state == 1 {
                    (1, None)
                } else {
                    (1, Some(Symbol::Module(*name, function)))
                }
            }
            Change::CollapseRecursion => (function.0 + 1, (state != function.0 + 1).then_some(symbol)),
            Change::HideLibraries if !self.is_library(function) => (0, Some(symbol)),
            Change::HideLibraries => match state {
                0 => (ENTRY, Some(symbol)),
                ENTRY => (HIDDEN, Some(Symbol::Hidden { first: function, frames: 0 })),
                _ => (HIDDEN, None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::testing::{ask, dump, subject, symbol, symbols};
    use crate::analysis::{Costs, Scope, Slice, Transform};
    use crate::model::{FunctionSpec, Metric, NameKey, Profile, ProfileBuilder, TrackKind, TrackSpec};
    use crate::query::Run;
    use std::sync::Arc;

    /// The tree after the transforms, from samples and, the same, from spans.
    fn after(text: &str, transforms: impl Fn(&Profile) -> Vec<Transform>) -> String {
        let s = subject(text);
        let scope = Scope { tracks: Vec::new(), transforms: transforms(&s.profile) };
        let costs = ask(&s, &Costs(Slice { scope, ..Slice::default() }));
        let found = dump(&s.profile, &costs);
        let (counts, calls) = (costs.samples.iter().sum::<u64>(), costs.calls.iter().sum::<u64>());
        assert!(counts <= s.profile.sample_count() as u64 && calls <= s.profile.span_count() as u64);
        found
    }

    /// The same for samples and for a call graph's estimate; `f~lib` is a function in a library's file.
    fn after_files(text: &str, transforms: impl Fn(&Profile) -> Vec<Transform>) -> String {
        let mut b = ProfileBuilder::new("test");
        let time = b.metric(Metric::time());
        let id = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
        for sample in text.split(';') {
            let (path, weight) = sample.trim().split_once(' ').unwrap();
            let stack = path.split('>').fold(None, |above, name| {
                let (name, library) = name.split_once('~').unwrap_or((name, ""));
                let file = if library.is_empty() { "app.py" } else { "/usr/lib/python3.11/json/decoder.py" };
                let function = b.function(FunctionSpec { name, file, ..FunctionSpec::default() });
                let frame = b.frame(function, 0);
                Some(b.stack(above, frame))
            });
            b.sample(id, stack, &[(time, weight.trim().parse().unwrap())]);
        }
        let profile = Arc::new(b.finish());
        let scope = Scope { tracks: Vec::new(), transforms: transforms(&profile) };
        let s = Run::of(profile);
        dump(&s.profile, &ask(&s, &Costs(Slice { scope, ..Slice::default() })))
    }

    const STACKS: &str = "main>a>b>c 1; main>a>c 2; main>b>a>b 4; main>c 8; x>b 16; b 32";
    const SPANS: &str = "main 0 100 / a 0 50 / b 10 40 / a 20 30 / c 60 70";

    #[test]
    fn focus_keeps_what_runs_under_the_outermost_occurrence() {
        let focus = |p: &Profile| vec![Transform::FocusFunction(symbol(p, "b"))];
        assert_eq!(after(STACKS, focus), "b 53/48 >a 4/0 >>b 4/4 >c 1/1");
        assert_eq!(after(SPANS, focus), "b 30/20 >a 10/10");
        let subtree = |p: &Profile| vec![Transform::FocusSubtree(symbols(p, "main>b"))];
        assert_eq!(after(STACKS, subtree), "b 4/0 >a 4/0 >>b 4/4");
        assert_eq!(
            after(SPANS, |p| vec![Transform::FocusSubtree(symbols(p, "main>a>b"))]),
            "b 30/20 >a 10/10"
        );
    }

    #[test]
    fn a_category_is_shown_as_a_tree_of_its_own() {
        let mut b = ProfileBuilder::new("test");
        let time = b.metric(Metric::time());
        let id = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
        for (path, weight) in
            [("main>step:op>f>mul:op>g", 3), ("main>step:op>f", 5), ("main>f", 7), ("step:op", 1)]
        {
            let stack = path.split('>').fold(None, |above, name| {
                let (name, category) = name.split_once(':').unwrap_or((name, "python"));
                let function = b.function(FunctionSpec { category, ..FunctionSpec::named(name) });
                let frame = b.frame(function, 0);
                Some(b.stack(above, frame))
            });
            b.sample(id, stack, &[(time, weight)]);
        }
        let profile = Arc::new(b.finish());
        let transforms = vec![Transform::FocusCategory(NameKey::from("op"))];
        let s = Run::of(profile);
        let costs =
            ask(&s, &Costs(Slice { scope: Scope { transforms, ..Scope::default() }, ..Slice::default() }));
        assert_eq!(dump(&s.profile, &costs), "step 9/6 >mul 3/3");
    }

    #[test]
    fn merge_gives_self_to_the_caller() {
        let merge = |p: &Profile| vec![Transform::MergeFunction(symbol(p, "a"))];
        assert_eq!(after(STACKS, merge), "b 32/32 main 15/0 >b 5/0 >>b 4/4 >>c 1/1 >c 10/10 x 16/0 >b 16/16");
        assert_eq!(after(SPANS, merge), "main 100/60 >b 30/30 >c 10/10");
    }

    #[test]
    fn drop_removes_every_path_with_the_function() {
        let drop = |p: &Profile| vec![Transform::DropFunction(symbol(p, "b"))];
        assert_eq!(after(STACKS, drop), "main 10/0 >a 2/0 >>c 2/2 >c 8/8 x 0/0");
        assert_eq!(after(SPANS, drop), "main 70/40 >a 20/20 >c 10/10");
    }

    #[test]
    fn collapse_makes_one_node_of_a_run() {
        let text = "main>f@lib>g@lib>cb>g@lib 5; main>g@lib 2; main>f@lib 1";
        let lib = |p: &Profile| symbol(p, "f@lib").module;
        let collapse = |p: &Profile| vec![Transform::CollapseModule(lib(p))];
        assert_eq!(after(text, collapse), "main 8/0 >lib 8/3 >>cb 5/0 >>>lib 5/5");
        let focus = |p: &Profile| {
            vec![Transform::CollapseModule(lib(p)), Transform::FocusSubtree(symbols(p, "main>g@lib>cb"))]
        };
        assert_eq!(after(text, focus), "cb 5/0 >lib 5/5");
        let gone = |p: &Profile| {
            vec![Transform::CollapseModule(lib(p)), Transform::DropFunction(symbol(p, "f@lib"))]
        };
        assert_eq!(after(text, gone), "main 8/0 >lib 8/3 >>cb 5/0 >>>lib 5/5", "no such function any more");
        let recursion = |_: &Profile| vec![Transform::CollapseRecursion];
        assert_eq!(after("f>f>g>f>f 3; f 1", recursion), "f 4/1 >g 3/0 >>f 3/3");
    }

    #[test]
    fn library_frames_hide_behind_the_first_of_each_run() {
        let text = "main>load>loads~json>decode~json>scan~json>hook>scan~json 5; main>load>loads~json 2; \
                    main>load>loads~json>decode~json>raw~json 3; main>sum~json 1; run~json>boot~json>main 4";
        let hide = |_: &Profile| vec![Transform::HideLibraries];
        assert_eq!(
            after_files(text, hide),
            "main 11/0 >load 10/0 >>loads 10/2 >>>[3 frames hidden] 8/3 >>>>hook 5/0 >>>>>scan 5/5 >sum 1/1 \
             run 4/0 >[1 frame hidden] 4/0 >>main 4/4"
        );
        let recursion = |p: &Profile| {
            let hidden = symbols(p, "main>load>loads>scan");
            vec![Transform::HideLibraries, Transform::CollapseRecursion, Transform::FocusSubtree(hidden)]
        };
        assert_eq!(
            after_files(text, recursion),
            "[3 frames hidden] 8/3 >hook 5/0 >>scan 5/5",
            "any of the hidden functions names the group"
        );
        assert_eq!(after(STACKS, hide), after(STACKS, |_| vec![]), "without files nothing is hidden");
    }

    #[test]
    fn transforms_follow_each_other() {
        let both = |p: &Profile| {
            vec![Transform::FocusFunction(symbol(p, "a")), Transform::DropFunction(symbol(p, "main"))]
        };
        assert_eq!(after(STACKS, both), "a 7/0 >b 5/4 >>c 1/1 >c 2/2", "main is gone before it is dropped");
        let merged =
            |p: &Profile| vec![Transform::MergeFunction(symbol(p, "g")), Transform::CollapseRecursion];
        assert_eq!(after("f>g>f 3; f 1", merged), "f 4/4");
    }
}
