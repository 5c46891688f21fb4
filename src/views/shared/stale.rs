//! Dimming what is out of date, but not for a moment only: that would flicker.

use egui::Ui;

/// How long an answer may take before the old one is dimmed, seconds.
const PATIENCE: f64 = 0.15;

/// Since when a pane waits for an answer.
#[derive(Default)]
pub struct Stale {
    since: Option<f64>,
    late: bool,
}

impl Stale {
    /// True once an answer is late.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.late
    }

    /// Says, once a frame, whether the pane shows an answer to an older question. While a run is recorded the last answer is
    /// always a moment old, and never late.
    pub fn waits(&mut self, waits: bool, ui: &Ui) {
        if !waits {
            *self = Self::default();
            return;
        }
        let now = ui.input(|i| i.time);
        let waited = now - *self.since.get_or_insert(now);
        if waited < PATIENCE {
            ui.ctx().request_repaint_after_secs((PATIENCE - waited) as f32);
        } else if !std::mem::replace(&mut self.late, true) {
            ui.ctx().request_repaint();
        }
    }
}
