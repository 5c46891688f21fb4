//! Writing runs to files, on a thread.

use std::path::{Path, PathBuf};

use super::event::{Event, Purpose};
use super::source_texts::source_texts;
use super::{App, dialog, open};
use crate::export::{FORMATS, Options, write_file_with};
use crate::jobs;
use crate::query::RunId;
use crate::state::Origin;
use crate::ui::theme::Tone;

impl App {
    /// Asks where to write the shown run.
    pub(super) fn ask_export(&mut self, format: usize, sources: bool) {
        let (Some(run), Some(kind)) = (self.active(), FORMATS.get(format)) else { return };
        let stem = run.label.split('.').next().unwrap_or("run").replace(['/', '\\', ' '], "-");
        let name = format!("{stem}.{}", kind.extension);
        let folder = open::folder_of(run.input()).map(Path::to_owned);
        dialog::save(Purpose::Export { run: run.id, format, sources }, &name, folder, self.events.clone());
    }

    pub(super) fn export_to(&mut self, id: RunId, (format, sources): (usize, bool), path: PathBuf) {
        let Some(run) = self.session.get(id) else { return };
        let Some(profile) = run.profile.clone() else { return };
        let rules = self.settings.sources.clone();
        let folder = open::folder_of(run.input()).map(Path::to_owned);
        let Some(kind) = FORMATS.get(format) else { return };
        let events = self.events.clone();
        let whole = format == 0;
        jobs::spawn("export", move || {
            let sources = sources.then(|| source_texts(&profile, folder.as_deref(), &rules));
            let options = Options { sources, ..Options::default() };
            let result = write_file_with(kind, &profile, &options, &path)
                .map(|()| path.clone())
                .map_err(|e| format!("{}: {e}", path.display()));
            events.send(Event::Wrote { run: whole.then_some(id), result });
        });
    }

    pub(super) fn wrote(&mut self, run: Option<RunId>, result: Result<PathBuf, String>) {
        match result {
            Ok(path) => {
                if let Some(run) = run.and_then(|id| self.session.get_mut(id))
                    && let Origin::Recording { saved, .. } = &mut run.origin
                {
                    *saved = Some(path.clone());
                }
                if let Some(run) = run {
                    self.journals.saved(run);
                    self.settings.remember(&path);
                }
                self.say(Tone::Good, format!("Saved {}.", path.display()));
            }
            Err(why) => self.say(Tone::Bad, why),
        }
    }
}
