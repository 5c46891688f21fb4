//! What a comparison takes from a project: which runs, what was written about them, how functions are matched.

use std::path::{Path, PathBuf};

use super::{Failure, Opened, Written};
use crate::app::read_project;
use crate::state::project::resolved;
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

    /// Its baseline, and the run that it shows; of two runs the other one.
    pub(super) fn runs(&self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
        let failed = |why: &str| Failure::new(format!("{}: {why}", self.path.display()));
        let base = self.project.baseline.filter(|&i| i < self.project.runs.len());
        let base = base.ok_or_else(|| failed("it has no baseline: set one, or name BASE and HEAD"))?;
        let other = || (self.project.runs.len() == 2).then_some(1 - base.min(1));
        let head = self.project.shown.filter(|&i| i != base).or_else(other);
        let head = head.and_then(|i| self.project.runs.get(i));
        let head = head.ok_or_else(|| failed("it shows no run beside its baseline: name BASE and HEAD"))?;
        Ok((vec![self.file(&self.project.runs[base])], vec![self.file(head)]))
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
