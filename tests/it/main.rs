//! Integration tests, in one binary: what a user cares about, through the public interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod calls;
mod cli;
mod command;
mod diff;
mod graphs;
mod hostile;
mod journal;
mod layers;
mod llm;
mod outputs;
mod python_reports;
mod service;
mod support;
mod traces;
mod trees;
