//! Answers kept by question, the least recently used ones dropped past a byte budget.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use super::Query;

type FxBuild = BuildHasherDefault<rustc_hash::FxHasher>;

trait DynQuery: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn dyn_eq(&self, other: &dyn DynQuery) -> bool;
}

impl<Q: Query> DynQuery for Q {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn dyn_eq(&self, other: &dyn DynQuery) -> bool {
        other.as_any().downcast_ref::<Q>() == Some(self)
    }
}

/// (run, revision, whole query), for a query of any type.
#[derive(Clone)]
pub(super) struct Key {
    pub run: u32,
    pub revision: u64,
    kind: TypeId,
    hash: u64,
    query: Arc<dyn DynQuery>,
}

impl Key {
    pub fn new<Q: Query>(run: u32, revision: u64, query: &Q) -> Self {
        let kind = TypeId::of::<Q>();
        let hash = FxBuild::default().hash_one((run, revision, kind, query));
        Self { run, revision, kind, hash, query: Arc::new(query.clone()) }
    }

    pub fn kind(&self) -> TypeId {
        self.kind
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.run == other.run
            && self.revision == other.revision
            && self.query.dyn_eq(&*other.query)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

struct Kept {
    value: Arc<dyn Any + Send + Sync>,
    weight: usize,
    used: u64,
}

/// The kept answers.
pub(super) struct Store {
    kept: HashMap<Key, Kept, FxBuild>,
    bytes: usize,
    budget: usize,
    clock: u64,
}

impl Store {
    pub fn new(budget: usize) -> Self {
        Self { kept: HashMap::default(), bytes: 0, budget, clock: 0 }
    }

    pub fn get(&mut self, key: &Key) -> Option<Arc<dyn Any + Send + Sync>> {
        self.clock += 1;
        let kept = self.kept.get_mut(key)?;
        kept.used = self.clock;
        Some(kept.value.clone())
    }

    pub fn put(&mut self, key: Key, value: Arc<dyn Any + Send + Sync>, weight: usize) {
        self.clock += 1;
        if let Some(old) = self.kept.insert(key, Kept { value, weight, used: self.clock }) {
            self.bytes -= old.weight;
        }
        self.bytes += weight;
        while self.bytes > self.budget && self.kept.len() > 1 {
            let Some(oldest) = self.kept.iter().min_by_key(|(_, k)| k.used).map(|(key, _)| key.clone())
            else {
                break;
            };
            if let Some(gone) = self.kept.remove(&oldest) {
                self.bytes -= gone.weight;
            }
        }
    }

    /// Drops the answers about older revisions of `run`.
    pub fn forget_before(&mut self, run: u32, revision: u64) {
        self.kept.retain(|key, kept| {
            let keep = key.run != run || key.revision >= revision;
            if !keep {
                self.bytes -= kept.weight;
            }
            keep
        });
    }
}
