//! The flat profile, with the columns of pstats and what else is known.

use std::sync::Arc;

use super::{PLACE, Shown, place};
use crate::analysis::FunctionRow;
use crate::analysis::formula::Measure;
use crate::analysis::function_list::{Beside, FunctionKey, Known, Largest};
use crate::analysis::functions::FunctionTable;
use crate::format::{Column, Form, SortBy, Value, calls, short};
use crate::model::Profile;

impl SortBy for FunctionKey {
    fn ascends(self) -> bool {
        matches!(self, Self::Name | Self::Place | Self::Module | Self::Category)
    }
}

/// Names of the columns of metrics that are shown beside: self and total.
const BESIDE: [(&str, &str); 4] = [
    ("beside 1 self", "beside 1 total"),
    ("beside 2 self", "beside 2 total"),
    ("beside 3 self", "beside 3 total"),
    ("beside 4 self", "beside 4 total"),
];
/// How many metrics can be shown beside the one of the table.
pub const MOST_BESIDE: usize = BESIDE.len();

/// Self and total in another metric, in one unit.
fn costs_beside<'a>(place: u8, other: &Arc<Beside>) -> [FunctionColumn<'a>; 2] {
    let (own, total) = BESIDE[usize::from(place)];
    let Measure { label, unit, .. } = &other.measure;
    let form = (Form::Scaled(super::scale(*unit, other.max)), *unit);
    let (a, b) = (other.clone(), other.clone());
    // The label alone would leave no room for the numbers.
    let name = short(label, 14);
    [
        Column::cost(own, format!("{name} self"), form, move |r: &FunctionRow| {
            Value::cost(a.of(r).map(|c| c.0))
        })
        .sorts(FunctionKey::OwnBeside(place))
        .rank(1)
        .room(10.0)
        .hint(format!("Self {label}")),
        Column::cost(total, format!("{name} total"), form, move |r: &FunctionRow| {
            Value::cost(b.of(r).map(|c| c.1))
        })
        .sorts(FunctionKey::TotalBeside(place))
        .rank(2)
        .room(11.0)
        .hint(format!("Total {label}: of the function and all that it called. Recursion counts once.")),
    ]
}

/// The last part of a path, which says most; other modules whole.
fn module(module: &str) -> Value<'_> {
    let last = module.rsplit(['/', '\\']).find(|part| !part.is_empty());
    Value::text(last.unwrap_or(module))
}

/// A column of functions.
pub type FunctionColumn<'a> = Column<'a, &'a FunctionRow, FunctionKey>;

/// The columns for a table, in order: those of which it knows anything.
#[must_use]
pub fn functions<'a>(
    profile: &'a Profile,
    table: &FunctionTable,
    (max, known): (&Largest, Known),
    beside: &[Arc<Beside>],
    shown: &Shown,
) -> Vec<FunctionColumn<'a>> {
    let (what, whole) = (&shown.what, table.whole);
    // Self and total stand side by side, so they have one unit.
    let cost = shown.form(max.own.max(max.total));
    // These differ by so much that one unit would turn most of them into <0.001.
    let each = (Form::Each(shown.unit), shown.unit);
    let text = |id| Value::text(profile.text(id));
    let function = |r: &FunctionRow| profile.functions.get(r.function);
    let mut columns: Vec<FunctionColumn<'a>> = Vec::new();
    if table.calls.is_some() {
        let widest = calls(max.calls).chars().count() as f32;
        columns.push(
            Column::count("calls", "Calls", |r: &FunctionRow| r.calls.map_or(Value::Unknown, Value::Calls))
                .sorts(FunctionKey::Calls)
                .rank(1)
                .room((widest + 1.0).max(7.0))
                .hint(
                    "Number of calls. Of a recursive function: all calls / primitive calls, \
                     which are those that were not made by a recursion.",
                ),
        );
    }
    if table.samples.is_some() {
        columns.push(
            Column::count("samples", "Samples", |r: &FunctionRow| Value::count(r.samples_total))
                .sorts(FunctionKey::Samples)
                .rank(1)
                .room(8.0)
                .hint("Samples with the function anywhere on the stack"),
        );
    }
    if table.rows.iter().any(|r| r.unfinished > 0) {
        columns.push(
            Column::count("unfinished", "Unfinished", |r: &FunctionRow| match r.unfinished {
                0 => Value::Empty,
                n => Value::Count(n),
            })
            .sorts(FunctionKey::Unfinished)
            .rank(1)
            .room(11.0)
            .hint(
                "Calls that had not ended when the recording did: self and total are at least what they say. \
                 «Finished calls only» in a row's menu leaves them out.",
            ),
        );
    }
    columns.push(
        Column::cost("self", "Self", cost, |r: &FunctionRow| Value::unfinished(r.known_own(), r.unfinished))
            .sorts(FunctionKey::Own)
            .room(10.0)
            .hint(format!("Self {what}: spent in the function itself, not in what it called")),
    );
    columns.push(
        Column::share("self share", "Self %", move |r: &FunctionRow| {
            Value::number(r.known_own().and_then(|own| whole.own_share(own)))
        })
        .sorts(FunctionKey::Own)
        .rank(2)
        .hint(format!("Self {what} as a share of {}", shown.own_whole(whole))),
    );
    if table.calls.is_some() {
        columns.push(
            Column::cost("self per call", "Self/call", each, |r: &FunctionRow| {
                Value::unfinished(r.own_per_call(), r.unfinished)
            })
            .sorts(FunctionKey::OwnPerCall)
            .rank(5)
            .hint(format!("Self {what} divided by the number of calls")),
        );
    }
    columns.push(
        Column::cost("total", "Total", cost, |r: &FunctionRow| {
            Value::unfinished(r.known_total(), r.unfinished)
        })
        .sorts(FunctionKey::Total)
        .room(11.0)
        .hint(format!("Total {what}: of the function and all that it called. Recursion counts once.")),
    );
    columns.push(
        Column::share("total share", "Total %", move |r: &FunctionRow| {
            Value::number(r.known_total().and_then(|total| whole.total_share(total)))
        })
        .sorts(FunctionKey::Total)
        .rank(3)
        .hint(format!("Total {what} as a share of {}", shown.whole(whole))),
    );
    if table.calls.is_some() {
        columns.push(
            Column::cost("total per call", "Total/call", each, |r: &FunctionRow| {
                Value::unfinished(r.total_per_call(), r.unfinished)
            })
            .sorts(FunctionKey::TotalPerCall)
            .rank(6)
            .hint(format!("Total {what} divided by the number of primitive calls")),
        );
    }
    for (place, other) in (0u8..).zip(beside).take(BESIDE.len()) {
        columns.extend(costs_beside(place, other));
    }
    columns.push(
        Column::name("function", "Function", move |r: &FunctionRow| Value::Text(r.symbol().label(profile)))
            .sorts(FunctionKey::Name),
    );
    if known.files {
        columns.push(
            Column::path("place", "File:line", move |r: &FunctionRow| match r.module {
                Some(_) => Value::Empty,
                None => place(profile, r.function),
            })
            .sorts(FunctionKey::Place)
            .rank(if known.few_files { 9 } else { 4 })
            .room(32.0)
            .hint(PLACE),
        );
    }
    if known.modules {
        columns.push(
            Column::weak("module", "Module", move |r: &FunctionRow| module(profile.text(function(r).module)))
                .sorts(FunctionKey::Module)
                .rank(7)
                .room(16.0)
                .hint("Module, package or library"),
        );
    }
    if known.categories {
        columns.push(
            Column::weak("category", "Category", move |r: &FunctionRow| text(function(r).category))
                .sorts(FunctionKey::Category)
                .rank(8)
                .room(12.0)
                .hint("The format's own category"),
        );
    }
    if !shown.shares() {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    for column in &mut columns {
        let more = match column.leads {
            true => "Click to sort, Shift-click to sort by several columns.",
            false => "Click to sort.",
        };
        column.hint =
            if column.hint.is_empty() { more.to_owned() } else { format!("{}\n{more}", column.hint) };
    }
    columns
}
