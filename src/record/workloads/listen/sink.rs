//! Where exports go: into the recording, to a file from which they come back when the recorder is killed, and on to another server.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::HeaderMap;

use super::body::{Message, Unread, unpack};
use super::forward::{Export, Forward};
use crate::import::otlp::{Encoding, Received, Refusal, Signal, Told, file_name, framed, is_text};
use crate::record::secrets;

/// Bytes of all files.
const MOST_ON_DISK: u64 = 1 << 30;

/// The text of an attribute as it may be kept.
fn keep(name: &str, text: String) -> String {
    if !secrets::texts() && is_text(name) { secrets::left_out(&text) } else { secrets::field(name, text) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An export as it came.
pub(super) struct Came {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    /// How it is packed; empty for not at all.
    pub(super) coding: String,
    pub(super) message: Message,
    /// Only kept where it is passed on.
    pub(super) headers: HeaderMap,
}

/// Files by what they hold.
#[derive(Default)]
struct Files {
    folder: PathBuf,
    open: Vec<(Signal, Encoding, File)>,
    size: u64,
    /// Not all could be written, and why.
    failed: Option<String>,
}

impl Files {
    fn append(&mut self, message: &[u8], signal: Signal, encoding: Encoding) {
        let framed = framed(message, encoding);
        if self.failed.is_some() {
            return;
        }
        if self.size + framed.len() as u64 > MOST_ON_DISK {
            self.failed = Some("there is more than 1 GiB".into());
            return;
        }
        self.size += framed.len() as u64;
        if let Err(e) = self.file(signal, encoding).and_then(|file| file.write_all(&framed)) {
            self.failed = Some(e.to_string());
        }
    }

    fn file(&mut self, signal: Signal, encoding: Encoding) -> std::io::Result<&mut File> {
        let at = match self.open.iter().position(|(s, e, _)| (*s, *e) == (signal, encoding)) {
            Some(at) => at,
            None => {
                #[cfg_attr(not(unix), expect(unused_mut, reason = "folders of users are private there"))]
                let mut options = OpenOptions::new();
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let path = self.folder.join(file_name(signal, encoding));
                self.open.push((signal, encoding, options.create(true).append(true).open(path)?));
                self.open.len() - 1
            }
        };
        Ok(&mut self.open[at].2)
    }
}

/// Where exports go.
pub(super) struct Sink {
    pub(super) received: Arc<Received>,
    files: Option<Mutex<Files>>,
    pub(super) forward: Option<Forward>,
    /// What was refused: why, how often, and more of the first.
    refused: Mutex<Vec<(&'static str, u64, String)>>,
}

impl Sink {
    /// Holds at most about `most` bytes. In `folder` it keeps what comes; without one nothing is on any disk.
    pub(super) fn new(most: usize, folder: Option<&Path>, forward: Option<Forward>) -> Self {
        let files = folder.map(|folder| Mutex::new(Files { folder: folder.to_owned(), ..Files::default() }));
        Self { received: Arc::new(Received::new(most, keep)), files, forward, refused: Mutex::default() }
    }

    /// Takes an export; takes time that a large one needs to be read.
    pub(super) fn take(&self, came: Came) -> Result<Result<Told, Refusal>, Unread> {
        let Came { signal, encoding, coding, message, headers } = came;
        if let Some(forward) = &self.forward {
            forward.pass(Export {
                signal,
                encoding,
                coding: coding.clone(),
                bytes: message.bytes.clone().into(),
                headers,
            });
        }
        let plain = unpack(message, &coding)?;
        let write = || {
            if let Some(files) = &self.files {
                lock(files).append(&plain.bytes, signal, encoding);
            }
        };
        Ok(self.received.take(&plain.bytes, encoding, signal, write))
    }

    /// Counts what was not taken.
    pub(super) fn refuse(&self, kind: &'static str, more: &str) {
        let mut refused = lock(&self.refused);
        match refused.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, n, _)) => *n += 1,
            None => refused.push((kind, 1, more.to_owned())),
        }
    }

    /// What a person should know in the end: why, how often, and more of the first.
    pub(super) fn remarks(&self) -> Vec<(&'static str, u64, String)> {
        let mut remarks = lock(&self.refused).clone();
        if let Some(why) = self.files.as_ref().and_then(|files| lock(files).failed.clone()) {
            remarks.push((
                "not all that was sent could be written to disk; a crash would have lost it",
                1,
                why,
            ));
        }
        if let Some(forward) = &self.forward {
            remarks.extend(forward.failed());
        }
        remarks
    }
}
