//! Files and command lines that mean harm, or are merely odd: nothing acts on the terminal, nothing leaves the machine,
//! nothing hangs, and what is wrong is said.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use inferscope::format::acts;
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use serde_json::Value;

use crate::support::{file, folder, program, report, run, stdout};

fn input(name: &str) -> String {
    file("tests/data/reports/output").join(name).to_string_lossy().into_owned()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// Nothing that a terminal acts on but ends of lines.
fn calm(text: &str, what: &str) {
    let found: Vec<char> = text.chars().filter(|&c| c != '\n' && acts(c)).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

const NAMES: [&str; 3] = ["names.json", "names.speedscope.json", "names.prof"];

#[test]
fn names_do_not_act_on_a_terminal_and_stay_one_row() {
    for name in NAMES {
        let path = input(name);
        let text = stdout(&["report", &path, "--top", "1000"]);
        calm(&text, name);
        assert!(
            text.contains("a\"b,c␊d") && text.contains("␛]0;pwned␇␛[2J") && text.contains("\\u{202e}evil"),
            "{text}"
        );
        assert!(text.lines().all(|l| l.chars().count() < 500), "{name}: long names are cut");
        let json = stdout(&["report", "--json", &path]);
        calm(&json, name);
        let json: Value = serde_json::from_str(&json).unwrap();
        let names: Vec<_> =
            json["functions"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
        assert!(
            names.contains(&"a\"b,c\nd") && names.contains(&"\u{202e}evil"),
            "programs get the names as they are"
        );
    }
}

#[test]
fn tables_and_pictures_of_such_names_are_harmless() {
    let folder = folder("names");
    let out = |name: &str| folder.join(name).to_string_lossy().into_owned();
    for name in NAMES {
        stdout(&["export", &input(name), "-o", &out("x.csv")]);
        let text = std::fs::read_to_string(out("x.csv")).unwrap();
        calm(&text, name);
        let functions = report(Path::new(&input(name)))["functions"].as_array().unwrap().len();
        assert_eq!(text.lines().count(), functions + 1, "{name}: one function, one row");
        for line in text.lines() {
            let cell = line.trim_start_matches('"');
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {line}");
        }
        if !name.ends_with(".prof") {
            stdout(&["export", &input(name), "-o", &out("x.folded")]);
            calm(&std::fs::read_to_string(out("x.folded")).unwrap(), name);
        }
        stdout(&["render", &input(name), "-o", &out("x.svg"), "--view", "functions"]);
        let svg = std::fs::read_to_string(out("x.svg")).unwrap();
        calm(&svg, name);
        assert!(!svg.contains("<script") && !svg.contains("</svg><"), "{name}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_was_typed_does_not_come_back_to_the_terminal_raw() {
    const WILD: &str = "x\u{1b}[2J\u{202e}\u{7}\ny";
    let good = input("names.json");
    let cases: &[&[&str]] = &[
        &["report", WILD],
        &["report", &good, "--sort", WILD],
        &["report", &good, "--metric", WILD],
        &["report", &good, "--part", WILD],
        &["export", &good, "--to", WILD, "-o", "x"],
        &["export", &good, "-o", WILD],
        &["render", &good, "-o", "x.png", "--view", WILD],
        &["render", &good, "-o", "x.png", "--select", WILD],
        &["render", &good, "-o", "x.png", "--size", WILD],
        &["record", WILD],
        &["recover", WILD, "-o", "x.inferscope"],
        &[WILD, "report"],
        &["--", WILD],
    ];
    for args in cases {
        let out = run(args);
        assert_ne!(out.status.code(), Some(0), "{args:?}");
        assert!(!said(&out).is_empty(), "{args:?}");
        calm(&said(&out), &format!("{args:?}"));
        calm(&String::from_utf8_lossy(&out.stdout), &format!("{args:?}"));
    }
}

/// A profile that names files of the person who looks at it.
#[test]
fn a_foreign_profile_does_not_carry_keys_away() {
    let folder = folder("steal");
    let home = folder.join("home");
    for name in ["home/.ssh", "home/project/src", "elsewhere"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let files = [
        "home/.ssh/id_rsa",
        "home/.ssh/config.py",
        "home/project/src/app.py",
        "home/project/.env",
        "elsewhere/lib.py",
    ];
    for name in files {
        std::fs::write(folder.join(name), format!("text of {name}\n")).unwrap();
    }
    let places: Vec<PathBuf> = files.iter().map(|f| folder.join(f)).chain(["/etc/passwd".into()]).collect();
    let mut text = "# callgrind format\nevents: Ir\n".to_owned();
    for (i, place) in places.iter().enumerate() {
        text += &format!("fl={}\nfn=f{i}\n1 100\n", place.display());
    }
    let profile = home.join("project/foreign.callgrind");
    std::fs::write(&profile, text).unwrap();
    let session = folder.join("x.inferscope");
    let export = |more: &[&str]| {
        let (from, to) = (profile.to_string_lossy(), session.to_string_lossy());
        let out = run(&[&["export", &from, "--sources", "-o", &to][..], more].concat());
        assert!(out.status.success(), "{}", said(&out));
        let opened = import::open_whole(&Input::Path(session.clone()), &Job::new()).unwrap();
        let mut names: Vec<_> = opened.sources.iter().map(|(f, _)| opened.text(f).to_owned()).collect();
        names.sort();
        (names, said(&out))
    };
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (names, listed) = export(&[]);
    assert_eq!(names, [path("home/project/src/app.py")]);
    assert!(
        listed.contains("holds the texts of 1 source file")
            && listed.contains(&path("home/project/src/app.py")),
        "{listed}"
    );
    for refused in ["home/.ssh/id_rsa", "home/.ssh/config.py", "home/project/.env", "elsewhere/lib.py"] {
        assert!(listed.contains(&format!("not {}", path(refused))), "{refused} in {listed}");
    }
    let (names, _) = export(&["--source", &path("elsewhere")]);
    assert_eq!(names, [path("elsewhere/lib.py"), path("home/project/src/app.py")]);
    let (names, _) = export(&["--source", &path("home"), "--source", "/etc"]);
    assert_eq!(names, [path("home/project/src/app.py")], "no choice of folders gives keys away");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn two_exports_to_one_file_leave_one_of_them_whole() {
    let folder = folder("race");
    let to = folder.join("out.speedscope.json");
    let froms = [
        "sample_profiles/chrome-trace/tracing-chrome.json.gz",
        "sample_profiles/speedscope/evented-threads.speedscope.json.gz",
    ];
    for _ in 0..5 {
        let start = |from: &str| {
            let (from, to) = (file(from), to.to_string_lossy());
            program(&["export", &from.to_string_lossy(), "-o", &to]).stderr(Stdio::null()).spawn().unwrap()
        };
        let runs = froms.map(start);
        for mut run in runs {
            assert!(run.wait().unwrap().success());
        }
        serde_json::from_slice::<Value>(&std::fs::read(&to).unwrap()).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no draft is left");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_larger_of_equal_names_is_selected_and_places_are_names() {
    let folder = folder("select");
    let picture = folder.join("x.png").to_string_lossy().into_owned();
    let path = input("two-inner.prof");
    let select = |text: &str| run(&["render", &path, "--view", "callers", "--select", text, "-o", &picture]);
    let by_name = select("inner");
    assert!(by_name.status.success());
    assert!(
        said(&by_name).contains("took /app/b.py:7 (1.80 s), not /app/a.py:5 (100 ms)"),
        "{}",
        said(&by_name)
    );
    let pictured = std::fs::read(&picture).unwrap();
    let by_place = select("b.py:7");
    assert!(by_place.status.success() && said(&by_place).is_empty(), "{}", said(&by_place));
    assert_eq!(std::fs::read(&picture).unwrap(), pictured);
    assert!(select("a.py:5").status.success());
    assert_ne!(std::fs::read(&picture).unwrap(), pictured);
    for nothing in ["b.py:8", "outer"] {
        let out = select(nothing);
        assert!(!out.status.success() && said(&out).contains(nothing), "{}", said(&out));
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_part_of_a_callgrind_run_is_opened_alone() {
    let folder = folder("parts");
    let names = ["01", "02", "03"].map(|n| format!("xz-threads.callgrind.out-{n}"));
    for name in &names {
        std::fs::copy(file("tests/data/callgrind").join(name), folder.join(name)).unwrap();
    }
    let whole = folder.join(&names[0]).to_string_lossy().into_owned();
    let total = |args: &[&str]| -> i64 {
        let json: Value = serde_json::from_str(&stdout(&[&["report", "--json"][..], args].concat())).unwrap();
        json["totals"]["Ir"]["value"].as_i64().unwrap()
    };
    let parts: Vec<i64> = names.iter().map(|n| total(&[&whole, "--part", n])).collect();
    assert!(parts.iter().all(|&p| p > 0));
    assert_eq!(parts.iter().sum::<i64>(), total(&[&whole]));
    let text = stdout(&["report", &whole]);
    assert!(text.contains(&format!("--part {}", names[1])), "{text}");
    let wrong = run(&["report", &whole, "--part", "4"]);
    assert!(said(&wrong).contains(&names.join(", ")), "{}", said(&wrong));
    // Dumps in one file; the second uses names that the first has given numbers.
    let combined = folder.join("combined.callgrind");
    let dump = "version: 1\ncreator: callgrind-3.19.0\npid: 7\ncmd:  x\npart: 1\npositions: line\nevents: Ir\n\
        fl=(1) a.c\nfn=(1) main\n1 10\ncfn=(2) work\ncalls=1 5\n2 30\nfn=(2)\n5 30\ntotals: 40\n\
        part: 2\npositions: line\nevents: Ir\nfl=(1)\nfn=(2)\n5 7\ntotals: 7\n";
    std::fs::write(&combined, dump).unwrap();
    let combined = combined.to_string_lossy();
    assert_eq!(
        [total(&[&combined]), total(&[&combined, "--part", "1"]), total(&[&combined, "--part", "2"])],
        [47, 40, 7]
    );
    let second: Value =
        serde_json::from_str(&stdout(&["report", "--json", &combined, "--part", "2"])).unwrap();
    assert_eq!(
        (second["functions"][0]["name"].as_str(), second["warnings"].as_array().unwrap().len()),
        (Some("work"), 0)
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let folder = folder("stdin");
    let bytes = std::fs::read(file("sample_profiles/chrome-trace/tracing-chrome.json.gz")).unwrap();
    let piped = |args: &[&str]| {
        let mut child = program(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", said(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&piped(&["report", "--json", "-"])).unwrap();
    let whole = report(&file("sample_profiles/chrome-trace/tracing-chrome.json.gz"));
    assert_eq!(json["totals"], whole["totals"]);
    let to = |name: &str| folder.join(name).to_string_lossy().into_owned();
    piped(&["export", "-", "-o", &to("x.speedscope.json")]);
    assert_eq!(report(Path::new(&to("x.speedscope.json")))["totals"], whole["totals"]);
    piped(&["render", "-", "-o", &to("x.png"), "--size", "640x400"]);
    assert!(folder.join("x.png").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn numbers_beyond_what_can_be_counted_say_so() {
    let folder = folder("saturated");
    let path = folder.join("huge.callgrind").to_string_lossy().into_owned();
    std::fs::write(&path, format!("events: Ir\nfn=a\n1 {0}\nfn=b\n1 {0}\n", i64::MAX - 5)).unwrap();
    let text = stdout(&["report", &path]);
    let line =
        text.lines().find(|l| l.contains("more than can be counted")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("≥ "), "{line}");
    assert_eq!(report(Path::new(&path))["totals"]["Ir"]["saturated"], true);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn sizes_out_of_range_are_named() {
    let path = input("phases.json");
    for (args, part) in [
        (["--size", "0x500"], "the width is 0; it must be 1 to 16384"),
        (["--size", "500x20000"], "the height is 20000; it must be 1 to 16384"),
        (["--size", "500"], "WIDTHxHEIGHT"),
        (["--scale", "0"], "more than 0"),
        (["--scale", "nan"], "more than 0"),
        (["--scale", "1000"], "1600000 × 1000000"),
        (["--scale", "10"], "million pixels"),
    ] {
        let out = run(&[&["render", &path, "-o", "x.png"][..], &args].concat());
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(said(&out).contains(part), "{args:?}: {}", said(&out));
    }
}

#[test]
fn a_trace_that_shows_nothing_says_why() {
    let folder = folder("nothing");
    let path = folder.join("x.json").to_string_lossy().into_owned();
    for (text, part) in [
        (r#"{"traceEvents":[]}"#, "is a trace without any events: nothing was recorded"),
        (
            r#"{"traceEvents":[{"ph":"M","name":"process_name","pid":1,"args":{"name":"x"}}]}"#,
            "has 1 event, which only name processes and threads",
        ),
        (r#"{"traceEvents":[{"ph":"X","name":"x","pid":1,"tid":1}]}"#, "of which none has a kind and a time"),
    ] {
        std::fs::write(&path, text).unwrap();
        let out = run(&["report", &path]);
        assert_eq!(out.status.code(), Some(2));
        assert!(said(&out).contains(part), "{}", said(&out));
    }
    std::fs::remove_dir_all(folder).unwrap();
}
