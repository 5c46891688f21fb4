//! Painting of the charts, their peaks, and the readout at the pointer.

use super::Frame;
use crate::analysis::counters::Series;
use crate::format;
use crate::model::{CounterId, Unit};
use crate::state::Item;
use crate::ui::text::TextCache;
use crate::ui::theme::{Palette, regular, small, space};
use crate::ui::widgets::focus_ring;
use crate::views::ViewCx;
use crate::views::heap;
use crate::views::shared::counter_name;
use crate::views::time::{self, Chart, Gesture, Scale};
use egui::{Align2, Color32, Painter, Rect, Response, Sense, Shape, Stroke, Ui, pos2, vec2};

/// The value scale of a group: of the whole profile, so that it does not jump while one moves.
fn scale(frame: &Frame, group: usize) -> Scale {
    let counters = frame.groups[group].counters.iter().filter(|c| frame.shown.contains(c));
    let figures = counters.filter_map(|c| frame.whole.get(c.index()).copied().flatten());
    let (min, max) =
        figures.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), f| (a.min(f.min), b.max(f.max)));
    Scale::new(min, max, frame.groups[group].unit, frame.places.charts[group].height())
}

/// The colour of a counter: by its place in the file, the same in every view.
pub(super) fn color(palette: &Palette, id: CounterId) -> Color32 {
    palette.series(id.index())
}

pub(super) fn paint(cx: &ViewCx<'_>, ui: &Ui, frame: &Frame, texts: &mut TextCache) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    let places = &frame.places;
    if let Some(phases) = &frame.phases {
        let mut texts = texts.begin(painter);
        time::phase_names(&mut texts, painter, places.band, &frame.axis, phases, cx.profile(), palette);
    }
    for (i, &area) in places.charts.iter().enumerate() {
        painter.rect_filled(area, 0.0, palette.canvas);
        if i < frame.groups.len() {
            paint_chart(cx, painter, frame, i, area, palette);
        }
    }
    let all = Rect::from_min_max(places.band.min, places.charts.last().map_or(places.band.max, |c| c.max));
    selection(cx, painter, all, frame, palette);
    time::range_marks(painter, all, &frame.axis, cx.interaction.range, cx.preview, palette);
    let cursor = cx.cursor.map(|t| t as f64);
    frame.axis.paint_ruler(painter, places.ruler, cursor, palette);
    if let Some(t) = cursor {
        frame.axis.paint_cursor(painter, all, t, palette);
    }
}

fn paint_chart(cx: &ViewCx<'_>, painter: &Painter, frame: &Frame, i: usize, area: Rect, palette: &Palette) {
    if let Some(phases) = &frame.phases {
        time::phase_shades(painter, area, &frame.axis, phases, cx.profile(), palette);
    }
    frame.axis.paint_grid(painter, area, palette);
    let scale = scale(frame, i);
    let chart = Chart { area, axis: &frame.axis, scale: &scale };
    chart.paint_values(painter, palette);
    let clip = painter.with_clip_rect(area.intersect(painter.clip_rect()));
    if let Some(lod) = &frame.lod {
        let of_group = |s: &&Series| frame.groups[i].counters.contains(&s.counter);
        let mut series: Vec<_> = lod.series.iter().filter(of_group).collect();
        // The one that is pointed at comes on top.
        series.sort_by_key(|s| frame.lit == Some(s.counter));
        for s in &series {
            let (line, others) = (color(palette, s.counter), frame.lit.is_some_and(|l| l != s.counter));
            let shown = if others && series.iter().any(|s| frame.lit == Some(s.counter)) {
                palette.dimmed(line)
            } else {
                line
            };
            time::area(
                &clip,
                &chart,
                lod,
                s,
                line.gamma_multiply(if series.len() == 1 { 0.20 } else { 0.07 }),
            );
            let width = if frame.lit == Some(s.counter) { 2.2 } else { 1.5 };
            time::line(&clip, &chart, lod, s, shown, width);
        }
        if let Some(t) = cx.cursor {
            cursor_dots(cx, &clip, &chart, &series, t, palette);
        }
    }
    let at = area.left_top() + vec2(space::MEDIUM, space::SMALL + 1.0);
    let title = painter.layout_no_wrap(frame.groups[i].title().to_owned(), small(), palette.text_weak);
    let behind = Rect::from_min_size(at, title.size()).expand2(vec2(4.0, 1.0));
    clip.rect_filled(behind, space::RADIUS_SMALL, palette.canvas.gamma_multiply(0.75));
    clip.galley(at, title, palette.text_weak);
}

fn cursor_dots(
    cx: &ViewCx<'_>,
    painter: &Painter,
    chart: &Chart<'_>,
    series: &[&Series],
    t: i64,
    palette: &Palette,
) {
    for s in series {
        if let Some(value) = cx.profile().counters[s.counter.index()].at(t) {
            let at = pos2(chart.axis.x_of(t as f64), chart.scale.y_of(value, chart.area));
            painter.circle(at, 3.0, color(palette, s.counter), Stroke::new(1.5, palette.canvas));
        }
    }
}

/// The time that the selected thing covers.
fn selection(cx: &ViewCx<'_>, painter: &Painter, area: Rect, frame: &Frame, palette: &Palette) {
    let Some((from, to)) = cx.interaction.selection.as_ref().and_then(|s| s.interval(cx.profile())) else {
        return;
    };
    let clip = painter.with_clip_rect(area.intersect(painter.clip_rect()));
    let (left, right) = (frame.axis.x_of(from as f64), frame.axis.x_of(to as f64));
    if right - left > 1.0 {
        let band = Rect::from_x_y_ranges(left..=right, area.y_range());
        clip.rect_filled(band, 0.0, palette.text_strong.gamma_multiply(0.07));
    }
    let stroke = Stroke::new(1.0, palette.text_strong);
    for x in [left, right] {
        let x = clip.round_to_pixel_center(x);
        clip.add(Shape::dashed_line(&[pos2(x, area.top()), pos2(x, area.bottom())], stroke, 3.0, 3.0));
    }
}

/// Marks the peak of each counter of bytes; the highest one is named. True when one was clicked.
pub(super) fn peaks(cx: &mut ViewCx<'_>, ui: &Ui, frame: &Frame) -> bool {
    let Some(i) = frame.groups.iter().position(|g| g.unit == Unit::Bytes) else { return false };
    let palette = Palette::of(ui);
    let (area, scale) = (frame.places.charts[i], scale(frame, i));
    let painter = ui.painter_at(area);
    let shown = frame.groups[i].counters.iter().filter(|c| frame.shown.contains(c));
    let mut marks: Vec<_> =
        shown.filter_map(|&c| Some((c, frame.figures.get(c.index()).copied().flatten()?))).collect();
    marks.sort_by(|a, b| b.1.max.total_cmp(&a.1.max));
    let heap = heap::peak(cx);
    let heap = heap.as_deref().and_then(Option::as_ref);
    let mut clicked = false;
    for (place, (id, figures)) in marks.into_iter().enumerate() {
        let at = pos2(frame.axis.x_of(figures.max_time as f64), scale.y_of(figures.max, area));
        if !area.expand(1.0).contains(at) {
            continue;
        }
        let name = counter_name(cx.profile(), id);
        let value = format::value(Unit::Bytes, figures.max);
        let item = Item::Time(figures.max_time);
        let spot = Rect::from_center_size(at, vec2(14.0, 14.0));
        let response = ui.interact(spot, ui.scope_id().with(("peak", id.0)), Sense::click());
        // The peak of the heap names who held it.
        let held = heap.filter(|h| (h.counter, h.time) == (id, figures.max_time));
        let held = held.map_or(String::new(), |h| heap::held_by(cx.profile(), h));
        let label = format!("Peak of {name}: {value}{held}");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        let radius = if response.hovered() || cx.is_selected(&item) { 5.0 } else { 3.5 };
        painter.circle(at, radius, palette.canvas, Stroke::new(2.0, color(palette, id)));
        if place == 0 || !held.is_empty() || response.hovered() || response.has_focus() {
            peak_label(&painter, area, at, &format!("{name} peak {value}{held}"), palette);
        }
        focus_ring(ui, &response, spot);
        clicked |= response.clicked();
        cx.interact(&response, &item);
        if response.hovered() {
            cx.out.cursor = Some(figures.max_time);
        }
        response.on_hover_text(format!(
            "{label} at {}\nClick to see what ran then",
            format::duration_exact(figures.max_time)
        ));
    }
    clicked
}

fn peak_label(painter: &Painter, area: Rect, at: egui::Pos2, text: &str, palette: &Palette) {
    let galley = painter.layout_no_wrap(text.to_owned(), small(), palette.text_strong);
    let size = galley.size() + vec2(10.0, 4.0);
    // Beside the mark where there is room, never outside of the chart.
    let left_side = at.x + 10.0 + size.x > area.right();
    let x = if left_side { at.x - 10.0 - size.x } else { at.x + 10.0 };
    let y = (at.y - size.y / 2.0).clamp(area.top() + 2.0, area.bottom() - size.y - 2.0);
    let rect = Rect::from_min_size(pos2(x.max(area.left() + 2.0), y), size);
    painter.rect(
        rect,
        space::RADIUS_SMALL,
        palette.popup,
        Stroke::new(1.0, palette.line),
        egui::StrokeKind::Inside,
    );
    painter.galley(rect.min + vec2(5.0, 2.0), galley, palette.text_strong);
}

/// The values under the pointer, beside it.
pub(super) fn readout(cx: &ViewCx<'_>, frame: &Frame, response: &Response, gesture: &Gesture) {
    let Some(t) = gesture.pointer.map(|t| t.round() as i64) else { return };
    let over = |p: egui::Pos2| frame.places.charts.iter().position(|c| c.contains(p));
    let Some(i) = response.hover_pos().and_then(over).filter(|&i| i < frame.groups.len()) else { return };
    let rows: Vec<_> = frame.groups[i]
        .counters
        .iter()
        .filter(|c| frame.shown.contains(c))
        .map(|&c| (c, counter_name(cx.profile(), c), cx.profile().counters[c.index()].at(t)))
        .collect();
    let unit = frame.groups[i].unit;
    response.clone().on_hover_ui_at_pointer(|ui| {
        let palette = Palette::of(ui);
        ui.spacing_mut().item_spacing.y = 1.0;
        for (id, name, value) in rows {
            let value = value.map_or_else(|| format::UNKNOWN.to_owned(), |v| format::value(unit, v));
            let (rect, _) = ui.allocate_exact_size(vec2(210.0, 18.0), Sense::hover());
            let swatch = Rect::from_center_size(pos2(rect.left() + 5.0, rect.center().y), vec2(9.0, 9.0));
            ui.painter().rect_filled(swatch, space::RADIUS_SMALL, color(palette, id));
            let text = |x: f32, align, text: String, color| {
                ui.painter().text(pos2(x, rect.center().y), align, text, regular(12.0), color);
            };
            text(rect.left() + 16.0, Align2::LEFT_CENTER, name, palette.text);
            text(rect.right(), Align2::RIGHT_CENTER, value, palette.text_strong);
        }
    });
}
