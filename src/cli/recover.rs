//! `inferscope recover`: list and bring back recordings that were not saved: their process was killed, or nobody read its
//! report.

use std::path::PathBuf;

use clap::Args;

use super::out::{print, print_lines, say};
use super::{Failure, named, open, record};
use crate::export::Inputs;
use crate::format::{self, LONGEST_NAME, Page, short};
use crate::record::journal::{self, Unsaved};

/// Arguments of `recover`.
#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    /// The journal; the newest unsaved recording when none is named.
    file: Option<PathBuf>,
    /// The session file to write. Without it the unsaved recordings are listed.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The folder with the journals, when it is not the usual one.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Keep the journal after its session was written.
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(args: &RecoverArgs) -> Result<(), Failure> {
    let folder = args.journal.clone().or_else(journal::folder);
    let found = folder.as_deref().map(journal::unsaved).unwrap_or_default();
    let Some(output) = &args.output else {
        return match &args.file {
            Some(file) => Err(Failure::new(format!(
                "name the session to write: inferscope recover {} -o run.inferscope",
                file.display()
            ))),
            None => list(&found),
        };
    };
    let file = args.file.clone().or_else(|| found.first().map(|i| i.path.clone()));
    let Some(file) = file else {
        return Err(Failure::new("no recording was interrupted or left unsaved"));
    };
    named(output)?;
    let inputs = Inputs::files([file.clone()]);
    inputs.refuse(output).map_err(|e| Failure::new(format!("{}: {e}", output.display())))?;
    let profile = open(&file)?;
    record::save(&profile, None, output)?;
    say(format_args!("Recovered {} to {}", file.display(), output.display()));
    if journal::is_awaited(&file) {
        say(
            "Kept the journal, too: the recorded program still runs, and leaves its call profile there when it ends",
        );
    } else if !args.keep {
        journal::remove(&file).map_err(|e| Failure::new(format!("{}: {e}", file.display())))?;
    }
    Ok(())
}

fn list(found: &[Unsaved]) -> Result<(), Failure> {
    if found.is_empty() {
        return print_lines("No recording was interrupted or left unsaved.");
    }
    let mut page = Page::default();
    for i in found {
        let when = i.began_unix_ns.map(format::utc).unwrap_or_default();
        let how = if i.ended { "not saved" } else { "interrupted" };
        let (title, size) = (short(&i.title, LONGEST_NAME), format::bytes(i.bytes as i64));
        page.line(format_args!("{when}  {how}  {title}  {size}  {}", i.path.display()));
    }
    page.gap();
    page.line("`inferscope recover -o run.inferscope` brings back the first one.");
    print(&page)
}
