//! The source of one function in two runs: what each line cost in base and head, with lines that only one version has.

use egui::{RichText, Ui};

use super::beside;
use super::code::code_cell;
use super::compare_assembly::InstructionsOfTwo;
use super::missing::{Finder, What};
use crate::analysis::assembly::has_instructions;
use crate::analysis::columns::lines::LineKey;
use crate::analysis::diff::functions::Row;
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::diff::source::{DiffSource, FunctionText, LinePair, MissingText, SourceDiff};
use crate::analysis::diff::{State as RowState, Two};
use crate::analysis::source_file::SourceText;
use crate::analysis::syntax::{Language, State};
use crate::format::{self, Column, Form, Look, Value};
use crate::model::{Better, SymbolKey};
use crate::query::Pair;
use crate::ui::theme::{Palette, Tone, mono, strong};
use crate::ui::widgets::{Cell, EmptyState, cell_text, segmented};
use crate::views::shared;
use crate::views::shared::grid::{self, Grid, GridState, Mark};
use crate::views::shared::menu::{ContextMenu, Picked};
use crate::views::shared::pair::{self, Asked, Told, Written};
use crate::views::{View, ViewCx};

/// The view.
#[derive(Default)]
pub struct DiffSourceView {
    /// Whose source is shown; `None` before anything was selected.
    active: Option<SymbolKey>,
    grid: GridState,
    /// What was scrolled to its most changed line already.
    shown: Option<SymbolKey>,
    finder: Finder,
    /// Counts up when the files are to be looked for again.
    attempt: u32,
    /// Instructions are shown instead of lines.
    assembly: bool,
    instructions: InstructionsOfTwo,
}

fn kind_choice(ui: &mut Ui, assembly: &mut bool) {
    let choices = [(false, "Source"), (true, "Assembly")];
    segmented(ui, "Source lines or machine instructions", assembly, &choices);
}

fn name_of(ui: &mut Ui, function: SymbolKey) {
    let name = RichText::new(function.value().name.to_string()).font(strong(14.0));
    ui.add(egui::Label::new(name.color(Palette::of(ui).text_strong)).truncate());
}

impl View for DiffSourceView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        if let Some(symbol) = cx.symbol_elsewhere() {
            self.active = Some(symbol);
        }
        let Some(functions) = cx.ask_pair(&asked.functions, 1).content(ui, "Comparing functions") else {
            return;
        };
        let (related, why) = pair::related_paths(cx, &asked, false, 2);
        let offered = [&pair.base, &pair.head].iter().any(|run| has_instructions(&run.profile));
        let changed_most = || functions.rows.iter().filter_map(Row::symbol).find(|s| !s.file.is_empty());
        let Some(function) = self.active.or_else(changed_most) else {
            let text = "Neither run says in which files its functions are defined, so there are no lines to compare. \
                        Functions shows what they cost.";
            EmptyState::new(crate::ui::icons::Icon::Info, "No function has a file", text).show(ui);
            return;
        };
        let told = Told { asked: &asked, related: &related, whole: functions.whole };
        let text = FunctionText {
            functions: asked.functions.clone(),
            function,
            beside: [beside(cx.base_input), beside(cx.input)],
            rules: cx.sources.to_vec(),
            attempt: self.attempt,
        };
        if offered && self.assembly {
            let controls = |cx: &mut ViewCx<'_>, ui: &mut Ui| {
                kind_choice(ui, &mut self.assembly);
                name_of(ui, function);
                pair::normalise(cx, ui, &asked);
            };
            let again = self.instructions.show(cx, ui, &pair, &told, (text, why.as_deref()), controls);
            self.attempt += u32::from(again);
            return;
        }
        let Some(found) = cx.ask_pair(&DiffSource(text), 0).content(ui, "Comparing lines") else { return };
        shared::header(ui, |ui| {
            if offered {
                kind_choice(ui, &mut self.assembly);
            }
            name_of(ui, function);
            pair::normalise(cx, ui, &asked);
            if let Some(file) = found.files.head.as_ref().or(found.files.base.as_ref()) {
                pair::weak(ui, file);
            }
        });
        pair::notices(cx, ui, &asked, &related, why.as_deref());
        notices(cx, &found);
        if let Some(MissingText { file, why, tried }) = &found.missing
            && !file.is_empty()
        {
            self.attempt += u32::from(self.finder.show(cx, ui, What::Source, file, *why, tried));
        }
        if found.rows.is_empty() {
            pair::weak(ui, "No line of this function has costs of its own in either run.");
            return;
        }
        if self.shown != Some(function) {
            self.shown = Some(function);
            let size = |r: &LinePair| r.own.delta().unwrap_or(0).unsigned_abs();
            let most = (0..found.rows.len()).max_by_key(|&i| size(&found.rows[i]));
            (self.grid.scroll_to, self.grid.centred) = (most, true);
        }
        let text = footer(&found, &told);
        shared::with_footer(ui, &text, |ui| {
            let columns = columns(&pair, &told, &found);
            let grid = Grid {
                salt: "lines of two",
                name: "Lines of both runs",
                columns: &columns,
                rows: found.rows.len(),
            };
            let mut state = std::mem::take(&mut self.grid);
            let mut rows = Rows { cx, found: &found, told, columns: &columns };
            grid.show(ui, &mut state, &mut rows);
            self.grid = state;
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({
            "columns": self.grid.shown,
            "assembly": self.assembly,
            "instruction_columns": self.instructions.grid.shown,
        })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.grid.shown = shared::kept(saved, "columns").unwrap_or_default();
        self.assembly = shared::kept(saved, "assembly").unwrap_or_default();
        self.instructions.grid.shown = shared::kept(saved, "instruction_columns").unwrap_or_default();
    }
}

/// What is to be known about the texts.
fn notices(cx: &mut ViewCx<'_>, found: &SourceDiff) {
    let (short, text) = match (&found.texts.base, &found.texts.head) {
        (None, None) => ("No source", "The source was found for neither run: lines are those with costs."),
        _ if !found.by_line => (
            "Per function",
            "Both runs know costs per function, not per line: they stand at the line where it is defined.",
        ),
        (None, Some(_)) | (Some(_), None) => {
            ("One version", "The text of one version only is known: lines pair by their numbers.")
        }
        _ => return,
    };
    cx.note(Tone::Info, short, text.to_owned());
}

fn footer(found: &SourceDiff, told: &Told<'_>) -> String {
    let count = |state: RowState| found.rows.iter().filter(|r| r.lines.state() == Some(state)).count() as i64;
    let mut text = match found.sum.state() {
        Some(_) if !told.asked.shares_only() => {
            format!("self cost of these lines: {}", told.change(found.sum))
        }
        _ => String::new(),
    };
    if found.changed {
        let lines = |n: i64| format::counted(n, "line", "lines");
        text += &format!(
            " · the text changed: {} new, {} gone around lines with costs",
            lines(count(RowState::New)),
            lines(count(RowState::Gone))
        );
    }
    text
}

/// Lines have one order, that of the file.
type LinePairs<'a> = Column<'a, &'a LinePair, LineKey>;

/// Own costs of rows in both runs and their change, of a `what`; `all` of them decide how they are written.
pub(super) fn costs_of_two<'a, R: Copy + 'a>(
    pair: &Pair,
    told: &Told<'a>,
    what: &str,
    all: &[Two<i64>],
    recorded: fn(R) -> Two<i64>,
) -> Vec<Column<'a, R, LineKey>> {
    let (asked, related) = (told.asked, told.related);
    let shown = || all.iter().map(|&own| related.factors.apply(own));
    let most = |costs: &mut dyn Iterator<Item = f64>| costs.map(f64::abs).fold(0.0, f64::max);
    let largest = most(&mut shown().flat_map(|own| [own.base, own.head]).flatten());
    let written = Written::of(asked, related.to, largest);
    let own = move |r: R| related.factors.apply(recorded(r));
    // What has no costs says nothing about them.
    let cost = |cost: Option<f64>| cost.map_or(Value::Empty, |cost| Value::number(Some(cost)));
    let mut columns: Vec<Column<'a, R, LineKey>> = vec![
        Column::cost("base", written.title("Self base"), written.cost(true), move |r: R| cost(own(r).base))
            .rank(2)
            .room(14.0)
            .hint(format!("Self cost of the {what} in the baseline")),
        Column::cost("head", written.title("Self head"), written.cost(false), move |r: R| cost(own(r).head))
            .rank(1)
            .room(14.0)
            .hint(format!("Self cost of the {what} in the new run")),
    ];
    if written.subtracts() {
        let change = most(&mut shown().filter_map(|own| own.change()));
        columns.push(
            Column::cost("delta", written.title("Δ"), written.change(), move |r: R| cost(own(r).change()))
                .look(Look::Change(change, asked.better(pair)))
                .quiet(move |r: R| pair::is_noise(own(r)))
                .room(14.0)
                .hint("head − base"),
        );
        columns.push(
            Column::number("relative", "Δ %", Form::Growth, move |r: R| match recorded(r).state() {
                None => Value::Empty,
                Some(_) => Value::number(own(r).relative_change()),
            })
            .rank(3)
            .hint(format!("The change as a share of the baseline of the same {what}")),
        );
    }
    columns
}

fn columns<'a>(pair: &Pair, told: &Told<'a>, found: &'a SourceDiff) -> Vec<LinePairs<'a>> {
    let line = |n: Option<u32>| n.map_or(Value::Empty, |n| Value::Number(f64::from(n)));
    let all: Vec<Two<i64>> = found.rows.iter().map(|r| r.own).collect();
    let mut columns: Vec<LinePairs<'a>> = vec![
        Column::number("line base", "Base", Form::Decimals(0), move |r: &LinePair| line(r.lines.base))
            .rank(4)
            .room(6.0)
            .hint("Line in the baseline's version"),
        Column::number("line head", "Line", Form::Decimals(0), move |r: &LinePair| line(r.lines.head))
            .room(6.0)
            .hint("Line in the new run's version"),
    ];
    columns.extend(costs_of_two(pair, told, "line", &all, |r: &LinePair| r.own));
    columns.push(
        Column::text("mark", "", |r: &LinePair| Value::Word(mark_of(found, r)))
            .room(1.0)
            .hint("+: only head has this line. −: only base has it"),
    );
    columns.push(
        Column::text("text", "Source", |r: &LinePair| {
            Value::text(code(found, r).map_or("", |(_, (line, _))| line))
        })
        .room(18.0)
        .growing(1.0),
    );
    columns
}

/// The line's code, in the version of the new run if that has it.
fn code<'a>(found: &'a SourceDiff, row: &LinePair) -> Option<(Language, (&'a str, State))> {
    fn of(text: Option<&SourceText>, line: Option<u32>) -> Option<(Language, (&str, State))> {
        let text = text?;
        Some((text.language, text.line(line?)?))
    }
    let texts = &found.texts;
    of(texts.head.as_ref(), row.lines.head).or_else(|| of(texts.base.as_ref(), row.lines.base))
}

fn mark_of(found: &SourceDiff, row: &LinePair) -> &'static str {
    match row.lines.state() {
        Some(RowState::New) if found.changed => "+",
        Some(RowState::Gone) if found.changed => "−",
        _ => "",
    }
}

struct Rows<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    found: &'l SourceDiff,
    told: Told<'l>,
    columns: &'a [LinePairs<'l>],
}

impl<'l> grid::Rows for Rows<'_, 'l, '_> {
    type Row = &'l LinePair;

    fn row(&self, at: usize) -> &'l LinePair {
        &self.found.rows[at]
    }

    fn mark(&self, _: usize) -> Mark {
        Mark::default()
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        let (line, text) = (cell("line head"), cell("text"));
        format!("line {line}, base {}, head {}, {}", cell("base"), cell("head"), text.trim())
    }

    fn about(&self, at: usize) -> Option<String> {
        let own = self.row(at).own;
        let is_related = self.told.related.to != Normalise::Nothing && own.state().is_some();
        is_related.then(|| format!("Recorded: self {}", self.told.recorded(own)))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let palette = Palette::of(ui);
        let row = self.row(at);
        match column {
            "text" => code_cell(ui, code(self.found, row), palette),
            "line base" | "line head" => {
                let line = if column == "line base" { row.lines.base } else { row.lines.head };
                let text = line.map_or_else(String::new, |line| line.to_string());
                let cell = Cell { font: mono(12.0), color: palette.text_weak, ..Cell::number(palette) };
                cell_text(ui, &text, &cell);
            }
            "mark" => {
                let mark = mark_of(self.found, row);
                let color =
                    palette.as_text(palette.diff(if mark == "+" { 1.0 } else { -1.0 }, Better::Lower));
                cell_text(ui, mark, &Cell { font: mono(12.0), color, ..Cell::text(palette) });
            }
            _ => return false,
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, _: usize) -> Option<Picked> {
        ContextMenu::new().row().table().show(self.cx, ui, |_, _| ())
    }
}
