//! How files were last looked at: kept in the settings, and taken up again when a file is opened.

use std::path::{Path, PathBuf};

use super::App;
use super::project::file_of;
use crate::query::RunId;
use crate::state::{Command, Link, Look, OpenRun};
use crate::views;

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
        if let Some(link) = self.link.take() {
            return self.follow_link(run, &link);
        }
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

/// A link to what is looked at.
impl App {
    /// Looks at the file that is opened next as a link says.
    pub fn open_at(&mut self, link: Link) {
        self.link = Some(link);
    }

    /// Looks at the shown run as a link says.
    pub fn look_at(&mut self, link: &Link) {
        if let Some(run) = self.session.active {
            self.follow_link(run, link);
        }
    }

    /// Shows a run as a link says, as a step that can be undone.
    fn follow_link(&mut self, run: RunId, link: &Link) -> bool {
        let Some(run) = self.session.get_mut(run) else { return false };
        let Some(profile) = &run.profile else { return false };
        let now = link.applied_to(run.history.now(), profile);
        run.history.apply(Command::Become(Box::new(now)));
        if let Some(kind) = link.view().and_then(views::view) {
            self.panes_mut().show(kind);
        }
        true
    }

    /// The command that shows what is looked at now; `None` where the run has no file.
    pub(super) fn link_command(&mut self) -> Option<String> {
        let view = self.panes_mut().in_front().into_iter().next();
        let run = self.active()?;
        let (path, part) = file_of(run)?;
        let profile = run.profile.as_ref()?;
        let link = Link::of(run.history.now(), profile, view).text();
        let file = match part {
            Some(part) => format!("{}!{part}", path.display()),
            None => path.display().to_string(),
        };
        Some(format!("inferscope {} --at {link}", quoted(&file)))
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,\\".contains(c);
    match word.chars().all(plain) {
        true => word.to_owned(),
        false if cfg!(windows) => format!("\"{word}\""),
        false => format!("'{}'", word.replace('\'', "'\\''")),
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
        opened_at(settings, None)
    }

    fn opened_at(settings: Settings, link: Option<Link>) -> App {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles/pstats/workload-py311.prof");
        let mut app = App { settings, link, ..App::headless() };
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
    fn a_link_opens_the_same_view_of_the_file() {
        let mut app = opened(Settings::default());
        app.command(Command::Push(Transform::CollapseRecursion));
        app.command(Command::Search("iter".into()));
        let graph = views::view("graph").unwrap();
        app.panes_mut().show(graph);
        let command = app.link_command().unwrap();
        assert!(
            command.starts_with("inferscope /") && command.contains("workload-py311.prof --at 1."),
            "{command}"
        );
        let link = Link::read(command.rsplit(' ').next().unwrap()).unwrap();

        let mut other = opened_at(Settings::default(), Some(link));
        let now = other.active().unwrap().history.now().clone();
        assert_eq!((&now.scope.transforms[..], &*now.search), (&[Transform::CollapseRecursion][..], "iter"));
        assert_eq!(other.panes_mut().in_front()[0], "graph");
        assert_eq!(quoted("/a b/it's.prof"), "'/a b/it'\\''s.prof'");
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
