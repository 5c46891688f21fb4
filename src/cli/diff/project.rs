//! What a comparison takes from a project: which runs, what was written about them, how functions are matched.

use std::path::{Path, PathBuf};

use super::super::out::say;
use super::{Failure, Opened, Written};
use crate::app::read_project;
use crate::state::project::{is_inside, resolved};
use crate::state::{Decision, Project, ProjectRun};

/// A project and where it lies.
pub(super) struct OfProject {
    path: PathBuf,
    folder: PathBuf,
    pub(super) project: Project,
}

impl OfProject {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |why: String| Failure::new(format!("{}: {why}", path.display()));
        let project = read_project(path).map_err(failed)?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { path: path.to_owned(), folder, project })
    }

    fn file(&self, run: &ProjectRun) -> PathBuf {
        resolved(&self.folder, &run.file)
    }

    /// Its baseline, and the run that it shows; of two runs the other one. A run that is one of several of one thing stands for all of
    /// them, as in the window. What is not there is named and left out, and so is what lies outside the project's folder.
    pub(super) fn runs(&self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
        let failed = |why: &str| Failure::new(format!("{}: {why}", self.path.display()));
        let (runs, hint) = (&self.project.runs, "name BASE and HEAD");
        let base = self.project.baseline.filter(|&i| i < runs.len());
        let base = base.ok_or_else(|| failed(&format!("it has no baseline: set one, or {hint}")))?;
        if runs[base].as_baseline.is_some_and(|mark| mark.hidden) {
            return Err(failed(&format!("its baseline is hidden: show it, or {hint}")));
        }
        let other = || (runs.len() == 2).then_some(1 - base.min(1));
        let head = self.project.shown.filter(|&i| i != base && i < runs.len()).or_else(other);
        let head = head.ok_or_else(|| failed(&format!("it shows no run beside its baseline: {hint}")))?;
        let side = |at: usize| {
            let of_one =
                |i: usize| i == at || !runs[at].series.is_empty() && runs[i].series == runs[at].series;
            let mut files = Vec::new();
            for run in (0..runs.len()).filter(|&i| of_one(i)).map(|i| &runs[i]) {
                let file = self.file(run);
                match (is_inside(&self.folder, &file), file.exists()) {
                    (false, _) => {
                        say(format_args!(
                            "{} lies outside the project's folder and is left out: {hint}",
                            run.file
                        ));
                    }
                    (_, false) => say(format_args!("{} is missing and left out", run.file)),
                    _ => files.push(file),
                }
            }
            match files.is_empty() {
                true => Err(failed(&format!("{} cannot be compared: {hint}", runs[at].file))),
                false => Ok(files),
            }
        };
        Ok((side(base)?, side(head)?))
    }

    /// What was written about all of it, and about the runs that are compared.
    pub(super) fn notes(&self, sides: [&[Opened]; 2]) -> Vec<Written> {
        let of_all =
            Written { about: String::new(), decision: Decision::Open, text: self.project.notes.clone() };
        let same = |a: &Path, b: &Path| {
            a == b || a.canonicalize().ok().is_some_and(|a| Some(a) == b.canonicalize().ok())
        };
        let runs = sides.into_iter().flatten().filter_map(|opened| {
            let run = self.project.runs.iter().find(|run| same(&self.file(run), &opened.path))?;
            let name = if run.name.is_empty() { &run.file } else { &run.name };
            Some(Written { about: name.clone(), decision: run.decision, text: run.note.clone() })
        });
        let said = |w: &Written| !w.text.trim().is_empty() || w.decision != Decision::Open;
        std::iter::once(of_all).chain(runs).filter(said).collect()
    }
}
