//! The bytes of a file, unwrapped (gzip, zstd, UTF-16) as they are read.
//!
//! Nothing is taken into memory because a file claims a length: readers grow with what really came.
//! Damage in the compressed stream ends the data early and is kept as a warning, so that what came
//! before it can still be shown.

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, Cursor, IsTerminal, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::container::{self, Archive, Member};
use super::content::Content;
use super::error::ImportError;
use super::read::text::{self, Mark, Utf16};
use super::{Details, is_profile, page, pipe, together};
use crate::jobs::Job;
use crate::model::{Meta, Profile};

/// Bytes that importers see when they decide whether a file is theirs.
pub const HEAD_LEN: usize = 64 * 1024;

/// Most bytes that are read after what an importer took.
const MOST_LEFT: usize = 1 << 20;

/// Most blanks that are skipped before the content.
const MAX_BLANK: usize = 64 << 20;

/// Largest decompressed file that is read into memory whole. Formats that can be larger are streamed.
pub const MAX_WHOLE: u64 = 4 << 30;

/// Something that can be opened, again and again.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file.
    Path(PathBuf),
    /// Bytes in memory, under a name.
    Bytes(String, Arc<[u8]>),
    /// A file in an archive, or one part of another input that is added up from several ([`crate::model::Meta::parts`]).
    Part(Box<Input>, String),
    /// A file that somebody else reads, on another machine.
    Elsewhere(Arc<dyn Elsewhere>),
}

/// A file on another machine, and how it is reached from here.
pub trait Elsewhere: std::fmt::Debug + Send + Sync {
    /// The name that messages use.
    fn label(&self) -> String;

    /// The file name without folders.
    fn file_name(&self) -> String;

    /// The profile that it holds.
    ///
    /// # Errors
    /// When it cannot be reached or read.
    fn open(&self, job: &Job) -> Result<Profile, ImportError>;

    /// Details of the event at `offset`; `meta` is that of its profile.
    ///
    /// # Errors
    /// When it cannot be reached or read any more.
    fn details(&self, meta: &Meta, offset: u64) -> Result<Details, ImportError>;
}

impl Input {
    /// Everything that standard input holds, to its end.
    ///
    /// # Errors
    /// When it is a terminal, cannot be read, or holds too much.
    pub fn standard_input() -> Result<Self, ImportError> {
        if io::stdin().is_terminal() {
            return Err(ImportError::from(io::Error::other("standard input is a terminal"))
                .remedy("pipe a profile into it, as in `cat run.prof | inferscope report -`"));
        }
        Ok(Self::Bytes("standard input".into(), pipe::all(io::stdin().lock())?.into()))
    }

    /// The same input as something that can be read more than once: what a pipe holds is taken into memory.
    ///
    /// # Errors
    /// When it is neither a file nor a pipe, when nothing writes to the pipe, and when cancelled.
    pub fn settled(&self, job: &Job) -> Result<Self, ImportError> {
        let path = match self {
            Self::Path(path) => path,
            Self::Bytes(..) | Self::Elsewhere(_) => return Ok(self.clone()),
            Self::Part(whole, part) => return Ok(Self::Part(Box::new(whole.settled(job)?), part.clone())),
        };
        match pipe::read(path, job)? {
            Some(bytes) => Ok(Self::Bytes(self.file_name(), bytes.into())),
            None => Ok(self.clone()),
        }
    }

    /// What a path means that a person wrote: `archive.zip!file` is a file in an archive, and in a folder, too; `archive.zip!*` are all
    /// of them as one run.
    #[must_use]
    pub fn named(path: &Path) -> Self {
        let text = path.to_string_lossy();
        let split = text.match_indices('!').find(|(at, _)| Path::new(&text[..*at]).exists());
        match split {
            Some((at, _)) if !path.exists() && at > 0 => {
                let (whole, member) = (PathBuf::from(&text[..at]), &text[at + 1..]);
                if whole.is_dir() && member != together::ALL {
                    return Self::Path(whole.join(member));
                }
                // A file in an archive in an archive.
                member
                    .splitn(4, '!')
                    .fold(Self::Path(whole), |whole, part| Self::Part(Box::new(whole), part.to_owned()))
            }
            _ => Self::Path(path.to_owned()),
        }
    }

    /// The files in an archive or a folder; `None` for anything else.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn members(&self) -> Result<Option<Vec<Member>>, ImportError> {
        if let Self::Path(path) = self
            && path.is_dir()
        {
            let mut judge =
                |path: &Path| Source::open(&Self::Path(path.to_owned())).is_ok_and(|s| s.is_profile());
            return Ok(Some(container::folder(path, &mut judge)?));
        }
        if let Self::Elsewhere(_) = self {
            return Ok(None);
        }
        let mut source = Source::plain(self)?;
        match container::kind(&source.head) {
            Some(kind) => Ok(Some(source.archive(kind)?.1)),
            None => Ok(None),
        }
    }

    /// The name that messages use.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Bytes(name, _) => name.clone(),
            Self::Elsewhere(file) => file.label(),
            Self::Part(whole, part) => format!("{}, part {part}", whole.label()),
        }
    }

    /// The part that is wanted of an input which is added up from several.
    #[must_use]
    pub fn part(&self) -> Option<&str> {
        match self {
            Self::Part(_, part) => Some(part),
            _ => None,
        }
    }

    /// The file name without folders.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            Self::Path(path) => path
                .file_name()
                .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned()),
            Self::Bytes(name, _) => name.clone(),
            Self::Elsewhere(file) => file.file_name(),
            Self::Part(whole, _) => whole.file_name(),
        }
    }

    /// The file on disk, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Bytes(..) | Self::Elsewhere(_) => None,
            Self::Part(whole, _) => whole.path(),
        }
    }
}

/// Counts the bytes taken from the file itself, for progress.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// An opened input: decompressed bytes, read once from start to end.
pub struct Source {
    /// The input.
    pub input: Input,
    /// Length of the file on disk (compressed), bytes.
    pub file_len: u64,
    head: Vec<u8>,
    head_taken: usize,
    inner: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
    packed: Option<&'static str>,
    damage: Option<String>,
    invalid_text: Arc<AtomicU64>,
    content: Content,
    ended: bool,
}

impl Source {
    /// Opens an input and reads its head. Of an archive or a web page with one profile in it that one is opened.
    ///
    /// # Errors
    /// When the system cannot read it, or its first compressed block is broken.
    pub fn open(input: &Input) -> Result<Self, ImportError> {
        let mut source = Self::plain(input)?;
        if let Some(kind) = container::kind(&source.head) {
            let (archive, members) = source.archive(kind)?;
            let mut opening = members.iter().filter(|m| m.opens);
            return match (opening.next(), opening.next()) {
                (Some(only), None) => Self::of_member(input, &archive, &only.name),
                _ => {
                    let what = if kind == container::Kind::Zip { "a zip archive" } else { "a tar archive" };
                    Err(container::choose(what, input, &members))
                }
            };
        }
        if page::is_one(&source.head) {
            return source.unfold_page();
        }
        Ok(source)
    }

    /// Opens an input without looking into it.
    fn plain(input: &Input) -> Result<Self, ImportError> {
        let (raw, file_len): (Box<dyn Read + Send>, u64) = match input {
            Input::Path(path) => {
                let meta = std::fs::metadata(path)?;
                if meta.is_dir() {
                    let members = input.members()?.unwrap_or_default();
                    let mut opening = members.iter().filter(|m| m.opens);
                    return match (opening.next(), opening.next()) {
                        (Some(only), None) => Self::open(&Input::Path(path.join(&only.name))),
                        (None, _) if container::is_dataset(path) => Err(container::no_profile()),
                        _ => Err(container::choose("a folder", input, &members)),
                    };
                }
                // Opening a pipe would wait for its writer.
                if !meta.is_file() {
                    return Err(ImportError::malformed("is no file, and what it held was read before"));
                }
                (Box::new(File::open(path)?), meta.len())
            }
            Input::Bytes(_, bytes) => (Box::new(Cursor::new(bytes.clone())), bytes.len() as u64),
            Input::Elsewhere(_) => {
                return Err(ImportError::malformed("is on another machine").remedy("copy it first: --copy"));
            }
            Input::Part(whole, part) => {
                let mut outer = Self::plain(whole)?;
                return match container::kind(&outer.head) {
                    Some(kind) => {
                        let archive = Archive::open(outer.read_all(&Job::new())?, kind)?;
                        match Self::of_member(input, &archive, part) {
                            // A part of the only profile in it.
                            Err(missing) if !archive.has(part) => Self::open(whole)
                                .map(|only| Self { input: input.clone(), ..only })
                                .map_err(|_| missing),
                            other => other,
                        }
                    }
                    // Its importer knows what a part is.
                    None => Self::open(whole).map(|outer| Self { input: input.clone(), ..outer }),
                };
            }
        };
        Self::unwrapped(input, raw, file_len)
    }

    fn of_member(input: &Input, archive: &Archive, name: &str) -> Result<Self, ImportError> {
        let (raw, len) = archive.member(name)?;
        Self::unwrapped(input, raw, len)
    }

    /// The archive that this is, and what is in it.
    fn archive(&mut self, kind: container::Kind) -> Result<(Archive, Vec<Member>), ImportError> {
        let archive = Archive::open(self.read_all(&Job::new())?, kind)?;
        let members = archive.members(&mut |name| {
            let input = Input::Bytes(name.to_owned(), Arc::default());
            Self::of_member(&input, &archive, name).is_ok_and(|source| source.is_profile())
        });
        Ok((archive, members))
    }

    /// True when an importer knows what this begins with.
    fn is_profile(&self) -> bool {
        is_profile(&self.head, self.is_whole_head(), &self.file_name())
    }

    /// The profile in a web page, or the page where there is none.
    fn unfold_page(mut self) -> Result<Self, ImportError> {
        let mut all = Vec::new();
        self.by_ref().take(page::MOST).read_to_end(&mut all)?;
        let found = page::profile(&all, |json| {
            is_profile(&json[..json.len().min(HEAD_LEN)], json.len() < HEAD_LEN, "")
        });
        self.inner = container::reader(found.unwrap_or(all));
        (self.head_taken, self.head) = (0, Vec::new());
        self.head = self.read_head()?;
        Ok(self)
    }

    /// Unpacks what `raw` gives.
    fn unwrapped(input: &Input, raw: Box<dyn Read + Send>, file_len: u64) -> Result<Self, ImportError> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut raw = Counted { inner: raw, count: taken.clone() };
        let mut magic = Vec::with_capacity(4);
        raw.by_ref().take(4).read_to_end(&mut magic)?;
        let packed = match magic[..] {
            [0x1f, 0x8b, ..] => Some("gzip"),
            [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
            _ => None,
        };
        let raw = Cursor::new(magic).chain(raw);
        let inner: Box<dyn Read + Send> = match packed {
            Some("gzip") => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, raw)))
            }
            Some(_) => Box::new(zstd::Decoder::new(raw)?),
            None => Box::new(raw),
        };
        let mut source = Self {
            input: input.clone(),
            file_len,
            head: Vec::new(),
            head_taken: 0,
            inner,
            taken,
            packed,
            damage: None,
            invalid_text: Arc::default(),
            content: Content::default(),
            ended: false,
        };
        let mut head = source.read_head()?;
        if let Some(mark) = text::mark(&head) {
            head = source.unmark(mark, &head)?;
        }
        // Blanks before the content (some tools pad files) would hide it from the importers.
        for _ in 0..MAX_BLANK / HEAD_LEN {
            if head.len() < HEAD_LEN || !head.iter().all(u8::is_ascii_whitespace) {
                break;
            }
            head = source.read_head()?;
        }
        if head.is_empty()
            && let Some(damage) = source.damage.take()
        {
            return Err(ImportError::malformed(format!(
                "is a broken {} file ({damage})",
                source.packed.unwrap_or("")
            ))
            .remedy("copy or download it again"));
        }
        source.head = head;
        Ok(source)
    }

    /// Takes away the byte order mark at the start of `head`; a text in UTF-16 goes on as UTF-8.
    fn unmark(&mut self, mark: Mark, head: &[u8]) -> io::Result<Vec<u8>> {
        let rest = Cursor::new(head[if mark == Mark::Utf8 { 3 } else { 2 }..].to_vec());
        let inner = std::mem::replace(&mut self.inner, Box::new(io::empty()));
        self.inner = match mark {
            Mark::Utf8 => Box::new(rest.chain(inner)),
            _ => Box::new(Utf16::new(rest.chain(inner), mark, self.invalid_text.clone())),
        };
        self.read_head()
    }

    fn read_head(&mut self) -> io::Result<Vec<u8>> {
        let mut head = vec![0; HEAD_LEN];
        let mut len = 0;
        while len < HEAD_LEN {
            match self.read_inner(&mut head[len..])? {
                0 => break,
                n => len += n,
            }
        }
        head.truncate(len);
        Ok(head)
    }

    /// The first bytes (at most 64 KiB), decompressed. Reading starts at the same place.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// True when the head is all there is.
    #[must_use]
    pub fn is_whole_head(&self) -> bool {
        self.head.len() < HEAD_LEN
    }

    /// Bytes of the file (not decompressed) that were read so far.
    #[must_use]
    pub fn progress(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Places of a text in UTF-16 that were not valid, as far as it was read.
    #[must_use]
    pub fn invalid_text(&self) -> u64 {
        self.invalid_text.load(Ordering::Relaxed)
    }

    /// What is wrong with the compressed stream, once reading came to it.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// The file name without folders.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.input.file_name()
    }

    fn read_inner(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.damage.is_some() {
            return Ok(0);
        }
        match self.inner.read(buf) {
            Err(e) if self.packed.is_some() && e.kind() != io::ErrorKind::Interrupted => {
                self.damage = Some(e.to_string());
                Ok(0)
            }
            Ok(0) => {
                self.ended |= !buf.is_empty();
                Ok(0)
            }
            Ok(n) => {
                self.content.add(&buf[..n]);
                Ok(n)
            }
            Err(e) => Err(e),
        }
    }

    /// A number that tells these bytes (decompressed) from others; `None` where their end is far.
    #[must_use]
    pub fn content(&mut self) -> Option<u64> {
        // Readers of a text stop at its last bracket.
        let mut rest = [0; 4096];
        for _ in 0..MOST_LEFT / rest.len() {
            if self.ended || self.read_inner(&mut rest).is_err() {
                break;
            }
        }
        self.ended.then(|| self.content.number())
    }

    /// Reads everything that is left, at most 4 GiB.
    ///
    /// # Errors
    /// On a read error, when cancelled, and when the content is larger.
    pub fn read_all(&mut self, job: &Job) -> Result<Vec<u8>, ImportError> {
        let mut all = Vec::new();
        let mut chunk = vec![0; 1 << 20];
        loop {
            let n = self.read(&mut chunk)?;
            if n == 0 {
                return Ok(all);
            }
            all.extend_from_slice(&chunk[..n]);
            job.checkpoint(self.progress(), self.file_len)?;
            if all.len() as u64 > MAX_WHOLE {
                return Err(ImportError::malformed("is larger than 4 GiB").remedy(
                    "this format is read into memory whole; split it or convert it to a Chrome trace",
                ));
            }
        }
    }

    /// True while a living process holds a lock on the file.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.input.path().is_some_and(|path| File::open(path).is_ok_and(|file| is_locked(&file)))
    }

    /// The folder of this file's name with the ending `extension`, when there is one.
    #[must_use]
    pub fn own_folder(&self, extension: &str) -> Option<PathBuf> {
        let folder = self.input.path()?.with_extension(extension);
        std::fs::symlink_metadata(&folder).is_ok_and(|m| m.is_dir()).then_some(folder)
    }

    /// Regular files in the folder of this one's name with the ending `extension`, by name. At most `most` are looked
    /// at, of each at most `longest` bytes are read, links are not followed. `None` when there is no such folder.
    #[must_use]
    pub fn own_files(&self, extension: &str, most: usize, longest: u64) -> Option<Vec<OwnFile>> {
        let paths = files_in(&self.own_folder(extension)?, most, |_| true)?;
        Some(paths.iter().map(|path| OwnFile::read(path, longest)).collect())
    }

    /// The same of the folder `below` in that folder: only files with the ending `of`.
    #[must_use]
    pub fn own_files_below(
        &self,
        (extension, below, of): (&str, &str, &str),
        most: usize,
        longest: u64,
    ) -> Vec<OwnFile> {
        let Some(folder) = self.own_folder(extension).map(|folder| folder.join(below)) else {
            return Vec::new();
        };
        let wanted = |path: &Path| path.extension().is_some_and(|e| e == of);
        let paths = files_in(&folder, most, wanted).unwrap_or_default();
        paths.iter().map(|path| OwnFile::read(path, longest)).collect()
    }

    /// Files beside this one, for formats that spread over several. A link counts where it leads to a file of the same folder:
    /// a profile must not bring in what lies elsewhere. Empty for bytes in memory.
    #[must_use]
    pub fn siblings(&self) -> Vec<PathBuf> {
        let Some(path) = self.input.path() else { return Vec::new() };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        // Parts that are links may lie together somewhere else, as the file itself does then.
        let own = path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned()));
        let stays = |p: &Path| {
            !p.is_symlink()
                || p.canonicalize().is_ok_and(|real| real.parent().is_some_and(|f| Some(f) == own.as_deref()))
        };
        // By name: the path may be written in another way than the folder gives it.
        let mut files: Vec<_> = entries
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.file_name() != path.file_name() && stays(p))
            .collect();
        files.sort();
        files
    }
}

/// Regular files in a folder, by name, at most `most`; `None` when it is none.
fn files_in(folder: &Path, most: usize, wanted: impl Fn(&Path) -> bool) -> Option<Vec<PathBuf>> {
    let is_folder = std::fs::symlink_metadata(folder).is_ok_and(|m| m.is_dir());
    let entries = is_folder.then(|| std::fs::read_dir(folder).ok())??;
    let is_file = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|m| m.is_file());
    let named = entries.flatten().map(|e| e.path()).filter(|path| wanted(path));
    let mut paths: Vec<_> = named.take(most).filter(is_file).collect();
    paths.sort();
    Some(paths)
}

fn is_locked(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// A file to which another process adds while it is read. It stays readable when it is removed.
pub(super) struct Growing(File);

impl Growing {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(File::open(path)?))
    }

    /// True while its writer lives.
    pub(super) fn is_locked(&self) -> bool {
        let locked = is_locked(&self.0);
        if !locked {
            // The lock that was taken to find out must not keep others out. It ends with the file anyway.
            let _ = self.0.unlock();
        }
        locked
    }

    /// What is there now, from byte `at` on.
    pub(super) fn from(&self, at: u64) -> io::Result<impl Read + '_> {
        let mut file = &self.0;
        file.seek(SeekFrom::Start(at))?;
        Ok(file)
    }
}

/// A file that belongs to another one.
pub struct OwnFile {
    /// Its name without folders.
    pub name: String,
    /// What it holds, or why that cannot be read.
    pub content: io::Result<Vec<u8>>,
    /// A living process has locked it.
    pub locked: bool,
}

impl OwnFile {
    fn read(path: &Path, longest: u64) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut locked = false;
        let content = File::open(path).and_then(|file| {
            locked = is_locked(&file);
            let mut bytes = Vec::new();
            file.take(longest.saturating_add(1)).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > longest { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
        });
        Self { name, content, locked }
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let head = &self.head[self.head_taken..];
        if !head.is_empty() {
            let n = head.len().min(buf.len());
            buf[..n].copy_from_slice(&head[..n]);
            self.head_taken += n;
            return Ok(n);
        }
        self.read_inner(buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_is_no_sibling_of_itself() {
        for path in ["Cargo.toml", "./Cargo.toml", "src/../Cargo.toml"] {
            let siblings = Source::open(&Input::Path(path.into())).unwrap().siblings();
            assert!(siblings.iter().any(|p| p.ends_with("Cargo.lock")), "{path}");
            assert!(!siblings.iter().any(|p| p.ends_with("Cargo.toml")), "{path}: {siblings:?}");
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(bytes).unwrap();
        e.finish().unwrap()
    }

    fn read(bytes: Vec<u8>) -> Result<(Vec<u8>, bool), ImportError> {
        let mut source = Source::open(&Input::Bytes("x".into(), bytes.into()))?;
        let all = source.read_all(&Job::new())?;
        Ok((all, source.damage().is_some()))
    }

    #[test]
    fn plain_gzip_and_zstd_give_the_same_bytes() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|i| i.to_le_bytes()).collect();
        assert_eq!(read(text.clone()).unwrap(), (text.clone(), false));
        assert_eq!(read(gzip(&text)).unwrap(), (text.clone(), false));
        assert_eq!(read(zstd::encode_all(&text[..], 1).unwrap()).unwrap(), (text, false));
    }

    #[test]
    fn a_cut_gzip_gives_what_came_before_the_cut() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|i| i.to_le_bytes()).collect();
        let mut packed = gzip(&text);
        packed.truncate(packed.len() / 2);
        let (got, damaged) = read(packed).unwrap();
        assert!(damaged && !got.is_empty() && text.starts_with(&got));
    }

    #[test]
    fn many_blanks_before_the_content_are_no_content() {
        let mut text = vec![b' '; 3 * HEAD_LEN];
        text.extend_from_slice(b"{}");
        let source = Source::open(&Input::Bytes("x".into(), text.into())).unwrap();
        assert_eq!(source.head(), b"{}");
    }

    #[test]
    fn a_wrong_checksum_of_a_small_file_is_known() {
        let mut packed = gzip(b"hello");
        let at = packed.len() - 6;
        packed[at] ^= 1;
        assert_eq!(read(packed).unwrap(), (b"hello".to_vec(), true));
    }

    #[test]
    fn a_gzip_of_which_nothing_can_be_read_is_an_error() {
        let e = read(gzip(b"hello")[..10].to_vec()).unwrap_err();
        assert_eq!(e.kind, super::super::ErrorKind::Malformed);
    }
}
