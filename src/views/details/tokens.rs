//! The output of one request over time: a strip of tokens and the gaps between them.

use super::blocks::heading;
use crate::analysis::definitions as say;
use crate::analysis::requests::{gaps, parts};
use crate::format;
use crate::model::{Request, RequestId};
use crate::ui::theme::{Palette, Tone, mix, small, space};
use crate::views::ViewCx;
use crate::views::parts::text_in;
use egui::{Align, Mesh, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

/// Height of the gaps.
const HEIGHT: f32 = 54.0;
/// Height of the bar with the parts of the request.
const BAR: f32 = 17.0;

pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui, id: RequestId) {
    let profile = cx.subject.profile().clone();
    let Some(request) = profile.requests.get(id) else { return };
    let profile_end = profile.time_bounds().map_or(request.arrived, |b| b.1);
    let end = request.finished.unwrap_or(profile_end).max(request.arrived + 1);
    let single = request.tokens.output == Some(request.token_times.len() as u64);
    heading(ui, if single { "Gaps between tokens" } else { "Output over time" });
    let palette = Palette::of(ui);
    let width = ui.available_width();
    let has_gaps = request.token_times.len() > 1;
    let height = BAR + if has_gaps { HEIGHT + 2.0 } else { 0.0 };
    let (area, response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, "Tokens over time"));
    let x = |t: i64| {
        area.left() + ((t - request.arrived) as f64 / (end - request.arrived) as f64) as f32 * area.width()
    };
    for (from, to, part) in parts(request, profile_end) {
        let bar = Rect::from_x_y_ranges(x(from)..=x(to), area.top()..=area.top() + BAR);
        let color = palette.phase(part.name());
        ui.painter().rect_filled(bar, 1.0, color.fill);
        let inner = bar.shrink2(vec2(4.0, 0.0));
        if inner.width() > 40.0 {
            text_in(ui.painter(), inner, part.name(), small(), color.text, Align::Min);
        }
    }
    let top = if has_gaps { gap_bars(ui, request, area, &x) } else { None };
    let (labels, _) = ui.allocate_exact_size(vec2(width, 16.0), Sense::hover());
    text_in(ui.painter(), labels, "0", small(), palette.text_weak, Align::Min);
    let text = format::duration(end - request.arrived);
    text_in(ui.painter(), labels, &text, small(), palette.text_weak, Align::Max);
    if let Some(longest) = top.filter(|_| width > 190.0) {
        let what = if single { "longest gap" } else { "longest gap between chunks" };
        let text = format!("{what} {}", format::duration(longest));
        text_in(ui.painter(), labels, &text, small(), palette.text_weak, Align::Center);
    }
    let hint = response.hover_pos().map(|p| {
        let t = request.arrived
            + (f64::from((p.x - area.left()) / area.width()) * (end - request.arrived) as f64) as i64;
        cx.out.cursor = Some(t);
        readout(request, t, profile_end, single)
    });
    if let Some(hint) = hint {
        response.on_hover_text_at_pointer(hint);
    }
}

/// One bar per gap, as high as it is long; true stalls stand out. Returns the longest gap.
fn gap_bars(ui: &Ui, request: &Request, area: Rect, x: &dyn Fn(i64) -> f32) -> Option<i64> {
    let palette = Palette::of(ui);
    let plot = Rect::from_min_max(pos2(area.left(), area.top() + BAR + 2.0), area.max);
    ui.painter().rect_filled(plot, space::RADIUS_SMALL, palette.canvas);
    let mut lengths: Vec<i64> = gaps(request).map(|g| g.1).collect();
    lengths.sort_unstable();
    let (median, longest) = (lengths[lengths.len() / 2], *lengths.last()?);
    let y = |gap: i64| plot.bottom() - (gap as f32 / longest.max(1) as f32) * (plot.height() - 3.0);
    let mut mesh = Mesh::default();
    let usual = mix(palette.canvas, palette.accent, 0.6);
    // Bars of one pixel column are drawn once, as high as the highest.
    let (mut column, mut highest) = (f32::MIN, 0);
    for (time, gap) in gaps(request) {
        let right = x(time);
        if right - column < 1.0 && gap <= highest {
            continue;
        }
        (column, highest) = (right, gap);
        let left = x(time - gap).min(right - 1.0);
        let color = if gap > median * 2 { palette.tone(Tone::Warning) } else { usual };
        mesh.add_colored_rect(
            Rect::from_min_max(pos2(left, y(gap)), pos2(right - 0.5, plot.bottom())),
            color,
        );
    }
    ui.painter().add(Shape::mesh(mesh));
    let line = ui.painter().round_to_pixel_center(y(median));
    ui.painter().hline(plot.x_range(), line, Stroke::new(1.0, palette.line_strong));
    Some(longest)
}

fn readout(request: &Request, t: i64, end: i64, single: bool) -> String {
    let part = parts(request, end).into_iter().find(|p| (p.0..p.1).contains(&t));
    let mut text = format!("{} after arrival", format::duration(t - request.arrived));
    if let Some((from, to, part)) = part {
        text += &format!("\n{} ({})", part.name(), format::duration(to - from));
    }
    let next = request.token_times.partition_point(|&x| x < t);
    if let (Some(before), Some(&at)) = (next.checked_sub(1), request.token_times.get(next)) {
        let what = if single { "token" } else { "chunk" };
        let gap = at - request.token_times[before];
        text += &format!("\n{what} {} came after a gap of {}", next + 1, format::duration(gap));
        text += "\n\n";
        text += if single { say::TOKEN_GAP } else { say::CHUNK_GAP };
    }
    text
}
