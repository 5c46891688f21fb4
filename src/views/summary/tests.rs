use super::*;
use crate::model::ProfileBuilder;
use crate::state::{Command, Item};
use crate::views::fixture::session;
use crate::views::testing::{Stage, sized};
use egui_kittest::kittest::Queryable;

#[test]
fn clicks_select_functions_phases_and_peaks() {
    let mut h = sized(Stage::new("summary", session()), vec2(1200.0, 900.0));
    h.run();
    let label = "attention";
    let node =
        h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with(label))).next().expect("a top function");
    node.click();
    h.run();
    let selected = h.state().now().selection.clone();
    let Some(Item::Function(f)) = selected else { panic!("{selected:?}") };
    assert!(f.name == *label);
    h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("phase load model"))).next().unwrap().click();
    h.run();
    assert!(matches!(h.state().now().selection, Some(Item::Span(_))));
    h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("RSS "))).next().unwrap().click();
    h.run();
    let Some(Item::Time(t)) = h.state().now().selection else { panic!("a moment") };
    let (peak, _) = h.state().subject.profile().counters[0].peak().unwrap();
    assert_eq!(t, peak);
}

#[test]
fn numbers_follow_the_range() {
    let mut h = sized(Stage::new("summary", session()), vec2(1200.0, 900.0));
    h.run();
    assert_eq!(h.query_all_by_label("Requests: 20").count(), 2, "as a figure and among the contents");
    h.state_mut().send(Command::SetRange(Some((0, 1_600_000_000))));
    h.run();
    assert!(h.query_by_label("Elapsed: 1.60 s").is_some());
    assert_eq!(
        h.query_all_by_label("Requests: 20").count(),
        1,
        "the contents are those of the whole profile"
    );
    assert!(h.query_by_label_contains("No request was in flight").is_some());
}

#[test]
fn an_empty_profile_still_says_what_it_is() {
    let mut b = ProfileBuilder::new("pstats");
    b.warn("odd line (skipped)", "line 3");
    let mut h = sized(Stage::new("summary", b.finish()), vec2(300.0, 600.0));
    h.run();
    assert!(h.query_by_label_contains("odd line").is_some());
}

#[test]
fn the_number_of_warnings_leads_to_them() {
    let mut h = sized(Stage::new("summary", session()), vec2(420.0, 400.0));
    h.run();
    let top = |h: &egui_kittest::Harness<'_, Stage>| {
        h.query_all_by_label_contains("span that ends before it starts").next().map(|n| n.rect().top())
    };
    assert!(top(&h).is_none_or(|y| y > 400.0), "below the fold");
    h.get_by_label("Show the warnings").click();
    h.run();
    assert!(top(&h).is_some_and(|y| (0.0..400.0).contains(&y)), "{:?}", top(&h));
}

#[test]
fn pictures() {
    Stage::new("summary", session()).pictures("summary");
    for width in [300.0, 520.0] {
        Stage::new("summary", session()).picture("summary", vec2(width, 1000.0), egui::Theme::Dark);
    }
}

/// A service with a batch size.
fn service(batch: &str) -> crate::model::Profile {
    let mut b = ProfileBuilder::new("test");
    b.meta.setting("Batch size", batch);
    let provider = b.string("vllm");
    for i in 0..4i64 {
        let (arrived, finished) = (i * 1000, Some(i * 1000 + 500));
        b.request(crate::model::Request { provider, arrived, finished, ..Default::default() });
    }
    b.finish()
}

#[test]
fn optimisations_are_listed_and_an_open_run_that_differs_in_one_is_its_evidence() {
    let mut h = sized(Stage::new("summary", service("32")), vec2(1200.0, 1400.0));
    h.run();
    assert!(h.query_by_label("Batching: tried").is_some());
    assert!(h.query_by_label("Pruning: unknown").is_some());
    assert!(h.query_by_label_contains("Batch size: 32.").is_some());
    let run = crate::query::Run { id: crate::query::RunId(7), ..crate::query::Run::of(service("1").into()) };
    h.state_mut().others = vec![crate::views::OtherRun { run, name: "alone".into() }];
    h.run();
    assert!(h.query_by_label_contains("Against alone: Batch size 1 → 32. Nothing else differs.").is_some());
    assert!(h.query_by_label_contains("Latency p50").is_some());
}

#[test]
fn optimisations_of_two_runs_say_what_was_changed() {
    let mut h =
        sized(Stage::pair("summary", service("1").into(), service("32").into()), vec2(1200.0, 1400.0));
    h.run();
    assert!(h.query_by_label("Batching: tried here").is_some());
    assert!(h.query_by_label("Caching: unknown in both").is_some());
    assert!(h.query_by_label_contains("Batch size 1 → 32. Nothing else differs.").is_some());
}
