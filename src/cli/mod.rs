//! The same library without a window: report, render, record, export.
//!
//! Exit codes: 0 done; 1 a recording that failed; 2 a file that cannot be read or is broken, or a
//! wrong command line; 3 a file that nothing understands.

mod report;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::import::{self, ErrorKind, Input};
use crate::jobs::Job;
use crate::model::Profile;

#[derive(Debug, Parser)]
#[command(
    name = "inferscope",
    version,
    about = "A profile viewer for people who build LLM applications",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true
)]
struct Args {
    /// Profiles to open in the window.
    files: Vec<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  inferscope                                  open the window
  inferscope run.prof trace.json.gz           open two profiles
  inferscope report run.prof --sort cumulative --top 20
  inferscope report trace.json --json         the same numbers for programs
  inferscope formats                          what can be opened";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what is in a profile.
    ///
    /// Example: inferscope report run.prof --sort cumulative --top 20
    Report(report::ReportArgs),
    /// List the formats that can be opened.
    ///
    /// Example: inferscope formats
    Formats,
}

/// A failed command: what to print and the exit code.
#[derive(Debug)]
struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        None => Ok(()),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Formats) => formats(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("inferscope: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// Opens a file, or says in one line why not.
fn open(path: &std::path::Path) -> Result<Profile, Failure> {
    let input = Input::Path(path.to_owned());
    import::open(&input, &Job::new(), &mut |_| ()).map_err(|e| Failure {
        code: if e.kind == ErrorKind::Unrecognised { 3 } else { 2 },
        message: format!("{}: {e}", input.label()),
    })
}

/// Writes to standard output; a closed pipe is not an error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write: {e}")))
        }
        _ => Ok(()),
    }
}

fn formats() -> Result<(), Failure> {
    let mut text = format!("{:<15} {:<22} {:<30} {}\n", "ID", "FORMAT", "USUAL ENDINGS", "WRITTEN BY");
    for i in import::IMPORTERS {
        let endings: Vec<_> = i.extensions().iter().map(|e| format!(".{e}")).collect();
        text += &format!("{:<15} {:<22} {:<30} {}\n", i.id(), i.title(), endings.join(" "), i.written_by());
    }
    text += "\nFiles may be packed with gzip or zstd. The content decides, not the name.\n";
    print(&text)
}
