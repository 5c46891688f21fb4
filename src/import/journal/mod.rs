//! The journal of a recording («.journal»), written by the recorder while it records, and left behind by one that was cut
//! off or not saved.
//!
//! The layout is described in `model/wire.rs`, the rows in `model/increments.rs`. Kept is everything up to the
//! last whole write, at most a second before the end: a torn tail is cut with a counted warning, and what
//! still ran ends as unfinished where the journal ends. Nothing is trusted: checksums, lengths and every id are
//! checked, and rows go through the builder like those of any other format.
//!
//! A living recorder holds a lock on its journal. One that is locked says «still recording» and not that it was
//! interrupted, and can be followed as it grows ([`Follow`]).
//!
//! What a profiler in the recorded process wrote after its recorder was killed lies in a folder beside the journal and
//! is attached, as if the recorder had added it. Tasks and HTTP requests that processes recorded of themselves, and what they sent by
//! OpenTelemetry's protocol, become part of the recording.

mod follow;
mod frames;
mod tape;

use std::io::Read;
use std::path::Path;

pub use follow::Follow;
pub use frames::Frames;
use tape::{DAMAGED, Ending, TORN, Tape};

use super::Gives::{Graph, Memory, Requests, Time, Tree};
use super::source::OwnFile;
use super::{Confidence, Context, Head, ImportError, Importer, Input, Source, no_details};
use super::{http, otlp};
use crate::model::wire::journal::{ABOUT, EXTENSION, FILES, MAGIC, Next, TRACE, VERSION, next};
use crate::model::{Attachment, Profile};

/// Files that are looked at beside a journal, and how long one may be.
const MOST_FILES: usize = 32;
const MOST_PROCESSES: usize = 256;
const LONGEST_FILE: u64 = 256 << 20;
const LONGEST_EXPORTS: u64 = 1 << 30;
/// Endings of the files of profilers.
const PROFILES: [&str; 2] = ["prof", "pyisession"];

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "journal",
    title: "journal of a recording",
    written_by: "inferscope, while it records",
    extensions: &[EXTENSION],
    gives: &[Tree, Time, Graph, Memory, Requests],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.starts_with(&MAGIC) { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    begin(source)?;
    read(source, cx)
}

/// Reads what stands before the first frame.
fn begin(from: &mut impl Read) -> Result<(), ImportError> {
    let mut start = [0; MAGIC.len() + 2];
    from.read_exact(&mut start).map_err(|_| ImportError::malformed("is cut short"))?;
    match u16::from_le_bytes([start[MAGIC.len()], start[MAGIC.len() + 1]]) {
        VERSION => Ok(()),
        other => Err(ImportError::malformed(format!(
            "is a journal in format {other}, and this version reads format {VERSION}"
        ))
        .remedy("open it with the inferscope that recorded it")),
    }
}

fn read(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    // Asked first: a recording that ends while its journal is read is whole, or was recorded up to here.
    let living = source.is_locked();
    let mut tape = Tape::default();
    while !tape.is_whole() {
        cx.checkpoint(source)?;
        match next(source)? {
            Next::Frame(tag, bytes) => {
                if tape.add(tag, bytes, &mut cx.builder).is_err() {
                    cx.builder.warn(DAMAGED, "");
                    break;
                }
            }
            Next::End => break,
            // The writer is in the middle of it.
            Next::Torn if living => break,
            Next::Torn => {
                cx.builder.warn(TORN, "");
                break;
            }
        }
    }
    let end = match (tape.is_whole(), living) {
        (true, _) => Ending::Whole,
        (false, true) => Ending::StillRecording,
        (false, false) => Ending::Interrupted,
    };
    tape.conclude(&mut cx.builder, end, cx.job)?;
    if end == Ending::Interrupted {
        let tasks = add_tasks(source, cx);
        add_torch(source, cx);
        add_files(source, cx);
        let beside = if tasks { http::Beside::Tasks } else { http::Beside::Nothing };
        add_calls(source, beside, cx);
        add_exports(source, tasks, cx);
    }
    Ok(())
}

/// Adds what the recorder of tasks in the recorded processes wrote. True when there is some.
fn add_tasks(source: &Source, cx: &mut Context<'_>) -> bool {
    let Some(folder) = source.own_folder(FILES) else { return false };
    let packed = super::tasks::pack(&folder.join(TRACE));
    if packed.bytes.is_empty() {
        return false;
    }
    let bytes: std::sync::Arc<[u8]> = packed.bytes.into();
    match super::open_whole(&Input::Bytes(super::tasks::NAME.into(), bytes.clone()), cx.job) {
        Ok(profile) => {
            merge(&profile, cx);
            cx.builder.attach(Attachment { name: super::tasks::NAME.into(), bytes });
            true
        }
        Err(e) => {
            cx.builder.warn("records of tasks beside the journal cannot be read", &e.to_string());
            false
        }
    }
}

/// Adds what was measured beside the recording, at its place in time.
fn merge(profile: &Profile, cx: &mut Context<'_>) {
    let (own, theirs) = (cx.builder.meta.origin_unix_ns, profile.meta.origin_unix_ns);
    let shift = own.zip(theirs).map_or(0, |(own, theirs)| theirs.saturating_sub(own).max(0));
    cx.builder.meta.take_in(&profile.meta);
    cx.builder.merge(profile, shift);
}

/// Adds the traces that `torch.profiler` wrote in the recorded processes.
fn add_torch(source: &Source, cx: &mut Context<'_>) {
    for OwnFile { name, content, .. } in
        source.own_files_below((FILES, TRACE, "json"), MOST_FILES, LONGEST_FILE)
    {
        let read = content.map_err(|e| e.to_string()).and_then(|bytes| {
            super::open_whole(&Input::Bytes(name.clone(), bytes.into()), cx.job).map_err(|e| e.to_string())
        });
        match read {
            Ok(profile) => merge(&profile, cx),
            Err(e) => cx.builder.warn("a trace of torch.profiler cannot be read", &format!("{name}: {e}")),
        }
    }
}

/// Adds the requests over HTTP that processes wrote down.
fn add_calls(source: &Source, beside: http::Beside, cx: &mut Context<'_>) {
    let place = (FILES, TRACE, http::EXTENSION);
    let mut found = Vec::new();
    for OwnFile { name, content, .. } in source.own_files_below(place, MOST_PROCESSES, LONGEST_FILE) {
        let read = content.map_err(|e| e.to_string());
        match read.and_then(|bytes| http::read(&mut &bytes[..]).map_err(|e| e.to_string())) {
            Ok(calls) => found.push(calls),
            Err(e) => {
                cx.builder.warn("HTTP requests of a process cannot be read", &format!("{name}: {e}"));
            }
        }
    }
    if !found.is_empty() {
        let origin = cx.builder.meta.origin_unix_ns.unwrap_or(0);
        let shifted = found.into_iter().map(|calls| {
            let shift = calls.unix.saturating_sub(origin);
            (calls, shift)
        });
        http::build(shifted.collect(), beside, &mut cx.builder).tell(&mut cx.builder);
    }
}

/// Whether a profiler of calls runs around the program.
fn is_profiled(about: &[u8]) -> bool {
    let about: Option<serde_json::Value> = serde_json::from_slice(about).ok();
    about.is_none_or(|about| about["profilers"].as_array().is_none_or(|profilers| !profilers.is_empty()))
}

/// Adds what programs sent by OpenTelemetry's protocol.
fn add_exports(source: &Source, tasks: bool, cx: &mut Context<'_>) {
    let place = (FILES, TRACE, otlp::EXTENSION);
    let mut files = Vec::new();
    for OwnFile { name, content, .. } in source.own_files_below(place, MOST_FILES, LONGEST_EXPORTS) {
        match content {
            Ok(bytes) => files.push((name, bytes)),
            Err(e) => cx.builder.warn("what programs sent cannot be read", &format!("{name}: {e}")),
        }
    }
    let origin = cx.builder.meta.origin_unix_ns.unwrap_or(0);
    otlp::add_left(files.into_iter(), (origin, tasks), &mut cx.builder);
}

/// Attaches what profilers left beside the journal.
fn add_files(source: &Source, cx: &mut Context<'_>) {
    let Some(files) = source.own_files(FILES, MOST_FILES, LONGEST_FILE) else { return };
    let (mut names, mut spans) = (Vec::new(), Vec::new());
    let mut about = None;
    for OwnFile { name, content, locked } in files {
        if name == ABOUT && content.as_ref().is_ok_and(|bytes| is_profiled(bytes)) {
            about = Some(locked);
        }
        let of_spans = name.starts_with("spans-") && name.ends_with(".json");
        if !of_spans && !Path::new(&name).extension().is_some_and(|e| PROFILES.iter().any(|p| e == *p)) {
            continue;
        }
        match content {
            Ok(bytes) => {
                if of_spans { &mut spans } else { &mut names }.push(name.clone());
                cx.builder.attach(Attachment { name, bytes: bytes.into() });
            }
            Err(e) => cx.builder.warn("a profile beside the journal cannot be read", &format!("{name}: {e}")),
        }
    }
    if !spans.is_empty() {
        cx.builder.meta.result("Spans of the program", format!("attached as {}", spans.join(", ")));
    }
    if !names.is_empty() {
        let text = format!("{}, attached: written when the program ended by itself", names.join(", "));
        cx.builder.meta.result("Call profile", text);
        return;
    }
    let kind = match about {
        None => return,
        Some(true) => {
            "the recorded Python program still runs and writes its call profile when it ends: open the journal again then"
        }
        Some(false) => "the recorded Python program ended without writing its call profile",
    };
    cx.builder.warn(kind, "");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::open;
    use crate::jobs::Job;
    use crate::model::increments::{Cursor, encode};
    use crate::model::wire::journal::{DONE, END, HEAD, Head as Header, OPEN, PART, frame};
    use crate::model::{ArgsRef, FunctionSpec, Meta, ProfileBuilder, SpanStatus, TrackKind, TrackSpec};

    /// A journal of five writes; each finds two more spans done and one running.
    fn journal() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let mut ends = Vec::new();
        let (mut b, mut cursor) = (ProfileBuilder::new("x"), Cursor::default());
        let spec = TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 };
        let track = b.track(spec);
        let f = b.function(FunctionSpec::named("step"));
        for n in 0..5 {
            b.span(track, n * 100, n * 100 + 40, f, ArgsRef::NONE);
            b.span(track, n * 100 + 50, n * 100 + 90, f, ArgsRef::NONE);
            let now = Some(n * 100 + 99);
            let head = Header {
                meta: Meta { title: "t".into(), duration: now, ..Meta::default() },
                warnings: vec![],
            };
            frame(&mut bytes, HEAD, &serde_json::to_vec(&head).unwrap());
            frame(&mut bytes, DONE, &encode(&b, &mut cursor));
            let handle = b.open_span(track, n * 100 + 95, f, ArgsRef::NONE);
            b.close_span(track, handle, n * 100 + 99, SpanStatus::Unfinished);
            frame(&mut bytes, OPEN, &encode(&b, &mut cursor.clone()));
            b.truncate(&cursor);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn read(bytes: Vec<u8>) -> Result<Profile, ImportError> {
        open(&Input::Bytes("x".into(), bytes.into()), &Job::new(), &mut |_| ())
    }

    #[test]
    fn a_cut_journal_gives_all_whole_writes_and_what_ran_then() {
        let (bytes, ends) = journal();
        for (n, &end) in ends.iter().enumerate() {
            let p = read(bytes[..end].to_vec()).unwrap();
            assert_eq!(p.span_count(), 2 * (n + 1) + 1);
            let open = p.tracks[0].spans.rows.iter().filter(|s| s.status == SpanStatus::Unfinished);
            assert_eq!(open.count(), 1, "only what ran at the last write");
            assert_eq!(p.meta.duration, Some(n as i64 * 100 + 99));
            assert_eq!(p.warnings, [], "a cut between writes is no damage");
            assert!(p.meta.fact("Ended").is_some_and(|v| crate::format::fact(v).contains("interrupted")));
        }
        let torn = read(bytes[..ends[3] - 3].to_vec()).unwrap();
        assert_eq!(torn.span_count(), 8, "the rows of the write whose end is missing are there");
        assert_eq!(torn.warnings.len(), 1);
    }

    #[test]
    fn an_orderly_journal_says_nothing_of_an_interruption() {
        let (mut bytes, _) = journal();
        frame(&mut bytes, END, &[]);
        let p = read(bytes).unwrap();
        assert!(p.meta.facts.is_empty() && p.instants.is_empty());
    }

    #[test]
    fn a_part_is_merged_at_its_time_and_nothing_but_a_session_is_one() {
        let (whole, _) = journal();
        let mut b = ProfileBuilder::new("x");
        let track = b.track(TrackSpec { name: "task", process: "", kind: TrackKind::Task, sort: 1 });
        let f = b.function(FunctionSpec::named("work"));
        b.span(track, 10, 30, f, ArgsRef::NONE);
        let part = |content: &[u8]| {
            let mut bytes = whole.clone();
            frame(&mut bytes, PART, &[&100i64.to_le_bytes(), content].concat());
            frame(&mut bytes, END, &[]);
            read(bytes).unwrap()
        };
        let mut session = Vec::new();
        crate::export::native::write(&b.finish(), &mut session).unwrap();
        let p = part(&session);
        let task = p.tracks.iter().find(|t| p.text(t.name) == "task").unwrap();
        assert_eq!((task.spans.rows[0].start, task.spans.rows[0].end), (110, 130));
        assert!(p.warnings.is_empty());
        // A journal in a journal would be read within itself.
        assert_eq!(part(&whole).warnings.len(), 1);
    }

    #[test]
    fn hostile_journals_give_an_error_or_a_warning() {
        let (bytes, ends) = journal();
        for cut in 0..ends[1] {
            match read(bytes[..cut].to_vec()) {
                Ok(p) => assert!(p.span_count() <= 5),
                Err(e) => assert!(!e.to_string().is_empty()),
            }
        }
        for at in 16..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            if let Ok(p) = read(bytes) {
                assert!(!p.warnings.is_empty(), "byte {at}");
            }
        }
    }
}
