//! What a profile is. No I/O and no user interface.
//!
//! Everything that a tool can measure is one of: spans (start and end), samples (a stack and a
//! weight), a call graph (functions and calls without time), counters, instants, links and requests.
//! A [`Profile`] holds columns of them, frozen; a [`ProfileBuilder`] makes one.

mod attributes;
mod builder;
mod call_graph;
mod callers;
pub mod cycles;
mod dump;
mod facts;
mod findings;
mod ids;
mod inclusive;
pub(crate) mod increments;
mod instructions;
pub mod keys;
mod lanes;
pub mod lists;
mod merge;
pub mod messages;
mod metrics;
mod money;
pub(crate) mod place_table;
mod profile;
mod requests;
mod sources;
mod strings;
mod symbols;
mod tokens;
mod tracks;
pub(crate) mod wire;
pub(crate) mod wire_places;
pub(crate) mod wire_rows;

pub use attributes::{ArgsPlace, ArgsRef, Attributes, Value};
pub(crate) use builder::LeftOut;
pub use builder::{FarTimes, FunctionSpec, NodeCosts, ProfileBuilder, TrackSpec};
pub use call_graph::{
    CallEdge, CallGraph, CallNode, CallSite, CallSites, Calls, GraphCosts, LineCosts, SourceLine,
};
pub use dump::dump;
pub use facts::{Fact, FactKind, FactValue};
pub use findings::{BATCHES_ARE_EMPTY, FALSE_HIT, Finding, LOOP_HELD};
pub use ids::{
    CounterId, EdgeId, FrameId, FunctionId, MetricId, NodeId, RequestId, StackId, StringId, TrackId,
};
pub use instructions::{Instruction, InstructionCall, Instructions, Jump};
pub use keys::{CounterKey, InstantKey, Keys, MetricKey, NameKey, RequestKey, SpanKey, SymbolKey, TrackKey};
pub use metrics::{Better, COPIED, Metric, SAMPLES, Unit, heap};
pub use money::Money;
pub use place_table::{Place, PlaceRow, PlaceRows, PlaceTable};
pub use profile::{Attachment, Basis, Meta, Profile, ResultTable, SourceFile, WEIGHT_FORMATS, Warning};
pub use requests::{
    ASKED_WITH, COST_IN, CacheOutcome, Chunks, ENTRY_AGE, Flight, LOOKUP_TIME, MATCHED_PROMPT, Outcome,
    Request, Requests, Retry, SAVED_COST, SAVED_INPUT, SAVED_OUTPUT, STORE_TIME, ServerTimes, TRACE,
    TRACE_SCORE,
};
pub use sources::Sources;
pub use strings::Strings;
pub(crate) use symbols::{ChildIndex, row_hash};
pub use symbols::{Frame, Frames, Function, Functions, Stack, Stacks, Unique};
pub use tokens::{Accounting, DecidedBy, InputCount, Origin, TokenCounts};
pub use tracks::{
    Caller, Counter, EVENT_LOOP, Instant, Lane, Link, NO_ROW, RowSamples, SampleTable, Severity, Span,
    SpanStatus, SpanTable, Track, TrackKind,
};
