//! The recorder's own standard output and error, written by threads of their own.
//!
//! Nobody may read them: a pager that waits, a terminal that was stopped, a link that stalls. A write then takes as long as
//! that lasts, and a recorder that writes what it reads from the recorded program would hand that wait on to the
//! program. So whoever has something to say puts it into a queue and goes on. The queue is bounded by bytes; what
//! does not fit is cut and counted.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that wait for a reader at most. A program that writes 1 MB a second can be left unread for a minute.
const MOST: usize = 64 << 20;
/// Small writes are put together up to this.
const PIECE: usize = 64 << 10;

/// What a program writes to its standard output.
pub static OUT: Echo = Echo::new("pass on stdout", |bytes| {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
});

/// What it writes to its standard error, and what the recorder says meanwhile.
pub static ERR: Echo = Echo::new("pass on stderr", |bytes| io::stderr().lock().write_all(bytes));

/// One stream, and what waits to be written to it.
pub struct Echo {
    thread: &'static str,
    write: fn(&[u8]) -> io::Result<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// Bytes that wait or are being written.
    bytes: usize,
    cut: u64,
    /// Bytes that may still be passed on, where that is limited.
    room: Option<usize>,
    started: bool,
    /// Why the last write failed: nobody can read any more, and what is said is dropped.
    closed: Option<(ErrorKind, String)>,
    /// Where what is passed on goes instead.
    instead: Option<&'static Echo>,
}

impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Echo").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl Echo {
    const fn new(thread: &'static str, write: fn(&[u8]) -> io::Result<()>) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            bytes: 0,
            cut: 0,
            room: None,
            started: false,
            closed: None,
            instead: None,
        };
        Self { thread, write, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes `bytes` soon, or cuts them when too much waits already. Never waits.
    pub fn pass_on(&'static self, bytes: &[u8]) {
        let mut state = self.lock();
        if let Some(other) = state.instead {
            drop(state);
            other.pass_on(bytes);
        } else if state.bytes + bytes.len() > MOST || state.room.is_some_and(|room| bytes.len() > room) {
            // With a limit nothing comes after what was cut.
            state.room = state.room.map(|_| 0);
            state.cut += bytes.len() as u64;
        } else {
            state.room = state.room.map(|room| room - bytes.len());
            self.push(&mut state, bytes);
        }
    }

    /// The same for the recorder's own words, which are few: they are never cut.
    pub fn say(&'static self, text: &str) {
        self.push(&mut self.lock(), text.as_bytes());
    }

    /// From now on what is passed on goes to another stream: this one has another use.
    pub fn divert_to(&self, other: &'static Self) {
        self.lock().instead = Some(other);
    }

    /// Whether [`Self::divert_to`] was called.
    pub(super) fn is_diverted(&self) -> bool {
        self.lock().instead.is_some()
    }

    /// Passes on so many bytes at most from now on: they are kept for somebody who may never come.
    pub fn limit(&self, bytes: u64) {
        self.lock().room = Some(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    fn push(&'static self, state: &mut State, bytes: &[u8]) {
        if state.closed.is_some() || bytes.is_empty() {
            return;
        }
        state.bytes += bytes.len();
        match state.waiting.back_mut() {
            Some(last) if last.len() + bytes.len() <= PIECE => last.extend_from_slice(bytes),
            _ => state.waiting.push_back(bytes.to_vec()),
        }
        if !std::mem::replace(&mut state.started, true) {
            crate::jobs::spawn(self.thread, move || {
                super::leave_out_this_thread();
                self.run();
            });
        }
        self.changed.notify_all();
    }

    /// Bytes that were cut since the last question.
    #[must_use]
    pub fn take_cut(&self) -> u64 {
        std::mem::take(&mut self.lock().cut)
    }

    /// Waits until all is written, however long its reader takes.
    ///
    /// # Errors
    /// When it could not be written: its reader has gone, or the disk is full.
    pub fn flush(&self) -> io::Result<()> {
        let mut state = self.lock();
        while state.bytes > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &state.closed {
            None => Ok(()),
            Some((kind, why)) => Err(io::Error::new(*kind, why.clone())),
        }
    }

    /// Where another process writes on, once all is written that came so far. `wanted`: it is not to be thrown away.
    ///
    /// # Errors
    /// When nobody reads any more.
    #[cfg(feature = "workloads")]
    pub(super) fn taken_over(&'static self, wanted: bool) -> io::Result<std::process::Stdio> {
        let (other, limited) = {
            let state = self.lock();
            (state.instead, state.room.is_some())
        };
        let end = other.unwrap_or(self);
        end.flush()?;
        if !wanted || limited {
            return Ok(std::process::Stdio::null());
        }
        Ok(if std::ptr::eq(end, &ERR) { io::stderr().into() } else { io::stdout().into() })
    }

    /// Writes what waits, as long as the process lives.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            let Some(piece) = state.waiting.pop_front() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let written = (self.write)(&piece);
            state = self.lock();
            state.bytes -= piece.len();
            if let Err(e) = written {
                state.closed = Some((e.kind(), e.to_string()));
                state.bytes = 0;
                state.waiting.clear();
            }
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_reader_and_what_does_not_fit_is_counted() {
        /// Nobody reads while this is locked.
        static STALL: Mutex<()> = Mutex::new(());
        static READ: Mutex<usize> = Mutex::new(0);
        static STREAM: Echo = Echo::new("test", |bytes| {
            let _until_it_is_read = STALL.lock().unwrap();
            *READ.lock().unwrap() += bytes.len();
            Ok(())
        });
        let stall = STALL.lock().unwrap();
        for _ in 0..80 {
            STREAM.pass_on(&[b'x'; 1 << 20]);
        }
        STREAM.say("end");
        assert_eq!(*READ.lock().unwrap(), 0, "it is not read yet");
        assert_eq!(STREAM.take_cut(), 16 << 20);
        drop(stall);
        STREAM.flush().unwrap();
        assert_eq!(*READ.lock().unwrap(), MOST + 3);
        assert_eq!(STREAM.take_cut(), 0);
    }

    #[test]
    fn a_closed_stream_is_dropped_and_known() {
        static STREAM: Echo = Echo::new("test", |_| Err(ErrorKind::BrokenPipe.into()));
        STREAM.pass_on(b"a");
        assert_eq!(STREAM.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
        STREAM.pass_on(b"b");
        assert_eq!(STREAM.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(STREAM.take_cut(), 0, "nobody wants it");
    }
}
