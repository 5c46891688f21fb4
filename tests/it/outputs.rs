//! What reports, exports and views say is one truth: costs add up to the total that is stated, wherever they stand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferscope::analysis::every_metric::EveryMetric;
use inferscope::analysis::overview::Summary;
use inferscope::analysis::{Costs, Functions, Slice};
use inferscope::exchange::{self, Asked};
use inferscope::format;
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use inferscope::model::{MetricId, Profile};
use inferscope::query::{Engine, Query, Run};
use serde_json::Value;

use crate::support::{file, report, samples, stdout};

fn open(path: &Path) -> Profile {
    import::open_whole(&Input::Path(path.to_owned()), &Job::new())
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn opened(bytes: Vec<u8>) -> Profile {
    import::open_whole(&Input::Bytes("again".into(), bytes.into()), &Job::new()).unwrap()
}

fn ask<Q: Query>(profile: &Arc<Profile>, query: &Q) -> Arc<Q::Output> {
    let run = Run::of(profile.clone());
    Engine::inline().now(&run, query, &Job::new()).unwrap()
}

/// What is written in a format, or why nothing is.
fn written(profile: &Arc<Profile>, id: &str, metric: Option<MetricId>) -> Result<(Vec<u8>, String), String> {
    let mut bytes = Vec::new();
    let metric = metric.map(|id| profile.metric_key(id));
    let asked = Asked { metric, ..Asked::all(profile.clone()) };
    let said = exchange::write(exchange::format(id).unwrap(), &asked, &mut bytes);
    said.map(|said| (bytes, said.join("\n"))).map_err(|e| e.to_string())
}

/// Self times in a speedscope file, added up without any of our own reading.
fn speedscope_sum(bytes: &[u8]) -> i64 {
    let json: Value = serde_json::from_slice(bytes).unwrap();
    let mut sum = 0;
    for profile in json["profiles"].as_array().unwrap() {
        // Other metrics, which may be times, too.
        if profile["unit"] != "nanoseconds" || profile["metric"].is_string() {
            continue;
        }
        if profile["type"] == "sampled" {
            let samples = profile["samples"].as_array().unwrap().iter();
            let weights = profile["weights"].as_array().unwrap().iter();
            let counted = samples.zip(weights).filter(|(s, _)| !s.as_array().unwrap().is_empty());
            sum += counted.map(|(_, w)| w.as_i64().unwrap()).sum::<i64>();
            continue;
        }
        let (mut depth, mut from) = (0, 0);
        for event in profile["events"].as_array().unwrap() {
            let at = event["at"].as_i64().unwrap();
            if event["type"] == "O" {
                from = if depth == 0 { at } else { from };
                depth += 1;
            } else {
                depth -= 1;
                sum += if depth == 0 { at - from } else { 0 };
            }
        }
        assert_eq!(depth, 0);
    }
    sum
}

fn folded_sum(bytes: Vec<u8>) -> i64 {
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(|l| l.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap()).sum()
}

/// Self costs of a CSV table in a column; no cell before it holds a quoted comma.
fn csv_sum(text: &str, heading: &str) -> i64 {
    let cells = |line: &str| {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    let mut lines = text.lines();
    let at = cells(lines.next().unwrap()).iter().position(|h| h.starts_with(heading)).unwrap();
    lines.map(|line| cells(line)[at].parse::<i64>().unwrap()).sum()
}

fn inputs() -> Vec<PathBuf> {
    let mut all = samples(&file("sample_profiles"));
    all.extend(samples(&file("tests/data/reports/output")));
    all
}

#[test]
fn self_costs_add_up_to_the_stated_total_in_every_output_of_every_sample() {
    for path in inputs() {
        let shown = path.display();
        let profile = Arc::new(open(&path));
        let json = report(&path);
        let text = stdout(&["report", &path.to_string_lossy()]);
        let (csv, _) = written(&profile, "csv", None).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let rows = ask(&profile, &EveryMetric::default());
        for (i, metric) in profile.metric_ids().enumerate() {
            let m = profile.metric(metric);
            let stated = json["totals"][&m.key]["value"].as_i64().unwrap();
            let of_json =
                json["functions"].as_array().unwrap().iter().map(|f| f["self"][&m.key].as_i64().unwrap());
            assert_eq!(of_json.sum::<i64>(), stated, "{shown}: JSON, {}", m.key);
            let line = format!("{:<14} {} in ", m.label, format::cost(m.unit, stated));
            assert!(text.contains(&line), "{shown}: text has no «{line}»\n{text}");
            assert_eq!(csv_sum(&csv, &format!("self {} (", m.key)), stated, "{shown}: CSV, {}", m.key);
            assert_eq!(rows.iter().map(|r| r.costs[i].0).sum::<i64>(), stated, "{shown}: {}", m.key);
            let slice = Slice::whole(profile.metric_key(metric));
            let table = ask(&profile, &Functions(slice.clone()));
            assert_eq!(
                (table.own_sum, table.rows.iter().map(|r| r.own).sum()),
                (stated, stated),
                "{shown}: table"
            );
            // Outermost calls may cost more than all functions have as their own.
            assert!(table.whole.total >= stated, "{shown}: table");
            if profile.span_count() + profile.sample_count() == 0 {
                continue;
            }
            let costs = ask(&profile, &Costs(slice));
            assert_eq!(
                (costs.whole.total, costs.own.iter().sum()),
                (stated, stated),
                "{shown}: call tree, {}",
                m.key
            );
            match written(&profile, "folded", Some(metric)) {
                Ok((bytes, said)) if !said.contains("below 0") => {
                    assert_eq!(folded_sum(bytes), stated, "{shown}: folded, {}", m.key);
                }
                Ok(_) => {}
                Err(why) => assert!(stated == 0, "{shown}: folded, {}: {why}", m.key),
            }
        }
        formats_with_paths(&path, &profile);
    }
}

/// Formats that hold paths: what they say by themselves, and when opened again.
fn formats_with_paths(path: &Path, profile: &Arc<Profile>) {
    let shown = path.display();
    let Some(time) = profile.time_metric() else { return };
    let total = |p: &Arc<Profile>| {
        let totals = &ask(p, &Summary::default()).totals;
        p.time_metric().map_or(0, |time| totals[time.index()].sum)
    };
    let stated = total(profile);
    for id in ["native", "speedscope", "chrome"] {
        match written(profile, id, None) {
            Ok((bytes, said)) if !said.contains("below 0") && !said.contains("left out") => {
                if id == "speedscope" {
                    assert_eq!(speedscope_sum(&bytes), stated, "{shown}: {id} by itself");
                }
                if profile.is_timed() || profile.sample_count() > 0 || id == "native" {
                    let again = Arc::new(opened(bytes));
                    assert_eq!(total(&again), stated, "{shown}: {id} opened again; {said}");
                }
            }
            Ok((_, said)) => assert!(said.contains("sample"), "{shown}: {id}: {said}"),
            Err(why) => {
                let has_paths = profile.span_count() + profile.sample_count() > 0;
                assert!(why.contains("save it as"), "{shown}: {id}: {why}");
                assert!(!has_paths || (id == "chrome" && !profile.is_timed()), "{shown}: {id}: {why}");
            }
        }
    }
    assert!(profile.metric(time).formula.is_empty());
}

fn input(name: &str) -> PathBuf {
    file("tests/data/reports/output").join(name)
}

/// Calls, samples, self and total time in µs of a function of a JSON report; `None` when it is not listed.
fn row(json: &Value, name: &str) -> Option<(Option<u64>, Option<u64>, f64, f64)> {
    let row = json["functions"].as_array().unwrap().iter().find(|f| f["name"] == name)?;
    let micros = |key: &str| row[key]["time"].as_i64().unwrap() as f64 / 1000.0;
    Some((row["calls"].as_u64(), row["samples"].as_u64(), micros("self"), micros("total")))
}

fn total_micros(json: &Value) -> f64 {
    json["totals"]["time"]["value"].as_i64().unwrap() as f64 / 1000.0
}

#[test]
fn phases_are_no_functions_in_any_list() {
    let path = input("phases.json");
    let json = report(&path);
    assert_eq!(total_micros(&json), 600.0);
    assert_eq!(row(&json, "aten::addmm"), Some((Some(3), None, 450.0, 450.0)));
    assert_eq!(row(&json, "aten::linear"), Some((Some(3), None, 150.0, 600.0)));
    assert_eq!((row(&json, "PyTorch Profiler (0)"), json["functions"].as_array().unwrap().len()), (None, 2));
    assert_eq!(
        (&json["phases"][0]["name"], &json["phases"][0]["total_ns"]),
        (&"PyTorch Profiler (0)".into(), &1_000_000.into())
    );
    let profile = Arc::new(open(&path));
    for id in ["csv", "folded", "speedscope"] {
        let (bytes, said) = written(&profile, id, None).unwrap();
        assert!(!String::from_utf8(bytes).unwrap().contains("PyTorch Profiler"), "{id}");
        assert!(said.contains("1 phase"), "{id}: {said}");
    }
    let (bytes, _) = written(&profile, "chrome", None).unwrap();
    let again = Arc::new(opened(bytes));
    assert_eq!(ask(&again, &Summary::default()).phases.shares.len(), 1, "it is a phase again");
}

#[test]
fn spans_and_samples_of_a_thread_are_the_same_time() {
    let path = input("spans-and-samples.json");
    let check = |json: &Value, what: &str| {
        assert_eq!(total_micros(json), 5000.0, "{what}");
        assert_eq!(json["samples"], 6, "{what}");
        assert_eq!(row(json, "RunTask"), Some((Some(1), Some(0), 0.0, 4000.0)), "{what}");
        assert_eq!(row(json, "handler"), Some((None, Some(4), 4000.0, 4000.0)), "{what}");
        assert_eq!(row(json, "(idle)"), Some((None, Some(2), 1000.0, 1000.0)), "{what}");
    };
    let json = report(&path);
    check(&json, "the file");
    assert_eq!(json["duration_ns"], 5_000_000);
    let text = stdout(&["report", &path.to_string_lossy()]);
    assert!(
        text.contains("5.00 ms in all outermost spans of all tracks but phases, and samples outside"),
        "{text}"
    );
    let line = text.lines().find(|l| l.contains("  RunTask") && l.trim_start().starts_with('1'));
    assert!(line.is_some(), "its call is shown: {text}");
    let folder = crate::support::folder("mixed");
    let trace = folder.join("again.trace.json");
    stdout(&["export", &path.to_string_lossy(), "-o", &trace.to_string_lossy()]);
    check(&report(&trace), "a Chrome trace of it");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn rows_of_calls_without_an_end_say_so_and_can_be_left_out() {
    let path = input("unfinished.json").to_string_lossy().into_owned();
    let text = stdout(&["report", &path]);
    let lines: Vec<_> = text.lines().filter(|l| l.contains("wait")).collect();
    assert!(!lines.is_empty() && lines.iter().all(|l| l.contains("≥ ")), "{text}");
    assert!(
        lines.iter().any(|l| l.ends_with("wait (1 unfinished)")) && text.contains("Unfinished"),
        "{text}"
    );
    assert!(!text.lines().any(|l| l.contains("work") && l.contains('≥')), "{text}");
    let json = report(Path::new(&path));
    let unfinished = |name: &str| {
        json["functions"].as_array().unwrap().iter().find(|f| f["name"] == name).unwrap()["unfinished"]
            .clone()
    };
    assert_eq!((unfinished("wait"), unfinished("work")), (1.into(), 0.into()));
    let finished: Value = serde_json::from_str(&stdout(&["report", "--json", "--finished", &path])).unwrap();
    assert_eq!(row(&finished, "wait"), Some((Some(1), None, 2.0, 2.0)));
    assert_eq!(row(&finished, "work"), Some((Some(2), None, 20.0, 20.0)));
    assert_eq!(total_micros(&finished), 22.0);
    let folder = crate::support::folder("finished");
    let csv = folder.join("x.csv").to_string_lossy().into_owned();
    stdout(&["export", &path, "--finished", "-o", &csv]);
    assert_eq!(csv_sum(&std::fs::read_to_string(&csv).unwrap(), "self time"), 22_000);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn functions_of_one_name_stay_apart_in_a_chrome_trace() {
    let profile = Arc::new(open(&input("viz-names.json")));
    let (bytes, _) = written(&profile, "chrome", None).unwrap();
    let again = Arc::new(opened(bytes));
    let rows = ask(&again, &EveryMetric::default());
    let mut shown: Vec<_> = rows
        .iter()
        .map(|r| {
            let f = again.functions.get(r.symbol.function());
            let (own, total) = r.costs[0];
            let place = format!("{}:{}", again.text(f.file), f.line);
            (
                again.text(f.name).to_owned(),
                place,
                again.text(f.category).to_owned(),
                own / 1000,
                total / 1000,
            )
        })
        .collect();
    shown.sort();
    let row = |name: &str, place: &str, own, total| {
        (name.to_owned(), place.to_owned(), "fee".to_owned(), own, total)
    };
    assert_eq!(
        shown,
        [
            row("load", "/app/b.py:3", 20, 20),
            row("run", "/app/a.py:1", 30, 30),
            row("run", "/app/b.py:9", 50, 70)
        ]
    );
}

#[test]
fn a_text_report_costs_by_the_lines_that_it_prints() {
    for name in ["deep-x-20000.json.gz", "same-times-20000.json.gz"] {
        let text = stdout(&["report", &input(name).to_string_lossy()]);
        assert!(text.contains("Call tree") && text.contains("smaller or deeper"), "{name}\n{text}");
    }
    // Whoever looks at all callers of every call takes hours for this one.
    let frames = 300_000;
    let names: Vec<String> = (0..frames).map(|i| format!("{{\"name\":\"f{}\"}}", i % 7)).collect();
    let stack: Vec<String> = (0..frames).map(|i| i.to_string()).collect();
    let text = format!(
        "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"shared\":{{\"frames\":[{}]}},\
         \"profiles\":[{{\"type\":\"sampled\",\"name\":\"t\",\"unit\":\"nanoseconds\",\"startValue\":0,\"endValue\":5,\
         \"samples\":[[{}]],\"weights\":[5]}}]}}",
        names.join(","),
        stack.join(",")
    );
    let folder = crate::support::folder("deep");
    let path = folder.join("deep.speedscope.json");
    std::fs::write(&path, text).unwrap();
    let text = stdout(&["report", &path.to_string_lossy()]);
    assert!(text.contains("smaller or deeper"), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}
