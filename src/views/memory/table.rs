//! The legend that switches counters on and off, and the table of their figures.

use super::Frame;
use super::charts::color;
use super::layout::groups;
use crate::analysis::counters::Figures;
use crate::format::{self, Column, CopyAs, Form, UNKNOWN, Value};
use crate::model::{CounterId, Profile, Unit};
use crate::state::Item;
use crate::ui::theme::{Palette, regular, space, strong};
use crate::ui::widgets::focus_ring;
use crate::views::ViewCx;
use crate::views::parts::text_in;
use crate::views::shared::counter_name;
use crate::views::shared::menu::{ContextMenu, Picked};
use egui::{Align, Rect, Sense, Stroke, Ui, pos2, vec2};
use std::collections::BTreeSet;

/// One item per counter; a click switches it, a click with Ctrl shows it alone.
pub(super) fn legend(
    cx: &ViewCx<'_>,
    ui: &mut Ui,
    hidden: &mut BTreeSet<String>,
    lit: &mut Option<CounterId>,
) {
    let palette = Palette::of(ui);
    let all: Vec<_> = groups(cx.profile()).into_iter().flat_map(|g| g.counters).collect();
    let names: Vec<_> = all.iter().map(|&id| counter_name(cx.profile(), id)).collect();
    for (&id, name) in all.iter().zip(&names) {
        let on = !hidden.contains(name);
        let text = if on { palette.text } else { palette.text_weak };
        let galley = ui.painter().layout_no_wrap(name.clone(), regular(12.0), text);
        let (rect, response) =
            ui.allocate_exact_size(vec2(galley.size().x + 18.0, space::ROW), Sense::click());
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, true, on, name));
        let swatch = Rect::from_center_size(pos2(rect.left() + 6.0, rect.center().y), vec2(11.0, 11.0));
        if on {
            ui.painter().rect_filled(swatch, space::RADIUS_SMALL, color(palette, id));
        } else {
            let stroke = Stroke::new(1.5, palette.line_strong);
            ui.painter().rect_stroke(swatch, space::RADIUS_SMALL, stroke, egui::StrokeKind::Inside);
        }
        let at = pos2(rect.left() + 18.0, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at, galley, text);
        if response.hovered() {
            *lit = on.then_some(id);
            let y = rect.bottom() - 2.0;
            ui.painter().hline(rect.left() + 18.0..=rect.right(), y, Stroke::new(1.0, text));
        }
        if response.clicked() {
            if ui.input(|i| i.modifiers.command) {
                *hidden = names.iter().filter(|n| *n != name).cloned().collect();
            } else if !hidden.remove(name) {
                hidden.insert(name.clone());
            }
        }
        focus_ring(ui, &response, rect.expand2(vec2(3.0, 0.0)));
        response.on_hover_text("Click to show or hide, Ctrl+click to show it alone");
    }
}

/// Widths of the columns after the name.
const COLUMNS: [(&str, f32); 5] =
    [("Min", 72.0), ("Mean", 74.0), ("Max", 74.0), ("Max at", 72.0), ("At cursor", 80.0)];

pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame, lit: &mut Option<CounterId>) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let palette = Palette::of(ui);
    let numbers: f32 = COLUMNS.iter().map(|c| c.1).sum();
    let width = ui.available_width().max(numbers + 110.0);
    let line = |ui: &mut Ui, height, sense| ui.allocate_exact_size(vec2(width, height), sense);
    let (head, _) = line(ui, space::HEADER, Sense::hover());
    let cells = cells(head);
    let title = if cx.interaction.range.is_some() { "Counter, in the chosen range" } else { "Counter" };
    text_in(ui.painter(), cells[0], title, strong(12.0), palette.text_weak, Align::Min);
    for ((name, _), cell) in COLUMNS.iter().zip(&cells[1..]) {
        text_in(ui.painter(), *cell, name, strong(12.0), palette.text_weak, Align::Max);
    }
    ui.painter().hline(head.x_range(), head.bottom() - 0.5, Stroke::new(1.0, palette.line));
    for id in frame.groups.iter().flat_map(|g| g.counters.iter().copied()) {
        if !frame.shown.contains(&id) {
            continue;
        }
        let (rect, response) = line(ui, space::ROW, Sense::click());
        if response.hovered() {
            *lit = Some(id);
        }
        counter_row(cx, ui, frame, id, rect, &response);
        response.context_menu(|ui| menu(cx, ui, frame, id));
        focus_ring(ui, &response, rect);
    }
}

/// The menu of a counter: its row and the table as text, exact in CSV.
fn menu(cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame, id: CounterId) {
    let name = counter_name(cx.profile(), id);
    let all: Vec<_> = frame.groups.iter().flat_map(|g| g.counters.iter().copied()).collect();
    let rows: Vec<_> = all.into_iter().filter(|id| frame.shown.contains(id)).collect();
    let context = ContextMenu::new().title(&name).copies("Copy name", &name).row().table();
    let picked = context.show(cx, ui, |_, _| ());
    let columns = columns(cx.profile(), frame);
    match picked {
        Some(Picked::Row) => ui.ctx().copy_text(format::copied(CopyAs::Text, &columns, std::iter::once(id))),
        Some(Picked::Table(form)) => ui.ctx().copy_text(format::copied(form, &columns, rows.into_iter())),
        None => {}
    }
}

/// Counters with their figures. Their units differ, so each row names its own.
fn columns<'a>(profile: &'a Profile, frame: &'a Frame) -> Vec<Column<'a, CounterId, ()>> {
    let figures = |id: CounterId| frame.figures.get(id.index()).copied().flatten();
    let unit = |id: CounterId| profile.counters[id.index()].unit;
    let number = |key, title, of: fn(Figures) -> f64| {
        Column::number(key, title, Form::Plain, move |id: CounterId| match figures(id).map(of) {
            None => Value::Unknown,
            Some(value) => Value::Written(value_text(unit(id), value), value),
        })
    };
    vec![
        Column::name("counter", "Counter", |id: CounterId| Value::text(counter_name(profile, id))),
        Column::text("unit", "Unit", move |id: CounterId| Value::Word(unit(id).key())),
        number("min", "Min", |f| f.min),
        number("mean", "Mean", |f| f.mean),
        number("max", "Max", |f| f.max),
        Column::cost("max at", "Max at", (Form::Each(Unit::Nanoseconds), Unit::Nanoseconds), move |id| {
            Value::cost(figures(id).map(|f| f.max_time))
        }),
    ]
}

/// The cells of a row: the name, then the numbers.
fn cells(row: Rect) -> Vec<Rect> {
    let mut right = row.right() - space::SMALL;
    let mut cells = Vec::new();
    for (_, width) in COLUMNS.iter().rev() {
        cells.push(Rect::from_min_max(
            pos2(right - width + space::MEDIUM, row.top()),
            pos2(right, row.bottom()),
        ));
        right -= width;
    }
    cells.push(Rect::from_min_max(pos2(row.left() + space::SMALL, row.top()), pos2(right, row.bottom())));
    cells.reverse();
    cells
}

fn counter_row(
    cx: &mut ViewCx<'_>,
    ui: &Ui,
    frame: &Frame,
    id: CounterId,
    rect: Rect,
    response: &egui::Response,
) {
    let palette = Palette::of(ui);
    let profile = cx.profile();
    let (name, unit) = (counter_name(profile, id), profile.counters[id.index()].unit);
    let figures = frame.figures.get(id.index()).copied().flatten();
    let value = |v: Option<f64>| v.map_or_else(|| UNKNOWN.to_owned(), |v| value_text(unit, v));
    let at_cursor = cx.cursor.and_then(|t| profile.counters[id.index()].at(t));
    let texts = [
        value(figures.map(|f| f.min)),
        value(figures.map(|f| f.mean)),
        value(figures.map(|f| f.max)),
        figures.map_or_else(|| UNKNOWN.to_owned(), |f| format::duration(f.max_time)),
        if cx.cursor.is_some() { value(at_cursor) } else { String::new() },
    ];
    let item = figures.map(|f| Item::Time(f.max_time));
    let selected = item.as_ref().is_some_and(|i| cx.is_selected(i));
    let label = format!("{name}: {}", texts.join(" "));
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Row, true, selected, &label));
    let painter = ui.painter();
    let fill = if selected { Some(palette.selection) } else { response.hovered().then_some(palette.hover) };
    if let Some(fill) = fill {
        painter.rect_filled(rect, space::RADIUS_SMALL, fill);
    }
    let cells = cells(rect);
    let swatch = Rect::from_center_size(pos2(cells[0].left() + 5.0, rect.center().y), vec2(10.0, 10.0));
    painter.rect_filled(swatch, space::RADIUS_SMALL, color(palette, id));
    let mut place = cells[0];
    place.min.x += 16.0;
    text_in(painter, place, &name, regular(13.0), palette.text, Align::Min);
    for (i, (text, cell)) in texts.iter().zip(&cells[1..]).enumerate() {
        let (font, color) = match i {
            2 => (strong(13.0), palette.text_strong),
            3 => (regular(13.0), palette.text_weak),
            _ => (regular(13.0), palette.text),
        };
        text_in(painter, *cell, text, font, color, Align::Max);
    }
    if let Some(item) = item {
        cx.interact(response, &item);
    }
    if let Some(f) = figures {
        let text = format!(
            "{}\nMean weighted by time. A click selects the moment of the maximum.",
            format::counted(f.points as i64, "value", "values")
        );
        response.clone().on_hover_text(text);
    }
}

/// A value without fractions that nobody reads.
fn value_text(unit: Unit, value: f64) -> String {
    format::value(unit, if matches!(unit, Unit::Count) { (value * 100.0).round() / 100.0 } else { value })
}
