//! The commands that README and guide show do what they say: each line is run by a shell, in a folder with files of the names in them.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::guide::{code, pages};
use crate::support::{file, folder};

/// What is not run here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "uvx inferscope-profiler",
        "fetches from an index: assets/packaging/try.sh does it with the built wheel",
    ),
    ("uv tool install", "as uvx"),
    ("pip install inferscope-profiler", "as uvx"),
    ("apt install ./inferscope_", "assets/packaging/try.sh installs the package on empty systems"),
    ("python -m inferscope_profiler", "needs the installed wheel: .ci/wheel"),
    ("inferscope mcp", "serves until its input ends: tests/it/mcp.rs"),
    ("inferscope record attach", "needs a process that runs: tests/it/stacks.rs"),
    ("inferscope record proxy --to", "serves until it is interrupted: tests/it/http_calls.rs"),
    ("inferscope listen --memory-limit", "serves until it is interrupted: tests/it/listen.rs"),
    ("inferscope listen --forward", "as listen"),
    ("inferscope record command --proxy", "needs Node; tests/it/http_calls.rs has the proxy before Python"),
    ("inferscope recover --on gpu-box 1760000000", "names a journal of a day: tests/it/remote.rs"),
    ("inferscope fleet", "asks about the traces of many ranks: tests/it/fleet.rs"),
    ("inferscope open job", "a dataset in the window: src/app/datasets/tests.rs"),
    ("inferscope open asyncio", "the same"),
    ("inferscope report --copy", "writes over the file itself here: tests/it/remote.rs"),
    ("inferscope record service", "half a minute without optimisation: tests/it/service.rs"),
    ("inferscope record generate -o generate.inferscope", "the same: tests/it/cli.rs"),
    ("inferscope record generate --set variants=", "the same: src/record/tests/workloads.rs"),
    ("inferscope record -o run.inferscope", "the same: tests/it/display.rs records the default run"),
];

/// What opens a window: without a display it says what else there is.
const WINDOW: &[&str] = &[
    "inferscope run.prof",
    "inferscope open run.journal",
    "inferscope trace.json --prices my-prices.json",
    "inferscope open gpu-box:/tmp/trace.json.gz",
];

/// The samples that stand for the files of the pages.
const FILES: &[(&str, &str)] = &[
    ("run.prof", "sample_profiles/pstats/workload-py311.prof"),
    ("before.prof", "sample_profiles/pstats/workload-py311.prof"),
    ("after.prof", "sample_profiles/pstats/workload-py313.prof"),
    ("base.prof", "sample_profiles/pstats/workload-py311.prof"),
    ("head.prof", "sample_profiles/pstats/workload-py313.prof"),
    ("before.json", "sample_profiles/chrome-trace/viztracer-logging.json"),
    ("after.json", "sample_profiles/chrome-trace/viztracer-logging.json"),
    ("trace.json", "sample_profiles/otlp/openai-v2.otlp.json"),
    ("trace.json.gz", "sample_profiles/chrome-trace/pytorch-decode.pt.trace.json.gz"),
    ("run.pyisession", "sample_profiles/pyinstrument/asyncio-enabled.pyisession"),
    ("callgrind.out.1", "sample_profiles/callgrind/sort-caches.callgrind.out"),
    ("run.inferscope", "sample_profiles/native/asyncio.inferscope"),
    ("generate.inferscope", "sample_profiles/native/asyncio.inferscope"),
    ("service.inferscope", "sample_profiles/otlp/openai-v2.otlp.json"),
    ("answers.inferscope", "sample_profiles/native/rag.inferscope"),
    ("faithful.inferscope", "sample_profiles/native/asyncio.inferscope"),
    ("fixed.inferscope", "sample_profiles/native/asyncio.inferscope"),
    ("f32.inferscope", "sample_profiles/native/asyncio.inferscope"),
    ("q8_0.inferscope", "sample_profiles/native/asyncio.inferscope"),
    ("sample_profiles", "sample_profiles"),
    ("tests", "tests"),
];

/// A person's folder and machine.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    fn new(name: &str) -> Self {
        let desk = Self { folder: folder(name) };
        for place in ["home", "bin", "assets/pictures"] {
            std::fs::create_dir_all(desk.folder.join(place)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_inferscope"), desk.folder.join("bin/inferscope")).unwrap();
        for (name, sample) in FILES {
            // A copy of a file: what is written over it must not reach the sample.
            let (from, to) = (file(sample), desk.folder.join(name));
            if from.is_dir() {
                symlink(from, to).unwrap();
            } else {
                std::fs::copy(from, to).unwrap();
            }
        }
        for (i, run) in ["a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4"].iter().enumerate() {
            let millis = 20 + i + if run.starts_with('b') { 30 } else { 0 };
            std::fs::write(desk.folder.join(run), format!("main;work {millis}\nmain;rest 10\n")).unwrap();
        }
        desk.other_machines();
        desk.write(
            "study.inferscope-project",
            r#"{"inferscope_project": 1, "baseline": 0, "runs": [{"file": "before.prof"}, {"file": "after.prof"}]}"#,
        );
        desk
    }

    /// `gpu-box` and the like are this machine: what would lead there gives a shell here.
    fn other_machines(&self) {
        for way in ["ssh", "docker", "kubectl"] {
            let script = "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec \"$1\"\n";
            let path = self.folder.join("bin").join(way);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        self.write("train.py", "print('loss 0.5')\n");
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// Runs a line as a person types it.
    fn run(&self, line: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(&self.folder).stdin(Stdio::null());
        shell.env("PATH", format!("{}:{path}", self.folder.join("bin").display()));
        shell.env("HOME", self.folder.join("home")).env("PYTHONPATH", file("assets/python"));
        shell.env("PYTHONDONTWRITEBYTECODE", "1");
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
            shell.env_remove(name);
        }
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            shell.env_remove(name);
        }
        shell.output().unwrap()
    }

    /// Runs a line that must succeed.
    fn done(&self, line: &str) {
        let out = self.run(line);
        assert!(out.status.success(), "{line}\n{}", said(&out));
    }

    /// Whether a `python` of this folder starts.
    fn has_python(&self) -> bool {
        let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let Some(found) = found.ok().filter(|out| out.status.success()) else {
            eprintln!("no python3 here: what runs Python programs is not run");
            return false;
        };
        symlink(String::from_utf8(found.stdout).unwrap().trim(), self.folder.join("bin/python")).unwrap();
        true
    }
}

fn said(out: &Output) -> String {
    [&out.stdout[..], &out.stderr[..]].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n")
}

/// The fenced block of a page that is in this language and holds this text.
fn block(page: &str, language: &str, text: &str) -> String {
    let page = std::fs::read_to_string(file(page)).unwrap();
    let fence = format!("```{language}\n");
    let mut blocks = page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains(text)).unwrap_or_else(|| panic!("no block with {text}")).to_owned()
}

/// Lines that a person could type: of README and guide, not those with a word to fill in.
fn lines() -> Vec<(PathBuf, String)> {
    let starts = ["inferscope ", "uvx ", "uv ", "pip ", "apt ", "python -m inferscope_profiler "];
    let fill_in = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase()) || word.contains('…')
    };
    let mut found = Vec::new();
    for (page, text) in pages() {
        if page.ends_with("CONTRIBUTING.md") {
            continue; // .ci/run and .ci/first-hour
        }
        for line in code(&text) {
            let line = line.split("  #").next().unwrap().trim().to_owned();
            let typed = starts.iter().any(|start| line.starts_with(start));
            let whole =
                line.split(' ').count() > 2 || line.contains(['-', '.']) || line == "inferscope formats";
            if typed && whole && !line.split(['_', ' ', '=']).any(fill_in) {
                found.push((page.clone(), line));
            }
        }
    }
    found
}

#[test]
fn every_command_that_is_shown_runs() {
    let desk = Desk::new("shown");
    let python = desk.has_python();
    // The Python of the guide is what its commands record, its prices are those that they take.
    desk.write("app.py", &(block("assets/guide/python.md", "python", "profiled") + "\nretrieve('why')\n"));
    desk.write("my-prices.json", &block("assets/guide/llm.md", "json", "models"));
    desk.done("inferscope record asyncio --quiet --set scale=0.01 --journal - > run.journal");
    desk.done("mkdir -p runs");
    desk.done("inferscope fleet add trace.json --to job");

    let (mut elsewhere, mut windows, mut ran) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (page, line) in lines() {
        if let Some((start, _)) = ELSEWHERE.iter().find(|(start, _)| line.starts_with(start)) {
            elsewhere.insert(*start);
            continue;
        }
        if (line.contains(" -- python ") && !python) || !ran.insert(line.clone()) {
            continue;
        }
        let page = page.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap().display().to_string();
        if line.starts_with("inferscope recover") {
            // What a recording left that nobody saved.
            desk.done("inferscope record asyncio --quiet --set scale=0.01");
        }
        // Files there are those of this folder.
        let here = line.replace(":/tmp/", &format!(":{}/", desk.folder.display()));
        let out = desk.run(&here);
        let text = said(&out);
        if let Some(window) = WINDOW.iter().find(|window| **window == line) {
            windows.insert(*window);
            assert_eq!(out.status.code(), Some(2), "{page}: {line}\n{text}");
            assert!(
                text.contains("no display") && text.contains("inferscope report"),
                "{page}: {line}\n{text}"
            );
            continue;
        }
        assert!(out.status.success(), "{page}: {line}\n{text}");
        // What is to be written is there.
        let mut words = line.split(' ');
        while let Some(word) = words.next() {
            if word == "-o" {
                let name = words.next().unwrap();
                let size = std::fs::metadata(desk.folder.join(name)).map_or(0, |m| m.len());
                assert!(size > 0, "{page}: {line} wrote no {name}");
            }
        }
    }
    assert!(ran.len() > 45, "{} commands were run", ran.len());
    assert_eq!(elsewhere.len(), ELSEWHERE.len(), "only what is shown needs a reason: {elsewhere:?}");
    assert_eq!(windows.len(), WINDOW.len(), "{windows:?}");
    std::fs::remove_dir_all(desk.folder).unwrap();
}
