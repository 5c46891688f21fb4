//! Files that people reported to viewers of Python profiles, with the values that are right for each.

use serde_json::Value;

use crate::support::{file, report, run, stdout};

fn path(name: &str) -> String {
    file("tests/data/reports/python").join(name).to_string_lossy().into_owned()
}

fn json(name: &str) -> Value {
    report(path(name).as_ref())
}

fn functions(json: &Value) -> &Vec<Value> {
    json["functions"].as_array().unwrap()
}

/// The functions of a name.
fn named<'a>(json: &'a Value, name: &str) -> Vec<&'a Value> {
    functions(json).iter().filter(|f| f["name"] == name).collect()
}

/// The only function of a name.
fn only<'a>(json: &'a Value, name: &str) -> &'a Value {
    match named(json, name)[..] {
        [function] => function,
        ref found => panic!("{name}: {found:?}"),
    }
}

/// Self and total of a function in microseconds, rounded.
fn micros(function: &Value, metric: &str) -> (i64, i64) {
    let round = |v: &Value| (v.as_i64().unwrap() + 500).div_euclid(1000);
    (round(&function["self"][metric]), round(&function["total"][metric]))
}

fn time(json: &Value, name: &str) -> (i64, i64) {
    micros(only(json, name), "time")
}

/// What the self costs of all functions add up to, µs.
fn whole(json: &Value) -> i64 {
    (json["totals"]["time"]["value"].as_i64().unwrap() + 500) / 1000
}

fn warnings(json: &Value) -> String {
    json["warnings"].to_string()
}

#[test]
fn own_time_of_a_caller_is_no_function() {
    for name in ["multi-self.json", "multi-self.speedscope.json"] {
        let j = json(name);
        assert_eq!(time(&j, "parse"), (300_552, 320_700), "{name}");
        assert_eq!(time(&j, "load"), (199_984, 229_757), "{name}");
        assert_eq!(time(&j, "store"), (102_685, 132_193), "{name}");
        assert!(named(&j, "[self]").is_empty(), "{name}");
        assert!(
            functions(&j).iter().all(|f| f["calls"].is_null() && f["samples"].is_null()),
            "{name}: no calls, no nodes"
        );
    }
    let j = json("multi-self.json");
    assert_eq!((j["samples"].as_u64(), j["facts"]["Samples"].as_str()), (Some(544), Some("544")));
    let j = json("multi-self.speedscope.json");
    assert_eq!((j["basis"].as_str(), j["times_are_no_clock"].is_null()), (Some("sampled"), true));
    // Old versions repeat it in pstats files.
    let j = json("pyinstrument-4.6.1.pstats");
    assert_eq!((whole(&j), j["basis"].as_str()), (399_329, Some("sampled")));
    assert!(named(&j, "[self]").is_empty());
    assert_eq!((time(&j, "main"), time(&j, "function_1")), ((279_276, 399_329), (45_719, 60_902)));
}

#[test]
fn weights_of_py_spy_are_what_its_version_means() {
    let j = json("pyspy-0.3.8.speedscope.json");
    assert_eq!(time(&j, "busy"), (1_000_000, 1_000_000));
    assert!(warnings(&j).contains("counts of samples") && warnings(&j).contains("20 ms"), "{}", warnings(&j));
    let j = json("pyspy-0.3.9.speedscope.json");
    assert_eq!(time(&j, "busy").0, 1_080_000);
    assert!(j["warnings"].as_array().unwrap().is_empty(), "{}", warnings(&j));
    for name in ["pyspy-0.3.8.speedscope.json", "pyspy-0.3.9.speedscope.json"] {
        let j = json(name);
        assert!(j["times_are_no_clock"].as_str().unwrap().contains("each thread starts at 0"));
        assert_eq!((j["duration_ns"].as_i64(), j["basis"].as_str()), (None, Some("sampled")));
    }
    let text = stdout(&["report", &path("pyspy-0.3.9.speedscope.json")]);
    assert!(text.contains("Elapsed        –") && text.contains("no clock"), "{text}");
}

#[test]
fn the_main_thread_comes_first_and_the_others_by_what_they_cost() {
    let j = json("pyspy-120-threads.speedscope.json");
    let tracks = j["tracks"].as_array().unwrap();
    assert!(tracks[0]["name"].as_str().unwrap().contains("\"MainThread\""), "{}", tracks[0]);
    let samples: Vec<_> = tracks[1..].iter().map(|t| t["samples"].as_u64().unwrap()).collect();
    assert!(samples.is_sorted_by(|a, b| a >= b), "{samples:?}");
}

#[test]
fn a_chrome_trace_of_samples_has_no_calls() {
    let j = json("pyspy-0.4.3.chrometrace.json");
    assert_eq!(j["basis"], "sampled");
    assert!(j["spans"].as_u64() > Some(0));
    assert!(functions(&j).iter().all(|f| f["calls"].is_null()));
}

#[test]
fn what_austin_measures_are_metrics_of_one_thread() {
    let j = json("austin-full.speedscope.json");
    let of = |name: &str, metric: &str| {
        let all = named(&j, name);
        all.iter().map(|f| f["self"][metric].as_i64().unwrap()).sum::<i64>()
    };
    let totals = |key: &str| j["totals"][key]["value"].as_i64().unwrap();
    assert_eq!((totals("time"), totals("cpu")), (65_000_000, 35_000_000));
    assert_eq!((totals("allocated"), totals("freed")), (12_288, 6_144));
    assert_eq!(
        (of("load", "time"), of("wait", "time"), of("free", "time")),
        (30_000_000, 30_000_000, 5_000_000)
    );
    assert_eq!((of("load", "cpu"), of("wait", "cpu"), of("free", "cpu")), (30_000_000, 0, 5_000_000));
    assert_eq!((of("load", "allocated"), of("free", "freed")), (12_288, 6_144));
    assert_eq!((j["tracks"].as_array().unwrap().len(), j["samples"].as_u64()), (1, Some(4)));
}

#[test]
fn files_of_the_sampling_profiler_hold_samples_of_lines() {
    let j = json("py315-sampled.pstats");
    assert_eq!((j["basis"].as_str(), j["samples"].as_u64()), (Some("sampled"), Some(1000)));
    assert!(j["tool"].as_str().unwrap().contains("sampling") && j["warnings"].as_array().unwrap().is_empty());
    assert_eq!((time(&j, "fib"), time(&j, "Random.sample")), ((100_000, 800_000), (850_000, 850_000)));
    assert_eq!((time(&j, "work"), time(&j, "<module>")), ((50_000, 200_000), (0, 1_000_000)));
    let fib = only(&j, "fib");
    assert_eq!((fib["samples"].as_u64(), fib["calls"].is_null()), (Some(100), true));
    let text = stdout(&["report", &path("py315-sampled.pstats")]);
    assert!(text.contains("rec.py:5,7") && text.contains("Samples"), "{text}");
}

#[test]
fn threads_that_cprofile_mixed_up_are_told() {
    let j = json("threads-py3.12.1.prof");
    assert_eq!(whole(&j), 297_653);
    assert!(
        warnings(&j).contains("several threads are mixed up") && warnings(&j).contains("825 ms of 298 ms"),
        "{}",
        warnings(&j)
    );
    assert_eq!(j["duration_ns"].as_i64(), None);
}

#[test]
fn mutual_recursion_and_names_of_callgrind() {
    let j = json("rec.pyprof2calltree.callgrind");
    assert_eq!((time(&j, "even").1, time(&j, "odd").1), (434, 431));
    assert_eq!(
        (only(&j, "even")["total"]["time"].as_i64(), only(&j, "odd")["total"]["time"].as_i64()),
        (Some(434_148), Some(431_162))
    );
    let lines = |name: &str| {
        let mut lines: Vec<_> = named(&j, name).iter().map(|f| f["line"].as_u64().unwrap()).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!((lines("foo"), lines("<listcomp>"), lines("main")), (vec![4, 6], vec![7, 11], vec![10]));

    let j = json("cachegrind.out.pprofile");
    assert_eq!(j["totals"].as_object().unwrap().keys().collect::<Vec<_>>(), ["time", "hits"]);
    assert_eq!((time(&j, "<module>").1, time(&j, "main").1, time(&j, "fib").1), (204_221, 203_777, 104_756));
    assert_eq!(only(&j, "fib")["line"], 2);

    let j = json("users.001928ms.1439448963.prof");
    let place = |name: &str| {
        let f = only(&j, name);
        (f["file"].as_str().unwrap().rsplit('\\').next().unwrap().to_owned(), f["line"].as_u64().unwrap())
    };
    assert_eq!((place("load"), place("index")), (("models.py".into(), 44), ("views.py".into(), 10)));
}

#[test]
fn times_that_numpy_wrote_are_read_and_what_is_no_number_is_unknown() {
    let j = json("numpy-timer-real.prof");
    assert_eq!((time(&j, "run"), time(&j, "kernel")), ((9, 5_193), (8, 5_184)));
    let nanos = |name: &str| only(&j, name)["total"]["time"].as_i64().unwrap();
    assert_eq!((nanos("run"), nanos("kernel"), nanos("sum")), (5_193_155, 5_183_900, 5_175_868));
    assert!(j["warnings"].as_array().unwrap().is_empty(), "{}", warnings(&j));

    let j = json("nan-times.prof");
    let kernel = only(&j, "kernel");
    assert!(
        kernel["self"]["time"].is_null() && kernel["total"]["time"].is_null() && kernel["calls"] == 3,
        "{kernel}"
    );
    let text = stdout(&["report", &path("nan-times.prof")]);
    let row = text.lines().find(|l| l.ends_with("gpu.py:10")).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["3", "–", "–", "–", "–", "kernel", "/srv/app/gpu.py:10"]
    );
}

#[test]
fn callers_without_an_entry_are_unknown() {
    let j = json("filtered-callers.prof");
    for name in ["main", "hidden"] {
        let f = only(&j, name);
        assert!(f["self"]["time"].is_null() && f["total"]["time"].is_null() && f["calls"].is_null(), "{f}");
    }
    assert_eq!((time(&j, "work"), time(&j, "io")), ((500_000, 500_000), (200_000, 200_000)));
}

#[test]
fn tables_of_pure_profile_and_of_recorded_imports_are_those_of_pstats() {
    let j = json("py27-profile.prof");
    for (name, total) in [("main", 58_726), ("fib", 25_858), ("helper", 7_034), ("even", 1_682)] {
        assert_eq!(time(&j, name).1, total, "{name}");
    }
    let j = json("zero-primitive-calls.prof");
    let exec = only(&j, "{built-in method builtins.exec}");
    assert_eq!(
        (exec["calls"].as_u64(), exec["primitive_calls"].as_u64(), exec["total"]["time"].as_i64()),
        (Some(1), Some(0), Some(0))
    );
    let j = json("big-import.prof");
    assert_eq!(time(&j, "b").1, 460_341);
    assert_eq!(time(&j, "{built-in method time.sleep}").1, 101_620);
}

#[test]
fn foreign_files_are_named_with_what_to_do() {
    for (name, what, remedy) in [
        ("printed-stats.txt", "printout of Python's profile statistics", "-o out.prof"),
        ("chdir_file.py", "is text", "inferscope formats"),
    ] {
        let out = run(&["report", &path(name)]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && said.contains(what) && said.contains(remedy), "{name}: {said}");
        assert!(!said.contains("none of the formats") && said.lines().count() == 1, "{said}");
    }
    // This one opens by now.
    assert_eq!(json("lp.lprof")["format"], "line_profiler");
}

/// pstats' order of the names of all functions of a file.
#[test]
fn functions_sort_as_pstats_sorts_them() {
    let names = |sort: &[&str]| -> Vec<String> {
        let path = path("big-import.prof");
        let args = [&["report", "--json", &path][..], sort].concat();
        let json: Value = serde_json::from_str(&stdout(&args)).unwrap();
        functions(&json).iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect()
    };
    let by_name = names(&["--sort", "name"]);
    let raw = |n: &String| {
        n.strip_prefix('{').and_then(|n| n.strip_suffix('}')).map_or(n.clone(), |n| format!("<{n}>"))
    };
    assert!(by_name.iter().map(raw).collect::<Vec<_>>().is_sorted());
    assert!(by_name[0].starts_with("{built-in"), "{}", by_name[0]);
    for (a, b) in [
        ("cumul", "cumulative"),
        ("2", "cumulative"),
        ("tot", "tottime"),
        ("1", "time"),
        ("0", "calls"),
        ("-1", "stdname"),
    ] {
        assert_eq!(names(&["--sort", a]), names(&["--sort", b]), "{a} {b}");
    }
    assert_eq!(names(&["--sort", "calls,cumtime"]), names(&["--sort", "calls", "--sort", "cumulative"]));
    assert_ne!(names(&["--sort", "calls,cumtime"]), names(&["--sort", "calls,name"]));
}

#[test]
fn a_file_in_which_nothing_took_time_says_so_and_blames_no_filter() {
    let text = stdout(&["report", &path("all-zero-times.prof")]);
    assert!(text.contains("All times in this file are 0") && text.contains("shows the 4 calls"), "{text}");
    assert!(!text.contains("Clear them"), "{text}");
}

#[test]
fn odd_names_are_one_line_each() {
    let text = stdout(&["report", &path("odd-names.prof")]);
    assert!(
        !text.contains('\u{1b}')
            && text.contains("/srv/app/multi␊line.py:1")
            && text.contains("tab␉name␛[31mred"),
        "{text}"
    );
    assert!(text.contains("/srv/bad\\xff\\xfename/mod.py:3") && text.contains("decode\\xe9 "), "{text}");
    assert!(text.contains("\\\\server\\share\\dir\\b.py:1") && text.contains("<genexpr>"), "{text}");
}

#[test]
fn functions_of_one_line_and_name_are_no_threads() {
    // Two generators on one line: cProfile keeps one of them.
    let j = json("one-line-lambdas.prof");
    let said = warnings(&j);
    assert!(said.contains("same file, line and name") && said.contains("269 ms of 147 ms"), "{said}");
    assert!(!said.contains("calls of several threads are mixed up: "), "{said}");
    assert_eq!(j["duration_ns"].as_i64().map(|ns| ns / 1_000_000), Some(268));
}
