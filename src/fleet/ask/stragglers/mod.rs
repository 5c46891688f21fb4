//! Which rank the others wait for, since which step, and why.
//!
//! All ranks of a collective operation end together: the one that came last takes the transfer alone, the others wait beside
//! it. So who waits least in a step, by far, is who was waited for; no clock is needed for that. What its GPU did more of than the
//! middle rank's says why. Where runs have no collective operations that can be matched, ranks are compared by how long they
//! compute.

mod kernels;
mod late;
mod links;
#[cfg(test)]
mod tests;
mod words;

use std::io;

pub use kernels::KernelChange;
pub use words::sentence;

use super::clocks;
use super::matched::Matched;
use super::robust::middle;
use super::steps::{Grid, grids};
use super::{Chosen, short_job};
use crate::fleet::dataset::Snapshot;
use crate::fleet::runs::{Job, Runs};

/// What the comparison of ranks rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rests {
    /// Who waits in collective operations.
    Waits,
    /// How long kernels compute: nothing tells who waits.
    Compute,
    /// How long steps take: there are no GPUs.
    Steps,
}

impl Rests {
    /// The word in JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Compute => "compute",
            Self::Steps => "steps",
        }
    }
}

/// Why a rank is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its kernels take longer.
    Compute,
    /// Its GPU has nothing to do: the host launches late.
    Host,
    /// Copies take longer.
    Copies,
    /// Transfers in its group take longer.
    Link,
    /// It has more data to exchange than others.
    Imbalance,
    /// Nothing of that explains half of it.
    Unclear,
}

impl Why {
    /// The word in JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Compute => "compute straggler",
            Self::Host => "late host",
            Self::Copies => "slow copies",
            Self::Link => "slow link",
            Self::Imbalance => "imbalance",
            Self::Unclear => "inconclusive",
        }
    }
}

/// Ranks that are late in the same steps for the same reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    /// The ranks.
    pub ranks: Vec<i64>,
    /// Their hosts, where known.
    pub hosts: Vec<String>,
    /// They are all ranks that their host has, and more than one.
    pub whole_host: bool,
    /// First and last step.
    pub steps: (i64, i64),
    /// In so many of the steps between they are late.
    pub in_steps: usize,
    /// True when the first step is not the first that was recorded.
    pub since: bool,
    /// True when they are late to the last step that was recorded.
    pub to_end: bool,
    /// Why.
    pub why: Why,
    /// How much later than the middle rank they are in a step, ns, in the middle of these steps.
    pub behind: i64,
    /// What they do longer than the middle rank, as a share of what that takes; `None` where that is not known.
    pub excess: Option<f64>,
    /// Kernels of the first of the ranks that take longer, most time first; empty where spans were not kept.
    pub kernels: Vec<KernelChange>,
    /// What it costs, as a share of all steps: what the middle rank waits for them at most.
    pub cost: f64,
}

/// Something that slows a job down.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The same ranks are late step after step.
    Fixed(Late),
    /// A rank was late once.
    Hiccup(Late),
    /// Some rank is late in many steps, now this one, now that one.
    Rotating {
        /// In so many steps.
        steps: usize,
        /// So many ranks.
        ranks: usize,
        /// How late they are, ns, in the middle.
        behind: i64,
        /// As [`Late::cost`].
        cost: f64,
    },
    /// Transfers of one group take longer than those of other groups of its size.
    SlowGroup {
        /// The group.
        group: String,
        /// Its ranks that are there.
        ranks: Vec<i64>,
        /// First and last step.
        steps: (i64, i64),
        /// Transfer in a step, ns.
        transfer: i64,
        /// The same of the middle group.
        usual: i64,
        /// As a share of all steps.
        cost: f64,
    },
    /// From a step on, transfers of all ranks take longer.
    SlowSince {
        /// The step.
        step: i64,
        /// Transfer in a step before, ns.
        before: i64,
        /// And since then.
        after: i64,
        /// As a share of all steps.
        cost: f64,
    },
}

impl Found {
    /// Its class in a word.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Fixed(late) => late.why.key(),
            Self::Hiccup(_) => "hiccup",
            Self::Rotating { .. } => "rotating",
            Self::SlowGroup { .. } | Self::SlowSince { .. } => Why::Link.key(),
        }
    }

    /// What it costs, as a share of all steps.
    #[must_use]
    pub fn cost(&self) -> f64 {
        match self {
            Self::Fixed(late) | Self::Hiccup(late) => late.cost,
            Self::Rotating { cost, .. } | Self::SlowGroup { cost, .. } | Self::SlowSince { cost, .. } => {
                *cost
            }
        }
    }
}

/// One job, and what slows it down.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStragglers {
    /// The job.
    pub job: String,
    /// Ranks that are there.
    pub ranks: usize,
    /// How many there should be.
    pub world_size: Option<i64>,
    /// Ranks that are not there.
    pub missing: Vec<i64>,
    /// Ranks that several files say they are, with those files.
    pub doubles: Vec<(i64, Vec<String>)>,
    /// Runs without a rank.
    pub unranked: usize,
    /// What is wrong with the set of ranks, a line each.
    pub gaps: Vec<String>,
    /// How the ranks are known.
    pub rank_from: Vec<String>,
    /// First and last step, and how many there are.
    pub steps: Option<(i64, i64, usize)>,
    /// How long a step takes in the middle, ns.
    pub step_time: Option<i64>,
    /// What it rests on.
    pub rests: Rests,
    /// Matched operations a step, and what their transfers and waits take a step, ns, in the middle.
    pub operations: usize,
    /// See `operations`.
    pub transfer: Option<i64>,
    /// See `operations`.
    pub wait: Option<i64>,
    /// How well the ranks' clocks agree once they are aligned, ns; `None` where nothing tells.
    pub clock_residual: Option<i64>,
    /// What was found, the most costly first.
    pub found: Vec<Found>,
}

/// Looks at all jobs with ranks.
///
/// # Errors
/// When a file cannot be read.
pub fn stragglers(snapshot: &Snapshot, chosen: &Chosen) -> io::Result<Vec<JobStragglers>> {
    let runs = Runs::load(snapshot)?;
    let jobs: Vec<Job> = chosen.jobs(&runs).into_iter().filter(Job::is_ranked).collect();
    let grids = grids(snapshot, &runs, &jobs)?;
    let matched = Matched::load(snapshot, &runs, &jobs)?;
    let mut all = Vec::new();
    for ((job, grid), matched) in jobs.iter().zip(&grids).zip(&matched) {
        all.push(of_job(snapshot, &runs, job, grid, matched)?);
    }
    Ok(all)
}

/// How far behind the middle rank each rank is, ns, step by step: what [`stragglers`] judges by.
pub(in crate::fleet) fn behind(grid: &Grid, matched: &Matched) -> Vec<Option<i64>> {
    late::Waits::of(grid, matched).behind
}

/// The same of one job.
pub(in crate::fleet) fn of_job(
    snapshot: &Snapshot,
    runs: &Runs,
    job: &Job,
    grid: &Grid,
    matched: &Matched,
) -> io::Result<JobStragglers> {
    let hosts: Vec<Option<&str>> =
        job.ranks.iter().map(|(_, place)| runs.rows[*place as usize].host.as_deref()).collect();
    let waits = late::Waits::of(grid, matched);
    let mut found = links::slow(job, grid, matched);
    let slow_ranks = found.iter().flat_map(|f| match f {
        Found::SlowGroup { ranks, .. } => ranks.as_slice(),
        _ => &[],
    });
    let slow_ranks: Vec<i64> = slow_ranks.copied().collect();
    for mut one in late::find(job, &hosts, grid, &waits) {
        if let Found::Fixed(late) = &mut one {
            // Said already: their group's transfers take longer, so they come late to all others.
            if late.why == Why::Link && late.ranks.iter().all(|rank| slow_ranks.contains(rank)) {
                continue;
            }
            if late.why == Why::Compute {
                late.kernels = kernels::slower(snapshot, runs, job, late)?;
            }
        }
        found.push(one);
    }
    found.sort_by(|a, b| b.cost().total_cmp(&a.cost()));
    let uri = |place: &u32| runs.rows[*place as usize].uri.clone();
    let doubles =
        job.doubles.iter().map(|(rank, places)| (*rank, places.iter().map(uri).collect())).collect();
    let clocks = clocks::of_job(job, &matched.operations);
    let mut took: Vec<i64> = grid.cells.iter().flatten().map(|c| c.took).collect();
    let steps = grid.steps.first().zip(grid.steps.last()).map(|(a, b)| (*a, *b, grid.steps.len()));
    Ok(JobStragglers {
        job: short_job(&job.name).to_owned(),
        ranks: job.ranks.len(),
        world_size: job.world_size,
        missing: job.missing.clone(),
        doubles,
        unranked: job.unranked.len(),
        gaps: job.gaps(),
        rank_from: job.from.clone(),
        steps,
        step_time: middle(&mut took),
        rests: waits.rests,
        operations: matched.operations.len(),
        transfer: middle(&mut waits.transfers.clone()).filter(|_| waits.rests == Rests::Waits),
        wait: middle(&mut waits.middles.clone()).filter(|_| waits.rests == Rests::Waits),
        clock_residual: clocks.residual,
        found,
    })
}
