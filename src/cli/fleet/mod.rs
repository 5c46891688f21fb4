//! `inferscope fleet`: many runs as one thing.

mod add;
mod ask;
mod launch;
mod shown;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use self::add::{AddArgs, SourceArgs};
use self::ask::AskArgs;
use super::Failure;
use super::out::print_lines;
use crate::fleet::dataset::Dataset;
use crate::fleet::pack;
use crate::format;

pub(super) const EXAMPLES: &str = "\
Examples:
  inferscope fleet add traces/ --to job             read all profiles below a folder into the dataset «job»
  inferscope fleet add traces/ --to job --shard auto   this worker's share of them, under Slurm, MPI or Kubernetes
  inferscope fleet ask job --question stragglers    which rank the others wait for, since when, and why
  inferscope fleet ask ci --question regressions --fail-if 'slower>0'
  inferscope fleet pack job                         few large files instead of many small ones
  inferscope fleet run traces/ --to job --print slurm  the lines that read them on a cluster

The tables, the questions and how other programs read them: `inferscope help fleets`";

/// Arguments of `fleet`.
#[derive(Debug, Args)]
pub(super) struct FleetArgs {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, Subcommand)]
enum FleetCommand {
    /// Read profiles into a dataset: files, folders with all below them, patterns. What is there already is not read again.
    ///
    /// Example: inferscope fleet add traces/ --to job --label commit=4f1c2aa
    Add(AddArgs),
    /// Put the tables of many runs into few files. Whoever reads meanwhile sees each run once.
    ///
    /// Example: inferscope fleet pack job
    Pack {
        /// The dataset.
        dataset: PathBuf,
    },
    /// Ask about all runs of a dataset.
    Ask(AskArgs),
    /// Print the lines that read profiles on many machines or cores.
    ///
    /// Example: inferscope fleet run traces/ --to job --print slurm --shards 16
    Run {
        #[command(flatten)]
        source: SourceArgs,
        /// For whom the lines are.
        #[arg(long, value_name = "WORD")]
        print: launch::Launcher,
        /// How many workers share the files.
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
        shards: u64,
    },
}

pub(super) fn run(args: FleetArgs) -> Result<(), Failure> {
    match args.command {
        FleetCommand::Add(args) => add::run(&args),
        FleetCommand::Pack { dataset } => packed(&dataset),
        FleetCommand::Ask(args) => ask::run(&args),
        FleetCommand::Run { source, print, shards } => print_lines(&launch::lines(&source, print, shards)),
    }
}

/// A failure of the system, with the dataset's name where the system does not say it.
fn failed(dataset: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |e| {
        let (text, name) = (e.to_string(), dataset.display().to_string());
        Failure::new(if text.contains(&name) { text } else { format!("{name}: {text}") })
    }
}

fn packed(folder: &Path) -> Result<(), Failure> {
    // Else the lock would make a folder that is none into one.
    let dataset = Dataset::new(folder);
    dataset.snapshot().map_err(failed(folder))?;
    let done = pack::pack(&dataset).map_err(failed(folder))?;
    let size = |(files, bytes): (usize, u64)| {
        format!("{} ({})", format::counted(files as i64, "file", "files"), format::bytes(bytes as i64))
    };
    let runs = format::counted(done.runs as i64, "run", "runs");
    print_lines(&match done.new {
        0 => format!("{}: all {runs} are packed already: {}\n", folder.display(), size(done.after)),
        _ => format!(
            "{}: packed {runs}: {} instead of {}\n",
            folder.display(),
            size(done.after),
            size(done.before)
        ),
    })
}
