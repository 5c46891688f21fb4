//! Requests over HTTP of a recorded program, on their way to the recording.

use crate::import::http::{Beside, Calls};
use crate::record::clock;

/// One moment by two clocks: the recorder's, and that which recorded processes write down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) ticks: u64,
    /// ns of the clock of Python's `perf_counter_ns`; `None` where it cannot be read here.
    pub(super) counter: Option<i64>,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { ticks: clock::ticks(), counter: counter() }
    }
}

/// Of Linux alone it is known to be this one for all processes.
#[cfg(target_os = "linux")]
pub(super) fn counter() -> Option<i64> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.checked_mul(1_000_000_000)?.checked_add(now.tv_nsec)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn counter() -> Option<i64> {
    None
}

/// What processes wrote down.
pub(super) struct HttpCalls {
    pub(super) files: Vec<Calls>,
    /// A moment before all of them.
    pub(super) moment: Moment,
    /// What else the run has: a call profile, whose calls are not on a clock, lets no spans be beside it.
    pub(super) beside: Beside,
}

impl std::fmt::Debug for HttpCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP requests of {} processes", self.files.len())
    }
}
