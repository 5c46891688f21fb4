//! A recording, sent as it grows: its journal, what its program writes, and how it gets on.

use std::io::{self, Write};
use std::path::Path;

use super::{Step, Work};
use crate::import::Frames;
use crate::record::journal::is_whole;
use crate::remote::post::Post;
use crate::remote::wire::{PIECE, State, Stream, Tell, pieces, tell};

/// Bytes of a journal after which one looks whether something is asked.
const AT_ONCE: u64 = 1 << 20;

/// One recording on its way to a client.
pub(super) struct Following {
    post: Post,
    /// Bytes that the client has of its journal, and of both streams.
    journal: u64,
    out: u64,
    err: u64,
    frames: Option<Frames>,
    told: Option<State>,
}

impl Following {
    pub(super) fn begin(post: Post, journal: u64, out: u64, err: u64) -> Result<Self, String> {
        if !post.is_there() {
            return Err(
                "there is no such recording any more; `inferscope recover --on` lists what is there".into()
            );
        }
        Ok(Self { post, journal, out, err, frames: None, told: None })
    }

    /// Sends what the journal has more; true when there was something.
    fn send_journal(&mut self, path: &Path, to: &mut dyn Write) -> io::Result<bool> {
        if self.frames.is_none() {
            self.frames = Some(Frames::open_at(path, self.journal)?);
        }
        let Some(frames) = &mut self.frames else { return Ok(false) };
        let mut pipe = Pipe { to, at: self.journal };
        frames.copy(&mut pipe, AT_ONCE)?;
        let grown = pipe.at > self.journal;
        self.journal = pipe.at;
        Ok(grown)
    }

    /// Sends what the program has written more; true when there was something.
    fn send_output(&mut self, to: &mut dyn Write) -> io::Result<bool> {
        let mut grown = false;
        for (stream, at) in [(Stream::Out, &mut self.out), (Stream::Err, &mut self.err)] {
            let bytes = self.post.output(stream == Stream::Err, *at, PIECE);
            pieces(to, stream, *at, &bytes, true)?;
            *at += bytes.len() as u64;
            grown |= !bytes.is_empty();
        }
        Ok(grown)
    }
}

/// Bytes of a journal on their way out; each write ends a frame, or what stands before the first.
struct Pipe<'a> {
    to: &'a mut dyn Write,
    at: u64,
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        pieces(self.to, Stream::Journal, self.at, bytes, true)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Work for Following {
    fn step(&mut self, out: &mut dyn Write) -> io::Result<Step> {
        // Asked first: what was written before is found then.
        let living = self.post.is_living();
        let mut state = self.post.state();
        let mut grown = self.send_output(out)?;
        // Somebody may have removed it.
        let path = state.journal.take().filter(|path| path.is_file());
        if let Some(path) = &path {
            grown |= self.send_journal(path, out)?;
        }
        if self.told.as_ref() != Some(&state) {
            tell(out, &Tell::Progress(state.clone()))?;
            self.told = Some(state.clone());
        }
        if grown {
            return Ok(Step::Busy);
        }
        if living {
            return Ok(Step::Waiting);
        }
        let name = path.as_deref().and_then(Path::file_name).and_then(|n| n.to_str()).map(str::to_owned);
        let (journal, whole) = (self.journal, path.as_deref().is_some_and(is_whole));
        tell(out, &Tell::Ended { state, name, journal, whole, said: self.post.last_said() })?;
        Ok(Step::Done)
    }
}
