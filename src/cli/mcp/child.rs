//! What this program does for a client as a process of its own: pictures, and recordings of commands that were allowed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::files::Files;
use crate::format::short;
use crate::jobs::Job;
use crate::record::{self, secrets::mask};

/// Time between two looks at whether it ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs the program, until it ends or nobody wants it any more.
fn run(args: &[&std::ffi::OsStr], folder: &Path, job: &Job) -> Result<Output, String> {
    let failed = |e: std::io::Error| format!("inferscope cannot be started ({e})");
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = record::program(program);
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // Its pipes are emptied while it runs, or it would wait for us.
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let out = Kept::of("output of a recording", out);
    let err = Kept::of("errors of a recording", err);
    let mut asked = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if job.is_cancelled() && !asked {
            stop(&mut child);
            asked = true;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let until = Instant::now() + LAST_OUTPUT;
    let (stdout, stderr) = (out.until(until), err.until(until));
    if asked { Err("cancelled".into()) } else { Ok(Output { status, stdout, stderr }) }
}

/// Most bytes of output that are kept.
const MOST: usize = 64 << 20;
/// How long output is read that is still on its way when the program has ended.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// What comes out of a pipe. A process that outlives the recorded command may hold it open, and is read on.
struct Kept {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Kept {
    fn of(name: &str, from: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let to = bytes.clone();
        let thread = crate::jobs::spawn(name, move || {
            let Some(mut from) = from else { return };
            let mut piece = vec![0; 16 << 10];
            loop {
                match from.read(&mut piece) {
                    Ok(0) => break,
                    Ok(n) => {
                        let mut all = to.lock().unwrap_or_else(PoisonError::into_inner);
                        let room = MOST.saturating_sub(all.len());
                        all.extend_from_slice(&piece[..n.min(room)]);
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        });
        Self { bytes, thread }
    }

    /// All of it, or what came until then.
    fn until(self, until: Instant) -> Vec<u8> {
        while !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Asks it to end in order, so that what it recorded until then is saved.
fn stop(child: &mut Child) {
    #[cfg(unix)]
    {
        let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            return;
        }
    }
    let _ = child.kill();
}

/// The last line that it wrote to standard error.
fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    short(text.lines().last().unwrap_or("it failed"), 400).into_owned()
}

fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str).filter(|t| !t.is_empty())
}

/// Views that show what is in files that a profile names: source texts, details of events. Such files may lie anywhere, and
/// what a picture shows goes to a model.
pub(super) const READ_ON: [&str; 2] = ["source", "details"];

/// A picture of one view: the bytes of a PNG.
pub(super) fn picture(files: &Files, arguments: &Map<String, Value>, job: &Job) -> Result<Vec<u8>, String> {
    let file = files.find(text(arguments, "file").ok_or("picture needs file")?)?;
    let view = text(arguments, "view").unwrap_or("flame");
    if view.split(',').any(|view| READ_ON.contains(&view.trim())) {
        return Err(format!(
            "view: {view} reads files that the profile names, which may lie elsewhere; ask lines for source texts"
        ));
    }
    let size = text(arguments, "size").unwrap_or("1000x500");
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let out = std::env::temp_dir().join(format!("inferscope-picture-{}-{number}.png", std::process::id()));
    let mut args: Vec<&std::ffi::OsStr> =
        ["render", "--view", view, "--size", size].map(AsRef::as_ref).to_vec();
    if let Some(select) = text(arguments, "select") {
        args.extend(["--select", select].map(std::ffi::OsStr::new));
    }
    args.extend([std::ffi::OsStr::new("-o"), out.as_os_str(), std::ffi::OsStr::new("--"), file.as_os_str()]);
    let done = run(&args, &files.roots()[0], job)?;
    let bytes = std::fs::read(&out);
    let _ = std::fs::remove_file(&out);
    match bytes {
        Ok(bytes) if done.status.success() => Ok(bytes),
        _ => Err(last_line(&done)),
    }
}

/// True when a command begins with words that were allowed, compared one by one.
fn is_allowed(command: &[String], allowed: &[Vec<String>]) -> bool {
    allowed.iter().any(|words| words[..] == ["any"] || command.starts_with(words))
}

/// Records a command: the path of the session, and how it ended.
pub(super) fn record(
    files: &Files,
    allowed: &[Vec<String>],
    arguments: &Map<String, Value>,
    job: &Job,
) -> Result<(PathBuf, String), String> {
    let words =
        arguments.get("command").and_then(Value::as_array).ok_or("record needs command: a list of words")?;
    let word = |w: &Value| w.as_str().map(str::to_owned).ok_or("command: each word is a text");
    let command: Vec<String> = words.iter().map(word).collect::<Result<_, _>>()?;
    if command.is_empty() || !is_allowed(&command, allowed) {
        let known: Vec<String> = allowed.iter().map(|words| words.join(" ")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join("; ") };
        return Err(format!("this command may not be recorded; allowed are those that begin with: {known}"));
    }
    let out = files.place(text(arguments, "out").ok_or("record needs out: a new session file")?)?;
    if out.extension().is_none_or(|e| e != "inferscope") {
        return Err("out: a session ends with .inferscope".into());
    }
    let mut args: Vec<&std::ffi::OsStr> = ["record", "command", "--json", "-o"].map(AsRef::as_ref).to_vec();
    args.extend([out.as_os_str(), std::ffi::OsStr::new("--")]);
    args.extend(command.iter().map(std::ffi::OsStr::new));
    let done = run(&args, &files.roots()[0], job)?;
    let said: Value = serde_json::from_slice(&done.stdout).unwrap_or(Value::Null);
    if !out.exists() {
        return Err(mask(&last_line(&done)).into_owned());
    }
    let code = said["exit_code"].as_i64().map_or_else(|| "–".into(), |c| c.to_string());
    let failed = said["failed"].as_str().map_or_else(String::new, |why| format!("; {}", short(why, 200)));
    Ok((out, format!("exit code {code}{failed}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_compared_word_by_word() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let allowed = [words("python app.py")];
        assert!(is_allowed(&words("python app.py --fast"), &allowed));
        for command in ["python app.pyc", "python", "python -c app.py", "sh -c python app.py", "pythonapp.py"]
        {
            assert!(!is_allowed(&words(command), &allowed), "{command}");
        }
        assert!(!is_allowed(&["python app.py".into()], &allowed), "one word is no two");
        assert!(is_allowed(&words("rm -rf x"), &[words("any")]) && !is_allowed(&words("any"), &[]));
    }
}
