//! Waiting for a recording: its progress, and what Ctrl-C means.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use super::super::Failure;
use super::super::out::ProgressLine;
use super::{Beside, Recorded};
use crate::format;
use crate::record::workloads::shares_terminal;
use crate::record::{self, Options, RecordError, StopSignal};
use crate::remote::Anywhere;

/// The workload that runs a program of the user's.
pub(super) const COMMAND: &str = "command";

static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
/// The same, so soon after each other that somebody insists.
static INSISTED: AtomicBool = AtomicBool::new(false);
/// Somebody else asked for the end, and how.
static TERMINATED: AtomicBool = AtomicBool::new(false);
static HUNG_UP: AtomicBool = AtomicBool::new(false);
/// The recorded work has ended: what is left is waiting for somebody who reads.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Two times Ctrl-C in this time insist.
#[cfg(unix)]
const INSISTING: Duration = Duration::from_secs(1);

/// True when somebody pressed Ctrl-C, or asked for the end in another way.
pub(super) fn was_interrupted() -> bool {
    INTERRUPTS.load(Ordering::Relaxed) > 0
        || TERMINATED.load(Ordering::Relaxed)
        || HUNG_UP.load(Ordering::Relaxed)
}

/// Counts signals from now on. After the end of the work each leaves at once: what was not saved by then stays in its journal.
#[cfg(unix)]
fn hear_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    static HEARING: std::sync::Once = std::sync::Once::new();
    HEARING.call_once(|| {
        let wanted =
            [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| *signal != SIGHUP || !is_ignored(SIGHUP));
        let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) else { return };
        crate::jobs::spawn("signals", move || {
            let mut last: Option<Instant> = None;
            for signal in signals.forever() {
                match signal {
                    SIGTERM => TERMINATED.store(true, Ordering::Relaxed),
                    SIGHUP => HUNG_UP.store(true, Ordering::Relaxed),
                    _ => {
                        INTERRUPTS.fetch_add(1, Ordering::Relaxed);
                        let soon =
                            last.replace(Instant::now()).is_some_and(|last| last.elapsed() < INSISTING);
                        INSISTED.fetch_or(soon, Ordering::Relaxed);
                    }
                }
                if ENDED.load(Ordering::Relaxed) {
                    // As a shell says it.
                    std::process::exit(128 + signal);
                }
            }
        });
    });
}

/// Whether somebody (nohup) started us so that a signal does nothing.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// The same where there is nothing but Ctrl-C.
#[cfg(not(unix))]
fn hear_signals() {
    // A handler may be there already when this runs twice in one process; it counts for both.
    let _ = ctrlc::set_handler(|| {
        INTERRUPTS.fetch_add(1, Ordering::Relaxed);
        if ENDED.load(Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Passes on what was asked for so far. Ctrl-C at a terminal that a program uses is the program's, until somebody insists; elsewhere the
/// first one stops and keeps, the second one throws away.
fn pass_on(recording: &Anywhere, has_terminal: bool) {
    let interrupts = INTERRUPTS.load(Ordering::Relaxed);
    if TERMINATED.load(Ordering::Relaxed) || (has_terminal && INSISTED.load(Ordering::Relaxed)) {
        recording.stop_by(StopSignal::Terminate);
    } else if HUNG_UP.load(Ordering::Relaxed) {
        recording.stop_by(StopSignal::HangUp);
    } else if !has_terminal && interrupts == 1 {
        recording.stop();
    }
    if !has_terminal && interrupts > 1 {
        recording.cancel();
    }
}

/// Records with a progress line, unless it is to be `quiet`.
pub(super) fn record(
    workload: &str,
    params: &[String],
    options: Options,
    beside: Option<&dyn Beside>,
    quiet: bool,
) -> Result<Recorded, Failure> {
    let has_terminal = options.terminal && shares_terminal();
    let recording = record::start(workload, params, options, Box::new(|_| ())).map_err(|e| failed(&e))?;
    // A command's own output goes to the same terminal.
    let shown = workload != COMMAND && !quiet;
    attend(Anywhere::Here(recording), beside, (shown, quiet), has_terminal)
}

/// Waits for the end of a recording, with a line that is `shown` meanwhile, and a last one unless it is to be `quiet`. The first
/// Ctrl-C stops and keeps, the second one throws away. One after the end leaves at once: what was not saved by then stays
/// in its journal.
pub(super) fn attend(
    recording: Anywhere,
    beside: Option<&dyn Beside>,
    (shown, quiet): (bool, bool),
    has_terminal: bool,
) -> Result<Recorded, Failure> {
    hear_signals();
    ENDED.store(false, Ordering::Relaxed);
    let mut line = ProgressLine::default();
    let look = |recording: &Anywhere| beside.iter().for_each(|b| b.look(recording));
    while !recording.is_finished() {
        pass_on(&recording, has_terminal);
        look(&recording);
        if shown {
            let (text, stage) = progress(&recording);
            line.show(&text, &stage);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    ENDED.store(true, Ordering::Relaxed);
    look(&recording);
    let last = progress(&recording).0;
    let (journal, exit_code) = (recording.journal(), recording.status().exit_code);
    let profile = recording.join();
    // Why there is nothing is said by itself.
    if shown || (!quiet && profile.is_ok()) {
        line.end(&last);
    }
    Ok(Recorded { profile: profile.map_err(|e| failed(&e))?, journal, exit_code })
}

/// What is said of a recording that gave nothing.
fn failed(e: &RecordError) -> Failure {
    let code = match e {
        RecordError::UnknownWorkload(_) | RecordError::Parameter(_) => 2,
        RecordError::NotStarted { code, .. } => *code,
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
