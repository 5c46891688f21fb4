//! Sampled stacks of the command's Python processes: who reads them, and what is said of it.

use std::path::{Path, PathBuf};

use super::inject::Reader;
use crate::format;
use crate::import::stacks::EXTENSION;
use crate::record::context::Context;
use crate::record::stacks::{self, Plan, Stacks};

/// Who can read the stacks of a command that is about to be started. Says so when that is not us, against what was `asked` for.
pub(super) fn reader(asked: &str, cx: &Context) -> Reader {
    if asked == "inside" {
        return Reader::Inside;
    }
    match stacks::of_children() {
        None => Reader::Outside,
        Some(why) => {
            let kind = "stacks are sampled inside the program, so they lean to places where it lets go of the interpreter's lock";
            cx.warn(kind, &why);
            Reader::Inside
        }
    }
}

/// Sampling that goes on.
pub(in super::super) struct Sampling {
    stacks: Stacks,
    folder: PathBuf,
}

impl Sampling {
    /// Looks at `root` and, with `children`, at all that it starts, `hz` times a second.
    pub(in super::super) fn start(root: u32, children: bool, folder: &Path, hz: u32) -> Self {
        let folder = folder.to_owned();
        Self { stacks: Stacks::start(Plan { root, children, folder: folder.clone(), hz }), folder }
    }

    /// Ends it, and says what could not be sampled.
    pub(in super::super) fn end(self, cx: &Context) {
        let outcome = self.stacks.end();
        cx.add_cpu(outcome.cpu);
        for (pid, why) in outcome.failed {
            // Its interpreter may have done it itself.
            if !has_own(&self.folder, pid) {
                cx.warn("the stacks of a Python process were not sampled", &format!("process {pid}: {why}"));
            }
        }
        if outcome.sampled > 0 {
            let used = format::duration(i64::try_from(outcome.cpu.as_nanos()).unwrap_or(i64::MAX));
            let processes = format::counted(outcome.sampled as i64, "process", "processes");
            cx.fact(
                crate::model::FactKind::Result,
                "Sampling of stacks",
                format!("{processes}, {used} of CPU time of the recorder"),
            );
        }
    }
}

fn has_own(folder: &Path, pid: u32) -> bool {
    let begins = format!("{pid}-");
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|e| e == EXTENSION)
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begins))
    })
}
