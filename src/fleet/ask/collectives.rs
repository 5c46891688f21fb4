//! Collective operations of all ranks: what their transfers take, who waits how long, how far apart ranks arrive.

use std::collections::BTreeMap;
use std::io;

use super::clocks;
use super::matched::Matched;
use super::robust::{middle, quantile};
use super::{Chosen, short_job};
use crate::fleet::dataset::Snapshot;
use crate::fleet::runs::{Job, Runs};

/// Operations of one kind in one group.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationSum {
    /// The kind.
    pub kind: String,
    /// The group.
    pub group: String,
    /// Ranks that took part in the first of them.
    pub ranks: usize,
    /// How many.
    pub count: usize,
    /// Bytes of one, in the middle; `None` where no kernel says.
    pub bytes: Option<i64>,
    /// What a transfer takes, ns, in the middle: the least of all ranks.
    pub transfer: i64,
    /// What a rank waits in one, ns, in the middle of the ranks' means.
    pub wait: i64,
    /// How far apart the first and the last rank arrive, on aligned clocks, ns: what 19 of 20 operations do not exceed.
    pub apart: i64,
    /// All transfers and waits of all ranks, ns.
    pub total: i64,
}

/// Operations of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobOperations {
    /// The job.
    pub job: String,
    /// Those with most time first.
    pub rows: Vec<OperationSum>,
    /// How well the clocks agree that arrivals are told by, ns.
    pub clock_residual: Option<i64>,
    /// Rows that only one rank has.
    pub alone: usize,
    /// Rows that are no operation of a whole group, or nobody knows of which kind.
    pub left_out: usize,
}

/// Operations of all jobs with ranks.
///
/// # Errors
/// When a file cannot be read.
pub fn collectives(snapshot: &Snapshot, chosen: &Chosen) -> io::Result<Vec<JobOperations>> {
    let runs = Runs::load(snapshot)?;
    let jobs: Vec<Job> = chosen.jobs(&runs).into_iter().filter(Job::is_ranked).collect();
    let matched = Matched::load(snapshot, &runs, &jobs)?;
    Ok(jobs.iter().zip(&matched).map(|(job, matched)| of_job(job, matched)).collect())
}

fn of_job(job: &Job, matched: &Matched) -> JobOperations {
    let clocks = clocks::of_job(job, &matched.operations);
    let offset = |rank: u32| clocks.ranks[rank as usize].offset.unwrap_or(0);
    let mut sets: BTreeMap<(u32, u32), Vec<&super::matched::Operation>> = BTreeMap::new();
    for operation in &matched.operations {
        sets.entry((operation.kind, operation.group)).or_default().push(operation);
    }
    let sum = |((kind, group), all): ((u32, u32), Vec<&super::matched::Operation>)| {
        let mut transfers: Vec<i64> = all.iter().map(|o| o.transfer()).collect();
        let mut bytes: Vec<i64> = all.iter().filter_map(|o| o.parts[0].bytes).collect();
        let took =
            |o: &super::matched::Operation| o.parts.iter().map(|p| p.took).fold(0i64, i64::saturating_add);
        let wait = |o: &super::matched::Operation| took(o) / o.parts.len() as i64 - o.transfer();
        let apart = |o: &super::matched::Operation| {
            let starts = || o.parts.iter().map(|p| p.start.saturating_sub(offset(p.rank)));
            starts().max().unwrap_or(0) - starts().min().unwrap_or(0)
        };
        OperationSum {
            kind: matched.kinds[kind as usize].clone(),
            group: matched.groups[group as usize].clone(),
            ranks: all[0].parts.len(),
            count: all.len(),
            bytes: middle(&mut bytes),
            transfer: middle(&mut transfers).unwrap_or(0),
            wait: middle(&mut all.iter().map(|o| wait(o)).collect::<Vec<_>>()).unwrap_or(0),
            apart: quantile(&mut all.iter().map(|o| apart(o)).collect::<Vec<_>>(), 0.95).unwrap_or(0),
            total: all.iter().map(|o| took(o)).fold(0, i64::saturating_add),
        }
    };
    let mut rows: Vec<OperationSum> = sets.into_iter().map(sum).collect();
    rows.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| (&a.kind, &a.group).cmp(&(&b.kind, &b.group))));
    JobOperations {
        job: short_job(&job.name).to_owned(),
        rows,
        clock_residual: clocks.residual,
        alone: matched.alone,
        left_out: matched.left_out,
    }
}
