//! One question about a profile per file, each a [`crate::query::Query`] or a pure function over
//! answers of others.

pub mod activity;
pub mod call_graph;
pub mod call_tree;
pub mod callers;
mod concurrency;
pub mod counters;
pub mod diff;
pub mod durations;
pub mod estimate;
pub mod events;
pub mod every_metric;
pub mod expansion;
pub mod flame_rows;
pub mod folding;
pub mod formula;
pub mod function_list;
pub mod functions;
pub mod gaps;
pub mod gpu;
pub mod graph_layout;
pub mod graph_picture;
pub mod groups;
pub mod heap_peak;
pub mod inverted;
pub mod lane_walk;
pub mod libraries;
pub mod matches;
mod merge_nodes;
pub mod moment;
pub mod most_probable;
pub mod named;
pub mod nested_samples;
pub mod nothing;
pub mod overview;
pub mod path;
pub mod phases;
pub mod propagate;
pub mod prune;
pub mod requests;
pub mod runs;
pub mod scope;
pub mod search;
pub mod source_file;
pub mod source_lines;
pub mod source_texts;
pub mod span_facts;
pub mod stages;
pub mod syntax;
#[cfg(test)]
pub mod testing;
pub mod tree_costs;
pub mod tree_rows;
pub mod treemap;
pub mod unfinished;

use crate::model::cycles;

pub use call_tree::{CallTree, Node, Shape};
pub use functions::{FunctionRow, FunctionTable, Functions};
pub use scope::{Scope, Slice, TimeRange, Transform};
pub use tree_costs::{Costs, TreeCosts};
