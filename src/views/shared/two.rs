//! A table of things that two runs have: base, head, Δ, how often, what. For lists that are no functions of the whole run.

use egui::Ui;

use super::grid::{self, Grid, GridState, Happened, Mark};
use super::menu::{About, ContextMenu, Picked};
use super::pair::{self, Told, Written};
use crate::analysis::diff::{State, Two};
use crate::format::{self, Column, Form, Look, SortBy, Value};
use crate::model::{Better, FunctionId, Unit};
use crate::query::Pair;
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::ui::widgets::cell_text;
use crate::views::{ViewCx, shared};

/// One of them.
#[derive(Clone, Debug)]
pub struct TwoRow {
    /// What it is called.
    pub name: String,
    /// Its costs, as they are shown; unknown ones are not there.
    pub costs: Two<f64>,
    /// How often, where that was counted.
    pub counts: Two<i64>,
    /// In both runs, or in which.
    pub state: State,
    /// The function, and whether it is one of the baseline alone.
    pub function: Option<(FunctionId, bool)>,
    /// What a click selects.
    pub item: Option<Item>,
    /// What the row says below the pointer; empty for nothing.
    pub about: String,
}

impl TwoRow {
    /// head − base. Without a value on a side that has the row it is unknown; what a side lacks costs nothing there, where costs add up,
    /// and is otherwise nothing to compare with.
    fn change(&self, adds_up: bool) -> Option<f64> {
        let known = self.costs.state() == Some(State::Both) || adds_up && self.state != State::Both;
        self.costs.change().filter(|_| known)
    }
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwoKey {
    /// Size of the change.
    #[default]
    Change,
    /// Cost in the baseline.
    Base,
    /// Cost in the new run.
    Head,
    /// The change, what takes more first.
    Delta,
    /// Name.
    Name,
}

impl SortBy for TwoKey {
    fn ascends(self) -> bool {
        self == Self::Name
    }

    /// The size of the change is no column; the arrow stands at the change.
    fn shown(self) -> Self {
        if self == Self::Change { Self::Delta } else { self }
    }
}

/// A key, and whether its natural direction is reversed.
pub type TwoSort = (TwoKey, bool);

/// Sorts rows. `adds_up` is as in [`TwoTable`].
pub fn sort(rows: &mut [TwoRow], (key, reverse): TwoSort, adds_up: bool) {
    let change = |r: &TwoRow| r.change(adds_up).unwrap_or(0.0);
    let number = |r: &TwoRow| match key {
        TwoKey::Base => r.costs.base.unwrap_or(f64::NEG_INFINITY),
        TwoKey::Head => r.costs.head.unwrap_or(f64::NEG_INFINITY),
        TwoKey::Delta => change(r),
        TwoKey::Change | TwoKey::Name => change(r).abs(),
    };
    match key {
        TwoKey::Name => rows.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => rows.sort_by(|a, b| number(b).total_cmp(&number(a))),
    }
    if reverse {
        rows.reverse();
    }
}

/// A table of them.
pub struct TwoTable<'a> {
    /// Tells apart several tables of one view.
    pub salt: &'static str,
    /// What screen readers call it.
    pub name: &'a str,
    /// What the costs are: «Total», «Peak».
    pub cost: &'a str,
    /// What the counts are.
    pub count: &'a str,
    /// Heading of the names.
    pub what: &'a str,
    /// Unit of the costs, in the baseline and in the new run: another one where only shares compare.
    pub units: [Unit; 2],
    /// Which way is better.
    pub better: Better,
    /// False where only shares compare.
    pub subtracts: bool,
    /// True where costs add up, so that a row that one run lacks cost nothing there; false for figures such as latencies.
    pub adds_up: bool,
    /// In relation to what costs stand: «/s».
    pub per: &'static str,
    /// The rows, sorted.
    pub rows: &'a [TwoRow],
    /// How they are sorted.
    pub sort: TwoSort,
    /// The runs.
    pub pair: &'a Pair,
}

impl<'a> TwoTable<'a> {
    /// A table of costs in the shown metric.
    #[must_use]
    pub fn of(told: &Told<'_>, pair: &'a Pair, rows: &'a [TwoRow], sort: TwoSort) -> Self {
        let asked = told.asked;
        Self {
            salt: "two",
            name: "",
            cost: "Total",
            count: "Calls",
            what: "Function",
            units: [asked.unit(true), asked.unit(false)],
            better: asked.better(pair),
            subtracts: !asked.shares_only(),
            adds_up: true,
            per: told.related.to.per(),
            rows,
            sort,
            pair,
        }
    }

    fn most(&self) -> f64 {
        let of = |r: &TwoRow| r.costs.base.unwrap_or(0.0).abs().max(r.costs.head.unwrap_or(0.0).abs());
        self.rows.iter().map(of).fold(0.0, f64::max)
    }

    fn written(&self) -> Written {
        Written::new(self.units, self.subtracts, self.most()).per(self.per)
    }

    fn columns(&self) -> Vec<Column<'_, &TwoRow, TwoKey>> {
        let (written, adds_up) = (self.written(), self.adds_up);
        let changes = self.rows.iter().filter_map(|r| r.change(adds_up));
        let most = changes.map(f64::abs).fold(0.0, f64::max);
        let mut columns = vec![
            pair::state(
                "new: only head has it. gone: only base has it. =: not changed.",
                move |r: &TwoRow| match r.state {
                    State::Both if r.change(adds_up) == Some(0.0) => "=",
                    State::Both => "",
                    other => other.key(),
                },
            )
            .rank(5)
            .room(5.0),
            Column::cost(
                "base",
                written.title(&format!("{} base", self.cost)),
                written.cost(true),
                |r: &TwoRow| Value::number(r.costs.base),
            )
            .sorts(TwoKey::Base)
            .room(15.0)
            .rank(2)
            .hint("In the baseline"),
            Column::cost(
                "head",
                written.title(&format!("{} head", self.cost)),
                written.cost(false),
                |r: &TwoRow| Value::number(r.costs.head),
            )
            .sorts(TwoKey::Head)
            .room(15.0)
            .rank(1)
            .hint("In the new run"),
        ];
        if self.subtracts {
            columns.push(
                Column::cost("delta", written.title("Δ"), written.change(), move |r: &TwoRow| {
                    Value::number(r.change(adds_up))
                })
                .look(Look::Change(most, self.better))
                .quiet(|r: &TwoRow| pair::is_noise(r.costs))
                .sorts(TwoKey::Delta)
                .room(16.0)
                .hint("head − base"),
            );
            columns.push(
                Column::number("relative", "Δ %", Form::Growth, |r: &TwoRow| {
                    pair::growth(r.costs.relative_change(), r.state)
                })
                .sorts(TwoKey::Delta)
                .follows()
                .rank(3)
                .hint("The change as a share of base"),
            );
        }
        if self.rows.iter().any(|r| r.counts.state().is_some()) {
            columns.push(
                Column::count("count", self.count, |r: &TwoRow| pair::counts(r.counts))
                    .room(13.0)
                    .rank(4)
                    .hint("base → head"),
            );
        }
        let named = Column::name("name", self.what, |r: &TwoRow| Value::text(&r.name));
        columns.push(named.sorts(TwoKey::Name).room(16.0));
        format::mark(&mut columns, &[self.sort]);
        columns
    }

    /// Shows it in the space that is left. A click on a header changes `sort`.
    pub fn show(
        &self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        state: &mut GridState,
        sort: &mut TwoSort,
    ) -> Happened<TwoKey> {
        let columns = self.columns();
        let grid = Grid { salt: self.salt, name: self.name, columns: &columns, rows: self.rows.len() };
        let mut rows = Rows { cx, table: self, columns: &columns };
        let happened = grid.show(ui, state, &mut rows);
        if let Some((by, _)) = happened.header {
            format::click(sort, by);
        }
        if let Some(item) = happened.hovered.and_then(|row| self.rows[row].item.clone()) {
            cx.out.hover = Some(item);
        }
        happened
    }
}

struct Rows<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    table: &'l TwoTable<'l>,
    columns: &'a [Column<'l, &'l TwoRow, TwoKey>],
}

impl<'l> grid::Rows for Rows<'_, 'l, '_> {
    type Row = &'l TwoRow;

    fn row(&self, at: usize) -> &'l TwoRow {
        &self.table.rows[at]
    }

    fn mark(&self, at: usize) -> Mark {
        let here = self.row(at).item.as_ref();
        let is = |item: Option<&Item>| match (here, item) {
            (Some(here), Some(item)) => {
                here == item || here.symbol().is_some() && here.symbol() == item.symbol()
            }
            _ => false,
        };
        Mark { selected: is(self.cx.interaction.selection.as_ref()), lit: is(self.cx.hover) }
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        format!("{}, base {}, head {}, change {}", cell("name"), cell("base"), cell("head"), cell("delta"))
    }

    fn about(&self, at: usize) -> Option<String> {
        let about = &self.row(at).about;
        (!about.is_empty()).then(|| about.clone())
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let weak = column == "name" && self.row(at).item.is_none();
        if weak {
            cell_text(ui, &self.row(at).name, &shared::weak_cell(Palette::of(ui)));
        }
        weak
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let r = self.row(at);
        let base = r.function.is_some_and(|f| f.1);
        let subject = self.table.pair.one(base);
        let context = match r.function {
            Some((function, _)) => ContextMenu::about(About { function, path: None }),
            None => ContextMenu::new(),
        };
        let mut side = self.cx.side(&subject, base);
        context.row().table().show(&mut side, ui, |_, _| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sort_by_each_column() {
        let row = |name: &str, base, head| TwoRow {
            name: name.into(),
            costs: Two { base, head },
            counts: Two::default(),
            state: Two { base, head }.state().unwrap(),
            function: None,
            item: None,
            about: String::new(),
        };
        let all =
            [row("a", Some(10.0), Some(4.0)), row("b", None, Some(3.0)), row("c", Some(5.0), Some(50.0))];
        let by = |key, reverse| {
            let mut rows = all.to_vec();
            sort(&mut rows, (key, reverse), true);
            rows.iter().map(|r| r.name.clone()).collect::<String>()
        };
        assert_eq!(by(TwoKey::Change, false), "cab");
        assert_eq!((by(TwoKey::Delta, false), by(TwoKey::Delta, true)), ("cba".into(), "abc".into()));
        assert_eq!((by(TwoKey::Base, false), by(TwoKey::Head, false)), ("acb".into(), "cab".into()));
        assert_eq!(by(TwoKey::Name, true), "cba");
        assert_eq!(
            (all[1].change(true), all[1].change(false)),
            (Some(3.0), None),
            "a latency of one run is no change"
        );
        let unknown = TwoRow { state: State::Both, ..all[1].clone() };
        assert_eq!(unknown.change(true), None, "both have it, and one does not say what it cost");
    }
}
