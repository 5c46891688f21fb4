//! Work in progress.

use super::icon_button;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, space};
use egui::{Label, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use std::time::Duration;

/// One running job: what it does, how far it is (`None`: unknown), and a button that ends it, which is called `end`. True
/// when the user ends it.
pub fn progress_row(ui: &mut Ui, what: &str, done: Option<f32>, end: &str) -> bool {
    const BAR: f32 = 140.0;
    const NUMBER: f32 = 44.0;
    let palette = Palette::of(ui);
    let done = done.filter(|d| d.is_finite()).map(|d| d.clamp(0.0, 1.0));
    let mut cancelled = false;
    ui.horizontal(|ui| {
        ui.set_min_height(space::CONTROL);
        let fixed = BAR + NUMBER + space::CONTROL + 3.0 * ui.spacing().item_spacing.x;
        let room = (ui.available_width() - fixed).clamp(40.0, 260.0);
        ui.allocate_ui(vec2(room, space::CONTROL), |ui| {
            ui.set_width(room);
            ui.add(Label::new(what).truncate());
        });
        let (rect, response) = ui.allocate_exact_size(vec2(BAR, 6.0), Sense::hover());
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, what);
            info.value = done.map(f64::from);
            info
        });
        ui.painter().rect_filled(rect, 3.0, palette.pressed);
        ui.painter().rect_filled(filled(ui, rect, done), 3.0, palette.accent);
        let number = done.map_or_else(String::new, |d| format!("{} %", (d * 100.0) as u32));
        ui.allocate_ui(vec2(NUMBER, space::CONTROL), |ui| {
            ui.set_width(NUMBER);
            ui.add(Label::new(RichText::new(number).color(palette.text_weak)));
        });
        cancelled = icon_button(ui, Icon::Close, &format!("{end}: {what}")).clicked();
    });
    cancelled
}

/// The filled part; for work of unknown length a piece that wanders.
fn filled(ui: &Ui, bar: Rect, done: Option<f32>) -> Rect {
    let (from, to) = match done {
        Some(done) => (0.0, done),
        None => {
            ui.ctx().request_repaint_after(Duration::from_millis(33));
            let phase = (ui.input(|i| i.time) / 1.6).fract() as f32 * 1.3 - 0.3;
            (phase.max(0.0), (phase + 0.3).min(1.0))
        }
    };
    let x = |share: f32| bar.left() + share * bar.width();
    Rect::from_min_max(pos2(x(from), bar.top()), pos2(x(to), bar.bottom()))
}
