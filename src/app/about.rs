//! Small windows of the Help menu.

use egui::Ui;

use super::action;
use crate::ui::widgets;
use crate::views::shared::menu::KEYS;

/// Gestures and keys of charts, which are not actions of a menu.
const GESTURES: &[(&str, &str)] = &[
    ("/", "search, as Ctrl+F"),
    ("Wheel", "scroll up and down"),
    ("Ctrl + wheel, pinch", "zoom at the pointer"),
    ("Drag", "move the chart"),
    ("Shift + drag", "choose a time range; every view follows"),
    ("W S A D", "zoom in, zoom out, move left, move right"),
    ("0, Home", "show everything"),
    ("Arrow keys", "caller, callee and neighbours of the selection; rows of tables"),
    ("Enter", "zoom to the selection; expand a row"),
    ("Double-click", "zoom to the box; callers and callees of the function"),
    ("Escape", "drop the selection or the search"),
    ("*", "expand everything below a row of the call tree"),
    ("Secondary click", "show in another view, open in the editor, focus, merge, drop, copy"),
];

fn window(ui: &Ui, id: &str, title: &str, add: impl FnOnce(&mut Ui)) -> bool {
    let modal = egui::Modal::new(egui::Id::unique(id)).show(ui.ctx(), |ui| {
        ui.set_max_width(560.0);
        ui.heading(title);
        ui.add_space(6.0);
        add(ui);
        ui.add_space(8.0);
        if widgets::primary_button(ui, "Close").clicked() {
            ui.close();
        }
    });
    !modal.should_close()
}

/// Lists keys and gestures; false once closed.
pub(super) fn keys(ui: &Ui) -> bool {
    window(ui, "keys", "Keys and gestures", |ui| {
        egui::ScrollArea::vertical().max_height(440.0).show(ui, |ui| {
            egui::Grid::new("keys").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
                for entry in action::all() {
                    let Some(key) = entry.key else { continue };
                    ui.monospace(action::key_text(ui.ctx(), &key));
                    ui.label(entry.title);
                    ui.end_row();
                }
                for (keys, what) in GESTURES.iter().chain(&KEYS) {
                    ui.monospace(*keys);
                    ui.label(*what);
                    ui.end_row();
                }
            });
        });
    })
}

/// Name, version, licences; false once closed.
pub(super) fn about(ui: &Ui) -> bool {
    window(ui, "about", "inferscope", |ui| {
        ui.label(concat!("Version ", env!("CARGO_PKG_VERSION"), ", licensed under MIT or Apache-2.0."));
        ui.label("Everything stays on this machine: no file, prompt or figure is sent anywhere.");
        ui.label("Fonts: Inter and JetBrains Mono, under the SIL Open Font License 1.1.");
    })
}
