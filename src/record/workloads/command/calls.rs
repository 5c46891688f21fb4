//! Requests over HTTP that Python processes of the command wrote down (`assets/python/inferscope_inject/_http.py`).

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::import::http::{self, Beside, Calls};
use crate::record::calls::{HttpCalls, Moment};
use crate::record::context::Context;

/// Processes whose requests are read.
const MOST_FILES: usize = 1024;

/// Hands over what lies in `folder` and what is `kept` in memory; `moment` is one before all of it. Requests to the address `ours` are
/// left out.
pub(in super::super) fn collect(
    folder: &Path,
    kept: Vec<Calls>,
    moment: Moment,
    (beside, ours): (Beside, Option<&str>),
    cx: &Context,
) {
    let mut names = files(folder);
    if names.len() > MOST_FILES {
        let text = format!("{} of {} processes", names.len() - MOST_FILES, names.len());
        cx.warn("HTTP requests of some processes were left out", &text);
        names.truncate(MOST_FILES);
    }
    let mut files = kept;
    for name in &names {
        match read(name) {
            Ok(calls) => files.push(calls),
            Err(why) => {
                let name = name.file_name().unwrap_or_default().to_string_lossy();
                cx.warn("HTTP requests of a process could not be read", &format!("{name}: {why}"));
            }
        }
    }
    // What an exporter sends to our own receiver is no work of the program.
    if let Some(ours) = ours {
        files.iter_mut().for_each(|calls| calls.leave_out(ours));
    }
    files.retain(|calls| ours.is_none() || !calls.is_empty());
    if !files.is_empty() {
        cx.keep_calls(HttpCalls { files, moment, beside });
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == http::EXTENSION)).collect();
    found.sort_unstable();
    found
}

fn read(file: &Path) -> Result<Calls, String> {
    let file = File::open(file).map_err(|e| e.to_string())?;
    http::read(&mut BufReader::with_capacity(1 << 18, file)).map_err(|e| e.to_string())
}
