//! Writing profiles: the native session, and the formats of other viewers.
//!
//! One list, [`FORMATS`], feeds menus and the command line. A format that cannot hold a profile says why
//! instead of writing something made up.

pub mod chrome;
pub mod folded;
pub mod native;
pub mod speedscope;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::model::{MetricId, Profile, Sources};

/// Choices that some formats offer.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The metric to write where a format holds only one; the profile's first that has values when `None`.
    pub metric: Option<MetricId>,
    /// Source texts to write into a session instead of those that the profile carries.
    pub sources: Option<Sources>,
}

/// Why a profile was not written.
#[derive(Debug)]
pub enum ExportError {
    /// The system could not write.
    Io(std::io::Error),
    /// The format cannot hold this profile; the text says why and what to use instead.
    Unsupported(String),
}

impl std::fmt::Display for ExportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(e) => write!(f, "cannot be written ({e})"),
            Self::Unsupported(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<std::io::Error> for ExportError {
    fn from(e: std::io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<serde_json::Error> for ExportError {
    fn from(e: serde_json::Error) -> Self {
        Self::Io(e.into())
    }
}

/// A format to write.
pub struct Format {
    /// Short stable name, for the command line.
    pub id: &'static str,
    /// What a person calls it.
    pub title: &'static str,
    /// Usual file name ending, without the dot.
    pub extension: &'static str,
    /// What it keeps, in a few words.
    pub about: &'static str,
    /// Writes a profile. The writer should be buffered.
    pub write: fn(&Profile, &Options, &mut dyn Write) -> Result<(), ExportError>,
}

/// Every format that can be written.
pub static FORMATS: &[Format] = &[
    Format {
        id: "native",
        title: "inferscope session",
        extension: "inferscope",
        about: "everything, compressed",
        write: |profile, options, out| {
            native::write_with(profile, options.sources.as_ref().unwrap_or(&profile.sources), out)
        },
    },
    Format {
        id: "speedscope",
        title: "speedscope",
        extension: "speedscope.json",
        about: "spans and samples of each track, for speedscope.app",
        write: |profile, _, out| speedscope::write(profile, out),
    },
    Format {
        id: "chrome",
        title: "Chrome trace",
        extension: "trace.json",
        about: "spans, counters, instants and arrows, for Perfetto and chrome://tracing",
        write: |profile, _, out| chrome::write(profile, out),
    },
    Format {
        id: "folded",
        title: "Folded stacks",
        extension: "folded",
        about: "one line a stack with the self cost of one metric, for flamegraph.pl and inferno",
        write: folded::write,
    },
];

/// The format with id `id`.
#[must_use]
pub fn format(id: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|f| f.id == id)
}

/// Writes `profile` to `path`: first beside it, then in its place, so that a full disk never leaves half
/// a file under the name.
///
/// # Errors
/// When the system refuses or the format cannot hold the profile; no file is left.
pub fn write_file(format: &Format, profile: &Profile, path: &Path) -> Result<(), ExportError> {
    write_file_with(format, profile, &Options::default(), path)
}

/// The same with choices.
///
/// # Errors
/// When the system refuses or the format cannot hold the profile; no file is left.
pub fn write_file_with(
    format: &Format,
    profile: &Profile,
    options: &Options,
    path: &Path,
) -> Result<(), ExportError> {
    replace(path, |out| (format.write)(profile, options, out))
}

/// Writes bytes in the same way.
///
/// # Errors
/// When the system refuses; no file is left.
pub fn write_bytes(bytes: &[u8], path: &Path) -> std::io::Result<()> {
    replace(path, |out| out.write_all(bytes))
}

/// Finds out whether [`write_file`] could write to `path`, before a long recording starts.
///
/// # Errors
/// As the system says it.
pub fn can_write(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    if is_stream(path) {
        return std::fs::OpenOptions::new().write(true).open(path).map(drop);
    }
    let draft = draft_of(path);
    let made = File::create(&draft).map(drop);
    // It may never have been there.
    let _ = std::fs::remove_file(&draft);
    made
}

/// A pipe, terminal or device: there is nothing to put another file in the place of.
fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// Where a file is written before it takes its place.
fn draft_of(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    draft.into()
}

fn replace<E: From<std::io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    if is_stream(path) {
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path)?);
        write(&mut out)?;
        return Ok(out.flush()?);
    }
    let draft = draft_of(path);
    let written = (|| {
        let mut out = BufWriter::new(File::create(&draft)?);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        std::fs::rename(&draft, path)?;
        Ok(())
    })();
    if written.is_err() {
        // The draft may never have been there.
        let _ = std::fs::remove_file(&draft);
    }
    written
}

/// Program and version, as written into files.
pub(crate) const WRITER: &str = concat!("inferscope ", env!("CARGO_PKG_VERSION"));

/// The refusal of formats that need paths, for a profile that only has a call graph or nothing.
fn no_stacks(profile: &Profile, format: &str) -> ExportError {
    ExportError::Unsupported(if profile.call_graph.is_some() {
        format!(
            "this profile is a call graph: it knows who calls whom, not whole stacks, and {format} needs stacks; \
             save it as an inferscope session instead"
        )
    } else {
        format!(
            "this profile has no spans or samples, which {format} needs; save it as an inferscope session instead"
        )
    })
}

#[cfg(test)]
mod tests;
