//! Callers and callees of one function: what pstats prints as `print_callers` and `print_callees`.
//!
//! The function is the one that was selected last in another view. A click on a neighbour selects it
//! everywhere but here, so that the list stays; a double-click walks to it.

mod compare;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::{Rect, RichText, Ui, UiBuilder, pos2};

use super::shared;
use super::shared::grid::{Grid, GridState, Happened, Mark, Rows, walk};
use super::shared::menu::{self, ContextMenu, Picked};
use crate::analysis::FunctionRow;
use crate::analysis::callers::{Callers, Neighbour, Neighbours, Reach};
use crate::analysis::columns::callers::{Around, NeighbourColumn, NeighbourKey, Side, name, neighbours};
use crate::analysis::search::Pattern;
use crate::format;
use crate::model::{FunctionId, SymbolKey};
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, space, strong};
use crate::ui::widgets::{Cell, EmptyState, cell_text, segmented};
use crate::views::{Comparing, View, ViewCx, ViewKind};

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "callers",
    title: "Callers & callees",
    about: "Who calls the selected function and whom it calls, with the calls and costs between them.",
    needs: shared::needs_calls,
    make: || Box::new(CallersView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffCallersView::default())),
};

/// From this width on the two lists stand side by side.
const WIDE: f32 = 820.0;

/// The view.
#[derive(Default)]
pub struct CallersView {
    reach: Reach,
    sort: (NeighbourKey, bool),
    /// Whose neighbours are shown; `None` before anything was selected.
    active: Option<SymbolKey>,
    grids: [GridState; 2],
    sorted: Option<Sorted>,
}

/// A sorted copy of the last answer.
struct Sorted {
    of: Arc<Neighbours>,
    by: (NeighbourKey, bool),
    /// Callers, then callees.
    sides: [Vec<Neighbour>; 2],
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    reach: Reach,
    sort: (NeighbourKey, bool),
}

impl View for CallersView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.follow_selection(cx);
        let Some(function) = self.active(cx).or_else(|| shared::most_expensive(cx, ui)) else { return };
        let query =
            Callers { slice: cx.slice(), function: cx.profile().keys().symbol(function), reach: self.reach };
        let Some(answered) = cx.ask(&query, 0).content(ui, "Looking up callers") else { return };
        self.sort(cx, function, &answered);
        self.header(cx, ui, function, &answered);
        let unknown = if self.reach == Reach::All {
            " Distances are exact; functions that only small paths reach have no costs here."
        } else {
            ""
        };
        shared::note_basis(cx, &answered.basis, unknown);
        if answered.row.is_none() {
            let text = "Not called in the current selection. Undo a transform or clear the time range.";
            EmptyState::new(Icon::Graph, cx.profile().function_name(function), text).show(ui);
            return;
        };
        self.lists(cx, ui, function, &answered);
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(Saved { reach: self.reach, sort: self.sort }).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.reach, self.sort) = (saved.reach, saved.sort);
        }
    }
}

impl CallersView {
    /// The function that was selected last, where the profile has it.
    fn active(&self, cx: &ViewCx<'_>) -> Option<FunctionId> {
        self.active.and_then(|key| cx.profile().keys().function(key))
    }

    fn follow_selection(&mut self, cx: &mut ViewCx<'_>) {
        if let Some(symbol) = cx.symbol_elsewhere() {
            self.active = Some(symbol);
        }
    }

    fn sort(&mut self, cx: &ViewCx<'_>, function: FunctionId, answer: &Arc<Neighbours>) {
        let known = self.sorted.as_ref().is_some_and(|s| Arc::ptr_eq(&s.of, answer) && s.by == self.sort);
        if !known {
            let shown = cx.shown();
            let around = around(function, self.reach, answer);
            let sides = [(Side::Callers, &answer.callers), (Side::Callees, &answer.callees)];
            let sides = sides.map(|(side, rows)| {
                let columns = neighbours(cx.profile(), side, rows, around, &shown);
                let compare = format::by(&columns, &[self.sort]);
                let mut sorted: Vec<&Neighbour> = rows.iter().collect();
                sorted.sort_by(|a, b| compare(a, b));
                sorted.into_iter().copied().collect()
            });
            self.sorted = Some(Sorted { of: answer.clone(), by: self.sort, sides });
        }
    }

    fn header(&mut self, cx: &ViewCx<'_>, ui: &mut Ui, function: FunctionId, answer: &Neighbours) {
        let palette = Palette::of(ui);
        let profile = cx.profile();
        shared::header(ui, |ui| {
            let choices = [(Reach::Direct, "Direct"), (Reach::All, "All")];
            segmented(ui, "How far to look", &mut self.reach, &choices);
            let name = RichText::new(format::escaped(profile.function_name(function)))
                .font(strong(14.0))
                .color(palette.text_strong);
            let place = shared::place(profile, function);
            let response = ui.add(egui::Label::new(name).truncate());
            if !place.is_empty() {
                response.on_hover_text(place);
            }
            // Not as a line of its own: the lists need the room more.
            if self.active(cx).is_none() && ui.available_size_before_wrap().x > 160.0 {
                let hint = "nothing selected: the function with the most self cost";
                ui.add(egui::Label::new(RichText::new(hint).color(palette.text_weak)).truncate());
            }
        });
        if let Some(row) = &answer.row {
            let text = RichText::new(figures(cx, row, answer)).color(palette.text_weak);
            ui.add(egui::Label::new(text).truncate());
        }
    }

    fn lists(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, function: FunctionId, answer: &Neighbours) {
        let area = ui.available_rect_before_wrap();
        let parts = parts(area, [answer.callers.len(), answer.callees.len()]);
        let around = around(function, self.reach, answer);
        for (part, side) in parts.into_iter().zip([Side::Callers, Side::Callees]) {
            let builder = UiBuilder::new().max_rect(part).id_salt(side as u8);
            ui.scope_builder(builder, |ui| self.list(cx, ui, side, around));
        }
    }

    fn list(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, side: Side, around: Around) {
        let Some(sorted) = &self.sorted else { return };
        let rows = &sorted.sides[side as usize];
        let title = title(side, self.reach, rows.len());
        ui.label(RichText::new(&title).font(strong(12.0)).color(Palette::of(ui).text));
        if rows.is_empty() {
            let text = match side {
                Side::Callers => "No caller was recorded.",
                Side::Callees => "It called nothing that was recorded.",
            };
            ui.label(RichText::new(text).color(Palette::of(ui).text_weak));
            return;
        }
        let profile = cx.subject.profile();
        let shown = cx.shown();
        let mut columns = neighbours(profile, side, rows, around, &shown);
        format::mark(&mut columns, &[self.sort]);
        let title = if side == Side::Callers { "Callers" } else { "Callees" };
        let grid = Grid { salt: "neighbours", name: title, columns: &columns, rows: rows.len() };
        let mut state = std::mem::take(&mut self.grids[side as usize]);
        let mut walked = None;
        let pattern = Pattern::new(&cx.interaction.search);
        let mut source = Table { cx, rows, columns: &columns, walked: &mut walked, pattern };
        let happened = grid.show(ui, &mut state, &mut source);
        self.grids[side as usize] = state;
        drop(columns);
        if let Some(function) = walked {
            self.walk_to(cx, function);
        }
        self.events(cx, ui, side, &happened);
    }

    fn events(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, side: Side, happened: &Happened<NeighbourKey>) {
        let Some(sorted) = &self.sorted else { return };
        let rows = &sorted.sides[side as usize];
        let function = |row: usize| rows[row].symbol.map(|s| s.function());
        if let Some((by, _)) = happened.header {
            format::click(&mut self.sort, by);
            return;
        }
        let current = rows.iter().position(|n| {
            let item = n.symbol.map(|s| Item::of_function(s.function(), cx.profile()));
            item.is_some() && cx.interaction.selection == item
        });
        let next = if happened.focused { walk(ui, current, rows.len(), happened.page) } else { None };
        let enter = happened.focused && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let walked = happened.double_clicked.or(current.filter(|_| enter)).and_then(function);
        let clicked = happened.clicked.or(next).and_then(function);
        if let Some(f) = happened.hovered.and_then(function) {
            cx.out.hover = Some(Item::of_function(f, cx.profile()));
        }
        if let Some(row) = next {
            self.grids[side as usize].scroll_to = Some(row);
        }
        if let Some(f) = current.filter(|_| happened.focused).and_then(function) {
            menu::keys(cx, menu::About { function: f, path: None }, ui);
        }
        if let Some(f) = clicked {
            cx.select(Some(Item::of_function(f, cx.profile())));
        }
        if let Some(f) = walked {
            self.walk_to(cx, f);
        }
    }

    fn walk_to(&mut self, cx: &mut ViewCx<'_>, function: FunctionId) {
        let symbol = cx.profile().keys().symbol(function);
        self.active = Some(symbol);
        cx.select(Some(Item::Function(symbol)));
        for grid in &mut self.grids {
            grid.scroll_to = Some(0);
        }
    }
}

/// Where callers and callees go: side by side, or in a narrow pane one above the other, as high as their rows
/// need while there is room.
fn parts(area: Rect, rows: [usize; 2]) -> [Rect; 2] {
    const GAP: f32 = space::MEDIUM;
    if area.width() >= WIDE {
        let half = (area.width() - GAP) / 2.0;
        return [
            Rect::from_min_max(area.min, pos2(area.left() + half, area.bottom())),
            Rect::from_min_max(pos2(area.right() - half, area.top()), area.max),
        ];
    }
    let height = |n: usize| 24.0 + space::HEADER + (n.clamp(1, 1000) as f32 + 0.5) * space::ROW;
    let [above, below] = rows.map(height);
    let room = (area.height() - GAP).max(0.0);
    let first = above.min((room - below).max(room * above / (above + below))).clamp(room * 0.2, room * 0.8);
    [
        Rect::from_min_max(area.min, pos2(area.right(), area.top() + first)),
        Rect::from_min_max(pos2(area.left(), area.top() + first + GAP), area.max),
    ]
}

/// «3 001 calls (1 primitive) · self 1.25 ms (5.5 %) · total 1.25 ms (5.5 % of 22.8 ms)».
fn figures(cx: &ViewCx<'_>, row: &FunctionRow, answer: &Neighbours) -> String {
    let unit = shared::unit(cx.profile(), cx.interaction);
    let mut parts = Vec::new();
    if let Some(calls) = row.calls {
        let mut text = format::counted(calls.all as i64, "call", "calls");
        if calls.primitive != calls.all {
            text += &format!(" ({} primitive)", format::count(calls.primitive as i64));
        }
        parts.push(text);
    }
    if let Some(samples) = row.samples_total {
        parts.push(format::counted(samples as i64, "sample", "samples"));
    }
    let told = |share: Option<f64>, of: String| {
        share.map_or_else(String::new, |share| format!(" ({}{of})", format::percent(share)))
    };
    if row.unfinished > 0 {
        parts.push(format!("{} unfinished", format::count(row.unfinished as i64)));
    }
    let least = format::at_least(row.unfinished);
    let (own, total) = (row.known_own(), row.known_total());
    let whole = answer.whole;
    let of = |sum: i64| format!(" of {}", format::cost(unit, sum));
    // Where both are of one sum, it is named once.
    let of_own = if whole.is_one() { String::new() } else { format!("{} self costs", of(whole.own)) };
    let (own_share, total_share) =
        (own.and_then(|c| whole.own_share(c)), total.and_then(|c| whole.total_share(c)));
    parts.push(format!("self {least}{}{}", format::cost_or_unknown(unit, own), told(own_share, of_own)));
    let share = told(total_share, String::new());
    let total = format::cost_or_unknown(unit, total);
    parts.push(format!("total {least}{total}{share}{}", of(whole.total)));
    parts.join(" · ")
}

fn title(side: Side, reach: Reach, n: usize) -> String {
    let n = n as i64;
    match (side, reach) {
        (Side::Callers, Reach::Direct) => {
            format!("Called by {}", format::counted(n, "function", "functions"))
        }
        (Side::Callees, Reach::Direct) => format!("Calls {}", format::counted(n, "function", "functions")),
        (Side::Callers, Reach::All) => {
            format!("{} above it on some stack", format::counted(n, "function", "functions"))
        }
        (Side::Callees, Reach::All) => {
            format!("{} below it on some stack", format::counted(n, "function", "functions"))
        }
    }
}

/// What both lists are made for.
fn around(function: FunctionId, reach: Reach, answer: &Neighbours) -> Around {
    let totals = answer.callers.iter().chain(&answer.callees).filter_map(|n| n.total);
    let max = totals.map(i64::saturating_abs).max().unwrap_or(0);
    let total = answer.row.map_or(0, |row| row.total);
    Around { function, total, sum: answer.whole.total, max, reach }
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    rows: &'l [Neighbour],
    columns: &'a [NeighbourColumn<'l>],
    walked: &'a mut Option<FunctionId>,
    pattern: Option<Pattern>,
}

impl Table<'_, '_, '_> {
    fn item(&self, at: usize) -> Option<Item> {
        self.rows[at].symbol.map(|s| Item::of_function(s.function(), self.cx.profile()))
    }
}

impl<'l> Rows for Table<'_, 'l, '_> {
    type Row = &'l Neighbour;

    fn row(&self, at: usize) -> &'l Neighbour {
        &self.rows[at]
    }

    fn mark(&self, at: usize) -> Mark {
        let Some(item) = self.item(at) else { return Mark::default() };
        Mark {
            selected: self.cx.interaction.selection.as_ref() == Some(&item),
            lit: self.cx.is_hovered(&item),
        }
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        format!("{}, {}", cell("function"), cell("total"))
    }

    fn found(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    /// Nobody is a name of second rank.
    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        if column != "function" || self.rows[at].symbol.is_some() {
            return false;
        }
        let palette = Palette::of(ui);
        let cell = Cell { color: palette.text_weak, ..Cell::text(palette) };
        cell_text(ui, &name(self.cx.profile(), &self.rows[at]), &cell);
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let function = self.rows[at].symbol.map(|s| s.function());
        let context = match function {
            Some(function) => ContextMenu::about(menu::About { function, path: None }),
            None => ContextMenu::new(),
        };
        let walked = &mut self.walked;
        context.row().table().show(self.cx, ui, |_, ui| {
            if let Some(function) = function
                && menu::entry(ui, "Show its callers and callees", "Enter", "")
            {
                **walked = Some(function);
            }
        })
    }
}
