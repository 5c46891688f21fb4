//! Facts as name and value, each copied by a click.

use crate::format::{escaped, escaped_lines};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, space};
use egui::{Id, Label, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo, vec2};

/// A grid of names and values.
pub struct KeyValues<'u> {
    ui: &'u mut Ui,
    names: f32,
}

impl<'u> KeyValues<'u> {
    /// A grid whose names take `names` points.
    pub fn new(ui: &'u mut Ui, names: f32) -> Self {
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.spacing_mut().interact_size.y = 20.0;
        Self { ui, names }
    }

    /// One fact.
    pub fn row(&mut self, name: &str, value: &str) -> &mut Self {
        self.toned(name, value, None)
    }

    /// One fact that is good or bad.
    pub fn toned(&mut self, name: &str, value: &str, tone: Option<Tone>) -> &mut Self {
        let palette = Palette::of(self.ui);
        let names = self.names;
        let ui = &mut *self.ui;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::MEDIUM;
            ui.allocate_ui(vec2(names, 20.0), |ui| {
                ui.set_width(names);
                ui.add(Label::new(RichText::new(escaped(name)).color(palette.text_weak)).truncate());
            });
            copied_on_click(ui, name, value, tone.map_or(palette.text, |tone| palette.tone(tone)));
        });
        self
    }
}

fn copied_on_click(ui: &mut Ui, name: &str, value: &str, color: egui::Color32) {
    const ICON: f32 = 12.0;
    let palette = Palette::of(ui);
    let room = (ui.available_width() - ICON - 3.0 * space::SMALL).max(20.0);
    let galley = ui.painter().layout(escaped_lines(value).into_owned(), regular(13.0), color, room);
    let size = vec2(galley.size().x + ICON + 3.0 * space::SMALL, galley.size().y.max(16.0) + 4.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), format!("{name}: {value}")));
    let now = ui.input(|i| i.time);
    let id: Id = response.id.with("copied");
    if response.clicked() {
        ui.ctx().copy_text(value.to_owned());
        ui.data_mut(|data| data.insert_temp(id, now));
    }
    let shown = response.hovered() || response.has_focus();
    if shown {
        ui.painter().rect_filled(rect, space::RADIUS, palette.hover);
    }
    super::focus_ring(ui, &response, rect);
    ui.painter().galley(rect.min + vec2(space::SMALL, 2.0), galley, color);
    let copied = ui.data(|data| data.get_temp::<f64>(id)).is_some_and(|at| now - at < 1.5);
    if shown || copied {
        let square = Rect::from_center_size(
            egui::pos2(rect.right() - space::SMALL - ICON / 2.0, rect.center().y),
            Vec2::splat(ICON),
        );
        let (icon, tone) = if copied { (Icon::Check, Tone::Good) } else { (Icon::Copy, Tone::Neutral) };
        icon.paint(ui.painter(), square, palette.tone(tone));
    }
    if copied {
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(400));
    }
}
