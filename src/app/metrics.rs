//! Metrics that a person defines: a dialog, kept in the settings, the same for all runs that can have them.

use egui::{Grid, RichText, TextEdit, Ui};

use super::App;
use crate::analysis::formula::{self, Definition};
use crate::model::{MetricKey, NameKey, Profile};
use crate::state::Command;
use crate::ui::theme::{Palette, Tone, mono};
use crate::ui::widgets;

/// What is typed in the dialog.
#[derive(Default)]
pub(super) struct Editor {
    name: String,
    formula: String,
}

impl Editor {
    fn definition(&self) -> Definition {
        Definition { name: self.name.trim().into(), formula: self.formula.trim().into() }
    }

    /// Draws it; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui) -> Option<Self> {
        let profile = app.active()?.profile.clone()?;
        let (mut gone, mut added, mut closed) = (None, false, false);
        let modal = egui::Modal::new(egui::Id::unique("metrics")).show(ui.ctx(), |ui| {
            ui.set_width(560.0);
            let palette = Palette::of(ui);
            ui.heading("Define metrics");
            let about = "A metric is a sum of the profile\u{2019}s metrics with whole factors. It can be chosen wherever \
                costs are shown, in this profile and in every one that has its parts.";
            ui.label(RichText::new(about).color(palette.text_weak));
            ui.add_space(8.0);
            gone = list(app, &profile, ui);
            self.fields(&profile, ui);
            let definition = self.definition();
            let defined = formula::keys(&app.settings.metrics, &profile);
            let made = formula::key(&definition, &defined, &profile);
            if let Err(why) = &made
                && !definition.formula.is_empty()
            {
                ui.colored_label(palette.tone(Tone::Bad), why);
            }
            let known: Vec<_> = profile.metrics.iter().take(40).map(|m| m.key.as_str()).collect();
            ui.label(RichText::new(format!("This profile has {}", known.join(", "))).color(palette.text_weak));
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                let add = |ui: &mut Ui| {
                    let button = widgets::primary_button(ui, "Add");
                    button.on_disabled_hover_text("It needs a name and a formula of this profile's metrics").clicked()
                };
                added = ui.add_enabled_ui(made.is_ok(), add).inner;
                closed = ui.button("Close").clicked();
            });
        });
        if let Some(i) = gone {
            app.forget_metric(i);
        }
        if added {
            app.define_metric(self.definition());
            self = Self::default();
        }
        (!closed && !modal.should_close()).then_some(self)
    }

    fn fields(&mut self, profile: &Profile, ui: &mut Ui) {
        let field = |ui: &mut Ui, text: &mut String, hint: &str, width: f32, name: &str| {
            let edit =
                TextEdit::singleline(text).hint_text(hint.to_owned()).font(mono(12.0)).desired_width(width);
            let response = ui.add(edit);
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, name));
        };
        ui.horizontal(|ui| {
            field(ui, &mut self.name, "Cost", 130.0, "Name of the metric");
            ui.label("=");
            let width = ui.available_width();
            // Of the profile's own metrics.
            let mut keys = profile.metrics.iter().map(|m| m.key.as_str());
            let example = match (keys.next(), keys.next()) {
                (Some(first), Some(second)) => format!("such as {first} + 10 * {second}"),
                (Some(only), None) => format!("such as 2 * {only}"),
                (None, _) => String::new(),
            };
            field(ui, &mut self.formula, &example, width, "Formula");
        });
    }
}

/// The metrics so far; the place of one that shall go.
fn list(app: &App, profile: &Profile, ui: &mut Ui) -> Option<usize> {
    let palette = Palette::of(ui);
    let mut gone = None;
    let defined = formula::keys(&app.settings.metrics, profile);
    Grid::new("defined metrics").num_columns(4).striped(true).show(ui, |ui| {
        for (i, d) in app.settings.metrics.iter().enumerate() {
            ui.label(RichText::new(&d.name).color(palette.text_strong));
            ui.label(RichText::new(&d.formula).font(mono(12.0)));
            let here = defined.iter().any(|key| key.key == *d.name);
            ui.colored_label(palette.text_weak, if here { "" } else { "not in this profile" });
            if ui.button("Remove").clicked() {
                gone = Some(i);
            }
            ui.end_row();
        }
    });
    gone
}

impl App {
    /// The metrics of the settings that the shown profile can have.
    pub(super) fn defined(&self) -> Vec<MetricKey> {
        let profile = self.active().and_then(|run| run.profile.as_ref());
        profile.map_or_else(Vec::new, |profile| formula::keys(&self.settings.metrics, profile))
    }

    /// Adds a metric to the settings and shows it, where the shown profile has its parts.
    pub(super) fn define_metric(&mut self, definition: Definition) {
        let name = NameKey::from(&*definition.name);
        self.settings.metrics.retain(|d| d.name != definition.name);
        self.settings.metrics.push(definition);
        if let Some(key) = self.defined().into_iter().find(|key| key.key == name) {
            self.command(Command::SetMetric(key));
        }
    }

    fn forget_metric(&mut self, place: usize) {
        if place < self.settings.metrics.len() {
            self.settings.metrics.remove(place);
        }
    }
}
