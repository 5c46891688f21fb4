//! The program as a part of the desktop: menu entry, icons, file types, manual pages.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{file, folder, program, samples, stdout};

fn with_data(args: &[&str], data: &Path) -> (bool, String) {
    let out = program(args).env("XDG_DATA_HOME", data).output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Everything of ours below a folder.
fn ours(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                todo.push(path);
            } else if path.to_string_lossy().contains("/inferscope.") {
                found.insert(path);
            }
        }
    }
    found
}

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        eprintln!("no {tool} here: what needs it is not checked");
    }
    found
}

#[test]
fn the_desktop_gets_an_entry_and_loses_it_again() {
    let folder = folder("desktop");
    let data = folder.join("data");
    let (done, said) = with_data(&["desktop", "--install"], &data);
    assert!(done, "{said}");
    let written = ours(&data);
    assert_eq!(written.len(), 10);
    assert!(written.iter().all(|path| said.contains(&path.display().to_string())), "{said}");
    let entry = data.join("applications/inferscope.desktop");
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(text.contains(&format!("Exec=\"{}\" %F", env!("CARGO_BIN_EXE_inferscope"))), "{text}");
    if has("desktop-file-validate") {
        for entry in [entry, file("assets/desktop/inferscope.desktop")] {
            let out = Command::new("desktop-file-validate").arg(&entry).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
        }
    }
    // Again is as once.
    assert!(with_data(&["desktop", "--install"], &data).0);
    assert_eq!(ours(&data), written);
    let (done, said) = with_data(&["desktop", "--remove"], &data);
    assert!(done && written.iter().all(|path| said.contains(&path.display().to_string())), "{said}");
    assert!(ours(&data).is_empty());
    let (done, said) = with_data(&["desktop", "--remove"], &data);
    assert!(done && said.contains("nothing of inferscope"), "{said}");
    assert!(!program(&["desktop"]).output().unwrap().status.success());
    std::fs::remove_dir_all(folder).unwrap();
}

/// The type that a sample has by its name and content; `None` when it is nobody's alone.
fn expected(path: &Path) -> Option<&'static str> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let head = std::fs::read(path).unwrap();
    let holds =
        |text: &[u8], within: usize| head[..head.len().min(within)].windows(text.len()).any(|w| w == text);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".prof", ".pstat", ".pstats"]) {
        Some("application/x-python-pstats")
    } else if ends(&[".callgrind", ".callgrind.out", ".cachegrind.out"]) {
        Some("application/x-kcachegrind")
    } else if ends(&[".pyisession"]) {
        Some("application/x-pyinstrument-session")
    } else if ends(&[".json"]) && holds(b"speedscope.app/file-format-schema.json", 512) {
        Some("application/x-speedscope+json")
    } else if ends(&[".json"]) && holds(b"\"traceEvents\"", 4096) {
        Some("application/x-chrome-trace+json")
    } else if ends(&[".trace.json.gz"]) {
        Some("application/x-chrome-trace+gzip")
    } else if ends(&[".inferscope"]) {
        Some("application/x-inferscope-session")
    } else {
        None
    }
}

#[test]
fn the_desktop_knows_the_type_of_each_sample() {
    if !has("gio") || !has("update-mime-database") {
        return;
    }
    let folder = folder("types");
    let data = folder.join("data");
    assert!(with_data(&["desktop", "--install"], &data).0);
    let known = |path: &Path| {
        let mut gio = Command::new("gio");
        gio.args(["info", "-a", "standard::content-type"]).arg(path).env("XDG_DATA_HOME", &data);
        let text = String::from_utf8_lossy(&gio.output().unwrap().stdout).into_owned();
        text.lines()
            .find_map(|l| Some(l.split_once("content-type: ")?.1.trim().to_owned()))
            .unwrap_or_default()
    };
    let types = std::fs::read_to_string(file("assets/desktop/inferscope-mime.xml")).unwrap();
    let all: BTreeSet<&str> =
        types.split("<mime-type type=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
    let mut seen = BTreeSet::new();
    for path in samples(&file("sample_profiles")) {
        let found = known(&path);
        match expected(&path) {
            Some(wanted) => assert_eq!(found, wanted, "{}", path.display()),
            None => assert!(!all.contains(&*found), "{} is {found}", path.display()),
        }
        seen.extend(expected(&path));
    }
    assert_eq!(seen, all, "a sample for each type");
    // By content alone.
    for (sample, wanted) in [
        ("pstats/workload-py311.prof", "application/x-python-pstats"),
        ("pstats/workload-py27.prof", "application/x-python-pstats"),
        ("callgrind/sort-caches.callgrind.out", "application/x-kcachegrind"),
        ("speedscope/py-spy-threads.speedscope.json", "application/x-speedscope+json"),
        ("chrome-trace/viztracer-logging.json", "application/x-chrome-trace+json"),
        ("native/v1.inferscope", "application/x-inferscope-session"),
    ] {
        let path = folder.join("profile");
        std::fs::copy(file("sample_profiles").join(sample), &path).unwrap();
        assert_eq!(known(&path), wanted, "{sample}");
    }
    // The menu entry takes all of them, and the shop's page names them.
    for path in ["assets/desktop/inferscope.desktop", "assets/desktop/inferscope.metainfo.xml"] {
        let text = std::fs::read_to_string(file(path)).unwrap();
        assert!(all.iter().all(|kind| text.contains(kind)), "{path}");
    }
    if has("appstreamcli") {
        let mut check = Command::new("appstreamcli");
        check.args(["validate", "--no-net"]).arg(file("assets/desktop/inferscope.metainfo.xml"));
        let out = check.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = folder("man");
    stdout(&["man", &folder.to_string_lossy()]);
    let help = stdout(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|l| l.starts_with("  "));
    let names =
        commands.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let mut pages: BTreeSet<String> = names.map(|name| format!("inferscope-{name}.1")).collect();
    assert!(pages.len() > 8, "{help}");
    pages.insert("inferscope.1".to_owned());
    let written = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert!(pages.is_subset(&written.collect()), "{pages:?}");
    for page in pages {
        let path = folder.join(&page);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS\n\\fBinferscope"), "{page}");
        if has("man") {
            let mut man = Command::new("man");
            man.args(["--warnings", "-l"]).arg(&path).env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8");
            let out = man.output().unwrap();
            assert!(out.stderr.is_empty(), "{page}: {}", String::from_utf8_lossy(&out.stderr));
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
