//! The whole run in a strip: how busy it was, and which part is seen. Its window can be moved, stretched and
//! drawn anew.

use super::paint::busy_bars;
use crate::analysis::activity::{Activity, BusyOf};
use crate::state::Command;
use crate::ui::keyboard;
use crate::ui::theme::{Palette, space};
use crate::ui::timeaxis::TimeAxis;
use crate::views::ViewCx;
use crate::views::time::Viewport;
use egui::{CursorIcon, Key, Modifiers, Rect, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

/// What is being dragged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Drag {
    /// The left edge of the window.
    Left,
    /// Its right edge.
    Right,
    /// The window.
    Window,
    /// A new window from here on, ns.
    New(f64),
    /// The time range that all views are to show, from here on, ns.
    Range(f64),
}

/// Columns of the picture.
const COLUMNS: u32 = 600;
/// Reach of an edge, points.
const EDGE: f32 = 5.0;

/// What a drag that begins at `x` does to a window from `left` to `right`.
pub(super) fn kind(x: f32, left: f32, right: f32, at: f64, all: bool) -> Drag {
    if (x - left).abs() <= EDGE && x < (left + right) / 2.0 {
        Drag::Left
    } else if (x - right).abs() <= EDGE {
        Drag::Right
    } else if (left..right).contains(&x) && !all {
        Drag::Window
    } else {
        Drag::New(at)
    }
}

pub(super) fn show(
    cx: &mut ViewCx<'_>,
    ui: &Ui,
    area: Rect,
    viewport: &mut Viewport,
    drag: &mut Option<Drag>,
) {
    if area.height() < 8.0 || area.width() < 20.0 {
        return;
    }
    let palette = Palette::of(ui);
    let painter = ui.painter_at(area);
    painter.rect_filled(area, space::RADIUS_SMALL, palette.canvas);
    let (from, to) = viewport.whole();
    let x_of = |t: f64| area.left() + ((t - from) / (to - from)) as f32 * area.width();
    let t_of = |x: f32| from + f64::from((x - area.left()) / area.width()) * (to - from);
    let axis =
        TimeAxis { t0: from, t1: to, x: area.x_range(), ticks: Vec::new(), minor: Vec::new(), anchor: None };
    let activity = Activity { of: BusyOf::All, range: None, columns: COLUMNS };
    if let Some(busy) = cx.ask(&activity, 0).beside().filter(|b| b.most > 0.0) {
        busy_bars(&painter, &busy, area.with_min_y(area.top() + 4.0), busy.most, &axis, palette);
    }
    let response = ui.interact(area, ui.scope_id().with("minimap"), Sense::click_and_drag());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Slider, true, "Overview of the whole run"));
    let (left, right) = (x_of(viewport.t0), x_of(viewport.t1));
    let at = response.interact_pointer_pos();
    if response.drag_started() {
        let start = ui.input(|i| i.pointer.press_origin()).or(at);
        let shift = ui.input(|i| i.modifiers.shift);
        *drag = start.map(|p| match t_of(p.x) {
            t if shift => Drag::Range(t),
            t => kind(p.x, left, right, t, viewport.shows_all()),
        });
    }
    if let (Some(now), Some(p)) = (*drag, at) {
        let t = t_of(p.x);
        let by = f64::from(response.drag_delta().x / area.width()) * (to - from);
        match now {
            Drag::Left => viewport.set(t.min(viewport.t1 - 1.0), viewport.t1),
            Drag::Right => viewport.set(viewport.t0, t.max(viewport.t0 + 1.0)),
            Drag::Window => viewport.pan(by),
            Drag::New(start) => viewport.set(start.min(t), start.max(t)),
            Drag::Range(start) => {
                let range = Some((start.min(t).round() as i64, start.max(t).round() as i64));
                if response.drag_stopped() {
                    cx.send(Command::SetRange(range));
                } else {
                    cx.out.preview = range;
                }
            }
        }
    }
    if response.drag_stopped() {
        *drag = None;
    }
    if response.double_clicked() {
        viewport.fit();
    } else if response.clicked()
        && let Some(p) = at
        && !viewport.shows_all()
    {
        let half = viewport.length() / 2.0;
        viewport.set(t_of(p.x) - half, t_of(p.x) + half);
    }
    keys(ui, &response, viewport);
    if response.has_focus() {
        ui.painter().rect_stroke(
            area,
            space::RADIUS_SMALL,
            Stroke::new(1.5, palette.accent),
            StrokeKind::Outside,
        );
    }
    cursor_icon(ui, &response, (left, right), *drag, viewport.shows_all());
    window(cx, &painter, area, (x_of(viewport.t0), x_of(viewport.t1)), x_of, palette, viewport.shows_all());
    response.on_hover_text(
        "Drag to look at a part, its edges to stretch it; Shift+drag chooses a range for all views; \
         double click shows everything",
    );
}

/// With the focus, arrows move the window and make it wider or narrower.
fn keys(ui: &Ui, response: &egui::Response, viewport: &mut Viewport) {
    if !response.has_focus() {
        return;
    }
    keyboard::hold(ui, response, false);
    let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let (step, middle) = (viewport.length() * 0.2, f64::midpoint(viewport.t0, viewport.t1));
    for (key, by) in [(Key::ArrowLeft, -step), (Key::ArrowRight, step)] {
        if pressed(key) {
            viewport.pan(by);
        }
    }
    for (key, factor) in [(Key::ArrowUp, 1.0 / 1.5), (Key::ArrowDown, 1.5)] {
        if pressed(key) {
            viewport.zoom(factor, middle);
        }
    }
}

fn cursor_icon(ui: &Ui, response: &egui::Response, (left, right): (f32, f32), drag: Option<Drag>, all: bool) {
    let Some(p) = response.hover_pos() else { return };
    ui.set_cursor_icon(match drag.unwrap_or_else(|| kind(p.x, left, right, 0.0, all)) {
        Drag::Left | Drag::Right => CursorIcon::ResizeHorizontal,
        Drag::Window if drag.is_some() => CursorIcon::Grabbing,
        Drag::Window => CursorIcon::Grab,
        Drag::New(_) | Drag::Range(_) => CursorIcon::Crosshair,
    });
}

fn window(
    cx: &ViewCx<'_>,
    painter: &egui::Painter,
    area: Rect,
    (left, right): (f32, f32),
    x_of: impl Fn(f64) -> f32,
    palette: &Palette,
    all: bool,
) {
    if let Some((from, to)) = cx.preview.or(cx.interaction.range) {
        let mark =
            Rect::from_x_y_ranges(x_of(from as f64)..=x_of(to as f64), area.bottom() - 3.0..=area.bottom());
        painter.rect_filled(mark, 0.0, palette.accent);
    }
    if let Some(t) = cx.cursor {
        let x = painter.round_to_pixel_center(x_of(t as f64));
        painter.vline(x, area.y_range(), Stroke::new(1.0, palette.accent));
    }
    if all {
        painter.rect_stroke(area, space::RADIUS_SMALL, Stroke::new(1.0, palette.line), StrokeKind::Inside);
        return;
    }
    let veil = palette.panel.gamma_multiply(0.7);
    painter.rect_filled(area.with_max_x(left), 0.0, veil);
    painter.rect_filled(area.with_min_x(right), 0.0, veil);
    // A window of less than a few points could not be seen or caught.
    let middle = f32::midpoint(left, right);
    let frame = Rect::from_x_y_ranges(left.min(middle - 2.0)..=right.max(middle + 2.0), area.y_range());
    painter.rect_stroke(frame, space::RADIUS_SMALL, Stroke::new(1.5, palette.text_weak), StrokeKind::Inside);
    for x in [frame.left(), frame.right()] {
        let grip = Rect::from_center_size(pos2(x, area.center().y), vec2(4.0, 12.0));
        painter.rect_filled(grip, 2.0, palette.text_weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drag_moves_stretches_or_draws_the_window() {
        let of = |x| kind(x, 100.0, 200.0, 7.0, false);
        assert_eq!([of(98.0), of(150.0), of(203.0)], [Drag::Left, Drag::Window, Drag::Right]);
        assert_eq!([of(40.0), of(260.0)], [Drag::New(7.0), Drag::New(7.0)]);
        assert_eq!(kind(150.0, 0.0, 300.0, 7.0, true), Drag::New(7.0), "all is seen: nothing to move");
        assert_eq!(kind(101.0, 100.0, 102.0, 7.0, false), Drag::Right, "a thin window can be caught");
    }
}
