//! Asyncio programs that `record command` runs: their tasks as spans, and programs that do not notice.
//!
//! Interpreters are those of pyenv and `python3`; what is not here is said and not checked.

#![cfg(unix)]

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use inferscope::import::{Input, open_whole};
use inferscope::jobs::Job;
use inferscope::model::{ArgsPlace, NO_ROW, Profile, SpanStatus, TrackId, TrackKind, Value};

use crate::support::{file, folder, interpreters, own_errors, program, report};

const VERSIONS: [&str; 7] = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"];

/// One interpreter for each way in which tasks are recorded.
fn two_ways() -> Vec<String> {
    let first = |versions: &[&str]| interpreters(versions).into_iter().next();
    first(&["3.12", "3.13", "3.14"]).into_iter().chain(first(&["3.8", "3.9", "3.10", "3.11"])).collect()
}

fn program_file(name: &str) -> String {
    file("tests/data/python/asyncio").join(name).display().to_string()
}

/// Records a program with these settings and variables; what the recorder itself said is left out of its errors.
fn record_with(folder: &Path, set: &[&str], debug: &str, command: &[&str]) -> (Output, PathBuf) {
    let session = folder.join("run.inferscope");
    let journals = folder.join("journals").display().to_string();
    let out = session.display().to_string();
    let mut all = vec!["record", "command", "--quiet", "--journal", &journals, "-o", &out];
    all.extend(set.iter().flat_map(|s| ["--set", *s]));
    all.push("--");
    all.extend(command);
    let _ = std::fs::remove_file(&session);
    let mut record = program(&all);
    record.current_dir(folder).env("PYTHONUNBUFFERED", "1").env("PYTHONASYNCIODEBUG", debug);
    let mut out = record.output().unwrap();
    let complained = String::from_utf8_lossy(&out.stderr).into_owned();
    out.stderr = own_errors(&complained).as_bytes().to_vec();
    (out, session)
}

fn record(folder: &Path, command: &[&str]) -> (Output, PathBuf) {
    record_with(folder, &[], "", command)
}

fn open(session: &Path) -> Profile {
    open_whole(&Input::Path(session.to_owned()), &Job::new()).unwrap()
}

fn tasks(p: &Profile) -> impl Iterator<Item = TrackId> + '_ {
    p.track_ids().filter(|id| p.track(*id).kind == TrackKind::Task)
}

/// Last part of a function's name.
fn name(p: &Profile, track: TrackId, row: u32) -> &str {
    let function = p.track(track).spans.rows[row as usize].function;
    p.function_name(function).rsplit('.').next().unwrap_or_default()
}

fn detail(p: &Profile, track: TrackId, row: u32, key: &str) -> String {
    let ArgsPlace::Inline(set) = p.track(track).spans.rows[row as usize].args.place() else {
        return String::new();
    };
    let found = p.attributes.get(set).iter().find(|(k, _)| p.text(*k) == key);
    match found {
        Some((_, Value::Text(text))) => p.text(*text).to_owned(),
        _ => String::new(),
    }
}

/// Calls, wall and busy time of all coroutines, by the last part of their names.
fn totals(p: &Profile) -> HashMap<String, [i64; 3]> {
    let mut totals: HashMap<String, [i64; 3]> = HashMap::new();
    let busy = p.metric_by_key("busy").unwrap();
    for track in tasks(p) {
        let spans = &p.track(track).spans;
        let costs = spans.costs.iter().find(|(m, _)| *m == busy).map(|(_, c)| c);
        for (row, span) in (0u32..).zip(&spans.rows) {
            let total = totals.entry(name(p, track, row).to_owned()).or_default();
            total[0] += 1;
            total[1] += span.end - span.start;
            total[2] += costs.and_then(|c| c.get(row as usize)).copied().unwrap_or(0);
        }
    }
    totals
}

/// What the program measured itself.
fn truth(out: &Output) -> HashMap<String, [i64; 3]> {
    let text = String::from_utf8_lossy(&out.stdout);
    let line = text.lines().find_map(|l| l.strip_prefix("TRUTH "));
    let line = line.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&out.stderr)));
    serde_json::from_str(line).unwrap()
}

/// Every task's coroutine and how it ended.
fn states(p: &Profile) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for track in tasks(p) {
        for (row, span) in (0u32..).zip(&p.track(track).spans.rows) {
            let state = detail(p, track, row, "state");
            if span.parent == NO_ROW && !state.is_empty() {
                found.push((name(p, track, row).to_owned(), state));
            }
        }
    }
    found.sort();
    found
}

/// Held by tests that start dozens of programs: what one of them measures is not to be the other's load.
static BUSY: Mutex<()> = Mutex::new(());

#[test]
fn coroutines_have_the_calls_and_times_that_the_program_measured() {
    let _alone = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = folder("asyncio-exact");
    for python in interpreters(&VERSIONS) {
        for program in ["pipeline", "fanout", "queues", "failing", "streams", "threads"] {
            let script = program_file(&format!("{program}.py"));
            let mut off: Option<Vec<String>> = None;
            // The machine has other work: who is late in one run must be so in all.
            for _ in 0..5 {
                // Sampling of stacks takes a part of a core, which a small machine does not have to spare.
                let (out, session) = record_with(&folder, &["hz=1"], "", &[&python, &script]);
                assert!(out.status.success() && out.stderr.is_empty(), "{python} {program}: {out:?}");
                let truth = truth(&out);
                let found = totals(&open(&session));
                let wrong = truth.iter().filter_map(|(name, &[calls, wall, busy])| {
                    let short = name.rsplit('.').next().unwrap_or(name);
                    let [got_calls, got_wall, got_busy] = found.get(short).copied().unwrap_or_default();
                    assert_eq!(got_calls, calls, "calls of {name} in {program}, {python}");
                    let few = calls.min(10);
                    let wall_fits = (got_wall - wall).abs() <= (wall / 50).max(500_000 * few);
                    let over = got_busy - busy;
                    let busy_fits = name == "main"
                        || (-100_000 * calls..=(wall / 50).max(1_000_000 * few)).contains(&over);
                    (!wall_fits || !busy_fits).then(|| name.clone())
                });
                let wrong: Vec<String> = wrong.collect();
                let always = |old: Vec<String>| old.into_iter().filter(|n| wrong.contains(n)).collect();
                let still: Vec<String> = off.take().map_or(wrong.clone(), always);
                let done = still.is_empty();
                off = Some(still);
                if done {
                    break;
                }
            }
            assert_eq!(off.unwrap_or_default(), Vec::<String>::new(), "times in {program}, {python}");
        }
    }
}

#[test]
fn tasks_end_as_they_did_and_know_who_made_and_who_woke_them() {
    let folder = folder("asyncio-states");
    for python in two_ways() {
        let failing = open(&record(&folder, &[&python, &program_file("failing.py")]).1);
        let of = |wanted: &str| {
            let found = states(&failing).into_iter().filter(|s| s.0 == wanted).map(|s| s.1);
            found.collect::<Vec<_>>().join(" ")
        };
        for (coroutine, state) in
            [("lagging", "cancelled"), ("impatient", "cancelled"), ("save", "returned"), ("broken", "failed")]
        {
            assert_eq!(of(coroutine), state, "{coroutine}, {python}");
        }
        let errors = |wanted: &str| {
            let mut found = Vec::new();
            for track in tasks(&failing) {
                for (row, span) in (0u32..).zip(&failing.track(track).spans.rows) {
                    if name(&failing, track, row) == wanted {
                        found.push((span.status, detail(&failing, track, row, "error")));
                    }
                }
            }
            found
        };
        let value = || (SpanStatus::Error, "ValueError".to_owned());
        assert_eq!(errors("flaky"), [value(), value(), (SpanStatus::Ok, String::new())], "{python}");
        assert_eq!(errors("broken"), [(SpanStatus::Error, "KeyError".to_owned())], "{python}");

        let fanout = open(&record(&folder, &[&python, &program_file("fanout.py")]).1);
        let named = fanout.track_ids().map(|t| fanout.track_label(t)).find(|l| l.starts_with("first"));
        assert_eq!(named.as_deref(), Some("first (embed)"), "{python}");
        let roots: Vec<TrackId> =
            tasks(&fanout).filter(|t| name(&fanout, *t, root(&fanout, *t)) == "embed").collect();
        assert_eq!(roots.len(), 5, "{python}");
        for &track in &roots {
            let (parent, row) = fanout.track(track).spans.caller(root(&fanout, track)).unwrap();
            assert_eq!(name(&fanout, parent, row), "search", "who made it, {python}");
        }
        let waits = |track: &TrackId| {
            let mut rows = 0..fanout.track(*track).spans.rows.len() as u32;
            let acquire = rows.find(|&row| {
                name(&fanout, *track, row) == "acquire"
                    && !detail(&fanout, *track, row, "woken by").is_empty()
            });
            acquire.map(|row| detail(&fanout, *track, row, "woken by"))
        };
        let woken: Vec<String> = roots.iter().filter_map(waits).collect();
        assert!(woken.len() == 3 && woken.iter().all(|w| w.contains("embed")), "{woken:?}, {python}");
        let arrows = |from: &str, to: &str| {
            let coroutine = |t: TrackId| name(&fanout, t, root(&fanout, t)).to_owned();
            fanout.links.iter().filter(|l| coroutine(l.from.0) == from && coroutine(l.to.0) == to).count()
        };
        assert!(arrows("embed", "embed") >= 3 && arrows("embed", "search") == 1, "{python}");
        assert_eq!(arrows("search", "main"), 1, "{python}");
    }
}

/// Eager tasks, loops that are not asyncio's own, one within another, and what passes for a coroutine.
#[test]
fn tasks_of_unusual_kinds_are_recorded_with_their_ends() {
    let folder = folder("asyncio-unusual");
    for python in two_ways() {
        let (out, session) = record(&folder, &[&python, &program_file("unusual.py")]);
        assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        let is_eager = String::from_utf8_lossy(&out.stdout).lines().count() == 3;
        let p = open(&session);
        let of = |wanted: &str| {
            let mut found = Vec::new();
            for track in tasks(&p).filter(|t| p.track_label(*t).starts_with(wanted)) {
                let rows = 0..p.track(track).spans.rows.len() as u32;
                found.extend(rows.map(|row| detail(&p, track, row, "state")).find(|state| !state.is_empty()));
            }
            found.sort();
            found.join(" ")
        };
        assert_eq!(of("passes"), "cancelled failed returned", "{python}");
        assert_eq!(of("nested"), "returned", "{python}");
        let eager = if is_eager { "cancelled failed returned returned returned" } else { "" };
        assert_eq!(of("eager"), eager, "{python}");
        assert_eq!(
            tasks(&p).count(),
            if is_eager { 11 } else { 6 },
            "main, and what the loop within ran, {python}"
        );
        let within = tasks(&p).find(|t| p.track_label(*t).starts_with("nested")).unwrap();
        let rows = 0..p.track(within).spans.rows.len() as u32;
        let names: Vec<&str> = rows.map(|row| name(&p, within, row)).collect();
        assert!(names.contains(&"within") && !names.contains(&"inner"), "{names:?}, {python}");
    }
}

/// Also where nobody compiles the program anew for it.
#[test]
fn tasks_that_never_wait_are_recorded_whoever_starts_the_program() {
    let folder = folder("asyncio-quick");
    let script = folder.join("app.py");
    let text = "\
import asyncio
async def quick(n): return n
async def main():
    for n in range(6): await asyncio.create_task(quick(n))
asyncio.run(main())
";
    std::fs::write(&script, text).unwrap();
    for python in two_ways() {
        for before in [&[][..], &["env"]] {
            let command = [before, &[&python, script.to_str().unwrap()]].concat();
            let p = open(&record(&folder, &command).1);
            let ended = states(&p);
            let quick = ended.iter().filter(|(name, state)| name == "quick" && state == "returned").count();
            assert_eq!((quick, ended.len()), (6, 7), "{ended:?}, {command:?}");
            assert_eq!(totals(&p)["quick"][0], 6, "{command:?}");
        }
    }
}

/// The outermost coroutine of a task's track.
fn root(p: &Profile, track: TrackId) -> u32 {
    let mut rows = 0..p.track(track).spans.rows.len() as u32;
    rows.find(|&row| !detail(p, track, row, "task").is_empty()).unwrap_or(0)
}

#[test]
fn a_held_loop_and_jobs_of_threads_are_told() {
    let folder = folder("asyncio-threads");
    for python in two_ways() {
        let p = open(&record(&folder, &[&python, &program_file("threads.py")]).1);
        let held: Vec<&str> = p.findings.iter().map(|f| p.text(f.text)).collect();
        assert!(
            held.iter().any(|t| t.starts_with("embed held the event loop of MainThread for")),
            "{held:?}"
        );
        let mut ready = 0;
        for track in tasks(&p) {
            for (row, span) in (0u32..).zip(&p.track(track).spans.rows) {
                if name(&p, track, row).starts_with("ready")
                    && detail(&p, track, row, "held by").ends_with("embed")
                {
                    ready = ready.max(span.end - span.start);
                }
            }
        }
        assert!(ready >= 20_000_000, "tick waited {ready} ns for embed, {python}");
        let threads: Vec<TrackId> =
            p.track_ids().filter(|t| p.track_label(*t).starts_with("worker_")).collect();
        let jobs: usize = threads.iter().map(|t| p.track(*t).spans.rows.len()).sum();
        assert_eq!((threads.len(), jobs), (2, 5), "{python}");
        for &track in &threads {
            for row in 0..p.track(track).spans.rows.len() as u32 {
                assert_eq!(name(&p, track, row), "blocking");
                let (caller, at) = p.track(track).spans.caller(row).unwrap();
                assert!(["jobs", "one_job"].contains(&name(&p, caller, at)), "who asked for it, {python}");
            }
        }
        let loops = p.track_ids().filter(|t| p.track_label(*t).starts_with("Event loop of")).count();
        assert_eq!(loops, 2, "{python}");
    }
}

const JOBS: &str = "\
import asyncio, sys, time
def job(): time.sleep(0.3)
async def a(): await asyncio.sleep(0.05)
async def main():
    await asyncio.gather(a(), a())
    if sys.version_info >= (3, 9):
        await asyncio.to_thread(job)
    else:
        await asyncio.get_running_loop().run_in_executor(None, job)
    await asyncio.gather(a(), a())
asyncio.run(main())
";

#[test]
fn a_job_of_a_thread_is_on_the_critical_path_by_its_name() {
    let folder = folder("asyncio-jobs");
    let script = folder.join("jobs.py");
    std::fs::write(&script, JOBS).unwrap();
    for python in two_ways() {
        let (_, session) = record(&folder, &[&python, script.to_str().unwrap()]);
        let p = open(&session);
        let threads = p.track_ids().filter(|t| p.track(*t).kind == TrackKind::Thread);
        let jobs = threads.filter(|t| !p.track(*t).spans.rows.is_empty());
        let jobs: Vec<_> = jobs.map(|t| name(&p, t, 0).to_owned()).collect();
        assert_eq!(jobs, ["job"], "{python}");
        let asked = ["gaps", "--path", session.to_str().unwrap()];
        let said = String::from_utf8_lossy(&program(&asked).output().unwrap().stdout).into_owned();
        let line =
            said.lines().find(|line| line.contains(" job ")).unwrap_or_else(|| panic!("{python}: {said}"));
        let percent: f64 =
            line.split('%').next().unwrap().split_whitespace().last().unwrap().parse().unwrap();
        assert!(percent > 40.0, "{python}: {said}");
        assert!(said.contains("without job"), "{python}: {said}");
    }
}

/// Of what `asyncio.run` does at its end some is too short to be drawn: the path goes on before it.
#[test]
fn a_long_end_of_a_loop_is_on_the_critical_path_behind_the_program() {
    let folder = folder("asyncio-end");
    let script = folder.join("end.py");
    let text = "\
import asyncio, time
async def work(): await asyncio.sleep(0.2)
async def main():
    await work()
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.1)
asyncio.run(main())
";
    std::fs::write(&script, text).unwrap();
    // Since 3.9 the end waits for threads.
    for python in two_ways().iter().filter(|python| !python.contains("/3.8.")) {
        let (_, session) = record(&folder, &[python, script.to_str().unwrap()]);
        let asked = ["gaps", "--path", session.to_str().unwrap()];
        let said = String::from_utf8_lossy(&program(&asked).output().unwrap().stdout).into_owned();
        assert!(said.contains("shutdown_default_executor"), "{python}: {said}");
        assert!(said.contains(" work "), "{python}: {said}");
        assert!(!said.contains("nothing known to wait for"), "{python}: {said}");
    }
}

#[test]
fn gaps_name_what_held_a_loop_and_the_wait_that_ended_each_idle_time() {
    let folder = folder("asyncio-gaps");
    for python in two_ways() {
        let (_, session) = record(&folder, &[&python, &program_file("threads.py")]);
        let ask = |args: &[&str]| -> serde_json::Value {
            let mut all = vec![args[0], session.to_str().unwrap(), "--json"];
            all.extend(&args[1..]);
            serde_json::from_str(&crate::support::stdout(&all)).unwrap()
        };
        let found = ask(&["gaps", "--track", "loop"]);
        let ns = |value: &serde_json::Value| value.as_i64().unwrap();
        let held = &found["held"][0];
        assert!(held["what"].as_str().unwrap().starts_with("embed "), "{held}, {python}");
        // The task that ticks all the time was due while `embed` ran.
        let (step, wait) = (ns(&held["longest_step_ns"]), ns(&held["longest_wait_ns"]));
        assert!(wait >= 20_000_000 && wait <= step, "{held}, {python}");
        let late = &found["late"][0];
        assert!(ns(&late["end_ns"]) - ns(&late["start_ns"]) >= wait, "{late}, {python}");
        assert!(late["by"].as_str().unwrap().starts_with("embed "), "{late}, {python}");
        let causes = found["causes"].as_array().unwrap();
        assert_eq!(causes.iter().map(|c| ns(&c["time_ns"])).sum::<i64>(), ns(&found["idle_ns"]), "{python}");
        for what in ["tick", "sleep", "await of a thread's job"] {
            assert!(
                causes.iter().any(|c| c["what"].as_str().unwrap().contains(what)),
                "{what}: {found}, {python}"
            );
        }
        // The same by default, and of a task what it awaits itself.
        assert_eq!(ask(&["gaps"])["held"], found["held"]);
        let task = crate::support::stdout(&["gaps", session.to_str().unwrap(), "--track", "tick"]);
        assert!(
            task.contains("it waits in sleep") && task.contains("it waits in ready, the loop was busy"),
            "{task}"
        );
        let embed = crate::support::stdout(&["callers", session.to_str().unwrap(), "--function", "embed"]);
        assert!(embed.contains("in 1 task") && embed.contains("it held t"), "{embed}, {python}");
        let summary = crate::support::stdout(&["summary", session.to_str().unwrap()]);
        assert!(summary.contains("because of embed"), "{summary}, {python}");
    }
}

#[test]
fn children_are_followed_and_a_killed_process_keeps_what_it_did() {
    let folder = folder("asyncio-children");
    for python in two_ways() {
        let (out, session) = record(&folder, &[&python, &program_file("children.py")]);
        assert_eq!(String::from_utf8_lossy(&out.stdout), "done\n", "{out:?}");
        let p = open(&session);
        let states = states(&p);
        let returned = states.iter().filter(|s| **s == ("work".into(), "returned".into())).count();
        assert_eq!(
            returned, 4,
            "own, forked, spawned, and beside the one that was killed: {states:?}, {python}"
        );
        assert!(states.contains(&("dies".into(), "not ended".into())), "{states:?}, {python}");
        let processes: std::collections::HashSet<_> = tasks(&p).map(|t| p.track(t).process).collect();
        assert_eq!(processes.len(), 4, "{python}");
    }
}

#[test]
fn the_example_says_what_holds_its_loop_and_what_decides_its_end() {
    let folder = folder("asyncio-example");
    let script = file("tests/examples/python/rag_service.py").display().to_string();
    for python in two_ways() {
        let (out, session) = record(&folder, &[&python, &script]);
        assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(said.contains("answered question 1\n") && said.contains("the model gave no JSON"), "{said}");
        let p = open(&session);
        let held: Vec<&str> = p.findings.iter().map(|f| p.text(f.text)).collect();
        assert!(
            held.iter().any(|t| t.starts_with("Service.vector_of held the event loop")),
            "{held:?}, {python}"
        );
        let path = report(&session)["critical_path"].to_string();
        assert!(path.contains("generate") || path.contains("tokens"), "{path}, {python}");
    }
}

#[test]
fn tasks_of_a_program_whose_recorder_was_killed_are_in_its_journal() {
    let folder = folder("asyncio-orphan");
    let script = folder.join("app.py");
    let text = "\
import asyncio
async def work(number):
    await asyncio.sleep(0.01)
async def main():
    await asyncio.gather(*(work(number) for number in range(3)))
    open('ready', 'w').close()
    await asyncio.sleep(4)
asyncio.run(main())
";
    std::fs::write(&script, text).unwrap();
    for python in two_ways() {
        let _ = std::fs::remove_file(folder.join("ready"));
        let journals = folder.join("journals");
        let _ = std::fs::remove_dir_all(&journals);
        let (dir, app) = (journals.display().to_string(), script.display().to_string());
        let place = format!("folder={}", folder.display());
        let args = ["record", "command", "--quiet", "--journal", &dir, "--set", &place, "--", &python, &app];
        let mut recorder = program(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while !folder.join("ready").exists() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the program runs");
            std::thread::sleep(Duration::from_millis(20));
        }
        // Until the journal has its beginning.
        std::thread::sleep(Duration::from_millis(1000));
        recorder.kill().unwrap();
        recorder.wait().unwrap();
        let mut files = std::fs::read_dir(&journals).unwrap().map(|e| e.unwrap().path());
        let journal = files.find(|p| p.extension().is_some_and(|e| e == "journal")).unwrap();
        let p = open(&journal);
        let work = states(&p).iter().filter(|s| **s == ("work".into(), "returned".into())).count();
        assert_eq!(work, 3, "{python}");
        assert!(states(&p).contains(&("main".into(), "not ended".into())), "{python}");
        assert!(p.attached.iter().any(|a| a.name == "asyncio.tasks"), "{python}");
    }
}

/// Without what differs from run to run: addresses and times.
fn settled(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut out = String::new();
    for line in text.lines() {
        let mut words = line.split("0x");
        out.push_str(words.next().unwrap_or_default());
        for word in words {
            out.push_str("0x…");
            out.push_str(word.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
        }
        out.push('\n');
    }
    out
}

#[test]
fn a_program_does_not_notice_that_its_tasks_are_recorded() {
    let _alone = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = folder("asyncio-unnoticed");
    let script = program_file("unchanged.py");
    for python in interpreters(&VERSIONS) {
        for (end, debug) in [
            ("return", ""),
            ("exit", ""),
            ("raise", ""),
            ("os", ""),
            ("signal", ""),
            ("interrupt", ""),
            ("return", "1"),
        ] {
            let mut plain = Command::new(&python);
            plain.args([&script, end]).current_dir(&folder);
            let plain = plain.env("PYTHONUNBUFFERED", "1").env("PYTHONASYNCIODEBUG", debug).output().unwrap();
            // In debug mode asyncio tells the stack of all that is made, down to what runs a profiler around the program.
            let set: &[&str] = if debug.is_empty() { &[] } else { &["profilers=none"] };
            let (recorded, _) = record_with(&folder, set, debug, &[&python, &script, end]);
            let case = format!("{python} {end} {debug}");
            assert_eq!(settled(&recorded.stdout), settled(&plain.stdout), "{case}");
            // Whether a step takes long is the machine's.
            let on_time = |text: &[u8]| {
                let text = settled(text);
                let mut lines: Vec<&str> =
                    text.lines().filter(|l| !l.contains(" took ") && !l.starts_with("poll ")).collect();
                // Before Python 3.12 the frame in which a task's step is stamped, without a source line.
                lines.retain(|l| !l.contains("File \"<inferscope _steps>\""));
                lines.join("\n")
            };
            assert_eq!(on_time(&recorded.stderr), on_time(&plain.stderr), "{case}");
            let code = plain.status.code().or(plain.status.signal().map(|s| 128 + s));
            assert_eq!(recorded.status.code(), code, "{case}");
        }
    }
}

#[test]
fn a_recorder_that_cannot_write_says_so_once_and_the_program_goes_on() {
    let folder = folder("asyncio-broken");
    let script = folder.join("app.py");
    let text = "\
import os, shutil
shutil.rmtree(os.environ['INFERSCOPE_TRACE'])
import asyncio
async def work():
    await asyncio.sleep(0.001)
    return 7
async def main():
    print(await asyncio.gather(*(work() for _ in range(3))))
asyncio.run(main())
asyncio.run(main())
";
    std::fs::write(&script, text).unwrap();
    for python in two_ways() {
        let (out, _) = record(&folder, &[&python, &script.display().to_string()]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{said}");
        assert_eq!(String::from_utf8_lossy(&out.stdout), "[7, 7, 7]\n[7, 7, 7]\n", "{python}");
        assert_eq!(said.matches("inferscope: asyncio tasks are not recorded").count(), 1, "{said}, {python}");
    }
}
