//! Counters as lines or areas: where values stand, and their picture.
//!
//! Values hold until the next point, so a line is made of steps. A line costs two or three points per pixel
//! column, whatever the counter holds (see [`crate::analysis::counters`]).

use crate::analysis::counters::{Lod, Series};
use crate::format;
use crate::model::Unit;
use crate::ui::theme::{Palette, small, space};
use crate::ui::timeaxis::TimeAxis;
use egui::{Align2, Color32, Mesh, Painter, Pos2, Rect, Shape, Stroke, pos2};

/// Distance of two labelled values, points, at least.
const TICK_ROOM: f32 = 34.0;

/// The value axis of a chart: from 0 (or a negative value) to a round number.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Value at the bottom.
    pub low: f64,
    /// Value at the top.
    pub high: f64,
    /// Labelled values, ascending.
    pub ticks: Vec<f64>,
    /// Unit of the values.
    pub unit: Unit,
}

impl Scale {
    /// A scale for values of `min..=max` on `height` points. Starts at 0, because a level has a zero
    /// and a cut axis makes small changes look large.
    #[must_use]
    pub fn new(min: f64, max: f64, unit: Unit, height: f32) -> Self {
        let (min, max) = if min <= max { (min.min(0.0), max.max(0.0)) } else { (0.0, 0.0) };
        let max = if max > min { max } else { min + 1.0 };
        // Above the highest value is room for the name of its peak.
        let most = f64::from((height / TICK_ROOM).floor().clamp(1.0, 12.0));
        let step = step(unit, (max - min) / most);
        let low = (min / step).floor() * step;
        let high = max + (max - low) * 0.12;
        let count = ((high - low) / step).floor() as usize;
        let ticks = (0..=count.min(64)).map(|i| low + step * i as f64).collect();
        Self { low, high, ticks, unit }
    }

    /// Position of a value in a chart.
    #[must_use]
    pub fn y_of(&self, value: f64, chart: Rect) -> f32 {
        let share = (value - self.low) / (self.high - self.low);
        chart.bottom() - (share as f32) * chart.height()
    }

    /// The text of a tick, without more digits than it needs.
    #[must_use]
    pub fn label(&self, value: f64) -> String {
        match self.unit {
            Unit::Bytes => whole_bytes(value),
            Unit::MilliPercent => format!("{} %", format::number(value / 1000.0)),
            Unit::Count | Unit::None | Unit::Tokens => format::number(value),
            unit => format::value(unit, value),
        }
    }
}

/// A round step of at least `least`: a power of two for bytes, 1, 2 or 5 times a power of ten for the rest.
fn step(unit: Unit, least: f64) -> f64 {
    if unit != Unit::Bytes || !least.is_finite() || least <= 0.0 {
        return format::value_step(least);
    }
    least.log2().ceil().max(0.0).exp2()
}

fn whole_bytes(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let (mut size, mut name) = (1.0, "B");
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value.abs() < size * 1024.0 {
            break;
        }
        (size, name) = (size * 1024.0, next);
    }
    format!("{} {name}", format::number(value / size))
}

/// A chart: its place, its time and its values.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Where.
    pub area: Rect,
    /// Time to positions.
    pub axis: &'a TimeAxis,
    /// Values to positions.
    pub scale: &'a Scale,
}

impl Chart<'_> {
    /// Paints value lines and their labels in the margin left of the chart.
    pub fn paint_values(&self, painter: &Painter, palette: &Palette) {
        let clip = painter.with_clip_rect(self.area.intersect(painter.clip_rect()));
        for &value in &self.scale.ticks {
            let y = self.scale.y_of(value, self.area);
            let color = if value == 0.0 { palette.line } else { palette.line_faint };
            clip.hline(self.area.x_range(), painter.round_to_pixel_center(y), Stroke::new(1.0, color));
            let at = pos2(
                self.area.left() - space::SMALL - 2.0,
                y.clamp(self.area.top() + 6.0, self.area.bottom() - 5.0),
            );
            painter.text(at, Align2::RIGHT_CENTER, self.scale.label(value), small(), palette.text_weak);
        }
    }

    /// Position of column edge `i` of `count` of an answer over `from..to`.
    fn x_of(&self, lod: &Lod, count: usize, i: usize) -> f32 {
        let length = lod.to as f64 - lod.from as f64;
        self.axis.x_of(lod.from as f64 + length * i as f64 / count.max(1) as f64)
    }

    fn y_of(&self, value: f64) -> f32 {
        self.scale.y_of(value, self.area).clamp(self.area.top() - 4.0, self.area.bottom() + 4.0)
    }

    /// The points of a step line, one run per stretch in which the counter is known.
    #[must_use]
    pub fn runs(&self, lod: &Lod, series: &Series) -> Vec<Vec<Pos2>> {
        let mut runs: Vec<Vec<Pos2>> = Vec::new();
        let mut open: Option<(Vec<Pos2>, f64)> = None;
        let count = series.cells.len();
        for (i, cell) in series.cells.iter().enumerate() {
            let Some(cell) = cell else {
                runs.extend(open.take().map(|o| o.0));
                continue;
            };
            let (left, right) = (self.x_of(lod, count, i), self.x_of(lod, count, i + 1));
            let (points, held) = open.get_or_insert_with(|| (Vec::new(), cell.min));
            let push = |points: &mut Vec<Pos2>, x: f32, value: f64| {
                let point = pos2(x, self.y_of(value));
                // Points on a straight line say nothing new.
                if let [.., a, b] = points.as_slice()
                    && a.y == b.y
                    && b.y == point.y
                {
                    points.pop();
                }
                if points.last() != Some(&point) {
                    points.push(point);
                }
            };
            let middle = f32::midpoint(left, right);
            push(points, left, *held);
            if cell.min != cell.max || cell.last != *held {
                // To the extreme that is further from where the column ends, then to the other.
                let (first, second) = if cell.last - cell.min < cell.max - cell.last {
                    (cell.min, cell.max)
                } else {
                    (cell.max, cell.min)
                };
                for value in [first, second, cell.last] {
                    push(points, middle, value);
                }
            }
            push(points, right, cell.last);
            *held = cell.last;
        }
        runs.extend(open.map(|o| o.0));
        runs
    }
}

/// The line of a series.
pub fn line(painter: &Painter, chart: &Chart<'_>, lod: &Lod, series: &Series, color: Color32, width: f32) {
    for run in chart.runs(lod, series) {
        painter.add(Shape::line(run, Stroke::new(width, color)));
    }
}

/// The area under a series, in one mesh.
pub fn area(painter: &Painter, chart: &Chart<'_>, lod: &Lod, series: &Series, color: Color32) {
    let mut mesh = Mesh::default();
    let count = series.cells.len();
    let zero = chart.y_of(0.0);
    for (i, cell) in series.cells.iter().enumerate() {
        let Some(cell) = cell else { continue };
        let top = chart.y_of(if cell.max.abs() >= cell.min.abs() { cell.max } else { cell.min });
        let (left, right) = (chart.x_of(lod, count, i), chart.x_of(lod, count, i + 1));
        mesh.add_colored_rect(Rect::from_x_y_ranges(left..=right, top.min(zero)..=top.max(zero)), color);
    }
    painter.add(Shape::mesh(mesh));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::counters::{Cell, Lod};
    use crate::model::CounterId;
    use egui::{Rangef, vec2};

    #[test]
    fn values_stand_on_round_numbers_of_their_unit() {
        let gib = f64::from(1 << 30);
        let scale = Scale::new(0.4 * gib, 7.3 * gib, Unit::Bytes, 160.0);
        let labels: Vec<_> = scale.ticks.iter().map(|&t| scale.label(t)).collect();
        assert_eq!(labels, ["0", "2 GiB", "4 GiB", "6 GiB", "8 GiB"]);
        assert!(scale.high > 7.3 * gib);
        let scale = Scale::new(0.0, 93_000.0, Unit::MilliPercent, 80.0);
        let labels: Vec<_> = scale.ticks.iter().map(|&t| scale.label(t)).collect();
        assert_eq!(labels, ["0 %", "50 %", "100 %"]);
        let scale = Scale::new(-3.0, 8.0, Unit::Count, 200.0);
        assert!(scale.low <= -3.0 && scale.ticks.contains(&0.0));
        assert_eq!(step(Unit::Bytes, 300.0 * 1024.0), 512.0 * 1024.0);
    }

    #[test]
    fn odd_values_make_a_scale_too() {
        for (min, max) in
            [(0.0, 0.0), (f64::INFINITY, f64::NEG_INFINITY), (5.0, 5.0), (-1e300, 1e300), (0.0, 1e-12)]
        {
            let scale = Scale::new(min, max, Unit::None, 100.0);
            assert!(scale.high > scale.low && scale.ticks.len() <= 65, "{min} {max} {scale:?}");
        }
    }

    fn chart_of(cells: Vec<Option<Cell>>) -> Vec<Vec<(f32, f32)>> {
        let axis = TimeAxis::layout(0.0, 100.0, Rangef::new(0.0, 100.0));
        let scale = Scale { low: 0.0, high: 10.0, ticks: Vec::new(), unit: Unit::None };
        let chart = Chart {
            area: Rect::from_min_size(pos2(0.0, 0.0), vec2(100.0, 100.0)),
            axis: &axis,
            scale: &scale,
        };
        let series = Series { counter: CounterId(0), cells, min: 0.0, max: 10.0 };
        let lod = Lod { from: 0, to: 100, series: Vec::new() };
        let runs = chart.runs(&lod, &series);
        runs.into_iter().map(|r| r.into_iter().map(|p| (p.x, p.y)).collect()).collect()
    }

    #[test]
    fn a_line_steps_breaks_where_nothing_is_known_and_keeps_spikes() {
        let cell = |min, max, last| Some(Cell { min, max, last });
        let runs = chart_of(vec![
            None,
            cell(2.0, 2.0, 2.0),
            cell(2.0, 2.0, 2.0),
            cell(1.0, 9.0, 3.0),
            None,
            cell(5.0, 5.0, 5.0),
        ]);
        assert_eq!(runs.len(), 2);
        let first = &runs[0];
        assert_eq!(first[0].1, 80.0);
        assert!(
            first.iter().any(|p| p.1 == 10.0) && first.iter().any(|p| p.1 == 90.0),
            "both extremes: {first:?}"
        );
        assert_eq!(first.last().unwrap().1, 70.0);
        assert!(first.windows(2).all(|w| w[0].0 <= w[1].0));
    }
}
