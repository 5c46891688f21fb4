//! Opening a file in the background, with progress and cancel.

use std::path::Path;
use std::sync::Arc;

use super::event::{Event, Events};
use crate::import::{self, Input};
use crate::jobs::{self, Job};

/// Starts reading `input` as run `run` and returns the handle to watch and cancel it.
#[must_use]
pub fn start(run: u32, input: Input, events: Events) -> Job {
    let job = Job::new();
    let handle = job.clone();
    jobs::spawn("open", move || {
        let mut publish = |profile| events.send(Event::Revision { run, profile: Arc::new(profile) });
        let result = import::open(&input, &job, &mut publish).map(Arc::new);
        events.send(Event::Opened { run, result });
    });
    handle
}

/// The folder that an export dialog starts in: beside the run's file.
#[must_use]
pub fn folder_of(input: Option<&Input>) -> Option<&Path> {
    input?.path()?.parent().filter(|p| !p.as_os_str().is_empty())
}
