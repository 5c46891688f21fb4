//! Flows through the call tree.

use egui::{Key, PointerButton};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::*;
use crate::analysis::Transform;
use crate::analysis::testing::{profile, symbols};
use crate::model::TrackId;
use crate::state::Command;
use crate::views::testing::{Stage, harness};

const SPANS: &str = "main 0 100000000 / load 0 10000000 / run 10000000 90000000 / step 10000000 40000000
    step 40000000 80000000 / softmax 50000000 60000000";

fn tree(text: &str) -> Harness<'static, Stage> {
    harness(Stage::new(KIND.id, profile(text)))
}

/// The rows, top to bottom: `name level`.
fn rows(h: &Harness<'_, Stage>) -> Vec<String> {
    let mut rows: Vec<_> = h
        .query_all_by_role(egui::Role::Row)
        .filter_map(|n| {
            let label = n.accesskit_node().label()?;
            let name = label.split(',').next()?;
            let level = label.rsplit(' ').next()?;
            Some((n.rect().top(), format!("{name} {level}")))
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|r| r.1).collect()
}

fn press(h: &mut Harness<'_, Stage>, key: Key) {
    h.key_press(key);
    h.run();
}

fn selected(h: &Harness<'_, Stage>) -> Option<Item> {
    h.state().now().selection.clone()
}

/// Clicks a row at its numbers: the triangle that opens a row takes clicks for itself.
fn click_row(h: &mut Harness<'_, Stage>, label: &str, button: PointerButton) {
    let pos = h.get_by_label_contains(label).rect().left_center() + egui::vec2(30.0, 0.0);
    h.hover_at(pos);
    for pressed in [true, false] {
        h.event(egui::Event::PointerButton { pos, button, pressed, modifiers: egui::Modifiers::NONE });
    }
    h.run();
}

#[test]
fn the_heaviest_path_is_open_at_first_and_keys_open_and_close() {
    let mut h = tree(SPANS);
    assert_eq!(rows(&h), ["main 0", "run 1", "step 2", "load 1"]);
    click_row(&mut h, "step, ", PointerButton::Primary);
    let p = h.state().subject.profile().clone();
    assert_eq!(selected(&h), Some(Item::Path(symbols(&p, "main>run>step"))));
    press(&mut h, Key::ArrowRight);
    assert_eq!(rows(&h), ["main 0", "run 1", "step 2", "softmax 3", "load 1"]);
    press(&mut h, Key::ArrowRight);
    assert_eq!(selected(&h), Some(Item::Path(symbols(&p, "main>run>step>softmax"))));
    press(&mut h, Key::ArrowLeft);
    press(&mut h, Key::ArrowLeft);
    assert_eq!(rows(&h), ["main 0", "run 1", "step 2", "load 1"]);
    press(&mut h, Key::Home);
    press(&mut h, Key::ArrowLeft);
    assert_eq!(rows(&h), ["main 0"]);
    h.event(egui::Event::Text("*".into()));
    h.run();
    assert_eq!(rows(&h), ["main 0", "run 1", "step 2", "softmax 3", "load 1"]);
}

#[test]
fn a_span_selected_elsewhere_shows_its_path() {
    let mut h = tree(SPANS);
    let row = 4;
    let p = h.state().subject.profile().clone();
    assert_eq!(p.tracks[0].spans.rows[row].depth, 2);
    let span = Item::of_span(TrackId(0), row as u32 + 1, &p);
    h.state_mut().send(Command::Select(span));
    h.run();
    assert!(rows(&h).contains(&"softmax 3".to_owned()));
}

#[test]
fn a_search_opens_the_way_and_steps_through_matches() {
    let mut h = tree(SPANS);
    h.state_mut().send(Command::Search("softmax, load".into()));
    h.run();
    assert_eq!(rows(&h), ["main 0", "run 1", "step 2", "softmax 3", "load 1"]);
    assert!(h.query_by_label("2 paths match with 20.0 % of the time").is_some());
    let p = h.state().subject.profile().clone();
    h.get_by_label("Next match (n)").click();
    h.run();
    assert_eq!(selected(&h), Some(Item::Path(symbols(&p, "main>run>step>softmax"))));
    h.get_by_label("Next match (n)").click();
    h.run();
    assert_eq!(selected(&h), Some(Item::Path(symbols(&p, "main>load"))));
}

#[test]
fn bottom_up_starts_with_who_spent_the_time() {
    let mut h = tree(SPANS);
    h.get_by_label("Bottom-up").click();
    h.run();
    assert_eq!(rows(&h), ["step 0", "main 0", "load 0", "run 0", "softmax 0"]);
    h.get_by_label("Heaviest path").click();
    h.run();
    assert_eq!(rows(&h)[..3], ["step 0", "run 1", "main 2"]);
}

#[test]
fn headers_sort_siblings() {
    let mut h = tree(SPANS);
    h.get_by_label("Function").click();
    h.run();
    assert_eq!(rows(&h), ["main 0", "load 1", "run 1", "step 2"]);
    h.get_by_label("Function, ascending").click();
    h.run();
    assert_eq!(rows(&h), ["main 0", "run 1", "step 2", "load 1"]);
}

#[test]
fn the_menu_transforms_and_it_can_be_taken_back() {
    let mut h = tree(SPANS);
    click_row(&mut h, "run, ", PointerButton::Secondary);
    h.get_by_label_contains("Focus on this call path").click();
    h.run();
    let p = h.state().subject.profile().clone();
    assert_eq!(h.state().now().scope.transforms, [Transform::FocusSubtree(symbols(&p, "main>run"))]);
    assert_eq!(rows(&h), ["run 0", "step 1"]);
    h.state_mut().send(Command::KeepTransforms(0));
    h.run();
    assert_eq!(rows(&h)[0], "main 0");
}

#[test]
fn an_estimated_tree_says_so_and_why() {
    let h = tree("fn main 1 10 100; fn a 4 90 90; main -> a 4 90 90");
    assert!(h.query_by_label_contains("Estimated: this file records who called whom").is_some());
    assert!(h.query_by_label_contains("self costs add up to 100 ns").is_some());
}

#[test]
fn a_hundred_thousand_frames_stay_usable() {
    let mut h = tree(&format!("{} 1", vec!["f"; 100_000].join(">")));
    click_row(&mut h, "level 0", PointerButton::Primary);
    h.event(egui::Event::Text("*".into()));
    h.run();
    press(&mut h, Key::End);
    assert!(h.query_by_label_contains("level 20000").is_some(), "{:?}", rows(&h));
}

#[test]
fn what_has_no_row_is_a_row_and_leads_to_its_caller_alone() {
    // `small` is under a millionth of all.
    let mut h = tree(
        "fn main 1 1999000000 2000000000; fn mid 1 999000 1000000; fn small 2 1000 1000
         main -> mid 1 999000 1000000; mid -> small 2 1000 1000",
    );
    click_row(&mut h, "main, ", PointerButton::Primary);
    h.event(egui::Event::Text("*".into()));
    h.run();
    assert_eq!(rows(&h), ["main 0", "mid 1", "[not placed] 2"]);
    assert!(h.query_by_label_contains("in small or recursive paths").is_none(), "it is not worth a word");
    press(&mut h, Key::End);
    press(&mut h, Key::Enter);
    let mid = symbols(h.state().subject.profile(), "main>mid");
    assert_eq!(h.state().now().scope.transforms, [Transform::FocusSubtree(mid)]);
    h.run();
    assert!(rows(&h).contains(&"small 1".to_owned()), "{:?}", rows(&h));
}
