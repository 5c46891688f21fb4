//! inferscope: a desktop profile viewer for people who build LLM applications.
#![warn(missing_docs)]

pub mod export;
pub mod import;
pub mod jobs;
pub mod model;
