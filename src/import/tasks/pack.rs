//! Segments of a folder as one file.

use std::fs;
use std::path::{Path, PathBuf};

use super::records::MAGIC;

/// All segments together, bytes, and how many files are looked at.
const MOST_BYTES: u64 = 1 << 28;
const MOST_FILES: usize = 65_536;
/// The ending of a segment's name.
const ENDING: &str = "seg";
const SLOT: usize = 16;

/// Segments one after the other.
#[derive(Debug, Default)]
pub struct Packed {
    /// The file.
    pub bytes: Vec<u8>,
    /// Bytes that were too many.
    pub left_out: u64,
}

/// Puts the segments in `folder` one after the other, without the room at their ends that nobody wrote to. What is no segment is
/// passed over.
#[must_use]
pub fn pack(folder: &Path) -> Packed {
    let mut packed = Packed::default();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|e| e == ENDING);
    let mut paths: Vec<PathBuf> = entries.take(MOST_FILES).filter(is_segment).collect();
    paths.sort();
    for path in paths {
        let length = fs::symlink_metadata(&path).ok().filter(|m| m.is_file()).map_or(0, |m| m.len());
        if packed.bytes.len() as u64 + length > MOST_BYTES {
            packed.left_out = packed.left_out.saturating_add(length);
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        if bytes.starts_with(&MAGIC.to_le_bytes()) {
            let written = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
            packed.bytes.extend_from_slice(&bytes[..written.next_multiple_of(SLOT).min(bytes.len())]);
        }
    }
    packed
}
