//! A run, or the part of it that is looked at, in the formats of other programs.
//!
//! One list, [`FORMATS`], feeds menus and the command line. Formats that show costs (folded stacks, speedscope, tables)
//! are made of the answers that views and reports show, so that all of them add up to the same. What a format has no
//! place for is said ([`write_file`] returns it); one that cannot hold a profile at all says why instead of writing
//! something made up.

mod chrome;
mod chrome_samples;
mod csv;
mod folded;
mod lost;
mod speedscope;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crate::analysis::{Scope, TimeRange};
use crate::export::{ExportError, Inputs, native, write_with};
use crate::format;
use crate::jobs::Job;
use crate::model::{MetricKey, Profile, Sources};
use crate::query::{Engine, Query, Run};
use lost::Kept;

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The run.
    pub profile: Arc<Profile>,
    /// Tracks and transforms, for formats that are views of the data.
    pub scope: Scope,
    /// Time, for the same.
    pub range: TimeRange,
    /// The metric to write where a format holds only one; the profile's first that has values when `None`.
    pub metric: Option<MetricKey>,
    /// Source texts to write into a session instead of those that the profile carries.
    pub sources: Option<Sources>,
    /// Files that must not be written over.
    pub inputs: Inputs,
}

impl Asked {
    /// All of a run that does not come out of a file.
    #[must_use]
    pub fn all(profile: Arc<Profile>) -> Self {
        let inputs = Inputs::of(&profile, None);
        Self { profile, scope: Scope::default(), range: None, metric: None, sources: None, inputs }
    }

    /// What is left out of the run, in words; `None` for nothing.
    fn part(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some((from, to)) = self.range {
            parts.push(format!("{} – {}", format::duration(from), format::duration(to)));
        }
        if !self.scope.tracks.is_empty() {
            parts.push(format::counted(self.scope.tracks.len() as i64, "track", "tracks"));
        }
        if !self.scope.transforms.is_empty() {
            let n = self.scope.transforms.len() as i64;
            parts.push(format!("after {}", format::counted(n, "transform", "transforms")));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The answer to a query about the run.
    fn ask<Q: Query>(&self, query: &Q) -> Result<Arc<Q::Output>, ExportError> {
        let run = Run::of(self.profile.clone());
        let answer = Engine::inline().now(&run, query, &Job::new());
        answer.map_err(|_| ExportError::Unsupported("was cancelled".into()))
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
    /// True for a view of the data, which holds what is looked at; other formats hold the whole run.
    pub view: bool,
    /// Parts of a profile that it has a place for.
    kept: &'static [Kept],
    /// Writes a profile and says what else is left out. The writer should be buffered.
    write: Writer,
}

type Writer = fn(&Asked, &mut dyn Write) -> Result<Vec<String>, ExportError>;

/// Every format that can be written; the session comes first.
pub static FORMATS: &[Format] = &[
    Format {
        id: "native",
        title: "inferscope session",
        extension: "inferscope",
        about: "everything, compressed",
        view: false,
        kept: Kept::ALL,
        write: |asked, out| {
            let sources = asked.sources.as_ref().unwrap_or(&asked.profile.sources);
            native::write_with(&asked.profile, sources, out).map(|()| Vec::new())
        },
    },
    Format {
        id: "speedscope",
        title: "speedscope",
        extension: "speedscope.json",
        about: "spans and samples of each track, for speedscope.app",
        view: true,
        kept: &[Kept::Times, Kept::Places],
        write: speedscope::write,
    },
    Format {
        id: "chrome",
        title: "Chrome trace",
        extension: "trace.json",
        about: "spans, samples, counters, events and arrows, for Perfetto, DevTools and chrome://tracing",
        view: false,
        kept: &[
            Kept::Times,
            Kept::Places,
            Kept::Modules,
            Kept::Categories,
            Kept::Phases,
            Kept::Ends,
            Kept::Details,
            Kept::Counters,
            Kept::Events,
            Kept::Links,
        ],
        write: chrome::write,
    },
    Format {
        id: "folded",
        title: "Folded stacks",
        extension: "folded",
        about: "one line a stack with the self cost of one metric, for flamegraph.pl and inferno",
        view: true,
        kept: &[],
        write: folded::write,
    },
    Format {
        id: "csv",
        title: "Functions as CSV",
        extension: "csv",
        about: "every function with its calls, self and total cost in each metric, for spreadsheets",
        view: true,
        kept: &[Kept::Places, Kept::Modules, Kept::Categories, Kept::Metrics, Kept::Ends],
        write: csv::write,
    },
];

/// The format with id `id`.
#[must_use]
pub fn format(id: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|f| f.id == id)
}

/// Writes a file, whole or not at all. Returns what it does not hold, each as a sentence without its end.
///
/// # Errors
/// When the system refuses, the format cannot hold the profile, or the profile was read from this file; then what was there
/// before stays.
pub fn write_file(format: &Format, asked: &Asked, path: &Path) -> Result<Vec<String>, ExportError> {
    asked.inputs.refuse(path)?;
    let mut said = Vec::new();
    write_with(path, |out| {
        said = write(format, asked, out)?;
        Ok::<(), ExportError>(())
    })?;
    Ok(said)
}

/// Writes to `out`. Returns what is left out, as [`write_file`] does.
///
/// # Errors
/// As [`write_file`].
pub fn write(format: &Format, asked: &Asked, out: &mut dyn Write) -> Result<Vec<String>, ExportError> {
    let mut said = (format.write)(asked, out)?;
    said.extend(lost::left_out(&asked.profile, format.kept));
    if let Some(part) = asked.part() {
        said.push(match format.view {
            true => format!("it holds the part that is shown ({part}), not the whole run"),
            false => format!("it holds the whole run, not only the part that is shown ({part})"),
        });
    }
    Ok(said)
}

/// The refusal of formats that need paths, for a profile that only has a call graph or nothing.
fn no_stacks(profile: &Profile, format: &str) -> ExportError {
    ExportError::Unsupported(if profile.call_graph.is_some() {
        format!(
            "this profile is a call graph: it knows who calls whom, not whole stacks, and {format} needs stacks; \
             save it as an inferscope session or as CSV instead"
        )
    } else {
        format!(
            "this profile has no spans or samples, which {format} needs; save it as an inferscope session instead"
        )
    })
}
