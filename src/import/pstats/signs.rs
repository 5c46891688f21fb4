//! What tells the tools apart that write this format, and what a file said in sum.

use super::parts::CallOrder;
use crate::model::Calls;

pub(super) const CPROFILE: &str = "cProfile (pstats)";

/// The first function that is recorded may have been called before, by nothing that is.
const HALF_CALLED: usize = 2;

/// What only one tool writes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    /// A function named Class.method, or in a module without a file.
    pub(super) yappi: bool,
    /// The file of the first function that is no ordinary one: cProfile's «~», or `profile`'s empty one.
    pub(super) builtin: Option<&'static str>,
    /// All functions have −1 calls.
    pub(super) uncounted: bool,
    /// The marker of Python's sampling profiler.
    pub(super) sampled: bool,
}

impl Signs {
    /// True when the numbers come from samples.
    pub(super) fn of_samples(&self) -> bool {
        self.sampled || self.uncounted
    }
}

/// What a file said in sum.
pub(super) struct Found {
    pub(super) order: CallOrder,
    pub(super) signs: Signs,
    pub(super) functions: usize,
    /// Entries that are no functions.
    pub(super) skipped: u64,
    /// Calls of all functions; `None` when none were counted.
    pub(super) calls: Option<Calls>,
    /// True when functions that call others have no entry.
    pub(super) lacks_callers: bool,
    /// How many functions that have callers were called more often than these say.
    pub(super) half_called: usize,
    /// Self time of all functions, ns.
    pub(super) own: i64,
    /// The largest total of a function, ns.
    pub(super) largest: i64,
}

impl Found {
    /// True when a total is larger than all self times together, which is so of no thread whose functions are all there.
    fn exceeds(&self) -> bool {
        // Of a file without built-ins, or without the callers of what it has, rows were left out.
        let whole = self.signs.builtin == Some(CPROFILE) && !self.lacks_callers;
        whole && self.largest > self.own.saturating_add(self.own / 500 + 10_000)
    }

    /// True when cProfile has put calls of several threads on one stack: then functions are called that no caller calls.
    pub(super) fn mixes_threads(&self) -> bool {
        self.exceeds() && self.half_called >= HALF_CALLED
    }

    /// True when self times are missing although each call has its caller.
    pub(super) fn lacks_functions(&self) -> bool {
        self.exceeds() && self.half_called < HALF_CALLED
    }

    /// The tool, by the signs that only one of them leaves.
    pub(super) fn tool(&self) -> &'static str {
        match self.signs {
            Signs { sampled: true, .. } => "Python's profiling.sampling (pstats)",
            _ if self.order == CallOrder::AllFirst => "yappi (pstats)",
            Signs { uncounted: true, .. } if self.functions > 0 => "pyinstrument (pstats)",
            Signs { builtin: Some(tool), .. } => tool,
            Signs { yappi: true, .. } => "yappi (pstats)",
            _ => CPROFILE,
        }
    }
}
