//! Ending a command that may not want to: asked politely, then firmly, then not asked.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::record::context::Context;

/// How a command ended.
pub(super) struct End {
    pub(super) status: ExitStatus,
    /// Somebody stopped the recording before the command ended by itself.
    pub(super) stopped: bool,
    /// The signal that was needed to end it then.
    pub(super) needed: Option<&'static str>,
}

/// Signals, in the order in which they are tried.
const SIGNALS: [&str; 3] = ["SIGINT", "SIGTERM", "SIGKILL"];
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits for the command. When the recording is stopped it has `grace` to end after SIGINT and again after
/// SIGTERM; when it is cancelled it is killed.
pub(super) fn wait(child: &mut Child, grace: Duration, cx: &Context) -> std::io::Result<End> {
    let mut step: Option<(usize, Instant)> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            if step.is_some() {
                // Whoever is left of its group would outlive it.
                signal(child.id(), SIGNALS[2], false);
            }
            return Ok(End { status, stopped: step.is_some(), needed: step.map(|(n, _)| SIGNALS[n]) });
        }
        let next = match step {
            _ if cx.is_cancelled() && step.is_none_or(|(n, _)| n < 2) => Some(2),
            None if cx.check().is_err() => Some(0),
            Some((n, since)) if n < 2 && since.elapsed() >= grace => Some(n + 1),
            _ => None,
        };
        if let Some(n) = next {
            cx.stage(&format!("Ending the command ({})", SIGNALS[n]));
            step = Some((n, Instant::now()));
            signal(child.id(), SIGNALS[n], n == 2);
            if !cfg!(unix) {
                child.kill()?;
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Sends a signal to the command's process group; with `all` also to descendants that left the group.
#[cfg(unix)]
fn signal(pid: u32, name: &str, all: bool) {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    let signal = match name {
        "SIGINT" => Signal::INT,
        "SIGTERM" => Signal::TERM,
        _ => Signal::KILL,
    };
    let number = |pid: u32| i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(group) = number(pid) else { return };
    let rest = if all { crate::record::processes::tree_of(pid) } else { Vec::new() };
    // What has ended by itself meanwhile cannot get a signal any more.
    let _ = kill_process_group(group, signal);
    for pid in rest.into_iter().filter_map(number) {
        let _ = kill_process(pid, signal);
    }
}

/// Ends the command and all that it started: there are no signals to ask with.
#[cfg(windows)]
fn signal(pid: u32, _: &str, _: bool) {
    use std::process::{Command, Stdio};
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    let mut kill = Command::new("taskkill");
    kill.args(["/T", "/F", "/PID", &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    std::os::windows::process::CommandExt::creation_flags(&mut kill, CREATE_NO_WINDOW);
    // What has ended by itself meanwhile cannot be ended any more.
    let _ = kill.status();
}

#[cfg(not(any(unix, windows)))]
fn signal(_: u32, _: &str, _: bool) {}

/// The exit code that a shell would show: the command's own, or 128 and the number of its signal.
pub(super) fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(255);
    }
    status.code().map_or(1, |code| if (0..=255).contains(&code) { code as u8 } else { 1 })
}

/// The exit status in words.
pub(super) fn words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(number) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match number {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            6 => "SIGABRT",
            7 => "SIGBUS",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            15 => "SIGTERM",
            _ => "",
        };
        let by =
            if name.is_empty() { format!("signal {number}") } else { format!("{name} (signal {number})") };
        return format!("ended by {by}");
    }
    match status.code() {
        Some(0) => "0".into(),
        Some(code) => format!("{code} (failed)"),
        None => "unknown".into(),
    }
}
