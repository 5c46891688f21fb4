//! The rows of an assembly listing.

use std::sync::Arc;

use egui::{Rect, Sense, Ui, UiBuilder, pos2};

use super::arcs::Arcs;
use super::body::callee_cell;
use super::code::{BELOW, INDENT, code_cell, instruction_cell};
use crate::analysis::assembly::AssemblyTable;
use crate::analysis::assembly::listing::{Entry, Listing, Mark};
use crate::analysis::assembly::text::CodeText;
use crate::analysis::columns::instructions::{
    InstructionColumn, InstructionOf, address, gap_said, jump_said, short,
};
use crate::analysis::source_file::{SourceAnswer, SourceText};
use crate::format;
use crate::model::{FunctionId, Profile, StringId};
use crate::ui::theme::{Palette, mono};
use crate::ui::widgets::{Cell, cell_text};
use crate::views::ViewCx;
use crate::views::shared;
use crate::views::shared::grid::{self, Rows};
use crate::views::shared::menu::{self, About, ContextMenu, Picked};

/// Source files of a function, as far as they were looked for.
pub(super) type Sources = Vec<(StringId, Arc<SourceAnswer>)>;

/// What the listing is made of.
#[derive(Clone, Copy)]
pub(super) struct Listed<'l> {
    pub(super) profile: &'l Profile,
    pub(super) table: &'l AssemblyTable,
    pub(super) text: Option<&'l CodeText>,
    pub(super) listing: &'l Listing,
    /// Source files.
    pub(super) sources: &'l Sources,
    /// The file of the function.
    pub(super) file: StringId,
}

impl<'l> Listed<'l> {
    fn source(&self, file: StringId) -> Option<&'l SourceText> {
        self.sources.iter().find(|s| s.0 == file).and_then(|s| s.1.text())
    }

    /// The name of a file where it is not that of the function.
    fn other_file(&self, file: StringId) -> &'l str {
        if file == self.file { "" } else { self.profile.text(file) }
    }

    pub(super) fn of(&self, row: usize) -> InstructionOf<'l> {
        let text = |address| self.text.map_or("", |t| t.at(address));
        match self.listing.entries.get(row).copied().unwrap_or(Entry::Gap(None)) {
            Entry::Source { file, line } => {
                let code = self.source(file).and_then(|s| s.line(line)).map_or("", |l| l.0);
                InstructionOf::Source(self.other_file(file), line, code)
            }
            Entry::Ran(i) => {
                let of = &self.table.rows[i];
                let jumps = self.table.jumps_of(of.address);
                InstructionOf::Ran(of, text(of.address), jumps, self.other_file(of.file))
            }
            Entry::Idle(i) => {
                let text = self.text.map_or((0, ""), |t| (t.lines()[i].address, t.text(i)));
                InstructionOf::Idle(text.0, text.1)
            }
            Entry::Call(i) => {
                let call = &self.table.calls[i];
                InstructionOf::Call(call, self.profile.function_name(call.callee))
            }
            Entry::Gap(bytes) => InstructionOf::Gap(bytes),
        }
    }
}

pub(super) struct Body<'a, 'l, 'b> {
    pub(super) cx: &'a mut ViewCx<'b>,
    pub(super) of: Listed<'l>,
    pub(super) arcs: &'a Arcs,
    pub(super) columns: &'a [InstructionColumn<'l>],
    /// Source lines stand above their instructions.
    pub(super) sources: bool,
    pub(super) marked: Option<Mark>,
    /// The jump that was pointed at in the last frame, by its place in the table.
    pub(super) lit: Option<usize>,
    /// The instruction that was pointed at then.
    pub(super) hovered: Option<u64>,
    /// The jump that is pointed at.
    pub(super) pointed: Option<usize>,
    /// The row that was gone to.
    pub(super) goes_to: Option<usize>,
    /// A called function that was chosen in the menu.
    pub(super) chosen: Option<FunctionId>,
}

impl Body<'_, '_, '_> {
    fn mark_of(&self, row: usize) -> Option<Mark> {
        self.of.listing.mark(row, self.of.table)
    }

    /// The row where a jump leads.
    fn target(&self, jump: usize) -> Option<usize> {
        let to = self.of.table.jumps.get(jump)?.to;
        self.of.listing.row(self.of.table.place(to)?)
    }

    /// The most followed jump of an instruction that leads to a row, by its place in the table.
    pub(super) fn jump_of(&self, row: usize) -> Option<usize> {
        let Entry::Ran(i) = *self.of.listing.entries.get(row)? else { return None };
        let (jumps, from) = (&self.of.table.jumps, self.of.table.rows[i].address);
        let first = jumps.partition_point(|j| j.from < from);
        let own = jumps.iter().enumerate().skip(first).take_while(|(_, j)| j.from == from);
        own.filter(|(_, j)| j.inside).max_by_key(|(_, j)| j.followed).map(|(at, _)| at)
    }

    /// The row where the jump of a row leads.
    pub(super) fn jumps_to(&self, row: usize) -> Option<usize> {
        self.target(self.jump_of(row)?)
    }

    fn arrows(&mut self, ui: &mut Ui, at: usize) {
        let cell = ui.available_rect_before_wrap();
        let pointer = ui.input(|i| i.pointer.hover_pos()).filter(|p| cell.contains(*p));
        let below = pointer.and_then(|pointer| self.arcs.pointed(at, cell, pointer)).copied();
        // Where no line is, the click is for the row.
        let sense = if below.is_some() { Sense::click() } else { Sense::hover() };
        let response = ui.allocate_rect(cell, sense);
        let marked = self.marked.filter(|m| m.callee.is_none()).map(|m| m.address);
        let (table, lit, hovered) = (self.of.table, self.lit, self.hovered);
        let is_lit = |jump: usize| match lit {
            Some(lit) => lit == jump,
            None => {
                let jump = &table.jumps[jump];
                let touches = |address: Option<u64>| address.is_some_and(|a| jump.from == a || jump.to == a);
                touches(hovered) || (hovered.is_none() && touches(marked))
            }
        };
        self.arcs.paint(ui.painter(), at, cell, table, Palette::of(ui), &is_lit);
        let Some(arc) = below else { return };
        let jump = &table.jumps[arc.jump];
        self.pointed = Some(arc.jump);
        let said = format!("{} {}. Click to follow.", address(jump.from), jump_said(jump));
        if response.on_hover_text_at_pointer(said).clicked() {
            self.goes_to = Some(Arcs::other_end(&arc, at));
        }
    }
}

impl<'l> Rows for Body<'_, 'l, '_> {
    type Row = InstructionOf<'l>;

    fn row(&self, at: usize) -> InstructionOf<'l> {
        self.of.of(at)
    }

    fn mark(&self, at: usize) -> grid::Mark {
        let own = matches!(self.of.listing.entries[at], Entry::Ran(_) | Entry::Call(_));
        grid::Mark { selected: own && self.marked.is_some() && self.marked == self.mark_of(at), lit: false }
    }

    fn label(&self, at: usize) -> String {
        let row = self.row(at);
        let cell = |key| shared::cell_with_unit(self.columns, key, row);
        match row {
            InstructionOf::Source(file, line, text) => {
                let file = if file.is_empty() { String::new() } else { format!("{} ", short(file)) };
                format!("{file}line {line}: {}", text.trim())
            }
            InstructionOf::Ran(of, text, jumps, _) => {
                let jumps: String = jumps.iter().map(|j| format!(", {}", jump_said(j))).collect();
                let text = if text.is_empty() { String::new() } else { format!(" {text}") };
                format!("{}{text}, self {}{jumps}", address(of.address), cell("self"))
            }
            InstructionOf::Idle(of, text) => format!("{} {text}, did not run", address(of)),
            InstructionOf::Call(call, callee) => format!(
                "{} calls {callee}: {}, total {}",
                address(call.address),
                cell("count"),
                cell("total")
            ),
            InstructionOf::Gap(bytes) => gap_said(bytes),
        }
    }

    fn about(&self, at: usize) -> Option<String> {
        let InstructionOf::Ran(of, _, jumps, _) = self.row(at) else { return None };
        if jumps.is_empty() || self.lit.is_some() {
            return None;
        }
        let jumps: Vec<_> = jumps.iter().map(jump_said).collect();
        Some(format!("{} {}", address(of.address), jumps.join("\n")))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let palette = Palette::of(ui);
        let (row, below) = (self.row(at), self.sources);
        match (row, column) {
            (_, "jumps") => self.arrows(ui, at),
            (InstructionOf::Source(file, line, text), "code") => {
                let entry = self.of.listing.entries[at];
                let Entry::Source { file: of, .. } = entry else { return false };
                let source = self.of.source(of).and_then(|s| Some((s.language, s.line(line)?)));
                // Without its text a number alone would say little.
                let file = if source.is_none() { self.of.profile.text(of) } else { file };
                let name = if file.is_empty() { String::new() } else { format!("{}:", short(file)) };
                source_cell(ui, &format!("{name}{line}"), source, text, palette);
            }
            (InstructionOf::Ran(of, ..), "address") => {
                cell_text(ui, &address(of.address), &Cell { font: mono(12.0), ..Cell::text(palette) });
            }
            (InstructionOf::Idle(of, _), "address") => {
                let weak = Cell { font: mono(12.0), color: palette.text_weak, ..Cell::text(palette) };
                cell_text(ui, &address(of), &weak);
            }
            (InstructionOf::Ran(_, "", ..), "code") => {
                instruction_cell(ui, format::UNKNOWN, false, below, palette);
            }
            (InstructionOf::Ran(_, text, ..), "code") => instruction_cell(ui, text, true, below, palette),
            (InstructionOf::Idle(_, text), "code") => instruction_cell(ui, text, false, below, palette),
            (InstructionOf::Call(call, callee), "code") => {
                let indent = if below { BELOW - INDENT } else { 0.0 };
                callee_cell(ui, callee, call.recursive, indent, palette);
            }
            (InstructionOf::Gap(bytes), "code") => {
                let weak = Cell { color: palette.text_weak, ..Cell::text(palette) };
                cell_text(ui, &gap_said(bytes), &weak);
            }
            (InstructionOf::Call(..), _) => {
                let text = self.columns.iter().find(|c| c.key == column).map(|c| c.cell(row));
                let weak = Cell { color: palette.text_weak, ..Cell::number(palette) };
                cell_text(ui, &text.unwrap_or_default(), &weak);
            }
            _ => return false,
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let row = self.row(at);
        let context = match row {
            InstructionOf::Call(call, _) => {
                ContextMenu::about(About { function: call.callee, path: None }).without_keys()
            }
            InstructionOf::Ran(of, text, ..) => {
                let context = ContextMenu::new().title(address(of.address));
                let context =
                    if text.is_empty() { context } else { context.copies("Copy instruction", text) };
                context.copies("Copy address", address(of.address))
            }
            InstructionOf::Idle(of, text) => ContextMenu::new()
                .title(address(of))
                .copies("Copy instruction", text)
                .copies("Copy address", address(of)),
            InstructionOf::Source(_, line, text) => {
                ContextMenu::new().title(format!("Line {line}")).copies("Copy line", text.trim_end())
            }
            InstructionOf::Gap(_) => ContextMenu::new(),
        };
        let target = self.jumps_to(at);
        let (goes_to, chosen) = (&mut self.goes_to, &mut self.chosen);
        context.row().table().show(self.cx, ui, |_, ui| {
            if let InstructionOf::Call(call, _) = row
                && menu::entry(ui, "Go to the called function", "Enter", "")
            {
                *chosen = Some(call.callee);
            }
            if target.is_some() && menu::entry(ui, "Follow the jump", "Enter", "") {
                *goes_to = target;
            }
        })
    }
}

/// A source line above its instructions: its number, then its text in its colours.
fn source_cell(
    ui: &mut Ui,
    number: &str,
    source: Option<(crate::analysis::syntax::Language, (&str, crate::analysis::syntax::State))>,
    text: &str,
    palette: &Palette,
) {
    let rect = ui.available_rect_before_wrap();
    let weak = Cell { font: mono(12.0), color: palette.text_weak, ..Cell::text(palette) };
    // Most numbers are no longer than this, so that the texts stand below one another.
    let number = format!("{number:<4}");
    let width = ui.painter().layout_no_wrap(number.clone(), weak.font.clone(), weak.color).size().x;
    let split = (rect.left() + 8.0 + width).min(rect.right());
    let left = Rect::from_min_max(rect.min, pos2((split + 8.0).min(rect.right()), rect.bottom()));
    ui.scope_builder(UiBuilder::new().max_rect(left), |ui| {
        cell_text(ui, number.trim_end(), &weak);
    });
    if text.is_empty() {
        return;
    }
    let right = Rect::from_min_max(pos2(split, rect.top()), rect.max);
    ui.scope_builder(UiBuilder::new().max_rect(right), |ui| code_cell(ui, source, palette));
}
