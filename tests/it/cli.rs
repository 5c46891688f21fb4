//! The command line: what it prints, for whom, with which exit code.

use std::path::Path;

use serde_json::Value;

use crate::support::{file, folder, program, report, run, samples, stdout};

#[test]
fn help_names_every_command_with_an_example() {
    let help = stdout(&["--help"]);
    for command in ["report", "render", "record", "export", "formats"] {
        assert!(help.contains(&format!("inferscope {command}")), "{command} in\n{help}");
        let own = stdout(&[command, "--help"]);
        assert!(own.contains("Example"), "{command} has no example:\n{own}");
    }
}

#[test]
fn formats_lists_every_importer() {
    let text = stdout(&["formats"]);
    for importer in inferscope::import::IMPORTERS {
        assert!(text.contains(importer.id) && text.contains(importer.title));
    }
}

#[test]
fn every_sample_has_a_complete_json_report() {
    let files = samples(&file("sample_profiles"));
    assert!(files.len() > 10, "samples are there");
    for path in files {
        let json = report(&path);
        for key in [
            "format",
            "tool",
            "basis",
            "totals",
            "functions",
            "tracks",
            "spans",
            "samples",
            "counters",
            "events",
            "requests",
            "warnings",
        ] {
            assert!(!json[key].is_null() || json.get(key).is_some(), "{}: {key}", path.display());
        }
        for total in json["totals"].as_object().unwrap().values() {
            assert!(total["value"].is_i64() && total["unit"].is_string(), "{}: {total}", path.display());
        }
        let own: Vec<i64> = json["functions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["self"].as_object().unwrap().values().next().map_or(0, |v| v.as_i64().unwrap()))
            .collect();
        assert!(own.is_sorted_by(|a, b| a >= b), "{}: sorted by self", path.display());
        // The content decides, not the name.
        let text = stdout(&["report", &path.to_string_lossy(), "--top", "3"]);
        assert!(text.contains("Format"), "{}", path.display());
    }
}

fn function<'a>(json: &'a Value, name: &str) -> &'a Value {
    let all = json["functions"].as_array().unwrap();
    all.iter().find(|f| f["name"] == name).unwrap_or_else(|| panic!("no function {name}"))
}

/// Numbers as `python -m pstats` prints them.
#[test]
fn a_prof_file_has_the_numbers_of_pstats() {
    let json = report(&file("sample_profiles/pstats/workload-py311.prof"));
    assert_eq!(json["format"], "pstats");
    assert_eq!(json["basis"], "aggregated");
    assert_eq!(json["function_count"], 44);
    let sum = |key: &str| -> i64 {
        json["functions"].as_array().unwrap().iter().map(|f| f[key].as_i64().unwrap()).sum()
    };
    assert_eq!((sum("calls"), sum("primitive_calls")), (55986, 47080));
    let list = function(&json, "_iterencode_list");
    assert_eq!((&list["calls"], &list["primitive_calls"]), (&11673.into(), &7938.into()));
    let micros = |v: &Value| (v.as_i64().unwrap() as f64 / 1000.0).round() as i64;
    let main = function(&json, "main");
    assert_eq!(micros(&main["total"]["time"]), 22_802);
    assert_eq!(micros(&json["totals"]["time"]["value"]), 22_803);
}

#[test]
fn sort_and_top_choose_the_rows() {
    let path = file("sample_profiles/pstats/workload-py311.prof");
    let path = path.to_string_lossy();
    let names = |sort: &str| -> Vec<String> {
        let text = stdout(&["report", "--json", "--sort", sort, "--top", "3", &path]);
        let json: Value = serde_json::from_str(&text).unwrap();
        json["functions"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("cumulative")[0], "main");
    assert_eq!(names("tottime")[0], "_iterencode_dict");
    assert_eq!(names("ncalls")[0], "_iterencode_list");
    assert_eq!(names("name").len(), 3);
    let wrong = run(&["report", "--sort", "colour", &path]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains("cumulative")
            || String::from_utf8_lossy(&wrong.stderr).contains("total")
    );
}

#[test]
fn errors_are_one_line_with_an_exit_code() {
    let folder = folder("errors");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_string_lossy().into_owned()
    };
    let none = folder.join("none");
    std::fs::create_dir_all(&none).unwrap();
    let cases: [(String, i32, &str); 6] = [
        (folder.join("missing.prof").to_string_lossy().into_owned(), 2, "cannot be read"),
        (none.to_string_lossy().into_owned(), 3, "is a folder without files"),
        (write("empty.prof", b""), 3, "empty"),
        (write("notes.txt", b"Dear diary, nothing was profiled today.\n"), 3, "inferscope formats"),
        (write("cut.json.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), 2, "gzip"),
        (write("a.callgrind", b"# callgrind format\nversion: 9\nevents: Ir\nfn=a\n1 5\n"), 2, "version"),
    ];
    for (path, code, part) in cases {
        let out = run(&["report", &path]);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.stdout.is_empty());
        assert_eq!(out.status.code(), Some(code), "{path}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(&path) && text.contains(part), "{text}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_window_without_a_display_says_what_works_instead() {
    let path = file("sample_profiles/pstats/workload-py311.prof");
    let out = run(&[&path.to_string_lossy()]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2));
    assert!(text.contains("no display") && text.contains("inferscope render"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_mistyped_file_or_command_is_named() {
    for (args, hint) in [(vec!["repotr", "run.prof"], true), (vec!["no/such.prof"], false)] {
        let out = run(&args);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!((out.status.code(), text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.contains(args[0]) && text.contains("no such file"), "{text}");
        assert_eq!(text.contains("inferscope help"), hint, "{text}");
    }
}

#[test]
fn render_draws_each_view_and_the_whole_workspace() {
    let folder = folder("render");
    let path = file("sample_profiles/pstats/workload-py311.prof");
    let path = path.to_string_lossy();
    let picture = folder.join("a.png").to_string_lossy().into_owned();
    let size = |name: &str| image::image_dimensions(name).unwrap();
    stdout(&["render", &path, "-o", &picture]);
    assert_eq!(size(&picture), (1600, 1000));
    for view in inferscope::views::VIEWS {
        stdout(&[
            "render", &path, "-o", &picture, "--view", view.id, "--size", "640x400", "--theme", "light",
            "--scale", "2",
        ]);
        assert_eq!(size(&picture), (1280, 800));
    }
    let out = run(&["render", &path, "-o", &picture, "--view", "sunburst"]);
    assert_eq!(out.status.code(), Some(2));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn export_gives_a_file_that_opens_with_the_same_totals() {
    let folder = folder("export");
    let path = file("sample_profiles/pyinstrument");
    let path = samples(&path).into_iter().find(|p| p.to_string_lossy().contains("asyncio")).unwrap();
    let before = report(&path);
    for name in ["a.inferscope", "a.speedscope.json"] {
        let to = folder.join(name);
        stdout(&["export", &path.to_string_lossy(), "-o", &to.to_string_lossy()]);
        assert_eq!(report(&to)["totals"]["time"]["value"], before["totals"]["time"]["value"], "{name}");
    }
    let out = run(&["export", &path.to_string_lossy(), "-o", &folder.join("a.xyz").to_string_lossy()]);
    assert_eq!(out.status.code(), Some(2));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn repeated_recordings_tell_a_change_from_noise() {
    let folder = folder("repeat");
    let runs = |name: &str, scale: &str| {
        let output = folder.join(format!("{name}.inferscope")).to_string_lossy().into_owned();
        let text = stdout(&["record", "asyncio", "--set", scale, "--repeat", "4", "-o", &output]);
        assert!(text.starts_with("4 runs: elapsed "), "{text}");
        assert!(!Path::new(&output).exists());
        (1..=4).map(|n| output.replace(".inf", &format!("-{n}.inf"))).collect::<Vec<_>>().join(",")
    };
    let (base, head) = (runs("before", "scale=0.01"), runs("after", "scale=0.03"));
    let out = run(&["diff", "--base", &base, "--head", &head, "--evidence", "--fail-if", "total.time>+5%"]);
    assert_eq!(out.status.code(), Some(1), "{}", String::from_utf8_lossy(&out.stdout));
    assert!(String::from_utf8_lossy(&out.stdout).contains("4 + 4 runs"));
    // Every run is saved, so there must be a name for it.
    let unnamed = run(&["record", "asyncio", "--repeat", "2"]);
    assert_eq!(unnamed.status.code(), Some(2));
    // The first run that fails is the last one.
    let at = folder.join("f.inferscope").to_string_lossy().into_owned();
    let failed = run(&["record", "command", "--repeat", "3", "-o", &at, "--", "sh", "-c", "exit 7"]);
    assert_eq!(failed.status.code(), Some(7));
    assert!(folder.join("f-1.inferscope").exists() && !folder.join("f-2.inferscope").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_recording_is_saved_and_opens_again() {
    let folder = folder("record");
    let session = folder.join("run.inferscope").to_string_lossy().into_owned();
    let text = stdout(&["record", "asyncio", "--set", "scale=0.02", "-o", &session]);
    assert!(text.contains("fetch_user_data"), "{text}");
    let json = report(Path::new(&session));
    let stage = |name: &str| function(&json, name)["total"]["time"].as_i64().unwrap() as f64 / 1e9;
    // Sleeps are never shorter than asked for; how much longer depends on the machine.
    for (name, seconds) in
        [("fetch_user_data", 0.04), ("process_request_with_llm", 0.06), ("unnecesary_io_operation", 0.02)]
    {
        assert!(stage(name) >= seconds * 0.98, "{name}: {}", stage(name));
    }
    let wrong = run(&["record", "asyncio", "--set", "scale=fast"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(run(&["record", "nonsense"]).status.code(), Some(2));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_recording_says_which_path_held_the_heap_at_its_peak() {
    let folder = folder("heap");
    let session = |name: &str| folder.join(name).display().to_string();
    let record = |more: &[&str], out: &str| {
        let mut args = vec!["record", "generate", "--quiet", "--journal"];
        let journals = session("journals");
        args.extend([journals.as_str(), "--set", "questions=1", "--set", "max_new_tokens=4", "-o", out]);
        args.extend(more);
        assert!(program(&args).output().unwrap().status.success());
        report(Path::new(out))
    };
    let json = record(&[], &session("counted.inferscope"));
    let heap = &json["heap_peak"];
    let paths = heap["paths"].as_array().unwrap();
    let held: i64 = paths.iter().map(|p| p["bytes"].as_i64().unwrap()).sum();
    let rest = heap["other_paths"].as_i64().unwrap() + heap["outside_of_spans"].as_i64().unwrap();
    assert_eq!(held + rest, heap["bytes"].as_i64().unwrap(), "every byte has a cause: {heap}");
    assert!(paths.iter().any(|p| p["path"].to_string().contains("load_step")), "{heap}");
    assert!(json["totals"]["allocations"]["value"].as_i64() > Some(100));
    let text = stdout(&["report", &session("counted.inferscope"), "--metric", "live_at_peak"]);
    assert!(text.contains("Heap at its peak of") && text.contains("Self (KiB)"), "{text}");

    let json = record(&["--no-allocations"], &session("not.inferscope"));
    assert!(json["heap_peak"].is_null() && json["totals"]["allocations"].is_null());
}

/// Nothing that is made from a file may take its place: whatever it is written as, and by whatever name.
#[test]
fn what_is_read_is_not_written_over() {
    let folder = folder("inputs");
    let at = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let trace = r#"{"traceEvents":[{"ph":"X","name":"a","ts":0,"dur":5,"pid":1,"tid":1,"args":{"n":1}}]}"#;
    std::fs::write(at("t.json"), trace).unwrap();
    std::fs::create_dir(at("inner")).unwrap();
    let mut names = vec![at("t.json"), at("inner/../t.json")];
    if cfg!(unix) {
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("t.json"), at("soft.json")).unwrap();
        std::fs::hard_link(at("t.json"), at("hard.json")).unwrap();
        names.extend([at("soft.json"), at("hard.json")]);
    }
    stdout(&["export", &at("t.json"), "-o", &at("run.inferscope")]);
    stdout(&["export", &at("t.json"), "--to", "csv", "-o", &at("other.json")]);
    let mut refused = vec![
        // The session leaves the arguments of its events in the trace.
        vec!["export".into(), at("run.inferscope"), "--to".into(), "csv".into(), "-o".into(), at("t.json")],
        vec!["recover".into(), at("t.json"), "-o".into(), at("t.json")],
        ["record", "command", "-o", &at("t.json"), "--", "cat", &at("t.json")].map(str::to_owned).to_vec(),
    ];
    for name in names {
        for format in ["csv", "native", "chrome", "folded", "speedscope"] {
            refused.push(["export", &at("t.json"), "--to", format, "-o", &name].map(str::to_owned).to_vec());
        }
        refused.push(["render", &at("t.json"), "-o", &name].map(str::to_owned).to_vec());
    }
    for args in refused {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let out = run(&args);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.lines().count() == 1 && text.contains("name another file"), "{args:?}: {text}");
        assert_eq!(std::fs::read_to_string(at("t.json")).unwrap(), trace, "{args:?}");
    }
    let mut child = program(&["export", "-", "--to", "csv", "-o", &at("t.json")]);
    let out = child.stdin(std::fs::File::open(at("t.json")).unwrap()).output().unwrap();
    assert!(!out.status.success() || cfg!(not(unix)));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn exports_go_to_standard_output_where_it_is_read() {
    let folder = folder("stdout");
    let path = file("sample_profiles/speedscope/0.0.1-simple.speedscope.json");
    let path = path.to_string_lossy();
    let out = program(&["export", &path, "-o", "-", "--to", "folded"]).current_dir(&folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "a;b 5\na;b;c 5\na;b;d 4\n");
    for args in [&["render", &path, "-o", "-"][..], &["record", "asyncio", "-o", "-"]] {
        let out = program(args).current_dir(&folder).output().unwrap();
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(2) && text.contains("goes to a file"), "{args:?}: {text}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "no file is called -");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn levels_beyond_the_screen_are_numbers() {
    let folder = folder("levels");
    let path = folder.join("deep.folded");
    let stack: Vec<String> = (0..40).map(|i| format!("f{i}")).collect();
    std::fs::write(&path, stack.join(";") + " 5\n").unwrap();
    let text = stdout(&["report", &path.to_string_lossy(), "--tree"]);
    let line =
        |name: &str| text.lines().find(|l| l.ends_with(name)).unwrap_or_else(|| panic!("{text}")).to_owned();
    assert!(line(" f30").ends_with("  f30") && line("] f31").ends_with("[31] f31"), "{text}");
    assert!(line("] f39").ends_with("[39] f39"));
    std::fs::remove_dir_all(folder).unwrap();
}
