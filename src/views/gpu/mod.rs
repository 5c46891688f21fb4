//! What GPUs did and why they did nothing: busy and idle time by cause, kernels by class and name, the rounds of the loop.

mod cards;
mod compare;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::Ui;

use super::shared::board::{Board, scrolled};
use super::{Comparing, View, ViewCx, ViewKind};
use crate::analysis::idle::{Idle, IdleOf};
use crate::analysis::kernels::{GpuWorkTable, WorkTable};
use crate::analysis::launches::{Launches, LaunchesIn};
use crate::model::{Profile, TrackKind};
use crate::ui::icons::Icon;
use crate::ui::widgets::EmptyState;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "gpu",
    title: "GPU",
    about: "Busy and idle time of GPUs by cause, kernels by class and name, rounds of the loop",
    needs: needs_gpu,
    make: || Box::new(Gpu::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffGpu::default())),
};

fn needs_gpu(profile: &Profile) -> Result<(), &'static str> {
    let works = |t: &crate::model::Track| t.kind == TrackKind::GpuStream && !t.spans.rows.is_empty();
    if profile.tracks.iter().any(works) {
        Ok(())
    } else {
        Err(
            "This file has no work of a GPU; open a trace of torch.profiler with CUDA, or record a generation on a GPU.",
        )
    }
}

/// The view.
#[derive(Default)]
struct Gpu {
    board: Board,
}

/// What the view is made of.
struct Frame {
    table: Arc<WorkTable>,
    idle: Option<Arc<Idle>>,
    launches: Option<Arc<Launches>>,
}

impl View for Gpu {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(table) = cx.ask(&GpuWorkTable(cx.interaction.range), 0).content(ui, "Adding up kernels")
        else {
            return;
        };
        if table.rows.is_empty() {
            let text = "No GPU worked in the chosen range.";
            EmptyState::new(Icon::Search, "No work of a GPU", text).show(ui);
            return;
        }
        let busiest = IdleOf { tracks: None, range: cx.interaction.range };
        let idle = cx.ask(&busiest, 1).beside();
        let launches = cx.ask(&LaunchesIn(cx.interaction.range), 2).beside();
        let frame = Frame { table, idle, launches };
        scrolled(ui, |ui| {
            let cards = cards::wanted(&frame);
            self.board.show(ui, cards.len(), |i, ui| cards::show(cards[i], cx, ui, &frame));
        });
    }
}
