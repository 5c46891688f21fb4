//! Values that are there once in the process.

use std::cmp::Ordering;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// A value and its hash, which depends on the value only: what is sorted or sampled by it is the same in each run of
/// the program.
#[derive(Debug)]
pub struct Node<T: ?Sized> {
    hash: u64,
    value: T,
}

/// A type whose values can be interned.
pub trait Pool: Eq + Hash + Sized + Send + Sync + 'static {
    /// All values so far.
    fn pool() -> &'static Mutex<HashTable<&'static Node<Self>>>;
}

/// A value that is there once in the process: equal ones are the same pointer. Never freed; what is interned are names,
/// which a program has a bounded number of, not data.
pub struct Interned<T: 'static>(&'static Node<T>);

pub(super) fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(value)
}

/// The value with this hash that `wanted` stands for: found by `is`, or made of it.
fn intern<T: Pool, W>(
    hash: u64,
    wanted: W,
    is: impl Fn(&W, &T) -> bool,
    make: impl Fn(W) -> T,
) -> Interned<T> {
    let mut pool = T::pool().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(node) = pool.find(hash, |node| node.hash == hash && is(&wanted, &node.value)) {
        return Interned(node);
    }
    let node: &'static Node<T> = Box::leak(Box::new(Node { hash, value: make(wanted) }));
    pool.insert_unique(hash, node, |node| node.hash);
    Interned(node)
}

impl<T: Pool> Interned<T> {
    /// The one that equals `value`.
    #[must_use]
    pub fn of(value: T) -> Self {
        intern(hash_of(&value), value, |value, other| value == other, |value| value)
    }
}

impl<T> Interned<T> {
    /// The value, which lives as long as the program.
    #[must_use]
    pub fn value(self) -> &'static T {
        &self.0.value
    }

    /// Hash of the value, the same whenever and wherever the program runs.
    #[must_use]
    pub fn hash_value(self) -> u64 {
        self.0.hash
    }
}

impl From<&str> for Interned<Box<str>> {
    fn from(text: &str) -> Self {
        intern::<Box<str>, &str>(hash_of(text), text, |text, other| **text == **other, Into::into)
    }
}

impl PartialEq<str> for Interned<Box<str>> {
    fn eq(&self, other: &str) -> bool {
        **self.value() == *other
    }
}

impl Default for Interned<Box<str>> {
    fn default() -> Self {
        Self::from("")
    }
}

impl<T> Clone for Interned<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Interned<T> {}

impl<T> PartialEq for Interned<T> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl<T> Eq for Interned<T> {}

impl<T> Hash for Interned<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl<T: Ord> PartialOrd for Interned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By value.
impl<T: Ord> Ord for Interned<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.0.value.cmp(&other.0.value) }
    }
}

impl<T> Deref for Interned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Interned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.value.fmt(f)
    }
}

impl<T: serde::Serialize> serde::Serialize for Interned<T> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(to)
    }
}

impl<'de, T: Pool + serde::Deserialize<'de>> serde::Deserialize<'de> for Interned<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_value_from_any_thread() {
        let make = |i: usize| Interned::<Box<str>>::from(&*format!("interned test {}", i % 10));
        let all: Vec<Vec<_>> = std::thread::scope(|s| {
            let threads: Vec<_> =
                (0..4).map(|_| s.spawn(|| (0..100).map(make).collect::<Vec<_>>())).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(all[0].iter().copied().collect::<std::collections::BTreeSet<_>>().len(), 10);
        let (a, b) = (make(1), make(2));
        assert!(a != b && a < b && &**a == "interned test 1" && a.hash_value() == make(11).hash_value());
        let kept = serde_json::to_string(&a).unwrap();
        assert_eq!(kept, "\"interned test 1\"");
        assert_eq!(serde_json::from_str::<Interned<Box<str>>>(&kept).unwrap(), a);
    }
}
