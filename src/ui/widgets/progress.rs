//! Work in progress.

use super::icon_button;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, regular, space};
use egui::{Label, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use std::time::Duration;

/// One running job: what it does, how far it is (`None`: unknown), and a button that ends it, which is called `end`. True
/// when the user ends it.
pub fn progress_row(ui: &mut Ui, what: &str, done: Option<f32>, end: &str) -> bool {
    row(ui, what, done, Some(end))
}

/// The same for what ends by itself, or when nobody looks at it any more.
pub fn working_row(ui: &mut Ui, what: &str, done: Option<f32>) {
    row(ui, what, done, None);
}

/// What is being computed, over the middle of what is out of date meanwhile.
pub fn working_over(ui: &Ui, area: Rect, what: &str, done: Option<f32>) {
    let palette = Palette::of(ui);
    let done = done.filter(|d| d.is_finite()).map(|d| d.clamp(0.0, 1.0));
    let share = done.map_or_else(String::new, |d| format!(" {} %", (d * 100.0) as u32));
    let galley = ui.painter().layout_no_wrap(format!("{what} …{share}"), regular(13.0), palette.text);
    let plate = Rect::from_center_size(area.center(), galley.size() + vec2(24.0, 12.0)).intersect(area);
    let response = ui.interact(plate, ui.scope_id().with("working"), Sense::hover());
    response.widget_info(|| progress_info(what, done));
    let painter = ui.painter().with_clip_rect(plate.intersect(ui.clip_rect()));
    painter.rect_filled(plate, space::RADIUS, palette.panel.gamma_multiply(0.9));
    painter.galley(plate.min + vec2(12.0, 6.0), galley, palette.text);
    ui.ctx().request_repaint_after(Duration::from_millis(100));
}

fn progress_info(what: &str, done: Option<f32>) -> WidgetInfo {
    let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, what);
    info.value = done.map(f64::from);
    info
}

fn row(ui: &mut Ui, what: &str, done: Option<f32>, end: Option<&str>) -> bool {
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
        response.widget_info(|| progress_info(what, done));
        ui.painter().rect_filled(rect, 3.0, palette.pressed);
        ui.painter().rect_filled(filled(ui, rect, done), 3.0, palette.accent);
        let number = done.map_or_else(String::new, |d| format!("{} %", (d * 100.0) as u32));
        ui.allocate_ui(vec2(NUMBER, space::CONTROL), |ui| {
            ui.set_width(NUMBER);
            ui.add(Label::new(RichText::new(number).color(palette.text_weak)));
        });
        cancelled = end.is_some_and(|end| icon_button(ui, Icon::Close, &format!("{end}: {what}")).clicked());
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
