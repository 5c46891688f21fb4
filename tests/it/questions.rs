//! Questions at the terminal: short answers, whose numbers are those of the tools that measured.

use serde_json::Value;

use crate::support::{file, folder, program, run, samples, stdout};

fn sample(name: &str) -> String {
    file(&format!("sample_profiles/{name}")).to_string_lossy().into_owned()
}

fn error(args: &[&str]) -> String {
    let out = run(args);
    assert_eq!(out.status.code(), Some(2), "{args:?}");
    assert!(out.stdout.is_empty(), "{args:?}");
    String::from_utf8(out.stderr).unwrap()
}

#[track_caller]
fn says(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "lacks «{part}»:\n{text}");
    }
}

/// The calls that answer what a coding agent asks of a profile; figures as the tools themselves, or a look at the events,
/// give them (sample_profiles/*/README.md).
#[test]
fn questions_of_an_agent_are_answered_by_a_few_calls() {
    // Is this program waiting or computing?
    let waits = stdout(&["summary", &sample("pstats/asyncio-py311.prof")]);
    says(
        &waits,
        &["It waits rather than computes", "{method 'poll' of 'select.epoll' objects}", "record again"],
    );
    // Which step takes longest?
    let tree = stdout(&["tree", &sample("pyinstrument/asyncio-enabled.pyisession"), "--root", "main"]);
    says(&tree, &["[await]", "below main"]);
    // What of a GPU trace happens once only?
    let cold = stdout(&["summary", &sample("chrome-trace/pytorch-alexnet-gpu.json.gz")]);
    says(
        &cold,
        &["cudaDeviceGetStreamPriorityRange", "29.9 s", "happens once", "warmup", "GPU 0 busy 66.1 ms"],
    );
    // What does the GPU wait for?
    let gaps = stdout(&["gaps", &sample("chrome-trace/pytorch-alexnet-gpu.json.gz"), "--track", "gpu"]);
    says(
        &gaps,
        &[
            "busy 66.1 ms (0.2 %)",
            "idle 43.4 s",
            "aten::to (16 calls",
            "cudaDeviceGetStreamPriorityRange 29.9 s",
        ],
    );
    let path = stdout(&["gaps", &sample("chrome-trace/pytorch-alexnet-gpu.json.gz"), "--path"]);
    says(&path, &["critical path", "aten::empty_strided", "≈13.5 s (−68.9 %) without"]);
    // Prefill and decode, and how even the steps are.
    let decode = stdout(&["summary", &sample("chrome-trace/pytorch-decode.pt.trace.json.gz")]);
    says(&decode, &["× decode_step_* =", "uneven: first"]);
    // Which function mispredicts most branches?
    let sort = sample("callgrind/sort-caches.callgrind.out");
    let branches = stdout(&["hot", &sort, "--metric", "Bcm", "--top", "3"]);
    says(&branches, &["Mispredicted conditional branches", "addresses"]);
    // Where does my own code spend its time? Threads that only wait do not lead.
    let threads = stdout(&["hot", &sample("speedscope/py-spy-threads.speedscope.json")]);
    assert!(threads.lines().nth(2).is_some_and(|first| !first.contains("wait")), "{threads}");
}

/// As `python -m pstats` prints with `print_callers`: sample_profiles/pstats/workload-py311.calls.txt.
#[test]
fn callers_have_the_numbers_of_pstats() {
    let json = stdout(&[
        "callers",
        &sample("pstats/workload-py311.prof"),
        "--function",
        "_iterencode_dict",
        "--json",
    ]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let printed = std::fs::read_to_string(sample("pstats/workload-py311.calls.txt")).unwrap();
    let callers = json["callers"].as_array().unwrap();
    assert!(!callers.is_empty());
    for caller in callers {
        let (name, calls) = (caller["name"].as_str().unwrap(), caller["calls"].as_u64().unwrap());
        let line =
            printed.lines().find(|l| l.contains(&format!("({name})")) && l.contains(&calls.to_string()));
        assert!(line.is_some(), "{caller}");
    }
    let total: u64 = callers.iter().map(|c| c["calls"].as_u64().unwrap()).sum();
    assert_eq!(json["calls"], total, "all calls have a caller");
}

/// As pstats and callgrind_annotate print them: 1.321 of 1.525 s, and 82.32 % of 52,430,624. The outermost calls of both files have
/// more than all self costs together.
#[test]
fn shares_of_self_costs_are_those_of_the_tools_in_answers_and_reports() {
    for (path, name, share, whole) in [
        ("yappi/asyncio-wall.pstat", "sleep", "86.6 %", "1.52 s"),
        ("callgrind/jruby-fibonacci.callgrind.out", "Range#include?", "82.3 %", "52.4 M"),
    ] {
        let path = sample(path);
        let callers = ["callers", &*path, "--function", name];
        // Waits come last in a tree, beyond the budget.
        let tree: &[&str] = if name == "sleep" { &callers } else { &["tree", &path, "--inverted"] };
        for args in [&["hot", &path], &callers[..], &["report", &path], tree] {
            let text = stdout(args);
            assert!(text.contains(whole), "{args:?} names the base:\n{text}");
            let is_it = |l: &&str| l.contains(name) && l.contains(share);
            assert!(text.lines().any(|l| is_it(&l)), "{args:?}:\n{text}");
        }
    }
}

#[test]
fn ambiguous_names_get_candidates_and_wrong_ones_near_names() {
    let path = sample("pstats/workload-py311.prof");
    let several = error(&["callers", &path, "--function", "__init__"]);
    says(&several, &["functions are called «__init__»", "by its handle:"]);
    let handle = several.lines().nth(1).unwrap().split(' ').next().unwrap();
    assert!(stdout(&["callers", &path, "--function", handle]).starts_with("__init__ "));
    says(
        &error(&["callers", &path, "--function", "_iterencode_dicct"]),
        &["near names:", "_iterencode_dict"],
    );
    says(&error(&["hot", &path, "--thread", "main"]), &["no threads"]);
    says(&error(&["hot", &path, "--metric", "bytes"]), &["no metric «bytes»", "time"]);
    says(&error(&["gaps", &path]), &["nothing in this file has a time"]);
    says(
        &error(&["tree", &sample("chrome-trace/pytorch-decode.pt.trace.json.gz"), "--range", "9min..10min"]),
        &["range"],
    );
}

/// Every question of every sample answers or says in one line why not, within its budget, and as JSON.
#[test]
fn all_samples_answer_within_a_budget() {
    for path in samples(&file("sample_profiles")) {
        let path = path.to_string_lossy();
        for question in ["summary", "hot", "tree", "gaps", "requests", "findings", "lines"] {
            let out = run(&[question, &path, "--budget", "300"]);
            let (said, failed) =
                (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
            match out.status.code() {
                Some(0) => {
                    let tokens = inferscope::questions::tokens::estimate(&said);
                    // A head and its notes are always whole.
                    assert!(tokens <= 450, "{question} {path}: {tokens}\n{said}");
                    assert!(said.lines().all(|l| l.chars().count() < 1000), "{question} {path}:\n{said}");
                }
                code => {
                    assert!(code == Some(2) && failed.lines().count() == 1, "{question} {path}: {failed}")
                }
            }
        }
        let json: Value = serde_json::from_str(&stdout(&["summary", &path, "--json"])).unwrap();
        assert!(json["about"].is_array() && json["format"].is_string(), "{path}");
    }
}

#[test]
fn a_thread_and_a_time_can_be_chosen() {
    let path = sample("chrome-trace/pytorch-alexnet-gpu.json.gz");
    let gpu = stdout(&["hot", &path, "--thread", "stream 7"]);
    says(&gpu, &["only GPU 0 › stream 7", "Memcpy HtoD"]);
    assert!(!gpu.contains("cudaLaunchKernel"), "{gpu}");
    let late = stdout(&["hot", &path, "--range", "43.4s.."]);
    assert!(!late.contains("29.9 s"), "{late}");
    let groups = stdout(&["hot", &path, "--group", "category"]);
    says(&groups, &["cuda_runtime", "cpu_op"]);
}

#[test]
fn two_runs_are_compared_in_a_few_lines() {
    let (before, after) = (sample("pstats/workload-py311.prof"), sample("pstats/workload-py313.prof"));
    let text = stdout(&["diff", &before, &after, "--budget", "300"]);
    says(&text, &["Δ = head − base of self Time", "matched:", "one run each", "--budget 600"]);
    let paths = stdout(&["diff", &before, &after, "--budget", "300", "--by", "path"]);
    says(&paths, &["path; largest changes first"]);
    says(&error(&["diff", &before, &after, "--by", "path"]), &["--budget"]);
}

#[test]
fn what_cannot_be_subtracted_is_said_and_only_shares_compare() {
    let folder = folder("shares");
    let other = folder.join("head.folded");
    std::fs::write(&other, "main;encode 3\nmain;decode 1\n").unwrap();
    let text =
        stdout(&["diff", &sample("pstats/workload-py311.prof"), other.to_str().unwrap(), "--budget", "400"]);
    says(&text, &["shares of self costs, in points", "cannot be subtracted"]);
    assert!(!text.contains("summed"), "{text}");
    // The same work in another order.
    let trace = |name: &str, second: u64| {
        let event = |name: &str, tid: u64, ts: u64| serde_json::json!({ "ph": "X", "pid": 1, "tid": tid, "ts": ts, "dur": 1000, "name": name });
        let path = folder.join(name);
        std::fs::write(&path, serde_json::json!([event("a", 1, 0), event("b", 2, second)]).to_string())
            .unwrap();
        path
    };
    let (serial, beside) = (trace("serial.json", 1000), trace("beside.json", 200));
    let text = stdout(&["diff", serial.to_str().unwrap(), beside.to_str().unwrap(), "--budget", "300"]);
    says(
        &text,
        &[
            "The work is the same, and the new run ends 800 µs earlier",
            "no function takes more or less itself",
        ],
    );
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    use std::io::Write;
    use std::process::Stdio;
    let path = sample("pstats/workload-py311.prof");
    let bytes = std::fs::read(&path).unwrap();
    let mut child = program(&["hot", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(piped.stdout).unwrap(), stdout(&["hot", &path]));
    says(&error(&["diff", "-", "-"]), &["standard input holds one file"]);
    says(&error(&["diff", "-", "-", "--budget", "300"]), &["standard input holds one file"]);
}

#[test]
fn lines_come_with_their_text_where_the_source_is_at_hand() {
    let profile = sample("callgrind/hot-lines.callgrind.out");
    let without = stdout(&["lines", &profile]);
    says(&without, &["per line", "line, self, %, total, calls, text", "no source text:", "--sources FOLDER"]);
    let sources = file("tests/sources");
    let with = stdout(&["lines", &profile, "--sources", sources.to_str().unwrap()]);
    let text = std::fs::read_to_string(sources.join("hot_lines.c")).unwrap();
    let first = with.lines().nth(2).unwrap();
    let number: usize = first.split(' ').next().unwrap().parse().unwrap();
    assert!(first.ends_with(text.lines().nth(number - 1).unwrap().trim()), "{with}");
    let whole = stdout(&["lines", &sample("pstats/workload-py311.prof"), "--function", "_iterencode_dict"]);
    says(&whole, &["no lines in this file: costs stand where functions are defined"]);
}

#[test]
fn completions_know_the_questions() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = stdout(&["completions", shell]);
        for word in ["callers", "budget", "record"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn the_guide_goes_to_its_place_and_leaves_no_trace() {
    let folder = folder("guide");
    let place = folder.to_str().unwrap();
    let mine = folder.join("AGENTS.md");
    std::fs::write(&mine, "# Mine\n").unwrap();
    for (tool, path) in [
        ("claude", ".claude/skills/inferscope/SKILL.md"),
        ("codex", ".codex/skills/inferscope/SKILL.md"),
        ("cursor", ".cursor/rules/inferscope.mdc"),
        ("agents", "AGENTS.md"),
    ] {
        let install = ["guide", "--install", tool, "--folder", place];
        assert!(run(&install).status.success() && run(&install).status.success(), "twice is once");
        let text = std::fs::read_to_string(folder.join(path)).unwrap();
        assert_eq!(text.matches("inferscope callers FILE").count(), 1, "{tool}:\n{text}");
        assert!(run(&["guide", "--remove", tool, "--folder", place]).status.success());
    }
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "# Mine\n");
    assert!(!folder.join(".claude/skills/inferscope").exists());
    let theirs = folder.join(".cursor/rules/inferscope.mdc");
    std::fs::write(&theirs, "mine").unwrap();
    says(&error(&["guide", "--install", "cursor", "--folder", place]), &["is there already"]);
    assert_eq!(std::fs::read_to_string(theirs).unwrap(), "mine");
}

#[test]
fn a_script_gets_one_object_of_a_recording() {
    let folder = folder("record-json");
    let session = folder.join("run.inferscope");
    let journals = folder.join("journals");
    let out = program(&["record", "command", "--json", "--journal", journals.to_str().unwrap(), "-o"])
        .arg(&session)
        .args(["--", "echo", "from the program"])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&out.stdout).expect("one object and nothing else");
    assert_eq!((json["session"].as_str(), json["exit_code"].as_i64()), (session.to_str(), Some(0)));
    assert!(json["summary"]["about"].is_array() && json["failed"].is_null());
    assert!(String::from_utf8_lossy(&out.stderr).contains("from the program"), "it is not lost");
}

#[test]
fn a_quiet_recording_says_where_it_is_and_no_more() {
    let folder = folder("record-quiet");
    let (session, journals) = (folder.join("run.inferscope"), folder.join("journals"));
    let out = program(&["record", "command", "--quiet", "--journal", journals.to_str().unwrap(), "-o"])
        .arg(&session)
        .args(["--", "echo", "from the program"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "from the program\n");
    assert_eq!(String::from_utf8_lossy(&out.stderr), format!("Saved {}\n", session.display()));
}
