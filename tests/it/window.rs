//! The window itself on a display of its own (Xvfb), seen and steered by an agent through the server of tools.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::mcp::Client;
use crate::support::{file, folder, program, wait};

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn has(name: &str) -> bool {
    let found = Command::new(name).arg("-help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("no {name} here: what needs it is not checked");
    }
    found
}

/// An X server of its own; the value of DISPLAY.
fn display() -> (Process, String) {
    let mut server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut number = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
    (Process(server), format!(":{}", number.trim()))
}

/// The window with a file, as somebody has it who lets agents use it or not.
struct Window {
    _process: Process,
    display: String,
    runtime: PathBuf,
    _server: Process,
}

impl Window {
    fn open(folder: &Path, profile: &Path, agents: bool) -> Option<Self> {
        let (server, display) = display();
        let (runtime, config) = (folder.join("runtime"), folder.join("config/inferscope"));
        std::fs::create_dir_all(&runtime).unwrap();
        std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(config.join("settings.json"), json!({ "agents": agents }).to_string()).unwrap();
        let mut window = program(&[&profile.to_string_lossy()]);
        window.env("DISPLAY", &display).env("LIBGL_ALWAYS_SOFTWARE", "1").env("XDG_RUNTIME_DIR", &runtime);
        window.env("XDG_CONFIG_HOME", folder.join("config"));
        let mut window = Process(window.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        std::thread::sleep(Duration::from_secs(2));
        if window.0.try_wait().unwrap().is_some() {
            let mut said = String::new();
            let _ = BufReader::new(window.0.stderr.take().unwrap()).read_line(&mut said);
            eprintln!("no window can be opened here: {said}");
            return None;
        }
        Some(Self { _process: window, display, runtime, _server: server })
    }

    fn socket(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.runtime.join("inferscope")).ok()?;
        entries.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "sock"))
    }

    /// Presses keys as a person does.
    fn press(&self, keys: &str) {
        let pressed = Command::new("xdotool")
            .args(["search", "--sync", "--name", "^inferscope", "windowfocus", "--sync", "key", keys])
            .env("DISPLAY", &self.display)
            .status();
        assert!(pressed.is_ok_and(|s| s.success()), "{keys}");
    }
}

#[test]
fn an_agent_sees_and_steers_the_window_and_one_undo_takes_it_back() {
    if !has("Xvfb") {
        return;
    }
    let folder = folder("window");
    let (before, after) = (folder.join("before.prof"), folder.join("after.prof"));
    std::fs::copy(file("sample_profiles/pstats/workload-py311.prof"), &before).unwrap();
    std::fs::copy(file("sample_profiles/pstats/workload-py313.prof"), &after).unwrap();
    let Some(window) = Window::open(&folder, &before, true) else { return };
    wait("the window listens", || window.socket().is_some());
    let socket = window.socket().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));

    let runtime = window.runtime.to_string_lossy().into_owned();
    let mut agent =
        Client::start_with(&[folder.to_str().unwrap(), "--window"], &[("XDG_RUNTIME_DIR", &runtime)]);
    let mut seen = String::new();
    wait("the file is open", || {
        seen = agent.call("shown", &json!({})).0;
        seen.contains("«before.prof» (file before.prof)\n")
    });
    assert!(!agent.call("hot", &json!({ "file": "shown" })).1, "the shown run is a file, too");
    let (said, failed) = agent.call(
        "show",
        &json!({ "file": "after.prof", "base": "before.prof", "select": "iterencode", "view": "flame" }),
    );
    assert!(!failed, "{said}");
    for part in [
        "«after.prof» (file after.prof), compared with «before.prof» (file before.prof) as base",
        "views in front: flame",
        "selected: function iterencode ",
    ] {
        assert!(said.contains(part), "lacks {part}: {said}");
    }
    let (said, failed) = agent.call("show", &json!({ "select": "__init__" }));
    assert!(failed && said.contains("by its handle"), "{said}");
    assert!(agent.call("show", &json!({ "file": "/etc/passwd" })).1, "only what lies below the folders");
    if has("xdotool") {
        window.press("ctrl+z");
        wait("one undo takes all of it back", || {
            let said = agent.call("shown", &json!({})).0;
            said.lines().next() == seen.lines().next() && !said.contains("selected:")
        });
    }
    // A window that is closed is no server that hangs.
    drop(window);
    let (said, failed) = agent.call("shown", &json!({}));
    assert!(failed && said.contains("no window listens"), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_window_that_is_not_told_to_listens_to_nobody() {
    if !has("Xvfb") {
        return;
    }
    let folder = folder("window-off");
    let profile = folder.join("a.prof");
    std::fs::copy(file("sample_profiles/pstats/workload-py311.prof"), &profile).unwrap();
    let Some(window) = Window::open(&folder, &profile, false) else { return };
    let runtime = window.runtime.to_string_lossy().into_owned();
    let mut agent =
        Client::start_with(&[folder.to_str().unwrap(), "--window"], &[("XDG_RUNTIME_DIR", &runtime)]);
    let (said, failed) = agent.call("shown", &json!({}));
    assert!(failed && said.contains("Agents: may use this window"), "{said}");
    assert!(window.socket().is_none());
    std::fs::remove_dir_all(folder).unwrap();
}
