//! What Python and its tools print about times.

pub(super) mod import_time;
pub(super) mod pytest_durations;
