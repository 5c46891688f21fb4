//! Texts of source files that a profile carries, so that its lines can be read where the files are not.

use std::sync::Arc;

use super::ids::StringId;

/// Texts by the names that functions and lines give their files; bounded, so that a profile stays a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    rows: Vec<(StringId, Arc<str>)>,
}

impl Sources {
    /// Longest text that is kept, bytes.
    pub const MAX_FILE: usize = 1 << 20;
    /// Most bytes that are kept in all.
    pub const MAX_ALL: usize = 8 << 20;

    /// Keeps the text of a file. False when there is one already, or it is too long.
    pub fn insert(&mut self, file: StringId, text: &str) -> bool {
        let fits = text.len() <= Self::MAX_FILE && self.bytes() + text.len() <= Self::MAX_ALL;
        let add = fits && self.get(file).is_none();
        if add {
            self.rows.push((file, text.into()));
        }
        add
    }

    /// The text of a file.
    #[must_use]
    pub fn get(&self, file: StringId) -> Option<&Arc<str>> {
        self.rows.iter().find(|r| r.0 == file).map(|r| &r.1)
    }

    /// All files with their texts.
    pub fn iter(&self) -> impl Iterator<Item = (StringId, &str)> {
        self.rows.iter().map(|(file, text)| (*file, &**text))
    }

    /// Number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Length of all texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|r| r.1.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut sources = Sources::default();
        let long = "x".repeat(Sources::MAX_FILE);
        for file in 1..=8 {
            assert!(sources.insert(StringId(file), &long));
        }
        assert!(!sources.insert(StringId(9), "y"), "in all");
        assert!(sources.insert(StringId(10), ""));
        let mut sources = Sources::default();
        assert!(!sources.insert(StringId(1), &(long + "x")), "one file");
        assert!(sources.insert(StringId(1), "a") && !sources.insert(StringId(1), "b"));
        assert_eq!(sources.get(StringId(1)).map(|t| &**t), Some("a"));
    }
}
