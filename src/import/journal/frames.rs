//! The frames of a journal, as they are written.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use crate::import::source::Growing;
use crate::model::wire::journal::{END, MAGIC, Next, frame, next};
use crate::model::wire::tag::Tag;

/// Bytes before the first frame.
pub(super) const START: u64 = (MAGIC.len() + 2) as u64;
/// Bytes of a frame before its content.
const HEADER: u64 = 12;

/// The whole frames of a journal that may grow.
pub struct Frames {
    file: Growing,
    /// Where the first byte is that was not read.
    at: u64,
    /// What follows is no whole frame.
    torn: bool,
}

impl Frames {
    /// Opens a journal that may just have been made.
    ///
    /// # Errors
    /// When the system cannot open it.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Growing::open(path)?, at: 0, torn: false })
    }

    /// Goes on behind the frames of the first `at` bytes.
    ///
    /// # Errors
    /// When the system cannot open it.
    pub fn open_at(path: &Path, at: u64) -> io::Result<Self> {
        Ok(Self { at, ..Self::open(path)? })
    }

    /// Bytes up to here: all of whole frames.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// True while its writer lives.
    pub(super) fn is_locked(&self) -> bool {
        self.file.is_locked()
    }

    /// True when the last look found something that is no whole frame.
    pub(super) fn is_torn(&self) -> bool {
        self.torn
    }

    /// What stands before the first frame; `None` while that is not there.
    pub(super) fn start(&mut self) -> io::Result<Option<[u8; START as usize]>> {
        let mut start = [0; START as usize];
        match self.file.from(0)?.read_exact(&mut start) {
            Ok(()) => {
                self.at = self.at.max(START);
                Ok(Some(start))
            }
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Gives `take` each frame that is whole now, until it says that it wants no more.
    pub(super) fn read(&mut self, mut take: impl FnMut(Tag, Vec<u8>) -> io::Result<bool>) -> io::Result<()> {
        let mut from = BufReader::new(self.file.from(self.at)?);
        loop {
            // What is not whole is being written, and read again the next time.
            let next = next(&mut from)?;
            self.torn = matches!(next, Next::Torn);
            let Next::Frame(tag, bytes) = next else { return Ok(()) };
            self.at += HEADER + bytes.len() as u64;
            if !take(tag, bytes)? {
                return Ok(());
            }
        }
    }

    /// Writes on what came since the last time, whole frames only and none after `most` bytes; true once that was the end
    /// of the recording.
    ///
    /// # Errors
    /// When the journal cannot be read or `out` cannot be written.
    pub fn copy(&mut self, out: &mut dyn Write, most: u64) -> io::Result<bool> {
        if self.at == 0 {
            let Some(start) = self.start()? else { return Ok(false) };
            out.write_all(&start)?;
        }
        let (mut whole, mut written) = (false, 0);
        self.read(|tag, bytes| {
            let mut framed = Vec::new();
            frame(&mut framed, tag, &bytes);
            out.write_all(&framed)?;
            whole = tag == END;
            written += framed.len() as u64;
            Ok(!whole && written < most)
        })?;
        out.flush()?;
        Ok(whole)
    }
}
