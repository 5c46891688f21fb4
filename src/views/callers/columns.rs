//! What the columns of both lists are, how they sort, and how their cells read.

use std::borrow::Cow;

use std::cmp::Ordering;

use egui::{Rect, Ui, vec2};

use super::super::functions::calls;
use super::super::shared::copy::Value;
use super::super::shared::grid::Column;
use super::super::shared::{self, path_cell, weak_cell};
use super::Side;
use crate::analysis::FunctionRow;
use crate::analysis::callers::{Neighbour, Neighbours, Reach};
use crate::analysis::search::Pattern;
use crate::format::{self, UNKNOWN};
use crate::model::{Profile, Unit};
use crate::state::Relative;
use crate::ui::theme::{Palette, regular};
use crate::ui::widgets::{Cell, SortOrder, cell_text, share_bar};
use crate::views::ViewCx;

/// What a neighbour without a function is called.
const NOBODY: &str = "(not called by anything recorded)";

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// Largest total first.
    #[default]
    Total,
    /// Largest self cost first.
    Own,
    /// Most calls or samples first.
    Count,
    /// Nearest first.
    Distance,
    /// By name.
    Name,
}

/// What a click on a column's header sorts by.
pub fn sort_key(column: &str) -> Option<Key> {
    Some(match column {
        "total" | "share" => Key::Total,
        "self" => Key::Own,
        "count" => Key::Count,
        "distance" => Key::Distance,
        "function" => Key::Name,
        _ => return None,
    })
}

/// Sorts a list; ties keep the largest total first.
pub fn sort(rows: &mut [Neighbour], (key, reverse): (Key, bool), profile: &Profile) {
    let name = |n: &Neighbour| n.symbol.map(|s| s.label(profile));
    let count = |n: &Neighbour| n.calls.map(|c| c.all).or(n.samples);
    let compare = |a: &Neighbour, b: &Neighbour| -> Ordering {
        match key {
            Key::Total => b.total.cmp(&a.total),
            Key::Own => b.own.cmp(&a.own),
            Key::Count => count(b).cmp(&count(a)),
            Key::Distance => a.distance.cmp(&b.distance),
            Key::Name => name(a).cmp(&name(b)),
        }
    };
    rows.sort_by(|a, b| if reverse { compare(a, b).reverse() } else { compare(a, b) });
}

/// Number formats of both lists, so that they compare, and what shares are a share of.
pub struct Formats {
    cost: format::Column,
    /// Total of the function itself, or the whole: what shares are a share of.
    whole: i64,
    relative: Relative,
    pub(super) unit: Unit,
}

impl Formats {
    /// Formats for the neighbours of a function.
    pub fn new(cx: &ViewCx<'_>, row: &FunctionRow, answer: &Neighbours) -> Self {
        let unit = shared::unit(cx.profile(), cx.interaction);
        let totals = answer.callers.iter().chain(&answer.callees).filter_map(|n| n.total);
        let max = totals.map(i64::saturating_abs).max().unwrap_or(0).max(row.total.saturating_abs());
        let relative = cx.interaction.relative;
        let whole = if relative == Relative::Parent { row.total } else { answer.sum };
        Self { cost: shared::cost_column(unit, max), whole, relative, unit }
    }

    fn share(&self, n: &Neighbour) -> Option<f64> {
        let share = if self.relative == Relative::Parent { format::share_of_parent } else { format::share };
        n.total.and_then(|total| share(total, self.whole))
    }

    /// A row in words.
    pub fn label(&self, profile: &Profile, n: &Neighbour) -> String {
        format!("{}, {}", name(profile, n), self.cost.text(n.total))
    }

    /// A cell as text.
    pub fn value(&self, profile: &Profile, n: &Neighbour, column: &str) -> Value {
        match column {
            "count" => match (n.calls, n.samples) {
                (None, Some(samples)) => Value::number(format::count(samples as i64), Some(samples)),
                (counted, _) => Value::number(calls(counted), counted.map(|c| c.all)),
            },
            "self" => Value::number(self.cost.text(n.own), n.own),
            "total" => Value::number(self.cost.text(n.total), n.total),
            "share" => {
                let share = self.share(n);
                Value::number(share.map_or_else(|| UNKNOWN.into(), format::percent), share.map(|s| s * 100.0))
            }
            "distance" => Value::number(n.distance.to_string(), Some(n.distance)),
            "function" => Value::text(name(profile, n)),
            _ => Value::text(n.symbol.map_or_else(String::new, |s| shared::place(profile, s.function()))),
        }
    }

    /// Paints a cell.
    pub fn paint(
        &self,
        ui: &mut Ui,
        profile: &Profile,
        n: &Neighbour,
        column: &str,
        search: &str,
        palette: &Palette,
    ) {
        let number = Cell::number(palette);
        let cost = |ui: &mut Ui, cost: Option<i64>| {
            let color = if cost.unwrap_or(0) == 0 { palette.text_weak } else { palette.text };
            cell_text(ui, &self.cost.number(cost), &Cell { color, ..number.clone() });
        };
        match column {
            "self" => cost(ui, n.own),
            "total" => cost(ui, n.total),
            "share" => {
                share_bar(ui, self.share(n), &self.value(profile, n, column).text, &number);
            }
            "count" | "distance" => {
                cell_text(ui, &self.value(profile, n, column).text, &number);
            }
            "function" => function_cell(ui, profile, n, search, palette),
            _ => {
                path_cell(ui, &self.value(profile, n, column).text, &weak_cell(palette));
            }
        }
    }
}

fn name<'p>(profile: &'p Profile, n: &Neighbour) -> Cow<'p, str> {
    n.symbol.map_or(Cow::Borrowed(NOBODY), |s| s.label(profile))
}

fn function_cell(ui: &mut Ui, profile: &Profile, n: &Neighbour, search: &str, palette: &Palette) {
    let label = name(profile, n);
    let found = n.symbol.is_some() && Pattern::new(search).is_some_and(|p| p.matches(&label));
    if found {
        let rect = ui.available_rect_before_wrap();
        let width = ui.painter().layout_no_wrap(label.to_string(), regular(13.0), palette.text).size().x;
        let behind = Rect::from_min_size(rect.min + vec2(5.0, 3.0), vec2(width + 6.0, rect.height() - 6.0));
        ui.painter().rect_filled(behind.intersect(rect), 3.0, palette.highlight);
    }
    let color = if n.symbol.is_some() { palette.text_strong } else { palette.text_weak };
    cell_text(ui, &label, &Cell { color, ..Cell::text(palette) });
}

/// A name that fits a header.
fn short(name: &str) -> String {
    if name.chars().count() <= 8 { format::escaped(name).into_owned() } else { "function".to_owned() }
}

/// The columns of a list, in order.
pub fn columns(
    cx: &ViewCx<'_>,
    side: Side,
    function: &str,
    rows: &[Neighbour],
    formats: &Formats,
    sort: (Key, bool),
    reach: Reach,
) -> Vec<Column> {
    let what = shared::metric_name(cx.profile(), cx.interaction);
    let titled = |title: &str| match formats.cost.suffix() {
        "" => title.to_owned(),
        suffix => format!("{title} ({suffix})"),
    };
    let (own, total) = match (side, reach) {
        (Side::Callers, Reach::Direct) => (
            "Self {what} of {f} when this function called it",
            "Total {what} of {f} when this function called it",
        ),
        (Side::Callees, Reach::Direct) => (
            "Self {what} of this function when {f} called it",
            "Total {what} of this function when {f} called it",
        ),
        (Side::Callers, Reach::All) => (
            "Self {what} of {f} while this function was on the stack",
            "Total {what} of {f} while this function was on the stack",
        ),
        (Side::Callees, Reach::All) => (
            "Self {what} of this function while {f} was on the stack",
            "Total {what} of this function while {f} was on the stack",
        ),
    };
    let filled = |text: &str| text.replace("{what}", &what).replace("{f}", function);
    let whole = format::cost(formats.unit, formats.whole);
    let sampled = rows.iter().any(|n| n.samples.is_some());
    let counted = sampled || rows.iter().any(|n| n.calls.is_some());
    let mut columns = Vec::new();
    if counted {
        let (title, tip) = if sampled {
            ("Samples", "Samples with both on the stack")
        } else {
            ("Calls", "Calls from one to the other; with recursion: all / primitive ones")
        };
        columns.push(Column::number("count", title, 84.0).rank(2).tip(tip));
    }
    if rows.iter().any(|n| n.own.is_some()) {
        columns.push(Column::number("self", titled("Self"), 86.0).rank(3).tip(filled(own)));
    }
    columns.push(Column::number("total", titled("Total"), 92.0).tip(filled(total)));
    let (title, share) = match formats.relative {
        Relative::Parent => (
            format!("% of {}", short(function)),
            format!("This total as a share of the total {what} of {function}, {whole}"),
        ),
        _ => ("Total %".to_owned(), format!("This total as a share of the whole {what}, {whole}")),
    };
    if formats.relative != Relative::Numbers {
        let width = if formats.relative == Relative::Parent { 108.0 } else { 78.0 };
        columns.push(Column::number("share", title, width).rank(1).tip(share));
    }
    if reach == Reach::All {
        let tip = "Least number of calls between; 1 is a direct call";
        columns.push(Column::number("distance", "Distance", 76.0).tip(tip));
    }
    columns.push(Column::text("function", "Function", 150.0).grow(1.0));
    let places =
        rows.iter().filter_map(|n| n.symbol).any(|s| !shared::place(cx.profile(), s.function()).is_empty());
    if places {
        columns.push(
            Column::text("place", "File:line", 150.0)
                .grow(0.6)
                .rank(4)
                .tip("Where the function is defined, as the file says"),
        );
    }
    for column in columns.iter_mut().filter(|c| c.key != "share") {
        if sort_key(column.key) == Some(sort.0) {
            let up = matches!(sort.0, Key::Name | Key::Distance) != sort.1;
            column.sort = Some(if up { SortOrder::Ascending } else { SortOrder::Descending });
        }
    }
    columns
}
