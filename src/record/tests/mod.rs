//! What the recorder promises, seen from outside: spans in, profile out.
//!
//! Recordings take turns by themselves, so these tests may run in parallel. Times are compared only
//! where a sleep makes them.

mod sessions;
mod spans;
mod workloads;
