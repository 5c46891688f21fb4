//! What stands on the screen in one frame, from back to front, and its names for screen readers.

use crate::analysis::formula::Measure;
use crate::views::boxes::GroupName;
use egui::{Color32, Id, Rangef, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::input::Drag;
use super::{FlameView, MOST_NODES};
use crate::analysis::flame_rows::{Axis, FlameRows};
use crate::format;
use crate::model::Unit;
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::ui::timeaxis::TimeAxis;
use crate::views::boxes::METRICS;
use crate::views::boxes::layout::{Port, Strip};
use crate::views::boxes::paint::{self, Lit};
use crate::views::{ViewCx, time};

/// What one frame paints.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub rows: &'a FlameRows,
    pub chart: Rect,
    pub ruler: Rect,
    pub port: Port,
    pub palette: &'a Palette,
    /// The scroll bar and its colour.
    pub bar: Option<(Rect, Color32)>,
}

/// Unit of the axis.
fn unit(rows: &FlameRows) -> Unit {
    match rows.axis {
        Axis::Time => Unit::Nanoseconds,
        Axis::Cost(metric) => Measure::of(metric, rows.profile()).map_or(Unit::None, |m| m.unit),
    }
}

impl FlameView {
    /// Paints everything.
    pub(super) fn paint_all(&mut self, cx: &ViewCx<'_>, ui: &Ui, frame: &Frame<'_>) {
        let Frame { rows, chart, ruler, port, palette, bar } = *frame;
        let painter = ui.painter().with_clip_rect(chart);
        let Some((_, colors)) = &self.colors else { return };
        painter.rect_filled(chart, 0.0, palette.canvas);
        let axis =
            TimeAxis::layout(rows.start as f64 + port.t0, rows.start as f64 + port.t1, chart.x_range());
        let timed = rows.axis == Axis::Time;
        if timed {
            let cursor = cx.cursor.filter(|_| self.drag.is_none() && cx.preview.is_none());
            axis.paint_ruler(ui.painter(), ruler, cursor.map(|t| t as f64), palette);
            axis.paint_grid(&painter, chart, palette);
        } else {
            let ticks =
                paint::paint_share_ruler(ui.painter(), ruler, &port, rows.whole.total as f64, palette);
            for x in ticks {
                let x = painter.round_to_pixel_center(x);
                painter.vline(x, chart.y_range(), egui::Stroke::new(1.0, palette.line_faint));
            }
        }
        self.painted.paint(&painter);
        let unit = unit(rows);
        let amount = |length| format::cost(unit, length);
        let texts = &mut self.texts.begin(&painter);
        paint::paint_labels(&painter, texts, chart, &self.layout, (rows, colors), amount);
        self.paint_marks(cx, frame, &painter);
        if timed {
            self.paint_times(cx, ui, frame, &axis);
        }
        self.paint_headers(ui, frame, &painter);
        self.paint_narrow(ui, frame, &painter);
        paint_position(ui.painter(), ruler, rows, &port, palette);
        if let Some((bar, color)) = bar {
            painter.rect_filled(bar, 4.0, color);
        }
        if let Some(facts) = &self.facts
            && let Some(pointer) = ui.input(|i| i.pointer.latest_pos())
            && let Some(y) = self.layout.y_of(facts.hit.at.row)
        {
            let y = Rangef::new(chart.top() + y, chart.top() + y + METRICS.row);
            facts.show(ui, Rect::from_x_y_ranges(Rangef::new(pointer.x - 2.0, pointer.x + 12.0), y));
        }
    }

    /// Headers of groups, above marks that run through the chart.
    fn paint_headers(&self, ui: &Ui, frame: &Frame<'_>, painter: &egui::Painter) {
        let Frame { rows, chart, palette, .. } = *frame;
        let pointer = ui.input(|i| i.pointer.hover_pos());
        for (strip, y) in &self.layout.strips {
            let Strip::Header(group) = *strip else { continue };
            let rect =
                Rect::from_min_size(pos2(chart.left(), chart.top() + y), vec2(chart.width(), METRICS.header));
            let name = GroupName::of(rows.groups[group as usize].of, rows.profile());
            let open = !self.folded.contains(&name);
            let hovered = pointer.is_some_and(|p| rect.contains(p) && chart.contains(p));
            paint::paint_header(painter, (rect, palette), rows, group, (open, hovered));
        }
    }

    /// How many boxes are too narrow to be told apart.
    fn paint_narrow(&self, ui: &Ui, frame: &Frame<'_>, painter: &egui::Painter) {
        let Frame { chart, palette, .. } = *frame;
        if self.layout.narrow == 0 || chart.width() < 260.0 || chart.height() < 60.0 {
            return;
        }
        let count = i64::try_from(self.layout.narrow).unwrap_or(i64::MAX);
        let text = format!("+ {} (zoom in)", format::counted(count, "narrow box", "narrow boxes"));
        let galley = painter.layout_no_wrap(text.clone(), crate::ui::theme::small(), palette.text_weak);
        let size = galley.size() + vec2(12.0, 6.0);
        let rect = Rect::from_min_size(chart.right_bottom() - size - vec2(14.0, 4.0), size);
        painter.rect_filled(rect, 3.0, palette.panel);
        painter.rect_stroke(rect, 3.0, egui::Stroke::new(1.0, palette.line), egui::StrokeKind::Inside);
        painter.galley(rect.min + vec2(6.0, 3.0), galley, palette.text_weak);
        let about = "In each pixel the longest box shows. Zoom in to tell them apart.";
        let response = ui.interact(rect, ui.scope_id().with("narrow"), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text.as_str()));
        response.on_hover_text(about);
    }

    /// The selection, and the box under the pointer.
    fn paint_marks(&self, cx: &ViewCx<'_>, frame: &Frame<'_>, painter: &egui::Painter) {
        let Frame { rows, chart, palette, .. } = *frame;
        if !std::ptr::eq(&**rows.profile(), cx.profile()) {
            return;
        }
        let function = |item: Option<&Item>| item.and_then(|i| i.function(cx.profile()));
        // The box under the own pointer, or where the function under the pointer of another view runs.
        let lit = match &self.facts {
            Some(facts) => Lit::Box(facts.hit.at),
            None => Lit::Function(function(cx.hover)),
        };
        let selected = (self.selected, function(cx.interaction.selection.as_ref()));
        paint::paint_marks(painter, (chart, palette), &self.layout, lit, selected);
    }

    /// Time range, the range being dragged, and the moment under the pointer.
    fn paint_times(&self, cx: &ViewCx<'_>, ui: &Ui, frame: &Frame<'_>, axis: &TimeAxis) {
        let Frame { chart, ruler, palette, .. } = *frame;
        let painter = ui.painter().with_clip_rect(chart);
        let dragged = self.drag.map(Drag::range).or(cx.preview);
        time::range_marks(&painter, chart, axis, cx.interaction.range, dragged, palette);
        if let Some((from, to)) = cx.interaction.range {
            let left = axis.x_of(from as f64).max(ruler.left());
            let right = axis.x_of(to as f64).min(ruler.right());
            let band = ruler.with_min_y(ruler.bottom() - 3.0).with_min_x(left).with_max_x(right);
            if band.is_positive() {
                ui.painter().rect_filled(band, 0.0, palette.accent);
            }
        }
        if let Some(cursor) = cx.cursor.filter(|_| dragged.is_none()) {
            axis.paint_cursor(&painter, chart, cursor as f64, palette);
        }
    }

    /// Names the wide boxes for screen readers and tests.
    pub(super) fn accessible(&self, ui: &Ui, id: Id, rows: &FlameRows, chart: Rect) {
        if ui.ctx().accesskit_node_builder(id, |_| ()).is_none() {
            return;
        }
        let unit = unit(rows);
        for (quad, x0, x1) in self.layout.labelled(chart.width()).take(MOST_NODES) {
            let Some(b) = rows.get(quad.at) else { continue };
            let x = Rangef::new(chart.left() + x0, chart.left() + x1);
            let y = Rangef::new(chart.top() + quad.y, chart.top() + quad.y + METRICS.row - 1.0);
            let rect = Rect::from_x_y_ranges(x, y).intersect(chart);
            let node = ui.interact(rect, id.with(quad.at), Sense::hover());
            let selected = self.selected == Some(quad.at);
            let name = format!("{} {}", rows.label(quad.at, b.who), format::cost(unit, b.length()));
            node.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, name.as_str()));
        }
    }
}

/// A thin bar on the ruler: which part of the whole is seen.
fn paint_position(painter: &egui::Painter, ruler: Rect, rows: &FlameRows, port: &Port, palette: &Palette) {
    let extent = rows.extent() as f64;
    if port.t1 - port.t0 >= extent * 0.9999 {
        return;
    }
    let x = |t: f64| ruler.left() + (t / extent) as f32 * ruler.width();
    let track = ruler.with_max_y(ruler.top() + 2.0);
    painter.rect_filled(track, 0.0, palette.line);
    let left = x(port.t0).min(ruler.right() - 3.0);
    let seen = track.with_min_x(left).with_max_x(x(port.t1).max(left + 3.0));
    painter.rect_filled(seen, 0.0, palette.accent);
}
