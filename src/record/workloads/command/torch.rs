//! Traces that `torch.profiler` wrote in the command's Python processes (`assets/python/inferscope_inject/_torch.py`).

use std::path::{Path, PathBuf};

use super::python;
use crate::format;
use crate::model::FactKind;
use crate::record::context::Context;

/// Traces that are read, and how long one may be.
const MOST_FILES: usize = 256;
const LONGEST_FILE: u64 = 1 << 30;
/// How a note begins that says for how long nothing was recorded, in seconds.
const GAP: &str = "gap ";

/// Adds the traces in `trace` to the run, each at its place in time.
pub(super) fn collect(trace: &Path, cx: &Context) {
    let mut files = files(trace, ".pt.trace.json");
    if files.len() > MOST_FILES {
        cx.warn(
            "traces of torch.profiler were left out",
            &format!("{} of {}", files.len() - MOST_FILES, files.len()),
        );
        files.truncate(MOST_FILES);
    }
    notes(trace, cx);
    let (mut read, mut spans) = (0, 0);
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failed =
            |why: &str| cx.warn("a trace of torch.profiler could not be read", &format!("{name}: {why}"));
        let length = std::fs::metadata(file).map_or(0, |m| m.len());
        if length > LONGEST_FILE {
            failed(&format!("{} are too many", format::bytes(i64::try_from(length).unwrap_or(i64::MAX))));
            continue;
        }
        cx.stage("Reading traces of torch.profiler");
        match python::read(file) {
            Ok(profile) if profile.meta.origin_unix_ns.is_none() => failed("it does not say when it was"),
            Ok(profile) => {
                read += 1;
                spans += profile.span_count();
                cx.attach(profile);
            }
            Err(why) => failed(&why),
        }
    }
    let text = match read {
        0 => "no trace: no process imported torch in its main thread, or it was killed".to_owned(),
        n => format!("{} with {} spans", format::counted(n, "trace", "traces"), format::count(spans as i64)),
    };
    cx.fact(FactKind::Result, "torch.profiler", text);
}

/// Says what processes left to be said.
fn notes(trace: &Path, cx: &Context) {
    let mut gaps = Vec::new();
    for file in files(trace, ".notes") {
        for line in std::fs::read_to_string(&file).unwrap_or_default().lines() {
            match line.strip_prefix(GAP).and_then(|seconds| seconds.parse::<f64>().ok()) {
                Some(seconds) => gaps.push(seconds),
                None => cx.warn(line, ""),
            }
        }
    }
    if !gaps.is_empty() {
        let all: f64 = gaps.iter().sum();
        let text = format!(
            "{} while traces were written, {} together",
            format::counted(gaps.len() as i64, "gap", "gaps"),
            format::duration((all * 1e9) as i64)
        );
        cx.fact(FactKind::Result, "Not recorded by torch.profiler", text);
    }
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("torch-") && name.ends_with(ending)
    };
    let mut found: Vec<PathBuf> = entries.filter(is_one).collect();
    found.sort_unstable();
    found
}
