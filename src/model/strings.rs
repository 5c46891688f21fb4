//! Interned texts, stored once in one buffer.
//!
//! A trace of a million events names a few thousand functions. One `String` buffer plus end offsets
//! costs the bytes of the distinct texts and 4 bytes each; the hash table holds only ids, so no text
//! is stored twice.

use hashbrown::HashTable;
use std::hash::{BuildHasher, BuildHasherDefault};

use super::ids::StringId;

type Hasher = BuildHasherDefault<rustc_hash::FxHasher>;

/// Append-only set of texts. Id 0 is always the empty text.
#[derive(Clone)]
pub struct Strings {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Default for Strings {
    fn default() -> Self {
        let mut strings = Self { text: String::new(), ends: Vec::new(), table: HashTable::new() };
        strings.intern("");
        strings
    }
}

fn hash(text: &str) -> u64 {
    Hasher::default().hash_one(text)
}

fn slice<'a>(text: &'a str, ends: &[u32], id: usize) -> &'a str {
    let start = if id == 0 { 0 } else { ends[id - 1] as usize };
    &text[start..ends[id] as usize]
}

impl Strings {
    /// The id of the empty text.
    pub const EMPTY: StringId = StringId(0);

    /// The id of `text`, adding it when new. Texts past 4 GiB in sum map to the empty text.
    pub fn intern(&mut self, text: &str) -> StringId {
        let Self { text: buffer, ends, table } = self;
        let hashed = hash(text);
        if let Some(&id) = table.find(hashed, |&id| slice(buffer, ends, id as usize) == text) {
            return StringId(id);
        }
        let Ok(end) = u32::try_from(buffer.len() + text.len()) else { return Self::EMPTY };
        let id = ends.len() as u32;
        buffer.push_str(text);
        ends.push(end);
        table.insert_unique(hashed, id, |&id| hash(slice(buffer, ends, id as usize)));
        StringId(id)
    }

    /// The id of `text` if it is known.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<StringId> {
        self.table
            .find(hash(text), |&id| slice(&self.text, &self.ends, id as usize) == text)
            .map(|&id| StringId(id))
    }

    /// The text of `id`; empty for an id of another profile.
    #[must_use]
    pub fn get(&self, id: StringId) -> &str {
        if id.index() < self.ends.len() { slice(&self.text, &self.ends, id.index()) } else { "" }
    }

    /// Number of distinct texts, the empty one included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// False: the empty text is always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// All texts in id order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|id| slice(&self.text, &self.ends, id))
    }

    /// Bytes held, for the cache's budget.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 4 + self.table.capacity() * 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_id_and_comes_back() {
        let mut strings = Strings::default();
        let ids: Vec<_> = (0..1000).map(|i| strings.intern(&format!("name {}", i % 100))).collect();
        assert_eq!(strings.len(), 101);
        assert_eq!(strings.get(ids[907]), "name 7");
        assert_eq!(strings.find("name 7"), Some(ids[7]));
        assert_eq!(strings.get(Strings::EMPTY), "");
        assert_eq!(strings.get(StringId(u32::MAX)), "");
    }
}
