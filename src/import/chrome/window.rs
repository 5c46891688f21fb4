//! A sliding view of the decompressed file: at least one whole event at a time.

use std::io::{self, Read};

use super::super::Source;

/// Bytes read at once.
pub(super) const CHUNK: usize = 64 << 10;

/// Largest event. Real ones stay under a few megabytes (screenshots, chunks of samples).
const MAX_EVENT: usize = 64 << 20;

/// Bytes of the file from a certain offset on, as many as the scanner asks for.
pub(super) struct Window<'s> {
    source: &'s mut Source,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of the buffer's first byte.
    base: u64,
    ended: bool,
}

/// Outcome of [`Window::fill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// There are more bytes now.
    More,
    /// The file ends here.
    End,
    /// The item is larger than any event may be.
    TooLarge,
}

impl<'s> Window<'s> {
    /// A window that first reads `capacity` bytes.
    pub fn new(source: &'s mut Source, capacity: usize) -> Self {
        Self { source, buffer: vec![0; capacity.max(1)], start: 0, end: 0, base: 0, ended: false }
    }

    /// The bytes in view.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset of the first byte in view.
    pub fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The file behind the window.
    pub fn source(&self) -> &Source {
        self.source
    }

    /// Moves past `n` bytes in view.
    pub fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }

    /// Brings more bytes into view.
    pub fn fill(&mut self) -> io::Result<Fill> {
        if self.ended {
            return Ok(Fill::End);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.base += self.start as u64;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.buffer.len() >= MAX_EVENT {
                return Ok(Fill::TooLarge);
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            let target = &mut self.buffer[self.end..];
            match self.source.read(target) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(Fill::End);
                }
                Ok(n) => {
                    self.end += n;
                    return Ok(Fill::More);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The first byte that is not blank; `None` at the end of the file.
    pub fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let at = self.bytes().iter().position(|&b| b > b' ');
            match at {
                Some(at) => {
                    self.consume(at);
                    return Ok(self.bytes().first().copied());
                }
                None => {
                    self.consume(self.end - self.start);
                    if self.fill()? != Fill::More {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Moves `distance` bytes on, without looking at them. False when the file ends before.
    pub fn seek(&mut self, offset: u64) -> io::Result<bool> {
        while self.offset() < offset {
            let left = usize::try_from(offset - self.offset()).unwrap_or(usize::MAX);
            if self.bytes().is_empty() && self.fill()? != Fill::More {
                return Ok(false);
            }
            self.consume(left);
        }
        Ok(true)
    }
}
