//! Painting of facts, paths and texts.

use super::sheet::Fact;
use crate::format;
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, space};
use crate::ui::widgets::{icon_button, link_button, section_heading};
use crate::views::ViewCx;
use egui::text::{LayoutJob, TextWrapping};
use egui::{Frame, Label, Layout, Margin, Rect, RichText, Sense, Ui, Vec2, pos2, vec2};

/// Side of the copy mark.
const MARK: f32 = 12.0;
/// Characters of a long text that are shown at first.
const SHORT: usize = 700;
/// Characters that are shown at all: more would make every frame slow. Copying takes everything.
const LONGEST: usize = 40_000;

/// A heading with room above; nothing for an empty one.
pub(super) fn heading(ui: &mut Ui, title: &str) {
    if title.is_empty() {
        return;
    }
    ui.add_space(space::LARGE);
    section_heading(ui, title);
    ui.add_space(space::SMALL);
}

/// Name and value. A click follows the fact where it leads somewhere and copies it otherwise; the mark at
/// the right always copies.
pub(super) fn fact(cx: &mut ViewCx<'_>, ui: &mut Ui, fact: &Fact) {
    let palette = Palette::of(ui);
    let width = ui.available_width();
    let names = (width * 0.32).clamp(70.0, 130.0);
    let room = (width - names - MARK - 3.0 * space::SMALL).max(30.0);
    let color = if fact.go.is_some() { palette.accent } else { palette.text };
    let mut job = LayoutJob::simple(shown(&fact.value), regular(13.0), color, room);
    job.wrap = TextWrapping { max_width: room, max_rows: 12, ..TextWrapping::default() };
    let value = ui.painter().layout_job(job);
    let height = (value.size().y + 4.0).max(20.0);
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::click());
    let label = format!("{}: {}", fact.name, fact.value);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
    let at = pos2(rect.left() + names + space::SMALL, rect.top() + 2.0);
    let mark = Rect::from_center_size(pos2(rect.right() - MARK, rect.top() + 10.0), Vec2::splat(MARK + 6.0));
    let copy = ui.interact(mark, response.id.with("copy"), Sense::click());
    let copied = copied(ui, &response, &copy, fact);
    if response.hovered() || copy.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, space::RADIUS_SMALL, palette.hover);
        let strong = if copy.hovered() { palette.text_strong } else { palette.text_weak };
        Icon::Copy.paint(ui.painter(), mark.shrink(3.0), strong);
        if fact.go.is_some() && !copy.hovered() {
            let y = at.y + value.size().y.min(16.0);
            let end = at.x + value.rows.first().map_or(0.0, |row| row.size.x);
            ui.painter().hline(at.x..=end, y, egui::Stroke::new(1.0, color));
        }
    }
    if copied {
        ui.painter().rect_filled(mark, space::RADIUS_SMALL, palette.hover);
        Icon::Check.paint(ui.painter(), mark.shrink(3.0), palette.tone(Tone::Good));
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(400));
    }
    let name = Rect::from_min_size(rect.min, vec2(names - space::SMALL, 20.0));
    crate::views::parts::text_in(
        ui.painter(),
        name,
        &fact.name,
        regular(13.0),
        palette.text_weak,
        egui::Align::Min,
    );
    let cut = value.elided;
    ui.painter().galley(at, value, color);
    if let Some(item) = &fact.go
        && !copy.hovered()
    {
        cx.interact(&response, item);
    }
    copy.on_hover_text("Copy");
    let hint = match (fact.hint, cut) {
        ("", false) => return,
        ("", true) => "Cut; copying takes all of it",
        (hint, _) => hint,
    };
    response.on_hover_text(hint);
}

/// Copies on a click, and says for a moment that it did.
fn copied(ui: &Ui, row: &egui::Response, mark: &egui::Response, fact: &Fact) -> bool {
    let now = ui.input(|i| i.time);
    let id = row.id.with("copied");
    if mark.clicked() || row.clicked() && fact.go.is_none() {
        ui.ctx().copy_text(fact.value.clone());
        ui.data_mut(|data| data.insert_temp(id, now));
    }
    ui.data(|data| data.get_temp::<f64>(id)).is_some_and(|at| now - at < 1.2)
}

/// A text of bearable length, with ordinary line ends.
fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(2000).collect();
    out = format::escaped_lines(&out).into_owned();
    if text.len() > out.len() && text.chars().nth(2000).is_some() {
        out.push('…');
    }
    out
}

/// The steps of a path, each leading to its own; step `strong` is what it is about.
pub(super) fn path(cx: &mut ViewCx<'_>, ui: &mut Ui, steps: &[(String, Item)], strong: usize) {
    let palette = Palette::of(ui);
    let width = ui.available_width();
    for (i, (name, item)) in steps.iter().enumerate() {
        let last = i == strong;
        let (rect, response) = ui.allocate_exact_size(vec2(width, 20.0), Sense::click());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("path {name}")));
        if response.hovered() || cx.is_hovered(item) {
            ui.painter().rect_filled(rect, space::RADIUS_SMALL, palette.hover);
        }
        crate::ui::widgets::focus_ring(ui, &response, rect);
        // Deep paths would leave no room: indent in smaller and smaller steps.
        let indent = (width * 0.35) * (1.0 - (-(i as f32) * 9.0 / (width * 0.35)).exp());
        let mut area = rect;
        area.min.x += indent;
        if i > 0 {
            let tick = Rect::from_center_size(pos2(area.left() + 4.0, rect.center().y), Vec2::splat(9.0));
            Icon::ChevronRight.paint(ui.painter(), tick, palette.line_strong);
        }
        area.min.x += 14.0;
        let color = if last { palette.text_strong } else { palette.text };
        let font = if last { crate::ui::theme::strong(13.0) } else { regular(13.0) };
        let (_, whole) =
            crate::views::parts::text_in(ui.painter(), area, name, font, color, egui::Align::Min);
        cx.interact(&response, item);
        if !whole {
            response.on_hover_text(name);
        }
    }
}

/// A longer text on a surface of its own. True when the person asked for more or less of it.
pub(super) fn text(ui: &mut Ui, title: &str, text: &str, whole: bool) -> bool {
    let palette = Palette::of(ui);
    let mut turned = false;
    ui.add_space(space::LARGE);
    ui.horizontal(|ui| {
        section_heading(ui, title);
        ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
            if icon_button(ui, Icon::Copy, &format!("Copy {}", title.to_lowercase())).clicked() {
                ui.ctx().copy_text(text.to_owned());
            }
        });
    });
    let limit = if whole { LONGEST } else { SHORT };
    let cut = text.char_indices().nth(limit).map_or(text.len(), |(i, _)| i);
    Frame::new()
        .fill(palette.canvas)
        .corner_radius(space::RADIUS)
        .inner_margin(Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let shown = &text[..cut];
            ui.add(
                Label::new(RichText::new(format::escaped_lines(shown)).color(palette.text))
                    .wrap()
                    .selectable(true),
            );
            if text.len() > cut || whole && text.chars().nth(SHORT).is_some() {
                let label = if whole { "Show less" } else { "Show more" };
                turned = link_button(ui, label).clicked();
            }
        });
    turned
}
