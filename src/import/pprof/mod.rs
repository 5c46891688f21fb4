//! pprof profiles: Go's runtime, Node (Datadog, `pprof`), Rust (`pprof-rs`), Pyroscope, Parca, gperftools.
//!
//! Specification: `proto/profile.proto` of google/pprof; for the older texts and the binary CPU profile of gperftools
//! its `profile/legacy_profile.go` (see [`legacy`]).
//!
//! Kept: every sample with all its values, one metric each, the default one first; inlined calls; files, lines,
//! mappings as modules; threads that labels name; period, times and comments. Lost: addresses of functions that have a
//! name, and other labels (their names are listed). Guessed: nothing.

mod legacy;
mod proto;
#[cfg(test)]
mod tests;
mod text;

use super::Gives::{Memory, Tree};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Metric, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "pprof",
    title: "pprof",
    written_by: "Go, gperftools, Datadog, Pyroscope, Parca, pprof-rs",
    extensions: &["pprof", "pb.gz", "pb", "prof"],
    gives: &[Tree, Memory],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    proto::sniff(head).max(legacy::sniff(head))
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let head = Head { bytes: source.head(), whole: source.is_whole_head(), name: "" };
    let legacy = legacy::sniff(&head) > Confidence::No;
    let bytes = source.read_all(cx.job)?;
    if legacy { legacy::read(&bytes, cx) } else { proto::read(&bytes, cx) }
}

/// The metric of a sample type, and what its values are multiplied with.
fn metric(kind: &str, unit: &str) -> (Metric, i64) {
    let (unit, factor) = unit_of(unit);
    let known = match kind {
        "cpu" => "CPU time",
        "wall" => "Wall time",
        "samples" | "sample" => "Samples",
        "alloc_objects" => "Allocations",
        "alloc_space" => "Allocated",
        "inuse_objects" => "Live objects",
        "inuse_space" => "Live memory",
        "contentions" => "Contentions",
        "delay" => "Delay",
        _ => "",
    };
    let label = if known.is_empty() { kind.replace('_', " ") } else { known.into() };
    (Metric::new(kind, &label, unit), factor)
}

/// A unit by its name, and what values in it are multiplied with.
fn unit_of(name: &str) -> (Unit, i64) {
    match name {
        "nanoseconds" => (Unit::Nanoseconds, 1),
        "microseconds" => (Unit::Nanoseconds, 1_000),
        "milliseconds" => (Unit::Nanoseconds, 1_000_000),
        "seconds" => (Unit::Nanoseconds, 1_000_000_000),
        "bytes" => (Unit::Bytes, 1),
        "kilobytes" => (Unit::Bytes, 1 << 10),
        "megabytes" => (Unit::Bytes, 1 << 20),
        "count" | "" => (Unit::Count, 1),
        _ => (Unit::None, 1),
    }
}
