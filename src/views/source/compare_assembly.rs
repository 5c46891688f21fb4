//! The machine instructions of one function in two runs: one by one where both ran the same code, else run by run.

use egui::Ui;

use super::code::instruction_cell;
use super::compare::costs_of_two;
use super::missing::{Finder, What};
use crate::analysis::columns::instructions::{address, short};
use crate::analysis::columns::lines::LineKey;
use crate::analysis::diff::Two;
use crate::analysis::diff::assembly::{AssemblyDiff, DiffAssembly, InstructionPair, Pairing};
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::diff::source::{FunctionText, MissingText};
use crate::format::{self, Column, Look, Value};
use crate::model::SymbolKey;
use crate::query::Pair;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, mono, strong};
use crate::ui::widgets::{Cell, EmptyState, cell_text};
use crate::views::ViewCx;
use crate::views::shared;
use crate::views::shared::grid::{self, Grid, GridState, Mark};
use crate::views::shared::menu::{ContextMenu, Picked};
use crate::views::shared::pair::{self, Told};

/// What is kept from frame to frame.
#[derive(Default)]
pub(super) struct InstructionsOfTwo {
    pub(super) grid: GridState,
    /// What was scrolled to its most changed instruction already.
    shown: Option<SymbolKey>,
    finder: Finder,
}

impl InstructionsOfTwo {
    /// The controls, which `controls` makes, and what is below them. True when files are to be looked for again.
    pub(super) fn show(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        pair: &Pair,
        told: &Told<'_>,
        (text, why): (FunctionText, Option<&str>),
        mut controls: impl FnMut(&mut ViewCx<'_>, &mut Ui),
    ) -> bool {
        let function = text.function;
        let found = cx.ask_pair(&DiffAssembly(text), 0).content(ui, "Comparing instructions");
        shared::header(ui, |ui| controls(cx, ui));
        let Some(found) = found else { return false };
        pair::notices(cx, ui, told.asked, told.related, why);
        notices(cx, &found);
        let again = match &found.missing {
            Some(MissingText { file, why, tried }) if !file.is_empty() => {
                self.finder.show(cx, ui, What::Object, file, *why, tried)
            }
            _ => false,
        };
        if found.rows.is_empty() {
            let text = "Neither run recorded instructions of this function. Select another one.";
            EmptyState::new(Icon::Info, "No instructions to compare", text).show(ui);
            return again;
        }
        let rows = rows(&found);
        if self.shown != Some(function) {
            self.shown = Some(function);
            let size = |row: &Row<'_>| own(*row).delta().unwrap_or(0).unsigned_abs();
            let most = (0..rows.len()).max_by_key(|&i| (size(&rows[i]), std::cmp::Reverse(i)));
            let pairs = matches!(found.pairing, Pairing::Same | Pairing::SameAddresses);
            (self.grid.scroll_to, self.grid.centred) = (most.filter(|_| pairs), true);
        }
        let footer = match found.sum.state() {
            Some(_) if !told.asked.shares_only() => {
                format!("self cost of these instructions: {}", told.change(found.sum))
            }
            _ => String::new(),
        };
        shared::with_footer(ui, &footer, |ui| {
            let columns = columns(pair, told, &found);
            let grid = Grid {
                salt: "instructions of two",
                name: "Instructions of both runs",
                columns: &columns,
                rows: rows.len(),
            };
            let mut body = Body { cx, found: &found, told, rows: &rows, columns: &columns };
            grid.show(ui, &mut self.grid, &mut body);
        });
        again
    }
}

/// How rows pair, if that must be known.
fn notices(cx: &mut ViewCx<'_>, found: &AssemblyDiff) {
    let (tone, short, text) = match found.pairing {
        Pairing::Same => return,
        Pairing::SameAddresses => (
            Tone::Info,
            "By address",
            "The instructions pair by their addresses and lines, which are the same in both runs; the text of one at \
             least is not known.",
        ),
        Pairing::One => {
            (Tone::Info, "One run", "Only one of both runs recorded instructions of this function.")
        }
        Pairing::Different => (
            Tone::Warning,
            "Other code",
            "Both runs ran different machine code of this function, so instructions do not pair: each run's stand by \
             themselves. Source compares the lines.",
        ),
    };
    cx.note(tone, short, text.to_owned());
}

/// A row of the table.
#[derive(Clone, Copy)]
enum Row<'a> {
    /// Above the instructions of one run, and how many they are.
    Heading(bool, usize),
    Of(&'a InstructionPair),
}

fn own(row: Row<'_>) -> Two<i64> {
    match row {
        Row::Heading(..) => Two::default(),
        Row::Of(pair) => pair.own,
    }
}

fn rows(found: &AssemblyDiff) -> Vec<Row<'_>> {
    if matches!(found.pairing, Pairing::Same | Pairing::SameAddresses) {
        return found.rows.iter().map(Row::Of).collect();
    }
    let base = found.rows.iter().take_while(|r| r.address.base.is_some()).count();
    let mut rows = Vec::with_capacity(found.rows.len() + 2);
    for (is_base, of) in [(true, &found.rows[..base]), (false, &found.rows[base..])] {
        if !of.is_empty() {
            rows.push(Row::Heading(is_base, of.len()));
            rows.extend(of.iter().map(Row::Of));
        }
    }
    rows
}

fn heading(base: bool, count: usize) -> String {
    format!("{}: {}", pair::title(base), format::counted(count as i64, "instruction", "instructions"))
}

fn columns<'a>(pair: &Pair, told: &Told<'a>, found: &'a AssemblyDiff) -> Vec<Column<'a, Row<'a>, LineKey>> {
    let at = |row: Row<'a>| match row {
        Row::Heading(..) => Value::Empty,
        Row::Of(pair) => {
            pair.address.head.or(pair.address.base).map_or(Value::Empty, |a| Value::text(address(a)))
        }
    };
    let (base, head) = (pair.base.profile.clone(), pair.head.profile.clone());
    let line = move |row: Row<'a>| {
        let Row::Of(row) = row else { return Value::Empty };
        found.line(row).map_or(Value::Empty, |(is_base, file, line)| {
            let profile = if is_base { &base } else { &head };
            Value::text(format!("{}:{line}", short(profile.text(file))))
        })
    };
    let all: Vec<Two<i64>> = found.rows.iter().map(|r| r.own).collect();
    let mut columns: Vec<Column<'a, Row<'a>, LineKey>> = vec![
        Column::text("address", "Address", at)
            .rank(4)
            .room(9.0)
            .hint("Where the instruction stands in its object file"),
        Column::weak("line", "Line", line).rank(5).room(12.0).hint("Its source line"),
    ];
    columns.extend(costs_of_two(pair, told, "instruction", &all, own));
    columns.push(
        Column::text("code", "Instruction", |row: Row<'a>| match row {
            Row::Heading(base, count) => Value::text(heading(base, count)),
            Row::Of(row) => Value::text(found.text(row)),
        })
        .room(26.0)
        .growing(1.0)
        .look(Look::Text),
    );
    columns
}

struct Body<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    found: &'l AssemblyDiff,
    told: &'a Told<'l>,
    rows: &'a [Row<'l>],
    columns: &'a [Column<'l, Row<'l>, LineKey>],
}

impl<'l> grid::Rows for Body<'_, 'l, '_> {
    type Row = Row<'l>;

    fn row(&self, at: usize) -> Row<'l> {
        self.rows[at]
    }

    fn mark(&self, _: usize) -> Mark {
        Mark::default()
    }

    fn label(&self, at: usize) -> String {
        let row = self.row(at);
        let cell = |key| shared::cell_with_unit(self.columns, key, row);
        match row {
            Row::Heading(base, count) => heading(base, count),
            Row::Of(_) => {
                let (base, head) = (cell("base"), cell("head"));
                format!("{} {}, base {base}, head {head}", cell("address"), cell("code"))
            }
        }
    }

    fn about(&self, at: usize) -> Option<String> {
        let own = own(self.row(at));
        let is_related = self.told.related.to != Normalise::Nothing && own.state().is_some();
        is_related.then(|| format!("Recorded: self {}", self.told.recorded(own)))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let palette = Palette::of(ui);
        match (self.row(at), column) {
            (Row::Of(row), "code") => instruction_cell(ui, self.found.text(row), true, false, palette),
            (Row::Of(row), "address") => {
                let at = row.address.head.or(row.address.base).map_or_else(String::new, address);
                cell_text(ui, &at, &Cell { font: mono(12.0), ..Cell::text(palette) });
            }
            (Row::Heading(base, count), "code") => {
                let cell = Cell { font: strong(13.0), color: palette.text_strong, ..Cell::text(palette) };
                cell_text(ui, &heading(base, count), &cell);
            }
            _ => return false,
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let context = match self.row(at) {
            Row::Of(row) => ContextMenu::new().copies("Copy instruction", self.found.text(row)),
            Row::Heading(..) => ContextMenu::new(),
        };
        context.row().table().show(self.cx, ui, |_, _| ())
    }
}
