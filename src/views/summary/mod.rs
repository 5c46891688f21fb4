//! The first look at a profile: what it is, how long it took, what was expensive, what was odd.
//!
//! A header, phases and results over the whole width, then cards in as many columns as fit, then tables of details. Numbers follow the
//! chosen range and scope; whatever stands for something can be clicked and is then selected everywhere.

mod cards;
mod compare;
mod findings;
mod header;
mod masonry;
mod phases;
mod results;

use super::{Comparing, View, ViewCx, ViewKind};
use crate::ui::theme::space;
use egui::{Rect, ScrollArea, Ui, UiBuilder, pos2, vec2};

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "summary",
    title: "Summary",
    about: "What was measured, what took the time, what was odd",
    needs: |_| Ok(()),
    make: || Box::new(Summary::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffSummary::default())),
};

#[derive(Default)]
struct Summary {
    /// Heights of the cards in the last frame.
    heights: Vec<f32>,
}

/// Distance between cards.
const GAP: f32 = 10.0;

impl View for Summary {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let width = ui.available_width();
            let inner = Rect::from_min_size(ui.cursor().min, vec2(width, f32::INFINITY)).shrink(space::SMALL);
            let used = ui
                .scope_builder(UiBuilder::new().max_rect(inner), |ui| {
                    ui.spacing_mut().item_spacing.y = GAP;
                    header::show(cx, ui);
                    phases::show(cx, ui);
                    results::show(cx.profile(), false, ui);
                    self.cards(cx, ui);
                    results::show(cx.profile(), true, ui);
                })
                .response
                .rect;
            ui.allocate_rect(used.expand(space::SMALL), egui::Sense::hover());
        });
    }
}

impl Summary {
    fn cards(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let cards = cards::wanted(cx.profile());
        if self.heights.len() != cards.len() {
            // A guess; the pass that follows knows.
            self.heights = vec![160.0; cards.len()];
            ui.request_discard("cards of unknown height");
        }
        let (count, width) = masonry::columns(ui.available_width(), GAP);
        let (places, height) = masonry::place(&self.heights, count, GAP);
        let origin = ui.cursor().min;
        for (i, (card, &(column, top))) in cards.iter().zip(&places).enumerate() {
            let left = origin.x + column as f32 * (width + GAP);
            let area = Rect::from_min_size(pos2(left, origin.y + top), vec2(width, f32::INFINITY));
            let builder = UiBuilder::new().max_rect(area).id_salt(("card", i));
            let mut child = ui.new_child(builder);
            card.show(cx, &mut child);
            let now = child.min_rect().height();
            if (now - self.heights[i]).abs() > 0.5 {
                self.heights[i] = now;
                ui.request_repaint();
            }
        }
        ui.allocate_space(vec2(ui.available_width(), height));
    }
}

#[cfg(test)]
mod tests;
