//! Output of processes that outlive the command: servers that a script starts in the background, daemons that keep their streams.
//!
//! Without a recorder they would go on writing to where the command wrote. So their pipe is read as long as this process lives, and
//! when it ends, a `cat` takes over.

use std::io::{self, PipeWriter};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use super::output::Stream;
use crate::record::echo;

/// A stream that a thread reads on.
struct Kept {
    stream: Stream,
    /// Whether it is passed on.
    echo: bool,
    /// Closed, it makes the thread give the stream back.
    leave: PipeWriter,
    thread: JoinHandle<Option<Stdio>>,
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

pub(super) fn keep(stream: Stream, echo: bool, leave: PipeWriter, thread: JoinHandle<Option<Stdio>>) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(Kept { stream, echo, leave, thread });
}

/// Leaves the output of what outlives its command to other processes, because this one is about to end. What came so far is
/// written before, however long its reader takes.
pub fn hand_over_output() {
    let kept = std::mem::take(&mut *KEPT.lock().unwrap_or_else(PoisonError::into_inner));
    // There is no waiting for two things at once elsewhere: the writer's next write fails there.
    if !cfg!(unix) {
        return;
    }
    for one in kept {
        drop(one.leave);
        let Ok(Some(from)) = one.thread.join() else { continue };
        let to = if one.stream == Stream::Err { &echo::ERR } else { &echo::OUT };
        // Who writes to a reader that has gone is told so.
        let Ok(to) = to.taken_over(one.echo) else { continue };
        let mut cat = crate::record::program("cat");
        cat.stdin(from).stdout(to).stderr(Stdio::null());
        // Ctrl-C is for what writes.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut cat, 0);
        // Where there is none it is as before.
        let _: io::Result<_> = cat.spawn();
    }
}
