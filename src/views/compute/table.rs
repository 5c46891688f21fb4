//! The table of operations.

use std::sync::Arc;

use egui::{RichText, Ui};

use super::Compute;
use crate::analysis::columns::ops::{self as columns, OpCells, OpColumn};
use crate::analysis::ops::{Op, OpKind, OpTable};
use crate::format;
use crate::model::{Profile, Unit};
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::views::shared::grid::{Grid, Mark, Rows, walk};
use crate::views::shared::menu::{About, ContextMenu, Picked};
use crate::views::{ViewCx, shared};

/// What is listed: of which table, which kind of operations, in which order.
type Asked = (Arc<OpTable>, Option<OpKind>, (OpColumn, bool));

/// Rows in the order that was chosen, kept while nothing changes.
#[derive(Default)]
pub(super) struct Ordered {
    of: Option<Asked>,
    rows: Arc<Vec<Op>>,
}

impl Ordered {
    fn set(
        &mut self,
        table: &Arc<OpTable>,
        kind: Option<OpKind>,
        columns: &[OpCells<'_>],
        sort: (OpColumn, bool),
    ) {
        let same =
            self.of.as_ref().is_some_and(|(of, k, s)| Arc::ptr_eq(of, table) && (*k, *s) == (kind, sort));
        if same {
            return;
        }
        let mut rows: Vec<Op> = table.of(kind).copied().collect();
        rows.sort_by(|a, b| format::by(columns, &[sort])(*a, *b));
        self.rows = Arc::new(rows);
        self.of = Some((table.clone(), kind, sort));
    }
}

/// The last lines of torch's table.
pub(super) fn sums(ui: &mut Ui, table: &OpTable) {
    let time = |ns| format::cost_or_unknown(Unit::Nanoseconds, ns);
    let mut text = format!("Self CPU time total: {}", time(table.self_cpu_total));
    if !table.device.is_empty() {
        text = format!("{text} · Self {} time total: {}", table.device, time(table.self_device_total));
    }
    let about = "The time of the device is that of its kernels and copies. Operators hold the same time again: both are never added up.";
    ui.label(RichText::new(text).color(Palette::of(ui).text_weak)).on_hover_text(about);
}

/// What rows are sorted by at first: what takes time where they run.
fn usual(table: &OpTable, kind: Option<OpKind>) -> (OpColumn, bool) {
    let on_device = kind.is_some_and(OpKind::is_on_device) || (kind.is_none() && !table.device.is_empty());
    (if on_device { OpColumn::SelfCudaTimeTotal } else { OpColumn::SelfCpuTimeTotal }, false)
}

impl Compute {
    pub(super) fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, ops: &Arc<OpTable>) {
        let profile = cx.subject.profile().clone();
        let mut cells = columns::ops(&profile, ops, self.kind);
        let sort = self.sort.unwrap_or_else(|| usual(ops, self.kind));
        self.order.set(ops, self.kind, &cells, sort);
        format::mark(&mut cells, &[sort]);
        let rows = self.order.rows.clone();
        let item = |row: usize| Item::of_function(rows[row].function, &profile);
        let selected = cx.interaction.selection.as_ref().and_then(|item| item.function(&profile));
        let selected = selected.and_then(|f| rows.iter().position(|op| op.function == f));
        let grid = Grid { salt: "operations", name: "Operations", columns: &cells, rows: rows.len() };
        let mut table = Table { cx, profile: &profile, columns: &cells, rows: &rows };
        let happened = grid.show(ui, &mut self.grid, &mut table);
        if let Some((by, _)) = happened.header {
            let mut sort = sort;
            format::click(&mut sort, by);
            self.sort = Some(sort);
        }
        if let Some(row) = happened.hovered {
            cx.out.hover = Some(item(row));
        }
        let walked = if happened.focused { walk(ui, selected, rows.len(), happened.page) } else { None };
        self.grid.scroll_to = walked.or(self.grid.scroll_to);
        if let Some(row) = happened.clicked.or(walked) {
            cx.send(crate::state::Command::Select(Some(item(row))));
        }
    }
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    profile: &'l Profile,
    columns: &'a [OpCells<'l>],
    rows: &'a [Op],
}

impl Rows for Table<'_, '_, '_> {
    type Row = Op;

    fn row(&self, at: usize) -> Op {
        self.rows[at]
    }

    fn mark(&self, at: usize) -> Mark {
        let item = Item::of_function(self.rows[at].function, self.profile);
        Mark { selected: self.cx.is_selected(&item), lit: self.cx.is_hovered(&item) }
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        format!("{} {}", cell("name"), cell("calls"))
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let function = self.rows[at].function;
        let name = self.profile.function_name(function);
        let menu = ContextMenu::about(About { function, path: None }).title(name).copies("Copy name", name);
        menu.row().table().show(self.cx, ui, |_, _| ())
    }
}
