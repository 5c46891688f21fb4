//! The copy of a journal that is written elsewhere: a journal here like any other, so that nothing is lost with a link.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::record::journal::JournalFile;

/// A copy as far as it came.
pub(super) struct Mirror {
    file: Arc<JournalFile>,
    /// Bytes that came.
    length: u64,
    /// Of these, whole frames.
    whole: u64,
}

impl Mirror {
    /// Begins a copy in `folder`.
    pub(super) fn begin(folder: &Path, unix_ns: Option<i64>) -> io::Result<Self> {
        Ok(Self { file: Arc::new(JournalFile::create(folder, unix_ns)?), length: 0, whole: 0 })
    }

    pub(super) fn file(&self) -> &Arc<JournalFile> {
        &self.file
    }

    /// Takes in bytes that stand at `at`; false when they do not follow what is there.
    pub(super) fn take(&mut self, at: u64, bytes: &[u8], whole: bool) -> io::Result<bool> {
        if at != self.length {
            return Ok(false);
        }
        self.file.append(self.length, bytes)?;
        self.length += bytes.len() as u64;
        if whole {
            self.whole = self.length;
        }
        Ok(true)
    }

    /// Bytes that are there.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The link broke: goes back to the last whole frame, and gives where that ends. What lies behind it comes again.
    pub(super) fn go_back(&mut self) -> u64 {
        self.length = self.whole;
        self.whole
    }
}
