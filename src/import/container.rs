//! Files in other files: zip and tar archives, folders.
//!
//! Specifications: PKWARE's APPNOTE (with zip64), POSIX's ustar and pax with GNU's long names. Kept: what is stored, deflated or packed
//! with zstd, in memory while a file of it is read. Lost: encrypted files, parts of split archives, links. A file in an archive is named
//! by [`Input::Part`] of the archive; what lies in an archive in an archive is a part of a part.

use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use super::error::{ErrorKind, ImportError};
use super::source::Input;
use crate::format;

/// Most files of which the heads are looked at.
const MOST_LOOKED_AT: usize = 300;
/// Most files that are listed.
const MOST_LISTED: usize = 100_000;
/// Names in an error.
const NAMED: usize = 12;

/// What holds files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Tar,
}

/// The kind of an archive by its first bytes.
pub(super) fn kind(head: &[u8]) -> Option<Kind> {
    if head.starts_with(b"PK\x03\x04") {
        return Some(Kind::Zip);
    }
    (head.get(257..262) == Some(b"ustar")).then_some(Kind::Tar)
}

/// A file in an archive or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path there, with «/» between folders.
    pub name: String,
    /// Its length as it is stated, bytes.
    pub bytes: u64,
    /// True when it is a profile of a format that is known, as far as its head tells.
    pub opens: bool,
}

/// Where a file lies in an archive.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    bytes: u64,
    /// Of its header in a zip, of its bytes in a tar.
    at: u64,
    packed: u64,
    method: u64,
    encrypted: bool,
}

/// An archive in memory.
pub(super) struct Archive {
    bytes: Arc<Vec<u8>>,
    kind: Kind,
    entries: Vec<Entry>,
}

/// Part of an archive as a reader.
struct Slice {
    bytes: Arc<Vec<u8>>,
    at: usize,
    end: usize,
}

impl Read for Slice {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let left = &self.bytes[self.at..self.end];
        let n = left.len().min(buf.len());
        buf[..n].copy_from_slice(&left[..n]);
        self.at += n;
        Ok(n)
    }
}

fn number(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    Some(bytes.get(at..at.checked_add(len)?)?.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

impl Archive {
    /// The files of an archive.
    pub fn open(bytes: Vec<u8>, kind: Kind) -> Result<Self, ImportError> {
        let entries = match kind {
            Kind::Zip => zip(&bytes).ok_or_else(|| {
                ImportError::malformed("is a broken zip archive: its list of files cannot be read")
                    .remedy("copy or download it again")
            })?,
            Kind::Tar => tar(&bytes),
        };
        Ok(Self { bytes: Arc::new(bytes), kind, entries })
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        let exact = self.entries.iter().find(|e| e.name == name);
        let mut short = self.entries.iter().filter(|e| e.name.rsplit('/').next() == Some(name));
        exact.or_else(|| short.next().filter(|_| short.next().is_none()))
    }

    /// True when it has a file of that name.
    pub fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// The bytes of a file, unpacked while they are read, and their packed length. A name may lack its folders where it is clear without.
    pub fn member(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), ImportError> {
        let Some(entry) = self.entry(name) else {
            let names: Vec<&str> = self.entries.iter().take(NAMED).map(|e| e.name.as_str()).collect();
            return Err(ImportError::malformed(format!(
                "has no file called «{name}»; it has {}",
                names.join(", ")
            )));
        };
        let cut = || ImportError::malformed(format!("is cut short: «{}» is not whole", entry.name));
        if entry.encrypted {
            return Err(ImportError::malformed(format!("«{}» in it is encrypted", entry.name))
                .remedy("unpack it with its password"));
        }
        let mut start = usize::try_from(entry.at).map_err(|_| cut())?;
        if self.kind == Kind::Zip {
            let names =
                number(&self.bytes, start + 26, 2).zip(number(&self.bytes, start + 28, 2)).ok_or_else(cut)?;
            start += 30 + names.0 as usize + names.1 as usize;
        }
        let len = usize::try_from(entry.packed).map_err(|_| cut())?;
        let end = start.checked_add(len).filter(|end| *end <= self.bytes.len()).ok_or_else(cut)?;
        let raw = Slice { bytes: self.bytes.clone(), at: start, end };
        let reader: Box<dyn Read + Send> = match entry.method {
            0 => Box::new(raw),
            8 => Box::new(flate2::read::DeflateDecoder::new(raw)),
            93 => Box::new(zstd::Decoder::new(raw)?),
            other => {
                let what = format!("«{}» in it is packed by method {other}, which is not read", entry.name);
                return Err(ImportError::malformed(what).remedy("unpack it and open the file"));
            }
        };
        Ok((reader, entry.packed))
    }

    /// All files, with those that are profiles marked.
    pub fn members(&self, is_profile: &mut dyn FnMut(&str) -> bool) -> Vec<Member> {
        let mut looked_at = 0;
        let member = |entry: &Entry| {
            let hidden = entry.name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX");
            let opens = entry.bytes > 0 && !hidden && looked_at < MOST_LOOKED_AT && {
                looked_at += 1;
                is_profile(&entry.name)
            };
            Member { name: entry.name.clone(), bytes: entry.bytes, opens }
        };
        self.entries.iter().map(member).collect()
    }
}

/// Files of a zip archive, by the list at its end.
fn zip(bytes: &[u8]) -> Option<Vec<Entry>> {
    let tail = bytes.len().saturating_sub(65_557);
    let end = tail + memchr::memmem::rfind(&bytes[tail..], b"PK\x05\x06")?;
    let (mut count, mut at) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    // Zip64: the list may be large and far.
    if (count == 0xffff || at == 0xffff_ffff)
        && let Some(locator) = end.checked_sub(20)
        && number(bytes, locator, 4) == Some(0x0706_4b50)
    {
        let record = usize::try_from(number(bytes, locator + 8, 8)?).ok()?;
        (count, at) = (number(bytes, record + 32, 8)?, number(bytes, record + 48, 8)?);
    }
    let mut entries = Vec::new();
    let mut at = usize::try_from(at).ok()?;
    while (entries.len() as u64) < count && entries.len() < MOST_LISTED {
        if number(bytes, at, 4) != Some(0x0201_4b50) {
            break;
        }
        let field = |offset: usize, len: usize| number(bytes, at + offset, len);
        let (flags, method) = (field(8, 2)?, field(10, 2)?);
        let (mut packed, mut unpacked, mut place) = (field(20, 4)?, field(24, 4)?, field(42, 4)?);
        let (name, extra, comment) = (field(28, 2)? as usize, field(30, 2)? as usize, field(32, 2)? as usize);
        let text = String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name)?).replace('\\', "/");
        let mut more = bytes.get(at + 46 + name..at + 46 + name + extra)?;
        while let (Some(id), Some(len)) = (number(more, 0, 2), number(more, 2, 2)) {
            let field = more.get(4..4 + len as usize).unwrap_or_default();
            if id == 1 {
                let mut wide = field.chunks_exact(8).map(|c| number(c, 0, 8).unwrap_or(0));
                for value in [&mut unpacked, &mut packed, &mut place] {
                    if *value == 0xffff_ffff {
                        *value = wide.next().unwrap_or(*value);
                    }
                }
            }
            more = more.get(4 + len as usize..).unwrap_or_default();
        }
        if !text.ends_with('/') {
            entries.push(Entry {
                name: text,
                bytes: unpacked,
                at: place,
                packed,
                method,
                encrypted: flags & 1 != 0,
            });
        }
        at += 46 + name + extra + comment;
    }
    Some(entries)
}

/// Files of a tar archive, from its start to its end or to where it breaks off.
fn tar(bytes: &[u8]) -> Vec<Entry> {
    let (mut entries, mut at, mut long): (Vec<Entry>, usize, Option<String>) = (Vec::new(), 0, None);
    let text = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
    };
    while let Some(header) = bytes.get(at..at + 512) {
        if header.iter().all(|b| *b == 0) || entries.len() >= MOST_LISTED {
            break;
        }
        let Some(len) = size(&header[124..136]) else { break };
        let (start, kind) = (at + 512, header[156]);
        let content = || {
            let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)).min(bytes.len());
            bytes.get(start..end).unwrap_or_default()
        };
        match kind {
            b'L' => long = Some(text(content())),
            // pax: «length path=…» lines.
            b'x' => {
                let fields = String::from_utf8_lossy(content()).into_owned();
                let path = fields.lines().find_map(|line| line.split_once(" path=").map(|l| l.1.to_owned()));
                long = path.or(long);
            }
            b'0' | 0 => {
                let prefix =
                    if &header[257..263] == b"ustar\0" { text(&header[345..500]) } else { String::new() };
                let own = text(&header[..100]);
                let own = if prefix.is_empty() { own } else { format!("{prefix}/{own}") };
                let name = long.take().unwrap_or(own);
                let name = name.strip_prefix("./").map_or(name.clone(), str::to_owned);
                entries.push(Entry {
                    name,
                    bytes: len,
                    at: start as u64,
                    packed: len,
                    method: 0,
                    encrypted: false,
                });
            }
            _ => long = None,
        }
        let Some(next) =
            usize::try_from(len).ok().and_then(|len| start.checked_add(len.checked_next_multiple_of(512)?))
        else {
            break;
        };
        at = next;
    }
    entries
}

/// A length in octal digits, or, with the first bit set, as a number.
fn size(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        return Some(field[4..].iter().fold(0, |n, b| n << 8 | u64::from(*b)));
    }
    let digits = field.iter().copied().filter(|b| !matches!(b, b' ' | 0));
    digits.into_iter().try_fold(0u64, |n, b| {
        let digit = b.checked_sub(b'0').filter(|d| *d < 8)?;
        n.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

/// Files right in a folder, by name.
pub(super) fn folder(path: &Path, is_profile: &mut dyn FnMut(&Path) -> bool) -> std::io::Result<Vec<Member>> {
    let mut files: Vec<_> =
        std::fs::read_dir(path)?.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_file())).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let member = |(n, entry): (usize, std::fs::DirEntry)| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = entry.metadata().map_or(0, |m| m.len());
        let opens = n < MOST_LOOKED_AT && bytes > 0 && !name.starts_with('.') && is_profile(&entry.path());
        Member { name, bytes, opens }
    };
    Ok(files.into_iter().take(MOST_LISTED).enumerate().map(member).collect())
}

/// True for a folder that `inferscope fleet add` has written tables of many runs into.
#[must_use]
pub fn is_dataset(folder: &Path) -> bool {
    let is_table = |name: &std::ffi::OsStr| Path::new(name).extension().is_some_and(|e| e == "parquet");
    // Other programs call folders «runs», too.
    std::fs::read_dir(folder.join("runs"))
        .is_ok_and(|files| files.flatten().any(|f| is_table(&f.file_name())))
}

/// The error of a dataset where one profile is wanted.
pub(super) fn no_profile() -> ImportError {
    let error = ImportError::malformed("is a dataset of many runs, no profile");
    let error = ImportError { kind: ErrorKind::Unrecognised, ..error };
    match cfg!(feature = "fleet") {
        true => error.remedy("open it in the window, or ask `inferscope fleet ask`"),
        false => error.remedy("this build reads no datasets; one with the feature «fleet» does"),
    }
}

/// The error of what holds several profiles, or none.
pub(super) fn choose(what: &str, input: &Input, members: &[Member]) -> ImportError {
    let opening: Vec<&Member> = members.iter().filter(|m| m.opens).collect();
    let shown: Vec<&Member> = if opening.is_empty() { members.iter().collect() } else { opening.clone() };
    let names = shown.iter().take(NAMED).map(|m| format!("{} ({})", m.name, format::bytes(m.bytes as i64)));
    let mut names = names.collect::<Vec<_>>().join(", ");
    if shown.len() > NAMED {
        names = format!("{names} and {} more", shown.len() - NAMED);
    }
    let (kind, what) = match (opening.len(), members.len()) {
        (0, 0) => (ErrorKind::Unrecognised, format!("is {what} without files")),
        (0, _) => (
            ErrorKind::Unrecognised,
            format!("is {what}, and no file in it is a profile that is read (it has {names})"),
        ),
        (n, _) => {
            let example = format!("{}!{}", input.file_name(), opening[0].name);
            (
                ErrorKind::Several,
                format!(
                    "is {what} with {n} profiles; name one, as in «{example}», or all as one run by «!*»: {names}"
                ),
            )
        }
    };
    ImportError { kind, ..ImportError::malformed(what) }
}

/// Bytes as a reader.
pub(super) fn reader(bytes: Vec<u8>) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::testing::open_bytes;
    use super::*;
    use crate::import::{ErrorKind, open_whole};
    use crate::jobs::Job;

    fn data(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/archives/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn open_member(bytes: &[u8], member: &str) -> Result<crate::model::Profile, ImportError> {
        let whole = Input::Bytes("run.zip".into(), bytes.into());
        open_whole(&Input::Part(Box::new(whole), member.into()), &Job::new())
    }

    #[test]
    fn a_folder_is_a_dataset_by_its_tables() {
        let folder = std::env::temp_dir().join(format!("inferscope-is-dataset-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("runs/Dec01_host")).unwrap();
        assert!(!is_dataset(&folder), "TensorBoard's folder of runs");
        std::fs::write(folder.join("runs/0a1b.parquet"), "PAR1").unwrap();
        assert!(is_dataset(&folder));
        let e = open_whole(&Input::Path(folder.clone()), &Job::new()).unwrap_err();
        assert!(e.kind == ErrorKind::Unrecognised && e.to_string().contains("dataset of many runs"), "{e}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_only_profile_of_an_archive_opens_by_itself() {
        for name in ["one.zip", "one.tar", "one.tar.gz"] {
            let p = open_bytes(&data(name)).unwrap();
            assert_eq!((p.meta.format.as_str(), p.sample_count()), ("folded", 5), "{name}");
        }
    }

    #[test]
    fn of_several_one_must_be_named() {
        for name in ["two.zip", "two.tar"] {
            let bytes = data(name);
            let e = open_bytes(&bytes).unwrap_err();
            assert_eq!(e.kind, ErrorKind::Several, "{name}");
            let said = e.to_string();
            assert!(said.contains("2 profiles") && said.contains("unknown!run/stacks.txt"), "{said}");
            let members = Input::Bytes("x".into(), bytes.clone().into()).members().unwrap().unwrap();
            let opening: Vec<&str> = members.iter().filter(|m| m.opens).map(|m| m.name.as_str()).collect();
            assert_eq!(opening, ["run/stacks.txt", "run/trace.json.gz"]);
            assert_eq!(open_member(&bytes, "run/stacks.txt").unwrap().meta.format, "folded");
            assert_eq!(
                open_member(&bytes, "trace.json.gz").unwrap().meta.format,
                "chrome",
                "without its folder"
            );
            let missing = open_member(&bytes, "nothing").unwrap_err().to_string();
            assert!(missing.contains("no file called «nothing»; it has run/readme.txt"), "{missing}");
        }
    }

    #[test]
    fn paths_name_files_in_archives() {
        let archive = format!("{}/tests/data/archives/two.zip", env!("CARGO_MANIFEST_DIR"));
        let input = Input::named(Path::new(&format!("{archive}!run/stacks.txt")));
        assert_eq!(open_whole(&input, &Job::new()).unwrap().meta.format, "folded");
        assert!(matches!(Input::named(Path::new("/no/such!file")), Input::Path(_)));
        let folder = Path::new(&archive).parent().unwrap();
        let e = open_whole(&Input::Path(folder.to_owned()), &Job::new()).unwrap_err();
        assert_eq!(e.kind, ErrorKind::Several, "{e}");
    }

    #[test]
    fn archives_without_profiles_and_broken_ones_say_so() {
        let of = |bytes: &[u8]| open_bytes(bytes).unwrap_err().to_string();
        assert!(of(&data("none.zip")).contains("no file in it is a profile that is read (it has readme.txt"));
        let whole = data("two.zip");
        assert!(of(&whole[..100]).contains("broken zip archive"));
        for name in ["two.zip", "two.tar", "one.tar.gz"] {
            super::super::testing::damage(&data(name), drop);
        }
    }
}
