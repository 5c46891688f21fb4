//! Spans that Python processes of the command mark by `inferscope_profiler` (`assets/python`): a Chrome trace for each
//! process, which it finds a folder for in its environment.

use std::path::{Path, PathBuf};

use super::python;
use crate::format;
use crate::model::{Attachment, FactKind};
use crate::record::context::Context;

/// The variable that names the folder.
pub(super) const VARIABLE: &str = "INFERSCOPE_SPANS";

/// Processes whose spans are read, and how long a file of one may be.
const MOST_FILES: usize = 256;
const LONGEST_FILE: u64 = 256 << 20;

/// Adds the spans that lie in `folder` to the run, on its clock. Beside a call profile (`profiled`), whose numbers they are
/// not, they are files of their own.
pub(super) fn collect(folder: &Path, profiled: bool, cx: &Context) {
    let mut files = files(folder);
    if files.is_empty() {
        return;
    }
    if files.len() > MOST_FILES {
        let text = format!("{} of {} processes", files.len() - MOST_FILES, files.len());
        cx.warn("spans of some Python processes were left out", &text);
        files.truncate(MOST_FILES);
    }
    let (mut spans, mut names) = (0, Vec::new());
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match read(file) {
            Ok((bytes, profile)) => {
                spans += profile.tracks.iter().map(|t| t.spans.rows.len()).sum::<usize>();
                if profiled {
                    cx.keep_file(Attachment { name: name.clone(), bytes: bytes.into() });
                } else {
                    cx.attach(profile);
                }
                names.push(name);
            }
            Err(why) => cx.warn("spans of a Python process could not be read", &format!("{name}: {why}")),
        }
    }
    let attached = if profiled { format!(" (attached as {})", names.join(", ")) } else { String::new() };
    let count = format::count(i64::try_from(spans).unwrap_or(i64::MAX));
    cx.fact(FactKind::Result, "Spans of the program", format!("{count}{attached}"));
}

/// The files of the processes, in order of their ids.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let id = |path: &Path| -> Option<u32> {
        path.file_name()?.to_str()?.strip_prefix("spans-")?.strip_suffix(".json")?.parse().ok()
    };
    let mut found: Vec<(u32, PathBuf)> = entries.filter_map(|path| Some((id(&path)?, path))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, path)| path).collect()
}

fn read(file: &Path) -> Result<(Vec<u8>, crate::model::Profile), String> {
    let length = std::fs::metadata(file).map_err(|e| e.to_string())?.len();
    if length > LONGEST_FILE {
        return Err(format!("{} are too many", format::bytes(i64::try_from(length).unwrap_or(i64::MAX))));
    }
    let bytes = std::fs::read(file).map_err(|e| e.to_string())?;
    Ok((bytes, python::read(file)?))
}
