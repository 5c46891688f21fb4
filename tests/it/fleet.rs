//! Many runs as tables, at the command line, and for other programs that read them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{file, folder, program, python, run, stdout};

/// Traces of four ranks of a job, of which rank 2 computes longer from step 3 on: a kernel, then an operation that all end
/// together.
fn job(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for rank in 0..4 {
        let mut events = Vec::new();
        let mut event = |name: &str, cat: &str, tid: u32, start: u32, took: u32, args: &str| {
            let pid = if cat == "kernel" { 0 } else { 7 };
            events.push(format!(
                r#"{{"ph": "X", "name": "{name}", "cat": "{cat}", "pid": {pid}, "tid": {tid}, "ts": {start}, "dur": {took}, "args": {{{args}}}}}"#
            ));
        };
        for step in 0..10 {
            let began = 1000 + step * 2000;
            let own = if rank == 2 && step >= 3 { 1300 } else { 1000 } + (rank * 7 + step * 3) % 5;
            let last = if step >= 3 { 1300 } else { 1000 } + 5;
            event(&format!("ProfilerStep#{step}"), "user_annotation", 1, began, 1900, "");
            event("gemm_kernel", "kernel", 7, began + 10, own, "");
            let collective = r#""Collective name": "allreduce", "Process Group Name": "0", "In msg nelems": 1024, "dtype": "Float""#;
            let start = began + 10 + own;
            event(
                "ncclDevKernel_AllReduce_Sum_f32_RING_LL",
                "kernel",
                20,
                start,
                began + 10 + last + 100 - start,
                collective,
            );
        }
        let text = format!(
            r#"{{"schemaVersion": 1, "distributedInfo": {{"rank": {rank}, "world_size": 5}}, "host_name": "n{rank}", "traceEvents": [{}]}}"#,
            events.join(",\n")
        );
        std::fs::write(folder.join(format!("trace-{rank}.json")), text).unwrap();
    }
}

#[test]
fn a_slow_rank_is_named_and_a_gate_sees_it() {
    let folder = folder("fleet");
    let (traces, tables) = (folder.join("traces"), folder.join("tables").display().to_string());
    job(&traces);
    let traces = traces.display().to_string();
    let added =
        stdout(&["fleet", "add", &traces, "--to", &tables, "--label", "job=night", "--label", "commit=a1"]);
    assert!(added.contains("added 4 runs") && added.contains("night: 4 of 5 ranks on 4 hosts"), "{added}");
    assert!(added.contains("missing: rank 4 of 5"), "{added}");
    let again = stdout(&["fleet", "add", &format!("{traces}/trace-?.json"), "--to", &tables]);
    assert!(again.contains("added 0 runs, 4 are there already"), "{again}");

    let ask = |more: &[&str]| run(&[&["fleet", "ask", &tables, "--question"], more].concat());
    let text = |more: &[&str]| String::from_utf8(ask(more).stdout).unwrap();
    let said = text(&["stragglers"]);
    assert!(
        said.contains("rank 2 (n2): since step 3 +") && said.contains("% in 1 kernel, first gemm_kernel"),
        "{said}"
    );
    assert!(said.contains("missing: rank 4 of 5"), "{said}");
    let json: Value = serde_json::from_str(&text(&["stragglers", "--json"])).unwrap();
    let found = &json["jobs"][0]["found"][0];
    assert_eq!(
        (&found["class"], &found["ranks"], &found["first_step"]),
        (&"compute straggler".into(), &serde_json::json!([2]), &3.into())
    );

    // The window's picture of it, and what is said where one profile is wanted.
    let picture = folder.join("job.png").display().to_string();
    let small = ["--size", "1024x640", "--theme", "light"];
    stdout(&[&["render", tables.as_str(), "-o", picture.as_str()], &small[..]].concat());
    assert!(std::fs::metadata(&picture).unwrap().len() > 20_000, "more than an empty window");
    let refused = run(&["render", &tables, "-o", &picture, "--view", "flame"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--view is for profiles"));
    let refused = run(&["report", &tables]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && why.contains("is a dataset of many runs"), "{why}");

    let code = |more: &[&str]| ask(more).status.code();
    assert_eq!(code(&["stragglers", "--fail-if", "wait>5%"]), Some(1));
    assert_eq!(code(&["stragglers", "--fail-if", "wait>50%", "--fail-if", "stragglers>1"]), Some(0));
    assert_eq!(code(&["regressions", "--fail-if", "slower>0"]), Some(4));
    assert_eq!(code(&["stragglers", "--fail-if", "speed>5%"]), Some(2));
    assert_eq!(run(&["fleet", "ask", &traces, "--question", "jobs"]).status.code(), Some(2));

    // Every question has an answer for people and one for programs, packed or not.
    let all = [
        "jobs",
        "stragglers",
        "clocks",
        "collectives",
        "steps",
        "kernels",
        "functions",
        "slowest",
        "trend",
        "regressions",
        "requests",
        "findings",
    ];
    let answers = || all.map(|question| (text(&[question]), text(&[question, "--json"])));
    let before = answers();
    for (question, (text, json)) in all.iter().zip(&before) {
        assert!(text.lines().count() >= 2 && json.starts_with('{'), "{question}: {text}{json}");
    }
    let packed = stdout(&["fleet", "pack", &tables]);
    assert!(packed.contains("packed 4 runs"), "{packed}");
    for (after, before) in answers().iter().zip(&before) {
        assert_eq!(after, before);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// All files of a dataset with their bytes, without the drafts of killed writers: nobody reads those, and packing removes them.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                if name.ends_with(".part") {
                    continue;
                }
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_killed_worker_loses_nothing_and_two_write_the_same_bytes() {
    let folder = folder("fleet-killed");
    let traces = folder.join("traces");
    job(&traces);
    let (whole, killed) = (folder.join("whole"), folder.join("killed"));
    let add = |to: &Path| {
        program(&[
            "fleet",
            "add",
            &traces.display().to_string(),
            "--jobs",
            "1",
            "--to",
            &to.display().to_string(),
        ])
    };
    assert!(add(&whole).output().unwrap().status.success());
    for ms in [20, 60, 120, 250] {
        let mut worker = add(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(ms));
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    // Two at once, over what the killed ones left.
    let mut beside = add(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let last = add(&killed).output().unwrap();
    assert!(beside.wait().unwrap().success() && last.status.success(), "{last:?}");
    let (whole, killed) = (contents(&whole), contents(&killed));
    assert_eq!(whole.keys().collect::<Vec<_>>(), killed.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(*bytes == killed[name], "{name} has other bytes");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_there() {
    let folder = folder("fleet-broken");
    let tables = folder.join("tables").display().to_string();
    let sample = file("sample_profiles/pstats/workload-py311.prof").display().to_string();
    let broken = folder.join("broken.prof");
    std::fs::write(&broken, b"{not a profile").unwrap();
    let out = run(&["fleet", "add", &sample, &broken.display().to_string(), "--to", &tables]);
    let (said, wrong) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(2), "{said}{wrong}");
    assert!(said.contains("added 1 run") && wrong.contains("broken.prof"), "{said}{wrong}");
    let functions = stdout(&["fleet", "ask", &tables, "--question", "functions"]);
    assert!(functions.starts_with("functions of 1 run"), "{functions}");
    assert_eq!(run(&["fleet", "add", "nowhere/*.json", "--to", &tables]).status.code(), Some(2));
    std::fs::remove_dir_all(folder).unwrap();
}

/// Reads each table with a package and prints its rows, and the labels of the runs.
const READ: &str = r#"
import pathlib, sys
import pyarrow.parquet as pq
folder = pathlib.Path(sys.argv[1])
for table in sorted(p.name for p in folder.iterdir() if p.is_dir()):
    files = sorted((folder / table).glob("*.parquet"))
    tables = [pq.read_table(f) for f in files]
    print(table, sum(t.num_rows for t in tables))
    if table == "runs":
        for t in tables:
            for row in t.to_pylist():
                assert dict(row["labels"]) == {"commit": "a1", "job": "night"}, row
                assert row["world_size"] == 5 and row["tool"] == "PyTorch Kineto" and row["title"] is None, row
    if table == "steps":
        for t in tables:
            assert all(r["compute_ns"] > 0 and r["memcpy_ns"] == 0 for r in t.to_pylist())
"#;

#[test]
fn other_programs_read_the_tables() {
    let Some(python) = python() else { return };
    let has = Command::new(python)
        .args(["-c", "import pyarrow.parquet"])
        .output()
        .is_ok_and(|o| o.status.success());
    if !has {
        eprintln!("no pyarrow here: nothing is read with it");
        return;
    }
    let folder = folder("fleet-read");
    let (traces, tables) = (folder.join("traces"), folder.join("tables").display().to_string());
    job(&traces);
    stdout(&[
        "fleet",
        "add",
        &traces.display().to_string(),
        "--to",
        &tables,
        "--label",
        "job=night",
        "--label",
        "commit=a1",
    ]);
    let read = || {
        let out = Command::new(python).args(["-c", READ, &tables]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let rows = read();
    assert!(
        rows.contains("runs 4\n") && rows.contains("steps 40\n") && rows.contains("collectives 40\n"),
        "{rows}"
    );
    assert!(rows.contains("spans 120\n"), "{rows}");
    stdout(&["fleet", "pack", &tables]);
    assert_eq!(read(), rows);
    std::fs::remove_dir_all(folder).unwrap();
}
