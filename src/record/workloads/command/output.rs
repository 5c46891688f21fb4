//! What a command writes: each line becomes a log line of the recording, and goes on to where inferscope's
//! own output goes. Whoever reads that never holds up the command ([`echo`]); that there is no reader any more is told as by the
//! pipe of a shell: the next write of the command fails.
//!
//! Bounded: a long line is cut, and of each stream the first lines and the last ones are kept; those between are counted.
//! A line that ends with a carriage return is the state of a progress bar; of those a few a second are kept.
//!
//! What outlives the command keeps its output ([`mod@super::outlive`]).

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::outlive;

use crate::format;
use crate::model::Severity;
use crate::record::sink::{self, Cold, Origin};
use crate::record::{clock, echo, secrets};

/// Longest line that is kept, in bytes.
const LONGEST: usize = 2048;
/// Bytes that a pipe holds.
const PIPE: usize = 64 * 1024;
/// Lines that are kept of each stream: so many first ones and so many last ones.
const FIRST: u64 = 10_000;
const LAST: usize = 10_000;
/// Shortest time between two states of a progress bar.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
    /// Both, through one pipe, where inferscope's own lead to one file: what the command writes stays in its order.
    Both,
}

/// Lines seen, and those that were only counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) lines: AtomicU64,
    pub(super) left_out: AtomicU64,
}

/// The last lines of a stream, as they wait for its end.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<Line>,
    /// Lines that had to make room, and when the last of them came.
    left_out: u64,
    gap: u64,
    /// The thread that reads, as the recorder numbers it.
    thread: u32,
    /// What comes now comes too late.
    ended: bool,
}

#[derive(Debug)]
struct Line {
    ticks: u64,
    severity: Severity,
    text: String,
}

/// A thread that reads one stream to its end.
pub(super) struct Reader {
    stream: Stream,
    echo: bool,
    ended: Arc<AtomicBool>,
    tail: Arc<Mutex<Tail>>,
    /// Closed when the thread is to leave the stream as it is.
    leave: io::PipeWriter,
    thread: JoinHandle<Option<Stdio>>,
}

impl Reader {
    pub(super) fn start(
        from: impl Source,
        stream: Stream,
        echo: bool,
        counts: Arc<Counts>,
    ) -> io::Result<Self> {
        let (ended, tail) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::default()));
        let (flag, last) = (ended.clone(), tail.clone());
        let (left, leave) = io::pipe()?;
        let thread = crate::jobs::spawn(stream.name(), move || {
            let rest = pump(from, echo, &left, Lines::new(stream, &counts, &last));
            flag.store(true, Ordering::Release);
            rest
        });
        Ok(Self { stream, echo, ended, tail, leave, thread })
    }

    /// Waits for the end of the stream and keeps its last lines. A process that outlives the command may hold it open:
    /// then the thread goes on by itself, and what it reads is no longer recorded. True when that is so.
    pub(super) fn end(self, until: Instant) -> bool {
        while !self.ended.load(Ordering::Acquire) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.ended = true;
        if tail.left_out > 0 {
            let lines = format::counted(tail.left_out as i64, "line was", "lines were");
            let text = format!("{lines} left out here: the first and the last {LAST} are kept");
            log((self.stream, tail.thread), &Line { ticks: tail.gap, severity: Severity::Warning, text });
        }
        let thread = tail.thread;
        tail.lines.drain(..).for_each(|line| log((self.stream, thread), &line));
        drop(tail);
        let goes_on = !self.ended.load(Ordering::Acquire);
        if goes_on {
            outlive::keep(self.stream, self.echo, self.leave, self.thread);
        }
        goes_on
    }
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
            Self::Both => "output",
        }
    }

    /// As the source of log lines.
    fn target(self) -> &'static str {
        match self {
            Self::Out => "inferscope::stdout",
            Self::Err => "inferscope::stderr",
            Self::Both => "inferscope::output",
        }
    }
}

/// What a stream is found to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is something to read.
    Output,
    /// Nobody will read what is passed on of this stream: the pipe that we write to has no reader.
    Unwanted,
    /// It is to be left as it is.
    Left,
}

/// Where output comes from.
pub(super) trait Source: Read + Into<Stdio> + Send + 'static {
    /// Waits until there is something to read, to nobody, or `left` is closed. `passed_on`: what is read goes on to our own stream.
    fn wait(&self, stream: Stream, passed_on: bool, left: &PipeReader) -> Found;

    /// True when a read would not wait.
    fn is_ready(&self) -> bool;
}

#[cfg(unix)]
impl<T: Read + Into<Stdio> + Send + std::os::fd::AsFd + 'static> Source for T {
    fn wait(&self, stream: Stream, passed_on: bool, left: &PipeReader) -> Found {
        use std::os::fd::AsFd;

        use rustix::event::{PollFd, PollFlags, poll};
        use rustix::fs::{FileType, fstat};
        let (out, err) = (io::stdout(), io::stderr());
        let is_error = stream == Stream::Err || echo::OUT.is_diverted();
        let ours = if is_error { err.as_fd() } else { out.as_fd() };
        // A terminal or a link that is gone does not end what is recorded behind it.
        let is_pipe =
            passed_on && fstat(ours).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Fifo);
        let mut all = [
            PollFd::new(self, PollFlags::IN),
            PollFd::new(left, PollFlags::empty()),
            PollFd::from_borrowed_fd(ours, PollFlags::empty()),
        ];
        let watched = if is_pipe { &mut all[..] } else { &mut all[..2] };
        while let Err(e) = poll(watched, None) {
            if e != rustix::io::Errno::INTR {
                return Found::Output;
            }
        }
        match watched {
            [_, left, ..] if !left.revents().is_empty() => Found::Left,
            [_, _, ours] if ours.revents().contains(PollFlags::ERR) => Found::Unwanted,
            _ => Found::Output,
        }
    }

    fn is_ready(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut it = [PollFd::new(self, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut it, Some(&at_once)).is_ok_and(|n| n > 0)
    }
}

#[cfg(not(unix))]
impl<T: Read + Into<Stdio> + Send + 'static> Source for T {
    fn wait(&self, _: Stream, _: bool, _: &PipeReader) -> Found {
        Found::Output
    }

    fn is_ready(&self) -> bool {
        false
    }
}

/// Whether our own streams lead to one file or pipe, so that the order of what is written to them can be seen.
#[cfg(unix)]
pub(super) fn is_one() -> bool {
    use rustix::fs::{FileType, fstat};
    let (Ok(out), Ok(err)) = (fstat(io::stdout()), fstat(io::stderr())) else { return false };
    // Terminals take both as they come, and nobody looks into /dev/null.
    FileType::from_raw_mode(out.st_mode) != FileType::CharacterDevice
        && (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
}

#[cfg(not(unix))]
pub(super) fn is_one() -> bool {
    false
}

/// Gives the stream back when it is left before its end.
fn pump(mut from: impl Source, echo: bool, left: &PipeReader, mut lines: Lines<'_>) -> Option<Stdio> {
    let mut buffer = vec![0; 16 * 1024];
    // What was written before its reader went is recorded: as much as a pipe holds.
    let mut rest = PIPE / buffer.len();
    loop {
        match from.wait(lines.stream, echo, left) {
            Found::Output => {}
            Found::Left => {
                lines.end(false);
                return Some(from.into());
            }
            Found::Unwanted if rest == 0 || !from.is_ready() => break,
            Found::Unwanted => rest -= 1,
        }
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if echo {
            pass_on(&buffer[..n], lines.stream);
        }
        lines.add(&buffer[..n]);
    }
    lines.end(false);
    None
}

/// Our own output may be unread: that is no reason to stop reading.
fn pass_on(bytes: &[u8], stream: Stream) {
    match stream {
        Stream::Out | Stream::Both => echo::OUT.pass_on(bytes),
        Stream::Err => echo::ERR.pass_on(bytes),
    }
}

struct Lines<'a> {
    stream: Stream,
    counts: &'a Counts,
    tail: &'a Mutex<Tail>,
    /// Lines of this stream so far.
    seen: u64,
    line: Vec<u8>,
    cut: bool,
    /// When the last state of a progress bar was kept.
    progress: Option<Instant>,
    /// Whether a line is part of a private key.
    key: secrets::KeyBlock,
    /// Whether the recording keeps texts.
    texts: bool,
}

impl<'a> Lines<'a> {
    fn new(stream: Stream, counts: &'a Counts, tail: &'a Mutex<Tail>) -> Self {
        let key = secrets::KeyBlock::default();
        tail.lock().unwrap_or_else(PoisonError::into_inner).thread = sink::this_thread();
        Self {
            stream,
            counts,
            tail,
            seen: 0,
            line: Vec::new(),
            cut: false,
            progress: None,
            key,
            texts: secrets::texts(),
        }
    }

    fn add(&mut self, mut bytes: &[u8]) {
        while let Some(at) = memchr::memchr2(b'\n', b'\r', bytes) {
            let (line, end) = (&bytes[..at], bytes[at]);
            let windows = end == b'\r' && bytes.get(at + 1) == Some(&b'\n');
            self.part(line);
            self.end(end == b'\r' && !windows);
            bytes = &bytes[at + 1 + usize::from(windows)..];
        }
        self.part(bytes);
    }

    fn part(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.line.len().min(LONGEST);
        self.cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, progress: bool) {
        let line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        let mut text = plain(&String::from_utf8_lossy(&line));
        if text.trim().is_empty() {
            return;
        }
        if progress && self.progress.is_some_and(|last| last.elapsed() < PROGRESS_EVERY) {
            return;
        }
        if progress {
            self.progress = Some(Instant::now());
        }
        self.counts.lines.fetch_add(1, Ordering::Relaxed);
        self.seen += 1;
        if cut {
            text.push('…');
        }
        let severity = severity(&text);
        let text = if self.texts { self.key.mask(&text) } else { secrets::left_out(&text) };
        self.keep(Line { ticks: clock::ticks(), severity, text });
    }

    /// The first lines at once, so that they are in the journal; the others when it is known which ones are the last.
    fn keep(&self, line: Line) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.ended {
            return;
        }
        if self.seen <= FIRST {
            return log((self.stream, tail.thread), &line);
        }
        if tail.lines.len() == LAST {
            tail.gap = tail.lines.pop_front().map_or(0, |left_out| left_out.ticks);
            tail.left_out += 1;
            self.counts.left_out.fetch_add(1, Ordering::Relaxed);
        }
        tail.lines.push_back(line);
    }
}

/// Without the escape sequences that colour a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        if c != '\u{1b}' {
            plain.extend((!c.is_control() || c == '\t').then_some(c));
        } else if letters.next_if_eq(&'[').is_some() {
            // Up to the letter that ends it.
            letters.by_ref().find(|c| ('@'..='~').contains(c));
        }
    }
    plain
}

/// How grave a line is, by the words that logging libraries and Python write.
fn severity(text: &str) -> Severity {
    let head: String = text.chars().take(120).collect();
    let says = |words: &[&str]| words.iter().any(|w| head.contains(w));
    if says(&["ERROR", "CRITICAL", "FATAL", "Traceback (most recent call last)", "panicked at", "Error: "]) {
        Severity::Error
    } else if says(&["WARN", "Warning: "]) {
        Severity::Warning
    } else {
        Severity::Info
    }
}

/// Records a line at its time.
fn log((stream, thread): (Stream, u32), line: &Line) {
    if !sink::is_on() {
        return;
    }
    sink::queue(Cold::Log {
        span: None,
        thread,
        ticks: line.ticks,
        origin: Origin { target: stream.target(), name: stream.name(), severity: line.severity },
        message: secrets::mask(&line.text).into_owned(),
        fields: Vec::new(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_levels_are_seen() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m\tx\u{7}"), "red\tx");
        assert_eq!(severity("2026-01-01 ERROR x"), Severity::Error);
        assert_eq!(severity("UserWarning: x"), Severity::Warning);
        assert_eq!(severity("ValueError: x"), Severity::Error);
        assert_eq!(severity("all is well"), Severity::Info);
    }

    #[test]
    fn lines_are_counted_and_bounded_whatever_the_pieces() {
        let (counts, tail) = (Counts::default(), Mutex::default());
        let mut lines = Lines::new(Stream::Out, &counts, &tail);
        for piece in [&b"a\r\nb\n\n  \n10 %\r20 %\r30 %\r"[..], b"c", b"d\n", &[b'x'; 100_000][..], b"\n"] {
            lines.add(piece);
        }
        assert!(lines.line.is_empty());
        // a, b, the first state of the bar, cd, and the long one.
        assert_eq!(counts.lines.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn the_first_and_the_last_lines_are_kept_and_the_gap_is_counted() {
        let (counts, tail) = (Counts::default(), Mutex::default());
        let mut lines = Lines { texts: true, ..Lines::new(Stream::Err, &counts, &tail) };
        for n in 0..25_000 {
            lines.add(format!("line {n}\n").as_bytes());
        }
        let tail = tail.into_inner().unwrap();
        assert_eq!((counts.lines.into_inner(), counts.left_out.into_inner()), (25_000, 5_000));
        assert_eq!((tail.left_out, tail.lines.len()), (5_000, LAST));
        let texts: Vec<&str> = tail.lines.iter().map(|l| l.text.as_str()).collect();
        assert_eq!((texts[0], texts[LAST - 1]), ("line 15000", "line 24999"));
        assert!(tail.gap > 0 && tail.gap <= tail.lines[0].ticks, "the gap lies before the last ones");
    }
}
