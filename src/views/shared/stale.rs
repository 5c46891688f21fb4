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
    /// Call each frame with the answer, before painting it; dims `ui` when the answer is late.
    pub fn dim<T>(&mut self, answer: &Answer<T>, ui: &mut Ui) {
        let now = ui.input(|i| i.time);
        if answer.is_ready() {
            self.since = None;
            return;
        }
        let waited = now - *self.since.get_or_insert(now);
        if waited >= PATIENCE {
            ui.multiply_opacity(0.5);
        } else {
            ui.ctx().request_repaint_after_secs((PATIENCE - waited) as f32);
        }
    }
}
