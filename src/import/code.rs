//! Reading a source file that a profile names.
//!
//! The name comes out of a file that anybody may have written. So only regular files of a bounded length
//! are read (no devices, no pipes), and a name that was joined to a folder must stay inside that folder,
//! links followed.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Largest source file that is read, bytes.
pub const MAX_CODE: u64 = 8 << 20;

/// Why the system does not give a file, in a few words.
pub(super) fn refused(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => "is not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "may not be read".to_owned(),
        _ => format!("cannot be read ({e})"),
    }
}

/// Opens a regular file, and says how long it is. With `root` it must lie in that folder.
///
/// # Errors
/// A few words why not.
pub(super) fn open_regular(path: &Path, root: Option<&Path>) -> Result<(File, u64), String> {
    let real = path.canonicalize().map_err(|e| refused(&e))?;
    if let Some(root) = root {
        let root = root.canonicalize().map_err(|e| refused(&e))?;
        if !real.starts_with(&root) {
            return Err(format!("leads out of {}", root.display()));
        }
    }
    let meta = std::fs::metadata(&real).map_err(|e| refused(&e))?;
    if meta.is_dir() {
        return Err("is a folder".into());
    }
    // Opening a pipe would wait for its writer, a device may never end.
    if !meta.is_file() {
        return Err("is not a regular file".into());
    }
    Ok((File::open(&real).map_err(|e| refused(&e))?, meta.len()))
}

/// The text of a source file; bytes that are no UTF-8 become replacement characters. With `root` the file
/// must lie in that folder.
///
/// # Errors
/// A few words why not: «is not there», «is a folder» …
pub fn read_code(path: &Path, root: Option<&Path>) -> Result<String, String> {
    let (mut file, length) = open_regular(path, root)?;
    if length > MAX_CODE {
        return Err(format!("is larger than {} MiB", MAX_CODE >> 20));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.by_ref().take(MAX_CODE).read_to_end(&mut bytes).map_err(|e| refused(&e))?;
    if memchr::memchr(0, &bytes[..bytes.len().min(8192)]).is_some() {
        return Err("is not a text".into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Endings of source texts.
const SOURCE_ENDINGS: &[&str] = &[
    "asm", "c", "cc", "clj", "cpp", "cs", "cu", "cuh", "cxx", "d", "dart", "ex", "exs", "erl", "f", "f03",
    "f08", "f90", "f95", "for", "fs", "go", "h", "hh", "hpp", "hs", "hxx", "inc", "inl", "java", "jl", "js",
    "jsx", "kt", "lua", "m", "metal", "mjs", "ml", "mm", "nim", "php", "pl", "pm", "pxd", "pxi", "py", "pyi",
    "pyw", "pyx", "r", "rb", "rs", "s", "scala", "swift", "ts", "tsx", "v", "zig",
];

/// Folders of the system: what is in them is nobody's source.
const SYSTEM: &[&str] =
    &["/boot", "/dev", "/etc", "/private/etc", "/proc", "/run", "/sys", "/var/log", "/var/spool"];

/// Where source texts may be taken from that are given away with a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct SourceFolders {
    /// The folder of the profile.
    pub beside: Option<PathBuf>,
    /// Files and folders that the person has chosen.
    pub chosen: Vec<PathBuf>,
    /// Any folder: the names come from a program that was just recorded here, not from a file.
    pub any: bool,
}

/// Whether the file `real` (links followed) is one of source text, by its ending and its folder.
fn is_source(real: &Path) -> Result<(), &'static str> {
    let ending = real.extension().and_then(|e| e.to_str()).map(str::to_lowercase).unwrap_or_default();
    if !SOURCE_ENDINGS.contains(&ending.as_str()) {
        return Err("has not the ending of a source text");
    }
    if SYSTEM.iter().any(|folder| real.starts_with(folder)) {
        return Err("is in a folder of the system");
    }
    Ok(())
}

/// Whether lines of the file `path`, which a profile names, may be shown to somebody who did not name it themselves, such as a
/// coding agent. The profile may be anybody's: so only source texts, links followed, no keys. Packages in hidden folders
/// (`.venv`, `.cargo`) are sources as well.
///
/// # Errors
/// A few words why not.
pub fn may_be_shown(path: &Path, text: &str) -> Result<(), &'static str> {
    is_source(&path.canonicalize().map_err(|_| "is not there")?)?;
    if text.contains("PRIVATE KEY-----") { Err("holds a private key") } else { Ok(()) }
}

/// Whether the text of the file `path`, which a profile names, may become part of a session. The profile may be
/// anybody's, and the session will be given away: so only source texts, only from known folders, links followed, and
/// never what the system or a hidden folder holds.
///
/// # Errors
/// A few words why not.
pub fn may_be_given(path: &Path, text: &str, folders: &SourceFolders) -> Result<(), &'static str> {
    let real = path.canonicalize().map_err(|_| "is not there")?;
    is_source(&real)?;
    let hidden = |path: &Path| {
        let dotted = |c| matches!(c, Component::Normal(name) if name.to_string_lossy().starts_with('.'));
        path.components().any(dotted)
    };
    let below = |folder: &Path| {
        let folder = folder.canonicalize().ok()?;
        real.strip_prefix(&folder).ok().map(Path::to_owned)
    };
    let chosen = folders.chosen.iter().find_map(|folder| below(folder));
    // Whoever chose a folder knows what it is called.
    if chosen.as_deref().map_or_else(|| hidden(&real), hidden) {
        return Err("is hidden or in a hidden folder");
    }
    let beside = folders.beside.as_deref().and_then(below);
    if chosen.is_none() && beside.is_none() && !folders.any {
        return Err("is neither below the profile's folder nor below a chosen one");
    }
    // In what was recorded here, keys are masked, and the rest is wanted.
    if text.contains("PRIVATE KEY-----") && !folders.any {
        return Err("holds a private key");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_inside_the_folder_are_read() {
        let folder = std::env::temp_dir().join(format!("inferscope-code-{}", std::process::id()));
        let inner = folder.join("project");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.join("secret.txt"), "secret").unwrap();
        std::fs::write(inner.join("a.py"), b"\xef\xbb\xbfx = 1\n\xff").unwrap();
        std::fs::write(inner.join("a.bin"), b"ELF\0").unwrap();
        std::fs::write(inner.join("big.c"), vec![b' '; MAX_CODE as usize + 1]).unwrap();
        let read = |name: &str| read_code(&inner.join(name), Some(&inner));
        assert_eq!(read("a.py").unwrap(), "x = 1\n\u{fffd}");
        assert_eq!(read("a.bin").unwrap_err(), "is not a text");
        assert_eq!(read("b.py").unwrap_err(), "is not there");
        assert_eq!(read("").unwrap_err(), "is a folder");
        assert_eq!(read("big.c").unwrap_err(), "is larger than 8 MiB");
        assert!(read("../secret.txt").unwrap_err().starts_with("leads out of"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.join("secret.txt"), inner.join("link.py")).unwrap();
            assert!(read("link.py").unwrap_err().starts_with("leads out of"));
            assert_eq!(
                read_code(Path::new("/dev/zero"), None).unwrap_err(),
                "is not a regular file",
                "a device never ends"
            );
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_sources_are_shown() {
        let folder = std::env::temp_dir().join(format!("inferscope-shown-{}", std::process::id()));
        std::fs::create_dir_all(folder.join(".venv")).unwrap();
        let may = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).unwrap();
            may_be_shown(&folder.join(name), text)
        };
        assert!(may("a.py", "x = 1").is_ok() && may(".venv/b.py", "x = 1").is_ok());
        assert!(may("id_ed25519", "x").is_err() && may("secrets.env", "x").is_err());
        assert!(may("key.py", "-----BEGIN PRIVATE KEY-----").is_err());
        assert!(may_be_shown(Path::new("/etc/passwd"), "").is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_sources_of_known_folders_are_given_away() {
        let folder = std::env::temp_dir().join(format!("inferscope-give-{}", std::process::id()));
        let (project, other) = (folder.join("project"), folder.join("other"));
        for name in ["project/.ssh", "project/.venv/lib", "project/src", "other/.hidden/lib"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let files = [
            "project/src/a.py",
            "project/b.rs",
            "project/.ssh/id_rsa",
            "project/.ssh/key.py",
            "project/id_rsa",
            "project/.env",
            "project/.venv/lib/c.py",
            "project/deploy.pem",
            "project/notes.txt",
            "project/key.py",
            "other/d.py",
            "other/.hidden/lib/e.py",
        ];
        for file in files {
            let key =
                if file == "project/key.py" { "K = '-----BEGIN RSA PRIVATE KEY-----'" } else { "x = 1" };
            std::fs::write(folder.join(file), key).unwrap();
        }
        let given = |beside: Option<&Path>, chosen: &[&Path], any: bool| -> Vec<&str> {
            let chosen = chosen.iter().map(|&p| p.to_owned()).collect();
            let folders = SourceFolders { beside: beside.map(Path::to_owned), chosen, any };
            let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
            let may = |file: &&str| may_be_given(&folder.join(file), &text(file), &folders).is_ok();
            files.into_iter().filter(may).collect()
        };
        assert_eq!(given(Some(&project), &[], false), ["project/src/a.py", "project/b.rs"]);
        assert_eq!(given(None, &[], false), [""; 0], "a profile of anywhere names nothing by itself");
        assert_eq!(given(None, &[&other], false), ["other/d.py"]);
        assert_eq!(given(None, &[&other.join("d.py")], false), ["other/d.py"]);
        assert_eq!(
            given(None, &[&other.join(".hidden")], false),
            ["other/.hidden/lib/e.py"],
            "it was chosen"
        );
        let recorded = given(None, &[], true);
        assert_eq!(recorded, ["project/src/a.py", "project/b.rs", "project/key.py", "other/d.py"]);
        assert_eq!(
            given(Some(Path::new("/")), &[], false),
            ["project/src/a.py", "project/b.rs", "other/d.py"]
        );
        for file in ["/etc/passwd", "/etc/ssl/openssl.cnf", "/proc/self/environ"] {
            let chosen = vec!["/".into(), "/etc".into()];
            let folders = SourceFolders { chosen, any: true, ..SourceFolders::default() };
            assert!(may_be_given(Path::new(file), "", &folders).is_err(), "{file}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(project.join(".ssh/id_rsa"), project.join("link.py")).unwrap();
            std::os::unix::fs::symlink(other.join("d.py"), project.join("out.py")).unwrap();
            let folders = SourceFolders { beside: Some(project.clone()), ..SourceFolders::default() };
            for link in ["link.py", "out.py"] {
                assert!(may_be_given(&project.join(link), "", &folders).is_err(), "{link}");
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
