//! Questions about profiles with answers as short texts, for people at a terminal and for their coding agents.
//!
//! Each question is one entry of [`QUESTIONS`]: its name, its arguments, and what answers it, which asks the same queries
//! as the views. The command line, the server of tools and the window's palette are made of this table, so they have the same
//! questions, the same arguments and the same text.
//!
//! The text: the first line says what numbers are a share of and what they rest on; one line a row; the last line says what
//! was left out, what share that has and which argument shows it. An answer keeps to a budget of tokens
//! ([`tokens`]). Names come out of files that anybody may have made: each stays within its line ([`crate::format::Page`]).

mod arguments;
mod callers;
mod diff;
mod findings;
mod gaps;
mod hot;
mod instructions;
mod lines;
mod names;
mod notes;
mod requests;
mod sheet;
mod summary;
#[cfg(test)]
mod tests;
pub mod tokens;
mod tree;
mod typed;
mod words;

use std::path::{Path, PathBuf};

use crate::analysis::prices::Prices;
use crate::import::secrets::mask;
use crate::jobs::{Cancelled, Job};
use crate::query::{Engine, Run};

pub use arguments::{Argument, Kind, Values};
pub use sheet::Sheet;
pub(crate) use sheet::{Part, Row};
pub use typed::{argument, quoted, typed};

/// Tokens of an answer, unless told otherwise.
pub const BUDGET: usize = 800;

/// A question.
#[derive(Debug)]
pub struct Question {
    /// Its name: a subcommand and a tool.
    pub name: &'static str,
    /// What it answers, in a line.
    pub about: &'static str,
    /// Files that it is asked of: one, or two to compare.
    pub files: &'static [&'static str],
    /// Its arguments beside the files.
    pub arguments: &'static [Argument],
    /// The argument that a text without a name is for; empty for none.
    pub bare: &'static str,
    /// A command line that shows it.
    pub example: &'static str,
    answer: fn(&Asked<'_>) -> Result<Sheet, Refusal>,
}

/// All questions, in the order in which they are usually asked.
pub static QUESTIONS: &[Question] = &[
    summary::QUESTION,
    hot::QUESTION,
    tree::QUESTION,
    callers::QUESTION,
    gaps::QUESTION,
    requests::QUESTION,
    findings::QUESTION,
    diff::QUESTION,
    lines::QUESTION,
];

/// The question called `name`.
#[must_use]
pub fn question(name: &str) -> Option<&'static Question> {
    QUESTIONS.iter().find(|q| q.name == name)
}

/// How arguments are written where the answer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `--budget 1600`.
    Cli,
    /// `budget=1600`.
    Tool,
}

impl Door {
    /// An argument with its value.
    #[must_use]
    pub fn argument(self, name: &str, value: impl std::fmt::Display) -> String {
        match self {
            Self::Cli => format!("--{name} {value}"),
            Self::Tool => format!("{name}={value}"),
        }
    }

    /// A switch.
    #[must_use]
    pub fn switch(self, name: &str) -> String {
        match self {
            Self::Cli => format!("--{name}"),
            Self::Tool => format!("{name}=true"),
        }
    }
}

/// An opened file.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What the person called it.
    pub label: String,
    /// Its folder, where source files may lie; `None` for what was no file.
    pub folder: Option<PathBuf>,
    /// Its profile.
    pub run: Run,
}

impl Opened {
    /// A run that was read from `path`.
    #[must_use]
    pub fn new(path: &Path, run: Run) -> Self {
        let folder = path.parent().filter(|_| path != Path::new("-"));
        let folder = folder.map(|f| if f.as_os_str().is_empty() { PathBuf::from(".") } else { f.to_owned() });
        Self { label: path.display().to_string(), folder, run }
    }
}

/// Where source files may lie that a profile names. The profile may be anybody's, and the answer may leave this computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcesFrom<'a> {
    /// Where the profile says: who asks sits at this computer.
    Anywhere,
    /// Below these folders only, links followed.
    Below(&'a [PathBuf]),
}

/// A question with all that its answer depends on.
pub struct Asked<'a> {
    /// Files, as many as the question wants.
    pub files: &'a [Opened],
    /// Values of its arguments.
    pub values: &'a Values,
    /// What computes and keeps answers.
    pub engine: &'a Engine,
    /// Where it may be cancelled.
    pub job: &'a Job,
    /// How arguments are written.
    pub door: Door,
    /// All rows are wanted, as JSON has them, rather than those that a budget has room for.
    pub whole: bool,
    /// Texts of prompts and answers may be part of it.
    pub texts: bool,
    /// By which requests are priced.
    pub prices: &'a Prices,
    /// Which source files may be read beside those that the profile carries.
    pub sources: SourcesFrom<'a>,
}

/// Why there is no answer: one line, or a line and candidates below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl From<Cancelled> for Refusal {
    fn from(cancelled: Cancelled) -> Self {
        Self(cancelled.to_string())
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Question {
    /// Answers.
    ///
    /// # Errors
    /// When an argument does not fit the file, with the remedy; when cancelled.
    pub fn ask(&self, asked: &Asked<'_>) -> Result<Sheet, Refusal> {
        asked.values.check(self)?;
        // Candidates are names out of the file, too.
        let answer = (self.answer)(asked);
        let with_more = |sheet| Sheet { more: asked.more_budget(), ..sheet };
        answer.map(with_more).map_err(|refusal| Refusal(mask(&refusal.0).into_owned()))
    }
}
