//! The table of groups of requests.

use std::sync::Arc;

use egui::Ui;

use super::Requests;
use crate::analysis::columns::request_groups::{self as columns, GroupCells, GroupColumn};
use crate::analysis::request_facets::Facet;
use crate::analysis::spending::{Group, Spending, Spent};
use crate::format::{self, SortBy};
use crate::model::RequestId;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{Cell, cell_text};
use crate::views::shared::grid::{Grid, Happened, Mark, Rows, walk};
use crate::views::shared::menu::{ContextMenu, Picked};
use crate::views::{ViewCx, shared};

/// Groups in the order that the person chose, kept while nothing changes.
#[derive(Default)]
pub(super) struct Ordered {
    of: Option<(Arc<Spent>, (GroupColumn, bool))>,
    places: Vec<usize>,
}

impl Ordered {
    fn set<'a>(&mut self, spent: &'a Arc<Spent>, columns: &[GroupCells<'a>], sort: (GroupColumn, bool)) {
        let fresh = self.of.as_ref().is_some_and(|(of, by)| Arc::ptr_eq(of, spent) && *by == sort);
        if fresh {
            return;
        }
        let by = format::by(columns, &[sort]);
        self.places = (0..spent.groups.len()).collect();
        self.places.sort_by(|&a, &b| by(&spent.groups[a], &spent.groups[b]).then(a.cmp(&b)));
        self.of = Some((spent.clone(), sort));
    }
}

impl Requests {
    /// Groups of the requests that are looked at; a double click looks at those of one.
    pub(super) fn groups(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, by: Facet) {
        let Some(spent) = cx.ask(&Spending { asked: cx.asked(), by }, 1).content(ui, "Grouping requests")
        else {
            return;
        };
        let mut cells = columns::groups(&spent, by);
        let sort = (self.group_sort, self.group_descending == self.group_sort.ascends());
        self.ordered.set(&spent, &cells, sort);
        format::mark(&mut cells, &[sort]);
        let places = self.ordered.places.clone();
        let firsts: Vec<Option<RequestId>> = places.iter().map(|&at| spent.groups[at].first).collect();
        let selected = cx.interaction.selection.as_ref().and_then(|item| item.request(cx.profile()));
        let selected = selected.and_then(|id| firsts.iter().position(|f| *f == Some(id)));
        let grid = Grid { salt: "groups", name: "Groups of requests", columns: &cells, rows: places.len() };
        let mut state = std::mem::take(&mut self.group_grid);
        let mut rows = Table { cx, columns: &cells, spent: &spent, places: &places, by, only: None };
        let happened = grid.show(ui, &mut state, &mut rows);
        let only = rows.only.take();
        self.group_grid = state;
        self.group_events(cx, ui, &firsts, selected, &happened);
        let shown = happened.double_clicked.map(|row| spent.groups[places[row]].name.clone());
        if let Some(value) = only.or(shown) {
            cx.send(Command::FilterRequests(cx.interaction.requests.only(by, &value)));
            self.by = None;
        }
    }

    fn group_events(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        firsts: &[Option<RequestId>],
        selected: Option<usize>,
        happened: &Happened<GroupColumn>,
    ) {
        if let Some((by, _)) = happened.header {
            let mut sort = (self.group_sort, self.group_descending == self.group_sort.ascends());
            format::click(&mut sort, by);
            (self.group_sort, self.group_descending) = (by, sort.1 == by.ascends());
        }
        let item = |row: usize, cx: &ViewCx<'_>| firsts[row].map(|id| Item::of_request(id, cx.profile()));
        if let Some(row) = happened.hovered {
            cx.out.hover = item(row, cx);
        }
        let walked = if happened.focused { walk(ui, selected, firsts.len(), happened.page) } else { None };
        self.group_grid.scroll_to = walked.or(self.group_grid.scroll_to);
        if let Some(item) = happened.clicked.or(walked).and_then(|row| item(row, cx)) {
            cx.send(Command::Select(Some(item)));
        }
    }
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    columns: &'a [GroupCells<'l>],
    spent: &'l Spent,
    places: &'a [usize],
    by: Facet,
    /// The value whose requests the person wants alone.
    only: Option<String>,
}

impl<'l> Rows for Table<'_, 'l, '_> {
    type Row = &'l Group;

    fn row(&self, at: usize) -> &'l Group {
        &self.spent.groups[self.places[at]]
    }

    fn mark(&self, at: usize) -> Mark {
        let Some(first) = self.row(at).first else { return Mark::default() };
        let item = Item::of_request(first, self.cx.profile());
        Mark { selected: self.cx.is_selected(&item), lit: self.cx.is_hovered(&item) }
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        format!("{} {}", shared::requests::value_text(&self.row(at).name, 60), cell("requests"))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let palette = Palette::of(ui);
        let group = self.row(at);
        match column {
            "name" if group.name.trim().is_empty() => {
                let cell = Cell { color: palette.text_weak, ..Cell::text(palette) };
                cell_text(ui, shared::requests::NOT_NAMED, &cell);
            }
            "failed" if group.figures.as_ref().is_some_and(|f| f.failed > 0) => {
                let text = shared::cell_with_unit(self.columns, column, group);
                let cell = Cell { color: palette.tone(Tone::Bad), ..Cell::number(palette) };
                cell_text(ui, &text, &cell);
            }
            _ => return false,
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let group = self.row(at);
        let menu = ContextMenu::new()
            .title(shared::requests::value_text(&group.name, 60))
            .copies("Copy value", group.name.clone())
            .row()
            .table();
        let by = self.by.name();
        let mut only = false;
        let picked = menu.show(self.cx, ui, |_, ui| {
            only = ui.button(format!("Only requests of this {by}")).clicked();
            if only {
                ui.close();
            }
        });
        if only {
            self.only = Some(group.name.clone());
        }
        picked
    }
}
