//! The card of findings: what the maker of the profile says went wrong and what its numbers say, each linked to its place.

use std::borrow::Cow;

use crate::analysis::findings::{Findings, Noted};
use crate::format;
use crate::model::Severity;
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::focus_ring;
use crate::views::ViewCx;
use crate::views::parts::weak;
use egui::{Label, RichText, Sense, Ui, UiBuilder, vec2};

/// Most findings of one kind that are listed.
const MOST_OF_A_KIND: usize = 3;

pub(super) fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Debug => Tone::Neutral,
        Severity::Info => Tone::Info,
        Severity::Warning => Tone::Warning,
        Severity::Error => Tone::Bad,
    }
}

/// What a click selects: the request, else the span, else the moment.
pub(super) fn target(cx: &ViewCx<'_>, finding: &Noted) -> Option<Item> {
    let span = || finding.span(cx.profile()).and_then(|(track, row)| Item::of_span(track, row, cx.profile()));
    let request = finding.request.map(|id| Item::of_request(id, cx.profile()));
    let function = finding.function.map(|f| Item::of_function(f, cx.profile()));
    request.or_else(span).or(function).or(finding.time.map(Item::Time))
}

pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let Some(all) = cx.ask(&Findings { prices: cx.prices.clone() }, 7).content(ui, "Looking for findings")
    else {
        return;
    };
    let mut kinds: Vec<&str> = Vec::new();
    all.iter().map(|n| n.kind.as_ref()).for_each(|kind| {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    });
    for kind in kinds {
        // What was found several times in the same words is said once: the first of them, and how many they are.
        let mut of_kind: Vec<(&Noted, usize)> = Vec::new();
        for noted in all.iter().filter(|n| n.kind == kind) {
            match of_kind.iter_mut().find(|(first, _)| first.text == noted.text) {
                Some((_, times)) => *times += 1,
                None => of_kind.push((noted, 1)),
            }
        }
        for (i, &(noted, times)) in of_kind.iter().take(MOST_OF_A_KIND).enumerate() {
            one(cx, ui, (noted, times), if i == 0 { kind } else { "" });
        }
        let more: usize = of_kind.iter().skip(MOST_OF_A_KIND).map(|(_, times)| times).sum();
        if more > 0 {
            ui.horizontal(|ui| {
                ui.add_space(14.0 + space::MEDIUM + space::SMALL);
                weak(ui, &format!("and {} more of this kind", format::count(more as i64)));
            });
        }
        ui.add_space(space::SMALL);
    }
}

fn one(cx: &mut ViewCx<'_>, ui: &mut Ui, (finding, times): (&Noted, usize), title: &str) {
    let text = match times {
        1 => Cow::Borrowed(finding.text.as_str()),
        _ => Cow::Owned(format!("{} ({times} times)", finding.text)),
    };
    let gain = finding.gain.words();
    let palette = Palette::of(ui);
    let item = target(cx, finding);
    let sense = if item.is_some() { Sense::click() } else { Sense::hover() };
    let response = ui
        .scope_builder(UiBuilder::new().sense(sense), |ui| {
            let background = ui.painter().add(egui::Shape::Noop);
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = space::MEDIUM;
                ui.add_space(space::SMALL);
                ui.vertical(|ui| {
                    ui.add_space(2.0);
                    if title.is_empty() {
                        ui.allocate_space(vec2(14.0, 1.0));
                    } else {
                        let tone = tone(finding.severity);
                        Icon::of_tone(tone).show(ui, 14.0, tone);
                    }
                });
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 1.0;
                    let label = |text: &str, color| {
                        Label::new(RichText::new(format::escaped_lines(text)).color(color))
                            .wrap()
                            .selectable(false)
                    };
                    if !title.is_empty() {
                        ui.add(label(title, palette.text_strong));
                    }
                    ui.add(label(&text, palette.text_weak));
                    let todo = match (finding.advice, gain.as_str()) {
                        ("", _) => String::new(),
                        (advice, "") => format!("Try: {advice}."),
                        (advice, gain) => format!("Try: {advice} ({gain})."),
                    };
                    if !todo.is_empty() {
                        ui.add(label(&todo, palette.text));
                    }
                });
            });
            let area = ui.min_rect().expand2(vec2(0.0, 1.0));
            let lit = item.as_ref().is_some_and(|i| cx.is_hovered(i));
            if item.as_ref().is_some_and(|i| cx.is_selected(i)) {
                ui.painter()
                    .set(background, egui::Shape::rect_filled(area, space::RADIUS_SMALL, palette.selection));
            } else if lit {
                ui.painter()
                    .set(background, egui::Shape::rect_filled(area, space::RADIUS_SMALL, palette.hover));
            }
        })
        .response;
    focus_ring(ui, &response, response.rect.expand2(vec2(0.0, 1.0)));
    let said = format!("finding {title}: {text}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &said));
    if let Some(item) = item {
        if response.hovered() {
            cx.out.hover = Some(item.clone());
        }
        if response.clicked() {
            cx.send(Command::Select(Some(item)));
        }
    }
}
