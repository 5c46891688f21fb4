//! Putting the rows of many runs into few files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::dataset::{Dataset, PACKED, Packed, Snapshot};
use super::file::{GROUP_ROWS, Reader, Writer};
use super::frame::Frame;
use super::runs::Runs;
use super::schema::{TABLES, Table};
use super::stable::Stable;
use crate::export;

/// Rows of a packed file: more go to another one.
const FILE_ROWS: usize = 4 << 20;
/// Drafts that are older were left by a killed writer.
const STALE: Duration = Duration::from_secs(3600);

/// What packing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Runs in the pack.
    pub runs: usize,
    /// Runs that were put into it now.
    pub new: usize,
    /// Files and bytes of the tables before and after, without spans.
    pub before: (usize, u64),
    /// See `before`.
    pub after: (usize, u64),
}

/// Packs a dataset: rows of all runs in order of job, rank and run. Spans stay as they are, a file a run.
///
/// # Errors
/// When the system refuses, or somebody else packs the dataset; then it stays as it was.
pub fn pack(dataset: &Dataset) -> io::Result<Done> {
    let lock = File::create(dataset.folder().join(".pack.lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(io::Error::other("another `fleet pack` works on this dataset"));
        }
        Err(TryLockError::Error(e)) => return Err(e),
    }
    let snapshot = dataset.snapshot()?;
    let mut done =
        Done { runs: snapshot.len(), new: snapshot.loose(), before: sizes(&snapshot)?, ..Done::default() };
    done.after = done.before;
    if snapshot.loose() > 0 {
        let order = Runs::load(&snapshot)?.order();
        let generation = order.iter().fold(Stable::default(), |hash, run| hash.text(run)).name();
        let mut packed = Packed { generation, files: BTreeMap::new() };
        // Written aside first, so that those who read all files of a folder see the change for a moment only.
        let aside = dataset.folder().join(format!(".packing-{}", std::process::id()));
        std::fs::create_dir_all(&aside)?;
        let result = write_all(&snapshot, &order, &aside, &mut packed);
        let result = result.and_then(|()| change_over(dataset, &snapshot, &aside, &packed));
        // Runs of files that changed since are not taken over.
        let kept: BTreeSet<&str> = order.iter().map(String::as_str).collect();
        for run in snapshot.ids().difference(&kept) {
            for table in TABLES.iter().filter(|t| !t.packs && result.is_ok()) {
                remove(&dataset.file(table, run))?;
            }
        }
        // What is left of it is of no use to anybody.
        let _ = std::fs::remove_dir_all(&aside);
        result?;
        done.after = sizes(&dataset.snapshot()?)?;
    }
    sweep(dataset);
    Ok(done)
}

fn sizes(snapshot: &Snapshot) -> io::Result<(usize, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for table in TABLES.iter().filter(|t| t.packs) {
        for file in snapshot.packed_files(table).into_iter().chain(snapshot.own_files(table)?) {
            files += 1;
            bytes += std::fs::metadata(file)?.len();
        }
    }
    Ok((files, bytes))
}

fn write_all(snapshot: &Snapshot, order: &[String], aside: &Path, packed: &mut Packed) -> io::Result<()> {
    for table in TABLES.iter().filter(|t| t.packs) {
        let files = write_table(snapshot, table, order, aside, packed)?;
        packed.files.insert(table.name.to_owned(), files);
    }
    Ok(())
}

/// Writes the rows of a table, run by run, and says how many files that takes.
fn write_table(
    snapshot: &Snapshot,
    table: &'static Table,
    order: &[String],
    aside: &Path,
    packed: &Packed,
) -> io::Result<usize> {
    let mut old = Old::open(snapshot, table)?;
    let (mut files, mut in_file) = (0, 0);
    let mut out: Option<Writer<io::BufWriter<File>>> = None;
    let mut group = Frame::new(table);
    let mut flush = |group: &mut Frame, last: bool| -> io::Result<()> {
        if group.rows > 0 {
            if out.is_none() {
                let path = aside.join(format!("{}-{}", table.name, packed.file(files)));
                out = Some(Writer::new(table, io::BufWriter::new(File::create(path)?))?);
                files += 1;
            }
            if let Some(writer) = &mut out {
                writer.add(group)?;
            }
            in_file += group.rows;
            *group = Frame::new(table);
        }
        if (last || in_file >= FILE_ROWS)
            && let Some(writer) = out.take()
        {
            writer.finish()?.flush()?;
            in_file = 0;
        }
        Ok(())
    };
    for run in order {
        let mut rows = |frame: &Frame, range: std::ops::Range<usize>| -> io::Result<()> {
            for row in range {
                group.copy(frame, row);
                if group.rows >= GROUP_ROWS {
                    flush(&mut group, false)?;
                }
            }
            Ok(())
        };
        if snapshot.has_own(run) {
            let path = snapshot.dataset().file(table, run);
            if path.exists() {
                let reader = Reader::open(&path)?;
                for g in 0..reader.groups() {
                    let frame = reader.group(table, g, &all(table))?;
                    rows(&frame, 0..frame.rows)?;
                }
            }
        } else {
            old.each(run, &mut rows)?;
        }
    }
    flush(&mut group, true)?;
    Ok(files)
}

fn all(table: &Table) -> Vec<&'static str> {
    table.columns.iter().map(|c| c.name).collect()
}

/// Rows of the pack that was there, by run.
struct Old {
    table: &'static Table,
    readers: Vec<Reader>,
    /// Where a run's rows are: file, row group, first row and end.
    places: BTreeMap<String, Vec<(usize, usize, std::ops::Range<usize>)>>,
    /// The row group that was looked at last: runs follow each other mostly.
    last: Option<(usize, usize, Frame)>,
}

impl Old {
    fn open(snapshot: &Snapshot, table: &'static Table) -> io::Result<Self> {
        let readers: Vec<Reader> =
            snapshot.packed_files(table).iter().map(|file| Reader::open(file)).collect::<Result<_, _>>()?;
        let mut places: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (file, reader) in readers.iter().enumerate() {
            for group in 0..reader.groups() {
                let frame = reader.group(table, group, &["run_id"])?;
                let (rows, texts) = frame.texts("run_id");
                let mut from = 0;
                for part in rows.chunk_by(|a, b| a == b) {
                    let run = texts[part[0] as usize].to_string();
                    places.entry(run).or_default().push((file, group, from..from + part.len()));
                    from += part.len();
                }
            }
        }
        Ok(Self { table, readers, places, last: None })
    }

    fn each(
        &mut self,
        run: &str,
        rows: &mut dyn FnMut(&Frame, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        for (file, group, range) in self.places.get(run).into_iter().flatten() {
            let there = self.last.as_ref().is_some_and(|last| (last.0, last.1) == (*file, *group));
            if !there {
                let frame = self.readers[*file].group(self.table, *group, &all(self.table))?;
                self.last = Some((*file, *group, frame));
            }
            if let Some((_, _, frame)) = &self.last {
                rows(frame, range.clone())?;
            }
        }
        Ok(())
    }
}

/// Puts the new files beside the old ones, says that they count from now on, and removes what they hold.
fn change_over(dataset: &Dataset, before: &Snapshot, aside: &Path, packed: &Packed) -> io::Result<()> {
    for table in TABLES.iter().filter(|t| t.packs) {
        for number in 0..packed.files.get(table.name).copied().unwrap_or(0) {
            let name = packed.file(number);
            let from = aside.join(format!("{}-{name}", table.name));
            // It must be on the disk before anything is removed.
            File::open(&from)?.sync_all()?;
            std::fs::rename(from, dataset.folder().join(table.name).join(name))?;
        }
    }
    export::write_bytes(&serde_json::to_vec(packed)?, &dataset.folder().join(PACKED))?;
    let old: Vec<PathBuf> = TABLES
        .iter()
        .filter(|t| t.packs)
        .map(|table| Ok(before.own_files(table)?.into_iter().chain(before.packed_files(table))))
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    let new =
        |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().contains(&packed.generation));
    for path in old.iter().filter(|path| !new(path)) {
        remove(path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Removes drafts of writers that were killed long ago.
fn sweep(dataset: &Dataset) {
    for table in TABLES {
        let Ok(entries) = std::fs::read_dir(dataset.folder().join(table.name)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let modified = entry.metadata().and_then(|m| m.modified()).ok();
            let age = modified.and_then(|t| SystemTime::now().duration_since(t).ok());
            if name.starts_with(".inferscope-")
                && name.ends_with(".part")
                && age.is_some_and(|age| age > STALE)
            {
                // Nobody needs it, and whoever runs this may not be the one who may remove it.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
