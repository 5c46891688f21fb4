//! Which of the usual ways to make an LLM application faster a run shows ([`Lever`]): tried, suggested by a finding, not applicable, or
//! not known. Of two runs: which levers they differ in, what else differs, and what came of it.

mod between;
#[cfg(test)]
mod tests;
mod used;

pub use between::{Between, Step, Tried};

use super::findings::{Findings, Noted};
use super::levers::Lever;
use super::prices::Prices;
use crate::jobs::Cancelled;
use crate::model::{Profile, TrackKind};
use crate::query::{Context, Query};

/// How a lever stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is in use, or compared.
    Tried,
    /// A finding suggests it.
    Suggested,
    /// It does not apply.
    NotApplicable,
    /// Nothing says.
    Unknown,
}

impl Status {
    /// The word in reports and on the screen.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tried => "tried",
            Self::Suggested => "suggested",
            Self::NotApplicable => "not applicable",
            Self::Unknown => "unknown",
        }
    }
}

/// A lever in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub lever: Lever,
    /// How it stands.
    pub status: Status,
    /// What the run shows of it, or why it does not apply or is not known: a sentence.
    pub why: String,
    /// Findings that suggest it, the worst first, also where it was tried.
    pub findings: Vec<Noted>,
}

/// What the run itself says of a lever.
enum Said {
    /// It is in use.
    Used(String),
    /// It does not apply.
    Never(String),
    /// Nothing says so.
    Open(String),
}

/// True for a run that has anything to do with language models or GPUs.
#[must_use]
pub fn has_levers(profile: &Profile) -> bool {
    let on_gpu = |t: &crate::model::Track| t.kind == TrackKind::GpuStream && !t.spans.rows.is_empty();
    !profile.requests.rows.is_empty()
        || profile.tracks.iter().any(on_gpu)
        || super::compute::Given::of_run(profile).parameters.is_some()
        || super::ops::has_ops(profile)
}

/// All levers of a run, in the order of [`Lever::ALL`]; none where it has nothing to do with them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Optimisations {
    /// By which requests are priced.
    pub prices: Prices,
}

impl Query for Optimisations {
    type Output = Vec<Entry>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<Entry>, Cancelled> {
        if !has_levers(cx.profile()) {
            return Ok(Vec::new());
        }
        let found = cx.get(&Findings { prices: self.prices.clone() })?;
        let seen = used::Seen::of(cx, &self.prices)?;
        let entry = |lever| {
            let findings: Vec<Noted> = found.iter().filter(|n| n.lever == Some(lever)).cloned().collect();
            let (status, why) = match seen.said(lever) {
                Said::Used(why) => (Status::Tried, why),
                Said::Never(why) if findings.is_empty() => (Status::NotApplicable, why),
                Said::Open(why) if findings.is_empty() => (Status::Unknown, why),
                Said::Never(why) | Said::Open(why) => (Status::Suggested, why),
            };
            Entry { lever, status, why, findings }
        };
        Ok(Lever::ALL.map(entry).into())
    }

    fn weight(all: &Vec<Entry>) -> usize {
        all.iter().map(|e| size_of::<Entry>() + e.why.len() + e.findings.len() * size_of::<Noted>()).sum()
    }
}
