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
    /// Number of the first set that is stored. 0 in a profile that is done.
    first: u32,
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
        ArgsRef::inline(self.len() as u32 - 1)
    }

    /// The pairs of set `set`; empty when there is no such set.
    #[must_use]
    pub fn get(&self, set: u32) -> &[(StringId, Value)] {
        let Some(at) = set.checked_sub(self.first).map(|at| at as usize) else { return &[] };
        let Some(&end) = self.ends.get(at) else { return &[] };
        &self.pairs[self.end_of(at)..end as usize]
    }

    /// Where the first `stored` stored sets end.
    fn end_of(&self, stored: usize) -> usize {
        stored.checked_sub(1).and_then(|at| self.ends.get(at)).map_or(0, |&end| end as usize)
    }

    /// Forgets all but the sets with numbers below `sets`.
    pub(super) fn truncate(&mut self, sets: usize) {
        self.ends.truncate(sets.saturating_sub(self.first as usize));
        self.pairs.truncate(self.end_of(self.ends.len()));
    }

    /// Forgets the sets before number `first`, or all; the others keep their numbers.
    pub(super) fn leave_out_before(&mut self, first: Option<u32>) {
        let first = first.unwrap_or(self.len() as u32);
        let gone = first.saturating_sub(self.first) as usize;
        let pairs = self.end_of(gone);
        self.pairs.drain(..pairs);
        self.ends.drain(..gone);
        self.ends.iter_mut().for_each(|end| *end -= pairs as u32);
        self.first = self.first.max(first);
    }

    /// Number of the first set that is stored.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// Gives the first set that is stored the number 0, and so on.
    pub(super) fn number_from_zero(&mut self) {
        self.first = 0;
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.pairs) + size_of_val(&*self.ends)
    }

    /// Number of sets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first as usize + self.ends.len()
    }

    /// True when no set is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}
