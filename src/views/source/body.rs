//! The rows of the source table: each line of the file, or those with costs when there is no file, and below a
//! line the calls that it makes.

use egui::{Rect, Ui, UiBuilder, pos2, vec2};

use super::code::code_cell;
use crate::analysis::columns::lines::{LineColumn, LineOf};
use crate::analysis::source_file::SourceText;
use crate::analysis::source_lines::{LineCall, LineRow};
use crate::model::{FunctionId, Profile, SymbolKey};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, mono};
use crate::ui::widgets::{Cell, cell_text};
use crate::views::ViewCx;
use crate::views::shared;
use crate::views::shared::grid::{Mark, Rows};
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

pub(super) struct Body<'a, 'l, 'b> {
    pub(super) cx: &'a mut ViewCx<'b>,
    profile: &'l Profile,
    source: Option<&'l SourceText>,
    costs: &'l [LineRow],
    /// Ascending lines; empty when calls are not shown.
    calls: &'l [LineCall],
    /// The row of each call.
    call_rows: Vec<usize>,
    columns: &'a [LineColumn<'l>],
    pub(super) marked: Option<(u32, Option<SymbolKey>)>,
    pub(super) rows: usize,
    /// A called function that was chosen in the menu.
    pub(super) chosen: Option<FunctionId>,
}

impl<'a, 'l, 'b> Body<'a, 'l, 'b> {
    pub(super) fn new(
        cx: &'a mut ViewCx<'b>,
        profile: &'l Profile,
        source: Option<&'l SourceText>,
        (costs, calls): (&'l [LineRow], &'l [LineCall]),
        columns: &'a [LineColumn<'l>],
    ) -> Self {
        let lines = source.map_or(costs.len(), SourceText::len);
        let mut body = Self {
            cx,
            profile,
            source,
            costs,
            calls,
            call_rows: Vec::new(),
            columns,
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

    pub(super) fn entry(&self, row: usize) -> Entry<'l> {
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

    fn cost(&self, line: u32) -> Option<&'l LineRow> {
        self.costs.binary_search_by_key(&line, |r| r.line).ok().map(|i| &self.costs[i])
    }

    fn code(&self, line: u32) -> &'l str {
        self.source.and_then(|s| s.line(line)).map_or("", |l| l.0)
    }
}

impl<'l> Rows for Body<'_, 'l, '_> {
    type Row = LineOf<'l>;

    fn row(&self, at: usize) -> LineOf<'l> {
        match self.entry(at) {
            Entry::Line(line) => LineOf::Line(line, self.cost(line), self.code(line)),
            Entry::Call(call) => LineOf::Call(call, self.profile.function_name(call.callee)),
        }
    }

    fn mark(&self, at: usize) -> Mark {
        Mark { selected: self.marked == Some(self.mark_of(at)), lit: false }
    }

    fn label(&self, at: usize) -> String {
        let row = self.row(at);
        let cell = |key| shared::cell_with_unit(self.columns, key, row);
        match row {
            LineOf::Line(line, costs, code) => {
                let own = costs.map_or_else(String::new, |_| format!(", self {}", cell("self")));
                format!("Line {line}{own}: {}", code.trim())
            }
            LineOf::Call(call, callee) => {
                format!("Line {} calls {callee}: {}, total {}", call.line, cell("count"), cell("total"))
            }
        }
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let palette = Palette::of(ui);
        let row = self.row(at);
        match (row, column) {
            (LineOf::Line(line, costs, _), "line") => {
                let color = if costs.is_some() { palette.text } else { palette.text_weak };
                cell_text(ui, &line.to_string(), &Cell { font: mono(12.0), color, ..Cell::number(palette) });
            }
            (LineOf::Line(line, ..), "code") => {
                let code = self.source.and_then(|s| Some((s.language, s.line(line)?)));
                code_cell(ui, code, palette);
            }
            // A call has its cost and number under those of the line, the callee's name under the code.
            (LineOf::Call(..), "line") => {}
            (LineOf::Call(call, callee), "code") => callee_cell(ui, callee, call.recursive, 0.0, palette),
            (LineOf::Call(..), _) => {
                let text = self.columns.iter().find(|c| c.key == column).map(|c| c.cell(row));
                let weak = Cell { color: palette.text_weak, ..Cell::number(palette) };
                cell_text(ui, &text.unwrap_or_default(), &weak);
            }
            (LineOf::Line(..), _) => return false,
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let entry = self.entry(at);
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
        context.row().table().show(self.cx, ui, |_, ui| {
            if let Entry::Call(call) = entry
                && menu::entry(ui, "Go to the called function", "Enter", "")
            {
                *chosen = Some(call.callee);
            }
        })
    }
}

/// Who is called, below the line that calls, so many points further in.
pub(super) fn callee_cell(ui: &mut Ui, callee: &str, recursive: bool, indent: f32, palette: &Palette) {
    let rect = ui.available_rect_before_wrap();
    let rect = rect.with_min_x((rect.left() + indent).min(rect.right()));
    let square = Rect::from_center_size(pos2(rect.left() + 18.0, rect.center().y), vec2(11.0, 11.0));
    Icon::ChevronRight.paint(ui.painter(), square, palette.text_weak);
    let name = if recursive { format!("{callee} (itself)") } else { callee.to_owned() };
    let cell = Rect::from_min_max(pos2(rect.left() + 20.0, rect.top()), rect.max);
    ui.scope_builder(UiBuilder::new().max_rect(cell), |ui| {
        cell_text(ui, &name, &Cell { color: palette.accent, ..Cell::text(palette) });
    });
}
