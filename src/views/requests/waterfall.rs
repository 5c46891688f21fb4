//! One bar per request on the time axis, split where waiting, prefill and decode begin, with token ticks;
//! above them how many requests were in flight.

use super::Frame;
use super::table::{context, tone};
use crate::analysis::requests::{RequestPart, parts};
use crate::format;
use crate::model::{Outcome, Profile, Request, RequestId};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::text::{LabelStyle, TextCache, TextKey, Texts};
use crate::ui::theme::{Palette, Tone, mix, small, space};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::focus_ring;
use crate::views::ViewCx;
use crate::views::time::{self, PHASE_BAND, Viewport};
use egui::{Align2, Mesh, Painter, Rect, ScrollArea, Sense, Shape, Ui, UiBuilder, pos2, vec2};
use std::borrow::Cow;
use std::ops::Range;

/// Height of a row.
pub(super) const ROW: f32 = 17.0;
/// Height of the chart of requests in flight.
const FLIGHT: f32 = 34.0;
/// Typical distance of token ticks from which on they are drawn, points.
const TICK_ROOM: f32 = 4.5;

/// One request on screen; positions in points.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    /// Which.
    pub id: RequestId,
    /// Upper edge.
    pub y: f32,
    /// Left, right and kind of each part that is seen.
    pub parts: Vec<(f32, f32, RequestPart)>,
    /// Where tokens came.
    pub ticks: Vec<f32>,
    /// Right end of the whole request; may lie outside.
    pub end: f32,
}

/// The bars of rows `rows` of `ids`, the first row standing at `top`.
pub(super) fn bars(
    profile: &Profile,
    ids: &[RequestId],
    rows: Range<usize>,
    top: f32,
    axis: &TimeAxis,
) -> Vec<Bar> {
    let profile_end = profile.time_bounds().map_or(0, |b| b.1);
    let mut bars = Vec::with_capacity(rows.len());
    let seen = rows.start.min(ids.len())..rows.end.min(ids.len());
    let with_ticks = has_ticks(profile, &ids[seen], axis);
    for row in rows {
        let Some((id, r)) = ids.get(row).and_then(|&id| Some((id, profile.requests.get(id)?))) else {
            continue;
        };
        let x = |t: i64| axis.x_of(t as f64);
        let all = parts(r, profile_end);
        let end = all.last().map_or(r.arrived, |p| p.1);
        let seen = |&(from, to, part): &(i64, i64, RequestPart)| {
            let (left, right) = (x(from).max(axis.x.min), x(to).min(axis.x.max));
            (left <= right).then_some((left, right.max(left + 1.0), part))
        };
        bars.push(Bar {
            id,
            y: top + row as f32 * ROW,
            parts: all.iter().filter_map(seen).collect(),
            ticks: if with_ticks { ticks(r, axis) } else { Vec::new() },
            end: x(end),
        });
    }
    bars
}

/// Positions of the tokens that are seen.
fn ticks(r: &Request, axis: &TimeAxis) -> Vec<f32> {
    let (from, to) = (axis.t0 as i64, axis.t1 as i64);
    let first = r.token_times.partition_point(|&t| t < from);
    let last = r.token_times.partition_point(|&t| t <= to);
    r.token_times[first..last.max(first)].iter().map(|&t| axis.x_of(t as f64)).collect()
}

/// Typical distance of the tokens of a request, points.
fn tick_distance(r: &Request, axis: &TimeAxis) -> Option<f32> {
    let (first, last) = (r.token_times.first()?, r.token_times.last()?);
    let gaps = r.token_times.len().checked_sub(1).filter(|n| *n > 0)?;
    Some((axis.x_of(*last as f64) - axis.x_of(*first as f64)) / gaps as f32)
}

/// True when ticks can be told apart on most of the rows: all have them, or none.
fn has_ticks(profile: &Profile, ids: &[RequestId], axis: &TimeAxis) -> bool {
    let of = |id: &RequestId| tick_distance(profile.requests.get(*id)?, axis);
    let mut distances: Vec<f32> = ids.iter().filter_map(of).collect();
    let middle = distances.len() / 2;
    !distances.is_empty() && *distances.select_nth_unstable_by(middle, f32::total_cmp).1 >= TICK_ROOM
}

pub(super) fn show(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    frame: &Frame,
    viewport: &mut Viewport,
    texts: &mut TextCache,
    follow: bool,
) {
    let palette = Palette::of(ui);
    let area = ui.available_rect_before_wrap();
    let names = if area.width() > 420.0 { (area.width() * 0.12).clamp(64.0, 130.0) } else { 0.0 };
    let left = area.left() + names;
    let axis = TimeAxis::layout(viewport.t0, viewport.t1, egui::Rangef::new(left, area.right()));
    let chart = Rect::from_min_max(pos2(left, area.top()), area.max);
    let response = ui.interact(chart, ui.scope_id().with("chart"), Sense::click_and_drag());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Waterfall of requests"));
    let gesture = viewport.gesture(ui, &response, &axis);
    viewport.publish(&gesture, cx);
    if gesture.double_click.is_some() {
        viewport.fit();
    }
    if let Some(t) = gesture.click {
        cx.send(Command::Select(Some(Item::Time(t.round() as i64))));
    }
    let ruler = Rect::from_min_size(chart.min, vec2(chart.width(), space::RULER));
    let band = if frame.phases.is_some() { PHASE_BAND } else { 0.0 };
    let band = Rect::from_min_size(ruler.left_bottom(), vec2(chart.width(), band));
    let flight_height = FLIGHT.min((area.height() * 0.25).max(12.0));
    let flight = Rect::from_min_size(band.left_bottom(), vec2(chart.width(), flight_height));
    let body = Rect::from_min_max(pos2(area.left(), flight.bottom() + 2.0), area.max);
    {
        let painter = ui.painter().clone();
        let mut texts = texts.begin(&painter);
        if let Some(phases) = &frame.phases {
            time::phase_names(&mut texts, &painter, band, &axis, phases, cx.profile(), palette);
        }
        in_flight(&painter, flight, frame, &axis, palette, area.left());
        rows(cx, ui, frame, body, &axis, &mut texts, follow);
    }
    let painter = ui.painter();
    let below = Rect::from_min_max(pos2(left, band.top()), area.max);
    time::range_marks(painter, below, &axis, cx.interaction.range, cx.preview, palette);
    let cursor = cx.cursor.map(|t| t as f64);
    axis.paint_ruler(painter, ruler, cursor, palette);
    if let Some(t) = cursor {
        axis.paint_cursor(painter, below, t, palette);
    }
    focus_ring(ui, &response, chart);
}

/// Steps of the number of requests in flight: one rectangle per pixel column at most.
fn in_flight(painter: &Painter, area: Rect, frame: &Frame, axis: &TimeAxis, palette: &Palette, left: f32) {
    painter.rect_filled(area, 0.0, palette.canvas);
    let steps = &frame.list.concurrency;
    let most = steps.iter().map(|s| s.1).max().unwrap_or(0).max(1);
    let from = steps.partition_point(|s| (s.0 as f64) < axis.t0).saturating_sub(1);
    let to = steps.partition_point(|s| s.0 as f64 <= axis.t1);
    let y = |n: u32| area.bottom() - (n as f32 / most as f32) * (area.height() - 5.0);
    let color = mix(palette.canvas, palette.accent, 0.45);
    let mut mesh = Mesh::default();
    let mut pending: Option<(f32, u32)> = None;
    for i in from..to {
        let (time, n) = steps[i];
        let x = axis.x_of(time as f64).clamp(axis.x.min, axis.x.max);
        let next =
            steps.get(i + 1).map_or(axis.x.max, |s| axis.x_of(s.0 as f64)).clamp(axis.x.min, axis.x.max);
        let (start, level) = match pending {
            // Steps within one pixel show their highest level.
            Some((start, level)) => (start, level.max(n)),
            None => (x, n),
        };
        if next - start < 1.0 && i + 1 < to {
            pending = Some((start, level));
            continue;
        }
        pending = None;
        mesh.add_colored_rect(Rect::from_min_max(pos2(start, y(level)), pos2(next, area.bottom())), color);
    }
    painter.add(Shape::mesh(mesh));
    // Without places in time nobody knows.
    let label = match steps.is_empty() {
        true => format::UNKNOWN.to_owned(),
        false => format!("max {}", format::count(i64::from(most))),
    };
    // Two lines where there is room for them.
    if area.left() - left > 40.0 && area.height() >= 26.0 {
        let x = area.left() - space::SMALL - 2.0;
        painter.text(
            pos2(x, area.top() + 8.0),
            Align2::RIGHT_CENTER,
            "in flight",
            small(),
            palette.text_weak,
        );
        painter.text(pos2(x, area.bottom() - 8.0), Align2::RIGHT_CENTER, label, small(), palette.text_weak);
    } else {
        let text = format!("in flight, {label}");
        painter.text(area.left_top() + vec2(4.0, 8.0), Align2::LEFT_CENTER, text, small(), palette.text_weak);
    }
}

fn rows(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    frame: &Frame,
    body: Rect,
    axis: &TimeAxis,
    texts: &mut Texts<'_>,
    follow: bool,
) {
    let ids = &frame.list.by_arrival;
    ui.painter().rect_filled(body.with_min_x(axis.x.min), 0.0, Palette::of(ui).canvas);
    let mut area = ScrollArea::vertical().id_salt("rows").auto_shrink(false);
    if let Some(id) = cx.interaction.selection.as_ref().and_then(|item| item.request(cx.profile()))
        && follow
        && let Ok(row) = ids.binary_search(&id)
    {
        let target = row as f32 * ROW - body.height() / 2.0;
        let last = (ids.len() as f32 * ROW - body.height()).max(0.0);
        area = area.vertical_scroll_offset(target.clamp(0.0, last));
    }
    ui.scope_builder(UiBuilder::new().max_rect(body).id_salt("rows"), |ui| {
        area.show_viewport(ui, |ui, view| {
            ui.set_height(ids.len() as f32 * ROW);
            let top = ui.min_rect().top();
            let first = (view.top() / ROW).floor().max(0.0) as usize;
            let last = ((view.bottom() / ROW).ceil().max(0.0) as usize).min(ids.len());
            let bars = bars(cx.profile(), ids, first.min(last)..last, top, axis);
            if let Some(phases) = &frame.phases {
                let clip = ui.clip_rect().with_min_x(axis.x.min);
                let painter = ui.painter().with_clip_rect(clip);
                time::phase_shades(&painter, clip, axis, phases, cx.profile(), Palette::of(ui));
            }
            axis.paint_grid(ui.painter(), ui.clip_rect().with_min_x(axis.x.min), Palette::of(ui));
            paint(cx, ui, &bars, body, axis, texts);
        });
    });
}

fn paint(cx: &mut ViewCx<'_>, ui: &Ui, bars: &[Bar], body: Rect, axis: &TimeAxis, texts: &mut Texts<'_>) {
    let palette = Palette::of(ui);
    let profile = cx.subject.profile().clone();
    let mut mesh = Mesh::default();
    let mut above: Vec<Shape> = Vec::new();
    let ink = palette.text_on(palette.phase("decode").fill).gamma_multiply(0.45);
    for bar in bars {
        let Some(r) = profile.requests.get(bar.id) else { continue };
        let row = Rect::from_min_max(pos2(body.left(), bar.y), pos2(body.right(), bar.y + ROW));
        let item = Item::of_request(bar.id, &profile);
        let lit = interact(cx, ui, &profile, bar, r, row, &item);
        if lit != Lit::No {
            let fill = if lit == Lit::Selected { palette.selection } else { palette.hover };
            ui.painter().rect_filled(row, 0.0, fill);
        }
        let box_y = bar.y + 2.0..=bar.y + ROW - 2.0;
        for &(left, right, part) in &bar.parts {
            let fill = palette.phase(part.name()).fill;
            // Waiting is thin: nothing is done for the request.
            let y = if part.is_waiting() { bar.y + 6.0..=bar.y + ROW - 6.0 } else { box_y.clone() };
            mesh.add_colored_rect(Rect::from_x_y_ranges(left..=right, y), fill);
        }
        for &x in &bar.ticks {
            mesh.add_colored_rect(
                Rect::from_x_y_ranges(x - 0.5..=x + 0.5, bar.y + 4.0..=bar.y + ROW - 4.0),
                ink,
            );
        }
        labels(&mut above, texts, &profile, bar, r, (row, axis), palette);
    }
    ui.painter().add(Shape::mesh(mesh));
    ui.painter().extend(above);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lit {
    No,
    Hovered,
    Selected,
}

fn interact(
    cx: &mut ViewCx<'_>,
    ui: &Ui,
    profile: &Profile,
    bar: &Bar,
    r: &Request,
    row: Rect,
    item: &Item,
) -> Lit {
    let clip = row.intersect(ui.clip_rect());
    let response = ui.interact(clip, ui.scope_id().with(("request", bar.id.0)), Sense::click());
    let selected = cx.is_selected(item);
    let name = profile.text(r.name);
    let label = format!("waterfall {name}");
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, selected, &label));
    cx.interact(&response, item);
    if response.secondary_clicked() {
        cx.send(Command::Select(Some(item.clone())));
    }
    response.context_menu(|ui| {
        context(profile, bar.id).show(cx, ui, |_, _| ());
    });
    focus_ring(ui, &response, clip);
    let lit = response.hovered() || cx.is_hovered(item);
    if response.hovered() {
        let text = tooltip(profile, r);
        response.on_hover_text_at_pointer(text);
    }
    match (selected, lit) {
        (true, _) => Lit::Selected,
        (_, true) => Lit::Hovered,
        _ => Lit::No,
    }
}

/// The name before the bar, its length after it, and a mark when it failed.
fn labels(
    shapes: &mut Vec<Shape>,
    texts: &mut Texts<'_>,
    profile: &Profile,
    bar: &Bar,
    r: &Request,
    (row, axis): (Rect, &TimeAxis),
    palette: &Palette,
) {
    let name = profile.text(r.name);
    let style = LabelStyle::new(11.5);
    let place = row.with_max_x(axis.x.min - 2.0);
    if place.width() > 30.0 {
        let key = TextKey::new(("request", bar.id.0, r.name.0));
        shapes.extend(texts.label(place, key, style, palette.text_weak, || Cow::Borrowed(name)));
    }
    let mut at = bar.end.max(axis.x.min) + space::SMALL;
    if bar.parts.is_empty() {
        return;
    }
    if r.outcome == Outcome::Error || r.outcome == Outcome::Cancelled {
        let tone = tone(r.outcome);
        let mark = Rect::from_center_size(pos2(at + 6.0, row.center().y), vec2(11.0, 11.0));
        if mark.right() < axis.x.max {
            let icon = if tone == Tone::Bad { Icon::Error } else { Icon::Close };
            shapes.extend(icon.shapes(mark, palette.tone(tone)));
        }
        at += 15.0;
    }
    let Some(latency) = r.latency() else { return };
    let key = TextKey::new(("latency", latency));
    if let Some(galley) =
        texts.get(key, LabelStyle::new(11.0), f32::MAX, || Cow::Owned(format::duration(latency)))
        && at + galley.size().x < axis.x.max
    {
        let y = row.center().y - galley.size().y / 2.0;
        shapes.push(Shape::galley(pos2(at, y), galley, palette.text_weak));
    }
}

fn tooltip(profile: &Profile, r: &Request) -> String {
    let ns = |v: Option<i64>| v.map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
    let count = |v: Option<u64>| v.map_or_else(|| format::UNKNOWN.to_owned(), |v| format::count(v as i64));
    let mut lines = vec![format!("{}  {}", profile.text(r.name), r.outcome.name())];
    let model = profile.text(r.model);
    if !model.is_empty() {
        lines.push(model.to_owned());
    }
    lines.push(format!(
        "queued {}  ·  TTFT {}  ·  latency {}",
        ns(r.queued()),
        ns(r.ttft()),
        ns(r.latency())
    ));
    if !r.retries.is_empty() {
        let attempts = format::counted(r.retries.len() as i64, "failed attempt", "failed attempts");
        let reasons = crate::analysis::requests::reasons(profile, r);
        lines.push(format!(
            "{} lost to {attempts} ({reasons}); waited {} for the first token",
            format::duration(r.lost()),
            ns(r.waited())
        ));
    }
    let about = if r.is_estimated() { "≈" } else { "" };
    let output = count(r.output().map(|o| o.0));
    lines.push(format!("{} prompt and {about}{output} output tokens", count(r.tokens.prompt())));
    if let Some(tpot) = r.tpot() {
        lines.push(format!("TPOT {about}{}", format::duration(tpot.round() as i64)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProfileBuilder;
    use egui::Rangef;

    #[test]
    fn bars_show_parts_and_ticks_of_visible_rows_only() {
        let mut b = ProfileBuilder::new("test");
        for i in 0..100 {
            b.request(Request {
                arrived: i * 10,
                scheduled: Some(i * 10 + 2),
                first_token: Some(i * 10 + 4),
                finished: Some(i * 10 + 8),
                token_times: vec![i * 10 + 4, i * 10 + 6, i * 10 + 8],
                ..Request::default()
            });
        }
        let p = b.finish();
        let ids: Vec<_> = (0..100).map(RequestId).collect();
        let axis = TimeAxis::layout(0.0, 100.0, Rangef::new(0.0, 1000.0));
        let found = bars(&p, &ids, 2..5, 50.0, &axis);
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].id, found[0].y), (RequestId(2), 50.0 + 2.0 * ROW));
        let kinds: Vec<_> = found[0].parts.iter().map(|p| (p.0, p.1)).collect();
        assert_eq!(kinds, [(200.0, 220.0), (220.0, 240.0), (240.0, 280.0)]);
        assert_eq!(found[0].ticks, [240.0, 260.0, 280.0]);
        let far = TimeAxis::layout(0.0, 1e6, Rangef::new(0.0, 1000.0));
        assert!(bars(&p, &ids, 0..1, 0.0, &far)[0].ticks.is_empty(), "ticks that nobody could tell apart");
        assert!(bars(&p, &ids, 99..100, 0.0, &axis)[0].parts.is_empty(), "outside of the viewport");
        assert!(bars(&p, &ids, 200..210, 0.0, &axis).is_empty());
    }
}
