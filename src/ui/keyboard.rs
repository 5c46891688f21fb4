//! Who gets the keys: charts and lists take arrows, which would otherwise move the focus on.

use egui::{EventFilter, Response, Ui};

/// Keeps arrows, and Escape if it means something there, for what has the focus.
pub fn hold(ui: &Ui, response: &Response, escape: bool) {
    if response.has_focus() {
        let filter =
            EventFilter { horizontal_arrows: true, vertical_arrows: true, escape, ..EventFilter::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(response.id, filter));
    }
}

/// True when keys are meant for a chart: it has the focus, or the pointer is on it and nothing has.
#[must_use]
pub fn listens(ui: &Ui, response: &Response) -> bool {
    let nobody = ui.memory(|m| m.focused().is_none());
    response.has_focus() || nobody && response.contains_pointer()
}
