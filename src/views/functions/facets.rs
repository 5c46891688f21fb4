//! The controls above the list: chips of categories or packages, what functions stand under, and which costs stand beside.

use egui::{Button, Ui};

use super::FunctionsView;
use crate::analysis::columns::functions::MOST_BESIDE;
use crate::analysis::facets::{Facet, Facets, Parts};
use crate::analysis::formula::Measure;
use crate::analysis::function_list::FunctionList;
use crate::analysis::groups::{GroupBy, group_label};
use crate::format;
use crate::ui::widgets::combo;
use crate::views::{ViewCx, shared};

/// Chips that are shown at most; the other parts are in the field beside them.
const MOST_CHIPS: usize = 5;
/// Parts below this share of the own costs have no chip.
const LEAST_CHIP: f64 = 0.005;
/// Least width for chips, points: a narrower pane has the field alone.
const CHIPS_FROM: f32 = 420.0;

impl FunctionsView {
    /// Shows them, where there is anything to choose.
    pub(super) fn tools(&mut self, cx: &ViewCx<'_>, ui: &mut Ui, list: &FunctionList) {
        let Some(faceted) = cx.ask(&Facets(list.functions.clone()), 0).beside() else { return };
        // What another run had is no part of this one.
        if let Some((facet, name)) = &self.only
            && faceted.by(*facet).rows(name).is_none()
        {
            self.only = None;
        }
        let metrics: Vec<Measure> = cx.metrics().filter_map(|key| Measure::of(key, cx.profile())).collect();
        // One category beside functions without any tells little.
        let chips = if faceted.categories.all.len() < 2 { Facet::Package } else { Facet::Category };
        shared::header(ui, |ui| {
            if ui.available_width() >= CHIPS_FROM {
                self.chips(ui, chips, faceted.by(chips));
            }
            for (facet, parts) in
                [(Facet::Category, &faceted.categories), (Facet::Package, &faceted.packages)]
            {
                let few =
                    facet == chips && parts.all.len() <= MOST_CHIPS && ui.available_width() >= CHIPS_FROM;
                if !parts.all.is_empty() && !few {
                    self.field(ui, facet, parts);
                }
            }
            self.groups_field(ui);
            if metrics.len() > 1 && self.by.is_none() {
                self.beside_field(cx, ui, &metrics);
            }
        });
    }

    fn chips(&mut self, ui: &mut Ui, facet: Facet, parts: &Parts) {
        let whole = parts.all.iter().fold(0i64, |sum, part| sum.saturating_add(part.own));
        let large = |own: i64| own as f64 >= whole as f64 * LEAST_CHIP;
        let shown: Vec<_> = parts.all.iter().filter(|p| large(p.own)).take(MOST_CHIPS).collect();
        if shown.len() < 2 {
            return;
        }
        ui.spacing_mut().item_spacing.x = 2.0;
        if ui.add(Button::new("All").selected(self.only.is_none())).clicked() {
            self.only = None;
        }
        for part in shown {
            let chosen = self.is_only(facet, &part.name);
            let label = format::short(&group_label(&part.name), 22).into_owned();
            let button = Button::new(&label).selected(chosen);
            let about = format!(
                "{}: {}, self {}. Only these; another click shows all.",
                part.name,
                format::counted(part.functions as i64, "function", "functions"),
                format::share_text(format::share(part.own, whole)),
            );
            if ui.add(button).on_hover_text(about).clicked() {
                self.only = if chosen { None } else { Some((facet, part.name.clone())) };
            }
        }
        ui.add_space(6.0);
        ui.spacing_mut().item_spacing.x = 8.0;
    }

    fn is_only(&self, facet: Facet, name: &str) -> bool {
        self.only.as_ref().is_some_and(|(f, n)| *f == facet && n == name)
    }

    fn field(&mut self, ui: &mut Ui, facet: Facet, parts: &Parts) {
        let title = match facet {
            Facet::Category => "Category",
            Facet::Package => "Package",
        };
        let chosen = self.only.as_ref().filter(|(f, _)| *f == facet).map(|(_, name)| name.clone());
        let shown = chosen
            .as_ref()
            .map_or_else(|| "all".to_owned(), |name| format::short(&group_label(name), 18).into_owned());
        let field =
            combo(("functions of", title)).selected_text(format!("{title}: {shown}")).show_ui(ui, |ui| {
                if ui.selectable_label(chosen.is_none(), "all").clicked() {
                    self.only = None;
                }
                for part in &parts.all {
                    let label = format!(
                        "{} ({})",
                        format::short(&group_label(&part.name), 40),
                        format::count(part.functions as i64)
                    );
                    if ui.selectable_label(chosen.as_ref() == Some(&part.name), label).clicked() {
                        self.only = Some((facet, part.name.clone()));
                    }
                }
            });
        field.response.accessible_name(format!("{title} of the functions"));
    }

    fn groups_field(&mut self, ui: &mut Ui) {
        let shown = self.by.map_or("none", GroupBy::label);
        let field = combo("function groups").selected_text(format!("Group: {shown}")).show_ui(ui, |ui| {
            ui.selectable_value(&mut self.by, None, "none");
            for (by, label) in GroupBy::ALL {
                ui.selectable_value(&mut self.by, Some(by), label);
            }
        });
        field.response.accessible_name("what functions stand under");
    }

    fn beside_field(&mut self, cx: &ViewCx<'_>, ui: &mut Ui, metrics: &[Measure]) {
        let shown = cx.metric();
        let count = self.beside.iter().filter(|&&m| m != shown && metrics.iter().any(|k| k.key == m)).count();
        let title = if count == 0 { "Costs…".to_owned() } else { format!("Costs: +{count}") };
        let button = ui.menu_button(title, |ui| {
            for measure in metrics.iter().filter(|m| m.key != shown) {
                let mut on = self.beside.contains(&measure.key);
                let can = on || count < MOST_BESIDE;
                let label = format::short(&measure.label, 48).into_owned();
                if ui.add_enabled(can, egui::Checkbox::new(&mut on, label)).changed() {
                    match on {
                        true => self.beside.push(measure.key),
                        false => self.beside.retain(|m| *m != measure.key),
                    }
                }
            }
        });
        button.response.on_hover_text("Costs in other metrics as columns beside these");
    }
}
