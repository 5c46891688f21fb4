//! A pane of the window: its view and host, and the time that it shows in step with other panes. A view that panics leaves
//! the others alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ui::icons::Icon;
use crate::ui::widgets::EmptyState;
use crate::views::host::Host;
use crate::views::{TimeWindow, View, ViewCx, ViewKind};

/// The time that linked panes show.
#[derive(Clone, Copy, Default)]
pub(super) struct Window {
    seen: Option<TimeWindow>,
    /// Counts its changes.
    version: u64,
}

/// A pane's view, and what is kept for it.
pub(super) struct Held {
    pub(super) shown: Shown,
    pub(super) host: Host,
    /// The time that it showed after the last frame, and the version of the window that it has taken over.
    seen: Option<TimeWindow>,
    version: u64,
}

impl Held {
    /// What a fresh pane holds.
    pub(super) fn new(view: Box<dyn View>) -> Self {
        Self { shown: Shown::View(view), host: Host::default(), seen: None, version: 0 }
    }

    /// Draws the view.
    pub(super) fn ui(&mut self, kind: &ViewKind, cx: &mut ViewCx<'_>, ui: &mut egui::Ui) {
        self.shown.ui(&mut self.host, kind, cx, ui);
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
    pub(super) fn ui(&mut self, host: &mut Host, kind: &ViewKind, cx: &mut ViewCx<'_>, ui: &mut egui::Ui) {
        match self {
            Self::View(view) => {
                if catch_unwind(AssertUnwindSafe(|| host.show(&mut **view, cx, ui))).is_err() {
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
