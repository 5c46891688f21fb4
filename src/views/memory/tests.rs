use super::*;
use crate::model::ProfileBuilder;
use crate::views::fixture::session;
use crate::views::testing::{Stage, sized};
use egui::{Modifiers, pos2};
use egui_kittest::{Harness, kittest::Queryable};

fn harness() -> Harness<'static, Stage> {
    sized(Stage::new("memory", session()), vec2(1200.0, 800.0))
}

#[test]
fn a_peak_is_a_moment_and_shows_what_ran_then() {
    let mut h = harness();
    h.run();
    let peak = h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("Peak of RSS")));
    peak.last().unwrap().click();
    h.run();
    let (time, _) = h.state().subject.profile().counters[0].peak().unwrap();
    assert_eq!(h.state().now().selection, Some(Item::Time(time)));
    assert!(h.query_by_label("main copy_to_device").is_some(), "what ran at {time}");
}

#[test]
fn shift_and_drag_choose_a_range_and_a_plain_drag_moves() {
    let mut h = harness();
    h.run();
    let chart = h.get_by_label("Memory chart").rect();
    let at = |share: f32| {
        pos2(chart.left() + layout::MARGIN + share * (chart.width() - layout::MARGIN), chart.center().y)
    };
    h.event(egui::Event::ModifiersChanged(Modifiers::SHIFT));
    h.drag_at(at(0.25));
    h.step();
    h.hover_at(at(0.5));
    h.step();
    assert!(h.state().preview.is_some(), "the range is seen while it is dragged");
    h.drop_at(at(0.5));
    h.run();
    h.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    let (from, to) = h.state().now().range.expect("a range");
    let end = h.state().subject.profile().time_bounds().unwrap().1 as f64;
    assert!(
        (from as f64 / end - 0.25).abs() < 0.02 && (to as f64 / end - 0.5).abs() < 0.02,
        "{from} {to} of {end}"
    );
    let commands = h.state().sent.len();
    h.drag_at(at(0.5));
    h.step();
    h.hover_at(at(0.6));
    h.step();
    h.drop_at(at(0.6));
    h.run();
    assert_eq!(h.state().sent.len(), commands, "moving changes nothing that others see");
}

#[test]
fn a_counter_can_be_hidden_and_the_workspace_keeps_it() {
    let mut h = harness();
    h.run();
    assert!(h.query_by_label_contains("CPU: ").is_some());
    h.get_by_label("CPU").click();
    h.run();
    assert!(h.query_by_label_contains("CPU: ").is_none());
    let saved = h.state().view.save();
    let mut other = Memory::default();
    other.load(&saved);
    assert!(other.hidden.contains("CPU"));
    other.load(&serde_json::json!({ "hidden": 7 }));
    assert!(other.hidden.contains("CPU"), "odd content is ignored");
}

#[test]
fn without_counters_the_view_says_what_is_missing() {
    let why = (KIND.needs)(&ProfileBuilder::new("x").finish()).unwrap_err();
    assert!(why.contains("counters"));
    assert!((KIND.needs)(&session()).is_ok());
}

#[test]
fn pictures() {
    let mut stage = Stage::new("memory", session());
    stage.pictures("memory");
    let (time, _) = stage.subject.profile().counters[0].peak().unwrap();
    stage.send(Command::Select(Some(Item::Time(time))));
    stage.send(Command::SetRange(Some((1_500_000_000, 4_600_000_000))));
    stage.pictures("memory-peak");
    stage.picture("memory", vec2(420.0, 640.0), egui::Theme::Dark);
}
