//! A view on a profile without the application around it: for flows through egui_kittest.

use std::sync::Arc;

use egui::Ui;
use egui_kittest::Harness;

use crate::model::Profile;
use crate::query::{Engine, Mode, Subject};
use crate::state::{Command, History, Item};
use crate::ui::software::Software;
use crate::ui::theme::{self, Palette};
use crate::views::{Out, View, ViewCx, ViewKind};

/// A view, its profile and the shared state, which commands change as in the application.
pub struct Stage {
    pub view: Box<dyn View>,
    pub engine: Engine,
    pub subject: Subject,
    pub history: History,
    pub hover: Option<Item>,
    pub sent: Vec<Command>,
}

impl Stage {
    pub fn new(kind: &ViewKind, profile: Arc<Profile>) -> Self {
        Self {
            view: (kind.make)(),
            engine: Engine::new(Mode::Inline, || ()),
            subject: Subject { run: 1, revision: 0, profile },
            history: History::default(),
            hover: None,
            sent: Vec::new(),
        }
    }

    /// One frame.
    pub fn ui(&mut self, ui: &mut Ui) {
        let mut out = Out::default();
        let interaction = self.history.now().clone();
        let mut cx = ViewCx {
            engine: &self.engine,
            subject: &self.subject,
            input: None,
            interaction: &interaction,
            hover: self.hover.as_ref(),
            cursor: None,
            preview: None,
            live: false,
            pane: 1,
            out: &mut out,
        };
        let fill = Palette::of(ui).panel;
        egui::Frame::new().fill(fill).inner_margin(6).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            self.view.ui(&mut cx, ui);
        });
        self.hover = out.hover;
        for command in out.commands {
            self.sent.push(command.clone());
            self.history.apply(command);
        }
    }
}

/// A harness of 900 × 420 points around a stage.
pub fn harness<'a>(stage: Stage) -> Harness<'a, Stage> {
    let mut installed = false;
    let mut harness = Harness::builder()
        .with_size([900.0, 420.0])
        .with_max_steps(20)
        .renderer(Software::default())
        .build_ui_state(
            move |ui, stage: &mut Stage| {
                if !installed {
                    installed = true;
                    theme::install(ui.ctx());
                    return; // fonts are there from the next pass on
                }
                stage.ui(ui);
            },
            stage,
        );
    harness.run();
    harness
}
