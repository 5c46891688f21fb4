//! Answers kept by question. Past a byte budget those go that nobody holds, the least recently used ones first.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt::{self, Debug, Write};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::{About, Query, Revision, RunId, Topic};

type FxBuild = BuildHasherDefault<rustc_hash::FxHasher>;

/// An answer of any type.
pub(super) type Value = Arc<dyn Any + Send + Sync>;

trait DynQuery: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn dyn_eq(&self, other: &dyn DynQuery) -> bool;
    fn describe(&self) -> String;
}

/// Most bytes of a question's description.
const LONGEST: usize = 240;

/// A text that ends at [`LONGEST`]: a question may hold lists of any length.
#[derive(Default)]
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.0.len());
        if text.len() > room {
            self.0.push_str(&text[..text.floor_char_boundary(room)]);
            self.0.push('…');
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl<Q: Debug + Eq + Send + Sync + 'static> DynQuery for Q {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn dyn_eq(&self, other: &dyn DynQuery) -> bool {
        other.as_any().downcast_ref::<Q>() == Some(self)
    }
    fn describe(&self) -> String {
        let mut text = Short::default();
        // Fails when it is cut, which is what it is for.
        let _ = write!(text, "{self:?}");
        text.0
    }
}

/// (one or two revisions, whole query), for a query of any type.
#[derive(Clone)]
pub(super) struct Key {
    about: About,
    kind: TypeId,
    hash: u64,
    query: Arc<dyn DynQuery>,
}

impl Key {
    pub fn new<T: Topic, Q: Query<T>>(topic: &T, query: &Q) -> Self {
        // One question may be asked of one run and of two: the answers are of other types.
        let (about, kind) = (topic.about(), TypeId::of::<(T, Q)>());
        let hash = FxBuild::default().hash_one((&about, kind, query));
        Self { about, kind, hash, query: Arc::new(query.clone()) }
    }

    /// The type of the question and of what it is about.
    pub fn kind(&self) -> TypeId {
        self.kind
    }

    pub fn is_about(&self, run: RunId) -> bool {
        self.about.revisions().any(|(id, _)| id == run)
    }

    /// True when it is about a revision of `run` before `revision`.
    pub fn is_before(&self, run: RunId, revision: Revision) -> bool {
        self.about.revisions().any(|(id, of)| id == run && of < revision)
    }

    /// True when both are about the same run, or the same two.
    pub fn same_runs(&self, other: &Self) -> bool {
        let (here, there) = (self.about.revisions(), other.about.revisions());
        here.map(|(run, _)| run).eq(there.map(|(run, _)| run))
    }

    /// The question in words of the code, with what it holds, cut when long.
    pub fn describe(&self) -> String {
        self.query.describe()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.kind == other.kind
            && self.about == other.about
            && self.query.dyn_eq(&*other.query)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// An answer with what it took.
pub(super) struct Made {
    pub value: Value,
    /// Bytes that it holds.
    pub weight: usize,
    /// Time to compute it, without what it asked.
    pub time: Duration,
    /// Bytes of the profiles that the answer keeps alive: one for each revision that it is about, or none.
    pub profiles: Vec<usize>,
}

struct Kept {
    made: Made,
    /// When it was used last.
    used: u64,
    /// Slots that show it.
    pins: u32,
    hits: u32,
}

/// A profile that answers keep alive: its bytes, and how many answers.
struct Alive {
    bytes: usize,
    answers: usize,
}

/// A kept answer, for the list of them.
#[derive(Clone, Debug)]
pub struct KeptAnswer {
    /// What it is about.
    pub about: About,
    /// The question.
    pub question: String,
    /// Bytes that it holds by itself.
    pub bytes: usize,
    /// Time to compute it, without the questions that it asked.
    pub time: Duration,
    /// How many times it was there when somebody needed it.
    pub hits: u32,
    /// True when a place on screen shows it, or showed it last.
    pub shown: bool,
}

/// The kept answers.
pub(super) struct Store {
    kept: HashMap<Key, Kept, FxBuild>,
    alive: HashMap<(RunId, Revision), Alive>,
    /// For each run the first revision that is still of use; [`Revision::NEVER`] for closed runs.
    first: HashMap<RunId, Revision>,
    /// Sum of weights.
    answers: usize,
    budget: usize,
    clock: u64,
}

impl Store {
    pub fn new(budget: usize) -> Self {
        Self {
            kept: HashMap::default(),
            alive: HashMap::new(),
            first: HashMap::new(),
            answers: 0,
            budget,
            clock: 0,
        }
    }

    pub fn budget(&self) -> usize {
        self.budget
    }

    /// The first revision of `run` that is still of use.
    pub fn first(&self, run: RunId) -> Revision {
        self.first.get(&run).copied().unwrap_or_default()
    }

    /// True when nobody will ask this again: a run is closed, or a newer revision took its place.
    pub fn is_over(&self, key: &Key) -> bool {
        key.about.revisions().any(|(run, revision)| revision < self.first(run))
    }

    pub fn get(&mut self, key: &Key) -> Option<Value> {
        self.clock += 1;
        let kept = self.kept.get_mut(key)?;
        kept.used = self.clock;
        Some(kept.made.value.clone())
    }

    /// Counts a use of a kept answer that spared computing it.
    pub fn hit(&mut self, key: &Key) {
        if let Some(kept) = self.kept.get_mut(key) {
            kept.hits += 1;
        }
    }

    /// Keeps an answer. Once slots have pinned it, [`Store::evict`] makes room.
    pub fn put(&mut self, key: Key, made: Made) {
        if self.kept.contains_key(&key) {
            return; // somebody computed the same; the one that may be shown stays
        }
        self.clock += 1;
        self.answers += made.weight;
        for (at, &bytes) in key.about.revisions().zip(&made.profiles) {
            self.alive.entry(at).or_insert(Alive { bytes, answers: 0 }).answers += 1;
        }
        self.kept.insert(key, Kept { made, used: self.clock, pins: 0, hits: 0 });
    }

    /// What the budget is compared with: answers, and once for each revision the profile that only answers keep
    /// alive. The newest revision is in memory anyhow, with or without answers.
    fn bytes(&self) -> usize {
        let over = self.alive.iter().filter(|&(&(run, revision), _)| revision < self.first(run));
        self.answers + over.map(|(_, alive)| alive.bytes).sum::<usize>()
    }

    /// Takes out what nobody shows or holds, the least recently used first, until the budget is kept. Dropping what
    /// somebody holds would free nothing and let it be computed a second time. Returns what had to go, to be dropped
    /// without the lock.
    #[must_use]
    pub fn evict(&mut self) -> Vec<Value> {
        if self.bytes() <= self.budget {
            return Vec::new();
        }
        let free = |kept: &Kept| kept.pins == 0 && Arc::strong_count(&kept.made.value) == 1;
        let mut oldest: Vec<(u64, Key)> =
            self.kept.iter().filter(|(_, k)| free(k)).map(|(key, k)| (k.used, key.clone())).collect();
        oldest.sort_unstable_by_key(|(used, _)| *used);
        let mut gone = Vec::new();
        for (_, key) in oldest {
            if self.bytes() <= self.budget {
                break;
            }
            gone.extend(self.remove(&key));
        }
        gone
    }

    fn remove(&mut self, key: &Key) -> Option<Value> {
        let kept = self.kept.remove(key)?;
        self.answers -= kept.made.weight;
        for (at, _) in key.about.revisions().zip(&kept.made.profiles) {
            let Some(alive) = self.alive.get_mut(&at) else { continue };
            alive.answers -= 1;
            if alive.answers == 0 {
                self.alive.remove(&at);
            }
        }
        Some(kept.made.value)
    }

    /// A slot shows the answer: it stays whatever the budget says.
    pub fn pin(&mut self, key: &Key) {
        if let Some(kept) = self.kept.get_mut(key) {
            kept.pins += 1;
        }
    }

    /// A slot shows it no more. Returns it when it is of no use to anybody.
    pub fn unpin(&mut self, key: &Key) -> Option<Value> {
        let kept = self.kept.get_mut(key)?;
        kept.pins = kept.pins.saturating_sub(1);
        (kept.pins == 0 && self.is_over(key)).then(|| self.remove(key))?
    }

    /// Drops the answers about revisions of `run` before `revision`, but for those that slots show.
    #[must_use]
    pub fn forget_before(&mut self, run: RunId, revision: Revision) -> Vec<Value> {
        self.first.insert(run, revision.max(self.first(run)));
        let over = |(key, kept): &(&Key, &Kept)| key.is_before(run, revision) && kept.pins == 0;
        let over: Vec<Key> = self.kept.iter().filter(over).map(|(key, _)| key.clone()).collect();
        over.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// All kept answers, and the profiles that they keep alive: run, revision, bytes.
    pub fn list(&self) -> (Vec<KeptAnswer>, Vec<(RunId, Revision, usize)>) {
        let answer = |(key, kept): (&Key, &Kept)| KeptAnswer {
            about: key.about.clone(),
            question: key.describe(),
            bytes: kept.made.weight,
            time: kept.made.time,
            hits: kept.hits,
            shown: kept.pins > 0,
        };
        let mut profiles: Vec<_> = self.alive.iter().map(|(&(run, rev), a)| (run, rev, a.bytes)).collect();
        profiles.sort_unstable();
        (self.kept.iter().map(answer).collect(), profiles)
    }
}
