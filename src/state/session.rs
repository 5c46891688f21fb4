//! The runs that are open.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Decision, History, Interaction};
use crate::import::Input;
use crate::model::Profile;
use crate::query::{Alignment, Pair, Revision, Run, RunId, Subject};

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

/// One opened or recorded profile, as the session holds it.
#[derive(Clone, Debug)]
pub struct OpenRun {
    /// Number, unique in the process.
    pub id: RunId,
    /// What a person calls it.
    pub label: String,
    /// Where it came from.
    pub origin: Origin,
    /// How far it is.
    pub state: RunState,
    /// Counts up with each replaced profile.
    pub revision: Revision,
    /// The profile, once there is one.
    pub profile: Option<Arc<Profile>>,
    /// What the person looks at in it while it is shown alone.
    pub history: History,
    /// What the person wrote about it.
    pub note: String,
    /// Whether the change that it shows stays.
    pub decision: Decision,
}

impl OpenRun {
    /// What queries are asked about.
    #[must_use]
    pub fn run(&self) -> Option<Run> {
        Some(Run { id: self.id, revision: self.revision, profile: self.profile.clone()? })
    }

    /// Replaces the profile by a newer one.
    pub fn replace(&mut self, profile: Arc<Profile>) {
        self.profile = Some(profile);
        self.revision = self.revision.next();
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
    pub runs: Vec<OpenRun>,
    /// Id of the run that is shown.
    pub active: Option<RunId>,
    /// Id of the run that all others are compared with.
    baseline: Option<RunId>,
    /// How two runs are laid beside each other.
    pub alignment: Alignment,
    /// What the person looks at in pairs: base and head.
    pairs: HashMap<(RunId, RunId), History>,
    next: u32,
}

impl Session {
    /// Adds a run and shows it. Runs of one name are numbered: «count.py», «count.py (2)».
    pub fn add(&mut self, label: &str, origin: Origin, state: RunState) -> RunId {
        self.next += 1;
        let id = RunId(self.next);
        let label = (2..=self.runs.len() + 1).fold(label.to_owned(), |name, n| {
            match self.runs.iter().any(|run| *run.label == *name) {
                true => format!("{label} ({n})"),
                false => name,
            }
        });
        self.runs.push(OpenRun {
            id,
            label,
            origin,
            state,
            revision: Revision(0),
            profile: None,
            history: History::default(),
            note: String::new(),
            decision: Decision::default(),
        });
        self.active = Some(id);
        id
    }

    /// The run that is shown.
    #[must_use]
    pub fn active(&self) -> Option<&OpenRun> {
        self.active.and_then(|id| self.get(id))
    }

    /// The run that is shown, to change it.
    pub fn active_mut(&mut self) -> Option<&mut OpenRun> {
        self.active.and_then(|id| self.get_mut(id))
    }

    /// The run with id `id`.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<&OpenRun> {
        self.runs.iter().find(|r| r.id == id)
    }

    /// The run with id `id`, to change it.
    pub fn get_mut(&mut self, id: RunId) -> Option<&mut OpenRun> {
        self.runs.iter_mut().find(|r| r.id == id)
    }

    /// The run that all others are compared with.
    #[must_use]
    pub fn baseline(&self) -> Option<RunId> {
        self.baseline
    }

    /// Compares every run with this one from now on, or none with any.
    pub fn set_baseline(&mut self, run: Option<RunId>) {
        self.baseline = run.filter(|&id| self.get(id).is_some());
    }

    /// Base and head, when the shown run is compared with another one and both have a profile.
    fn compared(&self) -> Option<(RunId, RunId)> {
        let ready = |id: Option<RunId>| id.filter(|&id| self.get(id).is_some_and(|r| r.profile.is_some()));
        let (base, head) = (ready(self.baseline)?, ready(self.active)?);
        (base != head).then_some((base, head))
    }

    /// What all panes show; `None` without a profile.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        let run = |id| self.get(id).and_then(OpenRun::run);
        Some(match self.compared() {
            Some((base, head)) => {
                Subject::Pair(Pair { base: run(base)?, head: run(head)?, alignment: self.alignment.clone() })
            }
            None => Subject::One(self.active()?.run()?),
        })
    }

    /// What the person looks at: in the pair, when two runs are compared, otherwise in the shown run.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        let alone = &self.active()?.history;
        Some(self.compared().and_then(|pair| self.pairs.get(&pair)).unwrap_or(alone))
    }

    /// The same, to change it. A pair begins with what was looked at in its head.
    pub fn history_mut(&mut self) -> Option<&mut History> {
        match self.compared() {
            Some(pair) => {
                let alone = self.active()?.history.now().clone();
                Some(self.pairs.entry(pair).or_insert_with(|| History::starting_with(alone)))
            }
            None => self.active_mut().map(|run| &mut run.history),
        }
    }

    /// The shared view state of what is shown.
    #[must_use]
    pub fn now(&self) -> Option<&Interaction> {
        self.history().map(History::now)
    }

    /// Closes a run and shows the one beside it.
    pub fn close(&mut self, id: RunId) {
        let Some(place) = self.runs.iter().position(|r| r.id == id) else { return };
        self.runs.remove(place);
        self.pairs.retain(|&(base, head), _| base != id && head != id);
        self.baseline = self.baseline.filter(|&base| base != id);
        if self.active == Some(id) {
            self.active = self.runs.get(place.min(self.runs.len().saturating_sub(1))).map(|r| r.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::profile;
    use crate::query::SubjectId;
    use crate::state::Command;

    fn session() -> (Session, [RunId; 2]) {
        let mut session = Session::default();
        let mut add = |label: &str, text: &str| {
            let origin = Origin::Recording { workload: String::new(), saved: None };
            let id = session.add(label, origin, RunState::Ready);
            session.get_mut(id).unwrap().replace(profile(text));
            id
        };
        let runs = [add("before", "main 0 100"), add("after", "main 0 90")];
        (session, runs)
    }

    fn searched(session: &Session) -> &str {
        &session.now().unwrap().search
    }

    #[test]
    fn a_baseline_makes_pairs_of_whatever_is_shown() {
        let (mut session, [before, after]) = session();
        assert_eq!(session.subject().unwrap().id(), SubjectId::One(after));
        session.set_baseline(Some(before));
        let subject = session.subject().unwrap();
        assert_eq!(subject.id(), SubjectId::Pair { base: before, head: after });
        assert_eq!((subject.head().id, subject.pair().unwrap().base.id), (after, before));
        session.active = Some(before);
        assert_eq!(session.subject().unwrap().id(), SubjectId::One(before), "it is not compared with itself");
        let third =
            session.add("next", Origin::Recording { workload: String::new(), saved: None }, RunState::Live);
        assert!(session.subject().is_none(), "nothing is there yet");
        session.get_mut(third).unwrap().replace(profile("main 0 80"));
        assert_eq!(session.subject().unwrap().id(), SubjectId::Pair { base: before, head: third });
        session.close(before);
        assert_eq!((session.baseline(), session.subject().unwrap().id()), (None, SubjectId::One(third)));
    }

    #[test]
    fn a_pair_has_a_state_of_its_own_that_begins_as_its_heads() {
        let (mut session, [before, _]) = session();
        let search = |session: &mut Session, text: &str| {
            session.history_mut().unwrap().apply(Command::Search(text.into()));
        };
        search(&mut session, "alone");
        session.set_baseline(Some(before));
        assert_eq!(searched(&session), "alone");
        search(&mut session, "both");
        assert_eq!(searched(&session), "both");
        session.set_baseline(None);
        assert_eq!(searched(&session), "alone");
        session.set_baseline(Some(before));
        assert!(session.history_mut().unwrap().undo());
        assert_eq!(searched(&session), "alone");
        assert!(!session.history_mut().unwrap().undo(), "its steps are not those of the run");
    }
}
