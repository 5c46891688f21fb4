//! The call tree, top-down and bottom-up.

use std::borrow::Cow;

use super::{PLACE, Relative, Shown, place};
use crate::analysis::gaps::Gap;
use crate::analysis::path::Symbol;
use crate::analysis::tree_rows::Order;
use crate::analysis::whole::Whole;
use crate::format::{Column, Form, Scale, SortBy, Value, share_of_parent};
use crate::model::Profile;

impl SortBy for Order {
    fn ascends(self) -> bool {
        matches!(self, Self::Name | Self::Appearance)
    }
}

/// What a row of the tree says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeLine {
    /// What runs; of a gap what runs around it.
    pub symbol: Symbol,
    /// Why a part of the row above is in no other row, when the row stands for that.
    pub gap: Option<Gap>,
    /// 0 for a root.
    pub depth: u32,
    /// Total cost; bottom-up the own cost of the root on the paths of the row.
    pub total: i64,
    /// Total of the row above in the tree; of an outermost row the sum of all own costs.
    pub above: i64,
    /// Own cost; `None` for callers bottom-up and for gaps.
    pub own: Option<i64>,
    /// Calls or samples.
    pub count: Option<u64>,
    /// Calls on this path that had not ended.
    pub unfinished: u64,
}

impl TreeLine {
    /// What stands in the row.
    #[must_use]
    pub fn label(self, profile: &Profile) -> Cow<'_, str> {
        self.gap.map_or_else(|| self.symbol.label(profile), |gap| gap.label().into())
    }
}

/// What the columns of a tree are made for.
#[derive(Clone, Copy, Debug)]
pub struct TreeKind {
    /// Callers under who spent the cost.
    pub bottom_up: bool,
    /// What shares are a share of.
    pub whole: Whole,
    /// Calls were counted, samples were counted.
    pub counted: (bool, bool),
    /// Any function has a file.
    pub places: bool,
    /// How costs are written.
    pub scale: Scale,
}

/// A column of the tree.
pub type TreeColumn<'a> = Column<'a, TreeLine, Order>;

/// The columns, in order.
#[must_use]
pub fn call_tree<'a>(profile: &'a Profile, kind: TreeKind, shown: &Shown) -> Vec<TreeColumn<'a>> {
    let TreeKind { bottom_up, whole, counted, places, scale } = kind;
    let what = &shown.what;
    let of_parent = shown.relative == Relative::Parent;
    let of_above = || {
        format!("the total {what} of the row above it in the tree; of a root as a share of the whole {what}")
    };
    let of_own = if of_parent { of_above() } else { shown.own_whole(whole) };
    let of_total = if of_parent { of_above() } else { shown.whole(whole) };
    let (total_share, own_share) =
        if of_parent { ("Total % of parent", "Self % of parent") } else { ("Total %", "Self %") };
    let wide = if of_parent { 16.0 } else { 9.0 };
    let form = (Form::Scaled(scale), shown.unit);
    let related = move |cost: i64, line: TreeLine, is_own: bool| {
        Value::number(match (of_parent, is_own) {
            (true, _) => share_of_parent(cost, line.above),
            (false, true) => whole.own_share(cost),
            (false, false) => whole.total_share(cost),
        })
    };
    let total = |line: TreeLine| Value::unfinished(Some(line.total), line.unfinished);
    let mut columns: Vec<TreeColumn<'a>> = if bottom_up {
        vec![
            Column::cost("total", "Self", form, total).sorts(Order::Total).room(11.0).hint(format!(
                "Self {what} of the outermost row's function, as far as it was called by this path"
            )),
            Column::share("total share", own_share, move |l: TreeLine| related(l.total, l, true))
                .sorts(Order::Total)
                .rank(2)
                .room(wide)
                .hint(format!("This self {what} as a share of {of_own}")),
        ]
    } else {
        vec![
            Column::cost("total", "Total", form, total)
                .sorts(Order::Total)
                .room(11.0)
                .hint(format!("Total {what}: of this call path and all paths below it")),
            Column::share("total share", total_share, move |l: TreeLine| related(l.total, l, false))
                .sorts(Order::Total)
                .rank(2)
                .room(wide)
                .hint(format!("Total {what} as a share of {of_total}")),
            Column::cost("self", "Self", form, |l: TreeLine| match l.own {
                None => Value::Empty,
                own => Value::unfinished(own, l.unfinished),
            })
            .sorts(Order::Own)
            .rank(3)
            .room(10.0)
            .hint(format!("Self {what}: spent in the function itself on exactly this path")),
            Column::share("self share", own_share, move |l: TreeLine| {
                l.own.map_or(Value::Empty, |own| related(own, l, true))
            })
            .sorts(Order::Own)
            .rank(5)
            .room(wide)
            .hint(format!("Self {what} as a share of {of_own}")),
        ]
    };
    if !bottom_up && !of_parent {
        // Beside the share of the whole, that of what is one level up.
        let share = |l: TreeLine| {
            if l.depth == 0 { Value::Empty } else { Value::number(share_of_parent(l.total, l.above)) }
        };
        let above = Column::share("parent share", "Of caller", share)
            .sorts(Order::Total)
            .rank(5)
            .hint(format!("Total {what} as a share of the total of the row above it in the tree"));
        columns.insert(2, above);
    }
    if !shown.shares() {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    let (title, hint, room) = match (counted, bottom_up) {
        ((true, true), _) => {
            ("Calls or samples", "Calls on this path, or samples of what was seen by samples only", 16.0)
        }
        ((_, true), false) => ("Samples", "Samples at this path and below it", 9.0),
        ((_, true), true) => {
            ("Samples", "Samples that ended in the outermost row's function on this path", 9.0)
        }
        _ => ("Calls", "Calls on this path", 9.0),
    };
    columns.push(
        Column::count("count", title, |l: TreeLine| Value::count(l.count))
            .sorts(Order::Count)
            .rank(4)
            .room(room)
            .hint(hint),
    );
    columns.push(
        Column::name("function", "Function", move |l: TreeLine| Value::Nested(l.depth, l.label(profile)))
            .sorts(Order::Name)
            .room(24.0),
    );
    if places {
        columns.push(
            Column::path("place", "File:line", move |l: TreeLine| match l.symbol {
                Symbol::Function(f) if l.gap.is_none() => place(profile, f),
                _ => Value::Empty,
            })
            .growing(0.35)
            .rank(6)
            .hint(PLACE),
        );
    }
    columns
}
