//! Lines of samples.

use rustc_hash::FxHashMap;

use super::super::CallTree;
use super::super::call_tree::NO_NODE;
use super::super::tree_costs::{cut, touches};
use super::adding::Adding;
use super::{Asked, LineCall};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile, StringId, Strings};
use crate::query::Context;

/// True when a frame of the function says its line.
pub(super) fn has_lines(profile: &Profile, function: FunctionId) -> bool {
    profile.sample_count() > 0 && profile.frames.rows().iter().any(|f| f.function == function && f.line > 0)
}

impl Asked<'_> {
    /// Weight and number of samples that ended in each stack.
    fn leaves(&self, profile: &Profile, tree: &CallTree) -> Vec<(i64, u64)> {
        let mut leaves = vec![(0i64, 0u64); profile.stacks.len()];
        for id in self.slice.scope.work_tracks(profile) {
            let samples = &profile.track(id).samples;
            let each = profile.samples_of(profile.track(id));
            let weights: Vec<(i64, &Vec<i64>)> = samples
                .weights
                .iter()
                .filter_map(|(m, w)| Some((self.terms.iter().find(|t| t.1 == *m)?.0, w)))
                .collect();
            let range = if samples.is_timed() { self.slice.range } else { None };
            for (i, stack) in samples.stacks.iter().enumerate() {
                let Some(stack) = stack.map(|s| s.index()) else { continue };
                let alive = tree.stacks.get(stack).is_some_and(|&n| n != NO_NODE);
                let (start, end) = samples.interval(i).unwrap_or_default();
                if !alive || !touches(start, end, range) {
                    continue;
                }
                leaves[stack].1 = leaves[stack].1.saturating_add(each.row(i));
                for (factor, weights) in &weights {
                    let weight = weights.get(i).copied().unwrap_or(0).saturating_mul(*factor);
                    leaves[stack].0 = leaves[stack].0.saturating_add(cut(weight, start, end, range));
                }
            }
        }
        leaves
    }

    pub(super) fn of_samples(
        &self,
        profile: &Profile,
        tree: &CallTree,
        cx: &Context<'_>,
        adding: &mut Adding,
    ) -> Result<(), Cancelled> {
        let rows = profile.stacks.rows();
        let own = self.leaves(profile, tree);
        let mut below = own.clone();
        for i in (0..rows.len()).rev() {
            if let Some(parent) = rows[i].parent {
                let (weight, count) = below[i];
                let sums = &mut below[parent.index()];
                *sums = (sums.0.saturating_add(weight), sums.1.saturating_add(count));
            }
        }
        cx.job().checkpoint(0, 0)?;
        // Which line each frame of interest stands for.
        let places: Vec<Option<(StringId, u32)>> = profile
            .frames
            .rows()
            .iter()
            .map(|frame| {
                let file = profile.functions.get(frame.function).file;
                let wanted = self.whole_file.map_or(frame.function == self.function, |f| f == file);
                (wanted && (file != Strings::EMPTY || self.whole_file.is_none()))
                    .then_some((file, frame.line))
            })
            .collect();
        let mut open: FxHashMap<(StringId, u32), u32> = FxHashMap::default();
        let mut open_calls: FxHashMap<(StringId, u32, FunctionId), u32> = FxHashMap::default();
        for visit in preorder(profile) {
            let (Visit::Enter(i) | Visit::Leave(i)) = visit;
            if let Some((caller, place)) =
                rows[i].parent.map(|p| rows[p.index()].frame.index()).and_then(|f| Some((f, places[f]?)))
            {
                let callee = profile.frames.get(rows[i].frame).function;
                let on_path = open_calls.entry((place.0, place.1, callee)).or_default();
                match visit {
                    Visit::Leave(_) => *on_path -= 1,
                    Visit::Enter(_) => {
                        *on_path += 1;
                        if *on_path == 1 && below[i].1 > 0 {
                            let recursive = profile.frames.rows()[caller].function == callee;
                            let (cost, count) = (below[i].0, Some(below[i].1));
                            adding.call(place.0, LineCall { line: place.1, callee, count, cost, recursive });
                        }
                    }
                }
            }
            let Some((file, line)) = places[rows[i].frame.index()] else { continue };
            let on_path = open.entry((file, line)).or_default();
            if matches!(visit, Visit::Leave(_)) {
                *on_path -= 1;
                continue;
            }
            *on_path += 1;
            if below[i].1 == 0 {
                continue;
            }
            let outermost = *on_path == 1;
            let row = adding.at(file, line);
            row.own = row.own.saturating_add(own[i].0);
            let (total, count) = (row.total.unwrap_or(0), row.count.unwrap_or(0));
            let (weight, samples) = if outermost { below[i] } else { (0, 0) };
            (row.total, row.count) = (Some(total.saturating_add(weight)), Some(count + samples));
        }
        Ok(())
    }
}

enum Visit {
    Enter(usize),
    Leave(usize),
}

/// All stacks on the way down and on the way up again.
fn preorder(profile: &Profile) -> impl Iterator<Item = Visit> {
    const NONE: u32 = u32::MAX;
    let rows = profile.stacks.rows();
    let (mut first, mut next, mut roots) = (vec![NONE; rows.len()], vec![NONE; rows.len()], NONE);
    for (i, stack) in rows.iter().enumerate().rev() {
        let head = stack.parent.map_or(&mut roots, |p| &mut first[p.index()]);
        next[i] = std::mem::replace(head, i as u32);
    }
    let mut open: Vec<u32> = Vec::new();
    let mut coming = roots;
    std::iter::from_fn(move || {
        if coming != NONE {
            open.push(coming);
            let at = coming as usize;
            coming = first[at];
            return Some(Visit::Enter(at));
        }
        let done = open.pop()? as usize;
        coming = next[done];
        Some(Visit::Leave(done))
    })
}
