//! The journal on disk that makes a killed recording openable.
//!
//! An append-only file beside the recording: every half second the recorder's thread adds what ended since
//! and what still runs (`model/increments.rs`). A killed process therefore loses at most the last
//! second; nothing is forced to the platter, so a machine that loses power may lose more. The file is
//! removed when the recording was saved or given up in order. Its writer holds a lock on it, which the
//! system releases at death: a journal without a lock belongs to a recording that was interrupted.
//!
//! A write that fails (full disk) does not end the recording: the half-written tail is cut off, the run
//! says so, and the journal goes on as soon as there is room again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::assemble::Assembler;
use crate::export::native;
use crate::model::increments::Cursor;
use crate::model::wire::attachment;
use crate::model::wire::journal::{
    ABOUT, ATTACHED, END, EXTENSION, FILES, HEAD, Head, MAGIC, Next, PART, TRACE, VERSION, frame, next,
};
use crate::model::{Attachment, LeftOut, Meta, Profile};

/// Time between two writes. With the time that the recorder takes to look, less than a second.
const EVERY: Duration = Duration::from_millis(500);
/// Time until the next try after a failed write.
const RETRY: Duration = Duration::from_secs(5);

/// Where journals go unless something else is said; `None` when the system has no place for them.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    Some(dirs::state_dir().or_else(dirs::data_local_dir)?.join("inferscope").join("journal"))
}

/// The journal of a recording of this process. While it lives, nobody takes it for an interrupted one;
/// dropped without [`Self::discard`] the file stays and is offered at the next start.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    path: PathBuf,
}

impl JournalFile {
    /// Makes a journal in `folder` of a recording that began at `unix_ns`, empty and locked.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create(folder: &Path, unix_ns: Option<i64>) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let seconds = unix_ns.unwrap_or(0) / 1_000_000_000;
        let mut n = 0;
        loop {
            let name = format!("{seconds}-{}-{n}.{EXTENSION}", std::process::id());
            let path = folder.join(name);
            match private().read(true).write(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Waits for whoever has just looked whether it is locked. Where the system knows no locks, the
                    // journal of a live recording is offered too.
                    let _ = file.lock();
                    return Ok(Self { file, path });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && n < 1000 => n += 1,
                Err(e) => return Err(e),
            }
        }
    }

    /// Writes `bytes` after the first `at`, in the place of what lies there.
    ///
    /// # Errors
    /// When the system cannot write.
    pub fn append(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// When the system cannot write.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder in which the recorded process may leave files for whoever opens the journal.
    pub(super) fn files(&self) -> PathBuf {
        self.path.with_extension(FILES)
    }

    /// Removes it: the recording was saved or is not wanted.
    pub fn discard(&self) {
        // Somebody may have removed it before.
        let _ = remove(&self.path);
    }
}

/// A journal holds prompts and log lines: nobody but the user may read it.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "folders of users are private there"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What a journal is written to.
pub(super) trait Target: Send {
    /// Appends after the first `at` bytes; what lies behind them is a torn tail.
    fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
}

impl Target for Arc<JournalFile> {
    fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let written = JournalFile::append(self, at, bytes);
        if written.is_err() {
            // Readers cut a torn tail too; this only gives its room back.
            let _ = self.file.set_len(at);
        }
        written
    }
}

/// Writes the journal of one recording.
pub(super) struct Journal {
    target: Box<dyn Target>,
    cursor: Cursor,
    /// Bytes that are written.
    length: u64,
    due: Instant,
    writes: u64,
    problem: Option<String>,
    /// Frames that the next write adds behind the rows.
    further: Vec<u8>,
}

impl Journal {
    /// Creates the file in `folder`. The error is one line for the run.
    pub(super) fn create(folder: &Path, meta: &Meta) -> Result<(Self, Arc<JournalFile>), String> {
        let file = JournalFile::create(folder, meta.origin_unix_ns)
            .map_err(|e| format!("{}: {e}", folder.display()))?;
        let file = Arc::new(file);
        Ok((Self::on(Box::new(file.clone())), file))
    }

    pub(super) fn on(target: Box<dyn Target>) -> Self {
        Self {
            target,
            cursor: Cursor::default(),
            length: 0,
            due: Instant::now(),
            writes: 0,
            problem: None,
            further: Vec::new(),
        }
    }

    /// Adds a file that another tool wrote of the run, with the next write.
    pub(super) fn attach(&mut self, file: &Attachment) {
        frame(&mut self.further, ATTACHED, &attachment(file));
    }

    /// Adds what was measured beside the recording, whose time 0 is `shift` ns after ours, with the next write: increments hold no
    /// samples and no call graph.
    pub(super) fn add_part(&mut self, shift: i64, profile: &Profile) {
        let mut part = shift.to_le_bytes().to_vec();
        // Into memory: this cannot fail.
        if native::write(profile, &mut part).is_ok() {
            frame(&mut self.further, PART, &part);
        }
    }

    /// Writes what is new, when it is time to.
    pub(super) fn keep(&mut self, assembler: &mut Assembler, meta: &Meta) {
        if Instant::now() >= self.due {
            self.write(assembler, meta, false);
        }
    }

    /// Writes what is new; `last`: and that nothing follows.
    pub(super) fn write(&mut self, assembler: &mut Assembler, meta: &Meta, last: bool) {
        let mut out = Vec::new();
        if self.length == 0 {
            out.extend_from_slice(&MAGIC);
            out.extend_from_slice(&VERSION.to_le_bytes());
        }
        let mut cursor = self.cursor.clone();
        assembler.journal(&mut cursor, meta.clone(), &mut out);
        out.extend_from_slice(&self.further);
        if last {
            frame(&mut out, END, &[]);
        }
        match self.target.append(self.length, &out) {
            Ok(()) => {
                self.cursor = cursor;
                self.further.clear();
                self.length += out.len() as u64;
                self.writes += 1;
                self.due = Instant::now() + EVERY;
            }
            Err(e) => {
                assembler.warn(
                    "the journal could not be written; a crash would lose what came after",
                    &e.to_string(),
                );
                self.problem = Some(e.to_string());
                self.due = Instant::now() + RETRY;
            }
        }
    }

    /// Follows a recording of which older rows were left out.
    pub(super) fn follow(&mut self, left_out: &LeftOut) {
        self.cursor.follow(left_out);
    }

    /// How it went, for the facts of the run.
    pub(super) fn fact(&self) -> String {
        let written = format!("{} writes, {} KiB", self.writes, self.length.div_ceil(1024));
        match &self.problem {
            None => written,
            Some(why) => format!("{written}; not all could be written: {why}"),
        }
    }
}

/// Removes a journal with what lies in its folder.
///
/// # Errors
/// When the journal cannot be removed.
pub fn remove(journal: &Path) -> io::Result<()> {
    if journal.extension().is_some_and(|e| e == EXTENSION) {
        // There is one only where a command was recorded and its recorder was killed.
        let _ = std::fs::remove_dir_all(journal.with_extension(FILES));
    }
    std::fs::remove_file(journal)
}

/// True while a process that was recorded outlives its recorder: it will leave its call profile beside the journal.
#[must_use]
pub fn is_awaited(journal: &Path) -> bool {
    let about = File::open(journal.with_extension(FILES).join(ABOUT));
    about.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The journal of a recording that nobody writes any more and that was not saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// The file; it opens like any other.
    pub path: PathBuf,
    /// What was recorded.
    pub title: String,
    /// When it began, Unix time in ns.
    pub began_unix_ns: Option<i64>,
    /// Size of the journal with what lies in its folder.
    pub bytes: u64,
    /// The recording ended in order; otherwise it was cut off.
    pub ended: bool,
}

/// Journals in `folder` that no living recording writes to, newest first. A folder that cannot be read
/// has none.
#[must_use]
pub fn unsaved(folder: &Path) -> Vec<Unsaved> {
    all(folder).into_iter().filter(|(_, living)| !living).map(|(found, _)| found).collect()
}

/// All journals in `folder`, newest first, and whether a living recording writes to each.
#[must_use]
pub fn all(folder: &Path) -> Vec<(Unsaved, bool)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|e| Some(e.ok()?.path()));
    let journals = paths.filter(|p| p.extension().is_some_and(|e| e == EXTENSION));
    let mut found: Vec<_> = journals.filter_map(|path| look(&path)).collect();
    found.sort_by_key(|(i, _)| std::cmp::Reverse((i.began_unix_ns, i.path.clone())));
    found
}

/// Removes the oldest of `unsaved` (as [`unsaved`] lists them) as long as all together have more than `most` bytes, and
/// gives those that were removed. The newest one always stays.
pub fn keep_within(most: u64, unsaved: &mut Vec<Unsaved>) -> Vec<Unsaved> {
    let mut sum = 0u64;
    let fits = |u: &Unsaved| {
        sum = sum.saturating_add(u.bytes);
        sum <= most
    };
    let kept = unsaved.iter().map(fits).take_while(|fits| *fits).count().max(1).min(unsaved.len());
    let mut removed = unsaved.split_off(kept);
    // What cannot be removed is listed again the next time.
    removed.retain(|u| !is_awaited(&u.path) && remove(&u.path).is_ok());
    removed
}

fn look(path: &Path) -> Option<(Unsaved, bool)> {
    let mut file = File::open(path).ok()?;
    let living = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let length = file.metadata().ok()?.len();
    let mut start = [0; MAGIC.len() + 2];
    file.read_exact(&mut start).ok()?;
    let Next::Frame(HEAD, head) = next(&mut file).ok()? else { return None };
    let Head { meta, .. } = serde_json::from_slice(&head).ok()?;
    let ended = has_end(&mut file).ok()?;
    let found = start.starts_with(&MAGIC).then(|| Unsaved {
        path: path.to_owned(),
        title: meta.title,
        began_unix_ns: meta.origin_unix_ns,
        bytes: length + size_of_files(path),
        ended,
    });
    Some((found?, living))
}

/// True when a journal ends in order.
#[must_use]
pub fn is_whole(path: &Path) -> bool {
    File::open(path).and_then(|mut file| has_end(&mut file)).unwrap_or(false)
}

fn has_end(file: &mut File) -> io::Result<bool> {
    let mut end = Vec::new();
    frame(&mut end, END, &[]);
    let mut tail = vec![0; end.len()];
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(end.len() as u64)))?;
    file.read_exact(&mut tail)?;
    Ok(tail == end)
}

/// Bytes of what lies in the folder of a journal.
fn size_of_files(journal: &Path) -> u64 {
    let folder = journal.with_extension(FILES);
    let folders = [folder.join(TRACE), folder];
    let files = folders.iter().filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten();
    files.filter_map(|f| f.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

/// Makes sure that journals can be written to `folder`, which is made where it is missing.
///
/// # Errors
/// One line that names the folder and says why not.
pub fn prepare(folder: &Path) -> Result<(), String> {
    let probe = folder.join(format!(".{}.part", std::process::id()));
    let written =
        std::fs::create_dir_all(folder).and_then(|()| private().create(true).write(true).open(&probe));
    // It was only there to see.
    let _ = std::fs::remove_file(&probe);
    written.map(drop).map_err(|e| format!("no journal can be written to {}: {e}", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::super::clock::Scale;
    use super::*;
    use crate::import::{Input, open};
    use crate::jobs::Job;
    use crate::model::{Profile, Severity};

    /// A disk with so much room.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Target for Disk {
        fn append(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
            let (data, room) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            data.truncate(at as usize);
            let fits = bytes.len().min(*room - data.len());
            data.extend_from_slice(&bytes[..fits]);
            if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        }
    }

    impl Disk {
        fn open(&self) -> Profile {
            let bytes = self.0.lock().unwrap().0.clone();
            open(&Input::Bytes("x".into(), bytes.into()), &Job::new(), &mut |_| ()).unwrap()
        }
    }

    fn marks(p: &Profile) -> Vec<&str> {
        p.instants.iter().map(|i| p.text(i.name)).collect()
    }

    #[test]
    fn a_full_disk_keeps_what_was_there_and_what_came_meanwhile_is_written_later() {
        let disk = Disk::default();
        disk.0.lock().unwrap().1 = 2000;
        let mut assembler = Assembler::new(Scale::measure(), true);
        let mut journal = Journal::on(Box::new(disk.clone()));
        let meta = Meta { title: "t".into(), ..Meta::default() };
        assembler.mark(1, "first", Severity::Info);
        journal.write(&mut assembler, &meta, false);
        assembler.mark(2, &"second ".repeat(400), Severity::Info);
        journal.write(&mut assembler, &meta, false);
        assert_eq!(marks(&disk.open()), ["first", "Recording interrupted"]);
        assert!(journal.fact().contains("not all could be written"), "{}", journal.fact());

        disk.0.lock().unwrap().1 = 1 << 20;
        assembler.mark(3, "third", Severity::Info);
        journal.attach(&Attachment { name: "run.prof".into(), bytes: [7u8, 8].into() });
        journal.write(&mut assembler, &meta, true);
        let all = disk.open();
        assert_eq!((all.attached[0].name.as_str(), &all.attached[0].bytes[..]), ("run.prof", &[7u8, 8][..]));
        assert_eq!(marks(&all).len(), 3);
        assert!(marks(&all)[1].starts_with("second") && marks(&all)[2] == "third");
        assert_eq!(all.warnings.len(), 1, "the run says that the disk was full: {:?}", all.warnings);
        assert!(all.warnings[0].kind.contains("journal could not be written"));
    }
}
