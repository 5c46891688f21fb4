//! Flows of the flame chart, and pictures of it.

use std::sync::Arc;

use egui::{Key, Modifiers, Vec2, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use super::*;
use crate::analysis::testing::{profile, symbol};
use crate::analysis::{Scope, Transform};
use crate::query::{Run, RunId, Subject};
use crate::state::{Command, History};
use crate::ui::software::{Headless, render_to_image};
use crate::views::testing::sized;

/// The view with the state around it, as the window has it.
type Stage = crate::views::testing::Stage<FlameView>;

fn stage(view: FlameView, profile: Arc<Profile>) -> Stage {
    Stage::of(&KIND, Box::new(view), Subject::One(Run::of(profile)))
}

/// Puts another revision of the run, or another run, into the pane, as the window does.
fn show(stage: &mut Stage, run: u32, profile: Arc<Profile>) {
    if RunId(run) == stage.subject.head().id {
        return stage.grow(profile);
    }
    stage.history = History::default();
    stage.subject = Subject::One(Run { id: RunId(run), ..Run::of(profile) });
    (stage.hover, stage.cursor, stage.preview) = (None, None, None);
}

fn seen(h: &Harness<'_, Stage>) -> (f64, f64) {
    let seen = h.state().view.seen().unwrap();
    (seen.from, seen.to)
}

fn select(h: &mut Harness<'_, Stage>, item: Option<Item>) {
    h.state_mut().send(Command::Select(item));
    h.run();
}

fn harness(profile: Arc<Profile>) -> Harness<'static, Stage> {
    let mut h = sized(stage(FlameView::default(), profile), vec2(1000.0, 400.0));
    h.run();
    h
}

fn two_levels() -> Arc<Profile> {
    profile("main 0 1000; load 0 400; run 400 900; step 400 600; step 600 800")
}

#[test]
fn a_click_selects_and_arrows_walk() {
    let profile = two_levels();
    let track = crate::model::TrackId(0);
    let mut h = harness(profile.clone());
    h.get_by_label("run 500 ns").click();
    h.run();
    assert_eq!(h.state().now().selection, Item::of_span(track, 2, &profile));
    h.key_press(Key::ArrowDown);
    h.run();
    assert_eq!(h.state().now().selection, Item::of_span(track, 3, &profile));
    h.key_press(Key::ArrowRight);
    h.run();
    assert_eq!(h.state().now().selection, Item::of_span(track, 4, &profile));
    h.key_press(Key::ArrowUp);
    h.run();
    assert_eq!(h.state().now().selection, Item::of_span(track, 2, &profile));
    h.key_press(Key::Escape);
    h.run();
    assert_eq!(h.state().now().selection, None);
}

#[test]
fn keys_zoom_and_move() {
    let mut h = harness(two_levels());
    h.get_by_label("run 500 ns").click();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    let (t0, t1) = seen(&h);
    assert!((395.0..400.0).contains(&t0) && (900.0..910.0).contains(&t1), "{t0} {t1}");
    h.key_press(Key::D);
    h.run();
    assert!(seen(&h).0 > t0 + 50.0);
    h.key_press(Key::Num0);
    h.run();
    assert_eq!(seen(&h), (0.0, 1000.0));
    h.key_press(Key::W);
    h.run();
    let (t0, t1) = seen(&h);
    assert!(t1 - t0 < 700.0);
    h.key_press(Key::S);
    h.run();
    assert_eq!(seen(&h), (0.0, 1000.0));
}

#[test]
fn dragging_with_shift_commits_a_range_and_without_pans() {
    let mut h = harness(two_levels());
    let canvas = h.get_by_label("Flame chart").rect();
    let at = |share: f32| canvas.left_top() + vec2(canvas.width() * share, canvas.height() - 20.0);
    h.event(egui::Event::ModifiersChanged(Modifiers::SHIFT));
    h.hover_at(at(0.2));
    h.step();
    h.drag_at(at(0.2));
    h.step();
    h.hover_at(at(0.6));
    h.step();
    let preview = h.state().preview.expect("a range is previewed while it is dragged");
    assert!((preview.0 - 200).abs() <= 2 && (preview.1 - 600).abs() <= 2, "{preview:?}");
    h.drop_at(at(0.6));
    h.run();
    let (from, to) = h.state().now().range.expect("the range is committed");
    assert!((from - 200).abs() <= 2 && (to - 600).abs() <= 2, "{from} {to}");
    h.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    h.key_press(Key::W);
    h.run();
    let before = seen(&h);
    h.drag_at(at(0.5));
    h.step();
    h.hover_at(at(0.4));
    h.step();
    h.drop_at(at(0.4));
    h.run();
    let after = seen(&h);
    assert!(after.0 > before.0 && (after.1 - after.0 - (before.1 - before.0)).abs() < 1e-6);
    h.key_press(Key::Escape);
    h.run();
    assert_eq!(h.state().now().range, None, "Escape clears the range when nothing is selected");
}

#[test]
fn a_selection_made_elsewhere_is_brought_into_view() {
    let mut text = String::from("main 0 1000000\n");
    for i in 0..1000 {
        text += &format!("f{i} {} {}\n", i * 1000, i * 1000 + 900);
    }
    let profile = profile(&text);
    let mut h = harness(profile.clone());
    select(&mut h, Item::of_span(crate::model::TrackId(0), 900, &profile));
    let (t0, t1) = seen(&h);
    assert!(t0 < 899_000.0 && t1 > 899_900.0 && t1 - t0 < 20_000.0, "{t0} {t1}");
    assert!(h.query_by_label("f899 900 ns").is_some());
}

#[test]
fn modes_change_and_the_sandwich_takes_the_selection() {
    let profile = two_levels();
    let mut h = harness(profile.clone());
    h.get_by_label("Left heavy").click();
    h.run();
    h.get_by_label("step 400 ns").click();
    h.run();
    let path: Vec<_> = ["main", "run", "step"].map(|n| symbol(&profile, n)).to_vec();
    assert_eq!(h.state().now().selection, Some(Item::Path(path)));
    h.get_by_label("Sandwich").click();
    h.run();
    assert_eq!(h.get_all_by_label("step 400 ns").count(), 2, "once in each half");
    h.get_by_label("Collapse recursion").click();
    h.run();
    assert_eq!(h.state().now().scope.transforms, [Transform::CollapseRecursion]);
    h.get_by_label("Collapse recursion").click();
    h.run();
    assert_eq!(h.state().now().scope, Scope::default());
}

#[test]
fn without_times_the_view_says_why_and_offers_another_order() {
    let mut h = harness(profile("a>b 3; a>c 1"));
    assert!(h.query_by_label("a 4 ns").is_some(), "left heavy is shown from the start");
    h.get_by_label("Time order").click();
    h.run();
    assert!(h.query_by_label("No time order").is_some());
    h.get_by_label("Show left heavy").click();
    h.run();
    assert!(h.query_by_label("b 3 ns").is_some());
}

#[test]
fn tracks_fold_and_open_again_for_a_selection() {
    let profile = profile("[one];a 0 100;[two];b 0 100");
    let mut h = harness(profile.clone());
    assert!(h.query_by_label("a 100 ns").is_some());
    let canvas = h.get_by_label("Flame chart").rect();
    let header = canvas.left_top() + vec2(100.0, 10.0);
    h.hover_at(header);
    h.step();
    h.drag_at(header);
    h.step();
    h.drop_at(header);
    h.run();
    assert!(h.query_by_label("a 100 ns").is_none() && h.query_by_label("b 100 ns").is_some());
    select(&mut h, Item::of_span(crate::model::TrackId(0), 0, &profile));
    assert!(h.query_by_label("a 100 ns").is_some());
}

#[test]
fn the_view_works_in_the_smallest_pane_and_on_odd_profiles() {
    for profile in [
        two_levels(),
        profile("a 5 5"),
        profile("a 0 1;b 9000000000000000000 9100000000000000000"),
        profile("a -9000000000000000000 9000000000000000000;b 0 10"),
        profile("> @0..1"),
        profile("a>b @0..0"),
    ] {
        for size in [vec2(1.0, 1.0), vec2(90.0, 60.0), vec2(700.0, 300.0)] {
            for mode in Mode::ALL {
                picture(&mut staged(profile.clone(), mode.0), size, egui::Theme::Dark);
            }
        }
    }
}

fn images(stage: &mut Stage, then: impl FnOnce(&mut Stage)) -> [image::RgbaImage; 2] {
    let mut headless = Headless::new(vec2(600.0, 200.0), 1.0, egui::Theme::Dark).unwrap();
    let mut pass = |stage: &mut Stage| {
        for _ in 0..3 {
            headless.pass(vec![], |ui| {
                egui::CentralPanel::no_frame().show(ui, |ui| stage.ui(ui));
            });
        }
        headless.image().unwrap()
    };
    let before = pass(stage);
    then(stage);
    [before, pass(stage)]
}

#[test]
fn labels_are_those_of_the_run_shown() {
    // The same ids, times and colours, but other names.
    let (one, two) = (profile("alpha 0 100; beta 10 90"), profile("beta 0 100; alpha 10 90"));
    let view = || FlameView { coloring: Coloring::Category, ..FlameView::default() };
    let plain = |p: &Arc<Profile>| stage(view(), p.clone());
    let [fresh, _] = images(&mut plain(&two), |_| ());
    for run in [1, 2] {
        let [before, after] = images(&mut plain(&one), |stage| show(stage, run, two.clone()));
        assert!(before != after && after == fresh, "run {run}");
    }
}

#[test]
fn rows_of_an_older_revision_take_no_part_in_selecting() {
    let big = profile("f@x 0 100; g@y 10 90; h@z 20 80; h@z 85 89");
    let modules = ["f", "g", "h"].map(|f| symbol(&big, f).module);
    let transforms = modules.map(Transform::CollapseModule).to_vec();
    for transforms in [Vec::new(), transforms] {
        let mut h = harness(big.clone());
        h.get_by_label("h 60 ns").click();
        h.run();
        assert!(h.state().now().selection.is_some());
        let stage = h.state_mut();
        stage.in_background();
        for transform in transforms {
            stage.send(Command::Push(transform));
        }
        // What is shown is of the revision that was asked about last.
        while h.state().engine.memory().computed == 0 || h.state().engine.busy() > 0 {
            h.step();
        }
        h.run_steps(2);
        let stage = h.state_mut();
        stage.block();
        stage.sent.clear();
        show(stage, 0, profile("k 0 100"));
        stage.send(Command::Select(Item::of_span(crate::model::TrackId(0), 0, stage.subject.profile())));
        stage.hover = stage.now().selection.clone();
        h.run_steps(4);
        let canvas = h.get_by_label("Flame chart").rect();
        for y in [9.0, 27.0, 45.0] {
            let at = canvas.left_top() + vec2(canvas.width() * 0.5, y);
            h.hover_at(at);
            h.step();
            h.drag_at(at);
            h.step();
            h.drop_at(at);
            h.run_steps(2);
        }
        h.key_press(Key::ArrowDown);
        h.run_steps(2);
        assert!(h.query_by_label("Building the flame chart").is_some(), "the old rows are shown");
        let stage = h.state();
        assert_eq!((stage.sent.len(), stage.view.selected), (0, None), "{:?}", stage.sent);
        assert!(stage.hover.is_none() && stage.view.facts.is_none() && stage.view.menu_at.is_none());
    }
}

#[test]
fn extreme_times_can_be_selected_and_zoomed_to() {
    let profile = profile("a -9000000000000000000 9000000000000000000;b 0 10;c 20 8999999999999999999");
    let mut h = harness(profile.clone());
    for row in [0, 1, 2] {
        select(&mut h, Item::of_span(crate::model::TrackId(0), row, &profile));
        h.get_by_label("Flame chart").focus();
        h.run();
        for key in [Key::Enter, Key::W, Key::W, Key::D, Key::ArrowDown, Key::ArrowRight, Key::Num0] {
            h.key_press(key);
            h.run();
        }
        let (t0, t1) = seen(&h);
        assert!(t0 == 0.0 && t1.is_finite() && t1 > 9e18, "{t0} {t1}");
    }
}

#[test]
fn another_run_is_seen_whole_and_another_revision_as_before() {
    let mut h = harness(two_levels());
    h.get_by_label("run 500 ns").click();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    show(h.state_mut(), 0, profile("main 0 2000; load 0 400; run 400 900; step 400 600; step 600 800"));
    h.run();
    let kept = seen(&h);
    assert!((kept.0 - 400.0).abs() < 10.0 && kept.1 - kept.0 < 520.0, "{kept:?}");
    assert_eq!(h.state().now().selection.as_ref().map(|i| matches!(i, Item::Span(_))), Some(true));
    // Who has moved away is not taken back to the selection by the next revision.
    h.key_press(Key::Num0);
    h.run();
    h.key_press(Key::W);
    h.run();
    let away = seen(&h);
    show(h.state_mut(), 0, two_levels());
    show(h.state_mut(), 0, profile("main 0 2000; load 0 400; run 400 900; step 400 600; step 600 800"));
    h.run();
    assert_eq!(seen(&h), away);
    show(h.state_mut(), 2, profile("main 0 500; load 0 40"));
    h.run();
    assert_eq!(seen(&h), (0.0, 500.0));
}

#[test]
fn the_sandwich_follows_a_selection_made_elsewhere() {
    let profile = two_levels();
    let mut h = harness(profile.clone());
    h.get_by_label("Sandwich").click();
    h.run();
    let shown = |h: &Harness<'_, Stage>| h.state().view.sandwich.map(|f| f.name.to_string());
    for name in ["load", "step", "run"] {
        select(&mut h, Some(Item::Function(symbol(&profile, name))));
        assert_eq!(shown(&h).as_deref(), Some(name));
    }
    h.get_by_label("main 500 ns").click();
    h.run();
    assert_eq!(h.state().now().selection, Some(Item::Function(symbol(&profile, "main"))));
    assert_eq!(shown(&h).as_deref(), Some("run"), "what is selected inside stays where it is");
}

fn staged(profile: Arc<Profile>, mode: Mode) -> Stage {
    stage(FlameView { mode: Some(mode), ..FlameView::default() }, profile)
}

fn picture(stage: &mut Stage, size: Vec2, theme: egui::Theme) -> image::RgbaImage {
    let ui = |ui: &mut Ui| {
        egui::CentralPanel::no_frame().show(ui, |ui| stage.ui(ui));
    };
    render_to_image(size, 1.0, theme, 4, ui).unwrap()
}

/// Pictures of states, to look at: `FLAME_PICTURES=folder cargo test --lib flame_states -- --ignored`.
#[test]
#[ignore = "makes pictures for people"]
fn flame_states() {
    let folder = std::path::PathBuf::from(
        std::env::var("FLAME_PICTURES").unwrap_or_else(|_| "target/pictures".into()),
    );
    std::fs::create_dir_all(&folder).unwrap();
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        let size = vec2(1024.0, 640.0);
        let draw = |name: &str, stage: &mut Stage, events: Vec<Vec<egui::Event>>| {
            let mut headless = Headless::new(size, 1.0, theme).unwrap();
            let mut pass = |events| {
                headless.pass(events, |ui| {
                    egui::CentralPanel::no_frame().show(ui, |ui| stage.ui(ui));
                });
            };
            pass(vec![]);
            events.into_iter().for_each(&mut pass);
            (0..3).for_each(|_| pass(vec![]));
            headless.image().unwrap().save(folder.join(format!("state-{name}-{theme:?}.png"))).unwrap();
        };
        let at = |x: f32, y: f32| vec![egui::Event::PointerMoved(pos2(x, y))];
        let profile = Arc::new(crate::views::fixture::session());
        let mut stage = staged(profile.clone(), Mode::Time);
        stage.send(Command::Search("attention".into()));
        draw("search", &mut stage, vec![at(300.0, 400.0)]);
        let mut stage = staged(profile.clone(), Mode::Time);
        stage.send(Command::SetRange(Some((5_000_000, 11_000_000))));
        draw("range", &mut stage, vec![at(420.0, 116.0)]);
        let mut stage = staged(profile.clone(), Mode::Time);
        let track = profile.track_ids().max_by_key(|&t| profile.track(t).spans.rows.len()).unwrap();
        let row = profile.track(track).spans.rows.len() as u32 / 3;
        stage.send(Command::Select(Item::of_span(track, row, &profile)));
        stage.view.coloring = Coloring::Module;
        draw("selection", &mut stage, vec![at(512.0, 190.0)]);
        let mut stage = staged(profile.clone(), Mode::LeftHeavy);
        stage.view.coloring = Coloring::SelfShare;
        draw("self-share", &mut stage, vec![at(200.0, 90.0)]);
        let mut stage = staged(profile.clone(), Mode::Time);
        let click = |pressed| egui::Event::PointerButton {
            pos: pos2(430.0, 90.0),
            button: egui::PointerButton::Secondary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        draw("menu", &mut stage, vec![at(430.0, 80.0), vec![click(true)], vec![click(false)]]);
    }
}
