//! Buttons beyond egui's own, and the picture of a key.

use super::focus_ring;
use crate::format::escaped;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, mono, regular, space, strong};
use egui::{
    Button, KeyboardShortcut, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2,
};

/// The one main action of a place.
pub fn primary_button(ui: &mut Ui, text: &str) -> Response {
    let palette = Palette::of(ui);
    let text = RichText::new(text).font(strong(13.0)).color(palette.on_accent);
    // Also in a menu bar, which would take the space around the text away.
    let button = Button::new(text).fill(palette.accent_fill).stroke(Stroke::NONE);
    let response = ui
        .scope(|ui| {
            ui.spacing_mut().button_padding = vec2(12.0, 3.0);
            ui.add(button)
        })
        .inner;
    // The ring stands outside of the fill, which has nearly the same colour.
    if response.has_focus() {
        let ring = Stroke::new(1.5, palette.accent);
        ui.painter().rect_stroke(response.rect.expand(2.0), space::RADIUS + 2, ring, StrokeKind::Middle);
    }
    response
}

/// A text that acts when clicked, without a frame.
pub fn link_button(ui: &mut Ui, text: &str) -> Response {
    let palette = Palette::of(ui);
    let galley = ui.painter().layout_no_wrap(escaped(text).into_owned(), strong(13.0), palette.accent);
    let size = vec2(galley.size().x + 2.0 * space::SMALL, space::CONTROL);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), text));
    let at = rect.center() - galley.size() / 2.0;
    if response.hovered() {
        let y = at.y + galley.size().y - 1.0;
        ui.painter().hline(at.x..=at.x + galley.size().x, y, Stroke::new(1.0, palette.accent));
    }
    ui.painter().galley(at, galley, palette.accent);
    focus_ring(ui, &response, rect);
    response
}

/// Something that is in force and goes when it is clicked: a text and a cross.
pub fn chip(ui: &mut Ui, text: &str) -> Response {
    const CROSS: f32 = 9.0;
    let palette = Palette::of(ui);
    let galley = ui.painter().layout_no_wrap(escaped(text).into_owned(), regular(13.0), palette.text);
    let size = vec2(galley.size().x + CROSS + 3.0 * space::MEDIUM, space::CONTROL);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), text));
    let fill = match (response.is_pointer_button_down_on(), response.hovered()) {
        (true, _) => palette.pressed,
        (_, true) => palette.hover,
        _ => palette.raised,
    };
    ui.painter().rect(rect, space::RADIUS, fill, Stroke::new(1.0, palette.line), StrokeKind::Inside);
    let at = egui::pos2(rect.left() + space::MEDIUM, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, palette.text);
    let cross = egui::pos2(rect.right() - space::MEDIUM - CROSS / 2.0, rect.center().y);
    let color = if response.hovered() { palette.text_strong } else { palette.text_weak };
    Icon::Close.paint(ui.painter(), egui::Rect::from_center_size(cross, Vec2::splat(CROSS)), color);
    focus_ring(ui, &response, rect);
    response
}

/// A square button with an icon; `name` is its tooltip and its name.
pub fn icon_button(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(space::CONTROL), clicks(ui));
    paint_icon_button(ui, rect, &response, icon, false);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    response.on_hover_text(name)
}

/// An icon button that stays pressed while `on`.
pub fn toggle_button(ui: &mut Ui, icon: Icon, name: &str, on: &mut bool) -> Response {
    let (rect, mut response) = ui.allocate_exact_size(Vec2::splat(space::CONTROL), clicks(ui));
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    paint_icon_button(ui, rect, &response, icon, *on);
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), *on, name));
    response.on_hover_text(name)
}

/// What cannot be used now offers no click, to screen readers neither.
fn clicks(ui: &Ui) -> Sense {
    if ui.is_enabled() { Sense::click() } else { Sense::hover() }
}

pub(super) fn paint_icon_button(ui: &Ui, rect: egui::Rect, response: &Response, icon: Icon, on: bool) {
    let palette = Palette::of(ui);
    let fill = match (on, response.is_pointer_button_down_on(), response.hovered()) {
        (true, _, _) => Some(palette.selection),
        (_, true, _) => Some(palette.pressed),
        (_, _, true) => Some(palette.hover),
        _ => None,
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, space::RADIUS, fill);
    }
    let color = match (ui.is_enabled(), on, response.hovered()) {
        (false, _, _) => palette.line_strong,
        (_, true, _) => palette.accent,
        (_, _, true) => palette.text_strong,
        _ => palette.text_weak,
    };
    let side = (rect.height() * 0.62).round();
    icon.paint(ui.painter(), egui::Rect::from_center_size(rect.center(), Vec2::splat(side)), color);
    focus_ring(ui, response, rect);
}

/// The keys of a shortcut, as on a keyboard.
pub fn shortcut_hint(ui: &mut Ui, shortcut: &KeyboardShortcut) -> Response {
    let palette = Palette::of(ui);
    let text = ui.ctx().format_shortcut(shortcut);
    // «Ctrl++» is the keys Ctrl and +.
    let mut keys: Vec<&str> = text.split('+').filter(|key| !key.is_empty()).collect();
    if text.ends_with('+') {
        keys.push("+");
    }
    let galleys: Vec<_> = keys
        .iter()
        .map(|key| ui.painter().layout_no_wrap((*key).to_owned(), mono(11.0), palette.text))
        .collect();
    let cap = |width: f32| (width + 10.0).max(18.0);
    let gap = 3.0;
    let width = galleys.iter().map(|g| cap(g.size().x) + gap).sum::<f32>() - gap;
    let (rect, response) = ui.allocate_exact_size(vec2(width.max(0.0), 18.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    let mut x = rect.left();
    for galley in galleys {
        let key = egui::Rect::from_min_size(egui::pos2(x, rect.top()), vec2(cap(galley.size().x), 18.0));
        let border = Stroke::new(1.0, palette.line);
        ui.painter().rect(key, 4.0, palette.raised, border, StrokeKind::Inside);
        ui.painter().galley(key.center() - galley.size() / 2.0, galley, palette.text);
        x = key.right() + gap;
    }
    response
}
