//! The other side: `inferscope remote`, which serves one client on its standard streams and ends with it.
//!
//! One thread reads what is asked; this one does it, a piece at a time, so that «stop» and «are you there» are heard in the
//! middle of a long answer. Nothing is written but to the client, and to it only as fast as it reads.

mod follow;
mod parse;
mod send;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::bootstrap::HASH_LEN;
use super::post::{self, Post, Wish};
use super::wire::{self, Ask, Hello, Kind, Listed, MOST_LISTED, START, Tell, asked, tell};
use crate::format::{self, LONGEST_NAME};
use crate::import::{self, ImportError, Input};
use crate::jobs;
use crate::model::{Meta, SourceFile};
use crate::record::journal;
use follow::Following;
use parse::Parsing;
use send::Sending;

/// Time between two looks at what grows.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A client that says nothing for so long has gone, though nobody has told us.
const DESERTED: Duration = Duration::from_secs(15 * 60);
/// Questions that may wait.
const MOST_WAITING: usize = 16;

/// Where things are on this side.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder with journals.
    pub journals: Option<PathBuf>,
    /// The folder with those of recordings, see [`post`].
    pub posts: PathBuf,
    /// The program that records.
    pub program: PathBuf,
}

impl Places {
    /// The usual ones. Where a program that was put there finds that the user's folder cannot be written, those beside it.
    ///
    /// # Errors
    /// One line, when this system has no place for them.
    pub fn usual() -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|e| format!("the program cannot find itself: {e}"))?;
        let can_be_written = |folder: &PathBuf| journal::prepare(folder).is_ok();
        let beside = program.parent().filter(|folder| is_put_here(folder)).and_then(Path::parent);
        if let Some(beside) = beside
            && !journal::folder().as_ref().is_some_and(can_be_written)
        {
            let (journals, posts) = (Some(beside.join("journal")), beside.join("remote"));
            return Ok(Self { journals, posts, program });
        }
        let posts = post::root().ok_or("this system has no place for recordings: set XDG_STATE_HOME")?;
        Ok(Self { journals: journal::folder(), posts, program })
    }

    /// The journal of that name.
    fn journal(&self, name: &str) -> Result<PathBuf, String> {
        let plain = Path::new(name).file_name().is_some_and(|n| n == name);
        let ours = Path::new(name).extension().is_some_and(|e| e == crate::model::wire::journal::EXTENSION);
        let path = self.journals.as_ref().filter(|_| plain && ours).map(|folder| folder.join(name));
        path.filter(|path| path.is_file()).ok_or_else(|| format!("there is no journal «{name}»"))
    }
}

/// How far a piece of work is.
enum Step {
    /// It did something and can go on at once.
    Busy,
    /// There is nothing to do yet.
    Waiting,
    Done,
}

/// What is being answered.
trait Work {
    /// Does a piece of it.
    fn step(&mut self, out: &mut dyn Write) -> io::Result<Step>;
}

/// Serves the client on these streams until it has gone.
///
/// # Errors
/// When it cannot be told anything.
pub fn serve(places: &Places, input: impl Read + Send + 'static, out: &mut dyn Write) -> io::Result<()> {
    post::clear(&places.posts);
    clear_beside(&places.program);
    out.write_all(START)?;
    tell(out, &Tell::Hello(hello()))?;
    let (heard, inbox) = mpsc::sync_channel(MOST_WAITING);
    jobs::spawn("remote input", move || {
        let mut input = io::BufReader::new(input);
        loop {
            let next = asked(&mut input).transpose();
            let (end, last) = (next.is_none(), next.as_ref().is_some_and(Result::is_err));
            if end || next.is_some_and(|next| heard.send(next).is_err()) || last {
                return;
            }
        }
    });
    match answer_all(places, &inbox, out) {
        // It has gone, which is how it ends.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn answer_all(places: &Places, inbox: &Receiver<io::Result<Ask>>, out: &mut dyn Write) -> io::Result<()> {
    let mut work: Option<Box<dyn Work>> = None;
    let mut busy = false;
    let mut heard = Instant::now();
    loop {
        let wait = match (&work, busy) {
            (Some(_), true) => Duration::ZERO,
            (Some(_), false) => LOOK_EVERY,
            (None, _) => DESERTED,
        };
        match inbox.recv_timeout(wait) {
            Ok(Ok(ask)) => {
                heard = Instant::now();
                match obey(places, ask) {
                    Ok(Reply::Nothing) => {}
                    Ok(Reply::Now(told)) => tell(out, &told)?,
                    Ok(Reply::Long(begun)) => (work, busy) = (begun, true),
                    Err(no) => tell(out, &Tell::Failed { why: no.why, kind: no.kind })?,
                }
            }
            Ok(Err(e)) => return tell(out, &Tell::Failed { why: e.to_string(), kind: Kind::Malformed }),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if heard.elapsed() >= DESERTED => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(now) = &mut work {
            match now.step(out)? {
                Step::Busy => busy = true,
                Step::Waiting => busy = false,
                Step::Done => work = None,
            }
        }
    }
}

/// What a question leads to.
enum Reply {
    Nothing,
    Now(Tell),
    /// This is done from now on, and what was being done is not.
    Long(Option<Box<dyn Work>>),
}

/// Why not.
struct No {
    why: String,
    kind: Kind,
}

impl From<String> for No {
    fn from(why: String) -> Self {
        Self { why, kind: Kind::Io }
    }
}

impl From<ImportError> for No {
    fn from(e: ImportError) -> Self {
        Self { why: e.to_string(), kind: e.kind.into() }
    }
}

fn long(work: impl Work + 'static) -> Reply {
    Reply::Long(Some(Box::new(work)))
}

/// Does what is done at once, or begins what takes its time.
fn obey(places: &Places, ask: Ask) -> Result<Reply, No> {
    Ok(match ask {
        Ask::Ping => Reply::Now(Tell::Pong),
        Ask::Enough => Reply::Long(None),
        Ask::List => Reply::Now(Tell::Journals(listed(places))),
        Ask::Record { id, words } => {
            record(places, &id, &words)?;
            Reply::Now(Tell::Begun)
        }
        Ask::Follow { id, journal, out, err } => {
            long(Following::begin(Post::named(&places.posts, &id)?, journal, out, err)?)
        }
        Ask::Stop { id } => wish(places, &id, Wish::Stop)?,
        Ask::Cancel { id } => wish(places, &id, Wish::Cancel)?,
        Ask::Open { path } => long(Parsing::begin(Input::named(&expanded(&path)))),
        Ask::Bring { journal } => long(Parsing::begin(Input::Path(places.journal(&journal)?))),
        Ask::Details { path, format, bytes, offset } => {
            let source = Some(SourceFile { path: path.clone(), format: format.clone(), bytes });
            let meta = Meta { format, source, ..Meta::default() };
            Reply::Now(Tell::Details(import::details(&Input::Path(path.into()), &meta, offset)?))
        }
        Ask::Fetch { path, from } => long(Sending::file(&expanded(&path), from)?),
        Ask::Remove { journal } => {
            remove(places, &journal)?;
            Reply::Now(Tell::Done)
        }
    })
}

/// Starts a recording, unless that was done before.
fn record(places: &Places, id: &str, words: &[String]) -> Result<(), String> {
    let post = Post::named(&places.posts, id)?;
    if post.is_there() {
        return Ok(());
    }
    post.start(&places.program, places.journals.as_deref(), words).map_err(|e| {
        format!(
            "the recorder does not start: {}: {e}; set XDG_STATE_HOME there to a folder that can be written, as in \
             cmd:ssh HOST env XDG_STATE_HOME=/scratch sh",
            places.posts.display()
        )
    })
}

fn wish(places: &Places, id: &str, wish: Wish) -> Result<Reply, No> {
    let wished = Post::named(&places.posts, id)?.wish(wish);
    wished.map(|()| Reply::Nothing).map_err(|e| format!("the recording cannot be told: {e}").into())
}

/// Journals of recordings that go on, and of those that ended, newest first.
fn listed(places: &Places) -> Vec<Listed> {
    let Some(folder) = &places.journals else { return Vec::new() };
    let mut found: Vec<Listed> = journal::all(folder)
        .into_iter()
        .filter_map(|(journal, living)| {
            Some(Listed {
                journal: journal.path.file_name()?.to_str()?.to_owned(),
                title: format::short(&journal.title, LONGEST_NAME).into_owned(),
                began_unix_ns: journal.began_unix_ns,
                bytes: journal.bytes,
                ended: journal.ended,
                living,
            })
        })
        .collect();
    found.truncate(MOST_LISTED);
    found
}

/// Removes a journal that nobody writes, with what is kept of its recording.
fn remove(places: &Places, name: &str) -> Result<(), String> {
    let path = places.journal(name)?;
    if places.journals.as_deref().is_some_and(|f| !journal::unsaved(f).iter().any(|u| u.path == path)) {
        return Err(format!("{name} is being written"));
    }
    journal::remove(&path).map_err(|e| format!("{name} cannot be removed: {e}"))?;
    post::forget(&places.posts, &path);
    Ok(())
}

/// «~/» is the home folder, as in a shell.
fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), dirs::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

fn hello() -> Hello {
    Hello {
        version: wire::version(),
        program: env!("CARGO_PKG_VERSION").into(),
        os: std::env::consts::OS.into(),
        arch: std::env::consts::ARCH.into(),
        host: sysinfo::System::host_name().unwrap_or_default(),
    }
}

/// Whether a folder is one for a program that was sent: its name tells the program's bytes.
fn is_put_here(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    name.len() == HASH_LEN
        && name.chars().all(|c| c.is_ascii_hexdigit())
        && folder.join("inferscope").is_file()
}

/// Removes other versions of this program that were put beside it, except the newest.
fn clear_beside(program: &Path) {
    let Some(own) = program.parent().filter(|folder| is_put_here(folder)) else { return };
    let Some(entries) = own.parent().and_then(|folder| std::fs::read_dir(folder).ok()) else { return };
    let others = entries.flatten().map(|e| e.path()).filter(|path| path != own && is_put_here(path));
    let mut others: Vec<_> =
        others.map(|path| (path.metadata().and_then(|m| m.modified()).ok(), path)).collect();
    others.sort();
    others.pop();
    for (_, folder) in others {
        // A recorder that runs from it goes on without the file.
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests;
