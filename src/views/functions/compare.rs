//! The functions of two runs beside each other: base, head, Δ. What takes more and what takes less are lists of their own,
//! each sorted over all rows.

use std::sync::Arc;

use egui::Ui;

use super::super::shared::copy::{self, Form, Value};
use super::super::shared::grid::{self, Column, Grid, GridState, Happened, Mark, walk};
use super::super::shared::menu::{self, Picked};
use super::super::shared::pair::{self, Asked, Written};
use super::super::shared::{self, Follow, Stale, path_cell, weak_cell};
use crate::analysis::diff::evidence::Verdict;
use crate::analysis::diff::functions::{Row, RowKey};
use crate::analysis::diff::list::{self, DiffKey, DiffList, DiffOrder, DiffSort, Which};
use crate::analysis::diff::paths::{DiffMoved, DiffPaths};
use crate::analysis::diff::{Compared, State, Two};
use crate::format::{self, UNKNOWN};
use crate::model::SymbolKey;
use crate::query::{Pair, Step};
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{Cell, EmptyState, SortOrder, cell_text, delta_bar, segmented};
use crate::views::{View, ViewCx, Wish};

/// The view.
#[derive(Default)]
pub struct DiffFunctionsView {
    sort: DiffSort,
    which: Which,
    grid: GridState,
    stale: Stale,
    follow: Follow,
    /// The list that was shown last.
    listed: Option<Arc<DiffOrder>>,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    sort: DiffSort,
    which: Which,
    columns: std::collections::BTreeMap<String, bool>,
}

impl View for DiffFunctionsView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        let query = DiffList {
            functions: asked.functions.clone(),
            to: cx.interaction.normalise,
            which: self.which,
            sort: self.sort,
            search: cx.interaction.search.clone(),
        };
        let Some(answer) = cx.ask_pair(&query, 0) else { return };
        let Some(list) = shared::value(ui, &answer, "Comparing functions") else { return };
        let moved = cx.ask_pair(&DiffMoved(DiffPaths(asked.functions.clone())), 1);
        let moved = moved.and_then(|answer| answer.value().cloned());
        let known = self.listed.as_ref().is_some_and(|old| Arc::ptr_eq(old, &list));
        self.listed = Some(list.clone());
        if self.follow.news(cx)
            || !known && self.grid.scroll_to.is_none() && cx.interaction.selection.is_some()
        {
            self.grid.scroll_to = selected_row(cx, &list, &pair);
        }
        shared::header(ui, |ui| {
            let names = Which::ALL.map(|(which, name)| (which, name));
            segmented(ui, "Which functions", &mut self.which, &names);
            pair::normalise(cx, ui);
        });
        shared::crumbs::show(cx, ui);
        pair::notices(cx, ui, &asked, &list.related.factors.legend, list.not_related.as_deref());
        let footer = footer(&asked, &list, self.which);
        shared::with_footer(
            ui,
            |ui| {
                self.stale.dim(&answer, cx.live, ui);
                if list.order.is_empty() {
                    return nothing(cx, ui, self.which);
                }
                let written = Written::of(&asked, list.most);
                let table =
                    Numbers { pair: &pair, asked: &asked, list: &list, written, moved: moved.as_deref() };
                self.table(cx, ui, &table);
            },
            |ui| pair::weak(ui, &footer),
        );
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved { sort: self.sort, which: self.which, columns: self.grid.shown.clone() };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.sort, self.which, self.grid.shown) = (saved.sort, saved.which, saved.columns);
        }
    }
}

/// Says why no function is listed.
fn nothing(cx: &ViewCx<'_>, ui: &mut Ui, which: Which) {
    let search = &cx.interaction.search;
    let title = match which {
        _ if !search.is_empty() => format!("Nothing matches «{search}»"),
        Which::All => "No function costs anything".to_owned(),
        Which::More => "No function takes more".to_owned(),
        Which::Less => "No function takes less".to_owned(),
        Which::New => "No function is new".to_owned(),
        Which::Gone => "No function is gone".to_owned(),
    };
    let mut text = "Costs of functions are those of the shown metric in both runs".to_owned();
    let narrowed = cx.interaction.range.is_some() || !cx.interaction.scope.transforms.is_empty();
    text += if narrowed { ", in what is shown: clear the time range or undo a transform." } else { "." };
    EmptyState::new(Icon::Info, &title, &text).show(ui);
}

/// The listed row of the selected function.
fn selected_row(cx: &ViewCx<'_>, list: &DiffOrder, pair: &Pair) -> Option<usize> {
    let symbol = cx.interaction.selection.as_ref()?.symbol()?;
    let key = RowKey::Function(symbol);
    let here = |base: bool| list.diff.row_of(key, base);
    let there = pair.head.profile.keys().function(symbol).and_then(|_| here(false)).or_else(|| here(true))?;
    list.order.iter().position(|&row| row == there)
}

/// «Δ = head − base. 12 of 44 functions, together −17 ms; matched 97.0 % of base and 94.1 % of head».
fn footer(asked: &Asked, list: &DiffOrder, which: Which) -> String {
    let unit = asked.unit(false);
    let n = list.order.len() as i64;
    let shown = format::counted(n, "function", "functions");
    let change =
        match asked.shares_only() || list.related.to == crate::analysis::diff::normalise::Normalise::Call {
            true => String::new(),
            false => format!(", together {}", pair::signed(unit, Some(list.change))),
        };
    let matched = list.diff.matched;
    let all =
        Which::ALL.iter().zip(list.counts).filter(|((w, _), n)| *w != Which::All && *w != which && *n > 0);
    let others: Vec<String> = all.map(|((which, name), n)| words(*which, name, n)).collect();
    let others = if others.is_empty() { String::new() } else { format!(" · {}", others.join(", ")) };
    let evidence = match list.diff.evidence {
        Some(e) if e.n_base + e.n_head > 2 => format!(" · sum of self, {}", e.words()),
        _ => String::new(),
    };
    let program = match matched.is_other_program() {
        true => " · these are different programs",
        false => "",
    };
    format!(
        "Δ = head − base · {shown}{change}{others} · matched {} of base, {} of head{program}{evidence}",
        format::percent(matched.share_base),
        format::percent(matched.share_head)
    )
}

/// «2 take more», «1 new».
fn words(which: Which, name: &str, n: usize) -> String {
    let one = n == 1;
    let what = match which {
        Which::More if !one => "take more".to_owned(),
        Which::Less if !one => "take less".to_owned(),
        _ => name.to_lowercase(),
    };
    format!("{} {what}", format::count(n as i64))
}

impl DiffFunctionsView {
    fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, numbers: &Numbers<'_>) {
        let columns = numbers.columns(self.sort);
        let order = &numbers.list.order;
        let grid = Grid {
            salt: "functions of two",
            name: "Functions of both runs",
            columns: &columns,
            rows: order.len(),
        };
        let mut state = std::mem::take(&mut self.grid);
        let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
        let palette = Palette::of(ui);
        let mut rows = Table { cx, numbers, palette, columns: &columns, selected };
        let happened = grid.show(ui, &mut state, &mut rows);
        self.grid = state;
        self.events(cx, ui, numbers, &happened);
    }

    fn events(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, numbers: &Numbers<'_>, happened: &Happened) {
        if let Some(key) = happened.header.and_then(|(key, _)| sort_key(key)) {
            list::click(&mut self.sort, key);
        }
        if let Some(item) = happened.hovered.and_then(|row| numbers.item(row)) {
            cx.out.hover = Some(item);
        }
        if let Some(item) = happened.clicked.and_then(|row| numbers.item(row)) {
            self.follow.select(cx, item);
        }
        if happened.focused {
            let current = selected_row(cx, numbers.list, numbers.pair);
            if let Some(row) = walk(ui, current, numbers.list.order.len(), happened.page) {
                if let Some(item) = numbers.item(row) {
                    self.follow.select(cx, item);
                }
                self.grid.scroll_to = Some(row);
            }
        }
    }
}

/// What cells are made of.
struct Numbers<'a> {
    pair: &'a Pair,
    asked: &'a Asked,
    list: &'a DiffOrder,
    /// How costs are written: self and total stand side by side, so they have one unit.
    written: Written,
    /// By row, whether it is called from elsewhere now; `None` while that is not known.
    moved: Option<&'a Vec<bool>>,
}

const KEYS: [(&str, DiffKey); 17] = [
    ("own base", DiffKey::OwnBase),
    ("own head", DiffKey::OwnHead),
    ("own delta", DiffKey::OwnDelta),
    ("own relative", DiffKey::OwnRelative),
    ("points", DiffKey::OwnPoints),
    ("total base", DiffKey::TotalBase),
    ("total head", DiffKey::TotalHead),
    ("total delta", DiffKey::TotalDelta),
    ("total relative", DiffKey::TotalRelative),
    ("calls base", DiffKey::CallsBase),
    ("calls head", DiffKey::CallsHead),
    ("calls delta", DiffKey::CallsDelta),
    ("by calls", DiffKey::ByCalls),
    ("per call", DiffKey::PerCall),
    ("state", DiffKey::State),
    ("step", DiffKey::Step),
    ("function", DiffKey::Name),
];

fn sort_key(column: &str) -> Option<DiffKey> {
    KEYS.iter().find(|(key, _)| *key == column).map(|(_, sort)| *sort)
}

impl Numbers<'_> {
    fn at(&self, row: usize) -> (u32, &Row) {
        let i = self.list.order[row];
        (i, &self.list.diff.rows[i as usize])
    }

    fn name(&self, row: usize) -> std::borrow::Cow<'_, str> {
        list::name(self.at(row).1, &self.pair.base.profile, &self.pair.head.profile)
    }

    /// What a click selects: the function, as the new run names it, else as the baseline does.
    fn item(&self, row: usize) -> Option<Item> {
        self.symbol(row).map(Item::Function)
    }

    fn symbol(&self, row: usize) -> Option<SymbolKey> {
        self.at(row).1.symbol()
    }

    fn place(&self, row: usize) -> String {
        let halves = self.at(row).1.halves;
        let of = |half: crate::analysis::diff::functions::Half, base: bool| {
            shared::place(&self.pair.run(base).profile, half.symbol.function())
        };
        match (halves.head, halves.base) {
            (Some(half), _) => of(half, false),
            (None, Some(half)) => of(half, true),
            (None, None) => String::new(),
        }
    }

    fn state(&self, row: usize) -> &'static str {
        let (i, row) = self.at(row);
        match row.state() {
            State::Both if self.moved.is_some_and(|moved| moved[i as usize]) => "moved",
            State::Both if row.own().delta() == Some(0) && row.total().delta() == Some(0) => "=",
            State::Both => "",
            other => other.key(),
        }
    }

    /// True when a side has several runs.
    fn several(&self) -> bool {
        self.list.diff.evidence.is_some_and(|e| e.n_base + e.n_head > 2)
    }

    fn counted(&self) -> bool {
        self.list.diff.calls.state().is_some()
    }

    fn columns(&self, sort: DiffSort) -> Vec<Column> {
        let what = &self.asked.measure.label;
        let unit = self.written.suffix();
        let mut columns = vec![Column::text("state", "", 64.0).rank(4).tip(
            "new: only head has it. gone: only base has it. moved: both have it, but on no common call path. \
                 =: not changed.",
        )];
        if self.several() {
            columns.push(Column::text("verdict", "Evidence", 92.0).rank(3).tip(
                "What the runs of both sides say of the self cost, corrected for the number of functions: slower or faster \
                 beyond chance and by at least 1 %, no evidence, or too few runs to tell.",
            ));
        }
        columns.extend([
            Column::number("own base", format!("Self base{unit}"), 108.0)
                .rank(2)
                .tip(format!("Self {what} in the baseline")),
            Column::number("own head", format!("Self head{unit}"), 108.0)
                .rank(1)
                .tip(format!("Self {what} in the new run")),
        ]);
        if self.asked.shares_only() {
            columns
                .push(Column::number("points", "Δ share, points", 150.0).tip(format!(
                    "By how many percentage points the share of the whole self {what} changed"
                )));
        } else {
            columns.extend([
                Column::number("own delta", format!("Δ self{unit}"), 150.0)
                    .tip(format!("Change of the self {what}: head − base")),
                Column::number("own relative", "Δ %", 84.0)
                    .rank(3)
                    .tip("The change as a share of the baseline of the same function"),
                Column::number("points", "Points", 76.0)
                    .rank(8)
                    .tip(format!("By how many percentage points the share of the whole self {what} changed")),
            ]);
        }
        columns.extend([
            Column::number("total base", format!("Total base{unit}"), 112.0)
                .rank(9)
                .tip(format!("Total {what} in the baseline")),
            Column::number("total head", format!("Total head{unit}"), 112.0)
                .rank(10)
                .tip(format!("Total {what} in the new run")),
        ]);
        if !self.asked.shares_only() {
            columns.push(
                Column::number("total delta", format!("Δ total{unit}"), 112.0)
                    .rank(6)
                    .tip(format!("Change of the total {what}: of the function and all that it called")),
            );
            columns.push(Column::number("total relative", "Δ total %", 88.0).rank(11));
        }
        if self.counted() {
            columns.extend([
                Column::number("calls base", "Calls base", 92.0).rank(12).tip("Calls in the baseline"),
                Column::number("calls head", "Calls head", 92.0).rank(13).tip("Calls in the new run"),
                Column::number("calls delta", "Δ calls", 84.0).rank(7).tip("Change of the number of calls"),
            ]);
            if !self.asked.shares_only() {
                columns.extend([
                    Column::number("by calls", "By calls", 96.0)
                        .rank(14)
                        .tip("What of the change of the total comes of more or fewer calls, at the price of the baseline"),
                    Column::number("per call", "Per call", 96.0)
                        .rank(15)
                        .tip("What of the change of the total comes of calls that each take more or less"),
                ]);
            }
        }
        columns.push(Column::text("function", "Function", 150.0).grow(1.0));
        columns.push(
            Column::text("place", "File:line", 200.0)
                .rank(16)
                .tip("Where the function is defined, in head if it has it"),
        );
        columns.push(
            Column::text("step", "Matched by", 110.0)
                .rank(17)
                .tip("By which of the steps of matching the two were found to be the same"),
        );
        let (key, reverse) = sort;
        for column in &mut columns {
            let here = sort_key(column.key);
            if here == Some(key) || key == DiffKey::Change && here == Some(DiffKey::OwnDelta) {
                let up = key.ascends() != reverse;
                column.sort = Some(if up { SortOrder::Ascending } else { SortOrder::Descending });
            }
        }
        columns
    }

    /// A cell as text.
    fn value(&self, row: usize, column: &str) -> Value {
        let (_, r) = self.at(row);
        let (own, total) = (self.list.related.own(r), self.list.related.total(r));
        let cost = |v: Option<f64>, base| Value::number(self.written.cost(v, base), v);
        let change = |v: Option<f64>| Value::number(self.written.change(v), v);
        let relative = |two: Two<f64>| {
            let change = two.relative_change();
            Value::number(pair::relative(change, r.state()), change.map(|c| c * 100.0))
        };
        let count = |n: Option<i64>| Value::number(n.map_or_else(|| UNKNOWN.into(), format::count), n);
        let signed_count = |n: Option<i64>| {
            let text =
                n.map_or_else(|| UNKNOWN.into(), |n| format::signed_cost(crate::model::Unit::Count, n));
            Value::number(text, n)
        };
        let part =
            |n: Option<i64>| Value::number(pair::signed(self.asked.unit(false), n.map(|n| n as f64)), n);
        match column {
            "own base" => cost(own.base, true),
            "own head" => cost(own.head, false),
            "own delta" => change(own.change()),
            "own relative" => relative(own),
            "points" => {
                let points = list::points(r.own(), self.list.diff.whole).map(|p| p * 100.0);
                let text = points.map_or_else(|| UNKNOWN.to_owned(), format::points);
                Value::number(text, points)
            }
            "total base" => cost(total.base, true),
            "total head" => cost(total.head, false),
            "total delta" => change(total.change()),
            "total relative" => relative(total),
            "calls base" => count(list::calls(r).base),
            "calls head" => count(list::calls(r).head),
            "calls delta" => signed_count(list::calls_delta(r)),
            "by calls" => part(r.split().map(|s| s.0)),
            "per call" => part(r.split().map(|s| s.1)),
            "state" => Value::text(self.state(row)),
            "verdict" => Value::text(match (r.state(), r.evidence) {
                (State::Both, Some(e)) => e.verdict.key(),
                _ => "",
            }),
            "step" => Value::text(r.step.map_or("", Step::key)),
            "place" => Value::text(self.place(row)),
            _ => Value::text(self.name(row)),
        }
    }
}

struct Table<'a, 'b> {
    cx: &'a mut ViewCx<'b>,
    numbers: &'a Numbers<'a>,
    palette: &'static Palette,
    columns: &'a [Column],
    selected: Option<SymbolKey>,
}

impl Table<'_, '_> {
    fn copied(&self, form: Form, rows: &mut dyn Iterator<Item = usize>) -> String {
        let asked = self.numbers.asked;
        let headings = copy::headings_of(self.columns, |key| match key {
            "own base" | "total base" => Some(asked.unit(true)),
            "own head" | "own delta" | "total head" | "total delta" | "by calls" | "per call" => {
                Some(asked.unit(false))
            }
            _ => None,
        });
        let values = rows.map(|row| self.columns.iter().map(|c| self.numbers.value(row, c.key)).collect());
        copy::table(form, &headings, &values.collect::<Vec<_>>())
    }
}

impl grid::Rows for Table<'_, '_> {
    fn mark(&self, row: usize) -> Mark {
        let symbol = self.numbers.symbol(row);
        let lit = symbol.is_some() && self.cx.hover.and_then(Item::symbol) == symbol;
        Mark { selected: symbol.is_some() && self.selected == symbol, lit }
    }

    fn label(&self, row: usize) -> String {
        let value = |key| self.numbers.value(row, key).text;
        let state = self.numbers.state(row);
        let state = if state.is_empty() { String::new() } else { format!(", {state}") };
        format!(
            "{}, base {}, head {}, change {}{state}",
            value("function"),
            value("own base"),
            value("own head"),
            value(if self.numbers.asked.shares_only() { "points" } else { "own delta" })
        )
    }

    fn cell(&mut self, ui: &mut Ui, row: usize, column: &'static str) {
        let palette = self.palette;
        let text = self.numbers.value(row, column).text;
        let (_, r) = self.numbers.at(row);
        let number = Cell::number(palette);
        match column {
            "own delta" | "points" if column == "own delta" || self.numbers.asked.shares_only() => {
                // The longest bar is the largest change of all rows.
                let most = self.numbers.list.most_changed.max(1.0);
                let share = match column {
                    "points" => list::points(r.own(), self.numbers.list.diff.whole),
                    _ => self.numbers.list.related.own(r).change().map(|c| c / most),
                };
                delta_bar(ui, share, self.numbers.asked.better(self.numbers.pair), &text, &number);
            }
            "state" => {
                let color = match self.numbers.state(row) {
                    "new" | "gone" | "moved" => palette.tone(Tone::Info),
                    _ => palette.text_weak,
                };
                cell_text(ui, &text, &Cell { color, ..Cell::text(palette) });
            }
            "function" => {
                cell_text(ui, &text, &Cell { color: palette.text_strong, ..Cell::text(palette) });
            }
            "place" => {
                path_cell(ui, &text, &weak_cell(palette));
            }
            "verdict" => {
                let color = match r.evidence.map(|e| e.verdict) {
                    Some(Verdict::Slower) => palette.tone(Tone::Bad),
                    Some(Verdict::Faster) => palette.tone(Tone::Good),
                    _ => palette.text_weak,
                };
                cell_text(ui, &text, &Cell { color, ..Cell::text(palette) });
            }
            "step" => {
                cell_text(ui, &text, &weak_cell(palette));
            }
            _ => {
                let color = if matches!(text.as_str(), "0" | "0 %" | "–") {
                    palette.text_weak
                } else {
                    palette.text
                };
                cell_text(ui, &text, &Cell { color, ..number });
            }
        }
    }

    fn menu(&mut self, ui: &mut Ui, row: usize) {
        let halves = self.numbers.at(row).1.halves;
        // A function that is gone is one of the baseline.
        let base = halves.head.is_none();
        let pair = self.numbers.pair;
        let Some(half) = halves.head.or(halves.base) else { return };
        let subject = pair.one(base);
        let about = menu::About { function: half.symbol.function(), path: None };
        let mut side = self.cx.side(&subject, base);
        let picked = menu::ContextMenu::about(about).row().table().show(&mut side, ui, |cx, ui| {
            pairing(cx, ui, self.numbers, row);
        });
        match picked {
            Some(Picked::Row) => ui.ctx().copy_text(self.copied(Form::Text, &mut std::iter::once(row))),
            Some(Picked::Table(form)) => {
                let n = self.numbers.list.order.len();
                ui.ctx().copy_text(self.copied(form, &mut (0..n)));
            }
            None => {}
        }
    }
}

/// Most functions that a function without a partner can be paired with.
const CANDIDATES: usize = 12;

/// Entries that pair a function by hand with one of the other run, or end that.
fn pairing(cx: &mut ViewCx<'_>, ui: &mut Ui, numbers: &Numbers<'_>, row: usize) {
    let (_, row) = numbers.at(row);
    if let (Some(Step::ByHand), Some(RowKey::Function(base)), Some(RowKey::Function(head))) =
        (row.step, row.keys.base, row.keys.head)
        && menu::entry(ui, "Pair by hand no more", "", "Match it by its name again")
    {
        cx.out.wishes.push(Wish::Pair { base, head, same: false });
    }
    let Some(own) = row.symbol().filter(|_| row.state() != State::Both) else { return };
    let gone = row.state() == State::Gone;
    let other = if gone { State::New } else { State::Gone };
    let mut others: Vec<&Row> = numbers.list.diff.rows.iter().filter(|r| r.state() == other).collect();
    if others.is_empty() {
        return;
    }
    // The likeliest first: those that cost about as much.
    let cost = |r: &Row| r.total().base.or(r.total().head).unwrap_or(0);
    let here = cost(row);
    others.sort_by_key(|r| cost(r).abs_diff(here));
    let title = if gone { "Same function as in head" } else { "Same function as in base" };
    ui.menu_button(title, |ui| {
        let unit = numbers.asked.unit(!gone);
        for candidate in others.iter().take(CANDIDATES) {
            let name = list::name(candidate, &numbers.pair.base.profile, &numbers.pair.head.profile);
            let cost = format::cost(unit, cost(candidate));
            if menu::entry(ui, &name, &cost, "Take both for the same function, in every view")
                && let Some(symbol) = candidate.symbol()
            {
                let (base, head) = if gone { (own, symbol) } else { (symbol, own) };
                cx.out.wishes.push(Wish::Pair { base, head, same: true });
            }
        }
    });
}
