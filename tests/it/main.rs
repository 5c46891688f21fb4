//! Integration tests, in one binary: what a user cares about, through the public interface.

mod cli;
mod graphs;
mod layers;
mod support;
