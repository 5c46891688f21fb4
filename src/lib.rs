//! inferscope: a desktop profile viewer for people who build LLM applications.
#![warn(missing_docs)]

pub mod format;
pub mod import;
pub mod jobs;
pub mod model;
pub mod ui;
