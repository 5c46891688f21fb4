//! A file that is parsed here, so that a session of it is sent.

use std::io::{self, Write};
use std::thread::JoinHandle;

use super::send::Sending;
use super::{No, Step, Work};
use crate::export::native;
use crate::import::{self, ImportError, Input};
use crate::jobs::{self, Job};
use crate::remote::wire::{Kind, Tell, tell};

/// Change of the share that is worth a word.
const STEP: f32 = 0.02;

/// A file on its way to a session. Given up when it is dropped.
pub(super) struct Parsing {
    job: Job,
    thread: Option<JoinHandle<Result<Vec<u8>, No>>>,
    told: f32,
    sending: Option<Sending>,
}

impl Parsing {
    pub(super) fn begin(input: Input) -> Self {
        let job = Job::new();
        let handle = job.clone();
        let thread = jobs::spawn("remote open", move || {
            let profile = import::open_whole(&input, &handle)?;
            let mut bytes = Vec::new();
            native::write(&profile, &mut bytes).map_err(|e| format!("a session of it {e}"))?;
            Ok(bytes)
        });
        Self { job, thread: Some(thread), told: 0.0, sending: None }
    }
}

impl Work for Parsing {
    fn step(&mut self, out: &mut dyn Write) -> io::Result<Step> {
        if let Some(sending) = &mut self.sending {
            return sending.step(out);
        }
        let done = self.job.progress().unwrap_or(0.0);
        if done >= self.told + STEP {
            self.told = done;
            tell(out, &Tell::Reading(done))?;
        }
        let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) else {
            return Ok(Step::Waiting);
        };
        let broke_down = || No::from(ImportError::malformed("makes the program there fail"));
        match thread.join().unwrap_or_else(|_| Err(broke_down())) {
            Ok(bytes) => {
                self.sending = Some(Sending::bytes(bytes));
                Ok(Step::Busy)
            }
            Err(No { why, kind }) => {
                let kind = if self.job.is_cancelled() { Kind::Cancelled } else { kind };
                tell(out, &Tell::Failed { why, kind })?;
                Ok(Step::Done)
            }
        }
    }
}

impl Drop for Parsing {
    fn drop(&mut self) {
        self.job.cancel();
    }
}
