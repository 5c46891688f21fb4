use super::*;
use crate::analysis::request_facets::Filter;
use crate::model::{Outcome, Profile, ProfileBuilder, Request, RequestId, TokenCounts};
use crate::state::{Command, Item};
use crate::views::fixture::session;
use crate::views::testing::{Stage, sized};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

fn harness(size: egui::Vec2) -> Harness<'static, Stage> {
    sized(Stage::new("requests", session()), size)
}

/// Names of the rows of the table from top to bottom.
fn order(h: &Harness<'_, Stage>) -> Vec<String> {
    let mut rows: Vec<_> = h
        .query_all_by(|n| n.role() == egui::Role::Row && n.label().is_some_and(|l| l.starts_with("req-")))
        .map(|n| (n.rect().top(), n.accesskit_node().label().unwrap_or_default()))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.dedup();
    rows.into_iter().map(|r| r.1[..6].to_owned()).collect()
}

#[test]
fn a_click_in_waterfall_or_table_selects_and_headers_sort() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    assert_eq!(order(&h)[..3], ["req-00", "req-01", "req-02"]);
    h.get_by_label("waterfall req-07").click();
    h.run();
    assert_eq!(h.state().now().selection, Some(Item::of_request(RequestId(7), &session())));
    h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("Latency"))).last().unwrap().click();
    h.run();
    let rows = &h.state().subject.profile().requests.rows;
    let slowest = (0..20).max_by_key(|&i| rows[i].latency()).unwrap();
    assert_eq!(order(&h)[0], format!("req-{slowest:02}"));
    let saved = h.state().view.save();
    let mut other = Requests::default();
    other.load(&saved);
    assert_eq!((other.sort, other.descending), (RequestColumn::Latency, true));
    other.load(&serde_json::json!({ "sort": "nonsense", "split": 7.0 }));
    assert_eq!((other.sort, other.split), (RequestColumn::Latency, 0.5));
}

#[test]
fn range_and_search_narrow_the_list_and_an_empty_one_is_explained() {
    let mut h = harness(vec2(700.0, 700.0));
    h.run();
    h.state_mut().send(Command::Search("req-1".into()));
    h.run();
    assert!(order(&h).iter().all(|r| r.starts_with("req-1")));
    h.state_mut().send(Command::SetRange(Some((0, 1000))));
    h.run();
    assert!(h.query_by_label_contains("No request was in flight").is_some());
}

#[test]
fn without_requests_the_view_says_what_is_missing() {
    assert!((KIND.needs)(&ProfileBuilder::new("x").finish()).unwrap_err().contains("language model"));
}

#[test]
fn pictures() {
    let mut stage = Stage::new("requests", session());
    stage.pictures("requests");
    stage.send(Command::Select(Some(Item::of_request(RequestId(9), &session()))));
    stage.picture("requests", vec2(520.0, 430.0), egui::Theme::Dark);
    stage.picture("requests", vec2(520.0, 430.0), egui::Theme::Light);
}

/// Requests of two models and three sessions; one of them failed, one took ten times as long in the queue.
fn mixed() -> Profile {
    let mut b = ProfileBuilder::new("test");
    let session = b.string("session");
    for i in 0..12i64 {
        let name = b.string(&format!("req-{i:02}"));
        let model = b.string(if i % 2 == 0 { "large" } else { "small" });
        let value = b.string(&format!("s{}", i % 3));
        let arrived = i * 1_000_000_000;
        let queue = if i == 5 { 900_000_000 } else { 10_000_000 };
        let first = arrived + queue + 50_000_000;
        b.request(Request {
            name,
            model,
            arrived,
            scheduled: Some(arrived + queue),
            first_token: Some(first),
            last_token: Some(first + 40_000_000),
            finished: Some(first + 40_000_000),
            tokens: TokenCounts { input: Some(100), output: Some(5), ..TokenCounts::default() },
            outcome: if i == 7 { Outcome::Error } else { Outcome::Ok },
            attributes: vec![(session, value)],
            ..Request::default()
        });
    }
    b.finish()
}

fn mixed_harness() -> Harness<'static, Stage> {
    sized(Stage::new("requests", mixed()), vec2(1300.0, 900.0))
}

#[test]
fn a_filter_narrows_waterfall_figures_and_table_and_is_undone_as_any_step() {
    let mut h = mixed_harness();
    h.run();
    assert_eq!(order(&h).len(), 12);
    h.get_by_label("Session").click();
    h.run();
    h.get_by_label("s1 (4)").click();
    h.run();
    assert_eq!(order(&h), ["req-01", "req-04", "req-07", "req-10"]);
    assert!(h.query_by_label("Session: s1").is_some());
    assert!(h.query_by_label("waterfall req-01").is_some() && h.query_by_label("waterfall req-02").is_none());
    let filter = h.state().now().requests.clone();
    assert_eq!(filter, Filter::default().only(Facet::Attribute("session".into()), "s1"));
    h.state_mut().send(Command::FilterRequests(filter.only(Facet::Model, "small")));
    h.run();
    assert_eq!(order(&h), ["req-01", "req-07"]);
}

#[test]
fn the_slow_one_says_why() {
    let mut h = mixed_harness();
    h.run();
    assert!(h.query_by_label("queue").is_some(), "a badge in its row");
    assert_eq!(h.query_all_by_label("queue").count(), 1);
}

#[test]
fn groups_have_percentiles_of_enough_values_only_and_lead_to_their_requests() {
    let mut h = mixed_harness();
    h.run();
    h.state_mut().view.load(&serde_json::json!({ "by": "model" }));
    h.run();
    let rows = |h: &Harness<'_, Stage>| {
        let rows = h.query_all_by(|n| n.role() == egui::Role::Row);
        let labels = rows.filter_map(|n| n.accesskit_node().label());
        labels.filter(|l| l.starts_with("large") || l.starts_with("small")).collect::<Vec<_>>()
    };
    assert_eq!(rows(&h), ["large 6", "small 6"]);
    assert!(h.query_by_label_contains("p99 (").is_none(), "six values have no 99th percentile");
    assert!(h.query_all_by_label_contains("Spread").count() > 0);
    h.get_by(|n| n.role() == egui::Role::Row && n.label().as_deref() == Some("large 6")).click_secondary();
    h.run();
    h.get_by_label("Only requests of this model").click();
    h.run();
    assert_eq!(order(&h), ["req-00", "req-02", "req-04", "req-06", "req-08", "req-10"]);
}
