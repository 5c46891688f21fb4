use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::model::messages::join;
use crate::model::{Accounting, Profile, ProfileBuilder, Request, RequestId, TokenCounts};
use crate::state::Item;
use crate::views::testing::{Stage, harness};

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
    let mut h = harness(Stage::new("tokens", profile.clone()));
    h.set_size(egui::vec2(1400.0, 1000.0));
    h.run_ok();
    assert!(h.query_by_label("large 2\u{a0}200").is_some() || h.query_by_label_contains("large 2").is_some());
    assert!(h.query_by_label("small 170").is_some());
    assert!(h.query_by_label_contains("reasoning 120").is_some());
    assert!(
        h.query_by_label_contains(
            "1 request: the total that the source, or another span of the call, states is not"
        )
        .is_some()
    );
    h.get_by_label("show the first of them").click();
    h.run_ok();
    let selected = h.state().now().selection.clone();
    assert_eq!(selected, Some(Item::of_request(RequestId(2), &profile)));
}

#[test]
fn two_runs_are_compared_by_class() {
    let mut h = harness(Stage::pair("tokens", profile(), profile()));
    h.run_ok();
    assert!(h.query_by_label("Output 300 300 =").is_some());
}

#[test]
fn parts_of_prompts_have_shares_and_a_limit_that_can_be_changed() {
    let mut b = ProfileBuilder::new("test");
    for i in 0..3 {
        let system = "You answer briefly. ".repeat(20);
        let user = format!("Context: passage {i} of the handbook\n\nQuestion: what is {i}?");
        let prompt = join([("system", system.as_str()), ("tool", "42"), ("user", user.as_str())]);
        let (model, prompt) = (b.string("m"), b.string(&prompt));
        let tokens = TokenCounts { input: Some(120), output: Some(30), ..TokenCounts::default() };
        b.request(Request { model, prompt, tokens, ..Request::default() });
    }
    let mut h = harness(Stage::new("tokens", Arc::new(b.finish())));
    h.set_size(egui::vec2(1400.0, 1000.0));
    h.run_ok();
    assert!(h.query_by_label_contains("output 90 · 20.0 %").is_some());
    assert!(h.query_by_label_contains("system prompt: 6").is_some(), "above 30 %, and cacheable");
    assert!(h.query_by_label_contains("a prompt cache can hold it").is_some());
    h.state_mut().view.load(&serde_json::json!({ "limit": 0.95 }));
    h.run_ok();
    assert!(h.query_by_label_contains("a prompt cache can hold it").is_none());
}
