//! One question about a profile per file, each a [`crate::query::Query`] or a pure function over
//! answers of others.

pub mod activity;
pub mod call_tree;
pub mod callers;
mod concurrency;
pub mod counters;
pub mod durations;
pub mod estimate;
pub mod expansion;
pub mod flame_rows;
pub mod function_list;
pub mod functions;
pub mod inverted;
pub mod libraries;
pub mod moment;
pub mod overview;
pub mod path;
pub mod phases;
pub mod requests;
pub mod runs;
pub mod scope;
pub mod search;
pub mod span_facts;
pub mod stages;
#[cfg(test)]
pub mod testing;
pub mod tree_costs;
pub mod tree_rows;

pub use call_tree::{CallTree, Node, Shape};
pub use functions::{FunctionRow, FunctionTable, Functions};
pub use scope::{Scope, TimeRange, Transform};
pub use tree_costs::{Costs, TreeCosts};
