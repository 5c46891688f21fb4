//! Opening a file in the background, with progress and cancel; and following one that is still written.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{Event, Events};
use crate::import::{self, ErrorKind, Follow, ImportError, Input};
use crate::jobs::{self, Job};
use crate::model::Profile;
use crate::query::RunId;

/// Time between two looks at the journal of a recording that goes on.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Shortest time between two pictures of it.
const PICTURE_EVERY: Duration = Duration::from_millis(250);

/// Starts reading `input` as run `run` and returns the handle to watch and cancel it.
#[must_use]
pub fn start(run: RunId, input: Input, events: Events) -> Job {
    let job = Job::new();
    let handle = job.clone();
    jobs::spawn("open", move || {
        let result = match input.path().and_then(Follow::open) {
            Some(recording) => follow(run, recording, &job, &events),
            None => {
                let mut publish = |profile| events.send(Event::Revision { run, profile: Arc::new(profile) });
                import::open(&input, &job, &mut publish)
            }
        };
        let several = result.as_ref().is_err_and(|e| e.kind == ErrorKind::Several);
        let members = several.then(|| input.members().ok().flatten()).flatten();
        events.send(match members {
            Some(members) => Event::Several { run, members },
            None => Event::Opened { run, result: result.map(Arc::new) },
        });
    });
    handle
}

/// Shows a recording as it grows, until it ends or the person has seen enough.
fn follow(run: RunId, mut recording: Follow, job: &Job, events: &Events) -> Result<Profile, ImportError> {
    events.send(Event::Following { run });
    let mut due = Instant::now();
    let mut grown = false;
    while recording.is_live() && !job.is_cancelled() {
        grown |= recording.read()?;
        let begun = Instant::now();
        if grown
            && begun >= due
            && let Some(profile) = recording.snapshot()
        {
            events.send(Event::Revision { run, profile: Arc::new(profile) });
            // As a recorder does it: pictures take a twentieth of the time at most.
            due = Instant::now() + PICTURE_EVERY.max(begun.elapsed() * 20);
            grown = false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    recording.finish()
}

/// The folder that an export dialog starts in: beside the run's file.
#[must_use]
pub fn folder_of(input: Option<&Input>) -> Option<&Path> {
    input?.path()?.parent().filter(|p| !p.as_os_str().is_empty())
}
