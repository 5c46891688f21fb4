//! Requests over HTTP that a recorded program made («http-PID-N.calls»), as `assets/python/inferscope_inject/_http.py` and the
//! recorder's proxy write them; the layout is told there.
//!
//! Known routes of language models become requests: what was asked, the answer as `import/answers` reads it, stamps of the
//! connection and of each piece, attempts that failed. All others become spans without bodies. A call that was seen through two doors
//! (in the program and in the proxy) is one. Nothing is trusted: lengths and numbers of records are bounded, packed bodies too.

mod asked;
mod build;
mod coding;
mod doors;
mod exchange;
mod hosts;
mod records;
#[cfg(test)]
mod tests;

use super::Gives::{Requests, Time};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::Basis;
pub(crate) use build::{Beside, build};
#[cfg(feature = "workloads")]
pub(crate) use hosts::is_known;
#[cfg(feature = "workloads")]
pub(crate) use records::Calls;
pub(crate) use records::{MAGIC, read};

/// The ending of the files.
pub(crate) const EXTENSION: &str = "calls";

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "http",
    title: "HTTP requests of a recorded program",
    written_by: "inferscope, in the program or as a proxy",
    extensions: &[EXTENSION],
    gives: &[Time, Requests],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.starts_with(MAGIC) { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let calls = read(source)?;
    let Some(first) = calls.first() else {
        return Err(ImportError::malformed("holds no request: the program made none, or was killed at once"));
    };
    let origin = first.saturating_add(calls.unix);
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.origin_unix_ns) = (Basis::Timed, Some(origin));
    let built = build(vec![(calls, -first)], Beside::Nothing, b);
    built.tell(b);
    Ok(())
}
