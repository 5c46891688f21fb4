//! Ending a command that may not want to: asked politely, then firmly, then not asked.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::record::context::{Context, StopSignal};

/// How a command ended.
pub(super) struct End {
    pub(super) status: ExitStatus,
    /// Somebody stopped the recording before the command ended by itself.
    pub(super) stopped: bool,
    /// The signal that was needed to end it then.
    pub(super) needed: Option<&'static str>,
}

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Signals in the order in which they are tried, from the one that came on.
fn signals(first: StopSignal) -> &'static [&'static str] {
    match first {
        StopSignal::Interrupt => &["SIGINT", "SIGTERM", KILL],
        StopSignal::HangUp => &["SIGHUP", "SIGTERM", KILL],
        StopSignal::Terminate => &["SIGTERM", KILL],
    }
}

const KILL: &str = "SIGKILL";

/// Waits for the command. When the recording is stopped it gets the signal that did so, and has `grace` to end after it, and again
/// after SIGTERM; when it is cancelled it is killed. At a `terminal` it is in our own process group.
pub(super) fn wait(child: &mut Child, terminal: bool, grace: Duration, cx: &Context) -> std::io::Result<End> {
    // What is left to try, and since when the last one has been tried.
    let mut left: &[&str] = &[];
    let mut asked: Option<(&'static str, Instant)> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            if asked.is_some() && !terminal {
                // Whoever is left of its group would outlive it.
                signal(child.id(), KILL, Reach::Group);
            }
            // Ctrl-C at the terminal was the program's.
            let interrupted = terminal && asked.is_none() && code(status) == 130;
            let needed = asked.map(|(name, _)| name).or_else(|| interrupted.then_some("SIGINT"));
            return Ok(End { status, stopped: asked.is_some() || interrupted, needed });
        }
        let is_due = match asked {
            _ if cx.is_cancelled() && asked.is_none_or(|(name, _)| name != KILL) => {
                left = &[KILL];
                true
            }
            None if cx.check().is_err() => {
                left = signals(cx.stop_signal());
                true
            }
            Some((_, since)) => since.elapsed() >= grace,
            None => false,
        };
        if let (true, Some((&name, rest))) = (is_due, left.split_first()) {
            cx.stage(&format!("Ending the command ({name})"));
            (asked, left) = (Some((name, Instant::now())), rest);
            let reach = match terminal {
                true => Reach::Tree,
                false if name == KILL => Reach::Both,
                false => Reach::Group,
            };
            signal(child.id(), name, reach);
            if !cfg!(unix) {
                child.kill()?;
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Who gets a signal: the command's process group, it and its descendants, or both, because some may have left the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Group,
    Tree,
    Both,
}

/// Sends a signal.
#[cfg(unix)]
fn signal(pid: u32, name: &str, reach: Reach) {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    let signal = match name {
        "SIGINT" => Signal::INT,
        "SIGHUP" => Signal::HUP,
        "SIGTERM" => Signal::TERM,
        _ => Signal::KILL,
    };
    let number = |pid: u32| i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(group) = number(pid) else { return };
    let tree = if reach == Reach::Group { Vec::new() } else { crate::record::processes::tree_of(pid) };
    // What has ended by itself meanwhile cannot get a signal any more.
    if reach != Reach::Tree {
        let _ = kill_process_group(group, signal);
    }
    for pid in tree.into_iter().filter_map(number) {
        let _ = kill_process(pid, signal);
    }
}

/// Ends the command and all that it started: there are no signals to ask with.
#[cfg(windows)]
fn signal(pid: u32, _: &str, _: Reach) {
    use std::process::Stdio;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    let mut kill = crate::record::program("taskkill");
    kill.args(["/T", "/F", "/PID", &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    std::os::windows::process::CommandExt::creation_flags(&mut kill, CREATE_NO_WINDOW);
    // What has ended by itself meanwhile cannot be ended any more.
    let _ = kill.status();
}

#[cfg(not(any(unix, windows)))]
fn signal(_: u32, _: &str, _: Reach) {}

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
