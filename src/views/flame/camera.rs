//! Which part of the chart is seen, and how the eye gets to another part.
//!
//! Dragging and the wheel move at once; keys and jumps glide ([`crate::ui::glide`]).

use crate::ui::glide;

/// What the camera may look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Length of the axis, in units.
    pub extent: f64,
    /// Height of all rows, in points.
    pub content: f64,
    /// Height of the window, in points.
    pub window: f64,
}

/// A place to look at.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Place {
    /// Left end, in units since the chart's start.
    pub t0: f64,
    /// Right end.
    pub t1: f64,
    /// Points above the upper edge.
    pub scroll: f64,
}

impl glide::Place for Place {
    fn towards(self, goal: Self, share: f64) -> Self {
        let ((t0, t1), scroll) = (
            glide::Place::towards((self.t0, self.t1), (goal.t0, goal.t1), share),
            self.scroll + (goal.scroll - self.scroll) * share,
        );
        Self { t0, t1, scroll }
    }

    fn is_near(self, goal: Self) -> bool {
        glide::Place::is_near((self.t0, self.t1), (goal.t0, goal.t1))
            && (self.scroll - goal.scroll).abs() < 0.5
    }
}

/// The camera.
#[derive(Clone, Copy, Debug, Default)]
pub struct Camera {
    now: Place,
    target: Option<Place>,
    /// True when a part of the axis was chosen; otherwise all of it is shown, however long it grows.
    zoomed: bool,
    /// Length of the axis in the last frame.
    extent: f64,
}

/// Units of the axis that are seen at least.
const SHORTEST: f64 = 4.0;

impl Camera {
    /// What is seen now.
    #[must_use]
    pub fn now(&self) -> Place {
        self.now
    }

    /// True when no part of the axis was chosen.
    #[must_use]
    pub fn shows_all(&self) -> bool {
        !self.zoomed
    }

    /// Where it is going, or is.
    #[must_use]
    pub fn goal(&self) -> Place {
        self.target.unwrap_or(self.now)
    }

    /// Keeps within the limits; call once per frame, before the others. With `follow` a camera that looks
    /// at the end of the axis stays there while it grows.
    pub fn fit(&mut self, limits: Limits, follow: bool) {
        let grown = limits.extent - self.extent;
        if follow && self.zoomed && self.extent > 0.0 && self.now.t1 >= self.extent * (1.0 - 1e-9) {
            self.now.t0 += grown;
            self.now.t1 += grown;
        }
        self.extent = limits.extent;
        if !self.zoomed && self.target.is_none() {
            (self.now.t0, self.now.t1) = (0.0, limits.extent);
        }
        self.now = clamped(self.now, limits);
        self.target = self.target.map(|t| clamped(t, limits));
    }

    /// Moves on by `dt` seconds; true while it glides.
    pub fn step(&mut self, dt: f64, limits: Limits) -> bool {
        let Some(target) = self.target else { return false };
        let (now, there) = glide::step(self.now, target, dt);
        self.now = now;
        if there {
            self.target = None;
            self.zoomed = target.t1 - target.t0 < limits.extent * (1.0 - 1e-9);
        }
        !there
    }

    /// Glides to a place.
    pub fn glide(&mut self, to: Place, limits: Limits) {
        self.zoomed = true;
        self.target = Some(clamped(to, limits));
    }

    /// Shows a place at once.
    pub fn jump(&mut self, to: Place, limits: Limits) {
        self.target = None;
        self.now = clamped(to, limits);
        self.zoomed = self.now.t1 - self.now.t0 < limits.extent * (1.0 - 1e-9);
    }

    /// Shows a part of the axis at once, before its limits are known in the next frame.
    pub fn see(&mut self, t0: f64, t1: f64) {
        self.target = None;
        (self.now.t0, self.now.t1) = (t0, t1);
        self.zoomed = t1 - t0 < self.extent * (1.0 - 1e-9);
    }

    /// `place` zoomed by `factor` (over 1: closer) around the share `at` of the width.
    #[must_use]
    pub fn zoomed_at(place: Place, at: f64, factor: f64, limits: Limits) -> Place {
        let span = place.t1 - place.t0;
        let center = place.t0 + span * at;
        let new = (span / factor).clamp(SHORTEST.min(limits.extent), limits.extent);
        Place { t0: center - new * at, t1: center + new * (1.0 - at), ..place }
    }

    /// `place` moved by a share of its width.
    #[must_use]
    pub fn panned(place: Place, share: f64) -> Place {
        let by = (place.t1 - place.t0) * share;
        Place { t0: place.t0 + by, t1: place.t1 + by, ..place }
    }

    /// The least change of `place` that shows `t0..t1` and the row at `y`: nothing when it is in view.
    #[must_use]
    pub fn revealing(place: Place, (t0, t1): (f64, f64), (y, row): (f64, f64), limits: Limits) -> Place {
        let mut out = place;
        let (span, length) = (place.t1 - place.t0, t1 - t0);
        let seen = t1 > place.t0 && t0 < place.t1;
        if length > span || length < span / 400.0 {
            // Too large or too small to recognise: a quarter of the width, or all of it.
            if length > span && !seen || length < span / 400.0 {
                let new = (length * 4.0).clamp(SHORTEST, limits.extent);
                (out.t0, out.t1) = ((t0 + t1 - new) / 2.0, (t0 + t1 + new) / 2.0);
            }
        } else if t0 < place.t0 || t1 > place.t1 {
            (out.t0, out.t1) = ((t0 + t1 - span) / 2.0, (t0 + t1 + span) / 2.0);
        }
        if y < place.scroll || y + row > place.scroll + limits.window {
            out.scroll = y + row / 2.0 - limits.window / 2.0;
        }
        out
    }
}

fn clamped(place: Place, limits: Limits) -> Place {
    let extent = limits.extent.max(1.0);
    let mut span = place.t1 - place.t0;
    if !span.is_finite() || !place.t0.is_finite() || span <= 0.0 {
        return Place { t0: 0.0, t1: extent, scroll: 0.0 };
    }
    span = span.clamp(SHORTEST.min(extent), extent);
    let t0 = place.t0.clamp(0.0, extent - span);
    let scroll = if place.scroll.is_finite() { place.scroll } else { 0.0 };
    Place { t0, t1: t0 + span, scroll: scroll.clamp(0.0, (limits.content - limits.window).max(0.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { extent: 1000.0, content: 500.0, window: 100.0 };

    fn camera() -> Camera {
        let mut camera = Camera::default();
        camera.fit(LIMITS, false);
        camera
    }

    #[test]
    fn shows_all_of_a_growing_axis_until_zoomed() {
        let mut camera = camera();
        camera.fit(Limits { extent: 2000.0, ..LIMITS }, false);
        assert_eq!(camera.now(), Place { t0: 0.0, t1: 2000.0, scroll: 0.0 });
        let place = Camera::zoomed_at(camera.now(), 0.25, 4.0, LIMITS);
        camera.jump(place, LIMITS);
        assert!(camera.zoomed);
        camera.fit(Limits { extent: 4000.0, ..LIMITS }, false);
        assert_eq!(camera.now(), place);
        camera.jump(Place { t0: 0.0, t1: 4000.0, scroll: 0.0 }, Limits { extent: 4000.0, ..LIMITS });
        assert!(!camera.zoomed);
    }

    #[test]
    fn zoom_keeps_the_time_under_the_pointer_and_the_limits() {
        let place = Camera::zoomed_at(camera().now(), 0.3, 2.0, LIMITS);
        assert_eq!((place.t0, place.t1), (150.0, 650.0));
        let near = Camera::zoomed_at(place, 0.5, 1e12, LIMITS);
        assert_eq!(near.t1 - near.t0, SHORTEST);
        let mut camera = camera();
        camera.jump(Place { t0: -500.0, t1: 9e9, scroll: 9e9 }, LIMITS);
        assert_eq!(camera.now(), Place { t0: 0.0, t1: 1000.0, scroll: 400.0 });
        camera.jump(Place { t0: f64::NAN, t1: 1.0, scroll: 0.0 }, LIMITS);
        assert_eq!(camera.now().t1, 1000.0);
    }

    #[test]
    fn a_live_chart_follows_its_end() {
        let mut camera = camera();
        camera.jump(Place { t0: 900.0, t1: 1000.0, scroll: 0.0 }, LIMITS);
        camera.fit(Limits { extent: 1500.0, ..LIMITS }, true);
        assert_eq!((camera.now().t0, camera.now().t1), (1400.0, 1500.0));
        camera.jump(Place { t0: 100.0, t1: 200.0, scroll: 0.0 }, LIMITS);
        camera.fit(Limits { extent: 2500.0, ..LIMITS }, true);
        assert_eq!(camera.now().t0, 100.0, "who looks elsewhere is left alone");
    }

    #[test]
    fn a_glide_gets_there_and_a_long_step_jumps() {
        let goal = Place { t0: 100.0, t1: 200.0, scroll: 50.0 };
        let mut camera = camera();
        camera.glide(goal, LIMITS);
        let steps = (0..200).take_while(|_| camera.step(0.016, LIMITS)).count();
        assert!((5..60).contains(&steps) && camera.now() == goal, "{steps}");
        camera.glide(Place { t0: 0.0, ..goal }, LIMITS);
        assert!(!camera.step(0.25, LIMITS));
        assert_eq!(camera.now().t0, 0.0);
    }

    #[test]
    fn revealing_moves_only_when_needed() {
        let place = Place { t0: 100.0, t1: 200.0, scroll: 0.0 };
        let reveal = |t, y| Camera::revealing(place, t, (y, 18.0), LIMITS);
        assert_eq!(reveal((120.0, 150.0), 20.0), place);
        assert_eq!(reveal((300.0, 340.0), 20.0), Place { t0: 270.0, t1: 370.0, scroll: 0.0 });
        assert_eq!(reveal((120.0, 150.0), 90.0).scroll, 49.0);
        assert_eq!(reveal((50.0, 500.0), 0.0), place, "a box that covers the window is in view");
        let tiny = reveal((150.0, 150.1), 0.0);
        assert!(tiny.t1 - tiny.t0 <= SHORTEST);
    }
}
