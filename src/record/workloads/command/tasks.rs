//! Asyncio tasks of the command's Python processes: segments of records that they left (`import/tasks` reads them).

use super::inject::Inject;
use crate::format;
use crate::import::{self, Input, tasks::NAME};
use crate::jobs::Job;
use crate::model::Attachment;
use crate::record::context::Context;

/// Adds the tasks to the run. True when there are any: they are its numbers then.
pub(super) fn collect(inject: Option<&Inject>, cx: &Context) -> bool {
    let Some(packed) = inject.map(|inject| import::tasks::pack(inject.trace())) else { return false };
    if packed.left_out > 0 {
        let text = format::bytes(i64::try_from(packed.left_out).unwrap_or(i64::MAX));
        cx.warn("records of tasks were left out: there are too many", &text);
    }
    if packed.bytes.is_empty() {
        return false;
    }
    cx.stage("Reading tasks");
    let bytes: std::sync::Arc<[u8]> = packed.bytes.into();
    match import::open_whole(&Input::Bytes(NAME.into(), bytes.clone()), &Job::new()) {
        Ok(profile) => {
            cx.keep_file(Attachment { name: NAME.into(), bytes }, true);
            cx.attach(profile);
            true
        }
        Err(why) => {
            cx.warn("records of tasks could not be read", &why.to_string());
            false
        }
    }
}
