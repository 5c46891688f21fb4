//! The source of the selected function with what each line cost, and its machine instructions where the file has them
//! (`assembly`).
//!
//! Costs are a query of their own ([`Lines`]), so they are there when the file is not; then lines stand
//! without text, and the view says where it looked and how to help. Files are read in the background.

mod arcs;
mod assembly;
mod body;
mod code;
mod compare;
mod compare_assembly;
mod instructions;
mod missing;
#[cfg(test)]
mod tests;

use egui::{Button, Key, Modifiers, RichText, Ui};

use self::assembly::{AssemblyPane, Shape};
use self::body::Body;
use self::missing::What;
use super::shared;
use super::shared::grid::{Grid, GridState, walk};
use crate::analysis::Functions;
use crate::analysis::assembly::has_instructions;
use crate::analysis::columns::lines::lines as columns_of;
use crate::analysis::functions::graph_of;
use crate::analysis::source_file::{SourceAnswer, SourceFile};
use crate::analysis::source_lines::{FileLines, Grain, LineRow, LineTable, Lines};
use crate::format;
use crate::model::{FunctionId, NameKey, StringId, Strings, SymbolKey};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, strong};
use crate::ui::widgets::{combo, icon_button, pill, segmented};
use crate::views::{Comparing, View, ViewCx, ViewKind, Wish};

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "source",
    title: "Source",
    about: "The source of the selected function with the cost of each line, where the profile knows lines, and its machine \
            instructions with their jumps, where it has addresses.",
    needs: shared::needs_calls,
    make: || Box::new(SourceView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffSourceView::default())),
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

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Source lines.
    #[default]
    Source,
    /// Machine instructions.
    Assembly,
    /// Machine instructions below their source lines.
    Both,
}

/// The view.
#[derive(Default)]
pub struct SourceView {
    mode: Mode,
    part: Part,
    /// Whose source is shown; `None` before anything was selected.
    active: Option<SymbolKey>,
    /// The file that was chosen among those of the function.
    file: Option<NameKey>,
    /// The marked line, and the callee where a call from it is marked.
    line: Option<(u32, Option<SymbolKey>)>,
    /// Calls are not shown below their lines.
    without_calls: bool,
    /// What was scrolled to its heaviest line already.
    shown: Option<(SymbolKey, NameKey, Part, bool)>,
    attempt: u32,
    grid: GridState,
    finder: missing::Finder,
    assembly: AssemblyPane,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    #[serde(default)]
    mode: Mode,
    part: Part,
    #[serde(default)]
    without_calls: bool,
    columns: std::collections::BTreeMap<String, bool>,
    #[serde(default)]
    instruction_columns: std::collections::BTreeMap<String, bool>,
}

impl View for SourceView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.follow_selection(cx);
        let active = self.active.and_then(|key| cx.profile().keys().function(key));
        let Some(function) = active.or_else(|| most_expensive(cx, ui)) else { return };
        self.whole_run(cx);
        if self.mode != Mode::Source && offers_instructions(cx) {
            return self.instructions(cx, ui, function);
        }
        let symbol = cx.profile().keys().symbol(function);
        let query = Lines { slice: cx.slice(), function: symbol, whole_file: None };
        let Some(own_lines) = cx.ask(&query, 0).content(ui, "Adding up lines") else { return };
        let file = self.file_of(cx, function, &own_lines);
        let table = match self.part {
            Part::Function => own_lines.clone(),
            Part::File => {
                let whole_file = Some(NameKey::from(cx.profile().text(file)));
                let Some(table) = cx.ask(&Lines { whole_file, ..query }, 1).content(ui, "Adding up lines")
                else {
                    return;
                };
                table
            }
        };
        let rules = cx.sources.to_vec();
        let beside = beside(cx.input);
        let named = cx.profile().text(file).to_owned();
        let Some(text) = cx
            .ask(&SourceFile { file: named.clone(), beside, rules, attempt: self.attempt }, 0)
            .content(ui, "Reading the source")
        else {
            return;
        };
        let lines = table.files.iter().find(|f| f.file == file);
        self.header(cx, ui, function, file, &own_lines, (lines, &text));
        grain_notice(cx, function, &table);
        if let SourceAnswer::Missing { why, tried } = &*text {
            let again = self.finder.show(cx, ui, What::Source, &named, *why, tried);
            self.attempt += u32::from(again);
        }
        let footer = footer(cx, &table, lines);
        shared::with_footer(ui, &footer, |ui| self.table(cx, ui, function, file, &table, lines, &text));
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(Saved {
            mode: self.mode,
            part: self.part,
            without_calls: self.without_calls,
            columns: self.grid.shown.clone(),
            instruction_columns: self.assembly.grid.shown.clone(),
        })
        .unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.mode, self.part, self.without_calls) = (saved.mode, saved.part, saved.without_calls);
            (self.grid.shown, self.assembly.grid.shown) = (saved.columns, saved.instruction_columns);
        }
    }
}

/// The folder of a profile.
fn beside(input: Option<&crate::import::Input>) -> Option<std::path::PathBuf> {
    let folder = input?.path()?.parent()?;
    Some(if folder.as_os_str().is_empty() { std::path::PathBuf::from(".") } else { folder.to_owned() })
}

/// True where instructions are shown, or may be asked for: callgrind can record them.
fn offers_instructions(cx: &ViewCx<'_>) -> bool {
    has_instructions(cx.profile()) || cx.profile().meta.tool.starts_with("callgrind")
}

fn name_of(cx: &ViewCx<'_>, ui: &mut Ui, function: FunctionId) {
    let name = RichText::new(cx.profile().function_name(function)).font(strong(14.0));
    ui.add(egui::Label::new(name.color(Palette::of(ui).text_strong)).truncate());
}

/// What is shown before anything is selected.
fn most_expensive(cx: &ViewCx<'_>, ui: &mut Ui) -> Option<FunctionId> {
    let table = cx.ask(&Functions(cx.slice()), 0).content(ui, "Adding up functions")?;
    let has_file = |f: FunctionId| {
        crate::analysis::source_file::no_file(cx.profile().text(cx.profile().functions.get(f).file)).is_none()
    };
    let rows = table.rows.iter().map(|r| r.function);
    let found = rows.clone().find(|&f| has_file(f)).or_else(|| rows.clone().next());
    if found.is_none() {
        shared::nothing(cx, ui, Icon::Info);
    }
    found
}

/// Says when costs are known per function only.
fn grain_notice(cx: &mut ViewCx<'_>, function: FunctionId, table: &LineTable) {
    if table.grain == Grain::Lines {
        return;
    }
    let format = crate::import::importer(&cx.profile().meta.format).map_or("This profile", |i| i.title);
    let place = if cx.profile().functions.get(function).line > 0 {
        "they stand at the line where each function is defined"
    } else {
        "and it does not say at which line a function is defined"
    };
    let text = format!(
        "{format} knows costs per function, not per line: {place}. For costs per line record with callgrind, or with a \
         sampling profiler that keeps lines (pyinstrument, py-spy)."
    );
    cx.note(Tone::Info, "Per function", text);
}

/// «Lines of this file: 140 804 of 140 852 (Instructions)».
fn footer(cx: &ViewCx<'_>, table: &LineTable, lines: Option<&FileLines>) -> String {
    let unit = shared::unit(cx.profile(), cx.interaction);
    let what = shared::metric_name(cx.profile(), cx.interaction);
    let shown = lines.map_or(0, |l| l.own);
    let mut text = format!(
        "self {what} of the lines in this file: {} of {} in all",
        format::cost(unit, shown),
        format::cost(unit, table.whole.own)
    );
    if table.unplaced != 0 {
        text += &format!("; {} without a known line", format::cost(unit, table.unplaced));
    }
    text
}

impl SourceView {
    fn follow_selection(&mut self, cx: &mut ViewCx<'_>) {
        if let Some(symbol) = cx.symbol_elsewhere()
            && self.active != Some(symbol)
        {
            (self.active, self.file, self.line) = (Some(symbol), None, None);
            self.assembly.mark = None;
        }
    }

    /// Says that a recorded call graph has lines and instructions of the whole run only.
    fn whole_run(&self, cx: &mut ViewCx<'_>) {
        let scope = &cx.interaction.scope;
        let has_lines = graph_of(cx.profile()).is_some_and(|graph| graph.lines.metrics() > 0);
        if has_lines && !scope.transforms.is_empty() {
            let text = "Costs of lines and instructions are those of the whole run: this file has no call paths that \
                        could be left out of them.";
            cx.note(Tone::Info, "Whole run", text.to_owned());
        }
    }

    /// Why this function is shown, if nobody has selected it.
    fn hint(&self) -> &'static str {
        match self.active {
            None => "Select a function in any view. Shown is the one with most self cost. ",
            Some(_) => "",
        }
    }

    fn mode_choice(&mut self, cx: &ViewCx<'_>, ui: &mut Ui) {
        if offers_instructions(cx) {
            let choices = [(Mode::Source, "Source"), (Mode::Assembly, "Assembly"), (Mode::Both, "Both")];
            segmented(ui, "Source lines, machine instructions, or both", &mut self.mode, &choices);
        }
    }

    fn calls_choice(&mut self, ui: &mut Ui, tip: &str) {
        if ui.selectable_label(!self.without_calls, "Calls").on_hover_text(tip).clicked() {
            (self.without_calls, self.shown) = (!self.without_calls, None);
        }
    }

    fn instructions(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, function: FunctionId) {
        let asked = self.assembly.ask(cx, ui, function);
        shared::header(ui, |ui| {
            self.mode_choice(cx, ui);
            if let Some(asked) = asked.as_ref().filter(|asked| !asked.table.rows.is_empty()) {
                self.assembly.heaviest(ui, &asked.table);
                if !asked.table.calls.is_empty() {
                    self.calls_choice(ui, "Show below each instruction which functions it calls");
                }
            }
            name_of(cx, ui, function);
        });
        if let Some(asked) = asked {
            let shape = Shape { sources: self.mode == Mode::Both, calls: !self.without_calls };
            self.assembly.show(cx, ui, function, &asked, (shape, self.hint()));
        }
    }

    /// The file that is shown: the chosen one, or that with most cost.
    fn file_of(&self, cx: &ViewCx<'_>, function: FunctionId, table: &LineTable) -> StringId {
        let own = cx.profile().functions.get(function).file;
        let known = |file: &StringId| table.files.iter().any(|f| f.file == *file);
        let chosen = self.file.and_then(|file| cx.profile().strings.find(&file));
        chosen.filter(known).unwrap_or_else(|| {
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
        shared::header(ui, |ui| {
            self.mode_choice(cx, ui);
            let choices = [(Part::Function, "Function"), (Part::File, "Whole file")];
            segmented(ui, "Whose lines have costs", &mut self.part, &choices);
            let tip = "Go to the line with most self cost. Keys: H, then N for the next lighter and P for the next heavier";
            if ui.button("Heaviest line").on_hover_text(tip).clicked() {
                self.go_to(heaviest_line(lines));
            }
            if own.has_calls {
                self.calls_choice(ui, "Show below each line which functions it calls");
            }
            if own.files.len() > 1 {
                self.file_choice(cx, ui, file, own);
            }
            name_of(cx, ui, function);
        });
        let named = cx.profile().text(file).to_owned();
        let (shown, tip) = match text {
            SourceAnswer::Found(found) => {
                let path = found.path.display().to_string();
                let tip = if found.carried {
                    "The text is the one that was kept when the session was saved; the file was not looked for"
                        .to_owned()
                } else {
                    format!("In the profile: {named}")
                };
                (path, tip)
            }
            SourceAnswer::Missing { .. } => (named.clone(), String::new()),
        };
        let hint = self.hint();
        if !(hint.is_empty() && shown.is_empty()) {
            ui.horizontal(|ui| {
                let found = match text {
                    SourceAnswer::Found(found) => Some(found),
                    SourceAnswer::Missing { .. } => None,
                };
                if found.is_some_and(|f| f.carried) {
                    pill(ui, Tone::Neutral, "Kept in this session");
                } else if found.is_some() {
                    if icon_button(ui, Icon::Open, "Choose another file for this source").clicked() {
                        cx.out.wishes.push(Wish::LocateSource(named));
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
        let field = combo("file").selected_text(short(file)).show_ui(ui, |ui| {
            for lines in &own.files {
                let share = format::share(lines.own, own.own).map_or_else(String::new, |share| {
                    format!("  {} of its self cost", format::percent(share))
                });
                let label = format!("{}{share}", short(lines.file));
                let item = ui.selectable_label(lines.file == file, label);
                if item.on_hover_text(cx.profile().text(lines.file)).clicked() {
                    (self.file, self.line) = (Some(NameKey::from(cx.profile().text(lines.file))), None);
                }
            }
        });
        field.response.on_hover_text("Files with code of this function: code of others is inlined into it");
    }

    fn go_to(&mut self, line: Option<u32>) {
        if line.is_some() {
            self.line = line.map(|line| (line, None));
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
        let costs = lines.map_or(&[][..], |l| &l.rows);
        let calls = lines.filter(|_| !self.without_calls).map_or(&[][..], |l| &l.calls);
        let last = source.map(|_| "Source").or((!calls.is_empty()).then_some("Called function"));
        let profile = cx.subject.profile();
        let shown = cx.shown();
        let columns = columns_of(table, lines, last, &shown);
        let mut body = Body::new(cx, profile, source, (costs, calls), &columns);
        let rows = body.rows;
        if rows == 0 {
            return;
        }
        let file = NameKey::from(profile.text(file));
        let now = (profile.keys().symbol(function), file, self.part, source.is_some());
        if self.shown != Some(now) {
            self.shown = Some(now);
            let own_line = profile.functions.get(function).line;
            let start = || heaviest_line(lines).or((own_line > 0).then_some(own_line));
            self.line = self.line.or_else(|| start().map(|line| (line, None)));
            self.grid.scroll_to = self.line.and_then(|line| body.row_of(line));
            self.grid.centred = true;
        }
        body.marked = self.line;
        let grid = Grid { salt: "source", name: "Source", columns: &columns, rows };
        let mut state = std::mem::take(&mut self.grid);
        let happened = grid.show(ui, &mut state, &mut body);
        self.grid = state;
        let callee = |row: Option<usize>| body.mark_of(row?).1;
        let (hovered, entered) = (callee(happened.hovered), callee(happened.double_clicked));
        if let Some(callee) = hovered {
            body.cx.out.hover = Some(Item::Function(callee));
        }
        let chosen = body.chosen.map(|f| profile.keys().symbol(f));
        if let Some(callee) = entered.or(chosen) {
            body.cx.send(Command::Select(Some(Item::Function(callee))));
        }
        if let Some(row) = happened.clicked {
            self.line = Some(body.mark_of(row));
        }
        if happened.focused {
            let current = self.line.and_then(|line| body.row_of(line));
            if let Some(row) = walk(ui, current, rows, happened.page) {
                self.line = Some(body.mark_of(row));
                self.grid.scroll_to = Some(row);
            }
            self.keys(ui, costs, &mut body);
        }
    }

    /// H: the heaviest line. N and P: the next lighter and the next heavier one. Enter: the called function.
    fn keys(&mut self, ui: &Ui, costs: &[LineRow], body: &mut Body<'_, '_, '_>) {
        let pressed = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        let mut heavy: Vec<&LineRow> = costs.iter().filter(|r| weight(r) != (0, 0)).collect();
        heavy.sort_by_key(|r| std::cmp::Reverse((weight(r), std::cmp::Reverse(r.line))));
        let at = self.line.and_then(|(line, _)| heavy.iter().position(|r| r.line == line));
        if let Some((_, Some(callee))) = self.line
            && pressed(Key::Enter)
        {
            body.cx.send(Command::Select(Some(Item::Function(callee))));
        }
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
            self.line = Some((row.line, None));
            self.grid.scroll_to = body.row_of((row.line, None));
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

/// Sends new rules when they differ.
fn set_rules(cx: &mut ViewCx<'_>, rules: Vec<crate::analysis::source_file::SourceRule>) {
    if rules != cx.sources {
        cx.out.wishes.push(Wish::SetSources(rules));
    }
}
