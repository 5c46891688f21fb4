//! `--journal -`: the journal on standard output, as it grows.
//!
//! The recorder writes its journal to the disk as ever. A thread reads it there, frame by frame, and writes what is whole
//! to standard output. Whoever reads that may take as long as they like, or go away: the recording does not notice, and
//! its journal stays when it was not sent to the end.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::{Failure, out};
use super::Beside;
use crate::import::Frames;
use crate::record::echo;
use crate::remote::Anywhere;

/// Time between two looks at the journal.
const EVERY: Duration = Duration::from_millis(20);

/// The thread that sends.
pub(super) struct Stream {
    shared: Arc<Shared>,
    thread: JoinHandle<io::Result<bool>>,
}

#[derive(Default)]
struct Shared {
    journal: OnceLock<PathBuf>,
    /// Nothing more will be written.
    ended: AtomicBool,
}

impl Stream {
    /// Takes standard output for the journal.
    pub(super) fn begin() -> Result<Self, Failure> {
        if io::stdout().is_terminal() {
            return Err(Failure::new(
                "--journal - writes bytes: send standard output to a file or a program",
            ));
        }
        echo::OUT.divert_to(&echo::ERR);
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = crate::jobs::spawn("journal stream", move || {
            crate::record::leave_out_this_thread();
            own.send()
        });
        Ok(Self { shared, thread })
    }

    /// Waits until all is sent. False when it did not reach its reader.
    pub(super) fn end(self) -> Result<bool, Failure> {
        self.shared.ended.store(true, Ordering::Release);
        let sent = self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the stream broke down")));
        match sent {
            Ok(whole) => Ok(whole && out::is_read()),
            Err(e) => out::written(Err(e)),
        }
    }
}

impl Beside for Stream {
    /// Names the journal; only the first time matters.
    fn look(&self, recording: &Anywhere) {
        if let Some(journal) = recording.journal() {
            let _ = self.shared.journal.set(journal.path().to_owned());
        }
    }
}

impl Shared {
    /// Sends until nothing follows; true when the end of the recording was sent.
    fn send(&self) -> io::Result<bool> {
        let mut out = io::stdout().lock();
        let mut frames: Option<Frames> = None;
        loop {
            // Asked first: what was written before is found then.
            let last = self.ended.load(Ordering::Acquire);
            if let (None, Some(path)) = (&frames, self.journal.get()) {
                frames = Some(Frames::open(path)?);
            }
            let whole = frames.as_mut().map_or(Ok(false), |frames| frames.copy(&mut out, u64::MAX))?;
            if whole || last {
                return Ok(whole);
            }
            std::thread::sleep(EVERY);
        }
    }
}
