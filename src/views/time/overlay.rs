//! Marks that every chart over time carries: phases behind it, the chosen range, the cursor.

use crate::analysis::TimeRange;
use crate::analysis::phases::Phases;
use crate::format;
use crate::model::Profile;
use crate::ui::text::{LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, mix, small, space};
use crate::ui::timeaxis::TimeAxis;
use egui::{Align2, Color32, Mesh, Painter, Rect, Shape, Stroke, pos2};
use std::borrow::Cow;

/// Height of the band that names phases, points.
pub const PHASE_BAND: f32 = 18.0;

/// Phases as boxes over the pixels of `x`: those under a pixel share one.
fn boxes(phases: &Phases, axis: &TimeAxis) -> Vec<(f32, f32, crate::model::FunctionId)> {
    let mut boxes: Vec<(f32, f32, crate::model::FunctionId)> = Vec::new();
    for span in phases.between(axis.t0.floor() as i64, axis.t1.ceil() as i64) {
        let left = axis.x_of(span.start as f64).max(axis.x.min);
        let right = axis.x_of(span.end as f64).min(axis.x.max).max(left + 0.5);
        match boxes.last_mut() {
            Some(last) if right - left < 1.0 && left < last.0 + 1.0 => last.1 = last.1.max(right),
            _ => boxes.push((left, right, span.function)),
        }
    }
    boxes
}

/// Shades `chart` by phase.
pub fn phase_shades(
    painter: &Painter,
    chart: Rect,
    axis: &TimeAxis,
    phases: &Phases,
    profile: &Profile,
    palette: &Palette,
) {
    let mut mesh = Mesh::default();
    for (left, right, function) in boxes(phases, axis) {
        let color = palette.phase_shade(profile.function_name(function));
        let faint = mix(palette.canvas, color, 0.55);
        mesh.add_colored_rect(Rect::from_x_y_ranges(left..=right, chart.y_range()), faint);
    }
    painter.add(Shape::mesh(mesh));
}

/// Paints the band that names the phases.
pub fn phase_names(
    texts: &mut Texts<'_>,
    painter: &Painter,
    band: Rect,
    axis: &TimeAxis,
    phases: &Phases,
    profile: &Profile,
    palette: &Palette,
) {
    let painter = painter.with_clip_rect(band.intersect(painter.clip_rect()));
    let mut mesh = Mesh::default();
    let mut labels = Vec::new();
    let gap = 1.0 / painter.pixels_per_point();
    for (left, right, function) in boxes(phases, axis) {
        let name = profile.function_name(function);
        let color = palette.phase(name);
        let right = if right - left > 3.0 { right - gap } else { right };
        let area = Rect::from_x_y_ranges(left..=right, band.top()..=band.bottom() - 1.0);
        mesh.add_colored_rect(area, color.fill);
        let key = TextKey::new(("phase", function.0, TextKey::of(name)));
        labels.extend(texts.label(area, key, LabelStyle::new(11.0), color.text, || Cow::Borrowed(name)));
    }
    painter.add(Shape::mesh(mesh));
    painter.extend(labels);
}

/// Dims what lies outside the chosen range, and shows the one being dragged with its length.
pub fn range_marks(
    painter: &Painter,
    chart: Rect,
    axis: &TimeAxis,
    range: TimeRange,
    preview: TimeRange,
    palette: &Palette,
) {
    let painter = painter.with_clip_rect(chart.intersect(painter.clip_rect()));
    let place = |(from, to): (i64, i64)| (axis.x_of(from as f64), axis.x_of(to as f64));
    let edge = |x: f32, color: Color32| {
        painter.vline(painter.round_to_pixel_center(x), chart.y_range(), Stroke::new(1.0, color));
    };
    if let Some(range) = range.filter(|_| preview.is_none()) {
        let (left, right) = place(range);
        let veil = palette.canvas.gamma_multiply(0.62);
        for (a, b) in [(chart.left(), left), (right, chart.right())] {
            if a < b {
                painter.rect_filled(Rect::from_x_y_ranges(a..=b, chart.y_range()), 0.0, veil);
            }
        }
        edge(left, palette.accent);
        edge(right, palette.accent);
    }
    if let Some(range) = preview {
        let (left, right) = place(range);
        let area = Rect::from_x_y_ranges(left..=right, chart.y_range());
        painter.rect_filled(area, 0.0, palette.accent.gamma_multiply(0.18));
        edge(left, palette.accent);
        edge(right, palette.accent);
        let galley = painter.layout_no_wrap(format::duration(range.1 - range.0), small(), palette.on_accent);
        let size = galley.size() + egui::vec2(2.0 * space::SMALL, 2.0);
        let center = pos2(area.center().x, chart.top() + size.y / 2.0 + space::SMALL);
        let flag = Align2::CENTER_CENTER.anchor_size(center, size);
        painter.rect_filled(flag, space::RADIUS_SMALL, palette.accent_fill);
        painter.galley(flag.min + egui::vec2(space::SMALL, 1.0), galley, palette.on_accent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::phases::phases;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};
    use egui::Rangef;

    #[test]
    fn boxes_are_bounded_by_pixels_however_many_phases_there_are() {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "phases", process: "", kind: TrackKind::Phase, sort: 0 });
        let names = ["prefill", "decode"].map(|n| b.function(FunctionSpec::named(n)));
        for i in 0..50_000 {
            b.span(track, i * 10, i * 10 + 10, names[i as usize % 2], ArgsRef::NONE);
        }
        let phases = phases(&b.finish(), None);
        let axis = TimeAxis::layout(0.0, 500_000.0, Rangef::new(0.0, 800.0));
        let all = boxes(&phases, &axis);
        assert!((700..=801).contains(&all.len()), "{}", all.len());
        let axis = TimeAxis::layout(1_000.0, 1_050.0, Rangef::new(0.0, 800.0));
        let few = boxes(&phases, &axis);
        assert_eq!(few.len(), 5);
        assert_eq!((few[0].0, few[0].1), (0.0, 160.0));
    }
}
