//! Recording any command: its output, its memory, its calls and how it ends.
//!
//! Without a python3 the tests of Python say so and pass.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{folder, interpreters, own_errors, program, python, report};

/// Records `command` into a session in `folder`.
fn record(folder: &Path, set: &[&str], command: &[&str]) -> (Output, Value) {
    let session = folder.join("run.inferscope");
    let journals = folder.join("journals");
    let mut args = vec!["record", "command", "--quiet", "--journal", journals.to_str().unwrap()];
    args.extend(set.iter().flat_map(|s| ["--set", *s]));
    args.extend(["-o", session.to_str().unwrap(), "--"]);
    args.extend(command);
    let out = program(&args).output().unwrap();
    assert!(session.exists(), "{}", String::from_utf8_lossy(&out.stderr));
    let json = report(&session);
    (out, json)
}

fn fact<'a>(json: &'a Value, key: &str) -> &'a str {
    json["facts"][key].as_str().unwrap_or("")
}

fn logs(folder: &Path) -> String {
    let session = folder.join("run.inferscope");
    let trace = folder.join("run.trace.json");
    let args = ["export", session.to_str().unwrap(), "-o", trace.to_str().unwrap()];
    assert!(program(&args).output().unwrap().status.success());
    std::fs::read_to_string(trace).unwrap()
}

const SCRIPT: &str = "\
import json, sys
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
class Work:
    def step(self, n):
        return json.dumps([fib(k) for k in range(n)])
def main():
    print('hello from', __name__, sys.argv[1:])
    print('WARNING: something is odd', file=sys.stderr)
    print('using Authorization: Bearer abcdef0123456789 and sk-abcdefghijklmnop1234')
    for n in range(12):
        Work().step(n)
main()
";

/// Prints one line per function: file, line, name, calls, primitive calls, self and total time.
const PSTATS: &str = "\
import pstats, sys
for (file, line, name), (cc, nc, tt, ct, callers) in pstats.Stats(sys.argv[1]).stats.items():
    print(name, line, nc, cc, repr(tt), repr(ct), sep='\\t')
";

#[test]
fn the_profile_of_a_python_program_has_the_numbers_of_pstats() {
    let Some(python) = python() else { return };
    let folder = folder("pstats");
    let script = folder.join("app.py");
    std::fs::write(&script, SCRIPT).unwrap();
    let kept = folder.join("kept.prof");
    let keep = format!("keep={}", kept.display());
    let (out, json) =
        record(&folder, &["profilers=cprofile", &keep], &[python, script.to_str().unwrap(), "--x", "a b"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(json["basis"], "aggregated");
    assert_eq!(fact(&json, "Exit status"), "0");

    let stats = Command::new(python).args(["-c", PSTATS, kept.to_str().unwrap()]).output().unwrap();
    let stats = String::from_utf8(stats.stdout).unwrap();
    let functions = json["functions"].as_array().unwrap();
    assert_eq!(functions.len(), stats.lines().count());
    let ns = |text: &str| (text.parse::<f64>().unwrap() * 1e9).round() as i64;
    for row in stats.lines() {
        let parts: Vec<&str> = row.split('\t').collect();
        let [_, line, calls, primitive, own, total] = parts[..] else { panic!("{row}") };
        let number = |text: &str| text.parse::<u64>().unwrap();
        let found = functions.iter().any(|f| {
            f["calls"] == number(calls)
                && f["primitive_calls"] == number(primitive)
                && f["self"]["time"] == ns(own)
                && f["total"]["time"] == ns(total)
                && (f["line"] == number(line) || f["line"].is_null())
        });
        assert!(found, "{row}");
    }
    let fib = functions.iter().find(|f| f["name"] == "fib").unwrap();
    assert!(fib["calls"].as_u64() > fib["primitive_calls"].as_u64(), "recursion is told apart: {fib}");

    // The output went on, and became log lines without secrets.
    assert!(String::from_utf8_lossy(&out.stdout).contains("hello from __main__ ['--x', 'a b']"));
    let logs = logs(&folder);
    assert!(logs.contains("hello from __main__") && logs.contains("something is odd"), "{logs}");
    assert!(
        logs.contains("[hidden]") && !logs.contains("abcdef0123456789") && !logs.contains("sk-abc"),
        "{logs}"
    );
    assert_eq!(std::fs::read_dir(folder.join("journals")).unwrap().count(), 0);
}

#[test]
fn memory_and_threads_of_all_that_a_command_starts_are_recorded() {
    let Some(python) = python() else { return };
    let folder = folder("tree");
    let child = "x = bytearray(60_000_000); import time; time.sleep(0.8)";
    let script = format!("import subprocess, sys; subprocess.run([sys.executable, '-c', '{child}'])");
    let (out, json) = record(&folder, &["profilers=none"], &[python, "-c", &script]);
    assert!(out.status.success());
    let peak = |name: &str| {
        let series = json["counter_series"].as_array().unwrap();
        series.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no {name}"))["peak"]["value"]
            .as_f64()
    };
    assert!(peak("RSS").unwrap() > 60e6, "{:?}", peak("RSS"));
    if cfg!(target_os = "linux") {
        // Or more, where python3 is a script that looks for the interpreter.
        assert!(peak("Processes") >= Some(2.0));
        assert!(fact(&json, "Processes").contains("at once"), "{}", json["facts"]);
        assert!(json["spans"].as_u64() >= Some(2), "the life of each process: {}", json["spans"]);
    }
}

#[test]
fn failing_and_dying_commands_still_give_a_session_with_what_they_did() {
    let folder = folder("fails");
    if let Some(python) = python() {
        let script = folder.join("boom.py");
        std::fs::write(&script, "def work():\n    return 1\nwork()\nraise ValueError('boom')\n").unwrap();
        let (out, json) = record(&folder, &["profilers=cprofile"], &[python, script.to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(1));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains("ValueError: boom") && !said.contains("profile_run.py"), "{said}");
        assert!(json["functions"].as_array().unwrap().iter().any(|f| f["name"] == "work"));
        assert!(fact(&json, "Ended").contains("failed"));

        let (out, json) =
            record(&folder, &["profilers=cprofile"], &[python, "-c", "import os; os.kill(os.getpid(), 9)"]);
        assert_eq!(out.status.code(), Some(137));
        assert!(fact(&json, "Exit status").contains("SIGKILL"));
        assert!(json["warnings"].to_string().contains("no Python profile"), "{}", json["warnings"]);
    }
    if cfg!(unix) {
        let (out, json) = record(&folder, &[], &["sh", "-c", "echo out; echo ERROR: err >&2; exit 7"]);
        assert_eq!(out.status.code(), Some(7));
        assert_eq!(fact(&json, "Exit status"), "7 (failed)");
        assert_eq!(fact(&json, "Output lines"), "2");
    }
    let nothing = program(&["record", "command", "--quiet", "--", "/no/such/program"]).output().unwrap();
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("could not be started"));
    assert_eq!(nothing.status.code(), Some(127), "as a shell says it");
}

/// A stop asks the command to end, and insists.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_whole_tree_and_keeps_the_recording() {
    let folder = folder("stop");
    let session = folder.join("run.inferscope");
    let journals = folder.join("journals");
    // Ignores what asks it to end, and so does its child.
    let stubborn = "trap '' INT TERM; sleep 60 & echo $! > child; echo ready; while :; do sleep 0.05; done";
    let place = format!("folder={}", folder.display());
    let args = [
        "record",
        "command",
        "--quiet",
        "--journal",
        journals.to_str().unwrap(),
        "--set",
        "grace=0.2",
        "--set",
        &place,
        "-o",
        session.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        stubborn,
    ];
    let mut child = program(&args).stdout(std::process::Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while std::fs::read_to_string(folder.join("child")).unwrap_or_default().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    let sleeper = std::fs::read_to_string(folder.join("child")).unwrap().trim().to_owned();
    std::thread::sleep(Duration::from_millis(300));
    let id = |number: u32| rustix::process::Pid::from_raw(number.cast_signed()).unwrap();
    rustix::process::kill_process(id(child.id()), rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(137), "the command needed SIGKILL");
    let json = report(&session);
    assert_eq!(fact(&json, "Ended by"), "SIGKILL");
    assert!(fact(&json, "Ended").contains("stopped"), "{}", json["facts"]);
    let alive = rustix::process::test_kill_process(id(sleeper.parse().unwrap())).is_ok();
    let zombie = std::fs::read_to_string(format!("/proc/{sleeper}/stat")).is_ok_and(|s| s.contains(") Z "));
    assert!(!alive || zombie, "its child is gone, too");
}

#[test]
fn texts_can_be_left_out() {
    let folder = folder("texts");
    let session = folder.join("run.inferscope");
    let journals = folder.join("journals");
    let args = ["record", "generate", "--quiet", "--no-texts", "--journal", journals.to_str().unwrap()];
    let few = ["--set", "questions=2", "--set", "max_new_tokens=8", "-o", session.to_str().unwrap()];
    let out = program(&[&args[..], &few[..]].concat()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let json = report(&session);
    assert!(!json["requests"].as_array().unwrap().is_empty());
    assert_eq!(fact(&json, "Texts"), "prompts and answers were left out");
    let logs = logs(&folder);
    assert!(!logs.contains("Why is my app slow"), "{logs}");
}

/// Of many lines the first and the last are kept: an error comes last.
#[cfg(unix)]
#[test]
fn the_first_and_the_last_lines_of_the_output_are_kept() {
    let folder = folder("lines");
    let script =
        "i=0; while [ $i -lt 21500 ]; do echo line $i.; i=$((i+1)); done; echo 'ValueError: the reason'";
    let (out, json) = record(&folder, &["echo=false"], &["sh", "-c", script]);
    assert!(out.status.success());
    assert_eq!(fact(&json, "Output lines"), "21501, 1501 of them not kept");
    let logs = logs(&folder);
    let kept = ["line 0.", "line 9999.", "line 11501.", "line 21499.", "ValueError: the reason"];
    for line in kept.iter().chain(&["lines were left out here"]) {
        assert!(logs.contains(line), "{line}");
    }
    assert!(!logs.contains("line 10000.") && !logs.contains("line 11500."));
}

/// Keys, private keys and passwords stay out of titles, facts, output, processes and source texts, and with `--no-texts`
/// what an option says to a model does, too.
#[test]
fn secrets_of_a_program_are_nowhere_in_its_session() {
    use inferscope::import::{Input, open};
    let Some(python) = python() else { return };
    let folder = folder("secrets");
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    let keys =
        ["gsk_aB3dE5fG7hJ9kL2mN4pQ6", "xai-aB3dE5fG7hJ9kL2mN4pQ6", "dapi0123456789abcdef0123456789abcdef"];
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n{body}\n-----END PRIVATE KEY-----");
    let source = format!(
        "KEYS = {keys:?}\nPEM = '''{pem}'''\ndef work():\n    print(PEM)\n    print(*KEYS, sep='\\n')\nwork()\n"
    );
    let script = folder.join("app.py");
    std::fs::write(&script, source).unwrap();
    let (session, journals) = (folder.join("run.inferscope"), folder.join("journals"));
    let args = ["record", "command", "--quiet", "--sources", "--no-texts", "--journal"];
    let command =
        [python, script.to_str().unwrap(), "-p", "hunter2", "--api_key", "swordfish", "--prompt", "my zebra"];
    let places =
        [journals.to_str().unwrap(), "--set", "profilers=cprofile", "-o", session.to_str().unwrap(), "--"];
    let out = program(&[&args[..], &places, &command].concat()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let p = open(&Input::Path(session), &inferscope::jobs::Job::new(), &mut |_| ()).unwrap();
    let texts = p.strings.iter().chain(p.sources.iter().map(|(_, text)| text)).collect::<Vec<_>>().join("\n");
    let all = format!("{texts}\n{}", serde_json::to_string(&p.meta).unwrap());
    for secret in keys.iter().copied().chain([body, "hunter2", "swordfish", "zebra"]) {
        assert!(!all.contains(secret), "{secret}");
    }
    let (_, text) = p.sources.iter().find(|(_, text)| text.contains("def work")).unwrap();
    assert_eq!(
        text.lines().position(|l| l.starts_with("def work")),
        Some(5),
        "lines keep their numbers: {text}"
    );
}

/// Threads and processes that ran beside what the profiler saw are findings of the run.
#[cfg(target_os = "linux")]
#[test]
fn what_a_profiler_cannot_see_is_a_finding() {
    let Some(python) = python() else { return };
    let folder = folder("blind");
    let script = folder.join("app.py");
    let source = "\
import subprocess, sys, threading, time
def work():
    time.sleep(0.5)
threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads]
subprocess.run([sys.executable, '-c', 'import time; time.sleep(0.6)'])
[t.join() for t in threads]
";
    std::fs::write(&script, source).unwrap();
    let kinds = |json: &Value| -> Vec<String> {
        json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["kind"].to_string() + &f["text"].to_string())
            .collect()
    };
    let (_, json) = record(&folder, &["profilers=cprofile"], &[python, script.to_str().unwrap()]);
    let found = kinds(&json);
    let about =
        |what: &str| found.iter().find(|f| f.contains(what)).unwrap_or_else(|| panic!("{found:?}")).clone();
    assert!(about("Threads that the profiler does not see").contains("Up to 4 threads"), "{found:?}");
    assert!(about("Processes that the profiler does not see").contains("time.sleep(0.6)"), "{found:?}");
    let (_, json) = record(&folder, &["profilers=cprofile"], &[python, "-c", "print(1)"]);
    assert_eq!(kinds(&json), [""; 0], "nothing that it could not see");
    let (_, json) = record(&folder, &["profilers=none"], &[python, script.to_str().unwrap()]);
    assert_eq!(kinds(&json), [""; 0], "no profiler, no blind spot");
}

/// What starts profilers around a program.
const WRAPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/python/profile_run.py");

/// A profiler of all threads listens until they have ended, and not to the main one when that has run the program.
#[test]
fn threads_that_outlive_the_main_one_are_profiled_to_their_end() {
    let Some(python) = python() else { return };
    let folder = folder("outlive");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    // Stands for yappi: says what is asked of it, and when.
    let fake = "\
import sys
set_profile = sys.setprofile
def say(*what):
    print(*what, flush=True)
class Stats:
    def save(self, path, type):
        say('save')
        open(path, 'w').write('x')
def set_clock_type(clock):
    pass
def start(builtins):
    say('start')
    set_profile(lambda *_: None)
def stop():
    say('stop')
def get_func_stats():
    return Stats()
";
    write("yappi.py", fake);
    let app = "\
import atexit, sys, threading, time
def work():
    time.sleep(0.3)
    print('thread ends', flush=True)
threading.Thread(target=work).start()
atexit.register(lambda: print('program ends', sys.getprofile(), flush=True))
";
    write("app.py", app);
    std::fs::write(folder.join("command.json"), "[]").unwrap();
    let args = [WRAPPER, folder.to_str().unwrap(), "yappi-wall"];
    let run = Command::new(python)
        .args(args)
        .arg(folder.join("app.py"))
        .env("PYTHONPATH", &folder)
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let said: Vec<&str> = said.lines().collect();
    let expected = ["start", "thread ends", "stop", "save", "program ends None"];
    assert_eq!(said, expected, "{}", String::from_utf8_lossy(&run.stderr));
}

/// cProfile and a second profiler in one run: the first is shown, the other attached, and what cannot be is said.
#[test]
fn a_run_holds_what_several_profilers_measured() {
    let Some(python) = python() else { return };
    let folder = folder("several");
    let script = folder.join("app.py");
    std::fs::write(&script, SCRIPT).unwrap();
    let set = ["profilers=cprofile,pyinstrument,yappi-wall"];
    let (out, json) = record(&folder, &set, &[python, script.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(json["functions"].as_array().unwrap().iter().any(|f| f["name"] == "fib"), "cProfile is shown");
    let warnings = json["warnings"].to_string();
    let attached: Vec<&str> = json["attached"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let said = |name: &str| warnings.contains(&format!("{name} was left out"));
    // At most one of the two runs; which depends on what the interpreter has.
    for (name, file) in [("pyinstrument", "pyinstrument.pyisession"), ("yappi-wall", "yappi-wall.prof")] {
        assert_ne!(attached.contains(&file), said(name), "{name}: {attached:?}, {warnings}");
    }
    let session = folder.join("run.inferscope");
    let Some(&part) = attached.first() else {
        eprintln!("this interpreter has no second profiler that runs beside cProfile: {warnings}");
        return;
    };
    let args = ["report", session.to_str().unwrap(), "--part", part];
    let text = program(&args).output().unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("fib"), "{text:?}");
    let wrong = program(&["report", session.to_str().unwrap(), "--part", "nothing"]).output().unwrap();
    assert!(String::from_utf8_lossy(&wrong.stderr).contains(part), "it says what there is");
}

/// What a profiler wrote is in the journal, so a run that was never saved still has it.
#[test]
fn the_call_profile_is_in_the_journal() {
    let Some(python) = python() else { return };
    let folder = folder("kept");
    let script = folder.join("app.py");
    std::fs::write(&script, SCRIPT).unwrap();
    let journals = folder.join("journals");
    let args = ["record", "command", "--quiet", "--journal", journals.to_str().unwrap()];
    let args = [&args[..], &["--set", "profilers=cprofile", "--", python, script.to_str().unwrap()]].concat();
    assert!(program(&args).output().unwrap().status.success());
    let journal = std::fs::read_dir(&journals).unwrap().next().unwrap().unwrap().path();
    let out = program(&["report", journal.to_str().unwrap(), "--part", "cprofile"]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("fib") && text.contains("Format         Python pstats"), "{text}");
}

/// Runs until somebody makes the file `go`, and at most a minute.
#[cfg(unix)]
const PATIENT: &str = "\
import os, time
def wait():
    for _ in range(3000):
        if os.path.exists('go'):
            return
        time.sleep(0.02)
def work():
    return sum(range(1000))
print('begun')
open('ready', 'w').close()
wait()
work()
";

/// Whoever records may be killed: the program goes on, and what its profiler writes in the end is not lost.
#[cfg(unix)]
#[test]
fn a_python_program_that_outlives_its_recorder_leaves_its_call_profile_beside_the_journal() {
    let Some(python) = python() else { return };
    let folder = folder("outlives");
    std::fs::write(folder.join("app.py"), PATIENT).unwrap();
    let journals = folder.join("journals");
    let dir = journals.to_str().unwrap();
    let place = format!("folder={}", folder.display());
    let args =
        ["record", "command", "--quiet", "--journal", dir, "--set", &place, "--set", "profilers=cprofile"];
    let args = [&args[..], &["--", python, "app.py"]].concat();
    let nothing = std::process::Stdio::null;
    let mut recorder = program(&args).stdout(nothing()).stderr(nothing()).spawn().unwrap();
    let wait = |what: &str, ready: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !ready() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("the program runs", &|| folder.join("ready").exists());
    // Until its log line is in the journal.
    std::thread::sleep(Duration::from_millis(1500));
    recorder.kill().unwrap();
    recorder.wait().unwrap();

    let names = || -> Vec<_> { std::fs::read_dir(&journals).unwrap().map(|e| e.unwrap().path()).collect() };
    let with =
        |ending: &str| names().into_iter().find(|p| p.extension().is_some_and(|e| e == ending)).unwrap();
    let (journal, files) = (with("journal"), with("files"));
    let json = report(&journal);
    assert!(json["warnings"].to_string().contains("still runs"), "{}", json["warnings"]);
    let session = folder.join("early.inferscope");
    let recover = ["recover", "--journal", dir, "-o"];
    let out = program(&[&recover[..], &[session.to_str().unwrap()]].concat()).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("Kept the journal"), "{out:?}");
    assert!(journal.exists() && files.exists());

    std::fs::write(folder.join("go"), "").unwrap();
    wait("the profile", &|| files.join("cprofile.prof").exists());
    let json = report(&journal);
    assert_eq!(json["attached"], serde_json::json!(["cprofile.prof"]), "{json}");
    assert!(
        fact(&json, "Call profile").contains("cprofile.prof") && fact(&json, "Ended").contains("interrupted")
    );
    let session = folder.join("late.inferscope");
    // The lock is released a moment after the profile is there.
    wait("all is brought back", &|| {
        program(&[&recover[..], &[session.to_str().unwrap()]].concat()).output().unwrap();
        names().is_empty()
    });
    let out = program(&["report", session.to_str().unwrap(), "--part", "cprofile"]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("work") && text.contains("wait"), "{text}");
}

/// Whoever reads our output may stall: the program never waits for them, and the recording is saved meanwhile.
#[cfg(unix)]
#[test]
fn a_reader_that_stalls_does_not_stop_the_program() {
    use std::io::Read;
    let folder = folder("stalled");
    let (session, done) = (folder.join("run.inferscope"), folder.join("done"));
    // More than the pipes hold, and more than is kept for a reader.
    for (mib, cut) in [(8, false), (80, true)] {
        let write = format!("head -c {} /dev/zero | tr '\\0' x; touch {}", mib << 20, done.display());
        let args = ["record", "command", "-o", session.to_str().unwrap(), "--", "sh", "-c", &write];
        let mut child = program(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while !done.exists() || !session.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{mib} MiB: nobody reads, and it waits");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut read = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut read).unwrap();
        assert!(child.wait().unwrap().success());
        let passed_on = read.iter().take_while(|b| **b == b'x').count();
        assert_eq!(passed_on < mib << 20, cut, "{passed_on} bytes");
        assert!(passed_on >= (mib << 20).min(60 << 20), "{passed_on} bytes");
        let json = report(&session);
        assert_eq!(json["warnings"].to_string().contains("was not passed on"), cut, "{}", json["warnings"]);
        std::fs::remove_file(&done).unwrap();
        std::fs::remove_file(&session).unwrap();
    }
}

/// `--sources`: a session brings the texts of its source files along, without keys, and only when asked to.
#[test]
fn a_session_carries_source_texts_when_asked_to() {
    let Some(python) = python() else { return };
    let folder = folder("sources");
    let script = folder.join("app.py");
    std::fs::write(&script, format!("KEY = 'sk-abcdefghijklmnop1234'\n{SCRIPT}")).unwrap();
    let journals = folder.join("journals");
    let record = |name: &str, more: &[&str]| {
        let session = folder.join(name);
        let mut args = vec!["record", "command", "--quiet", "--journal", journals.to_str().unwrap()];
        args.extend(more);
        args.extend([
            "--set",
            "profilers=cprofile",
            "-o",
            session.to_str().unwrap(),
            "--",
            python,
            script.to_str().unwrap(),
        ]);
        let out = program(&args).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        session
    };
    let texts = |session: &Path| -> Vec<(String, String)> {
        use inferscope::import::{Input, open};
        let p = open(&Input::Path(session.into()), &inferscope::jobs::Job::new(), &mut |_| ()).unwrap();
        p.sources.iter().map(|(file, text)| (p.text(file).to_owned(), text.to_owned())).collect()
    };
    let own = |session: &Path| texts(session).into_iter().find(|(file, _)| file.ends_with("app.py"));
    let (with, without) = (record("with.inferscope", &["--sources"]), record("without.inferscope", &[]));
    // Converted while the file is there …
    let added = folder.join("added.inferscope");
    let export = |from: &Path, to: &Path, more: &[&str]| {
        let args = [&["export", from.to_str().unwrap(), "-o", to.to_str().unwrap()][..], more].concat();
        program(&args).output().unwrap()
    };
    assert!(export(&without, &added, &["--sources"]).status.success());
    // … and looked at where it is not.
    std::fs::remove_file(&script).unwrap();
    assert_eq!(texts(&without), []);
    for session in [&with, &added] {
        let (_, text) = own(session).unwrap_or_else(|| panic!("{}: {:?}", session.display(), texts(session)));
        assert!(text.contains("def fib(n):") && !text.contains("sk-abc"), "{text}");
    }
    let again = folder.join("again.inferscope");
    assert!(export(&with, &again, &[]).status.success());
    assert!(own(&again).is_some(), "a session that is converted keeps its texts");
    let refused = export(&with, &folder.join("x.speedscope.json"), &["--sources"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("--sources"));
}

/// What the recorder runs is what runs without it: the same output, the same errors, the same end.
#[cfg(unix)]
#[test]
fn a_python_program_does_not_notice_that_it_is_recorded() {
    let all = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"];
    let mut pythons = interpreters(&all);
    pythons.extend(python().map(str::to_owned));
    let folder = folder("unnoticed");
    std::fs::write(folder.join("app.py"), include_str!("../data/python/surroundings.py")).unwrap();
    std::fs::create_dir(folder.join("apart")).unwrap();
    std::fs::write(folder.join("apart/own.py"), include_str!("../data/python/own_profilers.py")).unwrap();
    // Files of the program's own under the names of what the recorder needs.
    for name in ["profile", "json", "signal", "fcntl"] {
        std::fs::write(folder.join(format!("{name}.py")), "mine = True\ndef run(*_): pass\n").unwrap();
    }
    std::fs::create_dir(folder.join("package")).unwrap();
    std::fs::copy(folder.join("app.py"), folder.join("package/__main__.py")).unwrap();
    let run = |words: &[&str], setting: Option<&str>| {
        let recorded = setting.is_some();
        let session = folder.join("run.inferscope");
        let place = format!("folder={}", folder.display());
        let mut all = vec!["record", "command", "--quiet", "--set", &place];
        all.extend(setting.into_iter().flat_map(|setting| ["--set", setting]));
        let journals = folder.join("journals");
        all.extend(["--journal", journals.to_str().unwrap(), "-o", session.to_str().unwrap(), "--"]);
        all.extend(words);
        let mut command = if recorded { program(&all) } else { Command::new(words[0]) };
        if !recorded {
            command.args(&words[1..]);
        }
        let out = command.current_dir(&folder).env("PYTHONUNBUFFERED", "1").output().unwrap();
        let [said, complained] = [out.stdout, out.stderr].map(|o| String::from_utf8_lossy(&o).into_owned());
        let own = if recorded { own_errors(&complained) } else { &complained };
        (out.status.code(), said, own.to_owned())
    };
    for python in &pythons {
        for program in [
            &["app.py", "a", "b c"][..],
            &["./package/../app.py"],
            &["-m", "app", "x"],
            &["package", "y"],
            &["-c", "import app; print(__name__, '__file__' in globals(), __loader__)"],
            &["no such file.py"],
            &["apart/own.py"],
        ] {
            let words = [&[python.as_str()][..], program].concat();
            let plain = run(&words, None);
            // From Python 3.12 on a profiler of the program listens to all threads, ours included.
            let inside = if program[0] == "apart/own.py" { "profilers=auto" } else { "reader=inside" };
            for setting in ["profilers=cprofile", "profilers=auto", inside] {
                assert_eq!(run(&words, Some(setting)), plain, "{words:?}, {setting}");
            }
        }
    }
}

#[test]
fn a_program_that_profiles_itself_is_recorded_but_for_that_part() {
    let Some(python) = python() else { return };
    let folder = folder("itself");
    let script = folder.join("own.py");
    std::fs::write(&script, include_str!("../data/python/own_profilers.py")).unwrap();
    let (out, json) = record(&folder, &["profilers=cprofile"], &[python, script.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("own profile ok True") && out.status.code() == Some(5), "{out:?}");
    assert!(json["warnings"].to_string().contains("profiler of its own"), "{}", json["warnings"]);
    let has = |name: &str| json["functions"].as_array().unwrap().iter().any(|f| f["name"] == name);
    assert!(has("before") && has("after") && !has("inside"), "{}", json["functions"]);
}

/// An interpreter that is too old for a profile runs the program all the same.
#[cfg(unix)]
#[test]
fn old_interpreters_run_without_a_profile() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("old");
    let script = folder.join("app.py");
    std::fs::write(&script, "import sys\nprint('runs %s' % sys.argv[1:])\nsys.exit(3)\n").unwrap();
    let mut pythons = interpreters(&["2.7", "3.5"]);
    if let Some(python) = python() {
        // One that says so only when asked, and one that is so by its name.
        let made = |name: &str, body: &str| {
            let path = folder.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        pythons.push(made("python2.7", &format!("exec {python} \"$@\"")));
        let lie = "import sys; sys.version_info = (3, 4, 9); sys.argv = sys.argv[1:]; exec(open(sys.argv[0]).read())";
        pythons.push(made("python", &format!("exec {python} -c '{lie}' \"$@\"")));
    }
    for python in &pythons {
        let (out, json) =
            record(&folder, &["profilers=cprofile"], &[python, script.to_str().unwrap(), "a b"]);
        assert_eq!(String::from_utf8_lossy(&out.stdout), "runs ['a b']\n", "{python}: {out:?}");
        assert_eq!(out.status.code(), Some(3), "{python}");
        let warnings = json["warnings"].to_string();
        assert!(
            warnings.contains("without a profile") && !warnings.contains("killed"),
            "{python}: {warnings}"
        );
    }
}
