//! How long the calls of a function took: figures and a histogram, or why there are none.

use super::blocks::heading;
use crate::analysis::durations::{CallDurations, DurationsOf};
use crate::format;
use crate::model::FunctionId;
use crate::state::Item;
use crate::ui::theme::{Palette, mix, small, space};
use crate::ui::widgets::link_button;
use crate::views::ViewCx;
use crate::views::parts::{remark, text_in, weak};
use egui::{Align, Rect, Sense, Stroke, Ui, pos2, vec2};

/// Height of the histogram.
const HEIGHT: f32 = 58.0;

pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui, function: FunctionId, own: Option<i64>) {
    let now = cx.interaction;
    let function = cx.profile().keys().symbol(function);
    let query = DurationsOf { function, tracks: now.scope.tracks.clone(), range: now.range };
    heading(ui, if own.is_some() { "All calls of this function" } else { "Single calls" });
    let Some(durations) = cx.ask(&query, 0).content(ui, "Adding up calls") else { return };
    match &*durations {
        Err(why) => {
            weak(ui, &format!("No durations of single calls: {why}."));
        }
        Ok(calls) => {
            figures(ui, calls);
            if calls.unfinished > 0 {
                let open = format::counted(calls.unfinished as i64, "call", "calls");
                remark(ui, &format!("Without {open} that had not ended."));
            }
            histogram(ui, calls, own);
            let (track, row) = calls.longest;
            let Some(item) = Item::of_span(track, row, cx.profile()) else { return };
            if calls.n > 1 && cx.interaction.selection.as_ref() != Some(&item) {
                let response = link_button(ui, "Go to the longest call");
                cx.interact(&response, &item);
            }
        }
    }
}

fn figures(ui: &mut Ui, calls: &CallDurations) {
    let palette = Palette::of(ui);
    let ns = format::duration;
    let all = [
        ("n", format::count(calls.n as i64)),
        ("min", ns(calls.min)),
        ("p50", ns(calls.p50)),
        ("p75", ns(calls.p75)),
        ("p90", ns(calls.p90)),
        ("p99", ns(calls.p99)),
        ("p99.9", ns(calls.p999)),
        ("max", ns(calls.max)),
        ("mean", ns(calls.mean)),
    ];
    let width = ui.available_width();
    let columns = ((width / 76.0).floor() as usize).clamp(1, all.len());
    let each = width / columns as f32;
    let rows = all.len().div_ceil(columns);
    let (area, _) = ui.allocate_exact_size(vec2(width, rows as f32 * 34.0), Sense::hover());
    for (i, (name, value)) in all.iter().enumerate() {
        let min = area.min + vec2((i % columns) as f32 * each, (i / columns) as f32 * 34.0);
        let top = Rect::from_min_size(min, vec2(each - 4.0, 14.0));
        let bottom = Rect::from_min_size(min + vec2(0.0, 14.0), vec2(each - 4.0, 16.0));
        text_in(ui.painter(), top, name, small(), palette.text_weak, Align::Min);
        text_in(ui.painter(), bottom, value, crate::ui::theme::regular(13.0), palette.text, Align::Min);
        let label = format!("{name} {value}");
        let response = ui.interact(top.union(bottom), ui.scope_id().with(("figure", *name)), Sense::hover());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    }
}

/// Place of a duration on the axis of the histogram, 0 to 1.
fn place(calls: &CallDurations, duration: i64) -> f32 {
    let (min, max) = (calls.min.max(1) as f64, calls.max.max(1) as f64);
    let d = (duration.max(1) as f64).clamp(min, max);
    let share = match (max > min, calls.log) {
        (false, _) => 0.5,
        (true, true) => (d / min).ln() / (max / min).ln(),
        (true, false) => (d - min) / (max - min),
    };
    share as f32
}

fn histogram(ui: &mut Ui, calls: &CallDurations, own: Option<i64>) {
    let palette = Palette::of(ui);
    let width = ui.available_width();
    if calls.bins.len() < 2 || calls.n < 3 {
        return;
    }
    ui.add_space(space::SMALL);
    let (area, response) = ui.allocate_exact_size(vec2(width, HEIGHT), Sense::hover());
    response
        .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, "Histogram of call durations"));
    let painter = ui.painter();
    painter.rect_filled(area, space::RADIUS_SMALL, palette.canvas);
    let plot = area.shrink2(vec2(4.0, 3.0));
    let most = calls.bins.iter().map(|b| b.count).max().unwrap_or(1).max(1);
    let each = plot.width() / calls.bins.len() as f32;
    let pointed = response.hover_pos().map(|p| ((p.x - plot.left()) / each).floor() as usize);
    for (i, bin) in calls.bins.iter().enumerate().filter(|(_, b)| b.count > 0) {
        // The root keeps a lone slow call in sight.
        let height = ((bin.count as f32 / most as f32).sqrt() * plot.height()).max(2.0);
        let left = plot.left() + each * i as f32;
        let bar = Rect::from_min_max(
            pos2(left, plot.bottom() - height),
            pos2(left + (each - 1.0).max(1.0), plot.bottom()),
        );
        let fill = mix(palette.canvas, palette.accent, if pointed == Some(i) { 0.9 } else { 0.55 });
        painter.rect_filled(bar, 1.0, fill);
    }
    let x = |d: i64| plot.left() + place(calls, d) * plot.width();
    painter.vline(x(calls.p50).round(), plot.y_range(), Stroke::new(1.0, palette.line_strong));
    if let Some(own) = own {
        painter.vline(x(own).round(), area.y_range(), Stroke::new(2.0, palette.text_strong));
    }
    let (labels, _) = ui.allocate_exact_size(vec2(width, 16.0), Sense::hover());
    text_in(ui.painter(), labels, &format::duration(calls.min), small(), palette.text_weak, Align::Min);
    text_in(ui.painter(), labels, &format::duration(calls.max), small(), palette.text_weak, Align::Max);
    if width > 170.0 {
        let middle = match (own.is_some(), calls.log) {
            (true, _) => "this call, median",
            (false, true) => "logarithmic",
            (false, false) => "median",
        };
        text_in(ui.painter(), labels, middle, small(), palette.text_weak, Align::Center);
    }
    if let Some(bin) = pointed.and_then(|i| calls.bins.get(i)) {
        let text = format!(
            "{} – {}: {}",
            format::duration(bin.from),
            format::duration(bin.to),
            format::counted(bin.count as i64, "call", "calls")
        );
        response.on_hover_text_at_pointer(text);
    }
    if calls.log && own.is_some() {
        remark(ui, "The axis is logarithmic; the height is the square root of the number of calls.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TrackId;

    #[test]
    fn durations_stand_between_the_ends_of_their_axis() {
        let mut calls = CallDurations {
            unfinished: 0,
            n: 9,
            min: 10,
            mean: 50,
            p50: 100,
            p75: 100,
            p90: 100,
            p99: 1000,
            p999: 1000,
            max: 1000,
            longest: (TrackId(0), 0),
            bins: Vec::new(),
            log: true,
        };
        assert_eq!(
            [10, 100, 1000, 5, 9999].map(|d| (place(&calls, d) * 100.0).round()),
            [0.0, 50.0, 100.0, 0.0, 100.0]
        );
        calls.log = false;
        assert_eq!((place(&calls, 505) * 100.0).round(), 50.0);
        calls.max = 10;
        assert_eq!(place(&calls, 10), 0.5);
    }
}
