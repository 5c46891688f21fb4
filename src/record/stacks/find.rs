//! Which processes of a tree are Python.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::record::processes::tree_of;

/// The processes of a tree, as they come.
pub(super) struct Finder {
    root: u32,
    children: bool,
    /// What each runs, as far as that was looked at; a process may become another program.
    known: BTreeMap<u32, Program>,
}

struct Program {
    began: u64,
    file: PathBuf,
    is_python: bool,
    looks: u32,
}

/// A program that is no Python may load one: it is asked at each of its first looks, then at one of so many.
const YOUNG: u32 = 50;

impl Finder {
    pub(super) fn new(root: u32, children: bool) -> Self {
        Self { root, children, known: BTreeMap::new() }
    }

    /// Those that have become Python since the last look.
    pub(super) fn look(&mut self) -> Vec<u32> {
        let mut pids = if self.children { tree_of(self.root) } else { vec![self.root] };
        // What is left of a tree whose middle has ended.
        pids.extend(self.known.keys().copied());
        pids.sort_unstable();
        pids.dedup();
        let mut found = Vec::new();
        for pid in pids {
            let (Some(began), Ok(file)) = (began(pid), fs::read_link(format!("/proc/{pid}/exe"))) else {
                self.known.remove(&pid);
                continue;
            };
            let known = self.known.get_mut(&pid).filter(|p| p.began == began && p.file == file);
            let looks = known.as_ref().map_or(0, |p| p.looks + 1);
            let asks = looks < YOUNG || looks.is_multiple_of(YOUNG);
            if let Some(program) = known {
                program.looks = looks;
                if program.is_python || !asks || !has_python(pid) {
                    continue;
                }
            }
            let is_python = is_interpreter(&file) || has_python(pid);
            self.known.insert(pid, Program { began, file, is_python, looks });
            if is_python {
                found.push(pid);
            }
        }
        found
    }
}

/// When a process began, in units of the system; `None` when it has ended.
pub(super) fn began(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = text.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn is_interpreter(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
}

/// Whether a process has Python as a library.
fn has_python(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains("/libpython"))
}

/// Whether a process is Python.
pub(super) fn is_python(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|file| is_interpreter(&file)) || has_python(pid)
}
