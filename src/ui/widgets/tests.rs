//! Widgets do what they say, by mouse and by keyboard, and have names.

use super::*;
use crate::format::Order;
use crate::model::{Better, MetricKey, Unit};
use crate::ui::icons::Icon;
use crate::ui::software::Software;
use crate::ui::theme::{self, Tone};
use egui::{Align, Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

fn harness<'a, S: 'a>(state: S, ui: impl FnMut(&mut Ui, &mut S) + 'a) -> Harness<'a, S> {
    let mut ui = ui;
    let mut installed = false;
    Harness::builder()
        .with_size([600.0, 300.0])
        .with_max_steps(12)
        .renderer(Software::default())
        .build_ui_state(
            move |u, state| {
                if !installed {
                    installed = true;
                    theme::install(u.ctx());
                    return; // fonts are there from the next pass on
                }
                ui(u, state);
            },
            state,
        )
}

#[test]
fn the_search_field_types_steps_and_clears() {
    #[derive(Default)]
    struct State {
        text: String,
        next: usize,
        previous: usize,
        changes: usize,
    }
    let mut h = harness(State::default(), |ui, s: &mut State| {
        let out = SearchBox::new("Find function", &mut s.text).matches(Some(0), 3).show(ui);
        s.next += usize::from(out.next);
        s.previous += usize::from(out.previous);
        s.changes += usize::from(out.changed);
    });
    h.run();
    h.get_by_label("Find function").focus();
    h.run();
    h.get_by_label("Find function").type_text("attn");
    h.run();
    assert_eq!((h.state().text.as_str(), h.state().changes), ("attn", 1));
    h.key_press(Key::Enter);
    h.run();
    h.key_press(Key::Enter);
    h.run();
    h.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    h.run();
    assert_eq!((h.state().next, h.state().previous), (2, 1), "Enter keeps the focus in the field");
    h.get_by_label("Clear search").click();
    h.run();
    assert_eq!((h.state().text.as_str(), h.state().changes), ("", 2));
    h.get_by_label("Find function").type_text("x");
    h.run();
    h.key_press(Key::Escape);
    h.run();
    assert_eq!(h.state().text, "");
}

#[test]
fn a_segment_is_chosen_by_mouse_and_by_keyboard() {
    let mut h = harness((0u8, 0), |ui, s: &mut (u8, usize)| {
        let choices = [(0, "Time order"), (1, "Left heavy"), (2, "Sandwich")];
        s.1 += usize::from(segmented(ui, "Form", &mut s.0, &choices).changed());
    });
    h.run();
    h.get_by_label("Left heavy").click();
    h.run();
    assert_eq!(*h.state(), (1, 1));
    h.get_by_label("Sandwich").focus();
    h.run();
    h.key_press(Key::Space);
    h.run();
    assert_eq!(*h.state(), (2, 2));
    let chosen = h.get_by_role_and_label(Role::RadioButton, "Sandwich").accesskit_node().toggled();
    assert_eq!(chosen, Some(egui::accesskit::Toggled::True));
}

#[test]
fn another_metric_can_be_picked() {
    let choice =
        |key, label: &str, unit| MetricChoice { key: MetricKey::declared(key), label: label.into(), unit };
    let metrics = [choice("time", "Time", Unit::Nanoseconds), choice("alloc", "Allocated", Unit::Bytes)];
    let mut h = harness((MetricKey::declared("time"), 0), move |ui, s: &mut (MetricKey, usize)| {
        s.1 += usize::from(metric_picker(ui, "m", &metrics, &mut s.0));
    });
    h.run();
    h.get_by_label("Metric").click();
    h.run();
    h.get_by_label("Allocated (bytes)").click();
    h.run();
    assert_eq!(*h.state(), (MetricKey::declared("alloc"), 1));
}

#[test]
fn a_notice_acts_and_goes() {
    let mut h = harness(Vec::new(), |ui, s: &mut Vec<NoticeAction>| {
        s.extend(Notice::new(Tone::Warning, "3 kinds of warnings").action("Show").dismissable().show(ui));
    });
    h.run();
    h.get_by_label("3 kinds of warnings");
    h.get_by_label("Show").click();
    h.run();
    h.get_by_label("Dismiss").click();
    h.run();
    assert_eq!(*h.state(), [NoticeAction::Acted, NoticeAction::Dismissed]);
}

#[test]
fn a_fact_is_copied_by_a_click() {
    let mut h = harness((), |ui, ()| {
        KeyValues::new(ui, 120.0).row("Model", "tiny.gguf").row("Cost", "–");
    });
    h.run();
    h.get_by_label("Model: tiny.gguf").click();
    h.step();
    let copied =
        |command: &egui::OutputCommand| *command == egui::OutputCommand::CopyText("tiny.gguf".into());
    assert!(h.output().platform_output.commands.iter().any(copied));
}

#[test]
fn an_empty_view_offers_a_way_out() {
    let mut h = harness(0, |ui, clicks: &mut usize| {
        let acted = EmptyState::new(Icon::Flame, "No time order", "Open a trace.").action("Open…").show(ui);
        *clicks += usize::from(acted);
    });
    h.run();
    h.get_by_label("No time order");
    h.get_by_label("Open…").click();
    h.run();
    assert_eq!(*h.state(), 1);
}

#[test]
fn work_can_be_cancelled_and_says_how_far_it_is() {
    let mut h = harness(0, |ui, stops: &mut usize| {
        *stops += usize::from(progress_row(ui, "Reading a.json", Some(0.25), "Cancel"));
        *stops += usize::from(progress_row(ui, "Odd", Some(f32::NAN), "Cancel"));
    });
    h.run_steps(4);
    let bar = h.get_by_role_and_label(Role::ProgressIndicator, "Reading a.json");
    assert_eq!(bar.accesskit_node().numeric_value(), Some(0.25));
    h.get_by_label("Cancel: Reading a.json").click();
    h.run_steps(4);
    assert_eq!(*h.state(), 1);
}

#[test]
fn a_column_head_sorts_and_says_so() {
    let mut h = harness(None, |ui, sort: &mut Option<Order>| {
        ui.set_max_height(26.0);
        if header_cell(ui, "Total", Align::RIGHT, *sort).clicked() {
            *sort = Some(Order::Descending);
        }
    });
    h.run();
    h.get_by_label("Total").click();
    h.run();
    h.get_by_label("Total, descending").focus();
    h.run();
    h.key_press(Key::Enter);
    h.run();
    assert_eq!(*h.state(), Some(Order::Descending));
}

#[test]
fn toggles_and_icon_buttons_have_names() {
    let mut h = harness((false, 0), |ui, s: &mut (bool, usize)| {
        ui.horizontal(|ui| {
            toggle_button(ui, Icon::Compare, "Compare", &mut s.0);
            s.1 += usize::from(icon_button(ui, Icon::Copy, "Copy the table").clicked());
            s.1 += usize::from(link_button(ui, "Details").clicked());
            s.1 += usize::from(primary_button(ui, "Record").clicked());
        });
    });
    for label in ["Compare", "Copy the table", "Details", "Record"] {
        h.run();
        h.get_by_label(label).click();
    }
    h.run();
    assert_eq!(*h.state(), (true, 3));
}

#[test]
fn shortcuts_keep_their_plus() {
    let mut h = harness((), |ui, ()| {
        shortcut_hint(ui, &egui::KeyboardShortcut::new(Modifiers::CTRL, Key::Plus));
        shortcut_hint(ui, &egui::KeyboardShortcut::new(Modifiers::NONE, Key::Questionmark));
    });
    h.run();
    h.get_by_label("Ctrl+Plus");
}

#[test]
fn cells_survive_no_room_and_odd_numbers() {
    let mut h = harness((), |ui, ()| {
        let palette = Palette::of(ui);
        for width in [0.0, 1.0, 9.0, 200.0] {
            for share in [None, Some(f64::NAN), Some(-1.0), Some(1e300)] {
                let area = Rect::from_min_size(egui::pos2(0.0, 0.0), egui::vec2(width, 22.0));
                let builder =
                    egui::UiBuilder::new().max_rect(area).id_salt((width as u32, share.map(f64::to_bits)));
                ui.scope_builder(builder, |ui| {
                    share_bar(ui, share, "12 %", &Cell::number(palette));
                });
                let builder =
                    egui::UiBuilder::new().max_rect(area).id_salt((width as u32, share.map(f64::to_bits), 1));
                ui.scope_builder(builder, |ui| {
                    let color = palette.diff(share.unwrap_or(0.0) as f32, Better::Lower);
                    delta_bar(ui, share, color, "+12 %", &Cell::number(palette));
                });
            }
        }
    });
    h.run();
    h.render().unwrap();
}
