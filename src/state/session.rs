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
    /// What the runs of one thing are called that it is one of; empty when it stands for itself.
    pub series: String,
    /// Set for a run that others are compared with.
    pub as_baseline: Option<Baseline>,
}

/// What a run is known by as one of several baselines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Baseline {
    /// Place of its colour among those of baselines.
    pub color: u8,
    /// It is left out of pictures and figures, and of the turn.
    pub hidden: bool,
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
    /// Number of what is shown: a run, or something else that has a number of this session and a tab.
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
        let id = self.number();
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
            series: String::new(),
            as_baseline: None,
        });
        self.active = Some(id);
        id
    }

    /// A number that nothing else has, for what is open and no run.
    pub fn number(&mut self) -> RunId {
        self.next += 1;
        RunId(self.next)
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

    /// Compares every run with this one from now on, or none with any. Runs that others were compared with before stay
    /// baselines.
    pub fn set_baseline(&mut self, run: Option<RunId>) {
        self.baseline = run.filter(|&id| self.get(id).is_some());
        let taken: Vec<u8> = self.baselines().filter_map(|r| Some(r.as_baseline?.color)).collect();
        let free = (0..=u8::MAX).find(|color| !taken.contains(color)).unwrap_or_default();
        if let Some(run) = self.baseline.and_then(|id| self.get_mut(id)) {
            let mark = run.as_baseline.get_or_insert(Baseline { color: free, hidden: false });
            mark.hidden = false;
        }
    }

    /// A run is no baseline any more.
    pub fn drop_baseline(&mut self, run: RunId) {
        if let Some(run) = self.get_mut(run) {
            run.as_baseline = None;
        }
        if self.baseline == Some(run) {
            self.baseline = self.next_baseline();
        }
    }

    /// Hides a baseline, or shows it again. When the one that is compared is hidden another one takes its place.
    pub fn hide_baseline(&mut self, run: RunId, hidden: bool) {
        if let Some(mark) = self.get_mut(run).and_then(|r| r.as_baseline.as_mut()) {
            mark.hidden = hidden;
        }
        if hidden && self.baseline == Some(run) {
            self.baseline = self.next_baseline();
        }
    }

    /// All runs that others are compared with, hidden ones too.
    pub fn baselines(&self) -> impl Iterator<Item = &OpenRun> {
        self.runs.iter().filter(|r| r.as_baseline.is_some())
    }

    /// The baseline whose turn it is after the one that is compared: neither hidden nor the shown run.
    #[must_use]
    pub fn next_baseline(&self) -> Option<RunId> {
        let can = |r: &&OpenRun| {
            Some(r.id) != self.active && r.profile.is_some() && r.as_baseline.is_some_and(|mark| !mark.hidden)
        };
        let all: Vec<RunId> = self.runs.iter().filter(can).map(|r| r.id).collect();
        let after = self.baseline.and_then(|now| all.iter().position(|&id| id == now)).map_or(0, |at| at + 1);
        all.get(after % all.len().max(1)).copied()
    }

    /// Base and head, when the shown run is compared with another one and both have a profile.
    fn compared(&self) -> Option<(RunId, RunId)> {
        let ready = |id: Option<RunId>| id.filter(|&id| self.get(id).is_some_and(|r| r.profile.is_some()));
        let (base, head) = (ready(self.baseline)?, ready(self.active)?);
        (base != head).then_some((base, head))
    }

    /// The runs of one thing that a run is one of, itself included, in their order.
    pub fn series(&self, run: RunId) -> impl Iterator<Item = &OpenRun> {
        let series = self.get(run).map_or("", |r| &r.series);
        self.runs.iter().filter(move |r| r.id == run || !series.is_empty() && r.series == series)
    }

    /// Makes a run one of the runs of one thing that another one is, or one that stands for itself.
    pub fn repeat(&mut self, run: RunId, other: Option<RunId>) {
        let of = other.filter(|&id| id != run).and_then(|id| self.get(id)).map(|other| {
            if !other.series.is_empty() {
                return (other.id, other.series.clone());
            }
            let is_free = |name: &str| self.runs.iter().all(|r| r.series != name);
            let more = (2..=self.runs.len() + 1).map(|n| format!("{} ({n})", other.label));
            let name = std::iter::once(other.label.clone()).chain(more).find(|name| is_free(name));
            (other.id, name.unwrap_or_default())
        });
        let series = of.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
        for id in of.map(|(other, _)| other).into_iter().chain([run]) {
            if let Some(run) = self.get_mut(id) {
                run.series.clone_from(&series);
            }
        }
    }

    /// What repeats a run of a comparison, where the other side is of another series.
    fn repeats(&self, run: RunId, other: RunId) -> Vec<Run> {
        let series = |id| self.get(id).map_or("", |r: &OpenRun| &r.series);
        if series(run).is_empty() || series(run) == series(other) {
            return Vec::new();
        }
        let ready = self.series(run).filter(|r| r.id != run && r.state == RunState::Ready);
        ready.filter_map(OpenRun::run).collect()
    }

    /// What all panes show; `None` without a profile.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        let run = |id| self.get(id).and_then(OpenRun::run);
        Some(match self.compared() {
            Some((base, head)) => {
                let pair = Pair { alignment: self.alignment.clone(), ..Pair::of(run(base)?, run(head)?) };
                Subject::Pair(pair.with_repeats([self.repeats(base, head), self.repeats(head, base)]))
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
    fn r20_a_baseline_makes_pairs_of_whatever_is_shown() {
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
    fn r20_several_baselines_take_turns_and_hidden_ones_are_left_out() {
        let (mut session, [before, after]) = session();
        let origin = Origin::Recording { workload: String::new(), saved: None };
        let third = session.add("third", origin, RunState::Ready);
        session.get_mut(third).unwrap().replace(profile("main 0 80"));
        session.set_baseline(Some(before));
        session.set_baseline(Some(after));
        let colors: Vec<u8> = session.baselines().map(|r| r.as_baseline.unwrap().color).collect();
        assert_eq!((colors, session.baseline()), (vec![0, 1], Some(after)), "each has its colour");
        assert_eq!(session.next_baseline(), Some(before));
        session.hide_baseline(after, true);
        assert_eq!((session.baseline(), session.next_baseline()), (Some(before), Some(before)));
        assert_eq!(session.subject().unwrap().id(), SubjectId::Pair { base: before, head: third });
        session.hide_baseline(after, false);
        session.set_baseline(None);
        assert_eq!(
            (session.baselines().count(), session.subject().unwrap().id()),
            (2, SubjectId::One(third))
        );
        session.drop_baseline(before);
        assert_eq!((session.next_baseline(), session.baselines().count()), (Some(after), 1));
    }

    #[test]
    fn runs_of_one_thing_are_one_side_of_a_comparison() {
        let (mut session, [before, after]) = session();
        let again = |session: &mut Session, of: RunId| {
            let origin = Origin::Recording { workload: String::new(), saved: None };
            let id = session.add("again", origin, RunState::Ready);
            session.get_mut(id).unwrap().replace(profile("main 0 95"));
            session.repeat(id, Some(of));
            id
        };
        let second = again(&mut session, before);
        let third = again(&mut session, second);
        session.set_baseline(Some(second));
        session.active = Some(after);
        let pair = session.subject().unwrap().pair().unwrap().clone();
        assert_eq!((pair.base.id, pair.counts()), (second, [3, 1]));
        session.active = Some(third);
        let pair = session.subject().unwrap().pair().unwrap().clone();
        assert_eq!(pair.counts(), [1, 1], "two runs of one thing are compared one by one");
        session.close(before);
        session.active = Some(after);
        assert_eq!(
            session.subject().unwrap().pair().unwrap().counts(),
            [2, 1],
            "the others still belong together"
        );
        session.repeat(third, None);
        assert_eq!(session.subject().unwrap().pair().unwrap().counts(), [1, 1]);
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
