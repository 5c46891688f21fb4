//! Which calls a run makes, whether or not an estimated call tree has a place for them.
//!
//! A recorded call graph knows no paths: the trees of two runs that are made of such graphs differ by what their estimates
//! chose, too. What both graphs know is no difference.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::functions::{DiffFunctions, FunctionDiff, RowKey};
use crate::analysis::call_graph::{Calling, Graph, NOBODY};
use crate::analysis::path::Symbol;
use crate::jobs::Cancelled;
use crate::query::{Context, Pair};

impl DiffFunctions {
    /// The calls of a side: those of its scope, and all that were recorded.
    pub(super) fn calls(&self, base: bool, cx: &Context<'_, Pair>) -> Result<Vec<Arc<Graph>>, Cancelled> {
        let side = if base { cx.base() } else { cx.head() };
        let mut slice = self.of(base, cx)?;
        let mut found = Vec::new();
        if !slice.scope.transforms.is_empty() {
            found.push(side.get(&Calling { slice: slice.clone(), around: None })?);
            slice.scope.transforms = Vec::new();
        }
        found.push(side.get(&Calling { slice, around: None })?);
        Ok(found)
    }

    /// What each run calls, base and head, between rows of `all`; what has no row there is known by none.
    pub(super) fn known_calls(
        &self,
        all: &FunctionDiff,
        cx: &Context<'_, Pair>,
    ) -> Result<[KnownCalls; 2], Cancelled> {
        let of = |base: bool| {
            let profile = if base { cx.base() } else { cx.head() }.profile().clone();
            let row = |symbol| all.row_of(RowKey::of(symbol, &profile), base).unwrap_or(u32::MAX);
            Ok(KnownCalls::of(&self.calls(base, cx)?, row))
        };
        Ok([of(true)?, of(false)?])
    }
}

/// The calls of a run, between functions under their numbers in the pair.
#[derive(Debug, Default)]
pub(super) struct KnownCalls {
    functions: FxHashSet<u32>,
    calls: FxHashSet<(u32, u32)>,
    called: FxHashSet<u32>,
}

impl KnownCalls {
    /// Those of graphs of a run, by what `name` calls its functions.
    pub(super) fn of(graphs: &[Arc<Graph>], mut name: impl FnMut(Symbol) -> u32) -> Self {
        let mut known = Self::default();
        for graph in graphs {
            let names: Vec<u32> = graph.nodes.iter().map(|node| name(node.symbol)).collect();
            known.functions.extend(&names);
            for e in graph.edges.iter().filter(|e| e.from != NOBODY && e.from != e.to) {
                known.called.insert(names[e.to as usize]);
            }
            let calls = graph.edges.iter().filter(|e| e.from != NOBODY);
            known.calls.extend(calls.map(|e| (names[e.from as usize], names[e.to as usize])));
        }
        known
    }

    /// True when it calls it directly.
    pub(super) fn has(&self, caller: u32, callee: u32) -> bool {
        self.calls.contains(&(caller, callee))
    }

    /// True when it runs there.
    pub(super) fn runs(&self, function: u32) -> bool {
        self.functions.contains(&function)
    }

    /// True when another function calls it.
    pub(super) fn is_called(&self, function: u32) -> bool {
        self.called.contains(&function)
    }
}
