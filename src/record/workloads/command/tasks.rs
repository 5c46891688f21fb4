//! Asyncio tasks and sampled stacks of the command's Python processes: what they, and whoever looked at them, left in a folder
//! (`import/tasks` reads it).

use std::path::Path;

use crate::format;
use crate::import::{self, Input, tasks::NAME};
use crate::jobs::Job;
use crate::record::context::Context;

/// Adds them to the run. True when there are any: they are its numbers then.
pub(in super::super) fn collect(trace: &Path, cx: &Context) -> bool {
    let packed = import::tasks::pack(trace);
    if packed.left_out > 0 {
        let text = format::bytes(i64::try_from(packed.left_out).unwrap_or(i64::MAX));
        cx.warn("records of tasks and stacks were left out: there are too many", &text);
    }
    if packed.bytes.is_empty() {
        return false;
    }
    cx.stage("Reading tasks and stacks");
    match import::open_whole(&Input::Bytes(NAME.into(), packed.bytes.into()), &Job::new()) {
        Ok(profile) => {
            cx.attach(profile);
            true
        }
        Err(why) => {
            cx.warn("records of tasks and stacks could not be read", &why.to_string());
            false
        }
    }
}
