//! Chrome trace events: the format of chrome://tracing, DevTools, the PyTorch profiler (Kineto), viztracer,
//! tracing-chrome, py-spy and many more.
//!
//! Specification: «Trace Event Format» (Google), Kineto's `output_json.cpp`. The file is read as a stream:
//! a small part of it is in memory at a time, never a tree of JSON.
//!
//! Kept: spans (B/E, X), async operations (b/e, S/F), instants, counters, flows, samples, names and order of
//! processes and threads, memory events and launch links of PyTorch. Left in the file: all arguments, which
//! [`Importer::details`] reads when an event is clicked. Not shown: object events, memory dumps, stacks of single
//! events. Guessed: that spans of one thread which fit into one another are calls (as far as its stamps tell); work
//! of one GPU stream never calls other work.
//!
//! `scan` finds values, `window` feeds it, `reader` walks the container, `event` picks the fields of one
//! event, and `build` decides what they add; the other modules each keep one kind of thing.

mod build;
mod counters;
mod decode;
mod details;
mod event;
mod facts;
mod flows;
mod labels;
mod loose;
mod matching;
mod names;
mod number;
mod oddities;
mod reader;
mod samples;
mod scan;
mod sniff;
mod streams;
#[cfg(test)]
mod tests;
mod times;
mod tracks;
mod window;

use super::Gives::{Memory, Time, Tree};
use super::foreign::{NO_EVENTS, RECORD_LATER};
use super::{Context, ImportError, Importer, Source};
use crate::model::ProfileBuilder;
use build::How;

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "chrome",
    title: "Chrome trace",
    written_by: "Chrome, PyTorch, viztracer, Perfetto exports, tracing-chrome, …",
    extensions: &["json", "json.gz", "trace"],
    gives: &[Tree, Time, Memory],
    sniff: sniff::sniff,
    import,
    details: details::details,
};

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    import_by(source, cx, window::CHUNK)
}

/// Reads the file `chunk` bytes at a time.
fn import_by(source: &mut Source, cx: &mut Context<'_>, chunk: usize) -> Result<(), ImportError> {
    let mut build = read(source, cx, chunk, How::default())?;
    // At most twice: in the order of time, and in the other unit.
    while let Some(how) = build.again() {
        cx.builder = ProfileBuilder::new(&cx.builder.meta.format);
        *source = Source::open(&source.input.clone())?;
        build = read(source, cx, chunk, how)?;
    }
    let (events, metadata) = (build.events, build.metadata);
    let odd_time = build.facts.times.first_unusable();
    build.finish(&mut cx.builder);
    if cx.builder.is_empty() {
        return Err(match odd_time {
            Some((time, offset)) => {
                ImportError::at_byte(format!("has no time that can be read; the first is {time}"), offset)
                    .remedy("write ts and dur in microseconds")
            }
            None => nothing(events, metadata),
        });
    }
    Ok(())
}

/// Why a trace of so many events, so many of them metadata, shows nothing.
fn nothing(events: u64, metadata: u64) -> ImportError {
    let n = |n: u64| crate::format::counted(n as i64, "event", "events");
    let (what, remedy) = match (events, events - metadata) {
        (0, _) => (NO_EVENTS.to_owned(), RECORD_LATER),
        (_, 0) => (
            format!("has {}, which only name processes and threads: nothing was recorded", n(events)),
            RECORD_LATER,
        ),
        (_, rest) => (
            format!("has {}, of which none has a kind and a time that can be shown", n(rest)),
            "see the kinds that can be shown under «Trace Event Format»: X, B and E, b and e, i, C, s, P",
        ),
    };
    ImportError::malformed(what).remedy(remedy)
}

fn read(
    source: &mut Source,
    cx: &mut Context<'_>,
    chunk: usize,
    how: How,
) -> Result<build::Build, ImportError> {
    let window = window::Window::new(source, chunk);
    let mut reader = reader::Reader { window, cx, build: build::Build::new(how) };
    reader.document()?;
    Ok(reader.build)
}
