//! Reading a source file that a profile names.
//!
//! The name comes out of a file that anybody may have written. So only regular files of a bounded length
//! are read (no devices, no pipes), and a name that was joined to a folder must stay inside that folder,
//! links followed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest source file that is read, bytes.
pub const MAX_CODE: u64 = 8 << 20;

/// The text of a source file; bytes that are no UTF-8 become replacement characters. With `root` the file
/// must lie in that folder.
///
/// # Errors
/// A few words why not: «is not there», «is a folder» …
pub fn read_code(path: &Path, root: Option<&Path>) -> Result<String, String> {
    let refused = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => "is not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "may not be read".to_owned(),
        _ => format!("cannot be read ({e})"),
    };
    let real = path.canonicalize().map_err(refused)?;
    if let Some(root) = root {
        let root = root.canonicalize().map_err(refused)?;
        if !real.starts_with(&root) {
            return Err(format!("leads out of {}", root.display()));
        }
    }
    let meta = std::fs::metadata(&real).map_err(refused)?;
    if meta.is_dir() {
        return Err("is a folder".into());
    }
    // Opening a pipe would wait for its writer, a device may never end.
    if !meta.is_file() {
        return Err("is not a regular file".into());
    }
    if meta.len() > MAX_CODE {
        return Err(format!("is larger than {} MiB", MAX_CODE >> 20));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    File::open(&real).map_err(refused)?.take(MAX_CODE).read_to_end(&mut bytes).map_err(refused)?;
    if memchr::memchr(0, &bytes[..bytes.len().min(8192)]).is_some() {
        return Err("is not a text".into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(bytes).into_owned())
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
}
