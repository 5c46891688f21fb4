//! What the requests cost: by model and the like, by part of the bill, against latency and prompt size, and what it would have been
//! otherwise.

mod cards;
mod compare;
mod machine;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::{Ui, vec2};

use super::shared::board::{Board, scrolled};
use super::{Comparing, View, ViewCx, ViewKind, Wish, needs_requests};
use crate::analysis::definitions as say;
use crate::analysis::request_facets::Facet;
use crate::analysis::spending::{Group, Spending, Spent};
use crate::format::{self, UNKNOWN};
use crate::model::Money;
use crate::ui::theme::{Tone, space};
use crate::views::parts::figure;
use crate::views::shared;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "cost",
    title: "Cost",
    about: "What requests cost: by model, by part, against latency, and otherwise",
    needs: needs_requests,
    make: || {
        Box::new(Cost {
            by: Facet::default(),
            other: String::new(),
            machine: machine::Machine::default(),
            board: Board::of_plots(),
            plots: 0.0,
        })
    },
    comparing: Comparing::Own(|| Box::new(compare::DiffCost::default())),
};

/// The view.
struct Cost {
    by: Facet,
    /// The other model that is asked about.
    other: String,
    /// Prices of a machine of one's own, as typed.
    machine: machine::Machine,
    board: Board,
    /// Height of the plots.
    plots: f32,
}

/// What the view is asked for now.
fn question(cx: &ViewCx<'_>, by: Facet) -> Spending {
    Spending { asked: cx.asked(), by }
}

impl View for Cost {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| {
            shared::requests::always_group_by(cx, ui, &mut self.by);
            shared::requests::filters(cx, ui);
            if ui
                .button("Prices…")
                .on_hover_text("Your own prices, a table of yours, the carried table")
                .clicked()
            {
                cx.out.wishes.push(Wish::Prices);
            }
        });
        let Some(spent) = cx.ask(&question(cx, self.by), 0).content(ui, "Adding up costs") else { return };
        if spent.groups.is_empty() {
            shared::requests::none(ui);
            return;
        }
        self.plots = shared::plot::height(ui.available_height());
        scrolled(ui, |ui| {
            figures(ui, &spent);
            ui.add_space(space::MEDIUM);
            let cards = cards::wanted(cx.profile(), &spent);
            let mut board = std::mem::take(&mut self.board);
            board.show(ui, cards.len(), |i, ui| self.card(cards[i], cx, ui, &spent));
            self.board = board;
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "by": self.by, "other": self.other, "machine": self.machine })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.by = shared::kept(saved, "by").unwrap_or_default();
        self.other = shared::kept(saved, "other").unwrap_or_default();
        self.machine = shared::kept(saved, "machine").unwrap_or_default();
        // As older versions kept it.
        if let Some(hour) = shared::kept(saved, "hour") {
            self.machine.hour = hour;
        }
    }
}

/// An amount in dollars for reading.
fn amount(dollars: Option<f64>) -> String {
    dollars.map_or_else(|| UNKNOWN.to_owned(), |d| format::dollars((d * 1e9).round() as i64))
}

/// The cost of a group.
fn cost_text(group: &Group) -> String {
    group.sums.cost_text().unwrap_or_else(|| "unpriced".to_owned())
}

/// The line of large figures.
fn figures(ui: &mut Ui, spent: &Arc<Spent>) {
    let all = &spent.all;
    let count = |n: usize| format::count(n as i64);
    let mut list: Vec<(&str, String, Option<Tone>, &str)> = vec![
        ("Cost", cost_text(all), None, say::COST),
        ("Per request", amount(all.per_request()), None, "Cost ÷ requests that have one."),
        ("Per answer", amount(all.per_answer()), None, say::PER_ANSWER),
        (
            "Per 1,000 output tokens",
            amount(all.per_thousand_output()),
            None,
            "Cost, input included, ÷ output tokens × 1,000, over requests that have a cost.",
        ),
        ("Requests", count(all.sums.requests), None, "In the chosen range, found by the search."),
    ];
    if all.sums.unpriced > 0 {
        list.push(("Unpriced", count(all.sums.unpriced), Some(Tone::Warning), say::UNPRICED));
    }
    let saved = all.sums.no_cache.zip(all.sums.as_billed).map(|(no, billed)| no - billed);
    if let Some(saved) = saved.filter(|m| *m != Money::ZERO) {
        let tone = if saved > Money::ZERO { Tone::Good } else { Tone::Warning };
        // Of the others nobody knows what they would have cost without.
        let sign = if all.sums.listed < all.sums.requests { "≥ " } else { "" };
        list.push(("Saved by caching", format!("{sign}{}", format::money(saved)), Some(tone), say::SAVED));
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::LARGE, space::SMALL);
        for (name, value, tone, about) in list {
            figure(ui, 142.0, name, &value, tone).on_hover_text(about);
        }
    });
}
