//! The instructions of a function, with the calls that they make below them.

use super::lines::LineKey;
use super::{Relative, Shown};
use crate::analysis::assembly::{AssemblyTable, InstructionCallRow, InstructionRow, JumpRow};
use crate::analysis::whole::Whole;
use crate::format::{self, Column, Look, Scale, Value};

/// What a row is about.
#[derive(Clone, Copy, Debug)]
pub enum InstructionOf<'a> {
    /// A source line: its file where it is not that of the function, its number and its text.
    Source(&'a str, u32, &'a str),
    /// An instruction that ran, its text where it is known, its jumps, and the file of its line where it is another one.
    Ran(&'a InstructionRow, &'a str, &'a [JumpRow], &'a str),
    /// One that did not run, and its text.
    Idle(u64, &'a str),
    /// A call from the instruction above, and who is called.
    Call(&'a InstructionCallRow, &'a str),
    /// Bytes that did not run, where it is known how many.
    Gap(Option<u64>),
}

/// A column of instructions. They have one order, that of their addresses.
pub type InstructionColumn<'a> = Column<'a, InstructionOf<'a>, LineKey>;

/// What is shown beside the costs.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// Characters that the arrows of jumps need; `None` without jumps.
    pub jumps: Option<f32>,
    /// Source lines have rows of their own.
    pub sources: bool,
}

/// An address as tools write it.
#[must_use]
pub fn address(address: u64) -> String {
    format!("{address:#x}")
}

/// «jumps to 0x6f3: executed 440 times, followed 36 %».
#[must_use]
pub fn jump_said(jump: &JumpRow) -> String {
    let times = |n: u64| format::counted(i64::try_from(n).unwrap_or(i64::MAX), "time", "times");
    let to = address(jump.to);
    let outside = if jump.inside { "" } else { ", outside of what ran of this function" };
    match jump.share().filter(|_| jump.conditional) {
        Some(share) => format!(
            "jumps to {to}{outside}: executed {}, followed {}",
            times(jump.executed),
            format::percent(share)
        ),
        None => format!("jumps to {to}{outside}: {}", times(jump.followed)),
    }
}

/// «… 49 bytes that did not run».
#[must_use]
pub fn gap_said(bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => {
            let bytes = format::counted(i64::try_from(bytes).unwrap_or(i64::MAX), "byte", "bytes");
            format!("… {bytes} that did not run")
        }
        None => "…".into(),
    }
}

/// The columns, in order.
#[must_use]
pub fn instructions<'a>(table: &AssemblyTable, shown: &Shown, beside: Beside) -> Vec<InstructionColumn<'a>> {
    let what = &shown.what;
    let of_parent = shown.relative == Relative::Parent;
    let whole = if of_parent { Whole::both(table.total) } else { table.whole };
    let of_function =
        || format!("the total {what} of the selected function, {}", format::cost(shown.unit, table.total));
    let of_own = if of_parent { of_function() } else { shown.own_whole(whole) };
    let of_total = if of_parent { of_function() } else { shown.whole(whole) };
    let most = |costs: &mut dyn Iterator<Item = i64>| costs.map(i64::saturating_abs).max().unwrap_or(0);
    let own = Scale::for_max(shown.unit, most(&mut table.rows.iter().map(|r| r.own)));
    let totals = table.rows.iter().filter_map(|r| r.total).chain(table.calls.iter().map(|c| c.cost));
    let total = Scale::for_max(shown.unit, most(&mut totals.into_iter()));
    let form = |scale| (format::Form::Scaled(scale), shown.unit);
    // A bar of nothing beside the 0 says nothing more.
    let own_share = move |own: i64| if own == 0 { Value::Empty } else { Value::number(whole.own_share(own)) };
    let total_share = move |total: Option<i64>| match total {
        Some(0) => Value::Empty,
        total => Value::number(total.and_then(|total| whole.total_share(total))),
    };
    let has_calls = !table.calls.is_empty();
    let mut columns: Vec<InstructionColumn<'a>> = Vec::new();
    if let Some(room) = beside.jumps {
        columns.push(
            Column::text("jumps", "Jumps", |r: InstructionOf<'a>| match r {
                InstructionOf::Ran(_, _, jumps, _) if !jumps.is_empty() => {
                    Value::text(jumps.iter().map(jump_said).collect::<Vec<_>>().join("; "))
                }
                _ => Value::Empty,
            })
            .rank(2)
            .room(room)
            .hint("Jumps between instructions of the function: point at an arrow for its numbers, click to follow it"),
        );
    }
    columns.push(
        Column::text("address", "Address", |r: InstructionOf<'a>| match r {
            InstructionOf::Ran(row, ..) => Value::text(address(row.address)),
            InstructionOf::Idle(at, _) => Value::text(address(at)),
            _ => Value::Empty,
        })
        .rank(1)
        .room(9.0)
        .hint("Where the instruction stands in its object file"),
    );
    if !beside.sources {
        columns.push(
            Column::weak("line", "Line", |r: InstructionOf<'a>| match r {
                InstructionOf::Ran(row, _, _, file) if row.line > 0 && !file.is_empty() => {
                    Value::text(format!("{}:{}", short(file), row.line))
                }
                InstructionOf::Ran(row, ..) if row.line > 0 => Value::text(row.line.to_string()),
                _ => Value::Empty,
            })
            .rank(6)
            .room(9.0)
            .hint("Its source line, with the file where code of another one is inlined"),
        );
    }
    columns.push(
        Column::cost("self", "Self", form(own), |r: InstructionOf<'a>| match r {
            InstructionOf::Ran(row, ..) => Value::Cost(row.own),
            _ => Value::Empty,
        })
        .room(10.0)
        .hint(format!("Self {what}: spent in the instruction itself, not in what it called")),
    );
    columns.push(
        Column::share("self share", "Self %", move |r: InstructionOf<'a>| match r {
            InstructionOf::Ran(row, ..) => own_share(row.own),
            _ => Value::Empty,
        })
        .rank(5)
        .hint(format!("Self {what} as a share of {of_own}")),
    );
    if has_calls {
        columns.push(
            Column::cost("total", "Total", form(total), |r: InstructionOf<'a>| match r {
                InstructionOf::Ran(row, ..) => Value::cost(row.total),
                InstructionOf::Call(call, _) => Value::Cost(call.cost),
                _ => Value::Empty,
            })
            .room(10.0)
            .rank(3)
            .hint(format!(
                "Total {what} of the instruction and of the calls that it makes. Calls of its own function count once."
            )),
        );
        columns.push(
            Column::share("total share", "Total %", move |r: InstructionOf<'a>| match r {
                InstructionOf::Ran(row, ..) => total_share(row.total),
                InstructionOf::Call(call, _) => Value::number(whole.total_share(call.cost)),
                _ => Value::Empty,
            })
            .rank(7)
            .hint(format!("Total {what} as a share of {of_total}")),
        );
        columns.push(
            Column::count("count", "Calls", |r: InstructionOf<'a>| match r {
                InstructionOf::Ran(row, ..) => Value::count(row.count),
                InstructionOf::Call(call, _) => Value::count(call.count),
                _ => Value::Empty,
            })
            .room(8.0)
            .rank(4)
            .hint("Calls that the instruction makes"),
        );
    }
    if !shown.shares() {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    let title = if beside.sources { "Source and instructions" } else { "Instruction" };
    columns.push(
        Column::text("code", title, |r: InstructionOf<'a>| match r {
            InstructionOf::Source("", line, text) => Value::text(format!("{line}: {text}")),
            InstructionOf::Source(file, line, text) => Value::text(format!("{}:{line}: {text}", short(file))),
            InstructionOf::Ran(_, "", ..) => Value::Unknown,
            InstructionOf::Ran(_, text, ..) | InstructionOf::Idle(_, text) => Value::text(text),
            InstructionOf::Call(_, callee) => Value::text(format!("→ {callee}")),
            InstructionOf::Gap(bytes) => Value::text(gap_said(bytes)),
        })
        .room(if beside.sources { 46.0 } else { 38.0 })
        .growing(1.0)
        .look(Look::Text),
    );
    columns
}

/// The last part of a path.
#[must_use]
pub fn short(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
