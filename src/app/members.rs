//! Which files of an archive or a folder are opened.

use egui::{Key, Ui};

use super::{App, Overlay};
use crate::format;
use crate::import::{Input, Member};
use crate::query::RunId;
use crate::ui::theme::Tone;
use crate::ui::widgets::{Notice, primary_button};

/// A choice among files.
pub(super) struct ChooseMembers {
    whole: Input,
    /// Files, and whether each is chosen.
    files: Vec<(Member, bool)>,
}

impl App {
    /// Asks which files of what run `id` was to show are opened; the run itself goes.
    pub(super) fn ask_members(&mut self, id: RunId, members: Vec<Member>) {
        self.opening.remove(&id);
        let Some(whole) = self.session.get(id).and_then(|run| run.input().cloned()) else { return };
        let opening = members.into_iter().filter(|m| m.opens);
        self.forget_run(id);
        self.overlay =
            Overlay::Members(ChooseMembers { whole, files: opening.map(|m| (m, false)).collect() });
    }
}

impl ChooseMembers {
    /// The window; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui) -> Option<Self> {
        let (mut open, mut together) = (false, false);
        let modal = egui::Modal::new(egui::Id::unique("members")).show(ui.ctx(), |ui| {
            ui.set_width((ui.ctx().content_rect().width() - 48.0).clamp(200.0, 560.0));
            ui.heading(format!("Profiles in {}", self.whole.file_name()));
            ui.add_space(6.0);
            egui::ScrollArea::vertical().max_height(360.0).auto_shrink([false, true]).show(ui, |ui| {
                for (file, chosen) in &mut self.files {
                    ui.checkbox(chosen, format!("{}  ({})", file.name, format::bytes(file.bytes as i64)));
                }
            });
            let count = self.files.iter().filter(|f| f.1).count();
            if count == 0 {
                Notice::new(Tone::Info, "Choose one file or more.").show(ui);
            }
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                open = ui.add_enabled_ui(count > 0, |ui| primary_button(ui, "Open").clicked()).inner;
                open |= count > 0 && ui.input(|i| i.key_pressed(Key::Enter));
                if ui.button("Choose all").clicked() {
                    self.files.iter_mut().for_each(|f| f.1 = true);
                }
                let hint =
                    "Traces of the ranks of a job, a log of memory beside a profile: all files on one clock";
                together = ui.button("Open all as one run").on_hover_text(hint).clicked();
                if ui.button("Cancel").clicked() {
                    ui.close();
                }
            });
        });
        if together {
            app.open_input(Input::Part(Box::new(self.whole), "*".into()));
            return None;
        }
        if open {
            for (file, _) in self.files.iter().filter(|f| f.1) {
                app.open_input(match &self.whole {
                    Input::Path(folder) if folder.is_dir() => Input::Path(folder.join(&file.name)),
                    whole => Input::Part(Box::new(whole.clone()), file.name.clone()),
                });
            }
            return None;
        }
        (!modal.should_close()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use egui_kittest::kittest::{NodeT, Queryable};

    use crate::app::testing::{harness, picture, wait};
    use crate::app::{App, Overlay};
    use crate::state::RunState;

    /// Opens an archive with two profiles, answers the question by `choose`, and gives the formats of the runs that are open then.
    fn opened(choose: &[&str]) -> Vec<String> {
        let mut app = App::headless();
        app.open_path(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/archives/two.zip"));
        let mut h = harness(app, egui::vec2(1024.0, 640.0));
        wait(&mut h, "the question", |app| matches!(app.overlay, Overlay::Members(_)));
        h.run_ok();
        picture(&mut h, "members");
        assert!(h.get_by_label("Open").accesskit_node().is_disabled(), "nothing is chosen yet");
        for label in choose {
            h.get_by(|node| {
                node.label().is_some_and(|l| l == *label || l.starts_with(&format!("{label}  (")))
            })
            .click();
            h.run_ok();
        }
        wait(&mut h, "the runs", |app| app.session.runs.iter().all(|run| run.state != RunState::Loading));
        assert!(matches!(h.state().overlay, Overlay::None));
        let runs = h.state().session.runs.iter();
        runs.filter_map(|run| Some(run.profile.as_ref()?.meta.format.clone())).collect()
    }

    #[test]
    fn an_archive_asks_which_of_its_profiles_open() {
        assert_eq!(opened(&["run/stacks.txt", "Open"]), ["folded"]);
        assert_eq!(opened(&["Choose all", "Open"]), ["folded", "chrome"]);
        assert_eq!(opened(&["Open all as one run"]).len(), 1);
        assert_eq!(opened(&["Cancel"]).len(), 0);
    }
}
