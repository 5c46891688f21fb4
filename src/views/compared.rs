//! Every view shows two runs, and two that are the same show no difference.

use std::sync::Arc;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::testing::{Stage, harness, rows};
use super::{VIEWS, fixture, view};
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::matches::rule;
use crate::analysis::testing::{pair, profile, symbol};
use crate::model::Profile;
use crate::query::Subject;
use crate::state::{Command, Item};

fn two(id: &str, base: &Arc<Profile>, head: &Arc<Profile>) -> Harness<'static, Stage> {
    let kind = view(id).unwrap();
    harness(Stage::pair(kind.id, base.clone(), head.clone()))
}

fn texts(h: &Harness<'_, Stage>) -> Vec<String> {
    let nodes = h.query_all(egui_kittest::kittest::By::new());
    nodes.filter_map(|n| n.accesskit_node().label().or_else(|| n.accesskit_node().value())).collect()
}

#[test]
fn every_view_shows_two_runs_of_any_kind() {
    let session = Arc::new(fixture::session());
    let graph = profile("fn main 1 5 100; fn f 200/10 30 40; main -> f 200/10 30 40");
    let spans = profile("main 0 100 / f 10 40 / g 20 30; g 60 70");
    for kind in VIEWS {
        for (base, head) in [(&session, &session), (&graph, &spans), (&spans, &session), (&session, &graph)] {
            let stage = Stage::pair(kind.id, base.clone(), head.clone());
            if kind.can_show(&stage.subject).is_err() {
                continue;
            }
            let mut h = harness(stage);
            h.run_ok();
            assert!(!texts(&h).is_empty(), "{} shows nothing", kind.id);
            let selected = Item::of_function(crate::model::FunctionId(0), base);
            h.state_mut().send(Command::Select(Some(selected)));
            h.run_ok();
            h.state_mut().send(Command::Search("a".into()));
            h.run_ok();
        }
    }
}

#[test]
fn a_run_compared_with_itself_shows_no_difference() {
    let p = profile("main 0 100000 / f 10000 40000 / g 20000 30000; g 60000 70000");
    for id in ["functions", "calltree"] {
        let rows = rows(&two(id, &p, &p));
        assert!(!rows.is_empty() && rows.iter().all(|row| row.contains("change 0")), "{id}: {rows:?}");
    }
    let h = two("summary", &p, &p);
    assert!(h.query_by_label_contains("Both runs take the same").is_some());
    assert!(h.query_by_label_contains("Takes more").is_none());
}

/// True when a view says it: as a text, or as the name of something.
fn says(h: &Harness<'_, Stage>, what: &str) -> bool {
    texts(h).iter().any(|text| text.contains(what))
}

#[test]
fn r03_one_factor_holds_in_every_view_and_is_said_there() {
    let base = profile("main 0 70000 / f0 0 7000 / hot 7000 14000");
    let head = profile("main 0 140000 / f0 0 7000 / hot 7000 84000");
    let line = "14.0 µs → 77.0 µs, +63.0 µs (+450 %); recorded 7.00 µs → 77.0 µs";
    for id in ["functions", "calltree", "callers", "flame", "treemap", "graph", "source", "summary"] {
        let mut stage = Stage::pair(id, base.clone(), head.clone());
        stage.send(Command::SetNormalise(Normalise::Total));
        stage.send(Command::Select(Some(Item::Function(symbol(&head, "hot")))));
        let mut h = harness(stage);
        h.run_ok();
        if id != "source" {
            assert!(says(&h, "Same total: baseline × 2.0000"), "{id}: {:?}", texts(&h));
        }
        match id {
            // The base is twice what was recorded: 14 of 7.
            "functions" => {
                assert!(rows(&h)[0].starts_with("hot, base 14.00 µs, head 77.00 µs, change +63.00"))
            }
            "graph" => assert!(says(&h, "hot +63.0 µs (+450 %)"), "{:?}", texts(&h)),
            "callers" => assert!(says(&h, &format!("self {line}")), "{:?}", texts(&h)),
            "flame" => assert!(says(&h, &format!("hot {line}")), "{:?}", texts(&h)),
            "summary" => assert!(says(&h, "hot +63.0 µs"), "{:?}", texts(&h)),
            _ => {}
        }
    }
}

#[test]
fn what_costs_cannot_be_related_to_says_so_in_every_view() {
    let p = profile("main 0 70000 / f 0 7000");
    for id in ["functions", "calltree", "callers", "flame", "treemap", "graph", "summary"] {
        let mut stage = Stage::pair(id, p.clone(), p.clone());
        stage.send(Command::SetNormalise(Normalise::Request));
        let mut h = harness(stage);
        h.run_ok();
        assert!(
            says(&h, "Per request is not possible here, as recorded: the baseline has no request"),
            "{id}"
        );
    }
}

#[test]
fn r06_where_only_shares_compare_no_view_subtracts_costs() {
    let base = profile("main>alpha 10; main>beta 10");
    let mut head = (*profile("main>alpha 300; main>beta 900")).clone();
    head.metrics[0].label = "Samples".into();
    let head = Arc::new(head);
    let mut h = harness(Stage::pair("graph", base.clone(), head.clone()));
    h.run_ok();
    assert!(says(&h, "beta +25.0 points") && says(&h, "alpha −25.0 points"), "{:?}", texts(&h));
    assert!(says(&h, "main ="), "main is all of both: {:?}", texts(&h));
    let mut h = harness(Stage::pair("summary", base, head));
    h.run_ok();
    assert!(says(&h, "beta +25.0 points") && says(&h, "alpha −25.0 points"), "{:?}", texts(&h));
}

#[test]
fn r09_a_function_that_was_paired_with_another_name_says_so() {
    let mut pair =
        pair("fn decode_v1 1 50000 50000; fn load 1 2 2", "fn decode_v2 1 70000 70000; fn load 1 2 2");
    pair.alignment.rules = vec![rule("_v[0-9]+$", "").unwrap()];
    let kind = view("functions").unwrap();
    let subject = Subject::Pair(pair);
    let h = harness(Stage::of(kind, kind.make_for(&subject), subject));
    let first = rows(&h)[0].clone();
    assert!(first.starts_with("decode_v2 (base: decode_v1), base 50.000 µs, head 70.000 µs"), "{first}");
    assert!(first.ends_with("by rule"), "{first}");
}

#[test]
fn functions_without_files_are_told_as_such_and_not_as_costs() {
    let mut h = two("source", &profile("main>a 10"), &profile("main>a 20"));
    h.run_ok();
    assert!(says(&h, "Neither run says in which files its functions are defined"), "{:?}", texts(&h));
}

#[test]
fn details_of_two_runs_are_one_list_with_the_change_first() {
    let (base, head) = (profile("main 0 100000 / f 0 40000"), profile("main 0 100000 / f 0 60000"));
    let mut stage = Stage::pair("details", base, head.clone());
    let empty = {
        let mut h = harness(Stage::pair("details", head.clone(), head.clone()));
        h.run_ok();
        texts(&h).iter().filter(|text| text.contains("Nothing selected")).count()
    };
    assert_eq!(empty, 1);
    stage.send(Command::Select(Some(Item::Function(symbol(&head, "f")))));
    let mut h = harness(stage);
    h.run_ok();
    assert!(says(&h, "Self 40.0 µs → 60.0 µs, +20.0 µs (+50.0 %)"), "{:?}", texts(&h));
}

#[test]
fn rows_tell_base_head_and_change_and_sort_by_them() {
    let base = profile("fn decode 10 100000 100000; fn load 1 50000 50000; fn old 1 7000 7000");
    let head = profile("fn decode 74 490000 490000; fn load 1 28000 28000; fn new 1 2000 2000");
    let mut h = two("functions", &base, &head);
    let first = rows(&h);
    assert_eq!(first[0], "decode, base 100.00 µs, head 490.00 µs, change +390.00 µs");
    let names = |h: &Harness<'_, Stage>| -> Vec<String> {
        rows(h).iter().map(|r| r.split(',').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&h), ["decode", "load", "old", "new"]);
    h.get_by_label("Takes less").click();
    h.run();
    assert_eq!(names(&h), ["load", "old"]);
    h.get_by_label("New").click();
    h.run();
    assert_eq!(names(&h), ["new"]);
    assert!(rows(&h)[0].ends_with("new"), "{:?}", rows(&h));
}
