//! Breadcrumbs: what a tree is reduced to, and the way back.

use crate::analysis::Transform;
use crate::format::escaped;
use crate::model::{Profile, SymbolKey};
use crate::state::Command;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular};
use crate::ui::widgets::link_button;
use crate::views::ViewCx;
use egui::{RichText, Sense, Ui, vec2};

/// Longest name in a crumb, characters.
const LONGEST: usize = 36;

/// A transform in words: «Focus on decode». Functions have the names that the profile gives them, where it has them.
#[must_use]
pub fn describe(transform: &Transform, profile: &Profile) -> String {
    let name = |key: SymbolKey| {
        let here = profile.keys().function(key).map(|f| profile.function_name(f));
        short(here.unwrap_or(&key.value().name))
    };
    match transform {
        Transform::FocusFunction(f) => format!("Focus on {}", name(*f)),
        Transform::FocusSubtree(path) => {
            let last = path.last().map_or_else(String::new, |&f| name(f));
            format!("Path to {last}")
        }
        Transform::FocusCategory(c) => format!("Category {}", short(c)),
        Transform::MergeFunction(f) => format!("Merged {}", name(*f)),
        Transform::DropFunction(f) => format!("Without {}", name(*f)),
        Transform::CollapseModule(m) => format!("Collapsed {}", short(m)),
        Transform::CollapseRecursion => "Recursion collapsed".to_owned(),
        Transform::HideLibraries => "Only my code".to_owned(),
        Transform::FinishedOnly => "Finished calls only".to_owned(),
    }
}

fn short(name: &str) -> String {
    let name = escaped(name);
    let mut chars = name.chars();
    let head: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() { format!("{head}…") } else { head }
}

/// One line with the transforms in force; a click on one takes back those after it. Nothing when there
/// are none.
pub fn show(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let transforms = &cx.interaction.scope.transforms;
    if transforms.is_empty() {
        return;
    }
    let palette = Palette::of(ui);
    let mut keep = None;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        if link_button(ui, "Everything").on_hover_text("Take all of these back").clicked() {
            keep = Some(0);
        }
        for (i, transform) in transforms.iter().enumerate() {
            let (rect, _) = ui.allocate_exact_size(vec2(12.0, 24.0), Sense::hover());
            let square = egui::Rect::from_center_size(rect.center(), vec2(10.0, 10.0));
            Icon::ChevronRight.paint(ui.painter(), square, palette.tone(Tone::Neutral));
            let text = describe(transform, cx.profile());
            if i + 1 == transforms.len() {
                ui.add_space(4.0);
                ui.label(RichText::new(escaped(&text)).font(regular(13.0)).color(palette.text_strong));
            } else if link_button(ui, &text).on_hover_text("Go back to here").clicked() {
                keep = Some(i + 1);
            }
        }
    });
    if let Some(n) = keep {
        cx.send(Command::KeepTransforms(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{profile, symbol, symbols};

    #[test]
    fn transforms_read_as_words() {
        let p = profile("main>a_function_with_a_very_long_name_that_goes_on@lib 1; f@lib 1");
        let long = "main>a_function_with_a_very_long_name_that_goes_on";
        assert_eq!(
            describe(&Transform::FocusSubtree(symbols(&p, long)), &p),
            "Path to a_function_with_a_very_long_name_tha…"
        );
        assert_eq!(describe(&Transform::DropFunction(symbol(&p, "f")), &p), "Without f");
        assert_eq!(describe(&Transform::CollapseModule("lib".into()), &p), "Collapsed lib");
    }
}
