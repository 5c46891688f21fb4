//! Stacks in time of Python programs that `record command` runs and that `record attach` looks at.
//!
//! Interpreters are those of pyenv; what is not here is said and not checked.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use inferscope::import::{Input, open_whole};
use inferscope::jobs::Job;
use inferscope::model::{Profile, Track, TrackId, TrackKind};

use crate::support::{folder, interpreters, program, python};

const VERSIONS: [&str; 6] = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"];

fn record(folder: &Path, set: &[&str], command: &[&str]) -> (Output, Profile) {
    let (out, session) = run(folder, &["command"], set, command);
    assert!(session.exists(), "{}", String::from_utf8_lossy(&out.stderr));
    (out, open_whole(&Input::Path(session), &Job::new()).unwrap())
}

fn run(folder: &Path, what: &[&str], set: &[&str], command: &[&str]) -> (Output, PathBuf) {
    let session = folder.join("run.inferscope");
    let _ = std::fs::remove_file(&session);
    let mut args = vec!["record"];
    args.extend(what);
    let (journals, file) = (folder.join("journals"), session.display().to_string());
    let journals = journals.display().to_string();
    args.extend(["--quiet", "--journal", &journals, "-o", &file]);
    args.extend(set.iter().flat_map(|s| ["--set", *s]));
    if !command.is_empty() {
        args.push("--");
        args.extend(command);
    }
    (program(&args).current_dir(folder).output().unwrap(), session)
}

/// Whether this system lets us look into processes that we have not started with the recorder.
fn may_attach() -> bool {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let may = matches!(scope.trim(), "" | "0") || rustix::process::geteuid().is_root();
    if !may {
        eprintln!("kernel.yama.ptrace_scope forbids it: attaching is not checked");
    }
    may
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// ns of a track's samples that have a function, of a metric.
fn spent(p: &Profile, track: &Track, function: &str, metric: &str) -> i64 {
    let Some(metric) = p.metric_by_key(metric) else { return 0 };
    let Some((_, weights)) = track.samples.weights.iter().find(|w| w.0 == metric) else { return 0 };
    let has = |i: &usize| {
        let stack = track.samples.stacks[*i].map(|s| p.stack_functions(s)).unwrap_or_default();
        stack.iter().any(|f| p.function_name(*f).rsplit('.').next() == Some(function))
    };
    (0..track.samples.len()).filter(has).filter_map(|i| weights.get(i)).sum()
}

fn warnings(p: &Profile) -> String {
    p.warnings.iter().map(|w| format!("{}: {}\n", w.kind, w.first)).collect()
}

fn sampled(p: &Profile) -> Vec<TrackId> {
    p.track_ids().filter(|id| !p.track(*id).samples.is_empty()).collect()
}

const THREADS: &str = "\
import subprocess, sys, threading, time
def burn(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(200))
def rest():
    time.sleep(1.7)
if len(sys.argv) > 1:
    burn(1.2)
    sys.exit(0)
threading.Thread(target=rest, name='idler').start()
child = subprocess.Popen([sys.executable, __file__, 'child'])
burn(1.6)
child.wait()
print('active', threading.active_count() <= 2)
sys.exit(7)
";

#[test]
fn every_thread_of_a_program_and_its_children_has_stacks_in_time() {
    let folder = folder("stacks-threads");
    let script = write(&folder, "threads.py", THREADS);
    for python in interpreters(&VERSIONS) {
        for reader in ["outside", "inside"] {
            let set = [&format!("reader={reader}")[..], "profilers=stacks"];
            let (out, p) = record(&folder, &set, &[&python, "-W", "error", &script]);
            assert_eq!(out.status.code(), Some(7), "{python}, {reader}: {out:?}");
            assert_eq!(String::from_utf8_lossy(&out.stdout), "active True\n", "{python}, {reader}");
            assert_eq!(p.meta.basis.key(), "sampled", "{python}, {reader}: {}", warnings(&p));
            let tracks = sampled(&p);
            let named = |name: &str| {
                let of = |id: &&TrackId| p.text(p.track(**id).name) == name;
                tracks.iter().filter(of).map(|id| p.track(*id)).collect::<Vec<_>>()
            };
            let mains = named("MainThread");
            assert_eq!(mains.len(), 2, "{python}, {reader}: the program and its child: {}", warnings(&p));
            let mut processes: Vec<&str> = mains.iter().map(|t| p.text(t.process)).collect();
            processes.sort_unstable();
            processes.dedup();
            assert!(
                processes.len() == 2 && processes.iter().all(|n| n.starts_with("threads.py (")),
                "{processes:?}"
            );
            let burnt: i64 = mains.iter().map(|t| spent(&p, t, "burn", "time")).sum();
            assert!((600_000_000..3_500_000_000).contains(&burnt), "{python}, {reader}: {burnt}");
            let ran: i64 = mains.iter().map(|t| spent(&p, t, "burn", "running")).sum();
            assert!(ran * 5 > burnt, "{python}, {reader}: of {burnt} ns {ran} ran");
            // The other thread waits, and views know it.
            let idler = named("idler");
            assert_eq!(idler.len(), 1, "{python}, {reader}");
            let waits = spent(&p, idler[0], "(waits)", "time");
            assert!(waits > 200_000_000, "{python}, {reader}: {waits}");
            assert!(spent(&p, idler[0], "rest", "running") < waits, "{python}, {reader}");
            if reader == "outside" {
                let gil: i64 = mains.iter().map(|t| spent(&p, t, "burn", "gil")).sum();
                assert!(gil > burnt / 10, "{python}: {gil} of {burnt}");
            }
            let begins = 1 + THREADS.lines().position(|line| line.starts_with("def burn")).unwrap() as u32;
            let burns = p.functions.rows().iter().filter(|f| p.text(f.name) == "burn").map(|f| f.line);
            assert!(
                burns.clone().any(|line| line == begins),
                "{python}, {reader}: {:?}",
                burns.collect::<Vec<_>>()
            );
            let all: Vec<String> = p.functions.rows().iter().map(|f| p.text(f.file).to_owned()).collect();
            assert!(
                !all.iter().any(|f| f.ends_with("profile_run.py") || f.contains("inferscope _")),
                "{all:?}"
            );
        }
    }
}

const LOOP: &str = "\
import asyncio, time
def grind(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(300))
def mill(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(300))
async def heavy():
    for _ in range(8):
        grind(0.05)
        await asyncio.sleep(0.01)
async def light():
    for _ in range(8):
        mill(0.03)
        await asyncio.sleep(0.02)
async def main():
    await asyncio.gather(heavy(), light())
    await asyncio.sleep(0.2)
asyncio.run(main())
";

#[test]
fn samples_of_a_loop_lie_under_the_task_that_ran() {
    let folder = folder("stacks-tasks");
    let script = write(&folder, "loop.py", LOOP);
    for python in interpreters(&VERSIONS) {
        for reader in ["outside", "inside"] {
            let (out, p) = record(&folder, &[&format!("reader={reader}")], &[&python, &script]);
            assert!(out.status.success() && out.stdout.is_empty(), "{python}: {out:?}");
            let task = |name: &str| {
                let is = |id: &TrackId| {
                    p.track(*id).kind == TrackKind::Task && p.text(p.track(*id).name).starts_with(name)
                };
                p.track_ids().find(is).map(|id| p.track(id)).unwrap_or_else(|| panic!("no {name}, {python}"))
            };
            for (own, function, other) in [("heavy", "grind", "mill"), ("light", "mill", "grind")] {
                let track = task(own);
                let seen = spent(&p, track, function, "time");
                // By the clock the function runs 400 or 240 ms; on a busy machine looks fail.
                let least = if own == "heavy" { 100_000_000 } else { 60_000_000 };
                assert!(
                    seen > least,
                    "{function} below {own}: {seen} ns, {python}, {reader}: {}",
                    warnings(&p)
                );
                // A stack that changed while it was read may be of two moments, as the guide says: on a busy machine one is.
                let torn = spent(&p, track, other, "time");
                assert!(torn < 25_000_000, "{other} below {own}: {torn} ns, {python}, {reader}");
                // Each lies on a span of the coroutine, and what is a span is no frame once more.
                let mut odd = Vec::new();
                for i in 0..track.samples.len() {
                    let Some(stack) = track.samples.stacks[i] else { continue };
                    let (start, end) = track.samples.interval(i).unwrap();
                    let span = track.spans.innermost_at(start.midpoint(end));
                    let span = span.map(|row| p.function_name(track.spans.rows[row as usize].function));
                    // Now and then a look falls on the moment in which the coroutine goes to sleep.
                    let is_below = span.is_some_and(|span| [own, "sleep"].contains(&span));
                    let path = p.stack_functions(stack);
                    let outermost = p.function_name(path[0]);
                    if !is_below || ![function, "sleep"].contains(&outermost) {
                        odd.push(format!("{outermost} on {span:?} at {start}..{end}"));
                    }
                }
                assert!(odd.len() <= 1, "{odd:?}, {python}, {reader}");
            }
            // The thread has what was outside of tasks, among it that the loop waited.
            let thread = sampled(&p).into_iter().map(|id| p.track(id));
            let thread = thread.into_iter().find(|t| p.text(t.name).starts_with("MainThread")).unwrap();
            assert!(spent(&p, thread, "(waits)", "time") > 20_000_000, "{python}, {reader}");
            assert_eq!(spent(&p, thread, "grind", "time"), 0, "{python}, {reader}");
        }
    }
}

const SERVICE: &str = "\
import signal, sys, time
def serve():
    end = time.perf_counter() + 60
    while time.perf_counter() < end and not ended:
        sum(range(300))
ended = []
signal.signal(signal.SIGUSR1, lambda *_: ended.append(True))
print('ready', flush=True)
serve()
print('bye', flush=True)
sys.exit(5)
";

#[test]
fn a_running_program_is_looked_at_and_goes_on_unharmed() {
    if !may_attach() {
        return;
    }
    let folder = folder("stacks-attach");
    let script = write(&folder, "service.py", SERVICE);
    for python in interpreters(&VERSIONS) {
        let mut child = Command::new(&python).arg(&script).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let pid = child.id().to_string();
        let (out, session) = run(&folder, &["attach", &pid, "-d", "3"], &[], &[]);
        assert!(out.status.success(), "{python}: {}", String::from_utf8_lossy(&out.stderr));
        let p = open_whole(&Input::Path(session), &Job::new()).unwrap();
        let track = p.track(sampled(&p)[0]);
        let seen = spent(&p, track, "serve", "time");
        assert!((300_000_000..6_000_000_000).contains(&seen), "{python}: {seen}");
        assert!(p.counters.iter().any(|c| p.text(c.name) == "RSS"), "memory lies beside it");
        assert!(p.meta.title.contains("service.py"), "{}", p.meta.title);
        let id = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::USR1).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "bye");
        assert_eq!(child.wait().unwrap().code(), Some(5), "{python}: it ends as ever");
    }
}

#[test]
fn what_cannot_be_looked_at_is_one_line_that_says_why() {
    if !may_attach() {
        return;
    }
    let folder = folder("stacks-refused");
    let said = |pid: &str| {
        let (out, session) = run(&folder, &["attach", pid, "-d", "0.2"], &[], &[]);
        assert!(!out.status.success() && !session.exists(), "{out:?}");
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    let mut sleeper = Command::new("sleep").arg("30").spawn().unwrap();
    assert!(said(&sleeper.id().to_string()).contains("is no Python but"));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(said("2147483600").contains("there is no process 2147483600"));
    assert!(said("python").contains("is no number of a process"));
    let out = program(&["record", "attach"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("record attach PID"));
    let out = program(&["record", "command", "7", "--", "true"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("«7» is too much"));
}

/// Stands for torch: the part of its interface that a program and our module use.
const TORCH: &str = "\
import json, os, time
class _Activity:
    CPU, CUDA = 'cpu', 'cuda'
class _Autograd:
    pass
class _Kineto:
    on = None
    def _prepare_trace(self):
        if _Kineto.on is not None:
            raise RuntimeError('Profiler is already enabled')
        _Kineto.on = self
    def _stop(self):
        _Kineto.on = None
class _Profile:
    def __init__(self, activities, record_shapes, profile_memory, with_stack):
        self.options = [record_shapes, profile_memory, with_stack]
    def start(self):
        self.inner = _Kineto()
        self.inner._prepare_trace()
        self.began = time.time_ns()
    def stop(self):
        self.inner._stop()
        self.ended = time.time_ns()
    def export_chrome_trace(self, path):
        us = (self.ended - self.began) / 1000
        args = {'options': str(self.options)}
        event = {'ph': 'X', 'cat': 'cpu_op', 'name': 'aten::mm', 'pid': os.getpid(), 'tid': os.getpid(), 'ts': 0, 'dur': us, 'args': args}
        json.dump({'schemaVersion': 1, 'baseTimeNanoseconds': self.began, 'traceEvents': [event]}, open(path, 'w'))
class profiler:
    ProfilerActivity, profile = _Activity, _Profile
class autograd:
    class profiler:
        profile = _Kineto
";

#[test]
fn torch_profiler_runs_around_a_program_and_gives_way_to_its_own() {
    let Some(python) = python() else { return };
    let folder = folder("stacks-torch");
    write(&folder, "torch.py", TORCH);
    let script = write(
        &folder,
        "app.py",
        "import sys, time, torch\n\
         end = time.perf_counter() + 0.8\n\
         while time.perf_counter() < end: sum(range(100))\n\
         if 'own' in sys.argv:\n\
         \x20   own = torch.profiler.profile([], False, False, False)\n\
         \x20   own.start(); own.stop(); print('own')\n\
         sys.exit(3)\n",
    );
    let set = ["profilers=torch", "torch=shapes,memory", "torch_seconds=0.3"];
    let (out, p) = record(&folder, &set, &[python, &script]);
    assert_eq!(out.status.code(), Some(3), "{out:?}");
    let tracks = p.track_ids().map(|id| p.track(id));
    let ops: Vec<_> =
        tracks.flat_map(|t| &t.spans.rows).filter(|s| p.function_name(s.function) == "aten::mm").collect();
    assert!((2..=4).contains(&ops.len()), "a trace every 0.3 s: {}, {}", ops.len(), warnings(&p));
    let whole: i64 = ops.iter().map(|s| s.end - s.start).sum();
    assert!((500_000_000..1_500_000_000).contains(&whole), "{whole}");
    assert!(ops.iter().all(|s| s.start > 0 && s.end <= p.meta.duration.unwrap()), "on the recording's clock");
    let options = p.inline_args(ops[0].args);
    assert!(format!("{options:?}").contains("True, True, False") || options.is_empty(), "{options:?}");
    assert!(p.meta.fact("Not recorded by torch.profiler").is_some(), "{:?}", p.meta.facts);

    let (out, p) = record(&folder, &["profilers=torch"], &[python, &script, "own"]);
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stdout).trim()), (Some(3), "own"), "{out:?}");
    assert!(warnings(&p).contains("left to the program"), "{}", warnings(&p));

    let (out, p) = record(&folder, &["profilers=torch"], &[python, "-c", "print(1)"]);
    assert!(out.status.success());
    let fact = p.meta.fact("torch.profiler").map(inferscope::format::fact);
    assert!(fact.is_some_and(|f| f.contains("no trace")), "{:?}", p.meta.facts);
}
