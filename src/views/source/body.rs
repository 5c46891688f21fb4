//! The rows of the source table: each line of the file, or those with costs when there is no file, and below a
//! line the calls that it makes.

use std::ops::Range;

use egui::Ui;

use super::columns::Formats;
use crate::analysis::source_file::SourceText;
use crate::analysis::source_lines::{LineCall, LineRow};
use crate::model::{FunctionId, Profile, SymbolKey};
use crate::ui::theme::Palette;
use crate::views::ViewCx;
use crate::views::shared::copy::{self, Form};
use crate::views::shared::grid::{Column, Mark, Rows};
use crate::views::shared::menu::{self, About, ContextMenu, Picked};

/// What a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// A line.
    Line(u32),
    /// A call from the line above.
    Call(&'a LineCall),
}

impl Entry<'_> {
    fn line(self) -> u32 {
        match self {
            Self::Line(line) => line,
            Self::Call(call) => call.line,
        }
    }

    /// What marks the row: its line, and who is called.
    fn mark(self, profile: &Profile) -> (u32, Option<SymbolKey>) {
        match self {
            Self::Line(line) => (line, None),
            Self::Call(call) => (call.line, Some(profile.keys().symbol(call.callee))),
        }
    }
}

pub(super) struct Body<'a, 'b> {
    pub(super) cx: &'a mut ViewCx<'b>,
    profile: &'a Profile,
    source: Option<&'a SourceText>,
    costs: &'a [LineRow],
    /// Ascending lines; empty when calls are not shown.
    calls: &'a [LineCall],
    /// The row of each call.
    call_rows: Vec<usize>,
    formats: &'a Formats,
    columns: &'a [Column],
    palette: &'static Palette,
    pub(super) marked: Option<(u32, Option<SymbolKey>)>,
    pub(super) rows: usize,
    /// A called function that was chosen in the menu.
    pub(super) chosen: Option<FunctionId>,
}

impl<'a, 'b> Body<'a, 'b> {
    pub(super) fn new(
        cx: &'a mut ViewCx<'b>,
        profile: &'a Profile,
        source: Option<&'a SourceText>,
        (costs, calls): (&'a [LineRow], &'a [LineCall]),
        (formats, columns): (&'a Formats, &'a [Column]),
        palette: &'static Palette,
    ) -> Self {
        let lines = source.map_or(costs.len(), SourceText::len);
        let mut body = Self {
            cx,
            profile,
            source,
            costs,
            calls,
            call_rows: Vec::new(),
            formats,
            columns,
            palette,
            marked: None,
            rows: lines + calls.len(),
            chosen: None,
        };
        // Calls of lines that the file does not have stand at its end.
        let below = |(i, call): (usize, &LineCall)| body.place(call.line).map_or(lines, |at| at + 1) + i;
        body.call_rows = calls.iter().enumerate().map(below).collect();
        body
    }

    /// Where a line is among the lines.
    fn place(&self, line: u32) -> Option<usize> {
        match self.source {
            Some(source) => (line as usize).checked_sub(1).filter(|&i| i < source.len()),
            None => self.costs.binary_search_by_key(&line, |r| r.line).ok(),
        }
    }

    pub(super) fn entry(&self, row: usize) -> Entry<'a> {
        let above = self.call_rows.partition_point(|&r| r < row);
        if self.call_rows.get(above) == Some(&row) {
            return Entry::Call(&self.calls[above]);
        }
        let at = row - above;
        Entry::Line(match self.source {
            Some(_) => at as u32 + 1,
            None => self.costs.get(at).map_or(0, |r| r.line),
        })
    }

    /// What marks a row.
    pub(super) fn mark_of(&self, row: usize) -> (u32, Option<SymbolKey>) {
        self.entry(row).mark(self.profile)
    }

    /// The row of a line or of a call from it.
    pub(super) fn row_of(&self, (line, callee): (u32, Option<SymbolKey>)) -> Option<usize> {
        let above = self.calls.partition_point(|c| c.line < line);
        let row = self.place(line)? + above;
        let among = self.calls[above..].iter().take_while(|c| c.line == line);
        Some(match callee {
            None => row,
            Some(callee) => {
                row + 1 + among.map(|c| self.profile.keys().symbol(c.callee)).position(|c| c == callee)?
            }
        })
    }

    fn cost(&self, line: u32) -> Option<&'a LineRow> {
        self.costs.binary_search_by_key(&line, |r| r.line).ok().map(|i| &self.costs[i])
    }

    fn code(&self, line: u32) -> &'a str {
        self.source.and_then(|s| s.line(line)).map_or("", |l| l.0)
    }

    fn copied(&self, form: Form, rows: Range<usize>) -> String {
        let cell = |entry, column: &str| match entry {
            Entry::Line(line) => self.formats.value(line, self.cost(line), self.code(line), column),
            Entry::Call(call) => {
                self.formats.call_value(call, self.profile.function_name(call.callee), column)
            }
        };
        let values: Vec<Vec<_>> = rows
            .map(|row| self.entry(row))
            .map(|entry| self.columns.iter().map(|c| cell(entry, c.key)).collect())
            .collect();
        copy::table(form, &copy::headings(self.columns, self.formats.unit, &["self", "total"]), &values)
    }
}

impl Rows for Body<'_, '_> {
    fn mark(&self, row: usize) -> Mark {
        Mark { selected: self.marked == Some(self.mark_of(row)), lit: false }
    }

    fn label(&self, row: usize) -> String {
        match self.entry(row) {
            Entry::Line(line) => {
                let own = |r: &LineRow| format!(", self {}", self.formats.own.text(Some(r.own)));
                let cost = self.cost(line).map_or_else(String::new, own);
                format!("Line {line}{cost}: {}", self.code(line).trim())
            }
            Entry::Call(call) => {
                let text = |column| self.formats.call_value(call, "", column).text;
                let callee = self.profile.function_name(call.callee);
                format!("Line {} calls {callee}: {}, total {}", call.line, text("count"), text("total"))
            }
        }
    }

    fn cell(&mut self, ui: &mut Ui, row: usize, column: &'static str) {
        match self.entry(row) {
            Entry::Line(line) => {
                let code = self.source.and_then(|s| Some((s.language, s.line(line)?)));
                self.formats.paint(ui, line, self.cost(line), code, column, self.palette);
            }
            Entry::Call(call) => {
                let callee = self.profile.function_name(call.callee);
                self.formats.paint_call(ui, call, callee, column, self.palette);
            }
        }
    }

    fn menu(&mut self, ui: &mut Ui, row: usize) {
        let entry = self.entry(row);
        let context = match entry {
            Entry::Line(line) => ContextMenu::new()
                .title(format!("Line {line}"))
                .copies("Copy line", self.code(line).trim_end()),
            Entry::Call(call) => {
                ContextMenu::about(About { function: call.callee, path: None }).without_keys()
            }
        };
        let context = match self.source {
            Some(source) => {
                context.copies("Copy file:line", format!("{}:{}", source.path.display(), entry.line()))
            }
            None => context,
        };
        let chosen = &mut self.chosen;
        let picked = context.row().table().show(self.cx, ui, |_, ui| {
            if let Entry::Call(call) = entry
                && menu::entry(ui, "Go to the called function", "Enter", "")
            {
                *chosen = Some(call.callee);
            }
        });
        match picked {
            Some(Picked::Row) => ui.ctx().copy_text(self.copied(Form::Text, row..row + 1)),
            Some(Picked::Table(form)) => ui.ctx().copy_text(self.copied(form, 0..self.rows)),
            None => {}
        }
    }
}
