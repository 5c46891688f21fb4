use egui_kittest::kittest::Queryable;

use super::*;
use crate::analysis::Transform;
use crate::analysis::testing::profile;
use crate::views::testing::{Stage, harness};

const SPANS: &str = "main 0 100 / load@io 10 40; decode@llm 50 95 / step@llm 60 70; step@llm 75 90";

fn stage(text: &str) -> Stage {
    let mut stage = Stage::new(KIND.id, profile(SPANS));
    stage
        .view
        .load(&serde_json::json!({ "kind": null, "text": text, "sort": ["length", false], "columns": {} }));
    stage
}

#[test]
fn a_filter_lists_what_it_picks_with_statistics() {
    let h = harness(stage("name:step"));
    assert!(h.query_by_label("step 15 ns").is_some() && h.query_by_label("step 10 ns").is_some());
    assert!(h.query_by_label("main 100 ns").is_none());
    let footer = "2 of 5 spans · 25 ns together · median 13 ns · p95 15 ns · longest 15 ns";
    assert!(h.query_by_label(footer).is_some());
}

#[test]
fn a_row_is_selected_everywhere_and_the_filter_becomes_that_of_all_panes() {
    let mut h = harness(stage("dur>40ns"));
    h.get_by_label("decode 45 ns").click();
    h.run();
    assert!(matches!(h.state().now().selection, Some(Item::Span(_))));
    h.get_by_label("Filter all panes").click();
    h.run();
    let transforms = &h.state().now().scope.transforms;
    assert_eq!(transforms[..], [Transform::FocusMatches("dur>40ns".into())]);
    assert!(h.query_by_label("decode 45 ns").is_some(), "its own list stays what it was asked for");
    h.get_by_label("Their time").click();
    h.run();
    assert_eq!(h.state().now().range, Some((0, 100)));
}

#[test]
fn what_is_wrong_with_a_filter_is_said() {
    let h = harness(stage("dur>40"));
    assert!(h.query_by_label_contains("a time has a unit").is_some());
    let h = harness(stage("name:nothing"));
    assert!(h.query_by_label_contains("Nothing found").is_some());
}
