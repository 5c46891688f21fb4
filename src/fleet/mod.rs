//! Many runs as one thing: profiles as rows of a few tables, written once where the files are, and questions about all of them.
//!
//! `add` reads profiles with the importers as they are and writes a Parquet file for each run and table; `pack` puts those of many
//! runs into few; `ask` answers questions from the columns that these need. There is no server, no index and no language of our
//! own: the tables are documented in the guide, and whatever reads Parquet reads them.

pub mod add;
pub mod ask;
pub mod dataset;
mod file;
pub mod frame;
pub mod labels;
pub mod open;
pub mod pack;
pub mod rank;
pub mod runs;
pub mod schema;
pub mod sources;
pub mod stable;
pub mod tables;
#[cfg(test)]
pub(crate) mod tests;
