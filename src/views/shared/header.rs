//! The line of controls at the top of a view: everywhere the same distances, and it wraps in a narrow pane.

use egui::{Ui, vec2};

use crate::ui::theme::space;

/// Lays controls out from left to right.
pub fn header(ui: &mut Ui, controls: impl FnOnce(&mut Ui)) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::MEDIUM, space::SMALL);
        ui.horizontal_wrapped(controls);
    });
}
