//! Small windows of the Help menu.

use egui::Ui;

use super::action;
use crate::ui::widgets;
use crate::views::shared::menu::KEYS;

/// Keys and what they do.
type Keys = &'static [(&'static str, &'static str)];

/// Gestures and keys that are no actions of a menu, by where they work.
const PLACES: &[(&str, Keys)] = &[
    (
        "Charts: flame, timeline, stages, memory, requests",
        &[
            ("Wheel", "scroll up and down"),
            ("Ctrl + wheel, pinch", "zoom at the pointer"),
            ("Drag", "move the chart"),
            ("Shift + drag", "choose a time range; every view follows"),
            ("W S A D", "zoom in, zoom out, move left, move right"),
            ("0, Home", "show everything"),
            ("Enter", "zoom to the selection"),
            ("Arrow keys", "caller, callee and neighbours of the selection"),
            ("Double-click", "zoom to the box"),
        ],
    ),
    (
        "Tables and trees",
        &[
            ("Arrows, Page, Home, End", "walk the rows"),
            ("Enter, Space, → ←", "open and close a row of a tree"),
            ("*", "open everything below a row"),
            ("H", "open the heaviest path"),
            ("N, P", "next and previous match in the call tree"),
            ("Shift + click", "on a heading: sort by several columns"),
            ("Double-click", "callers and callees of the function; on an edge: fit the column"),
        ],
    ),
    (
        "Dependency graph, treemap",
        &[
            ("Arrow keys", "along the calls, or to boxes around and inside"),
            ("Enter", "draw around the function; open a group; look into a box"),
            ("Shift + Enter", "fold the group around"),
            ("Alt + ← →, Backspace", "back, forth, out"),
            ("+ − 0", "zoom in, zoom out, fit"),
        ],
    ),
    #[cfg(feature = "fleet")]
    (
        "Datasets of many runs",
        &[
            ("Arrows, Page, Home, End", "walk ranks and steps"),
            ("Click", "that step of all ranks on one clock"),
            ("Double-click, Enter", "open the run at that step"),
            ("Ctrl + click", "a second run, to compare"),
            ("Ctrl + wheel, W S", "zoom into the rows; the wheel scrolls"),
            ("F5", "read the dataset again"),
        ],
    ),
    ("Functions, wherever they stand", &KEYS),
    (
        "Search",
        &[
            ("/", "search, as Ctrl+F"),
            ("Enter, F3", "the next function that it finds; with Shift the one before"),
            ("Escape", "clear the search, then drop the selection, then put a large pane back"),
            ("Secondary click", "show in another view, open in the editor, focus, merge, drop, copy"),
        ],
    ),
];

fn window(ui: &Ui, id: &str, title: &str, add: impl FnOnce(&mut Ui)) -> bool {
    let modal = egui::Modal::new(egui::Id::unique(id)).show(ui.ctx(), |ui| {
        ui.set_max_width((ui.ctx().content_rect().width() - 60.0).min(if id == "keys" {
            900.0
        } else {
            560.0
        }));
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

/// Lists keys and gestures by where they work, those that hold what is typed; false once closed.
pub(super) fn keys(ui: &Ui, typed: &mut String) -> bool {
    window(ui, "keys", "Keys and gestures", |ui| {
        widgets::SearchBox::new("Search keys", typed).width(260.0).show(ui).response.request_focus();
        ui.add_space(6.0);
        let low = typed.trim().to_lowercase();
        let fits = |keys: &str, what: &str| {
            low.is_empty() || keys.to_lowercase().contains(&low) || what.to_lowercase().contains(&low)
        };
        egui::ScrollArea::vertical().max_height(460.0).auto_shrink([false, true]).show(ui, |ui| {
            let named = action::all().into_iter().filter_map(|entry| {
                let key = action::key_text(ui.ctx(), &entry.key?);
                fits(&key, &entry.title).then_some((key, entry.title))
            });
            let mut any = part(ui, "Everywhere", &named.collect::<Vec<_>>());
            for (place, keys) in PLACES {
                let found = keys.iter().filter(|(keys, what)| fits(keys, what));
                any |= part(
                    ui,
                    place,
                    &found.map(|(k, w)| ((*k).to_owned(), (*w).to_owned())).collect::<Vec<_>>(),
                );
            }
            if !any {
                ui.label("no key does that; Ctrl-Shift-P finds every command");
            }
        });
    })
}

/// Keys of one place, in two columns where there is room; false without any.
fn part(ui: &mut Ui, title: &str, keys: &[(String, String)]) -> bool {
    if keys.is_empty() {
        return false;
    }
    widgets::section_heading(ui, title);
    let columns = if ui.available_width() > 680.0 && keys.len() > 3 { 2 } else { 1 };
    let each = keys.len().div_ceil(columns);
    ui.columns(columns, |columns| {
        for (ui, keys) in columns.iter_mut().zip(keys.chunks(each)) {
            egui::Grid::new((title, "keys")).num_columns(2).spacing([16.0, 3.0]).show(ui, |ui| {
                for (keys, what) in keys {
                    ui.monospace(keys);
                    ui.add(egui::Label::new(what).truncate()).on_hover_text(what);
                    ui.end_row();
                }
            });
        }
    });
    ui.add_space(8.0);
    true
}

/// Name, version, licences; false once closed.
pub(super) fn about(ui: &Ui) -> bool {
    window(ui, "about", "inferscope", |ui| {
        ui.label(concat!("Version ", env!("CARGO_PKG_VERSION"), ", licensed under MIT or Apache-2.0."));
        ui.label("Everything stays on this machine: no file, prompt or figure is sent anywhere.");
        ui.label("Fonts: Inter and JetBrains Mono, under the SIL Open Font License 1.1.");
    })
}
