//! How many tokens requests have: by class and by model, over time, how large prompts and answers are, what of the prompts is the same
//! each time, and how the counts are known.

mod areas;
mod cards;
mod compare;
mod prompts;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::Ui;

use super::shared::board::{Board, scrolled};
use super::{Comparing, View, ViewCx, ViewKind, needs_requests};
use crate::analysis::component_groups::{ComponentGroup, ComponentGroups};
use crate::analysis::components::{Components, PromptComponents};
use crate::analysis::repeats::{RepeatedPrompts, Repeats};
use crate::analysis::request_facets::Facet;
use crate::analysis::spending::{Spending, Spent};
use crate::analysis::token_facts::{Facts, TokenFacts};
use crate::views::shared;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "tokens",
    title: "Tokens",
    about: "Tokens of requests: by class and model, over time, how they are known",
    needs: needs_requests,
    make: || Box::new(Tokens::new()),
    comparing: Comparing::Own(|| Box::new(compare::DiffTokens::default())),
};

/// The view.
struct Tokens {
    by: Facet,
    board: Board,
    /// Share of all tokens from which on a part of prompts is named.
    limit: f64,
    /// Height of the plots.
    plots: f32,
}

impl Tokens {
    fn new() -> Self {
        Self { by: Facet::default(), board: Board::of_plots(), limit: prompts::LIMIT, plots: 0.0 }
    }
}

/// What the view is made of.
struct Frame {
    spent: Arc<Spent>,
    facts: Arc<Facts>,
    repeats: Option<Arc<Repeats>>,
    components: Option<Arc<Components>>,
    /// The same by what requests are grouped by.
    groups: Option<Arc<Vec<ComponentGroup>>>,
}

/// Sums by what requests have in common.
fn question(cx: &ViewCx<'_>, by: Facet) -> Spending {
    Spending { asked: cx.asked(), by }
}

impl View for Tokens {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| {
            shared::requests::always_group_by(cx, ui, &mut self.by);
            shared::requests::filters(cx, ui);
        });
        let Some(spent) = cx.ask(&question(cx, self.by), 0).content(ui, "Adding up tokens") else { return };
        let Some(facts) = cx.ask(&TokenFacts { asked: cx.asked() }, 1).content(ui, "Counting tokens") else {
            return;
        };
        let repeats = RepeatedPrompts { asked: cx.asked() };
        let repeats = cx.ask(&repeats, 2).beside();
        if spent.groups.is_empty() {
            shared::requests::none(ui);
            return;
        }
        let components = cx.ask(&PromptComponents { asked: cx.asked() }, 3).beside();
        let groups = ComponentGroups { asked: cx.asked(), by: self.by };
        let groups = cx.ask(&groups, 4).beside();
        let frame = Frame { spent, facts, repeats, components, groups };
        self.plots = shared::plot::height(ui.available_height());
        scrolled(ui, |ui| {
            let cards = cards::wanted(&frame);
            let mut board = std::mem::take(&mut self.board);
            board.show(ui, cards.len(), |i, ui| self.card(cards[i], cx, ui, &frame));
            self.board = board;
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "by": self.by, "limit": self.limit })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.by = shared::kept(saved, "by").unwrap_or_default();
        let limit = shared::kept(saved, "limit").filter(|l| (0.0..=1.0).contains(l));
        self.limit = limit.unwrap_or(prompts::LIMIT);
    }
}
