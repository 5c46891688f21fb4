//! Every view shows two runs, and two that are the same show no difference.

use std::sync::Arc;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::testing::{Stage, harness, rows};
use super::{VIEWS, fixture, view};
use crate::analysis::testing::profile;
use crate::model::Profile;
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
