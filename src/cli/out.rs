//! Standard output, and whether what was written to it reached anybody.

use std::io::{BufWriter, ErrorKind, Write};
use std::time::{Duration, Instant};

use super::Failure;
use crate::record::echo;

/// How long a reader has to take what was written last.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes to standard output; a closed pipe is not an error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write(text).map(drop)
}

/// Writes to standard output; false when its reader has gone.
pub(super) fn write(text: &str) -> Result<bool, Failure> {
    write_with(|out| out.write_all(text.as_bytes()))
}

/// The same for what is not one text.
pub(super) fn write_with(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<bool, Failure> {
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    written(write(&mut out).and_then(|()| out.flush()))
}

/// The same after all that a recorded program wrote; false when nobody can have read it, because the stream is closed,
/// leads to `/dev/null`, or nobody has taken it out of its pipe.
pub(super) fn deliver(text: &str) -> Result<bool, Failure> {
    Ok(written(echo::OUT.flush())? && write(text)? && is_read())
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
