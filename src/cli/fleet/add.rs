//! `fleet add`: reading profiles into a dataset.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::Failure;
use super::super::out::{ProgressLine, print, say};
use super::failed;
use crate::fleet::add::{Added, Options, Outcome, add};
use crate::fleet::ask::Chosen;
use crate::fleet::ask::slowest::jobs;
use crate::fleet::dataset::Dataset;
use crate::fleet::labels::{self, Label};
use crate::fleet::rank::Pattern;
use crate::fleet::sources::{Shard, find};
use crate::fleet::tables::SpansKept;
use crate::format::{self, Page};

/// Which spans are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SpansArg {
    /// All of them: 5 to 10 bytes each.
    All,
    /// Those on streams of GPUs.
    Gpu,
    /// None.
    None,
}

impl From<SpansArg> for SpansKept {
    fn from(arg: SpansArg) -> Self {
        match arg {
            SpansArg::All => Self::All,
            SpansArg::Gpu => Self::Gpu,
            SpansArg::None => Self::None,
        }
    }
}

/// What is read, and into what.
#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// Profiles, folders with all below them, or patterns with * and ?.
    #[arg(required = true)]
    pub(super) sources: Vec<PathBuf>,
    /// The dataset: a folder, made when it is not there.
    #[arg(long = "to", value_name = "DATASET")]
    pub(super) dataset: PathBuf,
    /// A label of all runs, such as commit=4f1c2aa; `job` says what belongs together [default: the folder of a file].
    /// In a job of CI, auto takes commit, branch and build from its variables.
    #[arg(long = "label", value_name = "NAME=VALUE|auto", value_parser = Label::parse)]
    pub(super) labels: Vec<Label>,
    /// Which spans are kept beside the sums.
    #[arg(long, value_name = "WHICH", default_value = "all")]
    pub(super) spans: SpansArg,
    /// How many files are read at once [default: as many as there are cores].
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<usize>,
    /// Where the rank stands in names of files, such as worker-{rank}.json [default: as the file says, else «rank»
    /// and a number].
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::parse)]
    pub(super) rank_pattern: Option<Pattern>,
}

/// Arguments of `fleet add`.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Read this share of the files only: i/n, counted from 0, or auto by the variables of Slurm, MPI and Kubernetes.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn shard(text: &str) -> Result<Shard, String> {
    Shard::parse(text, variable)
}

pub(super) fn run(args: &AddArgs) -> Result<(), Failure> {
    let source = &args.source;
    let files = find(&source.sources).map_err(|e| Failure::new(e.to_string()))?;
    let dataset = Dataset::new(&source.dataset);
    let labels = labels::all(&source.labels, variable).map_err(Failure::new)?;
    let shard = args.shard.unwrap_or_default();
    let options = Options {
        labels,
        spans: source.spans.into(),
        jobs: source
            .jobs
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
        shard,
        pattern: source.rank_pattern.clone(),
    };
    let mut line = ProgressLine::default();
    let mut done = 0usize;
    let added = add(&files, &dataset, &options, &mut |file, outcome| {
        done += 1;
        match outcome {
            Outcome::Failed(why) => say(format_args!("inferscope: {}: {why}", file.path.display())),
            _ => line.show(&format!("{done} of {} read", files.len()), "reading"),
        }
    });
    let added = added.map_err(failed(&source.dataset))?;
    if done > 0 {
        line.end(&format!("{done} of {} read", files.len()));
    }
    print(&summary(&added, &dataset, shard)?)?;
    match added.failed.len() {
        0 => Ok(()),
        n => Err(Failure::new(format!(
            "{} could not be read; the others are in {}",
            format::counted(n as i64, "file", "files"),
            source.dataset.display()
        ))),
    }
}

/// What was read, and which ranks are missing.
fn summary(added: &Added, dataset: &Dataset, shard: Shard) -> Result<Page, Failure> {
    let mut page = Page::default();
    let counted = |n: usize, one: &str, more: &str| format::counted(n as i64, one, more);
    let mut parts = vec![format!("added {}", counted(added.added, "run", "runs"))];
    if added.known > 0 {
        parts.push(format!("{} there already", counted(added.known, "is", "are")));
    }
    if added.others > 0 {
        parts.push(format!("{} to other workers", counted(added.others, "belongs", "belong")));
    }
    if added.foreign > 0 {
        parts.push(format!("{} no profile", counted(added.foreign, "is", "are")));
    }
    let sizes = match added.added {
        0 => String::new(),
        _ => format!(
            ": {} of files as {}",
            format::bytes(added.read as i64),
            format::bytes(added.written as i64)
        ),
    };
    page.line(format_args!("{}: {}{sizes}", dataset.folder().display(), parts.join(", ")));
    // A share of the files lacks what others read.
    if shard.count == 1 {
        let found =
            dataset.read(|snapshot| jobs(snapshot, &Chosen::default())).map_err(failed(dataset.folder()))?;
        for job in found.rows.iter().filter(|job| job.job.is_ranked()) {
            page.line(super::shown::job_line(job));
            super::shown::about_ranks(&job.job).iter().for_each(|gap| page.line(format_args!("  {gap}")));
        }
    }
    Ok(page)
}
