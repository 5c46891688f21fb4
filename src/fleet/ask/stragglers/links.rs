//! Transfers that take longer than those of other groups, or than before.

use std::collections::BTreeMap;

use super::super::matched::Matched;
use super::super::robust::{change, heaviest, middle, spread};
use super::super::steps::Grid;
use super::Found;
use crate::analysis::diff::evidence::mann_whitney;
use crate::fleet::runs::Job;

/// Longer by less than this share of the usual is not slow.
const SLOWER: f64 = 0.3;
/// Longer by less than this share of a step is not worth a word.
const LEAST_SHARE: f64 = 0.02;
/// As many spreads of all groups as a slow one must be away from the middle.
const LEAST_SPREADS: f64 = 6.0;
/// So many groups of one size tell which one is slow.
const LEAST_GROUPS: usize = 3;
/// So many steps before and after a change of all.
const LEAST_STEPS: usize = 4;
/// A change of all by chance less often than this is one.
const ALPHA: f64 = 0.05;

pub(super) fn slow(job: &Job, grid: &Grid, matched: &Matched) -> Vec<Found> {
    let mut found = groups(job, grid, matched);
    // What one group explains is no change of all.
    if found.is_empty() {
        found.extend(since(grid, matched));
    }
    found
}

/// How long a step takes, ns, in the middle of all.
fn step_time(grid: &Grid) -> i64 {
    middle(&mut grid.cells.iter().flatten().map(|c| c.took).collect::<Vec<_>>()).unwrap_or(0)
}

fn whole(grid: &Grid) -> f64 {
    (step_time(grid).max(1) as f64) * grid.steps.len().max(1) as f64
}

fn groups(job: &Job, grid: &Grid, matched: &Matched) -> Vec<Found> {
    // Transfers of each group by step, in sets of groups that do the same: kind, bytes and number of ranks.
    type Alike = (u32, Option<i64>, usize);
    let mut sets: BTreeMap<Alike, BTreeMap<u32, Vec<i64>>> = BTreeMap::new();
    for operation in &matched.operations {
        let step = operation.step.and_then(|step| grid.steps.binary_search(&step).ok());
        let Some(step) = step else { continue };
        let alike = (operation.kind, operation.parts[0].bytes, operation.parts.len());
        let row = sets
            .entry(alike)
            .or_default()
            .entry(operation.group)
            .or_insert_with(|| vec![0; grid.steps.len()]);
        row[step] = row[step].saturating_add(operation.transfer());
    }
    let took = step_time(grid) as f64;
    let mut found = Vec::new();
    for groups in sets.values().filter(|groups| groups.len() >= LEAST_GROUPS) {
        let usual: Vec<(i64, f64)> = (0..grid.steps.len())
            .map(|step| {
                let mut of_step: Vec<i64> = groups.values().map(|row| row[step]).collect();
                let usual = middle(&mut of_step).unwrap_or(0);
                (usual, spread(&of_step, usual))
            })
            .collect();
        for (group, row) in groups {
            let is_slow = |step: usize| {
                let (usual, spread) = usual[step];
                let more = row[step].saturating_sub(usual) as f64;
                more > SLOWER * usual as f64 && more > LEAST_SHARE * took && more > LEAST_SPREADS * spread
            };
            let enough = (grid.steps.len() * 15 / 100).max(3).min(grid.steps.len()) as i64;
            let steps = (0..grid.steps.len()).map(|step| if is_slow(step) { 1 } else { -1 });
            let Some((range, _)) = heaviest(steps).filter(|(_, score)| *score >= enough.min(3)) else {
                continue;
            };
            let mut own: Vec<i64> = row[range.clone()].to_vec();
            let mut others: Vec<i64> = usual[range.clone()].iter().map(|u| u.0).collect();
            let (transfer, usual) = (middle(&mut own).unwrap_or(0), middle(&mut others).unwrap_or(0));
            let more = (transfer - usual) as f64 * range.len() as f64;
            let of_group = matched.operations.iter().filter(|o| o.group == *group).flat_map(|o| &o.parts);
            let mut ranks: Vec<i64> = of_group.map(|part| job.ranks[part.rank as usize].0).collect();
            ranks.sort_unstable();
            ranks.dedup();
            found.push(Found::SlowGroup {
                group: matched.groups[*group as usize].clone(),
                ranks,
                steps: (grid.steps[range.start], grid.steps[range.end - 1]),
                transfer,
                usual,
                cost: more / whole(grid),
            });
        }
    }
    found
}

/// A step from which on transfers of the whole job take longer.
fn since(grid: &Grid, matched: &Matched) -> Option<Found> {
    let mut by_step = vec![Vec::new(); grid.steps.len()];
    for operation in &matched.operations {
        if let Some(step) = operation.step.and_then(|step| grid.steps.binary_search(&step).ok()) {
            by_step[step].push(operation.transfer());
        }
    }
    // Where steps differ in what they transfer, longer means more rather than slower.
    let first = by_step.first()?.len();
    if first == 0 || by_step.iter().any(|step| step.len() != first) {
        return None;
    }
    let sums: Vec<i64> = by_step.iter().map(|step| step.iter().sum()).collect();
    let at = change(&sums, LEAST_STEPS)?;
    let before = middle(&mut sums[..at].to_vec())?;
    let after = middle(&mut sums[at..].to_vec())?;
    let more = (after - before) as f64;
    let values = |part: &[i64]| part.iter().map(|v| *v as f64).collect::<Vec<_>>();
    let chance = mann_whitney(&values(&sums[..at]), &values(&sums[at..]));
    // The place was chosen among all steps: each of them could have been one.
    let chance = chance * sums.len() as f64;
    let matters = more > SLOWER * before as f64 && more > LEAST_SHARE * step_time(grid) as f64;
    let cost = more * (sums.len() - at) as f64 / whole(grid);
    (matters && chance < ALPHA).then(|| Found::SlowSince { step: grid.steps[at], before, after, cost })
}
