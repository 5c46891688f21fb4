//! Controls of the views about requests: which are looked at, and what they are grouped by.

use std::sync::Arc;

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, PopupCloseBehavior, RichText, ScrollArea, Ui};

use crate::analysis::asked::Asked;
use crate::analysis::request_facets::{Facet, FacetValues, Facets, Filter};
use crate::format;
use crate::state::Command;
use crate::ui::icons::Icon;
use crate::ui::theme::Palette;
use crate::ui::widgets::{EmptyState, combo};
use crate::views::ViewCx;

/// What a value of which nobody says anything is called.
pub const NOT_NAMED: &str = "not named";
/// Where the question is asked from; the views' own ones have small numbers.
const PLACE: u64 = 200;
/// Longest value that a menu writes, characters.
const LONGEST: usize = 60;
/// Longest value on a button.
const ON_BUTTON: usize = 24;

/// A value in a menu.
#[must_use]
pub fn value_text(value: &str, longest: usize) -> String {
    let line = value.lines().find(|l| !l.trim().is_empty()).unwrap_or("").trim();
    if line.is_empty() { NOT_NAMED.to_owned() } else { format::short(line, longest).into() }
}

/// The values of all facets, of both runs where two are compared.
fn facets(cx: &ViewCx<'_>) -> Option<Vec<FacetValues>> {
    let asked = Asked { filter: Filter::default(), ..cx.asked() };
    let question = Facets { asked };
    let head: Arc<Vec<FacetValues>> = cx.ask(&question, PLACE).beside()?;
    let mut all = (*head).clone();
    let base = cx.ask_base(&question, PLACE).beside();
    for other in base.iter().flat_map(|b| b.iter()) {
        match all.iter_mut().find(|f| f.facet == other.facet) {
            Some(known) => {
                let new = other.values.iter().filter(|v| known.values.iter().all(|k| k.0 != v.0));
                let new: Vec<_> = new.map(|(value, _)| (value.clone(), 0)).collect();
                known.values.extend(new);
            }
            None => all.push(other.clone()),
        }
    }
    Some(all)
}

/// A menu for each facet by which the requests can be narrowed, in all views about requests.
pub fn filters(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(facets) = facets(cx) else { return };
    let now = cx.interaction.requests.clone();
    let offered: Vec<&FacetValues> = facets
        .iter()
        .filter(|of| {
            let has_choice = of.values.len() + of.more > 1;
            has_choice && !matches!(of.facet, Facet::Name | Facet::Prompt) || !now.of(of.facet).is_empty()
        })
        .collect();
    if offered.is_empty() {
        return;
    }
    ui.label(RichText::new("Only").color(Palette::of(ui).text_weak));
    let next = offered.into_iter().fold(None, |next, of| menu(ui, of, &now).or(next));
    if let Some(filter) = next {
        cx.send(Command::FilterRequests(filter));
    }
}

/// The menu of one facet; the filter after a click.
fn menu(ui: &mut Ui, of: &FacetValues, now: &Filter) -> Option<Filter> {
    let (title, wanted) = (of.facet.title(), now.of(of.facet));
    let text = match wanted {
        [] => title.to_string(),
        [one] => format!("{title}: {}", value_text(one, ON_BUTTON)),
        more => format!("{title}: {}", format::counted(more.len() as i64, "value", "values")),
    };
    let button = Button::new(text).selected(!wanted.is_empty());
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let mut next = None;
    let (response, _) = MenuButton::from_button(button).config(config).ui(ui, |ui| {
        ui.set_min_width(170.0);
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            let gone = wanted.iter().filter(|v| of.values.iter().all(|k| k.0 != **v));
            let listed = of.values.iter().map(|(value, n)| (value, *n)).chain(gone.map(|v| (v, 0)));
            for (value, n) in listed {
                let mut on = wanted.contains(value);
                let text = format!("{} ({})", value_text(value, LONGEST), format::count(n as i64));
                if ui.checkbox(&mut on, text).changed() {
                    next = Some(now.toggled(of.facet, value));
                }
            }
            if of.more > 0 {
                ui.weak(format!(
                    "{} more: search, or group by it",
                    format::counted(of.more as i64, "value", "values")
                ));
            }
        });
        ui.separator();
        if ui.add_enabled(!wanted.is_empty(), Button::new("All")).clicked() {
            next = Some(now.without(of.facet));
            ui.close();
        }
    });
    response.on_hover_text(format!("Look at requests of some values of «{}» only", of.facet.name()));
    next
}

/// What requests are grouped by. `none` is what no grouping is called, where there may be none.
pub fn group_by(cx: &ViewCx<'_>, ui: &mut Ui, by: &mut Option<Facet>, none: Option<&str>) {
    let known = facets(cx).unwrap_or_default();
    let mut offered: Vec<Facet> = known.iter().map(|f| f.facet).collect();
    offered
        .extend([Facet::Model, Facet::Outcome].into_iter().filter(|f| known.iter().all(|k| k.facet != *f)));
    let text = |facet: Facet| format!("By {}", facet.name());
    let shown = by.map_or_else(|| none.unwrap_or_default().to_owned(), text);
    let field = combo("group by").selected_text(shown).show_ui(ui, |ui| {
        if let Some(none) = none
            && ui.selectable_label(by.is_none(), none).clicked()
        {
            *by = None;
        }
        for facet in offered {
            if ui.selectable_label(*by == Some(facet), text(facet)).clicked() {
                *by = Some(facet);
            }
        }
    });
    field.response.accessible_name("Group by");
}

/// [`group_by`] where something is grouped by always.
pub fn always_group_by(cx: &ViewCx<'_>, ui: &mut Ui, by: &mut Facet) {
    let mut chosen = Some(*by);
    group_by(cx, ui, &mut chosen, None);
    *by = chosen.unwrap_or_default();
}

/// Says that no request is left to show.
pub fn none(ui: &mut Ui) {
    let text = "No request was in flight in the chosen range, or search and filter leave none.";
    EmptyState::new(Icon::Search, "No request to show", text).show(ui);
}
