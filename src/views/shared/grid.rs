//! A table of any number of rows that looks and works the same in every view: columns that give way when
//! the pane is narrow, sorting by headers, whole rows that are pointed at, clicked and walked by keys.
//!
//! Only visible rows are painted; what they show comes from [`Rows`]. The last word on widths is here: some
//! columns share what the others leave, and the less important ones are hidden when there is no room for all,
//! unless the person asked for them in the header's menu.

use std::collections::BTreeMap;

use egui::{
    Align, CursorIcon, EventFilter, Id, Key, Modifiers, Rangef, Rect, Response, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo,
};
use egui_table::{CellInfo, HeaderCellInfo, HeaderRow, PrefetchInfo, Table, TableDelegate, TableState};

use crate::ui::theme::{Palette, space};
use crate::ui::widgets::{SortOrder, header_cell, row_background};

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Stable name; also what [`Rows::cell`] is asked for.
    pub key: &'static str,
    /// Title, with the unit of its numbers.
    pub title: String,
    /// What the numbers mean, with the denominator of shares.
    pub tip: String,
    /// Width at first, points; of a growing column the least one.
    pub width: f32,
    /// Its part of what is left; 0 for a column whose width the person sets.
    pub grow: f32,
    /// Left, or right for numbers.
    pub align: Align,
    /// How the rows are sorted by it.
    pub sort: Option<SortOrder>,
    /// The higher, the sooner it is hidden; 0 never.
    pub rank: u8,
}

impl Column {
    /// A column of numbers.
    #[must_use]
    pub fn number(key: &'static str, title: impl Into<String>, width: f32) -> Self {
        Self {
            key,
            title: title.into(),
            tip: String::new(),
            width,
            grow: 0.0,
            align: Align::RIGHT,
            sort: None,
            rank: 0,
        }
    }

    /// A column of texts.
    #[must_use]
    pub fn text(key: &'static str, title: impl Into<String>, width: f32) -> Self {
        Self { align: Align::LEFT, ..Self::number(key, title, width) }
    }

    /// What a tooltip says.
    #[must_use]
    pub fn tip(self, tip: impl Into<String>) -> Self {
        Self { tip: tip.into(), ..self }
    }

    /// Its part of what is left.
    #[must_use]
    pub fn grow(self, grow: f32) -> Self {
        Self { grow, ..self }
    }

    /// How soon it is hidden.
    #[must_use]
    pub fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// How the rows are sorted by it.
    #[must_use]
    pub fn sorted(self, sort: Option<SortOrder>) -> Self {
        Self { sort, ..self }
    }
}

/// How a row stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// It is what is selected.
    pub selected: bool,
    /// It is a relative of what the pointer is on, or of the selection.
    pub lit: bool,
}

/// What the rows show.
pub trait Rows {
    /// How a row stands out.
    fn mark(&self, row: usize) -> Mark;
    /// A row in words, for screen readers and tests.
    fn label(&self, row: usize) -> String;
    /// Paints a cell; fills the space that `ui` has.
    fn cell(&mut self, ui: &mut Ui, row: usize, column: &'static str);
    /// The context menu of a row.
    fn menu(&mut self, ui: &mut Ui, row: usize);
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
}

/// The table of one frame.
pub struct Grid<'a> {
    /// Tells apart several tables of one view.
    pub salt: &'static str,
    /// What screen readers call it.
    pub name: &'a str,
    /// All columns, the hidden ones too.
    pub columns: &'a [Column],
    /// Number of rows.
    pub rows: usize,
}

/// What the person did.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    /// Clicked header, and whether Shift was held.
    pub header: Option<(&'static str, bool)>,
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

/// Which columns are shown in `width` points: those that were asked for, and the others while they fit.
#[must_use]
pub fn fitting(columns: &[Column], widths: &[f32], shown: &BTreeMap<String, bool>, width: f32) -> Vec<usize> {
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

impl Grid<'_> {
    /// Shows the table in the space that is left.
    pub fn show(&self, ui: &mut Ui, state: &mut GridState, rows: &mut dyn Rows) -> Happened {
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
        let (fit, reset) = self.set_widths(ui, id, state, area);
        let columns = fit.iter().map(|&i| self.column(i)).collect::<Vec<_>>();
        let mut painter = Painter {
            grid: self,
            fit,
            rows,
            state,
            happened: Happened { focused, ..Happened::default() },
            focus,
        };
        table.columns(columns).show(ui, &mut painter);
        let (happened, shown) = (painter.happened, painter.fit);
        self.edges(ui, id, &shown);
        if !reset.is_empty() {
            let mut widths = TableState::load(ui, id).unwrap_or_default();
            for i in reset {
                widths.col_widths.insert(column_id(self.columns[i].key), self.columns[i].width);
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
            let name = format!("Width of column {}", column.title);
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
                    let width = table.col_widths.entry(column_id(column.key)).or_insert(column.width);
                    *width = (*width + step).clamp(NARROWEST, 2000.0);
                    table.store(ui, id);
                }
            }
        }
    }

    fn column(&self, i: usize) -> egui_table::Column {
        let column = &self.columns[i];
        let range = Rangef::new(NARROWEST, 2000.0);
        egui_table::Column::new(column.width)
            .range(range)
            .id(column_id(column.key))
            .resizable(column.grow == 0.0)
    }

    /// Decides which columns are shown and how wide; the second answer lists columns whose edge was
    /// double-clicked, which takes them back to their first width.
    fn set_widths(&self, ui: &Ui, id: Id, state: &GridState, area: Rect) -> (Vec<usize>, Vec<usize>) {
        let mut table = TableState::load(ui, id).unwrap_or_default();
        let kept = |c: &Column| table.col_widths.get(&column_id(c.key)).copied().unwrap_or(c.width);
        let mut widths: Vec<f32> =
            self.columns.iter().map(|c| if c.grow > 0.0 { c.width } else { kept(c) }).collect();
        let over = self.rows as f32 * space::ROW + space::HEADER > area.height();
        let room = area.width() - if over { SCROLL_BAR } else { 0.0 };
        let fit = fitting(self.columns, &widths, &state.shown, room);
        let rest = (room - fit.iter().map(|&i| widths[i]).sum::<f32>()).max(0.0);
        let growth: f32 = fit.iter().map(|&i| self.columns[i].grow).sum();
        for &i in fit.iter().filter(|&&i| self.columns[i].grow > 0.0) {
            widths[i] += rest * self.columns[i].grow / growth;
        }
        for (column, width) in self.columns.iter().zip(&widths) {
            table.col_widths.insert(column_id(column.key), (width * 4.0).floor() / 4.0);
        }
        table.store(ui, id);
        let clicked = |i: &usize| {
            let edge = id.with(column_id(self.columns[*i].key)).with("resize");
            ui.ctx().read_response(edge).is_some_and(|r| r.double_clicked())
        };
        let reset = fit.iter().copied().filter(clicked).collect();
        (fit, reset)
    }
}

fn column_id(key: &str) -> Id {
    Id::unique(("column", key))
}

/// Makes the table one stop of the Tab key and keeps the arrow keys for it.
fn focus_on(ui: &Ui, id: Id, area: Rect, name: &str) -> bool {
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

struct Painter<'a> {
    grid: &'a Grid<'a>,
    fit: Vec<usize>,
    rows: &'a mut dyn Rows,
    state: &'a mut GridState,
    happened: Happened,
    focus: Id,
}

impl Painter<'_> {
    /// Columns to show and hide.
    fn column_menu(&mut self, ui: &mut Ui) {
        ui.set_min_width(150.0);
        for (i, column) in self.grid.columns.iter().enumerate().filter(|(_, c)| c.rank > 0) {
            let mut shown = self.fit.contains(&i);
            if ui.checkbox(&mut shown, &column.title).changed() {
                self.state.shown.insert(column.key.to_owned(), shown);
            }
        }
        ui.separator();
        if ui.button("As the width allows").clicked() {
            self.state.shown.clear();
            ui.close();
        }
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

impl TableDelegate for Painter<'_> {
    fn prepare(&mut self, info: &PrefetchInfo) {
        self.happened.page = (info.visible_rows.end - info.visible_rows.start) as usize;
    }

    fn header_cell_ui(&mut self, ui: &mut Ui, cell: &HeaderCellInfo) {
        let Some(&i) = self.fit.get(cell.col_range.start) else { return };
        let column = &self.grid.columns[i];
        let mut response = header_cell(ui, &column.title, column.align, column.sort);
        if !column.tip.is_empty() {
            response = response.on_hover_text(&column.tip);
        }
        if response.clicked() {
            self.happened.header = Some((column.key, ui.input(|i| i.modifiers.shift)));
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
        response.context_menu(|ui| self.rows.menu(ui, at));
    }

    fn cell_ui(&mut self, ui: &mut Ui, cell: &CellInfo) {
        let row = cell.row_nr as usize;
        if let Some(&i) = self.fit.get(cell.col_nr)
            && row < self.grid.rows
        {
            self.rows.cell(ui, row, self.grid.columns[i].key);
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
        let columns = [
            Column::number("calls", "Calls", 60.0),
            Column::number("per", "Per call", 70.0).rank(2),
            Column::text("name", "Function", 150.0).grow(1.0),
            Column::text("place", "Location", 180.0).rank(3),
        ];
        let widths: Vec<f32> = columns.iter().map(|c| c.width).collect();
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
