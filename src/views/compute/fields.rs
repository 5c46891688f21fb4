//! What a person says of the model and its device.

use egui::{RichText, Ui};

use crate::analysis::compute::{DEVICES, Given, device_of};
use crate::format;
use crate::model::Profile;
use crate::ui::theme::Palette;
use crate::ui::widgets::combo;
use crate::views::parts::{remark, typed};

/// Fields with what was typed.
#[derive(Default)]
pub(super) struct Fields {
    /// What they say.
    pub given: Given,
}

impl Fields {
    pub(super) fn show(&mut self, ui: &mut Ui, profile: &Profile, stated: &Given) {
        let mut stated = stated.clone();
        for quantity in &Given::ALL {
            let said = *(quantity.of)(&mut stated);
            let value = (quantity.of)(&mut self.given);
            let palette = Palette::of(ui);
            ui.horizontal(|ui| {
                ui.allocate_ui(egui::vec2(150.0, 20.0), |ui| {
                    ui.set_width(150.0);
                    ui.label(RichText::new(quantity.name).color(palette.text_weak))
                        .on_hover_text(quantity.about);
                });
                let hint = said
                    .map_or_else(|| format!("such as {}", quantity.example), |n| written(n, quantity.unit));
                let name = quantity.name;
                field(ui, name, quantity.unit, value, &hint);
            });
        }
        ui.horizontal(|ui| {
            let known = device_of(profile).map_or("Choose…", |d| d.name);
            let chosen = DEVICES.iter().find(|d| self.given.peak_bytes == Some(d.bytes));
            let shown = chosen.map_or(known, |d| d.name);
            let label = RichText::new("Peaks of a known device").color(Palette::of(ui).text_weak);
            ui.allocate_ui(egui::vec2(150.0, 20.0), |ui| {
                ui.set_width(150.0);
                ui.label(label);
            });
            let list = combo("device").selected_text(shown).show_ui(ui, |ui| {
                for device in &DEVICES {
                    for (peak, what) in [(device.fp32, "fp32"), (device.fp16, "fp16")] {
                        if ui.selectable_label(false, format!("{}, {what}", device.name)).clicked() {
                            self.given.peak_bytes = Some(device.bytes);
                            self.given.peak_flops = Some(peak);
                        }
                    }
                }
            });
            list.response.accessible_name("Known device");
        });
        remark(
            ui,
            "Numbers take k, M, G, T and Ki, Mi, Gi. What the run states itself is shown weakly; what you say counts before it.",
        );
    }
}

fn written(n: u64, unit: &str) -> String {
    match unit {
        "" => format::count(n as i64),
        "bytes" => format::bytes(n as i64),
        _ => format::per_second(n as f64, unit.trim_end_matches("/s").replace("bytes", "B").as_str()),
    }
}

fn field(ui: &mut Ui, name: &str, unit: &str, value: &mut Option<u64>, hint: &str) {
    let shown = value.map_or_else(String::new, |n| written(n, unit));
    let width = ui.available_width().min(190.0);
    let read = |text: &str| format::typed_quantity(text).filter(|n| *n > 0);
    let wanted = |text: &str| read(text).is_none().then_some("A number above 0 is wanted, such as 12G");
    let text =
        typed(ui, name, &shown, wanted, |field| field.desired_width(width).char_limit(40).hint_text(hint));
    if let Some(text) = text {
        *value = read(&text);
    }
}
