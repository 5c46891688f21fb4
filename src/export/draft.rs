//! Writing a file whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Most names that are tried for a draft. Drafts of killed programs may be left over.
const MOST_NAMES: u32 = 10_000;

/// Writes a file: first beside its place under a name that nobody else uses, then in its place, so that neither a
/// full disk nor a second writer nor a power cut leaves half a file under the name. A link stays a link. What is no
/// regular file (a pipe, `/dev/null`) is written to as it stands.
///
/// # Errors
/// When the system refuses or `write` fails; then what was there before stays, and no draft is left.
pub(super) fn replace<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let old = std::fs::metadata(&real).ok();
    if old.as_ref().is_some_and(|m| !m.is_file() && !m.is_dir()) {
        let mut out = BufWriter::new(OpenOptions::new().write(true).open(&real)?);
        write(&mut out)?;
        return Ok(out.flush()?);
    }
    let (file, draft) = Draft::create(&real)?;
    if let Some(old) = old.filter(std::fs::Metadata::is_file) {
        file.set_permissions(old.permissions())?;
    }
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    // The name must not point to the new file before its bytes are there.
    file.sync_all()?;
    drop(file);
    Ok(draft.take_place_of(&real)?)
}

/// Finds out whether [`replace`] could write to `path`.
pub(super) fn try_out(path: &Path) -> io::Result<()> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&real) {
        Ok(old) if old.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(old) if !old.is_file() => OpenOptions::new().write(true).open(&real).map(drop),
        _ => Draft::create(&real).map(drop),
    }
}

/// A file on its way; removed unless it takes its place.
struct Draft {
    path: PathBuf,
    done: bool,
}

impl Draft {
    fn create(target: &Path) -> io::Result<(File, Self)> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = folder(target);
        for _ in 0..MOST_NAMES {
            // Short, because the name of the target may be as long as the system allows.
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".inferscope-{}-{n}.part", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, Self { path, done: false })),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    fn take_place_of(mut self, target: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, target)?;
        self.done = true;
        // Not every system can do this for a folder; the file itself is safe either way.
        #[cfg(unix)]
        let _ = File::open(folder(target)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            // There is nothing better to do about a draft that cannot be removed.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("inferscope-draft-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn write(path: &Path, text: &str) -> io::Result<()> {
        replace(path, |out| out.write_all(text.as_bytes()))
    }

    #[test]
    fn writers_of_one_file_do_not_meet() {
        let folder = folder("race");
        let path = folder.join("out.json");
        let texts = ["a".repeat(300_000), "b".repeat(200_000)];
        std::thread::scope(|scope| {
            for text in &texts {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        replace::<io::Error>(path, |out| {
                            text.as_bytes().chunks(1000).try_for_each(|part| out.write_all(part))
                        })
                        .unwrap();
                        let found = std::fs::read_to_string(path).unwrap();
                        assert!(found.len() >= 200_000 && found.bytes().all(|b| b == found.as_bytes()[0]));
                    }
                });
            }
        });
        assert_eq!(names(&folder), ["out.json"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_fails_leaves_what_was_there() {
        let folder = folder("fails");
        let path = folder.join("out.json");
        write(&path, "old").unwrap();
        let failed = replace::<io::Error>(&path, |out| {
            out.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert!(write(&folder, "x").is_err() && try_out(&folder).is_err(), "a folder is no file");
        assert!(try_out(&path).is_ok() && try_out(&folder.join("new")).is_ok());
        let nowhere = folder.join("none/out.json");
        assert!(write(&nowhere, "x").is_err() && try_out(&nowhere).is_err());
        let long = folder.join("n".repeat(250));
        write(&long, "a name as long as the system allows").unwrap();
        assert_eq!(names(&folder), ["n".repeat(250).as_str(), "out.json"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay_and_devices_are_not_replaced() {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
        let folder = folder("special");
        let (real, link) = (folder.join("real"), folder.join("link"));
        write(&real, "old").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, &link).unwrap();
        write(&link, "new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        write(Path::new("/dev/null"), "x").unwrap();
        assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
