//! Chrome trace.

use super::{Confidence, Context, Head, ImportError, Importer, Source};

/// Chrome trace.
pub struct Chrome;

impl Importer for Chrome {
    fn id(&self) -> &'static str {
        "chrome"
    }
    fn title(&self) -> &'static str {
        "Chrome trace"
    }
    fn written_by(&self) -> &'static str {
        "Chrome, PyTorch, viztracer, Perfetto exports, tracing-chrome, …"
    }
    fn extensions(&self) -> &'static [&'static str] {
        &["json", "json.gz", "trace"]
    }
    fn sniff(&self, _head: &Head<'_>) -> Confidence {
        Confidence::No
    }
    fn import(&self, _source: &mut Source, _cx: &mut Context<'_>) -> Result<(), ImportError> {
        Err(ImportError::malformed("not implemented"))
    }
}
