//! pyinstrument session.

use super::{Confidence, Context, Head, ImportError, Importer, Source};

/// pyinstrument session.
pub struct Pyinstrument;

impl Importer for Pyinstrument {
    fn id(&self) -> &'static str {
        "pyinstrument"
    }
    fn title(&self) -> &'static str {
        "pyinstrument session"
    }
    fn written_by(&self) -> &'static str {
        "pyinstrument"
    }
    fn extensions(&self) -> &'static [&'static str] {
        &["pyisession", "json"]
    }
    fn sniff(&self, _head: &Head<'_>) -> Confidence {
        Confidence::No
    }
    fn import(&self, _source: &mut Source, _cx: &mut Context<'_>) -> Result<(), ImportError> {
        Err(ImportError::malformed("not implemented"))
    }
}
