//! What a recorded program could notice of the recorder: its environment, signals, terminal, frames and modules.
//!
//! Interpreters are those of pyenv and `python3`; what is not here is said and not checked.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{folder, interpreters, own_errors, program, python, report};

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

/// What the program complained of.
fn complained(out: &Output) -> String {
    own_errors(&text(&out.stderr)).to_owned()
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

/// As a debugger or coverage follows a program: which lines of it run, and in which files others do.
const TRACED: &str = "\
import asyncio, sys
lines, files = [], set()
def trace(frame, event, value):
    files.add(frame.f_code.co_filename)
    if frame.f_code.co_filename == __file__:
        lines.append((event, frame.f_lineno, frame.f_code.co_name))
    return trace
async def inner(n):
    if n:
        await asyncio.sleep(0)
        x = 1
    else:
        x = 2
    return x
async def outer():
    try:
        await inner(0); await inner(1)
        raise KeyError(1)
    except KeyError:
        pass
sys.settrace(trace)
asyncio.run(outer())
sys.settrace(None)
import os
print(lines, [f for f in files if 'inject' in f and os.path.exists(f)])
";

#[test]
fn whoever_follows_lines_sees_those_of_the_program_and_no_file_of_ours() {
    let folder = folder("traced");
    let script = write(&folder, "traced.py", TRACED);
    for python in interpreters(&["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]) {
        let plain = Command::new(&python).arg(&script).current_dir(&folder).output().unwrap();
        let recorded = recorder(&folder, &["--set", "profilers=none"], &[&python, &script]).output().unwrap();
        assert_eq!(text(&recorded.stdout), text(&plain.stdout), "{python}");
        assert!(text(&plain.stdout).contains("'inner') []") || text(&plain.stdout).contains("] []"));
    }
}

/// With few descriptors: sixty threads at work, and files of its own.
const THREADS: &str = "\
import asyncio, concurrent.futures, resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
async def main():
    loop, pool = asyncio.get_running_loop(), concurrent.futures.ThreadPoolExecutor(60)
    work = [loop.run_in_executor(pool, lambda i=i: (time.sleep(0.1), i)[1]) for i in range(60)]
    print(sum(await asyncio.gather(*work)))
    print(len([open('/dev/null') for _ in range(20)]))
asyncio.run(main())
";

#[test]
fn threads_of_a_program_cost_it_no_file_descriptors() {
    let folder = folder("descriptors");
    let script = write(&folder, "threads.py", THREADS);
    for python in both_ways() {
        let out = recorder(&folder, &[], &[&python, &script]).output().unwrap();
        assert_eq!(text(&out.stdout), "1770\n20\n", "{python}: {out:?}");
    }
}

/// A program that looks into itself by the same numbers.
const MONITORS: &str = "\
import asyncio, sys
async def before(): await asyncio.sleep(0)
async def after(): await asyncio.sleep(0)
asyncio.run(before())
for number in (4, 3):
    sys.monitoring.use_tool_id(number, 'mine')
    asyncio.run(after())
    sys.monitoring.free_tool_id(number)
sys.monitoring.use_tool_id(4, 'mine'), sys.monitoring.use_tool_id(3, 'mine')
asyncio.run(before())
print('done')
";

#[test]
fn a_program_gets_each_number_of_sys_monitoring_that_it_wants() {
    let folder = folder("monitoring");
    let script = write(&folder, "monitors.py", MONITORS);
    for python in interpreters(&["3.12", "3.13", "3.14"]) {
        let out = recorder(&folder, &[], &[&python, &script]).output().unwrap();
        assert_eq!(text(&out.stdout), "done\n", "{python}: {out:?}");
        assert_eq!(complained(&out), "", "{python}");
        let json = report(&folder.join("run.inferscope"));
        let after = json["functions"].as_array().unwrap().iter().find(|f| f["name"] == "after");
        assert_eq!(after.map(|f| f["calls"].clone()), Some(2.into()), "{python}: {json}");
        let warnings = json["warnings"].to_string();
        assert!(warnings.contains("until the program took both numbers"), "{warnings}");
    }
}

/// It may write no more than small files.
const NO_ROOM: &str = "\
import asyncio, resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
async def work(): await asyncio.sleep(0)
async def main():
    for _ in range(3000):
        await asyncio.gather(work(), work())
asyncio.run(main())
print('done')
";

#[test]
fn tasks_that_found_no_room_on_the_disk_are_known_to_be_missing() {
    let folder = folder("no-room");
    let script = write(&folder, "room.py", NO_ROOM);
    for python in both_ways() {
        let out = recorder(&folder, &[], &[&python, &script]).output().unwrap();
        assert_eq!((text(&out.stdout), complained(&out)), ("done\n".into(), String::new()), "{python}");
        let warnings = report(&folder.join("run.inferscope"))["warnings"].to_string();
        assert!(warnings.contains("recorded until there was no room on the disk"), "{python}: {warnings}");
    }
}

#[test]
fn a_program_is_told_that_its_reader_has_gone_and_one_that_starts_not_is_a_line() {
    use std::io::{BufRead, BufReader};
    let folder = folder("reader");
    let endless = ["sh", "-c", "while :; do echo y; done"];
    let mut child =
        recorder(&folder, &[], &endless).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "y");
    drop(lines);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("it goes on for nobody");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(141), "as a shell says that SIGPIPE ended it");
    assert_eq!(
        report(&folder.join("run.inferscope"))["facts"]["Exit status"],
        "ended by SIGPIPE (signal 13)"
    );
    std::fs::remove_file(folder.join("run.inferscope")).unwrap();

    let out = recorder(&folder, &[], &["/no/such/program"]).output().unwrap();
    let said = complained(&out);
    assert!(said.contains("could not be started") && said.lines().count() == 1, "{said}");
    assert_eq!(out.status.code(), Some(127));
    assert!(
        !folder.join("run.inferscope").exists()
            && std::fs::read_dir(folder.join("journals")).unwrap().count() == 0
    );
}

#[test]
fn output_and_errors_in_one_file_stay_in_their_order() {
    let folder = folder("one-file");
    let script = "i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut child = recorder(&folder, &[], &["sh", "-c", script]);
    let status = child.stdout(log.try_clone().unwrap()).stderr(log).status().unwrap();
    assert!(status.success());
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    let lines: Vec<&str> = log.lines().filter(|l| l.starts_with("out ") || l.starts_with("err ")).collect();
    let wanted: Vec<String> = (0..300).flat_map(|i| [format!("out {i}"), format!("err {i}")]).collect();
    assert_eq!(lines, wanted);
    assert_eq!(report(&folder.join("run.inferscope"))["facts"]["Output lines"], "600");
}

/// A server that a script starts in the background has the output that it would have without a recorder.
#[test]
fn what_outlives_the_command_goes_on_writing_to_where_it_wrote() {
    let folder = folder("outlives-output");
    let script = "
        (while [ -d journals/*.files ]; do sleep 0.05; done
         sleep 0.3; echo late; echo late complaint >&2; echo fine >> end) &
        echo soon";
    for (more, late_out, late_err) in
        [(&[][..], "late\n", "late complaint\n"), (&["--set", "echo=false"], "", "")]
    {
        let _ = std::fs::remove_file(folder.join("run.inferscope"));
        // It ends when nobody holds the pipes any more.
        let out = recorder(&folder, more, &["sh", "-c", script]).output().unwrap();
        assert_eq!(out.status.code(), Some(0));
        let soon = if more.is_empty() { "soon\n" } else { "" };
        assert_eq!(text(&out.stdout), format!("{soon}{late_out}"));
        assert!(text(&out.stderr).ends_with(&format!("run.inferscope\n{late_err}")), "{}", text(&out.stderr));
        crate::support::wait("it wrote without an error", || folder.join("end").exists());
        std::fs::remove_file(folder.join("end")).unwrap();
        let warnings = report(&folder.join("run.inferscope"))["warnings"].to_string();
        assert!(warnings.contains("a process outlives the command"), "{warnings}");
    }
}

/// The recorder takes its folder along, with what would be loaded from it and written to it.
#[test]
fn what_outlives_the_command_hears_nothing_of_the_recorder() {
    let folder = folder("outlives-inside");
    let script = write(
        &folder,
        "app.py",
        "\
import os, sys, time
if os.fork():
    sys.exit()
def some():
    global asyncio, threading, urllib
    import asyncio, threading, urllib.request
    asyncio.run(work())
    try: urllib.request.urlopen('http://127.0.0.1:1/')
    except OSError: pass
async def work(): await asyncio.sleep(0)
async def many():
    await asyncio.gather(*(work() for _ in range(3000)))
if sys.argv[1] == 'early':
    some()
while os.path.exists(os.environ['INFERSCOPE_TRACE']): time.sleep(0.02)
some()
asyncio.run(many())
other = threading.Thread(target=asyncio.run, args=(work(),))
other.start()
other.join()
time.sleep(2)
fds = ['/proc/self/fd/' + fd for fd in os.listdir('/proc/self/fd')]
print([os.readlink(fd) for fd in fds if os.path.islink(fd) and '.calls' in os.readlink(fd)])
print(len(os.listdir('/proc/self/task')))
",
    );
    for python in both_ways() {
        for reader in ["outside", "inside"] {
            for when in ["early", "late"] {
                let set = format!("reader={reader}");
                let out = recorder(&folder, &["--set", &set], &[&python, &script, when]).output().unwrap();
                let said = text(&out.stderr);
                assert!(
                    said.starts_with("Saved ") && said.lines().count() == 1,
                    "{said}, {python} {reader} {when}"
                );
                assert_eq!(text(&out.stdout), "[]\n1\n", "{python} {reader} {when}");
            }
        }
    }
}

/// A server that gives up its rights can no longer write to the recorder's folder, which is its user's alone.
#[test]
fn a_program_that_gives_up_its_rights_says_what_is_not_recorded() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing is checked");
        return;
    }
    let folder = folder("rights");
    let text_of_it = "\
import encodings.idna, os, urllib.request
os.setgid(65534)
os.setuid(65534)
for _ in range(2):
    try: urllib.request.urlopen('http://127.0.0.1:1/')
    except OSError: print('refused')
";
    let script = write(&folder, "app.py", text_of_it);
    for python in both_ways() {
        let out = recorder(&folder, &[], &[&python, &script]).output().unwrap();
        assert_eq!(text(&out.stdout), "refused\nrefused\n", "{python}");
        let said = complained(&out);
        assert!(said.starts_with("inferscope: HTTP requests are no longer recorded"), "{said}, {python}");
        assert_eq!(said.lines().count(), 1, "{said}, {python}");
    }
}
