use super::*;
use crate::model::{CounterId, ProfileBuilder};
use crate::state::LaneKey;
use crate::views::fixture::session;
use crate::views::testing::{Stage, sized};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

fn harness(size: egui::Vec2) -> Harness<'static, Stage> {
    sized(Stage::new("timeline", session()), size)
}

#[test]
fn a_click_selects_the_box_and_empty_time_is_a_moment() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("copy_to_device"))).next().unwrap().click();
    h.run();
    let p = h.state().subject.profile().clone();
    let selected = h.state().now().selection.clone().unwrap();
    assert_eq!(selected.function(&p).map(|f| p.function_name(f)), Some("copy_to_device"));
    let chart = h.get_by_label("Timeline").rect();
    let at = pos2(chart.right() - 3.0, chart.bottom() - 3.0);
    h.hover_at(at);
    h.drag_at(at);
    h.drop_at(at);
    h.run();
    assert!(matches!(h.state().now().selection, Some(Item::Time(_))), "{:?}", h.state().now());
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
    assert!(h.query_by_label("1 lane hidden").is_some());
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
    assert!(other.saved.hidden.is_empty());
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
    assert!(h.state().sent.is_empty(), "looking changes nothing that others see");
    let chart = h.get_by_label("Timeline").rect().center();
    h.hover_at(chart);
    h.key_press(egui::Key::Num0);
    h.run();
    assert_eq!(wide(&h), before);
}

#[test]
fn lanes_are_arranged_by_keys_alone() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    h.get_by_label("lane RSS").focus();
    h.run();
    h.key_press(egui::Key::P);
    h.run();
    let arranged = |h: &Harness<'_, Stage>| h.state().now().arrangement.clone().unwrap();
    let p = h.state().subject.profile().clone();
    let rss = p.counters.iter().position(|c| p.text(c.name) == "RSS").map(CounterId::from_index).unwrap();
    assert_eq!(arranged(&h).pinned, [LaneKey::Counter(p.keys().counter_key(rss))]);
    let (rss, ruler) = (h.get_by_label("lane RSS").rect(), h.get_by_label("Timeline").rect());
    assert!(rss.top() < ruler.top() + 60.0, "a pinned lane is at the top: {rss:?}");
    h.get_by_label("lane tasks › slot 3").focus();
    h.run();
    h.key_press_modifiers(egui::Modifiers::ALT, egui::Key::ArrowUp);
    h.run();
    assert!(
        h.get_by_label("lane tasks › slot 3").rect().top()
            < h.get_by_label("lane tasks › slot 2").rect().top()
    );
    h.key_press(egui::Key::H);
    h.run();
    let slot = p.track_ids().find(|&t| p.track_label(t) == "tasks › slot 3").unwrap();
    assert!(arranged(&h).hidden.contains(&LaneKey::Track(p.keys().track_key(slot))));
    h.get_by_label("group tasks").focus();
    h.run();
    h.key_press(egui::Key::Space);
    h.run();
    assert!(h.query_by_label("lane tasks › slot 2").is_none(), "folded");
    h.get_by_label("More: tasks").focus();
    h.run();
    h.key_press(egui::Key::Space);
    h.run();
    h.get_by_label("Hide all others").click();
    h.run();
    assert!(h.query_by_label("lane main").is_none() && h.query_by_label("group tasks").is_some());
}

#[test]
fn arrows_move_the_selection_from_box_to_box_and_from_track_to_track() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    h.get_by_label("Timeline").focus();
    h.run();
    let p = h.state().subject.profile().clone();
    let mut press = |key: egui::Key| {
        h.key_press(key);
        h.run();
        let item = h.state().now().selection.clone().unwrap();
        let Some((track, _)) = item.span(&p) else { panic!("{item:?}") };
        format!("{} {}", p.track_label(track), p.function_name(item.function(&p).unwrap()))
    };
    use egui::Key::{ArrowDown, ArrowRight, ArrowUp, CloseBracket, OpenBracket};
    assert_eq!(press(ArrowDown), "main main");
    assert_eq!(press(ArrowDown), "main serve");
    assert_eq!(press(ArrowDown), "main poll_tasks");
    assert_eq!(press(ArrowDown), "tasks › slot 0 handle_request");
    assert_eq!(press(ArrowRight), "tasks › slot 0 handle_request");
    assert_eq!(press(OpenBracket), "main serve", "the span that spawned it");
    assert_eq!(press(CloseBracket), "tasks › slot 0 handle_request");
    let above = press(ArrowUp);
    assert!(["main serve", "main poll_tasks"].contains(&above.as_str()), "what ran then: {above}");
}

#[test]
fn a_drag_with_shift_chooses_the_range_of_all_views() {
    let mut h = harness(vec2(1300.0, 900.0));
    h.run();
    for (label, y) in [("Timeline", 300.0), ("Overview of the whole run", 10.0)] {
        let area = h.get_by_label(label).rect();
        let at = |x: f32| pos2(area.left() + x, area.top() + y);
        h.event(egui::Event::ModifiersChanged(egui::Modifiers::SHIFT));
        h.hover_at(at(100.0));
        h.drag_at(at(100.0));
        h.step();
        h.hover_at(at(300.0));
        h.step();
        h.drop_at(at(300.0));
        h.run();
        h.event(egui::Event::ModifiersChanged(egui::Modifiers::NONE));
        let (from, to) = h.state().now().range.unwrap_or_else(|| panic!("{label} chose no range"));
        h.state_mut().send(Command::SetRange(None));
        assert!(to - from > 500_000_000, "{label}: {from} {to}");
    }
}

#[test]
fn a_thousand_tracks_cost_by_what_is_seen() {
    use crate::model::{ArgsRef, FunctionSpec, TrackKind, TrackSpec};
    let mut b = ProfileBuilder::new("test");
    let f = b.function(FunctionSpec::named("f"));
    for i in 0..2000 {
        let (name, process) = (format!("task {i}"), format!("node {}", i % 20));
        let t = b.track(TrackSpec { name: &name, process: &process, kind: TrackKind::Task, sort: i });
        b.span(t, i * 10, i * 10 + 500, f, ArgsRef::NONE);
    }
    let mut h = sized(Stage::new("timeline", b.finish()), vec2(900.0, 600.0));
    h.run();
    let names = h.query_all_by(|n| n.label().is_some_and(|l| l.starts_with("lane "))).count();
    assert_eq!(h.query_all_by(|n| n.label().is_some_and(|l| l == "group node 0")).count(), 1);
    assert!((10..60).contains(&names), "{names} lanes have widgets");
}

#[test]
fn links_of_a_selected_span_are_drawn_and_nothing_breaks_without_lanes() {
    let profile = session();
    let track = profile.track_ids().find(|&t| profile.track_label(t) == "tasks › slot 0").unwrap();
    let (span, lane) = (Item::of_span(track, 0, &profile), LaneKey::Track(profile.keys().track_key(track)));
    let mut stage = Stage::new("timeline", profile);
    stage.send(Command::Select(span));
    stage.picture("timeline-link", vec2(700.0, 420.0), egui::Theme::Light);
    stage.view.load(&serde_json::json!({ "hidden": [lane] }));
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
    stage.view.load(&serde_json::json!({ "pinned": ["counter RSS"], "folded": ["group Counters"], "heights": { "track task tasks › slot 1": "strip", "track task tasks › slot 2": "strip" } }));
    stage.picture("timeline-arranged", vec2(1000.0, 520.0), egui::Theme::Dark);
    stage.picture("timeline-arranged", vec2(520.0, 430.0), egui::Theme::Light);
}

#[test]
fn r14_counters_of_two_runs_have_one_scale_and_end_with_their_run() {
    let run = |end: i64, value: f64| {
        let mut b = ProfileBuilder::new("test");
        let counter = b.counter("RSS", "", crate::model::Unit::Bytes);
        b.point(counter, 0, value);
        b.point(counter, end, value);
        Arc::new(b.finish())
    };
    let mut h = sized(Stage::pair("timeline", run(100_000, 100e6), run(600_000, 900e6)), vec2(900.0, 400.0));
    h.run();
    let lanes: Vec<Rect> = h.query_all_by_label("lane RSS").map(|lane| lane.rect()).collect();
    let image = h.render().unwrap();
    // The part of a line of pixels that is filled, in a part of the chart.
    let filled = |y: f32, (from, to): (f32, f32)| {
        let x = |share: f32| (200.0 + 690.0 * share) as u32;
        let empty = *image.get_pixel(x(0.9), (lanes[0].top() + 3.0) as u32);
        let line: Vec<bool> = (x(from)..x(to)).map(|x| *image.get_pixel(x, y as u32) != empty).collect();
        line.iter().filter(|other| **other).count() as f32 / line.len() as f32
    };
    let [base, head] = lanes[..] else { panic!("{lanes:?}") };
    assert!(filled(base.bottom() - 4.0, (0.02, 0.12)) > 0.9, "the base is drawn while it runs");
    assert!(filled(base.bottom() - 4.0, (0.3, 0.95)) < 0.1, "and not beyond its end");
    assert!(filled(base.center().y, (0.02, 0.12)) < 0.2, "100 of 900 MB do not fill the lane");
    assert!(filled(head.center().y, (0.3, 0.95)) > 0.9);
}
