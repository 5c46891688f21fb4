//! The project that is open: its file, its runs that have no tab, and what is not saved yet.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::action::Action;
use super::event::{Event, Purpose};
use super::layouts::Layouts;
use super::{App, dialog};
use crate::analysis::prices::TypedPrice;
use crate::export;
use crate::format;
use crate::import::Input;
use crate::jobs;
use crate::model::Profile;
use crate::query::RunId;
use crate::state::project::{self, EXTENSION, MOST_BYTES};
use crate::state::{Decision, Look, OpenRun, Origin, Project, ProjectRun, RunState};
use crate::ui::theme::Tone;

/// Why a run of the project has no tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Away {
    /// Its tab was closed.
    Closed,
    /// The file is not there.
    Missing,
    /// The file lies outside the project's folder, so the person decides.
    Outside,
}

impl Away {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Missing => "missing: there is no such file",
            Self::Outside => "outside the project's folder, so it was not opened by itself",
        }
    }
}

/// A run of the project without a tab.
pub(super) struct AwayRun {
    /// What the project says of it.
    pub run: ProjectRun,
    /// Why it has no tab.
    pub why: Away,
    /// Its place among the runs of the project.
    place: usize,
    /// True when others were compared with it, and will be once it is open again.
    baseline: bool,
}

/// What stands at a place of the project.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// A run with a tab.
    Open(RunId),
    /// One without, by its place among those.
    Away(usize),
}

/// What the window knows about its project.
#[derive(Default)]
pub(super) struct Current {
    /// Its file, once it has one.
    pub path: Option<PathBuf>,
    /// What the person wrote about all of it.
    pub notes: String,
    /// Runs without a tab.
    pub away: Vec<AwayRun>,
    /// What models cost, as the person typed it for this project.
    pub prices: Vec<TypedPrice>,
    /// What another version wrote into the file.
    rest: Map<String, Value>,
    /// The contents of the file, which are a reason to save when they change.
    saved: Option<Project>,
    /// Looks that runs get once they are open.
    looks: Vec<(RunId, Look)>,
}

impl Current {
    /// The folder that names in it are relative to.
    fn folder(&self) -> Option<&Path> {
        self.path.as_deref().and_then(Path::parent)
    }
}

/// The file of a run, and the part of it that the run is.
pub(super) fn file_of(run: &OpenRun) -> Option<(PathBuf, Option<String>)> {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    match &run.origin {
        Origin::File(Input::Path(path)) => Some((absolute(path)?, None)),
        Origin::File(Input::Part(whole, part)) => Some((absolute(whole.path()?)?, Some(part.clone()))),
        Origin::File(Input::Bytes(..) | Input::Elsewhere(_)) => None,
        Origin::Recording { saved, .. } => Some((absolute(saved.as_ref()?)?, None)),
    }
}

/// A recording that is written with the project.
struct Unsaved {
    run: RunId,
    profile: Arc<Profile>,
    path: PathBuf,
}

impl App {
    /// Reads a project and opens its runs. The project before is saved, and its runs are closed.
    pub(super) fn open_project(&mut self, path: &Path) {
        self.settings.remember(path);
        let (path, events) = (path.to_owned(), self.events.clone());
        jobs::spawn("project", move || {
            let result = read(&path).map_err(|why| format!("{}: {why}", path.display()));
            events.send(Event::Project { path, result: result.map(Box::new) });
        });
    }

    pub(super) fn project_read(&mut self, path: PathBuf, result: Result<Box<Project>, String>) {
        let project = match result {
            Ok(project) => *project,
            Err(why) => return self.say(Tone::Bad, why),
        };
        if self.project.path.is_some() {
            if let Err(why) = self.save_project_now() {
                return self
                    .say(Tone::Bad, format!("The open project could not be saved, so it stays: {why}"));
            }
            while let Some(run) = self.session.runs.first().map(|run| run.id) {
                self.session.active = Some(run);
                self.close_run();
                if self.session.runs.first().map(|run| run.id) == Some(run) {
                    return; // it said why it stays
                }
            }
        }
        let path = std::path::absolute(&path).unwrap_or(path);
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        self.project = Current {
            path: Some(path.clone()),
            notes: project.notes.clone(),
            prices: project.prices.clone(),
            rest: project.rest.clone(),
            ..Current::default()
        };
        self.session.alignment = project.alignment.clone();
        let mut ids = Vec::new();
        for (place, run) in project.runs.iter().enumerate() {
            let file = project::resolved(&folder, &run.file);
            let away = match (project::is_inside(&folder, &file), file.exists()) {
                (false, _) => Some(Away::Outside),
                (_, false) => Some(Away::Missing),
                _ => None,
            };
            if let Some(why) = away {
                let baseline = project.baseline == Some(place);
                self.project.away.push(AwayRun { run: run.clone(), why, place, baseline });
                ids.push(None);
            } else {
                ids.push(Some(self.open_run_of_project(run, &folder)));
            }
        }
        let id = |place: Option<usize>| place.and_then(|i| ids.get(i).copied().flatten());
        self.session.set_baseline(id(project.baseline));
        self.session.active = id(project.shown).or(ids.iter().copied().flatten().next());
        self.take_up_layout(project.layout.as_ref());
        let away = self.project.away.len();
        self.project.saved = Some(self.contents(&folder, &[]).1);
        if away > 0 {
            let runs = format::counted(away as i64, "run is", "runs are");
            self.say(Tone::Warning, format!("{runs} not open: «Runs and notes» names the files."));
            self.runs_shown = true;
        } else {
            self.say(Tone::Good, format!("Opened {}.", path.display()));
        }
    }

    fn open_run_of_project(&mut self, run: &ProjectRun, folder: &Path) -> RunId {
        let input = Input::Path(project::resolved(folder, &run.file));
        let id = self.open_input(match &run.part {
            Some(part) => Input::Part(Box::new(input), part.clone()),
            None => input,
        });
        if let Some(open) = self.session.get_mut(id) {
            if !run.name.is_empty() {
                open.label.clone_from(&run.name);
            }
            (open.note, open.decision) = (run.note.clone(), run.decision);
            open.series.clone_from(&run.series);
            open.as_baseline = run.as_baseline;
        }
        self.project.looks.extend(run.look.clone().map(|look| (id, look)));
        id
    }

    /// Opens a run of the project that has no tab.
    pub(super) fn open_away(&mut self, place: usize) {
        let Some(folder) = self.project.folder().map(Path::to_owned) else { return };
        if place < self.project.away.len() {
            let away = self.project.away.remove(place);
            let id = self.open_run_of_project(&away.run, &folder);
            if away.baseline && self.session.baseline().is_none() {
                self.session.set_baseline(Some(id));
            }
        }
    }

    /// The look that the project has for a run that was just opened.
    pub(super) fn look_of_project(&mut self, run: RunId) -> Option<Look> {
        let place = self.project.looks.iter().position(|(id, _)| *id == run)?;
        Some(self.project.looks.swap_remove(place).1)
    }

    fn take_up_layout(&mut self, saved: Option<&Value>) {
        if let Some(layouts) = saved.and_then(Layouts::load) {
            self.lay_out(layouts);
        }
    }

    /// A run's tab is closed: it stays in the project.
    pub(super) fn keep_in_project(&mut self, run: RunId) {
        let Some(folder) = self.project.folder() else { return };
        let Some(closed) = self.session.get(run).and_then(|run| entry(run, folder, None)) else { return };
        let place = self.contents(folder, &[]).0.iter().position(|slot| *slot == Slot::Open(run));
        let run_now = ProjectRun { look: self.look_of_run(run), ..closed };
        self.project.away.push(AwayRun {
            run: run_now,
            why: Away::Closed,
            place: place.unwrap_or(usize::MAX),
            baseline: self.session.baseline() == Some(run),
        });
    }

    /// The project as it stands now, in `folder`, without layout and looks, and what stands at each place. Runs without a tab
    /// keep theirs. Recordings that are not saved are at their planned places.
    fn contents(&self, folder: &Path, planned: &[Unsaved]) -> (Vec<Slot>, Project) {
        let of = |run: &OpenRun| {
            let planned = planned.iter().find(|p| p.run == run.id).map(|p| p.path.as_path());
            Some((Slot::Open(run.id), entry(run, folder, planned)?))
        };
        let mut all: Vec<(Slot, ProjectRun)> = self.session.runs.iter().filter_map(of).collect();
        let mut away: Vec<(usize, &AwayRun)> = self.project.away.iter().enumerate().collect();
        away.sort_by_key(|(_, away)| away.place);
        for (i, away) in away {
            let run = ProjectRun { look: None, ..away.run.clone() };
            all.insert(away.place.min(all.len()), (Slot::Away(i), run));
        }
        let (slots, runs): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let at = |slot| slots.iter().position(|s| *s == slot);
        // A baseline whose file is not there at the moment is one again when it is.
        let waits = || at(Slot::Away(self.project.away.iter().position(|away| away.baseline)?));
        let project = Project {
            notes: self.project.notes.clone(),
            runs,
            baseline: self.session.baseline().and_then(|run| at(Slot::Open(run))).or_else(waits),
            alignment: self.session.alignment.clone(),
            prices: self.project.prices.clone(),
            rest: self.project.rest.clone(),
            ..Project::default()
        };
        (slots, project)
    }

    /// The same with layout and looks, as it is written.
    fn project_now(&self, folder: &Path, planned: &[Unsaved]) -> Project {
        let (slots, contents) = self.contents(folder, planned);
        let mut project = Project {
            shown: self.session.active.and_then(|run| slots.iter().position(|s| *s == Slot::Open(run))),
            layout: self.layout(),
            ..contents
        };
        for (run, slot) in project.runs.iter_mut().zip(slots) {
            run.look = match slot {
                Slot::Open(id) => self.look_of_run(id),
                Slot::Away(i) => self.project.away[i].run.look.clone(),
            };
        }
        project
    }

    /// How a run is looked at, or will be once it is open.
    fn look_of_run(&self, run: RunId) -> Option<Look> {
        let waits = self.project.looks.iter().find(|(id, _)| *id == run).map(|(_, look)| look.clone());
        let shown = || {
            let run = self.session.get(run)?;
            Some(Look::of(run.history.now(), run.profile.as_ref()?)).filter(|look| *look != Look::default())
        };
        waits.or_else(shown)
    }

    /// True when there is something in the project, or in what would be one, that its file does not hold.
    pub(super) fn project_changed(&self) -> bool {
        let folder = self.project.folder().unwrap_or(Path::new(""));
        let now = self.contents(folder, &[]).1;
        match &self.project.saved {
            Some(saved) => *saved != now || self.unsaved_recordings().next().is_some(),
            None => {
                !now.notes.is_empty()
                    || now.runs.iter().any(|r| !r.note.is_empty() || r.decision != Decision::Open)
                    || !now.alignment.rules.is_empty()
                    || !now.alignment.by_hand.is_empty()
            }
        }
    }

    /// Recordings that are complete and in no file that somebody chose.
    fn unsaved_recordings(&self) -> impl Iterator<Item = &OpenRun> {
        let unsaved = |run: &&OpenRun| {
            let own =
                matches!(&run.origin, Origin::Recording { workload, saved: None } if !workload.is_empty());
            (own || self.journals.is_unsaved(run.id)) && run.state == RunState::Ready && run.profile.is_some()
        };
        self.session.runs.iter().filter(unsaved)
    }

    /// What a key does: with a project open that changed, the key that saves saves that.
    pub(super) fn meant(&self, action: Action) -> Action {
        let saves = action == Action::Export(0) && self.project.path.is_some() && self.project_changed();
        if saves { Action::SaveProject } else { action }
    }

    /// Saves the project to its file, or asks for one.
    pub(super) fn save_project(&mut self, elsewhere: bool) {
        match self.project.path.clone().filter(|_| !elsewhere) {
            Some(path) => self.save_project_to(path),
            None => {
                let first = self.session.runs.first().and_then(file_of);
                let folder = first.and_then(|(path, _)| path.parent().map(Path::to_owned));
                let name = format!("comparison.{EXTENSION}");
                dialog::save(Purpose::Project, &name, folder, self.events.clone());
            }
        }
    }

    /// Writes the project, and beside it the recordings that are not saved.
    pub(super) fn save_project_to(&mut self, path: PathBuf) {
        let path = match path.extension() {
            Some(_) => path,
            None => path.with_extension(EXTENSION),
        };
        let path = std::path::absolute(&path).unwrap_or(path);
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let planned = self.plan(&folder);
        // Names are relative to the new place.
        let moved = self.project.folder().filter(|old| *old != folder).map(Path::to_owned);
        if let Some(old) = moved {
            for AwayRun { run, .. } in &mut self.project.away {
                run.file = project::relative(&folder, &project::resolved(&old, &run.file));
            }
        }
        let project = self.project_now(&folder, &planned);
        let left_out = self.session.runs.len() + self.project.away.len() - project.runs.len();
        self.project.path = Some(path.clone());
        self.project.saved = Some(self.contents(&folder, &planned).1);
        self.settings.remember(&path);
        let (events, inputs) = (self.events.clone(), self.inputs(None));
        jobs::spawn("save project", move || {
            for unsaved in planned {
                let written = export::write_session(&unsaved.profile, &unsaved.path);
                let result = written.map(|()| (unsaved.path.clone(), Vec::new()));
                let result = result.map_err(|e| format!("{}: {e}", unsaved.path.display()));
                events.send(Event::Wrote { run: Some(unsaved.run), result });
            }
            let written = inputs.refuse(&path).map_err(|e| e.to_string()).and_then(|()| {
                export::write_bytes(project.written().as_bytes(), &path).map_err(|e| e.to_string())
            });
            events.send(Event::ProjectSaved {
                result: written.map_err(|e| format!("{}: {e}", path.display())),
                path,
                left_out,
            });
        });
    }

    /// Where recordings that are not saved go: beside the project, under names that are free.
    fn plan(&self, folder: &Path) -> Vec<Unsaved> {
        let mut planned: Vec<Unsaved> = Vec::new();
        for run in self.unsaved_recordings() {
            let Some(profile) = run.profile.clone() else { continue };
            let word: String =
                run.label.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(60).collect();
            let path = (1..)
                .map(|n| match n {
                    1 => folder.join(format!("{word}.inferscope")),
                    n => folder.join(format!("{word}-{n}.inferscope")),
                })
                .find(|path| !path.exists() && planned.iter().all(|p| p.path != *path));
            planned.extend(path.map(|path| Unsaved { run: run.id, profile, path }));
        }
        planned
    }

    pub(super) fn project_saved(&mut self, path: &Path, left_out: usize, result: Result<(), String>) {
        match result {
            Ok(()) if left_out > 0 => {
                let runs = format::counted(left_out as i64, "run is", "runs are");
                let text = format!(
                    "Saved {}. {runs} not in it: samples and recordings that go on have no file.",
                    path.display()
                );
                self.say(Tone::Info, text);
            }
            Ok(()) => self.say(Tone::Good, format!("Saved {}.", path.display())),
            Err(why) => {
                self.project.saved = None;
                self.say(Tone::Bad, why);
            }
        }
    }

    /// Writes a changed project that has a file; recordings keep their journals. The error is one line.
    pub(super) fn save_project_now(&mut self) -> Result<(), String> {
        let Some(path) = self.project.path.clone().filter(|_| self.project_changed()) else { return Ok(()) };
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let project = self.project_now(&folder, &[]);
        export::write_bytes(project.written().as_bytes(), &path)
            .map_err(|e| format!("{}: {e}", path.display()))
    }
}

/// A run as a project in `folder` names it, without its look; `None` without a file.
fn entry(run: &OpenRun, folder: &Path, planned: Option<&Path>) -> Option<ProjectRun> {
    let (file, part) = match planned {
        Some(path) => (path.to_owned(), None),
        None => file_of(run)?,
    };
    let usual = match &run.origin {
        Origin::File(input) => input.file_name(),
        Origin::Recording { .. } => String::new(),
    };
    let name = if run.label == usual { String::new() } else { run.label.clone() };
    Some(ProjectRun {
        file: project::relative(folder, &file),
        part,
        name,
        note: run.note.clone(),
        decision: run.decision,
        series: run.series.clone(),
        as_baseline: run.as_baseline,
        look: None,
    })
}

/// A project from a file.
///
/// # Errors
/// One line, without the file's name: it cannot be read, or is no project.
pub fn read(path: &Path) -> Result<Project, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    if !file.metadata().map_err(|e| e.to_string())?.is_file() {
        return Err("is no file".into());
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("is larger than {}, no project is", format::bytes(MOST_BYTES as i64)));
    }
    Project::parse(&bytes)
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::super::testing::{self, picture, wait};
    use super::*;

    fn harness(app: App) -> Harness<'static, App> {
        testing::harness(app, egui::vec2(1024.0, 640.0))
    }

    /// A folder of its own for a test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("inferscope-app-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn sample(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles").join(name)
    }

    fn all_ready(app: &App) -> bool {
        !app.session.runs.is_empty() && app.session.runs.iter().all(|r| r.state == RunState::Ready)
    }

    #[test]
    fn r20_a_project_keeps_names_notes_baseline_and_rules_and_opens_in_another_place() {
        let root = folder("project");
        let (here, there) = (root.join("here"), root.join("there"));
        std::fs::create_dir_all(here.join("runs")).unwrap();
        for name in ["a.prof", "b.prof"] {
            std::fs::copy(sample("pstats/workload-py311.prof"), here.join("runs").join(name)).unwrap();
        }
        let mut h = harness(App::headless());
        h.state_mut().open_path(&here.join("runs/a.prof"));
        h.state_mut().open_path(&here.join("runs/b.prof"));
        wait(&mut h, "both open", |app| app.session.runs.len() == 2 && all_ready(app));
        let [a, b] = [0, 1].map(|i| h.state().session.runs[i].id);
        h.state_mut().compare(a, b);
        h.state_mut().act(Action::Runs, &egui::Context::default());
        h.run_ok();
        for (field, text) in [
            ("Notes on b.prof", "one pass less"),
            ("Notes on the project", "make it faster"),
            ("Pattern", "_v[0-9]+$"),
        ] {
            h.get_by_label(field).focus();
            h.run_ok();
            h.get_by_label(field).type_text(text);
            h.run_ok();
        }
        picture(&mut h, "runs");
        h.get_by_label("Add rule").scroll_to_me();
        h.run_ok();
        picture(&mut h, "rules");
        h.get_by_label("Add rule").click();
        h.run_ok();
        h.state_mut().session.get_mut(b).unwrap().decision = Decision::Keep;
        h.state_mut().session.get_mut(b).unwrap().series = "faster ones".into();
        h.state_mut().session.get_mut(b).unwrap().label = "one pass".into();
        assert!(h.state().project_changed());
        let file = here.join("study.inferscope-project");
        h.state_mut().save_project_to(file.clone());
        wait(&mut h, "written", |_| file.is_file());
        h.run_ok();
        assert!(!h.state().project_changed());

        // The folder moves to another machine, and one of its runs gets lost on the way.
        std::fs::rename(&here, &there).unwrap();
        std::fs::copy(there.join("runs/a.prof"), root.join("c.prof")).unwrap();
        let file = there.join("study.inferscope-project");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("\"runs/a.prof\"") && !text.contains("inferscope-app"), "{text}");
        let more =
            "\"runs\": [ {\"file\": \"runs/lost.prof\"}, {\"file\": \"../c.prof\", \"note\": \"mine\"},";
        let text = text.replacen("\"runs\": [", more, 1).replace("\"baseline\": 0", "\"baseline\": 2");
        std::fs::write(&file, text.replace("\"shown\": 1", "\"shown\": 3")).unwrap();
        let mut h = harness(App::headless());
        h.state_mut().open_path(&file);
        wait(&mut h, "opened again", |app| app.session.runs.len() == 2 && all_ready(app));
        let app = h.state();
        let runs: Vec<_> =
            app.session.runs.iter().map(|r| (r.label.as_str(), r.note.as_str(), r.decision)).collect();
        assert_eq!(runs, [("a.prof", "", Decision::Open), ("one pass", "one pass less", Decision::Keep)]);
        assert_eq!(app.session.runs[1].series, "faster ones");
        assert_eq!(app.session.baselines().map(|r| r.label.as_str()).collect::<Vec<_>>(), ["a.prof"]);
        assert_eq!(app.project.notes, "make it faster");
        assert_eq!(app.session.alignment.rules[0].pattern, "_v[0-9]+$");
        let pair = app.session.subject().unwrap();
        assert_eq!(pair.pair().unwrap().base.id, app.session.runs[0].id);
        let away: Vec<_> = app.project.away.iter().map(|away| (away.run.file.as_str(), away.why)).collect();
        assert_eq!(away, [("runs/lost.prof", Away::Missing), ("../c.prof", Away::Outside)]);
        assert!(!app.project_changed(), "nothing was done yet");
        h.run_ok();
        picture(&mut h, "runs-away");

        // What lies outside opens when the person says so; what is closed stays in the project.
        h.state_mut().open_away(1);
        wait(&mut h, "three", |app| app.session.runs.len() == 3 && all_ready(app));
        assert_eq!(h.state().session.runs[2].note, "mine");
        h.state_mut().act(Action::CloseRun, &egui::Context::default());
        assert_eq!(h.state().project.away[1].why, Away::Closed);
        h.state_mut().end();
        let project = read(&file).unwrap();
        let mine = project.runs.iter().filter(|run| run.note == "mine").count();
        assert_eq!((project.runs.len(), mine), (4, 1));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn r20_a_baseline_that_is_missing_for_once_stays_the_baseline() {
        let root = folder("project-missing");
        for name in ["before.prof", "after.prof"] {
            std::fs::copy(sample("pstats/workload-py311.prof"), root.join(name)).unwrap();
        }
        let file = root.join("study.inferscope-project");
        let text = r#"{"inferscope_project": 1, "baseline": 0, "shown": 1,
            "runs": [{"file": "before.prof"}, {"file": "after.prof"}]}"#;
        std::fs::write(&file, text).unwrap();
        std::fs::rename(root.join("before.prof"), root.join("elsewhere.prof")).unwrap();
        let mut h = harness(App::headless());
        h.state_mut().open_path(&file);
        wait(&mut h, "the other one opens", |app| app.session.runs.len() == 1 && all_ready(app));
        assert!(!h.state().project_changed());
        h.state_mut().session.runs[0].label = "faster".into();
        h.state_mut().end();
        let saved = read(&file).unwrap();
        let files: Vec<_> = saved.runs.iter().map(|run| (run.file.as_str(), run.name.as_str())).collect();
        assert_eq!(files, [("before.prof", ""), ("after.prof", "faster")]);
        assert_eq!((saved.baseline, saved.shown), (Some(0), Some(1)));

        // The file is back, and is opened from the list.
        std::fs::rename(root.join("elsewhere.prof"), root.join("before.prof")).unwrap();
        h.state_mut().open_away(0);
        wait(&mut h, "both", |app| app.session.runs.len() == 2 && all_ready(app));
        let app = h.state();
        let baseline = app.session.baseline().and_then(|run| app.session.get(run));
        assert_eq!(baseline.map(|run| run.label.as_str()), Some("before.prof"));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_look_that_waits_for_its_run_is_not_lost_by_saving() {
        let mut app = App::headless();
        let input = Input::Path(PathBuf::from("/study/a.prof"));
        let run = app.session.add("a.prof", Origin::File(input), RunState::Loading);
        let look: Look = serde_json::from_value(serde_json::json!({ "range": [5, 9] })).unwrap();
        app.project.looks.push((run, look.clone()));
        let folder = Path::new("/study");
        assert_eq!(app.project_now(folder, &[]).runs[0].look, Some(look));
        assert_eq!(app.contents(folder, &[]).1.runs[0].look, None);
    }

    #[test]
    fn many_runs_are_read_a_few_at_a_time() {
        let mut h = harness(App::headless());
        for _ in 0..12 {
            h.state_mut().open_path(&sample("pstats/workload-py311.prof"));
            assert!(h.state().opening.len() <= 4);
        }
        let closed = h.state().session.runs[11].id;
        h.state_mut().act(Action::CloseRunOf(closed), &egui::Context::default());
        wait(&mut h, "all open", |app| app.session.runs.len() == 11 && all_ready(app));
        assert!(h.state().waiting.is_empty() && h.state().opening.is_empty());
    }

    #[test]
    fn a_recording_is_written_beside_the_project_that_holds_it() {
        let root = folder("project-recording");
        let mut app = App::headless();
        app.settings.journal = Some(root.join("journals"));
        let mut h = harness(app);
        h.state_mut().start_recording(super::super::recorder::What::here(
            "asyncio",
            vec![("scale".into(), "0.001".into())],
        ));
        wait(&mut h, "the recording ends", |app| app.active().is_some_and(|r| r.state == RunState::Ready));
        let file = root.join("study");
        h.state_mut().save_project_to(file);
        let session = |app: &App| {
            app.session.runs.iter().all(|r| match &r.origin {
                Origin::Recording { saved, .. } => saved.is_some(),
                Origin::File(_) => true,
            })
        };
        wait(&mut h, "the recording is saved", session);
        wait(&mut h, "the project is there", |_| root.join("study.inferscope-project").is_file());
        let project = read(&root.join("study.inferscope-project")).unwrap();
        assert_eq!(project.runs.len(), 1);
        assert!(root.join(&project.runs[0].file).is_file(), "{project:?}");
        std::fs::remove_dir_all(root).unwrap();
    }
}
