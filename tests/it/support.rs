//! Running the program as a user does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A file of the repository.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The program without a display, with its own settings folder.
pub fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inferscope"));
    // No terminal, whoever runs the tests: at one, Ctrl-C is the recorded program's.
    command.stdin(std::process::Stdio::null());
    command.args(args).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
    command.env("XDG_CONFIG_HOME", std::env::temp_dir().join("inferscope-test-config"));
    command.env("XDG_STATE_HOME", std::env::temp_dir().join("inferscope-test-state"));
    command
}

/// Runs the program to its end.
pub fn run(args: &[&str]) -> Output {
    program(args).output().expect("the program starts")
}

/// Standard output of a run that must succeed.
pub fn stdout(args: &[&str]) -> String {
    let out = run(args);
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// The JSON report of a file.
pub fn report(path: &Path) -> serde_json::Value {
    let text = stdout(&["report", "--json", &path.to_string_lossy()]);
    serde_json::from_str(&text).expect("JSON")
}

/// A folder for the files of one test, empty at first.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("inferscope-it-{}-{name}", std::process::id()));
    // It may be left over from a run that was cut off.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Interpreters of these versions, as pyenv keeps them; those that are not here are left out.
pub fn interpreters(versions: &[&str]) -> Vec<String> {
    let roots = [std::env::var("PYENV_ROOT").ok(), std::env::var("HOME").ok().map(|h| format!("{h}/.pyenv"))];
    let folder = roots.into_iter().flatten().map(|r| Path::new(&r).join("versions")).find(|f| f.is_dir());
    let installed = folder.and_then(|f| std::fs::read_dir(f).ok()).into_iter().flatten().flatten();
    let wanted = |p: &PathBuf| {
        let name = p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        versions.iter().any(|v| name.strip_prefix(v).is_some_and(|rest| rest.starts_with('.')))
    };
    let found: Vec<_> = installed.map(|e| e.path()).filter(wanted).collect();
    if found.is_empty() {
        eprintln!("no Python {versions:?} of pyenv here: nothing is checked with it");
    }
    found.iter().map(|p| p.join("bin/python").display().to_string()).collect()
}

fn entry_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// All profiles below a folder: without notes, dumps, and files that are broken on purpose.
pub fn samples(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let name = entry_name(&path);
            if !name.ends_with(".md") && !name.ends_with(".txt") && !name.starts_with("invalid") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Waits until `ready` says so, at most 30 s.
pub fn wait(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The usual Python; without one it says so.
pub fn python() -> Option<&'static str> {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("no python3 here: nothing is checked");
    }
    found.then_some("python3")
}

/// What a recorded program complained of: what the recorder itself says comes behind it.
pub fn own_errors(all: &str) -> &str {
    let end = ["Recording ", "Saved "].iter().filter_map(|said| all.find(said)).min();
    &all[..end.unwrap_or(all.len())]
}
