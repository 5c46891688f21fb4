//! The time axis that flame chart, timeline and memory plots share: where ticks stand, and their picture.
//!
//! Times are ns since the profile's origin, as `f64` because a viewport moves by fractions; positions are
//! points. [`TimeAxis::layout`] is pure.

use super::theme::{Palette, small, space};
use crate::format::{duration_exact, time_ticks};
use egui::{Color32, Galley, Painter, Rangef, Rect, Stroke, Vec2, pos2, vec2};
use std::sync::Arc;

/// Room that a label and the gap to the next one need.
const LABEL_ROOM: f32 = 86.0;
const BADGE_PADDING: Vec2 = vec2(5.0, 1.0);
/// Marks without labels keep at least this distance.
const MINOR_ROOM: f32 = 6.0;

/// A tick and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Position.
    pub x: f32,
    /// Time, ns.
    pub time: i64,
    /// What it says.
    pub label: String,
}

/// A range of time laid over a range of positions.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeAxis {
    /// Time at the left end.
    pub t0: f64,
    /// Time at the right end.
    pub t1: f64,
    /// Left and right end.
    pub x: Rangef,
    /// Labelled ticks from left to right.
    pub ticks: Vec<Tick>,
    /// Positions of the marks between them.
    pub minor: Vec<f32>,
    /// The time from which labels count when it is not 0.
    pub anchor: Option<String>,
}

impl TimeAxis {
    /// Lays the times `t0..t1` over `x`. Without ticks when the range is empty or not finite.
    #[must_use]
    pub fn layout(t0: f64, t1: f64, x: Rangef) -> Self {
        let mut axis = Self { t0, t1, x, ticks: Vec::new(), minor: Vec::new(), anchor: None };
        let most = (x.span() / LABEL_ROOM).floor();
        if most.is_nan() || most < 1.0 {
            return axis;
        }
        let found = time_ticks(t0, t1, most as usize);
        axis.anchor = found.anchor.map(|(_, text)| text);
        axis.ticks = found
            .ticks
            .into_iter()
            .map(|(time, label)| Tick { x: axis.x_of(time as f64), time, label })
            .collect();
        let minor = found.minor_step as f64;
        if found.minor_step > 0
            && found.minor_step < found.step
            && minor / (t1 - t0) * f64::from(x.span()) >= f64::from(MINOR_ROOM)
        {
            // Bounded: they are MINOR_ROOM apart.
            let (first, last) = ((t0 / minor).ceil() as i64, (t1 / minor).floor() as i64);
            let per_step = found.step / found.minor_step;
            let between = (first..=last).filter(|i| i % per_step != 0);
            axis.minor = between.map(|i| axis.x_of(i as f64 * minor)).collect();
        }
        axis
    }

    /// Position of time `t`; may lie outside of [`Self::x`].
    #[must_use]
    pub fn x_of(&self, t: f64) -> f32 {
        let share = (t - self.t0) / (self.t1 - self.t0);
        (f64::from(self.x.min) + share * f64::from(self.x.span())) as f32
    }

    /// Time at position `x`.
    #[must_use]
    pub fn time_at(&self, x: f32) -> f64 {
        self.t0 + f64::from(x - self.x.min) / f64::from(self.x.span()) * (self.t1 - self.t0)
    }

    /// Paints vertical lines through a chart.
    pub fn paint_grid(&self, painter: &Painter, chart: Rect, palette: &Palette) {
        let painter = painter.with_clip_rect(chart.intersect(painter.clip_rect()));
        for tick in &self.ticks {
            self.vline(&painter, tick.x, chart.y_range(), palette.line_faint);
        }
    }

    /// Paints the ruler: labels right of their ticks, the anchor at the left, and the exact time of the
    /// cursor, if there is one. Labels that these two would cover are left out.
    pub fn paint_ruler(&self, painter: &Painter, ruler: Rect, cursor: Option<f64>, palette: &Palette) {
        let painter = painter.with_clip_rect(ruler.intersect(painter.clip_rect()));
        painter.rect_filled(ruler, 0.0, palette.panel);
        let bottom = painter.round_to_pixel_center(ruler.bottom() - 1.0 / painter.pixels_per_point());
        painter.hline(ruler.x_range(), bottom, Stroke::new(1.0, palette.line));
        let anchor =
            self.anchor.as_ref().map(|text| self.badge(&painter, ruler, ruler.left(), text, palette.text));
        let cursor = cursor.filter(|t| self.x.contains(self.x_of(*t)));
        let flag =
            cursor.map(|t| self.badge(&painter, ruler, self.x_of(t), &self.exact(t), palette.on_accent));
        for x in &self.minor {
            self.vline(&painter, *x, Rangef::new(ruler.bottom() - 4.0, ruler.bottom()), palette.line);
        }
        for tick in &self.ticks {
            let galley = painter.layout_no_wrap(tick.label.clone(), small(), palette.text_weak);
            let at = pos2(tick.x + space::SMALL, ruler.center().y - 1.0 - galley.size().y / 2.0);
            let area = Rect::from_min_size(at, galley.size());
            self.vline(
                &painter,
                tick.x,
                Rangef::new(ruler.bottom() - 9.0, ruler.bottom()),
                palette.line_strong,
            );
            let covered =
                [&anchor, &flag].into_iter().flatten().any(|(badge, _)| badge.expand(2.0).intersects(area));
            if !covered && area.right() <= ruler.right() + 1.0 {
                painter.galley(at, galley, palette.text_weak);
            }
        }
        for (badge, fill) in [(anchor, palette.pressed), (flag, palette.accent_fill)] {
            let Some((rect, galley)) = badge else { continue };
            painter.rect_filled(rect, space::RADIUS_SMALL, fill);
            painter.galley(rect.min + BADGE_PADDING, galley, palette.text);
        }
    }

    /// Paints the line of the cursor through a chart.
    pub fn paint_cursor(&self, painter: &Painter, chart: Rect, time: f64, palette: &Palette) {
        let x = self.x_of(time);
        if self.x.contains(x) {
            self.vline(painter, x, chart.y_range(), palette.accent);
        }
    }

    /// A time with as many digits as one point is worth.
    #[must_use]
    pub fn exact(&self, time: f64) -> String {
        let point = (self.t1 - self.t0) / f64::from(self.x.span().max(1.0));
        let unit = 10f64.powf(point.max(1.0).log10().floor());
        duration_exact(((time / unit).round() * unit) as i64)
    }

    /// Where a badge with `text` stands on the ruler: around `x`, kept inside.
    fn badge(
        &self,
        painter: &Painter,
        ruler: Rect,
        x: f32,
        text: &str,
        color: Color32,
    ) -> (Rect, Arc<Galley>) {
        let galley = painter.layout_no_wrap(text.to_owned(), small(), color);
        let size = galley.size() + 2.0 * BADGE_PADDING;
        let (first, last) = (ruler.left() + 2.0, ruler.right() - size.x - 2.0);
        let left = (x - size.x / 2.0).min(last).max(first);
        (Rect::from_min_size(pos2(left, ruler.center().y - 1.0 - size.y / 2.0), size), galley)
    }

    fn vline(&self, painter: &Painter, x: f32, y: Rangef, color: Color32) {
        let width = 1.0 / painter.pixels_per_point();
        painter.vline(painter.round_to_pixel_center(x), y, Stroke::new(width.max(1.0), color));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_where_their_time_is_and_leave_room() {
        let axis = TimeAxis::layout(2e6, 12e6, Rangef::new(100.0, 1100.0));
        assert_eq!(axis.ticks[0], Tick { x: 100.0, time: 2_000_000, label: "2 ms".into() });
        assert_eq!(axis.ticks.len(), 11);
        assert!(axis.ticks.windows(2).all(|w| w[1].x - w[0].x >= LABEL_ROOM));
        assert_eq!(axis.minor.len(), 40);
        assert!((axis.time_at(600.0) - 7e6).abs() < 1.0);
        assert!((axis.x_of(7e6) - 600.0).abs() < 1e-3);
    }

    #[test]
    fn deep_zoom_shows_the_anchor() {
        let axis = TimeAxis::layout(5_123_456_789.0, 5_123_457_789.0, Rangef::new(0.0, 800.0));
        assert_eq!(axis.anchor.as_deref(), Some("5.12345 s"));
        assert!(axis.ticks.iter().all(|tick| tick.label.starts_with('+')));
    }

    #[test]
    fn no_range_no_room_no_ticks() {
        for (t0, t1, width) in [
            (0.0, 0.0, 500.0),
            (5.0, 1.0, 500.0),
            (f64::NAN, 1.0, 500.0),
            (0.0, 1e9, 10.0),
            (0.0, 1e9, f32::NAN),
        ] {
            let axis = TimeAxis::layout(t0, t1, Rangef::new(0.0, width));
            assert!(axis.ticks.is_empty() && axis.minor.is_empty(), "{t0} {t1} {width}");
        }
    }

    #[test]
    fn marks_are_bounded_by_the_width() {
        for exponent in 0..17 {
            let span = 10f64.powi(exponent) * 1.7;
            let axis = TimeAxis::layout(-span / 3.0, span, Rangef::new(0.0, 2000.0));
            assert!(axis.ticks.len() <= 24 && axis.minor.len() <= 400, "{exponent}");
            assert!(!axis.ticks.is_empty(), "{exponent}");
        }
    }
}
