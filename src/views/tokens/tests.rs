use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::model::{Accounting, Profile, ProfileBuilder, Request, RequestId, TokenCounts};
use crate::state::Item;
use crate::views::shared::testing::{Stage, harness};
use crate::views::view;

fn profile() -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    for (i, (model, input, read, total)) in
        [("large", 1000u64, 0u64, 1100), ("large", 200, 800, 1100), ("small", 70, 0, 999)]
            .into_iter()
            .enumerate()
    {
        let tokens = TokenCounts {
            input: Some(input),
            cache_read: Some(read),
            output: Some(100),
            reasoning: Some(40),
            ..TokenCounts::default()
        };
        let (model, prompt) = (b.string(model), b.string(&format!("You are kind. {i}")));
        let accounting = Accounting { stated_total: Some(total), ..Accounting::default() };
        let arrived = i as i64 * 1_000_000;
        b.request(Request { model, prompt, tokens, accounting, arrived, ..Request::default() });
    }
    Arc::new(b.finish())
}

#[test]
fn tokens_are_told_by_class_and_a_wrong_total_is_named() {
    let profile = profile();
    let mut h = harness(Stage::new(view("tokens").unwrap(), profile.clone()));
    h.set_size(egui::vec2(1400.0, 1000.0));
    h.run_ok();
    assert!(h.query_by_label("large 2\u{a0}200").is_some() || h.query_by_label_contains("large 2").is_some());
    assert!(h.query_by_label("small 170").is_some());
    assert!(h.query_by_label_contains("reasoning 120").is_some());
    assert!(
        h.query_by_label_contains("1 request: the total that the source states is not the sum").is_some()
    );
    h.get_by_label("show the first of them").click();
    h.run_ok();
    let selected = h.state().history.now().selection.clone();
    assert_eq!(selected, Some(Item::of_request(RequestId(2), &profile)));
}

#[test]
fn two_runs_are_compared_by_class() {
    let mut h = harness(Stage::pair(view("tokens").unwrap(), profile(), profile()));
    h.run_ok();
    assert!(h.query_by_label("Output 300 300 =").is_some());
}
