//! Where source files are: asked for by a dialog, kept in the settings, the same for all runs.

use std::path::Path;

use super::{App, dialog};
use crate::analysis::source_file::{SourceRule, rule_for};
use crate::import::Input;
use crate::query::RunId;
use crate::state::Command;
use crate::ui::theme::Tone;
use crate::views::Wish;

/// Most rules that are kept.
const RULES: usize = 100;

impl App {
    /// Gives a new run what the settings know.
    pub(super) fn seed(&mut self, run: RunId) {
        let rules = self.settings.sources.clone();
        if let Some(run) = self.session.get_mut(run).filter(|_| !rules.is_empty()) {
            run.history.start_with(Command::SetSources(rules));
        }
    }

    /// Does what a view cannot do itself.
    pub(super) fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::LocateSource(file) => {
                if let Some(run) = self.session.active {
                    dialog::source(run, file, self.events.clone());
                }
            }
            Wish::SavePicture(pane, picture) => self.ask_picture(pane, picture),
            Wish::OpenPart(part) => {
                if let Some(whole) = self.active().and_then(|run| run.input().cloned()) {
                    self.open_input(Input::Part(Box::new(whole), part));
                }
            }
        }
    }

    /// Takes over what a person said in a view.
    pub(super) fn remember_sources(&mut self) {
        if let Some(now) = self.session.now() {
            let rules = &now.sources;
            if *rules != self.settings.sources {
                self.settings.sources.clone_from(rules);
            }
        }
    }

    pub(super) fn source_chosen(&mut self, run: RunId, file: &str, chosen: Option<&Path>) {
        let Some(chosen) = chosen else {
            self.say(Tone::Info, "No file was chosen. Its folder can also be named under Source folders.");
            return;
        };
        if let Some(run) = self.session.get_mut(run) {
            let rules = with_rule(&run.history.now().sources, &rule_for(file, chosen));
            run.history.apply(Command::SetSources(rules));
        }
    }
}

/// The rules with one more; an older one of the same folder gives way.
fn with_rule(rules: &[SourceRule], new: &SourceRule) -> Vec<SourceRule> {
    let older = rules.iter().filter(|r| r.from != new.from).cloned();
    let mut rules: Vec<_> = std::iter::once(new.clone()).chain(older).collect();
    rules.truncate(RULES);
    rules
}
