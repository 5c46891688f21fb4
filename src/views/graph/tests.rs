//! Flows through the graph.

use egui::Key;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

use super::*;
use crate::analysis::testing::{profile, symbol};
use crate::state::Command;
use crate::views::testing::{Stage, harness};

const STACKS: &str = "main>load>parse 30; main>run>decode>attend 40; main>run>decode>mlp 25; main>run>log 5";

fn view(text: &str) -> Harness<'static, Stage> {
    harness(Stage::new(KIND.id, profile(text)))
}

fn has(h: &Harness<'_, Stage>, label: &str) -> bool {
    h.query_by_label(label).is_some()
}

fn selected(h: &Harness<'_, Stage>) -> Option<Item> {
    h.state().now().selection.clone()
}

fn item(h: &Harness<'_, Stage>, name: &str) -> Option<Item> {
    Some(Item::Function(symbol(h.state().subject.profile(), name)))
}

#[test]
fn nodes_show_their_share_and_a_click_selects() {
    let mut h = view(STACKS);
    for node in ["main 100 %", "run 70.0 %", "decode 65.0 %", "attend 40.0 %", "parse 30.0 %"] {
        assert!(has(&h, node), "{node}");
    }
    assert!(h.query_by_label_contains("100 % is all time, 100 ns.").is_some());
    h.get_by_label("decode 65.0 %").click();
    h.run();
    assert_eq!(selected(&h), item(&h, "decode"));
}

#[test]
fn keys_walk_along_edges_and_enter_puts_a_function_in_the_middle() {
    let mut h = view(STACKS);
    h.get_by_label("decode 65.0 %").click();
    h.run();
    for (key, name) in
        [(Key::ArrowDown, "attend"), (Key::ArrowUp, "decode"), (Key::ArrowUp, "run"), (Key::ArrowUp, "main")]
    {
        h.key_press(key);
        h.run();
        assert_eq!(selected(&h), item(&h, name));
    }
    h.key_press(Key::ArrowDown);
    h.run();
    h.key_press(Key::Enter);
    h.run();
    assert!(h.query_by_label_contains("Cost while run runs: 100 % is its total, 70 ns.").is_some());
    assert!(has(&h, "main 100 %") && has(&h, "decode 92.9 %") && !has(&h, "load 30.0 %"));
    h.get_by_label("decode 92.9 %").click();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    assert!(has(&h, "attend 61.5 %"));
    h.get_by_label("Back").click();
    h.run();
    assert!(has(&h, "attend 57.1 %"));
    h.get_by_label("Forth").click();
    h.run();
    assert!(has(&h, "attend 61.5 %"));
}

#[test]
fn what_others_select_becomes_the_middle() {
    let mut h = view(STACKS);
    h.get_by_label("Around a function").click();
    h.run();
    assert!(h.query_by_label_contains("Cost while attend runs").is_some(), "the most self cost at first");
    let parse = item(&h, "parse");
    h.state_mut().send(Command::Select(parse));
    h.run();
    assert!(h.query_by_label_contains("Cost while parse runs").is_some());
    assert!(has(&h, "load 100 %") && !has(&h, "run 70.0 %"));
}

#[test]
fn odd_profiles_and_sizes_are_drawn() {
    let deep: Vec<String> = (0..3000).map(|i| format!("f{i}")).collect();
    for text in [
        "a>a>a 5",
        "a>b>a 5; b>a>b 5",
        "a 0",
        "fn lonely 1 5 5; fn other - 0 0",
        "a 9000000000000000000; b 9000000000000000000",
        &format!("{} 1", deep.join(">")),
    ] {
        for size in [vec2(30.0, 30.0), vec2(200.0, 120.0), vec2(900.0, 500.0)] {
            let mut stage = Stage::new(KIND.id, profile(text));
            let ui = |ui: &mut Ui| stage.ui(ui);
            crate::ui::software::render_to_image(size, 1.0, egui::Theme::Light, 3, ui).unwrap();
        }
    }
}

#[test]
fn nodes_that_stay_keep_their_order_and_place_when_a_limit_moves() {
    let mut text = String::new();
    for i in 0..60 {
        text += &format!("main>a{}>b{}>c{} {};", i % 7, i % 23, i % 11, 60 + i);
    }
    let mut h = harness(Stage::new(KIND.id, profile(&text)));
    let place = |h: &Harness<'_, Stage>, name: &str| {
        let node = h.query_by_label_contains(name)?;
        Some(node.rect().center())
    };
    let before = place(&h, "main 100 %").expect("the root");
    h.get_by_label("least share of functions").click();
    h.run();
    h.get_by_label("≥ 5 %").click();
    h.run();
    let after = place(&h, "main 100 %").expect("the root is still there");
    assert!((before - after).length() < 1.0, "{before} {after}");
}

const MODULES: &str = "main@app>load@io>parse@io 30; main@app>run@app>decode@llm>attend@llm 40; \
                       main@app>run@app>decode@llm>back@app>mlp@llm 25; main@app>run@app 5";

/// Shows the whole drawing; the keyboard stays in it.
fn fit(h: &mut Harness<'_, Stage>) {
    h.run();
    h.key_press(Key::Num0);
    h.run();
    if h.query_by_label("Fit").is_some() {
        h.get_by_label("Fit").click();
        h.run();
    }
}

#[test]
fn groups_fold_and_open_by_pointer_keys_and_undo() {
    let mut h = view(MODULES);
    h.get_by_label("what functions are grouped by").click();
    h.run();
    h.get_by_label("module").click();
    fit(&mut h);
    assert!(has(&h, "app 100 %, open") && has(&h, "io 30.0 %, open") && has(&h, "parse 30.0 %"));
    h.get_by_label("Fold all").click();
    fit(&mut h);
    assert!(has(&h, "app 100 %") && has(&h, "io 30.0 %") && has(&h, "llm 65.0 %"));
    assert!(h.query_by_label_contains("after entering it from outside").is_some());
    h.get_by_label("llm 65.0 %").click();
    h.run();
    assert_eq!(selected(&h), item(&h, "attend"), "the one with most self cost stands for it");
    h.key_press(Key::Enter);
    fit(&mut h);
    assert!(has(&h, "attend 40.0 %") && has(&h, "decode 65.0 %") && !has(&h, "llm 65.0 %"));
    assert!(has(&h, "llm 65.0 %, open"), "a frame with a title");
    let saved = h.state().view.save();
    h.get_by_label("attend 40.0 %").click();
    h.run();
    h.key_press_modifiers(egui::Modifiers::SHIFT, Key::Enter);
    fit(&mut h);
    assert!(has(&h, "llm 65.0 %"));
    h.state_mut().history.undo();
    fit(&mut h);
    assert!(has(&h, "attend 40.0 %"), "undone");
    h.get_by_label("Open all").click();
    fit(&mut h);
    assert!(has(&h, "parse 30.0 %") && has(&h, "main 100 %"));
    h.get_by_label("io 30.0 %, open").click();
    fit(&mut h);
    assert!(has(&h, "io 30.0 %") && has(&h, "main 100 %"), "a click on the title folds");
    h.get_by_label("Fold all").click();
    fit(&mut h);
    assert!(has(&h, "io 30.0 %"));
    let mut other = Stage::new(KIND.id, profile(MODULES));
    other.view.load(&saved);
    let mut other = harness(other);
    fit(&mut other);
    assert!(has(&other, "attend 40.0 %") && has(&other, "io 30.0 %"), "as it was saved");
}

#[test]
fn back_and_forth_lead_through_folds_and_the_first_one_can_be_undone() {
    let mut h = view(MODULES);
    let click = |h: &mut Harness<'_, Stage>, label: &str| {
        h.get_by_label(label).click();
        fit(h);
    };
    h.get_by_label("what functions are grouped by").click();
    h.run();
    click(&mut h, "module");
    assert!(has(&h, "io 30.0 %, open"));
    click(&mut h, "Fold all");
    assert!(has(&h, "io 30.0 %"));
    click(&mut h, "Back");
    assert!(has(&h, "io 30.0 %, open"));
    click(&mut h, "Back");
    assert!(!has(&h, "io 30.0 %, open") && has(&h, "parse 30.0 %"));
    click(&mut h, "Forth");
    click(&mut h, "Forth");
    assert!(has(&h, "io 30.0 %"));
    click(&mut h, "Around a function");
    click(&mut h, "Back");
    assert!(has(&h, "io 30.0 %") && h.query_by_label_contains("100 % is all time").is_some());
    // Each of the six was a step.
    for _ in 0..6 {
        h.state_mut().history.undo();
    }
    fit(&mut h);
    assert!(has(&h, "parse 30.0 %") && !has(&h, "io 30.0 %, open"), "as at first");
}

#[test]
fn cycles_fold_and_open() {
    let mut h = view("main>a>b>a>leaf 4; main>b 2; main 4");
    assert!(has(&h, "a 40.0 %"));
    h.get_by_label("Fold cycles").click();
    h.run();
    assert!(has(&h, "cycle 1 (2 functions) 60.0 %") && !has(&h, "a 40.0 %"));
    let b = item(&h, "b");
    h.state_mut().send(Command::Select(b));
    h.run();
    assert!(has(&h, "cycle 1 (2 functions) 60.0 %"), "what is part of it is still in the drawing");
    h.get_by_label("cycle 1 (2 functions) 60.0 %").click();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    assert!(has(&h, "a 40.0 %") && has(&h, "b 60.0 %"));
}
