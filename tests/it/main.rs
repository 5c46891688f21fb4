//! Integration tests, in one binary: what a user cares about, through the public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod asyncio;
mod calls;
mod cli;
mod command;
mod desktop;
mod diff;
mod display;
mod figures;
#[cfg(feature = "fleet")]
mod fleet;
mod graphs;
mod guide;
mod hostile;
mod http_calls;
mod journal;
mod laws;
mod layers;
#[cfg(unix)]
mod listen;
mod llm;
#[cfg(feature = "mcp")]
mod mcp;
mod outputs;
mod package;
mod python_package;
mod python_reports;
mod questions;
#[cfg(unix)]
mod remote;
#[cfg(unix)]
mod remote_links;
mod service;
mod shown;
mod stacks;
mod support;
mod traces;
mod trees;
mod unnoticed;
#[cfg(feature = "mcp")]
mod window;
