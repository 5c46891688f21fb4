//! Flows through callers and callees.

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::*;
use crate::analysis::testing::{profile, symbol};
use crate::state::Command;
use crate::views::testing::{Stage, harness};

/// The golden sample of pstats, in ms: `a` and `b` call each other.
const PSTATS: &str = "fn main 1 1000000 40000000; fn a 3/1 6000000 16000000; fn b 2/1 4000000 14000000
    fn leaf 6 6000000 6000000; main -> a 1 2000000 16000000; a -> b 2/1 4000000 14000000
    b -> a 2/1 4000000 10000000; a -> leaf 3 3000000 3000000; b -> leaf 2 2000000 2000000; main -> leaf 1 1000000 1000000";

fn view(select: &str) -> Harness<'static, Stage> {
    let mut h = harness(Stage::new(KIND.id, profile(PSTATS)));
    select_function(&mut h, select);
    h
}

fn select_function(h: &mut Harness<'_, Stage>, name: &str) {
    let f = symbol(h.state().subject.profile(), name);
    h.state_mut().send(Command::Select(Some(Item::Function(f))));
    h.run();
}

fn has(h: &Harness<'_, Stage>, label: &str) -> bool {
    h.query_by_label(label).is_some()
}

#[test]
fn neighbours_of_the_selection_are_shown_and_walked_to() {
    let mut h = view("a");
    assert!(has(
        &h,
        "3 calls (1 primitive) · self 6.00 ms (35.3 % of 17.0 ms self costs) · total 16.0 ms (40.0 %) of 40.0 ms"
    ));
    assert!(has(&h, "Called by 2 functions") && has(&h, "Calls 2 functions"));
    assert!(has(&h, "main, 16.000 ms") && has(&h, "b, 10.000 ms") && has(&h, "b, 14.000 ms"));
    // A click selects and stays; a double-click walks.
    h.get_by_label("leaf, 3.000 ms").click();
    h.run();
    let leaf = symbol(h.state().subject.profile(), "leaf");
    assert_eq!(h.state().now().selection, Some(Item::Function(leaf)));
    assert!(has(&h, "Calls 2 functions"));
    h.key_press(egui::Key::Enter);
    h.run();
    assert!(has(&h, "Called by 3 functions") && has(&h, "It called nothing that was recorded."));
}

#[test]
fn all_lists_what_is_further_away() {
    let mut h = view("leaf");
    h.get_by_label("All").click();
    h.run();
    assert!(has(&h, "3 functions above it on some stack"));
    assert!(h.query_by_label_contains("Estimated").is_some());
    select_function(&mut h, "main");
    assert!(has(&h, "3 functions below it on some stack"));
}

#[test]
fn before_anything_is_selected_the_most_expensive_function_is_shown() {
    let h = harness(Stage::new(KIND.id, profile(PSTATS)));
    assert!(h.query_by_label_contains("with the most self cost").is_some());
    let names: Vec<_> =
        h.query_all_by_role(egui::Role::Row).filter_map(|n| n.accesskit_node().label()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn a_short_list_leaves_its_room_to_the_long_one() {
    let area = |w, h| Rect::from_min_max(pos2(0.0, 0.0), pos2(w, h));
    let heights = |h, rows| parts(area(400.0, h), rows).map(|r: Rect| r.height().round());
    assert_eq!(heights(600.0, [1, 50]), [118.0, 474.0], "at least a fifth");
    let [few, many] = heights(600.0, [4, 10]);
    assert!(few == 149.0 && many == 443.0);
    let [wide, other] = parts(area(1000.0, 300.0), [1, 50]);
    assert_eq!((wide.width(), other.width(), wide.height()), (496.0, 496.0, 300.0));
}

#[test]
fn the_selected_function_stays_while_the_run_grows() {
    let mut h = view("a");
    let grown =
        "fn new 1 0 0; fn leaf 6 6000000 6000000; fn b 2/1 4000000 14000000; fn main 1 1000000 60000000
        fn a 5/1 9000000 26000000; main -> a 3 5000000 26000000; a -> b 2/1 4000000 14000000
        b -> a 2/1 4000000 10000000; a -> leaf 5 5000000 5000000; b -> leaf 2 2000000 2000000";
    h.state_mut().grow(profile(grown));
    h.run();
    assert!(h.query_by_label_contains("5 calls (1 primitive) · self 9.00 ms").is_some());
    assert!(has(&h, "main, 26.000 ms") && has(&h, "leaf, 5.000 ms"));
}
