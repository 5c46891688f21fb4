use super::*;
use crate::analysis::Scope;
use crate::analysis::testing::{ask, profile, subject};

fn names(text: &str, filter: &str) -> Vec<String> {
    let s = subject(text);
    let kind = if s.profile.span_count() > 0 { Kind::Spans } else { Kind::Samples };
    let query = FilterRows {
        filter: filter.into(),
        kind,
        scope: Scope::default(),
        range: None,
        prices: Default::default(),
    };
    let found = ask(&s, &query);
    let found = found.as_ref().as_ref().expect("a filter");
    found
        .rows
        .iter()
        .map(|row| match *row {
            Row::Span(track, at) => {
                let span = &s.profile.track(track).spans.rows[at as usize];
                s.profile.function_name(span.function).to_owned()
            }
            Row::Sample(_, at) => at.to_string(),
            Row::Request(id) => id.0.to_string(),
        })
        .collect()
}

const SPANS: &str =
    "main 0 100 / load@io 10 40 / parse@json 20 30; decode@llm 50 95 / step@llm 60 70; step@llm 75 90";

#[test]
fn terms_join_alternatives_part_and_a_dash_turns_round() {
    assert_eq!(names(SPANS, ""), ["main", "decode", "load", "step", "parse", "step"]);
    assert_eq!(names(SPANS, "name:step dur>10ns"), ["step"]);
    assert_eq!(names(SPANS, "dur>=45ns"), ["main", "decode"]);
    assert_eq!(names(SPANS, "module=llm -name=step"), ["decode"]);
    assert_eq!(names(SPANS, "name=load | name=parse"), ["load", "parse"]);
    assert_eq!(names(SPANS, "stack:decode"), ["decode", "step", "step"]);
    assert_eq!(names(SPANS, "depth=0 | start>=75ns"), ["main", "step"]);
    assert_eq!(names(SPANS, "name!=main dur>20ns"), ["decode", "load"]);
    assert_eq!(names(SPANS, "LLM"), ["decode", "step", "step"], "a bare word, as the search takes it");
}

#[test]
fn what_a_row_does_not_have_picks_nothing_even_negated() {
    assert!(names(SPANS, "model:gpt").is_empty() && names(SPANS, "-model:gpt").is_empty());
    assert!(names("main>a 3; main>b 2", "dur>1ns").is_empty(), "samples have no length");
    assert_eq!(names("main>a 3; main>b 2", "name:b").len(), 1);
    assert_eq!(names("main>a 3; main>b 2", "stack=main").len(), 2);
}

#[test]
fn what_is_wrong_is_named_with_an_example() {
    let wrong = |text: &str| Filter::read(text).expect_err(text);
    assert!(wrong("lenght>3ms").starts_with("no field is called «lenght»; there are name, file"));
    assert_eq!(wrong("dur>10"), "dur>10: a time has a unit (ns, us, ms, s, min), as in dur>10ms");
    assert_eq!(wrong("name>x"), "name>x: texts are compared by : = or !=, as in name:decode");
    assert_eq!(wrong("output>many"), "output>many: a number is wanted, as in output>200");
    assert_eq!(wrong("model="), "after model= a value is missing, as in model=gpt-4o");
    assert!(wrong("name:\"a").contains("quotation mark"));
    assert!(wrong(" | ").contains("stands between"));
    assert!(Filter::read("  ").expect("empty").is_none());
    for name in ["std::vector", "a>b::c", "-x", "0x1f", "5%"] {
        let _ = Filter::read(name);
    }
    assert!(Filter::read("std::vector").is_ok(), "a name of C++ is no field");
}

#[test]
fn every_example_of_the_documentation_is_read() {
    for field in FIELDS {
        assert!(Filter::read(field.example).is_ok(), "{}", field.example);
        assert!(field.names.contains(&field.example.split([':', '=', '<', '>']).next().unwrap_or("")));
    }
}

#[test]
fn functions_are_told_by_names_alone() {
    let p = profile(SPANS);
    let is = |filter: &str, name: &str| {
        let f = crate::analysis::testing::function(&p, name);
        Filter::read(filter).expect("read").expect("some").of(&p).function(f)
    };
    assert!(is("name:step", "step@llm") && !is("name:step", "main"));
    assert!(!is("dur>1ns", "main"), "no function has a length");
}

#[test]
fn a_filter_leaves_in_every_pane_what_runs_under_its_calls() {
    use crate::analysis::{Costs, Slice, Transform};
    use crate::model::NameKey;
    let total = |text: &str, filter: &str| {
        let s = subject(text);
        let scope =
            Scope { tracks: Vec::new(), transforms: vec![Transform::FocusMatches(NameKey::from(filter))] };
        let costs = ask(&s, &Costs(Slice { scope, ..Slice::default() }));
        costs.own.iter().sum::<i64>()
    };
    assert_eq!(total(SPANS, "name:step dur>10ns"), 15);
    assert_eq!(total(SPANS, "name:decode"), 45);
    assert_eq!(total(SPANS, "dur>1s"), 0);
    assert_eq!(total("main>a>b 3; main>b 2; main 1", "name=a | name=b"), 5);
    assert_eq!(total("main>a>b 3; main>b 2; main 1", "dur>1ns"), 0, "samples are no calls");
}

proptest::proptest! {
    /// Whatever is typed is a filter or an error, and reading it ends.
    #[test]
    fn anything_can_be_typed(text in ".{0,60}") {
        if let Ok(Some(filter)) = Filter::read(&text) {
            let p = profile(SPANS);
            let bound = filter.of(&p);
            for row in 0..6 {
                let _ = bound.span(TrackId(0), row);
            }
        }
    }
}
