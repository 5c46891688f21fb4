//! The runs that are open.

use std::sync::Arc;

use super::History;
use crate::import::Input;
use crate::model::Profile;
use crate::query::Subject;

/// Where a run came from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// An opened file.
    File(Input),
    /// Recorded here by the named workload; `saved` once it was written to a file.
    Recording {
        /// Id of the workload.
        workload: String,
        /// The file it was saved to.
        saved: Option<std::path::PathBuf>,
    },
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Being read; a partial profile may be there.
    Loading,
    /// Being recorded.
    Live,
    /// Complete.
    Ready,
    /// It could not be opened: one line.
    Failed(String),
}

/// One opened or recorded profile.
#[derive(Clone, Debug)]
pub struct Run {
    /// Number, unique in the process.
    pub id: u32,
    /// What a person calls it.
    pub label: String,
    /// Where it came from.
    pub origin: Origin,
    /// How far it is.
    pub state: RunState,
    /// Counts up with each replaced profile.
    pub revision: u64,
    /// The profile, once there is one.
    pub profile: Option<Arc<Profile>>,
    /// What the person looks at in it.
    pub history: History,
}

impl Run {
    /// What queries are asked about.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        Some(Subject { run: self.id, revision: self.revision, profile: self.profile.clone()? })
    }

    /// Replaces the profile by a newer one and carries the view state over.
    pub fn replace(&mut self, profile: Arc<Profile>) {
        if let Some(old) = &self.profile {
            self.history.rekey(old, &profile);
        }
        self.profile = Some(profile);
        self.revision += 1;
    }

    /// Why there is no profile of it, or why what it shows failed; one line.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match &self.state {
            RunState::Failed(why) => Some(why),
            _ => self.profile.as_ref()?.meta.failed.as_deref(),
        }
    }

    /// The input that the profile was read from, for details that stay in the file.
    #[must_use]
    pub fn input(&self) -> Option<&Input> {
        match &self.origin {
            Origin::File(input) => Some(input),
            Origin::Recording { .. } => None,
        }
    }
}

/// All open runs.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// In order of opening.
    pub runs: Vec<Run>,
    /// Id of the run that is shown.
    pub active: Option<u32>,
    next: u32,
}

impl Session {
    /// Adds a run and shows it.
    pub fn add(&mut self, label: &str, origin: Origin, state: RunState) -> u32 {
        self.next += 1;
        let id = self.next;
        self.runs.push(Run {
            id,
            label: label.into(),
            origin,
            state,
            revision: 0,
            profile: None,
            history: History::default(),
        });
        self.active = Some(id);
        id
    }

    /// The run that is shown.
    #[must_use]
    pub fn active(&self) -> Option<&Run> {
        self.active.and_then(|id| self.get(id))
    }

    /// The run that is shown, to change it.
    pub fn active_mut(&mut self) -> Option<&mut Run> {
        self.active.and_then(|id| self.get_mut(id))
    }

    /// The run with id `id`.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Run> {
        self.runs.iter().find(|r| r.id == id)
    }

    /// The run with id `id`, to change it.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut Run> {
        self.runs.iter_mut().find(|r| r.id == id)
    }

    /// Closes a run and shows the one beside it.
    pub fn close(&mut self, id: u32) {
        let Some(place) = self.runs.iter().position(|r| r.id == id) else { return };
        self.runs.remove(place);
        if self.active == Some(id) {
            self.active = self.runs.get(place.min(self.runs.len().saturating_sub(1))).map(|r| r.id);
        }
    }
}
