//! What a command writes: each line becomes a log line of the recording, and goes on to where inferscope's
//! own output goes. Whoever reads that never holds up the command ([`echo`]).
//!
//! Bounded: a long line is cut, and after [`MOST_LINES`] lines they are only counted. A line that ends with a
//! carriage return is the state of a progress bar; of those a few a second are kept.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::record::{echo, secrets};

/// Longest line that is kept, in bytes.
const LONGEST: usize = 2048;
/// Lines that are kept of each stream.
const MOST_LINES: u64 = 20_000;
/// Shortest time between two states of a progress bar.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// Lines seen, and those that were only counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) lines: AtomicU64,
    pub(super) left_out: AtomicU64,
}

/// A thread that reads one stream to its end.
pub(super) struct Reader {
    ended: Arc<AtomicBool>,
}

impl Reader {
    pub(super) fn start(
        from: impl Read + Send + 'static,
        stream: Stream,
        echo: bool,
        counts: Arc<Counts>,
    ) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let flag = ended.clone();
        let name = if stream == Stream::Out { "stdout" } else { "stderr" };
        crate::jobs::spawn(name, move || {
            pump(from, stream, echo, &counts);
            flag.store(true, Ordering::Release);
        });
        Self { ended }
    }

    /// Waits for the end of the stream. A process that outlives the command may hold it open: then the
    /// thread goes on by itself, and what it reads is no longer recorded.
    pub(super) fn wait(&self, until: Instant) {
        while !self.ended.load(Ordering::Acquire) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn pump(mut from: impl Read, stream: Stream, echo: bool, counts: &Counts) {
    let mut lines = Lines { stream, counts, line: Vec::new(), cut: false, progress: None };
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if echo {
            pass_on(&buffer[..n], stream);
        }
        lines.add(&buffer[..n]);
    }
    lines.end(false);
}

/// Our own output may be closed or unread: that is no reason to stop reading.
fn pass_on(bytes: &[u8], stream: Stream) {
    match stream {
        Stream::Out => echo::OUT.pass_on(bytes),
        Stream::Err => echo::ERR.pass_on(bytes),
    }
}

struct Lines<'a> {
    stream: Stream,
    counts: &'a Counts,
    line: Vec<u8>,
    cut: bool,
    /// When the last state of a progress bar was kept.
    progress: Option<Instant>,
}

impl Lines<'_> {
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
        if self.counts.lines.fetch_add(1, Ordering::Relaxed) >= MOST_LINES {
            self.counts.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if cut {
            text.push('…');
        }
        let level = level(&text);
        let text = if secrets::texts() { text } else { secrets::left_out(&text) };
        log(self.stream, level, &text);
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
fn level(text: &str) -> tracing::Level {
    let head: String = text.chars().take(120).collect();
    let says = |words: &[&str]| words.iter().any(|w| head.contains(w));
    if says(&["ERROR", "CRITICAL", "FATAL", "Traceback (most recent call last)", "panicked at", "Error: "]) {
        tracing::Level::ERROR
    } else if says(&["WARN", "Warning: "]) {
        tracing::Level::WARN
    } else {
        tracing::Level::INFO
    }
}

/// `tracing` wants each target and level at a place of its own.
fn log(stream: Stream, level: tracing::Level, text: &str) {
    use tracing::{Level, error, info, warn};
    match (stream, level) {
        (Stream::Out, Level::ERROR) => error!(target: "inferscope::stdout", "{text}"),
        (Stream::Out, Level::WARN) => warn!(target: "inferscope::stdout", "{text}"),
        (Stream::Out, _) => info!(target: "inferscope::stdout", "{text}"),
        (Stream::Err, Level::ERROR) => error!(target: "inferscope::stderr", "{text}"),
        (Stream::Err, Level::WARN) => warn!(target: "inferscope::stderr", "{text}"),
        (Stream::Err, _) => info!(target: "inferscope::stderr", "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_and_levels_are_seen() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m\tx\u{7}"), "red\tx");
        assert_eq!(level("2026-01-01 ERROR x"), tracing::Level::ERROR);
        assert_eq!(level("UserWarning: x"), tracing::Level::WARN);
        assert_eq!(level("ValueError: x"), tracing::Level::ERROR);
        assert_eq!(level("all is well"), tracing::Level::INFO);
    }

    #[test]
    fn lines_are_counted_and_bounded_whatever_the_pieces() {
        let counts = Counts::default();
        let mut lines =
            Lines { stream: Stream::Out, counts: &counts, line: vec![], cut: false, progress: None };
        for piece in [&b"a\r\nb\n\n  \n10 %\r20 %\r30 %\r"[..], b"c", b"d\n", &[b'x'; 100_000][..], b"\n"] {
            lines.add(piece);
        }
        assert!(lines.line.is_empty());
        // a, b, the first state of the bar, cd, and the long one.
        assert_eq!(counts.lines.load(Ordering::Relaxed), 5);
    }
}
