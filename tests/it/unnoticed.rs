//! What a recorded program could notice of the recorder: its environment, signals, terminal, frames and modules.
//!
//! Interpreters are those of pyenv and `python3`; what is not here is said and not checked.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{folder, interpreters, program, python, report};

/// `inferscope record command` into a session in `folder`, with `more` before the command.
fn recorder(folder: &Path, more: &[&str], command: &[&str]) -> Command {
    let session = folder.join("run.inferscope");
    let journals = folder.join("journals");
    let mut args = vec!["record", "command", "--quiet", "--journal", journals.to_str().unwrap()];
    args.extend(more);
    args.extend(["-o", session.to_str().unwrap(), "--"]);
    args.extend(command);
    let mut command = program(&args);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the program complained of; the recorder's own line comes behind it.
fn complained(out: &Output) -> String {
    let all = text(&out.stderr);
    let own = all.find("Recording ").unwrap_or(all.len());
    all[..own].to_owned()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// One interpreter for each way in which tasks are recorded.
fn both_ways() -> Vec<String> {
    let first = |versions: &[&str]| interpreters(versions).into_iter().next();
    first(&["3.12", "3.13", "3.14"]).into_iter().chain(first(&["3.8", "3.9", "3.10", "3.11"])).collect()
}

#[test]
fn a_program_has_the_environment_of_its_user() {
    let folder = folder("environment");
    let names = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS", "PYTHONUNBUFFERED"];
    let print = names.map(|name| format!("echo \"{name}=${{{name}-none}}\"")).join("; ");
    let mut plain = recorder(&folder, &[], &["sh", "-c", &print]);
    for name in names {
        plain.env_remove(name);
    }
    let said = text(&plain.output().unwrap().stdout);
    assert_eq!(said, "RAYON_NUM_THREADS=none\nCANDLE_NUM_THREADS=none\nPYTHONUNBUFFERED=none\n");
    let mut own = recorder(&folder, &[], &["sh", "-c", &print]);
    own.envs(names.map(|name| (name, "7")));
    let said = text(&own.output().unwrap().stdout);
    assert_eq!(said, "RAYON_NUM_THREADS=7\nCANDLE_NUM_THREADS=7\nPYTHONUNBUFFERED=7\n", "the user's stay");
    if let Some(python) = python() {
        let mut child =
            recorder(&folder, &[], &[python, "-c", "import os; print('PYTHONUNBUFFERED' in os.environ)"]);
        let out = child.env_remove("PYTHONUNBUFFERED").output().unwrap();
        assert_eq!(text(&out.stdout), "False\n");
    }
}

#[test]
fn a_program_gets_the_signal_that_the_recorder_got() {
    use rustix::process::{Pid, Signal, kill_process};
    let folder = folder("signals");
    let script = "for s in INT TERM HUP; do trap \"echo got $s > got; exit 3\" $s; done; echo > ready
                  while :; do sleep 0.05; done";
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::INT, "INT")] {
        for old in ["ready", "got", "run.inferscope"] {
            let _ = std::fs::remove_file(folder.join(old));
        }
        let mut child = recorder(&folder, &[], &["sh", "-c", script]).stdout(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while !folder.join("ready").exists() {
            assert!(begun.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(20));
        }
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3), "{name}: the code of the program");
        let got = std::fs::read_to_string(folder.join("got")).unwrap();
        assert_eq!(got.trim(), format!("got {name}"));
        let json = report(&folder.join("run.inferscope"));
        assert_eq!(json["facts"]["Ended by"], format!("SIG{name}"));
    }
}

/// Runs a command at a terminal of its own, types, and prints what came and how it ended.
const TERMINAL: &str = "\
import os, pty, select, sys, time
keys, words = sys.argv[1], sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(words[0], words)
said, until = b'', time.time() + 60
for key in keys.split(','):
    # The program says when it listens.
    while b'ready' not in said and time.time() < until:
        if select.select([fd], [], [], 1)[0]:
            said += os.read(fd, 1000)
    time.sleep(0.2)
    said = said.replace(b'ready', b'READY')
    os.write(fd, key.encode().decode('unicode_escape').encode())
while True:
    try:
        more = os.read(fd, 1000)
    except OSError:
        break
    if not more:
        break
    said += more
status = os.waitpid(pid, 0)[1]
print(said.decode())
print('code', os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))
";

const CHAT: &str = "\
import sys
print('terminal', sys.stdin.isatty(), flush=True)
while True:
    try:
        print('ready', flush=True)
        line = sys.stdin.readline().strip()
    except KeyboardInterrupt:
        print('stopped the answer', flush=True)
        continue
    if line == 'bye':
        sys.exit(5)
    print('you said', line, flush=True)
";

#[test]
fn at_a_terminal_a_program_reads_and_gets_the_keys_that_its_user_presses() {
    let Some(python) = python() else { return };
    let folder = folder("terminal");
    let chat = write(&folder, "chat.py", CHAT);
    let terminal = write(&folder, "terminal.py", TERMINAL);
    let at_terminal = |keys: &str, words: &[&str]| {
        let recorder = recorder(&folder, &[], words);
        let mut command = Command::new(python);
        command.arg(&terminal).arg(keys).arg(recorder.get_program()).args(recorder.get_args());
        for (name, value) in recorder.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        text(&command.current_dir(&folder).stdin(Stdio::null()).output().unwrap().stdout)
    };
    let said = at_terminal("hello\\n,\\x03,bye\\n", &[python, &chat]);
    for part in ["terminal True", "you said hello", "stopped the answer", "code 5"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(folder.join("run.inferscope").exists());
    std::fs::remove_file(folder.join("run.inferscope")).unwrap();
    // A program that does nothing about it ends by it, and is saved.
    let said = at_terminal("\\x03", &["sh", "-c", "echo ready; sleep 60"]);
    assert!(said.contains("code 130"), "{said}");
    assert_eq!(report(&folder.join("run.inferscope"))["facts"]["Ended by"], "SIGINT");
}

#[test]
fn a_recording_within_a_recording_leaves_two_sessions() {
    let folder = folder("nested");
    for python in both_ways() {
        for session in ["run.inferscope", "inner.inferscope"] {
            let _ = std::fs::remove_file(folder.join(session));
        }
        let own = env!("CARGO_BIN_EXE_inferscope");
        let code = "import asyncio
async def inner_work(): await asyncio.sleep(0.02)
asyncio.run(inner_work())
print('done')";
        let inner =
            [own, "record", "command", "--quiet", "-o", "inner.inferscope", "--", &python, "-c", code];
        let out = recorder(&folder, &[], &inner).output().unwrap();
        assert!(out.status.success() && text(&out.stdout) == "done\n", "{python}: {out:?}");
        assert!(!text(&out.stderr).contains("Error"), "{python}: {out:?}");
        let names = report(&folder.join("inner.inferscope"))["functions"].to_string();
        assert!(names.contains("inner_work"), "{python}: {names}");
        assert_eq!(report(&folder.join("run.inferscope"))["facts"]["Exit status"], "0");
    }
}

/// As uvloop does: asyncio is imported while this module is not whole.
const UVLOOP: &str = "\
import asyncio
class Loop(asyncio.SelectorEventLoop):
    pass
";

const SEES: &str = "\
import inspect, marshal, sys, traceback
def depth():
    return 1 + depth()
try:
    depth()
except RecursionError as error:
    print(len(traceback.extract_tb(error.__traceback__)))
import uvloop, asyncio
try:
    import broken
except SyntaxError:
    traceback.print_exc()
import coroutines
code = marshal.dumps(coroutines.work.__code__)
print(len(inspect.stack()), [p for p in sys.path if 'inject' in p])
traceback.print_stack()
print(asyncio.run(coroutines.work()))
open('code', 'wb').write(code)
";

/// Code that was sent by value to a process that nobody records.
const ELSEWHERE: &str = "\
import marshal, types
work = types.FunctionType(marshal.loads(open('code', 'rb').read()), {'__builtins__': __builtins__})()
try:
    work.send(None)
except StopIteration as end:
    print(end.value)
";

#[test]
fn frames_modules_and_code_of_a_program_are_as_without_a_recorder() {
    let folder = folder("frames");
    write(&folder, "uvloop.py", UVLOOP);
    write(&folder, "broken.py", "async def f():\n    return 1\nx = = 2\n");
    write(&folder, "coroutines.py", "async def work():\n    return 42\n");
    let script = write(&folder, "sees.py", SEES);
    for python in interpreters(&["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]) {
        for options in [&[][..], &["-S"]] {
            let words = [&[python.as_str()], options, &[script.as_str()]].concat();
            let plain = Command::new(&python).args(&words[1..]).current_dir(&folder).output().unwrap();
            let recorded = recorder(&folder, &[], &words).output().unwrap();
            if options.is_empty() {
                assert_eq!(text(&recorded.stdout), text(&plain.stdout), "{python}");
                assert_eq!(complained(&recorded), text(&plain.stderr), "{python}");
            } else {
                // What runs around it has three frames, and nothing else.
                assert!(text(&recorded.stdout).contains(" []\n42\n"), "{python}: {recorded:?}");
            }
            let elsewhere =
                Command::new(&python).args(["-c", ELSEWHERE]).current_dir(&folder).output().unwrap();
            assert_eq!(text(&elsewhere.stdout), "42\n", "{python}: {elsewhere:?}");
        }
    }
}

#[test]
fn pyinstrument_lists_nothing_of_the_recorder() {
    let Some(python) = python() else { return };
    let has = Command::new(python).args(["-c", "import pyinstrument"]).output().unwrap().status.success();
    if !has {
        eprintln!("no pyinstrument here: nothing is checked with it");
        return;
    }
    let folder = folder("pyinstrument");
    let code = "import time\ndef rest(): time.sleep(0.2)\nrest()\n";
    let script = write(&folder, "app.py", code);
    let out = recorder(&folder, &["--set", "profilers=pyinstrument"], &[python, &script]).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let functions = report(&folder.join("run.inferscope"))["functions"].to_string();
    assert!(functions.contains("rest") && !functions.contains("profile_run"), "{functions}");
}

/// What the recorder does after the end is none of the run's time.
#[test]
fn the_time_of_a_run_ends_with_the_program() {
    let folder = folder("elapsed");
    // A process that outlives the command holds its output open, for which the recorder waits half a second.
    let begun = Instant::now();
    let status = recorder(&folder, &[], &["sh", "-c", "sleep 30 & echo $! > child; exec sleep 0.1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let whole = begun.elapsed();
    assert!(status.success());
    let child = std::fs::read_to_string(folder.join("child")).unwrap();
    let child = rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    let elapsed = report(&folder.join("run.inferscope"))["duration_ns"].as_u64().unwrap();
    let beside = whole.saturating_sub(Duration::from_nanos(elapsed));
    assert!(beside >= Duration::from_millis(500), "{elapsed} ns of {whole:?}");
}

#[test]
fn an_old_python_says_what_is_not_recorded_of_it() {
    let folder = folder("old-inside");
    for python in interpreters(&["3.6", "3.7"]) {
        let out =
            recorder(&folder, &["--set", "reader=inside"], &[&python, "-c", "print(1)"]).output().unwrap();
        assert_eq!(text(&out.stdout), "1\n");
        let warnings = report(&folder.join("run.inferscope"))["warnings"].to_string();
        assert!(warnings.contains("takes Python 3.8 or later"), "{python}: {warnings}");
        assert!(!warnings.contains("before a look at it"), "{python}: {warnings}");
    }
}
