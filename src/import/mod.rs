//! Opening files of many tools as one kind of [`Profile`].
//!
//! bytes → unwrap (gz, zst, UTF-16) → every importer looks at the head ([`Importer::sniff`]; the name is a
//! hint, never proof) → the best one reads. Oddities that can be repaired become counted warnings; a
//! file that nothing understands is one error that says what was tried.
//!
//! Importers never panic, never hang, never recurse on the depth of the input and never allocate by a
//! number that the file claims.

mod answers;
mod bench;
mod callgrind;
mod chrome;
mod code;
mod container;
mod content;
mod dtrace;
mod entry;
mod error;
mod firefox;
mod folded;
mod foreign;
mod frame_names;
mod gprof;
mod gpu;
pub(crate) mod http;
mod journal;
mod line_profiler;
pub(crate) mod llm;
mod memory;
mod mojo;
mod native;
#[cfg(feature = "window")]
mod object_file;
mod observed;
pub(crate) mod otlp;
mod outline;
mod page;
mod perf;
mod perfetto;
mod pipe;
mod pprof;
mod prometheus;
mod pstats;
mod pyinstrument;
mod pyinstrument_text;
mod python;
mod python_logs;
mod read;
mod safari;
mod scalene;
pub(crate) mod secrets;
mod source;
mod speedscope;
pub(crate) mod stacks;
mod tachyon;
pub(crate) mod tasks;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod together;
mod torch_table;
mod tracy;
mod trees;
mod v8;
mod yappi;

#[cfg(feature = "workloads")]
pub(crate) use answers::counted;
pub use code::{MAX_CODE, SourceFolders, may_be_given, may_be_shown, read_code};
pub use container::{Member, is_dataset};
pub use error::{ErrorKind, ImportError, Place};
pub use journal::{Follow, Frames};
pub use native::holds_all_of;
#[cfg(feature = "window")]
pub use object_file::{Machine, ObjectFile};
#[cfg(feature = "workloads")]
pub(crate) use read::sse;
pub(crate) use read::time::unix_time;
pub use source::{Elsewhere, Input, Source};

use std::time::{Duration, Instant};

use crate::jobs::Job;
use crate::model::{ArgsPlace, Meta, Profile, ProfileBuilder, SourceFile};

/// How sure an importer is that a file is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Not this format.
    No,
    /// The shape is possible, nothing in it is a sign.
    Possible,
    /// Typical signs.
    Likely,
    /// A signature that only this format has.
    Certain,
}

/// The start of a file.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The first decompressed bytes, at most 64 KiB.
    pub bytes: &'a [u8],
    /// True when `bytes` is the whole file.
    pub whole: bool,
    /// The file's name without folders, in lower case. A hint only.
    pub name: &'a str,
}

impl Head<'_> {
    /// True when the text stands anywhere in it.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        memchr::memmem::find(self.bytes, text.as_bytes()).is_some()
    }
}

/// What a format can fill, for the list of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A tree of calls.
    Tree,
    /// What ran when.
    Time,
    /// Which function calls which.
    Graph,
    /// Memory: bytes per stack, or their course.
    Memory,
    /// Requests to a model.
    Requests,
    /// Values over time.
    Counters,
}

impl Gives {
    /// The word in the list of formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Time => "time",
            Self::Graph => "graph",
            Self::Memory => "memory",
            Self::Requests => "requests",
            Self::Counters => "counters",
        }
    }
}

/// Details of an event, as pairs of names and values.
pub type Details = Vec<(String, String)>;

/// See [`Importer::details`].
type ReadDetails = fn(&mut Source, &[u64], &mut dyn FnMut(u64, Details)) -> Result<(), ImportError>;

/// One format: what lists say of it, and how it is read. A value of this type is all that a format adds outside of its
/// own file.
pub struct Importer {
    /// Short stable name («pstats»).
    pub id: &'static str,
    /// What a person calls it.
    pub title: &'static str,
    /// Which tools write it.
    pub written_by: &'static str,
    /// Usual file name endings, without the dot.
    pub extensions: &'static [&'static str],
    /// What it can fill.
    pub gives: &'static [Gives],
    /// Judges the head of a file. Must be quick and must not trust anything.
    pub sniff: fn(&Head<'_>) -> Confidence,
    /// Reads the file into the context's builder. Fails when nothing useful can be read; what can be repaired is a
    /// warning on the builder instead.
    pub import: fn(&mut Source, &mut Context<'_>) -> Result<(), ImportError>,
    /// Details of the events at these offsets of the decompressed file, ascending, in one pass through it, for formats that
    /// leave them there ([`no_details`] for the others). Fails when the file changed or cannot be read any more.
    pub details: ReadDetails,
}

/// [`Importer::details`] of formats that leave nothing in the file.
///
/// # Errors
/// Never.
pub fn no_details(_: &mut Source, _: &[u64], _: &mut dyn FnMut(u64, Details)) -> Result<(), ImportError> {
    Ok(())
}

/// What an importer works with.
pub struct Context<'a> {
    /// Takes the rows.
    pub builder: ProfileBuilder,
    /// Progress and cancel.
    pub job: &'a Job,
    /// Takes the partial picture; `None` when nobody looks or it was shown.
    publish: Option<&'a mut dyn FnMut(Profile)>,
    started: Instant,
}

/// When a large file shows its first partial picture.
const FIRST_PICTURE: Duration = Duration::from_millis(200);

impl Context<'_> {
    /// True when the next [`Self::checkpoint`] shows a partial picture, for importers that have something to
    /// put in order before.
    #[must_use]
    pub fn picture_due(&self) -> bool {
        self.publish.is_some() && self.started.elapsed() > FIRST_PICTURE && !self.builder.is_empty()
    }

    /// Reports progress by the bytes read from the file and stops a cancelled import. Call it every
    /// megabyte or so. Shows a partial picture once, early on a long import.
    ///
    /// # Errors
    /// When cancelled.
    pub fn checkpoint(&mut self, source: &Source) -> Result<(), ImportError> {
        self.job.checkpoint(source.progress(), source.file_len)?;
        if self.picture_due()
            && let Some(publish) = self.publish.take()
        {
            publish(self.builder.clone().finish());
        }
        Ok(())
    }
}

/// Every format that can be opened, in the order in which equal confidence is resolved.
pub static IMPORTERS: &[&Importer] = &[
    &native::IMPORTER,
    &journal::IMPORTER,
    &pstats::IMPORTER,
    &pyinstrument::IMPORTER,
    &speedscope::IMPORTER,
    &callgrind::IMPORTER,
    &chrome::IMPORTER,
    &pprof::IMPORTER,
    &perfetto::IMPORTER,
    &v8::CPU,
    &v8::HEAP,
    &perf::IMPORTER,
    &firefox::IMPORTER,
    &memory::massif::IMPORTER,
    &memory::dhat::IMPORTER,
    &memory::heaptrack::IMPORTER,
    &memory::memray::IMPORTER,
    &memory::mprof::IMPORTER,
    &memory::torch::IMPORTER,
    &memory::tracemalloc::IMPORTER,
    &gpu::smi::IMPORTER,
    &gpu::nsys::IMPORTER,
    &prometheus::IMPORTER,
    &otlp::IMPORTER,
    &observed::langfuse::IMPORTER,
    &observed::langsmith::IMPORTER,
    &observed::phoenix::IMPORTER,
    &bench::serve::IMPORTER,
    &bench::aiperf::IMPORTER,
    &bench::llama::IMPORTER,
    &answers::IMPORTER,
    &http::IMPORTER,
    &torch_table::IMPORTER,
    &scalene::IMPORTER,
    &line_profiler::IMPORTER,
    &pyinstrument_text::IMPORTER,
    &trees::ghc::IMPORTER,
    &trees::ghc_json::IMPORTER,
    &gprof::IMPORTER,
    &yappi::IMPORTER,
    &safari::IMPORTER,
    &tracy::IMPORTER,
    &trees::macos_sample::IMPORTER,
    &trees::instruments::IMPORTER,
    &trees::stackprof::IMPORTER,
    &trees::vtune::IMPORTER,
    &mojo::IMPORTER,
    &tachyon::IMPORTER,
    &python_logs::import_time::IMPORTER,
    &python_logs::pytest_durations::IMPORTER,
    &dtrace::IMPORTER,
    &tasks::IMPORTER,
    &stacks::IMPORTER,
    &folded::IMPORTER,
];

/// The importer with id `id`.
#[must_use]
pub fn importer(id: &str) -> Option<&'static Importer> {
    IMPORTERS.iter().copied().find(|i| i.id == id)
}

/// True when the head of an input is that of a profile; nothing more is read.
#[must_use]
pub fn is_recognised(input: &Input) -> bool {
    let Ok(source) = Source::open(input) else { return false };
    let name = source.file_name().to_lowercase();
    let head = Head { bytes: source.head(), whole: source.is_whole_head(), name: &name };
    IMPORTERS.iter().any(|i| (i.sniff)(&head) > Confidence::No)
}

/// Opens an input. `publish` receives a partial profile early on, when reading takes long.
///
/// # Errors
/// One error that says what is wrong, where and what to do; without the file's name.
pub fn open(input: &Input, job: &Job, publish: &mut dyn FnMut(Profile)) -> Result<Profile, ImportError> {
    open_with(input, job, Some(publish))
}

/// Opens an input without a partial picture on the way, which costs a copy of what is there.
///
/// # Errors
/// As [`open`].
pub fn open_whole(input: &Input, job: &Job) -> Result<Profile, ImportError> {
    open_with(input, job, None)
}

/// True when an importer knows bytes that begin so. A shape that is only possible is none.
fn is_profile(head: &[u8], whole: bool, name: &str) -> bool {
    let name = name.to_lowercase();
    let head = Head { bytes: head, whole, name: &name };
    IMPORTERS.iter().any(|i| (i.sniff)(&head) > Confidence::Possible)
}

/// Begin of the warning that a packed file is broken.
const DAMAGE: &str = "compressed data is damaged";

fn open_with(
    input: &Input,
    job: &Job,
    mut publish: Option<&mut dyn FnMut(Profile)>,
) -> Result<Profile, ImportError> {
    if let Input::Elsewhere(file) = input {
        return file.open(job);
    }
    let input = &input.settled(job)?;
    if let Some(files) = together::files(input) {
        return together::open(&files?, job);
    }
    let source = Source::open(input)?;
    let name = source.file_name().to_lowercase();
    let head = Head { bytes: source.head(), whole: source.is_whole_head(), name: &name };
    let known = |head: &Head<'_>| -> Vec<_> {
        IMPORTERS.iter().map(|i| ((i.sniff)(head), *i)).filter(|c| c.0 > Confidence::No).collect()
    };
    let mut candidates = known(&head);
    // An empty file may still stand for others beside it, when its name says so.
    if candidates.is_empty() && head.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ImportError { kind: ErrorKind::Unrecognised, ..ImportError::malformed("is empty") });
    }
    if candidates.is_empty()
        && let Some(bytes) = Source::open(input).ok().and_then(|mut again| outline::outline(&mut again, job))
    {
        candidates = known(&Head { bytes: &bytes, whole: false, name: &name });
    }
    if candidates.is_empty() {
        return Err(foreign::error(&head));
    }
    candidates.sort_by_key(|c| std::cmp::Reverse(c.0));
    let mut first_error = None;
    let mut source = Some(source);
    for (_, importer) in &candidates {
        let mut source = match source.take() {
            Some(source) => source,
            None => Source::open(input)?,
        };
        let mut cx = Context {
            builder: ProfileBuilder::new(importer.id),
            job,
            publish: publish.as_mut().map(|p| &mut **p as &mut dyn FnMut(Profile)),
            started: Instant::now(),
        };
        match (importer.import)(&mut source, &mut cx) {
            Ok(()) => {
                if let Some(damage) = source.damage() {
                    cx.builder.warn(&format!("{DAMAGE} ({damage}); what came before is shown"), "");
                }
                cx.builder.warn_many("text that is no valid UTF-16 (shown as �)", "", source.invalid_text());
                let mut profile = cx.builder.finish();
                remember_source(&mut profile, &source);
                profile.meta.content = source.content();
                return Ok(profile);
            }
            Err(e) if e.kind != ErrorKind::Malformed => return Err(e),
            Err(e) => {
                first_error.get_or_insert(e);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| ImportError::malformed("cannot be read")))
}

/// Notes the file that was opened in a profile that leaves details in it, so that they are still found
/// when the profile is saved as a session.
fn remember_source(profile: &mut Profile, source: &Source) {
    let spans = profile.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.args);
    let in_file = |args: crate::model::ArgsRef| matches!(args.place(), ArgsPlace::Offset(_));
    // What is a part of a file cannot be found again by the file's path.
    let needed = profile.meta.source.is_none()
        && source.input.part().is_none()
        && (profile.instants.iter().map(|i| i.args).any(in_file) || spans.into_iter().any(in_file));
    if let (true, Some(path)) = (needed, source.input.path()) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        profile.meta.source =
            Some(SourceFile { path, format: profile.meta.format.clone(), bytes: source.file_len });
    }
}

/// Details of the event at `offset` of an opened input whose profile has the meta data `meta`. The
/// input may be a session that was saved from another file: then that file is read.
///
/// # Errors
/// When the file is gone, changed or cannot be read any more.
pub fn details(input: &Input, meta: &Meta, offset: u64) -> Result<Details, ImportError> {
    if let Input::Elsewhere(file) = input {
        return file.details(meta, offset);
    }
    let mut found = Details::new();
    details_of(input, meta, &[offset], &mut |_, details| found = details)?;
    Ok(found)
}

/// The same of many events at once: the file is read once from its start, and `each` gets their details one by one. What the
/// event that ends a span adds is known of the last one only. The offsets are in ascending order.
///
/// # Errors
/// As [`details`]; a file on another machine is not read in this way.
pub fn details_of(
    input: &Input,
    meta: &Meta,
    offsets: &[u64],
    each: &mut dyn FnMut(u64, Details),
) -> Result<(), ImportError> {
    let original = meta.source.as_ref().map(|s| (Input::Path(s.path.clone().into()), s));
    let (input, format) = original.as_ref().map_or((input, &meta.format), |(input, s)| (input, &s.format));
    let Some(importer) = importer(format) else { return Ok(()) };
    let mut source = Source::open(input)?;
    if original.as_ref().is_some_and(|(_, s)| s.bytes != source.file_len) {
        return Err(ImportError::malformed(format!("{} has changed since it was opened", input.label()))
            .remedy("open it again"));
    }
    (importer.details)(&mut source, offsets, each)
}
