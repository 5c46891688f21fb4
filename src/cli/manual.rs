//! `inferscope man`: the manual pages, made of the help texts.

use std::path::PathBuf;

use clap::{Args, Command};

use super::Failure;
use super::out::print_lines;
use crate::export;

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The folder for the pages: inferscope.1 and one for each command.
    folder: PathBuf,
}

pub(super) fn run(args: &ManArgs, mut program: Command) -> Result<(), Failure> {
    let failed = |path: &PathBuf, e: std::io::Error| Failure::new(format!("{}: {e}", path.display()));
    std::fs::create_dir_all(&args.folder).map_err(|e| failed(&args.folder, e))?;
    let mut pages = 0;
    program.build();
    let mut todo = vec![program];
    while let Some(command) = todo.pop() {
        todo.extend(command.get_subcommands().map(|sub| sub.clone().version(env!("CARGO_PKG_VERSION"))));
        // As `man inferscope report` and `man inferscope-report` look for it.
        let path =
            args.folder.join(format!("{}.1", command.get_display_name().unwrap_or(command.get_name())));
        let mut page = Vec::new();
        let drawn = clap_mangen::Man::new(command).render(&mut page);
        drawn.and_then(|()| export::write_bytes(&page, &path)).map_err(|e| failed(&path, e))?;
        pages += 1;
    }
    print_lines(&format!("Wrote {pages} pages to {}\n", args.folder.display()))
}
