//! Modules use only what stands left of them, as ARCHITECTURE.md says.

use std::path::{Path, PathBuf};

/// For each module of the library the modules that it may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("jobs", &[]),
    ("model", &[]),
    ("format", &["model"]),
    ("import", &["model", "jobs", "format", "export"]),
    ("export", &["model", "jobs", "format", "import"]),
    ("exchange", &["model", "jobs", "format", "query", "analysis", "export"]),
    ("record", &["model", "jobs", "format", "import", "export"]),
    ("remote", &["model", "jobs", "format", "import", "export", "record"]),
    ("query", &["model", "jobs"]),
    ("analysis", &["model", "jobs", "query", "format", "import"]),
    ("fleet", &["model", "jobs", "format", "import", "export", "query", "analysis"]),
    ("questions", &["model", "jobs", "format", "query", "analysis", "import"]),
    ("state", &["model", "jobs", "query", "analysis", "import"]),
    ("ui", &["model", "format"]),
    ("views", &["model", "jobs", "format", "query", "analysis", "fleet", "state", "ui", "import"]),
    (
        "app",
        &[
            "model",
            "jobs",
            "format",
            "query",
            "analysis",
            "exchange",
            "questions",
            "state",
            "ui",
            "views",
            "import",
            "export",
            "record",
            "remote",
            "fleet",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "jobs",
            "format",
            "query",
            "analysis",
            "exchange",
            "questions",
            "state",
            "ui",
            "views",
            "import",
            "export",
            "record",
            "remote",
            "app",
            "fleet",
        ],
    ),
];

/// Crates that only some modules may name.
const CRATES: &[(&str, &[&str])] = &[
    ("egui", &["ui", "views", "app", "cli"]),
    ("eframe", &["app"]),
    ("rfd", &["app"]),
    ("parquet", &["fleet"]),
    ("tokio", &["record", "cli"]),
    ("rmcp", &["cli"]),
    ("hyper", &["record"]),
    ("tokio_rustls", &["record"]),
    ("candle_core", &["record"]),
    ("candle_nn", &["record"]),
    ("iced_x86", &["analysis"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Code lines of a file, without comments and without its test module.
fn code(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    code.lines().map(|l| l.split("//").next().unwrap().to_owned()).collect()
}

fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    name == "tests"
        || name == "testing"
        || name == "gallery"
        || path.components().any(|c| c.as_os_str() == "tests")
}

/// Words before `::` at each place where `crate::WORD` stands.
fn names(line: &str, prefix: &str) -> Vec<String> {
    line.match_indices(prefix)
        .map(|(at, _)| {
            line[at + prefix.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        })
        .collect()
}

/// What is printed passes one place, which lets nothing through that a terminal acts on.
#[test]
fn only_one_file_of_the_command_line_writes_to_the_terminal() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli"), &mut found);
    let printing = ["print!(", "println!(", "eprint!(", "eprintln!(", "io::stdout", "io::stderr"];
    // A journal goes to standard output as bytes, and never to a terminal.
    let may = |path: &Path| ["cli/out.rs", "cli/record/stream.rs"].iter().any(|name| path.ends_with(name));
    for path in found.iter().filter(|p| !is_test(p) && !may(p)) {
        for (i, line) in code(path).iter().enumerate() {
            assert!(!printing.iter().any(|p| line.contains(p)), "{}:{}: {line}", path.display(), i + 1);
        }
    }
}

#[test]
fn layers_point_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (module, allowed) in LAYERS {
        let mut found = Vec::new();
        let folder = src.join(module);
        if folder.is_dir() {
            files(&folder, &mut found);
        } else {
            found.push(src.join(format!("{module}.rs")));
        }
        for path in found.iter().filter(|p| !is_test(p)) {
            for (i, line) in code(path).iter().enumerate() {
                let place = format!("{}:{}", path.strip_prefix(&src).unwrap().display(), i + 1);
                for name in names(line, "crate::") {
                    let known = LAYERS.iter().any(|(m, _)| *m == name);
                    if known && name != *module && !allowed.contains(&name.as_str()) {
                        wrong.push(format!("{place}: {module} must not use {name}"));
                    }
                }
                for (krate, users) in CRATES {
                    let used =
                        line.contains(&format!("{krate}::")) || line.contains(&format!("use {krate};"));
                    let word = line
                        .match_indices(krate)
                        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
                    if used && word && !users.contains(module) {
                        wrong.push(format!("{place}: {module} must not name the crate {krate}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What two panes need stands beside them: in `shared`, `time` or `boxes`.
#[test]
fn panes_do_not_know_each_other() {
    let views = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/views");
    let list = std::fs::read_to_string(views.join("mod.rs")).unwrap();
    let list = list.split("pub static VIEWS").nth(1).unwrap();
    let panes: Vec<&str> = list.lines().filter_map(|l| l.trim().strip_suffix("::KIND,")).collect();
    assert!(panes.len() >= 18 && panes.iter().all(|pane| views.join(pane).is_dir()), "{panes:?}");
    let mut wrong = Vec::new();
    for pane in &panes {
        let mut found = Vec::new();
        files(&views.join(pane), &mut found);
        for path in found.iter().filter(|p| !is_test(p)) {
            let above = if path.ends_with("mod.rs") { "super::" } else { "super::super::" };
            for (i, line) in code(path).iter().enumerate() {
                let named = names(line, above).into_iter().chain(names(line, "views::"));
                for name in named.filter(|name| name != pane && panes.contains(&name.as_str())) {
                    let file = path.strip_prefix(&views).unwrap().display();
                    wrong.push(format!("{file}:{}: {pane} must not use {name}", i + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a view shows without an answer is written once, in `views/reply.rs` and `views/host.rs`.
#[test]
fn no_view_waits_fails_or_dims_by_itself() {
    let views = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/views");
    let mut found = Vec::new();
    files(&views, &mut found);
    let may = |path: &Path| ["mod.rs", "reply.rs", "host.rs"].iter().any(|name| path == views.join(name));
    let words = ["engine.ask(", "progress_row", "working_row", "working_over", "spinner("];
    for path in found.iter().filter(|p| !is_test(p) && !may(p)) {
        for (i, line) in code(path).iter().enumerate() {
            let answer = line.contains("crate::query") && line.contains("Answer");
            let place = format!("{}:{}", path.display(), i + 1);
            assert!(!answer && !words.iter().any(|w| line.contains(w)), "{place}: {line}");
        }
    }
}
