//! What a pane does for any view: it dims answers to older questions, says what is being computed and what failed, keeps
//! what the view notes about its numbers, and knows which selection it has seen.

use egui::{Rect, Ui};

use super::shared::Note;
use super::{Asking, View, ViewCx};
use crate::state::Item;
use crate::ui::theme::Tone;
use crate::ui::widgets::working_over;

/// How long an answer may take before the old one is dimmed, seconds. Less would flicker.
const PATIENCE: f64 = 0.15;

/// What a pane keeps for its view.
#[derive(Default)]
pub struct Host {
    /// What the view noted in the last frame.
    pub notes: Vec<Note>,
    patience: Patience,
    follow: Follow,
}

impl Host {
    /// True while what is shown is dimmed.
    #[must_use]
    pub fn dims(&self) -> bool {
        self.patience.dims
    }

    /// Draws the view.
    pub fn show<V: View + ?Sized>(&mut self, view: &mut V, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        cx.out.asking = Asking::default();
        cx.follow = std::mem::take(&mut self.follow);
        let area = ui.available_rect_before_wrap();
        self.scope(ui, |ui| view.ui(cx, ui));
        self.follow = std::mem::take(&mut cx.follow);
        for why in cx.out.asking.failed() {
            cx.note(Tone::Bad, "Failed", why);
        }
        let notes = std::mem::take(&mut cx.out.notes);
        if notes != self.notes {
            self.notes = notes; // the badge stands above the view
            ui.request_repaint();
        }
        self.waits(&cx.out.asking, cx.live, area, ui);
    }

    /// Draws content, dimmed while it is late.
    pub(super) fn scope(&self, ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
        ui.scope(|ui| {
            if self.patience.dims {
                ui.multiply_opacity(0.5);
            }
            content(ui);
        });
    }

    /// Says over `area` what is being computed, once that takes long.
    pub(super) fn waits(&mut self, asking: &Asking, live: bool, area: Rect, ui: &mut Ui) {
        let doing = asking.doing();
        // While a run is recorded the last answer is always a moment old, and never late.
        let old = asking.old().filter(|_| !live);
        self.patience.waits(old, doing.is_some() && !live, ui);
        if let Some((doing, done)) = doing.filter(|_| self.patience.late) {
            working_over(ui, area, &doing, done);
        }
    }
}

/// Since when a pane waits for an answer.
#[derive(Default)]
struct Patience {
    /// The time, and the older answers that were shown then.
    since: Option<(f64, Option<usize>)>,
    late: bool,
    /// True when late, and older answers are shown.
    dims: bool,
}

impl Patience {
    /// Notes, once a frame, which older answers the pane shows, and whether it waits for any. As long as they change, as they do
    /// while somebody zooms, none of them is late.
    fn waits(&mut self, old: Option<usize>, without: bool, ui: &Ui) {
        if old.is_none() && !without {
            *self = Self::default();
            return;
        }
        let now = ui.input(|i| i.time);
        let (since, shown) = *self.since.get_or_insert((now, old));
        if shown != old && !self.late {
            self.since = Some((now, old));
            ui.request_repaint_after_secs(PATIENCE as f32);
            return;
        }
        let before = (self.late, self.dims);
        self.late |= now - since >= PATIENCE;
        self.dims = self.late && old.is_some();
        if (self.late, self.dims) != before {
            ui.request_repaint();
        } else if !self.late {
            ui.request_repaint_after_secs((PATIENCE - (now - since)) as f32);
        }
    }
}

/// The selection that a pane has seen, or made.
#[derive(Default)]
pub(crate) struct Follow {
    seen: Option<Item>,
}

impl Follow {
    /// True when `selection` was not seen, which it is then.
    pub(super) fn see(&mut self, selection: &Option<Item>) -> bool {
        let other = self.seen != *selection;
        if other {
            self.seen.clone_from(selection);
        }
        other
    }
}
