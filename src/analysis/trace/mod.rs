//! Conversations and runs of agents: what steps they took, in which order, what each said, and what it cost.
//!
//! A trace is an outermost span with all that it called or caused, over lanes and tracks. Of its spans those that conventions or
//! built-in runs name are steps; the others are ordinary and only counted until somebody asks for them. A session is all requests
//! that name it, in order, each with the spans that are its alone; calls without spans have a place there, too.

pub mod kind;
pub mod list;
pub mod places;
pub mod said;
pub mod sequence;
#[cfg(test)]
mod tests;
pub mod tree;

pub use kind::Kind;
pub use list::{Head, TraceList, Traces};
pub use places::Place;
pub use tree::{NO_STEP, Step, Totals, TraceOf, Tree};

use crate::model::SpanKey;

/// Name of the attribute by which requests belong to a conversation.
pub const SESSION: &str = "session";

/// What is shown as one trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// An outermost span with all below.
    Span(SpanKey),
    /// All requests of a conversation.
    Session(String),
    /// Requests that neither a span nor a conversation tells of, in order.
    Loose,
}
