//! Where the time of requests goes: phases and the bottleneck, what the first token waits for, how figures are distributed, what load
//! does to them, whether promises are kept, and why the slowest were slow.

mod cards;
mod compare;
mod promises;
#[cfg(test)]
mod tests;

use egui::Ui;

use super::shared::board::{Board, scrolled};
use super::{Comparing, View, ViewCx, ViewKind, needs_requests};
use crate::analysis::latency::RequestLatency;
use crate::analysis::slo::Slo;
use crate::model::Profile;
use crate::ui::icons::Icon;
use crate::ui::widgets::EmptyState;
use crate::views::shared;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "latency",
    title: "Latency",
    about: "Where the time of requests goes: phases, first token, load, promises",
    needs: needs_times,
    make: || Box::new(Latency::new()),
    comparing: Comparing::Own(|| Box::new(compare::DiffLatency::default())),
};

fn needs_times(profile: &Profile) -> Result<(), &'static str> {
    needs_requests(profile)?;
    let timed = profile.requests.rows.iter().any(|r| r.latency().is_some() || r.phases.sum().is_some());
    if timed { Ok(()) } else { Err("The requests of this file have no times.") }
}

/// The figures that can be looked at as a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Figure {
    #[default]
    Ttft,
    Tpot,
    Latency,
    Queued,
    Gap,
}

/// The view.
struct Latency {
    figure: Figure,
    slo: Slo,
    board: Board,
    /// Height of the plots.
    plots: f32,
}

impl Latency {
    fn new() -> Self {
        Self { figure: Figure::default(), slo: Slo::default(), board: Board::of_plots(), plots: 0.0 }
    }
}

/// What is asked about phases and percentiles.
fn question(cx: &ViewCx<'_>) -> RequestLatency {
    RequestLatency { asked: cx.asked() }
}

impl View for Latency {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| shared::requests::filters(cx, ui));
        let Some(found) = cx.ask(&question(cx), 0).content(ui, "Adding up phases") else { return };
        if found.of_requests.total == 0 && found.spreads.iter().all(|s| s.values.is_none()) {
            let text = "No request that ended well was in flight in the chosen range, or search and filter leave none.";
            EmptyState::new(Icon::Search, "No request to show", text).show(ui);
            return;
        }
        self.plots = shared::plot::height(ui.available_height());
        scrolled(ui, |ui| {
            let cards = cards::wanted(&found);
            let mut board = std::mem::take(&mut self.board);
            board.show(ui, cards.len(), |i, ui| self.card(cards[i], cx, ui, &found));
            self.board = board;
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "figure": self.figure, "slo": self.slo })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.figure = shared::kept(saved, "figure").unwrap_or_default();
        self.slo = shared::kept(saved, "slo").unwrap_or_default();
    }
}
