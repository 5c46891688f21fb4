use super::*;
use crate::model::ProfileBuilder;
use crate::ui::software::Software;
use crate::views::fixture::{Stage, session};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

fn harness(size: egui::Vec2) -> Harness<'static, Stage> {
    let build = Harness::builder().with_size(size).with_max_steps(12);
    build.renderer(Software::default()).build_ui_state(
        |ui, stage: &mut Stage| {
            crate::ui::theme::install(ui.ctx());
            stage.ui(ui);
        },
        Stage::new("timeline", session()),
    )
}

#[test]
fn a_click_selects_the_box_and_empty_time_is_a_moment() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("copy_to_device"))).next().unwrap().click();
    h.run();
    let p = h.state().subject.profile.clone();
    let selected = h.state().interaction.selection.clone().unwrap();
    assert_eq!(selected.function(&p).map(|f| p.function_name(f)), Some("copy_to_device"));
    let chart = h.get_by_label("Timeline").rect();
    let at = pos2(chart.right() - 3.0, chart.bottom() - 3.0);
    h.hover_at(at);
    h.drag_at(at);
    h.drop_at(at);
    h.run();
    assert!(matches!(h.state().interaction.selection, Some(Item::Time(_))), "{:?}", h.state().interaction);
}

#[test]
fn lanes_are_hidden_found_and_shown_again() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    h.get_by_label("lane Requests").hover();
    h.run();
    h.get_by_label("Hide: Requests").click();
    h.run();
    assert!(h.query_by_label("lane Requests").is_none());
    h.get_by_label("1 lane hidden").click();
    h.run();
    h.get_by_label("Show all").click();
    h.run();
    assert!(h.query_by_label("lane Requests").is_some());
    h.get_by_label("Find a lane").click();
    h.run();
    h.get_by_label("Find a lane").type_text("slot 2");
    h.run();
    assert!(h.query_by_label("lane tasks › slot 2").is_some() && h.query_by_label("lane main").is_none());
    let saved = h.state().view.save();
    let mut other = Timeline::default();
    other.load(&saved);
    other.load(&serde_json::json!([1, 2]));
    assert!(other.arrangement.hidden.is_empty());
}

#[test]
fn the_minimap_moves_the_window_and_keys_do_too() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    let mini = h.get_by_label("Overview of the whole run").rect();
    let at = |share: f32| pos2(mini.left() + mini.width() * share, mini.center().y);
    let wide = |h: &Harness<'_, Stage>| {
        h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("read_tensors "))).count()
    };
    let before = wide(&h);
    h.hover_at(at(0.02));
    h.drag_at(at(0.02));
    h.step();
    h.hover_at(at(0.12));
    h.step();
    h.drop_at(at(0.12));
    h.run();
    assert!(wide(&h) > before.max(4), "zoomed in, {} boxes have labels", wide(&h));
    assert!(h.state().commands.is_empty(), "looking changes nothing that others see");
    let chart = h.get_by_label("Timeline").rect().center();
    h.hover_at(chart);
    h.key_press(egui::Key::Num0);
    h.run();
    assert_eq!(wide(&h), before);
}

#[test]
fn links_of_a_selected_span_are_drawn_and_nothing_breaks_without_lanes() {
    let profile = session();
    let track = profile.track_ids().find(|&t| profile.track_label(t) == "tasks › slot 0").unwrap();
    let mut stage = Stage::new("timeline", profile);
    stage.send(Command::Select(Some(Item::Span { track, row: 0 })));
    stage.picture("timeline-link", vec2(700.0, 420.0), egui::Theme::Light);
    stage.view.load(&serde_json::json!({ "hidden": ["track task tasks › slot 0"] }));
    stage.picture("timeline-hidden", vec2(700.0, 420.0), egui::Theme::Light);
}

#[test]
fn a_profile_without_time_is_explained() {
    assert!((KIND.needs)(&ProfileBuilder::new("x").finish()).unwrap_err().contains("order in time"));
    assert!((KIND.needs)(&session()).is_ok());
}

#[test]
fn pictures() {
    let mut stage = Stage::new("timeline", session());
    stage.pictures("timeline");
    stage.send(Command::SetRange(Some((1_900_000_000, 3_200_000_000))));
    stage.view.load(&serde_json::json!({ "pinned": ["counter RSS"], "heights": { "track task tasks › slot 1": "strip", "track task tasks › slot 2": "strip" } }));
    stage.picture("timeline-arranged", vec2(1000.0, 520.0), egui::Theme::Dark);
    stage.picture("timeline-arranged", vec2(520.0, 430.0), egui::Theme::Light);
}
