//! The clocks of ranks: all that take part in a collective operation end together.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::matched::{Matched, Operation, Part};
use super::robust::{middle, quantile};
use super::{Chosen, short_job};
use crate::fleet::dataset::Snapshot;
use crate::fleet::runs::{Job, Runs};

/// How far a rank's clock is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The rank.
    pub rank: i64,
    /// How far it is ahead of the middle of its group, ns; `None` where it shares no operation with others.
    pub offset: Option<i64>,
    /// What is left between its ends and those of the others once the offset is taken away, ns: of half of its operations no more
    /// than this.
    pub residual: Option<i64>,
    /// Operations that say so.
    pub operations: usize,
}

/// Clocks of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The job.
    pub job: String,
    /// By rank.
    pub ranks: Vec<Clock>,
    /// What is left on all clocks, ns: of nine of ten ranks no more than this.
    pub residual: Option<i64>,
}

/// Clocks of all jobs with ranks.
///
/// # Errors
/// When a file cannot be read.
pub fn clocks(snapshot: &Snapshot, chosen: &Chosen) -> io::Result<Vec<Clocks>> {
    let runs = Runs::load(snapshot)?;
    let jobs: Vec<Job> = chosen.jobs(&runs).into_iter().filter(Job::is_ranked).collect();
    let matched = Matched::load(snapshot, &runs, &jobs)?;
    Ok(jobs.iter().zip(&matched).map(|(job, matched)| of_job(job, &matched.operations)).collect())
}

/// Most operations of a group that are looked at: a clock is known from far fewer.
const MOST: usize = 2_000;

/// Aligns the clocks group by group, the largest first: within a group by the middle of its ends, a further one by its ranks that
/// are aligned already. What no group connects is aligned by itself.
pub(in crate::fleet) fn of_job(job: &Job, operations: &[Operation]) -> Clocks {
    let mut groups: BTreeMap<u32, Vec<&Operation>> = BTreeMap::new();
    operations.iter().for_each(|o| groups.entry(o.group).or_default().push(o));
    let mut groups: Vec<Vec<&Operation>> = groups
        .into_values()
        .map(|all| {
            let stride = (all.len() / MOST).max(1);
            all.into_iter().step_by(stride).collect()
        })
        .collect();
    groups.sort_by_key(|all: &Vec<&Operation>| Reverse(all.iter().map(|o| o.parts.len()).max()));
    let used = groups.concat();
    let mut offsets: Vec<Option<i64>> = vec![None; job.ranks.len()];
    while !groups.is_empty() {
        let reaches = |all: &Vec<&Operation>| {
            all.iter().flat_map(|o| &o.parts).any(|part| offsets[part.rank as usize].is_some())
        };
        let next = groups.iter().position(reaches).unwrap_or(0);
        align(&groups.remove(next), &mut offsets);
    }
    // How far each rank's ends lie from the middle once clocks are aligned.
    let mut off: Vec<Vec<i64>> = vec![Vec::new(); job.ranks.len()];
    for operation in used {
        let end = |p: &Part| p.end().saturating_sub(offsets[p.rank as usize].unwrap_or(0));
        let Some(reference) = middle(&mut operation.parts.iter().map(end).collect::<Vec<_>>()) else {
            continue;
        };
        for part in &operation.parts {
            off[part.rank as usize].push(end(part).saturating_sub(reference).saturating_abs());
        }
    }
    let clock = |(at, (rank, _)): (usize, &(i64, u32))| Clock {
        rank: *rank,
        offset: offsets[at],
        residual: middle(&mut off[at].clone()),
        operations: off[at].len(),
    };
    let ranks: Vec<Clock> = job.ranks.iter().enumerate().map(clock).collect();
    let mut left: Vec<i64> = ranks.iter().filter_map(|c| c.residual).collect();
    Clocks { job: short_job(&job.name).to_owned(), residual: quantile(&mut left, 0.9), ranks }
}

/// Gives an offset to the ranks of a group that have none.
fn align(operations: &[&Operation], offsets: &mut [Option<i64>]) {
    let mut late: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for operation in operations {
        let aligned = |p: &Part| Some(p.end().saturating_sub(offsets[p.rank as usize]?));
        let mut ends: Vec<i64> = operation.parts.iter().filter_map(aligned).collect();
        if ends.is_empty() {
            ends = operation.parts.iter().map(Part::end).collect();
        }
        let Some(reference) = middle(&mut ends) else { continue };
        for part in operation.parts.iter().filter(|p| offsets[p.rank as usize].is_none()) {
            late.entry(part.rank).or_default().push(part.end().saturating_sub(reference));
        }
    }
    for (rank, mut late) in late {
        offsets[rank as usize] = middle(&mut late);
    }
}
