//! What is in a cell.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::super::{UNKNOWN, count};
use crate::model::Calls;

/// `calls`, or `calls/primitive` where recursion makes them differ, as pstats prints them.
#[must_use]
pub fn calls(calls: Option<Calls>) -> String {
    match calls {
        None => UNKNOWN.to_owned(),
        Some(c) if c.all == c.primitive => count(c.all as i64),
        Some(c) => format!("{}/{}", count(c.all as i64), count(c.primitive as i64)),
    }
}

/// What is in a cell. It is cheap to make, so that all rows can be sorted by it; how it is written is the column's.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// Nothing is to be said in this row.
    Empty,
    /// Unknown, which is not 0.
    #[default]
    Unknown,
    /// A cost in the column's unit.
    Cost(i64),
    /// A cost of which some is not known yet: calls that had not ended.
    AtLeast(i64),
    /// A number whose meaning is the column's: a share, a rate, a mean, a change.
    Number(f64),
    /// A number that rests on an estimate.
    About(Box<Self>),
    /// A number that is written in a unit of its row.
    Written(String, f64),
    /// How often.
    Count(u64),
    /// Calls, and those that were no recursion.
    Calls(Calls),
    /// A word of ours instead of a number, such as «new».
    Word(&'static str),
    /// A text.
    Text(Cow<'a, str>),
    /// A file and a line in it; 0 when that is not known.
    Place(&'a str, u32),
    /// A name at this depth of a tree.
    Nested(u32, Cow<'a, str>),
    /// Counts of two runs, base first.
    Both(Option<u64>, Option<u64>),
}

impl<'a> Value<'a> {
    /// A cost, where it is known.
    #[must_use]
    pub fn cost(cost: Option<i64>) -> Self {
        cost.map_or(Self::Unknown, Self::Cost)
    }

    /// A cost, where it is known; with calls that had not ended it is the least.
    #[must_use]
    pub fn unfinished(cost: Option<i64>, unfinished: u64) -> Self {
        match cost {
            Some(cost) if unfinished > 0 => Self::AtLeast(cost),
            cost => Self::cost(cost),
        }
    }

    /// A number, where it is known.
    #[must_use]
    pub fn number(number: Option<f64>) -> Self {
        number.map_or(Self::Unknown, Self::Number)
    }

    /// A count, where it is known.
    #[must_use]
    pub fn count(count: Option<u64>) -> Self {
        count.map_or(Self::Unknown, Self::Count)
    }

    /// A text.
    #[must_use]
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// True for what is unknown, nothing or 0: it stands back where it is painted.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Empty | Self::Unknown | Self::Cost(0) | Self::Count(0) => true,
            Self::Number(n) => *n == 0.0,
            _ => false,
        }
    }

    /// The number that bars are as long as.
    #[must_use]
    pub fn size(&self) -> Option<f64> {
        match self {
            Self::Cost(n) | Self::AtLeast(n) => Some(*n as f64),
            Self::Number(n) | Self::Written(_, n) => Some(*n),
            Self::Count(n) => Some(*n as f64),
            Self::Calls(calls) => Some(calls.all as f64),
            Self::About(value) => value.size(),
            _ => None,
        }
    }

    /// The value without loss, for programs; empty when unknown. Numbers without a unit are as they are.
    #[must_use]
    pub fn exact(&self) -> String {
        match self {
            Self::Empty | Self::Unknown => String::new(),
            Self::Cost(n) | Self::AtLeast(n) => n.to_string(),
            Self::Number(n) | Self::Written(_, n) => n.to_string(),
            Self::Count(n) => n.to_string(),
            Self::Calls(c) if c.all == c.primitive => c.all.to_string(),
            Self::Calls(c) => format!("{}/{}", c.all, c.primitive),
            Self::About(value) => value.exact(),
            Self::Nested(_, text) => text.to_string(),
            Self::Word(_) | Self::Text(_) | Self::Place(..) | Self::Both(..) => self.plain(),
        }
    }

    /// The value as a person reads it without knowing its column.
    pub(super) fn plain(&self) -> String {
        let counted = |n: u64| count(n as i64);
        let known = |n: &Option<u64>| n.map_or_else(|| UNKNOWN.to_owned(), counted);
        match self {
            Self::Empty => String::new(),
            Self::Unknown => UNKNOWN.to_owned(),
            Self::Cost(n) => count(*n),
            Self::AtLeast(n) => format!("≥ {}", count(*n)),
            Self::Number(n) => n.to_string(),
            Self::Written(text, _) => text.clone(),
            Self::About(value) => format!("≈{}", value.plain()),
            Self::Count(n) => counted(*n),
            Self::Calls(c) => calls(Some(*c)),
            Self::Word(word) => (*word).to_owned(),
            Self::Text(text) => text.to_string(),
            Self::Place("" | "~", _) => String::new(), // Python writes `~` for built-in functions
            Self::Place(file, 0) => (*file).to_owned(),
            Self::Place(file, line) => format!("{file}:{line}"),
            Self::Nested(depth, text) => format!("{}{text}", "  ".repeat((*depth).min(200) as usize)),
            Self::Both(base, head) if base == head => known(base),
            Self::Both(base, head) => format!("{} → {}", known(base), known(head)),
        }
    }

    /// The natural order of a column: the largest number, the first text first; what is unknown or empty last.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let missing = |v: &Self| match v {
            Self::Empty | Self::Unknown => true,
            Self::Text(text) => text.is_empty(),
            Self::Place(file, _) => file.is_empty(),
            _ => false,
        };
        match (self, other) {
            _ if missing(self) || missing(other) => missing(self).cmp(&missing(other)),
            (Self::Cost(a) | Self::AtLeast(a), Self::Cost(b) | Self::AtLeast(b)) => b.cmp(a),
            (Self::Count(a), Self::Count(b)) => b.cmp(a),
            (Self::Calls(a), Self::Calls(b)) => b.all.cmp(&a.all),
            (Self::Place(a, n), Self::Place(b, m)) => (a, n).cmp(&(b, m)),
            (Self::Text(a) | Self::Nested(_, a), Self::Text(b) | Self::Nested(_, b)) => a.cmp(b),
            _ => match (self.size(), other.size()) {
                (Some(a), Some(b)) => b.total_cmp(&a),
                (a, b) => a.is_none().cmp(&b.is_none()).then_with(|| self.plain().cmp(&other.plain())),
            },
        }
    }
}
