use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::model::{Profile, ProfileBuilder, Request, RequestId, TokenCounts};
use crate::state::Item;
use crate::views::fixture::session;
use crate::views::testing::{Stage, harness};

const MS: i64 = 1_000_000;

/// Nine requests alike, and one that waited.
fn profile() -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    for i in 0..10 {
        let queue = if i == 9 { 900 * MS } else { 0 };
        let arrived = i * 1000 * MS;
        let first = arrived + queue + 100 * MS;
        let name = b.string(&format!("r{i}"));
        b.request(Request {
            name,
            arrived,
            scheduled: Some(arrived + queue),
            first_token: Some(first),
            last_token: Some(first + 200 * MS),
            finished: Some(first + 200 * MS),
            tokens: TokenCounts { input: Some(10), output: Some(21), ..TokenCounts::default() },
            ..Request::default()
        });
    }
    Arc::new(b.finish())
}

#[test]
fn the_bottleneck_the_promises_and_the_slowest_are_told() {
    let profile = profile();
    let mut stage = Stage::new("latency", profile.clone());
    stage.view.load(&serde_json::json!({ "slo": { "ttft": 500 * MS } }));
    let mut h = harness(stage);
    h.set_size(egui::vec2(1400.0, 1400.0));
    h.run_ok();
    // 10 × 200 ms of 10 × 300 ms + 900 ms.
    assert!(h.query_by_label_contains("Bottleneck: token generation 2.00 s, 51.3 %").is_some());
    assert!(h.query_by_label("Kept 90.0 %").is_some());
    assert!(h.query_by_label_contains("Broken: 1 first token too late").is_some());
    h.get_by_label("r9 1.20 s").click();
    h.run_ok();
    let selected = h.state().now().selection.clone();
    assert_eq!(selected, Some(Item::of_request(RequestId(9), &profile)));
}

#[test]
fn a_recorded_session_shows_load_and_distribution() {
    let mut h = harness(Stage::new("latency", Arc::new(session())));
    h.set_size(egui::vec2(1400.0, 1600.0));
    h.run_ok();
    assert!(h.query_by_label_contains("On average").is_some());
    h.get_by_label("TPOT").click();
    h.run_ok();
    assert!(h.query_by_label_contains("Lines: p50").is_some());
}

#[test]
fn two_runs_are_compared_phase_by_phase() {
    let mut h = harness(Stage::pair("latency", profile(), profile()));
    h.set_size(egui::vec2(1400.0, 1400.0));
    h.run_ok();
    // Ten requests of 390 ms on average in 9.3 s and what the last one took.
    assert!(h.query_by_label("λ · W 0.382 0.382 =").is_some());
    assert!(h.query_by_label("Measured, L 0.382 0.382 =").is_some());
    assert!(h.query_by_label("token generation 2.00 s 2.00 s =").is_some());
    assert!(h.query_by_label("TTFT p50 100 ms 100 ms =").is_some());
}
