//! Bytes that are sent as they are: a file, or a session.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Step, Work};
use crate::remote::wire::{PIECE, Stream, Tell, pieces, tell};

/// Something that is sent from an offset to its end.
pub(super) struct Sending {
    from: Box<dyn Read>,
    length: u64,
    at: u64,
    begun: bool,
}

impl Sending {
    /// The bytes of a file behind the first `from`.
    pub(super) fn file(path: &Path, from: u64) -> Result<Self, String> {
        let no = |e: io::Error| format!("cannot be read ({e})");
        let about = path.metadata().map_err(no)?;
        if !about.is_file() {
            return Err("is no file".into());
        }
        let mut file = File::open(path).map_err(no)?;
        file.seek(SeekFrom::Start(from)).map_err(no)?;
        Ok(Self { from: Box::new(file), length: about.len(), at: from, begun: false })
    }

    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        Self { length: bytes.len() as u64, from: Box::new(Cursor::new(bytes)), at: 0, begun: false }
    }
}

impl Work for Sending {
    fn step(&mut self, out: &mut dyn Write) -> io::Result<Step> {
        if !self.begun {
            self.begun = true;
            tell(out, &Tell::Size(self.length))?;
        }
        let mut chunk = Vec::new();
        let left = self.length.saturating_sub(self.at).min(PIECE as u64);
        let read = self.from.by_ref().take(left).read_to_end(&mut chunk);
        match read {
            Ok(0) => {
                // A file that shrinks meanwhile ends early, which its length tells.
                tell(out, &Tell::Done)?;
                Ok(Step::Done)
            }
            Ok(_) => {
                pieces(out, Stream::File, self.at, &chunk, true)?;
                self.at += chunk.len() as u64;
                Ok(Step::Busy)
            }
            Err(e) => {
                let why = format!("cannot be read ({e})");
                tell(out, &Tell::Failed { why, kind: crate::remote::wire::Kind::Io })?;
                Ok(Step::Done)
            }
        }
    }
}
