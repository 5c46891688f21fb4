//! Details of a span or event that stand in the file, read in the background when somebody looks.

use crate::import::{self, Input};
use crate::jobs::Cancelled;
use crate::query::{Context, Query};
use std::hash::{Hash, Hasher};

/// Reads the details of the event at an offset of the run's file. `Err` says why they cannot be read.
#[derive(Clone, Debug)]
pub(super) struct EventArgs {
    /// The file that the run was opened from.
    pub input: Input,
    /// Byte offset in the decompressed file.
    pub offset: u64,
}

// A run has one file, so the offset tells questions apart; the label guards against a replaced input.
impl PartialEq for EventArgs {
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset && self.input.label() == other.input.label()
    }
}

impl Eq for EventArgs {}

impl Hash for EventArgs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.offset.hash(state);
    }
}

/// Names and values in the order of the file.
pub(super) type Pairs = Vec<(String, String)>;

impl Query for EventArgs {
    type Output = Result<Pairs, String>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        cx.job().checkpoint(0, 0)?;
        Ok(import::details(&self.input, &cx.profile().meta, self.offset).map_err(|e| e.to_string()))
    }

    fn weight(output: &Self::Output) -> usize {
        output.as_ref().map_or(64, |pairs| pairs.iter().map(|(k, v)| k.len() + v.len() + 48).sum())
    }
}
