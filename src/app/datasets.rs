//! Datasets of many runs in tabs of their own, beside those of runs. Built without them it says so.

use std::path::Path;

use egui::Ui;

use super::App;
use crate::query::RunId;

#[cfg(feature = "fleet")]
use {
    super::project::file_of,
    crate::fleet::open::Open,
    crate::state::Command,
    crate::ui::theme::Tone,
    crate::views::fleet::{FleetView, FleetWish},
    std::collections::HashMap,
    std::path::PathBuf,
};

/// A dataset with its tab.
#[cfg(feature = "fleet")]
struct OpenDataset {
    open: Open,
    label: String,
    view: FleetView,
}

/// The datasets that are open.
#[cfg(feature = "fleet")]
#[derive(Default)]
pub(super) struct Datasets {
    open: Vec<OpenDataset>,
    /// The part of their time at which runs are looked at that were opened from one, ns.
    ranges: HashMap<RunId, (i64, i64)>,
}

#[cfg(feature = "fleet")]
impl Datasets {
    /// The one with this number.
    fn get(&mut self, id: Option<RunId>) -> Option<&mut OpenDataset> {
        self.open.iter_mut().find(|dataset| Some(dataset.open.id()) == id)
    }
}

/// What the tab of a dataset says.
pub(super) struct DatasetTab {
    pub id: RunId,
    pub label: String,
    pub tip: String,
}

#[cfg(not(feature = "fleet"))]
impl App {
    /// Opens a dataset.
    pub fn open_dataset(&mut self, folder: &Path) {
        let why = "is a dataset of many runs: this build reads none, one with the feature «fleet» does";
        self.say(crate::ui::theme::Tone::Bad, format!("{}: {why}", folder.display()));
    }

    pub(super) fn dataset_tabs(&self) -> Vec<DatasetTab> {
        Vec::new()
    }

    /// Draws the shown dataset; false when none is shown.
    pub(super) fn dataset_ui(&mut self, _ui: &mut Ui) -> bool {
        false
    }

    pub(super) fn close_dataset(&mut self, _id: RunId) -> bool {
        false
    }

    pub(super) fn look_at_step(&mut self, _run: RunId) {}

    pub(super) fn search_in_dataset(&mut self) {}
}

#[cfg(feature = "fleet")]
impl App {
    /// Opens a dataset, or shows and reads it again when it is open.
    pub fn open_dataset(&mut self, folder: &Path) {
        let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        self.settings.remember(&whole);
        let known = self.datasets.open.iter().find(|d| d.open.folder() == whole).map(|d| d.open.id());
        if known.is_some() {
            self.session.active = known;
            self.read_shown_again();
            return;
        }
        let id = self.session.number();
        let label = whole
            .file_name()
            .map_or_else(|| whole.display().to_string(), |n| n.to_string_lossy().into_owned());
        self.datasets.open.push(OpenDataset {
            open: Open::new(id, &whole),
            label,
            view: FleetView::default(),
        });
        self.session.active = Some(id);
    }

    pub(super) fn dataset_tabs(&self) -> Vec<DatasetTab> {
        let tab = |d: &OpenDataset| DatasetTab {
            id: d.open.id(),
            label: d.label.clone(),
            tip: format!("{}\nA dataset of many runs", d.open.folder().display()),
        };
        self.datasets.open.iter().map(tab).collect()
    }

    /// Draws the shown dataset; false when none is shown.
    pub(super) fn dataset_ui(&mut self, ui: &mut Ui) -> bool {
        let Some(shown) = self.datasets.get(self.session.active) else { return false };
        let mut wishes = Vec::new();
        let fill = crate::ui::theme::Palette::of(ui).panel;
        let (view, open, engine) = (&mut shown.view, &shown.open, &self.engine);
        egui::Frame::new().fill(fill).inner_margin(8).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            view.show(engine, open, &mut wishes, ui);
        });
        if !wishes.is_empty() {
            ui.ctx().request_repaint();
        }
        wishes.into_iter().for_each(|wish| self.grant_dataset(wish));
        true
    }

    /// Puts the cursor into the field that filters runs.
    pub(super) fn search_in_dataset(&mut self) {
        if let Some(shown) = self.datasets.get(self.session.active) {
            shown.view.search();
        }
    }

    /// Reads the shown dataset again, and forgets what it said before.
    fn read_shown_again(&mut self) {
        let Some(shown) = self.datasets.get(self.session.active) else { return };
        shown.open = shown.open.again();
        self.engine.forget_before(shown.open.id(), shown.open.revision());
    }

    fn grant_dataset(&mut self, wish: FleetWish) {
        match wish {
            FleetWish::Again => self.read_shown_again(),
            FleetWish::Open { file, range } => {
                let Some(run) = self.run_of_dataset(&file) else { return };
                self.session.active = Some(run);
                if let Some(range) = range {
                    self.datasets.ranges.insert(run, range);
                    self.look_at_step(run);
                }
            }
            FleetWish::Compare { base, head } => {
                // Both or none: one alone is no comparison.
                if [&base, &head].into_iter().any(|file| self.is_gone(file)) {
                    return;
                }
                if let Some((base, head)) = self.run_of_dataset(&base).zip(self.run_of_dataset(&head)) {
                    self.compare(base, head);
                }
            }
        }
    }

    /// True when a run's file is not there any more, which is said.
    fn is_gone(&mut self, file: &Path) -> bool {
        let gone = !file.exists();
        if gone {
            self.say(Tone::Bad, format!("{}: this run's file is not there any more", file.display()));
        }
        gone
    }

    /// The tab of a run's file, opened when it is not.
    fn run_of_dataset(&mut self, file: &Path) -> Option<RunId> {
        let is_it = |(path, part): (PathBuf, Option<String>)| part.is_none() && path == file;
        let open = self.session.runs.iter().find(|run| file_of(run).is_some_and(is_it)).map(|run| run.id);
        if open.is_some() || self.is_gone(file) {
            return open;
        }
        self.open_path(file)
    }

    /// Shows the step of a run that was opened for it, once its profile is there.
    pub(super) fn look_at_step(&mut self, run: RunId) {
        let ready = self.session.get(run).is_some_and(|r| r.profile.is_some());
        let Some(range) = self.datasets.ranges.get(&run).copied().filter(|_| ready) else { return };
        self.datasets.ranges.remove(&run);
        if let Some(run) = self.session.get_mut(run) {
            run.history.apply(Command::SetRange(Some(range)));
        }
    }

    /// Closes a dataset and shows the tab beside it; false when it is none.
    pub(super) fn close_dataset(&mut self, id: RunId) -> bool {
        let Some(place) = self.datasets.open.iter().position(|d| d.open.id() == id) else { return false };
        let beside = self.beside(id);
        self.datasets.open.remove(place);
        self.engine.close(id);
        if self.session.active == Some(id) {
            self.session.active = beside;
        }
        true
    }
}

impl App {
    /// All tabs from left to right, in the order of opening.
    pub(super) fn tabs(&self) -> Vec<RunId> {
        let mut tabs: Vec<RunId> = self.session.runs.iter().map(|run| run.id).collect();
        for DatasetTab { id, .. } in self.dataset_tabs() {
            let at = tabs.iter().position(|tab| *tab > id).unwrap_or(tabs.len());
            tabs.insert(at, id);
        }
        tabs
    }

    /// The tab that is shown when one is closed.
    pub(super) fn beside(&self, id: RunId) -> Option<RunId> {
        let tabs = self.tabs();
        let at = tabs.iter().position(|tab| *tab == id)?;
        tabs.get(at + 1).or_else(|| tabs.get(at.checked_sub(1)?)).copied()
    }

    /// True when a dataset is shown.
    pub(super) fn shows_dataset(&self) -> bool {
        self.dataset_tabs().iter().any(|tab| Some(tab.id) == self.session.active)
    }
}

#[cfg(feature = "fleet")]
#[cfg(test)]
mod tests;
