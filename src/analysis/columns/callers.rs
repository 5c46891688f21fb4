//! Callers and callees of a function: what pstats prints as `print_callers` and `print_callees`.

use std::borrow::Cow;

use super::{PLACE, Relative, Shown, place};
use crate::analysis::callers::{Neighbour, Reach};
use crate::format::{Column, SortBy, Value, cost, escaped, share, share_of_parent};
use crate::model::{FunctionId, Profile};

/// What a neighbour without a function is called.
const NOBODY: &str = "(not called by anything recorded)";

/// What neighbours are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourKey {
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

impl SortBy for NeighbourKey {
    fn ascends(self) -> bool {
        matches!(self, Self::Distance | Self::Name)
    }
}

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who calls the function.
    Callers,
    /// Whom it calls.
    Callees,
}

/// What both lists of a function are made for.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// The function.
    pub function: FunctionId,
    /// Its total cost.
    pub total: i64,
    /// What shares of totals are of.
    pub sum: i64,
    /// The largest total in either list: one unit for both, so that they compare.
    pub max: i64,
    /// How far was looked.
    pub reach: Reach,
}

/// A column of neighbours.
pub type NeighbourColumn<'a> = Column<'a, &'a Neighbour, NeighbourKey>;

/// What a neighbour is called.
#[must_use]
pub fn name<'p>(profile: &'p Profile, n: &Neighbour) -> Cow<'p, str> {
    n.symbol.map_or(Cow::Borrowed(NOBODY), |s| s.label(profile))
}

/// A name that fits a heading.
fn short(name: &str) -> String {
    if name.chars().count() <= 8 { escaped(name).into_owned() } else { "function".to_owned() }
}

/// The columns of a list, in order.
#[must_use]
pub fn neighbours<'a>(
    profile: &'a Profile,
    side: Side,
    rows: &[Neighbour],
    around: Around,
    shown: &Shown,
) -> Vec<NeighbourColumn<'a>> {
    let Around { function, total, sum, max, reach } = around;
    let name_of = profile.function_name(function);
    let (own, all) = match (side, reach) {
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
    let filled = |text: &str| text.replace("{what}", &shown.what).replace("{f}", name_of);
    let form = shown.form(max.max(total.saturating_abs()));
    let of_parent = shown.relative == Relative::Parent;
    let whole = if of_parent { total } else { sum };
    let sampled = rows.iter().any(|n| n.samples.is_some());
    let counted = sampled || rows.iter().any(|n| n.calls.is_some());
    let mut columns: Vec<NeighbourColumn<'a>> = Vec::new();
    if counted {
        let (title, hint) = match sampled {
            true => ("Samples", "Samples with both on the stack"),
            false => ("Calls", "Calls from one to the other; with recursion: all / primitive ones"),
        };
        columns.push(
            Column::count("count", title, |n: &Neighbour| match (n.calls, n.samples) {
                (Some(calls), _) => Value::Calls(calls),
                (None, samples) => Value::count(samples),
            })
            .sorts(NeighbourKey::Count)
            .rank(2)
            .room(10.0)
            .hint(hint),
        );
    }
    if rows.iter().any(|n| n.own.is_some()) {
        columns.push(
            Column::cost("self", "Self", form, |n: &Neighbour| Value::cost(n.own))
                .sorts(NeighbourKey::Own)
                .rank(3)
                .room(10.0)
                .hint(filled(own)),
        );
    }
    columns.push(
        Column::cost("total", "Total", form, |n: &Neighbour| Value::cost(n.total))
            .sorts(NeighbourKey::Total)
            .room(11.0)
            .hint(filled(all)),
    );
    if shown.shares() {
        let (what, amount) = (&shown.what, cost(shown.unit, whole));
        let (title, hint, room) = match of_parent {
            true => (
                format!("% of {}", short(name_of)),
                format!("This total as a share of the total {what} of {name_of}, {amount}"),
                13.0,
            ),
            false => {
                ("Total %".to_owned(), format!("This total as a share of the whole {what}, {amount}"), 9.0)
            }
        };
        let related = if of_parent { share_of_parent } else { share };
        let value = move |n: &Neighbour| Value::number(n.total.and_then(|total| related(total, whole)));
        columns.push(
            Column::share("share", title, value).sorts(NeighbourKey::Total).rank(1).room(room).hint(hint),
        );
        if !of_parent {
            // Beside the share of the whole, that of the function which the lists are about.
            let value =
                move |n: &Neighbour| Value::number(n.total.and_then(|part| share_of_parent(part, total)));
            let hint = format!(
                "This total as a share of the total {what} of {name_of}, {}",
                cost(shown.unit, total)
            );
            let title = format!("% of {}", short(name_of));
            columns.push(
                Column::share("function share", title, value)
                    .sorts(NeighbourKey::Total)
                    .rank(2)
                    .room(12.0)
                    .hint(hint),
            );
        }
    }
    if reach == Reach::All {
        columns.push(
            Column::count("distance", "Distance", |n: &Neighbour| Value::Count(u64::from(n.distance)))
                .sorts(NeighbourKey::Distance)
                .hint("Least number of calls between; 1 is a direct call"),
        );
    }
    columns.push(
        Column::name("function", "Function", move |n: &Neighbour| Value::Text(name(profile, n)))
            .sorts(NeighbourKey::Name),
    );
    let place_of =
        move |n: &Neighbour| n.symbol.map_or(Value::Empty, |symbol| place(profile, symbol.function()));
    let any = |n: &Neighbour| !place_of(n).exact().is_empty();
    if rows.iter().any(any) {
        columns.push(Column::path("place", "File:line", place_of).growing(0.6).rank(4).hint(PLACE));
    }
    columns
}
