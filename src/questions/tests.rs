//! Questions asked of small profiles.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::analysis::testing::subject;
use crate::model::{ArgsRef, FunctionSpec, Outcome, ProfileBuilder, Request, TrackKind, TrackSpec};

fn ask(run: &Run, name: &str, values: &[(&str, &str)], whole: bool) -> Result<Sheet, Refusal> {
    let mut given = Values::default();
    values.iter().for_each(|(name, value)| given.set(name, *value));
    let files = [Opened::new(Path::new("run.json"), run.clone())];
    question(name).unwrap().ask(&Asked {
        files: &files,
        values: &given,
        engine: &Engine::inline(),
        job: &Job::new(),
        door: Door::Cli,
        whole,
        texts: false,
        prices: Prices::carried_alone(),
        sources: SourcesFrom::Anywhere,
    })
}

fn text(run: &Run, name: &str, values: &[(&str, &str)]) -> String {
    ask(run, name, values, false).map_or_else(|refusal| refusal.0, |sheet| sheet.text().text().to_owned())
}

fn rows(run: &Run, name: &str, part: &str) -> usize {
    ask(run, name, &[], true).unwrap().json()[part].as_array().map_or(0, Vec::len)
}

#[test]
fn all_gaps_are_listed_where_there_is_room() {
    let mut steps = "[main]".to_owned();
    (0..300).for_each(|i| write!(steps, ";work {} {}", i * 100, i * 100 + 60).unwrap());
    let run = subject(&steps);
    let listed = |values| text(&run, "gaps", values).lines().filter(|l| l.contains(" at ")).count();
    assert_eq!(listed(&[("over", "0ms"), ("budget", "100000")]), 299);
    assert_eq!(listed(&[("over", "0ms"), ("budget", "100000"), ("top", "200")]), 200);
    let few = text(&run, "gaps", &[("over", "0ms"), ("budget", "100000"), ("top", "200")]);
    assert!(few.contains("… 99 more; --top 400"), "{few}");
    assert_eq!(rows(&run, "gaps", "largest"), 299);
}

#[test]
fn waits_that_are_left_out_are_counted() {
    let waits = ["poll", "select", "futex", "nanosleep", "recv", "accept", "epoll_wait", "waitpid"];
    let mut steps = "[main];work 0 100".to_owned();
    (1..).zip(waits).for_each(|(i, name)| write!(steps, ";{name} {} {}", i * 100, i * 100 + 50).unwrap());
    let run = subject(&steps);
    let said = text(&run, "hot", &[]);
    assert!(said.contains("… 3 more with 37.5 % of all waits; --top 10"), "{said}");
    assert_eq!(rows(&run, "hot", "waits"), waits.len());
}

#[test]
fn a_tree_as_values_has_all_paths() {
    let mut steps = "[main]".to_owned();
    (0..300).for_each(|i| write!(steps, ";function_{i} {} {}", i * 100, i * 100 + 60).unwrap());
    assert_eq!(rows(&subject(&steps), "tree", "paths"), 300);
}

#[test]
fn a_summary_of_a_part_has_its_length() {
    let run = subject("[main];work 0 1000; wait 1000 4000");
    let sheet = ask(&run, "summary", &[("range", "500ns..1500ns")], true).unwrap();
    assert_eq!(sheet.json()["elapsed_ns"], 1000);
    assert!(sheet.text().text().contains("elapsed 1.00 µs"), "{}", sheet.text().text());
}

#[test]
fn a_label_of_an_answer_names_its_function() {
    let mut b = ProfileBuilder::new("test");
    let mut add = |name, file, line| b.function(FunctionSpec { name, file, line, ..FunctionSpec::default() });
    add("_parse", "/src/gettext.py", 329);
    add("_parse", "C:\\src\\a\\b.py", 7);
    let run = Run::of(std::sync::Arc::new(b.finish()));
    let files = [Opened::new(Path::new("run.json"), run)];
    let asked = |text: &str| {
        let asked = Asked {
            files: &files,
            values: &Values::default(),
            engine: &Engine::inline(),
            job: &Job::new(),
            door: Door::Cli,
            whole: false,
            texts: false,
            prices: Prices::carried_alone(),
            sources: SourcesFrom::Anywhere,
        };
        asked.function(text)
    };
    for label in ["_parse gettext.py:329 f0", "_parse f0", "f0 _parse /src/gettext.py:329 1.2 ms, 3 calls"] {
        assert_eq!(asked(label).map(|f| f.0), Ok(0), "{label}");
    }
    let refused = asked("_pars gettext.py:329").unwrap_err().0;
    assert!(refused.contains("_parse"), "{refused}");
    assert!(asked("other gettext.py:329 f0").is_err(), "a handle of another file's function");
    let profile = &files[0].run.profile;
    for source in ["C:\\src\\a\\b.py", "a/b.py", "a\\b.py"] {
        assert!(lines::of_file(profile, source).is_ok_and(|found| found.1.0 == 1), "{source}");
    }
}

#[test]
fn groups_tell_waits_from_work() {
    let run = subject("[main];work@app 0 100;poll@app 100 900;select@app 900 950;load@lib 950 1000");
    let said = text(&run, "hot", &[("group", "module")]);
    let lines: Vec<&str> = said.lines().collect();
    let at =
        |text: &str| lines.iter().position(|l| l.contains(text)).unwrap_or_else(|| panic!("{text}: {said}"));
    assert!(lines[at("module") + 1].starts_with("100 ns 10.0 % 1 1 app"), "{said}");
    assert!(lines[at("waits, ") + 1].starts_with("850 ns 85.0 % 2 2 app"), "{said}");
    assert!(at("5.0 % 1 1 lib") < at("waits, 850 ns (85.0 %)"), "{said}");
    assert_eq!(
        ask(&run, "hot", &[("group", "module")], true).unwrap().json()["waits"].as_array().unwrap().len(),
        1
    );
}

/// Three requests of two models on one thread, one after the other.
fn requests() -> Run {
    let mut b = ProfileBuilder::new("test");
    for (i, model) in ["small", "large", "small"].into_iter().enumerate() {
        let (name, model) = (b.string(&format!("call {i}")), b.string(model));
        let arrived = i as i64 * 1000;
        b.request(Request {
            name,
            model,
            arrived,
            finished: Some(arrived + 1500),
            outcome: Outcome::Ok,
            ..Request::default()
        });
    }
    Run::of(std::sync::Arc::new(b.finish()))
}

#[test]
fn requests_of_a_time_are_those_in_flight_and_the_first_line_says_so() {
    let said = text(&requests(), "requests", &[("range", "900ns..1400ns")]);
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("2 requests, "), "{said}");
    assert!(
        first.ends_with("; those in flight in 900 ns..1.4 µs, each counted whole, 1 arrived before"),
        "{said}"
    );
    let summary = text(&requests(), "summary", &[("range", "900ns..1400ns")]);
    assert!(summary.contains("2 requests, "), "{summary}");
}

#[test]
fn handles_of_requests_are_taken_where_a_request_or_its_time_is_meant() {
    let run = requests();
    let one = text(&run, "requests", &[("model", "r1")]);
    assert!(one.starts_with("1 request, ") && one.contains("call 1 large r1"), "{one}");
    let beside = text(&run, "requests", &[("range", "r2")]);
    assert!(beside.starts_with("2 requests, ") && !beside.contains(" r0"), "{beside}");
    let refused = text(&run, "callers", &[("function", "r1")]);
    assert!(!refused.contains("near names"), "{refused}");
    assert!(text(&run, "requests", &[("range", "r9")]).contains("is no time"));
}

#[test]
fn a_label_of_a_track_names_it() {
    let run = subject("[main];work 0 100;[other];work 0 50");
    let hot = |thread: &str| text(&run, "hot", &[("thread", thread)]);
    assert_eq!(hot("t1 other"), hot("t1"));
    assert!(hot("t1 main").contains("no thread has"), "a handle of another file's thread");
}

#[test]
fn stages_of_one_name_are_told_apart_by_their_starts() {
    let mut b = ProfileBuilder::new("test");
    let task = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Task, sort: 0 });
    for (name, start, end) in [("ask", 0, 4000), ("load", 4000, 5000), ("ask", 5000, 11_000)] {
        let function = b.function(FunctionSpec { name, ..FunctionSpec::default() });
        b.span(task, start, end, function, ArgsRef::NONE);
    }
    let said = text(&Run::of(std::sync::Arc::new(b.finish())), "gaps", &[("path", "true")]);
    for what_if in ["without ask at 5.00 µs", "without ask at 0 s\n", "without load;"] {
        assert!(said.contains(what_if), "{what_if}: {said}");
    }
    assert!(!said.contains("more with"), "all of it is there: {said}");
}
