//! Pointer and keys, as in speedscope and Perfetto, turned into a few wishes.

use egui::{Key, Modifiers, PointerButton, Rect, Response, Ui};

use super::camera::{Camera, Limits, Place};
use crate::analysis::flame_rows::{BoxAt, FlameRows, GroupOf};
use crate::ui::keyboard;
use crate::views::boxes::layout::Port;

/// Share of the width that a key moves by.
const KEY_PAN: f64 = 0.2;
/// How much closer a key goes.
const KEY_ZOOM: f64 = 1.5;

/// A dragged range, in units of the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drag {
    /// Where it began.
    pub from: f64,
    /// Where it is.
    pub to: f64,
}

impl Drag {
    /// Its ends in order, in whole units.
    #[must_use]
    pub fn range(self) -> (i64, i64) {
        (self.from.min(self.to).floor() as i64, self.from.max(self.to).ceil() as i64)
    }
}

/// What the user wants besides moving the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// Select the box beside the selected one.
    Select(BoxAt),
    /// Show all of it.
    Whole,
    /// Make the selected box as wide as the chart.
    ZoomToSelection,
    /// Clear the range being dragged, the selection, or the time range.
    Clear,
    /// The dragged range is final.
    Range(Drag),
}

/// The chart during one frame.
pub struct Chart<'a> {
    /// Its rows.
    pub rows: &'a FlameRows,
    /// Its rectangle.
    pub rect: Rect,
    /// Its response.
    pub response: &'a Response,
    /// What the camera may look at.
    pub limits: Limits,
    /// What is seen.
    pub port: Port,
}

impl Chart<'_> {
    /// Unit of the axis at screen position `x`.
    fn unit_at(&self, x: f32) -> f64 {
        let extent = self.rows.extent() as f64;
        let t = self.port.t_at(x - self.rect.left());
        self.rows.start as f64 + t.clamp(0.0, extent)
    }

    /// Wheel, pinch and drag: moves the camera, and the range while one is dragged.
    pub fn pointer(&self, ui: &Ui, camera: &mut Camera, drag: &mut Option<Drag>) -> Option<Wish> {
        if self.response.contains_pointer() {
            self.wheel(ui, camera);
        }
        let shift = ui.input(|i| i.modifiers.shift);
        let at = self.response.interact_pointer_pos();
        if self.response.drag_started_by(PointerButton::Primary) && shift {
            let origin = ui.input(|i| i.pointer.press_origin()).or(at);
            *drag = origin.map(|p| Drag { from: self.unit_at(p.x), to: self.unit_at(p.x) });
        }
        if let (Some(drag), Some(at)) = (drag.as_mut(), at) {
            drag.to = self.unit_at(at.x);
        } else if self.response.dragged_by(PointerButton::Primary)
            || self.response.dragged_by(PointerButton::Middle)
        {
            let by = self.response.drag_delta();
            let mut place = Camera::panned(camera.now(), -f64::from(by.x / self.rect.width()));
            place.scroll -= f64::from(by.y);
            camera.jump(place, self.limits);
            ui.set_cursor_icon(egui::CursorIcon::Grabbing);
        }
        if drag.is_some() || shift && self.response.hovered() {
            ui.set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
        }
        let done = self.response.drag_stopped();
        drag.take_if(|_| done).filter(|d| d.from != d.to).map(Wish::Range)
    }

    fn wheel(&self, ui: &Ui, camera: &mut Camera) {
        let (zoom, scroll, pointer) =
            ui.input(|i| (i.zoom_delta(), i.smooth_scroll_delta(), i.pointer.hover_pos()));
        let mut place = camera.now();
        if zoom != 1.0 {
            let x = pointer.map_or(self.rect.center().x, |p| p.x);
            let share = f64::from((x - self.rect.left()) / self.rect.width()).clamp(0.0, 1.0);
            place = Camera::zoomed_at(place, share, f64::from(zoom), self.limits);
        } else if scroll != egui::Vec2::ZERO {
            place = Camera::panned(place, -f64::from(scroll.x / self.rect.width()));
            place.scroll -= f64::from(scroll.y);
        }
        if place != camera.now() {
            camera.jump(place, self.limits);
        }
    }

    /// Keys. The selection moves as one sees it: up and down are neighbouring rows.
    pub fn keys(&self, ui: &Ui, camera: &mut Camera, selected: Option<BoxAt>) -> Option<Wish> {
        keyboard::hold(ui, self.response, true);
        if !keyboard::listens(ui, self.response) {
            return None;
        }
        let pressed = |key: Key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let share = ui
            .input(|i| i.pointer.hover_pos())
            .filter(|p| self.rect.contains(*p))
            .map_or(0.5, |p| f64::from((p.x - self.rect.left()) / self.rect.width()));
        let goal = camera.goal();
        let moves: [(Key, Place); 4] = [
            (Key::W, Camera::zoomed_at(goal, share, KEY_ZOOM, self.limits)),
            (Key::S, Camera::zoomed_at(goal, share, 1.0 / KEY_ZOOM, self.limits)),
            (Key::A, Camera::panned(goal, -KEY_PAN)),
            (Key::D, Camera::panned(goal, KEY_PAN)),
        ];
        for (key, place) in moves {
            if pressed(key) {
                camera.glide(place, self.limits);
            }
        }
        let page = self.limits.window * 0.9;
        for (key, by) in [(Key::PageDown, page), (Key::PageUp, -page)] {
            if pressed(key) {
                camera.glide(Place { scroll: camera.goal().scroll + by, ..camera.goal() }, self.limits);
            }
        }
        if pressed(Key::Num0) || pressed(Key::Home) {
            return Some(Wish::Whole);
        }
        if pressed(Key::Enter) {
            return Some(Wish::ZoomToSelection);
        }
        if pressed(Key::Escape) {
            return Some(Wish::Clear);
        }
        self.arrows(&pressed, selected)
    }

    fn arrows(&self, pressed: &dyn Fn(Key) -> bool, selected: Option<BoxAt>) -> Option<Wish> {
        let keys = [Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];
        let key = keys.into_iter().find(|&key| pressed(key))?;
        let Some(at) = selected else {
            // The first step goes to the outermost box that starts first, or the sandwich's function.
            let group = self.rows.groups.iter().find(|g| g.of != GroupOf::Callers)?;
            let first = BoxAt { row: group.rows.start, index: 0 };
            return self.rows.get(first).map(|_| Wish::Select(first));
        };
        let next = match key {
            Key::ArrowUp => self.rows.neighbour_row(at, false),
            Key::ArrowDown => self.rows.neighbour_row(at, true),
            Key::ArrowLeft => self.rows.neighbour(at, false),
            _ => self.rows.neighbour(at, true),
        };
        next.map(Wish::Select)
    }
}
