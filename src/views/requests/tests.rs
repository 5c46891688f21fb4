use super::*;
use crate::model::{ProfileBuilder, RequestId};
use crate::state::Command;
use crate::ui::software::Software;
use crate::views::fixture::{Stage, session};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

fn harness(size: egui::Vec2) -> Harness<'static, Stage> {
    let build = Harness::builder().with_size(size).with_max_steps(12);
    build.renderer(Software::default()).build_ui_state(
        |ui, stage: &mut Stage| {
            crate::ui::theme::install(ui.ctx());
            stage.ui(ui);
        },
        Stage::new("requests", session()),
    )
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
    assert_eq!(h.state().interaction.selection, Some(Item::of_request(RequestId(7), &session())));
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
    assert!(h.query_by_label_contains("No request arrived").is_some());
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
