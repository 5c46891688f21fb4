//! Recordings that were not saved: their journals, which stay until somebody saves or discards them.
//!
//! A run that is recorded here has its journal to itself as long as its tab is open. When the tab or the window is closed
//! the journal stays where it is, and the start page lists it, with what earlier windows, killed recorders and
//! the command line left behind. All of them together are bounded by bytes; the oldest go first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::Ui;

use super::{App, Settings, Tone};
use crate::export;
use crate::format;
use crate::query::RunId;
use crate::record::journal::{self, JournalFile, Unsaved};
use crate::state::{Origin, RunState};
use crate::ui::icons::Icon;
use crate::ui::theme::Palette;
use crate::ui::widgets;
use crate::views::shared::clock;

/// What the application knows about journals.
#[derive(Default)]
pub(super) struct Journals {
    /// By run: recorded here and not saved yet.
    own: HashMap<RunId, Arc<JournalFile>>,
    /// By run: opened from the list, and not saved yet.
    opened: HashMap<RunId, PathBuf>,
    /// Those that no run of this window holds.
    unsaved: Vec<Unsaved>,
}

impl Journals {
    /// Looks for unsaved recordings.
    pub fn find(settings: &Settings) -> Self {
        let mut found = Self::default();
        found.look(settings);
        found
    }

    /// Lists what is there now, within the limit of the settings. Gives the names of what had to go.
    fn look(&mut self, settings: &Settings) -> Vec<String> {
        let Some(folder) = folder(settings) else { return Vec::new() };
        self.unsaved = journal::unsaved(&folder);
        let gone = journal::keep_within(settings.unsaved_bytes(), &mut self.unsaved);
        gone.into_iter().map(|u| u.title).collect()
    }

    /// Run `run` has been recorded; until it is saved its journal stays.
    pub fn keep(&mut self, run: RunId, journal: Arc<JournalFile>) {
        self.own.insert(run, journal);
    }

    /// True when the run is a recording that is not saved.
    pub fn is_unsaved(&self, run: RunId) -> bool {
        self.own.contains_key(&run) || self.opened.contains_key(&run)
    }

    /// Run `run` was saved.
    pub fn saved(&mut self, run: RunId) {
        if let Some(journal) = self.own.remove(&run) {
            journal.discard();
        }
        if let Some(path) = self.opened.remove(&run) {
            // Another window may have removed it.
            let _ = journal::remove(&path);
            self.unsaved.retain(|u| u.path != path);
        }
    }
}

/// Where journals are kept.
pub(super) fn folder(settings: &Settings) -> Option<PathBuf> {
    settings.journal.clone().or_else(journal::folder)
}

impl App {
    /// Run `run` is closed, or its recording failed: its journal stays, and the start page lists it.
    pub(super) fn release_journal(&mut self, run: RunId) {
        let opened = self.journals.opened.remove(&run).is_some();
        if self.journals.own.remove(&run).is_none() && !opened {
            return;
        }
        let gone = self.journals.look(&self.settings);
        if !gone.is_empty() {
            let what = gone.join(", ");
            self.say(Tone::Warning, format!("Unsaved recordings were over their limit: {what} was deleted."));
        }
    }

    /// The window closes: every journal stays.
    pub(super) fn release_journals(&mut self) {
        self.journals.own.clear();
        self.journals.opened.clear();
        self.journals.look(&self.settings);
    }

    /// Saves a recording that has no journal, because none could be written, to the temporary folder; anything else is
    /// safe already. The error is one line.
    pub(super) fn rescue(&mut self, run: RunId) -> Result<(), String> {
        let Some(run) = self.session.get(run) else { return Ok(()) };
        let Origin::Recording { workload, saved: None } = &run.origin else { return Ok(()) };
        let Some(profile) =
            run.profile.clone().filter(|_| !workload.is_empty() && run.state == RunState::Ready)
        else {
            return Ok(());
        };
        if self.journals.is_unsaved(run.id) {
            return Ok(());
        }
        let began = profile.meta.origin_unix_ns.unwrap_or(0);
        let path = std::env::temp_dir().join(format!("inferscope-{began}.inferscope"));
        export::write_session(&profile, &path).map_err(|e| format!("{}: {e}", path.display()))?;
        self.settings.remember(&path);
        let text = format!("The recording had no journal, so it was saved as {}.", path.display());
        eprintln!("inferscope: {}", format::plain(&text));
        self.say(Tone::Warning, text);
        Ok(())
    }
}

/// Height of a row of the list.
const ROW: f32 = 24.0;

/// Lists unsaved recordings on the start page.
pub(super) fn offer(app: &mut App, ui: &mut Ui) {
    if app.journals.unsaved.is_empty() {
        return;
    }
    let palette = Palette::of(ui);
    let sum: u64 = app.journals.unsaved.iter().map(|u| u.bytes).sum();
    ui.horizontal(|ui| {
        widgets::section_heading(ui, "Unsaved recordings");
        let text = format!("{} of at most", size(sum));
        ui.label(egui::RichText::new(text).small().color(palette.text_weak));
        limit(app, ui);
    });
    ui.add_space(4.0);
    let mut chosen = None;
    for (i, found) in app.journals.unsaved.iter().enumerate() {
        if let Some(done) = row(found, ui) {
            chosen = Some((i, done));
        }
    }
    ui.add_space(18.0);
    let Some((i, done)) = chosen else { return };
    let path = app.journals.unsaved[i].path.clone();
    match done {
        Done::Open => app.open_unsaved(&path),
        Done::Discard => match journal::remove(&path) {
            Ok(()) => drop(app.journals.unsaved.remove(i)),
            Err(e) => app.say(Tone::Warning, format!("{} could not be deleted: {e}", path.display())),
        },
    }
}

/// The limit, to be changed where it matters.
fn limit(app: &mut App, ui: &mut Ui) {
    const MIB: u64 = 1 << 20;
    let mut mib = app.settings.unsaved_bytes() / MIB;
    let help = "Unsaved recordings keep at most so much of the disk: the oldest are deleted first, never the newest.";
    let field = egui::DragValue::new(&mut mib).range(1..=1_000_000).suffix(" MiB").speed(16.0);
    let field = ui.add(field).on_hover_text(help);
    if field.changed() {
        app.settings.set_unsaved_bytes(mib * MIB);
    }
}

fn size(bytes: u64) -> String {
    format::bytes(i64::try_from(bytes).unwrap_or(i64::MAX))
}

enum Done {
    Open,
    Discard,
}

/// One recording: its name opens it.
fn row(found: &Unsaved, ui: &mut Ui) -> Option<Done> {
    let palette = Palette::of(ui);
    let mut done = None;
    ui.horizontal(|ui| {
        ui.set_min_height(ROW);
        let (icon, tone, state) = match found.ended {
            true => (Icon::Record, Tone::Neutral, "not saved"),
            false => (Icon::Warning, Tone::Warning, "interrupted"),
        };
        icon.show(ui, 13.0, tone);
        let title = if found.title.is_empty() { "(no title)" } else { &found.title };
        let name = widgets::link_button(ui, &super::bar::shorten(title, 60));
        if name.on_hover_text(format!("{title}\n{}", found.path.display())).clicked() {
            done = Some(Done::Open);
        }
        let when = found.began_unix_ns.map(clock::local).unwrap_or_default();
        let utc = found.began_unix_ns.map(format::utc).unwrap_or_default();
        let about = format!("{state}  ·  {when}  ·  {}", size(found.bytes));
        ui.label(egui::RichText::new(about).small().color(palette.text_weak)).on_hover_text(utc);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let discard = widgets::link_button(ui, "Delete");
            if discard.on_hover_text("Deletes this recording for good.").clicked() {
                done = Some(Done::Discard);
            }
        });
    });
    done
}

impl App {
    /// Opens an unsaved recording; saving it as a session removes its journal.
    fn open_unsaved(&mut self, path: &Path) {
        let run = self.open_input(crate::import::Input::Path(path.to_owned()));
        let found = self.journals.unsaved.iter().position(|u| u.path == path);
        let found = found.map(|i| self.journals.unsaved.remove(i));
        if let (Some(found), Some(run)) = (found, self.session.get_mut(run)) {
            run.label = found.title;
        }
        self.journals.opened.insert(run, path.to_owned());
    }
}
