//! A dataset is a folder: a folder for each table, in it a file for each run, and, after packing, files for many runs.
//!
//! Readers decide by two things what counts. `packed.json` names the generation of packed files that is whole; packed files
//! of any other generation are on their way in or out. And a run is there when `runs` has its row; a run that is in the
//! packed file does not count once more by its own. So whatever is written or removed meanwhile, a reader sees each run once
//! or not yet; what it finds removed, it looks for again.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustc_hash::FxHashSet;

use super::file::{Only, Reader};
use super::frame::Frame;
use super::schema::{RUNS, Table};
use crate::jobs::Job;

/// Names the packed files that count.
pub(super) const PACKED: &str = "packed.json";
const ENDING: &str = "parquet";

/// A folder of tables.
#[derive(Clone, Debug)]
pub struct Dataset {
    folder: PathBuf,
    /// What reads it: hears how far a scan is, and ends it when it is cancelled.
    job: Job,
}

/// What `packed.json` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Packed {
    /// Part of the names of packed files.
    pub generation: String,
    /// How many files there are of each table.
    pub files: std::collections::BTreeMap<String, usize>,
}

impl Packed {
    /// Name of a packed file.
    pub fn file(&self, number: usize) -> String {
        format!("packed-{}-{number:04}.{ENDING}", self.generation)
    }
}

impl Dataset {
    /// The dataset in a folder; nothing is looked at.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), job: Job::new() }
    }

    /// The same, read on behalf of `job`. Once that is cancelled reading ends with an error.
    #[must_use]
    pub fn for_job(&self, job: &Job) -> Self {
        Self { job: job.clone(), ..self.clone() }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of one run in a table.
    #[must_use]
    pub fn file(&self, table: &Table, run: &str) -> PathBuf {
        self.folder.join(table.name).join(format!("{run}.{ENDING}"))
    }

    pub(super) fn packed(&self) -> io::Result<Option<Packed>> {
        match std::fs::read(self.folder.join(PACKED)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Names of the runs that have a file of their own in a table, in order.
    pub(super) fn own_files(&self, table: &Table) -> io::Result<BTreeSet<String>> {
        let entries = match std::fs::read_dir(self.folder.join(table.name)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(e) => return Err(e),
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(run) = name.strip_suffix(ENDING).and_then(|name| name.strip_suffix('.'))
                && !run.starts_with("packed-")
                && !run.starts_with('.')
            {
                names.insert(run.to_owned());
            }
        }
        Ok(names)
    }

    /// What is there now.
    ///
    /// # Errors
    /// When the system refuses, or the folder is no dataset.
    pub fn snapshot(&self) -> io::Result<Snapshot> {
        let packed = self.packed()?;
        if packed.is_none() && !self.folder.join(RUNS.name).is_dir() {
            let text = format!(
                "{}: is no dataset; `inferscope fleet add SOURCE --to {0}` makes one",
                self.folder.display()
            );
            return Err(io::Error::new(ErrorKind::NotFound, NoDataset(text)));
        }
        let mut snapshot =
            Snapshot { dataset: self.clone(), packed, in_pack: FxHashSet::default(), own: BTreeSet::new() };
        let mut in_pack = FxHashSet::default();
        for file in snapshot.packed_files(&RUNS) {
            let reader = Reader::open(&file)?;
            for group in 0..reader.groups() {
                let frame = reader.group(&RUNS, group, &["run_id"])?;
                in_pack.extend((0..frame.rows).map(|row| frame.text("run_id", row).to_owned()));
            }
        }
        snapshot.own = self.own_files(&RUNS)?;
        snapshot.own.retain(|run| !in_pack.contains(run));
        snapshot.in_pack = in_pack;
        Ok(snapshot)
    }

    /// Reads by `read`, once more when the dataset was packed meanwhile.
    ///
    /// # Errors
    /// As `read`, and as [`Self::snapshot`].
    pub fn read<T>(&self, read: impl Fn(&Snapshot) -> io::Result<T>) -> io::Result<T> {
        let mut tries = 0;
        loop {
            let snapshot = self.snapshot();
            let before = snapshot.as_ref().ok().and_then(|s| s.packed.clone());
            let result = snapshot.and_then(|snapshot| read(&snapshot));
            let gone = |e: &io::Error| e.kind() == ErrorKind::NotFound && !is_no_dataset(e);
            // Files that were removed meanwhile may have been missed without a word.
            let again = result.as_ref().err().map_or_else(|| self.packed().ok() != Some(before), gone);
            if !again || tries >= 5 {
                return result;
            }
            tries += 1;
        }
    }
}

/// A folder is no dataset: looking once more does not help.
#[derive(Debug)]
struct NoDataset(String);

impl std::fmt::Display for NoDataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoDataset {}

fn is_no_dataset(e: &io::Error) -> bool {
    e.get_ref().is_some_and(|inner| inner.is::<NoDataset>())
}

/// Files of a dataset that belong together.
#[derive(Clone, Debug)]
pub struct Snapshot {
    dataset: Dataset,
    packed: Option<Packed>,
    in_pack: FxHashSet<String>,
    own: BTreeSet<String>,
}

impl Snapshot {
    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// True when a run is there.
    #[must_use]
    pub fn has(&self, run: &str) -> bool {
        self.in_pack.contains(run) || self.own.contains(run)
    }

    /// True when a run has files of its own.
    pub(super) fn has_own(&self, run: &str) -> bool {
        self.own.contains(run)
    }

    /// All runs, in order.
    pub(super) fn ids(&self) -> BTreeSet<&str> {
        self.own.iter().chain(&self.in_pack).map(String::as_str).collect()
    }

    /// Number of runs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_pack.len() + self.own.len()
    }

    /// True when there are no runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of runs that are not packed.
    #[must_use]
    pub fn loose(&self) -> usize {
        self.own.len()
    }

    pub(super) fn packed_files(&self, table: &Table) -> Vec<PathBuf> {
        let Some(packed) = &self.packed else { return Vec::new() };
        let files = packed.files.get(table.name).copied().unwrap_or(0);
        let folder = self.dataset.folder.join(table.name);
        (0..files).map(|number| folder.join(packed.file(number))).collect()
    }

    /// Files with a table's rows of the runs that have their own, in order of their names.
    pub(super) fn own_files(&self, table: &Table) -> io::Result<Vec<PathBuf>> {
        let mut names = self.dataset.own_files(table)?;
        // Where a table is not packed, runs in the pack still have their own file.
        names.retain(|run| self.own.contains(run) || (!table.packs && self.in_pack.contains(run)));
        Ok(names.iter().map(|run| self.dataset.file(table, run)).collect())
    }

    /// Passes the named columns of a table to `each`, a piece at a time and on all cores. Each thread adds up in a value of
    /// its own; the values come back in no order.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn scan<T: Send>(
        &self,
        table: &'static Table,
        columns: &[&str],
        new: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, &Frame) + Sync,
    ) -> io::Result<Vec<T>> {
        let mut parts: Vec<Piece> = Vec::new();
        for file in self.packed_files(table) {
            let groups = Reader::open(&file)?.groups();
            parts.extend((0..groups).map(|group| (file.clone(), Some(group))));
        }
        parts.extend(self.own_files(table)?.into_iter().map(|file| (file, None)));
        scan_files((&parts, &[], &self.dataset.job), table, columns, new, each)
    }

    /// The same of the files of some runs only, for a table that is not packed. Groups of rows without any that is wanted are left out;
    /// others may hold some that are not.
    ///
    /// # Errors
    /// When a file cannot be read. A run without one has no rows.
    pub fn scan_runs<T: Send>(
        &self,
        table: &'static Table,
        (runs, only): (&[&str], &[Only<'_>]),
        columns: &[&str],
        new: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, &Frame) + Sync,
    ) -> io::Result<Vec<T>> {
        let files = runs.iter().map(|run| self.dataset.file(table, run)).filter(|file| file.exists());
        let parts: Vec<_> = files.map(|file| (file, None)).collect();
        scan_files((&parts, only, &self.dataset.job), table, columns, new, each)
    }
}

/// How many threads work at once.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A file, and one of its groups of rows or all of them.
type Piece = (PathBuf, Option<usize>);

fn scan_files<T: Send>(
    (parts, only, job): (&[Piece], &[Only<'_>], &Job),
    table: &'static Table,
    columns: &[&str],
    new: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, &Frame) + Sync,
) -> io::Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<io::Error>> = Mutex::new(None);
    let numbered = |next: &AtomicUsize| {
        let at = next.fetch_add(1, Ordering::Relaxed);
        parts.get(at).map(|part| (at, part))
    };
    let work = || {
        let mut sum = new();
        while let Some((at, (file, group))) = numbered(&next) {
            let going = job.checkpoint(at as u64, parts.len() as u64).map_err(io::Error::other);
            let read = going.and_then(|()| Reader::open(file)).and_then(|reader| {
                let groups = group.map_or(0..reader.groups(), |g| g..g + 1);
                let wanted = |g: &usize| only.iter().all(|only| reader.may_hold(table, *g, only));
                groups.into_iter().filter(wanted).try_for_each(|g| {
                    each(&mut sum, &reader.group(table, g, columns)?);
                    Ok(())
                })
            });
            if let Err(e) = read {
                let mut failed = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                failed.get_or_insert(e);
                next.store(parts.len(), Ordering::Relaxed);
            }
        }
        sum
    };
    let threads = threads().min(parts.len().div_ceil(4)).max(1);
    let sums = match threads {
        1 => vec![work()],
        _ => std::thread::scope(|scope| {
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        }),
    };
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(e) => Err(e),
        None => Ok(sums),
    }
}
