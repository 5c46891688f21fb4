//! How files were last looked at: kept in the settings, and taken up again when a file is opened.

use std::path::{Path, PathBuf};

use super::App;
use super::project::file_of;
use crate::query::RunId;
use crate::state::{Command, Look, OpenRun};

/// Most files whose look is kept.
const KEPT: usize = 50;

/// The file of a run on the disk, if it is all of one.
fn file(run: &OpenRun) -> Option<PathBuf> {
    file_of(run).filter(|(_, part)| part.is_none()).map(|(path, _)| path)
}

impl App {
    /// Notes how all open files are looked at.
    pub(super) fn keep_looks(&mut self) {
        let looks: Vec<_> = self.session.runs.iter().filter_map(look).collect();
        for (file, look) in looks {
            self.keep_look(&file, look);
        }
    }

    /// Notes how a run that is about to be closed is looked at.
    pub(super) fn keep_look_of(&mut self, run: RunId) {
        if let Some((file, look)) = self.session.get(run).and_then(look) {
            self.keep_look(&file, look);
        }
    }

    fn keep_look(&mut self, file: &Path, look: Look) {
        let looks = &mut self.settings.looks;
        looks.retain(|(f, _)| f != file);
        if look != Look::default() {
            looks.insert(0, (file.to_owned(), look));
            looks.truncate(KEPT);
        }
    }

    /// Looks at a file that was just opened as it was looked at before, as a step that can be undone; false when
    /// there is nothing to take up, or when the person has done something with it already.
    pub(super) fn take_up_look(&mut self, run: RunId) -> bool {
        let of_project = self.look_of_project(run);
        let Some(run) = self.session.get_mut(run).filter(|run| !run.history.can_undo()) else { return false };
        let Some(profile) = &run.profile else { return false };
        let kept = || {
            let file = file(run)?;
            Some(self.settings.looks.iter().find(|(f, _)| *f == file)?.1.clone())
        };
        let Some(look) = of_project.or_else(kept) else { return false };
        let now = look.applied_to(run.history.now(), profile);
        run.history.apply(Command::Become(Box::new(now)))
    }
}

fn look(run: &OpenRun) -> Option<(PathBuf, Look)> {
    Some((file(run)?, Look::of(run.history.now(), run.profile.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Transform;
    use crate::app::Settings;
    use crate::state::RunState;

    /// Opens the sample as a person would, in an application that starts with `settings`.
    fn opened(settings: Settings) -> App {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles/pstats/workload-py311.prof");
        let mut app = App { settings, ..App::headless() };
        app.open_path(&sample);
        let (ctx, begun) = (egui::Context::default(), std::time::Instant::now());
        while app.active().is_none_or(|r| r.state != RunState::Ready) {
            assert!(begun.elapsed() < std::time::Duration::from_secs(60));
            std::thread::sleep(std::time::Duration::from_millis(5));
            app.logic(&ctx);
        }
        app
    }

    #[test]
    fn a_file_opens_as_it_was_left_and_one_step_back_shows_all_of_it() {
        let mut app = opened(Settings::default());
        assert!(!app.active().unwrap().history.can_undo());
        app.command(Command::Push(Transform::CollapseRecursion));
        app.command(Command::Search("gone".into()));
        app.keep_looks();
        let settings = serde_json::from_str(&serde_json::to_string(&app.settings).unwrap()).unwrap();

        let mut app = opened(settings);
        let now = app.active().unwrap().history.now();
        assert_eq!((&now.scope.transforms[..], &*now.search), (&[Transform::CollapseRecursion][..], ""));
        app.undo();
        assert!(app.active().unwrap().history.now().scope.transforms.is_empty());
        app.keep_looks();
        assert_eq!(app.settings.looks, [], "all of it is nothing to remember");
    }
}
