//! Operations as PyTorch's profiler prints them, and what limits a model on its device: bytes per parameter, passes, MFU and MBU, the
//! roofline.

mod cards;
mod compare;
mod fields;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::{Ui, UiBuilder};

use self::fields::Fields;
use super::shared::board::{Board, scrolled};
use super::{Comparing, View, ViewCx, ViewKind};
use crate::analysis::columns::ops::OpColumn;
use crate::analysis::compute::{Explain, Explained, Given};
use crate::analysis::ops::{OpKind, OpTable, Ops, has_ops};
use crate::analysis::step_memory::MemoryOfSteps;
use crate::model::Profile;
use crate::ui::theme::space;
use crate::ui::widgets::segmented;
use crate::views::shared;
use crate::views::shared::grid::GridState;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "compute",
    title: "Compute",
    about: "Operations with torch's columns; bytes per parameter, MFU, MBU and the roofline",
    needs: needs_compute,
    make: || Box::new(Compute::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffCompute::default())),
};

fn needs_compute(profile: &Profile) -> Result<(), &'static str> {
    if has_ops(profile) || Given::of_run(profile).parameters.is_some() {
        return Ok(());
    }
    Err(
        "This file names no operations and no size of a model; open a trace or a printed table of torch.profiler, or record a generation.",
    )
}

/// The chips: all rows, or those of one kind.
const CHIPS: [(Option<OpKind>, &str); 5] = [
    (None, "All"),
    (Some(OpKind::Operator), "Operators"),
    (Some(OpKind::Kernel), "Kernels"),
    (Some(OpKind::Runtime), "Runtime"),
    (Some(OpKind::Copy), "Copies"),
];

/// The view.
struct Compute {
    kind: Option<OpKind>,
    /// What rows are sorted by; the time of what is shown until somebody chooses.
    sort: Option<(OpColumn, bool)>,
    grid: GridState,
    order: table::Ordered,
    fields: Fields,
    board: Board,
}

impl Default for Compute {
    fn default() -> Self {
        Self {
            kind: Some(OpKind::Operator),
            sort: None,
            grid: GridState::default(),
            order: table::Ordered::default(),
            fields: Fields::default(),
            board: Board::default(),
        }
    }
}

/// What limits the model, with what a person gave.
fn question(cx: &ViewCx<'_>, given: &Given) -> Explain {
    Explain { asked: cx.asked(), given: given.clone() }
}

/// The chips of kinds that have rows; a kind without any is left.
fn chips(ui: &mut Ui, kind: &mut Option<OpKind>, tables: &[&OpTable]) {
    let has = |kind: Option<OpKind>| tables.iter().any(|t| t.of(kind).next().is_some());
    if !has(*kind) {
        *kind = None;
    }
    let shown: Vec<_> = CHIPS.into_iter().filter(|(kind, _)| kind.is_none() || has(*kind)).collect();
    segmented(ui, "Rows", kind, &shown);
}

impl View for Compute {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let ops = match has_ops(cx.profile()) {
            true => {
                let Some(ops) = cx.ask(&Ops(cx.interaction.range), 0).content(ui, "Adding up operations")
                else {
                    return;
                };
                Some(ops)
            }
            false => None,
        };
        let Some(found) = cx.ask(&question(cx, &self.fields.given), 1).content(ui, "Adding up passes") else {
            return;
        };
        let Some(ops) = ops else {
            self.cards(cx, ui, &found);
            return;
        };
        let area = ui.available_rect_before_wrap();
        let (left, right) = if area.width() > 1080.0 {
            let split = area.right() - 400.0;
            (area.with_max_x(split - space::LARGE), area.with_min_x(split))
        } else {
            let split = area.top() + area.height() * 0.56;
            (area.with_max_y(split - space::MEDIUM), area.with_min_y(split))
        };
        ui.scope_builder(UiBuilder::new().max_rect(left).id_salt("operations"), |ui| {
            shared::header(ui, |ui| {
                chips(ui, &mut self.kind, &[&ops]);
                table::sums(ui, &ops);
            });
            self.table(cx, ui, &ops);
        });
        ui.scope_builder(UiBuilder::new().max_rect(right).id_salt("limits"), |ui| {
            self.cards(cx, ui, &found);
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": self.kind, "sort": self.sort, "columns": self.grid.shown, "given": self.fields.given,
        })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.kind = shared::kept(saved, "kind").unwrap_or(self.kind);
        self.sort = shared::kept(saved, "sort").unwrap_or_default();
        self.grid.shown = shared::kept(saved, "columns").unwrap_or_default();
        self.fields.given = shared::kept(saved, "given").unwrap_or_default();
    }
}

impl Compute {
    fn cards(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, found: &Arc<Explained>) {
        let memory = cx.ask(&MemoryOfSteps(cx.interaction.range), 2).beside();
        let memory = memory.as_deref().map_or(&[][..], |all| &all[..]);
        let wanted = cards::wanted(memory);
        scrolled(ui, |ui| {
            let mut board = std::mem::take(&mut self.board);
            board.show(ui, wanted.len(), |i, ui| {
                cards::show(wanted[i], ui, (found, memory), |ui| {
                    self.fields.show(ui, cx.profile(), &found.stated)
                });
            });
            self.board = board;
        });
    }
}
