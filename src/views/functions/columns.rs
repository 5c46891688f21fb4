//! What the columns are, how their numbers read, and what each means.

use egui::Ui;

use super::super::shared::copy::Value;
use super::super::shared::grid::Column;
use super::super::shared::{self, path_cell, weak_cell};
use crate::analysis::FunctionRow;
use crate::analysis::function_list::{FunctionKey, FunctionOrder, SortKey};
use crate::format::{self, UNKNOWN};
use crate::model::{Calls, Profile, Unit};
use crate::state::Relative;
use crate::ui::theme::Palette;
use crate::ui::widgets::{Cell, SortOrder, cell_text, share_bar};
use crate::views::ViewCx;

/// Number formats of the columns and what shares are a share of.
pub struct Formats {
    /// Costs. Self and total stand side by side, so they have one unit.
    pub cost: format::Column,
    sum: i64,
    pub(super) unit: Unit,
}

impl Formats {
    /// Formats that fit the largest numbers of a list.
    pub fn new(cx: &ViewCx<'_>, list: &FunctionOrder) -> Self {
        let unit = shared::unit(cx.profile(), cx.interaction);
        let cost = shared::cost_column(unit, list.max.own.max(list.max.total));
        Self { cost, sum: list.table.sum, unit }
    }

    fn share(&self, cost: i64) -> Option<f64> {
        format::share(cost, self.sum)
    }

    /// A cell as text.
    pub fn value(&self, profile: &Profile, row: &FunctionRow, column: &str) -> Value {
        let at_least = format::at_least(row.unfinished);
        let cost = |cost: Option<i64>| Value::number(format!("{at_least}{}", self.cost.text(cost)), cost);
        // These differ by so much that one unit would turn most of them into <0.001.
        let per_call = |cost: Option<i64>| {
            let least = if cost.is_some() { at_least } else { "" };
            Value::number(format!("{least}{}", format::cost_or_unknown(self.unit, cost)), cost)
        };
        let share = |cost: Option<i64>| {
            let share = cost.and_then(|cost| self.share(cost));
            Value::number(share.map_or_else(|| UNKNOWN.into(), format::percent), share.map(|s| s * 100.0))
        };
        let count =
            |n: Option<u64>| Value::number(n.map_or_else(|| UNKNOWN.into(), |n| format::count(n as i64)), n);
        let function = profile.functions.get(row.function);
        match column {
            "calls" => {
                let exact = row.calls.map(|c| {
                    if c.all == c.primitive {
                        c.all.to_string()
                    } else {
                        format!("{}/{}", c.all, c.primitive)
                    }
                });
                Value::number(calls(row.calls), exact)
            }
            "samples" => count(row.samples_total),
            "unfinished" => Value::number(
                if row.unfinished > 0 { format::count(row.unfinished as i64) } else { String::new() },
                Some(row.unfinished),
            ),
            "self" => cost(row.known_own()),
            "self share" => share(row.known_own()),
            "self per call" => per_call(row.own_per_call()),
            "total" => cost(row.known_total()),
            "total share" => share(row.known_total()),
            "total per call" => per_call(row.total_per_call()),
            "function" => Value::text(row.symbol().label(profile)),
            "module" => Value::text(profile.text(function.module)),
            "place" => Value::text(if row.module.is_some() {
                String::new()
            } else {
                shared::place(profile, row.function)
            }),
            _ => Value::text(profile.text(function.category)),
        }
    }

    /// Paints a cell.
    pub fn paint(&self, ui: &mut Ui, profile: &Profile, row: &FunctionRow, column: &str, palette: &Palette) {
        let number = Cell::number(palette);
        let cost = |ui: &mut Ui, cost: Option<i64>| {
            let color = if cost.unwrap_or(0) == 0 { palette.text_weak } else { palette.text };
            let text = format!("{}{}", format::at_least(row.unfinished), self.cost.number(cost));
            cell_text(ui, &text, &Cell { color, ..number.clone() });
        };
        match column {
            "self" => cost(ui, row.known_own()),
            "total" => cost(ui, row.known_total()),
            "self share" | "total share" => {
                let cost = if column == "self share" { row.known_own() } else { row.known_total() };
                let share = cost.and_then(|cost| self.share(cost));
                let text = share.map_or_else(|| UNKNOWN.to_owned(), format::percent);
                share_bar(ui, share, &text, &number);
            }
            "calls" | "samples" | "unfinished" | "self per call" | "total per call" => {
                cell_text(ui, &self.value(profile, row, column).text, &number);
            }
            "function" => {
                let cell = Cell { color: palette.text_strong, ..Cell::text(palette) };
                cell_text(ui, &row.symbol().label(profile), &cell);
            }
            "place" => {
                path_cell(ui, &self.value(profile, row, column).text, &weak_cell(palette));
            }
            _ => {
                cell_text(ui, &self.value(profile, row, column).text, &weak_cell(palette));
            }
        }
    }
}

/// `calls`, or `calls/primitive` where recursion makes them differ, as pstats prints them.
#[must_use]
pub fn calls(calls: Option<Calls>) -> String {
    match calls {
        None => UNKNOWN.to_owned(),
        Some(c) if c.all == c.primitive => format::count(c.all as i64),
        Some(c) => format!("{}/{}", format::count(c.all as i64), format::count(c.primitive as i64)),
    }
}

const KEYS: [(&str, FunctionKey); 13] = [
    ("calls", FunctionKey::Calls),
    ("samples", FunctionKey::Samples),
    ("unfinished", FunctionKey::Unfinished),
    ("self", FunctionKey::Own),
    ("self share", FunctionKey::Own),
    ("self per call", FunctionKey::OwnPerCall),
    ("total", FunctionKey::Total),
    ("total share", FunctionKey::Total),
    ("total per call", FunctionKey::TotalPerCall),
    ("function", FunctionKey::Name),
    ("module", FunctionKey::Module),
    ("place", FunctionKey::Place),
    ("category", FunctionKey::Category),
];

/// What a click on a column's header sorts by.
#[must_use]
pub fn sort_key(column: &str) -> Option<FunctionKey> {
    KEYS.iter().find(|(key, _)| *key == column).map(|(_, sort)| *sort)
}

fn named(title: &str, format: &format::Column) -> String {
    if format.suffix().is_empty() { title.to_owned() } else { format!("{title} ({})", format.suffix()) }
}

/// The columns for a list, in order.
#[must_use]
pub fn columns(cx: &ViewCx<'_>, list: &FunctionOrder, formats: &Formats, sort: &[SortKey]) -> Vec<Column> {
    let what = shared::metric_name(cx.profile(), cx.interaction);
    let whole = format!("the whole {what}, {}", format::cost(formats.unit, formats.sum));
    let mut columns = Vec::new();
    if list.table.calls.is_some() {
        // Digits are equally wide; their groups are parted by a little.
        let widest = calls(list.max.calls).chars().count() as f32 * 7.7 + 18.0;
        columns.push(Column::number("calls", "Calls", widest.max(64.0)).rank(1).tip(
            "Number of calls. Of a recursive function: all calls / primitive calls, \
             which are those that were not made by a recursion.",
        ));
    }
    if list.table.samples.is_some() {
        columns.push(
            Column::number("samples", "Samples", 72.0)
                .rank(1)
                .tip("Samples with the function anywhere on the stack"),
        );
    }
    if list.table.rows.iter().any(|r| r.unfinished > 0) {
        columns.push(Column::number("unfinished", "Unfinished", 92.0).rank(1).tip(
            "Calls that had not ended when the recording did: self and total are at least what they say. \
             «Finished calls only» in a row's menu leaves them out.",
        ));
    }
    columns.push(
        Column::number("self", named("Self", &formats.cost), 86.0)
            .tip(format!("Self {what}: spent in the function itself, not in what it called")),
    );
    columns.push(
        Column::number("self share", "Self %", 78.0)
            .rank(2)
            .tip(format!("Self {what} as a share of {whole}")),
    );
    if list.table.calls.is_some() {
        columns.push(
            Column::number("self per call", "Self/call", 84.0)
                .rank(5)
                .tip(format!("Self {what} divided by the number of calls")),
        );
    }
    columns.push(
        Column::number("total", named("Total", &formats.cost), 92.0)
            .tip(format!("Total {what}: of the function and all that it called. Recursion counts once.")),
    );
    columns.push(
        Column::number("total share", "Total %", 80.0)
            .rank(3)
            .tip(format!("Total {what} as a share of {whole}")),
    );
    if list.table.calls.is_some() {
        columns.push(
            Column::number("total per call", "Total/call", 88.0)
                .rank(6)
                .tip(format!("Total {what} divided by the number of primitive calls")),
        );
    }
    columns.push(Column::text("function", "Function", 150.0).grow(1.0));
    if list.known.files {
        columns.push(
            Column::text("place", "File:line", 240.0)
                .rank(4)
                .tip("Where the function is defined, as the file says"),
        );
    }
    if list.known.modules {
        columns.push(Column::text("module", "Module", 130.0).rank(7).tip("Module, package or library"));
    }
    if list.known.categories {
        columns.push(Column::text("category", "Category", 96.0).rank(8).tip("The format's own category"));
    }
    if cx.interaction.relative == Relative::Numbers {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    for column in &mut columns {
        mark_sort(column, sort);
    }
    columns
}

/// Arrows on the columns that rows are sorted by, numbered when there are several.
fn mark_sort(column: &mut Column, sort: &[SortKey]) {
    const NUMBERS: [&str; 5] = [" ¹", " ²", " ³", " ⁴", " ⁵"];
    let key = sort_key(column.key);
    // A share sorts as its number does; the arrow stands at the number.
    if column.key.ends_with("share") {
        column.tip += ". Click to sort.";
        return;
    }
    if let Some(place) = sort.iter().position(|(k, _)| Some(*k) == key) {
        let (key, reverse) = sort[place];
        let up = key.ascends() != reverse;
        column.sort = Some(if up { SortOrder::Ascending } else { SortOrder::Descending });
        if sort.len() > 1 {
            column.title += NUMBERS.get(place).copied().unwrap_or_default();
        }
    }
    let more = "Click to sort, Shift-click to sort by several columns.";
    column.tip = if column.tip.is_empty() { more.to_owned() } else { format!("{}\n{more}", column.tip) };
}
