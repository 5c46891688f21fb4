//! inferscope: a desktop profile viewer for people who build LLM applications.

pub mod analysis;
#[cfg(feature = "window")]
pub mod app;
#[cfg(feature = "window")]
pub mod cli;
pub mod exchange;
pub mod export;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod format;
pub mod import;
pub mod jobs;
pub mod model;
pub mod query;
#[cfg(feature = "window")]
pub mod questions;
pub mod record;
#[cfg(feature = "window")]
pub mod remote;
#[cfg(feature = "window")]
pub mod state;
#[cfg(feature = "window")]
pub mod ui;
#[cfg(feature = "window")]
pub mod views;

/// Tests of the recorder ask which span holds how much memory.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: record::CountingAllocator = record::CountingAllocator;
