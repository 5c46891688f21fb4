//! A file on another machine: parsed there, and shown here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::link::Link;
use super::wire::{Answer, Ask, Stream, Tell};
use super::{Address, Patience, Trouble};
use crate::export;
use crate::format;
use crate::import::{self, Details, Elsewhere, ErrorKind, ImportError, Input};
use crate::jobs::Job;
use crate::model::{Meta, Profile};

/// Longest session that is taken into memory.
const LONGEST_SESSION: u64 = 1 << 30;
/// Tries over links that break.
const TRIES: u32 = 4;
/// Pause before the second one.
const PAUSE: Duration = Duration::from_millis(500);
/// Units of progress.
const WHOLE: u64 = 1000;

/// What a path means that a person wrote, when it is a file on another machine; `None` for one of this machine, which goes before.
#[must_use]
pub fn input(path: &Path) -> Option<Result<Input, String>> {
    let address = Address::parse(path.to_str()?)?;
    if path.exists() {
        return None;
    }
    Some(address.map(|address| Input::Elsewhere(Arc::new(RemoteFile::new(address)))))
}

/// A file on another machine. One link serves all that is asked of it.
#[derive(Debug)]
pub struct RemoteFile {
    address: Address,
    link: Mutex<Option<Link>>,
}

impl RemoteFile {
    /// The file at an address; nothing is connected yet.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { address, link: Mutex::default() }
    }

    /// Does `what` over a link, again when that breaks.
    fn over_a_link<T>(
        &self,
        job: &Job,
        what: &mut dyn FnMut(&mut Link) -> Result<T, ImportError>,
    ) -> Result<T, ImportError> {
        let mut kept = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = 0;
        loop {
            tries += 1;
            let done = match kept.take() {
                Some(link) => Ok(link),
                None => {
                    Link::connect(&self.address.target, Patience::default(), &mut |_| !job.is_cancelled())
                        .map_err(|trouble| of_trouble(&trouble, job))
                }
            }
            .and_then(|mut link| what(&mut link).map(|done| (done, link)));
            match done {
                Ok((done, link)) => {
                    *kept = Some(link);
                    return Ok(done);
                }
                Err(e) if e.kind == ErrorKind::Io && tries < TRIES && e.remedy == LINK => {
                    std::thread::sleep(PAUSE * tries);
                }
                Err(e) if e.remedy == LINK => return Err(e.remedy("")),
                Err(e) => return Err(e),
            }
        }
    }

    /// Copies the file as it is into `folder`, under its name.
    ///
    /// # Errors
    /// When a file of this name is there, and when either side cannot.
    pub fn copy_to(&self, folder: &Path, job: &Job) -> Result<PathBuf, ImportError> {
        let path = folder.join(self.address.file_name());
        if path.exists() {
            let why = format!("is not copied: {} is there already", path.display());
            return Err(ImportError::malformed(why).remedy("move that away, or go to another folder"));
        }
        export::write_with(&path, |out| self.fetch(out, job))?;
        Ok(path)
    }

    /// Writes the file's bytes to `out`; after a broken link it goes on where it was.
    fn fetch(&self, out: &mut dyn Write, job: &Job) -> Result<(), ImportError> {
        let (mut came, mut size) = (0, None);
        self.over_a_link(job, &mut |link| {
            link.ask(&Ask::Fetch { path: self.address.path.clone(), from: came })
                .map_err(|t| of_trouble(&t, job))?;
            loop {
                match answer(link, job)? {
                    Answer::Tell(Tell::Size(now)) if *size.get_or_insert(now) == now => {}
                    Answer::Tell(Tell::Size(_)) => {
                        return Err(ImportError::malformed("changes while it is copied"));
                    }
                    Answer::Piece(piece) if piece.stream == Stream::File && piece.at == came => {
                        out.write_all(&piece.bytes)?;
                        came += piece.bytes.len() as u64;
                        job.checkpoint(came, size.unwrap_or(0))?;
                    }
                    Answer::Tell(Tell::Done) if Some(came) == size => return Ok(()),
                    Answer::Tell(Tell::Done) => {
                        return Err(ImportError::malformed("changes while it is copied"));
                    }
                    Answer::Tell(Tell::Failed { why, kind }) => return Err(refused(&why, kind.into())),
                    _ => return Err(ImportError::malformed(link.strange())),
                }
            }
        })
    }
}

impl Elsewhere for RemoteFile {
    fn label(&self) -> String {
        self.address.to_string()
    }

    fn file_name(&self) -> String {
        self.address.file_name()
    }

    fn open(&self, job: &Job) -> Result<Profile, ImportError> {
        let mut profile = self.over_a_link(job, &mut |link| {
            link.ask(&Ask::Open { path: self.address.path.clone() }).map_err(|t| of_trouble(&t, job))?;
            parsed(link, job)
        })?;
        if let Some(source) = &mut profile.meta.source {
            source.path = format!("{}:{}", self.address.target, source.path);
        }
        Ok(profile)
    }

    fn details(&self, meta: &Meta, offset: u64) -> Result<Details, ImportError> {
        let job = Job::new();
        let Some(source) = &meta.source else { return Ok(Details::new()) };
        let there = format!("{}:", self.address.target);
        let Some(path) = source.path.strip_prefix(&there).map(str::to_owned) else {
            return Ok(Details::new());
        };
        self.over_a_link(&job, &mut |link| {
            let (path, format, bytes) = (path.clone(), source.format.clone(), source.bytes);
            link.ask(&Ask::Details { path, format, bytes, offset }).map_err(|t| of_trouble(&t, &job))?;
            match answer(link, &job)? {
                Answer::Tell(Tell::Details(details)) => Ok(details),
                Answer::Tell(Tell::Failed { why, kind }) => Err(refused(&why, kind.into())),
                _ => Err(ImportError::malformed(link.strange())),
            }
        })
    }
}

/// Marks an error as one of a link, after which another try may do better.
const LINK: &str = "try again";

fn of_trouble(trouble: &Trouble, job: &Job) -> ImportError {
    let kind = if job.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Io };
    let remedy = if matches!(trouble, Trouble::Broken(_)) { LINK } else { "" };
    ImportError { kind, what: trouble.to_string(), place: None, remedy }
}

fn refused(why: &str, kind: ErrorKind) -> ImportError {
    ImportError { kind, what: format::plain(why).into_owned(), place: None, remedy: "" }
}

fn answer(link: &mut Link, job: &Job) -> Result<Answer, ImportError> {
    link.wait(&mut || !job.is_cancelled()).map_err(|trouble| of_trouble(&trouble, job))
}

/// The profile whose session comes over a link.
pub(super) fn parsed(link: &mut Link, job: &Job) -> Result<Profile, ImportError> {
    let (mut bytes, mut size) = (Vec::new(), None);
    loop {
        match answer(link, job)? {
            // Half of the progress is parsing there, half is the way.
            Answer::Tell(Tell::Reading(share)) => {
                job.checkpoint((f64::from(share.clamp(0.0, 1.0)) * 0.5 * WHOLE as f64) as u64, WHOLE)?;
            }
            Answer::Tell(Tell::Size(n)) if n <= LONGEST_SESSION && size.is_none() => size = Some(n),
            Answer::Tell(Tell::Size(_)) => {
                return Err(ImportError::malformed("has a session of more than 1 GiB")
                    .remedy("copy the file: --copy"));
            }
            Answer::Piece(piece) if piece.stream == Stream::File && piece.at == bytes.len() as u64 => {
                bytes.extend_from_slice(&piece.bytes);
                let size = size.unwrap_or(0);
                if bytes.len() as u64 > size {
                    return Err(ImportError::malformed(link.strange()));
                }
                job.checkpoint(WHOLE / 2 + bytes.len() as u64 * (WHOLE / 2) / size.max(1), WHOLE)?;
            }
            Answer::Tell(Tell::Done) if Some(bytes.len() as u64) == size => break,
            Answer::Tell(Tell::Failed { why, kind }) => return Err(refused(&why, kind.into())),
            _ => return Err(ImportError::malformed(link.strange())),
        }
    }
    import::open_whole(&Input::Bytes("session".into(), bytes.into()), job)
}
