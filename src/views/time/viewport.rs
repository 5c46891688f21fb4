//! Which part of the time a view shows, and the keys and gestures that move it.
//!
//! The same everywhere, and as in the flame chart: Ctrl+wheel zooms at the pointer, dragging or Shift+wheel
//! moves, W S A D (and arrows where they mean nothing else) zoom and move, 0 or a double click shows everything, Enter shows the selected thing,
//! Shift+drag chooses a range, Escape takes it back. [`Viewport`] is plain
//! arithmetic in `f64` ns; [`Viewport::gesture`] is the only part that reads input.

use crate::model::Profile;
use crate::state::Command;
use crate::ui::timeaxis::TimeAxis;
use crate::ui::{glide, keyboard};
use crate::views::{Seen, TimeWindow, ViewCx};
use egui::{Key, Modifiers, PointerButton, Response, Ui};

/// The gestures in one sentence, for tooltips.
pub const HELP: &str = "Ctrl+wheel or W/S zooms, drag or A/D moves, Shift+drag chooses a range, \
     double click shows everything";

/// Shortest time that fills a view, ns.
const SHORTEST: f64 = 20.0;
/// What is shown before the first and after the last thing, as a share of the whole.
const MARGIN: f64 = 0.01;
/// Share of the width that a key moves by.
const KEY_PAN: f64 = 0.2;
/// How much closer a key goes.
const KEY_ZOOM: f64 = 1.5;

/// The time shown by a view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Viewport {
    /// Time at the left edge, ns.
    pub t0: f64,
    /// Time at the right edge, ns.
    pub t1: f64,
    bounds: (f64, f64),
    /// Length of the profile itself, ns.
    extent: f64,
    /// True once the person moved it: growth of the profile no longer refits it.
    moved: bool,
    /// Where a range drag began, ns.
    range_from: Option<f64>,
    /// Where keys sent it.
    goal: Option<(f64, f64)>,
}

/// What the pointer did on a time view.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gesture {
    /// Time under the pointer, ns.
    pub pointer: Option<f64>,
    /// A plain click at that time.
    pub click: Option<f64>,
    /// A double click at that time: the view zooms to what is there, or shows everything.
    pub double_click: Option<f64>,
    /// A range that is being dragged.
    pub preview: Option<(i64, i64)>,
    /// A range that was dragged to its end.
    pub range: Option<(i64, i64)>,
    /// Enter: show the selected thing as wide as the view.
    pub zoom_to_selection: bool,
    /// Escape: select nothing, or end the range.
    pub clear: bool,
}

impl Viewport {
    /// Follows the profile: all of it at first, the end of a live one unless the person looks elsewhere.
    pub fn follow(&mut self, cx: &ViewCx<'_>) {
        self.follow_run(cx.profile(), cx.live, cx.extent, cx.lead);
    }

    /// The same for a profile. It spans `least` ns at least, of which `lead` ns are before its start.
    pub fn follow_run(&mut self, profile: &Profile, live: bool, least: f64, lead: i64) {
        let (a, b) = profile.time_bounds().unwrap_or((0, 1));
        let a = a.saturating_sub(lead);
        self.extent = (b as f64 - a as f64).max(SHORTEST);
        let (a, b) = (a as f64, a as f64 + self.extent.max(least));
        if (a, b) == self.bounds {
            return;
        }
        let at_end = live && self.moved && self.t1 >= self.bounds.1;
        let grown = b - self.bounds.1;
        self.bounds = (a, b);
        if !self.moved {
            self.fit();
        } else if at_end {
            (self.t0, self.t1) = (self.t0 + grown, self.t1 + grown);
        }
        self.clamp();
    }

    /// Shows everything.
    pub fn fit(&mut self) {
        (self.t0, self.t1) = self.whole();
        (self.moved, self.goal) = (false, None);
    }

    /// The part that is seen, since the start of the axis.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { from: self.t0 - self.bounds.0, to: self.t1 - self.bounds.0, extent: self.extent }
    }

    /// Shows the same part as a view of another run.
    pub fn see(&mut self, seen: Seen) {
        self.set(seen.from + self.bounds.0, seen.to + self.bounds.0);
    }

    /// The time that is seen, for other panes.
    #[must_use]
    pub fn window(&self) -> TimeWindow {
        if self.moved { TimeWindow::Part(self.t0, self.t1) } else { TimeWindow::All }
    }

    /// Shows the time that another pane shows.
    pub fn show_window(&mut self, window: TimeWindow) {
        match window {
            TimeWindow::All => self.fit(),
            TimeWindow::Part(from, to) => self.set(from, to),
        }
    }

    /// Shows `from..to` with a little around it.
    pub fn show(&mut self, from: f64, to: f64) {
        let margin = ((to - from) * 0.08).max(SHORTEST / 2.0);
        self.set(from - margin, to + margin);
    }

    /// Shows `t0..t1`, or the nearest part that can be shown.
    pub fn set(&mut self, t0: f64, t1: f64) {
        (self.t0, self.t1) = (t0, t1);
        self.moved = true;
        self.clamp();
    }

    /// The ends of all that can be shown, ns.
    #[must_use]
    pub fn whole(&self) -> (f64, f64) {
        (self.bounds.0 - self.margin(), self.bounds.1 + self.margin())
    }

    /// True when everything is shown.
    #[must_use]
    pub fn shows_all(&self) -> bool {
        !self.moved
    }

    /// Shows `factor` times as much time, with time `at` staying where it is.
    pub fn zoom(&mut self, factor: f64, at: f64) {
        if !(factor.is_finite() && factor > 0.0) {
            return;
        }
        let length = self.length();
        let factor = factor.max(SHORTEST / length);
        (self.t0, self.t1) = (at - (at - self.t0) * factor, at + (self.t1 - at) * factor);
        self.moved = true;
        self.clamp();
    }

    /// Moves by `by` ns.
    pub fn pan(&mut self, by: f64) {
        (self.t0, self.t1) = (self.t0 + by, self.t1 + by);
        self.moved = true;
        self.clamp();
    }

    /// Length shown, ns.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.t1 - self.t0
    }

    fn clamp(&mut self) {
        (self.t0, self.t1) = self.clamped((self.t0, self.t1));
        self.moved &= (self.t0, self.t1) != self.whole();
        self.goal = None;
    }

    fn margin(&self) -> f64 {
        (self.bounds.1 - self.bounds.0) * MARGIN
    }

    fn clamped(&self, (t0, t1): (f64, f64)) -> (f64, f64) {
        let (low, high) = self.whole();
        let length = t1 - t0;
        if !length.is_finite() || length >= high - low {
            (low, high)
        } else if length < SHORTEST {
            let middle = f64::midpoint(t0, t1).clamp(low, high);
            (middle - SHORTEST / 2.0, middle + SHORTEST / 2.0)
        } else if t0 < low {
            (low, low + length)
        } else if t1 > high {
            (high - length, high)
        } else {
            (t0, t1)
        }
    }

    /// Reads keys, wheel and drags over `response`, and moves. `axis` is that of the last layout.
    pub fn gesture(&mut self, ui: &Ui, response: &Response, axis: &TimeAxis) -> Gesture {
        let mut gesture = Gesture::default();
        let over = response.contains_pointer();
        let position = response.interact_pointer_pos().or_else(|| ui.input(|i| i.pointer.hover_pos()));
        let per_point = self.length() / f64::from(axis.x.span().max(1.0));
        let at = position.map(|p| axis.time_at(p.x));
        if over {
            gesture.pointer = at;
            self.wheel(ui, at.unwrap_or(f64::midpoint(self.t0, self.t1)), per_point);
        }
        if keyboard::listens(ui, response) {
            let at = at.filter(|_| over).unwrap_or(f64::midpoint(self.t0, self.t1));
            self.keys(ui, at, response, &mut gesture);
        }
        if self.glide(f64::from(ui.input(|i| i.stable_dt))) {
            ui.request_repaint();
        }
        let shift = ui.input(|i| i.modifiers.shift);
        if response.drag_started_by(PointerButton::Primary) && shift {
            self.range_from = ui.input(|i| i.pointer.press_origin()).map(|p| axis.time_at(p.x));
        }
        match (self.range_from, at) {
            (Some(from), Some(to)) if response.dragged() || response.drag_stopped() => {
                let clip = |t: f64| t.clamp(self.bounds.0, self.bounds.1);
                let (a, b) = (clip(from.min(to)), clip(from.max(to)));
                let range = (a.round() as i64, b.round() as i64);
                if response.drag_stopped() {
                    self.range_from = None;
                    gesture.range = (b - a >= 2.0 * per_point).then_some(range);
                } else {
                    gesture.preview = Some(range);
                }
            }
            (Some(_), _) => self.range_from = None,
            _ if response.dragged() => self.pan(-f64::from(response.drag_delta().x) * per_point),
            _ => {}
        }
        if gesture.clear && self.range_from.take().is_some() {
            (gesture.preview, gesture.clear) = (None, false);
        }
        if response.double_clicked() {
            gesture.double_click = at;
        } else if response.clicked() && response.interact_pointer_pos().is_some() {
            gesture.click = at;
        }
        gesture
    }

    fn wheel(&mut self, ui: &Ui, at: f64, per_point: f64) {
        let (zoom, scroll, shift) =
            ui.input(|i| (i.zoom_delta(), i.smooth_scroll_delta(), i.modifiers.shift_only()));
        if (zoom - 1.0).abs() > f32::EPSILON {
            self.zoom(1.0 / f64::from(zoom), at);
        }
        let sideways = if shift && scroll.x == 0.0 { scroll.y } else { scroll.x };
        if sideways != 0.0 {
            self.pan(-f64::from(sideways) * per_point);
        }
    }

    /// Keys, when the view has the keyboard, or the pointer is on it and nothing has.
    fn keys(&mut self, ui: &Ui, at: f64, response: &Response, gesture: &mut Gesture) {
        keyboard::hold(ui, response, true);
        let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let (t0, t1) = self.goal.unwrap_or((self.t0, self.t1));
        let zoomed = |factor: f64| (at - (at - t0) * factor, at + (t1 - at) * factor);
        let panned = |share: f64| (t0 + (t1 - t0) * share, t1 + (t1 - t0) * share);
        for (key, goal) in [
            (Key::W, zoomed(1.0 / KEY_ZOOM)),
            (Key::S, zoomed(KEY_ZOOM)),
            (Key::A, panned(-KEY_PAN)),
            (Key::D, panned(KEY_PAN)),
            (Key::ArrowUp, zoomed(1.0 / KEY_ZOOM)),
            (Key::ArrowDown, zoomed(KEY_ZOOM)),
            (Key::ArrowLeft, panned(-KEY_PAN)),
            (Key::ArrowRight, panned(KEY_PAN)),
        ] {
            if pressed(key) {
                self.goal = Some(self.clamped(goal));
            }
        }
        if pressed(Key::Num0) || pressed(Key::Home) {
            self.fit();
        }
        gesture.zoom_to_selection = pressed(Key::Enter);
        gesture.clear = pressed(Key::Escape);
    }

    /// Moves on towards where keys sent it; true while it glides.
    fn glide(&mut self, dt: f64) -> bool {
        let Some(goal) = self.goal else { return false };
        let (now, there) = glide::step((self.t0, self.t1), goal, dt);
        (self.t0, self.t1) = now;
        self.moved = true;
        if there {
            self.clamp();
        }
        !there
    }

    /// Passes a gesture on to the other views: cursor, range being dragged, chosen range.
    pub fn publish(&mut self, gesture: &Gesture, cx: &mut ViewCx<'_>) {
        // Beside the axis is no time of the run.
        let begin = cx.profile().time_bounds().map_or(0, |bounds| bounds.0.min(0)) as f64;
        if let Some(t) = gesture.pointer.filter(|t| *t >= begin) {
            cx.out.cursor = Some(t.round() as i64);
        }
        if gesture.preview.is_some() {
            cx.out.preview = gesture.preview;
        }
        if gesture.range.is_some() {
            cx.send(Command::SetRange(gesture.range));
        }
        if gesture.clear && cx.interaction.selection.is_some() {
            cx.send(Command::Select(None));
        } else if gesture.clear {
            cx.send(Command::SetRange(None));
        }
        let selected = cx.interaction.selection.as_ref().and_then(|s| s.interval(cx.profile()));
        if let Some((from, to)) = selected.filter(|_| gesture.zoom_to_selection) {
            self.show(from as f64, to as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};

    fn profile(end: i64) -> Profile {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
        let f = b.function(FunctionSpec::named("f"));
        b.span(track, 0, end, f, ArgsRef::NONE);
        b.finish()
    }

    #[test]
    fn zooming_keeps_the_time_under_the_pointer_and_never_leaves_the_profile() {
        let mut v = Viewport::default();
        v.follow_run(&profile(1_000_000), false, 0.0, 0);
        assert_eq!((v.t0, v.t1), (-10_000.0, 1_010_000.0));
        let at = 250_000.0;
        let share = |v: &Viewport| (at - v.t0) / v.length();
        let before = share(&v);
        v.zoom(0.1, at);
        assert!((share(&v) - before).abs() < 1e-9);
        for _ in 0..100 {
            v.zoom(0.5, at);
        }
        assert!(v.length() >= SHORTEST * 0.999 && (v.t0..v.t1).contains(&at));
        for _ in 0..100 {
            v.zoom(2.0, at);
            v.pan(1e9);
        }
        assert_eq!((v.t0, v.t1), (-10_000.0, 1_010_000.0));
        v.zoom(f64::NAN, at);
        v.pan(f64::NAN);
        assert!(v.length().is_finite());
    }

    #[test]
    fn a_live_view_follows_the_end_until_somebody_looks_elsewhere() {
        let mut v = Viewport::default();
        v.follow_run(&profile(1_000), true, 0.0, 0);
        v.follow_run(&profile(2_000), true, 0.0, 0);
        assert_eq!(v.t1, 2_020.0, "untouched: everything");
        v.zoom(0.25, v.t1);
        let length = v.length();
        v.follow_run(&profile(3_000), true, 0.0, 0);
        assert!(v.t1 >= 3_000.0 && (v.length() - length).abs() < 1e-6, "at the end: follows it");
        v.pan(-800.0);
        let shown = (v.t0, v.t1);
        v.follow_run(&profile(4_000), true, 0.0, 0);
        assert_eq!((v.t0, v.t1), shown, "looking back: stays");
    }
}
