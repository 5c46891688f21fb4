//! Recordings and files of another machine, which is a shell of this one with folders of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use inferscope::record::{Options, RecordError};
use inferscope::remote::{self, Order, Patience, Target};

use crate::support::{file, folder, program, report, wait};

/// Two machines: folders of this one, and of another that is reached by a command.
pub struct Machines {
    pub folder: PathBuf,
    /// State of the program on the other side.
    pub state: PathBuf,
}

impl Machines {
    pub fn new(name: &str) -> Self {
        let folder = folder(name);
        let state = folder.join("there");
        std::fs::create_dir_all(&state).unwrap();
        Self { folder, state }
    }

    /// Sets up the other side for a shell that follows: its folders, and the program on its PATH.
    pub fn env(&self) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_inferscope")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        format!("env XDG_STATE_HOME={} PATH={}:{path}", self.state.display(), program.display())
    }

    pub fn target(&self) -> String {
        format!("cmd:{} sh", self.env())
    }

    /// The program on this side.
    pub fn here(&self, args: &[&str]) -> Command {
        let mut command = program(args);
        command.env("XDG_STATE_HOME", self.folder.join("here")).current_dir(&self.folder);
        command
    }

    pub fn journals_here(&self) -> Vec<PathBuf> {
        journals(&self.folder.join("here"))
    }

    pub fn journals_there(&self) -> Vec<PathBuf> {
        journals(&self.state)
    }

    /// Lists or does something with the journals there.
    pub fn recover(&self, more: &[&str]) -> String {
        let target = self.target();
        let out = self.here(&[&["recover", "--on", &target], more].concat()).output().unwrap();
        assert!(out.status.success(), "{more:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

fn journals(state: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state.join("inferscope/journal"));
    let paths = entries.into_iter().flatten().map(|e| e.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "journal")).collect()
}

/// Sends a signal to a process of ours.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(sent.success(), "{name} to {pid}");
}

pub fn said(out: &[u8]) -> String {
    String::from_utf8_lossy(out).into_owned()
}

#[test]
fn a_program_is_recorded_there_and_the_session_is_here() {
    let m = Machines::new("remote");
    let script = "echo hello; echo oops >&2; sleep 0.7; exit 3";
    let args = ["record", "--on", &m.target(), "command", "-o", "run.inferscope", "--", "sh", "-c", script];
    let out = m.here(&args).output().unwrap();
    let (stdout, stderr) = (said(&out.stdout), said(&out.stderr));
    assert_eq!(out.status.code(), Some(3), "the program's own: {stderr}");
    assert!(stdout.starts_with("hello\n") && stderr.contains("oops"), "{stdout}\n{stderr}");
    let json = report(&m.folder.join("run.inferscope"));
    assert_eq!(json["facts"]["Output lines"], "2", "{json}");
    assert!(!json["facts"].to_string().contains("interrupted"));
    assert!(m.journals_here().is_empty() && m.journals_there().is_empty(), "saved, so nothing is left");
    assert_eq!(std::fs::read_dir(m.state.join("inferscope/remote")).unwrap().count(), 0);

    // What is wrong there is said here, in one line.
    for (args, word) in [
        (&["record", "--on", &m.target(), "command", "--", "no-such-program"][..], "no-such-program"),
        (&["record", "--on", "-oProxyCommand=x", "asyncio"][..], "is no target"),
        (&["record", "--on", "cmd:no-such-transport", "asyncio"][..], "no-such-transport"),
        (&["report", "docker://-x:/a"][..], "is no target"),
    ] {
        let out = m.here(args).output().unwrap();
        let text = said(&out.stderr);
        assert!(!out.status.success() && text.contains(word), "{args:?}: {text}");
    }
}

/// As the window records what is built in: nothing of the process that asks is in it.
#[test]
fn a_built_in_run_of_this_machine_has_a_process_of_its_own() {
    let m = Machines::new("apart");
    let script = m.folder.join("program");
    let program = env!("CARGO_BIN_EXE_inferscope");
    std::fs::write(
        &script,
        format!("#!/bin/sh\nXDG_STATE_HOME={} exec {program} \"$@\"\n", m.state.display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let start = |scale: &str| {
        let order = Order {
            target: Target::here(&script),
            workload: "asyncio".into(),
            params: vec![format!("scale={scale}")],
            options: Options { journal: Some(m.folder.join("copies")), ..Options::default() },
            patience: Patience::default(),
        };
        remote::record(order, None, Box::new(|_, _| ()))
    };
    let ballast = vec![1u8; 600 << 20];
    let profile = start("0.05").join().unwrap();
    assert!(ballast.iter().step_by(4096).all(|b| *b == 1));
    assert!(profile.functions.ids().any(|f| profile.function_name(f) == "handle_user_request"));
    let rss = profile.counters.iter().find(|c| profile.text(c.name) == "RSS").expect("memory was sampled");
    let most = rss.values.iter().copied().fold(0.0, f64::max);
    assert!(most > 0.0 && most < f64::from(500 << 20), "{most} bytes are not those of the recorder alone");
    assert!(m.journals_there().is_empty(), "its copy here is the one");

    let running = |recording: &remote::Recording| wait("it runs", || recording.status().spans > 0);
    let recording = start("20");
    running(&recording);
    recording.stop();
    let cut = recording.join().unwrap();
    assert!(cut.elapsed().unwrap() < 60_000_000_000, "it would have taken 240 s");
    let recording = start("20");
    running(&recording);
    recording.cancel();
    assert!(matches!(recording.join(), Err(RecordError::Cancelled)));
    assert!(m.journals_there().is_empty());
}

/// What was measured in the program is merged when a journal is read, here and there.
#[test]
fn tasks_and_stacks_are_in_what_a_whole_journal_gives() {
    let Some(python) = crate::support::python() else { return };
    let m = Machines::new("remote-tasks");
    let code = "import asyncio, time
async def inner_work():
    await asyncio.sleep(0.1); spin()
def spin():
    end = time.time() + 0.3
    while time.time() < end: pass
asyncio.run(inner_work())";
    let check = |session: &str, how: &str| {
        let json = report(&m.folder.join(session));
        let functions = json["functions"].to_string();
        assert!(functions.contains("inner_work") && functions.contains("spin"), "{how}: {functions}");
        let facts = &json["facts"];
        assert!(facts["Tasks"].is_string() && facts["Python"].is_string(), "{how}: {facts}");
        let attached = json["attached"].to_string();
        assert!(!attached.contains("asyncio.tasks"), "{how}: it is no file beside the run: {attached}");
    };
    let words = ["command", "-o", "there.inferscope", "--", python, "-c", code];
    let out = m.here(&[&["record", "--on", &m.target()], &words[..]].concat()).output().unwrap();
    assert!(out.status.success(), "{}", said(&out.stderr));
    check("there.inferscope", "recorded there");
    // Also behind a shell whose start prints something without an end of line.
    let banner = format!("cmd:{} sh -c 'printf hello; exec sh'", m.env());
    let out = m.here(&[&["record", "--on", &banner], &words[..]].concat()).output().unwrap();
    assert!(out.status.success(), "{}", said(&out.stderr));
    check("there.inferscope", "behind a banner");
    let out = m.here(&["record", "command", "--quiet", "--", python, "-c", code]).output().unwrap();
    assert!(out.status.success(), "{}", said(&out.stderr));
    let [journal] = &m.journals_here()[..] else { panic!("one is left: {:?}", m.journals_here()) };
    let out = m.here(&["recover", journal.to_str().unwrap(), "-o", "here.inferscope"]).output().unwrap();
    assert!(out.status.success(), "{}", said(&out.stderr));
    check("here.inferscope", "recovered here");
}

#[test]
fn files_there_are_read_as_files_here_are() {
    let m = Machines::new("remote-files");
    let trace = file("sample_profiles/chrome-trace/pytorch-decode.pt.trace.json.gz");
    let there = format!("{}:{}", m.target(), trace.display());
    let of = |path: &str, more: &[&str]| {
        let out = m.here(&[&["report", "--json", path], more].concat()).output().unwrap();
        assert!(out.status.success(), "{}", said(&out.stderr));
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()
    };
    let (local, remote) = (of(trace.to_str().unwrap(), &[]), of(&there, &[]));
    assert_eq!(local["functions"], remote["functions"]);
    assert_eq!(local["spans"], remote["spans"]);
    let out = m.here(&["summary", &there]).output().unwrap();
    assert!(out.status.success() && !out.stdout.is_empty(), "questions, too: {}", said(&out.stderr));
    // The file itself.
    let copied = of(&there, &["--copy"]);
    assert_eq!(copied["functions"], local["functions"]);
    let copy = m.folder.join("pytorch-decode.pt.trace.json.gz");
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&trace).unwrap());
    let again = m.here(&["report", &there, "--copy"]).output().unwrap();
    assert!(
        said(&again.stderr).contains("is there already"),
        "nothing is written over: {}",
        said(&again.stderr)
    );
    // Not found, not known.
    let none = m.here(&["report", &format!("{}:/no/such.prof", m.target())]).output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    assert_eq!(said(&none.stderr).lines().count(), 1, "{}", said(&none.stderr));
    let text = m.folder.join("notes.txt");
    std::fs::write(&text, "just words, nothing else in here\n").unwrap();
    let unknown = m.here(&["report", &format!("{}:{}", m.target(), text.display())]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(3), "{}", said(&unknown.stderr));
}

/// Starts a recording of a program that prints lines until there is a file «done».
fn start(m: &Machines, more: &[&str]) -> Child {
    let done = m.folder.join("done");
    let script = format!("while [ ! -e {} ]; do echo line; sleep 0.1; done", done.display());
    let target = m.target();
    let target = target.as_str();
    let args =
        [&["record", "--on", target, "command", "--set", "grace=1"][..], more, &["--", "sh", "-c", &script]]
            .concat();
    let mut command = m.here(&args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_viewer_that_is_killed_loses_nothing() {
    let m = Machines::new("remote-viewer");
    let mut viewer = start(&m, &[]);
    wait("a journal there", || m.journals_there().first().is_some_and(|j| j.metadata().unwrap().len() > 0));
    wait("and here", || m.journals_here().first().is_some_and(|j| j.metadata().unwrap().len() > 1000));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&m.journals_there()[0]), mode(&m.journals_here()[0])), (0o600, 0o600));
    let post = std::fs::read_dir(m.state.join("inferscope/remote")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&post), 0o700);
    for entry in std::fs::read_dir(&post).unwrap().flatten() {
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
    }
    viewer.kill().unwrap();
    viewer.wait().unwrap();
    assert!(m.recover(&[]).contains("still recording"));
    let partial = report(&m.journals_here()[0]);
    assert!(partial["facts"].to_string().contains("interrupted"), "what came is here: {}", partial["facts"]);
    std::fs::write(m.folder.join("done"), "").unwrap();
    wait("its end", || m.recover(&[]).contains("not saved"));
    m.recover(&["-o", "back.inferscope"]);
    let json = report(&m.folder.join("back.inferscope"));
    assert!(
        json["facts"]["Output lines"].is_string() && !json["facts"].to_string().contains("interrupted"),
        "{}",
        json["facts"]
    );
    assert_eq!(m.journals_there().len(), 1, "it stays until somebody says otherwise");
    let name = m.journals_there()[0].file_name().unwrap().to_string_lossy().into_owned();
    m.recover(&[&name, "--remove"]);
    assert!(m.journals_there().is_empty());
    assert!(m.recover(&[]).contains("no recording"));
}

#[test]
fn stop_and_cancel_reach_the_other_side() {
    let m = Machines::new("remote-stop");
    let stopped = start(&m, &["-o", "stopped.inferscope"]);
    let begun = || m.journals_here().first().is_some_and(|j| j.metadata().unwrap().len() > 1000);
    wait("a journal", begun);
    signal("INT", stopped.id());
    let out = stopped.wait_with_output().unwrap();
    assert!(m.folder.join("stopped.inferscope").exists(), "{}", said(&out.stderr));
    assert!(m.journals_here().is_empty() && m.journals_there().is_empty());
    let json = report(&m.folder.join("stopped.inferscope"));
    assert!(!json["facts"].to_string().contains("interrupted"), "it ended in order: {}", json["facts"]);

    let cancelled = start(&m, &["-o", "cancelled.inferscope"]);
    wait("a journal", begun);
    signal("INT", cancelled.id());
    std::thread::sleep(std::time::Duration::from_millis(100));
    signal("INT", cancelled.id());
    let out = cancelled.wait_with_output().unwrap();
    let text = said(&out.stderr);
    // It may have ended between the two.
    if !m.folder.join("cancelled.inferscope").exists() {
        assert!(text.contains("cancelled"), "{text}");
    }
    assert!(m.journals_here().is_empty() && m.journals_there().is_empty(), "{text}");
}

#[test]
fn a_recorder_that_is_killed_there_leaves_what_it_wrote() {
    let m = Machines::new("remote-killed");
    let viewer = start(&m, &["-o", "left.inferscope"]);
    wait("a journal", || m.journals_here().first().is_some_and(|j| j.metadata().unwrap().len() > 1000));
    let name = m.journals_there()[0].file_stem().unwrap().to_string_lossy().into_owned();
    let recorder: u32 = name.split('-').nth(1).unwrap().parse().unwrap();
    signal("KILL", recorder);
    let out = viewer.wait_with_output().unwrap();
    std::fs::write(m.folder.join("done"), "").unwrap();
    assert!(out.status.success(), "{}", said(&out.stderr));
    let json = report(&m.folder.join("left.inferscope"));
    assert!(json["facts"].to_string().contains("interrupted"), "{}", json["facts"]);
    assert_eq!(m.journals_there().len(), 1, "it was not whole, so it stays there");
}
