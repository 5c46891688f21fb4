//! The Python package that comes with the program: spans, the command by its module, and the notebook's magic.
//!
//! Without a python3 the tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{file, folder, program, report};

/// Two requests at the same time, a generator that a loop reads, a thread, a failure and a process of its own.
const APP: &str = r#"
import asyncio, multiprocessing, threading, time
from inferscope_profiler import profiled, span

@profiled
def retrieve():
    time.sleep(0.02)

@profiled(name="answer")
async def answer(number):
    with span("think", number=number):
        await asyncio.sleep(0.03)
        retrieve()

@profiled
def tokens():
    for number in range(3):
        time.sleep(0.002)
        yield number

def child():
    with span("child"):
        time.sleep(0.01)

async def both():
    await asyncio.gather(answer(1), answer(2))

if __name__ == "__main__":
    asyncio.run(both())
    for number in tokens():
        with span("use"):
            time.sleep(0.001)
    try:
        with span("wrong"):
            raise ValueError
    except ValueError:
        pass
    thread = threading.Thread(target=retrieve, name="worker")
    thread.start()
    thread.join()
    if "fork" in multiprocessing.get_all_start_methods():
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
"#;

fn python3() -> Option<Command> {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("no python3 here: nothing is checked");
    }
    found.then(|| {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", file("assets/python")).env("PYTHONDONTWRITEBYTECODE", "1");
        python
    })
}

/// The recorded session of the program above.
fn recorded(folder: &Path, profilers: &str) -> PathBuf {
    let (app, session) = (folder.join("app.py"), folder.join("run.inferscope"));
    std::fs::write(&app, APP).unwrap();
    let journals = folder.join("journals").display().to_string();
    let profilers = format!("profilers={profilers}");
    let (app, out) = (app.display().to_string(), session.display().to_string());
    let args = ["record", "command", "--quiet", "--journal", &journals, "--set", &profilers, "-o", &out];
    let mut record = program(&args);
    record.args(["--", "python3", &app]).env("PYTHONPATH", file("assets/python"));
    let done = record.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    session
}

fn calls(json: &Value, name: &str) -> i64 {
    let functions = json["functions"].as_array().unwrap();
    functions.iter().find(|f| f["name"] == name).map_or(0, |f| f["calls"].as_i64().unwrap())
}

fn self_ms(json: &Value, name: &str) -> f64 {
    let functions = json["functions"].as_array().unwrap();
    let found = functions.iter().find(|f| f["name"] == name).unwrap();
    found["self"]["time"].as_i64().unwrap() as f64 / 1e6
}

#[test]
fn spans_of_a_python_program_lie_on_the_clock_of_its_recording() {
    if python3().is_none() {
        return;
    }
    let folder = folder("python-spans");
    let json = report(&recorded(&folder, "none"));
    let seen = ["answer", "think", "retrieve", "tokens", "use", "wrong"].map(|name| calls(&json, name));
    // A generator runs once more than it yields.
    assert_eq!(seen, [2, 2, 3, 4, 3, 1]);
    // Requests at the same time are no parts of each other, nor is a loop part of the generator that it reads.
    let [answer, think] = ["answer", "think"].map(|name| self_ms(&json, name));
    assert!(think > 55.0 && answer < think, "{answer} {think}");
    if cfg!(unix) {
        assert_eq!(calls(&json, "child"), 1);
    }
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(0), "{}", json["warnings"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn beside_a_call_profile_spans_are_files_of_their_own() {
    if python3().is_none() {
        return;
    }
    let folder = folder("python-attached");
    let session = recorded(&folder, "cprofile");
    let json = report(&session);
    assert!(calls(&json, "child") == 0 && json["basis"] == "aggregated", "{}", json["basis"]);
    let facts = json["facts"].to_string();
    let at = facts.find("spans-").expect("the file is named");
    let name: String = facts[at..].chars().take_while(|c| !matches!(c, ',' | ')')).collect();
    let part = crate::support::stdout(&["report", "--json", &session.to_string_lossy(), "--part", &name]);
    let part: Value = serde_json::from_str(&part).unwrap();
    assert_eq!(calls(&part, "think"), 2, "{part}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// What a decorated program does without a recording: nothing more than before.
#[test]
fn nothing_is_decorated_while_nothing_records() {
    let Some(mut python) = python3() else { return };
    let text = "from inferscope_profiler import profiled, span\n\
        def f(): pass\n\
        assert profiled(f) is f and profiled(name='x')(f) is f\n\
        assert span('a') is span('b', n=1)\n\
        with span('a'): pass\n";
    let out = python.args(["-c", text]).env_remove("INFERSCOPE_SPANS").output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// The package as an installer lays it out: the program in `bin`, four levels above it or beside it.
fn installed(prefix: &Path, site: &str) -> PathBuf {
    let (site, bin) = (prefix.join(site), prefix.join("bin"));
    let package = site.join("inferscope_profiler");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::create_dir_all(&bin).unwrap();
    for entry in std::fs::read_dir(file("assets/python/inferscope_profiler")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, package.join(path.file_name().unwrap())).unwrap();
        }
    }
    for (name, program) in [
        ("inferscope", env!("CARGO_BIN_EXE_inferscope")),
        ("inferscope-profiler", env!("CARGO_BIN_EXE_inferscope-profiler")),
    ] {
        // A link would lead the second one away from its neighbour.
        if std::fs::hard_link(program, bin.join(name)).is_err() {
            std::fs::copy(program, bin.join(name)).unwrap();
        }
    }
    site
}

fn said(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[cfg(unix)]
#[test]
fn the_module_and_the_second_name_run_the_program() {
    let Some(_) = python3() else { return };
    let folder = folder("python-installed");
    let version = format!("inferscope {}\n", env!("CARGO_PKG_VERSION"));
    for (prefix, site) in [("prefix", "lib/python3.11/site-packages"), ("target", ".")] {
        let prefix = folder.join(prefix);
        let site = installed(&prefix, site);
        let mut python = Command::new("python3");
        python.args(["-m", "inferscope_profiler", "--version"]).env("PYTHONPATH", &site);
        assert_eq!(said(&python.output().unwrap()), version);
        let alias = Command::new(prefix.join("bin/inferscope-profiler")).arg("--version").output().unwrap();
        assert_eq!(said(&alias), version);
    }
    let mut python = python3().unwrap();
    let out = python.args(["-m", "inferscope_profiler", "--version"]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && text.contains("not where installers put it"), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn a_cell_of_a_notebook_is_profiled_and_reported() {
    let Some(mut python) = python3() else { return };
    if !python.args(["-c", "import IPython"]).output().unwrap().status.success() {
        eprintln!("no IPython here: nothing is checked");
        return;
    }
    let folder = folder("python-notebook");
    let site = installed(&folder.join("prefix"), "lib/python3.11/site-packages");
    let profile = folder.join("cell.prof");
    let cell = format!(
        "from IPython.core.interactiveshell import InteractiveShell\n\
         shell = InteractiveShell.instance()\n\
         shell.run_line_magic('load_ext', 'inferscope_profiler')\n\
         done = shell.run_cell('%%inferscope -o {} --top 3\\ndef slow():\\n    return sum(range(9))\\nx = slow()')\n\
         assert done.success and shell.user_ns['x'] == 36\n",
        profile.display()
    );
    let out =
        Command::new("python3").args(["-c", &cell]).env("PYTHONPATH", &site).env("HOME", &folder).output();
    let text = said(&out.unwrap());
    assert!(text.contains("Python pstats") && text.contains("slow"), "{text}");
    assert_eq!(calls(&report(&profile), "slow"), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

/// A profiler that writes a trace as torch's does, for two ranks of one job and two windows of one of them.
#[cfg(all(unix, feature = "fleet"))]
const WINDOWS: &str = r#"
import gzip, os, sys
from inferscope_profiler import fleet

class Profiler:
    def export_chrome_trace(self, path):
        event = '{"ph": "X", "name": "ProfilerStep#%d", "cat": "user_annotation", "pid": 1, "tid": 1, "ts": %d, "dur": 90}'
        events = ", ".join(event % (step, 100 * step) for step in range(1, 4))
        with gzip.open(path, "wt") as file:
            file.write('{"schemaVersion": 1, "traceEvents": [%s]}' % events)

for rank in "0", "1":
    os.environ["RANK"] = rank
    ready = fleet(sys.argv[1], folder=sys.argv[2], labels={"commit": "a1"})
    ready(Profiler())
ready(Profiler())
fleet("/dev/null/nowhere")(Profiler())
"#;

#[cfg(all(unix, feature = "fleet"))]
#[test]
fn torchs_profiler_hands_each_trace_to_a_dataset() {
    let Some(_) = python3() else { return };
    let folder = folder("python-fleet");
    let site = installed(&folder.join("prefix"), "lib/python3.11/site-packages");
    let (tables, traces) =
        (folder.join("train").display().to_string(), folder.join("traces").display().to_string());
    let out = Command::new("python3")
        .args(["-c", WINDOWS, &tables, &traces])
        .env("PYTHONPATH", &site)
        .output()
        .unwrap();
    said(&out);
    let wrong = String::from_utf8_lossy(&out.stderr);
    assert_eq!(wrong.lines().count(), 1, "what fails is said and training goes on: {wrong}");
    assert!(wrong.contains("was not added to /dev/null/nowhere"), "{wrong}");
    let jobs =
        program(&["fleet", "ask", &tables, "--question", "jobs", "--where", "commit=a1"]).output().unwrap();
    let jobs = said(&jobs);
    assert!(jobs.contains("train: 2 ranks") && jobs.contains("train-2: 1 run"), "{jobs}");
    std::fs::remove_dir_all(folder).unwrap();
}
