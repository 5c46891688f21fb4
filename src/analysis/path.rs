//! Applying transforms to call paths, one frame at a time.
//!
//! A path is walked from its root. Each transform keeps one number of state per open frame, so a span
//! table or a stack table is mapped in one pass without building paths, and without recursion.

use super::scope::Transform;
use crate::model::{FunctionId, Functions, StringId};

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
        match transform {
            Transform::FocusFunction(f) => {
                let inside = state == INSIDE || function == *f;
                (if inside { INSIDE } else { 0 }, inside.then_some(symbol))
            }
            Transform::FocusSubtree(path) => match state {
                INSIDE => (INSIDE, Some(symbol)),
                DEAD => (DEAD, None),
                matched if path.get(matched as usize) == Some(&function) => {
                    let all = matched as usize + 1 == path.len();
                    (if all { INSIDE } else { matched + 1 }, all.then_some(symbol))
                }
                _ => (DEAD, None),
            },
            Transform::MergeFunction(f) => (state, (function != *f).then_some(symbol)),
            Transform::DropFunction(f) if state == DEAD || function == *f => (DEAD, None),
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
