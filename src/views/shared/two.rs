//! A table of things that two runs have: base, head, Δ, how often, what. For lists that are no functions of the whole run.

use egui::Ui;

use super::copy::{self, Form, Value};
use super::grid::{self, Column, Grid, GridState, Happened, Mark};
use super::menu::{About, ContextMenu, Picked};
use super::pair::{self, Asked, Written};
use super::weak_cell;
use crate::analysis::diff::{State, Two};
use crate::format::{self, UNKNOWN};
use crate::model::{Better, FunctionId, Unit};
use crate::query::Pair;
use crate::state::Item;
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{Cell, SortOrder, cell_text, delta_bar};
use crate::views::ViewCx;

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
    pub fn of(asked: &Asked, pair: &'a Pair, rows: &'a [TwoRow], sort: TwoSort) -> Self {
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
        Written::new(self.units, self.subtracts, self.most())
    }

    fn columns(&self, written: &Written) -> Vec<Column> {
        let suffix = written.suffix();
        let mut columns = vec![
            Column::text("state", "", 52.0)
                .rank(5)
                .tip("new: only head has it. gone: only base has it. =: not changed."),
            Column::number("base", format!("{} base{suffix}", self.cost), 120.0)
                .rank(2)
                .tip("In the baseline"),
            Column::number("head", format!("{} head{suffix}", self.cost), 120.0)
                .rank(1)
                .tip("In the new run"),
        ];
        if self.subtracts {
            columns.push(Column::number("delta", format!("Δ{suffix}"), 130.0).tip("head − base"));
            columns
                .push(Column::number("relative", "Δ %", 80.0).rank(3).tip("The change as a share of base"));
        }
        if self.rows.iter().any(|r| r.counts.state().is_some()) {
            columns.push(Column::number("count", self.count, 110.0).rank(4).tip("base → head"));
        }
        columns.push(Column::text("name", self.what, 130.0).grow(1.0));
        let (key, reverse) = self.sort;
        let here = |key: TwoKey| match key {
            TwoKey::Change | TwoKey::Delta => "delta",
            TwoKey::Base => "base",
            TwoKey::Head => "head",
            TwoKey::Name => "name",
        };
        for column in columns.iter_mut().filter(|c| c.key == here(key)) {
            let up = (key == TwoKey::Name) != reverse;
            column.sort = Some(if up { SortOrder::Ascending } else { SortOrder::Descending });
        }
        columns
    }

    fn value(&self, row: &TwoRow, column: &str, written: &Written) -> Value {
        let cost = |v: Option<f64>, base| Value::number(written.cost(v, base), v);
        let count = |n: Option<i64>| n.map_or_else(|| UNKNOWN.to_owned(), format::count);
        match column {
            "base" => cost(row.costs.base, true),
            "head" => cost(row.costs.head, false),
            "delta" => {
                let change = row.change(self.adds_up);
                Value::number(written.change(change), change)
            }
            "relative" => {
                let relative = row.costs.relative_change();
                Value::number(pair::relative(relative, row.state), relative.map(|r| r * 100.0))
            }
            "count" if row.counts.base == row.counts.head => Value::text(count(row.counts.base)),
            "count" => Value::text(format!("{} → {}", count(row.counts.base), count(row.counts.head))),
            "state" => Value::text(match row.state {
                State::Both if row.change(self.adds_up) == Some(0.0) => "=",
                State::Both => "",
                other => other.key(),
            }),
            _ => Value::text(&row.name),
        }
    }

    /// Shows it in the space that is left. A click on a header changes `sort`.
    pub fn show(
        &self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        state: &mut GridState,
        sort: &mut TwoSort,
    ) -> Happened {
        let written = self.written();
        let columns = self.columns(&written);
        let changes = self.rows.iter().filter_map(|r| r.change(self.adds_up));
        let most_changed = changes.map(f64::abs).fold(0.0, f64::max);
        let grid = Grid { salt: self.salt, name: self.name, columns: &columns, rows: self.rows.len() };
        let palette = Palette::of(ui);
        let mut rows = Rows { cx, table: self, palette, columns: &columns, written, most_changed };
        let happened = grid.show(ui, state, &mut rows);
        let key = happened.header.and_then(|(key, _)| match key {
            "base" => Some(TwoKey::Base),
            "head" => Some(TwoKey::Head),
            "delta" | "relative" => Some(TwoKey::Delta),
            "name" => Some(TwoKey::Name),
            _ => None,
        });
        if let Some(key) = key {
            *sort = if sort.0 == key { (key, !sort.1) } else { (key, false) };
        }
        if let Some(item) = happened.hovered.and_then(|row| self.rows[row].item.clone()) {
            cx.out.hover = Some(item);
        }
        happened
    }
}

struct Rows<'a, 'b> {
    cx: &'a mut ViewCx<'b>,
    table: &'a TwoTable<'a>,
    palette: &'static Palette,
    columns: &'a [Column],
    /// How its costs are written, and the largest change: found once for all cells.
    written: Written,
    most_changed: f64,
}

impl Rows<'_, '_> {
    fn copied(&self, form: Form, rows: &[TwoRow]) -> String {
        let [base, head] = self.table.units;
        let headings = copy::headings_of(self.columns, |key| match key {
            "base" => Some(base),
            "head" | "delta" => Some(head),
            _ => None,
        });
        let values: Vec<Vec<Value>> = rows
            .iter()
            .map(|r| self.columns.iter().map(|c| self.table.value(r, c.key, &self.written)).collect())
            .collect();
        copy::table(form, &headings, &values)
    }
}

impl grid::Rows for Rows<'_, '_> {
    fn mark(&self, row: usize) -> Mark {
        let here = self.table.rows[row].item.as_ref();
        let is = |item: Option<&Item>| match (here, item) {
            (Some(here), Some(item)) => {
                here == item || here.symbol().is_some() && here.symbol() == item.symbol()
            }
            _ => false,
        };
        Mark { selected: is(self.cx.interaction.selection.as_ref()), lit: is(self.cx.hover) }
    }

    fn label(&self, row: usize) -> String {
        let value = |key| self.table.value(&self.table.rows[row], key, &self.written).text;
        format!(
            "{}, base {}, head {}, change {}",
            value("name"),
            value("base"),
            value("head"),
            value("delta")
        )
    }

    fn cell(&mut self, ui: &mut Ui, row: usize, column: &'static str) {
        let (palette, table) = (self.palette, self.table);
        let r = &table.rows[row];
        let text = table.value(r, column, &self.written).text;
        let number = Cell::number(palette);
        match column {
            "delta" => {
                let most = self.most_changed;
                let share = r.change(table.adds_up).map(|c| if most > 0.0 { c / most } else { 0.0 });
                delta_bar(ui, share, table.better, &text, &number);
            }
            "state" => {
                let new = matches!(text.as_str(), "new" | "gone");
                let color = if new { palette.tone(Tone::Info) } else { palette.text_weak };
                cell_text(ui, &text, &Cell { color, ..Cell::text(palette) });
            }
            "name" if r.item.is_none() => {
                cell_text(ui, &text, &weak_cell(palette));
            }
            "name" => {
                cell_text(ui, &text, &Cell { color: palette.text_strong, ..Cell::text(palette) });
            }
            _ => {
                let weak = matches!(text.as_str(), "0" | "0 %" | "–");
                let color = if weak { palette.text_weak } else { palette.text };
                cell_text(ui, &text, &Cell { color, ..number });
            }
        }
    }

    fn menu(&mut self, ui: &mut Ui, row: usize) {
        let r = &self.table.rows[row];
        let base = r.function.is_some_and(|f| f.1);
        let pair = self.table.pair;
        let subject = pair.one(base);
        let context = match r.function {
            Some((function, _)) => ContextMenu::about(About { function, path: None }),
            None => ContextMenu::new(),
        };
        let mut side = self.cx.side(&subject, base);
        let picked = context.row().table().show(&mut side, ui, |_, _| ());
        match picked {
            Some(Picked::Row) => {
                ui.ctx().copy_text(self.copied(Form::Text, std::slice::from_ref(&self.table.rows[row])));
            }
            Some(Picked::Table(form)) => ui.ctx().copy_text(self.copied(form, self.table.rows)),
            None => {}
        }
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
