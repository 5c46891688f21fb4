//! The flat profile: every function with what it cost, as `pstats` prints it.
//!
//! Sorting and filtering is a query ([`FunctionList`]); this thread paints the visible rows. Chips leave one category or package
//! (`facets`), and functions can stand under their file, module, package or class (`groups`).

mod compare;
mod facets;
mod groups;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::Ui;

use super::shared;
use super::shared::grid::{Grid, GridState, Happened, Mark, Rows, walk};
use super::shared::menu::{self, Picked};
use crate::analysis::columns::functions::{FunctionColumn, MOST_BESIDE, functions};
use crate::analysis::facets::Facet;
use crate::analysis::flame_rows::Matched;
use crate::analysis::function_groups::FunctionGroups;
use crate::analysis::function_list::{self, FunctionKey, FunctionList, FunctionOrder, SortKey};
use crate::analysis::functions::graph_of;
use crate::analysis::groups::GroupBy;
use crate::analysis::search::Pattern;
use crate::analysis::{Costs, FunctionRow, Functions};
use crate::format;
use crate::model::{FunctionId, MetricKey, Unit};
use crate::state::Item;
use crate::views::{Comparing, View, ViewCx, ViewKind, Wish};

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "functions",
    title: "Functions",
    about: "Every function with its calls, self and total cost; sorted and searched as in pstats.",
    needs: shared::needs_calls,
    make: || Box::new(FunctionsView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffFunctionsView::default())),
};

/// The view.
pub struct FunctionsView {
    sort: Vec<SortKey>,
    grid: GridState,
    /// The category or package that is listed alone.
    only: Option<(Facet, String)>,
    /// Metrics whose costs stand beside.
    beside: Vec<MetricKey>,
    /// What functions stand under.
    by: Option<GroupBy>,
    grouped: groups::Groups,
    /// The list that was shown last, and for each function its row there.
    listed: Option<(Arc<FunctionOrder>, Vec<u32>)>,
}

impl Default for FunctionsView {
    fn default() -> Self {
        Self {
            sort: vec![(FunctionKey::Own, false)],
            grid: GridState::default(),
            only: None,
            beside: Vec::new(),
            by: None,
            grouped: groups::Groups::default(),
            listed: None,
        }
    }
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    sort: Vec<SortKey>,
    columns: std::collections::BTreeMap<String, bool>,
    #[serde(default)]
    beside: Vec<MetricKey>,
    #[serde(default)]
    by: Option<GroupBy>,
}

impl View for FunctionsView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let list = self.query(cx);
        self.tools(cx, ui, &list);
        if let Some(by) = self.by {
            return self.by_groups(cx, ui, &FunctionGroups { list, by });
        }
        let Some(list) = cx.ask(&list, 0).content(ui, "Adding up functions") else { return };
        self.remember(&list, cx);
        shared::note_basis(cx, &list.table.basis, "");
        let summary = summary(cx, &list, self.only.is_some());
        shared::with_footer(ui, &summary, |ui| self.table(cx, ui, &list));
    }

    fn save(&self) -> serde_json::Value {
        let (beside, by) = (self.beside.clone(), self.by);
        let saved = Saved { sort: self.sort.clone(), columns: self.grid.shown.clone(), beside, by };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.sort, self.grid.shown) = (saved.sort, saved.columns);
            (self.beside, self.by) = (saved.beside, saved.by);
        }
    }
}

impl FunctionsView {
    fn query(&self, cx: &ViewCx<'_>) -> FunctionList {
        let shown = cx.metric();
        let others = self.beside.iter().copied().filter(|&metric| metric != shown).take(MOST_BESIDE);
        FunctionList {
            only: self.only.clone(),
            beside: if self.by.is_none() { others.collect() } else { Vec::new() },
            ..FunctionList::new(Functions(cx.slice()), self.sort.clone(), cx.interaction.search.clone())
        }
    }

    /// Indexes a new list, and brings a function into view that was selected elsewhere.
    fn remember(&mut self, list: &Arc<FunctionOrder>, cx: &mut ViewCx<'_>) {
        let known = self.listed.as_ref().is_some_and(|(old, _)| Arc::ptr_eq(old, list));
        if !known {
            let mut row_of = vec![u32::MAX; cx.profile().functions.len()];
            for (row, &i) in list.order.iter().enumerate() {
                row_of[list.table.rows[i as usize].function.index()] = row as u32;
            }
            self.listed = Some((list.clone(), row_of));
        }
        if cx.selected_elsewhere() {
            self.grid.scroll_to = self.selected_row(cx);
        }
    }

    fn selected_row(&self, cx: &ViewCx<'_>) -> Option<usize> {
        let function = cx.interaction.selection.as_ref()?.function(cx.profile())?;
        let (_, row_of) = self.listed.as_ref()?;
        row_of.get(function.index()).filter(|&&row| row != u32::MAX).map(|&row| row as usize)
    }

    fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, list: &FunctionOrder) {
        let profile = cx.subject.profile();
        let shown = cx.shown();
        let mut columns = functions(profile, &list.table, (&list.max, list.known), &list.beside, &shown);
        format::mark(&mut columns, &self.sort);
        let grid = Grid { salt: "functions", name: "Functions", columns: &columns, rows: list.order.len() };
        let mut grid_state = std::mem::take(&mut self.grid);
        let pattern = Pattern::new(&cx.interaction.search);
        let mut rows = Table { cx, list, columns: &columns, pattern };
        let happened = grid.show(ui, &mut grid_state, &mut rows);
        self.grid = grid_state;
        self.events(cx, ui, list, &happened);
    }

    fn events(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        list: &FunctionOrder,
        happened: &Happened<FunctionKey>,
    ) {
        let function = |row: usize| list.table.rows[list.order[row] as usize].function;
        if let Some((key, more)) = happened.header {
            function_list::click(&mut self.sort, key, more);
        }
        if let Some(row) = happened.hovered {
            cx.out.hover = Some(Item::of_function(function(row), cx.profile()));
        }
        if let Some(row) = happened.clicked {
            self.select(cx, function(row));
        }
        if let Some(row) = happened.double_clicked {
            self.select(cx, function(row));
            cx.out.wishes.push(Wish::Show("callers"));
        }
        if happened.focused {
            let current = self.selected_row(cx);
            if let Some(row) = walk(ui, current, list.order.len(), happened.page) {
                self.select(cx, function(row));
                self.grid.scroll_to = Some(row);
            }
            if let Some(row) = current {
                menu::keys(cx, menu::About { function: function(row), path: None }, ui);
            }
        }
    }

    fn select(&mut self, cx: &mut ViewCx<'_>, function: FunctionId) {
        cx.select(Some(Item::of_function(function, cx.profile())));
    }
}

/// «31 of 5 708 functions: self 2.9 %, total 84 % of 51.9 s»: what search and chips leave; `None` where they leave everything.
fn filtered(cx: &ViewCx<'_>, list: &FunctionOrder, chip: bool) -> Option<String> {
    let matched = list.matched?;
    let (all, found) = (list.table.rows.len() as i64, list.order.len() as i64);
    let mut text = format!("{} of {}", format::count(found), format::counted(all, "function", "functions"));
    let unit = shared::unit(cx.profile(), cx.interaction);
    let share = |part| list.table.whole.own_share(part).map_or(format::UNKNOWN.into(), format::percent);
    text += &format!(": self {} ({})", format::cost(unit, matched), share(matched));
    let search = &cx.interaction.search;
    if !chip && !search.trim().is_empty() {
        // While anything of it is on the stack: each path counts once.
        let query = Matched { costs: Costs(cx.slice()), search: search.clone() };
        if let Some(found) = cx.ask(&query, 0).beside().and_then(|found| *found) {
            let about = if graph_of(cx.profile()).is_some() { "≈" } else { "" };
            let share =
                format::share(found.matched, found.sum).map_or(format::UNKNOWN.into(), format::percent);
            text += &format!(", total {about}{} ({share})", format::cost(unit, found.matched));
        }
    }
    Some(text)
}

/// The line that pstats prints first: «55 986 function calls (47 080 primitive) in 0.023 seconds».
fn summary(cx: &ViewCx<'_>, list: &FunctionOrder, chip: bool) -> String {
    if let Some(filtered) = filtered(cx, list, chip) {
        return filtered;
    }
    let table = &list.table;
    let unit = shared::unit(cx.profile(), cx.interaction);
    let mut text = match (table.calls, table.samples) {
        (Some(calls), _) => {
            let primitive = if calls.primitive == calls.all {
                String::new()
            } else {
                format!(" ({} primitive)", format::count(calls.primitive as i64))
            };
            let all = format::counted(calls.all as i64, "function call", "function calls");
            format!("{all}{primitive} in ")
        }
        (None, Some(samples)) => format!("{} with ", format::counted(samples as i64, "sample", "samples")),
        (None, None) => {
            format!("{} with ", format::counted(table.rows.len() as i64, "function", "functions"))
        }
    };
    text += &match unit {
        Unit::Nanoseconds => format!("{:.3} seconds", table.own_sum as f64 / 1e9),
        _ => {
            let name = shared::metric_name(cx.profile(), cx.interaction);
            format!("{} ({name})", format::cost(unit, table.own_sum))
        }
    };
    // Of an estimate that was focused it has other reasons, which the tree tells.
    let unaccounted = table.whole.total.saturating_sub(table.own_sum);
    if unaccounted > 0 && cx.interaction.scope.transforms.is_empty() && graph_of(cx.profile()).is_some() {
        text += &format!(" and {} that no function has as its own", format::cost(unit, unaccounted));
    }
    if cx.interaction.range.is_some() {
        text += ", in the selected time range";
    }
    text
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    list: &'l FunctionOrder,
    columns: &'a [FunctionColumn<'l>],
    pattern: Option<Pattern>,
}

impl<'l> Rows for Table<'_, 'l, '_> {
    type Row = &'l FunctionRow;

    fn row(&self, at: usize) -> &'l FunctionRow {
        &self.list.table.rows[self.list.order[at] as usize]
    }

    fn mark(&self, at: usize) -> Mark {
        let item = Item::of_function(self.row(at).function, self.cx.profile());
        Mark { selected: self.cx.is_selected(&item), lit: self.cx.is_hovered(&item) }
    }

    fn found(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    fn label(&self, at: usize) -> String {
        let row = self.row(at);
        let name = row.symbol().label(self.cx.profile());
        let open = match row.unfinished {
            0 => String::new(),
            n => format!(", {} unfinished", format::count(n as i64)),
        };
        let cost = |key| shared::cell_with_unit(self.columns, key, row);
        format!("{name}, self {}, total {}{open}", cost("self"), cost("total"))
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let about = menu::About { function: self.row(at).function, path: None };
        menu::ContextMenu::about(about).row().table().show(self.cx, ui, |_, _| ())
    }
}
