//! What questions are asked of: one run, or two.

use std::sync::Arc;

use crate::model::{Profile, SymbolKey, Unit};

/// Number of a run, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RunId(pub u32);

/// Counts up each time a run's profile is replaced (live recordings, partial pictures).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// Past all revisions: that of a closed run.
    pub const NEVER: Self = Self(u64::MAX);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One revision of one run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Which run.
    pub id: RunId,
    /// Which revision of it.
    pub revision: Revision,
    /// Its profile.
    pub profile: Arc<Profile>,
}

impl Run {
    /// A profile that belongs to no session, for questions of a report or a test.
    #[must_use]
    pub fn of(profile: Arc<Profile>) -> Self {
        Self { id: RunId(0), revision: Revision(0), profile }
    }

    /// True when both were read from the same bytes.
    #[must_use]
    pub fn has_bytes_of(&self, other: &Self) -> bool {
        let content = self.profile.meta.content;
        content.is_some() && content == other.profile.meta.content
    }

    /// True when both are one measurement: no two measurements of time have the same bytes. Counts may never vary.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        let measures_time = |p: &Profile| {
            p.meta.origin_unix_ns.is_some() || p.metrics.iter().any(|m| m.unit == Unit::Nanoseconds)
        };
        self.has_bytes_of(other) && measures_time(&self.profile)
    }

    /// Which revision of which run.
    #[must_use]
    pub fn at(&self) -> (RunId, Revision) {
        (self.id, self.revision)
    }
}

/// How far names may differ for two functions to be taken for the same one; each step is tried for what the steps
/// before left alone.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// All parts of the key are the same.
    Exact,
    /// The same name in the same file, under other folders.
    File,
    /// The same name in the same module.
    Module,
    /// The same name.
    #[default]
    Name,
    /// The same name but for ids: numbers of processes, addresses, ports, names of temporary folders. It is tried where names are.
    Ids,
    /// The same only after the rules of the [`Alignment`].
    Rule,
    /// Kernels and operations of other names that the same call path starts at the same place.
    Place,
    /// Said by the person.
    ByHand,
}

impl Step {
    /// The words of tables and JSON.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::File => "file and name",
            Self::Module => "module and name",
            Self::Name => "name",
            Self::Ids => "name without ids",
            Self::Rule => "rule",
            Self::Place => "place",
            Self::ByHand => "by hand",
        }
    }

    /// True where it pairs functions that are called otherwise in the other run; the others bear other spellings of a name.
    #[must_use]
    pub fn pairs_other_names(self) -> bool {
        matches!(self, Self::Ids | Self::Rule | Self::Place | Self::ByHand)
    }

    /// What stands behind «paired by».
    #[must_use]
    pub fn by(self) -> &'static str {
        match self {
            Self::ByHand => "hand",
            other => other.key(),
        }
    }

    /// A sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Exact => "The same name in the same place in both.",
            Self::File => "Matched by name and file; the folders differ.",
            Self::Module => "Matched by name and module.",
            Self::Name => "Matched by the name alone.",
            Self::Ids => {
                "Matched by the name without ids: numbers of processes, addresses, ports, temporary folders."
            }
            Self::Rule => "Matched by a rule.",
            Self::Place => "Paired by place: another name, started by the same call path at the same place.",
            Self::ByHand => "Matched by hand.",
        }
    }
}

/// A regular expression and what stands in its place before names and files are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct MatchRule {
    /// What is replaced.
    pub pattern: String,
    /// By what; `$1` is the first group.
    pub with: String,
}

/// How two runs are laid beside each other: the options of matching, part of every question about a pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Alignment {
    /// The last step that is tried before the rules.
    pub loosest: Step,
    /// Replacements in names and files, in order, for what the steps left alone.
    pub rules: Vec<MatchRule>,
    /// Functions of base and head that the person says are the same.
    pub by_hand: Vec<(SymbolKey, SymbolKey)>,
}

/// A run compared with an earlier one. What is shown is `head`; differences are head − base.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The run before.
    pub base: Run,
    /// The run after.
    pub head: Run,
    /// How they are laid beside each other.
    pub alignment: Alignment,
    /// Further runs of the same as base and as head: where a number of a function is asked for, the median of all counts.
    pub repeats: [Vec<Run>; 2],
    /// Runs of base and of head that were left out, because their files are copies of others of that side.
    pub copies: [usize; 2],
    /// Further runs of base and of head whose files hold the same bytes as another one, which counts that never vary do.
    pub alike: [usize; 2],
}

impl Pair {
    /// One run of each side, as it is.
    #[must_use]
    pub fn of(base: Run, head: Run) -> Self {
        let alignment = Alignment::default();
        Self { base, head, alignment, repeats: Default::default(), copies: [0; 2], alike: [0; 2] }
    }

    /// With further runs of both sides. A copy of a file is no measurement of its own: it is counted among the copies.
    #[must_use]
    pub fn with_repeats(self, repeats: [Vec<Run>; 2]) -> Self {
        let [base, head] = repeats;
        let side = |first: &Run, more: Vec<Run>| {
            let (mut kept, mut copies, mut alike) = (vec![first.clone()], 0, 0);
            for run in more {
                match kept.iter().find(|other| other.has_bytes_of(&run)) {
                    Some(other) if other.is_copy_of(&run) => copies += 1,
                    other => {
                        alike += usize::from(other.is_some());
                        kept.push(run);
                    }
                }
            }
            (kept.split_off(1), copies, alike)
        };
        let (of_base, of_head) = (side(&self.base, base), side(&self.head, head));
        Self {
            repeats: [of_base.0, of_head.0],
            copies: [of_base.1, of_head.1],
            alike: [of_base.2, of_head.2],
            ..self
        }
    }

    /// Number of runs of each side.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        self.repeats.each_ref().map(|more| more.len() + 1)
    }

    /// One of both.
    #[must_use]
    pub fn run(&self, base: bool) -> &Run {
        if base { &self.base } else { &self.head }
    }

    /// The same as a subject of its own.
    #[must_use]
    pub fn one(&self, base: bool) -> Subject {
        Subject::One(self.run(base).clone())
    }
}

/// The revisions that a question is about, as part of its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// A revision of a run.
    One((RunId, Revision)),
    /// Revisions of two runs, laid beside each other.
    Pair {
        /// Of the run before.
        base: (RunId, Revision),
        /// Of the run after.
        head: (RunId, Revision),
        /// How.
        alignment: Alignment,
        /// Further runs of either side.
        repeats: [Vec<(RunId, Revision)>; 2],
    },
}

impl About {
    /// The revisions: of one run, or of base, head and what repeats them.
    pub fn revisions(&self) -> impl Iterator<Item = (RunId, Revision)> + '_ {
        let (first, second, more) = match self {
            Self::One(at) => (*at, None, &[][..]),
            Self::Pair { base, head, repeats, .. } => (*base, Some(*head), &repeats[..]),
        };
        std::iter::once(first).chain(second).chain(more.iter().flatten().copied())
    }
}

/// What a question can be asked of: a [`Run`] or a [`Pair`].
pub trait Topic: Clone + Send + Sync + 'static {
    /// What it is, for the key of an answer.
    fn about(&self) -> About;

    /// Bytes of its profiles, in the order of [`About::revisions`].
    fn profile_bytes(&self) -> Vec<usize>;
}

impl Topic for Run {
    fn about(&self) -> About {
        About::One(self.at())
    }

    fn profile_bytes(&self) -> Vec<usize> {
        vec![self.profile.heap_bytes()]
    }
}

impl Topic for Pair {
    fn about(&self) -> About {
        let repeats = self.repeats.each_ref().map(|more| more.iter().map(Run::at).collect());
        About::Pair { base: self.base.at(), head: self.head.at(), alignment: self.alignment.clone(), repeats }
    }

    fn profile_bytes(&self) -> Vec<usize> {
        let all = [&self.base, &self.head].into_iter().chain(self.repeats.iter().flatten());
        all.map(|run| run.profile.heap_bytes()).collect()
    }
}

/// What all panes show.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A run.
    One(Run),
    /// A run compared with another one.
    Pair(Pair),
}

/// A subject by the numbers of its runs, whatever their revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectId {
    /// A run.
    One(RunId),
    /// Two.
    Pair {
        /// The run before.
        base: RunId,
        /// The run after.
        head: RunId,
    },
}

impl SubjectId {
    /// True when it is about `run`.
    #[must_use]
    pub fn names(self, run: RunId) -> bool {
        match self {
            Self::One(id) => id == run,
            Self::Pair { base, head } => base == run || head == run,
        }
    }
}

impl Subject {
    /// The run, or the one after.
    #[must_use]
    pub fn head(&self) -> &Run {
        match self {
            Self::One(run) => run,
            Self::Pair(pair) => &pair.head,
        }
    }

    /// The profile of that run.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.head().profile
    }

    /// The two, when it is a comparison.
    #[must_use]
    pub fn pair(&self) -> Option<&Pair> {
        match self {
            Self::One(_) => None,
            Self::Pair(pair) => Some(pair),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> SubjectId {
        match self {
            Self::One(run) => SubjectId::One(run.id),
            Self::Pair(pair) => SubjectId::Pair { base: pair.base.id, head: pair.head.id },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Context, Engine, Mode, Query};
    use super::*;
    use crate::jobs::{Cancelled, Job};
    use crate::model::{FunctionSpec, ProfileBuilder};

    /// Number of functions of a run; of a pair how many more the head has.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Count;

    impl Query for Count {
        type Output = i64;
        fn run(&self, cx: &Context<'_>) -> Result<i64, Cancelled> {
            Ok(cx.profile().functions.len() as i64)
        }
    }

    impl Query<Pair> for Count {
        type Output = i64;
        fn run(&self, cx: &Context<'_, Pair>) -> Result<i64, Cancelled> {
            Ok(*cx.head().get(self)? - *cx.base().get(self)?)
        }
    }

    fn run(id: u32, functions: u32) -> Run {
        let mut b = ProfileBuilder::new("test");
        for i in 0..functions {
            b.function(FunctionSpec::named(&format!("f{i}")));
        }
        Run { id: RunId(id), ..Run::of(Arc::new(b.finish())) }
    }

    #[test]
    fn r15_a_copy_of_a_file_is_no_run_of_its_own_and_counts_that_never_vary_are() {
        let run = |id, content, timed: bool| {
            let mut b = ProfileBuilder::new("test");
            b.metric(if timed {
                crate::model::Metric::time()
            } else {
                crate::model::Metric::new("samples", "Samples", Unit::Count)
            });
            let mut profile = b.finish();
            profile.meta.content = content;
            Run { id: RunId(id), ..Run::of(Arc::new(profile)) }
        };
        let of = |timed| {
            let one = |id, content| run(id, content, timed);
            let more = vec![one(3, Some(7)), one(4, Some(8)), one(5, Some(8)), one(6, None), one(7, None)];
            Pair::of(one(1, Some(7)), one(2, Some(7))).with_repeats([more, Vec::new()])
        };
        let timed = of(true);
        assert_eq!((timed.counts(), timed.copies, timed.alike), ([4, 1], [2, 0], [0, 0]));
        let counted = of(false);
        assert_eq!((counted.counts(), counted.copies, counted.alike), ([6, 1], [0, 0], [2, 0]));
    }

    fn pair() -> Pair {
        Pair::of(run(1, 2), run(2, 5))
    }

    fn wait<T: Topic, Q: Query<T>>(engine: &Engine, topic: &T, query: &Q) -> Arc<Q::Output> {
        loop {
            if let Answer::Ready(value) = engine.ask(topic, query, 7) {
                return value;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    #[test]
    fn answers_about_one_run_are_halves_of_the_difference() {
        for mode in [Mode::Inline, Mode::Background] {
            let engine = Engine::new(mode, || ());
            let pair = pair();
            assert_eq!(*wait(&engine, &pair.head, &Count), 5);
            assert_eq!(*wait(&engine, &pair, &Count), 3, "the same question, in the same place on screen");
            assert_eq!(engine.memory().computed, 3, "the head's answer was there");
            assert_eq!(*wait(&engine, &pair.base, &Count), 2);
            let turned = Pair { base: pair.head.clone(), head: pair.base.clone(), ..pair.clone() };
            assert_eq!(*wait(&engine, &turned, &Count), -3);
            assert_eq!(engine.memory().computed, 4, "both halves were there");
            let other =
                Pair { alignment: Alignment { loosest: Step::Exact, ..Alignment::default() }, ..pair };
            wait(&engine, &other, &Count);
            assert_eq!(engine.memory().computed, 5, "another alignment is another question");
        }
    }

    #[test]
    fn a_comparison_goes_with_either_of_its_runs() {
        let engine = Engine::inline();
        let pair = pair();
        let (base, head) = (Arc::downgrade(&pair.base.profile), Arc::downgrade(&pair.head.profile));
        engine.now(&pair, &Count, &Job::new()).unwrap();
        let newer =
            Pair { head: Run { revision: pair.head.revision.next(), ..pair.head.clone() }, ..pair.clone() };
        engine.forget_before(newer.head.id, newer.head.revision);
        assert_eq!(engine.memory().answers.len(), 1, "what is known about the base stays");
        engine.now(&newer, &Count, &Job::new()).unwrap();
        engine.close(RunId(1));
        let left: Vec<About> = engine.memory().answers.into_iter().map(|a| a.about).collect();
        assert_eq!(left, [About::One(newer.head.at())]);
        drop((pair, newer));
        assert_eq!((base.strong_count(), head.strong_count()), (0, 0));
    }

    #[test]
    fn a_subject_shows_its_head() {
        let (one, two) = (Subject::One(run(1, 2)), Subject::Pair(pair()));
        assert_eq!((one.head().id, two.head().id), (RunId(1), RunId(2)));
        assert_eq!((one.id(), one.pair().is_none()), (SubjectId::One(RunId(1)), true));
        let id = two.id();
        assert!(id.names(RunId(1)) && id.names(RunId(2)) && !id.names(RunId(3)));
        assert_eq!(two.profile().functions.len(), 5);
    }
}
