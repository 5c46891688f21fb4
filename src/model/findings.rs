//! Mistakes and notable facts that whoever made the profile states itself, with the place to look at.
//!
//! A finding is data of the profile, as an event is; what inferscope concludes from the numbers is not.

use super::ids::{RequestId, StringId, TrackId};
use super::tracks::Severity;

/// The kind of findings about answers of a semantic cache that were made for another question.
pub const FALSE_HIT: &str = "False hit of the semantic cache";

/// The kind of findings about steps that held an event loop while tasks were ready to go on.
pub const LOOP_HELD: &str = "Event loop held up";

/// The kind of findings about batches that could hold more requests than came together.
pub const BATCHES_ARE_EMPTY: &str = "Batches are mostly empty";

/// Something that was found during the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind, in a few words: the same words each time.
    pub kind: StringId,
    /// How bad.
    pub severity: Severity,
    /// One or two sentences with the figures of this case.
    pub text: StringId,
    /// The request that it is about.
    pub request: Option<RequestId>,
    /// The track that it was found on.
    pub track: Option<TrackId>,
    /// When, ns; `None` for what is true of the whole run.
    pub time: Option<i64>,
}
