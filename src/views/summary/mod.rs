//! The first look at a profile: what it is, how long it took, what was expensive, what was odd.
//!
//! A header, phases and results over the whole width, then cards in as many columns as fit, then tables of details. Numbers follow the
//! chosen range and scope; whatever stands for something can be clicked and is then selected everywhere.

mod cards;
mod compare;
mod findings;
mod header;
mod optimisations;
mod phases;
mod results;

use super::shared::board::{Board, GAP};
use super::{Comparing, View, ViewCx, ViewKind};
use crate::ui::theme::space;
use egui::{Rect, ScrollArea, Ui, UiBuilder, vec2};

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
    board: Board,
}

impl View for Summary {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let width = ui.available_width();
            let inner = Rect::from_min_size(ui.cursor().min, vec2(width, f32::INFINITY)).shrink(space::SMALL);
            let used = ui
                .scope_builder(UiBuilder::new().max_rect(inner), |ui| {
                    ui.spacing_mut().item_spacing.y = GAP;
                    let to_warnings = header::show(cx, ui);
                    phases::show(cx, ui);
                    results::show(cx.profile(), false, ui);
                    let cards = cards::wanted(cx);
                    self.board.show(ui, cards.len(), |i, ui| {
                        cards[i].show(cx, ui);
                        if to_warnings && cards[i] == cards::Card::Warnings {
                            ui.scroll_to_rect(ui.min_rect(), Some(egui::Align::Center));
                        }
                    });
                    results::show(cx.profile(), true, ui);
                })
                .response
                .rect;
            ui.allocate_rect(used.expand(space::SMALL), egui::Sense::hover());
        });
    }
}

#[cfg(test)]
mod tests;
