//! Which part of the drawing is seen, and how the eye gets to another part.
//!
//! Dragging and the wheel move at once; jumps glide ([`crate::ui::glide`]).

use egui::{Pos2, Rect, Response, Ui, Vec2, vec2};

use crate::ui::glide;

/// Least and largest zoom.
const ZOOMS: (f32, f32) = (0.02, 3.0);
/// Room around the drawing when all of it is shown.
const MARGIN: f32 = 24.0;

/// A place to look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The point of the drawing in the middle of the pane.
    pub centre: Pos2,
    /// Points of the screen for one of the drawing.
    pub zoom: f32,
}

impl glide::Place for Place {
    fn towards(self, goal: Self, share: f64) -> Self {
        let share = share as f32;
        Self {
            centre: self.centre + (goal.centre - self.centre) * share,
            zoom: self.zoom * (goal.zoom / self.zoom).powf(share),
        }
    }

    fn is_near(self, goal: Self) -> bool {
        (goal.zoom / self.zoom - 1.0).abs() < 1e-3 && ((goal.centre - self.centre) * goal.zoom).length() < 0.5
    }
}

/// The camera.
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    now: Place,
    target: Option<Place>,
}

impl Default for Camera {
    fn default() -> Self {
        Self { now: Place { centre: Pos2::ZERO, zoom: 1.0 }, target: None }
    }
}

impl Camera {
    /// What is seen now.
    #[must_use]
    pub fn now(&self) -> Place {
        self.now
    }

    /// Where it is going, or is.
    #[must_use]
    pub fn goal(&self) -> Place {
        self.target.unwrap_or(self.now)
    }

    /// Goes there at once.
    pub fn jump(&mut self, place: Place) {
        (self.now, self.target) = (clamped(place), None);
    }

    /// Goes there smoothly.
    pub fn glide(&mut self, place: Place) {
        self.target = Some(clamped(place));
    }

    /// Moves everything by an offset of the drawing, a glide included.
    pub fn shift(&mut self, by: Vec2) {
        self.now.centre += by;
        if let Some(target) = &mut self.target {
            target.centre += by;
        }
    }

    /// Moves on by `dt` seconds; true while it glides.
    pub fn step(&mut self, dt: f32) -> bool {
        let Some(target) = self.target else { return false };
        let (now, there) = glide::step(self.now, target, f64::from(dt));
        self.now = now;
        self.target = self.target.filter(|_| !there);
        !there
    }

    /// Dragging moves, the wheel zooms to the pointer; with Shift, or sideways, it moves.
    pub fn look_around(&mut self, ui: &Ui, response: &Response) {
        let area = response.rect;
        if response.dragged() {
            let place = self.now();
            let centre = place.centre - response.drag_delta() / place.zoom;
            self.jump(Place { centre, ..place });
        }
        let Some(at) = response.hover_pos() else { return };
        let (scroll, zoom, shift) =
            ui.input(|i| (i.smooth_scroll_delta(), i.zoom_delta(), i.modifiers.shift));
        if zoom != 1.0 {
            self.jump(Self::zoomed(self.now(), area, at, zoom));
        } else if scroll.y != 0.0 && !shift {
            self.jump(Self::zoomed(self.now(), area, at, (scroll.y * 0.004).exp()));
        } else if scroll != Vec2::ZERO {
            let place = self.now();
            self.jump(Place { centre: place.centre - scroll / place.zoom, ..place });
        }
    }

    /// The place zoomed by `factor` with the point `at` of the pane `area` kept where it is.
    #[must_use]
    pub fn zoomed(place: Place, area: Rect, at: Pos2, factor: f32) -> Place {
        let zoom = (place.zoom * factor).clamp(ZOOMS.0, ZOOMS.1);
        let off = at - area.center();
        Place { centre: place.centre + off / place.zoom - off / zoom, zoom }
    }

    /// The place that shows a drawing of `size` as large as it fits, but not larger than life.
    #[must_use]
    pub fn fitting(area: Rect, size: Vec2) -> Place {
        let room = (area.size() - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(10.0));
        let zoom = (room / size.max(Vec2::splat(1.0))).min_elem().clamp(ZOOMS.0, 1.0);
        Place { centre: (size / 2.0).to_pos2(), zoom }
    }

    /// True when it shows, or is going to show, all of a drawing of `size` as [`Self::fitting`] does.
    #[must_use]
    pub fn fits(&self, area: Rect, size: Vec2) -> bool {
        glide::Place::is_near(self.goal(), Self::fitting(area, size))
    }

    /// The place moved as little as possible to show `rect` of the drawing.
    #[must_use]
    pub fn revealing(place: Place, area: Rect, rect: Rect) -> Place {
        let room = (area.size() / place.zoom / 2.0 - Vec2::splat(MARGIN / place.zoom)).max(Vec2::ZERO);
        let along = |centre: f32, room: f32, (low, high): (f32, f32)| {
            if high - low > 2.0 * room { (low + high) / 2.0 } else { centre.clamp(high - room, low + room) }
        };
        let centre = Pos2::new(
            along(place.centre.x, room.x, (rect.left(), rect.right())),
            along(place.centre.y, room.y, (rect.top(), rect.bottom())),
        );
        Place { centre, ..place }
    }
}

fn clamped(place: Place) -> Place {
    let zoom = if place.zoom.is_finite() { place.zoom.clamp(ZOOMS.0, ZOOMS.1) } else { 1.0 };
    let centre = if place.centre.is_finite() { place.centre } else { Pos2::ZERO };
    Place { centre, zoom }
}

/// From points of the drawing to points of the screen.
#[derive(Clone, Copy, Debug)]
pub struct Lens {
    /// Where the drawing's origin is on the screen.
    pub origin: Pos2,
    /// Points of the screen for one of the drawing.
    pub zoom: f32,
}

impl Lens {
    /// What a camera sees in `area`.
    #[must_use]
    pub fn new(place: Place, area: Rect) -> Self {
        Self { origin: area.center() - place.centre.to_vec2() * place.zoom, zoom: place.zoom }
    }

    /// A point on the screen.
    #[must_use]
    pub fn point(&self, p: Pos2) -> Pos2 {
        self.origin + p.to_vec2() * self.zoom
    }

    /// A rectangle on the screen.
    #[must_use]
    pub fn rect(&self, rect: Rect) -> Rect {
        Rect::from_min_max(self.point(rect.min), self.point(rect.max))
    }

    /// A point of the drawing.
    #[must_use]
    pub fn back(&self, p: Pos2) -> Pos2 {
        let v = (p - self.origin) / self.zoom;
        vec2(v.x, v.y).to_pos2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn zooming_keeps_what_is_under_the_pointer() {
        let area = Rect::from_min_size(pos2(100.0, 50.0), vec2(800.0, 600.0));
        let place = Camera::fitting(area, vec2(2000.0, 1000.0));
        let at = pos2(300.0, 200.0);
        let before = Lens::new(place, area).back(at);
        let after = Lens::new(Camera::zoomed(place, area, at, 2.0), area).back(at);
        assert!((before - after).length() < 0.01);
        let all = Lens::new(place, area).rect(Rect::from_min_size(Pos2::ZERO, vec2(2000.0, 1000.0)));
        assert!(area.contains_rect(all));
    }

    #[test]
    fn revealing_moves_no_more_than_it_has_to() {
        let area = Rect::from_min_size(Pos2::ZERO, vec2(800.0, 600.0));
        let place = Place { centre: pos2(400.0, 300.0), zoom: 1.0 };
        let inside = Rect::from_center_size(pos2(300.0, 300.0), vec2(50.0, 50.0));
        assert_eq!(Camera::revealing(place, area, inside), place);
        let right = Rect::from_center_size(pos2(1000.0, 300.0), vec2(50.0, 50.0));
        assert_eq!(Camera::revealing(place, area, right).centre, pos2(1025.0 - 376.0, 300.0));
    }
}
