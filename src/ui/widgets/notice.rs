//! Words to the user: notices, pills, headings, legends, and what stands where there is nothing to show.

use super::{icon_button, link_button, primary_button};
use crate::format::escaped;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, small, space, strong};
use egui::{
    Color32, Frame, Label, Margin, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
    vec2,
};

/// A bar with a message above a view.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    tone: Tone,
    text: &'a str,
    action: Option<&'a str>,
    dismiss: bool,
}

/// What the user did with a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeAction {
    /// Clicked its action.
    Acted,
    /// Closed it.
    Dismissed,
}

impl<'a> Notice<'a> {
    /// A notice that says `text`.
    #[must_use]
    pub fn new(tone: Tone, text: &'a str) -> Self {
        Self { tone, text, action: None, dismiss: false }
    }

    /// Offers an action at the right.
    #[must_use]
    pub fn action(self, label: &'a str) -> Self {
        Self { action: Some(label), ..self }
    }

    /// Can be closed.
    #[must_use]
    pub fn dismissable(self) -> Self {
        Self { dismiss: true, ..self }
    }

    /// Shows it over the whole width.
    pub fn show(self, ui: &mut Ui) -> Option<NoticeAction> {
        let palette = Palette::of(ui);
        let mut done = None;
        Frame::new()
            .fill(palette.tone_fill(self.tone))
            .stroke(Stroke::new(1.0, palette.tone_line(self.tone)))
            .corner_radius(space::RADIUS)
            .inner_margin(Margin::symmetric(10, 3))
            .show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.set_min_height(space::CONTROL);
                    Icon::of_tone(self.tone).show(ui, 16.0, self.tone);
                    let buttons = self.buttons_width(ui);
                    let room = (ui.available_width() - buttons).max(40.0);
                    let text = RichText::new(escaped(self.text)).color(palette.text);
                    ui.allocate_ui(vec2(room, space::CONTROL), |ui| {
                        ui.set_width(room);
                        ui.add(Label::new(text).wrap());
                    });
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        ui.spacing_mut().item_spacing.x = space::SMALL;
                        if self.dismiss && icon_button(ui, Icon::Close, "Dismiss").clicked() {
                            done = Some(NoticeAction::Dismissed);
                        }
                        if let Some(action) = self.action
                            && link_button(ui, action).clicked()
                        {
                            done = Some(NoticeAction::Acted);
                        }
                    });
                });
            });
        done
    }

    fn buttons_width(&self, ui: &Ui) -> f32 {
        let link = |text: &str| {
            let galley = ui.painter().layout_no_wrap(text.to_owned(), strong(13.0), Color32::PLACEHOLDER);
            galley.size().x + 2.0 * space::SMALL
        };
        let close = if self.dismiss { space::CONTROL } else { 0.0 };
        self.action.map_or(0.0, link) + close + space::MEDIUM + space::SMALL
    }
}

/// A short mark: a state, a kind, a count. Add a tooltip with [`Response::on_hover_text`].
pub fn pill(ui: &mut Ui, tone: Tone, text: &str) -> Response {
    let palette = Palette::of(ui);
    let color = palette.tone(tone);
    let galley = ui.painter().layout_no_wrap(escaped(text).into_owned(), small(), color);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 14.0, 18.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let border = Stroke::new(1.0, palette.tone_line(tone));
    ui.painter().rect(rect, 9.0, palette.tone_fill(tone), border, StrokeKind::Inside);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, color);
    response
}

/// A heading inside a panel.
pub fn section_heading(ui: &mut Ui, text: &str) -> Response {
    let color = Palette::of(ui).text_strong;
    ui.add(Label::new(RichText::new(escaped(text)).font(strong(13.0)).color(color)))
}

/// A colour of a chart and what it stands for.
pub fn legend_item(ui: &mut Ui, color: Color32, text: &str) -> Response {
    let palette = Palette::of(ui);
    let galley = ui.painter().layout_no_wrap(escaped(text).into_owned(), regular(12.0), palette.text);
    let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 16.0, 18.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let swatch =
        egui::Rect::from_center_size(egui::pos2(rect.left() + 5.0, rect.center().y), Vec2::splat(10.0));
    ui.painter().rect_filled(swatch, space::RADIUS_SMALL, color);
    let at = egui::pos2(rect.left() + 16.0, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, palette.text);
    response
}

/// What a view says when it has nothing to show, and what to do about it.
#[derive(Clone, Copy, Debug)]
pub struct EmptyState<'a> {
    icon: Icon,
    title: &'a str,
    text: &'a str,
    action: Option<&'a str>,
}

impl<'a> EmptyState<'a> {
    /// Says `title`, and `text` to explain it.
    #[must_use]
    pub fn new(icon: Icon, title: &'a str, text: &'a str) -> Self {
        Self { icon, title, text, action: None }
    }

    /// Offers a way out.
    #[must_use]
    pub fn action(self, label: &'a str) -> Self {
        Self { action: Some(label), ..self }
    }

    /// Shows it in the middle of the space left. True when the user took the way out.
    pub fn show(self, ui: &mut Ui) -> bool {
        let palette = Palette::of(ui);
        let width = ui.available_width().min(400.0);
        let plain_text = escaped(self.text).into_owned();
        let text = RichText::new(plain_text.clone()).color(palette.text_weak);
        let lines = ui.painter().layout(plain_text, regular(13.0), palette.text_weak, width).size().y;
        let button = if self.action.is_some() { space::CONTROL + 14.0 } else { 0.0 };
        let height = 56.0 + 12.0 + 20.0 + 6.0 + lines + button;
        let mut acted = false;
        ui.vertical_centered(|ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            // A little above the middle looks like the middle.
            ui.add_space(((ui.available_height() - height) * 0.45).max(space::LARGE));
            let (disc, _) = ui.allocate_exact_size(Vec2::splat(56.0), Sense::hover());
            ui.painter().circle_filled(disc.center(), 28.0, palette.raised);
            let icon = egui::Rect::from_center_size(disc.center(), Vec2::splat(26.0));
            self.icon.paint(ui.painter(), icon, palette.text_weak);
            ui.add_space(12.0);
            ui.label(RichText::new(self.title).font(strong(15.0)).color(palette.text_strong));
            ui.add_space(6.0);
            ui.allocate_ui(vec2(width, lines), |ui| {
                ui.set_width(width);
                ui.vertical_centered(|ui| ui.add(Label::new(text).wrap().halign(egui::Align::Center)));
            });
            if let Some(action) = self.action {
                ui.add_space(14.0);
                acted = primary_button(ui, action).clicked();
            }
        });
        acted
    }
}
