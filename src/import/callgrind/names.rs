//! Names that a file writes once and then refers to by number.

use rustc_hash::FxHashMap;

use super::graph::Key;
use crate::model::StringId;

/// Names by the numbers that a part of the file gives them.
#[derive(Default)]
pub(super) struct Names {
    /// Small numbers; writers count from 0 or 1, so there are about as many as names.
    small: Vec<Option<Name>>,
    others: FxHashMap<u64, Name>,
    count: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Name {
    /// The part that gave the number.
    pub(super) part: u32,
    pub(super) text: StringId,
    /// The function that the name last stood for, so that it need not be looked up again.
    pub(super) function: Option<(Key, u32)>,
}

impl Names {
    /// What a number stands for.
    pub(super) fn get(&mut self, id: u64) -> Option<&mut Name> {
        match self.small.get_mut(id as usize) {
            Some(name) if name.is_some() => name.as_mut(),
            _ if self.others.is_empty() => None,
            _ => self.others.get_mut(&id),
        }
    }

    /// Gives a number to a name.
    pub(super) fn set(&mut self, id: u64, part: u32, text: StringId) {
        let name = Name { part, text, function: None };
        self.count += 1;
        // A number far above the count of names would cost memory that the file has not paid for.
        if id < (self.count as u64) * 8 + 1024 {
            if self.small.len() <= id as usize {
                self.small.resize(id as usize + 1, None);
            }
            self.small[id as usize] = Some(name);
            self.others.remove(&id);
        } else {
            self.others.insert(id, name);
        }
    }
}

/// «(id) text» or «(id)».
pub(super) fn numbered(value: &[u8]) -> Option<(u64, &[u8])> {
    let rest = value.strip_prefix(b"(")?;
    let digits = rest.iter().position(|b| !b.is_ascii_digit())?;
    if !(1..=18).contains(&digits) || rest[digits] != b')' {
        return None;
    }
    let id = rest[..digits].iter().fold(0, |id, b| id * 10 + u64::from(b - b'0'));
    Some((id, rest[digits + 1..].trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gives_or_uses_a_name() {
        assert_eq!(numbered(b"(12) main"), Some((12, &b"main"[..])));
        assert_eq!(numbered(b"(12)"), Some((12, &b""[..])));
        for plain in
            [&b"main"[..], b"(below main)", b"(-1) a", b"(2 )", b"()", b"(99999999999999999999) a", b"(1"]
        {
            assert_eq!(numbered(plain), None);
        }
    }

    #[test]
    fn large_numbers_are_kept_apart() {
        let mut names = Names::default();
        for id in [0, 5, 1_000_000_000_000, 5] {
            names.set(id, 1, StringId(id as u32));
        }
        assert_eq!(names.get(1_000_000_000_000).map(|n| n.text), Some(StringId(1_000_000_000_000u64 as u32)));
        assert!(names.get(5).is_some() && names.get(6).is_none());
        assert!(names.small.len() < 2000);
    }
}
