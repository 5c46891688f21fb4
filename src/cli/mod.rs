//! The same library without a window: report, render, record, export.
//!
//! Exit codes: 0 done; 1 a recording that failed; 2 a file that cannot be read or is broken, or a
//! wrong command line; 3 a file that nothing understands.

mod export;
mod out;
mod record;
mod recover;
mod render;
mod report;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::analysis::formula;
use crate::app;
use crate::import::{self, ErrorKind, Input};
use crate::jobs::Job;
use crate::model::{MetricKey, Profile};
use crate::state::Relative;
use out::print;

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
  inferscope report run.journal --follow      a recording that goes on, again and again
  inferscope render run.prof -o run.png       a picture, without a display
  inferscope record -o run.inferscope         record the default run
  inferscope record asyncio --set scale=0.1   another one, ten times as fast
  inferscope record command -- python app.py  any program, with the calls of a Python one
  inferscope recover -o run.inferscope        what a killed or unsaved recording left
  inferscope export run.pyisession -o run.speedscope.json
  inferscope formats                          what can be opened

Without a display `inferscope` records the default run and prints its report.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Open profiles in the window. The journal of a recording that goes on is shown as it grows.
    ///
    /// Example: inferscope open run.prof
    Open {
        /// The profiles.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print what is in a profile.
    ///
    /// Example: inferscope report run.prof --sort cumulative --top 20
    Report(report::ReportArgs),
    /// Draw a profile as a PNG or SVG picture, without a display.
    #[command(after_help = render::view_list())]
    Render(render::RenderArgs),
    /// Record a run of a workload.
    #[command(after_help = record::workload_list())]
    Record(record::RecordArgs),
    /// Bring back a recording whose process was killed, or that was not saved.
    ///
    /// Example: inferscope recover -o run.inferscope
    Recover(recover::RecoverArgs),
    /// Write a profile in another format.
    #[command(after_help = export::format_list())]
    Export(export::ExportArgs),
    /// List the formats that can be opened.
    ///
    /// Example: inferscope formats
    Formats,
}

/// What percentages are a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RelativeArg {
    /// Numbers only.
    None,
    /// The sum of all self costs.
    Total,
    /// What is one level up.
    Parent,
}

impl From<RelativeArg> for Relative {
    fn from(arg: RelativeArg) -> Self {
        match arg {
            RelativeArg::None => Self::Numbers,
            RelativeArg::Total => Self::Total,
            RelativeArg::Parent => Self::Parent,
        }
    }
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
        None => window(args.files),
        Some(Command::Open { files }) => window(files),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Render(args)) => render::run(&args),
        Some(Command::Record(args)) => record::run(&args),
        Some(Command::Recover(args)) => recover::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Formats) => formats(),
    };
    // What is on its way comes before the last line. Who cannot be told cannot be told that either.
    let _ = crate::record::echo::ERR.flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("inferscope: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// Opens the window. Without a display it says so and, unless files were named, records the default run.
fn window(files: Vec<PathBuf>) -> Result<(), Failure> {
    let Some(why) = app::window::no_display() else {
        return app::window::run(&app::window::Start { files }).map_err(Failure::new);
    };
    let Some(first) = files.first() else {
        eprintln!("inferscope: there is no display ({why}), so the default run is recorded here instead.");
        return record::without_display();
    };
    Err(Failure::new(format!(
        "there is no display ({why}) to show {file}: use `inferscope report {file}` or \
         `inferscope render {file} -o picture.png`",
        file = first.display()
    )))
}

/// Opens a file, or standard input for «-», or says in one line why not.
fn open(path: &Path) -> Result<Profile, Failure> {
    let input = if path == Path::new("-") { standard_input()? } else { Input::Path(path.to_owned()) };
    import::open_whole(&input, &Job::new()).map_err(|e| Failure {
        code: if e.kind == ErrorKind::Unrecognised { 3 } else { 2 },
        message: format!("{}: {e}", input.label()),
    })
}

/// All of standard input.
fn standard_input() -> Result<Input, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| Failure::new(format!("standard input cannot be read: {e}")))?;
    Ok(Input::Bytes("standard input".into(), bytes.into()))
}

/// Opens a file, or one that is attached to it.
fn open_part(path: &Path, part: Option<&str>) -> Result<Profile, Failure> {
    let whole = open(path)?;
    let Some(part) = part else { return Ok(whole) };
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let Some(file) = whole.attached.iter().find(|a| a.name == part || stem(&a.name) == part) else {
        let names: Vec<_> = whole.attached.iter().map(|a| a.name.as_str()).collect();
        let known =
            if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
        return Err(Failure::new(format!(
            "{}: nothing called «{part}» is attached; {known}",
            path.display()
        )));
    };
    let input = Input::Bytes(file.name.clone(), file.bytes.clone());
    import::open_whole(&input, &Job::new())
        .map_err(|e| Failure::new(format!("{}, attached {}: {e}", path.display(), file.name)))
}

/// The metric that `--metric` names: a key, a label, a formula, or «name = formula».
fn metric_of(profile: &Profile, name: Option<&str>, file: &Path) -> Result<MetricKey, Failure> {
    let Some(name) = name else { return Ok(formula::shown(MetricKey::default(), profile)) };
    if let Some(known) = profile.metrics.iter().find(|m| m.key == name || m.label == name) {
        return Ok(MetricKey::declared(&known.key));
    }
    formula::key(&formula::Definition::of(name), &[], profile)
        .map_err(|why| Failure::new(format!("{}: metric «{name}»: {why}", file.display())))
}

fn formats() -> Result<(), Failure> {
    let mut text =
        format!("{:<14} {:<28} {:<32} {:<22} {}\n", "ID", "FORMAT", "USUAL ENDINGS", "GIVES", "WRITTEN BY");
    for i in import::IMPORTERS {
        let endings: Vec<_> = i.extensions.iter().map(|e| format!(".{e}")).collect();
        let gives: Vec<_> = i.gives.iter().map(|g| g.word()).collect();
        let (endings, gives) = (endings.join(" "), gives.join(", "));
        text += &format!("{:<14} {:<28} {endings:<32} {gives:<22} {}\n", i.id, i.title, i.written_by);
    }
    text += "\nFiles may be packed with gzip or zstd. The content decides, not the name.\n";
    print(&text)
}
