//! Colours of the heatmap and what they mean.

use egui::epaint::Mesh;
use egui::{Color32, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use crate::fleet::ask::heat::{Heat, Measure};
use crate::fleet::ask::stragglers::Rests;
use crate::fleet::open::Slowed;
use crate::format;
use crate::model::Better;
use crate::ui::theme::{Palette, mix, small, space};

/// What a measure means in this job.
pub(super) fn about(measure: Measure, slowed: Option<&Slowed>) -> &'static str {
    match (measure, slowed.map(|s| s.job.rests)) {
        (Measure::Late, Some(Rests::Compute)) => {
            "How much longer than the middle rank a rank computes: no collective operation says who waits"
        }
        (Measure::Late, Some(Rests::Steps)) => {
            "How much longer than that of the middle rank a step takes: no GPU says who waits"
        }
        _ => measure.about(),
    }
}

/// The colour of a cell.
pub(super) fn color(palette: &Palette, heat: &Heat, raw: bool, (step, row): (usize, usize)) -> Color32 {
    let share = match raw {
        true => heat.value(step, row).zip(heat.ends).map(|(value, (low, high))| {
            value.saturating_sub(low) as f32 / high.saturating_sub(low).max(1) as f32
        }),
        false => heat.distance(step, row).map(|distance| distance as f32 / heat.far as f32),
    };
    share.map_or(palette.gap().fill, |share| of_share(palette, raw, share))
}

fn of_share(palette: &Palette, raw: bool, share: f32) -> Color32 {
    if raw {
        return palette.heat(share);
    }
    // From the colour of no change on, so that noise stays pale.
    let end = if share > 0.0 { 1.0 } else { -1.0 };
    mix(palette.diff(0.0, Better::Lower), palette.diff(end, Better::Lower), share.abs())
}

const BAR: f32 = 120.0;

/// A bar of the colours with what they stand for.
pub(super) fn legend(ui: &mut Ui, heat: &Heat, raw: bool) {
    let palette = Palette::of(ui);
    let (left, right) = match (raw, heat.ends) {
        (_, None) => return,
        (true, Some((low, high))) => (format::duration(low), format::duration(high)),
        (false, Some(_)) => {
            let far = format::duration(heat.far);
            (format!("−{far}"), format!("+{far}"))
        }
    };
    let words = match raw {
        true => format!("from {left} to {right}; what lies beyond has the colour of the end"),
        false => format!(
            "how far from the median of all rows in the same step, from {left} to {right}; what lies beyond has the colour of the end"
        ),
    };
    let text = |text: String| ui.painter().layout_no_wrap(text, small(), palette.text_weak);
    let (left, right) = (text(left), text(right));
    let width = left.size().x + BAR + right.size().x + 2.0 * space::SMALL;
    let (rect, response) = ui.allocate_exact_size(vec2(width, space::CONTROL), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Colours: {words}")));
    let bar = Rect::from_min_size(
        pos2(rect.left() + left.size().x + space::SMALL, rect.center().y - 6.0),
        vec2(BAR, 12.0),
    );
    let mut mesh = Mesh::default();
    let from = if raw { 0.0 } else { -1.0 };
    const PARTS: usize = 40;
    for i in 0..PARTS {
        let at = |i: usize| bar.left() + BAR * i as f32 / PARTS as f32;
        let share = from + (1.0 - from) * (i as f32 + 0.5) / PARTS as f32;
        let part = Rect::from_x_y_ranges(at(i)..=at(i + 1), bar.y_range());
        mesh.add_colored_rect(part, of_share(palette, raw, share));
    }
    ui.painter().add(Shape::mesh(mesh));
    ui.painter().rect_stroke(bar, 0.0, Stroke::new(1.0, palette.line), StrokeKind::Outside);
    if !raw {
        let x = ui.painter().round_to_pixel_center(bar.center().x);
        ui.painter().vline(x, bar.bottom()..=bar.bottom() + 3.0, Stroke::new(1.0, palette.line_strong));
    }
    let y = |galley: &egui::Galley| rect.center().y - galley.size().y / 2.0;
    let (y_left, y_right) = (y(&left), y(&right));
    ui.painter().galley(pos2(rect.left(), y_left), left, palette.text_weak);
    ui.painter().galley(pos2(bar.right() + space::SMALL, y_right), right, palette.text_weak);
    response.on_hover_text(words);
}
