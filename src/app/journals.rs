//! Journals of recordings: those of this process, which end with their runs, and those that an earlier
//! process left behind, which the start page offers.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use egui::Ui;

use super::{App, Settings, Tone};
use crate::record::journal::{self, Interrupted, JournalFile};
use crate::ui::widgets::{Notice, NoticeAction};
use crate::views::date;

/// What the application knows about journals.
#[derive(Default)]
pub(super) struct Journals {
    /// By run: recorded here and not saved yet.
    own: HashMap<u32, Arc<JournalFile>>,
    /// Left behind by a process that died.
    interrupted: Vec<Interrupted>,
}

impl Journals {
    /// Looks for interrupted recordings.
    pub fn find(settings: &Settings) -> Self {
        let interrupted = folder(settings).map(|f| journal::interrupted(&f)).unwrap_or_default();
        Self { own: HashMap::new(), interrupted }
    }

    /// Run `run` has been recorded; until it is saved its journal stays.
    pub fn keep(&mut self, run: u32, journal: Arc<JournalFile>) {
        self.own.insert(run, journal);
    }

    /// Recording run `run` failed: its journal stays for the next start.
    pub fn release(&mut self, run: u32) {
        self.own.remove(&run);
    }

    /// Run `run` was saved or closed.
    pub fn discard(&mut self, run: u32) {
        if let Some(journal) = self.own.remove(&run) {
            journal.discard();
        }
    }

    /// The program ends in order.
    pub fn discard_all(&mut self) {
        self.own.drain().for_each(|(_, journal)| journal.discard());
    }
}

/// Where journals are kept.
pub(super) fn folder(settings: &Settings) -> Option<PathBuf> {
    settings.journal.clone().or_else(journal::folder)
}

/// Offers interrupted recordings on the start page.
pub(super) fn offer(app: &mut App, ui: &mut Ui) {
    let mut chosen = None;
    for (i, found) in app.journals.interrupted.iter().enumerate() {
        let when = found.began_unix_ns.map(date::utc).unwrap_or_default();
        let text = format!("The recording «{}» of {when} was interrupted.", found.title);
        let notice = Notice::new(Tone::Warning, &text).action("Open it").dismissable();
        if let Some(done) = notice.show(ui) {
            chosen = Some((i, done));
        }
        ui.add_space(4.0);
    }
    if !app.journals.interrupted.is_empty() {
        ui.label(
            egui::RichText::new(
                "What was recorded up to the last second is there. Closing the line deletes it.",
            )
            .small()
            .weak(),
        );
        ui.add_space(14.0);
    }
    let Some((i, done)) = chosen else { return };
    let found = app.journals.interrupted.remove(i);
    match done {
        NoticeAction::Acted => app.open_path(&found.path),
        NoticeAction::Dismissed => {
            if let Err(e) = journal::remove(&found.path) {
                app.say(Tone::Warning, format!("{} could not be deleted: {e}", found.path.display()));
            }
        }
    }
}
