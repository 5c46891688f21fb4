//! What importers read with: one reader for each kind of notation, each streaming or bounded, none recursing.
//!
//! | file | for |
//! |---|---|
//! | [`json`] | JSON of any size, pulled value by value |
//! | [`value`] | one value of it as a tree, bounded in depth |
//! | [`lines`] | texts, line by line |
//! | [`csv`] | fields of a line of CSV |
//! | [`outline`] | trees that are written line by line |
//! | [`pickle`] | Python's pickles, as data only |
//! | [`marshal`] | Python's marshal format |
//! | [`protobuf`] | fields of a message, without a schema |
//! | [`sqlite`] | rows of a database's tables |
//! | [`sse`] | server-sent events |
//! | [`base64`] | bytes that are written as text |
//! | [`time`] | dates |
//! | [`text`] | UTF-16 and byte order marks, for all of them |
//! | [`Rounding`] | fractional costs whose sum stays right |
//! | [`Oddities`] | counting what was odd |

pub(super) mod base64;
pub(super) mod csv;
pub(super) mod distribution;
pub(super) mod json;
pub(super) mod lines;
pub(super) mod marshal;
mod oddities;
pub(super) mod outline;
pub(super) mod pickle;
pub(super) mod protobuf;
mod rounding;
pub(super) mod sqlite;
pub(crate) mod sse;
pub(super) mod text;
pub(crate) mod time;
pub(super) mod value;

pub(super) use oddities::Oddities;
pub(super) use rounding::Rounding;
