//! Sessions, and files that are written whole or not at all.
//!
//! Formats of other programs are made of answers about a profile: `exchange`.

mod draft;
mod inputs;
pub mod native;

use std::io::Write;
use std::path::Path;

use crate::model::{Profile, Sources};

pub use inputs::Inputs;

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

/// Writes a profile as a session («.inferscope»).
///
/// # Errors
/// When the system refuses; then what was there before stays.
pub fn write_session(profile: &Profile, path: &Path) -> Result<(), ExportError> {
    write_session_with(profile, &profile.sources, path)
}

/// The same with other source texts than the profile carries.
///
/// # Errors
/// When the system refuses; then what was there before stays.
pub fn write_session_with(profile: &Profile, sources: &Sources, path: &Path) -> Result<(), ExportError> {
    write_with(path, |out| native::write_with(profile, sources, out))
}

/// Writes a file by a function, whole or not at all: neither a full disk nor another writer leaves half a file.
///
/// # Errors
/// When the system refuses or `write` fails; then what was there before stays.
pub fn write_with<E: From<std::io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    draft::replace(path, write)
}

/// Writes bytes in the same way.
///
/// # Errors
/// When the system refuses; no file is left.
pub fn write_bytes(bytes: &[u8], path: &Path) -> std::io::Result<()> {
    write_with(path, |out| out.write_all(bytes))
}

/// Finds out whether a file could be written to `path`, before a long recording starts.
///
/// # Errors
/// As the system says it.
pub fn can_write(path: &Path) -> std::io::Result<()> {
    draft::try_out(path)
}

/// Program and version, as written into files.
pub(crate) const WRITER: &str = concat!("inferscope ", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests;
