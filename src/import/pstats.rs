//! Python pstats.

use super::{Confidence, Context, Head, ImportError, Importer, Source};

/// Python pstats.
pub struct Pstats;

impl Importer for Pstats {
    fn id(&self) -> &'static str {
        "pstats"
    }
    fn title(&self) -> &'static str {
        "Python pstats"
    }
    fn written_by(&self) -> &'static str {
        "cProfile, profile, yappi"
    }
    fn extensions(&self) -> &'static [&'static str] {
        &["prof", "pstat", "pstats", "cprof"]
    }
    fn sniff(&self, _head: &Head<'_>) -> Confidence {
        Confidence::No
    }
    fn import(&self, _source: &mut Source, _cx: &mut Context<'_>) -> Result<(), ImportError> {
        Err(ImportError::malformed("not implemented"))
    }
}
