//! The folder of a recording that is made for somebody on another machine: how the recorder and the helper, two processes
//! that may die at any time, tell each other what is.
//!
//! ```text
//! STATE/inferscope/remote/ID/   nobody but the user may look into it
//!   lock        held by the recorder as long as it lives
//!   state.json  how it gets on, written by the recorder, whole or not at all
//!   out, err    what the recorder and the program write
//!   stop, cancel  made by a helper: end it; throw it away
//! ```
//! The journal lies where journals do, so that it is found without any of this.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::wire::State;
use crate::jobs;
use crate::record::journal::private;

const LOCK: &str = "lock";
const STATE: &str = "state.json";
const OUT: &str = "out";
const ERR: &str = "err";
const STOP: &str = "stop";
const CANCEL: &str = "cancel";

/// Bytes of output that a recorder passes on: they wait on the disk for somebody who may never come.
pub const MOST_OUTPUT: u64 = 64 << 20;
/// Longest name.
const LONGEST: usize = 64;
/// Time in which a recorder that was started takes its lock.
const STARTING: Duration = Duration::from_secs(20);
/// Folders of recordings that ended so long ago are removed.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Bytes of standard error that are looked at for the last line.
const TAIL: u64 = 4 << 10;

/// Where such folders are; `None` when the system has no place for them.
#[must_use]
pub fn root() -> Option<PathBuf> {
    Some(dirs::state_dir().or_else(dirs::data_local_dir)?.join("inferscope").join("remote"))
}

/// What somebody wishes of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Nothing: it goes on.
    None,
    /// End it and keep it.
    Stop,
    /// End it and throw it away.
    Cancel,
}

/// The folder of one recording.
#[derive(Clone, Debug)]
pub struct Post {
    folder: PathBuf,
}

impl Post {
    /// The folder `folder`, whether it is there or not.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder of the recording called `id`.
    ///
    /// # Errors
    /// When that is no name.
    pub fn named(root: &Path, id: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || id.len() > LONGEST || !id.chars().all(plain) {
            return Err("that is no name of a recording".into());
        }
        Ok(Self::at(&root.join(id)))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// True when a recording of this name was started.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.folder.is_dir()
    }

    /// Starts `program record` with these words as a process that outlives us, and keeps its journal in `journals`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start(&self, program: &Path, journals: Option<&Path>, words: &[String]) -> io::Result<()> {
        make_private(&self.folder)?;
        private().create(true).truncate(true).write(true).open(self.file(LOCK))?;
        let stream = |name| private().create(true).append(true).open(self.file(name));
        let mut command = Command::new(program);
        command.arg("record").arg("--apart").arg(&self.folder);
        if let Some(journals) = journals {
            command.arg("--journal").arg(journals);
        }
        command.args(words);
        command.stdin(Stdio::null()).stdout(stream(OUT)?).stderr(stream(ERR)?);
        let mut child = command.spawn()?;
        // It may end before us, and then it is ours to bury.
        jobs::spawn("recorder's end", move || child.wait());
        Ok(())
    }

    /// True while its recorder lives, or may just be starting.
    #[must_use]
    pub fn is_living(&self) -> bool {
        let Ok(lock) = File::open(self.file(LOCK)) else { return false };
        if matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)) {
            return true;
        }
        let age = lock.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        !self.state().ended
            && !self.was_begun()
            && age.is_some_and(|age| age < STARTING)
            && self.last_said().is_empty()
    }

    fn was_begun(&self) -> bool {
        self.file(STATE).exists()
    }

    /// How it gets on, as far as its recorder has said.
    #[must_use]
    pub fn state(&self) -> State {
        std::fs::read(self.file(STATE)).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default()
    }

    /// Wishes something of it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn wish(&self, wish: Wish) -> io::Result<()> {
        let name = match wish {
            Wish::None => return Ok(()),
            Wish::Stop => STOP,
            Wish::Cancel => CANCEL,
        };
        private().create(true).truncate(true).write(true).open(self.file(name)).map(drop)
    }

    /// What of its output is new behind byte `at` of a stream, at most `most` bytes.
    pub(super) fn output(&self, err: bool, at: u64, most: usize) -> Vec<u8> {
        read_at(&self.file(if err { ERR } else { OUT }), at, most as u64).unwrap_or_default()
    }

    /// The last line that the recorder said.
    #[must_use]
    pub fn last_said(&self) -> String {
        let path = self.file(ERR);
        let length = path.metadata().map_or(0, |m| m.len());
        let tail = read_at(&path, length.saturating_sub(TAIL), TAIL).unwrap_or_default();
        let text = String::from_utf8_lossy(&tail).into_owned();
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        last.strip_prefix("inferscope: ").unwrap_or(last).to_owned()
    }

    /// Removes it.
    pub fn remove(&self) {
        // What cannot be removed is tried again when it is stale.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn read_at(path: &Path, at: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What the recorder does with its folder.
#[derive(Debug)]
pub struct Keeper {
    post: Post,
    /// Locked as long as we live.
    _lock: File,
}

impl Keeper {
    /// Makes this process the recorder of `folder`, in a session of its own: no end of a terminal, a link or a parent
    /// reaches it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        // Fails for the first of a group, which no child of a helper is; then there is a terminal to whom it belongs.
        let _ = rustix::process::setsid();
        let lock = OpenOptions::new().write(true).open(folder.join(LOCK))?;
        lock.lock()?;
        Ok(Self { post: Post::at(folder), _lock: lock })
    }

    /// Says how it gets on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn say(&self, state: &State) -> io::Result<()> {
        let part = self.post.file("state.part");
        let mut file = private().create(true).truncate(true).write(true).open(&part)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        std::fs::rename(part, self.post.file(STATE))
    }

    /// What is wished.
    #[must_use]
    pub fn wished(&self) -> Wish {
        let is = |name| self.post.file(name).exists();
        if is(CANCEL) {
            Wish::Cancel
        } else if is(STOP) {
            Wish::Stop
        } else {
            Wish::None
        }
    }
}

/// Removes the folders of recordings that ended long ago.
pub(super) fn clear(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for post in entries.flatten().map(|e| Post::at(&e.path())) {
        let age = post.folder.metadata().and_then(|m| m.modified()).ok();
        let old = age.and_then(|t| SystemTime::now().duration_since(t).ok()).is_some_and(|age| age > STALE);
        if old && !post.is_living() {
            post.remove();
        }
    }
}

/// Removes the folder of the recording whose journal that is.
pub(super) fn forget(root: &Path, journal: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for post in entries.flatten().map(|e| Post::at(&e.path())) {
        if post.state().journal.as_deref() == Some(journal) && !post.is_living() {
            post.remove();
        }
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorder_and_its_helper_understand_each_other() {
        let root = std::env::temp_dir().join(format!("inferscope-post-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for bad in ["", "..", "a/b", "A", "a b", &"a".repeat(65)] {
            assert!(Post::named(&root, bad).is_err(), "{bad}");
        }
        let post = Post::named(&root, "1-a").unwrap();
        assert!(!post.is_there() && !post.is_living());
        // A program that ends at once, with a word.
        post.start(Path::new("/bin/echo"), None, &[]).unwrap();
        assert!(post.is_there());
        let keeper = Keeper::begin(&root.join("1-a")).unwrap();
        assert!(post.is_living() && keeper.wished() == Wish::None && post.state() == State::default());
        let state = State { spans: 7, journal: Some(root.join("x.journal")), ..State::default() };
        keeper.say(&state).unwrap();
        assert_eq!(post.state(), state);
        post.wish(Wish::Stop).unwrap();
        assert_eq!(keeper.wished(), Wish::Stop);
        post.wish(Wish::Cancel).unwrap();
        assert_eq!(keeper.wished(), Wish::Cancel);
        forget(&root, &root.join("x.journal"));
        assert!(post.is_there(), "it lives");
        drop(keeper);
        assert!(!post.is_living());
        std::fs::write(root.join("1-a/err"), "one\ninferscope: no such thing\n\n").unwrap();
        assert_eq!(post.last_said(), "no such thing");
        assert_eq!(post.output(true, 4, 3), b"inf");
        clear(&root);
        assert!(post.is_there(), "it is not old");
        forget(&root, &root.join("x.journal"));
        assert!(!post.is_there());
        std::fs::remove_dir_all(&root).unwrap();
    }
}
