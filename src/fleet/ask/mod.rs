//! Questions about a dataset: each reads the columns that it needs and answers with rows of its own.

pub mod clocks;
pub mod collectives;
pub mod functions;
pub mod heat;
pub mod history;
pub mod lanes;
pub(super) mod matched;
pub mod requests;
mod robust;
pub mod settings;
pub mod slowest;
pub mod steps;
pub mod stragglers;

use super::runs::{Job, RunRow, Runs};
use crate::model::Unit;

/// Which runs a question is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The job: its whole name, or its end.
    pub job: Option<String>,
    /// Labels that a run must have.
    pub labels: Vec<(String, String)>,
}

impl Chosen {
    /// True when the question is about a run.
    #[must_use]
    pub fn has(&self, run: &RunRow) -> bool {
        let is_job = self.job.as_ref().is_none_or(|job| run.job == *job || short_job(&run.job) == job);
        is_job && self.labels.iter().all(|(key, value)| run.label(key) == Some(value))
    }

    /// The same of all its runs.
    #[must_use]
    pub fn places(&self, runs: &Runs) -> Vec<bool> {
        runs.rows.iter().map(|run| self.has(run)).collect()
    }

    /// Jobs with a run that the question is about.
    #[must_use]
    pub fn jobs(&self, runs: &Runs) -> Vec<Job> {
        let chosen = self.places(runs);
        let has = |job: &Job| {
            let doubles = job.doubles.iter().flat_map(|(_, places)| places);
            let all = job.ranks.iter().map(|(_, place)| place).chain(&job.unranked).chain(doubles);
            all.into_iter().any(|&place| chosen[place as usize])
        };
        runs.jobs().into_iter().filter(has).collect()
    }
}

/// The unit that a key in a table names.
#[must_use]
pub fn unit_of(key: &str) -> Unit {
    let all =
        [Unit::Nanoseconds, Unit::Bytes, Unit::Count, Unit::Tokens, Unit::NanoDollars, Unit::MilliPercent];
    all.into_iter().find(|unit| unit.key() == key).unwrap_or(Unit::None)
}

/// A job that is a folder is called by its last part.
#[must_use]
pub fn short_job(job: &str) -> &str {
    job.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(job)
}
