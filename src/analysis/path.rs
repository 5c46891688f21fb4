//! Applying transforms to call paths, one frame at a time.
//!
//! A path is walked from its root. Each transform keeps one number of state per open frame, so a span
//! table or a stack table is mapped in one pass without building paths, and without recursion.

use super::scope::Transform;
use crate::model::{FunctionId, Functions, Profile, StringId};

/// What a frame becomes in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// A function.
    Function(FunctionId),
    /// A run of functions of one module; the function is the first of them.
    Module(StringId, FunctionId),
}

impl Symbol {
    /// What makes two symbols one node under the same parent.
    #[must_use]
    pub fn key(self) -> (bool, u32) {
        match self {
            Self::Function(f) => (false, f.0),
            Self::Module(m, _) => (true, m.0),
        }
    }

    /// The function, or the first one of a run.
    #[must_use]
    pub fn function(self) -> FunctionId {
        match self {
            Self::Function(f) | Self::Module(_, f) => f,
        }
    }

    /// What a person reads: the function's name, or the module's for a run of its functions.
    #[must_use]
    pub fn label(self, profile: &Profile) -> &str {
        match self {
            Self::Function(f) => profile.function_name(f),
            Self::Module(m, _) => profile.text(m),
        }
    }

    /// True when `function` is the function, or one of the module of a run. A path of functions finds
    /// its node by this.
    #[must_use]
    pub fn stands_for(self, function: FunctionId, functions: &Functions) -> bool {
        match self {
            Self::Function(f) => f == function,
            Self::Module(m, f) => f == function || functions.get(function).module == m,
        }
    }
}

/// State of the transforms at one open frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathState {
    states: Vec<u32>,
    /// False when everything at and below this frame is removed, or a focus is not reached yet.
    pub alive: bool,
}

const DEAD: u32 = u32::MAX;
const INSIDE: u32 = u32::MAX - 1;

/// Maps paths by a list of transforms.
pub struct PathMapper<'a> {
    transforms: &'a [Transform],
    functions: &'a Functions,
}

impl<'a> PathMapper<'a> {
    /// A mapper for functions of one profile.
    #[must_use]
    pub fn new(transforms: &'a [Transform], functions: &'a Functions) -> Self {
        Self { transforms, functions }
    }

    /// The state above a root.
    #[must_use]
    pub fn root(&self) -> PathState {
        let states = self.transforms.iter().map(|_| 0).collect();
        let focused = self
            .transforms
            .iter()
            .any(|t| matches!(t, Transform::FocusFunction(_) | Transform::FocusSubtree(_)));
        PathState { states, alive: !focused }
    }

    /// Steps into a frame of `function` below `parent`: the new state, and the node to enter, if the
    /// frame makes one.
    #[must_use]
    pub fn step(&self, parent: &PathState, function: FunctionId) -> (PathState, Option<Symbol>) {
        let mut state = parent.clone();
        let mut symbol = Some(Symbol::Function(function));
        for (transform, slot) in self.transforms.iter().zip(&mut state.states) {
            (*slot, symbol) = self.apply(transform, *slot, symbol);
        }
        state.alive = self.transforms.iter().zip(&state.states).all(|(transform, &slot)| match transform {
            Transform::FocusFunction(_) | Transform::FocusSubtree(_) => slot == INSIDE,
            _ => slot != DEAD,
        });
        let symbol = symbol.filter(|_| state.alive);
        (state, symbol)
    }

    fn apply(&self, transform: &Transform, state: u32, symbol: Option<Symbol>) -> (u32, Option<Symbol>) {
        let Some(symbol) = symbol else { return (state, None) };
        let function = symbol.function();
        // A run of a module's functions is none of them.
        let is = |f: FunctionId| symbol == Symbol::Function(f);
        match transform {
            Transform::FocusFunction(f) => {
                let inside = state == INSIDE || is(*f);
                (if inside { INSIDE } else { 0 }, inside.then_some(symbol))
            }
            Transform::FocusSubtree(path) => match state {
                INSIDE => (INSIDE, Some(symbol)),
                DEAD => (DEAD, None),
                matched
                    if path.get(matched as usize).is_some_and(|&f| symbol.stands_for(f, self.functions)) =>
                {
                    let all = matched as usize + 1 == path.len();
                    (if all { INSIDE } else { matched + 1 }, all.then_some(symbol))
                }
                _ => (DEAD, None),
            },
            Transform::MergeFunction(f) => (state, (!is(*f)).then_some(symbol)),
            Transform::DropFunction(f) if state == DEAD || is(*f) => (DEAD, None),
            Transform::DropFunction(_) => (state, Some(symbol)),
            Transform::CollapseModule(module) => {
                if self.functions.get(function).module != *module {
                    (0, Some(symbol))
                } else if state == 1 {
                    (1, None)
                } else {
                    (1, Some(Symbol::Module(*module, function)))
                }
            }
            Transform::CollapseRecursion => (function.0 + 1, (state != function.0 + 1).then_some(symbol)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analysis::testing::{ask, dump, function, path, subject};
    use crate::analysis::{Costs, Scope, Transform};
    use crate::model::{MetricId, Profile};

    /// The tree after the transforms, from samples and, the same, from spans.
    fn after(text: &str, transforms: impl Fn(&Profile) -> Vec<Transform>) -> String {
        let s = subject(text);
        let scope = Scope { tracks: Vec::new(), transforms: transforms(&s.profile) };
        let costs = ask(&s, &Costs { scope, metric: MetricId(0), range: None });
        let found = dump(&s.profile, &costs);
        let (counts, calls) = (costs.samples.iter().sum::<u64>(), costs.calls.iter().sum::<u64>());
        assert!(counts <= s.profile.sample_count() as u64 && calls <= s.profile.span_count() as u64);
        found
    }

    const STACKS: &str = "main>a>b>c 1; main>a>c 2; main>b>a>b 4; main>c 8; x>b 16; b 32";
    const SPANS: &str = "main 0 100 / a 0 50 / b 10 40 / a 20 30 / c 60 70";

    #[test]
    fn focus_keeps_what_runs_under_the_outermost_occurrence() {
        let focus = |p: &Profile| vec![Transform::FocusFunction(function(p, "b"))];
        assert_eq!(after(STACKS, focus), "b 53/48 >a 4/0 >>b 4/4 >c 1/1");
        assert_eq!(after(SPANS, focus), "b 30/20 >a 10/10");
        let subtree = |p: &Profile| vec![Transform::FocusSubtree(path(p, "main>b"))];
        assert_eq!(after(STACKS, subtree), "b 4/0 >a 4/0 >>b 4/4");
        assert_eq!(after(SPANS, |p| vec![Transform::FocusSubtree(path(p, "main>a>b"))]), "b 30/20 >a 10/10");
    }

    #[test]
    fn merge_gives_self_to_the_caller() {
        let merge = |p: &Profile| vec![Transform::MergeFunction(function(p, "a"))];
        assert_eq!(after(STACKS, merge), "b 32/32 main 15/0 >b 5/0 >>b 4/4 >>c 1/1 >c 10/10 x 16/0 >b 16/16");
        assert_eq!(after(SPANS, merge), "main 100/60 >b 30/30 >c 10/10");
    }

    #[test]
    fn drop_removes_every_path_with_the_function() {
        let drop = |p: &Profile| vec![Transform::DropFunction(function(p, "b"))];
        assert_eq!(after(STACKS, drop), "main 10/0 >a 2/0 >>c 2/2 >c 8/8 x 0/0");
        assert_eq!(after(SPANS, drop), "main 70/40 >a 20/20 >c 10/10");
    }

    #[test]
    fn collapse_makes_one_node_of_a_run() {
        let text = "main>f@lib>g@lib>cb>g@lib 5; main>g@lib 2; main>f@lib 1";
        let lib = |p: &Profile| p.functions.get(function(p, "f@lib")).module;
        let collapse = |p: &Profile| vec![Transform::CollapseModule(lib(p))];
        assert_eq!(after(text, collapse), "main 8/0 >lib 8/3 >>cb 5/0 >>>lib 5/5");
        let focus = |p: &Profile| {
            vec![Transform::CollapseModule(lib(p)), Transform::FocusSubtree(path(p, "main>g@lib>cb"))]
        };
        assert_eq!(after(text, focus), "cb 5/0 >lib 5/5");
        let gone = |p: &Profile| {
            vec![Transform::CollapseModule(lib(p)), Transform::DropFunction(function(p, "f@lib"))]
        };
        assert_eq!(after(text, gone), "main 8/0 >lib 8/3 >>cb 5/0 >>>lib 5/5", "no such function any more");
        let recursion = |_: &Profile| vec![Transform::CollapseRecursion];
        assert_eq!(after("f>f>g>f>f 3; f 1", recursion), "f 4/1 >g 3/0 >>f 3/3");
    }

    #[test]
    fn transforms_follow_each_other() {
        let both = |p: &Profile| {
            vec![Transform::FocusFunction(function(p, "a")), Transform::DropFunction(function(p, "main"))]
        };
        assert_eq!(after(STACKS, both), "a 7/0 >b 5/4 >>c 1/1 >c 2/2", "main is gone before it is dropped");
        let merged =
            |p: &Profile| vec![Transform::MergeFunction(function(p, "g")), Transform::CollapseRecursion];
        assert_eq!(after("f>g>f 3; f 1", merged), "f 4/4");
    }
}
