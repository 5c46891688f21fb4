//! Waiting for a recording: its progress, and what Ctrl-C means.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::super::Failure;
use super::super::out::ProgressLine;
use super::{Beside, Recorded};
use crate::format;
use crate::record::{self, Options, RecordError};
use crate::remote::Anywhere;

static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
/// The recorded work has ended: what is left is waiting for somebody who reads.
static ENDED: AtomicBool = AtomicBool::new(false);

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// True when somebody pressed Ctrl-C.
pub(super) fn was_interrupted() -> bool {
    INTERRUPTS.load(Ordering::Relaxed) > 0
}

/// Records with a progress line, unless it is to be `quiet`.
pub(super) fn record(
    workload: &str,
    params: &[String],
    options: Options,
    beside: Option<&dyn Beside>,
    quiet: bool,
) -> Result<Recorded, Failure> {
    let recording = record::start(workload, params, options, Box::new(|_| ())).map_err(|e| failed(&e))?;
    // A command's own output goes to the same terminal.
    attend(Anywhere::Here(recording), beside, workload != "command" && !quiet, quiet)
}

/// Waits for the end of a recording, with a line that is `shown` meanwhile, and a last one unless it is to be `quiet`. The first
/// Ctrl-C stops and keeps, the second one throws away. One after the end leaves at once: what was not saved by then stays
/// in its journal.
pub(super) fn attend(
    recording: Anywhere,
    beside: Option<&dyn Beside>,
    shown: bool,
    quiet: bool,
) -> Result<Recorded, Failure> {
    // A handler may be there already when this runs twice in one process; it counts for both.
    let _ = ctrlc::set_handler(|| {
        INTERRUPTS.fetch_add(1, Ordering::Relaxed);
        if ENDED.load(Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    });
    ENDED.store(false, Ordering::Relaxed);
    let mut line = ProgressLine::default();
    let look = |recording: &Anywhere| beside.iter().for_each(|b| b.look(recording));
    while !recording.is_finished() {
        match INTERRUPTS.load(Ordering::Relaxed) {
            0 => {}
            1 => recording.stop(),
            _ => recording.cancel(),
        }
        look(&recording);
        if shown {
            let (text, stage) = progress(&recording);
            line.show(&text, &stage);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    ENDED.store(true, Ordering::Relaxed);
    look(&recording);
    if !quiet {
        line.end(&progress(&recording).0);
    }
    let (journal, exit_code) = (recording.journal(), recording.status().exit_code);
    Ok(Recorded { profile: recording.join().map_err(|e| failed(&e))?, journal, exit_code })
}

/// What is said of a recording that gave nothing.
fn failed(e: &RecordError) -> Failure {
    let code = match e {
        RecordError::UnknownWorkload(_) | RecordError::Parameter(_) => 2,
        _ => 1,
    };
    Failure { code, message: e.to_string() }
}

/// What a line of progress says, and the stage that it belongs to.
fn progress(recording: &Anywhere) -> (String, String) {
    let s = recording.status();
    let share = s.progress.map(|p| format!("{:>3.0} % ", p * 100.0)).unwrap_or_default();
    let time = format::duration(s.elapsed.as_nanos().min(i64::MAX as u128) as i64);
    let spans = format::counted(s.spans as i64, "span", "spans");
    (format!("Recording {share}{time:>8}  {spans}, {}", s.stage), s.stage)
}
