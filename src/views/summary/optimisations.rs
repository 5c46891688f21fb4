//! The card of optimisations: the usual ways to make an LLM application faster, and whether each was tried, is suggested, does not apply or is
//! not known, with what says so.

use std::sync::Arc;

use egui::{Align, Label, Rect, RichText, Sense, Ui, pos2, vec2};

use super::findings::target;
use crate::analysis::levers::Group;
use crate::analysis::optimisations::{Between, Entry, Optimisations, Status, Tried};
use crate::format;
use crate::query::Pair;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, small, space, strong};
use crate::ui::widgets::focus_ring;
use crate::views::ViewCx;
use crate::views::parts::{card, ground, remark, row, text_in};
use crate::views::shared::bars;

/// The place of the question in a pane, and that of the first one about another run.
const PLACE: u64 = 8;
const OTHERS: u64 = 32;
/// How far texts stand behind the icon.
const INDENT: f32 = 24.0;

fn question(cx: &ViewCx<'_>) -> Optimisations {
    Optimisations { prices: cx.prices.clone() }
}

/// True for a run that has something to say of them.
pub(super) fn wanted(cx: &ViewCx<'_>) -> bool {
    crate::analysis::optimisations::has_levers(cx.profile())
}

/// The levers of a run, with open runs that differ from it in one of them alone as evidence.
pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(entries) = cx.ask(&question(cx), PLACE).content(ui, "Looking at optimisations") else { return };
    let asked = Tried { prices: cx.prices.clone() };
    let found: Vec<(&str, Arc<Between>)> = (OTHERS..)
        .zip(cx.others)
        .filter_map(|(place, other)| {
            let pair = Pair::of(other.run.clone(), cx.run().clone());
            Some((other.name.as_str(), cx.ask_of(&pair, &asked, place).beside()?))
        })
        .collect();
    let mut before = "";
    listed(ui, &entries, |ui, entry| {
        let alone = |b: &Between| b.step(entry.lever).filter(|s| s.besides.is_empty()).cloned();
        let against = found.iter().find_map(|(name, between)| Some((*name, alone(between)?, between)));
        let status = if against.is_some() { Status::Tried } else { entry.status };
        heading(cx, ui, entry, status, status.name());
        if let Some((name, step, between)) = &against {
            text(ui, &format!("Against {name}: {}", step.words()), false);
            text(ui, &between.came_of_it(), true);
        } else if std::mem::replace(&mut before, &entry.why) != entry.why {
            // What holds for one after the other is said once.
            text(ui, &format!("{}.", entry.why), false);
        }
        suggestion(ui, entry);
    });
    remark(
        ui,
        "Tried: the run shows it in use, or an open run differs in it alone. Suggested: by a finding.",
    );
}

/// The levers of two runs.
pub(super) fn compared(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let [Some(base), Some(head)] = cx.both_beside(&question(cx), PLACE) else { return };
    let between = cx.ask_pair(&Tried { prices: cx.prices.clone() }, PLACE).beside();
    let Some(between) = between.filter(|_| !base.is_empty() && !head.is_empty()) else { return };
    card(ui, "Optimisations", |ui| {
        listed(ui, &head, |ui, entry| {
            let before = base.iter().find(|e| e.lever == entry.lever).map_or(entry.status, |e| e.status);
            let step = between.step(entry.lever);
            let said = match step {
                Some(_) => "tried here".to_owned(),
                None if before == entry.status => format!("{} in both", entry.status.name()),
                None => format!("{} → {}", before.name(), entry.status.name()),
            };
            let status = if step.is_some() { Status::Tried } else { entry.status };
            heading(cx, ui, entry, status, &said);
            if let Some(step) = step {
                text(ui, &step.words(), false);
                text(ui, &between.came_of_it(), true);
            }
        });
    });
}

/// All of them, group by group.
fn listed<'e>(ui: &mut Ui, entries: &'e [Entry], mut one: impl FnMut(&mut Ui, &'e Entry)) {
    let mut group: Option<Group> = None;
    for entry in entries {
        let of = entry.lever.group();
        let last = group.replace(of);
        if last != Some(of) {
            ui.add_space(if last.is_some() { space::SMALL } else { 0.0 });
            bars::caption(ui, of.name());
        }
        ui.push_id(entry.lever, |ui| one(ui, entry));
    }
}

/// Name and status; a click selects what suggests it.
fn heading(cx: &mut ViewCx<'_>, ui: &mut Ui, entry: &Entry, status: Status, said: &str) {
    let palette = Palette::of(ui);
    let item = entry.findings.iter().find_map(|noted| target(cx, noted));
    let sense = if item.is_some() { Sense::click() } else { Sense::hover() };
    let (rect, response) = row(ui, space::ROW, sense);
    let spoken = format!("{}: {said}", entry.lever.name());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &spoken));
    let selected = item.as_ref().is_some_and(|i| cx.is_selected(i));
    ground(ui, rect, selected, item.is_some() && response.hovered());
    focus_ring(ui, &response, rect);
    let inner = rect.shrink2(vec2(6.0, 0.0));
    let place = Rect::from_center_size(pos2(inner.left() + 7.0, inner.center().y), vec2(13.0, 13.0));
    let (icon, color) = match status {
        Status::Tried => (Some(Icon::Check), palette.tone(Tone::Good)),
        Status::Suggested => (Some(Icon::Info), palette.tone(Tone::Info)),
        Status::NotApplicable | Status::Unknown => (None, palette.text_weak),
    };
    match icon {
        Some(icon) => icon.paint(ui.painter(), place, color),
        None => {
            text_in(ui.painter(), place, format::UNKNOWN, regular(13.0), color, Align::Center);
        }
    }
    let color = if icon.is_some() { color } else { palette.text_weak };
    let (width, _) = text_in(ui.painter(), inner, said, regular(13.0), color, Align::Max);
    let mut name = inner.with_min_x(inner.left() + INDENT - 6.0);
    name.max.x -= width + space::MEDIUM;
    let color = if icon.is_some() { palette.text_strong } else { palette.text };
    text_in(ui.painter(), name, entry.lever.name(), strong(13.0), color, Align::Min);
    if let Some(item) = item {
        cx.interact(&response, &item);
    }
    response.on_hover_text(entry.lever.about());
}

/// What a finding advises.
fn suggestion(ui: &mut Ui, entry: &Entry) {
    let Some(first) = entry.findings.first() else { return };
    let more = match entry.findings.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let advice = if first.advice.is_empty() { String::new() } else { format!(": {}", first.advice) };
    text(ui, &format!("{}{advice}{more}.", first.kind), true);
}

fn text(ui: &mut Ui, text: &str, clear: bool) {
    if text.is_empty() {
        return;
    }
    let palette = Palette::of(ui);
    let color = if clear { palette.text } else { palette.text_weak };
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.add_space(INDENT);
        ui.add(Label::new(RichText::new(format::escaped_lines(text)).font(small()).color(color)).wrap());
    });
}
