//! How many calls had not ended when the recording did.

use crate::jobs::Cancelled;
use crate::model::SpanStatus;
use crate::query::{Context, Query};

/// Computes the number of spans without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unfinished;

impl Query for Unfinished {
    type Output = u64;

    fn run(&self, cx: &Context<'_>) -> Result<u64, Cancelled> {
        let spans = cx.profile().tracks.iter().flat_map(|t| &t.spans.rows);
        Ok(spans.filter(|s| s.status == SpanStatus::Unfinished).count() as u64)
    }
}
