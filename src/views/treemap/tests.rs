//! Flows through the treemap.

use egui::{Key, PointerButton};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use super::*;
use crate::analysis::testing::{profile, symbols};
use crate::state::Command;
use crate::views::testing::{Stage, harness};

const TEXT: &str = "main>a>x 40; main>a 20; main>b 30; other 10";

fn map(text: &str) -> Harness<'static, Stage> {
    harness(Stage::new(KIND.id, profile(text)))
}

fn selection(h: &Harness<'_, Stage>) -> Option<Item> {
    h.state().now().selection.clone()
}

/// The middle of the treemap, and a place in it.
fn at(h: &Harness<'_, Stage>, x: f32, y: f32) -> egui::Pos2 {
    let rect = h.get_by_label_contains("Treemap of").rect();
    rect.min + rect.size() * egui::vec2(x, y)
}

fn click(h: &mut Harness<'_, Stage>, pos: egui::Pos2) {
    h.hover_at(pos);
    h.run();
    for pressed in [true, false] {
        let modifiers = Modifiers::NONE;
        h.event(egui::Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers });
        h.run();
    }
}

#[test]
fn a_click_selects_and_keys_walk_and_zoom() {
    let mut h = map(TEXT);
    let p = |h: &Harness<'_, Stage>, text: &str| Some(Item::Path(symbols(h.state().subject.profile(), text)));
    let place = at(&h, 0.96, 0.5);
    click(&mut h, place);
    assert_eq!(selection(&h), p(&h, "other"));
    h.key_press(Key::ArrowLeft);
    h.run();
    assert_eq!(selection(&h), p(&h, "main"));
    h.key_press(Key::ArrowDown);
    h.run();
    assert_eq!(selection(&h), p(&h, "main>a"));
    h.key_press(Key::Enter);
    h.run();
    assert!(h.query_by_label_contains("(60.0 % of 100 ns)").is_some());
    h.get_by_label("Everything").click();
    h.run();
    assert!(h.query_by_label("Everything").is_none());
    let place = at(&h, 0.2, 0.03);
    click(&mut h, place);
    assert_eq!(selection(&h), p(&h, "main"));
}

#[test]
fn nesting_by_files_and_empty_profiles_have_words() {
    let mut h = map("main@app>f@lib 3; main@app 4");
    h.get_by_label("By module and file").click();
    h.run();
    assert!(h.query_by_label_contains("Treemap of 2 boxes").is_some());
    let h = map("main 0");
    assert!(h.query_by_label_contains("All times in this file are 0").is_some());
}

#[test]
fn an_estimate_says_so() {
    let h = map("fn main 1 10 100; fn a 4 90 90; main -> a 4 90 90");
    assert!(h.query_by_label_contains("Estimated").is_some());
}

#[test]
fn who_looks_into_a_box_stays_there_while_the_run_grows() {
    let mut h = map(TEXT);
    h.state_mut().send(Command::Select(Some(Item::Path(symbols(&profile(TEXT), "main>a")))));
    h.run();
    h.get_by_label_contains("Treemap of").focus();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    assert!(h.query_by_label_contains("(60.0 % of 100 ns)").is_some());
    // Other functions come first, other boxes are larger.
    let grown = profile("new>a 500; other 10; main>b 90; main>a>x 80; main>a 40; main>a>y 80");
    h.state_mut().grow(grown.clone());
    h.run();
    assert!(h.query_by_label_contains("(25.0 % of 800 ns)").is_some());
    assert_eq!(selection(&h), Some(Item::Path(symbols(&grown, "main>a"))));
    h.get_by_label("Everything").click();
    h.run();
    assert!(h.query_by_label("Everything").is_none());
}
