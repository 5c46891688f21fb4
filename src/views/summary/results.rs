//! Tables of results that a recording compared, such as weight formats of a model.

use crate::format;
use crate::model::{Profile, ResultTable};
use crate::ui::theme::{Palette, regular, space};
use crate::views::parts::{card, weak};
use egui::scroll_area::ScrollBarVisibility;
use egui::{Align, Label, Layout, RichText, ScrollArea, Ui, vec2};

/// Results, or details of the run.
pub(super) fn show(profile: &Profile, minor: bool, ui: &mut Ui) {
    let tables = profile.meta.tables.iter().enumerate();
    for (i, table) in tables.filter(|(_, t)| t.minor == minor) {
        card(ui, &table.title, |ui| {
            // The bar of a table below the visible part would be drawn at its edge.
            let bar = if ui.cursor().top() < ui.clip_rect().bottom() {
                ScrollBarVisibility::VisibleWhenNeeded
            } else {
                ScrollBarVisibility::AlwaysHidden
            };
            let area = ScrollArea::horizontal().id_salt(("result", i)).auto_shrink([false, true]);
            let area = area.scroll_bar_visibility(bar);
            area.show(ui, |ui| grid(table, i, ui));
            if !table.note.is_empty() {
                ui.add_space(space::SMALL);
                weak(ui, &table.note);
            }
        });
    }
}

fn grid(table: &ResultTable, id: usize, ui: &mut Ui) {
    let palette = Palette::of(ui);
    let grid = egui::Grid::new(("result", id)).striped(true).spacing(vec2(space::LARGE * 2.0, space::SMALL));
    grid.show(ui, |ui| {
        let headings = table.columns.iter().map(|text| (text.as_str(), palette.text_weak));
        headings.enumerate().for_each(|(i, (text, color))| cell(ui, i, text, color));
        ui.end_row();
        for row in &table.rows {
            for i in 0..table.columns.len() {
                cell(ui, i, row.get(i).map_or(format::UNKNOWN, String::as_str), palette.text);
            }
            ui.end_row();
        }
    });
}

/// A cell; the first column is flush left, numbers are flush right.
fn cell(ui: &mut Ui, column: usize, text: &str, color: egui::Color32) {
    let label = Label::new(RichText::new(format::escaped(text)).font(regular(13.0)).color(color)).extend();
    if column == 0 {
        ui.add(label);
    } else {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.add(label));
    }
}
