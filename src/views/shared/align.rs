//! On which moment two runs are laid over each other: the choice, and the room that it takes.

use egui::Ui;

use crate::analysis::align::{AlignAt, AlignChoices, MomentsOf, leads};
use crate::state::Command;
use crate::ui::theme::Palette;
use crate::ui::widgets::combo;
use crate::views::ViewCx;

const CHOICES: u64 = 91;
const MOMENTS: u64 = 92;

/// Empty time before base and head, ns.
pub fn leads_of(cx: &ViewCx<'_>) -> [i64; 2] {
    let at = &cx.interaction.align;
    if *at == AlignAt::Start {
        return [0, 0];
    }
    cx.ask_pair(&MomentsOf(at.clone()), MOMENTS).beside().map(|moments| leads(*moments)).unwrap_or_default()
}

/// The choice.
pub fn picker(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let now = cx.interaction.align.clone();
    let mut choices = cx.ask_pair(&AlignChoices, CHOICES).beside().map(|c| c.to_vec()).unwrap_or_default();
    if let Some(symbol) = cx.interaction.selection.as_ref().and_then(crate::state::Item::symbol) {
        choices.push(AlignAt::Function(symbol));
    }
    let mut chosen = None;
    let field = combo("align").width((ui.available_width() - 2.0).clamp(90.0, 170.0)).truncate();
    let text = match &now {
        AlignAt::By(_) => "Aligned by hand".to_owned(),
        other => format!("Aligned at {}", other.label()),
    };
    let field = field.selected_text(text).show_ui(ui, |ui| {
        for choice in &choices {
            if ui.selectable_label(now == *choice, choice.label()).clicked() {
                chosen = Some(choice.clone());
            }
        }
        let by_hand = matches!(now, AlignAt::By(_));
        if ui.selectable_label(by_hand, "By hand").clicked() && !by_hand {
            chosen = Some(AlignAt::By(0));
        }
    });
    let about = "The moment on which both runs are laid over each other: their starts, the first token, a phase, an \
                 event, the first call of the selected function, or moved by hand";
    field.response.accessible_name("Aligned at").on_hover_text(about);
    if let AlignAt::By(ns) = now {
        let mut ms = ns as f64 / 1e6;
        let field = egui::DragValue::new(&mut ms).suffix(" ms").speed(1.0).max_decimals(6);
        let field = ui.add(field).on_hover_text("By how much the new run is moved to the right");
        field.accessible_name("Moved by");
        if ms.is_finite() && ms * 1e6 != ns as f64 {
            chosen = Some(AlignAt::By((ms * 1e6).clamp(-1e17, 1e17) as i64));
        }
    } else if now != AlignAt::Start
        && let Some(found) = cx.ask_pair(&MomentsOf(now), MOMENTS).beside()
        && found.base.zip(found.head).is_none()
    {
        let text = match (found.base, found.head) {
            (None, None) => "neither run has it",
            (None, _) => "base does not have it",
            _ => "head does not have it",
        };
        ui.label(egui::RichText::new(text).color(Palette::of(ui).tone(crate::ui::theme::Tone::Warning)));
    }
    if let Some(at) = chosen {
        cx.send(Command::SetAlign(at));
    }
}
