//! The source of one function in two runs: what each line cost in base and head, with lines that only one version has.

use egui::{RichText, Ui};

use super::columns::code_cell;
use crate::analysis::diff::State as RowState;
use crate::analysis::diff::functions::Row;
use crate::analysis::diff::source::{DiffSource, LinePair, SourceDiff};
use crate::analysis::source_file::SourceText;
use crate::analysis::syntax::{Language, State};
use crate::format::{self, UNKNOWN};
use crate::import::Input;
use crate::model::{Better, SymbolKey, Unit};
use crate::ui::theme::{Palette, Tone, mono, strong};
use crate::ui::widgets::{Cell, Notice, cell_text, delta_bar};
use crate::views::shared::copy::{self, Form, Value};
use crate::views::shared::grid::{self, Column, Grid, GridState, Mark};
use crate::views::shared::menu::{ContextMenu, Picked};
use crate::views::shared::pair::{self, Asked, Written};
use crate::views::shared::{self, Follow, Stale};
use crate::views::{View, ViewCx};

/// The view.
#[derive(Default)]
pub struct DiffSourceView {
    /// Whose source is shown; `None` before anything was selected.
    active: Option<SymbolKey>,
    follow: Follow,
    grid: GridState,
    stale: Stale,
    /// What was scrolled to its most changed line already.
    shown: Option<SymbolKey>,
}

impl View for DiffSourceView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        if let Some(symbol) = self.follow.new_symbol(cx) {
            self.active = Some(symbol);
        }
        let Some(functions) = cx.ask_pair(&asked.functions, 1) else { return };
        let Some(functions) = shared::value(ui, &functions, "Comparing functions") else { return };
        let changed_most = || functions.rows.iter().filter_map(Row::symbol).find(|s| !s.file.is_empty());
        let Some(function) = self.active.or_else(changed_most) else {
            shared::nothing(cx, ui, crate::ui::icons::Icon::Info);
            return;
        };
        let folder = |input: Option<&Input>| {
            let folder = input.and_then(Input::path).and_then(std::path::Path::parent)?;
            Some(if folder.as_os_str().is_empty() {
                std::path::PathBuf::from(".")
            } else {
                folder.to_owned()
            })
        };
        let query = DiffSource {
            functions: asked.functions.clone(),
            function,
            beside: [folder(cx.base_input), folder(cx.input)],
            rules: cx.sources.to_vec(),
        };
        let Some(answer) = cx.ask_pair(&query, 0) else { return };
        let Some(found) = shared::value(ui, &answer, "Comparing lines") else { return };
        shared::header(ui, |ui| {
            let name = RichText::new(function.value().name.to_string())
                .font(strong(14.0))
                .color(Palette::of(ui).text_strong);
            ui.add(egui::Label::new(name).truncate());
            if let Some(file) = found.files.head.as_ref().or(found.files.base.as_ref()) {
                pair::weak(ui, file);
            }
        });
        shared::crumbs::show(cx, ui);
        notices(ui, &found);
        self.stale.dim(&answer, cx.live, ui);
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
        let text = footer(&found, asked.unit(false), asked.shares_only());
        shared::with_footer(
            ui,
            |ui| {
                let columns = columns(&asked, &found);
                let grid = Grid {
                    salt: "lines of two",
                    name: "Lines of both runs",
                    columns: &columns,
                    rows: found.rows.len(),
                };
                let mut state = std::mem::take(&mut self.grid);
                let mut rows = Rows {
                    cx,
                    asked: &asked,
                    found: &found,
                    columns: &columns,
                    palette: Palette::of(ui),
                    better: asked.better(&pair),
                    written: Written::of(&asked, most(&found) as f64),
                    most_changed: found
                        .rows
                        .iter()
                        .filter_map(|r| r.own.delta())
                        .map(i64::unsigned_abs)
                        .max(),
                };
                grid.show(ui, &mut state, &mut rows);
                self.grid = state;
            },
            |ui| pair::weak(ui, &text),
        );
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "columns": self.grid.shown })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        let columns = saved.get("columns").cloned().unwrap_or_default();
        self.grid.shown = serde_json::from_value(columns).unwrap_or_default();
    }
}

/// What is to be known about the texts.
fn notices(ui: &mut Ui, found: &SourceDiff) {
    let text = match (&found.texts.base, &found.texts.head) {
        (None, None) => {
            "The source was found for neither run: lines are those with costs. Open the Source view of one run to say where it is."
        }
        _ if !found.by_line => {
            "Both runs know costs per function, not per line: they stand at the line where it is defined."
        }
        (None, Some(_)) | (Some(_), None) => {
            "The text of one version only is known: lines pair by their numbers."
        }
        _ => return,
    };
    Notice::new(Tone::Info, text).show(ui);
}

fn footer(found: &SourceDiff, unit: Unit, shares_only: bool) -> String {
    let count = |state: RowState| found.rows.iter().filter(|r| r.lines.state() == Some(state)).count() as i64;
    let mut text = match (found.sum.delta(), shares_only) {
        (Some(delta), false) => format!("self cost of these lines: {}", format::signed_cost(unit, delta)),
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

fn most(found: &SourceDiff) -> i64 {
    let of = |r: &LinePair| r.own.base.unwrap_or(0).abs().max(r.own.head.unwrap_or(0).abs());
    found.rows.iter().map(of).max().unwrap_or(0)
}

fn columns(asked: &Asked, found: &SourceDiff) -> Vec<Column> {
    let suffix = Written::of(asked, most(found) as f64).suffix();
    let mut columns = vec![
        Column::number("line base", "Base", 52.0).rank(4).tip("Line in the baseline's version"),
        Column::number("line head", "Line", 52.0).tip("Line in the new run's version"),
        Column::number("base", format!("Self base{suffix}"), 112.0).rank(2),
        Column::number("head", format!("Self head{suffix}"), 112.0).rank(1),
    ];
    if !asked.shares_only() {
        columns.push(Column::number("delta", format!("Δ{suffix}"), 112.0).tip("head − base"));
        columns.push(Column::number("relative", "Δ %", 80.0).rank(3));
    }
    columns.push(Column::text("mark", "", 20.0).tip("+: only head has this line. −: only base has it"));
    columns.push(Column::text("text", "Source", 140.0).grow(1.0));
    columns
}

struct Rows<'a, 'b> {
    cx: &'a mut ViewCx<'b>,
    asked: &'a Asked,
    found: &'a SourceDiff,
    columns: &'a [Column],
    palette: &'static Palette,
    better: Better,
    /// How costs are written, and the largest change: found once for all cells.
    written: Written,
    most_changed: Option<u64>,
}

impl Rows<'_, '_> {
    /// The line's code, in the version of the new run if that has it.
    fn code(&self, row: &LinePair) -> Option<(Language, (&str, State))> {
        fn of(text: Option<&SourceText>, line: Option<u32>) -> Option<(Language, (&str, State))> {
            let text = text?;
            Some((text.language, text.line(line?)?))
        }
        let texts = &self.found.texts;
        of(texts.head.as_ref(), row.lines.head).or_else(|| of(texts.base.as_ref(), row.lines.base))
    }

    fn value(&self, row: &LinePair, column: &str) -> Value {
        let written = &self.written;
        let text = |v: Option<i64>, base| v.map_or_else(String::new, |v| written.cost(Some(v as f64), base));
        let cost = |v: Option<i64>, base| Value::number(text(v, base), v);
        let line = |n: Option<u32>| Value::number(n.map_or_else(String::new, |n| n.to_string()), n);
        match column {
            "line base" => line(row.lines.base),
            "line head" => line(row.lines.head),
            "base" => cost(row.own.base, true),
            "head" => cost(row.own.head, false),
            "delta" => {
                let delta = row.own.delta();
                Value::number(delta.map_or_else(String::new, |d| written.change(Some(d as f64))), delta)
            }
            "relative" => {
                let state = row.own.state();
                let text = state.map_or_else(String::new, |_| match row.own.relative() {
                    Some(relative) => format::percent_change(relative),
                    None => UNKNOWN.to_owned(),
                });
                Value::number(text, row.own.relative().map(|r| r * 100.0))
            }
            "mark" => Value::text(self.mark_of(row)),
            _ => Value::text(self.code(row).map_or("", |(_, (line, _))| line)),
        }
    }

    fn mark_of(&self, row: &LinePair) -> &'static str {
        match row.lines.state() {
            Some(RowState::New) if self.found.changed => "+",
            Some(RowState::Gone) if self.found.changed => "−",
            _ => "",
        }
    }

    fn copied(&self, form: Form, rows: &[LinePair]) -> String {
        let asked = self.asked;
        let headings = copy::headings_of(self.columns, |key| match key {
            "base" => Some(asked.unit(true)),
            "head" | "delta" => Some(asked.unit(false)),
            _ => None,
        });
        let values: Vec<Vec<Value>> =
            rows.iter().map(|r| self.columns.iter().map(|c| self.value(r, c.key)).collect()).collect();
        copy::table(form, &headings, &values)
    }
}

impl grid::Rows for Rows<'_, '_> {
    fn mark(&self, _: usize) -> Mark {
        Mark::default()
    }

    fn label(&self, row: usize) -> String {
        let value = |key| self.value(&self.found.rows[row], key).text;
        format!(
            "line {}, base {}, head {}, {}",
            value("line head"),
            value("base"),
            value("head"),
            value("text").trim()
        )
    }

    fn cell(&mut self, ui: &mut Ui, row: usize, column: &'static str) {
        let palette = self.palette;
        let r = &self.found.rows[row];
        let number = Cell::number(palette);
        match column {
            "text" => code_cell(ui, self.code(r), palette),
            "line base" | "line head" => {
                let text = self.value(r, column).text;
                cell_text(ui, &text, &Cell { font: mono(12.0), color: palette.text_weak, ..number });
            }
            "delta" => {
                let text = self.value(r, column).text;
                let largest = self.most_changed.unwrap_or(1);
                let share = r.own.delta().filter(|&d| d != 0).map(|d| d as f64 / largest.max(1) as f64);
                delta_bar(ui, share, self.better, &text, &number);
            }
            "mark" => {
                let color = palette.diff(if self.mark_of(r) == "+" { 1.0 } else { -1.0 }, Better::Lower);
                cell_text(ui, self.mark_of(r), &Cell { font: mono(12.0), color, ..Cell::text(palette) });
            }
            _ => {
                let text = self.value(r, column).text;
                cell_text(ui, &text, &number);
            }
        }
    }

    fn menu(&mut self, ui: &mut Ui, row: usize) {
        let picked = ContextMenu::new().row().table().show(self.cx, ui, |_, _| ());
        match picked {
            Some(Picked::Row) => ui.ctx().copy_text(self.copied(Form::Text, &self.found.rows[row..=row])),
            Some(Picked::Table(form)) => ui.ctx().copy_text(self.copied(form, &self.found.rows)),
            None => {}
        }
    }
}
