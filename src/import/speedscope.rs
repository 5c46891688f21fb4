//! speedscope.

use super::{Confidence, Context, Head, ImportError, Importer, Source};

/// speedscope.
pub struct Speedscope;

impl Importer for Speedscope {
    fn id(&self) -> &'static str {
        "speedscope"
    }
    fn title(&self) -> &'static str {
        "speedscope"
    }
    fn written_by(&self) -> &'static str {
        "speedscope, py-spy, pyinstrument, memray, …"
    }
    fn extensions(&self) -> &'static [&'static str] {
        &["speedscope.json", "json"]
    }
    fn sniff(&self, _head: &Head<'_>) -> Confidence {
        Confidence::No
    }
    fn import(&self, _source: &mut Source, _cx: &mut Context<'_>) -> Result<(), ImportError> {
        Err(ImportError::malformed("not implemented"))
    }
}
