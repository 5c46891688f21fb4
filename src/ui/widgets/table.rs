//! Cells of tables. All fill the space they are given, so they serve `egui_table` and grids alike.

use super::focus_ring;
use crate::format::search::Pattern;
use crate::format::{Order, escaped, fitting};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, regular, strong};
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align, Color32, FontId, Galley, Rect, Response, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2};
use std::sync::Arc;

/// Left and right of a cell's text.
const PADDING: f32 = 8.0;

/// How a cell's text is set.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Font.
    pub font: FontId,
    /// Colour.
    pub color: Color32,
    /// Left, or right for numbers.
    pub align: Align,
}

impl Cell {
    /// Text at the left.
    #[must_use]
    pub fn text(palette: &Palette) -> Self {
        Self { font: regular(13.0), color: palette.text, align: Align::LEFT }
    }

    /// A number at the right.
    #[must_use]
    pub fn number(palette: &Palette) -> Self {
        Self { align: Align::RIGHT, ..Self::text(palette) }
    }
}

/// The head of a column. A click sorts by it; the arrow shows how it is sorted.
pub fn header_cell(ui: &mut Ui, label: &str, align: Align, sort: Option<Order>) -> Response {
    let palette = Palette::of(ui);
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::click());
    let name = match sort {
        None => label.to_owned(),
        Some(Order::Ascending) => format!("{label}, ascending"),
        Some(Order::Descending) => format!("{label}, descending"),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, ui.is_enabled(), &name));
    let fill = if response.hovered() { palette.hover } else { palette.raised };
    ui.painter().rect_filled(rect, 0.0, fill);
    let below = rect.bottom() - 0.5;
    ui.painter().hline(rect.x_range(), below, Stroke::new(1.0, palette.line));
    let color = if sort.is_some() || response.hovered() { palette.text_strong } else { palette.text_weak };
    let cell = Cell { font: strong(12.0), color, align };
    let mut inner = rect.shrink2(Vec2::new(PADDING, 0.0));
    let Some(order) = sort else {
        paint_text(ui, inner, label, &cell);
        focus_ring(ui, &response, rect);
        return response;
    };
    // The arrow stands beside the label, on the side away from the column's edge.
    const ARROW: f32 = 10.0;
    let label_width = fitted(ui, inner.width() - ARROW, label, &cell).size().x;
    let arrow_x = if align == Align::RIGHT {
        inner.min.x += ARROW;
        inner.right() - label_width - ARROW
    } else {
        inner.max.x -= ARROW;
        inner.left() + label_width + 3.0
    };
    let icon = if order == Order::Ascending { Icon::SortUp } else { Icon::SortDown };
    let square = Rect::from_min_size(pos2(arrow_x - 2.0, rect.center().y - ARROW / 2.0), Vec2::splat(ARROW));
    icon.paint(ui.painter(), square, palette.accent);
    paint_text(ui, inner, label, &cell);
    focus_ring(ui, &response, rect);
    response
}

/// The background of a table row.
pub fn row_background(ui: &Ui, rect: Rect, row: u64, selected: bool, hovered: bool) {
    let palette = Palette::of(ui);
    let fill = match (selected, hovered) {
        (true, _) => palette.selection,
        (_, true) => palette.hover,
        _ if row % 2 == 1 => palette.stripe,
        _ => palette.canvas,
    };
    ui.painter().rect_filled(rect, 0.0, fill);
    if selected {
        let bar = Rect::from_min_max(rect.min, pos2(rect.left() + 2.0, rect.bottom()));
        ui.painter().rect_filled(bar, 0.0, palette.accent);
    }
}

/// A text in the cell, cut with an ellipsis where it does not fit; then a tooltip shows it whole.
pub fn cell_text(ui: &mut Ui, text: &str, cell: &Cell) -> Response {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let whole = paint_text(ui, rect.shrink2(Vec2::new(PADDING, 0.0)), text, cell);
    if whole { response } else { response.on_hover_text(escaped(text)) }
}

/// The name of a function in the cell: what does not fit loses template arguments and parameters before its end. Letters that a
/// search finds are marked.
pub fn name_cell(ui: &mut Ui, name: &str, cell: &Cell, found: Option<&Pattern>) -> Response {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
    let inner = rect.shrink2(Vec2::new(PADDING, 0.0));
    if inner.width() < 4.0 {
        return response;
    }
    let name = escaped(name);
    let whole = |text: &str| ui.painter().layout_no_wrap(text.to_owned(), cell.font.clone(), cell.color);
    let shown = fitting(&name, |text| whole(text).size().x <= inner.width());
    let all = paint_marked(ui, inner, &shown, cell, found) && shown == name;
    if all { response } else { response.on_hover_text(name) }
}

/// A text in the cell, cut at its end, with the letters marked that a search finds.
pub fn found_cell(ui: &mut Ui, text: &str, cell: &Cell, found: Option<&Pattern>) -> Response {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let text = escaped(text);
    let whole = paint_marked(ui, rect.shrink2(Vec2::new(PADDING, 0.0)), &text, cell, found);
    if whole { response } else { response.on_hover_text(text) }
}

/// True when the text fits.
fn paint_marked(ui: &Ui, rect: Rect, text: &str, cell: &Cell, found: Option<&Pattern>) -> bool {
    let places = found.map(|pattern| pattern.places(text)).unwrap_or_default();
    if places.is_empty() {
        return paint_text(ui, rect, text, cell);
    }
    let mark = Palette::of(ui).highlight;
    let plain = TextFormat::simple(cell.font.clone(), cell.color);
    let marked = TextFormat { background: mark, ..plain.clone() };
    let mut job =
        LayoutJob { wrap: TextWrapping::truncate_at_width(rect.width().max(0.0)), ..LayoutJob::default() };
    let mut reached = 0;
    for place in places {
        job.append(&text[reached..place.start], 0.0, plain.clone());
        job.append(&text[place.clone()], 0.0, marked.clone());
        reached = place.end;
    }
    job.append(&text[reached..], 0.0, plain);
    let galley = ui.painter().layout_job(job);
    let x = if cell.align == Align::RIGHT { rect.right() - galley.size().x } else { rect.left() };
    let at = pos2(x, rect.center().y - galley.size().y / 2.0);
    let whole = !galley.elided;
    ui.painter().galley(at, galley, cell.color);
    whole
}

/// A number in front of a bar whose length is `share` (0 to 1) of the cell.
pub fn share_bar(ui: &mut Ui, share: Option<f64>, text: &str, cell: &Cell) -> Response {
    let palette = Palette::of(ui);
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let share = share.filter(|s| s.is_finite()).map_or(0.0, |s| s.clamp(0.0, 1.0) as f32);
    let room = rect.shrink2(Vec2::new(3.0, 3.0));
    if share > 0.0 {
        let bar = Rect::from_min_size(room.min, Vec2::new((room.width() * share).max(1.5), room.height()));
        let fill =
            crate::ui::theme::mix(palette.canvas, palette.accent, if palette.dark { 0.30 } else { 0.20 });
        ui.painter().rect_filled(bar, 2.0, fill);
    }
    paint_text(ui, rect.shrink2(Vec2::new(PADDING, 0.0)), text, cell);
    response
}

/// A signed change: the text at the right, and left of it, where there is room, a bar from a middle line
/// whose half is `change` of 1. Colour says better or worse; side and sign say it without colour.
pub fn delta_bar(ui: &mut Ui, change: Option<f64>, color: Color32, text: &str, cell: &Cell) -> Response {
    const NUMBER: f32 = 62.0;
    let palette = Palette::of(ui);
    let rect = ui.available_rect_before_wrap();
    // Bars of a table begin at one place, and a long number still stands clear of its bar.
    let number = fitted(ui, rect.width(), text, cell).size().x.max(NUMBER);
    let response = ui.allocate_rect(rect, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let change = change.filter(|c| c.is_finite()).map(|c| c.clamp(-1.0, 1.0) as f32);
    let room = Rect::from_min_max(rect.min, pos2(rect.right() - PADDING - number, rect.bottom()))
        .shrink2(Vec2::new(6.0, 5.0));
    if let Some(change) = change
        && room.width() >= 24.0
    {
        let middle = ui.painter().round_to_pixel_center(room.center().x);
        let end = middle + change * room.width() / 2.0;
        let bar = Rect::from_x_y_ranges(middle.min(end)..=middle.max(end), room.y_range());
        ui.painter().rect_filled(bar, 1.0, color);
        ui.painter().vline(middle, rect.shrink(3.0).y_range(), Stroke::new(1.0, palette.line_strong));
    }
    paint_text(ui, rect.shrink2(Vec2::new(PADDING, 0.0)), text, cell);
    response
}

/// True when the text fits.
fn paint_text(ui: &Ui, rect: Rect, text: &str, cell: &Cell) -> bool {
    if rect.width() < 4.0 {
        return text.is_empty();
    }
    let galley = fitted(ui, rect.width(), text, cell);
    let x = if cell.align == Align::RIGHT { rect.right() - galley.size().x } else { rect.left() };
    let at = pos2(x, rect.center().y - galley.size().y / 2.0);
    let whole = !galley.elided;
    ui.painter().galley(at, galley, cell.color);
    whole
}

fn fitted(ui: &Ui, width: f32, text: &str, cell: &Cell) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(escaped(text).into_owned(), cell.font.clone(), cell.color);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    ui.painter().layout_job(job)
}
