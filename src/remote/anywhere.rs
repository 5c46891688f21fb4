//! A recording, wherever it runs.

use std::sync::Arc;

use super::Recording;
use crate::model::Profile;
use crate::record::journal::JournalFile;
use crate::record::{self, RecordError, Status, StopSignal};

/// A recording of this process, or one of another process, here or on another machine.
pub enum Anywhere {
    /// Of this process.
    Here(record::Recording),
    /// Of another one.
    There(Recording),
}

impl Anywhere {
    /// True when it ends with nobody's leave but ours: it does not run on another machine.
    #[must_use]
    pub fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Here(_) => true,
            Self::There(recording) => recording.is_here(),
        }
    }

    /// Ends it now and keeps what was recorded.
    pub fn stop(&self) {
        match self {
            Self::Here(recording) => recording.stop(),
            Self::There(recording) => recording.stop(),
        }
    }

    /// Ends it by the signal that asked for it; one elsewhere is stopped there.
    pub fn stop_by(&self, signal: StopSignal) {
        match self {
            Self::Here(recording) => recording.stop_by(signal),
            Self::There(recording) => recording.stop(),
        }
    }

    /// Ends it now and throws away what was recorded.
    pub fn cancel(&self) {
        match self {
            Self::Here(recording) => recording.cancel(),
            Self::There(recording) => recording.cancel(),
        }
    }

    /// How it gets on.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Here(recording) => recording.status(),
            Self::There(recording) => recording.status(),
        }
    }

    /// Its journal here, once there is one.
    #[must_use]
    pub fn journal(&self) -> Option<Arc<JournalFile>> {
        match self {
            Self::Here(recording) => recording.journal(),
            Self::There(recording) => recording.journal(),
        }
    }

    /// True once [`Self::join`] will not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match self {
            Self::Here(recording) => recording.is_finished(),
            Self::There(recording) => recording.is_finished(),
        }
    }

    /// Lets go of it: one of this process goes on as long as that does, one there to its end.
    pub fn leave(self) {
        match self {
            Self::Here(recording) => recording.leave(),
            Self::There(recording) => recording.leave(),
        }
    }

    /// Waits for the end and gives the profile.
    ///
    /// # Errors
    /// As the recording says.
    pub fn join(self) -> Result<Arc<Profile>, RecordError> {
        match self {
            Self::Here(recording) => recording.join(),
            Self::There(recording) => recording.join(),
        }
    }
}
