//! What is done with files that were chosen, and a window that asks for a path where the system has no file dialog.

use std::path::{Path, PathBuf};

use egui::{Key, TextEdit, Ui};

use super::event::Purpose;
use super::{App, Overlay, picture};
use crate::import::Input;
use crate::remote::Address;
use crate::ui::theme::Tone;
use crate::ui::widgets::{Notice, primary_button};
use crate::views::Picture;

const NO_DIALOG: &str = "This system shows no file dialog, so type the path. For a dialog install \
     xdg-desktop-portal with a backend (such as xdg-desktop-portal-gtk), or zenity.";

/// A path that is asked for.
pub(super) struct AskPath {
    purpose: Purpose,
    text: String,
    /// True when a dialog was asked for in vain.
    instead: bool,
    /// Why the last path would not do.
    refused: Option<String>,
    /// The file that the person was asked about: may it be replaced?
    replaces: Option<PathBuf>,
}

impl AskPath {
    /// Asks for profiles to open.
    pub fn to_open() -> Self {
        Self { purpose: Purpose::Open, text: String::new(), instead: false, refused: None, replaces: None }
    }

    /// The window; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui) -> Option<Self> {
        let saves = self.purpose.saves();
        let mut done = false;
        let modal = egui::Modal::new(egui::Id::unique("path")).show(ui.ctx(), |ui| {
            ui.set_width((ui.ctx().content_rect().width() - 48.0).clamp(200.0, 560.0));
            ui.heading(self.purpose.title());
            ui.add_space(6.0);
            if self.instead {
                Notice::new(Tone::Info, NO_DIALOG).show(ui);
            }
            let label = ui.label(if saves {
                "Path of the file to write"
            } else {
                "Path of the file, or TARGET:/path on another machine"
            });
            let field = ui.add(TextEdit::singleline(&mut self.text).desired_width(f32::INFINITY));
            let field = field.labelled_by(label.id);
            if !field.has_focus() && !field.lost_focus() && ui.memory(|m| m.focused().is_none()) {
                field.request_focus();
            }
            if field.changed() {
                (self.refused, self.replaces) = (None, None);
            }
            done = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
            if let Some(why) = &self.refused {
                Notice::new(Tone::Warning, why).show(ui);
            }
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                let act = match (saves, &self.replaces) {
                    (false, _) => "Open",
                    (true, None) => "Save",
                    (true, Some(_)) => "Replace",
                };
                done |= primary_button(ui, act).clicked();
                if ui.button("Cancel").clicked() {
                    ui.close();
                }
            });
        });
        if done && !self.text.trim().is_empty() {
            let path = expanded(self.text.trim());
            self.refused = self.objection(&path);
            if self.refused.is_none() {
                app.picked(self.purpose, &[path]);
                return None;
            }
            self.replaces = (saves && path.is_file()).then_some(path);
        }
        (!modal.should_close()).then_some(self)
    }

    /// Why a path will not do, in words.
    fn objection(&self, path: &Path) -> Option<String> {
        let shown = path.display();
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        match self.purpose.saves() {
            false if path.is_file() || path.is_dir() || matches!(Input::named(path), Input::Part(..)) => None,
            false if Address::is_one(path) => None,
            false => Some(format!("{shown}: is no file or folder")),
            true if path.is_dir() => Some(format!("{shown} is a folder: add the name of a file")),
            true if folder.is_some_and(|f| !f.is_dir()) => {
                Some(format!("{}: is no folder", folder.unwrap_or(path).display()))
            }
            true if path.exists() && self.replaces.as_deref() != Some(path) => {
                Some(format!("{shown} is there already. «Replace» writes over it."))
            }
            true => None,
        }
    }
}

/// «~/» is the person's home, as in a shell.
fn expanded(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), dirs::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

impl App {
    /// Asks for a path, because the system shows no dialog.
    pub(super) fn no_dialog(&mut self, purpose: Purpose, suggested: String) {
        if matches!(purpose, Purpose::Field { .. }) {
            self.say(Tone::Warning, "This system shows no file dialog: type the path into the field.");
            return;
        }
        let ask = AskPath { purpose, text: suggested, instead: true, refused: None, replaces: None };
        self.overlay = Overlay::Path(ask);
    }

    /// Does what files were chosen for.
    pub(super) fn picked(&mut self, purpose: Purpose, paths: &[PathBuf]) {
        let first = paths.first().cloned();
        match (purpose, first) {
            (Purpose::Dataset, None) => self.say(Tone::Info, "No folder was chosen."),
            (Purpose::Dataset, Some(folder)) if !crate::import::is_dataset(&folder) => {
                let what = "is no dataset; `inferscope fleet add SOURCE --to DATASET` makes one";
                self.say(Tone::Bad, format!("{}: {what}", folder.display()));
            }
            (Purpose::Dataset, Some(folder)) => self.open_dataset(&folder),
            (Purpose::Open, None) => self.say(Tone::Info, "No file was chosen."),
            (Purpose::Open, Some(_)) => {
                self.open_paths(paths);
            }
            (Purpose::Source { file }, chosen) => self.source_chosen(&file, chosen.as_deref()),
            (Purpose::PriceTable, None) => {}
            (Purpose::PriceTable, chosen) => self.set_price_table(chosen),
            (Purpose::Field { workload, key }, chosen) => {
                if let (Overlay::Record(chooser), Some(path)) = (&mut self.overlay, chosen) {
                    chooser.fill(workload, key, path.to_string_lossy().into_owned());
                }
            }
            (Purpose::Picture(..) | Purpose::Project | Purpose::Export { .. }, None) => {
                self.say(Tone::Info, "Nothing was saved: no file was chosen.");
            }
            (Purpose::Project, Some(path)) => self.save_project_to(path),
            (Purpose::Picture(pane, picture), Some(path)) => {
                let picture = Picture::of(&path).unwrap_or(picture);
                self.wanted = Some(picture::Wanted { pane, picture, path });
            }
            (Purpose::Export { run, format, sources }, Some(path)) => {
                self.export_to(run, (format, sources), path);
            }
        }
    }
}
