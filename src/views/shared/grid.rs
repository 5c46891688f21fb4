//! A table of any number of rows that looks and works the same in every view: columns that give way when
//! the pane is narrow, sorting by headers, whole rows that are pointed at, clicked and walked by keys.
//!
//! Only visible rows are painted; what they show comes from [`Rows`]. The last word on widths is here: some
//! columns share what the others leave, and the less important ones are hidden when there is no room for all,
//! unless the person asked for them in the header's menu.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use egui::{
    Align, CursorIcon, EventFilter, Id, Key, Modifiers, Rangef, Rect, Response, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo,
};
use egui_table::{CellInfo, HeaderCellInfo, HeaderRow, PrefetchInfo, Table, TableDelegate, TableState};

use super::menu::Picked;
use super::{path_cell, weak_cell};
use crate::analysis::search::Pattern;
use crate::format::{self, Column, CopyAs, Look};
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{
    Cell, cell_text, delta_bar, found_cell, header_cell, name_cell, row_background, share_bar,
};

/// How a row stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// It is what is selected.
    pub selected: bool,
    /// It is a relative of what the pointer is on, or of the selection.
    pub lit: bool,
}

/// What the rows are.
pub trait Rows {
    /// A row, as its columns take it.
    type Row: Copy;

    /// The row at a place.
    fn row(&self, at: usize) -> Self::Row;
    /// How a row stands out.
    fn mark(&self, at: usize) -> Mark;
    /// A row in words, for screen readers and tests.
    fn label(&self, at: usize) -> String;
    /// What the search looks for: its letters are marked.
    fn found(&self) -> Option<&Pattern> {
        None
    }
    /// The context menu of a row; what of the table it copies.
    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked>;
    /// What a row says below the pointer.
    fn about(&self, at: usize) -> Option<String> {
        let _ = at;
        None
    }
    /// Paints a cell that is more than its value, in the space that `ui` has. False leaves it to the column.
    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        let _ = (ui, at, column);
        false
    }
}

/// What stays from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct GridState {
    /// Columns that the person showed or hid.
    pub shown: BTreeMap<String, bool>,
    /// Row to bring into view in the next frame.
    pub scroll_to: Option<usize>,
    /// Whether that row shall come to the middle; otherwise the table scrolls as little as it must.
    pub centred: bool,
    /// Columns that would take the room that is left, but whose width the person set.
    set: BTreeSet<&'static str>,
    /// Rows that were seen in the last frame.
    seen: Range<u64>,
    /// Characters of the longest name that was seen.
    longest: usize,
}

/// The table of one frame.
pub struct Grid<'a, 'c, R, S> {
    /// Tells apart several tables of one view.
    pub salt: &'static str,
    /// What screen readers call it.
    pub name: &'a str,
    /// All columns, the hidden ones too.
    pub columns: &'a [Column<'c, R, S>],
    /// Number of rows.
    pub rows: usize,
}

/// What the person did.
#[derive(Clone, Debug)]
pub struct Happened<S> {
    /// What a clicked heading sorts by, and whether Shift was held.
    pub header: Option<(S, bool)>,
    /// Row under the pointer.
    pub hovered: Option<usize>,
    /// Row that was clicked, by either button.
    pub clicked: Option<usize>,
    /// Row that was double-clicked.
    pub double_clicked: Option<usize>,
    /// True while the table has the keyboard.
    pub focused: bool,
    /// Rows that fit.
    pub page: usize,
}

/// Room for the scroll bar that floats over the last column.
const SCROLL_BAR: f32 = 10.0;
/// Columns never get narrower than this by dragging.
const NARROWEST: f32 = 28.0;
/// The part of the width that the name of what a row is about gets, if its names are that long; other columns give way.
const NAME: f32 = 0.35;
/// Points of a character and of what is left and right of a cell's text, about.
const CHARACTER: f32 = 7.0;
const AROUND: f32 = 16.0;

/// Which columns are shown in `width` points: those that were asked for, and the others while they fit.
#[must_use]
pub fn fitting<R, S>(
    columns: &[Column<'_, R, S>],
    widths: &[f32],
    shown: &BTreeMap<String, bool>,
    width: f32,
) -> Vec<usize> {
    let wish = |i: &usize| shown.get(columns[*i].key).copied();
    let mut fit: Vec<usize> = (0..columns.len()).filter(|i| wish(i) != Some(false)).collect();
    while fit.iter().map(|&i| widths[i]).sum::<f32>() > width {
        let rank = |i: &usize| if wish(i) == Some(true) { 0 } else { columns[*i].rank };
        let Some(place) = (0..fit.len()).filter(|&p| rank(&fit[p]) > 0).max_by_key(|&p| rank(&fit[p])) else {
            break;
        };
        fit.remove(place);
    }
    fit
}

/// Width of a column at first, points: digits are equally wide, a cell has room left and right of them, and the heading with its
/// unit and an arrow is read whole.
fn width<R, S>(column: &Column<'_, R, S>) -> f32 {
    const ARROW: f32 = 12.0;
    let arrow = if column.sort.is_some() && column.leads { ARROW } else { 0.0 };
    let heading = column.heading().chars().count() as f32 * 6.3 + arrow;
    ((column.room * CHARACTER).max(heading) + AROUND).round()
}

impl<R: Copy, S: Copy> Grid<'_, '_, R, S> {
    /// Shows the table in the space that is left.
    pub fn show<T: Rows<Row = R>>(&self, ui: &mut Ui, state: &mut GridState, rows: &mut T) -> Happened<S> {
        let area = ui.available_rect_before_wrap();
        let palette = Palette::of(ui);
        ui.painter().rect_filled(area, space::RADIUS_SMALL, palette.canvas);
        let focus = ui.scope_id().with((self.salt, "keyboard"));
        let focused = focus_on(ui, focus, area, self.name);

        let mut table = Table::new()
            .id_salt(self.salt)
            .num_rows(self.rows as u64)
            .headers([HeaderRow::new(space::HEADER)]);
        if let Some(row) = state.scroll_to.take() {
            let align = std::mem::take(&mut state.centred).then_some(Align::Center);
            table = table.scroll_to_row(row.min(self.rows.saturating_sub(1)) as u64, align);
        }
        let id = table.get_id(ui);
        let (fit, reset) = self.set_widths(ui, id, state, rows, area);
        let columns = fit.iter().map(|&i| self.column(i)).collect::<Vec<_>>();
        let mut painter = Painter {
            grid: self,
            fit,
            rows,
            state,
            happened: Happened {
                header: None,
                hovered: None,
                clicked: None,
                double_clicked: None,
                focused,
                page: 0,
            },
            focus,
        };
        table.columns(columns).show(ui, &mut painter);
        let Painter { happened, fit: shown, rows, state, .. } = painter;
        self.edges(ui, id, &shown);
        if !reset.is_empty() {
            let mut widths = TableState::load(ui, id).unwrap_or_default();
            for i in reset {
                widths.col_widths.insert(column_id(self.columns[i].key), self.content(i, state, rows));
            }
            widths.store(ui, id);
        }
        if focused {
            let ring = Stroke::new(1.0, palette.accent);
            ui.painter().rect_stroke(area, space::RADIUS_SMALL, ring, StrokeKind::Inside);
        }
        happened
    }

    /// Names the edges by which columns are made wider, and lets arrows do it, because Tab stops at them.
    fn edges(&self, ui: &Ui, id: Id, shown: &[usize]) {
        for column in shown.iter().map(|&i| &self.columns[i]) {
            let edge = id.with(column_id(column.key)).with("resize");
            let Some(response) = ui.ctx().read_response(edge) else { continue };
            let name = format!("Width of column {}", column.heading());
            response.widget_info(|| WidgetInfo::labeled(Role::Splitter, true, &name));
            if !response.has_focus() {
                continue;
            }
            let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(edge, filter));
            let x = ui.painter().round_to_pixel_center(response.rect.center().x);
            ui.painter().vline(x, response.rect.y_range(), Stroke::new(2.0, Palette::of(ui).accent));
            for (key, step) in [(Key::ArrowLeft, -8.0), (Key::ArrowRight, 8.0)] {
                if ui.input_mut(|i| i.consume_key(Modifiers::NONE, key)) {
                    let mut table = TableState::load(ui, id).unwrap_or_default();
                    let entry = table.col_widths.entry(column_id(column.key));
                    let width = entry.or_insert(width(column));
                    *width = (*width + step).clamp(NARROWEST, 2000.0);
                    table.store(ui, id);
                }
            }
        }
    }

    fn column(&self, i: usize) -> egui_table::Column {
        let column = &self.columns[i];
        let range = Rangef::new(NARROWEST, 2000.0);
        egui_table::Column::new(width(column)).range(range).id(column_id(column.key)).resizable(true)
    }

    /// Width at which what is seen of a column is read whole.
    fn content<T: Rows<Row = R>>(&self, i: usize, state: &GridState, rows: &T) -> f32 {
        let column = &self.columns[i];
        let cell = |at: u64| column.cell(rows.row(at as usize)).chars().count();
        let seen = state.seen.start..state.seen.end.min(self.rows as u64);
        let longest = seen.map(cell).chain([column.heading().chars().count() + 1]).max().unwrap_or(0);
        (longest as f32 * CHARACTER + AROUND).clamp(NARROWEST, 900.0)
    }

    /// Decides which columns are shown and how wide; the second answer lists columns whose edge was
    /// double-clicked, which makes them as wide as what they show.
    fn set_widths<T: Rows<Row = R>>(
        &self,
        ui: &Ui,
        id: Id,
        state: &mut GridState,
        rows: &T,
        area: Rect,
    ) -> (Vec<usize>, Vec<usize>) {
        let mut table = TableState::load(ui, id).unwrap_or_default();
        let edge = |c: &Column<'_, R, S>| ui.ctx().read_response(id.with(column_id(c.key)).with("resize"));
        for column in self.columns.iter().filter(|c| c.grow > 0.0) {
            if edge(column).is_some_and(|r| r.dragged() || r.double_clicked() || r.has_focus()) {
                state.set.insert(column.key);
            }
        }
        let grows = |c: &Column<'_, R, S>| c.grow > 0.0 && !state.set.contains(c.key);
        let kept = |c: &Column<'_, R, S>| {
            table.col_widths.get(&column_id(c.key)).copied().unwrap_or_else(|| width(c))
        };
        if let Some(name) = self.columns.iter().find(|c| c.look == Look::Name) {
            let seen = state.seen.start..state.seen.end.min(self.rows as u64);
            let longest = seen.map(|at| name.cell(rows.row(at as usize)).chars().count()).max();
            state.longest = state.longest.max(longest.unwrap_or(0));
        }
        let least = |c: &Column<'_, R, S>| match c.look {
            Look::Name => width(c).max((state.longest as f32 * CHARACTER + AROUND).min(area.width() * NAME)),
            _ => width(c),
        };
        let mut widths: Vec<f32> =
            self.columns.iter().map(|c| if grows(c) { least(c) } else { kept(c) }).collect();
        let over = self.rows as f32 * space::ROW + space::HEADER > area.height();
        let room = area.width() - if over { SCROLL_BAR } else { 0.0 };
        let fit = fitting(self.columns, &widths, &state.shown, room);
        let rest = (room - fit.iter().map(|&i| widths[i]).sum::<f32>()).max(0.0);
        let growing: Vec<usize> = fit.iter().copied().filter(|&i| grows(&self.columns[i])).collect();
        let growth: f32 = growing.iter().map(|&i| self.columns[i].grow).sum();
        for i in growing {
            widths[i] += rest * self.columns[i].grow / growth;
        }
        for (column, width) in self.columns.iter().zip(&widths) {
            table.col_widths.insert(column_id(column.key), (width * 4.0).floor() / 4.0);
        }
        table.store(ui, id);
        let clicked = |i: &usize| edge(&self.columns[*i]).is_some_and(|r| r.double_clicked());
        let reset = fit.iter().copied().filter(clicked).collect();
        (fit, reset)
    }
}

fn align<R, S>(column: &Column<'_, R, S>) -> Align {
    if column.is_number() { Align::RIGHT } else { Align::LEFT }
}

/// Paints a value as its column says, with the letters marked that a search finds.
fn paint<R: Copy, S>(ui: &mut Ui, column: &Column<'_, R, S>, row: R, found: Option<&Pattern>) {
    let palette = Palette::of(ui);
    let value = column.value(row);
    let text = column.write(&value);
    let number = Cell::number(palette);
    match column.look {
        Look::Text => found_cell(ui, &text, &Cell::text(palette), found),
        Look::Name => {
            name_cell(ui, &text, &Cell { color: palette.text_strong, ..Cell::text(palette) }, found)
        }
        Look::Weak => found_cell(ui, &text, &weak_cell(palette), found),
        Look::Path => path_cell(ui, &text, &weak_cell(palette)),
        Look::Bar => share_bar(ui, value.size(), &text, &number),
        Look::Change(..) if value.is_nothing() => {
            cell_text(ui, &text, &Cell { color: palette.text_weak, ..number })
        }
        Look::Change(most, better) => {
            let change = value.size().map(|change| if most > 0.0 { change / most } else { 0.0 });
            let color = match column.is_quiet(row) {
                true => palette.diff(0.0, better),
                false => palette.diff(change.unwrap_or(0.0) as f32, better),
            };
            delta_bar(ui, change, color, &text, &number)
        }
        Look::State => {
            let news = !matches!(text.as_str(), "" | "=");
            let color = if news { palette.tone(Tone::Info) } else { palette.text_weak };
            cell_text(ui, &text, &Cell { color, ..Cell::text(palette) })
        }
        Look::Number => {
            let color = if value.is_nothing() { palette.text_weak } else { palette.text };
            cell_text(ui, &text, &Cell { color, ..number })
        }
    };
}

fn column_id(key: &str) -> Id {
    Id::unique(("column", key))
}

/// Makes a list one stop of the Tab key and keeps the arrow keys for it; true while it has the keyboard.
pub fn focus_on(ui: &Ui, id: Id, area: Rect, name: &str) -> bool {
    let response = ui.interact(area, id, Sense::FOCUSABLE);
    response.widget_info(|| WidgetInfo::labeled(Role::Table, true, name));
    let focused = response.has_focus();
    if focused {
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(id, filter));
    }
    focused
}

/// Where the keyboard goes from `current` among `rows` rows, of which `page` are visible.
#[must_use]
pub fn walk(ui: &Ui, current: Option<usize>, rows: usize, page: usize) -> Option<usize> {
    let last = rows.checked_sub(1)?;
    let pressed = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
    let to = |step: isize| match current {
        Some(at) => at.saturating_add_signed(step).min(last),
        None if step > 0 => 0,
        None => last,
    };
    let page = page.saturating_sub(2).max(1) as isize;
    let steps = [(Key::ArrowDown, 1), (Key::ArrowUp, -1), (Key::PageDown, page), (Key::PageUp, -page)];
    for (key, step) in steps {
        if pressed(key) {
            return Some(to(step));
        }
    }
    if pressed(Key::Home) {
        return Some(0);
    }
    pressed(Key::End).then_some(last)
}

struct Painter<'a, 'c, R, S, T> {
    grid: &'a Grid<'a, 'c, R, S>,
    fit: Vec<usize>,
    rows: &'a mut T,
    state: &'a mut GridState,
    happened: Happened<S>,
    focus: Id,
}

impl<R: Copy, S: Copy, T: Rows<Row = R>> Painter<'_, '_, R, S, T> {
    /// Columns to show and hide.
    fn column_menu(&mut self, ui: &mut Ui) {
        ui.set_min_width(150.0);
        for (i, column) in self.grid.columns.iter().enumerate().filter(|(_, c)| c.rank > 0) {
            let mut shown = self.fit.contains(&i);
            if ui.checkbox(&mut shown, column.heading()).changed() {
                self.state.shown.insert(column.key.to_owned(), shown);
            }
        }
        ui.separator();
        if ui.button("As the width allows").clicked() {
            self.state.shown.clear();
            self.state.set.clear();
            ui.close();
        }
    }

    /// The row or the whole table as text, with the columns that there are, shown or hidden.
    fn copied(&self, picked: Picked, row: usize) -> String {
        let (form, rows) = match picked {
            Picked::Row => (CopyAs::Text, row..row + 1),
            Picked::Table(form) => (form, 0..self.grid.rows),
        };
        format::copied(form, self.grid.columns, rows.map(|at| self.rows.row(at)))
    }

    fn row_events(&mut self, response: &Response, row: usize) {
        if response.hovered() {
            self.happened.hovered = Some(row);
        }
        if response.clicked() || response.secondary_clicked() {
            self.happened.clicked = Some(row);
            response.ctx.memory_mut(|m| m.request_focus(self.focus));
        }
        if response.double_clicked() {
            self.happened.double_clicked = Some(row);
        }
    }
}

impl<R: Copy, S: Copy, T: Rows<Row = R>> TableDelegate for Painter<'_, '_, R, S, T> {
    fn prepare(&mut self, info: &PrefetchInfo) {
        self.happened.page = (info.visible_rows.end - info.visible_rows.start) as usize;
        self.state.seen = info.visible_rows.clone();
    }

    fn header_cell_ui(&mut self, ui: &mut Ui, cell: &HeaderCellInfo) {
        let Some(&i) = self.fit.get(cell.col_range.start) else { return };
        let column = &self.grid.columns[i];
        let mut response = header_cell(ui, &column.heading(), align(column), column.order);
        if !column.hint.is_empty() {
            response = response.on_hover_text(&column.hint);
        }
        if response.clicked() {
            let shift = ui.input(|i| i.modifiers.shift);
            self.happened.header = column.sort.map(|by| (by, shift));
        }
        response.on_hover_cursor(CursorIcon::PointingHand).context_menu(|ui| self.column_menu(ui));
    }

    fn row_ui(&mut self, ui: &mut Ui, row: u64) {
        let rect = ui.max_rect();
        let at = row as usize;
        // The table asks once more for the part with fixed columns, of which there are none.
        if at >= self.grid.rows || !ui.clip_rect().intersect(rect).is_positive() {
            return;
        }
        let mark = self.rows.mark(at);
        let response = ui.interact(rect, ui.scope_id().with("row"), Sense::CLICK);
        response.widget_info(|| WidgetInfo::selected(Role::Row, true, mark.selected, self.rows.label(at)));
        row_background(ui, rect, row, mark.selected, mark.lit || response.hovered());
        self.row_events(&response, at);
        let response = match self.rows.about(at).filter(|_| response.hovered()) {
            Some(text) => response.on_hover_text_at_pointer(text),
            None => response,
        };
        response.context_menu(|ui| {
            if let Some(picked) = self.rows.menu(ui, at) {
                ui.ctx().copy_text(self.copied(picked, at));
            }
        });
    }

    fn cell_ui(&mut self, ui: &mut Ui, cell: &CellInfo) {
        let row = cell.row_nr as usize;
        if let Some(&i) = self.fit.get(cell.col_nr)
            && row < self.grid.rows
        {
            let column = &self.grid.columns[i];
            if !self.rows.paint(ui, row, column.key) {
                paint(ui, column, self.rows.row(row), self.rows.found());
            }
        }
    }

    fn default_row_height(&self) -> f32 {
        space::ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_important_columns_give_way_first() {
        let none = |_: ()| format::Value::Empty;
        let columns: [Column<'_, (), ()>; 4] = [
            Column::count("calls", "Calls", none).room(44.0 / 7.0),
            Column::count("per", "Per call", none).room(54.0 / 7.0).rank(2),
            Column::name("name", "Function", none).room(134.0 / 7.0),
            Column::path("place", "Location", none).room(164.0 / 7.0).rank(3),
        ];
        let widths: Vec<f32> = columns.iter().map(width).collect();
        let fit = |width, shown: &[(&str, bool)]| {
            let shown = shown.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
            fitting(&columns, &widths, &shown, width)
        };
        assert_eq!(fit(460.0, &[]), [0, 1, 2, 3]);
        assert_eq!(fit(459.0, &[]), [0, 1, 2]);
        assert_eq!(fit(270.0, &[]), [0, 2]);
        assert_eq!(fit(10.0, &[]), [0, 2], "the rest scrolls");
        assert_eq!(fit(300.0, &[("place", true)]), [0, 2, 3]);
        assert_eq!(fit(900.0, &[("calls", false)]), [1, 2, 3]);
    }
}
