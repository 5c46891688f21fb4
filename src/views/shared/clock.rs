//! Calendar time as people live by it: their own zone, and UTC where one points at it. Files and reports say UTC, so that the
//! same file reads the same everywhere.

use chrono::{DateTime, Local};

use crate::format;

/// `2026-11-30 06:32:12 +01:00` for Unix time in ns. Pictures of tests are the same in every zone.
#[must_use]
pub fn local(unix_ns: i64) -> String {
    let moment = DateTime::from_timestamp(unix_ns.div_euclid(1_000_000_000), 0).filter(|_| !cfg!(test));
    match moment {
        Some(moment) => moment.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z").to_string(),
        None => format::utc(unix_ns),
    }
}
