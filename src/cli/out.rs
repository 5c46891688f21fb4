//! Standard output and standard error, and whether what was written reached anybody.
//!
//! The only place of the command line that writes to a terminal. Names in what is written come out of files that anybody
//! may have made, so all of it is a [`Page`], which holds nothing that a terminal would act on.

use std::fmt::Display;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};

use serde::{Serialize, Serializer};

use super::Failure;
use crate::export::ExportError;
use crate::format::{Page, PlainJson, plain};
use crate::record::echo;

/// Writes to standard output; a closed pipe is not an error.
pub(super) fn print(page: &Page) -> Result<(), Failure> {
    write(page).map(drop)
}

/// Writes a text of our own of several lines.
pub(super) fn print_lines(text: &str) -> Result<(), Failure> {
    let mut page = Page::default();
    page.lines(text);
    print(&page)
}

/// Writes a script of our own, which holds no names out of files, as it is.
pub(super) fn print_script(script: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(script).and_then(|()| out.flush())).map(drop)
}

/// Writes to standard output; false when its reader has gone.
pub(super) fn write(page: &Page) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(page.text().as_bytes()).and_then(|()| out.flush()))
}

/// The same for JSON, which is too large to be made at once.
pub(super) fn write_json(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<bool, Failure> {
    let out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut out = PlainJson::new(out);
    written(write(&mut out).and_then(|()| out.flush()))
}

/// Writes a file of a format of its own to standard output, for the program that reads it there. Such a file is not made
/// fit for a terminal.
pub(super) fn export<T>(write: impl FnOnce(&mut dyn Write) -> Result<T, ExportError>) -> Result<T, Failure> {
    if std::io::stdout().is_terminal() {
        return Err(Failure::new(
            "-: standard output is a terminal; name a file, or pass it on to a program",
        ));
    }
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let written = write(&mut out).and_then(|said| Ok(out.flush().map(|()| said)?));
    written.map_err(|e| Failure::new(format!("-: {e}")))
}

/// Serves a program that reads frames from standard output.
pub(super) fn serve(serve: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        return Err(Failure::new(
            "remote is started by `record --on` and `open TARGET:/path`, not in a terminal",
        ));
    }
    written(serve(&mut out)).map(drop)
}

/// Clears a terminal, so that what follows takes the place of what was shown.
pub(super) fn clear() -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    if !out.is_terminal() {
        return Ok(true);
    }
    written(out.write_all(b"\x1b[H\x1b[2J\x1b[3J").and_then(|()| out.flush()))
}

/// Says something beside the output, on one line of standard error.
pub(super) fn say(text: impl Display) {
    let mut page = Page::default();
    page.line(text);
    say_all(&page);
}

/// Says several lines.
pub(super) fn say_all(page: &Page) {
    echo::ERR.say(page.text());
}

/// A line of progress, which is written over on a terminal; elsewhere there is a line for each stage.
#[derive(Default)]
pub(super) struct ProgressLine {
    stage: String,
    width: usize,
}

impl ProgressLine {
    /// Shows `text`, which belongs to `stage`.
    pub(super) fn show(&mut self, text: &str, stage: &str) {
        if std::io::stderr().is_terminal() {
            let text = self.over(text);
            echo::ERR.pass_on(text.as_bytes());
        } else if stage != self.stage {
            echo::ERR.pass_on(format!("{}\n", plain(text)).as_bytes());
            stage.clone_into(&mut self.stage);
        }
    }

    /// Shows `text` for good.
    pub(super) fn end(&mut self, text: &str) {
        let text = if std::io::stderr().is_terminal() { self.over(text) } else { plain(text).into_owned() };
        echo::ERR.say(&(text + "\n"));
    }

    /// The text as it is written over the last one.
    fn over(&mut self, text: &str) -> String {
        let text = plain(text);
        let width = text.chars().count();
        let pad = " ".repeat(self.width.saturating_sub(width));
        self.width = width;
        format!("\r{text}{pad}")
    }
}

/// The same after all that a recorded program wrote; false when nobody can have read it, because the stream is closed,
/// leads to `/dev/null`, or nobody has taken it out of its pipe.
pub(super) fn deliver(page: &Page) -> Result<bool, Failure> {
    Ok(written(echo::OUT.flush())? && write(page)? && is_read())
}

pub(super) fn written(result: std::io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Failure::new(format!("cannot write: {e}"))),
    }
}

/// True once what was written has reached whoever reads it.
#[cfg(unix)]
pub(super) fn is_read() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::time::{Duration, Instant};

    /// How long a reader has to take what was written last.
    const PATIENCE: Duration = Duration::from_secs(2);

    let stdout = std::io::stdout();
    let Ok(file) = stdout.as_fd().try_clone_to_owned().map(std::fs::File::from) else { return false };
    let Ok(about) = file.metadata() else { return false };
    let kind = about.file_type();
    if kind.is_char_device() {
        // Where the stream was closed from the start, Rust opened this, too.
        return std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() != about.rdev());
    }
    if !kind.is_fifo() && !kind.is_socket() {
        return true;
    }
    let unread = || if kind.is_fifo() { rustix::io::ioctl_fionread(&file).ok() } else { unsent(&file) };
    let until = Instant::now() + PATIENCE;
    loop {
        match unread() {
            // A system that does not say is believed.
            None | Some(0) => return true,
            Some(_) if Instant::now() >= until => return false,
            Some(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Bytes that the other end of a socket has not taken.
#[cfg(target_os = "linux")]
fn unsent(socket: &std::fs::File) -> Option<u64> {
    use rustix::ioctl::{Getter, Opcode, ioctl};
    const TIOCOUTQ: Opcode = 0x5411;
    #[expect(unsafe_code, reason = "the one way to ask a socket")]
    // SAFETY: this request gives a C int, and a file that knows no such request an error.
    let unsent = unsafe { ioctl(socket, Getter::<TIOCOUTQ, std::ffi::c_int>::new()) };
    unsent.ok().and_then(|n| n.try_into().ok())
}

#[cfg(all(unix, not(target_os = "linux")))]
fn unsent(_: &std::fs::File) -> Option<u64> {
    None
}

#[cfg(not(unix))]
pub(super) fn is_read() -> bool {
    true
}

/// The rows of an iterator as a list, made while they are written.
pub(super) struct List<F>(pub F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for List<F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((self.0)())
    }
}
