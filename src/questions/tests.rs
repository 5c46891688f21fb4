//! Questions asked of small profiles.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::analysis::testing::subject;
use crate::model::{FunctionSpec, ProfileBuilder};

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
