//! Which rows of a tree are open, named so that it holds in other trees too.
//!
//! A row is named by a hash chained along its path, made of keys: it means the same path after a live
//! refresh, in another run, under other transforms. 64 bits a row, however deep the path is; with paths
//! written out, opening a stack of 100 000 frames would take gigabytes. Two paths with one hash would
//! open together, which does no harm.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::gaps::Gap;
use super::path::SymbolName;

/// Names a path from its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct PathKey(u64);

impl PathKey {
    /// The empty path.
    pub const ROOT: Self = Self(0x9e37_79b9_7f4a_7c15);

    /// The path one frame longer.
    #[must_use]
    pub fn child(self, symbol: SymbolName) -> Self {
        self.and(match symbol {
            SymbolName::Function(key) => key.hash_value(),
            SymbolName::Module(module) => !module.hash_value(),
            SymbolName::Hidden => 1,
        })
    }

    /// What of the path has no place in the tree.
    #[must_use]
    pub fn gap(self, gap: Gap) -> Self {
        self.and(2 + gap as u64)
    }

    fn and(self, number: u64) -> Self {
        // The finisher of splitmix64.
        let mut x = self.0.wrapping_mul(0xff51_afd7_ed55_8ccd).wrapping_add(number);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(x ^ (x >> 31))
    }
}

/// A set of rows. Cheap to clone and to compare, so that it can be part of a query.
#[derive(Clone, Debug, Default)]
pub struct Expansion {
    keys: Arc<FxHashSet<PathKey>>,
    digest: u64,
}

impl Expansion {
    /// True when the row is in the set.
    #[must_use]
    pub fn contains(&self, key: PathKey) -> bool {
        self.keys.contains(&key)
    }

    /// Puts a row into the set or takes it out.
    pub fn set(&mut self, key: PathKey, inside: bool) {
        if self.contains(key) == inside {
            return;
        }
        self.digest ^= PathKey::ROOT.and(key.0).0;
        let keys = Arc::make_mut(&mut self.keys);
        if inside {
            keys.insert(key)
        } else {
            keys.remove(&key)
        };
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl PartialEq for Expansion {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && (Arc::ptr_eq(&self.keys, &other.keys) || self.keys == other.keys)
    }
}

impl Eq for Expansion {}

impl Hash for Expansion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_its_content_whatever_the_way_to_it() {
        let key = |i: u64| PathKey::ROOT.and(i);
        let mut a = Expansion::default();
        let mut b = Expansion::default();
        for i in 0..100 {
            a.set(key(i), true);
            b.set(key(99 - i), true);
        }
        assert_eq!(a, b);
        let before = a.clone();
        a.set(key(7), false);
        assert!(a != b && !a.contains(key(7)) && before.contains(key(7)) && a.len() == 99);
        a.set(key(7), true);
        assert_eq!(a, before);
        b.clear();
        assert_eq!(b, Expansion::default());
    }

    #[test]
    fn the_same_path_has_the_same_key_in_another_profile() {
        let key = |text: &str, path: &str| {
            let p = super::super::testing::profile(text);
            let path = super::super::testing::symbols(&p, path);
            path.into_iter().fold(PathKey::ROOT, |key, f| key.child(SymbolName::Function(f)))
        };
        assert_eq!(key("a>b 1", "a>b"), key("x 1; b>a>b 1", "a>b"));
        assert_ne!(key("a>b 1", "a>b"), key("a>b 1", "b>a"));
    }
}
