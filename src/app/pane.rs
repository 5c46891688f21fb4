//! The host of one pane's view: dims what is out of date, keeps what the view notes about its numbers, and the time that it
//! shows in step with other panes. A view that panics leaves the others alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ui::icons::Icon;
use crate::ui::widgets::EmptyState;
use crate::views::shared::{Note, Stale};
use crate::views::{TimeWindow, View, ViewCx, ViewKind};

/// The time that linked panes show.
#[derive(Clone, Copy, Default)]
pub(super) struct Window {
    seen: Option<TimeWindow>,
    /// Counts its changes.
    version: u64,
}

/// A pane's view, and what the host keeps for it.
pub(super) struct Held {
    pub(super) shown: Shown,
    stale: Stale,
    /// What it noted in the last frame.
    pub(super) notes: Vec<Note>,
    /// The time that it showed after the last frame, and the version of the window that it has taken over.
    seen: Option<TimeWindow>,
    version: u64,
}

impl Held {
    /// What a fresh pane holds.
    pub(super) fn new(view: Box<dyn View>) -> Self {
        Self { shown: Shown::View(view), stale: Stale::default(), notes: Vec::new(), seen: None, version: 0 }
    }

    /// Draws the view, dimmed while it shows answers to older questions for long.
    pub(super) fn ui(&mut self, kind: &ViewKind, cx: &mut ViewCx<'_>, ui: &mut egui::Ui) {
        cx.late = self.stale.is_late();
        cx.out.waits.set(false);
        ui.scope(|ui| {
            if cx.late {
                ui.multiply_opacity(0.5);
            }
            self.shown.ui(kind, cx, ui);
        });
        let notes = std::mem::take(&mut cx.out.notes);
        if notes != self.notes {
            self.notes = notes; // the badge stands above the view
            ui.ctx().request_repaint();
        }
        self.stale.waits(cx.out.waits.get() && !cx.live, ui);
    }

    /// True for a chart over the time of the run.
    pub(super) fn has_time(&self) -> bool {
        matches!(&self.shown, Shown::View(view) if view.window().is_some())
    }

    /// Takes over the time that another pane shows, or tells the others what this one was moved to.
    pub(super) fn link(&mut self, window: &mut Window, linked: bool, ui: &egui::Ui) {
        let Shown::View(view) = &mut self.shown else { return };
        let Some(seen) = view.window() else { return };
        if !linked {
            (self.seen, self.version) = (Some(seen), window.version);
        } else if self.version != window.version {
            self.version = window.version;
            if let Some(shared) = window.seen.filter(|shared| *shared != seen) {
                view.show_window(shared);
                ui.ctx().request_repaint();
            }
            self.seen = None; // what it makes of it is no wish of its own
        } else if let Some(before) = self.seen.replace(seen)
            && !before.is_near(seen)
        {
            window.seen = Some(seen);
            window.version += 1;
            self.version = window.version;
            ui.ctx().request_repaint();
        }
    }
}

/// What stands in a pane.
pub(super) enum Shown {
    /// A view with its state.
    View(Box<dyn View>),
    /// Its view ended by an internal error; the other panes go on.
    Broken,
}

impl Shown {
    pub(super) fn ui(&mut self, kind: &ViewKind, cx: &mut ViewCx<'_>, ui: &mut egui::Ui) {
        match self {
            Self::View(view) => {
                if catch_unwind(AssertUnwindSafe(|| view.ui(cx, ui))).is_err() {
                    *self = Self::Broken;
                    ui.ctx().request_repaint();
                }
            }
            Self::Broken => {
                let why = "This view met an internal error; please report it. The others go on.";
                let state = EmptyState::new(Icon::Warning, kind.title, why).action("Try again");
                if state.show(ui) {
                    *self = Self::View(kind.make_for(cx.subject));
                }
            }
        }
    }
}
