//! Key–value details of spans and events, and where to find them.
//!
//! A recorded or small profile keeps them inline. A large trace does not parse the `args` of millions
//! of events on opening: it keeps each event's offset in the (decompressed) file, and the details pane
//! reads one event when it is clicked.

use super::ids::StringId;

/// Where the details of one span or event are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ArgsRef(u64);

const INLINE: u64 = 1 << 63;

/// What an [`ArgsRef`] points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgsPlace {
    /// No details.
    None,
    /// Set number in [`Attributes`].
    Inline(u32),
    /// Byte offset of the event's text in the decompressed file.
    Offset(u64),
}

impl ArgsRef {
    /// No details.
    pub const NONE: Self = Self(0);

    /// The details are set `set` of the profile's [`Attributes`].
    #[must_use]
    pub fn inline(set: u32) -> Self {
        Self(INLINE | u64::from(set))
    }

    /// The details stand in the file at `offset`.
    #[must_use]
    pub fn offset(offset: u64) -> Self {
        Self((offset + 1) & !INLINE)
    }

    /// What this points to.
    #[must_use]
    pub fn place(self) -> ArgsPlace {
        match self.0 {
            0 => ArgsPlace::None,
            n if n & INLINE != 0 => ArgsPlace::Inline((n & !INLINE) as u32),
            n => ArgsPlace::Offset(n - 1),
        }
    }
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(StringId),
    /// An integer.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

/// Sets of key–value pairs, stored end to end.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    pairs: Vec<(StringId, Value)>,
    ends: Vec<u32>,
}

impl Attributes {
    /// Stores one set; [`ArgsRef::NONE`] for an empty one.
    pub fn add(&mut self, pairs: impl IntoIterator<Item = (StringId, Value)>) -> ArgsRef {
        let before = self.pairs.len();
        self.pairs.extend(pairs);
        if self.pairs.len() == before {
            return ArgsRef::NONE;
        }
        self.ends.push(self.pairs.len() as u32);
        ArgsRef::inline(self.ends.len() as u32 - 1)
    }

    /// The pairs of set `set`; empty when there is no such set.
    #[must_use]
    pub fn get(&self, set: u32) -> &[(StringId, Value)] {
        let Some(&end) = self.ends.get(set as usize) else { return &[] };
        let start = if set == 0 { 0 } else { self.ends[set as usize - 1] };
        &self.pairs[start as usize..end as usize]
    }

    /// Forgets all but the first `sets` sets.
    pub(super) fn truncate(&mut self, sets: usize) {
        self.ends.truncate(sets);
        self.pairs.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    /// Number of sets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when no set is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}
