//! The bar of phases: what share of the run each one has, and what none covers.

use crate::analysis::phases::{Phases, PhasesIn};
use crate::format;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone, regular, small, space};
use crate::ui::widgets::focus_ring;
use crate::views::ViewCx;
use crate::views::parts::{card, text_in, weak};
use egui::{Align, Color32, Rect, Sense, Ui, pos2, vec2};

/// Height of the bar.
const BAR: f32 = 26.0;

/// One part of the bar.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Name, or `None` for what no phase covers.
    pub share: Option<usize>,
    /// Left and right as shares of the bar.
    pub from: f32,
    /// Right end.
    pub to: f32,
}

/// The parts from left to right; the rest comes last.
pub(super) fn parts(phases: &Phases) -> Vec<Part> {
    let sum: i64 = phases.shares.iter().fold(phases.unaccounted, |a, s| a.saturating_add(s.total));
    let mut parts = Vec::new();
    let mut at = 0.0;
    let lengths = phases.shares.iter().enumerate().map(|(i, s)| (Some(i), s.total));
    for (share, length) in lengths.chain([(None, phases.unaccounted)]) {
        if length > 0 {
            let to = at + length as f64 / sum.max(1) as f64;
            parts.push(Part { share, from: at as f32, to: to as f32 });
            at = to;
        }
    }
    parts
}

struct Look {
    name: String,
    fill: Color32,
    text: Color32,
    total: i64,
    count: u64,
    item: Option<Item>,
}

fn look(cx: &ViewCx<'_>, phases: &Phases, part: &Part, palette: &Palette) -> Look {
    match part.share.map(|i| phases.shares[i]) {
        Some(share) => {
            let name = cx.profile().function_name(share.function);
            let color = palette.phase(name);
            let first = phases.spans[share.first];
            let item = if share.count == 1 {
                Item::of_span(first.track, first.row, cx.profile())
            } else {
                Some(Item::of_function(share.function, cx.profile()))
            };
            Look {
                name: name.into(),
                fill: color.fill,
                text: color.text,
                total: share.total,
                count: share.count,
                item,
            }
        }
        None => {
            let color = palette.idle();
            Look {
                name: "unaccounted".into(),
                fill: color.fill,
                text: color.text,
                total: phases.unaccounted,
                count: 1,
                item: None,
            }
        }
    }
}

pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let phases = cx.ask(&PhasesIn(cx.interaction.range), 0).beside();
    let Some(phases) = phases.filter(|p| !p.shares.is_empty()) else { return };
    card(ui, "Phases", |ui| {
        let palette = Palette::of(ui);
        let parts = parts(&phases);
        let (bar, _) = ui.allocate_exact_size(vec2(ui.available_width(), BAR), Sense::hover());
        for (i, part) in parts.iter().enumerate() {
            let look = look(cx, &phases, part, palette);
            let left = bar.left() + part.from * bar.width();
            let right = bar.left() + part.to * bar.width();
            let area = Rect::from_x_y_ranges(left..=(right - 1.0).max(left + 1.0), bar.y_range());
            let id = ui.scope_id().with(("phase", i));
            segment(cx, ui, area, id, &look, phases.elapsed);
        }
        ui.add_space(space::SMALL);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(space::LARGE + 4.0, 2.0);
            ui.spacing_mut().interact_size.y = 18.0;
            for part in &parts {
                let look = look(cx, &phases, part, palette);
                legend(cx, ui, &look, phases.elapsed);
            }
        });
        if phases.overlap {
            weak(ui, "Phases overlap, so their shares add up to more than the time that passed.");
        }
    });
}

fn tooltip(look: &Look, elapsed: i64) -> String {
    let share = format::percent(look.total as f64 / elapsed.max(1) as f64);
    let times =
        if look.count > 1 { format!(", {} times", format::count(look.count as i64)) } else { String::new() };
    let what = if look.item.is_none() { "\nTime of the run that no phase covers." } else { "" };
    format!("{}\n{} · {share} of the run{times}{what}", look.name, format::duration(look.total))
}

fn segment(cx: &mut ViewCx<'_>, ui: &Ui, area: Rect, id: egui::Id, look: &Look, elapsed: i64) {
    let palette = Palette::of(ui);
    let response = ui.interact(area, id, Sense::click());
    let text = format!("phase {} {}", look.name, format::duration(look.total));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &text));
    let lit = response.hovered() || look.item.as_ref().is_some_and(|item| cx.is_hovered(item));
    let fill = if lit { palette.hovered(look.fill) } else { look.fill };
    ui.painter().rect_filled(area, 2.0, fill);
    let share = format::percent(look.total as f64 / elapsed.max(1) as f64);
    let inner = area.shrink2(vec2(6.0, 0.0));
    let label = if inner.width() > 110.0 { format!("{}  {share}", look.name) } else { look.name.clone() };
    if inner.width() > 24.0 {
        text_in(ui.painter(), inner, &label, regular(12.0), look.text, Align::Min);
    }
    if let Some(item) = &look.item {
        cx.interact(&response, item);
        if cx.is_selected(item) {
            ui.painter().rect_stroke(
                area,
                2.0,
                egui::Stroke::new(1.5, palette.tone(Tone::Info)),
                egui::StrokeKind::Inside,
            );
        }
    }
    focus_ring(ui, &response, area);
    response.on_hover_text(tooltip(look, elapsed));
}

fn legend(cx: &mut ViewCx<'_>, ui: &mut Ui, look: &Look, elapsed: i64) {
    let palette = Palette::of(ui);
    let share = format::percent(look.total as f64 / elapsed.max(1) as f64);
    let value = format!("{}  {share}", format::duration(look.total));
    let name = ui.painter().layout_no_wrap(look.name.clone(), regular(12.0), palette.text);
    let value = ui.painter().layout_no_wrap(value, small(), palette.text_weak);
    let size = vec2(14.0 + name.size().x + 6.0 + value.size().x, 18.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let swatch = Rect::from_center_size(pos2(rect.left() + 5.0, rect.center().y), vec2(9.0, 9.0));
    ui.painter().rect_filled(swatch, space::RADIUS_SMALL, look.fill);
    let at = |x: f32, size: egui::Vec2| pos2(x, rect.center().y - size.y / 2.0);
    let (name_size, value_size) = (name.size(), value.size());
    ui.painter().galley(at(rect.left() + 14.0, name_size), name, palette.text);
    ui.painter().galley(at(rect.right() - value_size.x, value_size), value, palette.text_weak);
    let text = format!("legend {}", look.name);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &text));
    if let Some(item) = &look.item {
        if response.hovered() {
            cx.out.hover = Some(item.clone());
        }
        if response.clicked() {
            cx.send(Command::Select(Some(item.clone())));
        }
    }
    focus_ring(ui, &response, rect.expand2(vec2(3.0, 0.0)));
    response.on_hover_text(tooltip(look, elapsed));
}
