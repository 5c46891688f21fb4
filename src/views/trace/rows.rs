//! The rows of the list: steps, ordinary spans that are counted, and what was said in opened steps. Pure but for the height of texts,
//! which the caller measures.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::analysis::trace::said::{Said, said};
use crate::analysis::trace::{NO_STEP, Tree};
use crate::model::Profile;

/// Height of a step.
pub(super) const STEP: f32 = 24.0;
/// Height of a line that counts something.
pub(super) const COUNT: f32 = 20.0;
/// Characters of a text that are shown at first, and at all: more would make every frame slow. Copying takes everything.
const SHORT: usize = 700;
const LONGEST: usize = 40_000;

/// What is open; steps by their keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Folds {
    /// Steps whose callees are hidden.
    pub closed: FxHashSet<u64>,
    /// Steps whose ordinary spans are shown.
    pub spans: FxHashSet<u64>,
    /// Steps of which one sees what was said.
    pub told: FxHashSet<u64>,
    /// Steps of which one sees what was said before, too.
    pub before: FxHashSet<u64>,
    /// Long texts that are shown whole: step and number of the part.
    pub whole: FxHashSet<(u64, usize)>,
    /// Counts changes.
    pub changes: u64,
}

/// Adds or takes away.
pub(super) fn toggle<T: std::hash::Hash + Eq>(set: &mut FxHashSet<T>, value: T) {
    if !set.remove(&value) {
        set.insert(value);
    }
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The step itself.
    Step {
        /// It has something below.
        has_children: bool,
        /// Ordinary spans below it that are only counted.
        hidden: usize,
    },
    /// Messages that an earlier request said already.
    Before {
        /// How many.
        parts: usize,
    },
    /// Something that was said.
    Part {
        /// Its number among what was said.
        part: usize,
        /// Bytes that are shown.
        shown: usize,
    },
}

/// A row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// The step that it is about.
    pub step: u32,
    /// Steps above it in the list.
    pub depth: u32,
    /// What it is.
    pub what: What,
    /// Its upper edge.
    pub y: f32,
    /// Its height.
    pub height: f32,
}

/// The rows of one state of the list.
#[derive(Default)]
pub(super) struct Listed {
    pub rows: Vec<Row>,
    /// Of all rows.
    pub height: f32,
    /// What was said in steps that are told.
    pub said: FxHashMap<u32, Arc<Said>>,
}

/// How many bytes of a text are shown.
fn shown(text: &str, whole: bool) -> usize {
    let most = if whole { LONGEST } else { SHORT };
    text.char_indices().nth(most).map_or(text.len(), |(at, _)| at)
}

impl Listed {
    /// The rows of a tree. `measure` is the height of a text at a depth.
    pub fn of(profile: &Profile, tree: &Tree, folds: &Folds, measure: &dyn Fn(&str, u32) -> f32) -> Self {
        let mut out = Self::default();
        let hidden = hidden(tree, folds);
        // Levels of the list that a step has above it: those of its callers that are shown.
        let mut depths: Vec<u32> = vec![0; tree.steps.len()];
        let mut at = 0;
        while let Some(step) = tree.steps.get(at) {
            let up = step.parent;
            let above = if up == NO_STEP { 0 } else { depths[up as usize] };
            depths[at] = above;
            if !is_shown(tree, folds, at) {
                at += 1;
                continue;
            }
            depths[at] = above + 1;
            let has_children = tree.steps[at + 1..step.below as usize].iter().any(|s| s.shown)
                || folds.spans.contains(&step.key) && step.below as usize > at + 1;
            out.push(at, above, What::Step { has_children, hidden: hidden[at] }, STEP);
            if folds.told.contains(&step.key) {
                out.tell(profile, tree, folds, at, above + 1, measure);
            }
            if folds.closed.contains(&step.key) {
                at = step.below as usize;
                continue;
            }
            at += 1;
        }
        out
    }

    fn push(&mut self, at: usize, depth: u32, what: What, height: f32) {
        self.rows.push(Row { step: at as u32, depth, what, y: self.height, height });
        self.height += height;
    }

    fn tell(
        &mut self,
        profile: &Profile,
        tree: &Tree,
        folds: &Folds,
        at: usize,
        depth: u32,
        measure: &dyn Fn(&str, u32) -> f32,
    ) {
        let key = tree.steps[at].key;
        let said = Arc::new(said(profile, tree, at));
        if said.as_before > 0 {
            self.push(at, depth, What::Before { parts: said.as_before }, COUNT);
        }
        let first = if folds.before.contains(&key) { 0 } else { said.as_before };
        for (part, of) in said.parts.iter().enumerate().skip(first) {
            let shown = shown(&of.text, folds.whole.contains(&(key, part)));
            let more = if shown < of.text.len() || shown > SHORT { COUNT } else { 0.0 };
            let height = measure(&of.text[..shown], depth) + more;
            self.push(at, depth, What::Part { part, shown }, height);
        }
        self.said.insert(at as u32, said);
    }

    /// The rows that are seen between two heights.
    pub fn seen(&self, from: f32, to: f32) -> std::ops::Range<usize> {
        let first = self.rows.partition_point(|r| r.y + r.height <= from);
        let last = self.rows.partition_point(|r| r.y < to);
        first..last.max(first)
    }

    /// The row that is about the same as one of other rows of the tree.
    pub fn same(&self, row: &Row) -> Option<usize> {
        let first = self.rows.partition_point(|r| r.step < row.step);
        let of_step = self.rows[first..].iter().take_while(|r| r.step == row.step);
        let is = |r: &Row| match (r.what, row.what) {
            (What::Part { part: a, .. }, What::Part { part: b, .. }) => a == b,
            (a, b) => std::mem::discriminant(&a) == std::mem::discriminant(&b),
        };
        of_step.clone().position(is).map(|at| first + at)
    }

    /// The row of a step; of one that is hidden the nearest caller that is shown.
    pub fn find(&self, tree: &Tree, step: u32) -> Option<usize> {
        let is_step = |r: &Row| matches!(r.what, What::Step { .. });
        let mut at = Some(step).filter(|&s| s != NO_STEP);
        while let Some(step) = at {
            // Rows are in the order of steps.
            let row = self.rows.partition_point(|r| r.step < step);
            if self.rows.get(row).is_some_and(|r| r.step == step && is_step(r)) {
                return Some(row);
            }
            at = tree.steps.get(step as usize).map(|s| s.parent).filter(|&p| p != NO_STEP);
        }
        None
    }
}

/// True for a step, and for an ordinary span whose caller shows its own.
fn is_shown(tree: &Tree, folds: &Folds, at: usize) -> bool {
    let step = &tree.steps[at];
    step.shown
        || step.parent != NO_STEP && {
            let caller = &tree.steps[step.parent as usize];
            folds.spans.contains(&caller.key)
        }
}

/// For each step the ordinary spans below it that are not shown, up to the next steps.
fn hidden(tree: &Tree, folds: &Folds) -> Vec<usize> {
    let mut counts = vec![0usize; tree.steps.len()];
    // The nearest caller that is shown.
    let mut nearest: Vec<u32> = vec![NO_STEP; tree.steps.len()];
    for at in 0..tree.steps.len() {
        let up = tree.steps[at].parent;
        let above = if up == NO_STEP { NO_STEP } else { nearest[up as usize] };
        if is_shown(tree, folds, at) {
            nearest[at] = at as u32;
        } else {
            nearest[at] = above;
            if let Some(count) = counts.get_mut(above as usize) {
                *count += 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::prices::Prices;
    use crate::analysis::testing::{ask, built};
    use crate::analysis::trace::{TraceOf, list};
    use crate::model::{ArgsRef, FunctionSpec, TrackId, TrackKind, TrackSpec};

    /// An agent whose chain hides two spans between it and its tools.
    fn tree() -> (Arc<Profile>, Arc<Tree>) {
        let run = built(|b| {
            let t = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Async, sort: 0 });
            for (name, category, start, end) in [
                ("plan", "agent", 0, 100),
                ("inner", "", 10, 60),
                ("deeper", "", 12, 50),
                ("search", "tool", 20, 40),
                ("parse", "", 22, 30),
                ("write", "tool", 70, 90),
            ] {
                let f = b.function(FunctionSpec { category, ..FunctionSpec::named(name) });
                b.span(t, start, end, f, ArgsRef::NONE);
            }
        });
        let which = list::of_span(&run.profile, (TrackId(0), 0)).unwrap();
        let tree = ask(&run, &TraceOf { which, prices: Prices::default() });
        (run.profile, tree)
    }

    fn rows(profile: &Profile, tree: &Tree, folds: &Folds) -> Vec<String> {
        let listed = Listed::of(profile, tree, folds, &|_, _| 30.0);
        let text = |r: &Row| {
            let name = tree.steps[r.step as usize].name(profile);
            let text = match r.what {
                What::Step { hidden: 0, .. } => name.to_owned(),
                What::Step { hidden, .. } => format!("{name} +{hidden}"),
                What::Before { parts } => format!("{parts} before"),
                What::Part { part, .. } => format!("part {part}"),
            };
            format!("{}{text}", ">".repeat(r.depth as usize))
        };
        listed.rows.iter().map(text).collect()
    }

    #[test]
    fn ordinary_spans_are_counted_under_the_next_step_and_open_level_by_level() {
        let (profile, tree) = tree();
        let mut folds = Folds::default();
        assert_eq!(rows(&profile, &tree, &folds), ["plan +2", ">search +1", ">write"]);
        folds.spans.insert(tree.steps[0].key);
        assert_eq!(rows(&profile, &tree, &folds), ["plan", ">inner +1", ">>search +1", ">write"]);
        folds.closed.insert(tree.steps[1].key);
        assert_eq!(rows(&profile, &tree, &folds), ["plan", ">inner +1", ">write"]);
        let listed = Listed::of(&profile, &tree, &folds, &|_, _| 30.0);
        assert_eq!(listed.find(&tree, 3), Some(1), "what is hidden is under its caller");
        assert_eq!(listed.seen(STEP, STEP + 1.0), 1..2);
        assert_eq!(listed.height, 3.0 * STEP);
    }
}
