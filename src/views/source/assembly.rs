//! The machine instructions of the selected function, alone or below their source lines, with jumps as arrows.
//!
//! Costs, addresses and jumps are in the file; the text comes from the object file, where it is at hand ([`MachineCode`]).

use std::sync::Arc;

use egui::{Button, Key, Modifiers, RichText, Ui};

use super::arcs::Arcs;
use super::instructions::{Body, Listed, Sources};
use super::missing::{Finder, What};
use crate::analysis::assembly::code::{CodeAnswer, MachineCode};
use crate::analysis::assembly::listing::{Entry, Listing, Mark};
use crate::analysis::assembly::text::CodeText;
use crate::analysis::assembly::{Assembly, AssemblyTable, InstructionRow};
use crate::analysis::columns::instructions::{Beside, instructions as columns_of};
use crate::analysis::source_file::{SourceAnswer, SourceFile};
use crate::format;
use crate::model::{FunctionId, StringId, Strings, SymbolKey};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{EmptyState, icon_button};
use crate::views::shared;
use crate::views::shared::grid::{Grid, GridState, walk};
use crate::views::{ViewCx, Wish};

/// Most source files of one function whose lines are shown: its own, and those of inlined code that cost most.
const MOST_SOURCES: usize = 12;

/// How to record what is shown here.
pub(super) const RECORD: &str =
    "callgrind records them: valgrind --tool=callgrind --dump-instr=yes --collect-jumps=yes PROGRAM";

/// What is kept from frame to frame.
#[derive(Default)]
pub(super) struct AssemblyPane {
    /// The marked instruction, and the callee where a call from it is marked.
    pub(super) mark: Option<(u64, Option<SymbolKey>)>,
    /// What was scrolled to its heaviest instruction already.
    shown: Option<(SymbolKey, bool, bool, bool)>,
    /// The jump that is pointed at, by its place in the table.
    pointed: Option<usize>,
    /// The instruction that is pointed at.
    hovered: Option<u64>,
    attempt: u32,
    pub(super) grid: GridState,
    finder: Finder,
    source_finder: Finder,
    made: Option<Arc<Made>>,
}

/// Rows and arrows, and what they are made of: a function may have many instructions, and each frame needs them.
struct Made {
    table: Arc<AssemblyTable>,
    code: Arc<CodeAnswer>,
    shape: Shape,
    listing: Listing,
    arcs: Arcs,
}

/// How it is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Source lines stand above their instructions.
    pub(super) sources: bool,
    /// Calls stand below their instruction.
    pub(super) calls: bool,
}

/// What the profile knows, and the text of it.
pub(super) struct Asked {
    pub(super) table: Arc<AssemblyTable>,
    pub(super) code: Arc<CodeAnswer>,
    object: String,
}

impl AssemblyPane {
    /// Asks for what is shown; `None` after saying what is waited for, or why there is nothing.
    pub(super) fn ask(&self, cx: &ViewCx<'_>, ui: &mut Ui, function: FunctionId) -> Option<Asked> {
        let symbol = cx.profile().keys().symbol(function);
        let query = Assembly { metric: cx.metric(), function: symbol };
        let table = cx.ask(&query, 0).content(ui, "Adding up instructions")?;
        let object = cx.profile().text(table.object).to_owned();
        let query = MachineCode { function: symbol, file: self.place(cx, &object) };
        let code = cx.ask(&query, 0).content(ui, "Reading the object file")?;
        Some(Asked { table, code, object })
    }

    fn place(&self, cx: &ViewCx<'_>, file: &str) -> SourceFile {
        SourceFile {
            file: file.to_owned(),
            beside: super::beside(cx.input),
            rules: cx.sources.to_vec(),
            attempt: self.attempt,
        }
    }

    /// The button that goes to the heaviest instruction.
    pub(super) fn heaviest(&mut self, ui: &mut Ui, table: &AssemblyTable) {
        let tip = "Go to the instruction with most self cost. Keys: H, then N for the next lighter and P for the next heavier";
        if ui.button("Heaviest instruction").on_hover_text(tip).clicked() {
            self.mark = heaviest(table).map(|address| (address, None));
            self.shown = None;
        }
    }

    /// Everything below the controls. `hint` says why this function is shown, if nobody has selected it.
    pub(super) fn show(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        function: FunctionId,
        asked: &Asked,
        (shape, hint): (Shape, &str),
    ) {
        let table = &*asked.table;
        if table.rows.is_empty() {
            let name = cx.profile().function_name(function);
            let (title, text) = match table.recorded {
                false => ("This file has no instructions".to_owned(), RECORD.to_owned()),
                true => (
                    "No instruction of this function was recorded".to_owned(),
                    format!("{name} has no costs of its own in this file. Select another function."),
                ),
            };
            EmptyState::new(Icon::Info, &title, &text).show(ui);
            return;
        }
        if !table.has_jumps {
            let text = "No jumps were recorded. valgrind records them with --collect-jumps=yes.";
            cx.note(Tone::Info, "No jumps", text.to_owned());
        }
        self.object_line(cx, ui, asked, hint);
        let sources = if shape.sources { self.sources(cx, table, function) } else { Vec::new() };
        if asked.code.text().is_some() {
            self.source_line(cx, ui, function, &sources);
        }
        let footer = footer(cx, table);
        shared::with_footer(ui, &footer, |ui| self.listing(cx, ui, function, asked, shape, &sources));
    }

    /// Where the text is from, or why there is none.
    fn object_line(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, asked: &Asked, hint: &str) {
        match &*asked.code {
            CodeAnswer::Missing { why, tried } => {
                let again = self.finder.show(cx, ui, What::Object, &asked.object, *why, tried);
                self.attempt += u32::from(again);
            }
            CodeAnswer::Found(text) => {
                ui.horizontal(|ui| {
                    if icon_button(ui, Icon::Open, "Choose another object file").clicked() {
                        cx.out.wishes.push(Wish::LocateSource(asked.object.clone()));
                    }
                    if ui.add(Button::new("Reload").small()).on_hover_text("Read the file again").clicked() {
                        self.attempt += 1;
                    }
                    let path = text.path.display();
                    let label = RichText::new(format!("{hint}{path}")).color(Palette::of(ui).text_weak);
                    let tip = format!("In the profile: {}. {}", asked.object, agreement(text));
                    ui.add(egui::Label::new(label).truncate()).on_hover_text(tip);
                });
            }
        }
    }

    /// Why the source of the function is not there. What helps is mostly the same as for its object file, so this stands only
    /// where that was found.
    fn source_line(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, function: FunctionId, sources: &Sources) {
        let own = cx.profile().functions.get(function).file;
        let Some((_, answer)) = sources.iter().find(|s| s.0 == own) else { return };
        if let SourceAnswer::Missing { why, tried } = &**answer {
            let file = cx.profile().text(own).to_owned();
            let again = self.source_finder.show(cx, ui, What::Source, &file, *why, tried);
            self.attempt += u32::from(again);
        }
    }

    /// The texts of the function's source files that are found; the others come when they are read.
    fn sources(&self, cx: &ViewCx<'_>, table: &AssemblyTable, function: FunctionId) -> Sources {
        let own = cx.profile().functions.get(function).file;
        let mut files: Vec<(StringId, i64)> = Vec::new();
        for row in &table.rows {
            match files.iter_mut().find(|f| f.0 == row.file) {
                Some(file) => file.1 = file.1.saturating_add(row.own),
                None => files.push((row.file, row.own)),
            }
        }
        files.sort_by_key(|&(file, cost)| (file != own, std::cmp::Reverse(cost)));
        let files = files.into_iter().filter(|f| f.0 != Strings::EMPTY).take(MOST_SOURCES);
        let texts = files.enumerate().filter_map(|(i, (file, _))| {
            let query = self.place(cx, cx.profile().text(file));
            Some((file, cx.ask(&query, 100 + i as u64).exact().later("Reading the source")?))
        });
        texts.collect()
    }

    fn made(&mut self, asked: &Asked, shape: Shape) -> Arc<Made> {
        let same = |made: &&Arc<Made>| {
            Arc::ptr_eq(&made.table, &asked.table)
                && Arc::ptr_eq(&made.code, &asked.code)
                && made.shape == shape
        };
        if let Some(made) = self.made.as_ref().filter(same) {
            return made.clone();
        }
        let (table, code) = (asked.table.clone(), asked.code.clone());
        let listing = Listing::new(&table, code.text(), shape.calls, shape.sources);
        let arcs = Arcs::new(&table, &listing);
        let made = Arc::new(Made { table, code, shape, listing, arcs });
        self.made = Some(made.clone());
        made
    }

    fn listing(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        function: FunctionId,
        asked: &Asked,
        shape: Shape,
        sources: &Sources,
    ) {
        let (table, text) = (&*asked.table, asked.code.text());
        let profile = cx.subject.profile();
        let made = self.made(asked, shape);
        let (listing, arcs) = (&made.listing, &made.arcs);
        let beside = Beside { jumps: arcs.room(), sources: shape.sources };
        let columns = columns_of(table, &cx.shown(), beside);
        let symbol = |f: FunctionId| profile.keys().symbol(f);
        let now = (symbol(function), text.is_some(), shape.sources, shape.calls);
        if self.shown != Some(now) {
            self.shown = Some(now);
            (self.pointed, self.hovered) = (None, None);
            self.mark = self.mark.filter(|m| table.place(m.0).is_some());
            self.mark = self.mark.or_else(|| heaviest(table).map(|address| (address, None)));
            let marked = self.mark.map(|(address, _)| Mark { address, callee: None });
            self.grid.scroll_to = marked.and_then(|mark| listing.row_of(mark, table));
            self.grid.centred = true;
        }
        let marked = self.mark.map(|(address, callee)| Mark {
            address,
            callee: callee.and_then(|callee| profile.keys().function(callee)),
        });
        let file = profile.functions.get(function).file;
        let of = Listed { profile, table, text, listing, sources, file };
        let mut body = Body {
            cx,
            of,
            arcs,
            columns: &columns,
            sources: shape.sources,
            marked,
            lit: self.pointed,
            hovered: self.hovered,
            pointed: None,
            goes_to: None,
            chosen: None,
        };
        let rows = listing.entries.len();
        let grid = Grid { salt: "assembly", name: "Assembly", columns: &columns, rows };
        let happened = grid.show(ui, &mut self.grid, &mut body);
        let mark = |row: usize| listing.mark(row, table);
        let ran = |row: usize| matches!(listing.entries.get(row), Some(Entry::Ran(_)));
        let callee = |row: Option<usize>| mark(row?)?.callee.map(symbol);
        (self.pointed, self.hovered) =
            (body.pointed, happened.hovered.filter(|&row| ran(row)).and_then(mark).map(|m| m.address));
        if let Some(callee) = callee(happened.hovered) {
            body.cx.out.hover = Some(Item::Function(callee));
        }
        let entered = callee(happened.double_clicked).or(body.chosen.map(symbol));
        if let Some(callee) = entered {
            body.cx.send(Command::Select(Some(Item::Function(callee))));
        }
        let keep = |mark: Mark| (mark.address, mark.callee.map(symbol));
        if let Some(at) = happened.clicked.and_then(mark) {
            self.mark = Some(keep(at));
        }
        let mut to = body.goes_to.or_else(|| body.jumps_to(happened.double_clicked?));
        if happened.focused {
            let current = marked.and_then(|mark| listing.row_of(mark, table));
            to = to.or_else(|| self.key(ui, table, listing, current, &mut body));
            to = to.or_else(|| step(listing, current, walk(ui, current, rows, happened.page)));
        }
        if let Some(row) = to {
            self.mark = mark(row).map(keep);
            self.grid.scroll_to = Some(row);
        }
    }

    /// H: the heaviest instruction. N and P: the next lighter and the next heavier one. Enter: the called function, or where
    /// the jump leads. The row to go to.
    fn key(
        &self,
        ui: &Ui,
        table: &AssemblyTable,
        listing: &Listing,
        current: Option<usize>,
        body: &mut Body<'_, '_, '_>,
    ) -> Option<usize> {
        let pressed = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        if pressed(Key::Enter) {
            if let Some((_, Some(callee))) = self.mark {
                body.cx.send(Command::Select(Some(Item::Function(callee))));
                return None;
            }
            return body.jumps_to(current?);
        }
        let mut heavy: Vec<usize> =
            (0..table.rows.len()).filter(|&i| weight(&table.rows[i]) != (0, 0)).collect();
        heavy.sort_by_key(|&i| std::cmp::Reverse((weight(&table.rows[i]), std::cmp::Reverse(i))));
        let address = self.mark.map(|m| m.0);
        let at = heavy.iter().position(|&i| Some(table.rows[i].address) == address);
        let to = if pressed(Key::H) {
            0
        } else if pressed(Key::N) {
            at.map_or(0, |i| (i + 1).min(heavy.len().saturating_sub(1)))
        } else if pressed(Key::P) {
            at.map_or(0, |i| i.saturating_sub(1))
        } else {
            return None;
        };
        listing.row(*heavy.get(to)?)
    }
}

/// From the marked row to where the keys lead, over rows that cannot be marked.
fn step(listing: &Listing, current: Option<usize>, to: Option<usize>) -> Option<usize> {
    let to = to?;
    let can = |row: &usize| matches!(listing.entries.get(*row), Some(Entry::Ran(_) | Entry::Call(_)));
    let down = current.is_none_or(|current| to > current);
    let (mut below, mut above) = (to..listing.entries.len(), (0..=to).rev());
    if down {
        below.find(can).or_else(|| above.find(can))
    } else {
        above.find(can).or_else(|| below.find(can))
    }
}

fn weight(row: &InstructionRow) -> (i64, i64) {
    (row.own, row.total.unwrap_or(0))
}

fn heaviest(table: &AssemblyTable) -> Option<u64> {
    let rows = table.rows.iter();
    rows.max_by_key(|r| (weight(r), std::cmp::Reverse(r.address))).map(|r| r.address)
}

/// How sure it is that the object file is the one that ran.
pub(super) fn agreement(text: &CodeText) -> String {
    match text.checked {
        0 => "Nothing that was recorded says whether it is the build that ran.".into(),
        checked => format!(
            "{} of {} recorded steps between its instructions fit, so it is the build that ran.",
            format::count(text.agreed as i64),
            format::count(checked as i64)
        ),
    }
}

fn footer(cx: &ViewCx<'_>, table: &AssemblyTable) -> String {
    let unit = shared::unit(cx.profile(), cx.interaction);
    let what = shared::metric_name(cx.profile(), cx.interaction);
    let placed = table.own.saturating_sub(table.unplaced);
    let mut text = format!(
        "self {what} of these {}: {} of {} in all",
        format::counted(table.rows.len() as i64, "instruction", "instructions"),
        format::cost(unit, placed),
        format::cost(unit, table.whole.own)
    );
    if table.unplaced != 0 {
        text += &format!("; {} without a known address", format::cost(unit, table.unplaced));
    }
    text
}
