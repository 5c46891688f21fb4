//! Building blocks that views share. Each has a name for screen readers and works from the keyboard.

mod buttons;
mod choice;
mod notice;
mod progress;
mod search;
mod table;
mod values;

pub use buttons::{chip, icon_button, link_button, primary_button, shortcut_hint, toggle_button};
pub use choice::{MetricChoice, combo, metric_picker, segmented};
pub use notice::{EmptyState, Notice, NoticeAction, legend_item, pill, section_heading};
pub use progress::{progress_row, working_over, working_row};
pub use search::{SearchBox, SearchOutput};
pub use table::{Cell, cell_text, delta_bar, found_cell, header_cell, name_cell, row_background, share_bar};
pub use values::KeyValues;

use super::theme::{Palette, space};
use egui::{Rect, Response, Stroke, StrokeKind, Ui};

/// The ring around the thing that has the keyboard.
pub fn focus_ring(ui: &Ui, response: &Response, rect: Rect) {
    if response.has_focus() {
        let stroke = Stroke::new(1.5, Palette::of(ui).accent);
        ui.painter().rect_stroke(rect, space::RADIUS, stroke, StrokeKind::Inside);
    }
}

#[cfg(test)]
mod tests;
