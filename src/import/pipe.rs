//! Pipes as input: read once, to their end, into memory.

use std::io::Read;
use std::path::Path;
#[cfg(unix)]
use std::time::{Duration, Instant};

use super::error::ImportError;
use super::source::MAX_WHOLE;
use crate::jobs::Job;

/// How long a pipe may be without a writer. A writer may start a moment after the reader.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a pipe is looked at meanwhile.
#[cfg(unix)]
const STEP: Duration = Duration::from_millis(10);

/// All that a reader has, at most as much as a file that is read whole.
pub(super) fn all(from: impl Read) -> Result<Vec<u8>, ImportError> {
    let mut bytes = Vec::new();
    from.take(MAX_WHOLE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_WHOLE {
        return Err(
            ImportError::malformed("holds more than 4 GiB").remedy("write it to a file and open that")
        );
    }
    Ok(bytes)
}

/// What the pipe `path` holds; `None` for a file or a folder.
///
/// # Errors
/// When it is something else, nothing writes to it, it cannot be read, or the job was cancelled.
#[cfg(unix)]
pub(super) fn read(path: &Path, job: &Job) -> Result<Option<Vec<u8>>, ImportError> {
    use std::io::ErrorKind;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    use rustix::fs::{OFlags, fcntl_setfl};

    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(None);
    }
    if !kind.is_fifo() {
        let what = if kind.is_socket() { "is a socket, not a file" } else { "is a device, not a file" };
        return Err(ImportError::malformed(what));
    }
    let open = std::fs::OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path);
    let mut pipe = open?;
    let (began, mut bytes) = (Instant::now(), vec![0; 1 << 16]);
    let read = loop {
        job.checkpoint(0, 0)?;
        match pipe.read(&mut bytes) {
            Ok(0) if began.elapsed() > PATIENCE => {
                return Err(ImportError::malformed("is a pipe that nothing writes to")
                    .remedy("start the program that writes to it first"));
            }
            Ok(0) => std::thread::sleep(STEP),
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(STEP),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    bytes.truncate(read);
    // Somebody writes: from now on there is something to wait for.
    fcntl_setfl(&pipe, OFlags::empty()).map_err(std::io::Error::from)?;
    bytes.extend(all(pipe)?);
    Ok(Some(bytes))
}

/// Other systems have no pipes among their files.
#[cfg(not(unix))]
pub(super) fn read(_: &Path, _: &Job) -> Result<Option<Vec<u8>>, ImportError> {
    Ok(None)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::import::{Input, open_whole};

    #[test]
    fn a_pipe_is_read_to_its_end_and_one_without_a_writer_says_so() {
        let folder = std::env::temp_dir().join(format!("inferscope-pipe-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("no mkfifo here: nothing is checked");
            return;
        }
        let open = || open_whole(&Input::Path(path.clone()), &Job::new());
        let e = open().unwrap_err().to_string();
        assert_eq!(e, "is a pipe that nothing writes to: start the program that writes to it first");
        // Larger than what a pipe holds, read twice because its events are not in order.
        let event = |i: i64| {
            let (phase, ts) = if i % 2 == 0 { ("E", 5 * i + 9) } else { ("B", 5 * i - 9) };
            format!("{{\"ph\":\"{phase}\",\"name\":\"work\",\"pid\":1,\"tid\":1,\"ts\":{ts}}}")
        };
        let events: Vec<_> = (0..20_000).map(event).collect();
        let text = format!("[{}]", events.join(","));
        let written = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, text)
        });
        let profile = open().unwrap();
        written.join().unwrap().unwrap();
        assert_eq!(profile.span_count(), 10_000);
        for device in ["/dev/null", "/dev/zero"] {
            let e = open_whole(&Input::Path(device.into()), &Job::new()).unwrap_err().to_string();
            assert_eq!(e, "is a device, not a file");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
