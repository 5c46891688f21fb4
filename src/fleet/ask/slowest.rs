//! What is there, and which runs take longest.

use std::io;

use super::robust::middle;
use super::{Chosen, short_job};
use crate::fleet::dataset::Snapshot;
use crate::fleet::runs::{Job, RunRow, Runs};

/// Runs by how long they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slowest {
    /// The runs, the longest first; those whose length is not known are left out.
    pub rows: Vec<RunRow>,
    /// Length of the middle one, ns.
    pub middle: Option<i64>,
    /// Runs whose length is not known.
    pub unknown: usize,
}

/// Runs by length.
///
/// # Errors
/// When a file cannot be read.
pub fn slowest(snapshot: &Snapshot, chosen: &Chosen) -> io::Result<Slowest> {
    let runs = Runs::load(snapshot)?;
    let (mut rows, unknown): (Vec<RunRow>, Vec<RunRow>) =
        runs.rows.into_iter().filter(|run| chosen.has(run)).partition(|run| run.duration.is_some());
    rows.sort_by(|a, b| b.duration.cmp(&a.duration).then_with(|| a.uri.cmp(&b.uri)));
    let middle = middle(&mut rows.iter().filter_map(|run| run.duration).collect::<Vec<_>>());
    Ok(Slowest { rows, middle, unknown: unknown.len() })
}

/// A job with what its runs have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobSum {
    /// The job.
    pub job: Job,
    /// What it is called in short.
    pub name: String,
    /// Hosts of its runs.
    pub hosts: usize,
    /// Bytes of its files.
    pub bytes: i64,
    /// Formats of its files.
    pub formats: Vec<String>,
}

/// All jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jobs {
    /// In order of their names.
    pub rows: Vec<JobSum>,
    /// Runs of files that changed since.
    pub superseded: usize,
    /// Runs that are not packed.
    pub loose: usize,
}

/// What is in a dataset.
///
/// # Errors
/// When a file cannot be read.
pub fn jobs(snapshot: &Snapshot, chosen: &Chosen) -> io::Result<Jobs> {
    let runs = Runs::load(snapshot)?;
    Ok(Jobs { rows: jobs_of(&runs, chosen), superseded: runs.superseded, loose: snapshot.loose() })
}

/// Jobs in order of their names.
pub(in crate::fleet) fn jobs_of(runs: &Runs, chosen: &Chosen) -> Vec<JobSum> {
    let sum = |job: Job| {
        let of: Vec<&RunRow> = runs.rows.iter().filter(|run| run.job == job.name).collect();
        let distinct = |mut all: Vec<String>| {
            all.sort();
            all.dedup();
            all
        };
        JobSum {
            name: short_job(&job.name).to_owned(),
            hosts: distinct(of.iter().filter_map(|run| run.host.clone()).collect()).len(),
            bytes: of.iter().map(|run| run.bytes).sum(),
            formats: distinct(of.iter().map(|run| run.format.clone()).collect()),
            job,
        }
    };
    chosen.jobs(runs).into_iter().map(sum).collect()
}
