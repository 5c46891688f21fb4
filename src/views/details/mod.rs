//! Everything about the selected thing, or about what the pointer is on when nothing is selected.

mod args;
mod blocks;
mod build;
mod compare;
mod durations;
mod request;
mod sheet;
mod tokens;

use std::collections::BTreeSet;

use super::{Comparing, View, ViewCx, ViewKind};
use crate::format;
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, small, space, strong};
use crate::ui::widgets::{EmptyState, icon_button, pill};
use egui::{Label, Layout, RichText, ScrollArea, Ui, vec2};
use sheet::{Block, Sheet};

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "details",
    title: "Details",
    about: "Everything about the selected thing",
    needs: |_| Ok(()),
    make: || Box::new(Details::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffDetails::default())),
};

/// What is said while nothing is selected.
const NOTHING: &str = "Click a span, a function, a request or a moment in any view. What the pointer is on is shown here \
                       until then.";

#[derive(Default)]
struct Details {
    /// What was shown in the last frame: another thing starts at the top.
    shown: Option<Item>,
    /// Titles of long texts that are shown whole.
    whole: BTreeSet<String>,
}

impl View for Details {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let selected = cx.interaction.selection.clone();
        let pinned = selected.is_some();
        let Some(item) = selected.or_else(|| cx.hover.cloned()) else {
            EmptyState::new(Icon::Info, "Nothing selected", NOTHING).show(ui);
            return;
        };
        let Some(sheet) = build::sheet(cx, &item) else {
            EmptyState::new(Icon::Info, "Not in this profile", "Nothing here is the selected thing.")
                .show(ui);
            return;
        };
        head(cx, ui, &sheet, pinned);
        let mut area = ScrollArea::vertical().auto_shrink(false);
        if self.shown.as_ref() != Some(&item) {
            area = area.vertical_scroll_offset(0.0);
            self.whole.clear();
            self.shown = Some(item);
        }
        area.show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            // The scroll bar floats over the content.
            ui.set_max_width(ui.available_width() - space::MEDIUM);
            for (i, block) in sheet.blocks.iter().enumerate() {
                ui.push_id(i, |ui| part(cx, ui, block, &mut self.whole));
            }
        });
    }
}

fn head(cx: &mut ViewCx<'_>, ui: &mut Ui, sheet: &Sheet, pinned: bool) {
    let palette = Palette::of(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let kind = if pinned { sheet.kind.to_owned() } else { format!("{} under the pointer", sheet.kind) };
        ui.label(RichText::new(kind).font(small()).color(palette.text_weak));
        if let Some((tone, text)) = &sheet.badge {
            pill(ui, *tone, text);
        }
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            if pinned && icon_button(ui, Icon::Close, "Select nothing").clicked() {
                cx.send(Command::Select(None));
            }
            if icon_button(ui, Icon::Copy, "Copy all as Markdown").clicked() {
                ui.ctx().copy_text(sheet.markdown());
            }
        });
    });
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 7.0;
        if !sheet.color_of.is_empty() {
            let (area, _) = ui.allocate_exact_size(vec2(11.0, 20.0), egui::Sense::hover());
            let square = egui::Rect::from_center_size(area.center(), vec2(11.0, 11.0));
            let fill = palette.span_named(&sheet.color_of).fill;
            ui.painter().rect_filled(square, space::RADIUS_SMALL, fill);
        }
        let title: String = sheet.title.chars().take(400).collect();
        let text = RichText::new(format::escaped(&title)).font(strong(15.0)).color(palette.text_strong);
        ui.add(Label::new(text).wrap().selectable(true));
    });
    ui.add_space(2.0);
}

/// A part of a sheet; `unfolded` are the titles of long texts that are shown whole.
fn part(cx: &mut ViewCx<'_>, ui: &mut Ui, block: &Block, unfolded: &mut BTreeSet<String>) {
    match block {
        Block::Facts { title, facts, note } => {
            blocks::heading(ui, title);
            for (i, fact) in facts.iter().enumerate() {
                ui.push_id(i, |ui| blocks::fact(cx, ui, fact));
            }
            if !note.is_empty() {
                super::parts::remark(ui, note);
            }
        }
        Block::Path(steps) => {
            blocks::heading(ui, "Path");
            blocks::path(cx, ui, steps, steps.len().saturating_sub(1));
        }
        Block::Stack { steps, at, note } => {
            blocks::heading(ui, "Most probable stack");
            blocks::path(cx, ui, steps, *at);
            super::parts::remark(ui, note);
        }
        Block::Durations(function, own) => durations::show(cx, ui, *function, *own),
        Block::Tokens(id) => tokens::show(cx, ui, *id),
        Block::Text { title, text } => {
            let whole = unfolded.contains(title);
            if blocks::text(ui, title, text, whole) && !unfolded.remove(title) {
                unfolded.insert(title.clone());
            }
        }
        Block::Moment(t) => {
            blocks::heading(ui, "What ran then");
            super::moment::show(cx, ui, *t, 0);
        }
    }
}

#[cfg(test)]
mod tests;
