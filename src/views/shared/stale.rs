//! Dimming what is out of date, but not for a moment only: that would flicker.

use crate::query::Answer;
use egui::Ui;

/// How long an answer may take before the old one is dimmed, seconds.
const PATIENCE: f64 = 0.15;

/// Since when a pane waits for an answer.
#[derive(Default)]
pub struct Stale {
    since: Option<f64>,
}

impl Stale {
    /// True once an answer is late. Call it each frame with the answer. While a run is `live` the last answer is
    /// always a moment old, and never late.
    pub fn is_late<T>(&mut self, answer: &Answer<T>, live: bool, ui: &Ui) -> bool {
        if answer.is_ready() || live {
            self.since = None;
            return false;
        }
        let now = ui.input(|i| i.time);
        let waited = now - *self.since.get_or_insert(now);
        if waited < PATIENCE {
            ui.ctx().request_repaint_after_secs((PATIENCE - waited) as f32);
        }
        waited >= PATIENCE
    }

    /// Dims `ui` when the answer is late. Call it each frame, before painting the answer.
    pub fn dim<T>(&mut self, answer: &Answer<T>, live: bool, ui: &mut Ui) {
        if self.is_late(answer, live, ui) {
            ui.multiply_opacity(0.5);
        }
    }
}
