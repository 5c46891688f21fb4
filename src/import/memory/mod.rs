//! Formats of memory profilers.

pub(super) mod dhat;
pub(super) mod heaptrack;
pub(super) mod massif;
pub(super) mod memray;
pub(super) mod mprof;
#[cfg(test)]
mod tests;
pub(super) mod torch;
pub(super) mod tracemalloc;

use crate::model::{FrameId, FunctionSpec, Metric, ProfileBuilder, Unit, heap};

/// Metrics that tools of this kind share.
fn allocated() -> Metric {
    Metric::new(heap::ALLOCATED, "Allocated", Unit::Bytes)
}

/// What an allocation record holds of a moment, which files of this kind do not name.
fn held() -> Metric {
    Metric::new("held", "Held at the peak (with --leaks: at the end)", Unit::Bytes)
}

fn allocations() -> Metric {
    Metric::new(heap::ALLOCATIONS, "Allocations", Unit::Count)
}

fn at_peak() -> Metric {
    Metric::new(heap::AT_PEAK, "Live at the peak", Unit::Bytes)
}

fn at_end() -> Metric {
    Metric::new(heap::AT_END, "Live at the end", Unit::Bytes)
}

/// valgrind's `0x490C35B: _IO_getline (iofgets.c:1287)`, or `(in /usr/bin/sort)` where only the object is known.
fn valgrind_frame(text: &str, builder: &mut ProfileBuilder) -> FrameId {
    let (address, rest) = match text.split_once(": ") {
        Some((address, rest)) if address.starts_with("0x") => (address, rest),
        _ => ("", text),
    };
    let place = rest.strip_suffix(')').and_then(|t| t.rsplit_once(" ("));
    let (name, place) = place.unwrap_or((rest, ""));
    let (mut spec, mut line) = (FunctionSpec::named(name), 0);
    if let Some(object) = place.strip_prefix("in ") {
        spec.module = object.rsplit('/').next().unwrap_or("");
    } else if let Some((file, number)) = place.rsplit_once(':') {
        spec.file = file;
        // dhat-rs adds the column.
        (spec.file, line) = match (file.rsplit_once(':'), number.parse::<u32>()) {
            (Some((path, before)), Ok(_)) if before.parse::<u32>().is_ok() => {
                (path, before.parse().unwrap_or(0))
            }
            (_, number) => (file, number.unwrap_or(0)),
        };
    } else if !place.is_empty() {
        spec.name = rest;
    }
    if spec.name == "???" && !address.is_empty() {
        spec.name = address;
    }
    let function = builder.function(spec);
    builder.frame(function, line)
}
