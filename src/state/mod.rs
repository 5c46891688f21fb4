//! Ground state as plain data: which runs are open, what is selected, which part is looked at.
//!
//! Everything else is derived from it by queries. Views change it only through [`Command`]s, which
//! gives undo, scripted tests and the command palette.

mod arrangement;
mod command;
mod history;
mod interaction;
mod item;
mod link;
mod look;
pub mod project;
mod session;

pub use crate::analysis::columns::Relative;
pub use arrangement::{Arrangement, LaneHeight, LaneKey};
pub use command::Command;
pub use history::History;
pub use interaction::Interaction;
pub use item::{Item, related};
pub use link::Link;
pub use look::Look;
pub use project::{Decision, Project, ProjectRun};
pub use session::{Baseline, OpenRun, Origin, RunState, Session};
