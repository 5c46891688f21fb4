//! Why a file could not be opened: one line with the place in the file and a remedy.

use crate::jobs::Cancelled;

/// Class of a failure; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The system could not read the file.
    Io,
    /// No importer understands the file.
    Unrecognised,
    /// The format is known, the content is broken.
    Malformed,
    /// It holds several profiles, and one must be named.
    Several,
    /// Somebody cancelled.
    Cancelled,
}

/// Where in the (decompressed) file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Byte offset, from 0.
    Byte(u64),
    /// Line, from 1.
    Line(u64),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Byte(n) => write!(f, "byte {n}"),
            Self::Line(n) => write!(f, "line {n}"),
        }
    }
}

/// A failed import. Displays as «what (place): remedy», without the file's name, which the caller adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// Class.
    pub kind: ErrorKind,
    /// What is wrong, in a few words.
    pub what: String,
    /// Where, when known.
    pub place: Option<Place>,
    /// What to do about it; empty when there is nothing to say.
    pub remedy: &'static str,
}

impl ImportError {
    /// Broken content.
    #[must_use]
    pub fn malformed(what: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Malformed, what: what.into(), place: None, remedy: "" }
    }

    /// Broken content at a byte of the decompressed file.
    #[must_use]
    pub fn at_byte(what: impl Into<String>, byte: u64) -> Self {
        Self { place: Some(Place::Byte(byte)), ..Self::malformed(what) }
    }

    /// Broken content at a line.
    #[must_use]
    pub fn at_line(what: impl Into<String>, line: u64) -> Self {
        Self { place: Some(Place::Line(line)), ..Self::malformed(what) }
    }

    /// With a remedy.
    #[must_use]
    pub fn remedy(self, remedy: &'static str) -> Self {
        Self { remedy, ..self }
    }
}

impl std::fmt::Display for ImportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        if let Some(place) = self.place {
            write!(f, " at {place}")?;
        }
        if !self.remedy.is_empty() {
            write!(f, ": {}", self.remedy)?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportError {}

impl From<std::io::Error> for ImportError {
    fn from(e: std::io::Error) -> Self {
        Self { kind: ErrorKind::Io, what: format!("cannot be read ({e})"), place: None, remedy: "" }
    }
}

impl From<Cancelled> for ImportError {
    fn from(_: Cancelled) -> Self {
        Self { kind: ErrorKind::Cancelled, what: "cancelled".into(), place: None, remedy: "" }
    }
}
