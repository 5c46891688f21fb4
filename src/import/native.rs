//! inferscope session.

use super::{Confidence, Context, Head, ImportError, Importer, Source};

/// inferscope session.
pub struct Native;

impl Importer for Native {
    fn id(&self) -> &'static str {
        "native"
    }
    fn title(&self) -> &'static str {
        "inferscope session"
    }
    fn written_by(&self) -> &'static str {
        "inferscope"
    }
    fn extensions(&self) -> &'static [&'static str] {
        &["inferscope"]
    }
    fn sniff(&self, _head: &Head<'_>) -> Confidence {
        Confidence::No
    }
    fn import(&self, _source: &mut Source, _cx: &mut Context<'_>) -> Result<(), ImportError> {
        Err(ImportError::malformed("not implemented"))
    }
}
