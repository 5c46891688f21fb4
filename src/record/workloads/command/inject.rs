//! What gets into the Python processes of a command by their environment, whoever starts them (`assets/python/inferscope_inject`).
//!
//! A `sitecustomize.py` in front on `PYTHONPATH` arms our modules when the program imports what they record; the program
//! stays its own `__main__` and is not changed. A part that is off has no file there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::model::wire::journal::TRACE;
use crate::record::secrets;

/// The variable that names the folder in which processes leave what they record. Nothing else is in the environment.
const VARIABLE: &str = "INFERSCOPE_TRACE";

/// The folder in that of the run for the files below. What processes leave lies beside it.
const CODE: &str = "inject";

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/python/inferscope_inject/", $name)))
    };
}

const START: (&str, &str) = file!("sitecustomize.py");
const TASKS: &[(&str, &str)] = &[
    file!("_tasks.py"),
    file!("_records.py"),
    file!("_monitor.py"),
    file!("_steps.py"),
    file!("_rewrite.py"),
];
const STACKS: &[(&str, &str)] = &[file!("_stacks.py"), QUIET];
const TORCH: &[(&str, &str)] = &[file!("_torch.py"), QUIET];
/// Also of use for what runs around the program.
pub(super) const QUIET: (&str, &str) =
    ("_quiet.py", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/python/_quiet.py")));
const REQUESTS: &[(&str, &str)] = &[
    file!("_http.py"),
    file!("_http_aiohttp.py"),
    file!("_http_client.py"),
    file!("_http_httpx.py"),
    file!("_http_scrub.py"),
    file!("_http_urllib3.py"),
];
/// Lies beside what processes leave where texts are not to be kept.
const NO_TEXTS: &str = "no-texts";

/// Who looks at stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The recorder, from outside; interpreters that it cannot read do it themselves.
    Outside,
    /// The program's processes themselves.
    Inside,
}

/// Which parts of a program record themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    /// Asyncio's tasks and coroutines.
    pub(super) tasks: bool,
    /// Requests over HTTP.
    pub(super) requests: bool,
    /// Stacks, so many times a second.
    pub(super) stacks: Option<(u32, Reader)>,
    /// What `torch.profiler` records.
    pub(super) torch: Option<Torch>,
}

/// How `torch.profiler` runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Torch {
    /// Length of each of its traces, s; 0 for one.
    pub(super) seconds: f64,
    pub(super) shapes: bool,
    pub(super) stacks: bool,
    pub(super) memory: bool,
}

impl Torch {
    /// As `_torch.py` reads it.
    fn text(self) -> String {
        let options = [(self.shapes, " shapes"), (self.stacks, " stacks"), (self.memory, " memory")];
        let options: String = options.iter().filter(|o| o.0).map(|o| o.1).collect();
        format!("{}{options}", self.seconds)
    }
}

impl Parts {
    fn files(self) -> Vec<(&'static str, &'static str)> {
        let parts = [
            (self.tasks, TASKS),
            (self.requests, REQUESTS),
            (self.stacks.is_some(), STACKS),
            (self.torch.is_some(), TORCH),
        ];
        parts.into_iter().filter(|(on, _)| *on).flat_map(|(_, files)| files).copied().collect()
    }
}

/// The files, written for one run.
#[derive(Debug)]
pub(super) struct Inject {
    path: OsString,
    trace: PathBuf,
}

impl Inject {
    /// Writes the files for these parts into the run's folder; `None` when there are none.
    pub(super) fn prepare(run: &Path, parts: Parts) -> Result<Option<Self>, String> {
        let files = parts.files();
        if files.is_empty() {
            return Ok(None);
        }
        // The command may run elsewhere.
        let run = std::path::absolute(run).map_err(|e| e.to_string())?;
        let (code, trace) = (run.join(CODE), run.join(TRACE));
        let failed = |e: std::io::Error| format!("{}: {e}", code.display());
        fs::create_dir(&code).and_then(|()| fs::create_dir_all(&trace)).map_err(failed)?;
        for (name, text) in std::iter::once(START).chain(files) {
            fs::write(code.join(name), text).map_err(failed)?;
        }
        if let Some((hz, reader)) = parts.stacks {
            let reader = if reader == Reader::Inside { "inside" } else { "outside" };
            fs::write(code.join("stacks"), format!("{} {reader}", 1_000_000_000 / hz.max(1)))
                .map_err(failed)?;
        }
        if let Some(torch) = parts.torch {
            fs::write(code.join("torch"), torch.text()).map_err(failed)?;
        }
        if !secrets::texts() {
            fs::write(trace.join(NO_TEXTS), "").map_err(failed)?;
        }
        let known = std::env::var_os("PYTHONPATH").filter(|known| !known.is_empty());
        let known = known.iter().flat_map(std::env::split_paths);
        let path =
            std::env::join_paths(std::iter::once(code.clone()).chain(known)).map_err(|e| e.to_string())?;
        Ok(Some(Self { path, trace }))
    }

    /// What is set in the command's environment.
    pub(super) fn variables(&self) -> [(&'static str, OsString); 2] {
        [("PYTHONPATH", self.path.clone()), (VARIABLE, self.trace.clone().into())]
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::*;

    #[test]
    fn a_known_path_stays_behind_ours_and_parts_that_are_off_have_no_file() {
        let run = Folder::beside(None).unwrap();
        assert!(Inject::prepare(run.path(), Parts::default()).unwrap().is_none());
        let tasks = Parts { tasks: true, ..Parts::default() };
        let inject = Inject::prepare(run.path(), tasks).unwrap().unwrap();
        let [(_, path), (_, trace)] = inject.variables();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let known = std::env::var_os("PYTHONPATH").filter(|p| !p.is_empty());
        assert_eq!(folders[1..], known.iter().flat_map(std::env::split_paths).collect::<Vec<_>>());
        assert!(folders[0].join("sitecustomize.py").is_file() && folders[0].join("_tasks.py").is_file());
        assert!(!folders[0].join("_http.py").exists());
        assert!(Path::new(&trace).is_dir());
    }
}
