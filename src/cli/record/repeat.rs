//! `record --repeat N`: the same recording several times, so that a comparison can tell a change from noise.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::Failure;
use super::super::out::{print_lines, say};
use super::{RecordArgs, once, print_json, was_interrupted, writable};
use crate::analysis::diff::evidence::elapsed_of;
use crate::record::echo;

/// Records `args.repeat` times into `stem-1.ext` … and prints how long the runs took.
pub(super) fn run(args: &RecordArgs, output: &Path) -> Result<(), Failure> {
    let files: Vec<PathBuf> = (1..=args.repeat).map(|n| numbered(output, n)).collect();
    // Nothing is recorded that cannot be saved.
    for path in &files {
        writable(args, path)?;
    }
    let mut elapsed = Vec::new();
    let mut runs = Vec::new();
    if args.how.json {
        echo::OUT.divert_to(&echo::ERR);
    }
    for path in &files {
        let recorded = once(args, None)?;
        recorded.save(path, args.how.sources)?;
        say(format_args!("Saved {}", path.display()));
        recorded.settle(args, false);
        if args.how.json {
            runs.push(recorded.json(Some(path))?);
        }
        elapsed.extend(recorded.profile.meta.duration.map(|ns| ns as f64));
        recorded.outcome()?;
        if was_interrupted() {
            return Err(Failure::new("stopped by the user"));
        }
    }
    if args.how.json {
        return print_json(&json!({ "runs": runs }));
    }
    if args.how.quiet {
        return Ok(());
    }
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    print_lines(&format!(
        "{}\nCompare with other runs: inferscope diff --base {} --head …\n",
        elapsed_of(files.len(), &elapsed),
        names.join(",")
    ))
}

/// `run.inferscope` → `run-2.inferscope`.
fn numbered(path: &Path, n: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{n}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{n}"),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_before_the_ending() {
        let at = |path: &str| numbered(Path::new(path), 2).display().to_string();
        assert_eq!(at("a/run.inferscope"), "a/run-2.inferscope");
        assert_eq!((at("run"), at("v1.2/run")), ("run-2".into(), "v1.2/run-2".into()));
    }
}
