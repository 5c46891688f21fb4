//! What happens in the background, told to the application's thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::import::ImportError;
use crate::model::Profile;
use crate::query::RunId;

/// A message from a background job.
#[derive(Debug)]
pub enum Event {
    /// A part of run `run` can be looked at while the rest is read or recorded.
    Revision {
        /// The run.
        run: RunId,
        /// The profile so far.
        profile: Arc<Profile>,
    },
    /// Run `run` is a recording of another process, which goes on.
    Following {
        /// The run.
        run: RunId,
    },
    /// Reading run `run` ended.
    Opened {
        /// The run.
        run: RunId,
        /// The whole profile, or why there is none.
        result: Result<Arc<Profile>, ImportError>,
    },
    /// What was to be opened holds several profiles.
    Several {
        /// The run that was to show it.
        run: RunId,
        /// Its files.
        members: Vec<crate::import::Member>,
    },
    /// Recording run `run` ended.
    Recorded {
        /// The run.
        run: RunId,
        /// The whole profile, or why there is none; `None` when it was cancelled.
        result: Result<Option<Arc<Profile>>, String>,
    },
    /// A file dialog was closed.
    Picked {
        /// What the dialog was for.
        purpose: Purpose,
        /// The chosen files; empty when cancelled.
        paths: Vec<PathBuf>,
    },
    /// The system has no file dialog to show.
    NoDialog {
        /// What the dialog was for.
        purpose: Purpose,
        /// A path to start from.
        suggested: String,
    },
    /// The editor was started, or not: one line.
    Edited {
        /// Why not.
        result: Result<(), String>,
    },
    /// A coding agent came, left, or wants something.
    Agent(super::agents::Request),
    /// Names are known that an agent used, or not: lines that say why.
    Resolved {
        /// The number of what waits for them.
        number: u64,
        /// What they mean.
        result: Result<super::agents::Resolved, String>,
    },
    /// A question of the palette was answered, or not: lines that say why.
    Answered {
        /// The number of the question.
        number: u64,
        /// The answer.
        result: Result<super::answer::Said, String>,
    },
    /// What the system says of recent files.
    Recent {
        /// By file.
        facts: Vec<(PathBuf, super::start::FileFacts)>,
    },
    /// A picture of a sample was drawn.
    SamplePicture(Box<super::samples::Picture>),
    /// A table of prices was read, or why not: one line.
    PriceTable {
        /// Its file.
        path: PathBuf,
        /// What it holds.
        result: Result<Arc<crate::analysis::prices::PriceTable>, String>,
    },
    /// A project was read, or why not: one line.
    Project {
        /// Its file.
        path: PathBuf,
        /// What it holds.
        result: Result<Box<crate::state::Project>, String>,
    },
    /// A project was written, or not.
    ProjectSaved {
        /// Its file.
        path: PathBuf,
        /// Runs that have no file, so it does not name them.
        left_out: usize,
        /// One line, why it was not written.
        result: Result<(), String>,
    },
    /// A file was written, or not.
    Wrote {
        /// The run that was written, when it was a whole session.
        run: Option<RunId>,
        /// The file and what it does not hold, or one line why it was not written.
        result: Result<(PathBuf, Vec<String>), String>,
    },
}

/// What a file dialog is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Open profiles.
    Open,
    /// Open a dataset.
    Dataset,
    /// Save a picture of a pane.
    Picture(u64, crate::views::Picture),
    /// Save the project.
    Project,
    /// Choose a table of prices.
    PriceTable,
    /// Say where a source file is.
    Source {
        /// The file as the profile names it.
        file: String,
    },
    /// Fill in a field of the window that asks what to record.
    Field {
        /// The workload's id.
        workload: &'static str,
        /// The parameter's key.
        key: &'static str,
    },
    /// Write the run in the export format with this place in the list.
    Export {
        /// The run.
        run: RunId,
        /// Place in [`crate::exchange::FORMATS`].
        format: usize,
        /// With the texts of source files, which only sessions hold.
        sources: bool,
    },
}

impl Purpose {
    /// True when a file is written.
    #[must_use]
    pub fn saves(&self) -> bool {
        matches!(self, Self::Picture(..) | Self::Project | Self::Export { .. })
    }

    /// The title of the window that asks.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Open => "Open by path".into(),
            Self::Dataset => "Open dataset folder".into(),
            Self::Source { file } => {
                let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
                format!("Where is {name}?")
            }
            Self::Field { .. } => "Choose".into(),
            Self::PriceTable => "Table of prices".into(),
            Self::Project => "Save project".into(),
            Self::Picture(_, picture) => format!("Save picture as {}", picture.extension().to_uppercase()),
            Self::Export { format: 0, .. } => "Save session".into(),
            Self::Export { format, .. } => {
                let title = crate::exchange::FORMATS.get(*format).map_or("", |f| f.title);
                format!("Export as {title}")
            }
        }
    }
}

/// Sends events and wakes the window.
#[derive(Clone)]
pub struct Events {
    sender: Sender<Event>,
    ctx: Option<egui::Context>,
}

impl Events {
    /// Events into `sender`; `ctx` is asked to repaint after each.
    #[must_use]
    pub fn new(sender: Sender<Event>, ctx: Option<egui::Context>) -> Self {
        Self { sender, ctx }
    }

    /// Sends an event. Keys of a profile are made here, in the background, so that no frame waits for them. When the application is gone there is nobody left to tell.
    pub fn send(&self, event: Event) {
        if let Event::Revision { profile, .. }
        | Event::Opened { result: Ok(profile), .. }
        | Event::Recorded { result: Ok(Some(profile)), .. } = &event
        {
            profile.keys().make();
        }
        let _ = self.sender.send(event);
        self.wake();
    }

    /// Asks for a repaint soon, to look at something that does not tell by itself.
    pub fn wake_later(&self) {
        if let Some(ctx) = &self.ctx {
            ctx.request_repaint_after(std::time::Duration::from_millis(100));
        }
    }

    fn wake(&self) {
        if let Some(ctx) = &self.ctx {
            ctx.request_repaint();
        }
    }
}
