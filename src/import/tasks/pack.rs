//! What processes left in a folder as one file: stacks first, then segments.

use std::fs;
use std::path::{Path, PathBuf};

use super::records::MAGIC;
use crate::import::stacks;

/// All segments together, bytes, and how many files are looked at.
const MOST_BYTES: u64 = 1 << 28;
const MOST_FILES: usize = 65_536;
/// The ending of a segment's name.
const ENDING: &str = "seg";
const SLOT: usize = 16;

/// Before the text of sampled stacks, with its length behind it. Texts are filled up to whole slots.
pub(super) const STACKS: u64 = u64::from_le_bytes(*b"ISTACK1\x01");

/// Stacks and segments one after the other.
#[derive(Debug, Default)]
pub struct Packed {
    /// The file.
    pub bytes: Vec<u8>,
    /// Bytes that were too many.
    pub left_out: u64,
}

/// The segments of a file, without the room at the end of each that nobody wrote to.
fn segments(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts = (0..bytes.len()).step_by(SLOT).filter(|at| bytes[*at..].starts_with(&MAGIC.to_le_bytes()));
    let starts: Vec<usize> = starts.collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([bytes.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| {
        let segment = &bytes[start..end];
        let written = segment.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        &segment[..written.next_multiple_of(SLOT).min(segment.len())]
    })
}

/// Puts what processes left in `folder` one after the other, segments without the room at their ends that nobody wrote to. What is
/// neither is passed over.
#[must_use]
pub fn pack(folder: &Path) -> Packed {
    let mut packed = Packed::default();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.take(MOST_FILES).collect();
    paths.sort();
    let is = |path: &Path, ending: &str| path.extension().is_some_and(|e| e == ending);
    for path in paths.iter().filter(|path| is(path, stacks::EXTENSION)) {
        let Some(bytes) = packed.read(path).filter(|b| b.starts_with(stacks::BEGIN.as_bytes())) else {
            continue;
        };
        packed.bytes.extend_from_slice(&STACKS.to_le_bytes());
        packed.bytes.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        packed.bytes.extend_from_slice(&bytes);
        packed.bytes.resize(packed.bytes.len().next_multiple_of(SLOT), 0);
    }
    for path in paths.iter().filter(|path| is(path, ENDING)) {
        let Some(bytes) = packed.read(path) else { continue };
        if bytes.starts_with(&MAGIC.to_le_bytes()) {
            segments(&bytes).for_each(|segment| packed.bytes.extend_from_slice(segment));
        }
    }
    packed
}

impl Packed {
    /// A file, when there is room for it.
    fn read(&mut self, path: &Path) -> Option<Vec<u8>> {
        let length = fs::symlink_metadata(path).ok().filter(|m| m.is_file()).map_or(0, |m| m.len());
        if self.bytes.len() as u64 + length > MOST_BYTES {
            self.left_out = self.left_out.saturating_add(length);
            return None;
        }
        fs::read(path).ok()
    }
}

/// The texts of a file, and its segments.
pub(super) fn unpack(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut texts, mut rest) = (Vec::new(), bytes);
    while let Some(after) = rest.strip_prefix(&STACKS.to_le_bytes()) {
        let Some((length, after)) = after.split_first_chunk() else { break };
        // A file may be cut.
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX).min(after.len());
        texts.push(&after[..length]);
        rest = after.get(length.next_multiple_of(SLOT)..).unwrap_or_default();
    }
    (texts, rest)
}
