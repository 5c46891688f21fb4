//! The clocks of ranks: all that take part in a collective operation end together.

use std::io;

use super::matched::{Matched, Operation};
use super::robust::{middle, quantile};
use super::{Chosen, short_job};
use crate::fleet::dataset::Snapshot;
use crate::fleet::runs::{Job, Runs};

/// How far a rank's clock is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The rank.
    pub rank: i64,
    /// How far it is ahead of the middle of all, ns; `None` where it shares no operation with others.
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

/// Most operations that are looked at: a clock is known from far fewer.
const MOST: usize = 20_000;

pub(super) fn of_job(job: &Job, operations: &[Operation]) -> Clocks {
    let stride = (operations.len() / MOST).max(1);
    let used = || operations.iter().step_by(stride);
    let mut offsets = vec![0i64; job.ranks.len()];
    // The middle of the ends moves as clocks are set right; twice is enough, because offsets do not change in time.
    let mut off: Vec<Vec<i64>> = Vec::new();
    for round in 0..2 {
        off = vec![Vec::new(); job.ranks.len()];
        for operation in used() {
            let end = |p: &super::matched::Part| p.end().saturating_sub(offsets[p.rank as usize]);
            let mut ends: Vec<i64> = operation.parts.iter().map(end).collect();
            let Some(reference) = middle(&mut ends) else { continue };
            for part in &operation.parts {
                off[part.rank as usize].push(end(part).saturating_sub(reference));
            }
        }
        if round == 0 {
            for (offset, off) in offsets.iter_mut().zip(&mut off) {
                *offset = middle(off).unwrap_or(0);
            }
        }
    }
    let clock = |((rank, _), (offset, off)): (&(i64, u32), (i64, &mut Vec<i64>))| {
        let late = middle(off);
        let mut left: Vec<i64> = off.iter().map(|o| (o - late.unwrap_or(0)).abs()).collect();
        Clock {
            rank: *rank,
            offset: late.map(|late| offset + late),
            residual: middle(&mut left),
            operations: off.len(),
        }
    };
    let ranks: Vec<Clock> = job.ranks.iter().zip(offsets.iter().copied().zip(&mut off)).map(clock).collect();
    let mut left: Vec<i64> = ranks.iter().filter_map(|c| c.residual).collect();
    Clocks { job: short_job(&job.name).to_owned(), residual: quantile(&mut left, 0.9), ranks }
}
