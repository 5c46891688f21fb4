//! Where source files are: asked for by a dialog, kept in the settings, the same for all runs.

use std::path::Path;

use super::editor::SourcePlace;
use super::{App, dialog};
use crate::analysis::source_file::{SourceRule, rule_for};
use crate::import::Input;
use crate::ui::theme::Tone;
use crate::views::{Wish, view};

/// Most rules that are kept.
const RULES: usize = 100;

impl App {
    /// Looks for source files by these rules.
    pub fn set_sources(&mut self, mut rules: Vec<SourceRule>) {
        rules.truncate(RULES);
        self.settings.sources = rules;
    }

    /// Does what a view cannot do itself.
    pub(super) fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::LocateSource(file) => {
                dialog::source(file, self.events.clone());
            }
            Wish::SetSources(rules) => self.set_sources(rules),
            Wish::SavePicture(pane, picture) => self.ask_picture(pane, picture),
            Wish::Show(id) => {
                if let Some(kind) = view(id) {
                    self.panes_mut().show(kind);
                }
            }
            Wish::Edit { file, line } => self.open_in_editor(SourcePlace { file, line }),
            Wish::Pair { base, head, same } => {
                let pairs = &mut self.session.alignment.by_hand;
                pairs.retain(|(b, h)| *b != base && *h != head);
                if same {
                    pairs.push((base, head));
                    self.say(Tone::Good, "Paired. «Runs, notes and matching» lists pairs by hand (Ctrl-N).");
                }
            }
            Wish::Sample(view) => self.open_sample_in(view),
            Wish::Prices => self.prices.shown = true,
            Wish::OpenPart(part) => {
                if let Some(whole) = self.active().and_then(|run| run.input().cloned()) {
                    self.open_input(Input::Part(Box::new(whole), part));
                }
            }
        }
    }

    pub(super) fn source_chosen(&mut self, file: &str, chosen: Option<&Path>) {
        let Some(chosen) = chosen else {
            self.say(Tone::Info, "No file was chosen. Its folder can also be named under Source folders.");
            return;
        };
        // An older one of the same folder gives way.
        let new = rule_for(file, chosen);
        let older = self.settings.sources.iter().filter(|r| r.from != new.from).cloned();
        let rules = std::iter::once(new.clone()).chain(older).collect();
        self.set_sources(rules);
    }
}
