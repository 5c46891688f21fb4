use std::sync::Arc;

use egui_kittest::kittest::Queryable;

use crate::analysis::prices::{Prices, read_table};
use crate::model::{Outcome, Profile, ProfileBuilder, Request, TokenCounts};
use crate::state::{Command, Item};
use crate::views::Wish;
use crate::views::testing::{Stage, harness};

fn profile() -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    for (i, (model, input, read)) in
        [("large", 1000u64, 0u64), ("large", 200, 800), ("small", 1000, 0), ("unknown", 7, 0)]
            .into_iter()
            .enumerate()
    {
        let tokens = TokenCounts {
            input: Some(input),
            cache_read: Some(read),
            output: Some(100),
            ..TokenCounts::default()
        };
        let (name, model) = (b.string(&format!("r{i}")), b.string(model));
        let arrived = i as i64 * 1_000_000;
        let outcome = if i == 2 { Outcome::Error } else { Outcome::Ok };
        let finished = Some(arrived + 500_000);
        b.request(Request { name, model, tokens, arrived, finished, outcome, ..Request::default() });
    }
    Arc::new(b.finish())
}

fn prices() -> Prices {
    let table = r#"{"source": "test prices", "models": [
        {"name": "large", "prices": [{"input": "10", "cache_read": "1", "output": "50"}]},
        {"name": "small", "prices": [{"input": "1", "output": "5"}]}]}"#;
    Prices::with(read_table(table).unwrap())
}

#[test]
fn costs_are_told_by_model_and_a_row_selects_its_first_request() {
    let profile = profile();
    let stage = Stage { prices: prices(), ..Stage::new("cost", profile.clone()) };
    let mut h = harness(stage);
    h.run_ok();
    // 2 × 100 × 50 + 1,200 × 10 + 800 × 1 per million, and 1,000 × 1 + 100 × 5.
    assert!(h.query_by_label("large $0.0228").is_some());
    assert!(h.query_by_label("small $0.0015").is_some());
    assert!(h.query_by_label("unknown unpriced").is_some());
    assert!(h.query_by_label("Cost: ≥ $0.0243").is_some());
    assert!(h.query_by_label("Unpriced: 1").is_some());
    assert!(h.query_by_label("Saved by caching: ≥ $0.0072").is_some());
    h.get_by_label("small $0.0015").click();
    h.run_ok();
    let selected = h.state().now().selection.clone();
    assert_eq!(selected, Some(Item::of_request(crate::model::RequestId(2), &profile)));
    h.get_by_label("Group by").click();
    h.run_ok();
    h.get_by_label("By outcome").click();
    h.run_ok();
    assert!(h.query_by_label("failed $0.0015").is_some());
    h.get_by_label("Prices…").click();
    h.run_ok();
    assert!(h.state().wishes.contains(&Wish::Prices));
}

#[test]
fn a_range_counts_only_its_requests() {
    let stage = Stage { prices: prices(), ..Stage::new("cost", profile()) };
    let mut h = harness(stage);
    h.state_mut().send(Command::SetRange(Some((2_000_000, 3_000_000))));
    h.run_ok();
    assert!(h.query_by_label("Cost: $0.0015").is_some());
    assert!(h.query_by_label_contains("large $").is_none());
}

#[test]
fn two_runs_are_compared_by_group() {
    let stage = Stage { prices: prices(), ..Stage::pair("cost", profile(), profile()) };
    let mut h = harness(stage);
    h.run_ok();
    assert!(h.query_by_label("Cost ≥ $0.0243 ≥ $0.0243 =").is_some());
}

#[test]
fn two_runs_on_a_machine_of_ones_own_are_compared_by_the_hour_and_by_energy() {
    let run = |watts: f64, seconds: i64| {
        let mut b = ProfileBuilder::new("test");
        let power = b.counter("power.draw (W)", "GPU 0", crate::model::Unit::None);
        let tokens = TokenCounts { output: Some(100), ..TokenCounts::default() };
        let finished = Some(seconds * 1_000_000_000);
        b.request(Request { finished, tokens, ..Request::default() });
        for time in [0, seconds] {
            b.point(power, time * 1_000_000_000, watts);
        }
        Arc::new(b.finish())
    };
    let mut stage = Stage::pair("cost", run(360.0, 10), run(360.0, 20));
    stage.view.load(&serde_json::json!({ "machine": { "hour": "36", "kwh": "500", "euros": true } }));
    let mut h = harness(stage);
    h.set_size(egui::vec2(1400.0, 1400.0));
    h.run_ok();
    for line in [
        "The run, by the hour €0.10 €0.20 +€0.10 +100 %",
        "Energy, Wh 1 2 +1 +100 %",
        "Electricity €0.50 €1.00 +€0.50 +100 %",
        "Energy of a token, J 36 72 +36 +100 %",
    ] {
        assert!(h.query_by_label(line).is_some(), "{line}");
    }
}
