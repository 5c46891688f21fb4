//! Choosing one of a few.

use super::focus_ring;
use crate::model::{MetricKey, Unit};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, regular, space};
use egui::style::WidgetVisuals;
use egui::{
    ComboBox, Id, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};
use std::fmt::Debug;
use std::hash::Hash;

/// One of few alternatives, all in view, such as the forms of a chart. True in [`Response::changed`] when the
/// user chose another. Arrow keys move between the alternatives, Enter or space chooses. Where they do not fit beside
/// each other, a field drops them down.
pub fn segmented<T: PartialEq + Copy>(
    ui: &mut Ui,
    name: &str,
    value: &mut T,
    choices: &[(T, &str)],
) -> Response {
    let palette = Palette::of(ui);
    let font = regular(13.0);
    let galleys: Vec<_> = choices
        .iter()
        .map(|(_, label)| ui.painter().layout_no_wrap((*label).to_owned(), font.clone(), palette.text))
        .collect();
    let pad = 11.0;
    let width = galleys.iter().map(|g| (g.size().x + 2.0 * pad).ceil()).sum::<f32>() + 4.0;
    if width > ui.max_rect().width() {
        return dropped_down(ui, name, value, choices);
    }
    let (rect, mut response) = ui.allocate_exact_size(vec2(width, space::CONTROL), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::RadioGroup, ui.is_enabled(), name));
    let border = Stroke::new(1.0, palette.line);
    ui.painter().rect(rect, space::RADIUS, palette.raised, border, StrokeKind::Inside);
    let mut x = rect.left() + 2.0;
    for ((choice, label), galley) in choices.iter().zip(galleys) {
        let right = x + (galley.size().x + 2.0 * pad).ceil();
        let segment = Rect::from_min_max(pos2(x, rect.top() + 2.0), pos2(right, rect.bottom() - 2.0));
        x = right;
        let part = ui.interact(segment, response.id.with(*label), Sense::click());
        if part.clicked() && *value != *choice {
            *value = *choice;
            response.mark_changed();
        }
        let chosen = *value == *choice;
        part.widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), chosen, *label));
        let color = if chosen || part.hovered() { palette.text_strong } else { palette.text_weak };
        if chosen {
            let fill = if palette.dark { palette.line } else { palette.canvas };
            let border = Stroke::new(1.0, palette.line);
            ui.painter().rect(segment, space::RADIUS_SMALL, fill, border, StrokeKind::Inside);
        }
        focus_ring(ui, &part, segment);
        ui.painter().galley_with_override_text_color(segment.center() - galley.size() / 2.0, galley, color);
    }
    response
}

fn dropped_down<T: PartialEq + Copy>(
    ui: &mut Ui,
    name: &str,
    value: &mut T,
    choices: &[(T, &str)],
) -> Response {
    let shown = choices.iter().find(|(choice, _)| choice == value).map_or("–", |(_, label)| label);
    let mut changed = false;
    let field = combo(name).selected_text(shown).show_ui(ui, |ui| {
        for (choice, label) in choices {
            changed |= ui.selectable_value(value, *choice, *label).changed();
        }
    });
    let mut response = field.response.accessible_name(name);
    if changed {
        response.mark_changed();
    }
    response
}

/// A metric to choose.
#[derive(Clone, Debug)]
pub struct MetricChoice {
    /// Which.
    pub key: MetricKey,
    /// What a person reads.
    pub label: String,
    /// Unit of its costs.
    pub unit: Unit,
}

impl MetricChoice {
    /// The label, with the unit where it does not say it.
    fn text(&self) -> String {
        let unit = match self.unit {
            Unit::Nanoseconds | Unit::Count | Unit::None => return self.label.clone(),
            Unit::Bytes => "bytes",
            Unit::Tokens => "tokens",
            Unit::NanoDollars => "US$",
            Unit::MilliPercent => "%",
        };
        if self.label.to_lowercase().contains(unit) {
            self.label.clone()
        } else {
            format!("{} ({unit})", self.label)
        }
    }
}

/// The metric that a view counts. True when the user chose another.
pub fn metric_picker(ui: &mut Ui, salt: &str, metrics: &[MetricChoice], current: &mut MetricKey) -> bool {
    let chosen = metrics.iter().find(|m| m.key == *current);
    let shown = chosen.map_or_else(|| "–".to_owned(), MetricChoice::text);
    let before = *current;
    let combo = combo(Id::unique(salt)).selected_text(shown).show_ui(ui, |ui| {
        for metric in metrics {
            if ui.selectable_label(metric.key == *current, RichText::new(metric.text())).clicked() {
                *current = metric.key;
            }
        }
    });
    combo.response.accessible_name("Metric");
    *current != before
}

/// A field that shows what is chosen and drops the choices down; all of them look the same.
pub fn combo<'a>(salt: impl Hash + Debug) -> ComboBox<'a> {
    ComboBox::from_id_salt(salt).icon(chevron)
}

fn chevron(ui: &Ui, rect: Rect, visuals: &WidgetVisuals, _open: bool) {
    let square = Rect::from_center_size(rect.center(), vec2(11.0, 11.0));
    Icon::ChevronDown.paint(ui.painter(), square, visuals.fg_stroke.color);
}
