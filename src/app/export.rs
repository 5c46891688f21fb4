//! Writing runs to files, on a thread.

use std::path::{Path, PathBuf};

use super::event::{Event, Purpose};
use super::source_texts::source_texts;
use super::{App, dialog, open};
use crate::analysis::source_texts::FoundTexts;
use crate::exchange::{Asked, FORMATS, write_file};
use crate::export::Inputs;
use crate::format;
use crate::import::{self, Input};
use crate::jobs;
use crate::query::RunId;
use crate::state::{OpenRun, Origin, RunState};
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
        let now = run.history.now().clone();
        let recorded = matches!(run.origin, Origin::Recording { .. });
        let rules = self.settings.sources.clone();
        // A session that was read whole is in memory, so it may take its own place.
        let read_whole = || run.input().is_some_and(|input| import::holds_all_of(&profile, input));
        let itself = (format == 0 && run.state == RunState::Ready && read_whole()).then_some(id);
        let asked = Asked {
            inputs: self.inputs(itself),
            scope: now.scope,
            range: now.range,
            metric: (!now.metric.is_first()).then_some(now.metric),
            ..Asked::all(profile)
        };
        let folder = open::folder_of(run.input()).map(Path::to_owned);
        let Some(kind) = FORMATS.get(format) else { return };
        let events = self.events.clone();
        let whole = format == 0;
        jobs::spawn("export", move || {
            let texts = sources.then(|| source_texts(&asked.profile, folder.as_deref(), &rules, recorded));
            let listed = texts.as_ref().map(listed);
            let sources = texts.map(|t| t.sources);
            let asked = Asked { sources, ..asked };
            let written = write_file(kind, &asked, &path);
            let said = written.map(|said| listed.into_iter().chain(said).collect());
            let result =
                said.map(|said| (path.clone(), said)).map_err(|e| format!("{}: {e}", path.display()));
            events.send(Event::Wrote { run: whole.then_some(id), result });
        });
    }

    /// The files that open runs are read from, which nothing may be written over; all but the one of run `but`.
    pub(super) fn inputs(&self, but: Option<RunId>) -> Inputs {
        let runs = self.session.runs.iter();
        let of = |run: &OpenRun| {
            let path = run.input().and_then(Input::path).filter(|_| Some(run.id) != but);
            match &run.profile {
                Some(profile) => Inputs::of(profile, path),
                None => Inputs::files(path.map(Path::to_owned)),
            }
        };
        runs.map(of).fold(Inputs::default(), Inputs::and)
    }

    pub(super) fn wrote(&mut self, run: Option<RunId>, result: Result<(PathBuf, Vec<String>), String>) {
        match result {
            Ok((path, said)) => {
                if let Some(run) = run.and_then(|id| self.session.get_mut(id)) {
                    match &mut run.origin {
                        Origin::Recording { saved, .. } => *saved = Some(path.clone()),
                        // Its journal goes now.
                        origin if self.journals.is_unsaved(run.id) => {
                            *origin = Origin::File(Input::Path(path.clone()));
                        }
                        Origin::File(_) => {}
                    }
                }
                if let Some(run) = run {
                    self.journals.saved(run);
                    self.settings.remember(&path);
                }
                let said: String = said.iter().map(|part| format!(" Note: {part}.")).collect();
                let tone = if said.is_empty() { Tone::Good } else { Tone::Info };
                self.say(tone, format!("Saved {}.{said}", path.display()));
            }
            Err(why) => self.say(Tone::Bad, why),
        }
    }
}

/// Names that are listed; there may be a thousand.
const MOST_NAMES: usize = 8;

/// «it holds the texts of 2 source files (a.py, b.py)».
fn listed(texts: &FoundTexts) -> String {
    let files = format::counted(texts.sources.len() as i64, "source file", "source files");
    let name = |p: &PathBuf| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut names: Vec<_> = texts.taken.iter().take(MOST_NAMES).map(name).collect();
    if texts.taken.len() > MOST_NAMES {
        names.push("…".into());
    }
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let refused = match texts.refused.len() {
        0 => String::new(),
        n => format!(
            "; {} that may not be given away are left out",
            format::counted(n as i64, "file", "files")
        ),
    };
    format!("it holds the texts of {files}{names}{refused}")
}
