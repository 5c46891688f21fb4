//! callgrind.

use super::{Confidence, Context, Head, ImportError, Importer, Source};

/// callgrind.
pub struct Callgrind;

impl Importer for Callgrind {
    fn id(&self) -> &'static str {
        "callgrind"
    }
    fn title(&self) -> &'static str {
        "callgrind"
    }
    fn written_by(&self) -> &'static str {
        "valgrind, yappi, xdebug, …"
    }
    fn extensions(&self) -> &'static [&'static str] {
        &["callgrind", "out"]
    }
    fn sniff(&self, _head: &Head<'_>) -> Confidence {
        Confidence::No
    }
    fn import(&self, _source: &mut Source, _cx: &mut Context<'_>) -> Result<(), ImportError> {
        Err(ImportError::malformed("not implemented"))
    }
}
