//! `inferscope recover`: list and bring back recordings that were not saved: their process was killed, or nobody read its
//! report.

use std::fmt::Display;
use std::path::PathBuf;

use clap::Args;

use super::out::{print, print_lines, say};
use super::{Failure, named, open, record};
use crate::export::{self, Inputs};
use crate::format::{self, LONGEST_NAME, Page, short};
use crate::record::journal::{self, Unsaved};
use crate::remote::{Journals, Listed, Target, Trouble};

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
    /// The journals on another machine (as `record --on` names it), which stay there.
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["journal", "keep"], allow_hyphen_values = true)]
    on: Option<String>,
    /// With --on: remove the journal there, once its session is written when -o names one.
    #[arg(long, requires = "on")]
    remove: bool,
}

pub(super) fn run(args: &RecoverArgs) -> Result<(), Failure> {
    if let Some(on) = &args.on {
        return elsewhere(args, on);
    }
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
        let how = if i.ended { "not saved" } else { "interrupted" };
        row(&mut page, (i.began_unix_ns, how, &i.title, i.bytes), &i.path.display());
    }
    page.gap();
    page.line("`inferscope recover -o run.inferscope` brings back the first one.");
    print(&page)
}

fn row(page: &mut Page, (began, how, title, bytes): (Option<i64>, &str, &str, u64), name: &dyn Display) {
    let when = began.map(format::utc).unwrap_or_default();
    let (title, size) = (short(title, LONGEST_NAME), format::bytes(i64::try_from(bytes).unwrap_or(i64::MAX)));
    page.line(format_args!("{when}  {how}  {title}  {size}  {name}"));
}

/// Lists, brings and removes journals on another machine.
fn elsewhere(args: &RecoverArgs, on: &str) -> Result<(), Failure> {
    let said = |trouble: Trouble| Failure::new(trouble.to_string());
    let target = Target::parse(on).map_err(Failure::new)?;
    if let Some(output) = &args.output {
        named(output)?;
        export::can_write(output).map_err(|e| Failure::new(format!("{}: {e}", output.display())))?;
    }
    let mut there = Journals::on(&target).map_err(said)?;
    let found = there.list().map_err(said)?;
    if args.output.is_none() && !args.remove {
        return list_there(&found, &target);
    }
    let asked = args.file.as_ref().map(|file| file.to_string_lossy().into_owned());
    let journal = match asked {
        Some(name) => name,
        None if args.output.is_none() => {
            return Err(Failure::new(
                "name the journal to remove: inferscope recover --on TARGET FILE --remove",
            ));
        }
        None => match found.iter().find(|i| !i.living) {
            Some(newest) => newest.journal.clone(),
            None => {
                return Err(Failure::new(format!("{target}: no recording was interrupted or left unsaved")));
            }
        },
    };
    if let Some(output) = &args.output {
        let profile = there.bring(&journal).map_err(said)?;
        record::save(&profile, None, output)?;
        say(format_args!("Brought {journal} of {target} to {}", output.display()));
    }
    if args.remove {
        there.remove(&journal).map_err(said)?;
        say(format_args!("Removed {journal} of {target}"));
    }
    Ok(())
}

fn list_there(found: &[Listed], target: &Target) -> Result<(), Failure> {
    if found.is_empty() {
        return print_lines(&format!("{target}: no recording runs, was interrupted or left unsaved."));
    }
    let mut page = Page::default();
    for i in found {
        let how = match (i.living, i.ended) {
            (true, _) => "still recording",
            (false, true) => "not saved",
            (false, false) => "interrupted",
        };
        row(&mut page, (i.began_unix_ns, how, &i.title, i.bytes), &i.journal);
    }
    page.gap();
    page.line(format_args!(
        "`inferscope recover --on {} FILE -o run.inferscope` brings one, --remove removes it there.",
        target.quoted()
    ));
    print(&page)
}
