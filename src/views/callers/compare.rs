//! Callers and callees of one function in two runs: whose calls made it take more.

use egui::{RichText, Ui, UiBuilder};

use super::parts;
use crate::analysis::callers::Reach;
use crate::analysis::diff::callers::{CallersDiff, DiffCallers, NeighbourDiff};
use crate::analysis::diff::functions::{FunctionDiff, Row};
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::diff::{Compared, Two};
use crate::format;
use crate::model::SymbolKey;
use crate::query::Pair;
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, strong};
use crate::ui::widgets::{EmptyState, segmented};
use crate::views::shared;
use crate::views::shared::grid::{GridState, walk};
use crate::views::shared::pair::{self, Asked, Told};
use crate::views::shared::two::{self, TwoRow, TwoSort, TwoTable};
use crate::views::{View, ViewCx};

/// The view.
#[derive(Default)]
pub struct DiffCallersView {
    reach: Reach,
    sort: TwoSort,
    /// Whose neighbours are shown; `None` before anything was selected.
    active: Option<SymbolKey>,
    grids: [GridState; 2],
}

impl View for DiffCallersView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        if let Some(symbol) = cx.symbol_elsewhere() {
            self.active = Some(symbol);
        }
        let Some(functions) = cx.ask_pair(&asked.functions, 1).content(ui, "Comparing functions") else {
            return;
        };
        let Some(function) = self.active.or_else(|| first(&functions)) else {
            shared::nothing(cx, ui, Icon::Graph);
            return;
        };
        let query = DiffCallers { functions: asked.functions.clone(), function, reach: self.reach };
        let Some(found) = cx.ask_pair(&query, 0).content(ui, "Comparing callers") else { return };
        let (related, why) = pair::related_paths(cx, &asked, false, 2);
        let told = Told { asked: &asked, related: &related, whole: functions.whole };
        self.header(cx, ui, &pair, &told, (&functions, &found, function));
        pair::notices(cx, ui, &asked, &related, why.as_deref());
        if found.row.is_none() {
            let text = "Not called in the current selection. Undo a transform or clear the time range.";
            EmptyState::new(Icon::Graph, &function.value().name, text).show(ui);
            return;
        }
        let area = ui.available_rect_before_wrap();
        let areas = parts(area, [found.callers.len(), found.callees.len()]);
        for (side, (area, list)) in areas.into_iter().zip([&found.callers, &found.callees]).enumerate() {
            let mut rows: Vec<TwoRow> = list.iter().map(|n| row(n, &pair, &told)).collect();
            two::sort(&mut rows, self.sort, true);
            ui.scope_builder(UiBuilder::new().max_rect(area).id_salt(side), |ui| {
                self.list(cx, ui, side, &rows, (&pair, &told));
            });
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "reach": self.reach, "sort": self.sort })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.reach = shared::kept(saved, "reach").unwrap_or_default();
        self.sort = shared::kept(saved, "sort").unwrap_or_default();
    }
}

/// The function whose own cost changed most.
fn first(functions: &FunctionDiff) -> Option<SymbolKey> {
    functions.rows.iter().find_map(Row::symbol)
}

fn row(n: &NeighbourDiff, pair: &Pair, told: &Told<'_>) -> TwoRow {
    let related = told.related;
    let (base, head) = (&pair.base.profile, &pair.head.profile);
    let symbol = n.symbols.head.flatten().map(|s| (s, false)).or(n.symbols.base.flatten().map(|s| (s, true)));
    let of = |is_base: bool| if is_base { base } else { head };
    let name = match symbol {
        Some((symbol, is_base)) => symbol.label(of(is_base)).into_owned(),
        None => "not called by anything recorded".to_owned(),
    };
    let costs = if n.known { related.factors.apply(n.total()) } else { Two::default() };
    TwoRow {
        name,
        costs,
        counts: n.counts,
        state: n.state(),
        function: symbol.map(|(s, is_base)| (s.function(), is_base)),
        item: symbol.map(|(s, is_base)| Item::of_function(s.function(), of(is_base))),
        about: match related.to {
            Normalise::Nothing => String::new(),
            _ => format!("Recorded: total {}", told.recorded(n.total())),
        },
    }
}

impl DiffCallersView {
    fn header(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        pair: &Pair,
        told: &Told<'_>,
        (functions, found, function): (&FunctionDiff, &CallersDiff, SymbolKey),
    ) {
        let palette = Palette::of(ui);
        let row = found.row.map(|row| &functions.rows[row as usize]);
        let label = row
            .map_or_else(|| function.value().name.to_string(), |row| pair::row_name(pair, row).into_owned());
        shared::header(ui, |ui| {
            let choices = [(Reach::Direct, "Direct"), (Reach::All, "All")];
            segmented(ui, "How far to look", &mut self.reach, &choices);
            pair::normalise(cx, ui, told.asked);
            let text = RichText::new(label).font(strong(14.0)).color(palette.text_strong);
            ui.add(egui::Label::new(text).truncate());
        });
        if let Some(row) = row {
            let own = told.of_self().line(row.own(), row.state());
            pair::weak(ui, &format!("self {own} · total {}", told.line(row.total(), row.state())));
        }
    }

    fn list(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        side: usize,
        rows: &[TwoRow],
        (pair, told): (&Pair, &Told<'_>),
    ) {
        let n = format::counted(rows.len() as i64, "function", "functions");
        let title = if side == 0 { format!("Called by {n}") } else { format!("Calls {n}") };
        ui.label(RichText::new(title).font(strong(12.0)).color(Palette::of(ui).text));
        if rows.is_empty() {
            return;
        }
        let mut state = std::mem::take(&mut self.grids[side]);
        let mut sort = self.sort;
        let name = if side == 0 { "Callers" } else { "Callees" };
        let table = TwoTable { name, ..TwoTable::of(told, pair, rows, self.sort) };
        let happened = table.show(cx, ui, &mut state, &mut sort);
        (self.grids[side], self.sort) = (state, sort);
        let current = cx.interaction.selection.as_ref().and_then(Item::symbol);
        let current =
            rows.iter().position(|r| current.is_some() && r.item.as_ref().and_then(Item::symbol) == current);
        let next = if happened.focused { walk(ui, current, rows.len(), happened.page) } else { None };
        self.grids[side].scroll_to = next.or(self.grids[side].scroll_to);
        if let Some(item) = happened.clicked.or(next).and_then(|row| rows[row].item.clone()) {
            cx.select(Some(item));
        }
        let enter = happened.focused && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let walked = happened.double_clicked.or(current.filter(|_| enter));
        if let Some(item) = walked.and_then(|row| rows[row].item.clone()) {
            self.active = item.symbol();
            cx.select(Some(item));
        }
    }
}
