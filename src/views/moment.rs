//! A panel on what was going on at one moment: shown by the memory view and the details.

use crate::analysis::moment::{At, Moment};
use crate::analysis::phases::PhasesIn;
use crate::format;
use crate::model::{FunctionId, Profile};
use crate::state::Item;
use crate::ui::theme::{Palette, regular, small, space};
use crate::views::ViewCx;
use crate::views::heap;
use crate::views::parts::{remark, row, text_in, weak};
use egui::{Align, Rect, Sense, Ui, pos2, vec2};

/// Most tracks and requests that are listed.
const MOST: usize = 60;

/// Shows what ran at `time`. `place` tells apart several such panels of one pane.
pub fn show(cx: &mut ViewCx<'_>, ui: &mut Ui, time: i64, place: u64) {
    let Some(moment) = cx.ask(&At(time), place).content(ui, "Looking up what ran") else { return };
    let profile = cx.subject.profile().clone();
    if let Some(phase) = phase_at(cx, time, place) {
        let name = profile.function_name(phase.0).to_owned();
        let item = phase.1;
        running_row(cx, ui, "phase", &name, "", &item);
    }
    let works = |r: &&crate::analysis::moment::Running| {
        let kind = profile.track(r.track).kind;
        !kind.is_view() && kind != crate::model::TrackKind::Untimed
    };
    let shown = moment.running.iter().filter(works);
    let mut count = 0;
    for running in shown {
        count += 1;
        if count > MOST {
            continue;
        }
        let label = profile.track_label(running.track);
        let Some(&last) = running.path.last() else { continue };
        let name = profile.function_name(last).to_owned();
        let item = match running.row {
            Some(row) => Item::of_span(running.track, row, &profile),
            None => Some(Item::of_path(&running.path, &profile)),
        };
        let Some(item) = item else { continue };
        running_row(cx, ui, &label, &name, &callers(&profile, &running.path), &item);
    }
    if count == 0 {
        weak(ui, "Nothing ran on any track.");
    } else if count > MOST {
        remark(ui, &format!("and {}", format::counted((count - MOST) as i64, "more track", "more tracks")));
    }
    requests(cx, ui, &moment, &profile);
    held(cx, ui, time);
}

/// At the peak of the heap: who held it.
fn held(cx: &mut ViewCx<'_>, ui: &mut Ui, time: i64) {
    let peak = heap::peak(cx);
    let Some(peak) = peak.as_deref().and_then(Option::as_ref).filter(|p| p.time == time) else { return };
    ui.add_space(space::SMALL);
    weak(ui, &format!("The heap was largest then: {}, held by", format::bytes(peak.bytes)));
    heap::holders(cx, ui, peak, 12);
}

/// «main › serve» for the callers of the innermost function.
pub fn callers(profile: &Profile, path: &[FunctionId]) -> String {
    let above = &path[..path.len().saturating_sub(1)];
    let skipped = above.len().saturating_sub(4);
    let names: Vec<_> = above[skipped..].iter().map(|&f| profile.function_name(f)).collect();
    let dots = if skipped > 0 { "… › " } else { "" };
    format!("{dots}{}", names.join(" › "))
}

fn phase_at(cx: &ViewCx<'_>, time: i64, place: u64) -> Option<(FunctionId, Item)> {
    let phases = cx.ask(&PhasesIn(None), place).beside()?;
    let span = phases.between(time, time.saturating_add(1)).last()?;
    Some((span.function, Item::of_span(span.track, span.row, cx.profile())?))
}

fn running_row(cx: &mut ViewCx<'_>, ui: &mut Ui, track: &str, name: &str, callers: &str, item: &Item) {
    let palette = Palette::of(ui);
    let (rect, response) = row(ui, space::ROW, Sense::click());
    let selected = cx.is_selected(item);
    let label = format!("{track} {name}");
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, selected, &label));
    if selected || response.hovered() || cx.is_hovered(item) {
        let fill = if selected { palette.selection } else { palette.hover };
        ui.painter().rect_filled(rect, space::RADIUS_SMALL, fill);
    }
    let inner = rect.shrink2(vec2(4.0, 0.0));
    let split = inner.left() + (inner.width() * 0.3).clamp(50.0, 130.0);
    let left = Rect::from_min_max(inner.min, pos2(split - space::SMALL, inner.bottom()));
    text_in(ui.painter(), left, track, regular(12.0), palette.text_weak, Align::Min);
    let swatch = Rect::from_center_size(pos2(split + 5.0, inner.center().y), vec2(10.0, 10.0));
    let color = palette.phase(name).fill;
    ui.painter().rect_filled(swatch, space::RADIUS_SMALL, color);
    let mut rest = Rect::from_min_max(pos2(split + 16.0, inner.top()), inner.max);
    let (width, whole) = text_in(ui.painter(), rest, name, regular(13.0), palette.text, Align::Min);
    rest.min.x += width + space::MEDIUM;
    if rest.width() > 50.0 && !callers.is_empty() {
        text_in(ui.painter(), rest, callers, small(), palette.text_weak, Align::Max);
    }
    cx.interact(&response, item);
    if !whole || !callers.is_empty() {
        response.on_hover_text(format!("{callers}{}{name}", if callers.is_empty() { "" } else { " › " }));
    }
}

fn requests(cx: &mut ViewCx<'_>, ui: &mut Ui, moment: &Moment, profile: &Profile) {
    if moment.requests.is_empty() {
        return;
    }
    ui.add_space(space::SMALL);
    let count = moment.requests.len();
    weak(ui, &format!("{} in flight", format::counted(count as i64, "request", "requests")));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::SMALL, space::SMALL);
        for &id in moment.requests.iter().take(MOST) {
            let item = Item::of_request(id, profile);
            let Some(request) = profile.requests.get(id) else { continue };
            let name = profile.text(request.name);
            let text = if name.is_empty() { format!("request {}", id.0) } else { name.to_owned() };
            let response = ui.selectable_label(cx.is_selected(&item), text);
            cx.interact(&response, &item);
        }
    });
}
