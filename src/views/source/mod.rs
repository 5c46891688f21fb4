//! The source of the selected function with what each line cost.
//!
//! Costs are a query of their own ([`Lines`]), so they are there when the file is not; then lines stand
//! without text, and the view says where it looked and how to help. Files are read in the background.

mod columns;
mod missing;
#[cfg(test)]
mod tests;

use egui::{Button, Key, Modifiers, RichText, Ui};

use self::columns::{Formats, columns};
use super::shared::copy::{self, Form};
use super::shared::grid::{Column, Grid, GridState, Mark, Rows, walk};
use super::shared::{self, Follow, Stale};
use crate::analysis::Functions;
use crate::analysis::source_file::{SourceAnswer, SourceFile, SourceText};
use crate::analysis::source_lines::{FileLines, Grain, LineRow, LineTable, Lines};
use crate::format;
use crate::model::{FunctionId, StringId, Strings};
use crate::state::Command;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, strong};
use crate::ui::widgets::{EmptyState, Notice, icon_button, segmented};
use crate::views::{View, ViewCx, ViewKind};

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "source",
    title: "Source",
    about: "The source of the selected function with the cost of each line, where the profile knows lines.",
    needs: shared::needs_calls,
    make: || Box::new(SourceView::default()),
};

/// Whose lines have costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// The selected function.
    #[default]
    Function,
    /// All functions in the file.
    File,
}

/// The view.
#[derive(Default)]
pub struct SourceView {
    part: Part,
    /// Whose source is shown; `None` before anything was selected.
    active: Option<FunctionId>,
    follow: Follow,
    /// The file that was chosen among those of the function.
    file: Option<StringId>,
    /// The marked line.
    line: Option<u32>,
    /// What was scrolled to its heaviest line already.
    shown: Option<(FunctionId, StringId, Part, bool)>,
    attempt: u32,
    grid: GridState,
    stale: Stale,
    finder: missing::Finder,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    part: Part,
    columns: std::collections::BTreeMap<String, bool>,
}

impl View for SourceView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.follow_selection(cx);
        let Some(function) = self.active.or_else(|| most_expensive(cx, ui)) else { return };
        let now = cx.interaction;
        let query = Lines {
            scope: now.scope.clone(),
            metric: now.metric,
            range: now.range,
            function,
            whole_file: None,
        };
        let own = cx.ask(&query, 0);
        let Some(own_lines) = shared::value(ui, &own, "Adding up lines") else { return };
        let file = self.file_of(cx, function, &own_lines);
        let (answer, table) = match self.part {
            Part::Function => (own, own_lines.clone()),
            Part::File => {
                let answer = cx.ask(&Lines { whole_file: Some(file), ..query }, 1);
                let Some(table) = shared::value(ui, &answer, "Adding up lines") else { return };
                (answer, table)
            }
        };
        let rules = cx.interaction.sources.clone();
        let beside = cx.input.and_then(|i| i.path()).and_then(|p| p.parent()).map(|folder| {
            if folder.as_os_str().is_empty() { std::path::PathBuf::from(".") } else { folder.to_owned() }
        });
        let named = cx.profile().text(file).to_owned();
        let text = cx.ask(&SourceFile { file: named.clone(), beside, rules, attempt: self.attempt }, 0);
        let Some(text) = shared::value(ui, &text, "Reading the source") else { return };
        let lines = table.files.iter().find(|f| f.file == file);
        self.header(cx, ui, function, file, &own_lines, (lines, &text));
        shared::crumbs::show(cx, ui);
        grain_notice(cx, ui, function, &table);
        if let SourceAnswer::Missing { why, tried } = &*text {
            let again = self.finder.show(cx, ui, &named, *why, tried);
            self.attempt += u32::from(again);
        }
        self.stale.dim(&answer, cx.live, ui);
        let footer = footer(cx, &table, lines);
        shared::with_footer(
            ui,
            |ui| self.table(cx, ui, function, file, &table, lines, &text),
            |ui| {
                ui.add(egui::Label::new(RichText::new(footer).color(Palette::of(ui).text_weak)).truncate());
            },
        );
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(Saved { part: self.part, columns: self.grid.shown.clone() }).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.part, self.grid.shown) = (saved.part, saved.columns);
        }
    }
}

/// What is shown before anything is selected.
fn most_expensive(cx: &ViewCx<'_>, ui: &mut Ui) -> Option<FunctionId> {
    let now = cx.interaction;
    let query = Functions { scope: now.scope.clone(), metric: now.metric, range: now.range };
    let table = shared::value(ui, &cx.ask(&query, 0), "Adding up functions")?;
    let has_file = |f: FunctionId| {
        crate::analysis::source_file::no_file(cx.profile().text(cx.profile().functions.get(f).file)).is_none()
    };
    let rows = table.rows.iter().map(|r| r.function);
    let found = rows.clone().find(|&f| has_file(f)).or_else(|| rows.clone().next());
    if found.is_none() {
        EmptyState::new(Icon::Info, "No calls", "Nothing ran in the part that is looked at.").show(ui);
    }
    found
}

/// Says when costs are known per function only.
fn grain_notice(cx: &ViewCx<'_>, ui: &mut Ui, function: FunctionId, table: &LineTable) {
    if table.grain == Grain::Lines {
        return;
    }
    let format = crate::import::importer(&cx.profile().meta.format).map_or("This profile", |i| i.title());
    let place = if cx.profile().functions.get(function).line > 0 {
        "they stand at the line where each function is defined"
    } else {
        "and it does not say at which line a function is defined"
    };
    let text = format!(
        "{format} knows costs per function, not per line: {place}. For costs per line record with callgrind, or with a \
         sampling profiler that keeps lines (pyinstrument, py-spy)."
    );
    Notice::new(Tone::Info, &text).show(ui);
}

/// «Lines of this file: 140 804 of 140 852 (Instructions)».
fn footer(cx: &ViewCx<'_>, table: &LineTable, lines: Option<&FileLines>) -> String {
    let unit = shared::unit(cx.profile(), cx.interaction);
    let what = shared::metric_name(cx.profile(), cx.interaction);
    let shown = lines.map_or(0, |l| l.own);
    let mut text = format!(
        "self {what} of the lines in this file: {} of {} in all",
        format::cost(unit, shown),
        format::cost(unit, table.sum)
    );
    if table.unplaced != 0 {
        text += &format!("; {} without a known line", format::cost(unit, table.unplaced));
    }
    text
}

impl SourceView {
    fn follow_selection(&mut self, cx: &ViewCx<'_>) {
        if self.follow.news(cx)
            && let Some(function) = self.follow.item().and_then(|item| item.function(cx.profile()))
            && self.active != Some(function)
        {
            (self.active, self.file, self.line) = (Some(function), None, None);
        }
    }

    /// The file that is shown: the chosen one, or that with most cost.
    fn file_of(&self, cx: &ViewCx<'_>, function: FunctionId, table: &LineTable) -> StringId {
        let own = cx.profile().functions.get(function).file;
        let known = |file: &StringId| table.files.iter().any(|f| f.file == *file);
        self.file.filter(known).unwrap_or_else(|| {
            let heaviest = table.files.iter().max_by_key(|f| (f.own, f.file == own)).map(|f| f.file);
            if own == Strings::EMPTY || !known(&own) { heaviest.unwrap_or(own) } else { own }
        })
    }

    fn header(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        function: FunctionId,
        file: StringId,
        own: &LineTable,
        (lines, text): (Option<&FileLines>, &SourceAnswer),
    ) {
        let palette = Palette::of(ui);
        ui.horizontal(|ui| {
            let choices = [(Part::Function, "Function"), (Part::File, "Whole file")];
            segmented(ui, "Whose lines have costs", &mut self.part, &choices);
            let tip = "Go to the line with most self cost. Keys: H, then N for the next lighter and P for the next heavier";
            if ui.button("Heaviest line").on_hover_text(tip).clicked() {
                self.go_to(heaviest_line(lines));
            }
            if own.files.len() > 1 {
                self.file_choice(cx, ui, file, own);
            }
            let name = cx.profile().function_name(function);
            ui.add(
                egui::Label::new(RichText::new(name).font(strong(14.0)).color(palette.text_strong))
                    .truncate(),
            );
        });
        let named = cx.profile().text(file).to_owned();
        let (shown, tip) = match text {
            SourceAnswer::Found(found) => {
                let path = found.path.display().to_string();
                (path, format!("In the profile: {named}"))
            }
            SourceAnswer::Missing { .. } => (named.clone(), String::new()),
        };
        let hint = if self.active.is_none() {
            "Select a function in any view. Shown is the one with most self cost. "
        } else {
            ""
        };
        if !(hint.is_empty() && shown.is_empty()) {
            ui.horizontal(|ui| {
                if matches!(text, SourceAnswer::Found(_)) {
                    if icon_button(ui, Icon::Open, "Choose another file for this source").clicked() {
                        cx.out.wishes.push(crate::views::Wish::LocateSource(named));
                    }
                    if ui.add(Button::new("Reload").small()).on_hover_text("Read the file again").clicked() {
                        self.attempt += 1;
                    }
                }
                let label = RichText::new(format!("{hint}{shown}")).color(palette.text_weak);
                let response = ui.add(egui::Label::new(label).truncate());
                if !tip.is_empty() {
                    response.on_hover_text(tip);
                }
            });
        }
    }

    fn file_choice(&mut self, cx: &ViewCx<'_>, ui: &mut Ui, file: StringId, own: &LineTable) {
        let short = |id: StringId| {
            let text = cx.profile().text(id);
            text.rsplit(['/', '\\']).next().unwrap_or(text).to_owned()
        };
        let combo = egui::ComboBox::from_id_salt("file").selected_text(short(file)).show_ui(ui, |ui| {
            for lines in &own.files {
                let share = match own.own {
                    0 => String::new(),
                    sum => format!("  {} of its self cost", format::percent(lines.own as f64 / sum as f64)),
                };
                let label = format!("{}{share}", short(lines.file));
                let item = ui.selectable_label(lines.file == file, label);
                if item.on_hover_text(cx.profile().text(lines.file)).clicked() {
                    (self.file, self.line) = (Some(lines.file), None);
                }
            }
        });
        combo.response.on_hover_text("Files with code of this function: code of others is inlined into it");
    }

    fn go_to(&mut self, line: Option<u32>) {
        if line.is_some() {
            self.line = line;
            self.shown = None;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what one table shows")]
    fn table(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        function: FunctionId,
        file: StringId,
        table: &LineTable,
        lines: Option<&FileLines>,
        text: &SourceAnswer,
    ) {
        let source = match text {
            SourceAnswer::Found(source) => Some(source),
            SourceAnswer::Missing { .. } => None,
        };
        let rows = source.map_or_else(|| lines.map_or(0, |l| l.rows.len()), SourceText::len);
        if rows == 0 {
            return;
        }
        let costs = lines.map_or(&[][..], |l| &l.rows);
        let formats = Formats::new(cx, table, costs);
        let columns = columns(cx, table, source.is_some(), &formats);
        let palette = Palette::of(ui);
        let mut body =
            Body { source, costs, formats: &formats, columns: &columns, palette, marked: self.line, rows };
        let now = (function, file, self.part, source.is_some());
        if self.shown != Some(now) {
            self.shown = Some(now);
            let own_line = cx.profile().functions.get(function).line;
            let line = self.line.or_else(|| heaviest_line(lines)).or((own_line > 0).then_some(own_line));
            self.line = line;
            body.marked = line;
            self.grid.scroll_to = line.and_then(|line| body.row_of(line));
        }
        let grid = Grid { salt: "source", name: "Source", columns: &columns, rows };
        let mut state = std::mem::take(&mut self.grid);
        let happened = grid.show(ui, &mut state, &mut body);
        self.grid = state;
        if let Some(row) = happened.clicked {
            self.line = Some(body.line(row));
        }
        if happened.focused {
            let current = self.line.and_then(|line| body.row_of(line));
            if let Some(row) = walk(ui, current, rows, happened.page) {
                self.line = Some(body.line(row));
                self.grid.scroll_to = Some(row);
            }
            self.keys(ui, costs, &body);
        }
    }

    /// H: the heaviest line. N and P: the next lighter and the next heavier one.
    fn keys(&mut self, ui: &Ui, costs: &[LineRow], body: &Body<'_>) {
        let pressed = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        let mut heavy: Vec<&LineRow> = costs.iter().filter(|r| weight(r) != (0, 0)).collect();
        heavy.sort_by_key(|r| std::cmp::Reverse((weight(r), std::cmp::Reverse(r.line))));
        let at = self.line.and_then(|line| heavy.iter().position(|r| r.line == line));
        let to = if pressed(Key::H) {
            Some(0)
        } else if pressed(Key::N) {
            Some(at.map_or(0, |i| (i + 1).min(heavy.len().saturating_sub(1))))
        } else if pressed(Key::P) {
            Some(at.map_or(0, |i| i.saturating_sub(1)))
        } else {
            None
        };
        if let Some(row) = to.and_then(|i| heavy.get(i)) {
            self.line = Some(row.line);
            self.grid.scroll_to = body.row_of(row.line);
        }
    }
}

fn weight(row: &LineRow) -> (i64, i64) {
    (row.own, row.total.unwrap_or(0))
}

fn heaviest_line(lines: Option<&FileLines>) -> Option<u32> {
    let rows = lines?.rows.iter();
    rows.max_by_key(|r| (weight(r), std::cmp::Reverse(r.line))).map(|r| r.line)
}

struct Body<'a> {
    source: Option<&'a SourceText>,
    costs: &'a [LineRow],
    formats: &'a Formats,
    columns: &'a [Column],
    palette: &'static Palette,
    marked: Option<u32>,
    rows: usize,
}

impl Body<'_> {
    /// The line of a row: each one of the file, or those with costs when there is no file.
    fn line(&self, row: usize) -> u32 {
        if self.source.is_some() { row as u32 + 1 } else { self.costs.get(row).map_or(0, |r| r.line) }
    }

    fn row_of(&self, line: u32) -> Option<usize> {
        let row = if self.source.is_some() {
            line.checked_sub(1)? as usize
        } else {
            self.costs.binary_search_by_key(&line, |r| r.line).ok()?
        };
        (row < self.rows).then_some(row)
    }

    fn cost(&self, row: usize) -> Option<&LineRow> {
        let line = self.line(row);
        self.costs.binary_search_by_key(&line, |r| r.line).ok().map(|i| &self.costs[i])
    }

    fn code(&self, row: usize) -> &str {
        self.source.and_then(|s| s.line(self.line(row))).map_or("", |l| l.0)
    }

    fn copied(&self, form: Form, rows: std::ops::Range<usize>) -> String {
        let values: Vec<_> = rows
            .map(|row| {
                let cell =
                    |c: &Column| self.formats.value(self.line(row), self.cost(row), self.code(row), c.key);
                self.columns.iter().map(cell).collect()
            })
            .collect();
        copy::table(form, &copy::headings(self.columns, self.formats.unit, &["self", "total"]), &values)
    }
}

impl Rows for Body<'_> {
    fn mark(&self, row: usize) -> Mark {
        Mark { selected: self.marked == Some(self.line(row)), lit: false }
    }

    fn label(&self, row: usize) -> String {
        let cost = self
            .cost(row)
            .map_or_else(String::new, |r| format!(", self {}", self.formats.own.text(Some(r.own))));
        format!("Line {}{cost}: {}", self.line(row), self.code(row).trim())
    }

    fn cell(&mut self, ui: &mut Ui, row: usize, column: &'static str) {
        let code = self.source.and_then(|s| Some((s.language, s.line(self.line(row))?)));
        self.formats.paint(ui, self.line(row), self.cost(row), code, column, self.palette);
    }

    fn menu(&mut self, ui: &mut Ui, row: usize) {
        ui.set_min_width(200.0);
        let mut choice = |title: &str, text: &dyn Fn() -> String| {
            if ui.button(title).clicked() {
                ui.ctx().copy_text(text());
                ui.close();
            }
        };
        choice("Copy line", &|| self.code(row).to_owned());
        if let Some(source) = self.source {
            choice("Copy place", &|| format!("{}:{}", source.path.display(), self.line(row)));
        }
        for (form, title) in Form::ALL {
            choice(title, &|| self.copied(form, 0..self.rows));
        }
    }
}

/// Sends new rules when they differ.
fn set_rules(cx: &mut ViewCx<'_>, rules: Vec<crate::analysis::source_file::SourceRule>) {
    if rules != cx.interaction.sources {
        cx.send(Command::SetSources(rules));
    }
}
