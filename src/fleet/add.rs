//! Reading profiles into a dataset.
//!
//! Each run is written by itself: its tables one by one, each under another name first, and its row in `runs` last. A run that
//! has that row is never read again; one that was cut off is read from its start. Two workers that read the same file write the
//! same bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::dataset::Dataset;
use super::file::Writer;
use super::frame::{Frame, Labels};
use super::rank::{self, Pattern};
use super::schema::TABLES;
use super::sources::{Found, Shard};
use super::stable::Stable;
use super::tables::{About, SpansKept, Stopped, tables};
use crate::export;
use crate::import::{self, ErrorKind, Input};
use crate::jobs::Job;

/// Version of what is read and how: another one makes other runs of the same files.
pub const INGEST: &str = "1";

/// The label that says what belongs together; without it that is the folder of the file.
pub const JOB: &str = "job";

/// How files are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a person calls the runs.
    pub labels: Labels,
    /// Which spans become rows.
    pub spans: SpansKept,
    /// How many files are read at once.
    pub jobs: usize,
    /// Which of the files are read.
    pub shard: Shard,
    /// How files' names say ranks, where the person said so.
    pub pattern: Option<Pattern>,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was read.
    Added {
        /// Bytes of its tables.
        bytes: u64,
    },
    /// No importer knows it; it lies in a folder that was named.
    Foreign,
    /// It cannot be read, and why.
    Failed(String),
}

/// What became of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Files that were read now.
    pub added: usize,
    /// Files that were there already.
    pub known: usize,
    /// Files of other workers.
    pub others: usize,
    /// Files in folders that are no profiles.
    pub foreign: usize,
    /// Files that cannot be read, and why.
    pub failed: Vec<(PathBuf, String)>,
    /// Bytes that were read.
    pub read: u64,
    /// Bytes that were written.
    pub written: u64,
}

/// Id of the run that a file is. A file that changed is another run.
#[must_use]
pub fn run_id(found: &Found) -> String {
    let modified = found.modified.unwrap_or(0).cast_unsigned();
    Stable::default().text(&found.uri).number(found.bytes).number(modified).text(INGEST).name()
}

/// Reads files into a dataset. `told` hears of each file when it is done.
///
/// # Errors
/// When the dataset cannot be written. A file that cannot be read is told, and the others are read.
pub fn add(
    files: &[Found],
    dataset: &Dataset,
    options: &Options,
    told: &mut dyn FnMut(&Found, &Outcome),
) -> io::Result<Added> {
    for table in TABLES {
        std::fs::create_dir_all(dataset.folder().join(table.name))?;
    }
    let known = dataset.snapshot()?;
    let mut all = Added::default();
    let mut todo: Vec<(&Found, String)> = Vec::new();
    for file in files {
        let run = run_id(file);
        match () {
            () if !options.shard.has(&file.uri) => all.others += 1,
            () if known.has(&run) => all.known += 1,
            () => todo.push((file, run)),
        }
    }
    let next = AtomicUsize::new(0);
    let (tell, hear) = mpsc::channel();
    let work = |tell: mpsc::Sender<(usize, io::Result<Outcome>)>| {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((file, run)) = todo.get(at) else { return };
            let result = one(file, run, dataset, options);
            if result.is_err() {
                next.store(todo.len(), Ordering::Relaxed);
            }
            if tell.send((at, result)).is_err() {
                return;
            }
        }
    };
    let mut failed = None;
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, todo.len().max(1)) {
            let tell = tell.clone();
            scope.spawn(|| work(tell));
        }
        drop(tell);
        for (at, result) in hear {
            let file = todo[at].0;
            let outcome = match result {
                Ok(outcome) => outcome,
                Err(e) => {
                    failed.get_or_insert(e);
                    continue;
                }
            };
            told(file, &outcome);
            match outcome {
                Outcome::Added { bytes } => {
                    all.added += 1;
                    all.read += file.bytes;
                    all.written += bytes;
                }
                Outcome::Foreign => all.foreign += 1,
                Outcome::Failed(why) => all.failed.push((file.path.clone(), why)),
            }
        }
    });
    all.failed.sort();
    failed.map_or(Ok(all), Err)
}

/// Reads one file. An error is one of the dataset, not of the file.
fn one(file: &Found, run: &str, dataset: &Dataset, options: &Options) -> io::Result<Outcome> {
    let input = Input::Path(file.path.clone());
    let profile = match import::open_whole(&input, &Job::new()) {
        Ok(profile) => Arc::new(profile),
        Err(e) if e.kind == ErrorKind::Unrecognised && !file.named => return Ok(Outcome::Foreign),
        Err(e) => return Ok(Outcome::Failed(e.to_string())),
    };
    let name = file.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = file.path.parent().unwrap_or(Path::new("")).to_string_lossy().into_owned();
    let about = About {
        run_id: run,
        job: options.labels.iter().find(|(key, _)| key == JOB).map_or(&folder, |(_, value)| value),
        uri: &file.uri,
        bytes: file.bytes,
        modified: file.modified,
        ingest: INGEST,
        rank: rank::rank(&profile, &name, options.pattern.as_ref()),
        labels: &options.labels,
        spans: options.spans,
    };
    let mut files = Files { dataset, run, open: None, bytes: 0 };
    match tables(&profile, &input, &about, &mut |frame| files.take(frame)) {
        Ok(()) => {}
        Err(Stopped::Unreadable(e)) => return Ok(Outcome::Failed(e.to_string())),
        Err(Stopped::Unwritten(e)) => return Err(e),
    }
    files.close()?;
    Ok(Outcome::Added { bytes: files.bytes })
}

/// The tables of a run on their way to the disk, one at a time and each whole or not at all.
struct Files<'a> {
    dataset: &'a Dataset,
    run: &'a str,
    open: Option<Writer<Vec<u8>>>,
    bytes: u64,
}

impl Files<'_> {
    /// Takes rows: those of the same table as before go to the same file.
    fn take(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.rows == 0 {
            return Ok(());
        }
        if self.open.as_ref().is_some_and(|writer| writer.table() != frame.table) {
            self.close()?;
        }
        match &mut self.open {
            Some(writer) => writer.add(frame),
            None => self.open.insert(Writer::new(frame.table, Vec::new())?).add(frame),
        }
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(writer) = self.open.take() {
            let path = self.dataset.file(writer.table(), self.run);
            let bytes = writer.finish()?;
            export::write_bytes(&bytes, &path)?;
            self.bytes += bytes.len() as u64;
        }
        Ok(())
    }
}
