//! The flat profile by groups: a row for each file, module, package or class, and below it its functions.

use std::borrow::Cow;

use super::Shown;
use crate::analysis::FunctionRow;
use crate::analysis::function_groups::{FunctionGroup, Grouped};
use crate::analysis::function_list::FunctionKey;
use crate::analysis::groups::{GroupBy, group_label};
use crate::format::{Column, Value};
use crate::model::Profile;

/// A row: a group, or one of its functions.
#[derive(Clone, Copy, Debug)]
pub struct GroupLine<'t> {
    /// The group.
    pub group: &'t FunctionGroup,
    /// The function; `None` for the group itself.
    pub row: Option<&'t FunctionRow>,
}

impl GroupLine<'_> {
    /// What stands in the row.
    #[must_use]
    pub fn label<'p>(&'p self, by: GroupBy, profile: &'p Profile) -> Cow<'p, str> {
        match self.row {
            Some(row) => row.symbol().label(profile),
            None if self.group.name.is_empty() => Cow::Owned(format!("(no {})", by.label())),
            None => group_label(&self.group.name),
        }
    }
}

/// A column of groups.
pub type GroupColumn<'a> = Column<'a, GroupLine<'a>, FunctionKey>;

/// The columns, in order.
#[must_use]
pub fn groups<'a>(
    profile: &'a Profile,
    grouped: &Grouped,
    by: GroupBy,
    shown: &Shown,
) -> Vec<GroupColumn<'a>> {
    let (what, whole) = (&shown.what, grouped.list.table.whole);
    let cost = shown.form(grouped.max);
    let own = |l: &GroupLine<'_>| l.row.map_or(Some(l.group.own), FunctionRow::known_own);
    let total = |l: &GroupLine<'_>| l.row.map_or(l.group.total, FunctionRow::known_total);
    let about = |l: &GroupLine<'_>, value: Value<'a>| match l.row {
        None if l.group.estimated && !matches!(value, Value::Unknown) => Value::About(Box::new(value)),
        _ => value,
    };
    let mut columns: Vec<GroupColumn<'a>> = vec![
        Column::cost("self", "Self", cost, move |l: GroupLine<'a>| Value::cost(own(&l)))
            .sorts(FunctionKey::Own)
            .room(10.0)
            .hint(format!("Self {what} of its functions that are listed")),
        Column::share("self share", "Self %", move |l: GroupLine<'a>| {
            Value::number(own(&l).and_then(|own| whole.own_share(own)))
        })
            .sorts(FunctionKey::Own)
            .rank(2)
            .hint(format!("Self {what} as a share of {}", shown.own_whole(whole))),
        Column::cost("total", "Total", cost, move |l: GroupLine<'a>| about(&l, Value::cost(total(&l))))
            .sorts(FunctionKey::Total)
            .room(11.0)
            .hint(format!(
                "Total {what}: of a group what is spent after entering it from outside; – where not all of it is listed"
            )),
        Column::share("total share", "Total %", move |l: GroupLine<'a>| {
            Value::number(total(&l).and_then(|total| whole.total_share(total)))
        })
            .sorts(FunctionKey::Total)
            .rank(3)
            .hint(format!("Total {what} as a share of {}", shown.whole(whole))),
    ];
    if grouped.list.table.calls.is_some() {
        columns.push(
            Column::count("calls", "Calls", |l: GroupLine<'a>| match l.row {
                Some(row) => row.calls.map_or(Value::Unknown, Value::Calls),
                None => Value::count(l.group.calls),
            })
            .sorts(FunctionKey::Calls)
            .rank(4)
            .room(10.0)
            .hint("Calls of its functions, from inside of the group, too"),
        );
    }
    columns.push(
        Column::count("functions", "Functions", |l: GroupLine<'a>| match l.row {
            Some(_) => Value::Empty,
            None => Value::Count(l.group.rows.len() as u64),
        })
        .rank(5)
        .hint("Listed functions"),
    );
    columns.push(
        Column::name("function", "Group and function", move |l: GroupLine<'a>| {
            let label = match l.row {
                Some(row) => row.symbol().label(profile),
                None => l.label(by, profile).into_owned().into(),
            };
            Value::Nested(u32::from(l.row.is_some()), label)
        })
        .sorts(FunctionKey::Name)
        .room(24.0),
    );
    if !shown.shares() {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    columns
}
