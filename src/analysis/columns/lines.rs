//! The lines of a source file, and below a line the calls that it makes.

use std::borrow::Cow;

use super::{Relative, Shown};
use crate::analysis::source_lines::{FileLines, Grain, LineCall, LineRow, LineTable};
use crate::analysis::whole::Whole;
use crate::format::{Column, Form, Look, Scale, SortBy, Value};
use crate::model::Unit;

/// What a row is about.
#[derive(Clone, Copy, Debug)]
pub enum LineOf<'a> {
    /// A line, with its costs where it has some, and its code.
    Line(u32, Option<&'a LineRow>, &'a str),
    /// A call from the line above, and who is called.
    Call(&'a LineCall, &'a str),
}

/// Lines have one order, that of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKey {}

impl SortBy for LineKey {
    fn ascends(self) -> bool {
        match self {}
    }
}

/// A column of lines.
pub type LineColumn<'a> = Column<'a, LineOf<'a>, LineKey>;

/// The columns, in order; `code` is the title of the last one, which holds code and callees.
#[must_use]
pub fn lines<'a>(
    table: &LineTable,
    file: Option<&FileLines>,
    code: Option<&str>,
    shown: &Shown,
) -> Vec<LineColumn<'a>> {
    let what = &shown.what;
    let of_parent = shown.relative == Relative::Parent;
    let whole = if of_parent { Whole::both(table.total) } else { table.whole };
    let of_function = || {
        format!("the total {what} of the selected function, {}", crate::format::cost(shown.unit, table.total))
    };
    let of_own = if of_parent { of_function() } else { shown.own_whole(whole) };
    let of_total = if of_parent { of_function() } else { shown.whole(whole) };
    let (own_scale, total_scale) = scales(file, shown.unit);
    let (own_form, total_form) =
        ((Form::Scaled(own_scale), shown.unit), (Form::Scaled(total_scale), shown.unit));
    // A bar of nothing beside the 0 says nothing more.
    let own_share = move |own: i64| if own == 0 { Value::Empty } else { Value::number(whole.own_share(own)) };
    let total_share = move |total: Option<i64>| match total {
        Some(0) => Value::Empty,
        total => Value::number(total.and_then(|total| whole.total_share(total))),
    };
    // A line without costs says nothing about them.
    let of = |row: Option<&LineRow>, value: &dyn Fn(&LineRow) -> Value<'a>| row.map_or(Value::Empty, value);
    let (spent, has_total) = match table.grain {
        Grain::Lines => ("the line itself, not in what it called", table.sampled || table.has_calls),
        Grain::Definition => ("the function that is defined here, not in what it called", true),
    };
    let mut columns: Vec<LineColumn<'a>> = vec![
        Column::number("line", "Line", Form::Decimals(0), |l: LineOf<'a>| match l {
            LineOf::Line(line, ..) => Value::Number(f64::from(line)),
            LineOf::Call(call, _) => Value::Number(f64::from(call.line)),
        })
        .room(6.0)
        .hint("Line number in the file"),
        Column::cost("self", "Self", own_form, move |l: LineOf<'a>| match l {
            LineOf::Line(_, row, _) => of(row, &|r| Value::Cost(r.own)),
            LineOf::Call(..) => Value::Empty,
        })
        .room(10.0)
        .hint(format!("Self {what}: spent in {spent}")),
        Column::share("self share", "Self %", move |l: LineOf<'a>| match l {
            LineOf::Line(_, row, _) => of(row, &|r| own_share(r.own)),
            LineOf::Call(..) => Value::Empty,
        })
        .rank(2)
        .hint(format!("Self {what} as a share of {of_own}")),
    ];
    if has_total {
        let hint = match table.grain {
            Grain::Lines if table.sampled => {
                format!("Total {what}: while the line was on the stack. Recursion counts once.")
            }
            Grain::Lines => {
                format!(
                    "Total {what} of the line and of the calls from it. Calls of its own function count once."
                )
            }
            Grain::Definition => format!("Total {what} of the function that is defined here"),
        };
        columns.push(
            Column::cost("total", "Total", total_form, move |l: LineOf<'a>| match l {
                LineOf::Line(_, row, _) => of(row, &|r| Value::cost(r.total)),
                LineOf::Call(call, _) => Value::Cost(call.cost),
            })
            .room(10.0)
            .rank(1)
            .hint(hint),
        );
        columns.push(
            Column::share("total share", "Total %", move |l: LineOf<'a>| match l {
                LineOf::Line(_, row, _) => of(row, &|r| total_share(r.total)),
                LineOf::Call(call, _) => Value::number(whole.total_share(call.cost)),
            })
            .rank(4)
            .hint(format!("Total {what} as a share of {of_total}")),
        );
        let (title, hint) = match table.grain {
            _ if table.sampled => ("Samples", "Samples with the line on the stack"),
            Grain::Lines => ("Calls", "Calls that the line makes"),
            Grain::Definition => ("Calls", "Calls of the function that is defined here"),
        };
        columns.push(
            Column::count("count", title, move |l: LineOf<'a>| match l {
                LineOf::Line(_, row, _) => of(row, &|r| Value::count(r.count)),
                LineOf::Call(call, _) => Value::count(call.count),
            })
            .room(8.0)
            .rank(3)
            .hint(hint),
        );
    }
    if !shown.shares() {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    if let Some(title) = code {
        columns.push(
            Column::text("code", title, |l: LineOf<'a>| match l {
                LineOf::Line(.., code) => Value::Text(Cow::Borrowed(code)),
                LineOf::Call(_, callee) => Value::text(format!("→ {callee}")),
            })
            .room(31.0)
            .growing(1.0)
            .look(Look::Text),
        );
    }
    columns
}

/// How own and total costs of a file's lines are written.
fn scales(file: Option<&FileLines>, unit: Unit) -> (Scale, Scale) {
    let (rows, calls) = file.map_or((&[][..], &[][..]), |l| (&l.rows, &l.calls));
    let max = |costs: &mut dyn Iterator<Item = i64>| costs.map(i64::saturating_abs).max().unwrap_or(0);
    let mut totals = rows.iter().filter_map(|r| r.total).chain(calls.iter().map(|c| c.cost));
    (Scale::for_max(unit, max(&mut rows.iter().map(|r| r.own))), Scale::for_max(unit, max(&mut totals)))
}
